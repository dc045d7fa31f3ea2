"""From a file of text to encoded ids: firth beside gensim and datasets.map, alternately; and firth's memory by size.

    python benchmarks/corpus.py --english ../shared/data/corpora/en-wiki.txt.xz \
        --chinese ../shared/data/corpora/zh-mixed.txt.xz --gigabyte ../shared/data/corpora/en-wiki.txt.xz \
        --environment /tmp/datasets

firth: `firth.tokens.encode` of the plain text, everything chosen by looking at it: decoding, layout, segmentation,
counting, ids, lines and documents on disk. gensim: `build_vocab(corpus_file=...)`, which counts words that white space
sets apart, and writes no ids (every epoch looks them up again); English is given to it split already, Chinese lines are
cut by rjieba and written to a file within the time. datasets: `load_dataset("text")`, `map` to words (`str.split` of
lower-cased lines, or rjieba), a `Counter` over them, `map` to ids; two processes, in an environment of its own, which
the script makes in the folder given. Every run is a process of its own; imports do not count, compiling does not either
(a run before the first one fills Numba's cache). Memory is that of the process itself, without the workers of datasets;
but where firth's workers cut Chinese, it is told of all processes together, beside the speeds.

Memory by size is that of `firth train cbow` on 30 and 125 MB. The Chinese text of this size, and the gigabyte that
`firth check` looks at, are a corpus several times over, each time with other lines (see `repeated`).

Every run is recorded in results/corpus.jsonl; those that stand there are not run again. The table goes to
results/corpus.md. About 15 minutes on 2 cores, most of them of datasets.
"""

import argparse
import json
import lzma
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from recording import RESULTS, Record, anonymous_mib, machine, recorded, run_measured

PROGRAMS = ("gensim", "datasets", "firth")
REPEATS = 3
SMALL_BYTES = 30_000_000
LARGE_BYTES = 125_000_000
GIGABYTE = 1_000_000_000
LINES_SHUFFLED = 1000
BEHIND_A_CLAUSE = re.compile(r"(?<=[,.;:!?，。；：！？])")
LONG_WORD = re.compile(r"[^\W\d_]{12,}", re.ASCII)
LONGER = 4
CAPS = {"max_types": 50_000, "max_size": 20_000, "tokens": 4_000_000}
PROCESSES = 2
LEAST_MEGABYTES_PER_SECOND = {"english": 15, "chinese": 8}


class Text(NamedTuple):
    """A corpus as plain text, and the same split into words by white space."""

    language: str
    name: str
    plain: Path
    split: Path


def firth_child(plain: str, _split: str, _language: str) -> Record:
    import firth.counting  # noqa: F401 - loads the compiler
    from firth.corpus import read
    from firth.tokens import encode

    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with encode(read(Path(plain)), None, Path(folder) / "encoded") as encoded:
            seconds = time.monotonic() - began
            return {
                "version": version("firth"),
                "seconds": round(seconds, 3),
                "n_words": encoded.n_tokens,
                "n_types": len(encoded.types),
                "segmentation": encoded.segmentation.method,
            }


def gensim_child(plain: str, split: str, language: str) -> Record:
    from gensim.models import Word2Vec

    began = time.monotonic()
    if language == "chinese":
        cut_lines(Path(plain), Path(split))
    word2vec = Word2Vec(min_count=1, workers=PROCESSES)
    word2vec.build_vocab(corpus_file=split)
    seconds = time.monotonic() - began
    return {
        "version": version("gensim"),
        "seconds": round(seconds, 3),
        "n_words": word2vec.corpus_total_words,
        "n_types": len(word2vec.wv),
    }


def cut_lines(plain: Path, split: Path) -> None:
    """Writes every line with its words set apart, as users of gensim do with Chinese."""
    import rjieba

    with plain.open(encoding="utf-8") as lines, split.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(" ".join(word for word in rjieba.cut(line) if not word.isspace()) + "\n")


def datasets_child(plain: str, _split: str, language: str) -> Record:
    import datasets  # type: ignore[import-not-found]  # in an environment of its own

    datasets.disable_progress_bars()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        lines = datasets.load_dataset("text", data_files=plain, split="train", cache_dir=folder)
        to_words = words_by_rjieba if language == "chinese" else words_by_white_space
        words = lines.map(to_words, batched=True, num_proc=PROCESSES, remove_columns=["text"])
        counts: Counter[str] = Counter()
        for batch in words.iter(1000):
            for line in batch["words"]:
                counts.update(line)
        ids = {word: number for number, word in enumerate(counts)}
        words.map(partial(to_ids, ids), batched=True, num_proc=PROCESSES, remove_columns=["words"])
        seconds = time.monotonic() - began
    return {
        "version": version("datasets"),
        "seconds": round(seconds, 3),
        "n_words": counts.total(),
        "n_types": len(counts),
    }


def words_by_white_space(batch: dict[str, list[str]]) -> dict[str, Any]:
    return {"words": [line.lower().split() for line in batch["text"]]}


def words_by_rjieba(batch: dict[str, list[str]]) -> dict[str, Any]:
    import rjieba

    return {"words": [[word for word in rjieba.cut(line.lower()) if not word.isspace()] for line in batch["text"]]}


def to_ids(ids: dict[str, int], batch: dict[str, list[list[str]]]) -> dict[str, Any]:
    return {"ids": [[ids[word] for word in line] for line in batch["words"]]}


CHILDREN: dict[str, Callable[[str, str, str], Record]] = {
    "firth": firth_child,
    "gensim": gensim_child,
    "datasets": datasets_child,
}


def environment_python(folder: Path) -> Path:
    """The interpreter of an environment with datasets and rjieba, made in `folder` if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([python, "-c", "import datasets, rjieba"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "datasets", "rjieba"], check=True)
    return python


def run_program(program: str, text: Text, python: Path) -> Record:
    """One run: what its process says of itself, and its memory."""
    interpreter = python if program == "datasets" else Path(sys.executable)
    arguments = json.dumps([str(text.plain), str(text.split), text.language])
    # The file itself in the other environment, too: there, nothing of firth is installed or imported.
    measured = run_measured([interpreter, __file__, "--child", program, "--arguments", arguments])
    record: Record = json.loads(measured.output.splitlines()[-1])
    return record | {
        "megabytes_per_second": round(text.plain.stat().st_size / record["seconds"] / 1e6, 2),
        "wall_seconds": measured.wall_seconds,
        "peak_anonymous_mib": measured.peak_anonymous_mib,
    }


def prepared(corpus: Path, language: str, folder: Path, n_bytes: int | None) -> Text:
    """The first n_bytes of the corpus in whole lines (None: all) as plain text, English also split into words."""
    text = Text(language, corpus.name, folder / f"{language}.txt", folder / f"{language}.split.txt")
    opened = lzma.open if corpus.suffix == ".xz" else open
    left = n_bytes
    with opened(corpus, "rb") as lines, text.plain.open("wb") as file:
        for line in lines:
            file.write(line)
            if left is not None and (left := left - len(line)) <= 0:
                break
    if language == "english":
        from firth import Segmentation

        segmentation = Segmentation(method="words")
        with text.plain.open(encoding="utf-8") as lines_of_text, text.split.open("w", encoding="utf-8") as file_split:
            for whole in lines_of_text:
                file_split.write(" ".join(segmentation.words(whole)) + "\n")
    return text


def measured_runs(text: Text, python: Path, commit: bool) -> dict[str, list[Record]]:
    """REPEATS runs of each program, alternately."""
    n_bytes = text.plain.stat().st_size
    runs: dict[str, list[Record]] = {program: [] for program in PROGRAMS}
    for repeat in range(1, REPEATS + 1):
        for program in PROGRAMS:
            settings = {"program": program, "corpus": text.name, "n_bytes": n_bytes, "processes": PROCESSES}
            run = partial(run_program, program, text, python)
            runs[program].append(recorded("corpus", settings, repeat, run, commit=commit))
    return runs


def measured_longer(text: Text, folder: Path, python: Path, commit: bool) -> list[Record]:
    """REPEATS runs of firth on the text LONGER times over: what it takes to start counts less there."""
    longer = text._replace(plain=folder / f"{text.language}.longer.txt")
    longer.plain.write_bytes(text.plain.read_bytes() * LONGER)
    n_bytes = longer.plain.stat().st_size
    settings = {"program": "firth", "corpus": f"{LONGER} x {text.name}", "n_bytes": n_bytes, "processes": PROCESSES}
    run = partial(run_program, "firth", longer, python)
    return [recorded("corpus", settings, repeat, run, commit=commit) for repeat in range(1, REPEATS + 1)]


def repeated(plain: Path, target: Path, n_bytes: int) -> None:
    """Writes a text of n_bytes, in whole lines: the first time as it stands, then again and again with other lines.

    The clauses of every LINES_SHUFFLED lines change places, a line keeping as many as it had, and empty lines stay; so
    the words and their neighbours are the corpus's, but hardly a line comes again. Long words of ASCII letters get a
    letter more, another one each time, since in a longer text there are more types.
    """
    rng = random.Random(1)
    left = n_bytes
    with target.open("wb") as file:
        for letter in ["", *"abcdefghijklmnopqrstuvwxyz"]:
            with plain.open(encoding="utf-8", newline="\n") as lines:
                while some := list(islice(lines, LINES_SHUFFLED)):
                    for line in shuffled(some, letter, rng) if letter else some:
                        data = line.encode()
                        file.write(data)
                        left -= len(data)
                        if left <= 0:
                            return
    raise SystemExit(f"{plain} is too small for {n_bytes:,} bytes to be made of it")


def shuffled(lines: list[str], letter: str, rng: random.Random) -> list[str]:
    """Lines of as many clauses, which have changed places; `letter` is added to long words."""
    clauses_of = [BEHIND_A_CLAUSE.split(line.rstrip("\n")) if line.strip() else [] for line in lines]
    clauses = [LONG_WORD.sub(lambda found: found[0] + letter, clause) for line in clauses_of for clause in line]
    rng.shuffle(clauses)
    coming = iter(clauses)
    return ["".join(next(coming) for _ in line) + "\n" for line in clauses_of]


def anonymous_mib_with_workers(process_id: int) -> float:
    """The anonymous memory of the process and of all that it started; what several share is counted once."""
    return sum(anonymous_mib(one, "Pss_Anon") for one in with_descendants(process_id))


def with_descendants(process_id: int) -> list[int]:
    found = [process_id]
    for task in Path(f"/proc/{process_id}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # it has ended meanwhile
            continue
        for child_id in children:
            found += with_descendants(int(child_id))
    return found


def measured_memory(text: Text, folder: Path, commit: bool, n_bytes: int | None) -> list[list[Record]]:
    """REPEATS runs of counting, encoding and training, on a part of a text and on all of it.

    The table of types and the vocabulary are capped alike, so that the text alone differs. The text is the corpus; the
    Chinese one is repeated. n_bytes is how much of the corpus is used to try the script; None: all.
    """
    large, small, name = text.plain, folder / "small.txt", text.name
    memory_mib: Callable[[int], float] = anonymous_mib
    if text.language == "chinese":
        large, name, memory_mib = folder / "large.txt", f"{text.name}, repeated", anonymous_mib_with_workers
        repeated(text.plain, large, LARGE_BYTES if n_bytes is None else 4 * n_bytes)
    small_bytes = SMALL_BYTES if n_bytes is None else n_bytes
    with large.open("rb") as lines, small.open("wb") as file:
        while file.tell() < small_bytes and (line := lines.readline()):
            file.write(line)

    def run(plain: Path) -> Record:
        model, cache = folder / "model", folder / "cache"
        places: list[str | Path] = ["-o", model, "--overwrite", "--cache-dir", cache, "--quiet"]
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in CAPS.items()]
        measured = run_measured([sys.executable, "-m", "firth", "train", "cbow", plain, *places, *flags], memory_mib)
        shutil.rmtree(cache)
        return {"peak_anonymous_mib": measured.peak_anonymous_mib, "wall_seconds": measured.wall_seconds}

    records = []
    for plain in (small, large):
        settings = {"program": "firth train cbow", "corpus": name, "n_bytes": plain.stat().st_size} | CAPS
        repeats = range(1, REPEATS + 1)
        records.append([recorded("corpus", settings, repeat, partial(run, plain), commit=commit) for repeat in repeats])
    return records


def measured_check(corpus: Path, folder: Path, commit: bool, n_bytes: int | None) -> Record:
    """A run of `firth check` on a gigabyte made of the corpus, or of its first n_bytes, to try the script."""
    large, cache = folder / "large.txt", folder / "cache"
    plain = prepared(corpus, "gigabyte", folder, n_bytes).plain
    repeated(plain, large, GIGABYTE if n_bytes is None else 8 * n_bytes)

    def run() -> Record:
        command: list[str | Path] = [sys.executable, "-m", "firth", "check", large, "--json", "--quiet"]
        measured = run_measured([*command, "--cache-dir", cache], anonymous_mib_with_workers)
        told = json.loads(measured.output)
        return {
            "wall_seconds": measured.wall_seconds,
            "peak_anonymous_mib": measured.peak_anonymous_mib,
        } | {name: told[name] for name in ("n_tokens", "n_types", "n_lines", "n_duplicate_lines")}

    settings = {"program": "firth check", "corpus": f"{corpus.name}, repeated", "n_bytes": large.stat().st_size}
    record = recorded("corpus", settings, 1, run, commit=commit)
    large.unlink()
    return record


def table(text: Text, runs: dict[str, list[Record]]) -> str:
    """Medians over the runs, with the lowest and the highest of the time."""
    size = runs["firth"][0]["settings"]["n_bytes"] / 1e6
    lines = [
        f"## {text.language}: {text.name}, {size:,.1f} MB",
        "",
        "| | seconds (lowest to highest) | MB/s | words | types | peak anonymous memory, MiB |",
        "|---|---|---|---|---|---|",
    ]
    for program in PROGRAMS:
        seconds = [record["seconds"] for record in runs[program]]
        median = statistics.median(seconds)
        one = runs[program][0]
        memory = statistics.median(record["peak_anonymous_mib"] for record in runs[program])
        lines.append(
            f"| {program} {one['version']} | {median:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) | "
            f"{size / median:.1f} | {one['n_words']:,} | {one['n_types']:,} | {memory:,.0f} |"
        )
    reached = size / statistics.median(record["seconds"] for record in runs["firth"])
    least = LEAST_MEGABYTES_PER_SECOND[text.language]
    lines += ["", f"Asked for: {least} MB/s; {'reached' if reached >= least else 'NOT reached'}.", ""]
    return "\n".join(lines)


def memory_table(text: Text, small: list[Record], whole: list[Record]) -> str:
    caps = ", ".join(f"{name} {value:,}" for name, value in CAPS.items())
    what, of_what = f"the text is {text.name}", "the process"
    if text.language == "chinese":
        what = f"the text is {text.name} several times over, each time with other lines"
        of_what = "the process and those that cut for it, what they share counted once"
    lines = [
        f"## Memory by size ({text.language})",
        "",
        f"`firth train cbow`: counting, encoding and training, with the caps {caps}; {what}. Memory of {of_what}.",
        "",
        "| MB | peak anonymous memory, MiB (lowest to highest) |",
        "|---|---|",
    ]
    medians = []
    for records in (small, whole):
        peaks = [record["peak_anonymous_mib"] for record in records]
        medians.append(statistics.median(peaks))
        size = records[0]["settings"]["n_bytes"] / 1e6
        lines.append(f"| {size:,.1f} | {medians[-1]:,.0f} ({min(peaks):,.0f} to {max(peaks):,.0f}) |")
    lines += ["", f"{medians[1] / medians[0] - 1:+.1%}; asked for: within 10%.", ""]
    return "\n".join(lines)


def check_table(record: Record) -> str:
    return "\n".join(
        [
            "## A gigabyte looked at",
            "",
            f"`firth check` on {record['settings']['n_bytes'] / 1e6:,.0f} MB: {record['settings']['corpus']} with "
            "other lines each time. Memory of all its processes.",
            "",
            "| seconds | peak anonymous memory, MiB | words | types | lines | duplicate lines |",
            "|---|---|---|---|---|---|",
            f"| {record['wall_seconds']:,.0f} | {record['peak_anonymous_mib']:,.0f} | {record['n_tokens']:,} | "
            f"{record['n_types']:,} | {record['n_lines']:,} | {record['n_duplicate_lines']:,} |",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--english", type=Path)
    parser.add_argument("--chinese", type=Path)
    parser.add_argument("--gigabyte", type=Path, help="a corpus of which a gigabyte is made for `firth check`")
    parser.add_argument("--environment", type=Path, help="folder of the environment with datasets; made if missing")
    parser.add_argument("--bytes", type=int, help="only so much of each text, to try the script")
    parser.add_argument("--commit", action="store_true", help="commit results/corpus.jsonl after each run")
    parser.add_argument("--child", choices=PROGRAMS, help=argparse.SUPPRESS)
    parser.add_argument("--arguments", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        print(json.dumps(CHILDREN[arguments.child](*json.loads(arguments.arguments))))
        return
    corpora = {"english": arguments.english, "chinese": arguments.chinese}
    for language, path in corpora.items():
        if path is None or not path.is_file():
            raise SystemExit(f"--{language} {path}: no such file; give a text file (UTF-8, or .xz of it)")
    if arguments.gigabyte is not None and not arguments.gigabyte.is_file():
        raise SystemExit(f"--gigabyte {arguments.gigabyte}: no such file; give a text file (UTF-8, or .xz of it)")
    if arguments.environment is None:
        raise SystemExit("--environment: name a folder for the environment with datasets")
    python = environment_python(arguments.environment)
    parts, commits = [], set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = [prepared(path, language, folder, arguments.bytes) for language, path in corpora.items()]
        for text in texts:
            run_program("firth", text, python)  # compiles, and reads the file once before all
            runs = measured_runs(text, python, arguments.commit)
            commits |= {record["commit"] for record in runs["firth"]}
            parts.append(table(text, runs))
            if text.language == "chinese":
                longer = measured_longer(text, folder, python, arguments.commit)
                speeds = [record["megabytes_per_second"] for record in longer]
                parts.append(
                    f"firth on this text {LONGER} times over, where starting counts less: "
                    f"{statistics.median(speeds):.1f} MB/s ({min(speeds):.1f} to {max(speeds):.1f}).\n"
                )
            parts.append(memory_table(text, *measured_memory(text, folder, arguments.commit, arguments.bytes)))
        if arguments.gigabyte is not None:
            record = measured_check(arguments.gigabyte, folder, arguments.commit, arguments.bytes)
            commits.add(record["commit"])
            parts.append(check_table(record))
    head = (
        "# From text to encoded ids\n\n`python benchmarks/corpus.py`: medians of "
        f"{REPEATS} runs, the programs alternately, each run a process of its own; what is timed stands in the "
        "script's first lines. gensim only counts; firth and datasets write ids. Every run: `corpus.jsonl`.\n\n"
        f"Machine: {machine()}. Commits: {', '.join(sorted(commits))}.\n"
    )
    (RESULTS / "corpus.md").write_text("\n".join([head, *parts]), encoding="utf-8")
    print("\n".join([head, *parts]))


if __name__ == "__main__":
    main()
