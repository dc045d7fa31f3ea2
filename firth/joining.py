"""An encoded corpus whose phrases are joined: ids of words become ids of words and phrases, by compiled tables.

What comes out is what encoding the text with its phrases joined would give. A phrase is looked up by its first word,
its last, and the sequence of connector words between them, which is a number of its own: a table gives it for the
sequence without its last word, and that word.

A slot is two numbers of 64 bits: the ids of two words (the first one plus 1, so that none is 0); a sequence (the upper
24 bits) and a phrase's id, or a count.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth.phrases import MOST_BETWEEN, Phrases
from firth.preparation import Preparation
from firth.tokens import EncodedCorpus, JoinedPhrases, Progress, Types, rewritten

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False)

int32 = np.int32
uint64 = np.uint64

MOST_SEQUENCES: Final = 1 << 20
"""Sequences of connector words that are told apart."""

EMPTY: Final = uint64(0)
"""The key of a free slot."""

TOKENS_AT_ONCE: Final = 1 << 20

_IDS_AT_ONCE: Final = 1 << 18

_WORD_BITS: Final = uint64(32)
_SEQUENCE_BIT: Final = uint64(40)
_BELOW_SEQUENCE: Final = uint64((1 << 40) - 1)
_CONNECTOR: Final = np.uint8(1)
_BEGINS: Final = np.uint8(2)
_ENDS: Final = np.uint8(4)
_MOST_BETWEEN: Final = MOST_BETWEEN  # as a number that is compiled

Lines = tuple[NDArray[np.int32], NDArray[np.int64]]
"""Ids of words in order, and where lines end among them; the last line may go on in the next piece."""


class Found(NamedTuple):
    """A phrase as ids.

    Attributes:
        words: The first word, the last, and any connector words between them.
        joined: What they become.
    """

    words: tuple[int, ...]
    joined: int


class Joiner:
    """Joins the phrases of one pass, a piece of a corpus after the other.

    Attributes:
        is_met: (n_ids,) whether a phrase of each id was joined so far.
    """

    def __init__(self, found: Sequence[Found], n_ids: int) -> None:
        """Nothing joined yet.

        Args:
            found: The phrases.
            n_ids: How many ids there are, with those of the phrases.
        """
        self.is_met = np.zeros(n_ids, np.bool_)
        self._flags = np.zeros(n_ids, np.uint8)
        self._rest = np.empty(0, np.int32)  # the end of the last piece, which may begin a phrase
        numbers: dict[tuple[int, int], int] = {}
        slots = []
        for words, joined in found:
            sequence = 0
            for word in words[1:-1]:
                sequence = numbers.setdefault((sequence, word), len(numbers) + 1)
            slots.append((_key(words[0], words[-1]), (sequence << 40) | joined))
        self._flags[[words[0] for words, _ in found]] |= _BEGINS
        self._flags[[words[-1] for words, _ in found]] |= _ENDS
        self._flags[[word for _, word in numbers]] |= _CONNECTOR
        self._slots = slots_for(len(slots))
        _enter(np.array(slots, np.uint64).reshape(-1, 2), self._slots)
        self._sequences = slots_for(len(numbers))
        sequences = [(_key(before, word), number) for (before, word), number in numbers.items()]
        _enter(np.array(sequences, np.uint64).reshape(-1, 2), self._sequences)

    def join(self, lines: Lines, *, is_last: bool) -> Lines:
        """The piece with its phrases joined; what may begin one at its end comes with the next piece.

        Args:
            lines: Behind what was given before.
            is_last: Whether nothing comes behind it.
        """
        type_ids, ends = lines
        if len(self._rest):
            type_ids, ends = np.concatenate([self._rest, type_ids]), ends + len(self._rest)
        joined, joined_ends = np.empty(len(type_ids), np.int32), np.empty(len(ends), np.int64)
        n_words, n_used = _join(
            type_ids, ends, is_last, self._flags, self._slots, self._sequences, self.is_met, joined, joined_ends
        )
        self._rest = type_ids[n_used:]
        return joined[:n_words], joined_ends


def pieces(corpus: EncodedCorpus) -> Iterator[Lines]:
    """The words of a corpus and where its lines end, a piece after the other."""
    first_line = 0
    for start in range(0, corpus.n_tokens, TOKENS_AT_ONCE):
        stop = min(start + TOKENS_AT_ONCE, corpus.n_tokens)
        line = int(np.searchsorted(corpus.line_ends, stop, side="right"))
        yield np.array(corpus.type_ids[start:stop], np.int32), np.array(corpus.line_ends[first_line:line]) - start
        first_line = line


def joined_pieces(corpus: EncodedCorpus, joiners: Sequence[Joiner]) -> Iterator[tuple[int, Lines]]:
    """The corpus after all passes, a piece after the other, with how many of its words were read until then."""
    n_read = 0
    for lines in pieces(corpus):
        n_read += len(lines[0])
        for joiner in joiners:
            lines = joiner.join(lines, is_last=n_read == corpus.n_tokens)
        yield n_read, lines


def ids_of(types: Types, words: set[str]) -> dict[str, int]:
    """The type ids of those of `words` that are among the types."""
    return {word: type_id for type_id, word in enumerate(types) if word in words}


def joiners_of(phrases: Phrases, types: Types) -> tuple[list[Joiner], list[str]]:
    """A joiner for each pass, and the phrases that are no types already: their ids follow those of the types."""
    spelt = [(number, words, phrases.delimiter.join(words)) for words, _, _, number in phrases.entries]
    words = {word for _, words, _ in spelt for word in words}
    ids = ids_of(types, words.union(name for _, _, name in spelt))
    names: list[str] = []
    passes: list[list[Found]] = []
    for number in range(1, phrases.n_passes + 1):
        found = []
        for pass_number, parts, name in spelt:
            if pass_number == number and all(
                map(ids.__contains__, parts)
            ):  # else a word of it is nowhere in the corpus
                found.append((tuple(map(ids.__getitem__, parts)), name))
        passes.append([])
        for type_ids, name in found:  # whose names are no words of this pass yet
            if name not in ids:
                ids[name] = len(types) + len(names)
                names.append(name)
            passes[-1].append(Found(type_ids, ids[name]))
    n_ids = len(types) + len(names)
    return [Joiner(found, n_ids) for found in passes], names


def join(
    corpus: EncodedCorpus,
    phrases: Phrases,
    folder: Path,
    *,
    preparation: Preparation,
    progress: Progress | None = None,
) -> EncodedCorpus:
    """`corpus` with its phrases joined, in `folder`; its segmentation has them, so that queries are joined alike.

    Args:
        corpus: Encoded.
        phrases: As the words of the corpus are written.
        folder: A directory that does not exist. It appears whole or not at all.
        preparation: What was asked for, as the new corpus tells it.
        progress: Called after each piece, with words for bytes.

    Raises:
        FirthError: the folder cannot be written.
    """
    joiners, names = joiners_of(phrases, corpus.types)
    n_types = len(corpus.types)
    n_ids = n_types + len(names)
    new_ids, old_ids, counts = np.full(n_ids, -1, np.int32), np.empty(n_ids, np.int32), np.zeros(n_ids, np.int64)
    pruned_id = n_types - 1 if corpus.n_pruned_tokens else -1
    n_new = 0

    def lines() -> Iterator[Lines]:
        nonlocal n_new
        n_words = 0
        for n_read, (type_ids, ends) in joined_pieces(corpus, joiners):
            n_new = _renumber(type_ids, new_ids, old_ids, counts, n_new, pruned_id)
            n_words += len(type_ids)
            yield type_ids, ends
            if progress is not None:
                progress(n_read, corpus.n_tokens, n_words)

    def types() -> tuple[Types, NDArray[np.int64]]:
        utf8, ends = _letters(corpus.types, names, old_ids[:n_new])
        return Types(utf8, ends), counts[:n_new]

    def told() -> JoinedPhrases:
        is_met = np.zeros(n_ids, np.bool_)
        for joiner in joiners:
            is_met |= joiner.is_met
        now = new_ids[is_met]  # -1: another phrase has taken it in everywhere
        return JoinedPhrases(len(phrases), len(now), int(counts[now[now >= 0]].sum()))

    return rewritten(corpus, folder, lines(), types, told, phrases=phrases, preparation=preparation)


def _letters(types: Types, names: Sequence[str], ids: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The letters of these ids, one behind the other, and where each ends; names follow the types."""
    of_types, ends = types.letters()
    encoded = [name.encode() for name in names]
    of_names = np.frombuffer(b"".join(encoded), np.uint8)
    all_ends = np.concatenate([ends, len(of_types) + np.cumsum([len(name) for name in encoded], dtype=np.int64)])
    utf8 = np.concatenate([of_types, of_names])
    lengths = np.diff(all_ends, prepend=0)[ids]
    new_ends = np.cumsum(lengths, dtype=np.int64)
    letters = np.empty(int(lengths.sum()), np.uint8)
    for first in range(0, len(ids), _IDS_AT_ONCE):
        some = slice(first, first + _IDS_AT_ONCE)
        start = int(new_ends[first] - lengths[first])
        moved = all_ends[ids[some]] - new_ends[some]  # how far the letters of each lie from where they are to be
        places = np.arange(start, int(new_ends[some][-1])) + np.repeat(moved, lengths[some])
        letters[start : start + len(places)] = utf8[places]
    return letters, new_ends


def slots_for(n_keys: int) -> NDArray[np.uint64]:
    """(n, 2) free slots for so many keys, half of them at least to stay free; n is a power of 2."""
    return np.zeros((1 << max(4, (2 * n_keys).bit_length()), 2), np.uint64)


def _key(first: int, second: int) -> int:
    """`pair_key`, not compiled."""
    return ((first + 1) << 32) | second


@compiled
def mixed(key: Any, sequence: Any) -> Any:
    """A hash of both, by SplitMix64's last steps (Steele, Lea & Flood 2014)."""
    bits = key ^ (sequence * uint64(0x9E3779B97F4A7C15))
    bits = (bits ^ (bits >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> uint64(27))) * uint64(0x94D049BB133111EB)
    return bits ^ (bits >> uint64(31))


@compiled
def place_of(slots: Any, key: Any, sequence: Any) -> Any:
    """Where a key and sequence stand in slots, or the free slot where they would be put."""
    return place_from(slots, mixed(key, sequence) & uint64(len(slots) - 1), key, sequence)


@compiled
def place_from(slots: Any, place: Any, key: Any, sequence: Any) -> Any:
    """The same, from the place on where they would stand if no others did."""
    mask = uint64(len(slots) - 1)
    while slots[place, 0] != EMPTY and (slots[place, 0] != key or slots[place, 1] >> _SEQUENCE_BIT != sequence):
        place = (place + uint64(1)) & mask
    return place


@compiled
def pair_key(first: Any, second: Any) -> Any:
    """Two ids as one key."""
    return (uint64(first + 1) << _WORD_BITS) | uint64(second)


@compiled
def _enter(entries: Any, slots: Any) -> None:
    """Puts keys with what belongs to them into slots; one that is there already stays as it is."""
    for row in range(len(entries)):
        place = place_of(slots, entries[row, 0], entries[row, 1] >> _SEQUENCE_BIT)
        if slots[place, 0] == EMPTY:
            slots[place, 0] = entries[row, 0]
            slots[place, 1] = entries[row, 1]


@compiled
def _join(
    type_ids: Any,
    ends: Any,
    is_last: bool,
    flags: Any,
    slots: Any,
    sequences: Any,
    is_met: Any,
    joined: Any,
    joined_ends: Any,
) -> tuple[int, int]:
    """Fills in the joined words and the ends of their lines; `phrases._places` says the same of strings.

    Returns:
        How many words were filled in, and how many of those given they stand for.
    """
    n_words = line = 0
    start = -1  # the place where a phrase may have begun
    start_word = 0  # the same among the words filled in
    sequence = 0  # of the connector words since; -1: one that no phrase has
    for place in range(len(type_ids)):
        while line < len(ends) and ends[line] <= place:
            joined_ends[line] = n_words
            line += 1
            start = -1
        word = type_ids[place]
        flag = flags[word]
        if flag & _CONNECTOR:
            if start >= 0 and place - start > _MOST_BETWEEN:
                start = -1
            if start >= 0 and sequence >= 0:
                slot = place_of(sequences, pair_key(sequence, word), uint64(0))
                sequence = -1
                if sequences[slot, 0] != EMPTY:
                    sequence = int(sequences[slot, 1])
        else:
            if start >= 0 and sequence >= 0 and flag & _ENDS:
                slot = place_of(slots, pair_key(type_ids[start], word), uint64(sequence))
                if slots[slot, 0] != EMPTY:
                    phrase = np.int64(slots[slot, 1] & _BELOW_SEQUENCE)
                    joined[start_word] = phrase
                    n_words = start_word + 1
                    is_met[phrase] = True
                    start = -1
                    continue
            start = place if flag & _BEGINS else -1
            start_word = n_words
            sequence = 0
        joined[n_words] = word
        n_words += 1
    while line < len(ends):
        joined_ends[line] = n_words
        line += 1
        start = -1
    if start >= 0 and not is_last:
        return start_word, start
    return n_words, len(type_ids)


@compiled
def _renumber(type_ids: Any, new_ids: Any, old_ids: Any, counts: Any, n_new: int, pruned_id: int) -> int:
    """Gives each word the number of its first appearance, -1 to what stands for pruned types; counts them.

    Returns:
        How many numbers are given by now.
    """
    for place in range(len(type_ids)):
        word = type_ids[place]
        if word == pruned_id:
            type_ids[place] = -1
            continue
        if new_ids[word] < 0:
            new_ids[word] = n_new
            old_ids[n_new] = word
            n_new += 1
        type_ids[place] = new_ids[word]
        counts[new_ids[word]] += 1
    return n_new
