"""ELMo's published layout: weights in an HDF5 file, sizes in a JSON file of options beside it.

The datasets are bilm-tf's (https://github.com/allenai/bilm-tf), which AllenNLP and simple_elmo read too. Theirs are
inputs by outputs, and a highway's `carry` is how much of what was *transformed* is taken. What is not there, the
vocabulary and the output layer that training needs, stands in files of our own beside them.

A file with one dataset `embedding` holds words' vectors, made by the encoder once: models that read words by their rows
in it need no characters. Where a model was trained on words' numbers, it stands among the weights, and the options have
no `char_cnn`.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from firth.characters import N_CHARACTERS
from firth.errors import FirthError, UsageError
from firth.families.elmo import CharacterEncoder, ELMo, ELMoNetwork, LSTMLayer
from firth.files import printable, replacing
from firth.formats import safetensors

if TYPE_CHECKING:
    import h5py

OPTIONS: Final = "options.json"
WEIGHTS: Final = "weights.hdf5"
_ENDS: Final = (WEIGHTS, "weights.h5")
OUTPUT: Final = "model.safetensors"
EMBEDDING: Final = "embedding"
_CELL: Final = "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell"
_PROJECTION: Final = "W_P_0"
_WRITTEN_CHARACTERS: Final = N_CHARACTERS + 1  # with one for padding words: readers of trained models ask for it
_MOST: Final[Mapping[str, int]] = {"n_layers": 256, "n_highway": 256, "max_characters_per_token": 1 << 14}
_MOST_OF_OTHERS: Final = 1 << 20  # any other size: no network that was ever published comes near
_MOST_FILTERS: Final = 256
_GREATEST: Final = float(np.finfo(np.float32).max)
_MOST_COMPRESSED: Final = 1032  # bytes to one of zlib, which HDF5 compresses with: https://zlib.net/zlib_tech.html

Floats = NDArray[np.float32]


class Published(NamedTuple):
    """A pair of files: a network, by our names.

    Attributes:
        family: Its sizes, and the recipe `fast`.
        tensors: float32, by the names of the network's state.
        embedding: (V, P) the vectors of words by row, where there is a file of them; None elsewhere.
    """

    family: ELMo
    tensors: dict[str, Tensor]
    embedding: Floats | None

    def network(self, family: ELMo, n_entries: int, seed: int) -> ELMoNetwork:
        """A network of these weights, on the CPU; its output layer is at its beginning.

        Args:
            family: `self.family`, or one that differs from it in how it is trained.
            n_entries: Of the vocabulary; 0 for no output layer.
            seed: Of the output layer.
        """
        network = family.network(n_entries, seed)
        if not any(name.startswith("encoder.") for name in self.tensors):
            network.encoder = None
            network.word_vectors = None if self.embedding is None else torch.from_numpy(np.array(self.embedding))
        parameters = dict(network.named_parameters())
        with torch.no_grad():
            for name, tensor in self.tensors.items():
                parameters[name].copy_(tensor)
        return network


class _Entry(NamedTuple):
    """How a part of one of our tensors stands in the file."""

    ours: str
    theirs: str
    shape: tuple[int, ...]  # as it is stored
    first: int = (
        0  # row, or column where transposed, of ours that it begins at, as ours stands in the file's orientation
    )
    is_transposed: bool = False


def find(path: Path) -> tuple[Path, Path] | None:
    """The files of options and weights that a directory holds, or that either of them stands for; None without a pair.

    Raises:
        FirthError: a directory with several pairs.
    """
    folder = path if path.is_dir() else path.parent
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_file())
    except OSError:
        return None
    options = [name for name in names if name.endswith(OPTIONS)]
    weights = [name for name in names if name.endswith(_ENDS)]
    if not path.is_dir():
        if path.name not in [*options, *weights]:
            return None
        options, weights = ([path.name] if path.name in found else found for found in (options, weights))
    pairs = [(o, w) for o in options for w in weights if o.removesuffix(OPTIONS) == _without(w, _ENDS)]
    if not pairs and len(options) == len(weights) == 1:
        pairs = [(options[0], weights[0])]
    if len(pairs) > 1:
        shown = ", ".join(printable(name) for _, name in pairs)
        raise FirthError(f"{printable(str(folder))} holds several models: name one of {shown}")
    return (folder / pairs[0][0], folder / pairs[0][1]) if pairs else None


def _without(name: str, ends: tuple[str, ...]) -> str:
    return next((name.removesuffix(end) for end in ends if name.endswith(end)), name)


def read(options: Path, weights: Path, embedding: Path | None = None) -> Published:
    """The network in a pair of files.

    Args:
        options: The JSON file.
        weights: The HDF5 file.
        embedding: An HDF5 file of words' vectors, where the model is to read words by row.

    Raises:
        FirthError: one of them cannot be read, is not whole, or they contradict each other.
    """
    family, has_characters = _family(options)
    with _opened(weights) as file:
        names = set(file)
        of_words = _embedding(weights, file, family) if EMBEDDING in names else None
        has_encoder = of_words is None or "char_embed" in names
        is_bare = family.n_filters == family.dim // 2 and "CNN_proj" not in names  # bilm-tf needs no projection then
        if not has_encoder:
            family = replace(family, **_DEFAULT_CHARACTERS)
        elif not has_characters:
            raise FirthError(
                f"{printable(str(options))} has no object char_cnn, and {printable(weights.name)} no dataset "
                f"{EMBEDDING}: neither characters nor words can be read"
            )
        if not family.projects and _is_there(file, f"{_CELL}/{_PROJECTION}"):
            raise FirthError(
                f"{printable(str(weights))} has a dataset {_CELL}/{_PROJECTION}, although lstm.dim and "
                f"lstm.projection_dim are both {family.cell_dim}: bilm-tf projects no such cells, and AllenNLP does; "
                "firth reads them as bilm-tf writes them, without"
            )
        entries = [entry for entry in _entries(family) if has_encoder or not entry.ours.startswith("encoder.")]
        stored = [entry for entry in entries if not (is_bare and entry.theirs.startswith("CNN_proj"))]
        n_bytes = sum(_found(weights, file, entry.theirs, entry.shape).nbytes for entry in stored)
        _check_size(weights, n_bytes)  # of all together, before room is made for any
    tensors = {
        name: torch.empty(shape)
        for name, shape in _shapes(family).items()
        if has_encoder or not name.startswith("encoder.")
    }
    with _opened(weights) as file:
        for entry in entries:
            if entry in stored:
                array = _dataset(weights, file, entry.theirs, entry.shape)
            else:
                array = (
                    np.eye(*entry.shape, dtype=np.float32)
                    if len(entry.shape) == 2
                    else np.zeros(entry.shape, np.float32)
                )
            _part(tensors[entry.ours], entry).copy_(torch.from_numpy(array))
    if embedding is not None:
        with _opened(embedding) as file:
            of_words = _embedding(embedding, file, family)
    return Published(family, tensors, of_words)


def write(folder: Path, family: ELMo, network: ELMoNetwork) -> None:
    """Writes options.json and weights.hdf5 into `folder`, which exists.

    Args:
        folder: A directory.
        family: Of the network.
        network: Its weights are written as float32; the output layer is not among them, see `write_output`. Of a
            network without encoder the vectors of words by row are.
    """
    state = {name: parameter.detach().float().cpu() for name, parameter in network.named_parameters()}
    arrays = {}
    for entry in _entries(family):
        if entry.ours in state:
            arrays[entry.theirs] = _part(state[entry.ours], entry).contiguous().numpy()
    options = options_of(family)
    if network.encoder is None:
        del options["char_cnn"]
        if network.word_vectors is not None:
            arrays[EMBEDDING] = network.word_vectors.float().cpu().contiguous().numpy()
    _write(folder / WEIGHTS, arrays)
    with replacing(folder / OPTIONS) as file:
        json.dump(options, file, indent=2, sort_keys=True)
        file.write("\n")


def write_output(folder: Path, network: ELMoNetwork) -> None:
    """Writes the output layer into `folder`: `table` (V, P) and `output_bias` (V,), without the rows that pad them."""
    n = network.n_entries
    tensors = {"table": network.table, "output_bias": network.output_bias}
    safetensors.write(
        folder / OUTPUT, {name: tensor.detach()[:n].float().cpu().numpy() for name, tensor in tensors.items()}
    )


def read_output(folder: Path, network: ELMoNetwork) -> None:
    """Sets the network's output layer to the one in `folder`.

    Raises:
        FirthError: it is of another vocabulary or width.
    """
    n = network.n_entries
    stored = safetensors.read(folder / OUTPUT)
    for name, tensor in (("table", network.table), ("output_bias", network.output_bias)):
        due = (n, *tensor.shape[1:])
        if name not in stored or stored[name].shape != due or stored[name].dtype != np.float32:
            there = f"{stored[name].dtype} {stored[name].shape}" if name in stored else "no such tensor"
            raise FirthError(
                f"{printable(str(folder / OUTPUT))} does not hold the output layer of this vocabulary: {name} should "
                f"be float32 {due}, and there is {there}"
            )
        with torch.no_grad():
            tensor[:n] = torch.from_numpy(np.array(stored[name]))


def options_of(family: ELMo) -> dict[str, Any]:
    """What options.json says of a network."""
    return {
        "bidirectional": True,
        "char_cnn": {
            "activation": family.activation,
            "embedding": {"dim": family.character_dim},
            "filters": [list(pair) for pair in family.filters],
            "max_characters_per_token": family.max_characters,
            "n_characters": _WRITTEN_CHARACTERS,
            "n_highway": family.n_highway,
        },
        "lstm": {
            "cell_clip": family.cell_clip,
            "dim": family.cell_dim,
            "n_layers": family.n_layers,
            "proj_clip": family.projection_clip,
            "projection_dim": family.dim // 2,
            "use_skip_connections": family.residual,
        },
    }


# --- sizes ------------------------------------------------------------------------------------------------------------


def _family(path: Path) -> tuple[ELMo, bool]:
    """The family that a file of options describes, and whether it reads characters.

    What the options say beyond that does not matter.
    """
    options = _json(path)
    lstm = _object(path, options, "lstm")
    if "use_skip_connections" not in lstm:
        raise FirthError(f"{printable(str(path))} has no lstm.use_skip_connections, which ELMo's options have")
    residual = lstm["use_skip_connections"]
    if type(residual) is not bool:
        raise FirthError(
            f"{printable(str(path))} says lstm.use_skip_connections is {_shown(residual)}; it must be true or false"
        )
    sizes: dict[str, Any] = {
        "dim": 2 * _number(path, lstm, "lstm", "projection_dim"),
        "cell_dim": _number(path, lstm, "lstm", "dim"),
        "n_layers": _number(path, lstm, "lstm", "n_layers"),
        "cell_clip": _clip(path, lstm, "cell_clip"),
        "projection_clip": _clip(path, lstm, "proj_clip"),
        "residual": residual,
    }
    if sizes["cell_dim"] < sizes["dim"] // 2:
        raise FirthError(
            f"{printable(str(path))} says lstm.dim is {sizes['cell_dim']} and lstm.projection_dim {sizes['dim'] // 2}: "
            "the words' vectors would be longer than those of the LSTM layers, with which they stand in one array"
        )
    has_characters = "char_cnn" in options
    if has_characters:
        sizes |= _of_characters(path, options)
    try:
        return ELMo(**sizes), has_characters
    except UsageError as error:
        raise FirthError(f"{printable(str(path))} describes no network: {printable(str(error))}") from None


def _of_characters(path: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say of the encoder."""
    cnn = _object(path, options, "char_cnn")
    n_characters = _number(path, cnn, "char_cnn", "n_characters")
    if n_characters not in (N_CHARACTERS, _WRITTEN_CHARACTERS):
        raise FirthError(
            f"{printable(str(path))} says char_cnn.n_characters is {n_characters}; it must be {N_CHARACTERS}, or "
            f"{_WRITTEN_CHARACTERS} with the one for padding: words are spelt in bytes"
        )
    filters = cnn.get("filters")
    if not isinstance(filters, list) or not all(
        isinstance(pair, list) and [type(number) for number in pair] == [int, int] for pair in filters
    ):
        raise FirthError(
            f"{printable(str(path))} says char_cnn.filters is {_shown(filters)}; it must be a list of pairs of a width "
            "and a number"
        )
    if len(filters) > _MOST_FILTERS or any(number > _MOST_OF_OTHERS for pair in filters for number in pair):
        raise FirthError(
            f"{printable(str(path))} says char_cnn.filters is {_shown(filters)}; there can be {_MOST_FILTERS} pairs at "
            f"most, of numbers up to {_MOST_OF_OTHERS:,}"
        )
    embedding = _object(path, cnn, "char_cnn.embedding")
    return {
        "character_dim": _number(path, embedding, "char_cnn.embedding", "dim"),
        "filters": filters,
        "n_highway": _number(path, cnn, "char_cnn", "n_highway", least=0),
        "activation": cnn.get("activation"),
        "max_characters": _number(path, cnn, "char_cnn", "max_characters_per_token"),
    }


_DEFAULT_CHARACTERS: Final[Mapping[str, Any]] = {
    name: getattr(ELMo(), name) for name in ("character_dim", "filters", "n_highway", "activation", "max_characters")
}
"""Of a network that reads no characters: numbers that nothing depends on."""


def _json(path: Path) -> dict[str, Any]:
    try:
        options = json.loads(path.read_bytes())
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise FirthError(f"{printable(str(path))} is not JSON: {printable(str(error))}") from None
    if not isinstance(options, dict):
        raise FirthError(f"{printable(str(path))} is not a JSON object")
    return options


def _object(path: Path, options: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = options.get(name.rpartition(".")[2])
    if not isinstance(found, dict):
        raise FirthError(f"{printable(str(path))} has no object {name}, which ELMo's options have")
    return found


def _number(path: Path, options: Mapping[str, Any], part: str, name: str, least: int = 1) -> int:
    if name not in options:
        raise FirthError(f"{printable(str(path))} has no {part}.{name}, which ELMo's options have")
    value = options[name]
    if type(value) is not int or value < least:
        raise FirthError(
            f"{printable(str(path))} says {part}.{name} is {_shown(value)}; it must be a whole number, at least {least}"
        )
    if value > (most := _MOST.get(name, _MOST_OF_OTHERS)):
        raise FirthError(f"{printable(str(path))} says {part}.{name} is {_shown(value)}; it can be {most:,} at most")
    return value


def _clip(path: Path, lstm: Mapping[str, Any], name: str) -> float | None:
    """A clip; none where there is none, where it is null, and where it is 0, which AllenNLP takes as none."""
    value = lstm.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value <= _GREATEST:
        raise FirthError(f"{printable(str(path))} says lstm.{name} is {_shown(value)}; it must be a number, or null")
    return float(value) or None


def _shown(value: Any) -> str:
    try:
        return printable(json.dumps(value, ensure_ascii=False))[:200]
    except ValueError:  # more digits than Python writes
        return "a very large number"


# --- datasets ---------------------------------------------------------------------------------------------------------


def _shapes(family: ELMo) -> dict[str, torch.Size]:
    """What is published of a family's network, by the names of its state."""
    with torch.device("meta"):
        parts = {"encoder": CharacterEncoder(family)} | {
            f"lstms.{number}": LSTMLayer(family) for number in range(family.n_layers)
        }
    return {
        f"{part}.{name}": weight.shape for part, module in parts.items() for name, weight in module.named_parameters()
    }


def _entries(family: ELMo) -> Iterator[_Entry]:
    """Every dataset of a family's file, and the tensor that it is a part of."""
    yield _Entry("encoder.characters", "char_embed", (N_CHARACTERS, family.character_dim))
    for number, (width, count) in enumerate(family.filters):
        ours = f"encoder.filters.{number}"
        shape = (1, width, family.character_dim, count)
        yield _Entry(f"{ours}.weight", f"CNN/W_cnn_{number}", shape, is_transposed=True)
        yield _Entry(f"{ours}.bias", f"CNN/b_cnn_{number}", (count,))
    n = family.n_filters
    for number in range(family.n_highway):
        ours, theirs = f"encoder.highways.{number}", f"CNN_high_{number}"
        for first, part in ((0, "transform"), (n, "carry")):
            yield _Entry(f"{ours}.weight", f"{theirs}/W_{part}", (n, n), first, is_transposed=True)
            yield _Entry(f"{ours}.bias", f"{theirs}/b_{part}", (n,), first)
    dim, cell_dim = family.dim // 2, family.cell_dim
    yield _Entry("encoder.projection.weight", "CNN_proj/W_proj", (n, dim), is_transposed=True)
    yield _Entry("encoder.projection.bias", "CNN_proj/b_proj", (dim,))
    for way in (0, 1):
        for layer in range(family.n_layers):
            ours, theirs = f"lstms.{layer}", f"RNN_{way}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            yield _Entry(f"{ours}.weight", f"{theirs}/W_0", (2 * dim, 4 * cell_dim), 2 * dim * way)
            yield _Entry(f"{ours}.bias", f"{theirs}/B", (4 * cell_dim,), 4 * cell_dim * way)
            if family.projects:
                yield _Entry(f"{ours}.projection", f"{theirs}/{_PROJECTION}", (cell_dim, dim), cell_dim * way)


def _part(ours: Tensor, entry: _Entry) -> Tensor:
    """What of our tensor stands in a dataset, in its shape: a view."""
    if not entry.is_transposed:
        return ours[entry.first : entry.first + entry.shape[0]]
    return ours[entry.first : entry.first + entry.shape[-1]].mT.view(entry.shape)


@contextmanager
def _opened(path: Path) -> "Iterator[h5py.File]":
    """An HDF5 file to be read; what the library says of a damaged one becomes a FirthError."""
    import h5py

    shown = printable(str(path))
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise FirthError(f"{shown} cannot be read: {error.strerror}") from None
    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise FirthError(f"{shown} is not a whole HDF5 file: {printable(str(error))}") from None


def _dataset(path: Path, file: "h5py.File", name: str, shape: tuple[int, ...]) -> Floats:
    """What stands in a dataset of a shape."""
    found = _found(path, file, name, shape)
    _check_size(path, found.nbytes)
    return np.asarray(found[()], np.float32)


def _check_size(path: Path, n_bytes: int) -> None:
    """Refuses a file that declares more than can be in it, for which room would be made."""
    there = path.stat().st_size
    if n_bytes > _MOST_COMPRESSED * there:
        raise FirthError(
            f"{printable(str(path))} is not a whole file: it declares {n_bytes:,} bytes of numbers, and has {there:,}"
        )


def _found(path: Path, file: "h5py.File", name: str, shape: tuple[int, ...]) -> Any:
    """A dataset of a shape. Nothing outside of the file is read, wherever it may point."""
    import h5py

    shown = printable(str(path))
    found: Any = file
    for part in name.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            raise FirthError(f"{shown} does not hold the network that its options describe: there is no dataset {name}")
        if not isinstance(link, h5py.HardLink):
            raise FirthError(f"{shown}: {name} is a link to elsewhere, which is not followed")
        found = found[part]
    if not isinstance(found, h5py.Dataset):
        raise FirthError(f"{shown}: {name} should be a dataset, and is a group or a type")
    if found.external or found.is_virtual:
        raise FirthError(f"{shown}: {name} has its data in another file, which is not read")
    if found.shape != shape or found.dtype.kind != "f":
        raise FirthError(
            f"{shown} does not hold the network that its options describe: {name} should be floats of shape {shape}, "
            f"and is {found.dtype} {found.shape}"
        )
    return found


def _is_there(file: "h5py.File", name: str) -> bool:
    """Whether the file itself has something of a name."""
    import h5py

    found: Any = file
    for part in name.split("/"):
        if not isinstance(found, h5py.Group) or not isinstance(found.get(part, getlink=True), h5py.HardLink):
            return False
        found = found[part]
    return True


def _embedding(path: Path, file: "h5py.File", family: ELMo) -> Floats:
    """The vectors of words in a file; how many is the file's to say."""
    import h5py

    found = file.get(EMBEDDING) if isinstance(file.get(EMBEDDING, getlink=True), h5py.HardLink) else None
    n_words = found.shape[0] if isinstance(found, h5py.Dataset) and found.shape else 0
    return _dataset(path, file, EMBEDDING, (n_words, family.dim // 2))


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes named arrays as an HDF5 file, replacing what was there once all is written."""
    import h5py

    part = path.with_name(f".{path.name}.part")
    try:
        with h5py.File(part, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array)
        with part.open("rb+") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be written: {printable(str(error))}") from error
    finally:
        part.unlink(missing_ok=True)
