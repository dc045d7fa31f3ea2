"""Parts of pages of HTML that need no other file: safe text, tables that sort, and a frame that loads nothing."""

import base64
import hashlib
import html
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final, NamedTuple

from firth.files import printable

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; script-src "
_SHORT: Final = 24  # letters
_ANY_SCRIPT: Final = "'unsafe-inline'"


class Cell(NamedTuple):
    """What one cell of a table shows.

    Attributes:
        text: What is read, as it comes from outside: `table` makes it safe.
        value: What the column sorts by; the text where there is none.
        note: Smaller, behind it.
        mark: A class of the page's style, as `best`.
        is_number: It stands to the right.
    """

    text: str
    value: float | str | None = None
    note: str = ""
    mark: str = ""
    is_number: bool = True


def text(found: str) -> str:
    """Text from outside, as HTML shows it: no tags, no invisible characters that turn the line around."""
    return html.escape(printable(found))


def table(found: Sequence[Mapping[str, Any]], caption: str = "") -> str:
    """Rows as HTML for a `page`, all of them escaped; a click on a column's name sorts by it.

    Args:
        found: The rows. Floats are shown with four digits; what is to be shown otherwise is a `Cell`.
        caption: What the table is.
    """
    if not found:
        return ""
    names = list(dict.fromkeys(name for row in found for name in row))
    are_numbers = {name: all(_is_number(row.get(name)) for row in found) for name in names}
    head = "".join(
        f'<th scope="col"{_class(are_numbers[name])} aria-sort="none"><button type="button">{text(name)}</button></th>'
        for name in names
    )
    body = "".join(
        "<tr>" + "".join(_cell(row.get(name), are_numbers[name]) for name in names) + "</tr>\n" for row in found
    )
    title = f"<caption><span>{text(caption)}</span></caption>" if caption else ""
    label = f' role="region" aria-label="{text(caption)}"' if caption else ""
    rows = f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody>"
    return f'<div class="scroll" tabindex="0"{label}><table>{title}{rows}</table></div>'


def page(title: str, parts: Sequence[str], *, lang: str = "en", programs: Sequence[str] = ()) -> str:
    """A page of these parts, which are HTML, with the style and the program of all pages in it.

    Args:
        title: Of the page.
        parts: HTML, in order.
        lang: The language that it is written in, as HTML names it.
        programs: More that runs in the head, of parts that hold scripts themselves. Where there is none, the page
            tells the browser to run its own program and nothing else.
    """
    style, program = (resources.files("firth").joinpath("data", name).read_text("utf-8") for name in _OURS)
    digest = base64.b64encode(hashlib.sha256(program.encode()).digest()).decode()
    policy = _POLICY + (_ANY_SCRIPT if programs else f"'sha256-{digest}'")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            f'<html lang="{text(lang)}"><head><meta charset="utf-8"><title>{text(title)}</title>',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<style>{style}</style>",
            *(f"<script>{one}</script>" for one in programs),
            "</head><body>",
            f"<main><h1>{text(title)}</h1>",
            *parts,
            f"</main><script>{program}</script></body></html>\n",
        ]
    )


_OURS: Final = ("page.css", "page.js")


def _class(is_number: bool) -> str:
    return ' class="number"' if is_number else ' class="text"'


def _is_number(value: Any) -> bool:
    return value.is_number if isinstance(value, Cell) else not isinstance(value, str)


def _cell(value: Any, is_number: bool) -> str:
    if not isinstance(value, Cell):
        key = _sorted_by(value) if is_number else ""
        return f'<td class="{_kind(value, is_number)}"{key}>{_shown(value)}</td>'
    classes = " ".join(filter(None, (_kind(value.text, is_number), value.mark)))
    note = f" <small>{text(value.note)}</small>" if value.note else ""
    key = _sorted_by(value.text if value.value is None else value.value)
    return f'<td class="{text(classes)}"{key}>{text(value.text)}{note}</td>'


def _kind(shown: Any, is_number: bool) -> str:
    """The classes of a cell: what is short stays on one line."""
    if is_number:
        return "number"
    return "text short" if len(str(shown)) <= _SHORT else "text"


def _sorted_by(value: Any) -> str:
    """What a cell is sorted by, where its text would not do."""
    return "" if value is None or value == "" else f' data-value="{text(str(value))}"'


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else text(str(value))
