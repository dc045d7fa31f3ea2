"""Vectors -> points in the plane: principal components, turned onto one another; and how far a picture can be trusted.

N vectors, D dim; k neighbours
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.errors import UsageError
from firth.neighbours import unit

Matrix = NDArray[np.float32]

NEIGHBOURS: Final = 15
"""k, by which pictures are judged."""
SAMPLE: Final = 5_000
"""Points that are judged, of more."""
_ROWS_AT_ONCE: Final = 512


class Picture(NamedTuple):
    """Points of vectors.

    Attributes:
        points: (N, 2) float32; their mean is 0, and their mean squared distance from it 1, unless all are one point.
        explained: The share of the variance that each of the two directions has.
    """

    points: Matrix
    explained: tuple[float, float]


def principal(vectors: ArrayLike) -> Picture:
    """The first two principal components of vectors (N, D), scaled to the same size whatever their lengths.

    Pearson 1901. Each direction is taken such that the largest of its numbers is positive, so that the same vectors
    give the same picture.

    Raises:
        UsageError: no vector, or another shape.
    """
    rows = np.asarray(vectors, np.float32)
    if rows.ndim != 2 or not len(rows):
        raise UsageError(f"vectors of shape {rows.shape} were given; (n, dim) is due, n at least 1")
    mean = rows.mean(axis=0, dtype=np.float64)
    n_rows, dim = rows.shape
    if dim <= n_rows:
        scatter = rows.T.astype(np.float64) @ rows.astype(np.float64) if n_rows <= 1 << 12 else _scatter(rows)
        scatter -= n_rows * np.outer(mean, mean)
        values, directions = np.linalg.eigh(scatter)
        first = directions[:, ::-1][:, :2]
        values = values[::-1]
    else:
        centred = rows - mean
        _, singular, transposed = np.linalg.svd(centred.astype(np.float64), full_matrices=False)
        first, values = transposed[:2].T, singular**2
    if first.shape[1] < 2:
        first = np.pad(first, ((0, 0), (0, 2 - first.shape[1])))
    signs = np.sign(first[np.abs(first).argmax(axis=0), np.arange(2)])
    first = first * np.where(signs == 0, 1, signs)
    points = rows @ first.astype(np.float32) - (mean @ first).astype(np.float32)
    total = max(float(values.sum()), 1e-30)
    shares = [max(0.0, float(value)) / total for value in (*values[:2], 0.0, 0.0)]
    return Picture(of_one_size(points), (shares[0], shares[1]))


def _scatter(rows: Matrix) -> NDArray[np.float64]:
    """(D, D): rows' products, block by block, so that no copy of all of them is made."""
    found = np.zeros((rows.shape[1], rows.shape[1]))
    for first in range(0, len(rows), 1 << 14):
        block = rows[first : first + (1 << 14)]
        found += (block.T @ block).astype(np.float64)
    return found


def of_one_size(points: Matrix) -> Matrix:
    """Points (N, 2) about their mean, their mean squared distance from it 1."""
    centred = points - points.mean(axis=0)
    size = float(np.sqrt((centred.astype(np.float64) ** 2).sum(axis=1).mean()))
    return np.asarray(centred / size if size > 1e-12 else centred, np.float32)


def turned(points: Matrix, shared: Matrix, onto: Matrix) -> Matrix:
    """`points` (N, 2), turned and if need be mirrored such that `shared`, some of them, lie nearest to `onto`.

    Orthogonal Procrustes (Schönemann 1966), about the means; so points move from picture to picture, and do not jump.
    """
    middle, due = shared.mean(axis=0), onto.mean(axis=0)
    left, _, right = np.linalg.svd((shared - middle).T.astype(np.float64) @ (onto - due))
    return np.asarray((points - middle) @ (left @ right) + due, np.float32)


def aligned(layers: Matrix) -> list[Picture]:
    """The picture of each layer (K, N, D), turned onto that of the layer before."""
    pictures: list[Picture] = []
    for vectors in layers:
        picture = principal(unit(vectors))
        if pictures:
            before = pictures[-1].points
            picture = picture._replace(points=turned(picture.points, picture.points, before))
        pictures.append(picture)
    return pictures


def trustworthiness(
    vectors: ArrayLike, points: ArrayLike, *, k: int = NEIGHBOURS, sample: int = SAMPLE, seed: int = 1
) -> float | None:
    """How far neighbours in the picture are neighbours by cosine, from 0 to 1; None of fewer than 2 k + 2 vectors.

    Venna & Kaski 2001, "Neighborhood preservation in nonlinear projection methods", equation 1:

        1 - 2 / (n k (2 n - 3 k - 1)) * sum over i, and j among the k next to i in the picture, of max(0, r(i, j) - k)

    r(i, j) is the place of j among the neighbours of i by cosine, from 1 on.

    Args:
        vectors: (N, D).
        points: (N, 2).
        k: Neighbours of each.
        sample: At most so many of the vectors, drawn by the seed, are looked at.
        seed: Decides which.
    """
    rows, places = unit(np.asarray(vectors, np.float32)), np.asarray(points, np.float64)
    if len(rows) > sample:
        chosen = np.sort(np.random.default_rng(seed).choice(len(rows), sample, replace=False))
        rows, places = rows[chosen], places[chosen]
    n = len(rows)
    if n < 2 * k + 2:
        return None
    squares = (places**2).sum(axis=1)
    missed = 0.0
    for first in range(0, n, _ROWS_AT_ONCE):
        some = np.arange(first, min(first + _ROWS_AT_ONCE, n))
        own = np.arange(len(some)), some
        distances = squares[some, None] + squares - 2 * places[some] @ places.T
        distances[own] = np.inf
        nearest = np.argpartition(distances, k, axis=1)[:, :k]
        cosines = rows[some] @ rows.T
        cosines[own] = -np.inf
        order = np.argsort(-cosines, axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.arange(1, n + 1)[None].repeat(len(some), 0), axis=1)
        missed += np.maximum(0, np.take_along_axis(ranks, nearest, axis=1) - k).sum()
    return float(1 - 2 / (n * k * (2 * n - 3 * k - 1)) * missed)
