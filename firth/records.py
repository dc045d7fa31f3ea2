"""The texts of JSON lines and Parquet tables, record by record, with the columns that are kept."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from firth.decoding import unix_lines
from firth.errors import EncodingError, FirthError
from firth.faults import Faults
from firth.files import printable
from firth.preparation import Preparation

_TABLE_BUFFER_BYTES: Final = 1 << 20  # without one, a whole group of rows is read at once
_TABLE_BATCH_BYTES: Final = 1 << 22
_MOST_ROWS_OF_A_BATCH: Final = 1 << 12
_MOST_FIELDS_NAMED: Final = 20
_NO_CHARACTERS: Final = re.compile("[\0\ud800-\udfff]")  # what a string of JSON may hold, but no text


Kept = tuple[str | None, ...]
"""Values kept with documents, in the order of the names; None where a document has none."""


class _Number(str):
    """A number of JSON as it was written."""


def json_lines(texts: Iterator[str], name: str, preparation: Preparation, faults: Faults) -> Iterator[tuple[str, Kept]]:
    """The text of every record that has one, a JSON object a line, and what is kept of it.

    Args:
        texts: the file's text in pieces of any size; line ends are `\\n`.
        name: what messages call the file.
        preparation: the columns, and what becomes of escapes that stand for no character (`\\u0000`, `\\ud800`).
        faults: counts these, and records without text.

    Raises:
        EncodingError: there is such an escape, and the preparation is strict; it names the line and the options.
        FirthError: a line is no JSON object, lacks a field, or holds something else than text in it.
    """
    decoder = json.JSONDecoder(parse_int=_Number, parse_float=_Number, parse_constant=_Number, strict=False)
    scan = decoder.scan_once  # type: ignore[attr-defined] # as `decode`, without looking for white space twice
    column, keep = preparation.column, preparation.keep
    for number, line in enumerate(_lines(texts), start=1):
        line = line.strip(" \t")
        if not line:
            continue
        try:
            record, end = scan(line, 0)
        except (ValueError, StopIteration, RecursionError) as error:
            raise _no_json(name, number, error) from None
        if end != len(line) or type(record) is not dict:
            raise _no_json(name, number, None if end == len(line) else ValueError("more behind the first value"))
        try:
            text = record[column]
            kept = tuple([_value(record[key], key, name, number) for key in keep])
        except KeyError as error:
            raise _missing(str(error.args[0]), list(record), f"{name}, line {number}") from None
        if text is not None and type(text) is not str:
            raise FirthError(
                f"{name}, line {number}: field {printable(column)!r} holds {_json_kind(text)}, not text; there are "
                f"{_names(record)}"
            )
        if "\\u" in line:
            where = f"{name}, line {number}"
            text = text and _characters(text, where, name, preparation, faults)
            kept = tuple([value and _characters(value, where, name, preparation, faults) for value in kept])
        if not text or text.isspace():
            faults.n_empty_records += 1
            continue
        yield unix_lines(text).removeprefix("\ufeff"), kept


def _lines(texts: Iterator[str]) -> Iterator[str]:
    pending: list[str] = []
    for text in texts:
        first, *others = text.split("\n")
        pending.append(first)
        if others:
            yield "".join(pending)
            pending = [others.pop()]
            yield from others
    yield "".join(pending)


def _value(value: Any, key: str, name: str, number: int) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)  # of a number too
    if isinstance(value, bool):
        return "true" if value else "false"
    raise FirthError(
        f"{name}, line {number}: field {printable(key)!r} is to be kept, but holds {_json_kind(value)}; "
        "texts, numbers, true, false and null can be kept"
    )


def _characters(text: str, where: str, name: str, preparation: Preparation, faults: Faults) -> str:
    """`text` of a record, without NUL and halves of characters, which no text file can hold."""
    found = None if _is_encodable(text) else _NO_CHARACTERS.search(text)
    if found is None:
        return text
    if preparation.encoding_errors == "strict":
        raise EncodingError(
            f"{where}: {printable(found[0])} stands in it, which is no character; "
            "--encoding-errors replace or skip passes it"
        )
    text, n_found = _NO_CHARACTERS.subn("\ufffd" if preparation.encoding_errors == "replace" else "", text)
    faults.invalid[name] += n_found
    return text


def _is_encodable(text: str) -> bool:
    """Whether there are only characters in `text`: told sooner than they are found."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def rows(
    path: Path, name: str, preparation: Preparation, faults: Faults, count: Callable[[int], None]
) -> Iterator[tuple[str, Kept]]:
    """The text of every row of a Parquet file that has one, and what is kept of the row.

    Args:
        path: the file.
        name: what messages call it.
        preparation: the columns, and what becomes of text that is not valid UTF-8 or holds NUL characters.
        faults: counts that, and rows without text.
        count: is told how much of the file was read: the rows' part of it.

    Raises:
        EncodingError: a text is not valid, and the preparation is strict; it names the row and the options.
        FirthError: this is no Parquet file, or a damaged one; it lacks a column, or one is of another kind.
    """
    import pyarrow
    from pyarrow import parquet

    n_rows = done_rows = done_bytes = 0
    try:
        size = path.stat().st_size
        with parquet.ParquetFile(path, buffer_size=_TABLE_BUFFER_BYTES, pre_buffer=False) as table:
            names = table.schema_arrow.names
            for column in (preparation.column, *preparation.keep):
                if column not in names:
                    raise _missing(column, names, name)
            if not _is_text(table.schema_arrow.field(preparation.column).type):
                kind = table.schema_arrow.field(preparation.column).type
                raise FirthError(
                    f"{name}: column {printable(preparation.column)!r} holds {kind}, not text; "
                    f"there are {_names(names)}"
                )
            n_rows = max(1, table.metadata.num_rows)
            columns = list(dict.fromkeys((preparation.column, *preparation.keep)))
            n_at_once = _batch_rows(table, preparation.column)
            for batch in table.iter_batches(n_at_once, columns=columns, use_threads=False):
                texts = _column(batch.column(preparation.column), name, done_rows, preparation, faults)
                kept = [
                    _kept_column(batch.column(column), column, name, done_rows, preparation, faults)
                    for column in preparation.keep
                ]
                for row, text in enumerate(texts):
                    if not text or text.isspace():
                        faults.n_empty_records += 1
                        continue
                    yield unix_lines(text).removeprefix("\ufeff"), tuple([values[row] for values in kept])
                done_rows += batch.num_rows
                count(size * done_rows // n_rows - done_bytes)
                done_bytes = size * done_rows // n_rows
            count(size - done_bytes)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise FirthError(f"cannot read {name}: {error.strerror}") from error
        raise FirthError(f"{name} is no Parquet file, or a damaged one: {error}") from error


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _batch_rows(table: Any, column: str) -> int:
    """So many rows that their text is a few megabytes."""
    metadata = table.metadata
    n_bytes = sum(
        part.total_uncompressed_size
        for group in map(metadata.row_group, range(metadata.num_row_groups))
        for part in map(group.column, range(group.num_columns))
        if part.path_in_schema == column
    )
    n_rows: int = _TABLE_BATCH_BYTES * metadata.num_rows // max(1, n_bytes)
    return max(1, min(_MOST_ROWS_OF_A_BATCH, n_rows))


def _kept_column(
    values: Any, column: str, name: str, n_before: int, preparation: Preparation, faults: Faults
) -> list[str | None]:
    import pyarrow

    try:
        return _column(values.cast(pyarrow.string()), name, n_before, preparation, faults)
    except pyarrow.ArrowNotImplementedError:
        raise FirthError(
            f"{name}: column {printable(column)!r} is to be kept, but holds {values.type}; "
            "texts, numbers and dates can be kept"
        ) from None


def _column(values: Any, name: str, n_before: int, preparation: Preparation, faults: Faults) -> list[str | None]:
    """The texts of a column, behind `n_before` rows of its file."""
    import pyarrow

    strings = values.cast(pyarrow.large_string())
    try:
        texts: list[str | None] = strings.to_pylist()
    except UnicodeDecodeError:
        rows = enumerate(strings.cast(pyarrow.large_binary()).to_pylist(), start=n_before + 1)
        texts = [row and _row_text(row, f"{name}, row {number}", name, preparation, faults) for number, row in rows]
    for row, text in enumerate(texts):
        if text and "\0" in text:
            texts[row] = _characters(text, f"{name}, row {n_before + row + 1}", name, preparation, faults)
    return texts


def _row_text(row: bytes, where: str, name: str, preparation: Preparation, faults: Faults) -> str:
    try:
        return row.decode()
    except UnicodeDecodeError as error:
        if preparation.encoding_errors == "strict":
            raise EncodingError(
                f"{where}: byte 0x{row[error.start]:02x} at offset {error.start} of its text is not valid utf-8; "
                "--encoding-errors replace or skip passes it"
            ) from None
    replaced, skipped = row.decode(errors="replace"), row.decode(errors="ignore")
    faults.invalid[name] += len(replaced) - len(skipped)
    return replaced if preparation.encoding_errors == "replace" else skipped


def _missing(column: str, names: Iterable[str], where: str) -> FirthError:
    return FirthError(
        f"{where}: no field {printable(column)!r}; there are {_names(names)} (--field names the one with the text, "
        "--keep those to keep)"
    )


def _no_json(name: str, number: int, error: Exception | None) -> FirthError:
    why = f" ({error.msg} at character {error.pos + 1})" if isinstance(error, json.JSONDecodeError) else ""
    return FirthError(
        f"{name}, line {number}: no JSON object{why}; every line is to be one, as `jq -c .[]` makes it of a list"
    )


def _json_kind(value: Any) -> str:
    kinds: dict[type, str] = {_Number: "a number", dict: "an object", list: "a list", bool: "true or false"}
    return kinds[type(value)]


def _names(names: Iterable[str]) -> str:
    shown = [printable(name) for name in islice(names, _MOST_FIELDS_NAMED + 1)]
    return ", ".join(shown[:_MOST_FIELDS_NAMED]) + (", ..." if len(shown) > _MOST_FIELDS_NAMED else "") or "none"
