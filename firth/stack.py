"""A matrix of words' vectors for every layer, one behind the other: floats, codes that stand for floats, or both."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from firth import quantisation
from firth.errors import UsageError
from firth.formats.rows import BLOCK_ROWS, not_finite
from firth.index import Index
from firth.lexicon import Lexicon
from firth.quantisation import Quantised, Table
from firth.queries import Vector


class Stack:
    """Numbers (layer, row, dim).

    Attributes:
        is_float: Whether they are kept as floats; else everything is answered from codes, restored or not.
        codes: Int8 codes and scales, (layer, row, dim) and (layer, row); None where there are none.
    """

    is_float: bool
    codes: Quantised | None

    def __init__(self, array: ArrayLike | Quantised, n_words: int, codes: Quantised | None = None) -> None:
        """Takes (layer, row, dim), or (row, dim) of one layer; a float32 array is not copied.

        Args:
            array: The numbers, or their codes.
            n_words: How many rows there must be.
            codes: Those of an array of floats, which find the rows that floats then rank.

        Raises:
            UsageError: shapes that do not fit one another.
        """
        self.is_float = not isinstance(array, Quantised)
        if isinstance(array, Quantised):
            codes = array
        else:
            self.array = _layers(array, n_words)
        if codes is not None and codes.codes.ndim == 2:
            codes = Quantised(codes.codes[np.newaxis], codes.scales[np.newaxis])
        if codes is not None:
            _check_codes(codes, n_words, self.array.shape if self.is_float else None)
        self.codes = codes

    @cached_property
    def array(self) -> Vector:
        """Float32, read-only; on disk it stays there until it is touched. Of codes alone it is made when asked for."""
        assert self.codes is not None
        return _layers(quantisation.restored(self.codes), self.codes.shape[1])

    @property
    def kept(self) -> Table:
        """The numbers as they are kept: of codes alone none is restored."""
        if self.is_float:
            return self.array
        assert self.codes is not None
        return self.codes

    @property
    def shape(self) -> tuple[int, ...]:
        """(layer, row, dim)."""
        return self.kept.shape

    def layers(self, places: slice) -> "Stack":
        """Some of the layers, which share the numbers."""
        codes = None if self.codes is None else self.codes.rows(places)
        n_words = self.shape[1]
        if self.is_float:
            return Stack(self.array[places], n_words, codes)
        assert codes is not None
        return Stack(codes, n_words)

    def index(self, words: Lexicon) -> Index:
        """The last layer, as it is searched."""
        codes = None if self.codes is None else self.codes.rows(-1)
        return Index(words, self.array[-1] if self.is_float else None, codes)

    def row_not_finite(self) -> int | None:
        """A row with a number that is not finite, of codes with such a scale; None where there is none."""
        kept = self.kept
        for matrix in kept.scales[..., np.newaxis] if isinstance(kept, Quantised) else kept:
            for start in range(0, len(matrix), BLOCK_ROWS):
                if (row := not_finite(matrix[start : start + BLOCK_ROWS])) is not None:
                    return start + row
        return None


def _layers(array: ArrayLike, n_words: int) -> Vector:
    """`array` as read-only float32 (layer, row, dim)."""
    layers = np.asarray(array, np.float32)
    layers = layers[np.newaxis] if layers.ndim == 2 else layers.view()
    if layers.ndim != 3 or 0 in layers.shape or layers.shape[1] != n_words:
        raise UsageError(
            f"{n_words:,} words and an array of shape {np.shape(array)} were given; (row, dim) or "
            f"(layer, row, dim) is due, with at least one word"
        )
    layers.flags.writeable = False
    return layers


def _check_codes(codes: Quantised, n_words: int, due: tuple[int, ...] | None) -> None:
    """Raises UsageError where codes are not of so many words, or not of an array of shape `due`."""
    shape, scales = codes.codes.shape, codes.scales.shape
    if len(shape) != 3 or 0 in shape or scales != shape[:-1]:
        raise UsageError(f"codes of shape {shape} with scales of {scales}; (layer, row, dim) and (layer, row) are due")
    if due is not None and shape != due:
        raise UsageError(f"codes of shape {shape} were given for an array of shape {due}")
    if shape[1] != n_words:
        raise UsageError(f"{n_words:,} words were given for {shape[1]:,} rows of codes")
