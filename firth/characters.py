"""Words as the characters that ELMo's encoder reads: the bytes of their UTF-8, as bilm-tf numbers them.

Ids 0 to 255 are bytes. A word of n bytes becomes

    BEGINS_WORD, its bytes, ENDS_WORD, NO_CHARACTER, NO_CHARACTER, ...

up to the limit; the bytes that do not fit are cut off, be it within a letter. The two words that bound a sentence have
a character of their own in the place of bytes, and so has a literal <S> or </S> in a text.

    W words, L characters of a word
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firth.errors import UsageError

BEGIN: Final = "<S>"
END: Final = "</S>"
UNKNOWN: Final = "<UNK>"
SPECIAL: Final = (BEGIN, END, UNKNOWN)
"""The first rows of a vocabulary, as published ones have them; the last is predicted, and never read."""

BEGINS_SENTENCE: Final = 256
ENDS_SENTENCE: Final = 257
BEGINS_WORD: Final = 258
ENDS_WORD: Final = 259
NO_CHARACTER: Final = 260
N_CHARACTERS: Final = 261

MARKS: Final = 2  # BEGINS_WORD and ENDS_WORD: what a word has beside its bytes
_LEAST_LIMIT: Final = MARKS + 1


@dataclass(frozen=True)
class Characters:
    """How words are spelt.

    Attributes:
        limit: Characters of a word at most, the two that mark its begin and end among them; the published models have
            50, which is 48 bytes: 48 Latin letters, 16 Chinese ones.
    """

    limit: int = 50

    def __post_init__(self) -> None:
        """Refuses a limit that leaves no byte (UsageError)."""
        if self.limit < _LEAST_LIMIT:
            raise UsageError(
                f"max_characters is {self.limit}; it must be at least {_LEAST_LIMIT}: a byte and two marks"
            )

    def table(self, words: Sequence[str]) -> NDArray[np.int64]:
        """(W, limit) the characters of each word.

        Letters that UTF-8 does not know (halves of surrogate pairs) are left out.

        >>> Characters(limit=8).table(["cat", "<S>"])
        array([[258,  99,  97, 116, 259, 260, 260, 260],
               [258, 256, 259, 260, 260, 260, 260, 260]])
        """
        letters = [word.encode("utf-8", "ignore")[: self.limit - MARKS] for word in words]
        lengths = np.array([len(word) for word in letters], np.int64)
        table = np.full((len(letters), self.limit), NO_CHARACTER, np.int64)
        columns = np.arange(self.limit)
        is_byte = (columns > 0) & (columns <= lengths[:, None])
        table[is_byte] = np.frombuffer(b"".join(letters), np.uint8)
        table[:, 0] = BEGINS_WORD
        table[np.arange(len(letters)), lengths + 1] = ENDS_WORD
        for special, character in ((BEGIN, BEGINS_SENTENCE), (END, ENDS_SENTENCE)):
            rows = [row for row, word in enumerate(words) if word == special]
            table[rows] = NO_CHARACTER
            table[rows, : MARKS + 1] = (BEGINS_WORD, character, ENDS_WORD)
        return table

    def n_cut(self, words: Sequence[str]) -> int:
        """How many of the words are longer than the limit."""
        most = self.limit - MARKS
        return sum(len(word.encode("utf-8", "ignore")) > most for word in words if word not in (BEGIN, END))


def trimmed(characters: NDArray[np.int64], widest: int) -> NDArray[np.int64]:
    """(W, L) -> (W, shorter L): without the columns that change no maximum.

    Behind its end a word is NO_CHARACTER alone. Of the stretches that a filter sees there one is enough, and one must
    stay: it is what the filter may respond to most.

    Args:
        characters: Of the words.
        widest: Characters that the widest filter sees.
    """
    if not len(characters):
        return characters
    longest = int((characters != NO_CHARACTER).sum(1).max())
    return characters[:, : longest + widest]
