"""Vectors -> groups of the same direction: spherical k-means, and how many groups there are.

Dhillon & Modha 2001, "Concept Decompositions for Large Sparse Text Data Using Clustering", section 3: vectors count by
their direction alone, a group's centre is the direction of their sum, and what is made large is the sum of the cosines
of vectors with their group's centre. The first centres are drawn as by Arthur & Vassilvitskii 2007, "k-means++", by the
distance 1 - cosine; of several starts the best is kept. The same seed gives the same groups.

N vectors, D dim, k groups
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth import neighbours
from firth.errors import UsageError

Vectors = NDArray[np.float32]

STARTS: Final = 10
ROUNDS: Final = 100
MOST: Final = 6
"""Groups that are tried where their number is not given."""
LEAST_SILHOUETTE: Final = 0.2
"""Where no number of groups has a higher silhouette, the vectors are taken for one group: a cloud of few
dimensions that is cut in two comes to about 0.15."""
LEAST_IN_GROUP: Final = 3
"""Vectors of a group, in the mean, below which a number of groups is not tried."""

_MOST_COMPARED: Final = 2_000  # vectors that a silhouette is taken of, each with each


class Clusters(NamedTuple):
    """Groups of vectors, the largest first.

    Attributes:
        labels: (N,) the group of each vector.
        centres: (k, D) float32, of length 1.
        coherence: The mean cosine of vectors with the centre of their group.
        silhouette: How much nearer vectors are to their own group than to the next, from -1 to 1; NaN of one group.
    """

    labels: NDArray[np.int64]
    centres: Vectors
    coherence: float
    silhouette: float

    @property
    def k(self) -> int:
        """How many groups there are."""
        return len(self.centres)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(k,) how many vectors each has."""
        return np.bincount(self.labels, minlength=self.k)


def clustered(
    vectors: ArrayLike, k: int | None = None, *, most: int = MOST, starts: int = STARTS, seed: int = 1
) -> Clusters:
    """Vectors in k groups, or in as many as they fall into.

    Where k is None, 2 groups to `most` are tried, and the number with the highest mean silhouette (Rousseeuw 1987,
    "Silhouettes", by the distance 1 - cosine) is taken, if it is above LEAST_SILHOUETTE; else they are one group. A
    number that leaves fewer than LEAST_IN_GROUP vectors for a group, in the mean, is not tried.

    Args:
        vectors: (N, D), finite; those of zeros are like nothing.
        k: How many groups; None finds out. There are fewer where fewer vectors differ.
        most: The highest number that is tried.
        starts: How often centres are drawn.
        seed: Decides on these.

    Raises:
        UsageError: no vector, or another shape; a number that must be positive; numbers that are not finite.
    """
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or not len(rows):
        raise UsageError(
            f"vectors to be grouped have the shape (n, dim), and n is at least 1; this one's is {rows.shape}"
        )
    for name, number in (("k", k), ("most", most), ("starts", starts)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is {number}; it must be at least 1")
    if not np.isfinite(rows).all():
        raise UsageError("vectors to be grouped hold a number that is not finite")
    rows = neighbours.unit(rows)
    if k is not None:
        return _with_silhouette(rows, _spherical(rows, k, starts, seed), seed)
    best = _spherical(rows, 1, starts, seed)
    for tried in range(2, min(most, len(rows) // LEAST_IN_GROUP) + 1):
        found = _with_silhouette(rows, _spherical(rows, tried, starts, seed), seed)
        if found.k == tried and found.silhouette > (LEAST_SILHOUETTE if best.k == 1 else best.silhouette):
            best = found
    return best


def _spherical(rows: Vectors, k: int, starts: int, seed: int) -> Clusters:
    """The best of some starts; of equal ones the first."""
    n_different = len(np.unique(rows, axis=0)) if k > 1 else 1
    k = min(k, n_different)
    rng = np.random.default_rng([seed, k])
    best_sum, best_labels = -np.inf, np.zeros(len(rows), np.int64)
    for _ in range(starts if k > 1 else 1):
        labels, total = _settled(rows, _first_centres(rows, k, rng))
        if total > best_sum + 1e-6:
            best_sum, best_labels = total, labels
    return _ordered(rows, best_labels)


def _first_centres(rows: Vectors, k: int, rng: np.random.Generator) -> Vectors:
    """k-means++: each centre is a vector drawn with a chance that rises with its distance from those before it."""
    chosen = [int(rng.integers(len(rows)))]
    distances = np.maximum(1 - rows @ rows[chosen[0]], 0).astype(np.float64)
    for _ in range(k - 1):
        distances[chosen] = 0
        total = distances.sum()
        place = rng.choice(len(rows), p=distances / total) if total > 0 else rng.integers(len(rows))
        chosen.append(int(place))
        distances = np.minimum(distances, np.maximum(1 - rows @ rows[chosen[-1]], 0))
    return rows[chosen]


def _settled(rows: Vectors, centres: Vectors) -> tuple[NDArray[np.int64], float]:
    """The groups (N,) that nothing moves between any more, and the sum of cosines with their centres."""
    labels = np.full(len(rows), -1, np.int64)
    cosines = rows @ centres.T
    for _ in range(ROUNDS):
        nearest = cosines.argmax(axis=1)
        for empty in np.flatnonzero(np.bincount(nearest, minlength=len(centres)) == 0):
            sizes = np.bincount(nearest, minlength=len(centres))
            is_free = sizes[nearest] > 1
            furthest = np.where(is_free, cosines[np.arange(len(rows)), nearest], np.inf).argmin()
            nearest[furthest] = empty
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        centres = _centres(rows, labels, len(centres))
        cosines = rows @ centres.T
    return labels, float(cosines[np.arange(len(rows)), labels].sum(dtype=np.float64))


def _centres(rows: Vectors, labels: NDArray[np.int64], k: int) -> Vectors:
    sums = np.zeros((k, rows.shape[1]), np.float64)
    np.add.at(sums, labels, rows)
    return neighbours.unit(sums.astype(np.float32))


def _ordered(rows: Vectors, labels: NDArray[np.int64]) -> Clusters:
    """The groups from the largest to the smallest; of equal ones that with the earlier vector first."""
    names, firsts, places, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(names), np.int64)
    rank[np.lexsort((firsts, -sizes))] = np.arange(len(names))
    labels = rank[places]
    centres = _centres(rows, labels, len(names))
    coherence = np.einsum("nd,nd->n", rows, centres[labels]).mean(dtype=np.float64)
    return Clusters(labels, centres, float(coherence), float("nan"))


def _with_silhouette(rows: Vectors, found: Clusters, seed: int) -> Clusters:
    """The same with its silhouette, of a sample where there are many vectors."""
    places = np.arange(len(rows))
    if len(rows) > _MOST_COMPARED:
        places = np.sort(np.random.default_rng([seed, 0]).choice(len(rows), _MOST_COMPARED, replace=False))
    labels = found.labels[places]
    sizes = np.bincount(labels, minlength=found.k)
    if np.count_nonzero(sizes) < 2:
        return found
    distances = 1 - (rows[places] @ rows[places].T).astype(np.float64)
    np.fill_diagonal(distances, 0)
    sums = np.stack([distances[:, labels == group].sum(axis=1) for group in range(found.k)], axis=1)  # (N, k)
    own = sizes[labels]
    here = sums[np.arange(len(labels)), labels] / np.maximum(own - 1, 1)
    means = np.where(sizes > 0, sums / np.maximum(sizes, 1), np.inf)
    means[np.arange(len(labels)), labels] = np.inf
    next_best = means.min(axis=1)
    larger = np.maximum(here, next_best)
    silhouettes = np.where((own > 1) & (larger > 0), (next_best - here) / np.where(larger > 0, larger, 1), 0.0)
    return found._replace(silhouette=float(silhouettes.mean()))
