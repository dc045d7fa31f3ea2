"""What words moved between two sets of vectors, as of two periods, and what moves by chance alone.

Two trainings give two spaces that lie anyhow to one another, so the old one is turned onto the new one first, as near
as a turn brings the words that both share (orthogonal Procrustes; Hamilton et al. 2016, "Diachronic Word Embeddings
Reveal Statistical Laws of Semantic Change"). A word has moved by what still parts its two vectors: 1 less their cosine.
Vectors have length 1 first, and their mean is taken away (Schlechtweg et al. 2019, "A Wind of Change").

Another seed, or another half of the same text, moves words too, rare ones most (Dubossarsky et al. 2017, "Outta
Control"). Two models of *one* period, where nothing has changed, tell how far.

Shapes: W words that both share, D dim.
"""

import os
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from firth import neighbours
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.files import printable
from firth.queries import Similar
from firth.vectors import Vectors

Matrix = NDArray[np.float32]
Source: TypeAlias = Vectors | str | os.PathLike[str]

RESTRICT = 30_000
ALIKE = 100  # words of like frequency on either side of a word, whose chance movements say what chance gives
FEWEST_ALIKE = 20
CHANCE_QUANTILE = 0.95
_ROLES = ("the old vectors", "the new ones", "the first by chance", "the second")
WORDS_AT_ONCE = 1 << 12  # whose windows of like frequency are sorted together


class Moved(NamedTuple):
    """A word, how far it moved, and what it stood near before and after.

    Attributes:
        word: As both sets of vectors have it.
        movement: 1 less the cosine of its old vector, turned, and its new one: 0 to 2.
        by_chance: Its movement between the two models of one period; None where these have it not.
        limit: What 95 of 100 words of like frequency stay below between these two; None where too few are known.
        old_count: How often it stood in the old corpus; None where that is not known.
        new_count: And in the new one.
        old_neighbours: The words nearest to it in the old vectors, with their cosines.
        new_neighbours: And in the new ones.
    """

    word: str
    movement: float
    by_chance: float | None
    limit: float | None
    old_count: int | None
    new_count: int | None
    old_neighbours: Similar
    new_neighbours: Similar

    @property
    def within_chance(self) -> bool | None:
        """Whether chance moves it, or words as frequent, as far; None where nothing is known of chance."""
        furthest = _furthest(self.by_chance, self.limit)
        return None if furthest is None else self.movement <= furthest


def change(
    old: Source,
    new: Source,
    words: Sequence[str] = (),
    *,
    chance: tuple[Source, Source] | None = None,
    layer: int | None = None,
    topn: int = 20,
    n_neighbours: int = 5,
    restrict: int | None = RESTRICT,
) -> list[Moved]:
    """The words that moved most between two sets of vectors, the furthest first; or the words asked for, in order.

    Where it is known what chance moves, the furthest for that: rare words move far by chance, frequent ones little.

    Args:
        old: Vectors, or what `Vectors.load` reads.
        new: The same of another text. Both have the same dim.
        words: Those asked for; without any, the `topn` that moved most.
        chance: Two models of one period, trained alike on random halves of its text: what parts them is chance. Two
            seeds on one text part far less than two texts of one period do (docs/decisions/0014), so that nearly every
            word seems to have moved.
        layer: The layer compared; None is the last one, which must be the same of all.
        topn: How many words to give.
        n_neighbours: How many neighbours of each.
        restrict: How many of the shared words that are most frequent in both take part; None takes all. Neighbours are
            sought among as many of each one's own.

    Raises:
        UnknownWordError: a word that one of the two lacks.
        FirthError: fewer shared words than `dim`, among which a turn can make anything equal.
        UsageError: another dim, no such layer, or last layers that differ.
    """
    before, after, *by_chance = _of_one_layer([old, new, *(chance or ())], layer)
    alignment = align(before, after, restrict=restrict)
    chances = _Chances.of(alignment, (by_chance[0], by_chance[1]) if by_chance else None, restrict)
    if words:
        rows = [(_row(before, word, "old"), _row(after, word, "new")) for word in words]
    else:
        strengths = alignment.movements if chance is None else chances.strengths(alignment)
        furthest = neighbours.best(strengths.astype(np.float32), max(0, topn))
        rows = [(int(alignment.old_rows[place]), int(alignment.new_rows[place])) for place in furthest]
    if not rows:
        return []
    movements = alignment.between([row for row, _ in rows], [row for _, row in rows])
    old_words, new_words = [before.words[row] for row, _ in rows], [after.words[row] for _, row in rows]
    old_neighbours = before.similar_by_words(old_words, n_neighbours, _at_most(restrict, before))
    new_neighbours = after.similar_by_words(new_words, n_neighbours, _at_most(restrict, after))
    return [
        Moved(
            word=new_words[place],
            movement=float(movements[place]),
            by_chance=chances.of_word(new_words[place]),
            limit=chances.limit(max(old_row, new_row)),
            old_count=None if before.counts is None else int(before.counts[old_row]),
            new_count=None if after.counts is None else int(after.counts[new_row]),
            old_neighbours=old_neighbours[place],
            new_neighbours=new_neighbours[place],
        )
        for place, (old_row, new_row) in enumerate(rows)
    ]


class Alignment(NamedTuple):
    """Two sets of vectors of one layer, and the turn that lays the old one on the new one.

    Attributes:
        old: The old vectors, whose matrix is the layer compared.
        new: The new ones.
        old_rows: Int64 (W,), the rows of the shared words in `old`, those that are frequent in both first.
        new_rows: And in `new`.
        old_mean: (D,) the mean of the old vectors of length 1.
        new_mean: And of the new ones.
        rotation: Float64 (D, D): an old vector times it lies where the new one is due.
        movements: Float64 (W,), 1 less the cosines.
    """

    old: Vectors
    new: Vectors
    old_rows: NDArray[np.int64]
    new_rows: NDArray[np.int64]
    old_mean: Matrix
    new_mean: Matrix
    rotation: NDArray[np.float64]
    movements: NDArray[np.float64]

    def between(self, old_rows: Sequence[int], new_rows: Sequence[int]) -> NDArray[np.float64]:
        """How far each old row is from the new row beside it."""
        old = _placed(self.old.matrix[old_rows], self.old_mean)
        new = _placed(self.new.matrix[new_rows], self.new_mean)
        return _distances(old @ self.rotation, new)


def align(old: Vectors, new: Vectors, *, restrict: int | None = RESTRICT) -> Alignment:
    """The turn of `old` that brings the shared words nearest to where `new` has them, and what still parts each.

    Schönemann 1966, "A Generalized Solution of the Orthogonal Procrustes Problem": of all orthogonal matrices Q the one
    that makes the squares of `old Q - new` least is `U V'`, where `U S V'` is the singular value decomposition of
    `old' new`. A vector of zeros points nowhere, and takes no part.

    Raises:
        FirthError: fewer shared words than D, or a vector that is not finite.
        UsageError: they differ in dim.
    """
    if old.dim != new.dim:
        raise UsageError(f"the old vectors have dim {old.dim}, the new ones {new.dim}; a turn needs the same")
    old_rows, new_rows = _shared(old, new, restrict)
    if len(old_rows) < old.dim:
        raise FirthError(
            f"{len(old_rows):,} words are shared, and dim is {old.dim}: a turn makes any {old.dim} words agree, so "
            "that at least as many are due, and many more to learn something"
        )
    old_units, new_units = neighbours.unit(old.matrix[old_rows]), neighbours.unit(new.matrix[new_rows])
    old_mean, new_mean = old_units.mean(axis=0), new_units.mean(axis=0)
    from_, to = _placed(old_units, old_mean), _placed(new_units, new_mean)
    left, _, right = np.linalg.svd(from_.T.astype(np.float64) @ to)
    rotation = left @ right
    return Alignment(old, new, old_rows, new_rows, old_mean, new_mean, rotation, _distances(from_ @ rotation, to))


class _Chances(NamedTuple):
    """What is known of movement by chance, for words by their frequency in the vectors that are compared."""

    of_words: dict[str, float]
    ranks: Sequence[int]  # (W,) of the shared words: the row in the one in which a word is rarer; ascending
    distances: NDArray[np.float64]  # (W,) their movements by chance, NaN where that is not known

    @classmethod
    def of(cls, alignment: Alignment, chance: tuple[Vectors, Vectors] | None, restrict: int | None) -> "_Chances":
        if chance is None:
            return cls({}, [], np.empty(0))
        found = align(*chance, restrict=restrict)
        of_words = dict(zip((found.new.words[row] for row in found.new_rows), found.movements.tolist(), strict=True))
        words = [alignment.new.words[row] for row in alignment.new_rows]
        ranks = np.maximum(alignment.old_rows, alignment.new_rows).tolist()
        return cls(of_words, ranks, np.array([of_words.get(word, np.nan) for word in words]))

    def of_word(self, word: str) -> float | None:
        return self.of_words.get(word)

    def limit(self, rank: int) -> float | None:
        if not len(self.distances):
            return None
        place = bisect_left(self.ranks, rank)
        limit = _limits(self.distances[max(0, place - ALIKE) : place + ALIKE + 1][np.newaxis])[0]
        return None if np.isnan(limit) else float(limit)

    def strengths(self, alignment: Alignment) -> NDArray[np.float64]:
        """(W,) how far each word moved, in units of the furthest that chance moves it; 0 where that is not known."""
        around = np.pad(self.distances, ALIKE, constant_values=np.nan)
        alike = np.lib.stride_tricks.sliding_window_view(around, 2 * ALIKE + 1)  # (W, 2 ALIKE + 1)
        places = np.searchsorted(self.ranks, self.ranks)
        limits = [
            _limits(alike[places[start : start + WORDS_AT_ONCE]]) for start in range(0, len(places), WORDS_AT_ONCE)
        ]
        furthest = np.fmax(self.distances, np.concatenate(limits))  # of NaN and a number the number
        return alignment.movements / np.where(furthest > 0, furthest, np.inf)


def _limits(alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) the quantile CHANCE_QUANTILE of each row's numbers; NaN where they are too few. (n, m), NaN of none."""
    ordered = np.sort(alike, axis=1)  # NaN behind all numbers
    n_known = (~np.isnan(ordered)).sum(axis=1)
    places = CHANCE_QUANTILE * np.maximum(0, n_known - 1)
    below = np.floor(places).astype(np.int64)
    rows = np.arange(len(ordered))
    first, second = ordered[rows, below], ordered[rows, np.minimum(below + 1, np.maximum(0, n_known - 1))]
    return np.where(n_known >= FEWEST_ALIKE, first + (places - below) * (second - first), np.nan)


def _furthest(*distances: float | None) -> float | None:
    return max((distance for distance in distances if distance is not None), default=None)


def _of_one_layer(sources: Sequence[Source], layer: int | None) -> list[Vectors]:
    """One layer of each: the one asked for, or their last.

    Raises:
        UsageError: their last ones are not the same. One matrix that tells no layer may be compared with any.
    """
    loaded = [source if isinstance(source, Vectors) else Vectors.load(Path(source)) for source in sources]
    if layer is None:
        told = [vectors.n_layers > 1 or not {"layer", "layers"}.isdisjoint(vectors.provenance) for vectors in loaded]
        lasts = {
            name: vectors.layer_numbers[-1]
            for name, vectors, is_told in zip(_ROLES, loaded, told, strict=False)
            if is_told
        }
        if len(set(lasts.values())) > 1:
            shown = ", ".join(f"that of {name} is {number}" for name, number in lasts.items())
            raise UsageError(f"the last layers are not the same ({shown}): name one that all have (layer=, --layer)")
    return [vectors.layer(vectors.layer_numbers[-1] if layer is None else layer) for vectors in loaded]


def _shared(old: Vectors, new: Vectors, restrict: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows of the words that both have, spelt alike, in order of the row in which a word is rarer."""
    row_of = {word: row for row, word in enumerate(new.words)}
    pairs = np.array([(row, row_of[word]) for row, word in enumerate(old.words) if word in row_of], np.int64)
    pairs = pairs.reshape(-1, 2)
    pairs = pairs[np.argsort(pairs.max(axis=1), kind="stable")][:restrict]
    points = _has_direction(old, pairs[:, 0], "old") & _has_direction(new, pairs[:, 1], "new")
    return pairs[points, 0], pairs[points, 1]


def _has_direction(vectors: Vectors, rows: NDArray[np.int64], which: str) -> NDArray[np.bool_]:
    lengths = neighbours.norms(vectors.matrix[rows])
    finite = np.isfinite(lengths)
    if not finite.all():
        word = printable(vectors.words[rows[finite.argmin()]])
        raise FirthError(f"in the {which} vectors, that of '{word}' holds a number that is not finite, or too large")
    return lengths > 0


def _placed(vectors: Matrix, mean: Matrix) -> Matrix:
    """Directions seen from the mean."""
    return neighbours.unit(neighbours.unit(vectors) - mean)


def _distances(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    """1 less the cosine of each row of the one with that of the other; rows have length 1."""
    cosines = np.einsum("wd,wd->w", first, second, dtype=np.float64)
    distances: NDArray[np.float64] = (1 - cosines).clip(0, 2)  # rounding goes beyond
    return distances


def _row(vectors: Vectors, word: str, which: str) -> int:
    try:
        row = vectors.row(word)
    except UnknownWordError as error:
        raise UnknownWordError(f"in the {which} vectors, {error}") from None
    if not vectors.matrix[row].any():
        raise FirthError(f"in the {which} vectors, '{printable(word)}' is all zeros, which points nowhere")
    return row


def _at_most(restrict: int | None, vectors: Vectors) -> int | None:
    return None if restrict is None else min(restrict, len(vectors))
