"""Every family on one corpus within one budget, measured alike: which word vectors are best for what, at what cost.

    divide      one text for all; the same documents held out of all
    train       each variant and seed in a process of its own, one after another on the whole machine
    matrices    static vectors of the same words from every layer of every model; what the language costs each of them
    use         the tasks: probes of each layer, features, fine-tuning
    grade       scores with intervals, best layers, differences that are no ties

Every model is an ordinary directory. What is done is written down at once, so that a comparison which was interrupted
goes on where it was.
"""

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from firth import cache, comparison_report, grades, jobs, language, plan
from firth import corpus as corpora
from firth import sets as named
from firth.division import HELD_OUT, Division, divide
from firth.errors import FirthError, UsageError
from firth.evaluation import WordPair
from firth.families.family import from_settings, settings
from firth.files import json_object, lock, printable, replacing, without_folders
from firth.formats.directory import MATRICES
from firth.grades import Candidate, Grades, Questions
from firth.model import FAMILIES, load, versions
from firth.plan import Counts, Plan, Task
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation
from firth.variants import RANDOM, Variant, changed, read_all, trials
from firth.vectors import Vectors

DEFAULT: Final = ("cbow", "skipgram", "glove", "elmo", "gpt", "bert")
DEFAULT_SETS: Final = ("wordsim353", "simlex999", "google")
"""Looked for where no set is named, but not fetched."""
SCORED_BYTES: Final = 200_000
"""Of the held-out documents, that a language is measured on."""
RANDOM_DIM: Final = 100
LIMIT: Final = 2000
"""Training examples of a task."""
USES: Final = ("features", "finetune")
PAPERS: Final[Mapping[str, str]] = {
    "cbow": "mikolov2013",
    "skipgram": "mikolov2013distributed",
    "glove": "pennington2014",
    "elmo": "peters2018",
    "gpt": "radford2018",
    "bert": "devlin2019",
}
RECORDS: Final = "records.jsonl"
REPORT: Final = "report.json"


@dataclass(frozen=True)
class Comparison:
    """A comparison that has been made.

    Attributes:
        folder: Its directory.
        report: All numbers, as `report.json` has them.
        page: The page to read.
        answer: What it says first: which family for what, and what is a tie.
    """

    folder: Path
    report: dict[str, Any]
    page: Path
    answer: str


def compare(
    corpus: Any,
    families: Sequence[str | Variant] | str = DEFAULT,
    *,
    output: str | os.PathLike[str],
    minutes: float | None = None,
    words: float | None = None,
    counts: Counts = "training",
    seeds: int = 1,
    seed: int = 1,
    published: Sequence[str] = (),
    sets: Sequence[str] | None = None,
    sets_from: str | os.PathLike[str] | None = None,
    pairs: Sequence[str | os.PathLike[str]] = (),
    analogies: Sequence[str | os.PathLike[str]] = (),
    outliers: Sequence[str | os.PathLike[str]] = (),
    categories: Sequence[str | os.PathLike[str]] = (),
    tasks: Sequence[str] = (),
    limit: int = LIMIT,
    trials: int = 1,
    dev: str | os.PathLike[str] | None = None,
    neighbours: Sequence[str] = (),
    preparation: Preparation | None = None,
    threads: int | None = None,
    device: str | None = None,
    lang: str = "en",
    overwrite: bool = False,
    resume: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    command: str = "",
) -> Comparison:
    """Families trained on the same text with the same budget, measured in the same way; and a report of it.

    What a budget leaves out, and what fails, is told in the report: the other families go on.

    Args:
        corpus: As of `firth.train`. It is written down as plain text in `output`, a hundredth of it held out of all.
        families: As "cbow,skipgram,bert:preset=tiny", names, or what `firth.variants` reads.
        output: A directory for the models and the report.
        minutes: Budget of each training, wall-clock on the whole machine; 3 where neither is given.
        words: Or in words of the text that each sees.
        counts: Whether of a budget of minutes the `training` alone takes, or `all`: tokenisers, counting, compiling and
            static vectors too.
        seeds: So many trainings of each, for spreads.
        seed: The first of them.
        published: Models that join, as they are: directories, files of vectors, `hf:org/name`. They have seen other
            text, which the report says.
        sets: Evaluation sets by name, see `firth.sets`; None is those of DEFAULT_SETS that are there.
        sets_from: The folder they are looked for in first.
        pairs: Files of word pairs.
        analogies: Files of analogies.
        outliers: Files of groups with outliers.
        categories: Files of words with their category.
        tasks: Uses, as "classify=train.tsv,dev.tsv,test.tsv".
        limit: At most so many training examples of a task.
        trials: Settings that each variant is tried with, a quarter of the budget each, chosen on the held-out documents
            or by `dev`, never on the sets that are reported.
        dev: A file of word pairs that settings are chosen by.
        neighbours: Words whose neighbours are shown.
        preparation: How the text is read.
        threads: That train; None is all cores.
        device: Of ELMo, GPT and BERT.
        lang: Of the page: `en` or `zh`.
        overwrite: Whether a comparison in `output` may be replaced.
        resume: Go on with the one in `output`; all else must be as it was.
        cache_dir: Where encoded text is kept.
        progress: Shows how far the work is.
        command: The command that makes the report again, as it shall be told.

    Raises:
        FirthError: the corpus or a set cannot be read; no family could be trained; the disk is full.
        UsageError: arguments that contradict each other.
        KeyboardInterrupt: Ctrl-C; the same call with `resume` goes on.
    """
    asked = _asked(
        families, minutes, words, counts, seeds, seed, published, trials, limit, dev, lang, command, threads, device
    )
    progress = progress or Silent()
    questions, judged = _questions(sets, sets_from, pairs, analogies, outliers, categories, progress)
    uses = [Task.read(task) for task in tasks]
    if doubled := _twice([task.name for task in uses]):
        raise UsageError(f"two tasks lie in folders called {printable(doubled)}, by which they are told apart")
    folder = Path(output).absolute()
    check_folder(folder, overwrite=overwrite, resume=resume)
    with _alone(folder):
        text = divide(corpus, preparation or Preparation(), folder / "text", seed=seed, progress=progress)
        engine = _Engine(
            asked, folder, text, preparation or Preparation(), questions, judged, uses, cache_dir, progress
        )
        plan.begin(engine.plan, folder, resume=resume)
        if not resume:
            plan.check_disk(engine.plan, folder)
        engine.run()
        report = engine.report(tuple(neighbours))
        paths, notes = comparison_report.write(report, folder, lang)
    for note in notes:
        progress.say(note)
    page = next(path for path in paths if path.suffix == ".html")
    return Comparison(folder, report, page, comparison_report.answer(report, lang))


def drawn_up(
    corpus: Any,
    families: Sequence[str | Variant] | str = DEFAULT,
    *,
    minutes: float | None = None,
    words: float | None = None,
    counts: Counts = "training",
    seeds: int = 1,
    seed: int = 1,
    published: Sequence[str] = (),
    trials: int = 1,
    tasks: Sequence[str] = (),
    preparation: Preparation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """What `compare` would do: the variants, their sizes, the time, the disk. The corpus is read, nothing is trained.

    The arguments are those of `compare`.
    """
    asked = _asked(families, minutes, words, counts, seeds, seed, published, trials, LIMIT, None, "en", "", None, None)
    uses = tuple(Task.read(task) for task in tasks)
    with cache.scratch("a divided corpus", cache_dir=cache_dir) as folder:
        text = divide(corpus, preparation or Preparation(), folder, seed=seed, progress=progress)
        prepared = text.preparation(preparation or Preparation()).completed(cased=False, punctuation=False)
        found = corpora.read(text.training, prepared)
        with cache.encoded(found, None, prepared, cache_dir=cache_dir, progress=progress) as encoded:
            n_words = encoded.n_tokens
    return _planned(asked, text, n_words, (), uses)


class Judged(NamedTuple):
    """A set of words in sentences.

    Attributes:
        name: What the report calls it.
        kind: `scws` or `wic`.
        path: Where it lies.
    """

    name: str
    kind: named.Kind
    path: str


class _Asked(NamedTuple):
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


def _asked(
    families: Sequence[str | Variant] | str,
    minutes: float | None,
    words: float | None,
    counts: Counts,
    seeds: int,
    seed: int,
    published: Sequence[str],
    n_trials: int,
    limit: int,
    dev: str | os.PathLike[str] | None,
    lang: str,
    command: str,
    threads: int | None,
    device: str | None,
) -> _Asked:
    from firth.cutting import available_processors
    from firth.evaluation import read_word_pairs

    given = [families] if isinstance(families, str) else list(families)
    if all(isinstance(one, Variant) for one in given):
        variants = [one for one in given if isinstance(one, Variant)] + read_all((), published)
    else:
        variants = read_all([str(one) for one in given], published)
    if not any(variant.sizes for variant in variants):
        raise UsageError("no family is named that could be trained")
    if minutes is not None and words is not None:
        raise UsageError("a budget is one of minutes and words; both are given")
    if words is None and minutes is None:
        minutes = 3.0
    for name, number in (("minutes", minutes), ("words", words)):
        if number is not None and not 0 < number < float("inf"):
            raise UsageError(f"{name} is {number}; a budget is a positive number")
    for name, whole in (("seeds", seeds), ("trials", n_trials), ("limit", limit)):
        if whole < 1:
            raise UsageError(f"{name} is {whole}; it must be at least 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}; it must not be negative")
    if counts not in ("training", "all"):
        raise UsageError(f"counts is {printable(repr(counts))}; there are 'training' and 'all'")
    if lang not in ("en", "zh"):
        raise UsageError(f"lang is {printable(repr(lang))}; there are 'en' and 'zh'")
    return _Asked(
        variants=tuple(variants),
        minutes=None if minutes is None else float(minutes),
        words=None if words is None else float(words),
        counts=counts,
        seeds=tuple(range(seed, seed + seeds)),
        trials=n_trials,
        limit=limit,
        dev=() if dev is None else tuple(read_word_pairs(dev)),
        lang=lang,
        command=command,
        threads=available_processors() if threads is None else threads,
        device=device,
    )


def _questions(
    names: Sequence[str] | None,
    folder: str | os.PathLike[str] | None,
    pairs: Sequence[str | os.PathLike[str]],
    analogies: Sequence[str | os.PathLike[str]],
    outliers: Sequence[str | os.PathLike[str]],
    categories: Sequence[str | os.PathLike[str]],
    progress: Progress,
) -> tuple[list[Questions], list[Judged]]:
    """The evaluation sets that are asked for: those of words, read, and those of words in sentences.

    Where none is asked for, one that is not there is said, and left out.
    """
    files: dict[named.Kind, Sequence[str | os.PathLike[str]]] = {
        "similarity": pairs, "analogy": analogies, "outliers": outliers, "categories": categories,
    }  # fmt: skip
    found: list[Questions] = []
    judged: list[Judged] = []
    given = any(files.values())
    for name in (() if given else DEFAULT_SETS) if names is None else names:
        try:
            one = named.find(name, folder=folder, offline=names is None)
        except UsageError:
            raise
        except FirthError as error:
            if names is not None:
                raise
            progress.say(f"{name} is left out: {error}")
            continue
        for remark in one.remarks:
            progress.say(remark)
        if one.known.kind in named.READERS:
            found.append(_read(one.known.name, one.known.kind, one.path))
        else:
            judged.append(Judged(one.known.name, one.known.kind, str(one.path)))
    for kind, paths in files.items():
        found += [_read(Path(path).stem, kind, Path(path)) for path in paths]
    if doubled := _twice([one.name for one in found]):
        raise UsageError(f"two sets are called {printable(doubled)}: give a file another name")
    return found, judged


def _read(name: str, kind: named.Kind, path: Path) -> Questions:
    return Questions(name, kind, named.READERS[kind](path))


def _twice(names: Sequence[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")


def check_folder(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Makes room for a comparison.

    Raises:
        UsageError: something stands there that may not be replaced, or there is nothing to go on with.
    """
    shown = printable(str(folder))
    is_ours = (folder / plan.PLAN).is_file() or (folder / "text").is_dir()
    if resume:
        if not is_ours:
            raise UsageError(f"{shown} holds no comparison to go on with; leave --resume out")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not overwrite:
            raise UsageError(f"{shown} exists; --resume goes on with a comparison there, --overwrite replaces it")
        if not is_ours:
            raise UsageError(f"{shown} exists and is no comparison; it is not overwritten")
        for name in ("text", "models", "trials", "uses", "items", "jobs", "figures", plan.PLAN, RECORDS, REPORT):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A block in which no other process works on the comparison."""
    with (folder / ".lock").open("w") as file:
        try:
            lock(file)
        except OSError:
            raise FirthError(f"another process is working on the comparison in {printable(str(folder))}") from None
        yield


def _planned(
    asked: _Asked, text: Division, n_words: int, sets: "Sequence[Questions | Judged]", tasks: Sequence[Task]
) -> Plan:
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
        sets=of_kinds,
        tasks=tuple(tasks),
        n_words=n_words,
        n_bytes=text.n_bytes,
    )


class _Records:
    """What has been done, a line of JSON for each piece of work: it is not done again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, dict[str, Any]] = {}
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    one = json.loads(line)
                except ValueError:  # the last line of a process that was killed
                    continue
                self.found[self.key(one["work"], one["variant"], one["seed"], one["of"])] = one

    @staticmethod
    def key(work: str, variant: str, seed: int, of: str = "") -> str:
        return json.dumps([work, variant, seed, of])

    def get(self, work: str, variant: str, seed: int, of: str = "") -> dict[str, Any] | None:
        """What came of a piece of work; None of one that is to be done, or done again since it failed."""
        return self.found.get(self.key(work, variant, seed, of))

    def add(self, work: str, variant: str, seed: int, of: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Writes down what came of it."""
        one = {"work": work, "variant": variant, "seed": seed, "of": of, **outcome}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.found[self.key(work, variant, seed, of)] = one
        return one


class _Engine:
    """A comparison at work."""

    def __init__(
        self,
        asked: _Asked,
        folder: Path,
        text: Division,
        preparation: Preparation,
        questions: Sequence[Questions],
        judged: Sequence[Judged],
        tasks: Sequence[Task],
        cache_dir: str | os.PathLike[str] | None,
        progress: Progress,
    ) -> None:
        self.asked, self.folder, self.text, self.progress = asked, folder, text, progress
        self.questions, self.judged, self.tasks = questions, judged, tasks
        self.cache_dir = None if cache_dir is None else str(Path(cache_dir).absolute())
        self.preparation = text.preparation(preparation)
        if self.preparation.cased is None:
            self.preparation = replace(self.preparation, cased=False)
        self.frequent = self.read_words()
        self.plan = _planned(asked, text, self.n_words, [*questions, *judged], tasks)
        self.records = _Records(folder / RECORDS)
        self.missing: list[str] = []

    def read_words(self) -> list[str]:
        """The words that all models are scored by; on the way, the text's encoding, which families of words share."""
        preparation = replace(self.preparation, punctuation=bool(self.preparation.punctuation))
        corpus = corpora.read(self.text.training, preparation)
        began = datetime.now(UTC)
        with cache.encoded(corpus, None, preparation, cache_dir=self.cache_dir, progress=self.progress) as encoded:
            self.segmentation: Segmentation = encoded.segmentation
            self.n_words = encoded.n_tokens
            types, counts = list(encoded.types), np.asarray(encoded.counts)
        self.seconds_of_encoding = self.kept("encode_seconds", (datetime.now(UTC) - began).total_seconds())
        self.lang = corpus.lang
        asked = {word.upper() for one in self.questions for item in one.questions for word in grades.words_of(item)}
        order = np.argsort(-counts, kind="stable")
        frequent = []
        for rank, number in enumerate(order.tolist()):
            word = types[number]
            if counts[number] < _LEAST_COUNT or not word:
                continue
            if rank < plan.SCORED_WORDS or word.upper() in asked:
                frequent.append(word)
        if len(frequent) < 2:
            raise FirthError(
                f"the text has {len(frequent)} words that occur {_LEAST_COUNT} times: there is nothing to compare"
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
            self.is_done(self.records.get("train", variant.name, self.asked.seeds[0])) for variant in self.trained
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

    def vectors_of(self, variant: Variant, seed: int) -> Vectors:
        """The static vectors of a model."""
        if variant.published:
            return Vectors.load(self.folder / "models" / variant.folder)
        place = self.model_of(variant, seed)
        return Vectors.load(place / MATRICES) if variant.is_contextual else load(place).vectors

    def job(self, work: str, variant: str, seed: int, of: str, **given: Any) -> dict[str, Any]:
        """Does a piece of work in a process of its own, unless it was done, and writes down what came of it."""
        there = self.records.get(work, variant, seed, of)
        if there is not None and "failed" not in there:
            return there
        again = " again" if there is not None else ""
        self.progress.say(f"{work} {variant}, seed {seed}{f': {of}' if of else ''}{again}")
        name = "-".join(part for part in (work, _safe(variant), str(seed), _safe(of)) if part)
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

    def sizes(self, variant: Variant) -> list[dict[str, Any]]:
        """The settings that a variant is trained with: those that its trials liked most."""
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
            "train", variant.name, seed, "", sizes=self.sizes(variant), counts=self.asked.counts,
            output=str(self.model_of(variant, seed)), curve=curve, **self.budget(),
        )  # fmt: skip

    def measure(self, variant: Variant, seed: int) -> dict[str, Any]:
        """Makes a model's matrices, and measures what it costs."""
        model = variant.published or str(self.model_of(variant, seed))
        into = str(self.folder / "models" / variant.folder) if variant.published else None
        words = str(self.folder / "text" / "words.txt")
        return self.job("matrices", variant.name, seed, "", model=model, into=into, words=words, **self.budget())

    def judge(self, variant: Variant, seed: int, judged: Judged) -> None:
        """Scores the layers of a model on words in sentences."""
        vectors = str(self.folder / "models" / variant.folder) if variant.published else None
        if variant.published and not variant_has_context(self.records.get("matrices", variant.name, seed)):
            vectors = None
        model = variant.published or str(self.model_of(variant, seed))
        given = {"model": model, "vectors": vectors, "kind": judged.kind, "path": judged.path}
        self.job("judge", variant.name, seed, judged.name, **given)

    def use(self, variant: Variant, seed: int, task: Task) -> None:
        """Puts a model to a task: probes of its layers, features, and fine-tuning."""
        given = {"model": variant.published or str(self.model_of(variant, seed)), **self.task(task)}
        self.job("probe", variant.name, seed, task.name, **given)
        for use in USES:
            place = self.folder / "uses" / f"{variant.folder}-{seed}-{_safe(task.name)}-{use}"
            self.job("use", variant.name, seed, f"{task.name} {use}", use=use, output=str(place), **given)

    def use_random(self, task: Task) -> None:
        """The baseline of a task: a table of the first static model's words, drawn at random and trained."""
        seed = self.asked.seeds[0]
        first = next(
            (one for one in sorted(self.trained, key=lambda one: one.is_contextual)
             if self.is_done(self.records.get("train", one.name, seed))), None,
        )  # fmt: skip
        if first is not None:
            place = self.folder / "uses" / f"{RANDOM}-{seed}-{_safe(task.name)}-scratch"
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

    # --- what is told of it

    def report(self, shown: Sequence[str]) -> dict[str, Any]:
        """All that was found, as `report.json` has it."""
        self.progress.say("scoring what was trained")
        graded = self.graded(shown)
        scores = [*graded.scores, *self.judged_scores(graded), *self.language_scores(), *self.use_scores()]
        for name, items in graded.items.items():
            path = self.folder / "items" / f"{_safe(name)}.npy"
            path.parent.mkdir(exist_ok=True)
            with replacing(path, "wb") as file:
                np.save(file, items.astype(np.float32), allow_pickle=False)
        missing = [*graded.missing, *self.notes_of_failures()]
        report = {
            "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
            "versions": versions(),
            "machine": machine(),
            "command": self.asked.command,
            "python": "",
            "corpus": {
                "names": [Path(name).name for name in self.text.name.split(", ")],
                "fingerprint": self.text.fingerprint,
                "n_documents": self.text.n_documents,
                "n_words": self.n_words,
                "n_held_out_documents": self.text.n_held_out_documents,
                "n_held_out_bytes": self.text.n_held_out_bytes,
                "segmentation": self.segmentation.method,
                "language": self.lang,
            },
            "budget": {"minutes": self.asked.minutes, "words": self.asked.words},
            "counts": self.asked.counts,
            "seeds": list(self.asked.seeds),
            "variants": [*map(self.told_of, self.asked.variants), self.told_of_random()],
            "runs": list(self.runs()),
            "scores": scores,
            "coverage": graded.coverage,
            "differences": graded.differences,
            "best_layers": graded.best_layers,
            "neighbours": graded.neighbours,
            "overlaps": graded.overlaps,
            "missing": missing,
            "notes": list(self.notes(graded)),
        }
        return dict(without_folders(jobs.finite(report)))

    def graded(self, shown: Sequence[str]) -> Grades:
        """The scores of all models' static vectors."""
        candidates = []
        for seed in self.asked.seeds:
            table = np.random.default_rng([seed, 0xF1]).uniform(-0.5, 0.5, (len(self.frequent), RANDOM_DIM))
            candidates.append(Candidate(RANDOM, seed, Vectors(self.frequent, table.astype(np.float32) / RANDOM_DIM)))
        for variant in self.asked.variants:
            for seed in self.asked.seeds:
                if self.is_done(self.records.get("matrices", variant.name, seed)):
                    candidates.append(Candidate(variant.name, seed, self.vectors_of(variant, seed)))
        return grades.grade(candidates, self.questions, self.frequent, shown=shown, seed=self.asked.seeds[0])

    def each(self, work: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The records of a kind of work that ended well, and what it found."""
        for one in self.records.found.values():
            if one["work"] == work and "ok" in one:
                yield one, one["ok"]

    def judged_scores(self, graded: Grades) -> Iterator[dict[str, Any]]:
        """What sets of words in sentences came to; best layers and differences are added to the grades."""
        items: dict[grades.Key, dict[str, dict[int, dict[int, Any]]]] = {}
        for one, found in self.each("judge"):
            for layer in found["layers"]:
                told = _score(one, "context", one["of"], layer["measure"], layer["score"], layer["n_items"])
                number = layer["layer"] or 0
                yield told | {"layer": number, "method": layer["method"], "n_known": layer["n_known"]}
                key: grades.Key = ("context", one["of"], layer["measure"], layer["method"])
                of_layer = items.setdefault(key, {}).setdefault(one["variant"], {}).setdefault(number, {})
                of_layer[one["seed"]] = np.array(layer["items"], np.float64)  # null is NaN
        for key, of_key in items.items():
            grades.take_items(graded, key, of_key, seed=self.asked.seeds[0])

    def language_scores(self) -> Iterator[dict[str, Any]]:
        """Bits per byte and pseudo-perplexity."""
        for one, found in self.each("matrices"):
            if (cost := found.get("language")) is not None:
                low, high = _of_language(cost)
                yield _score(one, "language", HELD_OUT.partition(".")[0], cost["measure"], cost["value"], cost["n"]) | {
                    "low": low,
                    "high": high,
                }

    def use_scores(self) -> Iterator[dict[str, Any]]:
        """What tasks and probes came to."""
        kinds = {task.name: task.task for task in self.tasks}
        for one, found in self.each("use"):
            name, _, use = one["of"].rpartition(" ")
            told = _score(one, "use", name, found["measure"], found["score"], found["n_items"])
            yield told | {"method": use, "task": kinds.get(name)}
        for one, found in self.each("probe"):
            for layer in found["layers"]:
                told = _score(one, "probe", one["of"], layer["measure"], layer["score"], layer.get("n_items"))
                yield told | {"layer": layer["layer"], "task": kinds.get(one["of"])}

    def told_of(self, variant: Variant) -> dict[str, Any]:
        """A variant as the report has it."""
        runs = [self.records.get("train", variant.name, seed) or {} for seed in self.asked.seeds]
        measured = self.records.get("matrices", variant.name, self.asked.seeds[0]) or {}
        told = next((run["ok"]["family"] for run in runs if "ok" in run), None)
        if variant.published:
            told = measured.get("ok", {}).get("family")
        family = from_settings(FAMILIES, told) if told else None
        left_out = next((run["left_out"] for run in runs if "left_out" in run), None)
        if variant.published and "failed" in measured:
            left_out = measured["failed"]
        name = variant.family or (family.name if family else "published")
        return {
            "name": variant.name,
            "family": name,
            "preset": _preset(family),
            "hyperparameters": {key: value for key, value in (told or {}).items() if key != "name"},
            "n_layers": measured.get("ok", {}).get("n_layers", 1),
            "paper": PAPERS.get(name),
            "published": variant.published is not None,
            "random": False,
            "left_out": left_out,
            "trials": self.tried(variant),
        }

    def told_of_random(self) -> dict[str, Any]:
        """The random table as the report has it."""
        drawn = {"dim": RANDOM_DIM, "distribution": f"uniform from -{0.5 / RANDOM_DIM:g} to {0.5 / RANDOM_DIM:g}"}
        return {
            "name": RANDOM, "family": RANDOM, "preset": None, "hyperparameters": drawn, "n_layers": 1, "paper": None,
            "published": False, "random": True, "left_out": None, "trials": [],
        }  # fmt: skip

    def runs(self) -> Iterator[dict[str, Any]]:
        """What every training took, and every published model."""
        for variant in self.asked.variants:
            for seed in self.asked.seeds if not variant.published else self.asked.seeds[:1]:
                trained = self.records.get("train", variant.name, seed) or {}
                measured = self.records.get("matrices", variant.name, seed) or {}
                if "left_out" in trained:
                    continue
                yield self.run_of(variant, seed, trained, measured)

    def run_of(
        self, variant: Variant, seed: int, trained: Mapping[str, Any], measured: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One of them."""
        found, then = trained.get("ok", {}), measured.get("ok", {})
        failed = trained.get("failed") or measured.get("failed")
        epochs = found.get("epochs")
        words = None if epochs is None else round(epochs * self.n_words)
        layer = self.layer_of_curve(variant)
        return {
            "variant": variant.name,
            "seed": seed,
            "model": f"models/{variant.folder}-{seed}" if not variant.published else variant.published,
            "failed": failed,
            "seconds": {
                "prepare": self.prepare_seconds(variant, found),
                "train": found.get("seconds"),
                "matrices": then.get("matrices_seconds"),
            },
            "words": words,
            "words_per_second": None if not words else words / max(found["seconds"], 1e-9),
            "flops": found.get("flops"),
            "parameters": found.get("parameters", then.get("parameters")),
            "peak_mib": found.get("peak_mib", then.get("peak_mib")),
            "bytes": found.get("bytes"),
            "lookup_ms": then.get("lookup_ms"),
            "sentence_ms": then.get("sentence_ms"),
            "losses": [[seconds, passes * self.n_words, nats] for seconds, passes, nats in found.get("losses", ())],
            "loss_unit": found.get("loss_unit", "nats"),
            "curve": [
                {"seconds": point["seconds"], "words": point["epochs"] * self.n_words, "set": point["set"],
                 "score": point["score"], "layer": point["layer"]}
                for point in found.get("curve", ()) if point["layer"] == layer
            ],
            "device": found.get("device"),
            "threads": found.get("threads"),
        }  # fmt: skip

    def layer_of_curve(self, variant: Variant) -> int:
        """The layer that a network in training is told of: the last but one of several; it is not chosen by scores."""
        found = (self.records.get("matrices", variant.name, self.asked.seeds[0]) or {}).get("ok", {})
        return max(0, int(found.get("n_layers", 1)) - 2)

    def prepare_seconds(self, variant: Variant, found: Mapping[str, Any]) -> float | None:
        """What came before a training: as long as it took where nothing of it was in the cache yet."""
        if variant.published or not found:
            return None
        first = [one["ok"] for one in self.records.found.values() if one["work"] == "train" and "ok" in one]
        alike = [one["prepare_seconds"] for one in first if one["family"]["name"] == variant.family]
        seconds = {name: max(one.get(name, 0.0) for one in alike) for name in jobs.PREPARING}
        if not variant.is_contextual:
            seconds["encode_seconds"] = max(seconds["encode_seconds"], self.seconds_of_encoding)
        return round(sum(seconds.values()), 3)

    def notes_of_failures(self) -> Iterator[str]:
        """What failed or was left out, in sentences."""
        for one in self.records.found.values():
            where = f"{one['variant']}, seed {one['seed']}" + (f", {one['of']}" if one["of"] else "")
            if why := one.get("left_out"):
                yield f"{where} was left out: {why}"
            elif why := one.get("failed"):
                yield f"{where} failed ({one['work']}): {why}"
            elif why := one.get("ok", {}).get("missing"):
                yield f"{where}: no language measure: {why}"
        if not self.text.n_held_out_documents:
            yield "the text is too small to hold a part of it out: there is no language measure"
        if not self.questions:
            yield "no evaluation set was given or found: words are not scored"

    def notes(self, graded: Grades) -> Iterator[str]:
        """How it was done, for the Methods."""
        yield (
            f"The same {self.text.n_held_out_documents:,} documents ({self.text.n_held_out_bytes:,} bytes, drawn by the "
            "seed) were held out of all trainings; of the rest, ELMo, GPT and BERT set half a percent aside to watch "
            "their own loss."
        )
        yield (
            f"All scores are of the {graded.n_words:,} words that every model knows, cut by one segmentation "
            f"({self.segmentation.method}): the {plan.SCORED_WORDS:,} most frequent and those that the sets ask for, of "
            f"words that occur {_LEAST_COUNT} times."
        )
        yield (
            "Sizes: ELMo, GPT and BERT the largest preset that sees one token for each weight of its blocks within the "
            "budget at the speed measured here, of no more than 16 passes over the text; the others 100 dimensions, "
            "unless told."
        )
        yield (
            f"Static vectors of a network's layers are means over at most {jobs.CONTEXTS} contexts of a word, read in a "
            f"tenth of the budget beside it; while it trains, over {jobs.CURVE_CONTEXTS}, of the last layer but one."
        )
        yield (
            "Bits per byte are of the held-out documents; what a vocabulary lacks is charged for as spelt out at 8 bits "
            f"a byte. BERT's pseudo-perplexity is of {language.SAMPLED_WORDS} words drawn by the seed, each hidden with "
            "the rest of its pieces."
        )
        if self.asked.trials > 1:
            by = "a development file of word pairs" if self.asked.dev else "the held-out documents"
            yield (
                f"Each variant was tried with {self.asked.trials} settings, {plan.TRIAL_SHARE:.0%} of the budget each, "
                f"chosen on {by}; never on the sets that are reported."
            )


_LEAST_COUNT: Final = 5
"""Rarer words are none of those that models are scored by: static families give them no vector."""


def _preset(family: Any) -> str | None:
    return None if family is None else Variant(name="", sizes=(family,)).preset


def variant_has_context(measured: Mapping[str, Any] | None) -> bool:
    """Whether static vectors were made of a published model, by reading contexts."""
    return bool(measured and measured.get("ok", {}).get("n_layers", 1) > 1)


def _score(
    one: Mapping[str, Any], kind: str, name: str, measure: str, score: float | None, n_items: int | None
) -> dict[str, Any]:
    """A score of what is no set of words, as the report has it."""
    return {
        "variant": one["variant"], "seed": one["seed"], "layer": None, "kind": kind, "set": name, "measure": measure,
        "method": None, "score": score, "low": None, "high": None, "n_items": n_items, "n_known": n_items,
        "words": "own",
    }  # fmt: skip


def _of_language(cost: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Between what a pseudo-perplexity lies, for other words; nothing of bits per byte."""
    from firth.significance import bounds, draws

    items = np.asarray(cost["items"], np.float64)
    if cost["measure"] != "pseudo_perplexity" or len(items) < 2:
        return None, None
    means = np.concatenate([items[rows].mean(axis=1) for rows in draws(len(items), 1000, 1)])
    low, high = bounds(np.exp(np.minimum(means, 700.0)))
    return low, high


def _safe(name: str) -> str:
    return "".join(char if char.isalnum() or char in ".=+-_" else "_" for char in name)[:120]


def machine() -> str:
    """Processor, cores and system: enough to know whether two figures may be compared."""
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        facts = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
        model = {name.strip(): value.strip() for name, value in facts.items()}["model name"]
    except (OSError, KeyError):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
