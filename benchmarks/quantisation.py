"""What a byte a number costs: size, recall of neighbours, and scores of a model before and after.

    python benchmarks/quantisation.py MODEL...

A model is a directory of firth's, or any file that it reads; it is written as int8 and read again. Recall@10 is the
share of the 10 nearest neighbours before that are among the 10 after, over the QUERIES most frequent words; with the 50
nearest after ranked anew by the vectors before, it is what a search in bytes with a second look finds. Some 20 seconds
a model; every run is recorded in results/quantisation.jsonl.
"""

import argparse
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from recording import Record, recorded
from subwords import scores

from firth import Vectors
from firth.neighbours import nearest_to_each, norms, unit

QUERIES = 2_000
TOP = 10
LOOKED_AT = 50


def compared(path: Path) -> Record:
    before = Vectors.load(path)
    with tempfile.TemporaryDirectory() as folder:
        sizes = {}
        for precision in ("float32", "int8"):
            before.save(Path(folder, precision), precision=precision)
            sizes[f"{precision}_mib"] = (Path(folder, precision) / "vectors.safetensors").stat().st_size / 2**20
        after = Vectors.load(Path(folder, "int8"))
        n = min(QUERIES, len(before))
        own = [[row] for row in range(n)]
        exact, coarse = (
            nearest_to_each(some.matrix, norms(some.matrix), some.matrix[:n], k, own)
            for some, k in ((before, TOP), (after, LOOKED_AT))
        )
        units = unit(before.matrix)
        found = reranked = 0
        for row in range(n):
            due, near = set(exact[row].rows.tolist()), coarse[row].rows
            best = near[np.argsort(-(units[near] @ units[row]), kind="stable")[:TOP]]
            found += len(due & set(near[:TOP].tolist()))
            reranked += len(due & set(best.tolist()))
        return {
            **sizes,
            "recall_at_10": found / (n * TOP),
            "recall_at_10_reranked": reranked / (n * TOP),
            "before": scores(path),
            "after": scores(Path(folder, "int8")),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", metavar="MODEL")
    parser.add_argument("--commit", action="store_true", help="commit results/quantisation.jsonl after each run")
    arguments = parser.parse_args()
    for path in arguments.models:
        vectors = Vectors.load(path)
        told = {"model": path.name, "words": len(vectors), "dim": vectors.dim, "subwords": vectors.subwords is not None}
        record = recorded("quantisation", told, 0, partial(compared, path), commit=arguments.commit)
        print({name: value for name, value in record.items() if name not in ("before", "after", "settings")})
        for score, value in record["before"].items():
            if score != "sections":
                print(f"{score}: {value:.4f} -> {record['after'][score]:.4f}")


if __name__ == "__main__":
    main()
