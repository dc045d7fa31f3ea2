"""Text in blocks of whole lines; a line too long for that in stretches, which depend on the line alone.

What a corpus gives and what a query is are cut by this same rule, so that their words do not depend on how a file came
to be cut into blocks.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final

LONGEST: Final = 1 << 16
"""Characters of the longest stretch; a line of no more is whole in one block."""

_IN_WORDS: Final = "'’-‐_"  # marks that stand inside words in some segmentations
_IN_NUMBERS: Final = ".,:·．，："
_UP_TO_LAST_SPACE: Final = re.compile(r".*\s", re.DOTALL)
_MOST_JOINED: Final = 64  # characters that make one
_BEFORE_A_WORD: Final = re.compile(r"\W(?=\w)")


def blocks(texts: Iterable[str], block_characters: int, inner: str) -> Iterator[str]:
    """`texts` joined and cut anew, so that where a stretch ends depends on its line alone.

    Args:
        texts: pieces of a text, cut anywhere.
        block_characters: of whole lines there are as many in a block as this holds; one, if that is longer.
        inner: characters that belong to a word where they stand between two letters of it.
    """
    pending: list[str] = []
    n_pending = 0
    for text in texts:
        pending.append(text)
        n_pending += len(text)
        if n_pending <= block_characters:
            continue
        joined = "".join(pending)
        start = 0
        while len(joined) - start > block_characters and (end := _end(joined, start, block_characters, inner)):
            yield joined[start:end]
            start = end
        pending = [joined[start:]]
        n_pending = len(joined) - start
    if n_pending:
        yield "".join(pending)


def _end(text: str, start: int, block_characters: int, inner: str) -> int:
    """Where the block ends that begins at `start`; 0 where the text to tell that by is not there yet."""
    line_end = text.rfind("\n", start, start + block_characters)
    if line_end < 0:
        line_end = text.find("\n", start, start + LONGEST)
    if line_end >= 0:
        return line_end + 1
    if len(text) - start > LONGEST:  # so that it is seen what follows a cut
        return _last_cut(text, start, start + LONGEST, inner)
    return 0


def _last_cut(text: str, start: int, stop: int, inner: str) -> int:
    """The last place to cut in `text[start:stop]`, a part of a line: behind white space, else punctuation."""
    if found := _UP_TO_LAST_SPACE.match(text, start, stop):
        return found.end()
    places = [found.end() for found in _BEFORE_A_WORD.finditer(text, start, stop)]
    for refused in (_IN_WORDS + _IN_NUMBERS + inner, _IN_WORDS + inner):
        for place in reversed(places):
            last = text[place - 1]
            if last not in refused and unicodedata.category(last)[0] in "PS":  # not behind a mark, which words hold
                return place
    # A run of letters as long as a stretch is no word, but it may be many, of a script without spaces.
    whole = (place for place in range(stop, max(start, stop - _MOST_JOINED), -1) if not _are_joined(text, place))
    return next(whole, stop)


def _are_joined(text: str, place: int) -> bool:
    """Whether the characters around `place` make one: a letter and its mark, or what normalising joins."""
    if place >= len(text):
        return False
    last, first = text[place - 1], text[place]
    if unicodedata.category(first) in ("Mn", "Mc", "Me", "Cf") or unicodedata.category(last) == "Cf":
        return True
    normalize = unicodedata.normalize
    return normalize("NFKC", last + first) != normalize("NFKC", last) + normalize("NFKC", first)
