"""A budget: one positive number, and how many tokens it is."""

import json

import pytest

import firth
from firth.budget import Budget, Journal, State, checkpoint
from firth.files import JOURNAL, check_output, latest_checkpoint


@pytest.mark.parametrize(
    "budget", [{}, {"epochs": 1, "minutes": 1}, {"epochs": 0}, {"tokens": -5}, {"minutes": float("inf")}], ids=str
)
def test_a_budget_is_one_positive_number(budget):
    with pytest.raises(firth.UsageError, match="budget"):
        Budget(**budget)


def test_a_budget_knows_its_tokens_and_its_words():
    assert Budget(epochs=1.5).tokens_in(100) == 150
    assert Budget(tokens=70).tokens_in(100) == 70
    assert Budget(minutes=2).tokens_in(100) == float("inf")
    assert [str(Budget(epochs=1.5)), str(Budget(tokens=1e6))] == ["1.5 epochs", "1e+06 tokens"]


def test_a_checkpoint_of_the_same_batch_leaves_the_one_before_whole(tmp_path):
    for before, text in (("", "first"), ("first", "second"), ("second", "third")):
        with checkpoint(tmp_path, State(next_batch=7)) as folder:
            (folder / "state").write_text(text)
            if before:
                assert (latest_checkpoint(tmp_path) / "state").read_text() == before
        assert (latest_checkpoint(tmp_path) / "state").read_text() == text
        assert len([path for path in (tmp_path / "checkpoint").iterdir() if path.is_dir()]) == 1


def test_a_checkpoint_that_is_broken_off_leaves_the_one_before(tmp_path):
    with checkpoint(tmp_path, State(next_batch=7)) as folder:
        (folder / "state").write_text("first")

    def broken_off():
        with checkpoint(tmp_path, State(next_batch=7)) as folder:
            (folder / "state").write_text("second")
            raise OSError("disk trouble")

    with pytest.raises(OSError, match="disk trouble"):
        broken_off()
    assert (latest_checkpoint(tmp_path) / "state").read_text() == "first"


def test_a_journal_is_read_while_the_run_goes_on(tmp_path):
    log = [{"seconds": 1.0}]
    with Journal(log, tmp_path / "model") as journal:
        journal.add({"seconds": 2.0})
        journal.add({"seconds": 3.0})
        file = tmp_path / "model" / "checkpoint" / JOURNAL
        assert [json.loads(line) for line in file.read_text().splitlines()] == log
        assert len(log) == 3
        check_output(tmp_path / "model", overwrite=False)  # what a killed run leaves is in nobody's way
    assert file.is_file()


def test_a_journal_goes_with_a_run_that_fails_before_its_first_checkpoint(tmp_path):
    def fails():
        with Journal([], tmp_path / "model") as journal:
            journal.add({"seconds": 1.0})
            raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        fails()
    assert not (tmp_path / "model").exists()


def test_a_journal_that_cannot_be_written_ends_nothing(tmp_path):
    (tmp_path / "model").write_text("a file")
    log: list[dict[str, float]] = []
    with Journal(log, tmp_path / "model") as journal:
        journal.add({"seconds": 1.0})
    assert log == [{"seconds": 1.0}]


def test_a_model_that_a_run_will_replace_has_no_log_of_it(tmp_path):
    (tmp_path / "firth.json").write_text("{}")
    with Journal([], tmp_path) as journal:
        journal.add({"loss_nats": 1.0})
    assert not (tmp_path / "checkpoint").exists()
