"""`firth matrices` and `firth layers`: what is printed, what is written, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firth
from firth import cli, reduction
from firth.segmentation import Segmentation

TEXT = ["the cat sat on the mat", "a dog and the cat", "the mat of a dog", "on a mat the dog sat"] * 6

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: Any, monkeypatch: Any, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("\n".join(TEXT), encoding="utf-8")

    def run(*arguments: object) -> tuple[int, str, str]:
        status = cli.main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: Any) -> Path:
    pytest.importorskip("torch")
    place: Path = tmp_path_factory.mktemp("trained") / "model"
    family = firth.BERT(dim=16, n_layers=2, n_heads=2, n_positions=16, context_length=16, vocabulary_size=256)
    firth.train(family, TEXT, tokens=500, threads=1, output=place, matrices=False)
    return place


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    """A model without matrices."""
    firth.load(trained).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def static(tmp_path: Path) -> Path:
    vectors = firth.Vectors(["the", "cat"], [[1, 0], [0, 1]], segmentation=Segmentation(method="space"))
    vectors.save(tmp_path / "static")
    return tmp_path / "static"


def test_a_model_gets_its_matrices_and_is_asked_in_every_layer(run: Run, model: Path) -> None:
    status, _, err = run("nearest", model, "cat")
    assert (status, "--corpus CORPUS` makes them" in err) == (1, True)
    status, out, _ = run("matrices", model, "--corpus", "text.txt", "--json", "--quiet", "--threads", 1)
    assert status == 0
    (row,) = json.loads(out)
    assert row == {
        "output": str(model), "layers": 3, "words": 9, "dim": 16, "contexts": 6 * 22, "left_out": 0,
        "words_read": 6 * 22,
    }  # fmt: skip
    for layer, due in (("1", {1}), ("all", {0, 1, 2})):
        status, out, _ = run("nearest", model, "cat", "--layer", layer, "--json", "-n", 2)
        assert (status, {row["layer"] for row in json.loads(out)}) == (0, due)
    assert run("similarity", model, "cat", "dog", "--layer", "all")[0] == 0
    assert run("analogy", model, "cat", "dog", "mat", "--layer", "0")[0] == 0
    Path("pairs.tsv").write_text("cat\tdog\t9\ncat\tmat\t3\nthe\ta\t8\n", encoding="utf-8")
    status, out, _ = run("evaluate", model, "--pairs", "pairs.tsv", "--json")
    assert (status, [row["layer"] for row in json.loads(out)]) == (0, [0, 1, 2])
    status, _, err = run("nearest", model, "cat", "--layer", 3)
    assert (status, "which has 3 (layers 0 to 2)" in err) == (2, True)
    assert run("convert", model, "layers.txt")[0] == 0
    assert firth.load(model).vectors.n_layers == 3


def test_they_are_remade_with_other_words(run: Run, model: Path) -> None:
    assert run("matrices", model, "--corpus", "text.txt", "--quiet")[0] == 0
    Path("words.txt").write_text("dog\ncat\nunheard\n", encoding="utf-8")
    status, _, err = run("matrices", model, "--corpus", "text.txt", "--words", "words.txt")
    assert status == 0
    assert "1 of 3 words are left out" in err
    assert sorted(firth.Vectors.load(model).words) == ["cat", "dog"]


def test_an_output_has_a_file_for_each_layer(run: Run, model: Path) -> None:
    command = [
        "matrices",
        model,
        "--corpus",
        "text.txt",
        "-o",
        "out",
        "--layers",
        "1:",
        "--max-contexts",
        "2",
        "--quiet",
    ]
    assert run(*command)[0] == 0
    assert sorted(path.name for path in Path("out", "layers").iterdir()) == ["1.bin", "2.bin"]
    vectors = firth.Vectors.load("out")
    assert vectors.contexts is not None
    assert (vectors.n_layers, int(vectors.contexts.max())) == (2, 2)
    np.testing.assert_array_equal(firth.Vectors.load("out/layers/2.bin").matrix, vectors.matrix)
    status, out, _ = run("similarity", "out", "the", "dog", "--layer", "all", "--json")
    assert (status, [row["layer"] for row in json.loads(out)]) == (0, [1, 2])
    assert run("nearest", "out", "the", "--layer", "1")[0] == 0
    status, _, err = run("nearest", "out", "the", "--layer", "0")
    assert (status, "has 2 (layers 1 to 2)" in err) == (2, True)
    status, out, _ = run("extract", "out", "--text", "the dog", "--layers", "1,-1", "--json")
    (sentence,) = json.loads(out)
    assert list(sentence["layers"]) == ["1", "2"]
    np.testing.assert_allclose(sentence["layers"]["1"][0], vectors.layer(1)["the"], rtol=1e-4, atol=1e-4)
    assert not (model / "matrices").exists()
    status, _, err = run(*command)
    assert (status, "exists" in err) == (2, True)
    assert run(*command, "--overwrite")[0] == 0


def test_several_corpora(run: Run, model: Path) -> None:
    Path("more.txt").write_text("a man\n" * 3, encoding="utf-8")
    assert run("matrices", model, "--corpus", "text.txt,more.txt", "-o", "out", "--quiet", "--layers", "0")[0] == 0
    assert "man" in firth.Vectors.load("out")


def test_what_cannot_be_done_is_told(run: Run, model: Path, static: Path) -> None:
    cases: list[tuple[list[object], int, str]] = [
        (["matrices", model], 2, "corpus"),
        (["matrices", model, "--corpus", "missing.txt"], 1, "missing.txt"),
        (["matrices", model, "--corpus", "text.txt", "--layers", "1"], 2, "name the place by --output"),
        (["matrices", static, "--corpus", "text.txt"], 2, "is a static model"),
        (["matrices", "nowhere", "--corpus", "text.txt"], 2, "is no directory"),
        (["matrices", model, "--corpus", "text.txt", "-o", "out", "--layers", "7"], 2, "layer 7 asked of a bert model"),
        (["matrices", model, "--corpus", "text.txt", "--words", "none.txt"], 1, "none.txt cannot be read"),
        (["layers", model, "--corpus", "text.txt", "--max-contexts", "1"], 2, "max-contexts"),
        (["layers", "nowhere", "--corpus", "text.txt"], 1, "nowhere is no model"),
    ]
    for arguments, due, message in cases:
        status, out, err = run(*arguments, "--quiet")
        assert (status, out) == (due, ""), (arguments, err)
        assert message in err
    assert run("matrices", static, "--corpus", "text.txt", "-o", "out", "--quiet")[0] == 0
    assert firth.Vectors.load("out").words == ["the", "cat"]


def test_ctrl_c_writes_nothing(run: Run, model: Path, monkeypatch: Any) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reduction, "in_context", pressed)
    status, _, err = run("matrices", model, "--corpus", "text.txt", "--quiet")
    assert (status, "interrupted; nothing was written" in err) == (1, True)
    assert not (model / "matrices").exists()


def test_layers_are_measured(run: Run, model: Path) -> None:
    status, out, _ = run("layers", model, "--corpus", "text.txt", "--json", "--quiet", "--threads", 1)
    assert status == 0
    rows = json.loads(out)
    assert [row["layer"] for row in rows] == [0, 1, 2]
    assert set(rows[0]) == {
        "layer", "self_similarity", "intra_sentence_similarity", "anisotropy", "self_similarity_adjusted",
        "intra_sentence_similarity_adjusted", "n_words", "n_sentences", "n_samples",
    }  # fmt: skip
    assert all(-1 <= row["self_similarity"] <= 1.000001 for row in rows)
    status, out, _ = run("layers", model, "--corpus", "text.txt", "--quiet", "--top", 3)
    assert status == 0
    assert out.splitlines()[0].split("\t")[:2] == ["layer", "self_similarity"]


def test_training_may_leave_them_out(run: Run) -> None:
    pytest.importorskip("torch")
    sizes = "--dim 16 --n-layers 1 --n-heads 2 --context-length 16 --vocabulary-size 256 --batch-size 2".split()  # noqa: SIM905
    command = ["train", "bert", "text.txt", "--tokens", "200", "--threads", "1", "--quiet", *sizes]
    assert run(*command, "-o", "with")[0] == 0
    assert run(*command, "-o", "without", "--no-matrices")[0] == 0
    assert (Path("with") / "matrices" / "vectors.safetensors").is_file()
    assert not (Path("without") / "matrices").exists()


def test_sentences_are_extracted(run: Run, model: Path) -> None:
    status, out, _ = run(
        "extract", model, "--text", "the cat sat\na dog", "--unit", "sentence", "--layers", "last", "--json"
    )
    assert status == 0
    first, second = json.loads(out)
    assert (first["words"], second["words"]) == (["the cat sat"], ["a dog"])
    np.testing.assert_allclose(first["layers"]["2"][0], firth.load(model).sentence_vector("the cat sat"), atol=1e-5)
    assert run("extract", model, "text.txt", "--unit", "sentence", "--pool", "cls", "-o", "out", "--quiet")[0] == 0
    sentences = list(firth.read_extracted("out"))
    assert (len(sentences), sentences[0].array.shape) == (24, (3, 1, 16))
    assert run("extract", model, "text.txt", "--unit", "word", "--pool", "cls")[0] == 2
