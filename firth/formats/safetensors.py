"""Tensors in the safetensors layout, memory-mapped: a length of 8 bytes, a JSON header, the tensors' bytes.

The layout is https://github.com/huggingface/safetensors#format. The package's own NumPy reader copies every
tensor into memory; a matrix of 200,000 words is wanted at once and mostly unread, so `read` maps the file. `write`
is the package's.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from firth.errors import FirthError
from firth.files import printable

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
    """Writes named arrays to `path`, replacing what was there once all is written.

    Raises:
        FirthError: an array has a type that the layout does not know, or the file cannot be written (disk full).
    """
    for name, array in tensors.items():
        if array.dtype.newbyteorder("<") not in DTYPES.values():
            raise FirthError(f"tensor '{printable(name)}' has the type {array.dtype}; known are {', '.join(DTYPES)}")
    part = path.with_name(f".{path.name}.part")
    try:
        save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except SafetensorError as error:  # its name for a full disk, among others
        raise FirthError(f"{printable(str(path))} cannot be written: {printable(str(error))}") from error
    finally:
        part.unlink(missing_ok=True)


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
