"""`firth train`, `count`, `phrases` and `cache` from the text to what is left: runs, how they end, what they refuse."""

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
from pathlib import Path

import pytest
from commands import Run, process

from firth import cli, model, training
from firth.vectors import Vectors


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


def test_an_interrupted_run_says_how_to_go_on(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def train(*_: object, **__: object) -> None:
        (tmp_path / "out" / "checkpoint" / "1").mkdir(parents=True)
        (tmp_path / "out" / "checkpoint" / "latest").write_text("1\n", encoding="utf-8")
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", train)
    status, _, err = run("train", "skipgram", "a.txt", "-o", "out")
    assert (status, err) == (1, "firth: interrupted; the same command with --resume goes on from here\n")


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
