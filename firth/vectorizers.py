"""Word vectors as transformers of scikit-learn: texts go in, a row of numbers for each comes out.

`WordVectorizer` averages the vectors of a text's words, `ContextVectorizer` those that a network gives them in their
context. Both stand in a `Pipeline` and in a grid search; a copy that `sklearn.base.clone` makes shares the model. Where
several processes fit, give the model's path, which is opened in each, and not the model itself.

N texts, D dim
"""

import copy
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UnknownWordError, UsageError
from firth.extraction import Opened, prepare
from firth.files import printable
from firth.model import Model
from firth.parts import Extraction, SentencePool, extracted
from firth.segmentation import Segmentation
from firth.vectors import Vectors

try:
    from scipy import sparse
    from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError:
    raise FirthError("firth.sklearn needs scikit-learn, which is not installed: pip install 'firth[sklearn]'") from None

Weighting = Literal["mean", "tfidf", "sif"]
Unknown = Literal["zeros", "mean", "nan", "error"]
Texts = Iterable[str | Sequence[str]]

_CUT_TOGETHER: Final = 256
_MOST_SHOWN: Final = 60  # characters of a text, in a message


class InputError(UsageError, ValueError):
    """Input that is no texts, or a parameter out of its range; a ValueError too, as scikit-learn's own are."""


class WordVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Texts as weighted means of their words' vectors, (N, D) float32.

    Words that are not known are left out of the mean; with vectors that know n-grams, they take part by these, with the
    weight of a word that no training text has.

    Args:
        vectors: `Vectors`, a static model, or the path of either. Of several layers the last one is taken.
        weighting: `mean`: all words alike. `tfidf`: a word of which n of N training texts have one by
            ln((1 + N) / (1 + n)) + 1, as scikit-learn's TfidfTransformer has it. `sif`: smooth inverse frequency, by
            smoothing / (smoothing + p(word)), and then without the first principal direction of the training texts
            (Arora et al. 2017, "A Simple but Tough-to-Beat Baseline for Sentence Embeddings"); p is the word's share
            of the vectors' counts, or, where these are not known, of the training texts.
        unknown: What a text without a known word becomes: `zeros` (a warning counts them), the `mean` of the training
            texts, `nan`, or an `error`.
        smoothing: The constant of `sif`; the paper's a.

    Attributes:
        vectors_: The `Vectors`, opened.
        weights_: (V + 1,) how much each word counts; the last one is of words that the matrix does not have.
        direction_: (D,) what `sif` takes out; None of other weightings.
        mean_: (D,) of the training texts.

    A text is a string, which is cut as the vectors' own text was, or a sequence of words, which are taken as they are.
    """

    def __init__(
        self,
        vectors: Vectors | Model | str | os.PathLike[str],
        *,
        weighting: Weighting = "mean",
        unknown: Unknown = "zeros",
        smoothing: float = 1e-3,
    ) -> None:
        """A vectorizer that is not fitted; nothing is opened or looked at yet."""
        self.vectors = vectors
        self.weighting = weighting
        self.unknown = unknown
        self.smoothing = smoothing

    def fit(self, X: Texts, y: object = None) -> "WordVectorizer":
        """Learns what the weighting needs of training texts; `y` is not looked at.

        Raises:
            InputError: X is no texts, or a parameter is out of its range.
        """
        check_choices(self, weighting=Weighting, unknown=Unknown)
        if not isinstance(self.smoothing, int | float) or not self.smoothing > 0:
            raise InputError(f"smoothing is {printable(repr(self.smoothing))}; it must be a number above 0")
        texts = texts_of(X)
        self.vectors_ = vectors = _opened_vectors(self.vectors)
        self._n_features_out = vectors.dim
        found = _Found.of(texts, vectors)
        self.weights_ = self._weights(found.rows, len(vectors))
        self.direction_ = None
        means, is_known = self._means(found)
        if self.weighting == "sif" and is_known.any():
            self.direction_ = np.linalg.svd(means[is_known], full_matrices=False)[2][0]
            means -= np.outer(means @ self.direction_, self.direction_)
        self.mean_ = means[is_known].mean(axis=0) if is_known.any() else np.zeros(vectors.dim, np.float32)
        return self

    def transform(self, X: Texts) -> NDArray[np.float32]:
        """(N, D) a row for each text.

        Raises:
            InputError: X is no texts.
            UnknownWordError: of `error`, a text without a known word.
        """
        check_is_fitted(self, "weights_")
        texts = texts_of(X)
        check_choices(self, unknown=Unknown)
        means, is_known = self._means(_Found.of(texts, self._vectors()))
        if self.direction_ is not None:
            means -= np.outer(means @ self.direction_, self.direction_)
        _fill(means, is_known, texts, self.unknown, self.mean_)
        return means

    def _weights(self, rows: Sequence[NDArray[np.int64]], n_words: int) -> NDArray[np.float32]:
        """(V + 1,) of each word, and of those that the matrix does not have."""
        n_weights = n_words + 1
        if self.weighting == "mean":
            return np.ones(n_weights, np.float32)
        rows = [np.minimum(some, n_words) for some in rows]
        if self.weighting == "tfidf":
            n_texts = np.bincount(np.concatenate([np.unique(some) for some in rows]), minlength=n_weights)
            n_texts[n_words] = 0
            return np.asarray(np.log((1 + len(rows)) / (1 + n_texts)) + 1, np.float32)
        counts = self.vectors_.counts
        if counts is None:
            counts = np.bincount(np.concatenate(rows), minlength=n_weights)[:n_words]
        shares = np.append(counts / max(1, counts.sum()), 0)
        return np.asarray(self.smoothing / (self.smoothing + shares), np.float32)

    def _means(self, found: "_Found") -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(N, D) the weighted mean of each text's words, zeros where none is known; (N,) whether one is."""
        matrix = self._vectors().matrix
        n_texts, n_words = len(found.rows), len(matrix)
        columns = np.concatenate(found.rows)
        lengths = np.array([len(some) for some in found.rows], np.int64)
        used, places = np.unique(columns, return_inverse=True)  # SciPy would look at the whole matrix else
        of_used = np.concatenate([matrix[used[used < n_words]], found.composed[used[used >= n_words] - n_words]])
        weights = self.weights_[np.minimum(columns, n_words)]
        starts = np.append(0, np.cumsum(lengths))
        sums = sparse.csr_array((weights, places, starts), shape=(n_texts, len(used))) @ of_used
        totals = np.bincount(np.repeat(np.arange(n_texts), lengths), weights, n_texts)
        is_known = lengths > 0
        means = np.zeros((n_texts, matrix.shape[1]), np.float32)
        means[is_known] = sums[is_known] / totals[is_known, np.newaxis]
        return means, is_known

    def _vectors(self) -> Vectors:
        if not hasattr(self, "vectors_"):  # in another process
            self.vectors_ = _opened_vectors(self.vectors)
        return self.vectors_

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets; vectors that have a path are opened there."""
        state = dict(super().__getstate__())
        if isinstance(self.vectors, str | os.PathLike):
            state.pop("vectors_", None)
        return state

    def __sklearn_clone__(self) -> "WordVectorizer":
        """The same, not fitted; the vectors are shared."""
        twin: WordVectorizer = twin_of(self)
        return twin

    def __sklearn_tags__(self) -> Any:
        """That it takes texts."""
        return of_texts(super().__sklearn_tags__())


class ContextVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc] # untyped
    """Texts as what a network makes of them, (N, D) float32: the sentence vectors of `firth.extract`.

    Args:
        model: A model, or its path.
        layers: A layer, or several made one: `last`, a number, `mean:-4:`, `concat:-2:`.
        pool: A text's vector is the `mean` of its pieces' vectors (of ELMo its words'), that of the piece before it
            that stands for all of it (`cls`), or that of its `last` piece.
        unknown: What a text becomes that has no piece that is known: `zeros` (a warning counts them), the `mean` of the
            training texts, `nan`, or an `error`.
        device: As `firth.extract` has it.
        precision: As `firth.extract` has it.
        threads: As `firth.extract` has it.

    Attributes:
        mean_: (D,) of the training texts; None where `unknown` does not ask for it.

    A text is a string, or a sequence of words.
    """

    def __init__(
        self,
        model: Opened,
        *,
        layers: str | int = "last",
        pool: SentencePool = "mean",
        unknown: Unknown = "zeros",
        device: str | None = None,
        precision: Literal["fp32", "bf16"] = "fp32",
        threads: int | None = None,
    ) -> None:
        """A vectorizer that is not fitted; nothing is opened or looked at yet."""
        self.model = model
        self.layers = layers
        self.pool = pool
        self.unknown = unknown
        self.device = device
        self.precision = precision
        self.threads = threads

    def fit(self, X: Texts, y: object = None) -> "ContextVectorizer":
        """Learns how many numbers a text has; `y` is not looked at.

        Raises:
            InputError: X is no texts, or a parameter is out of its range.
        """
        check_choices(self, pool=SentencePool, unknown=Unknown)
        texts = texts_of(X)
        self._asked = self._prepared()
        self._n_features_out = self._asked.dim
        self.mean_ = None
        if self.unknown == "mean":
            rows, is_known = self._pooled(texts)
            self.mean_ = rows[is_known].mean(axis=0) if is_known.any() else rows[0]
        return self

    def transform(self, X: Texts) -> NDArray[np.float32]:
        """(N, D) a row for each text.

        Raises:
            InputError: X is no texts.
            UnknownWordError: of `error`, a text without a word that has a vector.
        """
        check_is_fitted(self, "_n_features_out")
        texts = texts_of(X)
        check_choices(self, unknown=Unknown)
        if self.unknown == "mean" and self.mean_ is None:
            raise InputError("unknown is 'mean' since after fit, which has learnt no mean: fit again")
        rows, is_known = self._pooled(texts)
        _fill(rows, is_known, texts, self.unknown, self.mean_)
        return rows

    def _prepared(self) -> Extraction:
        """The model, opened, and what is asked of it."""
        asked = prepare(
            self.model,
            unit="sentence",
            layers=self.layers,
            pool=self.pool,
            device=self.device,
            precision=self.precision,
            threads=self.threads,
        )
        if asked.n_layers != 1:
            raise InputError(
                f"layers {printable(repr(self.layers))} are {asked.n_layers}, and a text has one vector: name one "
                "layer, or make one of several, as mean:-4: or concat:-4:"
            )
        return asked

    def _pooled(self, texts: Sequence[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(N, D) the texts' vectors, zeros where there is none; (N,) whether there is one."""
        if not hasattr(self, "_asked"):  # in another process
            self._asked = self._prepared()
        rows = np.zeros((len(texts), self._asked.dim), np.float32)
        is_known = np.zeros(len(texts), np.bool_)
        for number, sentence in enumerate(extracted(self._asked, texts)):
            is_known[number] = not sentence.unknown
            if is_known[number]:
                rows[number] = sentence.array[0, 0]
        return rows, is_known

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets; the model is opened there."""
        state = dict(super().__getstate__())
        state.pop("_asked", None)
        return state

    def __sklearn_clone__(self) -> "ContextVectorizer":
        """The same, not fitted; the model is shared."""
        twin: ContextVectorizer = twin_of(self)
        return twin

    def __sklearn_tags__(self) -> Any:
        """That it takes texts."""
        return of_texts(super().__sklearn_tags__())


def _fill(
    rows: NDArray[np.float32], is_known: NDArray[np.bool_], texts: Sequence[Any], unknown: Unknown, mean: Any
) -> None:
    """Gives the rows of texts without a known word what `unknown` asks for."""
    if is_known.all():
        return
    shown = _shown(texts[int(np.argmin(is_known))])
    if unknown == "error":
        raise UnknownWordError(f"there is no word with a vector in the text '{shown}'")
    if unknown == "zeros":
        warnings.warn(
            f"{int((~is_known).sum()):,} of {len(texts):,} texts have no word with a vector, as '{shown}': they are "
            "zeros (unknown='mean', 'nan' or 'error')",
            stacklevel=3,
        )
    rows[~is_known] = mean if unknown == "mean" else {"zeros": 0.0, "nan": np.nan}[unknown]


def _opened_vectors(vectors: Vectors | Model | str | os.PathLike[str]) -> Vectors:
    if isinstance(vectors, str | os.PathLike):
        return Vectors.load(Path(vectors))
    if isinstance(vectors, Model):
        return vectors.vectors
    if not isinstance(vectors, Vectors):
        raise InputError(f"vectors is a {type(vectors).__name__}; Vectors, a model or a path are due")
    return vectors


class _Found(NamedTuple):
    """The words of texts that have vectors.

    Attributes:
        rows: Of each text (words,): rows of the matrix, and behind its last those of `composed`.
        composed: (words, D) the vectors of words that the matrix does not have, from their n-grams.
    """

    rows: list[NDArray[np.int64]]
    composed: NDArray[np.float32]

    @classmethod
    def of(cls, texts: Sequence[Any], vectors: Vectors) -> "_Found":
        row_of: dict[str, int | None] = {}
        composed: list[NDArray[np.float32]] = []
        rows = []
        cut = _cut([text for text in texts if isinstance(text, str)], vectors.segmentation)
        for text in texts:
            words = next(cut) if isinstance(text, str) else text
            for word in words:
                if word not in row_of:
                    row_of[word] = vectors.row(word) if word in vectors else None
                    if row_of[word] is None and vectors.subwords is not None:
                        with suppress(UnknownWordError):  # no n-gram of it is known
                            composed.append(vectors.from_ngrams(word).vector)
                            row_of[word] = len(vectors) + len(composed) - 1
            rows.append(np.array([row for word in words if (row := row_of[word]) is not None], np.int64))
        return cls(rows, np.array(composed, np.float32).reshape(-1, vectors.dim))


def _cut(texts: Sequence[str], segmentation: Segmentation | None) -> Iterator[Sequence[str]]:
    """The words of each text; many are cut together, which is sooner done."""
    for first in range(0, len(texts), _CUT_TOGETHER):
        some = texts[first : first + _CUT_TOGETHER]
        if segmentation is None:
            yield from (text.split() for text in some)
        elif any("\n" in text for text in some):
            yield from map(segmentation.words, some)
        else:
            split = segmentation.split(segmentation.blanked("".join(f"{text}\n" for text in some)))
            words = split.words()
            yield from (words[begin:end] for begin, end in pairwise([0, *split.line_ends.tolist()]))


def texts_of(X: Any) -> list[Any]:
    """The texts of X, all of them looked at."""
    if isinstance(X, str | bytes):
        raise InputError("X is one string; texts are due, as [text]")
    n_axes = getattr(X, "ndim", 1)
    if n_axes != 1:
        raise InputError(f"X has {n_axes} dimensions; texts are due, one behind the other, as a column is")
    try:
        texts = list(X)
    except TypeError:
        raise InputError(f"X is a {type(X).__name__}; texts are due, as a list of strings") from None
    if not texts:
        raise InputError("X is empty; at least one text is due")
    for number, text in enumerate(texts):
        if isinstance(text, str):
            continue
        if not isinstance(text, list | tuple) or not all(isinstance(word, str) for word in text):
            raise InputError(
                f"text {number} is {printable(repr(text))[:_MOST_SHOWN]}; a string is due, or a list of words"
            )
    return texts


def check_choices(estimator: Any, **choices: Any) -> None:
    """Refuses parameters that are none of the names that their types list."""
    for name, known in choices.items():
        value = getattr(estimator, name)
        if not isinstance(value, str) or value not in get_args(known):
            raise InputError(f"{name} is {printable(repr(value))}; there are {', '.join(get_args(known))}")


def _shown(text: Any) -> str:
    return printable(text if isinstance(text, str) else " ".join(text))[:_MOST_SHOWN]


def twin_of(estimator: Any) -> Any:
    """A copy as `sklearn.base.clone` makes one, but of parameters that are shared."""
    twin = type(estimator)(**estimator.get_params(deep=False))
    for name in ("_metadata_request", "_sklearn_output_config"):
        if hasattr(estimator, name):
            setattr(twin, name, copy.deepcopy(getattr(estimator, name)))
    return twin


def of_texts(tags: Any) -> Any:
    """The tags of what takes texts."""
    tags.input_tags.two_d_array = False
    tags.input_tags.string = True
    tags.target_tags.required = False
    return tags
