"""Files and streams of text, read once, in blocks of whole lines.

A line is a paragraph or a sentence. An empty line, or the end of a file, ends a document.
"""

import codecs
import io
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

from firth.errors import FirthError, UsageError
from firth.files import printable

Block = str | list[list[str]]
"""Some lines of a corpus: text, each line closed by `\\n`, or lines of ready words."""

BLOCK_CHARACTERS: Final = 1 << 16  # what the arrays of a block need still fits the cache
_CHUNK_BYTES: Final = 1 << 20
_SAMPLE_STRETCHES: Final = 32
_SAMPLE_STRETCH_BYTES: Final = 1 << 15
_SAMPLE_BLOCKS: Final = 16

_UP_TO_LAST_SPACE: Final = re.compile(r".*\s", re.DOTALL)
_UP_TO_LAST_BREAK: Final = re.compile(r".*\W(?=\w)", re.DOTALL)


class Corpus(ABC):
    """Text to be read once, block by block; made by `read`.

    Attributes:
        name: what messages call it.
        total_bytes: the size of its files; None for a stream, whose length nobody knows.
        done_bytes: how much of it `blocks` has read so far (of a stream: characters).
        has_ready_words: whether its lines are lists of words instead of text.
    """

    name: str
    total_bytes: int | None
    done_bytes: int
    has_ready_words: bool

    @abstractmethod
    def sample(self) -> str:
        """Some of the text, about a million characters at most, for choosing a segmentation.

        A sample of files is spread over all of them; of a stream it is the beginning, which `blocks`
        gives again. Lines of ready words need no segmentation: their sample is empty.
        """

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """All lines in order, a block at a time; the last document is closed by an empty line.

        A line of text longer than a block goes on in the next one: it is cut where no word can span.

        Raises:
            FirthError: the text cannot be read, is in another encoding, or changed while it was read.
        """


def read(
    sources: str | os.PathLike[str] | Iterable[Any],
    *,
    encoding: str = "utf-8",
    block_characters: int = BLOCK_CHARACTERS,
) -> Corpus:
    """A corpus of files or of lines that Python holds or makes.

    Args:
        sources: a path; or several `pathlib.Path`; or an iterable of strings, each a line or several, where
            an empty one ends a document; or an iterable of sequences, each a line of ready words (what is
            not a string is shown by `str`), where an empty one ends a document.
        encoding: of the files: the name of any text codec of Python's.
        block_characters: the size of a block. Words do not depend on it while no line is longer.

    Returns:
        The corpus, not yet read. An iterable is consumed once.

    Raises:
        FirthError: a path that is missing or no plain file.
        UsageError: an unknown encoding, or sources of no such kind.
    """
    if isinstance(sources, str | os.PathLike):
        return _Files([Path(sources)], encoding, block_characters)
    if isinstance(sources, bytes) or not isinstance(sources, Iterable):
        raise UsageError(
            f"a corpus is a path, several paths, strings, or lists of words, but this is a {_kind(sources)}"
        )
    if isinstance(sources, list | tuple) and sources and all(_names_a_file(source) for source in sources):
        raise UsageError(
            f"strings in a list are lines of text, but '{printable(sources[0])}' names a file: "
            "give files as pathlib.Path objects"
        )
    items = iter(sources)
    first = list(islice(items, 1))
    if not first or isinstance(first[0], str):
        return _Strings(chain(first, items), block_characters)
    if isinstance(first[0], os.PathLike):
        return _Files([_path(item) for item in chain(first, items)], encoding, block_characters)
    return _ReadyWords(chain(first, items), block_characters)


class _Files(Corpus):
    """Plain text files, one behind the other."""

    has_ready_words = False

    def __init__(self, paths: list[Path], encoding: str, block_characters: int) -> None:
        _check_encoding(encoding)
        self._paths = paths
        self._encoding = encoding
        self._block_characters = block_characters
        self._states = [_state(path) for path in paths]
        self.name = printable(str(paths[0])) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        self.total_bytes: int = sum(size for size, _ in self._states)
        self.done_bytes = 0

    def sample(self) -> str:
        spacing = max(_SAMPLE_STRETCH_BYTES, self.total_bytes // _SAMPLE_STRETCHES)
        stretches = []
        file_start = 0
        for path, (size, _) in zip(self._paths, self._states, strict=True):
            first = -file_start % spacing
            for offset in range(first, size, spacing):
                stretches.append(_stretch(path, offset, _SAMPLE_STRETCH_BYTES, self._encoding))
            file_start += size
        return "\n".join(stretches)

    def blocks(self) -> Iterator[str]:
        return _whole_lines(self._texts(), self._block_characters)

    def _texts(self) -> Iterator[str]:
        for path, state in zip(self._paths, self._states, strict=True):
            yield from self._decoded(path)
            yield "\n\n"  # closes the last line and the document
            if not _is_still(path, state):
                raise FirthError(f"{printable(str(path))} changed or vanished while it was read; begin again")

    def _decoded(self, path: Path) -> Iterator[str]:
        # The decoder keeps what a chunk cuts in two (a character, \r\n) and makes every line end \n.
        bytes_to_text = codecs.getincrementaldecoder(self._encoding)(errors="strict")
        decoder = io.IncrementalNewlineDecoder(bytes_to_text, translate=True)
        file_bytes = n_lines = 0
        with _opened(path) as file:
            at_end = False
            while not at_end:
                chunk = file.read(_CHUNK_BYTES)
                at_end = not chunk
                try:
                    text = decoder.decode(chunk, final=at_end)
                except UnicodeError as error:
                    if not isinstance(error, UnicodeDecodeError) or "BOM" in error.reason:  # the latter from 3.13 on
                        shown = printable(str(path))
                        raise FirthError(
                            f"{shown} does not begin with {self._encoding}'s byte-order mark; "
                            "--encoding utf-16-le, perhaps"
                        ) from None
                    offset = file_bytes + len(chunk) - len(error.object) + error.start
                    valid = error.object[: error.start].decode(self._encoding, errors="ignore")
                    line = n_lines + _unix_lines(valid).count("\n") + 1
                    raise _undecodable(path, self._encoding, error, line, offset) from None
                if file_bytes == 0:
                    text = text.removeprefix("\ufeff")
                if "\0" in text:
                    line = n_lines + text.count("\n", 0, text.index("\0")) + 1
                    raise FirthError(
                        f"{printable(str(path))}, line {line}: a NUL byte, so this is no text in "
                        f"{self._encoding}; name the encoding (--encoding utf-16, say), or turn the file into "
                        "plain text"
                    )
                n_lines += text.count("\n")
                file_bytes += len(chunk)
                self.done_bytes += len(chunk)
                yield text


class _Strings(Corpus):
    """Strings from an iterable, each a line or several."""

    name = "the strings given as corpus"
    total_bytes = None
    has_ready_words = False

    def __init__(self, items: Iterator[Any], block_characters: int) -> None:
        self._blocks = _whole_lines(self._texts(items), block_characters)
        self.done_bytes = 0

    def sample(self) -> str:
        first = list(islice(self._blocks, _SAMPLE_BLOCKS))
        self._blocks = chain(first, self._blocks)
        return "".join(first)

    def blocks(self) -> Iterator[str]:
        return self._blocks

    def _texts(self, items: Iterator[Any]) -> Iterator[str]:
        for number, item in enumerate(items, start=1):
            if not isinstance(item, str):
                raise FirthError(f"item {number} of the corpus is a {_kind(item)}, but those before are strings")
            _check_characters(item, number)
            self.done_bytes += len(item)
            text = _unix_lines(item)
            yield text if text.endswith("\n") else text + "\n"
        yield "\n"


class _ReadyWords(Corpus):
    """Sequences from an iterable, each a line of words that are taken as they are."""

    name = "the words given as corpus"
    total_bytes = None
    has_ready_words = True

    def __init__(self, items: Iterator[Any], block_characters: int) -> None:
        self._items = items
        self._block_characters = block_characters
        self.done_bytes = 0

    def sample(self) -> str:
        return ""

    def blocks(self) -> Iterator[list[list[str]]]:
        lines: list[list[str]] = []
        n_characters = 0
        for number, item in enumerate(self._items, start=1):
            if isinstance(item, str | bytes) or not isinstance(item, Iterable):
                raise FirthError(f"item {number} of the corpus is a {_kind(item)}, not a sequence of words")
            line = [str(word) for word in item]
            characters = "".join(line)
            _check_characters(characters, number)
            lines.append(line)
            n_characters += len(characters) + len(line)
            if n_characters >= self._block_characters:
                self.done_bytes += n_characters
                yield lines
                lines, n_characters = [], 0
        self.done_bytes += n_characters
        yield [*lines, []]


def _whole_lines(texts: Iterable[str], block_characters: int) -> Iterator[str]:
    """`texts` joined and cut anew, so that where a block ends depends on the text alone."""
    pending: list[str] = []
    n_pending = 0
    for text in texts:
        pending.append(text)
        n_pending += len(text)
        if n_pending < block_characters:
            continue
        joined = "".join(pending)
        start = 0
        while len(joined) - start >= block_characters:
            end = _last_cut(joined, start, start + block_characters)
            yield joined[start:end]
            start = end
        pending = [joined[start:]]
        n_pending = len(joined) - start
    if n_pending:
        yield "".join(pending)


def _last_cut(text: str, start: int, stop: int) -> int:
    """The last place to cut in `text[start:stop]`: behind a line, else white space, else punctuation."""
    line_end = text.rfind("\n", start, stop)
    if line_end >= 0:
        return line_end + 1
    found = _UP_TO_LAST_SPACE.match(text, start, stop) or _UP_TO_LAST_BREAK.match(text, start, stop)
    return found.end() if found else stop  # a run of letters as long as a block is no word


def _stretch(path: Path, offset: int, n_bytes: int, encoding: str) -> str:
    with _opened(path) as file:
        file.seek(offset - offset % 4)  # no codec has wider units
        return _unix_lines(file.read(n_bytes).decode(encoding, errors="ignore"))


def _opened(path: Path) -> io.BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise FirthError(f"cannot read {printable(str(path))}: {error.strerror}") from error


def _state(path: Path) -> tuple[int, int]:
    """Size and time of a file, which both stay equal while nobody writes to it."""
    shown = printable(str(path))
    try:
        status = path.stat()
    except FileNotFoundError:
        raise FirthError(f"there is no file {shown}; text itself is given as a list of strings: ['{shown}']") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise FirthError(f"cannot read {shown}: {error}") from None
    if path.is_dir():
        raise FirthError(f"{shown} is a directory; name the files in it")
    if not path.is_file():
        raise FirthError(f"{shown} is not a plain file; write the text to one first")
    return status.st_size, status.st_mtime_ns


def _is_still(path: Path, state: tuple[int, int]) -> bool:
    try:
        return _state(path) == state
    except FirthError:
        return False


def _check_encoding(encoding: str) -> None:
    try:
        "a".encode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError):
        raise UsageError(
            f"no encoding is called '{printable(encoding)}'; utf-8, gb18030, big5, latin-1 are some"
        ) from None


def _check_characters(text: str, item_number: int) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FirthError(
            f"item {item_number} of the corpus is no valid text: {error.reason} ({printable(text[error.start])})"
        ) from None


def _undecodable(path: Path, encoding: str, error: UnicodeDecodeError, line: int, offset: int) -> FirthError:
    is_utf16 = offset < 2 and error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    other = "utf-16" if is_utf16 else "latin-1" if encoding.lower() == "gb18030" else "gb18030"
    return FirthError(
        f"{printable(str(path))}, line {line}: byte 0x{error.object[error.start]:02x} at offset {offset} is "
        f"not valid {printable(encoding)}; if the file has another encoding, name it (--encoding {other}, "
        "say), and if it is compressed or no text, turn it into plain text first"
    )


def _unix_lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _names_a_file(source: object) -> bool:
    try:
        return isinstance(source, str) and Path(source).is_file()
    except (OSError, ValueError):  # a line of text may be too long for a name, or hold a NUL
        return False


def _path(item: object) -> Path:
    if not isinstance(item, str | os.PathLike):
        raise UsageError(f"a {_kind(item)} stands among the paths of the corpus")
    return Path(item)


def _kind(thing: object) -> str:
    return type(thing).__name__
