"""What encoding text is in, by all appearance: guesses from bytes, and from how ordinary the characters are."""

import codecs
from contextlib import suppress
from typing import Final

CANDIDATES: Final = ("gb18030", "big5", "shift_jis", "euc-jp", "euc-kr", "cp1251", "cp1252")
"""Encodings that a guess is made among, beside UTF-8 and UTF-16."""

LEAST_ORDINARY: Final = 0.25
"""Of the characters beyond ASCII: those that are frequent in some language. With fewer, this is no text in it."""

LEAST_INVALID: Final = 10
"""Stretches of invalid bytes: from fewer, no encoding can be told."""

BROKEN: Final = 0.05
"""Of the characters beyond ASCII: with fewer invalid ones, the encoding is right, and some bytes are broken."""

LEAST_BEYOND_ASCII: Final = 3
"""Characters beyond ASCII: fewer may be valid UTF-8 by chance."""

_FREQUENT_CHARACTERS: Final = frozenset(
    "的一是不了在人有我他這个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去"
    "這们們來為國說時會對於著過發後裡種經麼開學現當無還進樣從點長問沒見動話給讓，。、“”：；！？「」（）《》"
    "のにはをたがでてとしれさあるいなもられらからこくまっすりんアイスルンート"
    "이다는에을를의가고하은로한지도기사서리나인시어아자있대그해"
    "абвгдежзийклмнопрстуфхцчшщыьэюяё"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüßœ‘’–—…«»°§"
)
_BYTE_ORDER_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF16_HEAD_BYTES: Final = 1024


def n_beyond_ascii(text: str) -> int:
    """How many characters of `text` are not ASCII."""
    return sum(char > "\x7f" for char in text)


def ordinariness(text: str) -> float:
    """The share of the characters beyond ASCII that are frequent in some language, and not odd where they stand."""
    n_beyond = n_ordinary = 0
    for before, char, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if char > "\x7f":
            n_beyond += 1
            is_beside_latin = (before + after).isascii() and (before + after).strip().isalpha()
            is_amid_others = before > "\x7f" and after > "\x7f"
            is_odd = is_beside_latin if "\u0400" <= char <= "\u04ff" else is_amid_others and char <= "\u0153"
            n_ordinary += char in _FREQUENT_CHARACTERS and not is_odd
    return n_ordinary / max(1, n_beyond)


def most_ordinary(texts: dict[str, str]) -> str | None:
    """The encoding in which text reads most like some language.

    Args:
        texts: By encoding, the text that the same bytes are in it.

    Returns:
        None where it reads like none in all of them.
    """
    scores = {encoding: ordinariness(text) for encoding, text in texts.items()}
    best = max(scores, key=lambda name: scores[name], default=None)
    return best if best is not None and scores[best] >= LEAST_ORDINARY else None


def is_another(text: str) -> bool:
    """Whether so much of `text`, in which U+FFFD stands for invalid bytes, is invalid that the encoding is wrong."""
    n_invalid = text.count("\ufffd")
    return n_invalid >= max(LEAST_INVALID, BROKEN * n_beyond_ascii(text))


def likeliest(data: bytes, asked: str) -> str | None:
    """The encoding that bytes are in which are not valid in the one that was asked for.

    Args:
        data: Some of a file, from the beginning of a line on; it may end within a character.
        asked: The encoding that did not fit.

    Returns:
        None where that one is right, and some bytes are broken; where no other fits; and where there are NUL bytes,
        which text of one byte or more a character does not have (see `wide`).
    """
    if data[:2] in _BYTE_ORDER_MARKS:
        return "utf-16"
    if b"\0" in data:
        return None
    texts = {}
    for encoding in ("utf-8", *CANDIDATES):
        with suppress(UnicodeError):
            texts[encoding] = codecs.getincrementaldecoder(encoding)().decode(data)
    if n_beyond_ascii(texts.pop("utf-8", "")) >= LEAST_BEYOND_ASCII:
        return "utf-8"
    return most_ordinary(texts) if is_another(data.decode(asked, errors="replace")) else None


def wide(data: bytes) -> str | None:
    """The encoding of two bytes a character that a file is in which begins with `data`, if that can be seen."""
    if data[:2] in _BYTE_ORDER_MARKS:
        return "utf-16"
    head = data[:_UTF16_HEAD_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > max(8 * min(even, odd), len(head) // 8, 3):
        return "utf-16-le" if odd > even else "utf-16-be"
    return None
