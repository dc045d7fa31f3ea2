"""The rows of one layer as they are searched: floats, codes that stand for floats, or codes first and then floats.

R rows, D dim, Q queries
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from firth import neighbours, quantisation
from firth.errors import FirthError
from firth.files import printable
from firth.lexicon import Lexicon
from firth.neighbours import Neighbours
from firth.quantisation import Quantised
from firth.queries import Vector


class Index:
    """Answers by cosine, whatever the rows are kept as; their lengths are measured once, when they are asked for."""

    def __init__(self, words: Lexicon, matrix: Vector | None, codes: Quantised | None) -> None:
        """The rows of `words`, as floats (R, D), as codes, or as both: codes then find rows, and floats rank them."""
        assert matrix is not None or codes is not None
        self._words = words
        self._matrix = matrix
        self._codes = codes

    def taken(self, rows: Any) -> Vector:
        """Some rows (..., D) as floats; of codes no others are restored."""
        if self._matrix is None:
            assert self._codes is not None
            return quantisation.floats(self._codes, rows)
        found: Vector = self._matrix[rows]
        return found

    def nearest(self, query: Vector, n: int, searched: slice, excluded: Sequence[int]) -> Neighbours:
        """The `n` rows nearest to a query (D,), counted from the first that is searched.

        Args:
            query: A direction.
            n: How many are wanted.
            searched: Rows in a row.
            excluded: Of all rows, those that are left out.
        """
        left_out = _shifted(excluded, searched)
        if self._codes is not None:
            return self.nearest_to_each(query[np.newaxis], n, searched, [excluded])[0]
        assert self._matrix is not None
        return neighbours.nearest(self._matrix[searched], self._lengths[searched], query, n, left_out)

    def nearest_to_each(
        self, queries: Vector, n: int, searched: slice, excluded: Sequence[Sequence[int]]
    ) -> list[Neighbours]:
        """The same of each query (Q, D), many to one product; `excluded` has rows for each, or is empty."""
        left_out = [_shifted(rows, searched) for rows in excluded]
        matrix = None if self._matrix is None else self._matrix[searched]
        if self._codes is not None:
            return quantisation.nearest_to_each(
                self._codes.rows(searched),
                self._lengths_of_codes[searched],
                queries,
                n,
                left_out,
                exact=None if matrix is None else matrix.__getitem__,
            )
        assert matrix is not None
        return neighbours.nearest_to_each(matrix, self._lengths[searched], queries, n, left_out)

    def nearest_by_product(
        self, positive: Vector, negative: Vector, n: int, searched: slice, excluded: Sequence[int]
    ) -> Neighbours:
        """The `n` rows near to all of `positive` (Q, D) and far from all of `negative`, by 3CosMul."""
        left_out = _shifted(excluded, searched)
        if self._matrix is None:
            assert self._codes is not None
            codes, lengths = self._codes.rows(searched), self._lengths_of_codes[searched]
            return quantisation.nearest_by_product(codes, lengths, positive, negative, n, left_out)
        matrix, lengths = self._matrix[searched], self._lengths[searched]
        return neighbours.nearest_by_product(matrix, lengths, positive, negative, n, left_out)

    def cosines(self, query: Vector) -> Vector:
        """(R,) the cosine of every row with a query (D,)."""
        if self._matrix is None:
            assert self._codes is not None
            found: Vector = quantisation.cosines(self._codes, self._lengths_of_codes, query[np.newaxis])[0]
            return found
        return neighbours.cosines(self._matrix, self._lengths, query)

    @cached_property
    def _lengths(self) -> Vector:
        assert self._matrix is not None
        lengths = neighbours.norms(self._matrix)
        finite = np.isfinite(lengths)
        if not finite.all():
            row = int(np.argmin(finite))
            word = self._words.word(row)
            raise FirthError(f"the vector of '{printable(word)}' holds a number that is not finite, or too large")
        return lengths

    @cached_property
    def _lengths_of_codes(self) -> Vector:
        assert self._codes is not None
        return quantisation.norms(self._codes)


def _shifted(rows: Sequence[int], searched: slice) -> list[int]:
    """Rows of the whole matrix as rows of the part searched; those before it become negative."""
    return [row - searched.start for row in rows]
