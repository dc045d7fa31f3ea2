import re
import unicodedata
from itertools import pairwise

import pytest

from firth.scripts import LETTERS, WITHOUT_SPACES, character_class, letters_by_script


def test_letters_are_counted_by_script() -> None:
    assert letters_by_script("今天 abcé ไทย 123, ・") == {"Latin": 4, "Thai": 3, "Han": 2}
    assert letters_by_script("12, ！ ๑๒") == {}


def test_a_letter_has_one_script() -> None:
    ranges = sorted(stretch for stretches in LETTERS.values() for stretch in stretches)
    assert all(first <= last for first, last in ranges)
    assert all(last < first for (_, last), (first, _) in pairwise(ranges))


@pytest.mark.parametrize("script", LETTERS)
def test_the_first_and_last_characters_are_counted(script: str) -> None:
    for stretch in LETTERS[script]:
        for char in map(chr, stretch):
            assert list(letters_by_script(char)) == [script], hex(ord(char))


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("Han", "CJK "),
        ("kana", "(HIRAGANA|KATAKANA|HALFWIDTH KATAKANA) "),
        ("Thai", "THAI "),
        ("Lao", "LAO "),
        ("Burmese", "MYANMAR "),
        ("Khmer", "KHMER "),
    ],
)
def test_every_letter_of_a_script_without_spaces_is_there(script: str, name: str) -> None:
    assert script in WITHOUT_SPACES
    is_there = re.compile(f"[{character_class(LETTERS[script])}]")
    missing = [
        hex(code)
        for code in range(0x10000)
        if unicodedata.category(chr(code)) == "Lo"
        and re.match(name, unicodedata.name(chr(code), ""))
        and not is_there.match(chr(code))
    ]
    assert missing == []
