"""Pairs of words -> the phrases among them: what stands together more often than chance has it, learnt from a corpus.

Counted are ids: every pair of words that follow each other in a line but for connector words, and the sequence of
these. The table of pairs is bounded; where it is full, the rarest go, as they do from the table of types. Then a pair
is scored by the counts of its two words and its own (Mikolov et al. 2013b, equation 6, as gensim scales it; Bouma 2009,
"Normalized (Pointwise) Mutual Information in Collocation Extraction"). Further passes count the words that the earlier
ones leave, in which a phrase is a word.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth import cache
from firth import corpus as corpora
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.joining import (
    EMPTY,
    MOST_SEQUENCES,
    Found,
    Joiner,
    Lines,
    compiled,
    ids_of,
    joined_pieces,
    mixed,
    pair_key,
    place_from,
    place_of,
    slots_for,
)
from firth.phrases import CONNECTOR_WORDS, MOST_BETWEEN, MOST_PASSES, Phrase, Phrases
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.tokens import EncodedCorpus

Scoring = Literal["original", "npmi"]

int64 = np.int64
uint64 = np.uint64

THRESHOLDS: Final[dict[Scoring, float]] = {"original": 10.0, "npmi": 0.5}
"""Which a phrase's score is above, where nothing else is asked for."""

MAX_PAIRS: Final = 20_000_000
"""Pairs that are counted at a time, where nothing else is asked for."""

_FULLEST: Final = 0.7  # of the slots
_FEWEST_BITS: Final = 14  # of the number of slots
_WORDS_OF_A_PAIR: Final = 4  # in a corpus, for each pair that comes anew; a larger one has fewer pairs
_MOST_SAMPLED: Final = 1 << 17  # hashes by which pairs are told that were pruned and came again
_CONNECTOR: Final = np.uint8(1)
_NO_WORD: Final = np.uint8(2)
_SEQUENCE_BIT: Final = uint64(40)
_COUNT: Final = uint64((1 << 40) - 1)
_MOST_BETWEEN: Final = MOST_BETWEEN
_SLOTS_AT_ONCE: Final = 1 << 20
_AT_ONCE: Final = 64  # pairs whose slots are fetched together: each is far from the others in memory
_FULL: Final = 1
_SEQUENCES_FULL: Final = 2


def learn_phrases(
    corpus: Any,
    *,
    scoring: Scoring = "original",
    min_count: int = 5,
    threshold: float | None = None,
    connector_words: str | Iterable[str] = "auto",
    passes: int = 1,
    delimiter: str = "_",
    max_pairs: int = MAX_PAIRS,
    preparation: Preparation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Phrases:
    """The phrases of `corpus`: words that stand together more often than chance has it, the most frequent first.

    With a and b how often two words occur, and ab how often they stand together, the scores are

        original: (ab - min_count) / (a b) * N, where N is the number of different words and pairs, as in gensim
        npmi:     ln(p(ab) / (p(a) p(b))) / -ln p(ab), from -1 to 1, of pairs that occur min_count times or more

    Args:
        corpus: As of `firth.train`.
        scoring: Which score.
        min_count: Words that stand together no more often are hardly a phrase.
        threshold: A phrase's score is above; a lower one gives more phrases. By default 10, of `npmi` 0.5.
        connector_words: Words that may stand between the two words of a phrase, as `of` in `bank of america`, and
            neither begin nor end one: `auto` (those of the language that the text shows, if there are any), `none`, a
            language as `en`, or the words themselves, in a string with commas between them.
        passes: How often the corpus is gone through; 2 find phrases of up to four words beside connector words.
        delimiter: What is put between a phrase's words.
        max_pairs: At most so many pairs are counted at a time: beyond, the rarest so far are dropped.
        preparation: How text becomes words.
        cache_dir: As of `firth.train`.
        progress: Shows how far the work is.

    Raises:
        FirthError: the corpus cannot be read, or has no phrases.
        UsageError: an argument outside its range.
    """
    progress = progress or Silent()
    preparation = preparation or Preparation()
    threshold = THRESHOLDS.get(scoring, 0.0) if threshold is None else threshold
    _check(scoring, min_count, threshold, passes, max_pairs, preparation)
    Phrases(entries=(), delimiter=delimiter)  # refuses a delimiter that is none
    text = corpora.read(corpus, preparation)
    connectors, reason = _connectors(connector_words, text)
    if reason:
        progress.say(f"connector words: {reason}")
    with cache.encoded(text, None, preparation, cache_dir=cache_dir, progress=progress) as encoded:
        for remark in encoded.remarks:
            progress.say(remark)
        if connectors and not text.has_ready_words:
            written = encoded.segmentation.normalize("\n".join(connectors)).split("\n")
            connectors = tuple(word for word in written if word)
        entries, about = learn(
            encoded,
            scoring=scoring,
            min_count=min_count,
            threshold=threshold,
            connector_words=connectors,
            passes=passes,
            delimiter=delimiter,
            max_pairs=max_pairs,
            progress=progress,
        )
    if not entries:
        raise FirthError(
            f"no two words stand together so often that their score is above {threshold:g}: a lower threshold or "
            "min_count, or more text"
        )
    about = {"corpus": printable(text.name), **about}
    return Phrases(entries=entries, connector_words=connectors, delimiter=delimiter, about=about)


def learn(
    corpus: EncodedCorpus,
    *,
    scoring: Scoring,
    min_count: int,
    threshold: float,
    connector_words: Sequence[str],
    passes: int,
    delimiter: str,
    max_pairs: int = MAX_PAIRS,
    progress: Progress | None = None,
) -> tuple[tuple[Phrase, ...], dict[str, str]]:
    """The phrases of an encoded corpus, by pass and falling count; and how they were learnt, for their file.

    Arguments as of `learn_phrases`.
    """
    progress = progress or Silent()
    words = _Words(corpus, connector_words, delimiter)
    joiners: list[Joiner] = []
    entries: list[Phrase] = []
    n_pairs: list[int] = []
    n_pruned: list[int] = []
    for number in range(1, passes + 1):
        pairs = Pairs(words.flags(), max_pairs, corpus.n_tokens)
        name = "learning phrases" if passes == 1 else f"learning phrases, pass {number} of {passes}"
        with progress.stage(name) as advance:
            for n_read, lines in joined_pieces(corpus, joiners):
                pairs.add(lines)
                advance(n_read / corpus.n_tokens, n_read)
        n_different = pairs.n_different()
        candidates = pairs.candidates(min_count)
        scores = pairs.scores(candidates, scoring, min_count, n_different)
        is_phrase = scores > threshold
        chosen = [part[is_phrase].tolist() for part in (*candidates, scores)]
        found = []
        for first, last, sequence, frequency, score in zip(*chosen, strict=True):
            ids = pairs.ids(first, last, sequence)
            found.append((Phrase(words.of(ids), frequency, score, number), ids))
        found.sort(key=lambda phrase_and_ids: (-(phrase_and_ids[0].frequency or 0), phrase_and_ids[0].words))
        progress.say(f"{len(found):,} phrases among {n_different:,} pairs of words")
        if pairs.n_pruned:
            progress.say(
                f"there were more than {max_pairs:,} pairs of words at a time, so that the rarest were dropped, "
                f"{pairs.n_pruned:,} in all: rare phrases may be missing; --max-pairs sets how many there may be"
            )
        entries += [phrase for phrase, _ in found]
        n_pairs.append(n_different)
        n_pruned.append(pairs.n_pruned)
        if not found or number == passes:
            break
        joined = words.added([phrase.words for phrase, _ in found])
        joiners.append(Joiner([Found(ids, new) for (_, ids), new in zip(found, joined, strict=True)], len(words)))
    about = {
        "scoring": scoring,
        "min_count": str(min_count),
        "threshold": repr(threshold),
        "words": str(corpus.n_tokens),
        "pairs": " ".join(map(str, n_pairs)),
    }
    if any(n_pruned):
        about["pruned_pairs"] = " ".join(map(str, n_pruned))
    return tuple(entries), about


def _check(
    scoring: Scoring, min_count: int, threshold: float, passes: int, max_pairs: int, preparation: Preparation
) -> None:
    """Raises UsageError for an argument outside its range."""
    if scoring not in get_args(Scoring):
        raise UsageError(f"scoring is {printable(str(scoring))!r}; there are {', '.join(get_args(Scoring))}")
    for name, value, least in (("min_count", min_count, 1), ("passes", passes, 1), ("max_pairs", max_pairs, 2)):
        if value < least:
            raise UsageError(f"{name} is {value}; it must be at least {least}")
    if passes > MOST_PASSES:
        raise UsageError(f"passes is {passes}; it must be at most {MOST_PASSES}")
    if scoring == "original" and not threshold > 0:
        raise UsageError(f"threshold is {threshold}; of scoring original it must be above 0")
    if scoring == "npmi" and not -1 <= threshold <= 1:
        raise UsageError(f"threshold is {threshold}; of scoring npmi it must be from -1 to 1")
    if preparation.phrases is not None:
        raise UsageError("phrases are given, and phrases are to be learnt: leave the file out; `passes` joins them on")


def _connectors(asked: str | Iterable[str], corpus: corpora.Corpus) -> tuple[tuple[str, ...], str]:
    """The connector words that were asked for, and what to say of them."""
    languages = ", ".join(CONNECTOR_WORDS)
    if asked == "auto":
        lang = "" if corpus.has_ready_words else corpus.lang
        if lang not in CONNECTOR_WORDS:
            told = f"none, since there are no lists but those of {languages}"
            return (), told if lang else ""
        return tuple(CONNECTOR_WORDS[lang].split()), f"those of '{lang}': {CONNECTOR_WORDS[lang]}"
    if not isinstance(asked, str):
        return tuple(map(str, asked)), ""
    if asked in CONNECTOR_WORDS:
        return tuple(CONNECTOR_WORDS[asked].split()), ""
    if asked == "none":
        return (), ""
    if "," not in asked:
        raise UsageError(
            f"connector words '{printable(asked)}' were asked for; there are auto, none, those of {languages}, or a "
            "list with commas, as 'of,the' ('of,' is one word)"
        )
    return tuple(word for part in asked.split(",") if (word := part.strip())), ""


class _Words:
    """The words of a corpus and the phrases that were found in it, each with an id."""

    def __init__(self, corpus: EncodedCorpus, connector_words: Sequence[str], delimiter: str) -> None:
        self._types = corpus.types
        self._delimiter = delimiter
        self._names: list[str] = []  # of the ids behind the types
        self._connector_words = frozenset(connector_words)
        ids = ids_of(corpus.types, {"", *connector_words})
        self._empty = [ids.pop("")] if "" in ids else []
        self._connectors = list(ids.values())
        self._known: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._types) + len(self._names)

    def flags(self) -> NDArray[np.uint8]:
        """(n_ids,) which are connector words, and which none that a phrase may have."""
        flags = np.zeros(len(self), np.uint8)
        flags[self._connectors] = _CONNECTOR
        flags[self._empty] = _NO_WORD
        return flags

    def of(self, ids: Iterable[int]) -> tuple[str, ...]:
        """The words of these ids."""
        return tuple(self._known.get(word) or self._word(word) for word in ids)

    def _word(self, word: int) -> str:
        n_types = len(self._types)
        self._known[word] = spelt = self._types[word] if word < n_types else self._names[word - n_types]
        return spelt

    def added(self, phrases: Sequence[tuple[str, ...]]) -> list[int]:
        """The ids of phrases, new ones of those that are no word yet."""
        names = [self._delimiter.join(words) for words in phrases]
        ids = ids_of(self._types, set(names))
        ids |= {name: len(self._types) + place for place, name in enumerate(self._names)}
        for name in names:
            if name not in ids:
                ids[name] = len(self)
                if name in self._connector_words:
                    self._connectors.append(len(self))
                self._names.append(name)
        return [ids[name] for name in names]


class Candidates(NamedTuple):
    """Pairs that may be phrases, (n,) each: ids of the first and last word, the sequence between, how often."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    sequence: NDArray[np.int64]
    frequency: NDArray[np.int64]


class Pairs:
    """How often words stand together, in bounded memory, and how often each of them occurs.

    Attributes:
        n_words: Words so far, with connector words.
        n_pruned: Pairs that were dropped because there were too many; one that came again may be among them twice.
    """

    def __init__(self, flags: NDArray[np.uint8], max_pairs: int = MAX_PAIRS, n_words: int = 0) -> None:
        """Nothing counted yet.

        Args:
            flags: (n_ids,) which are connector words, and which none at all.
            max_pairs: The most pairs at a time: where another one appears, the rarer half is dropped first.
            n_words: How many are to come, if that is known: the table need not grow so often then.
        """
        self.n_words = 0
        self.n_pruned = 0
        self._max_pairs = max_pairs
        self._flags = flags
        self._counts = np.zeros(len(flags), np.int64)
        self._slots = _free(min(max_pairs, n_words // _WORDS_OF_A_PAIR))
        self._sequences = slots_for(64)
        self._between = np.zeros((128, 2), np.int64)  # of each sequence: the one without its last word, and that word
        self._state = np.array([-1, 0, 0, 0, 1, 0], np.int64)  # first word, sequence, its length; pairs; sequences
        self._sample = _Sample(_MOST_SAMPLED)

    @property
    def n_pairs(self) -> int:
        """How many are in the table."""
        return int(self._state[3])

    def n_different(self) -> int:
        """How many there were; where some were pruned, an estimate that is right within a percent as a rule."""
        if not self.n_pruned:
            return self.n_pairs
        self._take_sample()
        return max(self._sample.n_different, self.n_pairs)

    def add(self, lines: Lines) -> None:
        """Counts the words of a piece of the corpus, and the pairs; a line that it leaves open goes on in the next."""
        type_ids, ends = lines
        self.n_words += len(type_ids)
        done = line = 0
        while True:
            room = min(self._max_pairs, int(len(self._slots) * _FULLEST))
            done, line, is_full = _count(
                type_ids, ends, done, line, self._flags, self._counts, self._slots, self._sequences, self._between,
                self._state, room,
            )  # fmt: skip
            if is_full == _FULL:
                self._make_room()
            elif is_full == _SEQUENCES_FULL:
                self._more_sequences()
            else:
                return

    def candidates(self, min_count: int) -> Candidates:
        """The pairs that occur min_count times or more."""
        pairs = _frequent(self._slots, min_count)
        keys, others = pairs[:, 0], pairs[:, 1]
        first = (keys >> uint64(32)) - uint64(1)
        parts = (first, keys & uint64(0xFFFFFFFF), others >> _SEQUENCE_BIT, others & _COUNT)
        return Candidates(*(part.astype(np.int64) for part in parts))

    def scores(self, pairs: Candidates, scoring: Scoring, min_count: int, n_different: int) -> NDArray[np.float64]:
        """(n,) the score of each pair, of so many different ones; see `learn_phrases`."""
        first, last = (self._counts[words].astype(np.float64) for words in (pairs.first, pairs.last))
        if scoring == "original":
            n_words = int(np.count_nonzero(self._counts))
            return np.asarray((pairs.frequency - min_count) / (first * last) * float(n_words + n_different))
        together = pairs.frequency / self.n_words
        return np.asarray(np.log(together / ((first / self.n_words) * (last / self.n_words))) / -np.log(together))

    def ids(self, first: int, last: int, sequence: int) -> tuple[int, ...]:
        """The ids of a pair's words with the connector words between them."""
        between: list[int] = []
        while sequence:
            sequence, word = self._between[sequence].tolist()
            between.append(word)
        return (first, *reversed(between), last)

    def _make_room(self) -> None:
        """A larger table; where that may not be, only the pairs whose count is above that of the rarer half."""
        if self.n_pairs < self._max_pairs:
            larger = np.zeros((2 * len(self._slots), 2), np.uint64)
            _move(self._slots, larger)
            self._slots = larger
            return
        self._take_sample()
        n_pairs = self.n_pairs
        last_dropped = n_pairs - self._max_pairs // 2 - 1
        counts = _counts_of(self._slots, n_pairs)
        counts.partition(last_dropped)
        kept = _frequent(self._slots, int(counts[last_dropped]) + 1)
        self._slots.fill(EMPTY)
        _move(kept, self._slots)
        self._state[3] = len(kept)
        self.n_pruned += n_pairs - len(kept)

    def _more_sequences(self) -> None:
        n = int(self._state[4])
        between = np.zeros((2 * len(self._between), 2), np.int64)
        between[:n] = self._between[:n]
        self._between = between
        larger = slots_for(2 * n)
        _move(self._sequences, larger)
        self._sequences = larger

    def _take_sample(self) -> None:
        for first in range(0, len(self._slots), _SLOTS_AT_ONCE):
            self._sample.add(_hashes(self._slots[first : first + _SLOTS_AT_ONCE]))


class _Sample:
    """Tells how many different hashes there were by how many lie below a threshold (Flajolet 1990)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = np.empty(0, np.uint64)
        self._bits = 64  # of a hash that is kept, at most

    def add(self, hashes: NDArray[np.uint64]) -> None:
        self._kept = np.union1d(self._kept, self._low(hashes))
        while len(self._kept) > self._most:
            self._bits -= 1
            self._kept = self._low(self._kept)

    @property
    def n_different(self) -> int:
        return len(self._kept) << (64 - self._bits)

    def _low(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return hashes if self._bits == 64 else hashes[hashes >> np.uint64(self._bits) == 0]


def _free(n_pairs: int) -> NDArray[np.uint64]:
    """Free slots for so many pairs, and more."""
    return np.zeros((1 << max(_FEWEST_BITS, int(n_pairs / _FULLEST).bit_length()), 2), np.uint64)


@compiled
def _count(
    type_ids: Any,
    ends: Any,
    done: int,
    line: int,
    flags: Any,
    counts: Any,
    slots: Any,
    sequences: Any,
    between: Any,
    state: Any,
    room: int,
) -> tuple[int, int, int]:
    """Counts the words from `done` on, and pairs; stops at a new pair or sequence for which there is no room.

    Returns:
        The word it stopped at, the line that it is in, and what is full, if anything is.
    """
    first, sequence, length, n_pairs, n_sequences = state[0], state[1], state[2], state[3], state[4]
    keys, sequences_of = np.empty(_AT_ONCE, np.uint64), np.empty(_AT_ONCE, np.uint64)
    places = np.empty(_AT_ONCE, np.uint64)
    mask = uint64(len(slots) - 1)
    fetched = uint64(0)
    full = 0
    place = done
    while place < len(type_ids) and full == 0:
        most = min(_AT_ONCE, room - n_pairs)  # so many may be new
        if most <= 0:
            full = _FULL
        n_found = 0
        while place < len(type_ids) and n_found < most:
            while line < len(ends) and ends[line] <= place:
                first = -1
                line += 1
            word = type_ids[place]
            flag = flags[word]
            if flag & _CONNECTOR:
                if first >= 0 and length == _MOST_BETWEEN:
                    first = -1
                if first >= 0:
                    slot = place_of(sequences, pair_key(sequence, word), uint64(0))
                    if sequences[slot, 0] != EMPTY:
                        sequence = int64(sequences[slot, 1])
                    elif n_sequences == MOST_SEQUENCES:
                        first = -1
                    elif n_sequences == len(between):
                        full = _SEQUENCES_FULL
                        break
                    else:
                        sequences[slot, 0] = pair_key(sequence, word)
                        sequences[slot, 1] = uint64(n_sequences)
                        between[n_sequences, 0] = sequence
                        between[n_sequences, 1] = word
                        sequence = n_sequences
                        n_sequences += 1
                    length += 1
            elif flag & _NO_WORD:
                first = -1
            else:
                if first >= 0:
                    keys[n_found] = pair_key(first, word)
                    sequences_of[n_found] = uint64(sequence)
                    places[n_found] = mixed(keys[n_found], sequences_of[n_found]) & mask
                    n_found += 1
                counts[word] += 1
                first, sequence, length = int64(word), 0, 0
            place += 1
        for number in range(n_found):
            fetched ^= slots[places[number], 0]
        for number in range(n_found):
            slot = place_from(slots, places[number], keys[number], sequences_of[number])
            if slots[slot, 0] == EMPTY:
                slots[slot, 0] = keys[number]
                slots[slot, 1] = sequences_of[number] << _SEQUENCE_BIT
                n_pairs += 1
            slots[slot, 1] += uint64(1)
    if full == 0:
        while line < len(ends):
            first = -1
            line += 1
    state[0], state[1], state[2], state[3], state[4] = first, sequence, length, n_pairs, n_sequences
    state[5] = int64(fetched)  # else nothing would be fetched
    return place, line, full


@compiled
def _move(entries: Any, slots: Any) -> None:
    """Puts entries, each of another key or sequence, into slots; passes over those that are free slots."""
    for row in range(len(entries)):
        if entries[row, 0] != EMPTY:
            slot = place_of(slots, entries[row, 0], entries[row, 1] >> _SEQUENCE_BIT)
            slots[slot, 0] = entries[row, 0]
            slots[slot, 1] = entries[row, 1]


@compiled
def _frequent(slots: Any, least: int) -> Any:
    """(n, 2) the pairs whose count is `least` or more."""
    n_pairs = 0
    for slot in range(len(slots)):
        if slots[slot, 0] != EMPTY and int64(slots[slot, 1] & _COUNT) >= least:
            n_pairs += 1
    pairs = np.empty((n_pairs, 2), np.uint64)
    n_pairs = 0
    for slot in range(len(slots)):
        if slots[slot, 0] != EMPTY and int64(slots[slot, 1] & _COUNT) >= least:
            pairs[n_pairs] = slots[slot]
            n_pairs += 1
    return pairs


@compiled
def _counts_of(slots: Any, n_pairs: int) -> Any:
    """(n_pairs,) how often each pair was met, in no order."""
    counts = np.empty(n_pairs, np.int64)
    number = 0
    for slot in range(len(slots)):
        if slots[slot, 0] != EMPTY:
            counts[number] = int64(slots[slot, 1] & _COUNT)
            number += 1
    return counts


@compiled
def _hashes(slots: Any) -> Any:
    """A hash of each pair."""
    hashes = np.empty(len(slots), np.uint64)
    number = 0
    for slot in range(len(slots)):
        if slots[slot, 0] != EMPTY:
            hashes[number] = mixed(slots[slot, 0], slots[slot, 1] >> _SEQUENCE_BIT)
            number += 1
    return hashes[:number]
