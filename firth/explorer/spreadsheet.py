"""Rows -> CSV that a spreadsheet opens as it stands: no cell is a formula, whatever a corpus holds."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a text begins with that spreadsheets take for a formula."""

Rows = Iterable[Mapping[str, Any]]


def written(rows: Rows) -> str:
    """CSV of rows, with the names of all columns first; a text that would be a formula has a ' before it."""
    listed = list(rows)
    names = list(dict.fromkeys(name for row in listed for name in row))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([cell(name) for name in names])
    writer.writerows([cell(row.get(name)) for name in names] for row in listed)
    return file.getvalue()


def cell(value: Any) -> str:
    """A value as a cell holds it: nothing for None, numbers as they are, text that no program runs."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value).replace("\x00", "")
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text
