"""The models that are shown, by short names: their vectors at once, their networks when they are first asked for."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from firth import hub
from firth.errors import FirthError, UsageError
from firth.explorer.faults import NotThereError, ToldError
from firth.extraction import reader_of
from firth.files import JOURNAL, latest_checkpoint, printable, without_folders
from firth.model import CONTEXTUAL
from firth.vectors import Vectors

if TYPE_CHECKING:
    from firth.readers import Reader

MOST_OF: Final = 32
"""Matrices that a question may be asked of at once."""
_SHOWN_SETTINGS: Final = (str, int, float, bool)


class Matrix(NamedTuple):
    """One matrix of a model, as a question names it.

    Attributes:
        model: The model that it is of.
        layer: Its number there.
    """

    model: "Shown"
    layer: int

    @property
    def name(self) -> str:
        """What answers call it, as `bert:3`."""
        return f"{self.model.name}:{self.layer}"

    @property
    def key(self) -> tuple[str, int]:
        """What is kept of it is kept under this: another one once the model has changed on the disk."""
        return self.name, self.model.version

    @property
    def vectors(self) -> Vectors:
        """Its words and vectors."""
        return self.model.vectors_or_error().layer(self.layer)

    @property
    def python(self) -> str:
        """What opens it in Python."""
        at = f".layer({self.layer})" if self.model.vectors_or_error().n_layers > 1 else ""
        return f"firth.Vectors.load({self.model.name!r}){at}"


class Shown:
    """A model that is shown.

    Attributes:
        name: Short, of this one alone; no folder is in it.
        path: Where it is; no answer says it.
        vectors: Its matrices; None of a contextual model that has none, or of a run that has just begun.
        about: What its firth.json or config.json says.
        note: Why something of it cannot be shown; None where all can.
        version: How often it was found to have changed on the disk, as a running training does at each checkpoint.
    """

    def __init__(self, name: str, path: Path) -> None:
        """The model at `path`.

        Raises:
            FirthError: there is nothing to show.
        """
        self.name = name
        self.path = path
        self.about = _described(path)
        self.note: str | None = None
        self.vectors: Vectors | None = None
        self.version = 0
        self._seen = _times(path)
        self._refreshing = threading.Lock()
        self._reading = threading.Lock()
        self._read: tuple[int, Reader] | None = None
        try:
            self.vectors = Vectors.load(path)
        except FirthError as error:
            if not (self.is_contextual or self.log_file is not None):
                raise
            self.note = without_folders(str(error))

    @property
    def family(self) -> str:
        """The family, or the architecture, or `vectors` of a file of vectors."""
        told: Any = self.about.get("family")
        if isinstance(told, dict):
            told = told.get("name")
        if not isinstance(told, str):
            told = self.about.get("model_type")
        if isinstance(told, str):
            return printable(told)
        return "elmo" if _is_published_elmo(self.path) else "vectors"

    @property
    def is_contextual(self) -> bool:
        """Whether its vectors depend on the context, and there is a network to make them."""
        if "counts_known" in self.about:  # vectors alone
            return False
        is_ours = self.family in CONTEXTUAL
        has_network = _is_published_elmo(self.path) or any(
            (folder / name).is_file()
            for folder in (self.path, latest_checkpoint(self.path) or self.path)
            for name in ("model.safetensors", "weights.hdf5")
        )
        return has_network and (is_ours or "model_type" in self.about)

    @property
    def layers(self) -> list[int]:
        """The numbers of its matrices, or of its network's layers where it has none."""
        if self.vectors is not None:
            return self.vectors.layer_numbers
        return self.network_layers

    @property
    def network_layers(self) -> list[int]:
        """The numbers of its network's layers, 0 the one before any context is read; empty where they are not told."""
        family = self.about.get("family")
        n_layers = family.get("n_layers") if isinstance(family, dict) else None
        for name in ("num_hidden_layers", "n_layer", "n_layers"):
            n_layers = self.about.get(name, n_layers)
        if self.family == "elmo" and n_layers is None:
            n_layers = 2
        return list(range(n_layers + 1)) if isinstance(n_layers, int) else []

    @property
    def log_file(self) -> Path | None:
        """Where its training is logged: while it runs, beside its checkpoints."""
        places = [self.path / "checkpoint" / JOURNAL]
        if (checkpoint := latest_checkpoint(self.path)) is not None:
            places.append(checkpoint / "log.jsonl")
        places.append(self.path / "log.jsonl")
        return next((place for place in places if place.is_file()), None)

    @property
    def is_finished(self) -> bool:
        """Whether its training has ended; what tells nothing of a training has."""
        if (self.path / "checkpoint" / JOURNAL).is_file() or latest_checkpoint(self.path) is not None:
            return False
        return bool(self.about.get("finished", True))

    def reader(self) -> "Reader":
        """Its network; read from the disk by the first who asks.

        Raises:
            FirthError: it has none, or what runs it is not installed.
        """
        with self._reading:
            version = self.version
            if self._read is None or self._read[0] != version:
                self._read = None  # two at once may not fit in memory
                self._read = version, _reader_at(self.path)
            return self._read[1]

    def vectors_or_error(self) -> Vectors:
        """Its matrices.

        Raises:
            ToldError: it has none.
        """
        if self.vectors is None:
            raise ToldError("fault-vectors", name=self.name)
        return self.vectors

    def refresh(self) -> None:
        """Reads what is shown of it anew, if it has changed on the disk since that was read."""
        with self._refreshing:
            seen = _times(self.path)
            if seen == self._seen:
                return
            self.about = _described(self.path)
            try:
                self.vectors = Vectors.load(self.path)
                self.note = None
            except FirthError:
                pass  # what was read before is shown on
            self._seen = seen
            self.version += 1

    def settings(self) -> dict[str, Any]:
        """What the API says of it."""
        vectors = self.vectors
        family = self.about.get("family")
        told = family if isinstance(family, dict) else {}
        segmentation = self.about.get("segmentation")
        dim = vectors.dim if vectors is not None else told.get("dim", self.about.get("hidden_size"))
        return {
            "name": self.name,
            "family": self.family,
            "layers": self.layers,
            "network_layers": self.network_layers if self.is_contextual else [],
            "dim": dim if isinstance(dim, int) else None,
            "n_words": len(vectors) if vectors is not None else 0,
            "has_vectors": vectors is not None,
            "has_counts": vectors is not None and vectors.counts is not None,
            "in_context": self.is_contextual,
            "seed": self.about.get("seed") if isinstance(self.about.get("seed"), int) else None,
            "hyperparameters": {
                str(key): without_folders(value)
                for key, value in told.items()
                if key != "name" and isinstance(value, _SHOWN_SETTINGS)
            },
            "segmentation": segmentation.get("method") if isinstance(segmentation, dict) else None,
            "has_log": self.log_file is not None,
            "finished": self.is_finished,
            "note": self.note,
        }


class Shelf:
    """All models that are shown."""

    def __init__(self, places: Sequence[str | Path]) -> None:
        """The models at some places; `hf:org/name` is one on the Hub.

        Raises:
            FirthError: there is none at one of them.
            UsageError: no place was given.
        """
        if not places:
            raise UsageError("no model was given to be shown")
        self.models: list[Shown] = []
        for place in places:
            found = hub.found(place)
            self.models.append(Shown(self._free_name(found), found.path))

    def __iter__(self) -> Any:
        """The models, in the order in which they were given."""
        return iter(self.models)

    def fresh(self) -> list[Shown]:
        """The models, as they are on the disk now."""
        for model in self.models:
            model.refresh()
        return self.models

    def model(self, name: str) -> Shown:
        """The model of a name.

        Raises:
            NotThereError: there is none.
        """
        for model in self.models:
            if model.name == name:
                model.refresh()
                return model
        raise NotThereError("fault-model", name=name[:80], names=", ".join(model.name for model in self.models[:8]))

    def matrix(self, asked: str) -> Matrix:
        """The matrix that `MODEL` (its last one) or `MODEL:LAYER` names.

        Raises:
            NotThereError: there is no such model.
            ToldError: it has no such layer, or no matrices.
            UsageError: that is no layer's number.
        """
        name, colon, layer = asked.rpartition(":")
        if not colon or any(model.name == asked for model in self.models):
            model = self.model(asked)
            return Matrix(model, model.vectors_or_error().layer_numbers[-1])
        model = self.model(name)
        if not (layer.isascii() and layer.isdecimal() and len(layer) < 6):
            raise UsageError(f"'{printable(layer[:80])}' is no layer: of is MODEL or MODEL:LAYER, as {model.name}:0")
        if int(layer) not in (there := model.vectors_or_error().layer_numbers):
            raise layer_fault(model.name, int(layer), there)
        return Matrix(model, int(layer))

    def matrices(self, asked: Sequence[str]) -> list[Matrix]:
        """The matrices that are named; of no name the last one of each model that has any."""
        if len(asked) > MOST_OF:
            raise UsageError(f"{len(asked)} matrices were named; at most {MOST_OF} are asked at once")
        if not asked:
            asked = [model.name for model in self.fresh() if model.vectors is not None][:MOST_OF]
        return [self.matrix(one) for one in asked]

    def _free_name(self, found: hub.Found) -> str:
        is_of_hub = found.name.startswith(hub.PREFIX)  # whose folder is called by a number
        own = found.name.removeprefix(hub.PREFIX).partition("@")[0] if is_of_hub else found.path.resolve().name
        stem = printable(own.rpartition("/")[2]) or "model"
        taken = {model.name for model in self.models}
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}-{number}"
        return name


def layer_fault(name: str, layer: int, there: Sequence[int]) -> ToldError:
    """The fault that a model lacks a layer."""
    return ToldError("fault-layer", name=name, layer=layer, layers=", ".join(map(str, there)))


def _reader_at(path: Path) -> "Reader":
    return reader_of(path, context_length=None, device=None, precision="fp32", threads=None)


def _times(path: Path) -> tuple[int | None, ...]:
    """When what changes last as a model is written was written, in nanoseconds; None of what is not there."""
    times: list[int | None] = []
    for name in ("checkpoint/latest", "firth.json", "config.json", "matrices/firth.json"):
        try:
            times.append((path / name).stat().st_mtime_ns)
        except OSError:
            times.append(None)
    return tuple(times)


def _described(path: Path) -> dict[str, Any]:
    """The JSON that describes a model, or its latest checkpoint; empty where there is none."""
    for folder in (path, latest_checkpoint(path)):
        for name in ("firth.json", "config.json"):
            if folder is None or not (folder / name).is_file():
                continue
            try:
                value = json.loads((folder / name).read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(value, dict):
                return value
    return {}


def _is_published_elmo(path: Path) -> bool:
    if path.is_file():
        return path.suffix in (".hdf5", ".h5")
    return path.is_dir() and any(path.glob("*.h*5")) and any(path.glob("*options.json"))
