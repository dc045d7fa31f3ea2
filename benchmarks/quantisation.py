"""What a byte a number costs: size, memory, time, recall of neighbours and scores of a model in each precision.

    python benchmarks/quantisation.py glove.6B.50d.txt --corpus ../shared/data/corpora/en-wiki.txt.xz

A model is a directory of firth's, or any file that it reads, such as glove.6B.50d.txt; of CORPUS another one is made
first, Skip-gram with n-grams on its first 2 M words, as benchmarks/subwords.py has them, on one thread, so that it is
the same in every run. Each is written as float32, as
int8, and as both (`int8+float32`: neighbours are looked for in the bytes, and the best ranked anew by the numbers,
which stay on disk). Each is opened by a process of its own, which asks for the 10 neighbours of the QUERIES most
frequent words, one after the other and all at once. Memory is what these made resident, of files too. Recall@10 is the
share of the 10 neighbours by float32 that are among those of another precision. Of a model with n-grams, the words of
the pairs that are not in the vocabulary are composed in that precision.

Half a minute for 400,000 words, and as much for making the model; every run is recorded in results/quantisation.jsonl,
the table goes to results/quantisation.md.
"""

import argparse
import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import recording
from comparing import Row, Runs, number, origin, table
from recording import Record, recorded, run_measured
from static import normalised
from subwords import SETTINGS, WORDS, scores

from firth import Preparation, Skipgram, Vectors, train

PRECISIONS = ("float32", "int8", "int8+float32")
QUERIES = 1_000
ALONE = 200
TOP = 10
CHILD = """
import json, sys, time

from firth import Vectors

path, n, alone, top = sys.argv[1], *map(int, sys.argv[2:])

def resident():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:")) / 1024

Vectors(["a", "b"], [[1.0, 2.0], [3.0, 4.0]]).most_similar("a")
at_first, began = resident(), time.perf_counter()
vectors = Vectors.load(path)
vectors.most_similar(vectors.words[0], topn=top)
opened = time.perf_counter()
for word in vectors.words[:alone]:
    vectors.most_similar(word, topn=top)
asked = time.perf_counter()
found = vectors.similar_by_words(vectors.words[:n], topn=top)
done = time.perf_counter()
print(json.dumps({
    "first_answer_seconds": opened - began,
    "milliseconds_alone": 1000 * (asked - opened) / min(alone, len(vectors)),
    "milliseconds_together": 1000 * (done - asked) / min(n, len(vectors)),
    "resident_mib": resident() - at_first,
    "neighbours": [[word for word, _ in near] for near in found],
}))
"""


def made(corpus: Path, into: Path) -> Path:
    """A model with n-grams of the beginning of a corpus, whose name tells of it."""
    text, model = into / "text.txt", into / f"skipgram-{corpus.name.partition('.')[0]}"
    normalised(corpus, text, WORDS)
    settings = {name: value for name, value in SETTINGS.items() if name not in ("epochs", "threads")}
    preparation = Preparation(segment="space")
    train(Skipgram(**settings), text, epochs=SETTINGS["epochs"], threads=1, preparation=preparation, output=model)
    return model


def measured(path: Path, precision: str, exact: list[list[str]] | None) -> tuple[Record, list[list[str]]]:
    """What one precision takes and gives; and the neighbours, against which others are compared."""
    command: list[str | Path] = [sys.executable, "-c", CHILD, path, *map(str, (QUERIES, ALONE, TOP))]
    record = json.loads(run_measured(command).output.splitlines()[-1])
    neighbours: list[list[str]] = record.pop("neighbours")
    due = neighbours if exact is None else exact
    shared = sum(len(set(one) & set(other)) for one, other in zip(neighbours, due, strict=True))
    record |= {
        "size_mib": (path / "vectors.safetensors").stat().st_size / 2**20,
        "recall_at_10": shared / sum(map(len, due)),
        **scores(path),
    }
    return record, neighbours


def compared(model: Path) -> Record:
    """A record of all precisions, which one run measures."""
    vectors = Vectors.load(model)
    exact = None
    of_precision: Record = {}
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model")
            vectors.save(path, precision=precision)  # type: ignore[arg-type]
            of_precision[precision], neighbours = measured(path, precision, exact)
            exact = exact or neighbours
    return {"precisions": of_precision}


ROWS: dict[str, tuple[str, str]] = {
    "size, MiB": ("size_mib", ".1f"),
    "resident after the queries, MiB": ("resident_mib", ".1f"),
    "opened and answered once, s": ("first_answer_seconds", ".2f"),
    "a query alone, ms": ("milliseconds_alone", ".2f"),
    f"of {QUERIES:,} queries at once, ms each": ("milliseconds_together", ".2f"),
    "recall@10": ("recall_at_10", ".4f"),
    "wordsim353": ("wordsim353", ".4f"),
    "simlex999": ("simlex999", ".4f"),
    "analogies": ("analogies", ".4f"),
    "pairs of scws with a composed word": ("scws_rare", ".4f"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*", metavar="MODEL")
    parser.add_argument("--corpus", type=Path, help="of which a model with n-grams is made")
    parser.add_argument("--into", type=Path, default=recording.RESULTS, help="the folder of the records and the table")
    parser.add_argument("--commit", action="store_true", help="commit results/quantisation.jsonl after each run")
    arguments = parser.parse_args()
    recording.RESULTS = arguments.into
    names = [path.name for path in arguments.models]
    names += [f"--corpus {arguments.corpus.name}"] if arguments.corpus else []
    lines = ["# What a byte a number costs", "", f"`python benchmarks/quantisation.py {' '.join(names)}`"]
    runs_of_all: list[Runs] = []
    with tempfile.TemporaryDirectory() as folder:
        models = [*arguments.models, *([made(arguments.corpus, Path(folder))] if arguments.corpus else [])]
        for path in models:
            vectors = Vectors.load(path)
            told: dict[str, Any] = {"model": path.name, "words": len(vectors), "dim": vectors.dim}
            if vectors.subwords is not None:
                told |= vectors.subwords.ngrams.settings()
            record = recorded("quantisation", told, 0, partial(compared, path), commit=arguments.commit)
            runs: Runs = {precision: [record["precisions"][precision]] for precision in PRECISIONS}
            runs_of_all.append({"firth": [record]})
            rows: list[Row] = [
                (name, partial(number, runs, *how)) for name, how in ROWS.items() if how[0] in runs["float32"][0]
            ]
            shown = ", ".join(
                f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in told.items()
            )
            lines += ["", f"## {shown}", "", *table(runs, rows)]
    lines[3:3] = ["", f"{origin(*runs_of_all)} Every run: `quantisation.jsonl`."]
    (arguments.into / "quantisation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
