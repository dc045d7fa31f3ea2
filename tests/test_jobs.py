"""Pieces of a comparison's work: what a score is made of, what preparing costs, of what size a trial is."""

import os
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
from firth.model import load
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


# --- equal words, and the same pairs


def test_a_budget_of_words_is_what_glove_counts(tmp_path: Path) -> None:
    half = len(TEXT) // 2
    n_words = sum(len(line.split()) for line in TEXT[:half])
    given = {"sizes": [settings(GloVe(dim=8))]}
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "training.txt").write_text("\n".join(TEXT[:half]), encoding="utf-8")
    pairs = {"set": "pairs", "pairs": [["cat", "dog", 9.0], ["hen", "pig", 8.0], ["cat", "pig", 1.0]]}
    found = jobs.done(job(tmp_path, **given, epochs=0.5, words=n_words, curve=pairs))["ok"]
    due = jobs.done(job(tmp_path / "half", **given, words=n_words))["ok"]
    assert found["flops"] == due["flops"]  # all passes, over the pairs of that half
    assert found["epochs"] == pytest.approx(0.5)
    assert found["losses"][-1][1] == found["curve"][-1]["epochs"] == pytest.approx(0.5)
    record = load(tmp_path / "model").record
    assert record["prepared"]["count_tokens"] == n_words
    assert record["spent"]["epochs"] == pytest.approx(GloVe.default_epochs)


def test_an_interrupted_count_of_a_part_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = job(tmp_path, sizes=[settings(GloVe(dim=8))], epochs=0.5, words=500)

    def interrupted(*given: Any, **how: Any) -> Any:
        def stop(_: object) -> None:
            raise KeyboardInterrupt

        return train(*given, **(how | {"on_report": stop}))

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "train", interrupted)
        with pytest.raises(KeyboardInterrupt):
            jobs.done(asked)
    assert (tmp_path / ".model.counts").is_file()
    assert jobs.done(asked)["ok"]["epochs"] == pytest.approx(0.5)
    assert load(tmp_path / "model").record["prepared"]["count_tokens"] == 500


def test_points_of_a_curve_tell_how_many_pairs_they_are_of(tmp_path: Path) -> None:
    pairs = {"set": "pairs", "pairs": [["cat", "dog", 9.0], ["Hen", "pig", 8.0], ["cat", "unheard", 1.0]]}
    points = jobs.done(job(tmp_path, curve=pairs))["ok"]["curve"]
    assert {(point["n_asked"], point["n_answered"]) for point in points} == {(3, 2)}


# --- what a fault leaves


class InThisProcess:
    """A process that ends where it begins."""

    def __init__(self, command: list[str], **_: object) -> None:
        self.status = jobs.main(Path(command[-1]))

    def wait(self) -> int:
        return self.status


def test_a_fault_of_the_program_leaves_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*_: object, **__: object) -> None:
        raise TypeError("no such thing")

    monkeypatch.setattr("subprocess.Popen", InThisProcess)
    monkeypatch.setattr("os.getppid", os.getpid)
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "train", faulty)
        found = jobs.run(job(tmp_path), tmp_path / "jobs", "train-cbow-1")
    assert found == {"failed": "TypeError: no such thing; its traceback is in jobs/train-cbow-1.log"}
    (log,) = (tmp_path / "jobs").iterdir()
    assert "in faulty" in log.read_text(encoding="utf-8")
    assert "ok" in jobs.run(job(tmp_path), tmp_path / "jobs", "train-cbow-1")
    assert not log.exists()


def test_an_error_that_is_foreseen_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise MemoryError("of 3 GiB")

    monkeypatch.setattr("subprocess.Popen", InThisProcess)
    monkeypatch.setattr(jobs, "train", failing)
    assert "not enough memory" in jobs.run(job(tmp_path), tmp_path / "jobs", "one")["failed"]
    assert not list((tmp_path / "jobs").iterdir())


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
