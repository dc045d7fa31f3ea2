"""Words and pieces matched by characters; windows in which words have most context."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import FirthError, UsageError
from firth.alignment import Cut, Pieced, covering, cut_texts, cut_words, windows
from firth.phrases import Phrase, Phrases
from firth.segmentation import Segmentation

WRITTEN = Segmentation(method="chinese", lower=False)
LOWERED = Segmentation(method="words")
TEXTS = st.text(
    st.one_of(
        st.sampled_from("aZéß Σς\u0301\u0308\u200d\u00ad\ufeff\n'-👩🏽💻我今天好한\u1100\u1161\u11a8ـ\u0651\u0646ｱﾞ ﬁİ"),
        st.characters(codec="utf-8"),
    ),
    max_size=40,
)


def spans(cut):
    return [cut.text[start:end] for start, end in zip(cut.starts, cut.ends, strict=True)]


def test_words_of_a_text_stand_where_they_were_found():
    first, second = cut_texts(["The naïve café.", "我今天很开心！"], WRITTEN)
    assert first.words == spans(first) == ["The", "naïve", "café"]
    assert second.words == spans(second) == ["我", "今天", "很", "开心"]
    assert first.text == "The naïve café."


def test_the_text_stays_as_it_is_where_words_are_normalised():
    text = "Cafe\u0301 so\u00adfar\u2019s"
    (cut,) = cut_texts([text], Segmentation(method="words", inner="'"))
    assert cut.words == ["café", "sofar's"]
    assert cut.text == text
    assert spans(cut) == ["Cafe\u0301", "so\u00adfar\u2019s"]


def test_a_phrase_stands_from_the_beginning_of_its_first_word_to_the_end_of_its_last():
    phrases = Phrases(entries=(Phrase(("new", "york")),))
    first, second = cut_texts(["In New  York, so\u00adfar", "new york"], Segmentation(method="words", phrases=phrases))
    assert first.words == ["in", "new_york", "sofar"]
    assert spans(first) == ["In", "New  York", "so\u00adfar"]
    assert (second.words, spans(second)) == (["new_york"], ["new york"])


def test_a_line_end_in_a_sentence_parts_words_and_is_kept():
    (cut, last) = cut_texts(["one\ntwo", "three"], WRITTEN)
    assert (cut.text, cut.words, last.words) == ("one\ntwo", ["one", "two"], ["three"])


@given(st.lists(TEXTS, max_size=4), st.sampled_from([WRITTEN, LOWERED, Segmentation(method="space", digits="zero")]))
def test_what_stands_at_a_words_place_is_the_word(texts, segmentation):
    cuts = cut_texts(texts, segmentation)
    assert len(cuts) == len(texts)
    for text, cut in zip(texts, cuts, strict=True):
        assert cut.words == segmentation.words(text.replace("\n", " "))
        assert (cut.starts[1:] >= cut.ends[:-1]).all()
        for word, span in zip(cut.words, spans(cut), strict=True):
            if "ς" not in word and "σ" not in word:  # which a word's end decides
                assert segmentation.normalize(span) == word


def test_text_in_another_encoding_is_refused():
    with pytest.raises(FirthError, match="surrogates"):
        cut_texts(["a\udc80b"], WRITTEN)
    with pytest.raises(FirthError, match="surrogates"):
        cut_words(["a", "\udc80"])


def test_ready_words_are_joined_as_they_are_written():
    cut = cut_words(["New York", "是", "大", "城市", "！", "ok"])
    assert cut.text == "New York 是大城市 ！ ok"
    assert spans(cut) == cut.words == ["New York", "是", "大", "城市", "！", "ok"]


@pytest.mark.parametrize(("words", "said"), [(["a", ""], "word 1"), ([" "], "word 0"), (["a", 7], "strings")])
def test_words_that_hold_nothing_are_refused(words, said):
    with pytest.raises(UsageError, match=said):
        cut_words(words)


def test_pieces_belong_to_every_word_they_share_a_character_with():
    cut = Cut("ab cd", ["ab", "cd"], np.array([0, 3]), np.array([2, 5]))
    starts, ends = np.array([0, 1, 2, 2]), np.array([1, 2, 3, 5])  # a, b, a space alone, " cd"
    firsts, stops = covering(cut, starts, ends)
    assert list(zip(firsts.tolist(), stops.tolist(), strict=True)) == [(0, 2), (3, 4)]


def test_a_word_without_pieces_has_none():
    cut = Cut("a ? b", ["a", "?", "b"], np.array([0, 2, 4]), np.array([1, 3, 5]))
    firsts, stops = covering(cut, np.array([0, 4]), np.array([1, 5]))
    assert (stops - firsts).tolist() == [1, 0, 1]


def test_pieces_that_change_places_are_found_too():
    cut = Cut("abc", ["a", "bc"], np.array([0, 1]), np.array([1, 3]))
    firsts, stops = covering(cut, np.array([0, 2, 1]), np.array([1, 3, 2]))
    assert list(zip(firsts.tolist(), stops.tolist(), strict=True)) == [(0, 1), (1, 3)]


@given(st.data())
def test_the_pieces_of_a_word_are_those_that_overlap_it(data):
    n_characters = data.draw(st.integers(1, 30))
    edges = sorted(data.draw(st.sets(st.integers(0, n_characters), max_size=8)))
    edges = edges[: len(edges) // 2 * 2]
    cut = Cut("x" * n_characters, ["w"] * (len(edges) // 2), np.array(edges[::2], int), np.array(edges[1::2], int))
    pieces = st.tuples(st.integers(0, n_characters), st.integers(1, 4))
    drawn = sorted(data.draw(st.lists(pieces, max_size=12)))
    starts = np.array([start for start, _ in drawn], int)
    ends = np.maximum.accumulate(np.array([start + length for start, length in drawn], int))
    firsts, stops = covering(cut, starts, ends)
    for word in range(len(cut.words)):
        overlap = (starts < cut.ends[word]) & (ends > cut.starts[word]) & (starts < ends)
        assert set(np.flatnonzero(overlap)) <= set(range(firsts[word], stops[word]))
        if overlap.any():
            assert (firsts[word], stops[word]) == (np.flatnonzero(overlap)[0], np.flatnonzero(overlap)[-1] + 1)


# --- windows


def pieced(lengths, gaps=None):
    """A sentence whose words have so many pieces, with others between them."""
    gaps = gaps or [0] * len(lengths)
    firsts = np.cumsum([0, *lengths[:-1]]) + np.cumsum(gaps)
    stops = firsts + lengths
    n_pieces = int(stops[-1]) if len(lengths) else 0
    return Pieced(np.arange(n_pieces), firsts, stops, np.ones(len(lengths), bool))


def test_a_sentence_that_fits_is_one_window():
    (window,) = windows(pieced([1, 2, 1]), np.array([0, 2]), 4, is_causal=False)
    assert (window.first, window.stop, window.words.tolist()) == (0, 4, [0, 2])
    assert windows(pieced([1] * 9), np.arange(9), None, is_causal=False)[0].stop == 9


def test_no_words_need_no_window():
    assert windows(pieced([1, 2]), np.empty(0, int), 9, is_causal=False) == []
    assert windows(pieced([1, 2]), np.empty(0, int), 2, is_causal=False) == []


def test_a_word_is_read_where_it_has_most_context():
    found = windows(pieced([1] * 8), np.arange(8), 4, is_causal=False)
    assert [(window.first, window.words.tolist()) for window in found] == [(0, [0, 1, 2]), (2, [3, 4]), (4, [5, 6, 7])]
    found = windows(pieced([1] * 8), np.arange(8), 4, is_causal=True)
    assert [(window.first, window.words.tolist()) for window in found] == [(0, [0, 1, 2, 3]), (2, [4, 5]), (4, [6, 7])]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=60),
    st.data(),
    st.integers(1, 12),
    st.booleans(),
)
def test_every_row_is_in_the_window_of_most_context(lengths, data, capacity, is_causal):
    gaps = data.draw(st.lists(st.integers(0, 2), min_size=len(lengths), max_size=len(lengths)))
    sentence = pieced(lengths, gaps)
    n_pieces = len(sentence.ids)
    words = np.array(sorted(data.draw(st.sets(st.integers(0, len(lengths) - 1), min_size=1))))
    found = windows(sentence, words, capacity, is_causal=is_causal)
    step = max(1, capacity // 2)
    begins = sorted({*range(0, max(1, n_pieces - capacity), step), max(0, n_pieces - capacity)})
    rows = []
    for window in found:
        assert 0 <= window.first < window.stop <= n_pieces
        assert window.stop - window.first <= capacity
        for word, first, stop in zip(window.words, window.firsts, window.stops, strict=True):
            assert window.first <= first < stop <= window.stop
            rows.append((word, first, stop))

            def context(begin, first=first, stop=stop):
                before, behind = first - begin, begin + capacity - stop
                if min(before, behind) < 0:
                    return -1
                if is_causal:
                    return before
                before = before if begin else np.inf
                return min(before, behind if begin + capacity < n_pieces else np.inf)

            if n_pieces > capacity:
                assert context(window.first) == max(map(context, begins))
    assert rows == sorted(rows)
    pieces = {word: [] for word in words}
    for word, first, stop in rows:
        pieces[word] += range(first, stop)
    assert pieces == {word: list(range(sentence.firsts[word], sentence.stops[word])) for word in words}


def test_a_sentence_of_a_million_words_has_each_in_one_window():
    n_words = 1_000_000
    found = windows(pieced([1] * n_words, [0] * n_words), np.arange(n_words), 510, is_causal=False)
    assert np.array_equal(np.concatenate([window.words for window in found]), np.arange(n_words))
    assert len(found) == 1 + -(-(n_words - 510) // 255)


def test_marks_stay_with_what_bears_them():
    text = "e\u0301\u0323 A\u030a"
    (cut,) = cut_texts([text], WRITTEN)
    assert cut.words == [unicodedata.normalize("NFC", word) for word in text.split()]
    assert spans(cut) == text.split()
