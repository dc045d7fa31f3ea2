import dataclasses
import gzip
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest

from firth import cli, model, training
from firth.cli.__main__ import reference
from firth.cli.settings import FAMILIES, Preset
from firth.families.cbow import CBOW
from firth.families.family import GENSIM_NAMES
from firth.families.glove import GloVe
from firth.families.skipgram import Skipgram
from firth.preparation import Preparation
from firth.segmentation import Segmentation
from firth.vectors import Vectors

ROOT = Path(__file__).parent.parent

Run = Callable[..., tuple[int, str, str]]

ENGLISH = ["king", "queen", "man", "woman", "paris"]
CHINESE = ["我", "今天", "好", "开心", "高兴"]
MARKUP = ["[/b]", "[red]", "\x1b[31m", "\x9b2J", "\u202egnp"]


def vectors_of(words: Sequence[str], method: str = "words", n_layers: int = 1) -> Vectors:
    array = np.random.default_rng(1).standard_normal((n_layers, len(words), 8), dtype=np.float32)
    segmentation = Segmentation(method=method)  # type: ignore[arg-type]
    return Vectors(words, array, counts=range(len(words), 0, -1), segmentation=segmentation)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in an empty directory: its status, and what it wrote to stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def english(tmp_path: Path) -> Path:
    vectors_of(ENGLISH).save(tmp_path / "english")
    return tmp_path / "english"


@pytest.fixture
def layered(tmp_path: Path) -> Path:
    vectors_of(ENGLISH, n_layers=2).save(tmp_path / "layered")
    return tmp_path / "layered"


@pytest.fixture(params=["chinese", "space"])
def chinese(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    vectors_of(CHINESE, request.param).save(tmp_path / "zh")
    return tmp_path / "zh"


def lines(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard output as a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stdout", stream)
    return stream


def process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "firth", *map(str, arguments)], capture_output=True, check=False, **options
    )


# --- help, version, documentation


def test_help_names_the_commands_in_the_order_of_the_work(run: Run) -> None:
    status, out, _ = run("--help")
    commands = [line.split(":")[0].strip() for line in out.partition("Commands:")[2].splitlines() if ":" in line]
    assert status == 0
    assert commands[:23] == [
        *(
            "check",
            "phrases",
            "train",
            "count",
            "nearest",
            "analogy",
            "similarity",
            "evaluate",
            "sets",
            "extract",
            "matrices",
        ),
        *(
            "layers",
            "senses",
            "probe",
            "finetune",
            "predict",
            "report",
            "compare",
            "change",
            "convert",
            "push",
            "demo",
            "cache",
        ),
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


# --- gensim's names


@pytest.mark.parametrize("name", ["vector_size", "negative", "alpha", "workers", "size", "iter", "sg", "hs"])
def test_gensims_flags_are_answered_with_ours(run: Run, name: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    expected = f"firth: {name} is called {GENSIM_NAMES[name]} here\n"
    for arguments in ([flag, "1"], [f"{flag}=1"], ["-o", "out", flag, "1"]):
        assert run("train", "skipgram", "corpus.txt", *arguments) == (2, "", expected)


def test_gensims_names_in_a_file_are_answered_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("vector_size = 100\n", encoding="utf-8")
    status, _, err = run("train", "skipgram", "corpus.txt", "-o", "out", "--config", "settings.toml")
    assert (status, err) == (2, "firth: vector_size is called dim here\n")


# --- train: what a flag, a file, a preset and a recipe say


@pytest.fixture
def trained(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """What `firth train skipgram` with these flags, and this text as settings.toml, asks `train` for."""
    asked: list[tuple[Any, dict[str, Any]]] = []

    def train(family: Any, corpus: object, **keywords: Any) -> SimpleNamespace:
        asked.append((family, keywords | {"corpus": corpus}))
        record = {"loss_nats": 2.5, "spent": {"seconds": 2.0, "tokens": 500}}
        return SimpleNamespace(vocabulary=ENGLISH, pieces=SimpleNamespace(n_entries=7), record=record)

    monkeypatch.setattr(training, "train", train)

    def trained(*flags: str, settings: str = "", family: str = "skipgram") -> tuple[Any, dict[str, Any]]:
        (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
        config = ["--config", "settings.toml"] if settings else []
        status, _, err = run("train", family, "a.txt", "b.txt", "-o", "out", *config, *flags)
        assert status == 0, err
        return asked[-1]

    return trained


def test_without_a_flag_the_family_is_as_it_is(trained: Callable[..., Any]) -> None:
    family, keywords = trained()
    assert family == Skipgram()
    assert trained(family="cbow")[0] == CBOW()
    assert keywords["corpus"] == (Path("a.txt"), Path("b.txt"))
    assert keywords["output"] == Path("out")
    assert keywords["seed"] == 1


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_every_hyperparameter_of_a_network_is_a_flag_and_a_key_of_the_file(
    trained: Callable[..., Any], name: str
) -> None:
    pytest.importorskip("torch")
    family = model.FAMILIES[name]
    other = {"dim": 24, "n_layers": 3, "n_heads": 3, "inner_dim": 3072, "n_positions": 1024, "n_segments": 3}
    other |= {"norm": "pre", "activation": "relu", "norm_epsilon": 0.5, "deviation": 0.5, "dropout": 0.25}
    other |= {"attention_dropout": 0.25, "vocabulary_size": 256, "objective": "masked_token_and_next_sentence"}
    other |= {"masking_share": 0.25, "masking_units": "words", "short_share": 0.5, "context_length": 64}
    other |= {"batch_size": 7, "learning_rate": 0.5, "final_learning_rate": 0.0001, "warmup": 0.5, "schedule": "hold"}
    other |= {"adam": "uncorrected", "beta1": 0.5, "beta2": 0.5, "epsilon": 0.5, "weight_decay": 0.5, "clip": 0.5}
    other |= {"block_optimizer": "adam", "muon_rate": 0.5}
    for field in dataclasses.fields(family):  # type: ignore[arg-type]
        value = other[field.name]
        assert value != field.default
        given = {field.name: value} | ({"block_optimizer": "adam"} if field.name == "adam" else {})  # which it takes
        expected = dataclasses.replace(family(), **given)
        flags = [part for key, asked in given.items() for part in (f"--{key.replace('_', '-')}", str(asked))]
        assert trained(*flags, "--preset", "base", family=name)[0] == expected
        setting = "\n".join(f"{key} = {json.dumps(asked)}" for key, asked in {"preset": "base", **given}.items())
        assert trained(settings=setting, family=name)[0] == expected


def test_every_hyperparameter_of_elmo_is_a_flag_and_a_key_of_the_file(trained: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    family = model.FAMILIES["elmo"]
    other: dict[str, Any] = {"dim": 24, "cell_dim": 4000, "n_layers": 3, "character_dim": 3, "n_highway": 1}
    other |= {"filters": ((1, 8), (2, 16)), "activation": "tanh", "max_characters": 60, "cell_clip": 2.5}
    other |= {"projection_clip": 2.5, "residual": False, "lstm": "library", "objective": "full", "negatives": 99}
    other |= {"max_size": 99, "min_count": 7, "directions": "independent", "dropout": 0.25, "context_length": 64}
    other |= {"batch_size": 7, "learning_rate": 0.5, "final_learning_rate": 0.0001, "warmup": 0.5, "schedule": "hold"}
    other |= {"warmup_steps": 7}
    other |= {"beta1": 0.5, "beta2": 0.5, "epsilon": 0.5, "weight_decay": 0.5, "clip": 0.5, "muon_rate": 0.5}
    other |= {"block_optimizer": "adagrad" if family().block_optimizer != "adagrad" else "adam"}
    unclipped: dict[str, Any] = {"cell_clip": None, "projection_clip": None}  # which the library takes
    for field in dataclasses.fields(family):  # type: ignore[arg-type]
        value = other[field.name]
        assert value != field.default
        given = {field.name: value} | (unclipped if field.name == "lstm" else {})
        flags: list[str] = []
        for key, asked in given.items():
            flag = f"--{key.replace('_', '-')}"
            if key == "filters":
                flags += [part for width, count in asked for part in (flag, str(width), str(count))]
            else:
                flags += ["--no-residual"] if key == "residual" else [flag, str(asked).lower()]
        expected = dataclasses.replace(family(), **given)
        assert trained(*flags, "--preset", "original", family="elmo")[0] == expected
        told = {"preset": "original"} | {key: "none" if asked is None else asked for key, asked in given.items()}
        setting = "\n".join(f"{key} = {json.dumps(asked)}" for key, asked in told.items())
        assert trained(settings=setting, family="elmo")[0] == expected
    assert trained(family="elmo")[0] == [
        getattr(family, name)() for name in ("tiny", "mini", "small", "medium", "original")
    ]
    assert trained("--cell-dim", "640", family="elmo")[0] == dataclasses.replace(family.original(), cell_dim=640)


def test_without_a_preset_the_sizes_of_a_network_are_for_the_budget_to_choose(trained: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    from firth.families.bert import BERT

    presets = [BERT.tiny(), BERT.mini(), BERT.small(), BERT.medium(), BERT.base()]
    assert trained(family="bert")[0] == presets
    slow = [preset.by_recipe("paper") for preset in presets]
    assert trained("--recipe", "paper", family="bert")[0] == slow
    assert trained("--learning-rate", "0.5", family="bert")[0] == [
        dataclasses.replace(preset, learning_rate=0.5) for preset in presets
    ]
    assert trained("--preset", "mini", family="bert")[0] == BERT.mini()
    assert trained(settings='preset = "mini"', family="bert")[0] == BERT.mini()
    assert trained("--preset", "mini", "--recipe", "paper", family="bert")[0] == BERT.mini().by_recipe("paper")
    # Whoever names a part of the size means the rest as it is by default.
    assert trained("--n-layers", "3", family="bert")[0] == BERT(n_layers=3)
    assert trained(settings="n_layers = 3", family="bert")[0] == BERT(n_layers=3)
    assert trained("--preset", "mini", "--n-layers", "3", family="bert")[0] == dataclasses.replace(
        BERT.mini(), n_layers=3
    )


def test_what_a_network_takes_besides(trained: Callable[..., Any]) -> None:
    pytest.importorskip("torch")
    flags = "--from base --add-words 20 --tokenizer vocab.txt --pieces byte_bpe --cleaning plain --device cpu"
    _, keywords = trained(*flags.split(), "--compile", "never", family="gpt")
    assert keywords["base"] == Path("base")
    assert keywords["tokenizer"] == Path("vocab.txt")
    due = {"add_words": 20, "pieces": "byte_bpe", "cleaning": "plain", "device": "cpu", "compile": "never"}
    assert {name: keywords[name] for name in due} == due


def test_every_hyperparameter_of_glove_is_a_flag_and_a_key_of_the_file(trained: Callable[..., Any]) -> None:
    other = {"dim": 7, "window": 3, "context": "left", "distance_weights": "equal", "x_max": 5.0, "clip": 2.0}
    other |= {"weight_exponent": 0.5, "result": "words", "min_count": 1, "max_size": 99, "learning_rate": 0.5}
    other |= {"final_learning_rate": 0.015625}
    assert other.keys() == {field.name for field in dataclasses.fields(GloVe)}  # type: ignore[arg-type]
    for name, value in other.items():
        expected = dataclasses.replace(GloVe(), **{name: value})  # type: ignore[type-var]
        assert trained(f"--{name.replace('_', '-')}", str(value), family="glove")[0] == expected
        assert trained(settings=f"{name} = {json.dumps(value)}", family="glove")[0] == expected
    _, keywords = trained("--counts", "one,two", "--memory", "0.5", family="glove")
    assert (keywords["counts"], keywords["memory"]) == ((Path("one"), Path("two")), 0.5)
    assert trained(family="glove")[1]["counts"] is None


def test_counts_are_made_added_up_and_trained_on(run: Run, tmp_path: Path) -> None:
    text = ["the cat sat on the mat", "the dog sat on the log"] * 10
    for name, lines in (("all", text), ("one", text[:8]), ("two", text[8:])):
        (tmp_path / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    status, out, _ = run("count", "all.txt", "-o", "all", "--window", "3", "--json", "--quiet")
    assert (status, json.loads(out)[0]["tokens"]) == (0, 120)
    for name in ("one", "two"):
        assert run("count", f"{name}.txt", "-o", name, "--window", "3", "--vocabulary", "all", "--quiet")[0] == 0
    assert run("count", "one", "two", "-o", "sums")[0] == 0
    assert (tmp_path / "sums").read_bytes() == (tmp_path / "all").read_bytes()
    flags = ["-o", "model", "--window", "3", "--dim", "8", "--epochs", "2", "--quiet", "--overwrite"]
    for counts in ("all", "one,two"):
        assert run("train", "glove", "--counts", counts, *flags)[0] == 0
        assert run("nearest", "model", "cat", "-n", "2")[1].count("\n") > 1
    assert run("train", "glove", *flags)[::2] == (
        2,
        "firth: no corpus was given: name files, or - for standard input\n",
    )
    status, _, err = run("train", "glove", "--counts", "all", "-o", "other", "--quiet")
    assert (status, err) == (2, "firth: the counts that are given were made otherwise: --window 3\n")


def test_static_commands_do_not_import_torch() -> None:
    code = (
        "import sys; from firth.cli import main; main(['train', 'cbow', '--help']); main(['nearest', 'x', 'y']);"
        "sys.exit(bool({'torch', 'tokenizers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("family", [Skipgram, CBOW])
def test_every_hyperparameter_is_a_flag_and_a_key_of_the_file(trained: Callable[..., Any], family: type) -> None:
    other = {"dim": 7, "min_count": 1, "max_size": 99, "block": 8, "noise_pool": 8, "window": 3, "negatives": 9}
    other |= {"noise_exponent": 0.5, "sample": 0.25, "learning_rate": 0.5, "final_learning_rate": 0.015625}
    other |= {"window_widths": "fixed", "objective": "hierarchical_softmax"}
    other |= {"subwords": "2-3", "buckets": 500, "hashes": 2}
    other |= {"combine": "sum", "context_gradient": "divided"} if family is CBOW else {}
    assert other.keys() == {field.name for field in dataclasses.fields(family)}
    for name, value in other.items():
        expected = dataclasses.replace(family(), **{name: value})
        flag = f"--{name.replace('_', '-')}"
        assert trained(flag, str(value), family=family.name)[0] == expected  # type: ignore[attr-defined]
        setting = f"{name} = {json.dumps(value)}"
        assert trained(settings=setting, family=family.name)[0] == expected  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("flags", "settings", "dim"),
    [
        ((), "", 100),
        (("--dim", "7"), "dim = 8", 7),
        (("--dim", "7", "--preset", "base"), "", 7),
        (("--dim", "100", "--preset", "base"), "", 100),
        (("--dim", "7", "--recipe", "paper"), "", 7),
        (("--preset", "base"), "dim = 8", 8),
        (("--recipe", "paper"), "dim = 8", 8),
        ((), 'dim = 8\npreset = "base"', 8),
        (("--preset", "medium"), 'preset = "base"', 200),
        (("--preset", "base"), "", 300),
        (("--recipe", "paper"), "", 300),
        (("--recipe", "fast"), "", 100),
        ((), 'preset = "base"', 300),
        ((), 'recipe = "paper"', 300),
        (("--preset", "tiny", "--recipe", "paper"), "", 32),
        (("--recipe", "paper", "--preset", "small"), "", 100),
        (("--recipe", "paper"), 'preset = "small"', 100),
        (("--preset", "tiny"), 'recipe = "paper"', 32),
        (("--preset", "tiny", "--recipe", "fast"), "", 32),
        (("--preset", "tiny", "--recipe", "paper", "--dim", "7"), "", 7),
    ],
)
def test_a_flag_wins_over_the_file_the_file_over_presets_those_over_defaults(
    trained: Callable[..., Any], flags: tuple[str, ...], settings: str, dim: int
) -> None:
    assert trained(*flags, settings=settings)[0].dim == dim


@pytest.mark.parametrize("family", [Skipgram, CBOW])
@pytest.mark.parametrize("preset", [name for name in get_args(Preset) if name != "original"])  # ELMo's alone
def test_a_preset_is_the_size_and_a_recipe_the_rest(trained: Callable[..., Any], family: Any, preset: str) -> None:
    dim = getattr(family, preset)().dim
    assert trained("--preset", preset, family=family.name)[0] == getattr(family, preset)()
    both = trained("--preset", preset, "--recipe", "paper", family=family.name)[0]
    assert both == dataclasses.replace(family.paper(), dim=dim)


def test_the_common_flags_may_stand_in_the_file(trained: Callable[..., Any]) -> None:
    _, keywords = trained(
        "--seed", "3", settings='seed = 2\nminutes = 0.5\ncased = true\nsegment = "space"\nthreads = 2'
    )
    assert (keywords["seed"], keywords["minutes"], keywords["threads"]) == (3, 0.5, 2)
    assert keywords["preparation"] == Preparation(cased=True, segment="space")


def test_columns_to_keep_are_a_list_in_the_file_and_parted_by_commas_in_the_flag(trained: Callable[..., Any]) -> None:
    _, keywords = trained(settings='keep = ["year", "source"]')
    assert keywords["preparation"].keep == ("year", "source")
    _, keywords = trained("--keep", "year, source", "--keep", "place")
    assert keywords["preparation"].keep == ("year", "source", "place")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (
            ["--layout", "wrapped", "--sentences", "split", "--lang", "de"],
            {"layout": "wrapped", "sentences": "split", "lang": "de"},
        ),
        (
            ["--digits", "zero", "--simplified", "--unicode-form", "NFKC"],
            {"digits": "zero", "simplified": True, "unicode_form": "NFKC"},
        ),
        (["--inner", "'-"], {"inner": "'-"}),
        (["--cased", "--punctuation"], {"cased": True, "punctuation": True}),
        (["--no-cased", "--no-punctuation"], {"cased": False, "punctuation": False}),
        (
            ["--user-words", "words.txt", "--segment", "chinese"],
            {"user_words": Path("words.txt"), "segment": "chinese"},
        ),
        (["--phrases", "phrases.tsv"], {"phrases": Path("phrases.tsv")}),
        (["--drop-duplicates", "lines", "--max-types", "1000"], {"drop_duplicates": "lines", "max_types": 1000}),
        (
            ["--field", "body", "--keep-from-name", "(?P<year>[0-9]+)"],
            {"field": "body", "keep_from_name": "(?P<year>[0-9]+)"},
        ),
        (["--encoding", "gb18030", "--encoding-errors", "skip"], {"encoding": "gb18030", "encoding_errors": "skip"}),
    ],
)
def test_flags_make_the_preparation(trained: Callable[..., Any], flags: list[str], expected: dict[str, Any]) -> None:
    _, keywords = trained(*flags)
    assert keywords["preparation"] == Preparation(**expected)


def test_a_budget_by_flag_replaces_another_one_in_the_file(trained: Callable[..., Any]) -> None:
    _, keywords = trained("--minutes", "2", settings="epochs = 5")
    assert (keywords["epochs"], keywords["minutes"]) == (None, 2)


def test_the_remaining_flags_reach_train(trained: Callable[..., Any]) -> None:
    flags = ["--tokens", "1e6", "--from", "old", "--resume", "--overwrite", "--cased", "--encoding", "gb18030"]
    _, keywords = trained(*flags, "--cache-dir", "cache", "--quiet")
    assert keywords["tokens"] == 1_000_000
    assert (keywords["base"], keywords["cache_dir"]) == (Path("old"), Path("cache"))
    assert (keywords["resume"], keywords["overwrite"]) == (True, True)
    assert keywords["preparation"] == Preparation(cased=True, encoding="gb18030")
    assert type(keywords["progress"]).__name__ == "Silent"


def test_train_prints_what_became_of_it(run: Run, trained: Callable[..., Any]) -> None:
    del trained
    _, out, _ = run("train", "skipgram", "a.txt", "-o", "out", "--json")
    expected = {"model": "out", "words": 5, "loss_nats": 2.5, "seconds": 2.0, "tokens_per_second": 250}
    assert json.loads(out) == [expected]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("dim = ", "settings.toml"),
        ("widow = 3", "widow"),
        ('dim = "wide"', "dim"),
        ("dim = 3.5", "dim"),
        ('preset = "huge"', "huge"),
        ("dim = [1, 2]", "dim"),
        ("[skipgram]\ndim = 3", "skipgram"),
    ],
)
def test_a_faulty_file_of_settings_is_wrong_usage(run: Run, tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
    status, _, err = run("train", "skipgram", "a.txt", "-o", "out", "--config", "settings.toml")
    assert status == 2
    assert said in err


def test_a_missing_file_of_settings_is_wrong_usage(run: Run) -> None:
    status, _, err = run("train", "skipgram", "a.txt", "-o", "out", "--config", "missing.toml")
    assert status == 2
    assert "missing.toml" in err


def test_check_takes_the_preparation_from_the_file_of_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("don't stop the Cat , or else .\n" * 50, encoding="utf-8")
    settings = 'dim = 4\nepochs = 2.5\npreset = "tiny"\nsegment = "space"\ncased = true\n'
    (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
    status, out, _ = run("check", "corpus.txt", "--config", "settings.toml", "--segment", "words", "--json")
    assert status == 0
    found = json.loads(out)
    assert found["segment"] == "words"
    assert "--cased" in found["command"].split()
    assert found["command"].endswith(" --config settings.toml")
    status, out, _ = run("check", "corpus.txt", "--config", "settings.toml", "--json")
    assert json.loads(out)["segment"] == "space"


@pytest.mark.parametrize(
    ("settings", "said"),
    [("segmnt = 'space'", "segmnt is no setting"), ("segment = 'spcae'", "spcae"), ("=", "cannot be read")],
)
def test_check_refuses_a_faulty_file_of_settings(run: Run, tmp_path: Path, settings: str, said: str) -> None:
    (tmp_path / "corpus.txt").write_text("a b c d\n" * 50, encoding="utf-8")
    (tmp_path / "settings.toml").write_text(settings, encoding="utf-8")
    status, _, err = run("check", "corpus.txt", "--config", "settings.toml")
    assert status == 2
    assert said in err


def test_standard_input_is_a_corpus_as_a_file_is(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = "今天 好 开心\n" * 20
    for number, content in enumerate((text.encode("gb18030"), gzip.compress(text.encode("gb18030")))):
        (tmp_path / "stdin").write_bytes(content)
        with (tmp_path / "stdin").open("rb") as file:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
            status, _, err = run(
                "train", "skipgram", "-", "-o", f"out{number}", "--encoding", "gb18030", "--sample", "0"
            )
        assert status == 0, err
        assert model.load(tmp_path / f"out{number}").vocabulary.words == ["今天", "好", "开心"]


def test_the_cache_is_listed_and_cleared(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the cat sat\n" * 20, encoding="utf-8")
    assert run("train", "skipgram", "a.txt", "-o", "out", "--sample", "0", "--cache-dir", "kept")[0] == 0
    status, out, _ = run("cache", "--cache-dir", "kept", "--json")
    (entry,) = json.loads(out)
    assert (status, entry["corpus"], entry["what"], entry["tokens"]) == (0, "a.txt", "words", 60)
    tokenizer = tmp_path / "kept" / ("0" * 32)
    (tokenizer / "tokenizer").mkdir(parents=True)
    (tokenizer / "about.json").write_text('{"sources": "b.txt", "n_tokens": 7}', encoding="utf-8")
    listed = run("cache", "--cache-dir", "kept")[1].splitlines()
    assert sorted(line.split("\t")[:3] for line in listed) == [
        ["a.txt", "words", "60"],
        ["b.txt", "tokenizer", "7"],
        ["corpus", "what", "tokens"],
    ]
    assert Path(entry["folder"]).is_dir()
    assert run("cache", "clear", "--cache-dir", "kept")[0] == 0
    assert not Path(entry["folder"]).exists()
    assert run("cache", "--cache-dir", "kept")[:2] == (0, "")


def test_the_families_of_the_command_line_are_those_that_a_model_may_be_of() -> None:
    assert FAMILIES.keys() == model.FAMILIES.keys()


def test_an_interrupted_run_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def train(*_: object, **__: object) -> None:
        (tmp_path / "out" / "checkpoint" / "1").mkdir(parents=True)
        (tmp_path / "out" / "checkpoint" / "latest").write_text("1\n", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", train)
    status, _, err = run("train", "skipgram", "a.txt", "-o", "out")
    assert (status, err) == (1, "firth: interrupted; the same command with --resume goes on from here\n")


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


# --- all of it


@pytest.mark.slow
def test_train_from_standard_input_then_ask(tmp_path: Path) -> None:
    text = "我 今天 好 开心\n他 今天 很 高兴\n" * 100
    done = process("train", "skipgram", "-", "-o", tmp_path / "zh", "--epochs", "2", input=text.encode())
    assert done.returncode == 0, done.stderr
    assert b"words: space" in done.stderr
    done = process("nearest", tmp_path / "zh", "我 今天 好 开心", "--json")
    assert {row["word"] for row in json.loads(done.stdout)} == {"我", "今天", "好", "开心"}


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("the cat sat on the mat\n" * 2_000, encoding="utf-8")
    arguments = ["train", "skipgram", tmp_path / "corpus.txt", "-o", tmp_path / "out", "--minutes", "0.1"]
    command = [sys.executable, "-m", "firth", *map(str, arguments)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert running.stderr is not None
    with running.stderr as stderr:
        assert any("words in the vocabulary" in line for line in stderr)
        time.sleep(1)  # the kernels are loaded, or being compiled, and the run begins
        running.send_signal(signal.SIGINT)
        said = stderr.read()
    assert running.wait() == 1
    assert "Traceback" not in said
    if "--resume" in said:  # else Ctrl-C came while the kernels were being compiled
        assert process(*arguments, "--resume", "--quiet").returncode == 0
        assert Vectors.load(tmp_path / "out").words[0] == "the"


TINY = ["--n-layers=1", "--dim=16", "--n-heads=2", "--context-length=16", "--batch-size=4", "--vocabulary-size=128"]
ENDLESS = {
    "skipgram": ["--dim=8", "--threads=1", "--epochs=1e9"],
    "gpt": [*TINY, "--device=cpu", "--threads=1", "--tokens=1e12"],
}


def ended_by(number: int, launcher: list[str], family: str, folder: Path) -> str:
    """What a run without end says, in `folder`, that a signal has ended on its way."""
    (folder / "corpus.txt").write_text("the cat sat on the mat\nthe dog sat on a log\n" * 2_000, encoding="utf-8")
    command = [*launcher, "train", family, "corpus.txt", "-o", "out", *ENDLESS[family]]
    running = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert running.stderr is not None
    with running.stderr as stderr:
        assert any(line.startswith("training:") for line in stderr)
        running.send_signal(number)
        said = stderr.read()
    assert running.wait() == 1
    return said


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM for another process")
@pytest.mark.parametrize("family", ENDLESS)
def test_sigterm_ends_a_run_as_ctrl_c_does(tmp_path: Path, family: str) -> None:
    if family == "gpt":
        pytest.importorskip("torch")
    said = ended_by(signal.SIGTERM, [sys.executable, "-m", "firth"], family, tmp_path)
    assert "writing a checkpoint to out" in said
    assert "interrupted; the same command with --resume goes on from here" in said
    assert "Traceback" not in said
    record = model.load(tmp_path / "out").record
    assert record["finished"] is False
    assert record["spent"]["tokens"] > 0


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for another process")
def test_ctrl_c_under_torchrun_writes_a_checkpoint(tmp_path: Path) -> None:
    """Its agent, which starts the processes away from the terminal, tells them by SIGTERM."""
    pytest.importorskip("torch")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "firth"]
    said = ended_by(signal.SIGINT, torchrun, "gpt", tmp_path)
    assert "writing a checkpoint to out" in said
    assert "the same command with --resume goes on from here" in said
    assert model.load(tmp_path / "out").record["spent"]["tokens"] > 0


# --- GPT and BERT: bad input


SMALL = {
    "--n-layers": "1",
    "--dim": "16",
    "--n-heads": "2",
    "--n-positions": "32",
    "--context-length": "16",
    "--batch-size": "4",
    "--vocabulary-size": "128",
    "--tokens": "200",
    "--device": "cpu",
    "--threads": "1",
}


def small(**changes: str) -> list[str]:
    """The flags of a small network, some of them changed."""
    flags = SMALL | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return [*(part for flag in flags.items() for part in flag), "--quiet"]


PAIRS = ["--objective", "masked_token_and_next_sentence"]
FROM = ["--tokens", "200", "--context-length", "16", "--quiet"]


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a BERT, what became of copies of it, and texts."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("networks")
    documents = ["the cat sat on a mat. the dog sat on a log.", "", "a bird saw the cat. the cat saw it.", ""] * 20
    texts = {
        "corpus.txt": documents,
        "one.txt": [line for line in documents if line],
        "short.txt": [line for document in documents[::2] for line in (document.split(".")[0], "")],
        "empty.txt": [],
        "blank.txt": ["", " ", ""],
    }
    for name, lines_ in texts.items():
        (folder / name).write_text("\n".join(lines_), encoding="utf-8")
    (folder / "nul.txt").write_bytes(b"a\0b")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for family in ("bert", "gpt"):
            assert cli.main(["train", family, "corpus.txt", "-o", family, *small()]) == 0
        shutil.copytree("bert", "cut")
        weights = Path("cut", "model.safetensors").read_bytes()
        Path("cut", "model.safetensors").write_bytes(weights[:9000])
        shutil.copytree("bert", "foreign")
        shutil.copy("gpt/model.safetensors", "foreign")
        shutil.copytree("bert", "pickle")
        Path("pickle", "model.safetensors").rename("pickle/pytorch_model.bin")
        shutil.copytree("bert", "other-size")
        config = json.loads(Path("bert", "config.json").read_text(encoding="utf-8")) | {"hidden_size": 32}
        Path("other-size", "config.json").write_text(json.dumps(config), encoding="utf-8")
        for name in ("foreign", "pickle", "other-size"):
            Path(name, "firth.json").unlink()
    return folder


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["bert", "one.txt", *small(), *PAIRS], 1, "the corpus has one document; train with masked tokens alone"),
        (["bert", "short.txt", *small(), *PAIRS], 1, "two sentences or more"),
        (["bert", "empty.txt", *small()], 1, "no words|no text"),
        (["gpt", "blank.txt", *small()], 1, "no words|no text"),
        (["gpt", "nul.txt", *small()], 1, "NUL"),
        (["bert", "missing.txt", *small()], 1, "missing.txt"),
        (["bert", "corpus.txt", *small(), "--segment", "space"], 2, "segment changes nothing"),
        (["gpt", "corpus.txt", *small(), "--digits", "zero"], 2, "digits changes nothing"),
        (["bert", "corpus.txt", *small(n_heads="3")], 2, "3 heads cannot share"),
        (["bert", "corpus.txt", *small(vocabulary_size="10")], 2, "needs 128 or more"),
        (["bert", "corpus.txt", *small(), "--tokenizer", "missing.json"], 1, "missing.json"),
        (["bert", "corpus.txt", *small(), "--tokenizer", "gpt"], 1, "no entry for .* mask, which BERT needs"),
        (["bert", "corpus.txt", *small(device="tpu")], 2, "here there is"),
        (["bert", "corpus.txt", *small(), "--add-words", "5"], 2, "give one, or leave add_words out"),
        (["bert", "corpus.txt", "--tokens", "200", "--context-length", "64", "--from", "bert"], 2, "32 positions"),
        (["bert", "corpus.txt", *FROM, "--from", "gpt"], 2, "cannot go on from a model of gpt"),
        (["gpt", "corpus.txt", *FROM, "--from", "gpt", "--add-words", "5"], 2, "no words can be added"),
        (["bert", "corpus.txt", *FROM, "--from", "missing"], 1, "no such directory"),
        (["bert", "corpus.txt", *FROM, "--from", "cut"], 1, "it ends within .*, which should be"),
        (["bert", "corpus.txt", *FROM, "--from", "foreign"], 1, "should be .*, and there is no such tensor"),
        (["bert", "corpus.txt", *FROM, "--from", "other-size"], 1, r"should be \(\d+, 32\), and there is \(\d+, 16\)"),
        (["bert", "corpus.txt", *FROM, "--from", "pickle"], 1, "reading a pickle runs what its author put in it"),
        (["bert", "corpus.txt", *small(), "--resume"], 2, "no unfinished run"),
    ],
)
def test_networks_refuse_bad_input(
    networks: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    said: str,
) -> None:
    monkeypatch.chdir(networks)
    before = set(networks.rglob("*"))
    assert cli.main(["train", *arguments, "-o", "out"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(said, err), err
    assert "Traceback" not in err
    assert set(networks.rglob("*")) == before


def test_a_model_that_is_there_is_not_lost(networks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(networks)
    before = {path: path.read_bytes() for path in Path("bert").rglob("*") if path.is_file()}
    assert cli.main(["train", "bert", "corpus.txt", "-o", "bert", *small()]) == 2
    assert cli.main(["train", "bert", "one.txt", "-o", "bert", "--overwrite", *small(), *PAIRS]) == 1
    assert {path: path.read_bytes() for path in Path("bert").rglob("*") if path.is_file()} == before


# --- phrases


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    """Text in which "new york" and "bank of america" stand together."""
    path = tmp_path / "cities.txt"
    lines = ["The Bank of America is in New York.", "New York is large; the bank is large.", "America is a new land."]
    path.write_text("\n".join(lines * 20), encoding="utf-8")
    return path


LEARNING = ("--min-count", "2", "--threshold", "0.1", "--quiet", "--cache-dir", "cache")


def test_phrases_are_learnt_joined_and_found(run: Run, cities: Path) -> None:
    status, out, _ = run("phrases", cities, "-o", "phrases.tsv", *LEARNING, "--json")
    assert status == 0
    (row,) = json.loads(out)
    lines = Path("phrases.tsv").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    assert row["phrases"] == len(entries)
    assert any(line.startswith("new york\t40\t") for line in entries)
    assert any(line.startswith("bank of america\t20\t") for line in entries)
    flags = ("--dim", "8", "--min-count", "1", "--epochs", "1", "--quiet", "--cache-dir", "cache")
    assert run("train", "skipgram", cities, "-o", "model", "--phrases", "phrases.tsv", *flags)[0] == 0
    status, out, _ = run("nearest", "model", "New York", "--json")
    assert status == 0
    assert {row["word"] for row in json.loads(out)} == {"new_york"}
    assert run("similarity", "model", "new york", "bank of america")[0] == 0


def test_the_file_of_phrases_is_replaced_only_when_told(run: Run, cities: Path) -> None:
    Path("phrases.tsv").write_text("my own\n", encoding="utf-8")
    status, _, err = run("phrases", cities, "-o", "phrases.tsv", *LEARNING)
    assert (status, Path("phrases.tsv").read_text(encoding="utf-8")) == (2, "my own\n")
    assert "phrases.tsv exists; choose another place, or overwrite it (--overwrite)" in err
    assert run("phrases", cities, "-o", "phrases.tsv", *LEARNING, "--overwrite", "--connector-words", "none")[0] == 0
    assert "#connector_words\t\n" in Path("phrases.tsv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (("--threshold", "1e9"), 1, "score is above 1e+09"),
        (("--scoring", "npmi", "--threshold", "2"), 2, "it must be from -1 to 1"),
        (("--connector-words", "english"), 2, "connector words 'english' were asked for"),
        (("--phrases", "phrases.tsv"), 2, "phrases are to be learnt"),
        (("--delimiter", " "), 2, "delimiter is ' '"),
    ],
)
def test_phrases_that_cannot_be_learnt(
    run: Run, cities: Path, flags: tuple[str, ...], status: int, message: str
) -> None:
    found, _, err = run("phrases", cities, "-o", "found.tsv", "--quiet", "--cache-dir", "cache", *flags)
    assert found == status
    assert message in err
    assert not Path("found.tsv").exists()


def test_a_line_that_is_no_phrase_is_told_by_its_number(run: Run, cities: Path) -> None:
    Path("phrases.tsv").write_text("new york\nnew york city\n", encoding="utf-8")
    status, _, err = run("train", "cbow", cities, "-o", "model", "--phrases", "phrases.tsv", "--cache-dir", "cache")
    assert status == 1
    assert "phrases.tsv, line 2: 'new york city' is no phrase: 'york' stands between its words" in err


def test_lists_in_a_toml_file_are_as_on_the_command_line(tmp_path: Path) -> None:
    from firth.cli.settings import read_toml

    (tmp_path / "settings.toml").write_text('drop = ["html", "urls"]\nkeep = ["year"]\n')
    assert read_toml(tmp_path / "settings.toml") == {"drop": "html,urls", "keep": "year"}
