"""Who stands where: for each set and measure the variants in order, and which of them nothing tells apart."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from statistics import fmean
from typing import Final, NamedTuple

from firth.comparison_report.reading import LOWER, Comparison, Score

KINDS: Final = ("similarity", "analogy", "outliers", "categories", "context", "probe", "use", "language")
"""What is measured, in the order in which it is told."""


class Key(NamedTuple):
    """What numbers have in common that may be compared."""

    kind: str
    set: str
    measure: str
    method: str | None
    task: str | None


class Standing(NamedTuple):
    """A variant on a set.

    Attributes:
        variant: Its name.
        layer: What is told of; None where that is the whole model.
        score: The mean over seeds.
        low, high: 95% of bootstrap samples of the items, the mean of the seeds' bounds.
        spread: The least and the greatest seed's score; None of one seed.
        n_seeds: How many.
        n_items, n_known: Of the set.
        chosen_by: What chose the layer; empty where there is one, or nothing says.
    """

    variant: str
    layer: int | None
    score: float
    low: float | None
    high: float | None
    spread: tuple[float, float] | None
    n_seeds: int
    n_items: int | None
    n_known: int | None
    chosen_by: str


class Contest(NamedTuple):
    """A set and measure, and all that were measured by it.

    Attributes:
        key: Which.
        is_lower_better: Less is better.
        words: `common` where the scores are over the words that all variants know, else `own`.
        standings: The best first, the random table and published models among them.
        n_compared: How many of them saw the corpus alone.
        leaders: Of these the best, and those that no test tells from it.
        untested: Leaders whose difference from the best nothing tells.
        beat_random: Whether the best differs from the random table, and for the better; None where nothing tells.
    """

    key: Key
    is_lower_better: bool
    words: str
    standings: Sequence[Standing]
    n_compared: int
    leaders: tuple[str, ...]
    untested: tuple[str, ...]
    beat_random: bool | None

    def is_ahead(self, variant: str) -> bool:
        """Whether a variant is the best, or not told from it, of two at least."""
        return self.n_compared > 1 and variant in self.leaders

    @property
    def best(self) -> Standing | None:
        """The standing of the first of the leaders."""
        return next((one for one in self.standings if self.leaders and one.variant == self.leaders[0]), None)


@lru_cache(maxsize=2)
def contests(found: Comparison) -> tuple[Contest, ...]:
    """All sets and measures of a comparison, in the order of KINDS and of the report."""
    keys = dict.fromkeys(_key(score) for score in found.scores if score.score is not None)
    order = {kind: place for place, kind in enumerate(KINDS)}
    return tuple(_contest(found, key) for key in sorted(keys, key=lambda key: order.get(key.kind, len(order))))


def at_layers(found: Comparison, key: Key, words: str) -> dict[str, list[Standing]]:
    """The standings of every variant on a set, layer by layer; without those that have no layers."""
    every: dict[str, list[Standing]] = {}
    for variant in found.variants:
        scores = [one for one in _of(found, key, words) if one.variant == variant.name]
        layers = sorted({one.layer for one in scores if one.layer is not None})
        if layers:
            every[variant.name] = [
                _standing(variant.name, layer, [one for one in scores if one.layer == layer]) for layer in layers
            ]
    return every


def _key(score: Score) -> Key:
    return Key(score.kind, score.set, score.measure, score.method, score.task)


def _of(found: Comparison, key: Key, words: str) -> list[Score]:
    return [one for one in found.scores if _key(one) == key and one.words == words and one.score is not None]


def _contest(found: Comparison, key: Key) -> Contest:
    words = "common" if _of(found, key, "common") else "own"
    scores = _of(found, key, words)
    is_lower = key.measure in LOWER or any(one.better == "lower" for one in scores)
    standings = []
    for name in dict.fromkeys(one.variant for one in scores):
        standing = _headline(found, key, [one for one in scores if one.variant == name])
        if standing is not None:
            standings.append(standing)
    standings.sort(key=lambda one: one.score if is_lower else -one.score)
    of_name = {variant.name: variant for variant in found.variants}
    compared = [one.variant for one in standings if of_name[one.variant].is_compared]
    leaders, untested = [], []
    for name in compared:
        tie = True if name == compared[0] else _is_tie(found, key, compared[0], name)
        if tie is None:
            untested.append(name)
        if tie is not False:
            leaders.append(name)
    random = next((one for one in standings if of_name[one.variant].random), None)
    beat_random = None
    if random is not None and compared:
        tie = _is_tie(found, key, compared[0], random.variant)
        best = next(one for one in standings if one.variant == compared[0])
        is_better = best.score < random.score if is_lower else best.score > random.score
        beat_random = None if tie is None else (not tie and is_better)
    return Contest(key, is_lower, words, tuple(standings), len(compared), tuple(leaders), tuple(untested), beat_random)


def _headline(found: Comparison, key: Key, scores: Sequence[Score]) -> Standing | None:
    """What is told of a variant on a set: its only layer, or the one that was chosen on other items.

    Where one model's layer was chosen on half of the items, all are scored on the other half. Of several layers of
    which none was chosen it is the last, never the best: that would be chosen on what it is scored by.
    """
    name = scores[0].variant
    layers = {one.layer for one in scores}
    chosen = [
        one
        for one in found.best_layers
        if (one.variant, one.kind, one.set) == (name, key.kind, key.set)
        and one.measure in (None, key.measure)
        and one.method in (None, key.method)
    ]
    apart = [one for one in chosen if one.score is not None]
    if apart:  # scored on the items that did not choose
        bounds = {
            "score": [one.score for one in apart],
            "low": [one.low for one in apart],
            "high": [one.high for one in apart],
        }
        values = [value for value in bounds["score"] if value is not None]
        layers_chosen = {one.layer for one in apart}
        return Standing(
            name,
            apart[0].layer if len(layers_chosen) == 1 else None,
            fmean(values),
            _mean(bounds["low"]),
            _mean(bounds["high"]),
            (min(values), max(values)) if len(values) > 1 else None,
            len(values),
            scores[0].n_items,
            scores[0].n_known,
            apart[0].chosen_by,
        )
    if None in layers or len(layers) == 1:
        layer = None if None in layers else next(iter(layers))
        return _standing(name, layer, [one for one in scores if one.layer == layer])
    if not chosen:
        last = max(layer for layer in layers if layer is not None)
        return _standing(name, last, [one for one in scores if one.layer == last])
    seeds = {one.seed: one.layer for one in chosen}
    at = [one for one in scores if one.layer == seeds.get(one.seed, chosen[0].layer)]
    if not at:
        return None
    layer = at[0].layer if len({one.layer for one in at}) == 1 else None
    return _standing(name, layer, at)._replace(chosen_by=chosen[0].chosen_by)


def _standing(name: str, layer: int | None, scores: Sequence[Score]) -> Standing:
    values = [one.score for one in scores if one.score is not None]
    return Standing(
        name,
        layer,
        fmean(values),
        _mean([one.low for one in scores]),
        _mean([one.high for one in scores]),
        (min(values), max(values)) if len(values) > 1 else None,
        len(values),
        scores[0].n_items,
        scores[0].n_known,
        "",
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _is_tie(found: Comparison, key: Key, one: str, other: str) -> bool | None:
    """Whether nothing tells two variants apart on a set; None where it was not tested."""
    entries = [
        entry
        for entry in found.differences
        if (entry.kind, entry.set, entry.measure) == key[:3]
        and entry.method in (None, key.method)
        and entry.task in (None, key.task)
        and {entry.a, entry.b} == {one, other}
    ]
    return any(entry.tie for entry in entries) if entries else None
