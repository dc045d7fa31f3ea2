"""A model with a head behind it, as it was trained for a task: its answers, its vectors, its directory."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from firth import devices, reporting, scoring
from firth.answering import Answer, Prediction, answers, predictions
from firth.bodies import START, Blocks, Body, Inputs, PieceTable, Spelt, Stored, Words
from firth.defaults import Use, stored
from firth.errors import FirthError, UsageError
from firth.files import appearing, check_output, printable, replacing
from firth.foreign import Foreign, within
from firth.formats import classification, safetensors
from firth.model import Model, load
from firth.outcomes import Seed
from firth.pieces import Pieces
from firth.scoring import Scores
from firth.segmentation import Segmentation
from firth.spans import scheme_of
from firth.tasks import Examples, Task, read_examples
from firth.tuning import TaskNetwork, Tuning
from firth.vectors import Vectors

Given = str | os.PathLike[str] | Examples | Iterable[Any]
"""Examples: a file of them, what `read_examples` gives, or rows as (text, label)."""

HEAD_FILE: Final = "head.safetensors"
_BODIES: Final = {Words: "words", PieceTable: "pieces", Blocks: "blocks", Spelt: "letters", Stored: "stored"}


class Finetuned:
    """A model with its head: answers, vectors, a directory on disk.

    Attributes:
        model: What the head stands on: a model, vectors, or a network that transformers runs; as it was trained with
            the task, if it was.
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
        model: Model | Vectors | Foreign,
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
        if isinstance(self.model, Foreign):
            raise UsageError(f"{self.network.body.name} is read as it is, and has no vectors that are kept here")
        if isinstance(self.model, Vectors):
            return self.model
        return self.model.vectors

    @property
    def learnt(self) -> Examples:
        """What it was trained with, without the examples: others are read `like` it, with its labels and columns."""
        told = self.record.get("train", {})
        return Examples(
            self.tuning.task,
            (),
            self.labels,
            self.tuning.is_regression,
            source=told.get("source", ""),
            columns=told.get("columns", {}),
            format=told.get("format", ""),
            scheme=scheme_of(self.labels) if self.tuning.task == "tag" else None,
        )

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
        return self.named(self._answers(inputs, device, threads))

    def probabilities(
        self, inputs: Iterable[Any], *, device: str | None = None, threads: int | None = None
    ) -> list[NDArray[np.float32]]:
        """(C,) for each input the probability of each of `labels`; of `tag` (W, C), for each of its words.

        Of a chain of tags these are the marginals, whose highest need not be the tag of the best chain. The arguments
        are those of `predict`.

        Raises:
            UsageError: inputs of another kind than the task's; in regression.
        """
        if self.tuning.is_regression:
            raise UsageError("numbers are answered here, which have no probabilities")
        return [answer.chances for answer in self._answers(inputs, device, threads)]

    def _answers(self, inputs: Iterable[Any], device: str | None, threads: int | None) -> list[Answer]:
        given = [_input(item, self.tuning.task, number) for number, item in enumerate(inputs)]
        place = devices.chosen_device(device)
        body = self.network.body
        if isinstance(body, Stored) and body.device != str(place) and not isinstance(self.model, Vectors):
            length = self.record.get("context_length")
            how: dict[str, Any] = {} if length is None else {"context_length": length}
            body.asked = replace(body.asked, reader=self.model.reader(device=str(place), **how))
            body.device = str(place)
        with devices.on_threads(threads or torch.get_num_threads()):
            self.network.to(place).eval()
            rows = body.encode(given, tags=self.tuning.task == "tag")
            found = answers(self.network, rows, range(len(given)), place)
            self.network.to("cpu")
        return found

    def named(self, found: Iterable[Answer]) -> list[Prediction]:
        """Answers by numbers, by the names of their labels."""
        return predictions(found, self.labels, self.record.get("centre", 0.0), self.record.get("spread", 1.0))

    def _write_for_transformers(self, folder: Path, body: Blocks) -> None:
        """Adds the head to the network's files, where it is one that transformers has."""
        network, is_tagger = self.network, self.tuning.task == "tag"
        reads_last = network.layers.numbers == (body.n_layers - 1,) and body.orders == "given"
        if self.tuning.head != "linear" or not reads_last or network.uses_pooler == (is_tagger or not body.is_bert):
            return
        weight, bias = network.scores.output.weight, network.scores.output.bias
        if self.tuning.is_regression:
            weight = weight * self.record["spread"]
            bias = None if bias is None else bias * self.record["spread"] + self.record["centre"]
        classification.write(folder, weight, bias, labels=self.labels, tags=is_tagger, pad=START)

    def evaluate(self, examples: Given, *, device: str | None = None, threads: int | None = None) -> Scores:
        """How well what is answered meets the targets of labelled examples, read as those trained with were."""
        read = examples_of(examples, self.tuning.task, {}, self.learnt)
        return self.scores(read, self.predict((example.inputs for example in read), device=device, threads=threads))

    def scores(self, examples: Examples, found: Sequence[Prediction]) -> Scores:
        """How well predictions meet the targets of the examples."""
        return scoring.score(
            self.tuning.task,
            examples.targets,
            [one.label for one in found],
            labels=self.labels,
            is_regression=self.tuning.is_regression,
        )

    def report(
        self,
        examples: Examples,
        *,
        title: str = "",
        train: Examples | None = None,
        n_mistakes: int = reporting.MISTAKES,
        device: str | None = None,
        threads: int | None = None,
    ) -> reporting.Report:
        """What there is to show of the answers to labelled examples; `firth.reporting.write` writes it.

        Args:
            examples: What `firth.read_examples` gives.
            title: Of the page.
            train: What was trained with, so that examples which stand there too can be left out once.
            n_mistakes: At most so many are shown.
            device: As of `predict`.
            threads: As of `predict`.
        """
        found = self.predict((example.inputs for example in examples), device=device, threads=threads)
        runs = [run.settings() for run in self.runs] or self.record.get("runs", [])
        return reporting.report(
            examples,
            [one.label for one in found],
            None if self.tuning.is_regression else [one.probability for one in found],
            title=title,
            train=train,
            n_mistakes=n_mistakes,
            runs=[_row_of(run) for run in runs],
        )

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
        if isinstance(self.model, Foreign):
            self.model.write(folder)
            with replacing(folder / "firth.json") as file:
                json.dump({"foreign": True, "finetuned": told}, file, indent=1)
        elif isinstance(self.model, Vectors):
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
    model: Model | Vectors | Foreign
    model = within(path) or (Vectors.load(path) if "counts_known" in description else load(path))
    try:
        given = Tuning(**told["tuning"])
        body = _body_of(told, model, path)
        network = TaskNetwork(given, body, 0)
        weights = safetensors.read(path / HEAD_FILE)
        own = network.state_dict()
        due = {name: tuple(tensor.shape) for name, tensor in own.items() if not name.startswith("body.network.")}
        there = {name: array.shape for name, array in weights.items()}
        if due != there:
            missing = sorted(name for name in due.keys() | there.keys() if due.get(name) != there.get(name))
            raise FirthError(f"{shown} is not a whole model: {HEAD_FILE} does not fit in {', '.join(missing[:5])}")
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in weights.items()}
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


def _body_of(told: Mapping[str, Any], model: Model | Vectors | Foreign, path: Path) -> Body:
    """What the head of a directory stands on."""
    segmentation = Segmentation.from_settings(told["segmentation"])
    if told["body"] == "stored":
        assert not isinstance(model, Vectors)
        given = {**told["tuning"], **told["stored"]}
        return stored(model, given["layers"], given["unit"], given["pool"], segmentation, given["context_length"])
    if told["body"] == "words":
        assert isinstance(model, Vectors)
        return Words(model, segmentation)
    if told["body"] == "pieces":
        assert isinstance(model, Vectors)
        return PieceTable(Pieces.read(path), model.dim, segmentation)
    assert isinstance(model, Model)
    if told["body"] == "letters":
        return Spelt(model, segmentation)
    orders = told["tuning"].get("orders", "given")
    return Blocks(model, context_length=told["context_length"], seed=0, orders=orders)


def examples_of(given: Given, task: Task, columns: Mapping[str, Any], like: Examples | None) -> Examples:
    """The examples given, or read from where they are."""
    if isinstance(given, Examples):
        if given.task != task:
            raise UsageError(f"examples of {given.task} are given, and the task is {task}")
        return given
    return read_examples(given, task, **columns, like=like)


def _row_of(run: Mapping[str, Any]) -> dict[str, Any]:
    """A run's main scores as a row of a table."""
    row = {name: run[name] for name in ("seed", "epochs", "best_epoch", "seconds")}
    for name in ("dev", "test"):
        if run[name] is not None:
            row[f"{name} {run[name]['main']}"] = run[name]["values"][run[name]["main"]]
    return row


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
