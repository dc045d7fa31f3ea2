"""Words in sentences as people judged them: the files, and the measures by hand and of a network."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth import judgements
from firth.errors import FirthError, UsageError
from firth.judgements import SameWord, Use, UsedPair, best_threshold, evaluate_scws, evaluate_wic, read_scws, read_wic
from firth.senses import sense_of
from firth.significance import value
from firth.vectors import Vectors

SHARED = Path(os.environ.get("FIRTH_SHARED", Path(__file__).parents[2] / "shared")) / "data" / "eval"
TEXT = ["the cat sat on the mat", "a dog and the cat", "the mat of a dog", "on a mat the dog sat"] * 6
NAN = float("nan")


def line(first="cat", second="dog", score="4.5", sentence="the <b> {} </b> sat"):
    ratings = ["1.0"] * 10
    uses = [sentence.format(first), f"a <b> {second} </b> here"]
    return "\t".join(["1", first, "n", second, "n", *uses, score, *ratings])


def used(first, second, score, sentence="the {} sat"):
    uses = [Use(tuple(sentence.format(word).split()), 1) for word in (first, second)]
    return UsedPair(first, second, *uses, score)


@pytest.fixture(scope="module")
def bert():
    pytest.importorskip("torch")
    family = firth.BERT(dim=16, n_layers=2, n_heads=2, n_positions=16, context_length=16, vocabulary_size=256)
    return firth.train(family, TEXT, tokens=500, threads=1)


# --- SCWS


def test_scws_is_read_as_it_was_published(tmp_path):
    (tmp_path / "ratings.txt").write_bytes(f"{line()}\r\n\n{line('Cat', 'mat', '0')}\n".encode())
    found = read_scws(tmp_path)
    assert found == read_scws(tmp_path / "ratings.txt")
    assert found[0] == UsedPair("cat", "dog", Use(("the", "cat", "sat"), 1), Use(("a", "dog", "here"), 1), 4.5)
    assert [pair.score for pair in found] == [4.5, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n", r"line 1: 2 columns where 18 are due"),
        (line(sentence="the {} sat"), r"a word between <b> and </b>"),
        (line(sentence="the <b> big {} </b> sat"), "one word is due between <b> and </b>, and 2 are there"),
        (line(sentence="</b> {} <b>"), "and 0 are there"),
        (line(score="many"), "the rating 'many' is not a number"),
        (line(score="nan"), "not a number"),
        ("\n", "holds no pair"),
    ],
)
def test_malformed_scws(tmp_path, text, message):
    (tmp_path / "ratings.txt").write_text(text)
    with pytest.raises(FirthError, match=message):
        read_scws(tmp_path)


word = st.text(st.characters(whitelist_categories=["L", "N"]), min_size=1, max_size=6)
sentence = st.lists(word, min_size=1, max_size=7)
uses = st.tuples(sentence, st.integers(0, 6)).map(lambda drawn: Use(tuple(drawn[0]), drawn[1] % len(drawn[0])))


@settings(max_examples=25)
@given(
    st.lists(st.tuples(word, word, uses, uses, st.floats(0, 10)), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
def test_written_scws_is_read(tmp_path_factory, pairs, line_end):
    def marked(use):
        before, behind = use.words[: use.position], use.words[use.position + 1 :]
        return " ".join([*before, "<b>", use.words[use.position], "</b>", *behind])

    path = tmp_path_factory.mktemp("scws") / "ratings.txt"
    rows = [
        "\t".join(["7", a, "n", b, "v", marked(one), marked(other), repr(score), *["0"] * 10])
        for a, b, one, other, score in pairs
    ]
    path.write_bytes((line_end.join(rows) + line_end).encode())
    assert read_scws(path) == [UsedPair(*pair) for pair in pairs]


def test_the_shared_scws_is_read_whole():
    if not (SHARED / "en" / "scws").is_dir():
        pytest.skip("FIRTH_SHARED has no data/eval/en/scws")
    pairs = read_scws(SHARED / "en" / "scws")
    assert len(pairs) == 2003
    assert all(pair.first_use.words[pair.first_use.position].lower() == pair.first.lower() for pair in pairs)


def test_of_static_vectors_the_four_measures_are_one():
    vectors = Vectors(["cat", "dog", "mat", "sat"], [[1, 0], [0.9, 0.3], [0, 1], [-1, 0.2]])
    pairs = [used("cat", "dog", 9), used("cat", "mat", 3), used("dog", "sat", 1), used("cat", "unicorn", 5)]
    found = evaluate_scws(vectors, pairs)
    assert [one.method for one in found] == ["globalsim", "avgsim", "avgsimc", "localsim"]
    for one in found:
        np.testing.assert_array_equal(one.items, found[0].items)
        assert (one.n_items, one.n_known, one.layer, one.unknown) == (4, 3, 0, ("unicorn",))
        assert one.score == 1  # cosines fall as the scores do
    assert found[0].items[0].tolist() == pytest.approx([9, vectors.similarity("cat", "dog")])
    assert np.isnan(found[0].items[3, 1])
    capital = evaluate_scws(vectors, [used("Cat", "DOG", 9)])
    assert capital[0].items[0, 1] == found[0].items[0, 1]


def test_of_a_network_words_in_context_are_compared(bert):
    pairs = [used("cat", "dog", 7), used("mat", "cat", 2), used("dog", "dog", 9, "a {} and"), used("sat", "mat", 1)]
    found = {(one.layer, one.method): one for one in evaluate_scws(bert, pairs, threads=1)}
    assert set(found) == {(layer, method) for layer in range(3) for method in ("globalsim", "localsim")}
    sentences = [list(use.words) for pair in pairs for use in (pair.first_use, pair.second_use)]
    arrays = [sentence.array[:, 1] for sentence in firth.extract(bert, sentences, threads=1)]
    for layer in range(3):
        one, other = arrays[0][layer], arrays[1][layer]
        due = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        assert found[layer, "localsim"].items[0, 1] == pytest.approx(due, abs=1e-5)
        due = bert.vectors.layer(layer).similarity("cat", "dog")
        assert found[layer, "globalsim"].items[0, 1] == pytest.approx(due, abs=1e-5)
        assert found[layer, "localsim"].score == pytest.approx(value("spearman", found[layer, "localsim"].items))
    assert found[1, "localsim"].items[2, 1] == pytest.approx(1)  # the same use twice


def test_sense_vectors_by_hand(bert):
    """Senses at right angles: the mean of all, the mean by likelihood, and the likeliest of both."""
    pair = used("cat", "dog", 7)
    cat, dog = (next(firth.extract(bert, [list(use.words)], layers=[2], threads=1)).array[0, 1] for use in pair[2:4])
    away = np.zeros_like(cat)
    away[0] = -np.sign(cat[0])
    senses = {"cat": [np.stack([away, cat])], "dog": [dog[np.newaxis]]}
    found = {one.method: one.items[0, 1] for one in evaluate_scws(bert, [pair], layers=[2], senses=senses, threads=1)}

    def cosine(a, b):
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    assert found["avgsim"] == pytest.approx((cosine(away, dog) + cosine(cat, dog)) / 2, abs=1e-5)
    assert found["localsim"] == pytest.approx(cosine(cat, dog), abs=1e-5)
    likely = sense_of(cat, senses["cat"][0])
    assert likely.sum() == pytest.approx(1)
    assert likely[1] > 0.999  # it is that sense, exactly
    assert found["avgsimc"] == pytest.approx(likely @ [cosine(away, dog), cosine(cat, dog)], abs=1e-5)
    lacking = evaluate_scws(bert, [pair], layers=[2], senses={"cat": senses["cat"]}, threads=1)
    assert [one.n_known for one in lacking] == [1, 0, 0, 0]  # the static matrix knows both


def test_likelihoods_fall_with_the_distance():
    """Cosines 1/2 and 0: distances 1/2 and 1, so that the first is twice as likely."""
    centres = np.array([[1, np.sqrt(3)], [0, 5]], np.float32)
    assert sense_of(np.array([4, 0], np.float32), centres).tolist() == pytest.approx([2 / 3, 1 / 3])


# --- WiC


def wic_folder(path, part="train", gold="T\nF\n"):
    folder = path / part
    folder.mkdir(parents=True)
    text = "cat\tN\t1-2\tthe cat sat .\tsee a cats\nsit\tV\t0-1\tsat here\tit sat\n"
    (folder / f"{part}.data.txt").write_text(text)
    if gold is not None:
        (folder / f"{part}.gold.txt").write_text(gold)
    return path


def test_wic_is_read_as_it_was_published(tmp_path):
    found = read_wic(wic_folder(tmp_path), "train")
    assert found[0] == SameWord("cat", "N", Use(("the", "cat", "sat", "."), 1), Use(("see", "a", "cats"), 2), True)
    assert [pair.is_same for pair in found] == [True, False]
    assert read_wic(tmp_path / "train" / "train.data.txt") == found
    assert read_wic(tmp_path / "train", "train") == found
    blind = read_wic(wic_folder(tmp_path, "test", gold=None), "test")
    assert [pair.is_same for pair in blind] == [None, None]
    assert judgements.wic_parts(tmp_path) == ("train", "dev")
    (tmp_path / "test" / "test.gold.txt").write_text("F\nF\n")
    assert judgements.wic_parts(tmp_path) == ("dev", "test")


@settings(max_examples=25)
@given(st.lists(st.tuples(word, uses, uses, st.booleans()), min_size=1, max_size=5))
def test_written_wic_is_read(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("wic")
    rows = [
        f"{name}\tN\t{one.position}-{other.position}\t{' '.join(one.words)}\t{' '.join(other.words)}\n"
        for name, one, other, _ in pairs
    ]
    (folder / "dev.data.txt").write_bytes("".join(rows).encode())
    (folder / "dev.gold.txt").write_text("".join("T\n" if is_same else "F\n" for *_, is_same in pairs))
    assert read_wic(folder, "dev") == [SameWord(name, "N", *rest) for name, *rest in pairs]


@pytest.mark.parametrize(
    ("data", "gold", "message"),
    [
        ("cat\tN\t1-2\tthe cat\n", "T\n", "line 1: 4 columns where 5 are due"),
        ("cat\tN\t1\tthe cat\ta cat\n", "T\n", "positions '1' where two numbers are due"),
        ("cat\tN\t1-7\tthe cat\ta cat\n", "T\n", "position 7 in a sentence of 2 words"),
        ("cat\tN\t1-1\tthe cat\ta cat\n", "yes\n", "'yes' where T or F is due"),
        ("cat\tN\t1-1\tthe cat\ta cat\n", "T\nF\n", "has 2 answers to 1 pairs"),
        ("", "", "holds no pair of uses"),
    ],
)
def test_malformed_wic(tmp_path, data, gold, message):
    (tmp_path / "dev.data.txt").write_text(data)
    (tmp_path / "dev.gold.txt").write_text(gold)
    with pytest.raises(FirthError, match=message):
        read_wic(tmp_path, "dev")


def test_a_folder_needs_a_part(tmp_path):
    with pytest.raises(UsageError, match="name a part"):
        read_wic(tmp_path)
    with pytest.raises(FirthError, match="cannot be read"):
        read_wic(tmp_path, "dev")


def same(first, second, is_same):
    return SameWord("w", "N", Use((first,), 0), Use((second,), 0), is_same)


def test_wic_by_hand():
    """Cosines of tune: 1 and .8 are the same, 0 is not; the threshold is halfway between .8 and 0."""
    vectors = Vectors(["a", "b", "c", "d"], [[1, 0], [0.8, 0.6], [0, 1], [0.3, np.sqrt(0.91)]])
    tune = [same("a", "a", True), same("a", "b", True), same("a", "c", False)]
    test = [same("a", "b", True), same("a", "d", True), same("c", "a", False), same("a", "x", True)]
    ((found),) = evaluate_wic(vectors, tune, test)
    assert found.threshold == pytest.approx(0.4)
    np.testing.assert_array_equal(found.items, [1, 0, 1, NAN])
    assert (found.score, found.n_known, found.unknown) == (pytest.approx(2 / 3), 3, ("w",))


def test_wic_of_a_network_has_a_score_for_each_layer(bert):
    pairs = [
        SameWord("cat", "N", Use(("the", "cat", "sat"), 1), Use(("the", "cat", "sat"), 1), True),
        SameWord("dog", "N", Use(("a", "dog"), 1), Use(("the", "dog", "sat", "on", "the", "mat"), 1), False),
    ]
    found = evaluate_wic(bert, pairs, pairs, threads=1)
    assert [one.layer for one in found] == [0, 1, 2]
    assert [one.score for one in found[1:]] == [1, 1]  # a use is like itself, and less like another


def test_wic_needs_answers():
    vectors = Vectors(["a"], [[1, 0]])
    known, blind = [same("a", "a", True)], [same("a", "a", None)]
    with pytest.raises(UsageError, match="a threshold is scored on are missing"):
        evaluate_wic(vectors, known, blind)
    with pytest.raises(UsageError, match="a threshold is chosen on are missing"):
        evaluate_wic(vectors, [], known)


@given(st.lists(st.tuples(st.integers(-5, 5), st.booleans()), min_size=1, max_size=12))
def test_no_threshold_is_better(pairs):
    cosines, is_same = np.array([c / 5 for c, _ in pairs]), np.array([s for _, s in pairs])
    threshold = best_threshold(cosines, is_same)
    right = ((cosines > threshold) == is_same).sum()
    tried = [-2, *(np.unique(cosines) + 0.01)]
    assert right == max(((cosines > one) == is_same).sum() for one in tried)


def test_thresholds_of_nothing():
    assert np.isnan(best_threshold(np.array([NAN]), np.array([True])))
