"""What a training was asked for, and whether a run that is gone on with was begun with the same."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from firth.budget import Budget, Report
from firth.errors import FirthError, UsageError
from firth.families.family import settings
from firth.files import latest_checkpoint, printable, without_folders
from firth.model import OF_PIECES, Model, load
from firth.preparation import Preparation
from firth.progress import Progress

Compile = Literal["auto", "always", "never"]
PieceKind = Literal["auto", "wordpiece", "bpe", "byte_bpe"]
Cleaning = Literal["none", "plain"]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What `train` was asked for, as both kinds of family take it."""

    sizes: list[Any]
    corpus: Any
    budget: Budget | None
    threads: int
    seed: int
    reproducible: bool
    preparation: Preparation
    place: Path | None
    resume: bool
    base: str | os.PathLike[str] | Model | None
    cache_dir: str | os.PathLike[str] | None
    progress: Progress
    on_report: Callable[[Report], object] | None
    counts: Sequence[Path] = ()
    count_tokens: int | None = None
    memory: float | None = None
    matrices: bool = True
    on_begin: Callable[[Model], object] | None = None
    sized_for: Budget | None = None


def unfinished(place: Path | None) -> Path:
    """The checkpoint of the unfinished run in `place`."""
    if place is None:
        raise UsageError("a resumed run needs the output that it began with")
    folder = latest_checkpoint(place)
    if folder is None:
        raise UsageError(f"{printable(str(place))} has no unfinished run to resume; train without --resume")
    return folder


def check_begun(run: Any, asked: Asked) -> None:
    """Raises UsageError where a run was not begun with the settings that are asked for."""
    record = run.model.record
    there = without_folders(record.get("preparation", {})) | settings(run.model.family)
    if run.model.family.name in OF_PIECES:
        there["cased"] = bool(there.get("cased"))  # for a time left open where it was not asked for
    preparation = without_folders(asked.preparation.settings())
    preparation |= {name: there.get(name) for name in ("cased", "punctuation") if preparation[name] is None}
    of_sizes = [differences(preparation | settings(size), there) for size in asked.sizes]
    differing = min(of_sizes, key=len)
    if asked.budget is not None and asked.budget != run.budget:
        differing.append(f"a budget of {asked.budget} (begun with {run.budget})")
    if asked.base is not None and "base" not in record:
        differing.append("a model to go on from (begun without one)")
    elif asked.base is not None and not _is_base(record["base"], asked):
        differing.append("another model to go on from than it was begun with")
    if asked.seed != run.seed:
        differing.append(f"seed {asked.seed} (begun with {run.seed})")
    if differing:
        raise UsageError(f"a resumed run keeps its settings; asked for were {', '.join(differing)}")


def _is_base(origin: Mapping[str, Any], asked: Asked) -> bool:
    """Whether the model that is asked for is the one that a run went on from, as far as that can still be told.

    It cannot where the model is not there any more, or where the run itself stands in its place.
    """
    assert asked.base is not None
    base = asked.base
    if not isinstance(base, Model):
        if asked.place is not None and Path(base).resolve() == asked.place.resolve():
            return True
        try:
            base = load(base)
        except FirthError:
            return True
    table = base.origin()["table"]
    return bool(origin.get("table", table) == table)  # older runs tell none


def differences(asked: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """The settings that are asked for and differ from those that are there, each with both."""
    return [
        f"{name} {asked.get(name)!r} (begun with {there.get(name)!r})"
        for name in sorted(asked.keys() | there.keys())
        if asked.get(name) != there.get(name)
    ]


def check_corpus(run: Any, fingerprint: str) -> None:
    """Raises FirthError where a corpus is not that of the run."""
    if fingerprint != run.model.record["corpus"]["fingerprint"]:
        raise FirthError("the corpus is not the one that the run began with; give the same text, or begin anew")
