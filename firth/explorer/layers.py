"""What is known of a model's layers: how much they depend on context, and what probes have found in them."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from firth.contextuality import layers as measured
from firth.explorer.answers import Answer, number
from firth.explorer.concordance import Concordance
from firth.explorer.faults import NotThereError
from firth.explorer.shelf import Shown
from firth.files import printable
from firth.progress import Progress

SENTENCES: Final = 5_000
"""Of the corpus, drawn by the seed, in which layers are measured."""
SEED: Final = 1
PROBES: Final = "probe*.json"
"""Files in a model's directory with what `firth probe --json` has printed."""
_HOW: Final[dict[str, Any]] = {"top": 300, "max_contexts": 20, "sentences": 200, "samples": 500}


def told(model: Shown, concordance: Concordance | None, progress: Progress, *, cache_dir: Path | None = None) -> Answer:
    """The measures of each layer, on a sample of the corpus; and the scores of probes, where any lie with the model.

    The sample is kept in `cache_dir` meanwhile.

    Raises:
        NotThereError: the model is static, or there is neither a corpus nor a probe.
    """
    probes = probes_of(model.path)
    if not model.is_contextual:
        raise NotThereError("fault-static", name=model.name)
    if concordance is None and not probes:
        raise NotThereError("fault-unmeasured")
    found: list[Answer] = []
    settings = ", ".join(f"{key}={value}" for key, value in _HOW.items())
    source: Answer = {"corpus": None, "n_measured": None}
    python = f"firth.layers({model.name!r}, CORPUS, seed={SEED}, {settings})"
    if concordance is not None:
        sentences = concordance.some(SENTENCES, SEED)
        for one in measured(model.path, sentences, seed=SEED, progress=progress, cache_dir=cache_dir, **_HOW):
            row = one._asdict()
            found.append({key: value if isinstance(value, int) else number(value) for key, value in row.items()})
        source = {"corpus": printable(concordance.name), "n_measured": len(sentences)}
        python = (
            "from firth.explorer.concordance import indexed\n"
            f"sentences = {concordance.python}.some({SENTENCES}, {SEED})\n"
            f"firth.layers({model.name!r}, sentences, seed={SEED}, {settings})"
        )
    told_of = {"model": model.name, "seed": SEED, **source}
    return told_of | {"layers": found, "probes": probes, "python": python}


def probes_of(path: Path) -> list[Answer]:
    """What probes have found, as it lies in a model's directory."""
    found: list[Answer] = []
    for file in sorted(path.glob(PROBES)) if path.is_dir() else []:
        try:
            probing = json.loads(file.read_bytes())
            scores = [_score(layer) for layer in probing["layers"]]
            found.append({"task": str(probing["task"]), "measure": str(probing["main"]), "scores": scores})
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found


def _score(layer: dict[str, Any]) -> Answer:
    either = layer["dev"] if layer.get("dev") is not None else layer["test"]
    return {"layer": int(layer["layer"]), "score": _finite(either["values"][either["main"]])}


def _finite(value: Any) -> float | None:
    return number(value) if isinstance(value, int | float) and np.isfinite(value) else None
