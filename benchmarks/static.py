"""Skip-gram and CBOW: firth beside gensim 4.4, alternately, at equal settings and each at its best learning rate.

    python benchmarks/static.py --corpus ../shared/data/corpora/en-wiki.txt.xz

First one normalised file is written (lower-case letters, digits spelt out, words parted by blanks), which both read:
firth by `firth train`, gensim by `corpus_file`, its fastest mode. The learning rate is searched on the file's first
SEARCH_WORDS words with one seed; then three seeds run on all of it. Both are scored by firth's evaluation, whose
figures equal gensim's own. Every run is a process of its own, and is recorded in results/static.jsonl; those that stand
there are not run again. The table goes to results/static.md.

With T threads, each reading its part of `corpus_file`, gensim lets the learning rate fall by only 1/T of what is due
within an epoch: it begins each epoch where it should, and ends the last one at a tenth of the first rate (T = 2, 5
epochs) instead of at `min_alpha`. `--one-thread skipgram` adds gensim with one thread, whose rate falls as it says, for
its scores; its times are not used, so that other work may run meanwhile (another 45 minutes for Skip-gram).

Recorded runs in all: about 45 minutes on 2 cores for the English corpus of 21.6 M words, half of them gensim's
Skip-gram.
"""

import argparse
import json
import lzma
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from recording import EVALUATION, RESULTS, Record, machine, recorded, run_measured

from firth import CBOW, Skipgram, Vectors, Vocabulary
from firth.evaluation import read_analogies, read_word_pairs

SETTINGS = {
    "dim": 100,
    "window": 5,
    "negatives": 5,
    "sample": 1e-3,
    "min_count": 5,
    "epochs": 5,
    "threads": 2,
}
LEARNING_RATES = (0.025, 0.04, 0.05, 0.075)
SEARCH_WORDS = 5_000_000
SEEDS = (1, 2, 3)
PROGRAMS = ("gensim", "firth")
ONE_THREAD = "gensim, 1 thread"
SCORES = ("wordsim353", "simlex999", "analogies")
DEFAULTS: dict[str, Any] = {"skipgram": Skipgram(), "cbow": CBOW()}
NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def normalised(corpus: Path, into: Path, n_words: int | None = None) -> int:
    """Writes the normalised corpus, or the lines of its first n_words words; returns how many words that is."""
    total = 0
    with into.open("w", encoding="ascii") as file:
        for line in lines(corpus):
            spelt = re.sub("[0-9]", lambda digit: f" {NUMERALS[int(digit[0])]} ", line.lower())
            words = re.sub("[^a-z]+", " ", spelt).split()
            if words:
                file.write(" ".join(words) + "\n")
                total += len(words)
            if n_words is not None and total >= n_words:
                break
    return total


def lines(corpus: Path) -> Iterator[str]:
    opened = lzma.open if corpus.suffix == ".xz" else open
    with opened(corpus, "rt", encoding="utf-8") as file:
        yield from file


def train(program: str, family: str, text: Path, learning_rate: float, seed: int) -> Record:
    """One run from the file to saved vectors: seconds, memory, scores."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        if program == "firth":
            return firth_run(family, text, learning_rate, seed, model)
        return gensim_run(family, text, learning_rate, seed, model, threads(program))


def threads(program: str) -> int:
    return 1 if program == ONE_THREAD else int(SETTINGS["threads"])


def firth_run(family: str, text: Path, learning_rate: float, seed: int, model: Path) -> Record:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
    rates = [f"--learning-rate={learning_rate}", f"--seed={seed}"]
    fresh = ["--cache-dir", str(model.with_name("cache"))]  # nothing that an earlier run has read
    command = [sys.executable, "-m", "firth", "train", family, str(text), "-o", str(model), "--quiet", *fresh]
    command += [*flags, *rates]
    measured = run_measured(command)
    record = json.loads((model / "firth.json").read_text(encoding="utf-8"))
    vocabulary = Vocabulary.read(model / "vocabulary.tsv")
    n_kept = float((vocabulary.counts * vocabulary.keep_probabilities(SETTINGS["sample"])).sum())
    return {
        "version": version("firth"),
        "count_and_encode_seconds": record["prepared"]["encode_seconds"],
        "compile_seconds": record["prepared"]["compile_seconds"],
        "train_seconds": record["spent"]["seconds"],
        "words_per_second": record["spent"]["tokens"] / record["spent"]["seconds"],
        "loss_nats": record["loss_nats"],
        "pairs_per_word": record["spent"]["n_pairs"] / record["spent"]["tokens"],
        "kept_per_word": n_kept / record["corpus"]["n_tokens"],
    } | common(measured.wall_seconds, measured.peak_anonymous_mib, model)


def gensim_run(family: str, text: Path, learning_rate: float, seed: int, model: Path, n_threads: int) -> Record:
    arguments = json.dumps([family, str(text), learning_rate, seed, str(model), n_threads])
    measured = run_measured([sys.executable, __file__, "--gensim", arguments])
    path = model.with_suffix(".bin")
    record: Record = json.loads(measured.output)
    return record | common(measured.wall_seconds, measured.peak_anonymous_mib, path)


def gensim_child(family: str, text: str, learning_rate: float, seed: int, model: str, n_threads: int) -> None:
    """What the gensim process does; prints its times."""
    from gensim.models import Word2Vec

    began = time.monotonic()
    word2vec = Word2Vec(
        vector_size=SETTINGS["dim"],
        window=SETTINGS["window"],
        negative=SETTINGS["negatives"],
        sample=SETTINGS["sample"],
        min_count=SETTINGS["min_count"],
        workers=n_threads,
        sg=int(family == "skipgram"),
        alpha=learning_rate,
        seed=seed,
    )
    word2vec.build_vocab(corpus_file=text)
    counted = time.monotonic()
    word2vec.train(
        corpus_file=text,
        total_examples=word2vec.corpus_count,
        total_words=word2vec.corpus_total_words,
        epochs=SETTINGS["epochs"],
    )
    trained = time.monotonic()
    word2vec.wv.save_word2vec_format(f"{model}.bin", binary=True)
    print(
        json.dumps(
            {
                "version": version("gensim"),
                "count_and_encode_seconds": round(counted - began, 3),
                "train_seconds": round(trained - counted, 3),
                "words_per_second": word2vec.corpus_total_words * SETTINGS["epochs"] / (trained - counted),
            }
        )
    )


def common(wall_seconds: float, peak_anonymous_mib: float, vectors: Path) -> Record:
    """What is measured alike for both programs, the scores too."""
    matrix = Vectors.load(vectors)
    english = EVALUATION / "en"
    return {
        "wall_seconds": wall_seconds,
        "peak_anonymous_mib": peak_anonymous_mib,
        "wordsim353": matrix.evaluate_word_pairs(read_word_pairs(english / "wordsim353.tsv")).spearman,
        "simlex999": matrix.evaluate_word_pairs(read_word_pairs(english / "simlex999.txt")).spearman,
        "analogies": matrix.evaluate_word_analogies(read_analogies(english / "questions-words.txt")).total.accuracy,
    }


def best_learning_rate(records: dict[float, Record]) -> float:
    """The one with the highest mean of the three scores."""
    return max(records, key=lambda rate: mean_score(records[rate]))


def mean_score(record: Record) -> float:
    return float(statistics.mean(record[score] for score in SCORES))


Runs = dict[str, list[Record]]
Search = dict[str, dict[float, Record]]


def compare(
    family: str, corpus: Path, n_words: dict[Path, int], *, one_thread: bool, commit: bool
) -> tuple[Runs, Search]:
    """The records of the programs over the seeds, alternately, each at its best learning rate; and the search."""
    whole, part = n_words

    def record(program: str, text: Path, rate: float, seed: int) -> Record:
        settings: dict[str, Any] = SETTINGS | {
            "program": "gensim" if program == ONE_THREAD else program,
            "family": family,
            "corpus": corpus.name,
            "n_words": n_words[text],
            "learning_rate": rate,
            "threads": threads(program),
        }
        if program == "firth":
            family_here = DEFAULTS[family]
            settings |= {"block": family_here.block, "noise_pool": family_here.noise_pool}
        return recorded("static", settings, seed, lambda: train(program, family, text, rate, seed), commit=commit)

    search: Search = {program: {} for program in PROGRAMS}
    for rate in LEARNING_RATES:
        for program in PROGRAMS:
            search[program][rate] = record(program, part, rate, SEEDS[0])
    rates = {program: best_learning_rate(search[program]) for program in PROGRAMS}
    runs: Runs = {program: [] for program in PROGRAMS}
    for seed in SEEDS:
        for program in PROGRAMS:
            runs[program].append(record(program, whole, rates[program], seed))
    if one_thread:
        runs[ONE_THREAD] = [record(ONE_THREAD, whole, rates["gensim"], seed) for seed in SEEDS]
    return runs, search


def table(family: str, runs: Runs, search: Search) -> str:
    """The comparison as Markdown: means over the seeds, with the spread where chance plays, and ratios."""

    def mean(program: str, name: str) -> float:
        return float(statistics.mean(record[name] for record in runs[program]))

    rows: list[tuple[str, Callable[[str], str]]] = [
        ("learning rate", lambda program: f"{runs[program][0]['settings']['learning_rate']}"),
        ("count and encode, s", lambda program: f"{mean(program, 'count_and_encode_seconds'):.1f}"),
        ("train, s", lambda program: f"{mean(program, 'train_seconds'):.1f}"),
        ("raw words/s in training", lambda program: f"{mean(program, 'words_per_second'):,.0f}"),
        ("file to saved vectors, s", lambda program: f"{mean(program, 'wall_seconds'):.1f}"),
        ("peak anonymous memory, MiB", lambda program: f"{mean(program, 'peak_anonymous_mib'):.0f}"),
    ]
    for score in SCORES:
        rows.append((score, partial(with_spread, runs, score)))
    lines = [f"## {family}", "", "| | gensim | firth |", "|---|---|---|"]
    lines += [f"| {name} | {show('gensim')} | {show('firth')} |" for name, show in rows]
    lines += [
        "",
        f"The search for the learning rate, on {SEARCH_WORDS:,} words (means of the three scores): "
        + "; ".join(
            f"{program} " + ", ".join(f"{rate}: {mean_score(record):.3f}" for rate, record in search[program].items())
            for program in PROGRAMS
        )
        + ".",
    ]
    if ONE_THREAD in runs:
        scores = "; ".join(f"{score} {with_spread(runs, score, ONE_THREAD)}" for score in SCORES)
        lines += [
            "",
            f"gensim on one thread, whose learning rate falls to its end: {scores}. Against these, firth's scores "
            + equality(runs, ONE_THREAD),
        ]
    faster = mean("firth", "words_per_second") / mean("gensim", "words_per_second")
    sooner = mean("gensim", "wall_seconds") / mean("firth", "wall_seconds")
    lines += [
        "",
        f"firth trains at **{faster:.2f} times** gensim's words per second, and takes the file to saved vectors "
        f"{sooner:.2f} times as fast. Scores " + equality(runs, "gensim"),
        "",
    ]
    return "\n".join(lines)


def floor(family: str, runs: list[Record], gigaflops: float) -> str:
    """How far the training is from the time that its arithmetic alone would take on these cores."""
    defaults = DEFAULTS[family]
    pairs, kept = (statistics.mean(run[name] for run in runs) for name in ("pairs_per_word", "kept_per_word"))
    dim = SETTINGS["dim"]
    # a score and two gradients for each pair and each pool word: 3 products of two vectors, 2 operations a number
    operations = 6 * dim * (pairs + kept * defaults.noise_pool)
    # rows read and written back, 4 bytes a number: the centre's, the pool's share, the window's with its overlap
    span = (defaults.block + 2 * defaults.window) / defaults.block
    rows = 1 + defaults.noise_pool / defaults.block + span
    traffic = kept * rows * dim * 4 * 2
    floor_words = gigaflops * 1e9 / operations
    reached = statistics.mean(run["words_per_second"] for run in runs)
    return (
        f"Work for a raw word: {operations:,.0f} floating-point operations and {traffic:,.0f} bytes of rows gathered "
        f"and added back. At the {gigaflops:.0f} GFLOP/s that NumPy's matrix product of 2048 x 2048 reaches here, the "
        f"arithmetic alone allows {floor_words / 1e6:.1f} M words/s; firth is at {reached / floor_words:.0%} of that.\n"
    )


def measured_gigaflops() -> float:
    """What a large float32 product reaches on these cores: the best of five."""
    matrix = np.random.default_rng(0).random((2048, 2048), dtype=np.float32)
    seconds = []
    for _ in range(6):
        began = time.perf_counter()
        matrix @ matrix
        seconds.append(time.perf_counter() - began)
    return 2 * 2048**3 / min(seconds) / 1e9


def with_spread(runs: Runs, score: str, program: str) -> str:
    values = [record[score] for record in runs[program]]
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def equality(runs: Runs, peer: str) -> str:
    """Whether firth's scores equal the peer's: its mean is not below by more than max(.01, 2 standard errors)."""
    equal, told = True, []
    for score in SCORES:
        ours, theirs = ([record[score] for record in runs[program]] for program in ("firth", peer))
        difference = statistics.mean(ours) - statistics.mean(theirs)
        squared_errors = [statistics.variance(values) / len(values) for values in (ours, theirs)]
        margin = max(0.01, 2 * sum(squared_errors) ** 0.5)
        equal = equal and difference >= -margin
        told.append(f"{score} {difference:+.3f} (allowed -{margin:.3f})")
    return f"{'are equal' if equal else 'are NOT equal'} by the rule: {'; '.join(told)}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--families", default="skipgram,cbow")
    parser.add_argument(
        "--one-thread", default="", help="families for which to add gensim on one thread, for its scores"
    )
    parser.add_argument("--commit", action="store_true", help="commit results/static.jsonl after each run")
    parser.add_argument("--gensim", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.gensim is not None:
        gensim_child(*json.loads(arguments.gensim))
        return
    if arguments.corpus is None or not arguments.corpus.is_file():
        raise SystemExit(f"--corpus {arguments.corpus}: no such file; give a text file (UTF-8, or .xz of it)")
    if not EVALUATION.is_dir():
        raise SystemExit(f"the evaluation sets are not at {EVALUATION}; set FIRTH_SHARED")
    parts = []
    with tempfile.TemporaryDirectory() as folder:
        whole, part = Path(folder) / "whole.txt", Path(folder) / "part.txt"
        n_words = {whole: normalised(arguments.corpus, whole), part: normalised(arguments.corpus, part, SEARCH_WORDS)}
        commits = set()
        for family in arguments.families.split(","):
            runs, search = compare(
                family,
                arguments.corpus,
                n_words,
                one_thread=family in arguments.one_thread.split(","),
                commit=arguments.commit,
            )
            commits |= {record["commit"] for record in runs["firth"]}
            parts.append(table(family, runs, search) + floor(family, runs["firth"], measured_gigaflops()))
            print(parts[-1])
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    head = (
        f"# firth beside gensim\n\n`python benchmarks/static.py --corpus {arguments.corpus.name}`: "
        f"{n_words[whole]:,} words; "
        f"{settings}; means of seeds {', '.join(map(str, SEEDS))} (lowest to highest). "
        f"Every run: `static.jsonl`.\n\nMachine: {machine()}. Commits: {', '.join(sorted(commits))}.\n"
    )
    (RESULTS / "static.md").write_text("\n".join([head, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
