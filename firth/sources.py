"""What a corpus is read from: files, folders, patterns, standard input, tables, strings, lists of words.

All of them come out as units of decoded text: a file, a record, or whatever an iterable gives.
"""

import codecs
import glob
import os
import re
import sys
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from firth.containers import chunks_of, compression_of, counted, decompressed, head_of, opened, refuse_binary, uncounted
from firth.decoding import decoded, fitting, unix_lines
from firth.errors import FirthError, UsageError
from firth.faults import READ_IN_FOLDERS, Faults, files_told
from firth.files import printable
from firth.preparation import Preparation
from firth.records import Kept, json_lines, rows

_SAMPLE_STRETCHES: Final = 32
_SAMPLE_STRETCH_BYTES: Final = 1 << 15
_CHUNK_BYTES: Final = 1 << 16  # what files come in, decompressed

_STANDARD_INPUT: Final = Path("-")
_LOOKED_AT_LINES: Final = 100
_COMPRESSED_SUFFIXES: Final = (".gz", ".bz2", ".xz", ".zst", ".zstd")
_RECORD_SUFFIXES: Final = (".jsonl", ".ndjson", ".json")
_TABLE_SUFFIX: Final = ".parquet"
_SUFFIXES_IN_FOLDERS: Final = (".txt", ".text", "", ".jsonl", ".ndjson", ".parquet")
_JSON_LINE: Final = re.compile(rb'(?:\xef\xbb\xbf)?[ \t]*\{[ \t]*"(?:[^\r\n]*")?text"[ \t]*:[ \t]*"')
_RECORD: Final = re.compile(r'\s*\{\s*".*\}\s*')
_RECORD_START: Final = re.compile(r'\ufeff?\s*\{\s*["}]')


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
            if the preparation names columns, else text). Files are JSON lines by their names, and if the preparation
            names the column of the text, also by a brace that they begin with.
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
            text = unix_lines(item)
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
        self._read_as: dict[Path, str] = {}
        self._unfit: list[str] = []  # names of files that no encoding of those asked for reads whole
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
        file_start = owed = 0  # the latter of the stretch that the files before were too short for
        for place in self._places:
            offsets = list(range(-file_start % spacing, place.size, spacing))
            file_start += place.size
            if place.path == _STANDARD_INPUT:
                samples.append(self._beginning(place, _SAMPLE_STRETCHES))
                continue
            is_begun = owed > 0 and place.size > 0 and 0 not in offsets
            if (offsets or is_begun) and (place.kind != "text" or compression_of(head_of(place.path)) is not None):
                samples.append(self._beginning(place, max(1, _SAMPLE_STRETCHES * place.size // total_bytes)))
            else:
                stretches = [(0, min([owed, *offsets]))] if is_begun else []
                stretches += [(offset, _SAMPLE_STRETCH_BYTES) for offset in offsets]
                for offset, n_bytes in stretches:
                    prepared = self._prepared_for(place, partial(_bytes, place.path, offset, n_bytes))
                    samples.append(_stretch(place.path, offset, n_bytes, prepared.encoding))
            owed = _SAMPLE_STRETCH_BYTES - (place.size - offsets[-1]) if offsets else owed - place.size
        return [sample for sample in samples if sample]

    def units(self) -> Iterator[Unit]:
        self.done_bytes = self.done_bytes if self._has_stream else 0
        self.faults.invalid.clear()
        self.faults.n_empty_records = 0
        like_records: list[str] = []
        for place in self._places:
            if place.kind == "text":
                self._refuse_records(place)
                no_columns: Kept = (None,) * len(self._preparation.keep)
                prepared = self._prepared(place)  # which may look at the first chunks
                texts = decoded(self._chunks(place), place.name, prepared, self.faults)
                first = next(texts, "")
                like_records += [place.name] if _looks_like_records(first) else []
                texts = chain((first,), texts) if first else texts
                yield Unit(place.name, no_columns + place.kept, texts, is_record=False)
            else:
                for text, columns in self._records(place, self.faults, self._count):
                    yield Unit(place.name, columns + place.kept, iter((text,)), is_record=True)
            if place.path != _STANDARD_INPUT and not _is_still(place):
                raise FirthError(f"{place.name} changed or vanished while it was read; begin again")
        for encoding in self._preparation.encodings[1:]:
            if names := [place.name for place in self._places if self._read_as.get(place.path) == encoding]:
                remark = f"{files_told(names)} read as {encoding}"
                self.faults.remarks += [remark] if remark not in self.faults.remarks else []
        if self._unfit:
            remark = (
                f"{files_told(self._unfit)} not wholly valid in any of {', '.join(self._preparation.encodings)}, and "
                "read as the one with the fewest invalid bytes"
            )
            self.faults.remarks += [remark] if remark not in self.faults.remarks else []
        if like_records:
            remark = (
                f"JSON lines are read as text, so that keys become words, in {files_told(like_records)}: "
                "--field names the one that holds the text"
            )
            self.faults.remarks += [remark] if remark not in self.faults.remarks else []

    def identity(self) -> list[list[Any]] | None:
        if self._has_stream:
            return None
        return [
            [str(place.path.resolve()), place.size, place.modified_ns, place.kind, *place.kept]
            for place in self._places
        ]

    def _count(self, n_bytes: int) -> None:
        self.done_bytes += n_bytes

    def _prepared(self, place: _Place) -> Preparation:
        """The preparation, of whose encodings the one is left that a file is in.

        It is the first that reads all of the file, else the one with the fewest faults; of standard input, which can be
        read only once, the first megabyte decides.
        """
        encodings = self._preparation.encodings
        if len(encodings) == 1 or place.kind == "table":
            return self._preparation
        if place.path not in self._read_as:
            if place.path == _STANDARD_INPUT:
                beginning = list(self._stream.first(_SAMPLE_STRETCHES * _SAMPLE_STRETCH_BYTES))
                is_part = not self._stream.has_ended
                encoding, is_valid = fitting(lambda: beginning, encodings, is_part=is_part)
            else:
                encoding, is_valid = fitting(lambda: chunks_of(place.path, uncounted), encodings)
            self._read_as[place.path] = encoding
            self._unfit += [] if is_valid else [place.name]
        return replace(self._preparation, encoding=self._read_as[place.path])

    def _prepared_for(self, place: _Place, sample: Callable[[], Iterable[bytes]]) -> Preparation:
        """The same for a sample of text, which decides alone: a file is looked at as a whole when it is read."""
        encodings = self._preparation.encodings
        if len(encodings) == 1 or place.path == _STANDARD_INPUT or place.path in self._read_as:
            return self._prepared(place)
        encoding, _ = fitting(sample, encodings, is_part=True)
        return replace(self._preparation, encoding=encoding, encoding_errors="skip")

    def _chunks(self, place: _Place) -> Iterator[bytes]:
        return self._stream.chunks() if place.path == _STANDARD_INPUT else chunks_of(place.path, self._count)

    def _records(self, place: _Place, faults: Faults, count: Callable[[int], None]) -> Iterator[tuple[str, Kept]]:
        if place.kind == "table":
            return rows(place.path, place.name, self._preparation, faults, count)
        prepared = self._prepared(place)  # which may look at the first chunks
        chunks = self._stream.chunks() if place.path == _STANDARD_INPUT else chunks_of(place.path, count)
        texts = decoded(chunks, place.name, prepared, faults)
        return json_lines(texts, place.name, self._preparation, faults)

    def _refuse_records(self, place: _Place) -> None:
        """Keeps JSON lines from being read as text where they come through a pipe, which has no suffix."""
        if place.path != _STANDARD_INPUT or place.kind != "text":
            return
        if _JSON_LINE.match(next(self._stream.first(1), b"")):
            raise FirthError(
                f"{place.name} begins with a JSON object that has a field text, but is read as plain text; "
                "name the field (--field text): then it is JSON lines"
            )

    def _beginning(self, place: _Place, n_stretches: int) -> str:
        """The first whole lines, or records, of what can only be read from its beginning."""
        wanted = n_stretches * _SAMPLE_STRETCH_BYTES
        texts: Iterator[str]
        self._refuse_records(place)
        if place.kind == "records" and place.path == _STANDARD_INPUT:
            prepared = self._prepared(place)
            start = decoded(self._stream.first_lines(wanted), place.name, prepared, Faults(), is_part=True)
            lines = _whole_lines("".join(start), is_start=True, is_end=self._stream.has_ended)
            records = json_lines(iter((lines,)), place.name, self._preparation, Faults())
            texts = (text + "\n\n" for text, _ in records)
        elif place.kind != "text":
            texts = (text + "\n\n" for text, _ in self._records(place, Faults(), uncounted))
        elif place.path == _STANDARD_INPUT:
            texts = decoded(self._stream.first(wanted), place.name, self._prepared(place), Faults(), is_part=True)
        else:
            n_chunks = 4 * wanted // _CHUNK_BYTES + 1  # at most four bytes a character
            prepared = self._prepared_for(place, lambda: islice(chunks_of(place.path, uncounted), n_chunks))
            texts = decoded(chunks_of(place.path, uncounted), place.name, prepared, Faults())
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
            self._rest = decompressed(counted(sys.stdin.buffer, self._count), "standard input")
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
    there = f"{files_told(passed_over)} passed over" if passed_over else "it is empty"
    return FirthError(
        f"there is nothing to read in {where}: {there}; read in folders are {READ_IN_FOLDERS}; "
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
        match = pattern.search(path.name) or pattern.search(str(path))
        kept = tuple(match[group] if match else None for group in pattern.groupindex)
        if match is None:
            faults.unmatched.append(name)
    if path == _STANDARD_INPUT:
        return _Place(path, name, "records" if _names_columns(preparation) else "text", 0, 0, kept)
    size, modified_ns = _state(path)
    suffix = _suffix(path)
    if suffix == _TABLE_SUFFIX:
        return _Place(path, name, "table", size, modified_ns, kept)
    refuse_binary(head_of(path), name)
    are_records = suffix in _RECORD_SUFFIXES
    if preparation.field is not None and not are_records:
        are_records = _begins_with_brace(path, preparation)
    return _Place(path, name, "records" if are_records else "text", size, modified_ns, kept)


def _begins_with_brace(path: Path, preparation: Preparation) -> bool:
    chunk = next(chunks_of(path, uncounted), b"")
    try:
        text = codecs.getincrementaldecoder(preparation.encodings[0])(errors="ignore").decode(chunk)
    except UnicodeError:
        return False  # without a byte-order mark; reading will say so
    return _RECORD_START.match(text) is not None


def _looks_like_records(text: str) -> bool:
    """Whether most lines at the beginning of a file look like JSON objects."""
    text = text.lstrip()
    if not text.startswith("{"):
        return False
    *whole, last = (line for line in text.split("\n", _LOOKED_AT_LINES) if line)  # the last may be cut off
    n_alike = sum(_RECORD.fullmatch(line) is not None for line in whole)
    return n_alike > len(whole) / 2 if whole else last.lstrip().startswith('{"')


def _check_columns(preparation: Preparation, *, has_tables: bool) -> None:
    asked = ", ".join(map(printable, preparation.keep)) or printable(preparation.column)
    if not has_tables and _names_columns(preparation):
        raise UsageError(
            f"{asked}: only JSON lines (.jsonl, .ndjson; with --field, lines that begin with a brace) and Parquet "
            "(.parquet) have named columns, and none are here"
        )


def _names_columns(preparation: Preparation) -> bool:
    return bool(preparation.keep) or preparation.field is not None


# --- files and samples of them ----------------------------------------------------------------------------


def _bytes(path: Path, offset: int, n_bytes: int) -> list[bytes]:
    """Bytes of a text file from about `offset` on, by which its encoding can be told."""
    offset -= offset % 4
    with opened(path) as file:
        mark = file.read(4) if offset else b""  # which may be a byte-order mark
        file.seek(offset)
        data = file.read(n_bytes)
    if offset and b"\0" not in data:  # it may begin within a character
        data = data[data.find(b"\n") + 1 :]
    return [mark, data]


def _stretch(path: Path, offset: int, n_bytes: int, encoding: str) -> str:
    """Whole lines of a text file's bytes from about `offset` on."""
    offset -= offset % 4  # no codec has wider units
    with opened(path) as file:
        decoder = codecs.getincrementaldecoder(encoding)(errors="ignore")
        if offset and codecs.lookup(encoding).name in ("utf-16", "utf-32"):
            decoder.decode(file.read(4))  # the byte-order mark says how to read the rest
        file.seek(offset)
        data = file.read(n_bytes + 1)
    try:
        text = decoder.decode(data[:n_bytes], final=False)
    except UnicodeError:
        return ""  # without a mark; reading will say so
    text = unix_lines(text).removeprefix("\ufeff").replace("\0", "")
    is_end = len(data) <= n_bytes
    return _whole_lines(text, is_start=offset == 0, is_end=is_end) or ("" if is_end else text)


def _whole_lines(text: str, *, is_start: bool, is_end: bool) -> str:
    """`text` without the parts of lines that it begins and ends with."""
    start = 0 if is_start else text.find("\n") + 1
    end = len(text) if is_end else text.rfind("\n") + 1
    return text[start:end]


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


def _kind(thing: object) -> str:
    return type(thing).__name__
