import errno
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import corpus as corpora
from firth import tokens
from firth.errors import FirthError, UsageError
from firth.segmentation import Segmentation
from firth.tokens import EncodedCorpus, encode

WORDS = Segmentation(method="words")


def documents(encoded: EncodedCorpus) -> list[list[list[str]]]:
    """The corpus as it was: documents of lines of words."""
    words = [encoded.types[type_id] for type_id in encoded.type_ids]
    line_starts = [0, *encoded.line_ends.tolist()]
    lines = [words[start:end] for start, end in zip(line_starts, encoded.line_ends, strict=False)]
    document_starts = [0, *encoded.document_ends.tolist()]
    return [lines[start:end] for start, end in zip(document_starts, encoded.document_ends, strict=False)]


def encoded_documents(
    folder: Path, sources: Any, segmentation: Segmentation | None = WORDS, **options: Any
) -> list[list[list[str]]]:
    with encode(corpora.read(sources, **options), segmentation, folder) as encoded:
        return documents(encoded)


class TestEncode:
    def test_words_lines_and_documents(self, tmp_path: Path) -> None:
        path = tmp_path / "corpus.txt"
        path.write_text("The cat, the dog.\nA cat!\n\n \n***\nthe end\n", encoding="utf-8")
        with encode(corpora.read(path), WORDS, tmp_path / "encoded") as encoded:
            assert encoded.types == ["the", "cat", "dog", "a", "end"]
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
        with encode(corpora.read(["A text"]), None, tmp_path / "e", lower=False) as encoded:
            assert encoded.types == ["A", "text"]

    def test_a_huge_line_stays_one_line(self, tmp_path: Path) -> None:
        with encode(corpora.read(["so many words " * 50_000, "end"]), WORDS, tmp_path / "e") as encoded:
            assert encoded.line_ends.tolist() == [150_000, 150_001]
            assert encoded.types == ["so", "many", "words", "end"]

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
            assert small.types == whole.types
            assert small.fingerprint == whole.fingerprint
            assert documents(small) == documents(whole) == reference(lines, segmentation)

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


class TestStore:
    def test_it_opens_again(self, tmp_path: Path) -> None:
        with encode(corpora.read(["a b", "", "b"]), WORDS, tmp_path / "e") as first:
            before = (documents(first), first.fingerprint, first.counts.tolist())
        with EncodedCorpus(tmp_path / "e") as again:
            assert (documents(again), again.fingerprint, again.counts.tolist()) == before

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
