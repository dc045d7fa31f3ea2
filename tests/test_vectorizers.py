"""Word vectors as transformers of scikit-learn."""

import importlib
import pickle
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import firth
from firth.segmentation import Segmentation
from firth.vectorizers import ContextVectorizer, WordVectorizer, _cut

WORDS = ["cat", "dog", "sat", "ran", "开心"]
MATRIX = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 2], [0, 0, -2], [1, 1, 1]], np.float32)
COUNTS = [40, 30, 20, 10, 0]
TEXTS = ["Cat sat", "dog ran", "cat cat dog", "a dog sat"]


@pytest.fixture
def vectors():
    return firth.Vectors(WORDS, MATRIX, counts=COUNTS, segmentation=Segmentation(method="words"))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    pytest.importorskip("torch")
    family = firth.BERT(dim=16, n_layers=2, n_heads=2, context_length=16, n_positions=16)
    folder = tmp_path_factory.mktemp("bert") / "model"
    firth.train(family, ["the cat sat on the mat", "the dog ran"] * 20, tokens=200, threads=1, output=folder)
    return folder


# --- words


def test_a_text_is_the_mean_of_its_words(vectors):
    found = WordVectorizer(vectors).fit_transform(TEXTS)
    expected = [[0.5, 0, 1], [0, 0.5, -1], [2 / 3, 1 / 3, 0], [0, 0.5, 1]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_words_may_be_given(vectors):
    cut = [["cat", "sat"], ("dog", "ran")]
    np.testing.assert_array_equal(
        WordVectorizer(vectors).fit_transform(cut), WordVectorizer(vectors).fit_transform(["cat sat", "dog ran"])
    )
    assert WordVectorizer(vectors).fit_transform(["今天 开心"]).tolist() == [[1, 1, 1]]


@pytest.mark.parametrize("method", ["words", "space", "chinese"])
def test_texts_are_cut_as_each_is_by_itself(method):
    texts = ["Cat sat", "", " ", "我今天好 开心", "我 今天 开心", "dog\u00adgy ran\u2028sat", "cat\ndog", "ran"]
    for some in (texts, [text for text in texts if "\n" not in text] * 60):
        segmentation = Segmentation(method=method)
        assert list(_cut(some, segmentation)) == [segmentation.words(text) for text in some]


def test_markup_that_the_segmentation_drops_is_no_word():
    vectors = firth.Vectors(["king", "b"], np.eye(2), segmentation=Segmentation(method="words", drop=("html",)))
    for texts in (["<b>king</b>"], ["<b>king</b>", "b\n<b>king"], ["<b>king</b>", "<b", "kin&#103;"]):
        np.testing.assert_array_equal(WordVectorizer(vectors, unknown="zeros").fit_transform(texts)[0], [1, 0])


def test_tfidf_is_that_of_scikit_learn(vectors):
    found = WordVectorizer(vectors, weighting="tfidf").fit(TEXTS)
    theirs = TfidfVectorizer(vocabulary=WORDS, norm=None).fit(TEXTS)
    np.testing.assert_allclose(found.weights_[:-1], theirs.idf_, rtol=1e-6)
    weighted = theirs.transform(TEXTS).toarray()
    expected = weighted @ MATRIX / weighted.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.transform(TEXTS), expected, rtol=1e-5)


def test_smooth_inverse_frequency_by_hand(vectors):
    fitted = WordVectorizer(vectors, weighting="sif", smoothing=0.1).fit(TEXTS)
    np.testing.assert_allclose(fitted.weights_, [0.2, 0.25, 1 / 3, 0.5, 1, 1], rtol=1e-6)
    means = np.array(
        [
            [0.2 / (0.2 + 1 / 3), 0, (2 / 3) / (0.2 + 1 / 3)],
            [0, 0.25 / 0.75, -1 / 0.75],
            [0.4 / 0.65, 0.25 / 0.65, 0],
            [0, 0.25 / (0.25 + 1 / 3), (2 / 3) / (0.25 + 1 / 3)],
        ]
    )
    values, directions = np.linalg.eigh(means.T @ means)
    direction = directions[:, np.argmax(values)]
    expected = means - np.outer(means @ direction, direction)
    np.testing.assert_allclose(fitted.transform(TEXTS), expected, atol=1e-5)
    unknown_counts = firth.Vectors(WORDS, MATRIX)
    fitted = WordVectorizer(unknown_counts, weighting="sif", smoothing=0.1).fit([["cat", "cat", "dog", "sat"]])
    np.testing.assert_allclose(fitted.weights_, [0.1 / 0.6, 0.1 / 0.35, 0.1 / 0.35, 1, 1, 1], rtol=1e-6)


def test_a_text_without_a_known_word(vectors):
    texts = ["cat", "zebra", "", "dog"]
    with pytest.warns(UserWarning, match="2 of 4 texts have no word with a vector, as 'zebra': they are zeros"):
        found = WordVectorizer(vectors).fit_transform(texts)
    np.testing.assert_array_equal(found[1:3], np.zeros((2, 3)))
    found = WordVectorizer(vectors, unknown="mean").fit_transform(texts)
    np.testing.assert_array_equal(found[1], [0.5, 0.5, 0])
    found = WordVectorizer(vectors, unknown="nan").fit_transform(texts)
    assert np.isnan(found[1:3]).all()
    assert not np.isnan(found[[0, 3]]).any()
    with pytest.raises(firth.UnknownWordError, match="'zebra'"):
        WordVectorizer(vectors, unknown="error").fit_transform(texts)
    for weighting in ("mean", "tfidf", "sif"):
        assert not WordVectorizer(vectors, weighting=weighting, unknown="mean").fit_transform(["zebra"]).any()


def test_vectors_come_from_wherever_they_are(vectors, tmp_path):
    vectors.save(tmp_path / "vectors")
    model = firth.train(firth.Skipgram(dim=4, min_count=1, sample=0), ["the cat sat"] * 9, epochs=1, threads=1)
    np.testing.assert_array_equal(
        WordVectorizer(tmp_path / "vectors").fit_transform(TEXTS), WordVectorizer(vectors).fit_transform(TEXTS)
    )
    np.testing.assert_allclose(WordVectorizer(model).fit_transform(["cat"])[0], model.vectors["cat"])


def test_words_that_are_composed_of_ngrams_take_part(tmp_path):
    family = firth.Skipgram(dim=8, min_count=1, sample=0, subwords="3-4", buckets=1000)
    vectors = firth.train(family, ["the cats sat on the mats"] * 20, epochs=1, threads=1).vectors
    for weighting, unseen in (("mean", 1.0), ("tfidf", np.log(2) + 1)):
        fitted = WordVectorizer(vectors, weighting=weighting).fit(["the cats"])
        weights = [fitted.weights_[vectors.row("the")], unseen]
        expected = np.average([vectors["the"], vectors["cat"]], axis=0, weights=weights)
        np.testing.assert_allclose(fitted.transform(["the cat"])[0], expected, rtol=1e-5)
        np.testing.assert_allclose(fitted.transform(["the cat qqq"])[0], expected, rtol=1e-5)
    assert "cat" not in vectors


# --- contexts


def test_a_text_is_its_sentence_vector(bert):
    texts = ["the cat sat", "the dog ran on the mat"]
    model = firth.load(bert)
    found = ContextVectorizer(bert).fit_transform(texts)
    np.testing.assert_allclose(found, [model.sentence_vector(text) for text in texts], atol=1e-5)
    last = ContextVectorizer(model, layers=0, pool="last").fit_transform(texts)
    np.testing.assert_allclose(last[1], list(firth.extract(bert, texts, layers=0))[1].array[0, -1], atol=1e-6)
    both = ContextVectorizer(bert, layers="concat:-2:").fit(texts)
    assert both.transform(texts).shape == (2, 32)
    assert len(both.get_feature_names_out()) == 32


def test_layers_that_are_several_make_no_vector(bert):
    with pytest.raises(ValueError, match="layers 'all' are 3, and a text has one vector"):
        ContextVectorizer(bert, layers="all").fit(["cat"])
    with pytest.raises(firth.UsageError, match="layer 7 asked of a bert model"):
        ContextVectorizer(bert, layers=7).fit(["cat"])


def test_a_text_without_a_word_in_context(bert):
    with pytest.warns(UserWarning, match="1 of 2 texts"):
        found = ContextVectorizer(bert).fit_transform(["cat", " "])
    assert not found[1].any()
    found = ContextVectorizer(bert, unknown="mean").fit_transform(["cat", " "])
    np.testing.assert_array_equal(found[0], found[1])
    with pytest.raises(firth.UnknownWordError):
        ContextVectorizer(bert, unknown="error").fit_transform(["cat", ""])


# --- as scikit-learn wants them


@pytest.fixture(params=["words", "contexts"])
def vectorizer(request, vectors, bert):
    return WordVectorizer(vectors) if request.param == "words" else ContextVectorizer(bert)


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_get_params_invariance",
        "check_set_params",
        "check_mixin_order",
    ],
)
def test_estimator_checks(vectorizer, name):
    """Those that need no array of numbers: scikit-learn has none for what takes texts."""
    getattr(estimator_checks, name)(type(vectorizer).__name__, clone(vectorizer))


def test_a_clone_shares_the_model_and_is_not_fitted(vectors):
    fitted = WordVectorizer(vectors, weighting="tfidf").set_output(transform="default").fit(TEXTS)
    twin = clone(fitted)
    assert twin.vectors is vectors
    assert twin.get_params() == fitted.get_params()
    assert twin._sklearn_output_config == fitted._sklearn_output_config
    with pytest.raises(NotFittedError):
        twin.transform(TEXTS)


def test_features_have_names(vectors, vectorizer):
    names = WordVectorizer(vectors).fit(TEXTS).get_feature_names_out()
    assert names.tolist() == ["wordvectorizer0", "wordvectorizer1", "wordvectorizer2"]
    with pytest.raises(NotFittedError):
        vectorizer.transform(["cat"])
    assert len(vectorizer.fit(["cat"]).get_feature_names_out()) == vectorizer.transform(["cat"]).shape[1]


def test_in_a_pipeline_and_a_search(vectors):
    texts, labels = ["cat sat", "dog ran", "cat", "dog", "cat ran", "dog sat"] * 3, [0, 1] * 9
    pipeline = make_pipeline(WordVectorizer(vectors), LogisticRegression())
    search = GridSearchCV(pipeline, {"wordvectorizer__weighting": ["mean", "tfidf", "sif"]}, cv=3)
    search.fit(np.array(texts, object), labels)
    assert search.predict(["a cat"]) == [0]
    assert search.best_score_ == 1
    assert search.best_estimator_[0].vectors is vectors


def test_in_another_process(vectors, bert, tmp_path):
    vectors.save(tmp_path / "vectors")
    for fitted in (WordVectorizer(tmp_path / "vectors").fit(TEXTS), WordVectorizer(vectors).fit(TEXTS)):
        again = pickle.loads(pickle.dumps(fitted))
        np.testing.assert_array_equal(again.transform(TEXTS), fitted.transform(TEXTS))
    by_path = pickle.dumps(WordVectorizer(tmp_path / "vectors").fit(TEXTS))
    assert "开心".encode() not in by_path
    fitted = ContextVectorizer(bert).fit(["cat"])
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_allclose(again.transform(["a cat"]), fitted.transform(["a cat"]), atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("cat", "one string"),
        ([], "empty"),
        (np.zeros((3, 2)), "2 dimensions"),
        ([1.5, "cat"], "text 0 is 1.5; a string is due"),
        (["cat", float("nan")], "text 1 is nan"),
        (["cat", ["dog", 3]], "text 1 is"),
        (7, "X is a int"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_texts(vectorizer, texts, message):
    with pytest.raises(ValueError, match=message) as raised:
        vectorizer.fit(texts)
    assert isinstance(raised.value, firth.UsageError)
    fitted = vectorizer.fit(["cat"])
    with pytest.raises(ValueError, match=message):
        fitted.transform(texts)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weighting": "idf"}, "weighting is 'idf'; there are mean, tfidf, sif"),
        ({"unknown": "drop"}, "unknown is 'drop'; there are zeros, mean, nan, error"),
        ({"smoothing": 0}, "smoothing is 0"),
        ({"vectors": 3}, "vectors is a int"),
    ],
)
def test_parameters_out_of_range(vectors, given, message):
    with pytest.raises(ValueError, match=message):
        WordVectorizer(**{"vectors": vectors} | given).fit(TEXTS)


def test_pools_that_there_are_not(bert):
    with pytest.raises(ValueError, match="pool is 'first'; there are mean, cls, last"):
        ContextVectorizer(bert, pool="first").fit(["cat"])


def test_without_scikit_learn(monkeypatch):
    for name in ("firth.sklearn", "firth.estimators", "firth.vectorizers"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(firth.FirthError, match=r"pip install 'firth\[sklearn\]'"):
        importlib.import_module("firth.sklearn")


def test_nothing_warns_where_all_is_known(vectors):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        WordVectorizer(vectors).fit_transform(TEXTS)


def test_what_is_set_after_fitting_is_looked_at(vectors, bert):
    fitted = ContextVectorizer(bert).fit(["cat"]).set_params(unknown="mean")
    with pytest.raises(ValueError, match="learnt no mean: fit again"):
        fitted.transform(["cat", ""])
    for vectorizer in (fitted, WordVectorizer(vectors).fit(TEXTS)):
        with pytest.raises(ValueError, match="unknown is 'drop'; there are zeros"):
            vectorizer.set_params(unknown="drop").transform(["cat"])
    fitted = WordVectorizer(vectors).fit(TEXTS).set_params(unknown="mean")
    np.testing.assert_allclose(fitted.transform(["☃"])[0], fitted.mean_, rtol=1e-6)


def test_words_of_n_grams_have_vectors_by_either():
    family = firth.Skipgram(dim=4, min_count=1, sample=0.0, subwords="3-5", buckets=500)
    model = firth.train(family, ["he walks and talks"] * 9, epochs=2, threads=1)
    expected = model.vectors[["walks", "walking"]].mean(axis=0)
    for vectorizer in (WordVectorizer(model), ContextVectorizer(model)):
        np.testing.assert_allclose(vectorizer.fit_transform(["walks walking qqq"])[0], expected, atol=1e-6)
