"""Labelled files as rows of named columns: CSV, TSV, JSON, Parquet, CoNLL, CoNLL-U, lines of a label and a text.

The format is found by the name and by looking at the text; so are the separator, quotes, and whether the first row is
of names. A row is an example; of files with a word a line it is a sentence, each of whose columns is a sequence.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from firth import encodings
from firth.containers import chunks_of, uncounted
from firth.decoding import decoded, fitting
from firth.errors import FirthError, UsageError
from firth.faults import Faults
from firth.files import printable
from firth.preparation import Preparation

Value = str | int | float | bool | tuple[str, ...] | None
"""Of a column: text, a number of JSON or Parquet, the words or tags of a sentence, or nothing."""

EncodingErrors = Literal["strict", "replace", "skip"]

COLUMNS_OF_CONLLU: Final = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")

_COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".zstd")
_RECORD_SUFFIXES: Final = (".jsonl", ".ndjson", ".json")
_TEXT_SUFFIXES: Final = ("", ".txt", ".text")
_TAGGED_SUFFIXES: Final = (".conll", ".conllu", ".conllup", ".bio", ".iob", ".iob2", ".bioes", ".bmes")
_SEPARATORS: Final = {".csv": ",;\t|", ".tsv": "\t"}
_JUDGED_BYTES: Final = 1 << 16  # of text that is not UTF-8
_LOOKED_AT: Final = 200  # lines, when a separator is looked for
_LABELLED: Final = re.compile(r"(\S+)[ \t]+(\S.*)")
_MOST_LABELS: Final = 200  # of lines of a label and a text
_LEAST_REPEATED: Final = 0.9  # of such lines, how many have a label that others have too
_MOST_NAMED: Final = 20
_FEW_ROWS: Final = 20  # fewer tell little of how often labels come again
_BLANKS: Final = re.compile(r"[ \t]+")
_CONLLU_ID: Final = re.compile(r"(\d+)(?:([-.])\d+)?")
_GLOBAL_COLUMNS: Final = re.compile(r"#\s*global\.columns\s*=\s*(.*)")


class Row(NamedTuple):
    """An example as it stands in a file.

    Attributes:
        line: Where it begins, counted from 1; of Parquet and of rows given in Python, the row.
        values: One for each column.
    """

    line: int
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Table:
    """The rows of a file.

    Attributes:
        source: The file's name, without its folder.
        format: What it was found to be, as "CSV" or "CoNLL-U".
        names: Of the columns; `column 1` and so on where it has none.
        are_named: Whether it names them itself.
        rows: In their order.
        remarks: What else was found, in sentences: an encoding, invalid bytes.
    """

    source: str
    format: str
    names: tuple[str, ...]
    are_named: bool
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()


def read_rows(path: Path, *, encoding: str | None = None, encoding_errors: EncodingErrors | None = None) -> Table:
    """The rows of a file of examples: CSV, TSV, JSON lines, Parquet, or lines of a label and a text.

    Args:
        path: The file, compressed or not.
        encoding: Of text. None is UTF-8, or what it is by all appearance, which is remarked on.
        encoding_errors: Bytes that are not valid: see `Preparation`. None is `strict` where an encoding is named, and
            else `replace`, which is remarked on.

    Raises:
        FirthError: it cannot be read, is of no such format, or a row has more or fewer columns than the others.
    """
    records = _records(path, encoding, encoding_errors)
    if records is not None:
        return records
    text, remarks = _text(path, encoding, encoding_errors)
    suffix = _suffix(path)
    lines = text.split("\n")
    separator = _separator(lines, _SEPARATORS.get(suffix, "\t"))
    if separator is None and suffix not in _SEPARATORS:
        return _of_labelled_lines(path, lines, remarks)
    return _of_separated(path, lines, separator or ("," if suffix == ".csv" else "\t"), remarks)


def read_sentences(path: Path, *, encoding: str | None = None, encoding_errors: EncodingErrors | None = None) -> Table:
    """The rows of a file of tagged sentences: CoNLL-U, CoNLL columns, JSON lines, Parquet, CSV, TSV.

    The values of columns with a word a line are sequences; of the other formats, whatever stands there.

    Args:
        path: The file, compressed or not.
        encoding: As of `read_rows`.
        encoding_errors: The same.

    Raises:
        FirthError: as of `read_rows`; a word has more or fewer columns than the others.
    """
    records = _records(path, encoding, encoding_errors)
    if records is not None:
        return records
    text, remarks = _text(path, encoding, encoding_errors)
    lines = text.split("\n")
    suffix = _suffix(path)
    if suffix in (".conllu", ".conllup") or _looks_like_conllu(lines):
        return _of_conllu(path, lines, remarks)
    if suffix in _SEPARATORS and not _has_sentences(lines):
        separator = _separator(lines, _SEPARATORS[suffix])
        return _grouped(_of_separated(path, lines, separator or ("," if suffix == ".csv" else "\t"), remarks))
    return _of_conll(path, lines, remarks)


def is_text(path: Path) -> bool:
    """Whether a file is plain text by its name."""
    return _suffix(path) in _TEXT_SUFFIXES


def has_suffix_of_examples(path: Path) -> bool:
    """Whether a name ends as those of labelled files do; it need not be a file's."""
    known = {*_SEPARATORS, *_RECORD_SUFFIXES, *_TEXT_SUFFIXES, *_TAGGED_SUFFIXES, ".parquet"} - {""}
    return path.suffix.lower() in _COMPRESSED or _suffix(path) in known


def read_texts(path: Path, *, encoding: str | None = None, encoding_errors: EncodingErrors | None = None) -> Table:
    """A text a line, under the one name `text`; empty lines are passed over."""
    text, remarks = _text(path, encoding, encoding_errors)
    rows = tuple(Row(number, (line,)) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
    return Table(path.name, "a text a line", ("text",), False, rows, remarks)


def of_given(rows: Iterable[Any], source: str) -> Table:
    """Rows given in Python: mappings of names to values, or sequences of values.

    Raises:
        UsageError: a row is something else, or has other columns than the first.
    """
    names: tuple[str, ...] | None = None
    are_named = False
    found = []
    for number, row in enumerate(rows, start=1):
        if isinstance(row, str | bytes) or not isinstance(row, Mapping | Sequence):
            raise UsageError(
                f"row {number} is a {type(row).__name__}; give each example as a tuple, as (text, label), or as a "
                "mapping of names to values"
            )
        if names is None:
            are_named = isinstance(row, Mapping)
            names = tuple(map(str, row)) if isinstance(row, Mapping) else _numbered(len(row))
        if isinstance(row, Mapping) != are_named or len(row) != len(names) or (are_named and set(row) != set(names)):
            raise UsageError(f"row {number} has other columns than the first, which has {_told(names)}")
        values = [row[name] for name in names] if isinstance(row, Mapping) else list(row)
        found.append(Row(number, tuple(_value(value, f"row {number}") for value in values)))
    return Table(source, "rows", names or (), are_named, tuple(found))


# --- text


def _text(path: Path, encoding: str | None, errors: EncodingErrors | None) -> tuple[str, tuple[str, ...]]:
    """All of a file, and what is to be remarked on its encoding."""
    name = printable(str(path))
    data = b"".join(chunks_of(path, uncounted))
    remarks: tuple[str, ...] = ()
    if encoding is None:
        encoding, remarks = _encoding_of(data, path.name, errors)
        errors = errors or "replace"
    faults = Faults()
    preparation = Preparation(encoding=encoding, encoding_errors=errors or "strict")
    if len(preparation.encodings) > 1:
        encoding, _ = fitting(lambda: [data], preparation.encodings)
        preparation = replace(preparation, encoding=encoding)
    text = "".join(decoded([data], name, preparation, faults))
    if faults.invalid:
        lines = [number for number, line in enumerate(text.split("\n"), start=1) if "\ufffd" in line]
        where = f", in line {_few(lines)}" if lines else ""
        did = "left out" if errors == "skip" else "replaced by U+FFFD"
        n = faults.invalid.total()
        remark = f"{printable(path.name)}: {n:,} {'bytes' if n > 1 else 'byte'} not valid {encoding} {did}{where}"
        remarks += (f"{remark} (--encoding names another encoding)",)
    return text, remarks


def _encoding_of(data: bytes, name: str, errors: EncodingErrors | None) -> tuple[str, tuple[str, ...]]:
    """What bytes are in by all appearance: UTF-8, unless much of them is not valid, and another one is told clearly."""
    other = encodings.wide(data)
    if other is None:
        try:
            data.decode("utf-8")
            return "utf-8", ()
        except UnicodeDecodeError as error:
            begin = data.rfind(b"\n", 0, error.start) + 1
        judged = data[begin : begin + _JUDGED_BYTES]
        likeliest = [found for found in encodings.likeliest(judged, "utf-8") if found != "utf-8"]
        if len(likeliest) == 1 and _is_in(data, likeliest[0]):
            (other,) = likeliest
        elif errors is None and encodings.is_another(judged.decode("utf-8", errors="replace")):
            for _ in decoded([data], printable(name), Preparation(), Faults()):  # raises, and names the likeliest
                pass
    if other is None:
        return "utf-8", ()
    return other, (f"{printable(name)} is read as {other}, by all appearance (--encoding names another)",)


def _is_in(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeError:
        return False
    return True


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _COMPRESSED else suffix


# --- JSON and Parquet


def _records(path: Path, encoding: str | None, errors: EncodingErrors | None) -> Table | None:
    """The rows of JSON or Parquet; None of other files."""
    suffix = _suffix(path)
    if suffix == ".parquet":
        return _of_parquet(path)
    if suffix not in _RECORD_SUFFIXES:
        return None
    text, remarks = _text(path, encoding, errors)
    records = list(_json_records(text, printable(path.name)))
    names = tuple(dict.fromkeys(name for _, record in records for name in record))
    rows = []
    for line, record in records:
        where = f"{printable(path.name)}, line {line}"
        rows.append(Row(line, tuple(_value(record.get(name), where) for name in names)))
    return Table(
        path.name, "JSON" if text.lstrip().startswith("[") else "JSON lines", names, True, tuple(rows), remarks
    )


def _json_records(text: str, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    if text.lstrip().startswith("["):
        try:
            records = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FirthError(f"{name} is no JSON: {error}") from None
        found: Iterable[tuple[int, Any]] = enumerate(records, start=1)
    else:
        found = ((number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip())
    for number, record in found:
        if isinstance(record, str):
            try:
                record = json.loads(record)
            except (ValueError, RecursionError) as error:
                raise FirthError(f"{name}, line {number}: no JSON object ({error}); every line is to be one") from None
        if not isinstance(record, dict):
            raise FirthError(f'{name}, line {number}: no JSON object; every example is to be one, as {{"text": ...}}')
        yield number, record


def _of_parquet(path: Path) -> Table:
    import pyarrow
    from pyarrow import parquet

    name = printable(str(path))
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise FirthError(f"cannot read {name}: {error.strerror}") from None
        raise FirthError(f"{name} is no Parquet file, or a damaged one: {error}") from None
    names = tuple(table.column_names)
    try:
        columns = [table.column(number).to_pylist() for number in range(len(names))]
    except UnicodeDecodeError as error:
        raise FirthError(f"{name} holds text that is not valid UTF-8: {error}") from None
    rows = [
        Row(number, tuple(_value(value, f"{name}, row {number}") for value in values))
        for number, values in enumerate(zip(*columns, strict=True), start=1)
    ]
    return Table(path.name, "Parquet", names, True, tuple(rows))


def _value(value: Any, where: str) -> Value:
    """A value of JSON, of Parquet or of Python as one of a table; nested ones are of no task, and become None."""
    if isinstance(value, str):
        _check_characters(value, where)
        return value
    if value is None or isinstance(value, bool | int | float):
        return value
    if hasattr(value, "item") and not hasattr(value, "__len__"):  # a number of numpy
        return _value(value.item(), where)
    if isinstance(value, Mapping | bytes) or not isinstance(value, Iterable):
        return None
    items = list(value)
    if any(isinstance(item, Mapping | list | tuple | bytes) or item is None for item in items):
        return None
    words = tuple(str(item) for item in items)
    _check_characters("".join(words), where)
    return words


def _check_characters(text: str, where: str) -> None:
    """Refuses what no text file can hold, and no tokenizer reads."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FirthError(f"{where}: no valid text: {error.reason} ({printable(text[error.start])})") from None


# --- CSV, TSV


def _separator(lines: Sequence[str], candidates: str) -> str | None:
    """What parts the columns: the first of the candidates that stands in every line, or nearly."""
    looked_at = [line for line in islice(lines, _LOOKED_AT) if line.strip()]
    for separator in candidates:
        n_with = sum(separator in line for line in looked_at)
        if looked_at and separator in looked_at[0] and n_with >= 0.8 * len(looked_at):
            return separator
    return None


def _of_separated(path: Path, lines: Sequence[str], separator: str, remarks: tuple[str, ...]) -> Table:
    """Rows of columns: by the rules of RFC 4180 where the quotes keep to them, and else quotes are text."""
    name = printable(path.name)
    kind = "TSV" if separator == "\t" else "CSV" if separator == "," else f"CSV with {separator!r}"
    rows = _quoted(lines, separator)
    if rows is None:
        rows = [Row(number, tuple(line.split(separator))) for number, line in enumerate(lines, start=1) if line.strip()]
        if any('"' in line for line in lines):
            kind += ", quotes as they stand"
    if not rows:
        return Table(path.name, kind, (), False, (), remarks)
    width = len(rows[0].values)
    for row in rows:
        if len(row.values) != width:
            at = next((value for value in row.values if value), "")
            raise FirthError(
                f"{name}, line {row.line}: {len(row.values)} columns, but line {rows[0].line} has {width}; texts that "
                f"hold {'a tab' if separator == chr(9) else repr(separator)} are to stand in quotes, quotes in them "
                f"doubled (it begins {printable(str(at))[:40]!r})"
            )
    are_named = _are_names(rows)
    names = _numbered(width)
    if are_named:
        names = tuple(str(value).strip() or name for value, name in zip(rows[0].values, names, strict=True))
    return Table(path.name, kind, _unique(names), are_named, tuple(rows[are_named:]), remarks)


def _quoted(lines: Sequence[str], separator: str) -> list[Row] | None:
    """Rows by the rules of RFC 4180, or None where quotes are text.

    Text in TSV often begins with a quotation mark that is its own. So quotes count there only if one of them is
    doubled within quotes, or holds a separator or a line end together, or all of a column is quoted.
    """
    before = csv.field_size_limit((1 << 31) - 1)
    rows, line = [], 1
    try:
        reader = csv.reader((each + "\n" for each in lines), delimiter=separator, strict=True)
        for values in reader:
            if any(value.strip() for value in values):
                rows.append(Row(line, tuple(value.removesuffix("\n") for value in values)))
            line = reader.line_num + 1
    except csv.Error:
        return None
    finally:
        csv.field_size_limit(before)
    width = len(rows[0].values) if rows else 0
    if any(len(row.values) != width for row in rows) and _is_even(lines, separator):
        return None
    if separator != "\t" or not any('"' in line for line in lines):
        return rows
    return rows if _needs_quotes(lines, rows, separator) else None


def _is_even(lines: Sequence[str], separator: str) -> bool:
    """Whether all lines have as many columns if quotes are text."""
    return len({line.count(separator) for line in lines if line.strip()}) == 1


def _needs_quotes(lines: Sequence[str], rows: Sequence[Row], separator: str) -> bool:
    plain = [line.split(separator) for line in lines if line.strip()]
    is_quoted = re.compile(r'"(?:[^"]|"")*"').fullmatch
    if all(is_quoted(value) for value in plain[0]):
        return True  # names are no quotations
    if len(plain) != len(rows):
        return not _is_even(lines, separator)
    if any(len(values) != len(row.values) for values, row in zip(plain, rows, strict=True)):
        return True
    columns = zip(*plain[1:], strict=True)
    return len(plain) > 1 and any(all(is_quoted(value) for value in column) for column in columns)


def _are_names(rows: Sequence[Row]) -> bool:
    """Whether the first row is of names: it has one that such columns have, or none of its values comes again."""
    first = [str(value).strip() for value in rows[0].values]
    if len(set(first)) < len(first):
        return False
    if len(rows) == 1:
        return all(plain(name) in KNOWN_NAMES for name in first)
    looked_at = rows[1 : 1 + 20 * _LOOKED_AT]
    for number, name in enumerate(first):
        counts = Counter(str(row.values[number]) for row in looked_at)
        if plain(name) in KNOWN_NAMES and name not in counts:
            return True
        n_repeated = sum(count for count in counts.values() if count > 1)
        few = len(counts) <= _MOST_LABELS and n_repeated >= _LEAST_REPEATED * len(looked_at)
        numbers = all(_is_number(value) for value in counts)
        if (few or numbers) and name and name not in counts and not _is_number(name):
            return True
    return False


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _numbered(n_columns: int) -> tuple[str, ...]:
    return tuple(f"column {number}" for number in range(1, n_columns + 1))


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Names, of which none comes twice."""
    met: Counter[str] = Counter()
    found = []
    for name in names:
        met[name] += 1
        found.append(name if met[name] == 1 else f"{name} ({met[name]})")
    return tuple(found)


# --- lines of a label and a text


def _of_labelled_lines(path: Path, lines: Sequence[str], remarks: tuple[str, ...]) -> Table:
    """Lines whose first word is a label, as `1 a stirring , funny film` or `__label__good ...`."""
    name = printable(path.name)
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        match = _LABELLED.fullmatch(line.strip())
        rows.append(Row(number, (match[1], match[2]) if match else (line.strip(), "")))
    labels = Counter(str(row.values[0]) for row in rows)
    n_repeated = sum(count for count in labels.values() if count > 1)
    are_labels = len(labels) <= max(3, len(rows) // 2)
    if len(rows) >= _FEW_ROWS:
        are_labels = len(labels) <= _MOST_LABELS and n_repeated >= _LEAST_REPEATED * len(rows)
    if not are_labels:
        raise FirthError(
            f"{name}: by its name it has lines of a label and a text, but its {len(rows):,} lines begin with "
            f"{len(labels):,} different words; columns are to be parted by tabs (.tsv) or commas (.csv), or be the "
            "fields of JSON lines (.jsonl)"
        )
    return Table(path.name, "lines of a label and a text", ("label", "text"), False, tuple(rows), remarks)


# --- a word a line


def _has_sentences(lines: Sequence[str]) -> bool:
    """Whether empty lines part what stands there."""
    filled = [bool(line.strip()) for line in lines]
    end = len(filled) - filled[::-1].index(True) if any(filled) else 0
    return not all(filled[:end])


def _looks_like_conllu(lines: Sequence[str]) -> bool:
    looked_at = [line for line in islice(lines, _LOOKED_AT) if line.strip() and not line.startswith("#")]
    return bool(looked_at) and all(
        line.count("\t") == len(COLUMNS_OF_CONLLU) - 1 and _CONLLU_ID.fullmatch(line.split("\t", 1)[0])
        for line in looked_at
    )


def _of_conllu(path: Path, lines: Sequence[str], remarks: tuple[str, ...]) -> Table:
    """Universal Dependencies' format; tokens of several words, and empty nodes, are passed over.

    The words of a token that has several are given one by one below it, with the tags that it has not.
    """
    name = printable(path.name)
    names: tuple[str, ...] = COLUMNS_OF_CONLLU
    for line in islice(lines, 1):
        if match := _GLOBAL_COLUMNS.fullmatch(line.strip()):
            names = tuple(column.lower().rpartition(":")[2] for column in match[1].split())

    def words() -> Iterator[tuple[int, list[str] | None]]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                yield number, None
            elif not line.startswith("#"):
                values = line.split("\t")
                if len(values) != len(names):
                    raise FirthError(
                        f"{name}, line {number}: {len(values)} columns, and CoNLL-U has {len(names)}, parted by tabs"
                    )
                match = _CONLLU_ID.fullmatch(values[0])
                if match is None:
                    raise FirthError(f"{name}, line {number}: {printable(values[0])!r} is no number of a word")
                if match[2] is None:
                    yield number, values

    kind = "CoNLL-U" if names == COLUMNS_OF_CONLLU else "CoNLL-U Plus"
    return Table(path.name, kind, names, True, tuple(_sentences(words(), len(names))), remarks)


def _of_conll(path: Path, lines: Sequence[str], remarks: tuple[str, ...]) -> Table:
    """Columns parted by tabs or spaces, a word a line, and an empty line behind a sentence."""
    name = printable(path.name)
    looked_at = [line for line in lines if line.strip()]
    by_tabs = bool(looked_at) and sum("\t" in line for line in looked_at) > len(looked_at) / 2
    without_comments = [line for line in looked_at if not line.startswith("#")] or looked_at
    widths = Counter(len(_parted(line, by_tabs)) for line in without_comments)
    width = widths.most_common(1)[0][0] if widths else 0

    def words() -> Iterator[tuple[int, list[str] | None]]:
        for number, line in enumerate(lines, start=1):
            values = _parted(line, by_tabs)
            if not line.strip() or values[0] == "-DOCSTART-":
                yield number, None
            elif len(values) == width:
                yield number, values
            elif not re.match(r"#(?:\s|$)", line):
                raise FirthError(
                    f"{name}, line {number}: {len(values)} columns ({printable(line.strip())[:40]!r}), where the other "
                    f"lines have {width}: every word is to have a tag, and every tag a word"
                )

    return Table(path.name, "CoNLL columns", _numbered(width), False, tuple(_sentences(words(), width)), remarks)


def _grouped(table: Table) -> Table:
    """Sentences, where a column says of each word which it stands in: by its number, or at its first word alone."""
    place = next((place for place, name in enumerate(table.names) if plain(name) in SENTENCE_NAMES), None)
    if place is None:
        return table

    def words() -> Iterator[tuple[int, list[str] | None]]:
        before: Value = None
        for line, values in table.rows:
            if values[place] and values[place] != before:
                yield line, None
                before = values[place]
            yield line, [str(value) for value in values]

    rows = tuple(_sentences(words(), len(table.names)))
    return replace(table, format=f"{table.format}, a word a row", rows=rows)


def _parted(line: str, by_tabs: bool) -> list[str]:
    return [value.strip(" ") for value in line.split("\t")] if by_tabs else _BLANKS.split(line.strip(" \t"))


def _sentences(words: Iterable[tuple[int, list[str] | None]], width: int) -> Iterator[Row]:
    """Sentences of columns from lines of them; None ends a sentence."""
    begin, columns = 0, [[] for _ in range(width)]  # type: tuple[int, list[list[str]]]
    for number, values in words:
        if values is not None:
            begin = begin or number
            for column, value in zip(columns, values, strict=True):
                column.append(value)
        elif begin:
            yield Row(begin, tuple(map(tuple, columns)))
            begin, columns = 0, [[] for _ in range(width)]
    if begin:
        yield Row(begin, tuple(map(tuple, columns)))


# --- names


def plain(name: str) -> str:
    """A column's name as far as it counts: small letters, without what parts its words."""
    return re.sub(r"[\s_\-.]+", "", name.strip().lower())


TEXT_NAMES: Final = (
    "text", "texta", "sentence", "sentence1", "review", "reviewtext", "reviewbody", "content",
    "comment", "commenttext", "question", "tweet", "message", "body", "document", "utterance",
    "query", "title", "headline", "description", "input", "string", "文本", "内容",
    "评论", "句子", "正文", "问题",
)  # fmt: skip
FIRST_NAMES: Final = (
    "sentence1", "texta", "text1", "premise", "question1", "sent1", "sentencea", "first",
    "s1", "#1string", "string1", "query", "句子1", "文本1", "左句",
)  # fmt: skip
SECOND_NAMES: Final = (
    "sentence2", "textb", "text2", "hypothesis", "question2", "sent2", "sentenceb", "second",
    "s2", "#2string", "string2", "answer", "句子2", "文本2", "右句",
)  # fmt: skip
LABEL_NAMES: Final = (
    "label", "labels", "goldlabel", "class", "category", "target", "sentiment", "polarity",
    "quality", "score", "similarity", "similarityscore", "relatednessscore", "isduplicate", "stars", "rating",
    "intent", "topic", "y", "output", "标签", "类别", "情感", "分类",
    "得分", "相似度",
)  # fmt: skip
WORDS_NAMES: Final = (
    "form", "words", "tokens", "token", "word", "text", "sentence", "词",
    "字",
)  # fmt: skip
TAGS_NAMES: Final = (
    "upos", "tags", "nertags", "postags", "labels", "ner", "tag", "pos",
    "label", "chunktags", "标签",
)  # fmt: skip
SENTENCE_NAMES: Final = ("sentence#", "sentenceid", "sentenceidx", "sentid", "sentenceno", "sentencenumber")
KNOWN_NAMES: Final = frozenset((*TEXT_NAMES, *FIRST_NAMES, *SECOND_NAMES, *LABEL_NAMES, *WORDS_NAMES, *TAGS_NAMES))
"""What such columns are called, in the order of preference; compared by `plain`."""


def _few(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:3])) + (", ..." if len(numbers) > 3 else "")


def _told(names: Iterable[str]) -> str:
    shown = [printable(name) for name in islice(names, _MOST_NAMED + 1)]
    return ", ".join(shown[:_MOST_NAMED]) + (", ..." if len(shown) > _MOST_NAMED else "") or "none"
