"""A trained model: family, vocabulary, network, and where it came from; a directory on disk."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.families.cbow import CBOW
from firth.families.family import Family, from_settings, settings
from firth.families.skipgram import Skipgram
from firth.families.word2vec import Tables
from firth.files import appearing, check_output, latest_checkpoint, printable, replacing
from firth.formats import safetensors, word2vec
from firth.segmentation import Segmentation
from firth.vectors import Vectors
from firth.vocabulary import Vocabulary

FAMILIES: Final[Mapping[str, type]] = {"skipgram": Skipgram, "cbow": CBOW}
"""The families that a directory may hold, by the name in its firth.json."""

FORMAT: Final = 1


class Model:
    """What training leaves: the network, and all that is needed to use it and to go on.

    Attributes:
        family: The hyperparameters.
        vocabulary: V words with their rows.
        network: The two tables of a static family.
        segmentation: How text became words; queries are treated alike.
        record: How the model came about, as JSON: corpus fingerprint, budget spent, seed, versions, the mean
            loss over the last tenth of the budget and over all of it.
        log: One entry for each report of the training, as `log.jsonl` has them.
    """

    def __init__(
        self,
        family: Family,
        vocabulary: Vocabulary,
        network: Tables,
        segmentation: Segmentation,
        record: Mapping[str, Any],
        log: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """A model of these parts; nothing is copied."""
        self.family = family
        self.vocabulary = vocabulary
        self.network = network
        self.segmentation = segmentation
        self.record = dict(record)
        self.log = [dict(entry) for entry in log]

    def __repr__(self) -> str:
        """The family with its hyperparameters, and the size of the vocabulary."""
        return f"<Model {self.family} of {len(self.vocabulary):,} words>"

    @cached_property
    def vectors(self) -> Vectors:
        """The word vectors: one matrix (layer 0), which shares its memory with `table()`."""
        return Vectors(
            self.vocabulary.words,
            self.network.input[np.newaxis],
            counts=self.vocabulary.counts,
            segmentation=self.segmentation,
            provenance={"family": self.family.name, **self.record},
        )

    def table(self) -> NDArray[np.float32]:
        """(V, D): the weight matrix behind the one-hot input. A one-hot row times it is the lookup."""
        return self.network.input

    def output_table(self) -> NDArray[np.float32]:
        """(V, D) a vector for each word as it is predicted; of hierarchical softmax (V - 1, D), one for each node."""
        return self.network.output

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the model's directory: firth.json, vectors.safetensors, vocabulary.tsv, log.jsonl.

        It appears whole or not at all: it is written beside `path` and renamed.

        Raises:
            UsageError: `path` exists, and `overwrite` is not given.
        """
        path = Path(path)
        check_output(path, overwrite=overwrite)
        with appearing(path) as folder:
            self.write(folder)

    def write(self, folder: Path) -> None:
        """Writes the model's files into `folder`, which exists."""
        safetensors.write(folder / "vectors.safetensors", self.network._asdict())
        self.vocabulary.write(folder / "vocabulary.tsv")
        with replacing(folder / "log.jsonl") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in self.log)
        description = {
            "format": FORMAT,
            "family": settings(self.family),
            "segmentation": self.segmentation.settings(),
            **self.record,
        }
        with replacing(folder / "firth.json") as file:
            json.dump(description, file, indent=1, ensure_ascii=False)
            file.write("\n")


def load(path: str | os.PathLike[str]) -> Model:
    """The model in a directory; its tables are mapped into memory, not read.

    A run that was interrupted has a checkpoint and no model yet: then the model is the checkpoint's, and
    `record["finished"]` is False.

    Raises:
        FirthError: there is no model, a file of it is missing or damaged, or a newer firth wrote it.
    """
    path = Path(path)
    shown = printable(str(path))
    if path.is_file():
        word2vec.refuse_foreign(path)
        raise FirthError(f"{shown} is a file, and a model is a directory; `firth.Vectors.load` reads files of vectors")
    folder = path if (path / "firth.json").is_file() else latest_checkpoint(path)
    if folder is None:
        there = "no such directory" if not path.is_dir() else "a directory without firth.json"
        raise FirthError(f"{shown} is no model: {there}; `firth train` makes one")
    try:
        description = json.loads((folder / "firth.json").read_bytes())
        if "counts_known" in description:
            raise FirthError(f"{shown} holds vectors alone, no model; `firth.Vectors.load` reads them")
        if description.pop("format") != FORMAT:
            raise FirthError(f"{shown} was written by a newer firth than this one; upgrade firth")
        family = from_settings(FAMILIES, description.pop("family"))
        segmentation = Segmentation.from_settings(description.pop("segmentation"))
        log = [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FirthError(f"{shown} is not a whole model: {printable(str(error))}") from None
    vocabulary = Vocabulary.read(folder / "vocabulary.tsv")
    tensors = safetensors.read(folder / "vectors.safetensors")
    for name, due in family.shapes(vocabulary).items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != due or tensor.dtype != np.float32:
            there = "no tensor" if tensor is None else f"{tensor.dtype} {tensor.shape}"
            raise FirthError(
                f"{shown} is not a whole model: vectors.safetensors has {there} for '{name}', "
                f"where the vocabulary and the family ask for float32 {due}"
            )
    return Model(family, vocabulary, Tables(tensors["input"], tensors["output"]), segmentation, description, log)


def versions() -> dict[str, str]:
    """What made a model: firth, Python, NumPy, Numba."""
    from importlib.metadata import version

    return {"python": platform.python_version(), **{name: version(name) for name in ("firth", "numpy", "numba")}}
