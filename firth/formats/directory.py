"""firth's own directory of vectors: a matrix a layer, mapped into memory as it is opened.

    firth.json           where they come from, and how text is cut into these words
    vectors.safetensors  the tensor `vectors` (layer, row, dim); of a static model `input` (row, dim) and `output`
    vocabulary.tsv       a line a row: the word, how often it occurred

A model's directory holds these among other files; of a contextual one, a directory `matrices` in it does. Of a run that
is not finished, its newest checkpoint does.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import quantisation
from firth.errors import FirthError, UsageError
from firth.files import appearing, check_output, json_object, latest_checkpoint, printable, replacing
from firth.formats import safetensors
from firth.formats.rows import Array, Rows, not_finite
from firth.quantisation import Quantised, Table
from firth.vocabulary import Vocabulary

SETTINGS_FILE = "firth.json"
VECTORS_FILE = "vectors.safetensors"
VOCABULARY_FILE = "vocabulary.tsv"
MATRICES = "matrices"
"""In the directory of a contextual model, the directory of its static vectors of words."""
NO_MATRICES = "has no static vectors of words: `firth matrices MODEL --corpus CORPUS` makes them from a corpus"


class Contents(NamedTuple):
    """What a directory holds.

    Attributes:
        vocabulary: Its words, one a row.
        array: Float32 (layer, row, dim), or (row, dim) of one layer, or its codes; on disk until it is touched.
        codes: Codes that stand beside an array of float32.
        counts_known: Whether it is known how often each word occurred.
        segmentation: The settings of how text is cut; None where that is not known.
        settings: All else that firth.json says.
        tensors: All that vectors.safetensors holds, of all rows.
        whole: The words of all rows.
    """

    vocabulary: Vocabulary
    array: Table
    codes: Quantised | None
    counts_known: bool
    segmentation: Mapping[str, Any] | None
    settings: dict[str, Any]
    tensors: Mapping[str, Table]
    whole: Vocabulary

    @property
    def words(self) -> list[str]:
        """One a row."""
        return self.vocabulary.words

    @property
    def counts(self) -> NDArray[np.int64] | None:
        """(row,) how often each word occurred; None where that is not known."""
        return self.vocabulary.counts if self.counts_known else None


def read(path: Path, *, limit: int | None = None) -> Contents:
    """What the directory holds, or its newest checkpoint.

    Args:
        path: The directory.
        limit: Rows taken, from the top; None takes all.

    Raises:
        FirthError: it is no such directory (what was looked for is said, and what is there), or it is damaged.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows taken, so at least 1")
    shown = printable(str(path))
    if (path / MATRICES / SETTINGS_FILE).is_file():
        path = path / MATRICES
    elif not (path / SETTINGS_FILE).is_file():
        path = latest_checkpoint(path) or path
    if not (path / VECTORS_FILE).is_file():
        path = path / MATRICES if (path / MATRICES / SETTINGS_FILE).is_file() else path
    if not (path / VECTORS_FILE).is_file():
        _refuse_without_vectors(path)
    settings = _read_settings(path)
    vocabulary = Vocabulary.read(path / VOCABULARY_FILE)
    tensors = quantisation.unpacked(safetensors.read(path / VECTORS_FILE))
    array = tensors.get("vectors", tensors.get("input"))  # of a static model, the input table
    if array is None:
        raise FirthError(f"{shown}: {VECTORS_FILE} has neither a tensor 'vectors' nor 'input'")
    codes = tensors.get("vectors" + quantisation.CODES)
    codes = codes if isinstance(codes, Quantised) else None
    if len(array.shape) not in (2, 3) or array.shape[-2] != len(vocabulary):
        raise FirthError(f"{shown}: {VECTORS_FILE} has an array of shape {array.shape} for {len(vocabulary):,} words")
    if codes is not None and codes.shape != array.shape:
        raise FirthError(f"{shown}: {VECTORS_FILE} has vectors of shape {array.shape} and codes of {codes.shape}")
    segmentation = settings.pop("segmentation", None)
    whole = vocabulary
    if limit is not None:
        vocabulary = Vocabulary(vocabulary.words[:limit], vocabulary.counts[:limit])
    counts_known = bool(settings.pop("counts_known", True))
    some = array.first(limit) if isinstance(array, Quantised) else array[..., :limit, :]
    codes = None if codes is None else codes.first(limit)
    return Contents(vocabulary, some, codes, counts_known, segmentation, settings, tensors, whole)


def write(
    path: Path,
    words: Sequence[str],
    tensors: Mapping[str, NDArray[Any]],
    *,
    counts: NDArray[np.int64] | None,
    segmentation: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
    overwrite: bool = False,
) -> None:
    """Writes words and tensors, of which `vectors` (layer, row, dim) is one; see `Contents`.

    The directory appears whole or not at all: it is written beside `path` and renamed.

    Raises:
        UsageError: `path` exists and may not be written over.
    """
    check_output(path, overwrite=overwrite)
    with appearing(path) as folder:
        safetensors.write(folder / VECTORS_FILE, tensors)
        _describe(folder, words, counts, segmentation, settings)


def write_rows(path: Path, rows: Rows, *, settings: Mapping[str, Any], overwrite: bool = False) -> int:
    """Writes rows as the one layer of a directory, as they come; returns how many.

    Raises:
        FirthError: there is no row, or a number is not finite.
        UsageError: `path` exists and may not be written over.
    """
    check_output(path, overwrite=overwrite)
    words: list[str] = []

    def blocks() -> Iterator[Array]:
        for some, block in rows.blocks:
            if (i := not_finite(block)) is not None:
                raise FirthError(f"the vector of '{printable(some[i])}' holds a number that is not finite")
            words.extend(some)
            yield block

    with appearing(path) as folder:
        safetensors.write_rows(folder / VECTORS_FILE, "vectors", rows.n_at_most, rows.dim, blocks())
        if not words:
            raise FirthError("there is no word to write")
        _describe(folder, words, None, None, settings)
    return len(words)


def _describe(
    folder: Path,
    words: Sequence[str],
    counts: NDArray[np.int64] | None,
    segmentation: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> None:
    """Writes the words, and what firth.json says."""
    written = np.ones(len(words), np.int64) if counts is None else np.maximum(counts, 1)
    Vocabulary(words, written).write(folder / VOCABULARY_FILE)
    with replacing(folder / SETTINGS_FILE) as file:
        description = {**settings, "segmentation": segmentation, "counts_known": counts is not None}
        json.dump(description, file, ensure_ascii=False, indent=1)
        file.write("\n")


def _refuse_without_vectors(path: Path) -> None:
    """Says what a directory is that holds no vectors of words."""
    shown = printable(str(path))
    has = {name for name in (SETTINGS_FILE, "config.json") if (path / name).is_file()}
    is_elmo = any(path.glob("*.hdf5"))
    if is_elmo or "config.json" in has:
        raise FirthError(f"{shown} holds {'an ELMo' if is_elmo else 'a network'}; it {NO_MATRICES}")
    if SETTINGS_FILE in has:
        raise FirthError(
            f"{shown} has {SETTINGS_FILE} and no {VECTORS_FILE}: its writing was cut off, or a file is gone"
        )
    entries = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith("."))
    there = ", ".join(printable(name) for name in entries[:5]) + (", ..." if len(entries) > 5 else "")
    raise FirthError(
        f"{shown} holds no {SETTINGS_FILE}: it is no model of ours, or its writing was cut off. Looked for: "
        f"{SETTINGS_FILE}, {VECTORS_FILE} and {VOCABULARY_FILE}, or checkpoint/latest, or config.json, or an ELMo's "
        f"weights.hdf5; there is: {there or 'nothing'}"
    )


def _read_settings(path: Path) -> dict[str, Any]:
    if not (path / SETTINGS_FILE).exists():
        raise FirthError(
            f"{printable(str(path))} holds no {SETTINGS_FILE}: it is no model of ours, or its writing was cut off"
        )
    return json_object(path / SETTINGS_FILE)
