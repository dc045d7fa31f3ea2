"""What vectors score on a set of word pairs, questions, groups or categories: the same shape for every kind.

Beside each score are the items it is made of, so that intervals and differences can be taken of them: see
`firth.significance`.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth.errors import UsageError
from firth.evaluation import RESTRICT, Fold, Method, common_words
from firth.files import printable
from firth.sets import READERS, Kind
from firth.significance import Measure
from firth.vectors import Vectors

METHODS: Final[tuple[Method, ...]] = get_args(Method)


class Measured(NamedTuple):
    """A score on a set.

    Attributes:
        kind: What the set asks.
        measure: What the score is, as `significance.value` makes it of the items.
        method: How answers were found, where there are several ways.
        score: It; nan where nothing was answered.
        items: Of every question asked, NaN where it was not answered; (N,) or (N, 2), see `significance.Measure`.
        unknown: Words that have no vector, in the order met, each once.
        layer: Whose vectors these are, of words in sentences; None of vectors that were given.
        threshold: The cosine above which two uses of a word are taken for the same; None of other measures.
    """

    kind: Kind
    measure: Measure
    method: str | None
    score: float
    items: NDArray[np.float64]
    unknown: tuple[str, ...] = ()
    layer: int | None = None
    threshold: float | None = None

    @property
    def n_items(self) -> int:
        """Questions asked."""
        return len(self.items)

    @property
    def n_known(self) -> int:
        """Questions answered: the words of the others are not all known."""
        is_missing = np.isnan(self.items)
        return int((~(is_missing.any(axis=1) if self.items.ndim > 1 else is_missing)).sum())

    @property
    def coverage(self) -> float:
        """The share of questions that were answered."""
        return self.n_known / self.n_items if self.n_items else float("nan")


def measured(
    vectors: Vectors,
    kind: Kind,
    questions: Sequence[Any],
    *,
    methods: Sequence[Method] = METHODS,
    restrict: int | None = RESTRICT,
    fold: Fold = str.upper,
    seed: int = 1,
) -> list[Measured]:
    """The scores of vectors on a set: of analogies one by each method, of outliers accuracy and OPP, of others one.

    Args:
        vectors: Their last layer is measured.
        kind: Of the set; `similarity`, `analogy`, `outliers` or `categories`.
        questions: As the reader of this kind gives them, see `sets.READERS`.
        methods: Of analogies.
        restrict: The most frequent words that take part in pairs and analogies; in groups and categories all do.
        fold: Words are equal when their folds are.
        seed: Of the clusters of categories.

    Raises:
        UsageError: another kind.
    """
    how: dict[str, Any] = {"restrict": restrict, "fold": fold}
    if kind == "similarity":
        pairs = vectors.evaluate_word_pairs(questions, **how)
        return [Measured(kind, "spearman", None, pairs.spearman, pairs.items(), pairs.unknown)]
    if kind == "analogy":
        answers = [(method, vectors.evaluate_word_analogies(questions, method=method, **how)) for method in methods]
        return [
            Measured(kind, "accuracy", method, found.accuracy, found.items(), found.unknown)
            for method, found in answers
        ]
    if kind == "outliers":
        outliers = vectors.evaluate_outliers(questions, fold=fold)
        return [
            Measured(kind, "accuracy", None, outliers.accuracy, outliers.found(), outliers.unknown),
            Measured(kind, "opp", None, outliers.opp, outliers.items(), outliers.unknown),
        ]
    if kind == "categories":
        clusters = vectors.evaluate_categories(questions, fold=fold, seed=seed)
        return [Measured(kind, "purity", None, clusters.purity, clusters.items(), clusters.unknown)]
    raise UsageError(f"vectors are measured on {', '.join(READERS)}; {printable(kind)} is of words in sentences")


def in_common(models: Sequence[Vectors], *, restrict: int | None = None, fold: Fold = str.upper) -> list[Vectors]:
    """The vectors of each model for the words that all of them know, in one order, spelt as the first spells them.

    Scores of these favour no model for its small vocabulary: the questions that are answered are the same, and so are
    the words that an answer is looked for among. N-grams stay behind.

    Args:
        models: Vectors, with any number of layers.
        restrict: Words of each that are looked at, from the top; None takes all.
        fold: Words are equal when their folds are.

    Raises:
        FirthError: there is no such word.
    """
    shared = common_words([one.words for one in models], restrict=restrict, fold=fold)
    return [
        Vectors(
            shared.words,
            one.array[:, rows],
            provenance=one.provenance | {"layers": one.layer_numbers, "words": "common"},
        )
        for one, rows in zip(models, shared.rows, strict=True)
    ]
