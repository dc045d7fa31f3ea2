"""A corpus in which every occurrence of a word is found at once: its sentence, its document, what was kept with that.

The corpus is read once, sentence by sentence, into files: the sentences, the number of each word, and the places of
each word one behind the other. In memory are the different words, and 32 bytes for a sentence; the files have the
corpus' text, and 8 bytes for a word. They stay in the cache for the next time, where the corpus is of files.

T words of the corpus, W different ones, N sentences
"""

import json
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth import cache, occurrences
from firth import corpus as corpora
from firth.alignment import cut_texts
from firth.corpus import Corpus
from firth.errors import FirthError, UsageError
from firth.explanations import explained, known_parts, nearest_spellings
from firth.explorer.faults import NoSuchWordError
from firth.files import printable, without_folders
from firth.formats import safetensors
from firth.occurrences import Store
from firth.parts import Given
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation, choose

FORMAT: Final = 2
MOST_CHARACTERS: Final = 4_000
"""Of a sentence, at most; a longer one, as a text without line ends is, becomes several."""
SHOWN_CHARACTERS: Final = 240
"""Of a sentence, at most so many on either side of the word."""

_ARRAYS: Final = "index.safetensors"
_ABOUT: Final = "index.json"
_PART_END: Final = re.compile(r"\s|[\u3001\u3002\uff01\uff0c\uff1b\uff1f]")  # white space; Chinese marks

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False)


class Occurrence(NamedTuple):
    """A word in a sentence.

    Attributes:
        line: The number of the sentence, counted from 0.
        document: Of its document.
        text: The sentence.
        start: The character that the word begins with.
        end: The one behind its last.
        columns: What was kept with the document, by name.
    """

    line: int
    document: int
    text: str
    start: int
    end: int
    columns: dict[str, str | None]

    def shown(self) -> "Occurrence":
        """The same, with no more of a long sentence than can be read around the word."""
        first = max(0, self.start - SHOWN_CHARACTERS)
        text = self.text[first : self.end + SHOWN_CHARACTERS]
        return self._replace(text=text, start=self.start - first, end=self.end - first)


@dataclass(frozen=True, kw_only=True)
class _Cutting:
    segmentation: Segmentation


class _Documents:
    """Lines as they go by, with the document of each and what was kept with it."""

    def __init__(self, corpus: Corpus) -> None:
        self._coming: deque[tuple[int, Any]] = corpus.kept
        self._lines = occurrences.lines_of(corpus)
        self.documents: list[int] = []
        self.labels: list[int] = []
        self.kept: dict[tuple[str | None, ...], int] = {(None,) * len(corpus.kept_names): 0}  # and their numbers

    def __iter__(self) -> Iterator[Given]:
        document, label = 0, 0
        is_open = False
        for number, line in enumerate(self._lines):
            while self._coming and self._coming[0][0] <= number:
                label = self.kept.setdefault(tuple(self._coming.popleft()[1]), len(self.kept))
            is_empty = not line or (isinstance(line, str) and line.isspace())
            if is_empty and is_open:
                document += 1
            is_open = not is_empty
            for part in _parts(line):
                self.documents.append(document)
                self.labels.append(label)
                yield part


def _parts(line: Given) -> Iterator[Given]:
    """A line; a long one in parts, which end between words, where any end is near."""
    first = 0
    while isinstance(line, str) and len(line) - first > MOST_CHARACTERS:
        last = first + MOST_CHARACTERS
        for end in _PART_END.finditer(line, last - MOST_CHARACTERS // 2, last):
            last = end.end()
        yield line[first:last]
        first = last
    yield line[first:] if first else line


class Concordance:
    """The index of a corpus, on disk.

    Attributes:
        name: What the corpus is called.
        columns: The names of what was kept with its documents.
        segmentation: How its text became words.
    """

    def __init__(self, folder: Path) -> None:
        """The index in a folder, which stays when it is closed, unless `closing` holds what deletes it.

        Raises:
            FirthError: it is damaged, or none.
        """
        arrays = safetensors.read(folder / _ARRAYS)
        try:
            about = json.loads((folder / _ABOUT).read_bytes())
            self.name: str = about["name"]
            self.columns: tuple[str, ...] = tuple(about["columns"])
            self._kept: list[list[str | None]] = about["kept"]
            self.segmentation = Segmentation.from_settings(about["segmentation"])
            self._preparation = Preparation.from_settings(about["preparation"])
            names: list[str | None] = about["words"]
            self._places, self._firsts = arrays["places"], arrays["firsts"]
            self._documents, self._labels = arrays["documents"], arrays["labels"]
            self._store = Store(
                folder,
                names,
                np.diff(self._firsts),
                self._places,
                arrays["line_ends"],
                arrays["offsets"],
                True,
                np.arange(len(arrays["line_ends"])),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FirthError(f"the index in {printable(str(folder))} is damaged: {printable(str(error))}") from error
        self.closing = ExitStack()

    def close(self) -> None:
        """Deletes the files of a corpus that cannot be known again; nothing is asked after that."""
        self.closing.close()

    @property
    def python(self) -> str:
        """What makes the same index in Python, with `indexed` of this module."""
        usual = Preparation().completed(cased=False, punctuation=False)
        told = []
        for field in fields(Preparation):
            value = getattr(self._preparation, field.name)
            if value != getattr(usual, field.name):
                shown = without_folders(str(value)) if isinstance(value, str | Path) else value
                told.append(f"{field.name}={shown!r}")
        prepared = f", firth.Preparation({', '.join(told)})" if told else ""
        return f"indexed(CORPUS{prepared})"

    @property
    def n_words(self) -> int:
        """T."""
        return len(self._places)

    @property
    def n_types(self) -> int:
        """How many different words there are."""
        return len(self._numbers)

    @property
    def n_lines(self) -> int:
        """N."""
        return len(self._store.line_ends)

    @property
    def n_documents(self) -> int:
        """How many documents have sentences."""
        return int(self._documents[-1]) + 1 if len(self._documents) else 0

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self._store.words) if word is not None}

    @cached_property
    def by_frequency(self) -> list[str]:
        """The words, the most frequent first."""
        counts = self._store.counts
        return sorted(self._numbers, key=lambda word: -counts[self._numbers[word]])

    def count(self, word: str) -> int:
        """How often a word occurs, as the corpus has it; 0 where it does not."""
        number = self._numbers.get(word)
        return 0 if number is None else int(self._store.counts[number])

    def word(self, typed: str) -> str:
        """The word of the corpus that someone typed, as it stands or normalised.

        Raises:
            NoSuchWordError: it does not occur; the message names what is spelt alike.
        """
        for candidate in (typed, self.segmentation.normalize(typed.strip())):
            if candidate in self._numbers:
                return candidate
        message = f"in the corpus, {explained(typed, self.by_frequency, self._numbers)}"
        spellings = nearest_spellings(typed[:50], self.by_frequency)
        raise NoSuchWordError(message, typed, spellings, known_parts(typed, self._numbers))

    def sample(self, word: str, most: int, seed: int) -> list[Occurrence]:
        """At most `most` occurrences of a word, evenly from all of them, in the order of the corpus.

        Raises:
            NoSuchWordError: it does not occur.
        """
        number = self._numbers[self.word(word)]
        places: NDArray[Any] = self._places[self._firsts[number] : self._firsts[number + 1]]
        if len(places) > most:
            places = places[np.sort(np.random.default_rng(seed).choice(len(places), most, replace=False))]
        ends = self._store.line_ends
        lines = np.searchsorted(ends, places, side="right")
        positions = places - np.append(0, ends)[lines]
        distinct, which = np.unique(lines, return_inverse=True)
        cuts = cut_texts([self._text(line) for line in distinct.tolist()], self.segmentation)
        found = []
        for at, line, position in zip(which.tolist(), lines.tolist(), positions.tolist(), strict=True):
            cut = cuts[at]
            if position >= len(cut.words):  # of a text that changed beneath us
                continue
            kept = self._kept[int(self._labels[line])]
            found.append(
                Occurrence(
                    line=line,
                    document=int(self._documents[line]),
                    text=cut.text,
                    start=int(cut.starts[position]),
                    end=int(cut.ends[position]),
                    columns=dict(zip(self.columns, kept, strict=True)),
                )
            )
        return found

    def some(self, n: int, seed: int) -> list[str]:
        """At most `n` sentences, drawn by a seed, in the order of the corpus."""
        lines = np.arange(self.n_lines)
        if len(lines) > n:
            lines = np.sort(np.random.default_rng(seed).choice(self.n_lines, n, replace=False))
        return [self._text(line) for line in lines.tolist()]

    def _text(self, line: int) -> str:
        given = self._store.line(line)
        return given if isinstance(given, str) else " ".join(given)


def indexed(
    sources: Any,
    preparation: Preparation | None = None,
    *,
    told: Any = None,
    name: str | None = None,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Concordance:
    """The index of a corpus: that from the cache, or one that is made now.

    Args:
        sources: As of `firth.train`.
        preparation: How the text is read; words are lower-cased unless it says otherwise.
        told: What stays equal while the corpus does, of one that is not of files; None where nothing does, and then
            it is made anew each time, and goes when it is closed.
        name: What the corpus is called; by default as its files are.
        cache_dir: Where it is kept.
        progress: Shows how far it is.

    Raises:
        FirthError: the corpus cannot be read, or has no words.
        UsageError: it gives ready words.
    """
    progress = progress or Silent()
    preparation = (preparation or Preparation()).completed(cased=False, punctuation=False)
    corpus = corpora.read(sources, preparation, splits_sentences=True)
    if corpus.has_ready_words:
        raise UsageError("the corpus gives ready words; the explorer shows sentences, and reads text")
    identity = corpus.identity() if told is None else told
    settings = preparation.settings()
    about = {"explorer": FORMAT, "corpus": identity, "preparation": settings}
    called = corpus.name if name is None else name

    def make(folder: Path) -> None:
        _write(folder, corpus, preparation, called, progress)

    if identity is not None:
        index = cache.features(about, called, 0, make, Concordance, cache_dir=cache_dir)
        index.name = called  # whatever who made it called it: that may name a folder
        return index
    with ExitStack() as closing:
        folder = closing.enter_context(cache.scratch(called, cache_dir=cache_dir))
        make(folder)
        index = Concordance(folder)
        index.closing = closing.pop_all()
        return index


def _write(folder: Path, corpus: Corpus, preparation: Preparation, name: str, progress: Progress) -> None:
    segmentation, _, _ = choose(corpus.sample(), preparation)
    lines = _Documents(corpus)
    with progress.stage("reading the corpus") as advance:
        store = occurrences.stored(
            _Cutting(segmentation=segmentation),
            lines,
            folder,
            most_types=preparation.max_types,
            advance=advance,
            fraction=lambda: corpus.done_bytes / corpus.total_bytes if corpus.total_bytes else None,
        )
    if not store.n_tokens:
        raise FirthError(f"the corpus {printable(name)} has no words")
    with progress.stage("finding the places of its words"):
        firsts = np.append(0, np.cumsum(store.counts))
        dtype = np.int32 if store.n_tokens < 1 << 31 else np.int64
        places = np.empty(store.n_tokens, dtype)
        _sort_places(store.type_ids, firsts[:-1].copy(), places)
    numbers = store.numbers
    safetensors.write(
        folder / _ARRAYS,
        {
            "places": places,
            "firsts": firsts.astype(np.int64),
            "line_ends": store.line_ends,
            "offsets": store.offsets,
            "documents": _renumbered(np.array(lines.documents, np.int64)[numbers]),
            "labels": np.array(lines.labels, np.int64)[numbers],
        },
    )
    about = {
        "name": name,
        "columns": list(corpus.kept_names),
        "kept": [list(values) for values in lines.kept],
        "segmentation": segmentation.settings(),
        "preparation": preparation.settings(),
        "words": store.words,
    }
    (folder / _ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def _renumbered(documents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of documents without those of documents that have no sentence."""
    return np.unique(documents, return_inverse=True)[1].astype(np.int64)


@compiled
def _sort_places(type_ids: Any, following: Any, places: Any) -> None:
    """Fills `places` with the places of the words, word by word; `following` has where each one's begin."""
    for place in range(len(type_ids)):
        number = type_ids[place]
        places[following[number]] = place
        following[number] += 1


def settings_of(occurrence: Occurrence) -> dict[str, Any]:
    """An occurrence as the API gives it."""
    return occurrence.shown()._asdict()


def columns_by_frequency(found: Iterable[Occurrence], names: Sequence[str]) -> dict[str, list[str]]:
    """The values of each column among some occurrences, the most frequent first."""
    listed = list(found)
    columns = {}
    for name in names:
        values = [value for one in listed if (value := one.columns.get(name)) is not None]
        columns[name] = [value for value, _ in Counter(values).most_common()]
    return columns
