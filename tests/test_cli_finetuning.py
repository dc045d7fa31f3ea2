"""`firth finetune` and `firth predict`, from files to what is printed."""

import io
import json

import numpy as np
import pytest

pytest.importorskip("torch")

import firth
from firth import devices
from firth.cli import main
from firth.segmentation import Segmentation
from firth.vectors import Vectors

WORDS = ["good", "great", "bad", "sad", "the", "film", "was", "a", "play"]
TRAIN = [
    ("good", "a good film"), ("bad", "a sad film"), ("good", "the play was great"), ("bad", "the film was bad"),
    ("good", "great"), ("bad", "sad play"), ("good", "the good play"), ("bad", "a bad, bad play"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def one_thread():
    with devices.on_threads(1):
        yield


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with vectors and examples, where the commands run."""
    vectors = np.random.default_rng(0).normal(0, 1, (len(WORDS), 12))
    Vectors(WORDS, vectors, segmentation=Segmentation(method="words", lower=True)).save(tmp_path / "vectors")
    rows = "".join(f"{label}\t{text}\n" for label, text in TRAIN)
    (tmp_path / "train.tsv").write_text(f"label\ttext\n{rows}", encoding="utf-8")
    (tmp_path / "dev.tsv").write_text("label\ttext\ngood\tthe film was good\nbad\tthe film was sad\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def called(capsys, *arguments):
    status = main([*arguments])
    out, err = capsys.readouterr()
    return status, out, err


QUICK = ["--head", "linear", "--epochs", "40", "--learning-rate", "0.05", "--batch-size", "4", "--head-dropout", "0"]
FINETUNE = [
    "finetune",
    "vectors",
    "--task",
    "classify",
    "--train",
    "train.tsv",
    "--dev",
    "dev.tsv",
    "-o",
    "out",
    *QUICK,
]


def test_from_a_table_of_examples_to_answers(place, capsys):
    status, out, err = called(capsys, *FINETUNE, "--test", "dev.tsv", "--patience", "40", "--json")
    assert status == 0, err
    (row,) = json.loads(out)
    assert row["dev_accuracy"] == row["test_accuracy"] == 1.0
    assert row["seed"] == 1
    assert "train.tsv: 8 examples" in err
    assert "100.0% of" not in err
    status, out, err = called(capsys, "predict", "out", "--text", "the play was good", "--json")
    assert status == 0, err
    assert [(one["label"], one["text"]) for one in json.loads(out)] == [("good", "the play was good")]
    (place / "new.txt").write_text("a sad film\nthe good play\n", encoding="utf-8")
    status, out, err = called(capsys, "predict", "out", "new.txt")
    assert status == 0, err
    lines = [line.split("\t") for line in out.splitlines()]
    assert lines[0] == ["label", "probability", "text"]
    assert [(line[0], line[2]) for line in lines[1:]] == [("bad", "a sad film"), ("good", "the good play")]
    assert called(capsys, "predict", "out", "a sad play", "--json")[1] != ""
    answers = firth.predict("out", ["sad film"])
    assert answers[0].label == "bad"


def test_the_table_that_was_trained_is_a_result_too(place, capsys):
    assert called(capsys, *FINETUNE, "--quiet")[0] == 0
    status, out, _ = called(capsys, "nearest", "out", "good", "-n", "2", "--json")
    assert status == 0
    assert len(json.loads(out)) == 2
    assert called(capsys, "convert", "out", "x.vec")[0] == 0
    assert (place / "x.vec").read_text(encoding="utf-8").splitlines()[0] == "9 12"


def test_a_table_from_scratch(place, capsys):
    status, out, err = called(capsys, *FINETUNE, "--from-scratch", "--seeds", "2", "--json")
    assert status == 0, err
    assert [row["seed"] for row in json.loads(out)] == [1, 2]
    assert "in the mean of 2 seeds" in err
    assert not np.allclose(Vectors.load("out")["good"], Vectors.load("vectors")["good"], atol=0.5)


def test_tags(place, capsys):
    lines = "".join("".join(f"{word}\t{word in ('film', 'play')}\n" for word in text.replace(",", "").split()) + "\n"
                    for _, text in TRAIN)  # fmt: skip
    (place / "train.conll").write_text(lines, encoding="utf-8")
    arguments = ["finetune", "vectors", "--task", "tag", "--train", "train.conll", "-o", "out", *QUICK]
    status, _, err = called(capsys, *arguments)
    assert status == 0, err
    status, out, _ = called(capsys, "predict", "out", "--text", "the good film", "--json")
    assert status == 0
    assert [(row["word"], row["tag"]) for row in json.loads(out)] == [
        ("the", "False"),
        ("good", "False"),
        ("film", "True"),
    ]


def test_pairs(place, capsys):
    rows = "".join(f"{one[1]}\t{two[1]}\t{'same' if one[0] == two[0] else 'other'}\n" for one in TRAIN for two in TRAIN)
    (place / "pairs.tsv").write_text(f"first\tsecond\tlabel\n{rows}", encoding="utf-8")
    arguments = ["finetune", "vectors", "--task", "pair", "--train", "pairs.tsv", "-o", "out", "--epochs", "1"]
    status, _, err = called(capsys, *arguments, "--head", "linear")
    assert status == 0, err
    status, out, err = called(capsys, "predict", "out", "--text", "a good film", "--second", "sad", "--json")
    assert status == 0, err
    (row,) = json.loads(out)
    assert (row["first"], row["second"]) == ("a good film", "sad")
    assert row["label"] in ("same", "other")
    assert called(capsys, "predict", "out", "--text", "a good film")[0] == 2


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["--use", "features", "--from-scratch"], 2, "would leave it as it is drawn"),
        (["--layers", "second-to-last"], 2, "layer -2 asked of a static model of 9 words, which has 1 (layer 0)"),
        (["--layer-decay", "0.5"], 2, "layer_decay is given, and changes nothing"),
        (["--head", "crf"], 2, "head crf is of tag"),
        (["--label", "labels"], 2, "labels"),
        (["--resume"], 2, "no unfinished run to resume"),
        (["--train", "missing.tsv"], 1, "missing.tsv"),
        (["--epochs", "-1"], 2, "epochs is -1"),
    ],
)
def test_what_cannot_be(place, capsys, more, status, said):
    arguments = list(FINETUNE)
    if more[0] in arguments:  # in the place of what is there
        arguments[arguments.index(more[0]) + 1] = more[1]
        more = []
    found = called(capsys, *arguments, *more)
    assert (found[0], said in found[2]) == (status, True), found[2]
    assert "Traceback" not in found[2]
    assert not (place / "out").exists()


def test_an_output_that_exists_is_refused(place, capsys):
    assert called(capsys, *FINETUNE, "--quiet")[0] == 0
    status, _, err = called(capsys, *FINETUNE)
    assert (status, "exists" in err) == (2, True)
    assert called(capsys, *FINETUNE, "--quiet", "--overwrite")[0] == 0


@pytest.mark.parametrize("arguments", [["predict", "vectors", "a"], ["predict", "nothing", "a"]])
def test_what_has_no_head_answers_nothing(place, capsys, arguments):
    status, out, err = called(capsys, *arguments)
    assert (status, out) == (1, "")
    assert "firth finetune" in err


def test_a_report_beside_the_model(place, capsys):
    pytest.importorskip("plotly")
    assert called(capsys, *FINETUNE, "--seeds", "2", "--report", "--quiet")[0] == 0
    told = json.loads((place / "out" / "report.json").read_bytes())
    assert (told["title"], told["scores"]["n"]) == ("out on dev.tsv", 2)
    assert [run["seed"] for run in told["runs"]] == [1, 2]
    page = (place / "out" / "report.html").read_text(encoding="utf-8")
    assert "<h2>Runs</h2>" in page
    without = [word for word in FINETUNE if word not in ("--dev", "dev.tsv")]
    status, _, err = called(capsys, *without, "--overwrite", "--report")
    assert (status, "give --test or --dev" in err) == (2, True)
    assert called(capsys, *FINETUNE, "--overwrite", "--quiet")[0] == 0
    assert not (place / "out" / "report.html").exists()


@pytest.mark.parametrize(
    ("task", "given", "answers"),
    [
        ("classify", "a good film\n\n第二 sad\n", 2),
        ("classify", "\ufeffa good film\r\nsad\r\n", 2),
        ("pair", "a good film\tsad\nsad\tbad\n", 2),
        ("tag", "a good film\nsad\n", 4),
    ],
)
def test_standard_input(place, capsys, monkeypatch, task, given, answers):
    rows = [(text, label) for label, text in TRAIN]
    if task == "pair":
        rows = [(text, text, label) for text, label in rows]
    if task == "tag":
        rows = [(text.split(), [label] * len(text.split())) for text, label in rows]
    firth.finetune("vectors", rows, task=task, head="linear", epochs=1, output="out")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode("utf-8"))))
    status, out, err = called(capsys, "predict", "out", "-", "--json")
    assert status == 0, err
    found = json.loads(out)
    assert len(found) == answers
    assert next(iter([row.get("text", row.get("first", "a good film")) for row in found])) == "a good film"


def test_the_columns_of_training_are_those_of_prediction(place, capsys):
    lines = "".join(f"{label}\t{text}\t{'longer than the text is, as comments are ' * 2}\n" for label, text in TRAIN)
    (place / "train.tsv").write_text(f"stars\tnote\tremarks\n{lines}", encoding="utf-8")
    arguments = ["finetune", "vectors", "--task", "classify", "--train", "train.tsv", "-o", "out", *QUICK]
    assert called(capsys, *arguments, "--text", "note", "--label", "stars")[0] == 0
    status, out, err = called(capsys, "predict", "out", "train.tsv", "--json")
    assert status == 0, err
    assert [row["text"] for row in json.loads(out)] == [text for _, text in TRAIN]


def test_a_text_or_a_file_is_due(place, capsys):
    assert called(capsys, "predict", "vectors")[0] == 2
    assert called(capsys, "predict", "vectors", "a", "--text", "b")[0] == 2


def test_an_encoding_is_of_a_file(place, capsys):
    firth.finetune("vectors", [(text, label) for label, text in TRAIN], task="classify", epochs=1, output="out")
    for given in (["--text", "a good film"], ["a good film"]):
        status, out, err = called(capsys, "predict", "out", *given, "--encoding", "gb18030")
        assert (status, out) == (2, "")
        assert "--encoding is of a file" in err


@pytest.mark.parametrize(
    "name",
    [
        "missing.txt",
        "new reviews.csv",
        "a.jsonl.gz",
        "./missing",
        "../a",
        "/nowhere/a",
        "texts/missing",
        "texts/my notes",
    ],
)
def test_a_file_that_is_missing_is_no_text(place, capsys, name):
    firth.finetune("vectors", [(text, label) for label, text in TRAIN], task="classify", epochs=1, output="out")
    (place / "texts").mkdir()
    status, out, err = called(capsys, "predict", "out", name)
    assert (status, out) == (1, "")
    assert f"there is no file {name}" in err
    status, out, err = called(capsys, "predict", "out", "--text", name, "--json")
    assert (status, [row["text"] for row in json.loads(out)]) == (0, [name])


@pytest.mark.parametrize(
    ("text", "is_told"), [("good.film", True), ("9/10", True), ("what // a/ film/", False), ("a .. film", False)]
)
def test_what_is_not_named_as_a_file_is_a_text_as_it_stands(place, capsys, text, is_told):
    firth.finetune("vectors", [(text, label) for label, text in TRAIN], task="classify", epochs=1, output="out")
    status, out, err = called(capsys, "predict", "out", text, "--json")
    assert (status, [row["text"] for row in json.loads(out)]) == (0, [text])
    assert (f"there is no file {text}: it is read as the text itself" in err) == is_told


def test_a_folder_is_no_text(place, capsys):
    firth.finetune("vectors", [(text, label) for label, text in TRAIN], task="classify", epochs=1, output="out")
    status, out, err = called(capsys, "predict", "out", "vectors")
    assert (status, out, "vectors" in err) == (1, "", True)
    assert called(capsys, "predict", "out", "")[0] == 2
    assert called(capsys, "predict", "out", "--text", " ")[0] == 2


def test_a_text_may_be_longer_than_any_files_name(place, capsys):
    assert called(capsys, *FINETUNE, "--quiet")[0] == 0
    status, out, err = called(capsys, "predict", "out", "好" * 300, "--json")
    assert status == 0, err
    assert [row["text"] for row in json.loads(out)] == ["好" * 300]


def test_a_file_of_the_format_of_training_is_read_as_that(place, capsys):
    lines = "".join(f"{label} {text}\n" for label, text in TRAIN)
    (place / "train.txt").write_text(lines, encoding="utf-8")
    (place / "new.txt").write_text("the film was good\nplay\n", encoding="utf-8")
    arguments = [word.replace("train.tsv", "train.txt") for word in FINETUNE if word not in ("--dev", "dev.tsv")]
    assert called(capsys, *arguments)[0] == 0
    for file, texts, said in (
        ("train.txt", [text for _, text in TRAIN], "lines of a label and a text"),
        ("new.txt", ["the film was good", "play"], "a text a line"),
    ):
        status, out, err = called(capsys, "predict", "out", file, "--json")
        assert status == 0, err
        assert [row["text"] for row in json.loads(out)] == texts
        assert f"{file}: {len(texts)} examples ({said}" in err


@pytest.mark.parametrize("interrupted", ["checkpoint", "seeds"])
def test_what_cannot_be_trained_leaves_an_unfinished_run_as_it_is(place, capsys, interrupted):
    begun = place / "out" / ("checkpoint/3" if interrupted == "checkpoint" else "seeds/1")
    begun.mkdir(parents=True)
    (begun / "firth.json").write_text("{}", encoding="utf-8")
    if interrupted == "checkpoint":
        (place / "out" / "checkpoint" / "latest").write_text("3", encoding="utf-8")
    status, _, err = called(capsys, *FINETUNE)
    assert (status, "holds an unfinished run: resume it" in err) == (2, True)
    for more in (["--label", "labels"], ["--head-dropout", "2"]):
        assert called(capsys, *FINETUNE[:-2], *more, "--overwrite")[0] == 2
    assert (begun / "firth.json").is_file()
    assert called(capsys, *FINETUNE, "--overwrite", "--quiet")[0] == 0
    assert not (place / "out" / interrupted).exists()
