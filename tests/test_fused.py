"""The recurrence in few kernels and as graphs: the same numbers as the plain one, whatever is left out.

No graph can be had without a GPU: here one is simulated, which works in memory of its own just so.
"""

import copy
import shutil
from contextlib import contextmanager, nullcontext

import pytest

torch = pytest.importorskip("torch")

from test_recurrence import CLIPS, B, P, T, parameters  # noqa: E402

from firth import fused  # noqa: E402
from firth.fused import FusedRecurrence  # noqa: E402
from firth.recurrence import recurrence  # noqa: E402


def simulated(work, device):
    """As `fused.captured`: each time the same tensors are filled anew from what is in the same memory."""
    made = work()

    def replay():
        for held, tensor in zip(made, work(), strict=True):
            held.copy_(tensor)

    return replay, made


@pytest.fixture
def graphs(monkeypatch):
    """Graphs on a processor; how many were made."""
    made = []

    def captured(work, device):
        made.append(device)
        return simulated(work, device)

    monkeypatch.setattr(fused, "captures", lambda device: True)
    monkeypatch.setattr(fused, "captured", captured)
    return made


def texts(n, seed=0, rows=B):
    """So many batches, each with slopes of its own."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(n):
        yield tuple(torch.randn(2, T, rows, P, dtype=torch.float64, generator=generator) for _ in (0, 1))


def gradients(function, x, slopes, given):
    _, *weights, h, c = given
    rows = x.shape[2]
    h, c = (state[:, :1].expand(-1, rows, -1).detach().clone().requires_grad_() for state in (h, c))
    leaves = [x.clone().requires_grad_(), *weights, h, c]
    outputs, cells = function(*leaves)
    return outputs, cells, torch.autograd.grad((outputs * slopes).sum(), leaves)


def both(fast, clips, x, slopes, given):
    """What the fused recurrence and the plain one make of a batch."""
    found = gradients(fast, x, slopes, given)
    outputs, cells, due = gradients(lambda *leaves: recurrence(*leaves, **clips), x, slopes, given)
    return found, (outputs, cells[:, -1], due)


@pytest.mark.parametrize(("cell_clip", "projection_clip"), CLIPS)
def test_values_and_gradients_are_those_of_the_plain_one(cell_clip, projection_clip):
    fast, given = FusedRecurrence(cell_clip, projection_clip, compiles=False, launches_graphs=True), parameters()
    clips = {"cell_clip": cell_clip, "projection_clip": projection_clip}
    for x, slopes in texts(2):
        torch.testing.assert_close(*both(fast, clips, x, slopes, given))


@pytest.mark.parametrize(("cell_clip", "projection_clip"), CLIPS)
def test_graphs_find_the_same_batch_after_batch(graphs, cell_clip, projection_clip):
    """What one batch has left in their memory does not come into the next, nor into what was handed out."""
    fast, given = FusedRecurrence(cell_clip, projection_clip, compiles=False, launches_graphs=True), parameters()
    clips = {"cell_clip": cell_clip, "projection_clip": projection_clip}
    kept = []
    for x, slopes in texts(3):
        found, due = both(fast, clips, x, slopes, given)
        torch.testing.assert_close(found, due)
        kept.append((found, copy.deepcopy([tensor.detach() for tensor in (*found[:2], *found[2])])))
    assert len(graphs) == 2  # one forward, one back
    for found, before in kept:
        for one, other in zip((*found[:2], *found[2]), before, strict=True):
            assert torch.equal(one, other)
    with torch.no_grad():
        for weight in given[1:4]:
            weight.mul_(0.5)  # as the optimiser changes them in place
    for x, slopes in texts(1, seed=1):
        torch.testing.assert_close(*both(fast, clips, x, slopes, given))
    assert len(graphs) == 2


def test_a_second_batch_before_the_firsts_gradient_is_not_mixed_up(graphs):
    fast, given = FusedRecurrence(0.3, 0.2, compiles=False, launches_graphs=True), parameters()
    clips = {"cell_clip": 0.3, "projection_clip": 0.2}
    _, *weights, h, c = given
    (x, slopes), (other, more) = texts(2)
    first, _ = fast(x, *weights, h, c)
    second, _ = fast(other, *weights, h, c)
    found = [torch.autograd.grad((one * by).sum(), weights) for one, by in ((second, more), (first, slopes))]
    for gradient, (text, by) in zip(found, ((other, more), (x, slopes)), strict=True):
        outputs, _ = recurrence(text, *weights, h, c, **clips)
        torch.testing.assert_close(gradient, torch.autograd.grad((outputs * by).sum(), weights))
    assert len(graphs) == 2  # of the first; the second went without


def test_a_batch_whose_gradient_nobody_takes_is_forgotten(graphs):
    fast, given = FusedRecurrence(None, None, compiles=False, launches_graphs=True), parameters()
    x, *rest = given
    assert fast(x, *rest)[0].shape == x.shape  # as where the memory was full, and all of it is done again
    assert fast._asked is not None
    assert fast._asked() is None


def test_graphs_are_kept_of_few_shapes(graphs):
    fast, given = FusedRecurrence(0.3, 0.2, compiles=False, launches_graphs=True), parameters()
    clips = {"cell_clip": 0.3, "projection_clip": 0.2}
    for rows in (4, 3, 2, 4, 2):
        for x, slopes in texts(1, rows, rows):
            torch.testing.assert_close(*both(fast, clips, x, slopes, given))
    assert len(graphs) == 2 * fused.MOST_SHAPES
    assert not copy.deepcopy(fast)._graphs


def test_products_in_bf16_are_those_of_the_plain_one(graphs):
    """Bits may differ where sums are taken in another order."""
    given = [one.detach().float().requires_grad_() for one in parameters(0.7)]
    fast = FusedRecurrence(0.3, 0.2, compiles=False, launches_graphs=True)
    clips = {"cell_clip": 0.3, "projection_clip": 0.2}
    for x, slopes in texts(2):
        with torch.autocast("cpu", torch.bfloat16):
            found, due = both(fast, clips, 0.7 * x.float(), slopes.float(), given)
        assert [tensor.dtype for tensor in found[:2]] == [torch.bfloat16, torch.float32]
        assert {gradient.dtype for gradient in found[2]} == {torch.float32}
        torch.testing.assert_close(found[0], due[0], rtol=0, atol=0.02)
        torch.testing.assert_close(found[1], due[1], rtol=0, atol=0.02)
        for one, other in zip(found[2], due[2], strict=True):
            assert (one - other).norm() < 0.05 * other.norm()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's own, at the first import of its compiler
@pytest.mark.skipif(shutil.which("c++") is None and shutil.which("g++") is None, reason="needs a C++ compiler")
def test_what_torch_compiles_finds_the_same():
    fast, given = FusedRecurrence(0.3, 0.2, compiles=True, launches_graphs=True), parameters()
    for x, slopes in texts(2):
        torch.testing.assert_close(*both(fast, {"cell_clip": 0.3, "projection_clip": 0.2}, x, slopes, given))
    torch._dynamo.reset()


def test_graphs_are_left_out_unless_asked_for(graphs):
    fast, given = FusedRecurrence(0.3, 0.2, compiles=False, launches_graphs=False), parameters()
    for one in (fast, copy.deepcopy(fast)):
        for x, slopes in texts(1):
            torch.testing.assert_close(*both(one, {"cell_clip": 0.3, "projection_clip": 0.2}, x, slopes, given))
    assert not graphs


@pytest.mark.parametrize("fails", ["work", "end"])
def test_a_capture_that_fails_leaves_the_stream_as_it_was(monkeypatch, fails):
    """CUDA's part is played: it tells which stream is the current one, and whether a capture goes on."""
    current, capturing, turns = ["here"], [], []

    class Stream:
        def wait_stream(self, other):
            pass

    class Graph:
        def capture_begin(self, **options):
            capturing.append(current[-1])

        def capture_end(self):
            capturing.pop()
            if fails == "end":
                raise RuntimeError("cudaErrorStreamCaptureInvalidated")

    def work():
        turns.append(current[-1])
        if capturing and fails == "work":
            raise RuntimeError("operation not permitted when stream is capturing")
        return ()

    @contextmanager
    def stream_of(stream):
        current.append(stream)
        try:
            yield
        finally:
            current.pop()

    for name, value in {
        "device": lambda device: nullcontext(), "current_stream": Stream, "Stream": Stream, "stream": stream_of,
        "CUDAGraph": Graph, "synchronize": lambda: None, "empty_cache": lambda: None,
    }.items():  # fmt: skip
        monkeypatch.setattr(torch.cuda, name, value)
    with pytest.raises(fused.CaptureError, match="--compile auto, or --compile never"):
        fused.captured(work, torch.device("cuda"))
    assert current == ["here"]
    assert not capturing
    assert len(turns) == 3
    assert len(set(turns)) == 1  # all apart


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("compiles", [False, True])
def test_a_gpus_graphs_find_the_same(compiles):
    given = [one.detach().float().cuda().requires_grad_() for one in parameters()]
    fast = FusedRecurrence(0.3, 0.2, compiles=compiles, launches_graphs=True)
    clips = {"cell_clip": 0.3, "projection_clip": 0.2}
    for x, slopes in texts(3):
        found, due = both(fast, clips, x.float().cuda(), slopes.float().cuda(), given)
        torch.testing.assert_close(found, due, rtol=1e-4, atol=1e-4)
    assert len(fast._graphs) == 1
