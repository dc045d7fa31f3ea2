"""The loop of the families that PyTorch trains, on a family of one table: memory, precision, clock, what goes wrong."""

import json
import math
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from firth import batches, descent, devices, memory, runs, speeds  # noqa: E402
from firth.budget import Budget, Report  # noqa: E402
from firth.devices import Precision, World  # noqa: E402
from firth.errors import FirthError, UsageError  # noqa: E402
from firth.families.family import Loss  # noqa: E402
from firth.fused import CaptureError  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.progress import Lines, Silent  # noqa: E402

V = 16


@pytest.fixture(autouse=True)
def one_thread():
    """Threads wait for each other longer than products this small take."""
    with devices.on_threads(1):
        yield


class Batch(NamedTuple):
    ids: Any  # (B, T)
    lengths: Any  # (B,)
    n_tokens: int


class Text(NamedTuple):
    n_tokens: int = 4000

    def tokens_before(self, number: int) -> int:
        return 40 * number


class Bigrams(torch.nn.Module):
    """Each token's row holds the scores of the next one."""

    def __init__(self, seed: int, dropout: float) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.table = torch.nn.Parameter(torch.randn(V, V, generator=generator) * 0.02)
        self.dropout = dropout

    def forward(self, ids: Any) -> Any:
        scores = torch.nn.functional.embedding(ids, self.table)
        return torch.nn.functional.dropout(scores, self.dropout, self.training)


@dataclass(frozen=True)
class Family:
    """Tokens that count up, and the table that learns it."""

    name: ClassVar[str] = "gpt"
    batch_size: int = 8
    learning_rate: float = 0.1
    dropout: float = 0.0
    longest_gradient: float = 1.0

    def network(self, n_entries: int, seed: int) -> Bigrams:
        return Bigrams(seed, self.dropout)

    def batch(self, text: Text, number: int, seed: int) -> Batch:
        rng = np.random.default_rng([seed, number])
        ids = (rng.integers(0, V, (self.batch_size, 1)) + np.arange(6)) % V
        lengths = rng.integers(2, 7, self.batch_size)
        return Batch(ids, lengths, int(lengths.sum()))

    def held_out(self, text: Text) -> list[Batch]:
        return [self.batch(text, 10**6, 0), self.batch(text, 10**6 + 1, 0)]

    def loss(self, network: Bigrams, batch: Batch) -> Loss:
        scores = network(batch.ids[:, :-1])
        nats = torch.nn.functional.cross_entropy(scores.flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none")
        is_there = torch.arange(1, batch.ids.shape[1]) < batch.lengths[:, None]
        mean = (nats.view(is_there.shape) * is_there).sum() / is_there.sum()
        return Loss(mean, {"next_token": mean}, is_there.sum())

    def optimizer(self, network: Bigrams) -> Any:
        return torch.optim.AdamW(network.parameters(), lr=self.learning_rate)

    def rate(self, fraction: float) -> float:
        return self.learning_rate * (1 - fraction)


class Entries(NamedTuple):
    """What `measured_speed` asks of pieces."""

    n_entries: int


CPU = torch.device("cpu")


def run_of(family: Family = Family(), tokens: float = 4000, **changes: Any) -> runs.Run:
    model = Model(family, None, family.network(V, 1), {})  # type: ignore[arg-type]
    return runs.Run(model, Budget(**({"tokens": tokens} | changes)), 1)


def loop_of(run: runs.Run, progress: Any = None, on_report: Any = None, **changes: Any) -> descent.Loop:
    arguments: dict[str, Any] = {"precision": Precision(torch.float32, "it is asked for")} | changes
    return descent.Loop(run, Text(), CPU, progress or Silent(), on_report, None, **arguments)


def table(run: runs.Run) -> Any:
    return run.model.network.table.detach().clone()


def test_it_learns_and_says_how_it_stands(monkeypatch, capsys):
    import sys

    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.0)
    reports: list[Report] = []
    run = run_of()
    loop_of(run, Lines(sys.stderr), reports.append, baselines={"ln V": math.log(V), "unigram": 2.5}).run()
    record = run.model.record
    assert record["finished"] is True
    assert record["spent"]["tokens"] == 4000
    assert record["held_out_nats"]["before"] == pytest.approx(math.log(V), rel=0.02)
    assert record["held_out_nats"]["last"] < 0.5 * record["held_out_nats"]["before"]
    assert record["loss_nats"] < record["mean_loss_nats"] < math.log(V)
    assert sum(report.n_pairs for report in reports) == record["spent"]["n_pairs"]
    total = sum(report.loss_nats * report.n_pairs for report in reports)
    assert total / record["spent"]["n_pairs"] == pytest.approx(record["mean_loss_nats"])
    assert 5 <= sum("held_out_nats" in line for line in run.model.log) <= 11
    said = capsys.readouterr().err
    assert "held-out loss before training: 2.7" in said
    assert "held-out loss after training" in said
    assert "tokens/s, loss" in said
    assert "ln V 2.77, unigram 2.50" in said


def test_a_micro_batch_changes_nothing_but_rounding():
    whole, parted = run_of(), run_of()
    parted.rows = 3
    loop_of(whole).run()
    loop_of(parted).run()
    torch.testing.assert_close(table(parted), table(whole), rtol=1e-3, atol=1e-4)
    assert parted.model.record["mean_loss_nats"] == pytest.approx(whole.model.record["mean_loss_nats"], rel=1e-5)


FULL = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory"),
)


@pytest.mark.parametrize("error", FULL, ids=["cuda", "mps", "cpu"])
def test_a_batch_that_does_not_fit_is_halved_and_added_up(monkeypatch, capsys, error):
    """A device whose memory holds 2 rows: the steps are those of the whole batch, in the same order."""
    import sys

    whole, small = run_of(), run_of()
    loop_of(whole).run()
    fitting, sizes = Family.loss, []

    def loss(family: Family, network: Any, batch: Batch) -> Loss:
        sizes.append(len(batch.ids))
        if len(batch.ids) > 2 and network.training:
            raise error
        return fitting(family, network, batch)

    monkeypatch.setattr(Family, "loss", loss)
    loop_of(small, Lines(sys.stderr)).run()
    said = capsys.readouterr().err
    assert "out of memory with 8 rows at a time: going on with 4, added up to the same batch of 8" in said
    assert "out of memory with 4 rows at a time: going on with 2" in said
    assert small.rows == 2
    assert sizes.count(8) <= 1 + 2 * 2  # of training, the first alone; the others are held out
    torch.testing.assert_close(table(small), table(whole), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("error", FULL, ids=["cuda", "mps", "cpu"])
def test_a_held_out_batch_that_does_not_fit_is_halved_too(monkeypatch, capsys, error):
    import sys

    whole, small = run_of(), run_of()
    loop_of(whole).run()
    fitting = Family.loss

    def loss(family: Family, network: Any, batch: Batch) -> Loss:
        if len(batch.ids) > 3:
            raise error
        return fitting(family, network, batch)

    monkeypatch.setattr(Family, "loss", loss)
    loop_of(small, Lines(sys.stderr)).run()
    assert small.rows == 2
    said = capsys.readouterr().err
    assert said.index("going on with 4") < said.index("going on with 2") < said.index("held-out loss before training")
    losses = [dict(run.held_out) for run in (whole, small)]
    shared = losses[0].keys() & losses[1].keys()  # the clock decides how many there are between the first and the last
    assert {0.0, 1.0} <= shared
    for fraction in shared:
        assert losses[1][fraction] == pytest.approx(losses[0][fraction], rel=1e-3)


def test_a_network_that_the_device_does_not_hold_is_told(monkeypatch):
    def to(network: Any, device: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(Bigrams, "to", to)
    with pytest.raises(memory.TooLargeError, match=r"does not hold the network.*smaller --preset"):
        loop_of(run_of())


@pytest.mark.parametrize("error", FULL, ids=["cuda", "mps", "cpu"])
def test_a_size_that_does_not_fit_has_no_speed(monkeypatch, error):
    assert speeds.measured_speed(Family(), Text(), Entries(V), CPU, 0.01) > 0

    def fail(*arguments: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", fail)
        assert speeds.measured_speed(Family(), Text(), Entries(V), CPU, 0.01) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Family, "loss", fail)
        assert speeds.measured_speed(Family(), Text(), Entries(V), CPU, 0.01) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Bigrams, "to", fail)
        assert speeds.measured_speed(Family(), Text(), Entries(V), CPU, 0.01) == 0


def test_a_row_that_does_not_fit_ends_the_run(monkeypatch):
    def loss(family: Family, network: Any, batch: Batch) -> Loss:
        raise torch.OutOfMemoryError("CUDA out of memory")

    run = run_of()
    loop = loop_of(run)
    monkeypatch.setattr(Family, "loss", loss)
    monkeypatch.setattr(loop, "evaluate", lambda: None)
    with pytest.raises(FirthError, match=r"does not hold one row of 6 tokens.*--context-length"):
        loop.run()


@pytest.mark.parametrize("error", FULL, ids=["cuda", "mps", "cpu"])
def test_an_optimiser_that_does_not_fit_ends_the_run(monkeypatch, error):
    def step(optimizer: Any, *arguments: Any) -> None:
        raise error

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    with pytest.raises(FirthError, match=r"does not hold the network.*smaller --preset"):
        loop_of(run_of()).run()


def test_other_errors_are_not_taken_for_full_memory(monkeypatch):
    def loss(family: Family, network: Any, batch: Batch) -> Loss:
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(Family, "loss", loss)
    with pytest.raises(RuntimeError, match="shapes differ"):
        loop_of(run_of()).run()


def test_a_loss_that_is_no_number_ends_the_run(monkeypatch):
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.0)
    fitting = Family.loss

    def loss(family: Family, network: Any, batch: Batch) -> Loss:
        found = fitting(family, network, batch)
        return found._replace(parts={"next_token": found.mean * math.nan})

    monkeypatch.setattr(Family, "loss", loss)
    with pytest.raises(FirthError, match=r"diverged: the loss is nan .* lower --learning-rate"):
        loop_of(run_of()).run()


def test_a_loss_far_above_what_knowing_nothing_costs_ends_the_run(monkeypatch):
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.0)
    wild = run_of(Family(learning_rate=1e4))
    with pytest.raises(FirthError, match="training diverged"):
        loop_of(wild, baselines={"ln V": math.log(V)}).run()


def test_where_nothing_is_held_out_that_is_told(monkeypatch, capsys):
    import sys

    monkeypatch.setattr(Family, "held_out", lambda family, text: [])
    run = run_of()
    loop_of(run, Lines(sys.stderr)).run()
    said = capsys.readouterr().err
    assert said.count("the corpus is too small to hold a part of it out") == 1
    assert "held_out_nats" not in run.model.record


def test_the_random_state_of_the_process_is_left_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    loop_of(run_of(Family(dropout=0.5))).run()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_seed_repeats_to_the_bit():
    first, second = run_of(Family(dropout=0.5)), run_of(Family(dropout=0.5))
    loop_of(first).run()
    loop_of(second).run()
    assert torch.equal(table(first), table(second))
    assert first.model.record["loss_nats"] == second.model.record["loss_nats"]


def test_minutes_are_kept_and_annealed(monkeypatch):
    monkeypatch.setattr(descent, "SECONDS_BETWEEN_REPORTS", 0.02)
    rates: list[float] = []
    run = run_of(tokens=None, minutes=0.5 / 60)  # type: ignore[arg-type]
    loop_of(run, on_report=lambda report: rates.append(report.learning_rate)).run()
    assert 0.5 <= run.model.record["spent"]["seconds"] < 1.5
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == 0


# --- precision, devices


def test_half_precision_scales_the_loss():
    """fp16 by simulation: autocast's bf16 on the processor with the scaling that fp16 takes."""
    exact, half = run_of(), run_of()
    loop_of(exact).run()
    loop = loop_of(half, precision=Precision(torch.bfloat16, "it is asked for", scales=True))
    loop.run()
    assert half.scale is not None
    assert half.scale["scale"] >= 65536.0
    assert half.model.record["loss_nats"] == pytest.approx(exact.model.record["loss_nats"], rel=0.1)


def test_a_gradient_that_overflows_under_scaling_skips_its_step():
    run = run_of()
    loop = loop_of(run, precision=Precision(torch.bfloat16, "it is asked for", scales=True))
    batch = loop.prepared(0)
    loop.step(0, batch, 0.0)
    before = table(run)
    loop.scaler.update(torch.tensor(math.inf))
    loop.step(1, batch, 0.0)
    assert torch.equal(table(run), before)
    assert torch.isfinite(table(run)).all()


def test_precision_follows_what_the_device_multiplies(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert devices.chosen_precision(CPU).dtype == torch.float32
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert devices.chosen_precision(CPU).dtype == torch.bfloat16
    majors = {0: 7, 1: 8}  # of two GPUs in one machine
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=majors[device.index]))
    for number, due in ((1, "bf16 (which"), (0, "fp16 with loss scaling (this GPU has no bf16)")):
        found = devices.chosen_precision(torch.device("cuda", number))
        assert str(found).startswith(due)
        assert found.scales is (number == 0)


def test_the_device_is_the_fastest_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert devices.chosen_device() == CPU
    with pytest.raises(UsageError, match="device 'cuda' asked for; here there is cpu"):
        devices.chosen_device("cuda")
    with pytest.raises(UsageError, match="device 'tpu'"):
        devices.chosen_device("tpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert devices.chosen_device().type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.chosen_device() == torch.device("cuda", 0)
    assert devices.chosen_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match="there are 2 CUDA devices"):
        devices.chosen_device("cuda:2")
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices.chosen_device() == devices.chosen_device("cuda") == torch.device("cuda", 1)
    with pytest.raises(UsageError, match=r"'cuda:0' asked for by several processes .*--device cuda"):
        devices.chosen_device("cuda:0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # two machines, a process each
    assert devices.chosen_device("cuda:0") == torch.device("cuda", 0)


def test_more_processes_than_rows_are_refused():
    with pytest.raises(UsageError, match="9 processes cannot share a batch of 8 rows"):
        loop_of(run_of(), processes=World(0, 9, 0))


# --- compiling


class Sparse(Family):
    """Every other batch has nothing to predict in its last rows."""

    def batch(self, text: Text, number: int, seed: int) -> Batch:
        batch = super().batch(text, number, seed)
        if number % 2 == 0:
            batch.lengths[self.batch_size // 2 :] = 1
        return batch


def test_a_process_without_anything_to_predict_adds_nothing():
    loops = [loop_of(run_of(Sparse()), processes=World(rank, 2)) for rank in (0, 1)]
    whole = loop_of(run_of(Sparse()))
    batch = whole.prepared(0)
    found = [loop.summed(0, batch) for loop in loops]
    due = whole.summed(0, batch)
    assert found[1].nats.tolist() == [0, 0]
    assert [part.names for part in found] == [due.names] * 2
    torch.testing.assert_close(found[0].nats + found[1].nats, due.nats)
    gradients = [loop.network.table.grad for loop in loops]
    assert not gradients[1].any()
    torch.testing.assert_close(gradients[0] + gradients[1], whole.network.table.grad)


@pytest.mark.slow
def test_two_processes_go_on_where_one_has_nothing_to_predict(tmp_path):
    """By torchrun with gloo on the processor."""
    script = tmp_path / "script.py"
    script.write_text(
        """
import sys
import numpy as np
import torch
sys.path.insert(0, sys.argv[1])
import test_descent as tests
from firth import devices
world = devices.world()
with devices.joined(world, tests.CPU), devices.on_threads(1):
    run = tests.run_of(tests.Sparse(), tokens=400)
    tests.loop_of(run, processes=world).run()
    if world.rank == 0:
        np.save(sys.argv[2], run.model.network.table.detach().numpy())
"""
    )
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, str(script), str(Path(__file__).parent), str(tmp_path / "table.npy")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    run = run_of(Sparse(), tokens=400)
    loop_of(run).run()
    np.testing.assert_allclose(np.load(tmp_path / "table.npy"), table(run).numpy(), rtol=1e-4, atol=1e-6)


def test_without_a_compiler_training_goes_on_eagerly(monkeypatch, capsys):
    import sys

    def no_compiler(function: Any, **options: Any) -> Any:
        def fail(*arguments: Any) -> Any:
            raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\nin a long tale")

        return fail

    eager, compiled = run_of(), run_of()
    loop_of(eager).run()
    monkeypatch.setattr(torch, "compile", no_compiler)
    loop_of(compiled, Lines(sys.stderr), compiles="always").run()
    said = [line for line in capsys.readouterr().err.splitlines() if "compile" in line]
    assert len(said) == 1
    assert "No working C++ compiler found" in said[0]
    assert torch.equal(table(compiled), table(eager))


def test_what_is_compiled_is_used(monkeypatch):
    made = []

    def compile(function: Any, **options: Any) -> Any:
        def compiled(batch: Any) -> Any:
            made.append(len(batch.ids))
            return function(batch)

        return compiled

    monkeypatch.setattr(torch, "compile", compile)
    eager, run = run_of(), run_of()
    loop_of(eager).run()
    loop = loop_of(run, compiles="always")
    loop.run()
    assert len(made) == 101  # once to try it, then every step of 40 tokens
    assert torch.equal(table(run), table(eager))


@pytest.mark.parametrize(
    ("device", "budget", "fraction", "pays"),
    [
        ("cuda", Budget(tokens=4000), 0.01, True),
        ("cuda", Budget(tokens=4000), 0.5, False),
        ("cpu", Budget(minutes=10), 0.01, False),
        ("mps", Budget(minutes=10), 0.01, False),
    ],
)
def test_compiling_pays_with_minutes_to_go(monkeypatch, device, budget, fraction, pays):
    loop = loop_of(run_of())
    loop.device = torch.device(device)
    loop.job.budget = budget
    monkeypatch.setattr(loop, "seconds", lambda: 10.0)
    monkeypatch.setattr(loop, "fraction", lambda: fraction)
    assert loop.compiling_pays() is pays


class Fusing(torch.nn.Module):
    """A table of bigrams that is fused: `fused` makes scores of all ids so far, the last of them those of now."""

    def __init__(self, seed: int, fused: Any) -> None:
        super().__init__()
        self.lstms = torch.nn.ModuleList([Bigrams(seed, 0.0)])
        self.makes, self.fused, self.asked = fused, None, []
        self.seen: list[Any] = []

    @property
    def table(self) -> Any:
        return self.lstms[0].table

    def fuse(self, *, launches_graphs: bool) -> bool:
        self.asked.append(launches_graphs)
        self.fused = self.makes
        return self.fused is not None

    def unfuse(self) -> bool:
        was_fused, self.fused = self.fused is not None, None
        return was_fused

    def forward(self, ids: Any) -> Any:
        if self.fused is None or not self.training:
            return self.lstms[0](ids)
        self.seen.append(ids)
        return self.fused(self.lstms[0], self.seen)


def fusing_run(fused: Any) -> runs.Run:
    run = run_of()
    run.model.network = Fusing(1, fused)
    return run


def test_what_is_fused_is_used(capsys):
    eager, run = fusing_run(None), fusing_run(lambda bigrams, seen: bigrams(seen[-1]))
    loop_of(eager).run()
    loop_of(run, Lines(sys.stderr), compiles="always").run()
    assert len(run.model.network.seen) == 102  # twice to try it, then every step
    assert set(run.model.network.asked) == {True}
    assert "compiled the training step" in capsys.readouterr().err
    assert torch.equal(table(run), table(eager))


def test_graphs_are_launched_only_where_they_are_asked_for(monkeypatch):
    run = fusing_run(lambda bigrams, seen: bigrams(seen[-1]))
    loop = loop_of(run)
    monkeypatch.setattr(loop, "compiling_pays", lambda: True)
    loop.run()
    assert set(run.model.network.asked) == {False}


def test_fused_layers_that_find_other_numbers_are_not_used(capsys):
    """Those that find of every batch what they found of the first."""
    eager, run = fusing_run(None), fusing_run(lambda bigrams, seen: bigrams(seen[0]))
    loop_of(eager).run()
    loop_of(run, Lines(sys.stderr), compiles="always").run()
    said = [line for line in capsys.readouterr().err.splitlines() if "compile" in line or "fused" in line]
    assert len(said) == 1
    assert "fused layers find other numbers than plain ones" in said[0]
    assert "lstms.0.table" in said[0]
    assert len(run.model.network.seen) == 2
    assert torch.equal(table(run), table(eager))


def test_where_nothing_can_be_fused_nothing_is_tried(monkeypatch, capsys):
    run = fusing_run(None)
    loop = loop_of(run, Lines(sys.stderr), compiles="always")
    monkeypatch.setattr(loop, "tried", lambda *_: pytest.fail("it is tried"))
    loop.run()
    assert "compile" not in capsys.readouterr().err


@pytest.mark.parametrize("n_before", [0, 7], ids=["tried", "later"])
def test_fused_layers_that_do_not_fit_are_freed_before_rows_are_halved(capsys, n_before):
    def fused(bigrams: Any, seen: list[Any]) -> Any:
        if len(seen) > n_before:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return bigrams(seen[-1])

    eager, run = fusing_run(None), fusing_run(fused)
    loop_of(eager).run()
    loop_of(run, Lines(sys.stderr), compiles="always").run()
    said = [line for line in capsys.readouterr().err.splitlines() if "out of memory" in line]
    assert len(said) == 1
    assert "out of memory with fused layers" in said[0]
    assert run.rows == eager.rows
    assert torch.equal(table(run), table(eager))


@pytest.mark.parametrize("n_before", [0, 7], ids=["tried", "later"])
def test_a_graph_that_cannot_be_made_ends_the_run_with_a_checkpoint(monkeypatch, n_before):
    def fused(bigrams: Any, seen: list[Any]) -> Any:
        if len(seen) > n_before:
            raise CaptureError("no CUDA graph can be made")
        return bigrams(seen[-1])

    run = fusing_run(fused)
    loop, kept = loop_of(run, compiles="always"), []
    monkeypatch.setattr(loop, "checkpoint", lambda: kept.append(loop.state.next_batch))
    with pytest.raises(FirthError, match="no CUDA graph"):
        loop.run()
    assert kept == [max(0, n_before - 2)]
    assert run.model.network.fused is None


class Carried(NamedTuple):
    h: Any


def test_rows_without_predictions_keep_what_is_remembered():
    class Remembering(Sparse):
        def loss(self, network: Any, batch: Batch, carried: Carried) -> Any:
            loss = super().loss(network, batch)
            return SimpleNamespace(mean=loss.mean, parts=loss.parts, state=Carried(carried.h + 1))

    loop = loop_of(run_of(Remembering()))
    loop.job.rows = 2
    loop.carried = Carried(torch.arange(8.0)[:, None])
    found = loop.summed(0, loop.prepared(0))  # its last 4 rows have nothing to predict
    assert found.carried.h[:, 0].tolist() == [1, 2, 3, 4, 4, 5, 6, 7]


def test_a_score_that_is_no_number_is_the_lowest():
    loop = loop_of(run_of())
    for score in (math.nan, -3.0, math.nan):
        loop.ask(descent.Judge(lambda score=score: score, 3), 0.1)
    assert loop.job.best is not None
    assert (loop.job.best.score, loop.job.best.n_since) == (-3.0, 1)


# --- batches


def test_batches_come_in_order_from_a_thread():
    with batches.ahead(lambda number: (number, threading.current_thread().name), 3) as made:
        found = [next(made) for _ in range(4)]
    assert [number for number, _ in found] == [3, 4, 5, 6]
    assert {name for _, name in found} == {"firth-batches"}
    assert not [thread for thread in threading.enumerate() if thread.name == "firth-batches"]


def test_an_error_of_that_thread_is_raised():
    def made(number: int) -> int:
        if number == 2:
            raise MemoryError("no more rows")
        return number

    with batches.ahead(made, 0) as given:
        assert [next(given), next(given)] == [0, 1]
        with pytest.raises(MemoryError, match="no more rows"):
            next(given)


class Masked(NamedTuple):
    ids: Any
    segments: Any
    masked: Any
    targets: Any
    weights: Any
    next_sentence: Any


def test_a_batch_reaches_the_device_without_its_numbers():
    moved = batches.moved(batches.tensors(Family().batch(Text(), 0, 1)), CPU)
    assert moved.n_tokens is None
    assert moved.ids.shape == (8, 6)


def test_rows_of_a_masked_batch_keep_their_masks():
    ids = torch.arange(24).view(4, 6)
    masked = torch.tensor([1, 7, 9, 13, 23, 0])
    batch = Masked(ids, None, masked, masked + 100, torch.tensor([1.0, 1, 1, 1, 1, 0]), torch.tensor([0, 1, 0, 1]))
    part = batches.cut(batch, 1, 3)
    assert part.ids.tolist() == ids[1:3].tolist()
    assert part.next_sentence.tolist() == [1, 0]
    assert part.masked.tolist() == [1, 3, 7]
    assert part.ids.flatten()[part.masked].tolist() == [7, 9, 13]
    assert part.targets.tolist() == [107, 109, 113]
    assert batches.n_predictions(part) == 3
    assert batches.n_predictions(batch) == 5
    assert batches.cut(batch, 0, 4) is batch


# --- the optimiser on disk


@pytest.mark.parametrize("make", [torch.optim.AdamW, lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.9)])
def test_an_optimiser_is_read_as_it_was_written(tmp_path, make):
    network = torch.nn.Linear(3, 2)
    optimizer = make(network.parameters())
    for _ in range(3):
        network(torch.ones(1, 3)).sum().backward()
        optimizer.step()
    told = runs._write_optimizer(tmp_path / "optimizer.safetensors", optimizer.state_dict())
    again = runs._read_optimizer(tmp_path / "optimizer.safetensors", json.loads(json.dumps(told)))
    other = make(network.parameters())
    other.load_state_dict(again)
    for mine, due in zip(other.state.values(), optimizer.state.values(), strict=True):
        assert mine.keys() == due.keys()
        assert all(torch.equal(torch.as_tensor(mine[name]), torch.as_tensor(due[name])) for name in due)
    assert other.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]
