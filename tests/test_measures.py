"""One shape of score for every kind of set, and the words that all models know."""

import numpy as np
import pytest

from firth.errors import FirthError, UsageError
from firth.evaluation import Analogy, WordPair
from firth.groups import Category, Group
from firth.measures import in_common, measured
from firth.significance import value
from firth.vectors import Vectors

WORDS = ["man", "woman", "king", "queen", "boy", "girl"]
ARRAY = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]], np.float32)
QUESTIONS = {
    "similarity": [WordPair("king", "queen", 3.0), WordPair("king", "girl", 1.0), WordPair("king", "unheard", 2.0)],
    "analogy": [Analogy("royal", "man", "king", "woman", "queen"), Analogy("royal", "man", "king", "woman", "unheard")],
    "outliers": [Group("royal", ("king", "queen"), ("boy", "unheard"))],
    "categories": [Category("king", "royal"), Category("queen", "royal"), Category("unheard", "young")],
}


@pytest.mark.parametrize(
    ("kind", "scores", "n"),
    [
        ("similarity", [("spearman", None)], (3, 2)),
        ("analogy", [("accuracy", "3cosadd"), ("accuracy", "3cosmul")], (2, 1)),
        ("outliers", [("accuracy", None), ("opp", None)], (2, 1)),
        ("categories", [("purity", None)], (3, 2)),
    ],
)
def test_scores_are_those_of_their_items(kind, scores, n):
    found = measured(Vectors(WORDS, ARRAY), kind, QUESTIONS[kind])
    assert [(one.measure, one.method) for one in found] == scores
    for one in found:
        assert (one.kind, one.n_items, one.n_known, one.unknown) == (kind, *n, ("unheard",))
        assert one.coverage == pytest.approx(n[1] / n[0])
        assert one.score == pytest.approx(value(one.measure, one.items))


def test_a_method_may_be_chosen():
    (found,) = measured(Vectors(WORDS, ARRAY), "analogy", QUESTIONS["analogy"], methods=["3cosmul"])
    assert (found.method, found.score) == ("3cosmul", 1)


def test_sets_of_sentences_are_measured_elsewhere():
    with pytest.raises(UsageError, match="scws is of words in sentences"):
        measured(Vectors(WORDS, ARRAY), "scws", [])


def test_words_in_common():
    one = Vectors(["The", "cat", "dog", "mat", "the"], np.arange(10).reshape(5, 2))
    two = Vectors(["dog", "the", "log", "CAT"], np.arange(24).reshape(3, 4, 2) + 100, provenance={"layers": [0, 2, 5]})
    first, second = in_common([one, two])
    assert first.words == second.words == ["The", "dog", "cat"]  # rows 0 and 1, 2 and 0, 1 and 3
    np.testing.assert_array_equal(first.matrix, one.matrix[[0, 2, 1]])
    np.testing.assert_array_equal(second.array, two.array[:, [1, 0, 3]])
    assert second.layer_numbers == [0, 2, 5]
    assert second.layer(2).n_layers == 1
    with pytest.raises(FirthError, match="no word that all 2 vocabularies have"):
        in_common([one, Vectors(["elsewhere"], [[1, 0]])])
    with pytest.raises(FirthError, match="no word"):
        in_common([one, two], restrict=1)


def test_a_small_vocabulary_gains_nothing():
    """A model that knows the right answer alone is right by itself, and over common words as good as the other."""
    array = np.array([[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 1, 0.8]], np.float32)
    ruler = np.array([[np.sqrt(0.5) - 1, 1, np.sqrt(0.5)]], np.float32)  # king - man + woman
    small = Vectors(["man", "king", "woman", "queen"], array)
    large = Vectors(["man", "king", "woman", "queen", "ruler"], np.vstack([array, ruler]))
    asked = QUESTIONS["analogy"][:1]
    alone = [measured(one, "analogy", asked)[0].score for one in (small, large)]
    assert alone == [1, 0]
    assert [measured(one, "analogy", asked)[0].score for one in in_common([small, large])] == [1, 1]
