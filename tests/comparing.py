"""What a training left, to be compared with what another one left."""

from pathlib import Path
from typing import Any

import torch


def files(folder: Path) -> dict[str, bytes]:
    """The files of a model's directory, but for those that say when and how fast it came about."""
    there = [path for path in folder.rglob("*") if path.is_file() and path.name not in ("firth.json", "log.jsonl")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in there}


def state(model: Any) -> dict[str, Any]:
    """The weights by name, without the rows that pad the table."""
    n_entries = model.network.n_entries
    named = model.network.named_parameters()
    return {name: weight.detach()[: n_entries if name in ("table", "output_bias") else None] for name, weight in named}


def assert_equal(first: Any, second: Any) -> None:
    """That two networks are the same to the bit."""
    mine, due = state(first), state(second)
    assert mine.keys() == due.keys()
    for name, weight in mine.items():
        assert torch.equal(weight, due[name]), name
