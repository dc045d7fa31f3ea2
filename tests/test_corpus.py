import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import corpus as corpora
from firth.errors import FirthError, UsageError


def text_of(sources: Any, **options: Any) -> str:
    return "".join(corpora.read(sources, **options).blocks())  # type: ignore[arg-type]


def written(folder: Path, contents: bytes, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.write_bytes(contents)
    return path


class TestFiles:
    def test_the_end_of_a_file_ends_a_line_and_a_document(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, b"a b\nc", "1.txt"), written(tmp_path, b"d\n", "2.txt")]
        assert text_of(paths) == "a b\nc\n\nd\n\n\n"

    def test_a_path_may_be_a_string(self, tmp_path: Path) -> None:
        assert text_of(str(written(tmp_path, b"a"))) == "a\n\n"

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_every_kind_of_line_end_is_one(self, tmp_path: Path, line_end: str) -> None:
        path = written(tmp_path, f"a{line_end}b{line_end}{line_end}c".encode())
        assert text_of(path) == "a\nb\n\nc\n\n"

    def test_a_byte_order_mark_is_no_text(self, tmp_path: Path) -> None:
        assert text_of(written(tmp_path, b"\xef\xbb\xbfa")) == "a\n\n"
        assert text_of(written(tmp_path, "a".encode("utf-16")), encoding="utf-16") == "a\n\n"

    @pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-16-le"])
    def test_other_encodings(self, tmp_path: Path, encoding: str) -> None:
        path = written(tmp_path, "今天好開心\n".encode(encoding) * 500)
        assert text_of(path, encoding=encoding).replace("\ufeff", "") == "今天好開心\n" * 500 + "\n\n"

    def test_bytes_and_blocks_are_counted(self, tmp_path: Path) -> None:
        corpus = corpora.read(written(tmp_path, "北京\n".encode() * 100), block_characters=30)
        assert corpus.total_bytes == 700
        blocks = list(corpus.blocks())
        assert len(blocks) > 5
        assert corpus.done_bytes == 700

    @given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff")))
    def test_any_text_comes_back(self, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
        path = written(tmp_path_factory.mktemp("any"), text.encode())
        for block_characters in (1, 7, 1000):
            assert text_of(path, block_characters=block_characters) == text + "\n\n"


class TestBlocks:
    def test_a_block_ends_behind_a_line(self) -> None:
        blocks = list(corpora.read(["ab", "cd", "ef"], block_characters=7).blocks())
        assert blocks == ["ab\ncd\n", "ef\n\n"]

    def test_a_long_line_is_cut_behind_white_space(self) -> None:
        blocks = list(corpora.read(["one two three four"], block_characters=10).blocks())
        assert blocks == ["one two ", "three ", "four\n\n"]

    def test_a_long_line_without_white_space_is_cut_behind_punctuation(self) -> None:
        blocks = list(corpora.read(["今天好，明天更好。后天"], block_characters=6).blocks())
        assert blocks == ["今天好，", "明天更好。", "后天\n\n"]

    def test_a_very_long_line_passes(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"word " * 200_000)
        blocks = list(corpora.read(path).blocks())
        assert len(blocks) > 5
        assert all(str(block).endswith(("word ", "\n")) for block in blocks)
        assert "".join(map(str, blocks)) == "word " * 200_000 + "\n\n"

    @given(lines=st.lists(st.text("ab \n", max_size=8)), block_characters=st.integers(1, 30))
    def test_blocks_together_are_the_text(self, lines: list[str], block_characters: int) -> None:
        assert text_of(iter(lines), block_characters=block_characters) == text_of(iter(lines))


class TestStreams:
    def test_an_empty_string_ends_a_document(self) -> None:
        assert text_of(["a", "", "b\n", "c\r\nd"]) == "a\n\nb\nc\nd\n\n"

    def test_an_open_file_is_a_stream_of_its_lines(self, tmp_path: Path) -> None:
        with written(tmp_path, b"a\n\nb").open() as file:
            assert text_of(file) == "a\n\nb\n\n"

    def test_a_generator_is_read_once_and_its_sample_not_lost(self) -> None:
        n_made = 0

        def lines() -> Iterator[str]:
            nonlocal n_made
            for number in range(100_000):
                n_made += 1
                yield f"line {number} of many"

        corpus = corpora.read(lines(), block_characters=1000)
        assert corpus.sample().startswith("line 0 of many\nline 1 of many\n")
        assert n_made < 2000
        text = "".join(map(str, corpus.blocks()))
        assert text == "".join(f"line {number} of many\n" for number in range(100_000)) + "\n"
        assert corpus.total_bytes is None

    def test_ready_words_stay_as_they_are(self) -> None:
        corpus = corpora.read([["New York", "Is"], (5, 6.5), np.array([7]), [], iter(["x"])])
        assert corpus.has_ready_words
        assert list(corpus.blocks()) == [[["New York", "Is"], ["5", "6.5"], ["7"], [], ["x"], []]]

    def test_ready_words_come_in_blocks(self) -> None:
        blocks = list(corpora.read([["ab"]] * 10, block_characters=9).blocks())
        assert blocks == [[["ab"]] * 3] * 3 + [[["ab"], []]]

    def test_nothing_at_all(self) -> None:
        assert text_of([]) == "\n"


class TestSamples:
    def test_a_small_file_is_its_own_sample(self, tmp_path: Path) -> None:
        assert corpora.read(written(tmp_path, "今天\n好\n".encode())).sample() == "今天\n好\n"

    def test_a_sample_is_spread_over_all_files(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, char.encode() * 3_000_000, f"{char}.txt") for char in "abc"]
        sample = corpora.read(paths).sample()
        assert set(sample) == set("abc\n")
        assert len(sample) < 2_000_000


class TestBadInput:
    def test_a_missing_path(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"there is no file .*nothing\.txt.*list of strings"):
            corpora.read(str(tmp_path / "nothing.txt"))

    def test_text_in_place_of_a_path(self) -> None:
        with pytest.raises(FirthError, match="list of strings"):
            corpora.read("the quick brown fox")
        with pytest.raises(FirthError):
            corpora.read("the quick brown fox " * 1000)  # too long for a path
        with pytest.raises(FirthError):
            corpora.read("a\0b")

    def test_names_of_files_in_place_of_text(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a")
        with pytest.raises(UsageError, match=r"pathlib\.Path"):
            corpora.read([str(path)])

    def test_a_directory(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="is a directory"):
            corpora.read(tmp_path)

    def test_an_unknown_encoding(self, tmp_path: Path) -> None:
        for encoding in ("utf-9", "hex"):
            with pytest.raises(UsageError, match=f"no encoding is called '{encoding}'"):
                corpora.read(written(tmp_path, b"a"), encoding=encoding)

    def test_invalid_bytes_are_named_by_file_line_and_offset(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"good\nso good\n" + "今天".encode("gb18030"))
        message = r"corpus\.txt, line 3: byte 0xbd at offset 13 is not valid utf-8; .*--encoding gb18030"
        with pytest.raises(FirthError, match=message):
            text_of(path)

    def test_invalid_bytes_far_into_a_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, "北京\n".encode() * 200_000 + b"\xff")
        with pytest.raises(FirthError, match=r"line 200001: byte 0xff at offset 1400000 "):
            text_of(path)

    def test_a_character_cut_off_by_the_end(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"line 2: byte 0xe4 at offset 2 "):
            text_of(written(tmp_path, b"a\n\xe4\xbb"))

    def test_utf16_is_recognised(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="--encoding utf-16"):
            text_of(written(tmp_path, "今天".encode("utf-16")))

    def test_utf16_without_a_mark(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="--encoding utf-16-le"):
            text_of(written(tmp_path, "今天好".encode("utf-16-le")), encoding="utf-16")

    def test_a_nul_byte(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"line 2: a NUL byte"):
            text_of(written(tmp_path, b"a\nb\0c"))

    def test_a_file_that_vanishes_before_it_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a")
        corpus = corpora.read(path)
        path.unlink()
        with pytest.raises(FirthError, match="cannot read"):
            list(corpus.blocks())

    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a line\n" * 200_000)
        blocks = corpora.read(path).blocks()
        next(blocks)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(FirthError, match="changed or vanished"):
            list(blocks)

    @pytest.mark.skipif(os.name == "nt", reason="Windows does not delete an open file")
    def test_a_file_that_vanishes_while_it_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a line\n" * 200_000)
        blocks = corpora.read(path).blocks()
        next(blocks)
        path.unlink()
        with pytest.raises(FirthError, match="changed or vanished"):
            list(blocks)

    @pytest.mark.parametrize("sources", [5, b"bytes", None])
    def test_no_corpus_at_all(self, sources: Any) -> None:
        with pytest.raises(UsageError, match="a corpus is a path"):
            corpora.read(sources)

    @pytest.mark.parametrize("items", [["text", ["words"]], [["words"], "text"], [["words"], 5], [[b"x"], b"x"]])
    def test_items_of_two_kinds(self, items: list[Any]) -> None:
        with pytest.raises(FirthError, match="item 2 of the corpus"):
            list(corpora.read(iter(items)).blocks())

    @pytest.mark.parametrize("items", [["fine", "\ud800"], [["fine"], ["a", "\ud800"]]])
    def test_surrogates(self, items: list[Any]) -> None:
        with pytest.raises(FirthError, match="item 2 of the corpus is no valid text"):
            list(corpora.read(items).blocks())

    def test_other_things_among_paths(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="int stands among the paths"):
            corpora.read([written(tmp_path, b"a"), 5])
