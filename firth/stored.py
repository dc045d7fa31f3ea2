"""Vectors as directories and fastText's models hold them: what a `Vectors` is made of, and written as."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import quantisation
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.formats import directory, fasttext
from firth.quantisation import Precision, Quantised, Table
from firth.segmentation import Segmentation
from firth.subwords import Ngrams, Subwords, compose_all
from firth.vocabulary import Vocabulary


class Stored(NamedTuple):
    """What is stored, by the names of what `Vectors` takes."""

    words: list[str] | Vocabulary
    array: Table
    codes: Quantised | None = None
    counts: NDArray[np.int64] | Vocabulary | None = None
    segmentation: Segmentation | None = None
    provenance: dict[str, Any] | None = None
    subwords: Subwords | None = None
    contexts: NDArray[np.int64] | None = None
    variance: NDArray[np.float32] | None = None


def of_fasttext(path: Path, limit: int | None) -> Stored:
    """What a fastText model holds, its words composed as it composes them."""
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows taken, so at least 1")
    published = fasttext.read(path)
    words, counts = published.texts(limit), published.counts[:limit]
    of_words, of_ngrams = published.input[: len(words)], published.input[len(published.words) :]
    told = published.settings
    provenance: dict[str, Any] = {"source": path.name, "family": {"name": told.model, **asdict(told)}}
    if not told.longest:
        aligned = np.require(of_words, requirements="A")  # in the file they begin at any byte
        return Stored(words, aligned, counts=counts, provenance=provenance)
    ngrams = Ngrams(shortest=told.shortest, longest=told.longest, buckets=told.buckets)
    array = compose_all(ngrams, published.words[:limit], of_words, of_ngrams)
    subwords = Subwords(ngrams, words, of_words, of_ngrams, met=published.words)
    return Stored(words, array, counts=counts, provenance=provenance, subwords=subwords)


def of_directory(path: Path, limit: int | None) -> Stored:
    """What a directory of ours holds, with the n-grams that its words are composed of."""
    contents = directory.read(path, limit=limit)
    settings, tensors = dict(contents.settings), contents.tensors
    family = settings.get("family")
    told = settings.pop("subwords", family if isinstance(family, dict) else {}) or {}
    try:
        ngrams = Ngrams.of(told)
    except (AttributeError, TypeError, ValueError, UsageError) as error:
        reason = printable(str(error))
        raise FirthError(f"{printable(str(path))}: {directory.SETTINGS_FILE} tells no n-grams: {reason}") from None
    subwords = None
    if ngrams is not None:
        if not {"words", "ngrams"} <= tensors.keys():
            raise FirthError(
                f"{printable(str(path))}: {directory.VECTORS_FILE} lacks the tensor 'words' or 'ngrams' of its n-grams"
            )
        words = tensors["words"]
        own = words.first(limit) if isinstance(words, Quantised) else words[:limit]
        subwords = Subwords(ngrams, contents.vocabulary, own, tensors["ngrams"], met=contents.whole)
    contexts, variance = (tensors.get(name) for name in ("contexts", "variance"))
    return Stored(
        contents.vocabulary,
        contents.array,
        codes=contents.codes,
        counts=contents.vocabulary if contents.counts_known else None,
        segmentation=Segmentation.from_settings(contents.segmentation) if contents.segmentation else None,
        provenance=settings,
        subwords=subwords,
        contexts=contexts[:limit] if isinstance(contexts, np.ndarray) else None,
        variance=variance[:, :limit] if isinstance(variance, np.ndarray) else None,
    )


def to_directory(path: Path, kept: Stored, precision: Precision | None, *, overwrite: bool) -> None:
    """Writes a directory that `of_directory` reads; see `Vectors.save`."""
    if precision is None and kept.codes is not None:
        precision = "int8" if isinstance(kept.array, Quantised) else "int8+float32"
    tensors: dict[str, Table] = {"vectors": kept.array}
    tensors |= {} if kept.contexts is None else {"contexts": kept.contexts}
    tensors |= {} if kept.variance is None else {"variance": kept.variance}
    settings = (kept.provenance or {}) | {"subwords": None}
    if precision == "int8":
        steps = settings.get("postprocessing", [])
        settings["postprocessing"] = steps if steps[-1:] == [quantisation.STEP] else [*steps, quantisation.STEP]
    if kept.subwords is not None:
        settings["subwords"] = kept.subwords.ngrams.settings()
        tensors["words"], tensors["ngrams"] = kept.subwords.kept
    directory.write(
        path,
        kept.words.words if isinstance(kept.words, Vocabulary) else kept.words,
        quantisation.packed(tensors, precision or "float32", codes=kept.codes),
        counts=kept.counts.counts if isinstance(kept.counts, Vocabulary) else kept.counts,
        segmentation=kept.segmentation.settings() if kept.segmentation else None,
        settings=settings,
        overwrite=overwrite,
    )
