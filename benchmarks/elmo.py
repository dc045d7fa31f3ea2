"""ELMo: positions a second beside a plain PyTorch program, perplexity beside n-grams, and on a GPU.

    xz -dc ../shared/data/corpora/en-wiki.txt.xz | head -c 24000000 > en-wiki-24.txt
    python benchmarks/elmo.py --corpus en-wiki-24.txt --work work speed quality smoke
    python benchmarks/elmo.py --corpus en-wiki-24.txt --work work gpu                   # on a machine with one

A position is one prediction forward and one backward. Each run is a process of its own and stands in
results/elmo.jsonl; what stands there is not run again. The tables go to results/elmo.md.

    speed    whole training steps of the shape `small` (P 128, H 1024; 128 rows of 20; 20,000 words in the softmax,
             AdamW, two threads), the programs in turn:
                 default      as `firth train elmo` trains: both directions read the same sentences, sampled softmax
                 full         the same with the full softmax
                 library      that without clips, by PyTorch's LSTM
                 exact        the full softmax, and each direction has its own sentences, as the published program
                 plain        the same equations and weights as `exact`, on the same batches, as AllenNLP has them: a
                              loop over the steps for each layer and direction, and the characters of every token
                              through every filter, 50 each (a process checks that its loss is the same)
    quality  `--minutes` of `mini` by the defaults: held-out perplexity of the full softmax, every position counted,
             beside the unigram model's and trigrams' (modified Kneser-Ney, benchmarks/ngrams.py), in either direction,
             with the same vocabulary: trained on all of the training text, and on as many words as ELMo had read
    choices  `--positions` of `tiny` by the defaults, three seeds, and with one of them at a time as in the paper, or
             otherwise: held-out perplexity as for quality
    smoke    bilm-tf's own test: 5 sentences, 300 steps, perplexity below 20 (FIRTH_SHARED has the text)
    gpu      steps of the shape `original` (P 512, H 4096; 384 rows of 20; 50,000 words) on CUDA; without it, of `tiny`
             on the processor, to see that it runs

On 2 cores speed takes about 11 minutes, quality 8, choices 5, smoke 1. The text is the first 24 MB of English Wikipedia
(en-wiki), in whatever file they stand. It is read in lower case, without punctuation marks (`PLAIN`: `--no-cased
--no-punctuation`), so that all runs read the same words; by itself ELMo reads both.
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
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from ngrams import Events, Trigrams, events, nats
from recording import RESULTS, SHARED, Record, machine, recorded, run_measured
from torch import Tensor, nn
from torch.nn import functional as F

import firth
from firth import corpus as corpora
from firth import devices, streams
from firth.batches import ahead, moved, tensors
from firth.budget import Budget
from firth.characters import BEGIN, END, NO_CHARACTER
from firth.contextual_training import perplexities
from firth.descent import Loop
from firth.devices import World, chosen_device, chosen_precision
from firth.families.elmo import ELMo
from firth.memory import keep_freed_memory
from firth.model import Model, Words
from firth.preparation import Preparation
from firth.progress import Silent
from firth.runs import Run
from firth.texts import prepared
from firth.tokens import encode
from firth.vocabulary import Vocabulary

THREADS: Final = 2
SPEED_SECONDS: Final = 40.0
WARM_STEPS: Final = 2
ROUNDS: Final = 2
WORDS: Final = 20_000
SMOKE: Final = replace(
    ELMo(
        dim=16, cell_dim=16, character_dim=4, filters=((1, 8), (2, 8), (3, 16), (4, 32), (5, 64)), n_highway=1,
        activation="tanh", max_characters=10, cell_clip=None, projection_clip=None, residual=False,
    ).by_recipe("paper"),
    negatives=16, batch_size=2, context_length=10, clip=0.1,  # of the mean over 10 steps; of their sum it is 1
)  # fmt: skip
PLAIN: Final = Preparation(cased=False, punctuation=False)
PROGRAMS: Final = ("default", "full", "library", "exact", "plain")
PARTS: Final = ("speed", "quality", "choices", "smoke", "gpu")
CHOICES: Final[dict[str, Record]] = {
    "the default": {},
    "each direction has its own sentences (the paper)": {"directions": "independent"},
    "128 rows to a batch": {"batch_size": 128},
    "Adagrad at .2 throughout (the paper)": {
        "block_optimizer": "adagrad", "learning_rate": 0.2, "final_learning_rate": 0.2, "warmup": 0.0,
        "warmup_steps": 0, "weight_decay": 0.0,
    },
    "dropout .1 (the paper)": {"dropout": 0.1},
    "full softmax": {"objective": "full"},
    "half of the rate": {"learning_rate": 8e-3},
    "twice the rate": {"learning_rate": 3.2e-2},
    "a warm-up of a twentieth": {"warmup": 0.05},
    "a warm-up of a fifth, however few batches that is": {"warmup_steps": 0},
    "the last rate is the highest": {"learning_rate": 1.6e-2, "final_learning_rate": 1.6e-2},
    "no decay of the weights (the paper)": {"weight_decay": 0.0},
}  # fmt: skip
"""What is changed of the default, one at a time; the default's rate is 1.6e-2 for this size."""
NEEDED: Final = 2.5
NEEDED_ON_GPU: Final = 50_000


def family_of(program: str, size: str, **changes: Any) -> Any:
    family: ELMo = replace(getattr(ELMo, size)(), **changes)
    if program == "default":
        return family
    family = replace(family, objective="full")
    if program == "library":
        return replace(family, lstm="library", cell_clip=None, projection_clip=None)
    return family if program == "full" else replace(family, directions="independent")


# --- the plain program ----------------------------------------------------------------------------------------


class PlainDirection(nn.Module):
    """LSTM layers of one direction, step by step."""

    def __init__(self, network: Any, way: int) -> None:
        super().__init__()
        p = network.dim
        self.clips = [(lstm.cell_clip, lstm.projection_clip) for lstm in network.lstms]
        self.residual = network.residual
        self.of_x, self.of_h, self.biases, self.back = (nn.ParameterList() for _ in range(4))
        for lstm in network.lstms:
            weight = lstm.weight.detach()[2 * p * way : 2 * p * (way + 1)]
            self.of_x.append(nn.Parameter(weight[:p].clone()))
            self.of_h.append(nn.Parameter(weight[p:].clone()))
            self.biases.append(nn.Parameter(lstm.bias.detach().chunk(2)[way].clone()))
            self.back.append(nn.Parameter(lstm.projection.detach().chunk(2)[way].clone()))

    def forward(self, x: Tensor, state: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """(B, T, P) -> (B, T, P), and (h, c) of each layer."""
        after = []
        for layer, (h, c) in enumerate(state):
            cell_clip, projection_clip = self.clips[layer]
            outputs = []
            for step in range(x.shape[1]):
                z = x[:, step] @ self.of_x[layer] + h @ self.of_h[layer] + self.biases[layer]
                i, j, f, o = z.chunk(4, -1)
                c = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(j)
                c = c.clamp(-cell_clip, cell_clip)
                h = ((torch.sigmoid(o) * torch.tanh(c)) @ self.back[layer]).clamp(-projection_clip, projection_clip)
                outputs.append(h)
            after.append((h.detach(), c.detach()))
            y = torch.stack(outputs, 1)
            x = y + x if self.residual and layer else y
        return x, after


class PlainELMo(nn.Module):
    """The equations one by one, of a network's weights."""

    def __init__(self, family: ELMo, network: Any) -> None:
        super().__init__()
        encoder = network.encoder
        self.max_characters, dim = family.max_characters, family.character_dim
        self.characters = nn.Parameter(encoder.characters.detach().clone())
        self.filters = nn.ModuleList()
        for (width, count), linear in zip(family.filters, encoder.filters, strict=True):
            filters = nn.Conv1d(dim, count, width)
            filters.weight.data = linear.weight.detach().view(count, width, dim).transpose(1, 2).clone()
            filters.bias.data = linear.bias.detach().clone()  # type: ignore[union-attr]
            self.filters.append(filters)
        self.highways = nn.ModuleList(_linear(highway) for highway in encoder.highways)
        self.projection = _linear(encoder.projection)
        self.directions = nn.ModuleList(PlainDirection(network, way) for way in (0, 1))
        self.table = nn.Parameter(network.table.detach()[: network.n_entries].clone())
        self.bias = nn.Parameter(network.output_bias.detach()[: network.n_entries].clone())

    def encoded(self, characters: Tensor) -> Tensor:
        """(N, L) -> (N, P), of every token."""
        embedded = F.embedding(characters, self.characters).mT  # (N, E, L)
        x = torch.cat([torch.relu(filters(embedded).amax(-1)) for filters in self.filters], -1)
        for highway in self.highways:
            transformed, gate = highway(x).chunk(2, -1)
            gate = torch.sigmoid(gate)
            x = gate * torch.relu(transformed) + (1 - gate) * x
        projected: Tensor = self.projection(x)
        return projected

    def loss(self, batch: Any, state: Any) -> tuple[Tensor, Any]:
        """The mean of both directions, and their states."""
        short = self.max_characters - batch.characters.shape[1]
        characters = F.pad(batch.characters, (0, max(0, short)), value=NO_CHARACTER)[:, : self.max_characters]
        losses, after = [], []
        for way, (ids, targets) in enumerate(
            ((batch.forward, batch.forward_targets), (batch.backward, batch.backward_targets))
        ):
            x = self.encoded(characters[ids.flatten()]).view(*ids.shape, -1)
            x, remembered = self.directions[way](x, state[way])
            scores = F.linear(x.flatten(0, 1), self.table, self.bias)
            losses.append(F.cross_entropy(scores, targets.flatten()))
            after.append(remembered)
        return (losses[0] + losses[1]) / 2, after


def _linear(linear: nn.Linear) -> nn.Linear:
    made = nn.Linear(linear.in_features, linear.out_features)
    made.load_state_dict(linear.state_dict())
    return made


# --- runs, each in a process of its own -----------------------------------------------------------------------


def child(asked: Record) -> Record:
    torch.set_num_threads(THREADS)
    if asked["measure"] == "smoke":
        return smoke_run(asked)
    if asked["measure"] == "quality":
        return quality_run(asked)
    if asked["measure"] == "choices":
        return choice_run(asked)
    return speed_run(asked)


@contextmanager
def opened(asked: Record, family: Any) -> Iterator[tuple[Any, streams.Sentences]]:
    """The corpus, and the text that is read of it."""
    with prepared(Path(asked["path"]), PLAIN, family, cache_dir=Path(asked["work"]) / "cache") as encoded:
        vocabulary = streams.vocabulary(encoded, min_count=family.min_count, max_size=family.max_size)
        yield encoded, family.stream(encoded, vocabulary)


def speed_run(asked: Record) -> Record:
    """Steps for some seconds."""
    device = chosen_device(asked["device"])
    family = family_of(asked["program"], asked["size"], max_size=asked["words"], batch_size=asked["rows"])
    with opened(asked, family) as (encoded, text):
        network = family.network(len(text.vocabulary), asked["seed"])
        model = Model(family, Words(text.vocabulary, encoded.segmentation), network, {})
        if device.type == "cpu":
            keep_freed_memory()
        loop = Loop(
            Run(model, Budget(tokens=1e12), asked["seed"]), text, device, Silent(), None, None, processes=World()
        )
        step = loop.step
        if asked["program"] == "plain":
            step = plain_step(family, network, loop)
        loop.network.train()
        n_tokens, distinct = 0, []
        with ahead(loop.prepared, 0) as batches:
            for number in range(WARM_STEPS if device.type == "cpu" else 10):
                step(number, next(batches), 0.5)
            loop.sums.read()
            _wait(device)
            began, number = time.monotonic(), 10
            while time.monotonic() - began < asked["seconds"]:
                batch = next(batches)
                step(number, batch, 0.5)
                n_tokens, number = n_tokens + batch.n_tokens, number + 1
                distinct.append(len(batch.characters) / (2 * batch.n_tokens))
                if device.type == "cuda" and number % 20 == 0:
                    _wait(device)
            _wait(device)
            spent = time.monotonic() - began
        flops = family.flops_per_token(len(text.vocabulary))
        return {
            "positions_per_second": n_tokens / spent,
            "step_ms": 1e3 * spent / (number - 10),
            "distinct_share": statistics.mean(distinct),
            "vocabulary": len(text.vocabulary),
            "flops_per_position": flops,
            "device": devices.said(device),
            "precision": str(chosen_precision(device)),
            "memory_gib": torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else None,
        }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def plain_step(family: ELMo, network: Any, loop: Loop) -> Any:
    """A step of the plain program, whose first loss is checked."""
    plain = PlainELMo(family, network).to(loop.device)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=family.rate(0.5), weight_decay=family.weight_decay, fused=True)
    rows, n_layers = family.batch_size, family.n_layers
    zeros = (torch.zeros(rows, network.dim), torch.zeros(rows, network.cell_dim))
    state = [[(zeros[0].to(loop.device), zeros[1].to(loop.device)) for _ in range(n_layers)] for _ in (0, 1)]
    first = moved(tensors(family.batch(loop.text, 0, 0)), loop.device)
    with torch.no_grad():
        theirs, ours = plain.loss(first, state)[0], family.loss(network, first).mean
    if abs(float(theirs) - float(ours)) > 1e-4:
        raise SystemExit(f"the plain program's loss is {float(theirs)}, and firth's {float(ours)}")

    def step(number: int, batch: Any, fraction: float) -> None:
        nonlocal state
        loss, state = plain.loss(moved(batch, loop.device), state)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(plain.parameters(), family.longest_gradient)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return step


def quality_run(asked: Record) -> Record:
    """A run of some minutes, and what n-grams make of the same text."""
    family = family_of("default", asked["size"])
    path, work = Path(asked["path"]), Path(asked["work"])
    with tempfile.TemporaryDirectory() as folder:
        model = firth.train(
            family, path, minutes=asked["minutes"], seed=asked["seed"], threads=THREADS, device=asked["device"],
            output=Path(folder) / "model", cache_dir=work / "cache", matrices=False, preparation=PLAIN,
        )  # fmt: skip
        curve = [(line["fraction"], line["held_out_nats"]) for line in model.log if "held_out_nats" in line]
    spent = model.record["spent"]
    with opened(asked, family) as (_, text):
        found = {
            "seconds": spent["seconds"],
            "positions": spent["tokens"],
            "epochs": spent["epochs"],
            "elmo": perplexities(model.record),
            "words": model.record["words"],
            "held_out_positions": text.held_out.n_tokens if text.held_out else 0,
            "curve": curve,
        }
        return found | references(text, spent["tokens"], asked["seed"])


def choice_run(asked: Record) -> Record:
    """A run of so many positions, with something of the default changed."""
    model = firth.train(
        family_of("default", asked["size"], **asked["changes"]), Path(asked["path"]), tokens=asked["positions"],
        seed=asked["seed"], threads=THREADS, device=asked["device"], cache_dir=Path(asked["work"]) / "cache",
        matrices=False, preparation=PLAIN,
    )  # fmt: skip
    return {"elmo": perplexities(model.record), "seconds": model.record["spent"]["seconds"]}


def references(text: streams.Sentences, n_read: int, seed: int) -> Record:
    """Perplexities of n-grams on the held-out text, each way."""
    if text.held_out is None:
        raise SystemExit("the corpus is too small to hold anything out; give a larger one")
    n_words = len(text.vocabulary)
    found: Record = {"unigram": {}, "trigram": {}, "trigram_of_words_read": {}}
    begin, end = text.vocabulary.row(BEGIN), text.vocabulary.row(END)
    train, out = (list(_sentences(part)) for part in (text, text.held_out))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(train))
    ends = np.cumsum([len(train[number]) + 1 for number in order])
    read = [train[number] for number in order[: int(np.searchsorted(ends, n_read)) + 1]]
    for name, marks in (("forward", (begin, end)), ("backward", (end, begin))):
        turned = slice(None) if name == "forward" else slice(None, None, -1)
        asked = events([sentence[turned] for sentence in out], *marks)
        for kind, sentences in (("trigram", train), ("trigram_of_words_read", read)):
            seen = events([sentence[turned] for sentence in sentences], *marks)
            found[kind][name] = math.exp(nats(Trigrams(seen, marks[0], n_words), asked))
            if kind == "trigram":
                found["unigram"][name] = math.exp(_unigram_nats(seen, asked, n_words))
    for perplexity in found.values():
        perplexity["mean"] = math.sqrt(perplexity["forward"] * perplexity["backward"])
    return found | {"words_read": int(sum(len(sentence) + 1 for sentence in read))}


def _unigram_nats(seen: Events, asked: Events, n_words: int) -> float:
    counts = np.bincount(seen.words, minlength=n_words) + 1e-9
    return float(-np.log(counts[asked.words] / counts.sum()).mean())


def _sentences(text: streams.Sentences) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
    """The rows of the vocabulary of each sentence."""
    for first, stop in zip(text.firsts.tolist(), text.stops.tolist(), strict=True):
        for line in range(first, stop):
            start = text.line_ends[line - 1] if line else 0
            yield text.row_of_type[text.corpus.type_ids[start : text.line_ends[line]]]


def smoke_run(asked: Record) -> Record:
    """bilm-tf's test of its training, by its recipe: the text that is learnt is the one that is asked."""
    folder = SHARED / "fixtures" / "elmo" / "train"
    words = (folder / "vocab.txt").read_text(encoding="utf-8").split()
    lines = [line.split() for line in (folder / "data.txt").read_text(encoding="utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as place:
        encoded = encode(corpora.read(lines), None, Path(place) / "corpus")
        vocabulary = Vocabulary(words, np.ones(len(words), np.int64))
        shape: dict[str, Any] = {
            "corpus": encoded, "vocabulary": vocabulary, "row_of_type": streams.rows_of_types(encoded, vocabulary),
            "line_ends": encoded.line_ends, "firsts": np.array([0]), "stops": np.array([len(lines)]),
            "context_length": SMOKE.context_length, "directions": SMOKE.directions,
        }  # fmt: skip
        asked_of = streams.Sentences(**shape, held_out=None, batch_size=1)
        text = streams.Sentences(**shape, held_out=asked_of, batch_size=SMOKE.batch_size)
        network = SMOKE.network(len(words), asked["seed"])
        model = Model(SMOKE, Words(vocabulary, encoded.segmentation), network, {})
        budget = Budget(tokens=300 * SMOKE.batch_size * SMOKE.context_length)
        Loop(Run(model, budget, asked["seed"]), text, torch.device("cpu"), Silent(), None, None).run()
        encoded.close()
    return {
        "perplexity": perplexities(model.record)["mean"],
        "before": math.exp(model.record["held_out_nats"]["before"]),
    }


# --- what is asked for ----------------------------------------------------------------------------------------


class Comparison:
    """What all runs share."""

    def __init__(self, arguments: argparse.Namespace, work: Path) -> None:
        self.arguments, self.work = arguments, work

    def run(self, seed: int, **given: Any) -> Record:
        """A run with these settings, unless it is recorded."""
        settings = {"corpus": self.arguments.corpus.name, "threads": THREADS} | given

        def measured() -> Record:
            place = {"path": str(self.arguments.corpus), "work": str(self.work), "seed": seed}
            done = run_measured([sys.executable, __file__, "--child", json.dumps(settings | place)])
            record: Record = json.loads(done.output.strip().splitlines()[-1])
            return record | {"peak_anonymous_mib": done.peak_anonymous_mib}

        return recorded("elmo", settings, seed, measured, commit=self.arguments.commit)

    def speeds(self) -> str:
        runs: dict[str, list[Record]] = {program: [] for program in PROGRAMS}
        shared = {"measure": "speed", "size": self.arguments.size, "words": WORDS, "rows": 128, "device": "cpu"}
        for seed in range(1, ROUNDS + 1):
            for program in PROGRAMS:
                runs[program].append(self.run(seed, **shared, program=program, seconds=self.arguments.seconds))
        lines = [
            f"## Positions a second on {THREADS} threads: {self.arguments.size}, 128 rows of 20, {WORDS:,} words",
            "",
            "| program | positions/s (lowest to highest) | times plain | distinct words to a token | memory, MiB |",
            "|---|---|---|---|---|",
        ]
        plain = statistics.median(record["positions_per_second"] for record in runs["plain"])
        for program, records in runs.items():
            rates = [record["positions_per_second"] for record in records]
            rate = statistics.median(rates)
            lines.append(
                f"| {program} | {rate:,.0f} ({min(rates):,.0f} to {max(rates):,.0f}) | {rate / plain:.2f} | "
                f"{records[0]['distinct_share']:.2f} | {max(record['peak_anonymous_mib'] for record in records):,.0f} |"
            )
        ratio = statistics.median(record["positions_per_second"] for record in runs["default"]) / plain
        lines += ["", f"The default is **{ratio:.2f} times** as fast as plain (aimed at: {NEEDED}).", ""]
        return "\n".join(lines)

    def quality(self) -> str:
        minutes = self.arguments.minutes
        record = self.run(1, measure="quality", size="mini", minutes=minutes, device="cpu")
        lines = [
            f"## Held-out perplexity after {minutes:g} minutes of mini",
            "",
            "| model | read | forward | backward | mean |",
            "|---|---|---|---|---|",
        ]
        of_all, of_read = "all of the training text", f"{record['words_read']:,} of it"
        for name, title, read in (
            ("unigram", "unigrams", of_all),
            ("trigram_of_words_read", "trigrams, Kneser-Ney", of_read),
            ("trigram", "trigrams, Kneser-Ney", of_all),
            ("elmo", "ELMo mini", f"{record['positions']:,}, {record['epochs']:.2f} passes"),
        ):
            found = record[name]
            lines.append(
                f"| {title} | {read} | {found['forward']:,.1f} | {found['backward']:,.1f} | {found['mean']:,.1f} |"
            )
        words = record["words"]
        lines += [
            "",
            f"{words['vocabulary']:,} words are predicted, {words['held_out_unknown_share']:.2%} of those held out "
            f"are <UNK>; {record['held_out_positions']:,} held-out positions each way.",
            "",
        ]
        return "\n".join(lines)

    def choices(self) -> str:
        positions = self.arguments.positions
        shared = {"measure": "choices", "size": "tiny", "positions": positions, "device": "cpu"}
        lines = [
            f"## Held-out perplexity of tiny after {positions:,} positions",
            "",
            "| changed | forward | backward | mean | seconds |",
            "|---|---|---|---|---|",
        ]
        for name, changes in CHOICES.items():
            for seed in (1, 2, 3) if not changes else (1,):
                record = self.run(seed, **shared, changes=changes)
                found = record["elmo"]
                lines.append(
                    f"| {name}{'' if changes else f', seed {seed}'} | {found['forward']:,.0f} | "
                    f"{found['backward']:,.0f} | {found['mean']:,.0f} | {record['seconds']:.0f} |"
                )
        return "\n".join([*lines, ""])

    def smoke(self) -> str:
        found = [self.run(seed, measure="smoke")["perplexity"] for seed in (1, 2, 3)]
        shown = ", ".join(f"{perplexity:.1f}" for perplexity in found)
        return f"## bilm-tf's test of training\n\nPerplexity {shown} (three seeds); it asks for less than 20.\n"

    def gpu(self) -> str:
        on_cuda = self.arguments.device == "cuda"
        device, size, rows = ("cuda", "original", 384) if on_cuda else ("cpu", "tiny", 16)
        shared = {"measure": "gpu", "device": device, "size": size, "rows": rows, "words": 50_000 if on_cuda else 1000}
        lines = [
            f"## {'On a GPU' if on_cuda else 'As on a GPU, to see that it runs'}: {size}, {rows} rows of 20",
            "",
            "| program | positions/s | TFLOP/s of firth's count | memory, GiB |",
            "|---|---|---|---|",
        ]
        for program in ("default", "full", "library", "exact"):
            record = self.run(1, **shared, program=program, seconds=self.arguments.seconds)
            rate = record["positions_per_second"]
            work = rate * record["flops_per_position"] / 1e12
            lines.append(f"| {program} | {rate:,.0f} | {work:.2f} | {record['memory_gib'] or 0:.1f} |")
        lines += ["", f"{record['device']}, {record['precision']}. Aimed at: {NEEDED_ON_GPU:,} on one H100.", ""]
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["speed"], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--work", type=Path, help="where the encoded corpus is kept; else it is made anew each time")
    parser.add_argument("--minutes", type=float, default=5.0, help="of the run for quality")
    parser.add_argument("--positions", type=int, default=60_000, help="of each run for choices")
    parser.add_argument("--seconds", type=float, default=SPEED_SECONDS, help="of each run for its speed")
    parser.add_argument("--size", default="small", help="of the runs for speed")
    parser.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda" if torch.cuda.is_available() else "cpu",
        help="of the part gpu; what is recorded of the other one is shown by naming it",
    )  # fmt: skip
    parser.add_argument("--commit", action="store_true", help="commit results/elmo.jsonl after each run")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(child(json.loads(arguments.child))))
        return
    if unknown := set(arguments.parts) - set(PARTS):
        raise SystemExit(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if arguments.corpus is None or not arguments.corpus.is_file():
        raise SystemExit(f"--corpus {arguments.corpus}: no such file; give a text file (UTF-8, or .xz of it)")
    with tempfile.TemporaryDirectory() as temporary:
        comparison = Comparison(arguments, arguments.work or Path(temporary))
        parts = [getattr(comparison, {"speed": "speeds"}.get(part, part))() for part in arguments.parts]
    head = (
        f"# ELMo\n\n`python benchmarks/elmo.py --corpus {arguments.corpus.name} {' '.join(arguments.parts)}`. Every "
        f"run: `elmo.jsonl`. Machine: {machine()}, torch {torch.__version__}.\n\n"
        f"`{arguments.corpus.name}` is the first 24 MB of the English Wikipedia text (en-wiki.txt.xz). All but "
        "bilm-tf's test reads it in lower case and without punctuation marks (`--no-cased --no-punctuation`), which by "
        "itself ELMo keeps.\n"
    )
    (RESULTS / "elmo.md").write_text("\n".join([head, *parts]), encoding="utf-8")
    print((RESULTS / "elmo.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
