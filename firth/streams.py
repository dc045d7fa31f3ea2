"""Encoded words -> rows that run through the text both ways: the batches of ELMo.

Peters et al. 2018, section 3.1, as their program bilm-tf reads text: B rows that are always full, one sentence behind
the other, T steps of each to a batch, the LSTM's state carried from batch to batch. A sentence of n words has n + 1
steps:

    forward    <S> w1 .. wn   predict   w1 .. wn </S>
    backward   </S> wn .. w1  predict   wn .. w1 <S>

Each pass draws an order of all sentences. With `independent` each direction has its own, as the paper; with `same`
both read the same sentences, each from its own end, so that most words of a batch are encoded for both.

Differs from bilm-tf, so that a batch is a pure function of its number and the seed, and a run goes on from any at
once: there, a row that is through takes the next sentence from a queue that all rows share. Here, the sentences of all
passes, one behind the other, are cut into stretches of equal length, and row b reads the stretches b, b + B, b + 2 B,
... What a row reads is random sentences in both, none twice in a pass. But a stretch may begin and end within a
sentence, once in a pass as a rule. And bilm-tf shuffles files, and lines within each; here all sentences are shuffled
together. It throws away what rows have left of their sentences where a finite pass ends; here all is read.

What is held out is read in its order, each row from the beginning of a sentence and with no state; all of it counts.

    B rows, T steps
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth.characters import BEGIN, END, SPECIAL, UNKNOWN
from firth.sequences import shuffled, split
from firth.tokens import EncodedCorpus
from firth.vocabulary import Vocabulary

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")

Directions = Literal["same", "independent"]

LEAST_STRETCH: Final = 4  # times T: shorter ones would be torn out of their text
STEPS_OF_HELD_OUT_ROW: Final = 256
_RANKS_BETWEEN_MARKS: Final = 32


class BothWays(NamedTuple):
    """T steps of B rows, both ways."""

    words: list[str]  # the distinct ones of both directions, and <S>, </S>
    forward: NDArray[np.int64]  # (B, T) places in `words`
    backward: NDArray[np.int64]  # (B, T) the same of the other direction, in the order in which it reads
    forward_targets: NDArray[np.int64]  # (B, T) rows of the vocabulary
    backward_targets: NDArray[np.int64]  # (B, T)
    weights: NDArray[np.float32] | None  # (B, T) 1, and 0 behind the end of a row; None where the text fills them all
    n_tokens: int  # steps that count, of either direction


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentences:
    """What batches are cut from: some sentences of a corpus, and the shape of the rows.

    Attributes:
        corpus: The corpus.
        vocabulary: What is predicted.
        row_of_type: What `rows_of_types` found of the two.
        line_ends: (n,) the position behind each sentence's last word.
        firsts: (n_ranges,) where runs of neighbouring sentences begin.
        stops: (n_ranges,) the sentence behind the last of each.
        held_out: The sentences that are not trained on; None where the corpus is too small to hold any out.
        context_length: T.
        batch_size: B.
        directions: Whether both read the same sentences.
    """

    corpus: EncodedCorpus
    vocabulary: Vocabulary
    row_of_type: NDArray[np.int64]
    line_ends: NDArray[np.int64]
    firsts: NDArray[np.int64]
    stops: NDArray[np.int64]
    held_out: "Sentences | None"
    context_length: int
    batch_size: int
    directions: Directions

    @cached_property
    def range_ends(self) -> NDArray[np.int64]:
        """(n_ranges,) where the runs end, counted in the sentences of this text."""
        return np.cumsum(self.stops - self.firsts)

    @property
    def n_sentences(self) -> int:
        """How many there are."""
        return int(self.range_ends[-1])

    @cached_property
    def n_tokens(self) -> int:
        """Steps of a pass: the words, and an end for each sentence."""
        return _n_words(self.line_ends, self.firsts, self.stops) + self.n_sentences

    @property
    def stretch(self) -> int:
        """Steps that a row reads before it goes on elsewhere: its part of a pass."""
        return max(self.n_tokens // self.batch_size, LEAST_STRETCH * self.context_length)

    @property
    def n_batches(self) -> int:
        """Batches until the first pass is through; the last of them may begin the second one."""
        return -(-self.n_tokens // (self.batch_size * self.context_length))

    def tokens_before(self, number: int) -> int:
        """Steps of the batches before `number`, which counts through all passes."""
        return number * self.batch_size * self.context_length

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(n_types,) how often each type occurs in these sentences."""
        if self.held_out is not None:
            return self.corpus.counts - self.held_out.counts
        return _counts(self.corpus, self.line_ends, self.firsts, self.stops)

    @property
    def unigram_entropy(self) -> float:
        """Nats of a guess by the frequencies of the targets, which are the same either way."""
        counts = np.bincount(self.row_of_type[:-2], weights=self.counts, minlength=len(self.vocabulary))
        counts[self.vocabulary.row(END)] += self.n_sentences
        shares = counts[counts > 0] / counts.sum()
        return float(-(shares * np.log(shares)).sum())

    @property
    def unknown_share(self) -> float:
        """The share of the words that have no row."""
        is_unknown = self.row_of_type[:-2] == self.vocabulary.row(UNKNOWN)
        return float(self.counts[is_unknown].sum() / self.counts.sum())

    def longer_than(self, n_bytes: int) -> tuple[int, int]:
        """Types of the corpus that have more bytes, and how often they occur together."""
        is_longer = np.diff(self.corpus.types.letters()[1], prepend=0) > n_bytes
        return int(np.count_nonzero(is_longer)), int(self.corpus.counts[is_longer].sum())


def rows_of_types(corpus: EncodedCorpus, vocabulary: Vocabulary) -> NDArray[np.int64]:
    """(n_types + 2,) the row that stands for each type as a target; behind them, for a sentence's begin and end."""
    rows = vocabulary.rows(corpus.types).astype(np.int64)
    rows[rows < 0] = vocabulary.row(UNKNOWN)
    return np.append(rows, [vocabulary.row(BEGIN), vocabulary.row(END)])


def vocabulary(corpus: EncodedCorpus, *, min_count: int, max_size: int | None) -> Vocabulary:
    """<S>, </S> and <UNK>, then the frequent words of what is trained on, by falling count.

    Args:
        corpus: The corpus; what `stream` holds out of it is not counted.
        min_count: Rarer words are <UNK> as targets.
        max_size: Most entries, the three included.

    Raises:
        FirthError: fewer than two words are left.
    """
    words, counts, n_sentences = _training_counts(corpus)
    most = None if max_size is None else max_size - len(SPECIAL)
    found = Vocabulary.from_counts(words, counts, min_count=min_count, max_size=most)
    return _with_special(found, int(counts.sum()), n_sentences)


def extended(known: Vocabulary, corpus: EncodedCorpus, *, min_count: int, max_size: int | None) -> Vocabulary:
    """`known`, which begins with the three special entries, and the frequent new words of the corpus, as `vocabulary`.

    No old word goes; new ones come as long as there is room below `max_size`. All are in the order of their counts.
    """
    words, counts, n_sentences = _training_counts(corpus)
    n = len(SPECIAL)
    most = None if max_size is None else max(max_size, len(known)) - n
    old = Vocabulary(known.words[n:], known.counts[n:])
    found = old.extended(words, counts, min_count=min_count, max_size=most)
    n_words = int(counts.sum()) + int(known.counts[n - 1 :].sum())
    return _with_special(found, n_words, n_sentences + int(known.counts[0]))


def _training_counts(corpus: EncodedCorpus) -> tuple[list[str], NDArray[np.int64], int]:
    """Words, how often each is trained on, and how many sentences are; the special ones are the empty word."""
    line_ends = _line_ends(corpus)
    out, rest = split(line_ends, *_documents(corpus, line_ends), fewest=1)
    counts = corpus.counts - _counts(corpus, line_ends, *out)
    words = ["" if word in SPECIAL else word for word in corpus.types]
    return words, counts, int((rest[1] - rest[0]).sum())


def _counts(
    corpus: EncodedCorpus, line_ends: NDArray[np.int64], firsts: NDArray[np.int64], stops: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(n_types,) how often each type occurs in some of the sentences."""
    counts = np.zeros(len(corpus.types), np.int64)
    for first, stop in zip(firsts.tolist(), stops.tolist(), strict=True):
        start = line_ends[first - 1] if first else 0
        counts += np.bincount(corpus.type_ids[start : line_ends[stop - 1]], minlength=len(counts))
    return counts


def _with_special(found: Vocabulary, n_words: int, n_sentences: int) -> Vocabulary:
    """`found` behind the three special entries, with how often each of them is a target."""
    n_unknown = max(1, n_words - found.n_words_total)
    counts = np.concatenate([[n_sentences, n_sentences, n_unknown], found.counts])
    return Vocabulary([*SPECIAL, *found.words], counts)


def stream(
    corpus: EncodedCorpus,
    vocabulary: Vocabulary,
    *,
    context_length: int,
    batch_size: int,
    directions: Directions,
) -> Sentences:
    """The `Sentences` to train on, all but what is held out, which depends on the corpus alone.

    Held out are whole documents, half a percent of the words or somewhat more; of a corpus of one document its end; of
    one too small for that, nothing.

    Args:
        corpus: The corpus.
        vocabulary: What is predicted; it has the special entries.
        context_length: T.
        batch_size: B.
        directions: Whether both read the same sentences.
    """
    line_ends = _line_ends(corpus)
    out, rest = split(line_ends, *_documents(corpus, line_ends), fewest=1)
    shared: dict[str, Any] = {
        "corpus": corpus, "vocabulary": vocabulary, "row_of_type": rows_of_types(corpus, vocabulary),
        "line_ends": line_ends, "context_length": context_length, "batch_size": batch_size, "directions": directions,
    }  # fmt: skip
    held_out = None
    if len(out[0]):
        firsts, stops = _merged(*out)
        held_out = Sentences(firsts=firsts, stops=stops, held_out=None, **shared)
    firsts, stops = _merged(*rest)
    return Sentences(firsts=firsts, stops=stops, held_out=held_out, **shared)


def _line_ends(corpus: EncodedCorpus) -> NDArray[np.int64]:
    """Where sentences end; of a text without any break, also where what is held out of it begins."""
    if corpus.n_lines > 1 or corpus.n_tokens < 2:
        return corpus.line_ends
    return np.array([corpus.n_tokens - max(1, corpus.n_tokens // 20), corpus.n_tokens])


def _documents(corpus: EncodedCorpus, line_ends: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first sentence of each document, and the one behind its last."""
    stops = np.array(corpus.document_ends)
    stops[-1] = len(line_ends)
    return np.concatenate([[0], stops[:-1]]), stops


def _merged(firsts: NDArray[np.int64], stops: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ranges, those that touch as one."""
    apart = firsts[1:] != stops[:-1]
    return firsts[np.append(True, apart)], stops[np.append(apart, True)]


def _n_words(line_ends: NDArray[np.int64], firsts: NDArray[np.int64], stops: NDArray[np.int64]) -> int:
    starts = np.where(firsts > 0, line_ends[firsts - 1], 0)
    return int((line_ends[stops - 1] - starts).sum())


def batch(text: Sentences, number: int, seed: int) -> BothWays:
    """Batch `number` of a run, a pure function of its arguments.

    Args:
        text: What to cut from.
        number: Counts through all passes.
        seed: The run's.
    """
    n_rows, n_columns = text.batch_size, text.context_length
    types = np.empty((n_rows, 2, n_columns), np.int64)
    targets = np.empty_like(types)
    for row in range(n_rows):
        column = 0
        while column < n_columns:  # once, but where a stretch ends or a pass
            turn, step = divmod(number * n_columns + column, text.stretch)
            pass_number, place = divmod((turn * n_rows + row) * text.stretch + step, text.n_tokens)
            stop = column + min(n_columns - column, text.stretch - step, text.n_tokens - place)
            for direction in (0, 1):
                key, marks = _pass(text, pass_number, seed, direction if text.directions == "independent" else 0)
                _read(
                    text.corpus.type_ids, text.line_ends, text.firsts, text.range_ends, marks, key, place,
                    direction == 1, len(text.corpus.types),
                    types[row, direction, column:stop], targets[row, direction, column:stop],
                )  # fmt: skip
            column = stop
    return _both_ways(text, types, targets, None)


def held_out(text: Sentences) -> list[BothWays]:
    """All of the text that is held out, if any, batch after batch of the same rows, each of whole sentences."""
    out = text.held_out
    if out is None:
        return []
    lines = np.concatenate([np.arange(first, stop) for first, stop in zip(out.firsts, out.stops, strict=True)])
    starts = np.where(lines > 0, out.line_ends[lines - 1], 0)
    ends = np.cumsum(out.line_ends[lines] - starts + 1)  # in steps
    n_rows = min(max(1, out.n_tokens // STEPS_OF_HELD_OUT_ROW), out.batch_size)
    due = np.arange(1, n_rows + 1) * (out.n_tokens / n_rows)
    bounds = np.unique(np.append(0, np.searchsorted(ends, due - 0.5, side="left") + 1))
    bounds[-1] = len(lines)
    row_ends = np.append(0, ends)[bounds]
    lengths = np.diff(row_ends)
    n_columns = out.context_length
    n_batches = -(-int(lengths.max()) // n_columns)
    types = np.full((len(lengths), 2, n_batches * n_columns), len(out.corpus.types), np.int64)
    targets = types.copy()
    for row, (first, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        for direction in (0, 1):
            _read_lines(
                out.corpus.type_ids, out.line_ends, lines[first:stop], direction == 1, len(out.corpus.types),
                types[row, direction], targets[row, direction],
            )  # fmt: skip
    batches = []
    for number in range(n_batches):
        columns = slice(number * n_columns, (number + 1) * n_columns)
        here = np.clip(lengths - columns.start, 0, n_columns)
        full = bool(here.min() == n_columns)
        batches.append(_both_ways(out, types[:, :, columns], targets[:, :, columns], None if full else here))
    return batches


def _both_ways(
    text: Sentences, types: NDArray[np.int64], targets: NDArray[np.int64], lengths: NDArray[np.int64] | None
) -> BothWays:
    """The steps (B, 2, T) whose words are these types; behind them come the numbers of a sentence's begin and end."""
    known = text.corpus.types
    distinct, places = np.unique(types, return_inverse=True)
    ends = [BEGIN, END]
    words = [known[type_id] if type_id < len(known) else ends[type_id - len(known)] for type_id in distinct.tolist()]
    ids = places.reshape(types.shape)
    rows = text.row_of_type[targets]
    weights = None
    if lengths is not None:
        weights = (np.arange(types.shape[2]) < lengths[:, None]).astype(np.float32)
    n_tokens = types.shape[0] * types.shape[2] if lengths is None else int(lengths.sum())
    return BothWays(
        words,
        np.ascontiguousarray(ids[:, 0]),
        np.ascontiguousarray(ids[:, 1]),
        np.ascontiguousarray(rows[:, 0]),
        np.ascontiguousarray(rows[:, 1]),
        weights,
        n_tokens,
    )


# --- compiled -------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _pass(text: Sentences, pass_number: int, seed: int, direction: int) -> tuple[np.uint64, NDArray[np.int64]]:
    """The key of a pass's order, and the steps before every 32nd sentence in it."""
    key = np.uint64(np.random.SeedSequence((seed, pass_number, direction)).generate_state(1, np.uint64)[0])
    return key, _marks(text.line_ends, text.firsts, text.range_ends, key)


@compiled
def _line(rank: int, firsts: Any, range_ends: Any, key: Any) -> Any:
    """The sentence that comes at a rank of the order."""
    number = shuffled(rank, range_ends[-1], key)
    part = np.searchsorted(range_ends, number, side="right")
    return firsts[part] + number - (range_ends[part - 1] if part > 0 else 0)


@compiled
def _marks(line_ends: Any, firsts: Any, range_ends: Any, key: Any) -> Any:
    n = range_ends[-1]
    marks = np.empty(-(-n // _RANKS_BETWEEN_MARKS), np.int64)
    before = 0
    for rank in range(n):
        if rank % _RANKS_BETWEEN_MARKS == 0:
            marks[rank // _RANKS_BETWEEN_MARKS] = before
        line = _line(rank, firsts, range_ends, key)
        before += line_ends[line] - (line_ends[line - 1] if line > 0 else 0) + 1
    return marks


@compiled
def _read(
    type_ids: Any, line_ends: Any, firsts: Any, range_ends: Any, marks: Any, key: Any, place: int, is_backward: bool,
    n_types: int, types: Any, targets: Any,
) -> None:  # fmt: skip
    """Fills `types` and `targets` with the steps of a pass from `place` on."""
    mark = np.searchsorted(marks, place, side="right") - 1
    rank = mark * _RANKS_BETWEEN_MARKS
    before = marks[mark]
    column = 0
    while column < len(types):
        line = _line(rank, firsts, range_ends, key)
        start = line_ends[line - 1] if line > 0 else 0
        n_steps = line_ends[line] - start + 1
        if place < before + n_steps:
            n_read = _read_line(
                type_ids[start : line_ends[line]], place - before, is_backward, n_types, types[column:],
                targets[column:],
            )  # fmt: skip
            column += n_read
            place += n_read
        before += n_steps
        rank += 1


@compiled
def _read_lines(
    type_ids: Any, line_ends: Any, lines: Any, is_backward: bool, n_types: int, types: Any, targets: Any
) -> None:
    column = 0
    for line in lines:
        start = line_ends[line - 1] if line > 0 else 0
        words = type_ids[start : line_ends[line]]
        column += _read_line(words, 0, is_backward, n_types, types[column:], targets[column:])


@compiled
def _read_line(words: Any, first: int, is_backward: bool, n_types: int, types: Any, targets: Any) -> int:
    """Fills in the steps of a sentence from the first-th on, as far as there is room; how many these are."""
    begin, end = (n_types + 1, n_types) if is_backward else (n_types, n_types + 1)
    n = len(words)
    column = 0
    while column < len(types) and first + column <= n:
        step = first + column  # reads word step - 1 of its direction, and predicts word step
        if step == 0:
            types[column] = begin
        else:
            types[column] = words[n - step] if is_backward else words[step - 1]
        if step == n:
            targets[column] = end
        else:
            targets[column] = words[n - 1 - step] if is_backward else words[step]
        column += 1
    return column
