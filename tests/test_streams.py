"""Rows of words that run through the text both ways: what they hold, that nothing is lost, what is held out."""

import json
import os
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import corpus as corpora
from firth import streams
from firth.characters import BEGIN, END, SPECIAL, UNKNOWN, Characters
from firth.errors import FirthError
from firth.tokens import encode

SHARED = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parent.parent / ".." / "shared"))


@pytest.fixture
def corpus_of(tmp_path):
    """Encodes documents of sentences of words."""
    opened = []

    def corpus(documents):
        lines = chain.from_iterable([*sentences, []] for sentences in documents)
        opened.append(encode(corpora.read(lines), None, tmp_path / str(len(opened))))
        return opened[-1]

    yield corpus
    for encoded in opened:
        encoded.close()


def stream(encoded, vocabulary=None, *, batch_size=3, context_length=5, directions="same"):
    vocabulary = vocabulary or streams.vocabulary(encoded, min_count=1, max_size=None)
    return streams.stream(
        encoded, vocabulary, batch_size=batch_size, context_length=context_length, directions=directions
    )


def numbered(n_sentences, first=0):
    """Sentences of 1 to 7 words, each word of its own."""
    return [[f"w{number}.{place}" for place in range(1 + number % 7)] for number in range(first, first + n_sentences)]


def steps_of(sentence, direction):
    """What a sentence gives: (input, target) of each step."""
    words = sentence if direction == "forward" else sentence[::-1]
    begin, end = (BEGIN, END) if direction == "forward" else (END, BEGIN)
    return list(zip([begin, *words], [*words, end], strict=True))


def rows_of(text, numbers, seed, direction):
    """What each row reads and predicts in some batches, as words."""
    batches = [streams.batch(text, number, seed) for number in numbers]
    rows = []
    for row in range(text.batch_size):
        read = [[batch.words[place] for place in getattr(batch, direction)[row]] for batch in batches]
        due = [
            [text.vocabulary.words[place] for place in getattr(batch, f"{direction}_targets")[row]] for batch in batches
        ]
        rows.append(list(zip(chain.from_iterable(read), chain.from_iterable(due), strict=True)))
    return rows


# --- the paper's stream, one row after the other from a queue, as the reference


def queued(sentences, batch_size, context_length, n_batches):
    """Batches as bilm-tf makes them: each row in turn takes the next sentence when one word of its own is left.

    Returns for each batch (B, T) words that are read and (B, T) words that are predicted.
    """
    queue = iter(sentences)
    rows = [[] for _ in range(batch_size)]
    batches = []
    for _ in range(n_batches):
        read, due = [], []
        for row in range(batch_size):
            given = [[], []]
            while len(given[0]) < context_length:
                if len(rows[row]) < 2:
                    rows[row] = list(next(queue))
                n = min(len(rows[row]) - 1, context_length - len(given[0]))
                given[0] += rows[row][:n]
                given[1] += rows[row][1 : n + 1]
                rows[row] = rows[row][n:]
            read.append(given[0])
            due.append(given[1])
        batches.append((read, due))
    return batches


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_reference_is_the_published_example(direction):
    path = SHARED / "fixtures" / "elmo" / "batching_example.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    example = json.loads(path.read_text(encoding="utf-8"))
    sentences = [[BEGIN, *sentence.split(), END] for sentence in example["sentences"] * 2]
    if direction == "backward":
        sentences = [sentence[::-1] for sentence in sentences]
    rows = {word: row for row, word in enumerate(example["vocab"])}
    spelling = Characters(limit=example["max_characters_per_token"])
    batches = queued(sentences, example["batch_size"], example["unroll_steps"], len(example[direction]))
    for (read, due), told in zip(batches, example[direction], strict=True):
        assert read == told["inputs"]
        assert [[rows.get(word, rows[UNKNOWN]) for word in row] for row in due] == told["target_ids"]
        assert [spelling.table(row).tolist() for row in read] == told["char_ids"]


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_one_row_reads_what_the_paper_queues(corpus_of, direction):
    """With one row the two are the same stream: the sentences of a pass one behind the other."""
    encoded = corpus_of([numbered(40)])
    text = stream(encoded, batch_size=1)
    (row,) = rows_of(text, range(2 * text.n_batches + 2), 3, direction)
    begin, end = (BEGIN, END) if direction == "forward" else (END, BEGIN)
    firsts = [place for place, (word, _) in enumerate(row) if word == begin]
    sentences = [[begin, *(word for word, _ in row[a + 1 : b]), end] for a, b in pairwise(firsts)]
    (batches,) = [queued(sentences, 1, len(row[: firsts[-1]]), 1)]
    assert [list(zip(*both, strict=True)) for both in zip(*batches[0], strict=True)] == [row[: firsts[-1]]]


# --- what rows hold


@pytest.mark.parametrize("directions", ["same", "independent"])
def test_rows_go_through_whole_sentences_in_both_directions(corpus_of, directions):
    documents = [numbered(30), numbered(30, 30)]
    text = stream(corpus_of(documents), batch_size=2, directions=directions)
    sentences = {tuple(sentence) for sentence in chain.from_iterable(documents)}
    for direction, begin in (("forward", BEGIN), ("backward", END)):
        for row in rows_of(text, range(text.stretch // text.context_length), 1, direction):
            firsts = [place for place, (word, _) in enumerate(row) if word == begin]
            assert len(firsts) > 5
            for first, stop in pairwise(firsts):
                read = tuple(word for word, _ in row[first + 1 : stop])
                sentence = read if direction == "forward" else read[::-1]
                assert sentence in sentences
                assert row[first:stop] == steps_of(list(sentence), direction)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_a_pass_reads_every_sentence_once(corpus_of, batch_size):
    """Of as many stretches as make passes, each step occurs once a pass, in either direction."""
    documents = [numbered(60), numbered(60, 60), numbered(60, 120)]
    encoded = corpus_of(documents)
    text = stream(encoded, batch_size=batch_size, context_length=4)
    n_passes = 4
    held_out = {tuple(line) for line in lines_of(text.held_out)}
    sentences = [tuple(line) for line in chain.from_iterable(documents) if tuple(line) not in held_out]
    assert len(sentences) == text.n_sentences
    found = {"forward": [], "backward": []}
    n_turns = -(-n_passes * text.n_tokens // (text.stretch * batch_size))
    n_batches = -(-n_turns * text.stretch // text.context_length)
    for direction, of_direction in found.items():
        for row, steps in enumerate(rows_of(text, range(n_batches), 1, direction)):
            for place, step in enumerate(steps):
                turn, offset = divmod(place, text.stretch)
                if (turn * batch_size + row) * text.stretch + offset < n_passes * text.n_tokens:
                    of_direction.append(step)
    for direction, of_direction in found.items():
        due = chain.from_iterable(steps_of(list(sentence), direction) for sentence in sentences)
        assert sorted(of_direction) == sorted(list(due) * n_passes)


def lines_of(text):
    """The sentences of a text, as words."""
    for first, stop in zip(text.firsts, text.stops, strict=True):
        for line in range(first, stop):
            start = text.line_ends[line - 1] if line else 0
            yield [text.corpus.types[type_id] for type_id in text.corpus.type_ids[start : text.line_ends[line]]]


def test_each_pass_has_its_own_order_and_so_has_each_direction(corpus_of):
    encoded = corpus_of([numbered(200)])
    one = stream(encoded, batch_size=1, context_length=10, directions="independent")
    same = stream(encoded, batch_size=1, context_length=10)

    def order(text, direction, batches):
        begin = BEGIN if direction == "forward" else END
        (row,) = rows_of(text, batches, 1, direction)
        numbers = [word[1:].partition(".")[0] for word, _ in row if word not in SPECIAL]
        return [number for number, before in zip(numbers, [begin, *numbers], strict=False) if number != before]

    first, second = range(40), range(one.n_batches + 1, one.n_batches + 41)
    assert order(same, "forward", first) == order(same, "backward", first)
    assert order(one, "forward", first) != order(one, "backward", first)
    assert order(one, "forward", first) == order(same, "forward", first)
    assert order(same, "forward", first) != order(same, "forward", second)
    assert rows_of(same, first, 1, "forward") != rows_of(same, first, 2, "forward")


def test_a_batch_depends_on_its_number_and_the_seed_alone(corpus_of):
    encoded = corpus_of([numbered(50), numbered(50, 50)])
    for directions in ("same", "independent"):
        text, other = (stream(encoded, directions=directions) for _ in range(2))
        straight = [streams.batch(text, number, 5) for number in range(30)]
        for number in (29, 3, 17):
            again = streams.batch(other, number, 5)
            assert again.words == straight[number].words
            for one, two in zip(again[1:5], straight[number][1:5], strict=True):
                np.testing.assert_array_equal(one, two)


def test_both_directions_of_the_same_sentences_share_their_words(corpus_of):
    encoded = corpus_of([numbered(300)])
    shared, apart = (
        np.mean([len(streams.batch(text, number, 1).words) for number in range(10)])
        for text in (stream(encoded, context_length=20, directions=way) for way in ("same", "independent"))
    )
    assert shared < 0.75 * apart


# --- words


def test_words_without_a_row_are_read_as_they_are_and_predicted_as_unknown(corpus_of):
    sentences = [["common", "rare", "common"], ["common", "other", "other"]] * 3 + [["rarest"]]
    encoded = corpus_of([sentences])
    vocabulary = streams.vocabulary(encoded, min_count=4, max_size=None)
    assert vocabulary.words == [*SPECIAL, "common", "other"]
    text = stream(encoded, vocabulary, batch_size=1)
    (row,) = rows_of(text, range(text.n_batches), 1, "forward")
    assert {due for word, due in row if word == "common"} == {UNKNOWN, "other", END}
    assert {word for word, _ in row} >= {"common", "rare", "other", BEGIN}
    assert text.unknown_share == pytest.approx(text.counts[2::2].sum() / text.counts.sum(), abs=0.2)


def test_the_vocabulary_counts_what_is_trained_on(corpus_of):
    documents = [[["a", "a", "b"]] * 30, *([["a", "c", f"only{number}"]] for number in range(40))]
    encoded = corpus_of(documents)
    vocabulary = streams.vocabulary(encoded, min_count=1, max_size=None)
    text = stream(encoded, vocabulary)
    out = [word for line in lines_of(text.held_out) for word in line]
    assert out
    unseen = {word for word in out if word.startswith("only")}
    assert unseen
    assert not unseen & set(vocabulary.words)
    assert vocabulary.counts[vocabulary.row("a")] == encoded.counts[list(encoded.types).index("a")] - out.count("a")
    assert vocabulary.words[:3] == list(SPECIAL)
    assert (np.diff(vocabulary.counts[3:]) <= 0).all()
    assert vocabulary.counts[0] == vocabulary.counts[1] == text.n_sentences
    assert text.held_out.unknown_share == pytest.approx(len([w for w in out if w in unseen]) / len(out))
    assert len(streams.vocabulary(encoded, min_count=1, max_size=5)) == 5
    with pytest.raises(FirthError, match="--min-count"):
        streams.vocabulary(encoded, min_count=1000, max_size=None)


def test_an_extended_vocabulary_keeps_its_words(corpus_of):
    old = streams.vocabulary(corpus_of([[["a", "a", "b"]] * 9]), min_count=1, max_size=None)
    encoded = corpus_of([[["c", "c", "c", "a", "d"]] * 9])
    assert streams.extended(old, encoded, min_count=1, max_size=None).words[:3] == list(SPECIAL)
    whole = streams.extended(old, encoded, min_count=1, max_size=None)
    assert set(whole.words) == {*SPECIAL, "a", "b", "c", "d"}
    assert (np.diff(whole.counts[3:]) <= 0).all()
    assert set(streams.extended(old, encoded, min_count=1, max_size=6).words) == {*SPECIAL, "a", "b", "c"}
    assert set(streams.extended(old, encoded, min_count=1, max_size=3).words) == {*SPECIAL, "a", "b"}


def test_literal_bounds_in_the_text_are_what_they_stand_for(corpus_of):
    sentences = [["a", BEGIN, "b"], ["b", END, "a"], [UNKNOWN, "a", "b"]] * 5
    encoded = corpus_of([sentences])
    vocabulary = streams.vocabulary(encoded, min_count=1, max_size=None)
    assert vocabulary.words == [*SPECIAL, "a", "b"]
    text = stream(encoded, vocabulary, batch_size=1)
    (row,) = rows_of(text, range(text.n_batches), 1, "forward")
    assert {(BEGIN, "b"), ("a", BEGIN), ("b", END), (END, "a"), (BEGIN, UNKNOWN), (UNKNOWN, "a")} <= set(row)


def test_the_entropy_is_that_of_the_targets(corpus_of):
    encoded = corpus_of([numbered(20), [["a"]] * 20])
    text = stream(encoded, batch_size=1)
    due = [target for row in rows_of(text, range(text.n_batches), 1, "forward") for _, target in row]
    counts = np.unique(due[: text.n_tokens], return_counts=True)[1]
    shares = counts / counts.sum()
    assert text.unigram_entropy == pytest.approx(-(shares * np.log(shares)).sum())


def test_long_words_are_counted(corpus_of):
    encoded = corpus_of([[["x" * 48, "x" * 49, "的" * 16, "的" * 17, "的" * 17]] * 2])
    text = stream(encoded)
    assert text.longer_than(48) == (2, 6)
    assert text.longer_than(10) == (4, 10)


# --- what is held out


def test_all_of_the_held_out_text_counts_once(corpus_of):
    documents = [numbered(7, 7 * number) for number in range(60)]
    text = stream(corpus_of(documents), batch_size=4, context_length=6)
    batches = streams.held_out(text)
    out = list(lines_of(text.held_out))
    assert 0.01 < sum(map(len, out)) / text.corpus.n_tokens < 0.2
    trained = {word for line in lines_of(text) for word in line}
    assert not trained & set(chain.from_iterable(out))
    for direction in ("forward", "backward"):
        steps = []
        for row in range(len(batches[0].forward)):
            of_row = []
            for batch in batches:
                there = np.ones(6) if batch.weights is None else batch.weights[row]
                assert set(np.diff(there).tolist()) <= {0.0, -1.0}  # the text first, and then nothing
                for place, target, counts in zip(
                    getattr(batch, direction)[row], getattr(batch, f"{direction}_targets")[row], there, strict=True
                ):
                    if counts:
                        of_row.append((batch.words[place], text.vocabulary.words[target]))
            assert of_row[0][0] == (BEGIN if direction == "forward" else END)
            steps += of_row
        due = list(chain.from_iterable(steps_of(line, direction) for line in out))
        assert [word for word, _ in steps] == [word for word, _ in due]
        assert all(target == UNKNOWN or (word, target) in due for word, target in steps)
    assert sum(batch.n_tokens for batch in batches) == text.held_out.n_tokens == len(steps)


def test_of_one_long_sentence_the_end_is_held_out(corpus_of):
    """A text without any break is a sentence, as long as it may be."""
    words = [f"w{number % 97}" for number in range(100_000)]
    text = stream(corpus_of([[words]]), batch_size=8, context_length=20)
    assert text.n_sentences == 1
    assert list(lines_of(text)) == [words[:-5000]]
    assert list(lines_of(text.held_out)) == [words[-5000:]]
    assert len(streams.held_out(text)) == -(-5001 // 20)
    for row in rows_of(text, range(3), 1, "backward"):
        assert all(int(word[1:]) == (int(due[1:]) + 1) % 97 for word, due in row if {word, due} & set(SPECIAL) == set())


def test_a_small_corpus_is_read_in_several_passes_at_a_time(corpus_of):
    text = stream(corpus_of([[["a", "b"], ["c"]]]), batch_size=16, context_length=8)
    assert text.held_out is None
    assert streams.held_out(text) == []
    rows = rows_of(text, range(4), 1, "forward")
    assert all(len(row) == 32 for row in rows)
    assert {step for row in rows for step in row} == set(steps_of(["a", "b"], "forward") + steps_of(["c"], "forward"))
    assert (text.n_tokens, text.n_batches, text.tokens_before(3)) == (5, 1, 3 * 16 * 8)


@given(
    sizes=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=8),
    batch_size=st.integers(1, 5),
    context_length=st.integers(1, 7),
    directions=st.sampled_from(["same", "independent"]),
)
def test_whatever_the_corpus_rows_are_full_and_make_sense(
    sizes, batch_size, context_length, directions, tmp_path_factory
):
    documents = [
        [[f"{d}.{s}.{place}" for place in range(n)] for s, n in enumerate(size)] for d, size in enumerate(sizes)
    ]
    lines = chain.from_iterable([*sentences, []] for sentences in documents)
    with encode(corpora.read(lines), None, tmp_path_factory.mktemp("corpus") / "encoded") as encoded:
        if encoded.n_tokens < 3:
            return
        try:
            vocabulary = streams.vocabulary(encoded, min_count=1, max_size=None)
        except FirthError:
            return  # less than two words are left to train on
        text = stream(encoded, vocabulary, batch_size=batch_size, context_length=context_length, directions=directions)
        known = set(vocabulary.words)
        for direction in ("forward", "backward"):
            possible = {step for sentence in chain.from_iterable(documents) for step in steps_of(sentence, direction)}
            if len(encoded.line_ends) == 1:  # of which the end is held out
                possible = {step for line in lines_of(text) for step in steps_of(line, direction)}
            for row in rows_of(text, range(6), 1, direction):
                assert len(row) == 6 * context_length
                assert all(step in possible for step in row)
                assert all(due in known for _, due in row)
