"""The threads of the static families: budgets, reports, errors in a thread."""

import io
import json
import threading
from dataclasses import replace

import numpy as np
import pytest

import firth
from firth import hogwild
from firth.progress import Lines
from firth.training import train

FAMILY = firth.Skipgram(dim=8, window=3, block=8, noise_pool=4, min_count=1, sample=0.0)
TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog"] * 20
N_TOKENS = 17 * 20


def small(**changes):
    return train(FAMILY, TEXT, **({"epochs": 1, "threads": 1} | changes))


def test_a_budget_of_epochs_reads_the_corpus_so_often(monkeypatch):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 34)
    assert small(epochs=3).record["spent"]["tokens"] == 3 * N_TOKENS
    assert small(epochs=0.5).record["spent"]["tokens"] == N_TOKENS / 2


def test_a_budget_of_tokens_is_reached_by_the_last_batch(monkeypatch):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 50)
    assert 500 <= small(epochs=None, tokens=500).record["spent"]["tokens"] < 550


def test_a_budget_of_minutes_is_kept_and_annealed(monkeypatch):
    monkeypatch.setattr(hogwild, "SECONDS_BETWEEN_REPORTS", 0.02)
    rates = []
    model = small(epochs=None, minutes=0.5 / 60, on_report=lambda report: rates.append(report.learning_rate))
    assert 0.5 <= model.record["spent"]["seconds"] < 1.5
    assert model.record["spent"]["epochs"] > 1
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(FAMILY.learning_rate / 10)


def test_reports_add_up(monkeypatch, tmp_path):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 34)
    monkeypatch.setattr(hogwild, "SECONDS_BETWEEN_REPORTS", 0.001)
    reports = []
    model = small(epochs=200, output=tmp_path / "model", on_report=reports.append)
    spent = model.record["spent"]
    assert len(reports) > 1
    assert reports[-1].fraction == 1.0
    assert sum(report.n_pairs for report in reports) == spent["n_pairs"]
    total = sum(report.loss_nats * report.n_pairs for report in reports)
    assert total / spent["n_pairs"] == pytest.approx(model.record["mean_loss_nats"])
    assert model.record["loss_nats"] < model.record["mean_loss_nats"]
    logged = [json.loads(line) for line in (tmp_path / "model" / "log.jsonl").read_text().splitlines()]
    assert [entry["tokens"] for entry in logged] == [report.tokens for report in reports]
    assert logged[-1]["loss_nats"] == reports[-1].loss_nats


def test_several_threads_share_the_work():
    model = small(epochs=40, threads=3)
    assert model.record["spent"]["tokens"] == 40 * N_TOKENS
    alone = small(epochs=40)
    assert model.record["mean_loss_nats"] == pytest.approx(alone.record["mean_loss_nats"], rel=0.05)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_reproducible_run_has_the_same_bits_on_any_number_of_threads(monkeypatch, threads):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 60)
    expected = small(epochs=20, threads=1)
    model = small(epochs=20, threads=threads, reproducible=True)
    np.testing.assert_array_equal(model.table(), expected.table())
    np.testing.assert_array_equal(model.output_table(), expected.output_table())
    assert model.record["mean_loss_nats"] == expected.record["mean_loss_nats"]
    assert model.record["reproducible"]


def test_the_record_tells_for_how_many_centres_words_are_composed():
    """By the threads that train, unless batches are trained on in their order, where one has no other beside it."""
    family = replace(FAMILY, subwords="2-3", buckets=300)
    alone, many, in_order = (
        train(family, TEXT, epochs=1, threads=threads, reproducible=reproducible).record["composed"]
        for threads, reproducible in ((1, False), (8, False), (8, True))
    )
    assert alone == in_order == {"stretch": 512, "passed_on": 1.0}
    assert many["stretch"] == 32
    assert 0.0 < many["passed_on"] < 1.0
    assert "composed" not in small().record


@pytest.mark.parametrize(("threads", "said"), [(8, True), (1, False)])
def test_it_is_said_where_words_are_composed_for_fewer_centres(threads, said):
    lines = io.StringIO()
    train(replace(FAMILY, subwords="2-3", buckets=300), TEXT, epochs=1, threads=threads, progress=Lines(lines))
    assert ("composed of them for 32 words of the text at a time, where 512" in lines.getvalue()) == said


def test_a_failing_step_ends_a_reproducible_run(monkeypatch):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 60)

    def fails(*_):
        raise firth.FirthError("no step")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("firth.hogwild.Loop.compile", lambda self: 0.0)
        patch.setattr(type(FAMILY), "step", fails)
        with pytest.raises(firth.FirthError, match="no step"):
            small(epochs=20, threads=3, reproducible=True)


def test_a_failing_callback_ends_the_run_and_its_threads(monkeypatch):
    monkeypatch.setattr(hogwild, "SECONDS_BETWEEN_REPORTS", 0.001)

    def fail(report):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        small(epochs=None, minutes=1, threads=2, on_report=fail)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("firth-")]


def test_an_error_in_a_thread_is_raised(monkeypatch):
    def fail(*arguments):
        raise MemoryError("no more rows")

    monkeypatch.setattr(firth.Skipgram, "batch", fail)
    with pytest.raises(MemoryError, match="no more rows"):
        small(threads=2)


def test_a_run_that_diverges_says_so(monkeypatch):
    monkeypatch.setattr(hogwild, "SECONDS_BETWEEN_REPORTS", 0.001)
    wild = firth.Skipgram(dim=8, window=3, block=8, noise_pool=4, min_count=1, sample=0.0, learning_rate=1e30)
    with pytest.raises(firth.FirthError, match=r"diverged.*learning_rate"):
        train(wild, TEXT, epochs=50, threads=1)


def test_lines_of_one_word_are_no_corpus():
    with pytest.raises(firth.FirthError, match="nothing was there to predict"):
        train(FAMILY, ["one", "two", "three"] * 20, epochs=1)
