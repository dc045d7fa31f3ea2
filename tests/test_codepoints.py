import unicodedata
from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firth import codepoints

TEXTS = st.text(st.one_of(st.sampled_from("aA é1_.!!\n\u0301\u200d今天ก็"), st.characters(codec="utf-8")))


def classified(text: str) -> tuple[codepoints.Codes, codepoints.Classes]:
    return codepoints.classified(text, "NFC")


@given(TEXTS)
def test_text_and_code_points_are_the_same(text: str) -> None:
    codes, classes = classified(text)
    assert codes.tolist() == list(map(ord, text))
    assert len(classes) == len(codes)
    assert codepoints.text_of(codes) == text


@given(TEXTS)
def test_a_composed_text_is_normalised_and_classified_anew(text: str) -> None:
    codes, classes = codepoints.composed(*classified(text), "NFC")
    normalised = unicodedata.normalize("NFC", text)
    assert codepoints.text_of(codes) == normalised
    np.testing.assert_array_equal(classes, classified(normalised)[1])


def test_a_mark_has_the_class_of_what_bears_it() -> None:
    _, classes = classified("\u0301a\u0301\u0302 \u0301今\ufe00")
    bearers = codepoints.bearers_of(classes)
    assert [bool(bearer & codepoints.LETTER) for bearer in bearers] == [False, *[True] * 3, False, False, True, True]
    assert [bool(bearer & codepoints.HAN) for bearer in bearers][-2:] == [True, True]


@given(st.lists(st.booleans()))
def test_runs(mask: list[bool]) -> None:
    starts, ends = codepoints.runs_of(np.array(mask, np.bool_))
    groups = [(is_in, len(list(group))) for is_in, group in groupby(mask)]
    assert (ends - starts).tolist() == [length for is_in, length in groups if is_in]
    assert all(all(mask[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True))


@given(st.text("!.a"))
def test_like_ones_are_runs_of_one_character(text: str) -> None:
    codes, _ = classified(text)
    starts, ends = codepoints.like_ones(codes, codes != ord("a"))
    found = [text[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    assert found == ["".join(group) for char, group in groupby(text) if char != "a"]


def test_pieces_stand_behind_each_other_and_know_where_they_stood() -> None:
    codes, _ = classified("ab今天c好")
    positions, joined = codepoints.joined_by_newlines(codes, np.array([2, 5]), np.array([4, 6]))
    assert codepoints.text_of(joined) == "今天\n好\n"
    assert positions.tolist() == [2, 3, 4, 5, 6]


def test_ranges_hold_their_ends() -> None:
    codes, _ = classified("abcdef")
    found = codepoints.in_ranges(codes, ((ord("b"), ord("c")), (ord("f"), ord("z"))))
    assert found.tolist() == [False, True, True, False, False, True]
