import dataclasses
import gzip
import io
import json
import random
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_layout import chinese, chinese_sentence, english

from firth import cache, diagnosis, inspection, paces
from firth.errors import FirthError
from firth.families.skipgram import Skipgram
from firth.findings import Finding, Inspection
from firth.inspection import check
from firth.preparation import Preparation
from firth.progress import Silent
from firth.reports import report
from firth.training import train

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes a file; training is measured on few words, and not in pieces of them."""
    monkeypatch.setattr(paces, "MEASURED_WORDS", 500)
    monkeypatch.setattr(inspection, "pieces_paces", lambda *given: ({}, {}))

    def writing(text: str | bytes, name: str = "corpus.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return writing


def inspected(sources: Any, **options: Any) -> Inspection:
    return check(sources, Preparation(**options), threads=1)


class Said(Silent):
    """What a progress is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def options(found: Inspection) -> list[str]:
    return [finding.option for finding in found.findings]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "place", lambda given=None: Path(given or tmp_path / "cache" / "firth"))


class TestAnOrdinaryCorpus:
    def test_what_it_holds(self, write: Write) -> None:
        lines = english(40)
        path = write("\n\n".join("\n".join(lines[start : start + 4]) for start in range(0, 40, 4)))
        found = inspected(path)
        n_words = sum(len(line.split()) for line in lines)
        assert (found.n_documents, found.n_lines, found.n_tokens) == (10, 40, n_words)
        assert found.n_types == len(set("\n".join(lines).lower().replace(",", " ").replace(".", " ").split()))
        assert found.words_per_line == pytest.approx(n_words / 40)
        n_sentences = sum(line.count(".") for line in lines)
        assert found.n_sentences == pytest.approx(n_sentences, rel=0.01)
        longest = max(lines, key=len)
        assert found.longest_line == len(longest)
        assert found.longest_line_place.startswith(f"{path}, line ")
        number = int(found.longest_line_place.rpartition(" ")[2])
        assert path.read_text(encoding="utf-8").split("\n")[number - 1] == longest
        assert longest.startswith(found.longest_line_begins)
        assert (found.layout, found.lang, found.segment, found.scripts) == ("lines", "en", "words", {"Latin": 1.0})
        assert (found.n_bytes, found.invalid, found.markup) == (path.stat().st_size, {}, {})
        assert found.findings == ()

    def test_how_long_training_takes(self, write: Write) -> None:
        found = inspected(write("\n".join(english(40))))
        assert {name: pace.epochs for name, pace in found.paces.items()} == {"skipgram": 20, "cbow": 20, "glove": 25}
        for pace in found.paces.values():
            assert pace.seconds == pytest.approx(pace.epochs * found.n_tokens / pace.words_per_second)
        assert found.threads == 1

    def test_the_command_that_is_advised(self, write: Write) -> None:
        path = write("\n".join(english(40)), "my books.txt")
        assert inspected(path).command == f"firth train skipgram '{path}' -o corpus-skipgram --threads 1"
        path = write("\n".join(english(40)), "books.txt")
        found = inspected(path, cased=True, encoding="latin-1", inner="'-")
        assert found.command == (
            f"firth train skipgram {path} -o books-skipgram --encoding latin-1 --cased --inner ''\"'\"'-' --threads 1"
        )

    def test_the_command_repeats_what_was_given(self, write: Write, tmp_path: Path) -> None:
        path = write("\n".join(english(40)), "books.txt")
        found = check(path, Preparation(inner="-"), threads=2, cache_dir=tmp_path / "kept")
        train = f"firth train skipgram {path} -o books-skipgram"
        assert found.command == f"{train} --inner=- --threads 2 --cache-dir {tmp_path / 'kept'}"
        assert check(path).command == train

    def test_what_python_holds(self, write: Write) -> None:
        found = inspected(iter(english(40)))
        assert (found.n_lines, found.n_bytes) == (40, None)
        assert found.command == "firth train skipgram CORPUS -o corpus-skipgram --threads 1"
        words = [line.split() for line in english(40)]
        assert inspected(iter(words)).n_tokens == sum(map(len, words))

    def test_standard_input(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        contents = "\n".join(english(40)).encode() + b"\xff\n"
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(contents)))
        found = inspected(Path("-"))
        assert (found.n_lines, list(found.invalid.values()), found.first_invalid) == (40, [1], ())
        assert found.command == "firth train skipgram - -o corpus-skipgram --threads 1 --encoding-errors replace"

    def test_it_stays_in_the_cache_for_training(self, write: Write) -> None:
        path = write("\n".join(english(40)))
        inspected(path)
        (entry,) = cache.entries()
        train(Skipgram(dim=4), path, tokens=100, threads=1)
        assert [other.folder for other in cache.entries()] == [entry.folder]

    def test_it_is_plain_values(self, write: Write) -> None:
        found = inspected(write("\n".join(english(40))))
        settings = json.loads(json.dumps(found.settings()))
        assert settings["n_lines"] == 40
        assert settings["paces"]["cbow"]["epochs"] == 20
        assert set(settings) == {field.name for field in dataclasses.fields(Inspection)}

    def test_chinese(self, write: Write) -> None:
        found = inspected(write("\n".join(chinese(60))))
        assert (found.segment, found.lang, found.scripts) == ("chinese", "zh", {"Han": 1.0})
        n_sentences = sum(line.count(mark) for line in chinese(60) for mark in "。？！")
        assert found.n_sentences == pytest.approx(n_sentences, rel=0.01)


class TestFindings:
    def test_an_empty_corpus_is_an_error(self, write: Write) -> None:
        with pytest.raises(FirthError, match="no words in it"):
            inspected(write("\n"))

    @pytest.mark.parametrize(
        ("encoding", "text"),
        [
            ("gb18030", "\n".join(chinese(60))),
            ("big5", "這是一個很長的句子，他們說的話我聽不懂。我們在這裡等了一個小時，後來大家都來了。\n" * 60),
            ("shift_jis", "これは長い文で、私たちはここで待っていました。雨が降っていたのです。\n" * 60),
            ("euc-kr", "이것은 긴 문장이고 우리는 여기에서 기다리고 있었다. 그는 나에게 말을 하지 않았다.\n" * 60),
            ("cp1251", "Ночью река поднялась, и к утру моста уже не было на том месте, где он стоял.\n" * 60),
            ("cp1252", "La rivière est montée, et le pont n'était plus là : « où est-il passé ? »\n" * 60),
        ],
    )
    def test_another_encoding(self, write: Write, encoding: str, text: str) -> None:
        path = write(text.encode(encoding))
        found = inspected(path)
        assert found.encoding == encoding
        assert options(found)[0] == f"--encoding {encoding}"
        assert f"--encoding {encoding}" in found.command
        assert found.invalid[str(path)] > 50
        assert len(found.first_invalid) == 1
        assert found.first_invalid[0].startswith(f"{path}, line 1: byte 0x")
        assert cache.entries() == []

    def test_a_single_byte_encoding_that_cannot_be_told(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        readings = {"cp1250": "ja to wiem", "iso-8859-2": "ja to jem"}
        path = write(("Ona nie wie, że są tu też łąka i źdźbło.\n" * 60).encode("cp1250"))
        monkeypatch.setattr(diagnosis, "told", lambda texts: readings)
        found = inspected(path)
        assert (found.encoding, found.encodings, found.possible) == (None, {}, {str(path): readings})
        assert "--encoding" not in found.command
        finding = found.findings[0]
        assert "cp1250 (ja to wiem) or iso-8859-2 (ja to jem)" in finding.message
        assert "iconv -l" in finding.message
        monkeypatch.setattr(diagnosis, "likeliest", lambda data, asked: readings)
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(path.read_bytes())))
        monkeypatch.setattr(sys, "stdin", stream)
        found = inspected(Path("-"))
        assert found.possible == {"standard input": readings}
        assert "--encoding" not in found.command

    def test_broken_bytes(self, write: Write) -> None:
        good = "\n".join(english(40) + chinese(20)).encode()
        one, two = write(good + b"\nbroken \xff here\n", "one.txt"), write(b"\xfe\n" + good, "two.txt")
        found = inspected([one, two])
        assert found.encoding is None
        assert found.invalid == {str(one): 1, str(two): 1}
        assert found.first_invalid == (
            f"{one}, line 61: byte 0xff at offset {len(good) + 8} is not valid utf-8",
            f"{two}, line 1: byte 0xfe at offset 0 is not valid utf-8",
        )
        assert "--encoding-errors replace" in options(found)
        assert "--encoding-errors replace" in found.command
        again = inspected([one, two], encoding_errors="skip")
        assert again.invalid == found.invalid
        assert "--encoding-errors replace" not in options(again)
        assert "--encoding-errors skip" in again.command

    def test_nothing_is_said_of_a_cache_that_does_not_stay(self, write: Write) -> None:
        said = Said()
        check(write("\n".join(chinese(60)).encode("gb18030")), Preparation(), threads=1, progress=said)
        assert not [line for line in said.lines if "kept" in line]
        check(write("\n".join(chinese(60))), Preparation(), threads=1, progress=said)
        assert [line for line in said.lines if "kept" in line]

    def test_standard_input_in_another_encoding(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        contents = "\n".join(chinese(60)).encode("gb18030")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(contents))))
        found = inspected(Path("-"))
        assert (found.encoding, found.encodings, found.undecodable) == ("gb18030", {}, {})
        assert options(found)[0] == "--encoding gb18030"
        assert "--encoding gb18030" in found.command
        assert "--encoding-errors" not in found.command

    def test_standard_input_whose_first_bytes_are_in_the_encoding_asked_for(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        others = "\n".join(chinese(60)).encode("gb18030")
        for first in ("\n".join(english(60)), "\n".join(chinese(60))):
            monkeypatch.setattr(
                sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(first.encode() + b"\n" + others), 64))
            )
            found = inspected(Path("-"))
            assert (found.encoding, set(found.undecodable)) == (None, {"standard input"})
            assert "--encoding" not in found.command
            assert any("can be told from its first bytes" in finding.message for finding in found.findings)

    @pytest.mark.parametrize("asked", ["utf-8", "gb18030", "latin-1"])
    @pytest.mark.parametrize("errors", ["strict", "replace"])
    def test_files_in_different_encodings(self, write: Write, tmp_path: Path, asked: str, errors: str) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        write("\n".join(english(10)), "folder/ascii.txt")
        one = write("\n".join(chinese(60)), "folder/one.txt")
        two = write("\n".join(chinese(60)).encode("gb18030"), "folder/two.txt")
        found = inspected(folder, encoding=asked, encoding_errors=errors)
        assert found.encoding is None
        assert found.encodings == {str(one): "utf-8", str(two): "gb18030"}
        (finding,) = [finding for finding in found.findings if "different encodings" in finding.message]
        assert finding.option == "--encoding utf-8,gb18030"
        assert f"utf-8: {one}" in finding.message
        assert f"gb18030: {two}" in finding.message
        assert "--encoding utf-8,gb18030" in found.command
        again = inspected(folder, encoding="utf-8,gb18030", encoding_errors=errors)
        assert (again.encodings, again.invalid, again.encoding) == ({}, {}, None)
        assert f"1 file ({two}) read as gb18030" in again.remarks
        assert not any("encoding" in finding.message for finding in again.findings)

    def test_encodings_that_are_advised_are_tried_on_whole_files(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(diagnosis, "_PROBED_OF_A_FILE", (1 << 10, 1 << 10))
        long = ("\n".join(chinese(60)) + "\n") * 40
        one = write(long, "one.txt")
        data = long.encode("gb18030")
        assert len(data) > 1 << 17
        two = write(data + b"\xff\n", "two.txt")
        found = inspected([one, two])
        assert found.encodings == {str(one): "utf-8", str(two): "gb18030"}
        (finding,) = [finding for finding in found.findings if finding.option == "--encoding-errors replace"]
        assert f"byte 0xff at offset {len(data)} is not valid gb18030" in finding.message
        assert "--encoding utf-8,gb18030" in found.command
        assert "--encoding-errors replace" in found.command

    def test_a_large_corpus_is_not_read_again(self, write: Write) -> None:
        found = inspected(write("the same words of a log\n" * 2000))
        changing = [Finding("duplicates", "--drop-duplicates lines")]
        assert inspection._is_to_be_tried(found, ["a"], changing)
        assert not inspection._is_to_be_tried(dataclasses.replace(found, n_bytes=5 << 30), ["a"], changing)
        few_left = {"n_tokens": 10**9, "duplicate_line_words": 1.0}
        assert not inspection._is_to_be_tried(dataclasses.replace(found, **few_left), ["a"], changing)

    def test_garbage_in_none_of_several_encodings(self, write: Write) -> None:
        rng = random.Random(4)
        good = "\n".join(chinese(60)).encode()
        path = write(b"".join(bytes([byte]) + b"\xff" * (rng.random() < 0.1) for byte in good), "bad.txt")
        whole = write("\n".join(chinese(60)).encode("gb18030"), "gb.txt")
        found = inspected([whole, path], encoding="utf-8,gb18030")
        assert set(found.undecodable) == {str(path)}
        assert "--encoding-errors" not in found.command
        broken = write("\n".join(chinese(60)).encode("gb18030") + b"\xff\n", "broken.txt")
        found = inspected([whole, broken], encoding="utf-8,gb18030")
        assert (found.undecodable, found.invalid) == ({}, {str(broken): 1})
        assert "--encoding-errors replace" in found.command

    def test_a_text_that_is_ascii_in_part_of_the_files(self, write: Write) -> None:
        one = write("\n".join(english(40)), "one.txt")
        two = write("\n".join(chinese(60)).encode("gb18030"), "two.txt")
        found = inspected([one, two])
        assert (found.encoding, found.encodings) == ("gb18030", {})
        assert "--encoding gb18030" in found.command

    @pytest.mark.parametrize("asked", ["gb18030", "big5", "cp1251", "cp1252", "latin-1"])
    def test_utf8_read_as_something_else(self, write: Write, asked: str) -> None:
        found = inspected(write("\n".join(chinese(60))), encoding=asked)
        assert found.encoding == "utf-8"
        assert options(found)[0] == "--encoding utf-8"
        assert "--encoding utf-8" in found.command
        assert "--encoding-errors" not in found.command

    def test_an_encoding_that_reads_anything(self, write: Write) -> None:
        found = inspected(write("\n".join(chinese(60)).encode("gb18030")), encoding="latin-1")
        assert (found.invalid, found.encoding) == ({}, "gb18030")
        assert "--encoding gb18030" in found.command

    @pytest.mark.parametrize(("encoding", "sign"), [("latin-1", "£"), ("cp1252", "£"), ("iso-8859-15", "€")])
    def test_an_encoding_is_not_doubted_for_few_signs(self, write: Write, encoding: str, sign: str) -> None:
        text = f"The price of it was {sign}100, and {sign}200 in the year after that.\n" * 100
        found = inspected(write(text.encode(encoding)), encoding=encoding)
        assert found.encoding is None
        assert not any("--encoding" in option for option in options(found))

    def test_what_is_right_in_another_encoding_is_left_alone(self, write: Write) -> None:
        french = "La rivière est montée, et le pont n'était plus là.\n" * 60
        for text, encoding in (("\n".join(chinese(60)), "gb18030"), (french, "latin-1"), (french, "utf-16")):
            found = inspected(write(text.encode(encoding)), encoding=encoding)
            assert (found.encoding, found.encodings, found.undecodable) == (None, {}, {})
            assert not any("--encoding" in option for option in options(found))

    def test_garbage_is_not_replaced(self, write: Write) -> None:
        rng = random.Random(4)
        good = "\n".join(chinese(60)).encode()
        path = write(b"".join(bytes([byte]) + b"\xff" * (rng.random() < 0.03) for byte in good))
        found = inspected(path)
        assert found.encoding is None
        assert 0.01 < found.undecodable[str(path)] < 0.5
        assert "--encoding-errors" not in found.command
        assert any("would leave garbage" in finding.message for finding in found.findings)

    def test_broken_bytes_beside_json_lines(self, write: Write) -> None:
        records = write("\n".join(json.dumps({"body": line, "year": 1900}) for line in english(20)), "body.jsonl")
        bad = write("\n".join(english(40)).encode() + b"\xff", "plainbad.txt")
        found = inspected([records, bad], field="body", keep=("year",), keep_from_name="(?P<stem>[a-z]+)[.]")
        assert found.n_lines == 60
        assert found.first_invalid[0].startswith(f"{bad}, line 40: byte 0xff")
        assert "--encoding-errors replace" in found.command
        again = inspected([records, bad], field="body", encoding_errors="skip")
        assert again.first_invalid == found.first_invalid

    @pytest.mark.parametrize(
        ("name", "contents", "message"),
        [
            ("a.jsonl", b'{"text": "some words"}\n{"text": ', "no JSON object"),
            ("a.jsonl", b'{"body": "some words"}\n', "no field 'text'"),
            ("a.txt", "some text\nand more".encode("utf-16-le"), "NUL byte"),
        ],
    )
    def test_only_invalid_bytes_are_read_again(
        self, write: Write, monkeypatch: pytest.MonkeyPatch, name: str, contents: bytes, message: str
    ) -> None:
        read = inspection.corpora.read
        asked = []
        monkeypatch.setattr(inspection.corpora, "read", lambda *given: asked.append(given) or read(*given))
        with pytest.raises(FirthError, match=message):
            inspected(write(contents, name))
        assert len(asked) == 1
        inspected(write("\n".join(english(40)).encode() + b"\xff"))
        assert len(asked) == 3

    def test_it_says_what_training_says(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        write("# A heading", "folder/notes.md")
        records = write('{"text": ""}\n' + "\n".join(json.dumps({"text": line}) for line in english(20)), "a.jsonl")
        write("\n".join(english(40)), "folder/1984.txt")
        corpus = [tmp_path / "folder", tmp_path / "folder" / "1984.txt", records]
        preparation = Preparation(keep_from_name="(?P<year>[0-9]{4})[.]")
        found = check(corpus, preparation, threads=1)
        passed_over, repeated, unmatched, empty = found.remarks
        assert "notes.md" in passed_over
        assert "1984.txt" in repeated
        assert "a.jsonl" in unmatched
        assert empty == "1 records without text left out"
        assert found.settings()["remarks"] == found.remarks
        assert {f"- {remark}" for remark in found.remarks} <= set(report(found))

        progress = Said()
        train(Skipgram(dim=4), corpus, tokens=100, threads=1, preparation=preparation, progress=progress)
        assert set(found.remarks) <= set(progress.lines)

    def test_pruned_types(self, write: Write) -> None:
        rng = random.Random(5)
        lines = [" ".join(rng.choices("abcdefghijklmnop", k=12)) for _ in range(300)]
        found = inspected(write("\n".join(lines)), max_types=6)
        assert (found.n_duplicate_lines, found.duplicate_line_words) == (None, None)
        assert (found.n_duplicate_documents, found.duplicate_document_words) == (None, None)
        assert found.n_pruned_types > 0
        assert found.n_pruned_tokens > 0
        shown = "\n".join(report(found))
        assert "cannot be told" in shown
        assert f"{found.n_pruned_tokens:,} words" in shown
        assert any("--max-types" in remark for remark in json.loads(json.dumps(found.settings()))["remarks"])

    def test_phrases_are_joined_and_repeated_in_the_command(self, write: Write, tmp_path: Path) -> None:
        phrases = tmp_path / "phrases.tsv"
        phrases.write_text("of the\n", encoding="utf-8")
        found = inspected(write("one of the many\nanother of the few\n" * 30), phrases=phrases)
        assert found.n_tokens == 6 * 30
        assert f"--phrases {phrases}" in found.command
        assert any(remark.startswith("phrases: 1 of 1 were met, 60 times") for remark in found.remarks)

    def test_user_words_for_english(self, write: Write, tmp_path: Path) -> None:
        words = write("长江\n", "words.txt")
        found = inspected(write("\n".join(english(40))), user_words=words)
        assert any("the user words serve Chinese alone" in finding.message for finding in found.findings)
        assert options(found) == [""]
        assert "--segment" not in found.command

    def test_the_longest_line_may_have_no_words(self, write: Write) -> None:
        paths = [write("\n".join(english(20)), "one.txt"), write("a b\n\n" + "=-" * 5000 + "\nc d", "two.txt")]
        for _ in range(2):  # the second time it is in the cache
            found = inspected(paths)
            assert found.longest_line == 10_000
            assert found.longest_line_place == f"{paths[1]}, line 3"
            assert found.longest_line_begins == "=-" * 20
        assert any(f"10,000 characters, in {paths[1]}, line 3: =-" in line for line in report(found))

    def test_nul_characters_do_not_stop_it(self, write: Write) -> None:
        path = write("\n".join(english(20)).encode() + b"\nand \0 more")
        found = inspected(path)
        assert found.invalid == {str(path): 1}
        assert found.first_invalid[0].startswith(f"{path}, line ")
        assert "a NUL byte at offset" in found.first_invalid[0]
        assert options(found) == ["--encoding-errors replace"]

    def test_records_with_invalid_text_do_not_stop_it(self, write: Write, tmp_path: Path) -> None:
        lines = [json.dumps({"text": line}) for line in english(20)]
        records = write("\n".join([*lines, '{"text": "half a character: \\ud800"}']), "a.jsonl")
        values = pa.array([line.encode() for line in english(40)[20:]] + [b"a\xffb"]).view(pa.string())
        pq.write_table(pa.table({"text": values}), tmp_path / "b.parquet")
        found = inspected([records, tmp_path / "b.parquet"])
        assert found.invalid == {str(records): 1, str(tmp_path / "b.parquet"): 1}
        assert found.first_invalid[0].startswith(f"{records}, line 21: ")
        assert found.first_invalid[1].startswith(f"{tmp_path / 'b.parquet'}, row 21: byte 0xff at offset 1")
        assert options(found) == ["--encoding-errors replace"]

    def test_text_of_two_bytes_a_character_stops_it(self, write: Write) -> None:
        with pytest.raises(FirthError, match=r"NUL byte.*--encoding utf-16-le"):
            inspected(write("some text\n".encode("utf-16-le")))

    def test_hard_wrapped_text(self, write: Write) -> None:
        path = write("\n\n".join(textwrap.fill(paragraph, 70) for paragraph in english()))
        assert options(inspected(path, layout="lines")) == ["--layout wrapped"]
        found = inspected(path)
        assert (found.layout, options(found)) == ("wrapped", [])
        assert "end in mid-sentence" in found.layout_reason
        found = inspected(path, layout="file")
        assert (found.n_documents, options(found)) == (1, ["--layout wrapped"])
        path = write("\n".join(english()))
        assert options(inspected(path, layout="wrapped")) == ["--layout lines"]

    def test_a_word_a_line(self, write: Write) -> None:
        words = " ".join(english(40)).split()
        path = write("\n".join(words))
        assert "--layout wrapped" in options(inspected(path))
        assert "--layout wrapped" in options(inspected(path, layout="file"))
        found = inspected(write("\n".join(json.dumps({"text": word}) for word in words), "words.jsonl"))
        assert any("windows end where it ends" in finding.message for finding in found.findings)
        assert "--layout wrapped" not in options(found)  # records are not joined

    def test_duplicates(self, write: Write, tmp_path: Path) -> None:
        lines = english(40)
        found = inspected(write("\n".join(lines + lines[:10])))
        assert (found.n_duplicate_lines, found.n_duplicate_documents) == (10, 0)
        assert options(found) == ["--drop-duplicates lines"]
        n_words = sum(len(line.split()) for line in lines[:10])
        assert found.duplicate_line_words == pytest.approx(n_words / found.n_tokens)
        found = inspected(write("\n\n".join(lines + lines[:10]), "documents.txt"), drop_duplicates="lines")
        assert (found.n_duplicate_lines, found.n_duplicate_documents) == (10, 10)
        assert options(found) == []
        assert "--drop-duplicates lines" in found.command
        assert options(inspected(tmp_path / "documents.txt")) == ["--drop-duplicates documents"]
        both = "\n\n".join([*lines, *lines[:2], "\n".join(["another one", *lines[2:10]])])
        found = inspected(write(both, "both.txt"))
        assert (found.n_duplicate_lines, found.n_duplicate_documents) == (10, 2)
        assert options(found) == ["--drop-duplicates documents", "--drop-duplicates lines"]
        assert found.command.count("--drop-duplicates") == found.command.count("--drop-duplicates lines") == 1

    def test_unsegmented_chinese(self, write: Write) -> None:
        rng = random.Random(1)
        path = write("\n".join(chinese_sentence(rng) for _ in range(300)))
        found = inspected(path, segment="space")
        assert "--segment chinese" in options(found)
        assert "--segment chinese" in found.command

    def test_a_script_that_nothing_segments(self, write: Write) -> None:
        path = write("แม่น้ำสูงขึ้นในเวลากลางคืนและสะพานหายไปในตอนเช้า แม่น้ำสูงขึ้น\n" * 50)
        assert "--segment characters" in options(inspected(path))

    def test_markup(self, write: Write) -> None:
        path = write("\n".join(f"<p>{line}</p>" if number % 4 == 0 else line for number, line in enumerate(english())))
        found = inspected(path)
        assert found.markup == {"HTML tags": 0.25}
        assert [finding.message.partition(",")[0] for finding in found.findings] == ["25% of the lines hold HTML tags"]
        assert options(found) == ["--drop html"]
        again = inspected(path, drop=("html",))
        assert (again.markup, again.findings) == ({}, ())
        assert any("markup left out or made plain: HTML tags (" in remark for remark in again.remarks)
        assert "--drop html" in again.command

    def test_markup_that_dropping_leaves_is_told(self, write: Write) -> None:
        path = write(
            "\n".join(f"{line} {{{{cite" if number % 4 == 0 else line for number, line in enumerate(english()))
        )
        found = inspected(path, drop=("wiki",))
        assert [(finding.message.partition(",")[0], finding.option) for finding in found.findings] == [
            ("25% of the lines still hold wiki markup", "")
        ]
        assert "--drop wiki " in f"{found.command} "

    def test_several_kinds_of_markup_are_one_option(self, write: Write) -> None:
        lines = [f"<p>{line}</p> http://x.org" for line in english(40)]
        found = inspected(write("\n".join(lines)))
        assert sorted(options(found)) == ["--drop html", "--drop urls"]
        assert "--drop html,urls" in found.command

    def test_encoded_data(self, write: Write) -> None:
        rng = random.Random(3)
        codes = ["".join(rng.choices("0123456789abcdef", k=60)) for _ in range(60)]
        path = write("\n".join([*english(40), *codes]))
        assert "--drop codes" in options(inspected(path))
        assert inspected(path, drop=("codes",)).findings == ()

    def test_words_that_nothing_parted_are_no_encoded_data(self, write: Write) -> None:
        rng = random.Random(3)
        unparted = ["".join(rng.choices("abcdefghij", k=60)) for _ in range(60)]
        path = write("\n".join([*english(40), *unparted]))
        for found in (inspected(path), inspected(path, drop=("codes",))):
            assert [finding.option for finding in found.findings] == [""]
            assert "of the types are longer than 40 letters" in found.findings[0].message
            assert found.long > 0.02

    def test_json_in_plain_text(self, write: Write) -> None:
        found = inspected(write("\n".join(json.dumps({"text": line}) for line in english(40))))
        assert any("--field" in finding.message for finding in found.findings)
        assert options(found) == ["--field text"]
        assert "--field text" in found.command
        assert any("keys become words" in remark for remark in found.remarks)
        again = inspected(write("\n".join(json.dumps({"text": line}) for line in english(40))), field="text")
        assert (again.n_documents, again.findings) == (40, ())

    def test_numbers_and_codes(self, write: Write) -> None:
        numbers = " ".join(f"{number} a{number}" for number in range(100, 400))
        found = inspected(write("\n".join([*english(40), numbers])))
        assert found.numbers > 0.4
        assert found.codes > 0.4
        assert options(found) == ["--digits zero"]
        assert options(inspected(write("\n".join([*english(40), numbers])), digits="zero")) == []

    def test_a_noisy_vocabulary(self, write: Write) -> None:
        rng = random.Random(2)
        noise = ["".join(rng.choices("abcdefghij", k=9)) for _ in range(12_000)]
        found = inspected(
            write("\n".join([*english(40), *(" ".join(noise[n : n + 20]) for n in range(0, 12_000, 20))]))
        )
        assert found.once > 0.95
        assert any("occur once" in finding.message for finding in found.findings)

    def test_too_few_words_to_train_on(self, write: Write) -> None:
        found = inspected(write("only a few words that all differ"))
        assert found.paces == {}
        assert [finding.option for finding in found.findings] == ["--min-count 1"]
        assert "--min-count 1" in found.command

    @pytest.mark.parametrize(
        ("text", "advised"), [("a a a a a b c", 1), ("a a a a b b", 2), ("a a a a", None), ("a a a a a", None)]
    )
    def test_the_count_that_is_advised_can_be_trained_with(self, write: Write, text: str, advised: int | None) -> None:
        path = write(text)
        found = inspected(path)
        assert options(found) == ([""] if advised is None else [f"--min-count {advised}", "--sample 0"])
        if advised is None:
            assert "--min-count" not in found.command
        else:
            family = Skipgram(dim=4, min_count=advised, sample=0.0)
            assert len(train(family, path, tokens=20, threads=1).vocabulary) >= 2

    @pytest.mark.parametrize(
        ("text", "options_", "succeeds"),
        [
            ("the same line again and again\n" * 300, ["--drop-duplicates lines", "--min-count 1"], True),
            ("word\n" * 300, ["--drop-duplicates lines", "--layout wrapped", ""], False),
        ],
    )
    def test_no_training_is_advised_that_fails(
        self, write: Write, text: str, options_: list[str], succeeds: bool
    ) -> None:
        path = write(text)
        found = inspected(path)
        assert options(found) == options_
        assert bool(found.command) == succeeds
        assert report(found)[-1] == found.command or "No training is advised" in report(found)[-1]
        if succeeds:
            preparation = Preparation(drop_duplicates="lines")
            family = Skipgram(dim=4, min_count=1)
            assert len(train(family, path, threads=1, preparation=preparation).vocabulary) == 5

    def test_no_training_is_advised_on_what_no_encoding_reads(self, write: Write) -> None:
        path = write(random.Random(1).randbytes(9_000))
        found = inspected(path)
        assert found.undecodable
        assert found.command == ""
        assert "--encoding names the one" in found.findings[0].message
        assert "firth train" in inspected(path, encoding_errors="skip").command

    def test_what_is_read_with_bytes_replaced_lies_where_the_cache_does(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folders = []
        encoded = cache.encoded
        monkeypatch.setattr(
            cache, "encoded", lambda *given, **named: folders.append(named["cache_dir"]) or encoded(*given, **named)
        )
        path = write(gzip.compress("\n".join(english(40)).encode() + b"\xff"), "corpus.txt.gz")
        place = tmp_path / "deep" / "kept"
        check(path, threads=1, cache_dir=place)
        assert Path(folders[-1]).parent == place
        assert list(place.iterdir()) == []
        check(path, threads=1)
        assert tmp_path not in Path(folders[-1]).parents

    def test_a_cache_that_cannot_be_written_to(self, write: Write) -> None:
        path = write(gzip.compress("\n".join(english(40)).encode() + b"\xff"), "corpus.txt.gz")
        with pytest.raises(FirthError, match=r"cannot write to the cache .*--cache-dir names another"):
            check(path, threads=1, cache_dir=path / "kept")


class TestParts:
    def test_shapes(self) -> None:
        words = ["word", "x" * 41, "1984", "٣", "deadbeef12", "a1", "don't", "1_000", "日本"]
        assert inspection.shapes(words) == pytest.approx({"long": 1 / 9, "numbers": 2 / 9, "codes": 2 / 9})
        assert inspection.shapes([]) == {"long": 0.0, "numbers": 0.0, "codes": 0.0}

    @pytest.mark.parametrize(
        ("line", "kinds"),
        [
            ("plain text, 1 < 2 & 3 > 2, [a] * b", set()),
            ("a <b>bold</b> word", {"HTML tags"}),
            ("status installed tzdata:all <none> <module> <x y>", set()),
            ("one<br/>two", {"HTML tags"}),
            ('<img src="a.png">', {"HTML tags"}),
            ("fish &amp; chips &#8212; &#x27;", {"HTML entities"}),
            ("see [[Main Page|this]]", {"wiki markup"}),
            ("{{cite web}}", {"wiki markup"}),
            ("## A heading", {"Markdown"}),
            ("a [link](https://example.org)", {"Markdown", "URLs"}),
            ('{"text": "a"}', {"JSON"}),
            ("at www.example.org", {"URLs"}),
        ],
    )
    def test_markup(self, line: str, kinds: set[str]) -> None:
        assert set(inspection.markup(["", " ", line])) == kinds

    def test_shares_of_markup_are_of_lines_with_something_in_them(self) -> None:
        assert inspection.markup(["<p>", "", "a", "b", "</p> http://a"]) == {"HTML tags": 0.5, "URLs": 0.25}
        assert inspection.markup([]) == {}

    def test_the_field_that_holds_most_text(self) -> None:
        lines = ['{"id": "abc", "body": "some text", "year": 1900}', '{"id": "abd", "n": [1]}', "{not json}", "", "a"]
        assert inspection.text_field(lines) == "body"
        assert inspection.text_field(["plain", '{"a": 1}', '{"a" }']) == ""
