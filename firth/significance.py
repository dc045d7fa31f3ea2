"""How sure a score is: intervals by the bootstrap, the spread over seeds, differences of two runs, many comparisons.

A score is of items: word pairs, questions, words with their cluster. Items are drawn with replacement as often as there
are any, and the score taken again (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 6 and 13); two
runs are compared on the same draws (Berg-Kirkpatrick, Burkett & Klein 2012, "An Empirical Investigation of Statistical
Significance in NLP"). Where a model was trained with several seeds, these are drawn too, so that an interval holds for
other items and for other seeds. Of three seeds or five that spread is itself known but roughly, and rather too small.
A handful of items says little, however they are drawn: of few, p is no smaller than when the two runs change places.

S samples, N items, K seeds
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.errors import UsageError

Items = NDArray[np.float64]
Rows = NDArray[np.int64]
Counts = NDArray[np.float64]
Measure = Literal["spearman", "pearson", "accuracy", "opp", "purity", "f1", "bits_per_byte", "pseudo_perplexity"]
"""What is made of items. (N, 2) of `spearman` and `pearson`: what is due, and what came; of `purity`: a word's category
and its cluster, as numbers, or (N,) what `in_majority` makes of them. (N,) of `accuracy`: 1 where right, else 0; or
(N, 2): of a sentence's words how many are right, and how many there are. (N,) of `opp` the position of the outlier,
from 0 to 1. (N, 3) of `f1`: of a sentence's entities how many are found rightly, are due, and are found at all. (N, 2)
of `bits_per_byte`: bits and bytes of a document. (N,) of `pseudo_perplexity`: nats of a word. The items of a question
that was not answered are NaN."""

SAMPLES: Final = 10_000
"""Of the bootstrap."""
INTERVAL: Final = 0.95
LEVEL: Final = 0.05
"""Differences whose p, corrected for how many are looked at, is below this are no ties."""

_MEANS: Final = frozenset({"accuracy", "opp", "purity"})
_MOST_SWAPPED: Final = 14  # items: 16,384 ways
_MOST_NATS: Final = 700.0  # whose exponential is a number
_NUMBERS_TOGETHER: Final = 1 << 17  # that are drawn and looked up at once: so many stay near the processor


class Interval(NamedTuple):
    """A score, and between what it lies.

    Attributes:
        value: The score of all items; of several seeds, the mean of theirs.
        low: Of the samples' scores, so many lie above it that INTERVAL of them lie between the two.
        high: The same, below.
        n: Items, the unanswered left out.
    """

    value: float
    low: float
    high: float
    n: int


class Difference(NamedTuple):
    """How much better a first model is than a second on the same items.

    Attributes:
        first: The score of the first on the items that both answered, the mean over its seeds.
        second: Of the second.
        difference: The first less the second.
        low: Of the samples' differences, so many lie above it that INTERVAL of them lie between the two.
        high: The same, below.
        p: How often chance alone gives a difference this large or larger, in either direction: the share of samples,
            see `two_sided`, or if that is larger, of the ways in which few items can be swapped between the two.
        n: Items that both answered.
        n_samples: How many samples there were.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n: int
    n_samples: int


class _Statistic(Protocol):
    def __call__(self, runs: Items, counts: Counts) -> Items:
        """The scores (K, S) of runs (K, N) or (K, N, ...) in samples that have every item so many times (S, N)."""


def value(measure: Measure, items: ArrayLike) -> float:
    """The score of items; NaN where it is undefined, as of none, or of a correlation where all are the same."""
    answered = _answered(_checked(measure, items))
    return float(_STATISTICS[measure](answered[np.newaxis], np.ones((1, len(answered))))[0, 0])


def interval(measure: Measure, items: ArrayLike, *, n_samples: int = SAMPLES, seed: int = 1) -> Interval:
    """The score of items, and where it lies for other items of the same kind.

    Args:
        measure: What the score is.
        items: (N,) or (N, ...), see `Measure`.
        n_samples: How many samples are drawn.
        seed: Decides which.

    Raises:
        UsageError: items of another shape; fewer than one sample.
    """
    return over_seeds(measure, [items], n_samples=n_samples, seed=seed)


def over_seeds(measure: Measure, runs: Sequence[ArrayLike], *, n_samples: int = SAMPLES, seed: int = 1) -> Interval:
    """The mean score of runs with different seeds on the same items, and where it lies for others of both.

    Args:
        measure: What the score is.
        runs: Items of each run. One that some run did not answer is left out of all.
        n_samples: How many samples are drawn, of items and of runs.
        seed: Decides which.

    Raises:
        UsageError: as of `interval`; no run; runs of different lengths.
    """
    (together,), n = _in_common([_runs(measure, runs)])
    samples, at_all = _samples(measure, [together], n_samples, seed)
    return Interval(at_all[0], *bounds(samples[0]), n)


def difference(
    measure: Measure,
    first: Sequence[ArrayLike],
    second: Sequence[ArrayLike],
    *,
    n_samples: int = SAMPLES,
    seed: int = 1,
) -> Difference:
    """How much better a first model is than a second: on the same items, which are drawn for both alike.

    Args:
        measure: What the score is.
        first: Items of each of its runs; items that any run of either did not answer are left out.
        second: The same of the other. As many runs are not needed.
        n_samples: How many samples are drawn.
        seed: Decides which.

    Raises:
        UsageError: as of `over_seeds`.
    """
    (found,) = differences(measure, {"first": first, "second": second}, n_samples=n_samples, seed=seed).values()
    return found


def differences(
    measure: Measure, models: Mapping[str, Sequence[ArrayLike]], *, n_samples: int = SAMPLES, seed: int = 1
) -> dict[tuple[str, str], Difference]:
    """The difference of each two of some models, all of them on the same items.

    Args:
        measure: What the score is.
        models: Items of each one's runs, by its name. Items that any run of any model did not answer are left out.
        n_samples: How many samples are drawn; they are the same for all.
        seed: Decides which.

    Returns:
        By the names of the two, in the order that `models` has them.

    Raises:
        UsageError: as of `over_seeds`.
    """
    together, n = _in_common([_runs(measure, runs) for runs in models.values()])
    samples, at_all = _samples(measure, together, n_samples, seed)
    found = {}
    for (one, name), (other, other_name) in combinations(enumerate(models), 2):
        drawn = samples[one] - samples[other]
        difference_of_all = at_all[one] - at_all[other]
        apart = together[one].mean(axis=0) - together[other].mean(axis=0)  # (N,) or (N, ...)
        if measure == "accuracy" and apart.ndim > 1:
            apart = apart[:, 0]  # a sentence has as many words for both
        found[name, other_name] = Difference(
            at_all[one],
            at_all[other],
            difference_of_all,
            *bounds(drawn),
            max(two_sided(drawn, difference_of_all), by_swaps(apart, is_sum=measure in _MEANS)),
            n,
            n_samples,
        )
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p corrected for how many are looked at, so that chance alone makes any of them small as rarely as said.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure": the smallest is multiplied by the number of
    them all, the next by one less, and none is smaller than one before it. NaN stays, and does not count.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    found = np.asarray(p_values, np.float64)
    corrected = np.full(len(found), np.nan)
    order = np.argsort(found, kind="stable")[: np.count_nonzero(~np.isnan(found))]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(found[order] * factors))
    return [float(p) for p in corrected]


def halves(taken: ArrayLike, *, seed: int = 1) -> tuple[Rows, Rows]:
    """Two halves of the rows that are taken, each in order; the second has one more of an odd number.

    All rows stand in an order that the seed draws, whichever are taken: where a few more or less are, nearly all the
    others keep their half, so that scores of one set are comparable from comparison to comparison.

    Args:
        taken: (N,) of which rows.
        seed: Of the order.
    """
    mask = np.asarray(taken, np.bool_)
    order = np.random.default_rng(seed).permutation(len(mask))
    order = order[mask[order]]
    middle = len(order) // 2
    return np.sort(order[:middle]), np.sort(order[middle:])


def in_majority(items: ArrayLike) -> Items:
    """1 where a word is of the category that most words of its cluster are of, else 0 (N,); purity is their mean.

    That category is found once, of all words: found anew in a part or a sample of them it would fit each of these
    better than it fits them all, and purity would come out too high.

    Args:
        items: (N, 2) category and cluster of each word, as numbers; NaN of a word without a vector.
    """
    found = np.asarray(items, np.float64)
    right = np.full(len(found), np.nan)
    answered = _is_answered(found)
    categories, category = np.unique(found[answered, 0], return_inverse=True)
    clusters, cluster = np.unique(found[answered, 1], return_inverse=True)
    if len(categories):
        cells = np.zeros((len(clusters), len(categories)))
        np.add.at(cells, (cluster, category), 1)
        right[answered] = cells.argmax(axis=1)[cluster] == category
    return right


# --- the bootstrap


def draws(n: int, n_samples: int, seed: int) -> Iterator[Counts]:
    """How often each of n items is in a sample of n drawn with replacement (s, n), so many samples at once as fit.

    There are `n_samples` in all; the same n and seed give the same ones.

    Raises:
        UsageError: there is to be none.
    """
    if n_samples < 1:
        raise UsageError(f"n_samples is {n_samples}; it must be at least 1")
    rng = np.random.default_rng(seed)
    together = max(1, _NUMBERS_TOGETHER // max(1, n))
    for first in range(0, n_samples, together):
        s = min(together, n_samples - first)
        rows = rng.integers(0, n, (s, n)) + n * np.arange(s)[:, np.newaxis]
        yield np.bincount(rows.ravel(), minlength=s * n).reshape(s, n).astype(np.float64)


def bounds(found: Items) -> tuple[float, float]:
    """Between what INTERVAL of the samples lie; samples whose score is undefined do not count."""
    defined = found[~np.isnan(found)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return float(low), float(high)


def two_sided(differences: Items, found: float) -> float:
    """p: the share of samples whose difference lies further from the one found than that lies from zero.

    Samples whose difference is undefined do not count. Where none lies so far, p is what the normal distribution with
    the samples' standard deviation leaves there, since 1 of S + 1 would be as much as many comparisons can bear; where
    they do not vary at all it is 1 of S + 1.
    """
    defined = differences[~np.isnan(differences)]
    if np.isnan(found) or not len(defined):
        return float("nan")
    n_extreme = int((np.abs(defined - found) >= abs(found) - 1e-12).sum())
    least = 1 / (len(defined) + 1)
    deviation = float(defined.std())
    if n_extreme or deviation <= 1e-12:
        return min(1.0, (n_extreme + 1) * least)
    return min(least, math.erfc(abs(found) / deviation / math.sqrt(2)))


def by_swaps(apart: Items, *, is_sum: bool) -> float:
    """The share of all ways to swap items between two models that leave them as far apart, or further.

    Fisher 1935, "The Design of Experiments", section 21. Of many items, and of correlations and F1, it is the least
    that this share can be: items that are the same swap to no effect, and one way in two is the mirror of another.

    Args:
        apart: (N,) or (N, ...) what the score of the first is made of, less that of the second.
        is_sum: Whether the scores differ by the sum of these; else the least is told.
    """
    apart = apart[np.abs(apart.reshape(len(apart), -1)).max(axis=1, initial=0) > 1e-12]
    if not is_sum or len(apart) > _MOST_SWAPPED:
        return float(min(1.0, 2.0 ** (1 - len(apart))))
    signs = 1.0 - 2.0 * (np.arange(1 << len(apart))[:, np.newaxis] >> np.arange(len(apart)) & 1)
    return float((np.abs(signs @ apart) >= abs(apart.sum()) - 1e-9).mean())


def _samples(measure: Measure, models: Sequence[Items], n_samples: int, seed: int) -> tuple[list[Items], list[float]]:
    """Of each model (K, N) or (K, N, ...): the mean scores (S,) of drawn runs on drawn items, and that of all."""
    statistic = _STATISTICS[measure]
    n = models[0].shape[1]
    at_all = [float(np.mean([value(measure, run) for run in runs])) for runs in models]
    if not n:
        return [np.full(n_samples, np.nan) for _ in models], at_all
    runs = np.concatenate(models)
    of_runs = np.concatenate([statistic(runs, counts) for counts in draws(n, n_samples, seed)], axis=1)
    of_items = np.split(of_runs, np.cumsum([len(model) for model in models])[:-1])
    rng = np.random.default_rng([seed, 1])  # another stream, so that the items drawn do not depend on how many runs
    found = []
    for scores in of_items:
        n_runs = len(scores)
        drawn = rng.integers(0, n_runs, (n_runs, n_samples))
        found.append(np.take_along_axis(scores, drawn, axis=0).mean(axis=0))
    return found, at_all


def _runs(measure: Measure, runs: Sequence[ArrayLike]) -> list[Items]:
    checked = [_checked(measure, items) for items in runs]
    if not checked:
        raise UsageError("items of one run at least are due")
    return checked


def _in_common(models: Sequence[list[Items]]) -> tuple[list[Items], int]:
    """The runs of each model as one array, without the items that any run of any model did not answer."""
    lengths = sorted({len(items) for runs in models for items in runs})
    if len(lengths) > 1:
        raise UsageError(f"items of {', '.join(map(str, lengths))} questions are given; the same questions are due")
    answered = np.ones(lengths[0], np.bool_)
    for runs in models:
        for items in runs:
            answered &= _is_answered(items)
    return [np.stack([items[answered] for items in runs]) for runs in models], int(answered.sum())


def _checked(measure: Measure, items: ArrayLike) -> Items:
    if measure not in get_args(Measure):
        raise UsageError(f"measure is {measure!r}; there are {', '.join(get_args(Measure))}")
    found = np.asarray(items, np.float64)
    if measure == "purity" and found.ndim == 2 and found.shape[1] == 2:
        return in_majority(found)
    width = {"spearman": 2, "pearson": 2, "f1": 3, "bits_per_byte": 2}.get(measure)
    if measure == "accuracy" and found.ndim == 2:
        width = 2
    if found.shape[1:] != (() if width is None else (width,)) or not found.ndim:
        due = "(n,)" if width is None else f"(n, {width})"
        raise UsageError(f"items of {measure} have the shape {found.shape}; {due} is due")
    return found


def _is_answered(items: Items) -> NDArray[np.bool_]:
    is_missing = np.isnan(items)
    found: NDArray[np.bool_] = np.asarray(is_missing.any(axis=1) if items.ndim > 1 else is_missing)
    return ~found


def _answered(items: Items) -> Items:
    return items[_is_answered(items)]


# --- what is made of items, each of which is there so many times


def _mean(runs: Items, counts: Counts) -> Items:
    n = counts.shape[1]
    found: Items = runs @ counts.T / n if n else np.full((len(runs), len(counts)), np.nan)
    return found


def _share(runs: Items, counts: Counts) -> Items:
    """The mean (N,); of pairs (N, 2) the sum of the first over that of the second."""
    if runs.ndim == 2:
        return _mean(runs, counts)
    first, second = (runs[..., place] @ counts.T for place in range(2))
    found: Items = first / np.where(second > 0, second, np.nan)
    return found


def _exponential(runs: Items, counts: Counts) -> Items:
    found: Items = np.exp(np.minimum(_mean(runs, counts), _MOST_NATS))
    return found


def _spearman(runs: Items, counts: Counts) -> Items:
    found = np.empty((len(runs), len(counts)))
    due: NDArray[np.float64] | None = None
    for scores, items in zip(found, runs, strict=True):
        if due is None or not np.array_equal(due, items[:, 0]):  # as a rule the same for all
            due = items[:, 0]
            order, _, times, ranks = _ranked(due, counts)
            squares = np.einsum("su,su,su->s", times, ranks, ranks)
            places = np.empty(len(order), np.intp)
            places[order] = np.cumsum(np.append(0, np.diff(due[order]) != 0))[: len(order)]
            weighted = counts * ranks[:, places]
        order, firsts, times, ranks = _ranked(items[:, 1], counts)
        products = weighted[:, order]
        if firsts is not None:
            products = np.add.reduceat(products, firsts, axis=1)
        both = squares * np.einsum("su,su,su->s", times, ranks, ranks)
        scores[:] = np.einsum("su,su->s", products, ranks) / np.sqrt(np.where(both > 0, both, np.nan))
    return np.clip(found, -1, 1)


def _ranked(values: Items, counts: Counts) -> tuple[Rows, Rows | None, Counts, Items]:
    """The ranks of different values in each sample (S, U), less the mean rank, and how often each is there (S, U).

    Values are sorted but once: in a sample, a value comes behind as many items as smaller ones are there. With them
    come the order of the items, and where in it each value begins; None where all differ.
    """
    order = np.argsort(values, kind="stable")
    begins = np.append(True, np.diff(values[order]) != 0)[: len(order)]
    firsts = None if begins.all() else np.flatnonzero(begins)
    times = counts[:, order]
    if firsts is not None:
        times = np.add.reduceat(times, firsts, axis=1)
    ranks = np.cumsum(times, axis=1)
    ranks -= times / 2
    ranks -= len(values) / 2
    return order, firsts, times, ranks


def _pearson(runs: Items, counts: Counts) -> Items:
    n = max(1, counts.shape[1])
    found = np.empty((len(runs), len(counts)))
    for scores, items in zip(found, runs, strict=True):
        first, second = (
            _without_dust(column - (counts @ column / n)[:, np.newaxis], column)
            for column in (items[:, 0], items[:, 1])
        )
        squares = [np.einsum("sn,sn,sn->s", counts, numbers, numbers) for numbers in (first, second)]
        both = squares[0] * squares[1]
        scores[:] = np.einsum("sn,sn,sn->s", counts, first, second) / np.sqrt(np.where(both > 0, both, np.nan))
    return np.clip(found, -1, 1)


def _without_dust(differences: Items, column: Items) -> Items:
    """Zeros for what rounding alone has left of equal numbers."""
    return np.where(np.abs(differences) <= 1e-12 * np.abs(column).max(initial=0), 0, differences)


def _f1(runs: Items, counts: Counts) -> Items:
    """Twice what is right, over what is due and what is found; 0 where there is neither, NaN of no sentence."""
    right, due, found = (runs[..., place] @ counts.T for place in range(3))
    scores: Items = 2 * right / np.where(due + found > 0, due + found, 1)
    return scores if counts.shape[1] else np.full_like(scores, np.nan)


_STATISTICS: Final[Mapping[Measure, _Statistic]] = {
    "spearman": _spearman,
    "pearson": _pearson,
    "accuracy": _share,
    "opp": _mean,
    "purity": _mean,
    "f1": _f1,
    "bits_per_byte": _share,
    "pseudo_perplexity": _exponential,
}
