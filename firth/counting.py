"""Words -> type ids: the compiled table in which the words of a corpus are counted.

A slot is 64 bits: the upper half of a word's hash, and its type id + 1 (0: a free slot). A word's home is given by the
uppermost bits of its hash, and those behind it are tried in turn. So a larger table is filled from the slots alone, and
a word is compared with a type's letters only where 32 bits of their hashes agree. The letters of all types lie in one
array, as UTF-8, as they are written to disk in the end.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth.preparation import Preparation
from firth.segmentation import Split

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False)

int32 = np.int32
uint32 = np.uint32
uint64 = np.uint64

_FEWEST_SLOTS: Final = 1 << 14
_FULLEST: Final = 0.7  # of the slots: beyond it, ways to a free one become long
_HASHES_AT_ONCE: Final = 1 << 18
_ALL_BITS: Final = uint64(0xFFFFFFFFFFFFFFFF)
_EMPTY_SEQUENCE: Final = uint64(0x243F6A8885A308D3)  # the hash of no hashes: digits of pi


class TypeTable:
    """The different words so far ("types"), with ids in the order of their first appearance.

    Attributes:
        n_types: How many there are.
        n_pruned: How many types were dropped because the table was full; one that came again may be among them twice.
    """

    def __init__(
        self,
        max_types: int = Preparation.max_types,
        on_pruned: Callable[[NDArray[np.int32]], object] | None = None,
        *,
        hash_bits: np.uint64 = _ALL_BITS,
    ) -> None:
        """An empty table.

        Args:
            max_types: The most types at a time, 2 or more: where another one appears, the table is pruned first.
            on_pruned: Called when it was, with what `prune` returns.
            hash_bits: Which bits of the hashes are used; fewer than all make words collide.
        """
        self.max_types = max_types
        self.n_types = 0
        self.n_pruned = 0
        self._on_pruned = on_pruned
        self._hash_bits = hash_bits
        self._slots = np.zeros(_FEWEST_SLOTS, np.uint64)
        self._utf8 = np.empty(_FEWEST_SLOTS * 8, np.uint8)
        self._ends = np.empty(int(_FEWEST_SLOTS * _FULLEST), np.int64)
        self._counts = np.empty(len(self._ends), np.int64)

    def __len__(self) -> int:
        """The number of types."""
        return self.n_types

    @property
    def utf8(self) -> NDArray[np.uint8]:
        """The letters of all types, one behind the other."""
        return self._utf8[: self.ends[-1] if self.n_types else 0]

    @property
    def ends(self) -> NDArray[np.int64]:
        """(n_types,) where each type's letters end in `utf8`."""
        return self._ends[: self.n_types]

    @property
    def counts(self) -> NDArray[np.int64]:
        """(n_types,) how often each was met; since it came again, if it was pruned meanwhile."""
        return self._counts[: self.n_types]

    def words(self) -> list[str]:
        """The types as strings."""
        utf8, ends = self.utf8.tobytes(), self.ends.tolist()
        return [utf8[start:end].decode() for start, end in zip([0, *ends], ends, strict=False)]

    def words_of(self, type_ids: NDArray[np.int32]) -> list[str]:
        """The types of these ids as strings; those that are -1, whose type was pruned, are left out."""
        type_ids = type_ids[type_ids >= 0]
        stops = self.ends[type_ids]
        starts = np.where(type_ids > 0, self.ends[type_ids - 1], 0)
        return [
            self._utf8[start:stop].tobytes().decode()
            for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
        ]

    def add(self, split: Split) -> NDArray[np.int32]:
        """(n_words,) the type id of each word, which is counted; -1 where the type was pruned since in this call."""
        codes, starts, ends = _arrays(split)
        type_ids = np.empty(len(starts), np.int32)
        done = 0
        while True:
            done, self.n_types = _look_up(
                codes,
                starts,
                ends,
                done,
                type_ids,
                self._slots,
                self._utf8,
                self._ends,
                self._counts,
                self.n_types,
                min(self.max_types, len(self._ends)),
                self._hash_bits,
            )
            if done == len(starts):
                return type_ids
            if self.n_types == self.max_types:
                new_ids = self.prune()
                type_ids[:done] = renumbered(type_ids[:done], new_ids)
                if self._on_pruned is not None:
                    self._on_pruned(new_ids)
            else:
                self._grow(4 * int(ends[done] - starts[done]))

    def prune(self) -> NDArray[np.int32]:
        """Drops the rarest types: all whose count is below the least one that leaves half of `max_types` or fewer.

        Returns:
            (n_types,) the new id of each type there was, in the same order; -1 of the dropped.
        """
        room = self.max_types // 2
        if self.n_types <= room:
            return np.arange(self.n_types, dtype=np.int32)
        most_dropped = np.partition(self.counts, self.n_types - room - 1)[self.n_types - room - 1]
        return self.keep(self.counts > most_dropped)

    def keep(self, is_kept: NDArray[np.bool_]) -> NDArray[np.int32]:
        """Drops the other types; returns new ids as `prune` does."""
        new_ids = np.where(is_kept, np.cumsum(is_kept) - 1, -1).astype(np.int32)
        slots = np.zeros_like(self._slots)
        _fill(self._slots, slots, new_ids)
        self._slots = slots
        n_kept = _close_up(new_ids, self._utf8, self._ends, self._counts)
        self.n_pruned += self.n_types - n_kept
        self.n_types = n_kept
        return new_ids

    def _grow(self, n_bytes: int) -> None:
        """Makes room for a new type of so many bytes."""
        used = len(self.utf8)
        if used + n_bytes > len(self._utf8):
            self._utf8 = _enlarged(self._utf8, used, max(2 * len(self._utf8), used + n_bytes))
        if self.n_types == len(self._ends):
            slots = np.zeros(2 * len(self._slots), np.uint64)
            _fill(self._slots, slots, np.empty(0, np.int32))
            self._slots = slots
            room = int(len(slots) * _FULLEST)
            self._ends = _enlarged(self._ends, self.n_types, room)
            self._counts = _enlarged(self._counts, self.n_types, room)


class HashSet:
    """A set of 64-bit hashes."""

    def __init__(self) -> None:
        """An empty set."""
        self._slots = np.zeros(_FEWEST_SLOTS, np.uint64)
        self._n_hashes = 0

    def __len__(self) -> int:
        """How many there are."""
        return self._n_hashes

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(n,) whether each was not in the set before, nor among the hashes to its left; they all are afterwards."""
        while self._n_hashes + len(hashes) > _FULLEST * len(self._slots):
            slots = np.zeros(2 * len(self._slots), np.uint64)
            _insert(self._slots[self._slots != 0], slots)
            self._slots = slots
        are_new: NDArray[np.bool_] = _insert(hashes, self._slots)
        self._n_hashes += int(np.count_nonzero(are_new))
        return are_new

    def contains(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """(n,) whether each is in the set."""
        return np.asarray(_are_met(hashes, self._slots))

    def hashes(self) -> NDArray[np.uint64]:
        """All of them, in no order."""
        found: NDArray[np.uint64] = self._slots[self._slots != 0]
        return found


class HashSample:
    """Tells which 64-bit hashes were met before; from `most` different ones on, of a share of them.

    Adaptive sampling (Wegman's, in Flajolet 1990, "On adaptive sampling"): remembered are hashes below a threshold,
    which halves whenever there are too many. What stands for others by the share it is of has the right mean whatever
    the hashes. Those that came again while all were remembered stay, and stand for themselves: a line that makes up
    much of a corpus is not left to chance.
    """

    def __init__(self, most: int) -> None:
        """Nothing met yet.

        Args:
            most: How many hashes are remembered at most, but for a quarter as many that came again.
        """
        self._most = most
        self._threshold_bits = 64
        self._met = HashSet()
        self._repeated = HashSet()

    @property
    def is_whole(self) -> bool:
        """Whether all hashes are remembered, so that all numbers are exact."""
        return self._threshold_bits == 64

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
        """(n,) how many hashes that were met before, or stand to its left, each one stands for: 0 where it was not."""
        at_once = max(1, min(_HASHES_AT_ONCE, self._most))
        parts = [self._add(hashes[start : start + at_once]) for start in range(0, len(hashes), at_once)]
        return np.concatenate(parts) if parts else np.empty(0)

    def _add(self, hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
        if self.is_whole:
            again = ~self._met.add(hashes)
            room = max(0, self._most // 4 - len(self._repeated))
            self._repeated.add(hashes[again][:room])
            stands_for = again.astype(np.float64)
        else:
            are_sampled = self._are_sampled(hashes)
            stands_for = self._repeated.contains(hashes).astype(np.float64)
            are_sampled &= stands_for == 0
            again = ~self._met.add(hashes[are_sampled])
            stands_for[are_sampled] = again * 2.0 ** (64 - self._threshold_bits)
        while len(self._met) > self._most:
            self._threshold_bits -= 1
            met, self._met = self._met.hashes(), HashSet()
            self._met.add(met[self._are_sampled(met)])
        return stands_for

    def _are_sampled(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        are_low: NDArray[np.bool_] = (hashes >> np.uint64(self._threshold_bits)) == 0
        return are_low


class HashedSequences:
    """The hashes of sequences of hashes, of which the last one may still be open."""

    def __init__(self) -> None:
        """No sequence, and an empty open one."""
        self._open = _EMPTY_SEQUENCE

    def add(self, hashes: NDArray[np.uint64], ends: NDArray[np.int64]) -> NDArray[np.uint64]:
        """(len(ends),) the hash of each sequence that ends before `hashes[end]`; what follows stays open."""
        sequences, carried = _folded(hashes, ends, self._open)
        self._open = uint64(carried)
        return np.asarray(sequences)


def word_hashes(split: Split) -> NDArray[np.uint64]:
    """(n_words,) a hash of each word's letters."""
    return np.asarray(_hashes(*_arrays(split)))


def renumbered(type_ids: NDArray[np.int32], new_ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """The new ids of `type_ids`, of which those that are -1 stay so."""
    return np.append(new_ids, int32(-1))[type_ids]  # -1 is the last place


def _arrays(split: Split) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Its code points, starts and ends, writable: others are of another type, for which all is compiled once more."""
    codes = np.require(split.codes, np.uint32, ["C", "W"])
    starts, ends = (np.require(places, np.int64, ["C", "W"]) for places in (split.starts, split.ends))
    return codes, starts, ends


def _enlarged(array: NDArray[Any], used: int, length: int) -> NDArray[Any]:
    larger = np.empty(length, array.dtype)  # what is never written to takes no memory
    larger[:used] = array[:used]
    return larger


@compiled
def _mixed(bits: Any) -> Any:
    """SplitMix64's last steps (Steele, Lea & Flood 2014): every bit depends on all."""
    bits = (bits ^ (bits >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> uint64(27))) * uint64(0x94D049BB133111EB)
    return bits ^ (bits >> uint64(31))


@compiled
def _hash(codes: Any, start: int, end: int) -> Any:
    bits = uint64(0xCBF29CE484222325)
    for place in range(start, end):
        bits = (bits ^ uint64(codes[place])) * uint64(0x9E3779B97F4A7C15)
    return _mixed(bits)


@compiled
def _hashes(codes: Any, starts: Any, ends: Any) -> Any:
    hashes = np.empty(len(starts), uint64)
    for word in range(len(starts)):
        hashes[word] = _hash(codes, starts[word], ends[word])
    return hashes


@compiled
def _bits_beside_home(slots: Any) -> Any:
    """How many of a hash's 64 bits do not belong to the number of its home."""
    n_bits = uint64(64)
    size = len(slots)
    while size > 1:
        size >>= 1
        n_bits -= uint64(1)
    return n_bits


@compiled
def _encoded(code: Any) -> Any:
    """A character's UTF-8, the first byte lowest, and how many bytes it has."""
    if code < 0x80:
        return code, 1
    last = uint32(0x80) | (code & uint32(0x3F))
    if code < 0x800:
        return (uint32(0xC0) | (code >> uint32(6))) | (last << uint32(8)), 2
    second = uint32(0x80) | ((code >> uint32(6)) & uint32(0x3F))
    if code < 0x10000:
        return (uint32(0xE0) | (code >> uint32(12))) | (second << uint32(8)) | (last << uint32(16)), 3
    first = uint32(0x80) | ((code >> uint32(12)) & uint32(0x3F))
    lead = uint32(0xF0) | (code >> uint32(18))
    return lead | (first << uint32(8)) | (second << uint32(16)) | (last << uint32(24)), 4


@compiled
def _is_type(codes: Any, start: int, end: int, utf8: Any, first: int, stop: int) -> bool:
    """Whether the word codes[start:end] is the type utf8[first:stop]."""
    if end - start > stop - first:
        return False
    for place in range(start, end):
        code = codes[place]
        if code < 0x80:  # for speed: `_encoded` would do
            if first == stop or utf8[first] != code:
                return False
            first += 1
            continue
        encoded, n_bytes = _encoded(code)
        if first + n_bytes > stop:
            return False
        for _ in range(n_bytes):
            if utf8[first] != encoded & uint32(0xFF):
                return False
            encoded >>= uint32(8)
            first += 1
    return first == stop


@compiled
def _look_up(
    codes: Any,
    starts: Any,
    ends: Any,
    done: int,
    type_ids: Any,
    slots: Any,
    utf8: Any,
    type_ends: Any,
    counts: Any,
    n_types: int,
    most_types: int,
    hash_bits: Any,
) -> tuple[int, int]:
    """Fills in the type ids of the words from `done` on; stops at a new type for which there is no room.

    Returns:
        done: the word it stopped at;
        n_types: of now.
    """
    mask = uint64(len(slots) - 1)
    shift = _bits_beside_home(slots)
    used = type_ends[n_types - 1] if n_types > 0 else 0
    for word in range(done, len(starts)):
        start, end = starts[word], ends[word]
        bits = _hash(codes, start, end) & hash_bits
        place = bits >> shift
        while True:
            slot = slots[place]
            if slot == uint64(0):
                if n_types >= most_types or used + 4 * (end - start) > len(utf8):
                    return word, n_types
                for letter in range(start, end):
                    encoded, n_bytes = _encoded(codes[letter])
                    for _ in range(n_bytes):
                        utf8[used] = encoded & uint32(0xFF)
                        encoded >>= uint32(8)
                        used += 1
                slots[place] = ((bits >> uint64(32)) << uint64(32)) | uint64(n_types + 1)
                type_ids[word] = n_types
                type_ends[n_types] = used
                counts[n_types] = 1
                n_types += 1
                break
            if (slot ^ bits) >> uint64(32) == uint64(0):
                type_id = np.int64(slot & uint64(0xFFFFFFFF)) - 1
                first = type_ends[type_id - 1] if type_id > 0 else 0
                if _is_type(codes, start, end, utf8, first, type_ends[type_id]):
                    type_ids[word] = type_id
                    counts[type_id] += 1
                    break
            place = (place + uint64(1)) & mask
    return len(starts), n_types


@compiled
def _fill(old: Any, slots: Any, new_ids: Any) -> None:
    """Puts the types of the slots `old` into empty `slots`, under new ids if there are any."""
    mask = uint64(len(slots) - 1)
    shift = _bits_beside_home(slots)
    for slot in old:
        if slot == uint64(0):
            continue
        if len(new_ids) > 0:
            type_id = new_ids[np.int64(slot & uint64(0xFFFFFFFF)) - 1]
            if type_id < 0:
                continue
            slot = ((slot >> uint64(32)) << uint64(32)) | uint64(type_id + 1)
        place = slot >> shift
        while slots[place] != uint64(0):
            place = (place + uint64(1)) & mask
        slots[place] = slot


@compiled
def _close_up(new_ids: Any, utf8: Any, type_ends: Any, counts: Any) -> int:
    """Moves what belongs to the types that are kept to the front; returns how many they are."""
    used = 0
    first = 0
    n_kept = 0
    for type_id in range(len(new_ids)):
        stop = type_ends[type_id]
        if new_ids[type_id] >= 0:
            for place in range(first, stop):
                utf8[used] = utf8[place]
                used += 1
            type_ends[n_kept] = used
            counts[n_kept] = counts[type_id]
            n_kept += 1
        first = stop
    return n_kept


@compiled
def _place(bits: Any, slots: Any) -> Any:
    """Where a hash stands in slots, of which 0 is a free one, or would be put."""
    mask = uint64(len(slots) - 1)
    place = bits & mask
    while slots[place] != uint64(0) and slots[place] != bits:
        place = (place + uint64(1)) & mask
    return place


@compiled
def _insert(hashes: Any, slots: Any) -> Any:
    """Puts hashes into slots, of which 0 is a free one; which of them were not there."""
    are_new = np.zeros(len(hashes), np.bool_)
    for number in range(len(hashes)):
        bits = max(hashes[number], uint64(1))
        place = _place(bits, slots)
        are_new[number] = slots[place] == uint64(0)
        slots[place] = bits
    return are_new


@compiled
def _are_met(hashes: Any, slots: Any) -> Any:
    """Which hashes are in slots, of which 0 is a free one."""
    are_met = np.zeros(len(hashes), np.bool_)
    for number in range(len(hashes)):
        bits = max(hashes[number], uint64(1))
        are_met[number] = slots[_place(bits, slots)] == bits
    return are_met


@compiled
def _folded(hashes: Any, ends: Any, carried: Any) -> tuple[Any, Any]:
    """The hashes of the sequences that end at `ends`, the first of which began with `carried`; and of what is left."""
    sequences = np.empty(len(ends), uint64)
    place = 0
    for number in range(len(ends)):
        while place < ends[number]:
            carried = _mixed(carried ^ hashes[place]) + uint64(0x9E3779B97F4A7C15)
            place += 1
        sequences[number] = carried
        carried = _EMPTY_SEQUENCE
    while place < len(hashes):
        carried = _mixed(carried ^ hashes[place]) + uint64(0x9E3779B97F4A7C15)
        place += 1
    return sequences, carried
