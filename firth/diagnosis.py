"""What encodings the files of a corpus seem to be in, where that is not what was asked for."""

import codecs
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from firth.corpus import Corpus
from firth.encodings import (
    CANDIDATES,
    LEAST_BEYOND_ASCII,
    LEAST_INVALID,
    LEAST_ODD,
    is_another,
    likeliest,
    n_beyond_ascii,
    oddness,
    told,
)
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.preparation import Preparation
from firth.sources import Sources, find

UTF8: Final = ("utf-8", "utf-8-sig")
"""Names of UTF-8, as `codecs.lookup` gives them."""

STANDARD_INPUT: Final = "standard input"
"""What messages call it."""

_MOST_BROKEN: Final = 0.01  # of the text: with more, replacing what is invalid leaves garbage
_READ_ANYTHING: Final = ("iso8859-1", "iso8859-15", "cp1252")
_PROBED_CHARACTERS: Final = 1 << 20  # in all files together, and at most so many in each and so few:
_PROBED_OF_A_FILE: Final = (1 << 12, 1 << 17)
_SEARCHED_CHARACTERS: Final = 1 << 26
_LEAST_SEARCHED: Final = 1 << 20
_PROBED_FILES: Final = 64  # with invalid bytes
_PROBED_OTHER_FILES: Final = 1000
_PEEKED_BYTES: Final = 1 << 13  # as many as Python's buffer of a stream holds at least


def texts_of(path: Path, preparation: Preparation) -> Iterator[str]:
    """The pieces of a file's text."""
    preparation = replace(preparation, keep_from_name=None)
    try:
        found = find(path, preparation)
    except UsageError:  # other files have the columns that were asked for
        found = find(path, replace(preparation, field=None, keep=()))
    if isinstance(found, Sources):
        for unit in found.units():
            yield from unit.texts


def beginning_of_standard_input() -> bytes:
    """Its first bytes, which stay there to be read; none where they cannot be looked at."""
    peek = getattr(sys.stdin.buffer, "peek", None)
    with suppress(OSError, ValueError):  # whoever reads it says so
        return bytes(peek(_PEEKED_BYTES)) if peek is not None else b""
    return b""


class Guess(NamedTuple):
    """What the files of a corpus seem to be in.

    Attributes:
        encoding: what all of the text is in, where that is not what was asked for; None where it is, where the files
            differ, and where nothing can be told.
        encodings: by file, what it is in, where the files differ.
        undecodable: by file, the share of the characters that are not valid, where that is much and no encoding fits,
            or several do.
        possible: by file of these, some words as they read in the two likeliest encodings, where neither is clearly
            ahead.
    """

    encoding: str | None
    encodings: dict[str, str]
    undecodable: dict[str, float]
    possible: dict[str, dict[str, str]]


def guess(
    corpus: Corpus, names: list[str], invalid: Mapping[str, int], preparation: Preparation, beginning: bytes = b""
) -> Guess:
    """What the files of a corpus that was read seem to be in.

    Args:
        corpus: what was read.
        names: its paths as they were given.
        invalid: by file, how many stretches of bytes are not valid in the encoding.
        preparation: the encoding that was asked for.
        beginning: the first bytes of standard input, if that is among the paths.
    """
    if len(preparation.encodings) > 1:  # each file is read by the one that fits, or that fits best
        return Guess(None, {}, _garbage(corpus, invalid, preparation), {})
    undecodable = {
        name: n_invalid / max(1, corpus.done_bytes)  # of standard input, which cannot be looked at again
        for name, n_invalid in invalid.items()
        if not Path(name).is_file()
    }
    others: dict[str, str] = {}
    possible: dict[str, dict[str, str]] = {}
    if STANDARD_INPUT in undecodable:
        fitting = likeliest(beginning, preparation.encoding)
        if len(fitting) > 1:
            possible[STANDARD_INPUT] = fitting
        elif fitting and not ("utf-8" in fitting and _is_utf8(preparation)):
            (others[STANDARD_INPUT],) = fitting
            del undecodable[STANDARD_INPUT]
    right: list[str] = []
    if invalid or not _is_utf8(preparation):
        shown, faulty = _files(corpus, names, invalid)
        clean = [path for path in shown if path not in faulty]
        faulty, clean = _spread(faulty, _PROBED_FILES), _spread(clean, _PROBED_OTHER_FILES)
        n_files = max(1, len(faulty) + len(clean))
        for path in faulty:
            fitting, share, is_beyond_ascii = _fitting_encodings(path, preparation, n_files)
            if len(fitting) == 1:
                (others[shown[path]],) = fitting
            elif fitting:
                possible[shown[path]], undecodable[shown[path]] = fitting, share
            elif share > _MOST_BROKEN:
                undecodable[shown[path]] = share
            elif is_beyond_ascii:
                right.append(shown[path])
        for path in clean:
            encoding = _other_encoding(path, preparation, n_files)
            if encoding is not None:
                others[shown[path]] = encoding
            elif _probe(path, preparation, n_files):
                right.append(shown[path])
    undecodable = {name: share for name, share in undecodable.items() if share > _MOST_BROKEN or name in possible}
    is_one = len(set(others.values())) == 1 and not right and not undecodable
    return Guess(
        encoding=next(iter(others.values())) if is_one else None,
        encodings=others | dict.fromkeys(right, preparation.encoding) if others and not is_one else {},
        undecodable=undecodable,
        possible=possible,
    )


def _garbage(corpus: Corpus, invalid: Mapping[str, int], preparation: Preparation) -> dict[str, float]:
    """By file of which much is in none of several encodings: how much, at best."""
    faulty = {Path(name): name for name in invalid if Path(name).is_file()}
    probed = _spread(list(faulty), _PROBED_FILES)
    shares = {name: n / max(1, corpus.done_bytes) for name, n in invalid.items() if not Path(name).is_file()}
    for path in probed:
        found = []
        for encoding in preparation.encodings:
            with suppress(FirthError):
                one = replace(preparation, encoding=encoding, encoding_errors="replace")
                found.append(_faulty_probe(path, one, len(probed))[1])
        shares[faulty[path]] = min(found, default=1.0)
    return {name: share for name, share in shares.items() if share > _MOST_BROKEN}


def _is_utf8(preparation: Preparation) -> bool:
    return codecs.lookup(preparation.encodings[0]).name in UTF8


def _files(corpus: Corpus, names: list[str], invalid: Mapping[str, int]) -> tuple[dict[Path, str], list[Path]]:
    """The files that an encoding is for, with the names that messages call them; and those that have invalid bytes."""
    faulty = {Path(name).resolve(): name for name in invalid if Path(name).is_file()}
    given = {Path(name).resolve(): Path(name) for name in names}
    shown = dict(faulty)
    for identity in corpus.identity() or []:
        path = Path(identity[0])
        if ".parquet" not in path.name.lower() and path not in shown:
            place = next((place for place in (path, *path.parents) if place in given), None)
            shown[path] = printable(str(path if place is None else given[place] / path.relative_to(place)))
    return shown, list(faulty)


def _spread(paths: list[Path], most: int) -> list[Path]:
    """At most so many, from everywhere in `paths`."""
    return paths[:: max(1, -(-len(paths) // most))]


def _fitting_encodings(path: Path, preparation: Preparation, n_files: int) -> tuple[dict[str, str], float, bool]:
    """What a file with invalid bytes seems to be in; how much of it is invalid; whether the rest is beyond ASCII.

    The first is as of `encodings.told`: empty too where the encoding that was asked for is the right one, and some
    bytes are broken.
    """
    if not _is_utf8(preparation) and _reads_as_utf8(path, preparation, n_files):
        return {"utf-8": ""}, 0.0, True
    probe, share = _faulty_probe(path, replace(preparation, encoding_errors="replace"), n_files)
    if is_another(probe):
        fitting = _told(path, preparation, n_files)
        if fitting:
            return fitting, share, True
    return {}, share, n_beyond_ascii(probe) > probe.count("\ufffd")


def _other_encoding(path: Path, preparation: Preparation, n_files: int) -> str | None:
    """What a file without invalid bytes seems to be in, if not in what was asked for."""
    if _is_utf8(preparation):
        return None
    if _reads_as_utf8(path, preparation, n_files):
        return "utf-8"
    if codecs.lookup(preparation.encoding).name not in _READ_ANYTHING:
        return None
    probe = _probe(path, preparation, n_files)
    is_told = n_beyond_ascii(probe) >= LEAST_INVALID and oddness(probe) >= LEAST_ODD
    fitting = _told(path, preparation, n_files) if is_told else {}
    return next(iter(fitting)) if len(fitting) == 1 else None


def _told(path: Path, preparation: Preparation, n_files: int) -> dict[str, str]:
    """The encoding in which a file reads like text in some language, or the two likeliest; see `encodings.told`."""
    texts = {}
    for encoding in CANDIDATES:
        with suppress(FirthError):
            strict = replace(preparation, encoding=encoding, encoding_errors="strict")
            texts[encoding] = _probe(path, strict, n_files)
    return told(texts)


def _reads_as_utf8(path: Path, preparation: Preparation, n_files: int) -> bool:
    """Whether a file has characters beyond ASCII that are valid UTF-8, as text in other encodings hardly ever is."""
    try:
        probe = _probe(path, replace(preparation, encoding="utf-8", encoding_errors="replace"), n_files)
    except FirthError:
        return False
    n_beyond = n_beyond_ascii(probe)
    return n_beyond >= LEAST_BEYOND_ASCII and probe.count("\ufffd") <= _MOST_BROKEN * n_beyond


def _sizes(n_files: int) -> tuple[int, int]:
    """How many characters of each of so many files are looked at, and among how many they are searched."""
    least, most = _PROBED_OF_A_FILE
    return min(most, max(least, _PROBED_CHARACTERS // n_files)), max(_LEAST_SEARCHED, _SEARCHED_CHARACTERS // n_files)


def _probe(path: Path, preparation: Preparation, n_files: int) -> str:
    """Some text of a file, from the first piece on that is not ASCII; empty where there is none."""
    n_wanted, n_searched = _sizes(n_files)
    probe: list[str] = []
    for text in texts_of(path, preparation):
        n_searched -= len(text)
        if probe or not text.isascii():
            probe.append(text[:n_wanted])
            n_wanted -= len(text)
        if n_wanted <= 0 or n_searched <= 0:
            break
    return "".join(probe)


def _faulty_probe(path: Path, preparation: Preparation, n_files: int) -> tuple[str, float]:
    """Some text of a file, from the first piece with an invalid byte on; and how much of the file is invalid."""
    n_wanted, n_searched = _sizes(n_files)
    n_read = n_broken = 0
    probe: list[str] = []
    for text in texts_of(path, preparation):
        n_read += len(text)
        n_broken += text.count("\ufffd")
        if n_broken and n_wanted > 0:
            probe.append(text[:n_wanted])
            n_wanted -= len(text)
        if n_read >= n_searched:
            break
    return "".join(probe), n_broken / max(1, n_read)
