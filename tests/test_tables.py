import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_containers import COMPRESSIONS, written

from firth.errors import FirthError, UsageError
from firth.tables import Row, Table, of_given, read_rows, read_sentences, read_texts

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]))


def values(table: Table) -> list[tuple[Any, ...]]:
    return [row.values for row in table.rows]


class TestSeparated:
    def test_names_lines_and_quotes(self, tmp_path: Path) -> None:
        text = 'text,label\n"a, b",pos\n"he said ""no""\nand left",neg\n\nc,pos\n'
        table = read_rows(written(tmp_path, text, "a.csv"))
        assert (table.format, table.names, table.are_named) == ("CSV", ("text", "label"), True)
        assert table.rows == (
            Row(2, ("a, b", "pos")),
            Row(3, ('he said "no"\nand left', "neg")),
            Row(6, ("c", "pos")),
        )

    @pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a"])
    def test_quotes_of_the_text_itself(self, tmp_path: Path, name: str) -> None:
        text = 'Quality\t#1 String\n1\t"I see," he said.\n0\t"All of it."\n1\t"b\n'
        table = read_rows(written(tmp_path, "\ufeff" + text.replace("\n", "\r\n"), name))
        assert table.names == ("Quality", "#1 String")
        assert values(table) == [("1", '"I see," he said.'), ("0", '"All of it."'), ("1", '"b')]

    def test_quotes_that_are_as_the_rules_are_still_of_the_text(self, tmp_path: Path) -> None:
        table = read_rows(written(tmp_path, 'label\ttext\n1\t"All of it."\n0\tnone\n', "a.tsv"))
        assert values(table) == [("1", '"All of it."'), ("0", "none")]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ('label\ttext\n1\t"a\tb"\n0\tc\n', "a\tb"),
            ('label\ttext\n1\t"a\nb"\n0\tc\n', "a\nb"),
            ('label\ttext\n1\t"a ""b"""\n0\t"c"\n', 'a "b"'),
        ],
    )
    def test_quotes_of_tsv_that_are_needed(self, tmp_path: Path, text: str, expected: str) -> None:
        assert read_rows(written(tmp_path, text, "a.tsv")).rows[0].values == ("1", expected)

    @pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
    def test_other_separators_of_csv(self, tmp_path: Path, separator: str) -> None:
        text = f"text{separator}label\na b{separator}x\nc{separator}y\n"
        assert values(read_rows(written(tmp_path, text, "a.csv"))) == [("a b", "x"), ("c", "y")]

    @pytest.mark.parametrize(
        ("text", "are_named"),
        [
            ("text,label\na,b\n", True),
            ("1,a film\n0,a bore\n1,a joy\n", False),
            ("was ist es,heiter\nschoen,pos\nfein,pos\nmies,neg\noede,neg\n", True),
            ("gut,pos\nschoen,pos\nfein,pos\nmies,neg\noede,neg\n", False),
            ("label,a b\nlabel,a c\nother,d\n", False),
            (",text,label\n0,a,x\n1,b,y\n", True),
        ],
    )
    def test_whether_the_first_row_is_of_names(self, tmp_path: Path, text: str, are_named: bool) -> None:
        table = read_rows(written(tmp_path, text, "a.csv"))
        assert table.are_named == are_named
        assert len(table.rows) == text.count("\n") - are_named
        assert table.names[0] == (text.split(",")[0] or "column 1" if are_named else "column 1")

    def test_a_row_with_other_columns_is_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, "text,label\na,b\nc, d,e\nf,g\n", "a.csv")
        with pytest.raises(FirthError, match=r"a\.csv, line 3: 3 columns, but line 1 has 2.*quotes"):
            read_rows(path)

    @pytest.mark.parametrize("suffix", COMPRESSIONS)
    def test_compressed(self, tmp_path: Path, suffix: str) -> None:
        packed = COMPRESSIONS[suffix](b"text,label\na,b\n")
        assert values(read_rows(written(tmp_path, packed, f"a.csv.{suffix}"))) == [("a", "b")]

    @settings(max_examples=40)
    @given(st.lists(st.tuples(CELL, CELL), min_size=1))
    def test_what_python_writes_is_read_again(self, tmp_path_factory: Any, cells: list[tuple[str, str]]) -> None:
        for name, separator in (("a.csv", ","), ("a.tsv", "\t")):
            file = io.StringIO()
            rows = [("text", "label"), *cells]
            csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
            path = written(tmp_path_factory.mktemp("csv"), file.getvalue(), name)
            assert values(read_rows(path)) == [pair for pair in cells if any(cell.strip() for cell in pair)]


class TestLabelledLines:
    def test_the_first_word_is_the_label(self, tmp_path: Path) -> None:
        table = read_rows(written(tmp_path, "1 a good , film\n0 a\tbore\n\n1  wide\n0\n", "a.txt"))
        assert (table.format, table.names) == ("lines of a label and a text", ("label", "text"))
        assert table.rows == (
            Row(1, ("1", "a good , film")),
            Row(2, ("0", "a\tbore")),
            Row(4, ("1", "wide")),
            Row(5, ("0", "")),
        )

    def test_of_fasttext(self, tmp_path: Path) -> None:
        text = "__label__good a b\n__label__bad c\n" * 3
        assert values(read_rows(written(tmp_path, text, "a.txt")))[0] == ("__label__good", "a b")

    def test_text_without_labels_is_told(self, tmp_path: Path) -> None:
        lines = "".join(f"word{number} is here\n" for number in range(500))
        with pytest.raises(FirthError, match=r"a\.txt.*500 lines begin with 500 different words.*\.jsonl"):
            read_rows(written(tmp_path, lines, "a.txt"))

    def test_a_text_a_line(self, tmp_path: Path) -> None:
        assert read_texts(written(tmp_path, "a b\n\nc\n", "a.txt")).rows == (Row(1, ("a b",)), Row(3, ("c",)))


class TestRecords:
    def test_json_lines(self, tmp_path: Path) -> None:
        text = '\ufeff{"text": "a", "label": 1}\n\n{"label": 0, "text": "b", "more": [1, 2], "deep": {"x": 1}}\n'
        table = read_rows(written(tmp_path, text, "a.jsonl"))
        assert table.names == ("text", "label", "more", "deep")
        assert table.rows == (Row(1, ("a", 1, None, None)), Row(3, ("b", 0, ("1", "2"), None)))

    def test_a_list_of_json(self, tmp_path: Path) -> None:
        assert values(read_rows(written(tmp_path, '[{"text": "a"},\n {"text": null}]', "a.json"))) == [("a",), (None,)]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"a": 1}\n{"a": \n', r"a\.jsonl, line 2: no JSON object"),
            ('{"a": 1}\n3\n', r"a\.jsonl, line 2: no JSON object"),
            ("[1, 2]", r"line 1: no JSON object"),
            ("[", r"a\.jsonl is no JSON"),
            ('{"a": "\\ud800"}', r"a\.jsonl, line 1: no valid text: surrogates"),
        ],
    )
    def test_what_is_no_object(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(FirthError, match=message):
            read_rows(written(tmp_path, text, "a.jsonl"))

    def test_parquet(self, tmp_path: Path) -> None:
        columns = {"text": ["a", "今天"], "label": [1, 0], "tokens": [["x"], ["y", "z"]], "score": [0.5, None]}
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        table = read_rows(tmp_path / "a.parquet")
        assert table.names == ("text", "label", "tokens", "score")
        assert values(table) == [("a", 1, ("x",), 0.5), ("今天", 0, ("y", "z"), None)]

    def test_what_is_no_parquet(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="no Parquet file"):
            read_rows(written(tmp_path, "text", "a.parquet"))

    @settings(max_examples=40)
    @given(st.lists(st.tuples(CELL, st.integers(-(2**31), 2**31)), min_size=1))
    def test_what_python_writes_is_read_again(self, tmp_path_factory: Any, records: list[tuple[str, int]]) -> None:
        text = "".join(json.dumps({"text": one, "label": two}) + "\n" for one, two in records)
        assert values(read_rows(written(tmp_path_factory.mktemp("json"), text, "a.jsonl"))) == records


class TestSentences:
    def test_conllu(self, tmp_path: Path) -> None:
        text = (
            "# text = Don't go .\n1-2\tDon't\t_\t_\t_\t_\t_\t_\t_\t_\n"
            "1\tDo\tdo\tAUX\tVB\t_\t3\taux\t_\t_\n2\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_\n"
            "3\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n3.1\tnow\t_\tADV\t_\t_\t_\t_\t_\t_\n"
            "4\t.\t.\tPUNCT\t.\t_\t3\tpunct\t_\t_\n\n# text = 1 2\n1\tnew\u00a0york\t_\tX\t_\t_\t0\troot\t_\t_\n"
        )
        for name in ("a.conllu", "a.txt"):
            table = read_sentences(written(tmp_path, text, name))
            assert table.format == "CoNLL-U"
            place = table.names.index("upos")
            assert [(row.line, row.values[1], row.values[place]) for row in table.rows] == [
                (3, ("Do", "n't", "go", "."), ("AUX", "PART", "VERB", "PUNCT")),
                (10, ("new\u00a0york",), ("X",)),
            ]

    def test_conllu_plus(self, tmp_path: Path) -> None:
        text = "# global.columns = ID FORM PARSEME:MWE\n1\ta\t*\n\n"
        table = read_sentences(written(tmp_path, text, "a.conllup"))
        assert (table.names, values(table)) == (("id", "form", "mwe"), [(("1",), ("a",), ("*",))])

    @pytest.mark.parametrize(
        ("line", "message"),
        [("1\ta", "line 3: 2 columns, and CoNLL-U has 10"), ("x" + "\ta" * 9, "line 3: 'x' is no number of a word")],
    )
    def test_damaged_conllu(self, tmp_path: Path, line: str, message: str) -> None:
        text = "# x\n1" + "\ta" * 9 + "\n" + line + "\n"
        with pytest.raises(FirthError, match=message):
            read_sentences(written(tmp_path, text, "a.conllu"))

    @pytest.mark.parametrize("blank", ["\t", " ", "   "])
    def test_columns(self, tmp_path: Path, blank: str) -> None:
        text = "-DOCSTART- -X- O\n\nEU NNP B-ORG\nrejects VBZ O\n\n\n# NN O\n#tag NN O\n"
        table = read_sentences(written(tmp_path, "\ufeff" + text.replace(" ", blank), "a.conll"))
        assert table.names == ("column 1", "column 2", "column 3")
        assert table.rows == (
            Row(3, (("EU", "rejects"), ("NNP", "VBZ"), ("B-ORG", "O"))),
            Row(7, (("#", "#tag"), ("NN", "NN"), ("O", "O"))),
        )

    def test_comments_are_passed_over_and_wide_spaces_are_words(self, tmp_path: Path) -> None:
        text = "# a comment of several words\nEU B-ORG\n\u3000 O\n"
        assert values(read_sentences(written(tmp_path, text, "a.bio"))) == [(("EU", "\u3000"), ("B-ORG", "O"))]

    def test_a_word_without_a_tag_is_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, "EU B-ORG\nrejects O\n\nthe O\ncall\n. O\n", "a.conll")
        with pytest.raises(FirthError, match=r"a\.conll, line 5: 1 columns \('call'\).*have 2.*every tag a word"):
            read_sentences(path)

    @settings(max_examples=40)
    @given(
        st.lists(st.lists(st.tuples(st.text("ab今#.-", min_size=1), st.sampled_from("XYZ")), min_size=1), min_size=1)
    )
    def test_what_is_written_is_read_again(self, tmp_path_factory: Any, sentences: list[list[tuple[str, str]]]) -> None:
        text = "\n\n".join("\n".join(f"{word}\t{tag}" for word, tag in sentence) for sentence in sentences)
        table = read_sentences(written(tmp_path_factory.mktemp("conll"), text, "a.conll"))
        assert values(table) == [tuple(map(tuple, zip(*sentence, strict=True))) for sentence in sentences]


class TestEncodings:
    def test_another_encoding_is_told(self, tmp_path: Path) -> None:
        text = "label\ttext\n" + "1\t今天我很高兴，这是我们的书\n0\t他们不来了，天气不好\n" * 20
        table = read_rows(written(tmp_path, text.encode("gb18030"), "a.tsv"))
        assert table.rows[0].values == ("1", "今天我很高兴，这是我们的书")
        assert table.remarks == ("a.tsv is read as gb18030, by all appearance (--encoding names another)",)

    def test_utf16(self, tmp_path: Path) -> None:
        table = read_rows(written(tmp_path, "label\ttext\n1\t今天\n".encode("utf-16"), "a.tsv"))
        assert values(table) == [("1", "今天")]

    def test_a_broken_byte_is_replaced_and_told(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"1 good\n0 a sister\xf0city\n1 b\n0 c\n", "a.txt")
        table = read_rows(path)
        assert table.rows[1].values == ("0", "a sister\ufffdcity")
        assert table.remarks == (
            "a.txt: 1 byte not valid utf-8 replaced by U+FFFD, in line 2 (--encoding names another encoding)",
        )
        assert read_rows(path, encoding_errors="skip").rows[1].values == ("0", "a sistercity")
        assert read_rows(path, encoding="latin-1").rows[1].values == ("0", "a sisterðcity")
        with pytest.raises(FirthError, match=r"line 2: byte 0xf0.*--encoding-errors replace or skip"):
            read_rows(path, encoding="utf-8")

    def test_of_several_encodings_the_one_that_fits_is_taken(self, tmp_path: Path) -> None:
        path = written(tmp_path, "1\t今天很好\n0\t明天不好\n".encode("gb18030"), "a.tsv")
        assert read_rows(path, encoding="utf-8,gb18030").rows[0].values == ("1", "今天很好")

    def test_an_encoding_that_cannot_be_told_is_an_error_that_says_what_to_do(self, tmp_path: Path) -> None:
        path = written(tmp_path, ("1 " + "\u0451\u0457\u045e" * 20 + "\n0 b\n").encode("cp1251"), "a.txt")
        with pytest.raises(FirthError, match="--encoding"):
            read_rows(path)

    def test_a_nul_byte(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="NUL"):
            read_rows(written(tmp_path, b"1 a\0b\n0 c\n", "a.txt"), encoding="utf-8")


class TestGiven:
    def test_tuples_and_mappings(self) -> None:
        assert of_given([("a", 1), ("b", 0)], "x").rows == (Row(1, ("a", 1)), Row(2, ("b", 0)))
        table = of_given([{"text": "a", "label": "x"}, {"label": "y", "text": "b"}], "x")
        assert (table.names, values(table)) == (("text", "label"), [("a", "x"), ("b", "y")])

    @pytest.mark.parametrize("rows", [["a"], [3], [("a", 1), ("b",)], [{"a": 1}, {"b": 1}], [("a", 1), {"a": 1}]])
    def test_what_is_no_row(self, rows: list[Any]) -> None:
        with pytest.raises(UsageError, match=r"row [12]"):
            of_given(rows, "x")
