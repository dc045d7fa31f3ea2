"""Counted words -> the merges of byte-pair encoding, the same in every run.

Sennrich et al. 2016, section 3.2: the most frequent pair of neighbouring symbols becomes a symbol, again and again. A
tie goes to the pair whose symbols came first, so that equal counts give equal merges, whatever order or process.

Symbols live in one array for all words, with links to the neighbours that are left. A pair is born when the younger of
its symbols is, all of its occurrences at once, and only loses some afterwards: they are written down once, and a
queue of counts needs no change but a look at whether its best count still holds.
"""

import heapq
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False)

int64 = np.int64
uint64 = np.uint64

Marks = Literal["inside", "end", "none"]
"""Which symbols tell their place in the word: `##` on those that do not begin it, `</w>` on the last one, or none."""

_MARKS: Final[dict[Marks, tuple[str, str]]] = {"inside": ("##", ""), "end": ("", "</w>"), "none": ("", "")}
_RAREST_SHARE: Final = 1e-6  # of the text's characters: what is rarer is not worth an entry of its own
_MOST_CHARACTERS: Final = 0.75  # of the entries
_LEAST_COUNT: Final = 2  # of a pair that is merged
_MOST_SYMBOLS: Final = 1 << 23  # of all words at the beginning: 40 bytes are needed for each
_FEWEST_SLOTS: Final = 1 << 12


class Merges(NamedTuple):
    """What was learnt.

    Attributes:
        symbols: The entries in order: characters, then what the merges make.
        pairs: The merges in order.
        n_dropped: How many of the rarest words were left out for want of memory.
    """

    symbols: list[str]
    pairs: list[tuple[str, str]]
    n_dropped: int


def learn(
    counts: Mapping[str, int],
    n_symbols: int,
    marks: Marks,
    *,
    alphabet: Iterable[str] = (),
    most_symbols: int = _MOST_SYMBOLS,
) -> Merges:
    """At most `n_symbols` entries for words that occur so often.

    Characters, those marked for their place apart from others, get an entry where they make up a millionth of the text,
    the most frequent first, in three quarters of the entries at most; words with others in them teach nothing.

    Args:
        counts: How often each word occurs.
        n_symbols: The most entries.
        marks: How the place in the word shows.
        alphabet: Characters that have an entry whether they occur or not; if there are any, no others have.
        most_symbols: Where the words have more characters, the rarest words are left out.
    """
    words = sorted(word for word, count in counts.items() if word and count > 0)
    n_before = len(words)
    if sum(map(len, words)) > most_symbols:
        words.sort(key=lambda word: -counts[word])
        n_kept = int(np.searchsorted(np.cumsum([len(word) for word in words]), most_symbols, side="right"))
        words = sorted(words[: max(1, n_kept)])
    n_dropped = n_before - len(words)
    symbols, of_position, ends, weights = _alphabet(words, counts, n_symbols, marks, sorted(alphabet))
    if not len(of_position):
        return Merges(symbols, [], n_dropped)
    text = _Text(of_position, ends, weights)
    known = set(symbols)
    pairs: list[tuple[str, str]] = []
    queue = [(-count, key, record) for record, (key, count) in enumerate(text.begin())]
    heapq.heapify(queue)
    prefix = _MARKS[marks][0]
    while len(symbols) < n_symbols and queue:
        negative, key, record = heapq.heappop(queue)
        count = int(text.counts[record])
        if count < _LEAST_COUNT:
            continue
        if count != -negative:
            heapq.heappush(queue, (-count, key, record))
            continue
        left, right = symbols[key >> 32], symbols[key & 0xFFFFFFFF]
        merged = left + right.removeprefix(prefix)
        if merged in known:  # of other parts: it has its entry
            text.counts[record] = 0
            continue
        pairs.append((left, right))
        for new_key, new_count, new_record in text.merge(record, key, len(symbols)):
            heapq.heappush(queue, (-new_count, new_key, new_record))
        symbols.append(merged)
        known.add(merged)
    return Merges(symbols, pairs, n_dropped)


def _alphabet(
    words: list[str], counts: Mapping[str, int], n_symbols: int, marks: Marks, alphabet: list[str]
) -> tuple[list[str], NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
    """The characters with an entry; and of the words made of them alone the symbols, ends and counts."""
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    weights = np.fromiter((counts[word] for word in words), np.int64, len(words))
    ends = np.cumsum(lengths)
    is_marked = np.zeros(len(codes), np.bool_)
    if marks == "inside":
        is_marked[:] = True
        is_marked[ends - lengths] = False
    elif marks == "end":
        is_marked[ends - 1] = True
    keys, symbol = np.unique(codes * 2 + is_marked, return_inverse=True)
    n_occurrences = np.bincount(symbol, np.repeat(weights, lengths), len(keys))
    if alphabet:
        has_entry = np.isin(keys >> 1, [ord(char) for char in alphabet])
    else:
        has_entry = n_occurrences >= _RAREST_SHARE * n_occurrences.sum()
        rarest_first = np.lexsort((-keys, n_occurrences))
        has_entry[rarest_first[: max(0, len(keys) - max(1, int(_MOST_CHARACTERS * n_symbols)))]] = False
    stays = np.ones(len(words), np.bool_)
    stays[np.repeat(np.arange(len(words)), lengths)[~has_entry[symbol]]] = False
    prefix, suffix = _MARKS[marks]
    strings = [prefix * (key & 1) + chr(key >> 1) + suffix * (key & 1) for key in keys[has_entry].tolist()]
    if alphabet:
        number = {char: place for place, char in enumerate(alphabet)}
        places = np.asarray([number.get(chr(key >> 1), -1) for key in keys.tolist()], np.int64)
        strings = alphabet
    else:
        places = np.cumsum(has_entry) - 1
    symbol = places[symbol][np.repeat(stays, lengths)]
    return strings, symbol.astype(np.int32), np.cumsum(lengths[stays]), weights[stays]


class _Text:
    """The symbols of all words, and where each pair of them stands.

    Attributes:
        counts: (n_records,) how often each pair occurs now.
    """

    def __init__(self, symbols: NDArray[np.int32], ends: NDArray[np.int64], weights: NDArray[np.int64]) -> None:
        n = len(symbols)
        self._symbols = symbols
        self._weights = np.ascontiguousarray(weights)
        self._word_of = np.repeat(np.arange(len(ends), dtype=np.int32), np.diff(ends, prepend=0))
        self._next = np.arange(1, n + 1, dtype=np.int32)
        self._next[ends - 1] = -1
        self._previous = np.arange(-1, n - 1, dtype=np.int32)
        self._previous[ends[:-1]] = -1
        self._previous[0] = -1
        self._positions = np.empty(n, np.int32)  # of the occurrences of all pairs
        self._n_positions = 0
        self._starts = np.empty(_FEWEST_SLOTS, np.int64)
        self._stops = np.empty(_FEWEST_SLOTS, np.int64)
        self.counts = np.empty(_FEWEST_SLOTS, np.int64)
        self._n_records = 0
        self._slot_keys = np.full(2 * _FEWEST_SLOTS, -1, np.int64)
        self._slot_records = np.empty(2 * _FEWEST_SLOTS, np.int32)

    def begin(self) -> list[tuple[int, int]]:
        """The pairs there are at the beginning, as keys, with their counts; their records count from 0."""
        places = np.flatnonzero(self._next >= 0)
        keys = self._symbols[places].astype(np.int64) << 32 | self._symbols[places + 1]
        found = self._add(keys, places.astype(np.int32))
        return [(key, count) for key, count, _ in found]

    def merge(self, record: int, key: int, new: int) -> list[tuple[int, int, int]]:
        """Makes one symbol, `new`, of a pair wherever it stands; the pairs born by that: key, count, record."""
        occurrences = self._positions[self._starts[record] : self._stops[record]].copy()
        keys = np.empty(2 * len(occurrences), np.int64)
        places = np.empty(2 * len(occurrences), np.int32)
        n = _merge(
            self._symbols, self._next, self._previous, self._word_of, self._weights, occurrences,
            key >> 32, key & 0xFFFFFFFF, new, self._slot_keys, self._slot_records, self.counts, keys, places,
        )  # fmt: skip
        self.counts[record] = 0
        return self._add(keys[:n], places[:n])

    def _add(self, keys: NDArray[np.int64], places: NDArray[np.int32]) -> list[tuple[int, int, int]]:
        """Writes new pairs down, but for those that are too rare ever to be merged."""
        order = np.argsort(keys, kind="stable")
        ordered, places = keys[order], places[order]
        firsts = np.flatnonzero(np.diff(ordered, prepend=-1))
        lengths = np.diff(firsts, append=len(ordered))
        weights = self._weights[self._word_of[places]]
        counts = np.add.reduceat(weights, firsts) if len(firsts) else np.empty(0, np.int64)
        is_kept = counts >= _LEAST_COUNT
        places = places[np.repeat(is_kept, lengths)]
        new_keys, counts, lengths = ordered[firsts][is_kept], counts[is_kept], lengths[is_kept]
        n, first = len(new_keys), self._n_records
        self._make_room(first + n, self._n_positions + len(places))
        stops = self._n_positions + np.cumsum(lengths)
        self._positions[self._n_positions : self._n_positions + len(places)] = places
        self._starts[first : first + n], self._stops[first : first + n] = stops - lengths, stops
        self.counts[first : first + n] = counts
        self._n_records += n
        self._n_positions += len(places)
        _enter(new_keys, first, self._slot_keys, self._slot_records)
        return list(zip(new_keys.tolist(), counts.tolist(), range(first, first + n), strict=True))

    def _make_room(self, n_records: int, n_positions: int) -> None:
        if n_positions > len(self._positions):
            self._positions = _enlarged(self._positions, max(n_positions, 3 * len(self._positions) // 2))
        if n_records > len(self.counts):
            size = max(2 * n_records, 2 * len(self.counts))
            self.counts, self._starts, self._stops = (
                _enlarged(array, size) for array in (self.counts, self._starts, self._stops)
            )
        if 2 * n_records > len(self._slot_keys):
            is_used = self._slot_keys >= 0
            keys, records = self._slot_keys[is_used], self._slot_records[is_used]
            size = 1 << (4 * n_records).bit_length()
            self._slot_keys, self._slot_records = np.full(size, -1, np.int64), np.empty(size, np.int32)
            _enter_all(keys, records, self._slot_keys, self._slot_records)


def _enlarged(array: NDArray[Any], length: int) -> NDArray[Any]:
    larger = np.empty(length, array.dtype)
    larger[: len(array)] = array
    return larger


@compiled
def _slot(key: Any, slot_keys: Any) -> Any:
    """Where the key lies, or the free slot where it belongs."""
    mask = uint64(len(slot_keys) - 1)
    bits = uint64(key) * uint64(0x9E3779B97F4A7C15)
    place = (bits ^ (bits >> uint64(32))) & mask
    while slot_keys[place] != -1 and slot_keys[place] != key:
        place = (place + uint64(1)) & mask
    return place


@compiled
def _enter(keys: Any, first: int, slot_keys: Any, slot_records: Any) -> None:
    for number in range(len(keys)):
        place = _slot(keys[number], slot_keys)
        slot_keys[place] = keys[number]
        slot_records[place] = first + number


@compiled
def _enter_all(keys: Any, records: Any, slot_keys: Any, slot_records: Any) -> None:
    for number in range(len(keys)):
        place = _slot(keys[number], slot_keys)
        slot_keys[place] = keys[number]
        slot_records[place] = records[number]


@compiled
def _lower(left: Any, right: Any, weight: Any, slot_keys: Any, slot_records: Any, counts: Any) -> None:
    place = _slot((int64(left) << 32) | int64(right), slot_keys)
    if slot_keys[place] != -1:
        counts[slot_records[place]] -= weight


@compiled
def _merge(
    symbols: Any, nexts: Any, previous: Any, word_of: Any, weights: Any, occurrences: Any,
    left: int, right: int, new: int, slot_keys: Any, slot_records: Any, counts: Any, keys: Any, places: Any,
) -> int:  # fmt: skip
    """Merges at the occurrences, from left to right, lowers what loses one, and gathers the pairs that are born."""
    n_merged = 0
    for position in occurrences:
        second = nexts[position]
        if symbols[position] != left or second < 0 or symbols[second] != right:
            continue
        weight = weights[word_of[position]]
        before, behind = previous[position], nexts[second]
        if before >= 0 and symbols[before] != new:
            _lower(symbols[before], left, weight, slot_keys, slot_records, counts)
        if behind >= 0:
            _lower(right, symbols[behind], weight, slot_keys, slot_records, counts)
            previous[behind] = position
        nexts[position] = behind
        symbols[position] = new
        symbols[second] = -1
        occurrences[n_merged] = position
        n_merged += 1
    n = 0
    for number in range(n_merged):
        position = occurrences[number]
        before, behind = previous[position], nexts[position]
        if before >= 0:
            keys[n] = (int64(symbols[before]) << 32) | int64(new)
            places[n] = before
            n += 1
        if behind >= 0 and symbols[behind] != new:
            keys[n] = (int64(new) << 32) | int64(symbols[behind])
            places[n] = position
            n += 1
    return n
