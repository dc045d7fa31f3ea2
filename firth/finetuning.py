"""A pretrained model, a head behind it, and a task: trained by the one loop there is.

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
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch

from firth import descent, devices, hub, outcomes
from firth.alignment import Positions
from firth.answering import Prediction, answers
from firth.bodies import Blocks, Body, Rows, Spelt, Stored, Words
from firth.budget import Budget, Report
from firth.defaults import USES, Asked, Use, body_of, tuning_of
from firth.errors import FirthError, UsageError
from firth.extraction import is_for_transformers, opened
from firth.files import appearing, check_output, latest_checkpoint, printable, replacing, uninterrupted
from firth.finetuned import Finetuned, Given, examples_of, load_finetuned
from firth.foreign import Foreign, within
from firth.formats import safetensors
from firth.heads import Head, TextPool
from firth.model import CONTEXTUAL, Model, versions
from firth.outcomes import Seed
from firth.progress import Progress, Silent
from firth.readers import of_words
from firth.runs import Run
from firth.scoring import Scores
from firth.segmentation import Method, Segmentation
from firth.settling import settled
from firth.tasks import Examples, Task, account, limited, overlap
from firth.tuning import Stream, TaskNetwork, Tuning
from firth.vectors import Vectors

PATIENCE: Final = 3
"""Passes without a better score on dev, after which a head on what is not a deep network is not trained any more."""

_OTHER_SETTINGS: Final = "a resumed run keeps its settings; the run in the output was begun with others"
_OTHER_EXAMPLES: Final = "a resumed run keeps its examples and its model; the run in the output was begun with others"


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
            file of vectors. For a head on its features alone, also a directory of another architecture (RoBERTa, ...),
            which transformers opens, with the extra `hf`.
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
    if patience is not None and patience < 1:
        raise UsageError(f"patience is {patience}; it must be at least 1")
    if place is not None and not resume:
        check_output(place, overwrite=overwrite)
    seed, seeds, limit = map(_plain, (seed, seeds, limit))
    epochs, batch_size, learning_rate = map(_plain, (epochs, batch_size, learning_rate))
    patience, context_length, threads = map(_plain, (patience, context_length, threads))
    settings = {name: _plain(value) for name, value in settings.items()}
    progress = progress or Silent()
    found = examples_of(train, task, columns or {}, None)
    if limit is not None:
        found = limited(found, limit, seed)
    others = [None if given is None else examples_of(given, task, columns or {}, found) for given in (dev, test)]
    _tell(found, others, progress)
    told = {"head": head, "layers": layers, "pool": pool, "epochs": epochs, "batch_size": batch_size}
    told |= {"learning_rate": learning_rate}
    chosen = devices.chosen_device(device)
    asked = Asked(
        model=_opened(model),
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
    best.record |= outcomes.summary(runs) | {
        "train": {"source": found.source, "format": found.format, "n": len(found), "columns": dict(found.columns)},
        "asked": _settings_of(asked) | {"device": device, "precision": precision, "threads": threads},
    }
    for line in outcomes.told(runs):
        progress.say(line)
    if place is not None:
        with uninterrupted(), appearing(place) as folder:
            best.write(folder)
    return best


def _of_seeds(asked: Asked, seeds: range, *, resume: bool) -> tuple[Finetuned, list[Seed]]:
    """The best of the runs of some seeds, and what each came to."""
    best: Finetuned | None = None
    best_value = -math.inf
    runs: list[Seed] = []
    stored: tuple[Body, Rows] | None = None  # features are made once for all seeds
    begun: dict[str, Any] = {"settings": {}, "examples": ""} if asked.place is None else _begun_with(asked)
    for seed in seeds:
        place = None if asked.place is None or len(seeds) == 1 else asked.place / "seeds" / str(seed)
        if resume and place is not None and (place / "firth.json").is_file():
            made = load_finetuned(place)
            run = Seed.from_settings(made.record.pop("run"))
            _check_begun(made.record.pop("begun", {}), begun)
        else:
            if len(seeds) > 1:
                asked.progress.say(f"seed {seed}")
            body, rows = stored or _read(asked, seed)
            if isinstance(body, Stored):
                stored = body, rows
            replaced = () if resume or runs else ("checkpoint", "seeds")
            made, run = _run(asked, body, rows, seed, begun["examples"], resume=resume, replaced=replaced)
            if place is not None and asked.place is not None:
                made.record |= {"run": run.settings(), "begun": begun}
                with uninterrupted(), appearing(place) as folder:
                    made.write(folder)
                del made.record["run"], made.record["begun"]
                shutil.rmtree(asked.place / "checkpoint", ignore_errors=True)
        runs.append(run)
        if best is None or (run.dev is not None and run.dev.value > best_value):
            best, best_value = made, -math.inf if run.dev is None else run.dev.value
    assert best is not None
    return best, runs


def _read(asked: Asked, seed: int) -> tuple[Body, Rows]:
    """What the head is to stand on, and all examples as it reads them: those trained on, of dev, of test."""
    body = body_of(asked, seed)
    sets = [examples for examples in (asked.train, asked.dev, asked.test) if examples is not None]
    inputs = [example.inputs for examples in sets for example in examples]
    rows = body.encode(inputs, tags=asked.train.task == "tag", progress=asked.progress)
    if asked.use != "features" and isinstance(body, Words):
        body.train_table()
    _tell_of_rows(body, rows, len(inputs), asked)
    return body, rows


def _run(
    asked: Asked, body: Body, rows: Rows, seed: int, begun: str, *, resume: bool, replaced: Sequence[str]
) -> tuple[Finetuned, Seed]:
    """One run: the model with its head, at its best on dev, and what it came to.

    Args:
        asked: What it is of.
        body: What the head stands on.
        rows: All examples.
        seed: Of all that is random.
        begun: A digest of examples and model, which a resumed run keeps.
        resume: Whether it goes on from the checkpoint that there is.
        replaced: What goes of an unfinished run in the output, now that nothing is left to be refused.
    """
    sets = [examples for examples in (asked.train, asked.dev, asked.test) if examples is not None]
    n_train = len(asked.train)
    targets, centre, spread = _targets(asked.train, rows)
    which = np.flatnonzero(rows.owners < n_train)
    if isinstance(body, Stored):
        body.standardise(_of_both(rows, which))
    given = tuning_of(asked, body)
    text = Stream(rows, targets, given.batch_size, seed, which)
    given = replace(given, n_steps=math.ceil(given.epochs * text.n_batches))
    network = TaskNetwork(given, body, seed)
    record = {
        "seed": seed,
        "centre": centre,
        "spread": spread,
        "context_length": asked.context_length,
        "versions": versions("torch"),
    }
    made = Finetuned(asked.model, network, asked.train.labels, asked.use, record)
    job = _Job(given, network, seed, made.log, _digest(begun, rows, targets))
    ends = np.cumsum([0, *map(len, sets)])

    def answered(which_ones: range) -> list[Prediction]:
        return made.named(answers(network, rows, which_ones, asked.device))

    judge = None
    if asked.dev is not None:
        dev, of_dev = asked.dev, range(int(ends[1]), int(ends[2]))

        def score() -> float:
            return made.scores(dev, answered(of_dev)).value

        patience = asked.patience
        if patience is None and not isinstance(body, Blocks | Spelt):
            patience = PATIENCE
        judge = descent.Judge(score, max(1, math.ceil(given.epochs)), patience)
    run = Run(job, Budget(epochs=given.epochs), seed)  # type: ignore[arg-type]
    if resume and asked.place is not None and (folder := latest_checkpoint(asked.place)) is not None:
        run = Run.read(folder, job.read)
    if asked.place is not None:
        for name in replaced:
            shutil.rmtree(asked.place / name, ignore_errors=True)
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
    if len(run.held_out) > 1 and len({value for _, value in run.held_out}) == 1 and run.held_out[0][1] < 1:
        never = f"the score on dev never moved from {run.held_out[0][1]:.4g}"
        asked.progress.say(f"seed {seed}: {never}: train longer, or at a higher rate")
    scored: list[Scores | None] = []
    network.to(asked.device).eval()
    for examples, place in ((asked.dev, 1), (asked.test, len(sets) - 1)):
        if examples is None:
            scored.append(None)
            continue
        which_ones = range(int(ends[place]), int(ends[place + 1]))
        scored.append(made.scores(examples, answered(which_ones)))
    network.to("cpu")
    epochs = job.record.get("spent", {}).get("epochs", given.epochs)
    best_epoch = epochs if run.best is None else run.best.fraction * given.epochs
    made.model = settled(body, asked.model, asked.train)
    return made, Seed(seed, scored[0], scored[1], epochs, best_epoch, seconds)


class _Job:
    """What a `Run` keeps of a run: its network and how it stands."""

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
            raise UsageError(_OTHER_SETTINGS)
        own = self.network.state_dict()
        due = {name: tuple(tensor.shape) for name, tensor in own.items()}
        is_same = told.get("examples") == self.record["examples"]
        if not is_same or due != {name: array.shape for name, array in state.items()}:
            raise UsageError(_OTHER_EXAMPLES)
        self.network.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in state.items()})
        self.log[:] = [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]
        self.record = {name: value for name, value in told.items() if name != "tuning"}
        return self


def _opened(given: Model | Vectors | str | os.PathLike[str]) -> Model | Vectors | Foreign:
    """A model; of a static one its vectors."""
    if isinstance(given, str | os.PathLike):
        path = hub.found(given).path
        if is_for_transformers(path):
            return Foreign(path)
        if (own := within(path)) is not None:
            return own
    model = opened(given)
    if isinstance(model, Model) and model.family.name not in CONTEXTUAL:
        return model.vectors
    return model


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


def _begun_with(asked: Asked) -> dict[str, Any]:
    """What all runs of the seeds keep, as JSON: the settings; a digest of examples, labels and model."""
    sets = [examples and [list(one)[:2] for one in examples] for examples in (asked.train, asked.dev, asked.test)]
    model = asked.model
    reader = of_words(model) if isinstance(model, Vectors) else model.reader(device="cpu")
    digest = hashlib.blake2b(
        json.dumps([sets, asked.train.labels, reader.fingerprint()], default=str).encode(), digest_size=16
    )
    return {"settings": json.loads(json.dumps(_settings_of(asked), default=str)), "examples": digest.hexdigest()}


def _settings_of(asked: Asked) -> dict[str, Any]:
    """What was asked for, as JSON: of the network's settings those given alone; else None is what was left to firth."""
    cut = asked.segmentation.settings() if isinstance(asked.segmentation, Segmentation) else asked.segmentation
    own = {"use": asked.use, "patience": asked.patience, "segmentation": cut, "context_length": asked.context_length}
    return own | dict(asked.settings)


def _check_begun(told: Mapping[str, Any], begun: Mapping[str, Any]) -> None:
    """Refuses to set runs beside each other that were begun with different things."""
    if told.get("settings") != begun["settings"]:
        raise UsageError(_OTHER_SETTINGS)
    if told.get("examples") != begun["examples"]:
        raise UsageError(_OTHER_EXAMPLES)


def _digest(begun: str, rows: Rows, targets: Sequence[Any]) -> str:
    """A digest of the examples as they are trained on, and of what decides on their features."""
    digest = hashlib.blake2b(begun.encode(), digest_size=16)
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


# --- what is read and told


def _plain(value: Any) -> Any:
    """A number of NumPy's as Python's, which JSON takes; all else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _tell(train: Examples, others: Sequence[Examples | None], progress: Progress) -> None:
    for examples in (train, *others):
        if examples is not None:
            for line in account(examples):
                progress.say(line)
    for name, examples in zip(("dev", "test"), others, strict=True):
        if examples is not None and (share := overlap(train, examples)):
            progress.say(f"{share:.1%} of the {name} examples stand verbatim among those trained on: scores gain by it")


def _tell_of_rows(body: Body, rows: Rows, n_examples: int, asked: Asked) -> None:
    if rows.n_long and isinstance(body, Blocks | Stored):
        if isinstance(body, Blocks):
            capacity, what = body.capacity, "read in parts" if asked.train.task == "tag" else "cut"
        else:
            reader = body.asked.reader
            capacity = (reader.capacity or 0) + len(reader.before) + len(reader.behind)
            what = "read in overlapping windows"
            n_examples *= 1 if rows.second is None else 2  # of pairs each text is read by itself
        asked.progress.say(
            f"{rows.n_long / n_examples:.1%} of the texts are longer than the {capacity} pieces that {body.name} "
            f"reads at once, and are {what}"
        )
    if isinstance(body, Words):
        asked.progress.say(
            f"{body.unknown_share:.1%} of the words are not among those of {body.name}: they share one vector, which "
            "is trained"
        )


def _baselines(train: Examples) -> dict[str, float]:
    """What an answer costs who knows nothing."""
    return {} if train.is_regression else {f"ln {len(train.labels)}": math.log(len(train.labels))}


def _precision(asked: str) -> devices.Precision | None:
    if asked not in ("auto", "fp32", "bf16"):
        raise UsageError(f"precision is {printable(repr(asked))}; there are auto, fp32, bf16")
    if asked == "auto":
        return None
    return devices.Precision(torch.float32 if asked == "fp32" else torch.bfloat16, "as asked for")
