"""What the commands that learn from labelled examples have in common: the flags that say what stands where."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Parameter


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the examples' parts stand, and how their files are read.

    Attributes:
        text: The column of the text; of pairs, of the first one; of tags, of the words. Found by itself otherwise.
        second: Of pairs, the column of the second text.
        label: The column of the labels, numbers or tags. Where a file names no columns, a number counted from 1.
        target: Whether the column holds labels, or numbers to be met; `auto` takes numbers that are not all whole for
            numbers.
        encoding: Of text files; by default UTF-8, or what they are in by all appearance.
        encoding_errors: Bytes that are not valid: stop at them, put U+FFFD in their place, or leave them out. By
            default they stop an encoding that was named, and are else replaced, and told.
        empty: Examples without text: an error, or left out.
    """

    text: str | None = None
    second: str | None = None
    label: str | None = None
    target: Literal["auto", "labels", "numbers"] = "auto"
    encoding: str | None = None
    encoding_errors: Literal["strict", "replace", "skip"] | None = None
    empty: Literal["error", "skip"] = "error"

    def reading(self) -> dict[str, Any]:
        """The arguments of `read_examples`."""
        return dict(vars(self))


COLUMNS = Columns()
Named = Annotated[Columns, Parameter(name="*", group="Columns of the examples", negative=())]
