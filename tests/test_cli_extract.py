"""`firth extract`: what is printed, what is written, what is refused."""

import io
import json

import numpy as np
import pytest

import firth
from firth import cli, contexts, parts
from firth.segmentation import Segmentation

WORDS = ["the", "cat", "sat", "今天"]


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        status = cli.main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def model(tmp_path):
    array = np.arange(16, dtype=np.float32).reshape(2, 4, 2)
    firth.Vectors(WORDS, array, segmentation=Segmentation(method="chinese")).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text("The cat\n\nsat 今天\nthe cat.\n", encoding="utf-8")
    return tmp_path / "text.txt"


def test_a_table_is_printed(run, model):
    status, out, err = run("extract", model, "--text", "the cat\nsat")
    assert (status, err) == (0, "")
    assert [line.split("\t") for line in out.splitlines()] == [
        ["sentence", "position", "word", "layer", "vector"],
        ["0", "0", "the", "0", "0 1"],
        ["0", "0", "the", "1", "8 9"],
        ["0", "1", "cat", "0", "2 3"],
        ["0", "1", "cat", "1", "10 11"],
        ["1", "0", "sat", "0", "4 5"],
        ["1", "0", "sat", "1", "12 13"],
    ]


def test_json_is_printed(run, model, text):
    status, out, _ = run("extract", model, text, "--layers", "mean:all", "--json")
    assert status == 0
    first, second, third = json.loads(out)
    assert first == {"words": ["the", "cat"], "unknown": [], "layers": {"mean:all": [[4, 5], [6, 7]]}}
    assert (second["words"], third["words"]) == (["sat", "今天"], ["the", "cat"])


def test_a_terminal_gets_a_table(run, model, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    assert run("extract", model, "--text", "the")[0] == 0
    assert "0.0000 1.0000" in terminal.getvalue()


def test_standard_input_is_a_text(run, model, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the cat\n")))
    status, out, _ = run("extract", model, "-", "--layers", "0")
    assert status == 0
    assert len(out.splitlines()) == 3


@pytest.mark.parametrize("kind", ["safetensors", "npy", "parquet"])
def test_vectors_are_written(run, model, text, kind, tmp_path):
    status, out, _ = run("extract", model, text, "-o", "out", "--format", kind, "--json", "--quiet")
    assert status == 0
    assert json.loads(out) == [{"output": "out", "sentences": 3, "words": 6, "unknown": 0}]
    sentences = list(contexts.read_extracted(tmp_path / "out"))
    assert [sentence.words for sentence in sentences] == [["the", "cat"], ["sat", "今天"], ["the", "cat"]]
    assert run("extract", model, text, "-o", "out")[0] == 2
    assert run("extract", model, text, "-o", "out", "--overwrite", "--quiet")[0] == 0


def test_words_without_a_vector_are_reported(run, model, tmp_path):
    status, _, err = run("extract", model, "--text", "the dog and the cat", "-o", "out", "--quiet")
    assert status == 0
    assert "2 of 5 words" in err
    assert "dog, and" in err
    status, out, err = run("extract", model, "--text", "the dog", "--layers=0")
    assert status == 0
    assert "nan nan" in out
    assert "1 of 2 words" in err
    assert run("extract", model, "--text", "the dog", "--unknown", "error")[0] == 1


def test_an_interruption_says_how_to_go_on(run, model, text, monkeypatch, tmp_path):
    def pressed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(contexts, "prepare", pressed)
        status, _, err = run("extract", model, text, "-o", "out", "--quiet")
    assert (status, err) == (1, "firth: interrupted\n")  # there is nothing to go on with
    with monkeypatch.context() as patch:
        patch.setattr(parts, "_finished", pressed)
        status, _, err = run("extract", model, text, "-o", "out", "--quiet")
    assert (status, "--resume" in err) == (1, True)
    assert run("extract", model, text, "-o", "out", "--quiet")[0] == 2
    assert run("extract", model, text, "-o", "out", "--resume", "--quiet")[0] == 0
    assert len(list(contexts.read_extracted(tmp_path / "out"))) == 3


def test_tables_and_sentences_are_read(run, model, tmp_path):
    (tmp_path / "text.jsonl").write_text('{"body": "The cat. The cat sat."}\n{"body": "今天"}\n', encoding="utf-8")
    arguments = ["--field", "body", "--sentences", "split", "--lang", "en", "--layers", "0"]
    status, out, _ = run("extract", model, "text.jsonl", *arguments)
    assert status == 0
    rows = [line.split("\t")[:3] for line in out.splitlines()[1:]]
    assert rows == [
        *(["0", "0", "the"], ["0", "1", "cat"], ["1", "0", "the"], ["1", "1", "cat"], ["1", "2", "sat"]),
        ["2", "0", "今天"],
    ]


def test_a_line_longer_than_a_block_is_one_sentence(run, model, tmp_path):
    (tmp_path / "long.txt").write_text("the cat sat " * 20_000 + "\nthe\n", encoding="utf-8")
    assert run("extract", model, "long.txt", "-o", "out", "--quiet")[0] == 0
    assert [len(sentence.words) for sentence in contexts.read_extracted(tmp_path / "out")] == [60_000, 1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["model"],
        ["model", "text.txt", "--text", "the"],
        ["model", "text.txt", "--layers", "7"],
        ["model", "text.txt", "--layers", "some"],
        ["model", "text.txt", "--pool", "median"],
        ["model", "text.txt", "--resume"],
        ["model", "text.txt", "--nothing"],
        ["model", "text.txt", "--context-length", "8"],
        ["model", "text.txt", "-o", "out", "--resume"],
    ],
)
@pytest.mark.usefixtures("model", "text")
def test_wrong_usage_exits_with_2(run, arguments):
    status, out, err = run("extract", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("firth: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [["none", "text.txt"], ["model", "none.txt"], ["model", "--text", "..."], ["model", "--text", "", "-o", "out"]],
)
@pytest.mark.usefixtures("model", "text")
def test_failure_exits_with_1(run, arguments):
    status, out, err = run("extract", *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("firth: ")


def test_words_that_look_like_escapes_are_harmless(run, tmp_path):
    firth.Vectors(["\x1b[31m"], np.ones((1, 2))).save(tmp_path / "odd")
    _, out, _ = run("extract", "odd", "--text", "\x1b[31m", "--segment", "space")
    assert "\x1b" not in out
