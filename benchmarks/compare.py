"""Which family for my corpus? The recorded comparisons: `firth compare` on two corpora and three budgets.

    python benchmarks/compare.py --work FOLDER --minutes-at-most 60 --commit   # a sitting; again goes on from there
    python benchmarks/compare.py --work FOLDER --only en-3                      # one of them alone
    python benchmarks/compare.py --plan                                         # what there is to do, and what it takes
    python benchmarks/compare.py --work FOLDER --only trial-en                  # all of it at 0.1 minutes: does it run?

    en-3    20 M words of English Wikipedia, 3 minutes a family, 3 seeds; the headline
    zh-3    zh-mixed (24 MB), 3 minutes a family, 1 seed
    en-1    the budget curve: 1 minute, 1 seed; with en-3's and en-10's first seeds it is 1, 3 and 10 minutes
    en-10   10 minutes, 3 seeds, seed by seed: as they accumulate over several sittings

All on two threads, of Skip-gram, CBOW, GloVe, ELMo, GPT and BERT and the random table, in the order of what they tell:
en-3, zh-3, en-1, en-10. English is scored on WordSim-353, SimLex-999, Google's analogies and SCWS, Chinese on
WordSim-240 and CA8; both on what the language costs, and the first seed on a task: parts of speech of UD-EWT, entities
of Resume; 1,000 sentences to learn from, 300 to choose by, 500 to be scored on (FIRTH_SHARED has texts, sets, tasks).

A seed is what stands on its own. Once it is whole, what was found of it is copied to results/compare-<language>/
<minutes>-minutes/ (and committed with --commit), and its models are needed no more: a sitting on another machine, whose
--work is empty, goes on from there. So a sitting begins no seed that it has no time for; one that is broken off all the
same goes on where --work is still there, and is begun anew where it is not. --halfway begins a seed that does not fit
(of en-10 none fits into an hour): for a machine that stays. results/compare.md shows the tables of the whole seeds, the
budget curve of their first seeds, and who overtakes whom by more than chance.
"""

import argparse
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import recording
from labelled import LABELLED, TASKS
from recording import EVALUATION, ROOT, SHARED, commit_of_checkout, committed, machine

THREADS: Final = 2
FAMILIES: Final = "skipgram,cbow,glove,elmo,gpt,bert"
OVERHEAD_MINUTES: Final = 1.5  # of a run beside its training, on two cores: preparing, matrices, measures
TASK_MINUTES: Final = 2.75  # of a run, of the first seed
MARGIN_MINUTES: Final = 2.0  # that a seed is given beside: the estimate of `firth compare` is its own
N_FAMILIES: Final = 6
NETWORKS: Final = 3
TASK: Final = {"en": "ud-ewt", "zh": "resume-ner"}
N_TRAIN: Final = 1_000
N_DEV: Final = 300
N_TEST: Final = 500
LEAST_MINUTES: Final = 0.01  # --stop-after that begins no seed: the report of those that are whole
NO_TIME: Final = 2
"""The status of a comparison that would not end within --stop-after."""
WRITTEN_DOWN: Final = ("plan.json", "records.jsonl", "text/seconds.json", "items")
"""What a comparison goes on from without its models."""
REPORT: Final = (
    "report.json",
    "report.html",
    "scores.csv",
    "runs.csv",
    "methods.txt",
    "references.bib",
    "tables.tex",
)


class Setting(NamedTuple):
    """One recorded comparison."""

    name: str
    language: str
    minutes: float
    seeds: int
    words: int | None  # of the corpus, from its beginning; None is all

    def minutes_of(self, seed: int) -> float:
        """About how long a seed takes on two cores; the first has the task."""
        beside = OVERHEAD_MINUTES + (TASK_MINUTES if seed == 1 else 0.0)
        return N_FAMILIES * (self.minutes + beside) + NETWORKS * 0.1 * self.minutes

    @property
    def place(self) -> Path:
        """Where its results stand."""
        return recording.RESULTS / f"compare-{self.language}" / f"{self.minutes:g}-minutes"


SETTINGS: Final = (
    Setting("en-3", "en", 3, 3, 20_000_000),
    Setting("zh-3", "zh", 3, 1, None),
    Setting("en-1", "en", 1, 1, 20_000_000),
    Setting("en-10", "en", 10, 3, 20_000_000),
)
TRIALS: Final = (Setting("trial-en", "en", 0.1, 2, 1_000_000), Setting("trial-zh", "zh", 0.1, 1, 10_000))
"""Small ones, to try whether everything runs: done where --only names them, and kept in --work."""
CORPORA: Final = {"en": "en-wiki.txt.xz", "zh": "zh-mixed.txt.xz"}


def corpus_of(setting: Setting, work: Path) -> Path:
    """The text of a comparison, decompressed into the work folder: whole documents until there are as many words."""
    path = work / f"{setting.language}-{setting.words or 'all'}.txt"
    if path.is_file():
        return path
    part = path.with_suffix(".part")
    n_words = 0
    with (
        lzma.open(SHARED / "data" / "corpora" / CORPORA[setting.language], "rt", encoding="utf-8") as source,
        part.open("w", encoding="utf-8") as target,
    ):
        for line in source:
            if setting.words is not None and n_words >= setting.words and not line.strip():
                break
            n_words += len(line.split())
            target.write(line)
    part.replace(path)
    return path


def task_of(language: str, work: Path) -> str:
    """The task as `firth compare` takes it: its examples of dev and test are some of the published ones, evenly."""
    given = LABELLED[TASK[language]]
    assert given.dev is not None
    files = [TASKS / given.train]
    for part, name, n in (("dev", given.dev, N_DEV), ("test", given.test, N_TEST)):
        sentences = (TASKS / name).read_text(encoding="utf-8").strip().split("\n\n")
        chosen = sentences[:: max(1, len(sentences) // n)][:n]
        files.append(work / TASK[language] / f"{part}{Path(name).suffix}")
        files[-1].parent.mkdir(exist_ok=True)
        files[-1].write_text("\n\n".join(chosen) + "\n", encoding="utf-8")
    return f"{given.task}={','.join(map(str, files))}"


def command_of(setting: Setting, work: Path, stop_after: float) -> list[str]:
    """The comparison as a user would ask for it."""
    folder = work / setting.name
    asked = [
        sys.executable, "-m", "firth", "compare", str(corpus_of(setting, work)), "--families", FAMILIES,
        "--minutes", f"{setting.minutes:g}", "--seeds", str(setting.seeds), "--threads", str(THREADS),
        "--task", task_of(setting.language, work), "--limit", str(N_TRAIN),
        "-o", str(folder), "--cache-dir", str(work / "cache"),
    ]  # fmt: skip
    of_language = EVALUATION / setting.language
    if setting.language == "en":
        asked += ["--pairs", f"{of_language / 'wordsim353.tsv'},{of_language / 'simlex999.txt'}"]
        asked += ["--analogies", str(of_language / "questions-words.txt")]
        asked += ["--sets", "scws", "--sets-from", str(of_language)]
    else:
        asked += ["--pairs", str(of_language / "wordsim-240.txt")]
        asked += ["--analogies", str(of_language / "ca8-semantic.txt"), "--lang", "zh"]
    asked += [] if stop_after == float("inf") else ["--stop-after", f"{stop_after:.2f}"]
    return [*asked, "--resume"] if (folder / "plan.json").is_file() else asked


def sit(setting: Setting, work: Path, minutes: float, *, commit: bool, halfway: bool) -> None:
    """Works on a comparison for so long at most, as many whole seeds as fit."""
    folder = work / setting.name
    if len(whole_seeds(setting.place)) > len(whole_seeds(folder)):  # of another machine
        copied(setting.place, folder)
    n_whole = len(whole_seeds(folder))
    if n_whole == setting.seeds and told_seeds(setting) == n_whole:
        return
    due = setting.minutes_of(n_whole + 1) + MARGIN_MINUTES if n_whole < setting.seeds else 0.0
    is_begun = any((folder / "models").glob(f"*-{n_whole + 1}"))
    if minutes <= 0 or (minutes < due and told_seeds(setting) == n_whole and not (is_begun or halfway)):
        print(f"{setting.name}: seed {n_whole + 1} takes about {due:.0f} minutes, {minutes:.0f} are left")
        return
    print(f"{setting.name}: {n_whole} of {setting.seeds} seeds are whole", file=sys.stderr, flush=True)
    began, n_before = datetime.now(UTC), n_whole
    deadline = time.monotonic() + 60 * minutes
    command = command_of(setting, work, float("inf") if halfway or is_begun else minutes)
    is_late = False
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True) as child:
        try:
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(1)
                if len(whole_seeds(folder)) > n_whole:
                    n_whole = len(whole_seeds(folder))
                    keep(setting, folder, WRITTEN_DOWN, began, commit=commit)
        finally:
            if is_late := child.poll() is None:
                os.killpg(child.pid, signal.SIGINT)  # each process writes its checkpoint, and --work goes on from it
        status = child.wait()
    if is_late and len(whole_seeds(folder)) > told_seeds(setting):  # whole ones wait for no seed that was broken off
        status = subprocess.run(command_of(setting, work, LEAST_MINUTES), cwd=ROOT, check=False).returncode
    if status == 0:
        keep(setting, folder, (*WRITTEN_DOWN, *REPORT), began, commit=commit)
    elif status == NO_TIME and "--stop-after" in command and n_whole == n_before:
        print(f"{setting.name}: seed {n_whole + 1} has no time in {minutes:.0f} minutes, as it says above")
    elif not is_late:
        raise SystemExit(f"{setting.name} failed with status {status}")


def whole_seeds(folder: Path) -> list[int]:
    """The seeds of which all work is done."""
    path = folder / "records.jsonl"
    found = []
    for line in path.read_text(encoding="utf-8").split("\n") if path.is_file() else ():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if one["work"] == "seed":
            found.append(one["seed"])
    return found


def told_seeds(setting: Setting) -> int:
    """How many seeds the report is of that stands in the results."""
    path = setting.place / "report.json"
    return len(json.loads(path.read_text(encoding="utf-8"))["seeds"]) if path.is_file() else 0


def copied(source: Path, target: Path, names: tuple[str, ...] = WRITTEN_DOWN) -> None:
    """Copies what there is of some files and folders."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, dirs_exist_ok=True)
        elif (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def keep(setting: Setting, folder: Path, names: tuple[str, ...], began: datetime, *, commit: bool) -> None:
    """Copies what stands in a comparison's folder, without models, tells of the sitting, and writes the table anew."""
    copied(folder, setting.place, names)
    seeds = whole_seeds(folder)
    line = {
        "setting": setting.name, "began": f"{began:%Y-%m-%dT%H:%MZ}", "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "seeds": seeds, "commit": commit_of_checkout(), "machine": machine(),
    }  # fmt: skip
    path = setting.place / "sittings.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    if seeds not in [json.loads(one)["seeds"] for one in lines]:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    (recording.RESULTS / "compare.md").write_text(table(), encoding="utf-8")
    if commit:
        told = f"{setting.minutes:g} minutes, {len(seeds)} of {setting.seeds} seeds"
        committed(f"results/compare-{setting.language}: {told}", setting.place, recording.RESULTS / "compare.md")


def reports() -> Iterator[tuple[str, float, dict[str, Any]]]:
    """The recorded reports: language, minutes, numbers."""
    for language in CORPORA:
        for path in sorted((recording.RESULTS / f"compare-{language}").glob("*-minutes/report.json")):
            report = json.loads(path.read_text(encoding="utf-8"))
            yield language, report["budget"]["minutes"], report


def table() -> str:
    """The page: a table for each comparison, the budget curve, and who overtakes whom."""
    lines = [
        "# Which family for my corpus?", "",
        "Written by `python benchmarks/compare.py --table`; the reports stand in `compare-en/` and `compare-zh/`. "
        "Means of the seeds, each at the layer that half of a set's items chose, scored on the other half.", "",
    ]  # fmt: skip
    curve: dict[str, dict[str, dict[float, float]]] = {}
    apart: dict[tuple[str, float], set[frozenset[str]]] = {}
    for language, minutes, report in sorted(reports(), key=lambda one: (one[0], one[1])):
        best = [*report["best_layers"], *(one for one in report["scores"] if one["kind"] == "language")]
        columns = list(dict.fromkeys(map(column_of, best)))
        names = [" ".join(filter(None, column)) for column in columns]
        lines += [f"## {language}, {minutes:g} minutes, {len(report['seeds'])} seeds", ""]
        lines += [f"| family | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for variant in report["variants"]:
            cells = []
            for column in columns:
                found = [one for one in best if one["variant"] == variant["name"] and column_of(one) == column]
                of_runs = [one["score"] for one in found if one["score"] is not None]
                score = sum(of_runs) / len(of_runs) if of_runs else None
                cells.append("" if score is None else f"{score:.3f}")
                firsts = [
                    one["score"] for one in found if one["kind"] != "language" and one["seed"] == report["seeds"][0]
                ]
                if language == "en" and firsts and firsts[0] is not None and not variant["random"]:
                    name = " ".join(filter(None, column))
                    curve.setdefault(name, {}).setdefault(variant["name"], {})[minutes] = firsts[0]
            lines.append(f"| {variant['name']} | {' | '.join(cells)} |")
        for one in report["differences"]:
            if language == "en" and not one["tie"]:
                key = " ".join(filter(None, column_of(one))), minutes
                apart.setdefault(key, set()).add(frozenset((one["a"], one["b"])))
        ties = sum(one["tie"] for one in report["differences"])
        lines += ["", f"{ties} of {len(report['differences'])} differences are ties. {report['machine']}.", ""]
        lines += [f"- {sentence}" for sentence in report["missing"]] + [""]
    for name, variants in curve.items():
        budgets = sorted({minutes for of_variant in variants.values() for minutes in of_variant})
        if len(budgets) < 2:
            continue
        lines += [f"## {name} against the budget, en", ""]
        lines += [
            f"| family | {' | '.join(f'{minutes:g} min' for minutes in budgets)} |",
            "|---" * (len(budgets) + 1) + "|",
        ]
        for variant, scores in variants.items():
            cells = [f"{scores[minutes]:.3f}" if minutes in scores else "" for minutes in budgets]
            lines.append(f"| {variant} | {' | '.join(cells)} |")
        lines += [
            "",
            *overtakes(variants, budgets, {minutes: apart.get((name, minutes), set()) for minutes in budgets}),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def column_of(one: dict[str, Any]) -> tuple[str, str | None]:
    """By what a score is known: the set, and how it was asked."""
    return one["set"], one["measure"] if one["kind"] in ("language", "outliers") else one["method"]


def overtakes(
    variants: dict[str, dict[float, float]], minutes: list[float], apart: dict[float, set[frozenset[str]]]
) -> list[str]:
    """Between which budgets one family passes another; those that the larger budget tells apart are named alone."""
    found = []
    for one, scores in variants.items():
        for other, others in variants.items():
            for before, after in pairwise(minutes):
                if not {before, after} <= scores.keys() & others.keys():
                    continue
                is_apart = frozenset((one, other)) in apart[after]
                if scores[before] < others[before] and scores[after] > others[after] and is_apart:
                    found.append(f"- {one} passes {other} between {before:g} and {after:g} minutes.")
    return found or ["- None passes another by more than chance."]


def main() -> None:
    """Sits down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="where texts, models and unfinished comparisons are kept")
    parser.add_argument("--minutes-at-most", type=float, default=float("inf"), help="of this sitting")
    parser.add_argument("--only", choices=[setting.name for setting in (*SETTINGS, *TRIALS)])
    parser.add_argument("--halfway", action="store_true", help="begin seeds that do not fit: --work is there next time")
    parser.add_argument("--commit", action="store_true", help="commit each seed and each report")
    parser.add_argument("--results", type=Path, help="where results go: results/ here; of a trial, WORK/results")
    parser.add_argument("--plan", action="store_true", help="print what there is to do, and what it takes")
    parser.add_argument("--table", action="store_true", help="print the page of what stands there")
    asked = parser.parse_args()
    settings = [one for one in (*SETTINGS, *TRIALS) if asked.only == one.name] or SETTINGS
    is_trial = settings[0] in TRIALS
    if asked.commit and (is_trial or asked.results):
        parser.error("--commit is of what goes into results/ here: not of a trial, nor with --results")
    if asked.results or (is_trial and asked.work):
        recording.RESULTS = (asked.results or asked.work / "results").resolve()
    if asked.plan:
        for setting in settings:
            there = whole_seeds(setting.place)
            due = [setting.minutes_of(seed) for seed in range(1, setting.seeds + 1) if seed not in there]
            print(
                f"{setting.name}: {setting.minutes:g} min a family, {len(there)} of {setting.seeds} seeds whole; "
                f"the others take about {' + '.join(f'{minutes:.0f}' for minutes in due) or 0} minutes"
            )
        return
    if asked.table:
        print(table(), end="")
        return
    if asked.work is None:
        parser.error("--work FOLDER is where models and texts go")
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    for one in (signal.SIGINT, signal.SIGTERM):  # which a shell may have had ignored; what is at work must hear of both
        signal.signal(one, signal.default_int_handler)
    deadline = time.monotonic() + 60 * asked.minutes_at_most
    for setting in settings:
        sit(setting, work, (deadline - time.monotonic()) / 60, commit=asked.commit, halfway=asked.halfway)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted; the same command goes on from here") from None
