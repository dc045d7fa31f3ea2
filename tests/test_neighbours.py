import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from firth import neighbours

RNG = np.random.default_rng(3)
MATRIX = RNG.standard_normal((200, 8)).astype(np.float32)
NORMS = neighbours.norms(MATRIX)


def reference_cosines(matrix, query):
    matrix, query = matrix.astype(np.float64), query.astype(np.float64)
    return matrix @ query / np.linalg.norm(matrix, axis=1) / np.linalg.norm(query)


def test_cosines_by_hand():
    matrix = np.array([[3, 4], [0, 0], [-2, 0]], np.float32)
    lengths = neighbours.norms(matrix)
    assert lengths.tolist() == [5, 0, 2]
    np.testing.assert_allclose(neighbours.cosines(matrix, lengths, np.float32([7, 0])), [0.6, 0, -1])
    np.testing.assert_allclose(neighbours.cosines(matrix, lengths, np.float32([0, 0])), [0, 0, 0])


def test_norms_go_by_blocks(monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS_PER_BLOCK", 7)
    np.testing.assert_array_equal(neighbours.norms(MATRIX), NORMS)


@given(
    hnp.arrays(np.float32, st.integers(0, 30), elements=st.sampled_from([-2.0, 0.0, 0.5, 0.5, 1.0, -np.inf])),
    st.integers(0, 35),
)
def test_best_is_a_stable_sort(scores, n):
    expected = np.argsort(-scores, kind="stable")[:n]
    assert neighbours.best(scores, n).tolist() == expected.tolist()


def test_nearest_is_exact():
    query = RNG.standard_normal(8).astype(np.float32)
    cosines = reference_cosines(MATRIX, query)
    rows, scores = neighbours.nearest(MATRIX, NORMS, query, 10)
    assert rows.tolist() == np.argsort(-cosines)[:10].tolist()
    np.testing.assert_allclose(scores, np.sort(cosines)[::-1][:10], atol=1e-6)


def test_excluded_rows_do_not_come():
    query = MATRIX[5]
    rows, _ = neighbours.nearest(MATRIX, NORMS, query, 200, excluded=[5, 7, 7, -3, 900])
    assert len(rows) == 198
    assert not {5, 7} & set(rows.tolist())


@pytest.mark.parametrize("block_bytes", [1, 3 * 4 * 200, 2**20])
def test_many_queries_are_each_answered(monkeypatch, block_bytes):
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", block_bytes)
    excluded = [[row] for row in range(20)]
    together = neighbours.nearest_to_each(MATRIX, NORMS, MATRIX[:20], 4, excluded)
    for row, found in enumerate(together):
        alone = neighbours.nearest(MATRIX, NORMS, MATRIX[row], 4, [row])
        assert found.rows.tolist() == alone.rows.tolist()
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-6)
    without = neighbours.nearest_to_each(MATRIX, NORMS, MATRIX[:3], 1)
    assert [int(found.rows[0]) for found in without] == [0, 1, 2]


def test_cosmul_is_equation_4():
    positive, negative = MATRIX[[3, 4]], MATRIX[[9]]
    near = np.prod([(1 + reference_cosines(MATRIX, vector)) / 2 for vector in positive], axis=0)
    far = np.prod([(1 + reference_cosines(MATRIX, vector)) / 2 for vector in negative], axis=0)
    expected = near / (far + 1e-6)
    expected[[3, 4, 9]] = -np.inf
    rows, scores = neighbours.nearest_by_product(MATRIX, NORMS, positive, negative, 5, [3, 4, 9])
    assert rows.tolist() == np.argsort(-expected)[:5].tolist()
    np.testing.assert_allclose(scores, np.sort(expected)[::-1][:5], rtol=1e-4)


def test_transport_by_hand():
    costs = np.array([[0.0, 2.0], [1.0, 5.0]])
    # all of the second source goes to the first target, the rest of it comes from the first source
    assert neighbours.transport_cost(costs, np.array([0.75, 0.25]), np.array([0.5, 0.5])) == pytest.approx(1.25)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_transport_between_equal_shares_is_an_assignment(size):
    costs = RNG.random((size, size))
    shares = np.full(size, 1 / size)
    rows, columns = linear_sum_assignment(costs)
    assert neighbours.transport_cost(costs, shares, shares) == pytest.approx(costs[rows, columns].sum() / size)
    assert neighbours.transport_cost(costs, shares, shares) == pytest.approx(
        min(sum(costs[i, j] for i, j in enumerate(p)) for p in itertools.permutations(range(size))) / size
    )
