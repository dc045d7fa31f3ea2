"""A pretrained model, a head behind it, and a task: trained by the one loop there is, and used.

Two ways to use a model, and the one that both must beat:

    features   its vectors as they are, under a head that is trained
    finetune   all its weights are trained with the head
    scratch    a table drawn from a uniform distribution, of the same vocabulary and width, trained with the head

The best network on the dev examples is kept. What is written stands for itself: the model, the head, the labels.
"""

import hashlib
import json
import math
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from firth import descent, devices, scoring
from firth.alignment import Positions, cut_texts
from firth.bodies import (
    START,
    Blocks,
    Body,
    Inputs,
    PieceTable,
    Rows,
    Spelt,
    Stored,
    Words,
    from_scratch,
    suited_segmentation,
    table_of,
)
from firth.budget import Budget, Report
from firth.errors import FirthError, UsageError
from firth.extraction import opened
from firth.families.bert import BERTNetwork
from firth.files import (
    appearing,
    check_output,
    latest_checkpoint,
    printable,
    replacing,
    uninterrupted,
    without_folders,
)
from firth.formats import classification, safetensors
from firth.heads import Head, TextPool
from firth.model import TRAINED_BEFORE, Model, load, versions
from firth.model import Words as WordTokens
from firth.parts import asked_of
from firth.pieces import Pieces
from firth.progress import Progress, Silent
from firth.readers import WORDS
from firth.scoring import Scores
from firth.segmentation import Method, Segmentation
from firth.tasks import Examples, Task, account, overlap, read_examples
from firth.tuning import Batch, Stream, TaskNetwork, Tuning, batch_of, layers_of, lengths_of
from firth.vectors import Vectors

Use = Literal["features", "finetune", "scratch"]
USES: Final = get_args(Use)
Given = str | os.PathLike[str] | Examples | Iterable[Any]
"""Examples: a file of them, what `read_examples` gives, or rows as (text, label)."""

HEAD_FILE: Final = "head.safetensors"
MOST_WORDS: Final = 50_000
"""Of the texts trained on, whose vectors stand beside a network that reads pieces or letters."""
PATIENCE: Final = 3
"""Passes without a better score on dev, after which a head on what is not a deep network is not trained any more."""
_TOKENS_AT_ONCE: Final = 1 << 12  # that are answered to together
_BODIES: Final = {Words: "words", PieceTable: "pieces", Blocks: "blocks", Spelt: "letters", Stored: "stored"}
_BASE_RATES: Final = {"bert": 5e-5 * 768, "gpt": 6.25e-5 * 768, "elmo": 2e-4 * 1024}
"""Of fine-tuning, times the width: Devlin et al. 2019 (appendix A.3) and Radford et al. 2018 (section 4.1) at 768."""


class Prediction(NamedTuple):
    """What is answered.

    Attributes:
        label: A label; in regression a number; of a sentence a tag for each word.
        probability: Of the label, or of each tag; None in regression.
    """

    label: Any
    probability: Any


class Seed(NamedTuple):
    """What one run came to.

    Attributes:
        seed: Of all that is random.
        dev: Its scores there; None without examples.
        test: The same.
        epochs: Passes over the examples, and which of them left what is kept.
        best_epoch: See there.
        seconds: Of training.
    """

    seed: int
    dev: Scores | None
    test: Scores | None
    epochs: float
    best_epoch: float
    seconds: float


class Finetuned:
    """A model with its head: answers, vectors, a directory on disk.

    Attributes:
        model: What the head stands on: a model, or vectors; as it was trained with the task, if it was.
        network: Body and head.
        tuning: How they were trained.
        labels: What is answered; empty in regression.
        use: `features`, `finetune` or `scratch`.
        record: How it came about: sources, seeds, scores, versions, as JSON.
        log: One entry for each report of the training.
        runs: Of each seed what it came to; empty of what was loaded.
    """

    def __init__(
        self,
        model: Model | Vectors,
        network: TaskNetwork,
        labels: Sequence[str],
        use: Use,
        record: Mapping[str, Any],
        log: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """These parts; nothing is copied."""
        self.model, self.network, self.use = model, network, use
        self.tuning, self.labels = network.given, tuple(labels)
        self.record, self.log = dict(record), [dict(entry) for entry in log]
        self.runs: list[Seed] = []

    def __repr__(self) -> str:
        """The task, and what it stands on."""
        return f"<Finetuned {self.tuning.task} by {self.tuning.head} on {self.network.body.name}>"

    @property
    def vectors(self) -> Vectors:
        """The vectors of words that were trained with the task, or were not changed by it.

        Of GPT, BERT and ELMo a matrix of the words of the texts: what stands behind the one-hot input, pieces pooled.
        """
        if isinstance(self.model, Vectors):
            return self.model
        return self.model.vectors

    def predict(
        self, inputs: Iterable[Any], *, device: str | None = None, threads: int | None = None
    ) -> list[Prediction]:
        """What is answered to each input.

        Args:
            inputs: Texts; of `pair` pairs of texts; of `tag` sequences of words.
            device: cuda, cuda:1, mps or cpu; None takes the fastest there is.
            threads: How many compute; None is as PyTorch has it, all cores as a rule.

        Raises:
            UsageError: inputs of another kind than the task's.
        """
        given = [_input(item, self.tuning.task, number) for number, item in enumerate(inputs)]
        place = devices.chosen_device(device)
        with devices.on_threads(threads or torch.get_num_threads()):
            self.network.to(place).eval()
            rows = self.network.body.encode(given, tags=self.tuning.task == "tag")
            found = _answers(self, rows, range(len(given)), place)
            self.network.to("cpu")
        return found

    def _write_for_transformers(self, folder: Path, body: Blocks) -> None:
        """Adds the head to the network's files, where it is one that transformers has."""
        network, is_tagger = self.network, self.tuning.task == "tag"
        reads_last = network.layers.numbers == (body.n_layers - 1,)
        if self.tuning.head != "linear" or not reads_last or network.uses_pooler == (is_tagger or not body.is_bert):
            return
        weight, bias = network.scores.output.weight, network.scores.output.bias
        if self.tuning.is_regression:
            weight = weight * self.record["spread"]
            bias = None if bias is None else bias * self.record["spread"] + self.record["centre"]
        classification.write(folder, weight, bias, labels=self.labels, tags=is_tagger, pad=START)

    def evaluate(self, examples: Given, *, device: str | None = None, threads: int | None = None) -> Scores:
        """How well what is answered meets the targets of labelled examples."""
        read = _examples(examples, self.tuning.task, {}, None)
        found = self.predict((example.inputs for example in read), device=device, threads=threads)
        return _scores(self, read, found)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes a directory that `load_finetuned` reads, and whose model or vectors `firth.load` and others do.

        A linear head on BERT or GPT stands in config.json and model.safetensors as well, so that transformers'
        AutoModelForSequenceClassification and AutoModelForTokenClassification open it.

        Raises:
            UsageError: `path` exists, and `overwrite` is not given.
        """
        path = Path(path)
        check_output(path, overwrite=overwrite)
        with appearing(path) as folder:
            self.write(folder)

    def write(self, folder: Path) -> None:
        """Writes its files into `folder`, which exists and is empty."""
        body = self.network.body
        told: dict[str, Any] = {
            "use": self.use,
            "body": _BODIES[type(body)],
            "labels": list(self.labels),
            "tuning": asdict(self.tuning),
            "segmentation": body.segmentation.settings(),
            "record": self.record,
        }
        if isinstance(body, Blocks):
            told["context_length"] = body.capacity
        if isinstance(body, Stored):
            asked = body.asked
            told["stored"] = {
                "unit": asked.unit,
                "pool": asked.pool,
                "context_length": self.record.get("context_length"),
            }
        if isinstance(self.model, Vectors):
            old = self.model
            vectors = Vectors(
                old.words,
                old.array,
                counts=old.counts,
                segmentation=old.segmentation,
                subwords=old.subwords,
                provenance={**old.provenance, "finetuned": told},
            )
            vectors.save(folder)
            if isinstance(body, PieceTable):
                body.pieces.write(folder)
        else:
            self.model.record["finetuned"] = told
            self.model.write(folder)
            if isinstance(body, Blocks):
                self._write_for_transformers(folder, body)
        state = {
            name: tensor.detach().float().cpu().numpy()
            for name, tensor in self.network.state_dict().items()
            if not name.startswith("body.network.")
        }
        safetensors.write(folder / HEAD_FILE, state)
        with replacing(folder / "log.jsonl") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in self.log)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What `finetune` was asked for."""

    model: Model | Vectors
    use: Use
    train: Examples
    dev: Examples | None
    test: Examples | None
    settings: Mapping[str, Any]  # of Tuning, those given
    segmentation: Segmentation | Method | None
    context_length: int | None
    precision: devices.Precision | None
    patience: int | None
    device: torch.device
    threads: int
    progress: Progress
    on_report: Callable[[Report], object] | None
    place: Path | None


def finetune(
    model: Model | Vectors | str | os.PathLike[str],
    train: Given,
    *,
    task: Task,
    dev: Given | None = None,
    test: Given | None = None,
    use: Use = "finetune",
    head: Head | None = None,
    layers: str | None = None,
    pool: TextPool | None = None,
    epochs: float | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    patience: int | None = None,
    seed: int = 1,
    seeds: int = 1,
    limit: int | None = None,
    columns: Mapping[str, Any] | None = None,
    segmentation: Segmentation | Method | None = None,
    context_length: int | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    resume: bool = False,
    device: str | None = None,
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
    on_report: Callable[[Report], object] | None = None,
    **settings: Any,
) -> Finetuned:
    """A model with a head that is trained for a task.

    The result repeats to the bit for one seed on a processor, with one number of threads.

    Args:
        model: A model of any family, vectors, or where they are; a published directory of BERT, GPT, GPT-2 or ELMo, a
            file of vectors.
        train: The examples: a file (see `firth.read_examples`), or rows as (text, label), (first, second, label) or
            (words, tags).
        task: `classify` a text, a `pair` of texts, or `tag` each word.
        dev: Examples that choose the best epoch; without them the last one is kept.
        test: Examples that are scored at the end.
        use: `features` leaves the model as it is and trains the head; `finetune` trains all weights; `scratch` draws a
            table of the same vocabulary and width from a uniform distribution, and trains that.
        head: `linear`, `mlp`, `cnn`, `bilstm`; of `tag` also `crf`, `bilstm-crf`. None is `linear` on a network that is
            trained, and `bilstm` on a table or on features of words.
        layers: Which are read: `last`, `second-to-last`, a number, `sum-last-four`, `concat-last-four`, or several that
            a learnt `mix` makes one (all of them). None is the last one of what is trained, else the mix.
        pool: What a text as a whole has its vector from: `cls` (the first piece), `last`, `mean`, `max`. None is as the
            papers have it: of BERT `cls`, of GPT `last`; elsewhere `mean`.
        epochs: Passes over the examples.
        batch_size: Rows in a batch.
        learning_rate: The highest.
        patience: So many passes without a better score on dev end the training.
        seed: Of all that is random.
        seeds: So many runs, with this seed and those behind it; the best on dev is kept.
        limit: So many of the training examples are used, drawn by the first seed.
        columns: Where texts and labels stand: the arguments of `firth.read_examples`, as {"text": "review"}.
        segmentation: How text becomes words where whole words are read; None is as the model's own.
        context_length: Pieces that GPT and BERT read at once; longer texts are cut.
        output: A directory for the result, and for checkpoints while it is not there.
        overwrite: Whether a model in `output` may be replaced.
        resume: Go on with the unfinished run in `output`; all else is as it was.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        precision: `auto` computes in bf16 where the device multiplies it fast.
        threads: How many compute; None is as PyTorch has it, all cores as a rule.
        progress: Shows how far the work is; by default nothing is shown.
        on_report: Called about once a second.
        **settings: Others of `firth.tuning.Tuning`, as layer_decay=0.8, unfreezing="gradual", mix_penalty=0.001.

    Raises:
        FirthError: the model or the examples cannot be read.
        UsageError: arguments that contradict each other, or layers that the model does not have.
    """
    if use not in USES:
        raise UsageError(f"use is {printable(repr(use))}; there are {', '.join(USES)}")
    if seeds < 1 or seed < 0:
        raise UsageError(f"seed {seed}, seeds {seeds}: the first must be at least 0, the second at least 1")
    place = Path(output).absolute() if output is not None else None
    if resume and (place is None or not ((place / "checkpoint").is_dir() or (place / "seeds").is_dir())):
        raise UsageError("there is no unfinished run to resume: name the output that it began with")
    if place is not None and not resume:
        check_output(place, overwrite=overwrite)
        for name in ("checkpoint", "seeds"):
            shutil.rmtree(place / name, ignore_errors=True)
    progress = progress or Silent()
    found = _examples(train, task, columns or {}, None)
    if limit is not None:
        found = _limited(found, limit, seed)
    others = [None if given is None else _examples(given, task, columns or {}, found) for given in (dev, test)]
    _tell(found, others, progress)
    told = {"head": head, "layers": layers, "pool": pool, "epochs": epochs, "batch_size": batch_size}
    told |= {"learning_rate": learning_rate}
    chosen = devices.chosen_device(device)
    asked = _Asked(
        model=_static(opened(model)),
        use=use,
        train=found,
        dev=others[0],
        test=others[1],
        settings={name: value for name, value in told.items() if value is not None} | settings,
        segmentation=segmentation,
        context_length=context_length,
        precision=_precision(precision),
        patience=patience,
        device=chosen,
        threads=threads or torch.get_num_threads(),
        progress=progress,
        on_report=on_report,
        place=place,
    )
    with ExitStack() as stack:
        stack.enter_context(devices.on_threads(asked.threads))
        best, runs = _of_seeds(asked, range(seed, seed + seeds), resume=resume)
    best.runs = runs
    best.record |= _summary(asked, runs)
    for line in _told_of_runs(runs):
        progress.say(line)
    if place is not None:
        with uninterrupted(), appearing(place) as folder:
            best.write(folder)
    return best


def _of_seeds(asked: _Asked, seeds: range, *, resume: bool) -> tuple[Finetuned, list[Seed]]:
    """The best of the runs of some seeds, and what each came to."""
    best: Finetuned | None = None
    best_value = -math.inf
    runs: list[Seed] = []
    stored: tuple[Body, Rows] | None = None  # features are made once for all seeds
    for seed in seeds:
        place = None if asked.place is None or len(seeds) == 1 else asked.place / "seeds" / str(seed)
        if resume and place is not None and (place / "firth.json").is_file():
            made = load_finetuned(place)
            run = _seed_of(made.record.pop("run"))
        else:
            if len(seeds) > 1:
                asked.progress.say(f"seed {seed}")
            body, rows = stored or _read(asked, seed)
            if isinstance(body, Stored):
                stored = body, rows
            made, run = _run(asked, body, rows, seed, resume=resume)
            if place is not None and asked.place is not None:
                made.record["run"] = _told_of(run)
                with uninterrupted(), appearing(place) as folder:
                    made.write(folder)
                del made.record["run"]
                shutil.rmtree(asked.place / "checkpoint", ignore_errors=True)
        runs.append(run)
        if best is None or (run.dev is not None and run.dev.value > best_value):
            best, best_value = made, -math.inf if run.dev is None else run.dev.value
    assert best is not None
    return best, runs


def _told_of(run: Seed) -> dict[str, Any]:
    """A run as JSON."""
    return run._asdict() | {
        name: None if scores is None else scores.settings() for name, scores in (("dev", run.dev), ("test", run.test))
    }


def _seed_of(told: Mapping[str, Any]) -> Seed:
    """The contrary."""

    def scores(given: Mapping[str, Any] | None) -> Scores | None:
        if given is None:
            return None
        per_label = tuple(scoring.LabelScore(**label) for label in given["per_label"])
        confusion = np.array(given["confusion"], np.int64).reshape(len(given["labels"]), -1)
        return Scores(given["values"], given["main"], per_label, tuple(given["labels"]), confusion, given["n"])

    return Seed(**{**told, "dev": scores(told["dev"]), "test": scores(told["test"])})


def _read(asked: _Asked, seed: int) -> tuple[Body, Rows]:
    """What the head is to stand on, and all examples as it reads them: those trained on, of dev, of test."""
    body = _body(asked, seed)
    sets = [examples for examples in (asked.train, asked.dev, asked.test) if examples is not None]
    inputs = [example.inputs for examples in sets for example in examples]
    rows = body.encode(inputs, tags=asked.train.task == "tag", progress=asked.progress)
    if asked.use != "features" and isinstance(body, Words):
        body.train_table()
    _tell_of_rows(body, rows, len(inputs), asked)
    return body, rows


def _run(asked: _Asked, body: Body, rows: Rows, seed: int, *, resume: bool) -> tuple[Finetuned, Seed]:
    """One run: the model with its head, at its best on dev, and what it came to."""
    sets = [examples for examples in (asked.train, asked.dev, asked.test) if examples is not None]
    n_train = len(asked.train)
    targets, centre, spread = _targets(asked.train, rows)
    which = np.flatnonzero(rows.owners < n_train)
    if isinstance(body, Stored):
        body.standardise(_of_both(rows, which))
    given = _tuning(asked, body)
    network = TaskNetwork(given, body, seed)
    record = {
        "seed": seed,
        "centre": centre,
        "spread": spread,
        "context_length": asked.context_length,
        "versions": versions("torch"),
    }
    made = Finetuned(asked.model, network, asked.train.labels, asked.use, record)
    job = _Job(given, network, seed, made.log, _digest(rows, targets))
    text = Stream(rows, targets, given.batch_size, seed, which)
    ends = np.cumsum([0, *map(len, sets)])
    judge = None
    if asked.dev is not None:
        dev, of_dev = asked.dev, range(int(ends[1]), int(ends[2]))

        def score() -> float:
            return _scores(made, dev, _answers(made, rows, of_dev, asked.device)).value

        patience = asked.patience or (None if isinstance(body, Blocks | Spelt) else PATIENCE)
        judge = descent.Judge(score, max(1, math.ceil(given.epochs)), patience)
    run = descent.Run(job, Budget(epochs=given.epochs), seed)  # type: ignore[arg-type]
    if resume and asked.place is not None and (folder := latest_checkpoint(asked.place)) is not None:
        run = descent.Run.read(folder, job.read)
    loop = descent.Loop(
        run,
        text,
        asked.device,
        asked.progress,
        asked.on_report,
        asked.place,
        compiles="never",
        precision=asked.precision,
        baselines=_baselines(asked.train),
        judge=judge,
    )
    began = time.monotonic()
    loop.run()
    seconds = job.record.get("spent", {}).get("seconds", time.monotonic() - began)
    scored: list[Scores | None] = []
    network.to(asked.device).eval()
    for examples, place in ((asked.dev, 1), (asked.test, len(sets) - 1)):
        if examples is None:
            scored.append(None)
            continue
        which_ones = range(int(ends[place]), int(ends[place + 1]))
        scored.append(_scores(made, examples, _answers(made, rows, which_ones, asked.device)))
    network.to("cpu")
    epochs = job.record.get("spent", {}).get("epochs", given.epochs)
    best_epoch = epochs if run.best is None else run.best.fraction * given.epochs
    _settle(made, asked)
    return made, Seed(seed, scored[0], scored[1], epochs, best_epoch, seconds)


class _Job:
    """What `descent.Run` keeps of a run: its network and how it stands."""

    def __init__(
        self, family: Tuning, network: TaskNetwork, seed: int, log: list[dict[str, Any]], examples: str
    ) -> None:
        self.family, self.network, self.log = family, network, log
        budget = Budget(epochs=family.epochs)
        self.record: dict[str, Any] = {"budget": budget.settings(), "seed": seed, "examples": examples}

    def write_for_resumption(self, folder: Path) -> None:
        """Writes what is trained, and how it stands."""
        state = {name: tensor.detach().cpu().numpy() for name, tensor in self.network.state_dict().items()}
        safetensors.write(folder / "network.safetensors", state)
        with replacing(folder / "log.jsonl") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in self.log)
        with replacing(folder / "firth.json") as file:
            json.dump(self.record | {"tuning": asdict(self.family)}, file, indent=1)

    def read(self, folder: Path) -> Any:
        """This job as it stood in a checkpoint.

        Raises:
            UsageError: it was begun with other settings.
        """
        try:
            told = json.loads((folder / "firth.json").read_bytes())
            state = safetensors.read(folder / "network.safetensors")
        except (OSError, ValueError) as error:
            raise FirthError(f"the checkpoint {printable(str(folder))} is damaged: {printable(str(error))}") from None
        is_same = told.get("tuning") == json.loads(json.dumps(asdict(self.family)))
        if not is_same or told.get("seed") != self.record["seed"]:
            raise UsageError("a resumed run keeps its settings; the run in the output was begun with others")
        own = self.network.state_dict()
        due = {name: tuple(tensor.shape) for name, tensor in own.items()}
        is_same = told.get("examples") == self.record["examples"]
        if not is_same or due != {name: array.shape for name, array in state.items()}:
            raise UsageError(
                "a resumed run keeps its examples and its model; the run in the output was begun with others"
            )
        self.network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
        self.log[:] = [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]
        self.record = {name: value for name, value in told.items() if name != "tuning"}
        return self


def load_finetuned(path: str | os.PathLike[str]) -> Finetuned:
    """What `Finetuned.save` has written.

    Raises:
        FirthError: there is no such directory, or it is not whole.
    """
    path = Path(path)
    shown = printable(str(path))
    try:
        description = json.loads((path / "firth.json").read_bytes())
    except (OSError, ValueError) as error:
        raise FirthError(
            f"{shown} is no model with a head: {printable(str(error))}; `firth finetune` makes one"
        ) from None
    told = description.get("finetuned") if isinstance(description, dict) else None
    if not isinstance(told, dict):
        raise FirthError(f"{shown} has no head: it was not trained for a task; `firth finetune` does that")
    model = Vectors.load(path) if "counts_known" in description else load(path)
    try:
        given = Tuning(**told["tuning"])
        body = _body_of(told, model, path)
        network = TaskNetwork(given, body, 0)
        stored = safetensors.read(path / HEAD_FILE)
        own = network.state_dict()
        due = {name: tuple(tensor.shape) for name, tensor in own.items() if not name.startswith("body.network.")}
        there = {name: array.shape for name, array in stored.items()}
        if due != there:
            missing = sorted(name for name in due.keys() | there.keys() if due.get(name) != there.get(name))
            raise FirthError(f"{shown} is not a whole model: {HEAD_FILE} does not fit in {', '.join(missing[:5])}")
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in stored.items()}
        network.load_state_dict(tensors, strict=False)
        reports = path / "log.jsonl"
        log = [json.loads(line) for line in reports.read_bytes().splitlines()] if reports.is_file() else []
        return Finetuned(model, network.eval(), told["labels"], told["use"], told["record"], log)
    except (KeyError, TypeError, ValueError) as error:
        raise FirthError(f"{shown} is not a whole model: {printable(str(error))}") from None


def predict(
    model: Finetuned | str | os.PathLike[str],
    inputs: Iterable[Any],
    *,
    device: str | None = None,
    threads: int | None = None,
) -> list[Prediction]:
    """What a model with a head, or the one in a directory, answers to each input; see `Finetuned.predict`."""
    made = model if isinstance(model, Finetuned) else load_finetuned(model)
    return made.predict(inputs, device=device, threads=threads)


def _body_of(told: Mapping[str, Any], model: Model | Vectors, path: Path) -> Body:
    """What the head of a directory stands on."""
    segmentation = Segmentation.from_settings(told["segmentation"])
    if told["body"] == "stored":
        assert isinstance(model, Model)
        given = {**told["tuning"], **told["stored"]}
        return _stored(model, given["layers"], given["unit"], given["pool"], segmentation, given["context_length"])
    if told["body"] == "words":
        assert isinstance(model, Vectors)
        return Words(model, segmentation)
    if told["body"] == "pieces":
        assert isinstance(model, Vectors)
        return PieceTable(Pieces.read(path), model.dim, segmentation)
    assert isinstance(model, Model)
    if told["body"] == "letters":
        return Spelt(model, segmentation)
    return Blocks(model, context_length=told["context_length"], seed=0)


def _static(model: Model | Vectors) -> Model | Vectors:
    """Of a static model its vectors."""
    from firth.model import CONTEXTUAL

    if isinstance(model, Model) and model.family.name not in CONTEXTUAL:
        return model.vectors
    return model


def _body(asked: _Asked, seed: int) -> Body:
    """What the head is to stand on."""
    model, inputs = asked.model, [example.inputs for example in asked.train]
    method = asked.segmentation
    tags = asked.train.task == "tag"
    if isinstance(model, Vectors):
        own = model.segmentation or replace(WORDS)
        if model.segmentation is None and method is None and not tags:
            own = suited_segmentation(model, inputs)
            asked.progress.say(f"words: {own.method}{', with punctuation marks' if own.punctuation else ''}")
    elif isinstance(model.tokens, WordTokens):
        own = model.segmentation
    else:
        own = WORDS
    if method is not None and own is WORDS and asked.use != "features":
        raise UsageError("segmentation is given, and changes nothing: the model reads pieces of words")
    segmentation = _cut_by(method, own or WORDS)
    if asked.use == "scratch":
        return from_scratch(model, inputs, segmentation, seed)
    if isinstance(model, Vectors):
        return Words(model, segmentation)
    if asked.use == "features":
        layers = asked.settings.get("layers", "mix")
        head = asked.settings.get("head", "linear")
        pool = asked.settings.get("pool", "mean")
        unit = "sentence" if not tags and head in ("linear", "mlp") and pool != "max" else "word"
        return _stored(model, layers, unit, pool if unit == "sentence" else "", segmentation, asked.context_length)
    if isinstance(model.tokens, WordTokens):
        return Spelt(model, segmentation)
    return Blocks(model, context_length=asked.context_length, seed=seed)


def _cut_by(asked: Segmentation | Method | None, own: Segmentation) -> Segmentation:
    """How text is cut: as asked for, else as the model's own was."""
    if isinstance(asked, Segmentation):
        return asked
    return own if asked is None else replace(own, method=asked, segmenter=None, user_words=None)


def _stored(
    model: Model, layers: str, unit: str, pool: str, segmentation: Segmentation, context_length: int | None
) -> Stored:
    """The features of a model, of sentences or of words, of which the first piece stands for a word."""
    from firth.model import OF_PIECES

    how: dict[str, Any] = {} if context_length is None else {"context_length": context_length}
    reader = model.reader(device="cpu", **how)
    named: Any = layers_of(layers, reader)  # type: ignore[arg-type]
    is_bert = isinstance(model.network, BERTNetwork)
    of_word = ("first" if is_bert else "last") if model.family.name in OF_PIECES else "mean"
    chosen: Any = pool if unit == "sentence" else of_word
    asked = asked_of(
        reader,
        layers=list(named.numbers),
        unit=unit,  # type: ignore[arg-type]
        pool=chosen,
        unknown="context",
        segmentation=segmentation,
        dtype="float16",
    )
    return Stored(replace(asked, layers=named))


def _tuning(asked: _Asked, body: Body) -> Tuning:
    """How it is trained: as asked for, else as suits what is trained."""
    train, given = asked.train, dict(asked.settings)
    task = train.task
    known = set(Tuning.__dataclass_fields__) - {"task", "n_outputs", "is_regression"}
    if unknown := sorted(set(given) - known):
        raise UsageError(f"there is no setting {printable(', '.join(unknown))}; there are {', '.join(sorted(known))}")
    default: dict[str, Any] = {}
    if isinstance(body, Blocks | Spelt):
        name = body.family.name
        default = {
            "layers": "last" if isinstance(body, Blocks) else "mix",
            "pool": "mean" if isinstance(body, Spelt) else "cls" if body.is_bert else "last",
            "learning_rate": _BASE_RATES[name] / body.dim,
            "language_model": 0.5 if name == "gpt" and task != "tag" else 0.0,
            "mix_penalty": 0.001 if isinstance(body, Spelt) else 0.0,
            "batch_size": 32,
            "epochs": 3.0,
            "head_dropout": 0.1,
        }
    else:
        is_of_words = not isinstance(body, Stored) or body.asked.unit == "word"
        head = given.get("head", "linear" if not is_of_words else "bilstm")
        default = {
            "head": head,
            "layers": "mix" if isinstance(body, Stored) else "last",
            "learning_rate": 1e-3,
            "weight_decay": 0.0,
            "batch_size": 32,
            "epochs": 10.0,
            "head_dropout": 0.5 if head in ("cnn", "bilstm", "bilstm-crf") else 0.1,
        }
    if given.get("head", default.get("head")) == "cnn":
        default["head_dim"] = 100
    if not isinstance(body, Blocks) or body.is_bert:
        _refuse(given, "language_model", f"it is GPT's own loss, and {body.name} has none")
    if not isinstance(body, Blocks | Spelt):
        for setting in ("layer_decay", "unfreezing", "body_dropout"):
            _refuse(given, setting, "it is of the layers of a network that is trained")
    if isinstance(body, Stored):
        _refuse_pool(given, body)
    shape: dict[str, Any] = {"task": task, "n_outputs": len(train.labels) or 1, "is_regression": train.is_regression}
    return Tuning(**shape, **(default | given))


def _refuse(given: Mapping[str, Any], name: str, reason: str) -> None:
    if name in given:
        raise UsageError(f"{name} is given, and changes nothing: {reason}")


def _refuse_pool(given: Mapping[str, Any], body: Stored) -> None:
    if given.get("pool") in ("cls", "last") and body.asked.unit == "word" and body.asked.reader.reads_words:
        raise UsageError(f"pool {given['pool']} asked of {body.name}; mean and max serve it")


def _targets(train: Examples, rows: Rows) -> tuple[list[Any], float, float]:
    """What is due of each row that is trained on; of numbers, brought to mean 0 and deviation 1, and these two."""
    n_rows = int((rows.owners < len(train)).sum())
    owners = rows.owners[:n_rows]
    if train.is_regression:
        numbers = np.array(train.targets, np.float64)
        centre, spread = float(numbers.mean()), float(numbers.std()) or 1.0
        return [float((numbers[owner] - centre) / spread) for owner in owners], centre, spread
    of_labels: dict[Any, int] = {label: number for number, label in enumerate(train.labels)}
    if train.task != "tag":
        return [of_labels[train[int(owner)].target] for owner in owners], 0.0, 1.0
    found = []
    for row, owner in enumerate(owners):
        tags: Any = train[int(owner)].target
        first = int(rows.firsts[row])
        n_words = len(rows.places[row] if rows.places is not None else rows.ids[row])
        found.append(np.array([of_labels[tag] for tag in tags[first : first + n_words]], np.int64))
    return found, 0.0, 1.0


def _digest(rows: Rows, targets: Sequence[Any]) -> str:
    """A digest of the examples as they are trained on."""
    digest = hashlib.blake2b(digest_size=16)
    for of_rows in (rows.ids, rows.second or [], [np.asarray(target, np.float64) for target in targets]):
        for row in of_rows:
            digest.update(np.ascontiguousarray(row).data)
            digest.update(str(row.shape).encode())
    return digest.hexdigest()


def _of_both(rows: Rows, which: Positions) -> Iterable[Positions]:
    """The places of rows, of both texts where they are read apart."""
    for row in which:
        yield rows.ids[row]
        if rows.second is not None:
            yield rows.second[row]


def _answers(made: Finetuned, rows: Rows, examples: range, device: torch.device) -> list[Prediction]:
    """What is answered to some of the examples that rows are of, in their order."""
    network, given = made.network, made.tuning
    which = np.flatnonzero((rows.owners >= examples.start) & (rows.owners < examples.stop))
    lengths = lengths_of(rows)[which]
    found: dict[int, Any] = {}
    with torch.inference_mode():
        for some in _together(which[np.argsort(lengths, kind="stable")], lengths_of(rows)):
            batch = descent.moved(descent.tensors(batch_of(rows, some, None)), device)
            scores, _ = network(batch)
            for row, answer in zip(some, _answered(network, given, scores.float(), batch), strict=True):
                found[int(row)] = answer
    together: list[Prediction] = []
    in_order = [(int(rows.owners[row]), found[int(row)]) for row in which]
    if given.task != "tag":
        for _, (number, probability) in in_order:
            label: Any = made.labels[number] if not given.is_regression else None
            if given.is_regression:
                label = float(number) * made.record["spread"] + made.record["centre"]
            together.append(Prediction(label, probability))
        return together
    tags: dict[int, tuple[list[str], list[float]]] = {owner: ([], []) for owner in examples}
    for owner, (numbers, probabilities) in in_order:
        tags[owner][0].extend(made.labels[number] for number in numbers)
        tags[owner][1].extend(probabilities)
    return [Prediction(tuple(names), tuple(probabilities)) for names, probabilities in tags.values()]


def _together(order: NDArray[np.int64], lengths: Positions) -> Iterable[NDArray[np.int64]]:
    """Rows by rising length, so many at a time as come to some thousand tokens with their padding."""
    first = 0
    while first < len(order):
        stop = first + 1
        while stop < len(order) and (stop + 1 - first) * max(1, int(lengths[order[stop]])) <= _TOKENS_AT_ONCE:
            stop += 1
        yield order[first:stop]
        first = stop


def _answered(network: TaskNetwork, given: Tuning, scores: torch.Tensor, batch: Batch) -> list[tuple[Any, Any]]:
    """Of each row the number of its label and the probability; of words as many; in regression the number."""
    if given.is_regression:
        return [(number, None) for number in scores[:, 0].tolist()]
    if given.task != "tag":
        probabilities, numbers = scores.softmax(1).max(1)
        return list(zip(numbers.tolist(), probabilities.tolist(), strict=True))
    lengths = batch.n_words.tolist()
    if network.crf is not None:
        is_real = torch.arange(scores.shape[1], device=scores.device) < batch.n_words[:, None]
        labels = network.crf.best(scores, is_real)
        chances = network.crf.marginals(scores, is_real).gather(2, labels[..., None])[..., 0]
    else:
        chances, labels = scores.softmax(2).max(2)
    rows = zip(labels.tolist(), chances.tolist(), lengths, strict=True)
    return [(row[:length], chance[:length]) for row, chance, length in rows]


def _scores(made: Finetuned, examples: Examples, found: Sequence[Prediction]) -> Scores:
    return scoring.score(
        made.tuning.task,
        examples.targets,
        [one.label for one in found],
        labels=made.labels,
        is_regression=made.tuning.is_regression,
    )


def _settle(made: Finetuned, asked: _Asked) -> None:
    """Puts what was trained in the place of the model that was given."""
    body = made.network.body
    if isinstance(body, Words):
        body.settle()
        made.model = body.vectors
    elif isinstance(body, PieceTable):
        words, counts = _words_of_texts(asked.train)
        reader = _of_piece_table(body)
        made.model = _vectors_of(reader, words, counts)
    elif isinstance(body, Stored):
        assert isinstance(asked.model, Model)
        old = asked.model
        made.model = Model(
            old.family, old.tokens, old.network, without_folders(dict(old.record)), old.log, old.matrices
        )
    else:
        assert isinstance(asked.model, Model)
        old = asked.model
        family = old.family
        if getattr(family, "predicts_next_sentence", False):
            family = replace(family, objective="masked_token")
        tokens: Any = body.pieces if isinstance(body, Blocks) else old.tokens
        record = {name: value for name, value in old.record.items() if name != TRAINED_BEFORE}  # its heads fit no more
        made.model = Model(family, tokens, body.network.eval(), without_folders(record))
        words, counts = _words_of_texts(asked.train)
        made.model.matrices = _vectors_of(made.model.reader(device="cpu"), words, counts)


def _words_of_texts(train: Examples) -> tuple[list[str], list[int]]:
    """The words of the texts that were trained on, the most frequent first, and how often each occurs."""
    counts: dict[str, int] = {}
    for example in train:
        if train.task == "tag":
            words: Iterable[str] = example.inputs
        else:
            words = (word for cut in cut_texts(list(example.inputs), WORDS) for word in cut.words)
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    order = sorted(counts, key=lambda word: -counts[word])[:MOST_WORDS]
    return order, [counts[word] for word in order]


def _vectors_of(reader: Any, words: Sequence[str], counts: Sequence[int]) -> Vectors:
    """What stands behind the one-hot input for these words, folded as the model folds them."""
    together: dict[str, int] = {}
    for word, count in zip(words, counts, strict=True):
        key = word.lower() if reader.folds_case else word
        together[key] = together.get(key, 0) + count
    names = list(together)
    array = table_of(reader, names)
    known = np.flatnonzero(np.isfinite(array).all(1))
    if not len(known):
        names, known, array = ["-"], np.zeros(1, np.int64), np.zeros((1, reader.dim), np.float32)
        together = {"-": 1}
    kept = [names[row] for row in known]
    segmentation = replace(WORDS, lower=bool(reader.folds_case))
    provenance = {"family": reader.family, "source": "the table behind the one-hot input, trained with a task"}
    array = np.ascontiguousarray(array[known])[np.newaxis]
    return Vectors(kept, array, counts=[together[w] for w in kept], segmentation=segmentation, provenance=provenance)


class _OfPieces(NamedTuple):
    """A table of pieces, as `_vectors_of` asks for it."""

    family: str
    dim: int
    folds_case: bool
    table: Callable[[Sequence[str], Any], NDArray[np.float32]]


def _of_piece_table(body: PieceTable) -> _OfPieces:
    from firth.readers import alone, of_table, pieced_by

    def table(words: Sequence[str], pool: Any) -> NDArray[np.float32]:
        return of_table(body.table, pieced_by(body.pieces.backend, body.pieces.unk, alone(words)), pool)

    return _OfPieces("scratch", body.dim, body.pieces.folds_case, table)


# --- what is read and told


def _examples(given: Given, task: Task, columns: Mapping[str, Any], like: Examples | None) -> Examples:
    if isinstance(given, Examples):
        if given.task != task:
            raise UsageError(f"examples of {given.task} are given, and the task is {task}")
        return given
    return read_examples(given, task, **columns, like=like)


def _limited(examples: Examples, limit: int, seed: int) -> Examples:
    """So many of the examples, drawn by a seed, in their order; of each label, where there are labels, one at least."""
    if limit < 1:
        raise UsageError(f"limit is {limit}; it must be at least 1")
    if limit >= len(examples):
        return examples
    rng = np.random.default_rng([seed, limit])
    order = rng.permutation(len(examples)).tolist()
    first_of: dict[Any, int] = {}
    for place in order:
        target = examples[place].target
        for label in set(target) if isinstance(target, tuple) else [target]:
            if not examples.is_regression:
                first_of.setdefault(label, place)
    needed = dict.fromkeys(list(first_of.values())[:limit])
    chosen = sorted([*needed, *(place for place in order if place not in needed)][:limit])
    return replace(examples, examples=tuple(examples[place] for place in chosen))


def _tell(train: Examples, others: Sequence[Examples | None], progress: Progress) -> None:
    for examples in (train, *others):
        if examples is not None:
            for line in account(examples):
                progress.say(line)
    for name, examples in zip(("dev", "test"), others, strict=True):
        if examples is not None and (share := overlap(train, examples)):
            progress.say(f"{share:.1%} of the {name} examples stand verbatim among those trained on: scores gain by it")


def _tell_of_rows(body: Body, rows: Rows, n_examples: int, asked: _Asked) -> None:
    if rows.n_long:
        assert isinstance(body, Blocks)
        what = "read in parts" if asked.train.task == "tag" else "cut"
        asked.progress.say(
            f"{rows.n_long / n_examples:.1%} of the texts are longer than the {body.capacity} pieces that {body.name} "
            f"reads at once, and are {what}"
        )
    if isinstance(body, Words):
        asked.progress.say(
            f"{body.unknown_share:.1%} of the words are not among those of {body.name}: they share one vector, which "
            "is trained"
        )


def _told_of_runs(runs: Sequence[Seed]) -> Iterable[str]:
    for name in ("dev", "test"):
        scores = [getattr(run, name) for run in runs if getattr(run, name) is not None]
        if not scores:
            continue
        values = [score.value for score in scores]
        of_seeds = ""
        if len(values) > 1:
            spread = f"standard deviation {statistics.stdev(values):.4f}, {min(values):.4f} to {max(values):.4f}"
            of_seeds = f" in the mean of {len(values)} seeds ({spread})"
        yield f"{name} {scores[0].main}: {statistics.fmean(values):.4f}{of_seeds}"


def _summary(asked: _Asked, runs: Sequence[Seed]) -> dict[str, Any]:
    """What the record says of all runs."""
    found: dict[str, Any] = {
        "train": {"source": asked.train.source, "n": len(asked.train), "columns": dict(asked.train.columns)},
        "runs": [_told_of(run) for run in runs],
    }
    for name in ("dev", "test"):
        values = [getattr(run, name).value for run in runs if getattr(run, name) is not None]
        if values:
            spread = statistics.stdev(values) if len(values) > 1 else None
            found[name] = {"mean": statistics.fmean(values), "deviation": spread}
    return found


def _baselines(train: Examples) -> dict[str, float]:
    """What an answer costs who knows nothing."""
    return {} if train.is_regression else {f"ln {len(train.labels)}": math.log(len(train.labels))}


def _precision(asked: str) -> devices.Precision | None:
    if asked not in ("auto", "fp32", "bf16"):
        raise UsageError(f"precision is {printable(repr(asked))}; there are auto, fp32, bf16")
    if asked == "auto":
        return None
    return devices.Precision(torch.float32 if asked == "fp32" else torch.bfloat16, "as asked for")


def _input(item: Any, task: Task, number: int) -> Inputs:
    """One input as a body reads it.

    Raises:
        UsageError: it is of another kind than the task's.
    """
    due = {"classify": "a text", "pair": "a pair of texts", "tag": "a sequence of words"}[task]
    if task == "classify" and isinstance(item, str):
        return (item,)
    is_several = isinstance(item, list | tuple) and all(isinstance(part, str) for part in item)
    if is_several and (task == "tag" or (task == "pair" and len(item) == 2) or (task == "classify" and len(item) == 1)):
        return tuple(item)
    raise UsageError(f"input {number} is {printable(repr(item))[:80]}; for {task}, {due} is due")
