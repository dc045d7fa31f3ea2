"""The loop of the families that PyTorch trains: batches -> loss -> step -> log -> checkpoint.

Everything random is drawn anew for each batch from the seed and the batch's number, so that a run which goes on from a
checkpoint takes the steps that the unbroken one would have taken, at once and, on a processor, to the bit.

The batch of the family is the effective one. What fits the device at a time, a micro-batch of whole rows, is found
here: its gradients are added up until the batch is through, so that neither the order of the data nor the steps depend
on it. Several processes under torchrun share the rows of each batch and add their gradients up likewise.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from firth.batches import ahead, cut, moved, n_predictions, rows_of, share_of, tensors, weight_of
from firth.budget import LATE, SECONDS_BETWEEN_CHECKPOINTS, SECONDS_BETWEEN_REPORTS, Journal, Report, State, account
from firth.devices import Precision, World, chosen_precision, said, world
from firth.errors import FirthError, UsageError
from firth.files import printable, uninterrupted
from firth.fused import CaptureError
from firth.memory import TooLargeError, is_out_of_memory, keep_freed_memory, telling_too_large
from firth.progress import Progress, Silent
from firth.runs import Best, Run, gone_on_with

Compile = Literal["auto", "always", "never"]
Value = TypeVar("Value")

EVALUATIONS: Final = 10  # on the held-out text, in equal parts of the budget
MOST_EVALUATION_SHARE: Final = 0.05  # of the seconds of training, that evaluations on the way may take
TOKENS_AT_ONCE: Final[Mapping[str, int]] = {"cpu": 8192, "mps": 16384, "cuda": 1 << 30}
"""Tokens of the first micro-batch: a processor without enough memory swaps or is killed; CUDA says that it is full."""
STEPS_BEFORE_COMPILING: Final = 20
LEAST_SECONDS_TO_COMPILE_FOR: Final = 180.0
BEST_SCORE: Final = 1.0  # of accuracy, F1 and correlations: nothing is left to wait for
MOST_FUSED_DISTANCE: Final = 0.05  # relative, of a loss or gradient from the plain one: they differ in rounding alone
DIVERGED: Final = 1.5  # times the loss of a network that has learnt nothing: beyond, two reports in turn end the run


@dataclass(frozen=True)
class Judge:
    """Who says how good a network is, beside its loss: the best one is kept.

    Attributes:
        score: Of the network as it stands, on text that is held out for that alone; the higher, the better.
        n_evaluations: In equal parts of the budget.
        patience: So many evaluations in turn without a better score end the run, once two scores have differed; None is
            any number.
    """

    score: Callable[[], float]
    n_evaluations: int
    patience: int | None = None


class Loop:
    """Takes batches by number until the budget is spent."""

    def __init__(
        self,
        run: Run,
        text: Any,
        device: torch.device,
        progress: Progress,
        on_report: Callable[[Report], object] | None,
        place: Path | None,
        *,
        compiles: Compile = "auto",
        precision: Precision | None = None,
        processes: World | None = None,
        baselines: Mapping[str, float] | None = None,
        judge: Judge | None = None,
    ) -> None:
        """The run, to be gone on with on `device`; `place` is where its checkpoints go, if anywhere."""
        self.job = run
        self.family = run.model.family
        with telling_too_large(device):
            self.network: nn.Module = run.model.network.to(device)
        self.text = text
        self.device = device
        self.precision = precision or chosen_precision(device)
        self.world = processes or world()
        self.progress = progress if self.world.rank == 0 else Silent()
        self.on_report = on_report if self.world.rank == 0 else None
        self.place = place if self.world.rank == 0 else None
        self.journal = Journal(run.model.log, self.place)
        self.compiles = compiles
        self.baselines = dict(baselines or {})
        self.judge = judge
        self.n_tokens = run.budget.tokens_in(text.n_tokens)
        self.state = self.reported = run.state
        self.began = 0.0  # by the clock, less the seconds before a resumption and those of evaluations
        self.idle_seconds = {"held_out": 0.0, "compile": 0.0}
        self.n_suspicious = 0  # reports in turn whose loss is above what knowing nothing costs
        self.held_out_batches: list[Any] | None = None
        self.held_out_parts: dict[str, float] = {}
        self.carried = self.nothing_carried(getattr(text, "batch_size", self.family.batch_size))
        if self.carried is not None and run.carried is not None:
            self.carried = gone_on_with(run.carried, self.carried)
        self.optimizer = self.family.optimizer(self.network)
        if run.optimizer is not None:
            with telling_too_large(device):
                self.optimizer.load_state_dict(run.optimizer)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision.scales)
        if run.scale is not None:
            self.scaler.load_state_dict(run.scale)
        self.loss: Callable[..., Any] = self.eager_loss
        self.sums = _Sums(device, run.state)
        self.parts: dict[str, float] = {}
        if self.world.size > self.family.batch_size:
            raise UsageError(
                f"{self.world.size} processes cannot share a batch of {self.family.batch_size} rows; "
                "start fewer of them (--nproc-per-node), or raise batch_size"
            )

    def run(self) -> None:
        """Trains to the end of the budget; writes checkpoints on the way; fills the model's record and log."""
        if self.device.type == "cpu":
            keep_freed_memory()
        with self.journal, self.drawing_for_itself(), telling_too_large(self.device):
            try:
                if not self.job.held_out and self.judge is None:
                    self.evaluate()
                if not self.job.held_out and self.judge is None and getattr(self.family, "holds_out", True):
                    self.progress.say("the corpus is too small to hold a part of it out: training has no held-out loss")
                with self.progress.stage("training", fraction=self.fraction()) as advance:
                    self.began = time.monotonic() - self.state.seconds
                    self.descend(advance)
                    self.report(advance)
                if not self.is_given_up():
                    self.evaluate()
            except KeyboardInterrupt:
                self.checkpoint()
                raise
            except CaptureError:
                self.free_fused()
                self.checkpoint()
                raise
        self.settle(finished=True)
        if self.job.best is not None:
            with torch.no_grad():
                for name, weight in self.trained():
                    weight.copy_(self.job.best.weights[name])
        self.free_fused()
        self.network.eval().to("cpu")

    def descend(self, advance: Callable[..., None]) -> None:
        """Steps until the budget is spent, with reports, evaluations and checkpoints between them."""
        next_report = time.monotonic() + SECONDS_BETWEEN_REPORTS
        next_checkpoint = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS
        first = self.state.next_batch
        self.network.train()
        with ahead(self.prepared, first) as batches:
            for number in count(first):
                if number == first + (0 if self.compiles == "always" else STEPS_BEFORE_COMPILING):
                    self.compile_if_it_pays(number)
                fraction = self.shared_fraction()
                if fraction >= 1 or self.is_given_up():
                    break
                if time.monotonic() >= next_report:  # before a step, so that the last report has something to tell
                    self.report(advance)
                    next_report = time.monotonic() + SECONDS_BETWEEN_REPORTS
                self.step(number, next(batches), fraction)
                if self.is_evaluation_due():
                    self.evaluate()
                if time.monotonic() >= next_checkpoint and self.fraction() < 1:
                    self.checkpoint()
                    next_checkpoint = time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS

    def prepared(self, number: int) -> Any:
        """Batch `number` as tensors, in memory that a GPU reads by itself where there is one."""
        batch = tensors(self.family.batch(self.text, number, self.job.seed))
        if self.device.type != "cuda":
            return batch
        return batch._make(x.pin_memory() if isinstance(x, Tensor) else x for x in batch)

    def step(self, number: int, batch: Any, fraction: float) -> None:
        """One step on the whole of batch `number`."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(number, fraction) * group.get("rate_share", 1.0)
        if hasattr(self.family, "thaw"):
            self.family.thaw(self.network, fraction)
        found = self.gradients(number, batch)
        with uninterrupted():  # from here on the step is taken whole
            self.scaler.unscale_(self.optimizer)
            if clip := self.family.longest_gradient:
                nn.utils.clip_grad_norm_(self.network.parameters(), clip)
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad(set_to_none=True)
            self.carried = found.carried
            self.sums.add(found, is_late=fraction >= LATE)
            n_pairs = self.state.n_pairs + found.n_predictions
            late_pairs = self.state.late_pairs + (found.n_predictions if fraction >= LATE else 0)
            self.state = self.state._replace(next_batch=number + 1, n_pairs=n_pairs, late_pairs=late_pairs)

    def rate(self, number: int, fraction: float) -> float:
        """The learning rate of batch `number`: the family's, in a warm-up of as many steps as it asks for at least."""
        rate, least = float(self.family.rate(fraction)), getattr(self.family, "warmup_steps", 0)
        return min(rate, self.family.highest_rate * (number + 1) / least) if number < least else rate

    def gradients(self, number: int, batch: Any) -> "_Found":
        """Fills the gradients of the whole batch; a micro-batch that does not fit the memory is halved, all redone."""
        n_rows = -(-len(batch.ids) // self.world.size)
        found = None
        while found is None:
            found = self.fitting(batch, n_rows, partial(self.summed, number, batch))
        return self.all_reduced(found) if self.world.size > 1 else found

    def fitting(self, batch: Any, n_rows: int, work: Callable[[], Value]) -> Value | None:
        """What `work` gives; None where the memory does not hold it, and it is to be done again in less.

        Layers that were fused are so no more from then on, or where none were, micro-batches are half as large.

        Args:
            batch: What it works on.
            n_rows: Of the batch, that are worked on.
            work: Takes a micro-batch at a time.

        Raises:
            TooLargeError: micro-batches have one row.
        """
        try:
            return work()
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
        # Outside of the handler, whose traceback holds on to the tensors.
        self.optimizer.zero_grad(set_to_none=True)
        was_fused = self.free_fused()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if was_fused:
            self.progress.say("out of memory with fused layers: going on without them")
            return None
        rows = min(self.rows(batch), n_rows)
        if rows == 1:
            raise TooLargeError(
                f"the memory of {said(self.device)} does not hold one row of {batch.ids.shape[1]} tokens; choose a "
                "smaller --preset or --context-length"
            )
        self.job.rows = rows // 2
        self.progress.say(
            f"out of memory with {rows} rows at a time: going on with {rows // 2}, added up to the same batch of "
            f"{len(batch.ids)}"
        )
        return None

    def summed(self, number: int, batch: Any) -> "_Found":
        """Adds up the gradients of this process's rows of the batch, a micro-batch at a time."""
        n_rows = len(batch.ids)
        first, stop = (n_rows * (self.world.rank + one) // self.world.size for one in (0, 1))
        rows = self.rows(batch)
        n_all = n_predictions(batch)
        summed: Tensor | None = None
        carried = [] if self.carried is None else [rows_of(self.carried, 0, first)]
        for start in range(first, stop, rows):
            end = min(start + rows, stop)
            micro = cut(batch, start, end)
            if not n_predictions(micro):  # rows too short to hide anything in
                if self.carried is not None:
                    carried.append(rows_of(self.carried, start, end))
                continue
            torch.manual_seed(_mixed(self.job.seed, number, start))
            with self.casting():
                loss = self.loss(moved(micro, self.device), *self.remembered(self.carried, start, end))
            if self.carried is not None:
                carried.append(loss.state)
            shares = {name: share_of(name, micro, n_rows, n_all) for name in loss.parts}
            mean = torch.stack([part * (shares[name] * weight_of(name)) for name, part in loss.parts.items()]).sum()
            torch.autograd.backward(self.scaler.scale(mean))
            parts = torch.stack([mean, *(part * shares[name] for name, part in loss.parts.items())]).detach()
            summed = parts if summed is None else summed + parts
        if summed is None and n_all:
            return self.nothing_added(batch, n_all)
        if summed is None:
            raise FirthError(
                f"batch {number:,} has nothing to predict: its texts are too short, or the tokenizer knows no piece of "
                "them; give more text, or a tokenizer for it"
            )
        if self.carried is None:
            return _Found(summed, list(loss.parts), n_all, None)
        carried.append(rows_of(self.carried, stop, n_rows))
        after = self.carried._make(torch.cat(parts) for parts in zip(*carried, strict=True))
        return _Found(summed, list(loss.parts), n_all, after)

    def nothing_added(self, batch: Any, n_all: int) -> "_Found":
        """What a process adds to the others' whose own rows have nothing to predict: zeros of the same shapes."""
        rows = range(len(batch.ids))
        row = next(row for row in rows if n_predictions(cut(batch, row, row + 1)))  # another's, that tells the shapes
        with self.casting():
            of_row = moved(cut(batch, row, row + 1), self.device)
            loss = self.eager_loss(of_row, *self.remembered(self.carried, row, row + 1))
        torch.autograd.backward(self.scaler.scale(0.0 * torch.stack([*loss.parts.values()]).sum()))
        nothing = torch.zeros(1 + len(loss.parts), dtype=loss.mean.dtype, device=self.device)
        return _Found(nothing, list(loss.parts), n_all, self.carried)

    def rows(self, batch: Any) -> int:
        """Rows of a micro-batch; at first as many as the kind of device takes well."""
        if self.job.rows is None:
            self.job.rows = max(1, TOKENS_AT_ONCE[self.device.type] // batch.ids.shape[1])
        return self.job.rows

    def all_reduced(self, found: "_Found") -> "_Found":
        """Adds the gradients and losses of all processes up, in place."""
        from torch import distributed

        gradients = [parameter.grad for parameter in self.network.parameters() if parameter.grad is not None]
        carried = self.own_rows(found.carried)
        added = [found.nats, *gradients, *carried]
        flat = torch.cat([tensor.float().flatten() for tensor in added])
        distributed.all_reduce(flat)
        nats, *summed = torch.split(flat, [tensor.numel() for tensor in added])
        for tensor, total in zip((*gradients, *carried), summed, strict=True):
            tensor.copy_(total.view_as(tensor))
        return found._replace(nats=nats, carried=None if found.carried is None else found.carried._make(carried))

    def own_rows(self, carried: Any) -> list[Tensor]:
        """What is carried by the rows of this process, and 0 for the others'."""
        own = [] if carried is None else [torch.zeros_like(tensor) for tensor in carried]
        for tensor, of_all in zip(own, carried or (), strict=True):
            first, stop = (len(tensor) * (self.world.rank + one) // self.world.size for one in (0, 1))
            tensor[first:stop] = of_all[first:stop]
        return own

    def nothing_carried(self, n_rows: int) -> Any:
        """What the network remembers before the first batch; None where every batch stands for itself."""
        return self.network.begin(n_rows) if hasattr(self.network, "begin") else None  # type: ignore[operator]

    def remembered(self, carried: Any, first: int, stop: int) -> tuple[Any, ...]:
        """What rows `first` to `stop` begin with, as the loss takes it."""
        return () if carried is None else (rows_of(carried, first, stop),)

    def eager_loss(self, batch: Any, *remembered: Any) -> Any:
        """What the family says of a batch on the device."""
        return self.family.loss(self.network, batch, *remembered)

    def casting(self) -> AbstractContextManager[Any]:
        """A block whose products are of the precision's type."""
        if self.precision.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, self.precision.dtype)

    @contextmanager
    def drawing_for_itself(self) -> Iterator[None]:
        """A block that leaves the random state of the process as it was."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            yield

    # --- compiling

    def compiling_pays(self) -> bool:
        """Whether what is left of the run is long enough to compile for.

        On a processor it never is: on 2 cores a compiled step of BERT mini takes as long as another, .97 and .94 s,
        and compiling 32 s.
        """
        if self.compiles != "auto":
            return self.compiles == "always"
        left = self.seconds() * (1 / max(1e-9, self.fraction()) - 1)
        return self.device.type == "cuda" and left >= LEAST_SECONDS_TO_COMPILE_FOR

    def compile_if_it_pays(self, number: int) -> None:
        """Compiles the loss, and tries it on batch `number`; where there is no compiler, all stays as it is.

        Of a network whose batches differ in shape, the parts alone that it has fused.

        Raises:
            CaptureError: CUDA graphs are asked for, and cannot be made.
        """
        if not self.compiling_pays():
            return
        began = time.monotonic()
        is_compiled = True
        try:
            if hasattr(self.network, "fuse"):
                is_compiled = self.fuse(number)
            else:
                self.loss = torch.compile(self.eager_loss, dynamic=False)
                self.summed(number, self.prepared(number))
        except torch.OutOfMemoryError:
            if self.free_fused():  # else micro-batches are halved when the step is taken
                is_compiled = False
                self.progress.say("out of memory with fused layers: training goes on without them")
        except (CaptureError, TooLargeError):
            raise
        except Exception as error:
            is_compiled, self.loss = False, self.eager_loss
            self.free_fused()
            first = printable(str(error).strip().partition("\n")[0])[:200]
            self.progress.say(f"torch.compile does not work here; training goes on without it ({first})")
        self.optimizer.zero_grad(set_to_none=True)
        self.stand_still(began, "compile")
        if is_compiled:
            self.progress.say(f"compiled the training step in {time.monotonic() - began:.0f} s")

    def fuse(self, number: int) -> bool:
        """Whether parts of the network are fused from now on: those that make of batches what they made without.

        They are launched as CUDA graphs only where compiling is asked for: no run on a GPU has shown these to work.
        """
        fuse: Any = self.network.fuse
        launches_graphs = self.compiles == "always"
        if not fuse(launches_graphs=launches_graphs):
            return False
        self.free_fused()
        batches = {one: self.prepared(one) for one in (number, number + 1)}  # the second in memory that the first used
        due = {}
        for one, batch in batches.items():
            n_rows, tried = -(-len(batch.ids) // self.world.size), None
            while tried is None:
                tried = self.fitting(batch, n_rows, partial(self.tried, one, batch))
            due[one] = tried
        fuse(launches_graphs=launches_graphs)
        for one, batch in batches.items():
            found = self.tried(one, batch)
            if differing := [name for name in due[one] if not is_alike(found[name], due[one][name])]:
                self.free_fused()
                self.progress.say(
                    "fused layers find other numbers than plain ones; training goes on without them "
                    f"({', '.join(differing)})"
                )
                return False
        return True

    def tried(self, number: int, batch: Any) -> dict[str, Tensor]:
        """The loss of a batch, and the gradients of the recurrent layers by name, which the network forgets."""
        self.optimizer.zero_grad(set_to_none=True)
        found = {"loss": self.summed(number, batch).nats[0]}
        for name, weight in self.network.named_parameters():
            if name.startswith("lstms.") and weight.grad is not None:
                found[name] = weight.grad
        self.optimizer.zero_grad(set_to_none=True)
        return found

    def free_fused(self) -> bool:
        """Has the network trained without fused parts from now on, their memory free; whether there were any."""
        return hasattr(self.network, "unfuse") and bool(self.network.unfuse())  # type: ignore[operator]

    # --- the clock

    def seconds(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self.began

    def stand_still(self, since: float, reason: str) -> None:
        """Takes the seconds from `since` to now out of the budget."""
        spent = time.monotonic() - since
        self.began += spent
        self.idle_seconds[reason] += spent

    def tokens(self) -> int:
        """Tokens of the batches that were taken, without padding."""
        return int(self.text.tokens_before(self.state.next_batch))

    def fraction(self) -> float:
        """The spent part of the budget."""
        if self.job.budget.minutes is not None:
            seconds = self.seconds() if self.began else self.state.seconds
            return min(1.0, seconds / (60 * self.job.budget.minutes))
        return min(1.0, self.tokens() / self.n_tokens)

    def shared_fraction(self) -> float:
        """The same; where the clock decides, that of the first process."""
        if self.world.size == 1 or self.job.budget.minutes is None:
            return self.fraction()
        from torch import distributed

        told = torch.tensor([self.fraction()], device=self.device)
        distributed.broadcast(told, 0)
        return float(told)

    def apart(self) -> dict[str, float]:
        """The seconds that do not count as training."""
        return {f"{reason}_seconds": round(seconds, 3) for reason, seconds in self.idle_seconds.items()}

    # --- what is told

    def report(self, advance: Callable[..., None]) -> None:
        """Tells bar, log and callback how the run stands."""
        self.settle_sums()
        state = self.state = self.state._replace(seconds=self.seconds())
        since, self.reported = self.reported, state
        n_pairs = state.n_pairs - since.n_pairs
        if not n_pairs:
            return
        tokens = self.tokens()
        n_tokens = tokens - int(self.text.tokens_before(since.next_batch))
        report = Report(
            seconds=round(state.seconds, 3),
            fraction=self.fraction(),
            tokens=tokens,
            epochs=tokens / self.text.n_tokens,
            loss_nats=(state.loss_nats - since.loss_nats) / n_pairs,
            n_pairs=n_pairs,
            learning_rate=self.rate(state.next_batch, self.fraction()),
            tokens_per_second=n_tokens / max(1e-9, state.seconds - since.seconds),
            parts_nats=dict(self.parts) if len(self.parts) > 1 else None,
        )
        self.check_convergence(report)
        self.journal.add(report.entry())
        advance(report.fraction, 0, self.facts(report))
        if self.on_report is not None:
            began = time.monotonic()
            self.on_report(report)
            self.began += time.monotonic() - began  # the budget stands still

    def facts(self, report: Report) -> str:
        """A report in a few words, its loss beside what knowing nothing costs."""
        beside = ", ".join(f"{name} {nats:.2f}" for name, nats in self.baselines.items())
        parts = ", ".join(f"{name} {nats:.3f}" for name, nats in (report.parts_nats or {}).items())
        what = "held out" if self.judge is None else "score"
        held_out = f", {what} {self.job.held_out[-1][1]:.3f}" if self.job.held_out else ""
        shown = f" ({'; '.join(part for part in (parts, beside) if part)})" if parts or beside else ""
        return f"{report.tokens_per_second:,.0f} tokens/s, loss {report.loss_nats:.3f}{held_out}{shown}"

    def check_convergence(self, report: Report) -> None:
        """Raises FirthError where the loss is no number, or stays far above what knowing nothing costs."""
        self.n_suspicious = self.n_suspicious + 1 if self.is_suspicious(report.loss_nats) else 0
        if math.isfinite(report.loss_nats) and self.n_suspicious < 2:
            return
        kept = ""
        if self.place is not None and (self.place / "checkpoint" / "latest").is_file():
            kept = f"; the last good checkpoint is kept in {printable(str(self.place))}: --from goes on from it"
        raise FirthError(
            f"training diverged: the loss is {report.loss_nats:.4g} after {report.tokens:,} tokens, at a learning rate "
            f"of {report.learning_rate:.3g}; lower --learning-rate, or raise --warmup or --batch-size{kept}"
        )

    def is_suspicious(self, nats: float) -> bool:
        """Whether a loss is no number, or far above what knowing nothing costs."""
        return not math.isfinite(nats) or nats > DIVERGED * self.baselines.get("ln V", math.inf)

    def is_evaluation_due(self) -> bool:
        """Whether the next equal part of the budget has begun, and time is left for an evaluation."""
        last = self.job.held_out[-1][0] if self.job.held_out else 0.0
        if self.judge is None and self.idle_seconds["held_out"] > MOST_EVALUATION_SHARE * self.seconds():
            return False
        n_parts = EVALUATIONS if self.judge is None else self.judge.n_evaluations
        done, before = (math.floor(n_parts * fraction + 1e-9) for fraction in (self.fraction(), last))
        return done > before and self.fraction() < 1

    def evaluate(self) -> None:
        """Measures the loss on the held-out text, if there is any; the clock of the budget stands still meanwhile."""
        began = time.monotonic()
        fraction = self.fraction()
        if self.judge is not None:
            self.ask(self.judge, fraction)
            self.stand_still(began, "held_out")
            return
        if (nats := self.held_out_nats()) is None:
            return
        self.job.held_out.append((fraction, nats))
        self.journal.add({"fraction": fraction, "held_out_nats": nats})
        if fraction in (0.0, 1.0):
            when = "after" if fraction else "before"
            self.progress.say(f"held-out loss {when} training: {nats:.4f} nats")
        if self.began:
            self.stand_still(began, "held_out")

    def ask(self, judge: Judge, fraction: float) -> None:
        """Keeps the weights as they are if the judge has liked none more; of equal ones the first stay.

        Not so as long as all scores were equal: exact spans, say, are 0 until whole ones are found, while the loss
        already falls. The last weights stay then, and patience waits for the first change.
        """
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad(), self.casting():
            score = judge.score()
        self.network.train(was_training)
        self.job.held_out.append((fraction, score))
        self.journal.add({"fraction": fraction, "score": score})
        best = self.job.best
        scores = [-math.inf if math.isnan(one) else one for _, one in self.job.held_out]
        score = scores[-1]
        is_flat = score < BEST_SCORE and len({*scores}) == 1
        if best is None or score > best.score or is_flat:
            weights = {name: weight.detach().clone() for name, weight in self.trained()}
            self.job.best = Best(score, fraction, 0, weights)
        else:
            self.job.best = best._replace(n_since=best.n_since + 1)

    def is_given_up(self) -> bool:
        """Whether the judge has waited long enough for something better."""
        if self.judge is None or self.judge.patience is None or self.job.best is None:
            return False
        return self.job.best.n_since >= self.judge.patience

    def trained(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The weights that the optimiser changes, with their names."""
        changed = {id(weight) for group in self.optimizer.param_groups for weight in group["params"]}
        return ((name, weight) for name, weight in self.network.named_parameters() if id(weight) in changed)

    def held_out_nats(self) -> float | None:
        """The mean loss of the held-out text's batches, without dropout; None where nothing is held out."""
        if self.held_out_batches is None:
            self.held_out_batches = [tensors(batch) for batch in self.family.held_out(self.text)]
        total, n_all = 0.0, 0
        parts: dict[str, float] = {}
        carried = self.nothing_carried(len(self.held_out_batches[0].ids)) if self.held_out_batches else None
        was_training = self.network.training
        self.network.eval()
        with torch.no_grad():
            for batch in self.held_out_batches:
                stop = 0
                while stop < len(batch.ids):
                    start, stop = stop, min(stop + self.rows(batch), len(batch.ids))
                    micro = cut(batch, start, stop)
                    if not (n_micro := n_predictions(micro)):
                        continue
                    remembered = self.remembered(carried, start, stop)
                    loss = self.fitting(batch, stop - start, partial(self.held_out_loss, micro, remembered))
                    if loss is None:
                        stop = start
                        continue
                    for kept, new in zip(carried or (), loss.state or (), strict=True):
                        kept[start:stop] = new
                    total += float(loss.mean) * n_micro
                    for name, part in loss.parts.items():
                        parts[name] = parts.get(name, 0.0) + float(part) * n_micro
                    n_all += n_micro
        self.network.train(was_training)
        self.held_out_parts = {name: nats / n_all for name, nats in parts.items()} if len(parts) > 1 else {}
        return total / n_all if n_all else None

    def held_out_loss(self, micro: Any, remembered: tuple[Any, ...]) -> Any:
        """What the family says of some rows of the held-out text."""
        with self.casting():
            return self.eager_loss(moved(micro, self.device), *remembered)

    # --- what is kept

    def settle_sums(self) -> None:
        """Reads the losses from the device into the state."""
        loss_nats, late_loss_nats, self.parts = self.sums.read()
        self.state = self.state._replace(loss_nats=loss_nats, late_loss_nats=late_loss_nats)

    def settle(self, *, finished: bool) -> None:
        """Writes where the run stands into the run's state and the model's record."""
        self.settle_sums()
        state = self.state = self.state._replace(seconds=self.seconds() if self.began else self.state.seconds)
        self.job.state = state
        self.job.optimizer = self.optimizer.state_dict()
        self.job.scale = self.scaler.state_dict() if self.precision.scales else None
        self.job.carried = None if self.carried is None else self.carried._asdict()
        self.job.model.record |= account(state, self.tokens(), self.text.n_tokens, finished=finished)
        if self.job.held_out and self.judge is None:
            self.job.model.record["held_out_nats"] = {
                "before": self.job.held_out[0][1],
                "last": self.job.held_out[-1][1],
            } | ({"parts": self.held_out_parts} if self.held_out_parts else {})

    def checkpoint(self) -> None:
        """Keeps where the run stands, if there is a place for it; the clock of the budget stands still meanwhile."""
        began = time.monotonic()
        self.settle(finished=False)
        if self.place is not None and not self.is_sound():
            self.progress.say("no checkpoint is written: the loss is no number, or far above ln V")
        elif self.place is not None:
            self.progress.say(f"writing a checkpoint to {self.place.name}")
            with uninterrupted():
                self.job.write(self.place)
        if self.began:
            self.began += time.monotonic() - began

    def is_sound(self) -> bool:
        """Whether loss and weights are as they should be: what is not is never kept in the place of what is."""
        n_pairs = self.state.n_pairs - self.reported.n_pairs
        latest = (self.state.loss_nats - self.reported.loss_nats) / max(1, n_pairs)
        if self.n_suspicious or self.is_suspicious(latest):
            return False
        return all(bool(weight.isfinite().all()) for weight in self.network.parameters())


def is_alike(found: Tensor, due: Tensor) -> bool:
    """Whether two tensors differ by rounding alone; none but such ones of fp16 overflow, and then both do."""
    if not due.isfinite().all():
        return not bool(found.isfinite().all())
    return bool((found - due).norm() <= MOST_FUSED_DISTANCE * due.norm())


class _Found(NamedTuple):
    """What a batch has said."""

    nats: Tensor  # (1 + number of parts,) the mean of the whole batch, and of each part
    names: list[str]  # of the parts
    n_predictions: int
    carried: Any  # what the network remembers of it


class _Sums:
    """Losses added up on the device, so that nothing waits for it until they are read."""

    def __init__(self, device: torch.device, state: State) -> None:
        dtype = torch.float32 if device.type == "mps" else torch.float64
        self.total = torch.tensor([state.loss_nats, state.late_loss_nats], dtype=dtype, device=device)
        self.parts: Tensor | None = None  # since they were read last
        self.names: list[str] = []
        self.n_batches = 0

    def add(self, found: _Found, *, is_late: bool) -> None:
        nats = found.nats.to(self.total.dtype)
        self.total = self.total + nats[0] * found.n_predictions * torch.tensor(
            [1.0, float(is_late)], dtype=self.total.dtype, device=self.total.device
        )
        self.parts = nats[1:] if self.parts is None else self.parts + nats[1:]
        self.names = found.names
        self.n_batches += 1

    def read(self) -> tuple[float, float, dict[str, float]]:
        """All nats so far, those of the last part of the budget, and the mean of each part since the last time."""
        total, late = self.total.tolist()
        parts: dict[str, float] = {}
        if self.parts is not None:
            parts = dict(zip(self.names, (self.parts / self.n_batches).tolist(), strict=True))
        self.parts, self.n_batches = None, 0
        return total, late, parts


def _mixed(seed: int, number: int, row: int) -> int:
    """A seed for the draws of a micro-batch."""
    return int(np.random.SeedSequence([seed, number, row]).generate_state(1, np.uint64)[0] >> 1)
