"""NumPy's `.npy` with a text file of its words beside it: row after row, and word after word, a line each.

    vectors.npy          (row, dim) floats; what is written is float32
    vectors.vocab.txt    UTF-8, a word a line

Nothing is unpickled: an array of objects is refused. `numpy.load("vectors.npy", mmap_mode="r")` opens the array.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.formats.rows import BLOCK_ROWS, Array, Block, Rows, WordVectors, first_of_each, not_finite

MAGIC = b"\x93NUMPY"


def words_path(path: Path) -> Path:
    """The file of words that is written beside `path`."""
    return path.with_name(f"{path.stem}.vocab.txt")


def read(path: str | Path, *, limit: int | None = None) -> WordVectors:
    """The words and vectors of an array file; float32 stays on disk, and is looked through once.

    The words are looked for beside it: as `words_path` says, or in a `.txt` of the same name, or in `vocab.txt`.

    Args:
        path: The `.npy` file.
        limit: Rows read, from the top; None reads all.

    Raises:
        FirthError: a file is missing or damaged, the array is not of (row, dim) floats, there are not as many words as
            rows, or a number is not finite.
    """
    path = Path(path)
    array = _mapped(path)
    words = read_words(_words_beside(path), len(array))
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows read, so at least 1")
    words, array = words[:limit], array[:limit]
    for some, block in _blocks(words, array):
        if (i := not_finite(block)) is not None:
            raise FirthError(
                f"{printable(str(path))}: the vector of '{printable(some[i])}' holds a number that is not finite"
            )
    if len(set(words)) < len(words):
        repeated: list[str] = []
        return Rows(array.shape[1], len(words), first_of_each(_blocks(words, array), repeated), repeated).collected()
    return WordVectors(words, array, [])


def write_rows(path: str | Path, rows: Rows, *, space: str | None = None) -> int:
    """Writes the array, and the words beside it; returns how many.

    Args:
        path: The `.npy` file; it and the file of words are replaced once all is written.
        rows: Words and float32 vectors.
        space: What stands for a line end inside a word; None refuses words that contain one.

    Raises:
        FirthError: a word with a line end, or that stands twice; a number that is not finite.
    """
    path = Path(path)
    n_written = 0

    def header(n_rows: int) -> dict[str, object]:
        return {"descr": "<f4", "fortran_order": False, "shape": (n_rows, rows.dim)}

    with replacing(path, "wb") as file, replacing(words_path(path)) as words_file:
        npy.write_array_header_1_0(file, header(rows.n_at_most))
        start = file.tell()
        for words, block in checked(rows, space):
            file.write(np.ascontiguousarray(block, "<f4").data)
            words_file.writelines(f"{word}\n" for word in words)
            n_written += len(words)
        if n_written < rows.n_at_most:
            file.seek(0)
            npy.write_array_header_1_0(file, header(n_written))  # NumPy leaves room for any number of rows
            if file.tell() != start:
                raise FirthError(f"{printable(str(path))}: this NumPy's header has no room for another number of rows")
    return n_written


def read_words(path: Path, n_due: int) -> list[str]:
    """The words of a file of one a line, of which there have to be `n_due`."""
    shown = printable(str(path))
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise FirthError(f"{shown} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise FirthError(f"{shown} is not UTF-8: {error}") from None
    words = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    if len(words) != n_due:
        raise FirthError(f"{shown} has {len(words):,} words, and the array beside it {n_due:,} rows")
    if "" in words:
        raise FirthError(f"{shown}, line {words.index('') + 1}: no word")
    return words


def checked(rows: Rows, space: str | None, ends: str = "\r\n") -> Iterator[Block]:
    """The rows, of which each word fits a field that `ends` ends, is there once, and has finite numbers."""
    known: set[str] = set()
    for words, block in rows.blocks:
        written = [_one_field(word, space, ends) for word in words]
        for word in written:
            if word in known:
                raise FirthError(f"two rows would be named '{printable(word)}'")
            known.add(word)
        if (i := not_finite(block)) is not None:
            raise FirthError(f"the vector of '{printable(words[i])}' holds a number that is not finite")
        yield written, block


def _one_field(word: str, space: str | None, ends: str) -> str:
    if space is not None:
        for end in ends:
            word = word.replace(end, space)
    if not word:
        raise FirthError("an empty word cannot be written in this format")
    if any(end in word for end in ends):
        raise FirthError(
            f"the word '{printable(word)}' holds a tab or a line end, which ends a word in this format; space='_' "
            "writes '_' for it"
        )
    try:
        word.encode()
    except UnicodeEncodeError:
        raise FirthError(f"the word '{printable(word)}' is not text that UTF-8 can write") from None
    return word


def _mapped(path: Path) -> Array:
    shown = printable(str(path))
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise FirthError(f"{shown} cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # cut off, objects, or a foreign header
        raise FirthError(f"{shown} is no whole array of numbers: {printable(str(error))}") from None
    if array.ndim != 2 or array.dtype.kind != "f" or 0 in array.shape:
        raise FirthError(f"{shown} has an array {array.dtype} of shape {array.shape}; floats (row, dim) are due")
    plain: NDArray[Any] = array.view(np.ndarray)  # what is computed with it would call itself mapped too
    return np.asarray(plain, np.float32)


def _words_beside(path: Path) -> Path:
    candidates = [words_path(path), path.with_suffix(".txt"), path.with_name("vocab.txt")]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    names = ", ".join(printable(candidate.name) for candidate in candidates)
    raise FirthError(
        f"{printable(str(path))} is an array, whose words are looked for beside it, a line each, in {names}: none is "
        "there"
    )


def _blocks(words: Sequence[str], array: Array) -> Iterator[Block]:
    for start in range(0, len(words), BLOCK_ROWS):
        yield words[start : start + BLOCK_ROWS], array[start : start + BLOCK_ROWS]
