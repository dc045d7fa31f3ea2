"""What runs of one fine-tuning came to: scores of each seed, as JSON and as sentences."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from firth import scoring
from firth.scoring import Scores


class Seed(NamedTuple):
    """What one run came to.

    Attributes:
        seed: Of all that is random.
        dev: Its scores there; None without examples.
        test: The same.
        epochs: Passes over the examples, and which of them left what is kept.
        best_epoch: See there.
        seconds: Of training.
    """

    seed: int
    dev: Scores | None
    test: Scores | None
    epochs: float
    best_epoch: float
    seconds: float

    def settings(self) -> dict[str, Any]:
        """All of it as JSON."""
        return self._asdict() | {
            name: None if scores is None else scores.settings()
            for name, scores in (("dev", self.dev), ("test", self.test))
        }

    @classmethod
    def from_settings(cls, told: Mapping[str, Any]) -> "Seed":
        """What `settings` described."""
        return cls(**{**told, "dev": _scores(told["dev"]), "test": _scores(told["test"])})


def _scores(given: Mapping[str, Any] | None) -> Scores | None:
    if given is None:
        return None
    per_label = tuple(scoring.LabelScore(**label) for label in given["per_label"])
    confusion = np.array(given["confusion"], np.int64).reshape(len(given["labels"]), -1)
    return Scores(given["values"], given["main"], per_label, tuple(given["labels"]), confusion, given["n"])


def told(runs: Sequence[Seed]) -> Iterable[str]:
    """The main scores in sentences, of several seeds with their spread."""
    for name in ("dev", "test"):
        scores = [getattr(run, name) for run in runs if getattr(run, name) is not None]
        if not scores:
            continue
        values = [score.value for score in scores]
        of_seeds = ""
        if len(values) > 1:
            spread = f"standard deviation {statistics.stdev(values):.4f}, {min(values):.4f} to {max(values):.4f}"
            of_seeds = f" in the mean of {len(values)} seeds ({spread})"
        yield f"{name} {scores[0].main}: {statistics.fmean(values):.4f}{of_seeds}"


def summary(runs: Sequence[Seed]) -> dict[str, Any]:
    """All runs as JSON, with mean and standard deviation of their main scores."""
    found: dict[str, Any] = {"runs": [run.settings() for run in runs]}
    for name in ("dev", "test"):
        values = [getattr(run, name).value for run in runs if getattr(run, name) is not None]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else None
            found[name] = {"mean": statistics.fmean(values), "deviation": spread}
    return found
