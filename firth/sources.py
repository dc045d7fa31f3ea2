"""What a corpus is read from: files, folders, patterns, standard input, tables, strings, lists of words.

All of them come out as units of decoded text: a file, a record, or whatever an iterable gives.
"""

import bz2
import codecs
import glob
import gzip
import io
import json
import lzma
import os
import re
import sys
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple

from firth.errors import EncodingError, FirthError, UsageError
from firth.files import printable
from firth.preparation import Preparation

Kept = tuple[str | None, ...]
"""Values kept with documents, in the order of `Sources.kept_names`; None where a document has none."""

_SAMPLE_STRETCHES: Final = 32
_SAMPLE_STRETCH_BYTES: Final = 1 << 15

_CHUNK_BYTES: Final = 1 << 16  # a larger piece of memory is mapped anew for every chunk, which takes longer
_HEAD_BYTES: Final = 512
_TABLE_BUFFER_BYTES: Final = 1 << 20  # without one, a whole group of rows is read at once
_TABLE_BATCH_BYTES: Final = 1 << 22
_MOST_ROWS_OF_A_BATCH: Final = 1 << 12
_MOST_NAMED: Final = 3
_MOST_FIELDS_NAMED: Final = 20

_STANDARD_INPUT: Final = Path("-")
_COMPRESSIONS: Final = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
}
_COMPRESSED_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst", ".zstd")
_RECORD_SUFFIXES: Final = (".jsonl", ".ndjson", ".json")
_TABLE_SUFFIX: Final = ".parquet"
_SUFFIXES_IN_FOLDERS: Final = (".txt", ".text", "", ".jsonl", ".ndjson", ".parquet")
_READ_IN_FOLDERS: Final = (
    "names that end in .txt, .text, .jsonl, .ndjson, .parquet or have no suffix, compressed or not"
)

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
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON_LINE: Final = re.compile(rb'(?:\xef\xbb\xbf)?[ \t]*\{[ \t]*"(?:[^\r\n]*")?text"[ \t]*:[ \t]*"')
_NO_CHARACTERS: Final = re.compile("[\0\ud800-\udfff]")  # what a string of JSON may hold, but no text


@dataclass
class Faults:
    """What was not as it should be, and what was passed by; counted while a corpus is read.

    Attributes:
        invalid: by file, how many stretches of invalid bytes, and NUL characters, were replaced or left out.
        n_empty_records: records whose text is null or nothing but white space.
        passed_over: what is not read in folders: hidden files, those with other suffixes, and hidden folders, whose
            names end in a slash here.
        unmatched: files whose names `keep_from_name` does not match.
        repeated: files that are named twice, and read twice.
    """

    invalid: Counter[str] = field(default_factory=Counter)
    n_empty_records: int = 0
    passed_over: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)

    def sentences(self) -> list[str]:
        """A sentence for everything that the user should hear of."""
        said = []
        if self.passed_over:
            said.append(
                f"{_files(self.passed_over)} in folders passed over; read there are {_READ_IN_FOLDERS}; "
                "a pattern, as 'FOLDER/**/*.md', names others"
            )
        if self.repeated:
            said.append(f"{_files(self.repeated)} named more than once, and read as often")
        if self.unmatched:
            said.append(f"{_files(self.unmatched)} not matched by keep_from_name: nothing is kept from their names")
        if self.invalid:
            said.append(
                f"{self.invalid.total():,} stretches of invalid bytes replaced or left out in {_files(self.invalid)}"
            )
        if self.n_empty_records:
            said.append(f"{self.n_empty_records:,} records without text left out")
        return said


class Unit(NamedTuple):
    """The text of a file, of one record, or of an iterable.

    Attributes:
        name: what messages call it.
        kept: values of `Sources.kept_names`.
        texts: the text in pieces of any size, to be taken before the next unit. Its line ends are `\\n`, and it
            has neither a byte-order mark nor NUL characters.
        is_record: whether it is a JSON line or a Parquet row, which is always one document.
    """

    name: str
    kept: Kept
    texts: Iterator[str]
    is_record: bool


class Sources(ABC):
    """Text to be read in units; made by `find`.

    Attributes:
        name: what messages call all of it.
        total_bytes: the size of its files as they lie on the disk; None where nobody knows it.
        done_bytes: how much of that `units` has read so far (of strings: characters).
        kept_names: what is kept with every document: columns first, then parts of names of files.
        faults: what was met so far.
    """

    name: str
    total_bytes: int | None
    done_bytes: int
    kept_names: tuple[str, ...]
    faults: Faults

    @abstractmethod
    def samples(self) -> list[str]:
        """Some of the text, about a million characters at most, in stretches of whole lines as they stand there.

        Files are sampled all over; compressed files, tables and streams at their beginning, which `units` gives
        again. Of a line longer than a stretch there is a part.
        """

    @abstractmethod
    def units(self) -> Iterator[Unit]:
        """All text in order; the texts of a unit must be taken before the next unit is asked for.

        Raises:
            FirthError: something cannot be read, is in another encoding, damaged, no text, or changed meanwhile.
        """

    @abstractmethod
    def identity(self) -> list[list[Any]] | None:
        """What stays equal while the files do, as values for JSON: place, size, time of each. None for a stream."""


class ReadyWords:
    """Sequences from an iterable, each a line of words that are taken as they are; an empty one ends a document."""

    name = "the words given as corpus"

    def __init__(self, items: Iterator[Any]) -> None:
        """Takes `items`, to be read once."""
        self._items = items

    def lines(self) -> Iterator[list[str]]:
        """The lines in order; what is not a string is shown by `str`.

        Raises:
            FirthError: an item is no sequence of words, or a word holds surrogates.
        """
        for number, item in enumerate(self._items, start=1):
            if isinstance(item, str | bytes) or not isinstance(item, Iterable):
                raise FirthError(f"item {number} of the corpus is a {_kind(item)}, not a sequence of words")
            line = [str(word) for word in item]
            _check_characters("".join(line), number)
            yield line


def find(sources: str | os.PathLike[str] | Iterable[Any], preparation: Preparation) -> Sources | ReadyWords:
    """What `sources` name, looked at but not yet read.

    Args:
        sources: a path; or several `pathlib.Path`; or an iterable of strings or of sequences of words. A path is
            a file, a folder (its files are read, and those of the folders in it), a pattern such as `books/*.txt`
            that no file is called by (folders that it matches are read too), or `-` for standard input (JSON lines
            if the preparation names columns, else text).
        preparation: columns, encoding, and what is kept.

    Raises:
        FirthError: a path that is missing, a pattern or folder without files, a file that is no text.
        UsageError: sources of no such kind, or columns asked of what has none.
    """
    if isinstance(sources, str | os.PathLike):
        return _Files([_path(sources)], preparation)
    if isinstance(sources, bytes) or not isinstance(sources, Iterable):
        raise UsageError(
            f"a corpus is a path, several paths, strings, or lists of words, but this is a {_kind(sources)}"
        )
    if isinstance(sources, list | tuple) and sources and all(_is_named_by(source) for source in sources):
        raise UsageError(
            f"strings in a list are lines of text, but '{printable(sources[0])}' names {_is_named_by(sources[0])}: "
            "give files, folders and patterns as pathlib.Path objects"
        )
    items = iter(sources)
    first = list(islice(items, 1))
    if first and isinstance(first[0], os.PathLike):
        return _Files([_path(item) for item in chain(first, items)], preparation)
    _check_columns(preparation, has_tables=False)
    if not first or isinstance(first[0], str):
        return _Strings(chain(first, items))
    return ReadyWords(chain(first, items))


class _Strings(Sources):
    """Strings from an iterable, each a line or several."""

    name = "the strings given as corpus"
    total_bytes = None
    kept_names = ()

    def __init__(self, items: Iterator[Any]) -> None:
        self._items = enumerate(items, start=1)
        self._sampled: list[str] = []
        self.done_bytes = 0
        self.faults = Faults()

    def samples(self) -> list[str]:
        n_sampled = sum(map(len, self._sampled))
        for text in self._texts():
            self._sampled.append(text)
            n_sampled += len(text)
            if n_sampled >= _SAMPLE_STRETCHES * _SAMPLE_STRETCH_BYTES:
                break
        return ["".join(self._sampled)] if self._sampled else []

    def units(self) -> Iterator[Unit]:
        yield Unit(self.name, (), self._counted(), is_record=False)

    def identity(self) -> None:
        return None

    def _counted(self) -> Iterator[str]:
        sampled, self._sampled = self._sampled, []
        for text in chain(sampled, self._texts()):
            self.done_bytes += len(text)
            yield text

    def _texts(self) -> Iterator[str]:
        for number, item in self._items:
            if not isinstance(item, str):
                raise FirthError(f"item {number} of the corpus is a {_kind(item)}, but those before are strings")
            _check_characters(item, number)
            text = _unix_lines(item)
            yield text if text.endswith("\n") else text + "\n"


# --- files ------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """A file, or standard input, and what was known of it before it was read."""

    path: Path
    name: str
    kind: Literal["text", "records", "table"]
    size: int
    modified_ns: int
    kept: Kept  # from its name


class _Files(Sources):
    """Files and standard input, one behind the other."""

    def __init__(self, paths: list[Path], preparation: Preparation) -> None:
        self._preparation = preparation
        self.faults = Faults()
        pattern = re.compile(preparation.keep_from_name) if preparation.keep_from_name is not None else None
        self.kept_names = (*preparation.keep, *(pattern.groupindex if pattern else ()))
        found = list(chain.from_iterable(_found(path, self.faults) for path in paths))
        self._places = [_place(path, pattern, preparation, self.faults) for path in found]
        _check_columns(preparation, has_tables=any(place.kind != "text" for place in self._places))
        self._has_stream = _STANDARD_INPUT in found
        self._stream = _Stream(self._count)
        self.faults.repeated = [printable(str(path)) for path, n_times in Counter(found).items() if n_times > 1]
        if self._has_stream and found.count(_STANDARD_INPUT) > 1:
            raise UsageError("- is standard input, which can be read only once, but it is named more often")
        self.name = self._places[0].name + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        self.total_bytes = None if self._has_stream else sum(place.size for place in self._places)
        self.done_bytes = 0

    def samples(self) -> list[str]:
        total_bytes = sum(place.size for place in self._places)
        spacing = max(_SAMPLE_STRETCH_BYTES, -(-total_bytes // _SAMPLE_STRETCHES))
        samples = []
        file_start = 0
        for place in self._places:
            offsets = range(-file_start % spacing, place.size, spacing)
            file_start += place.size
            if place.path == _STANDARD_INPUT:
                samples.append(self._beginning(place, _SAMPLE_STRETCHES))
            elif offsets and (place.kind != "text" or _compression(_head(place.path)) is not None):
                samples.append(self._beginning(place, max(1, _SAMPLE_STRETCHES * place.size // total_bytes)))
            else:
                encoding = self._preparation.encoding
                samples += [_stretch(place.path, offset, _SAMPLE_STRETCH_BYTES, encoding) for offset in offsets]
        return [sample for sample in samples if sample]

    def units(self) -> Iterator[Unit]:
        self.done_bytes = self.done_bytes if self._has_stream else 0
        self.faults.invalid.clear()
        self.faults.n_empty_records = 0
        for place in self._places:
            if place.kind == "text":
                self._refuse_records(place)
                no_columns: Kept = (None,) * len(self._preparation.keep)
                texts = _decoded(self._chunks(place), place.name, self._preparation, self.faults)
                yield Unit(place.name, no_columns + place.kept, texts, is_record=False)
            else:
                for text, columns in self._records(place, self.faults, self._count):
                    yield Unit(place.name, columns + place.kept, iter((text,)), is_record=True)
            if place.path != _STANDARD_INPUT and not _is_still(place):
                raise FirthError(f"{place.name} changed or vanished while it was read; begin again")

    def identity(self) -> list[list[Any]] | None:
        if self._has_stream:
            return None
        return [[str(place.path.resolve()), place.size, place.modified_ns, *place.kept] for place in self._places]

    def _count(self, n_bytes: int) -> None:
        self.done_bytes += n_bytes

    def _chunks(self, place: _Place) -> Iterator[bytes]:
        return self._stream.chunks() if place.path == _STANDARD_INPUT else _chunks(place.path, self._count)

    def _records(self, place: _Place, faults: Faults, count: Callable[[int], None]) -> Iterator[tuple[str, Kept]]:
        if place.kind == "table":
            return _rows(place, self._preparation, faults, count)
        chunks = self._stream.chunks() if place.path == _STANDARD_INPUT else _chunks(place.path, count)
        texts = _decoded(chunks, place.name, self._preparation, faults)
        return _json_records(texts, place.name, self._preparation, faults)

    def _refuse_records(self, place: _Place) -> None:
        """Keeps JSON lines from being read as text where they come through a pipe, which has no suffix."""
        if place.path != _STANDARD_INPUT or place.kind != "text":
            return
        if _JSON_LINE.match(next(self._stream.first(1), b"")):
            raise FirthError(
                f"{place.name} begins with a JSON object that has a field text, but is read as plain text; write it "
                "to a file whose name ends in .jsonl, or name a field to keep (--keep id, say): then it is JSON lines"
            )

    def _beginning(self, place: _Place, n_stretches: int) -> str:
        """The first whole lines, or records, of what can only be read from its beginning."""
        wanted = n_stretches * _SAMPLE_STRETCH_BYTES
        texts: Iterator[str]
        self._refuse_records(place)
        if place.kind == "records" and place.path == _STANDARD_INPUT:
            start = _decoded(self._stream.first_lines(wanted), place.name, self._preparation, Faults(), is_part=True)
            lines = _whole_lines("".join(start), is_start=True, is_end=self._stream.has_ended)
            records = _json_records(iter((lines,)), place.name, self._preparation, Faults())
            texts = (text + "\n\n" for text, _ in records)
        elif place.kind != "text":
            texts = (text + "\n\n" for text, _ in self._records(place, Faults(), _uncounted))
        elif place.path == _STANDARD_INPUT:
            texts = _decoded(self._stream.first(wanted), place.name, self._preparation, Faults(), is_part=True)
        else:
            chunks = _chunks(place.path, _uncounted)
            texts = _decoded(chunks, place.name, self._preparation, Faults())
        taken = []
        for text in texts:
            taken.append(text[:wanted])
            wanted -= len(text)
            if wanted <= 0:
                break
        goes_on = wanted <= 0 or (place.path == _STANDARD_INPUT and not self._stream.has_ended)
        text = "".join(taken)
        return _whole_lines(text, is_start=True, is_end=place.kind != "text" or not goes_on) or text


class _Stream:
    """Standard input, whose first chunks can be looked at before it is read."""

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count
        self._seen: list[bytes] = []
        self._rest: Iterator[bytes] | None = None
        self.has_ended = False

    def first(self, n_bytes: int) -> Iterator[bytes]:
        """The first chunks; `chunks` will give them again."""
        n_seen = sum(map(len, self._seen))
        while n_seen < n_bytes and not self.has_ended:
            chunk = next(self._opened(), b"")
            self.has_ended = not chunk
            if chunk:
                self._seen.append(chunk)
                n_seen += len(chunk)
        return iter(self._seen)

    def first_lines(self, n_bytes: int) -> Iterator[bytes]:
        """The first chunks, so many that a line ends in them."""
        while not any(b"\n" in chunk for chunk in self.first(n_bytes)) and not self.has_ended:
            n_bytes *= 2
        return iter(self._seen)

    def chunks(self) -> Iterator[bytes]:
        """All of it."""
        seen, self._seen = self._seen, []
        return chain(seen, self._opened())

    def _opened(self) -> Iterator[bytes]:
        if self._rest is None:
            self._rest = _decompressed(_counted(sys.stdin.buffer, self._count), "standard input")
        return self._rest


def _found(path: Path, faults: Faults) -> Iterator[Path]:
    """The files that `path` names: itself, those in it, those that it is a pattern of."""
    shown = printable(str(path))
    if path == _STANDARD_INPUT:
        yield path
    elif _exists(path) and path.is_dir():
        n_before = len(faults.passed_over)
        inside = sorted(_files_in([path], faults), key=lambda file: file.parts)
        if not inside:
            raise _nothing_in(f"the folder {shown}", f"{shown}/**/*.md", faults.passed_over[n_before:])
        yield from inside
    elif glob.has_magic(str(path)) and not _exists(path):
        yield from _matched(path, faults)
    else:
        yield path


def _matches(pattern: str) -> list[str]:
    try:
        return glob.glob(pattern, recursive=True)  # noqa: PTH207 - a pathlib pattern must be relative
    except (OSError, ValueError):  # no pattern, but text
        return []


def _matched(pattern: Path, faults: Faults) -> list[Path]:
    """The files that a pattern matches, and those in the folders that it matches, in order and each once."""
    shown = printable(str(pattern))
    matches = sorted(map(Path, _matches(str(pattern))), key=lambda match: (len(match.parts), match.parts))
    if not matches:
        raise FirthError(f"no file matches {shown}; in Python, text itself is given as a list of strings")
    within = Faults()
    inside = list(_files_in([match for match in matches if match.is_dir()], within))
    files: dict[str, Path] = {}
    for file in chain((match for match in matches if match.is_file()), inside):
        files.setdefault(os.path.realpath(file.parent) + os.sep + file.name, file)
    read = {printable(str(file)) for file in files.values()}
    others = (printable(str(match)) for match in matches if not match.is_file() and not match.is_dir())
    passed_over = [name for name in dict.fromkeys(chain(others, within.passed_over)) if name not in read]
    if not files:
        raise _nothing_in(f"what {shown} matches", f"{shown}/*.md", passed_over)
    faults.passed_over += passed_over
    return sorted(files.values(), key=lambda file: file.parts)


def _nothing_in(where: str, pattern: str, passed_over: list[str]) -> FirthError:
    there = f"{_files(passed_over)} passed over" if passed_over else "it is empty"
    return FirthError(
        f"there is nothing to read in {where}: {there}; read in folders are {_READ_IN_FOLDERS}; "
        f"a pattern, as '{pattern}', names others"
    )


def _files_in(folders: list[Path], faults: Faults) -> Iterator[Path]:
    """The files to read in `folders` and in those in them; what can be reached in two ways, through links, once."""

    def failed(error: OSError) -> None:
        raise FirthError(f"cannot read {printable(str(error.filename))}: {error.strerror}") from error

    met = set()
    waiting = sorted(folders, key=Path.is_symlink)  # links come last, so that files have the names they lie under
    for folder in waiting:
        for parent, inner, names in os.walk(folder, onerror=failed):
            place = os.path.realpath(parent)
            if place in met:
                inner.clear()
                continue
            met.add(place)
            hidden = [name for name in inner if name.startswith(".")]
            faults.passed_over += [printable(str(Path(parent, name))) + "/" for name in hidden]
            inner[:] = [name for name in inner if not name.startswith(".")]
            waiting += [Path(parent, name) for name in inner if Path(parent, name).is_symlink()]  # `walk` leaves them
            for name in names:
                path = Path(parent, name)
                if not name.startswith(".") and _suffix(path) in _SUFFIXES_IN_FOLDERS and path.is_file():
                    yield path
                else:
                    faults.passed_over.append(printable(str(path)))


def _suffix(path: Path) -> str:
    """What a name ends in below its compression."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _COMPRESSED_SUFFIXES else suffix


def _place(path: Path, pattern: re.Pattern[str] | None, preparation: Preparation, faults: Faults) -> _Place:
    name = "standard input" if path == _STANDARD_INPUT else printable(str(path))
    kept: Kept = ()
    if pattern is not None:
        match = pattern.search(str(path))
        kept = tuple(match[group] if match else None for group in pattern.groupindex)
        if match is None:
            faults.unmatched.append(name)
    if path == _STANDARD_INPUT:
        return _Place(path, name, "records" if _names_columns(preparation) else "text", 0, 0, kept)
    size, modified_ns = _state(path)
    suffix = _suffix(path)
    if suffix == _TABLE_SUFFIX:
        return _Place(path, name, "table", size, modified_ns, kept)
    _refuse_binary(_head(path), name)
    return _Place(path, name, "records" if suffix in _RECORD_SUFFIXES else "text", size, modified_ns, kept)


def _refuse_binary(head: bytes, name: str) -> None:
    for magic, kind, advice in _BINARY:
        if magic.match(head):
            raise FirthError(f"{name} is {kind}, not text; {advice}")


def _check_columns(preparation: Preparation, *, has_tables: bool) -> None:
    asked = ", ".join(map(printable, preparation.keep)) or printable(preparation.field)
    if not has_tables and _names_columns(preparation):
        raise UsageError(
            f"{asked}: only JSON lines (.jsonl, .ndjson) and Parquet (.parquet) have named columns, and none are here"
        )


def _names_columns(preparation: Preparation) -> bool:
    return bool(preparation.keep) or preparation.field != Preparation.field


# --- from bytes to text -----------------------------------------------------------------------------------


def _chunks(path: Path, count: Callable[[int], None]) -> Iterator[bytes]:
    """What is in a file, decompressed."""
    name = printable(str(path))
    with _opened(path) as file:
        yield from _decompressed(_counted(file, count), name)


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


def _counted(file: Any, count: Callable[[int], None]) -> io.BufferedReader:
    return io.BufferedReader(_Counted(file, count), max(_CHUNK_BYTES, _HEAD_BYTES))


def _uncounted(n_bytes: int) -> None:
    """Takes no note: a sample is not progress."""


def _decompressed(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    compression = None
    try:
        head = file.peek(_HEAD_BYTES)
        _refuse_binary(head, name)
        compression = _compression(head)
        chunks = _plain(file) if compression is None else _DECOMPRESSORS[compression](file)
        if compression is not None:
            first = next(chunks, b"")
            inner = _compression(first)
            if inner is not None:
                raise FirthError(f"{name} is {inner} inside {compression}; decompress it once first")
            _refuse_binary(first, name)
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


def _compression(head: bytes) -> str | None:
    return next((name for name, magic in _COMPRESSIONS.items() if magic.match(head)), None)


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


def _decoded(
    chunks: Iterable[bytes], name: str, preparation: Preparation, faults: Faults, *, is_part: bool = False
) -> Iterator[str]:
    """The text of `chunks`; what a chunk cuts in two (a character, \\r\\n) is kept for the next one."""
    encoding = preparation.encoding
    decoder = codecs.getincrementaldecoder(encoding)(errors="strict")
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    file_bytes = n_lines = 0
    is_start = True
    for chunk in chain(chunks, () if is_part else (b"",)):
        is_end = not chunk
        state = decoder.getstate()
        try:
            text = decoder.decode(chunk, final=is_end)
        except UnicodeError as error:
            if not isinstance(error, UnicodeDecodeError) or "BOM" in error.reason:  # the latter from 3.13 on
                raise FirthError(
                    f"{name} does not begin with {encoding}'s byte-order mark; --encoding utf-16-le, perhaps"
                ) from None
            if preparation.encoding_errors == "strict":
                offset = file_bytes + len(chunk) - len(error.object) + error.start
                valid = error.object[: error.start].decode(encoding, errors="ignore")
                line = n_lines + _unix_lines(valid).count("\n") + 1
                raise _undecodable(name, encoding, error, line, offset) from None
            texts = []
            for errors in ("ignore", "replace"):
                decoder = codecs.getincrementaldecoder(encoding)(errors=errors)
                decoder.setstate(state)
                texts.append(decoder.decode(chunk, final=is_end))
            faults.invalid[name] += len(texts[1]) - len(texts[0])  # each became one U+FFFD
            text = texts[preparation.encoding_errors == "replace"]
            decoder.errors = "strict"
        text = newlines.decode(text, final=is_end)
        if is_start and text:
            text = text.removeprefix("\ufeff")
            is_start = False
        if "\0" in text:
            advice = "" if file_bytes or _nul_bytes(encoding) > 1 else _encoding_advice(chunk)
            if advice or preparation.encoding_errors == "strict":
                line = n_lines + text.count("\n", 0, text.index("\0")) + 1
                offset = file_bytes + _nul_offset(chunk, encoding, state)
                raise _with_nul(name, encoding, line, offset, advice)
            faults.invalid[name] += text.count("\0")
            text = text.replace("\0", "\ufffd" if preparation.encoding_errors == "replace" else "")
        n_lines += text.count("\n")
        file_bytes += len(chunk)
        if text:
            yield text


def _undecodable(name: str, encoding: str, error: UnicodeDecodeError, line: int, offset: int) -> FirthError:
    is_utf16 = offset < 2 and error.object[:2] in _BYTE_ORDER_MARKS
    other = "utf-16" if is_utf16 else "latin-1" if encoding.lower() == "gb18030" else "gb18030"
    return EncodingError(
        f"{name}, line {line}: byte 0x{error.object[error.start]:02x} at offset {offset} is "
        f"not valid {printable(encoding)}; if the file has another encoding, name it (--encoding {other}, "
        "say); if some bytes of it are broken, --encoding-errors replace or skip passes them; and if it is no text, "
        "turn it into plain text first"
    )


def _with_nul(name: str, encoding: str, line: int, offset: int, advice: str) -> FirthError:
    where = f"{name}, line {line}: a NUL byte at offset {offset}"
    if advice:
        return FirthError(f"{where}, so this is no text in {printable(encoding)}; {advice}, or turn it into plain text")
    return FirthError(
        f"{where}, which no text has; --encoding-errors skip leaves it out (replace puts U+FFFD in its place); and if "
        "the file is no text, turn it into plain text first"
    )


def _nul_offset(chunk: bytes, encoding: str, state: Any) -> int:
    """Where in `chunk` the first NUL character begins, for a decoder that was in `state` before it."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="ignore")
    decoder.setstate(state)
    n_bytes = next((n for n in range(1, len(chunk) + 1) if "\0" in decoder.decode(chunk[n - 1 : n])), 0)
    return n_bytes - _nul_bytes(encoding)


def _nul_bytes(encoding: str) -> int:
    """How many bytes a NUL character takes (behind another one: the first may take a byte-order mark too)."""
    return len("a\0".encode(encoding)) - len("a".encode(encoding))


def _encoding_advice(chunk: bytes) -> str:
    """Which encoding a file that begins with `chunk`, which has NUL bytes, is in, if that can be seen."""
    if chunk[:2] in _BYTE_ORDER_MARKS:
        return "it begins as UTF-16 does (--encoding utf-16)"
    head = chunk[: 2 * _HEAD_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > max(8 * min(even, odd), len(head) // 8, 3):
        return f"it looks like UTF-16 (--encoding utf-16-{'le' if odd > even else 'be'})"
    return ""


# --- records ----------------------------------------------------------------------------------------------


class _Number(str):
    """A number of JSON as it was written."""


def _json_records(
    texts: Iterator[str], name: str, preparation: Preparation, faults: Faults
) -> Iterator[tuple[str, Kept]]:
    decoder = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number, strict=False)
    scan = decoder.scan_once  # type: ignore[attr-defined] # as `decode`, without looking for white space twice
    column, keep = preparation.field, preparation.keep
    for number, line in enumerate(_json_lines(texts), start=1):
        line = line.strip(" \t")
        if not line:
            continue
        try:
            record, end = scan(line, 0)
        except (ValueError, StopIteration, RecursionError) as error:
            raise _no_json(name, number, error) from None
        if end != len(line) or type(record) is not dict:
            raise _no_json(name, number, None if end == len(line) else ValueError("more behind the first value"))
        try:
            text = record[column]
            kept = tuple([_value(record[key], key, name, number) for key in keep])
        except KeyError as error:
            raise _missing(str(error.args[0]), list(record), f"{name}, line {number}") from None
        if text is not None and type(text) is not str:
            raise FirthError(
                f"{name}, line {number}: field {printable(column)!r} holds {_json_kind(text)}, not text; there are "
                f"{_names(record)}"
            )
        if "\\u" in line:
            where = f"{name}, line {number}"
            text = text and _characters(text, where, name, preparation, faults)
            kept = tuple([value and _characters(value, where, name, preparation, faults) for value in kept])
        if not text or text.isspace():
            faults.n_empty_records += 1
            continue
        yield _unix_lines(text), kept


def _json_lines(texts: Iterator[str]) -> Iterator[str]:
    pending: list[str] = []
    for text in texts:
        first, *others = text.split("\n")
        pending.append(first)
        if others:
            yield "".join(pending)
            pending = [others.pop()]
            yield from others
    yield "".join(pending)


def _value(value: Any, key: str, name: str, number: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)  # of a number too
    if isinstance(value, bool):
        return "true" if value else "false"
    raise FirthError(
        f"{name}, line {number}: field {printable(key)!r} is to be kept, but holds {_json_kind(value)}; "
        "texts, numbers, true, false and null can be kept"
    )


def _characters(text: str, where: str, name: str, preparation: Preparation, faults: Faults) -> str:
    """`text` of a record, without NUL and halves of characters, which no text file can hold."""
    found = None if _is_encodable(text) else _NO_CHARACTERS.search(text)
    if found is None:
        return text
    if preparation.encoding_errors == "strict":
        raise FirthError(
            f"{where}: {printable(found[0])} stands in it, which is no character; "
            "--encoding-errors replace or skip passes it"
        )
    text, n_found = _NO_CHARACTERS.subn("\ufffd" if preparation.encoding_errors == "replace" else "", text)
    faults.invalid[name] += n_found
    return text


def _is_encodable(text: str) -> bool:
    """Whether there are only characters in `text`: told sooner than they are found."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _rows(
    place: _Place, preparation: Preparation, faults: Faults, count: Callable[[int], None]
) -> Iterator[tuple[str, Kept]]:
    """The rows of a Parquet file. (Counted as read: the rows' part of the file.)"""
    import pyarrow
    from pyarrow import parquet

    n_rows = done_rows = done_bytes = 0
    try:
        with parquet.ParquetFile(place.path, buffer_size=_TABLE_BUFFER_BYTES, pre_buffer=False) as table:
            names = table.schema_arrow.names
            for column in (preparation.field, *preparation.keep):
                if column not in names:
                    raise _missing(column, names, place.name)
            if not _is_text(table.schema_arrow.field(preparation.field).type):
                kind = table.schema_arrow.field(preparation.field).type
                raise FirthError(
                    f"{place.name}: column {printable(preparation.field)!r} holds {kind}, not text; there are "
                    f"{_names(names)}"
                )
            n_rows = max(1, table.metadata.num_rows)
            columns = list(dict.fromkeys((preparation.field, *preparation.keep)))
            n_at_once = _batch_rows(table, preparation.field)
            for batch in table.iter_batches(n_at_once, columns=columns, use_threads=False):
                texts = _column(batch.column(preparation.field), place.name, done_rows, preparation, faults)
                kept = [
                    _kept_column(batch.column(name), name, place.name, done_rows, preparation, faults)
                    for name in preparation.keep
                ]
                for row, text in enumerate(texts):
                    if not text or text.isspace():
                        faults.n_empty_records += 1
                        continue
                    yield _unix_lines(text), tuple([values[row] for values in kept])
                done_rows += batch.num_rows
                count(place.size * done_rows // n_rows - done_bytes)
                done_bytes = place.size * done_rows // n_rows
            count(place.size - done_bytes)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise FirthError(f"cannot read {place.name}: {error.strerror}") from error
        raise FirthError(f"{place.name} is no Parquet file, or a damaged one: {error}") from error


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _batch_rows(table: Any, column: str) -> int:
    """So many rows that their text is a few megabytes."""
    metadata = table.metadata
    n_bytes = sum(
        part.total_uncompressed_size
        for group in map(metadata.row_group, range(metadata.num_row_groups))
        for part in map(group.column, range(group.num_columns))
        if part.path_in_schema == column
    )
    n_rows: int = _TABLE_BATCH_BYTES * metadata.num_rows // max(1, n_bytes)
    return max(1, min(_MOST_ROWS_OF_A_BATCH, n_rows))


def _kept_column(
    values: Any, column: str, name: str, n_before: int, preparation: Preparation, faults: Faults
) -> list[str | None]:
    import pyarrow

    try:
        return _column(values.cast(pyarrow.string()), name, n_before, preparation, faults)
    except pyarrow.ArrowNotImplementedError:
        raise FirthError(
            f"{name}: column {printable(column)!r} is to be kept, but holds {values.type}; "
            "texts, numbers and dates can be kept"
        ) from None


def _column(values: Any, name: str, n_before: int, preparation: Preparation, faults: Faults) -> list[str | None]:
    """The texts of a column, behind `n_before` rows of its file."""
    import pyarrow

    strings = values.cast(pyarrow.large_string())
    try:
        texts: list[str | None] = strings.to_pylist()
    except UnicodeDecodeError:
        rows = enumerate(strings.cast(pyarrow.large_binary()).to_pylist(), start=n_before + 1)
        texts = [row and _row_text(row, f"{name}, row {number}", name, preparation, faults) for number, row in rows]
    for row, text in enumerate(texts):
        if text and "\0" in text:
            texts[row] = _characters(text, f"{name}, row {n_before + row + 1}", name, preparation, faults)
    return texts


def _row_text(row: bytes, where: str, name: str, preparation: Preparation, faults: Faults) -> str:
    try:
        return row.decode()
    except UnicodeDecodeError as error:
        if preparation.encoding_errors == "strict":
            raise FirthError(
                f"{where}: byte 0x{row[error.start]:02x} at offset {error.start} of its text is not valid utf-8; "
                "--encoding-errors replace or skip passes it"
            ) from None
    replaced, skipped = row.decode(errors="replace"), row.decode(errors="ignore")
    faults.invalid[name] += len(replaced) - len(skipped)
    return replaced if preparation.encoding_errors == "replace" else skipped


def _missing(column: str, names: Iterable[str], where: str) -> FirthError:
    return FirthError(
        f"{where}: no field {printable(column)!r}; there are {_names(names)} (--field names the one with the text, "
        "--keep those to keep)"
    )


def _no_json(name: str, number: int, error: Exception | None) -> FirthError:
    why = f" ({error.msg} at character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
    return FirthError(
        f"{name}, line {number}: no JSON object{why}; every line is to be one, as `jq -c .[]` makes it of a list"
    )


def _json_kind(value: Any) -> str:
    kinds: dict[type, str] = {_Number: "a number", dict: "an object", list: "a list", bool: "true or false"}
    return kinds[type(value)]


def _names(names: Iterable[str]) -> str:
    shown = [printable(name) for name in islice(names, _MOST_FIELDS_NAMED + 1)]
    return ", ".join(shown[:_MOST_FIELDS_NAMED]) + (", ..." if len(shown) > _MOST_FIELDS_NAMED else "") or "none"


# --- files and samples of them ----------------------------------------------------------------------------


def _stretch(path: Path, offset: int, n_bytes: int, encoding: str) -> str:
    """Whole lines of a text file's bytes from about `offset` on."""
    offset -= offset % 4  # no codec has wider units
    with _opened(path) as file:
        decoder = codecs.getincrementaldecoder(encoding)(errors="ignore")
        if offset and codecs.lookup(encoding).name in ("utf-16", "utf-32"):
            decoder.decode(file.read(4))  # the byte-order mark says how to read the rest
        file.seek(offset)
        data = file.read(n_bytes + 1)
    try:
        text = decoder.decode(data[:n_bytes], final=False)
    except UnicodeError:
        return ""  # without a mark; reading will say so
    text = _unix_lines(text).removeprefix("\ufeff").replace("\0", "")
    is_end = len(data) <= n_bytes
    return _whole_lines(text, is_start=offset == 0, is_end=is_end) or ("" if is_end else text)


def _whole_lines(text: str, *, is_start: bool, is_end: bool) -> str:
    """`text` without the parts of lines that it begins and ends with."""
    start = 0 if is_start else text.find("\n") + 1
    end = len(text) if is_end else text.rfind("\n") + 1
    return text[start:end]


def _opened(path: Path) -> io.FileIO:
    try:
        return io.FileIO(path)
    except OSError as error:
        raise FirthError(f"cannot read {printable(str(path))}: {error.strerror}") from error


def _head(path: Path) -> bytes:
    with _opened(path) as file:
        return file.read(_HEAD_BYTES) or b""


def _state(path: Path) -> tuple[int, int]:
    """Size and time of a file, which both stay equal while nobody writes to it."""
    shown = printable(str(path))
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FirthError(f"there is no file {shown}; in Python, text itself is given as a list of strings") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FirthError(f"cannot read {shown}: {error}") from None
    if not path.is_file():
        raise FirthError(f"{shown} is not a plain file; write the text to one first, or pipe it to -")
    return status.st_size, status.st_mtime_ns


def _is_still(place: _Place) -> bool:
    try:
        return _state(place.path) == (place.size, place.modified_ns)
    except FirthError:
        return False


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # text may be too long for a name, or hold a NUL
        return False


def _check_characters(text: str, item_number: int) -> None:
    """Refuses what no text file can hold."""
    if "\0" in text:
        raise FirthError(f"item {item_number} of the corpus holds a NUL character, which no text has")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FirthError(
            f"item {item_number} of the corpus is no valid text: {error.reason} ({printable(text[error.start])})"
        ) from None


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _is_named_by(source: object) -> str:
    """What lies where `source` points to, if it is a string that names something."""
    if not isinstance(source, str) or not source:
        return ""
    try:
        if Path(source).exists():
            return "a folder" if Path(source).is_dir() else "a file"
        return "files" if glob.has_magic(source) and any(_matches(source)) else ""
    except (OSError, ValueError):  # a line of text may be too long for a name, or hold a NUL
        return ""


def _path(item: object) -> Path:
    if not isinstance(item, str | os.PathLike):
        raise UsageError(f"a {_kind(item)} stands among the paths of the corpus")
    return Path(item)


def _files(names: Collection[str]) -> str:
    """How many files (and folders, whose names end in a slash) there are, and the first few of them."""
    shown = ", ".join(islice(names, _MOST_NAMED)) + (", ..." if len(names) > _MOST_NAMED else "")
    n_folders = sum(name.endswith("/") for name in names)
    n_files = len(names) - n_folders
    numbers = [
        f"{number:,} {noun}{'s' * (number != 1)}"
        for number, noun in ((n_files, "file"), (n_folders, "folder"))
        if number
    ]
    return f"{' and '.join(numbers)} ({shown})"


def _kind(thing: object) -> str:
    return type(thing).__name__
