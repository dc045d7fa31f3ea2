"""Sentences -> a vector for every word and layer: what is asked, and how the work is parted; one way for every reader.

Sentences become words, words pieces, pieces windows that a network reads; a word's vector in a layer is pooled from its
pieces there. Sentences are taken in blocks, whose windows are sorted by length and read in batches, several at a time;
they come back in their order. What a batch holds changes no vector beyond rounding.

K layers, W words of a sentence, D dim; R rows that get a vector: words, or parts of those too long for a window
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth.alignment import Cut, Pieced, Positions, Window, cut_texts, cut_words, windows
from firth.errors import FirthError, UsageError
from firth.explanations import named_layers
from firth.files import printable
from firth.readers import Batch, Reader
from firth.segmentation import Method, Segmentation

if TYPE_CHECKING:
    from firth.packing import Pool

Unknown = Literal["nan", "context", "error"]
Type = Literal["float32", "float16"]
Unit = Literal["word", "sentence"]
SentencePool = Literal["mean", "cls", "last"]
POOLS: Final = ("mean", "first", "last", "max")
"""Of the pieces of a word."""
Given = str | Sequence[str]
"""A sentence: text, or its words."""

BLOCK_BYTES: Final = 1 << 27  # of vectors that are made together; two blocks are under way at a time
BLOCK_PIECES: Final = 1 << 16
BATCH_PIECES: Final = 1 << 10  # what a network makes of them between two products still fits the cache
_SENTENCES_TOGETHER: Final = 256  # that are cut and looked up at once, or fewer of many characters, or words
_CHARACTERS_TOGETHER: Final = 1 << 20
_MOST_WITHOUT_ROWS: Final = 1 << 13  # words of a part
_BLOCKS_AHEAD: Final = 2


class Sentence(NamedTuple):
    """The words of a sentence and their vectors.

    Attributes:
        words: (W) as they were given, or found in its text.
        array: (K, W, D) a vector for each layer asked for and each word; K is 1 where layers were made one. Of vectors
            of whole sentences the sentence is the one word.
        unknown: Positions of the words that have no piece, or none that the model knows. Their vectors are NaN, unless
            others were asked for.
    """

    words: list[str]
    array: NDArray[np.floating[Any]]
    unknown: list[int]


class Wanted(NamedTuple):
    """A sentence some of whose words alone get a vector, the others NaN; windows without them are not read.

    Attributes:
        sentence: Text, or its words.
        places: (n,) of those words, counted from 0.
    """

    sentence: Given
    places: Positions


class Layers(NamedTuple):
    """Which layers are wanted, and what becomes of them.

    Attributes:
        numbers: Counted from 0, in the order asked for.
        combined: `each` keeps them apart; `mean`, `sum` and `concat` make one of them.
    """

    numbers: tuple[int, ...]
    combined: Literal["each", "mean", "sum", "concat"]


class Part(NamedTuple):
    """Some words of a sentence one behind the other: all of them, unless it is longer than a window.

    Attributes:
        sentence: Its number, counted from 0.
        position: Of the first of the words.
        words: Those of the part.
        array: (K, words, D).
        unknown: Positions in the sentence.
        is_last: Whether the sentence ends here.
    """

    sentence: int
    position: int
    words: list[str]
    array: NDArray[np.floating[Any]]
    unknown: list[int]
    is_last: bool


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """What is asked of a model: the arguments of `extract`, looked at.

    Attributes:
        reader: The model.
        layers: Those wanted.
        pool: How a word's vector comes from its pieces', or a sentence's.
        unknown: What becomes of words without a piece that is known.
        segmentation: How text becomes words.
        dtype: Of the arrays.
        carry: Rows that remember; None where each sentence begins anew.
        unit: What gets a vector.
    """

    reader: Reader
    layers: Layers
    pool: "Pool | SentencePool"
    unknown: Unknown
    segmentation: Segmentation
    dtype: Type
    carry: int | None = None
    unit: Unit = "word"

    @property
    def n_layers(self) -> int:
        """K: how many matrices come out."""
        return len(self.layers.numbers) if self.layers.combined == "each" else 1

    @property
    def dim(self) -> int:
        """D: numbers in a vector that comes out."""
        return self.reader.dim * (len(self.layers.numbers) if self.layers.combined == "concat" else 1)

    @property
    def piece_pool(self) -> "Pool":
        """How pieces are pooled: that a text begins with is its first."""
        return "first" if self.pool == "cls" else self.pool

    def settings(self) -> dict[str, Any]:
        """What decides on the vectors, as JSON."""
        told = {
            "model": self.reader.fingerprint(),
            "layers": list(self.layers.numbers),
            "combined": self.layers.combined,
            "pool": self.pool,
            "unknown": self.unknown,
            "segmentation": self.segmentation.settings(),
            "context_length": self.reader.capacity,
            "dtype": self.dtype,
        }
        if self.unit != "word":
            told["unit"] = self.unit
        return told if self.carry is None else told | {"carry": self.carry}


def asked_of(
    reader: Reader,
    *,
    layers: str | int | Sequence[int] = "all",
    unit: Unit = "word",
    pool: "Pool | SentencePool" = "mean",
    unknown: Unknown = "nan",
    segmentation: Segmentation | Method | None = None,
    dtype: Type = "float32",
    carry: int | None = None,
) -> Extraction:
    """What the arguments of `firth.extract` ask of a reader, all of them looked at."""
    for name, value, known in (
        ("unit", unit, get_args(Unit)),
        ("pool", pool, POOLS if unit == "word" else get_args(SentencePool)),
        ("unknown", unknown, get_args(Unknown)),
        ("dtype", dtype, get_args(Type)),
    ):
        if value not in known:
            of_unit = f" for a {unit}" if name == "pool" else ""
            raise UsageError(f"{name} is {printable(repr(value))}; there are {', '.join(known)}{of_unit}")
    if carry is not None and carry < 1:
        raise UsageError(f"carry is {carry}; it must be at least 1")
    if unknown == "context" and not reader.has_context:
        raise UsageError(f"unknown 'context' asked of {reader.name}, whose words have one vector in every context")
    if carry is not None and reader.carrying is None:
        raise UsageError(f"carry asked of {reader.name}, which remembers nothing from sentence to sentence: ELMo does")
    if carry is not None and unit == "sentence":
        raise UsageError("carry is of words, each of which has a vector; of whole sentences it is left out")
    if pool == "cls" and (reader.reads_words or not reader.before):
        raise UsageError(
            f"pool 'cls' asked of {reader.name}, which sets no piece before a text; mean and last serve it"
        )
    if segmentation is None:
        segmentation = reader.segmentation
    elif isinstance(segmentation, str):
        segmentation = replace(reader.segmentation, method=segmentation, segmenter=None, user_words=None)
    return Extraction(
        reader=reader,
        layers=chosen_layers(layers, reader),
        pool=pool,
        unknown=unknown,
        segmentation=segmentation,
        dtype=dtype,
        carry=carry,
        unit=unit,
    )


# --- layers


def chosen_layers(asked: str | int | Sequence[int], reader: Reader) -> Layers:
    """The layers that are asked of a model, see `extract`.

    Raises:
        UsageError: it does not have one of them, none is left, or it cannot be understood what is asked for.
    """
    if isinstance(asked, str):
        head, colon, rest = asked.partition(":")
        if colon and head in ("mean", "sum", "concat"):
            combined: Any = head
            return Layers(_numbers(rest, reader), combined)
        return Layers(_numbers(asked, reader), "each")
    numbers = _some([asked] if isinstance(asked, int | float) else asked, repr(asked), reader)
    return Layers(tuple(_number(number, reader) for number in numbers), "each")


def _numbers(asked: str, reader: Reader) -> tuple[int, ...]:
    """The layers of `all`, `last`, `0,5,12` or `-4:`."""
    everything = _all(reader)
    if asked in ("all", "last"):
        return tuple(everything) if asked == "all" else (everything[-1],)
    try:
        if ":" in asked:
            bounds = [int(bound) if bound.strip() else None for bound in asked.split(":")]
            if len(bounds) > 3 or bounds[2:] == [0]:
                raise ValueError
            return tuple(_some(everything[slice(*bounds)], asked, reader))
        numbers = [int(number) for number in asked.split(",")]
    except ValueError:
        raise UsageError(
            f"layers '{printable(asked)}' asked for; it may be all, last, numbers as 0,5,12 or a slice as -4:, and "
            "mean:, sum: or concat: before one of these"
        ) from None
    return tuple(_number(number, reader) for number in numbers)


def _some(numbers: Sequence[int], asked: str, reader: Reader) -> Sequence[int]:
    if not numbers:
        raise UsageError(f"layers {printable(asked)} are none of {_has(reader)}")
    return numbers


def _number(number: int, reader: Reader) -> int:
    everything = _all(reader)
    if type(number) is int and -len(everything) <= number < 0:
        return everything[number]
    if type(number) is not int or number not in everything:
        raise UsageError(f"layer {printable(repr(number))} asked of {_has(reader)}")
    return number


def _all(reader: Reader) -> Sequence[int]:
    return reader.layer_numbers or range(reader.n_layers)


def _has(reader: Reader) -> str:
    return f"{reader.name}, which has {reader.n_layers} ({named_layers(_all(reader))})"


# --- sentences -> parts of them -> blocks -> batches


class _Draft(NamedTuple):
    """A part of a sentence whose vectors are not made yet: the windows that its words have rows in."""

    sentence: int
    position: int
    words: list[str]
    unknown: list[int]
    is_last: bool
    ids: Positions  # of the whole sentence
    windows: list[Window]


class _Block(NamedTuple):
    """Drafts whose vectors are being made, and for each of their windows the batch and its rows there."""

    drafts: list[_Draft]
    places: list[list[tuple[int, slice]]]
    batches: "list[Future[NDArray[np.float32]]]"


def parts(
    asked: Extraction,
    sentences: Iterable[Given | Wanted],
    begin: tuple[int, int] = (0, 0),
    *,
    block_pieces: int | None = None,
) -> Iterator[Part]:
    """The vectors of sentences, part by part, in order.

    Args:
        asked: What is wanted.
        sentences: Texts or sequences of words; of `Wanted`, some of their words get a vector.
        begin: Sentence and position of the first word that is wanted, where a part begins; what stands before is read,
            and passed over.
        block_pieces: How many pieces are on their way at a time, so that a caller in a hurry may stop soon; None is
            BLOCK_PIECES.
    """
    if asked.carry is not None:
        yield from _carried(asked, sentences, begin)
        return
    drafts = _drafts(asked, sentences, begin)
    n_workers = asked.reader.n_workers
    workers = ThreadPoolExecutor(n_workers, "firth-extract")
    under_way: deque[_Block] = deque()
    try:
        for block in _blocks(asked, drafts, block_pieces or BLOCK_PIECES):
            under_way.append(_submitted(asked, block, workers, n_workers))
            if len(under_way) == _BLOCKS_AHEAD:
                yield from _finished(asked, under_way.popleft())
        while under_way:
            yield from _finished(asked, under_way.popleft())
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _carried(asked: Extraction, sentences: Iterable[Given | Wanted], begin: tuple[int, int]) -> Iterator[Part]:
    """The sentences, `asked.carry` at a time, each row of these batches going on where the one before it ended.

    What stands before `begin` is read as well, since what is behind it depends on that.
    """
    reader = asked.reader
    assert reader.carrying is not None
    assert asked.carry is not None
    wanted = sorted(set(asked.layers.numbers))
    n_before, n_behind = len(reader.before), len(reader.behind)
    numbered = enumerate(sentences)
    state = None
    while together := list(islice(numbered, asked.carry)):
        cuts = cuts_of(asked, [_given(sentence) for _, sentence in together])
        pieced = reader.pieced(cuts)
        texts = [np.concatenate([reader.before, one.ids, reader.behind]).astype(np.int64) for one in pieced]
        found, state = reader.carrying(texts, wanted, state)
        for (number, _), cut, one, vectors in zip(together, cuts, pieced, found, strict=True):
            unknown = np.flatnonzero(~one.is_known).tolist()
            if unknown and asked.unknown == "error":
                word = printable(cut.words[unknown[0]])
                raise FirthError(f"'{word}' in sentence {number} has no piece that {reader.name} knows")
            array = vectors[:, n_before : vectors.shape[1] - n_behind].copy()
            if asked.unknown == "nan":
                array[:, unknown] = np.nan
            if (number, 0) >= begin:
                typed = _typed(_combined(array, asked.layers), number, asked.dtype)
                yield Part(number, 0, cut.words, typed, unknown, is_last=True)


def extracted(asked: Extraction, sentences: Iterable[Given]) -> Iterator[Sentence]:
    """The sentences with their vectors, each whole."""
    pending: list[Part] = []
    for part in parts(asked, sentences):
        pending.append(part)
        if part.is_last:
            array = part.array if len(pending) == 1 else np.concatenate([one.array for one in pending], axis=1)
            words = [word for one in pending for word in one.words]
            yield Sentence(words, array, [place for one in pending for place in one.unknown])
            pending = []


def _drafts(asked: Extraction, sentences: Iterable[Given | Wanted], begin: tuple[int, int]) -> Iterator[_Draft]:
    for together in _together(sentences, begin[0]):
        cuts = cuts_of(asked, [_given(sentence) for _, sentence in together])
        for (number, sentence), cut, pieced in zip(together, cuts, asked.reader.pieced(cuts), strict=True):
            if asked.unit == "sentence":
                cut, pieced = _as_one(cut, pieced)
            places = sentence.places if isinstance(sentence, Wanted) else None
            for draft in _of_sentence(asked, number, cut, pieced, places):
                if (number, draft.position) >= begin:
                    yield draft


def _together(sentences: Iterable[Given | Wanted], first: int) -> Iterator[list[tuple[int, Given | Wanted]]]:
    """Sentences from number `first` on, with their numbers, so many as are cut at once."""
    together: list[tuple[int, Given | Wanted]] = []
    n_characters = 0
    for number, sentence in enumerate(sentences):
        if number < first:
            continue
        together.append((number, sentence))
        n_characters += len(_given(sentence))
        if len(together) >= _SENTENCES_TOGETHER or n_characters >= _CHARACTERS_TOGETHER:
            yield together
            together, n_characters = [], 0
    if together:
        yield together


def _given(sentence: Given | Wanted) -> Given:
    return sentence.sentence if isinstance(sentence, Wanted) else sentence


def cuts_of(asked: Extraction, sentences: Sequence[Given]) -> list[Cut]:
    """The words of sentences; all texts among them are cut together. Pieces of whole sentences need no words."""
    if asked.unit == "sentence" and not asked.reader.reads_words:
        texts = [sentence if isinstance(sentence, str) else cut_words(sentence).text for sentence in sentences]
        return [Cut(text, [text], np.zeros(1, np.int64), np.array([len(text)])) for text in texts]
    of_texts = iter(cut_texts([text for text in sentences if isinstance(text, str)], asked.segmentation))
    return [next(of_texts) if isinstance(sentence, str) else cut_words(sentence) for sentence in sentences]


def _as_one(cut: Cut, pieced: Pieced) -> tuple[Cut, Pieced]:
    """A sentence as one word that has all its pieces; of words, those that are known."""
    length = np.array([len(cut.text)])
    ids = pieced.ids[pieced.ids >= 0]
    first, stop = np.zeros(1, np.int64), np.array([len(ids)])
    is_known = np.array([bool(pieced.is_known.any())])
    return Cut(cut.text, [cut.text], np.zeros(1, np.int64), length), Pieced(ids, first, stop, is_known)


def _of_sentence(
    asked: Extraction, number: int, cut: Cut, pieced: Pieced, places: Positions | None = None
) -> list[_Draft]:
    """A sentence in parts, each of one window, or of several where a word is longer than one.

    Where `places` are given, words at others have no vector.
    """
    unknown = np.flatnonzero(~pieced.is_known)
    if len(unknown) and asked.unknown == "error":
        word = printable(cut.words[unknown[0]])
        raise FirthError(f"'{word}' in sentence {number} has no piece that {asked.reader.name} knows")
    has_vector = pieced.is_known if asked.unknown == "nan" else pieced.stops > pieced.firsts
    if places is not None:
        is_wanted = np.zeros(len(has_vector), np.bool_)
        is_wanted[places] = True
        has_vector = has_vector & is_wanted
    reader = asked.reader
    found = windows(pieced, np.flatnonzero(has_vector), reader.capacity, is_causal=reader.is_causal)
    groups: list[list[Window]] = []
    for window in found:
        if groups and groups[-1][-1].words[-1] == window.words[0]:  # a word of both
            groups[-1].append(window)
        else:
            groups.append([window])
    begins = _begins(groups, len(cut.words))
    firsts = np.array([*(first for first, _ in begins), len(cut.words)])
    of_unknown = np.searchsorted(unknown, firsts)
    drafts = []
    for order, (first, group) in enumerate(begins):
        drafts.append(
            _Draft(
                sentence=number,
                position=first,
                words=cut.words[first : firsts[order + 1]],
                unknown=unknown[of_unknown[order] : of_unknown[order + 1]].tolist(),
                is_last=order == len(begins) - 1,
                ids=pieced.ids,
                windows=group,
            )
        )
    return drafts


def _begins(groups: Sequence[list[Window]], n_words: int) -> list[tuple[int, list[Window]]]:
    """The first word of each part of a sentence, and its windows: each group is a part, with the words before it.

    Words without a row, which have no vector, are parts of their own where they are many.
    """
    begins: list[tuple[int, list[Window]]] = []
    done = 0
    for group in [*groups, []]:
        first = int(group[0].words[0]) if group else n_words
        while first - done > _MOST_WITHOUT_ROWS:
            begins.append((done, []))
            done += _MOST_WITHOUT_ROWS
        if group:
            begins.append((done, group))
            done = int(group[-1].words[-1]) + 1
    return begins or [(0, [])]


def _blocks(asked: Extraction, drafts: Iterable[_Draft], most_pieces: int) -> Iterator[list[_Draft]]:
    """Drafts in order, so many together that their vectors take BLOCK_BYTES, or that they have so many pieces."""
    bytes_of_row = 4 * len(set(asked.layers.numbers)) * asked.reader.dim
    block: list[_Draft] = []
    n_bytes = n_pieces = 0
    for draft in drafts:
        block.append(draft)
        n_bytes += bytes_of_row * max(1, len(draft.words))
        n_pieces += sum(window.stop - window.first for window in draft.windows)
        if n_bytes >= BLOCK_BYTES or n_pieces >= most_pieces:
            yield block
            block, n_bytes, n_pieces = [], 0, 0
    if block:
        yield block


def _submitted(asked: Extraction, drafts: list[_Draft], workers: ThreadPoolExecutor, n_workers: int) -> _Block:
    """A block whose batches are on their way."""
    reader = asked.reader
    before, behind = np.array(reader.before, np.int64), np.array(reader.behind, np.int64)
    n_special = len(before) + len(behind)
    flat = [(window, draft.ids) for draft in drafts for window in draft.windows]
    lengths = np.array([window.stop - window.first + n_special for window, _ in flat], np.int64)
    order = np.argsort(lengths, kind="stable")
    most = min(BATCH_PIECES, -(-int(lengths.sum()) // n_workers))
    of_flat: list[tuple[int, slice]] = [(0, slice(0))] * len(flat)
    batches = []
    for number, chosen in enumerate(_batched(order, lengths, most)):
        n_rows = n_pieces = 0
        texts, firsts, stops = [], [], []
        for place in chosen:
            window, ids = flat[place]
            texts.append(np.concatenate([before, ids[window.first : window.stop], behind]))
            shift = n_pieces + len(before) - window.first
            row_firsts, row_stops = window.firsts + shift, window.stops + shift
            if asked.unit == "sentence":
                if asked.pool == "cls":
                    row_firsts, row_stops = row_firsts * 0 + n_pieces, row_firsts * 0 + n_pieces + 1
                elif asked.pool == "mean" and len(texts[-1]) == len(ids) + n_special and not reader.reads_words:
                    row_firsts, row_stops = row_firsts - len(before), row_stops + len(behind)
            firsts.append(row_firsts)
            stops.append(row_stops)
            of_flat[place] = (number, slice(n_rows, n_rows + len(window.words)))
            n_rows += len(window.words)
            n_pieces += len(texts[-1])
        batches.append(Batch(texts, np.concatenate(firsts), np.concatenate(stops)))
    wanted = sorted(set(asked.layers.numbers))
    n_threads = max(1, n_workers // max(1, len(batches)))
    futures = [workers.submit(reader.vectors, batch, wanted, asked.piece_pool, n_threads) for batch in batches]
    in_order = iter(of_flat)
    return _Block(drafts, [[next(in_order) for _ in draft.windows] for draft in drafts], futures)


def _batched(order: Positions, lengths: Positions, most: int) -> Iterator[list[int]]:
    """Windows in this order, so many together that they have `most` pieces, or a little more."""
    batch: list[int] = []
    n_pieces = 0
    for place in order.tolist():
        batch.append(place)
        n_pieces += int(lengths[place])
        if n_pieces >= most:
            yield batch
            batch, n_pieces = [], 0
    if batch:
        yield batch


def _finished(asked: Extraction, block: _Block) -> Iterator[Part]:
    """The parts of a block, when its batches are there."""
    batches = [future.result() for future in block.batches]
    for draft, places in zip(block.drafts, block.places, strict=True):
        vectors = np.concatenate([batches[batch][:, rows] for batch, rows in places] or [_no_rows(asked)], axis=1)
        rows = np.concatenate([window.words for window in draft.windows] or [np.empty(0, np.int64)])
        weights = [window.stops - window.firsts for window in draft.windows]
        if len(draft.windows) > 1:
            vectors, rows = _merged(vectors, rows, np.concatenate(weights), asked.piece_pool)
        vectors = _combined(vectors, asked.layers)
        if len(rows) < len(draft.words):
            whole = np.full((len(vectors), len(draft.words), vectors.shape[2]), np.nan, vectors.dtype)
            whole[:, rows - draft.position] = vectors
            vectors = whole
        array = _typed(vectors, draft.sentence, asked.dtype)
        yield Part(draft.sentence, draft.position, draft.words, array, draft.unknown, draft.is_last)


def _no_rows(asked: Extraction) -> NDArray[np.float32]:
    return np.empty((len(set(asked.layers.numbers)), 0, asked.reader.dim), np.float32)


def _merged(
    vectors: NDArray[np.float32], words: Positions, weights: Positions, pool: "Pool"
) -> tuple[NDArray[np.float32], Positions]:
    """(K, R, D) -> (K, words, D): the rows of one word, each of `weights` pieces, pooled as its pieces are."""
    firsts = np.flatnonzero(np.diff(words, prepend=-1))
    merged: NDArray[np.float32]
    if pool == "mean":
        sums = np.add.reduceat(vectors * weights[:, np.newaxis].astype(np.float32), firsts, axis=1)
        merged = np.divide(sums, np.add.reduceat(weights, firsts)[:, np.newaxis], dtype=np.float32)
    elif pool == "max":
        merged = np.maximum.reduceat(vectors, firsts, axis=1)
    else:
        merged = vectors[:, firsts if pool == "first" else np.append(firsts[1:], len(words)) - 1]
    return merged, words[firsts]


def _combined(vectors: NDArray[np.float32], layers: Layers) -> NDArray[np.float32]:
    """What is asked of the layers, whose vectors stand in rising order."""
    rising = sorted(set(layers.numbers))
    if list(layers.numbers) != rising:
        vectors = vectors[[rising.index(number) for number in layers.numbers]]
    if layers.combined == "mean":
        return np.asarray(vectors.mean(0, keepdims=True))
    if layers.combined == "sum":
        return np.asarray(vectors.sum(0, keepdims=True))
    if layers.combined == "concat":
        return np.concatenate(list(vectors), axis=1)[np.newaxis]
    return vectors


def _typed(vectors: NDArray[np.float32], sentence: int, dtype: Type) -> NDArray[np.floating[Any]]:
    if dtype == "float32":
        return vectors
    with np.errstate(over="ignore"):
        half = vectors.astype(np.float16)
    if np.isinf(half).any():
        raise FirthError(
            f"sentence {sentence} has a number of {np.nanmax(np.abs(vectors)):,.0f}, and the greatest that "
            "float16 holds is 65,504: take float32"
        )
    return half
