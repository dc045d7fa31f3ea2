"""Where networks are trained: the device, the type of its products, the processes that share the work."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import torch

from firth.errors import UsageError
from firth.files import printable


class Precision(NamedTuple):
    """The type of the products; weights and optimiser stay fp32."""

    dtype: torch.dtype
    reason: str
    scales: bool = False  # whether the loss is scaled, so that small gradients do not vanish

    def __str__(self) -> str:
        """The type in words."""
        name = {torch.bfloat16: "bf16", torch.float16: "fp16 with loss scaling", torch.float32: "fp32"}[self.dtype]
        return f"{name} ({self.reason})"


class World(NamedTuple):
    """The processes that torchrun started."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0


def world() -> World:
    """This process among those of torchrun; alone without it."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        return World()
    return World(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", "0")))


def chosen_device(asked: str | None = None) -> torch.device:
    """The device to train on: CUDA, else Apple's MPS, else the processor; or the one that was asked for.

    Raises:
        UsageError: a device that is not there, or one and the same for several processes.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked is None or asked == "auto":
        asked = next(name for name, is_there in there.items() if is_there)
    name, _, number = asked.partition(":")
    if not there.get(name, False):
        found = ", ".join(name for name, is_there in there.items() if is_there)
        raise UsageError(f"device '{printable(asked)}' asked for; here there is {found}")
    if name != "cuda":
        return torch.device(name)
    if number and int(os.environ.get("LOCAL_WORLD_SIZE", world().size)) > 1:
        raise UsageError(
            f"device '{printable(asked)}' asked for by several processes of a machine, and each takes a GPU of its "
            "own: --device cuda, or leave it out; CUDA_VISIBLE_DEVICES says which GPUs there are"
        )
    if not number:
        number = str(world().local_rank)
    if not number.isdecimal() or int(number) >= torch.cuda.device_count():
        raise UsageError(f"device '{printable(asked)}' asked for; there are {torch.cuda.device_count()} CUDA devices")
    return torch.device("cuda", int(number))


def multiplies_bf16(device: torch.device) -> bool:
    """Whether a CUDA device has tensor cores for bf16: from compute capability 8.0 on."""
    return torch.cuda.get_device_properties(device).major >= 8


def chosen_precision(device: torch.device) -> Precision:
    """bf16 where the device multiplies it fast; else fp16 with loss scaling on CUDA, and fp32 elsewhere."""
    if device.type == "cuda":
        if multiplies_bf16(device):
            return Precision(torch.bfloat16, "which this GPU multiplies")
        return Precision(torch.float16, "this GPU has no bf16", scales=True)
    if device.type == "cpu":
        found = torch.cpu.get_capabilities()
        names = [name for name in ("amx_bf16", "avx512_bf16", "bf16") if found.get(name)]
        if names:
            return Precision(torch.bfloat16, f"this processor has {names[0]}")
        return Precision(torch.float32, "this processor has no fast bf16")
    return Precision(torch.float32, "as MPS does it best")


def said(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return f"CUDA: {torch.cuda.get_device_name(device)}"
    return "MPS" if device.type == "mps" else f"the processor ({torch.get_num_threads()} threads)"


@contextmanager
def joined(world: World, device: torch.device) -> Iterator[None]:
    """A block in which the processes of torchrun can talk to each other; nothing for one alone."""
    if world.size == 1:
        yield
        return
    from torch import distributed

    if device.type == "cuda":
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=timedelta(days=7))  # the others wait while the first one encodes
    try:
        yield
    finally:
        distributed.destroy_process_group()


@contextmanager
def in_turn(world: World) -> Iterator[None]:
    """A block that the first process runs through before the others begin it."""
    from torch import distributed

    if world.rank != 0:
        distributed.barrier()
    yield
    if world.rank == 0 and world.size > 1:
        distributed.barrier()


def told_by_first(number: int, device: torch.device) -> int:
    """The first process's number, in all of them."""
    from torch import distributed

    told = torch.tensor([number], device=device)
    distributed.broadcast(told, 0)
    return int(told)


@contextmanager
def on_threads(threads: int) -> Iterator[None]:
    """A block in which PyTorch computes on so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
