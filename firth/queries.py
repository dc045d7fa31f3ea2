"""What vectors are asked, and how what users give is taken: words, vectors, either with a weight, one or several."""

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firth.errors import UsageError
from firth.files import printable

Vector: TypeAlias = NDArray[np.float32]
Query: TypeAlias = str | Vector | tuple[str | Vector, float]
Queries: TypeAlias = Query | Iterable[Query]
Similar: TypeAlias = list[tuple[str, float]]


def each(queries: Queries | None) -> list[Query]:
    """One query or several as a list."""
    if queries is None:
        return []
    if isinstance(queries, str):
        return [queries]
    if isinstance(queries, np.ndarray):
        return list(np.atleast_2d(queries))
    if isinstance(queries, tuple) and len(queries) == 2 and isinstance(queries[1], int | float):
        return [queries]
    return list(queries)


def weighted(query: Query, weight: float) -> tuple[str | Vector, float]:
    """A query with its own weight, or else with `weight`."""
    return (query[0], query[1]) if isinstance(query, tuple) else (query, weight)


def several(words: Sequence[Any]) -> Sequence[Any]:
    """A list of words as it is; raises UsageError for a single word, and for none."""
    if isinstance(words, str):
        raise UsageError(f"a list of words is due; ['{printable(words)}'] is one of one word")
    if not len(words):
        raise UsageError("a list of words is due, and it is empty")
    return words


def at_least_0(topn: int) -> int:
    """So many as are asked for; raises UsageError for fewer than none."""
    if topn < 0:
        raise UsageError(f"topn {topn} asked; it counts words, so at least 0")
    return topn


def searched(restrict: int | range | None, n_rows: int) -> slice:
    """The rows that a search is restricted to; raises UsageError where these are none, or not in a row."""
    if restrict is None:
        return slice(0, n_rows)
    rows = restrict if isinstance(restrict, range) else range(restrict)
    if rows.step != 1 or rows.start < 0 or len(rows) == 0:
        raise UsageError(f"restrict={restrict} leaves no rows, or not rows in a row; there are {n_rows:,}")
    return slice(rows.start, min(rows.stop, n_rows))
