"""The clipped LSTM: by hand, beside a plain loop that PyTorch differentiates, beside its own LSTM."""

import math

import pytest

torch = pytest.importorskip("torch")

from firth.recurrence import library_recurrence, recurrence  # noqa: E402

P, H, B, T = 3, 5, 2, 7
CLIPS = [(None, None), (0.3, None), (None, 0.2), (0.3, 0.2)]


def parameters(scale=1.0, dtype=torch.float64):
    """x, weight, bias, projection, h, c."""
    generator = torch.Generator().manual_seed(0)
    shapes = (2, T, B, P), (4 * P, 4 * H), (8 * H,), (2 * H, P), (2, B, P), (2, B, H)
    return [
        (scale * torch.randn(shape, generator=generator, dtype=torch.float64)).to(dtype).requires_grad_()
        for shape in shapes
    ]


def plain(x, weight, bias, projection, h, c, *, cell_clip, projection_clip):
    """One step after another, one direction after another."""
    ways = []
    for way in (0, 1):
        w, b = weight[2 * P * way : 2 * P * (way + 1)], bias[4 * H * way : 4 * H * (way + 1)]
        before, cell = h[way], c[way]
        outputs, cells = [], []
        for inputs in x[way]:
            i, j, f, o = (torch.cat([inputs, before], 1) @ w + b).chunk(4, 1)
            cell = torch.sigmoid(f + 1) * cell + torch.sigmoid(i) * torch.tanh(j)
            if cell_clip is not None:
                cell = cell.clamp(-cell_clip, cell_clip)
            before = (torch.sigmoid(o) * torch.tanh(cell)) @ projection[H * way : H * (way + 1)]
            if projection_clip is not None:
                before = before.clamp(-projection_clip, projection_clip)
            outputs.append(before)
            cells.append(cell)
        ways.append((torch.stack(outputs), torch.stack(cells)))
    return torch.stack([outputs for outputs, _ in ways]), torch.stack([cells for _, cells in ways])


def test_one_step_by_hand():
    """Gates that are open or shut: the cell is the old one and 1, shown whole, projected by 2."""
    x, h, c = torch.zeros(2, 1, 1, 1), torch.zeros(2, 1, 1), torch.tensor([[[0.25, 1.0]], [[0.5, -1.0]]])
    bias = torch.tensor([60.0, 60, 60, 60, 60, 60, 60, 60])  # i, j, f, o of two cells
    bias = torch.cat([bias, torch.tensor([-60.0, -60, 0, 0, -60, -60, 60, 60])])  # nothing new, nothing kept
    projection = torch.full((4, 1), 2.0)
    outputs, cells = recurrence(x, torch.zeros(4, 8), bias, projection, h, c, cell_clip=None, projection_clip=None)
    torch.testing.assert_close(cells[:, 0, 0], torch.tensor([[1.25, 2.0], [0.0, 0.0]]))
    due = 2 * (math.tanh(1.25) + math.tanh(2.0))
    torch.testing.assert_close(outputs.flatten(), torch.tensor([due, 0.0]))
    outputs, cells = recurrence(x, torch.zeros(4, 8), bias, projection, h, c, cell_clip=1.5, projection_clip=1.0)
    torch.testing.assert_close(cells[:, 0, 0], torch.tensor([[1.25, 1.5], [0.0, 0.0]]))
    torch.testing.assert_close(outputs.flatten(), torch.tensor([1.0, 0.0]))


def test_the_forget_gate_has_1_beside_its_bias():
    zeros = torch.zeros
    c = torch.ones(2, 1, 1)
    _, cells = recurrence(
        zeros(2, 1, 1, 1), zeros(4, 4), zeros(8), zeros(2, 1), zeros(2, 1, 1), c, cell_clip=None, projection_clip=None
    )
    torch.testing.assert_close(cells.flatten(), torch.full((2,), 1 / (1 + math.exp(-1))))


@pytest.mark.parametrize(("cell_clip", "projection_clip"), CLIPS)
def test_values_and_gradients_are_those_of_a_plain_loop(cell_clip, projection_clip):
    clips = {"cell_clip": cell_clip, "projection_clip": projection_clip}
    found, due = (function(*parameters(), **clips) for function in (recurrence, plain))
    for one, other in zip(found, due, strict=True):
        torch.testing.assert_close(one, other)
    for part, clip in zip(due, (projection_clip, cell_clip), strict=True):
        if clip is not None:
            assert 0.1 < (part.abs() == clip).double().mean() < 0.9
    slopes = torch.randn(2, T, B, P, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gradients = []
    for function in (recurrence, plain):
        given = parameters()
        gradients.append(torch.autograd.grad((function(*given, **clips)[0] * slopes).sum(), given))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_its_gradient_is_the_derivative():
    """By differences; the second output is no part of it."""
    torch.autograd.gradcheck(
        lambda *given: recurrence(*given, cell_clip=0.3, projection_clip=0.2)[0], parameters(0.5), fast_mode=True
    )
    assert not recurrence(*parameters(), cell_clip=None, projection_clip=None)[1].requires_grad


def test_nothing_that_is_given_is_changed():
    given = parameters()
    kept = [one.detach().clone() for one in given]
    recurrence(*given, cell_clip=0.3, projection_clip=0.2)[0].sum().backward()
    for one, other in zip(given, kept, strict=True):
        assert torch.equal(one, other)


def test_a_text_in_two_parts_is_the_same_text():
    given = parameters()
    x, *weights, h, c = given
    whole, cells = recurrence(*given, cell_clip=0.3, projection_clip=0.2)
    first, first_cells = recurrence(x[:, :4], *weights, h, c, cell_clip=0.3, projection_clip=0.2)
    second, second_cells = recurrence(
        x[:, 4:], *weights, first[:, -1], first_cells[:, -1], cell_clip=0.3, projection_clip=0.2
    )
    torch.testing.assert_close(torch.cat([first, second], 1), whole)
    torch.testing.assert_close(torch.cat([first_cells, second_cells], 1), cells)


def test_the_librarys_lstm_is_the_one_without_clips():
    found = library_recurrence(*parameters())
    outputs, cells = recurrence(*parameters(), cell_clip=None, projection_clip=None)
    torch.testing.assert_close(found, (outputs, cells[:, -1]))
    gradients = []
    for function in (library_recurrence, lambda *given: recurrence(*given, cell_clip=None, projection_clip=None)):
        given = parameters()
        gradients.append(torch.autograd.grad(function(*given)[0].square().sum(), given))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_products_in_bf16_leave_the_cell_as_it_is():
    given = [one.detach() for one in parameters(0.7, torch.float32)]
    exact = recurrence(*given, cell_clip=0.3, projection_clip=0.2)
    with torch.autocast("cpu", torch.bfloat16):
        outputs, cells = recurrence(*given, cell_clip=0.3, projection_clip=0.2)
    assert (outputs.dtype, cells.dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(outputs.float(), exact[0], atol=0.03, rtol=0.0)
    torch.testing.assert_close(cells, exact[1], atol=0.03, rtol=0.0)


def test_gradients_of_bf16_products_are_nearly_the_exact_ones():
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        given = parameters(0.7, torch.float32)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs, _ = recurrence(*given, cell_clip=None, projection_clip=None)
        outputs.float().square().sum().backward()
        gradients.append([one.grad for one in given])
    for one, other in zip(*gradients, strict=True):
        assert other.dtype == torch.float32
        assert (one - other).norm() < 0.05 * one.norm()
