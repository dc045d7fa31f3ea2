"""What users give, as vectors take it."""

import numpy as np
import pytest

from firth import queries
from firth.errors import UsageError

VECTOR = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, []),
        ("king", ["king"]),
        (["king", "queen"], ["king", "queen"]),
        (("king", 2.0), [("king", 2.0)]),
        (("king", "queen"), ["king", "queen"]),
        (iter(["king"]), ["king"]),
    ],
)
def test_one_query_or_several_are_a_list(given, expected):
    assert queries.each(given) == expected


def test_a_vector_is_one_query_and_an_array_has_one_in_each_row():
    assert [row.tolist() for row in queries.each(VECTOR)] == [[1, 1, 1]]
    assert len(queries.each(np.ones((2, 3), np.float32))) == 2


def test_a_query_keeps_its_own_weight():
    assert queries.weighted(("king", 0.5), -1.0) == ("king", 0.5)
    assert queries.weighted("king", -1.0) == ("king", -1.0)


@pytest.mark.parametrize(
    ("restrict", "expected"), [(None, slice(0, 9)), (4, slice(0, 4)), (99, slice(0, 9)), (range(2, 5), slice(2, 5))]
)
def test_a_search_is_restricted_to_rows_in_a_row(restrict, expected):
    assert queries.searched(restrict, 9) == expected


@pytest.mark.parametrize("restrict", [0, -1, range(3, 3), range(0, 6, 2), range(-2, 3)])
def test_other_restrictions_are_refused(restrict):
    with pytest.raises(UsageError, match="leaves no rows, or not rows in a row; there are 9"):
        queries.searched(restrict, 9)


@pytest.mark.parametrize("words", ["king", []])
def test_a_list_of_words_is_due(words):
    with pytest.raises(UsageError, match="a list of words is due"):
        queries.several(words)


def test_fewer_than_none_are_refused():
    assert queries.at_least_0(0) == 0
    with pytest.raises(UsageError, match="topn -1 asked"):
        queries.at_least_0(-1)
