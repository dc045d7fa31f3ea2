"""Phrases: words that stand together more often than chance has it, joined to one; a file of them, and what joins them.

A phrase is two words and any connector words (`of`, `the`) between them, as gensim's `Phrases` has it (Mikolov et al.
2013b, section 4: pairs, and longer phrases by several passes). A pass joins from left to right: what one phrase has
taken is no part of the next one.

The file is text, a phrase a line, to be read and edited by hand; behind its words, parted by tabs, stand how often it
was met, its score, and its pass, which may all be left out:

    #firth-phrases	1
    #connector_words	and of the
    #delimiter	_
    new york	1234	567.8	1
    bank of america	210	98.7	1
    new_york times	321	45.6	2

A backslash stands before a backslash, and before # at a line's beginning; a space, tab or line end inside a word is
written \\s, \\t, \\n, \\r. A line that begins with # and has no tab is a remark.
"""

import hashlib
import math
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth.errors import FirthError, UsageError
from firth.files import printable, replacing

MOST_BETWEEN: Final = 16
"""Connector words between the two words of a phrase, at most."""

MOST_PASSES: Final = 100

CONNECTOR_WORDS: Final[Mapping[str, str]] = {
    "de": "an auf aus das dem den der des die ein eine einem einer eines für im in mit oder und von zu",
    "en": "a an and at by for from in of on or the to with without",
    "es": "a al con de del el en la las los o para por sin un una y",
    "fr": "a au aux avec d de des du en et l la le les ou par pour sans sur un une à",
    "it": "a al alla con da dal dei del della delle di e gli i il in l la le lo o per un una",
    "nl": "aan de den der een en het in met of op te ten ter tot van voor",
    "pt": "a as com da das de do dos e em na no o os ou para por sem um uma",
    "zh": "与 之 和 的",
}
"""By language, articles, prepositions and conjunctions; those of English are gensim's ENGLISH_CONNECTOR_WORDS."""

_FORMAT: Final = "1"
_ESCAPES: Final = {"\\": "\\\\", " ": "\\s", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_CHARACTERS: Final = {escape: char for char, escape in _ESCAPES.items()} | {"\\#": "#"}
_ESCAPE_TABLE: Final = str.maketrans(_ESCAPES)
_ESCAPE: Final = re.compile(r"\\[\\stnr#]")
_UNUSUAL: Final = re.compile(r"[\\\t\n\r]")
_MADE_BY: Final = "firth-phrases"
_LOOKED_AT: Final = 1 << 16  # bytes of a file, of whether it holds phrases
_NAME: Final = re.compile(r"#([a-z][a-z_-]*)")


class Phrase(NamedTuple):
    """Two words with connector words between them, or none.

    Attributes:
        words: In order; those of a later pass may be phrases of an earlier one, as `new_york`.
        frequency: How often they stood together; None where that is not known.
        score: How much oftener than by chance; None where that is not known.
        pass_number: The pass that joins them, from 1.
    """

    words: tuple[str, ...]
    frequency: int | None = None
    score: float | None = None
    pass_number: int = 1


@dataclass(frozen=True, kw_only=True)
class Phrases:
    """Phrases, and how they are joined; equal where they join alike.

    Attributes:
        entries: In the file's order.
        connector_words: Words that may stand between the two of a phrase, in alphabetical order.
        delimiter: What stands between the words of a phrase when they are joined.
        about: How they were learnt, by name: scoring, threshold, and so on.
        hash: SHA-256 of what decides on the joining, in hexadecimal: words, passes, connector words, delimiter.
    """

    entries: tuple[Phrase, ...] = field(repr=False, compare=False)
    connector_words: tuple[str, ...] = field(default=(), compare=False)
    delimiter: str = "_"
    about: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Adds the hash; refuses what is no phrase, and a delimiter with white space (UsageError)."""
        if any(character.isspace() for character in self.delimiter) or not self.delimiter.isprintable():
            raise UsageError(
                f"delimiter is {printable(self.delimiter)!r}; white space and control characters part words"
            )
        object.__setattr__(self, "connector_words", tuple(sorted(set(self.connector_words))))
        for entry in self.entries:
            if fault := _fault(entry, self._connectors):
                raise UsageError(f"'{printable(' '.join(entry.words))}' is no phrase: {fault}")
        told = "\n\n".join((self.delimiter, _line(self.connector_words), *self._passes))
        object.__setattr__(self, "hash", hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest())

    def __len__(self) -> int:
        """How many phrases there are."""
        return len(self.entries)

    @property
    def n_passes(self) -> int:
        """The number of the last pass."""
        return max((entry.pass_number for entry in self.entries), default=0)

    def of_pass(self, number: int) -> Iterator[Phrase]:
        """The phrases that pass `number` joins, counted from 1."""
        return (entry for entry in self.entries if entry.pass_number == number)

    def name(self, words: Iterable[str]) -> str:
        """What a phrase of these words is called: the words with the delimiter between them."""
        return self.delimiter.join(words)

    def join(self, words: Sequence[str]) -> list[str]:
        """The words of a line, those of a phrase as one.

        >>> Phrases(entries=(Phrase(("new", "york")),)).join(["in", "new", "york"])
        ['in', 'new_york']
        """
        return self.joined(words)[0]

    def joined(self, words: Sequence[str]) -> tuple[list[str], list[int]]:
        """`join` of a line's words; and of each, how many of those given stand before its end."""
        found, ends = list(words), list(range(1, len(words) + 1))
        for names in self._names:
            places = _places(found, names, self._connectors)
            if len(places) < len(found):
                ends = [ends[stop - 1] for _, stop, _ in places]
                found = [name or found[start] for start, _, name in places]
        return found, ends

    def normalized(self, normalize: Callable[[str], str]) -> "Phrases":
        """The same with all words as they are written in a text: one that vanishes takes its phrase with it.

        Args:
            normalize: From text to normalised text, with as many line ends.
        """
        connectors = _all_normalized(self.connector_words, normalize)
        words = [word for entry in self.entries for word in entry.words]
        coming = iter(_all_normalized(words, normalize))
        entries: dict[tuple[tuple[str, ...], int], Phrase] = {}
        for entry in self.entries:
            parts = tuple(next(coming) for _ in entry.words)
            new = entry._replace(words=parts)
            if not _fault(new, frozenset(connectors)):
                entries.setdefault((parts, entry.pass_number), new)
        kept = tuple(word for word in connectors if word)
        return replace(self, entries=tuple(entries.values()), connector_words=kept)

    def settings(self) -> dict[str, Any]:
        """Plain values for a JSON file: what `from_settings` needs to join alike, without counts and scores."""
        return {
            "hash": self.hash,
            "delimiter": self.delimiter,
            "connector_words": list(self.connector_words),
            "passes": self._passes,
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Phrases":
        """The phrases that `settings` were taken from.

        Raises:
            FirthError: these are no such settings, or the phrases are not those that the hash was taken of.
        """
        try:
            entries = tuple(
                Phrase(_words(line), None, None, number)
                for number, lines in enumerate(settings["passes"], start=1)
                for line in lines.split("\n")
                if line
            )
            connectors = tuple(map(str, settings["connector_words"]))
            phrases = cls(entries=entries, connector_words=connectors, delimiter=str(settings["delimiter"]))
            is_whole = phrases.hash == settings["hash"]
        except (TypeError, KeyError, AttributeError, UsageError):
            raise FirthError("no phrases are described there; a newer firth may have written them") from None
        if not is_whole:
            raise FirthError("the phrases are not those that the corpus was read with: their hash differs")
        return phrases

    def write(self, path: Path | str) -> None:
        """Writes the file that `read` reads, whole or not at all.

        Raises:
            FirthError: it cannot be written, or a word holds surrogates.
        """
        path = Path(path)
        about = {_MADE_BY: _FORMAT, **self.about}
        about |= {"connector_words": _line(self.connector_words), "delimiter": self.delimiter}
        try:
            with replacing(path) as file:
                file.writelines(f"#{name}\t{value}\n" for name, value in about.items())
                file.write(
                    "# words, frequency, score, pass: a phrase a line; what stands behind its words may be left out\n"
                )
                for entry in self.entries:
                    frequency = "" if entry.frequency is None else str(entry.frequency)
                    score = "" if entry.score is None else repr(entry.score)
                    file.write(f"{_line(entry.words)}\t{frequency}\t{score}\t{entry.pass_number}\n")
        except UnicodeEncodeError as error:
            raise FirthError(f"a word is no valid text: '{printable(error.object)[:100]}'") from None
        except OSError as error:
            raise FirthError(f"the phrases cannot be written to {printable(str(path))}: {error.strerror}") from error

    @classmethod
    def read(cls, path: Path | str) -> "Phrases":
        """The phrases in a file.

        Raises:
            FirthError: it cannot be read, is not UTF-8, has lines that are no phrases, or no phrase.
        """
        shown = printable(str(path))
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise FirthError(f"cannot read the phrases in {shown}: {error.strerror}") from error
        return cls._of(data, shown)

    @classmethod
    def _of(cls, data: bytes, shown: str) -> "Phrases":
        """The phrases in a file of these bytes."""
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            number = data.count(b"\n", 0, error.start) + 1
            raise FirthError(
                f"{shown}, line {number}: no UTF-8 ({error.reason}); turn the phrases into UTF-8"
            ) from None
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        about: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            name, tab, value = line.partition("\t")
            if line.startswith("#") and tab:
                if not _NAME.fullmatch(name):
                    raise FirthError(
                        f"{shown}, line {number}: '{printable(line[:100])}' is no setting as '#name<TAB>value'"
                    )
                about[name[1:]] = value
        if about.pop(_MADE_BY, _FORMAT) != _FORMAT:
            raise FirthError(f"{shown} was written by a newer firth than this one; upgrade firth")
        connectors = _words(about.pop("connector_words", ""))
        delimiter = about.pop("delimiter", "_")
        entries = tuple(_read_entries(lines, frozenset(connectors), shown))
        if not entries:
            raise FirthError(f"{shown}: no phrases in it; write one a line, as 'new york'")
        try:
            return cls(entries=entries, connector_words=connectors, delimiter=delimiter, about=about)
        except UsageError as error:
            raise FirthError(f"{shown}: {error}") from None

    @cached_property
    def _connectors(self) -> frozenset[str]:
        return frozenset(self.connector_words)

    @cached_property
    def _passes(self) -> list[str]:
        """The lines of each pass, in alphabetical order."""
        lines: list[set[str]] = [set() for _ in range(self.n_passes)]
        for words, _, _, number in self.entries:
            lines[number - 1].add(_line(words))
        return ["\n".join(sorted(of_pass)) for of_pass in lines]

    @cached_property
    def _names(self) -> list[dict[tuple[str, ...], str]]:
        """Of each pass, what its phrases become."""
        names: list[dict[tuple[str, ...], str]] = [{} for _ in range(self.n_passes)]
        for words, _, _, number in self.entries:
            names[number - 1][words] = self.delimiter.join(words)
        return names


def check_output(path: Path, *, overwrite: bool) -> None:
    """Finds out before the work whether phrases can be written to `path` after it.

    Raises:
        UsageError: something stands there that may not be replaced.
        FirthError: nothing can be written beside it.
    """
    shown = printable(str(path))
    if path.exists() and not overwrite:
        raise UsageError(f"{shown} exists; choose another place, or overwrite it (--overwrite)")
    if path.exists() and not _holds_phrases(path):
        raise UsageError(f"{shown} exists and is no file of phrases; it is not overwritten")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise FirthError(f"the phrases cannot be written to {shown}: {error.strerror}") from error


def _holds_phrases(path: Path) -> bool:
    """Whether the lines that a file begins with are phrases, or there are none."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            data = file.read(_LOOKED_AT)
        if data:
            Phrases._of(data if len(data) < _LOOKED_AT else data.rpartition(b"\n")[0], "")
    except (OSError, FirthError):
        return False
    return True


def _places(
    words: Sequence[str], names: Mapping[tuple[str, ...], str], connectors: frozenset[str]
) -> list[tuple[int, int, str]]:
    """Where each word of a joined line starts and ends in `words`, and what it is called, if it is a phrase."""
    places: list[tuple[int, int, str]] = []
    start = -1  # where a phrase may have begun
    done = 0
    for place, word in enumerate(words):
        if word in connectors:
            if start >= 0 and place - start > MOST_BETWEEN:
                start = -1
            continue
        if start >= 0 and (name := names.get(tuple(words[start : place + 1]))) is not None:
            places += [(other, other + 1, "") for other in range(done, start)]
            places.append((start, place + 1, name))
            start, done = -1, place + 1
        else:
            start = place
    places += [(other, other + 1, "") for other in range(done, len(words))]
    return places


def _fault(entry: Phrase, connectors: frozenset[str]) -> str:
    """Why this can be no phrase; empty if it can."""
    words = entry.words
    if len(words) == 2 and all(words) and connectors.isdisjoint(words) and 1 <= entry.pass_number <= MOST_PASSES:
        return ""  # as a rule
    if len(words) < 2:
        return "it takes two words or more, a space between them"
    if not all(words):
        return "a word of it is empty: one space stands between two words"
    if any(word in connectors for word in (words[0], words[-1])):
        return "it begins or ends with a connector word"
    if others := [word for word in words[1:-1] if word not in connectors]:
        return (
            f"'{printable(others[0])}' stands between its words and is none of the #connector_words; longer phrases "
            "take a pass more, as 'new york' in pass 1 and 'new_york times' in pass 2"
        )
    if len(words) - 2 > MOST_BETWEEN:
        return f"more than {MOST_BETWEEN} words stand between its first and its last"
    return "" if 1 <= entry.pass_number <= MOST_PASSES else f"its pass is none of 1 to {MOST_PASSES}"


def _read_entries(lines: Sequence[str], connectors: frozenset[str], shown: str) -> Iterator[Phrase]:
    """The phrases of a file's lines; FirthError names the first line that is none, and the numbers of others."""
    faults: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        if line.startswith("#") or not line.strip(" \t"):
            continue
        entry = _entry(line)
        fault = "frequency, score and pass are numbers, parted by tabs" if entry is None else _fault(entry, connectors)
        if entry is not None and not fault:
            yield entry
        else:
            faults.append((number, fault))
    if faults:
        number, fault = faults[0]
        others = ", ".join(str(other) for other, _ in faults[1:11]) + (" ..." if len(faults) > 11 else "")
        raise FirthError(
            f"{shown}, line {number}: '{printable(lines[number - 1][:100])}' is no phrase: {fault}"
            + (f"; nor are lines {others}" if others else "")
        )


def _entry(line: str) -> Phrase | None:
    """What a line describes; None where something else than numbers stands behind the words."""
    words, *numbers = line.split("\t")
    frequency, score, pass_number, *others = [*(number.strip() for number in numbers), "", "", ""]
    whole = (number for number in (frequency, pass_number) if number)
    if any(others) or not all(number.isascii() and number.isdigit() for number in whole):
        return None
    try:
        return Phrase(
            _words(words),
            int(frequency) if frequency else None,
            _number(score) if score else None,
            int(pass_number) if pass_number else 1,
        )
    except ValueError:
        return None


def _number(text: str) -> float:
    number = float(text)
    if math.isnan(number):
        raise ValueError("not a number")
    return number


def _line(words: Sequence[str]) -> str:
    """Words as they stand in the file."""
    line = " ".join(words)
    if _UNUSUAL.search(line) or line.count(" ") >= len(words):
        line = " ".join(word.translate(_ESCAPE_TABLE) for word in words)
    return f"\\{line}" if line.startswith("#") else line


def _words(line: str) -> tuple[str, ...]:
    """The words that `_line` made a line of."""
    words = tuple(line.strip(" ").split(" ")) if line else ()
    if "\\" not in line:
        return words
    return tuple(_ESCAPE.sub(lambda escape: _CHARACTERS[escape.group()], word) for word in words)


def _all_normalized(words: Sequence[str], normalize: Callable[[str], str]) -> list[str]:
    """Each word normalised; those that hold a line end stay."""
    plain = ["" if "\n" in word else word for word in words]
    found = normalize("\n".join(plain)).split("\n") if plain else []
    return [word if "\n" in word else new for word, new in zip(words, found, strict=True)]
