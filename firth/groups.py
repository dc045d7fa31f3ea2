"""Words that belong together: which one does not, and whether words fall into their categories.

Pure functions of words, arrays and files, as `evaluation`. Words are compared folded; where several fold alike, the
first (most frequent) of them stands for all.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import neighbours, significance
from firth.clusters import clustered
from firth.errors import FirthError
from firth.evaluation import Fold, fields_of, folded_rows, lines_of, malformed, shown_without
from firth.files import printable


class Group(NamedTuple):
    """Words that belong together, and words that do not belong to them."""

    name: str
    members: tuple[str, ...]
    outliers: tuple[str, ...]


class Category(NamedTuple):
    """A word, and what it is one of."""

    word: str
    category: str


class OutliersResult(NamedTuple):
    """How often the word that does not belong is found, and nearly found; both are nan where nothing was answered.

    A question is a group with one of its outliers.
    """

    accuracy: float
    opp: float  # outlier position percentage, as a share: 1 where every outlier is found
    n_asked: int
    n_answered: int
    unknown: tuple[str, ...]  # in the order met, each once
    positions: tuple[float | None, ...] = ()  # of each question's outlier, 1 where it is found; None unanswered

    def items(self) -> NDArray[np.float64]:
        """(N,) the positions, NaN unanswered: items of `opp`; of `accuracy` they are `items() == 1`, see `found`."""
        return np.array(self.positions, np.float64)

    def found(self) -> NDArray[np.float64]:
        """(N,) 1 where the outlier is found, 0 where not, NaN unanswered: items of `accuracy`."""
        positions = self.items()
        return np.where(np.isnan(positions), np.nan, positions == 1)

    def __repr__(self) -> str:
        """Without what it is of each question."""
        return shown_without(self, "positions")


class CategoriesResult(NamedTuple):
    """How well words fall into their categories by themselves.

    `purity` is the share of words that are of the category which most words of their cluster are of; nan where no
    word is known.
    """

    purity: float
    n_clusters: int  # as many as the known words have categories
    n_asked: int
    n_answered: int
    unknown: tuple[str, ...]  # in the order met, each once
    categories: tuple[int, ...] = ()  # of each word, as numbers in the order met
    clusters: tuple[int | None, ...] = ()  # of each word; None unknown

    def items(self) -> NDArray[np.float64]:
        """(N, 2) category and cluster of each word, the latter NaN where it is not known: items of `purity`."""
        return np.stack([np.array(self.categories, np.float64), np.array(self.clusters, np.float64)], axis=1)

    def __repr__(self) -> str:
        """Without what it is of each word."""
        return shown_without(self, "categories", "clusters")


def read_outliers(path: str | Path) -> list[Group]:
    """The groups of a file as the 8-8-8 set was published, or of every .txt file in a folder: a word a line.

    The words that belong together, an empty line, those that do not. In one file further groups may follow, each under
    a line `: name`; a group without one is called as its file.

    Raises:
        FirthError: it is missing, holds no group, or one is malformed; the line is named.
    """
    path = Path(path)
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    groups = [group for file in files for group in _groups(file)]
    if not groups:
        raise FirthError(f"{printable(str(path))} holds no group: files of words, an empty line, and outliers are due")
    return groups


def read_categories(path: str | Path) -> list[Category]:
    """The words of a file with their categories: a word and its category a line, parted by a tab, a comma or a space.

    Lines that begin with "#" and empty lines are passed over.

    Raises:
        FirthError: it is missing, holds no word, or a line is malformed; it is named by its number.
    """
    path = Path(path)
    found = []
    for line_number, fields in fields_of(path):
        if len(fields) != 2 or not all(fields):
            raise malformed(path, line_number, "a word and its category are due")
        found.append(Category(*fields))
    if not found:
        raise FirthError(f"{printable(str(path))} holds no word: a word and its category a line are due")
    return found


def evaluate_outliers(
    words: Sequence[str],
    array: NDArray[np.float32],
    groups: Iterable[Group],
    *,
    restrict: int | None = None,
    fold: Fold = str.upper,
    others: Mapping[str, NDArray[np.float32]] | None = None,
) -> OutliersResult:
    """How often the word of a group that does not belong is the one least like all others.

    Camacho-Collados & Navigli 2016, "Find the word that does not belong: A Framework for an Intrinsic Evaluation of
    Word Vector Representations", section 2. Leaving out the word that is least like the others in sum leaves the most
    compact group, so that the compactness of equation 1 need not be taken. An outlier's position counts the members
    that are more like the others than it is, and is divided by how many there are. Of several words "New_York" or "New
    York", if not known as one, the vector is the mean of theirs, as in the authors' program. Differs: an unknown word
    is no vector of zeros; an unknown member is left out of its group, and an unknown outlier, or one of a group with
    fewer than two members known, is a question not answered.

    Args:
        words: The vocabulary, the most frequent first.
        array: Their vectors, float32 (word, dim).
        groups: From `read_outliers`.
        restrict: Words looked at, from the top; None takes all.
        fold: Words are equal when their folds are; `str` compares them as they stand.
        others: Vectors (dim,) of words that are not among those looked at, as the groups spell them.
    """
    groups = list(groups)
    known = _Known(words, array, restrict, fold, others)
    positions: list[float | None] = []
    for group in groups:
        vectors = [vector for word in group.members if (vector := known.of(word)) is not None]
        for outlier in group.outliers:
            vector = known.of(outlier)
            is_answered = vector is not None and len(vectors) >= 2
            positions.append(_position([*vectors, vector]) if vector is not None and is_answered else None)
    answered = np.array([position for position in positions if position is not None], np.float64)
    return OutliersResult(
        accuracy=significance.value("accuracy", answered == 1),
        opp=significance.value("opp", answered),
        n_asked=len(positions),
        n_answered=len(answered),
        unknown=known.unknown(word for group in groups for word in (*group.members, *group.outliers)),
        positions=tuple(positions),
    )


def evaluate_categories(
    words: Sequence[str],
    array: NDArray[np.float32],
    categories: Iterable[Category],
    *,
    restrict: int | None = None,
    fold: Fold = str.upper,
    others: Mapping[str, NDArray[np.float32]] | None = None,
    seed: int = 1,
) -> CategoriesResult:
    """How pure the clusters are that words fall into, as many as there are categories.

    Baroni, Dinu & Kruszewski 2014, "Don't count, predict!", section 3.2. Differs: clusters are those of
    `firth.clusters` (spherical k-means, the best of 10 starts), not CLUTO's.

    Args:
        words: The vocabulary, the most frequent first.
        array: Their vectors, float32 (word, dim).
        categories: From `read_categories`. Unknown words are left out.
        restrict: Words looked at, from the top; None takes all.
        fold: Words are equal when their folds are; `str` compares them as they stand.
        others: Vectors (dim,) of words that are not among those looked at, as they are spelt here.
        seed: Decides on the starts.
    """
    asked = list(categories)
    known = _Known(words, array, restrict, fold, others)
    numbers: dict[str, int] = {}
    of_words = tuple(numbers.setdefault(entry.category, len(numbers)) for entry in asked)
    vectors = [known.of(entry.word) for entry in asked]
    there = [vector for vector in vectors if vector is not None]
    answered = [number for number, vector in zip(of_words, vectors, strict=True) if vector is not None]
    labels = clustered(np.stack(there), len(set(answered)), seed=seed).labels.tolist() if there else []
    in_order = iter(labels)
    result = CategoriesResult(
        purity=float("nan"),
        n_clusters=len(set(answered)),
        n_asked=len(asked),
        n_answered=len(answered),
        unknown=known.unknown(entry.word for entry in asked),
        categories=of_words,
        clusters=tuple(None if vector is None else next(in_order) for vector in vectors),
    )
    return result._replace(purity=significance.value("purity", result.items().reshape(-1, 2)))


class _Known:
    """The vectors of words, as they are asked for."""

    def __init__(
        self,
        words: Sequence[str],
        array: NDArray[np.float32],
        restrict: int | None,
        fold: Fold,
        others: Mapping[str, NDArray[np.float32]] | None,
    ) -> None:
        self._rows = folded_rows(words, restrict, fold)
        self._array = array
        self._fold = fold
        self._others = {fold(word): vector for word, vector in (others or {}).items()}

    def of(self, word: str) -> NDArray[np.float32] | None:
        """The vector of a word, or the mean of those it is written of; None where it is not known."""
        whole = self._of_one(word)
        parts = word.replace("_", " ").split()
        if whole is not None or len(parts) < 2:
            return whole
        vectors = [vector for part in parts if (vector := self._of_one(part)) is not None]
        return np.mean(vectors, axis=0, dtype=np.float32) if len(vectors) == len(parts) else None

    def _of_one(self, word: str) -> NDArray[np.float32] | None:
        folded = self._fold(word)
        if folded in self._rows:
            vector: NDArray[np.float32] = self._array[self._rows[folded]]
            return vector
        return self._others.get(folded)

    def unknown(self, words: Iterable[str]) -> tuple[str, ...]:
        """Those that have no vector, each once."""
        return tuple(dict.fromkeys(word for word in words if self.of(word) is None))


def _position(vectors: Sequence[NDArray[np.float32]]) -> float:
    """The share of the members that are more like the others than the last of `vectors`, the outlier, is."""
    units = neighbours.unit(np.stack(vectors)).astype(np.float64)
    sums = units @ units.sum(axis=0) - np.einsum("nd,nd->n", units, units)
    return float(np.count_nonzero(sums[:-1] > sums[-1] + 1e-9) / (len(vectors) - 1))


def _groups(path: Path) -> list[Group]:
    groups: list[Group] = []
    name, members, outliers = path.stem, list[str](), list[str]()
    is_parted = False
    line_number = 0

    def close() -> None:
        if not (members or outliers):
            return
        if len(members) < 2 or not outliers:
            what = f"the group '{name}' has {len(members)} words, an empty line, and {len(outliers)} outliers"
            raise malformed(path, line_number, f"{what}; 2 words and 1 outlier at least are due")
        groups.append(Group(name, tuple(members), tuple(outliers)))

    for line_number, line in lines_of(path):
        word = line.strip()
        if word.startswith(":"):
            close()
            name, members, outliers, is_parted = word.removeprefix(":").strip(), [], [], False
        elif not word:
            is_parted = bool(members)
        elif word in members or word in outliers:
            raise malformed(path, line_number, f"'{word}' stands twice in the group '{name}'")
        elif is_parted:
            outliers.append(word)
        else:
            members.append(word)
    close()
    return groups
