from typing import Any

import pytest
from invented_comparison import EVIL, hostile, invented

import firth.comparison_report as comparison_report
from firth.comparison_report.answers import number, size_of, verdicts
from firth.comparison_report.language import CHINESE, speaker
from firth.comparison_report.reading import Comparison
from firth.errors import UsageError

SAY = speaker("en")


def made(scores: dict[str, dict[str, float]], ties: list[tuple[str, str, str]], **more: Any) -> Comparison:
    """A report of sets of word pairs: every pair of models differs but for the ties, which name the set too."""
    names = list(dict.fromkeys(name for of_set in scores.values() for name in of_set))
    variants = [{"name": name, "family": "cbow", "random": name == "random"} for name in names]
    numbers = [
        {"variant": name, "kind": "similarity", "set": of, "measure": "spearman", "layer": 0, "score": value}
        for of, of_set in scores.items()
        for name, value in of_set.items()
    ]
    differences = [
        {"kind": "similarity", "set": of, "measure": "spearman", "a": one, "b": other,
         "tie": (of, one, other) in ties or (of, other, one) in ties}
        for of in scores
        for place, one in enumerate(names)
        for other in names[place + 1 :]
    ]  # fmt: skip
    return Comparison.read({"variants": variants, "scores": numbers, "differences": differences, **more})


def sentence(found: Comparison) -> str:
    (verdict,) = verdicts(found, SAY)
    return verdict.sentence


class TestVerdicts:
    def test_one_ahead_everywhere(self) -> None:
        found = made({"x": {"a": 0.5, "b": 0.3}, "y": {"a": 0.4, "b": 0.2}}, [])
        assert verdicts(found, SAY)[0].families == ("a",)
        assert sentence(found) == (
            "For neighbours and word similarity, take a (x: a 0.500, then b 0.300; y: a 0.400, then b 0.200)."
        )

    def test_a_tie_is_never_claimed(self) -> None:
        found = made({"x": {"a": 0.5, "b": 0.3}}, [("x", "a", "b")])
        assert verdicts(found, SAY)[0].families == ("a", "b")
        assert "no difference could be shown between a and b" in sentence(found)
        assert "take" not in sentence(found)

    def test_two_ahead_of_a_third(self) -> None:
        found = made({"x": {"a": 0.5, "b": 0.49, "c": 0.1}}, [("x", "a", "b")])
        assert "a and b are a tie, ahead of the others (x: a 0.500 and b 0.490, then c 0.100)" in sentence(found)

    def test_ahead_on_one_set_and_among_others_on_another(self) -> None:
        found = made({"x": {"a": 0.5, "b": 0.1}, "y": {"a": 0.5, "b": 0.51}}, [("y", "a", "b")])
        assert verdicts(found, SAY)[0].families == ("a",)
        assert "it is not alone in front on y" in sentence(found)

    def test_sets_that_disagree(self) -> None:
        found = made({"x": {"a": 0.5, "b": 0.1}, "y": {"a": 0.1, "b": 0.5}}, [])
        assert verdicts(found, SAY)[0].families == ()
        assert "it depends on the set" in sentence(found)

    def test_never_alone_in_front(self) -> None:
        found = made({"x": {"a": 0.5, "b": 0.5, "c": 0.1}, "y": {"a": 0.5, "b": 0.1, "c": 0.5}},
                     [("x", "a", "b"), ("y", "a", "c")])  # fmt: skip
        assert "a is never measurably behind, but never alone in front either" in sentence(found)

    def test_alone(self) -> None:
        assert "only a was measured" in sentence(made({"x": {"a": 0.5}}, []))

    def test_no_better_than_random(self) -> None:
        found = made({"x": {"a": 0.1, "b": 0.0, "random": 0.09}}, [("x", "a", "random")])
        assert "On x none is shown to be better than the random table." in sentence(found)
        assert "random" not in sentence(made({"x": {"a": 0.4, "b": 0.0, "random": 0.09}}, []))

    def test_the_smallest_of_a_tie(self) -> None:
        def told(matrices_bytes: int | None) -> str:
            runs = [{"variant": "a", "bytes": 30_000_000, "matrices_bytes": 0},
                    {"variant": "b", "bytes": 12_000_000, "matrices_bytes": matrices_bytes}]  # fmt: skip
            return sentence(made({"x": {"a": 0.5, "b": 0.49}}, [("x", "a", "b")], runs=runs))

        assert "Of these b takes the least disk space (12 MB)." in told(0)
        assert "Of these a takes the least disk space (30 MB)." in told(50_000_000)  # which were scored
        assert "disk space" not in told(None)


class TestAnswer:
    def test_it_says_what_was_compared_and_whom_to_take(self) -> None:
        told = comparison_report.answer(invented())
        assert told.startswith(
            "skipgram, cbow, glove, elmo, gpt and bert, each trained on wiki.txt for 3 minutes with 3 seeds."
        )
        assert "In short, for neighbours and word similarity: skipgram; for analogies: skipgram or cbow; for" in told
        assert "For neighbours and word similarity, take skipgram" in told
        assert "it is not alone in front on simlex999" in told
        assert "For tagging, fine-tuned" in told
        assert "  " not in told

    def test_chinese(self) -> None:
        told = comparison_report.answer(invented("zh"), "zh")
        assert "用于近邻与词语相似度：选 skipgram" in told
        assert " For " not in told

    @pytest.mark.parametrize("is_chance", [False, True])
    def test_what_chance_does_as_well_is_no_choice(self, is_chance: bool) -> None:
        scores = {name: {"a": 0.5, "b": 0.3, "random": 0.1} for name in "xy"}
        found = made(scores, [(name, "a", "random") for name in scores] if is_chance else [])
        assert [one.is_choice for one in verdicts(found, SAY)] == [not is_chance]

    def test_where_nothing_is_told_apart_it_says_what_may_help(self) -> None:
        report = invented()
        for one in report["differences"]:
            one["tie"] = True
        told = comparison_report.answer(report)
        assert "In short, nothing here tells one from another; more minutes, more text or larger sets may." in told
        assert "take " not in told

    def test_numbers_of_different_measures_are_not_compared(self) -> None:
        scores = [
            {"variant": name, "kind": "language", "set": "held-out", "measure": measure, "score": 9.0}
            for name, measure in (("a", "bits_per_byte"), ("b", "pseudo_perplexity"))
        ]
        told = sentence(
            Comparison.read({"variants": [{"name": name, "family": "gpt"} for name in "ab"], "scores": scores})
        )
        assert told == (
            "For language modelling, nothing is compared: each was measured by another number (held-out, bits per "
            "byte: a 9.000; held-out, masked pseudo-perplexity: b 9.000)."
        )

    def test_another_language(self) -> None:
        with pytest.raises(UsageError, match="en or zh; fr was asked for"):
            comparison_report.answer(invented(), "fr")

    def test_hostile_names_are_told_as_they_are(self) -> None:
        told = comparison_report.answer(hostile())
        assert "\u202e" not in told
        assert EVIL.replace("\u202e", "\\u{202e}") in told

    def test_without_scores_it_says_so(self) -> None:
        told = comparison_report.answer({"variants": [{"name": "a", "family": "cbow"}]})
        assert told.endswith("Nothing was scored that would tell which of them to take.")

    def test_of_nothing(self) -> None:
        told = comparison_report.answer({"variants": [{"name": "random", "family": "random", "random": True}]})
        assert told == "Nothing could be compared on one corpus."


def test_numbers_and_sizes() -> None:
    assert [number(value) for value in (0.12345, -0.5, 12.345, 1234.5)] == ["0.123", "-0.500", "12.3", "1,234"]
    assert [size_of(value) for value in (12, 12_300, 12_300_000, 2.5e9)] == ["12 B", "12.3 kB", "12.3 MB", "2.5 GB"]


def test_phrases_keep_their_places() -> None:
    for phrase, translated in CHINESE.items():
        places = {part.partition("}")[0] for part in phrase.split("{")[1:]}
        assert {part.partition("}")[0] for part in translated.split("{")[1:]} <= places, phrase
