"""The work of a comparison: every variant trained, measured and used, one piece after another, each written down.

What is done is not done again, so that a comparison which was interrupted goes on where it was. A seed is what stands
on its own: once it is whole, what was found of it is written down, and its models are needed no more.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from firth import cache, grades, jobs, language, plan
from firth import corpus as corpora
from firth.division import Division
from firth.errors import FirthError, UsageError
from firth.evaluation import WordPair
from firth.families.family import settings
from firth.files import json_object, latest_checkpoint, replacing
from firth.formats.directory import MATRICES
from firth.grades import Questions
from firth.ledger import RECORDS, Records, is_final, items_path, machine, safe, write_items
from firth.marking import Marking
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
TEXT: Final = "text"
"""The folder of the divided corpus, and of what is read of it once."""
MODELS: Final = "models"
RANDOM_DIM: Final = 100
_OF_FIRST_SEED: Final = ("try", "probe", "use", "neighbours")
"""Work that is done with the first seed alone."""
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
    neighbours: tuple[str, ...] = ()


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
        self.seeds: list[int] = []  # that are whole
        first = asked.seeds[0]
        self.marking = Marking(
            folder, self.records, asked.variants, questions, self.frequent, asked.neighbours, first_seed=first
        )

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
        self.vocabulary: list[str] = []
        for rank, number in enumerate(order.tolist()):
            word = types[number]
            if counts[number] < LEAST_COUNT or not word:
                continue
            self.vocabulary.append(word)
            if rank < self.asked.top or word.upper() in asked:
                frequent.append(word)
        if len(frequent) < 2:
            raise FirthError(
                f"the text has {len(frequent)} words that occur {LEAST_COUNT} times: there is nothing to compare"
            )
        path = self.folder / TEXT / "words.txt"
        if not path.is_file():
            with replacing(path) as file:
                file.write("\n".join(frequent))
        scored = self.folder / TEXT / "scored.txt"
        if not scored.is_file():
            language.sample(self.text.held_out, scored, most_bytes=SCORED_BYTES, seed=self.asked.seeds[0])
        return frequent

    def kept(self, name: str, value: float) -> float:
        """A number as it was when it was first measured: what is in the cache takes no time any more."""
        path = self.folder / TEXT / "seconds.json"
        told = json_object(path) if path.is_file() else {}
        if name not in told:
            told[name] = round(value, 3)
            with replacing(path) as file:
                json.dump(told, file)
        return float(told[name])

    # --- the work

    def run(self, deadline: float = float("inf")) -> None:
        """All that is to be trained, measured and used, seed by seed, so that an early end has seen every family.

        Args:
            deadline: By `time.monotonic`; a seed that would not be whole by then is not begun.

        Raises:
            FirthError: none of the families could be trained.
            UsageError: there is no time for one seed.
        """
        for seed in self.asked.seeds:
            due, left = self.seconds_left(seed), deadline - time.monotonic()
            if due > left and not self.is_whole(seed):
                told = f"seed {seed} takes about {due / 60:,.0f} minutes, and {max(0.0, left) / 60:,.0f} are left"
                if not self.seeds:
                    raise UsageError(f"{told} of --stop-after; give --resume more minutes, or fewer --minutes")
                self.progress.say(f"{told}: --resume goes on with it")
                break
            self.do(seed)
            self.seeds.append(seed)
        if not any(
            self.is_done(self.records.get("train", variant.name, seed))
            for variant in self.trained
            for seed in self.seeds
        ):
            reasons = "; ".join(f"{name}: {why}" for name, why in self.failures())
            raise FirthError(f"none of the families could be trained: {reasons}")

    def do(self, seed: int) -> None:
        """All work of a seed; of one that is whole, what failed is tried again as long as all its models are there."""
        lost = [variant for variant in self.of_seed(seed) if self.is_lost(variant, seed)]
        if not (lost and self.is_whole(seed)):
            for variant in lost:
                self.progress.say(f"{variant.name}, seed {seed}: the model is gone, and not all of it was measured")
                self.forget(variant, seed)
            self.work_on(seed)
        began = time.monotonic()
        self.marking.know(RANDOM, seed, lambda: self.random_vectors(seed))
        self.marking.mark(seed, lambda name: self.vectors_there(name, seed))
        if not self.is_whole(seed):
            self.records.add("seed", "", seed, "", {"ok": {}, "took": round(time.monotonic() - began, 3)})

    def forget(self, variant: Variant, seed: int) -> None:
        """Has all work on a model that is gone begun anew: a use that has begun goes on with no other model."""
        is_scratch = self.of_scratch(seed) == variant
        self.records.forget(variant.name, seed)
        for task in self.tasks:
            for use in USES:
                shutil.rmtree(self.place_of(variant.folder, seed, task, use), ignore_errors=True)
            if is_scratch:
                self.records.add("use", RANDOM, seed, f"{task.name} scratch", {"again": True})
                shutil.rmtree(self.place_of(RANDOM, seed, task, "scratch"), ignore_errors=True)

    def work_on(self, seed: int) -> None:
        """Trains and measures the models of a seed, and puts those of the first one to the tasks."""
        is_first = seed == self.asked.seeds[0]
        for variant in self.trained if is_first and self.asked.trials > 1 else ():
            self.try_settings(variant)
        for variant in self.of_seed(seed):
            if not variant.published and not self.is_done(self.train(variant, seed)):
                continue
            if not self.is_done(self.measure(variant, seed)):
                continue
            self.marking.know(variant.name, seed, partial(self.vectors_of, variant, seed))
            for judged in self.judged:
                self.judge(variant, seed, judged)
            for task in self.tasks if is_first else ():
                self.use(variant, seed, task)
        for judged in self.judged:
            self.judge_random(seed, judged)
        for task in self.tasks if is_first else ():
            self.use_random(task)

    def of_seed(self, seed: int) -> list[Variant]:
        """The variants that there is work on with a seed: published models come with the first."""
        return [one for one in self.asked.variants if not one.published or seed == self.asked.seeds[0]]

    def is_whole(self, seed: int) -> bool:
        """Whether all that there is to a seed has been done."""
        return self.is_done(self.records.get("seed", "", seed))

    def is_lost(self, variant: Variant, seed: int) -> bool:
        """Whether a model was made, and is there no more."""
        work, place = "train", self.model_of(variant, seed)
        if variant.published:
            work, place = "matrices", self.published_of(variant)
        return self.is_done(self.records.get(work, variant.name, seed)) and not (place / "firth.json").is_file()

    def seconds_left(self, seed: int) -> float:
        """About how long what is left of a seed takes: as it took with another one, or as the plan has it."""
        if self.is_whole(seed):
            return 0.0
        lost = {one.name for one in self.of_seed(seed) if self.is_lost(one, seed)}
        done = {
            (one["work"], one["variant"], one["of"])
            for one in self.records.found.values()
            if one["seed"] == seed and is_final(one) and one["variant"] not in lost
        }
        measured = [
            sum(
                self.seconds_of(one)
                for one in self.records.found.values()
                if one["seed"] == other
                and (one["work"], one["variant"], one["of"]) not in done
                and one["work"] not in _OF_FIRST_SEED
                and not any(one["variant"] == variant.name and variant.published for variant in self.asked.variants)
            )
            for other in self.asked.seeds
            if other != seed and self.is_whole(other)
        ]
        if measured:
            return max(measured)
        minutes = replace(self.plan, seeds=(seed,)).minutes_in_all
        n_trained = sum(("train", variant.name, "") in done for variant in self.trained)
        return 60 * (minutes or 0.0) * (1 - n_trained / max(1, len(self.trained)))

    def seconds_of(self, one: Mapping[str, Any]) -> float:
        """What a piece of work took; of a training that was interrupted, its budget at least."""
        least = 60 * (self.asked.minutes or 0.0) if one["work"] == "train" and "ok" in one else 0.0
        return float(max(one.get("took", 0.0), least))

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
        return self.folder / MODELS / f"{variant.folder}-{seed}"

    def published_of(self, variant: Variant) -> Path:
        """Where the static vectors of a published model lie: apart from ours, whatever it is called."""
        return self.folder / MODELS / "published" / variant.folder

    def vectors_of(self, variant: Variant, seed: int) -> Vectors:
        """The static vectors of a model."""
        if variant.published:
            return Vectors.load(self.published_of(variant))
        place = self.model_of(variant, seed)
        return Vectors.load(place / MATRICES) if variant.is_contextual else load(place).vectors

    def vectors_there(self, name: str, seed: int) -> Vectors | None:
        """The static vectors of a variant of that name, or of the random table; None of a model that is gone."""
        if name == RANDOM:
            return self.random_vectors(seed)
        variant = next(one for one in self.asked.variants if one.name == name)
        return None if self.is_lost(variant, seed) else self.vectors_of(variant, seed)

    def random_vectors(self, seed: int) -> Vectors:
        """The random table: a vector of each word that a static family has one of, from a uniform distribution."""
        shape = (len(self.vocabulary), RANDOM_DIM)
        table = np.random.default_rng([seed, 0xF1]).uniform(-0.5, 0.5, shape).astype(np.float32) / RANDOM_DIM
        return Vectors(self.vocabulary, table)

    def job(self, work: str, variant: str, seed: int, of: str, **given: Any) -> dict[str, Any]:
        """Does a piece of work in a process of its own, unless it was done, and writes down what came of it."""
        there = self.records.get(work, variant, seed, of)
        if there is not None and is_final(there):
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
            "scored": str(self.folder / TEXT / "scored.txt"),
            "quiet": isinstance(self.progress, Silent),
            **given,
        }
        began = time.monotonic()
        outcome = jobs.run(asked, self.folder / "jobs", name)
        outcome |= {"took": round(time.monotonic() - began, 3), "machine": machine()}
        self.put_items_aside(outcome, items_path(self.folder, work, variant, seed, of))
        if why := outcome.get("failed") or outcome.get("left_out"):
            self.progress.say(f"{variant}, seed {seed}: {why}")
        return self.records.add(work, variant, seed, of, outcome)

    @staticmethod
    def put_items_aside(outcome: dict[str, Any], path: Path) -> None:
        """Moves the items of a judgement or a use into a file of their own: there are many."""
        found = outcome.get("ok", {})
        if any("items" in layer for layer in found.get("layers", ())):
            layers = found["layers"]
            write_items(
                path, {(number,): np.array(layer.pop("items"), np.float64) for number, layer in enumerate(layers)}
            )
        elif "items" in found:
            items = found.pop("items")
            found["has_items"] = bool(items)
            if items:
                write_items(path, {(): np.array(items, np.float64)})

    def budget(self, share: float = 1.0) -> dict[str, Any]:
        """A training's budget as a job has it: minutes, or passes over the text and their words."""
        if self.asked.minutes is not None:
            return {"minutes": share * self.asked.minutes, "epochs": None, "words": None}
        assert self.asked.words is not None
        words = share * self.asked.words
        return {"minutes": None, "epochs": words / self.n_words, "words": max(1, round(words))}

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
        return [settings(changed(size, factors)) for size in self.suited(variant)]

    def train(self, variant: Variant, seed: int) -> dict[str, Any]:
        """Trains a variant with a seed."""
        return self.job(
            "train", variant.name, seed, "", sizes=self.sizes(variant, seed), counts=self.asked.counts,
            output=str(self.model_of(variant, seed)), curve=self.curve(), **self.budget(),
        )  # fmt: skip

    def curve(self) -> dict[str, Any] | None:
        """What models in training are scored on: pairs of the words that all are scored by, the same for all."""
        similarity = next((one for one in self.questions if one.kind == "similarity"), None)
        if similarity is None:
            return None
        scored = {word.upper() for word in self.frequent}
        pairs = [
            [*pair[:2], float(pair[2])]
            for pair in similarity.questions
            if {word.upper() for word in pair[:2]} <= scored
        ]
        return {"set": similarity.name, "pairs": pairs}

    def measure(self, variant: Variant, seed: int) -> dict[str, Any]:
        """Makes a model's matrices, and measures what it costs."""
        model = variant.published or str(self.model_of(variant, seed))
        into = str(self.published_of(variant)) if variant.published else None
        words = str(self.folder / TEXT / "words.txt")
        return self.job(
            "matrices", variant.name, seed, "", model=model, into=into, words=words, n_words=self.n_words,
            drawn_by=self.asked.seeds[0],
        )  # fmt: skip

    def judge(self, variant: Variant, seed: int, judged: Judged) -> None:
        """Scores the layers of a model on words in sentences."""
        vectors = str(self.published_of(variant)) if variant.published else None
        if variant.published and not has_context(self.records.get("matrices", variant.name, seed)):
            vectors = None
        model = variant.published or str(self.model_of(variant, seed))
        given = {"model": model, "vectors": vectors, "kind": judged.kind, "path": judged.path}
        self.job("judge", variant.name, seed, judged.name, **given)

    def judge_random(self, seed: int, judged: Judged) -> None:
        """The same of the random table."""
        self.job_of_random("judge", seed, judged.name, vectors=None, kind=judged.kind, path=judged.path)

    def job_of_random(self, work: str, seed: int, of: str, **given: Any) -> None:
        """A piece of work on the random table, which is written into a directory for it."""
        place = self.folder / MODELS / RANDOM / str(seed)
        if not is_final(self.records.get(work, RANDOM, seed, of)) and not place.is_dir():
            self.random_vectors(seed).save(place)
        self.job(work, RANDOM, seed, of, model=str(place), **given)

    def use(self, variant: Variant, seed: int, task: Task) -> None:
        """Puts a model to a task: probes of its layers, features, and fine-tuning."""
        given = {"model": variant.published or str(self.model_of(variant, seed)), **self.task(task)}
        self.job("probe", variant.name, seed, task.name, **given)
        for use in USES:
            place = self.place_of(variant.folder, seed, task, use)
            self.job("use", variant.name, seed, f"{task.name} {use}", use=use, output=str(place), **given)

    def use_random(self, task: Task) -> None:
        """The baselines of a task: the random table probed, and one of the first static model's words, trained."""
        seed = self.asked.seeds[0]
        self.job_of_random("probe", seed, task.name, **self.task(task))
        first = self.of_scratch(seed)
        if first is not None:
            place = self.place_of(RANDOM, seed, task, "scratch")
            self.job(
                "use", RANDOM, seed, f"{task.name} scratch", use="scratch", output=str(place),
                model=str(self.model_of(first, seed)), **self.task(task),
            )  # fmt: skip

    def of_scratch(self, seed: int) -> Variant | None:
        """The variant whose words the baseline has: the first static one that could be trained."""
        found = [one for one in self.trained if self.is_done(self.records.get("train", one.name, seed))]
        return min(found, key=lambda one: one.is_contextual, default=None)

    def place_of(self, whose: str, seed: int, task: Task, use: str) -> Path:
        """Where a use has its checkpoints."""
        return self.folder / "uses" / f"{whose}-{seed}-{safe(task.name)}-{use}"

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
                sizes=[settings(changed(size, factors)) for size in self.suited(variant)], output=str(place),
                held_out=str(self.text.held_out), dev=[list(pair) for pair in self.asked.dev],
                **self.budget(plan.TRIAL_SHARE),
            )  # fmt: skip

    def suited(self, variant: Variant) -> tuple[Any, ...]:
        """Its sizes; where its first trial has found the one that the whole budget suffices for, that alone.

        Where preparing counts, less than the whole is left to train in, and each training decides for itself.
        """
        if self.asked.counts == "all":
            return variant.sizes
        first = self.records.get("try", variant.name, self.asked.seeds[0], "0") or {}
        place = first.get("ok", {}).get("size")
        return variant.sizes if place is None else (variant.sizes[place],)

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
