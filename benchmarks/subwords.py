"""Sub-words: firth beside fastText, alternately, at equal settings.

    python -m venv /tmp/fasttext && /tmp/fasttext/bin/pip install fasttext-numpy2-wheel
    python benchmarks/subwords.py --corpus ../shared/data/corpora/en-wiki.txt.xz --fasttext /tmp/fasttext/bin/python

Both read one file, whose words are in lower case and parted by blanks: its first WORDS words. Both train Skip-gram with
n-grams of 3 to 6 characters in as many buckets, the same dimension, window, negatives, sub-sampling and passes, on 2
threads, each at its own default learning rate (fastText's .05). Measured are words a second of training, by the clock
of each program (fastText's reads its words in it), and the wall clock from the file to saved vectors; scored are the
vectors that both composed, by firth's evaluation: word pairs, and analogies in two halves, of grammar and of the rest.
firth without n-grams is a third line, which shows what they bring. fastText 0.9.2 takes no seed: its runs differ by the
order of its threads alone.

With WORDS at 5 M, fastText takes about 5 minutes a run, firth less than one: some 20 minutes in all. Every run is
recorded in results/subwords.jsonl; the table goes to results/subwords.md.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from recording import EVALUATION, RESULTS, Record, machine, recorded, run_measured
from static import normalised

from firth import Skipgram, Vectors
from firth.evaluation import AnalogiesResult

SETTINGS: dict[str, Any] = {
    "dim": 100,
    "window": 5,
    "negatives": 5,
    "sample": 1e-3,
    "min_count": 5,
    "epochs": 5,
    "threads": 2,
    "subwords": "3-6",
    "buckets": 200_000,
}
WORDS = 5_000_000
SEEDS = (1, 2, 3)
FASTTEXT_RATE = 0.05
CHILD = """
import json, sys, time

import fasttext

text, model, told, rate = json.loads(sys.argv[1])
shortest, longest = map(int, told["subwords"].split("-"))
began = time.monotonic()
trained = fasttext.train_unsupervised(
    text, model="skipgram", dim=told["dim"], ws=told["window"], neg=told["negatives"], t=told["sample"],
    minCount=told["min_count"], epoch=told["epochs"], thread=told["threads"], minn=shortest, maxn=longest,
    bucket=told["buckets"], lr=rate, verbose=0,
)
print(round(time.monotonic() - began, 3))
trained.save_model(model)
"""
"""What fastText's process does; it prints the seconds of its call, its reading of the words included."""
SCORES = ("wordsim353", "simlex999", "semantic", "grammatical", "analogies", "vectors_for_pairs")


def firth_run(text: Path, seed: int, folder: Path, *, subwords: bool) -> Record:
    model = folder / "model"
    told = {name: value for name, value in SETTINGS.items() if subwords or name not in ("subwords", "buckets")}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in told.items()]
    command = [sys.executable, "-m", "firth", "train", "skipgram", str(text), "-o", str(model), "--quiet", *flags]
    measured = run_measured([*command, f"--seed={seed}", "--segment=space", "--cache-dir", str(folder / "cache")])
    record = json.loads((model / "firth.json").read_text(encoding="utf-8"))
    return {
        "version": version("firth"),
        "learning_rate": Skipgram().learning_rate,
        "train_seconds": record["spent"]["seconds"],
        "words_per_second": record["spent"]["tokens"] / record["spent"]["seconds"],
        "wall_seconds": measured.wall_seconds,
        "peak_anonymous_mib": measured.peak_anonymous_mib,
    } | scores(model)


def fasttext_run(python: Path, text: Path, n_words: int, folder: Path) -> Record:
    model = folder / "model.bin"
    arguments = json.dumps([str(text), str(model), SETTINGS, FASTTEXT_RATE])
    measured = run_measured([python, "-c", CHILD, arguments])
    train_seconds = float(measured.output.splitlines()[-1])
    return {
        "version": "fasttext-numpy2-wheel 0.9.2",
        "learning_rate": FASTTEXT_RATE,
        "train_seconds": train_seconds,
        "words_per_second": n_words * SETTINGS["epochs"] / train_seconds,
        "wall_seconds": measured.wall_seconds,
        "peak_anonymous_mib": measured.peak_anonymous_mib,
    } | scores(model)


def scores(path: Path) -> Record:
    """What the vectors of a model score; and the share of SimLex's and WordSim's words that have a vector."""
    vectors = Vectors.load(path)
    analogies = vectors.evaluate_word_analogies(EVALUATION / "en" / "questions-words.txt")
    found = {
        name: vectors.evaluate_word_pairs(EVALUATION / "en" / name) for name in ("wordsim353.tsv", "simlex999.txt")
    }
    n_unknown = sum(result.n_asked - result.n_answered for result in found.values())
    return {
        "wordsim353": found["wordsim353.tsv"].spearman,
        "simlex999": found["simlex999.txt"].spearman,
        "semantic": accuracy(analogies, lambda name: not name.startswith("gram")),
        "grammatical": accuracy(analogies, lambda name: name.startswith("gram")),
        "analogies": analogies.total.accuracy,
        "vectors_for_pairs": 1 - n_unknown / sum(result.n_asked for result in found.values()),
        "sections": {section.name: section.accuracy for section in analogies.sections if section.n_answered},
    }


def accuracy(result: AnalogiesResult, chosen: Callable[[str], bool]) -> float:
    sections = [section for section in result.sections if chosen(section.name) and section.n_answered]
    n_answered = sum(section.n_answered for section in sections)
    return sum(section.accuracy * section.n_answered for section in sections) / max(1, n_answered)


def table(runs: dict[str, list[Record]]) -> str:
    """The comparison as Markdown: means over the runs, of scores with the lowest and the highest."""

    def mean(program: str, name: str) -> float:
        return float(statistics.mean(record[name] for record in runs[program]))

    def spread(name: str, program: str) -> str:
        values = [record[name] for record in runs[program]]
        return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"

    rows: list[tuple[str, Callable[[str], str]]] = [
        ("words a second of training", lambda program: f"{mean(program, 'words_per_second'):,.0f}"),
        ("file to saved vectors, s", lambda program: f"{mean(program, 'wall_seconds'):.1f}"),
        ("peak anonymous memory, MiB", lambda program: f"{mean(program, 'peak_anonymous_mib'):.0f}"),
    ]
    rows += [(score.replace("_", " "), partial(spread, score)) for score in SCORES]
    programs = list(runs)
    lines = [f"| | {' | '.join(programs)} |", "|---" * (len(programs) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(show(program) for program in programs)} |" for name, show in rows]
    sections: dict[str, Any] = runs[programs[0]][0]["sections"]
    for section in sections:
        means = [
            statistics.mean(record["sections"].get(section, 0.0) for record in runs[program]) for program in programs
        ]
        lines.append(f"| {section} | {' | '.join(f'{one:.3f}' for one in means)} |")
    ratio = mean("firth", "words_per_second") / mean("fastText", "words_per_second")
    return "\n".join([*lines, "", f"With n-grams, firth trains {ratio:.1f} times as many words a second."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--fasttext", type=Path, help="the Python of an environment that has fastText")
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--commit", action="store_true", help="commit results/subwords.jsonl after each run")
    arguments = parser.parse_args()
    for name in ("corpus", "fasttext"):
        path = getattr(arguments, name)
        if path is None or not path.is_file():
            raise SystemExit(f"--{name} {path}: no such file")
    programs = ("fastText", "firth", "firth, whole words")
    runs: dict[str, list[Record]] = {program: [] for program in programs}
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        n_words = normalised(arguments.corpus, text, arguments.words)

        def run(program: str, seed: int) -> Record:
            with tempfile.TemporaryDirectory() as of_run:
                if program == "fastText":
                    return fasttext_run(arguments.fasttext, text, n_words, Path(of_run))
                return firth_run(text, seed, Path(of_run), subwords=program == "firth")

        for seed in SEEDS:
            for program, records in runs.items():
                told = SETTINGS | {"program": program, "corpus": arguments.corpus.name, "n_words": n_words}
                records.append(recorded("subwords", told, seed, partial(run, program, seed), commit=arguments.commit))
    commits = ", ".join(sorted({str(record["commit"]) for record in runs["firth"]}))
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    head = (
        f"# Sub-words: firth beside fastText\n\n`python benchmarks/subwords.py --corpus {arguments.corpus.name} "
        f"--words {arguments.words}`: {n_words:,} words; {settings}; means of {len(SEEDS)} runs (lowest to highest). "
        f"Every run: `subwords.jsonl`.\n\nMachine: {machine()}. Commits: {commits}.\n\n"
    )
    (RESULTS / "subwords.md").write_text(head + table(runs) + "\n", encoding="utf-8")
    print(table(runs))


if __name__ == "__main__":
    main()
