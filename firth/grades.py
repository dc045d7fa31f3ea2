"""Many models on the same questions: scores with intervals, best layers, differences, neighbours side by side.

All of it is of the words that every model knows, so that a small vocabulary gains nothing; who knows how much of a set
is told beside. A model of several layers is judged by one of them, which is chosen on half of a set's items and scored
on the other half: the best of many on the very items that are reported would be too good.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import significance
from firth.errors import FirthError
from firth.files import printable
from firth.measures import METHODS, Measured, measured
from firth.sets import Kind
from firth.vectors import Vectors

N_NEIGHBOURS: Final = 10
SAMPLES: Final = 10_000
"""Of the bootstrap behind differences, whose p is corrected for many comparisons: the smallest is to be known well."""
LEAST_KNOWN: Final = 0.5
"""Of the words, that a model has to know to be scored by them with the others."""
SAMPLES_OF_LAYER: Final = 1_000
"""Behind the interval of each layer's score, on which nothing is decided."""
_SIDE: Final = frozenset({"section", "category", "topic", "name", "title"})
_RANKS: Final = (200, 2000)  # among the frequent words, between which those shown are looked for


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


class Candidate(NamedTuple):
    """A model that is graded: one variant with one seed.

    Attributes:
        variant: Its name.
        seed: Of its training.
        vectors: Its static vectors, a matrix for each layer.
    """

    variant: str
    seed: int
    vectors: Vectors


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
        items: Of each run, layer and set, the items that scores are made of, by a name for a file.
        missing: What could not be graded, in sentences.
        n_words: How many words all know.
    """

    scores: list[dict[str, Any]] = field(default_factory=list)
    coverage: list[dict[str, Any]] = field(default_factory=list)
    best_layers: list[dict[str, Any]] = field(default_factory=list)
    differences: list[dict[str, Any]] = field(default_factory=list)
    neighbours: list[dict[str, Any]] = field(default_factory=list)
    overlaps: list[dict[str, Any]] = field(default_factory=list)
    items: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    n_words: int = 0


Key = tuple[str, str, str, str | None]  # kind, set, measure, method
_Items = dict[Key, dict[str, dict[int, dict[int, NDArray[np.float64]]]]]  # of each: variant, layer, seed
_Told = dict[tuple[str, int], dict[str, list[str]]]  # neighbours of words, by variant and layer


def grade(
    candidates: Sequence[Candidate],
    sets: Sequence[Questions],
    frequent: Sequence[str],
    *,
    shown: Sequence[str] = (),
    n_samples: int = SAMPLES,
    seed: int = 1,
) -> Grades:
    """How candidates do on sets of questions.

    Args:
        candidates: The random table among them.
        sets: What is asked.
        frequent: Words that may be known to all, by falling frequency: candidates for answers.
        shown: Words whose neighbours are told; by default some of the sets' that are neither rare nor very frequent.
        n_samples: Of the bootstrap.
        seed: Of it, and of the halves that layers are chosen on.

    Raises:
        FirthError: the candidates have no word in common.
    """
    found = Grades()
    candidates = _knowing_enough(found, candidates, frequent)
    words = [word for word in frequent if all(word in candidate.vectors for candidate in candidates)]
    if not candidates or not words:
        raise FirthError("the models that are compared have no word in common")
    found.n_words = len(words)
    items: _Items = {}
    words_shown = list(shown) or chosen_words(sets, words)
    here = [word for word in words_shown if word in set(words)]
    if absent := [word for word in words_shown if word not in here]:
        found.missing.append(f"not all models know {', '.join(map(printable, absent))}: their neighbours are not shown")
    for asked in sets:
        _cover(found, asked, candidates)
    told: _Told = {}
    for candidate in candidates:  # one at a time in memory
        array = _rows(candidate.vectors, words)
        is_first = all(variant != candidate.variant for variant, _ in told)
        for layer, matrix in zip(candidate.vectors.layer_numbers, array, strict=True):
            graded = Vectors(words, matrix)
            for asked in sets:
                for one in measured(graded, asked.kind, asked.questions, restrict=None):
                    _take(found, items, asked, candidate, layer, one, seed)
            if is_first:
                told[candidate.variant, layer] = _nearest(found, candidate.variant, layer, graded, here)
    for asked in sets:
        if not any(key[1] == asked.name for key in items):
            found.missing.append(
                f"{asked.name}: none of its {len(asked.questions):,} questions has only words that all models know"
            )
    for key, of_key in items.items():
        _choose(found, key, of_key, n_samples, seed)
    _correct(found)
    _overlap(found, told, here)
    return found


def _knowing_enough(found: Grades, candidates: Sequence[Candidate], frequent: Sequence[str]) -> list[Candidate]:
    """Those that know half of the words; the others, which would leave the rest little to be scored by, are told."""
    kept = []
    for candidate in candidates:
        n_known = sum(word in candidate.vectors for word in frequent)
        if n_known >= LEAST_KNOWN * len(frequent):
            kept.append(candidate)
            continue
        found.missing.append(
            f"{candidate.variant}, seed {candidate.seed}, has vectors of {n_known:,} of the {len(frequent):,} words "
            "alone, and is not scored by words"
        )
    return kept


def _rows(vectors: Vectors, words: Sequence[str]) -> NDArray[np.float32]:
    """(layer, word, dim) of some words."""
    rows = np.array([vectors.row(word) for word in words])
    return np.ascontiguousarray(vectors.array[:, rows])


def _cover(found: Grades, asked: Questions, candidates: Sequence[Candidate]) -> None:
    """How much of a set each variant could answer by its own words."""
    needed = {word.upper() for question in asked.questions for word in words_of(question)}
    told = set()
    for candidate in candidates:
        if candidate.variant in told:
            continue
        told.add(candidate.variant)
        every = candidate.vectors.words
        words = [word for word in every if word.upper() in needed] or every[:1]
        own = Vectors(words, _rows(candidate.vectors, words)[-1])
        one = measured(own, asked.kind, asked.questions, methods=METHODS[:1], restrict=None)[0]
        found.coverage.append(
            {"variant": candidate.variant, "set": asked.name, "n_items": one.n_items, "n_known": one.n_known}
        )


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


def _take(
    found: Grades, items: _Items, asked: Questions, candidate: Candidate, layer: int, one: Measured, seed: int
) -> None:
    if not one.n_known:
        return
    measure: Any = one.measure
    interval = significance.interval(measure, one.items, n_samples=SAMPLES_OF_LAYER, seed=seed)
    found.scores.append(
        {
            "variant": candidate.variant, "seed": candidate.seed, "layer": layer, "kind": asked.kind, "set": asked.name,
            "measure": one.measure, "method": one.method, "score": interval.value, "low": interval.low,
            "high": interval.high, "n_items": one.n_items, "n_known": one.n_known, "words": "common",
        }
    )  # fmt: skip
    key: Key = (asked.kind, asked.name, one.measure, one.method)
    of_items = significance.in_majority(one.items) if one.measure == "purity" else np.asarray(one.items, np.float64)
    of_layer = items.setdefault(key, {}).setdefault(candidate.variant, {}).setdefault(layer, {})
    of_layer[candidate.seed] = of_items
    name = "-".join(str(part) for part in (candidate.variant, candidate.seed, layer, *key) if part is not None)
    found.items[name] = of_items


def take_items(
    found: Grades,
    key: Key,
    of_key: Mapping[str, Mapping[int, Mapping[int, NDArray[np.float64]]]],
    *,
    n_samples: int = SAMPLES,
    seed: int = 1,
) -> None:
    """Adds best layers and differences of a set that was graded elsewhere: items by variant, layer and seed."""
    _choose(found, key, of_key, n_samples, seed)
    _correct(found)


def _choose(
    found: Grades,
    key: Key,
    of_key: Mapping[str, Mapping[int, Mapping[int, NDArray[np.float64]]]],
    n_samples: int,
    seed: int,
) -> None:
    """The best layer of each variant, by the mean of its seeds, and the differences of all pairs at these."""
    kind, name, measure, method = key
    asked: Any = measure
    of_all = [items for layers in of_key.values() for seeds in layers.values() for items in seeds.values()]
    answered = np.all([~np.isnan(items.reshape(len(items), -1)).any(axis=1) for items in of_all], axis=0)
    choosing, scoring = significance.halves(int(answered.sum()), seed=seed)
    is_layered = any(len(layers) > 1 for layers in of_key.values())
    runs: dict[str, list[NDArray[np.float64]]] = {}
    chosen: dict[str, int] = {}
    for variant, layers in of_key.items():
        by_half = {
            layer: float(np.mean([significance.value(asked, items[answered][choosing]) for items in seeds.values()]))
            for layer, seeds in layers.items()
        }
        layer = max(by_half, key=lambda number: (-np.inf if np.isnan(by_half[number]) else by_half[number], -number))
        chosen[variant] = layer
        runs[variant] = []
        for of_seed, items in layers[layer].items():
            scored = items[answered][scoring] if is_layered else items[answered]
            runs[variant].append(scored)
            score = significance.interval(asked, scored, n_samples=SAMPLES_OF_LAYER, seed=seed)
            n_known = int((~np.isnan(items.reshape(len(items), -1)).any(axis=1)).sum())
            found.best_layers.append(
                {
                    "variant": variant, "seed": of_seed, "kind": kind, "set": name, "measure": measure,
                    "method": method, "layer": None if kind == "use" else layer,
                    "chosen_by": f"one half of the items, seed {seed}; scored on the other" if is_layered else None,
                    "score": score.value, "low": score.low, "high": score.high, "n_items": len(items),
                    "n_known": n_known, "n_scored": score.n,
                }
            )  # fmt: skip
    at: dict[str, int | None] = {variant: None if kind == "use" else layer for variant, layer in chosen.items()}
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


# --- neighbours


def chosen_words(sets: Sequence[Questions], words: Sequence[str], n: int = 6) -> list[str]:
    """Words to show neighbours of: some that the similarity sets ask for, neither rare nor very frequent."""
    asked = {word.lower() for one in sets if one.kind == "similarity" for item in one.questions for word in item[:2]}
    first, last = (min(rank, len(words) // 10) if rank == _RANKS[0] else rank for rank in _RANKS)
    among = [word for word in words[first:last] if not asked or word.lower() in asked] or list(words[first:last])
    step = max(1, len(among) // n)
    return among[::step][:n]


def _nearest(found: Grades, variant: str, layer: int, vectors: Vectors, shown: Sequence[str]) -> dict[str, list[str]]:
    """The neighbours of words in a matrix."""
    of_words = {}
    for word in shown:
        nearest = vectors.most_similar(word, topn=N_NEIGHBOURS)
        listed = [[name, float(cosine)] for name, cosine in nearest]
        found.neighbours.append({"word": word, "variant": variant, "layer": layer, "neighbours": listed})
        of_words[word] = [name for name, _ in nearest]
    return of_words


def _overlap(found: Grades, told: _Told, shown: Sequence[str]) -> None:
    """How many neighbours two variants share, each at its last layer and at those that a set chose."""
    last = dict(told.keys())
    asked = {(one["variant"], one["layer"]) for one in found.best_layers} | set(last.items())
    keys = [key for key in told if key in asked]
    for place, first in enumerate(keys):
        for second in keys[place + 1 :]:
            shared = {word: _jaccard(told[first][word], told[second][word]) for word in shown}
            for word, jaccard in shared.items():
                found.overlaps.append({"word": word, "a": list(first), "b": list(second), "jaccard": jaccard})
            if shared:
                mean = float(np.mean(list(shared.values())))
                found.overlaps.append({"word": None, "a": list(first), "b": list(second), "jaccard": mean})


def _jaccard(first: Sequence[str], second: Sequence[str]) -> float:
    return len({*first} & {*second}) / max(1, len({*first} | {*second}))
