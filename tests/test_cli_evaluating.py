"""`firth evaluate` beyond pairs and analogies, `firth sets` and `firth senses`."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Run

import firth
from firth.segmentation import Segmentation

WORDS = ["man", "woman", "king", "queen", "boy", "girl", "paris", "rome"]
TEXT = ["the cat sat on the mat", "a dog and the cat", "the mat of a dog", "on a mat the dog sat"] * 6


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRTH_SETS", "FIRTH_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    array = np.array(
        [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1], [5, 5, 1, 1], [5, 5, 1, 2]]
    )
    places = [tmp_path / "good", tmp_path / "poor"]
    noise = np.random.default_rng(0).normal(size=array.shape)
    for place, vectors in zip(places, (array, noise), strict=True):
        kept = slice(None) if place.name == "good" else slice(0, 7)
        firth.Vectors(WORDS[kept], vectors[kept], segmentation=Segmentation(method="space")).save(place)
    return places


@pytest.fixture
def files(tmp_path: Path) -> None:
    texts = {
        "pairs.tsv": "king\tqueen\t9\nking\tparis\t1\nman\tboy\t7\nwoman\trome\t0\nman\tunicorn\t3\n",
        "questions.txt": ": royal\nman king woman queen\nking man queen woman\n: young\nman boy woman girl\n",
        "cities.txt": "paris\nrome\n\nman\nunicorn\n",
        "kinds.tsv": "paris\tcity\nrome\tcity\nman\tperson\nboy\tperson\nunicorn\tanimal\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")


def blocks(out: str) -> list[list[list[str]]]:
    return [[line.split("\t") for line in block.splitlines()] for block in out.split("\n\n")]


@pytest.mark.usefixtures("files")
def test_groups_and_categories_have_tables_of_their_own(run: Run, models: list[Path]) -> None:
    status, out, err = run("evaluate", models[0], "--outliers", "cities.txt", "--categories", "kinds.tsv")
    assert status == 0
    summary, outliers, categories = blocks(out)
    assert summary[0] == ["model", "layer", "cities accuracy", "cities opp", "kinds purity"]
    assert summary[1][2:] == ["1.0000", "1.0000", "1.0000"]
    assert outliers[1][2:] == ["cities", "1.0000", "1.0000", "1/2"]
    assert categories[1][2:] == ["kinds", "1.0000", "2", "4/5"]
    assert "unknown words of kinds.tsv: unicorn" in err


@pytest.mark.usefixtures("files")
def test_json_has_all_figures_but_those_of_each_question(run: Run, models: list[Path]) -> None:
    arguments = ("--outliers", "cities.txt", "--categories", "kinds.tsv", "--pairs", "pairs.tsv", "--json")
    (found,) = json.loads(run("evaluate", models[0], *arguments)[1])
    vectors = firth.Vectors.load(models[0])
    assert found["outliers"][0]["opp"] == vectors.evaluate_outliers("cities.txt").opp
    assert found["categories"][0]["unknown"] == ["unicorn"]
    assert set(found["pairs"][0]) == {
        *("file", "spearman", "spearman_p", "pearson", "pearson_p", "n_asked", "n_answered", "unknown", "n_composed")
    }
    assert "positions" not in found["outliers"][0]
    assert "clusters" not in found["categories"][0]


@pytest.mark.usefixtures("files")
def test_the_method_of_analogies_may_be_chosen(run: Run, models: list[Path]) -> None:
    vectors = firth.Vectors.load(models[1])
    for method in ("3cosadd", "3cosmul"):
        (found,) = json.loads(
            run("evaluate", models[1], "--analogies", "questions.txt", "--method", method, "--json")[1]
        )
        due = vectors.evaluate_word_analogies("questions.txt", method=method)  # type: ignore[arg-type]
        assert found["analogies"][0]["accuracy"] == due.accuracy
    assert run("evaluate", models[1], "--analogies", "questions.txt", "--method", "other")[0] == 2


@pytest.mark.usefixtures("files")
def test_models_may_be_scored_over_the_words_that_all_know(run: Run, models: list[Path]) -> None:
    _, out, err = run("evaluate", *models, "--pairs", "pairs.tsv", "--common", "--json")
    assert [part["pairs"][0]["n_answered"] for part in json.loads(out)] == [3, 3]  # `rome` is known to one alone
    assert "7 words are known to all 2 models" in err
    alone = json.loads(run("evaluate", *models, "--pairs", "pairs.tsv", "--json")[1])
    assert [part["pairs"][0]["n_answered"] for part in alone] == [4, 3]


@pytest.mark.usefixtures("files")
def test_intervals_and_ties_are_told(run: Run, models: list[Path]) -> None:
    status, out, _ = run("evaluate", *models, "--pairs", "pairs.tsv", "--analogies", "questions.txt", "--confidence")
    assert status == 0
    _, correlations, accuracies, differences = blocks(out)
    assert correlations[0][3:6] == ["spearman", "low", "high"]
    assert accuracies[0][-2:] == ["low", "high"]
    assert differences[0] == [
        *("set", "measure", "method", "model a", "layer a", "model b", "layer b"),
        *("a - b", "low", "high", "p", "p corrected", "more than chance"),
    ]
    assert [row[0] for row in differences[1:]] == ["pairs", "questions"]
    assert differences[1][-1] == "no: a tie"  # of so few pairs nothing can be said
    found = json.loads(run("evaluate", *models, "--pairs", "pairs.tsv", "--confidence", "--json")[1])
    assert len(found["models"]) == 2
    low, score, high = (found["models"][0]["pairs"][0][name] for name in ("low", "spearman", "high"))
    assert low <= score <= high
    assert found["differences"][0]["p corrected"] == found["differences"][0]["p"]


@pytest.mark.usefixtures("files")
def test_what_cannot_be_tested_is_no_tie(run: Run, models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "one.tsv").write_text("king\tqueen\t9\nman\tunicorn\t3\n", encoding="utf-8")
    (_, _, differences) = blocks(run("evaluate", *models, "--pairs", "one.tsv", "--confidence")[1])
    assert differences[1][-3:] == ["nan", "nan", "not tested"]


# --- sets by name


@pytest.mark.usefixtures("files")
def test_sets_are_evaluated_by_name(run: Run, models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "sets").mkdir()
    (tmp_path / "pairs.tsv").rename(tmp_path / "sets" / "wordsim353.tsv")
    (tmp_path / "questions.txt").rename(tmp_path / "sets" / "questions-words.txt")
    arguments = ("--sets", "wordsim353,google", "--sets-from", "sets")
    status, out, _ = run("evaluate", models[0], *arguments)
    assert status == 0
    assert blocks(out)[0][0] == ["model", "layer", "wordsim353 spearman", "google accuracy"]
    (found,) = json.loads(run("evaluate", models[0], *arguments, "--json")[1])
    assert (found["pairs"][0]["set"], found["pairs"][0]["n_answered"]) == ("wordsim353", 4)


def test_a_set_that_cannot_be_had_is_told(run: Run, models: list[Path], monkeypatch: Any) -> None:
    status, _, err = run("evaluate", models[0], "--sets", "wordsim")
    assert (status, "there is no set 'wordsim'" in err) == (2, True)
    monkeypatch.setenv("FIRTH_OFFLINE", "1")
    status, _, err = run("evaluate", models[0], "--sets", "men", "--cache-dir", "cache")
    assert (status, "men is not on this machine, and FIRTH_OFFLINE keeps from the network" in err) == (1, True)
    status, _, err = run("evaluate", models[0], "--sets", "8-8-8")
    assert (status, "no address is known for certain" in err) == (1, True)
    assert not Path("cache").exists()


@pytest.mark.usefixtures("files")
def test_sets_are_listed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sets" / "en").mkdir(parents=True)
    (tmp_path / "pairs.tsv").rename(tmp_path / "sets" / "en" / "wordsim353.tsv")
    status, out, _ = run("sets", "--sets-from", "sets", "--cache-dir", "cache")
    assert status == 0
    rows = {row[0]: row for row in blocks(out)[0]}
    assert rows["wordsim353"][1:6] == ["similarity", "en", "folder", "other", "sets/en/wordsim353.tsv"]
    assert rows["men"][3] == "not here"
    (one,) = json.loads(run("sets", "wordsim353", "--sets-from", "sets", "--json")[1])
    assert one["place"] == "sets/en/wordsim353.tsv"
    assert run("sets", "unheard")[0] == 2


# --- words in sentences


@pytest.fixture(scope="module")
def trained(tmp_path_factory: Any) -> Path:
    pytest.importorskip("torch")
    place: Path = tmp_path_factory.mktemp("trained") / "model"
    family = firth.BERT(dim=16, n_layers=1, n_heads=2, n_positions=16, context_length=16, vocabulary_size=256)
    firth.train(family, TEXT, tokens=500, threads=1, output=place)
    return place


def test_words_in_sentences_are_scored_by_layer(run: Run, trained: Path, models: list[Path], tmp_path: Path) -> None:
    tail = "\t".join(["1.0"] * 10)
    rows = [("cat", "dog", "9"), ("cat", "mat", "2"), ("dog", "sat", "1")]
    lines = [f"1\t{a}\tn\t{b}\tn\tthe <b> {a} </b> sat\ta <b> {b} </b>\t{score}\t{tail}" for a, b, score in rows]
    (tmp_path / "scws.txt").write_text("\n".join(lines), encoding="utf-8")
    for part in ("train", "dev"):
        (tmp_path / f"{part}.data.txt").write_text("cat\tN\t1-1\tthe cat\tthe cat\ndog\tN\t1-0\ta dog\tdog sat\n")
        (tmp_path / f"{part}.gold.txt").write_text("T\nF\n")
    status, out, _ = run("evaluate", trained, "--scws", "scws.txt", "--wic", ".", "--threads", 1, "--confidence")
    assert status == 0
    scws, wic = blocks(out)
    assert [row[1:4] for row in scws[1:]] == [
        [str(layer), "scws", method] for layer in (0, 1) for method in ("globalsim", "localsim")
    ]
    assert wic[0][3:] == ["accuracy", "low", "high", "threshold", "answered"]
    assert [row[-1] for row in wic[1:]] == ["2/2", "2/2"]
    (last,) = json.loads(run("evaluate", trained, "--wic", ".", "--layer", 1, "--threads", 1, "--json")[1])
    assert (last["layer"], last["in_sentences"][0]["n_answered"]) == (1, 2)


def test_scws_is_scored_by_the_senses_of_a_text(run: Run, trained: Path, models: list[Path], tmp_path: Path) -> None:
    tail = "\t".join(["1.0"] * 10)
    rows = [("cat", "dog", "9"), ("cat", "mat", "2"), ("dog", "sat", "1")]
    lines = [f"1\t{a}\tn\t{b}\tn\tthe <b> {a} </b> sat\ta <b> {b} </b>\t{score}\t{tail}" for a, b, score in rows]
    (tmp_path / "scws.txt").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "text.txt").write_text("\n".join(TEXT), encoding="utf-8")
    shutil.copytree(trained, tmp_path / "copy")
    how = ("--corpus", "text.txt", "--layer", 1, "--threads", 1, "--cache-dir", "cache", "--confidence")
    status, out, _ = run("evaluate", trained, "copy", "--scws", "scws.txt", *how)
    assert status == 0
    scws, differences = blocks(out)
    methods = ["globalsim", "avgsim", "avgsimc", "localsim"]
    assert [row[3] for row in scws[1:]] == methods * 2
    assert [row[2] for row in differences[1:]] == methods
    (tmp_path / "pairs.tsv").write_text("king\tqueen\t9\nking\tparis\t1\n", encoding="utf-8")
    status, _, err = run("evaluate", models[0], "--pairs", "pairs.tsv", "--corpus", "text.txt")
    assert (status, "--corpus is for the senses of SCWS" in err) == (2, True)


def test_senses_are_printed(run: Run, trained: Path, models: list[Path], tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("\n".join(TEXT), encoding="utf-8")
    how = ("--corpus", "text.txt", "--quiet", "--threads", 1)
    status, out, _ = run("senses", trained, "cat", "dog", "-k", 2, "-n", 3, *how)
    assert status == 0
    (rows,) = blocks(out)
    assert rows[0] == ["word", "sense", "share", "neighbours", "example"]
    assert {row[0] for row in rows[1:]} == {"cat", "dog"}
    assert all(len(row[3].split(", ")) == 3 and f"[{row[0]}]" in row[4] for row in rows[1:])
    (found,) = json.loads(run("senses", trained, "cat", *how, "--json")[1])
    assert (found["word"], found["n_occurrences"]) == ("cat", 12)
    status, _, err = run("senses", models[0], "man", *how)
    assert (status, "one vector in every context" in err) == (2, True)
    assert run("senses", trained, *how)[0] == 2
