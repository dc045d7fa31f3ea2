"""What turns words in their sentences into vectors, for each kind of model: a value of plain functions.

`of_words` serves static vectors, `of_characters` ELMo, `of_pieces` GPT and BERT, and `firth.formats.automodel` what
transformers opens. They differ in what a sentence becomes, and in what reads it; windows, batches and files are the
same for all.

K layers, R rows that get a vector, D dim
"""

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from firth.alignment import Cut, Pieced, Positions, covering
from firth.cutting import available_processors
from firth.errors import UsageError, needing_torch
from firth.segmentation import Segmentation, is_written_without_spaces
from firth.vectors import Vectors
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from torch import Tensor, nn

    from firth.packing import Pool
    from firth.pieces import Pieces

Precision = Literal["fp32", "bf16"]

WORDS: Final = Segmentation(method="chinese", lower=False)
"""How text becomes words where a model does not say: Unicode words as they are written, of Chinese those of rjieba.

Text without Han characters is cut as by method `words`, so that nothing need be chosen by looking at it.
"""

MOST_WORDS: Final = 8192
"""Of a window of ELMo, and of static vectors, which could read any number."""

MOST_REMEMBERED: Final = 1 << 19
"""Different words that are remembered, and as many before them: more than are on their way through `parts`."""

_N_SAMPLED: Final = 1 << 12  # numbers of each tensor that the fingerprint is of
_WORDS_AT_ONCE: Final = 1 << 10  # through the character encoder


class Trained(Protocol):
    """A model of ours, as far as it is read with: see `firth.Model`."""

    family: Any
    network: Any
    record: dict[str, Any]

    @property
    def pieces(self) -> "Pieces":
        """Of GPT and BERT."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Of ELMo."""

    @property
    def segmentation(self) -> Segmentation:
        """Of ELMo."""


class Batch(NamedTuple):
    """Windows that are read together, sorted by length.

    Attributes:
        windows: The ids of each, those that stand for no text too.
        firsts: (R,) the first piece of each row, counted through all windows.
        stops: (R,) the one behind its last.
    """

    windows: list[Positions]
    firsts: Positions
    stops: Positions


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A model as `extract` needs it.

    Attributes:
        name: What messages call it.
        family: Of what family, as `bert`; of others than ours the architecture; None of vectors alone.
        n_layers: How many matrices it has.
        layer_numbers: Theirs; None is from 0 on.
        dim: Numbers in a vector.
        segmentation: How its text becomes words.
        capacity: Pieces of text that it reads at once; None is any number.
        before: Ids that stand before a window.
        behind: And behind it.
        is_causal: Whether a piece sees those before it alone.
        has_context: Whether a word that is not known has a vector all the same, by what stands around it.
        n_workers: How many batches are read at a time.
        pieced: Sentences as pieces.
        vectors: (K, R, D) float32 of a batch: of the layers asked for, in rising order, the rows' pieces pooled. Its
            last argument is how many threads compute it.
        fingerprint: A digest of its weights.
        table: (W, D) what stands behind the one-hot input for words that stand alone, of those of several pieces
            pooled; NaN for those not known.
        reads_words: Whether its pieces are whole words.
        folds_case: Whether words with capital letters are read as those without.
        carrying: Of networks that remember: (K, words, D) of each window, as `vectors` of layers, and what the network
            remembers after them, row by row, which goes into the next call (None into the first). None of others.
        n_cut: How many of some words are too long to be read whole.
    """

    name: str
    family: str | None
    n_layers: int
    dim: int
    segmentation: Segmentation
    capacity: int | None
    before: tuple[int, ...]
    behind: tuple[int, ...]
    is_causal: bool
    has_context: bool
    n_workers: int
    pieced: Callable[[Sequence[Cut]], list[Pieced]]
    vectors: Callable[[Batch, Sequence[int], "Pool", int], NDArray[np.float32]]
    fingerprint: Callable[[], str]
    table: "Callable[[Sequence[str], Pool], NDArray[np.float32]]"
    reads_words: bool
    folds_case: bool = False
    layer_numbers: tuple[int, ...] | None = None
    carrying: "Callable[[Sequence[Positions], Sequence[int], Any], tuple[list[NDArray[np.float32]], Any]] | None" = None
    n_cut: Callable[[Sequence[str]], int] = lambda words: 0


class Numbers:
    """Numbers of words, given out as they come; and the words, by their numbers.

    Of an endless text, those words are forgotten that did not come again while MOST_REMEMBERED others came. One that
    comes after all has another number then.
    """

    def __init__(self, first: int, written: Callable[[str], str] = str) -> None:
        """Counted from `first`; words are given back as `written` has them."""
        self._next = first
        self._written = written
        self._number_of: dict[str, int] = {}
        self._word_of: dict[int, str] = {}
        self._older_number_of: dict[str, int] = {}
        self._older_word_of: dict[int, str] = {}

    def forget(self) -> None:
        """Forgets words, where there are many; to be called between one piece of work and the next."""
        if len(self._number_of) > MOST_REMEMBERED:
            self._older_number_of, self._number_of = self._number_of, {}
            self._older_word_of = self._word_of
            self._word_of = {}  # last: other threads look here first

    def of(self, words: Sequence[str]) -> list[int]:
        """The numbers of some words."""
        for word in words:
            if word not in self._number_of:
                number = self._older_number_of.get(word, self._next)
                self._next = max(self._next, number + 1)
                self._word_of[number] = self._written(word)
                self._number_of[word] = number
        return [self._number_of[word] for word in words]

    def words(self, numbers: Iterable[int]) -> list[str]:
        """The words with these numbers, which were given out not long ago."""
        newer = self._word_of
        return [newer[number] if number in newer else self._older_word_of[number] for number in numbers]


def of_words(vectors: Vectors) -> Reader:
    """Static vectors: a piece is a word, and its vector the same in every context.

    Words that are not known have the vectors of their n-grams, where there are any, and numbers behind the last row.
    """
    n_words = len(vectors)
    numbers = vectors.layer_numbers
    rows: dict[str, int] = {}
    composed = Numbers(n_words)

    def row(word: str) -> int:
        known = rows.get(word)
        if known is None:
            known = vectors.row(word) if word in vectors else n_words if vectors.has_vector(word) else -1
            rows[word] = known
        return composed.of([word])[0] if known == n_words else known

    def pieced(cuts: Sequence[Cut]) -> list[Pieced]:
        composed.forget()
        if len(rows) > n_words + MOST_REMEMBERED:
            rows.clear()
        found = []
        for cut in cuts:
            ids = np.array([row(word) for word in cut.words], np.int64)
            places = np.arange(len(ids))
            found.append(Pieced(ids, places, places + 1, ids >= 0))
        return found

    def tables(layers: Sequence[int], ids: Positions) -> tuple[list[NDArray[np.float32]], Positions]:
        """Tables (n, D) of layers, and the rows there that have the vectors of `ids`."""
        matrices = [vectors.array[numbers.index(layer)] for layer in layers]
        if not (ids >= n_words).any():
            return matrices, ids
        used, places = np.unique(ids, return_inverse=True)
        known, beyond = used[used < n_words], used[used >= n_words]
        of_ngrams = np.stack([vectors.from_ngrams(word).vector for word in composed.words(beyond.tolist())])
        return [np.concatenate([matrix[known], of_ngrams]) for matrix in matrices], places

    def looked_up(batch: Batch, layers: Sequence[int], pool: "Pool", n_threads: int) -> NDArray[np.float32]:
        found, ids = tables(layers, np.concatenate(batch.windows))
        return np.stack([pooled_rows(matrix, ids, batch.firsts, batch.stops, pool) for matrix in found])

    def table(words: Sequence[str], pool: "Pool") -> NDArray[np.float32]:
        found = np.full((len(words), vectors.dim), np.nan, np.float32)
        ids = np.array([row(word) for word in words], np.int64)
        (matrix,), places = tables(numbers[:1], ids[ids >= 0])
        found[ids >= 0] = matrix[places]
        return found

    return Reader(
        name=f"a static model of {len(vectors):,} words",
        family=_family_of(vectors),
        n_layers=vectors.n_layers,
        layer_numbers=tuple(numbers),
        dim=vectors.dim,
        segmentation=vectors.segmentation or WORDS,
        capacity=MOST_WORDS,
        before=(),
        behind=(),
        is_causal=False,
        has_context=False,
        n_workers=1,
        pieced=pieced,
        vectors=looked_up,
        fingerprint=lambda: fingerprint_of_vectors(vectors),
        table=table,
        reads_words=True,
    )


def of_pieces(
    model: Trained,
    *,
    context_length: int | None = None,
    device: str | None = None,
    precision: Precision = "fp32",
    threads: int | None = None,
) -> Reader:
    """GPT or BERT: texts are read together without padding.

    Args:
        model: GPT or BERT.
        context_length: Pieces that the network reads at once, special ones among them. None is what it was trained
            with; of a published model, whose files do not tell that, all its positions.
        device: As `firth.train` has it; None takes the fastest there is.
        precision: The type of the network's numbers. `bf16` is for machines that multiply it fast.
        threads: How many threads compute; None is all cores.

    Raises:
        UsageError: a context longer than the network's positions, or without room for a piece.
    """
    with needing_torch("a contextual model"):
        import torch

        from firth import packing
        from firth.devices import chosen_device, on_threads
        from firth.families.bert import BERTNetwork

    network, pieces = model.network, model.pieces
    is_bert = isinstance(network, BERTNetwork)
    before = (pieces.cls,) if is_bert and pieces.cls is not None else ()
    behind = (pieces.sep,) if is_bert and pieces.sep is not None else ()
    capacity = _capacity(model, context_length) - len(before) - len(behind)
    if capacity < 1:
        raise UsageError(f"context_length is {context_length}, which leaves no room for a piece of text")
    place = chosen_device(device)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    parameter = next(network.parameters())
    if (parameter.device, parameter.dtype) != (place, dtype):
        network = copy.deepcopy(network).to(place, dtype)
    layers_of = packing.bert_layers if is_bert else packing.gpt_layers

    def vectors(batch: Batch, layers: Sequence[int], pool: "Pool", n_threads: int) -> NDArray[np.float32]:
        firsts, stops = (torch.from_numpy(rows).to(place) for rows in (batch.firsts, batch.stops))
        found = torch.empty(len(layers), len(firsts), model.family.dim)
        numbers = iter(range(len(layers)))
        with on_threads(n_threads), torch.inference_mode():
            texts = packing.packed([torch.from_numpy(window) for window in batch.windows], place)
            for layer, hidden in enumerate(layers_of(network, texts, layers[-1])):
                if layer in layers:
                    found[next(numbers)] = packing.pooled(hidden, firsts, stops, pool)
        result: NDArray[np.float32] = found.numpy()
        return result

    return Reader(
        name=f"a {model.family.name} model",
        family=model.family.name,
        n_layers=model.family.n_layers + 1,
        dim=model.family.dim,
        segmentation=WORDS,
        capacity=capacity,
        before=before,
        behind=behind,
        is_causal=not is_bert,
        has_context=True,
        n_workers=(threads or available_processors()) if place.type == "cpu" else 1,
        pieced=lambda cuts: pieced_by(pieces.backend, pieces.unk, cuts),
        vectors=vectors,
        fingerprint=lambda: fingerprint_of_network(model.network),
        table=lambda words, pool: of_table(
            model.network.table, pieced_by(pieces.backend, pieces.unk, alone(words)), pool
        ),
        reads_words=False,
        folds_case=pieces.folds_case,
    )


def of_characters(model: Trained, *, device: str | None = None, threads: int | None = None) -> Reader:
    """ELMo: a word is read by its characters, and so none is unknown; each sentence begins anew, between its ends.

    Sentences of more than MOST_WORDS words go through overlapping windows as well, for the room that they take. A
    published network without encoder reads words by their rows: what is not in its vocabulary is <UNK>.

    Raises:
        UsageError: the network reads words by their rows, and its vocabulary lacks them, or one of the special ones.
    """
    with needing_torch("a contextual model"):
        import torch

        from firth.characters import BEGIN, END, SPECIAL, UNKNOWN, Characters
        from firth.devices import chosen_device, on_threads
        from firth.packing import pooled

    place = chosen_device(device)
    network = model.network
    if next(network.parameters()).device != place or network.training:
        network = copy.deepcopy(network).to(place).eval()
    characters = Characters(model.family.max_characters)
    numbers = Numbers(2, model.segmentation.normalize)  # behind those of BEGIN and END
    ends = {0: BEGIN, 1: END}
    reads_rows = network.encoder is None
    if reads_rows and any(word not in model.vocabulary for word in SPECIAL):
        raise UsageError(
            f"this ELMo reads words by their rows, and its vocabulary has {len(model.vocabulary):,} words, without all "
            f"of {', '.join(SPECIAL)}: put the vocab.txt that it was trained with beside its weights"
        )

    def pieced(cuts: Sequence[Cut]) -> list[Pieced]:
        numbers.forget()
        found = []
        for cut in cuts:
            places = np.arange(len(cut.words))
            ids = np.array(numbers.of(cut.words), np.int64)
            is_known = np.ones(len(ids), np.bool_)
            if reads_rows:
                is_known[:] = [word in model.vocabulary for word in numbers.words(ids.tolist())]
            found.append(Pieced(ids, places, places + 1, is_known))
        return found

    def of_types(types: Positions) -> "Tensor":
        """The vectors of words by their numbers."""
        n_ends = sum(number in ends for number in types[:2].tolist())  # types rise
        asked = [ends[number] for number in types[:n_ends].tolist()] + numbers.words(types[n_ends:].tolist())
        if not reads_rows:
            encoded: Tensor = network.encoded(torch.from_numpy(characters.table(asked)).to(place))
            return encoded
        rows = model.vocabulary.rows(asked).astype(np.int64)
        rows[rows < 0] = model.vocabulary.row(UNKNOWN)
        by_row: Tensor = network.word_vectors[torch.from_numpy(rows).to(place)]
        return by_row

    def table(asked: Sequence[str], pool: "Pool") -> NDArray[np.float32]:
        found = np.full((len(asked), model.family.dim), np.nan, np.float32)
        with on_threads(threads or available_processors()), torch.inference_mode():
            for first in range(0, len(asked), _WORDS_AT_ONCE):
                some = asked[first : first + _WORDS_AT_ONCE]
                (one,) = pieced([Cut("", list(some), np.zeros(len(some), np.int64), np.zeros(len(some), np.int64))])
                half = of_types(one.ids).float().cpu().numpy()
                found[first : first + len(some)] = np.concatenate([half, half], axis=1)
                found[first : first + len(some)][~one.is_known] = np.nan
        return found

    def states_of(windows: Sequence[Positions], state: Any) -> "tuple[list[Tensor], Tensor, Any]":
        """What each layer makes of windows, (B, T, D); where there are words; and what is remembered."""
        lengths = torch.tensor([len(window) for window in windows])
        is_there = torch.arange(int(lengths.max())) < lengths[:, None]  # (B, T)
        types, rows = np.unique(np.concatenate(windows), return_inverse=True)
        ids = torch.zeros(is_there.shape, dtype=torch.int64).masked_scatter(is_there, torch.from_numpy(rows))
        states, after = network.read(of_types(types), ids.to(place), lengths.to(place), state)
        return states, is_there.to(place), after

    def vectors(batch: Batch, layers: Sequence[int], pool: "Pool", n_threads: int) -> NDArray[np.float32]:
        with on_threads(n_threads), torch.inference_mode():
            states, mask, _ = states_of(batch.windows, None)
            firsts, stops = (torch.from_numpy(places).to(place) for places in (batch.firsts, batch.stops))
            return np.stack([pooled(states[layer][mask], firsts, stops, pool).cpu().numpy() for layer in layers])

    def carrying(
        windows: Sequence[Positions], layers: Sequence[int], state: Any
    ) -> tuple[list[NDArray[np.float32]], Any]:
        n_rows = len(windows)
        with on_threads(threads or available_processors()), torch.inference_mode():
            before = None if state is None else type(state)(*(tensor[:n_rows] for tensor in state))
            states, _, after = states_of(windows, before)
            if state is not None:  # rows beyond a smaller batch remember what they did
                after = type(after)(*(torch.cat([new, old[n_rows:]]) for new, old in zip(after, state, strict=True)))
            wanted = torch.stack([states[layer] for layer in layers], 1).cpu().numpy()  # (B, K, T, D)
        return [rows[:, : len(window)] for rows, window in zip(wanted, windows, strict=True)], after

    return Reader(
        name="an elmo model",
        family="elmo",
        n_layers=model.family.n_layers + 1,
        dim=model.family.dim,
        segmentation=model.segmentation,
        capacity=MOST_WORDS,
        before=(0,),
        behind=(1,),
        is_causal=False,
        has_context=True,
        n_workers=(threads or available_processors()) if place.type == "cpu" else 1,
        pieced=pieced,
        vectors=vectors,
        fingerprint=lambda: fingerprint_of_network(model.network),
        table=table,
        reads_words=True,
        carrying=carrying,
        n_cut=(lambda words: 0) if reads_rows else characters.n_cut,
    )


def pieced_by(backend: "Tokenizer", unknown: int | None, cuts: Sequence[Cut]) -> list[Pieced]:
    """Sentences as a tokenizer's pieces, those of each word found by their characters.

    Args:
        backend: The tokenizer, which neither pads nor truncates.
        unknown: The id of what its vocabulary does not know; None where it knows everything.
        cuts: The sentences.
    """
    found = []
    for cut, encoding in zip(
        cuts, backend.encode_batch([cut.text for cut in cuts], add_special_tokens=False), strict=True
    ):
        ids = np.array(encoding.ids, np.int64)
        offsets = np.array(encoding.offsets, np.int64).reshape(-1, 2)
        firsts, stops = covering(cut, offsets[:, 0], offsets[:, 1])
        n_known = np.append(0, np.cumsum(ids != (-1 if unknown is None else unknown)))
        found.append(Pieced(ids, firsts, stops, n_known[stops] > n_known[firsts]))
    return found


def alone(words: Sequence[str]) -> list[Cut]:
    """Each word as it stands in the midst of a sentence: behind a space, where its script sets any."""
    spaces = ["" if is_written_without_spaces(word[0]) else " " for word in words]
    return [
        Cut(space + word, [word], np.array([len(space)]), np.array([len(space) + len(word)]))
        for space, word in zip(spaces, words, strict=True)
    ]


def of_table(table: "Tensor", pieced: Sequence[Pieced], pool: "Pool") -> NDArray[np.float32]:
    """(W, D): of each word that stands alone the rows of its pieces, pooled; NaN where none of them is known."""
    rows: NDArray[np.float32] = table.detach().float().cpu().numpy()
    found = np.full((len(pieced), rows.shape[1]), np.nan, np.float32)
    known = [number for number, one in enumerate(pieced) if one.is_known[0]]
    if known:
        ids = [pieced[number].ids[pieced[number].firsts[0] : pieced[number].stops[0]] for number in known]
        stops = np.cumsum([len(of_word) for of_word in ids])
        firsts = np.append(0, stops[:-1])
        found[known] = pooled_rows(rows, np.concatenate(ids), firsts, stops, pool)
    return found


def pooled_rows(
    table: NDArray[np.float32], ids: Positions, firsts: Positions, stops: Positions, pool: "Pool"
) -> NDArray[np.float32]:
    """(R, D): of the rows `ids[firsts[r]:stops[r]]` of a table one vector; `packing.pooled` of what no network made."""
    if pool in ("first", "last") or (stops - firsts == 1).all():
        of_one: NDArray[np.float32] = table[ids[firsts if pool == "first" else stops - 1]]
        return of_one
    places = np.concatenate([np.arange(first, stop) for first, stop in zip(firsts, stops, strict=True)])
    begins = np.append(0, np.cumsum(stops - firsts)[:-1])
    vectors = table[ids[places]]
    if pool == "max":
        return np.maximum.reduceat(vectors, begins, axis=0)
    sums = np.add.reduceat(vectors, begins, axis=0)
    means: NDArray[np.float32] = np.divide(sums, (stops - firsts)[:, np.newaxis], dtype=np.float32)
    return means


def _family_of(vectors: Vectors) -> str | None:
    family = vectors.provenance.get("family")
    name = family.get("name") if isinstance(family, Mapping) else family
    return name if isinstance(name, str) else None


def fingerprint(tensors: Iterable[NDArray[np.generic]]) -> str:
    """A digest of tensors: of their shapes and of some thousand numbers of each."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        flat = tensor.reshape(-1)
        digest.update(f"{tensor.shape} {tensor.dtype}".encode())
        digest.update(np.ascontiguousarray(flat[:: max(1, len(flat) // _N_SAMPLED)]).tobytes())
    return digest.hexdigest()


def fingerprint_of_network(network: "nn.Module") -> str:
    """The same of a network's weights."""
    return fingerprint(parameter.detach().float().cpu().numpy() for parameter in network.parameters())


def fingerprint_of_vectors(vectors: Vectors) -> str:
    """A digest of static vectors, whole: of all numbers and words, since training with a task moves few of them."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (*vectors.array, *([vectors.subwords.table] if vectors.subwords else [])):
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).data)
    for word in vectors.words:
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


def heeding_length(reader: Reader) -> tuple[Reader, Callable[[], int]]:
    """The same reader, and how many of the texts that it has met are longer than what it reads at once."""
    n_long = 0

    def pieced(cuts: Sequence[Cut]) -> list[Pieced]:
        nonlocal n_long
        found = reader.pieced(cuts)
        if reader.has_context and reader.capacity is not None:
            n_long += sum(len(one.ids) > reader.capacity for one in found)
        return found

    return replace(reader, pieced=pieced), lambda: n_long


def _capacity(model: Trained, context_length: int | None) -> int:
    """Pieces of a window, special ones among them."""
    n_positions: int = model.family.n_positions
    if context_length is None:  # positions beyond those of its training were never learnt
        trained: int = model.family.context_length
        return trained if "corpus" in model.record else n_positions
    if context_length > n_positions:
        raise UsageError(
            f"context_length is {context_length}; the network has {n_positions} positions, and longer text is read in "
            "overlapping windows"
        )
    return context_length
