import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_containers import written

from firth.errors import FirthError, UsageError
from firth.tasks import Example, account, are_seen, overlap, read_examples, read_inputs

SHARED = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "tasks"
WORDS = st.lists(st.text("ab今天#.-\"'", min_size=1), min_size=1, max_size=5)


class TestClassify:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.txt", "pos a film\nneg a bore\npos a joy\n"),
            ("a.tsv", "label\ttext_a\npos\ta film\nneg\ta bore\npos\ta joy\n"),
            ("a.csv", "review,sentiment\na film,pos\na bore,neg\na joy,pos\n"),
            ("a.csv", "id,Label,Title,Text\n7,pos,x,a film\n8,neg,x,a bore\n9,pos,x,a joy\n"),
            ("a.csv", "a film,pos\na bore,neg\na joy,pos\n"),
            ("a.jsonl", '{"text": "a film", "label": "pos"}\n{"text": "a bore", "label": "neg"}\n'
             '{"text": "a joy", "label": "pos"}\n'),
            ("a.csv", "标签,内容\npos,a film\nneg,a bore\npos,a joy\n"),
        ],
    )  # fmt: skip
    def test_columns_and_labels_are_found(self, tmp_path: Path, name: str, text: str) -> None:
        found = read_examples(written(tmp_path, text, name), "classify")
        first = 1 if found.examples[0].line == 1 else 2
        assert list(found) == [
            Example(("a film",), "pos", first),
            Example(("a bore",), "neg", first + 1),
            Example(("a joy",), "pos", first + 2),
        ]
        assert (found.labels, found.is_regression, found.source, len(found)) == (("neg", "pos"), False, name, 3)
        assert set(found.columns) == {"text", "label"}

    def test_parquet_and_rows(self, tmp_path: Path) -> None:
        pq.write_table(pa.table({"sentence": ["a", "b"], "label": [True, False]}), tmp_path / "a.parquet")
        of_file = read_examples(tmp_path / "a.parquet", "classify")
        of_rows = read_examples([("a", True), ("b", False)], "classify")
        of_mappings = read_examples([{"text": "a", "label": True}, {"text": "b", "label": False}], "classify")
        assert of_file.examples == of_rows.examples == of_mappings.examples
        assert of_file.labels == ("false", "true")

    def test_columns_that_are_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, "text,title,label,topic\na,b,x,1\nc,d,y,2\n", "a.csv")
        found = read_examples(path, "classify", text="title", label="topic")
        assert [(example.inputs, example.target) for example in found] == [(("b",), "1"), (("d",), "2")]
        bare = written(tmp_path, "0,a b,x\n1,c d,y\n2,e f,y\n3,g h,x\n", "b.csv")
        assert read_examples(bare, "classify", label="3").targets == ["x", "y", "y", "x"]
        with pytest.raises(UsageError, match=r"column 'stars' asked for as label; a\.csv \(CSV\) has text, title, lab"):
            read_examples(path, "classify", label="stars")
        with pytest.raises(UsageError, match="are one column, 'text'"):
            read_examples(path, "classify", text="text", label="text")

    def test_a_column_that_cannot_be_found_is_asked_for(self, tmp_path: Path) -> None:
        rows = "".join(f"one {number},two {number}\n" for number in range(9))
        with pytest.raises(UsageError, match=r"no column for text and label was found among .*2; --label names"):
            read_examples(written(tmp_path, rows, "a.csv"), "classify")

    def test_numbers_are_sorted_by_their_size(self) -> None:
        rows = [(f"text {number}", number % 12) for number in range(36)]
        assert read_examples(rows, "classify").labels == tuple(map(str, range(12)))

    def test_other_examples_are_read_alike(self, tmp_path: Path) -> None:
        train = read_examples(written(tmp_path, "body,title,label\na,t,x\nb,u,y\nc,v,z\n", "train.csv"), "classify")
        dev = read_examples(written(tmp_path, "title,label,body\nt,x,a\nu,x,q\n", "dev.csv"), "classify", like=train)
        assert dev.labels == ("x", "y", "z")
        assert [example.inputs for example in dev] == [("a",), ("q",)]
        assert are_seen(train, dev) == [True, False]
        assert overlap(train, dev) == 0.5

    def test_labels_that_train_never_has_are_told(self) -> None:
        train = read_examples([("a", "x"), ("b", "y")], "classify")
        test = read_examples([("c", "x"), ("d", "z"), ("e", "z")], "classify", like=train)
        assert (len(test), test.labels) == (3, ("x", "y"))
        assert "2 of 3 examples have labels that the rows given never has (z; the first in line 2)" in test.remarks[0]
        with pytest.raises(FirthError, match=r"its labels \(1, 2\) are none of the rows given's \(x, y\)"):
            read_examples([("c", 1), ("d", 2)], "classify", like=train)

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([("a", "x"), ("b", "x")], "all 2 examples have the label 'x'.*nothing to learn"),
            ([("a", "x"), ("", "y"), ("\u3000 ", "x")], r"row 2: the text is empty \(2 of 3 examples.*--empty skip"),
            ([("a", "x"), ("b", ""), ("c", "y")], "row 2: column 'column 2' has no label"),
            ([("a", "0"), ("b", "nan"), ("c", "1")], "row 2: column 'column 2' has 'nan' where the others have num"),
            ([], "holds no examples"),
            ([("", "x")], "the text is empty"),
        ],
    )
    def test_bad_examples(self, rows: list[Any], message: str) -> None:
        with pytest.raises(FirthError, match=message):
            read_examples(rows, "classify", **({"text": "1", "label": "2"} if rows else {}))

    def test_empty_texts_may_be_left_out(self) -> None:
        found = read_examples([("a", "x"), (" ", "y"), ("b", "y")], "classify", empty="skip")
        assert [example.line for example in found] == [1, 3]
        assert found.remarks == ("the rows given: 1 examples without text left out",)

    def test_a_column_of_texts_is_none_of_labels(self) -> None:
        rows = [(f"text {number}", f"other {number}") for number in range(500)]
        with pytest.raises(FirthError, match=r"500 different labels in 500 examples.*--label names another"):
            read_examples(rows, "classify", text="1", label="2")

    @pytest.mark.parametrize("wrong", [{"task": "guess"}, {"target": "x"}, {"empty": "x"}, {"second": "b"}])
    def test_wrong_calls(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            read_examples([("a", "x")], **({"task": "classify"} | wrong))


class TestPair:
    def test_named_and_unnamed_columns(self, tmp_path: Path) -> None:
        text = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t7\t8\ta b\tc d\n0\t9\t5\te\tf\n"
        found = read_examples(written(tmp_path, text, "a.tsv"), "pair")
        assert [tuple(example[:2]) for example in found] == [(("a b", "c d"), "1"), (("e", "f"), "0")]
        assert found.columns == {"first": "#1 String", "second": "#2 String", "label": "Quality"}
        rows = read_examples([("a b", "c d", "yes"), ("e", "f", "no"), ("g", "h", "no")], "pair")
        assert rows.examples[0] == Example(("a b", "c d"), "yes", 1)
        chosen = read_examples(written(tmp_path, "x,z,y\na,b,no\nc,d,yes\n", "a.csv"), "pair", text="z", second="x")
        assert chosen.examples[0].inputs == ("b", "a")

    def test_numbers_make_it_regression(self) -> None:
        rows = [("a", "b", 1), ("c", "d", "2.5"), ("e", "f", 3.0)]
        found = read_examples(rows, "pair")
        assert (found.is_regression, found.labels, found.targets) == (True, (), [1.0, 2.5, 3.0])
        assert list(account(found))[1] == "the rows given: numbers from 1 to 3"
        assert read_examples([("a", "b", 3), ("a", "c", 4)], "pair", like=found).is_regression
        assert read_examples(rows, "pair", target="labels").labels == ("1", "2.5", "3.0")
        assert read_examples([("a", "b", 1), ("c", "d", 2)], "pair", target="numbers").targets == [1.0, 2.0]

    @pytest.mark.parametrize("wrong", ["nan", "", "inf", "-", float("nan"), None, "1_0"])
    def test_what_is_no_number_among_numbers(self, wrong: Any) -> None:
        rows = [("a", "b", "1.5"), ("c", "d", "2.5"), ("e", "f", wrong), ("g", "h", "0.5")]
        with pytest.raises(FirthError, match=r"row 3: .* in column 'score' is no number"):
            read_examples(
                [dict(zip(("sentence1", "sentence2", "score"), row, strict=True)) for row in rows],
                "pair",
                target="numbers",
            )

    def test_nan_in_a_column_of_numbers_is_found_without_being_told(self) -> None:
        rows = [("a", "b", "1.5"), ("c", "d", "2.5"), ("e", "f", "NaN")]
        with pytest.raises(FirthError, match=r"row 3: 'NaN' in column 'column 3' is no number; mend it"):
            read_examples(rows, "pair")

    def test_one_number_alone(self) -> None:
        with pytest.raises(FirthError, match=r"all 2 numbers of column 'column 3' are 1.5"):
            read_examples([("a", "b", 1.5), ("c", "d", 1.5)], "pair", label="3")


class TestTag:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.conll", "EU B-ORG\nrejects O\n\nBonn B-LOC\n"),
            ("a.tsv", "EU\tB-ORG\nrejects\tO\n\nBonn\tB-LOC\n"),
            ("a.conll", "1 EU NNP B-ORG\n2 rejects VB O\n\n1 Bonn NNP B-LOC\n"),
            ("a.jsonl", '{"tokens": ["EU", "rejects"], "ner_tags": ["B-ORG", "O"]}\n'
             '{"tokens": ["Bonn"], "ner_tags": ["B-LOC"]}\n'),
            ("a.csv", "text,tags\nEU rejects,B-ORG O\nBonn,B-LOC\n"),
            ("a.csv", "Sentence #,Word,POS,Tag\nSentence: 1,EU,NNP,B-ORG\n,rejects,VB,O\nSentence: 2,Bonn,NNP,B-LOC\n"),
        ],
    )  # fmt: skip
    def test_words_and_tags(self, tmp_path: Path, name: str, text: str) -> None:
        found = read_examples(written(tmp_path, text, name), "tag")
        assert [tuple(example[:2]) for example in found] == [
            (("EU", "rejects"), ("B-ORG", "O")),
            (("Bonn",), ("B-LOC",)),
        ]
        assert (found.labels, found.scheme) == (("B-LOC", "B-ORG", "O"), "BIO")

    def test_sentences_by_their_numbers(self, tmp_path: Path) -> None:
        path = written(tmp_path, "sentence_id,word,tag\n1,a,X\n1,b,Y\n2,c,X\n", "a.csv")
        assert [tuple(example) for example in read_examples(path, "tag")] == [
            (("a", "b"), ("X", "Y"), 2),
            (("c",), ("X",), 4),
        ]

    def test_the_column_of_tags_is_named(self, tmp_path: Path) -> None:
        path = written(tmp_path, "EU NNP B-ORG\nrejects VB O\n\n", "a.conll")
        assert read_examples(path, "tag", label="2").targets == [("NNP", "VB")]
        conllu = "1\tEU\teu\tPROPN\tNNP" + "\t_" * 5 + "\n2\tis\tbe\tAUX\tVB" + "\t_" * 5 + "\n"
        path = written(tmp_path, conllu, "a.conllu")
        assert read_examples(path, "tag").targets == [("PROPN", "AUX")]
        assert read_examples(path, "tag", text="lemma", label="XPOS").examples[0][:2] == (("eu", "be"), ("NNP", "VB"))

    def test_rows(self) -> None:
        found = read_examples([(["a", "b"], [1, 2]), (("c",), ("1",))], "tag")
        assert found.examples == (Example(("a", "b"), ("1", "2"), 1), Example(("c",), ("1",), 2))

    def test_words_and_tags_of_different_number(self, tmp_path: Path) -> None:
        records = [{"tokens": ["a", "b"], "tags": tags} for tags in (["X", "Y"], ["X"])]
        path = written(tmp_path, "\n".join(map(json.dumps, records)), "a.jsonl")
        with pytest.raises(FirthError, match=r"a\.jsonl, line 2: 2 words and 1 tags; every word is to have one"):
            read_examples(path, "tag")

    @pytest.mark.parametrize(
        ("rows", "message"),
        [
            ([(["a", "b"], ["X", "X"])], "all 1 examples have the label 'X'"),
            ([(["a"], ["X"]), ([], []), (["b"], ["Y"])], "row 2: a word, or all, is empty"),
            ([(["a", ""], ["X", "Y"])], "row 1: a word, or all, is empty"),
            ([(["a", "b"], ["X", ""]), (["c"], ["Y"])], "row 1: column 'column 2' has no label"),
        ],
    )
    def test_bad_examples(self, rows: list[Any], message: str) -> None:
        with pytest.raises(FirthError, match=message):
            read_examples(rows, "tag")

    def test_numbers_are_no_tags_to_be_met(self) -> None:
        with pytest.raises(UsageError, match="tags are labels"):
            read_examples([(["a"], ["1.5"])], "tag", target="numbers")

    def test_examples_of_another_task(self) -> None:
        train = read_examples([("a", "x"), ("b", "y")], "classify")
        with pytest.raises(UsageError, match=r"of task tag .* which are of classify"):
            read_examples([(["a"], ["x"])], "tag", like=train)


class TestInputs:
    def test_a_text_a_line(self, tmp_path: Path) -> None:
        path = written(tmp_path, "1 a good film\n\na bore\n", "a.txt")
        assert read_inputs(path, "classify").examples == (
            Example(("1 a good film",), None, 1),
            Example(("a bore",), None, 3),
        )
        assert read_inputs(path, "tag").examples[1] == Example(("a", "bore"), None, 3)

    def test_the_columns_of_training(self, tmp_path: Path) -> None:
        train = read_examples(
            [{"body": "a", "title": "t", "label": 1}, {"body": "b", "title": "u", "label": 0}], "classify"
        )
        path = written(tmp_path, "title,body\nt,a b\n", "a.csv")
        assert read_inputs(path, "classify", like=train).examples == (Example(("a b",), None, 2),)
        assert read_inputs(path, "pair", text="title", second="body").examples[0].inputs == ("t", "a b")

    def test_given_in_python(self) -> None:
        assert read_inputs(["a b", "c"], "classify").examples[1] == Example(("c",), None, 2)
        assert read_inputs([("a", "b")], "pair").examples[0].inputs == ("a", "b")
        assert read_inputs([["a", "b"], ["c"]], "tag").examples[0].inputs == ("a", "b")
        assert read_inputs(["a b"], "tag").examples[0].inputs == ("a", "b")


def test_what_was_found_is_told(tmp_path: Path) -> None:
    found = read_examples(written(tmp_path, "1 a\n0 b\n1 c\x1b\n", "a.txt"), "classify")
    assert list(account(found)) == [
        "a.txt: 3 examples (lines of a label and a text; text from 'text'; label from 'label')",
        "a.txt: 2 labels: 0 1, 1 2",
    ]
    tagged = read_examples(written(tmp_path, "EU B-ORG\nis O\n", "a.conll"), "tag")
    assert list(account(tagged)) == [
        "a.conll: 1 sentences, 2 words (CoNLL columns; words from 'column 1'; label from 'column 2')",
        "a.conll: 2 labels in BIO: B-ORG 1, O 1",
    ]
    assert list(account(read_inputs(["a"], "classify"))) == ["the rows given: 1 examples (rows; text from 'column 1')"]


@settings(max_examples=10)
@given(st.lists(st.tuples(WORDS, st.sampled_from(["x", "y"])), min_size=1))
def test_texts_come_back_from_every_format(tmp_path_factory: Any, pairs: list[tuple[list[str], str]]) -> None:
    folder = tmp_path_factory.mktemp("tasks")
    rows = [(" ".join(words), label) for words, label in [(["a"], "x"), (["b"], "y"), *pairs]]
    plain = "".join(f"{label}\t{text}\n" for text, label in [("text", "label"), *rows])
    records = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    lines = "".join(f"{label} {text}\n" for text, label in rows)
    pq.write_table(
        pa.table({"text": [text for text, _ in rows], "label": [one for _, one in rows]}), folder / "a.parquet"
    )
    for path in (
        written(folder, plain, "a.tsv"),
        written(folder, records, "a.jsonl"),
        written(folder, lines, "a.txt"),
        folder / "a.parquet",
    ):
        found = read_examples(path, "classify")
        assert [(example.inputs[0], example.target) for example in found] == rows, path.suffix


# --- real data


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the tasks' data: set FIRTH_SHARED")
class TestRealData:
    @pytest.mark.parametrize(
        ("task", "files", "sizes", "n_labels"),
        [
            ("classify", "en/sst2/train.txt en/sst2/dev.txt en/sst2/test.txt", (6920, 872, 1821), 2),
            ("classify", "en/trec6/train.txt en/trec6/test.txt", (5452, 500), 6),
            (
                "pair",
                "en/mrpc/msr-para-train.tsv en/mrpc/msr-para-val.tsv en/mrpc/msr-para-test.tsv",
                (3576, 500, 1725),
                2,
            ),
            ("tag", "en/wnut17/wnut17train.conll en/wnut17/emerging.dev.conll", (3394, 1009), 13),
            ("tag", "en/wnut17/wnut17train.conll en/wnut17/emerging.test.annotated", (3394, 1287), 13),
            (
                "classify",
                "zh/chnsenticorp/train.tsv zh/chnsenticorp/dev.tsv zh/chnsenticorp/test.tsv",
                (9600, 1200, 1200),
                2,
            ),
            ("tag", "zh/resume-ner/dev.char.bmes zh/resume-ner/test.char.bmes", (463, 477), 26),
        ],
    )
    def test_all_of_it_is_read(self, task: Any, files: str, sizes: tuple[int, ...], n_labels: int) -> None:
        first, *others = (SHARED / name for name in files.split())
        train = read_examples(first, task)
        read = [train, *(read_examples(path, task, like=train) for path in others)]
        assert tuple(map(len, read)) == sizes
        assert len(train.labels) == n_labels
        assert all(found.labels == train.labels for found in read)

    def test_quotes_of_mrpc_are_kept(self) -> None:
        found = read_examples(SHARED / "en/mrpc/msr-para-train.tsv", "pair")
        assert found.examples[0].inputs[0].startswith('Amrozi accused his brother, whom he called "the witness", of')
        assert found.examples[9].line == 11
        assert found.examples[9].inputs[1].startswith('"The foodservice pie business does not fit')

    def test_the_broken_byte_of_trec_is_told(self) -> None:
        found = read_examples(SHARED / "en/trec6/train.txt", "classify")
        assert len(found.remarks) == 1
        assert "1 byte not valid utf-8 replaced by U+FFFD, in line 66" in found.remarks[0]

    def test_parts_of_speech(self) -> None:
        found = read_examples(SHARED / "en/ud-ewt/en_ewt-ud-dev.conllu", "tag")
        assert (len(found), sum(len(example.inputs) for example in found)) == (2001, 25147)
        assert (len(found.labels), found.scheme) == (17, None)

    def test_entities_by_character(self) -> None:
        found = read_examples(SHARED / "zh/resume-ner/test.char.bmes", "tag")
        assert found.scheme == "BMES"

    def test_a_quarter_of_chnsenticorp_is_in_its_train_file(self) -> None:
        train = read_examples(SHARED / "zh/chnsenticorp/train.tsv", "classify")
        test = read_examples(SHARED / "zh/chnsenticorp/test.tsv", "classify", like=train)
        assert sum(are_seen(train, test)) == 331
        assert overlap(train, test) == pytest.approx(331 / 1200)

    @pytest.mark.slow
    def test_the_train_file_of_parts_of_speech(self) -> None:
        found = read_examples(SHARED / "en/ud-ewt/en_ewt-ud-train.conllu", "tag")
        assert (len(found), sum(len(example.inputs) for example in found)) == (12544, 204577)
