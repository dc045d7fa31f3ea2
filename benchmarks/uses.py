"""Seven tasks by vectors of every family after five minutes of pretraining, and by a table drawn at random.

    python benchmarks/uses.py --work work --minutes 30      # the most telling cells first; again goes on from there

Every family is pretrained for PRETRAINING minutes on two threads, on English Wikipedia (en-wiki) for tasks in English
and on zh-mixed for tasks in Chinese (FIRTH_SHARED has texts and tasks), GPT, BERT and ELMo in the size `tiny`, which is
what firth chooses for so long. Their vectors are then used for seven tasks:

    features   as they are: tables are frozen, and all layers of a network are mixed by weights that are learnt
    finetune   all weights are trained with the head
    scratch    nothing is pretrained: a table of the same words or pieces, and as wide, is drawn from a uniform
               distribution and trained with the task; as `features` of it, the table stays as it is drawn

At most N_TRAIN training examples (of chnsenticorp FEWER), the same for all; all of dev and test. Head and settings are
the same for all too: SETTINGS; tables and heads learn at RATE, the networks above tables at DEEP_RATE, with dropout .1;
the epoch that is best on dev is scored on test. GPT and BERT, trained with the task, read the first 128 pieces of
a text and GPT has no second loss; as features they read all of it, in windows.
SEEDED have SEEDS seeds, the others one. CBOW and GloVe have the words of Skip-gram, and the same table from scratch.

Each run stands in results/uses.jsonl; what stands there is not run again, and --minutes ends a sitting. results/uses.md
shows what there is, and as `owed` what is not. Models are kept in --work. All of it takes about 4 hours on 2 cores, of
which pretraining is 85 minutes, and the fine-tuning of ELMo, GPT and BERT 75: 20 to 90 s a run, of ELMo three times as
long. The others take 10 to 25 s.
"""

import argparse
import json
import lzma
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import labelled
import recording
import torch
from recording import SHARED, Record, found, machine, recorded, run_measured

import firth
from firth.bodies import Words, from_scratch
from firth.tasks import are_seen

THREADS: Final = 2
TRIAL_BYTES: Final = 1_000_000
PRETRAINING: Final = 5.0
N_TRAIN: Final = 2000
FEWER: Final = {"chnsenticorp": 1000}  # its texts are five times as long as those of SST-2
SEEDS: Final = 3
SEEDED: Final = ("sst2", "ud-ewt", "chnsenticorp")
CORPORA: Final = {"en": "en-wiki.txt.xz", "zh": "zh-mixed.txt.xz"}
SUBWORDS: Final = {"en": "3-6", "zh": "1-3"}
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
}
RATE: Final = 1e-3
DEEP_RATE: Final = 3e-4
DEEP: Final = ("elmo", "gpt", "bert")
FAMILIES: Final = ("skipgram", "bert", "gpt", "elmo", "cbow", "glove", "subwords")
NAMES: Final = {
    "skipgram": "Skip-gram",
    "cbow": "CBOW",
    "glove": "GloVe",
    "subwords": "Skip-gram with sub-words",
    "elmo": "ELMo",
    "gpt": "GPT",
    "bert": "BERT",
}
OF_SCRATCH: Final = {
    "skipgram": "the words of Skip-gram",
    "elmo": "the words of ELMo",
    "gpt": "the pieces of GPT",
    "bert": "the pieces of BERT",
}
MINUTES_OF: Final = {"pretraining": PRETRAINING + 2, "cell": 1.0}
"""That a run is expected to take at most: a sitting ends before one that would not fit."""


class Cell(NamedTuple):
    """A run: `features` or `scratch` of "random FAMILY" are of the table drawn at random."""

    task: str
    family: str
    use: str
    seed: int


def cells() -> list[Cell]:
    """All of them, the most telling first: a seed of all before the next."""
    kinds = [("skipgram", "scratch"), ("skipgram", "features"), ("skipgram", "finetune")]
    for family in FAMILIES[1:]:
        kinds += [(family, "features"), (family, "finetune")]
        kinds += [(family, "scratch")] if family in OF_SCRATCH else []
    kinds.append(("skipgram", "random features"))
    found = []
    for seed in range(1, SEEDS + 1):
        tasks = [task for task in labelled.LABELLED if seed == 1 or task in SEEDED]
        for family, use in kinds:
            found += [Cell(task, family, use, seed) for task in tasks]
    return found


def family_of(name: str, language: str) -> Any:
    if name == "subwords":
        return replace(firth.Skipgram(), subwords=SUBWORDS[language])
    if name in DEEP:
        deep: dict[str, Any] = {"elmo": firth.ELMo, "gpt": firth.GPT, "bert": firth.BERT}
        return deep[name].tiny()
    return {"skipgram": firth.Skipgram, "cbow": firth.CBOW, "glove": firth.GloVe}[name]()


# --- runs, each in a process of its own


def child(asked: Record) -> Record:
    """What a process does."""
    torch.set_num_threads(THREADS)
    return pretrained(asked) if asked["part"] == "pretraining" else used(asked)


def pretrained(asked: Record) -> Record:
    """A family, trained for some minutes, written to a directory."""
    corpus = SHARED / "data" / "corpora" / CORPORA[asked["language"]]
    if asked["trial"]:
        corpus = begin_of(corpus, Path(asked["model"]).parent)
    began = time.monotonic()
    model = firth.train(
        family_of(asked["family"], asked["language"]), corpus, minutes=asked["minutes"], threads=THREADS, seed=1,
        output=asked["model"], overwrite=True, cache_dir=asked["cache"], matrices=False,
        device="cpu" if asked["family"] in DEEP else None,
    )  # fmt: skip
    spent = model.record["spent"]
    return {"spent": spent, "loss_nats": model.record.get("loss_nats"), "seconds": round(time.monotonic() - began, 1)}


def begin_of(corpus: Path, folder: Path) -> Path:
    """Its first TRIAL_BYTES, as a file of text."""
    place = folder / corpus.stem
    with lzma.open(corpus) as file:
        place.write_text(file.read(TRIAL_BYTES).decode(errors="ignore"), encoding="utf-8")
    return place


def used(asked: Record) -> Record:
    """A task by one way to use a model."""
    name, family, use = asked["task"], asked["family"], asked["use"]
    whole, dev, test = labelled.read(name, None, asked["n_scored"])
    train = labelled.some(whole, asked["n_train"])
    model: Any = firth.load(asked["model"])
    settings = dict(asked["settings"])
    settings |= {"learning_rate": RATE}
    if family not in DEEP:
        model = model.vectors
    if family not in ("gpt", "bert"):
        del settings["context_length"]  # they read texts whole
    if family in DEEP and use == "finetune":
        settings |= {"learning_rate": DEEP_RATE, "head_rate": RATE / DEEP_RATE}
        settings |= {"language_model": 0.0} if family == "gpt" else {}
    if use == "random features":
        body = from_scratch(model, [], model.segmentation, asked["seed"])
        assert isinstance(body, Words)
        model, use = body.vectors, "features"
    if family not in DEEP or use == "scratch":
        settings["layers"] = "last"  # there is one
        settings.pop("context_length", None)
    began = time.monotonic()
    made = firth.finetune(
        model, train, dev=dev, test=test, task=train.task, use=use, seed=asked["seed"], device="cpu", threads=THREADS,
        **settings,
    )  # fmt: skip
    run = made.runs[0]
    assert run.dev is not None
    assert run.test is not None
    told = {
        "main": run.test.main,
        "dev": run.dev.value,
        "test": run.test.value,
        "values": dict(run.test.values),
        "epochs": run.epochs,
        "best_epoch": run.best_epoch,
        "train_seconds": round(run.seconds, 1),
        "seconds": round(time.monotonic() - began, 1),
    }
    seen = are_seen(whole, test)
    if sum(seen) > len(seen) / 10:
        new = tuple(example for example, is_seen in zip(test, seen, strict=True) if not is_seen)
        told |= {"test_new": made.evaluate(replace(test, examples=new), device="cpu", threads=THREADS).value}
        told |= {"seen": sum(seen) / len(seen)}
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
        settings = {"part": "use", "task": cell.task, "family": cell.family, "use": cell.use, "threads": THREADS}
        pretraining = None if cell.use in ("scratch", "random features") else PRETRAINING
        return settings | {
            "n_train": FEWER.get(cell.task, N_TRAIN),
            "pretraining_minutes": pretraining,
            "settings": SETTINGS,
        }

    def record(self, cell: Cell) -> Record | None:
        return found("uses", self.settings_of(cell), cell.seed)

    def has_time(self, kind: str) -> bool:
        return bool(time.monotonic() + 60 * MINUTES_OF[kind] <= self.ends)

    def run(self, cell: Cell) -> bool:
        """Whether there was time for the cell."""
        language = labelled.LABELLED[cell.task].language
        settings = {"part": "pretraining", "family": cell.family, "language": language, "minutes": PRETRAINING}
        place = self.work / ("trial" if self.trial else "models") / f"{language}-{cell.family}"
        if not (place / "firth.json").is_file():
            if not self.has_time("pretraining"):
                return False
            asked = settings | {"model": str(place), "cache": str(self.work / "cache"), "trial": self.trial}
            asked |= {"minutes": 0.1} if self.trial else {}
            settings |= {"threads": THREADS}
            if found("uses", settings, 1) is None:
                recorded("uses", settings, 1, lambda: process(asked), commit=self.commit)
            else:  # in another folder, which is gone
                process(asked)
        if not self.has_time("cell"):
            return False
        asked = self.settings_of(cell) | {"seed": cell.seed, "model": str(place), "n_scored": self.trial}
        asked |= {"n_train": self.trial} if self.trial else {}
        recorded("uses", self.settings_of(cell), cell.seed, lambda: process(asked), commit=self.commit)
        return True


def process(asked: Record) -> Record:
    done = run_measured([sys.executable, __file__, "--child", json.dumps(asked)])
    record: Record = json.loads(done.output.strip().splitlines()[-1])
    return record | {"wall_seconds": done.wall_seconds, "peak_anonymous_mib": done.peak_anonymous_mib}


def shown(records: list[Record], due: int, key: str = "test") -> str:
    """The mean in hundredths and the deviation over seeds."""
    values = [100 * record[key] for record in records if key in record]
    if not values:
        return "owed"
    text = f"{statistics.fmean(values):.1f}"
    text += f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return text + (f" ({due - len(values)} owed)" if len(values) < due else "")


def tables(runs: dict[Cell, Record]) -> Iterator[str]:
    """One of vectors as they are, one of those trained with the task."""

    def records(task: str, family: str, use: str) -> list[Record]:
        of = [Cell(task, family, use, seed) for seed in range(1, SEEDS + 1)]
        return [runs[cell] for cell in of if cell in runs]

    parts = (
        ("Vectors as they are, under the head", "features", {"skipgram": "random features"}),
        ("All weights trained with the task", "finetune", dict.fromkeys(OF_SCRATCH, "scratch")),
    )
    columns = [*labelled.LABELLED, "chnsenticorp, new texts"]
    for title, use, at_random in parts:
        yield from (f"## {title}", "", "| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|")
        rows = [(f"random: {OF_SCRATCH[family]}", family, how) for family, how in at_random.items()]
        rows += [(NAMES[family], family, use) for family in NAMES]
        for name, family, how in rows:
            row = [shown(records(task, family, how), SEEDS if task in SEEDED else 1) for task in labelled.LABELLED]
            row.append(shown(records("chnsenticorp", family, how), SEEDS, "test_new"))
            yield f"| {name} | {' | '.join(row)} |"
        yield ""
    yield from ("## Pretrained beside from scratch", "")
    for task in labelled.LABELLED:
        yield f"- {task}: {beside_scratch(task, records)}"
    yield ""


def beside_scratch(task: str, records: Any) -> str:
    """In a sentence, which ways to use what is pretrained beat the table drawn at random, and which do not."""

    def mean(family: str, use: str) -> float | None:
        values = [record["test"] for record in records(task, family, use)]
        return statistics.fmean(values) if values else None

    better: list[str] = []
    worse: list[str] = []
    n_owed = 0
    for family in NAMES:
        base = mean(family if family in OF_SCRATCH else "skipgram", "scratch")
        for use in ("features", "finetune"):
            score = mean(family, use)
            if base is None or score is None:
                n_owed += 1
                continue
            (better if score > base else worse).append(f"{NAMES[family]} ({use}, {100 * (score - base):+.1f})")
    if not better and not worse:
        return "owed."
    told = f"better than from scratch: {', '.join(better) or 'none'}. **Not better: {', '.join(worse) or 'none'}.**"
    return told + (f" {n_owed} comparisons owed." if n_owed else "")


def write(sitting: Sitting) -> None:
    runs = {cell: record for cell in cells() if (record := sitting.record(cell)) is not None}
    n_owed = len(cells()) - len(runs)
    seconds = [record["wall_seconds"] for record in runs.values()]
    cost = (
        f"a run took {statistics.median(seconds):.0f} s (median), {sum(seconds) / 60:.0f} minutes together"
        if seconds
        else ""
    )
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    seen = next((record["seen"] for record in runs.values() if "seen" in record), None)
    told = (
        ""
        if seen is None
        else (
            f" Of chnsenticorp's test texts {seen:.0%} stand verbatim in its train file "
            f"(of which {FEWER['chnsenticorp']:,} texts are trained on); `new texts` are the others."
        )
    )
    commits = ", ".join(sorted({str(record["commit"]) for record in runs.values()}))
    text = (
        "# Seven tasks by every family, pretrained for five minutes\n\n`python benchmarks/uses.py --work WORK`: test "
        f"scores in hundredths (accuracy; of wnut17 and resume-ner the F1 of entities), at most {N_TRAIN:,} training "
        f"examples (chnsenticorp {FEWER['chnsenticorp']:,}); mean ± standard deviation over {SEEDS} "
        f"seeds for {', '.join(SEEDED)}, one seed for the others. "
        f"Pretrained for {PRETRAINING:g} minutes on {THREADS} threads, on en-wiki or zh-mixed; GPT, BERT and ELMo in "
        f"the size tiny. For all: {settings}; rates {RATE:g}, of networks that are fine-tuned {DEEP_RATE:g}.{told} "
        f"{n_owed} of {len(cells())} runs are owed; {cost}.\n\n"
        + "\n".join(tables(runs))
        + f"\nMachine: {machine()}. Commits: {commits}. Every run: `uses.jsonl`.\n"
    )
    (recording.RESULTS / "uses.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="where models are kept")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this sitting")
    parser.add_argument("--commit", action="store_true", help="commit results/uses.jsonl after each run")
    parser.add_argument("--try", type=int, dest="trial", metavar="N", help="so many examples, recorded in --work")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    if arguments.work is None:
        raise SystemExit("--work is missing: where models are kept; see --help")
    arguments.work.mkdir(parents=True, exist_ok=True)
    sitting = Sitting(arguments)
    for cell in cells():
        if sitting.record(cell) is not None:
            continue
        if not sitting.run(cell):
            break
        write(sitting)
    write(sitting)
    print((recording.RESULTS / "uses.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
