"""One loop for every family: batches -> step -> log -> checkpoint, within a budget, interruptible, resumable."""

import json
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from firth import cache
from firth import corpus as corpora
from firth.cutting import available_processors
from firth.errors import FirthError, UsageError
from firth.families.family import Family, Step, answers_gensim_names, settings
from firth.files import appearing, check_output, latest_checkpoint, printable, replacing, uninterrupted
from firth.model import Model, load, versions
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation, read_user_words
from firth.tokens import EncodedCorpus
from firth.vocabulary import Vocabulary
from firth.windows import Stream

SECONDS_BETWEEN_REPORTS: Final = 1.0
SECONDS_BETWEEN_CHECKPOINTS: Final = 300.0
LEAST_EPOCHS: Final = 5
LATE: Final = 0.9  # of the budget: from here on counts for the final loss
MOST_EPOCHS: Final = 20  # of a corpus of a million words or fewer


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How long a run is: exactly one of the three is given."""

    epochs: float | None = None
    tokens: float | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Refuses none, several, and what is not positive (UsageError)."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        if len(given) != 1:
            raise UsageError(f"a budget is one of epochs, tokens and minutes; given: {', '.join(given) or 'none'}")
        for name, value in given.items():
            if not 0 < value < float("inf"):
                raise UsageError(f"{name} is {value}; a budget is a positive number")

    def __str__(self) -> str:
        """The budget in words."""
        name, value = next((name, value) for name, value in asdict(self).items() if value is not None)
        return f"{value:,g} {name}"

    def tokens_in(self, n_tokens: int) -> float:
        """Raw tokens of the run over a corpus of n_tokens; infinite where the clock decides."""
        if self.tokens is not None:
            return self.tokens
        return float("inf") if self.epochs is None else self.epochs * n_tokens


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a run stands.

    Attributes:
        seconds: Of training, those before a resumption too.
        fraction: Of the budget, 0 to 1.
        tokens: Raw tokens read.
        epochs: The same in passes over the corpus.
        loss_nats: Mean over the predicted pairs since the last report.
        n_pairs: Pairs predicted since the last report.
        learning_rate: Of the next step.
        tokens_per_second: Raw tokens a second since the last report.
    """

    seconds: float
    fraction: float
    tokens: int
    epochs: float
    loss_nats: float
    n_pairs: int
    learning_rate: float
    tokens_per_second: float


class State(NamedTuple):
    """Where a run stands between two batches: what a resumed run needs beside the model."""

    next_batch: int = 0
    seconds: float = 0.0
    loss_nats: float = 0.0  # summed over all pairs so far
    n_pairs: int = 0
    late_loss_nats: float = 0.0  # the same over the last tenth of the budget
    late_pairs: int = 0


def default_epochs(n_tokens: int) -> int:
    """Passes over a corpus of n_tokens words when no budget is given: 5 from 20 M words up, at most 20 below.

    They fall with the root of the size: where more of them stopped helping (docs/decisions/0007).
    """
    return max(LEAST_EPOCHS, min(MOST_EPOCHS, round(MOST_EPOCHS * math.sqrt(1_000_000 / max(1, n_tokens)))))


@answers_gensim_names
def train(
    family: Family,
    corpus: Any,
    *,
    epochs: float | None = None,
    tokens: float | None = None,
    minutes: float | None = None,
    threads: int | None = None,
    seed: int = 1,
    preparation: Preparation | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    base: str | os.PathLike[str] | Model | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_report: Callable[[Report], object] | None = None,
) -> Model:
    """A model of `family`, trained on `corpus`.

    The result repeats to the bit for one seed, one thread and a budget of epochs or tokens. Several threads write
    to the tables without locks, so that their order, and with it the last digits, differs from run to run.

    Args:
        family: The hyperparameters, as `firth.Skipgram(dim=100)`.
        corpus: A path, a folder, a pattern as "books/*.txt", several of them as `pathlib.Path`, or an iterable of
            strings or of lists of words; see `firth.corpus.read`.
        epochs: Budget: passes over the corpus; fractions are allowed.
        tokens: Budget: raw words.
        minutes: Budget: of training alone; counting and compiling do not count. Without any of the three:
            `default_epochs`.
        threads: Trained on; by default all processors that the process may use.
        seed: Of all that is random.
        preparation: How text becomes words; by default plain UTF-8 text, the rest chosen by looking at it.
        output: A directory for the model, and for checkpoints while the run is unfinished.
        overwrite: Whether a model in `output` may be replaced (when the run has ended well).
        resume: Go on with the unfinished run in `output`; family and seed must be those it began with, and so must
            the budget, or be left out.
        base: A model, or its directory, to go on from: its words keep their vectors, words that are new in `corpus`
            get rows of their own. Text is cut into words as the base's was.
        cache_dir: Where the encoded corpus is kept for later runs; see `firth.cache.place`.
        progress: Shows how far the work is; by default nothing is shown.
        on_report: Called about once a second, and at the end, from the calling thread.

    Raises:
        FirthError: the corpus cannot be read or has no words.
        UsageError: arguments that contradict each other.
        KeyboardInterrupt: Ctrl-C; a checkpoint has been written to `output` then.
    """
    progress = progress or Silent()
    place = Path(output).absolute() if output is not None else None
    given = _budget(epochs, tokens, minutes)
    threads = available_processors() if threads is None else threads
    if threads < 1:
        raise UsageError(f"threads is {threads}; it must be at least 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}; it must not be negative")
    preparation = preparation or Preparation()
    run = None
    if resume:
        run = _begun(place, family, given, seed, preparation, is_from_model=base is not None)
    elif place is not None:
        check_output(place, overwrite=overwrite)
    start = None
    if run is None and base is not None:
        start = base if isinstance(base, Model) else load(base)
        _check_base(start, family)
    source = start if run is None else run.model

    began = time.monotonic()
    with prepared(
        corpus,
        preparation,
        family,
        like=source.segmentation if source else None,
        cache_dir=cache_dir,
        progress=progress,
    ) as encoded:
        encode_seconds = round(time.monotonic() - began, 3)
        if run is None:
            budget = given or _default_budget(encoded, progress)
            run = Run.begin(family, encoded, budget, seed, threads, start)
        elif encoded.fingerprint != run.model.record["corpus"]["fingerprint"]:
            raise FirthError("the corpus is not the one that the run began with; give the same text, or begin anew")
        start = source = None  # of a base in `output`, the mapped files are let go, so that they can be replaced
        model = run.model
        model.record["threads"] = threads
        progress.say(f"{len(model.vocabulary):,} words in the vocabulary; {run.budget} on {_plural(threads, 'thread')}")
        loop = _Loop(run, encoded, threads, progress, on_report, place)
        model.record["prepared"] = {"encode_seconds": encode_seconds, "compile_seconds": loop.compile()}
        loop.run()
        if place is not None:
            with uninterrupted(), appearing(place) as folder:
                model.write(folder)
    return model


def words_per_second(family: Family, encoded: EncodedCorpus, tokens: float, threads: int) -> float:
    """How fast `family` trains on the first `tokens` words of a corpus; neither compiling nor the vocabulary counts.

    Raises:
        FirthError: it cannot be trained on that corpus.
    """
    run = Run.begin(family, encoded, Budget(tokens=tokens), 1, threads, None)
    loop = _Loop(run, encoded, threads, Silent(), None, None)
    loop.compile()
    loop.run()
    spent = run.model.record["spent"]
    return float(spent["tokens"] / max(spent["seconds"], 1e-3))


@dataclass
class Run:
    """A run and where it stands: a model that is not finished yet."""

    model: Model
    budget: Budget
    seed: int
    state: State

    @classmethod
    def begin(
        cls, family: Family, encoded: EncodedCorpus, budget: Budget, seed: int, threads: int, base: Model | None
    ) -> "Run":
        """A run at its beginning, from random tables or from those of `base`."""
        if base is None:
            vocabulary = Vocabulary.from_counts(
                encoded.types, encoded.counts, min_count=family.min_count, max_size=family.max_size
            )
            network = family.network(vocabulary, seed)
        else:
            vocabulary = base.vocabulary.extended(
                encoded.types, encoded.counts, min_count=family.min_count, max_size=family.max_size
            )
            network = family.network(vocabulary, seed)
            rows = vocabulary.rows(base.vocabulary.words)
            for new, old in zip(network, base.network, strict=True):
                new[rows] = old
        record = {
            "finished": False,
            "corpus": {
                "fingerprint": encoded.fingerprint,
                "n_tokens": encoded.n_tokens,
                "n_lines": encoded.n_lines,
                "n_documents": encoded.n_documents,
                "layout": encoded.layout,
                "lang": encoded.lang,
                "remarks": encoded.remarks,
            },
            "preparation": encoded.preparation.settings(),
            "budget": {name: value for name, value in asdict(budget).items() if value is not None},
            "seed": seed,
            "threads": threads,
            "versions": versions(),
        }
        if base is not None:
            record["base"] = base.record
        segmentation = encoded.segmentation if base is None else base.segmentation
        return cls(Model(family, vocabulary, network, segmentation, record), budget, seed, State())

    @classmethod
    def read(cls, folder: Path) -> "Run":
        """The run whose checkpoint `folder` is; its tables are copied into memory, to be changed."""
        model = load(folder)
        mapped: Any = model.network
        model.network = mapped._make(np.array(table) for table in mapped)
        try:
            state = State(**json.loads((folder / "state.json").read_bytes()))
            return cls(model, Budget(**model.record["budget"]), model.record["seed"], state)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FirthError(f"the checkpoint {printable(str(folder))} is damaged: {printable(str(error))}") from None

    def write(self, place: Path) -> None:
        """Writes checkpoint/<batch>/ into the model's directory, then switches checkpoint/latest to it."""
        checkpoints = place / "checkpoint"
        checkpoints.mkdir(parents=True, exist_ok=True)
        name = str(self.state.next_batch)
        with appearing(checkpoints / name) as folder:
            self.model.write(folder)
            with replacing(folder / "state.json") as file:
                json.dump(self.state._asdict(), file)
        with replacing(checkpoints / "latest") as file:
            file.write(name + "\n")
        for other in checkpoints.iterdir():
            if other.is_dir() and other.name != name:
                shutil.rmtree(other, ignore_errors=True)


class _Loop:
    """Threads that take batches by number until the budget is spent."""

    def __init__(
        self,
        run: Run,
        encoded: EncodedCorpus,
        threads: int,
        progress: Progress,
        on_report: Callable[[Report], object] | None,
        place: Path | None,
    ) -> None:
        self.job = run
        self.threads = threads
        self.progress = progress
        self.on_report = on_report
        self.place = place
        self.text: Stream = run.model.family.stream(encoded, run.model.vocabulary)
        self.n_tokens = run.budget.tokens_in(encoded.n_tokens)
        self.began = 0.0  # by the clock, less the seconds before a resumption
        self.state = run.state
        self.stopping = False
        self.failure: BaseException | None = None
        self.lock = threading.Lock()
        self.change = threading.Condition()  # of the two numbers below
        self.n_working = 0
        self.n_ended = 0
        self.reported = self.state

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
        with self.progress.stage("training", fraction=self.fraction(), words=self.tokens()) as advance:
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
                step = model.family.step(model.network, batch, self.learning_rate(fraction), self.text.tree)
                self.add(step, fraction)
        except BaseException as error:
            self.failure = error
        finally:
            self.stopping = True  # one worker's end, by the budget or by an error, is everyone's
            with self.change:
                self.n_working -= 1
                self.n_ended += 1
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

    def learning_rate(self, fraction: float) -> float:
        """Linear from the first to the final learning rate over the budget."""
        family = self.job.model.family
        return family.learning_rate + fraction * (family.final_learning_rate - family.learning_rate)

    def report(self, advance: Callable[..., None]) -> None:
        """Tells bar, log and callback how the run stands."""
        with self.lock:
            state = self.state._replace(seconds=self.seconds())
            since, self.reported = self.reported, state
            fraction = self.fraction()
        learning_rate = self.learning_rate(fraction)
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
                "dropped them; a line should be a sentence or a paragraph, and --sample 0 keeps all words"
            )
        if not n_pairs:
            return
        if not np.isfinite(report.loss_nats):
            self.stopping = True
            raise FirthError(
                f"training diverged: the loss is {report.loss_nats} at a learning rate of {learning_rate:.3g}; "
                "lower learning_rate, or block and noise_pool"
            )
        self.job.model.log.append(asdict(report))
        advance(fraction, tokens, f"loss {report.loss_nats:.4f} nats")
        if self.on_report is not None:
            self.on_report(report)

    def settle(self, *, finished: bool) -> None:
        """Writes where the run stands into the run's state and the model's record."""
        state = self.state._replace(seconds=self.seconds())
        self.state = self.job.state = state
        mean_loss_nats = state.loss_nats / max(1, state.n_pairs)
        self.job.model.record |= {
            "finished": finished,
            "spent": {
                "seconds": round(state.seconds, 3),
                "tokens": self.tokens(),
                "epochs": self.tokens() / self.text.n_tokens,
                "n_pairs": state.n_pairs,
            },
            "loss_nats": state.late_loss_nats / state.late_pairs if state.late_pairs else mean_loss_nats,
            "mean_loss_nats": mean_loss_nats,
        }

    def checkpoint(self) -> None:
        """Keeps where the run stands, if there is a place for it; the clock of the budget stands still meanwhile."""
        self.settle(finished=False)
        if self.place is not None:
            self.progress.say(f"writing a checkpoint to {self.place.name}")
            with uninterrupted():
                self.job.write(self.place)
        self.began = time.monotonic() - self.state.seconds


def _budget(epochs: float | None, tokens: float | None, minutes: float | None) -> Budget | None:
    if epochs is None and tokens is None and minutes is None:
        return None
    return Budget(epochs=epochs, tokens=tokens, minutes=minutes)


def _default_budget(encoded: EncodedCorpus, progress: Progress) -> Budget:
    budget = Budget(epochs=default_epochs(encoded.n_tokens))
    progress.say(f"no budget was given: {budget}, which suits {encoded.n_tokens:,} words")
    return budget


def _begun(
    place: Path | None,
    family: Family,
    budget: Budget | None,
    seed: int,
    preparation: Preparation,
    *,
    is_from_model: bool,
) -> Run:
    """The unfinished run in `place`, which must have been begun with these settings."""
    if place is None:
        raise UsageError("a resumed run needs the output that it began with")
    folder = latest_checkpoint(place)
    if folder is None:
        raise UsageError(f"{printable(str(place))} has no unfinished run to resume; train without --resume")
    run = Run.read(folder)
    asked = preparation.settings() | settings(family)
    there = run.model.record.get("preparation", {}) | settings(run.model.family)
    differing = [
        f"{name} {asked.get(name)!r} (begun with {there.get(name)!r})"
        for name in sorted(asked.keys() | there.keys())
        if asked.get(name) != there.get(name)
    ]
    if budget is not None and budget != run.budget:
        differing.append(f"a budget of {budget} (begun with {run.budget})")
    if is_from_model and "base" not in run.model.record:
        differing.append("a model to go on from (begun without one)")
    if seed != run.seed:
        differing.append(f"seed {seed} (begun with {run.seed})")
    if differing:
        raise UsageError(f"a resumed run keeps its settings; asked for were {', '.join(differing)}")
    return run


def _check_base(base: Model, family: Family) -> None:
    """Raises UsageError where `family` cannot go on from `base`."""
    if base.family.dim != family.dim:
        raise UsageError(f"dim is {family.dim}, but the model to go on from has {base.family.dim}")
    if "hierarchical_softmax" in (settings(family).get("objective"), settings(base.family).get("objective")):
        raise UsageError(
            "going on from a model needs negative sampling: new words change the whole tree of hierarchical softmax"
        )


@contextmanager
def prepared(
    sources: Any,
    preparation: Preparation,
    family: Family,
    *,
    like: Segmentation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[EncodedCorpus]:
    """The corpus as `family` is trained on it, encoded, for as long as the block lasts; says what was found.

    Args:
        sources: As of `train`.
        preparation: How text becomes words.
        family: Decides whether sentences are needed.
        like: The segmentation of a model to go on from: words are found alike.
        cache_dir: As of `train`.
        progress: Shows the reading and what came of it.

    Raises:
        FirthError: the corpus cannot be read or has no words.
        UsageError: the preparation asks for another segmentation than `like`.
    """
    progress = progress or Silent()
    corpus = corpora.read(sources, preparation, splits_sentences=family.needs_sentences)
    if like is not None and not corpus.has_ready_words:
        _check_alike(preparation, like)
        if warning := like.warning():
            progress.say(warning)
    segmentation = None if corpus.has_ready_words else like
    with cache.encoded(corpus, segmentation, preparation, cache_dir=cache_dir, progress=progress) as encoded:
        for line in _account(encoded):
            progress.say(line)
        yield encoded


def _account(encoded: EncodedCorpus) -> Iterator[str]:
    """What was read and how, a line of text each."""
    yield (
        f"read {_plural(encoded.n_tokens, 'word')}, {_plural(len(encoded.types), 'type')}, "
        f"{_plural(encoded.n_lines, 'line')} of {encoded.n_tokens / encoded.n_lines:.1f} words, "
        f"{_plural(encoded.n_documents, 'document')}"
    )
    reason = f" ({encoded.segmentation_reason})" if encoded.segmentation_reason else ""
    yield f"words: {encoded.segmentation.method}{reason}"
    if encoded.lang:
        yield f"every sentence is a line, by the rules of '{printable(encoded.lang)}'"
    yield from encoded.remarks


def _check_alike(preparation: Preparation, like: Segmentation) -> None:
    """Raises UsageError where the preparation asks for words to be found otherwise than `like` finds them."""
    default = Preparation()
    there = {
        "segment": like.method,
        "cased": not like.lower,
        "unicode_form": like.unicode_form,
        "digits": like.digits,
        "simplified": like.simplified,
        "inner": like.inner,
    }
    asked = [name for name in there if getattr(preparation, name) not in (getattr(default, name), there[name])]
    if preparation.user_words is not None and read_user_words(preparation.user_words) != like.user_words:
        asked.append("user_words")
    if asked:
        found = ", ".join(f"{name} {value!r}" for name, value in there.items())
        raise UsageError(
            f"the model's words were found by {found}, and so must new text's: leave out {', '.join(asked)}"
        )


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
