"""A budget: one positive number, and how many tokens it is."""

import pytest

import firth
from firth.budget import MOST_USEFUL_EPOCHS, TOKENS_PER_WEIGHT, Budget, State, checkpoint, chosen_size
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


WEIGHTS = [400_000, 3_000_000, 12_000_000, 25_000_000, 85_000_000]


@pytest.mark.parametrize(
    ("seen", "n_corpus", "size"),
    [
        ([9e6, 3.1e6, 0.9e6, 0.5e6, 0.3e6], 10**9, 1),  # minutes on two cores
        ([1e5, 3e4, 1e4, 5e3, 3e3], 10**9, 0),  # seconds: the smallest all the same
        ([3e9, 2e9, 1e9, 8e8, 4e8], 10**9, 4),  # ten minutes of a large GPU
        ([3e9, 2e9, 1e9, 8e8, 4e8], 10**6, 2),  # but a corpus of a million tokens, read 16 times
        ([3e9, 2e9, 1e9, 8e8, 4e8], 10_000, 0),
    ],
)
def test_the_size_is_the_largest_that_sees_enough(seen, n_corpus, size):
    assert (TOKENS_PER_WEIGHT, MOST_USEFUL_EPOCHS) == (1, 16)
    assert chosen_size(WEIGHTS, n_corpus, lambda number: seen[number])[0] == size


def test_sizes_beyond_the_first_that_is_too_large_are_not_measured():
    asked = []

    def tokens_of(size):
        asked.append(size)
        return [9e6, 3.1e6, 0.9e6][size]

    assert chosen_size(WEIGHTS, 10**9, tokens_of) == (1, [9e6, 3.1e6, 0.9e6])
    assert asked == [0, 1, 2]
