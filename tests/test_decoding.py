import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_containers import COMPRESSIONS, found, texts_of, written

from firth import containers
from firth.errors import EncodingError, FirthError

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff"))


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
        with pytest.raises(EncodingError, match=message):
            texts_of(path)

    def test_invalid_bytes_far_into_a_file(self, tmp_path: Path) -> None:
        path = written(tmp_path, "北京\n".encode() * 200_000 + b"\xff")
        with pytest.raises(EncodingError, match=r"line 200001: byte 0xff at offset 1400000 "):
            texts_of(path)

    @pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
    def test_the_line_in_utf16_whose_mark_came_long_before(self, tmp_path: Path, encoding: str) -> None:
        mark, broken = "\ufeff".encode(encoding), "\ud800".encode(encoding, "surrogatepass")
        good = "北京 and more\r\n".encode(encoding) * 20_000
        path = written(tmp_path, mark + good + broken + "a".encode(encoding))
        with pytest.raises(EncodingError, match=rf"line 20001: byte 0x.. at offset {len(mark + good)} "):
            texts_of(path, encoding="utf-16")

    @pytest.mark.parametrize("n_before", range(4))
    def test_the_line_where_a_chunk_ends_in_a_line_end(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_before: int
    ) -> None:
        monkeypatch.setattr(containers, "_CHUNK_BYTES", 3)
        path = written(tmp_path, b"a" * n_before + b"\r\xff")
        with pytest.raises(EncodingError, match=rf"line 2: byte 0xff at offset {n_before + 1} "):
            texts_of(path)

    def test_in_a_compressed_file_the_offset_is_that_of_its_text(self, tmp_path: Path) -> None:
        path = written(tmp_path, gzip.compress("北京\n".encode() * 200_000 + b"\xff"))
        with pytest.raises(EncodingError, match=r"line 200001: byte 0xff at offset 1400000 "):
            texts_of(path)

    def test_a_character_cut_off_by_the_end(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"a\n\xe4\xbb")
        with pytest.raises(EncodingError, match=r"line 2: byte 0xe4 at offset 2 "):
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
        with pytest.raises(FirthError, match=r"this is utf-16 \(--encoding utf-16\)"):
            texts_of(written(tmp_path, "今天".encode("utf-16")))
        for errors in ("replace", "skip"):
            with pytest.raises(FirthError, match=r"--encoding utf-16\)"):
                texts_of(written(tmp_path, "plain".encode("utf-16")), encoding_errors=errors)

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf16_without_a_mark_is_recognised(self, tmp_path: Path, encoding: str) -> None:
        with pytest.raises(FirthError, match=rf"line 1: a NUL byte.*UTF-16 \(--encoding {encoding}\)"):
            texts_of(written(tmp_path, "Plain text.\n".encode(encoding)))

    @pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
    def test_utf16_whose_bytes_are_no_utf8_either(self, tmp_path: Path, encoding: str) -> None:
        text = "A line of text.\n" * 50 + "An en dash \u2013 here. Ça va?\n" * 20
        with pytest.raises(EncodingError, match=rf"line \d+: byte 0x.*this is {encoding} \(--encoding {encoding}\)"):
            texts_of(written(tmp_path, text.encode(encoding)))

    @pytest.mark.parametrize("encoding", ["gb18030", "big5", "cp1251"])
    def test_the_encoding_is_guessed_where_it_can_be(self, tmp_path: Path, encoding: str) -> None:
        text = {"gb18030": "今天我们在这里学习。", "big5": "我們在這裡學習國語。", "cp1251": "Молоко стоит на столе. "}[
            encoding
        ]
        path = written(tmp_path, b"ASCII first.\n" * 9000 + (text * 30).encode(encoding))
        with pytest.raises(EncodingError, match=rf"line 9001: .*this is {encoding} \(--encoding {encoding}\)"):
            texts_of(path)
        assert texts_of(path, encoding=encoding)[0].endswith(text)

    def test_where_several_encodings_are_as_likely_both_are_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"w i na z do nie jest \xb6 \xbc \xa5\n" * 6)
        with pytest.raises(
            EncodingError, match=r"most likely cp1250 \(.*¶.*\) or iso-8859-2 \(.*ś.*iconv -l"
        ) as caught:
            texts_of(path)
        assert "by all appearance" not in str(caught.value)

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
            with pytest.raises(EncodingError, match=place) as caught:
                texts_of(path, encoding=encoding)
            assert "--encoding-errors skip" in str(caught.value)
            assert "utf-16)" not in str(caught.value)
            for errors, text in (("skip", start + "c"), ("replace", start + "\ufffdc\ufffd")):
                sources = found(path, encoding=encoding, encoding_errors=errors)
                assert ["".join(unit.texts) for unit in sources.units()] == [text]
                assert dict(sources.faults.invalid) == {str(path): 2}

    def test_a_nul_byte_in_json_lines(self, tmp_path: Path) -> None:
        path = written(tmp_path, b'{"text": "a\0b"}', "a.jsonl")
        with pytest.raises(EncodingError, match=r"line 1: a NUL byte at offset 11"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["ab"]

    def test_a_line_of_millions_of_characters_passes_in_pieces(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"word " * 2_000_000)
        lengths = [len(text) for text in next(found(path).units()).texts]
        assert sum(lengths) == 10_000_000
        assert max(lengths) < 200_000


class TestAnyText:
    @given(text=TEXT, encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "gb18030", "utf-7"]), data=st.data())
    def test_it_comes_back_in_any_encoding_and_compression(
        self, tmp_path_factory: pytest.TempPathFactory, text: str, encoding: str, data: st.DataObject
    ) -> None:
        pack = data.draw(st.sampled_from([bytes, *COMPRESSIONS.values()]))
        chunk_bytes = data.draw(st.sampled_from([1, 3, 1 << 16]))
        path = written(tmp_path_factory.mktemp("any"), pack(text.encode(encoding)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(containers, "_CHUNK_BYTES", chunk_bytes)
            assert texts_of(path, encoding=encoding) == [text]
            assert "".join(found(path, encoding=encoding).samples()) == text

    @given(contents=st.binary(max_size=60), encoding=st.sampled_from(["utf-8", "gb18030", "big5"]), data=st.data())
    def test_any_bytes_are_read_or_refused(
        self, tmp_path_factory: pytest.TempPathFactory, contents: bytes, encoding: str, data: st.DataObject
    ) -> None:
        errors = data.draw(st.sampled_from(["strict", "replace", "skip"]))
        chunk_bytes = data.draw(st.sampled_from([1, 3, 1 << 16]))
        path = written(tmp_path_factory.mktemp("any"), contents)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(containers, "_CHUNK_BYTES", chunk_bytes)
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
