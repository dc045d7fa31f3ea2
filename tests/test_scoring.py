import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from firth.errors import UsageError
from firth.scoring import compared, schemas, score, told

LABELS = st.sampled_from(["a", "b", "c"])
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)
BIO = st.lists(st.sampled_from(["O", "B-A", "I-A", "B-B", "I-B"]), min_size=1, max_size=8)


class TestLabels:
    def test_a_case_worked_by_hand(self) -> None:
        found = score("classify", ["a", "a", "b", "b"], ["a", "b", "b", "b"], labels=("a", "b"))
        assert found.confusion.tolist() == [[1, 1], [0, 2]]
        assert found.values["accuracy"] == found.value == 0.75
        assert found.values["macro_f1"] == pytest.approx((2 / 3 + 4 / 5) / 2)
        assert found.values["mcc"] == pytest.approx((1 * 2 - 0 * 1) / np.sqrt(1 * 3 * 2 * 2))
        assert found.per_label[0] == ("a", 1.0, 0.5, pytest.approx(2 / 3), 2, 1)
        assert (found.main, found.n, found.labels) == ("accuracy", 4, ("a", "b"))
        assert json.loads(json.dumps(found.settings()))["confusion"] == [[1, 1], [0, 2]]

    @settings(max_examples=25)
    @given(PAIRS)
    def test_scores_are_those_of_scikit_learn(self, pairs: list[tuple[str, str]]) -> None:
        from sklearn import metrics

        gold, predicted = map(list, zip(*pairs, strict=True))
        assume(len({*gold, *predicted}) > 1)  # scikit-learn warns of one label
        found = score("classify", gold, predicted)
        assert found.values["accuracy"] == pytest.approx(metrics.accuracy_score(gold, predicted))
        assert found.values["macro_f1"] == pytest.approx(
            metrics.f1_score(gold, predicted, average="macro", zero_division=0.0)
        )
        assert found.values["mcc"] == pytest.approx(metrics.matthews_corrcoef(gold, predicted), abs=1e-9)
        expected = metrics.precision_recall_fscore_support(gold, predicted, labels=found.labels, zero_division=0.0)
        assert [one[1:5] for one in found.per_label] == [
            pytest.approx(row) for row in zip(*(part.tolist() for part in expected), strict=True)
        ]

    def test_labels_that_training_does_not_have_come_last(self) -> None:
        found = score("classify", ["a", "z"], ["b", "b"], labels=("a", "b"))
        assert found.labels == ("a", "b", "z")
        assert found.values["mcc"] == 0.0

    @pytest.mark.parametrize(("gold", "predicted"), [([], []), (["a"], ["a", "b"])])
    def test_as_many_of_both_are_due(self, gold: list[str], predicted: list[str]) -> None:
        with pytest.raises(UsageError, match="as many of both are due"):
            score("classify", gold, predicted)


class TestNumbers:
    def test_correlations_are_those_of_scipy(self) -> None:
        from scipy import stats

        rng = np.random.default_rng(0)
        gold = rng.integers(0, 6, 50) / 2
        predicted = gold + rng.normal(size=50)
        found = score("pair", gold, predicted, is_regression=True)
        assert found.value == found.values["pearson"] == pytest.approx(stats.pearsonr(gold, predicted)[0])
        assert found.values["spearman"] == pytest.approx(stats.spearmanr(gold, predicted)[0])

    def test_a_constant_has_no_correlation(self) -> None:
        found = score("pair", [1.0, 2.0], [3.0, 3.0], is_regression=True)
        assert found.values == {"pearson": 0.0, "spearman": 0.0, "rmse": pytest.approx(np.sqrt(2.5))}


class TestTags:
    def test_parts_of_speech_by_word(self) -> None:
        found = score("tag", [("X", "Y"), ("X",)], [["X", "X"], ["X"]])
        assert (found.main, found.value, found.n) == ("accuracy", pytest.approx(2 / 3), 3)
        assert found.confusion.tolist() == [[2, 0], [1, 0]]

    @pytest.mark.parametrize(
        ("gold", "predicted"),
        [
            ("B-A I-A O B-B O S", "B-A I-A O B-A O S"),
            ("B-A E-A O S-B O S-C", "B-A E-A O S-A O S-C"),
            ("B-A M-A E-A S-B O S-C", "B-A M-A E-A S-C O S-C"),
        ],
    )
    def test_entities_by_span_and_type(self, gold: str, predicted: str) -> None:
        due, came = (tags.removesuffix(" S").split() for tags in (gold, predicted))
        found = score("tag", [due], [came])
        n_due = 2 if "I-A" in due else 3
        assert found.main == "f1"
        assert found.value == pytest.approx((n_due - 1) / n_due)
        assert found.values["accuracy"] == pytest.approx((len(due) - 1) / len(due))
        assert [one.label for one in found.per_label] == sorted({tag[2:] for tag in (*due, *came) if tag != "O"})

    def test_a_span_that_is_longer_is_wrong(self) -> None:
        found = score("tag", [["B-A", "I-A", "O"]], [["B-A", "I-A", "I-A"]])
        assert (found.value, found.values["precision"]) == (0.0, 0.0)

    @settings(max_examples=40)
    @given(st.lists(BIO, min_size=1, max_size=5), st.randoms(use_true_random=False))
    def test_exact_spans_are_the_strict_schema_of_nervaluate(self, gold: list[list[str]], random: Any) -> None:
        choices = ["O", "B-A", "I-A", "B-B", "I-B"]
        predicted = [[tag if random.random() < 0.7 else random.choice(choices) for tag in tags] for tags in gold]
        found = score("tag", gold, predicted, labels=choices)
        strict = schemas(gold, predicted).get("strict")
        if strict is None:
            assert found.value == 0.0
        else:
            assert found.values["precision"] == pytest.approx(strict.precision)
            assert found.values["recall"] == pytest.approx(strict.recall)
            assert found.value == pytest.approx(strict.f1)

    def test_other_schemas_are_milder(self) -> None:
        found = schemas([["B-A", "I-A", "O", "S-B"]], [["B-A", "E-A", "I-A", "S-A"]])
        assert {"strict", "exact", "partial", "ent_type"} <= set(found)
        assert found["strict"].f1 < found["exact"].f1

    def test_sentences_of_different_lengths(self) -> None:
        with pytest.raises(UsageError, match="sentence 1 has 2 tags, and 1 are predicted"):
            score("tag", [["X"], ["X", "Y"]], [["X"], ["X"]])


class TestCompared:
    def test_equal_runs_do_not_differ(self) -> None:
        found = compared("classify", ["a", "b"] * 20, ["a", "a"] * 20, ["a", "a"] * 20, n_samples=200)
        assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)

    def test_a_run_that_is_clearly_better(self) -> None:
        gold = ["a", "b"] * 100
        found = compared("classify", gold, ["a"] * 200, gold, n_samples=1000)
        assert (found.first, found.second, found.difference) == (0.5, 1.0, 0.5)
        assert 0.4 < found.low < 0.5 < found.high < 0.6
        assert 0 < found.p < 1 / 1001
        assert found == compared("classify", gold, ["a"] * 200, gold, n_samples=1000)
        assert told(found).startswith("accuracy 0.5000 and 1.0000: +0.5000 (95% of 1,000 samples between +0.4")

    def test_chance_is_no_difference(self) -> None:
        rng = np.random.default_rng(0)
        gold = rng.integers(0, 2, 200).astype(str).tolist()
        first, second = (np.where(rng.random(200) < 0.8, gold, "2").tolist() for _ in range(2))
        assert compared("classify", gold, first, second, n_samples=1000).p > 0.05

    @pytest.mark.parametrize(
        ("task", "gold", "first", "second", "is_regression", "name"),
        [
            ("tag", [["B-A", "O"], ["O", "B-A"]] * 9, [["O", "O"]] * 18, [["B-A", "O"]] * 18, False, "f1"),
            ("tag", [["X", "Y"]] * 9, [["X", "X"]] * 9, [["X", "Y"]] * 9, False, "accuracy"),
            ("pair", [1.0, 2.0, 3.0] * 9, [3.0, 2.0, 1.0] * 9, [1.0, 2.5, 3.0] * 9, True, "pearson"),
        ],
    )
    def test_the_score_of_the_task(
        self, task: Any, gold: Any, first: Any, second: Any, is_regression: bool, name: str
    ) -> None:
        found = compared(task, gold, first, second, is_regression=is_regression, n_samples=100)
        assert found.name == name
        for run, value in ((first, found.first), (second, found.second)):
            assert value == pytest.approx(score(task, gold, run, is_regression=is_regression).value)
        assert found.low <= found.difference <= found.high
        assert found.p < 0.05

    @pytest.mark.parametrize(
        ("task", "gold", "first", "is_regression"),
        [
            ("classify", ["a"] * 5, ["b"] * 5, False),
            ("tag", [["B-A", "O"]] * 5, [["O", "O"]] * 5, False),
            ("tag", [["X", "Y"]] * 5, [["X", "X"]] * 5, False),
            ("pair", [1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 4.0, 3.5, 2.0, 1.0], True),
        ],
    )
    def test_of_five_examples_nothing_is_told_apart(
        self, task: Any, gold: list[Any], first: list[Any], is_regression: bool
    ) -> None:
        found = compared(task, gold, first, gold, is_regression=is_regression, n_samples=500)
        assert found.difference > 0.4
        assert found.p >= found.least_p == 2**-4
        assert told(found).endswith("too few examples for any difference to be more than chance (p < 0.05))")

    def test_examples_that_do_not_differ_say_nothing(self) -> None:
        gold = ["a", "b"] * 100
        found = compared("classify", gold, ["b", "a", "b", *gold[3:]], gold, n_samples=500)
        assert (found.p, found.least_p) == (0.25, 0.25)
        enough = compared("classify", gold, ["b", "a"] * 4 + gold[8:], gold, n_samples=500)
        assert enough.p < 0.05
        assert "too few" not in told(enough)

    def test_the_number_of_samples(self) -> None:
        with pytest.raises(UsageError, match="n_samples is 0"):
            compared("classify", ["a"], ["a"], ["a"], n_samples=0)
