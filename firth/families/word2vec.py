"""What Skip-gram and CBOW share: tables, their beginning, words composed of n-grams, the reference step, ranges."""

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import UsageError
from firth.families.family import Family, Step
from firth.subwords import Ngrams, Parts, compose_all, fitted
from firth.vocabulary import Vocabulary
from firth.windows import STRETCH, Batch

LEAST_STRETCH: Final = 32
MOST_SHARED: Final = 2.0
"""How many times a word's own step it may be moved, in the mean, by others of its stretch that share its n-grams."""
THREADS_MEASURED: Final = 2
"""On which MOST_SHARED was found (docs/decisions/0013)."""


class Tables(NamedTuple):
    """The network of the static families: two tables of vectors."""

    input: NDArray[np.float32]  # (V, D), the weight matrix behind the one-hot input: the word vectors
    output: NDArray[np.float32]  # (V, D) a vector for each predicted word, or (V - 1, D) for each tree node


class SubwordTables(NamedTuple):
    """The network where words are composed of n-grams."""

    input: NDArray[np.float32]  # (V, D) the word vectors: means of parts, made anew when the network is kept
    output: NDArray[np.float32]  # as Tables.output
    words: NDArray[np.float32]  # (V, D) a row for each word, one of its parts
    ngrams: NDArray[np.float32]  # (buckets, D) the rows that n-grams are hashed to, its other parts


class TableLoss(NamedTuple):
    """A loss in nats, summed over the pairs of a batch, and what its gradient is in either table."""

    nats: float
    n_pairs: int
    input: NDArray[np.float64]  # (V, D)
    output: NDArray[np.float64]  # as Tables.output


def tables_of(family: Any) -> type:
    """The NamedTuple of a family's network."""
    return Tables if family.subwords is None else SubwordTables


def table_shapes(vocabulary: Vocabulary, family: Any) -> dict[str, tuple[int, int]]:
    """The shapes of the tables: a row of the output table is a word, or one of the tree's V - 1 nodes."""
    n_outputs = len(vocabulary) - (family.objective == "hierarchical_softmax")
    shapes = {"input": (len(vocabulary), family.dim), "output": (n_outputs, family.dim)}
    if family.subwords is not None:
        shapes |= {"words": (len(vocabulary), family.dim), "ngrams": (family.buckets, family.dim)}
    return shapes


def initial_tables(shapes: dict[str, tuple[int, int]], seed: int) -> Any:
    """Tables as word2vec.c begins: input uniform on [-1/2D, 1/2D), output zero, so that every score is 0.

    Where words are composed of n-grams, the uniform numbers are the words' own rows, and the n-grams' are zero: what is
    never met says nothing.
    """
    uniform = np.random.default_rng(seed).random(shapes["input"], dtype=np.float32)
    dim = np.float32(shapes["input"][1])
    own, output = (uniform - np.float32(0.5)) / dim, np.zeros(shapes["output"], np.float32)
    if "ngrams" not in shapes:
        return Tables(own, output)
    return SubwordTables(np.zeros(shapes["input"], np.float32), output, own, np.zeros(shapes["ngrams"], np.float32))


def kept_tables(network: Any, family: Any, vocabulary: Vocabulary) -> Any:
    """The network, its word vectors composed anew if they are means of parts."""
    if (ngrams := Ngrams.of(vars(family))) is not None:
        network.input[:] = compose_all(ngrams, vocabulary.words, network.words, network.ngrams)
    return network


def parts_of(family: Any, vocabulary: Vocabulary) -> Parts | None:
    """The rows of the words' n-grams, where words are composed of them."""
    ngrams = Ngrams.of(vars(family))
    return None if ngrams is None else ngrams.parts(vocabulary.words)


class Sharing(NamedTuple):
    """How words are trained that share n-grams."""

    stretch: int  # centres for which words are composed of them once
    passed_on: float  # of a word's step, to each of its n-grams


def sharing(family: Any, vocabulary: Vocabulary, parts: Parts | None, threads: int = 1) -> Sharing:
    """Stretches as long as may be, such that what words share moves them by MOST_SHARED at most, and all is passed on.

    With n-grams of 3 to 6 characters that is the longest there is; with single letters, of which any two English words
    have one in common, or with few buckets, a shorter one (docs/decisions/0013). Where the shortest is too long still,
    n-grams get a part of each step.

    Args:
        family: Skip-gram or CBOW.
        vocabulary: Its words.
        parts: Their n-grams, if they have any.
        threads: So many stretches are trained on at a time, none of which sees the others' steps.
    """
    if parts is None:
        return Sharing(STRETCH, 1.0)
    from firth import composition

    kept = vocabulary.counts * vocabulary.keep_probabilities(family.sample).astype(np.float64)
    shares = kept / kept.sum()
    block = 1 if family.objective == "hierarchical_softmax" else family.block
    centres, least = max(STRETCH, block), max(LEAST_STRETCH, block)
    while True:
        trained = centres // block * block  # a stretch is of whole blocks
        met = -np.expm1(trained * np.log1p(-np.minimum(shares, 1 - 1e-9)))
        shared = composition.overlap(*parts, met, np.zeros(family.buckets)) * max(1.0, threads / THREADS_MEASURED)
        if shared <= MOST_SHARED or centres == least:
            return Sharing(trained, min(1.0, MOST_SHARED / shared) if shared else 1.0)
        centres = max(least, centres // 2)


def give_rows(
    network: Any, family: Any, vocabulary: Vocabulary, rows: NDArray[np.int32], base: Any, given: Any
) -> None:
    """Gives these rows the vectors of another network; n-grams too, which must be hashed alike.

    Args:
        network: At its beginning.
        family: Whose it is.
        vocabulary: Its words.
        rows: Of the other's words, here.
        base: The other network.
        given: Its family.

    Raises:
        UsageError: the other has n-grams, and this one none, or others.
    """
    network.output[rows] = base.output
    theirs, ours = Ngrams.of(vars(given)), Ngrams.of(vars(family))
    if theirs is not None:
        if theirs != ours:
            raise UsageError(
                "the model to go on from has sub-words of its own, which stay as they are: "
                f"--subwords {theirs.lengths} --buckets {theirs.buckets} --hashes {theirs.hashes}"
            )
        spelt = [vocabulary.words[row] for row in rows.tolist()]
        network.words[rows] = fitted(theirs, spelt, base.words, base.ngrams, base.input)
        network.ngrams[:] = base.ngrams
    elif ours is not None:  # n-grams begin at zero: the word's own row makes up for their number
        parts = parts_of(family, vocabulary)
        assert parts is not None
        n_parts = 1 + np.diff(parts.starts)[rows].astype(np.float32)
        network.words[rows] = base.input * n_parts[:, np.newaxis]
    else:
        network.input[rows] = base.input


def falling_rate(first: float, last: float, fraction: float) -> float:
    """The learning rate when `fraction` of the budget is spent: in a line from the first to the last."""
    return (1 - fraction) * first + fraction * last


PlainStep = Callable[[Any, Any, NDArray[np.int32], Batch], tuple[float, int]]


def step_of(network: Any, batch: Batch, plain: PlainStep, *, reaches: bool) -> Step:
    """A step of every block of a batch, in place: by the rows of words as they are, or composed of n-grams.

    Of n-grams, the words of each stretch are composed once, trained on by `plain`, and what each has moved is added to
    all of its parts: the gradient of a mean, whole, for each part, as in fastText.

    Args:
        network: `Tables` or `SubwordTables`.
        batch: Any number of blocks.
        plain: Of an input table, an output table, the batch's rows in the first, and a batch: what trains the family.
        reaches: Whether the words of windows are inputs too, and not the centres alone.
    """
    if batch.parts is None:
        return Step(*plain(network.input, network.output, batch.rows, batch))
    from firth import composition

    dim = network.words.shape[1]
    compose_rows, spread = composition.composing(dim), composition.spreading(dim)
    tables = (network.words, network.ngrams, *batch.parts)
    slots = np.empty(len(network.words), np.int32)
    found, inputs = np.empty(len(batch.rows), np.int32), np.zeros(len(batch.rows), np.int32)
    loss, n_pairs = 0.0, 0
    for stretch in batch.stretches():
        begin, end = stretch.reach() if reaches else (stretch.first, stretch.last)
        n = composition.distinct_rows(batch.rows, begin, end, slots, found, inputs)
        moved, before = np.empty((n, dim), np.float32), np.empty((n, dim), np.float32)
        compose_rows(*tables, found[:n], moved)
        before[:] = moved
        some_loss, some_pairs = plain(moved, network.output, inputs, stretch)
        spread(*tables, found[:n], moved, before, np.float32(batch.passed_on))
        loss += some_loss
        n_pairs += some_pairs
    return Step(loss, n_pairs)


def reference_step(family: Family, network: Any, batch: Batch, learning_rate: float, tree: Any = None) -> Step:
    """Gradient descent block by block through `family.loss`, in place: what `family.step` must equal.

    Args:
        family: Whose loss is descended.
        network: Tables of float64.
        batch: Any number of blocks.
        learning_rate: As of `step`.
        tree: For hierarchical softmax.
    """
    total = n_pairs = 0.0
    for stretch in [batch] if batch.parts is None else batch.stretches():
        before = None
        if batch.parts is not None:
            network.input[:] = mean_of_parts(network, batch.parts)
            before = network.input.copy()
        for block in stretch.blocks():
            loss = family.loss(network, block, tree)
            np.subtract(network.input, learning_rate * loss.input, out=network.input)
            np.subtract(network.output, learning_rate * loss.output, out=network.output)
            total += loss.nats
            n_pairs += loss.n_pairs
        if before is not None and batch.parts is not None:
            spread_over_parts(network, batch.parts, network.input - before, batch.passed_on)
    return Step(total, int(n_pairs))


def mean_of_parts(network: SubwordTables, parts: Parts) -> NDArray[np.float64]:
    """(V, D) each word's own row and its n-grams', in the mean."""
    rows = [parts.rows[start:stop] for start, stop in zip(parts.starts[:-1], parts.starts[1:], strict=True)]
    return np.stack(
        [
            (own + network.ngrams[some].sum(axis=0)) / (1 + len(some))
            for own, some in zip(network.words, rows, strict=True)
        ]
    )


def spread_over_parts(network: SubwordTables, parts: Parts, steps: NDArray[np.float64], share: float) -> None:
    """Adds the step of each word, (V, D), to its own row, and this share of it to each of its n-grams'."""
    np.add(network.words, steps, out=network.words)
    np.add.at(network.ngrams, parts.rows, share * np.repeat(steps, np.diff(parts.starts), axis=0))


def check_word2vec(given: Any) -> None:
    """Raises UsageError for a hyperparameter of Skip-gram or CBOW that lies outside its range."""
    for name in ("dim", "window", "min_count", "block", "noise_pool"):
        if getattr(given, name) is not None and getattr(given, name) < 1:
            raise UsageError(f"{name} is {getattr(given, name)}; it must be at least 1")
    if given.objective not in ("negative_sampling", "hierarchical_softmax"):
        raise UsageError(f"objective is {given.objective!r}; there are 'negative_sampling' and 'hierarchical_softmax'")
    if given.objective == "negative_sampling" and given.negatives < 1:
        raise UsageError(f"negatives is {given.negatives}; negative sampling needs at least 1")
    if given.block % 4 or (given.noise_pool or 0) % 4:
        raise UsageError(f"block is {given.block}, noise_pool {given.noise_pool}; both must be multiples of 4")
    if given.window_widths not in ("dynamic", "fixed"):
        raise UsageError(f"window_widths is {given.window_widths!r}; there are 'dynamic' and 'fixed'")
    if not 0 <= given.sample < math.inf:
        raise UsageError(f"sample is {given.sample}; it must be 0 (off) or a share of the corpus, as 1e-3")
    if given.max_size is not None and given.max_size < 2:
        raise UsageError(f"max_size is {given.max_size}; there is nothing to predict among fewer than 2 words")
    Ngrams.of(vars(given))
    last = given.rate(1.0)
    if not 0 < last <= given.learning_rate < math.inf:
        raise UsageError(
            f"learning_rate {given.learning_rate} and final_learning_rate {last}: "
            "both must be positive, and the second no larger than the first"
        )
