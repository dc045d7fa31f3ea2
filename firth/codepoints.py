"""Text as arrays: its code points, what each of them is, runs of like ones, and the same text normalised."""

import functools
import re
import unicodedata
from itertools import chain
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from firth.errors import FirthError
from firth.files import printable
from firth.scripts import LETTERS, WITHOUT_SPACES, Ranges

UnicodeForm = Literal["NFC", "NFKC"]
Codes = npt.NDArray[np.uint32]  # code points
Classes = npt.NDArray[np.uint8]  # of code points: bits of those below
Mask = npt.NDArray[np.bool_]  # one per character
Positions = npt.NDArray[np.int64]

LETTER: Final = 1  # what a word may begin with: letters, digits, underscore
MARK: Final = 2  # what goes on with the word before it: category M, zero width (non-)joiners
SPACE: Final = 4
HAN: Final = 8
UNSTABLE: Final = 16  # normalising may change it, or what stands before it for its sake
DIGIT: Final = 32  # decimal digits of any script
UPPER: Final = 64  # lower-casing changes it
UNSPACED: Final = 128  # of a script that sets no spaces between words: a word alone by method `characters`

_CONJOINING_JAMO: Final = range(0x1161, 0x1200)
_PLANES_WITH_LETTERS: Final = 0x40000
_IRREGULAR_RANGES: Final = (  # all but ideographs, Hangul, surrogates, private use: no marks, no case, all normal
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7A4, 0xD800),
    range(0xF900, 0x20000),
    range(0x2F800, 0x2FA20),
    range(0xE0000, 0xE0200),
)
_END_OF_CASE: Final = 0x20000
_JOINERS: Final = "\u200c\u200d"
_INVISIBLE: Final = "\u00ad\u2060\ufeff"  # soft hyphens, word joiners, byte-order marks: inside words, no part of them
NEWLINE: Final = 0x0A


class Characters(NamedTuple):
    """What is known of every character.

    Attributes:
        classes: (0x110000,) the classes of every code point, a bit each.
        lower: (_END_OF_CASE,) what each becomes by lower-casing; 0 where that takes more than to look at it alone.
        are_marks: (0x110000,) which are punctuation marks and symbols.
    """

    classes: Classes
    lower: Codes
    are_marks: Mask


@functools.cache
def characters_of(form: UnicodeForm) -> Characters:
    """The tables that serve text in a normalisation form."""
    classes = np.zeros(0x110000, dtype=np.uint8)
    lower = np.arange(_END_OF_CASE, dtype=np.uint32)
    are_marks = np.zeros(0x110000, dtype=np.bool_)
    characters = np.arange(_PLANES_WITH_LETTERS, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    for pattern, bit in ((r"\w+", LETTER), (r"\s+", SPACE), (r"\d+", DIGIT)):
        for found in re.finditer(pattern, characters):
            classes[found.start() : found.end()] |= bit
    irregular = list(map(chr, chain.from_iterable(_IRREGULAR_RANGES)))
    for char, category, combines, decomposition, lowered in zip(
        irregular,
        map(unicodedata.category, irregular),
        map(unicodedata.combining, irregular),
        map(unicodedata.decomposition, irregular),
        map(str.lower, irregular),
        strict=True,
    ):
        if category == "Cn":
            continue
        code = ord(char)
        if category[0] == "M" or char in _JOINERS:
            classes[code] |= MARK
        are_marks[code] = category[0] in "PS"
        if combines:
            classes[code] |= UNSTABLE
        if decomposition:
            parts = decomposition.split()
            if not unicodedata.is_normalized(form, char):
                classes[code] |= UNSTABLE
            if len(parts) == 2 and not parts[0].startswith("<"):
                classes[int(parts[1], 16)] |= UNSTABLE  # it may compose with what stands before it
        if lowered != char:
            classes[code] |= UPPER
            lower[code] = ord(lowered) if len(lowered) == 1 else 0
    lower[ord("Σ")] = 0  # at a word's end it becomes ς
    classes[_CONJOINING_JAMO] |= UNSTABLE
    for first, last in LETTERS["Han"]:
        classes[first : last + 1] |= HAN
    for first, last in chain.from_iterable(LETTERS[script] for script in WITHOUT_SPACES):
        classes[first : last + 1] |= UNSPACED
    classes[(classes & DIGIT) != 0] &= ~np.uint8(UNSPACED)
    return Characters(classes, lower, are_marks)


def without_invisible(text: str) -> str:
    """`text` without soft hyphens, word joiners and byte-order marks."""
    for character in _INVISIBLE:
        if character in text:  # told sooner than how often
            text = text.replace(character, "")
    return text


def n_invisible(text: str, n_lines: int) -> Positions:
    """(n_lines,) how many invisible characters stand in `text` before the end of each line."""
    if not any(character in text for character in _INVISIBLE):
        return np.zeros(n_lines, dtype=np.int64)
    return np.cumsum([sum(map(line.count, _INVISIBLE)) for line in text.split("\n")], dtype=np.int64)


def classified(text: str, form: UnicodeForm) -> tuple[Codes, Classes]:
    """The code points of `text` and their classes, both to write on."""
    try:
        codes = np.frombuffer(bytearray(text.encode("utf-32-le")), dtype="<u4")
    except UnicodeEncodeError as error:
        raise FirthError(f"no valid text: {error.reason} in '{printable(text[:100])}'") from None
    return codes, characters_of(form).classes.take(codes)


def composed(codes: Codes, classes: Classes, form: UnicodeForm) -> tuple[Codes, Classes]:
    """The same text in a normalisation form; the arrays themselves where it is already.

    A stretch of unstable characters with the stable one before it is normalised alike alone and in its text, so
    that only these stretches are: Python takes a quarter of a microsecond for every character.
    """
    unstable = (classes & UNSTABLE) != 0
    if not unstable.any():
        return codes, classes
    unstable[:-1] |= unstable[1:] & (codes[:-1] != NEWLINE)  # with the one before
    starts, ends = runs_of(unstable)
    before = text_of(joined_by_newlines(codes, starts, ends)[1])
    after = unicodedata.normalize(form, before)
    if after == before:
        return codes, classes
    new_codes, new_classes = classified(after, form)
    lengths = np.empty(2 * len(starts) + 1, dtype=np.int64)  # of what stays and what is new, by turns
    lengths[::2] = np.append(starts, len(codes)) - np.append(0, ends)
    lengths[1::2] = np.diff(np.flatnonzero(new_codes == NEWLINE), prepend=-1) - 1
    is_new = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    whole_codes = np.empty(len(is_new), dtype=codes.dtype)
    whole_classes = np.empty(len(is_new), dtype=classes.dtype)
    whole_codes[is_new], whole_codes[~is_new] = new_codes[new_codes != NEWLINE], codes[~unstable]
    whole_classes[is_new], whole_classes[~is_new] = new_classes[new_codes != NEWLINE], classes[~unstable]
    return whole_codes, whole_classes


def bearers_of(classes: Classes) -> Classes:
    """The classes, but for marks those of the character that bears them: the last one that is no mark."""
    marks = np.flatnonzero((classes & MARK) != 0)
    if not len(marks):
        return classes
    firsts = np.flatnonzero(np.diff(marks, prepend=-2) != 1)  # of each run of marks
    bearers = marks[firsts] - 1
    borne = np.where(bearers < 0, 0, classes[bearers]).astype(classes.dtype)
    classes = classes.copy()
    classes[marks] = np.repeat(borne, np.diff(firsts, append=len(marks)))
    return classes


def runs_of(mask: Mask) -> tuple[Positions, Positions]:
    """Where the runs of True begin and end."""
    padded = np.zeros(len(mask) + 2, dtype=np.bool_)
    padded[1:-1] = mask
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[::2].copy(), edges[1::2].copy()


def like_ones(codes: Codes, mask: Mask) -> tuple[Positions, Positions]:
    """Where runs of one and the same character of `mask` begin and end."""
    padded = np.zeros(len(codes) + 2, dtype=np.int64)
    padded[1:-1] = np.where(mask, codes.astype(np.int64) + 1, 0)
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return edges[padded[edges + 1] > 0], edges[padded[edges] > 0]


def merged(first: Positions, second: Positions) -> Positions:
    """The positions of both in order, each given in order."""
    both = np.concatenate((first, second))
    both.sort(kind="stable")  # which merges what is sorted already
    return both


def joined_by_newlines(codes: Codes, starts: Positions, ends: Positions) -> tuple[Positions, Codes]:
    """Pieces of a text one behind the other, a newline behind each: where each character stood, and the characters."""
    lengths = ends - starts + 1
    piece_ends = np.cumsum(lengths)
    positions = np.arange(piece_ends[-1]) + np.repeat(starts - piece_ends + lengths, lengths)
    joined = codes.take(positions, mode="clip")
    joined[piece_ends - 1] = NEWLINE
    return positions, joined


def text_of(codes: Codes) -> str:
    """The text that code points stand for."""
    return codes.astype("<u4", copy=False).tobytes().decode("utf-32-le")


def in_ranges(codes: Codes, ranges: Ranges) -> Mask:
    """Which characters are of `ranges`, each from its first to its last."""
    found = np.zeros(len(codes), dtype=np.bool_)
    for first, last in ranges:
        found |= (codes >= first) & (codes <= last)
    return found
