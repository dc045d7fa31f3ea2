"""The log of a training, as far as it has come: what was said of it every second, and its scores."""

import json
import math
from pathlib import Path
from typing import Any, Final

from firth.explorer.shelf import Shown
from firth.files import without_folders

MOST_ENTRIES: Final = 5_000
"""Entries of one answer; the next ones come with the next."""
_MOST_BYTES: Final = 64 << 20


def entries(path: Path | None) -> list[dict[str, Any]]:
    """What a log has, without a last line that is being written; numbers alone, and lists and dicts of them.

    A run that went on from a checkpoint may have said things twice: then what it said last counts.
    """
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            lines = file.read(_MOST_BYTES).splitlines()
    except OSError:
        return []
    found: list[dict[str, Any]] = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        fraction = entry.get("fraction")
        while found and _is_after(found[-1], fraction):
            found.pop()
        found.append({str(name): _finite(value) for name, value in entry.items()})
    return found


def _is_after(entry: dict[str, Any], fraction: Any) -> bool:
    before = entry.get("fraction")
    return isinstance(before, int | float) and isinstance(fraction, int | float) and before > fraction


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(name): _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return without_folders(value) if isinstance(value, str) else value


def log(model: Shown, after: int, *, whole: bool = False) -> dict[str, Any]:
    """What the log has from entry `after` on, with the seconds of entries that do not tell them; all with `whole`.

    A held-out loss is told at a part of the budget: its seconds are those of the report before it.
    """
    model.refresh()
    everything = entries(model.log_file)
    seconds = 0.0
    for entry in everything:
        if isinstance(told := entry.get("seconds"), int | float):
            seconds = told
        else:
            entry["seconds"] = seconds
    some = everything[after:] if whole else everything[after : after + MOST_ENTRIES]
    keys = list(dict.fromkeys(key for entry in everything for key, value in entry.items() if _is_number(value)))
    return {
        "model": model.name,
        "family": model.family,
        "finished": model.is_finished,
        "next": min(len(everything), after + len(some)),
        "entries": some,
        "keys": keys,
        "python": f"firth.load({model.name!r}).log",
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def listed(models: Any) -> dict[str, Any]:
    """The models that have a log."""
    return {
        "runs": [
            {
                "model": model.name,
                "family": model.family,
                "finished": model.is_finished,
                "n_entries": len(entries(model.log_file)),
                "live": not model.is_finished,
            }
            for model in models
            if model.log_file is not None
        ]
    }
