"""Every family on one corpus within one budget, measured alike: which word vectors are best for what, at what cost.

    divide      one text for all; the same documents held out of all
    train       each variant and seed in a process of its own, one after another on the whole machine
    matrices    static vectors of the same words from every layer of every model; what the language costs each of them
    use         the tasks: probes of each layer, features, fine-tuning
    grade       scores with intervals, best layers, differences that are no ties

Every model is an ordinary directory. What is done is written down at once, so that a comparison which was interrupted
goes on where it was. Of a seed that is whole, the models may be deleted: plan.json, records.jsonl and items/ are enough
to go on from, on another machine too; the text is divided anew.
"""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from firth import cache, comparison_report, ledger, plan
from firth import corpus as corpora
from firth import sets as named
from firth.account import Account
from firth.division import ABOUT, PARTS, divide
from firth.errors import FirthError, UsageError
from firth.files import lock, printable
from firth.grades import Questions
from firth.ledger import ITEMS, RECORDS
from firth.plan import Counts, Plan, Task
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.undertaking import MODELS, TEXT, Asked, Judged, Undertaking, planned
from firth.variants import Variant, check_different, read_all

DEFAULT: Final = ("cbow", "skipgram", "glove", "elmo", "gpt", "bert")
DEFAULT_SETS: Final = ("wordsim353", "simlex999", "google")
"""Looked for where no set is named, but not fetched."""
LIMIT: Final = 2000
"""Training examples of a task."""

REPORT: Final = "report.json"
LOCK: Final = ".lock"


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
    top: int = plan.SCORED_WORDS,
    preparation: Preparation | None = None,
    threads: int | None = None,
    device: str | None = None,
    lang: str = "en",
    overwrite: bool = False,
    resume: bool = False,
    stop_after: float | None = None,
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
        top: All are scored by so many of the most frequent words, and by those that the sets ask for.
        preparation: How the text is read.
        threads: That train; None is all cores.
        device: Of ELMo, GPT and BERT.
        lang: Of the page: `en` or `zh`.
        overwrite: Whether a comparison in `output` may be replaced.
        resume: Go on with the one in `output`; all else must be as it was.
        stop_after: Minutes within which to stop, about: no seed is begun that would not be whole by then, as far as can
            be told before. The report is of those that are; `resume` goes on with the others.
        cache_dir: Where encoded text is kept, and sets that are fetched.
        progress: Shows how far the work is.
        command: The command that makes the report again, as it shall be told.

    Raises:
        FirthError: the corpus or a set cannot be read; no family could be trained; the disk is full.
        UsageError: arguments that contradict each other.
        KeyboardInterrupt: Ctrl-C; the same call with `resume` goes on.
    """
    asked = _asked(
        families,
        minutes,
        words,
        counts,
        seeds,
        seed,
        published,
        trials,
        limit,
        dev,
        lang,
        command,
        threads,
        device,
        top,
        neighbours,
    )
    if stop_after is not None and not stop_after > 0:
        raise UsageError(f"stop_after is {stop_after}; it is minutes, a positive number")
    deadline = time.monotonic() + 60 * (float("inf") if stop_after is None else stop_after)
    progress = progress or Silent()
    questions, judged, digests = _questions(
        sets, sets_from, pairs, analogies, outliers, categories, cache_dir, progress
    )
    uses = [Task.read(task) for task in tasks]
    if doubled := _twice([task.name for task in uses]):
        raise UsageError(f"two tasks lie in folders called {printable(doubled)}, by which they are told apart")
    folder = Path(output).absolute()
    inputs = {
        "format": ledger.FORMAT,
        "corpus": plan.identity(corpus, preparation or Preparation()),
        "preparation": (preparation or Preparation()).settings(),
        "sets": digests,
        "tasks": {task.name: [plan.digest(path) for path in (task.train, task.dev, task.test)] for task in uses},
        "dev": None if dev is None else plan.digest(dev),
        "limit": limit,
        "threads": asked.threads,
        "device": device,
    }
    check_folder(folder, overwrite=overwrite, resume=resume)
    with _alone(folder):
        check_folder(folder, overwrite=overwrite, resume=resume)  # which another process may have filled
        if not resume:
            _empty(folder)
        text = divide(corpus, preparation or Preparation(), folder / TEXT, seed=seed, progress=progress)
        work = Undertaking(
            asked, folder, text, preparation or Preparation(), questions, judged, uses, cache_dir, progress
        )
        work.plan = replace(work.plan, inputs={**inputs, "text": text.fingerprint})
        plan.begin(work.plan, folder, resume=resume)
        if not resume:
            plan.check_disk(work.plan, folder)
        work.run(deadline)
        report = Account(work).report()
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
    top: int = plan.SCORED_WORDS,
    preparation: Preparation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Plan:
    """What `compare` would do: the variants, their sizes, the time, the disk. The corpus is read, nothing is trained.

    The arguments are those of `compare`.
    """
    asked = _asked(
        families,
        minutes,
        words,
        counts,
        seeds,
        seed,
        published,
        trials,
        LIMIT,
        None,
        "en",
        "",
        None,
        None,
        top,
    )
    uses = tuple(Task.read(task) for task in tasks)
    with cache.scratch("a divided corpus", cache_dir=cache_dir) as folder:
        text = divide(corpus, preparation or Preparation(), folder, seed=seed, progress=progress)
        prepared = text.preparation(preparation or Preparation()).completed(cased=False, punctuation=False)
        found = corpora.read(text.training, prepared)
        with cache.encoded(found, None, prepared, cache_dir=cache_dir, progress=progress) as encoded:
            n_words = encoded.n_tokens
    return planned(asked, text, n_words, (), uses)


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
    top: int,
    neighbours: Sequence[str] = (),
) -> Asked:
    from firth.cutting import available_processors
    from firth.evaluation import read_word_pairs

    given = [families] if isinstance(families, str) else list(families)
    if all(isinstance(one, Variant) for one in given):
        variants = [one for one in given if isinstance(one, Variant)] + read_all((), published)
        check_different(variants)
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
    for name, whole in (("seeds", seeds), ("trials", n_trials), ("limit", limit), ("top", top)):
        if whole < 1:
            raise UsageError(f"{name} is {whole}; it must be at least 1")
    if seed < 0:
        raise UsageError(f"seed is {seed}; it must not be negative")
    if counts not in ("training", "all"):
        raise UsageError(f"counts is {printable(repr(counts))}; there are 'training' and 'all'")
    if lang not in ("en", "zh"):
        raise UsageError(f"lang is {printable(repr(lang))}; there are 'en' and 'zh'")
    return Asked(
        variants=tuple(variants),
        minutes=None if minutes is None else float(minutes),
        words=None if words is None else float(words),
        counts=counts,
        seeds=tuple(range(seed, seed + seeds)),
        trials=n_trials,
        limit=limit,
        dev=() if dev is None else tuple(read_word_pairs(Path(dev))),
        lang=lang,
        command=command,
        threads=available_processors() if threads is None else threads,
        device=device,
        top=top,
        neighbours=tuple(neighbours),
    )


def _questions(
    names: Sequence[str] | None,
    folder: str | os.PathLike[str] | None,
    pairs: Sequence[str | os.PathLike[str]],
    analogies: Sequence[str | os.PathLike[str]],
    outliers: Sequence[str | os.PathLike[str]],
    categories: Sequence[str | os.PathLike[str]],
    cache_dir: str | os.PathLike[str] | None,
    progress: Progress,
) -> tuple[list[Questions], list[Judged], dict[str, str]]:
    """The evaluation sets that are asked for: those of words, read, those of words in sentences, and hashes of all.

    Where none is asked for, one that is not there is said, and left out.
    """
    files: dict[named.Kind, Sequence[str | os.PathLike[str]]] = {
        "similarity": pairs, "analogy": analogies, "outliers": outliers, "categories": categories,
    }  # fmt: skip
    found: list[Questions] = []
    judged: list[Judged] = []
    digests: dict[str, str] = {}
    given = any(files.values())
    for name in (() if given else DEFAULT_SETS) if names is None else names:
        try:
            one = named.find(name, folder=folder, cache_dir=cache_dir, fetch=names is not None)
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
        digests[one.known.name] = plan.digest(one.path)
    for kind, paths in files.items():
        found += [_read(Path(path).stem, kind, Path(path)) for path in paths]
        digests |= {Path(path).stem: plan.digest(path) for path in paths}
    if doubled := _twice([one.name for one in found]):
        raise UsageError(f"two sets are called {printable(doubled)}: give a file another name")
    return found, judged, digests


def _read(name: str, kind: named.Kind, path: Path) -> Questions:
    return Questions(name, kind, named.READERS[kind](path))


def _twice(names: Sequence[str]) -> str:
    return next((name for name in names if names.count(name) > 1), "")


def check_folder(folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Finds out whether a comparison may be made there; nothing is changed.

    Raises:
        UsageError: something stands there that may not be replaced, or there is nothing to go on with.
    """
    shown = printable(str(folder))
    is_ours = (folder / plan.PLAN).is_file() or (folder / TEXT / ABOUT).is_file()
    if resume:
        if not is_ours:
            raise UsageError(f"{shown} holds no comparison to go on with; leave --resume out")
        return
    if folder.is_dir() and (folder.resolve() == Path.cwd() or folder.is_mount()):
        raise UsageError(f"{shown} is the current directory or a mount point; name a directory in it")
    if folder.exists() and not (folder.is_dir() and _is_vacant(folder)):
        if not overwrite:
            raise UsageError(f"{shown} exists; --resume goes on with a comparison there, --overwrite replaces it")
        if not is_ours:
            raise UsageError(f"{shown} exists and is no comparison; it is not overwritten")


def _is_vacant(folder: Path) -> bool:
    """Whether a directory is empty, but for what is left of a comparison that ended before its corpus was read."""
    text = folder / TEXT
    names = {path.name for path in folder.iterdir()} - {LOCK}
    return not names or (names == {TEXT} and text.is_dir() and {path.name for path in text.iterdir()} <= {*PARTS})


def _empty(folder: Path) -> None:
    """Deletes what a comparison writes."""
    for name in (TEXT, MODELS, "trials", "uses", ITEMS, "jobs", "figures", plan.PLAN, RECORDS, REPORT):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A block in which no other process works on the comparison."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            lock(file)
        except OSError:
            raise FirthError(f"another process is working on the comparison in {printable(str(folder))}") from None
        yield
