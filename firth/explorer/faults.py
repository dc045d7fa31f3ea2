"""What the explorer raises beside `firth.errors`: what an answer says of it stands in `api`."""

from collections.abc import Sequence

from firth.errors import FirthError, UnknownWordError


class NoSuchWordError(UnknownWordError):
    """A word that is not known, with what is spelt like it.

    Attributes:
        word: As it was asked for.
        spellings: Known words, the likest first.
    """

    def __init__(self, message: str, word: str, spellings: Sequence[str]) -> None:
        """A fault, told by its message."""
        super().__init__(message)
        self.word = word
        self.spellings = list(spellings)


class NotThereError(FirthError):
    """What was asked for is not there: a model, a page, a measurement."""


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
