"""Tensors in the safetensors layout, memory-mapped: a length of 8 bytes, a JSON header, the tensors' bytes.

The layout is https://github.com/huggingface/safetensors#format. The package's own NumPy reader copies every
tensor into memory; a matrix of 200,000 words is wanted at once and mostly unread, so `read` maps the file. Its writer
holds all bytes in memory, which `write` does without.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.files import printable, replacing

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "|i1",
    "U8": "|u1",
    "BOOL": "|b1",
}
MAX_HEADER_BYTES = 100_000_000  # the published limit


class _Entry(NamedTuple):
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int  # bytes, counted from the header's end
    stop: int


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors of a file by name: read-only arrays that stay on disk until they are touched.

    The file stays open as long as one of the arrays lives.

    Raises:
        FirthError: the file is missing, cut off, or its header contradicts its length.
    """
    try:
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            n_header_bytes = int.from_bytes(file.read(8), "little")
            if n_bytes < 8 or not 2 <= n_header_bytes <= min(n_bytes - 8, MAX_HEADER_BYTES):
                raise _damaged(path, f"its first 8 bytes do not fit a file of {n_bytes:,} bytes")
            header = file.read(n_header_bytes)
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror}") from error
    data_start = 8 + n_header_bytes
    entries = _entries(path, header)
    _check_cover(path, entries, n_bytes - data_start)
    return {entry.name: _mapped(path, entry, data_start) for entry in entries}


def write(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Writes named arrays to `path`, replacing what was there once all is written; one matrix at most is copied.

    Raises:
        FirthError: an array has a type that the layout does not know, or the file cannot be written (disk full).
    """
    for name, array in tensors.items():
        if array.dtype.newbyteorder("<") not in DTYPES.values():
            raise FirthError(f"tensor '{printable(name)}' has the type {array.dtype}; known are {', '.join(DTYPES)}")
    ordered = dict(sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))  # so all are aligned
    with _written(path) as file:
        file.write(_header({name: (array.dtype, array.shape) for name, array in ordered.items()}))
        for array in ordered.values():
            for matrix in array if array.ndim > 2 else [array]:
                numbers = np.ascontiguousarray(matrix, matrix.dtype.newbyteorder("<")).reshape(-1)
                file.write(numbers.view(np.uint8).data)


def write_rows(path: Path, name: str, n_at_most: int, dim: int, blocks: Iterable[NDArray[np.float32]]) -> int:
    """Writes one tensor (1, row, dim) to `path` from blocks of its rows, one in memory at a time; returns their number.

    Raises:
        FirthError: more rows come than `n_at_most`, or the file cannot be written (disk full).
    """
    float32 = np.dtype(np.float32)
    header = _header({name: (float32, (1, n_at_most, dim))})
    n_written = 0
    with _written(path) as file:
        file.write(header)
        for block in blocks:
            file.write(np.ascontiguousarray(block, "<f4").reshape(-1).view(np.uint8).data)
            n_written += len(block)
        if n_written > n_at_most:
            raise FirthError(f"tensor '{printable(name)}': {n_written:,} rows came, {n_at_most:,} at most were due")
        if n_written < n_at_most:
            file.seek(0)
            file.write(_header({name: (float32, (1, n_written, dim))}, len(header)))
    return n_written


@contextmanager
def _written(path: Path) -> Iterator[IO[Any]]:
    """The file, open for writing; what the system has against that becomes a FirthError."""
    try:
        with replacing(path, "wb") as file:
            yield file
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be written: {error.strerror or error}") from error


def _header(tensors: Mapping[str, tuple[np.dtype[Any], tuple[int, ...]]], n_bytes: int = 0) -> bytes:
    """The bytes in front of the numbers; spaces fill them up to a multiple of 8, and to `n_bytes`."""
    names = {dtype: name for name, dtype in DTYPES.items()}
    entries, start = {}, 0
    for name, (dtype, shape) in tensors.items():
        stop = start + dtype.itemsize * math.prod(shape)
        written = names[dtype.newbyteorder("<").str]
        entries[name] = {"dtype": written, "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    size = max(-(-len(text) // 8) * 8, n_bytes - 8)
    return size.to_bytes(8, "little") + text.ljust(size)


def _entries(path: Path, header: bytes) -> list[_Entry]:
    """The header's tensors in the order of their bytes."""
    try:
        fields = json.loads(header)
        fields.pop("__metadata__", None)
        entries = [_entry(path, name, field) for name, field in fields.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, "its header is not the JSON that is due there") from error
    return sorted(entries, key=lambda entry: (entry.start, entry.stop))


def _entry(path: Path, name: str, field: dict[str, Any]) -> _Entry:
    if field["dtype"] not in DTYPES:
        raise FirthError(
            printable(f"{path}: tensor '{name}' has the type {field['dtype']}; known are {', '.join(DTYPES)}")
        )
    shape = tuple(field["shape"])
    start, stop = field["data_offsets"]
    if not all(type(size) is int and size >= 0 for size in (*shape, start, stop)):
        raise ValueError(name)
    return _Entry(name, np.dtype(DTYPES[field["dtype"]]), shape, start, stop)


def _check_cover(path: Path, entries: list[_Entry], n_data_bytes: int) -> None:
    """Every tensor has the bytes that its shape asks for, one behind the other up to the file's end."""
    position = 0
    for entry in entries:
        n_due = math.prod(entry.shape) * entry.dtype.itemsize
        if entry.start != position or entry.stop - entry.start != n_due:
            raise _damaged(path, f"tensor '{printable(entry.name)}' does not stand where its shape says")
        position = entry.stop
    if position != n_data_bytes:
        raise _damaged(path, f"its tensors take {position:,} bytes, and {n_data_bytes:,} are there")


def _mapped(path: Path, entry: _Entry, data_start: int) -> NDArray[Any]:
    if entry.start == entry.stop:  # an empty stretch cannot be mapped
        try:
            return np.empty(entry.shape, entry.dtype)
        except ValueError:  # a size beyond all memory beside one of 0
            raise _damaged(path, f"tensor '{printable(entry.name)}' has the shape {entry.shape}") from None
    array = np.memmap(path, entry.dtype, "r", data_start + entry.start, entry.shape)
    # A plain ndarray: sums and products of a memmap would call themselves memmaps too.
    return np.require(array.view(np.ndarray), requirements="A")


def _damaged(path: Path, reason: str) -> FirthError:
    return FirthError(f"{printable(str(path))} is not a whole safetensors file: {reason}")
