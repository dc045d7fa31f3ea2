import inspect
import json
import pickle
import re

import numpy as np
import pytest

from firth import evaluation
from firth import vocabulary as vocabularies
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.explanations import GENSIM_ATTRIBUTES
from firth.formats import safetensors, word2vec
from firth.segmentation import Segmentation
from firth.vectors import Vectors
from firth.vocabulary import Vocabulary

RNG = np.random.default_rng(11)
WORDS = [f"word{row}" for row in range(300)]
ARRAY = RNG.standard_normal((300, 12)).astype(np.float32)

CITY_WORDS = ["king", "queen", "kitchen", "the"]
CITY_ARRAY = np.array([[3, 4], [4, 3], [-4, 3], [0, 0]], np.float32)

CHINESE = Segmentation(method="chinese")


@pytest.fixture
def vectors():
    return Vectors(WORDS, ARRAY, counts=np.arange(300, 0, -1))


@pytest.fixture
def small():
    return Vectors(CITY_WORDS, CITY_ARRAY, segmentation=Segmentation(method="words"))


@pytest.fixture
def theirs():
    kv = pytest.importorskip("gensim.models").KeyedVectors(12)
    kv.add_vectors(WORDS, ARRAY)
    return kv


def assert_similar(ours, theirs):
    assert [word for word, _ in ours] == [word for word, _ in theirs]
    np.testing.assert_allclose([score for _, score in ours], [score for _, score in theirs], rtol=2e-5, atol=1e-6)


# --- what they are


def test_words_rows_and_vectors(small):
    assert len(small) == 4
    assert list(small) == CITY_WORDS
    assert repr(small) == "Vectors(4 words, 1 layer, dim 2)"
    assert small["king"].tolist() == [3, 4]
    assert small[["the", "king"]].tolist() == [[0, 0], [3, 4]]
    assert small[[]].shape == (0, 2)
    assert small.array.shape == (1, 4, 2)
    assert small.row("queen") == 1


def test_a_word_is_looked_up_as_it_stands_and_then_normalised():
    vectors = Vectors(["café", "King", "king"], np.eye(3), segmentation=Segmentation(method="words"))
    assert vectors.row("King") == 1
    assert vectors.row("KING") == 2
    assert vectors.row("CAFE\u0301") == 0
    assert "KING" in vectors
    assert "KING" not in Vectors(["king"], np.eye(1))
    assert 3 not in vectors


def test_vectors_are_read_only_and_share_memory():
    vectors = Vectors(WORDS, ARRAY)
    assert np.shares_memory(vectors.array, ARRAY)
    with pytest.raises(ValueError, match="read-only"):
        vectors["word1"][0] = 1
    assert ARRAY.flags.writeable


@pytest.mark.parametrize(
    ("words", "array", "message"),
    [
        (["a", "b"], np.ones((3, 2)), "2 words and an array of shape (3, 2)"),
        (["a", "b"], np.ones(2), "2 words and an array of shape (2,)"),
        ([], np.ones((0, 2)), "with at least one word"),
        (["a", "a"], np.ones((2, 2)), "the word 'a' stands twice"),
    ],
)
def test_shapes_that_do_not_fit(words, array, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        Vectors(words, array)
    with pytest.raises(UsageError, match="counts of shape"):
        Vectors(["a"], np.ones((1, 2)), counts=[1, 2])


# --- layers


def test_layers():
    array = RNG.standard_normal((3, 300, 4)).astype(np.float32)
    vectors = Vectors(WORDS, array, provenance={"family": "cbow"})
    assert vectors.n_layers == 3
    for layer in range(3):
        np.testing.assert_array_equal(vectors.layer(layer)["word7"], array[layer, 7])
        assert vectors.layer(layer).provenance == {"family": "cbow", "layer": layer}
        assert vectors.layer(layer) is vectors.layer(layer)
    np.testing.assert_array_equal(vectors["word7"], array[2, 7])  # the last layer answers
    assert vectors.most_similar("word7") == vectors.layer(2).most_similar("word7")
    assert vectors.layer(0).most_similar("word7") != vectors.layer(2).most_similar("word7")
    with pytest.raises(UsageError, match=re.escape("layer 3 asked of a CBOW model, which has 3 (layers 0 to 2)")):
        vectors.layer(3)


def test_the_words_that_differ_most_from_context_to_context():
    variance = [[9, 9, 9, 9], [1, np.nan, 3, 2]]
    vectors = Vectors(CITY_WORDS, np.ones((2, 4, 2)), variance=variance, contexts=[9, 1, 9, 5])
    first, _, third, fourth = CITY_WORDS
    assert vectors.most_varied() == [(third, 3.0), (fourth, 2.0), (first, 1.0)]
    assert vectors.most_varied(1) == [(third, 3.0)]
    assert vectors.most_varied(least_contexts=6) == [(third, 3.0), (first, 1.0)]
    assert vectors.layer(0).most_varied(1) == [(first, 9.0)]
    with pytest.raises(UsageError, match="no variance is known"):
        Vectors(CITY_WORDS, CITY_ARRAY).most_varied()


def test_layers_of_a_model_keep_their_numbers(tmp_path):
    array = RNG.standard_normal((3, 4, 2)).astype(np.float32)
    provenance = {"family": "bert", "layers": [0, 5, 12]}
    Vectors(CITY_WORDS, array, provenance=provenance, variance=array[:, :, 0]).save(tmp_path / "some")
    vectors = Vectors.load(tmp_path / "some")
    assert vectors.layer_numbers == [0, 5, 12]
    np.testing.assert_array_equal(vectors.layer(5).matrix, array[1])
    np.testing.assert_array_equal(vectors.layer(5).variance, array[1:2, :, 0])
    assert vectors.layer(5).layer_numbers == [5]
    vectors.layer(12).save(tmp_path / "one")
    np.testing.assert_array_equal(Vectors.load(tmp_path / "one").layer(12).matrix, array[2])
    with pytest.raises(UsageError, match=re.escape("layer 1 asked of a BERT model, which has 3 (layers 0, 5 and 12)")):
        vectors.layer(1)
    with pytest.raises(UsageError, match=re.escape("which has 1 (layer 12)")):
        Vectors.load(tmp_path / "one").layer(0)
    for told in ([0, 5], [0, 5, 5], ["0", "1", "2"], "012", None):
        assert Vectors(CITY_WORDS, array, provenance={"layers": told}).layer_numbers == [0, 1, 2]


def test_a_layer_of_a_family_whose_title_is_not_known():
    with pytest.raises(UsageError, match=re.escape("layer 1 asked of an elsewhere model, which has 1")):
        Vectors(CITY_WORDS, CITY_ARRAY, provenance={"family": "elsewhere"}).layer(1)


@pytest.mark.parametrize("family", ["skipgram", {"name": "skipgram", "dim": 2}])
def test_a_layer_that_is_not_there(family):
    vectors = Vectors(CITY_WORDS, CITY_ARRAY, provenance={"family": family})
    for layer in (2, -1):
        with pytest.raises(
            UsageError, match=re.escape(f"layer {layer} asked of a Skip-gram model, which has 1 (layer 0)")
        ):
            vectors.layer(layer)
    with pytest.raises(UsageError, match="asked of a set of vectors, which has 1"):
        Vectors(CITY_WORDS, CITY_ARRAY).layer(1)


# --- unknown words


def test_an_unknown_word_names_what_is_spelt_alike(small):
    with pytest.raises(UnknownWordError, match="'quen' is not one of the 4 words; nearest spellings: queen"):
        small["quen"]
    with pytest.raises(KeyError):
        small["quen"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("好开心", "'好开心' is not one of the 5 words; its parts are: 好 + 开心"),
        ("今天天", "of its parts these are: 今天"),
        ("开心今天", "its parts are: 开心 + 今天"),
        ("猫", "'猫' is not one of the 5 words"),
    ],
)
def test_an_unknown_chinese_word_names_its_known_parts(word, message):
    vectors = Vectors(["我", "今天", "好", "开心", "今"], np.eye(5), segmentation=CHINESE)
    with pytest.raises(UnknownWordError, match=re.escape(message)) as raised:
        vectors.most_similar(word)
    if word == "猫":
        assert "parts" not in str(raised.value)


def test_only_chinese_and_kana_are_looked_into_for_parts():
    vectors = Vectors(["こと", "もの", "한국", "말"], np.eye(4))
    for word, parts in (("ことも", "of its parts these are: こと"), ("ものこと", "its parts are: もの + こと")):
        with pytest.raises(UnknownWordError, match=re.escape(parts)):
            vectors[word]
    with pytest.raises(UnknownWordError) as raised:
        vectors["한국말"]
    assert "parts" not in str(raised.value)


def test_an_unknown_word_prints_harmlessly_and_soon(vectors):
    with pytest.raises(UnknownWordError, match=re.escape("'\\u{1b}[31m' is not one of")):
        vectors["\x1b[31m"]
    with pytest.raises(UnknownWordError) as raised:
        vectors["好" * 100_000]
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize(
    "ask",
    [
        lambda v: v.most_similar("dog"),
        lambda v: v.most_similar(negative=["king", "dog"]),
        lambda v: v.most_similar_cosmul("king", "dog"),
        lambda v: v.similar_by_word("dog"),
        lambda v: v.similar_by_words(["king", "dog"]),
        lambda v: v.similarity("king", "dog"),
        lambda v: v.distance("dog", "king"),
        lambda v: v.distances("king", ["dog"]),
        lambda v: v.n_similarity(["king"], ["dog"]),
        lambda v: v.closer_than("king", "dog"),
        lambda v: v.rank("dog", "king"),
        lambda v: v.doesnt_match(["king", "dog"]),
        lambda v: v.rank_by_centrality(["king", "dog"]),
        lambda v: v.mean_vector(["king", "dog"]),
        lambda v: v.sentence_vector("dog"),  # of which no word is known, as below
        lambda v: v.vectors_for_all(["dog", "dog"]),
        lambda v: v.wmdistance(["king"], ["dog"]),
        lambda v: v.relative_cosine_similarity("king", "dog"),
        lambda v: v.most_similar_to_given("king", ["dog"]),
        lambda v: v[["king", "dog"]],
    ],
)
def test_no_method_passes_over_an_unknown_word(small, ask):
    with pytest.raises(UnknownWordError, match="dog"):
        ask(small)


# --- text


def test_the_words_of_queries_as_they_are_typed(small):
    assert small.words_of("king") == ["king"]
    assert small.words_of("The King, the queen", "Kitchen") == ["the", "king", "the", "queen", "kitchen"]
    assert small.words_of("king-queen", "dog") == ["king", "queen", "dog"]
    assert small.words_of("king", "!", "") == ["king", "!", ""]  # nothing is found in these; an error will name them


def test_a_known_word_that_contains_a_space_stays_whole():
    vectors = Vectors(["new york", "new", "york"], np.eye(3), segmentation=Segmentation(method="words"))
    assert vectors.words_of("New York", "York  new") == ["new york", "york", "new"]


def test_the_words_of_chinese_queries():
    vectors = Vectors(["我", "今天", "好", "开心"], np.eye(4), segmentation=CHINESE)
    assert vectors.words_of("我 今天 好 开心") == ["我", "今天", "好", "开心"]
    assert vectors.words_of("我今天", "开心") == ["我", "今天", "开心"]


def test_without_a_segmentation_white_space_parts_words():
    assert Vectors(["a-b", "c"], np.eye(2)).words_of("a-b c", "c,d") == ["a-b", "c", "c,d"]


# --- queries, as gensim answers them


QUERIES = [
    {"positive": "word5"},
    {"positive": ["word5", "word6"], "negative": ["word7"]},
    {"positive": [("word5", 2.0), "word6"], "negative": [("word7", -0.5), "word8"], "topn": 20},
    {"positive": ARRAY[4], "topn": 3},
    {"positive": [ARRAY[4], "word9"], "negative": [ARRAY[20]]},
    {"negative": "word3"},
    {"positive": ["word5", "word5"], "topn": 299},
    {"positive": "word5", "topn": 0},
    {"positive": "word5", "topn": 5_000},
]


@pytest.mark.parametrize("query", QUERIES)
def test_most_similar_is_gensims(vectors, theirs, query):
    assert_similar(vectors.most_similar(**query), theirs.most_similar(**query))


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`:DeprecationWarning")  # gensim's own call
@pytest.mark.parametrize(
    "query", [{"positive": "word5"}, {"positive": ["word5", "word6"], "negative": ["word7", "word8"]}]
)
def test_cosmul_is_gensims(vectors, theirs, query):
    assert_similar(vectors.most_similar_cosmul(**query), theirs.most_similar_cosmul(**query))


def test_restricted_searches_are_gensims(vectors, theirs):
    for positive in ("word5", "word250"):
        ours = vectors.most_similar(positive, restrict=100, topn=7)
        assert_similar(ours, theirs.most_similar(positive, restrict_vocab=100, topn=7))
        ours = vectors.most_similar(positive, restrict=range(100, 200), topn=7)
        assert_similar(ours, theirs.most_similar(positive, clip_start=100, clip_end=200, topn=7))
    assert len(vectors.most_similar("word5", restrict=100, topn=500)) == 99


@pytest.mark.parametrize("restrict", [0, range(5, 5), range(0, 10, 2), range(-3, 4)])
def test_restrictions_that_leave_nothing(vectors, restrict):
    with pytest.raises(UsageError, match="restrict="):
        vectors.most_similar("word5", restrict=restrict)


def test_similarities_are_gensims(vectors, theirs):
    assert vectors.similarity("word1", "word2") == pytest.approx(theirs.similarity("word1", "word2"), abs=1e-6)
    assert vectors.distance("word1", "word2") == pytest.approx(theirs.distance("word1", "word2"), abs=1e-6)
    np.testing.assert_allclose(vectors.distances("word1"), theirs.distances("word1"), atol=1e-6)
    np.testing.assert_allclose(vectors.distances(ARRAY[3]), theirs.distances(ARRAY[3]), atol=1e-6)
    others = ["word5", "word2", "word5"]
    np.testing.assert_allclose(vectors.distances("word1", others), theirs.distances("word1", others), atol=1e-6)
    sets = (["word1", "word2"], ["word3", "word4", "word5"])
    assert vectors.n_similarity(*sets) == pytest.approx(float(theirs.n_similarity(*sets)), abs=1e-6)
    assert vectors.relative_cosine_similarity("word1", "word2") == pytest.approx(
        theirs.relative_cosine_similarity("word1", "word2"), abs=1e-6
    )


def test_ranks_are_gensims(vectors, theirs):
    for word in ("word8", "word9", "word1"):
        assert vectors.closer_than("word1", word) == theirs.closer_than("word1", word)
        assert vectors.rank("word1", word) == theirs.rank("word1", word)
    nearest = vectors.most_similar("word1", topn=3)
    assert [vectors.rank("word1", word) for word, _ in nearest] == [1, 2, 3]
    words = WORDS[10:20]
    assert vectors.doesnt_match(words) == theirs.doesnt_match(words)
    assert vectors.most_similar_to_given("word1", words) == theirs.most_similar_to_given("word1", words)
    ours = [(word, similarity) for similarity, word in vectors.rank_by_centrality(words)]
    assert_similar(ours, [(word, similarity) for similarity, word in theirs.rank_by_centrality(words)])


def test_means_are_gensims(vectors, theirs):
    words = ["word1", "word2", "word2", "word9"]
    np.testing.assert_allclose(vectors.mean_vector(words), theirs.get_mean_vector(words), atol=1e-6)
    weights = [1.0, -2.0, 0.5, 0.0]
    np.testing.assert_allclose(vectors.mean_vector(words, weights), theirs.get_mean_vector(words, weights), atol=1e-6)


def test_evaluations_are_gensims(vectors, theirs, tmp_path):
    pairs = tmp_path / "pairs"
    pairs.write_text("".join(f"word{i}\tWORD{3 * i}\t{(i * 7) % 50}\n" for i in range(150)), encoding="utf-8")
    ours = vectors.evaluate_word_pairs(pairs, restrict=200)
    pearson, spearman, _ = theirs.evaluate_word_pairs(str(pairs), restrict_vocab=200)
    assert ours.spearman == pytest.approx(spearman[0], abs=5e-4)
    assert ours.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert vectors.evaluate_word_pairs(evaluation.read_word_pairs(pairs), restrict=200) == ours

    answers = {
        (a, b, c): vectors.most_similar([f"word{b}", f"word{c}"], f"word{a}", topn=1, restrict=200)
        for a, b, c in [(1, 2, 3), (4, 5, 6), (7, 8, 9)]
    }
    lines = [f"word{a} word{b} word{c} {found[0][0]}" for (a, b, c), found in answers.items()]
    analogies = tmp_path / "analogies"
    analogies.write_text("\n".join([": s", *lines, "word1 word2 word3 word4"]), encoding="utf-8")
    accuracy, _ = theirs.evaluate_word_analogies(str(analogies), restrict_vocab=200)
    assert vectors.evaluate_word_analogies(analogies, restrict=200).accuracy == accuracy == 0.75


# --- queries by hand


def test_a_vector_of_zeros_has_cosine_0(small):
    assert small.similarity("king", "the") == 0
    assert small.most_similar("king") == [
        ("queen", pytest.approx(0.96)),
        ("kitchen", pytest.approx(0.0)),
        ("the", 0.0),
    ]
    assert [score for _, score in small.most_similar("the")] == [0, 0, 0]


def test_of_equal_cosines_the_lower_row_comes_first():
    vectors = Vectors(WORDS, np.tile(np.float32([[1, 2]]), (300, 1)))
    assert [word for word, _ in vectors.most_similar("word2", topn=4)] == ["word0", "word1", "word3", "word4"]


def test_batches_are_the_single_answers(vectors):
    words = WORDS[:40]
    for ours, word in zip(vectors.similar_by_words(words, topn=3, restrict=90), words, strict=True):
        assert_similar(ours, vectors.similar_by_word(word, topn=3, restrict=90))
    for ours, vector in zip(vectors.similar_by_vectors(ARRAY[:40], topn=3), ARRAY, strict=False):
        assert_similar(ours, vectors.similar_by_vector(vector, topn=3))
    shifted = vectors.similar_by_words(["word150"], restrict=range(150, 300))
    assert_similar(shifted[0], vectors.similar_by_word("word150", restrict=range(150, 300)))


def test_sentences():
    vectors = Vectors(["我", "今天", "好", "开心"], np.eye(4), segmentation=CHINESE)
    assert vectors.sentence_vector("我 今天 好 开心").tolist() == [0.25] * 4
    assert vectors.sentence_vector("我今天").tolist() == [0.5, 0.5, 0, 0]
    assert vectors.sentence_vector("我 xyz").tolist() == [1, 0, 0, 0]
    with pytest.raises(UsageError, match="no word in '。'"):
        vectors.sentence_vector("。")


def test_word_movers_distance():
    vectors = Vectors(["a", "b", "c"], np.array([[1, 0], [0, 2], [-3, 0]], np.float32))
    assert vectors.wmdistance(["a", "b"], ["b", "a"]) == pytest.approx(0)
    assert vectors.wmdistance(["a"], ["c"]) == pytest.approx(2)
    # half of the second document is a already, the other half comes from a to b
    assert vectors.wmdistance(["a", "a"], ["a", "b"]) == pytest.approx(2**0.5 / 2)
    # the thirds of b go to a and c, which are equally far
    assert vectors.wmdistance(["b", "b", "b"], ["a", "c"]) == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: v.most_similar(), "asked about nothing"),
        (lambda v: v.most_similar([]), "asked about nothing"),
        (lambda v: v.most_similar("word1", topn=-1), "topn -1"),
        (lambda v: v.most_similar([("word1", 0.0)]), "none has a weight"),
        (lambda v: v.most_similar(np.ones(3)), "a vector of shape (3,) was given; (12,) is due"),
        (lambda v: v.similar_by_vectors(np.ones(12)), "(query, 12) is due"),
        (lambda v: v.most_similar_cosmul(negative=["word1"]), "at least one"),
        (lambda v: v.most_similar_cosmul(("word1", 2.0)), "takes no weights"),
        (lambda v: v.doesnt_match("breakfast"), "a list of words is due"),
        (lambda v: v.doesnt_match([]), "it is empty"),
        (lambda v: v.n_similarity([], ["word1"]), "it is empty"),
        (lambda v: v.mean_vector(["word1"], [1, 2]), "1 words and 2 weights"),
        (lambda v: v[3], "3 is no word"),
        (lambda v: v.vectors_for_all([]), "it is empty"),
        (lambda v: v.words_of(), "no word was given"),
        (lambda v: v.relative_cosine_similarity("word1", "word2", topn=0), "at least one neighbour"),
    ],
)
def test_contradictory_calls(vectors, ask, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        ask(vectors)


def test_numbers_that_are_not_finite_are_named():
    vectors = Vectors(["a", "b"], np.array([[1, 2], [np.nan, 1]], np.float32))
    with pytest.raises(FirthError, match="the vector of 'b' holds a number that is not finite"):
        vectors.most_similar("a")


# --- gensim's names


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda v: v.most_similar("word1", restrict_vocab=3), "restrict_vocab is called restrict here"),
        (lambda v: v.similar_by_word("word1", restrict_vocab=3), "restrict_vocab is called restrict here"),
        (lambda v: v.most_similar("word1", clip_end=3), "clip_end is called restrict=range(start, stop) here"),
        (lambda v: v.evaluate_word_pairs([], case_insensitive=False), "case_insensitive is called fold"),
        (lambda v: v.evaluate_word_analogies([], dummy4unknown=True), "dummy4unknown is called"),
    ],
)
def test_gensims_arguments_are_answered_with_ours(vectors, ask, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        ask(vectors)
    with pytest.raises(TypeError, match="unexpected keyword"):
        vectors.most_similar("word1", nonsense=1)
    assert list(inspect.signature(vectors.most_similar).parameters) == ["positive", "negative", "topn", "restrict"]


@pytest.mark.parametrize("name", GENSIM_ATTRIBUTES)
def test_gensims_attributes_are_answered_with_ours(vectors, theirs, name):
    assert hasattr(theirs, name)
    with pytest.raises(AttributeError, match=f"{name} is called "):
        getattr(vectors, name)


def test_another_attribute_is_unknown(vectors):
    with pytest.raises(AttributeError, match="Vectors has no attribute 'nonsense'"):
        _ = vectors.nonsense


# --- editing


def test_unit_normalized(small):
    unit = small.unit_normalized()
    np.testing.assert_allclose(unit.matrix, [[0.6, 0.8], [0.8, 0.6], [-0.8, 0.6], [0, 0]])
    assert unit.segmentation == small.segmentation
    assert small["king"].tolist() == [3, 4]


def test_vectors_for_all(vectors):
    some = vectors.vectors_for_all(["word7", "dog", "word2", "word7"])
    assert some.words == ["word7", "word2"]
    assert some.counts.tolist() == [293, 298]
    np.testing.assert_array_equal(some.matrix, ARRAY[[7, 2]])


def test_vectors_for_all_names_the_words_of_which_none_is_known(vectors):
    with pytest.raises(
        UnknownWordError, match=re.escape("none of those asked for is one of the 300 words: dog, \\u{1b}")
    ):
        vectors.vectors_for_all(["dog", "\x1b", "dog"])
    with pytest.raises(UnknownWordError, match=re.escape(": x0, x1, x2, x3, x4, ...")):
        vectors.vectors_for_all(f"x{number}" for number in range(9))


def test_with_vectors(small):
    counted = Vectors(CITY_WORDS, CITY_ARRAY, counts=[9, 8, 7, 6])
    more = counted.with_vectors(["dog", "queen"], [[1, 1], [2, 2]], counts=[5, 4])
    assert more.words == [*CITY_WORDS, "dog"]
    assert more.matrix.tolist() == [[3, 4], [2, 2], [-4, 3], [0, 0], [1, 1]]
    assert more.counts.tolist() == [9, 4, 7, 6, 5]
    assert counted.with_vectors(["dog"], [[1, 1]]).counts is None
    assert counted.with_vectors(["the"], [[1, 1]]).counts.tolist() == [9, 8, 7, 6]
    assert small["queen"].tolist() == [4, 3]
    assert more.similarity("dog", "queen") == pytest.approx(1)
    with pytest.raises(UsageError, match="these have 1 and 2"):
        small.with_vectors(["dog"], [[1, 1, 1]])


def test_intersected(small):
    other = Vectors(["dog", "the", "king"], np.array([[7, 7], [8, 8], [9, 9]]))
    merged = small.intersected(other)
    assert merged.words == CITY_WORDS
    assert merged.matrix.tolist() == [[9, 9], [4, 3], [-4, 3], [8, 8]]


# --- files


@pytest.mark.parametrize("n_layers", [1, 3])
def test_save_and_load(tmp_path, n_layers):
    array = RNG.standard_normal((n_layers, 300, 4)).astype(np.float32)
    words = [*WORDS[:-2], "two words", "tab\tand\\slash"]
    saved = Vectors(
        words,
        array,
        counts=np.arange(300, 0, -1),
        segmentation=CHINESE,
        provenance={"family": "skipgram", "corpus": "猫"},
    )
    saved.save(tmp_path / "x")
    assert sorted(file.name for file in (tmp_path / "x").iterdir()) == [
        "firth.json",
        "vectors.safetensors",
        "vocabulary.tsv",
    ]
    loaded = Vectors.load(tmp_path / "x")
    assert loaded.words == words
    np.testing.assert_array_equal(loaded.array, array)
    np.testing.assert_array_equal(loaded.counts, saved.counts)
    assert (loaded.segmentation, loaded.provenance) == (saved.segmentation, saved.provenance)
    assert not loaded.array.flags.owndata  # mapped
    limited = Vectors.load(tmp_path / "x", limit=7)
    assert (limited.words, limited.counts.tolist()) == (words[:7], list(range(300, 293, -1)))
    np.testing.assert_array_equal(limited.array, array[:, :7])


def test_unknown_counts_stay_unknown(tmp_path, small):
    small.save(tmp_path / "x")
    assert Vectors.load(tmp_path / "x").counts is None


def test_an_existing_directory_is_not_written_over(tmp_path, vectors, small):
    vectors.save(tmp_path / "x")
    with pytest.raises(UsageError, match="exists; choose another place, or overwrite it"):
        small.save(tmp_path / "x")
    small.save(tmp_path / "x", overwrite=True)
    assert Vectors.load(tmp_path / "x").words == CITY_WORDS
    (tmp_path / "empty").mkdir()
    small.save(tmp_path / "empty")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    for path in (tmp_path / "other", tmp_path / "other" / "thesis.txt"):
        with pytest.raises(UsageError, match="is no model of firth"):
            small.save(path, overwrite=True)


def test_numbers_that_are_not_finite_are_not_saved(tmp_path):
    array = CITY_ARRAY.copy()
    array[2, 1] = np.nan
    with pytest.raises(FirthError, match=f"the vector of '{CITY_WORDS[2]}' holds a number that is not finite"):
        Vectors(CITY_WORDS, array).save(tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_static_models_directory(tmp_path):
    safetensors.write(tmp_path / "vectors.safetensors", {"input": CITY_ARRAY, "output": -CITY_ARRAY})
    Vocabulary(CITY_WORDS, [4, 3, 2, 1]).write(tmp_path / "vocabulary.tsv")
    settings = {"family": {"name": "cbow"}, "segmentation": {"method": "words", "lower": True}}
    (tmp_path / "firth.json").write_text(json.dumps(settings), encoding="utf-8")
    vectors = Vectors.load(tmp_path)
    assert vectors.matrix.tolist() == CITY_ARRAY.tolist()
    assert vectors.counts.tolist() == [4, 3, 2, 1]
    with pytest.raises(UsageError, match="layer 1 asked of a CBOW model, which has 1"):
        vectors.layer(1)


def break_json(folder):
    (folder / "firth.json").write_text("{", encoding="utf-8")


def list_json(folder):
    (folder / "firth.json").write_text("[]", encoding="utf-8")


def remove_json(folder):
    (folder / "firth.json").unlink()


def cut_vectors(folder):
    content = (folder / "vectors.safetensors").read_bytes()
    (folder / "vectors.safetensors").write_bytes(content[:-1])


def other_tensor(folder):
    safetensors.write(folder / "vectors.safetensors", {"weights": CITY_ARRAY})


def more_words(folder):
    Vocabulary(["a"], [1]).write(folder / "vocabulary.tsv")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (break_json, "firth.json is not JSON"),
        (list_json, "firth.json is not a JSON object"),
        (remove_json, "holds no firth.json: it is no model of ours, or its writing was cut off"),
        (cut_vectors, "is not a whole safetensors file"),
        (other_tensor, "has neither a tensor 'vectors' nor 'input'"),
        (more_words, "has an array of shape (1, 4, 2) for 1 words"),
    ],
)
def test_a_damaged_directory_is_refused(tmp_path, small, damage, message):
    small.save(tmp_path / "x")
    damage(tmp_path / "x")
    with pytest.raises(FirthError, match=re.escape(message)):
        Vectors.load(tmp_path / "x")


@pytest.mark.parametrize("format", word2vec.FORMATS)
def test_word2vec_files_load(tmp_path, format):
    word2vec.write(tmp_path / "x", WORDS, ARRAY, format=format)
    vectors = Vectors.load(tmp_path / "x", limit=250)
    assert vectors.words == WORDS[:250]
    np.testing.assert_array_equal(vectors.matrix, ARRAY[:250])
    assert (vectors.counts, vectors.segmentation) == (None, None)


def test_a_file_with_a_repeated_word_says_so(tmp_path):
    (tmp_path / "x").write_bytes(b"3 2\na 1 2\n\x1b 5 6\n\x1b 3 4\n")
    with pytest.warns(UserWarning, match=re.escape("x: 1 left out, as their words stood before: \\u{1b}")):
        vectors = Vectors.load(tmp_path / "x")
    assert vectors.matrix.tolist() == [[1, 2], [5, 6]]


def test_what_is_not_there_cannot_be_loaded(tmp_path):
    with pytest.raises(FirthError, match="none cannot be read"):
        Vectors.load(tmp_path / "none")
    (tmp_path / "x").write_bytes(b"0 2\n")
    with pytest.raises(FirthError, match="holds no words"):
        Vectors.load(tmp_path / "x")
    with pytest.raises(UsageError, match="limit 0"):
        Vectors.load(tmp_path, limit=0)


def test_a_large_directory_is_asked_for_a_word_without_being_read(tmp_path, monkeypatch):
    monkeypatch.setattr(vocabularies, "LARGE_BYTES", 0)
    Vectors(WORDS, RNG.standard_normal((300, 4)), counts=np.arange(300, 0, -1)).save(tmp_path / "x")
    vectors = Vectors.load(tmp_path / "x")
    neighbour, cosine = vectors.most_similar("word7", topn=1)[0]
    assert vectors.similarity("word7", neighbour) == pytest.approx(cosine, rel=1e-5)
    assert "word7" in vectors.layer(0)
    assert len(vectors) == 300
    assert not {"words", "counts", "_rows"} & vars(vectors).keys()
    assert (vectors.words, vectors.counts.tolist()) == (WORDS, list(range(300, 0, -1)))
    with pytest.raises(UnknownWordError, match="nearest spellings: word7"):
        vectors["word7x"]
    limited = Vectors.load(tmp_path / "x", limit=3)
    assert (limited.words, limited.counts.tolist()) == (WORDS[:3], [300, 299, 298])


def test_a_vocabulary_gives_words_and_counts():
    vocabulary = Vocabulary(CITY_WORDS, [4, 3, 2, 1])
    vectors = Vectors(vocabulary, CITY_ARRAY, counts=vocabulary)
    assert (vectors.words, vectors.counts.tolist()) == (CITY_WORDS, [4, 3, 2, 1])
    assert Vectors(vocabulary, CITY_ARRAY).counts is None
    with pytest.raises(UsageError, match=re.escape("4 words have counts of shape (2,)")):
        Vectors(CITY_WORDS, CITY_ARRAY, counts=Vocabulary(["a", "b"], [1, 1]))


def test_what_is_sent_to_another_process_holds_the_numbers_once():
    vectors = Vectors(["king", "queen"], np.ones((2, 1000), np.float32))
    before = len(pickle.dumps(vectors))
    vectors["king"]
    assert len(pickle.dumps(vectors)) == before
    assert pickle.loads(pickle.dumps(vectors)).similarity("king", "queen") == pytest.approx(1)
