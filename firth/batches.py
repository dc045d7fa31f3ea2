"""Batches of the families that PyTorch trains, whatever these hold: as tensors, on a device, in parts, made ahead."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

BATCHES_AHEAD: Final = 3


def tensors(batch: Any) -> Any:
    """A batch with its arrays as tensors that share their memory."""
    return batch._make(torch.from_numpy(np.ascontiguousarray(x)) if isinstance(x, np.ndarray) else x for x in batch)


def moved(batch: Any, device: torch.device) -> Any:
    """A batch with its tensors on the device, and nothing else: for a number that changes, a step is compiled again."""
    return batch._make(x.to(device, non_blocking=True) if isinstance(x, Tensor) else None for x in batch)


def n_predictions(batch: Any) -> int:
    """How many tokens a batch has to predict; where it is read both ways, of either; of a task, its labels."""
    if hasattr(batch, "counts"):
        return int(batch.counts[:, 0].sum())
    if hasattr(batch, "forward"):
        return int(batch.forward.numel()) if batch.weights is None else round(float(batch.weights.sum()))
    if hasattr(batch, "masked"):
        return len(batch.masked) if batch.weights is None else round(float(batch.weights.sum()))
    return int(batch.ids[:, 1:].numel() if batch.lengths is None else (batch.lengths - 1).clamp(min=0).sum())


def cut(batch: Any, first: int, stop: int) -> Any:
    """Rows `first` to `stop` of a batch."""
    n_rows, n_columns = batch.ids.shape
    if (first, stop) == (0, n_rows):
        return batch
    if hasattr(batch, "forward"):
        return _cut_both_ways(batch, first, stop)
    rows = {name: x[first:stop] for name, x in batch._asdict().items() if isinstance(x, Tensor) and len(x) == n_rows}
    if hasattr(batch, "masked"):
        inside = (batch.masked >= first * n_columns) & (batch.masked < stop * n_columns)
        rows |= {
            name: getattr(batch, name)[inside] for name in ("targets", "weights") if getattr(batch, name) is not None
        }
        rows["masked"] = batch.masked[inside] - first * n_columns
    return batch._replace(**rows)


def _cut_both_ways(batch: Any, first: int, stop: int) -> Any:
    """Rows `first` to `stop` of a batch that brings its own words along, and those words alone."""
    names = ("forward", "backward", "forward_targets", "backward_targets", "weights")
    rows = {name: getattr(batch, name)[first:stop] for name in names if getattr(batch, name) is not None}
    words, places = torch.unique(torch.stack([rows["forward"], rows["backward"]]), return_inverse=True)
    rows |= {"forward": places[0], "backward": places[1], "characters": batch.characters[words]}
    return batch._replace(**rows)


def rows_of(carried: Any, first: int, stop: int) -> Any:
    """Rows `first` to `stop` of what a network remembers."""
    return carried._make(tensor[first:stop] for tensor in carried)


def weight_of(part: str) -> float:
    """How much a part counts in what is descended: ELMo's two directions are halves of it."""
    return 0.5 if part in ("forward", "backward") else 1.0


def share_of(part: str, micro: Any, n_rows: int, n_all: int) -> float:
    """The part of the batch's mean that a micro-batch's mean is."""
    if hasattr(micro, "share"):
        return float(micro.share(part))
    if part == "next_sentence":
        return len(micro.ids) / n_rows
    return n_predictions(micro) / max(1, n_all)


@contextmanager
def ahead(made: Callable[[int], Any], first: int) -> Iterator[Iterator[Any]]:
    """made(first), made(first + 1), ... without end, made in a thread while the block uses those before."""
    made_ones: queue.Queue[Any] = queue.Queue(BATCHES_AHEAD)
    stopping = threading.Event()

    def work() -> None:
        for number in count(first):
            try:
                item = made(number)
            except BaseException as error:
                item = _Failed(error)
            while not stopping.is_set():
                try:
                    made_ones.put(item, timeout=0.1)
                    break
                except queue.Full:
                    continue
            if stopping.is_set() or isinstance(item, _Failed):
                return

    def taken() -> Iterator[Any]:
        while True:
            item = made_ones.get()
            if isinstance(item, _Failed):
                raise item.error
            yield item

    thread = threading.Thread(target=work, name="firth-batches", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopping.set()
        thread.join()


class _Failed(NamedTuple):
    """What a thread could not make, and why."""

    error: BaseException
