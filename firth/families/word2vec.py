"""What Skip-gram and CBOW share: two tables, their beginning, the reference step, the ranges of their settings."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import UsageError
from firth.families.family import Family, Step
from firth.vocabulary import Vocabulary
from firth.windows import Batch


class Tables(NamedTuple):
    """The network of the static families: two tables of vectors."""

    input: NDArray[np.float32]  # (V, D), the weight matrix behind the one-hot input: the word vectors
    output: NDArray[np.float32]  # (V, D) a vector for each predicted word, or (V - 1, D) for each tree node


class TableLoss(NamedTuple):
    """A loss in nats, summed over the pairs of a batch, and what its gradient is in either table."""

    nats: float
    n_pairs: int
    input: NDArray[np.float64]  # (V, D)
    output: NDArray[np.float64]  # as Tables.output


def table_shapes(vocabulary: Vocabulary, dim: int, objective: str) -> dict[str, tuple[int, int]]:
    """The shapes of `Tables`: a row of the output table is a word, or one of the tree's V - 1 nodes."""
    n_outputs = len(vocabulary) - (objective == "hierarchical_softmax")
    return {"input": (len(vocabulary), dim), "output": (n_outputs, dim)}


def initial_tables(shapes: dict[str, tuple[int, int]], seed: int) -> Tables:
    """Tables as word2vec.c begins: input uniform on [-1/2D, 1/2D), output zero, so that every score is 0."""
    uniform = np.random.default_rng(seed).random(shapes["input"], dtype=np.float32)
    dim = np.float32(shapes["input"][1])
    return Tables((uniform - np.float32(0.5)) / dim, np.zeros(shapes["output"], np.float32))


def give_rows(network: Tables, rows: NDArray[np.int32], base: Tables) -> None:
    """Gives these rows of either table the vectors of another network."""
    for new, old in zip(network, base, strict=True):
        new[rows] = old


def falling_rate(first: float, last: float, fraction: float) -> float:
    """The learning rate when `fraction` of the budget is spent: in a line from the first to the last."""
    return (1 - fraction) * first + fraction * last


def reference_step(family: Family, network: Tables, batch: Batch, learning_rate: float, tree: Any = None) -> Step:
    """Gradient descent block by block through `family.loss`, in place: what `family.step` must equal.

    Args:
        family: Whose loss is descended.
        network: Tables of float64.
        batch: Any number of blocks.
        learning_rate: As of `step`.
        tree: For hierarchical softmax.
    """
    total = n_pairs = 0.0
    for block in batch.blocks():
        loss = family.loss(network, block, tree)
        np.subtract(network.input, learning_rate * loss.input, out=network.input)
        np.subtract(network.output, learning_rate * loss.output, out=network.output)
        total += loss.nats
        n_pairs += loss.n_pairs
    return Step(total, int(n_pairs))


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
    last = given.rate(1.0)
    if not 0 < last <= given.learning_rate < math.inf:
        raise UsageError(
            f"learning_rate {given.learning_rate} and final_learning_rate {last}: "
            "both must be positive, and the second no larger than the first"
        )
