"""The work of a comparison: every variant trained, measured and used, one piece after another, each written down.

What is done is not done again, so that a comparison which was interrupted goes on where it was.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from firth import cache, grades, jobs, language, plan
from firth import corpus as corpora
from firth.division import Division
from firth.errors import FirthError
from firth.evaluation import WordPair
from firth.families.family import settings
from firth.files import json_object, latest_checkpoint, replacing
from firth.formats.directory import MATRICES
from firth.grades import Questions
from firth.model import load
from firth.plan import Counts, Plan, Task
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation
from firth.sets import Kind
from firth.variants import RANDOM, Variant, changed, trials
from firth.vectors import Vectors

SCORED_BYTES: Final = 200_000
"""Of the held-out documents, that a language is measured on."""
USES: Final = ("features", "finetune")
RECORDS: Final = "records.jsonl"
LONGEST_NAME: Final = 120  # bytes of a file's name, without its ending
LEAST_COUNT: Final = 5
"""Rarer words are none of those that models are scored by: static families give them no vector."""


class Judged(NamedTuple):
    """A set of words in sentences.

    Attributes:
        name: What the report calls it.
        kind: `scws` or `wic`.
        path: Where it lies.
    """

    name: str
    kind: Kind
    path: str


class Asked(NamedTuple):
    """What `compare` was asked for, looked at."""

    variants: tuple[Variant, ...]
    minutes: float | None
    words: float | None
    counts: Counts
    seeds: tuple[int, ...]
    trials: int
    limit: int
    dev: tuple[WordPair, ...]
    lang: str
    command: str
    threads: int
    device: str | None
    top: int


def planned(
    asked: Asked, text: Division, n_words: int, sets: "Sequence[Questions | Judged]", tasks: Sequence[Task]
) -> Plan:
    """The plan of what was asked for."""
    of_kinds: dict[str, list[str]] = {}
    for one in sets:
        of_kinds.setdefault(one.kind, []).append(one.name)
    return Plan(
        variants=asked.variants,
        minutes=asked.minutes,
        words=asked.words,
        counts=asked.counts,
        seeds=asked.seeds,
        trials=asked.trials,
        top=asked.top,
        sets=of_kinds,
        tasks=tuple(tasks),
        n_words=n_words,
        n_bytes=text.n_bytes,
    )


class Records:
    """What has been done, a line of JSON for each piece of work: it is not done again."""

    def __init__(self, path: Path) -> None:
        """What stands in the file, if there is one."""
        self.path = path
        self.found: dict[str, dict[str, Any]] = {}
        if path.is_file():
            for line in path.read_bytes().split(b"\n"):  # as bytes: what was broken off may end within a character
                try:
                    one = json.loads(line)
                except ValueError:  # the last line of a process that was killed
                    continue
                self.found[self.key(one["work"], one["variant"], one["seed"], one["of"])] = one

    @staticmethod
    def key(work: str, variant: str, seed: int, of: str = "") -> str:
        """By what a piece of work is known."""
        return json.dumps([work, variant, seed, of])

    def get(self, work: str, variant: str, seed: int, of: str = "") -> dict[str, Any] | None:
        """What came of a piece of work; None of one that is to be done, or done again since it failed."""
        return self.found.get(self.key(work, variant, seed, of))

    def add(self, work: str, variant: str, seed: int, of: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Writes down what came of it."""
        one = {"work": work, "variant": variant, "seed": seed, "of": of, **outcome}
        broken = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")  # of a process that was killed
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if broken else "") + json.dumps(one, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.found[self.key(work, variant, seed, of)] = one
        return one


class Undertaking:
    """A comparison at work."""

    def __init__(
        self,
        asked: Asked,
        folder: Path,
        text: Division,
        preparation: Preparation,
        questions: Sequence[Questions],
        judged: Sequence[Judged],
        tasks: Sequence[Task],
        cache_dir: str | os.PathLike[str] | None,
        progress: Progress,
    ) -> None:
        """What was asked for, where it goes, and what it is done on."""
        self.asked, self.folder, self.text, self.progress = asked, folder, text, progress
        self.questions, self.judged, self.tasks = questions, judged, tasks
        self.cache_dir = None if cache_dir is None else str(Path(cache_dir).absolute())
        self.preparation = text.preparation(preparation)
        if self.preparation.cased is None:
            self.preparation = replace(self.preparation, cased=False)
        self.frequent = self.read_words()
        self.plan = planned(asked, text, self.n_words, [*questions, *judged], tasks)
        self.records = Records(folder / RECORDS)
        self.missing: list[str] = []

    def read_words(self) -> list[str]:
        """The words that all models are scored by; on the way, the text's encoding, which families of words share."""
        preparation = replace(self.preparation, punctuation=bool(self.preparation.punctuation))
        corpus = corpora.read(self.text.training, preparation)
        began = time.monotonic()
        with cache.encoded(corpus, None, preparation, cache_dir=self.cache_dir, progress=self.progress) as encoded:
            self.segmentation: Segmentation = encoded.segmentation
            self.n_words = encoded.n_tokens
            types, counts = list(encoded.types), np.asarray(encoded.counts)
        self.seconds_of_encoding = self.kept("encode_seconds", time.monotonic() - began)
        self.lang = corpus.lang
        asked = {word.upper() for one in self.questions for item in one.questions for word in grades.words_of(item)}
        order = np.argsort(-counts, kind="stable")
        frequent = []
        for rank, number in enumerate(order.tolist()):
            word = types[number]
            if counts[number] < LEAST_COUNT or not word:
                continue
            if rank < self.asked.top or word.upper() in asked:
                frequent.append(word)
        if len(frequent) < 2:
            raise FirthError(
                f"the text has {len(frequent)} words that occur {LEAST_COUNT} times: there is nothing to compare"
            )
        path = self.folder / "text" / "words.txt"
        if not path.is_file():
            with replacing(path) as file:
                file.write("\n".join(frequent))
        scored = self.folder / "text" / "scored.txt"
        if not scored.is_file():
            language.sample(self.text.held_out, scored, most_bytes=SCORED_BYTES, seed=self.asked.seeds[0])
        return frequent

    def kept(self, name: str, value: float) -> float:
        """A number as it was when it was first measured: what is in the cache takes no time any more."""
        path = self.folder / "text" / "seconds.json"
        told = json_object(path) if path.is_file() else {}
        if name not in told:
            told[name] = round(value, 3)
            with replacing(path) as file:
                json.dump(told, file)
        return float(told[name])

    # --- the work

    def run(self) -> None:
        """All that is to be trained, measured and used, seed by seed, so that an early end has seen every family."""
        for variant in self.asked.variants:
            if not variant.published and self.asked.trials > 1:
                self.try_settings(variant)
        for seed in self.asked.seeds:
            for variant in self.asked.variants:
                if variant.published and seed != self.asked.seeds[0]:
                    continue
                if not variant.published and not self.is_done(self.train(variant, seed)):
                    continue
                if not self.is_done(self.measure(variant, seed)):
                    continue
                for judged in self.judged:
                    self.judge(variant, seed, judged)
                if seed == self.asked.seeds[0]:
                    for task in self.tasks:
                        self.use(variant, seed, task)
        for task in self.tasks:
            self.use_random(task)
        if not any(
            self.is_done(self.records.get("train", variant.name, seed))
            for variant in self.trained
            for seed in self.asked.seeds
        ):
            reasons = "; ".join(f"{name}: {why}" for name, why in self.failures())
            raise FirthError(f"none of the families could be trained: {reasons}")

    @property
    def trained(self) -> list[Variant]:
        """The variants that are trained here."""
        return [variant for variant in self.asked.variants if not variant.published]

    @staticmethod
    def is_done(outcome: Mapping[str, Any] | None) -> bool:
        """Whether a piece of work ended well."""
        return outcome is not None and "ok" in outcome

    def failures(self) -> Iterator[tuple[str, str]]:
        """What did not end well: whose, and why."""
        for one in self.records.found.values():
            if why := one.get("failed") or one.get("left_out"):
                yield one["variant"], why

    def model_of(self, variant: Variant, seed: int) -> Path:
        """Where a model of ours lies."""
        return self.folder / "models" / f"{variant.folder}-{seed}"

    def published_of(self, variant: Variant) -> Path:
        """Where the static vectors of a published model lie: apart from ours, whatever it is called."""
        return self.folder / "models" / "published" / variant.folder

    def vectors_of(self, variant: Variant, seed: int) -> Vectors:
        """The static vectors of a model."""
        if variant.published:
            return Vectors.load(self.published_of(variant))
        place = self.model_of(variant, seed)
        return Vectors.load(place / MATRICES) if variant.is_contextual else load(place).vectors

    def job(self, work: str, variant: str, seed: int, of: str, **given: Any) -> dict[str, Any]:
        """Does a piece of work in a process of its own, unless it was done, and writes down what came of it."""
        there = self.records.get(work, variant, seed, of)
        if there is not None and "failed" not in there:
            return there
        again = " again" if there is not None else ""
        self.progress.say(f"{work} {variant}, seed {seed}{f': {of}' if of else ''}{again}")
        name = "-".join(part for part in (work, safe(variant), str(seed), safe(of)) if part)
        asked = {
            "work": work,
            "seed": seed,
            "threads": self.asked.threads,
            "device": self.asked.device,
            "cache_dir": self.cache_dir,
            "preparation": self.preparation.settings(),
            "segmentation": self.segmentation.settings(),
            "training": str(self.text.training),
            "scored": str(self.folder / "text" / "scored.txt"),
            "quiet": isinstance(self.progress, Silent),
            **given,
        }
        outcome = jobs.run(asked, self.folder / "jobs", name)
        if why := outcome.get("failed") or outcome.get("left_out"):
            self.progress.say(f"{variant}, seed {seed}: {why}")
        return self.records.add(work, variant, seed, of, outcome)

    def budget(self, share: float = 1.0) -> dict[str, Any]:
        """A training's budget as a job has it: minutes, or passes over the text."""
        if self.asked.minutes is not None:
            return {"minutes": share * self.asked.minutes, "epochs": None}
        assert self.asked.words is not None
        return {"minutes": None, "epochs": share * self.asked.words / self.n_words}

    def sizes(self, variant: Variant, seed: int) -> list[dict[str, Any]]:
        """The settings that a variant is trained with: those that its trials liked most.

        The size that the budget decided on for one seed is that of the others: they are one variant, whose spread is
        told. A run that has begun goes on as what it is.
        """
        if len(variant.sizes) > 1 and latest_checkpoint(self.model_of(variant, seed)) is None:
            for other in self.asked.seeds:
                found = self.records.get("train", variant.name, other)
                if found is not None and "ok" in found:
                    return [found["ok"]["family"]]
        factors = self.chosen(variant)
        return [settings(changed(size, factors)) for size in variant.sizes]

    def train(self, variant: Variant, seed: int) -> dict[str, Any]:
        """Trains a variant with a seed."""
        similarity = next((one for one in self.questions if one.kind == "similarity"), None)
        curve = None
        if similarity is not None:
            pairs = [[*pair[:2], float(pair[2])] for pair in similarity.questions]
            curve = {"set": similarity.name, "pairs": pairs}
        return self.job(
            "train", variant.name, seed, "", sizes=self.sizes(variant, seed), counts=self.asked.counts,
            output=str(self.model_of(variant, seed)), curve=curve, **self.budget(),
        )  # fmt: skip

    def measure(self, variant: Variant, seed: int) -> dict[str, Any]:
        """Makes a model's matrices, and measures what it costs."""
        model = variant.published or str(self.model_of(variant, seed))
        into = str(self.published_of(variant)) if variant.published else None
        words = str(self.folder / "text" / "words.txt")
        return self.job("matrices", variant.name, seed, "", model=model, into=into, words=words, n_words=self.n_words)

    def judge(self, variant: Variant, seed: int, judged: Judged) -> None:
        """Scores the layers of a model on words in sentences."""
        vectors = str(self.published_of(variant)) if variant.published else None
        if variant.published and not has_context(self.records.get("matrices", variant.name, seed)):
            vectors = None
        model = variant.published or str(self.model_of(variant, seed))
        given = {"model": model, "vectors": vectors, "kind": judged.kind, "path": judged.path}
        self.job("judge", variant.name, seed, judged.name, **given)

    def use(self, variant: Variant, seed: int, task: Task) -> None:
        """Puts a model to a task: probes of its layers, features, and fine-tuning."""
        given = {"model": variant.published or str(self.model_of(variant, seed)), **self.task(task)}
        self.job("probe", variant.name, seed, task.name, **given)
        for use in USES:
            place = self.folder / "uses" / f"{variant.folder}-{seed}-{safe(task.name)}-{use}"
            self.job("use", variant.name, seed, f"{task.name} {use}", use=use, output=str(place), **given)

    def use_random(self, task: Task) -> None:
        """The baseline of a task: a table of the first static model's words, drawn at random and trained."""
        seed = self.asked.seeds[0]
        first = next(
            (one for one in sorted(self.trained, key=lambda one: one.is_contextual)
             if self.is_done(self.records.get("train", one.name, seed))), None,
        )  # fmt: skip
        if first is not None:
            place = self.folder / "uses" / f"{RANDOM}-{seed}-{safe(task.name)}-scratch"
            self.job(
                "use", RANDOM, seed, f"{task.name} scratch", use="scratch", output=str(place),
                model=str(self.model_of(first, seed)), **self.task(task),
            )  # fmt: skip

    def task(self, task: Task) -> dict[str, Any]:
        """A task as a job has it."""
        files = {name: str(Path(getattr(task, name)).absolute()) for name in ("train", "dev", "test")}
        return {"task": task.task, "limit": self.asked.limit, **files}

    def try_settings(self, variant: Variant) -> None:
        """Trains a variant with several settings for a share of the budget each."""
        seed = self.asked.seeds[0]
        for number, factors in enumerate(trials(variant, self.asked.trials, seed)):
            place = self.folder / "trials" / f"{variant.folder}-{number}"
            self.job(
                "try", variant.name, seed, str(number), factors=factors, counts="training", curve=None,
                sizes=[settings(changed(size, factors)) for size in variant.sizes], output=str(place),
                held_out=str(self.text.held_out), dev=[list(pair) for pair in self.asked.dev],
                **self.budget(plan.TRIAL_SHARE),
            )  # fmt: skip

    def tried(self, variant: Variant) -> list[dict[str, Any]]:
        """What the trials of a variant found, the chosen one marked."""
        if self.asked.trials < 2 or variant.published:
            return []
        seed = self.asked.seeds[0]
        found = []
        for number, factors in enumerate(trials(variant, self.asked.trials, seed)):
            outcome = self.records.get("try", variant.name, seed, str(number)) or {}
            found.append({"hyperparameters": factors, "chosen": False, **outcome.get("ok", {"score": None})})
        scored = [one for one in found if one["score"] is not None]
        if scored:
            max(scored, key=lambda one: one["score"])["chosen"] = True
        return found

    def chosen(self, variant: Variant) -> dict[str, float]:
        """The multiples of a variant's settings that its trials liked most; none of one that was not tried."""
        return next((one["hyperparameters"] for one in self.tried(variant) if one["chosen"]), {})


def has_context(measured: Mapping[str, Any] | None) -> bool:
    """Whether static vectors were made of a published model, by reading contexts."""
    return bool(measured and measured.get("ok", {}).get("n_layers", 1) > 1)


def safe(name: str) -> str:
    """A name for a file: other than letters, digits and some signs are underscores.

    Of one that is too long for some systems, the end is a digest, so that names that begin alike stay apart.
    """
    made = "".join(char if char.isalnum() or char in ".=+-_" else "_" for char in name)
    if len(made.encode()) <= LONGEST_NAME:
        return made
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{made.encode()[: LONGEST_NAME - 13].decode(errors='ignore')}-{digest}"
