import bz2
import datetime
import gzip
import io
import json
import lzma
import os
import re
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import sources as module
from firth.errors import FirthError, UsageError
from firth.preparation import Preparation
from firth.sources import ReadyWords, Sources, find


def found(sources: Any, **options: Any) -> Sources:
    result = find(sources, Preparation(**options))
    assert isinstance(result, Sources)
    return result


def texts_of(sources: Any, **options: Any) -> list[str]:
    return ["".join(unit.texts) for unit in found(sources, **options).units()]


def kept_of(sources: Any, **options: Any) -> list[tuple[str, tuple[str | None, ...]]]:
    return [("".join(unit.texts), unit.kept) for unit in found(sources, **options).units()]


def written(folder: Path, contents: bytes | bytearray | str, name: str = "corpus.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents.encode() if isinstance(contents, str) else contents)
    return path


def zstd(contents: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(contents)
    result: bytes = sink.getvalue().to_pybytes()
    return result


def json_lines(records: list[Any], **options: Any) -> str:
    return "".join(json.dumps(record, **options) + "\n" for record in records)


def table(folder: Path, columns: dict[str, Any], name: str = "corpus.parquet", **options: Any) -> Path:
    pq.write_table(pa.table(columns), folder / name, **options)
    return folder / name


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def given_bytes(contents: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(contents), encoding="ascii"))

    return given_bytes


class TestPaths:
    def test_a_path_may_be_a_string(self, tmp_path: Path) -> None:
        assert texts_of(str(written(tmp_path, "a"))) == ["a"]

    def test_files_come_in_the_order_given(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, name, name) for name in ("b", "a", "c")]
        assert texts_of(paths) == texts_of(iter(paths)) == ["b", "a", "c"]
        assert found(paths).name.endswith("b and 2 more")

    def test_a_missing_path(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"there is no file .*nothing\.txt.*list of strings"):
            found(str(tmp_path / "nothing.txt"))

    @pytest.mark.parametrize(
        "text", ["the quick brown fox", "the quick brown fox " * 1000, "a\0b", "a\0b?", "how? " * 999]
    )
    def test_text_in_place_of_a_path(self, text: str) -> None:
        with pytest.raises(FirthError):
            found(text)

    def test_text_is_told_how_to_be_given(self) -> None:
        for text in ("the quick brown fox", "who is this?"):
            with pytest.raises(FirthError, match="list of strings"):
                found(text)

    def test_names_of_files_in_place_of_text(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a")
        with pytest.raises(UsageError, match=r"pathlib\.Path"):
            found([str(path)])

    @pytest.mark.parametrize(
        ("names", "kind"),
        [(["en", "zh/"], "a folder"), (["*/*.txt"], "files"), (["e*", "zh"], "files"), (("zh/b.txt", "en"), "a file")],
    )
    def test_names_of_folders_and_patterns_in_place_of_text(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: Any, kind: str
    ) -> None:
        written(tmp_path, "a", "en/a.txt")
        written(tmp_path, "b", "zh/b.txt")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            UsageError, match=rf"lines of text, but '{re.escape(names[0])}' names {kind}.*pathlib\.Path"
        ):
            found(names)

    def test_lines_of_which_some_are_called_like_files_are_text(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written(tmp_path, "a", "en/a.txt")
        monkeypatch.chdir(tmp_path)
        for lines in (["en", "is a language"], ["", ""], ["a*"], ["[en]"], ["*.md", "who?"]):
            assert texts_of(lines) == ["".join(line + "\n" for line in lines)]

    def test_other_things_among_paths(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="int stands among the paths"):
            found([written(tmp_path, "a"), 5])

    @pytest.mark.parametrize("sources", [5, b"bytes", None])
    def test_no_corpus_at_all(self, sources: Any) -> None:
        with pytest.raises(UsageError, match="a corpus is a path"):
            found(sources)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
    def test_a_pipe_is_no_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FirthError, match=r"not a plain file.*pipe it to -"):
            found(tmp_path / "pipe")

    def test_a_file_named_twice_is_read_twice_and_said(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a")
        sources = found([path, path])
        assert len(list(sources.units())) == 2
        assert "1 file (" in sources.faults.sentences()[0]
        assert "named more than once" in sources.faults.sentences()[0]


class TestFolders:
    def test_a_folder_is_read_in_order_with_those_in_it(self, tmp_path: Path) -> None:
        for name in ("b.txt", "a/z.txt", "a/b/c.TXT", "wiki_00", "d.jsonl", "e.txt.gz"):
            contents = {"d.jsonl": b'{"text": "d.jsonl"}', "e.txt.gz": gzip.compress(b"e.txt.gz")}
            written(tmp_path, contents.get(name, name.encode()), name)
        assert texts_of(tmp_path) == ["a/b/c.TXT", "a/z.txt", "b.txt", "d.jsonl", "e.txt.gz", "wiki_00"]

    def test_what_is_hidden_or_of_another_kind_is_passed_over_and_named(self, tmp_path: Path) -> None:
        for name in ("a.txt", ".hidden.txt", ".git/config", "b.md", "package.json", "x.tar.gz"):
            written(tmp_path, "x", name)
        sources = found(tmp_path)
        assert len(list(sources.units())) == 1
        names = {Path(name).name for name in sources.faults.passed_over}
        assert names == {".hidden.txt", ".git", "b.md", "package.json", "x.tar.gz"}
        assert f"{tmp_path}/.git/" in sources.faults.passed_over
        assert "4 files and 1 folder (" in sources.faults.sentences()[0]
        assert "*.md" in sources.faults.sentences()[0]

    def test_a_folder_with_nothing_to_read(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"nothing to read in the folder .*: it is empty"):
            found(tmp_path)
        written(tmp_path, "x", "a.md")
        with pytest.raises(FirthError, match=r"nothing to read.*a\.md\) passed over.*\*\*/\*\.md"):
            found(tmp_path)

    @pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
    def test_a_folder_that_holds_itself_ends(self, tmp_path: Path) -> None:
        written(tmp_path, "a", "a.txt")
        (tmp_path / "self").symlink_to(tmp_path, target_is_directory=True)
        assert texts_of(tmp_path) == texts_of(tmp_path / "**" / "*.txt") == ["a"]

    @pytest.mark.skipif(os.name == "nt", reason="symbolic links need a privilege there")
    def test_links_to_folders_are_followed_once(self, tmp_path: Path) -> None:
        written(tmp_path, "a", "tree/b/a.txt")
        written(tmp_path, "c", "elsewhere/deep/c.txt")
        (tmp_path / "elsewhere/back").symlink_to(tmp_path / "tree")
        for name, target in (("a-b", "b"), ("z", "../elsewhere"), ("zz", "../elsewhere/deep"), ("gone", "nowhere")):
            (tmp_path / "tree" / name).symlink_to(target)
        sources = found(tmp_path / "tree")
        names = [unit.name for unit in sources.units()]
        assert names == [f"{tmp_path}/tree/b/a.txt", f"{tmp_path}/tree/z/deep/c.txt"]
        assert sources.faults.passed_over == [f"{tmp_path}/tree/gone"]


class TestPatterns:
    def test_a_pattern_names_files_of_any_suffix_in_order(self, tmp_path: Path) -> None:
        for name in ("b.md", "a.md", "c.txt", "d/e.md"):
            written(tmp_path, name, name)
        assert texts_of(str(tmp_path / "*.md")) == texts_of(tmp_path / "*.md") == ["a.md", "b.md"]
        assert texts_of(tmp_path / "**" / "*.md") == ["a.md", "b.md", "d/e.md"]

    def test_a_file_called_like_a_pattern_is_a_file(self, tmp_path: Path) -> None:
        written(tmp_path, "no", "a1.txt")
        assert texts_of(written(tmp_path, "yes", "a[1].txt")) == ["yes"]

    def test_a_pattern_without_files(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"no file matches .*\*\.md"):
            found(tmp_path / "*.md")
        written(tmp_path, "x", "folder/a.md")
        with pytest.raises(FirthError, match=r"nothing to read in what .*f\* matches: 1 file .*a\.md\) passed over"):
            found(tmp_path / "f*")

    def test_folders_that_it_matches_are_read(self, tmp_path: Path) -> None:
        for name in ("a.txt", "b/c.txt", "b/d/e.txt", "b/f.md", "b/.g/h.txt", "i.md", "empty/.keep"):
            written(tmp_path, name, name)
        sources = found(tmp_path / "*")
        assert ["".join(unit.texts) for unit in sources.units()] == ["a.txt", "b/c.txt", "b/d/e.txt", "i.md"]
        passed_over = {"b/.g/", "b/f.md", "empty/.keep"}
        assert {name.removeprefix(f"{tmp_path}/") for name in sources.faults.passed_over} == passed_over
        assert texts_of(tmp_path / "b*") == ["b/c.txt", "b/d/e.txt"]

    def test_what_it_matches_beside_its_folder_is_read_once(self, tmp_path: Path) -> None:
        for name in ("a.txt", "b/c.txt", "b/f.md"):
            written(tmp_path, name, name)
        sources = found(tmp_path / "**")
        assert ["".join(unit.texts) for unit in sources.units()] == ["a.txt", "b/c.txt", "b/f.md"]
        assert sources.faults.sentences() == []


class TestStandardInput:
    @pytest.mark.parametrize("pack", [bytes, *COMPRESSIONS.values()])
    def test_it_is_read_whole_though_sampled(self, standard_input: Any, pack: Callable[[bytes], bytes]) -> None:
        text = "".join(f"line {number} 今天\n" for number in range(80_000))
        packed = pack(text.encode())
        standard_input(packed)
        sources = found("-")
        [sample] = sources.samples()
        assert 500_000 < len(sample) < len(text)
        assert text.startswith(sample)
        assert sample.endswith("\n")
        [unit] = sources.units()
        assert "".join(unit.texts) == text
        assert sources.total_bytes is None
        assert sources.identity() is None
        assert sources.done_bytes == len(packed)

    def test_it_may_stand_beside_files(self, standard_input: Any, tmp_path: Path) -> None:
        standard_input(b"in")
        sources = found([written(tmp_path, "a"), Path("-")])
        assert sources.samples() == ["a", "in"]
        assert ["".join(unit.texts) for unit in sources.units()] == ["a", "in"]
        assert sources.identity() is None

    @pytest.mark.parametrize("pack", [bytes, *COMPRESSIONS.values()])
    def test_where_columns_are_named_it_is_json_lines(
        self, standard_input: Any, pack: Callable[[bytes], bytes]
    ) -> None:
        texts = [f"line {number} 今天" for number in range(40_000)]
        lines = json_lines([{"body": text, "year": 5} for text in texts], ensure_ascii=False).encode()
        for contents in (lines, lines[:-1], lines[:100]):
            standard_input(pack(contents[: contents.rfind(b"}") + 1]))
            sources = found("-", field="body", keep=("year",))
            [sample] = sources.samples()
            units = [("".join(unit.texts), unit.kept, unit.is_record) for unit in sources.units()]
            n_lines = contents.count(b"}")
            assert units == [(text, ("5",), True) for text in texts[:n_lines]]
            assert sample.split("\n\n")[:2] == texts[:n_lines][:2]

    def test_a_record_longer_than_a_sample(self, standard_input: Any) -> None:
        standard_input(json_lines([{"body": "word " * 500_000}, {"body": "b"}]).encode())
        sources = found("-", field="body")
        [sample] = sources.samples()
        assert sample.startswith("word word ")
        assert [len("".join(unit.texts)) for unit in sources.units()] == [2_500_000, 1]

    @pytest.mark.parametrize("pack", [bytes, gzip.compress])
    @pytest.mark.parametrize("line", ['{"text": "a"}', ' {"id": 5, "text" : "a\\n' + "a" * 100_000 + '"}'])
    def test_json_lines_are_not_taken_for_text(self, standard_input: Any, line: str, pack: Any) -> None:
        for work in (lambda sources: sources.samples(), lambda sources: list(sources.units())):
            standard_input(pack(line.encode()))
            with pytest.raises(FirthError, match=r"begins with a JSON object.*\.jsonl, or .*--keep"):
                work(found("-"))

    @pytest.mark.parametrize("line", ['{"id": 5}', '{"text": 5}', '{{text}}: "text": "a"', 'a {"text": "a"}'])
    def test_other_text_with_braces(self, standard_input: Any, line: str) -> None:
        standard_input(line.encode())
        assert texts_of("-") == [line]

    def test_it_can_be_read_once(self) -> None:
        with pytest.raises(UsageError, match="only once"):
            found([Path("-"), Path("-")])

    def test_nothing_comes(self, standard_input: Any) -> None:
        standard_input(b"")
        sources = found("-")
        assert sources.samples() == []
        assert ["".join(unit.texts) for unit in sources.units()] == [""]

    def test_its_faults_name_it(self, standard_input: Any) -> None:
        standard_input(b"a\n\xff")
        with pytest.raises(FirthError, match="standard input, line 2: byte 0xff at offset 2 "):
            texts_of("-")


class TestCompression:
    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_it_is_known_by_the_first_bytes(self, tmp_path: Path, suffix: str) -> None:
        text = "今天好\n" * 100_000
        packed = COMPRESSIONS[suffix](text.encode())
        for name in (f"a.txt.{suffix}", "misnamed.txt"):
            sources = found(written(tmp_path, packed, name))
            assert ["".join(unit.texts) for unit in sources.units()] == [text]
            assert sources.done_bytes == sources.total_bytes == len(packed)

    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_members_one_behind_the_other(self, tmp_path: Path, suffix: str) -> None:
        pack = COMPRESSIONS[suffix]
        packed = b"".join(pack(part) for part in (b"one\n" * 50_000, b"", b"two\n"))
        assert texts_of(written(tmp_path, packed)) == ["one\n" * 50_000 + "two\n"]

    def test_streams_padded_with_zeros(self, tmp_path: Path) -> None:
        packed = lzma.compress(b"one\n") + bytes(8) + lzma.compress(b"two\n") + bytes(4)
        assert texts_of(written(tmp_path, packed)) == ["one\ntwo\n"]

    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_one_that_is_cut_short_or_goes_on_otherwise(self, tmp_path: Path, suffix: str) -> None:
        text = bytes(np.random.default_rng(0).integers(97, 122, 300_000, dtype=np.uint8))
        packed = COMPRESSIONS[suffix](text)
        for contents in (packed[:150_000], packed[:-3], packed[:20], packed + b"rubbish", packed + packed[:40]):
            path = written(tmp_path, contents, "a.txt." + suffix)
            with pytest.raises(FirthError, match=rf"a\.txt\.{suffix} is compressed by \w+, but damaged or cut short"):
                texts_of(path)

    @pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])  # zstd's checksum is optional
    def test_one_that_is_damaged(self, tmp_path: Path, suffix: str) -> None:
        packed = bytearray(COMPRESSIONS[suffix](b"".join(b"%d\n" % number for number in range(100_000))))
        packed[len(packed) // 2] ^= 0xFF
        with pytest.raises(FirthError, match=r"damaged or cut short|not valid utf-8|NUL byte"):
            texts_of(written(tmp_path, packed))

    def test_a_damaged_file_is_met_while_sampling(self, tmp_path: Path) -> None:
        path = written(tmp_path, gzip.compress(b"text\n" * 1000)[:30])
        with pytest.raises(FirthError, match="cut short"):
            found(path).samples()

    def test_twice(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="is bzip2 inside gzip"):
            texts_of(written(tmp_path, gzip.compress(bz2.compress(b"a"))))

    def test_one_with_too_large_a_window(self, tmp_path: Path) -> None:
        frame = b"\x28\xb5\x2f\xfd" + bytes([0, 21 << 3]) + b"\x19\0\0abc"  # 2 GiB, as by zstd --long=31
        assert texts_of(written(tmp_path, frame.replace(bytes([21 << 3]), b"\0"))) == ["abc"]
        with pytest.raises(FirthError, match=r"a\.zst is compressed by zstd with a larger window.*zstd -d --long=31"):
            texts_of(written(tmp_path, frame, "a.zst"))

    def test_an_archive_in_it(self, tmp_path: Path) -> None:
        path = tmp_path / "books.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            archive.add(written(tmp_path, "text", "a.txt"), "a.txt")
        with pytest.raises(FirthError, match=r"books\.tar\.gz is a tar archive, not text; unpack it"):
            texts_of(path)


class TestJsonLines:
    @pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson", "a.JSONL", "a.json"])
    def test_the_text_of_every_record(self, tmp_path: Path, name: str) -> None:
        path = written(tmp_path, '{"text": "a\\r\\nb"}\n\n {"id": [1, {}], "text": "今天"} \r\n{"text": "c"}', name)
        assert texts_of(path) == ["a\nb", "今天", "c"]
        assert all(unit.is_record for unit in found(path).units())

    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_compressed(self, tmp_path: Path, suffix: str) -> None:
        packed = COMPRESSIONS[suffix](b'{"body": "a"}\n{"body": "b"}\n')
        assert texts_of(written(tmp_path, packed, f"a.jsonl.{suffix}"), field="body") == ["a", "b"]

    def test_columns_are_kept_as_they_are_written(self, tmp_path: Path) -> None:
        text = '{"text": "a", "year": 1990, "share": 1.50, "new": true, "source": "x", "big": ' + "9" * 5000 + "}\n"
        text += '{"text": "b", "year": null, "share": -1e9, "new": false, "source": "", "big": NaN}\n'
        keep = ("source", "year", "share", "new", "big")
        assert kept_of(written(tmp_path, text, "a.jsonl"), keep=keep) == [
            ("a", ("x", "1990", "1.50", "true", "9" * 5000)),
            ("b", ("", None, "-1e9", "false", "NaN")),
        ]
        units = found(tmp_path / "a.jsonl", keep=("year",)).units()
        assert type(next(units).kept[0]) is str

    def test_records_without_text_are_counted(self, tmp_path: Path) -> None:
        records = [{"text": None}, {"text": ""}, {"text": " \n"}, {"text": "a"}]
        sources = found(written(tmp_path, json_lines(records), "a.jsonl"))
        assert len(list(sources.units())) == 1
        assert sources.faults.n_empty_records == 3
        assert sources.faults.sentences() == ["3 records without text left out"]

    def test_a_missing_field(self, tmp_path: Path) -> None:
        path = written(tmp_path, json_lines([{"text": "a"}, {"body": "a", "id\x1b": 1}]), "a.jsonl")
        with pytest.raises(FirthError, match=r"a\.jsonl, line 2: no field 'text'; there are body, id\\u\{1b\} "):
            texts_of(path)
        with pytest.raises(FirthError, match=r"line 1: no field 'year'; there are text"):
            texts_of(path, keep=("year",))

    @pytest.mark.parametrize(
        "line", ["[", "[1]", '{"text": "a"', '{"text": "a"} x', "5", '"text"', "nothing", "[" * 100_000]
    )
    def test_what_is_no_object(self, tmp_path: Path, line: str) -> None:
        path = written(tmp_path, '{"text": "a"}\n\n' + line, "a.jsonl")
        with pytest.raises(FirthError, match=r"a\.jsonl, line 3: no JSON object.*every line"):
            texts_of(path)

    @pytest.mark.parametrize(
        ("value", "kind"), [("5", "a number"), ("[]", "a list"), ("{}", "an object"), ("true", "true")]
    )
    def test_text_that_is_none(self, tmp_path: Path, value: str, kind: str) -> None:
        path = written(tmp_path, f'{{"text": {value}, "body": ""}}', "a.jsonl")
        with pytest.raises(FirthError, match=rf"line 1: field 'text' holds {kind}.*there are text, body"):
            texts_of(path)

    @pytest.mark.parametrize("value", ["[]", "{}"])
    def test_kept_values_that_cannot_be(self, tmp_path: Path, value: str) -> None:
        path = written(tmp_path, f'{{"text": "a", "meta": {value}}}', "a.jsonl")
        with pytest.raises(FirthError, match="line 1: field 'meta' is to be kept, but holds"):
            texts_of(path, keep=("meta",))

    def test_a_number_of_a_thousand_digits_in_another_field(self, tmp_path: Path) -> None:
        assert texts_of(written(tmp_path, '{"text": "a", "id": ' + "9" * 9999 + "}", "a.jsonl")) == ["a"]

    @pytest.mark.parametrize("escape", ["\\ud800", "\\udc00x", "\\u0000"])
    def test_escapes_that_are_no_characters(self, tmp_path: Path, escape: str) -> None:
        path = written(tmp_path, f'{{"text": "a{escape}b", "year": "{escape}"}}', "a.jsonl")
        options: dict[str, Any] = {"keep": ("year",)}
        with pytest.raises(FirthError, match=r"line 1: \\u.* no character; --encoding-errors"):
            texts_of(path, **options)
        rest = escape[6:]
        assert kept_of(path, encoding_errors="skip", **options) == [(f"a{rest}b", (rest,))]
        assert kept_of(path, encoding_errors="replace", **options) == [(f"a\ufffd{rest}b", (f"\ufffd{rest}",))]
        sources = found(path, encoding_errors="skip", **options)
        list(sources.units())
        assert sources.faults.invalid.total() == 2

    def test_escaped_characters_of_two_halves(self, tmp_path: Path) -> None:
        assert texts_of(written(tmp_path, '{"text": "\\ud83d\\ude00"}', "a.jsonl")) == ["😀"]

    def test_invalid_bytes_are_named_by_file_line_and_offset(self, tmp_path: Path) -> None:
        path = written(tmp_path, b'{"text": "a"}\n{"text": "b\xff"}\n', "a.jsonl")
        with pytest.raises(FirthError, match=r"a\.jsonl, line 2: byte 0xff at offset 25 is not valid utf-8"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["a", "b"]

    def test_a_long_line(self, tmp_path: Path) -> None:
        text = "word " * 1_000_000
        assert texts_of(written(tmp_path, json_lines([{"text": text}, {"text": "b"}]), "a.jsonl")) == [text, "b"]

    def test_columns_asked_of_text(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a")
        for options in ({"keep": ("year",)}, {"field": "year"}):
            for sources in (path, ["a"], [["a"]]):
                with pytest.raises(UsageError, match=r"year: only JSON lines .* have named columns"):
                    found(sources, **options)

    def test_text_beside_records_has_no_values(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, "a"), written(tmp_path, '{"text": "b", "year": 5}', "b.jsonl")]
        assert kept_of(paths, keep=("year",)) == [("a", (None,)), ("b", ("5",))]


class TestParquet:
    def test_the_text_of_every_row(self, tmp_path: Path) -> None:
        path = table(tmp_path, {"id": [1, 2, 3], "text": ["a\r\nb", "今天", None]})
        sources = found(path)
        assert ["".join(unit.texts) for unit in sources.units()] == ["a\nb", "今天"]
        assert sources.faults.n_empty_records == 1
        assert sources.done_bytes == sources.total_bytes == path.stat().st_size

    @pytest.mark.parametrize(
        "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    )
    def test_every_kind_of_text(self, tmp_path: Path, kind: Any) -> None:
        texts = ["a", "今天", "a", None]
        path = table(tmp_path, {"text": pa.array(texts).cast(kind), "kept": pa.array(texts).cast(kind)})
        assert kept_of(path, keep=("kept",)) == [(text, (text,)) for text in texts if text]

    def test_rows_come_in_groups_of_which_few_are_in_memory(self, tmp_path: Path) -> None:
        texts = [f"{number} " + "x" * 50_000 for number in range(300)]
        path = table(tmp_path, {"text": texts}, row_group_size=70, compression="none")
        sources = found(path)
        done = [sources.done_bytes for _ in sources.units()]
        assert texts_of(path) == texts
        assert sources.done_bytes == path.stat().st_size
        assert len(set(done)) > 3
        assert done == sorted(done)

    def test_kept_values(self, tmp_path: Path) -> None:
        columns = {
            "text": ["a", "b"],
            "year": [1990, None],
            "share": [1.5, 2020.0],
            "new": [True, False],
            "day": [datetime.date(2020, 1, 2), None],
        }
        path = table(tmp_path, columns)
        assert kept_of(path, keep=("share", "year", "new", "day")) == [
            ("a", ("1.5", "1990", "true", "2020-01-02")),
            ("b", ("2020", None, "false", None)),
        ]

    def test_the_text_may_be_kept_too(self, tmp_path: Path) -> None:
        assert kept_of(table(tmp_path, {"text": ["a"]}), keep=("text",)) == [("a", ("a",))]

    def test_a_missing_column(self, tmp_path: Path) -> None:
        path = table(tmp_path, {"body": ["a"], "id": [5]})
        with pytest.raises(FirthError, match=r"corpus\.parquet: no field 'text'; there are body, id "):
            texts_of(path)
        with pytest.raises(FirthError, match="no field 'year'"):
            texts_of(path, field="body", keep=("year",))

    def test_a_column_of_another_kind(self, tmp_path: Path) -> None:
        path = table(tmp_path, {"text": [5], "body": ["a"], "parts": [["x"]]})
        with pytest.raises(FirthError, match="column 'text' holds int64, not text; there are text, body, parts"):
            texts_of(path)
        with pytest.raises(FirthError, match=r"column 'parts' is to be kept, but holds list"):
            texts_of(path, field="body", keep=("parts",))

    def test_no_parquet_file(self, tmp_path: Path) -> None:
        whole = table(tmp_path, {"text": ["a" * 1000, "b"]}).read_bytes()
        for contents in (b"", b"text", whole[:-1], whole[: len(whole) // 2], gzip.compress(whole)):
            with pytest.raises(FirthError, match=r"x\.parquet is no Parquet file, or a damaged one"):
                texts_of(written(tmp_path, contents, "x.parquet"))

    def test_invalid_bytes(self, tmp_path: Path) -> None:
        values = pa.array([b"good", b"a\xffb\xe4"]).view(pa.string())
        path = table(tmp_path, {"text": values})
        with pytest.raises(FirthError, match=r"corpus\.parquet, row 2: byte 0xff at offset 1 .*--encoding-errors"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["good", "ab"]
        sources = found(path, encoding_errors="replace")
        assert ["".join(unit.texts) for unit in sources.units()] == ["good", "a\ufffdb\ufffd"]
        assert sources.faults.invalid.total() == 2

    def test_without_its_suffix(self, tmp_path: Path, standard_input: Any) -> None:
        contents = table(tmp_path, {"text": ["a"]}).read_bytes()
        with pytest.raises(FirthError, match=r"table is a Parquet file.* name ends in \.parquet"):
            found(written(tmp_path, contents, "table"))
        standard_input(contents)
        with pytest.raises(FirthError, match=r"standard input is a Parquet file.* name ends in \.parquet"):
            texts_of("-")
        assert texts_of(written(tmp_path, "PAR1 is a part")) == ["PAR1 is a part"]

    def test_nul_characters(self, tmp_path: Path) -> None:
        path = table(tmp_path, {"text": ["a\0b"]})
        with pytest.raises(FirthError, match=r"row 1: \\u\{0\} stands in it"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["ab"]


class TestNames:
    def test_parts_of_names_are_kept_behind_columns(self, tmp_path: Path) -> None:
        for name in ("1990/x.txt", "other/y.txt", "1991/z.jsonl"):
            written(tmp_path, '{"text": "t", "id": 5}', name)
        sources = found(tmp_path, keep=("id",), keep_from_name=r"(?P<year>\d{4})/(?P<letter>.)")
        assert sources.kept_names == ("id", "year", "letter")
        kept = [(len("".join(unit.texts)), unit.kept) for unit in sources.units()]
        assert kept == [(22, (None, "1990", "x")), (1, ("5", "1991", "z")), (22, (None, None, None))]
        assert [Path(name).name for name in sources.faults.unmatched] == ["y.txt"]
        assert "keep_from_name" in sources.faults.sentences()[0]

    def test_a_group_that_takes_no_part(self, tmp_path: Path) -> None:
        assert kept_of(written(tmp_path, "a"), keep_from_name="(?P<a>corpus)|(?P<b>x)") == [("a", ("corpus", None))]


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["gb18030", "big5", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7"])
    def test_any_codec(self, tmp_path: Path, encoding: str) -> None:
        text = "今天好開心\n" * 40_000
        assert texts_of(written(tmp_path, text.encode(encoding)), encoding=encoding) == [text]

    def test_a_byte_order_mark_is_no_text_in_any_file(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, b"\xef\xbb\xbfa", name) for name in ("1.txt", "2.txt")]
        paths.append(written(tmp_path, b'\xef\xbb\xbf{"text": "b"}', "3.jsonl"))
        assert texts_of(paths) == ["a", "a", "b"]
        assert texts_of(written(tmp_path, "\ufeffa".encode("utf-16-le")), encoding="utf-16-le") == ["a"]

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_every_kind_of_line_end_is_one(self, tmp_path: Path, line_end: str) -> None:
        text = "a\n" * 200_000 + "\n\nb"
        assert texts_of(written(tmp_path, text.replace("\n", line_end))) == [text]

    def test_invalid_bytes_are_named_by_file_line_and_offset(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"good\r\nso good\n" + "今天".encode("gb18030"))
        message = (
            r"corpus\.txt, line 3: byte 0xbd at offset 14 is not valid utf-8; .*--encoding gb18030"
            ".*--encoding-errors replace or skip"
        )
        with pytest.raises(FirthError, match=message):
            texts_of(path)

    def test_invalid_bytes_far_into_a_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, "北京\n".encode() * 200_000 + b"\xff")
        with pytest.raises(FirthError, match=r"line 200001: byte 0xff at offset 1400000 "):
            texts_of(path)

    def test_in_a_compressed_file_the_offset_is_that_of_its_text(self, tmp_path: Path) -> None:
        path = written(tmp_path, gzip.compress("北京\n".encode() * 200_000 + b"\xff"))
        with pytest.raises(FirthError, match=r"line 200001: byte 0xff at offset 1400000 "):
            texts_of(path)

    def test_a_character_cut_off_by_the_end(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a\n\xe4\xbb")
        with pytest.raises(FirthError, match=r"line 2: byte 0xe4 at offset 2 "):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["a\n"]
        assert texts_of(path, encoding_errors="replace") == ["a\n\ufffd"]

    @pytest.mark.parametrize("errors", ["replace", "skip"])
    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "big5", "shift_jis", "ascii"])
    def test_invalid_bytes_are_counted_by_file(self, tmp_path: Path, errors: str, encoding: str) -> None:
        contents = (b"good\n" * 30_000 + b"a\xff\xffb\n\xff") * 3
        paths = [written(tmp_path, contents, "1.txt"), written(tmp_path, b"good", "2.txt")]
        sources = found(paths, encoding=encoding, encoding_errors=errors)
        text = "".join(next(sources.units()).texts)
        codec_errors = "replace" if errors == "replace" else "ignore"
        assert text == contents.decode(encoding, errors=codec_errors)
        n_invalid = contents.decode(encoding, errors="replace").count("\ufffd")
        assert dict(sources.faults.invalid) == {str(paths[0]): n_invalid}
        assert f"{n_invalid} stretches of invalid bytes" in sources.faults.sentences()[0]

    def test_replacement_characters_of_the_text_itself_are_no_faults(self, tmp_path: Path) -> None:
        sources = found(written(tmp_path, "\ufffd".encode() * 5 + b"\xff"), encoding_errors="replace")
        assert ["".join(unit.texts) for unit in sources.units()] == ["\ufffd" * 6]
        assert sources.faults.invalid.total() == 1

    def test_faults_are_counted_anew_by_each_reading(self, tmp_path: Path) -> None:
        sources = found(written(tmp_path, b"a\xff"), encoding_errors="skip")
        for _ in range(2):
            assert ["".join(unit.texts) for unit in sources.units()] == ["a"]
            assert sources.faults.invalid.total() == 1
            assert sources.done_bytes == 2

    def test_utf16_is_recognised(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="--encoding utf-16,"):
            texts_of(written(tmp_path, "今天".encode("utf-16")))
        for errors in ("replace", "skip"):
            with pytest.raises(FirthError, match=r"--encoding utf-16\)"):
                texts_of(written(tmp_path, "plain".encode("utf-16")), encoding_errors=errors)

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf16_without_a_mark_is_recognised(self, tmp_path: Path, encoding: str) -> None:
        with pytest.raises(FirthError, match=rf"line 1: a NUL byte.*UTF-16 \(--encoding {encoding}\)"):
            texts_of(written(tmp_path, "Plain text.\n".encode(encoding)))

    def test_utf16_that_lacks_its_mark(self, tmp_path: Path) -> None:
        path = written(tmp_path, "今天好".encode("utf-16-le"))
        for errors in ("strict", "replace"):
            with pytest.raises(FirthError, match="--encoding utf-16-le"):
                texts_of(path, encoding="utf-16", encoding_errors=errors)

    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16", "utf-16-be"])
    def test_a_nul_byte(self, tmp_path: Path, encoding: str) -> None:
        for start in ("a\n今", "今天\n" * 50_000):
            place = (
                rf"line {start.count(chr(10)) + 1}: a NUL byte at offset {len(start.encode(encoding))}, which no text"
            )
            path = written(tmp_path, (start + "\0c\0").encode(encoding))
            with pytest.raises(FirthError, match=place) as caught:
                texts_of(path, encoding=encoding)
            assert "--encoding-errors skip" in str(caught.value)
            assert "utf-16)" not in str(caught.value)
            for errors, text in (("skip", start + "c"), ("replace", start + "\ufffdc\ufffd")):
                sources = found(path, encoding=encoding, encoding_errors=errors)
                assert ["".join(unit.texts) for unit in sources.units()] == [text]
                assert dict(sources.faults.invalid) == {str(path): 2}

    def test_a_nul_byte_in_json_lines(self, tmp_path: Path) -> None:
        path = written(tmp_path, b'{"text": "a\0b"}', "a.jsonl")
        with pytest.raises(FirthError, match=r"line 1: a NUL byte at offset 11"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["ab"]

    def test_a_line_of_millions_of_characters_passes_in_pieces(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"word " * 2_000_000)
        lengths = [len(text) for text in next(found(path).units()).texts]
        assert sum(lengths) == 10_000_000
        assert max(lengths) < 200_000


class TestBinaryFiles:
    @pytest.mark.parametrize(
        ("contents", "kind"),
        [
            (b"%PDF-1.7\n%\xe2\xe3", "a PDF document.*pdftotext"),
            (b"SQLite format 3\0" + bytes(80), "an SQLite database"),
            (b"\x89PNG\r\n\x1a\n" + bytes(80), "a picture"),
            (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
            (b"7z\xbc\xaf\x27\x1c" + bytes(80), "a 7-Zip archive.*unpack"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(80), "an Office document"),
            (b"\x04\x22\x4d\x18" + bytes(80), "compressed by lz4"),
        ],
    )
    def test_they_are_told_by_their_kind_before_anything_is_read(
        self, tmp_path: Path, contents: bytes, kind: str
    ) -> None:
        with pytest.raises(FirthError, match=rf"corpus\.txt is {kind}"):
            found(written(tmp_path, contents))

    @pytest.mark.parametrize(
        ("entry", "contents", "kind"),
        [
            ("a.txt", "text", "a zip archive"),
            ("[Content_Types].xml", "<xml>", "an Office document"),
            ("mimetype", "application/epub+zip", "an EPUB book"),
            ("mimetype", "application/vnd.oasis.opendocument.text", "an OpenDocument file"),
        ],
    )
    def test_what_lies_in_a_zip_archive(self, tmp_path: Path, entry: str, contents: str, kind: str) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(entry, contents)
        with pytest.raises(FirthError, match=rf"a\.zip is {kind}"):
            found(tmp_path / "a.zip")

    def test_a_tar_archive(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.add(written(tmp_path, "text", "a.txt"), "a.txt")
        with pytest.raises(FirthError, match=r"a\.tar is a tar archive"):
            found(tmp_path / "a.tar")

    def test_one_of_no_known_kind(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match=r"NUL byte|not valid utf-8"):
            texts_of(written(tmp_path, np.random.default_rng(0).bytes(5000)))


class TestIterables:
    def test_strings_are_one_unit(self) -> None:
        assert texts_of(["a", "", "b\n", "c\r\nd"]) == ["a\n\nb\nc\nd\n"]
        assert texts_of([]) == [""]

    def test_a_sample_is_not_lost(self) -> None:
        n_made = 0

        def lines() -> Iterator[str]:
            nonlocal n_made
            for number in range(200_000):
                n_made += 1
                yield f"line {number} of many"

        sources = found(lines())
        [sample] = sources.samples()
        assert 1_000_000 < len(sample) < 1_100_000
        assert n_made < 60_000
        assert sources.done_bytes == 0
        text = "".join(f"line {number} of many\n" for number in range(200_000))
        assert ["".join(unit.texts) for unit in sources.units()] == [text]
        assert sources.done_bytes == len(text)
        assert sources.total_bytes is None
        assert sources.identity() is None

    def test_ready_words_stay_as_they_are(self) -> None:
        words = find([["New York", "Is"], (5, 6.5), np.array([7]), [], iter(["x"])], Preparation())
        assert isinstance(words, ReadyWords)
        assert list(words.lines()) == [["New York", "Is"], ["5", "6.5"], ["7"], [], ["x"]]

    @pytest.mark.parametrize("items", [["text", ["words"]], ["text", 5]])
    def test_items_among_strings(self, items: list[Any]) -> None:
        with pytest.raises(FirthError, match="item 2 of the corpus is a"):
            texts_of(iter(items))

    @pytest.mark.parametrize("items", [[["words"], "text"], [["words"], 5], [[b"x"], b"x"]])
    def test_items_among_lists_of_words(self, items: list[Any]) -> None:
        words = find(iter(items), Preparation())
        assert isinstance(words, ReadyWords)
        with pytest.raises(FirthError, match=r"item 2 of the corpus is a .*, not a sequence of words"):
            list(words.lines())

    @pytest.mark.parametrize("text", ["\ud800", "a\0b"])
    def test_what_no_text_has(self, text: str) -> None:
        with pytest.raises(FirthError, match="item 2 of the corpus"):
            texts_of(["fine", text])
        words = find([["fine"], ["a", text]], Preparation())
        assert isinstance(words, ReadyWords)
        with pytest.raises(FirthError, match="item 2 of the corpus"):
            list(words.lines())


class TestSamples:
    def test_a_small_file_is_its_own_sample(self, tmp_path: Path) -> None:
        assert found(written(tmp_path, "今天\n好\n")).samples() == ["今天\n好\n"]
        assert found(written(tmp_path, "今天\n好")).samples() == ["今天\n好"]
        assert found(written(tmp_path, "")).samples() == []

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "gb18030"])
    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_stretches_are_whole_lines_from_all_over(self, tmp_path: Path, encoding: str, line_end: str) -> None:
        lines = [f"{number} " + "今天好" * (number % 40) for number in range(100_000)]
        path = written(tmp_path, (line_end.join(lines) + line_end).encode(encoding))
        samples = found(path, encoding=encoding).samples()
        assert 25 <= len(samples) <= 35
        for sample in samples:
            assert set(sample.removesuffix("\n").split("\n")) <= set(lines)
            assert sample.endswith("\n")
        assert samples[-1].split()[0] > "9"

    def test_they_are_spread_over_all_files(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, f"{char}\n" * 1_500_000, f"{char}.txt") for char in "abc"]
        paths.append(written(tmp_path, gzip.compress(np.random.default_rng(0).bytes(2_000_000).hex().encode()), "d"))
        samples = found(paths).samples()
        assert {sample[0] for sample in samples} >= set("abc")
        assert sum(map(len, samples)) < 2_000_000
        assert len(samples) <= 35

    def test_a_part_of_a_line_where_no_line_ends(self, tmp_path: Path) -> None:
        samples = found(written(tmp_path, b"word " * 1_000_000)).samples()
        assert len(samples) == 32
        assert all(len(sample) > 1000 for sample in samples[:-1])

    def test_of_compressed_files_and_tables_it_is_the_beginning(self, tmp_path: Path) -> None:
        lines = [f"{number} is a number" for number in range(200_000)]
        text = "\n".join(lines)
        records = [{"text": line} for line in lines]
        for path in (
            written(tmp_path, gzip.compress(text.encode())),
            written(tmp_path, json_lines(records), "a.jsonl"),
            written(tmp_path, COMPRESSIONS["zst"](json_lines(records).encode()), "b.jsonl.zst"),
            table(tmp_path, {"text": lines}),
        ):
            sources = found(path)
            [sample] = sources.samples()
            assert 900_000 < len(sample) <= 1 << 20
            taken = [line for line in sample.split("\n") if line]
            assert taken[:-1] == lines[: len(taken) - 1]
            assert sources.done_bytes == 0

    def test_a_small_compressed_file_is_its_own_sample(self, tmp_path: Path) -> None:
        assert found(written(tmp_path, gzip.compress(b"a\nb"))).samples() == ["a\nb"]

    def test_what_is_invalid_is_left_to_reading(self, tmp_path: Path) -> None:
        assert found(written(tmp_path, b"a\n\xffb\n")).samples() == ["a\nb\n"]


class TestChanges:
    def test_identity_is_place_size_and_time(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = written(tmp_path, "a", "1990.txt")
        identity = found(path).identity()
        monkeypatch.chdir(tmp_path)
        assert found(Path("1990.txt")).identity() == identity
        assert json.loads(json.dumps(identity)) == identity
        os.utime(path, ns=(5, 5))
        assert found(path).identity() != identity
        assert found(path, keep_from_name=r"(?P<year>\d+)\.txt").identity() == [[str(path.resolve()), 1, 5, "1990"]]

    @pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.parquet"])
    def test_a_file_that_vanishes_before_it_is_read(self, tmp_path: Path, name: str) -> None:
        table(tmp_path, {"text": ["a"]}) if name == "a.parquet" else None
        path = written(tmp_path, '{"text": "a"}', name)
        sources = found(path)
        path.unlink()
        with pytest.raises(FirthError, match="cannot read"):
            [list(unit.texts) for unit in sources.units()]

    @pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
    def test_a_file_that_grows_while_it_is_read(self, tmp_path: Path, name: str) -> None:
        path = written(tmp_path, '{"text": "a"}\n' * 200_000, name)
        units = found(path).units()
        next(next(units).texts)
        with path.open("ab") as file:
            file.write(b'{"text": "b"}\n')
        with pytest.raises(FirthError, match="changed or vanished"):
            [list(unit.texts) for unit in units]

    @pytest.mark.skipif(os.name == "nt", reason="Windows does not delete an open file")
    def test_a_file_that_vanishes_while_it_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a line\n" * 200_000)
        units = found(path).units()
        texts = next(units).texts
        next(texts)
        path.unlink()
        list(texts)
        with pytest.raises(FirthError, match="changed or vanished"):
            list(units)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"))


class TestAnyText:
    @settings(deadline=None)
    @given(text=TEXT, encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "gb18030", "utf-7"]), data=st.data())
    def test_it_comes_back_in_any_encoding_and_compression(
        self, tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str, data: st.DataObject
    ) -> None:
        pack = data.draw(st.sampled_from([bytes, *COMPRESSIONS.values()]))
        chunk_bytes = data.draw(st.sampled_from([1, 3, 1 << 16]))
        path = written(tmp_path_factory.mktemp("any"), pack(text.encode(encoding)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_CHUNK_BYTES", chunk_bytes)
            assert texts_of(path, encoding=encoding) == [text]
            assert "".join(found(path, encoding=encoding).samples()) == text

    @settings(deadline=None)
    @given(texts=st.lists(TEXT, max_size=5), is_ascii=st.booleans(), data=st.data())
    def test_it_comes_back_from_records(
        self, tmp_path_factory: pytest.TempPathFactory, texts: list[str], is_ascii: bool, data: st.DataObject
    ) -> None:
        folder = tmp_path_factory.mktemp("any")
        pack = data.draw(st.sampled_from([bytes, *COMPRESSIONS.values()]))
        chunk_bytes = data.draw(st.sampled_from([1, 7, 1 << 16]))
        lines = json_lines([{"n": 1, "text": text, "kept": text} for text in texts], ensure_ascii=is_ascii)
        schema = {"text": pa.array(texts, pa.string()), "kept": pa.array(texts, pa.string())}
        expected = [(text, (text,)) for text in texts if text and not text.isspace()]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_CHUNK_BYTES", chunk_bytes)
            assert kept_of(written(folder, pack(lines.encode()), "a.jsonl"), keep=("kept",)) == expected
            assert kept_of(table(folder, schema), keep=("kept",)) == expected

    @settings(deadline=None)
    @given(contents=st.binary(max_size=60), encoding=st.sampled_from(["utf-8", "gb18030", "big5"]), data=st.data())
    def test_any_bytes_are_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, contents: bytes, encoding: str, data: st.DataObject
    ) -> None:
        errors = data.draw(st.sampled_from(["strict", "replace", "skip"]))
        chunk_bytes = data.draw(st.sampled_from([1, 3, 1 << 16]))
        path = written(tmp_path_factory.mktemp("any"), contents)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_CHUNK_BYTES", chunk_bytes)
            refusal = ""
            try:
                [text] = texts_of(path, encoding=encoding, encoding_errors=errors)
            except FirthError as error:
                refusal = str(error)
            if refusal:
                assert errors == "strict" or re.search("NUL byte|, not text|is compressed by", refusal)
            else:
                codec_errors = {"strict": "strict", "replace": "replace", "skip": "ignore"}[errors]
                expected = contents.decode(encoding, errors=codec_errors).removeprefix("\ufeff")
                expected = expected.replace("\r\n", "\n").replace("\r", "\n")
                assert text == expected.replace("\0", "\ufffd" if errors == "replace" else "")
