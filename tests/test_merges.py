"""Merges: against a plain reading of the rule, whatever the words."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.merges import learn

MARKED = {"inside": ("##", ""), "end": ("", "</w>"), "none": ("", "")}


def symbols_of(word, marks):
    """A word's characters as they are marked."""
    prefix, suffix = MARKED[marks]
    if marks == "inside":
        return [word[0], *(prefix + char for char in word[1:])]
    return [*word[:-1], word[-1] + suffix]


def learnt_plainly(counts, n_symbols, marks):
    """All pairs counted anew for each merge."""
    prefix, _ = MARKED[marks]
    words = {word: symbols_of(word, marks) for word in counts}

    def letter(symbol):
        char = symbol.removeprefix(prefix) if len(symbol) > 1 and prefix else symbol
        return char[0], symbol != char[0]

    symbols = sorted({symbol for word in words.values() for symbol in word}, key=letter)
    pairs, done = [], set()
    while len(symbols) < n_symbols:
        found = Counter()
        for word, parts in words.items():
            for pair in pairwise(parts):
                found[pair] += counts[word]
        places = {symbol: place for place, symbol in enumerate(symbols)}
        ranked = [
            (-count, places[a], places[b], a, b) for (a, b), count in found.items() if count >= 2 and (a, b) not in done
        ]
        if not ranked:
            break
        *_, left, right = min(ranked)
        merged = left + right.removeprefix(prefix)
        if merged in places:
            done.add((left, right))
            continue
        pairs.append((left, right))
        symbols.append(merged)
        for word, parts in words.items():
            joined, place = [], 0
            while place < len(parts):
                if parts[place : place + 2] == [left, right]:
                    joined.append(merged)
                    place += 2
                else:
                    joined.append(parts[place])
                    place += 1
            words[word] = joined
    return symbols, pairs


@pytest.mark.parametrize("marks", ["inside", "end", "none"])
@given(counts=st.dictionaries(st.text("abc", min_size=1, max_size=9), st.integers(1, 5), min_size=1, max_size=20))
def test_the_merges_are_those_of_the_plain_reading(marks, counts):
    found = learn(counts, 200, marks)
    assert (found.symbols, found.pairs) == learnt_plainly(counts, 200, marks)


def test_the_example_of_the_paper():
    # Sennrich et al. 2016, figure 1: r </w>, l o, lo w, e r</w>
    counts = {"low": 1, "lowest": 1, "newer": 1, "wider": 1}
    found = learn(counts, 100, "none")
    assert ("l", "o") in found.pairs
    assert ("lo", "w") in found.pairs
    assert ("e", "r") in found.pairs


def test_counts_decide_before_ties():
    found = learn({"ab": 3, "cd": 4, "ef": 4}, 100, "none")
    assert found.pairs == [("c", "d"), ("e", "f"), ("a", "b")]


def test_no_more_entries_than_asked_for():
    assert learn({"abcd": 9}, 6, "none").symbols == ["a", "b", "c", "d", "ab", "cd"]


def test_the_rarest_characters_leave_a_quarter_of_the_entries_to_merges():
    assert learn({"ab": 9, "cd": 8, "xy": 7}, 6, "none").symbols == ["a", "b", "c", "d", "ab", "cd"]


def test_rare_characters_get_no_entry_and_their_words_teach_nothing():
    found = learn({"ab": 10_000_000, "xy": 5}, 100, "none")
    assert found.symbols == ["a", "b", "ab"]


def test_an_alphabet_is_there_whether_it_occurs_or_not():
    found = learn({"ab": 2}, 10, "none", alphabet="bax")
    assert found.symbols == ["a", "b", "x", "ab"]
    assert found.pairs == [("a", "b")]


def test_beyond_the_memory_the_rarest_words_are_left_out():
    found = learn({"ab": 5, "cd": 4, "ef": 3}, 100, "none", most_symbols=4)
    assert found.n_dropped == 1
    assert found.pairs == [("a", "b"), ("c", "d")]


def test_nothing_gives_nothing():
    assert learn({}, 10, "inside").symbols == []
