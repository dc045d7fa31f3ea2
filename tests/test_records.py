import datetime
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_containers import COMPRESSIONS, found, kept_of, texts_of, written
from test_decoding import TEXT

from firth import containers
from firth.errors import EncodingError, FirthError, UsageError


def json_lines(records: list[Any], **options: Any) -> str:
    return "".join(json.dumps(record, **options) + "\n" for record in records)


def table(folder: Path, columns: dict[str, Any], name: str = "corpus.parquet", **options: Any) -> Path:
    pq.write_table(pa.table(columns), folder / name, **options)
    return folder / name


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
        with pytest.raises(EncodingError, match=r"line 1: \\u.* no character; --encoding-errors"):
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
        with pytest.raises(EncodingError, match=r"a\.jsonl, line 2: byte 0xff at offset 25 is not valid utf-8"):
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
        with pytest.raises(EncodingError, match=r"corpus\.parquet, row 2: byte 0xff at offset 1 .*--encoding-errors"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["good", "ab"]
        sources = found(path, encoding_errors="replace")
        assert ["".join(unit.texts) for unit in sources.units()] == ["good", "a\ufffdb\ufffd"]
        assert sources.faults.invalid.total() == 2

    def test_nul_characters(self, tmp_path: Path) -> None:
        path = table(tmp_path, {"text": ["a\0b"]})
        with pytest.raises(EncodingError, match=r"row 1: \\u\{0\} stands in it"):
            texts_of(path)
        assert texts_of(path, encoding_errors="skip") == ["ab"]


class TestAnyText:
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
            patch.setattr(containers, "_CHUNK_BYTES", chunk_bytes)
            assert kept_of(written(folder, pack(lines.encode()), "a.jsonl"), keep=("kept",)) == expected
            assert kept_of(table(folder, schema), keep=("kept",)) == expected
