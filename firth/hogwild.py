"""The loop of the static families: threads that train on one network without locks (Recht et al. 2011, "Hogwild").

Batches by number -> step -> log -> checkpoint, until the budget is spent.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from firth import subwords
from firth.budget import (
    LATE,
    SECONDS_BETWEEN_CHECKPOINTS,
    SECONDS_BETWEEN_REPORTS,
    Budget,
    Journal,
    Report,
    State,
    account,
    checkpoint,
)
from firth.errors import FirthError, UsageError
from firth.families.family import Family, Step
from firth.files import printable, replacing, uninterrupted, without_folders
from firth.formats import safetensors
from firth.model import CONTEXTUAL, Model, Words, load, versions
from firth.progress import Progress
from firth.tokens import EncodedCorpus, described
from firth.vocabulary import Vocabulary
from firth.windows import STRETCH, Stream

if TYPE_CHECKING:
    from firth.cooccurrences import Cooccurrences

TRAINED: Final = "network.safetensors"
"""In a checkpoint, what is trained, where a model keeps less than that."""


@dataclass
class Run:
    """A run and where it stands: a model that is not finished yet."""

    model: Model
    budget: Budget
    seed: int
    state: State

    @classmethod
    def begin(
        cls,
        family: Family,
        encoded: "EncodedCorpus | Cooccurrences",
        budget: Budget,
        seed: int,
        threads: int,
        base: Model | None,
        *,
        say: Callable[[str], object] = lambda _: None,
    ) -> "Run":
        """A run at its beginning, from random tables or from those of `base`; `say` is told what tables take first."""
        sizes: dict[str, Any] = {"min_count": family.min_count, "max_size": family.max_size}
        if base is None:
            vocabulary = Vocabulary.from_counts(encoded.types, encoded.counts, **sizes)
        else:
            vocabulary = base.vocabulary.extended(encoded.types, encoded.counts, **sizes)
        if (ngrams := subwords.Ngrams.of(vars(family))) is not None:
            say(subwords.account(ngrams, vocabulary.words, family.dim, family.shapes(vocabulary)["output"][0]))
        network = family.network(vocabulary, seed)
        if base is not None:
            rows = vocabulary.rows(base.vocabulary.words)
            family.go_on(network, vocabulary, rows, base.network, base.family)
        record = {
            "finished": False,
            "corpus": described(encoded),
            "preparation": without_folders(encoded.preparation.settings()),
            "budget": budget.settings(),
            "seed": seed,
            "threads": threads,
            "versions": versions(),
        }
        if base is not None:
            record["base"] = base.origin()
        segmentation = encoded.segmentation if base is None else base.segmentation
        return cls(Model(family, Words(vocabulary, segmentation), network, record), budget, seed, State())

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """The run whose checkpoint `folder` is; its tables are copied into memory, to be changed."""
        model = load(folder)
        if model.family.name in CONTEXTUAL:
            raise UsageError(f"the run in {printable(str(folder))} is one of {model.family.name}")
        mapped: Any = model.network
        trained = folder / TRAINED
        try:
            if trained.is_file():
                model.network = model.family.from_tensors(safetensors.read(trained))
                if any(len(table) != len(model.vocabulary) for table in model.network):
                    raise ValueError(f"{TRAINED} has other rows than the vocabulary")
            else:
                model.network = mapped._make(np.array(table) for table in mapped)
            state = State(**json.loads((folder / "state.json").read_bytes()))
            return cls(model, Budget(**model.record["budget"]), model.record["seed"], state)
        except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
            raise FirthError(f"the checkpoint {printable(str(folder))} is damaged: {printable(str(error))}") from None

    def write(self, place: Path) -> None:
        """Writes checkpoint/<batch>/ into the model's directory, then switches checkpoint/latest to it."""
        model = self.model
        kept = model.family.kept(model.network, model.vocabulary)
        with checkpoint(place, self.state) as folder:
            Model(model.family, model.tokens, kept, model.record, model.log).write(folder)
            if kept is not model.network:
                safetensors.write(folder / TRAINED, model.network._asdict())
            with replacing(folder / "state.json") as file:
                json.dump(self.state._asdict(), file)


class Loop:
    """Threads that take batches by number until the budget is spent."""

    def __init__(
        self,
        run: Run,
        encoded: "EncodedCorpus | Cooccurrences",
        threads: int,
        progress: Progress,
        on_report: Callable[[Report], object] | None,
        place: Path | None,
        *,
        reproducible: bool = False,
    ) -> None:
        """The run, to be gone on with; `place` is where its checkpoints go, if anywhere.

        Where the run is to be `reproducible`, the threads cut batches side by side, and train on them in their order.
        """
        self.job = run
        self.threads = threads
        self.progress = progress
        self.on_report = on_report
        self.place = place
        self.journal = Journal(run.model.log, place)
        self.text: Stream = run.model.family.stream(encoded, run.model.vocabulary, 1 if reproducible else threads)
        self.tell_of_stretches()
        self.n_tokens = run.budget.tokens_in(encoded.n_tokens)
        self.began = 0.0  # by the clock, less the seconds before a resumption
        self.state = run.state
        self.stopping = False
        self.failure: BaseException | None = None
        self.lock = threading.Lock()
        self.change = threading.Condition()  # of the two numbers below
        self.n_working = 0
        self.n_ended = 0
        self.reproducible = reproducible
        self.turn = self.state.next_batch  # the batch that is trained on next, where the order counts
        self.reported = self.state

    def tell_of_stretches(self) -> None:
        """Records for how many centres words are composed of n-grams; says so where words share so much that few."""
        text = self.text
        if not isinstance(text, Stream) or text.parts is None:  # GloVe's are counts
            return
        self.job.model.record["composed"] = {"stretch": text.stretch, "passed_on": text.passed_on}
        if text.stretch < STRETCH or text.passed_on < 1:
            less = f", and pass {text.passed_on:.2f} of their steps on to them" if text.passed_on < 1 else ""
            self.progress.say(
                f"words share many n-grams: they are composed of them for {text.stretch} words of the text at a time, "
                f"where {STRETCH} would be faster{less}; longer n-grams or fewer threads allow for more"
            )

    def compile(self) -> float:
        """Compiles the kernels, or loads them from their cache, before the clock starts; returns the seconds."""
        family, text = self.job.model.family, self.text
        began = time.monotonic()
        batch = family.batch(text, 0, self.job.seed)
        network: Any = self.job.model.network
        no_rows = network._make(np.empty_like(table[:0]) for table in network)
        family.step(no_rows, batch.empty(), family.learning_rate, text.tree)
        seconds = time.monotonic() - began
        if seconds > 1:
            self.progress.say(f"compiled the training step for this processor in {seconds:.0f} s; it is kept for later")
        return round(seconds, 3)

    def run(self) -> None:
        """Trains to the end of the budget; writes checkpoints on the way; fills the model's record and log."""
        self.began = time.monotonic() - self.state.seconds
        stage = self.progress.stage("training", fraction=self.fraction(), words=self.tokens())
        with self.journal, stage as advance:
            try:
                while not self.is_done():
                    self.work_until(time.monotonic() + SECONDS_BETWEEN_CHECKPOINTS, advance)
                    if not self.is_done():
                        self.checkpoint()
                self.report(advance)
            except KeyboardInterrupt:
                self.checkpoint()
                raise
        self.settle(finished=True)

    def work_until(self, deadline: float, advance: Callable[..., None]) -> None:
        """Runs the workers till the budget is spent or the deadline is past, reporting on the way."""
        self.stopping = False
        self.n_ended = 0
        due = time.monotonic() + SECONDS_BETWEEN_REPORTS
        try:
            for number in range(self.threads):
                threading.Thread(target=self.work, name=f"firth-{number}").start()
            while self.n_ended < self.threads:
                self.wait()
                if time.monotonic() >= due:
                    self.report(advance)
                    due = time.monotonic() + SECONDS_BETWEEN_REPORTS
                self.stopping = self.stopping or time.monotonic() >= deadline
        finally:
            with uninterrupted():  # a batch takes milliseconds; another Ctrl-C does not cut it short
                self.stopping = True
                while self.n_working:
                    self.wait()
        if self.failure is not None:
            raise self.failure

    def wait(self) -> None:
        """Waits till a worker ends, or for a moment.

        Not by Thread.join: on Python 3.11, a join that Ctrl-C breaks off takes a running thread for ended.
        """
        with self.change:
            self.change.wait(timeout=0.05)

    def work(self) -> None:
        """One thread: takes the next batch, trains on it, adds up its loss."""
        model, seed = self.job.model, self.job.seed
        with self.change:
            self.n_working += 1
        try:
            while (taken := self.take()) is not None:
                number, fraction = taken
                batch = model.family.batch(self.text, number, seed)
                with self.in_turn(number):
                    step = model.family.step(model.network, batch, model.family.rate(fraction), self.text.tree)
                    self.add(step, fraction)
        except BaseException as error:
            self.failure = error
        finally:
            self.stopping = True  # one worker's end, by the budget or by an error, is everyone's
            with self.change:
                self.n_working -= 1
                self.n_ended += 1
                self.change.notify_all()

    @contextmanager
    def in_turn(self, number: int) -> Iterator[None]:
        """Where the run is reproducible: entered when all batches before `number` have been trained on."""
        if not self.reproducible:
            yield
            return
        with self.change:
            while self.turn != number and self.failure is None:
                self.change.wait(timeout=0.05)
        yield
        with self.change:
            self.turn = number + 1
            self.change.notify_all()

    def take(self) -> tuple[int, float] | None:
        """The next batch's number, and the part of the budget that is spent before it; None where the work ends."""
        with self.lock:
            fraction = self.fraction()
            if self.stopping or fraction >= 1:
                return None
            number = self.state.next_batch
            self.state = self.state._replace(next_batch=number + 1)
            return number, fraction

    def add(self, step: Step, fraction: float) -> None:
        """Adds the loss of a batch."""
        late = step if fraction >= LATE else Step(0.0, 0)
        with self.lock:
            state = self.state
            self.state = state._replace(
                loss_nats=state.loss_nats + step.loss_nats,
                n_pairs=state.n_pairs + step.n_pairs,
                late_loss_nats=state.late_loss_nats + late.loss_nats,
                late_pairs=state.late_pairs + late.n_pairs,
            )

    def seconds(self) -> float:
        """Seconds of training so far."""
        return time.monotonic() - self.began

    def tokens(self) -> int:
        """Raw tokens of the batches that were taken."""
        return self.text.tokens_before(self.state.next_batch)

    def fraction(self) -> float:
        """The spent part of the budget."""
        if self.job.budget.minutes is not None:
            return min(1.0, self.seconds() / (60 * self.job.budget.minutes))
        return min(1.0, self.tokens() / self.n_tokens)

    def is_done(self) -> bool:
        """Whether the budget is spent."""
        return self.fraction() >= 1.0

    def report(self, advance: Callable[..., None]) -> None:
        """Tells bar, log and callback how the run stands."""
        with self.lock:
            state = self.state._replace(seconds=self.seconds())
            since, self.reported = self.reported, state
            fraction = self.fraction()
        learning_rate = self.job.model.family.rate(fraction)
        tokens = self.text.tokens_before(state.next_batch)
        n_pairs = state.n_pairs - since.n_pairs
        report = Report(
            seconds=round(state.seconds, 3),
            fraction=fraction,
            tokens=tokens,
            epochs=tokens / self.text.n_tokens,
            loss_nats=(state.loss_nats - since.loss_nats) / n_pairs if n_pairs else 0.0,
            n_pairs=n_pairs,
            learning_rate=learning_rate,
            tokens_per_second=(tokens - self.text.tokens_before(since.next_batch))
            / max(1e-9, state.seconds - since.seconds),
        )
        if state.n_pairs == 0 and fraction >= 1:
            raise FirthError(
                "nothing was there to predict: no line of the corpus has two words of the vocabulary, or sub-sampling "
                "dropped them; a line should be a sentence or a paragraph, and --sample 0 keeps all words",
                option="--sample 0",
            )
        if not n_pairs:
            return
        if not np.isfinite(report.loss_nats):
            self.stopping = True
            raise FirthError(
                f"training diverged: the loss is {report.loss_nats} at a learning rate of {learning_rate:.3g}; "
                "lower learning_rate, or block and noise_pool"
            )
        self.journal.add(report.entry())
        advance(fraction, tokens, f"loss {report.loss_nats:.4f} {self.job.model.family.loss_unit}")
        if self.on_report is not None:
            with self.lock:  # no batch is begun meanwhile, so that the budget stands still
                began = time.monotonic()
                self.on_report(report)
                self.began += time.monotonic() - began

    def settle(self, *, finished: bool) -> None:
        """Writes where the run stands into the run's state and the model's record."""
        state = self.state._replace(seconds=self.seconds())
        self.state = self.job.state = state
        self.job.model.record |= account(state, self.tokens(), self.text.n_tokens, finished=finished)

    def checkpoint(self) -> None:
        """Keeps where the run stands, if there is a place for it; the clock of the budget stands still meanwhile."""
        self.settle(finished=False)
        if self.place is not None:
            self.progress.say(f"writing a checkpoint to {self.place.name}")
            with uninterrupted():
                self.job.write(self.place)
        self.began = time.monotonic() - self.state.seconds
