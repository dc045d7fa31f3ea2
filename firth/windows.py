"""Encoded corpus -> windows of words: the batches of the word2vec families.

n kept words, C of them centres, B blocks of centres, N noise words for each block
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.subwords import Parts
from firth.tokens import EncodedCorpus
from firth.vocabulary import AliasTable, HuffmanTree, Vocabulary

BATCH_TOKENS = 16384
"""Most raw tokens in a batch: some milliseconds of training, so that Python's share is small and Ctrl-C is quick."""
STRETCH = 512
"""Centres for which words are composed of their n-grams once, at most: see `composition.py`."""
LEAST_BATCH_TOKENS = 512
"""Fewest: a small corpus is cut finer, so that the learning rate falls in steps and budgets are kept."""


class Batch(NamedTuple):
    """Windows around the centre words of one stretch of the corpus."""

    rows: NDArray[np.int32]  # (n,) the kept words, in the order of the text
    left: NDArray[np.int32]  # (n,) position i sees [left[i], right[i]) without i itself
    right: NDArray[np.int32]  # (n,)
    first: int  # the centres are the positions [first, last)
    last: int
    block: int  # centres whose gradients are summed before the tables change
    noise: NDArray[np.int32]  # (B, N) rows; (B, 0) under hierarchical softmax
    n_tokens: int  # raw tokens that the batch stands for
    parts: Parts | None = None  # the n-grams of all words, where words are composed of them
    stretch: int = STRETCH  # centres for which they are composed once
    passed_on: float = 1.0  # of a word's step, to each of its n-grams

    def empty(self) -> "Batch":
        """A batch without centres, whose arrays are of the same kinds."""
        return self._replace(
            rows=self.rows[:0], left=self.left[:0], right=self.right[:0], first=0, last=0, noise=self.noise[:0]
        )

    def blocks(self) -> Iterator["Batch"]:
        """The batch's blocks, each a batch of one block."""
        for number in range(len(self.noise)):
            start = self.first + number * self.block
            yield self._replace(
                first=start, last=min(self.last, start + self.block), noise=self.noise[number : number + 1]
            )

    def stretches(self) -> Iterator["Batch"]:
        """The batch in parts of about `stretch` centres, whole blocks; of a batch without centres one without."""
        n_blocks = max(1, self.stretch // self.block)
        for number in range(0, max(1, len(self.noise)), n_blocks):
            start = self.first + number * self.block
            yield self._replace(
                first=start,
                last=min(self.last, start + n_blocks * self.block),
                noise=self.noise[number : number + n_blocks],
            )

    def reach(self) -> tuple[int, int]:
        """The positions [begin, end) that the windows of the centres reach, these included."""
        if self.first == self.last:
            return self.first, self.last
        return int(self.left[self.first : self.last].min()), int(self.right[self.first : self.last].max())


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What batches are cut from: a corpus, seen through a vocabulary."""

    corpus: EncodedCorpus
    row_of_type: NDArray[np.int32]
    keep_probability: NDArray[np.float32]
    noise_table: AliasTable | None  # None under hierarchical softmax
    tree: HuffmanTree | None
    parts: Parts | None = None  # the n-grams of all words, where words are composed of them
    stretch: int = STRETCH  # centres for which they are composed once
    passed_on: float = 1.0  # of a word's step, to each of its n-grams

    @property
    def n_tokens(self) -> int:
        """Raw tokens of one pass, those without a row too."""
        return self.corpus.n_tokens

    @property
    def batch_tokens(self) -> int:
        """Raw tokens of one batch."""
        return min(BATCH_TOKENS, max(LEAST_BATCH_TOKENS, self.n_tokens // 64))

    @property
    def n_batches(self) -> int:
        """Batches of one pass."""
        return -(-self.n_tokens // self.batch_tokens)

    def place(self, batch: int) -> int:
        """Which stretch of the text batch number `batch` of a pass is: the two halves are read in turns.

        So do two threads of word2vec.c. What follows one another in training is then far apart in the text, which
        the scores show (docs/log.md). The last stretch, which may be short, stays the last.
        """
        half = self.n_batches // 2
        return batch if batch >= 2 * half else batch // 2 + batch % 2 * half

    def tokens_before(self, number: int) -> int:
        """Raw tokens of the batches before `number`, which counts through all passes."""
        passes, batch = divmod(number, self.n_batches)
        return passes * self.n_tokens + min(batch * self.batch_tokens, self.n_tokens)


def stream(
    corpus: EncodedCorpus,
    vocabulary: Vocabulary,
    *,
    sample: float,
    noise_exponent: float,
    tree: HuffmanTree | None,
    parts: Parts | None = None,
    stretch: int = STRETCH,
    passed_on: float = 1.0,
) -> Stream:
    """The `Stream` of `corpus` under a vocabulary and the families' settings."""
    return Stream(
        corpus=corpus,
        row_of_type=vocabulary.rows(corpus.types),
        keep_probability=vocabulary.keep_probabilities(sample),
        noise_table=vocabulary.noise_table(noise_exponent) if tree is None else None,
        tree=tree,
        parts=parts,
        stretch=stretch,
        passed_on=passed_on,
    )


def cut(text: Stream, number: int, seed: int, *, window: int, narrowest: int, block: int, noise_pool: int) -> Batch:
    """Batch `number` of a run: a pure function of the corpus, the settings and the seed, whichever thread asks.

    Args:
        text: What to cut from.
        number: Counts through all passes over the corpus.
        seed: The run's.
        window: Widest window, in words to either side.
        narrowest: Narrowest one; widths are uniform between the two.
        block: Centres in a block.
        noise_pool: Noise words drawn for each block, if any.
    """
    from firth import kernels

    pass_number, batch = divmod(number, text.n_batches)
    start = text.place(batch) * text.batch_tokens
    stop = min(start + text.batch_tokens, text.n_tokens)
    of_pass, of_noise = np.random.SeedSequence((seed, pass_number)).generate_state(2, np.uint64)
    rows, left, right, first, last = kernels.cut_windows(
        text.corpus.type_ids,
        text.corpus.line_ends,
        text.row_of_type,
        text.keep_probability,
        start,
        stop,
        narrowest,
        window,
        of_pass,
    )
    n_blocks = -(-(last - first) // block)
    noise = np.empty((n_blocks, 0), np.int32)
    if text.noise_table is not None:
        key = np.uint64(kernels.mix(of_noise, batch))
        noise = kernels.draw_noise(*text.noise_table, key, n_blocks * noise_pool).reshape(n_blocks, noise_pool)
    of_parts = (text.parts, text.stretch, text.passed_on)
    return Batch(rows, left, right, first, last, block, noise, stop - start, *of_parts)
