"""From a file of text to the ids of pieces on disk: firth beside datasets.map, alternately.

    python benchmarks/pieces.py --english ../shared/data/corpora/en-wiki.txt.xz \
        --chinese ../shared/data/corpora/zh-mixed.txt.xz --environment /tmp/datasets

Both encode by the same tokenizer.json, which firth learns from the text first: WordPiece (uncased) and byte-level
byte-pair encoding (cased) of English, WordPiece of Chinese; 16,384 entries. firth: `firth.encoded.encode_pieces` of the
plain text, a line a sentence, with sentences, documents and a fingerprint on disk; in one more run of WordPiece the
words beside them, for whole-word masking. datasets: `load_dataset("text")`, and `map` by `tokenizers.encode_batch`,
batched, two processes, in an environment of its own, which the script makes in the folder given. Every run is a process
of its own; imports do not count.

Every run is recorded in results/pieces.jsonl; those that stand there are not run again. The table goes to
results/pieces.md.
"""

import argparse
import json
import lzma
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NamedTuple

from recording import RESULTS, Record, machine, recorded, run_measured

PROCESSES: Final = 2
SIZE: Final = 16384


class Case(NamedTuple):
    """A text and the pieces it is encoded by."""

    name: str
    language: str
    kind: str
    cased: bool


CASES: Final = (
    Case("English, WordPiece", "english", "wordpiece", False),
    Case("English, byte-level BPE", "english", "byte_bpe", True),
    Case("Chinese, WordPiece", "chinese", "wordpiece", False),
)
PROGRAMS: Final = ("datasets", "firth", "firth, with words")


def learn_child(plain: str, pieces: str, kind: str, cased: bool) -> Record:
    from firth.corpus import read
    from firth.pieces import train_pieces

    Path(pieces).mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    blocks = (block for block in read(Path(plain)).blocks() if isinstance(block, str))
    learnt = train_pieces(blocks, kind, size=SIZE, cased=cased, seed=1)  # type: ignore[arg-type]  # from a command line
    seconds = time.monotonic() - began
    learnt.write(pieces)
    return {"seconds": round(seconds, 3), "n_entries": learnt.n_entries, "remarks": list(learnt.remarks)}


def firth_child(plain: str, pieces: str, method: str | None) -> Record:
    from firth.corpus import read
    from firth.encoded import encode_pieces
    from firth.pieces import Pieces
    from firth.segmentation import Segmentation

    known = Pieces.read(pieces)
    words = None if method is None else Segmentation(method=method)  # type: ignore[arg-type]  # from a command line
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with encode_pieces(read(Path(plain)), known, Path(folder) / "encoded", words=words) as encoded:
            seconds = time.monotonic() - began
            return {
                "version": version("firth"),
                "seconds": round(seconds, 3),
                "n_tokens": encoded.n_tokens,
                "unknown_share": round(encoded.unknown_share, 6),
            }


def datasets_child(plain: str, pieces: str) -> Record:
    import datasets  # type: ignore[import-not-found]  # in an environment of its own

    datasets.disable_progress_bars()
    path = str(Path(pieces) / "tokenizer.json")
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        lines = datasets.load_dataset("text", data_files=plain, split="train", cache_dir=folder)
        ids = lines.map(partial(to_ids, path), batched=True, num_proc=PROCESSES, remove_columns=["text"])
        seconds = time.monotonic() - began
        n_tokens = sum(len(line) for batch in ids.iter(10_000) for line in batch["ids"])
    return {"version": version("datasets"), "seconds": round(seconds, 3), "n_tokens": n_tokens}


TOKENIZERS: dict[str, Any] = {}


def to_ids(path: str, batch: dict[str, list[str]]) -> dict[str, Any]:
    from tokenizers import Tokenizer

    if path not in TOKENIZERS:  # once in each process
        TOKENIZERS[path] = Tokenizer.from_file(path)
    encodings = TOKENIZERS[path].encode_batch_fast(batch["text"], add_special_tokens=False)
    return {"ids": [encoding.ids for encoding in encodings]}


CHILDREN: dict[str, Callable[..., Record]] = {"learn": learn_child, "firth": firth_child, "datasets": datasets_child}


def environment_python(folder: Path) -> Path:
    """The interpreter of an environment with datasets and tokenizers, made in `folder` if it is not there."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if subprocess.run([python, "-c", "import datasets, tokenizers"], capture_output=True).returncode:
        subprocess.run([python, "-m", "pip", "install", "--quiet", "datasets", "tokenizers"], check=True)
    return python


def run_child(child: str, interpreter: Path, n_bytes: int, *arguments: object) -> Record:
    """One run: what its process says of itself, and its memory."""
    # The file itself in the other environment, too: there, nothing of firth is installed or imported.
    measured = run_measured([interpreter, __file__, "--child", child, "--arguments", json.dumps(arguments)])
    record: Record = json.loads(measured.output.splitlines()[-1])
    return record | {
        "megabytes_per_second": round(n_bytes / record["seconds"] / 1e6, 2),
        "wall_seconds": measured.wall_seconds,
        "peak_anonymous_mib": measured.peak_anonymous_mib,
    }


def plain_text(corpus: Path, folder: Path, n_bytes: int | None) -> Path:
    """The first n_bytes of the corpus in whole lines (None: all) as plain text."""
    plain = folder / corpus.name.removesuffix(".xz")
    left = n_bytes
    with (lzma.open if corpus.suffix == ".xz" else open)(corpus, "rb") as lines, plain.open("wb") as file:
        for line in lines:
            file.write(line)
            if left is not None and (left := left - len(line)) <= 0:
                break
    return plain


def measured_case(
    case: Case, plain: Path, folder: Path, python: Path, repeats: int, commit: bool
) -> dict[str, list[Record]]:
    """So many runs of each program, alternately, behind one that learns the vocabulary."""
    n_bytes = plain.stat().st_size
    pieces = str(folder / case.name.replace(" ", "_"))
    ours = Path(sys.executable)
    settings = {"case": case.name, "corpus": plain.name, "n_bytes": n_bytes, "processes": PROCESSES}
    learning = partial(run_child, "learn", ours, n_bytes, str(plain), pieces, case.kind, case.cased)
    if not Path(pieces).is_dir():
        learnt = learning()  # what encodes, also where the runs stand in the results already
        learning = partial(dict, learnt)
    runs = {"learning": [recorded("pieces", settings | {"program": "learning"}, 1, learning, commit=commit)]}
    method = "chinese" if case.language == "chinese" else "words"
    for repeat in range(1, repeats + 1):
        for program in PROGRAMS:
            if program == "firth, with words" and case.kind != "wordpiece":
                continue
            if program == "datasets":
                run = partial(run_child, "datasets", python, n_bytes, str(plain), pieces)
            else:
                words = method if program == "firth, with words" else None
                run = partial(run_child, "firth", ours, n_bytes, str(plain), pieces, words)
            record = recorded("pieces", settings | {"program": program}, repeat, run, commit=commit)
            runs.setdefault(program, []).append(record)
    return runs


def table(case: Case, runs: dict[str, list[Record]]) -> str:
    """Medians over the runs, with the lowest and the highest of the time."""
    size = runs["firth"][0]["settings"]["n_bytes"] / 1e6
    learnt = runs["learning"][0]
    lines = [
        f"## {case.name}: {size:,.1f} MB",
        "",
        f"The vocabulary, {learnt['n_entries']:,} entries, was learnt in {learnt['seconds']:.1f} s"
        + "".join(f"; {remark}" for remark in learnt["remarks"])
        + ".",
        "",
        "| | seconds (lowest to highest) | MB/s | pieces | peak anonymous memory, MiB |",
        "|---|---|---|---|---|",
    ]
    for program in PROGRAMS:
        if program not in runs:
            continue
        seconds = [record["seconds"] for record in runs[program]]
        median = statistics.median(seconds)
        memory = statistics.median(record["peak_anonymous_mib"] for record in runs[program])
        lines.append(
            f"| {program} | {median:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) | {size / median:.1f} | "
            f"{runs[program][0]['n_tokens']:,} | {memory:,.0f} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--english", type=Path)
    parser.add_argument("--chinese", type=Path)
    parser.add_argument("--environment", type=Path, help="of datasets; made if it is not there")
    parser.add_argument("--bytes", type=int, help="only so much of each text, to try the script")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each program")
    parser.add_argument("--commit", action="store_true", help="commit results/pieces.jsonl after each run")
    parser.add_argument("--child", choices=CHILDREN, help=argparse.SUPPRESS)
    parser.add_argument("--arguments", default="[]", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(CHILDREN[asked.child](*json.loads(asked.arguments))))
        return
    corpora = {"english": asked.english, "chinese": asked.chinese}
    if asked.environment is None or not any(corpora.values()):
        parser.error("--environment and --english or --chinese are needed")
    python = environment_python(asked.environment)
    tables = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {language: plain_text(path, folder, asked.bytes) for language, path in corpora.items() if path}
        for case in CASES:
            if case.language in texts:
                runs = measured_case(case, texts[case.language], folder, python, asked.repeats, asked.commit)
                tables.append(table(case, runs))
    report = "\n".join(["# From text to the ids of pieces on disk", "", machine(), "", *tables])
    (RESULTS / "pieces.md").write_text(report, encoding="utf-8")
    print(report)


if __name__ == "__main__":
    main()
