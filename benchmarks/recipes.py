"""Which recipe trains BERT and GPT best on a small budget: the experiments behind the default recipe `fast`.

    python benchmarks/recipes.py --prepare FOLDER --corpus ../shared/data/corpora/en-wiki.txt.xz
    python benchmarks/recipes.py --work FOLDER --jobs 8 --minutes 8.5 --out results/recipes.jsonl

The first makes a folder that travels well: 65 MB of text, compressed to 18 MB, and a tokenizer of 16,384 entries for
each family. The second encodes the text, then looks for the best recipe of each family by itself, and appends a line
for each run as it ends; lines that stand there are not run again, so that the same command goes on where the last one
stopped. `--table` prints what stands in the file.

A budget is told in tokens of the recipe at the search's beginning (32 rows of 128, AdamW, 15% masked); every other
setting gets as many tokens as cost the same: floating-point operations by `flops_per_token`, and for each step what
the optimiser takes (ADAM_COST, MUON_COST). So small batches and Muon pay for what they need, and results do not depend
on the device. 1.5 and 4 million tokens are what mini sees in 5 to 10 minutes on two cores.

    grid        rows of a batch and learning rate, of AdamW and of Muon, widened while the best lies at its border
    long        the same around the best, for 4 million tokens
    factors     one setting changed at a time around the best; two seeds for what is better
    together    what was better, one after the other; then the learning rate anew
    long        the winners for 4 million tokens
    larger      for 30 million tokens, small

`--confirm` runs the candidates of CONFIRMED instead: what a search leaves open, longer and with two seeds; `--confirm
widths` the recipe that was found, for other widths; `--confirm departures` what else the default departs in from the
paper, on a size and budget for two cores (`--jobs 1 --minutes 20 --held-out 20`: 18 minutes, of which 10 BERT).

A score is the loss on held-out text in nats: BERT's of 15% masked, whatever training hides; GPT's of each piece.
"""

import argparse
import hashlib
import json
import lzma
import math
import multiprocessing
import platform
import statistics
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # on a bare machine the checkout is all there is

import numpy as np  # noqa: E402
import torch  # noqa: E402
from recording import commit_of_checkout, commits_of  # noqa: E402

from firth import corpus as corpora  # noqa: E402
from firth.batches import ahead, moved, n_predictions, tensors  # noqa: E402
from firth.budget import Budget  # noqa: E402
from firth.descent import Loop  # noqa: E402
from firth.devices import World, chosen_device  # noqa: E402
from firth.encoded import EncodedPieces, encode_pieces  # noqa: E402
from firth.families.bert import BERT  # noqa: E402
from firth.families.gpt import GPT  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.pieces import Kind, Pieces, train_pieces  # noqa: E402
from firth.progress import Silent  # noqa: E402
from firth.runs import Run  # noqa: E402

Record = dict[str, Any]

TEXT_BYTES: Final = 62 << 20
KINDS: Final[dict[str, Kind]] = {"bert": "wordpiece", "gpt": "bpe"}
N_ENTRIES: Final = 16384
ENTROPY: Final = "7.21 and 7.23"
"""Of the pieces of each family's text, by `objectives.unigram_entropy`."""
BEGINNING: Final[dict[str, Record]] = {  # the recipe that costs are told in, and that the search begins with
    "bert": {
        "context_length": 128, "batch_size": 32, "masking_share": 0.15, "block_optimizer": "adam",
        "learning_rate": 1e-3, "warmup": 0.06, "schedule": "linear", "final_learning_rate": 0.0, "deviation": 0.02,
        "beta1": 0.9, "beta2": 0.98, "epsilon": 1e-6, "weight_decay": 0.01, "clip": 1.0, "muon_rate": 1.0,
    },
    "gpt": {
        "context_length": 128, "batch_size": 32, "block_optimizer": "adam",
        "learning_rate": 1e-3, "warmup": 0.06, "schedule": "linear", "final_learning_rate": 0.0, "deviation": 0.02,
        "beta1": 0.9, "beta2": 0.95, "epsilon": 1e-8, "weight_decay": 0.1, "clip": 1.0, "muon_rate": 1.0,
    },
}  # fmt: skip
ADAM_COST: Final = 200.0
"""Floating-point operations for each parameter that are taken to last as long as a step of AdamW: an assumption, not
measured. The step is bound by memory, so that the true figure grows with the speed of a processor's products."""
MUON_COST: Final = 300.0
"""The same of Muon, in addition, for each block and dim ** 3: five iterations of three products, for four square
matrices and two that are four times as wide."""
HELD_OUT_EVERY: Final = 40  # documents, of which one is held out
HELD_OUT_ROWS: Final = 64
SHORT, LONG, LARGER = 1.5e6, 4e6, 30e6
NOISE: Final = 0.004  # nats; less is no gain
BEST: Final = 6  # settings shown of each budget
CHECKS: Final = 5  # whether a run has diverged, in equal parts of it

GRID: Final = {  # rows: learning rates
    "adam": {8: (5e-4, 1e-3, 2e-3), 16: (1e-3, 2e-3, 3e-3), 32: (1e-3, 2e-3, 3e-3, 4e-3), 64: (2e-3, 4e-3, 6e-3)},
    "muon": {16: (1e-3, 2e-3), 32: (1e-3, 2e-3, 4e-3), 64: (2e-3, 4e-3)},
}
MUON_RATES: Final = (1.0, 3.0)
FACTORS: Final[dict[str, Sequence[Any]]] = {
    "masking_share": (0.15, 0.2, 0.25, 0.3, 0.4),
    "phases": (
        (),
        ((0.3, {"context_length": 32}), (0.6, {"context_length": 64})),
        ((0.5, {"context_length": 64}),),
        ((0.3, {"batch_size": 0.5}),),  # half of the rows
        ((0.2, {"batch_size": 0.25}), (0.5, {"batch_size": 0.5})),
        ((0.5, {"masking_share": 0.3}),),
    ),
    "warmup": (0.02, 0.06, 0.12, 0.2),
    "beta2": (0.95, 0.98, 0.99, 0.999),
    "schedule": ("linear", "cosine", "hold"),
    "deviation": (0.01, 0.02, 0.04, 0.0625),
    "branches": (1.0, 0.35, 0.0),  # of the deviation, for the matrices that write into a residual sum
    "weight_decay": (0.0, 0.01, 0.1, 0.3),
    "clip": (0.0, 0.3, 1.0),
    "beta1": (0.85, 0.9, 0.95),
    "final_share": (0.0, 0.05),  # of the learning rate
    "epsilon": (1e-8, 1e-6),
}

_BERT: Final[Record] = {"learning_rate": 1.4e-3, "muon_rate": 3.0}
_GPT: Final[Record] = {"learning_rate": 4e-3}
_SLOW: Final[Record] = {"warmup": 0.2, "beta2": 0.999, "final_share": 0.05}
_ADAM: Final[Record] = {"block_optimizer": "adam"}
_FINAL: Final[Record] = {"masking_share": 0.3, "learning_rate": 7e-4, "final_share": 0.05}
_TINY: Final[Record] = _BERT | _FINAL | {"learning_rate": 2.8e-3}
_SHORT_GPT: Final[Record] = _SLOW | {"learning_rate": 8e-3}
CONFIRMED: Final[dict[str, dict[str, list[tuple[str, float, tuple[int, ...], list[Record]]]]]] = {
    "confirm": {
        "bert": [
            ("small", LARGER, (1,), [
                _ADAM, _ADAM | {"learning_rate": 5e-4}, _BERT, _BERT | {"learning_rate": 7e-4},
                _BERT | _SLOW | {"masking_share": 0.3}, _BERT | {"learning_rate": 7e-4, "masking_share": 0.3},
            ]),
            ("mini", LONG, (1, 2), [
                _BERT, *(_BERT | {"masking_share": share} for share in (0.2, 0.3, 0.4)),
                _BERT | {"warmup": 0.2}, _BERT | {"beta2": 0.999},
                _BERT | {"final_share": 0.05}, _BERT | {"beta1": 0.85},
                _BERT | _SLOW, _BERT | _SLOW | {"masking_share": 0.3}, _BERT | _SLOW | {"masking_share": 0.4},
                _BERT | _SLOW | {"masking_share": 0.3, "learning_rate": 2.8e-3},
                _BERT | _SLOW | {"masking_share": 0.3, "learning_rate": 7e-4},
                _BERT | _SLOW | {"masking_share": 0.3, "learning_rate": 2.8e-3, "muon_rate": 1.5},
            ]),
        ],
        "gpt": [
            ("small", LARGER, (1,), [
                _ADAM | {"learning_rate": 5e-4}, _ADAM | {"learning_rate": 2.5e-4},
                _GPT, _GPT | {"learning_rate": 2e-3}, _GPT | _SLOW, _GPT | _SLOW | {"learning_rate": 2e-3},
            ]),
            ("mini", LONG, (1, 2), [
                _GPT, _GPT | {"warmup": 0.2}, _GPT | {"beta2": 0.999},
                _GPT | {"final_share": 0.05}, _GPT | {"beta1": 0.85},
                _GPT | _SLOW, _GPT | _SLOW | {"beta1": 0.85}, _GPT | _SLOW | {"learning_rate": 2.8e-3},
                _GPT | _SLOW | {"learning_rate": 5.6e-3}, _GPT | _SLOW | {"batch_size": 16, "learning_rate": 2.8e-3},
                _GPT | {"weight_decay": 0.01}, _ADAM | {"learning_rate": 5e-4}, _ADAM | {"learning_rate": 2.5e-4},
            ]),
        ],
    },
    "widths": {
        "bert": [
            ("small", LARGER, (1,), [
                _BERT | _FINAL, _BERT | _FINAL | _SLOW, _BERT | _FINAL | {"masking_share": 0.4},
                _BERT | _FINAL | {"learning_rate": 1e-3}, _ADAM | {"learning_rate": 5e-4, "masking_share": 0.3},
            ]),
            ("tiny", LONG, (1,), [_BERT | _FINAL | {"learning_rate": rate} for rate in (1.4e-3, 2.8e-3)]),
        ],
        "gpt": [
            ("small", LARGER, (1,), [
                _SLOW | {"learning_rate": 1.4e-3}, _SLOW | {"learning_rate": 2e-3},
                _SLOW | {"learning_rate": 2e-3, "beta1": 0.85},
            ]),
            ("tiny", LONG, (1,), [_SLOW | {"learning_rate": rate} for rate in (4e-3, 8e-3)]),
        ],
    },
    "departures": {
        "bert": [
            ("tiny", SHORT, (1, 2), [
                _TINY, _TINY | {"dropout": 0.1, "attention_dropout": 0.1},
                _TINY | {"objective": "masked_token_and_next_sentence"}, _TINY | {"layout": "pairs"},
            ]),
        ],
        "gpt": [
            ("tiny", SHORT, (1,), [_SHORT_GPT, _SHORT_GPT | {"dropout": 0.1, "attention_dropout": 0.1}]),
        ],
    },
}  # fmt: skip
"""For --confirm, by size, budget, seeds: what differs from the beginning with Muon. `widths`: whether the recipe found,
its rate in proportion to 1 / width, is right for other sizes than the one that it was found with."""


# --- the text


def prepare(folder: Path, corpus: Path) -> None:
    """Writes the text and both tokenizers into `folder`, unless they stand there."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "text.xz").is_file():
        with lzma.open(corpus) as file:
            raw = file.read(TEXT_BYTES)
        raw = raw[: raw.rindex(b"\n\n") + 1]
        (folder / "text.xz").write_bytes(lzma.compress(raw))
    for name, kind in KINDS.items():
        if not (folder / name).is_dir():
            text = corpora.read(folder / "text.xz", splits_sentences=False)
            lines = (line for block in text.blocks() for line in str(block).splitlines())
            pieces = train_pieces(lines, kind, size=N_ENTRIES, cased=False, seed=1)
            (folder / name).mkdir()
            pieces.write(folder / name)


def encode(folder: Path, name: str) -> None:
    """Encodes the text for a family, unless that is done."""
    place = folder / f"{name}-encoded"
    if not place.is_dir():
        encode_pieces(
            corpora.read(folder / "text.xz", splits_sentences=False), Pieces.read(folder / name), place
        )  # fmt: skip


# --- a run, in a worker process


@lru_cache
def encoded(folder: Path, name: str) -> EncodedPieces:
    return EncodedPieces(folder / f"{name}-encoded")


def family_of(asked: Record) -> Any:
    """The family of a run's settings."""
    family: Any = BERT if asked["family"] == "bert" else GPT
    fields = dict(asked["fields"])
    share = fields.pop("final_share", 0.0)
    layout = fields.pop("layout", None)
    for own in ("phases", "branches"):
        fields.pop(own, None)
    made = replace(getattr(family, asked["size"])(), vocabulary_size=N_ENTRIES, **fields)
    if layout == "pairs":
        made = _InPairs(**vars(made))
    return replace(made, final_learning_rate=share * made.learning_rate) if share else made


class _InPairs(BERT):
    """BERT of the first task alone, on the rows of the second: what packing changes by itself."""

    def stream(self, encoded: EncodedPieces) -> Any:
        return replace(self.of_both_tasks(), short_share=self.short_share).stream(encoded)

    def batch(self, text: Any, number: int, seed: int) -> Any:
        return self.of_both_tasks().batch(text, number, seed)._replace(next_sentence=None)

    def of_both_tasks(self) -> BERT:
        return BERT(**vars(self) | {"objective": "masked_token_and_next_sentence"})


def text_of(folder: Path, family: Any) -> Any:
    """What a family trains on, and what is held out: every so-manieth document."""
    tasks = {"objective": family.objective} if family.name == "bert" else {}
    kind: Any = type(family)
    return text_in_rows(folder, kind, context_length=family.context_length, batch_size=family.batch_size, **tasks)


@lru_cache(maxsize=32)
def text_in_rows(folder: Path, family: Any, **fields: Any) -> Any:
    text = family(**fields).stream(encoded(folder, family.name))
    ends = text.pieces.document_ends
    firsts, stops = np.concatenate([[0], ends[:-1]]), np.asarray(ends)
    is_out = np.arange(len(firsts)) % HELD_OUT_EVERY == 0
    held_out = replace(text, firsts=firsts[is_out], stops=stops[is_out], held_out=None, batch_size=HELD_OUT_ROWS)
    return replace(text, firsts=firsts[~is_out], stops=stops[~is_out], held_out=held_out)


@lru_cache
def held_out_batches(folder: Path, name: str, device: torch.device, most: int) -> list[tuple[Any, int]]:
    """Fixed batches on the device, and how much each has to predict; the same for all runs of a family."""
    family: Any = BERT.mini() if name == "bert" else GPT.mini()
    family = replace(family, context_length=128)
    batches = [tensors(batch) for batch in family.held_out(text_of(folder, family))]
    batches = batches[:-1][:most]  # the last one begins a second pass
    return [(moved(batch, device), n_predictions(batch)) for batch in batches]


def step_cost(family: Any, n_parameters: int) -> tuple[float, float]:
    """Floating-point operations for a token, and for a step."""
    cost = ADAM_COST * n_parameters
    if family.block_optimizer == "muon":
        cost += MUON_COST * family.n_layers * family.dim**3
    return family.flops_per_token(N_ENTRIES), cost


def train_one(asked: Record, folder: Path, ends: float, most: int) -> Record | None:
    """What came of a run; None where the time was up before."""
    if time.time() > ends:
        return None
    try:
        return trained(asked, folder, ends, most)
    except Exception:
        return {"error": traceback.format_exc()[-2000:]}


def trained(asked: Record, folder: Path, ends: float, most: int) -> Record | None:
    device = chosen_device(None)
    if device.type == "cuda":
        torch.set_num_threads(1)
    family = family_of(asked)
    network = family.network(N_ENTRIES, asked["seed"])
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    share = asked["fields"].get("branches", 1.0)
    if share != 1.0:
        for name, parameter in network.named_parameters():
            if name.endswith(("out.weight", "down.weight")):
                parameter.data *= share
    beginning = family_of(asked | {"fields": BEGINNING[asked["family"]]})
    per_token, per_step = step_cost(beginning, n_parameters)
    budget = asked["tokens"] * (per_token + per_step / (beginning.batch_size * beginning.context_length))
    run = Run(Model(family, None, network, {}), Budget(tokens=1e12), asked["seed"])  # type: ignore[arg-type]
    loop = Loop(run, text_of(folder, family), device, Silent(), None, None, compiles="never", processes=World())
    loop.network.train()
    spent, n_tokens, n_steps, next_check = 0.0, 0, 0, 1 / CHECKS
    began = time.monotonic()
    with loop.drawing_for_itself():
        for until, fields in (*asked["fields"].get("phases", ()), (1.0, {})):
            changed = {name: type(value)(value) for name, value in fields.items()}
            if "batch_size" in changed:
                changed["batch_size"] = max(1, round(family.batch_size * changed["batch_size"]))
            of_phase = replace(family, **changed)
            text = text_of(folder, of_phase)
            per_token, per_step = step_cost(of_phase, n_parameters)

            def prepared(number: int, of_phase: Any = of_phase, text: Any = text) -> Any:
                batch = tensors(of_phase.batch(text, number, asked["seed"]))
                if device.type != "cuda":
                    return batch
                return batch._make(x.pin_memory() if isinstance(x, torch.Tensor) else x for x in batch)

            first = n_tokens // (of_phase.batch_size * of_phase.context_length)  # about where the last phase ended
            with ahead(prepared, first) as batches:
                while (fraction := spent / budget) < until:
                    batch = next(batches)
                    loop.step(n_steps, batch, fraction)
                    spent += batch.n_tokens * per_token + per_step
                    n_tokens, n_steps = n_tokens + batch.n_tokens, n_steps + 1
                    if fraction >= next_check or n_steps == 20:
                        loop.settle_sums()  # waits for the device
                        if not math.isfinite(loop.state.loss_nats):
                            return {"held_out_nats": None, "diverged_at": round(fraction, 3)}
                        next_check += 1 / CHECKS
                    if time.time() > ends:
                        return None
        loop.settle_sums()
        seconds = time.monotonic() - began
        nats = held_out_nats(loop, folder, device, most)
    return {
        "held_out_nats": nats if math.isfinite(nats) else None,
        "n_tokens": n_tokens,
        "n_steps": n_steps,
        "seconds": round(seconds, 2),
        "tokens_per_second": round(n_tokens / seconds),
    }


def held_out_nats(loop: Loop, folder: Path, device: torch.device, most: int) -> float:
    total, n_all = 0.0, 0
    loop.network.eval()
    with torch.no_grad():
        for batch, n in held_out_batches(folder, loop.family.name, device, most):
            with loop.casting():
                total += float(loop.eager_loss(batch).mean) * n
            n_all += n
    return total / n_all


# --- the search


class TimeUp(Exception):
    """There is no time left for another run."""


class Bench:
    """Runs that are recorded, many beside one another."""

    def __init__(self, folder: Path, out: Path, jobs: int, minutes: float, scale: float, most: int) -> None:
        self.folder, self.out, self.scale, self.most = folder, out, scale, most
        self.ends = time.time() + 60 * minutes
        self.records: dict[tuple[str, int], Record] = {}
        if out.is_file():
            for line in out.read_text(encoding="utf-8").splitlines():
                record = json.loads(line)
                self.records[record["settings_hash"], record["settings"]["seed"]] = record
        self.lock = threading.Lock()
        self.commit = commit_of_checkout()
        self.pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))

    def scores(self, stage: str, asked: Sequence[Record], seeds: Sequence[int] = (1,)) -> list[float]:
        """The mean held-out loss of each setting, in nats; infinite where one of its runs came to nothing."""
        futures: dict[Future[Record | None], tuple[Record, int]] = {}
        submitted: set[tuple[str, int]] = set()
        keys = [hashed(one) for one in asked]
        for seed in seeds:
            for one, key in zip(asked, keys, strict=True):
                if (key, seed) in self.records or (key, seed) in submitted:
                    continue
                if time.time() > self.ends:
                    raise TimeUp
                scaled = one | {"tokens": one["tokens"] * self.scale, "seed": seed}
                future = self.pool.submit(train_one, scaled, self.folder, self.ends, self.most)
                submitted.add((key, seed))
                futures[future] = (one, seed)
        for future in as_completed(futures):
            self.record(stage, *futures[future], future)
        found = []
        for key in keys:
            records = [self.records.get((key, seed)) for seed in seeds]
            if any(record is None for record in records):
                raise TimeUp
            nats = [record["held_out_nats"] for record in records if record is not None]
            found.append(math.inf if None in nats else statistics.mean(nats))
        return found

    def record(self, stage: str, asked: Record, seed: int, future: "Future[Record | None]") -> None:
        if (result := future.result()) is None:
            return
        device = chosen_device(None)
        line: Record = {
            "stage": stage,
            "settings_hash": hashed(asked),
            "settings": asked | {"seed": seed},
            "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            "commit": self.commit,
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or "cpu",
            "torch": torch.__version__,
            "held_out_nats": None,
        } | result
        with self.lock:
            self.records[line["settings_hash"], seed] = line
            with self.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        nats = line["held_out_nats"]
        told = line.get("error", "diverged").strip().splitlines()[-1] if nats is None else f"{nats:.4f}"
        print(f"{asked['family']} {stage}: {told}  {shown(asked)}, seed {seed}", flush=True)


def hashed(asked: Record) -> str:
    return hashlib.blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=6).hexdigest()


def shown(asked: Record) -> str:
    """What differs from the beginning."""
    before = BEGINNING[asked["family"]]
    fields = {name: value for name, value in asked["fields"].items() if before.get(name) != value}
    return f"{asked['tokens'] / 1e6:g} M, {asked['size']}, {json.dumps(fields)}"


def changed(fields: Record, **given: Any) -> Record:
    return fields | given


def search(bench: Bench, name: str) -> None:
    """All stages for a family, until the time is up."""

    def asked(fields: Record, tokens: float, size: str = "mini") -> Record:
        return {"family": name, "size": size, "tokens": tokens, "fields": fields}

    def best(stage: str, candidates: list[Record], tokens: float, n_best: int = 2) -> tuple[Record, float]:
        """The best by the first seed, then of the first few by two; a diverged one is never."""
        scores = bench.scores(stage, [asked(fields, tokens) for fields in candidates])
        order = sorted(range(len(candidates)), key=scores.__getitem__)
        few = [candidates[number] for number in order[:n_best]]
        of_few = bench.scores(stage, [asked(fields, tokens) for fields in few], (1, 2))
        number = min(range(len(few)), key=of_few.__getitem__)
        return few[number], of_few[number]

    start = BEGINNING[name]
    grids: dict[str, list[Record]] = {
        "adam": [
            changed(start, batch_size=rows, learning_rate=rate)
            for rows, rates in GRID["adam"].items()
            for rate in rates
        ],
        "muon": [
            changed(start, block_optimizer="muon", batch_size=rows, learning_rate=rate, muon_rate=own)
            for rows, rates in GRID["muon"].items()
            for rate in rates
            for own in MUON_RATES
        ],
    }
    together = [asked(fields, SHORT) for fields in (*grids["adam"], *grids["muon"])]
    bench.scores("grid", together)  # all at once, so that no worker waits
    winners: dict[str, tuple[Record, float]] = {}
    for kind, grid in grids.items():
        found, _ = best("grid", grid, SHORT)
        winners[kind] = best("grid", widened(found), SHORT)
    bench.scores(
        "long", [asked(fields, LONG) for fields in (start, *(near for w, _ in winners.values() for near in longer(w)))]
    )
    kind = "muon" if winners["muon"][1] < winners["adam"][1] - NOISE else "adam"
    winner, score = winners[kind]

    alternatives = []
    for factor, values in FACTORS.items():
        if factor == "masking_share" and name == "gpt":
            continue
        for value in values:
            if winner.get(factor, values[0]) == value or (name == "gpt" and "masking" in json.dumps(value)):
                continue
            alternatives.append((factor, changed(winner, **{factor: value})))
    first_scores = bench.scores("factors", [asked(fields, SHORT) for _, fields in alternatives])
    first_score = bench.scores("factors", [asked(winner, SHORT)])[0]
    closer = [alternative for alternative, of_it in zip(alternatives, first_scores, strict=True) if of_it < first_score]
    scores = bench.scores("factors", [asked(fields, SHORT) for _, fields in closer], (1, 2))
    gains: dict[str, tuple[float, Record]] = {}
    for (factor, fields), of_it in zip(closer, scores, strict=True):
        if score - of_it > NOISE and (factor not in gains or score - of_it > gains[factor][0]):
            gains[factor] = (score - of_it, fields)

    sums, so_far = [winner], winner
    for factor, (_, fields) in sorted(gains.items(), key=lambda item: -item[1][0]):
        so_far = changed(so_far, **{factor: fields[factor]})
        sums.append(so_far)
    sums += [changed(so_far, **{factor: winner.get(factor, FACTORS[factor][0])}) for factor in gains]  # all but one
    combined, _ = best("together", sums, SHORT, 3)
    rates = [changed(combined, learning_rate=combined["learning_rate"] * times) for times in (0.5, 0.7, 1.0, 1.4, 2.0)]
    combined, _ = best("together", rates, SHORT)

    candidates = [start, winners["adam"][0], winners["muon"][0], combined, *longer(combined)]
    best("long", candidates, LONG, 4)
    larger = [start, combined]
    larger += [
        changed(combined, batch_size=rows, learning_rate=combined["learning_rate"] * times)
        for rows in (32, 64)
        for times in (0.35, 0.7)
    ]
    bench.scores("larger", [asked(fields, LARGER, "small") for fields in larger])


def confirm(bench: Bench, name: str, candidates: str) -> None:
    """What the search left open: a list of CONFIRMED."""
    muon = changed(BEGINNING[name], block_optimizer="muon")
    of_seeds: dict[tuple[int, ...], list[Record]] = {}  # those of the same seeds are run beside one another
    for size, tokens, seeds, changes in CONFIRMED[candidates][name]:
        of_seeds.setdefault(seeds, []).extend(
            {"family": name, "size": size, "tokens": tokens, "fields": changed(muon, **fields)} for fields in changes
        )
    for seeds, asked in of_seeds.items():
        bench.scores(candidates, asked, seeds)


def widened(fields: Record) -> list[Record]:
    """A setting, and those beside it in rows and rates."""
    rows, rate = fields["batch_size"], fields["learning_rate"]
    near = [fields]
    near += [changed(fields, learning_rate=rate * times) for times in (0.7, 1.4)]
    near += [changed(fields, batch_size=rows // 2, learning_rate=rate * times) for times in (0.7, 1.0)]
    near += [changed(fields, batch_size=rows * 2, learning_rate=rate * 1.4)]
    if fields["block_optimizer"] == "muon":
        near += [changed(fields, muon_rate=fields["muon_rate"] * times) for times in (0.5, 2.0)]
    return near


def longer(fields: Record) -> list[Record]:
    """What may be better on a longer budget: more rows, a lower rate."""
    rows, rate = fields["batch_size"], fields["learning_rate"]
    return [
        fields,
        changed(fields, learning_rate=rate * 0.7),
        changed(fields, batch_size=rows * 2),
        changed(fields, batch_size=rows * 2, learning_rate=rate * 1.4),
    ]


# --- what stands in the file


class Setting(NamedTuple):
    """A setting and what came of its runs."""

    asked: Record
    fields: Record  # in which it differs from the beginning
    of_seeds: dict[int, float]  # nats; infinite where a run diverged
    n_steps: int | None

    @property
    def nats(self) -> float:
        """The mean."""
        return statistics.mean(self.of_seeds.values())

    @property
    def is_default(self) -> bool:
        """Whether it is what the family does by itself at that size."""
        if self.fields.get("phases") or self.fields.get("branches", 1.0) != 1.0:
            return False
        default = family_of(self.asked | {"fields": {}})
        family = family_of(self.asked)
        is_alike = replace(family, learning_rate=None, final_learning_rate=None) == default
        return is_alike and all(math.isclose(family.rate(at), default.rate(at)) for at in (family.warmup, 1.0))


def settings_of(records: list[Record]) -> dict[tuple[str, float, str], list[Setting]]:
    """By family, budget and size, the best first."""
    runs: dict[str, list[Record]] = {}
    for record in records:
        runs.setdefault(record["settings_hash"], []).append(record)
    groups: dict[tuple[str, float, str], list[Setting]] = {}
    for of_setting in runs.values():
        asked = of_setting[0]["settings"]
        before = BEGINNING[asked["family"]]
        fields = {key: value for key, value in asked["fields"].items() if before.get(key) != value}
        nats = {
            record["settings"]["seed"]: math.inf if record["held_out_nats"] is None else record["held_out_nats"]
            for record in of_setting
        }
        setting = Setting(asked, fields, nats, of_setting[0].get("n_steps"))
        groups.setdefault((asked["family"], asked["tokens"], asked["size"]), []).append(setting)
    return {key: sorted(groups[key], key=lambda setting: setting.nats) for key in sorted(groups)}


def told(fields: Record) -> str:
    """The fields of a setting, to be read."""
    names = {"block_optimizer": "", "learning_rate": "rate ", "batch_size": "rows ", "final_share": "final rate "}
    said = []
    for key in sorted(fields, key=lambda key: key != "block_optimizer"):
        value = fields[key]
        if key == "phases" and value:
            value = "; ".join(f"until {until:g} of the budget {told(changes)}" for until, changes in value)
        elif isinstance(value, float):
            value = f"{value:g}"
        said.append(f"{names.get(key, key + ' ')}{value or 'none'}")
    return ", ".join(said) or "nothing"


def apart(one: Setting, other: Setting) -> list[str]:
    """In which fields two settings differ."""
    fields = one.fields.keys() | other.fields.keys()
    return [key for key in sorted(fields) if one.fields.get(key) != other.fields.get(key)]


TABLE_HEAD: Final = """# Which recipe trains BERT and GPT best on a small budget

{n_runs} runs on {device}, PyTorch {torch}, commit {commit}; every one stands in
`{name}`. Written by `python benchmarks/recipes.py --table > results/recipes.md`. To run it again:

```sh
python benchmarks/recipes.py --prepare FOLDER --corpus ../shared/data/corpora/en-wiki.txt.xz
python benchmarks/recipes.py --work FOLDER --jobs 14                    # the search
python benchmarks/recipes.py --work FOLDER --jobs 14 --confirm          # what it left open, longer
python benchmarks/recipes.py --work FOLDER --jobs 14 --confirm widths   # the recipe found, for other widths
```

The score is the loss on held-out text in nats, the mean of the seeds: BERT's of 15% masked, whatever training hides,
GPT's of each piece. The text: 62 MB of English Wikipedia in 16,384 pieces, whose unigram entropy is {entropy} nats
(BERT's pieces, GPT's); a network that stays about there has learnt frequencies and nothing else.

The first recipe: AdamW, rate .001, 32 rows of 128, warm-up .06, to 0 in a line; BERT's beta2 .98, 15% masked, decay
.01; GPT's beta2 .95, decay .1. A budget is told in its tokens, and what costs more sees fewer. Costs are counted, not
timed: `flops_per_token`, and for each step {adam:g} operations a weight for AdamW (an assumption) and {muon:g} dim^3 a
block for Muon. What did not pay: `docs/log.md`.
"""


def table(out: Path) -> str:
    """results/recipes.md: for each family and budget the best settings, and what one change does."""
    records = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    said = {key: ", ".join(sorted({str(record[key]) for record in records})) for key in ("device", "torch")}
    head = TABLE_HEAD.format(
        n_runs=len(records),
        name=out.name,
        entropy=ENTROPY,
        adam=ADAM_COST,
        muon=MUON_COST,
        commit=commits_of(records),
        **said,
    )
    lines = head.splitlines()
    for (name, tokens, size), settings in settings_of(records).items():
        lines += ["", f"## {name}, {size}, {tokens / 1e6:g} million tokens: {len(settings)} settings", ""]
        lines += ["| nats | seeds | steps | differs from the first recipe by |", "|---|---|---|---|"]
        with_adam = [setting for setting in settings if setting.asked["fields"]["block_optimizer"] == "adam"]
        chosen = [*settings[:BEST], *with_adam[:2], *(one for one in settings if one.is_default or not one.fields)]
        for setting in settings:
            if setting in chosen:
                nats = ", ".join(f"{one:.3f}" for one in setting.of_seeds.values())
                default = " (**the default**)" if setting.is_default else ""
                row = f"{setting.nats:.3f} | {nats} | {setting.n_steps or ''}"
                lines.append(f"| {row} | {told(setting.fields)}{default} |")
        centre = max(settings, key=lambda one: sum(len(apart(one, other)) == 1 for other in settings))
        near = [setting for setting in settings if len(apart(centre, setting)) == 1]
        if len(near) < BEST:
            continue
        nats = ", ".join(f"{one:.3f}" for one in centre.of_seeds.values())
        lines += ["", f'One change to "{told(centre.fields)}" ({nats}), on the seeds that both were run with:', ""]
        lines += ["| better by | seeds | change |", "|---|---|---|"]
        rows = []
        for setting in near:
            seeds = setting.of_seeds.keys() & centre.of_seeds.keys()
            gain = statistics.mean(centre.of_seeds[seed] - setting.of_seeds[seed] for seed in seeds)
            change = {key: setting.asked["fields"].get(key, "none") for key in apart(centre, setting)}
            rows.append((gain, f"| {gain:+.3f} | {len(seeds)} | {told(change)} |"))
        lines += [row for _, row in sorted(rows, reverse=True)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", type=Path, metavar="FOLDER", help="make what the runs need, and end")
    parser.add_argument("--corpus", type=Path, help="which text is taken of")
    parser.add_argument("--work", type=Path, metavar="FOLDER", help="what --prepare made")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "recipes.jsonl")
    parser.add_argument("--jobs", type=int, default=8, help="processes beside one another")
    parser.add_argument("--minutes", type=float, default=8.5)
    parser.add_argument("--families", default="bert,gpt")
    parser.add_argument("--scale", type=float, default=1.0, help="of all budgets; less, to see that all runs")
    parser.add_argument("--held-out", type=int, default=1000, help="at most so many batches of the held-out text")
    parser.add_argument(
        "--confirm", nargs="?", const="confirm", choices=CONFIRMED, help="a list of CONFIRMED instead of a search"
    )
    parser.add_argument("--table", action="store_true", help="print what stands in --out, and end")
    arguments = parser.parse_args()
    if arguments.table:
        print(table(arguments.out))
        return
    if arguments.prepare is not None:
        prepare(arguments.prepare, arguments.corpus)
        return
    names = arguments.families.split(",")
    bench = Bench(arguments.work, arguments.out, arguments.jobs, arguments.minutes, arguments.scale, arguments.held_out)
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(len(names)) as pool:
        pool.starmap(encode, [(arguments.work, name) for name in names])
    print(f"encoded in {time.monotonic() - began:.0f} s", flush=True)

    def searching(name: str) -> None:
        try:
            if arguments.confirm is None:
                search(bench, name)
            else:
                confirm(bench, name, arguments.confirm)
            print(f"{name}: all stages are through", flush=True)
        except TimeUp:
            print(f"{name}: the time is up", flush=True)

    threads = [threading.Thread(target=searching, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.pool.shutdown(cancel_futures=True)
    print(f"{len(bench.records)} runs stand in {arguments.out}, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
