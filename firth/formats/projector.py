"""The two files of the Embedding Projector (projector.tensorflow.org, TensorBoard): fields parted by tabs.

    vectors.tsv     a row a line: its numbers
    metadata.tsv    a word a line; with counts a first line "word<TAB>count", and then both

A file of one column has no first line of names, and one of several has: so the Projector wants it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.formats.arrays import checked
from firth.formats.lines import READ_BYTES, parsed, parsed_numbers, written
from firth.formats.rows import Array, Block, Rows, first_of_each, not_finite

NAMED = re.compile(r"vectors|tensors?(?!board)")
WORD_COLUMNS = ("word", "words", "label", "name", "token", "text")


def metadata_path(path: Path) -> Path:
    """The file of words beside `path`: "metadata" where its name has "vectors" or "tensor", else behind it."""
    found = list(NAMED.finditer(path.stem))
    if not found:
        return path.with_name(f"{path.stem}.metadata.tsv")
    start, stop = found[-1].span()
    return path.with_name(f"{path.stem[:start]}metadata{path.stem[stop:]}.tsv")


def rows(path: str | Path, *, limit: int | None = None) -> Rows:
    """The rows of a pair of files; that of the words is beside `path`, see `metadata_path`.

    Raises:
        FirthError: a file is missing or malformed, or they have not as many rows; what is wrong in a line of numbers
            is found when its block is taken.
    """
    path = Path(path)
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows read, so at least 1")
    n_rows, dim = _shape(path)
    words = _words(metadata_path(path), n_rows)[:limit]
    repeated: list[str] = []
    return Rows(dim, len(words), first_of_each(_blocks(path, words, dim), repeated), repeated)


def write_rows(
    path: str | Path, rows: Rows, *, counts: NDArray[np.int64] | None = None, space: str | None = None
) -> int:
    """Writes the two files, which are replaced once all is written; returns how many rows there are.

    Args:
        path: That of the vectors; the words' is `metadata_path`.
        rows: Words and float32 vectors.
        counts: (row,) of the words, where they are known; only with rows of which none is left out.
        space: What stands for a tab or a line end inside a word; None refuses words that contain one.

    Raises:
        FirthError: a word with a tab or a line end, or that stands twice; a number that is not finite.
    """
    path = Path(path)
    n_written = 0
    with replacing(path, "wb") as file, replacing(metadata_path(path)) as words_file:
        if counts is not None:
            words_file.write("word\tcount\n")

        def checked_rows() -> Iterator[tuple[Sequence[bytes], Array]]:
            nonlocal n_written
            for words, block in checked(rows, space, "\t\r\n"):
                if counts is None:
                    words_file.writelines(f"{word}\n" for word in words)
                else:
                    some = counts[n_written : n_written + len(words)].tolist()
                    words_file.writelines(f"{word}\t{count}\n" for word, count in zip(words, some, strict=True))
                n_written += len(words)
                yield [b""] * len(words), block

        for part in written(checked_rows(), b"\t"):
            file.write(part)
    return n_written


def _shape(path: Path) -> tuple[int, int]:
    """How many rows the file of vectors has, and numbers in the first."""
    shown = printable(str(path))
    n_rows, last = 0, b"\n"
    try:
        with path.open("rb") as file:
            dim = len(file.readline().split())
            file.seek(0)
            while block := file.read(READ_BYTES):
                n_rows += block.count(b"\n")
                last = block[-1:]
    except OSError as error:
        raise FirthError(f"{shown} cannot be read: {error.strerror}") from None
    if not dim:
        raise FirthError(f"{shown}, line 1: numbers parted by tabs are due")
    return n_rows + (last != b"\n"), dim


def _words(path: Path, n_due: int) -> list[str]:
    shown = printable(str(path))
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise FirthError(
            f"the words of the vectors are looked for in {shown}, which cannot be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        raise FirthError(f"{shown} is not UTF-8: {error}") from None
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    column = 0
    if len(lines) == n_due + 1:  # the first names the columns
        names = [name.strip().lower() for name in lines.pop(0).split("\t")]
        column = next((names.index(name) for name in WORD_COLUMNS if name in names), 0)
    if len(lines) != n_due:
        raise FirthError(f"{shown} has {len(lines):,} lines, and the file of vectors {n_due:,}")
    words = []
    for number, line in enumerate(lines, start=1):
        fields = line.split("\t")
        if column >= len(fields) or not fields[column]:
            raise FirthError(f"{shown}, row {number}: no word")
        words.append(fields[column])
    return words


def _blocks(path: Path, words: Sequence[str], dim: int) -> Iterator[Block]:
    shown = printable(str(path))
    n_read = 0
    with path.open("rb") as file:
        for some in parsed(file, dim, b"\t", has_words=False):
            n_rows = min(len(some.are_read), len(words) - n_read)
            block = np.empty((n_rows, dim), np.float32) if some.array is None else some.array[:n_rows]
            for row in np.flatnonzero(~some.are_read[:n_rows]).tolist():
                line = some.line(row)
                numbers = parsed_numbers(line)
                if len(numbers) != dim or line.count(b"\t") != dim - 1:
                    place = f"{shown}, line {n_read + row + 1}"
                    raise FirthError(f"{place}: {dim} numbers parted by tabs are due, as many as in line 1")
                block[row] = numbers
            if (i := not_finite(block)) is not None:
                raise FirthError(f"{shown}, line {n_read + i + 1}: a number that is not finite")
            yield words[n_read : n_read + n_rows], block
            n_read += n_rows
            if n_read == len(words):
                break
