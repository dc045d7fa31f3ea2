"""Text from anywhere as one stream of lines, in blocks of whole lines, read once.

A line is a paragraph or a sentence. An empty line, or the end of a file or record, ends a document.
"""

import os
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import chain
from typing import Any, Final, Literal, NamedTuple

from firth import layout as layouts
from firth import markup, stretches
from firth.errors import UsageError
from firth.faults import Faults
from firth.preparation import Preparation
from firth.records import Kept
from firth.sources import ReadyWords, Sources, Unit, find

Block = str | list[list[str]]
"""Some lines of a corpus: text, each line closed by `\\n`, or lines of ready words."""

BLOCK_CHARACTERS: Final = stretches.LONGEST  # what the arrays of a block need still fits the cache

_SHOWN_CHARACTERS: Final = 40


class LongestLine(NamedTuple):
    """The longest line of a corpus, as it stands there.

    Attributes:
        n_characters: how long it is.
        place: the file or iterable, and the line, or the record that it stands in.
        begins: its first characters.
    """

    n_characters: int
    place: str
    begins: str


class Corpus(ABC):
    """Text to be read once, block by block; made by `read`.

    Attributes:
        name: what messages call it.
        has_ready_words: whether its lines are lists of words instead of text.
        splits_sentences: whether every sentence becomes a line.
        kept_names: what is kept with every document.
        kept: grows while `blocks` runs; each item is the number of a line, counted in `\\n` over all blocks, and
            the values of `kept_names` of the documents from that line on. Whoever has used an item removes it.
        faults: what was met while reading, so far.
    """

    name: str
    has_ready_words: bool
    splits_sentences: bool
    kept_names: tuple[str, ...]
    kept: deque[tuple[int, Kept]]
    faults: Faults

    @property
    @abstractmethod
    def total_bytes(self) -> int | None:
        """The size of its files; None for a stream, whose length nobody knows."""

    @property
    @abstractmethod
    def done_bytes(self) -> int:
        """How much of it `blocks` has read so far (of strings and words: characters)."""

    @property
    def done_share(self) -> float | None:
        """Which part of it `blocks` has read so far; None where nobody knows."""
        return self.done_bytes / self.total_bytes if self.total_bytes else None

    @property
    @abstractmethod
    def longest_line(self) -> LongestLine:
        """The longest line that `blocks` has met so far; one without words is a line too."""

    @property
    @abstractmethod
    def layout(self) -> layouts.Joined:
        """How its lines are read; if that was left open, it is found by looking at the text.

        Of several text files, each one is then looked at where it is read; this is how most of the text is laid out.
        """

    @property
    @abstractmethod
    def layout_reason(self) -> str:
        """Why the layout was chosen, in a sentence; empty where it was asked for, or is the ordinary one.

        When `blocks` has read all, it says how many files are wrapped, if some are and others not.
        """

    @property
    @abstractmethod
    def lang(self) -> str:
        """The language whose rules end sentences; if that was left open, it is found by looking at the text."""

    @abstractmethod
    def samples(self) -> list[str]:
        """Some of the text, about a million characters at most, in stretches of whole lines as they stand there.

        A sample of files is spread over all of them; of a stream it is the beginning, which `blocks` gives again.
        Lines of ready words need no segmentation: they have no samples.
        """

    def sample(self) -> str:
        """The samples in one string, for choosing a segmentation."""
        return "\n".join(self.samples())

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """All lines in order, a block at a time; the last document is closed by an empty line.

        A line of text longer than `stretches.LONGEST` goes on in the next block: it is cut where no word can span.

        Raises:
            FirthError: the text cannot be read, is in another encoding, or changed while it was read.
        """

    @abstractmethod
    def identity(self) -> list[Any] | None:
        """What stays equal while the files do, as values for JSON; None for what can be read only once."""


def read(
    sources: str | os.PathLike[str] | Iterable[Any],
    preparation: Preparation = Preparation(),  # noqa: B008 - a value that never changes
    *,
    splits_sentences: bool = False,
    block_characters: int = BLOCK_CHARACTERS,
) -> Corpus:
    """A corpus of files or of lines that Python holds or makes.

    Args:
        sources: a path; or several `pathlib.Path`; or an iterable of strings, each a line or several, where
            an empty one ends a document; or an iterable of sequences, each a line of ready words (what is
            not a string is shown by `str`), where an empty one ends a document. A path is a file, a folder, a
            pattern such as `books/*.txt`, or `-` for standard input; see `firth.sources.find`.
        preparation: how text is read.
        splits_sentences: what the preparation's `auto` means for sentences.
        block_characters: the size of a block, on which no word depends.

    Returns:
        The corpus, not yet read. An iterable is consumed once.

    Raises:
        FirthError: a path that is missing, a folder or pattern without files, a file that is no text.
        UsageError: sources of no such kind, or a preparation that does not fit them.
    """
    found = find(sources, preparation)
    splits = preparation.sentences == "split" or (preparation.sentences == "auto" and splits_sentences)
    if isinstance(found, Sources):
        return _Text(found, preparation, splits, block_characters)
    if preparation.sentences == "split" or preparation.layout in ("wrapped", "file"):
        raise UsageError("the corpus gives ready words, a list for each line: there are no lines or sentences to find")
    return _ReadyWords(found, block_characters)


class _Text(Corpus):
    """Text of files or strings."""

    has_ready_words = False

    def __init__(
        self, sources: Sources, preparation: Preparation, splits_sentences: bool, block_characters: int
    ) -> None:
        self._sources = sources
        self._preparation = preparation
        self._block_characters = block_characters
        self._longest = _Longest()
        self._n_files = self._n_wrapped = 0  # of those looked at one by one
        self.splits_sentences = splits_sentences
        self.name = sources.name
        self.kept_names = sources.kept_names
        self.kept = deque()
        self.faults = sources.faults
        if preparation.lang is not None:
            remark = layouts.remark_on_language(preparation.lang)
            if not splits_sentences:
                remark = (
                    f"lang {preparation.lang} changes nothing, since lines stay whole (--sentences split parts them)"
                )
            self.faults.remarks += [remark] if remark else []

    @property
    def total_bytes(self) -> int | None:
        return self._sources.total_bytes

    @property
    def done_bytes(self) -> int:
        return self._sources.done_bytes

    @property
    def longest_line(self) -> LongestLine:
        return self._longest.line

    @property
    def layout(self) -> layouts.Joined:
        return self._recognised[0]

    @property
    def layout_reason(self) -> str:
        if self._n_wrapped != (self._n_files if self.layout == "wrapped" else 0):
            return f"{self._n_wrapped:,} of {self._n_files:,} files are hard-wrapped: their lines were joined"
        return self._recognised[1]

    @cached_property
    def lang(self) -> str:
        return self._preparation.lang or layouts.language(self._samples)

    def samples(self) -> list[str]:
        return self._samples

    def blocks(self) -> Iterator[str]:
        self.kept.clear()
        return stretches.blocks(self._pieces(), self._block_characters, self._preparation.inner)

    def identity(self) -> list[Any] | None:
        return self._sources.identity()

    @cached_property
    def _samples(self) -> list[str]:
        samples = self._sources.samples()
        if not self._preparation.drop:
            return samples
        return ["".join(markup.cleaned([sample], self._preparation.drop, Counter())) for sample in samples]

    @cached_property
    def _recognised(self) -> tuple[layouts.Joined, str]:
        if self._preparation.layout != "auto":
            return self._preparation.layout, ""
        return layouts.recognised(self._samples)

    def _pieces(self) -> Iterator[str]:
        usual = self.layout
        are_several = self._preparation.layout == "auto" and len(self._sources.identity() or ()) > 1
        self._n_files = self._n_wrapped = 0
        self.faults.dropped.clear()
        lang = self.lang if self.splits_sentences else None
        n_lines = 0
        kept: Kept = ()
        number = 0
        name = ""
        for unit in self._sources.units():
            number = number + 1 if unit.name == name else 1
            name = unit.name
            layout = usual
            if are_several and not unit.is_record:
                beginning, texts = _begun(unit.texts)
                unit = unit._replace(texts=texts)
                layout = layouts.of_file(beginning, "wrapped" if usual == "wrapped" else "lines")
                self._n_files += 1
                self._n_wrapped += layout == "wrapped"
            unit = unit._replace(texts=self._longest.passing(unit, number))
            if unit.kept != kept:
                kept = unit.kept
                self.kept.append((n_lines, kept))
            for piece in self._lines(unit, layout, lang):
                if self.kept_names:
                    n_lines += piece.count("\n")
                yield piece

    def _lines(self, unit: Unit, layout: layouts.Joined, lang: str | None) -> Iterator[str]:
        """The lines of a unit, which closes its last line and its document."""
        pieces = layouts.lines(unit.texts, layout=layout, is_record=unit.is_record)
        if layout == "lines" and not unit.is_record:
            pieces = _closed(pieces)
        if drop := self._preparation.drop:
            whole = stretches.blocks(pieces, self._block_characters, self._preparation.inner)
            pieces = markup.cleaned(whole, drop, self.faults.dropped)
        return pieces if lang is None else layouts.sentences(pieces, lang)


def _begun(texts: Iterator[str]) -> tuple[str, Iterator[str]]:
    """The whole lines that a file begins with, and all of its texts."""
    taken = []
    n_characters = 0
    for text in texts:
        taken.append(text)
        n_characters += len(text)
        if n_characters >= layouts.BEGINNING_CHARACTERS:
            break
    beginning = "".join(taken)[: layouts.BEGINNING_CHARACTERS]
    return beginning[: beginning.rfind("\n") + 1] or beginning, chain(taken, texts)


class _Longest:
    """Watches lines go by for the longest one; only where a longer one may end is looked at."""

    def __init__(self) -> None:
        self.line = LongestLine(0, "", "")

    def passing(self, unit: Unit, number: int) -> Iterator[str]:
        """The texts of a unit; `number` is that of a record in its file."""
        n_before = n_carried = 0  # lines; characters of the last one in the texts before
        carried_number = 1
        begins = ""
        for text in unit.texts:
            start = 0
            while True:
                reach = start + max(0, self.line.n_characters - n_carried + 1)
                end = text.rfind("\n", start, reach)  # lines that end before are no longer
                if end < 0:
                    end = text.find("\n", reach)
                    if not n_carried:
                        begins = text[start : start + _SHOWN_CHARACTERS]
                        carried_number = n_before + text.count("\n", 0, start) + 1
                    if end < 0:
                        n_carried += len(text) - start
                        break
                    self._meet(n_carried + end - start, unit, number, carried_number, begins)
                start = end + 1
                n_carried = 0
            n_before += text.count("\n")
            yield text
        self._meet(n_carried, unit, number, carried_number, begins)

    def _meet(self, n_characters: int, unit: Unit, record: int, line: int, begins: str) -> None:
        if n_characters > self.line.n_characters:
            place = f"{unit.name}, record {record}" if unit.is_record else f"{unit.name}, line {line}"
            self.line = LongestLine(n_characters, place, begins.split("\n", 1)[0])


def _closed(pieces: Iterator[str]) -> Iterator[str]:
    last = "\n"
    for piece in pieces:
        yield piece
        last = piece or last
    yield "\n" if last.endswith("\n") else "\n\n"


class _ReadyWords(Corpus):
    """Sequences from an iterable, each a line of words that are taken as they are."""

    has_ready_words = True
    splits_sentences = False
    kept_names = ()
    total_bytes = None
    done_bytes = 0
    longest_line = LongestLine(0, "", "")
    layout: Literal["lines"] = "lines"
    layout_reason = ""
    lang = ""

    def __init__(self, words: ReadyWords, block_characters: int) -> None:
        self._words = words
        self._block_characters = block_characters
        self.name = words.name
        self.kept = deque()
        self.faults = Faults()

    def samples(self) -> list[str]:
        return []

    def blocks(self) -> Iterator[list[list[str]]]:
        lines: list[list[str]] = []
        n_characters = 0
        for number, line in enumerate(self._words.lines(), start=1):
            lines.append(line)
            length = sum(map(len, line)) + len(line)
            n_characters += length
            if length - 1 > self.longest_line.n_characters:
                begins = " ".join(line[:_SHOWN_CHARACTERS])[:_SHOWN_CHARACTERS]
                self.longest_line = LongestLine(length - 1, f"{self.name}, line {number}", begins)
            if n_characters >= self._block_characters:
                self.done_bytes += n_characters
                yield lines
                lines, n_characters = [], 0
        self.done_bytes += n_characters
        yield [*lines, []]

    def identity(self) -> None:
        return None
