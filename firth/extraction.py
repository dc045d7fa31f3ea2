"""Text -> a vector for every word and layer, in context: the same for every family.

Sentences become words, words pieces, pieces windows that a network reads; a word's vector in a layer is pooled from its
pieces there. Sentences are taken in blocks, whose windows are sorted by length and read in batches, several at a time;
they come back in their order. What a batch holds changes no vector beyond rounding.

K layers, W words of a sentence, D dim; R rows that get a vector: words, or parts of those too long for a window
"""

import json
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth.alignment import Cut, Pieced, Positions, Window, cut_texts, cut_words, windows
from firth.errors import FirthError, UsageError
from firth.files import latest_checkpoint, printable
from firth.model import OF_PIECES, Model, load
from firth.readers import Batch, Precision, Reader, of_characters, of_pieces, of_words
from firth.segmentation import Method, Segmentation
from firth.vectors import Vectors

if TYPE_CHECKING:
    from firth.packing import Pool

Unknown = Literal["nan", "context", "error"]
Type = Literal["float32", "float16"]
Given = str | Sequence[str]
"""A sentence: text, or its words."""
Opened = Model | Vectors | str | os.PathLike[str]
"""A model, vectors, or where they are."""

POOLS: Final[tuple["Pool", ...]] = ("mean", "first", "last", "max")
OURS: Final = ("bert", "gpt2", "openai-gpt")
"""The architectures of Hugging Face directories that firth's own networks are of; others are left to transformers."""

BLOCK_BYTES: Final = 1 << 27  # of vectors that are made together; two blocks are under way at a time
BLOCK_PIECES: Final = 1 << 16
BATCH_PIECES: Final = 1 << 10  # what a network makes of them between two products still fits the cache
_SENTENCES_TOGETHER: Final = 256  # that are cut and looked up at once
_BLOCKS_AHEAD: Final = 2


class Sentence(NamedTuple):
    """The words of a sentence and their vectors.

    Attributes:
        words: (W) as they were given, or found in its text.
        array: (K, W, D) a vector for each layer asked for and each word; K is 1 where layers were made one.
        unknown: Positions of the words that have no piece, or none that the model knows. Their vectors are NaN, unless
            others were asked for.
    """

    words: list[str]
    array: NDArray[np.floating[Any]]
    unknown: list[int]


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
        pool: How a word's vector comes from its pieces'.
        unknown: What becomes of words without a piece that is known.
        segmentation: How text becomes words.
        dtype: Of the arrays.
        carry: Rows that remember; None where each sentence begins anew.
    """

    reader: Reader
    layers: Layers
    pool: "Pool"
    unknown: Unknown
    segmentation: Segmentation
    dtype: Type
    carry: int | None = None

    @property
    def n_layers(self) -> int:
        """K: how many matrices come out."""
        return len(self.layers.numbers) if self.layers.combined == "each" else 1

    @property
    def dim(self) -> int:
        """D: numbers in a vector that comes out."""
        return self.reader.dim * (len(self.layers.numbers) if self.layers.combined == "concat" else 1)

    def settings(self) -> dict[str, Any]:
        """What decides on the vectors, as JSON."""
        return {
            "model": self.reader.fingerprint(),
            "layers": list(self.layers.numbers),
            "combined": self.layers.combined,
            "pool": self.pool,
            "unknown": self.unknown,
            "segmentation": self.segmentation.settings(),
            "context_length": self.reader.capacity,
            "dtype": self.dtype,
        } | ({} if self.carry is None else {"carry": self.carry})


def extract(
    model: Opened,
    sentences: Iterable[Given],
    *,
    layers: str | int | Sequence[int] = "all",
    pool: "Pool" = "mean",
    unknown: Unknown = "nan",
    segmentation: Segmentation | Method | None = None,
    context_length: int | None = None,
    dtype: Type = "float32",
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    carry: int | None = None,
) -> Iterator[Sentence]:
    """The words of each sentence with a vector for every layer, sentence by sentence as they are made.

    Layer 0 is what the network makes of its table first: of BERT the sum with position and segment, normalised; of GPT
    that with position. It is not the table, which `model.table()` gives. A static model has layer 0 alone, and a word
    the same vector everywhere.

    Text longer than the network's positions goes through overlapping windows, and a word has its vector from the one in
    which it has most context.

    Args:
        model: A model, vectors, or the path of either. What firth's networks are not made for (RoBERTa, XLM-R, ...) is
            opened by transformers, with the extra `hf`.
        sentences: Texts, or sequences of words; one by one, so that a generator will do.
        layers: `all`, `last`, a number, several as `0,5,12`, a slice as `-4:`; `mean:-4:`, `sum:...` and `concat:...`
            make one layer of several. Numbers below 0 count from the last layer.
        pool: A word's vector is the `mean` of its pieces' vectors, the `first` one's, the `last` one's, or has the
            `max` of each number. Pieces are those that share a character with the word.
        unknown: A word without pieces, or all of whose pieces are unknown, has numbers that are none (`nan`); or the
            vector that the unknown piece has by its `context`; or is an `error`. Such words are listed in any case.
        segmentation: How text becomes words. None is as the text of a static model or of an ELMo was cut; of a
            published ELMo at white space, since its text had punctuation set apart; of other models Unicode words, and
            of Chinese those that rjieba finds, as they are written. The name of a method changes that alone.
        context_length: Pieces that a network reads at once. None is what it was trained with; of a published network
            all its positions.
        dtype: Of the arrays: `float32`, or `float16` for half the room.
        precision: In which the network computes: `fp32`, or `bf16`, which some machines do faster.
        device: cuda, cuda:1, mps or cpu; None takes the fastest there is.
        threads: How many threads compute; None is all cores.
        carry: Of ELMo: sentences are read this many at a time, in their order, and the k-th of each batch goes on from
            what the network remembers of the k-th before it, as the published programs read. A sentence's vectors
            then depend on those before it. None begins each sentence anew.

    Returns:
        An iterator of a `Sentence` for each one given, in order. Blocks of about 128 MB are made ahead of it.

    Raises:
        UsageError: layers that the model does not have; a word that is empty.
        FirthError: no model; a number beyond those of float16; of `error`, a word that is unknown.

    Warns:
        UserWarning: the first word without a vector; the first word that ELMo cuts, of which it has read the begin.
    """
    asked = prepare(
        model,
        layers=layers,
        pool=pool,
        unknown=unknown,
        segmentation=segmentation,
        context_length=context_length,
        dtype=dtype,
        precision=precision,
        device=device,
        threads=threads,
        carry=carry,
    )
    if isinstance(sentences, str):
        raise UsageError("the sentences are one string; give a list of them, as [text]")
    return _warned(asked, extracted(asked, sentences))


def prepare(
    model: Opened,
    *,
    layers: str | int | Sequence[int] = "all",
    pool: "Pool" = "mean",
    unknown: Unknown = "nan",
    segmentation: Segmentation | Method | None = None,
    context_length: int | None = None,
    dtype: Type = "float32",
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    carry: int | None = None,
) -> Extraction:
    """What the arguments of `extract` ask for, all of them looked at."""
    for name, value, known in (
        ("pool", pool, POOLS),
        ("unknown", unknown, get_args(Unknown)),
        ("dtype", dtype, get_args(Type)),
        ("precision", precision, get_args(Precision)),
    ):
        if value not in known:
            raise UsageError(f"{name} is {printable(repr(value))}; there are {', '.join(known)}")
    for name, number in (("context_length", context_length), ("threads", threads), ("carry", carry)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is {number}; it must be at least 1")
    how: dict[str, Any] = {"context_length": context_length, "device": device, "precision": precision}
    reader = reader_of(model, **how, threads=threads)
    if unknown == "context" and not reader.has_context:
        raise UsageError(f"unknown 'context' asked of {reader.name}, whose words have one vector in every context")
    if carry is not None and reader.carrying is None:
        raise UsageError(f"carry asked of {reader.name}, which remembers nothing from sentence to sentence: ELMo does")
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
    )


def reader_of(
    model: Opened, *, context_length: int | None, device: str | None, precision: Precision, threads: int | None
) -> Reader:
    """A model as the rest of this file needs it."""
    how: dict[str, Any] = {"device": device, "precision": precision, "threads": threads}
    if isinstance(model, str | os.PathLike):
        path = Path(model)
        if _is_for_transformers(path):
            from firth.formats import automodel

            return automodel.read(path, context_length=context_length, **how)
        model = Vectors.load(path) if _holds_vectors_alone(path) else load(path)
    if isinstance(model, Model) and model.family.name in OF_PIECES:
        return of_pieces(model, context_length=context_length, **how)
    if context_length is not None:
        raise UsageError("context_length is of GPT and BERT; other models are not bound by positions")
    if isinstance(model, Model) and model.family.name == "elmo":
        return of_characters(model, device=device, threads=threads)
    return of_words(model if isinstance(model, Vectors) else model.vectors)


def _is_for_transformers(path: Path) -> bool:
    """Whether a directory holds a network of another architecture than ours."""
    if (path / "firth.json").is_file() or latest_checkpoint(path) is not None:
        return False
    config = _json(path / "config.json")
    return isinstance(config.get("model_type"), str) and config["model_type"] not in OURS


def _holds_vectors_alone(path: Path) -> bool:
    """Whether a path is a file, but for one of ELMo's two, or a directory of vectors without a model."""
    is_elmo = path.suffix in (".hdf5", ".h5", ".json")
    return (path.is_file() and not is_elmo) or "counts_known" in _json(path / "firth.json")


def _json(path: Path) -> dict[str, Any]:
    """A JSON object in a file; empty where there is none, for whoever reads the whole to say so."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


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
    everything = range(reader.n_layers)
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
    if type(number) is not int or not -reader.n_layers <= number < reader.n_layers:
        raise UsageError(f"layer {printable(repr(number))} asked of {_has(reader)}")
    return number % reader.n_layers


def _has(reader: Reader) -> str:
    which = "layer 0" if reader.n_layers == 1 else f"layers 0 to {reader.n_layers - 1}"
    return f"{reader.name}, which has {reader.n_layers} ({which})"


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


def parts(asked: Extraction, sentences: Iterable[Given], begin: tuple[int, int] = (0, 0)) -> Iterator[Part]:
    """The vectors of sentences, part by part, in order.

    Args:
        asked: What is wanted.
        sentences: Texts or sequences of words.
        begin: Sentence and position of the first word that is wanted, where a part begins; what stands before is read,
            and passed over.
    """
    if asked.carry is not None:
        yield from _carried(asked, sentences, begin)
        return
    drafts = _drafts(asked, sentences, begin)
    n_workers = asked.reader.n_workers
    workers = ThreadPoolExecutor(n_workers, "firth-extract")
    under_way: deque[_Block] = deque()
    try:
        for block in _blocks(asked, drafts):
            under_way.append(_submitted(asked, block, workers, n_workers))
            if len(under_way) == _BLOCKS_AHEAD:
                yield from _finished(asked, under_way.popleft())
        while under_way:
            yield from _finished(asked, under_way.popleft())
    finally:
        workers.shutdown(wait=True, cancel_futures=True)


def _carried(asked: Extraction, sentences: Iterable[Given], begin: tuple[int, int]) -> Iterator[Part]:
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
        cuts = _cuts(asked, [sentence for _, sentence in together])
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


def _warned(asked: Extraction, sentences: Iterator[Sentence]) -> Iterator[Sentence]:
    """The sentences; the first word without a vector is warned of, and the first that is cut."""
    is_warned = is_cut = False
    for sentence in sentences:
        if not is_cut and asked.reader.n_cut(sentence.words):
            is_cut = True
            word = next(word for word in sentence.words if asked.reader.n_cut([word]))
            warnings.warn(
                f"'{printable(word)[:80]}' is longer than {asked.reader.name} reads: it has the vector of its begin, "
                "as all such words",
                stacklevel=2,
            )
        if sentence.unknown and not is_warned:
            is_warned = True
            what = "is NaN" if asked.unknown == "nan" else "has the vector of what is unknown there"
            warnings.warn(
                f"'{printable(sentence.words[sentence.unknown[0]])}' has no piece that {asked.reader.name} knows: it "
                f"{what}, as all such words, which Sentence.unknown lists",
                stacklevel=2,
            )
        yield sentence


def _drafts(asked: Extraction, sentences: Iterable[Given], begin: tuple[int, int]) -> Iterator[_Draft]:
    numbered = enumerate(sentences)
    while together := list(islice(numbered, _SENTENCES_TOGETHER)):
        together = [(number, sentence) for number, sentence in together if number >= begin[0]]
        cuts = _cuts(asked, [sentence for _, sentence in together])
        for (number, _), cut, pieced in zip(together, cuts, asked.reader.pieced(cuts), strict=True):
            for draft in _of_sentence(asked, number, cut, pieced):
                if (number, draft.position) >= begin:
                    yield draft


def _cuts(asked: Extraction, sentences: Sequence[Given]) -> list[Cut]:
    """The words of sentences; all texts among them are cut together."""
    of_texts = iter(cut_texts([text for text in sentences if isinstance(text, str)], asked.segmentation))
    return [next(of_texts) if isinstance(sentence, str) else cut_words(sentence) for sentence in sentences]


def _of_sentence(asked: Extraction, number: int, cut: Cut, pieced: Pieced) -> list[_Draft]:
    """A sentence in parts, each of one window, or of several where a word is longer than one."""
    unknown = np.flatnonzero(~pieced.is_known)
    if len(unknown) and asked.unknown == "error":
        word = printable(cut.words[unknown[0]])
        raise FirthError(f"'{word}' in sentence {number} has no piece that {asked.reader.name} knows")
    has_vector = pieced.is_known if asked.unknown == "nan" else pieced.stops > pieced.firsts
    reader = asked.reader
    found = windows(pieced, np.flatnonzero(has_vector), reader.capacity, is_causal=reader.is_causal)
    groups: list[list[Window]] = []
    for window in found:
        if groups and groups[-1][-1].words[-1] == window.words[0]:  # a word of both
            groups[-1].append(window)
        else:
            groups.append([window])
    firsts = [0, *(int(group[0].words[0]) for group in groups[1:]), len(cut.words)]
    drafts = []
    for order, (first, stop) in enumerate(pairwise(firsts)):
        drafts.append(
            _Draft(
                sentence=number,
                position=first,
                words=cut.words[first:stop],
                unknown=unknown[(unknown >= first) & (unknown < stop)].tolist(),
                is_last=order == len(firsts) - 2,
                ids=pieced.ids,
                windows=groups[order] if groups else [],
            )
        )
    return drafts


def _blocks(asked: Extraction, drafts: Iterable[_Draft]) -> Iterator[list[_Draft]]:
    """Drafts in order, so many together that their vectors take BLOCK_BYTES."""
    bytes_of_row = 4 * len(set(asked.layers.numbers)) * asked.reader.dim
    block: list[_Draft] = []
    n_bytes = n_pieces = 0
    for draft in drafts:
        block.append(draft)
        n_bytes += bytes_of_row * max(1, len(draft.words))
        n_pieces += sum(window.stop - window.first for window in draft.windows)
        if n_bytes >= BLOCK_BYTES or n_pieces >= BLOCK_PIECES:
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
            firsts.append(window.firsts + shift)
            stops.append(window.stops + shift)
            of_flat[place] = (number, slice(n_rows, n_rows + len(window.words)))
            n_rows += len(window.words)
            n_pieces += len(texts[-1])
        batches.append(Batch(texts, np.concatenate(firsts), np.concatenate(stops)))
    wanted = sorted(set(asked.layers.numbers))
    n_threads = max(1, n_workers // max(1, len(batches)))
    futures = [workers.submit(reader.vectors, batch, wanted, asked.pool, n_threads) for batch in batches]
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
            vectors, rows = _merged(vectors, rows, np.concatenate(weights), asked.pool)
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
