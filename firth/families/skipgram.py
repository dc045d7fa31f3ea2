"""Skip-gram: Mikolov et al. 2013a (arXiv 1301.3781), section 3.2; 2013b (arXiv 1310.4546), section 2.

Network: two tables. Task: the centre word predicts each neighbour in its window, by negative sampling
(2013b, equation 4) or by hierarchical softmax over a Huffman tree (2013b, section 2.1).

Differs from the paper, as word2vec.c does: the width of each window is drawn from 1..window; frequent words are
sub-sampled by the program's formula. Differs from both: the pairs of `block` consecutive centre words make one
step and share a pool of noise words, each weighted so that the expected objective is the paper's.
"""

import math
from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from firth import objectives
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

SMALL_CORPUS: Final = 3_000_000
"""Words below which twice as many noise words are drawn."""

LAST_OF_NGRAMS: Final = 1e-4
"""The last learning rate with n-grams, where rows that many words share should come to rest (docs/decisions/0013)."""


def pool_for(negatives: int, n_tokens: int) -> int:
    """How many noise words a block shares: 32 for 5 negatives or fewer, in proportion for more, a multiple of 4.

    Twice as many on a small corpus, where a word is met too seldom for the noise of a small pool to even out, and time
    matters least: on 2 M words, 32 lose .02 of SimLex-999 (docs/log.md).
    """
    pool = 4 * math.ceil(8 * max(1.0, negatives / 5))
    return 2 * pool if n_tokens < SMALL_CORPUS else pool


@family
class Skipgram:
    """Skip-gram's hyperparameters.

    Attributes:
        dim: Length of a word's vector.
        window: Widest window, in words to either side.
        window_widths: `dynamic` draws each width from 1..window, which weights near neighbours more; `fixed`.
        objective: `negative_sampling` or `hierarchical_softmax`.
        negatives: Noise words for each predicted pair.
        noise_exponent: Noise words are drawn in proportion to count ** noise_exponent.
        noise_pool: Noise words drawn for each block, and shared by its pairs, a multiple of 4; None is 32 for up to 5
            negatives, in proportion for more, twice as many on a small corpus.
        block: Centre words whose gradients are summed before the tables change; a multiple of 4.
        sample: Words above this share of the corpus are sub-sampled; 0 keeps all.
        min_count: Rarer words get no vector.
        max_size: At most so many words, the most frequent ones, get a vector.
        subwords: Words are composed of their character n-grams too, of so many characters, as `3-6`; None: whole words.
        buckets: Rows of the table that n-grams are hashed to.
        hashes: Rows for each n-gram: with 2 or more, a table of fewer buckets does.
        learning_rate: At the beginning; it falls linearly with the budget.
        final_learning_rate: At the end; None is a tenth of the first, with n-grams 1e-4 or less.
    """

    name: ClassVar[str] = "skipgram"
    needs_sentences: ClassVar[bool] = False
    loss_unit: ClassVar[str] = "nats"
    default_epochs: ClassVar[int | None] = None

    dim: int = 100
    window: int = 5
    window_widths: Literal["dynamic", "fixed"] = "dynamic"
    objective: Literal["negative_sampling", "hierarchical_softmax"] = "negative_sampling"
    negatives: int = 5
    noise_exponent: float = 0.75
    noise_pool: int | None = None
    block: int = 32
    sample: float = 1e-3
    min_count: int = 5
    max_size: int | None = None
    subwords: str | None = None
    buckets: int = 200_000
    hashes: int = 1
    learning_rate: float = 0.04
    final_learning_rate: float | None = None

    def __post_init__(self) -> None:
        """Refuses what lies outside a hyperparameter's range (UsageError)."""
        check_word2vec(self)

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
        """300 dimensions, 5 negatives, sample 1e-5 (2013b, sections 3 and 4), rate .025 (2013a, section 4.2).

        `block` and `noise_pool` stay: see the module's docstring for what they change.
        """
        return cls(dim=300, sample=1e-5, learning_rate=0.025, final_learning_rate=1e-4)

    def shapes(self, vocabulary: Vocabulary) -> dict[str, tuple[int, int]]:
        """Two tables, (V, D) each, the second (V - 1, D) under hierarchical softmax; two more with n-grams."""
        return table_shapes(vocabulary, self)

    def rate(self, fraction: float) -> float:
        """The learning rate when `fraction` of the budget is spent."""
        last = self.final_learning_rate
        if last is None:
            last = self.learning_rate / 10 if self.subwords is None else min(LAST_OF_NGRAMS, self.learning_rate / 10)
        return falling_rate(self.learning_rate, last, fraction)

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
            noise_pool=self.noise_pool or pool_for(self.negatives, text.n_tokens),
        )

    def loss(self, network: Tables | SubwordTables, batch: Batch, tree: HuffmanTree | None = None) -> TableLoss:
        """Each centre's row predicts the words of its window, in float64: the reference of `step`."""
        pairs = [
            (centre, neighbour)
            for centre in range(batch.first, batch.last)
            for neighbour in range(batch.left[centre], batch.right[centre])
            if neighbour != centre
        ]
        centres, neighbours = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        hidden = network.input[batch.rows].astype(np.float64)  # (n, D), a hidden vector for every position
        d_input, d_output = np.zeros(network.input.shape), np.zeros(network.output.shape)
        if tree is not None:
            nodes, signs, passes = objectives.paths(tree, batch.rows[neighbours])
            loss = objectives.hierarchical_softmax(
                hidden, network.output[nodes].astype(np.float64), centres[passes], signs
            )
            np.add.at(d_output, nodes, loss.output)
        else:
            noise = batch.noise.reshape(-1)
            loss = objectives.negative_sampling(
                hidden,
                network.output[batch.rows].astype(np.float64),
                centres,
                neighbours,
                network.output[noise].astype(np.float64),
                objectives.noise_weights(len(hidden), centres, batch.rows[neighbours], noise, self.negatives),
            )
            np.add.at(d_output, np.concatenate([batch.rows, noise]), loss.output)
        np.add.at(d_input, batch.rows, loss.hidden)
        return TableLoss(loss.nats, len(pairs), d_input, d_output)

    def step(
        self, network: Tables | SubwordTables, batch: Batch, learning_rate: float, tree: HuffmanTree | None = None
    ) -> Step:
        """One step for every block of the batch, compiled; changes the tables in place."""
        from firth import kernels

        def plain(table: Any, output: Any, inputs: NDArray[np.int32], some: Batch) -> Any:
            windows = (table, output, inputs, some.rows, some.left, some.right, some.first, some.last)
            if tree is not None:
                return kernels.skipgram_hierarchical_softmax(self.dim)(*windows, *tree, learning_rate, self.window)
            noise = (some.noise, self.negatives, learning_rate, some.block, self.window)
            return kernels.skipgram_negative_sampling(self.dim)(*windows, *noise)

        return step_of(network, batch, plain, reaches=False)
