"""Two models of random halves of a text."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

import firth
from firth import cli
from firth.errors import UsageError
from firth.halves import train_halves

RNG = np.random.default_rng(11)
WORDS = [f"word{number}" for number in range(30)]
LINES = [" ".join(RNG.choice(WORDS, RNG.integers(2, 20))) for _ in range(300)]
FAMILY = firth.Skipgram(dim=4, min_count=1, sample=0.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A directory of a model, and its corpus."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "corpus.jsonl").write_text("".join(json.dumps({"said": line}) + "\n" for line in LINES))
    preparation = firth.Preparation(field="said", cased=True)
    firth.train(FAMILY, folder / "corpus.jsonl", epochs=2, threads=1, preparation=preparation, output=folder / "model")
    return folder


def test_every_line_is_in_one_half(model, tmp_path):
    first, second = train_halves(model / "model", model / "corpus.jsonl", threads=1, output=tmp_path / "two")
    of_both = Counter(dict(zip(first.vocabulary.words, first.vocabulary.counts.tolist(), strict=True)))
    of_both.update(dict(zip(second.vocabulary.words, second.vocabulary.counts.tolist(), strict=True)))
    assert of_both == Counter(word for line in LINES for word in line.split())
    shares = [sum(half.vocabulary.counts) / of_both.total() for half in (first, second)]
    assert all(0.35 < share < 0.65 for share in shares)
    for half, name in ((first, "first"), (second, "second")):
        assert half.family == FAMILY
        assert half.record["spent"]["epochs"] == pytest.approx(2, rel=0.1)
        assert half.segmentation == firth.load(model / "model").segmentation
        np.testing.assert_array_equal(firth.load(tmp_path / "two" / name).table(), half.table())
    with pytest.raises(UsageError, match="exists"):
        train_halves(model / "model", model / "corpus.jsonl", output=tmp_path / "two")


def test_the_seed_decides():
    model = firth.train(FAMILY, LINES, epochs=1, threads=1)
    one, again, other = (train_halves(model, LINES, threads=1, seed=seed).first for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.table(), again.table())
    assert one.vocabulary.counts.tolist() != other.vocabulary.counts.tolist()


def test_documents_end_in_both_halves():
    """A line without anything ends a document, wherever the lines before it went."""
    from firth.halves import _dealt

    halves = [list(_dealt(["a b", "", "c d", "e f", ""], firth.Preparation(), number, 1)) for number in range(2)]
    assert [half.count("") for half in halves] == [3, 3]  # and behind the last string
    assert sorted(line for half in halves for line in half if line) == ["a b", "c d", "e f"]


@pytest.mark.slow
def test_networks_keep_their_pieces(tmp_path):
    pytest.importorskip("torch")
    family = firth.GPT(dim=8, n_layers=1, n_heads=2, context_length=16, n_positions=16)
    model = firth.train(family, LINES, tokens=500, threads=1, matrices=False, device="cpu")
    halves = train_halves(model, LINES, threads=1, device="cpu")
    for half in halves:
        assert half.pieces.digest == model.pieces.digest
        assert half.vectors.n_layers == 2


def test_what_cannot_be_halved(model):
    with pytest.raises(UsageError, match="can be read only once"):
        train_halves(firth.train(FAMILY, LINES, epochs=1, threads=1), iter(LINES))
    published = firth.load(model / "model")
    del published.record["spent"]
    with pytest.raises(UsageError, match="does not tell how it was trained"):
        train_halves(published, LINES)


def test_a_model_that_went_on_from_another_is_not_halved_without_that():
    base = firth.train(FAMILY, LINES[:150], epochs=1, threads=1)
    model = firth.train(FAMILY, LINES[150:], epochs=1, threads=1, base=base)
    with pytest.raises(UsageError, match=r"went on from another one.*--from.*--chance"):
        train_halves(model, LINES[150:], threads=1)


def test_phrases_are_those_of_the_model(tmp_path, monkeypatch):
    """Its record names their file without a folder: another one may stand under the name where the command is run."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "phrases.txt").write_text("Word1 word2\nword3 word4\n")
    preparation = firth.Preparation(phrases=tmp_path / "there" / "phrases.txt")
    lines = [line + " word1 word2 word3 word4" for line in LINES]
    firth.train(FAMILY, lines, epochs=1, threads=1, preparation=preparation, output=tmp_path / "model")
    (tmp_path / "phrases.txt").write_text("word5 word6\n")
    monkeypatch.chdir(tmp_path)
    model = firth.load("model")
    for half in train_halves(model, lines, threads=1):
        assert half.segmentation == model.segmentation
        assert {"word1_word2", "word3_word4"} < set(half.vocabulary.words)


def test_user_words_are_those_of_the_model(tmp_path, monkeypatch):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "words.txt").write_text("天气好 3 n\n我今天\n", encoding="utf-8")
    preparation = firth.Preparation(user_words=tmp_path / "there" / "words.txt", segment="chinese")
    lines = ["我今天很开心因为天气好"] * 40
    model = firth.train(FAMILY, lines, epochs=1, threads=1, preparation=preparation)
    monkeypatch.chdir(tmp_path)
    for half in train_halves(model, lines, threads=1):
        assert half.segmentation == model.segmentation
        assert set(half.vocabulary.words) == set(model.vocabulary.words)


def test_markup_is_dropped_once():
    """What an entity stands for may look like another one, and is none."""
    preparation = firth.Preparation(drop=("html",))
    lines = [line + " caf&#038;eacute; <i>so</i>" for line in LINES]
    model = firth.train(FAMILY, lines, epochs=1, threads=1, preparation=preparation)
    assert "eacute" in model.vocabulary.words
    for half in train_halves(model, lines, threads=1):
        assert half.segmentation == model.segmentation
        assert set(half.vocabulary.words) == set(model.vocabulary.words)


@pytest.mark.parametrize("reads_whole", [False, True])
def test_what_a_record_leaves_open_is_as_the_model_reads(reads_whole):
    """As records from before punctuation marks could be words do; models of whatever family."""
    lines = [line.capitalize() + "!" for line in LINES]
    preparation = firth.Preparation(cased=reads_whole, punctuation=reads_whole)
    model = firth.train(replace(FAMILY), lines, epochs=1, threads=1, preparation=preparation)
    object.__setattr__(model.family, "reads_text_whole", not reads_whole)  # as it is of ELMo, or is not
    del model.record["preparation"]["cased"], model.record["preparation"]["punctuation"]
    for half in train_halves(model, lines, threads=1):
        assert half.segmentation == model.segmentation


def test_sentences_are_parted_in_the_halves():
    preparation = firth.Preparation(sentences="split", lang="en")
    lines = [f"Here is {line}. There is {line}." for line in LINES]
    model = firth.train(FAMILY, lines, epochs=1, threads=1, preparation=preparation)
    assert model.record["corpus"]["n_lines"] == 2 * len(LINES)
    halves = train_halves(model, lines, threads=1)
    assert sum(half.record["corpus"]["n_lines"] for half in halves) == 2 * len(LINES)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The directory of a model of another text, some of whose words are those of the other's."""
    folder = tmp_path_factory.mktemp("old")
    lines = [" ".join(RNG.choice([*WORDS[:28], "elder"], RNG.integers(2, 20))) for _ in range(300)]
    firth.train(FAMILY, lines, epochs=2, threads=1, output=folder / "model")
    return str(folder / "model")


def test_the_command_trains_what_says_how_far_chance_moves(model, old, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    new, corpus = str(model / "model"), str(model / "corpus.jsonl")
    asked = ["change", old, new, "word1", "word20", "--json", "--quiet", "--threads", "1"]
    assert cli.main([*asked, "--halves", corpus, "-o", "halves"]) == 0
    rows = json.loads(capsys.readouterr().out)
    due = firth.change(old, new, ["word1", "word20"], chance=("halves/first", "halves/second"))
    assert [row["word"] for row in rows] == ["word1", "word20"]
    assert all(row["by_chance"] > 0 and row["limit"] > 0 for row in rows)
    for row, moved in zip(rows, due, strict=True):
        assert row["movement"] == pytest.approx(moved.movement)
        assert row["by_chance"] == pytest.approx(moved.by_chance)
        assert row["limit"] == pytest.approx(moved.limit)
        assert row["within_chance"] == moved.within_chance
    assert cli.main([*asked, "--chance", "halves/first", "halves/second"]) == 0
    assert json.loads(capsys.readouterr().out) == rows
    for flags, message in (
        (["--halves", corpus, "--chance", "a", "b"], "both say what chance moves"),
        (["-o", "elsewhere"], "--output is of --halves"),
    ):
        assert cli.main([*asked, *flags]) == 2
        assert message in capsys.readouterr().err
    firth.convert(new, "vectors.txt")
    assert cli.main(["change", new, "vectors.txt", "--halves", corpus]) == 2
    assert "vectors.txt is no model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "status", "message"),
    [
        (["wrod1"], 1, "'wrod1' is not one of"),
        (["--layer", "99"], 2, "layer 99 asked"),
        (["--restrict", "3"], 1, "3 words are shared"),
    ],
)
def test_what_is_refused_is_refused_before_the_training(model, old, tmp_path, capsys, flags, status, message):
    new, corpus = str(model / "model"), str(model / "corpus.jsonl")
    output = tmp_path / "halves"
    asked = ["change", old, new, *flags, "--threads", "1", "--halves", corpus, "-o", str(output)]
    assert cli.main(asked) == status
    told = capsys.readouterr().err
    assert message in told
    assert "half of the lines" not in told
    assert not output.exists()


def test_a_model_of_the_hub_is_halved(model, old, monkeypatch, capsys):
    from firth import hub

    found = hub.found
    there = hub.Found(model / "model", "hf:jane/new@1")
    monkeypatch.setattr(hub, "found", lambda path: there if str(path) == "hf:jane/new" else found(path))
    asked = ["change", old, "hf:jane/new", "word1", "--json", "--quiet", "--threads", "1"]
    assert cli.main([*asked, "--halves", str(model / "corpus.jsonl")]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["by_chance"] > 0
