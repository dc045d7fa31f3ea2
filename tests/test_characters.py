"""Words as characters: by hand, beside the published example, at the limit."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.characters import NO_CHARACTER, Characters, trimmed
from firth.errors import UsageError

FIXTURES = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[2] / "shared")) / "fixtures" / "elmo"


def test_a_word_is_its_bytes_between_two_marks():
    table = Characters(limit=6).table(["a", "é", "<S>", "</S>", "<UNK>", ""])
    assert table.tolist() == [
        [258, 97, 259, 260, 260, 260],
        [258, 0xC3, 0xA9, 259, 260, 260],
        [258, 256, 259, 260, 260, 260],
        [258, 257, 259, 260, 260, 260],
        [258, 60, 85, 78, 75, 259],  # spelt, and cut
        [258, 259, 260, 260, 260, 260],
    ]
    assert Characters().table([]).shape == (0, 50)


def test_what_is_longer_than_the_limit_is_cut_and_counted():
    characters = Characters()
    words = ["a" * 48, "a" * 49, "开" * 16, "开" * 17, "\ud800" * 60, "</S>"]
    table = characters.table(words)
    assert table.shape == (6, 50)
    assert table[1].tolist() == table[0].tolist() == [258, *[97] * 48, 259]
    assert table[3].tolist() == table[2].tolist()
    assert table[4].tolist() == [258, 259, *[260] * 48]  # halves of surrogate pairs have no UTF-8
    assert characters.n_cut(words) == 2
    assert Characters(limit=4).table(["开"]).tolist() == [[258, 0xE5, 0xBC, 259]]  # within a letter
    assert Characters(limit=3).n_cut(["<S>", "</S>", "a", "ab"]) == 1


def test_a_limit_that_leaves_no_byte_is_refused():
    with pytest.raises(UsageError, match="max_characters is 2; it must be at least 3"):
        Characters(limit=2)


@given(st.lists(st.text(max_size=12)), st.integers(3, 20))
def test_every_word_is_spelt_as_if_alone(words, limit):
    table = Characters(limit).table(words)
    for word, row in zip(words, table, strict=True):
        letters = word.encode("utf-8", "ignore")[: limit - 2]
        if word not in ("<S>", "</S>"):
            assert row.tolist() == [258, *letters, 259] + [260] * (limit - 2 - len(letters))


@given(st.lists(st.text(max_size=12), min_size=1), st.integers(3, 20), st.integers(1, 9))
def test_trimming_leaves_every_stretch_that_there_was(words, limit, widest):
    table = Characters(limit).table(words)
    shorter = trimmed(table, widest)
    for width in range(1, min(widest, limit) + 1):
        for long, short in zip(table, shorter, strict=True):
            stretches = [
                {tuple(row[first : first + width]) for first in range(len(row) - width + 1)} for row in (long, short)
            ]
            assert stretches[0] == stretches[1]
    longest = max((row != NO_CHARACTER).sum() for row in table)
    assert shorter.shape[1] == min(limit, longest + widest)


def test_nothing_is_trimmed_of_nothing():
    assert trimmed(np.empty((0, 50), np.int64), 7).shape == (0, 50)


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="needs the published examples: set FIRTH_SHARED")
def test_the_published_example():
    example = json.loads((FIXTURES / "char_ids_example.json").read_text())
    for sentence, due in zip(example["sentences"], example["ids"], strict=True):
        ids = Characters().table(["<S>", *sentence, "</S>"]) + 1  # where 0 is what fills a sentence up
        assert ids.tolist() == due[: len(ids)]
        assert not np.any(due[len(ids) :])
