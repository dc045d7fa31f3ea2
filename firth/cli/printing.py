"""What commands print: rows as a table on a terminal, as lines parted by tabs in a pipe, as JSON for machines."""

import json
import math
import sys
from collections.abc import Mapping, Sequence

from firth.files import printable

Row = Mapping[str, str | int | float]
"""One line of a table: a value for each column, in the columns' order."""


def say(message: str) -> None:
    """Writes the lines of a message to standard error."""
    for line in message.splitlines():
        print(f"firth: {printable(line)}", file=sys.stderr)


def show(rows: Sequence[Row], *, as_json: bool) -> None:
    """Prints rows as what fits standard output, or as JSON."""
    if as_json:
        print_json(rows)
    else:
        print_rows(rows)


def print_json(value: object) -> None:
    """Prints a value as JSON that is safe on a terminal."""
    text = json.dumps(_without_nan(value), ensure_ascii=False, indent=1)
    # Escapes that JSON leaves bare (C1 controls, bidi overrides) would reach the terminal.
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def _without_nan(value: object) -> object:
    """`value` with null for every number that is not one, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_rows(rows: Sequence[Row]) -> None:
    """Prints a table on a terminal, and elsewhere a line of column names and a line a row, parted by tabs."""
    if not rows:
        return
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    if sys.stdout.isatty():
        columns = zip(*(row.values() for row in rows), strict=True)
        _print_table(lines, [any(not isinstance(value, str) for value in column) for column in columns])
    else:
        for line in lines:
            print("\t".join(line))


def _print_table(lines: Sequence[Sequence[str]], are_numbers: Sequence[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for name, is_number in zip(lines[0], are_numbers, strict=True):
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for line in lines[1:]:
        table.add_row(*map(Text, line))  # a Text is no markup
    Console(file=sys.stdout).print(table)


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-4 else f"{value:.0e}"
