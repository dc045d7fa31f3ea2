"""The examples of a task: a text and its class, two texts and how they go together, words and their tags.

Files in many formats come in (see `firth.tables`); which columns hold what is found by their names and by what stands
in them, and told by `account`.
"""

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, get_args, overload

import numpy as np

from firth import tables
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.spans import Scheme, scheme_of
from firth.tables import EncodingErrors, Row, Table, Value, plain

Task = Literal["classify", "pair", "tag"]
Target = Literal["auto", "labels", "numbers"]
Empty = Literal["error", "skip"]

_MOST_LABELS: Final = 200  # of a column that is not named as one of labels
_MOST_SHOWN: Final = 10
_LEAST_KNOWN: Final = 0.9  # of the labels of a file that is read as examples, those that were trained with
_NO_NUMBERS: Final = ("", "nan", "na", "n/a", "none", "null", "inf", "-inf", "+inf", "infinity", "-infinity")


class Example(NamedTuple):
    """What a model is given, and what it is to answer.

    Attributes:
        inputs: Of `classify` (text,); of `pair` (first, second); of `tag` the words.
        target: A label; in regression a number; of `tag` a tag for each word; None where it is not known.
        line: Where it stands in its file, counted from 1.
    """

    inputs: tuple[str, ...]
    target: str | float | tuple[str, ...] | None
    line: int


@dataclass(frozen=True, repr=False)
class Examples(Sequence[Example]):
    """The examples of a file, and what was found in it.

    Attributes:
        task: What is to be done.
        examples: In their order.
        labels: What may be answered, sorted (numbers by their size); of examples read `like` others, theirs. Empty in
            regression.
        is_regression: Whether targets are numbers.
        source: The file's name, without its folder.
        columns: Which columns were taken, by what for: `text`; `first` and `second`; `words`; and `label`.
        format: What the file is, as "TSV".
        scheme: Of `tag`: what entities are written in, as BIO; None where each tag is one of a word.
        remarks: What else the user should hear of, in sentences.
    """

    task: Task
    examples: tuple[Example, ...]
    labels: tuple[str, ...] = ()
    is_regression: bool = False
    source: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    format: str = ""
    scheme: Scheme | None = None
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """How many there are, and where they are from."""
        return f"<Examples of {self.task}: {len(self.examples):,} from {printable(self.source)}>"

    def __len__(self) -> int:
        """How many examples there are."""
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        """The examples in their order."""
        return iter(self.examples)

    @overload
    def __getitem__(self, place: int) -> Example: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Example, ...]: ...

    def __getitem__(self, place: int | slice) -> Example | tuple[Example, ...]:
        """The example at a place, or those of several."""
        return self.examples[place]

    @property
    def targets(self) -> list[Any]:
        """Of each example."""
        return [example.target for example in self.examples]


def read_examples(
    source: str | os.PathLike[str] | Iterable[Any],
    task: Task,
    *,
    text: str | None = None,
    second: str | None = None,
    label: str | None = None,
    target: Target = "auto",
    encoding: str | None = None,
    encoding_errors: EncodingErrors | None = None,
    empty: Empty = "error",
    like: Examples | None = None,
) -> Examples:
    """The labelled examples of a file, or of rows given in Python.

    Args:
        source: CSV, TSV, JSON lines, Parquet, lines of a label and a text; of `tag` CoNLL columns, CoNLL-U; all of them
            compressed or not. Or rows: tuples as (text, label), (first, second, label), (words, tags); or mappings.
        task: `classify`, `pair` or `tag`.
        text: The column of the text; of `pair` of the first one; of `tag` of the words. Where a file names no columns,
            a number counted from 1. None finds it.
        second: Of `pair`, that of the second text.
        label: The column of labels, numbers or tags.
        target: Whether these are `labels` or `numbers` (regression); `auto` takes numbers that are not all whole for
            numbers, and others for labels.
        encoding: Of text; None is UTF-8, or what it is by all appearance, which is remarked on.
        encoding_errors: Bytes that are not valid: `strict`, `replace`, `skip`; see `firth.tables.read_rows`.
        empty: Examples without text are an `error`, or left out (`skip`).
        like: The examples trained with: those read now have the same columns, if they are there, and the same labels.

    Raises:
        UsageError: a column that is not there; one that cannot be found.
        FirthError: the file cannot be read; it has no examples; one without text or target; tags and words of different
            number; something that is no number among numbers; all examples of one label (without `like`); none of a
            label that `like` has.
    """
    for name, value, known in (("task", task, Task), ("target", target, Target), ("empty", empty, Empty)):
        if value not in get_args(known):
            raise UsageError(f"{name} is {printable(repr(value))}; there are {', '.join(get_args(known))}")
    if second is not None and task != "pair":
        raise UsageError(f"a second text is of task pair, not of {task}")
    if like is not None and like.task != task:
        raise UsageError(f"examples of task {task} are read like those of {like.source}, which are of {like.task}")
    table = _read(source, task, encoding, encoding_errors)
    if not table.rows:
        raise FirthError(f"{printable(table.source)} holds no examples")
    asked = {"text": text, "second": second, "label": label}
    columns = _columns(table, task, asked, like)
    rows, n_empty = _with_text(table, columns, task, empty)
    remarks = list(table.remarks)
    if n_empty:
        remarks.append(f"{printable(table.source)}: {n_empty:,} examples without text left out")
    examples = [_example(table, row, columns, task) for row in rows]
    is_regression = _is_regression(table, examples, columns["label"], task, target, like)
    if is_regression:
        examples = [_with_number(table, example, columns["label"]) for example in examples]
    else:
        _check_labels(table, examples, columns["label"])
    labels = () if is_regression else _sorted(_labels_of(examples))
    scheme = scheme_of(labels) if task == "tag" else None
    if like is None:
        _check_several(table, examples, labels, columns["label"], is_regression)
    else:
        remarks += _unseen(table, examples, labels, like)
        labels, scheme = like.labels, like.scheme
    return Examples(
        task=task,
        examples=tuple(examples),
        labels=labels,
        is_regression=is_regression,
        source=table.source,
        columns={role: table.names[place] for role, place in columns.items()},
        format=table.format,
        scheme=scheme,
        remarks=tuple(remarks),
    )


def read_inputs(
    source: str | os.PathLike[str] | Iterable[Any],
    task: Task,
    *,
    text: str | None = None,
    second: str | None = None,
    encoding: str | None = None,
    encoding_errors: EncodingErrors | None = None,
    like: Examples | None = None,
) -> Examples:
    """The examples of a file without their targets, for whoever asks for these; see `read_examples`.

    Of `classify` and `tag`, plain text is a text a line (of `tag` its words are parted by spaces), unless it is of the
    format that was trained with, as those of `like` tell, and has labels as they have.
    """
    if task not in get_args(Task):
        raise UsageError(f"task is {printable(repr(task))}; there are {', '.join(get_args(Task))}")
    if isinstance(source, str | os.PathLike) and task != "pair":
        path = Path(source)
        is_plain = tables.is_text(path)
        if is_plain:
            alike = _alike(path, task, encoding, encoding_errors, like)
            if alike is not None:
                return _without_targets(*alike, task)
            table = tables.read_texts(path, encoding=encoding, encoding_errors=encoding_errors)
            return _without_targets(table, {"text": 0}, task)
    elif not isinstance(source, str | os.PathLike):
        rows = list(source)
        are_mappings = any(isinstance(row, Mapping) for row in rows)
        if all(isinstance(row, str) for row in rows) or (task == "tag" and not are_mappings):
            rows = [(row,) for row in rows]
        source = rows
    table = _read(source, task, encoding, encoding_errors)
    asked = {"text": text, "second": second, "label": None}
    columns = _columns(table, task, asked, like, is_labelled=False)
    return _without_targets(table, columns, task)


def _alike(
    path: Path, task: Task, encoding: str | None, errors: EncodingErrors | None, like: Examples | None
) -> tuple[Table, dict[str, int]] | None:
    """Plain text as a table of the format that was trained with, and its columns; None where it is not of that one."""
    if like is None or "label" not in like.columns:
        return None
    try:
        table = _read(path, task, encoding, errors)
    except FirthError:
        return None
    is_same = table.format.partition(",")[0] == like.format.partition(",")[0]
    if not is_same or not table.rows or not set(like.columns.values()) <= set(table.names):
        return None
    columns = {role: table.names.index(name) for role, name in like.columns.items()}
    if not table.are_named:  # any text has a first word: it is told from a label by those there are
        values = [row.values[columns["label"]] for row in table.rows]
        targets = [target for value in values for target in (_items(value) if task == "tag" else (_string(value),))]
        n_known = sum(_number(one) is not None if like.is_regression else one in like.labels for one in targets)
        if n_known < _LEAST_KNOWN * len(targets):
            return None
    del columns["label"]
    return table, columns


def _without_targets(table: Table, columns: Mapping[str, int], task: Task) -> Examples:
    examples = []
    for row in table.rows:
        inputs = _inputs(row, columns, task)
        examples.append(Example(inputs, None, row.line))
    return Examples(
        task=task,
        examples=tuple(examples),
        source=table.source,
        columns={role: table.names[place] for role, place in columns.items()},
        format=table.format,
        remarks=table.remarks,
    )


def account(examples: Examples) -> Iterator[str]:
    """What was found, in lines for people: how many, in which columns, with which labels."""
    name = printable(examples.source)
    columns = "; ".join(f"{role} from {printable(column)!r}" for role, column in examples.columns.items())
    n_words = f", {sum(len(example.inputs) for example in examples):,} words" if examples.task == "tag" else ""
    unit = "sentences" if examples.task == "tag" else "examples"
    yield f"{name}: {len(examples):,} {unit}{n_words} ({examples.format}; {columns})"
    if examples.is_regression:
        numbers = [float(number) for number in examples.targets if number is not None]
        yield f"{name}: numbers from {min(numbers):g} to {max(numbers):g}"
    elif any(target is not None for target in examples.targets):
        counts = _labels_of(examples)
        shown = ", ".join(f"{printable(label)} {counts[label]:,}" for label in examples.labels[:_MOST_SHOWN])
        more = ", ..." if len(examples.labels) > _MOST_SHOWN else ""
        of_scheme = f" in {examples.scheme}" if examples.scheme else ""
        yield f"{name}: {len(examples.labels):,} labels{of_scheme}: {shown}{more}"
    yield from examples.remarks


def limited(examples: Examples, limit: int, seed: int) -> Examples:
    """So many of the examples, drawn by a seed, in their order; of each label, where there are labels, one at least.

    Raises:
        UsageError: `limit` is below 1, or of texts below the number of labels.
    """
    if limit < 1:
        raise UsageError(f"limit is {limit}; it must be at least 1")
    if limit >= len(examples):
        return examples
    if examples.task != "tag" and limit < len(examples.labels):
        raise UsageError(f"limit is {limit}, and there are {len(examples.labels)} labels; each is to have an example")
    rng = np.random.default_rng([seed, limit])
    order = rng.permutation(len(examples)).tolist()
    first_of: dict[Any, int] = {}
    for place in order:
        target = examples[place].target
        for label in set(target) if isinstance(target, tuple) else [target]:
            if not examples.is_regression:
                first_of.setdefault(label, place)
    needed = dict.fromkeys(list(first_of.values())[:limit])
    chosen = sorted([*needed, *(place for place in order if place not in needed)][:limit])
    return replace(examples, examples=tuple(examples[place] for place in chosen))


def are_seen(train: Examples, other: Examples) -> list[bool]:
    """Of each of the other examples, whether its inputs stand verbatim in `train`."""
    known = {example.inputs for example in train}
    return [example.inputs in known for example in other]


def overlap(train: Examples, other: Examples) -> float:
    """The share of the other examples whose inputs stand verbatim in `train`."""
    seen = are_seen(train, other)
    return sum(seen) / len(seen) if seen else 0.0


# --- what is read


def _read(
    source: str | os.PathLike[str] | Iterable[Any],
    task: Task,
    encoding: str | None,
    errors: EncodingErrors | None,
) -> Table:
    if isinstance(source, str | os.PathLike):
        read = tables.read_sentences if task == "tag" else tables.read_rows
        return read(Path(source), encoding=encoding, encoding_errors=errors)
    return tables.of_given(source, "the rows given")


def _with_text(table: Table, columns: Mapping[str, int], task: Task, empty: Empty) -> tuple[list[Row], int]:
    """The rows that have text, and how many have none."""
    with_text = [row for row in table.rows if _has_text(row, columns, task)]
    n_empty = len(table.rows) - len(with_text)
    if n_empty and empty == "error":
        first = next(row for row in table.rows if not _has_text(row, columns, task))
        what = {"classify": "the text is empty", "pair": "a text is empty", "tag": "a word, or all, is empty"}[task]
        raise FirthError(
            f"{_where(table, first.line)}: {what} ({n_empty:,} of {len(table.rows):,} examples are so); mend them, or "
            "leave them out with --empty skip"
        )
    if not with_text:
        raise FirthError(f"{printable(table.source)} holds no examples with text")
    return with_text, n_empty


def _has_text(row: Row, columns: Mapping[str, int], task: Task) -> bool:
    inputs = _inputs(row, columns, task)
    blanks = " \t\n" if task == "tag" else None  # a wide space may be a word, but is no text
    return bool(inputs) and all(part.strip(blanks) for part in inputs)


def _inputs(row: Row, columns: Mapping[str, int], task: Task) -> tuple[str, ...]:
    if task == "tag":
        return _items(row.values[columns["words" if "words" in columns else "text"]])
    places = (columns["first"], columns["second"]) if task == "pair" else (columns["text"],)
    return tuple(_string(row.values[place]) for place in places)


def _example(table: Table, row: Row, columns: Mapping[str, int], task: Task) -> Example:
    """An example whose target is still as it stands there."""
    inputs = _inputs(row, columns, task)
    value = row.values[columns["label"]]
    if task != "tag":
        return Example(inputs, _string(value), row.line)
    tags = _items(value)
    if len(tags) != len(inputs):
        raise FirthError(
            f"{_where(table, row.line)}: {len(inputs)} words and {len(tags)} tags; every word is to have one "
            f"({printable(' '.join(inputs[:5]))[:40]!r} ...)"
        )
    return Example(inputs, tags, row.line)


def _items(value: Value) -> tuple[str, ...]:
    """Words, or tags: a sequence as it is, a string parted at its spaces."""
    return value if isinstance(value, tuple) else tuple(_string(value).split())


def _string(value: Value) -> str:
    """A value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        " ".join(value) if isinstance(value, tuple) else str(value).strip() if isinstance(value, str) else repr(value)
    )


def _where(table: Table, line: int) -> str:
    unit = "row" if table.format in ("Parquet", "rows") else "line"
    return f"{printable(table.source)}, {unit} {line}"


# --- columns


def _columns(
    table: Table,
    task: Task,
    asked: Mapping[str, str | None],
    like: Examples | None,
    *,
    is_labelled: bool = True,
) -> dict[str, int]:
    """The places of the columns, by what they are for."""
    first = {"classify": "text", "pair": "first", "tag": "words"}[task]
    roles = [first, *(["second"] if task == "pair" else []), *(["label"] if is_labelled else [])]
    wanted = {first: asked["text"], "second": asked["second"], "label": asked["label"]}
    found: dict[str, int] = {}
    for role in roles:
        name = wanted[role]
        if name is not None:
            found[role] = _place(table, name, role)
        elif like is not None and like.columns.get(role) in table.names and _are_alike(table, like):
            found[role] = table.names.index(like.columns[role])
    names = {
        "text": tables.TEXT_NAMES,
        "first": tables.FIRST_NAMES,
        "second": tables.SECOND_NAMES,
        "words": tables.WORDS_NAMES,
        "label": tables.TAGS_NAMES if task == "tag" else tables.LABEL_NAMES,
    }
    for role in sorted(roles, key=lambda role: role != "label"):  # texts are what labels are not
        if role not in found:
            place = _by_name(table, names[role], set(found.values()))
            if place is not None:
                found[role] = place
    if table.format == "rows" and not table.are_named and len(table.names) == len(roles) and not found:
        found = dict(zip(roles, range(len(roles)), strict=True))  # in Python the order tells
    _by_contents(table, task, roles, found)
    if missing := [role for role in roles if role not in found]:
        option = "--label" if "label" in missing else {"second": "--second"}.get(missing[0], "--text")
        raise UsageError(
            f"{printable(table.source)} ({table.format}): no column for {' and '.join(missing)} was found among "
            f"{_told(table)}; {option} names it"
        )
    twice = [role for role in roles if list(found.values()).count(found[role]) > 1]
    if twice:
        raise UsageError(f"{' and '.join(twice)} are one column, {printable(table.names[found[twice[0]]])!r}")
    return {role: found[role] for role in roles}


def _are_alike(table: Table, like: Examples) -> bool:
    """Whether a column's name means the same in both: `column 1` of a file is no matter of rows given in Python."""
    return table.are_named or (table.format == "rows") == (like.format == "rows")


def _place(table: Table, name: str, role: str) -> int:
    """Of a column by its name, or by its number where it has none."""
    if name in table.names:
        return table.names.index(name)
    alike = [place for place, other in enumerate(table.names) if plain(other) == plain(name)]
    if len(alike) == 1:
        return alike[0]
    if not table.are_named and name.isdecimal() and 1 <= int(name) <= len(table.names):
        return int(name) - 1
    raise UsageError(
        f"column {printable(name)!r} asked for as {role}; {printable(table.source)} ({table.format}) has {_told(table)}"
    )


def _by_name(table: Table, names: Sequence[str], taken: set[int]) -> int | None:
    of_columns = [plain(name) for name in table.names]
    for name in names:
        if name in of_columns and of_columns.index(name) not in taken:
            return of_columns.index(name)
    return None


def _by_contents(table: Table, task: Task, roles: Sequence[str], found: dict[str, int]) -> None:
    """Fills in columns by what stands in them: labels are few, texts are long."""
    free = [place for place in range(len(table.names)) if place not in found.values()]
    if task == "tag":
        sequences = [place for place in free if isinstance(table.rows[0].values[place], tuple)] or free
        if table.format == "CoNLL columns" and len(table.names) > 1:
            if "words" not in found:
                is_numbered = all(_counts_up(row.values[0]) for row in table.rows[:100])
                found["words"] = 1 if is_numbered and len(table.names) > 2 else 0
            if "label" in roles and "label" not in found:
                found["label"] = len(table.names) - 1
        elif len(table.names) <= 3 and len(sequences) == len([role for role in roles if role not in found]):
            found.update(zip([role for role in roles if role not in found], sequences, strict=True))
        return
    looked_at = table.rows[:2000]
    if "label" in roles and "label" not in found:
        label = _label_by_contents(table, looked_at, free)
        if label is not None:
            found["label"] = label
            free.remove(label)
    texts = [role for role in roles if role != "label" and role not in found]
    if "label" in roles and "label" not in found and len(free) > len(texts):
        return  # which of them is the label cannot be told
    lengths = {place: sum(len(_string(row.values[place])) for row in looked_at) for place in free}
    longest = sorted(sorted(free, key=lambda place: -lengths[place])[: len(texts)])
    if len(longest) == len(texts):
        found.update(zip(texts, longest, strict=True))


def _label_by_contents(table: Table, rows: Sequence[Row], free: Sequence[int]) -> int | None:
    """The column of few different short values, each of which comes often; else one of numbers that are not whole."""
    few: dict[int, tuple[int, int]] = {}
    for place in free:
        values = Counter(_string(row.values[place]) for row in rows)
        is_short = all(len(value) <= 50 for value in values)
        if is_short and 1 < len(values) <= min(_MOST_LABELS, max(2, len(rows) // 2)):
            few[place] = len(values), sum(map(len, values.elements()))
    if few:
        return min(few, key=lambda place: few[place])
    for place in free:
        strings = [_string(row.values[place]) for row in rows]
        if all(_number(value) is not None for value in strings) and any("." in value for value in strings):
            return place
    return None


def _counts_up(value: Value) -> bool:
    return isinstance(value, tuple) and list(value) in (
        list(map(str, range(1, len(value) + 1))),
        list(map(str, range(len(value)))),
    )


def _told(table: Table) -> str:
    shown = ", ".join(printable(name) for name in table.names[:20]) + (", ..." if len(table.names) > 20 else "")
    return shown or "none"


# --- targets


def _is_regression(
    table: Table, examples: Sequence[Example], place: int, task: Task, target: Target, like: Examples | None
) -> bool:
    if task == "tag":
        if target == "numbers":
            raise UsageError("tags are labels; numbers are of classify and pair")
        return False
    if like is not None:
        return like.is_regression
    if target != "auto":
        return target == "numbers"
    numbers = [_number(str(example.target)) for example in examples]
    known = [number for number in numbers if number is not None]
    are_whole = all(number.is_integer() for number in known)
    return len(known) > len(numbers) / 2 and not are_whole and _others_are_missing(examples)


def _others_are_missing(examples: Sequence[Example]) -> bool:
    """Whether what is no number among targets only says that there is none."""
    targets = (str(example.target) for example in examples)
    return all(_number(target) is not None or target.lower() in _NO_NUMBERS for target in targets)


def _number(text: str) -> float | None:
    """The number that text is; None of what is none, and of nan and infinity."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def _with_number(table: Table, example: Example, place: int) -> Example:
    number = _number(str(example.target))
    if number is None:
        raise FirthError(
            f"{_where(table, example.line)}: {printable(str(example.target))!r} in column "
            f"{printable(table.names[place])!r} is no number; mend it, or leave the example out"
        )
    return example._replace(target=number)


def _check_labels(table: Table, examples: Sequence[Example], place: int) -> None:
    """Refuses examples without a label: empty, or what programs write for none among numbers."""
    labels = _labels_of(examples)
    missing = {label for label in labels if not label.strip()}
    are_numbers = sum(count for label, count in labels.items() if _number(label) is not None) > 0.5 * labels.total()
    if are_numbers:
        missing |= {label for label in labels if label.lower() in _NO_NUMBERS}
    if not missing:
        return
    for example in examples:
        targets = example.target if isinstance(example.target, tuple) else (str(example.target),)
        for target in targets:
            if target in missing:
                raise FirthError(
                    f"{_where(table, example.line)}: column {printable(table.names[place])!r} has "
                    + (f"{printable(target)!r} where the others have numbers" if target.strip() else "no label")
                    + "; mend it, or leave the example out"
                )


def _labels_of(examples: Iterable[Example]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for example in examples:
        counts.update(example.target if isinstance(example.target, tuple) else (str(example.target),))
    return counts


def _sorted(labels: Iterable[str]) -> tuple[str, ...]:
    """In the order of the alphabet; numbers by their size, so that 10 stands behind 9."""
    labels = list(labels)
    numbers = {label: _number(label) for label in labels}
    if all(number is not None for number in numbers.values()):
        return tuple(sorted(labels, key=lambda label: (numbers[label], label)))
    return tuple(sorted(labels))


def _check_several(
    table: Table, examples: Sequence[Example], labels: Sequence[str], place: int, is_regression: bool
) -> None:
    """Refuses examples that there is nothing to learn from."""
    column = printable(table.names[place])
    if is_regression and len({example.target for example in examples}) < 2:
        raise FirthError(
            f"{printable(table.source)}: all {len(examples):,} numbers of column {column!r} are "
            f"{examples[0].target}; there is nothing to learn"
        )
    if not is_regression and len(labels) < 2:
        raise FirthError(
            f"{printable(table.source)}: all {len(examples):,} examples have the label {printable(labels[0])!r} in "
            f"column {column!r}; there is nothing to learn (--label names another column)"
        )
    if not is_regression and len(labels) > max(_MOST_LABELS, len(examples) // 2) and len(examples) > 20:
        raise FirthError(
            f"{printable(table.source)}: column {column!r} has {len(labels):,} different labels in {len(examples):,} "
            "examples, so that it is hardly one of labels; --label names another column, --target numbers takes "
            "numbers as they are"
        )


def _unseen(table: Table, examples: Sequence[Example], labels: Sequence[str], like: Examples) -> list[str]:
    """What is to be said of labels that those trained with do not have."""
    unseen = [label for label in labels if label not in set(like.labels)]
    if not unseen or like.is_regression:
        return []
    counts = _labels_of(examples)
    n_unseen = sum(counts[label] for label in unseen)
    shown = ", ".join(printable(label) for label in unseen[:_MOST_SHOWN]) + (", ..." if len(unseen) > 10 else "")
    first = next(
        example.line
        for example in examples
        if set(example.target if isinstance(example.target, tuple) else (str(example.target),)) & set(unseen)
    )
    if n_unseen == counts.total():
        known = ", ".join(printable(label) for label in like.labels[:_MOST_SHOWN])
        raise FirthError(
            f"{printable(table.source)}: its labels ({shown}) are none of {printable(like.source)}'s ({known}); both "
            "are to be written alike, and --label names the column"
        )
    unit = "tags" if like.task == "tag" else "examples"
    return [
        f"{printable(table.source)}: {n_unseen:,} of {counts.total():,} {unit} have labels that "
        f"{printable(like.source)} never has ({shown}; the first in line {first}); they cannot be found, and count as "
        "mistakes"
    ]
