"""One piece of a comparison's work in a process of its own: `python -m firth.jobs JOB.json`.

So that what it takes of memory is its own, that a failure ends nothing else, and that all of a model's memory is free
when the next one begins. The job and what came of it are JSON files; a job that stops halfway leaves the checkpoints of
an ordinary run, and the same job goes on from them.
"""

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from firth import costs, language, parts, reduction
from firth.budget import Budget, Report
from firth.division import lines_of
from firth.errors import FirthError, UsageError
from firth.evaluation import WordPair, evaluate_pairs
from firth.extraction import opened, reader_of
from firth.families.family import from_settings, settings
from firth.files import json_object, latest_checkpoint, printable, replacing, uninterrupted
from firth.formats.directory import MATRICES
from firth.model import CONTEXTUAL, COUNTING, FAMILIES, Model, load
from firth.plan import TRIAL_SHARE
from firth.preparation import Preparation
from firth.progress import Progress, Silent, to_stderr
from firth.segmentation import Segmentation
from firth.spans import spans
from firth.training import train
from firth.vectors import Vectors

CURVE: Final = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0)
"""Parts of the budget after which a model in training is scored."""
CURVE_CONTEXTS: Final = 4
"""Of each word, that a network in training is scored by."""
HEAD: Final[Mapping[str, Any]] = {"head": "cnn", "epochs": 8.0, "patience": 3, "batch_size": 32, "head_dropout": 0.5}
"""That all models have for a task: with the heads that suit each best, these would be compared and not the vectors."""
MATRICES_SHARE: Final = 0.1
"""Of a training, that making a network's static vectors costs beside it: three times that share of the words it has
seen may be read, which costs a third of what a step of training does."""
CONTEXTS: Final = 20
"""Of a word, for these."""
NEIGHBOURHOOD: Final = 5
MOST_NEIGHBOURS: Final = 200_000
"""Pairs of held-out text that settings of a static family are chosen by."""
MOST_LOSSES: Final = 200
MOST_LINES_LOOKED_AT: Final = 200_000
LONGEST_LINE: Final = 2000  # characters of a line that a network in training is scored by
LEAST_SHARE: Final = 0.1
"""Of a budget, that is left to train in; a family with less is left out."""
LEAST_READ: Final = 300_000
"""Words that a network reads at least for its static vectors, where the text has as many."""
LEAST_LOOKED_AT: Final = 5_000_000
"""Words of the text among which contexts are looked for, or as many as the network has seen."""
PREPARING: Final = ("encode_seconds", "count_seconds", "compile_seconds")
"""What a model's record has of the time before its training."""
COMPILED: Final = ("NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
"""Environment variables that say where compiled code is kept for the next process."""
FULL: Final = 3
"""The status of a process that found no room on the disk."""
INTERRUPTED: Final = 4
_NO_ROOM: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class DiskFullError(FirthError):
    """There is no room for what a job writes."""


def run(job: Mapping[str, Any], folder: Path, name: str) -> dict[str, Any]:
    """What came of a job, done by another process.

    Args:
        job: `work` says what: `train`, `matrices`, `try`, `use`, `probe`, `judge`; see the functions here.
        folder: Where job and outcome are written; of a fault of the program the traceback too, in NAME.log.
        name: Of these files.

    Returns:
        What the function of that name found; {"failed": why} where it could not.

    Raises:
        KeyboardInterrupt: Ctrl-C; the process has written its checkpoint.
        DiskFullError: there was no room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    asked, outcome, log = (folder / f"{name}.{what}" for what in ("job.json", "outcome.json", "log"))
    outcome.unlink(missing_ok=True)
    log.unlink(missing_ok=True)
    with replacing(asked) as file:
        json.dump({**job, "parent": os.getpid(), "outcome": str(outcome)}, file, ensure_ascii=False)
    command = [sys.executable, "-m", "firth.jobs", str(asked)]
    with _environment(job, folder) as environment:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
        try:
            status = child.wait()
        except BaseException:
            with uninterrupted():  # it has had Ctrl-C too, from a terminal; it writes its checkpoint
                if not _ends(child, 5):
                    child.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
                child.wait()
            raise
    if status == FULL:
        raise DiskFullError(
            f"the disk is full: {printable(str(folder.parent))} has no room; make some, and --resume goes on from here"
        )
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if outcome.is_file():
        found = json_object(outcome)
        if (trace := found.pop("traceback", None)) is not None:
            with replacing(log) as file:
                file.write(trace)
            found["failed"] += f"; its traceback is in {folder.name}/{log.name}"
        asked.unlink(missing_ok=True)
        outcome.unlink(missing_ok=True)
        return found
    killed = f"signal {-status}" if status < 0 else f"status {status}"
    why = "; as a rule, because the memory was full" if status in (-9, 137) else ""
    return {"failed": f"its process ended with {killed}{why}"}


@contextmanager
def _environment(job: Mapping[str, Any], folder: Path) -> Iterator[dict[str, str] | None]:
    """Variables of the process of a job; one whose preparing counts compiles anew, or the first of many would pay."""
    if job["work"] != "train" or not _is_charged(job):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="compiled-", dir=folder, ignore_cleanup_errors=True) as place:
        yield os.environ | {name: str(Path(place) / name.lower()) for name in COMPILED}


def _ends(child: "subprocess.Popen[bytes]", seconds: float) -> bool:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def main(path: Path) -> int:
    """Does the job in a file; the status of the process."""
    job = json_object(path)
    try:
        found = done(job)
        with replacing(Path(job["outcome"])) as file:
            json.dump(found, file, ensure_ascii=False)
    except KeyboardInterrupt:
        return INTERRUPTED
    except DiskFullError:
        return FULL
    except OSError as error:
        if error.errno in _NO_ROOM:
            return FULL
        raise
    return 0


def done(job: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a job, done in this process, as JSON.

    Raises:
        KeyboardInterrupt: Ctrl-C, or whoever asked for it is gone.
        DiskFullError: there was no room for what it writes.
    """
    work: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
        "train": _train, "matrices": _matrices, "try": _try, "use": _use, "probe": _probe, "judge": _judge,
    }  # fmt: skip
    try:
        found = work[job["work"]](job)
    except Exception as error:  # one model's fault must not end the others' comparison
        if _has_no_room(error):
            raise DiskFullError("there is no room on the disk") from error
        if isinstance(error, FirthError):
            found = {"failed": str(error)}
        elif isinstance(error, OSError):
            found = {"failed": printable(f"{error.filename or ''} {error.strerror or error}".strip())}
        elif isinstance(error, MemoryError | RuntimeError) and _is_memory(error):
            found = {"failed": f"not enough memory: {_told(error)}"}
        else:
            found = {"failed": _told(error), "traceback": traceback.format_exc()}
    return dict(finite(found))


def _told(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}")[:500]


def _is_memory(error: Exception) -> bool:
    return isinstance(error, MemoryError) or "memory" in str(error).lower()


def _has_no_room(error: BaseException) -> bool:
    """Whether a disk that is full is behind an error."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _is_behind(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether an error of some kinds led to this one."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, kinds):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def finite(value: Any) -> Any:
    """A value of JSON with null for numbers that are none."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _progress(job: Mapping[str, Any]) -> Progress:
    return Silent() if job.get("quiet") else to_stderr()


# --- training


def _train(job: Mapping[str, Any], share: float = 1.0) -> dict[str, Any]:
    """Trains a model: its directory, and what it took.

    Of the job: `sizes`, settings of the family in one size or several; `training`, the text; `preparation`; `minutes`
    or `epochs`, the budget, the latter with `words`, the same in words; `counts`, `training` or `all`: whether
    preparing counts; `output`; `seed`; `threads`; `device`; `cache_dir`; `curve`, of a file of word pairs, or None.

    Args:
        job: The same.
        share: That its budget is of the one by which the size is chosen.

    Returns:
        {"ok": what it took}; {"left_out": why} where it cannot begin on this text; {"failed": why} where it broke off,
        or a file, a package or memory was missing, which another time may not be.
    """
    place = Path(job["output"])
    try:
        found = _run_of(job, share)
    except Exception:
        if latest_checkpoint(place) is None and not (place / "firth.json").is_file():
            _forget_preparing(place)
        raise
    if "failed" not in found or latest_checkpoint(place) is None:  # else it is gone on with
        _forget_preparing(place)
    return found


def _run_of(job: Mapping[str, Any], share: float) -> dict[str, Any]:
    """What came of a training, as `_train` has it; what it has prepared stays beside it."""
    place = Path(job["output"])
    curve = _Curve(job)
    if (place / "firth.json").is_file():  # it had ended well, and nobody had written that down yet
        return {"ok": _trained(load(place), place, curve)}
    sizes = [from_settings(FAMILIES, given) for given in job["sizes"]]
    is_begun = latest_checkpoint(place) is not None
    if not is_begun:
        curve.forget()
        _forget_preparing(place)
    how: dict[str, Any] = {
        "preparation": Preparation.from_settings(job["preparation"]),
        "seed": job["seed"],
        "threads": job["threads"],
        "cache_dir": str(_beside(place, "cache")) if _is_charged(job) else job["cache_dir"],
        "progress": _progress(job),
    }
    if sizes[0].name in CONTEXTUAL:
        how |= {"device": job["device"], "matrices": False}
    if sizes[0].name in COUNTING:
        how["counts"] = _beside(place, "counts")
        how["count_tokens"] = job["words"] if _is_spent_counting(job, sizes[0]) else None
    try:
        minutes = job["minutes"]
        if _is_charged(job) and not is_begun:
            minutes = _left_to_train(job, sizes[0], how)
            if minutes < LEAST_SHARE * job["minutes"]:
                return {"left_out": f"preparing counts, and takes nearly all of {job['minutes']:g} minutes"}
        if minutes is not None:
            budget = {"minutes": minutes}
        else:
            budget = {"epochs": sizes[0].default_epochs if _is_spent_counting(job, sizes[0]) else job["epochs"]}
        if len(sizes) > 1:
            how["sized_for"] = Budget(**{name: value / share for name, value in budget.items()})
        model = train(
            sizes if len(sizes) > 1 else sizes[0],
            job["training"],
            output=place,
            overwrite=not is_begun,
            resume=is_begun,
            on_begin=curve.begin,
            on_report=curve,
            **({} if is_begun else budget),
            **how,
        )
    except FirthError as error:
        if _has_no_room(error):
            raise
        is_of_text = not curve.is_begun and not _is_behind(error, (OSError, ImportError, MemoryError))
        return {"left_out" if is_of_text else "failed": str(error)}
    return {"ok": _trained(model, place, curve)}


def _is_spent_counting(job: Mapping[str, Any], family: Any) -> bool:
    """Whether it is in counting that a training sees the words of its budget.

    So it is of GloVe, which passes over the counts as often as it is made to: a share of these passes would have been
    counted from all of the text, whatever the budget.
    """
    return family.name in COUNTING and job["epochs"] is not None


def _passes_of_epoch(job: Mapping[str, Any], family: Any) -> float:
    """The passes over the text that an epoch of a training stands for."""
    return float(job["epochs"] / family.default_epochs) if _is_spent_counting(job, family) else 1.0


def _is_charged(job: Mapping[str, Any]) -> bool:
    """Whether preparing takes of a training's minutes.

    It is done anew then, in a cache of its own: what another had found done would cost it nothing, and the order in
    which families are trained would decide.
    """
    return job["minutes"] is not None and job["counts"] == "all"


def _beside(place: Path, what: str) -> Path:
    """Where something lies that a training needs beside its output, until it has ended."""
    return place.with_name(f".{place.name}.{what}")


def _forget_preparing(place: Path) -> None:
    """Deletes what a training has prepared."""
    shutil.rmtree(_beside(place, "cache"), ignore_errors=True)
    for what in ("counts", "prepared"):
        _beside(place, what).unlink(missing_ok=True)


def _left_to_train(job: Mapping[str, Any], smallest: Any, how: Mapping[str, Any]) -> float:
    """Minutes of the budget that are left when preparing counts: it is done now, and found done by the training.

    A network leaves besides what making its matrices may take. The seconds are written down, for the training itself
    takes none of them any more.
    """
    began = time.monotonic()
    given = {**how, "progress": Silent()}
    found = train(smallest, job["training"], tokens=1, **given).record["prepared"]
    prepared = {name: found[name] for name in PREPARING if name in found}
    with replacing(_beside(Path(job["output"]), "prepared")) as file:
        json.dump(prepared, file)
    seconds = sum(prepared.values()) or time.monotonic() - began
    share = MATRICES_SHARE if smallest.name in CONTEXTUAL else 0.0
    return float(job["minutes"] * (1 - share) - seconds / 60)


class _Curve:
    """What a model in training scores on word pairs, as a callback: the training's clock stands still meanwhile."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        self.model: Model | None = None
        self.path = Path(f"{job['output']}.curve.jsonl")
        self.points: list[dict[str, Any]] = []
        if self.path.is_file():
            self.points = [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]
        self.parent = job.get("parent")
        self.pairs: list[WordPair] = []
        self.lines: list[str] = []
        self.is_begun = False

    def forget(self) -> None:
        """Drops the points of a run that was killed before its first checkpoint."""
        self.points = []
        self.path.unlink(missing_ok=True)

    def begin(self, model: Model) -> None:
        """Takes the model, whose network changes as it is trained."""
        self.model = model
        self.is_begun = True
        asked = self.job.get("curve")
        if asked is not None:
            self.pairs = [WordPair(first, second, score) for first, second, score in asked["pairs"]]
            if model.family.name in CONTEXTUAL:
                self.lines = _lines_with({word for pair in self.pairs for word in pair[:2]}, self.job)

    def __call__(self, report: Report) -> None:
        """Scores the model where the next part of the budget has begun."""
        if self.parent is not None and os.name == "posix" and os.getppid() != self.parent:
            raise KeyboardInterrupt  # whoever asked is gone; the run is gone on with when asked again
        self.points = [point for point in self.points if point["fraction"] <= report.fraction + 1e-9]
        done = {point["fraction"] for point in self.points}  # but for those behind the checkpoint that was gone on from
        due = [fraction for fraction in CURVE if fraction <= report.fraction + 1e-9 and fraction not in done]
        if not due or not self.pairs or self.model is None:
            return
        passes = report.epochs * _passes_of_epoch(self.job, self.model.family)
        for score in self.scores():
            score |= {"fraction": due[-1], "seconds": report.seconds, "epochs": passes, "nats": report.loss_nats}
            self.points.append(score)
        self.points += [{"fraction": fraction, "passed": True} for fraction in due[:-1]]
        with replacing(self.path) as file:
            file.writelines(json.dumps(finite(point)) + "\n" for point in self.points)

    def scores(self) -> Iterator[dict[str, Any]]:
        """Spearman's rho of each layer, as it stands, and how many of the pairs have only words that it knows."""
        assert self.model is not None
        model, name = self.model, self.job["curve"]["set"]
        if model.family.name in CONTEXTUAL:
            was_training = model.network.training
            model.network.eval()
            try:
                words = sorted({word for pair in self.pairs for word in pair[:2]})
                asked = parts.asked_of(
                    model.reader(device=str(next(model.network.parameters()).device), threads=self.job["threads"]),
                    segmentation=_segmentation(self.job, model),
                )
                vectors = reduction.reduced(
                    asked, self.lines, words=words, max_contexts=CURVE_CONTEXTS, cache_dir=self.job["cache_dir"]
                )
                layers, array = vectors.words, vectors.array
            finally:
                model.network.train(was_training)
        else:
            kept = model.family.kept(model.network, model.vocabulary)
            layers, array = model.vocabulary.words, Model(model.family, model.tokens, kept, {}).table()[np.newaxis]
        for layer, matrix in enumerate(array):
            found = evaluate_pairs(layers, matrix, self.pairs, restrict=None)
            known = {"n_asked": found.n_asked, "n_answered": found.n_answered}
            yield {"set": name, "layer": layer, "score": found.spearman, **known}


def _lines_with(words: set[str], job: Mapping[str, Any]) -> list[str]:
    """Lines of the training text in which some words stand, `CURVE_CONTEXTS` of each, as they come."""
    segmentation = Segmentation.from_settings(job["segmentation"])
    missing = dict.fromkeys((segmentation.normalize(word) for word in words), CURVE_CONTEXTS)
    chosen = []
    for number, line in enumerate(lines_of(Path(job["training"]))):
        if not missing or number > MOST_LINES_LOOKED_AT:
            break
        if len(line) > LONGEST_LINE or not line:
            continue
        found = missing.keys() & set(segmentation.words(line))
        if found:
            chosen.append(line)
        for word in found:
            missing[word] -= 1
            if not missing[word]:
                del missing[word]
    return chosen


def _segmentation(job: Mapping[str, Any], model: Model) -> Segmentation | None:
    """How text becomes the words that are scored: of pieces, as of all models; ELMo's own knows punctuation besides."""
    return None if model.family.name == "elmo" else Segmentation.from_settings(job["segmentation"])


def _trained(model: Model, place: Path, curve: _Curve) -> dict[str, Any]:
    """What a training took; epochs are passes over the text."""
    record, passes = model.record, _passes_of_epoch(curve.job, model.family)
    log = [entry for entry in model.log if "loss_nats" in entry]
    step = max(1, -(-len(log) // MOST_LOSSES))
    told = _beside(place, "prepared")
    before = json_object(told) if told.is_file() else {}
    prepared = record.get("prepared", {})
    return {
        "family": settings(model.family),
        "seconds": record["spent"]["seconds"],
        "epochs": passes * record["spent"]["epochs"],
        "prepare_seconds": {
            name: before.get(name, 0.0) + prepared.get(name, 0.0)
            for name in PREPARING
            if name in {**before, **prepared}
        },
        "flops": costs.flops(model),
        "parameters": costs.parameters(model),
        "peak_mib": costs.peak_mib(),
        "bytes": costs.n_bytes(place),
        "loss_unit": getattr(model.family, "loss_unit", "nats"),
        "losses": [[entry["seconds"], passes * entry["epochs"], entry["loss_nats"]] for entry in log[::step]],
        "held_out_nats": record.get("held_out_nats", {}).get("last"),
        "curve": [point for point in curve.points if not point.get("passed")],
        "device": record.get("device", "processor"),
        "threads": record.get("threads"),
        "versions": record.get("versions", {}),
    }


# --- what is measured of a model


def _matrices(job: Mapping[str, Any]) -> dict[str, Any]:
    """Makes the static vectors of the words that all models are scored by, times look-ups, measures the language.

    Of the job: `model`, a directory, or a published model; `into`, where vectors go that are no part of a directory of
    ours; `words`, a file of them; `training`; `scored`, held-out text; `n_words`, of the text; `drawn_by`, the seed
    that draws what all are asked; `threads`, `device`, `cache_dir`, `seed`, `segmentation`, `preparation`.
    """
    began = time.monotonic()
    model = opened(job["model"])
    words = Path(job["words"]).read_text(encoding="utf-8").split("\n")
    text = [line for line in lines_of(Path(job["scored"])) if line.strip()]
    is_ours = job["into"] is None
    found: dict[str, Any] = {"matrices_bytes": 0}  # of a static model, vectors are what it is made of
    seconds = 0.0
    if isinstance(model, Model) and model.family.name in CONTEXTUAL:
        reader = reader_of(model, context_length=None, device=job["device"], precision="fp32", threads=job["threads"])
        seen = model.record.get("spent", {}).get("epochs", 0.0) if is_ours else 0.0
        read = max(3 * MATRICES_SHARE * seen, min(1.0, LEAST_READ / job["n_words"]))
        vectors = reduction.reduced(
            parts.asked_of(reader, segmentation=_segmentation(job, model)),
            lines_of(Path(job["training"])),
            words=words,
            max_contexts=CONTEXTS,
            seed=job["seed"],
            cache_dir=job["cache_dir"],
            most_counted=max(LEAST_LOOKED_AT, seen * job["n_words"]),
            passes=read,
            progress=_progress(job),
        )
        seconds = time.monotonic() - began
        place = Path(job["model"]) / MATRICES if is_ours else Path(job["into"])
        vectors.save(place, overwrite=True)
        found["matrices_bytes"] = costs.n_bytes(place)
    else:
        vectors = model if isinstance(model, Vectors) else model.vectors
        if not is_ours:
            there = [word for word in words if vectors.has_vector(word)]
            if not there:
                raise FirthError("it knows none of the words that the comparison is about")
            vectors.vectors_for_all(there).save(Path(job["into"]), overwrite=True)
    found |= {
        "matrices_seconds": round(seconds, 3),
        "n_layers": vectors.n_layers,
        "lookup_ms": costs.lookup_ms(vectors, words),
        "sentence_ms": costs.sentence_ms(model, text, threads=job["threads"]),
        "language": None,
    }
    if not is_ours:
        found |= _published(model)
    if isinstance(model, Model) and text:
        try:
            cost = language.measured(
                model,
                job["scored"],
                preparation=Preparation.from_settings(job["preparation"]),
                segmentation=Segmentation.from_settings(job["segmentation"]),
                seed=job["drawn_by"],
                threads=job["threads"],
                cache_dir=job["cache_dir"],
            )
        except FirthError as error:
            found["missing"] = str(error)
        else:
            if cost is not None:
                found["language"] = {**cost._asdict(), "items": cost.items.tolist()}
    found["measure_seconds"] = round(time.monotonic() - began - seconds, 3)
    found["peak_mib"] = costs.peak_mib()
    return {"ok": found}


def _published(model: Any) -> dict[str, Any]:
    """What is told of a model that was trained elsewhere."""
    if isinstance(model, Vectors):
        return {"family": None, "parameters": int(np.prod(model.array.shape)), "loss_unit": "nats"}
    return {"family": settings(model.family), "parameters": costs.parameters(model), "loss_unit": "nats"}


def _use(job: Mapping[str, Any]) -> dict[str, Any]:
    """A head behind a model, trained for a task: its score on the test examples.

    Of the job: `model`; `task`; `train`, `dev`, `test`, files; `use`, as of `firth.finetune`; `seed`, `limit`,
    `threads`, `device`, `output`.
    """
    from firth.finetuning import finetune

    began = time.monotonic()
    place = Path(job["output"])
    begun = (place / "checkpoint").is_dir() or (place / "seeds").is_dir()
    made = finetune(
        job["model"],
        job["train"],
        task=job["task"],
        dev=job["dev"],
        test=job["test"],
        use=job["use"],
        limit=job["limit"],
        seed=job["seed"],
        output=place,
        overwrite=not begun,
        resume=begun,
        device=job["device"],
        threads=job["threads"],
        progress=_progress(job),
        **HEAD,
    )
    (one,) = made.runs
    scores = one.test if one.test is not None else one.dev
    if scores is None:
        raise UsageError("a use is scored on examples of dev or test")
    found: dict[str, Any] = {"measure": scores.main, "score": scores.value, "n_items": scores.n, "items": None}
    if one.test is not None:
        found["items"] = _answered(made, job, scores.main)
    return {"ok": {**found, "seconds": round(time.monotonic() - began, 3)}}


def _answered(made: Any, job: Mapping[str, Any], main: str) -> list[Any]:
    """What the score of the test is made of."""
    from firth.tasks import read_examples

    examples = read_examples(job["test"], job["task"], like=made.learnt)
    inputs = [example.inputs[0] if job["task"] == "classify" else example.inputs for example in examples]
    found = made.predict(inputs, device=job["device"], threads=job["threads"])
    return items_of(main, job["task"], examples.targets, [answer.label for answer in found])


def items_of(main: str, task: str, targets: Sequence[Any], answers: Sequence[Any]) -> list[Any]:
    """What a score is made of, as `significance.Measure` has it: of `accuracy`, `pearson` or `f1`, one an example."""
    items: list[Any] = []
    for due, came in zip(targets, answers, strict=True):
        if main == "pearson":
            items.append([float(due), float(came)])
        elif main == "f1":
            entities, found = set(spans(due)), set(spans(came))
            items.append([len(entities & found), len(entities), len(found)])
        elif task == "tag":  # the words of a sentence are not independent of each other
            items.append([sum(one == other for one, other in zip(due, came, strict=True)), len(due)])
        else:
            items.append(float(due == came))
    return items


def _probe(job: Mapping[str, Any]) -> dict[str, Any]:
    """Linear probes of every layer; of the job as of a use."""
    from firth.probing import probe
    from firth.tasks import limited, read_examples

    train = limited(read_examples(job["train"], job["task"]), job["limit"], job["seed"])
    test = read_examples(job["test"], job["task"], like=train)
    found = probe(
        job["model"],
        task=job["task"],
        train=train,
        dev=job["dev"],
        test=test,
        seed=job["seed"],
        device=job["device"],
        threads=job["threads"],
        cache_dir=job["cache_dir"],
        progress=_progress(job),
    )
    layers = []
    for one in found.layers:
        scores = one.test
        assert scores is not None
        items = items_of(scores.main, job["task"], test.targets, one.answers)
        told = {"layer": one.layer, "measure": scores.main, "score": scores.value, "n_items": scores.n}
        layers.append({**told, "items": items})
    return {"ok": {"layers": layers, "best": found.best.layer, "baseline": found.baseline}}


# --- trials


def _try(job: Mapping[str, Any]) -> dict[str, Any]:
    """Trains a model with some settings, and says how good they are by text or pairs that nothing is reported of.

    Of the job, beside those of a training: `held_out`, the held-out documents; `dev`, word pairs, or none. A network
    has the size that the whole budget suffices for, of which a trial has a part: another may like other settings.
    """
    outcome = _train(job, TRIAL_SHARE)
    if "ok" not in outcome:
        return outcome
    place = Path(job["output"])
    model = load(place)
    if job["dev"]:
        scores = _of_layers(model, job)
        found = {"score": max(-1.0 if math.isnan(score) else score for score in scores), "by": "dev"}
    elif model.family.name in CONTEXTUAL:
        if (nats := outcome["ok"]["held_out_nats"]) is None:
            raise FirthError("the text is too small to hold a part of it out; settings are chosen by --dev FILE then")
        found = {"score": -nats, "loss": nats, "by": "held-out loss"}
    else:
        chance = neighbour_chance(model, lines_of(Path(job["held_out"])), seed=job["seed"])
        found = {"score": chance, "loss": 1 - chance, "by": "held-out neighbours"}
    shutil.rmtree(place, ignore_errors=True)
    Path(f"{place}.curve.jsonl").unlink(missing_ok=True)
    sizes = [from_settings(FAMILIES, given) for given in job["sizes"]]
    size = sizes.index(from_settings(FAMILIES, settings(model.family)))
    return {"ok": {**found, "size": size, "seconds": outcome["ok"]["seconds"]}}


def _of_layers(model: Model, job: Mapping[str, Any]) -> list[float]:
    """Spearman's rho of each layer on the word pairs that settings are chosen by."""
    pairs = [WordPair(first, second, float(score)) for first, second, score in job["dev"]]
    if model.family.name not in CONTEXTUAL:
        return [evaluate_pairs(model.vocabulary.words, model.table(), pairs, restrict=None).spearman]
    watch = _Curve({**job, "curve": {"set": "dev", "pairs": [list(pair) for pair in pairs]}})
    watch.begin(model)
    return [point["score"] for point in watch.scores()]


def neighbour_chance(model: Model, lines: Iterable[str], *, seed: int = 1) -> float:
    """How often a static model gives a word's true neighbour in unseen text a higher score than a word drawn at random.

    The random word is drawn by frequency; half is chance. Unlike their losses, this can be compared among windows,
    numbers of negatives and objectives.

    Args:
        model: Of a static family.
        lines: Text that it has not seen.
        seed: Decides on the random words.

    Raises:
        FirthError: no line has two words that it knows.
    """
    vocabulary = model.vocabulary
    centres: list[int] = []
    others: list[int] = []
    for line in lines:
        rows = vocabulary.rows(model.segmentation.words(line))
        rows = rows[rows >= 0]
        for distance in range(1, NEIGHBOURHOOD + 1):
            centres += rows[:-distance].tolist()
            others += rows[distance:].tolist()
        if len(centres) >= MOST_NEIGHBOURS:
            break
    if not centres:
        raise FirthError("the held-out documents have no two words beside each other that the model knows")
    words = model.table()
    output = model.output_table()
    contexts = output if output.shape == words.shape else words  # of a Huffman tree, nodes have the second table
    shares = vocabulary.counts / vocabulary.counts.sum()
    drawn = np.random.default_rng(seed).choice(len(vocabulary), len(centres), p=shares)
    true = np.einsum("pd,pd->p", words[centres], contexts[others])
    false = np.einsum("pd,pd->p", words[centres], contexts[drawn])
    return float((true > false).mean() + 0.5 * (true == false).mean())


# --- words in sentences


def _judge(job: Mapping[str, Any]) -> dict[str, Any]:
    """What every layer makes of words in sentences: SCWS or WiC.

    Of the job: `model`; `vectors`, its static ones, where they lie apart; `kind`, `scws` or `wic`; `path`, the set.
    """
    from firth import judgements

    model = opened(job["model"])
    how = {"device": job["device"], "threads": job["threads"]} if isinstance(model, Model) else {}
    if job["kind"] == "scws":
        vectors = Vectors.load(job["vectors"]) if job["vectors"] else None
        pairs = judgements.read_scws(job["path"])
        found = judgements.evaluate_scws(model, pairs, vectors=vectors, senses=_senses(model, job, pairs), **how)
    else:
        tune, test = (judgements.read_wic(job["path"], part) for part in judgements.wic_parts(job["path"]))
        found = judgements.evaluate_wic(model, tune, test, **how)
    return {
        "ok": {
            "layers": [
                {"layer": one.layer, "measure": one.measure, "method": one.method, "score": one.score,
                 "items": one.items.tolist(), "n_items": one.n_items, "n_known": one.n_known}
                for one in found
            ]
        }
    }  # fmt: skip


def _senses(model: Any, job: Mapping[str, Any], pairs: Sequence[Any]) -> Any:
    """Sense vectors of the words of SCWS, learnt from their occurrences in the training text; None of static models."""
    from firth import senses

    if not isinstance(model, Model) or model.family.name not in CONTEXTUAL:
        return None
    words = sorted({word for pair in pairs for word in pair[:2]})
    return senses.learnt(
        model,
        Path(job["training"]),
        words,
        seed=job["seed"],
        preparation=Preparation.from_settings(job["preparation"]),
        threads=job["threads"],
        device=job["device"],
        cache_dir=job["cache_dir"],
        progress=_progress(job),
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
