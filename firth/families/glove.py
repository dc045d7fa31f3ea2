"""GloVe: Pennington, Socher & Manning 2014 (EMNLP), "Global Vectors for Word Representation", sections 3 and 4.2.

Network: two tables and two biases. Task: the product of a word's vector and a context's, and both biases, is the log of
how often the two stand near each other (equation 8), by weighted least squares; AdaGrad (Duchi et al. 2011).

Differs from the paper and its program, which take the entries of the matrix of counts one by one in an order that was
shuffled once: a pass here is over words in a shuffled order, each in both tables, by all entries of its row, eight of
which make one step. A word moves while the rows that it meets stand, so that nothing but its own row is written. The
squares of gradients are added up before a step is divided by their root, as in Duchi et al.; the program adds them
afterwards. What is clipped is an entry's weighted residual, not each of its products with the vector.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from firth import objectives
from firth.errors import UsageError
from firth.families.family import Step, family
from firth.families.word2vec import falling_rate
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from firth.cooccurrences import Cooccurrences, Nearness

# Shapes: V words, D dim, E entries of the counts, n entries of a word

BATCH_ENTRIES: Final = 1 << 16
"""Entries of the words in a batch, as a rule: some milliseconds of training."""
LEAST_BATCHES: Final = 64
"""Batches of a pass, if there are as many words: so that budgets are kept on a small corpus too."""


class Tables(NamedTuple):
    """What a model keeps."""

    input: NDArray[np.float32]  # (V, D) the word vectors: W + C, or W
    output: NDArray[np.float32]  # (V, D) C, a vector for each word as a context
    input_bias: NDArray[np.float32]  # (V,)
    output_bias: NDArray[np.float32]  # (V,)
    input_squares: NDArray[np.float32]  # (V,) the mean of AdaGrad's sums of squares over the row of W
    output_squares: NDArray[np.float32]  # (V,) the same of C


class Network(NamedTuple):
    """What is trained: rows of a vector, two numbers more, and zeros up to whole vectors of the processor.

    In `words` the two are the bias and a 1, in `contexts` a 1 and the bias, so that the score is a product of rows.
    """

    words: NDArray[np.float32]  # W (V, D + 2 or more)
    contexts: NDArray[np.float32]  # C
    word_squares: NDArray[np.float32]  # AdaGrad's sums of squares, from 1 on
    context_squares: NDArray[np.float32]


class TableLoss(NamedTuple):
    """A loss, summed over the entries of a batch, and what its gradient is in either table."""

    nats: float
    n_pairs: int
    words: NDArray[np.float64]  # as Network.words
    contexts: NDArray[np.float64]


class Counts(NamedTuple):
    """Rows of a matrix of counts; see `cooccurrences.Cooccurrences`."""

    entries: NDArray[np.uint32]  # (E, 3)
    ends: NDArray[np.int64]  # (V,)


class Batch(NamedTuple):
    """Words, each with its entries as a word and as a context."""

    rows: NDArray[np.int32]  # (n,)
    key: np.uint64  # of the order of each one's entries
    by_word: Counts
    by_context: Counts  # the same where counts are symmetric
    share: float  # of 1 that a count of 1 stands for

    @property
    def is_symmetric(self) -> bool:
        """Whether a word has the same entries in either matrix."""
        return self.by_context is self.by_word

    def empty(self) -> "Batch":
        """A batch without words, whose arrays are of the same kinds."""
        return self._replace(rows=self.rows[:0])

    def entries(self, row: int, side: Literal["word", "context"]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(n,) the columns of a row of either matrix in the order of training, and the counts."""
        from firth import kernels

        counts, ends = self.by_word if side == "word" else self.by_context
        begin = int(ends[row - 1]) if row else 0
        n = int(ends[row]) - begin
        bits = int(kernels.mix(self.key if side == "word" or self.is_symmetric else ~self.key, row))
        order = ((bits >> 32) * n // 2**32 + np.arange(n) * kernels.stride_of(max(1, n))) % max(1, n)
        some = np.asarray(counts[begin : begin + n], np.float64)[order]
        return some[:, 0].astype(np.int64), (some[:, 1] + 2.0**32 * some[:, 2]) * self.share


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What batches are cut from: counts, whose words are dealt out to batches of about as many entries."""

    by_word: Counts
    by_context: Counts
    share: float
    n_tokens: int  # of the corpus: what a pass over the counts stands for
    rows: NDArray[np.int32]  # the words that have entries, shuffled
    batch_ends: NDArray[np.int64]  # where each batch's words end
    tree: None = None

    @property
    def n_batches(self) -> int:
        """Batches of one pass."""
        return len(self.batch_ends)

    def tokens_before(self, number: int) -> int:
        """Raw tokens that the batches before `number`, which counts through all passes, stand for."""
        passes, batch = divmod(number, self.n_batches)
        return passes * self.n_tokens + batch * self.n_tokens // self.n_batches


@family
class GloVe:
    """GloVe's hyperparameters.

    Attributes:
        dim: Length of a word's vector.
        window: How far apart two words are at most that stand near each other.
        context: `symmetric`: the words on both sides are a word's context; `left`: a pair counts once, in the row of
            the word on the left.
        distance_weights: Two words that stand d apart count 1/d (`harmonic`) or 1 (`equal`).
        x_max: Entries of so large a count, or a larger one, weigh 1.
        weight_exponent: Those of a smaller one weigh (count / x_max) ** weight_exponent: the paper's alpha.
        clip: The largest weighted residual of an entry that is descended.
        result: The word vectors are the `sum` of both tables or the table of `words` alone.
        min_count: Rarer words get no vector.
        max_size: At most so many words, the most frequent ones, get a vector.
        learning_rate: At the beginning: AdaGrad's, which divides it by the root of a sum of squares.
        final_learning_rate: At the end, to which it falls linearly with the budget; None is the first: it stays.
    """

    name: ClassVar[str] = "glove"
    needs_sentences: ClassVar[bool] = False
    loss_unit: ClassVar[str] = "squared nats"
    default_epochs: ClassVar[int | None] = 25
    tables: ClassVar[type] = Tables

    dim: int = 100
    window: int = 10
    context: Literal["symmetric", "left"] = "symmetric"
    distance_weights: Literal["harmonic", "equal"] = "harmonic"
    x_max: float = 10.0
    weight_exponent: float = 0.75
    clip: float = 100.0
    result: Literal["sum", "words"] = "sum"
    min_count: int = 5
    max_size: int | None = None
    learning_rate: float = 0.05
    final_learning_rate: float | None = None

    def __post_init__(self) -> None:
        """Refuses what lies outside a hyperparameter's range (UsageError)."""
        for name in ("dim", "window", "min_count"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.context not in ("symmetric", "left"):
            raise UsageError(f"context is {self.context!r}; there are 'symmetric' and 'left'")
        if self.distance_weights not in ("harmonic", "equal"):
            raise UsageError(f"distance_weights is {self.distance_weights!r}; there are 'harmonic' and 'equal'")
        if self.result not in ("sum", "words"):
            raise UsageError(f"result is {self.result!r}; there are 'sum' and 'words'")
        if self.max_size is not None and self.max_size < 2:
            raise UsageError(f"max_size is {self.max_size}; there is nothing to predict among fewer than 2 words")
        if not 0 <= self.weight_exponent < math.inf:
            raise UsageError(f"weight_exponent is {self.weight_exponent}; it must not be negative (0.75 in the paper)")
        for name in ("x_max", "clip"):
            if not 0 < getattr(self, name) <= 1e9:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be positive, and at most 1e9")
        last = self.rate(1.0)
        if not 0 < last <= self.learning_rate <= 1e3:
            raise UsageError(
                f"learning_rate {self.learning_rate} and final_learning_rate {last}: both must be positive, the first "
                "at most 1000, and the second no larger than the first"
            )

    @classmethod
    def tiny(cls) -> Self:
        """32 dimensions."""
        return cls(dim=32)

    @classmethod
    def mini(cls) -> Self:
        """64 dimensions."""
        return cls(dim=64)

    @classmethod
    def small(cls) -> Self:
        """100 dimensions, the default."""
        return cls()

    @classmethod
    def medium(cls) -> Self:
        """200 dimensions."""
        return cls(dim=200)

    @classmethod
    def base(cls) -> Self:
        """300 dimensions, as the largest vectors that Stanford published."""
        return cls(dim=300)

    @classmethod
    def paper(cls) -> Self:
        """300 dimensions, the 400,000 most frequent words, x_max 100 (section 4.2); all else is the default."""
        return cls(dim=300, max_size=400_000, x_max=100.0)

    @property
    def nearness(self) -> "Nearness":
        """What is counted."""
        from firth.cooccurrences import Nearness

        return Nearness(window=self.window, context=self.context, distance_weights=self.distance_weights)

    def shapes(self, vocabulary: Vocabulary) -> dict[str, tuple[int, ...]]:
        """The shapes of `Tables`."""
        v = len(vocabulary)
        return {name: (v, self.dim) if name in ("input", "output") else (v,) for name in Tables._fields}

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""
        last = self.learning_rate if self.final_learning_rate is None else self.final_learning_rate
        return falling_rate(self.learning_rate, last, fraction)

    def network(self, vocabulary: Vocabulary, seed: int) -> Network:
        """The tables at their beginning, as GloVe's: uniform on [-1/2, 1/2) / (D + 1), the biases too; squares 1."""
        shape = (2, len(vocabulary), self.dim + 1)
        uniform = np.random.default_rng(seed).random(shape, dtype=np.float32) - np.float32(0.5)
        uniform /= np.float32(self.dim + 1)
        words = self._rows(uniform[0, :, : self.dim], uniform[0, :, self.dim], self.dim)
        contexts = self._rows(uniform[1, :, : self.dim], uniform[1, :, self.dim], self.dim + 1)
        return Network(words, contexts, np.ones_like(words), np.ones_like(contexts))

    def kept(self, network: Network, vocabulary: Vocabulary) -> Tables:
        """What a model keeps of what is trained."""
        words, contexts = (np.ascontiguousarray(table[:, : self.dim]) for table in network[:2])
        return Tables(
            words + contexts if self.result == "sum" else words,
            contexts,
            network.words[:, self.dim].copy(),
            network.contexts[:, self.dim + 1].copy(),
            network.word_squares[:, : self.dim].mean(axis=1),
            network.context_squares[:, : self.dim].mean(axis=1),
        )

    def go_on(
        self, network: Network, vocabulary: Vocabulary, rows: NDArray[np.int32], base: Tables, base_family: "GloVe"
    ) -> None:
        """Gives these rows of a beginning network what a model keeps of its own."""
        of_words = base.input - base.output if base_family.result == "sum" else base.input
        network.words[rows] = self._rows(of_words, base.input_bias, self.dim)
        network.contexts[rows] = self._rows(base.output, base.output_bias, self.dim + 1)
        network.word_squares[rows] = base.input_squares[:, np.newaxis]
        network.context_squares[rows] = base.output_squares[:, np.newaxis]

    def stream(self, counts: "Cooccurrences", vocabulary: Vocabulary, threads: int = 1) -> Stream:
        """The counts as this family's batches are cut from them, the same for any number of threads."""
        by_word = by_context = Counts(counts.entries, counts.ends)
        if self.context == "left":
            by_context = Counts(*counts.by_column)
        n_entries = np.diff(by_word.ends, prepend=0) + np.diff(by_context.ends, prepend=0)
        rows = np.random.default_rng(0).permutation(len(vocabulary)).astype(np.int32)
        rows = rows[n_entries[rows] > 0]
        ends = np.cumsum(n_entries[rows])
        n_batches = min(len(rows), max(LEAST_BATCHES, int(ends[-1]) // (2 * BATCH_ENTRIES)))
        due = ends[-1] * np.arange(1, n_batches + 1) // n_batches
        batch_ends = np.unique(np.searchsorted(ends, due, side="left") + 1)
        return Stream(
            by_word=by_word,
            by_context=by_context,
            share=1 / counts.nearness.unit,
            n_tokens=counts.n_tokens,
            rows=rows,
            batch_ends=batch_ends,
        )

    def batch(self, text: Stream, number: int, seed: int) -> Batch:
        """The words of one batch; every pass takes the batches in another order, and each word's entries too."""
        pass_number, batch = divmod(number, text.n_batches)
        rng = np.random.default_rng((seed, pass_number))
        place = int(rng.permutation(text.n_batches)[batch])
        first = int(text.batch_ends[place - 1]) if place else 0
        key = rng.integers(2**64, dtype=np.uint64)
        return Batch(text.rows[first : text.batch_ends[place]], key, text.by_word, text.by_context, text.share)

    def loss(self, network: Network, batch: Batch, tree: Any = None) -> TableLoss:
        """The words' rows predict the logs of their counts, in float64: what `step` descends, word by word."""
        words, contexts = network.words.astype(np.float64), network.contexts.astype(np.float64)
        d_words, d_contexts = np.zeros(words.shape), np.zeros(contexts.shape)
        total, n_pairs = 0.0, 0
        for row in batch.rows:
            columns, counts = batch.entries(int(row), "word")
            scores = contexts[columns] @ words[row]
            nats, slopes = objectives.weighted_squares(scores, counts, self.x_max, self.weight_exponent)
            d_words[row] += slopes @ contexts[columns]
            np.add.at(d_contexts, columns, slopes[:, None] * words[row])
            total += nats
            n_pairs += len(columns)
        d_words[:, self.dim + 1 :] = 0  # the 1 and the zeros stay
        d_contexts[:, self.dim] = 0
        d_contexts[:, self.dim + 2 :] = 0
        return TableLoss(total, n_pairs, d_words, d_contexts)

    def step(self, network: Network, batch: Batch, learning_rate: float, tree: Any = None) -> Step:
        """Every word of the batch moves by its entries, in both tables; compiled, in place."""
        from firth import kernels

        step = kernels.weighted_squares(self.dim)
        settings = (batch.is_symmetric, batch.share, self.x_max, self.weight_exponent, self.clip, learning_rate)
        return Step(*step(*network, batch.rows, batch.key, *batch.by_word, *batch.by_context, *settings))

    def from_tensors(self, tensors: Mapping[str, NDArray[np.float32]]) -> Network:
        """What is trained, in memory, of its tensors, which may come from a processor with other vectors."""
        tables = []
        for name in Network._fields:
            rows = np.full((len(tensors[name]), self._width()), float(name.endswith("squares")), np.float32)
            rows[:, : self.dim + 2] = tensors[name][:, : self.dim + 2]
            tables.append(rows)
        return Network(*tables)

    def _width(self) -> int:
        """Numbers in a row: a multiple of what a vector of the processor holds."""
        from firth.tiles import LANES

        return -(-(self.dim + 2) // LANES) * LANES

    def _rows(self, vectors: NDArray[np.float32], bias: NDArray[np.float32], bias_at: int) -> NDArray[np.float32]:
        """(V, width) vectors, behind them their biases at `bias_at` and a 1 beside it, and zeros."""
        rows = np.zeros((len(vectors), self._width()), np.float32)
        rows[:, : self.dim] = vectors
        rows[:, self.dim : self.dim + 2] = 1
        rows[:, bias_at] = bias
        return rows


def reference_step(family: GloVe, network: Network, batch: Batch, learning_rate: float) -> Step:
    """AdaGrad word by word through the objective, in place: what `GloVe.step` must equal.

    Args:
        family: Whose loss is descended.
        network: Tables of float64.
        batch: Any number of words.
        learning_rate: As of `step`.
    """
    from firth.kernels import TOGETHER

    total, n_pairs = 0.0, 0
    sides: tuple[tuple[Literal["word", "context"], int], ...] = (("word", family.dim + 1), ("context", family.dim))
    for row in batch.rows:
        for side, one_at in sides:
            own, other, squares = network.words, network.contexts, network.word_squares
            if side == "context":
                own, other, squares = network.contexts, network.words, network.context_squares
            columns, counts = batch.entries(int(row), side)
            for start in range(0, len(columns), TOGETHER):
                some = slice(start, start + TOGETHER)
                met = other[columns[some]]
                nats, slopes = objectives.weighted_squares(
                    met @ own[row], counts[some], family.x_max, family.weight_exponent
                )
                gradients = learning_rate * np.clip(slopes, -family.clip, family.clip)[:, None] * met  # (n, D + 2)
                squares[row] += (gradients**2).sum(axis=0)
                own[row] -= gradients.sum(axis=0) / np.sqrt(squares[row])
                own[row, one_at] = 1
                total += nats
            n_pairs += len(columns)
    return Step(total, n_pairs)
