"""The arithmetic inside the kernels; their steps are compared with the reference in families/test_word2vec.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import kernels, objectives


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=40), st.sampled_from([-1.0, 1.0]))
def test_losses_and_slopes_are_exact_to_float32(scores, sign):
    scores = np.array(scores, np.float32)
    weights = np.linspace(0.1, 2.0, len(scores), dtype=np.float32)
    slopes, bits = np.empty_like(scores), np.empty(len(scores), np.int32)
    total = kernels.logistic_losses(np.float32(sign), scores, weights, slopes, bits.view(np.float32), bits, len(scores))
    wide = sign * scores.astype(np.float64)
    assert total == pytest.approx((weights * objectives.softplus(wide)).sum(), rel=1e-6, abs=1e-6)
    np.testing.assert_allclose(slopes, weights * objectives.sigmoid(wide), rtol=1e-6, atol=1e-30)


def test_a_diverged_score_is_seen():
    scores = np.array([np.nan, np.inf], np.float32)
    slopes, bits = np.empty_like(scores), np.empty(2, np.int32)
    total = kernels.logistic_losses(
        np.float32(1), scores, np.ones(2, np.float32), slopes, bits.view(np.float32), bits, 2
    )
    assert not np.isfinite(total)


def test_products_of_rows():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(8, 16)).astype(np.float32), rng.normal(size=(4, 16)).astype(np.float32)
    into = np.empty((8, 4), np.float32)
    kernels.products_of_rows(a, b, into, 16)
    np.testing.assert_allclose(into, a @ b.T, atol=1e-5)


def test_subtracting_a_product_also_transposed():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(8, 4)).astype(np.float32)
    b, there = rng.normal(size=(4, 16)).astype(np.float32), rng.normal(size=(8, 16)).astype(np.float32)
    changed = there.copy()
    kernels.subtract_product(weights, b, changed, 16)
    np.testing.assert_allclose(changed, there - weights @ b, atol=1e-5)
    changed = b.copy()
    kernels.subtract_product(weights.T, there, changed, 16)
    np.testing.assert_allclose(changed, b - weights.T @ there, atol=1e-5)


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


@pytest.mark.parametrize(("dim", "width"), [(1, 8), (8, 8), (100, 104), (300, 304)])
def test_rows_fill_whole_registers(dim, width):
    assert kernels.whole_registers(dim) == width
