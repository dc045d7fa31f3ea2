"""`firth extract` of ELMo: sentences that go on from those before them, words longer than it reads."""

import itertools
import json

import numpy as np
import pytest

import firth
from firth import cli
from firth.formats import safetensors
from firth.segmentation import Segmentation

pytest.importorskip("torch")

from firth.model import Model, Words

LINES = ["the cat sat", "sat on the mat", "the mat", "a cat on a mat sat", "the the"]


@pytest.fixture
def elmo(tmp_path, monkeypatch):
    """A network as it begins, in the directory `elmo`; beside it the lines in `text.txt`."""
    monkeypatch.chdir(tmp_path)
    family = firth.ELMo(dim=16, cell_dim=12, character_dim=4, filters=((1, 4), (2, 8)), n_highway=1, max_characters=12)
    vocabulary = firth.Vocabulary(["the", "cat"], np.array([2, 1]))
    model = Model(family, Words(vocabulary, Segmentation(method="words")), family.network(0, 3).eval(), {})
    model.save("elmo")
    (tmp_path / "text.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return model


@pytest.fixture
def run(capsys):
    def run(*arguments):
        status = cli.main(list(arguments))
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


def arrays(sentences):
    return [sentence.array for sentence in sentences]


def assert_alike(found, due):
    for one, other in zip(found, due, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


# --- carried


def test_vectors_that_are_written_go_on_from_the_lines_before(run, elmo):
    assert run("extract", "elmo", "text.txt", "-o", "carried", "--carry", "2", "--quiet")[0] == 0
    assert run("extract", "elmo", "text.txt", "-o", "anew", "--quiet")[0] == 0
    carried, anew = (arrays(firth.read_extracted(name)) for name in ("carried", "anew"))
    assert_alike(carried, arrays(firth.extract(elmo, LINES, carry=2)))
    assert_alike(carried[:2], anew[:2])  # the first batch has nothing to go on from
    for one, other in zip(carried[2:], anew[2:], strict=True):
        np.testing.assert_allclose(one[0], other[0], rtol=0, atol=1e-6)  # layer 0 is of a word alone
        assert np.abs(one[1:] - other[1:]).max() > 1e-4


def test_vectors_that_are_printed_go_on_likewise(run, elmo):
    status, out, _ = run("extract", "elmo", "text.txt", "--carry", "1", "--json")
    assert status == 0
    found = [np.array(list(sentence["layers"].values())) for sentence in json.loads(out)]
    assert_alike(found, arrays(firth.extract(elmo, LINES, carry=1)))


def test_extract_to_carries(elmo, tmp_path):
    firth.extract_to(tmp_path / "out", elmo, LINES, carry=3, layers="last")
    assert_alike(
        arrays(firth.read_extracted(tmp_path / "out")), arrays(firth.extract(elmo, LINES, carry=3, layers="last"))
    )


def test_what_was_interrupted_goes_on_from_the_lines_before(elmo, tmp_path, monkeypatch):
    unbroken = arrays(firth.extract(elmo, LINES, carry=1))
    write, calls = safetensors.write, itertools.count()

    def full(*arguments):
        if next(calls) == 2:
            raise firth.FirthError("No space left on device")
        write(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("firth.contexts.SHARD_BYTES", 1)
        patch.setattr("firth.formats.safetensors.write", full)
        with pytest.raises(firth.FirthError, match="No space left"):
            firth.extract_to(tmp_path / "out", elmo, LINES, carry=1)
    assert len(list((tmp_path / "out.part").glob("*.safetensors"))) == 2
    firth.extract_to(tmp_path / "out", elmo, LINES, carry=1, resume=True)
    assert_alike(arrays(firth.read_extracted(tmp_path / "out")), unbroken)


@pytest.mark.parametrize("number", ["0", "-1", "some"])
def test_carry_counts_lines(run, elmo, number):
    status, out, err = run("extract", "elmo", "text.txt", f"--carry={number}")
    assert (status, out) == (2, "")
    assert "carry" in err.lower()


def test_only_elmo_carries(run, elmo):
    firth.Vectors(["the"], np.ones((1, 2))).save("vectors")
    status, out, err = run("extract", "vectors", "text.txt", "--carry", "2")
    assert (status, out) == (2, "")
    assert "which remembers nothing from sentence to sentence: ELMo does" in err


# --- cut


def test_words_that_are_cut_are_counted(run, elmo):
    text = "the abcdefghijklm sat\nnopqrstuvwxyz nopqrstuvwxyz"
    for arguments in ([], ["--json"], ["-o", "out", "--quiet"]):
        status, _, err = run("extract", "elmo", "--text", text, *arguments)
        assert status == 0
        assert "3 of 5 words are longer than the model reads" in err
    assert firth.extract_to("again", elmo, text.split("\n")).n_cut == 3


def test_nothing_is_said_where_no_word_is_cut(run, elmo):
    status, _, err = run("extract", "elmo", "--text", "the abcdefghij sat")
    assert (status, err) == (0, "")
