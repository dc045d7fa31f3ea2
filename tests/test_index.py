"""The rows of a layer, searched alike whatever they are kept as."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import neighbours, quantisation
from firth.errors import FirthError
from firth.index import Index
from firth.lexicon import Lexicon

N_ROWS, DIM = 30, 6
ARRAY = np.random.default_rng(0).normal(size=(N_ROWS, DIM)).astype(np.float32)
CODES = quantisation.quantised(ARRAY)
WORDS = Lexicon([f"word{row}" for row in range(N_ROWS)], None, keeps_spelling=False)
KINDS = {
    "floats": (Index(WORDS, ARRAY, None), ARRAY),
    "codes": (Index(WORDS, None, CODES), quantisation.restored(CODES)),
    "both": (Index(WORDS, ARRAY, CODES), ARRAY),
}


@pytest.mark.parametrize("kind", KINDS)
@given(st.integers(0, N_ROWS - 1), st.integers(1, N_ROWS), st.integers(0, 8), st.lists(st.integers(0, N_ROWS - 1)))
def test_the_nearest_rows_of_a_part_are_those_of_the_floats(kind, start, length, n, excluded):
    index, array = KINDS[kind]
    searched = slice(start, min(start + length, N_ROWS))
    part, queries = array[searched], ARRAY[:3] + np.float32(0.1)
    left_out = [row - start for row in excluded]
    for query, found in zip(queries, index.nearest_to_each(queries, n, searched, [excluded] * 3), strict=True):
        due = neighbours.nearest(part, neighbours.norms(part), query, n, left_out)
        np.testing.assert_allclose(found.scores, due.scores, atol=1e-5)
        one = index.nearest(query, n, searched, excluded)
        np.testing.assert_array_equal(one.rows, found.rows)
        assert not {row + start for row in found.rows.tolist()} & set(excluded)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_cosines_and_products(kind):
    index, array = KINDS[kind]
    np.testing.assert_array_equal(index.taken([2, 0]), array[[2, 0]])
    lengths = neighbours.norms(array)
    np.testing.assert_allclose(index.cosines(ARRAY[1]), neighbours.cosines(array, lengths, ARRAY[1]), atol=1e-5)
    asked = (ARRAY[:2], ARRAY[2:3], 5)
    found = index.nearest_by_product(*asked, slice(0, N_ROWS), [0, 1, 2])
    due = neighbours.nearest_by_product(array, lengths, *asked, [0, 1, 2])
    np.testing.assert_array_equal(found.rows, due.rows)


def test_a_number_that_is_not_finite_is_told_by_its_word():
    array = ARRAY.copy()
    array[3, 2] = np.nan
    with pytest.raises(FirthError, match="the vector of 'word3' holds a number that is not finite"):
        Index(WORDS, array, None).cosines(ARRAY[0])
