"""A report in Chinese has no sentence in English, whatever the engine writes into report.json."""

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from grading import Candidate
from grading import graded as graded_in_memory
from invented_comparison import invented

from firth import grades
from firth.account import Account
from firth.comparison_report.language import MADE, retold, speaker
from firth.comparison_report.page import to_html
from firth.comparison_report.paper import methods
from firth.comparison_report.reading import Comparison
from firth.evaluation import WordPair
from firth.variants import read
from firth.vectors import Vectors

ZH = speaker("zh")
NAMES = {
    "ELMo",
    "GloVe",
    "GPT",
    "BERT",
    "skipgram",
    "gpt",
    "bert",
    "words",
    "train",
    "train.tsv",
    "classify",
    "royal",
    "king",
    "cat",
}
NAMES |= {"queen", "random"}


def english(told: str) -> list[str]:
    return [word for word in re.findall(r"[A-Za-z][A-Za-z.'-]*", told) if word not in NAMES]


def work(dev: tuple[Any, ...] = ()) -> Any:
    """What `Account.notes` and `Account.notes_of_failures` look at."""
    whys: list[dict[str, Any]] = [
        {"left_out": "preparing counts, and takes nearly all of 3 minutes"},
        {"failed": "its process ended with signal 9; as a rule, because the memory was full"},
        {"failed": "its process ended with status 1", "of": "classify"},
        {"ok": {"missing": "there are no words to hide in the text"}},
    ]
    records = {
        number: {"variant": "gpt", "seed": 1, "of": "", "work": "train"} | why for number, why in enumerate(whys)
    }
    return SimpleNamespace(
        records=SimpleNamespace(found=records),
        text=SimpleNamespace(n_held_out_documents=0, n_held_out_bytes=1234567),
        segmentation=SimpleNamespace(method="words"),
        asked=SimpleNamespace(top=20_000, trials=3, dev=dev, seeds=(1, 2, 3), words=5e6),
        trained=[read("glove")],
        n_words=20_000_000,
        seeds=[1],
        questions=(),
        tasks=("tags",),
    )


def graded() -> grades.Grades:
    words = ["king", "queen", "cat"]
    candidates = [
        Candidate(name, 1, Vectors(words[:n], np.random.default_rng(n).normal(size=(2, n, 4))))
        for name, n in (("skipgram", 3), ("bert", 3), ("gpt", 1))
    ]
    sets = [
        grades.Questions("royal", "similarity", [WordPair("man", "boy", 1.0), WordPair("boy", "girl", 2.0)]),
    ]
    return graded_in_memory(candidates, sets, words, n_samples=100)


@pytest.mark.parametrize("dev", [(), ("king",)])
def test_what_the_engine_writes_is_said_in_chinese(dev: tuple[Any, ...]) -> None:
    told = Account(work(dev))
    found = graded()
    sentences = [*told.notes(found), *told.notes_of_seeds(), *told.notes_of_failures(), *found.missing]
    assert "GloVe counts the first 5,000,000 words of the text alone, and passes 25 times over the counts." in sentences
    assert len(sentences) >= 7 + 1 + 4 + 2 + 1
    for sentence in sentences:
        assert retold(sentence, speaker("en")) == sentence
        assert english(retold(sentence, ZH).replace("horse", "")) == [], sentence


def test_every_phrase_is_known_again() -> None:
    for phrase in MADE:
        values = dict.fromkeys(re.findall(r"\{(\w+)\}", phrase), "7")
        assert english(retold(phrase.format(**values), ZH).replace("--dev FILE", "")) == [], phrase


def test_other_sentences_stay() -> None:
    assert retold("the disk was {full}", ZH) == "the disk was {full}"


def test_the_page_and_its_methods_say_them() -> None:
    report = invented("zh")
    report["notes"] = list(Account(work()).notes(graded()))
    report["missing"] = list(Account(work()).notes_of_failures())
    for one in report["best_layers"]:
        one["chosen_by"] = "one half of the items, seed 1; scored on the other"
    found = Comparison.read(report)
    page = to_html(found, ZH, "zh-CN")
    for sentence in (*report["notes"], *report["missing"], "one half of the items"):
        assert sentence not in page
        assert sentence not in methods(found, ZH)
    assert "（随机种子 1）" in page
