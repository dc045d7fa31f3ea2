"""Pieces of a comparison's work: what a score is made of, what preparing costs, of what size a trial is."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from trainings import TEXT, job

from firth import contextual_training, jobs
from firth.budget import Budget
from firth.errors import FirthError
from firth.families.family import settings
from firth.families.glove import GloVe
from firth.families.gpt import GPT
from firth.families.skipgram import Skipgram
from firth.ledger import Records
from firth.significance import value
from firth.training import train
from firth.undertaking import Undertaking
from firth.variants import read

# --- what a score is made of


def answered(tmp_path: Path, task: str, test: str, labels: list[Any], main: str) -> list[Any]:
    """The items of a model that answers a file of examples with these labels."""
    path = tmp_path / "test.tsv"
    path.write_text(test, encoding="utf-8")
    made = SimpleNamespace(learnt=None, predict=lambda *_, **__: [SimpleNamespace(label=label) for label in labels])
    return jobs._answered(made, {"test": str(path), "task": task, "device": None, "threads": 1}, main)


def test_f1_is_of_spans_found_due_and_told_of_each_sentence(tmp_path: Path) -> None:
    test = "Ann B-PER\nLee I-PER\nin O\nOslo B-LOC\n\nno O\none O\n\nBo B-PER\nleft O\n"
    told = [("B-PER", "I-PER", "O", "B-PER"), ("O", "B-LOC"), ("B-PER", "O")]
    items = answered(tmp_path, "tag", test, told, "f1")
    assert items == [[1, 2, 2], [0, 0, 1], [1, 1, 1]]
    assert value("f1", items) == pytest.approx(2 * 2 / (3 + 4))


def test_pearson_is_of_what_is_due_and_what_came(tmp_path: Path) -> None:
    test = "first\tsecond\tscore\na cat\ta dog\t4.5\na cat\ta car\t1\nthe sun\tthe moon\t3\n"
    items = answered(tmp_path, "pair", test, [4.0, 2.0, 3.0], "pearson")
    assert items == [[4.5, 4.0], [1.0, 2.0], [3.0, 3.0]]
    assert value("pearson", items) == pytest.approx(3.5 / (6.1666667 * 2) ** 0.5)


def test_accuracy_is_of_texts_and_of_the_tags_of_sentences(tmp_path: Path) -> None:
    assert answered(tmp_path, "classify", "text\tlabel\ngood\tpos\nbad\tneg\n", ["pos", "pos"], "accuracy") == [1, 0]
    test = "it PRON\nrains VERB\n\nrain NOUN\n"
    items = answered(tmp_path, "tag", test, [("PRON", "NOUN"), ("NOUN",)], "accuracy")
    assert items == [[1, 2], [1, 1]]
    assert value("accuracy", items) == pytest.approx(2 / 3)


# --- what preparing costs


@pytest.mark.parametrize("family", [Skipgram(dim=8), GloVe(dim=8)])
def test_preparing_is_charged_whatever_another_has_left_in_the_cache(
    family: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budgets: list[float] = []

    def watched(*given: Any, **how: Any) -> Any:
        if "minutes" in how:
            budgets.append(how.pop("minutes"))
            how["epochs"] = 1
        return train(*given, **how)

    monkeypatch.setattr(jobs, "train", watched)
    given = {"sizes": [settings(family)], "minutes": 5.0, "epochs": None}
    jobs.done(job(tmp_path, **given, output=str(tmp_path / "first")))  # fills the cache
    (tmp_path / ".second.counts").write_bytes(b"of a process that was killed")
    found = jobs.done(job(tmp_path, **given, counts="all", output=str(tmp_path / "second")))["ok"]["prepare_seconds"]
    assert found["encode_seconds"] > 0
    assert ("count_seconds" in found) == (family.name == "glove")
    assert budgets[0] == 5.0
    assert 0 < 60 * (5.0 - budgets[1]) <= sum(found.values()) + 0.01
    assert not list(tmp_path.glob(".second.*"))


@pytest.mark.parametrize("error", [FirthError("too few words"), RuntimeError("broken")])
def test_what_was_prepared_goes_with_a_training_that_has_no_checkpoint(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **how: Any) -> Any:
        Path(how["cache_dir"]).mkdir()
        raise error

    monkeypatch.setattr(jobs, "train", fails)
    found = jobs.done(job(tmp_path, minutes=1.0, epochs=None, counts="all"))
    assert {"failed", "left_out"} & found.keys()
    assert not list(tmp_path.glob(".model.*"))


def test_what_was_prepared_stays_for_a_training_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **how: Any) -> Any:
        Path(how["cache_dir"]).mkdir()
        how["on_begin"](SimpleNamespace())
        raise FirthError("broken off")

    monkeypatch.setattr(jobs, "train", fails)
    monkeypatch.setattr(jobs, "latest_checkpoint", lambda place: place / "checkpoint")
    assert "failed" in jobs.done(job(tmp_path, minutes=1.0, epochs=None, counts="all"))
    assert (tmp_path / ".model.cache").is_dir()


def test_what_counts_is_compiled_anew(tmp_path: Path) -> None:
    with jobs._environment(job(tmp_path), tmp_path) as environment:
        assert environment is None
    with jobs._environment(job(tmp_path, counts="all", minutes=1.0), tmp_path) as environment:
        assert environment is not None
        folders = {Path(environment[name]).parent for name in jobs.COMPILED}
        assert [folder.parent for folder in folders] == [tmp_path]
    assert not any(folder.exists() for folder in folders)


# --- trials


@pytest.mark.parametrize(("budget", "due"), [({"minutes": 1.0}, Budget(minutes=4.0)), ({"epochs": 2.0}, None)])
def test_a_trial_is_of_the_size_that_the_whole_budget_suffices_for(
    budget: dict[str, float], due: Budget | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [Skipgram(dim=8), Skipgram(dim=16), Skipgram(dim=32)]
    asked: dict[str, Any] = {}

    def train(given: Any, *_: object, **how: Any) -> Any:
        asked.update(how)
        return given[1]

    monkeypatch.setattr(jobs, "train", train)
    monkeypatch.setattr(jobs, "_trained", lambda *_: {"seconds": 1.0, "held_out_nats": 3.0})
    monkeypatch.setattr(jobs, "load", lambda _: SimpleNamespace(family=replace(sizes[1])))
    monkeypatch.setattr(jobs, "neighbour_chance", lambda *_, **__: 0.75)
    (tmp_path / "held-out.txt").write_text("the cat\n")
    given = {"minutes": None, "epochs": None, **budget, "sizes": [settings(size) for size in sizes]}
    found = jobs.done(job(tmp_path, work="try", dev=[], held_out=str(tmp_path / "held-out.txt"), **given))
    assert asked["sized_for"] == (due or Budget(epochs=8.0))
    assert found["ok"]["size"] == 1


def test_the_budget_that_a_size_is_chosen_by_is_the_one_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Budget] = []

    def suited(sizes: Any, text: Any, pieces: Any, budget: Budget, *_: object) -> Any:
        asked.append(budget)
        return sizes[0]

    monkeypatch.setattr(contextual_training, "suited", suited)
    sizes = [GPT.tiny(), GPT.mini()]
    for sized_for in (None, Budget(minutes=9)):
        train(sizes, TEXT, tokens=1, matrices=False, cache_dir=tmp_path, sized_for=sized_for)
    assert asked == [Budget(tokens=1), Budget(minutes=9)]


def test_what_is_trained_has_the_size_that_was_tried(tmp_path: Path) -> None:
    variant = read("gpt")
    records = Records(tmp_path / "records.jsonl")
    work: Any = SimpleNamespace(records=records, asked=SimpleNamespace(seeds=(4,), counts="training"))
    assert Undertaking.suited(work, variant) == variant.sizes
    records.add("try", "gpt", 4, "0", {"ok": {"score": 1.0, "size": 1}})
    assert Undertaking.suited(work, variant) == variant.sizes[1:2]
    work.asked.counts = "all"  # less is left to train in than a trial's size was chosen by
    assert Undertaking.suited(work, variant) == variant.sizes
