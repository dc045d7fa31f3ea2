"""The arithmetic inside the kernels; their steps are compared with the reference in families/test_word2vec.py."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from firth import kernels, objectives, tiles
from firth.tiles import LANES


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=40), st.sampled_from([-1.0, 1.0]))
def test_losses_and_slopes_are_exact_to_float32(scores, sign):
    scores = np.array(scores, np.float32)
    weights = np.linspace(0.1, 2.0, len(scores), dtype=np.float32)
    slopes, bits = np.empty_like(scores), np.empty(len(scores), np.int32)
    total = kernels.logistic_losses(np.float32(sign), scores, weights, slopes, bits.view(np.float32), bits, len(scores))
    wide = sign * scores.astype(np.float64)
    assert total == pytest.approx((weights * objectives.softplus(wide)).sum(), rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(slopes, -sign * weights * objectives.sigmoid(wide), rtol=1e-6, atol=1e-30)


def test_a_diverged_score_is_seen():
    scores = np.array([np.nan, np.inf], np.float32)
    slopes, bits = np.empty_like(scores), np.empty(2, np.int32)
    total = kernels.logistic_losses(
        np.float32(1), scores, np.ones(2, np.float32), slopes, bits.view(np.float32), bits, 2
    )
    assert not np.isfinite(total)


ROWS_OF_VECTORS = [1, 3, 13, 14]


@pytest.mark.parametrize("n_vectors", ROWS_OF_VECTORS)
def test_scores_of_rows(n_vectors):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(n, n_vectors * LANES)).astype(np.float32) for n in (10, 12))
    into = np.zeros(100, np.float32)
    kernels.score(a, 2, 6, b, 1, 7, into, 4, 10, (0,) * n_vectors)
    rows = into[4:64].reshape(6, 10)
    np.testing.assert_allclose(rows[:, :8], a[2:8] @ b[1:9].T, rtol=1e-4, atol=1e-4)  # 7 columns are 2 tiles of 4
    assert not into[:4].any()
    assert not rows[:, 8:].any()


SUMS = {"combine_2": tiles.combine_2, "combine_4": tiles.combine_4, "add_2": tiles.add_2, "add_4": tiles.add_4}


@pytest.mark.parametrize("n_vectors", ROWS_OF_VECTORS)
@pytest.mark.parametrize("name", SUMS)
def test_sums_of_rows_also_transposed(n_vectors, name):
    sums, n_rows, adds = SUMS[name], int(name[-1]), name.startswith("add")

    @njit
    def run(weights, row_stride, column_stride, b, into, vectors):
        sums(weights, 0, row_stride, column_stride, b, 3, 6, into, 4, vectors)

    rng = np.random.default_rng(1)
    weights = rng.normal(size=(n_rows, 6)).astype(np.float32)
    b, into = (rng.normal(size=(n, n_vectors * LANES)).astype(np.float32) for n in (9, 12))
    for row_stride, column_stride, laid in ((6, 1, weights), (1, n_rows, np.ascontiguousarray(weights.T))):
        changed = into.copy()
        run(laid.reshape(-1), row_stride, column_stride, b, changed, (0,) * n_vectors)
        expected = into.copy()
        expected[4 : 4 + n_rows] = weights @ b[3:] + (into[4 : 4 + n_rows] if adds else 0)
        np.testing.assert_allclose(changed, expected, rtol=1e-4, atol=1e-4)


def test_windows_are_laid_in_pairs_of_centres():
    left, right = np.array([0, 0, 1, 2], np.int32), np.array([2, 3, 4, 4], np.int32)
    weights, first, count = np.ones(4 * 8, np.float32), np.empty(4, np.int32), np.empty(4, np.int32)
    kernels.lay_windows(weights, first, count, left, right, 0, 3, 0, np.float32(0.5))
    assert first.tolist() == [0, 0, 1, 1]
    assert count.tolist() == [3, 3, 3, 3]
    rows = weights.reshape(4, 8)
    assert rows[0].tolist() == [0, 0.5, 0, 0, 0, 0, 0, 0]  # the centre itself has none
    assert rows[1].tolist() == [0.5, 0, 0.5, 0, 0, 0, 0, 0]
    assert rows[2].tolist() == [0.5, 0, 0.5, 0, 0, 0, 0, 0]  # positions 1 and 3: its columns begin at 1
    assert not rows[3].any()  # behind `stop`


@pytest.mark.parametrize("window", [1, 2, 5, 20])
def test_two_neighbours_windows_fit_the_columns(window):
    assert kernels.columns_for(window) >= 2 * window + 2
    assert kernels.columns_for(window) % 4 == 0


def test_scattering_adds_rows_that_occur_twice():
    table = np.zeros((4, 8), np.float32)
    rows = np.array([2, 0, 2], np.int32)
    kernels.scatter_add(table, rows, np.ones((3, 8), np.float32), 8)
    np.testing.assert_array_equal(table[:, 0], [1, 0, 2, 0])


def test_random_bits_are_splitmix64s():
    """The sequence of seed 1234567 as published with SplitMix64's reference (Vigna, splitmix64.c; Rosetta Code)."""
    key = np.uint64(1234567)
    drawn = [int(kernels.mix(key, position)) % 2**64 for position in range(3)]
    assert drawn == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@pytest.mark.parametrize("dim", [1, 8, 16, 100, 300])
def test_rows_fill_whole_vectors(dim):
    width = len(kernels.vectors_of(dim)) * LANES
    assert dim <= width < dim + LANES


def test_a_compiled_step_is_found_again_by_another_process(tmp_path):
    """Numba looks for it by what the function holds: anything that differs from process to process would hide it."""
    program = (
        "import numpy as np\n"
        "from firth import kernels\n"
        "step = kernels.skipgram_negative_sampling(8)\n"
        "rows, table = np.zeros(0, np.int32), np.zeros((0, 8), np.float32)\n"
        "step(table, table, rows, rows, rows, rows, 0, 0, np.zeros((0, 4), np.int32), 5, 0.1, 4, 2)\n"
        "print(sum(step.stats.cache_hits.values()))\n"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
    hits = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    assert [int(hit) for hit in hits] == [0, 1]
