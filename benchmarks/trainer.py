"""BERT and GPT: firth beside the Trainer of Hugging Face's transformers, on a processor.

    xz -dc ../shared/data/corpora/en-wiki.txt.xz | head -c 24000000 > en-wiki-24.txt
    python benchmarks/trainer.py --corpus en-wiki-24.txt --work work --seeds 1

The same architecture (mini: 4 layers of 256), initial weights, tokenizer (16,384 entries) and text; 32 rows of 128; two
threads. Every run is a process of its own, the programs take turns, and each is recorded in results/trainer.jsonl;
what stands there is not run again. The tables go to results/trainer.md.

    speed        tokens a second over SPEED_SECONDS, without evaluation and saving, of real tokens: no padding
        bert fast    against BertForMaskedLM on rows as `run_mlm.py` makes them: [CLS] document [SEP], one behind the
                     other, cut every 128; 15% masked by its collator
        bert paper   both tasks and dropout, against BertForPreTraining on firth's own batches of pairs
        gpt fast     against OpenAIGPTLMHeadModel on firth's own batches
    losses       the loss on the held-out text after the same minutes of training, seed after seed: firth by its
                 default recipe; the Trainer at the best of three learning rates, found in runs of SEARCH_MINUTES with
                 the first seed, and over all the minutes at lower ones too as long as they win, with a warm-up of 6%
                 and a linear schedule over the steps that fit by its speed above, or over the seconds (SCHEDULES)

The Trainer has SDPA where its model has it, bf16 where the processor multiplies it fast. Its dropout is .1 by default;
beside firth's recipe `fast`, which has none, it has none either. Neither is compiled: firth compiles nothing on a
processor by itself. All losses are taken by the same code on the same batches, masked once; evaluations on the way stop
the clock, which runs from the first step to the end of the last. GPT's loss is told in bits per byte of the decoded
text.

A text of 24 MB is enough: five minutes of firth read a sixth of it. On 2 cores the speeds take about 8 minutes, the
search 7, the first seed of the losses 33, each further one 22: `--only speed` 8, then `--seeds 1` 40 more. `--seeds 2`
goes on from there, as a run does that was broken off, behind the last line that is recorded. What is missing is told in
the tables.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from recording import RESULTS, Record, commits_of, machine, recorded, run_measured

from firth import corpus as corpora
from firth.batches import ahead, tensors
from firth.budget import Budget
from firth.descent import Loop
from firth.devices import World, chosen_precision
from firth.encoded import EncodedPieces, encode_pieces
from firth.families.bert import BERT
from firth.families.gpt import GPT
from firth.formats import huggingface
from firth.memory import keep_freed_memory
from firth.model import Model
from firth.pieces import Kind, Pieces, train_pieces
from firth.progress import Silent
from firth.runs import Run

THREADS: Final = 2
SIZES: Final = {"vocabulary_size": 16384, "context_length": 128, "batch_size": 32}
SPEED_SECONDS: Final = 20.0
WARM_STEPS: Final = 5
ROUNDS: Final = 2
SEEDS: Final = 2
SEARCH_MINUTES: Final = 1.0
LEARNING_RATES: Final = {  # of the Trainer; GPT learns nothing from 1.4e-3 up: docs/log.md
    "bert": (5e-4, 1e-3, 2e-3),
    "gpt": (2.5e-4, 5e-4, 1e-3),
}
SCHEDULES: Final = {  # of the Trainer's full runs. Over steps counted by its speed, BERT's ended at 228 of 300 seconds
    "bert": "seconds",
    "gpt": "steps",
}
WARMUP: Final = 0.06
CURVE_POINTS: Final = 5
CASES: Final = (("bert", "fast"), ("bert", "paper"), ("gpt", "fast"))
NEEDED: Final = {("bert", "fast"): 4.0, ("bert", "paper"): 1.5, ("gpt", "fast"): 1.5}
KINDS: Final[dict[str, Kind]] = {"bert": "wordpiece", "gpt": "bpe"}
CPU: Final = torch.device("cpu")


def family_of(name: str, recipe: Any, sizes: dict[str, int]) -> Any:
    """Mini, by a recipe, with the sizes of the comparison whatever the recipe says."""
    family: Any = BERT if name == "bert" else GPT
    return replace(family.mini().by_recipe(recipe), **sizes)


# --- the text


def prepare(corpus: Path, work: Path, n_entries: int) -> None:
    """Learns both tokenizers and encodes the corpus by them, unless that stands there."""
    for name, kind in KINDS.items():
        if (work / name / "encoded").is_dir():
            continue
        (work / name).mkdir(parents=True, exist_ok=True)
        lines = (line for block in read(corpus, name).blocks() for line in str(block).splitlines())
        pieces = train_pieces(lines, kind, size=n_entries, cased=False, seed=1)
        pieces.write(work / name / "pieces")
        encode_pieces(read(corpus, name), Pieces.read(work / name / "pieces"), work / name / "encoded")


def read(corpus: Path, name: str) -> corpora.Corpus:
    return corpora.read(corpus, splits_sentences=name == "bert")


def grouped_rows(text: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n, T): the documents that are trained on, each between [CLS] and [SEP], one behind the other."""
    pieces = text.pieces
    ends = np.concatenate([[0], pieces.sentence_ends])
    parts: list[Any] = []
    for first, stop in zip(text.firsts, text.stops, strict=True):
        parts += [[pieces.cls], pieces.ids[ends[first] : ends[stop]], [pieces.sep]]
    ids = np.concatenate(parts).astype(np.int64)
    return ids[: len(ids) // text.context_length * text.context_length].reshape(-1, text.context_length)


# --- runs, each in a process of its own


def child(asked: Record) -> Record:
    """What a process does."""
    torch.set_num_threads(THREADS)
    work = Path(asked["work"])
    family = family_of(asked["family"], asked["recipe"], asked["sizes"])
    pieces = Pieces.read(work / asked["family"] / "pieces")
    text = family.stream(EncodedPieces(work / asked["family"] / "encoded"))
    network = family.network(pieces.n_entries, asked["seed"])
    if asked["program"] == "firth":
        return firth_run(asked, family, pieces, text, network)
    return trainer_run(asked, family, pieces, text, network)


def loop_of(family: Any, pieces: Pieces, text: Any, network: Any, budget: Budget, seed: int) -> Loop:
    run = Run(Model(family, pieces, network, {}), budget, seed)
    return Loop(run, text, CPU, Silent(), None, None, processes=World())


def held_out_nats(family: Any, pieces: Pieces, text: Any, network: Any) -> float:
    """Of a network, whoever trained it."""
    nats = loop_of(family, pieces, text, network, Budget(tokens=1), 0).held_out_nats()
    if nats is None:
        raise SystemExit("the corpus is too small to hold anything out; give a larger one")
    return nats


def firth_run(asked: Record, family: Any, pieces: Pieces, text: Any, network: Any) -> Record:
    """Steps for some seconds; or a run of some minutes, and its loss."""
    if asked["minutes"] is not None:
        loop = loop_of(family, pieces, text, network, Budget(minutes=asked["minutes"]), asked["seed"])
        loop.run()
        spent = loop.job.model.record["spent"]
        return {
            "train_seconds": spent["seconds"],
            "tokens": spent["tokens"],
            "tokens_per_second": spent["tokens"] / spent["seconds"],
            "held_out_nats": loop.job.held_out[-1][1],
            "curve": [[60 * asked["minutes"] * fraction, nats] for fraction, nats in loop.job.held_out],
        }
    keep_freed_memory()  # as `Loop.run` does
    loop = loop_of(family, pieces, text, network, Budget(tokens=1e12), asked["seed"])
    loop.network.train()
    n_tokens = n_steps = 0
    with ahead(loop.prepared, 0) as batches:
        for number in range(WARM_STEPS):
            loop.step(number, next(batches), 0.5)
        began = time.monotonic()
        while time.monotonic() - began < asked["seconds"]:
            batch = next(batches)
            loop.step(WARM_STEPS + n_steps, batch, 0.5)
            n_tokens, n_steps = n_tokens + batch.n_tokens, n_steps + 1
        spent_seconds = time.monotonic() - began
    return {"tokens_per_second": n_tokens / spent_seconds, "step_ms": 1e3 * spent_seconds / n_steps}


class OwnBatches(torch.utils.data.IterableDataset[Record]):
    """firth's batches, row by row in their order, under the names that transformers' models know."""

    def __init__(self, family: Any, text: Any, seed: int) -> None:
        self.family, self.text, self.seed = family, text, seed

    def __iter__(self) -> Iterator[Record]:
        number = 0
        while True:
            batch = tensors(self.family.batch(self.text, number, self.seed))
            number += 1
            rows = {"input_ids": batch.ids, "labels": batch.ids}
            if isinstance(self.family, BERT):
                labels = torch.full_like(batch.ids, -100).flatten()
                real = batch.weights > 0
                labels[batch.masked[real]] = batch.targets[real]
                seen = torch.arange(batch.ids.shape[1]) < batch.lengths[:, None]
                rows = {
                    "input_ids": batch.ids, "token_type_ids": batch.segments, "attention_mask": seen.long(),
                    "labels": labels.view_as(batch.ids), "next_sentence_label": batch.next_sentence,
                }  # fmt: skip
            for row in range(len(batch.ids)):
                yield {name: tensor[row] for name, tensor in rows.items()}


class GroupedRows(torch.utils.data.Dataset[Record]):
    """Rows for the collator that masks."""

    def __init__(self, text: Any) -> None:
        self.rows = grouped_rows(text)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Record:
        return {"input_ids": self.rows[number].tolist()}


def trainer_run(asked: Record, family: Any, pieces: Pieces, text: Any, network: Any) -> Record:
    """The Trainer for as many steps, from the weights of `network`."""
    import transformers

    rows, columns = family.batch_size, family.context_length
    is_grouped = family.name == "bert" and not family.predicts_next_sentence
    counts: list[int] = []  # real tokens of the batches, in their order
    marks: dict[int, float] = {}
    curve: list[list[float]] = []
    away = 0.0  # seconds of evaluations
    by_clock = asked["schedule"] == "seconds"

    def share_spent() -> float:
        return (time.monotonic() - away - marks[0]) / (60 * float(asked["minutes"]))

    def evaluated() -> float:
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            as_ours = huggingface.read(Path(folder)).network(family, 0)
        return held_out_nats(family, pieces, text, as_ours)

    callback: Any = transformers.TrainerCallback

    class Clock(callback):  # type: ignore[misc]
        def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            nonlocal away
            now = time.monotonic()
            marks[state.global_step] = now - away
            if asked["seconds"] is not None and now - marks.get(WARM_STEPS, now) >= asked["seconds"]:
                control.should_training_stop = True
            is_over = by_clock and share_spent() >= 1
            if is_over:
                control.should_training_stop = True
            reached = share_spent() if by_clock else state.global_step / asked["n_steps"]
            if asked["curve"] and (is_over or reached * CURVE_POINTS >= len(curve) + 1):
                curve.append([marks[state.global_step] - marks[0], evaluated()])
                model.train()
                away += time.monotonic() - now

        def on_train_begin(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            marks[0] = time.monotonic()

        def on_step_begin(self, arguments: Any, state: Any, control: Any, optimizer: Any = None, **_: Any) -> None:
            if by_clock:
                spent = share_spent()
                for group in optimizer.param_groups:
                    group["lr"] = asked["learning_rate"] * min(spent / WARMUP, max(0.0, 1 - spent) / (1 - WARMUP))

    with tempfile.TemporaryDirectory() as folder:
        huggingface.write(Path(folder), family, network, pieces)
        model = loaded(transformers, Path(folder), family, asked["dropout"])
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=rows, max_steps=asked["n_steps"], use_cpu=True,
            learning_rate=asked["learning_rate"], warmup_steps=math.ceil(WARMUP * asked["n_steps"]),
            bf16=chosen_precision(CPU).dtype == torch.bfloat16, save_strategy="no", logging_strategy="no",
            report_to="none", disable_tqdm=True, seed=asked["seed"],
        )  # fmt: skip
        collate: Any = transformers.default_data_collator
        if is_grouped:
            collate = transformers.DataCollatorForLanguageModeling(tokenizer, mlm=True, mlm_probability=0.15)

        def counted(examples: list[Record]) -> Any:
            batch = collate(examples)
            mask = batch.get("attention_mask")
            counts.append(rows * columns if mask is None else int(mask.sum()))
            return batch

        data: Any = GroupedRows(text) if is_grouped else OwnBatches(family, text, asked["seed"])
        before = evaluated() if asked["curve"] else None
        trainer = transformers.Trainer(
            model=model, args=arguments, train_dataset=data, data_collator=counted, callbacks=[Clock()]
        )
        trainer.train()
    last = max(marks)
    if asked["minutes"] is None:
        spent = marks[last] - marks[WARM_STEPS]
        return {
            "tokens_per_second": sum(counts[WARM_STEPS:last]) / spent,
            "step_ms": 1e3 * spent / (last - WARM_STEPS),
            "version": transformers.__version__,
        }
    spent = marks[last] - marks[0]
    return {
        "train_seconds": spent,
        "tokens": sum(counts[:last]),
        "tokens_per_second": sum(counts[:last]) / spent,
        "held_out_nats": curve[-1][1] if curve else evaluated(),
        "curve": [[0.0, before], *curve],
        "version": transformers.__version__,
    }


def loaded(transformers: Any, folder: Path, family: Any, dropout: float) -> Any:
    """The model that reads the directory, with so much dropout everywhere."""
    if family.name == "gpt":
        shares = dict.fromkeys(("attn_pdrop", "embd_pdrop", "resid_pdrop"), dropout)
        return transformers.OpenAIGPTLMHeadModel.from_pretrained(folder, **shares)
    shares = dict.fromkeys(("attention_probs_dropout_prob", "hidden_dropout_prob"), dropout)
    kind = transformers.BertForPreTraining if family.predicts_next_sentence else transformers.BertForMaskedLM
    return kind.from_pretrained(folder, attn_implementation="sdpa", **shares)


# --- comparisons


class Comparison:
    """What all runs share."""

    def __init__(self, corpus: Path, work: Path, sizes: dict[str, int], seconds: float, minutes: float, commit: bool):
        self.corpus, self.work, self.sizes = corpus, work, sizes
        self.seconds, self.minutes, self.commit = seconds, minutes, commit

    def run(self, seed: int, **given: Any) -> Record:
        """A run with these settings, unless it is recorded."""
        settings = {"corpus": self.corpus.name, "threads": THREADS, "sizes": self.sizes} | given

        def measured() -> Record:
            nothing = dict.fromkeys(("minutes", "seconds", "learning_rate", "dropout", "curve", "schedule"))
            asked = nothing | {"n_steps": 1 << 20} | settings | {"seed": seed, "work": str(self.work)}
            done = run_measured([sys.executable, __file__, "--child", json.dumps(asked)])
            record: Record = json.loads(done.output.strip().splitlines()[-1])
            return record | {"peak_anonymous_mib": done.peak_anonymous_mib}

        return recorded("trainer", settings, seed, measured, commit=self.commit)

    def speeds(self, name: str, recipe: str) -> dict[str, list[Record]]:
        """The programs in turn."""
        shared = {"measure": "speed", "family": name, "recipe": recipe, "seconds": self.seconds}
        theirs = {"learning_rate": 5e-4, "dropout": 0.0 if recipe == "fast" else 0.1}
        programs = {
            "firth": shared | {"program": "firth"},
            "Trainer": shared | {"program": "Trainer"} | theirs,
        }
        runs: dict[str, list[Record]] = {program: [] for program in programs}
        for seed in range(1, ROUNDS + 1):
            for program, settings in programs.items():
                runs[program].append(self.run(seed, **settings))
        return runs

    def search(self, name: str, trainer_speed: float) -> dict[float, Record]:
        """The Trainer's short runs by their learning rate."""
        minutes = min(SEARCH_MINUTES, self.minutes)
        return {rate: self.trained(name, 1, trainer_speed, minutes, rate) for rate in LEARNING_RATES[name]}

    def trained(self, name: str, seed: int, trainer_speed: float, minutes: float, rate: float, **curve: bool) -> Record:
        """The Trainer for so many minutes: a full run, with its curve, by SCHEDULES, others over the steps that fit."""
        shared = {"measure": "equal time", "family": name, "recipe": "fast", "minutes": minutes}
        shared |= {"program": "Trainer", "dropout": 0.0, "learning_rate": rate} | curve
        if curve and SCHEDULES[name] == "seconds":
            return self.run(seed, **shared, schedule="seconds")
        n_steps = max(CURVE_POINTS, math.ceil(60 * minutes * trainer_speed / self.rows_tokens()))
        return self.run(seed, **shared, n_steps=n_steps)

    def full_runs(self, name: str, trainer_speed: float, search: dict[float, Record]) -> dict[float, Record]:
        """The Trainer's runs of all the minutes, first seed: at the search's best rate, and lower ones as they win."""
        best = min(search, key=lambda rate: float(search[rate]["held_out_nats"]))
        runs: dict[float, Record] = {}
        nats = math.inf
        for rate in sorted((rate for rate in search if rate <= best), reverse=True):
            runs[rate] = self.trained(name, 1, trainer_speed, self.minutes, rate, curve=True)
            before, nats = nats, float(runs[rate]["held_out_nats"])
            if nats >= before:
                break
        return runs

    def ours(self, name: str, seed: int) -> Record:
        """firth for the minutes."""
        shared = {"measure": "equal time", "family": name, "recipe": "fast", "minutes": self.minutes}
        return self.run(seed, **shared, program="firth")

    def rows_tokens(self) -> int:
        return self.sizes["batch_size"] * self.sizes["context_length"]


def measured_flops() -> float:
    """What a large product of the type that is trained in reaches on these threads: the best of twenty."""
    torch.set_num_threads(THREADS)
    a = torch.randn(2048, 2048).to(chosen_precision(CPU).dtype)
    seconds = []
    for _ in range(21):
        began = time.perf_counter()
        torch.nn.functional.linear(a, a)
        seconds.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(seconds[1:])


def speed_table(name: str, recipe: str, runs: dict[str, list[Record]], sizes: dict[str, int], peak: float) -> str:
    flops = family_of(name, recipe, sizes).flops_per_token(sizes["vocabulary_size"])
    lines = [
        f"## {name}, {recipe}: tokens a second",
        "",
        "| | tokens/s (lowest to highest) | GFLOP/s of firth's count, share of the peak | peak anonymous memory, MiB |",
        "|---|---|---|---|",
    ]
    for program, records in runs.items():
        rates = [record["tokens_per_second"] for record in records]
        rate = statistics.median(rates)
        memory = max(record["peak_anonymous_mib"] for record in records)
        spread = f"{rate:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
        work = f"{rate * flops / 1e9:.0f}, {rate * flops / peak:.0%}"
        lines.append(f"| {program} | {spread} | {work} | {memory:,.0f} |")
    ours, theirs = (statistics.median(record["tokens_per_second"] for record in records) for records in runs.values())
    ratio = f"**{ours / theirs:.2f} times** the Trainer's tokens a second (aimed at: {NEEDED[name, recipe]})"
    lines += ["", f"firth: {ratio}. {flops / 1e6:.1f} MFLOP a token.", ""]
    return "\n".join(lines)


def loss_table(
    name: str,
    pairs: list[tuple[Record, Record]],
    search: dict[float, Record],
    full: dict[float, Record],
    bits: float,
    arguments: argparse.Namespace,
) -> str:
    minutes, seeds = arguments.minutes, arguments.seeds
    unit = "bits per byte" if name == "gpt" else "nats per masked token"
    lines = [
        f"## {name}: held-out loss after {minutes:g} minutes, {unit}",
        "",
        "| seed | firth | Trainer | firth's tokens | Trainer's tokens | firth's seconds | Trainer's seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed, (our, their) in enumerate(pairs, 1):
        seconds = f"{our['train_seconds']:.0f} | {their['train_seconds']:.0f}"
        losses = f"{our['held_out_nats'] * bits:.3f} | {their['held_out_nats'] * bits:.3f}"
        lines.append(f"| {seed} | {losses} | {our['tokens']:,} | {their['tokens']:,} | {seconds} |")
    lines += [f"| {seed} | owed | owed | | | | |" for seed in range(len(pairs) + 1, seeds + 1)]
    after_one, after_all = (
        ", ".join(f"{rate:g}: {record['held_out_nats'] * bits:.3f}" for rate, record in runs.items())
        for runs in (search, full)
    )
    searched = min(SEARCH_MINUTES, minutes)
    lines += [
        "",
        f"The Trainer by its learning rate, seed 1: after {searched:g} minutes {after_one}; after {minutes:g} "
        f"{after_all}, of which the best was taken. Its schedule went over the {SCHEDULES[name]}.",
        "",
    ]
    for program, number in (("firth", 0), ("Trainer", 1)):
        for seed, pair in enumerate(pairs, 1):
            points = ", ".join(f"{seconds:.0f}: {nats * bits:.3f}" for seconds, nats in pair[number]["curve"])
            lines.append(f"- {program}, seed {seed}, seconds and loss: {points}")
    return "\n".join([*lines, ""])


def bits_per_byte_of_a_nat(work: Path, sizes: dict[str, int]) -> float:
    """What a nat per piece of the held-out text is in bits per byte."""
    text = family_of("gpt", "fast", sizes).stream(EncodedPieces(work / "gpt" / "encoded")).held_out
    if text is None:
        raise SystemExit("the corpus is too small to hold anything out; give a larger one")
    pieces = Pieces.read(work / "gpt" / "pieces")
    ends = np.concatenate([[0], text.pieces.sentence_ends])
    n_bytes = sum(
        len(pieces.decode(text.pieces.ids[ends[first] : ends[stop]].tolist()).encode())
        for first, stop in zip(text.firsts, text.stops, strict=True)
    )
    return float(text.n_pieces / n_bytes / math.log(2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--work", type=Path, help="where the encoded corpus is kept; else it is made anew each time")
    parser.add_argument("--only", choices=("speed", "losses"))
    parser.add_argument("--minutes", type=float, default=5.0, help="of each run for its loss")
    parser.add_argument("--seconds", type=float, default=SPEED_SECONDS, help="of each run for its speed")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="of the runs for their loss")
    parser.add_argument("--vocabulary-size", type=int, default=SIZES["vocabulary_size"])
    parser.add_argument("--commit", action="store_true", help="commit results/trainer.jsonl after each run")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    if arguments.corpus is None or not arguments.corpus.is_file():
        raise SystemExit(f"--corpus {arguments.corpus}: no such file; give a text file (UTF-8, or .xz of it)")
    sizes = SIZES | {"vocabulary_size": arguments.vocabulary_size}
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        prepare(arguments.corpus, work, arguments.vocabulary_size)
        comparison = Comparison(
            arguments.corpus, work, sizes, arguments.seconds, arguments.minutes, arguments.commit
        )  # fmt: skip
        peak = measured_flops()
        speeds = {case: comparison.speeds(*case) for case in CASES}
        parts = [speed_table(*case, runs, sizes, peak) for case, runs in speeds.items()]
        write(parts, speeds, arguments, sizes, peak)
        if arguments.only != "speed":
            rates = {
                name: statistics.median(record["tokens_per_second"] for record in speeds[name, "fast"]["Trainer"])
                for name in KINDS
            }
            bits = {"bert": 1.0, "gpt": bits_per_byte_of_a_nat(work, sizes)}
            search = {name: comparison.search(name, rates[name]) for name in KINDS}
            full = {name: comparison.full_runs(name, rates[name], search[name]) for name in KINDS}
            pairs: dict[str, list[tuple[Record, Record]]] = {name: [] for name in KINDS}
            for seed in range(1, arguments.seeds + 1):
                for name in KINDS:
                    best = min(full[name], key=lambda rate: float(full[name][rate]["held_out_nats"]))
                    theirs = comparison.trained(name, seed, rates[name], arguments.minutes, best, curve=True)
                    pairs[name].append((comparison.ours(name, seed), theirs))
                    tables = [
                        loss_table(name, pairs[name], search[name], full[name], bits[name], arguments) for name in KINDS
                    ]
                    write(parts + tables, speeds, arguments, sizes, peak)
    print((RESULTS / "trainer.md").read_text(encoding="utf-8"))


def write(parts: list[str], speeds: dict[Any, Any], arguments: Any, sizes: dict[str, int], peak: float) -> None:
    """results/trainer.md, as far as there are runs."""
    commits = commits_of(record for runs in speeds.values() for record in runs["firth"])
    versions = {record["version"] for runs in speeds.values() for record in runs["Trainer"]}
    head = (
        f"# firth beside transformers' Trainer\n\n`python benchmarks/trainer.py --corpus {arguments.corpus.name}`:"
        f" mini (4 layers of 256), {sizes['batch_size']} rows of {sizes['context_length']}, a vocabulary of "
        f"{sizes['vocabulary_size']:,}, {THREADS} threads, {chosen_precision(CPU)}; medians of {ROUNDS} runs of "
        f"{arguments.seconds:g} s in turn. Every run: `trainer.jsonl`.\n\nMachine: {machine()}; a product of 2048 "
        f"x 2048 reaches {peak / 1e9:.0f} GFLOP/s. transformers {', '.join(sorted(versions))}, torch "
        f"{torch.__version__}. Commits: {commits}.\n"
    )
    (RESULTS / "trainer.md").write_text("\n".join([head, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
