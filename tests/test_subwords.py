"""N-grams of words: which there are, their rows, and the vectors of words that were never seen."""

import json
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import firth
from firth.evaluation import WordPair
from firth.progress import Lines
from firth.subwords import Ngrams, Subwords, account, compose, compose_all, fitted
from firth.vectors import Vectors

TEXT = ["the walker walked and walks", "a talker talked and talks", "he walks as she talks"] * 20
SMALL = {"dim": 8, "window": 3, "min_count": 1, "sample": 0.0, "subwords": "3-5", "buckets": 2000}


def by_hand(word, shortest, longest):
    """Bojanowski et al. 2017, section 3.2, in fastText's order; of single characters no border."""
    bordered = f"<{word}>"
    return [
        bordered[i : i + n]
        for i in range(len(bordered))
        for n in range(shortest, longest + 1)
        if i + n <= len(bordered) and not (n == 1 and i in (0, len(bordered) - 1))
    ]


def fnv(text):
    """FNV-1a as fastText has it, over signed bytes."""
    h = 2166136261
    for byte in text.encode():
        h = (h ^ (byte | (0xFFFFFF00 if byte >= 128 else 0))) * 16777619 % 2**32
    return h


def test_the_papers_example():
    assert by_hand("where", 3, 3) == ["<wh", "whe", "her", "ere", "re>"]
    starts, hashes = Ngrams(shortest=3, longest=3).hashed(["where"])
    assert starts.tolist() == [0, 5]
    assert hashes.tolist() == [fnv(ngram) for ngram in by_hand("where", 3, 3)]


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.text(max_size=8), min_size=1, max_size=5), st.integers(1, 4), st.integers(0, 4))
def test_n_grams_are_of_characters(words, shortest, more):
    words = [word for word in words if not any("\ud800" <= char <= "\udfff" for char in word)]
    starts, hashes = Ngrams(shortest=shortest, longest=shortest + more).hashed(words)
    due = [[fnv(ngram) for ngram in by_hand(word, shortest, shortest + more)] for word in words if word != "</s>"]
    assert [part.tolist() for part in np.split(hashes, starts[1:-1])][: len(words)] == due


def test_chinese_n_grams_and_the_end_of_a_line():
    starts, hashes = Ngrams(shortest=1, longest=2).hashed(["开心", "</s>"])
    assert starts.tolist() == [0, 5, 5]
    assert hashes.tolist() == [fnv(ngram) for ngram in ("<开", "开", "开心", "心", "心>")]


@pytest.mark.parametrize("hashes", [1, 3])
def test_each_n_gram_has_its_rows(hashes):
    ngrams = Ngrams(shortest=3, longest=6, buckets=1000, hashes=hashes)
    starts, rows = ngrams.parts(["walked", "walks"])
    n = len(by_hand("walked", 3, 6))
    assert starts.tolist() == [0, hashes * n, hashes * (n + len(by_hand("walks", 3, 6)))]
    assert rows[: hashes * n : hashes].tolist() == [fnv(ngram) % 1000 for ngram in by_hand("walked", 3, 6)]
    assert 0 <= rows.min() <= rows.max() < 1000
    assert len({tuple(some) for some in rows.reshape(-1, hashes).tolist()}) > 0.9 * len(set(rows.tolist())) / hashes


def test_several_rows_are_shared_less_than_one():
    words = [f"word{number}" for number in range(500)]
    hashes = np.unique(Ngrams().hashed(words)[1])
    one = Ngrams(buckets=500).rows(hashes)
    two = Ngrams(buckets=500, hashes=2).rows(hashes).reshape(-1, 2)
    assert len(np.unique(one)) < 500 < len(np.unique(two, axis=0))


def test_a_word_is_the_mean_of_its_parts():
    rng = np.random.default_rng(0)
    ngrams = Ngrams(shortest=2, longest=3, buckets=50)
    words, table = (rng.normal(size=(n, 7)).astype(np.float32) for n in (2, 50))
    parts = ngrams.parts(["ab", "c"])
    composed = compose(words, table, parts)
    for row, word in enumerate(["ab", "c"]):
        rows = [fnv(ngram) % 50 for ngram in by_hand(word, 2, 3)]
        np.testing.assert_allclose(composed[row], np.mean([words[row], *table[rows]], axis=0), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(compose(words, table, parts, np.array([1], np.int32)), composed[1:])


@pytest.fixture(scope="module", params=[1, 2])
def model(request):
    return firth.train(firth.Skipgram(**SMALL, hashes=request.param), TEXT, epochs=30, threads=1)


def test_a_word_never_seen_has_a_vector_and_says_how_much_of_it_is_known(model):
    vectors = model.vectors
    assert "walking" not in vectors
    assert vectors["walking"].shape == (8,)
    share = vectors.from_ngrams("walking").known_share
    known = {ngram for word in vectors.words for ngram in by_hand(word, 3, 5)}
    asked = by_hand("walking", 3, 5)
    assert share == pytest.approx(sum(ngram in known for ngram in asked) / len(asked))
    assert 0 < share < 1 == vectors.from_ngrams("walks").known_share
    np.testing.assert_array_equal(vectors["WALKING"], vectors["walking"])  # normalised as the text was
    np.testing.assert_array_equal(vectors[["walks", "walking"]], [vectors["walks"], vectors["walking"]])


def test_queries_take_words_never_seen(model):
    vectors = model.vectors
    found = vectors.most_similar("walkers", topn=4)
    (each,) = vectors.similar_by_words(["walkers"], topn=4)
    assert dict(found) == pytest.approx(dict(each), rel=1e-5)
    assert len(vectors.most_similar(["walkers", "walks"], topn=99)) == len(vectors) - 1
    assert vectors.similarity("walkers", "walker") == pytest.approx(1 - vectors.distance("walker", "walkers"))
    assert vectors.rank("walkers", found[0][0]) == 1
    assert vectors.closer_than("walkers", found[1][0]) == [found[0][0]]
    nearer = [word for word, cosine in vectors.most_similar(found[0][0], topn=99) if cosine > found[0][1]]
    assert set(vectors.closer_than(found[0][0], "walkers")) == set(nearer)
    assert vectors.vectors_for_all(["walks", "walkers", "qqq"]).words == ["walks", "walkers"]
    assert vectors.sentence_vector("walkers qqq").shape == (8,)
    assert vectors.doesnt_match(["walkers", "talkers", "he"]) in ("walkers", "talkers", "he")


def test_pairs_of_words_never_seen_are_answered_and_counted(model):
    vectors = model.vectors
    pairs = [WordPair("walker", "walks", 3.0), WordPair("Walkers", "walking", 2.0), WordPair("he", "talkers", 1.0)]
    pairs += [WordPair("qqq", "walker", 5.0), WordPair("walkers", "talks", 0.5)]
    found = vectors.evaluate_word_pairs(pairs)
    assert (found.n_answered, found.unknown) == (4, ("qqq",))
    assert found.n_composed == 4  # Walkers and walkers, which one corpus would have had in one spelling
    cosines = [vectors.similarity(*pair[:2]) for pair in pairs if "qqq" not in pair]
    assert found.pearson == pytest.approx(np.corrcoef([3.0, 2.0, 1.0, 0.5], cosines)[0, 1], abs=1e-5)
    few = vectors.evaluate_word_pairs(pairs, restrict=1)
    assert few == found  # words beyond have vectors too
    assert vectors.unit_normalized().evaluate_word_pairs(pairs).n_answered == 1


def test_words_of_pairs_that_are_not_answered_are_not_counted(model):
    asked = [WordPair("walker", "walks", 3.0), WordPair("he", "talkers", 1.0), WordPair("qqq", "walkers", 5.0)]
    found = model.vectors.evaluate_word_pairs(asked)
    assert (found.n_answered, found.unknown) == (2, ("qqq",))
    assert found.n_composed == 1  # talkers
    assert model.vectors.evaluate_word_pairs([*asked, WordPair("he", "walkers", 1.0)]).n_composed == 2


def test_capitals_of_a_file_are_no_n_grams_where_no_word_has_any(model):
    """Known words are found without regard to case: so are those that are composed, unless the words have capitals."""
    given = model.vectors
    vectors = firth.Vectors(given.words, given.array, subwords=given.subwords)  # no normalisation is known
    small = [WordPair("walker", "walks", 3.0), WordPair("walkers", "walking", 2.0), WordPair("he", "talkers", 1.0)]
    large = [WordPair(first.upper(), second.title(), score) for first, second, score in small]
    found = vectors.evaluate_word_pairs(small)
    assert found.n_composed == 3
    assert vectors.evaluate_word_pairs(large) == found
    assert vectors.evaluate_word_pairs(large, fold=str).n_answered == 0
    capitals = ["He" if word == "he" else word for word in given.words]
    cased = firth.Vectors(capitals, given.array, subwords=given.subwords)
    assert cased.evaluate_word_pairs(large).pearson != pytest.approx(found.pearson, abs=1e-5)


@pytest.mark.parametrize(("word", "why"), [("qqq", "none of its n-grams is known"), ("", "too short")])
def test_a_word_of_which_nothing_is_known_is_an_error(model, word, why):
    with pytest.raises(firth.UnknownWordError, match=why):
        model.vectors[word]


def test_vectors_of_whole_words_have_none():
    vectors = Vectors(["a"], np.ones((1, 2)))
    with pytest.raises(firth.UsageError, match="--subwords 3-6"):
        vectors.from_ngrams("b")
    with pytest.raises(firth.UnknownWordError):
        vectors["b"]


def test_n_grams_are_saved_with_the_model_and_with_the_vectors(model, tmp_path):
    model.save(tmp_path / "model")
    model.vectors.save(tmp_path / "vectors")
    Vectors.load(tmp_path / "model").unit_normalized().save(tmp_path / "alone")
    for name in ("model", "vectors"):
        vectors = Vectors.load(tmp_path / name)
        np.testing.assert_array_equal(vectors["walking"], model.vectors["walking"])
        np.testing.assert_array_equal(vectors.array, model.vectors.array)
        assert vectors.layer(0).subwords is vectors.subwords
        assert Vectors.load(tmp_path / name, limit=3)["walking"].shape == (8,)
    np.testing.assert_array_equal(firth.load(tmp_path / "model").vectors["walking"], model.vectors["walking"])
    assert Vectors.load(tmp_path / "alone").subwords is None


def test_tables_that_do_not_fit_are_refused():
    with pytest.raises(firth.FirthError, match="are due"):
        Subwords(Ngrams(buckets=3), ["a"], np.ones((1, 2), np.float32), np.ones((4, 2), np.float32))
    with pytest.raises(firth.FirthError, match="a table of int8 is there"):
        Subwords(Ngrams(buckets=4), ["a"], np.ones((1, 2), np.float32), np.ones((4, 2), np.int8))


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"subwords": 3}, "subwords is 3"),
        ({"subwords": "3-6", "buckets": "many"}, "'many'"),
        (["3-6"], "list"),
        ({"subwords": "3-6"}, "200000"),  # the default, which these tables are not
    ],
    ids=str,
)
def test_settings_that_tell_no_n_grams_are_an_error_of_the_directory(model, tmp_path, told, why):
    model.vectors.save(tmp_path / "vectors")
    settings = json.loads((tmp_path / "vectors" / "firth.json").read_text(encoding="utf-8"))
    (tmp_path / "vectors" / "firth.json").write_text(json.dumps(settings | {"subwords": told}), encoding="utf-8")
    with pytest.raises(firth.FirthError, match=why):
        Vectors.load(tmp_path / "vectors")


def test_own_rows_are_made_to_fit_vectors():
    """As of a word that is shown by codes for its bytes, whose n-grams are others."""
    rng = np.random.default_rng(2)
    ngrams = Ngrams(shortest=2, longest=3, buckets=40)
    words, table = (rng.normal(size=(n, 5)).astype(np.float32) for n in (3, 40))
    vectors = compose(words, table, ngrams.parts(["ab", "c", "where"]))
    assert fitted(ngrams, ["ab", "c", "where"], words, table, vectors) is words
    rows = fitted(ngrams, ["ab", "other", "where"], words, table, vectors)
    np.testing.assert_array_equal(rows[[0, 2]], words[[0, 2]])
    np.testing.assert_allclose(compose(rows, table, ngrams.parts(["ab", "other", "where"])), vectors, atol=1e-6)


def test_words_are_composed_some_at_a_time(monkeypatch):
    rng = np.random.default_rng(3)
    ngrams = Ngrams(shortest=2, longest=3, buckets=40)
    words, table = (rng.normal(size=(n, 5)).astype(np.float32) for n in (9, 40))
    spelt = [f"word{number}" for number in range(7)]
    due = compose(words[:7], table, ngrams.parts(spelt))
    monkeypatch.setattr("firth.subwords.WORDS_AT_ONCE", 3)
    np.testing.assert_array_equal(compose_all(ngrams, spelt, words, table), due)


def test_what_a_table_takes_is_said_before_training():
    said = account(Ngrams(shortest=3, longest=3, buckets=2**18, hashes=2), ["where", "here"], 100, 2)
    assert "have 6 of them" in said  # <wh whe her ere re> and <he
    assert "262,144 rows, to 2 of them each, which take 100 MiB of the model's 100" in said
    assert said.endswith("training takes 0 more for which word has which")


def test_it_is_said_before_memory_is_taken(capsys, monkeypatch):
    def without_memory(shapes, seed):
        raise MemoryError("no")

    monkeypatch.setattr("firth.families.skipgram.initial_tables", without_memory)
    family = firth.Skipgram(**SMALL | {"buckets": 2_000_000_000})
    with pytest.raises(MemoryError):
        firth.train(family, TEXT, epochs=1, threads=1, progress=Lines(sys.stderr))
    assert "2,000,000,000 rows, which take 61,035 MiB" in capsys.readouterr().err


def test_going_on_keeps_n_grams_and_gives_new_words_theirs(model):
    family = model.family
    more = firth.train(family, ["the walkers and the talkers"] * 9, base=model, epochs=0.1, threads=1)
    assert more.family == family
    assert {"walkers", "walks"} <= set(more.vocabulary.words)
    before, after = model.vectors["walks"], more.vectors["walks"]
    assert np.linalg.norm(after - before) < 0.2 * np.linalg.norm(before)
    for other in (firth.Skipgram(**SMALL | {"subwords": None}), firth.Skipgram(**SMALL | {"buckets": 99})):
        with pytest.raises(firth.UsageError, match="--subwords 3-5 --buckets 2000"):
            firth.train(other, TEXT, base=model, epochs=1)


def test_going_on_from_whole_words_begins_with_their_vectors():
    plain = firth.train(firth.Skipgram(**SMALL | {"subwords": None}), TEXT, epochs=9, threads=1)
    still = firth.Skipgram(**SMALL, learning_rate=1e-12)
    more = firth.train(still, TEXT, base=plain, epochs=1, threads=1)
    rows = more.vocabulary.rows(plain.vocabulary.words)
    np.testing.assert_allclose(more.vectors.matrix[rows], plain.vectors.matrix, rtol=1e-5, atol=1e-7)


def test_words_never_seen_have_vectors_wherever_text_is_read(model):
    """`extract`, `sentence_vector` and `matrices` compose what the matrix does not have."""
    vectors = model.vectors
    with pytest.warns(UserWarning, match="'qqq' has no piece"):
        (sentence,) = firth.extract(vectors, [["walkers", "walks", "qqq", "WALKERS"]])
    assert sentence.unknown == [2]
    np.testing.assert_array_equal(sentence.array[0, [0, 1, 3]], vectors[["walkers", "walks", "walkers"]])
    assert np.isnan(sentence.array[0, 2]).all()
    mean = vectors[["walkers", "walks"]].mean(axis=0)
    np.testing.assert_allclose(model.sentence_vector("walkers qqq walks"), mean, atol=1e-6)
    with pytest.raises(firth.FirthError):
        model.sentence_vector("qqq")
    made = firth.matrices(model, ["walkers walks qqq walkers"], top=9)
    assert sorted(made.words) == ["walkers", "walks"]
    np.testing.assert_array_equal(made[["walkers", "walks"]], vectors[["walkers", "walks"]])
    assert (vectors.has_vector("walkers"), vectors.has_vector("qqq")) == (True, False)
