"""What firth raises when the user can mend it: the message says what was asked, what there is, what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


class FirthError(Exception):
    """A fault of input or use. The command line prints its message alone and exits with 1.

    Attributes:
        option: The option that mends it, as "--min-count 2", where the message names one that does so for certain.
    """

    def __init__(self, *message: object, option: str = "") -> None:
        """A fault, told by its message."""
        super().__init__(*message)
        self.option = option


class EncodingError(FirthError):
    """Bytes that are not valid in the encoding that a file is read with."""


class UsageError(FirthError):
    """A call that contradicts itself or names what does not exist. The command line exits with 2."""


class UnknownWordError(FirthError, KeyError):
    """A word that the vocabulary lacks; the message names the nearest spellings."""

    __str__ = Exception.__str__  # KeyError would print the message in quotes


@contextmanager
def needing_torch(what: str) -> Iterator[None]:
    """A block that imports PyTorch or tokenizers; where one is missing, the error names the extra that brings it."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "tokenizers", "h5py"):
            raise
        raise FirthError(f"{what} needs {package}, which is not installed: pip install 'firth[contextual]'") from None
