"""Words and their vectors on the way from one file to another, in blocks of rows, so that no file need fit whole."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 4_096

Array = NDArray[np.float32]
Block = tuple[Sequence[str], Array]


class WordVectors(NamedTuple):
    """Words, their vectors (row, dim), and the words met again, of which the first row was kept."""

    words: list[str]
    array: Array
    repeated: list[str]


class Rows(NamedTuple):
    """The rows of a file, to be gone through once.

    Attributes:
        dim: Numbers in a vector.
        n_at_most: How many rows there are, were no word repeated.
        blocks: Words and float32 (word, dim); each word comes once.
        repeated: The words met again, whose rows were left out; it fills as the blocks are taken.
    """

    dim: int
    n_at_most: int
    blocks: Iterable[Block]
    repeated: list[str]

    @classmethod
    def of(cls, words: Sequence[str], array: Array) -> "Rows":
        """The rows of words that are each there once, and of an array (row, dim)."""

        def blocks() -> Iterator[Block]:
            for start in range(0, len(words), BLOCK_ROWS):
                some = slice(start, start + BLOCK_ROWS)
                yield words[some], np.asarray(array[some], np.float32)

        return cls(array.shape[1], len(words), blocks(), [])

    def collected(self) -> WordVectors:
        """All of them in memory."""
        array = np.empty((self.n_at_most, self.dim), np.float32)
        words: list[str] = []
        for some, block in self.blocks:
            array[len(words) : len(words) + len(some)] = block
            words += some
        return WordVectors(words, array[: len(words)], self.repeated)


def first_of_each(blocks: Iterable[Block], repeated: list[str]) -> Iterator[Block]:
    """The rows whose words are new; the words of the others go to `repeated`."""
    known: set[str] = set()
    for words, block in blocks:
        different = set(words)
        if len(different) == len(words) and known.isdisjoint(different):
            known |= different
            yield words, block
            continue
        new_rows = []
        for row, word in enumerate(words):
            if word in known:
                repeated.append(word)
            else:
                known.add(word)
                new_rows.append(row)
        yield [words[row] for row in new_rows], block[new_rows]


def not_finite(array: Array) -> int | None:
    """The first row (of `array` (row, dim)) that holds nan or an infinity."""
    finite = np.isfinite(array).all(axis=1)
    return None if finite.all() else int(np.argmin(finite))
