from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from test_layout import chinese, english

from firth import corpus as corpora
from firth import model, paces
from firth.budget import DEFAULT_MINUTES
from firth.families.gpt import GPT
from firth.paces import pieces_paces, words_paces
from firth.preparation import Preparation
from firth.tokens import EncodedCorpus, encode


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paces, "MEASURED_WORDS", 500)
    monkeypatch.setattr(paces, "_SECONDS_MEASURED", 0.01)


def encoded(lines: list[str], folder: Path, **options: Any) -> EncodedCorpus:
    preparation = Preparation(**options)
    return encode(corpora.read(iter(lines), preparation), None, folder / "encoded", preparation=preparation)


class TestWholeWords:
    def test_every_such_family(self, tmp_path: Path) -> None:
        found, failures = words_paces(encoded(english(40), tmp_path), 1)
        assert (list(found), failures) == (["skipgram", "cbow", "glove"], [])

    def test_why_there_is_none(self, tmp_path: Path) -> None:
        found, (failure,) = words_paces(encoded(["only a few words that all differ"], tmp_path), 1)
        assert found == {}
        assert failure.option == "--min-count 1"
        assert failure.option in failure.message

    def test_lines_of_one_word(self, tmp_path: Path) -> None:
        (failure,) = words_paces(encoded(["one", "two", "three"] * 10, tmp_path), 1)[1]
        assert failure.option == "--sample 0"


class TestInContext:
    @pytest.fixture(autouse=True)
    def _needs_torch(self) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("tokenizers")
        pytest.importorskip("h5py")

    @pytest.mark.parametrize("make", [english, chinese])
    def test_every_such_family(self, tmp_path: Path, make: Any) -> None:
        lines = make(100)
        corpus = encoded(lines, tmp_path)
        found, unmeasured = pieces_paces(["\n".join(lines[:50]), "\n".join(lines[50:])], corpus, 1)
        assert (list(found), unmeasured) == (["elmo", "gpt", "bert"], {})
        assert [pace.unit for pace in found.values()] == ["words", "pieces", "pieces"]
        for pace in found.values():
            assert pace.size == "tiny"  # the corpus has too few words for a larger one
            least = corpus.n_tokens if pace.unit == "pieces" else 0.8 * corpus.n_tokens  # without what is held out
            assert least < pace.n_tokens < 4 * corpus.n_tokens
            assert pace.seconds == pytest.approx(pace.n_tokens / pace.tokens_per_second)
            assert pace.epochs * pace.seconds == pytest.approx(60 * DEFAULT_MINUTES)

    def test_the_rest_of_the_corpus_counts(self, tmp_path: Path) -> None:
        lines = english(100)
        once = pieces_paces(["\n".join(lines)], encoded(lines, tmp_path / "a"), 1)[0]
        thrice = pieces_paces(["\n".join(lines)], encoded(lines * 3, tmp_path / "b"), 1)[0]
        for name, pace in once.items():
            assert thrice[name].n_tokens == pytest.approx(
                3 * pace.n_tokens, abs=3, rel=0.05 if name == "elmo" else None
            )

    def test_the_size_rule_decides(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """And what cannot be chosen is not measured."""
        measured = []
        speeds = {128: 1e6, 256: 1e6, 512: 1e3, 768: 1e3}
        monkeypatch.setattr(
            "firth.speeds.measured_speed", lambda family, *given: measured.append(family.dim) or speeds[family.dim]
        )
        monkeypatch.setattr(paces, "CONTEXTUAL", model.OF_PIECES)
        lines = english(100)
        corpus = encoded(lines, tmp_path)
        pieces_paces(["\n".join(lines)], corpus, 1)
        assert measured == [128, 128]
        measured.clear()
        monkeypatch.setattr(type(corpus), "n_tokens", 100_000_000)
        found, _ = pieces_paces(["\n".join(lines)], corpus, 1)
        assert [pace.size for pace in found.values()] == ["mini", "mini"]
        assert measured == [128, 256, 512] * 2

    def test_a_memory_that_holds_no_size_is_a_reason(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("firth.speeds.measured_speed", lambda *given: 0.0)
        lines = english(40)
        found, unmeasured = pieces_paces(["\n".join(lines)], encoded(lines, tmp_path), 1)
        assert not found
        assert all("does not hold the smallest size" in reason for reason in unmeasured.values())

    def test_a_network_is_measured_with_the_vocabulary_that_the_corpus_will_fill(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes = []
        monkeypatch.setattr(
            "firth.speeds.measured_speed", lambda family, text, pieces, *given: sizes.append(pieces.n_entries) or 1.0
        )
        monkeypatch.setattr(paces, "CONTEXTUAL", model.OF_PIECES)
        lines = english(40)
        pieces_paces(["\n".join(lines)], encoded(lines, tmp_path), 1)
        assert set(sizes) == {16384}

    def test_a_slow_step_now_and_then_changes_little(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        import torch

        from firth.descent import Loop
        from firth.speeds import measured_speed

        family: Any = GPT.tiny()
        lines = english(40)
        speeds: list[float] = []
        now = [0.0]
        with paces._sampled(family, ["\n".join(lines)], encoded(lines, tmp_path)) as sample:
            for lasting in ([1.0] * 21, [50.0, 8.0, 1.0, 1.0, 9.0, 1.0]):
                clock = iter(accumulate(lasting))
                now[0] = 0.0

                def step(*given: Any, clock: Iterator[float] = clock) -> None:
                    now[0] = next(clock)

                monkeypatch.setattr(Loop, "step", step)
                monkeypatch.setattr("firth.speeds.time", SimpleNamespace(monotonic=lambda: now[0]))
                text = family.stream(sample.encoded)
                speeds.append(measured_speed(family, text, sample.pieces, torch.device("cpu"), 20.0))
        assert speeds[0] == speeds[1]

    def test_what_training_refuses_is_said(self, tmp_path: Path) -> None:
        lines = english(40)
        found, unmeasured = pieces_paces(["\n".join(lines)], encoded(lines, tmp_path, digits="zero"), 1)
        assert (list(found), list(unmeasured)) == (["elmo"], ["gpt", "bert"])  # whole words may have zeros for digits
        assert all("digits" in reason for reason in unmeasured.values())

    def test_one_word_alone(self, tmp_path: Path) -> None:
        found, unmeasured = pieces_paces(["a"], encoded(["a"], tmp_path), 1)
        assert set(found) | set(unmeasured) == {"elmo", "gpt", "bert"}

    def test_it_draws_nothing_from_what_others_draw_from(self, tmp_path: Path) -> None:
        import torch

        lines = english(40)
        corpus = encoded(lines, tmp_path)
        torch.manual_seed(5)
        expected = torch.rand(3)
        torch.manual_seed(5)
        pieces_paces(["\n".join(lines)], corpus, 1)
        assert np.array_equal(torch.rand(3), expected)


@pytest.mark.parametrize("package", ["torch", "tokenizers"])
def test_without_the_extra_it_is_named_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, package, None)
    lines = english(40)
    found, unmeasured = pieces_paces(["\n".join(lines)], encoded(lines, tmp_path), 1)
    assert found == {}
    assert list(unmeasured) == [name for name in model.FAMILIES if name in model.CONTEXTUAL]
    assert all("firth[contextual]" in reason and package in reason for reason in unmeasured.values())
    assert words_paces(encoded(lines, tmp_path / "again"), 1)[0].keys() == {"skipgram", "cbow", "glove"}
