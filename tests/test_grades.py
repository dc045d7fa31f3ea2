import numpy as np
import pytest
from grading import Candidate, graded

from firth.errors import FirthError
from firth.evaluation import Analogy, WordPair
from firth.grades import Questions, chosen_words, coverage, take_items, words_of
from firth.groups import Group
from firth.vectors import Vectors

WORDS = [f"w{number}" for number in range(40)]
PAIRS = [WordPair(f"w{number}", f"w{number + 1}", float(number)) for number in range(0, 40, 2)]


def cosines(values: list[float], n_layers: int = 1) -> np.ndarray:
    """(layer, word, 2): words stand in pairs whose cosine is one of `values`, times -1 in every other layer."""
    rows = []
    for value in values:
        rows += [[1.0, 0.0], [value, np.sqrt(1 - value**2)]]
    array = np.array(rows, np.float32)
    return np.stack([array * ([1, 1] if layer % 2 == 0 else [(-1) ** 1, 1]) for layer in range(n_layers)])


def candidate(name: str, values: list[float], *, seed: int = 1, n_layers: int = 1) -> Candidate:
    array = cosines(values, n_layers)
    if n_layers > 1:
        array[1::2, 1::2, 0] *= -1  # what is near in one layer is far in the next
        array[1::2, 0::2, 0] = 1.0
        array[1::2, 1::2, 0] = -array[0, 1::2, 0]
    return Candidate(name, seed, Vectors(WORDS, array))


RISING = [number / 20 for number in range(20)]
SETS = [Questions("pairs", "similarity", PAIRS)]


def test_a_perfect_model_is_better_than_its_reverse_and_no_tie() -> None:
    found = graded(
        [candidate("good", RISING), candidate("bad", RISING[::-1])], SETS, WORDS, shown=["w0"], n_samples=2000
    )
    scores = {one["variant"]: one["score"] for one in found.scores}
    assert scores == {"good": pytest.approx(1.0), "bad": pytest.approx(-1.0)}
    (difference,) = found.differences
    assert difference["difference"] == pytest.approx(2.0)
    assert difference["p_corrected"] < 0.05
    assert not difference["tie"]


def test_equal_models_are_a_tie() -> None:
    found = graded([candidate("one", RISING), candidate("other", RISING)], SETS, WORDS, n_samples=200)
    assert [one["tie"] for one in found.differences] == [True]
    assert found.differences[0]["difference"] == 0


def test_the_layer_is_chosen_on_one_half_and_scored_on_the_other() -> None:
    found = graded([candidate("deep", RISING, n_layers=2), candidate("flat", RISING)], SETS, WORDS, n_samples=200)
    best = {one["variant"]: one for one in found.best_layers}
    assert best["deep"]["layer"] == 0
    assert best["deep"]["n_scored"] == best["flat"]["n_scored"] == 10
    assert (best["deep"]["n_items"], best["deep"]["n_known"]) == (20, 20)
    assert "half" in best["deep"]["chosen_by"]
    assert {(one["layer"], round(one["score"])) for one in found.scores if one["variant"] == "deep"} == {
        (0, 1),
        (1, -1),
    }


def test_seeds_are_told_apart() -> None:
    both = [candidate("mixed", RISING, seed=1), candidate("mixed", RISING[::-1], seed=2), candidate("good", RISING)]
    found = graded(both, SETS, WORDS, n_samples=200)
    best = {(one["variant"], one["seed"]): one["score"] for one in found.best_layers}
    assert best == pytest.approx({("mixed", 1): 1.0, ("mixed", 2): -1.0, ("good", 1): 1.0})
    assert len(found.scores) == 3


def test_only_words_that_all_know_count_and_coverage_is_told() -> None:
    few = Candidate("few", 1, Vectors(WORDS[:30], cosines(RISING)[:, :30]))
    found = graded([candidate("all", RISING), few], SETS, WORDS, n_samples=200)
    assert found.n_words == [30]
    assert {(one["n_items"], one["n_known"]) for one in found.scores} == {(20, 15)}
    assert coverage(few.vectors, SETS) == [{"set": "pairs", "n_items": 20, "n_known": 15}]


def test_coverage_counts_what_scores_count() -> None:
    groups = [Group("w", ("w0", "w1", "w2"), ("w3", "w39", "w38"))]
    few = Candidate("few", 1, Vectors(WORDS[:30], cosines(RISING)[:, :30]))
    asked = [Questions("odd", "outliers", groups)]
    found = graded([candidate("all", RISING), few], asked, WORDS, n_samples=50)
    told = [one for vectors in (candidate("all", RISING).vectors, few.vectors) for one in coverage(vectors, asked)]
    assert {one["n_items"] for one in (*found.scores, *told)} == {3}
    assert [one["n_known"] for one in told] == [3, 1]


def test_a_model_that_knows_next_to_nothing_does_not_spoil_the_others() -> None:
    few = Candidate("few", 1, Vectors(WORDS[:4], cosines(RISING)[:, :4]))
    found = graded([candidate("all", RISING), few], SETS, WORDS, n_samples=200)
    assert found.n_words == [40]
    assert any("few, seed 1, has vectors of 4 of the 40 words" in sentence for sentence in found.missing)
    assert {one["variant"] for one in found.scores} == {"all"}


def test_each_seed_has_the_words_that_its_own_models_know() -> None:
    few = Candidate("a", 2, Vectors(WORDS[:30], cosines(RISING)[:, :30]))
    found = graded([candidate("a", RISING), few, candidate("b", RISING, seed=2)], SETS, WORDS)
    assert found.n_words == [40, 30]
    assert {(one["variant"], one["seed"]): one["n_known"] for one in found.scores} == {
        ("a", 1): 20,
        ("a", 2): 15,
        ("b", 2): 15,
    }
    assert {one["n_scored"] for one in found.best_layers} == {15}


def test_models_without_a_word_in_common_are_refused() -> None:
    other = Candidate("other", 1, Vectors([f"v{word}" for word in WORDS], cosines(RISING)))
    with pytest.raises(FirthError, match="in common"):
        graded([other], SETS, WORDS)


def test_neighbours_are_those_of_the_common_words_and_overlap_with_themselves() -> None:
    found = graded([candidate("one", RISING), candidate("other", RISING)], SETS, WORDS, shown=["w0"], n_samples=50)
    assert {one["word"] for one in found.neighbours} == {"w0"}
    assert all(len(one["neighbours"]) == 10 for one in found.neighbours)
    assert {one["jaccard"] for one in found.overlaps} == {1.0}


def test_items_from_elsewhere_are_corrected_together_with_the_others() -> None:
    found = graded([candidate("one", RISING), candidate("other", RISING[::-1])], SETS, WORDS, n_samples=500)
    alone = found.differences[0]["p_corrected"]
    right = {"one": {0: {1: np.ones(30)}}, "other": {0: {1: np.zeros(30)}}}
    take_items(found, ("use", "sst2", "accuracy", "features"), right, n_samples=500)
    assert len(found.differences) == 2
    assert found.differences[0]["p_corrected"] >= alone
    assert found.differences[1]["layer_a"] is None
    assert not found.differences[1]["tie"]


def test_the_words_of_a_question_are_found_whatever_it_is() -> None:
    assert list(words_of(PAIRS[0])) == ["w0", "w1"]
    assert list(words_of(Analogy("capitals", "a", "b", "c", "d"))) == ["a", "b", "c", "d"]


def test_words_to_show_are_neither_the_most_frequent_nor_missing() -> None:
    shown = chosen_words(SETS, WORDS)
    assert shown
    assert set(shown) <= set(WORDS[4:])
