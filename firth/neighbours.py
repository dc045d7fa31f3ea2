"""Exact search by cosine: pure functions of arrays.

Shapes: R rows of a matrix, D dim, Q queries, N rows asked for.
The matrix is never scaled or copied, so that one on disk stays there: norms are computed once and kept by the
caller, and a product with the matrix is divided by them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

BLOCK_BYTES = 64 * 2**20  # of scores held at a time
ROWS_PER_BLOCK = 65_536
COSMUL_EPSILON = 1e-6  # Levy and Goldberg's 0.001 in the paper; here as in gensim


class Neighbours(NamedTuple):
    """Rows (N,) and their scores (N,), best first; of equal scores the lower row first."""

    rows: NDArray[np.intp]
    scores: Matrix


def norms(matrix: Matrix) -> Matrix:
    """The Euclidean length of every row: (R, D) -> (R,). Not finite where a row is not."""
    lengths = np.empty(len(matrix), np.float32)
    for start in range(0, len(matrix), ROWS_PER_BLOCK):
        block = matrix[start : start + ROWS_PER_BLOCK]
        with np.errstate(over="ignore", invalid="ignore"):
            lengths[start : start + len(block)] = np.sqrt(np.einsum("rd,rd->r", block, block))
    return lengths


def unit(vectors: Matrix) -> Matrix:
    """`vectors` (D,) or (Q, D) scaled to length 1; a vector of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32, copy=False)


def cosine(first: Matrix, second: Matrix) -> float:
    """The cosine of two vectors (D,); 0 where one is all zeros."""
    return float(unit(first) @ unit(second))


def cosines(matrix: Matrix, lengths: Matrix, queries: Matrix) -> Matrix:
    """The cosine of every row with every query: (R, D), (R,), (D,) or (Q, D) -> (R,) or (Q, R).

    It is 0 with a vector of zeros, which points nowhere.
    """
    products: Matrix = unit(queries) @ matrix.T
    products /= np.where(lengths > 0, lengths, 1)
    return products


def best(scores: Matrix, n: int) -> NDArray[np.intp]:
    """The `n` rows of highest score, best first; of equal scores the lower row first: (R,) -> (N,)."""
    n = min(n, len(scores))
    if n == 0:
        return np.empty(0, np.intp)
    threshold = np.partition(scores, len(scores) - n)[len(scores) - n]
    above = np.flatnonzero(scores > threshold)
    level = np.flatnonzero(scores == threshold)[: n - len(above)]
    rows = np.concatenate([above, level])
    return rows[np.lexsort((rows, -scores[rows]))]


def nearest(matrix: Matrix, lengths: Matrix, query: Matrix, n: int, excluded: Sequence[int] = ()) -> Neighbours:
    """The `n` rows whose direction is nearest to `query` (D,), without the `excluded` ones."""
    return best_without(cosines(matrix, lengths, query), n, excluded)


def nearest_to_each(
    matrix: Matrix, lengths: Matrix, queries: Matrix, n: int, excluded: Sequence[Sequence[int]] = ()
) -> list[Neighbours]:
    """`nearest` for each of `queries` (Q, D), by one matrix product for as many as `BLOCK_BYTES` hold.

    `excluded` has the rows left out for each query; empty, none is.
    """
    n_queries = max(1, BLOCK_BYTES // (4 * max(1, len(matrix))))
    found = []
    for start in range(0, len(queries), n_queries):
        block = cosines(matrix, lengths, queries[start : start + n_queries])
        left_out = excluded[start : start + n_queries] or [()] * len(block)
        found += [best_without(scores, n, rows) for scores, rows in zip(block, left_out, strict=True)]
    return found


def nearest_by_product(
    matrix: Matrix,
    lengths: Matrix,
    positive: Matrix,
    negative: Matrix,
    n: int,
    excluded: Sequence[int] = (),
) -> Neighbours:
    """The `n` rows near to all of `positive` (P, D) and far from all of `negative` (M, D), by 3CosMul.

    Levy and Goldberg 2014, equation 4, with cosines moved to [0, 1] (footnote 7):
    product over positive of cos / (product over negative of cos + epsilon).
    """
    near, far = (cosines(matrix, lengths, queries) for queries in (positive, negative))
    return best_by_product(near, far, n, excluded)


def best_by_product(near: Matrix, far: Matrix, n: int, excluded: Sequence[int]) -> Neighbours:
    """`nearest_by_product` of the cosines with positive and negative queries, (P, R) and (M, R)."""
    products = np.prod((1 + near) / 2, axis=0) / (np.prod((1 + far) / 2, axis=0) + np.float32(COSMUL_EPSILON))
    return best_without(products, n, excluded)


def best_without(scores: Matrix, n: int, excluded: Sequence[int]) -> Neighbours:
    """The best of `scores`, which are changed in place, leaving the `excluded` rows out."""
    inside = {row for row in excluded if 0 <= row < len(scores)}
    scores[list(inside)] = -np.inf
    rows = best(scores, min(n, len(scores) - len(inside)))
    return Neighbours(rows, scores[rows])


def transport_cost(costs: NDArray[np.float64], supply: NDArray[np.float64], demand: NDArray[np.float64]) -> float:
    """The least cost of carrying `supply` (S,) to `demand` (T,), where a unit from s to t costs `costs[s, t]`.

    Both sum to 1. Kusner et al. 2015, "From Word Embeddings To Document Distances", equation 2.
    """
    from scipy import optimize, sparse  # half a second, which only this needs

    n_sources, n_targets = costs.shape
    leaves = sparse.kron(sparse.eye(n_sources), np.ones((1, n_targets)))
    arrives = sparse.kron(np.ones((1, n_sources)), sparse.eye(n_targets))
    plan = optimize.linprog(  # type: ignore[call-overload]  # the stubs know of no sparse A_eq
        costs.ravel(),
        A_eq=sparse.vstack([leaves, arrives]).tocsr()[:-1],  # the last follows from the others
        b_eq=np.concatenate([supply, demand])[:-1],
    )
    return float(plan.fun)
