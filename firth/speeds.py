"""How fast a family that PyTorch trains goes here, by steps that are taken for that alone."""

import statistics
import time
from collections.abc import Mapping
from typing import Any, Final

import torch

from firth.batches import cut
from firth.budget import Budget
from firth.descent import Loop
from firth.devices import World
from firth.memory import TooLargeError, keep_freed_memory, telling_too_large
from firth.model import Model, Words
from firth.pieces import Pieces
from firth.progress import Silent
from firth.runs import Run

MEASURED_TOKENS: Final[Mapping[str, int]] = {"cpu": 2048, "mps": 8192, "cuda": 65536}
"""Tokens of the steps that a size's speed is measured by."""
_LEAST_STEPS: Final = 3  # for their median
_MOST_PATIENCE: Final = 4.0  # times the seconds: so long are they waited for


def measured_speed(family: Any, text: Any, pieces: "Pieces | Words", device: torch.device, seconds: float) -> float:
    """Tokens a second that `family` trains on here, by the median step of about so many seconds after a first one.

    0 where the memory does not hold it.
    """
    try:
        with telling_too_large(device):
            return _measured_speed(family, text, pieces, device, seconds)
    except TooLargeError:
        return 0.0


def _measured_speed(family: Any, text: Any, pieces: "Pieces | Words", device: torch.device, seconds: float) -> float:
    if device.type == "cpu":
        keep_freed_memory()
    network = family.network(pieces.n_entries, 0)
    run = Run(Model(family, pieces, network, {}), Budget(tokens=1), 0)
    loop = Loop(run, text, device, Silent(), None, None, processes=World())
    batch = loop.prepared(0)
    rows = min(loop.rows(batch), len(batch.ids), max(1, MEASURED_TOKENS[device.type] // batch.ids.shape[1]))
    micro = cut(batch, 0, rows)
    n_tokens = int(batch.n_tokens) * rows / len(batch.ids)
    network.train()
    with loop.drawing_for_itself():
        loop.step(0, micro, 0.0)
        loop.sums.read()  # waits for the device
        steps: list[float] = []
        while sum(steps) < seconds or (len(steps) < _LEAST_STEPS and sum(steps) < _MOST_PATIENCE * seconds):
            began = time.monotonic()
            loop.step(0, micro, 0.0)
            loop.sums.read()
            steps.append(time.monotonic() - began)
    return float(n_tokens / statistics.median(steps))  # whatever else the machine does now and then slows some of them
