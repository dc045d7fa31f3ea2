"""Spherical k-means: what it finds, how many groups there are, and that the seed decides."""

import numpy as np
import pytest

from firth.clusters import clustered
from firth.errors import UsageError


def bundles(k=3, n=20, dim=8, noise=0.15, seed=0):
    """Vectors in k directions at right angles, and of which each is."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), n)
    vectors = np.eye(dim)[labels] + noise * rng.normal(size=(k * n, dim))
    return (vectors * rng.uniform(0.5, 5, size=(k * n, 1))).astype(np.float32), labels


def same_groups(one, other):
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


def test_groups_are_found_and_counted():
    for k in (2, 3, 4):
        vectors, labels = bundles(k)
        found = clustered(vectors)
        assert found.k == k
        assert same_groups(found.labels.tolist(), labels.tolist())
        assert found.sizes.tolist() == [20] * k
        assert found.silhouette > 0.5


def test_what_has_no_groups_is_one():
    vectors = np.random.default_rng(1).normal(size=(80, 16)) + 4
    found = clustered(vectors)
    assert (found.k, set(found.labels.tolist())) == (1, {0})
    assert np.isnan(found.silhouette)
    assert clustered(vectors[:5]).k == 1  # too few for two of three


def test_a_number_that_is_given_is_kept():
    vectors, _ = bundles(3)
    assert clustered(vectors, 5).k == 5
    assert clustered(vectors, 1).k == 1
    assert clustered(vectors, 2, most=1).k == 2


def test_the_largest_group_comes_first_and_its_centre_is_the_direction_of_its_sum():
    vectors, labels = bundles(2, n=30)
    vectors = np.concatenate([vectors, vectors[labels == 1]])
    found = clustered(vectors, 2)
    assert found.sizes.tolist() == [60, 30]
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    due = units[found.labels == 0].sum(0)
    np.testing.assert_allclose(found.centres[0], due / np.linalg.norm(due), rtol=1e-5)
    assert found.coherence == pytest.approx(np.mean((units * found.centres[found.labels]).sum(1)), abs=1e-5)


def test_lengths_do_not_matter_and_the_seed_decides():
    vectors = np.random.default_rng(4).normal(size=(60, 5)).astype(np.float32)
    found = clustered(vectors, 4, seed=3)
    again = clustered(vectors * np.linspace(0.1, 9, 60, dtype=np.float32)[:, None], 4, seed=3)
    np.testing.assert_array_equal(found.labels, again.labels)
    np.testing.assert_array_equal(found.labels, clustered(vectors, 4, seed=3).labels)


def test_silhouettes_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    vectors, _ = bundles(3, noise=0.5)
    found = clustered(vectors, 4)
    due = metrics.silhouette_score(vectors, found.labels, metric="cosine")
    assert found.silhouette == pytest.approx(due, abs=1e-4)


def test_it_is_no_worse_than_the_true_groups():
    """Ten starts find groups at least as tight as those that the vectors were drawn from."""
    vectors, labels = bundles(6, n=12, dim=10, noise=0.5, seed=8)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    true = sum(np.linalg.norm(units[labels == group].sum(0)) for group in range(6)) / len(units)
    assert clustered(vectors, 6).coherence >= true - 1e-4


def test_fewer_groups_where_vectors_are_the_same():
    found = clustered([[1, 0], [2, 0], [0, 0.5]], 3)
    assert (found.k, found.labels.tolist()) == (2, [0, 0, 1])
    assert clustered([[1.0, 1.0]] * 9).k == 1
    assert clustered(np.zeros((4, 3)), 2).k == 1


@pytest.mark.parametrize(
    ("vectors", "how", "message"),
    [
        ([], {}, "n is at least 1"),
        ([1.0, 2.0], {}, "n is at least 1"),
        ([[1, np.nan]], {}, "not finite"),
        ([[1, 2]], {"k": 0}, "k is 0"),
        ([[1, 2]], {"starts": 0}, "starts is 0"),
    ],
)
def test_wrong_calls_are_told(vectors, how, message):
    with pytest.raises(UsageError, match=message):
        clustered(vectors, **how)
