"""Two models of random halves of a text."""

import json
from collections import Counter

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


def test_the_command_trains_what_says_how_far_chance_moves(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    new, corpus = str(model / "model"), str(model / "corpus.jsonl")
    asked = ["change", new, new, "word1", "--json", "--quiet", "--threads", "1"]
    assert cli.main([*asked, "--halves", corpus, "-o", "halves"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["word"] == "word1"
    assert row["by_chance"] is not None
    assert row["within_chance"] is True  # nothing moved
    assert cli.main([*asked, "--chance", "halves/first", "halves/second"]) == 0
    assert json.loads(capsys.readouterr().out) == [row]
    for flags, message in (
        (["--halves", corpus, "--chance", "a", "b"], "both say what chance moves"),
        (["-o", "elsewhere"], "--output is of --halves"),
    ):
        assert cli.main([*asked, *flags]) == 2
        assert message in capsys.readouterr().err
    firth.convert(new, "vectors.txt")
    assert cli.main(["change", new, "vectors.txt", "--halves", corpus]) == 2
    assert "vectors.txt is no model" in capsys.readouterr().err
