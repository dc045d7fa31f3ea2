"""Queries over 200,000 vectors of 300 dimensions, firth beside gensim alternately; and how soon firth starts.

    python benchmarks/queries.py

Each program saves the same random vectors in its own way (firth a directory, gensim a `.kv`), maps them into memory
again, and is asked for the 10 nearest of the same words. The files were just written and are in the system's cache, so
no disk is measured. Of each time: the median of ROUNDS rounds, and of starting the best of STARTS. The table goes to
results/queries.md. About a minute on 2 cores.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gensim.models import KeyedVectors
from recording import RESULTS, ROOT, machine

from firth import Vectors

N_WORDS = 200_000
DIM = 300
SEED = 1
ROUNDS = 5
LATER = 20  # queries one by one, behind the first
BATCH = 256  # queries at once
STARTS = 7
COMMANDS = {
    "`python -c pass`": ["-c", "pass"],
    '`python -c "import firth"`': ["-c", "import firth"],
    "`firth --help`": ["-m", "firth", "--help"],
}

Similar = list[tuple[str, float]]


class Program(NamedTuple):
    """How a program maps the vectors in a folder, and answers many queries."""

    load: Callable[[Path], Any]
    answer_all: Callable[[Any, Sequence[str]], list[Similar]]


class Round(NamedTuple):
    """Seconds of one round, and the answers of the batch."""

    load: float
    first: float
    later: float  # median
    batch: float
    answers: list[Similar]


PROGRAMS = {
    "gensim": Program(
        lambda folder: KeyedVectors.load(str(folder / "gensim.kv"), mmap="r"),
        lambda vectors, words: [vectors.most_similar(word) for word in words],
    ),
    "firth": Program(
        lambda folder: Vectors.load(folder / "firth"),
        lambda vectors, words: vectors.similar_by_words(words),
    ),
}


def save(folder: Path) -> None:
    """Writes random vectors as either program does."""
    words = [f"word{row}" for row in range(N_WORDS)]
    array = np.random.default_rng(SEED).standard_normal((N_WORDS, DIM), dtype=np.float32)
    Vectors(words, array).save(folder / "firth")
    theirs = KeyedVectors(DIM)
    theirs.add_vectors(words, array)
    theirs.save(str(folder / "gensim.kv"))


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The seconds that a call takes, and what it returns."""
    began = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - began, result


def measured(program: Program, folder: Path) -> Round:
    first, *others = (f"word{row}" for row in np.random.default_rng(SEED).integers(N_WORDS, size=1 + LATER + BATCH))
    load_seconds, vectors = timed(program.load, folder)
    first_seconds, _ = timed(vectors.most_similar, first)
    later_seconds = [timed(vectors.most_similar, word)[0] for word in others[:LATER]]
    batch_seconds, answers = timed(program.answer_all, vectors, others[LATER:])
    return Round(load_seconds, first_seconds, statistics.median(later_seconds), batch_seconds, answers)


def start_seconds(arguments: Sequence[str]) -> float:
    """The best wall time of a Python process."""
    start = partial(subprocess.run, [sys.executable, *arguments], check=True, capture_output=True)
    return min(timed(start)[0] for _ in range(STARTS))


def table(rounds: dict[str, list[Round]], starts: dict[str, float]) -> str:
    rows: list[tuple[str, Callable[[Round], float]]] = [
        ("load, memory-mapped", lambda one: one.load),
        ("first `most_similar`", lambda one: one.first),
        ("later `most_similar`", lambda one: one.later),
        (f"{BATCH} queries", lambda one: one.batch),
    ]
    lines = ["| | gensim, ms | firth, ms |", "|---|---|---|"]
    for name, seconds in rows:
        cells = [f"{1000 * statistics.median(map(seconds, rounds[program])):,.1f}" for program in PROGRAMS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| start | ms |", "|---|---|"]
    lines += [f"| {name} | {1000 * seconds:,.0f} |" for name, seconds in starts.items()]
    return "\n".join(lines)


def n_alike(rounds: dict[str, list[Round]]) -> int:
    """To how many queries of the batch both programs name the same words in the same order."""
    ours, theirs = ([[word for word, _ in found] for found in rounds[name][0].answers] for name in ("firth", "gensim"))
    return sum(our == their for our, their in zip(ours, theirs, strict=True))


def main() -> None:
    rounds: dict[str, list[Round]] = {program: [] for program in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        for _ in range(ROUNDS):
            for name, program in PROGRAMS.items():
                rounds[name].append(measured(program, Path(folder)))
    starts = {name: start_seconds(arguments) for name, arguments in COMMANDS.items()}
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    text = (
        f"# Queries\n\n`python benchmarks/queries.py`: {N_WORDS:,} random vectors of {DIM} dimensions, seed {SEED}; "
        f"the 10 nearest words by cosine, exact. Medians of {ROUNDS} rounds, the programs alternately; of a start, the "
        f"best of {STARTS}. gensim answers the {BATCH} queries one by one, as it has no call for several; firth by "
        f"`similar_by_words`. Both name the same words in the same order for {n_alike(rounds)} of the {BATCH}.\n\n"
        f"{table(rounds, starts)}\n\n"
        f"Machine: {machine()}; NumPy {version('numpy')}, gensim {version('gensim')}. Commit: {commit}.\n"
    )
    (RESULTS / "queries.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
