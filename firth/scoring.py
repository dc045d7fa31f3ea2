"""How well predictions meet what was due: scores of a task, by label, what is mistaken for what; two runs compared.

Of classes: accuracy, the unweighted mean of the labels' F1 (macro F1), and the correlation of Gorodkin 2004, "Comparing
two K-category assignments by a K-category correlation coefficient", which for two classes is Matthews'. Of numbers:
Pearson's and Spearman's correlation. Of tags: the share that is right; of entities, those whose span and type are both
right, as the CoNLL shared tasks count them (Tjong Kim Sang & De Meulder 2003). Two runs: the paired bootstrap of
Berg-Kirkpatrick, Burkett & Klein 2012, "An Empirical Investigation of Statistical Significance in NLP".

N examples, L labels
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.significance import INTERVAL, LEVEL, SAMPLES, bounds, by_swaps, draws, two_sided
from firth.spans import Span, scheme_of, spans
from firth.tasks import Task

Counts = NDArray[np.int64]


class LabelScore(NamedTuple):
    """How well one label is found.

    Attributes:
        label: It; of entities, their type.
        precision: Of those predicted, the share that is due.
        recall: Of those due, the share that is predicted.
        f1: The harmonic mean of the two.
        n_gold: How many are due.
        n_predicted: How many are predicted.
    """

    label: str
    precision: float
    recall: float
    f1: float
    n_gold: int
    n_predicted: int


@dataclass(frozen=True)
class Scores:
    """How well predictions meet what was due.

    Attributes:
        values: By name: `accuracy`, `macro_f1`, `mcc`; of numbers `pearson`, `spearman`; of entities `f1`, `precision`,
            `recall` and the tags' `accuracy`.
        main: The one of them that runs are compared by.
        per_label: Of each label, or type of entity; empty of numbers.
        labels: Of the rows and columns of `confusion`.
        confusion: (L, L) how often a label (row) was taken for one (column); of entities, of the tags of words.
        n: How many examples there are; of tags, words.
    """

    values: Mapping[str, float]
    main: str
    per_label: tuple[LabelScore, ...] = ()
    labels: tuple[str, ...] = ()
    confusion: Counts = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    n: int = 0

    @property
    def value(self) -> float:
        """The main one."""
        return self.values[self.main]

    def settings(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "main": self.main,
            "values": dict(self.values),
            "n": self.n,
            "per_label": [label._asdict() for label in self.per_label],
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
        }


class Comparison(NamedTuple):
    """The difference of two runs on the same examples.

    Attributes:
        name: Of the score that is compared.
        first: That of the first run.
        second: Of the second.
        difference: The second less the first.
        low: Of the differences in the samples, so many lie above it that INTERVAL of them lie between the two.
        high: The same, below.
        p: How often chance alone gives a difference this large or larger, in either direction: the share of samples,
            or if that is larger, of the ways in which few examples can be swapped between the two.
        n_samples: How many samples there were.
        least_p: The least that p can be: where chance decides, n examples on which the runs differ all favour the same
            one once in 2 to the power of n - 1 times, which of five is 0.06.
    """

    name: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    n_samples: int
    least_p: float


def score(
    task: Task,
    gold: Sequence[Any],
    predicted: Sequence[Any],
    *,
    labels: Sequence[str] = (),
    is_regression: bool = False,
) -> Scores:
    """How well `predicted` meets `gold`.

    Args:
        task: Of `tag`, both are sequences of tags, of the same lengths.
        gold: What was due, an item for each example.
        predicted: What came.
        labels: In the order of tables; those that only gold or predictions have come behind them.
        is_regression: Whether both are numbers.

    Raises:
        UsageError: there are none, or more of the one than of the other.
    """
    if len(gold) != len(predicted) or not len(gold):
        raise UsageError(f"{len(gold):,} targets and {len(predicted):,} predictions; as many of both are due, and some")
    if is_regression:
        return _of_numbers(np.asarray(gold, np.float64), np.asarray(predicted, np.float64))
    if task != "tag":
        found = _of_labels(gold, predicted, labels)
        return Scores(_averaged(found[1], found[2]), "accuracy", *found, len(gold))
    for number, (one, other) in enumerate(zip(gold, predicted, strict=True)):
        if len(one) != len(other):
            raise UsageError(f"sentence {number} has {len(one)} tags, and {len(other)} are predicted")
    flat_gold = [tag for tags in gold for tag in tags]
    flat_predicted = [tag for tags in predicted for tag in tags]
    found = _of_labels(flat_gold, flat_predicted, labels)
    values = _averaged(found[1], found[2])
    if scheme_of(labels or flat_gold) is None:
        return Scores(values, "accuracy", *found, len(flat_gold))
    of_types, total = _of_entities([spans(tags) for tags in gold], [spans(tags) for tags in predicted])
    of_all = {"f1": total.f1, "precision": total.precision, "recall": total.recall, "accuracy": values["accuracy"]}
    return Scores(of_all, "f1", of_types, found[1], found[2], len(flat_gold))


def compared(
    task: Task,
    gold: Sequence[Any],
    first: Sequence[Any],
    second: Sequence[Any],
    *,
    is_regression: bool = False,
    n_samples: int = SAMPLES,
    seed: int = 1,
) -> Comparison:
    """Whether a second run's predictions are better than a first's, by the paired bootstrap.

    Examples (of tags: sentences) are drawn with replacement, the same for both runs; the two-sided p is the share of
    samples whose difference lies further from the observed one than that lies from zero. Of a handful of examples that
    would be next to nothing: p is no smaller than when the two runs change places, see `significance.by_swaps`.

    Args:
        task: As of `score`.
        gold: What was due.
        first: What the first run predicted.
        second: And the second.
        is_regression: Whether these are numbers, compared by Pearson's correlation; labels are by accuracy or F1.
        n_samples: How many samples are drawn.
        seed: Decides which.

    Raises:
        UsageError: as of `score`; fewer than one sample.
    """
    of_first = score(task, gold, first, is_regression=is_regression)
    of_second = score(task, gold, second, is_regression=is_regression)
    name = of_first.main
    parts, value_of = _summed(task, gold, [first, second], is_regression, name)
    drawn = (weights for together in draws(len(gold), n_samples, seed) for weights in together)
    scores = (tuple(value_of(weights @ part) for part in parts) for weights in drawn)
    differences = np.array([other - one for one, other in scores])
    difference = of_second.value - of_first.value
    low, high = bounds(differences)
    apart = parts[1] - parts[0]
    is_share = task != "tag" and not is_regression
    of_swaps = by_swaps(apart[:, 0] if is_share else apart, is_sum=is_share)
    return Comparison(
        name=name,
        first=of_first.value,
        second=of_second.value,
        difference=difference,
        low=low,
        high=high,
        p=max(two_sided(differences, difference), of_swaps),
        n_samples=n_samples,
        least_p=by_swaps(apart, is_sum=False),
    )


def schemas(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, LabelScore]:
    """Entities by the four schemas of SemEval 2013 task 9.1, by nervaluate.

    `strict` asks for span and type, `exact` for the span, `ent_type` for the type of an entity that overlaps, and
    `partial` counts an overlap as a half.

    Raises:
        FirthError: nervaluate is not installed.
    """
    try:
        from nervaluate import Evaluator
    except ImportError:
        raise FirthError(
            "entities' schemas need nervaluate, which is not installed: pip install 'firth[finetune]'"
        ) from None
    entities = [[_entities(tags) for tags in of_one] for of_one in (gold, predicted)]
    types = sorted({entity["label"] for of_one in entities for sentence in of_one for entity in sentence})
    if not types:
        return {}
    overall = Evaluator(*entities, tags=types, loader="dict").evaluate()["overall"]
    return {
        name: LabelScore(name, found.precision, found.recall, found.f1, found.possible, found.actual)
        for name, found in overall.items()
    }


def _entities(tags: Sequence[str]) -> list[dict[str, Any]]:
    """As nervaluate takes them; it counts the last word in."""
    return [{"label": label, "start": first, "end": stop - 1} for label, first, stop in spans(tags)]


# --- one run


def _of_labels(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]
) -> tuple[tuple[LabelScore, ...], tuple[str, ...], Counts]:
    """Each label's score; the labels; and what was taken for what."""
    names = (*labels, *sorted({*gold, *predicted} - set(labels)))
    number_of = {label: number for number, label in enumerate(names)}
    confusion = np.zeros((len(names), len(names)), np.int64)
    rows = np.array([number_of[label] for label in gold])
    columns = np.array([number_of[label] for label in predicted])
    np.add.at(confusion, (rows, columns), 1)
    per_label = tuple(
        _label_score(label, int(confusion[number, number]), int(of_gold), int(of_predicted))
        for number, (label, of_gold, of_predicted) in enumerate(
            zip(names, confusion.sum(1), confusion.sum(0), strict=True)
        )
    )
    return per_label, names, confusion


def _label_score(label: str, n_right: int, n_gold: int, n_predicted: int) -> LabelScore:
    """A share of nothing is 0."""
    return LabelScore(
        label,
        n_right / n_predicted if n_predicted else 0.0,
        n_right / n_gold if n_gold else 0.0,
        2 * n_right / (n_gold + n_predicted) if n_gold + n_predicted else 0.0,
        n_gold,
        n_predicted,
    )


def _averaged(labels: Sequence[str], confusion: Counts) -> dict[str, float]:
    """Accuracy; F1 averaged over the labels that occur, on either side; Gorodkin's correlation, 0 where undefined."""
    of_gold, of_predicted = confusion.sum(1), confusion.sum(0)
    right = confusion.diagonal()
    n = int(confusion.sum())
    occur = of_gold + of_predicted > 0
    f1 = 2 * right[occur] / (of_gold + of_predicted)[occur]
    gold, predicted = of_gold / n, of_predicted / n
    spread = (1 - (gold**2).sum()) * (1 - (predicted**2).sum())
    shared = right.sum() / n - (gold * predicted).sum()
    return {
        "accuracy": float(right.sum() / n),
        "macro_f1": float(f1.mean()),
        "mcc": float(shared / np.sqrt(spread)) if spread > 0 else 0.0,
    }


def _of_numbers(gold: NDArray[np.float64], predicted: NDArray[np.float64]) -> Scores:
    from scipy.stats import rankdata

    values = {
        "pearson": _correlation(gold, predicted),
        "spearman": _correlation(rankdata(gold), rankdata(predicted)),
        "rmse": float(np.sqrt(((gold - predicted) ** 2).mean())),
    }
    return Scores(values, "pearson", n=len(gold))


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Pearson's; 0 where one of them is constant."""
    first, second = first - first.mean(), second - second.mean()
    spread = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / spread if spread > 0 else 0.0


def _of_entities(
    gold: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> tuple[tuple[LabelScore, ...], LabelScore]:
    """Each type's score, and that of all together."""
    right: Counter[str] = Counter()
    of_gold: Counter[str] = Counter()
    of_predicted: Counter[str] = Counter()
    for due, came in zip(gold, predicted, strict=True):
        of_gold.update(span.label for span in due)
        of_predicted.update(span.label for span in came)
        right.update(span.label for span in set(due) & set(came))
    types = sorted({*of_gold, *of_predicted})
    per_type = tuple(_label_score(name, right[name], of_gold[name], of_predicted[name]) for name in types)
    return per_type, _label_score("all", right.total(), of_gold.total(), of_predicted.total())


# --- two runs


def _summed(
    task: Task, gold: Sequence[Any], runs: Iterable[Sequence[Any]], is_regression: bool, name: str
) -> tuple[list[NDArray[np.float64]], Callable[[NDArray[np.float64]], float]]:
    """For each run (N, S), numbers whose sums over examples give its score; and the score of such sums (S,)."""
    if is_regression:
        due = np.asarray(gold, np.float64)
        came = [np.asarray(run, np.float64) for run in runs]
        ones = np.ones(len(due))
        return [np.stack([ones, due, one, due * due, one * one, due * one], 1) for one in came], _pearson_of
    if task != "tag":
        return [np.array([[a == b, 1] for a, b in zip(gold, run, strict=True)], np.float64) for run in runs], _share_of
    if name == "accuracy":
        sums = [
            [
                [sum(a == b for a, b in zip(one, other, strict=True)), len(one)]
                for one, other in zip(gold, run, strict=True)
            ]
            for run in runs
        ]
        return [np.array(run, np.float64) for run in sums], _share_of
    entities = [set(spans(tags)) for tags in gold]
    counted = []
    for run in runs:
        found = [set(spans(tags)) for tags in run]
        pairs = zip(entities, found, strict=True)
        counted.append(np.array([[2 * len(due & came), len(due) + len(came)] for due, came in pairs], np.float64))
    return counted, _share_of


def _share_of(sums: NDArray[np.float64]) -> float:
    return float(sums[0] / sums[1]) if sums[1] else 0.0


def _pearson_of(sums: NDArray[np.float64]) -> float:
    n, x, y, xx, yy, xy = sums.tolist()
    spread = (xx - x * x / n) * (yy - y * y / n)
    return float((xy - x * y / n) / np.sqrt(spread)) if spread > 0 else 0.0


def told(comparison: Comparison) -> str:
    """A comparison in a sentence."""
    low, high = f"{comparison.low:+.4f}", f"{comparison.high:+.4f}"
    few = ""
    if comparison.difference and comparison.least_p >= LEVEL:
        few = f"; the two differ on too few examples for any difference to be more than chance (p < {LEVEL:g})"
    return (
        f"{printable(comparison.name)} {comparison.first:.4f} and {comparison.second:.4f}: "
        f"{comparison.difference:+.4f} ({INTERVAL:.0%} of {comparison.n_samples:,} samples between {low} and {high}; "
        f"p = {comparison.p:.4f}{few})"
    )
