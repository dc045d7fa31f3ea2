"""Phrases learnt from a corpus: counts and scores as gensim has them, in bounded memory."""

import math
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import collocations, joining
from firth import corpus as corpora
from firth.collocations import Pairs, learn, learn_phrases
from firth.errors import FirthError, UsageError
from firth.phrases import CONNECTOR_WORDS, MOST_BETWEEN, Phrase, Phrases
from firth.preparation import Preparation
from firth.progress import Silent
from firth.tokens import encode

Line = list[str]

CONNECTORS = ("o", "t")


def text(seed: int = 1, n_lines: int = 400) -> list[Line]:
    """Lines of words of very different frequencies, some of which often stand together."""
    generator = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(60)]
    weights = [1 / (number + 1) for number in range(60)]
    found = []
    for _ in range(n_lines):
        line = generator.choices(vocabulary, weights, k=generator.randrange(12))
        for _ in range(generator.randrange(3)):
            place = generator.randrange(len(line) + 1)
            line[place:place] = generator.choice(
                [
                    ["new", "york"],
                    ["new", "york", "times"],
                    ["bank", "of", "the", "west"],
                    ["of", "the"],
                    ["the"],
                    ["of"],
                ]
            )
        found.append(line)
    return [*found, ["end"]]


def scored(
    lines: Iterable[Line], connectors: Iterable[str], scoring: str, min_count: int, threshold: float
) -> dict[tuple[str, ...], tuple[int, float]]:
    """The phrases of a pass by their words, each with its count and score: `learn`, with strings."""
    counts: Counter[str] = Counter()
    pairs: Counter[tuple[str, ...]] = Counter()
    n_words = 0
    for line in lines:
        start = -1
        for place, word in enumerate(line):
            n_words += 1
            if word in connectors:
                continue
            if not word:
                start = -1
                continue
            counts[word] += 1
            if start >= 0 and place - start - 1 <= MOST_BETWEEN:
                pairs[tuple(line[start : place + 1])] += 1
            start = place
    n_different = len(counts) + len(pairs)
    found = {}
    for words, together in pairs.items():
        first, last = counts[words[0]], counts[words[-1]]
        if scoring == "original":
            score = (together - min_count) / (first * last) * n_different
        elif together < min_count:
            continue
        else:
            share = together / n_words
            score = math.log(share / (first / n_words * (last / n_words))) / -math.log(share)
        if score > threshold:
            found[words] = (together, score)
    return found


def learnt(folder: Path, lines: list[Line], **settings: Any) -> Phrases:
    defaults: dict[str, Any] = {"connector_words": CONNECTORS, "passes": 1, "delimiter": "_"}
    arguments = defaults | settings
    with encode(corpora.read(iter(lines)), None, folder) as encoded:
        entries, about = learn(encoded, **arguments)
    connectors, delimiter = arguments["connector_words"], arguments["delimiter"]
    return Phrases(entries=entries, connector_words=connectors, delimiter=delimiter, about=about)


@given(
    at_once=st.sampled_from([1, 3, 1 << 20]),
    lines=st.lists(st.lists(st.sampled_from(["a", "b", "c", "o", "t", ""]), max_size=9), max_size=9).filter(any),
    scoring=st.sampled_from(["original", "npmi"]),
    min_count=st.integers(1, 2),
)
def test_two_passes_are_those_over_strings(
    tmp_path_factory: pytest.TempPathFactory, at_once: int, lines: list[Line], scoring: Any, min_count: int
) -> None:
    threshold, connectors = 0.01 if scoring == "original" else -0.5, (*CONNECTORS, "b_b")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "TOKENS_AT_ONCE", at_once)
        settings: dict[str, Any] = {"scoring": scoring, "min_count": min_count, "threshold": threshold, "passes": 2}
        settings["connector_words"] = connectors  # one is a phrase
        found = learnt(tmp_path_factory.mktemp("learnt") / "e", lines, **settings)
    for number in (1, 2):
        due = scored(lines, connectors, scoring, min_count, threshold)
        of_pass = list(found.of_pass(number))
        assert {entry.words: entry.frequency for entry in of_pass} == {words: one[0] for words, one in due.items()}
        scores = {entry.words: entry.score for entry in of_pass}
        assert scores == pytest.approx({words: one[1] for words, one in due.items()})
        before = Phrases(entries=tuple(found.of_pass(1)), connector_words=connectors)
        lines = [before.join(line) for line in lines]


@pytest.mark.parametrize("scoring", ["original", "npmi"])
@pytest.mark.parametrize("connectors", [(), ("of", "the")])
def test_the_phrases_are_gensims(tmp_path: Path, scoring: Any, connectors: tuple[str, ...]) -> None:
    theirs = pytest.importorskip("gensim.models.phrases")
    lines = text()
    threshold = 1.5 if scoring == "original" else 0.3
    settings: dict[str, Any] = {"min_count": 3, "threshold": threshold, "connector_words": connectors}
    ours = learnt(tmp_path / "e", lines, scoring=scoring, passes=2, **settings)
    settings["scoring"] = {"original": "default"}.get(scoring, scoring)
    first = theirs.Phrases(lines, **settings)
    joined = [first[line] for line in lines]
    second = theirs.Phrases(joined, delimiter="~", **settings)  # so that no phrase is spelt like another
    due = [{tuple(name.split("_")): score for name, score in first.find_phrases(lines).items()}]
    due.append({tuple(name.split("~")): score for name, score in second.find_phrases(joined).items()})
    for number, phrases in enumerate(due, start=1):
        assert len(phrases) >= (3 if number == 1 else 1)
        met = {entry.words: entry.score for entry in ours.of_pass(number) if is_met(ours, entry, lines)}
        assert met == {words: pytest.approx(score, rel=1e-12) for words, score in phrases.items()}
    assert [ours.join(line) for line in lines] == [[word.replace("~", "_") for word in second[line]] for line in joined]
    frozen = first.freeze()
    one = Phrases(entries=tuple(ours.of_pass(1)), connector_words=connectors)
    assert {one.name(entry.words): entry.score for entry in one.entries} == pytest.approx(frozen.phrasegrams, rel=1e-12)
    assert [one.join(line) for line in lines] == [frozen[line] for line in lines]


def is_met(phrases: Phrases, entry: Phrase, lines: list[Line]) -> bool:
    """Whether a pair is ever joined: what comes before it may have taken its first word."""
    before = Phrases(
        entries=tuple(other for other in phrases.entries if other.pass_number <= entry.pass_number),
        connector_words=phrases.connector_words,
    )
    name = phrases.name(entry.words)
    return any(name in before.join(line) for line in lines)


class TestMemory:
    def test_where_pairs_are_too_many_the_rarest_go(self, tmp_path: Path) -> None:
        generator = random.Random(3)
        lines = [
            line
            for number in range(3000)
            for line in (
                [f"x{generator.randrange(300)}", f"y{generator.randrange(300)}"],
                ["often", f"met{number % 5}"],
            )
        ]
        said = Said()
        settings = {"scoring": "original", "min_count": 5, "threshold": 0.001}
        whole = learnt(tmp_path / "whole", lines, **settings)
        capped = learnt(tmp_path / "capped", lines, **settings, max_pairs=200, progress=said)
        frequent = {entry.words: entry.frequency for entry in whole.entries if "often" in entry.words}
        assert frequent == {("often", f"met{number}"): 600 for number in range(5)}
        found = {entry.words: entry for entry in capped.entries}
        assert frequent == {words: found[words].frequency for words in frequent}
        assert int(whole.about["pairs"]) == len({tuple(line) for line in lines})
        assert int(capped.about["pairs"]) == pytest.approx(int(whole.about["pairs"]), rel=0.02)  # so scores stay
        assert int(capped.about["pruned_pairs"]) > 2000
        assert "more than 200 pairs of words at a time, so that the rarest were dropped" in " ".join(said.lines)
        assert "--max-pairs" in " ".join(said.lines)

    @pytest.mark.parametrize("max_pairs", [2, 3, 100])
    def test_the_table_never_holds_more(self, tmp_path: Path, max_pairs: int) -> None:
        lines = text()
        with encode(corpora.read(iter(lines)), None, tmp_path / "e") as encoded:
            pairs = Pairs(collocations._Words(encoded, (), "_").flags(), max_pairs)
            for piece in joining.pieces(encoded):
                pairs.add(piece)
        assert 0 < pairs.n_pairs <= max_pairs
        assert len(pairs.candidates(1).frequency) == pairs.n_pairs
        assert pairs.n_pruned > 0
        assert pairs.n_words == sum(map(len, lines))

    def test_very_many_sequences_of_connector_words(self, tmp_path: Path) -> None:
        generator = random.Random(2)
        between = [tuple(generator.choices("ot", k=MOST_BETWEEN)) for _ in range(500)]
        lines = [["a", *sequence, "b"] for sequence in between * 2]
        found = learnt(tmp_path / "e", lines, scoring="npmi", min_count=2, threshold=-1.0)
        assert {entry.words for entry in found.entries} == {("a", *sequence, "b") for sequence in between}

    def test_sequences_beyond_the_most_part_words(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pairs = Pairs(np.array([0, 1, 1], np.uint8))
        pairs._state[4] = joining.MOST_SEQUENCES
        pairs.add((np.array([0, 1, 0, 0], np.int32), np.array([4])))
        assert pairs.candidates(1).frequency.tolist() == [1]


class TestLearnPhrases:
    def test_english(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        sentences = [
            "The Bank of America is in New York.",
            "New York is a city.",
            "America is large; the city is large.",
        ]
        path.write_text("\n".join(sentences * 20), encoding="utf-8")
        said = Said()
        found = learn_phrases(path, min_count=2, threshold=0.3, cache_dir=tmp_path / "cache", progress=said)
        entries = {" ".join(entry.words): entry.frequency for entry in found.entries}
        assert (entries["new york"], entries["bank of america"]) == (40, 20)
        assert not any(word in found.connector_words for entry in found.entries for word in entry.words[:1])
        assert any(line.startswith("connector words: those of 'en': a an and") for line in said.lines)
        assert found.about["corpus"].endswith("text.txt")
        assert [entry.frequency for entry in found.entries] == sorted(
            (entry.frequency or 0 for entry in found.entries), reverse=True
        )

    def test_chinese(self, tmp_path: Path) -> None:
        path = tmp_path / "text.txt"
        path.write_text(
            "他研究深度学习和机器翻译。\n深度学习改变了机器翻译。\n她喜欢深度学习。\n" * 10, encoding="utf-8"
        )
        found = learn_phrases(path, min_count=2, threshold=0.3, delimiter="", cache_dir=tmp_path / "cache")
        assert found.connector_words == ("与", "之", "和", "的")
        assert "深度学习" in {found.name(entry.words) for entry in found.entries}

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("none", ()),
            ("nl", tuple(CONNECTOR_WORDS["nl"].split())),
            ("Of, THE", ("of", "the")),
            (["Of"], ("of",)),
            ("a,", ("a",)),
        ],
    )
    def test_connector_words(self, tmp_path: Path, asked: Any, found: tuple[str, ...]) -> None:
        lines = ["x of y", "x of y"]
        phrases = learn_phrases(
            lines, scoring="npmi", min_count=1, threshold=-1, connector_words=asked, cache_dir=tmp_path / "cache"
        )
        assert phrases.connector_words == found

    def test_ready_words_stay_as_they_are(self, tmp_path: Path) -> None:
        lines = [["New", "York City", "Of", "a\tb"]] * 3
        phrases = learn_phrases(lines, min_count=1, threshold=0.1, connector_words=["Of"], cache_dir=tmp_path / "cache")
        assert {entry.words for entry in phrases.entries} == {("New", "York City"), ("York City", "Of", "a\tb")}
        phrases.write(tmp_path / "phrases.tsv")
        assert Phrases.read(tmp_path / "phrases.tsv") == phrases

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"scoring": "other"}, "scoring is 'other'; there are original, npmi"),
            ({"min_count": 0}, "min_count is 0"),
            ({"passes": 0}, "passes is 0"),
            ({"passes": 101}, "at most 100"),
            ({"max_pairs": 1}, "max_pairs is 1"),
            ({"threshold": 0}, "must be above 0"),
            ({"threshold": math.nan}, "must be above 0"),
            ({"scoring": "npmi", "threshold": 10}, "from -1 to 1"),
            ({"delimiter": "a b"}, "delimiter is 'a b'"),
            ({"connector_words": "english"}, "there are auto, none, those of de, en, "),
            ({"preparation": Preparation(phrases=Path("p.tsv"))}, "phrases are to be learnt"),
        ],
    )
    def test_arguments_outside_their_range(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            learn_phrases(["a b"], **settings)

    def test_no_phrase(self, tmp_path: Path) -> None:
        with pytest.raises(FirthError, match="score is above 10: a lower threshold"):
            learn_phrases(["a b c"], cache_dir=tmp_path / "cache")


class Said(Silent):
    """A progress that remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_a_sample_tells_how_many_hashes_are_different() -> None:
    hashes = np.random.default_rng(1).integers(0, 2**64, 200_000, np.uint64, endpoint=False)
    sample = collocations._Sample(1 << 13)
    for start in range(0, len(hashes), 10_000):
        sample.add(hashes[start : start + 10_000])
        sample.add(hashes[: start // 2])
    assert sample.n_different == pytest.approx(len(hashes), rel=0.03)
