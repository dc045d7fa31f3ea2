"""Which occurrences of words are read in context: at most so many of each word, evenly from all of a text.

A text is read once. Its lines go to a file, and their words, as numbers, to another, so that any line can be looked up
again. Then words are chosen, and of each some occurrences, by one random order of stretches of the text that all words
share: a word takes its first occurrences in that order. For each word by itself that is a sample of all of them; and
since frequent words find theirs where rare ones have to look, few lines hold them all (coordinated samples: Brewer,
Early & Joyce 1972).

The lines are put in such an order that every word has one context before any has two, as far as may be, the most
frequent words first, so that whoever has to stop early has something of each.

T words of the text, W different words, N lines, R words chosen
"""

import json
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth import cache
from firth.alignment import cut_words
from firth.corpus import Corpus
from firth.errors import FirthError
from firth.files import printable
from firth.parts import Given, Wanted
from firth.progress import Progress
from firth.segmentation import Segmentation

STRETCH: Final = 64
"""Words that stand or fall together when occurrences are chosen, so that one endless line is a text as well."""

_SENTENCES_TOGETHER: Final = 256
_TYPES: Final = "types.i4"
_LINES: Final = "lines.jsonl"

Advance = Callable[[float | None, int], object]
compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False)


class Cutting(Protocol):
    """What knows how text becomes words, as an `Extraction`."""

    @property
    def segmentation(self) -> Segmentation:
        """How."""


class Store(NamedTuple):
    """A text that was read, on disk.

    Attributes:
        folder: Where its files are.
        words: The different words by their numbers, W; None in the place of one that was dropped.
        counts: (W,) how often each occurs.
        type_ids: (T,) int32, mapped: the numbers of its words; -1 of those that were not asked for.
        line_ends: (N,) int64, how many words stand before each line's end.
        offsets: (N + 1,) int64, the bytes where the lines begin in their file.
        is_whole: Whether the text was read to its end.
        numbers: (N,) int64, the number of each line among all that were given, empty ones counted.
    """

    folder: Path
    words: list[str | None]
    counts: NDArray[np.int64]
    type_ids: NDArray[np.int32]
    line_ends: NDArray[np.int64]
    offsets: NDArray[np.int64]
    is_whole: bool
    numbers: NDArray[np.int64]

    @property
    def n_tokens(self) -> int:
        """T."""
        return len(self.type_ids)

    def line(self, number: int) -> Given:
        """A line as it was given."""
        with (self.folder / _LINES).open("rb") as file:
            file.seek(int(self.offsets[number]))
            given: Given = json.loads(file.read(int(self.offsets[number + 1] - self.offsets[number])))
        return given


class Chosen(NamedTuple):
    """The occurrences that are to be read, line by line.

    Attributes:
        lines: (n,) the numbers of the lines, in the order of reading.
        firsts: (n + 1,) where the occurrences of each begin in what follows.
        places: (C,) the position of each occurrence in its line.
        rows: (C,) which of the chosen words it is of.
    """

    lines: NDArray[np.int64]
    firsts: NDArray[np.int64]
    places: NDArray[np.int64]
    rows: NDArray[np.int64]


def lines_of(corpus: Corpus) -> Iterator[Given]:
    """The lines of a corpus, each whole; those without anything in them too, since they end documents."""
    begun: list[str] = []  # of a line that is longer than a block
    for block in corpus.blocks():
        if not isinstance(block, str):
            yield from block
            continue
        *lines, rest = block.split("\n")
        for line in lines:
            yield "".join([*begun, line])
            begun = []
        if rest:
            begun.append(rest)
    if begun:
        yield "".join(begun)


def stored(
    asked: Cutting,
    lines: Iterable[Given],
    folder: Path,
    *,
    words: Sequence[str] | None = None,
    most_words: float = float("inf"),
    most_types: int = 20_000_000,
    is_late: Callable[[], bool] = lambda: False,
    advance: Advance = lambda fraction, n_words: None,
    fraction: Callable[[], float | None] = lambda: None,
) -> Store:
    """The text of `lines`, read to its end, in `folder`. In memory are its different words, and 16 bytes for a line.

    Args:
        asked: Cuts text into words.
        lines: Texts, or sequences of words. Empty ones are passed over.
        folder: A directory that exists; nobody else writes there.
        words: Those that are wanted; None counts all.
        most_words: Reading ends after so many.
        most_types: At most so many different words are counted at a time; beyond, the rarer half so far are dropped.
        is_late: Whether to end reading here.
        advance: Told how far it is.
        fraction: Tells the part that has been read, if anyone knows.

    Raises:
        FirthError: the folder cannot be written (disk full).
    """
    is_open = words is None
    numbers = _Numbers() if words is None else dict(zip(words, range(len(words)), strict=True))
    counts = np.zeros(1 << 16, np.int64)
    n_tokens = 0
    ends, offsets, numbered = array("q"), array("q", [0]), array("q")
    is_whole = True
    given = (
        (number, line) for number, line in enumerate(lines) if line and not (isinstance(line, str) and line.isspace())
    )
    try:
        with (folder / _LINES).open("wb") as texts, (folder / _TYPES).open("wb") as types:
            while together := list(islice(given, _SENTENCES_TOGETHER)):
                texts_only = [line for _, line in together]
                for (number, line), of_line in zip(together, _words_of(asked, texts_only), strict=True):
                    if not of_line:
                        continue
                    ids = [numbers[word] if is_open else numbers.get(word, -1) for word in of_line]
                    found = np.array(ids, np.int32)
                    counts = _counted(counts, found)
                    types.write(found.data)
                    text = line if isinstance(line, str) else [str(word) for word in line]
                    offsets.append(offsets[-1] + texts.write(json.dumps(text, ensure_ascii=False).encode()))
                    n_tokens += len(ids)
                    ends.append(n_tokens)
                    numbered.append(number)
                if isinstance(numbers, _Numbers) and len(numbers) > most_types:
                    numbers.drop_rare(counts)
                advance(fraction(), n_tokens)
                if n_tokens >= most_words or is_late():
                    is_whole = next(given, None) is None
                    break
    except OSError as error:
        raise FirthError(
            f"cannot keep the text in {printable(str(folder))} to look it up again: {error.strerror}; --cache-dir "
            "names another place"
        ) from error
    n_types = numbers.n_issued if isinstance(numbers, _Numbers) else len(numbers)
    by_number: list[str | None] = [None] * n_types
    for word, number in numbers.items():
        by_number[number] = word
    counts = np.append(counts, np.zeros(max(0, n_types - len(counts)), np.int64))[:n_types]
    type_ids: NDArray[np.int32] = np.empty(0, np.int32)
    if n_tokens:
        type_ids = np.memmap(folder / _TYPES, np.int32, "r").view(np.ndarray)
    line_ends, begins = np.frombuffer(ends, np.int64), np.frombuffer(offsets, np.int64)
    return Store(folder, by_number, counts, type_ids, line_ends, begins, is_whole, np.frombuffer(numbered, np.int64))


@contextmanager
def kept(
    asked: Cutting,
    lines: Iterable[Given],
    cache_dir: str | os.PathLike[str] | None,
    progress: Progress,
    **how: Any,
) -> Iterator[Store]:
    """The same in a folder of its own, which goes with the block; what is told `how` is as of `stored`."""
    with cache.scratch("contexts of words", cache_dir=cache_dir) as folder:
        with progress.stage("looking for words") as advance:
            store = stored(asked, lines, folder, advance=advance, **how)
        yield store


def _words_of(asked: Cutting, lines: Sequence[Given]) -> Iterator[list[str]]:
    """The words of lines as `parts.cuts_of` finds them, without their places, which takes longer."""
    texts = [line.replace("\n", " ") for line in lines if isinstance(line, str)]
    split = asked.segmentation.split(asked.segmentation.blanked("".join(f"{text}\n" for text in texts)))
    words = split.words()
    last = 0
    ends = iter(split.line_ends.tolist())
    for line in lines:
        if isinstance(line, str):
            first, last = last, next(ends)
            yield words[first:last]
        else:
            yield [asked.segmentation.normalize(word) or word for word in cut_words(line).words]


class _Numbers(dict[str, int]):
    """Words and their numbers, given out in order; no number is given out twice."""

    def __init__(self) -> None:
        super().__init__()
        self.n_issued = 0

    def __missing__(self, word: str) -> int:
        number = self[word] = self.n_issued
        self.n_issued += 1
        return number

    def drop_rare(self, counts: NDArray[np.int64]) -> None:
        """Drops the words that occur no more often than half of them do."""
        words = list(self)
        of_each = counts[np.fromiter(self.values(), np.int64, len(words))]
        for word, is_rare in zip(words, (of_each <= np.median(of_each)).tolist(), strict=True):
            if is_rare:
                del self[word]


def _counted(counts: NDArray[np.int64], ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """Counts with those of `ids` added; longer, where there are new ones."""
    highest = int(ids.max()) if len(ids) else -1
    if highest >= len(counts):
        counts = np.append(counts, np.zeros(max(len(counts), highest + 1 - len(counts)), np.int64))
    np.add.at(counts, ids[ids >= 0], 1)
    return counts


def most_frequent(store: Store, top: int) -> NDArray[np.int64]:
    """(R,) the numbers of the most frequent words, at most `top`; of equal counts, the one that comes first."""
    there = np.array([number for number, word in enumerate(store.words) if word is not None], np.int64)
    there = there[store.counts[there] > 0]
    return there[np.argsort(-store.counts[there], kind="stable")[:top]]


def choose(store: Store, words: NDArray[np.int64], most: int, seed: int) -> Chosen:
    """At most `most` occurrences of each of the words, and the lines that they stand in.

    Args:
        store: The text.
        words: (R,) their numbers.
        most: Of each.
        seed: Decides which.
    """
    row_of = np.full(len(store.words) + 1, -1, np.int64)  # the last is that of -1
    row_of[words] = np.arange(len(words))
    ends = _stretches(store.line_ends)
    order = np.random.default_rng(seed).permutation(len(ends))
    n = int(np.minimum(store.counts[words], most).sum())
    places, rows, rounds = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    n = _choose(store.type_ids, ends, order, row_of, most, np.zeros(len(words), np.int64), places, rows, rounds)
    return in_lines(store, places[:n], rows[:n], rounds[:n])


def in_lines(store: Store, places: NDArray[np.int64], rows: NDArray[np.int64], rounds: NDArray[np.int64]) -> Chosen:
    """Occurrences by their places in the text, line by line: first those with one of a low round, and of a low row.

    Args:
        store: The text.
        places: (C,) counted from 0 through all of it.
        rows: (C,) as of `Chosen`.
        rounds: (C,) how many of the same word come before it.
    """
    of_each = np.searchsorted(store.line_ends, places, side="right")
    lines, inverse = np.unique(of_each, return_inverse=True)
    first_round = np.full(len(lines), np.iinfo(np.int64).max)
    first_row = first_round.copy()
    np.minimum.at(first_round, inverse, rounds)
    is_first = rounds == first_round[inverse]
    np.minimum.at(first_row, inverse[is_first], rows[is_first])
    order = np.lexsort((first_row, first_round))
    rank = np.empty(len(lines), np.int64)
    rank[order] = np.arange(len(lines))
    begins = np.append(0, store.line_ends)[of_each]
    sorting = np.lexsort((places, rank[inverse]))
    firsts = np.append(0, np.cumsum(np.bincount(rank[inverse], minlength=len(lines))))
    return Chosen(lines[order], firsts.astype(np.int64), (places - begins)[sorting], rows[sorting])


def _stretches(line_ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """(S,) where the stretches end: with their line, and every STRETCH words of a longer one."""
    begins = np.append(0, line_ends[:-1])
    n_of_line = -(-(line_ends - begins) // STRETCH)
    line = np.repeat(np.arange(len(line_ends)), n_of_line)
    number = np.arange(len(line)) - np.repeat(np.cumsum(n_of_line) - n_of_line, n_of_line)
    ends: NDArray[np.int64] = np.minimum(begins[line] + (number + 1) * STRETCH, line_ends[line])
    return ends


@compiled
def _choose(
    type_ids: Any, ends: Any, order: Any, row_of: Any, most: int, taken: Any, places: Any, rows: Any, rounds: Any
) -> int:
    """Fills places, rows and rounds with the occurrences; returns how many there are."""
    n = 0
    for stretch in order:
        first = ends[stretch - 1] if stretch else 0
        for place in range(first, ends[stretch]):
            row = row_of[type_ids[place]]
            if row >= 0 and taken[row] < most:
                places[n] = place
                rows[n] = row
                rounds[n] = taken[row]
                taken[row] += 1
                n += 1
    return n


class Read:
    """The lines of what was chosen, one after the other, as an extraction takes them; and how far it is."""

    def __init__(
        self,
        store: Store,
        chosen: Chosen,
        *,
        most_words: float = float("inf"),
        is_late: Callable[[], bool] = lambda: False,
    ) -> None:
        """All lines, or so many that they have `most_words` words, or until it is late; one at least."""
        self._store = store
        self._chosen = chosen
        self._most_words = most_words
        self.is_late = is_late
        self._lengths = np.diff(store.line_ends, prepend=0)[chosen.lines]
        self.n_words = 0

    def __iter__(self) -> Iterator[Wanted]:
        """The lines, each with the places that are wanted."""
        chosen = self._chosen
        for number, line in enumerate(chosen.lines.tolist()):
            if number and (self.n_words >= self._most_words or self.is_late()):
                return
            self.n_words += int(self._lengths[number])
            yield Wanted(
                self._store.line(line), np.unique(chosen.places[chosen.firsts[number] : chosen.firsts[number + 1]])
            )

    @property
    def fraction(self) -> float:
        """Of the words that may be read."""
        return min(1.0, self.n_words / max(1, min(float(self._lengths.sum()), self._most_words)))
