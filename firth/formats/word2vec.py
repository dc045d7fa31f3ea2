"""Word vectors in word2vec's text and binary files and in GloVe's text: a word and its numbers, row by row.

    text    "3 2\\n", then rows "word 0.1 0.2\\n"                       word2vec.c, gensim, fastText's .vec
    binary  "3 2\\n", then rows "word ", 2 little-endian float32       gensim; word2vec.c adds "\\n"
    glove   as text, without the first line; words may hold spaces    GloVe

Nothing here opens a pickle: gensim's own files are refused with the command that converts them.
"""

import mmap
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.formats.lines import READ_BYTES, Parsed, parsed, parsed_numbers, written
from firth.formats.rows import BLOCK_ROWS, Array, Block, Rows, WordVectors, first_of_each, not_finite

Format = Literal["text", "binary", "glove"]
FORMATS: tuple[Format, ...] = ("text", "binary", "glove")

SAMPLE_BYTES = 2**20  # looked at to tell the format, and a headerless file's dim
MAGIC_BYTES = 1_000  # looked at to tell another program's file; a pickle names its class there
FLOAT_BYTES = 4

HEADER = re.compile(rb"(\d+)[ \t]+(\d+)\s*")
WHITE_SPACE = re.compile(r"[ \t\n\v\f\r]")  # of ASCII; readers of bytes know no other
PICKLE = re.compile(rb"\x80[\x02-\x05]")
FOREIGN = {
    b"\x93NUMPY": "a NumPy array, which names no words",
    b"\xba\x16\x4f\x2f": "a fastText model; give the .vec file that fastText writes beside it",
    b"\x1f\x8b": "compressed by gzip; unpack it first (gzip -dk FILE)",
    b"\xfd7zXZ\x00": "compressed by xz; unpack it first (xz -dk FILE)",
    b"BZh": "compressed by bzip2; unpack it first (bzip2 -dk FILE)",
    b"PK\x03\x04": "a zip archive; unpack it first (unzip FILE)",
}


class _Layout(NamedTuple):
    format: Format
    n_rows: int | None  # None: no header says it
    dim: int
    start: int  # byte of the first row
    first_line: int  # its line number


def read(
    path: str | Path,
    *,
    format: Format | Literal["auto"] = "auto",
    limit: int | None = None,
    encoding: str = "utf-8",
    encoding_errors: str = "strict",
) -> WordVectors:
    """The words and vectors of a file of word2vec.c, gensim, fastText (.vec) or GloVe, in memory; see `rows`."""
    return rows(path, format=format, limit=limit, encoding=encoding, encoding_errors=encoding_errors).collected()


def rows(
    path: str | Path,
    *,
    format: Format | Literal["auto"] = "auto",
    limit: int | None = None,
    encoding: str = "utf-8",
    encoding_errors: str = "strict",
) -> Rows:
    """The rows of a file of word2vec.c, gensim, fastText (.vec) or GloVe, read as they are taken.

    In text, the last `dim` fields of a line are its numbers and all before is the word, spaces included.

    Args:
        path: The file.
        format: "text", "binary" or "glove" (text without a header); "auto" looks at the file.
        limit: Rows read, from the top; None reads all.
        encoding: Of the words.
        encoding_errors: "strict" refuses words that are not of the encoding; "replace" or "ignore" reads on.
            word2vec.c may cut a long word inside a character.

    Raises:
        FirthError: the file is missing, a pickle, or malformed; lines and rows are named by numbers from 1. What is
            wrong in a row is found when its block is taken.
        UsageError: an unknown format, or a limit below 1.
    """
    path = Path(path)
    if format not in ("auto", *FORMATS):
        raise UsageError(f"format {printable(repr(format))} asked; there are auto, {', '.join(FORMATS)}")
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows read, so at least 1")

    def decode(keys: Sequence[bytes], place: Callable[[int], str]) -> list[str]:
        try:
            return [key.decode(encoding, encoding_errors) for key in keys]
        except UnicodeDecodeError as error:
            i = keys.index(error.object)
            raise _malformed(
                path, f"{place(i)}: the word {error.object!r} is not {encoding}; encoding_errors='replace' reads on"
            ) from error

    refuse_foreign(path)
    with _opened(path) as file:
        layout = _layout(path, file, format)
        n_due = _rows_due(path, file, layout, limit)
    blocks = _binary_blocks if layout.format == "binary" else _text_blocks
    repeated: list[str] = []
    return Rows(layout.dim, n_due, first_of_each(blocks(path, layout, n_due, decode), repeated), repeated)


def write(
    path: str | Path,
    words: Sequence[str],
    array: NDArray[np.float32],
    *,
    format: Format = "text",
    space: str | None = None,
) -> None:
    """Writes words and vectors (row, dim), as `write_rows` does.

    Raises:
        UsageError: words and vectors of different number.
    """
    if array.ndim != 2 or len(words) != len(array):
        raise UsageError(f"{len(words):,} words and an array of shape {array.shape}; one row a word is due")
    write_rows(path, Rows.of(words, array), format=format, space=space)


def write_rows(path: str | Path, rows: Rows, *, format: Format = "text", space: str | None = None) -> int:
    """Writes words and vectors so that word2vec's tools, gensim, spaCy and `rows` read them back; returns how many.

    Text has the fewest digits that give every float32 back to the bit. Binary rows end in a newline, as word2vec.c's
    do; gensim skips it.

    Args:
        path: The file, replaced once all is written.
        rows: Words and float32 vectors.
        format: "text", "binary", or "glove" (text without a header).
        space: What stands for white space inside a word, such as "_". White space ends words in these
            formats, so None refuses words that contain it.

    Raises:
        FirthError: a word that the format cannot hold, or that stands twice; a number that is not finite.
        UsageError: an unknown format.
    """
    if format not in FORMATS:
        raise UsageError(f"format {printable(repr(format))} asked; there are {', '.join(FORMATS)}")
    n_written = 0

    def checked() -> Iterator[tuple[list[bytes], Array]]:
        nonlocal n_written
        known: set[bytes] = set()
        for words, block in rows.blocks:
            keys = _keys(words, space)
            if not known.isdisjoint(keys):
                raise _named_twice(next(key for key in keys if key in known).decode())
            known.update(keys)
            if (i := not_finite(block)) is not None:
                raise FirthError(f"the vector of '{printable(words[i])}' holds a number that is not finite")
            n_written += len(keys)
            yield keys, block

    with replacing(Path(path), "wb") as file:
        header = b"%d %d\n" % (rows.n_at_most, rows.dim)
        if format != "glove":
            file.write(header)
        for part in _binary_parts(checked()) if format == "binary" else written(checked(), b" "):
            file.write(part)
        if format != "glove" and n_written < rows.n_at_most:
            file.seek(0)  # zeros in front: word2vec.c takes a space behind for a word
            file.write((b"%d %d\n" % (n_written, rows.dim)).rjust(len(header), b"0"))
    return n_written


# --- what kind of file


def refuse_foreign(path: str | Path) -> None:
    """Refuses a file that is plainly no text or binary file of vectors; any other passes.

    Raises:
        FirthError: the file is a pickle, as gensim's `.model` and `.kv` are (the message has the command that
            converts it), an array without words, a fastText model or compressed; or it cannot be read.
    """
    path = Path(path)
    with _opened(path) as file:
        start = file.read(MAGIC_BYTES)
    if PICKLE.match(start):
        _refuse_pickle(path, start)
    for magic, what in FOREIGN.items():
        if start.startswith(magic):
            raise FirthError(f"{printable(str(path))} is {what}")


def _refuse_pickle(path: Path, start: bytes) -> NoReturn:
    named = re.search(rb"gensim\.models\.(?:deprecated\.)?(\w+)", start)
    module = named[1].decode() if named else "keyedvectors" if path.suffix == ".kv" else "word2vec"
    class_name, vectors = {
        "word2vec": ("Word2Vec", ".wv"),
        "fasttext": ("FastText", ".wv"),
        "doc2vec": ("Doc2Vec", ".wv"),
    }.get(module, ("KeyedVectors", ""))
    source, which = path.as_posix(), ""  # with / a path needs no quotes on Windows either
    if printable(source) != source:
        source, which = "FILE", "; FILE stands for its name, which holds characters that cannot be shown"
    raise FirthError(
        f"{printable(str(path))} is a pickle (gensim's own format), which can run code when opened, so firth does not. "
        f"Where gensim is installed, convert it by this command{which}:\n"
        f'python -c "import sys; from gensim.models import {class_name}; '
        f'{class_name}.load(sys.argv[1]){vectors}.save_word2vec_format(sys.argv[2])" '
        f"{shlex.join([source, f'{source}.txt'])}"  # not inside the code, where a name could end the string
    )


def _layout(path: Path, file: BinaryIO, format: Format | Literal["auto"]) -> _Layout:
    sample = file.read(SAMPLE_BYTES)
    if not sample:
        raise FirthError(f"{printable(str(path))} is empty; a file of word vectors was asked for")
    header = None if format == "glove" else HEADER.fullmatch(sample.partition(b"\n")[0])
    if header is None:
        if format not in ("auto", "glove"):
            raise _malformed(path, "line 1: a header 'ROWS DIM' is due; format='glove' reads a file without one")
        return _Layout("glove", None, _headerless_dim(path, sample), 0, 1)
    n_rows, dim = (int(number) for number in header.groups())
    if dim < 1:
        raise _malformed(path, "line 1: vectors of 0 dimensions")
    start = sample.index(b"\n") + 1 if b"\n" in sample else len(sample)
    if format == "auto":
        format = "binary" if _is_binary(sample[start:], dim) else "text"
    return _Layout(format, n_rows, dim, start, 2)


def _is_binary(rows: bytes, dim: int) -> bool:
    """Whether the first row's numbers are bytes: they do not parse as text and hold what text never does."""
    fields = rows.partition(b"\n")[0].rsplit(None, dim)
    if len(fields) == dim + 1 and all(_is_number(field) for field in fields[1:]):
        return False
    numbers = rows.partition(b" ")[2][: FLOAT_BYTES * dim]
    return any(byte < 9 or 13 < byte < 32 or byte > 126 for byte in numbers)


def _headerless_dim(path: Path, sample: bytes) -> int:
    """The commonest number of fields behind the first, over the first lines: a word may contain spaces."""
    lines = sample.split(b"\n")
    whole_lines = lines[:-1] if len(lines) > 1 else lines
    n_fields = Counter(len(line.split()) for line in whole_lines if line.strip())
    dim = n_fields.most_common(1)[0][0] - 1 if n_fields else 0
    if dim < 1:
        raise _malformed(path, "line 1: a word and its numbers are due, or a header 'ROWS DIM'")
    return dim


def _rows_due(path: Path, file: BinaryIO, layout: _Layout, limit: int | None) -> int:
    """Rows to make room for; a header that promises more than the file has bytes for is found out before."""
    if layout.n_rows is None:
        file.seek(0)
        n_lines = sum(block.count(b"\n") for block in iter(lambda: file.read(READ_BYTES), b"")) + 1
        return min(n_lines, limit or n_lines)
    file.seek(0, 2)
    n_rows = min(layout.n_rows, limit or layout.n_rows)
    number_bytes = FLOAT_BYTES if layout.format == "binary" else 2
    most = (file.tell() - layout.start) // (1 + layout.dim * number_bytes)
    if n_rows > most:
        raise _malformed(
            path,
            f"the header promises {layout.n_rows:,} rows of {layout.dim} numbers, and the file has bytes for "
            f"{most:,} at most; it was cut off, or is not {layout.format}",
        )
    return n_rows


# --- text


Decode = Callable[[Sequence[bytes], Callable[[int], str]], list[str]]


def _text_blocks(path: Path, layout: _Layout, n_due: int, decode: Decode) -> Iterator[Block]:
    line_number = layout.first_line
    n_left = n_due
    all_are_due = n_due == layout.n_rows
    with _opened(path) as file:
        file.seek(layout.start)
        for some in parsed(file, layout.dim):
            n_lines = len(some.are_read)
            n_rows = n_lines
            while n_rows and not some.line(n_rows - 1).strip():
                n_rows -= 1  # blank lines at the end of a file, or of a block
            if all_are_due and n_rows > n_left:
                extra = line_number + n_left
                raise _malformed(path, f"line {extra}: a row more than the {n_due:,} that the header promises")
            keys, block = _judged(path, some, min(n_rows, n_left), line_number, layout.dim)

            def place(i: int, line_number: int = line_number) -> str:
                return f"line {line_number + i}"

            words = decode(keys, place)
            if (i := not_finite(block)) is not None:
                raise _malformed(path, f"{place(i)}: a number that is not finite")
            yield words, block
            line_number += n_lines
            n_left -= len(words)
            if not (n_left or all_are_due):
                break
    if all_are_due and n_left:
        raise _cut_off(path, n_due - n_left, n_due)


def _judged(path: Path, some: Parsed, n_rows: int, first_line: int, dim: int) -> tuple[list[bytes], Array]:
    """Words and numbers of the first `n_rows` lines; those that are not read yet are, or say what is wrong."""
    keys = [some.text[start:end] for start, end in zip(some.starts[:n_rows], some.word_ends[:n_rows], strict=True)]
    array = np.empty((n_rows, dim), np.float32) if some.array is None else some.array[:n_rows]
    edges = np.flatnonzero(np.diff(some.are_read[:n_rows], prepend=True, append=True))
    for start, stop in edges.reshape(-1, 2).tolist():
        lines = [some.line(i) for i in range(start, stop)]
        keys[start:stop], array[start:stop] = _text_rows(path, lines, first_line + start, dim)
    return keys, array


def _text_rows(path: Path, lines: list[bytes], first_line: int, dim: int) -> tuple[list[bytes], NDArray[np.float32]]:
    """Words and numbers (line, dim) of lines; all numbers are parsed in one call."""
    keys, numbers = [], []
    for i, line in enumerate(lines):
        row = line.rstrip()
        if row.count(b" ") == dim and b"\t" not in row:
            key, _, text = row.partition(b" ")
        else:
            key, text = _irregular_row(path, row, first_line + i, dim)
        keys.append(key)
        numbers.append(text)
    flat = parsed_numbers(b" ".join(numbers))
    if len(flat) != len(lines) * dim or not all(keys):
        _name_malformed_row(path, keys, numbers, first_line, dim)
    return keys, flat.reshape(-1, dim)


def _irregular_row(path: Path, row: bytes, line_number: int, dim: int) -> tuple[bytes, bytes]:
    """The word and the numbers of a line whose word has spaces, or whose fields stand further apart."""
    fields = row.rsplit(None, dim)
    if len(fields) <= dim:
        raise _malformed(path, f"line {line_number}: {_count(max(0, len(fields) - 1))} where {dim} are due")
    n_extra = 0
    for field in reversed(fields[0].split()[1:]):
        if not _is_number(field):
            break
        n_extra += 1
    if n_extra:
        raise _malformed(path, f"line {line_number}: {_count(dim + n_extra)} where {dim} are due")
    return fields[0], b" ".join(fields[1:])


def _name_malformed_row(path: Path, keys: list[bytes], numbers: list[bytes], first_line: int, dim: int) -> NoReturn:
    for i, (key, text) in enumerate(zip(keys, numbers, strict=True)):
        fields = text.split()
        for field in fields:
            if not _is_number(field):
                shown = printable(field.decode("utf-8", "replace"))
                raise _malformed(path, f"line {first_line + i}: '{shown}' is not a number")
        if len(fields) != dim:
            raise _malformed(path, f"line {first_line + i}: {_count(len(fields))} where {dim} are due")
        if not key:
            raise _malformed(path, f"line {first_line + i}: no word stands before the numbers")
    raise _malformed(path, f"lines {first_line} to {first_line + len(keys) - 1} hold what is not a number")


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return b"_" not in field  # float() takes 1_000, the files do not


def _count(n_numbers: int) -> str:
    return "1 number" if n_numbers == 1 else f"{n_numbers} numbers"


# --- binary


def _binary_blocks(path: Path, layout: _Layout, n_due: int, decode: Decode) -> Iterator[Block]:
    if not n_due:
        return
    n_read = 0
    with _opened(path) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        rows = _binary_rows(path, data, layout)
        while keys_and_vectors := list(islice(rows, min(BLOCK_ROWS, n_due - n_read))):
            first_row = n_read + 1

            def place(i: int, first_row: int = first_row) -> str:
                return f"row {first_row + i}"

            words = decode([key for key, _ in keys_and_vectors], place)
            block = np.frombuffer(b"".join(vector for _, vector in keys_and_vectors), "<f4")
            block = block.reshape(-1, layout.dim)
            if (i := not_finite(block)) is not None:
                raise _malformed(path, f"{place(i)}: a number that is not finite")
            yield words, block
            n_read += len(words)


def _binary_rows(path: Path, data: mmap.mmap, layout: _Layout) -> Iterator[tuple[bytes, bytes]]:
    """Words and the bytes of their vectors."""
    n_vector_bytes = layout.dim * FLOAT_BYTES
    position = layout.start
    for row in range(layout.n_rows or 0):
        space = data.find(b" ", position)
        vector_end = space + 1 + n_vector_bytes
        if space < 0 or vector_end > len(data):
            raise _cut_off(path, row, layout.n_rows or 0)
        key = data[position:space].lstrip(b"\n")
        if not key:
            raise _malformed(path, f"row {row + 1} (byte {position:,}): no word stands before the numbers")
        yield key, data[space + 1 : vector_end]
        position = vector_end


def _binary_parts(rows: Iterable[tuple[Sequence[bytes], Array]]) -> Iterator[bytes]:
    for keys, block in rows:
        numbers = block.astype("<f4", copy=False)
        yield b"".join(b"%b %b\n" % (key, vector.tobytes()) for key, vector in zip(keys, numbers, strict=True))


# --- both


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, opened for reading; what the system has against that becomes a FirthError."""
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror or error}") from error


def _keys(words: Sequence[str], space: str | None) -> list[bytes]:
    """The words as bytes that come back as one field each."""
    keys = words if space is None else [WHITE_SPACE.sub(space, word) for word in words]
    for key in keys:
        if not key:
            raise FirthError("an empty word cannot be written in this format")
        if WHITE_SPACE.search(key):
            raise FirthError(
                f"the word '{printable(key)}' contains white space, which ends a word in this format; "
                f"space='_' writes '{WHITE_SPACE.sub('_', key)}'"
            )
    if len(set(keys)) < len(keys):
        repeated = next(key for key, count in Counter(keys).items() if count > 1)
        raise _named_twice(repeated)
    try:
        return [key.encode() for key in keys]
    except UnicodeEncodeError as error:
        raise FirthError(f"the word '{printable(error.object)}' is not text that UTF-8 can write") from error


def _named_twice(word: str) -> FirthError:
    return FirthError(f"two rows would be named '{printable(word)}'; a reader keeps the first only")


def _malformed(path: Path, what: str) -> FirthError:
    return FirthError(f"{printable(str(path))}, {what}")


def _cut_off(path: Path, n_rows: int, n_due: int) -> FirthError:
    return _malformed(path, f"the header promises {n_due:,} rows, and the file ends after {n_rows:,}")
