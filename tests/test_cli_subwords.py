"""Sub-words from the command line: training, what is never seen, other formats."""

import json

import numpy as np
import pytest

import firth
from firth import cli

TEXT = "the walker walked and walks\na talker talked and talks\n我们 今天 开心\n" * 20


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")

    def run(*arguments):
        status = cli.main(list(map(str, arguments)))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def train(run, *flags):
    return run(
        *("train", "skipgram", "text.txt", "-o", "model", "--dim=8", "--min-count=1", "--sample=0", "--epochs=5"),
        *("--segment=space", "--threads=1", *flags),
    )


def test_any_word_has_a_vector_and_the_share_known_is_said(run):
    status, _, err = train(run, "--subwords=2-4", "--buckets=1000", "--hashes=2")
    assert status == 0
    assert "sub-words of 2 to 4 characters: the words have " in err
    assert "to 1,000 rows, to 2 of them each, which take 0 MiB" in err
    family = firth.load("model").family
    assert (family.subwords, family.buckets, family.hashes) == ("2-4", 1000, 2)
    status, out, err = run("nearest", "model", "walking", "-n", 2, "--json")
    assert (status, len(json.loads(out))) == (0, 2)
    share = firth.Vectors.load("model").from_ngrams("walking").known_share
    assert f"'walking' is not among the words: its vector is its n-grams', {share:.0%} of them known" in err
    assert run("similarity", "model", "walking", "walks")[0] == 0
    assert run("analogy", "model", "walker", "walked", "talking")[0] == 0
    assert run("nearest", "model", "walks")[2] == ""


def test_what_has_no_known_n_gram_is_an_error(run):
    train(run, "--subwords=3-4", "--buckets=1000", "--quiet")
    status, out, err = run("nearest", "model", "qqqqq")
    assert (status, out) == (1, "")
    assert "none of its n-grams is known (3-4 characters)" in err


def test_chinese_n_grams_are_of_characters(run):
    train(run, "--subwords=1-3", "--buckets=1000", "--quiet")
    vectors = firth.Vectors.load("model")
    assert vectors.from_ngrams("开心地").known_share == 5 / 10  # <开 <开心 开 开心 心
    assert vectors.similarity("开心地", "开心") > vectors.similarity("开心地", "今天")


def test_pairs_of_words_never_seen_are_evaluated_and_their_number_said(run, tmp_path):
    train(run, "--subwords=3-4", "--buckets=1000", "--quiet")
    (tmp_path / "pairs.txt").write_text("walker walks 3\nwalkers walking 2\nqqq talks 1\n", encoding="utf-8")
    status, out, err = run("evaluate", "model", "--pairs=pairs.txt")
    assert status == 0
    assert "2/3" in out
    assert "n-grams answered for 2 words of pairs.txt that are not in the vocabulary" in err
    assert "unknown words of pairs.txt: qqq" in err
    (result,) = json.loads(run("evaluate", "model", "--pairs=pairs.txt", "--json")[1])
    assert (result["pairs"][0]["n_composed"], result["pairs"][0]["unknown"]) == (2, ["qqq"])


def test_a_chinese_word_never_seen_is_asked_whole(run):
    """It is cut otherwise, into words or parts of which some are known."""
    run(*("train", "skipgram", "text.txt", "-o", "model", "--dim=8", "--min-count=1", "--sample=0", "--epochs=5"),
        *("--segment=chinese", "--threads=1", "--subwords=1-2", "--buckets=1000", "--quiet"))  # fmt: skip
    assert "开心" in firth.Vectors.load("model")
    status, out, err = run("nearest", "model", "开心地", "--whole", "-n", 2, "--json")
    assert status == 0
    assert {found["word"] for found in json.loads(out)} == {"开心地"}
    assert "'开心地' is not among the words: its vector is its n-grams'" in err
    assert run("similarity", "model", "开心地", "开心", "--whole")[0] == 0
    assert run("analogy", "model", "开心", "开心地", "今天", "--whole")[0] == 0
    assert run("nearest", "model", "--whole")[0] == 2


def test_a_model_of_fasttexts_is_converted_to_itself_and_zeros_are_said(run, tmp_path):
    train(run, "--subwords=3-4", "--buckets=1000", "--quiet")
    assert run("convert", "model", "a.bin", "--format=fasttext")[2] == ""
    assert run("convert", "a.bin", "b.bin", "--format=fasttext")[2] == ""
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()
    status, _, err = run("convert", "a.bin", "c.bin", "--format=fasttext", "--limit=3")
    assert status == 0
    assert "warning: c.bin has zeros for its output table" in err


@pytest.mark.parametrize("precision", ["int8", "int8+float32"])
def test_neighbours_in_bytes(run, precision):
    train(run, "--subwords=3-4", "--buckets=1000", "--quiet")
    assert run("convert", "model", "small", f"--precision={precision}")[0] == 0
    due, found = (json.loads(run("nearest", name, "walking", "-n", 3, "--json")[1]) for name in ("model", "small"))
    assert [one["neighbour"] for one in found] == [one["neighbour"] for one in due]
    assert run("convert", "model", "m.txt", f"--precision={precision}")[0] == 2


@pytest.mark.parametrize(("flag", "why"), [("--subwords=6-3", "subwords is 6-3"), ("--subwords=x", "as 3-6")])
def test_n_grams_that_cannot_be_are_wrong_usage(run, flag, why):
    status, _, err = train(run, flag)
    assert status == 2
    assert why in err


@pytest.mark.parametrize("flags", [["m.bin", "--format", "fasttext"], ["small", "--precision", "int8"]])
def test_a_model_is_converted_with_its_n_grams(run, flags):
    train(run, "--subwords=3-4", "--buckets=1000", "--quiet")
    assert run("convert", "model", *flags)[0] == 0
    vectors, other = firth.Vectors.load("model"), firth.Vectors.load(flags[0])
    for word in ("walks", "walking"):
        np.testing.assert_allclose(other[word], vectors[word], atol=0.01 * np.abs(vectors[word]).max() + 1e-9)
