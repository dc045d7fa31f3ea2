"""Searching, opening, loading and converting 1,000,000 vectors of 300 dimensions, firth beside gensim alternately.

    python benchmarks/queries.py --folder DIR

DIR gets some 12 GB, which are deleted at the end. Each figure is that of a process of its own: the seconds of the call
without imports and compiling (a small file of the same kind is worked on before), and the peak of its anonymous memory.
The files are read once before, so no disk is measured in reading. Both programs read and write the same numbers; that
they come back to the bit is checked, outside the seconds. Rows go to results/queries.jsonl, one as each run ends, the
table to results/queries.md. gensim converts a text by loading it, so that one run of it tells both seconds. About 25
minutes on 2 cores, most of them gensim's text; `--words 20000` tries it out.
"""

import argparse
import hashlib
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from recording import RESULTS, Record, commit_of_checkout, machine, recorded, run_measured

DIM = 300
SEED = 1
LATER = 20  # queries one by one, behind the first
BATCH = 256  # queries at once
STARTS = 7
SMALL = 2_000  # words of the file that is worked on before; of less text nothing is compiled
PROGRAMS = ("gensim", "firth")
CONVERTS_BY_LOADING = ("gensim", "text to own")
TASKS = {  # and rounds of each
    "open": 3,
    "search": 3,
    "load binary": 3,
    "text to own": 1,
    "load text": 1,
    "own to text": 1,
}
MEANING = {
    "open": "open its own file, memory-mapped",
    "load binary": "load word2vec's binary",
    "load text": "load word2vec's text",
    "text to own": "convert text to its own file",
    "own to text": "convert its own file to text",
}
COMMANDS = {
    "`python -c pass`": ["-c", "pass"],
    '`python -c "import firth"`': ["-c", "import firth"],
    "`firth --help`": ["-m", "firth", "--help"],
}
marks: list[float] = []  # when gensim had loaded what it converts


# --- in a process of its own


def work(program: str, task: str, folder: Path, n_words: int) -> Record:
    """The seconds that a program takes for a task, and a hash of the vectors that it got or wrote."""
    call = gensims(task) if program == "gensim" else firths(task)
    if task == "search":
        return search(call(folder), n_words)
    with tempfile.TemporaryDirectory(dir=folder) as out:
        call(folder / "small", Path(out, "warm"))
        began = time.perf_counter()
        result = call(folder, Path(out, "measured"))
        record: Record = {"seconds": time.perf_counter() - began, "digest": digest(result)}
        if (program, task) == CONVERTS_BY_LOADING:
            record["load_seconds"] = marks[-1] - began
        return record


def firths(task: str) -> Callable[..., Any]:
    from firth import Vectors, convert

    def converted(source: str, target: str) -> Callable[[Path, Path], Any]:
        def call(folder: Path, out: Path) -> Any:
            path = out.with_name(out.name + target)
            convert(folder / source, path)
            return lambda: rows_of(path) if target else Vectors.load(path).matrix

        return call

    tasks: dict[str, Callable[..., Any]] = {
        "open": lambda folder, _: Vectors.load(folder / "firth").matrix,
        "search": lambda folder: Vectors.load(folder / "firth"),
        "load binary": lambda folder, _: Vectors.load(folder / "vectors.bin").matrix,
        "load text": lambda folder, _: Vectors.load(folder / "vectors.txt").matrix,
        "text to own": converted("vectors.txt", ""),
        "own to text": converted("firth", ".txt"),
    }
    return tasks[task]


def gensims(task: str) -> Callable[..., Any]:
    from gensim.models import KeyedVectors

    def own(folder: Path) -> Any:
        return KeyedVectors.load(str(folder / "gensim.kv"), mmap="r")

    def loaded(folder: Path, name: str) -> Any:
        return KeyedVectors.load_word2vec_format(str(folder / name), binary=name.endswith(".bin"))

    def to_own(folder: Path, out: Path) -> Any:
        vectors = loaded(folder, "vectors.txt")
        marks.append(time.perf_counter())
        vectors.save(str(out))
        return lambda: KeyedVectors.load(str(out), mmap="r").vectors

    def to_text(folder: Path, out: Path) -> Any:
        own(folder).save_word2vec_format(str(out))
        return lambda: rows_of(out)

    tasks: dict[str, Callable[..., Any]] = {
        "open": lambda folder, _: own(folder).vectors,
        "search": own,
        "load binary": lambda folder, _: loaded(folder, "vectors.bin").vectors,
        "text to own": to_own,
        "own to text": to_text,
    }
    return tasks[task]


def search(vectors: Any, n_words: int) -> Record:
    """Seconds of the first query, of later ones (median), and of many at once; and a hash of the words found."""
    first, *others = (f"word{row}" for row in np.random.default_rng(SEED).integers(n_words, size=1 + LATER + BATCH))
    first_seconds, _ = timed(vectors.most_similar, first)
    later_seconds = [timed(vectors.most_similar, word)[0] for word in others[:LATER]]
    batch_seconds, answers = timed(answer_all, vectors, others[LATER:])
    found = json.dumps([[word for word, _ in similar] for similar in answers])
    return {
        "first": first_seconds,
        "later": statistics.median(later_seconds),
        "batch": batch_seconds,
        "digest": hashlib.blake2b(found.encode(), digest_size=8).hexdigest(),
    }


def answer_all(vectors: Any, words: Sequence[str]) -> Any:
    """Many queries: firth has a call for them."""
    if hasattr(type(vectors), "similar_by_words"):
        return vectors.similar_by_words(words)
    return [vectors.most_similar(word) for word in words]


def timed(function: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """The seconds that a call takes, and what it returns."""
    began = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - began, result


def rows_of(path: Path) -> Iterator[Any]:
    """The vectors of a text or binary file by blocks, so that looking at them takes no memory that counts."""
    from firth.formats import word2vec

    return (block for _, block in word2vec.rows(path).blocks)


def digest(found: Any) -> str:
    """A hash of an array (row, dim), or of the one, or the blocks of one, that a call returns."""
    found = found() if callable(found) else found
    hashed = hashlib.blake2b(digest_size=8)
    for block in [found] if isinstance(found, np.ndarray) else found:
        hashed.update(np.ascontiguousarray(block, np.float32).data)
    return hashed.hexdigest()


# --- all of them


def save(folder: Path, n_words: int) -> None:
    """The same random vectors in every format."""
    from gensim.models import KeyedVectors

    from firth import Vectors, convert

    folder.mkdir(exist_ok=True)
    words = [f"word{row}" for row in range(n_words)]
    array = np.random.default_rng(SEED).standard_normal((n_words, DIM), dtype=np.float32)
    Vectors(words, array).save(folder / "firth")
    theirs = KeyedVectors(DIM)
    theirs.add_vectors(words, array)
    theirs.save(str(folder / "gensim.kv"))
    for name in ("vectors.txt", "vectors.bin"):
        convert(folder / "firth", folder / name)


def read_once(folder: Path) -> None:
    """Brings the files into the system's cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(2**24):
                    pass


def run(program: str, task: str, folder: Path, n_words: int) -> Record:
    if not (folder / "small").is_dir():
        save(folder, n_words)
        save(folder / "small", SMALL)
    read_once(folder)
    child: list[str | Path] = [
        sys.executable,
        __file__,
        "--child",
        program,
        task,
        "--folder",
        folder,
        "--words",
        str(n_words),
    ]
    measured = run_measured(child)
    return {**json.loads(measured.output.splitlines()[-1]), "peak_anonymous_mib": measured.peak_anonymous_mib}


def start_seconds(arguments: Sequence[str]) -> float:
    """The best wall time of a Python process."""
    return min(
        timed(lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True))[0]
        for _ in range(STARTS)
    )


def table(runs: dict[tuple[str, str], list[Record]]) -> str:
    def cells(task: str, field: str, unit: float, digits: int) -> str:
        found = [statistics.median(record[field] for record in runs[program, task]) for program in PROGRAMS]
        return " | ".join([*(f"{unit * value:,.{digits}f}" for value in found), f"{found[0] / found[1]:,.1f}"])

    lines = ["| | gensim, s | firth, s | times | gensim, MiB | firth, MiB |", "|---|---|---|---|---|---|"]
    for task, meaning in MEANING.items():
        memory = [max(record["peak_anonymous_mib"] for record in runs[program, task]) for program in PROGRAMS]
        at_most = "≤ " if task == "load text" else ""  # gensim's is of loading and writing
        lines.append(f"| {meaning} | {cells(task, 'seconds', 1, 2)} | {at_most}{memory[0]:,.0f} | {memory[1]:,.0f} |")
    for field, meaning in (("first", "first query"), ("later", "later query"), ("batch", f"{BATCH} queries")):
        lines.append(f"| {meaning} | {cells('search', field, 1, 3)} | | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the files are made, in a folder of their own")
    parser.add_argument("--commit", action="store_true", help="commit each row as it comes")
    parser.add_argument("--dry", action="store_true", help="record nothing")
    parser.add_argument("--child", nargs=2, metavar=("PROGRAM", "TASK"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        program, task = asked.child
        print(json.dumps(work(program, task, asked.folder, asked.words)))
        return
    folder = Path(tempfile.mkdtemp(prefix="queries-", dir=asked.folder))
    runs: dict[tuple[str, str], list[Record]] = {}
    try:
        for task, rounds in TASKS.items():
            for number in range(1, rounds + 1):
                for program in PROGRAMS:
                    if (program, task) == ("gensim", "load text"):
                        converted = runs[CONVERTS_BY_LOADING][number - 1]
                        runs.setdefault((program, task), []).append(converted | {"seconds": converted["load_seconds"]})
                        continue
                    settings = {"program": program, "task": task, "words": asked.words, "dim": DIM}

                    def one(program: str = program, task: str = task) -> Record:
                        return run(program, task, folder, asked.words)

                    record = one() if asked.dry else recorded("queries", settings, number, one, commit=asked.commit)
                    runs.setdefault((program, task), []).append(record)
                    print(task, program, {name: record[name] for name in ("seconds", "batch") if name in record})
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for task in TASKS:
        digests = {record["digest"] for program in PROGRAMS for record in runs[program, task]}
        if len(digests) > 1:
            print(f"{task}: the programs do not agree: {digests}")
    starts = {name: start_seconds(arguments) for name, arguments in COMMANDS.items()}
    text = (
        f"# Queries, loading, converting\n\n`python benchmarks/queries.py`: {asked.words:,} random vectors of {DIM} "
        f"dimensions, seed {SEED}; the 10 nearest words by cosine, exact; the programs alternately, medians of as many "
        f"rounds as results/queries.jsonl has. Memory is the process' anonymous memory at its peak, so mapped files do "
        f"not count. gensim answers the {BATCH} queries one by one, as it has no call for several; firth by "
        "`similar_by_words`. Both name the same words in the same order, and every file gives the same float32 back to "
        f"the bit, where nothing else is said.\n\n{table(runs)}\n\n"
        "| start | ms |\n|---|---|\n"
        + "".join(f"| {name} | {1000 * seconds:,.0f} |\n" for name, seconds in starts.items())
        + f"\nMachine: {machine()}; NumPy {version('numpy')}, gensim {version('gensim')}. "
        f"Commit: {commit_of_checkout()}.\n"
    )
    print(text)
    if not asked.dry:
        (RESULTS / "queries.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
