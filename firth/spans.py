"""The entities that tags of words stand for: BIO, BIOES (also called BILOU) and BMES, each word's tag on its own.

What is out of order (an I- behind nothing) is read as the program of the CoNLL shared tasks reads it: it begins an
entity. Tjong Kim Sang & Buchholz 2000, "Introduction to the CoNLL-2000 Shared Task: Chunking".
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

Scheme = Literal["BIO", "BIOES", "BMES"]

_TAG: Final = re.compile(r"([BIOESMLU])(?:[-_](.+))?", re.DOTALL)
_OUTSIDE: Final = "O"
_BEGINS: Final = "BSU"
_ENDS: Final = "ESLU"


class Span(NamedTuple):
    """An entity.

    Attributes:
        label: Its type; empty where the tags name none.
        first: The place of its first word, counted from 0.
        stop: Of the one behind its last.
    """

    label: str
    first: int
    stop: int


def scheme_of(tags: Iterable[str]) -> Scheme | None:
    """The scheme that a set of tags is of; None where they are tags of words, as parts of speech are.

    >>> scheme_of(["O", "B-person", "I-person"]), scheme_of(["O", "B-NAME", "M-NAME", "E-NAME"]), scheme_of(["NOUN"])
    ('BIO', 'BMES', None)
    """
    matches = [_TAG.fullmatch(tag) for tag in set(tags)]
    if not matches or any(match is None or (match[1] == _OUTSIDE and match[2]) for match in matches):
        return None
    letters = {match[1] for match in matches if match}
    have_types = any(match[2] for match in matches if match)
    if not letters & set("BSU") and not ("I" in letters and have_types):
        return None
    if not have_types and not letters & set("IM") and not {"B", "E"} <= letters:
        return None
    if "M" in letters:
        return None if "I" in letters else "BMES"
    if letters & set("ESLU"):
        return "BIOES" if "I" in letters or "O" in letters else "BMES"
    return "BIO"


def spans(tags: Sequence[str]) -> list[Span]:
    """The entities of a sentence in their order, by the tags of its words.

    >>> spans(["B-PER", "I-PER", "O", "S-LOC"])
    [Span(label='PER', first=0, stop=2), Span(label='LOC', first=3, stop=4)]
    """
    found = []
    label, first = "", -1  # of the entity that is under way
    for place, tag in enumerate(tags):
        match = _TAG.fullmatch(tag)
        letter, kind = (match[1], match[2] or "") if match else (_OUTSIDE, "")
        goes_on = first >= 0 and letter != _OUTSIDE and letter not in _BEGINS and kind == label
        if first >= 0 and not goes_on:
            found.append(Span(label, first, place))
            first = -1
        if letter != _OUTSIDE and not goes_on:
            label, first = kind, place
        if first >= 0 and letter in _ENDS:
            found.append(Span(label, first, place + 1))
            first = -1
    if first >= 0:
        found.append(Span(label, first, len(tags)))
    return found
