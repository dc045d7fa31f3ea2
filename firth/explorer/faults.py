"""What the explorer raises beside `firth.errors`: what an answer says of it stands in `api`."""

from collections.abc import Sequence
from typing import ClassVar

from firth.errors import FirthError, UnknownWordError
from firth.explorer.translations import texts
from firth.files import printable, without_folders


class ToldError(FirthError):
    """A fault that has its words among the texts of the pages, so that each page says it in its language.

    Attributes:
        status: Of the answer that says it.
        code: The text's name; that of the advice has `-advice` behind it.
        values: What the texts have in braces; no folder is in them.
        told: The text in English.
        advice: What to do, in English.
    """

    status: ClassVar = 400

    def __init__(self, code: str, **values: str | int) -> None:
        """The fault of a name."""
        self.code = code
        self.values = {
            name: without_folders(printable(value)) if isinstance(value, str) else value
            for name, value in values.items()
        }
        shown = {name: value if isinstance(value, str) else f"{value:,}" for name, value in self.values.items()}
        self.told, self.advice = (texts("en")[name].format(**shown) for name in (code, f"{code}-advice"))
        super().__init__(f"{self.told} {self.advice}")


class NoSuchWordError(UnknownWordError):
    """A word that is not known, with what is spelt like it.

    Attributes:
        word: As it was asked for.
        spellings: Known words, the likest first.
        parts: Known words that it consists of, where it is written without spaces.
    """

    def __init__(self, message: str, word: str, spellings: Sequence[str], parts: Sequence[str]) -> None:
        """A fault, told by its message."""
        super().__init__(message)
        self.word = word
        self.spellings = list(spellings)
        self.parts = list(parts)


class NotThereError(ToldError):
    """What was asked for is not there: a model, a page, a measurement."""

    status: ClassVar = 404


class BusyError(Exception):
    """There is too much to do already: ask again later."""


class TooSlowError(Exception):
    """An answer takes longer than a request may."""


class NotYetError(Exception):
    """What was asked for is still being made: ask again.

    Attributes:
        what: What is being done.
        done: How far, from 0 to 1; None where that is not known.
    """

    def __init__(self, what: str, done: float | None) -> None:
        """Work that is under way."""
        super().__init__(what)
        self.what = what
        self.done = done
