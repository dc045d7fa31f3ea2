"""A budget: one positive number, and how many tokens it is."""

import pytest

import firth
from firth.budget import Budget, State, checkpoint
from firth.files import latest_checkpoint


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
