"""Which size a budget suffices for."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from firth import devices, sizes
from firth.budget import Budget
from firth.families.bert import BERT
from firth.progress import Lines
from firth.sizes import MOST_USEFUL_EPOCHS, TOKENS_PER_WEIGHT, chosen_size

NETWORK = BERT(dim=16, n_layers=1, n_heads=2)
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


def test_a_size_that_would_take_days_is_not_chosen_unasked(monkeypatch, capsys):
    monkeypatch.setattr("firth.speeds.measured_speed", lambda family, *_: 1e5 / family.n_layers**2)
    networks = [replace(NETWORK, n_layers=n, dim=512, n_heads=8) for n in (1, 10, 20)]
    asked = {"text": SimpleNamespace(n_tokens=10**9), "pieces": None, "device": None, "progress": Lines(sys.stderr)}
    assert sizes.suited(networks, **asked, budget=Budget(epochs=1)) == networks[1]
    said = capsys.readouterr().err
    assert "size 10 layers of 512: 43.2 M tokens fit in 1 epoch here, about 12.0 hours" in said
    assert "20 layers of 512 would see 10.8 M in 12 hours" in said
    assert sizes.suited(networks, **asked, budget=Budget(tokens=1000)) == networks[0]
    assert "hours" not in capsys.readouterr().err


def test_the_first_process_chooses_the_size(monkeypatch, capsys):
    """One that has measured otherwise follows it, and says nothing."""
    monkeypatch.setattr(devices, "world", lambda: devices.World(1, 2, 1))
    monkeypatch.setattr(devices, "told_by_first", lambda number, device: 2)
    monkeypatch.setattr(sizes, "chosen_size", lambda weights, n, tokens_of: (0, [1.0]))
    networks = [replace(NETWORK, n_layers=n) for n in (1, 2, 4)]
    chosen = sizes.suited(networks, SimpleNamespace(n_tokens=9), None, Budget(minutes=1), None, Lines(sys.stderr))
    assert chosen == networks[2]
    assert capsys.readouterr().err == ""
