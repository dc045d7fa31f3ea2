"""Lines of text cut into words: Unicode words, white space, or Chinese.

Everything is decided character by character from one table of classes, a block of lines at a time, so that
a corpus and a query are cut by the same code.
"""

import functools
import importlib.metadata
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from firth.errors import FirthError, UsageError
from firth.files import printable

Method = Literal["words", "space", "chinese"]
Codes = npt.NDArray[np.uint32]  # code points
Classes = npt.NDArray[np.uint8]  # of code points: bits of those below
Mask = npt.NDArray[np.bool_]  # one per character
Positions = npt.NDArray[np.int64]

_LETTER: Final = 1  # what a word may begin with: letters, digits, underscore
_MARK: Final = 2  # what goes on with the word before it: category M, zero width (non-)joiners
_SPACE: Final = 4
_HAN: Final = 8
_UNSTABLE: Final = 16  # text without these is in NFC
_KANA: Final = 32

_HAN_RANGES: Final = (
    (0x3005, 0x3007),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_KANA_RANGE: Final = (0x3040, 0x30FF)
_CONJOINING_JAMO: Final = range(0x1161, 0x1200)
_PLANES_WITH_LETTERS: Final = 0x40000
_IRREGULAR_RANGES: Final = (  # all but ideographs, Hangul, surrogates, private use: no marks, all in NFC
    range(0x3400),
    range(0xA000, 0xAC00),
    range(0xD7A4, 0xD800),
    range(0xF900, 0x20000),
    range(0x2F800, 0x2FA20),
    range(0xE0000, 0xE0200),
)
_JOINERS: Final = "\u200c\u200d"
_NEWLINE: Final = 0x0A
_BLANK: Final = np.uint32(0x20)

_MOST_HAN_PER_WORD: Final = 3.0


class Split(NamedTuple):
    """The words of some lines, and where its lines end.

    Attributes:
        words: in order.
        line_ends: (n_lines,) how many words stand before each line's end.
        visible_ends: (n_lines,) how many characters other than white space stand before it; a line that
            adds none is empty.
        n_visible: how many such characters there are in all, those behind the last line's end too.
    """

    words: list[str]
    line_ends: Positions
    visible_ends: Positions
    n_visible: int


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """How text becomes words: the same for a corpus and for the queries of what was trained on it.

    Attributes:
        method: `words` takes runs of letters, marks, digits and underscores (don't becomes don and t);
            `space` takes what stands between white space; `chinese` has rjieba cut runs of Han characters,
            but for lines whose words are set apart already, and takes other scripts as `words` does.
        lower: whether words are lower-cased.
        segmenter: name and version of what cuts Chinese; by default, what is installed.
    """

    method: Method
    lower: bool = True
    segmenter: str | None = None

    def __post_init__(self) -> None:
        """Refuses an unknown method; fills in the segmenter."""
        if self.method not in get_args(Method):
            asked = printable(str(self.method))
            raise UsageError(f"segmentation {asked!r} was asked for; there are {', '.join(get_args(Method))}")
        if self.method == "chinese" and self.segmenter is None:
            object.__setattr__(self, "segmenter", _installed_segmenter())

    def normalize(self, text: str) -> str:
        """`text` lower-cased if words are, in Unicode's composed form (NFC)."""
        return unicodedata.normalize("NFC", text.lower() if self.lower else text)

    def words(self, text: str) -> list[str]:
        """The normalised words of a query, a line, or several.

        >>> Segmentation(method="chinese").words("我 今天 好 开心")
        ['我', '今天', '好', '开心']
        """
        return self.split(text).words

    def split(self, text: str) -> Split:
        """The normalised words of `text`, and where its lines end; a line is closed by `\\n`.

        Raises:
            FirthError: `text` holds surrogates, as from bytes that were decoded in another encoding.
        """
        text = text.lower() if self.lower else text
        codes, classes = _classified(text)
        if (classes & _UNSTABLE).any():
            text = unicodedata.normalize("NFC", text)
            codes, classes = _classified(text)
        newlines = np.flatnonzero(codes == _NEWLINE)
        visible = (classes & _SPACE) == 0
        if self.method == "space":
            spaced = text
            starts = _run_starts(visible)
        else:
            in_word = _in_words(classes)
            starts = _run_starts(in_word)
            characters = np.where(in_word, codes, _BLANK)
            if self.method == "chinese":
                cuts = _chinese_cuts(codes, classes, visible, newlines)
                cuts = cuts[~starts[cuts]]
                starts[cuts] = True
                characters = np.insert(characters, cuts, _BLANK)
            spaced = _text(characters)
        return Split(
            words=spaced.split(),
            line_ends=np.searchsorted(np.flatnonzero(starts), newlines),
            visible_ends=np.cumsum(visible)[newlines],
            n_visible=int(np.count_nonzero(visible)),
        )

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs to cut alike: plain values for a JSON file."""
        settings: dict[str, Any] = {"method": self.method, "lower": self.lower}
        if self.segmenter is not None:
            settings["segmenter"] = self.segmenter
        return settings

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Segmentation":
        """The segmentation that `settings` were taken from; see `warning` where the segmenter differs now.

        Raises:
            FirthError: settings that this version of firth does not know.
        """
        unknown = settings.keys() - {"method", "lower", "segmenter"}
        if unknown or not isinstance(settings.get("lower"), bool):
            shown = printable(str(dict(settings)))
            raise FirthError(f"no segmentation is described by {shown}; a newer firth may have written it")
        return cls(**settings)

    def warning(self) -> str | None:
        """Why queries may be cut otherwise than the corpus was, in a sentence; None if they are not."""
        if self.method != "chinese" or self.segmenter == _installed_segmenter():
            return None
        return (
            f"the Chinese words were cut by {printable(str(self.segmenter))}, but {_installed_segmenter()} "
            "is installed, which may cut some queries otherwise"
        )


def choose(sample: str, *, lower: bool = True) -> tuple[Segmentation, str]:
    """A segmentation that suits `sample`, and a sentence that says why.

    Args:
        sample: some of the text, as from `Corpus.sample`.
        lower: whether words are to be lower-cased.
    """
    codes, classes = _classified(sample)
    letters = (classes & _LETTER) != 0
    han_share = _share(((classes & _HAN) != 0) & letters, letters)
    kana_share = _share((classes & _KANA) != 0, (classes & (_HAN | _KANA)) != 0)
    if han_share >= 0.2 and kana_share < 0.1:
        segmented_share = _segmented_share(codes, classes)
        if segmented_share >= 0.9:
            reason = f"{segmented_share:.0%} of the Chinese lines have spaces between their words already"
            return Segmentation(method="space", lower=lower), f"white space separates words: {reason}"
        reason = f"{han_share:.0%} of the letters are Han characters"
        return Segmentation(method="chinese", lower=lower), f"Chinese words, cut by rjieba: {reason}"
    if _stands_apart(sample):
        reason = "punctuation stands apart, so the text is split already"
        return Segmentation(method="space", lower=lower), f"white space separates words: {reason}"
    return Segmentation(method="words", lower=lower), "Unicode words: runs of letters, marks and digits"


def is_written_without_spaces(word: str) -> bool:
    """Whether `word` is made of Han characters and kana alone, in which several words stand together."""
    ranges = (*_HAN_RANGES, _KANA_RANGE)
    return bool(word) and all(any(first <= ord(char) <= last for first, last in ranges) for char in word)


def _classified(text: str) -> tuple[Codes, Classes]:
    """The code points of `text` and their classes."""
    try:
        codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    except UnicodeEncodeError as error:
        raise FirthError(f"no valid text: {error.reason} in '{printable(text[:100])}'") from None
    return codes, _class_table().take(codes)


@functools.cache
def _class_table() -> Classes:
    """(0x110000,) the classes of every code point, a bit each."""
    table = np.zeros(0x110000, dtype=np.uint8)
    characters = "".join(map(chr, range(_PLANES_WITH_LETTERS)))
    for pattern, bit in ((r"\w+", _LETTER), (r"\s+", _SPACE)):
        for found in re.finditer(pattern, characters):
            table[found.start() : found.end()] |= bit
    for code in chain.from_iterable(_IRREGULAR_RANGES):
        char = chr(code)
        category = unicodedata.category(char)
        if category == "Cn":
            continue
        if category[0] == "M" or char in _JOINERS:
            table[code] |= _MARK
        if unicodedata.combining(char) or not unicodedata.is_normalized("NFC", char):
            table[code] |= _UNSTABLE
        parts = unicodedata.decomposition(char).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            table[int(parts[1], 16)] |= _UNSTABLE  # it may compose with what stands before it
    table[_CONJOINING_JAMO] |= _UNSTABLE
    for first, last in _HAN_RANGES:
        table[first : last + 1] |= _HAN
    table[_KANA_RANGE[0] : _KANA_RANGE[1] + 1] |= _KANA
    return table


def _in_words(classes: Classes) -> Mask:
    """Which characters belong to a word: letters, and the marks behind them."""
    letters: Mask = (classes & _LETTER) != 0
    marks = (classes & _MARK) != 0
    if not marks.any():
        return letters
    positions = np.arange(len(classes))
    bearers = np.maximum.accumulate(np.where(marks, 0, positions))  # the last character that is no mark
    in_word: Mask = letters[bearers]
    return in_word


def _run_starts(mask: Mask) -> Mask:
    starts: Mask = mask.copy()
    starts[1:] &= ~mask[:-1]
    return starts


class _HanRuns(NamedTuple):
    """The maximal runs of Han characters in a text."""

    starts: Positions
    lengths: Positions
    lines: Positions  # the number of the line that each stands in
    are_segmented: Mask  # whether that line has spaces between its words


def _han_runs(codes: Codes, classes: Classes, visible: Mask, newlines: Positions) -> _HanRuns:
    han = ((classes & _HAN) != 0) & ((classes & _LETTER) != 0)
    edges = np.flatnonzero(np.diff(han, prepend=False, append=False))
    starts, ends = edges[::2], edges[1::2]
    lines = np.searchsorted(newlines, starts)
    n_visible = np.cumsum(visible)
    spaced = (n_visible[starts[1:] - 1] == n_visible[ends[:-1] - 1]) & (lines[1:] == lines[:-1])
    n_lines = len(newlines) + 1
    boundaries = np.bincount(lines[1:][spaced], minlength=n_lines)
    characters = np.bincount(lines, weights=ends - starts, minlength=n_lines)
    segmented = (boundaries >= 1) & (characters <= _MOST_HAN_PER_WORD * (boundaries + 1))
    return _HanRuns(starts, ends - starts, lines, segmented[lines])


def _chinese_cuts(codes: Codes, classes: Classes, visible: Mask, newlines: Positions) -> Positions:
    """Where words begin in and behind runs of Han characters, in lines that are not segmented yet."""
    runs = _han_runs(codes, classes, visible, newlines)
    starts, lengths = runs.starts[~runs.are_segmented], runs.lengths[~runs.are_segmented]
    if not len(starts):
        return np.empty(0, dtype=np.int64)
    # All runs go to rjieba in one call, a newline behind each: it never joins words across one.
    joined_starts = np.cumsum(lengths + 1) - (lengths + 1)
    shifts = np.repeat(starts - joined_starts, lengths + 1)
    joined_positions = np.arange(len(shifts)) + shifts  # position in text of each joined character
    newline_places = joined_starts + lengths
    joined = codes.take(joined_positions, mode="clip")
    joined[newline_places] = _NEWLINE
    tokens = _cut_chinese(_text(joined))
    token_lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    token_starts: Positions = joined_positions[np.cumsum(token_lengths) - token_lengths]
    # A newline of the joined text lies on the character behind the run. Where that is a letter of another
    # script, a word begins there; a mark goes on with the word before it.
    cuts: Positions = token_starts[token_starts < len(codes)]
    begin_words: Mask = (classes[cuts] & _LETTER) != 0
    return cuts[begin_words]


def _cut_chinese(text: str) -> list[str]:
    import rjieba  # loading its dictionary takes a while that other texts need not spend

    tokens: list[str] = rjieba.cut(text)
    return tokens


@functools.cache
def _installed_segmenter() -> str:
    return f"rjieba {importlib.metadata.version('rjieba')}"


def _text(codes: Codes) -> str:
    return codes.astype("<u4", copy=False).tobytes().decode("utf-32-le")


def _share(part: Mask, whole: Mask) -> float:
    return int(np.count_nonzero(part)) / max(1, int(np.count_nonzero(whole)))


def _segmented_share(codes: Codes, classes: Classes) -> float:
    """The share of Chinese lines with spaces between their words; lines that may be one word do not count."""
    newlines = np.flatnonzero(codes == _NEWLINE)
    runs = _han_runs(codes, classes, (classes & _SPACE) == 0, newlines)
    characters = np.bincount(runs.lines, weights=runs.lengths)
    segmented = np.zeros(len(characters), dtype=np.bool_)
    segmented[runs.lines] = runs.are_segmented
    return _share(segmented & (characters > _MOST_HAN_PER_WORD), characters > _MOST_HAN_PER_WORD)


def _stands_apart(sample: str) -> bool:
    """Whether commas, full stops and the like stand alone between white space, nearly all of them."""
    marks = ",.;:!?，。；：！？、"
    n_marks = sum(map(sample.count, marks))
    n_alone = sum(word in marks for word in sample.split())
    return n_marks >= 20 and n_alone >= 0.9 * n_marks
