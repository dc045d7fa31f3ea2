"""An LSTM with a projection, whose cell and projection are clipped, in both directions at once: Sak et al. 2014 (arXiv
1402.1128) without peepholes, as Peters et al. 2018 use it.

With input x, output h of size P and cell c of size H, row vectors on the left:

    z = [x, h] W + b,  in four parts i, j, f, o
    c = clamp(sigmoid(f + 1) c + sigmoid(i) tanh(j))
    h = clamp((sigmoid(o) tanh(c)) W_P)

Both directions run from step 0 on: each gets its input in the order in which it reads. Their matrices stand one below
the other, and their products are made together; those with the input, and all that the gradient sums over the steps,
are one product each for all steps. Under autocast the products are of its type, the cell is not.

    P projection, H cell, B rows, T steps; direction 0 or 1
"""

import warnings
from typing import Any, Final

import torch
from torch import Tensor

FORGET: Final = 1.0
"""Added to the forget gate's scores, beside what its bias has learnt: Jozefowicz et al. 2015."""


def recurrence(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    projection: Tensor,
    h: Tensor,
    c: Tensor,
    *,
    cell_clip: float | None,
    projection_clip: float | None,
) -> tuple[Tensor, Tensor]:
    """(2, T, B, P) the outputs of each step, and (2, T, B, H) its cells, through which no gradient goes.

    Args:
        x: (2, T, B, P) the input of each direction, in the order in which it reads.
        weight: (4 P, 4 H): the rows of x, then those of h, of direction 0; and of direction 1.
        bias: (8 H,).
        projection: (2 H, P).
        h: (2, B, P) the output of the step before.
        c: (2, B, H) its cell.
        cell_clip: The largest size of a cell; None is any.
        projection_clip: The same of an output.
    """
    apply: Any = _Recurrence.apply
    outputs, cells = apply(x, weight, bias, projection, h, c, cell_clip, projection_clip)
    return outputs, cells


class _Recurrence(torch.autograd.Function):
    """See `recurrence`."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        projection: Tensor,
        h: Tensor,
        c: Tensor,
        cell_clip: float | None,
        projection_clip: float | None,
    ) -> tuple[Tensor, Tensor]:
        device = x.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        exact = torch.promote_types(dtype, torch.float32)
        if projection_clip is not None:  # as the type has it, so that what is clipped is known by its size
            projection_clip = torch.tensor(projection_clip, dtype=dtype).item()
        with torch.autocast(device, enabled=False):
            n_steps, n_rows, dim = x.shape[1:]
            of_x, of_h = weight.to(dtype).view(2, 2, dim, -1).unbind(1)  # (2, P, 4 H)
            back = projection.to(dtype).view(2, -1, dim)  # (2, H, P)
            cell_dim = back.shape[1]
            offsets = bias.view(2, 1, 4, cell_dim) + torch.tensor([0, 0, FORGET, 0], device=x.device)[:, None]
            read = x.to(dtype).reshape(2, n_steps * n_rows, dim)
            gates = torch.baddbmm(offsets.to(dtype).flatten(2), read, of_x).view(2, n_steps, n_rows, 4 * cell_dim)
            cells = torch.empty(2, n_steps, n_rows, cell_dim, dtype=exact, device=x.device)
            bent = torch.empty_like(cells)
            outputs = torch.empty(2, n_steps, n_rows, dim, dtype=dtype, device=x.device)
            before, cell = h.to(dtype), c.to(exact)
            for step in range(n_steps):
                of_step = gates[:, step].baddbmm_(before, of_h)
                active = of_step.to(exact)  # the same memory, but under autocast
                i, j, f, o = active.chunk(4, -1)
                i.sigmoid_()
                j.tanh_()
                active[..., 2 * cell_dim :].sigmoid_()
                new = torch.mul(f, cell, out=cells[:, step]).addcmul_(i, j)
                cell = new if cell_clip is None else new.clamp_(-cell_clip, cell_clip)
                if active is not of_step:
                    of_step.copy_(active)
                shown = torch.tanh(cell, out=bent[:, step]) * o
                before = torch.bmm(shown.to(dtype), back)
                if projection_clip is not None:
                    before.clamp_(-projection_clip, projection_clip)
                outputs[:, step] = before
        ctx.save_for_backward(x, weight, projection, h, c, gates, cells, bent, outputs)
        ctx.clips, ctx.dtype, ctx.exact = (cell_clip, projection_clip), dtype, exact
        ctx.mark_non_differentiable(cells)
        return outputs, cells

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, projection, h, c, gates, cells, bent, outputs = ctx.saved_tensors
        (cell_clip, projection_clip), dtype, exact = ctx.clips, ctx.dtype, ctx.exact
        slopes = above[0]
        sigmoid_slope, tanh_slope = torch.ops.aten.sigmoid_backward, torch.ops.aten.tanh_backward
        clamp_slope = torch.ops.aten.hardtanh_backward
        n_steps, _, dim = x.shape[1:]
        whole = weight.to(dtype).view(2, 2, dim, -1)
        of_x, of_h = whole[:, 0].mT, whole[:, 1].mT  # (2, 4 H, P)
        back = projection.to(dtype).view(2, -1, dim).mT  # (2, P, H)
        d_gates, d_projected = torch.empty_like(gates), torch.empty_like(outputs)
        scratch = torch.empty_like(gates[:, 0], dtype=exact)
        d_h = torch.zeros(h.shape, dtype=exact, device=x.device)
        d_cell = torch.zeros(c.shape, dtype=exact, device=x.device)
        for step in reversed(range(n_steps)):
            d_h += slopes[:, step]
            if projection_clip is not None:
                d_h = clamp_slope(d_h, outputs[:, step].to(exact), -projection_clip, projection_clip)
            d_projected[:, step] = d_h
            d_shown = torch.bmm(d_projected[:, step], back).to(exact)
            before = cells[:, step - 1] if step else c.to(exact)
            i, j, f, o = gates[:, step].to(exact).chunk(4, -1)
            d_cell += tanh_slope(d_shown * o, bent[:, step])
            if cell_clip is not None:
                d_cell = clamp_slope(d_cell, cells[:, step], -cell_clip, cell_clip)
            of_step = d_gates[:, step] if dtype == exact else scratch
            d_i, d_j, d_f, d_o = of_step.chunk(4, -1)
            sigmoid_slope.grad_input(d_cell * j, i, grad_input=d_i)
            tanh_slope.grad_input(d_cell * i, j, grad_input=d_j)
            sigmoid_slope.grad_input(d_cell * before, f, grad_input=d_f)
            sigmoid_slope.grad_input(d_shown.mul_(bent[:, step]), o, grad_input=d_o)
            if of_step is scratch:
                d_gates[:, step] = scratch
            d_cell = d_cell * f
            d_h = torch.bmm(d_gates[:, step], of_h).to(exact)
        shown = (gates.chunk(4, -1)[3] * bent).to(dtype)
        d_x, d_weight, d_bias, d_projection = weight_gradients(x, h, outputs, shown, d_gates, d_projected, of_x)
        of_weights = (
            d_weight.view(weight.shape).to(weight.dtype),
            d_bias.to(weight.dtype),
            d_projection.view(projection.shape).to(weight.dtype),
        )
        return d_x.to(x.dtype), *of_weights, d_h.to(h.dtype), d_cell.to(c.dtype), None, None


def weight_gradients(
    x: Tensor, h: Tensor, outputs: Tensor, shown: Tensor, d_gates: Tensor, d_projected: Tensor, of_x: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(2, T, B, P) the gradient of x; those of weight, bias and projection, sums over all steps, for either direction.

    Args:
        x: (2, T, B, P) what was read.
        h: (2, B, P) the output of the step before.
        outputs: (2, T, B, P).
        shown: (2, T, B, H) what was projected to them.
        d_gates: (2, T, B, 4 H) the gradients of the scores.
        d_projected: (2, T, B, P) of the projections, before they were clipped.
        of_x: (2, 4 H, P) the part of the weights that is of x.
    """
    flat = d_gates.flatten(1, 2)  # (2, T B, 4 H)
    earlier = torch.cat([h[:, None].to(flat.dtype), outputs[:, :-1]], 1)
    read = torch.cat([x.to(flat.dtype), earlier], -1).flatten(1, 2)  # (2, T B, 2 P)
    d_x = torch.bmm(flat, of_x).view(x.shape)
    d_weight = torch.bmm(read.mT, flat)
    d_bias = flat.sum(1, dtype=torch.promote_types(flat.dtype, torch.float32)).flatten()
    return d_x, d_weight, d_bias, torch.bmm(shown.flatten(1, 2).mT, d_projected.flatten(1, 2))


def library_recurrence(
    x: Tensor, weight: Tensor, bias: Tensor, projection: Tensor, h: Tensor, c: Tensor
) -> tuple[Tensor, Tensor]:
    """`recurrence` without clips by PyTorch's own LSTM (cuDNN's on a GPU): outputs, and (2, B, H) the last cells.

    The library's gates stand in the order i, f, j, o, and its weights transposed.

    Args:
        x: As in `recurrence`, and all others.
        weight: (4 P, 4 H).
        bias: (8 H,).
        projection: (2 H, P); where P is H, nothing is projected, and it is not looked at.
        h: (2, B, P).
        c: (2, B, H).
    """
    device = x.device.type
    is_fast = device == "cuda" and torch.is_autocast_enabled(device)  # on a processor the library has none of bf16
    dtype = torch.get_autocast_dtype(device) if is_fast else weight.dtype
    dim, cell_dim = x.shape[-1], c.shape[-1]
    of_x, of_h = (part.mT for part in _reordered(weight.view(2, 2, dim, -1)).unbind(1))  # (2, 4 H, P)
    forget = torch.zeros(4, device=x.device)
    forget[1] = FORGET
    offsets = _reordered(bias.view(2, -1)) + forget.repeat_interleave(cell_dim)
    nothing = torch.zeros_like(offsets)
    back = projection.view(2, cell_dim, dim).mT
    outputs, cells = [], []
    with warnings.catch_warnings(), torch.autocast(device, enabled=False):
        warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous")  # they are copies
        warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
        for way in (0, 1):
            parts = [of_x[way], of_h[way], offsets[way], nothing[way], back[way]]
            weights = [part.to(dtype).contiguous() for part in (parts if cell_dim > dim else parts[:-1])]
            state = (h[way : way + 1].to(dtype), c[way : way + 1].to(dtype))
            read, trains = x[way].to(dtype), torch.is_grad_enabled()
            output, _, cell = torch.lstm(read, state, weights, True, 1, 0.0, trains, False, False)
            outputs.append(output)
            cells.append(cell[0])
    return torch.stack(outputs), torch.stack(cells)


def _reordered(scores: Tensor) -> Tensor:
    """(..., 4 H): the second and the third part exchanged."""
    i, j, f, o = scores.chunk(4, -1)
    return torch.cat([i, f, j, o], -1)
