"""Batches: what is kept, how far windows reach, what noise is drawn, against a plain reading of the rules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth import corpus, kernels, windows
from firth.segmentation import Segmentation
from firth.tokens import encode
from firth.vocabulary import Vocabulary

LINES = [["b", "a", "a", "c"], ["a"], ["a", "b", "x", "c", "a", "b", "b", "a", "c", "a", "a"], ["c", "a"]] * 3


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    with encode(corpus.read(LINES), None, tmp_path_factory.mktemp("corpus") / "encoded") as store:
        yield store


@pytest.fixture(scope="module")
def vocabulary(encoded):
    return Vocabulary.from_counts(encoded.types, encoded.counts, min_count=4)  # x is too rare


def text_of(encoded, vocabulary, sample=0.0):
    return windows.stream(encoded, vocabulary, sample=sample, noise_exponent=0.75, tree=None)


def cut(text, number, **changes):
    arguments = {"window": 3, "narrowest": 1, "block": 4, "noise_pool": 4} | changes
    return windows.cut(text, number, seed=5, **arguments)


def words_and_windows(text, vocabulary, n_batches, **changes):
    """Every centre word with the words of its window, in the order of the text."""
    pairs = []
    for number in sorted(range(n_batches), key=text.place):
        batch = cut(text, number, **changes)
        words = [vocabulary.words[row] for row in batch.rows]
        for centre in range(batch.first, batch.last):
            seen = [words[i] for i in range(batch.left[centre], batch.right[centre]) if i != centre]
            pairs.append((words[centre], seen))
    return pairs


@pytest.mark.parametrize("batch_tokens", [1, 2, 3, 7, 20])
def test_the_two_halves_are_read_in_turns(encoded, vocabulary, monkeypatch, batch_tokens):
    monkeypatch.setattr(windows, "BATCH_TOKENS", batch_tokens)
    text = text_of(encoded, vocabulary)
    places = [text.place(batch) for batch in range(text.n_batches)]
    assert sorted(places) == list(range(text.n_batches))
    assert places[-1] == text.n_batches - 1  # the short one
    half = text.n_batches // 2
    assert places[: 2 * half : 2] == list(range(half))


def test_fixed_windows_reach_over_rare_words_and_never_cross_a_line(encoded, vocabulary):
    pairs = words_and_windows(text_of(encoded, vocabulary), vocabulary, 1, narrowest=2, window=2)
    kept = [[word for word in line if word != "x"] for line in LINES]
    expected = [(word, line[max(0, i - 2) : i] + line[i + 1 : i + 3]) for line in kept for i, word in enumerate(line)]
    assert pairs == expected


@pytest.mark.parametrize("batch_tokens", [1, 2, 3, 7, 20])
@pytest.mark.parametrize("sample", [0.0, 0.05])
def test_windows_do_not_depend_on_how_the_corpus_is_cut(encoded, vocabulary, monkeypatch, batch_tokens, sample):
    text = text_of(encoded, vocabulary, sample)
    whole = words_and_windows(text, vocabulary, 1)
    monkeypatch.setattr(windows, "BATCH_TOKENS", batch_tokens)
    assert text.n_batches > 1
    assert words_and_windows(text, vocabulary, text.n_batches) == whole


def test_dynamic_windows_take_every_width(encoded, vocabulary):
    text = text_of(encoded, vocabulary)
    longest = max(LINES, key=len)
    sizes = set()
    for number in range(200):  # as many passes: each draws anew
        batch = cut(text, number)
        middle = batch.first + len(LINES[0]) + len(LINES[1]) + len(longest) // 2
        sizes.add((middle - batch.left[middle], batch.right[middle] - middle - 1))
    assert sizes == {(1, 1), (2, 2), (3, 3)}


def test_sub_sampling_keeps_words_at_their_rates(encoded, vocabulary):
    text = text_of(encoded, vocabulary, sample=0.05)
    n_passes = 400
    kept = np.zeros(len(vocabulary))
    for number in range(n_passes):
        batch = cut(text, number)
        kept += np.bincount(batch.rows[batch.first : batch.last], minlength=len(vocabulary))
    expected = vocabulary.counts * vocabulary.keep_probabilities(0.05)
    deviation = np.sqrt(vocabulary.counts * n_passes) / n_passes  # at most this, of a binomial
    assert (np.abs(kept / n_passes - expected) < 4 * deviation).all()


def test_noise_is_drawn_from_the_table(vocabulary):
    table = vocabulary.noise_table(0.75)
    draws = kernels.draw_noise(table.probability, table.alias, np.uint64(9), 100_000)
    expected = vocabulary.counts**0.75 / (vocabulary.counts**0.75).sum()
    np.testing.assert_allclose(np.bincount(draws) / len(draws), expected, atol=0.01)


def test_a_batch_is_a_function_of_number_and_seed(encoded, vocabulary):
    text = text_of(encoded, vocabulary, sample=0.05)
    first, second = cut(text, 3), cut(text, 3)
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    other = windows.cut(text, 3, seed=6, window=3, narrowest=1, block=4, noise_pool=4)
    assert not (np.array_equal(first.rows, other.rows) and np.array_equal(first.noise, other.noise))


def test_blocks_share_out_the_centres(encoded, vocabulary):
    batch = cut(text_of(encoded, vocabulary), 0)
    blocks = list(batch.blocks())
    assert [block.first for block in blocks] == list(range(batch.first, batch.last, 4))
    assert [block.last for block in blocks] == [*(block.first for block in blocks[1:]), batch.last]
    np.testing.assert_array_equal(np.concatenate([block.noise for block in blocks]), batch.noise)


@settings(max_examples=60, deadline=None)
@given(
    lines=st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=9), min_size=1, max_size=6),
    start=st.integers(0, 50),
    length=st.integers(1, 50),
    window=st.integers(1, 4),
    narrowest=st.integers(1, 4),
)
def test_any_stretch_of_any_lines(lines, start, length, window, narrowest):
    """The kernel beside the rule written in Python, for a corpus whose type d has no row."""
    narrowest = min(narrowest, window)
    type_ids = np.array(["abcd".index(word) for line in lines for word in line], np.int32)
    ends = np.cumsum([len(line) for line in lines])
    start = min(start, len(type_ids) - 1)
    stop = min(start + length, len(type_ids))
    row_of_type = np.array([0, 1, 2, -1], np.int32)
    arguments = (row_of_type, np.ones(3, np.float32), start, stop, narrowest, window, np.uint64(11))
    rows, left, right, first, last = kernels.cut_windows(type_ids, ends, *arguments)

    centres = []
    for end, line in zip(ends, lines, strict=True):
        kept = [(end - len(line) + i, word) for i, word in enumerate(line) if word != "d"]
        for i, (token, word) in enumerate(kept):
            if start <= token < stop:
                centres.append((word, [other for _, other in kept[:i]], [other for _, other in kept[i + 1 :]]))
    assert last - first == len(centres)
    words = ["abc"[row] for row in rows]
    for centre, (word, before, behind) in zip(range(first, last), centres, strict=True):
        width = max(centre - left[centre], right[centre] - centre - 1)
        assert words[centre] == word
        assert width <= window
        assert words[left[centre] : centre] == before[max(0, len(before) - width) :]
        assert words[centre + 1 : right[centre]] == behind[:width]
        assert width >= min(narrowest, max(len(before), len(behind)))


def test_an_encoded_file_can_be_cut(tmp_path):
    (tmp_path / "text.txt").write_text("one two one two\n\none two\n", encoding="utf-8")
    with encode(corpus.read(tmp_path / "text.txt"), Segmentation(method="words"), tmp_path / "encoded") as store:
        vocabulary = Vocabulary.from_counts(store.types, store.counts, min_count=1)
        text = text_of(store, vocabulary)
        assert words_and_windows(text, vocabulary, 1, narrowest=3)[-2:] == [("one", ["two"]), ("two", ["one"])]
        assert (text.n_tokens, text.n_batches, text.tokens_before(3)) == (6, 1, 18)
