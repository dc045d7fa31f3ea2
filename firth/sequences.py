"""Encoded pieces -> rows of tokens: the batches of GPT and BERT.

B rows of T tokens. What a pass over the text gives, in which order, and what is hidden in it is a pure function of the
text, the batch's number and the seed, so that a run goes on from any batch at once.

    contiguous  GPT: stretches of the text as it stands
    pairs       BERT's two tasks: [CLS] A [SEP] B [SEP]
    packed      BERT's first task alone: [CLS] part of a document [SEP], as many of them as fill the row
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth.encoded import EncodedPieces
from firth.errors import FirthError, UsageError
from firth.kernels import mix

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")

int32 = np.int32
int64 = np.int64
uint64 = np.uint64

Layout = Literal["contiguous", "pairs", "packed"]

HELD_OUT_SHARE: Final = 0.005
"""Of the text, which training never sees."""
FEWEST_HELD_OUT: Final = 8192
"""Tokens to hold out where they are no more than a twentieth of the text: fewer tell little."""
MOST_HELD_OUT: Final = 1 << 18
LEAST_PART: Final = 16
"""Tokens of the shortest part of a document that a row ends with, so that a row has few parts; whole ones may be
shorter. A row that is no longer itself is one part."""
_BLOCK_OF_UNIT: Final = 2.0**-53


class TokenBatch(NamedTuple):
    """Rows for predicting the next token."""

    ids: NDArray[np.int64]  # (B, T)
    lengths: NDArray[np.int64] | None  # (B,) tokens of each row, where the text does not fill one
    n_tokens: int  # without padding


class MaskedBatch(NamedTuple):
    """Rows in which tokens are hidden."""

    ids: NDArray[np.int64]  # (B, T) with what hides them
    segments: NDArray[np.int64] | None  # (B, T) 0: [CLS] A [SEP], 1: B [SEP]; None where there are no pairs
    lengths: NDArray[np.int64] | None  # (B,) tokens of each row before its padding; None where rows are packed
    positions: NDArray[np.int64] | None  # (B, T) counted from 0 in each part of a packed row
    documents: NDArray[np.int64] | None  # (B, T) the number of the part in a packed row; -1 is padding
    masked: NDArray[np.int64]  # (M,) places b * T + t, M / B of each row; the rest are [CLS], of weight 0
    targets: NDArray[np.int64]  # (M,) what stood there
    weights: NDArray[np.float32]  # (M,) 1, or 0
    next_sentence: NDArray[np.int64] | None  # (B,) 0: B follows A; 1: it is of another document
    n_tokens: int  # without padding


@dataclass(frozen=True, kw_only=True)
class Masking:
    """What is hidden (Devlin et al. 2019, section 3.1).

    Attributes:
        share: Of a row's tokens, special ones counted: n = max(1, round(share * tokens)) are predicted, none of them
            special. 80% of these become [MASK], 10% any entry that is not special, 10% stay.
        units: `pieces`; or `words`, of which all pieces are taken or none, and a word that would make more than n is
            passed over.
    """

    share: float = 0.15
    units: Literal["pieces", "words"] = "pieces"

    def __post_init__(self) -> None:
        """Refuses other shares and units (UsageError)."""
        if not 0 < self.share < 1:
            raise UsageError(f"a share of {self.share} is to be masked; it must lie between 0 and 1")
        if self.units not in ("pieces", "words"):
            raise UsageError(f"{self.units!r} are to be masked; there are 'pieces' and 'words'")

    def places(self, context_length: int) -> int:
        """The most that are masked of one row: 20 of 128, 77 of 512."""
        return max(1, math.ceil(self.share * context_length))


@dataclass(frozen=True, kw_only=True, eq=False)
class Text:
    """What batches are cut from: some documents of a corpus, and the shape of the rows.

    Attributes:
        pieces: The corpus.
        firsts: (n_documents,) the first sentence of each document.
        stops: (n_documents,) the one behind its last.
        held_out: The documents that are not trained on; None where the corpus is too small to hold any out.
        layout: What a row is.
        context_length: T.
        batch_size: B.
        short_share: Of the documents, cut into pairs of a random shorter length.
    """

    pieces: EncodedPieces
    firsts: NDArray[np.int64]
    stops: NDArray[np.int64]
    held_out: "Text | None"
    layout: Layout
    context_length: int
    batch_size: int
    short_share: float

    @property
    def n_pieces(self) -> int:
        """Pieces of the documents, special ones of rows not counted."""
        return int(self.range_ends[-1])

    @cached_property
    def rows_of_pass(self) -> int:
        """How many rows a pass has."""
        if self.layout == "contiguous":
            return max(1, self.n_pieces // self.context_length)
        return len(_plan(self, 0, 0).rows)

    @cached_property
    def n_tokens(self) -> int:
        """Tokens of the rows of a pass, special ones but no padding (of pairs: of the first pass of seed 0)."""
        if self.layout == "contiguous":
            return self.rows_of_pass * min(self.context_length, self.n_pieces)
        return int(_plan(self, 0, 0).n_tokens)

    @property
    def n_batches(self) -> int:
        """Batches until the first pass is through; the last of them may begin the second one."""
        return -(-self.rows_of_pass // self.batch_size)

    def tokens_before(self, number: int) -> int:
        """Tokens of the batches before `number`, which counts through all passes; of pairs, in the mean."""
        passes, rows = divmod(number * self.batch_size, self.rows_of_pass)
        return passes * self.n_tokens + rows * self.n_tokens // self.rows_of_pass

    @cached_property
    def range_starts(self) -> NDArray[np.int64]:
        """(n_ranges,) where the runs of neighbouring documents begin in the corpus' ids."""
        begins = np.append(True, self.firsts[1:] != self.stops[:-1])
        ends = self.pieces.sentence_ends
        starts = self.firsts[begins]
        return np.where(starts > 0, ends[starts - 1], 0)

    @cached_property
    def range_ends(self) -> NDArray[np.int64]:
        """(n_ranges,) where they end, counted in the pieces of this text."""
        closes = np.append(self.firsts[1:] != self.stops[:-1], True)
        return np.cumsum(self.pieces.sentence_ends[self.stops[closes] - 1] - self.range_starts)

    @cached_property
    def is_special(self) -> NDArray[np.bool_]:
        """(n_entries,) which ids stand for no text."""
        is_special = np.zeros(self.pieces.n_entries, np.bool_)
        is_special[list(self.pieces.special_ids)] = True
        return is_special


def stream(
    pieces: EncodedPieces, *, layout: Layout, context_length: int, batch_size: int, short_share: float = 0.1
) -> Text:
    """The `Text` to train on, all but what is held out, which depends on the corpus alone.

    Held out are whole documents, half a percent of the pieces or somewhat more; of a corpus of one document its end;
    of one too small for that, nothing.

    Args:
        pieces: The corpus.
        layout: What a row is.
        context_length: T, of rows.
        batch_size: B.
        short_share: Of `pairs`: the share of documents that are cut into a random shorter length.

    Raises:
        FirthError: the corpus is too small for such rows, or for pairs of sentences.
    """
    if context_length < 8:
        raise UsageError(f"rows of {context_length} tokens were asked for; they need 8 or more")
    if layout == "pairs":
        _check_pairs(pieces)
    elif pieces.n_tokens < 2:
        raise FirthError("the corpus has one piece; there is nothing to predict it from")
    missing = [name for name in ("cls", "sep", "mask") if getattr(pieces, name) is None]
    if layout != "contiguous" and missing:
        raise FirthError(f"these pieces have no entry for {', '.join(missing)}, which BERT needs")
    firsts = np.concatenate([[0], pieces.document_ends[:-1]])
    stops = np.asarray(pieces.document_ends)
    out, rest = split(pieces.sentence_ends, firsts, stops, fewest=2 if layout == "pairs" else 1)
    shape: dict[str, Any] = {
        "pieces": pieces, "layout": layout, "context_length": context_length, "short_share": short_share
    }  # fmt: skip
    held_out = None
    if len(out[0]):
        whole = Text(firsts=out[0], stops=out[1], held_out=None, batch_size=1, **shape)
        n_batches = -(-whole.rows_of_pass // batch_size)
        even = -(-whole.rows_of_pass // n_batches)  # so that the last batch is as full as the others
        held_out = Text(firsts=out[0], stops=out[1], held_out=None, batch_size=even, **shape)
    return Text(firsts=rest[0], stops=rest[1], held_out=held_out, batch_size=batch_size, **shape)


def _check_pairs(pieces: EncodedPieces) -> None:
    """Refuses corpora that have nothing to tell whether one sentence follows another."""
    instead = "train with masked tokens alone (objective masked_token), or"
    if pieces.n_documents < 2:
        raise FirthError(
            f"next-sentence prediction takes sentences of other documents, and the corpus has one document; {instead} "
            "set documents apart by empty lines"
        )
    if pieces.n_sentences == pieces.n_documents:
        raise FirthError(
            f"next-sentence prediction needs documents of two sentences or more, and all {pieces.n_documents:,} have "
            f"one; {instead} give a sentence a line, and an empty line between documents"
        )


_Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]  # of sentences: first, and the one behind the last


def split(
    sentence_ends: NDArray[np.int64], firsts: NDArray[np.int64], stops: NDArray[np.int64], *, fewest: int
) -> tuple[_Ranges, _Ranges]:
    """What is held out of a corpus, and the rest.

    Args:
        sentence_ends: (n,) the position behind each sentence's last token.
        firsts: (n_documents,) the first sentence of each document.
        stops: (n_documents,) the one behind its last.
        fewest: Documents that either part needs; 2 where sentences are paired, and then one of them has two or more.
    """
    n, n_sentences = int(sentence_ends[-1]), len(sentence_ends)
    due = min(MOST_HELD_OUT, max(HELD_OUT_SHARE * n, min(FEWEST_HELD_OUT, n / 20)))
    everything, nothing = (firsts, stops), (firsts[:0], stops[:0])
    if len(firsts) >= 2 * fewest:
        lengths = np.diff(sentence_ends[stops - 1], prepend=0)
        is_out = np.zeros(len(firsts), np.bool_)
        chosen = _held_out(lengths, due, fewest)
        is_out[chosen] = True
        has_pairs = fewest < 2 or all((stops - firsts)[part].max() > 1 for part in (is_out, ~is_out))
        if has_pairs and lengths[is_out].sum() <= n / 4:
            return (firsts[is_out], stops[is_out]), (firsts[~is_out], stops[~is_out])
    if fewest > 1 or n_sentences < 2:
        return nothing, everything
    last_end = n - due  # the end of the last document
    sentence = int(np.searchsorted(sentence_ends, last_end, side="right"))
    sentence = min(max(sentence, int(firsts[-1]) + (len(firsts) == 1)), n_sentences - 1)
    if sentence_ends[sentence - 1] < 3 * n / 4:
        return nothing, everything
    document = int(np.searchsorted(stops, sentence, side="right"))
    kept = firsts < sentence
    out = (np.maximum(firsts[document:], sentence), stops[document:])
    return out, (firsts[kept], np.minimum(stops[kept], sentence))


@compiled
def _held_out(lengths: Any, due: float, fewest: int) -> Any:
    """Documents in an order of hashes until there are enough pieces, those too long passed over."""
    n = len(lengths)
    chosen = np.empty(n, int64)
    n_chosen = 0
    total = 0
    key = uint64(0x5EED)
    order = np.argsort(np.array([mix(key, document) for document in range(n)]))
    for document in order:
        if (total >= due and n_chosen >= fewest) or 2 * (n_chosen + 1) > n:
            break
        if total + lengths[document] <= 1.5 * due:
            chosen[n_chosen] = document
            n_chosen += 1
            total += lengths[document]
    if n_chosen >= fewest:
        return chosen[:n_chosen].copy()
    return np.argsort(lengths)[:fewest].astype(int64)


# --- GPT ------------------------------------------------------------------------------------------------------


def contiguous(text: Text, number: int, seed: int) -> TokenBatch:
    """Batch `number` of a run: stretches of the text (Radford et al. 2018, section 4.1), in an order drawn each pass.

    A pass begins anywhere within T pieces of the text's beginning, and its last row goes on there.

    Args:
        text: What to cut from, of layout `contiguous`.
        number: Counts through all passes.
        seed: The run's.
    """
    length = min(text.context_length, text.n_pieces)
    ids = np.zeros((text.batch_size, text.context_length), np.int64)
    _fill_contiguous(
        text.pieces.ids, text.range_starts, text.range_ends, text.rows_of_pass, length,
        number * text.batch_size, _key(seed), ids,
    )  # fmt: skip
    lengths = None
    if length < text.context_length:
        lengths = np.full(text.batch_size, length)
    return TokenBatch(ids, lengths, text.batch_size * length)


@compiled
def _fill_contiguous(
    ids: Any, range_starts: Any, range_ends: Any, rows_of_pass: int, length: int, first: int, key: Any, into: Any
) -> None:
    n = range_ends[-1]
    for row in range(len(into)):
        pass_number, rank = divmod(first + row, rows_of_pass)
        of_pass = mix(key, pass_number)
        place = (shuffled(rank, rows_of_pass, of_pass) * length + int64(below(length, of_pass, 0))) % n
        part = np.searchsorted(range_ends, place, side="right")
        for column in range(length):
            if place == range_ends[part]:
                part += 1
                if part == len(range_ends):
                    part = 0
                    place = 0
            before = range_ends[part - 1] if part > 0 else 0
            into[row, column] = ids[range_starts[part] + place - before]
            place += 1


# --- BERT -----------------------------------------------------------------------------------------------------


class Pairs(NamedTuple):
    """A pass of pairs of sentences; all places are in the corpus' ids."""

    a_starts: NDArray[np.int64]  # (n,)
    a_lengths: NDArray[np.int32]
    b_starts: NDArray[np.int64]
    b_lengths: NDArray[np.int32]
    is_random: NDArray[np.bool_]  # whether B is of another document

    @property
    def rows(self) -> NDArray[np.int64]:
        """(n,) tokens of each row."""
        return 3 + self.a_lengths.astype(np.int64) + self.b_lengths

    @property
    def n_tokens(self) -> int:
        """Tokens of all rows."""
        return int(self.rows.sum())


class Parts(NamedTuple):
    """A pass of rows filled with parts of documents; all places are in the corpus' ids."""

    starts: NDArray[np.int64]  # (n_parts,)
    lengths: NDArray[np.int32]
    rows: NDArray[np.int64]  # (n_rows,) the number of the part behind each row's last one

    @property
    def n_tokens(self) -> int:
        """Tokens of all rows."""
        return int(self.lengths.sum()) + 2 * len(self.lengths)


@lru_cache(maxsize=6)
def _plan(text: Text, pass_number: int, seed: int) -> Pairs | Parts:
    if text.layout == "pairs":
        return plan_pairs(text, pass_number, seed)
    return plan_parts(text, pass_number, seed)


def plan_pairs(text: Text, pass_number: int, seed: int) -> Pairs:
    """All pairs of a pass, as the authors of BERT build them (`create_instances_from_document` of their release).

    Of each document sentences are taken until they have the target length: T - 3, or for `short_share` of the
    documents, drawn once for each, 2 to T - 3. They are parted at random, after the first of them at the earliest. With
    probability 1/2, and always where there is but one sentence, B comes from a random place of another document, and
    the sentences that it takes the place of are used again; else B is the rest. What is longer than T - 3 loses tokens
    of the longer part, at its beginning or end at random.

    Differs: the other document is drawn among all others at once, where the original draws up to ten times and may end
    with the same one.
    """
    ends = text.pieces.sentence_ends
    arrays = _pairs(
        ends, text.firsts, text.stops, text.context_length - 3, text.short_share, _key(seed, pass_number)
    )  # fmt: skip
    return Pairs(*arrays)


@compiled
def _pairs(
    ends: Any, firsts: Any, stops: Any, most: int, short_share: float, key: Any
) -> tuple[Any, Any, Any, Any, Any]:
    n_documents = len(firsts)
    room = 1024
    a_starts, b_starts = np.empty(room, int64), np.empty(room, int64)
    a_lengths, b_lengths = np.empty(room, int32), np.empty(room, int32)
    is_random = np.empty(room, np.bool_)
    n = 0
    for document in range(n_documents):
        of_document = mix(key, document)
        draw = 0
        target = most
        if unit(of_document, draw) < short_share:
            target = 2 + below(most - 1, of_document, draw + 1)
        draw += 2
        chunk = firsts[document]  # the first sentence that is not used yet
        while chunk < stops[document]:
            start = ends[chunk - 1] if chunk > 0 else 0
            stop = chunk + 1
            while stop < stops[document] and ends[stop - 1] - start < target:
                stop += 1
            parted = chunk + 1
            if stop - chunk >= 2:
                parted += below(stop - chunk - 1, of_document, draw)
            a_start, a_length = start, ends[parted - 1] - start
            takes_other = stop - chunk == 1 or unit(of_document, draw + 1) < 0.5
            if takes_other:
                other = below(n_documents - 1, of_document, draw + 2)
                other += other >= document
                sentence = firsts[other] + below(stops[other] - firsts[other], of_document, draw + 3)
                b_start = ends[sentence - 1] if sentence > 0 else 0
                while sentence + 1 < stops[other] and ends[sentence] - b_start < target - a_length:
                    sentence += 1
                b_length = ends[sentence] - b_start
                chunk = parted
            else:
                b_start = ends[parted - 1]
                b_length = ends[stop - 1] - b_start
                chunk = stop
            draw += 4
            while a_length + b_length > most:
                at_front = unit(of_document, draw) < 0.5
                draw += 1
                if a_length > b_length:
                    a_length -= 1
                    a_start += at_front
                else:
                    b_length -= 1
                    b_start += at_front
            if n == room:
                room *= 2
                a_starts, b_starts = _doubled(a_starts), _doubled(b_starts)
                a_lengths, b_lengths = _doubled(a_lengths), _doubled(b_lengths)
                is_random = _doubled(is_random)
            a_starts[n], a_lengths[n], b_starts[n], b_lengths[n] = a_start, a_length, b_start, b_length
            is_random[n] = takes_other
            n += 1
    return a_starts[:n], a_lengths[:n], b_starts[:n], b_lengths[:n], is_random[:n]


@compiled
def _doubled(array: Any) -> Any:
    larger = np.empty(2 * len(array), array.dtype)
    larger[: len(array)] = array
    return larger


def plan_parts(text: Text, pass_number: int, seed: int) -> Parts:
    """All rows of a pass: parts of documents one behind the other, each between [CLS] and [SEP], cut where a row ends.

    Parts of different documents share a row and see nothing of each other. A row whose rest is too short for a part
    ends there. The first row of each pass but the first is shorter by a random length, so that the cuts fall elsewhere.
    """
    first_length = text.context_length
    if pass_number:
        first_length -= int(below(max(1, text.context_length - LEAST_PART), _key(seed, pass_number), 0))
    return Parts(*_parts(text.pieces.sentence_ends, text.firsts, text.stops, text.context_length, first_length))


@compiled
def _parts(ends: Any, firsts: Any, stops: Any, context_length: int, first_length: int) -> tuple[Any, Any, Any]:
    starts, lengths, rows = np.empty(1024, int64), np.empty(1024, int32), np.empty(1024, int64)
    n_parts = n_rows = 0
    left = first_length
    least = min(LEAST_PART, context_length) - 2
    for document in range(len(firsts)):
        place = ends[firsts[document] - 1] if firsts[document] > 0 else 0
        stop = ends[stops[document] - 1]
        while place < stop:
            length = min(stop - place, left - 2)
            if length < min(stop - place, least):
                if n_rows == len(rows):
                    rows = _doubled(rows)
                rows[n_rows] = n_parts
                n_rows += 1
                left = context_length
                continue
            if n_parts == len(starts):
                starts, lengths = _doubled(starts), _doubled(lengths)
            starts[n_parts], lengths[n_parts] = place, length
            n_parts += 1
            place += length
            left -= length + 2
    if n_rows == len(rows):
        rows = _doubled(rows)
    rows[n_rows] = n_parts
    return starts[:n_parts], lengths[:n_parts], rows[: n_rows + 1]


def pairs(text: Text, number: int, seed: int, masking: Masking) -> MaskedBatch:
    """Batch `number` of a run for both tasks: `[CLS] A [SEP] B [SEP]`, segment 0 up to the first [SEP], then 1.

    Args:
        text: What to cut from, of layout `pairs`.
        number: Counts through all passes.
        seed: The run's.
        masking: What is hidden.
    """
    n_rows = text.batch_size
    ids, begins = _empty_rows(text)
    segments = np.zeros(ids.shape, np.int64)
    lengths = np.empty(n_rows, np.int64)
    next_sentence = np.empty(n_rows, np.int64)
    for rows, pass_number, ranks in _passes(text, number):
        plan = _plan(text, pass_number, seed)
        assert isinstance(plan, Pairs)
        chosen = _chosen(ranks.start, len(ranks), len(plan.a_starts), _key(seed, pass_number, 2))
        _fill_pairs(
            text.pieces.ids, _word_starts(text.pieces, masking), *(column[chosen] for column in plan[:4]),
            text.pieces.cls, text.pieces.sep, ids[rows], segments[rows], begins[rows], lengths[rows],
        )  # fmt: skip
        next_sentence[rows] = plan.is_random[chosen]
    masked, targets, weights = mask(text, ids, lengths, begins, masking, _key(seed, number, 1))
    return MaskedBatch(
        ids, segments, lengths, None, None, masked, targets, weights, next_sentence, int(lengths.sum())
    )  # fmt: skip


def packed(text: Text, number: int, seed: int, masking: Masking) -> MaskedBatch:
    """Batch `number` of a run for masked tokens alone: rows filled with parts of documents.

    Args:
        text: What to cut from, of layout `packed`.
        number: Counts through all passes.
        seed: The run's.
        masking: What is hidden.
    """
    ids, begins = _empty_rows(text)
    positions = np.zeros(ids.shape, np.int64)
    documents = np.full(ids.shape, -1, np.int64)
    lengths = np.empty(len(ids), np.int64)
    for rows, pass_number, ranks in _passes(text, number):
        plan = _plan(text, pass_number, seed)
        assert isinstance(plan, Parts)
        chosen = _chosen(ranks.start, len(ranks), len(plan.rows), _key(seed, pass_number, 2))
        _fill_parts(
            text.pieces.ids, _word_starts(text.pieces, masking), *plan, chosen,
            text.pieces.cls, text.pieces.sep, ids[rows], positions[rows], documents[rows], begins[rows], lengths[rows],
        )  # fmt: skip
    masked, targets, weights = mask(text, ids, lengths, begins, masking, _key(seed, number, 1))
    return MaskedBatch(
        ids, None, None, positions, documents, masked, targets, weights, None, int(lengths.sum())
    )  # fmt: skip


def _empty_rows(text: Text) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(B, T) padding; and where units begin, which is everywhere so far."""
    shape = (text.batch_size, text.context_length)
    return np.full(shape, text.pieces.pad or 0, np.int64), np.ones(shape, np.bool_)


def _passes(text: Text, number: int) -> Iterator[tuple[slice, int, range]]:
    """The rows of a batch by the passes they belong to: which rows, which pass, their ranks there.

    Plans differ by a few rows from pass to pass, but passes are equally long, so that a batch's number tells its pass:
    the rows that are too many are left out, and where some are missing the first come again.
    """
    first = number * text.batch_size
    row = 0
    while row < text.batch_size:
        pass_number, rank = divmod(first + row, text.rows_of_pass)
        n = min(text.batch_size - row, text.rows_of_pass - rank)
        yield slice(row, row + n), pass_number, range(rank, rank + n)
        row += n


def _word_starts(pieces: EncodedPieces, masking: Masking) -> NDArray[np.bool_]:
    """Of all pieces of the corpus; empty where each piece is a unit."""
    if masking.units == "pieces":
        return np.empty(0, np.bool_)
    if pieces.word_starts is None:
        raise FirthError("whole words are to be masked, but the corpus was encoded without them; encode it again")
    return pieces.word_starts


@compiled
def _chosen(first: int, count: int, n: int, key: Any) -> Any:
    """(count,) which of the n rows of a plan come at the ranks from `first` on."""
    chosen = np.empty(count, int64)
    for place in range(count):
        chosen[place] = shuffled((first + place) % n, n, key)
    return chosen


@compiled
def _fill_pairs(
    pieces: Any, word_starts: Any, a_starts: Any, a_lengths: Any, b_starts: Any, b_lengths: Any, cls: int, sep: int,
    ids: Any, segments: Any, begins: Any, lengths: Any,
) -> None:  # fmt: skip
    for row in range(len(ids)):
        ids[row, 0] = cls
        column = 1
        for segment in range(2):
            start, length = (a_starts[row], a_lengths[row]) if segment == 0 else (b_starts[row], b_lengths[row])
            _copy(pieces, word_starts, start, length, ids[row], begins[row], column)
            ids[row, column + length] = sep
            segments[row, column : column + length + 1] = segment
            column += length + 1
        lengths[row] = column


@compiled
def _fill_parts(
    pieces: Any, word_starts: Any, starts: Any, part_lengths: Any, row_ends: Any, chosen: Any, cls: int, sep: int,
    ids: Any, positions: Any, documents: Any, begins: Any, lengths: Any,
) -> None:  # fmt: skip
    for row in range(len(ids)):
        column = 0
        first = row_ends[chosen[row] - 1] if chosen[row] > 0 else 0
        for part in range(first, row_ends[chosen[row]]):
            length = part_lengths[part]
            ids[row, column] = cls
            _copy(pieces, word_starts, starts[part], length, ids[row], begins[row], column + 1)
            ids[row, column + length + 1] = sep
            for place in range(length + 2):
                positions[row, column + place] = place
                documents[row, column + place] = part - first
            column += length + 2
        lengths[row] = column


@compiled
def _copy(pieces: Any, word_starts: Any, start: int, length: int, ids: Any, begins: Any, column: int) -> None:
    for place in range(length):
        ids[column + place] = pieces[start + place]
        if len(word_starts) > 0:
            begins[column + place] = word_starts[start + place]


def mask(
    text: Text,
    ids: NDArray[np.int64],
    lengths: NDArray[np.int64],
    begins: NDArray[np.bool_],
    masking: Masking,
    key: np.uint64,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Hides tokens in `ids`; the places, what stood there, and weights, as `MaskedBatch` has them.

    Args:
        text: What the rows were cut from.
        ids: (B, T), changed in place.
        lengths: (B,) tokens of each row.
        begins: (B, T) where a unit begins; special tokens are units of their own.
        masking: What is hidden.
        key: Of the draws.
    """
    n_rows, n_columns = ids.shape
    n_places = masking.places(n_columns)
    masked = np.repeat(np.arange(n_rows) * n_columns, n_places)
    targets = ids.reshape(-1)[masked]
    weights = np.zeros(len(masked), np.float32)
    assert text.pieces.mask is not None
    _mask(
        ids, lengths, begins, text.is_special, text.pieces.mask, masking.share, n_places, key, masked, targets, weights
    )
    return masked, targets, weights


@compiled
def _mask(
    ids: Any, lengths: Any, begins: Any, is_special: Any, mask_id: int, share: float, n_places: int, key: Any,
    masked: Any, targets: Any, weights: Any,
) -> None:  # fmt: skip
    n_rows, n_columns = ids.shape
    starts, stops = np.empty(n_columns, int64), np.empty(n_columns, int64)
    is_chosen = np.empty(n_columns, np.bool_)
    n_entries = len(is_special)
    for row in range(n_rows):
        of_row = mix(key, row)
        draw = 0
        n_units = 0
        open_unit = False
        for column in range(lengths[row]):
            is_chosen[column] = False
            if is_special[ids[row, column]]:
                open_unit = False
                continue
            if begins[row, column] or not open_unit:
                starts[n_units] = column
                n_units += 1
            stops[n_units - 1] = column + 1
            open_unit = True
        n_due = min(n_places, max(1, round(share * lengths[row])))
        n_chosen = 0
        for number in range(n_units):  # Fisher & Yates, as far as it is needed
            if n_chosen == n_due:
                break
            other = number + int64(below(n_units - number, of_row, draw))
            draw += 1
            starts[number], starts[other] = starts[other], starts[number]
            stops[number], stops[other] = stops[other], stops[number]
            if n_chosen + stops[number] - starts[number] > n_due:
                continue
            for column in range(starts[number], stops[number]):
                is_chosen[column] = True
                n_chosen += 1
        place = row * n_places
        for column in range(lengths[row]):
            if not is_chosen[column]:
                continue
            masked[place] = row * n_columns + column
            targets[place] = ids[row, column]
            weights[place] = 1
            place += 1
            fate = unit(of_row, draw)
            draw += 1
            if fate < 0.8:
                ids[row, column] = mask_id
            elif fate < 0.9:
                entry = below(n_entries, of_row, draw)
                while is_special[entry]:
                    draw += 1
                    entry = below(n_entries, of_row, draw)
                draw += 1
                ids[row, column] = entry


# --- draws ----------------------------------------------------------------------------------------------------


def _key(seed: int, *numbers: int) -> np.uint64:
    """64 random bits for a seed and numbers."""
    return np.uint64(np.random.SeedSequence((seed, *numbers)).generate_state(1, np.uint64)[0])


@compiled
def unit(key: Any, position: int) -> float:
    """Uniform in [0, 1)."""
    return float(mix(key, position) >> uint64(11)) * _BLOCK_OF_UNIT


@compiled
def below(n: int, key: Any, position: int) -> Any:
    """Uniform on 0 .. n - 1, n up to 2 ** 32 (Lemire 2019, without the correction of a bias of n / 2 ** 32)."""
    return int64(((mix(key, position) >> uint64(32)) * uint64(n)) >> uint64(32))


@compiled
def shuffled(rank: int, n: int, key: Any) -> Any:
    """The place of `rank` in a random order of 0 .. n - 1, without making the order.

    A Feistel network (Luby & Rackoff 1988) over an even number of bits that hold n, walked till it ends below n.
    """
    half = 1
    while (1 << (2 * half)) < n:
        half += 1
    low = (uint64(1) << uint64(half)) - uint64(1)
    place = uint64(rank)
    while True:
        left, right = place >> uint64(half), place & low
        for turn in range(6):
            left, right = right, left ^ (mix(key + uint64(turn), int64(right)) & low)
        place = (left << uint64(half)) | right
        if place < uint64(n):
            return int64(place)
