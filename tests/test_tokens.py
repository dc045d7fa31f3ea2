import errno
import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import corpus as corpora
from firth import cutting, tokens
from firth.errors import FirthError, UsageError
from firth.preparation import Preparation
from firth.segmentation import Segmentation
from firth.tokens import EncodedCorpus, Types, encode
from firth.vocabulary import Vocabulary

WORDS = Segmentation(method="words")


def documents(encoded: EncodedCorpus) -> list[list[list[str]]]:
    """The corpus as it was: documents of lines of words."""
    types = list(encoded.types)
    words = [types[type_id] for type_id in encoded.type_ids]
    line_starts = [0, *encoded.line_ends.tolist()]
    lines = [words[start:end] for start, end in zip(line_starts, encoded.line_ends, strict=False)]
    document_starts = [0, *encoded.document_ends.tolist()]
    return [lines[start:end] for start, end in zip(document_starts, encoded.document_ends, strict=False)]


def encoded_documents(
    folder: Path,
    sources: Any,
    segmentation: Segmentation | None = WORDS,
    block_characters: int = corpora.BLOCK_CHARACTERS,
    **options: Any,
) -> list[list[list[str]]]:
    preparation = Preparation(**options)
    corpus = corpora.read(sources, preparation, block_characters=block_characters)
    with encode(corpus, segmentation, folder, preparation=preparation) as encoded:
        return documents(encoded)


class TestEncode:
    def test_words_lines_and_documents(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.txt"
        path.write_text("The cat, the dog.\nA cat!\n\n \n***\nthe end\n", encoding="utf-8")
        with encode(corpora.read(path), WORDS, tmp_path / "encoded") as encoded:
            assert list(encoded.types) == ["the", "cat", "dog", "a", "end"]
            assert encoded.counts.tolist() == [3, 2, 1, 1, 1]
            assert encoded.type_ids.tolist() == [0, 1, 0, 2, 3, 1, 0, 4]
            assert encoded.line_ends.tolist() == [4, 6, 8]
            assert encoded.document_ends.tolist() == [2, 3]
            assert (encoded.n_tokens, encoded.n_lines, encoded.n_documents) == (8, 3, 2)
            assert (encoded.segmentation, encoded.segmentation_reason) == (WORDS, "")
            dtypes = [encoded.counts.dtype, encoded.type_ids.dtype, encoded.line_ends.dtype]
            assert dtypes == [np.int64, np.int32, np.int64]

    def test_a_line_of_signs_alone_ends_no_document(self, tmp_path: Path) -> None:
        assert encoded_documents(tmp_path / "e", ["a", "***", "b", "", "c"]) == [[["a"], ["b"]], [["c"]]]

    def test_a_files_end_ends_a_document(self, tmp_path: Path) -> None:
        paths = [tmp_path / "1.txt", tmp_path / "2.txt"]
        paths[0].write_bytes(b"a b\nc")
        paths[1].write_bytes(b"d")
        assert encoded_documents(tmp_path / "e", paths) == [[["a", "b"], ["c"]], [["d"]]]

    def test_ready_words_stay_as_they_are(self, tmp_path: Path) -> None:
        lines = [["New York", "a\nb", ""], ["x"], [], [7, "x"]]
        with encode(corpora.read(lines), None, tmp_path / "e") as encoded:
            assert documents(encoded) == [[["New York", "a\nb", ""], ["x"]], [["7", "x"]]]
            assert encoded.segmentation == Segmentation(method="space", lower=False)

    def test_the_segmentation_is_chosen_and_said(self, tmp_path: Path) -> None:
        with encode(corpora.read(["今天我好开心。"] * 9), None, tmp_path / "e") as encoded:
            assert encoded.segmentation.method == "chinese"
            assert "Han characters" in encoded.segmentation_reason
            assert documents(encoded)[0][0] == ["今天", "我", "好开心"]

    def test_case_is_kept_when_asked(self, tmp_path: Path) -> None:
        cased = Preparation(cased=True)
        with encode(corpora.read(["A text"], cased), None, tmp_path / "e", preparation=cased) as encoded:
            assert list(encoded.types) == ["A", "text"]

    def test_a_huge_line_stays_one_line(self, tmp_path: Path) -> None:
        with encode(corpora.read(["so many words " * 50_000, "end"]), WORDS, tmp_path / "e") as encoded:
            assert encoded.line_ends.tolist() == [150_000, 150_001]
            assert list(encoded.types) == ["so", "many", "words", "end"]

    def test_progress_is_told_block_by_block(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.txt"
        path.write_bytes(b"one two\n" * 1000)
        seen: list[tuple[int, int | None, int]] = []
        corpus = corpora.read(path, block_characters=800)
        encode(corpus, WORDS, tmp_path / "e", progress=lambda *facts: seen.append(facts)).close()
        assert len(seen) == 11
        assert seen[-1] == (8000, 8000, 2000)
        assert seen == sorted(seen)

    def test_an_empty_folder_is_used(self, tmp_path: Path) -> None:
        folder = tmp_path / "e"
        folder.mkdir()
        assert encoded_documents(folder, ["a b"]) == [[["a", "b"]]]
        assert [entry.name for entry in tmp_path.iterdir()] == ["e"]

    @pytest.mark.parametrize("method", ["words", "space", "chinese"])
    @given(
        text=st.text("ab今天 .\n\u0301", max_size=80),
        block_characters=st.integers(20, 60),
    )
    def test_blocks_change_nothing(
        self, tmp_path_factory: pytest.TempPathFactory, method: Any, text: str, block_characters: int
    ) -> None:
        lines = [line[:20] for line in ("a\n" + text).split("\n")]  # no line is longer than a block
        segmentation = Segmentation(method=method)
        folder = tmp_path_factory.mktemp("blocks")
        small = encode(corpora.read(lines, block_characters=block_characters), segmentation, folder / "small")
        with small, encode(corpora.read(lines), segmentation, folder / "whole") as whole:
            assert list(small.types) == list(whole.types)
            assert small.fingerprint == whole.fingerprint
            assert documents(small) == documents(whole) == reference(lines, segmentation)

    @pytest.mark.parametrize("n_processors", [2, 3])
    def test_processes_change_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_processors: int) -> None:
        text = "".join(f"第{number}行，今天我好开心 a{number}。\n" + "\n" * (number % 7 == 0) for number in range(500))
        (tmp_path / "corpus.txt").write_text(text + "没有空格" * 500, encoding="utf-8")
        monkeypatch.setattr(cutting, "_BYTES_WORTH_WORKERS", 1)
        found = []
        for number in (1, n_processors):
            monkeypatch.setattr(cutting, "available_processors", lambda number=number: number)
            corpus = corpora.read(tmp_path / "corpus.txt", block_characters=100)
            seen: list[tuple[int, int | None, int]] = []
            with encode(
                corpus, None, tmp_path / str(number), progress=lambda *facts, seen=seen: seen.append(facts)
            ) as encoded:
                found.append((list(encoded.types), encoded.fingerprint, documents(encoded), seen))
        assert found[0] == found[1]

    @given(text=st.text("ab .,\n", max_size=60), block_characters=st.integers(5, 20))
    def test_long_lines_are_one_line(
        self, tmp_path_factory: pytest.TempPathFactory, text: str, block_characters: int
    ) -> None:
        words = " ".join(word[:4] for word in f"a {text}".split(" "))
        folder = tmp_path_factory.mktemp("long")
        assert encoded_documents(folder / "small", [words], block_characters=block_characters) == encoded_documents(
            folder / "whole", [words]
        )


def reference(lines: list[str], segmentation: Segmentation) -> list[list[list[str]]]:
    """Line by line, as the definition has it."""
    found: list[list[list[str]]] = [[]]
    for line in lines:
        if not line.strip():
            found.append([])
        elif words := segmentation.words(line):
            found[-1].append(words)
    return [document for document in found if document]


LINES = st.lists(st.lists(st.sampled_from(["a", "bb", "今天", "cc"]), max_size=12), max_size=30)


def without_duplicates(documents: list[list[list[str]]], dropped: str) -> tuple[list[list[list[str]]], int]:
    """What stays of documents, and how many lines or documents go, as the definition has it."""
    met: set[str] = set()
    found: list[list[list[str]]] = []
    n_dropped = 0

    def is_new(item: Any) -> bool:
        nonlocal n_dropped
        key = repr(item)
        n_dropped += key in met
        return key not in met and not met.add(key)

    for document in documents:
        if dropped == "lines":
            found.append([line for line in document if is_new(line)])
        elif is_new(document):
            found.append(document)
    return [document for document in found if document], n_dropped


class TestDuplicates:
    def test_lines(self, tmp_path: Path) -> None:
        lines = ["A b!", "c", "", "a, B", "***", "a b c", "", "c"]
        preparation = Preparation(drop_duplicates="lines")
        with encode(corpora.read(lines), WORDS, tmp_path / "e", preparation=preparation) as encoded:
            assert documents(encoded) == [[["a", "b"], ["c"]], [["a", "b", "c"]]]
            assert encoded.counts.tolist() == [2, 2, 2]
            assert encoded.n_duplicates == 2
            assert encoded.remarks == ["2 lines left out: their words had been met before"]

    def test_documents(self, tmp_path: Path) -> None:
        lines = ["a b", "c", "", "a b", "", "a b", "!", "c", "", "c", "a b", "", "", "a b c"]
        preparation = Preparation(drop_duplicates="documents")
        with encode(corpora.read(lines), WORDS, tmp_path / "e", preparation=preparation) as encoded:
            expected = [[["a", "b"], ["c"]], [["a", "b"]], [["c"], ["a", "b"]], [["a", "b", "c"]]]
            assert documents(encoded) == expected
            assert encoded.remarks == ["1 document left out: their words had been met before"]

    def test_they_stay_unless_asked(self, tmp_path: Path) -> None:
        assert encoded_documents(tmp_path / "e", ["a", "a", "", "a", "a"]) == [[["a"], ["a"]], [["a"], ["a"]]]

    @pytest.mark.parametrize("dropped", ["lines", "documents"])
    @settings(deadline=None)
    @given(lines=LINES, block_characters=st.integers(5, 60), max_types=st.sampled_from([2, 3, 20]))
    def test_wherever_blocks_end_and_types_are_pruned(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        dropped: Any,
        lines: list[list[str]],
        block_characters: int,
        max_types: int,
    ) -> None:
        text = ["first", *map(" ".join, lines)]
        preparation = Preparation(drop_duplicates=dropped, max_types=max_types)
        corpus = corpora.read(text, preparation, block_characters=block_characters)
        expected, n_dropped = without_duplicates(reference(text, WORDS), dropped)
        with encode(corpus, WORDS, tmp_path_factory.mktemp("e") / "e", preparation=preparation) as encoded:
            assert encoded.n_duplicates == n_dropped
            assert shape(documents(encoded)) == shape(expected)
            words, there = list(chain(*chain(*documents(encoded)))), list(chain(*chain(*expected)))
            assert all(word in ("", was) for word, was in zip(words, there, strict=True))
            assert Counter(words) == dict(zip(encoded.types, encoded.counts.tolist(), strict=True))
            if max_types == 20:
                assert words == there


def shape(documents: list[list[list[str]]]) -> list[list[int]]:
    return [list(map(len, document)) for document in documents]


class TestPruning:
    def test_pruned_types_become_one(self, tmp_path: Path) -> None:
        words = ["a"] * 9 + ["b"] * 9 + ["c", "d", "a", "e", "f", "a"]
        preparation = Preparation(max_types=4)
        with encode(corpora.read([words]), None, tmp_path / "e", preparation=preparation) as encoded:
            assert list(encoded.types) == ["a", "b", "e", "f", ""]
            assert encoded.counts.tolist() == [11, 9, 1, 1, 2]
            assert encoded.type_ids.tolist() == [0] * 9 + [1] * 9 + [4, 4, 0, 2, 3, 0]
            assert (encoded.n_pruned_types, encoded.n_pruned_tokens) == (2, 2)
            assert encoded.remarks == [
                "there were more than 4 types at a time, so that the rarest were dropped: 2 types, 2 words of the "
                "corpus (8.33%); --max-types sets how many there may be"
            ]
            vocabulary = Vocabulary.from_counts(encoded.types, encoded.counts, min_count=1)
            assert vocabulary.words == ["a", "b", "e", "f"]

    def test_an_empty_word_joins_them(self, tmp_path: Path) -> None:
        preparation = Preparation(max_types=2)
        lines = [["", "", "a", "b", "a"]]
        with encode(corpora.read(lines), None, tmp_path / "e", preparation=preparation) as encoded:
            assert list(encoded.types) == ["a", ""]
            assert encoded.type_ids.tolist() == [1, 1, 1, 1, 0]
            assert encoded.n_pruned_tokens == 2

    def test_there_were_not_too_many(self, tmp_path: Path) -> None:
        preparation = Preparation(max_types=2)
        with encode(corpora.read(["a b a"]), WORDS, tmp_path / "e", preparation=preparation) as encoded:
            assert list(encoded.types) == ["a", "b"]
            assert encoded.remarks == []

    @settings(deadline=None)
    @given(lines=LINES, block_characters=st.integers(12, 60), dropped=st.sampled_from(["no", "lines", "documents"]))
    def test_blocks_change_nothing(
        self, tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], block_characters: int, dropped: Any
    ) -> None:
        text = ["first", *(" ".join(line)[:12] for line in lines)]
        preparation = Preparation(max_types=2)
        folder = tmp_path_factory.mktemp("e")
        corpus = corpora.read(text, preparation, block_characters=block_characters)
        small = encode(corpus, WORDS, folder / "small", preparation=preparation)
        with small, encode(corpora.read(text), WORDS, folder / "whole", preparation=preparation) as whole:
            assert small.fingerprint == whole.fingerprint
            assert small.n_pruned_types == whole.n_pruned_types

    @settings(deadline=None)
    @given(
        lines=LINES,
        block_characters=st.integers(12, 60),
        dropped=st.sampled_from(["no", "lines", "documents"]),
        max_types=st.integers(2, 6),
    )
    def test_ids_are_those_of_a_pass_for_each_prune(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        lines: list[list[str]],
        block_characters: int,
        dropped: Any,
        max_types: int,
    ) -> None:
        text = ["first", *map(" ".join, lines)]
        preparation = Preparation(max_types=max_types, drop_duplicates=dropped)
        folder = tmp_path_factory.mktemp("e")

        def encoded(name: str) -> EncodedCorpus:
            corpus = corpora.read(text, preparation, block_characters=block_characters)
            return encode(corpus, WORDS, folder / name, preparation=preparation)

        def renumber_at_once(encoder: Any, new_ids: Any) -> None:
            encoder._type_ids.change(np.append(new_ids, np.int32(-1)).take)

        with pytest.MonkeyPatch.context() as patched, encoded("late") as late:
            patched.setattr(tokens._Encoder, "_renumber", renumber_at_once)
            with encoded("at once") as at_once:
                assert late.fingerprint == at_once.fingerprint
                assert late.counts.tolist() == at_once.counts.tolist()

    def test_prunes_take_no_time_that_grows_with_the_square(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        passed_over, change = [], tokens._Column.change

        def counted(column: Any, changed: Any, start: int = 0, stop: int | None = None) -> None:
            passed_over.append((column.n_numbers if stop is None else stop) - start)
            change(column, changed, start, stop)

        monkeypatch.setattr(tokens._Column, "change", counted)
        preparation = Preparation(max_types=100)
        lines = [[f"w{number}" for number in range(at, at + 50)] for at in range(0, 20_000, 50)]
        corpus = corpora.read(lines, preparation, block_characters=400)
        with encode(corpus, None, tmp_path / "e", preparation=preparation) as encoded:
            assert encoded.n_tokens == 20_000
            assert encoded.n_pruned_types > 19_000
        assert sum(passed_over) < 5 * 20_000
        assert {file.name for file in (tmp_path / "e").iterdir()} == {
            "corpus.json", "types.utf8", "type_ends.i64", "counts.i64", "type_ids.i32", "line_ends.i64",
            "document_ends.i64",
        }  # fmt: skip

    def test_what_is_on_disk_is_rewritten_piece_by_piece(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "_READ_BYTES", 24)
        words = [f"w{number % 7 * (number % 5)}" for number in range(500)]
        preparation = Preparation(max_types=9)
        corpus = corpora.read([words[at : at + 5] for at in range(0, 500, 5)], block_characters=40)
        with encode(corpus, None, tmp_path / "e", preparation=preparation) as encoded:
            found = [encoded.types[type_id] for type_id in encoded.type_ids]
            assert all(word in ("", was) for word, was in zip(found, words, strict=True))
            assert Counter(found) == dict(zip(encoded.types, encoded.counts.tolist(), strict=True))
            assert encoded.n_pruned_tokens == found.count("") > 0


class TestKept:
    def test_values_stand_beside_documents(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.jsonl"
        records = [
            {"text": "a b\n\nc", "year": 1990, "source": "x"},
            {"text": "...", "year": 1991, "source": "y"},
            {"text": "d", "year": None, "source": "今天\n"},
            {"text": "e", "year": 1990, "source": "x"},
        ]
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        preparation = Preparation(keep=("year", "source"))
        with encode(corpora.read(path, preparation), WORDS, tmp_path / "e", preparation=preparation) as encoded:
            assert encoded.kept_names == ("year", "source")
            assert documents(encoded) == [[["a", "b"], ["c"]], [["d"]], [["e"]]]
            assert list(encoded.kept()) == [("1990", "x"), (None, "今天\n"), ("1990", "x")]

    def test_nothing_is_kept(self, tmp_path: Path) -> None:
        with encode(corpora.read(["a", "", "b"]), WORDS, tmp_path / "e") as encoded:
            assert (encoded.kept_names, list(encoded.kept())) == ((), [(), ()])
            assert not (tmp_path / "e" / "kept.jsonl").exists()

    def test_the_file_is_gone(self, tmp_path: Path) -> None:
        path = tmp_path / "1990.txt"
        path.write_bytes(b"a")
        preparation = Preparation(keep_from_name="(?P<year>[0-9]+)")
        with encode(corpora.read(path, preparation), WORDS, tmp_path / "e", preparation=preparation) as encoded:
            (tmp_path / "e" / "kept.jsonl").unlink()
            with pytest.raises(FirthError, match=r"cannot read what was kept .*kept\.jsonl"):
                list(encoded.kept())

    @settings(deadline=None)
    @given(
        files=st.lists(LINES, min_size=1, max_size=4),
        block_characters=st.integers(5, 60),
        dropped=st.sampled_from(["no", "documents"]),
    )
    def test_in_any_files_and_blocks(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        files: list[list[list[str]]],
        block_characters: int,
        dropped: Any,
    ) -> None:
        folder = tmp_path_factory.mktemp("kept")
        expected = []
        for number, lines in enumerate(files):
            lines = [[f"file{number}"], *lines]  # so that no document stands in two files
            text = "\n".join(map(" ".join, lines))
            (folder / f"{number}.txt").write_text(text, encoding="utf-8")
            found = reference(text.split("\n"), WORDS)
            expected += [(document, str(number)) for document in found]
        if dropped == "documents":
            met: dict[str, tuple[Any, str]] = {}
            for document, year in expected:
                met.setdefault(repr(document), (document, year))
            expected = list(met.values())
        preparation = Preparation(keep_from_name=r"(?P<year>[0-9]+)\.txt", drop_duplicates=dropped, layout="lines")
        paths = [folder / f"{number}.txt" for number in range(len(files))]
        corpus = corpora.read(paths, preparation, block_characters=block_characters)
        with encode(corpus, WORDS, folder / "e", preparation=preparation) as encoded:
            assert [(document, year) for document, (year,) in zip(documents(encoded), encoded.kept(), strict=True)] == (
                expected
            )


class TestTypes:
    @given(st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=20), st.slices(20))
    def test_they_are_a_list(self, words: list[str], part: slice) -> None:
        utf8 = np.frombuffer("".join(words).encode(), dtype=np.uint8)
        types = Types(utf8, np.cumsum([len(word.encode()) for word in words], dtype=np.int64))
        assert list(types) == words
        assert types[part] == words[part]
        assert [types[place] for place in range(-len(words), len(words))] == words * 2
        with pytest.raises(IndexError):
            types[len(words)]

    def test_many(self) -> None:
        words = [f"词{number}" for number in range(20_000)]
        types = Types(
            np.frombuffer("".join(words).encode(), dtype=np.uint8),
            np.cumsum([len(word.encode()) for word in words], dtype=np.int64),
        )
        assert list(types) == words
        assert types[5000:15_000] == words[5000:15_000]


class TestStore:
    def test_it_opens_again(self, tmp_path: Path) -> None:
        with encode(corpora.read(["a b", "", "b"]), WORDS, tmp_path / "e") as first:
            before = (documents(first), first.fingerprint, first.counts.tolist())
        with EncodedCorpus(tmp_path / "e") as again:
            assert (documents(again), again.fingerprint, again.counts.tolist()) == before

    def test_it_tells_how_it_was_made(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.txt"
        path.write_bytes(b"A \xff line.")
        preparation = Preparation(encoding_errors="replace", cased=True, lang="de", sentences="split")
        encode(corpora.read(path, preparation), None, tmp_path / "e", preparation=preparation).close()
        with EncodedCorpus(tmp_path / "e") as encoded:
            assert encoded.preparation == preparation
            assert not encoded.segmentation.lower
            assert (encoded.layout, encoded.lang, encoded.cautions) == ("lines", "de", [])
            assert sum(encoded.faults.invalid.values()) == 1
            assert encoded.remarks == encoded.faults.sentences()

    def test_fingerprints_tell_corpora_apart(self, tmp_path: Path) -> None:
        corpora_of_words: list[Any] = [
            [["a", "b"], ["b"]],
            [["a", "b", "b"]],
            [["a", "b"], [], ["b"]],
            [["a", "c"], ["c"]],
            [["a", "b"], ["a"]],
        ]
        fingerprints = set()
        for number, lines in enumerate(corpora_of_words):
            with encode(corpora.read(lines), None, tmp_path / str(number)) as encoded:
                fingerprints.add(encoded.fingerprint)
        assert len(fingerprints) == len(corpora_of_words)

    def test_closed_files_can_be_deleted(self, tmp_path: Path) -> None:
        encoded = encode(corpora.read(["a b"]), WORDS, tmp_path / "e")
        encoded.close()
        for file in (tmp_path / "e").iterdir():
            file.unlink()

    def test_a_file_cut_short_is_refused(self, tmp_path: Path) -> None:
        encode(corpora.read(["a b"]), WORDS, tmp_path / "e").close()
        (tmp_path / "e" / "type_ids.i32").write_bytes(b"\0" * 4)
        with pytest.raises(FirthError, match=r"no whole encoded corpus: type_ids\.i32 has 4 bytes instead of 8"):
            EncodedCorpus(tmp_path / "e")

    def test_another_format_is_refused(self, tmp_path: Path) -> None:
        encode(corpora.read(["a b"]), WORDS, tmp_path / "e").close()
        description = tmp_path / "e" / "corpus.json"
        description.write_text(json.dumps({**json.loads(description.read_bytes()), "format": 99}))
        with pytest.raises(FirthError, match="another version of firth"):
            EncodedCorpus(tmp_path / "e")

    @pytest.mark.parametrize("contents", [b"", b"[]", b"{}", b"\xff"])
    def test_what_is_no_store_is_refused(self, tmp_path: Path, contents: bytes) -> None:
        (tmp_path / "corpus.json").write_bytes(contents)
        with pytest.raises(FirthError, match="no whole encoded corpus"):
            EncodedCorpus(tmp_path)


class TestNothingHalfMade:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, FirthError, RuntimeError])
    def test_an_error_leaves_nothing_behind(self, tmp_path: Path, error: type[BaseException]) -> None:
        def lines() -> Iterator[str]:
            yield "a line"
            raise error

        with pytest.raises(error):
            encode(corpora.read(lines(), block_characters=1), WORDS, tmp_path / "e")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("error", [KeyboardInterrupt, FirthError, RuntimeError])
    def test_nor_with_several_processes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
    ) -> None:
        monkeypatch.setattr(cutting, "available_processors", lambda: 2)

        def lines() -> Iterator[str]:
            yield from ["今天我好开心"] * 100
            raise error

        with pytest.raises(error):
            encode(corpora.read(lines(), block_characters=6), Segmentation(method="chinese"), tmp_path / "e")
        assert not list(tmp_path.iterdir())

    def test_a_corpus_without_words(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="the strings given as corpus: no words in it"):
            encode(corpora.read(["", "***"]), None, tmp_path / "e")
        (tmp_path / "empty.txt").write_bytes(b"")
        with pytest.raises(FirthError, match=r"empty\.txt: no words in it"):
            encode(corpora.read(tmp_path / "empty.txt"), None, tmp_path / "e")
        assert [entry.name for entry in tmp_path.iterdir()] == ["empty.txt"]

    def test_a_stream_that_fails(self, tmp_path: Path) -> None:
        def lines() -> Iterator[str]:
            yield "a line"
            raise OSError("the tape is torn")

        with pytest.raises(FirthError, match="cannot read the strings given as corpus: the tape is torn"):
            encode(corpora.read(lines()), WORDS, tmp_path / "e")
        assert not list(tmp_path.iterdir())

    def test_a_full_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        extend = tokens._Column.extend

        def extend_until_full(column: tokens._Column, numbers: Any) -> None:
            if column.n_numbers >= 40:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            extend(column, numbers)
            column._file.flush()

        monkeypatch.setattr(tokens._Column, "extend", extend_until_full)
        corpus = corpora.read(["four words a line"] * 100, block_characters=180)
        with pytest.raises(FirthError, match=r"cannot write .*e: .*\(\d{3} bytes were written\)"):
            encode(corpus, WORDS, tmp_path / "e")
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_holds_something(self, tmp_path: Path) -> None:
        (tmp_path / "mine").write_bytes(b"")
        with pytest.raises(UsageError, match="exists already"):
            encode(corpora.read(["a"]), WORDS, tmp_path)
        with pytest.raises(UsageError, match="exists already"):
            encode(corpora.read(["a"]), WORDS, tmp_path / "mine")

    def test_a_place_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(FirthError, match="cannot write the encoded corpus"):
            encode(corpora.read(["a"]), WORDS, tmp_path / "file" / "e")

    def test_ready_words_are_not_segmented(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="ready words"):
            encode(corpora.read([["a"]]), WORDS, tmp_path / "e")


@pytest.mark.slow
def test_a_real_corpus(tmp_path: Path) -> None:
    """Against a plain count of one Chinese and one English file, line by line."""
    shared = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[2] / "shared"))
    folder = shared / "data" / "corpora"
    if not folder.is_dir():
        pytest.skip(f"no corpora in {folder}; FIRTH_SHARED names the folder that holds data/corpora")
    import lzma

    for name in ("en-wiki.txt.xz", "zh-mixed.txt.xz"):
        with lzma.open(folder / name, "rt", encoding="utf-8", newline="\n") as file:
            lines = file.read(300_000).split("\n")
        with encode(corpora.read(iter(lines)), None, tmp_path / name) as encoded:
            counts = Counter(word for line in lines for word in encoded.segmentation.words(line))
            assert dict(zip(encoded.types, encoded.counts.tolist(), strict=True)) == counts
            assert documents(encoded) == reference(lines, encoded.segmentation)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_script_that_appears_late_is_warned_of(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    text = "the cat sat on the mat\n" * 100_000 + "今天天气很好我们去公园散步\n" * 40_000
    (tmp_path / "text").write_bytes(pack(text.encode()))
    preparation = Preparation(segment="words")
    corpus = corpora.read(tmp_path / "text", preparation)
    with encode(corpus, None, tmp_path / "store", preparation=preparation) as store:
        (caution,) = store.cautions
    assert caution.option == "--segment chinese"
