"""Words and the pieces that a tokenizer makes of their text, matched by characters; windows over texts too long.

W words of a sentence, N pieces of it, R rows: what a window gives a vector to, a word as a rule.
"""

import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.segmentation import Segmentation, is_written_without_spaces

Positions = NDArray[np.int64]

_JOINERS: Final = "\u200c\u200d"
_INVISIBLE: Final = "\u00ad\u2060\ufeff"  # which a segmentation drops
_CONJOINING_JAMO: Final = range(0x1160, 0x1200)
_N_SHOWN: Final = 100  # characters of a text in a message


class Cut(NamedTuple):
    """A sentence and where its words stand in it.

    Attributes:
        text: What a tokenizer reads.
        words: (W) as they were given or found.
        starts: (W,) the character of `text` that each begins with.
        ends: (W,) the one behind its last.
    """

    text: str
    words: list[str]
    starts: Positions
    ends: Positions


class Pieced(NamedTuple):
    """A sentence as pieces, and those of each word.

    Attributes:
        ids: (N,) of its pieces, without any that stand for no text.
        firsts: (W,) the first piece of each word.
        stops: (W,) the one behind its last; that of `firsts` where a word has none.
        is_known: (W,) whether a word has a piece that the vocabulary knows.
    """

    ids: Positions
    firsts: Positions
    stops: Positions
    is_known: NDArray[np.bool_]


class Window(NamedTuple):
    """Some pieces of a sentence that a network reads at once, and what gets its vector there.

    Attributes:
        first: The first piece.
        stop: The one behind the last.
        words: (R,) the words of its rows. A word of more pieces than half a window has several rows.
        firsts: (R,) the first piece of each row, counted in the sentence.
        stops: (R,) the one behind its last.
    """

    first: int
    stop: int
    words: Positions
    firsts: Positions
    stops: Positions


def cut_texts(texts: Sequence[str], segmentation: Segmentation) -> list[Cut]:
    """Sentences with the words that a segmentation finds in them; a line end in a sentence is white space.

    The text stays as it is: where the segmentation normalises it, words are normalised, and their places are those of
    what they were made of.

    Raises:
        FirthError: a sentence holds surrogates, as from bytes that were decoded in another encoding.
    """
    lines = [text.replace("\n", " ") for text in texts]
    plain = [segmentation.blanked(line) for line in lines]
    split = segmentation.split("".join(f"{line}\n" for line in plain))
    words = split.words()
    normal_lines = split.codes.astype("<u4").tobytes().decode("utf-32-le").split("\n")
    cuts = []
    first = n_before = 0
    lengths: dict[str, int] = {}
    for text, line, normal, last in zip(texts, plain, normal_lines, split.line_ends.tolist(), strict=False):
        starts, ends = split.starts[first:last] - n_before, split.ends[first:last] - n_before
        if line != normal:
            read, starts, ends = _in_text(line, normal, starts, ends, segmentation, lengths)
            text = text if read == line else read
        cuts.append(Cut(text, words[first:last], starts, ends))
        first = last
        n_before += len(normal) + 1
    return cuts


def cut_words(words: Sequence[str]) -> Cut:
    """A sentence of ready words: a space stands between two of them, none between Han characters or kana.

    Raises:
        UsageError: a word is empty or white space, or no string.
        FirthError: a word holds surrogates.
    """
    for position, word in enumerate(words):
        if not isinstance(word, str):
            raise UsageError(f"word {position} of a sentence is {printable(repr(word))}; words are strings")
        if not word or word.isspace():
            raise UsageError(f"word {position} of a sentence is {word!r}, which holds nothing to make a vector of")
    parts: list[str] = []
    starts = np.zeros(len(words), np.int64)
    n_characters = 0
    for position, word in enumerate(words):
        if position and not (is_written_without_spaces(words[position - 1][-1]) and is_written_without_spaces(word[0])):
            parts.append(" ")
            n_characters += 1
        starts[position] = n_characters
        parts.append(word)
        n_characters += len(word)
    text = "".join(parts)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FirthError(f"no valid text: {error.reason} in '{printable(text[:_N_SHOWN])}'") from None
    return Cut(text, list(words), starts, starts + np.array([len(word) for word in words], np.int64))


def covering(cut: Cut, piece_starts: Positions, piece_ends: Positions) -> tuple[Positions, Positions]:
    """(W,), (W,): the first piece of each word and the one behind its last: all that share a character with it.

    Args:
        cut: The sentence.
        piece_starts: (N,) the character of its text that each piece begins with.
        piece_ends: (N,) the one behind its last. Several pieces may share a character, as the bytes of an emoji do,
            and a piece of spaces alone none with any word.
    """
    if (np.diff(piece_starts) >= 0).all() and (np.diff(piece_ends) >= 0).all():
        firsts = np.searchsorted(piece_ends, cut.starts, side="right")
        stops = np.searchsorted(piece_starts, cut.ends, side="left")
        return firsts, np.maximum(firsts, stops)
    firsts, stops = np.zeros_like(cut.starts), np.zeros_like(cut.starts)
    for word, (start, end) in enumerate(zip(cut.starts, cut.ends, strict=True)):  # pieces that change places
        shared = np.flatnonzero((piece_starts < end) & (piece_ends > start))
        if len(shared):
            firsts[word], stops[word] = shared[0], shared[-1] + 1
    return firsts, stops


def windows(pieced: Pieced, words: Positions, capacity: int | None, *, is_causal: bool) -> list[Window]:
    """The windows of a sentence in which `words` have most context; one where it fits in.

    They begin half a window apart. Context is the lesser of the pieces before and behind a word, where the end of the
    sentence is no want of it; of a network that does not look ahead, the pieces before it.

    Args:
        pieced: The sentence.
        words: The words that get a vector, in order.
        capacity: Pieces that a window holds; None is any number.
        is_causal: Whether a piece sees those before it alone.
    """
    n_pieces = len(pieced.ids)
    firsts, stops = pieced.firsts[words], pieced.stops[words]
    if not len(words):
        return []
    if capacity is None or n_pieces <= capacity:
        return [Window(0, n_pieces, words, firsts, stops)]
    step = max(1, capacity // 2)
    words, firsts, stops = _short_rows(words, firsts, stops, max(1, capacity - step))
    begins = np.append(np.arange(0, n_pieces - capacity, step), n_pieces - capacity)
    highest = np.minimum(firsts // step + 1, len(begins) - 1)  # the last one may begin sooner than half a window on
    best, most = np.zeros_like(highest), np.full(len(highest), -1.0)
    for back in range(5):  # more do not hold a row: they begin half a window apart
        candidates = np.maximum(highest - back, 0)
        before = (firsts - begins[candidates]).astype(np.float64)
        behind = (begins[candidates] + capacity - stops).astype(np.float64)
        holds = (before >= 0) & (behind >= 0)
        if is_causal:
            context = before
        else:
            before[begins[candidates] == 0] = np.inf
            behind[begins[candidates] + capacity == n_pieces] = np.inf
            context = np.minimum(before, behind)
        is_better = holds & (context > most)
        best[is_better], most[is_better] = candidates[is_better], context[is_better]
    order = np.argsort(best, kind="stable")
    found = []
    for rows in np.split(order, np.flatnonzero(np.diff(best[order])) + 1):
        begin = int(begins[best[rows[0]]])
        found.append(Window(begin, begin + capacity, words[rows], firsts[rows], stops[rows]))
    return found


def _short_rows(
    words: Positions, firsts: Positions, stops: Positions, most: int
) -> tuple[Positions, Positions, Positions]:
    """The same where words of more than `most` pieces are parted into rows that a window holds for certain."""
    n_rows = -(-(stops - firsts) // most)
    if (n_rows == 1).all():
        return words, firsts, stops
    numbers = np.arange(n_rows.sum()) - np.repeat(np.cumsum(n_rows) - n_rows, n_rows)
    begins = np.repeat(firsts, n_rows) + numbers * most
    return np.repeat(words, n_rows), begins, np.minimum(begins + most, np.repeat(stops, n_rows))


def _in_text(
    text: str, normal: str, starts: Positions, ends: Positions, segmentation: Segmentation, lengths: dict[str, int]
) -> tuple[str, Positions, Positions]:
    """A text, and the places in it of what stands at `starts` to `ends` in its normalised form.

    Characters are normalised one by one, each with the marks behind it. Where that does not come to as many as there
    are, the normalised text itself is what is read. Of a text that was lower-cased alone, places stay.
    """
    if len(text) == len(normal) and text.lower() == normal:  # no character grows shorter by that
        return text, starts, ends
    firsts = [place for place, char in enumerate(text) if not place or not _clings(char)]
    characters = [text[first:stop] for first, stop in zip(firsts, [*firsts[1:], len(text)], strict=True)]
    for character in set(characters) - lengths.keys():
        lengths[character] = len(segmentation.normalize(character))
    in_normal = np.cumsum([0, *map(lengths.__getitem__, characters)])
    if in_normal[-1] != len(normal):
        return normal, starts, ends
    in_text = np.array([*firsts, len(text)])
    first_characters = np.searchsorted(in_normal, starts, side="right") - 1
    return text, in_text[first_characters], in_text[np.searchsorted(in_normal, ends, side="left")]


def _clings(char: str) -> bool:
    """Whether a character may be normalised together with the one before it."""
    is_mark = unicodedata.category(char)[0] == "M"
    return is_mark or char in _JOINERS or char in _INVISIBLE or ord(char) in _CONJOINING_JAMO
