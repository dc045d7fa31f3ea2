"""What asks a model: nearest, analogy, similarity; and convert, which writes its vectors in another format."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, say, show
from firth.cli.settings import AsJson, Count, Flag, Layer
from firth.errors import UsageError
from firth.files import printable

if TYPE_CHECKING:
    from firth.vectors import Vectors


TargetFormat = Literal[
    "directory", "text", "binary", "glove", "fasttext", "npy", "projector", "parquet", "sentence-transformers", "onnx"
]
SourceFormat = Literal["auto", "text", "binary", "glove", "fasttext", "npy", "projector", "parquet"]


def nearest(
    model: Path, /, *words: str, layer: Layer = None, n: Count = 10, whole: Flag = False, as_json: AsJson = False
) -> None:
    """Print the words nearest to each word by cosine similarity.

    Args:
        model: A model, or a file of vectors.
        words: The words, or text that is split into words as the model's corpus was.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many words to print for each.
        whole: Take each argument as one word, as it stands: a Chinese one that would be cut, or one with a space in it.
        as_json: Print JSON, for machines.
    """
    vectors = load_vectors(model)
    queries = _asked(vectors, words, whole=whole)
    _say_of_ngrams(vectors, queries)
    show(
        [
            {"layer": number, "word": word, "neighbour": neighbour, "similarity": cosine}
            for number, matrix in matrices(vectors, layer)
            for word, neighbours in zip(queries, matrix.similar_by_words(queries, topn=n), strict=True)
            for neighbour, cosine in neighbours
        ],
        as_json=as_json,
    )


def analogy(
    model: Path, /, *words: str, layer: Layer = None, n: Count = 10, whole: Flag = False, as_json: AsJson = False
) -> None:
    """Print the words that answer "A is to B as C is to ?".

    Args:
        model: A model, or a file of vectors.
        words: The three words A B C.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many answers to print.
        whole: Take each argument as one word, as it stands.
        as_json: Print JSON, for machines.
    """
    vectors = load_vectors(model)
    a, b, c = _exactly(3, _asked(vectors, words, whole=whole), "A B C")
    _say_of_ngrams(vectors, [a, b, c])
    show(
        [
            {"layer": number, "answer": answer, "similarity": cosine}
            for number, matrix in matrices(vectors, layer)
            for answer, cosine in matrix.most_similar(positive=[b, c], negative=[a], topn=n)
        ],
        as_json=as_json,
    )


def similarity(model: Path, /, *words: str, layer: Layer = None, whole: Flag = False, as_json: AsJson = False) -> None:
    """Print the cosine similarity of two words.

    Args:
        model: A model, or a file of vectors.
        words: The two words.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        whole: Take each argument as one word, as it stands.
        as_json: Print JSON, for machines.
    """
    vectors = load_vectors(model)
    first, second = _exactly(2, _asked(vectors, words, whole=whole), "WORD WORD")
    _say_of_ngrams(vectors, [first, second])
    show(
        [
            {"layer": number, "first": first, "second": second, "similarity": matrix.similarity(first, second)}
            for number, matrix in matrices(vectors, layer)
        ],
        as_json=as_json,
    )


def load_vectors(model: Path) -> "Vectors":
    """The vectors of a model or file, with a warning where they are cut otherwise today."""
    from firth.vectors import Vectors

    vectors = Vectors.load(model)
    if vectors.segmentation is not None and (warning := vectors.segmentation.warning()) is not None:
        say(f"warning: {warning}")
    return vectors


def _asked(vectors: "Vectors", words: Sequence[str], *, whole: bool) -> Sequence[str]:
    """The words that were asked about: cut as the model's corpus was, unless each is one."""
    if not whole:
        return vectors.words_of(*words)
    if not words:
        raise UsageError("no word was given")
    return words


def _say_of_ngrams(vectors: "Vectors", words: Sequence[str]) -> None:
    """Says on standard error which words have their vectors from n-grams alone, and how many of these are known."""
    if vectors.subwords is None:
        return
    for word in words:
        if word not in vectors:
            share = vectors.from_ngrams(word).known_share
            say(f"'{printable(word)}' is not among the words: its vector is its n-grams', {share:.0%} of them known")


def _exactly(number: int, words: Sequence[str], names: str) -> Sequence[str]:
    if len(words) != number:
        raise UsageError(f"{names} takes {number} words; {len(words)} were given: {', '.join(words)}")
    return words


def matrices(vectors: "Vectors", layer: Layer) -> Iterator[tuple[int, "Vectors"]]:
    """The layers that were asked for, each with its number and as vectors of one layer."""
    numbers = vectors.layer_numbers
    if layer != "all":
        numbers = numbers[-1:] if layer is None else [layer]
    return ((number, vectors.layer(number)) for number in numbers)


def convert(
    source: Path,
    target: Path,
    /,
    *,
    format: TargetFormat | None = None,
    source_format: SourceFormat = "auto",
    layer: Layer = None,
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    steps: str | None = None,
    space: str | None = None,
    neighbours: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    precision: Literal["float32", "int8", "int8+float32"] | None = None,
    encoding_errors: Literal["strict", "replace", "ignore"] = "strict",
    overwrite: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Write vectors in another format, or a model with a head as a graph (ONNX).

    Args:
        source: A model, or a file of vectors; of ONNX what `firth finetune` has written, of BERT or GPT.
        target: What to write; `.txt` and `.vec` are word2vec's text, `.bin` its binary, `.npy` an array with its words
            in `.vocab.txt`, `.tsv` the Embedding Projector's pair, `.parquet` a table for Embedding Atlas, `.onnx` a
            graph that onnxruntime runs, no suffix a directory.
        format: The target's format, where its name does not say it; `glove` is text without a header,
            `fasttext` a model that fastText opens, with the n-grams that words are composed of,
            `sentence-transformers` a directory that this library opens, of BERT and GPT with the network (of
            their static vectors, where --layer, --limit or --steps is given).
        source_format: The source's format, where looking at it is not enough.
        layer: The layer that is written, or `all`, each into a file of its own (`vectors.layer0.txt`, ...); by default
            the last one into a file, all into a directory.
        limit: How many words to take, from the top.
        steps: What is done to the vectors first, in this order, with commas: centre, remove-components=N, whiten,
            reduce-dim=DIM, normalise, quantise. The firth.json of a directory tells it.
        space: What to write for white space inside a word, which text and binary cannot hold.
        neighbours: How many neighbours of each word a `.parquet` names; of many words this takes long.
        precision: Of a directory, by default as the source: `int8` takes a byte a number, a quarter of the size;
            `int8+float32` holds both: neighbours are looked up in bytes, which memory holds, and ranked by numbers,
            which stay on disk.
        encoding_errors: What to do about words of a text or binary file that are not UTF-8.
        overwrite: Replace the target.
        as_json: Print JSON, for machines.
    """
    from firth.conversion import convert as convert_vectors

    converted = convert_vectors(
        source,
        target,
        format=format,
        source_format=source_format,
        layer=layer,
        limit=limit,
        steps=() if steps is None else steps.split(","),
        space=space,
        neighbours=neighbours,
        precision=precision,
        encoding_errors=encoding_errors,
        overwrite=overwrite,
    )
    is_file = format != "sentence-transformers"
    if layer is None and is_file and converted.n_layers > 1 and isinstance(converted.layers[0], int):
        say(
            f"{source} has {converted.n_layers} layers; {target} holds layer {converted.layers[0]} alone, as any file "
            "(a directory holds all, --layer all writes a file for each)"
        )
    told: Row = {"words": converted.n_words, "dim": converted.dim} if converted.layers else {}
    rows: list[Row] = [{"target": str(path), **told} for path in converted.paths]
    show(rows, as_json=as_json)
