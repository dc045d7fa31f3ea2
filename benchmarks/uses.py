"""Seven tasks by vectors of every family after five minutes of pretraining, and by a table drawn at random.

    python benchmarks/uses.py --work work --minutes 30      # again goes on from there

Every family is pretrained for PRETRAINING minutes on two threads, on English Wikipedia (en-wiki) for tasks in English
and on zh-mixed for tasks in Chinese (FIRTH_SHARED has texts and tasks), GPT, BERT and ELMo in the size `tiny`, which is
what firth chooses for so long. Their vectors are then used for seven tasks:

    features   as they are: tables are frozen, and all layers of a network are mixed by weights that are learnt
    finetune   all weights are trained with the head
    scratch    nothing is pretrained: a table of the same words or pieces, and as wide, is drawn from a uniform
               distribution with the deviation of the pretrained one, and trained with the task; as `features` of it,
               the table stays as it is drawn

At most 2,000 training examples (of chnsenticorp 1,000), the same for all; all of dev and test. Head and settings are
the same for all too: SETTINGS; tables and heads learn at RATE, the networks above tables at DEEP_RATE, with dropout .1;
the epoch that is best on dev is scored on test. GPT and BERT read 128 pieces at once: trained with the task, they read
no more of a text, and GPT has no second loss; as features they read all of it, in windows.
SEEDED have SEEDS seeds, the others one. CBOW and GloVe have the words of Skip-gram, and the same table from scratch.
Heads and what is fine-tuned compute in fp32 on every processor, since sittings may be on several.

A model is pretrained, and then used for all that there is to do with it, before the next one is: its folder in --work
may be gone at the next sitting, or be of other settings. What is left then takes a model that is pretrained anew, which
is recorded with its number and told on the page. A task by one way to use a model, with all its seeds, stands as one
line in results/uses.jsonl; what stands there is not run again. --minutes ends a sitting: what does not fit in is left
out, and a model is not begun when there is no time for its pretraining and some of its cells. results/uses.md shows
what there is, and as `owed` what is not.

All of it takes about 2 hours on 2 cores, reckoned from a trial with 50 examples and not measured in full: pretraining
65 minutes, the rest for the cells, AT_ONCE of them on a thread each.
"""

import argparse
import base64
import json
import lzma
import statistics
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import partial
from itertools import count, groupby, takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import labelled
import numpy as np
import recording
import torch
from recording import SHARED, Record, commits_of, committed, found, recorded, run_measured

import firth
from firth.bodies import Blocks, Words, from_scratch
from firth.explanations import FAMILY_TITLES
from firth.jobs import items_of
from firth.significance import LEVEL, differences, holm
from firth.tasks import Examples, are_seen

THREADS: Final = 2  # of pretraining
AT_ONCE: Final = 2  # cells, each on a thread of its own: small networks leave a second thread idle half of the time
TRIAL_BYTES: Final = 1_000_000
PRETRAINING: Final = 5.0
TRIAL_MINUTES: Final = 0.1
N_TRAIN: Final = dict.fromkeys(labelled.LABELLED, 2000) | {"chnsenticorp": 1000}  # whose texts are five times as long
SEEDS: Final = 3
SEEDED: Final = ("sst2", "ud-ewt", "chnsenticorp")
CORPORA: Final = {"en": "en-wiki.txt.xz", "zh": "zh-mixed.txt.xz"}
SETTINGS: Final = {
    "head": "cnn",
    "head_dim": 100,
    "layers": "mix",
    "epochs": 8,
    "patience": 3,
    "batch_size": 32,
    "head_dropout": 0.5,
    "weight_decay": 0.01,
    "warmup": 0.1,
    "context_length": 128,
    "precision": "fp32",
}
RATE: Final = 1e-3
DEEP_RATE: Final = 3e-4
DEEP: Final = ("elmo", "gpt", "bert")
FAMILIES: Final = ("skipgram", "bert", "gpt", "elmo", "cbow", "glove")
OF_SCRATCH: Final = {
    "skipgram": "the words of Skip-gram",
    "elmo": "the words of ELMo",
    "gpt": "the pieces of GPT",
    "bert": "the pieces of BERT",
}
MINUTES_OF: Final = {"pretraining": 5.5, "after pretraining": 2.0, "table": 0.25, "gpt": 0.9, "bert": 0.9, "elmo": 2.5}
"""That they are expected to take at most, of cells for each seed: a sitting ends before one that would not fit.

A model is not pretrained when there is no time for some cells of it."""


class Cell(NamedTuple):
    """A task by one way to use a model, with all its seeds; `random features` are of the table drawn at random."""

    task: str
    family: str
    use: str

    @property
    def language(self) -> str:
        return labelled.LABELLED[self.task].language

    @property
    def n_seeds(self) -> int:
        return SEEDS if self.task in SEEDED else 1

    @property
    def minutes(self) -> float:
        """That it is expected to take at most."""
        kind = "network" if self.family in DEEP and self.use == "finetune" else "table"
        return MINUTES_OF[self.family if kind == "network" else kind] * self.n_seeds


def cells() -> list[Cell]:
    """All of them, those of a model together: what a sitting has pretrained is used before the next is."""
    found = []
    for language in CORPORA:
        tasks = [name for name, given in labelled.LABELLED.items() if given.language == language]
        for family in FAMILIES:
            uses = ["features", "finetune", *(["scratch"] if family in OF_SCRATCH else [])]
            uses += ["random features"] if family == "skipgram" else []
            found += [Cell(task, family, use) for use in uses for task in tasks]
    return found


def family_of(name: str) -> Any:
    if name in DEEP:
        deep: dict[str, Any] = {"elmo": firth.ELMo, "gpt": firth.GPT, "bert": firth.BERT}
        return deep[name].tiny()
    return {"skipgram": firth.Skipgram, "cbow": firth.CBOW, "glove": firth.GloVe}[name]()


def settings_of(family: str, use: str) -> Record:
    """Of head and training, as this way to use the family takes them."""
    settings = SETTINGS | {"learning_rate": RATE}
    if family in DEEP and use == "finetune":
        settings |= {"learning_rate": DEEP_RATE, "head_rate": RATE / DEEP_RATE}
        settings |= {"language_model": 0.0} if family == "gpt" else {}
    if family not in DEEP or use == "scratch":
        settings["layers"] = "last"  # there is one
    if family not in ("gpt", "bert") or use == "scratch":
        del settings["context_length"]  # they read texts whole
    return settings


# --- runs, each in a process of its own


def child(asked: Record) -> Record:
    """What a process does."""
    torch.set_num_threads(asked["threads"])
    return pretrained(asked) if asked["part"] == "pretraining" else used(asked)


def pretrained(asked: Record) -> Record:
    """A family, trained for some minutes, written to a directory."""
    corpus = SHARED / "data" / "corpora" / CORPORA[asked["language"]]
    if asked["trial"]:
        corpus = begin_of(corpus, Path(asked["model"]).parent)
    began = time.monotonic()
    model = firth.train(
        family_of(asked["family"]), corpus, minutes=asked["minutes"], threads=asked["threads"], seed=1,
        output=asked["model"], overwrite=True, cache_dir=asked["cache"], matrices=False,
        device="cpu" if asked["family"] in DEEP else None,
    )  # fmt: skip
    spent = model.record["spent"]
    return {"spent": spent, "loss_nats": model.record.get("loss_nats"), "seconds": round(time.monotonic() - began, 1)}


def begin_of(corpus: Path, folder: Path) -> Path:
    """Its first TRIAL_BYTES, as a file of text."""
    folder.mkdir(exist_ok=True)
    place = folder / corpus.stem
    with lzma.open(corpus) as file:
        place.write_text(file.read(TRIAL_BYTES).decode(errors="ignore"), encoding="utf-8")
    return place


def used(asked: Record) -> Record:
    """A task by one way to use a model, seed by seed."""
    whole, dev, test = labelled.read(asked["task"], None, asked["n_scored"])
    train = labelled.some(whole, asked["n_train"])
    seen = are_seen(whole, test)
    model: Any = firth.load(asked["model"])
    if asked["family"] not in DEEP:
        model = model.vectors
    runs = [run_of(model, asked, seed, (train, dev, test), seen) for seed in range(1, asked["seeds"] + 1)]
    return {"runs": runs, "seen": sum(seen) / len(seen)}


def run_of(model: Any, asked: Record, seed: int, sets: tuple[Examples, ...], seen: list[bool]) -> Record:
    """One seed of it."""
    train, dev, test = sets
    use = asked["use"]
    if use == "random features":
        body = from_scratch(model, [], model.segmentation, seed)
        assert isinstance(body, Words)
        model, use = body.vectors, "features"
    made = firth.finetune(
        model,
        train,
        dev=dev,
        task=train.task,
        use=use,
        seed=seed,
        device="cpu",
        threads=asked["threads"],
        **asked["settings"],
    )
    run = made.runs[0]
    assert run.dev is not None
    found = made.predict((example.inputs for example in test), device="cpu", threads=asked["threads"])
    scores = made.scores(test, found)
    told = {"main": scores.main, "dev": run.dev.value, "test": scores.value, "values": dict(scores.values)}
    told |= {"epochs": run.epochs, "best_epoch": run.best_epoch, "train_seconds": round(run.seconds, 1)}
    body = made.network.body
    if isinstance(body, Blocks) and train.task != "tag":
        told["cut"] = body.encode([example.inputs for example in test], tags=False).n_long / len(test)
    scored, answers = test, list(found)
    if sum(seen) > len(seen) / 10:
        new = [place for place, is_seen in enumerate(seen) if not is_seen]
        scored, answers = replace(test, examples=tuple(test[place] for place in new)), [found[place] for place in new]
        told["test_new"] = made.scores(scored, answers).value
    gold = [example.target for example in scored]
    told["items"] = packed(scores.main, train.task, gold, [answer.label for answer in answers])
    return told


# --- what is run, and what is shown


class Sitting:
    """Runs until its minutes are over."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.work, self.commit, self.trial = arguments.work.absolute(), arguments.commit, arguments.trial
        self.ends = time.monotonic() + 60 * arguments.minutes
        if self.trial:
            recording.RESULTS = self.work  # the others are not for trials

    def settings_of(self, cell: Cell) -> Record:
        is_pretrained = cell.use in ("features", "finetune")
        return {
            "part": "use",
            "task": cell.task,
            "family": cell.family,
            "use": cell.use,
            "threads": 1,
            "seeds": cell.n_seeds,
            "n_train": N_TRAIN[cell.task],
            "pretraining_minutes": PRETRAINING if is_pretrained else None,
            "family_settings": asdict(family_of(cell.family)),
            "settings": settings_of(cell.family, cell.use),
        }

    def record(self, cell: Cell) -> Record | None:
        return found("uses", self.key_of(cell), 1)

    def key_of(self, cell: Cell) -> Record:
        """The settings it is recorded with: as number 2 where the first was stopped before its score had moved.

        So it went, until patience waited for that, where dev is scored by entities and the first are found late."""
        settings = self.settings_of(cell)
        first = found("uses", settings, 1)
        is_unmoved = first is not None and any(
            run["dev"] == 0 and run["epochs"] < SETTINGS["epochs"] for run in first["runs"]
        )
        return settings | {"number": 2} if is_unmoved else settings

    def pretraining_of(self, language: str, family: str) -> Record:
        """The settings of it, as JSON has them."""
        settings = {"part": "pretraining", "family": family, "language": language, "minutes": PRETRAINING}
        settings |= {"threads": THREADS, "family_settings": asdict(family_of(family))}
        read: Record = json.loads(json.dumps(settings))
        return read

    def pretrainings(self, language: str, family: str) -> list[Record]:
        """One, or more where a later sitting had to begin anew."""
        settings = self.pretraining_of(language, family)
        each = (found("uses", settings | {"number": number}, 1) for number in count(1))
        return [record for record in takewhile(lambda record: record is not None, each) if record is not None]

    def has_time(self, minutes: float) -> bool:
        return bool(time.monotonic() + 60 * minutes <= self.ends)

    def run(self, of_model: Sequence[Cell]) -> None:
        """Those cells of a model that there is time for, AT_ONCE of them at a time."""
        language, family = of_model[0].language, of_model[0].family
        place = self.work / ("trial" if self.trial else "models") / f"{language}-{family}"
        told = place.with_suffix(".json")  # which pretraining it is of, written when that is recorded
        pretraining = self.pretraining_of(language, family)
        of_place: Record = json.loads(told.read_bytes()) if told.is_file() and place.is_dir() else {}
        if of_place.get("settings") != pretraining:
            if not self.has_time(MINUTES_OF["pretraining"] + max(MINUTES_OF["after pretraining"], of_model[0].minutes)):
                return
            told.unlink(missing_ok=True)
            self.pretrain(language, family, place)
            of_place = {"settings": pretraining, "number": len(self.pretrainings(language, family))}
            told.write_text(json.dumps(of_place), encoding="utf-8")
        chosen: list[Cell] = []
        for cell in of_model:
            if self.has_time(max(cell.minutes, sum(one.minutes for one in (*chosen, cell)) / AT_ONCE)):
                chosen.append(cell)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = {pool.submit(process, self.asked(cell, place)): cell for cell in chosen}
            failed: list[SystemExit] = []
            try:
                for done in as_completed(futures):
                    try:
                        record = {**done.result(), "pretraining": of_place["number"]}
                    except SystemExit as error:  # of one; the others are worth their record
                        failed.append(error)
                        continue
                    recorded("uses", self.key_of(futures[done]), 1, partial(dict, record), commit=self.commit)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        if failed:
            raise failed[0]

    def asked(self, cell: Cell, place: Path) -> Record:
        """What its process is asked."""
        asked = self.settings_of(cell) | {"model": str(place), "n_scored": self.trial}
        return asked | ({"n_train": self.trial} if self.trial else {})

    def pretrain(self, language: str, family: str, place: Path) -> None:
        """Trains a model and records that, anew where an earlier sitting's is gone."""
        settings = self.pretraining_of(language, family)
        asked = settings | {"model": str(place), "cache": str(self.work / "cache"), "trial": self.trial}
        asked |= {"minutes": TRIAL_MINUTES} if self.trial else {}
        settings |= {"number": len(self.pretrainings(language, family)) + 1}
        recorded("uses", settings, 1, lambda: process(asked), commit=self.commit)


def process(asked: Record) -> Record:
    done = run_measured([sys.executable, __file__, "--child", json.dumps(asked)])
    record: Record = json.loads(done.output.strip().splitlines()[-1])
    return record | {"wall_seconds": done.wall_seconds, "peak_anonymous_mib": done.peak_anonymous_mib}


def shown(record: Record | None, key: str = "test") -> str:
    """The mean in hundredths and the deviation over seeds."""
    if record is None:
        return "owed"
    values = [100 * run[key] for run in record["runs"] if key in run]
    text = f"{statistics.fmean(values):.1f}" if values else ""
    return text + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def tables(runs: dict[Cell, Record]) -> Iterator[str]:
    """One of vectors as they are, one of those trained with the task."""
    parts = (
        ("Vectors as they are, under the head", "features", {"skipgram": "random features"}),
        ("All weights trained with the task", "finetune", dict.fromkeys(OF_SCRATCH, "scratch")),
    )
    columns = [*labelled.LABELLED, "chnsenticorp, new texts"]
    for title, use, at_random in parts:
        yield from (f"## {title}", "", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|")
        rows = [(f"random: {OF_SCRATCH[family]}", family, how) for family, how in at_random.items()]
        rows += [(FAMILY_TITLES[family], family, use) for family in FAMILY_TITLES]
        for name, family, how in rows:
            row = [shown(runs.get(Cell(task, family, how))) for task in labelled.LABELLED]
            row.append(shown(runs.get(Cell("chnsenticorp", family, how)), "test_new"))
            yield f"| {name} | {' | '.join(row)} |"
        yield ""
    yield from ("## Pretrained beside from scratch", "")
    yield (
        "Differences of the means over seeds. Better and worse are those that a paired bootstrap over test examples "
        f"and seeds finds with p < {LEVEL:g} after Holm's correction for all that stand here; the others are ties. "
        "Seeds are of head and training alone: there is one pretraining per model; of tasks with one seed, p "
        "is of other examples alone, not of other trainings. Of chnsenticorp, by new texts."
    )
    yield ""
    yield from sentences_beside_scratch(runs)
    yield ""


def beside_scratch(task: str, runs: dict[Cell, Record]) -> Iterator[tuple[str, float, float]]:
    """Each way to use what is pretrained: its name, by how much it is better than the table drawn at random, and p."""
    for family in FAMILY_TITLES:
        base = runs.get(Cell(task, family if family in OF_SCRATCH else "skipgram", "scratch"))
        for use in ("features", "finetune"):
            record = runs.get(Cell(task, family, use))
            if base is None or record is None:
                continue
            items = {"pretrained": unpacked(record), "scratch": unpacked(base)}
            (found,) = differences("f1", items).values()
            yield f"{FAMILY_TITLES[family]} ({use})", found.difference, found.p


def sentences_beside_scratch(runs: dict[Cell, Record]) -> Iterator[str]:
    """A line for each task, after all p of all tasks are corrected together."""
    by_task = {task: list(beside_scratch(task, runs)) for task in labelled.LABELLED}
    corrected = iter(holm([p for some in by_task.values() for _, _, p in some]))
    for task, some in by_task.items():
        told: dict[str, list[str]] = {}
        for name, difference, _ in some:
            is_tie = not next(corrected) < LEVEL
            kind = "a tie" if is_tie else "better than from scratch" if difference > 0 else "worse"
            told.setdefault(kind, []).append(f"{name} {100 * difference:+.1f}")
        parts = [
            f"{kind}: {', '.join(told[kind])}"
            for kind in ("better than from scratch", "a tie", "worse")
            if kind in told
        ]
        n_owed = 2 * len(FAMILY_TITLES) - len(some)
        parts += [f"{n_owed} comparisons owed"] if n_owed else []
        yield f"- {task}: {'; '.join(parts)}."


def packed(main: str, task: str, gold: Sequence[Any], answers: Sequence[Any]) -> str:
    """Of each example how much is right, is due and came, as the F1 that is its score counts them, for JSON."""
    items = np.array(items_of(main, task, gold, answers), "<i2").reshape(len(gold), -1)
    sizes = items[:, 1:] if items.shape[1] > 1 else np.ones_like(items)
    together = np.hstack([items[:, :1], sizes[:, :1], sizes[:, -1:]])
    return base64.b64encode(zlib.compress(together.tobytes(), 9)).decode()


def unpacked(record: Record) -> list[np.ndarray[Any, Any]]:
    """The items of each seed's run (N, 3)."""
    texts = (zlib.decompress(base64.b64decode(run["items"])) for run in record["runs"])
    return [np.frombuffer(text, "<i2").reshape(-1, 3).astype(np.float64) for text in texts]


def write(sitting: Sitting) -> None:
    runs = {cell: record for cell in cells() if (record := sitting.record(cell)) is not None}
    n_owed = len(cells()) - len(runs)
    seconds = sum(record["wall_seconds"] for record in runs.values())
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    seen = next((record["seen"] for cell, record in runs.items() if cell.task == "chnsenticorp"), None)
    told = "" if seen is None else (
        f" Of chnsenticorp's test texts {seen:.0%} stand verbatim in its train file "
        f"(of which {N_TRAIN['chnsenticorp']:,} texts are trained on); `new texts` are the others."
    )  # fmt: skip
    pretrained = {(cell.language, cell.family): sitting.pretrainings(cell.language, cell.family) for cell in cells()}
    anew = [f"{FAMILY_TITLES[family]} ({language})" for (language, family), some in pretrained.items() if len(some) > 1]
    cut = [record["runs"][0].get("cut") for cell, record in runs.items() if cell.task == "chnsenticorp"]
    shares = [share for share in cut if share is not None]
    told += (
        f" For GPT and BERT fine-tuned, {min(shares):.0%} of these texts, or more, are too long and cut."
        if shares
        else ""
    )
    told += f" Pretrained anew, for cells of a later sitting: {', '.join(anew)}." if anew else ""
    pretraining = sum(record["wall_seconds"] for some in pretrained.values() for record in some)
    records = [*runs.values(), *(record for some in pretrained.values() for record in some)]
    machines = "; ".join(sorted({str(record["machine"]) for record in records})) or "none"
    text = (
        "# Seven tasks by every family, pretrained for five minutes\n\n`python benchmarks/uses.py --work WORK`: test "
        "scores in hundredths (accuracy; of wnut17 and resume-ner the F1 of entities); training examples at most "
        f"{', '.join(f'{n:,} ({task})' for task, n in N_TRAIN.items())}; mean ± standard deviation over {SEEDS} "
        f"seeds for {', '.join(SEEDED)}, one seed for the others. "
        f"Pretrained for {PRETRAINING:g} minutes on {THREADS} threads, on en-wiki or zh-mixed; GPT, BERT and ELMo in "
        f"the size tiny. For all: {settings}; rates {RATE:g}, of networks that are fine-tuned {DEEP_RATE:g}. "
        "The context length is of GPT and BERT fine-tuned: the others read texts whole. A table drawn at random has "
        "the deviation of the pretrained one; in one of pieces, a word that is tagged has the vector of its first "
        f"piece, without its context.{told} "
        f"{n_owed} of {len(cells())} cells are owed; those there are took {seconds / 60:.0f} minutes of processes, of "
        f"which {AT_ONCE} ran at once, and pretraining {pretraining / 60:.0f}.\n\n"
        + "\n".join(tables(runs))
        + f"\nMachines: {machines}. Commits: {commits_of(records)}. Every run: `uses.jsonl`.\n"
    )
    (recording.RESULTS / "uses.md").write_text(text, encoding="utf-8")
    if sitting.commit:
        committed("results/uses: the table", recording.RESULTS / "uses.md")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="where models are kept")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this sitting")
    parser.add_argument("--commit", action="store_true", help="commit each run, and the table")
    parser.add_argument("--try", type=int, dest="trial", metavar="N", help="so many examples, recorded in --work")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    if arguments.work is None:
        parser.error("--work is missing: where models are kept; see --help")
    if arguments.trial and arguments.commit:
        parser.error("--try records in --work: there is nothing to --commit")
    arguments.work.mkdir(parents=True, exist_ok=True)
    sitting = Sitting(arguments)
    for _, of_model in groupby(cells(), key=lambda cell: (cell.language, cell.family)):
        owed = [cell for cell in of_model if sitting.record(cell) is None]
        if owed:
            sitting.run(owed)
            write(sitting)
    write(sitting)
    print((recording.RESULTS / "uses.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
