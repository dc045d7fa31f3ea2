"""A comparison as `report.json` tells it: what was asked, what ran, and every number that was measured."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Final, Self, TypeVar

from firth.errors import FirthError
from firth.files import printable

LOWER: Final = frozenset({"bits_per_byte", "perplexity", "pseudo_perplexity", "loss", "loss_nats", "milliseconds"})
"""Measures of which less is better."""
OF_VECTORS: Final = frozenset({"similarity", "analogy", "outliers", "categories"})
"""Kinds of scores that are of a model's static vectors."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One of the models compared: a family with its settings, the random table, or a published model."""

    name: str
    family: str
    preset: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    n_layers: int = 1
    paper: str | None = None
    published: bool = False
    random: bool = False
    left_out: str | None = None
    trials: Sequence[Mapping[str, Any]] = ()

    @property
    def is_compared(self) -> bool:
        """It has seen the corpus, and within the budget: the answer speaks of such alone."""
        return not (self.published or self.random or self.left_out)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A variant trained with a seed, and what that cost."""

    variant: str
    seed: int | None = None
    model: str = ""
    failed: str | None = None
    seconds: Mapping[str, float | None] = field(default_factory=dict)
    words: int | None = None
    words_per_second: float | None = None
    flops: float | None = None
    parameters: int | None = None
    peak_mib: float | None = None
    bytes: int | None = None
    matrices_bytes: int | None = None
    lookup_ms: float | None = None
    sentence_ms: float | None = None
    losses: Sequence[Sequence[float | None]] = ()
    loss_unit: str = ""
    curve: Sequence[Mapping[str, Any]] = ()

    def bytes_for(self, kind: str) -> "int | None":
        """What of it a score of this kind is made of takes on disk: static vectors count where these are scored."""
        if kind not in OF_VECTORS:
            return self.bytes
        return None if self.bytes is None or self.matrices_bytes is None else self.bytes + self.matrices_bytes


@dataclass(frozen=True, kw_only=True)
class Score:
    """A number that was measured on one layer of a run, with its bootstrap interval over items."""

    variant: str
    kind: str
    set: str
    measure: str
    seed: int | None = None
    layer: int | None = None
    method: str | None = None
    task: str | None = None
    score: float | None = None
    low: float | None = None
    high: float | None = None
    n_items: int | None = None
    n_known: int | None = None
    words: str = "own"
    better: str | None = None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How far apart two variants are on a set; `tie` where chance alone may make as much."""

    kind: str
    set: str
    measure: str
    a: str
    b: str
    tie: bool
    difference: float | None = None
    method: str | None = None
    task: str | None = None
    layer_a: int | None = None
    layer_b: int | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_corrected: float | None = None


@dataclass(frozen=True, kw_only=True)
class BestLayer:
    """The layer that a set's headline speaks of, and what chose it; its score on what did not choose it, if told."""

    variant: str
    kind: str
    set: str
    layer: int | None
    chosen_by: str = ""
    measure: str | None = None
    method: str | None = None
    seed: int | None = None
    score: float | None = None
    low: float | None = None
    high: float | None = None
    n_items: int | None = None


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How many items of a set a variant knows."""

    variant: str
    set: str
    n_items: int
    n_known: int


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """The words nearest to a word in one layer of a variant, with their cosines."""

    word: str
    variant: str
    layer: int
    neighbours: Sequence[Sequence[Any]]


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """The share that two neighbourhoods have in common, of all that stand in either; of no word: the mean."""

    a: Sequence[Any]
    b: Sequence[Any]
    jaccard: float
    word: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """All of it; one is equal to itself alone, so that what is made of it can be kept."""

    variants: Sequence[Variant]
    runs: Sequence[Run] = ()
    scores: Sequence[Score] = ()
    differences: Sequence[Difference] = ()
    best_layers: Sequence[BestLayer] = ()
    coverage: Sequence[Coverage] = ()
    neighbours: Sequence[Neighbourhood] = ()
    overlaps: Sequence[Overlap] = ()
    missing: Sequence[str] = ()
    notes: Sequence[str] = ()
    title: str = ""
    made: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    command: str = ""
    python: str = ""
    corpus: Mapping[str, Any] = field(default_factory=dict)
    budget: Mapping[str, Any] = field(default_factory=dict)
    counts: str = "training"
    seeds: Sequence[int] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, report: Mapping[str, Any]) -> Self:
        """The comparison that `report.json` holds.

        What it does not know is passed over, so that a newer firth may tell more.

        Raises:
            FirthError: something that the report cannot do without is missing, or stands twice.
        """
        told = dict(report)
        for name, kind in _PARTS.items():
            if report.get(name) is not None:
                told[name] = tuple(_read(kind, one, name) for one in report[name])
        found = _read(cls, told, "the report")
        names = [variant.name for variant in found.variants]
        if len(set(names)) < len(names):
            raise FirthError("a comparison's report names two of its variants alike: " + printable(", ".join(names)))
        strangers = {run.variant for run in found.runs} | {score.variant for score in found.scores}
        strangers -= set(names)
        if strangers:
            raise FirthError(
                f"a comparison's report has numbers of {printable(', '.join(sorted(strangers)))}, which is "
                "none of its variants"
            )
        return found

    def variant(self, name: str) -> Variant:
        """The variant of this name."""
        return next(one for one in self.variants if one.name == name)

    @property
    def place(self) -> Mapping[str, int]:
        """The place of each variant, by which pictures colour it."""
        return {variant.name: place for place, variant in enumerate(self.variants)}


_PARTS: Final[Mapping[str, type[Any]]] = {
    "variants": Variant,
    "runs": Run,
    "scores": Score,
    "differences": Difference,
    "best_layers": BestLayer,
    "coverage": Coverage,
    "neighbours": Neighbourhood,
    "overlaps": Overlap,
}
_T = TypeVar("_T")


def _read(kind: type[_T], told: Mapping[str, Any], where: str) -> _T:
    known: Any = fields(kind)  # type: ignore[arg-type] # all of them are dataclasses
    needed = [one.name for one in known if one.default is MISSING and one.default_factory is MISSING]
    lacking = [name for name in needed if name not in told]
    if lacking:
        raise FirthError(f"a comparison's report lacks {', '.join(lacking)} in {where}: {printable(str(told)[:200])}")
    # What may be left out may be null as well.
    return kind(**{one.name: told[one.name] for one in known if told.get(one.name) is not None or one.name in needed})
