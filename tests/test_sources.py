import gzip
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_containers import COMPRESSIONS, found, kept_of, texts_of, written
from test_records import json_lines, table

from firth.containers import chunks_of
from firth.errors import FirthError, UsageError
from firth.faults import Faults
from firth.preparation import Preparation
from firth.sources import ReadyWords, Sources, find


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
            with pytest.raises(FirthError, match=r"begins with a JSON object.*--field text"):
                work(found("-"))

    def test_a_named_field_makes_it_json_lines_whatever_its_name(self, standard_input: Any) -> None:
        standard_input(b'{"text": "a"}\n{"text": "b"}')
        assert texts_of("-", field="text") == ["a", "b"]

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


class TestTables:
    def test_without_its_suffix(self, tmp_path: Path, standard_input: Any) -> None:
        contents = table(tmp_path, {"text": ["a"]}).read_bytes()
        with pytest.raises(FirthError, match=r"table is a Parquet file.* name ends in \.parquet"):
            found(written(tmp_path, contents, "table"))
        standard_input(contents)
        with pytest.raises(FirthError, match=r"standard input is a Parquet file.* name ends in \.parquet"):
            texts_of("-")
        assert texts_of(written(tmp_path, "PAR1 is a part")) == ["PAR1 is a part"]


class TestRecordsUnderOtherNames:
    @pytest.mark.parametrize("pack", [bytes, *COMPRESSIONS.values()])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
    def test_a_named_field_makes_json_lines_of_them(self, tmp_path: Path, pack: Any, encoding: str) -> None:
        contents = json_lines([{"text": "今天 a", "id": 1}, {"text": "b", "id": 2}], ensure_ascii=False)
        path = written(tmp_path, pack(("\n " + contents).encode(encoding)), "corpus.txt")
        assert texts_of(path, field="text", encoding=encoding) == ["今天 a", "b"]
        assert kept_of(path, field="text", keep=("id",), encoding=encoding) == [("今天 a", ("1",)), ("b", ("2",))]

    def test_plain_text_beside_them_stays_text(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, '{"body": "a"}', "1.txt"), written(tmp_path, "a line", "2.txt")]
        assert texts_of(paths, field="body") == ["a", "a line"]
        with pytest.raises(UsageError, match=r"body: only JSON lines \(.*begin with a brace"):
            found(paths[1], field="body")

    def test_without_it_they_are_text_and_that_is_said(self, tmp_path: Path, standard_input: Any) -> None:
        lines = json_lines([{"body": "a { b"}] * 200)
        records = written(tmp_path, lines, "1.txt")
        other = written(tmp_path, "{ a brace\nand text\n" * 50, "2.txt")
        sources = found([records, other])
        for _ in range(2):
            assert [len("".join(unit.texts)) for unit in sources.units()] == [len(lines), 950]
        (remark,) = sources.faults.remarks
        assert f"1 file ({records})" in remark
        assert "--field" in remark
        standard_input(lines.encode())
        sources = found("-")
        assert ["".join(unit.texts) for unit in sources.units()] == [lines]
        assert "standard input" in sources.faults.remarks[0]
        assert "JSON lines" in sources.faults.remarks[0]


class TestNames:
    def test_the_name_is_looked_at_before_the_path(self, tmp_path: Path) -> None:
        path = written(tmp_path, "a", "1900/letters-1950.txt")
        assert kept_of(path, keep_from_name=r"(?P<year>\d{4})") == [("a", ("1950",))]
        path = written(tmp_path, "a", "1900/letters.txt")
        assert kept_of(path, keep_from_name=r"(?P<year>\d{4})(?=/)") == [("a", ("1900",))]

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

    def test_small_files_are_sampled_together(self, tmp_path: Path) -> None:
        paths = [written(tmp_path, f"{number}\n" * 10, f"{number}.txt") for number in range(10, 40)]
        paths.append(written(tmp_path, gzip.compress(b"x\n" * 10), "x"))
        paths.append(written(tmp_path, "y\n" * 10, "y"))
        assert "".join(found(paths).samples()) == "".join(texts_of(paths))
        paths = [written(tmp_path, f"{number}\n" * 500, f"{number}.txt") for number in range(1000, 3000)]
        samples = found(paths).samples()
        assert 300 < len(samples) < 600
        assert 900_000 < sum(map(len, samples)) < 1_200_000
        assert samples[-1][:2] == "29"

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
        assert found(path, keep_from_name=r"(?P<year>\d+)\.txt").identity() == [
            [str(path.resolve()), 1, 5, "text", "1990"]
        ]

    def test_identity_tells_how_a_file_is_read(self, tmp_path: Path) -> None:
        path = written(tmp_path, '{"text": "a"}', "a.jsonl")
        link = tmp_path / "a.txt"
        try:
            link.symlink_to(path)
        except OSError:
            pytest.skip("no links here")
        assert [found(place).identity()[0][3] for place in (path, link)] == ["records", "text"]  # type: ignore[index]

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


class TestSeveralEncodings:
    CHINESE = "今天我很开心，明天也一样。\n" * 20

    def read(self, paths: list[Path], encoding: str) -> tuple[list[str], Faults]:
        found = find(paths, Preparation(encoding=encoding))
        assert isinstance(found, Sources)
        return ["".join(unit.texts) for unit in found.units()], found.faults

    def test_each_file_is_read_by_the_first_that_fits(self, tmp_path: Path) -> None:
        paths = [tmp_path / name for name in ("utf8.txt", "gb.txt", "ascii.txt", "gb.jsonl")]
        paths[0].write_text(self.CHINESE, encoding="utf-8")
        paths[1].write_text(self.CHINESE, encoding="gb18030")
        paths[2].write_text("plain\n", encoding="ascii")
        paths[3].write_text('{"text": "今天"}\n', encoding="gb18030")
        texts, faults = self.read(paths, "utf-8, gb18030")
        assert texts == [self.CHINESE, self.CHINESE, "plain\n", "今天"]
        assert faults.remarks == [f"2 files ({paths[1]}, {paths[3]}) read as gb18030"]
        samples = find(paths, Preparation(encoding="utf-8,gb18030")).samples()  # type: ignore[union-attr]
        assert "今天" in samples[1]

    def test_what_none_of_them_reads_stops_in_the_first(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        path.write_bytes(b"good\nbad \xff\xff\n")
        with pytest.raises(FirthError, match="line 2: byte 0xff at offset 9 is not valid utf-8"):
            self.read([path], "utf-8,gb18030")

    @pytest.mark.parametrize("errors", ["replace", "skip", "strict"])
    def test_one_broken_byte_does_not_make_it_another(self, tmp_path: Path, errors: Any) -> None:
        path = tmp_path / "gb.txt"
        path.write_bytes(self.CHINESE.encode("gb18030") + b"\xff\n")
        found = find(path, Preparation(encoding="utf-8,gb18030", encoding_errors=errors))
        assert isinstance(found, Sources)
        if errors == "strict":
            with pytest.raises(FirthError, match="line 21: byte 0xff at offset 540 is not valid gb18030"):
                ["".join(unit.texts) for unit in found.units()]
            return
        (text,) = ["".join(unit.texts) for unit in found.units()]
        assert text == self.CHINESE + {"replace": "\ufffd\n", "skip": "\n"}[errors]
        assert found.faults.invalid == {str(path): 1}
        assert any("not wholly valid in any of utf-8, gb18030" in remark for remark in found.faults.remarks)

    @pytest.mark.parametrize("suffix", ["", ".gz"])
    def test_a_sample_does_not_take_the_whole_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
    ) -> None:
        path = tmp_path / f"gb.txt{suffix}"
        data = (self.CHINESE * 20_000).encode("gb18030")
        path.write_bytes(gzip.compress(data) if suffix else data)
        n_read = 0

        def counting(path: Path, count: Callable[[int], None]) -> Iterator[bytes]:
            nonlocal n_read
            for chunk in chunks_of(path, count):
                n_read += len(chunk)
                yield chunk

        monkeypatch.setattr("firth.sources.chunks_of", counting)
        found = find(path, Preparation(encoding="utf-8,gb18030"))
        assert isinstance(found, Sources)
        samples = found.samples()
        assert set("".join(samples).split("\n")) == {"今天我很开心，明天也一样。", ""}
        assert n_read < len(data)

    @pytest.mark.parametrize("is_sampled", [False, True])
    def test_standard_input_is_read_by_what_it_begins_in(
        self, monkeypatch: pytest.MonkeyPatch, is_sampled: bool
    ) -> None:
        data = self.CHINESE.encode("gb18030")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        found = find("-", Preparation(encoding="utf-8,gb18030"))
        assert isinstance(found, Sources)
        if is_sampled:
            assert found.samples() == [self.CHINESE]
        assert ["".join(unit.texts) for unit in found.units()] == [self.CHINESE]

    def test_each_of_them_must_be_one(self) -> None:
        with pytest.raises(UsageError, match="no encoding is called 'utf-9'"):
            Preparation(encoding="utf-8,utf-9")
