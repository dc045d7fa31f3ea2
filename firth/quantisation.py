"""Tables in a quarter of their size: each number of a row as one of 255 steps, and a scale for the row.

    x ~ scale * code,    scale = max |x| / 127,    code from -127 to 127

No number is off by more than half a step, 1/254 of the largest of its row: a cosine changes in the third digit. On
disk, a tensor `vectors` is one of int8 and a tensor `vectors.scales` of float32; they stay there, and rows become
float32 when they are asked for. Neighbours are looked for in the codes, some rows at a time. Where the float32 table is
on disk beside them (precision `int8+float32`: `vectors`, `vectors.codes`, `vectors.scales`), the best rows are ranked
anew by theirs: memory holds the codes, and of the table no more than these rows.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firth import neighbours
from firth.errors import FirthError
from firth.files import printable
from firth.neighbours import Neighbours

Precision = Literal["float32", "int8", "int8+float32"]

MOST: Final = 127
CODES: Final = ".codes"
"""What the name of a tensor's codes ends with, where the tensor itself stands beside them."""
SCALES: Final = ".scales"
"""What the name of a tensor's scales ends with."""
STEP: Final = {"step": "quantise", "precision": "int8"}
"""What a provenance says of it."""
ROWS_AT_ONCE: Final = 1 << 14
ROWS_SEARCHED: Final = 1 << 11
"""Rows whose codes become float32 at a time, small enough to stay in the processor's cache."""
LOOKED_AT: Final = 5
"""Rows that are ranked anew for each that is asked for."""
LEAST_LOOKED_AT: Final = 50


class Quantised(NamedTuple):
    """Rows of a table."""

    codes: NDArray[np.int8]  # (..., row, dim)
    scales: NDArray[np.float32]  # (..., row)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the table."""
        return self.codes.shape

    def rows(self, rows: Any) -> "Quantised":
        """Those of `rows`, of a table (row, dim)."""
        return Quantised(self.codes[rows], self.scales[rows])

    def first(self, limit: int | None) -> "Quantised":
        """The first `limit` rows of each layer."""
        return Quantised(self.codes[..., :limit, :], self.scales[..., :limit])


Table: TypeAlias = NDArray[Any] | Quantised


def quantised(array: NDArray[np.float32]) -> Quantised:
    """The rows of `array`, (..., row, dim), in steps of their own; a row of zeros stays one.

    Raises:
        FirthError: a number is not finite.
    """
    rows = array.reshape(-1, array.shape[-1])
    codes, scales = np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = np.asarray(rows[start : start + ROWS_AT_ONCE], np.float32)
        largest = np.abs(some).max(axis=1, initial=0)
        if not np.isfinite(largest).all():
            raise FirthError("a vector holds a number that is not finite, for which there is no step")
        scale = largest / np.float32(MOST)
        steps = np.divide(some, scale[:, None], out=np.zeros_like(some), where=scale[:, None] > 0)
        codes[start : start + len(some)] = np.rint(np.clip(steps, -MOST, MOST))
        scales[start : start + len(some)] = scale
    return Quantised(codes.reshape(array.shape), scales.reshape(array.shape[:-1]))


def restored(given: Quantised) -> NDArray[np.float32]:
    """(..., row, dim) what the codes stand for."""
    return given.codes.astype(np.float32) * given.scales[..., np.newaxis]


def floats(table: Table, rows: Any = ...) -> NDArray[np.float32]:
    """(n, dim) some rows of a table (row, dim), by default all: no others are restored."""
    if isinstance(table, Quantised):
        return restored(table.rows(rows))
    some: NDArray[np.float32] = table[rows]
    return some


# --- search


def norms(table: Quantised) -> NDArray[np.float32]:
    """(row,) the length of each row of codes, (row, dim), as they stand: in steps of its own."""
    lengths = np.empty(len(table.codes), np.float32)
    for start in range(0, len(lengths), ROWS_AT_ONCE):
        block = table.codes[start : start + ROWS_AT_ONCE].astype(np.float32)
        lengths[start : start + len(block)] = np.sqrt(np.einsum("rd,rd->r", block, block))
    return lengths


def cosines(table: Quantised, lengths: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine of every row of codes with every query: (row, dim), (row,) of `norms`, (query, dim) -> (query, row).

    A row's scale is no part of its cosine. It is 0 with a row of zeros.
    """
    units = neighbours.unit(queries)
    found = np.empty((len(units), len(table.codes)), np.float32)
    for start in range(0, len(table.codes), ROWS_SEARCHED):
        some = slice(start, start + ROWS_SEARCHED)
        found[:, some] = units @ table.codes[some].astype(np.float32).T
    found /= np.where(lengths > 0, lengths, 1)
    return found


def nearest_to_each(
    table: Quantised,
    lengths: NDArray[np.float32],
    queries: NDArray[np.float32],
    n: int,
    excluded: Sequence[Sequence[int]] = (),
    exact: Callable[[NDArray[np.intp]], NDArray[np.float32]] | None = None,
) -> list[Neighbours]:
    """The `n` rows nearest to each of `queries` (query, dim), as `neighbours.nearest_to_each` finds them.

    Args:
        table: Codes (row, dim).
        lengths: Of `norms`.
        queries: Vectors.
        n: How many rows for each.
        excluded: The rows left out for each query; empty, none is.
        exact: Gives rows of float32 by their numbers: then LOOKED_AT times as many rows as are asked for, and at least
            LEAST_LOOKED_AT, are looked up in the codes and ranked anew by these.
    """
    at_once = max(1, neighbours.BLOCK_BYTES // (4 * max(1, len(table.codes))))
    n_looked_at = n if exact is None else max(LOOKED_AT * n, LEAST_LOOKED_AT)
    found = []
    for start in range(0, len(queries), at_once):
        some = queries[start : start + at_once]
        left_out = excluded[start : start + at_once] or [()] * len(some)
        for query, scores, rows in zip(some, cosines(table, lengths, some), left_out, strict=True):
            near = neighbours.best_without(scores, n_looked_at, rows)
            found.append(near if exact is None else _ranked_anew(near.rows, exact(near.rows), query, n))
    return found


def nearest_by_product(
    table: Quantised,
    lengths: NDArray[np.float32],
    positive: NDArray[np.float32],
    negative: NDArray[np.float32],
    n: int,
    excluded: Sequence[int] = (),
) -> Neighbours:
    """The `n` rows of codes, (row, dim), of which `neighbours.nearest_by_product` tells; `lengths` are of `norms`."""
    near, far = (cosines(table, lengths, queries) for queries in (positive, negative))
    return neighbours.best_by_product(near, far, n, excluded)


def _ranked_anew(
    rows: NDArray[np.intp], vectors: NDArray[np.float32], query: NDArray[np.float32], n: int
) -> Neighbours:
    scores = neighbours.cosines(vectors, neighbours.norms(vectors), query)
    order = np.lexsort((rows, -scores))[:n]
    return Neighbours(rows[order], scores[order])


# --- tensors of a file

TABLES: Final = ("vectors", "words", "ngrams")
"""The tensors whose rows are vectors."""


def packed(
    tensors: Mapping[str, Table], precision: Precision, codes: Quantised | None = None
) -> dict[str, NDArray[Any]]:
    """Tensors for a file in that precision; what is no table of vectors, as variances and counts, stays as it is.

    Args:
        tensors: By name, as they are kept: a table that is kept in codes is restored for float32 alone.
        precision: Of the tables.
        codes: Those of the tensor `vectors`, where they are known; else they are made.
    """
    result: dict[str, NDArray[Any]] = {}
    for name, table in tensors.items():
        if name in TABLES and precision == "int8":
            known = codes if name == "vectors" and codes is not None else table
            result[name], result[name + SCALES] = known if isinstance(known, Quantised) else quantised(known)
            if not np.isfinite(result[name + SCALES]).all():
                raise FirthError(f"{name}: a vector holds a number that is not finite")
        else:
            result[name] = restored(table) if isinstance(table, Quantised) else table
    if precision == "int8+float32":
        result["vectors" + CODES], result["vectors" + SCALES] = quantised(result["vectors"]) if codes is None else codes
    return result


def unpacked(tensors: Mapping[str, NDArray[Any]]) -> dict[str, Table]:
    """The tensors of a file, on disk as they are: codes with their scales, under their own name or with CODES behind.

    Raises:
        FirthError: codes and scales do not fit one another, or codes have none.
    """
    result: dict[str, Table] = dict(tensors)
    for name in [name for name in tensors if name + SCALES in tensors]:
        at = name + CODES if name + CODES in tensors else name
        given = Quantised(tensors[at], tensors[name + SCALES])
        del result[name + SCALES]
        if given.codes.dtype != np.int8 or given.scales.shape != given.codes.shape[:-1]:
            raise FirthError(
                f"tensor '{printable(at)}' is {given.codes.dtype} of shape {given.codes.shape}, and its scales of "
                f"{given.scales.shape}: one scale for each row of int8 is due"
            )
        result[at] = given
    for name in TABLES:
        table = result.get(name)
        if table is not None and not isinstance(table, Quantised) and table.dtype != np.float32:
            raise FirthError(f"tensor '{name}' holds {table.dtype}, and no scales: float32 is due")
    return result
