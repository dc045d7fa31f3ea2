"""A run of a family that PyTorch trains: where it stands, and the checkpoints that keep it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from firth.budget import Budget, State, checkpoint
from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.formats import safetensors
from firth.model import CONTEXTUAL, Model, load


class Best(NamedTuple):
    """What the judge of a run liked most so far."""

    score: float
    fraction: float  # of the budget, when it was found
    n_since: int  # evaluations since
    weights: dict[str, Tensor]  # that are trained, by their names


@dataclass
class Run:
    """A run and where it stands: a model that is not finished yet.

    Attributes:
        model: Its network is changed in place.
        budget: How long the run is.
        seed: Of all that is random.
        state: Where it stands.
        optimizer: As `torch.optim.Optimizer.state_dict` has it; None at the beginning.
        rows: Of a micro-batch; None until it is found.
        scale: What fp16's loss scaling has learnt; None elsewhere.
        held_out: What evaluations found so far: the part of the budget, and nats, or the judge's score.
        carried: What the network remembers of the batches before, by names: tensors whose first axis is the rows of a
            batch. None where every batch stands for itself, and at the beginning.
        best: What the judge liked most; None without one, and at the beginning.
    """

    model: Model
    budget: Budget
    seed: int
    state: State = field(default_factory=State)
    optimizer: dict[str, Any] | None = None
    rows: int | None = None
    scale: dict[str, Any] | None = None
    held_out: list[tuple[float, float]] = field(default_factory=list)
    carried: dict[str, Tensor] | None = None
    best: Best | None = None

    @classmethod
    def read(cls, folder: Path, opened: Callable[[Path], Any] = load) -> "Run":
        """The run whose checkpoint `folder` is; `opened` gives its model."""
        model = opened(folder)
        if opened is load and model.family.name not in CONTEXTUAL:
            raise UsageError(f"the run in {printable(str(folder))} is one of {model.family.name}")
        try:
            told = json.loads((folder / "state.json").read_bytes())
            return cls(
                model,
                Budget(**model.record["budget"]),
                model.record["seed"],
                State(**told["state"]),
                _read_optimizer(folder / "optimizer.safetensors", told["optimizer"]),
                told["rows"],
                told["scale"],
                [(fraction, nats) for fraction, nats in told["held_out"]],
                _read_tensors(folder / "carried.safetensors", told.get("carried")),
                _read_best(folder / "best.safetensors", told.get("best")),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FirthError(f"the checkpoint {printable(str(folder))} is damaged: {printable(str(error))}") from None

    def write(self, place: Path) -> None:
        """Writes checkpoint/<batch>/ into the model's directory, then switches checkpoint/latest to it."""
        with checkpoint(place, self.state) as folder:
            self.model.write_for_resumption(folder)
            assert self.optimizer is not None
            told: dict[str, Any] = {
                "state": self.state._asdict(),
                "optimizer": _write_optimizer(folder / "optimizer.safetensors", self.optimizer),
                "rows": self.rows,
                "scale": self.scale,
                "held_out": self.held_out,
                "carried": None if self.carried is None else list(self.carried),
            }
            if self.carried is not None:
                _write_tensors(folder / "carried.safetensors", self.carried)
            if self.best is not None:
                told["best"] = [*self.best[:3], list(self.best.weights)]
                _write_tensors(folder / "best.safetensors", self.best.weights)
            with replacing(folder / "state.json") as file:
                json.dump(told, file)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    safetensors.write(path, {name: tensor.cpu().numpy() for name, tensor in tensors.items()})


def _read_best(path: Path, told: list[Any] | None) -> Best | None:
    if told is None:
        return None
    score, fraction, n_since, names = told
    return Best(score, fraction, n_since, _read_tensors(path, names) or {})


def _read_tensors(path: Path, names: list[str] | None) -> dict[str, Tensor] | None:
    """The tensors of these names; None where there are none, as where a run carries nothing."""
    if names is None:
        return None
    stored = safetensors.read(path)
    return {name: torch.from_numpy(np.array(stored[name])) for name in names}


def gone_on_with(stored: Mapping[str, Tensor], begun: Any) -> Any:
    """What a checkpoint carries, in the place of what a run begins with."""
    for name, tensor in begun._asdict().items():
        if name not in stored or stored[name].shape != tensor.shape or stored[name].dtype != tensor.dtype:
            there = f"{stored[name].dtype} {tuple(stored[name].shape)}" if name in stored else "no such tensor"
            raise FirthError(
                f"the checkpoint is damaged: what the network remembers, '{name}', should be {tensor.dtype} "
                f"{tuple(tensor.shape)}, and is {there}"
            )
    return begun._make(stored[name].to(tensor.device) for name, tensor in begun._asdict().items())


def _write_optimizer(path: Path, state_dict: dict[str, Any]) -> dict[str, Any]:
    """Writes an optimiser's tensors; returns the rest of it, as JSON."""
    tensors: dict[str, Any] = {}
    numbers: dict[str, float] = {}
    for parameter, values in state_dict["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.ndim:
                tensors[f"{parameter}.{name}"] = value.detach().cpu().numpy()
            else:
                numbers[f"{parameter}.{name}"] = float(value)
    safetensors.write(path, tensors)
    return {"numbers": numbers, "groups": state_dict["param_groups"]}


def _read_optimizer(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    for key, array in safetensors.read(path).items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = torch.from_numpy(np.array(array))
    for key, number in told["numbers"].items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = torch.tensor(number)
    for group in told["groups"]:
        group |= {name: tuple(value) for name, value in group.items() if isinstance(value, list) and name != "params"}
    return {"state": state, "param_groups": told["groups"]}
