"""`recurrence` for training on a GPU: the same numbers from fewer kernels, which are launched as one.

On a GPU a step of the recurrence is bounded by what its many small kernels read and write, and by the processor that
launches them. Here all of a step but its two products is one function of its numbers, forward and back, which
torch.compile makes a kernel of each; and all steps of a batch, forward and back, may be a CUDA graph each, which is
launched at once. The functions are whole without either. No graph has run on a GPU yet: they are for who asks for them.

A graph works in memory of its own, in which the next batch overwrites what this one left. So a layer that is asked
again before its gradient was taken goes the plain way, as do shapes beyond the first few.

    P projection, H cell, B rows, T steps; direction 0 or 1
"""

import weakref
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import torch
from torch import Tensor

from firth.errors import FirthError
from firth.files import printable
from firth.recurrence import FORGET, weight_gradients

MOST_SHAPES: Final = 2  # of batches, whose graphs are kept: whole micro-batches, and the rest of a batch
_TURNS_BEFORE: Final = 2  # without a graph: what is compiled or chosen at first sight stands then


class CaptureError(FirthError):
    """No CUDA graph could be made of a batch."""


Step = Callable[[Tensor, Tensor, float | None], tuple[Tensor, Tensor, Tensor]]
Slope = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, float | None], tuple[Tensor, Tensor]]


def step(scores: Tensor, cell: Tensor, clip: float | None) -> tuple[Tensor, Tensor, Tensor]:
    """(2, B, 4 H) the gates, (2, B, H) the cell and what is shown of it: a step, but for its products.

    Args:
        scores: (2, B, 4 H) of i, j, f, o.
        cell: (2, B, H) of the step before.
        clip: The largest size of a cell; None is any.
    """
    i, j, f, o = scores.to(cell.dtype).chunk(4, -1)
    i, j, f, o = i.sigmoid(), j.tanh(), f.sigmoid(), o.sigmoid()
    cell = f * cell + i * j
    if clip is not None:
        cell = cell.clamp(-clip, clip)
    return torch.cat([i, j, f, o], -1).to(scores.dtype), cell, (cell.tanh() * o).to(scores.dtype)


def slope(
    d_shown: Tensor, d_cell: Tensor, gates: Tensor, cell: Tensor, before: Tensor, clip: float | None
) -> tuple[Tensor, Tensor]:
    """(2, B, 4 H) the gradient of a step's scores, and (2, B, H) of the cell before it.

    Args:
        d_shown: (2, B, H) of what was shown.
        d_cell: (2, B, H) of the cell, from later steps.
        gates: (2, B, 4 H) as `step` found them.
        cell: (2, B, H) the same.
        before: (2, B, H) the cell of the step before.
        clip: As of `step`.
    """
    i, j, f, o = gates.to(cell.dtype).chunk(4, -1)
    d_shown, bent = d_shown.to(cell.dtype), cell.tanh()
    d_cell = d_cell + d_shown * o * (1 - bent * bent)
    if clip is not None:
        d_cell = torch.where(cell.abs() < clip, d_cell, torch.zeros_like(d_cell))
    d_scores = [
        d_cell * j * i * (1 - i),
        d_cell * i * (1 - j * j),
        d_cell * before * f * (1 - f),
        d_shown * bent * o * (1 - o),
    ]
    return torch.cat(d_scores, -1).to(gates.dtype), d_cell * f


class _Given(NamedTuple):
    """What a layer reads, in the products' type but for the cell."""

    x: Tensor  # (2, T, B, P)
    of_x: Tensor  # (2, P, 4 H)
    of_h: Tensor  # (2, P, 4 H)
    offsets: Tensor  # (2, 1, 4 H)
    back: Tensor  # (2, H, P)
    h: Tensor  # (2, B, P)
    c: Tensor  # (2, B, H)


class _Graphs(NamedTuple):
    """A layer's graphs for batches of one shape, and the memory in which they work."""

    given: _Given
    slopes: Tensor  # (2, T, B, P) of the outputs
    forward: Callable[[], object]
    made: tuple[Tensor, ...]
    backward: Callable[[], object]
    gradients: tuple[Tensor, ...]


class FusedRecurrence:
    """`recurrence` of one layer, in training: outputs (2, T, B, P), and (2, B, H) the last cells.

    Attributes:
        step: `step`, or what torch.compile makes of it.
        slope: `slope`, the same.
    """

    def __init__(
        self, cell_clip: float | None, projection_clip: float | None, *, compiles: bool, launches_graphs: bool
    ) -> None:
        """A layer of these clips.

        Args:
            cell_clip: As of `recurrence`.
            projection_clip: The same.
            compiles: Whether torch.compile makes kernels, at the first call.
            launches_graphs: Whether batches are launched as graphs, where the device has them.
        """
        self.cell_clip, self.projection_clip, self.compiles = cell_clip, projection_clip, compiles
        self.launches_graphs = launches_graphs
        self.step: Step = torch.compile(step, dynamic=False) if compiles else step
        self.slope: Slope = torch.compile(slope, dynamic=False) if compiles else slope
        self._graphs: dict[Any, _Graphs] = {}
        self._asked: weakref.ref[Any] | None = None  # who awaits a gradient, if anyone

    def __deepcopy__(self, memo: Any) -> "FusedRecurrence":
        """The same without graphs, whose memory is its own."""
        return FusedRecurrence(
            self.cell_clip, self.projection_clip, compiles=self.compiles, launches_graphs=self.launches_graphs
        )

    def __call__(
        self, x: Tensor, weight: Tensor, bias: Tensor, projection: Tensor, h: Tensor, c: Tensor
    ) -> tuple[Tensor, Tensor]:
        """As `recurrence` has the arguments; the last cells carry no gradient."""
        apply: Any = _Fused.apply
        outputs, cell = apply(self, x, weight, bias, projection, h, c)
        return outputs, cell

    def forward(self, given: _Given) -> tuple[Tensor, ...]:
        """(2, T, B, P) the outputs; then the cells of each step, then the gates of each."""
        n_steps, clip = given.x.shape[1], self._clip(given.x.dtype)
        n_rows = given.x.shape[2]
        scores = torch.baddbmm(given.offsets, given.x.flatten(1, 2), given.of_x).view(2, n_steps, n_rows, -1)
        h, cell = given.h, given.c
        outputs: list[Tensor] = []
        cells: list[Tensor] = []
        gates: list[Tensor] = []
        for of_step in scores.unbind(1):
            active, cell, shown = self.step(of_step.baddbmm_(h, given.of_h), cell, self.cell_clip)
            h = torch.bmm(shown, given.back)
            if clip is not None:
                h = h.clamp(-clip, clip)
            outputs.append(h)
            cells.append(cell)
            gates.append(active)
        return torch.stack(outputs, 1), *cells, *gates

    def backward(self, given: _Given, made: tuple[Tensor, ...], slopes: Tensor) -> tuple[Tensor, ...]:
        """The gradients of x, weight, bias, projection, h and c."""
        n_steps, clip = given.x.shape[1], self._clip(given.x.dtype)
        outputs, cells, gates = made[0], made[1 : n_steps + 1], made[n_steps + 1 :]
        of_h, back = given.of_h.mT, given.back.mT
        d_h, d_cell = torch.zeros_like(given.h, dtype=given.c.dtype), torch.zeros_like(given.c)
        d_gates: list[Tensor] = []
        d_projected: list[Tensor] = []
        for number in reversed(range(n_steps)):
            d_h = d_h + slopes[:, number]
            if clip is not None:
                d_h = torch.where(outputs[:, number].abs() < clip, d_h, torch.zeros_like(d_h))
            d_projected.append(d_h.to(outputs.dtype))
            before = cells[number - 1] if number else given.c
            d_shown = torch.bmm(d_projected[-1], back)
            d_scores, d_cell = self.slope(d_shown, d_cell, gates[number], cells[number], before, self.cell_clip)
            d_gates.append(d_scores)
            d_h = torch.bmm(d_scores, of_h).to(given.c.dtype)
        shown = [
            (gate.chunk(4, -1)[3] * cell.tanh()).to(outputs.dtype) for gate, cell in zip(gates, cells, strict=True)
        ]
        of_shown, of_gates, of_projected = (
            torch.stack(parts, 1) for parts in (shown, d_gates[::-1], d_projected[::-1])
        )
        of_weights = weight_gradients(given.x, given.h, outputs, of_shown, of_gates, of_projected, given.of_x.mT)
        return *of_weights, d_h, d_cell

    def graphs(self, given: _Given) -> _Graphs | None:
        """The graphs for what is given; None where there is none, or a gradient of the last batch is still awaited."""
        is_awaited = self._asked is not None and self._asked() is not None
        if is_awaited or not (self.launches_graphs and captures(given.x.device)):
            return None
        key = (given.x.shape, given.x.dtype, given.x.device)
        if key not in self._graphs and len(self._graphs) < MOST_SHAPES:
            held = _Given(*(tensor.clone(memory_format=torch.contiguous_format) for tensor in given))
            slopes = torch.zeros_like(held.x)
            forward, made = captured(lambda: self.forward(held), held.x.device)
            backward, gradients = captured(lambda: self.backward(held, made, slopes), held.x.device)
            self._graphs[key] = _Graphs(held, slopes, forward, made, backward, gradients)
        return self._graphs.get(key)

    def _clip(self, dtype: torch.dtype) -> float | None:
        """The largest output, as a type has it, so that what was clipped is known by its size."""
        return None if self.projection_clip is None else torch.tensor(self.projection_clip, dtype=dtype).item()


def captures(device: torch.device) -> bool:
    """Whether batches on a device are launched as graphs."""
    return device.type == "cuda"


def captured(
    work: Callable[[], tuple[Tensor, ...]], device: torch.device
) -> tuple[Callable[[], object], tuple[Tensor, ...]]:
    """What launches all kernels of `work` at once, and the tensors that they fill each time.

    Whatever happens, the current stream is afterwards the one that it was.

    Raises:
        CaptureError: `work` runs, but no graph can be made of it.
    """
    with torch.cuda.device(device):
        here, apart = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
        apart.wait_stream(here)
        with torch.cuda.stream(apart):
            for _ in range(_TURNS_BEFORE):
                work()
        here.wait_stream(apart)
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()  # a graph takes memory of its own
        try:
            with torch.cuda.stream(apart):
                # Other threads go on meanwhile: batches are made in one, and put into memory that a GPU reads.
                graph.capture_begin(capture_error_mode="thread_local")
                try:
                    made = work()
                finally:
                    graph.capture_end()
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            first = printable(str(error).strip().partition("\n")[0])[:200]
            raise CaptureError(
                f"no CUDA graph can be made of a batch here ({first}); go on without graphs: --compile auto, or "
                "--compile never, with --resume where a checkpoint was written"
            ) from error
    return graph.replay, made


class _Awaiting:
    """Stands for a gradient that is still to be taken; gone when it is, or when nobody can ask for it any more."""


class _Fused(torch.autograd.Function):
    """See `FusedRecurrence`."""

    @staticmethod
    def forward(
        ctx: Any,
        fused: FusedRecurrence,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        projection: Tensor,
        h: Tensor,
        c: Tensor,
    ) -> tuple[Tensor, Tensor]:
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        exact = torch.promote_types(dtype, torch.float32)
        with torch.autocast(device, enabled=False):
            dim, cell_dim = x.shape[-1], c.shape[-1]
            of_x, of_h = weight.to(dtype).view(2, 2, dim, -1).unbind(1)
            offsets = bias.view(2, 1, 4, cell_dim).clone()
            offsets[:, :, 2] += FORGET
            back = projection.to(dtype).view(2, cell_dim, dim)
            given = _Given(x.to(dtype), of_x, of_h, offsets.to(dtype).flatten(2), back, h.to(dtype), c.to(exact))
            graphs = fused.graphs(given)
            if graphs is None:
                made = fused.forward(given)
            else:
                for held, tensor in zip(graphs.given, given, strict=True):
                    held.copy_(tensor)
                graphs.forward()
                made = graphs.made
                ctx.awaiting = _Awaiting()
                fused._asked = weakref.ref(ctx.awaiting)
        ctx.fused, ctx.graphs = fused, graphs
        ctx.given, ctx.made = (given, made) if graphs is None else (None, None)
        ctx.types = [tensor.dtype for tensor in (x, weight, bias, projection, h, c)]
        ctx.shapes = [tensor.shape for tensor in (x, weight, bias, projection, h, c)]
        outputs, cell = made[0].clone(), made[x.shape[1]].clone()  # none of what the gradient is made from
        ctx.mark_non_differentiable(cell)
        return outputs, cell

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        graphs: _Graphs | None = ctx.graphs
        if graphs is None:
            gradients = ctx.fused.backward(ctx.given, ctx.made, above[0])
        else:
            graphs.slopes.copy_(above[0])
            graphs.backward()
            gradients = graphs.gradients
        found = [
            gradient.view(shape).to(dtype, copy=graphs is not None)
            for gradient, shape, dtype in zip(gradients, ctx.shapes, ctx.types, strict=True)
        ]
        ctx.awaiting = ctx.given = ctx.made = None
        return None, *found
