"""Vectors made better to compare: centre, remove the strongest components, whiten, reduce the dimension, normalise.

And smaller: quantise rounds them to what a byte a number tells.

Each function takes `Vectors` and returns new ones; each layer is treated by itself; what was done stands in the
provenance, under "postprocessing", one entry a step, in order. Means and covariances are over the rows, every word with
the same weight, and computed in float64 by blocks of rows.

Shapes: L layers, R rows, D dim. A component is an eigenvector of a layer's covariance (D, D), the strongest first.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import neighbours, quantisation
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.vectors import Vectors

Matrix = NDArray[np.float32]
Exact = NDArray[np.float64]

ROWS_AT_ONCE = 16_384
NO_VARIANCE = 1e-10  # of the strongest component's: rounding to float32 leaves less in a direction that was removed
DIM_TO_REMOVED = 100  # Mu and Viswanath's rule of thumb: a component in a hundred dimensions


class NoComponentsError(FirthError):
    """Vectors that are all the same: they vary in no direction."""


STEPS = ("centre", "remove-components[=N]", "whiten", "reduce-dim=DIM", "normalise", "quantise")


def postprocess(vectors: Vectors, steps: Sequence[str]) -> Vectors:
    """`vectors` after the steps, in their order, such as ["remove-components=2", "reduce-dim=100", "normalise"].

    Raises:
        UsageError: a step that there is not, a number that does not fit, or no step.
        FirthError: a vector that is not finite, or vectors that are all the same.
    """
    if not steps:
        raise UsageError(f"no step was given; there are {', '.join(STEPS)}")
    for take in [_step(written) for written in steps]:  # all are read before the first works
        vectors = take(vectors)
    return vectors


def _step(written: str) -> Callable[[Vectors], Vectors]:
    """What a step as users write it does."""
    name, _, number = written.strip().partition("=")
    if number and not (number.isascii() and number.isdigit()):
        raise UsageError(f"step '{printable(written)}': '{printable(number)}' is no whole number")
    match name, number:
        case "centre", "":
            return centre
        case "remove-components", _:
            return lambda vectors: remove_components(vectors, int(number) if number else None)
        case "whiten", "":
            return whiten
        case "reduce-dim", _ if number:
            return lambda vectors: reduce_dim(vectors, int(number))
        case "normalise", "":
            return normalise
        case "quantise", "":
            return quantise
    raise UsageError(f"'{printable(written)}' is no step; there are {', '.join(STEPS)}")


def centre(vectors: Vectors) -> Vectors:
    """Every vector less the mean of all."""
    array = np.empty_like(vectors.array)
    for layer in range(vectors.n_layers):
        mean = _mean(vectors, layer)
        for rows in _rows(len(vectors)):
            array[layer, rows] = vectors.array[layer, rows] - mean
    return _with(vectors, array, {"step": "centre"})


def remove_components(vectors: Vectors, n: int | None = None) -> Vectors:
    """Every vector less the mean of all, and less its part along the `n` strongest components.

    Mu and Viswanath 2018, "All-but-the-Top: Simple and Effective Postprocessing for Word Representations". What all
    words share, and what follows their frequency, stands in few directions; cosines tell more without these.
    Raunak et al. 2019 reduce the dimension between two removals: "remove-components=7", "reduce-dim=150",
    "remove-components=7".

    Args:
        vectors: They keep their dim.
        n: How many; None is the paper's rule, D / 100, and at least 1.
    """
    chosen = max(1, round(vectors.dim / DIM_TO_REMOVED)) if n is None else n
    if not 1 <= chosen < vectors.dim:
        raise UsageError(
            f"{chosen} components to remove, of vectors of dim {vectors.dim}: 1 to {vectors.dim - 1} can be"
        )

    def projection(strengths: Exact, components: Exact) -> _Map:
        top = components[:, :chosen]
        return _Map(np.eye(vectors.dim) - top @ top.T, {"variance_removed": _share(strengths, chosen)})

    return _mapped(vectors, {"step": "remove-components", "n": chosen}, projection)


def whiten(vectors: Vectors) -> Vectors:
    """Vectors of mean 0 and variance 1 in every direction, without correlations, as near to the centred as can be.

    The centred vectors times the inverse square root of their covariance, which turns no axis more than it must
    (Kessy et al. 2018, "Optimal Whitening and Decorrelation", ZCA). A direction in which the vectors do not vary stays
    without variance; how many vary is told as "directions".
    """

    def whitening(strengths: Exact, components: Exact) -> _Map:
        varies = strengths > NO_VARIANCE * strengths[0]
        scaled = components[:, varies] / np.sqrt(strengths[varies])
        return _Map(scaled @ components[:, varies].T, {"directions": int(varies.sum())})

    return _mapped(vectors, {"step": "whiten"}, whitening)


def reduce_dim(vectors: Vectors, dim: int) -> Vectors:
    """Vectors of `dim` numbers: the places of the centred ones along the strongest components, the strongest first.

    Pearson 1901's principal components: no other linear map to as many numbers keeps more of the variance. The share
    kept is told as "variance_kept". A component's sign is such that its largest number is positive.
    """
    if not 1 <= dim <= vectors.dim:
        raise UsageError(f"dim {dim} asked of vectors of dim {vectors.dim}: 1 to {vectors.dim} can be")

    def projection(strengths: Exact, components: Exact) -> _Map:
        return _Map(components[:, :dim], {"variance_kept": _share(strengths, dim)})

    return _mapped(vectors, {"step": "reduce-dim", "dim": dim}, projection)


def normalise(vectors: Vectors) -> Vectors:
    """Every vector scaled to length 1; those of zeros stay."""
    array = np.empty_like(vectors.array)
    for layer in range(vectors.n_layers):
        for rows in _rows(len(vectors)):
            array[layer, rows] = neighbours.unit(vectors.array[layer, rows])
    return _with(vectors, array, {"step": "normalise"})


def quantise(vectors: Vectors) -> Vectors:
    """Every number rounded to one of 255 steps between the largest of its row and its negative.

    That is what a directory of precision int8 holds, in a byte a number (`Vectors.save(path, precision="int8")`, `firth
    convert --precision int8`): these vectors, saved so, come back as they are, but for rounding. No number moves by
    more than 1/254 of the largest of its row.

    Raises:
        FirthError: a number is not finite.
    """
    array = np.empty_like(vectors.array)
    for layer in range(vectors.n_layers):
        for rows in _rows(len(vectors)):
            array[layer, rows] = quantisation.restored(quantisation.quantised(vectors.array[layer, rows]))
    return _with(vectors, array, dict(quantisation.STEP))


# --- components


class _Components(NamedTuple):
    """The components of one layer, the strongest first."""

    mean: Exact  # (D,) of the rows
    strengths: Exact  # (D,) the variance along each component
    components: Exact  # (D, D) a component a column


class _Map(NamedTuple):
    """What a step does to a layer's centred vectors: a matrix (D, new dim), and figures of it for the provenance."""

    matrix: Exact
    figures: dict[str, Any]


def _mapped(vectors: Vectors, about: dict[str, Any], map_of: Callable[[Exact, Exact], _Map]) -> Vectors:
    """`vectors`, each layer centred and multiplied by what `map_of` makes of its strengths and components."""
    layers, figures = [], []
    for layer in range(vectors.n_layers):
        found = _components(vectors, layer)
        matrix, told = map_of(found.strengths, found.components)
        mapped = np.empty((len(vectors), matrix.shape[1]), np.float32)
        for rows in _rows(len(vectors)):
            mapped[rows] = (vectors.array[layer, rows] - found.mean) @ matrix
        layers.append(mapped)
        figures.append(told)
    of_layers = {name: [told[name] for told in figures] for name in figures[0]}
    array = layers[0][np.newaxis] if len(layers) == 1 else np.stack(layers)
    return _with(vectors, array, about | of_layers)


def _with(vectors: Vectors, array: Matrix, about: dict[str, Any]) -> Vectors:
    """The same words with other vectors, whose provenance has one step more."""
    steps = [*vectors.provenance.get("postprocessing", []), about]
    return Vectors(
        vectors.words,
        array,
        counts=vectors.counts,
        segmentation=vectors.segmentation,
        provenance=vectors.provenance | {"postprocessing": steps},
        contexts=vectors.contexts,
    )


def _components(vectors: Vectors, layer: int) -> _Components:
    mean = _mean(vectors, layer)
    covariance = np.zeros((vectors.dim, vectors.dim))
    for rows in _rows(len(vectors)):
        centred = vectors.array[layer, rows] - mean
        covariance += centred.T @ centred
    strengths, components = np.linalg.eigh(covariance / len(vectors))
    strengths, components = strengths[::-1].clip(min=0), components[:, ::-1]
    if strengths[0] <= np.finfo(np.float32).eps ** 2 * (mean @ mean):
        raise NoComponentsError(f"the vectors of layer {layer} are all the same; words that differ have components")
    largest = np.abs(components).argmax(axis=0)
    return _Components(mean, strengths, components * np.sign(components[largest, np.arange(vectors.dim)]))


def _mean(vectors: Vectors, layer: int) -> Exact:
    matrix = vectors.array[layer]
    total = np.zeros(vectors.dim)
    with np.errstate(invalid="ignore"):
        for rows in _rows(len(vectors)):
            total += matrix[rows].sum(axis=0, dtype=np.float64)
    if not np.isfinite(total).all():
        word = vectors.words[int(np.isfinite(matrix).all(axis=1).argmin())]
        raise FirthError(f"the vector of '{printable(word)}' in layer {layer} holds a number that is not finite")
    return total / len(vectors)


def _share(strengths: Exact, n: int) -> float:
    """The share of the variance that the first `n` components have."""
    return round(float(strengths[:n].sum() / strengths.sum()), 6)


def _rows(n: int) -> Iterator[slice]:
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, n, ROWS_AT_ONCE))
