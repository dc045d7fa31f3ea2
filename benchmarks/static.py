"""Skip-gram and CBOW: firth beside gensim 4.4, alternately, at equal settings and each at its best learning rate.

    python benchmarks/static.py --corpus ../shared/data/corpora/en-wiki.txt.xz \\
        --chinese ../shared/data/corpora/zh-mixed.txt.xz

First one normalised file is written (lower-case letters, digits spelt out, words parted by blanks), which both read:
firth by `firth train`, gensim by `corpus_file`, its fastest mode. The learning rate is searched on the file's first
SEARCH_WORDS words with one seed; then three seeds run on all of it (Skip-gram: a fourth, in turns on another day). Both
are scored by firth's evaluation, whose figures equal gensim's own. Every run is a process of its own, and is recorded
in results/static.jsonl; those that stand there are not run again. The table goes to results/static.md.

With T threads, each reading its part of `corpus_file`, gensim lets the learning rate fall by only 1/T of what is due
within an epoch: it begins each epoch where it should, and ends the last one at a tenth of the first rate (T = 2, 5
epochs) instead of at `min_alpha`. `--one-thread skipgram` adds gensim with one thread, whose rate falls as it says, for
its scores; its times are not used, so that other work may run meanwhile (another 45 minutes for Skip-gram).

Beside the whole corpus with 100 dimensions and 5 negatives, Skip-gram is compared on the first 2 M words, there also
with 300 dimensions and with 10 negatives (at the best rates of 100 and 5, and with the noise pool of the whole corpus,
since these two stand for it), and on Chinese, cut into words beforehand for both; and firth with itself under
`--reproducible`.

Recorded runs in all: about 75 minutes on 2 cores for the English corpus of 21.6 M words and the Chinese of 4.2 M, most
of them gensim's Skip-gram.
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
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from recording import EVALUATION, RESULTS, Record, commits_of, machine, recorded, run_measured

from firth import CBOW, Skipgram, Vectors, Vocabulary
from firth.evaluation import read_analogies, read_word_pairs
from firth.families.skipgram import pool_for

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
FEW_WORDS = 2_000_000
SEEDS = (1, 2, 3)
PROGRAMS = ("gensim", "firth")
ONE_THREAD = "gensim, 1 thread"
REPRODUCIBLE = "firth --reproducible"
SCORES = ("wordsim353", "simlex999", "analogies")
CHINESE_SCORES = ("wordsim240",)
DEFAULTS: dict[str, Any] = {"skipgram": Skipgram(), "cbow": CBOW()}
NUMERALS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One table: a family on a text, with what differs from SETTINGS."""

    name: str
    family: str
    text: Path
    corpus: str
    n_words: int
    search: tuple[Path, int] | None  # on which text the learning rates are searched; None: those of the first table
    scores: tuple[str, ...] = SCORES
    changes: dict[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = SEEDS
    pool_as_if: int | None = None  # words of a corpus whose noise pool is taken; None: this one's

    @property
    def settings(self) -> dict[str, Any]:
        return SETTINGS | self.changes

    @property
    def noise_pool(self) -> int:
        """The default of firth's family, told to it in so many words."""
        default = DEFAULTS[self.family].noise_pool
        return int(default or pool_for(self.settings["negatives"], self.pool_as_if or self.n_words))


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


def cut_into_words(corpus: Path, into: Path, n_words: int | None = None) -> int:
    """Writes a Chinese corpus as words parted by blanks, a paragraph a line, or the lines of its first n_words words.

    Returns how many words that is.
    """
    from firth.segmentation import Segmentation

    segmentation = Segmentation(method="chinese", lower=True)
    total = 0
    with into.open("w", encoding="utf-8") as file:
        for line in lines(corpus):
            if words := segmentation.words(line):
                file.write(" ".join(words) + "\n")
                total += len(words)
            if n_words is not None and total >= n_words:
                break
    return total


def lines(corpus: Path) -> Iterator[str]:
    opened = lzma.open if corpus.suffix == ".xz" else open
    with opened(corpus, "rt", encoding="utf-8") as file:
        yield from file


def train(program: str, of: Comparison, text: Path, learning_rate: float, seed: int) -> Record:
    """One run from the file to saved vectors: seconds, memory, scores."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        if program.startswith("firth"):
            return firth_run(of, text, learning_rate, seed, model, reproducible=program == REPRODUCIBLE)
        return gensim_run(of, text, learning_rate, seed, model, threads(program))


def threads(program: str) -> int:
    return 1 if program == ONE_THREAD else int(SETTINGS["threads"])


def firth_run(
    of: Comparison, text: Path, learning_rate: float, seed: int, model: Path, *, reproducible: bool
) -> Record:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in of.settings.items()]
    rates = [f"--learning-rate={learning_rate}", f"--seed={seed}", f"--noise-pool={of.noise_pool}", "--segment=space"]
    fresh = ["--cache-dir", str(model.with_name("cache"))]  # nothing that an earlier run has read
    command = [sys.executable, "-m", "firth", "train", of.family, str(text), "-o", str(model), "--quiet", *fresh]
    command += [*flags, *rates, *(["--reproducible"] if reproducible else [])]
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
    } | common(measured.wall_seconds, measured.peak_anonymous_mib, model, of.scores)


def gensim_run(of: Comparison, text: Path, learning_rate: float, seed: int, model: Path, n_threads: int) -> Record:
    arguments = json.dumps([of.family, str(text), learning_rate, seed, str(model), n_threads, of.settings])
    measured = run_measured([sys.executable, __file__, "--gensim", arguments])
    path = model.with_suffix(".bin")
    record: Record = json.loads(measured.output)
    return record | common(measured.wall_seconds, measured.peak_anonymous_mib, path, of.scores)


def gensim_child(
    family: str, text: str, learning_rate: float, seed: int, model: str, n_threads: int, settings: dict[str, Any]
) -> None:
    """What the gensim process does; prints its times."""
    from gensim.models import Word2Vec

    began = time.monotonic()
    word2vec = Word2Vec(
        vector_size=settings["dim"],
        window=settings["window"],
        negative=settings["negatives"],
        sample=settings["sample"],
        min_count=settings["min_count"],
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
        epochs=settings["epochs"],
    )
    trained = time.monotonic()
    word2vec.wv.save_word2vec_format(f"{model}.bin", binary=True)
    print(
        json.dumps(
            {
                "version": version("gensim"),
                "count_and_encode_seconds": round(counted - began, 3),
                "train_seconds": round(trained - counted, 3),
                "words_per_second": word2vec.corpus_total_words * settings["epochs"] / (trained - counted),
            }
        )
    )


def common(wall_seconds: float, peak_anonymous_mib: float, vectors: Path, scores: tuple[str, ...] = SCORES) -> Record:
    """What is measured alike for both programs, the scores too."""
    matrix = Vectors.load(vectors)
    english = EVALUATION / "en"
    score: dict[str, Callable[[], float]] = {
        "wordsim353": lambda: matrix.evaluate_word_pairs(read_word_pairs(english / "wordsim353.tsv")).spearman,
        "simlex999": lambda: matrix.evaluate_word_pairs(read_word_pairs(english / "simlex999.txt")).spearman,
        "analogies": lambda: (
            matrix.evaluate_word_analogies(read_analogies(english / "questions-words.txt")).total.accuracy
        ),
        "wordsim240": lambda: (
            matrix.evaluate_word_pairs(read_word_pairs(EVALUATION / "zh" / "wordsim-240.txt")).spearman
        ),
    }
    return {
        "wall_seconds": wall_seconds,
        "peak_anonymous_mib": peak_anonymous_mib,
        **{name: score[name]() for name in scores},
    }


def best_learning_rate(records: dict[float, Record], scores: tuple[str, ...]) -> float:
    """The one with the highest mean of the scores."""
    return max(records, key=lambda rate: mean_score(records[rate], scores))


def mean_score(record: Record, scores: tuple[str, ...]) -> float:
    return float(statistics.mean(record[score] for score in scores))


Runs = dict[str, list[Record]]
Search = dict[str, dict[float, Record]]


def compare(
    of: Comparison, rates: dict[str, float], *, one_thread: bool, reproducible: bool, commit: bool
) -> tuple[Runs, Search, dict[str, float]]:
    """The programs' records over the seeds, alternately, each at its best learning rate; the search; the rates."""

    def record(program: str, text: Path, n_words: int, rate: float, seed: int) -> Record:
        settings: dict[str, Any] = of.settings | {
            "program": "gensim" if program == ONE_THREAD else program,
            "family": of.family,
            "corpus": of.corpus,
            "n_words": n_words,
            "learning_rate": rate,
            "threads": threads(program),
        }
        if program.startswith("firth"):
            defaults = DEFAULTS[of.family]
            settings |= {
                "block": defaults.block,
                "noise_pool": of.noise_pool,
                "final_learning_rate": replace(defaults, learning_rate=rate).rate(1.0),
                "order": "halves in turns",
            }
        return recorded("static", settings, seed, lambda: train(program, of, text, rate, seed), commit=commit)

    search: Search = {}
    if of.search is not None:
        search = {program: {} for program in PROGRAMS}
        for rate in LEARNING_RATES:
            for program in PROGRAMS:
                search[program][rate] = record(program, *of.search, rate, SEEDS[0])
        rates = {program: best_learning_rate(search[program], of.scores) for program in PROGRAMS}
    runs: Runs = {program: [] for program in PROGRAMS}
    for seed in of.seeds:
        for program in PROGRAMS:
            runs[program].append(record(program, of.text, of.n_words, rates[program], seed))
    if one_thread:
        runs[ONE_THREAD] = [record(ONE_THREAD, of.text, of.n_words, rates["gensim"], seed) for seed in SEEDS]
    if reproducible:
        runs[REPRODUCIBLE] = [record(REPRODUCIBLE, of.text, of.n_words, rates["firth"], seed) for seed in SEEDS]
    return runs, search, rates


def table(of: Comparison, runs: Runs, search: Search) -> str:
    """The comparison as Markdown: means over the seeds, with the spread where chance plays, and ratios."""

    def mean(program: str, name: str) -> float:
        return float(statistics.mean(record[name] for record in runs[program]))

    rows: list[tuple[str, Callable[[str], str]]] = [
        ("learning rate", lambda program: f"{runs[program][0]['settings']['learning_rate']}"),
        ("count and encode, s", lambda program: f"{mean(program, 'count_and_encode_seconds'):.1f}"),
        ("train, s", lambda program: f"{mean(program, 'train_seconds'):.1f}"),
        ("raw words/s in training", lambda program: f"{mean(program, 'words_per_second'):,.0f}"),
        ("file to saved vectors, s", lambda program: f"{mean(program, 'wall_seconds'):.1f}"),
        ("compile or load the step, s", partial(compile_seconds, runs)),
        ("peak anonymous memory, MiB", lambda program: f"{mean(program, 'peak_anonymous_mib'):.0f}"),
    ]
    for score in of.scores:
        rows.append((score, partial(with_spread, runs, score)))
    lines = [f"## {of.name}", "", "| | gensim | firth |", "|---|---|---|"]
    lines += [f"| {name} | {show('gensim')} | {show('firth')} |" for name, show in rows]
    if search:
        found = "; ".join(
            f"{program} "
            + ", ".join(f"{rate}: {mean_score(record, of.scores):.3f}" for rate, record in search[program].items())
            for program in PROGRAMS
        )
        n_words = of.search[1] if of.search else 0
        lines += ["", f"The search for the learning rate, on {n_words:,} words (means of the scores): {found}."]
    if ONE_THREAD in runs:
        scores = "; ".join(f"{score} {with_spread(runs, score, ONE_THREAD)}" for score in of.scores)
        lines += [
            "",
            f"gensim on one thread, whose learning rate falls to its end: {scores}. Against these, firth's scores "
            + equality(of.scores, runs, ONE_THREAD),
        ]
    if REPRODUCIBLE in runs:
        slower = mean("firth", "words_per_second") / mean(REPRODUCIBLE, "words_per_second")
        scores = "; ".join(f"{score} {with_spread(runs, score, REPRODUCIBLE)}" for score in of.scores)
        lines += [
            "",
            f"With `--reproducible`, {mean(REPRODUCIBLE, 'words_per_second'):,.0f} words/s: it costs a factor of "
            f"{slower:.2f}. {scores}.",
        ]
    faster = mean("firth", "words_per_second") / mean("gensim", "words_per_second")
    sooner = mean("gensim", "wall_seconds") / mean("firth", "wall_seconds")
    if together := in_turns(runs):
        lines += ["", together]
    lines += [
        "",
        f"firth trains at **{faster:.2f} times** gensim's words per second, and takes the file to saved vectors "
        f"{sooner:.2f} times as fast. Scores " + equality(of.scores, runs, "gensim"),
        "",
    ]
    return "\n".join(lines)


def compile_seconds(runs: Runs, program: str) -> str:
    """The most and the least: the first run after the code has changed compiles."""
    seconds = [record["compile_seconds"] for record in runs[program] if "compile_seconds" in record]
    return f"{max(seconds):.1f}, later {min(seconds):.1f}" if seconds else ""


def in_turns(runs: Runs) -> str:
    """The ratio of the runs of one seed that began within an hour of each other, where not all did."""
    ours, theirs = ({record["seed"]: record for record in runs[program]} for program in ("firth", "gensim"))
    near = [seed for seed in ours if abs((began(ours[seed]) - began(theirs[seed])).total_seconds()) < 3600]
    if len(near) == len(ours):
        return ""
    if not near:
        days = {program: sorted({record["at"][:13] for record in runs[program]}) for program in PROGRAMS}
        told = "; ".join(f"{program} {', '.join(f'{hour}h' for hour in of)}" for program, of in days.items())
        return f"These runs were not in turns: {told}."
    ratios = ", ".join(
        f"seed {seed}: **{ours[seed]['words_per_second'] / theirs[seed]['words_per_second']:.2f} times** "
        f"({ours[seed]['words_per_second']:,.0f} beside {theirs[seed]['words_per_second']:,.0f} words/s; file to saved "
        f"vectors {theirs[seed]['wall_seconds'] / ours[seed]['wall_seconds']:.2f} times)"
        for seed in near
    )
    return f"Not all runs were in turns. Those that began within an hour of each other: {ratios}."


def began(record: Record) -> datetime:
    return datetime.strptime(record["at"], "%Y-%m-%dT%H:%MZ")


def floor(of: Comparison, runs: list[Record], gigaflops: float) -> str:
    """How far the training is from the time that its arithmetic alone would take on these cores."""
    defaults = DEFAULTS[of.family]
    pairs, kept = (statistics.mean(run[name] for run in runs) for name in ("pairs_per_word", "kept_per_word"))
    dim = of.settings["dim"]
    # a score and two gradients for each pair and each pool word: 3 products of two vectors, 2 operations a number
    operations = 6 * dim * (pairs + kept * of.noise_pool)
    # rows read and written back, 4 bytes a number: the centre's, the pool's share, the window's with its overlap
    span = (defaults.block + 2 * defaults.window) / defaults.block
    rows = 1 + of.noise_pool / defaults.block + span
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


def equality(scores: tuple[str, ...], runs: Runs, peer: str) -> str:
    """Whether firth's scores equal the peer's: its mean is not below by more than max(.01, 2 standard errors)."""
    equal, told = True, []
    for score in scores:
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
    parser.add_argument("--chinese", type=Path, help="a Chinese corpus, for one table more")
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
    families = arguments.families.split(",")
    english, corpus = [], arguments.corpus.name
    with tempfile.TemporaryDirectory() as folder:
        whole, part, few, chinese = (Path(folder) / f"{name}.txt" for name in ("whole", "part", "few", "chinese"))
        n_whole, n_part = normalised(arguments.corpus, whole), normalised(arguments.corpus, part, SEARCH_WORDS)
        n_few = normalised(arguments.corpus, few, FEW_WORDS)
        for family in families:
            english.append(
                Comparison(
                    name=family,
                    family=family,
                    text=whole,
                    corpus=corpus,
                    n_words=n_whole,
                    search=(part, n_part),
                    seeds=(*SEEDS, 4) if family == "skipgram" else SEEDS,
                )
            )
        comparisons = list(english)
        if "skipgram" in families:
            on_few: dict[str, Any] = {"family": "skipgram", "text": few, "corpus": corpus, "n_words": n_few}
            of_a_large_one = on_few | {"pool_as_if": n_whole}
            comparisons += [
                Comparison(name="skipgram, the first 2 M words", search=(few, n_few), **on_few),
                Comparison(name="skipgram, 300 dimensions", search=None, changes={"dim": 300}, **of_a_large_one),
                Comparison(name="skipgram, 10 negatives", search=None, changes={"negatives": 10}, **of_a_large_one),
            ]
            if arguments.chinese is not None:
                n_chinese = cut_into_words(arguments.chinese, chinese)
                comparisons.append(
                    Comparison(
                        name="skipgram, Chinese",
                        family="skipgram",
                        text=chinese,
                        corpus=arguments.chinese.name,
                        n_words=n_chinese,
                        search=(chinese, n_chinese),
                        scores=CHINESE_SCORES,
                    )
                )
        parts: list[str] = []
        ours: list[Record] = []
        rates: dict[str, float] = {}
        for of in comparisons:
            runs, search, found = compare(
                of,
                rates,
                one_thread=of in english and of.family in arguments.one_thread.split(","),
                reproducible=of.name == "skipgram, the first 2 M words",
                commit=arguments.commit,
            )
            if of.name == "skipgram":
                rates = found
            ours += runs["firth"]
            parts.append(table(of, runs, search))
            if of in english:
                parts.append(floor(of, runs["firth"], measured_gigaflops()))
            print("\n".join(parts[-2:]))
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    head = (
        f"# firth beside gensim\n\n`python benchmarks/static.py --corpus {arguments.corpus.name}`: "
        f"{n_whole:,} words; "
        f"{settings}; means of seeds {', '.join(map(str, SEEDS))} (lowest to highest). "
        f"Every run: `static.jsonl`.\n\nMachine: {machine()}. Commits: {commits_of(ours)}.\n"
    )
    (RESULTS / "static.md").write_text("\n".join([head, *parts]), encoding="utf-8")


if __name__ == "__main__":
    main()
