"""Static vectors on sets of questions: scores with intervals, best layers, differences, neighbours side by side.

All of it is of the words that every model of a seed knows, so that a small vocabulary gains nothing; who knows how much
of a set is told beside. A model answers the questions once (`answers`, `nearest`); all that is told of it and the
others is made of the answers (`grade`), for which no model is needed any more. A model of several layers is judged by
one of them, which is chosen on half of a set's items and scored on the other half: the best of many on the very items
that are reported would be too good.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import significance
from firth.errors import FirthError
from firth.measures import METHODS, measured
from firth.sets import Kind
from firth.vectors import Vectors

N_NEIGHBOURS: Final = 10
SAMPLES: Final = 10_000
"""Of the bootstrap behind differences, whose p is corrected for many comparisons: the smallest is to be known well."""
LEAST_KNOWN: Final = 0.5
"""Of the words, that a model has to know to be scored by them with the others."""
SAMPLES_OF_LAYER: Final = 1_000
"""Behind the interval of each layer's score, on which nothing is decided."""
_WHOLE: Final = frozenset({"use", "language"})
"""What is measured of a model, not of one of its layers."""
_SIDE: Final = frozenset({"section", "category", "topic", "name", "title"})
_RANKS: Final = (200, 2000)  # among the frequent words, between which those shown are looked for

Key = tuple[str, str, str, str | None]  # kind, set, measure, method
Answers = Mapping[tuple[Key, int], NDArray[np.float64]]  # items by that and by layer
_OfKey = Mapping[str, Mapping[int, Mapping[int, NDArray[np.float64]]]]  # items by variant, layer and seed


class Questions(NamedTuple):
    """An evaluation set, read.

    Attributes:
        name: What the report calls it.
        kind: `similarity`, `analogy`, `outliers` or `categories`.
        questions: As its reader gives them.
    """

    name: str
    kind: Kind
    questions: Sequence[Any]


class Answered(NamedTuple):
    """What a model answered: one variant with one seed.

    Attributes:
        variant: Its name.
        seed: Of its training.
        answers: Of all sets.
    """

    variant: str
    seed: int
    answers: Answers


@dataclass
class Grades:
    """What was found, as the report has it: lists of JSON objects.

    Attributes:
        scores: Of each run, layer and set.
        coverage: How much of each set a variant knows.
        best_layers: Of each variant, seed and set, with the score on the half it was not chosen by.
        differences: Of all pairs of variants on each set.
        neighbours: Of chosen words, by variant and layer.
        overlaps: Of these, between variants.
        missing: What could not be graded, in sentences.
        n_words: How many words all models of a seed know, of each seed.
    """

    scores: list[dict[str, Any]] = field(default_factory=list)
    coverage: list[dict[str, Any]] = field(default_factory=list)
    best_layers: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    neighbours: list[dict[str, Any]] = field(default_factory=list)
    overlaps: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    n_words: list[int] = field(default_factory=list)


# --- what is asked of a model


def in_common(
    known: Mapping[str, NDArray[np.bool_]], frequent: Sequence[str], seed: int
) -> tuple[list[str], list[str], list[str]]:
    """The words that all models of a seed know, the names of these models, and who is left out, in sentences.

    Left out are those that know less than half of the words: they would leave the rest little to be scored by.

    Args:
        known: Which of the words each knows (R,).
        frequent: The words, by falling frequency: candidates for answers.
        seed: It.

    Raises:
        FirthError: they have no word in common.
    """
    missing = []
    kept = {}
    for name, knows in known.items():
        if (n_known := int(knows.sum())) >= LEAST_KNOWN * len(frequent):
            kept[name] = knows
            continue
        missing.append(
            f"{name}, seed {seed}, has vectors of {n_known:,} of the {len(frequent):,} words alone, and is not scored "
            "by words"
        )
    everyone = np.all([*kept.values()], axis=0) if kept else np.zeros(len(frequent), np.bool_)
    words = [frequent[int(place)] for place in np.flatnonzero(everyone)]
    if not words:
        raise FirthError("the models that are compared have no word in common")
    return words, [*kept], missing


def coverage(vectors: Vectors, sets: Sequence[Questions]) -> list[dict[str, Any]]:
    """How much of each set a model could answer by its own words."""
    found = []
    for asked in sets:
        needed = {word.upper() for question in asked.questions for word in words_of(question)}
        words = [word for word in vectors.words if word.upper() in needed] or vectors.words[:1]
        own = Vectors(words, _rows(vectors, words)[-1])
        one = measured(own, asked.kind, asked.questions, methods=METHODS[:1], restrict=None)[0]
        found.append({"set": asked.name, "n_items": one.n_items, "n_known": one.n_known})
    return found


def answers(vectors: Vectors, words: Sequence[str], sets: Sequence[Questions]) -> dict[tuple[Key, int], Any]:
    """The items of each set and layer, of these words alone; none of a set that they answer nothing of."""
    found: dict[tuple[Key, int], Any] = {}
    for layer, matrix in zip(vectors.layer_numbers, _rows(vectors, words), strict=True):
        graded = Vectors(words, matrix)
        for asked in sets:
            for one in measured(graded, asked.kind, asked.questions, restrict=None):
                if not one.n_known:
                    continue
                items = significance.in_majority(one.items) if one.measure == "purity" else one.items
                found[(asked.kind, asked.name, one.measure, one.method), layer] = np.asarray(items, np.float64)
    return found


def nearest(vectors: Vectors, words: Sequence[str], shown: Sequence[str]) -> list[dict[str, Any]]:
    """The neighbours of some of the words among these words, in each layer."""
    return [
        {
            "word": word,
            "layer": layer,
            "neighbours": [[name, float(cosine)] for name, cosine in graded.most_similar(word, topn=N_NEIGHBOURS)],
        }
        for layer, matrix in zip(vectors.layer_numbers, _rows(vectors, words), strict=True)
        for graded in [Vectors(words, matrix)]
        for word in shown
    ]


def _rows(vectors: Vectors, words: Sequence[str]) -> NDArray[np.float32]:
    """(layer, word, dim) of some words."""
    rows = np.array([vectors.row(word) for word in words])
    return np.ascontiguousarray(vectors.array[:, rows])


def words_of(question: Any) -> Iterator[str]:
    """The words of a question, whatever kind it is of."""
    names = getattr(question, "_fields", range(len(question)))
    for name, value in zip(names, question, strict=True):
        if name in _SIDE:
            continue
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple | list):
            yield from (word for word in value if isinstance(word, str))


def chosen_words(sets: Sequence[Questions], words: Sequence[str], n: int = 6) -> list[str]:
    """Words to show neighbours of: some that the similarity sets ask for, neither rare nor very frequent."""
    asked = {word.lower() for one in sets if one.kind == "similarity" for item in one.questions for word in item[:2]}
    first, last = (min(rank, len(words) // 10) if rank == _RANKS[0] else rank for rank in _RANKS)
    among = [word for word in words[first:last] if not asked or word.lower() in asked] or list(words[first:last])
    step = max(1, len(among) // n)
    return among[::step][:n]


# --- what is made of the answers


def grade(
    answered: Sequence[Answered], sets: Sequence[Questions], *, n_samples: int = SAMPLES, seed: int = 1
) -> Grades:
    """How models do on sets of questions, of what they answered.

    Args:
        answered: Of each model, the random table among them.
        sets: What was asked.
        n_samples: Of the bootstrap.
        seed: Of it, and of the halves that layers are chosen on.
    """
    found = Grades()
    by_key: dict[Key, dict[str, dict[int, dict[int, NDArray[np.float64]]]]] = {}
    for one in answered:
        for (key, layer), items in one.answers.items():
            found.scores.append(_score(one, key, layer, items, seed))
            by_key.setdefault(key, {}).setdefault(one.variant, {}).setdefault(layer, {})[one.seed] = items
    for asked in sets:
        if not any(key[1] == asked.name for key in by_key):
            found.missing.append(
                f"{asked.name}: none of its {len(asked.questions):,} questions has only words that all models know"
            )
    for key, of_key in by_key.items():
        _choose(found, key, of_key, n_samples, seed)
    _correct(found)
    return found


def _score(one: Answered, key: Key, layer: int, items: NDArray[np.float64], seed: int) -> dict[str, Any]:
    kind, name, measure, method = key
    asked: Any = measure
    interval = significance.interval(asked, items, n_samples=SAMPLES_OF_LAYER, seed=seed)
    return {
        "variant": one.variant, "seed": one.seed, "layer": layer, "kind": kind, "set": name, "measure": measure,
        "method": method, "score": interval.value, "low": interval.low, "high": interval.high, "n_items": len(items),
        "n_known": n_answered(items), "words": "common",
    }  # fmt: skip


def is_answered(items: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) of which questions there is an answer."""
    found: NDArray[np.bool_] = np.asarray(~np.isnan(items.reshape(len(items), -1)).any(axis=1))
    return found


def n_answered(items: NDArray[np.float64]) -> int:
    """Of how many questions there is an answer."""
    return int(is_answered(items).sum())


def take_items(
    found: Grades,
    key: Key,
    of_key: _OfKey,
    *,
    chosen_by: str | None = None,
    n_samples: int = SAMPLES,
    seed: int = 1,
) -> None:
    """Adds best layers and differences of a set that was graded elsewhere.

    Args:
        found: Where they go.
        key: Of the set.
        of_key: Items by variant, layer and seed.
        chosen_by: What has chosen the layers, of which there is one of each variant then.
        n_samples: Of the bootstrap.
        seed: Of it, and of the halves that layers are chosen on.
    """
    _choose(found, key, of_key, n_samples, seed, chosen_by)
    _correct(found)


def _choose(found: Grades, key: Key, of_key: _OfKey, n_samples: int, seed: int, chosen_by: str | None = None) -> None:
    """The best layer of each variant, by the mean of its seeds, and the differences of all pairs at these."""
    kind, name, measure, method = key
    asked: Any = measure
    of_halves = f"one half of the items, seed {seed}; scored on the other"
    of_all = [items for layers in of_key.values() for seeds in layers.values() for items in seeds.values()]
    answered = np.all([is_answered(items) for items in of_all], axis=0)
    choosing, scoring = significance.halves(answered, seed=seed)
    is_layered = any(len(layers) > 1 for layers in of_key.values())
    runs: dict[str, list[NDArray[np.float64]]] = {}
    chosen: dict[str, int] = {}
    for variant, layers in of_key.items():
        by_half = {
            layer: float(np.mean([significance.value(asked, items[choosing]) for items in seeds.values()]))
            for layer, seeds in layers.items()
        }
        layer = max(by_half, key=lambda number: (-np.inf if np.isnan(by_half[number]) else by_half[number], -number))
        chosen[variant] = layer
        runs[variant] = []
        for of_seed, items in layers[layer].items():
            scored = items[scoring] if is_layered else items[answered]
            runs[variant].append(scored)
            score = significance.interval(asked, scored, n_samples=SAMPLES_OF_LAYER, seed=seed)
            found.best_layers.append(
                {
                    "variant": variant, "seed": of_seed, "kind": kind, "set": name, "measure": measure,
                    "method": method, "layer": None if kind in _WHOLE else layer,
                    "chosen_by": of_halves if is_layered else chosen_by,
                    "score": score.value, "low": score.low, "high": score.high, "n_items": len(items),
                    "n_known": n_answered(items), "n_scored": score.n,
                }
            )  # fmt: skip
    at: dict[str, int | None] = {variant: None if kind in _WHOLE else layer for variant, layer in chosen.items()}
    for (first, second), one in significance.differences(asked, runs, n_samples=n_samples, seed=seed).items():
        found.differences.append(
            {
                "kind": kind, "set": name, "measure": measure, "method": method, "a": first, "b": second,
                "layer_a": at[first], "layer_b": at[second], "difference": one.difference, "low": one.low,
                "high": one.high, "p": one.p, "p_corrected": one.p, "tie": True,
            }
        )  # fmt: skip


def _correct(found: Grades) -> None:
    """Corrects the p of all differences for how many there are, and says which are ties."""
    corrected = significance.holm([one["p"] for one in found.differences])
    for one, p in zip(found.differences, corrected, strict=True):
        one["p_corrected"] = p
        one["tie"] = not p < significance.LEVEL


def take_neighbours(found: Grades, told: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Adds the neighbours of words, and how many two variants share: at their last layers and those a set chose.

    Args:
        found: Where they go.
        told: As `nearest` gives them, by variant.
    """
    by_layer: dict[tuple[str, int], dict[str, list[str]]] = {}
    for variant, of_variant in told.items():
        for one in of_variant:
            found.neighbours.append({"word": one["word"], "variant": variant, **one})
            names = [name for name, _ in one["neighbours"]]
            by_layer.setdefault((variant, one["layer"]), {})[one["word"]] = names
    last = dict(by_layer.keys())
    asked = {(one["variant"], one["layer"]) for one in found.best_layers} | set(last.items())
    keys = [key for key in by_layer if key in asked]
    for place, first in enumerate(keys):
        for second in keys[place + 1 :]:
            shared = {
                word: _jaccard(names, by_layer[second][word])
                for word, names in by_layer[first].items()
                if word in by_layer[second]
            }
            for word, jaccard in shared.items():
                found.overlaps.append({"word": word, "a": list(first), "b": list(second), "jaccard": jaccard})
            if shared:
                mean = float(np.mean(list(shared.values())))
                found.overlaps.append({"word": None, "a": list(first), "b": list(second), "jaccard": mean})


def _jaccard(first: Sequence[str], second: Sequence[str]) -> float:
    return len({*first} & {*second}) / max(1, len({*first} | {*second}))
