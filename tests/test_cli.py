"""Commands as a whole, and those that ask vectors: help, neighbours, scores, formats, exit status."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import ENGLISH, Run, lines, process, vectors_of

from firth.cli.__main__ import reference
from firth.segmentation import Segmentation
from firth.vectors import Vectors

ROOT = Path(__file__).parent.parent

CHINESE = ["我", "今天", "好", "开心", "高兴"]
MARKUP = ["[/b]", "[red]", "\x1b[31m", "\x9b2J", "\u202egnp"]


@pytest.fixture
def layered(tmp_path: Path) -> Path:
    vectors_of(ENGLISH, n_layers=2).save(tmp_path / "layered")
    return tmp_path / "layered"


@pytest.fixture(params=["chinese", "space"])
def chinese(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    vectors_of(CHINESE, request.param).save(tmp_path / "zh")
    return tmp_path / "zh"


def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard output as a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


# --- help, version, documentation


def test_help_names_the_commands_in_the_order_of_the_work(run: Run) -> None:
    status, out, _ = run("--help")
    commands = [line.split(":")[0].strip() for line in out.partition("Commands:")[2].splitlines() if ":" in line]
    assert status == 0
    assert commands[:24] == [
        *("check", "phrases", "train", "count", "nearest", "analogy", "similarity", "evaluate", "sets", "extract"),
        *("matrices", "layers", "senses", "probe", "finetune", "predict", "report", "compare", "change", "convert"),
        *("push", "serve", "demo", "cache"),
    ]


def test_help_imports_neither_the_kernels_nor_the_arrays() -> None:
    code = (
        "import sys; from firth.cli import main; main(['--help']);"
        "sys.exit(bool({'numba', 'torch', 'numpy', 'scipy', 'rjieba'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        ("train", "skipgram"),
        ("train", "cbow"),
        ("train", "glove"),
        ("count",),
        ("train", "gpt"),
        ("train", "bert"),
        ("nearest",),
        ("evaluate",),
        ("sets",),
        ("senses",),
        ("probe",),
        ("report",),
        ("compare",),
        ("demo",),
    ],
)
def test_every_command_explains_itself(run: Run, command: tuple[str, ...]) -> None:
    status, out, err = run(*command, "--help")
    assert (status, err) == (0, "")
    assert f"firth {' '.join(command)}" in out


def test_version(run: Run) -> None:
    status, out, _ = run("--version")
    assert status == 0
    assert out.strip()[0].isdigit()


def test_the_reference_is_that_of_the_code() -> None:
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == reference(), (
        "python -m firth.cli > docs/cli.md writes it anew"
    )


def test_the_reference_explains_every_argument() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 80
    assert all(row.rsplit("|", 2)[1].strip() for row in rows)


# --- nearest, analogy, similarity


def test_nearest_prints_neighbours_parted_by_tabs(run: Run, english: Path) -> None:
    expected = Vectors.load(english).most_similar("king", topn=2)
    status, out, err = run("nearest", english, "king", "-n", "2")
    assert (status, err) == (0, "")
    assert lines(out) == [
        ["layer", "word", "neighbour", "similarity"],
        *(["0", "king", word, f"{cosine:.4f}"] for word, cosine in expected),
    ]


def test_nearest_prints_json_in_full(run: Run, english: Path) -> None:
    ((neighbour, cosine),) = Vectors.load(english).most_similar("king", topn=1)
    _, out, _ = run("nearest", english, "king", "-n", "1", "--json")
    assert json.loads(out) == [{"layer": 0, "word": "king", "neighbour": neighbour, "similarity": cosine}]


def test_nearest_takes_any_file_of_vectors(run: Run, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("2 2\nking 1 0\nqueen 1 1\n", encoding="utf-8")
    status, out, _ = run("nearest", "v.txt", "king")
    assert status == 0
    assert lines(out)[1] == ["0", "king", "queen", "0.7071"]


def test_a_layer_or_all_of_them_can_be_asked(run: Run, layered: Path) -> None:
    def layers(*arguments: str) -> list[str]:
        return [line[0] for line in lines(run("similarity", layered, "king", "queen", *arguments)[1])[1:]]

    assert layers() == ["1"]
    assert layers("--layer", "0") == ["0"]
    assert layers("--layer", "all") == ["0", "1"]
    assert run("similarity", layered, "king", "queen", "--layer", "2")[0] == 2


def test_analogy_asks_what_c_is_to_as_a_is_to_b(run: Run, english: Path) -> None:
    expected = Vectors.load(english).most_similar(positive=["king", "woman"], negative=["man"], topn=1)
    status, out, _ = run("analogy", english, "man", "king", "woman", "-n", "1")
    assert status == 0
    assert lines(out)[1][1:] == [expected[0][0], f"{expected[0][1]:.4f}"]


def test_similarity_prints_one_row(run: Run, english: Path) -> None:
    _, out, _ = run("similarity", english, "King", "queen", "--json")
    ((row),) = json.loads(out)
    assert row["similarity"] == Vectors.load(english).similarity("king", "queen")


@pytest.mark.parametrize("arguments", [["我", "今天", "好", "开心"], ["我 今天 好 开心"], ["我 今天", "好 开心"]])
def test_chinese_words_parted_by_spaces_are_words_in_every_command(
    run: Run, chinese: Path, arguments: list[str]
) -> None:
    _, out, _ = run("nearest", chinese, *arguments, "-n", "1", "--json")
    assert [row["word"] for row in json.loads(out)] == ["我", "今天", "好", "开心"]
    for command, n in (("similarity", 2), ("analogy", 3)):
        status, _, err = run(command, chinese, *arguments)
        assert status == 2
        assert f"takes {n} words; 4 were given: 我, 今天, 好, 开心" in err


def test_two_words_in_one_argument_are_compared(run: Run, chinese: Path) -> None:
    status, out, _ = run("similarity", chinese, "好 开心")
    assert status == 0
    assert lines(out)[1][1:3] == ["好", "开心"]


def test_an_unknown_chinese_word_stays_whole_and_its_known_parts_are_named(run: Run, chinese: Path) -> None:
    status, out, err = run("nearest", chinese, "好开心")
    assert (status, out) == (1, "")
    assert "'好开心'" in err
    assert "好 + 开心" in err


def test_a_model_whose_words_another_segmenter_cut_is_used_with_a_warning(run: Run, tmp_path: Path) -> None:
    segmentation = Segmentation(method="chinese", segmenter="rjieba 0.0.1")
    Vectors(CHINESE, np.eye(5), segmentation=segmentation).save(tmp_path / "zh")
    status, out, err = run("similarity", "zh", "好", "开心")
    assert (status, err) == (0, f"firth: warning: {segmentation.warning()}\n")
    assert lines(out)[1][1:3] == ["好", "开心"]


def test_words_that_look_like_markup_or_escapes_are_harmless(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vectors_of(MARKUP, "space").save(tmp_path / "markup")
    status, out, _ = run("nearest", "markup", *MARKUP[:2])
    shown = {line[2] for line in lines(out)[1:]}
    assert status == 0
    assert {"[/b]", "[red]", "\\u{1b}[31m", "\\u{9b}2J", "\\u{202e}gnp"} == shown

    _, out, _ = run("nearest", "markup", "[red]", "--json")
    assert {row["neighbour"] for row in json.loads(out)} == set(MARKUP) - {"[red]"}
    assert not any(char in out for char in "\x1b\x9b\u202e")

    screen = terminal(monkeypatch)
    run("nearest", "markup", "[red]")
    assert "[/b]" in screen.getvalue()
    assert "\\u{1b}[31m" in screen.getvalue()
    assert "\x1b[31m" not in screen.getvalue()


def test_a_terminal_gets_a_table(run: Run, english: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    run("nearest", english, "king", "-n", "1")
    assert "similarity" in screen.getvalue()
    assert "─" in screen.getvalue()
    assert "\t" not in screen.getvalue()


# --- exit status


@pytest.mark.parametrize(
    "arguments",
    [
        ["bogus"],
        ["nearest"],
        ["nearest", "english"],
        ["nearest", "english", "king", "--bogus"],
        ["nearest", "english", "king", "-n", "0"],
        ["nearest", "english", "king", "-n", "two"],
        ["nearest", "english", "king", "--layer", "7"],
        ["similarity", "english", "king"],
        ["analogy", "english", "king", "queen"],
        ["evaluate", "english"],
        ["evaluate", "--pairs", "x.tsv"],
        ["train", "fasttext", "corpus.txt", "-o", "out"],
        ["train", "skipgram", "-o", "out"],
        ["train", "skipgram", "corpus.txt"],
        ["train", "skipgram", "corpus.txt", "-o", "out", "--dim", "0"],
        ["train", "skipgram", "corpus.txt", "-o", "out", "--dim", "3.5"],
        ["train", "skipgram", "corpus.txt", "-o", "out", "--epochs", "1", "--minutes", "1"],
        ["train", "skipgram", "corpus.txt", "-o", "out", "--preset", "network"],
        ["train", "skipgram", "corpus.txt", "-o", "out", "--widow", "3"],
        ["train", "skipgram", "corpus.txt", "-o", "out", "--resume"],
        ["train", "skipgram", "missing.txt", "-o", "english"],
    ],
)
@pytest.mark.usefixtures("english")
def test_wrong_usage_exits_with_2(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "corpus.txt").write_text("a b\n", encoding="utf-8")
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("firth: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nearest", "english", "unheardof"],
        ["nearest", "english", "\udcff"],
        ["nearest", "missing", "king"],
        ["nearest", "malformed.txt", "king"],
        ["evaluate", "english", "--pairs", "missing.tsv"],
        ["convert", "missing", "out.txt"],
        ["train", "skipgram", "missing.txt", "-o", "out"],
        ["train", "skipgram", "empty.txt", "-o", "out", "--quiet"],
        ["train", "skipgram", "rare.txt", "-o", "out", "--quiet"],
    ],
)
@pytest.mark.usefixtures("english")
def test_failure_exits_with_1(run: Run, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "malformed.txt").write_text("2 2\nking 1 0\nqueen 1\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    (tmp_path / "rare.txt").write_text("each word stands once\n", encoding="utf-8")
    status, out, err = run(*arguments)
    assert (status, out) == (1, "")
    assert err.startswith("firth: ")
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (OSError(28, "No space left on device", "out"), "out: No space left on device"),
        (MemoryError("52 GiB"), "not enough memory: 52 GiB"),
    ],
)
def test_what_happens_to_the_machine_or_the_user_is_told_in_a_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, message: str
) -> None:
    def load(*_: object, **__: object) -> Vectors:
        raise error

    monkeypatch.setattr(Vectors, "load", load)
    assert run("nearest", "english", "king") == (1, "", f"firth: {message}\n")


def test_a_warning_is_a_line_on_standard_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("3 2\nking 1 0\nqueen 1 1\nking 0 1\n", encoding="utf-8")
    status, out, err = run("nearest", "v.txt", "king")
    assert status == 0
    assert len(lines(out)) == 2
    assert err.startswith("firth: warning: v.txt")


@pytest.mark.skipif(os.name == "nt", reason="Windows tells of a closed pipe in another way")
def test_a_reader_that_has_seen_enough_is_no_failure_to_report(english: Path) -> None:
    command = [sys.executable, "-m", "firth", "nearest", str(english), "king"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    with running.stderr as errors:
        assert errors.read() == b""
    assert running.wait() == 1


def test_a_pipe_gets_utf_8_whatever_the_locale_is(tmp_path: Path) -> None:
    vectors_of(CHINESE, "space").save(tmp_path / "zh")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"}
    done = process("similarity", tmp_path / "zh", "好", "开心", env=environment)
    assert done.returncode == 0
    assert "好\t开心" in done.stdout.decode("utf-8")


# --- evaluate, convert


@pytest.fixture
def questions(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("king\tqueen\t9\nking\tparis\t1\nman\tzebra\t2\n", encoding="utf-8")
    text = ": royal\nman king woman queen\n: rest\nman woman king zebra\n"
    (tmp_path / "analogies.txt").write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("questions")
def test_evaluate_prints_a_row_for_each_model_and_layer(run: Run, english: Path, layered: Path) -> None:
    status, out, err = run("evaluate", english, layered, "--pairs", "pairs.tsv", "--analogies", "analogies.txt")
    assert status == 0
    summary, correlations, accuracies = (lines(block) for block in out.split("\n\n"))
    assert summary[0] == ["model", "layer", "pairs spearman", "analogies accuracy"]
    assert [line[:2] for line in summary[1:]] == [[str(english), "0"], [str(layered), "0"], [str(layered), "1"]]
    assert correlations[1][2:3] + correlations[1][-1:] == ["pairs", "2/3"]
    assert [line[3] for line in accuracies[1:4]] == ["royal", "rest", "total"]
    assert [line[5] for line in accuracies[1:4]] == ["1/1", "0/1", "1/2"]
    assert f"{english}, layer 0: unknown words of pairs.tsv: zebra" in err


@pytest.mark.usefixtures("questions")
def test_evaluate_prints_all_figures_as_json(run: Run, english: Path) -> None:
    _, out, _ = run("evaluate", english, "--pairs", "pairs.tsv", "--analogies", "analogies.txt", "--json")
    ((result),) = json.loads(out)
    vectors = Vectors.load(english)
    expected = vectors.evaluate_word_pairs("pairs.tsv")
    assert result["pairs"][0]["spearman"] == expected.spearman
    assert result["pairs"][0]["unknown"] == ["zebra"]
    assert result["analogies"][0]["accuracy"] == vectors.evaluate_word_analogies("analogies.txt").accuracy
    assert result["analogies"][0]["sections"][1]["accuracy"] is None  # of no question answered, not NaN


@pytest.mark.usefixtures("questions")
def test_evaluate_takes_lists_parted_by_commas_and_a_limit(run: Run, english: Path, tmp_path: Path) -> None:
    (tmp_path / "other.tsv").write_text("king queen 9\nking man 1\n", encoding="utf-8")
    _, out, _ = run("evaluate", english, "--pairs", "pairs.tsv,other.tsv", "--restrict", "2", "--json")
    assert [pairs["n_answered"] for pairs in json.loads(out)[0]["pairs"]] == [1, 1]


@pytest.mark.parametrize(("name", "start"), [("v.txt", b"5 8\n"), ("v.vec", b"5 8\n"), ("v.bin", b"5 8\n")])
def test_convert_writes_the_format_that_the_suffix_names(run: Run, english: Path, name: str, start: bytes) -> None:
    assert run("convert", english, name)[0] == 0
    assert Path(name).read_bytes().startswith(start)
    assert run("convert", name, "back")[0] == 0
    original, back = Vectors.load(english), Vectors.load("back")
    assert back.words == original.words
    np.testing.assert_array_equal(back.array, original.array)


def test_convert_writes_the_format_that_is_asked(run: Run, english: Path) -> None:
    status, out, _ = run("convert", english, "v.txt", "--format", "glove", "--limit", "2")
    assert status == 0
    assert lines(out)[1] == ["v.txt", "2", "8"]
    assert [line.split()[0] for line in Path("v.txt").read_text(encoding="utf-8").splitlines()] == ["king", "queen"]


def test_convert_says_which_layer_a_file_has_got(run: Run, english: Path, layered: Path) -> None:
    status, _, err = run("convert", layered, "v.txt")
    assert status == 0
    assert "has 2 layers; v.txt holds layer 1 alone" in err
    np.testing.assert_array_equal(Vectors.load("v.txt").matrix, Vectors.load(layered).layer(1).matrix)
    assert run("convert", layered, "directory")[2] == ""
    assert Vectors.load("directory").n_layers == 2
    assert run("convert", english, "one.txt")[2] == ""


def test_convert_replaces_nothing_unless_told(run: Run, english: Path) -> None:
    for target in ("v.txt", "directory"):
        assert run("convert", english, target)[0] == 0
        status, _, err = run("convert", english, target)
        assert status == 2
        assert "exists" in err
        assert run("convert", english, target, "--limit", "1", "--overwrite")[0] == 0
        assert len(Vectors.load(target)) == 1


def test_convert_asks_for_a_format_where_the_name_says_none(run: Run, english: Path) -> None:
    status, _, err = run("convert", english, "v.npz")
    assert status == 2
    assert "--format" in err


def test_convert_refuses_or_replaces_spaces_in_words(run: Run, tmp_path: Path) -> None:
    vectors_of(["new york", "paris"]).save(tmp_path / "cities")
    assert run("convert", "cities", "v.txt")[0] == 1
    assert run("convert", "cities", "v.txt", "--space", "_")[0] == 0
    assert Vectors.load("v.txt").words == ["new_york", "paris"]
