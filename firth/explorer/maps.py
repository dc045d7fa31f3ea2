"""Maps of a vocabulary: the most frequent words as points, by principal components, or by UMAP where asked for.

What UMAP makes takes minutes, so it is kept in a folder `maps` beside the model, under a name that says which vectors,
how many of them and which seed it is of; where nothing can be written there, it is kept in the cache.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import cache
from firth.errors import FirthError
from firth.explorer.pictures import NEIGHBOURS, Picture, of_one_size, principal, trustworthiness, turned
from firth.explorer.pictures import Matrix as Points
from firth.explorer.shelf import Matrix
from firth.formats import safetensors
from firth.neighbours import unit
from firth.progress import Progress
from firth.vectors import Vectors

Method = Literal["pca", "umap"]

MOST: Final = 50_000
"""Words of a map."""
SEED: Final = 1
"""Of UMAP, and of the sample that a map is judged by."""
FOLDER: Final = "maps"

_PROGRESS: Final = re.compile(r"(\d+)/(\d+)")


class Map(NamedTuple):
    """Words in the plane.

    Attributes:
        words: n of them, the first rows of the vectors.
        counts: How often each occurred; None where that is not known.
        points: (n, 2) float32 within -1 to 1.
        explained: The shares of the variance that two principal components have; None of UMAP.
    """

    words: Sequence[str]
    counts: NDArray[np.int64] | None
    points: Points
    explained: tuple[float, float] | None

    @property
    def n_bytes(self) -> int:
        """What its points take in memory; the words are the vectors' own."""
        return self.points.nbytes + 8 * len(self.points)


def by_components(vectors: Vectors, n: int) -> Map:
    """The map of the first n words by principal components of their directions."""
    rows = unit(np.asarray(vectors.matrix[:n]))
    picture = principal(rows)
    return _map(vectors, n, picture)


def by_umap(matrix: Matrix, n: int, progress: Progress, *, cache_dir: Path | None = None) -> Map:
    """The map by UMAP with the cosine (McInnes et al. 2018), as it is kept, or made now and kept.

    Args:
        matrix: Of which the first n words are shown.
        n: How many.
        progress: Shows how far it is.
        cache_dir: The cache's place, for a model beside which nothing can be written.

    Raises:
        FirthError: umap-learn is not installed.
    """
    vectors = matrix.vectors
    kept = _kept_at(matrix, n, cache_dir)
    for place in kept:
        if (points := _read(place, min(n, len(vectors)))) is not None:
            return _map(vectors, n, Picture(points, (0.0, 0.0)))._replace(explained=None)
    with progress.stage("drawing the map by UMAP") as advance:
        points = _umap(unit(np.asarray(vectors.matrix[:n])), lambda done: advance(done, 0))
    for place in kept:
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            safetensors.write(place, {"points": points})
            break
        except (OSError, FirthError):
            continue
    return _map(vectors, n, Picture(points, (0.0, 0.0)))._replace(explained=None)


def is_kept(matrix: Matrix, n: int, *, cache_dir: Path | None = None) -> bool:
    """Whether the map by UMAP was made already."""
    return any(place.is_file() for place in _kept_at(matrix, n, cache_dir))


def judged(vectors: Vectors, found: Map) -> float | None:
    """How far neighbours in a map are neighbours in the full space; see `pictures.trustworthiness`."""
    return trustworthiness(vectors.matrix[: len(found.points)], found.points, seed=SEED)


def onto(found: Map, other: Map) -> Map:
    """A map turned onto another one, by the words that both have; as it is where they share fewer than three."""
    rows = {word: row for row, word in enumerate(other.words)}
    pairs = [(row, rows[word]) for row, word in enumerate(found.words) if word in rows]
    if len(pairs) < 3:
        return found
    own, others = np.array(pairs).T
    points = turned(found.points, found.points[own], other.points[others])
    return found._replace(points=points.clip(-1, 1))


def python(matrix: Matrix, method: Method, n: int, onto: tuple[Matrix, Method, int] | None = None) -> str:
    """What makes the same map in Python, turned onto another one where one is named."""
    lines = ["from firth.explorer import maps", f"points = {_made_by(matrix, method, n)}.points"]
    if onto is not None:
        lines[1:] = [
            f"found = {_made_by(matrix, method, n)}",
            f"points = maps.onto(found, {_made_by(*onto)}).points",
        ]
    if method == "umap" or (onto is not None and onto[1] == "umap"):
        lines[:1] = ["from firth.explorer import maps, shelf", "from firth.progress import Silent"]
    return "\n".join(lines)


def _made_by(matrix: Matrix, method: Method, n: int) -> str:
    if method == "pca":
        return f"maps.by_components({matrix.python}, {n})"
    return f"maps.by_umap(shelf.Shelf([{matrix.model.name!r}]).matrix({matrix.name!r}), {n}, Silent())"


def has_umap() -> bool:
    """Whether umap-learn is installed."""
    from importlib.util import find_spec

    return find_spec("umap") is not None


def _map(vectors: Vectors, n: int, picture: Picture) -> Map:
    counts = None if vectors.counts is None else vectors.counts[:n]
    return Map(vectors.words[:n], counts, _within(picture.points), picture.explained)


def _within(points: Points) -> Points:
    """Points within -1 to 1; a few that lie far off do not make the others a dot: they are brought to the edge."""
    size = float(np.quantile(np.abs(points), 0.999)) if len(points) else 1.0
    scaled: Points = (points / (size if size > 0 else 1.0)).clip(-1, 1).astype(np.float32)
    return scaled


def _umap(rows: NDArray[np.float32], advance: Callable[[float | None], object]) -> Points:
    try:
        import umap
    except ImportError:
        raise FirthError("a map by UMAP needs umap-learn, which is not installed: pip install 'firth[umap]'") from None
    import warnings

    class Watched:
        """A file that reads UMAP's progress."""

        def write(self, text: str) -> int:
            if found := _PROGRESS.search(text):
                advance(int(found[1]) / max(1, int(found[2])))
            return len(text)

        def flush(self) -> None:
            """There is nothing to flush."""

    advance(None)
    reduction = umap.UMAP(
        n_components=2,
        n_neighbors=min(NEIGHBOURS, max(2, len(rows) - 1)),
        metric="cosine",
        random_state=SEED,
        n_jobs=1,
        tqdm_kwds={"file": Watched(), "bar_format": "{n_fmt}/{total_fmt} ", "mininterval": 0.5, "disable": False},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return of_one_size(np.asarray(reduction.fit_transform(rows), np.float32))


def _kept_at(matrix: Matrix, n: int, cache_dir: Path | None) -> list[Path]:
    """Where the points of a map are kept: beside the model, or in the cache."""
    name = f"umap-{matrix.layer}-{n}-{SEED}-{_digest(matrix.vectors, n)}.safetensors"
    path = matrix.model.path
    beside = path / FOLDER if path.is_dir() else path.with_name(f"{path.name}.{FOLDER}")
    places = [beside / name] if os.access(path.parent if path.is_file() else path, os.W_OK) else []
    return [*places, cache.place(cache_dir) / FOLDER / name]


@lru_cache(64)
def _digest(vectors: Vectors, n: int) -> str:
    return hashlib.blake2b(np.ascontiguousarray(vectors.matrix[:n]).data, digest_size=8).hexdigest()


def _read(place: Path, n: int) -> Points | None:
    if not place.is_file():
        return None
    try:
        points: Any = safetensors.read(place).get("points")
    except FirthError:
        return None
    is_whole = points is not None and points.shape == (n, 2) and points.dtype == np.float32
    return np.array(points) if is_whole and np.isfinite(points).all() else None
