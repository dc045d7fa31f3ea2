"""What a comparison forgets with a model that is gone, and what it tells of one whose marks no longer fit."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from firth.evaluation import WordPair
from firth.families.skipgram import Skipgram
from firth.grades import Questions
from firth.ledger import Records, items_path
from firth.marking import Marking
from firth.undertaking import Undertaking
from firth.variants import RANDOM, Variant
from firth.vectors import Vectors

WORDS = ["cat", "dog", "cow", "hen", "pig", "fox"]
PAIRS = [WordPair("cat", "dog", 5), WordPair("cow", "hen", 2), WordPair("pig", "fox", 3), WordPair("cat", "fox", 1)]
SKIPGRAM, CBOW = (Variant(name=name, sizes=(Skipgram(dim=8),)) for name in ("skipgram", "cbow"))


def vectors(name: str) -> Vectors:
    """A model's."""
    return Vectors(WORDS, np.random.default_rng(len(name)).normal(size=(len(WORDS), 4)).astype(np.float32))


def marking(folder: Path, pairs: list[WordPair]) -> Marking:
    """Of two variants and the random table, on a set."""
    questions = [Questions("pairs", "similarity", pairs)]
    records = Records(folder / "records.jsonl")
    return Marking(folder, records, [SKIPGRAM, CBOW], questions, WORDS, [], first_seed=1)


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    """A folder in which a seed's marks are written down."""
    made = marking(tmp_path, PAIRS)
    for name in ("skipgram", "cbow", RANDOM):
        if name != RANDOM:
            made.records.add("matrices", name, 1, "", {"ok": {}})
        made.know(name, 1, partial(vectors, name))
    made.mark(1, vectors)
    assert made.graded([1]).missing == []
    return tmp_path


def test_a_model_that_is_gone_is_told_of_where_the_sets_have_changed(marked: Path) -> None:
    again = marking(marked, [*PAIRS, WordPair("dog", "pig", 4)])
    for name in ("skipgram", RANDOM):
        again.know(name, 1, partial(vectors, name))
    again.mark(1, lambda name: None if name == "cbow" else vectors(name))
    graded = again.graded([1])
    assert [one for one in graded.missing if "the model is gone" in one] == [
        "cbow, seed 1: the model is gone, and its grades are missing, damaged or of other sets: "
        "it is not scored by words"
    ]
    assert {one["variant"] for one in graded.scores} == {"skipgram", RANDOM}


def test_damaged_grades_are_made_again_or_told(marked: Path) -> None:
    path = items_path(marked, "grade", "cbow", 1)
    path.write_bytes(path.read_bytes()[:50])
    again = marking(marked, PAIRS)
    assert any("cbow, seed 1: the model is gone" in one for one in again.graded([1]).missing)
    again.mark(1, vectors)
    assert again.graded([1]).missing == []


def test_models_in_training_are_scored_on_pairs_of_the_words_that_all_are_scored_by() -> None:
    work = Undertaking.__new__(Undertaking)
    work.frequent, work.questions = ["cat", "dog", "fox"], []
    assert work.curve() is None
    work.questions = [Questions("pairs", "similarity", [*PAIRS, WordPair("Dog", "FOX", 4)])]
    assert work.curve() == {"set": "pairs", "pairs": [["cat", "dog", 5.0], ["cat", "fox", 1.0], ["Dog", "FOX", 4.0]]}


def test_with_a_lost_model_its_uses_are_forgotten(tmp_path: Path) -> None:
    work = Undertaking.__new__(Undertaking)
    work.folder, work.records = tmp_path, Records(tmp_path / "records.jsonl")
    work.tasks = cast("Any", [SimpleNamespace(name="news")])
    work.asked = cast("Any", SimpleNamespace(variants=(SKIPGRAM, CBOW), seeds=(1,)))
    for name in ("skipgram", "cbow"):
        work.records.add("train", name, 1, "", {"ok": {}})
    work.records.add("use", RANDOM, 1, "news scratch", {"ok": {}})
    places = ["skipgram-1-news-features", "skipgram-1-news-finetune", "cbow-1-news-finetune", "random-1-news-scratch"]
    for place in places:
        (tmp_path / "uses" / place / "checkpoint").mkdir(parents=True)
    work.forget(CBOW, 1)
    assert work.records.ok("use", RANDOM, 1, "news scratch") is not None  # whose words are those of the other one
    assert {path.name for path in (tmp_path / "uses").iterdir()} == {*places} - {"cbow-1-news-finetune"}
    work.forget(SKIPGRAM, 1)
    assert work.records.ok("use", RANDOM, 1, "news scratch") is None
    assert not list((tmp_path / "uses").iterdir())
