"""Which family for my corpus? The recorded comparisons: `firth compare` on two corpora and three budgets.

    python benchmarks/compare.py --work FOLDER --minutes-at-most 60 --commit   # a sitting; again goes on from there
    python benchmarks/compare.py --work FOLDER --only en-3                      # one of them alone
    python benchmarks/compare.py --plan                                         # what there is to do, and what it takes

    en-3    20 M words of English Wikipedia, 3 minutes a family, 3 seeds; the headline
    zh-3    zh-mixed (24 MB), 3 minutes a family, 1 seed
    en-1    the budget curve: 1 minute, 1 seed; with en-3's and en-10's first seeds it is 1, 3 and 10 minutes
    en-10   10 minutes, 3 seeds, seed by seed: as they accumulate over several sittings

All on two threads, of Skip-gram, CBOW, GloVe, ELMo, GPT and BERT and the random table, in the order of what they tell:
en-3, zh-3, en-1, en-10. English is scored on WordSim-353, SimLex-999, Google's analogies and SCWS, Chinese on
WordSim-240 and CA8; both on what the language costs (FIRTH_SHARED has texts and sets).

A comparison is interrupted when the sitting's minutes are over, and goes on in the next: what is trained stands in
--work, with the models. Each training that ended is a line in results/compare-en/runs.jsonl or results/compare-zh/
(committed with --commit); the report's files, without models, are copied to results/compare-en/<minutes>-minutes/ when
all seeds are done. results/compare.md shows the tables, the budget curve, and who overtakes whom.
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
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from recording import EVALUATION, RESULTS, ROOT, SHARED, commit_of_checkout, machine

THREADS: Final = 2
FAMILIES: Final = "skipgram,cbow,glove,elmo,gpt,bert"
OVERHEAD_MINUTES: Final = 1.5  # of a run beside its training, on two cores: preparing, matrices, measures
N_FAMILIES: Final = 6
NETWORKS: Final = 3
KEPT: Final = (
    "report.json",
    "report.html",
    "scores.csv",
    "runs.csv",
    "methods.txt",
    "references.bib",
    "tables.tex",
    "plan.json",
)


class Setting(NamedTuple):
    """One recorded comparison."""

    name: str
    language: str
    minutes: float
    seeds: int
    words: int | None  # of the corpus, from its beginning; None is all

    @property
    def hours(self) -> float:
        """About how long it takes on two cores."""
        networks = NETWORKS * 0.1 * self.minutes
        return self.seeds * (N_FAMILIES * (self.minutes + OVERHEAD_MINUTES) + networks) / 60


SETTINGS: Final = (
    Setting("en-3", "en", 3, 3, 20_000_000),
    Setting("zh-3", "zh", 3, 1, None),
    Setting("en-1", "en", 1, 1, 20_000_000),
    Setting("en-10", "en", 10, 3, 20_000_000),
)
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


def command_of(setting: Setting, work: Path) -> list[str]:
    """The comparison as a user would ask for it."""
    folder = work / setting.name
    asked = [
        sys.executable, "-m", "firth", "compare", str(corpus_of(setting, work)), "--families", FAMILIES,
        "--minutes", f"{setting.minutes:g}", "--seeds", str(setting.seeds), "--threads", str(THREADS),
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
    return [*asked, "--resume"] if (folder / "plan.json").is_file() else asked


def sit(setting: Setting, work: Path, minutes: float, *, commit: bool) -> bool:
    """Works on a comparison for so long at most; whether it is done."""
    folder = work / setting.name
    if (folder / "report.json").is_file() and is_whole(setting, folder):
        keep(setting, folder, commit=commit)
        return True
    print(f"{setting.name}: {minutes:.0f} minutes of about {60 * setting.hours:.0f}", file=sys.stderr, flush=True)
    deadline = time.monotonic() + 60 * minutes
    with subprocess.Popen(command_of(setting, work), cwd=ROOT, start_new_session=True) as child:
        try:
            while child.poll() is None and time.monotonic() < deadline:
                time.sleep(1)
                record(setting, folder, commit=commit)
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGINT)  # each process writes its checkpoint, and the next sitting goes on
        status = child.wait()
    record(setting, folder, commit=commit)
    if status == 0:
        keep(setting, folder, commit=commit)
    elif time.monotonic() < deadline:
        raise SystemExit(f"{setting.name} failed with status {status}")
    return status == 0


def is_whole(setting: Setting, folder: Path) -> bool:
    """Whether a report is of all seeds."""
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return len(report["seeds"]) == setting.seeds


def records_of(folder: Path) -> Iterator[dict[str, Any]]:
    """The pieces of work that ended."""
    path = folder / "records.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def record(setting: Setting, folder: Path, *, commit: bool) -> None:
    """Appends a line for each training that ended and is not recorded yet."""
    path = RESULTS / f"compare-{setting.language}" / "runs.jsonl"
    there = {
        (one["setting"], one["variant"], one["seed"])
        for one in map(json.loads, path.read_text(encoding="utf-8").splitlines() if path.is_file() else ())
    }
    for one in records_of(folder):
        key = (setting.name, one["variant"], one["seed"])
        if one["work"] != "train" or key in there or "ok" not in one:
            continue
        found = {name: value for name, value in one["ok"].items() if name != "losses"}
        line = {
            "setting": setting.name, "variant": one["variant"], "seed": one["seed"], "minutes": setting.minutes,
            "commit": commit_of_checkout(), "machine": machine(), **found,
        }  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        if commit:
            committed(f"results/compare-{setting.language}: a run", path)


def keep(setting: Setting, folder: Path, *, commit: bool) -> None:
    """Copies the report's files, without models, and writes the table anew."""
    place = RESULTS / f"compare-{setting.language}" / f"{setting.minutes:g}-minutes"
    place.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, place / name)
    (RESULTS / "compare.md").write_text(table(), encoding="utf-8")
    if commit:
        committed(f"results/compare-{setting.language}: {setting.minutes:g} minutes", place, RESULTS / "compare.md")


def committed(message: str, *paths: Path) -> None:
    """Commits these alone."""
    names = [str(path) for path in paths]
    subprocess.run(["git", "add", "-f", "--", *names], cwd=ROOT, check=True)
    if subprocess.run(["git", "diff", "--cached", "--quiet", "--", *names], cwd=ROOT, check=False).returncode:
        subprocess.run(["git", "commit", "--quiet", "-m", message, "--", *names], cwd=ROOT, check=True)


def reports() -> Iterator[tuple[str, float, dict[str, Any]]]:
    """The recorded reports: language, minutes, numbers."""
    for language in CORPORA:
        for path in sorted((RESULTS / f"compare-{language}").glob("*-minutes/report.json")):
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
    for language, minutes, report in sorted(reports(), key=lambda one: (one[0], one[1])):
        best = report["best_layers"]
        columns = list(dict.fromkeys((one["set"], one["method"]) for one in best))
        names = [" ".join(filter(None, column)) for column in columns]
        lines += [f"## {language}, {minutes:g} minutes, {len(report['seeds'])} seeds", ""]
        lines += [f"| family | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
        for variant in report["variants"]:
            cells = []
            for column in columns:
                found = [
                    one for one in best if one["variant"] == variant["name"] and (one["set"], one["method"]) == column
                ]
                score = found[0]["score"] if found else None
                cells.append("" if score is None else f"{score:.3f}")
                if score is not None and language == "en" and not variant["random"]:
                    name = " ".join(filter(None, column))
                    curve.setdefault(name, {}).setdefault(variant["name"], {})[minutes] = score
            lines.append(f"| {variant['name']} | {' | '.join(cells)} |")
        ties = sum(one["tie"] for one in report["differences"])
        lines += ["", f"{ties} of {len(report['differences'])} differences are ties. {report['machine']}.", ""]
        lines += [f"- {sentence}" for sentence in report["missing"]] + [""]
    for name, variants in curve.items():
        found = sorted({minutes for of_variant in variants.values() for minutes in of_variant})
        if len(found) < 2:
            continue
        lines += [f"## {name} against the budget, en", ""]
        lines += [
            f"| family | {' | '.join(f'{minutes:g} min' for minutes in found)} |",
            "|---" * (len(found) + 1) + "|",
        ]
        for variant, scores in variants.items():
            cells = [f"{scores[minutes]:.3f}" if minutes in scores else "" for minutes in found]
            lines.append(f"| {variant} | {' | '.join(cells)} |")
        lines += ["", *overtakes(variants, found), ""]
    return "\n".join(lines).rstrip() + "\n"


def overtakes(variants: dict[str, dict[float, float]], minutes: list[float]) -> list[str]:
    """Between which budgets one family passes another; single scores, so that small leads are no leads."""
    found = []
    for one, scores in variants.items():
        for other, others in variants.items():
            for before, after in pairwise(minutes):
                if not {before, after} <= scores.keys() & others.keys():
                    continue
                if scores[before] < others[before] and scores[after] > others[after]:
                    found.append(f"- {one} passes {other} between {before:g} and {after:g} minutes.")
    return found or ["- None passes another."]


def main() -> None:
    """Sits down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="where texts, models and unfinished comparisons are kept")
    parser.add_argument("--minutes-at-most", type=float, default=float("inf"), help="of this sitting")
    parser.add_argument("--only", choices=[setting.name for setting in SETTINGS])
    parser.add_argument("--commit", action="store_true", help="each run that is recorded, and each report")
    parser.add_argument("--plan", action="store_true", help="print what there is to do, and what it takes")
    parser.add_argument("--table", action="store_true", help="print the page of what stands there")
    asked = parser.parse_args()
    settings = [setting for setting in SETTINGS if asked.only in (None, setting.name)]
    if asked.plan:
        for setting in settings:
            print(
                f"{setting.name}: {setting.minutes:g} minutes, {setting.seeds} seeds: {60 * setting.hours:.0f} minutes"
            )
        return
    if asked.table:
        print(table(), end="")
        return
    if asked.work is None:
        parser.error("--work FOLDER is where models and texts go")
    work = asked.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * asked.minutes_at_most
    for setting in settings:
        left = (deadline - time.monotonic()) / 60
        if left <= 0 or not sit(setting, work, left, commit=asked.commit):
            return


if __name__ == "__main__":
    main()
