"""CBOW, the continuous bag of words: Mikolov et al. 2013a (arXiv 1301.3781), section 3.1; 2013b for its objectives.

Network: two tables. Task: the words of a window, averaged (or summed), predict the centre word, by negative
sampling (2013b, equation 4) or by hierarchical softmax over a Huffman tree (2013b, section 2.1).

Differs from the paper, as word2vec.c does: the width of each window is drawn from 1..window; frequent words are
sub-sampled by the program's formula; and every word of a window gets the whole gradient of the mean, though the
chain rule gives it 1/n of that (`context_gradient`; Irsoy, Benton & Stratos 2021). Differs from both: the
predictions of `block` consecutive centre words make one step and share a pool of noise words, each weighted so that
the expected objective is the paper's.
"""

from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from firth import objectives
from firth.errors import UsageError
from firth.families.family import Step, family
from firth.families.word2vec import (
    SubwordTables,
    TableLoss,
    Tables,
    check_word2vec,
    falling_rate,
    give_rows,
    initial_tables,
    kept_tables,
    parts_of,
    sharing,
    step_of,
    table_shapes,
    tables_of,
)
from firth.tokens import EncodedCorpus
from firth.vocabulary import HuffmanTree, Vocabulary
from firth.windows import Batch, Stream, cut, stream


@family
class CBOW:
    """CBOW's hyperparameters.

    Attributes:
        dim: Length of a word's vector.
        window: Widest window, in words to either side.
        window_widths: `dynamic` draws each width from 1..window, which weights near neighbours more; `fixed`.
        combine: The window's `mean` or its `sum` is the hidden vector.
        context_gradient: Each word of a window gets the hidden vector's gradient `whole`, as in word2vec.c, or
            `divided`, as the chain rule has it under `mean`. Under `sum` the two are one.
        objective: `negative_sampling` or `hierarchical_softmax`.
        negatives: Noise words for each predicted pair.
        noise_exponent: Noise words are drawn in proportion to count ** noise_exponent.
        noise_pool: Noise words drawn for each block, and shared by its pairs; a multiple of 4.
        block: Centre words whose gradients are summed before the tables change; a multiple of 4.
        sample: Words above this share of the corpus are sub-sampled; 0 keeps all.
        min_count: Rarer words get no vector.
        max_size: At most so many words, the most frequent ones, get a vector.
        subwords: Words are composed of their character n-grams too, of so many characters, as `3-6`; None: whole words.
        buckets: Rows of the table that n-grams are hashed to.
        hashes: Rows for each n-gram: with 2 or more, a table of fewer buckets does.
        learning_rate: At the beginning; it falls linearly with the budget.
        final_learning_rate: At the end.
    """

    name: ClassVar[str] = "cbow"
    needs_sentences: ClassVar[bool] = False
    loss_unit: ClassVar[str] = "nats"
    default_epochs: ClassVar[int | None] = None

    dim: int = 100
    window: int = 5
    window_widths: Literal["dynamic", "fixed"] = "dynamic"
    combine: Literal["mean", "sum"] = "mean"
    context_gradient: Literal["whole", "divided"] = "whole"
    objective: Literal["negative_sampling", "hierarchical_softmax"] = "negative_sampling"
    negatives: int = 5
    noise_exponent: float = 0.75
    noise_pool: int = 32
    block: int = 32
    sample: float = 1e-3
    min_count: int = 5
    max_size: int | None = None
    subwords: str | None = None
    buckets: int = 200_000
    hashes: int = 1
    learning_rate: float = 0.05
    final_learning_rate: float = 1e-4

    def __post_init__(self) -> None:
        """Refuses what lies outside a hyperparameter's range (UsageError)."""
        check_word2vec(self)
        if self.combine not in ("mean", "sum"):
            raise UsageError(f"combine is {self.combine!r}; there are 'mean' and 'sum'")
        if self.context_gradient not in ("whole", "divided"):
            raise UsageError(f"context_gradient is {self.context_gradient!r}; there are 'whole' and 'divided'")

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
        """300 dimensions, as the vectors that Google published."""
        return cls(dim=300)

    @classmethod
    def paper(cls) -> Self:
        """300 dimensions and rate .025 (2013a, section 4.2), with Skip-gram's objective and sample 1e-5 (2013b).

        `block` and `noise_pool` stay: see the module's docstring for what they change.
        """
        return cls(dim=300, sample=1e-5, learning_rate=0.025)

    def shapes(self, vocabulary: Vocabulary) -> dict[str, tuple[int, int]]:
        """Two tables, (V, D) each, the second (V - 1, D) under hierarchical softmax; two more with n-grams."""
        return table_shapes(vocabulary, self)

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""
        return falling_rate(self.learning_rate, self.final_learning_rate, fraction)

    @property
    def tables(self) -> type:
        """What the tables are called."""
        return tables_of(self)

    def network(self, vocabulary: Vocabulary, seed: int) -> Tables | SubwordTables:
        """The tables at their beginning."""
        network: Tables | SubwordTables = initial_tables(self.shapes(vocabulary), seed)
        return network

    def kept(self, network: Any, vocabulary: Vocabulary) -> Any:
        """All tables."""
        return kept_tables(network, self, vocabulary)

    def go_on(
        self, network: Any, vocabulary: Vocabulary, rows: NDArray[np.int32], base: Any, base_family: object
    ) -> None:
        """Gives these rows the vectors of another network."""
        give_rows(network, self, vocabulary, rows, base, base_family)

    def stream(self, corpus: EncodedCorpus, vocabulary: Vocabulary, threads: int = 1) -> Stream:
        """The corpus as this family's batches are cut from it."""
        tree = vocabulary.huffman_tree() if self.objective == "hierarchical_softmax" else None
        parts = parts_of(self, vocabulary)
        return stream(
            corpus,
            vocabulary,
            sample=self.sample,
            noise_exponent=self.noise_exponent,
            tree=tree,
            parts=parts,
            **sharing(self, vocabulary, parts, threads)._asdict(),
        )

    def batch(self, text: Stream, number: int, seed: int) -> Batch:
        """Windows, and the noise words of each block; under hierarchical softmax a centre is a block."""
        by_tree = text.tree is not None
        return cut(
            text,
            number,
            seed,
            window=self.window,
            narrowest=1 if self.window_widths == "dynamic" else self.window,
            block=1 if by_tree else self.block,
            noise_pool=self.noise_pool,
        )

    def loss(self, network: Tables | SubwordTables, batch: Batch, tree: HuffmanTree | None = None) -> TableLoss:
        """Each window's mean predicts its centre word, in float64: the reference of `step`.

        The gradient of `input` is the one that `step` descends: under `context_gradient="whole"` it is not the
        derivative of the loss, but n times it for a window of n words.
        """
        windows = [
            (
                centre,
                [position for position in range(batch.left[centre], batch.right[centre]) if position != centre],
            )
            for centre in range(batch.first, batch.last)
        ]
        windows = [(centre, neighbours) for centre, neighbours in windows if neighbours]
        centres = np.array([centre for centre, _ in windows], dtype=np.int64)
        pairs = np.arange(len(windows))
        shares = [float(len(neighbours)) ** self._shares()[0] for _, neighbours in windows]
        hidden = np.zeros((len(windows), self.dim))
        for h, (_, neighbours) in enumerate(windows):
            hidden[h] = shares[h] * network.input[batch.rows[neighbours]].astype(np.float64).sum(axis=0)
        d_input, d_output = np.zeros(network.input.shape), np.zeros(network.output.shape)
        if tree is not None:
            nodes, signs, passes = objectives.paths(tree, batch.rows[centres])
            loss = objectives.hierarchical_softmax(hidden, network.output[nodes].astype(np.float64), passes, signs)
            np.add.at(d_output, nodes, loss.output)
        else:
            noise = batch.noise.reshape(-1)
            loss = objectives.negative_sampling(
                hidden,
                network.output[batch.rows[centres]].astype(np.float64),
                pairs,
                pairs,
                network.output[noise].astype(np.float64),
                objectives.noise_weights(len(hidden), pairs, batch.rows[centres], noise, self.negatives),
            )
            np.add.at(d_output, np.concatenate([batch.rows[centres], noise]), loss.output)
        for h, (_, neighbours) in enumerate(windows):
            share = float(len(neighbours)) ** self._shares()[1]
            np.add.at(d_input, batch.rows[neighbours], share * loss.hidden[h])
        return TableLoss(loss.nats, len(windows), d_input, d_output)

    def step(
        self, network: Tables | SubwordTables, batch: Batch, learning_rate: float, tree: HuffmanTree | None = None
    ) -> Step:
        """One step for every block of the batch, compiled; changes the tables in place."""
        from firth import kernels

        shares = np.array(self._shares())

        def plain(table: Any, output: Any, inputs: NDArray[np.int32], some: Batch) -> Any:
            windows = (table, output, inputs, some.rows, some.left, some.right, some.first, some.last)
            if tree is not None:
                return kernels.cbow_hierarchical_softmax(self.dim)(*windows, *tree, learning_rate, shares)
            noise = (some.noise, self.negatives, learning_rate, some.block, self.window, shares)
            return kernels.cbow_negative_sampling(self.dim)(*windows, *noise)

        return step_of(network, batch, plain, reaches=True)

    def _shares(self) -> tuple[float, float]:
        """What a window's number of words is raised to: for a word's share of the mean, and of the gradient."""
        mean = -1.0 if self.combine == "mean" else 0.0
        return mean, mean if self.context_gradient == "divided" else 0.0
