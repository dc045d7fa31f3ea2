"""The scripts that text is written in: the code points of their letters, and how much of a text is in each."""

import re
from collections import Counter
from typing import Final

Ranges = tuple[tuple[int, int], ...]
"""Code points, first and last of each stretch."""

LETTERS: Final[dict[str, Ranges]] = {  # with the marks on them; The Unicode Standard, code charts
    "Latin": (
        (0x41, 0x5A),
        (0x61, 0x7A),
        (0xAA, 0xAA),
        (0xBA, 0xBA),
        (0xC0, 0xD6),
        (0xD8, 0xF6),
        (0xF8, 0x2B8),
        (0x1E00, 0x1EFF),
        (0xA722, 0xA7FF),
        (0xAB30, 0xAB64),
        (0xFB00, 0xFB06),
        (0xFF21, 0xFF3A),
        (0xFF41, 0xFF5A),
    ),
    "Han": ((0x3005, 0x3007), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),
    "kana": ((0x3041, 0x309F), (0x30A1, 0x30FA), (0x30FC, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "Hangul": ((0x1100, 0x11FF), (0x3131, 0x318E), (0xAC00, 0xD7A3)),
    "Cyrillic": (
        (0x400, 0x52F),
        (0x1C80, 0x1C8F),
        (0x1D2B, 0x1D2B),
        (0x1D2E, 0x1D2E),
        (0x2DE0, 0x2DFF),
        (0xA640, 0xA69F),
    ),
    "Arabic": (
        (0x620, 0x63F),
        (0x640, 0x64A),
        (0x66E, 0x6D3),
        (0x6D5, 0x6FF),
        (0x750, 0x77F),
        (0x8A0, 0x8FF),
        (0xFB50, 0xFDFB),
        (0xFE70, 0xFEFC),
    ),
    "Greek": ((0x370, 0x37D), (0x37F, 0x3FF), (0x1F00, 0x1FFE)),
    "Hebrew": ((0x5D0, 0x5EA), (0x5F0, 0x5F2), (0xFB1D, 0xFB4F)),
    "Devanagari": ((0x900, 0x963), (0x971, 0x97F)),
    "Bengali": ((0x980, 0x9E5), (0x9F0, 0x9FE)),
    "Gurmukhi": ((0xA01, 0xA75),),
    "Gujarati": ((0xA81, 0xAE5), (0xAF9, 0xAFF)),
    "Tamil": ((0xB82, 0xBD7),),
    "Telugu": ((0xC00, 0xC63),),
    "Kannada": ((0xC80, 0xCE3),),
    "Malayalam": ((0xD00, 0xD63),),
    "Sinhala": ((0xD81, 0xDF4),),
    "Thai": ((0xE01, 0xE3A), (0xE40, 0xE4E)),
    "Lao": ((0xE81, 0xECE), (0xEDC, 0xEDF)),
    "Tibetan": ((0xF00, 0xF6C),),
    "Burmese": (
        (0x1000, 0x103F),
        (0x1050, 0x108F),
        (0x109A, 0x109F),
        (0xA9E0, 0xA9EF),
        (0xA9FA, 0xA9FE),
        (0xAA60, 0xAA7F),
    ),
    "Khmer": ((0x1780, 0x17D3), (0x17D7, 0x17D7), (0x17DC, 0x17DD), (0x17F0, 0x17F9)),
    "Georgian": ((0x10A0, 0x10FF),),
    "Armenian": ((0x531, 0x588),),
    "Ethiopic": ((0x1200, 0x139F),),
}
WITHOUT_SEGMENTER: Final = ("Thai", "Lao", "Burmese", "Khmer")
"""Scripts without spaces whose words nothing here can find."""

WITHOUT_SPACES: Final = ("Han", "kana", *WITHOUT_SEGMENTER)
"""Scripts that set no spaces between words."""


def character_class(ranges: Ranges) -> str:
    """What matches the characters of `ranges` in a regular expression, between its brackets."""
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)


_IN_SCRIPT: Final = {script: re.compile(f"[{character_class(ranges)}]+") for script, ranges in LETTERS.items()}


def letters_by_script(text: str) -> Counter[str]:
    """How many letters of `text`, with the marks on them, belong to each script that is known here.

    >>> letters_by_script("今天 ok")
    Counter({'Han': 2, 'Latin': 2})
    """
    counts = Counter({script: sum(map(len, pattern.findall(text))) for script, pattern in _IN_SCRIPT.items()})
    return Counter(dict(counts.most_common(sum(count > 0 for count in counts.values()))))
