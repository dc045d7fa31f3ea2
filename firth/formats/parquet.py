"""A Parquet table of words and vectors, as Embedding Atlas, pandas and DuckDB read it: a row a word.

    word         string
    vector       list of float32
    count        int64, where counts are known
    x, y         float32: a place on the map, where one is given
    neighbors    {ids: list of int64, distances: list of float32}, where they are given: row numbers, the nearest first

Embedding Atlas (apple.github.io/embedding-atlas) is told: `embedding-atlas FILE --text word --vector vector --x x --y y
--neighbors neighbors`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.formats.arrays import checked
from firth.formats.rows import BLOCK_ROWS, Array, Block, Rows, first_of_each, not_finite

MAGIC = b"PAR1"
WORD, VECTOR = "word", "vector"
NeighboursOf = Callable[[slice], tuple[NDArray[np.int64], Array]]


def rows(path: str | Path, *, limit: int | None = None) -> Rows:
    """The rows of a table with the columns `word` and `vector`, whatever others it has.

    Raises:
        FirthError: the file is missing or damaged, a column is missing or of another kind, or a vector has another
            dim than the first; what is wrong in a row is found when its block is taken.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = Path(path)
    shown = printable(str(path))
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows read, so at least 1")
    try:
        with parquet.ParquetFile(path) as file:
            schema, n_rows = file.schema_arrow, file.metadata.num_rows
            first = next(file.iter_batches(1, columns=[VECTOR]), None) if VECTOR in schema.names else None
    except (OSError, pa.ArrowException) as error:
        raise FirthError(f"{shown} cannot be read: {printable(str(error))}") from None
    for name, kinds in ((WORD, "string"), (VECTOR, "list of floats")):
        if name not in schema.names or not _is_of_kind(pa, schema.field(name).type, name):
            there = ", ".join(f"{printable(field.name)} ({field.type})" for field in schema)
            raise FirthError(f"{shown} has no column '{name}' ({kinds}); there are: {there}")
    vector = first.column(0)[0].as_py() if first is not None and first.num_rows else None
    if not vector:
        raise FirthError(f"{shown} holds no vectors")
    n_due = min(n_rows, limit or n_rows)
    repeated: list[str] = []
    return Rows(len(vector), n_due, first_of_each(_blocks(path, n_due, len(vector)), repeated), repeated)


def write_rows(
    path: str | Path,
    rows: Rows,
    *,
    counts: NDArray[np.int64] | None = None,
    places: Array | None = None,
    neighbours_of: NeighboursOf | None = None,
) -> int:
    """Writes the table, which is replaced once all is written; returns how many rows there are.

    Args:
        path: The file.
        rows: Words and float32 vectors.
        counts: (row,) of the words.
        places: (row, 2) of each word on the map.
        neighbours_of: Of the rows of a slice (row, n) the rows nearest to each, and the distances to them.

    Raises:
        FirthError: a word that is not text, or that stands twice; a number that is not finite.
    """
    import pyarrow as pa
    from pyarrow import parquet

    fields: list[tuple[str, Any]] = [(WORD, pa.string()), (VECTOR, pa.list_(pa.float32()))]
    if counts is not None:
        fields.append(("count", pa.int64()))
    if places is not None:
        fields += [("x", pa.float32()), ("y", pa.float32())]
    if neighbours_of is not None:
        lists = [("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float32()))]
        fields.append(("neighbors", pa.struct(lists)))
    schema = pa.schema(fields)
    n_written = 0
    with replacing(Path(path), "wb") as file, parquet.ParquetWriter(file, schema) as writer:
        for words, block in checked(rows, None, ""):
            some = slice(n_written, n_written + len(words))
            columns = [pa.array(words, pa.string()), _lists(pa, block)]
            if counts is not None:
                columns.append(pa.array(counts[some]))
            if places is not None:
                columns += [pa.array(places[some, axis]) for axis in (0, 1)]
            if neighbours_of is not None:
                ids, distances = neighbours_of(some)
                columns.append(
                    pa.StructArray.from_arrays([_lists(pa, ids), _lists(pa, distances)], ["ids", "distances"])
                )
            writer.write_batch(pa.record_batch(columns, schema))
            n_written = some.stop
    return n_written


def _is_of_kind(pa: Any, kind: Any, name: str) -> bool:
    if name == WORD:
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and pa.types.is_floating(kind.value_type))


def _blocks(path: Path, n_due: int, dim: int) -> Iterator[Block]:
    from pyarrow import parquet

    shown = printable(str(path))
    n_read = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BLOCK_ROWS, columns=[WORD, VECTOR]):
            batch = batch.slice(0, n_due - n_read)
            if not batch.num_rows:
                break
            words, vectors = batch.column(WORD), batch.column(VECTOR)
            if words.null_count or vectors.null_count:
                raise FirthError(
                    f"{shown}, rows {n_read + 1:,} to {n_read + len(words):,}: a word or a vector is missing"
                )
            lengths = np.asarray(vectors.value_lengths())
            if (lengths != dim).any():
                row = int(np.argmax(lengths != dim))
                raise FirthError(f"{shown}, row {n_read + row + 1:,}: {lengths[row]} numbers where {dim} are due")
            block = np.asarray(vectors.flatten(), np.float32).reshape(-1, dim)
            if (i := not_finite(block)) is not None:
                raise FirthError(f"{shown}, row {n_read + i + 1:,}: a number that is not finite")
            yield words.to_pylist(), block
            n_read += len(words)


def _lists(pa: Any, block: NDArray[Any]) -> Any:
    """(row, n) as a column of lists."""
    ends = np.arange(0, block.size + 1, block.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(ends, pa.array(np.ascontiguousarray(block).reshape(-1)))
