"""What a head stands on: it turns texts into rows of ids, and rows of ids into layers.

    Words      static vectors: the rows of the words at hand, trained or not
    PieceTable a table of pieces of words alone, whatever network they were cut for
    Blocks     GPT or BERT, all weights of which are trained
    Spelt      ELMo, the same
    Stored     what `firth.extract` gives, made once: of any model, none of whose weights is trained

All have the same methods: `encode` reads texts, and what it gives back, `layers` takes. Words are numbered anew by each
call of `encode`: ids stand for the words that it was given last.

    B rows, T positions, D dim, K layers; W words of a row
"""

import copy
import math
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from firth.alignment import Cut, Positions, cut_texts, cut_words
from firth.characters import BEGIN, END, Characters
from firth.devices import on_threads
from firth.errors import UsageError
from firth.families.bert import BERTNetwork
from firth.model import Model
from firth.parts import Extraction, extracted
from firth.pieces import Pieces, with_symbols
from firth.progress import Progress, Silent
from firth.readers import Reader, heeding_length, pieced_by
from firth.segmentation import Segmentation
from firth.subwords import Subwords, fitted
from firth.vectors import Vectors

START: Final = "<|start|>"
DELIMITER: Final = "<|delimiter|>"
EXTRACT: Final = "<|extract|>"
"""What GPT's text begins with, is parted by, and ends with in fine-tuning: Radford et al. 2018, section 3.3."""

Inputs = tuple[str, ...]
"""(text,), or (first, second), or the words of a sentence that is to be tagged."""

Orders = Literal["given", "both"]

_TEXTS_AT_ONCE: Final = 1 << 10
_SHARE_GIVEN_UP: Final = 0.01  # of the words, for what leaves a text more as it is
_LEAST_DEVIATION: Final = 1e-5  # of a number, in parts of the greatest of its layer: below, it is constant


class Rows(NamedTuple):
    """Texts as a body reads them, a row each as a rule.

    Attributes:
        ids: The ids of each row.
        owners: (R,) the text that each is of; a sentence to be tagged that is too long has several.
        firsts: (R,) which of its text's words a row begins with.
        segments: Of BERT's pairs, 0 for the first and 1 for the second text.
        second: Of pairs whose texts are read apart, the ids of the second; of those read in both orders, the other.
        places: Where the vectors of a row's words stand, if not at each position.
        n_long: How many texts are longer than what is read at once.
    """

    ids: list[Positions]
    owners: Positions
    firsts: Positions
    segments: list[Positions] | None = None
    second: list[Positions] | None = None
    places: list[Positions] | None = None
    n_long: int = 0


class Words(nn.Module):
    """Static vectors. A word is looked up as it stands, normalised, and in lower case where vectors come without a
    segmentation; one that is not found is composed of its n-grams where there are any; the others share one vector,
    which begins as zeros and is trained.

    Attributes:
        vectors: All of them.
        table: (n, D) those of the words at hand, while they are trained; else None.
        unknown: (D,).
    """

    given: Tensor
    table: nn.Parameter | None

    def __init__(self, vectors: Vectors, segmentation: Segmentation) -> None:
        """Words of the last layer."""
        super().__init__()
        self.vectors, self.segmentation = vectors, segmentation
        self.n_layers, self.dim, self.name = 1, vectors.dim, f"a static model of {len(vectors):,} words"
        self.register_parameter("table", None)
        self.unknown = nn.Parameter(torch.zeros(vectors.dim))
        self.register_buffer("given", torch.zeros(0, vectors.dim), persistent=False)
        self.found: dict[str, int] = {}  # numbers of words as they are looked up, from 1
        self.unknown_share = 0.0

    def encode(self, texts: Sequence[Inputs], *, tags: bool, progress: Progress | None = None) -> Rows:
        """The texts as rows of numbers of words; 0 is a word that is not known."""
        self.found = {}
        looked_up: dict[str, int] = {}
        given: list[NDArray[np.float32]] = []
        n_words = n_unknown = 0

        def number(word: str) -> int:
            if word not in looked_up:
                key, vector = self._vector(word)
                if vector is None:
                    looked_up[word] = 0
                else:
                    if self.found.setdefault(key, len(given) + 1) > len(given):
                        given.append(vector)
                    looked_up[word] = self.found[key]
            return looked_up[word]

        numbered = []
        for words in _words_of(texts, self.segmentation, tags=tags):
            numbered.append(np.array([number(word) for word in words], np.int64))
            n_words += len(words)
            n_unknown += int((numbered[-1] == 0).sum())
        self.unknown_share = n_unknown / max(1, n_words)
        if self.table is None:
            matter = np.stack(given) if given else np.zeros((0, self.dim), np.float32)
            self.given = torch.from_numpy(matter).to(self.unknown.device)
        return _rows(numbered, len(texts))

    def _vector(self, word: str) -> tuple[str, NDArray[np.float32] | None]:
        """The word that is found for `word`, and its vector; None where there is none."""
        vectors = self.vectors
        for candidate in (word, word.lower()) if vectors.segmentation is None else (word,):
            if candidate in vectors:
                row = vectors.row(candidate)
                return vectors.words[row], vectors.matrix[row]
        if vectors.subwords is not None:
            normal = vectors.segmentation.normalize(word) if vectors.segmentation is not None else word
            try:
                return normal, np.asarray(vectors.from_ngrams(word).vector, np.float32)
            except KeyError:  # none of its n-grams is known
                return normal, None
        return word, None

    def train_table(self) -> None:
        """Makes the vectors of the words that `encode` has met weights."""
        self.table = nn.Parameter(self.given.clone())

    def settle(self) -> None:
        """Puts trained vectors in the place of those they began as; words composed of n-grams are words from now on."""
        if self.table is None:
            return
        old = self.vectors
        trained = self.table.detach().float().cpu().numpy()
        new = [word for word in self.found if word not in old]
        matrix = np.concatenate([old.matrix, np.zeros((len(new), self.dim), np.float32)])
        rows = {word: len(old) + place for place, word in enumerate(new)}
        for word, number in self.found.items():
            matrix[rows[word] if word in rows else old.row(word)] = trained[number - 1]
        counts = None if old.counts is None else np.concatenate([old.counts, np.ones(len(new), np.int64)])
        words, subwords = [*old.words, *new], old.subwords
        if subwords is not None:
            own = np.concatenate([subwords.words, np.zeros((len(new), self.dim), np.float32)])
            own = fitted(subwords.ngrams, words, own, subwords.table, matrix)
            subwords = Subwords(subwords.ngrams, words, own, subwords.table)
        self.vectors = Vectors(
            words,
            matrix[np.newaxis],
            counts=counts,
            segmentation=old.segmentation,
            provenance=old.provenance,
            subwords=subwords,
        )
        self.given, self.table = self.table.detach(), None

    def layers(self, ids: Tensor, lengths: Tensor, segments: Tensor | None = None) -> list[Tensor]:
        """[(B, T, D)]."""
        rows = self.given if self.table is None else self.table
        if not len(rows):
            return [self.unknown.expand(*ids.shape, -1)]
        found = F.embedding((ids - 1).clamp(min=0), rows)
        return [torch.where(ids[..., None] == 0, self.unknown, found)]


class PieceTable(nn.Module):
    """A table of pieces of words: what is left of GPT or BERT without what stands above its first product.

    Attributes:
        table: (V, D).
    """

    def __init__(self, pieces: Pieces, dim: int, segmentation: Segmentation) -> None:
        """A table of zeros."""
        super().__init__()
        self.pieces, self.segmentation = pieces, segmentation
        self.n_layers, self.dim, self.name = 1, dim, f"a table of {pieces.n_entries:,} pieces"
        self.table = nn.Parameter(torch.zeros(pieces.n_entries, dim))

    def encode(self, texts: Sequence[Inputs], *, tags: bool, progress: Progress | None = None) -> Rows:
        """The texts as rows of pieces; a word that is tagged has the vector of its first one."""
        if tags:
            ids, places = [], []
            for one in _pieced(self.pieces, texts):
                ids.append(one[0])
                places.append(one[1])
            return _rows(ids, len(texts))._replace(places=places)
        flat = [text for inputs in texts for text in inputs]
        return _rows([np.array(row, np.int64) for row in self.pieces.encode(flat)], len(texts))

    def layers(self, ids: Tensor, lengths: Tensor, segments: Tensor | None = None) -> list[Tensor]:
        """[(B, T, D)]."""
        return [F.embedding(ids, self.table)]


class Blocks(nn.Module):
    """GPT or BERT with all their weights.

    Of BERT a text begins with [CLS], each of two ends with [SEP], and a word that is tagged has the vector of its first
    piece (Devlin et al. 2019, sections 3 and 5.3). Of GPT a text stands between symbols of its own, which are pieces
    that are new (Radford et al. 2018, section 3.3), and a word that is tagged has the vector of its last piece, which
    has seen the others. Two texts without an order (similarity) are read in either, and the two vectors are added.
    Differs: the language model's loss is of the order given alone. Theirs reads both orders wherever texts are compared
    for likeness, of labels too (MRPC, QQP); here that is for who fine-tunes to say, by `orders`, since labels do not
    tell whether the order counts, and without a word only numbers are read so.

    Attributes:
        network: A copy of the model's.
        orders: Of two texts: as they are `given`, or `both` ways.
        pieces: The model's; of GPT with the symbols.
        capacity: Pieces that are read at once, those that stand for no text among them.
    """

    def __init__(self, model: Model, *, context_length: int | None, seed: int, orders: Orders = "given") -> None:
        """The model as it is; of GPT the symbols' rows are drawn by `seed`."""
        super().__init__()
        self.orders = orders
        reader = model.reader(device="cpu", context_length=context_length)
        self.is_bert = isinstance(model.network, BERTNetwork)
        self.before: tuple[int, ...]
        self.between: tuple[int, ...]
        self.behind: tuple[int, ...]
        self.family, self.segmentation = model.family, reader.segmentation
        self.name, self.n_layers, self.dim = reader.name, reader.n_layers, reader.dim
        assert reader.capacity is not None
        self.capacity = reader.capacity + len(reader.before) + len(reader.behind)
        if self.is_bert:
            self.pieces = model.pieces
            self.network = copy.deepcopy(model.network)
            cls, sep = model.pieces.cls, model.pieces.sep
            assert cls is not None
            assert sep is not None
            self.before, self.between, self.behind = (cls,), (sep,), (sep,)
        else:
            symbols = (START, DELIMITER, EXTRACT)
            has_symbols = all(model.pieces.backend.token_to_id(symbol) is not None for symbol in symbols)
            self.pieces = model.pieces if has_symbols else with_gpt_symbols(model.pieces)
            self.network = _with_rows(model, self.pieces.n_entries, seed)
            ids: list[Any] = [self.pieces.backend.token_to_id(symbol) for symbol in symbols]
            self.before, self.between, self.behind = (ids[0],), (ids[1],), (ids[2],)
        if self.capacity < len(self.before) + len(self.between) + len(self.behind) + 2:
            raise UsageError(f"context_length is {context_length}, which leaves no room for text")

    def encode(self, texts: Sequence[Inputs], *, tags: bool, progress: Progress | None = None) -> Rows:
        """The texts as rows of pieces, each cut to what is read at once; a sentence to be tagged has several then."""
        if tags:
            return self._tagged(texts)
        n_texts = len(texts[0]) if texts else 1
        room = self.capacity - len(self.before) - len(self.behind) - (n_texts - 1) * len(self.between)
        encoded = [self.pieces.encode([text[side] for text in texts]) for side in range(n_texts)]
        ids, turned, segments, n_long = [], [], [], 0
        for sides in zip(*encoded, strict=True):
            kept = _shortened([len(side) for side in sides], room)
            n_long += sum(kept) < sum(map(len, sides))
            cut = [side[:n_kept] for side, n_kept in zip(sides, kept, strict=True)]
            ids.append(self._framed(cut))
            turned.append(self._framed(cut[::-1]))
            n_first = len(self.before) + len(cut[0]) + len(self.between)
            segments.append((np.arange(len(ids[-1])) >= n_first).astype(np.int64))
        rows = _rows(ids, len(texts))._replace(n_long=n_long)
        if n_texts == 2 and self.orders == "both":
            rows = rows._replace(second=turned)
        return rows._replace(segments=segments) if n_texts == 2 and self.is_bert else rows

    def _framed(self, sides: Sequence[Sequence[int]]) -> Positions:
        """One text or two with what stands before, between and behind them."""
        others = [piece for side in sides[1:] for piece in (*self.between, *side)]
        return np.array([*self.before, *sides[0], *others, *self.behind], np.int64)

    def _tagged(self, texts: Sequence[Inputs]) -> Rows:
        room = self.capacity - len(self.before) - len(self.behind)
        ids, places, owners, firsts, n_long = [], [], [], [], 0
        for owner, (of_text, begins, stops) in enumerate(_pieced(self.pieces, texts)):
            word, n_words = 0, len(begins)
            n_long += len(of_text) > room
            while word < n_words or (word == 0 and n_words == 0):
                begin = int(begins[word]) if n_words else 0
                fits = int(np.searchsorted(stops, begin + room, side="right")) if n_words else 0
                stop_word = max(word + 1, fits) if n_words else 0  # a word of more pieces than fit is cut
                stop = min(begin + room, int(stops[stop_word - 1]) if n_words else 0)
                ids.append(np.array([*self.before, *of_text[begin:stop], *self.behind], np.int64))
                at = begins[word:stop_word] if self.is_bert else stops[word:stop_word] - 1
                at = np.clip(at - begin, 0, max(0, stop - begin - 1)) + len(self.before)
                places.append(np.minimum(at, len(ids[-1]) - 1))
                owners.append(owner)
                firsts.append(word)
                word = stop_word
                if n_words == 0:
                    break
        return Rows(ids, np.array(owners, np.int64), np.array(firsts, np.int64), places=places, n_long=n_long)

    def layers(
        self, ids: Tensor, lengths: Tensor, segments: Tensor | None = None, chosen: Tensor | None = None
    ) -> list[Tensor]:
        """K of (B, T, D); of BERT, where positions b * T + t are `chosen`, the last is theirs alone, (n, D)."""
        network: Any = self.network
        found: list[Tensor]
        found = network(ids, segments, lengths=lengths, chosen=chosen) if self.is_bert else network(ids)
        return found


class Spelt(nn.Module):
    """ELMo with all its weights; sentences begin anew.

    Attributes:
        network: A copy of the model's.
    """

    spelt: Tensor

    def __init__(self, model: Model, segmentation: Segmentation) -> None:
        """The model as it is.

        Raises:
            UsageError: it reads words by their rows, and has nothing to be trained below its LSTMs.
        """
        super().__init__()
        if model.network.encoder is None:
            raise UsageError("this ELMo reads words by their rows, and has no encoder of characters to be trained")
        self.network = copy.deepcopy(model.network)
        self.family, self.segmentation = model.family, segmentation
        self.n_layers, self.dim, self.name = model.family.n_layers + 1, model.family.dim, "an elmo model"
        self.characters = Characters(model.family.max_characters)
        self.register_buffer("spelt", torch.zeros(2, 1, dtype=torch.int64), persistent=False)
        self.network.table.requires_grad_(False)  # of the output layer, which no task has a use for
        self.network.output_bias.requires_grad_(False)

    def encode(self, texts: Sequence[Inputs], *, tags: bool, progress: Progress | None = None) -> Rows:
        """The texts as rows of numbers of words."""
        numbers = {BEGIN: 0, END: 1}
        normal = [BEGIN, END]
        rows = []
        for words in _words_of(texts, self.segmentation, tags=tags):
            for word in words:
                if numbers.setdefault(word, len(normal)) == len(normal):
                    normal.append(self.segmentation.normalize(word))
            rows.append(np.array([numbers[word] for word in words], np.int64))
        spelt = torch.from_numpy(self.characters.table(normal))
        self.spelt = spelt.to(self.network.table.device)
        return _rows(rows, len(texts))

    def layers(self, ids: Tensor, lengths: Tensor, segments: Tensor | None = None) -> list[Tensor]:
        """K of (B, T, D)."""
        columns = torch.arange(ids.shape[1] + 2, device=ids.device)
        framed = F.pad(ids, (1, 1))  # <S>, whose number is 0, and room for </S>
        framed = torch.where(columns <= lengths[:, None], framed, 0)
        framed = torch.where(columns == lengths[:, None] + 1, 1, framed)
        words, places = torch.unique(framed, return_inverse=True)
        network: Any = self.network
        found, _ = network.read(network.encoded(self.spelt[words]), places, lengths + 2)
        is_real = (columns[:-2] < lengths[:, None])[..., None]
        return [layer[:, 1:-1] * is_real for layer in found]


class Stored(nn.Module):
    """What a model that is not changed makes of texts: in fp16, in a file that goes when it is done with.

    Each number of each layer is brought to mean 0 and deviation 1 over the texts that are trained on; one that is
    constant becomes 0.

    Attributes:
        device: Where the model reads.
        centre: (K, D).
        scale: (K, D) what is multiplied with, when the centre is taken away.
    """

    centre: Tensor
    scale: Tensor

    def __init__(self, asked: Extraction, device: str = "cpu") -> None:
        """Of the layers that are asked for, by a reader on `device`."""
        super().__init__()
        self.asked, self.device = asked, device
        self.segmentation = asked.segmentation
        self.n_layers, self.dim, self.name = asked.n_layers, asked.dim, asked.reader.name
        self.register_buffer("centre", torch.zeros(self.n_layers, self.dim))
        self.register_buffer("scale", torch.ones(self.n_layers, self.dim))
        self.array: NDArray[np.float16] = np.zeros((0, self.n_layers, self.dim), np.float16)

    def encode(self, texts: Sequence[Inputs], *, tags: bool, progress: Progress | None = None) -> Rows:
        """The texts as rows of places in the file."""
        flat: list[Any] = list(texts) if tags else [text for inputs in texts for text in inputs]
        lengths = []
        reader, n_long = heeding_length(self.asked.reader)
        with (
            tempfile.TemporaryFile() as file,  # which lives as long as what is mapped from it
            (progress or Silent()).stage("reading") as advance,
        ):
            for number, sentence in enumerate(extracted(replace(self.asked, reader=reader), flat), 1):
                advance(number / len(flat), 0)
                block = np.nan_to_num(sentence.array.transpose(1, 0, 2).astype(np.float16, copy=False))
                file.write(np.ascontiguousarray(block).data)
                lengths.append(len(block))
            file.flush()
            if n_all := sum(lengths):
                self.array = np.memmap(file, np.float16, "r", shape=(n_all, self.n_layers, self.dim))
        ends = np.cumsum([0, *lengths])
        rows = _rows([np.arange(first, stop) for first, stop in pairwise(ends)], len(texts))
        return rows._replace(n_long=n_long())

    def standardise(self, rows: Iterable[Positions]) -> None:
        """Sets centre and scale by these places of the file."""
        n, total, squares = 0, np.zeros(self.centre.shape), np.zeros(self.centre.shape)
        for places in rows:
            some = self.array[places].astype(np.float64)  # (T, K, D)
            n += len(some)
            total += some.sum(0)
            squares += np.square(some).sum(0)
        mean = total / max(1, n)
        deviation = np.sqrt(np.maximum(0.0, squares / max(1, n) - np.square(mean)))
        least = _LEAST_DEVIATION * deviation.max(1, keepdims=True) if n else 0.0
        scale = np.where(deviation > least, 1 / np.maximum(deviation, 1e-12), 0.0)
        self.centre.copy_(torch.from_numpy(mean))
        self.scale.copy_(torch.from_numpy(scale))

    def layers(self, ids: Tensor, lengths: Tensor, segments: Tensor | None = None) -> list[Tensor]:
        """K of (B, T, D)."""
        if not len(self.array):
            return [self.centre.new_zeros(*ids.shape, self.dim) for _ in range(self.n_layers)]
        found = torch.from_numpy(self.array[ids.cpu().numpy()].astype(np.float32)).to(self.centre.device)
        return list(((found - self.centre) * self.scale).unbind(2))


Body = Words | PieceTable | Blocks | Spelt | Stored


def from_scratch(model: Model | Vectors, texts: Iterable[Inputs], segmentation: Segmentation, seed: int) -> Body:
    """A table drawn from a uniform distribution, of the same vocabulary and width as a model's, and nothing else.

    Its numbers have the deviation of the model's own table, as Kim 2014 (section 4.2) draws what he has no vectors for.
    Of a model without a vocabulary (a published ELMo), the words are those of `texts`.
    """
    rng = np.random.default_rng([seed, 0])

    def uniform(n_rows: int, like: NDArray[np.float32]) -> NDArray[np.float32]:
        bound = math.sqrt(3) * float(np.std(like[: 1 << 14]))
        return rng.uniform(-bound, bound, (n_rows, like.shape[1])).astype(np.float32)

    if isinstance(model, Model) and hasattr(model.tokens, "backend"):
        table = PieceTable(model.pieces, model.family.dim, segmentation)
        with torch.no_grad():
            table.table.copy_(torch.from_numpy(uniform(model.pieces.n_entries, model.table())))
        return table
    told: Segmentation | None = segmentation
    if isinstance(model, Vectors):
        words, like, counts, told = model.words, model.matrix, model.counts, model.segmentation
    else:
        words, counts = model.vocabulary.words, model.vocabulary.counts
        if not words:
            met = (segmentation.normalize(word) for text in texts for word in _words_in(text, segmentation))
            words, counts = list(dict.fromkeys(met)), None
        like = model.reader(device="cpu").table(words[: 1 << 10], "mean")
    drawn = Vectors(words, uniform(len(words), like)[np.newaxis], counts=counts, segmentation=told)
    return Words(drawn, segmentation)


def with_gpt_symbols(pieces: Pieces) -> Pieces:
    """GPT's pieces with the three symbols, between which its tokenizer sets a text from now on."""
    return with_symbols(
        pieces,
        (START, DELIMITER, EXTRACT),
        single=f"{START} $A {EXTRACT}",
        pair=f"{START} $A {DELIMITER} $B {EXTRACT}",
    )


def suited_segmentation(vectors: Vectors, texts: Sequence[Inputs]) -> Segmentation:
    """How text is cut for vectors that do not say it.

    At white space, where that finds about as many words as any other way does: the text was cut before, then. Else into
    Unicode words, with punctuation marks where the vectors have some.
    """
    sample = [text for inputs in texts[:_TEXTS_AT_ONCE] for text in inputs]
    plain = Segmentation(method="chinese", lower=False)
    candidates = (Segmentation(method="space", lower=False), replace(plain, punctuation=True), plain)
    shares = []
    for candidate in candidates:
        words = [word for cut in cut_texts(sample, candidate) for word in cut.words]
        shares.append(sum(word in vectors or word.lower() in vectors for word in words) / max(1, len(words)))
    least = max(shares) - _SHARE_GIVEN_UP
    return next(candidate for candidate, share in zip(candidates, shares, strict=True) if share >= least)


def table_of(reader: Reader, words: Sequence[str]) -> NDArray[np.float32]:
    """(W, D) what stands behind the one-hot input for words alone; see `Reader.table`."""
    with on_threads(torch.get_num_threads()):
        return reader.table(words, "mean")


def _words_of(texts: Sequence[Inputs], segmentation: Segmentation, *, tags: bool) -> Iterable[list[str]]:
    """The words of each text one after the other; of sentences to be tagged those that are given."""
    if tags:
        yield from (list(words) for words in texts)
        return
    flat = [text for inputs in texts for text in inputs]
    for first in range(0, len(flat), _TEXTS_AT_ONCE):
        yield from (cut.words for cut in cut_texts(flat[first : first + _TEXTS_AT_ONCE], segmentation))


def _words_in(inputs: Inputs, segmentation: Segmentation) -> Iterable[str]:
    return (word for cut in cut_texts(list(inputs), segmentation) for word in cut.words)


def _pieced(pieces: Pieces, texts: Sequence[Inputs]) -> Iterable[tuple[Positions, Positions, Positions]]:
    """Of each sentence of words the ids of its pieces, and of each word the first piece and the one behind its last.

    A word that has none has that behind the one before it, if there is any; a sentence without any, what is unknown.
    """
    for first in range(0, len(texts), _TEXTS_AT_ONCE):
        cuts: list[Cut] = [cut_words(words) for words in texts[first : first + _TEXTS_AT_ONCE]]
        for one in pieced_by(pieces.backend, pieces.unk, cuts):
            ids = one.ids
            if not len(ids):
                ids = np.array([0 if pieces.unk is None else pieces.unk], np.int64)
            begins = np.minimum(one.firsts, len(ids) - 1)
            yield ids, begins, np.maximum(np.minimum(one.stops, len(ids)), begins + 1)


def _rows(ids: list[Positions], n_texts: int) -> Rows:
    """Rows of texts that are read whole, one after the other; twice as many are pairs, read apart."""
    owners, firsts = np.arange(n_texts), np.zeros(n_texts, np.int64)
    if n_texts and len(ids) == 2 * n_texts:
        return Rows(ids[::2], owners, firsts, second=ids[1::2])
    return Rows(ids, owners, firsts)


def _shortened(lengths: Sequence[int], room: int) -> list[int]:
    """How much of each of one or two texts is kept: the longer is cut first, as in the authors' code of BERT."""
    if len(lengths) == 1:
        return [min(lengths[0], room)]
    first, second = lengths
    if first + second <= room:
        return [first, second]
    half = room // 2
    if second <= half:
        return [room - second, second]
    return [first, room - first] if first <= room - half else [room - half, half]


def _with_rows(model: Model, n_entries: int, seed: int) -> Any:
    """A copy of a GPT's network with a table of at least so many rows; those that are new are drawn by `seed`."""
    old = model.network
    network = model.family.network(max(old.n_entries, n_entries), seed)
    weights = dict(old.named_parameters())
    with torch.no_grad():
        for name, weight in network.named_parameters():
            n_old = min(old.n_entries, len(weight)) if name == "table" else len(weight)
            weight[:n_old] = weights[name].detach()[:n_old].to("cpu")
    return network
