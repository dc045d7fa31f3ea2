"""Vectors from one format to another, chosen by names and contents; what streams is never whole in memory.

A source is a directory, which is mapped into memory, or a file, whose rows are written as they are read. What needs all
of them (a map, neighbours) lets them wait on disk.
"""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from firth import hub, neighbours
from firth.errors import FirthError, UsageError
from firth.explanations import warn_of_repeated
from firth.exports import to_sentence_transformers
from firth.files import printable
from firth.formats import (
    arrays,
    directory,
    fasttext,
    parquet,
    projector,
    recognition,
    safetensors,
    sentence_transformers,
    word2vec,
)
from firth.formats.recognition import FileFormat, Format
from firth.formats.rows import Array, Rows
from firth.postprocessing import NoComponentsError, postprocess, reduce_dim
from firth.quantisation import Precision
from firth.subwords import fitted
from firth.vectors import Vectors

TargetFormat = Format | Literal["sentence-transformers", "onnx"]


class Converted(NamedTuple):
    """What a conversion wrote.

    Attributes:
        paths: The targets: one, or one a layer.
        layers: The layer that each holds; of a directory all of them in a list of its own; empty of a network, which is
            written as it is.
        n_layers: How many the source has; 0 of a network.
        n_words: Words in each; 0 of a network.
        dim: Numbers in a vector; 0 of a network.
    """

    paths: list[Path]
    layers: list[int | list[int]]
    n_layers: int
    n_words: int
    dim: int


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: TargetFormat | None = None,
    source_format: FileFormat | Literal["auto"] = "auto",
    layer: int | Literal["all"] | None = None,
    limit: int | None = None,
    steps: Sequence[str] = (),
    space: str | None = None,
    neighbours: int = 0,
    precision: Precision | None = None,
    encoding_errors: str = "strict",
    overwrite: bool = False,
) -> Converted:
    """What was written: the vectors of `source`, in `target`'s format.

    Args:
        source: A model, a directory of vectors, a name on the Hub, or a file: word2vec, GloVe, fastText, `.npy`, the
            Embedding Projector's, Parquet.
        target: What to write. Its suffix says the format: `.txt` and `.vec` word2vec's text, `.bin` its binary, `.npy`
            an array with its words beside it, `.tsv` the Embedding Projector's pair, `.parquet` a table, `.onnx` a
            graph (of what `firth.finetune` has written; see `firth.to_onnx`), none a directory.
        format: The target's format, where its name does not say it; `glove` is text without a header, `fasttext` a
            model that fastText opens, with the n-grams that words are composed of, `sentence-transformers` a directory
            that this library opens, of BERT and GPT with the network (of their static vectors, where a layer, a limit
            or steps are given; see `firth.to_sentence_transformers`).
        source_format: The source's, where looking at it is not enough.
        layer: The layer written, as `Vectors.layer` numbers it; "all" writes a file for each, with `.layer0` and so on
            in front of its suffix. By default a file gets the last one, and a directory all of them.
        limit: How many words to take, from the top.
        steps: What is done to every layer first, in this order, as ["remove-components=2", "reduce-dim=100"]; see
            `firth.postprocess`. The words alone go on then: without the n-grams that others would be composed of.
        space: What to write for white space inside a word, which files cannot hold.
        neighbours: Of a `.parquet`, how many neighbours of each word it names; their search takes time with the square
            of the number of words.
        precision: Of a directory, by default as the source: `int8` takes a byte a number, a quarter of the size;
            `int8+float32` holds both, to be looked up in bytes and ranked by numbers. See `firth.quantisation`.
        encoding_errors: Of the words of a text or binary source: "strict", "replace" or "ignore".
        overwrite: Whether `target` may be replaced.

    Warns:
        UserWarning: A file has a word twice; its first vector is kept. Or a model of fastText's is written of vectors
            alone, without the table that training would go on with.

    Raises:
        FirthError: the source cannot be read, or a word cannot be written.
        UsageError: the target exists, its format is unknown, or there is no such layer.
    """
    source, target = hub.found(source).path, Path(target)
    if format == "onnx" or (format is None and target.suffix == ".onnx"):
        taken = {"layer": layer, "limit": limit, "steps": steps, "space": space, "neighbours": neighbours}
        _refuse_given("ONNX is of a network with its head", **taken, precision=precision)
        from firth.onnx import to_onnx  # and PyTorch with it

        return Converted([to_onnx(source, target, overwrite=overwrite)], [], 0, 0, 0)
    if format == "sentence-transformers":
        if precision != "float32":
            _refuse_given("sentence-transformers' directories are of float32", precision=precision)
        _refuse_given("sentence-transformers' directories are none", space=space, neighbours=neighbours)
        if layer == "all":
            raise UsageError("layer 'all' asked; sentence-transformers' directories hold one layer: name its number")
        is_read = steps or limit is not None or (source_format, encoding_errors) != ("auto", "strict")
        if layer is None and not is_read and sentence_transformers.is_network(source):
            to_sentence_transformers(source, target, overwrite=overwrite)
            return Converted([target], [], 0, 0, 0)
        vectors = Vectors.load(source, format=source_format, limit=limit, encoding_errors=encoding_errors)
        vectors = postprocess(vectors, steps) if steps else vectors
        to_sentence_transformers(vectors, target, layer=layer, overwrite=overwrite)
        number = vectors.layer_numbers[-1] if layer is None else layer
        return Converted([target], [number], vectors.n_layers, len(vectors), vectors.dim)
    chosen = format or recognition.target_format(target)
    if neighbours < 0 or (neighbours and chosen != "parquet"):
        raise UsageError(f"neighbours={neighbours} asked; they are counted, and written into a .parquet alone")
    if precision not in (None, "float32") and chosen != "directory":
        raise UsageError(f"precision {printable(precision)} asked, which directories have; {chosen} is float32")
    wanted = _Wanted(target, chosen, layer, space, neighbours, precision, overwrite)
    if steps:
        vectors = Vectors.load(source, format=source_format, limit=limit, encoding_errors=encoding_errors)
        return _of_vectors(postprocess(vectors, steps), wanted)
    if source.is_dir() or _is_fasttext(source, source_format):
        output = _output_table(source, limit) if chosen == "fasttext" else None
        return _of_vectors(Vectors.load(source, limit=limit), wanted, output)
    if layer not in (None, "all", 0):
        raise UsageError(f"layer {layer} asked of {printable(str(source))}, which has 1 (layer 0)")
    rows = recognition.rows(source, format=source_format, limit=limit, encoding_errors=encoding_errors)
    if not rows.n_at_most:
        raise FirthError(f"{printable(str(source))} holds no words")
    converted = _of_rows(rows, wanted, source.name)
    warn_of_repeated(source, rows.repeated)
    return converted


def _refuse_given(reason: str, **given: Any) -> None:
    """Raises UsageError for an argument that is none of this format's."""
    left_out: dict[str, Any] = {"steps": (), "neighbours": 0}
    if names := [name for name, value in given.items() if value != left_out.get(name)]:
        raise UsageError(f"{' and '.join(names)} asked, of files of vectors; {reason}")


def of_layer(target: Path, layer: int) -> Path:
    """The file of one layer, where each has its own: `vectors.layer3.txt`."""
    return target.with_name(f"{target.stem}.layer{layer}{target.suffix}")


class _Wanted(NamedTuple):
    """What is to be written; see `convert`."""

    target: Path
    format: Format
    layer: int | Literal["all"] | None
    space: str | None
    neighbours: int
    precision: Precision | None
    overwrite: bool


def _of_rows(rows: Rows, wanted: _Wanted, name: str) -> Converted:
    """Writes rows as they come, where the format lets them; they are of one layer."""
    target = wanted.target
    if wanted.format in ("parquet", "fasttext") or wanted.precision not in (None, "float32"):
        with _waiting_on_disk(rows, target, name) as vectors:
            return _of_vectors(vectors, wanted)
    if wanted.format == "directory":
        n_words = directory.write_rows(target, rows, settings={"source": name}, overwrite=wanted.overwrite)
        return Converted([target], [[0]], 1, n_words, rows.dim)
    path = of_layer(target, 0) if wanted.layer == "all" else target
    _refuse_existing(path, wanted)
    return Converted([path], [0], 1, _write_file(path, wanted, rows, None), rows.dim)


def _of_vectors(vectors: Vectors, wanted: _Wanted, output: Array | None = None) -> Converted:
    """Writes vectors of any number of layers; `output` is the second table that fastText's models have."""
    n_layers, layer = vectors.n_layers, wanted.layer
    if wanted.format == "directory":
        chosen = vectors.layer(layer) if isinstance(layer, int) else vectors
        chosen.save(wanted.target, overwrite=wanted.overwrite, precision=wanted.precision)
        held = [layer] if isinstance(layer, int) else vectors.layer_numbers
        return Converted([wanted.target], [held], n_layers, len(vectors), vectors.dim)
    numbers = vectors.layer_numbers
    if layer != "all":
        numbers = numbers[-1:] if layer is None else [layer]
    paths = [of_layer(wanted.target, number) if layer == "all" else wanted.target for number in numbers]
    matrices = [vectors.layer(number) for number in numbers]  # all are asked for before one is written
    for path in paths:
        _refuse_existing(path, wanted)
    for path, matrix in zip(paths, matrices, strict=True):
        rows = Rows.of(matrix.words, matrix.matrix)
        match wanted.format:
            case "parquet":
                near = _neighbours_of(matrix, wanted.neighbours)
                parquet.write_rows(path, rows, counts=matrix.counts, places=_places(matrix), neighbours_of=near)
            case "fasttext":
                _write_fasttext(path, matrix, output)
            case _:
                _write_file(path, wanted, rows, matrix.counts)
    return Converted(paths, [*numbers], n_layers, len(vectors), vectors.dim)


def _write_file(path: Path, wanted: _Wanted, rows: Rows, counts: NDArray[np.int64] | None) -> int:
    match wanted.format:
        case "npy":
            return arrays.write_rows(path, rows, space=wanted.space)
        case "projector":
            return projector.write_rows(path, rows, counts=counts, space=wanted.space)
        case "text" | "binary" | "glove":
            return word2vec.write_rows(path, rows, format=wanted.format, space=wanted.space)
    raise UsageError(f"format {printable(repr(wanted.format))} asked; there are {', '.join(get_args(Format))}")


def _refuse_existing(path: Path, wanted: _Wanted) -> None:
    beside = {"npy": arrays.words_path, "projector": projector.metadata_path}.get(wanted.format)
    for one in [path] if beside is None else [path, beside(path)]:
        if one.exists() and not wanted.overwrite:
            raise UsageError(f"{printable(str(one))} exists; choose another place, or overwrite it")
        if one.is_dir():
            raise UsageError(f"{printable(str(one))} is a directory; a file is to be written")


def _is_fasttext(source: Path, format: FileFormat | Literal["auto"]) -> bool:
    return format == "fasttext" or (format == "auto" and fasttext.is_model(source))


@contextmanager
def _waiting_on_disk(rows: Rows, target: Path, name: str) -> Iterator[Vectors]:
    """Vectors of rows that are written beside `target` until the block ends, and mapped."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.", suffix=".part") as folder:
        directory.write_rows(Path(folder, "vectors"), rows, settings={"source": name})
        yield Vectors.load(Path(folder, "vectors"))


# --- Parquet: a map and neighbours


def _places(vectors: Vectors) -> Array | None:
    """(row, 2) where each word lies along the two strongest principal components; None of vectors without any."""
    if vectors.dim < 2 or len(vectors) <= 2:
        return None
    with suppress(NoComponentsError):
        return reduce_dim(vectors, 2).matrix
    return None


def _neighbours_of(vectors: Vectors, n: int) -> parquet.NeighboursOf | None:
    """Of the rows of a slice the `n` nearest others by cosine, and 1 less the cosines."""
    n = min(n, len(vectors) - 1)
    if n < 1:
        return None
    matrix = vectors.matrix
    lengths = neighbours.norms(matrix)

    def nearest(rows: slice) -> tuple[NDArray[np.int64], Array]:
        excluded = [[row] for row in range(rows.start, rows.stop)]
        found = neighbours.nearest_to_each(matrix, lengths, matrix[rows], n, excluded)
        ids = np.stack([each.rows for each in found]).astype(np.int64)
        return ids, np.maximum(1 - np.stack([each.scores for each in found]), 0)

    return nearest


# --- fastText's models


def _output_table(source: Path, limit: int | None) -> Array | None:
    """The second table of a static model that is converted whole."""
    if limit is not None:
        return None
    if source.is_file():
        published = fasttext.read(source)
        by_tree = published.settings.loss == "hierarchical_softmax"
        return -published.output[:-1] if by_tree else published.output
    if not (source / directory.VECTORS_FILE).is_file():
        return None
    return safetensors.read(source / directory.VECTORS_FILE).get("output")


def _write_fasttext(target: Path, vectors: Vectors, output: Array | None) -> None:
    """Writes a fastText model; what the vectors do not say of themselves is as fastText has it."""
    subwords = vectors.subwords
    told: dict[str, Any] = {}
    for name in ("corpus", "budget", "family", "fasttext"):  # the last one is the most exact
        said = vectors.provenance.get(name)
        if name == "family" and isinstance(said, str):  # as vectors of words in context tell it
            said = {"name": said}
        told |= said if isinstance(said, dict) else {}
    if subwords is not None and subwords.ngrams.hashes > 1:
        raise UsageError(
            f"the n-grams of these vectors are hashed to {subwords.ngrams.hashes} rows each, and fastText's to one: "
            "train with --hashes 1"
        )
    settings = fasttext.Settings(
        dim=vectors.dim,
        window=int(told.get("window", 5)),
        epochs=max(1, round(told.get("epochs") or 5)),
        min_count=int(told.get("min_count", 5)),
        negatives=int(told.get("negatives", 5)),
        loss=str(told.get("loss", told.get("objective", "negative_sampling"))),
        model="cbow" if "cbow" in (told.get("name"), told.get("model")) else "skipgram",
        buckets=subwords.ngrams.buckets if subwords else 0,
        shortest=subwords.ngrams.shortest if subwords else 0,
        longest=subwords.ngrams.longest if subwords else 0,
        sample=float(told.get("sample", 1e-4)),
        n_tokens=int(told.get("n_tokens", 0)),
    )
    if output is not None and settings.loss == "hierarchical_softmax":  # a node each, and signs the other way round
        output = np.concatenate([-output, np.zeros((1, vectors.dim), np.float32)])
    if output is not None and output.shape != (len(vectors), vectors.dim):
        output = None
    if output is None:
        warnings.warn(
            f"{printable(str(target))} has zeros for its output table, which these vectors do not have with them: "
            "queries do without it, but training that goes on from the file learns it anew",
            stacklevel=5,
        )
    counts = np.ones(len(vectors), np.int64) if vectors.counts is None else vectors.counts
    tables: tuple[Array, ...] = (vectors.matrix,)
    if subwords is not None:
        rows = fitted(subwords.ngrams, vectors.words, subwords.words, subwords.table, vectors.matrix)
        tables = (rows, subwords.table)
    fasttext.write(target, settings, vectors.words, counts, tables, output)
