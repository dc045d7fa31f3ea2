"""BERT, GPT and ELMo on one GPU: first whether the fast step computes what the exact one does, then how fast it is.

    python benchmarks/gpu.py [--small] [--out FOLDER] [--minutes 9.5]

Needs PyTorch, NumPy and Numba; for what it is compared with, transformers, tokenizers and accelerate too. No corpus and
no network: tokens are drawn by Zipf's law into documents of log-normal lengths, and cut into batches as those of any
corpus are. A step is that of `firth train` (`descent.Loop`): batches made in a thread, bf16, clipping and the optimiser
included. Each part is a process of its own, so that one that fails leaves the others alone; every measurement is
appended to FOLDER/gpu.jsonl (results/gpu.jsonl by default) as it ends.

    device         what large products reach here, and those of the networks' shapes
    check ...      loss and gradients in bf16, eager and compiled, against fp32 on masked attention; of ELMo, whose
                   LSTM layers are compiled into CUDA graphs, these in fp32 too, of several batches in turn
    bert, gpt ...  tokens/s, share of the peak and memory of the base sizes, by micro-batch, eager and compiled;
                   of the fastest setting the kernels that take its time (profile-*.txt)
    elmo 20        the same of the shape `original` with 50,000 words, 384 rows of 20 and more: a token is a position,
                   which is one prediction forward and one backward
    peer ...       the Hugging Face Trainer on the same sizes (its bf16 recipe, SDPA where the model has it), and a
                   plain loop over the same model with its batch on the device already

A share is tokens/s times the family's `flops_per_token`, of the device's dense bf16 peak. Real tokens are counted, no
padding. A batch is one micro-batch, so that each step pays for the optimiser. `--small` does the same with tiny
networks on a processor, in one process, to see that it runs.
"""

import argparse
import importlib.util
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import torch

ROOT: Final = Path(__file__).resolve().parent.parent
if importlib.util.find_spec("firth") is None:  # a bare machine: the checkout is all there is
    sys.path.insert(0, str(ROOT))

from recording import commit_of_checkout  # noqa: E402

from firth import streams  # noqa: E402
from firth.batches import ahead  # noqa: E402
from firth.budget import Budget  # noqa: E402
from firth.descent import Loop  # noqa: E402
from firth.devices import Precision, World, chosen_device, chosen_precision  # noqa: E402
from firth.families.bert import BERT  # noqa: E402
from firth.families.elmo import ELMo  # noqa: E402
from firth.families.gpt import GPT  # noqa: E402
from firth.model import Model  # noqa: E402
from firth.runs import Run  # noqa: E402

Record = dict[str, Any]
Say = Callable[[str], None]

PEAKS: Final = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bf16 FLOP/s as NVIDIA's data sheets have them, SXM."""
FAMILIES: Final[dict[str, Any]] = {"bert": BERT, "gpt": GPT, "elmo": ELMo}
VOCABULARIES: Final = {"bert": 30522, "gpt": 40478, "elmo": 50_000}  # the papers'; of ELMo the default
N_TYPES: Final = 400_000  # different words of the text that ELMo reads
SEED: Final = 1
N_BATCHES: Final = 8  # which are taken in turn, so that all their shapes have been met before timing
MOST_LOSS_DIFFERENCE: Final = 0.01  # relative
MOST_GRADIENT_DIFFERENCE: Final = 0.05  # |g - g'| / |g'| over all parameters
MOST_FP32_DIFFERENCE: Final = 1e-4  # of both, where the types are the same
SPARE_SECONDS: Final = 15.0  # of a part's time, under which nothing new is begun


class Sizes:
    """How large everything is."""

    def __init__(self, is_small: bool) -> None:
        self.is_small = is_small
        self.n_pieces = 40_000 if is_small else 40_000_000
        self.of_pieces = (512, 1024) if is_small else (32768, 65536, 131072)
        self.of_positions = (80, 160) if is_small else (7680, 15360)
        self.peer_tokens = (512,) if is_small else (65536, 32768, 16384)
        self.seconds = 0.5 if is_small else 3.0  # of one measurement

    def family(self, name: str, context_length: int) -> Any:
        """BERT, GPT or ELMo: base, or less than tiny."""
        made = self._least(name) if self.is_small else FAMILIES[name].base()
        return replace(made, context_length=context_length, **self._vocabulary(name))

    def check_family(self, name: str) -> Any:
        made = self._least(name) if self.is_small else FAMILIES[name].small()
        return replace(made, batch_size=8 if self.is_small else 64, **self._vocabulary(name))

    def _least(self, name: str) -> Any:
        if name == "elmo":
            return ELMo(dim=32, cell_dim=32, character_dim=4, filters=((1, 8), (3, 8)), n_highway=1, negatives=100)
        return FAMILIES[name](n_layers=1, dim=64, n_heads=2)

    def _vocabulary(self, name: str) -> Record:
        """ELMo's is of the words of its text."""
        return {} if name == "elmo" else {"vocabulary_size": self.n_entries(name)}

    def micro_tokens(self, name: str) -> tuple[int, ...]:
        return self.of_positions if name == "elmo" else self.of_pieces

    def text(self, name: str, most: int) -> Any:
        """What is read, of `most` tokens at most."""
        n_tokens, n_entries = min(self.n_pieces, most), self.n_entries(name)
        if name != "elmo":
            return drawn(n_tokens, n_entries)
        return drawn_words(n_tokens, 2 * n_entries if self.is_small else N_TYPES, n_entries)

    def compiles(self, part: str) -> bool:
        """Whether a part compiles; what takes seconds on a GPU's machine takes a minute on a small one."""
        return not self.is_small or part in ("check bert", "bert 128", "check elmo")

    def n_entries(self, name: str) -> int:
        return 1000 if self.is_small else VOCABULARIES[name]


class Told:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def drawn(n_pieces: int, n_entries: int) -> Any:
    """A corpus in the shape of `EncodedPieces`: ids by Zipf's law; sentences of 8 to 40 pieces; documents by the
    logarithm's normal law, half of them longer than 300 pieces."""
    generator = np.random.default_rng(SEED)
    weights = 1 / (np.arange(5, n_entries) + 2.7)
    ends = np.cumsum(weights / weights.sum())
    ids = np.searchsorted(ends, generator.random(n_pieces)).clip(0, n_entries - 6) + 5
    sentence_ends = np.cumsum(generator.integers(8, 41, n_pieces // 8))
    sentence_ends = np.append(sentence_ends[sentence_ends < n_pieces], n_pieces)
    lengths = np.maximum(2, (np.exp(generator.normal(math.log(300), 1.0, n_pieces // 40)) / 24).astype(np.int64))
    document_ends = np.cumsum(lengths)
    document_ends = np.append(document_ends[document_ends < len(sentence_ends)], len(sentence_ends))
    return SimpleNamespace(
        ids=ids.astype(np.uint16 if n_entries <= 1 << 16 else np.uint32), word_starts=None,
        sentence_ends=sentence_ends, document_ends=document_ends,
        n_tokens=n_pieces, n_sentences=len(sentence_ends), n_documents=len(document_ends),
        n_entries=n_entries, pad=0, unk=1, cls=2, sep=3, mask=4, end=None, special_ids=(0, 1, 2, 3, 4),
    )  # fmt: skip


def drawn_words(n_words: int, n_types: int, n_entries: int) -> Any:
    """The same in the shape of `EncodedCorpus`, of words that are long as an English word list's are."""
    pieces = drawn(n_words, n_types + 5)
    type_ids = pieces.ids.astype(np.int64) - 5
    generator = np.random.default_rng(SEED)
    lengths = generator.normal(8, 2, n_types).clip(5, 12).astype(np.int64)
    letters = np.array(list("etaoinshrdlu"))[generator.integers(0, 12, (n_types, 12))]
    types = [
        "".join(row[: max(1, n - len(str(number)))]) + str(number)
        for number, (row, n) in enumerate(zip(letters, lengths, strict=True))
    ]
    corpus = SimpleNamespace(
        type_ids=type_ids.astype(np.int32), types=types, counts=np.bincount(type_ids, minlength=n_types),
        line_ends=pieces.sentence_ends, document_ends=pieces.document_ends,
        n_tokens=n_words, n_lines=pieces.n_sentences, n_documents=pieces.n_documents,
    )  # fmt: skip
    corpus.vocabulary = streams.vocabulary(corpus, min_count=1, max_size=n_entries)  # type: ignore[arg-type]
    corpus.n_entries = len(corpus.vocabulary)
    return corpus


def loop_over(family: Any, encoded: Any, device: torch.device, *, precision: Precision | None = None) -> Loop:
    """The loop of `firth train` at its first step, a batch being one micro-batch."""
    network = family.network(encoded.n_entries, SEED)
    run = Run(Model(family, None, network, {}), Budget(tokens=1e12), SEED, rows=family.batch_size)  # type: ignore[arg-type]
    told: Any = Told()
    text = family.stream(encoded, encoded.vocabulary) if family.name == "elmo" else family.stream(encoded)
    loop = Loop(run, text, device, told, None, None, compiles="always", precision=precision, processes=World())
    loop.network.train()
    return loop


def compiled(loop: Loop) -> float:
    """Compiles the loop's loss, and takes a first step with it; the seconds of both."""
    began = time.perf_counter()
    loop.compile_if_it_pays(0)
    network: Any = loop.network
    is_fused = loop.family.name == "elmo" and all(lstm.fused is not None for lstm in network.lstms)
    if loop.loss == loop.eager_loss and not is_fused:  # training would go on so; here the reason is asked for, whole
        if loop.family.name == "elmo":
            network.fuse(launches_graphs=True)
        else:
            loop.loss = torch.compile(loop.eager_loss, dynamic=False)
        loop.summed(0, loop.prepared(0))
        raise RuntimeError(f"compiled at the second try: {loop.progress.lines}")  # type: ignore[attr-defined]
    wait(loop.device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_of(device: torch.device) -> float | None:
    """FLOP/s; None where it is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


# --- parts: each yields settings and scores


def device_part(sizes: Sizes, device: torch.device, out: Path, left: Callable[[], float]) -> Iterator[Record]:
    """What products reach."""
    n = 256 if sizes.is_small else 8192
    tokens = 1024 if sizes.is_small else 65536
    shapes = [(n, n, n), (tokens, 768, 2304), (tokens, 768, 768), (tokens, 768, 3072), (tokens, 3072, 768)]
    shapes += [(tokens // 64 * 10, 768, 30528)]
    dtype = chosen_precision(device).dtype
    for m, k, columns in shapes[:2] if sizes.is_small else shapes:
        a = torch.randn(m, k, device=device, dtype=dtype)
        b = torch.randn(columns, k, device=device, dtype=dtype)
        for _ in range(3):
            torch.nn.functional.linear(a, b)
        wait(device)
        began, turns = time.perf_counter(), 2 if sizes.is_small else 30
        for _ in range(turns):
            torch.nn.functional.linear(a, b)
        wait(device)
        rate = 2 * m * k * columns * turns / (time.perf_counter() - began)
        yield {
            "settings": {"product": [m, k, columns], "dtype": str(dtype)},
            "scores": {"tflops": rate / 1e12} | share(rate, device),
        }


def share(flops: float, device: torch.device) -> Record:
    peak = peak_of(device)
    return {"share_of_peak": None if peak is None else flops / peak}


def check_part(
    name: str, changes: Record, sizes: Sizes, device: torch.device, out: Path, left: Callable[[], float]
) -> Iterator[Record]:
    """Loss and gradients of one batch, against fp32 with masked attention."""
    family = replace(sizes.check_family(name), **changes)
    encoded = sizes.text(name, 400_000)
    fp32, bf16 = Precision(torch.float32, "to compare with"), Precision(torch.bfloat16, "asked for")
    exact = loop_over(family, encoded, device, precision=fp32)
    batch = exact.prepared(2)
    expected, truth = gradients_of(exact, batch)
    kinds = [(bf16, False), (bf16, True)] + ([(fp32, True)] if name == "elmo" else [])
    for precision, is_compiled in kinds:
        if is_compiled and not sizes.compiles(f"check {name}{' pairs' if changes else ''}"):
            continue
        loop = loop_over(family, encoded, device, precision=precision)
        seconds = compiled(loop) if is_compiled else None
        for number in (0, 1) if name == "elmo" else ():  # what these leave in a graph's memory is not to be seen
            gradients_of(loop, loop.prepared(number))
        nats, found = gradients_of(loop, batch)
        most_loss, most_gradient = (
            (MOST_LOSS_DIFFERENCE, MOST_GRADIENT_DIFFERENCE) if precision is bf16 else 2 * (MOST_FP32_DIFFERENCE,)
        )
        differences = {
            parameter: float((found[parameter] - truth[parameter]).norm() / truth[parameter].norm().clamp(min=1e-30))
            for parameter in truth
        }
        distance = math.sqrt(sum(float((found[p] - truth[p]).square().sum()) for p in truth))
        length = math.sqrt(sum(float(gradient.square().sum()) for gradient in truth.values()))
        worst = max(differences, key=lambda parameter: differences[parameter])
        loss_difference, gradient_difference = abs(nats / expected - 1), distance / length
        is_close = loss_difference <= most_loss and gradient_difference <= most_gradient
        shape = {"compiled": is_compiled, "precision": str(precision.dtype), "batch": list(batch.ids.shape)}
        yield {
            "settings": {"family": name} | shape | changes,
            "scores": {
                "passes": is_close and found.keys() == truth.keys(),
                "loss_nats": nats,
                "loss_nats_fp32": expected,
                "loss_difference": loss_difference,
                "gradient_difference": gradient_difference,
                "allowed": [most_loss, most_gradient],
                "worst_parameter": [worst, differences[worst]],
                "compile_seconds": seconds,
            },
        }


def gradients_of(loop: Loop, batch: Any) -> tuple[float, dict[str, torch.Tensor]]:
    loop.optimizer.zero_grad(set_to_none=True)
    found = loop.gradients(0, batch)
    gradients = {
        name: parameter.grad.float()
        for name, parameter in loop.network.named_parameters()
        if parameter.grad is not None
    }
    return float(found.nats[0]), gradients


def speed_part(
    name: str,
    context_length: int,
    most_compiled: int,
    sizes: Sizes,
    device: torch.device,
    out: Path,
    left: Callable[[], float],
) -> Iterator[Record]:
    """Tokens a second by micro-batch: eager, then compiled those that were fastest eagerly."""
    encoded = sizes.text(name, 10_000_000 if name == "elmo" else sizes.n_pieces)
    family = sizes.family(name, context_length)
    rates: dict[int, float] = {}
    best = 0.0
    for is_compiled in (False, True):
        fastest = sorted(sizes.micro_tokens(name), key=lambda tokens: -rates.get(tokens, 0.0))
        for tokens in fastest[: (1 if sizes.is_small else most_compiled) if is_compiled else None]:
            if left() < SPARE_SECONDS or (is_compiled and not sizes.compiles(f"{name} {context_length}")):
                continue
            changed = replace(family, batch_size=tokens // context_length)
            settings = {
                "family": name, "dim": family.dim, "n_layers": family.n_layers, "context_length": context_length,
                "n_entries": encoded.n_entries, "micro_batch_rows": changed.batch_size, "compiled": is_compiled,
            }  # fmt: skip
            try:
                loop = loop_over(changed, encoded, device)
                scores = speed_of(loop, sizes, is_compiled)
                rates[tokens] = scores["tokens_per_second"]
                yield {"settings": settings, "scores": scores}
                if rates[tokens] > best:
                    best = rates[tokens]
                    profile(loop, out / f"profile-{name}-{context_length}.txt", settings | scores)
            except Exception:
                yield {"settings": settings, "error": traceback.format_exc()[-3000:]}
            loop = None  # type: ignore[assignment]
            torch._dynamo.reset()
            if device.type == "cuda":
                torch.cuda.empty_cache()


def speed_of(loop: Loop, sizes: Sizes, is_compiled: bool) -> Record:
    """Steps for some seconds, after all shapes have been met."""
    device = loop.device
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    torch._dynamo.utils.counters.clear()
    seconds = compiled(loop) if is_compiled else None
    batches = [loop.prepared(number) for number in range(N_BATCHES)]
    began = time.perf_counter()
    for number, batch in enumerate(batches):
        loop.step(number, batch, 0.5)
    wait(device)
    first_seconds = time.perf_counter() - began
    began = time.perf_counter()
    loop.step(0, batches[0], 0.5)
    wait(device)
    n_steps = max(3, min(200, int(sizes.seconds / (time.perf_counter() - began))))
    began = time.perf_counter()
    for number in range(N_BATCHES):
        loop.prepared(number)
    host_rate = sum(batch.n_tokens for batch in batches) / (time.perf_counter() - began)
    n_tokens = 0
    marks = []
    with ahead(lambda number: loop.prepared(number % N_BATCHES), 0) as made:
        wait(device)
        began = time.perf_counter()
        for number in range(n_steps):
            batch = next(made)
            marks.append(marked(device))
            loop.step(number, batch, 0.5)
            n_tokens += batch.n_tokens
        marks.append(marked(device))
        wait(device)
        spent = time.perf_counter() - began
    steps = sorted(between(before, after) for before, after in pairwise(marks))
    flops = loop.family.flops_per_token(loop.network.n_entries)
    rate = n_tokens / spent
    nats, _, _ = loop.sums.read()
    peak = peak_of(device)
    return {
        "tokens_per_second": rate,
        "flops_per_token": flops,
        "tflops": rate * flops / 1e12,
        **share(rate * flops, device),
        "tokens_per_second_at_40_percent": None if peak is None else 0.4 * peak / flops,
        "n_steps": n_steps,
        "step_ms": 1e3 * spent / n_steps,
        "median_step_ms": 1e3 * steps[len(steps) // 2],
        "longest_step_ms": 1e3 * steps[-1],
        "real_share_of_columns": n_tokens / (n_steps * batches[0].ids.numel()),
        "batches_made_tokens_per_second": host_rate,
        "compile_seconds": seconds,
        "first_steps_seconds": first_seconds,  # those in which other shapes are compiled
        "rows_at_a_time": loop.job.rows,  # fewer than the batch's where the memory was too small
        "told": loop.progress.lines,  # type: ignore[attr-defined]
        "graphs": int(torch._dynamo.utils.counters["stats"]["unique_graphs"]),
        "peak_mib": torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None,
        "loss_is_finite": math.isfinite(nats),
        "precision": str(loop.precision),
    }


def marked(device: torch.device) -> Any:
    """A moment of the device."""
    if device.type != "cuda":
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    event.record()
    return event


def between(before: Any, after: Any) -> float:
    """Seconds between two moments that are over."""
    return float(after - before) if isinstance(before, float) else float(before.elapsed_time(after)) / 1e3


def profile(loop: Loop, path: Path, head: Record) -> None:
    """Writes which kernels take the time of three steps."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if loop.device.type == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    batches = [loop.prepared(number) for number in range(3)]
    wait(loop.device)
    with torch.profiler.profile(activities=activities) as profiler:
        for number, batch in enumerate(batches):
            loop.step(number, batch, 0.5)
        wait(loop.device)
    key = "self_device_time_total" if loop.device.type == "cuda" else "self_cpu_time_total"
    events = sorted(profiler.key_averages(), key=lambda event: -getattr(event, key))
    if loop.device.type == "cuda":  # kernels themselves: an operator's row repeats the time of its kernels
        spans = ("Optimizer.", "##", "Torch-Compiled")
        events = [event for event in events if event.device_type == torch.autograd.DeviceType.CUDA]  # type: ignore[attr-defined]
        events = [event for event in events if not event.key.startswith(spans)]
    total = sum(getattr(event, key) for event in events)
    lines = [json.dumps(head), "", f"{total / 3e3:.2f} ms a step; microseconds a step, calls a step, share, kernel", ""]
    for event in events[:25]:
        spent = getattr(event, key)
        lines.append(f"{spent / 3:10.0f} {event.count / 3:7.1f} {spent / max(total, 1e-9):7.2%}  {event.key[:150]}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def peer_part(
    name: str, context_length: int, sizes: Sizes, device: torch.device, out: Path, left: Callable[[], float]
) -> Iterator[Record]:
    """The Trainer, and a plain loop over the same model; the largest micro-batch of its list that fits."""
    family = sizes.family(name, context_length)
    # GPT-1 has no SDPA in transformers; GPT-2, its like but for the place of the norms, has
    for program in ("trainer", "plain loop"):
        for model_name in ("bert",) if name == "bert" else ("gpt2", "openai-gpt"):
            for tokens in sizes.peer_tokens:
                if left() < SPARE_SECONDS:
                    return
                rows = tokens // context_length
                settings = {
                    "program": program, "model": model_name, "dim": family.dim, "n_layers": family.n_layers,
                    "context_length": context_length, "n_entries": sizes.n_entries(name), "micro_batch_rows": rows,
                }  # fmt: skip
                run = trainer_speed if program == "trainer" else plain_speed
                try:
                    if device.type == "cuda":
                        torch.cuda.init()  # type: ignore[no-untyped-call]
                        torch.cuda.empty_cache()
                        torch.cuda.reset_peak_memory_stats(device)
                    scores = run(model_name, family, sizes, rows, device)
                    rate = scores["tokens_per_second"]
                    flops = family.flops_per_token(sizes.n_entries(name))
                    scores |= {"firth_flops_per_token": flops} | share(rate * flops, device)
                    if device.type == "cuda":
                        scores["peak_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
                    yield {"settings": settings, "scores": scores}
                    break
                except torch.OutOfMemoryError as error:
                    yield {"settings": settings, "error": f"out of memory: {str(error)[:200]}"}
                except Exception:
                    yield {"settings": settings, "error": traceback.format_exc()[-3000:]}
                    break


def peer_model(model_name: str, family: Any, n_entries: int) -> Any:
    """A model of transformers with the family's sizes, freshly drawn, with dropout as its configurations have it."""
    transformers: Any = import_module("transformers")
    shared = {"vocab_size": n_entries, "bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    if model_name == "bert":
        config: Any = transformers.BertConfig(
            hidden_size=family.dim, num_hidden_layers=family.n_layers, num_attention_heads=family.n_heads,
            intermediate_size=4 * family.dim, max_position_embeddings=family.n_positions,
            attn_implementation="sdpa", **shared,
        )  # fmt: skip
        return transformers.BertForMaskedLM(config)
    sizes = {
        "n_embd": family.dim,
        "n_layer": family.n_layers,
        "n_head": family.n_heads,
        "n_positions": family.n_positions,
    }
    if model_name == "gpt2":
        config = transformers.GPT2Config(**sizes, **shared, attn_implementation="sdpa", use_cache=False)
        return transformers.GPT2LMHeadModel(config)
    return transformers.OpenAIGPTLMHeadModel(transformers.OpenAIGPTConfig(**sizes, **shared))


def peer_tokenizer(n_entries: int) -> Any:
    """What the Trainer's collator asks for: special tokens, and a vocabulary of the right size."""
    from tokenizers import Tokenizer, models

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = {word: number for number, word in enumerate(special + [f"w{n}" for n in range(n_entries - len(special))])}
    return import_module("transformers").PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="[UNK]")),
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", mask_token="[MASK]",
    )  # fmt: skip


class Rows(torch.utils.data.Dataset[dict[str, list[int]]]):
    """Rows without padding, as `run_mlm.py` groups texts."""

    def __init__(self, n_entries: int, context_length: int) -> None:
        ids = drawn(4_000_000 if n_entries > 10_000 else 100_000, n_entries).ids.astype(np.int64)
        self.rows = ids[: len(ids) // context_length * context_length].reshape(-1, context_length)

    def __len__(self) -> int:
        return 1 << 24

    def __getitem__(self, number: int) -> dict[str, list[int]]:
        return {"input_ids": self.rows[number % len(self.rows)].tolist()}


def trainer_speed(model_name: str, family: Any, sizes: Sizes, rows: int, device: torch.device) -> Record:
    """The Trainer as `run_mlm.py` and `run_clm.py` set it up, without evaluation and saving; bf16 where it is fast."""
    transformers: Any = import_module("transformers")
    n_entries = sizes.n_entries(family.name)
    first, last = (2, 5) if sizes.is_small else (8, 38)
    moments: dict[int, float] = {}

    class Clock(transformers.TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, arguments: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step in (first, last):
                wait(device)
                moments[state.global_step] = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder, per_device_train_batch_size=rows, max_steps=last, learning_rate=1e-4,
            bf16=chosen_precision(device).dtype == torch.bfloat16, save_strategy="no", report_to="none",
            disable_tqdm=True, logging_strategy="no", use_cpu=device.type == "cpu",
        )  # fmt: skip
        collator = transformers.DataCollatorForLanguageModeling(peer_tokenizer(n_entries), mlm=model_name == "bert")
        model = peer_model(model_name, family, n_entries)
        data = Rows(n_entries, family.context_length)
        trainer = transformers.Trainer(
            model=model, args=arguments, train_dataset=data, data_collator=collator, callbacks=[Clock()]
        )
        trainer.train()
    spent = moments[last] - moments[first]
    return {"tokens_per_second": rows * family.context_length * (last - first) / spent, "n_steps": last - first}


def plain_speed(model_name: str, family: Any, sizes: Sizes, rows: int, device: torch.device) -> Record:
    """Forward, backward, clipping, fused AdamW under autocast, on one batch that lies on the device already."""
    n_entries = sizes.n_entries(family.name)
    model = peer_model(model_name, family, n_entries).to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    ids = torch.from_numpy(Rows(n_entries, family.context_length).rows[:rows].copy()).to(device)
    ids = ids.repeat(-(-rows // len(ids)), 1)[:rows]
    labels = ids
    if model_name == "bert":
        labels = ids.masked_fill(torch.rand(ids.shape, device=device) >= 0.15, -100)
    dtype = chosen_precision(device).dtype

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    n_steps = 3 if sizes.is_small else 20
    for _ in range(3):
        step()
    wait(device)
    began = time.perf_counter()
    for _ in range(n_steps):
        step()
    wait(device)
    return {"tokens_per_second": ids.numel() * n_steps / (time.perf_counter() - began), "n_steps": n_steps}


PAIRS: Final = {"objective": "masked_token_and_next_sentence"}
PARTS: Final[dict[str, tuple[float, Callable[..., Iterator[Record]]]]] = {
    "device": (40, device_part),
    "check bert": (90, partial(check_part, "bert", {})),
    "check bert pairs": (90, partial(check_part, "bert", PAIRS)),
    "check gpt": (90, partial(check_part, "gpt", {})),
    "check elmo": (90, partial(check_part, "elmo", {})),
    "elmo 20": (150, partial(speed_part, "elmo", 20, 2)),
    "bert 128": (150, partial(speed_part, "bert", 128, 2)),
    "gpt 512": (150, partial(speed_part, "gpt", 512, 2)),
    "peer bert 128": (80, partial(peer_part, "bert", 128)),
    "bert 512": (120, partial(speed_part, "bert", 512, 1)),
    "peer gpt 512": (80, partial(peer_part, "gpt", 512)),
    "gpt 128": (120, partial(speed_part, "gpt", 128, 1)),
    "peer bert 512": (60, partial(peer_part, "bert", 512)),
    "peer gpt 128": (60, partial(peer_part, "gpt", 128)),
}
"""By what matters most; the most seconds of each, and what it does."""


def child(part: str, out: Path, is_small: bool, seconds: float) -> None:
    """Runs one part, and appends what it measures."""
    ends = time.monotonic() + seconds
    device = chosen_device("cpu" if is_small else None)
    torch.set_float32_matmul_precision("highest")
    try:
        for record in PARTS[part][1](Sizes(is_small), device, out, lambda: ends - time.monotonic()):
            append(out, part, device, record)
    except Exception:
        append(out, part, device, {"settings": {}, "error": traceback.format_exc()[-3000:]})


def append(out: Path, part: str, device: torch.device | None, record: Record) -> None:
    name = platform.processor() or platform.machine()
    if device is not None and device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    line = {
        "part": part,
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "commit": commit_of_checkout(),
        "device": name,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    } | record
    with (out / "gpu.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    told = record.get("scores") or record.get("error", "").strip().splitlines()[-1:]
    print(f"{part}: {json.dumps(record['settings'])}\n    {json.dumps(told)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "results")
    parser.add_argument("--minutes", type=float, default=9.5, help="for all parts; what does not fit is left out")
    parser.add_argument("--parts", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.part is not None:
        child(arguments.part, arguments.out, arguments.small, arguments.seconds)
        return
    ends = time.monotonic() + 60 * arguments.minutes
    parts = list(PARTS) if arguments.parts is None else arguments.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--parts {', '.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    for part in parts:
        left = ends - time.monotonic()
        seconds = min(PARTS[part][0], left)
        if arguments.small:
            child(part, arguments.out, True, seconds)
            torch._dynamo.reset()
            continue
        if seconds < SPARE_SECONDS:
            append(arguments.out, part, None, {"settings": {}, "error": "no time was left for it"})
            continue
        command = [sys.executable, __file__, "--part", part, "--out", str(arguments.out), "--seconds", str(seconds)]
        command += ["--small"] if arguments.small else []
        began = time.monotonic()
        try:  # a part that hangs is ended; one that is in the midst of a measurement may finish it
            done = subprocess.run(command, timeout=min(seconds + 2 * SPARE_SECONDS, max(left, SPARE_SECONDS)))
        except subprocess.TimeoutExpired:
            append(arguments.out, part, None, {"settings": {}, "error": f"ended after {seconds:.0f} s"})
            continue
        if done.returncode:
            append(arguments.out, part, None, {"settings": {}, "error": f"ended with status {done.returncode}"})
        print(f"--- {part}: {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
