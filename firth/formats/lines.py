"""Lines of words and numbers, parsed and written: compiled, on several cores, some megabytes at a time."""

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from firth.cutting import available_processors
from firth.formats.rows import Array

READ_BYTES = 8 * 2**20  # of text held and parsed at a time
MOST_THREADS = 8  # each holds as much, and the numbers in it
COMPILED_BYTES = 4 * 2**20  # of a file whose parsing is worth loading the compiled one

S = TypeVar("S")
T = TypeVar("T")


class Parsed(NamedTuple):
    """Lines, and the numbers of those that are regular."""

    text: bytes  # whole lines
    starts: list[int]  # of each line, and the end
    word_ends: list[int]  # of the lines that are read
    are_read: NDArray[np.bool_]  # (line,); the others are irregular, or wrong
    array: Array | None  # (line, dim); None where no line is read

    def line(self, i: int) -> bytes:
        """One of the lines, with its end."""
        return self.text[self.starts[i] : self.starts[i + 1]]


def parsed(file: BinaryIO, dim: int, separator: bytes = b" ", *, has_words: bool = True) -> Iterator[Parsed]:
    """The rest of a file, which is a word and `dim` numbers a line, or the numbers alone.

    Of a small file no line is read, and all are left to the slower reader, which judges irregular ones: what is
    compiled takes half a second to load.
    """
    texts = iter(lambda: file.read(READ_BYTES) + file.readline(), b"")
    if os.fstat(file.fileno()).st_size < COMPILED_BYTES:
        return map(_split, texts)
    return _in_order(lambda text: _parse(text, dim, separator, has_words), texts)


def parsed_numbers(text: bytes) -> Array:
    """The numbers of `text`; fewer than it has where one cannot be read."""
    if not text.strip():
        return np.empty(0, np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what cannot be read: a ValueError in time to come
        try:
            return np.fromstring(text, dtype=np.float32, sep=" ")
        except ValueError:
            return np.empty(0, np.float32)


def written(rows: Iterable[tuple[Sequence[bytes], Array]], separator: bytes) -> Iterator[NDArray[np.uint8]]:
    """Lines of words and finite numbers as bytes, those of a block at a time; an empty word has no separator behind."""
    return _in_order(lambda row: _written(*row, separator), rows)


def _split(text: bytes) -> Parsed:
    """The lines of `text`, none of them read."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
    starts = [0, *ends.tolist(), *([] if text.endswith(b"\n") else [len(text)])]
    n_lines = len(starts) - 1
    return Parsed(text, starts, [0] * n_lines, np.zeros(n_lines, np.bool_), None)


def _parse(text: bytes, dim: int, separator: bytes, has_words: bool) -> Parsed:
    from firth.formats import decimals

    n_lines = text.count(b"\n") + (not text.endswith(b"\n"))
    if (2 * dim - 1) * n_lines > len(text):  # there is no room for so many numbers, and none is made for them
        return _split(text)
    array = np.empty((n_lines, dim), np.float32)
    starts, word_ends = np.empty(n_lines + 1, np.int64), np.empty(n_lines, np.int64)
    are_read = np.empty(n_lines, np.bool_)
    characters = np.frombuffer(text, np.uint8)
    decimals.read_rows(characters, dim, separator[0], has_words, array, starts, word_ends, are_read)
    return Parsed(text, starts.tolist(), word_ends.tolist(), are_read, array)


def _written(words: Sequence[bytes], block: Array, separator: bytes) -> NDArray[np.uint8]:
    from firth.formats import decimals

    joined = b"".join(words)
    word_ends = np.cumsum(np.fromiter(map(len, words), np.int64, len(words)))
    text = np.empty(len(joined) + len(words) + block.size * (decimals.NUMBER_BYTES + 1), np.uint8)
    numbers = np.ascontiguousarray(block, np.float32)
    n_bytes = decimals.write_rows(numbers, np.frombuffer(joined or b" ", np.uint8), word_ends, separator[0], text)
    return text[:n_bytes]


def _in_order(function: Callable[[S], T], values: Iterable[S]) -> Iterator[T]:
    """`function` of each of the values, several at a time."""
    n_threads = min(MOST_THREADS, available_processors())
    with ThreadPoolExecutor(n_threads, "firth-lines") as pool:
        coming: deque[Future[T]] = deque()
        for value in values:
            coming.append(pool.submit(function, value))
            if len(coming) > n_threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
