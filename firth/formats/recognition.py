"""Which format a path has, or is to have; and the rows of a file of any format.

A target's format is in its name; a source's in its first bytes, and in its name where bytes do not tell.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, get_args

from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.formats import arrays, fasttext, parquet, projector, word2vec
from firth.formats.rows import Rows, WordVectors

Format = Literal["directory", "text", "binary", "glove", "fasttext", "npy", "projector", "parquet"]
FileFormat = Literal["text", "binary", "glove", "fasttext", "npy", "projector", "parquet"]

OF_SUFFIX: Final[Mapping[str, Format]] = {
    "": "directory",
    ".txt": "text",
    ".vec": "text",
    ".bin": "binary",
    ".npy": "npy",
    ".tsv": "projector",
    ".parquet": "parquet",
}


def target_format(path: Path) -> Format:
    """The format that a name asks for.

    Raises:
        UsageError: its suffix is no format's.
    """
    if path.suffix not in OF_SUFFIX:
        names = ", ".join(suffix for suffix in OF_SUFFIX if suffix)
        raise UsageError(
            f"{printable(str(path))}: '{printable(path.suffix)}' is no format's suffix; there are {names}, and none "
            "for a directory; or name the format (--format)"
        )
    return OF_SUFFIX[path.suffix]


def source_format(path: Path) -> FileFormat:
    """The format of a file: "text" stands for every one that `word2vec` tells apart itself.

    Raises:
        FirthError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(arrays.MAGIC))
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror or error}") from error
    if start.startswith(arrays.MAGIC):
        return "npy"
    if start.startswith(parquet.MAGIC):
        return "parquet"
    if fasttext.is_model(path):
        return "fasttext"
    return "projector" if path.suffix == ".tsv" else "text"


def rows(
    path: Path,
    *,
    format: FileFormat | Literal["auto"] = "auto",
    limit: int | None = None,
    encoding_errors: str = "strict",
) -> Rows:
    """The rows of a file, read as they are taken.

    Args:
        path: The file.
        format: Its format, or "auto", which looks.
        limit: Rows read, from the top; None reads all.
        encoding_errors: Of the words of a text or binary file: "strict", "replace" or "ignore".

    Raises:
        FirthError: the file is missing, malformed or of no such format.
        UsageError: an unknown format, or a limit below 1.
    """
    if format not in ("auto", *get_args(FileFormat)):
        raise UsageError(f"format {printable(repr(format))} asked; there are auto, {', '.join(get_args(FileFormat))}")
    chosen = source_format(path) if format == "auto" else format
    match chosen:
        case "npy":
            found = arrays.read(path, limit=limit)
            return Rows.of(found.words, found.array)._replace(repeated=found.repeated)
        case "projector":
            return projector.rows(path, limit=limit)
        case "parquet":
            return parquet.rows(path, limit=limit)
        case "fasttext":
            raise UsageError(f"{printable(str(path))}: fastText's models have no rows but with their n-grams")
        case "text" if format == "auto":
            return word2vec.rows(path, limit=limit, encoding_errors=encoding_errors)
    return word2vec.rows(path, format=chosen, limit=limit, encoding_errors=encoding_errors)


def read(
    path: Path,
    *,
    format: FileFormat | Literal["auto"] = "auto",
    limit: int | None = None,
    encoding_errors: str = "strict",
) -> WordVectors:
    """Words and vectors of a file, in memory; an array's stay on disk until they are touched. As `rows`."""
    if format == "npy" or (format == "auto" and source_format(path) == "npy"):
        return arrays.read(path, limit=limit)
    return rows(path, format=format, limit=limit, encoding_errors=encoding_errors).collected()
