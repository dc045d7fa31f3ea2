from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import duplicates
from firth.duplicates import count_duplicates


def encoded(documents: list[list[list[int]]]) -> Any:
    """What an encoded corpus of these documents of lines of type ids has."""
    lines = [line for document in documents for line in document]
    return SimpleNamespace(
        type_ids=np.array([type_id for line in lines for type_id in line], dtype=np.int32),
        line_ends=np.cumsum([len(line) for line in lines], dtype=np.int64),
        document_ends=np.cumsum([len(document) for document in documents], dtype=np.int64),
        n_tokens=sum(map(len, lines)),
    )


def random_lines(seed: int, n_lines: int, n_different: int) -> list[list[int]]:
    """Lines of one to three words, of so many different ones."""
    rng = np.random.default_rng(seed)
    chosen = rng.integers(0, n_different, n_lines).tolist()
    return [[number, 0, 1][: 1 + number % 3] for number in chosen]


@given(
    documents=st.lists(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=3), min_size=1), max_size=12),
    at_once=st.integers(1, 9),
)
def test_they_are_those_that_a_set_finds(documents: list[list[list[int]]], at_once: int) -> None:
    lines = [line for document in documents for line in document]
    again_lines = [line for number, line in enumerate(lines) if line in lines[:number]]
    again = [document for number, document in enumerate(documents) if document in documents[:number]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_TOKENS_AT_ONCE", at_once)
        assert count_duplicates(encoded(documents)) == (
            len(again_lines),
            sum(map(len, again_lines)),
            len(again),
            sum(len(line) for document in again for line in document),
            True,
        )


def test_up_to_the_most_they_are_exact() -> None:
    lines = random_lines(1, 5000, 2000)
    n_different = len({tuple(line) for line in lines})
    whole = encoded([[line] for line in lines])
    exact = count_duplicates(whole)
    assert exact.n_lines == 5000 - n_different
    assert count_duplicates(whole, n_different) == exact
    assert not count_duplicates(whole, n_different - 1).is_exact


def test_beyond_they_are_told_without_bias() -> None:
    """Over many corpora, too high as often as too low."""
    errors = []
    for seed in range(60):
        lines = [[seed * 100_000 + number for number in line] for line in random_lines(seed, 4000, 3000)]
        whole = encoded([[line] for line in lines])
        exact, told = count_duplicates(whole), count_duplicates(whole, 400)
        assert not told.is_exact
        for number, other in zip(told[:4], exact[:4], strict=True):
            assert number == pytest.approx(other, rel=0.5)
        errors.append(told.n_lines / exact.n_lines - 1)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))
    assert np.std(errors) > 0


def test_a_line_that_comes_again_and_again_is_not_left_to_chance() -> None:
    """It makes up half of a corpus, in which no other line repeats."""
    for seed in range(10):
        lines = [[0, 7] if number % 2 else [seed + 1, number] for number in range(20_000)]
        told = count_duplicates(encoded([lines]), 100)
        assert (told.n_lines, told.line_words, told.is_exact) == (9999, 2 * 9999, False)


def test_a_corpus_without_any() -> None:
    lines = [[number, number + 1] for number in range(3000)]
    assert count_duplicates(encoded([lines]), 50)[:4] == (0, 0, 0, 0)
