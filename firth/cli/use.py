"""What asks a model: nearest, analogy, similarity; and convert, which writes its vectors in another format."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, say, show
from firth.cli.settings import AsJson, Count, Flag, Layer
from firth.errors import UsageError

if TYPE_CHECKING:
    from firth.vectors import Vectors


def nearest(model: Path, /, *words: str, layer: Layer = None, n: Count = 10, as_json: AsJson = False) -> None:
    """Print the words nearest to each word by cosine similarity.

    Args:
        model: A model, or a file of vectors.
        words: The words, or text that is split into words as the model's corpus was.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many words to print for each.
        as_json: Print JSON, for machines.
    """
    vectors = load_vectors(model)
    queries = vectors.words_of(*words)
    show(
        [
            {"layer": number, "word": word, "neighbour": neighbour, "similarity": cosine}
            for number, matrix in matrices(vectors, layer)
            for word, neighbours in zip(queries, matrix.similar_by_words(queries, topn=n), strict=True)
            for neighbour, cosine in neighbours
        ],
        as_json=as_json,
    )


def analogy(model: Path, /, *words: str, layer: Layer = None, n: Count = 10, as_json: AsJson = False) -> None:
    """Print the words that answer "A is to B as C is to ?".

    Args:
        model: A model, or a file of vectors.
        words: The three words A B C.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many answers to print.
        as_json: Print JSON, for machines.
    """
    vectors = load_vectors(model)
    a, b, c = _exactly(3, vectors.words_of(*words), "A B C")
    show(
        [
            {"layer": number, "answer": answer, "similarity": cosine}
            for number, matrix in matrices(vectors, layer)
            for answer, cosine in matrix.most_similar(positive=[b, c], negative=[a], topn=n)
        ],
        as_json=as_json,
    )


def similarity(model: Path, /, *words: str, layer: Layer = None, as_json: AsJson = False) -> None:
    """Print the cosine similarity of two words.

    Args:
        model: A model, or a file of vectors.
        words: The two words.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        as_json: Print JSON, for machines.
    """
    vectors = load_vectors(model)
    first, second = _exactly(2, vectors.words_of(*words), "WORD WORD")
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


def _exactly(number: int, words: Sequence[str], names: str) -> Sequence[str]:
    if len(words) != number:
        raise UsageError(f"{names} takes {number} words; {len(words)} were given: {', '.join(words)}")
    return words


def matrices(vectors: "Vectors", layer: Layer) -> Iterator[tuple[int, "Vectors"]]:
    """The layers that were asked for, each with its number and as vectors of one layer."""
    last = vectors.n_layers - 1
    numbers = range(last + 1) if layer == "all" else [last if layer is None else layer]
    return ((number, vectors.layer(number)) for number in numbers)


def convert(
    source: Path,
    target: Path,
    /,
    *,
    format: Literal["directory", "text", "binary", "glove"] | None = None,
    source_format: Literal["auto", "text", "binary", "glove"] = "auto",
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    space: str | None = None,
    overwrite: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Write vectors in another format.

    Args:
        source: A model, or a file of vectors.
        target: What to write; `.txt` and `.vec` are word2vec's text, `.bin` its binary, no suffix a directory.
        format: The target's format, where its name does not say it; `glove` is text without a header.
        source_format: The source's format, where looking at it is not enough.
        limit: How many words to take, from the top.
        space: What to write for white space inside a word, which text and binary cannot hold.
        overwrite: Replace the target.
        as_json: Print JSON, for machines.
    """
    from firth.vectors import convert as convert_vectors

    vectors = convert_vectors(
        source,
        target,
        format=format,
        source_format=source_format,
        limit=limit,
        space=space,
        overwrite=overwrite,
    )
    if vectors.n_layers > 1 and not target.is_dir():
        last = vectors.n_layers - 1
        say(f"{source} has layers 0 to {last}; {target} holds layer {last} alone, as any file (a directory holds all)")
    row: Row = {"target": str(target), "words": len(vectors), "dim": vectors.dim}
    show([row], as_json=as_json)
