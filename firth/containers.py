"""Files opened, told from what is no text by their first bytes, and decompressed: bytes in small pieces."""

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from firth.errors import FirthError
from firth.files import printable

_CHUNK_BYTES: Final = 1 << 16  # a larger piece of memory is mapped anew for every chunk, which takes longer
_HEAD_BYTES: Final = 512
_COMPRESSIONS: Final = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
}
_UNPACK: Final = "unpack it, and give the folder"
_CONVERT: Final = "turn it into plain text first"
_BINARY: Final = (  # what files begin with that are no text, what that is called, and what to do
    (re.compile(rb"%PDF-[12]\."), "a PDF document", "turn it into plain text first (pdftotext, say)"),
    (re.compile(rb"PK\x03\x04.{26}(?:\[Content_Types\]|word/|_rels/)", re.DOTALL), "an Office document", _CONVERT),
    (re.compile(rb"PK\x03\x04.{26}mimetypeapplication/epub", re.DOTALL), "an EPUB book", _CONVERT),
    (re.compile(rb"PK\x03\x04.{26}mimetypeapplication/vnd.oasis", re.DOTALL), "an OpenDocument file", _CONVERT),
    (re.compile(rb"PK\x03\x04|PK\x05\x06"), "a zip archive", _UNPACK),
    (re.compile(rb".{257}ustar", re.DOTALL), "a tar archive", _UNPACK),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "a 7-Zip archive", _UNPACK),
    (re.compile(rb"Rar!\x1a\x07"), "a RAR archive", _UNPACK),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an Office document", _CONVERT),
    (re.compile(rb"SQLite format 3\0"), "an SQLite database", "write its text to a file first"),
    (re.compile(rb"\x89PNG\r\n|\xff\xd8\xff[\xdb\xe0-\xef]"), "a picture", "have its text recognised first"),
    (re.compile(rb"\x89HDF\r\n"), "an HDF5 file", "write its text to a file first"),
    (re.compile(rb"ARROW1\0\0"), "an Arrow file", "write it as Parquet first"),
    (re.compile(rb"PAR1[\0-\x08\x0e-\x1f]"), "a Parquet file", "it is read from a file whose name ends in .parquet"),
    (re.compile(rb"\x04\x22\x4d\x18"), "compressed by lz4", "decompress it first"),
)


def chunks_of(path: Path, count: Callable[[int], None]) -> Iterator[bytes]:
    """What is in a file, decompressed; `count` is told how many of its own bytes were read."""
    name = printable(str(path))
    with opened(path) as file:
        yield from decompressed(counted(file, count), name)


class _Counted(io.RawIOBase):
    """A file whose bytes are counted as they are read."""

    def __init__(self, file: Any, count: Callable[[int], None]) -> None:
        self._file = file
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n_bytes: int = self._file.readinto(buffer) or 0
        self._count(n_bytes)
        return n_bytes


def counted(file: Any, count: Callable[[int], None]) -> io.BufferedReader:
    """`file`, read through a buffer; `count` is told how many bytes come."""
    return io.BufferedReader(_Counted(file, count), max(_CHUNK_BYTES, _HEAD_BYTES))


def uncounted(n_bytes: int) -> None:
    """Takes no note: a sample is not progress."""


def decompressed(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    """What is in an open file, decompressed if it is compressed, whatever its name.

    Raises:
        FirthError: it is damaged, cut short, compressed twice, or no text.
    """
    compression = None
    try:
        head = file.peek(_HEAD_BYTES)
        refuse_binary(head, name)
        compression = compression_of(head)
        chunks = _plain(file) if compression is None else _DECOMPRESSORS[compression](file)
        if compression is not None:
            first = next(chunks, b"")
            inner = compression_of(first)
            if inner is not None:
                raise FirthError(f"{name} is {inner} inside {compression}; decompress it once first")
            refuse_binary(first, name)
            chunks = chain((first,), chunks) if first else chunks
        yield from chunks
    except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        if compression is None:
            raise FirthError(f"cannot read {name}: {error}") from error
        if "too much memory" in str(error):  # zstd's: its window is larger than 128 MiB
            raise FirthError(
                f"{name} is compressed by zstd with a larger window than is read here; decompress it first "
                "(zstd -d --long=31)"
            ) from error
        raise FirthError(f"{name} is compressed by {compression}, but damaged or cut short: {error}") from error


def compression_of(head: bytes) -> str | None:
    """What a file is compressed by that begins with `head`; None where it is not."""
    return next((name for name, magic in _COMPRESSIONS.items() if magic.match(head)), None)


def refuse_binary(head: bytes, name: str) -> None:
    """Raises FirthError, with what to do, where a file that begins with `head` is no text."""
    for magic, kind, advice in _BINARY:
        if magic.match(head):
            raise FirthError(f"{name} is {kind}, not text; {advice}")


def _plain(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk


def _gunzipped(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as members:
        yield from _plain(members)


def _streams(file: IO[bytes], new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]) -> Iterator[bytes]:
    """All streams of a file one after the other. (Python's own readers pass over what stands behind the first.)"""
    rest = b""
    while rest := rest or file.read(_CHUNK_BYTES):
        decompressor = new()
        while not decompressor.eof:
            if decompressor.needs_input and not rest:
                rest = file.read(_CHUNK_BYTES)
                if not rest:
                    raise EOFError("it ends in the middle")
            chunk = decompressor.decompress(rest, _CHUNK_BYTES)
            rest = b""
            if chunk:
                yield chunk
        rest = decompressor.unused_data.lstrip(b"\0")  # xz may pad a stream with zeros


def _bunzipped(file: IO[bytes]) -> Iterator[bytes]:
    return _streams(file, bz2.BZ2Decompressor)


def _unxzed(file: IO[bytes]) -> Iterator[bytes]:
    return _streams(file, lzma.LZMADecompressor)


def _unzstded(file: IO[bytes]) -> Iterator[bytes]:
    import pyarrow

    with pyarrow.CompressedInputStream(pyarrow.PythonFile(file, "r"), "zstd") as frames:
        yield from _plain(frames)


_DECOMPRESSORS: Final[dict[str, Callable[[IO[bytes]], Iterator[bytes]]]] = {
    "gzip": _gunzipped,
    "bzip2": _bunzipped,
    "xz": _unxzed,
    "zstd": _unzstded,
}


def opened(path: Path) -> io.FileIO:
    """The file, open for reading; FirthError where it cannot be."""
    try:
        return io.FileIO(path)
    except OSError as error:
        raise FirthError(f"cannot read {printable(str(path))}: {error.strerror}") from error


def head_of(path: Path) -> bytes:
    """The first bytes of a file, by which its kind is known."""
    with opened(path) as file:
        return file.read(_HEAD_BYTES) or b""
