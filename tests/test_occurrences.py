"""Which occurrences are chosen: at most so many of each word, evenly, in an order that serves whoever stops early."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import firth
from firth import corpus as corpora
from firth import occurrences
from firth.occurrences import Read, choose, lines_of, most_frequent, stored
from firth.parts import asked_of, cuts_of
from firth.readers import of_words
from firth.segmentation import Segmentation

ASKED = asked_of(of_words(firth.Vectors(["a"], np.ones((1, 2)), segmentation=Segmentation(method="space"))))


def store_of(folder, lines, **how):
    folder.mkdir(exist_ok=True)
    return stored(ASKED, iter(lines), folder, **how)


def words_at(store, chosen):
    """Line by line, the chosen rows with the words that stand at their places."""
    for number, line in enumerate(chosen.lines.tolist()):
        words = store.line(line).split()
        some = slice(chosen.firsts[number], chosen.firsts[number + 1])
        yield line, [(row, words[place]) for row, place in zip(chosen.rows[some], chosen.places[some], strict=True)]


def test_a_text_is_kept_with_its_words_as_numbers(tmp_path):
    store = store_of(tmp_path, ["b a b", "", "  ", "c a\n", ["b", "d d"]])
    assert store.words == ["b", "a", "c", "d d"]
    assert store.counts.tolist() == [3, 2, 1, 1]
    assert store.type_ids.tolist() == [0, 1, 0, 2, 1, 0, 3]
    assert store.line_ends.tolist() == [3, 5, 7]
    assert [store.line(number) for number in range(3)] == ["b a b", "c a\n", ["b", "d d"]]
    assert store.is_whole
    assert most_frequent(store, 2).tolist() == [0, 1]
    assert most_frequent(store, 99).tolist() == [0, 1, 2, 3]


def test_markup_that_the_segmentation_drops_is_no_word(tmp_path):
    segmentation = Segmentation(method="words", drop=("html", "urls"))
    asked = asked_of(of_words(firth.Vectors(["a"], np.ones((1, 2)), segmentation=segmentation)))
    lines = ["<p>The <b>king</b> lives.</p>", "<hr>", "caf&eacute;s at\nhttp://x.org too", ["<b>", "king"]]
    store = stored(asked, iter(lines), tmp_path)
    cut = [cut.words for cut in cuts_of(asked, [line for line in lines if line != "<hr>"])]
    words = [store.words[number] for number in store.type_ids]
    ends = store.line_ends.tolist()
    assert [words[begin:end] for begin, end in zip([0, *ends], ends, strict=False)] == cut
    assert cut[0] == ["the", "king", "lives"]
    assert store.line(1) == lines[2]


def test_words_that_are_named_are_counted_alone(tmp_path):
    store = store_of(tmp_path, ["b a b", "c a"], words=["a", "z", "c"])
    assert store.words == ["a", "z", "c"]
    assert store.counts.tolist() == [2, 0, 1]
    assert store.type_ids.tolist() == [-1, 0, -1, 2, 0]
    assert most_frequent(store, 3).tolist() == [0, 2]


def test_reading_may_end_before_the_text(tmp_path, monkeypatch):
    monkeypatch.setattr(occurrences, "_SENTENCES_TOGETHER", 1)
    lines = ["a b"] * 10
    assert not store_of(tmp_path / "few", lines, most_words=6).is_whole
    assert store_of(tmp_path / "few", lines, most_words=6).n_tokens == 6
    assert store_of(tmp_path / "all", lines, most_words=20).is_whole
    late = iter([False, False, True])
    assert store_of(tmp_path / "late", lines, is_late=lambda: next(late)).n_tokens == 6


def test_of_too_many_words_the_rare_ones_are_dropped(tmp_path, monkeypatch):
    monkeypatch.setattr(occurrences, "_SENTENCES_TOGETHER", 1)
    lines = ["often often", *[f"once{number} often" for number in range(50)]]
    store = store_of(tmp_path, lines, most_types=10)
    assert store.words[int(most_frequent(store, 1)[0])] == "often"
    assert sum(word is not None for word in store.words) <= 11
    assert store.counts[0] == 52


def test_nothing_in_the_text(tmp_path):
    store = store_of(tmp_path, ["", " "])
    assert (store.n_tokens, len(most_frequent(store, 5))) == (0, 0)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.lists(st.sampled_from("abcde"), min_size=1, max_size=300).map(" ".join), min_size=1, max_size=20),
    most=st.integers(1, 9),
    seed=st.integers(0, 3),
)
def test_every_word_has_as_many_as_it_can_and_its_own(lines, most, seed, tmp_path_factory):
    store = store_of(tmp_path_factory.mktemp("store"), lines)
    numbers = most_frequent(store, 4)
    chosen = choose(store, numbers, most, seed)
    names = [store.words[number] for number in numbers]
    counts = Counter(" ".join(lines).split())
    found: Counter[str] = Counter()
    for _, pairs in words_at(store, chosen):
        assert pairs
        for row, word in pairs:
            assert names[row] == word
            found[word] += 1
    assert found == {word: min(most, counts[word]) for word in names}
    assert len(set(chosen.lines.tolist())) == len(chosen.lines)


def test_a_seed_decides(tmp_path):
    store = store_of(tmp_path, ["a b"] * 100)
    first, again, other = (choose(store, most_frequent(store, 2), 5, seed) for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert first.lines.tolist() != other.lines.tolist()


@pytest.mark.parametrize("layout", ["lines", "one line"])
def test_they_come_from_all_of_the_text(tmp_path, layout):
    lines = ["w x y z " * 4] * 1000
    store = store_of(tmp_path, lines if layout == "lines" else [" ".join(lines)])
    chosen = choose(store, most_frequent(store, 1), 400, 1)
    begins = np.append(0, store.line_ends)[np.repeat(chosen.lines, np.diff(chosen.firsts))]
    fifths = np.bincount((begins + chosen.places) * 5 // store.n_tokens, minlength=5)
    assert fifths.sum() == 400
    assert fifths.min() > 40


def test_few_lines_serve_many_words(tmp_path):
    """Frequent words take their contexts where rare ones have to look."""
    lines = [f"rare{number % 50} the of and" for number in range(5000)]
    store = store_of(tmp_path, lines)
    chosen = choose(store, most_frequent(store, 53), 4, 1)
    assert len(chosen.rows) == 53 * 4
    assert len(chosen.lines) < 50 * 4 + 3


def test_every_word_has_one_before_any_has_all(tmp_path):
    lines = [f"rare{number % 50} the of and" for number in range(5000)]
    store = store_of(tmp_path, lines)
    chosen = choose(store, most_frequent(store, 53), 4, 1)
    met: Counter[int] = Counter()
    n_lines = 0
    for _, pairs in words_at(store, chosen):
        n_lines += 1
        met.update(row for row, _ in pairs)
        if len(met) == 53:
            break
    assert n_lines <= 53
    assert max(met[row] for row in met if row > 2) <= 2


def test_lines_are_read_until_the_words_or_the_time_are_spent(tmp_path):
    store = store_of(tmp_path, [f"w{number} a b c" for number in range(40)])
    chosen = choose(store, most_frequent(store, 43), 1, 1)
    assert len(list(Read(store, chosen))) == 40
    read = Read(store, chosen, most_words=20)
    assert len(list(read)) == 5
    assert (read.n_words, read.fraction) == (20, 1.0)
    late = iter([False, False, True])
    assert len(list(Read(store, chosen, is_late=lambda: next(late)))) == 3
    assert len(list(Read(store, chosen, most_words=0))) == 1  # something is better than nothing


def test_the_lines_of_a_corpus_are_whole(tmp_path):
    (tmp_path / "text.txt").write_text("one two\n\nthree " + "four " * 50_000 + "\nlast", encoding="utf-8")
    lines = list(lines_of(corpora.read(tmp_path / "text.txt")))
    assert [line.split()[:1] for line in lines if line.strip()] == [["one"], ["three"], ["last"]]
    assert len(lines[2].split()) == 50_001
    ready = list(lines_of(corpora.read([["a", "b"], [], ["c"]])))
    assert [line for line in ready if line] == [["a", "b"], ["c"]]
