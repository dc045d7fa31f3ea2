"""What a model costs: weights, floating-point operations, bytes, and the time of a look-up and of a sentence."""

import math
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from firth.extraction import extract
from firth.formats.directory import MATRICES
from firth.model import CONTEXTUAL, COUNTING, Model
from firth.vectors import Vectors

LOOKED_UP: Final = 10_000
"""Words whose look-up is timed."""
READ: Final = 50
"""Sentences whose reading is timed, one call for each."""


def parameters(model: Model) -> int:
    """Numbers that were trained."""
    if model.family.name in CONTEXTUAL:
        return sum(weight.numel() for weight in model.network.parameters())
    return sum(int(table.size) for table in model.network)


def flops(model: Model) -> float:
    """Floating-point operations of the training, counted by the equations: not what a processor was seen to do.

    Of GPT, BERT and ELMo as their families count them for each token. Of Skip-gram and CBOW 6 D for each of a pair's
    scores (one product, and two updates), of which a pair has one and its negatives, or the nodes of its path; CBOW
    forms and updates a mean of its window besides. Of GloVe 16 D for each pair: a product, two gradients, and AdaGrad's
    squares of both.
    """
    family, spent = model.family, model.record["spent"]
    if family.name in CONTEXTUAL:
        return float(family.flops_per_token(model.tokens.n_entries) * spent["tokens"])
    dim, n_pairs = family.dim, spent["n_pairs"]
    if family.name in COUNTING:
        return float(16 * dim * n_pairs)
    by_tree = family.objective == "hierarchical_softmax"
    scores = math.log2(max(2, len(model.vocabulary))) if by_tree else 1 + family.negatives
    per_pair = 6 * dim * scores
    if family.name == "cbow":
        per_pair += 2 * dim * (family.window + 1 if family.window_widths == "dynamic" else 2 * family.window)
    return float(per_pair * n_pairs)


def n_bytes(folder: Path) -> int:
    """Of the files of a model's directory, without its matrices and what a run leaves for its resumption."""
    apart = (folder / MATRICES, folder / "checkpoint", folder / "layers")
    files = (path for path in folder.rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in files if not any(path.is_relative_to(other) for other in apart))


def lookup_ms(vectors: Vectors, words: Sequence[str]) -> float:
    """Milliseconds of looking up a word's vector, the mean over some thousands."""
    asked = [word for word in words if word in vectors][:LOOKED_UP]
    if not asked:
        return float("nan")
    vectors[asked[0]]
    began = time.perf_counter()
    for word in asked:
        vectors[word]
    return 1000 * (time.perf_counter() - began) / len(asked)


def sentence_ms(model: Any, sentences: Sequence[str], *, threads: int | None = None) -> float:
    """Milliseconds until a sentence's vectors are there, of all its words and layers: one call each, the mean."""
    asked = [line for line in sentences if line.strip()][:READ]
    if not asked:
        return float("nan")
    how: dict[str, Any] = {} if isinstance(model, Vectors) else {"threads": threads}
    with warnings.catch_warnings():  # of words that have no vector
        warnings.simplefilter("ignore", UserWarning)
        list(extract(model, asked[:1], **how))
        began = time.perf_counter()
        for line in asked:
            list(extract(model, [line], **how))
        return 1000 * (time.perf_counter() - began) / len(asked)


def peak_mib() -> float | None:
    """The most memory that this process has taken so far, in MiB; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
