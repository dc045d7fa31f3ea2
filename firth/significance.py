"""How sure a score is: intervals by the bootstrap, the spread over seeds, differences of two runs, many comparisons.

A score is of items: word pairs, questions, words with their cluster. Items are drawn with replacement as often as there
are any, and the score taken again (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", chapters 6 and 13); two
runs are compared on the same draws (Berg-Kirkpatrick, Burkett & Klein 2012, "An Empirical Investigation of Statistical
Significance in NLP"). Where a model was trained with several seeds, these are drawn too, so that an interval holds for
other items and for other seeds. Of three seeds or five that spread is itself known but roughly, and rather too small.

S samples, N items, K seeds
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.errors import UsageError

Items = NDArray[np.float64]
Rows = NDArray[np.int64]
Counts = NDArray[np.float64]
Measure = Literal["spearman", "pearson", "accuracy", "opp", "purity"]
"""What is made of items. (N, 2) of `spearman` and `pearson`: what is due, and what came; of `purity`: a word's category
and its cluster, as numbers. (N,) of `accuracy`: 1 where right, else 0; of `opp` the position of the outlier, from 0 to
1. The items of a question that was not answered are NaN."""

SAMPLES: Final = 10_000
"""Of the bootstrap."""
INTERVAL: Final = 0.95
LEVEL: Final = 0.05
"""Differences whose p, corrected for how many are looked at, is below this are no ties."""

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


class Spread(NamedTuple):
    """Scores of the same thing from several seeds.

    Attributes:
        mean: Theirs.
        sd: The standard deviation, n - 1 divided by; NaN of one.
        low: The lowest.
        high: The highest.
        n: How many.
    """

    mean: float
    sd: float
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
        p: How often chance alone gives a difference this large or larger, in either direction.
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


class Chosen(NamedTuple):
    """The layer that is best on one half of the items, and its score on the other.

    Attributes:
        layer: Its key.
        score: On the items that it was not chosen by.
    """

    layer: int
    score: Interval


class _Statistic(Protocol):
    def __call__(self, runs: Items, counts: Counts) -> Items:
        """The scores (K, S) of runs (K, N) or (K, N, 2) in samples that have every item so many times (S, N)."""


def value(measure: Measure, items: ArrayLike) -> float:
    """The score of items; NaN where it is undefined, as of none, or of a correlation where all are the same."""
    answered = _answered(_checked(measure, items))
    return float(_STATISTICS[measure](answered[np.newaxis], np.ones((1, len(answered))))[0, 0])


def interval(measure: Measure, items: ArrayLike, *, n_samples: int = SAMPLES, seed: int = 1) -> Interval:
    """The score of items, and where it lies for other items of the same kind.

    Args:
        measure: What the score is.
        items: (N,) or (N, 2), see `Measure`.
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
        found[name, other_name] = Difference(
            at_all[one],
            at_all[other],
            difference_of_all,
            *bounds(drawn),
            two_sided(drawn, difference_of_all),
            n,
            n_samples,
        )
    return found


def spread(scores: Iterable[float]) -> Spread:
    """The mean of scores, and how far they lie apart.

    Raises:
        UsageError: there is none.
    """
    found = np.array(list(scores), np.float64)
    if not len(found):
        raise UsageError("a spread is of one score at least")
    sd = float(found.std(ddof=1)) if len(found) > 1 else float("nan")
    return Spread(float(found.mean()), sd, float(found.min()), float(found.max()), len(found))


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


def best_layer(measure: Measure, items: Mapping[int, ArrayLike], *, n_samples: int = SAMPLES, seed: int = 1) -> Chosen:
    """The layer that is best on one half of the items, with its score on the other half.

    The best of many layers on the very items that are reported would be too good. Of equal layers the first is taken.

    Args:
        measure: What the score is.
        items: Of each layer, of the same questions.
        n_samples: Of the score's interval.
        seed: Decides on the halves, and on the samples.

    Raises:
        UsageError: as of `interval`; no layer; layers of different lengths.
    """
    if not items:
        raise UsageError("the best layer is one of some: items of none are given")
    (together,), n = _in_common([_runs(measure, list(items.values()))])
    chosen_by, scored_on = halves(n, seed=seed)
    scores = {layer: value(measure, of_layer[chosen_by]) for layer, of_layer in zip(items, together, strict=True)}
    layer = max(scores, key=lambda number: -np.inf if np.isnan(scores[number]) else scores[number])
    of_best = together[list(items).index(layer)]
    return Chosen(layer, interval(measure, of_best[scored_on], n_samples=n_samples, seed=seed))


def halves(n: int, *, seed: int = 1) -> tuple[Rows, Rows]:
    """Two halves of the numbers below n, drawn by the seed, each in order; the second has one more of an odd number."""
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


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
    """p: the share of samples whose difference lies further from the one found than that lies from zero."""
    if np.isnan(found):
        return float("nan")
    n_extreme = int((np.abs(differences - found) >= abs(found) - 1e-12).sum())
    return min(1.0, (n_extreme + 1) / (len(differences) + 1))


def _samples(measure: Measure, models: Sequence[Items], n_samples: int, seed: int) -> tuple[list[Items], list[float]]:
    """Of each model (K, N) or (K, N, 2): the mean scores (S,) of drawn runs on drawn items, and that of all."""
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
    is_pair = measure in ("spearman", "pearson", "purity")
    if found.ndim != 1 + is_pair or (is_pair and found.shape[1] != 2):
        raise UsageError(f"items of {measure} have the shape {found.shape}; {'(n, 2)' if is_pair else '(n,)'} is due")
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


def _purity(runs: Items, counts: Counts) -> Items:
    """The share of words that are of the category which most words of their cluster are of."""
    n_samples, n = counts.shape
    if not n:
        return np.full((len(runs), n_samples), np.nan)
    found = np.empty((len(runs), n_samples))
    for scores, items in zip(found, runs, strict=True):
        categories, category = np.unique(items[:, 0], return_inverse=True)
        clusters, cluster = np.unique(items[:, 1], return_inverse=True)
        cells = np.zeros((n, len(clusters) * len(categories)))
        cells[np.arange(n), cluster * len(categories) + category] = 1
        scores[:] = (counts @ cells).reshape(n_samples, len(clusters), -1).max(axis=2).sum(axis=1) / n
    return found


_STATISTICS: Final[Mapping[Measure, _Statistic]] = {
    "spearman": _spearman,
    "pearson": _pearson,
    "accuracy": _mean,
    "opp": _mean,
    "purity": _purity,
}
