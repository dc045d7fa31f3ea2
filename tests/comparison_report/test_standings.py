from typing import Any

import pytest
from invented_comparison import invented

from firth.comparison_report.reading import Comparison
from firth.comparison_report.standings import Contest, at_layers, contests
from firth.errors import FirthError


def report(*variants: dict[str, Any], **parts: Any) -> Comparison:
    return Comparison.read({"variants": list(variants), **parts})


def model(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "family": "skipgram", **more}


def score(variant: str, value: float | None, **more: Any) -> dict[str, Any]:
    return {
        "variant": variant,
        "kind": "similarity",
        "set": "s",
        "measure": "spearman",
        "score": value,
        "layer": 0,
    } | more


def tie(a: str, b: str, is_tie: bool, **more: Any) -> dict[str, Any]:
    return {"kind": "similarity", "set": "s", "measure": "spearman", "a": a, "b": b, "tie": is_tie} | more


def only(found: Comparison) -> Contest:
    (contest,) = contests(found)
    return contest


class TestReading:
    def test_what_is_missing_is_told(self) -> None:
        with pytest.raises(FirthError, match="lacks variants in the report"):
            Comparison.read({})
        with pytest.raises(FirthError, match="lacks kind, set, measure in scores"):
            report(model("a"), scores=[{"variant": "a"}])

    def test_null_is_the_default_and_the_unknown_is_passed_over(self) -> None:
        found = report(model("a", hyperparameters=None, colour="red"), runs=None, corpus=None)
        assert found.variants[0].hyperparameters == {}
        assert (found.runs, found.corpus) == ((), {})

    def test_names(self) -> None:
        with pytest.raises(FirthError, match="alike"):
            report(model("a"), model("a"))
        with pytest.raises(FirthError, match="none of its variants"):
            report(model("a"), scores=[score("b", 1.0)])

    def test_the_invented_report_reads(self) -> None:
        found = Comparison.read(invented())
        assert found.variant("random").random
        assert not found.variant("random").is_compared
        assert found.place["cbow"] == 1


class TestContests:
    def test_the_mean_over_seeds_and_their_spread(self) -> None:
        scores = [score("a", 0.4, seed=1, low=0.3, high=0.5), score("a", 0.6, seed=2, low=0.5, high=0.7)]
        (standing,) = only(report(model("a"), scores=scores)).standings
        assert (standing.score, standing.low, standing.high) == (
            pytest.approx(0.5),
            pytest.approx(0.4),
            pytest.approx(0.6),
        )
        assert (standing.spread, standing.n_seeds) == ((0.4, 0.6), 2)

    def test_leaders_are_the_best_and_what_ties_with_it(self) -> None:
        scores = [score("a", 0.5), score("b", 0.49), score("c", 0.2), score("d", 0.48)]
        models = [model(name) for name in "abcd"]
        ties = [tie("b", "a", True), tie("a", "c", False)]
        found = only(report(*models, scores=scores, differences=ties))
        assert [one.variant for one in found.standings] == ["a", "b", "d", "c"]
        assert found.leaders == ("a", "b", "d")
        assert found.untested == ("d",)  # nobody tested it, so nothing is claimed

    def test_of_contradicting_tests_the_tie_counts(self) -> None:
        ties = [tie("a", "b", True), tie("a", "b", False)]
        found = only(report(model("a"), model("b"), scores=[score("a", 0.5), score("b", 0.1)], differences=ties))
        assert found.leaders == ("a", "b")

    def test_random_and_published_models_lead_nothing(self) -> None:
        models = [model("a"), model("r", random=True), model("p", published=True)]
        scores = [score("a", 0.1), score("r", 0.3), score("p", 0.9)]
        found = only(report(*models, scores=scores, differences=[tie("a", "r", False), tie("a", "p", False)]))
        assert [one.variant for one in found.standings] == ["p", "r", "a"]
        assert found.leaders == ("a",)
        assert found.beat_random is False

    @pytest.mark.parametrize(("is_tie", "beat"), [(False, True), (True, False)])
    def test_better_than_random(self, is_tie: bool, beat: bool) -> None:
        models = [model("a"), model("r", random=True)]
        scores = [score("a", 0.5), score("r", 0.3)]
        assert only(report(*models, scores=scores, differences=[tie("r", "a", is_tie)])).beat_random is beat
        assert only(report(*models, scores=scores)).beat_random is None

    def test_less_is_better_of_some_measures(self) -> None:
        scores = [score("a", 2.0, measure="bits_per_byte"), score("b", 1.0, measure="bits_per_byte")]
        found = only(report(model("a"), model("b"), scores=scores))
        assert [one.variant for one in found.standings] == ["b", "a"]
        told = [score("a", 2.0, better="lower"), score("b", 1.0, better="lower")]
        assert only(report(model("a"), model("b"), scores=told)).is_lower_better

    def test_scores_over_the_words_that_all_know_go_first(self) -> None:
        scores = [score("a", 0.9, words="own"), score("a", 0.3, words="common"), score("b", 0.8, words="own")]
        found = only(report(model("a"), model("b"), scores=scores))
        assert (found.words, [(one.variant, one.score) for one in found.standings]) == ("common", [("a", 0.3)])

    def test_missing_scores_are_left_out(self) -> None:
        assert contests(report(model("a"), scores=[score("a", None)])) == ()


class TestLayers:
    LAYERS = tuple(score("a", value, layer=layer) for layer, value in enumerate((0.9, 0.5, 0.4)))

    def test_the_chosen_layer(self) -> None:
        chosen = [{"variant": "a", "kind": "similarity", "set": "s", "layer": 1, "chosen_by": "half"}]
        (standing,) = only(report(model("a"), scores=self.LAYERS, best_layers=chosen)).standings
        assert (standing.layer, standing.score, standing.chosen_by) == (1, 0.5, "half")

    def test_never_silently_the_best_one(self) -> None:
        (standing,) = only(report(model("a"), scores=self.LAYERS)).standings
        assert (standing.layer, standing.score) == (2, 0.4)

    def test_a_score_on_the_other_half_goes_first(self) -> None:
        chosen = [
            {"variant": "a", "kind": "similarity", "set": "s", "layer": 1, "score": 0.45, "low": 0.4, "high": 0.5}
        ]
        (standing,) = only(report(model("a"), scores=self.LAYERS, best_layers=chosen)).standings
        assert (standing.layer, standing.score, standing.low) == (1, 0.45, 0.4)

    def test_a_model_with_one_layer_is_scored_on_the_same_half(self) -> None:
        half = [{"variant": "b", "kind": "similarity", "set": "s", "layer": 0, "score": 0.2, "n_items": 83}]
        scores = [score("b", 0.3, n_items=166, n_known=150)]
        (standing,) = only(report(model("b"), scores=scores, best_layers=half)).standings
        assert standing.n_known == 150
        assert (standing.layer, standing.score, standing.n_items) == (0, 0.2, 166)

    def test_seeds_scored_on_the_other_half_are_counted(self) -> None:
        half = [
            {"variant": "b", "kind": "similarity", "set": "s", "layer": 0, "score": seed / 10, "seed": seed}
            for seed in (1, 2, 3)
        ]
        (standing,) = only(report(model("b"), scores=[score("b", 0.3)], best_layers=half)).standings
        assert (standing.n_seeds, standing.spread) == (3, (0.1, 0.3))

    def test_each_seed_has_its_own_choice(self) -> None:
        scores = [score("a", seed / 10 + layer, layer=layer, seed=seed) for layer in (0, 1) for seed in (1, 2)]
        chosen = [
            {"variant": "a", "kind": "similarity", "set": "s", "layer": seed - 1, "seed": seed} for seed in (1, 2)
        ]
        (standing,) = only(report(model("a"), scores=scores, best_layers=chosen)).standings
        assert (standing.layer, standing.score) == (None, pytest.approx((0.1 + 1.2) / 2))

    def test_layer_by_layer(self) -> None:
        found = report(model("a"), model("b"), scores=[*self.LAYERS, score("b", 0.7, layer=None)])
        (contest,) = contests(found)
        every = at_layers(found, contest.key, contest.words)
        assert {name: [one.score for one in layers] for name, layers in every.items()} == {"a": [0.9, 0.5, 0.4]}
