import json
import re

import numpy as np
import pytest

from firth.errors import FirthError, UsageError
from firth.formats import directory, safetensors
from firth.formats.rows import Rows, first_of_each

WORDS = ["the", "开心", "two words", "tab\tand\\slash"]
ARRAY = np.random.default_rng(2).standard_normal((4, 3)).astype(np.float32)
SEGMENTATION = {"method": "words", "lower": True}


def write(path, array=ARRAY[np.newaxis], **changes):
    keywords = {"counts": np.arange(4, 0, -1), "segmentation": SEGMENTATION, "settings": {"family": "cbow"}}
    directory.write(path, WORDS, {"vectors": array}, **keywords | changes)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_what_is_written_is_read(tmp_path, n_layers):
    array = np.random.default_rng(1).standard_normal((n_layers, 4, 2)).astype(np.float32)
    write(tmp_path / "x", array)
    read = directory.read(tmp_path / "x")
    assert (read.words, read.counts.tolist()) == (WORDS, [4, 3, 2, 1])
    assert (read.segmentation, read.settings) == (SEGMENTATION, {"family": "cbow"})
    np.testing.assert_array_equal(read.array, array)
    assert read.tensors["vectors"] is not None
    limited = directory.read(tmp_path / "x", limit=3)
    assert (limited.words, len(limited.counts), limited.array.shape) == (WORDS[:3], 3, (n_layers, 3, 2))


def test_unknown_counts_stay_unknown(tmp_path):
    write(tmp_path / "x", counts=None)
    assert directory.read(tmp_path / "x").counts is None


def test_rows_are_written_as_they_come(tmp_path):
    repeated = []
    blocks = first_of_each([(WORDS[:2], ARRAY[:2]), ([WORDS[0], WORDS[2]], ARRAY[2:])], repeated)
    assert directory.write_rows(tmp_path / "x", Rows(3, 4, blocks, repeated), settings={"source": "y"}) == 3
    read = directory.read(tmp_path / "x")
    assert (read.words, read.settings, read.counts, read.segmentation) == (WORDS[:3], {"source": "y"}, None, None)
    np.testing.assert_array_equal(read.array, ARRAY[np.newaxis, [0, 1, 3]])


def test_nothing_is_left_of_a_directory_that_cannot_be_written(tmp_path):
    array = ARRAY.copy()
    array[2, 1] = np.inf
    with pytest.raises(FirthError, match="the vector of 'two words' holds a number that is not finite"):
        directory.write_rows(tmp_path / "x", Rows.of(WORDS, array), settings={})
    with pytest.raises(FirthError, match="there is no word to write"):
        directory.write_rows(tmp_path / "x", Rows.of([], ARRAY[:0]), settings={})
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "x")
    with pytest.raises(UsageError, match="exists; choose another place"):
        directory.write_rows(tmp_path / "x", Rows.of(WORDS, ARRAY), settings={})


def test_the_matrices_in_the_directory_of_a_contextual_model(tmp_path):
    (tmp_path / "bert").mkdir()
    for name in ("firth.json", "config.json", "model.safetensors"):
        (tmp_path / "bert" / name).write_text("{}", encoding="utf-8")
    with pytest.raises(FirthError, match=r"holds a network; it has no static vectors of words: `firth matrices"):
        directory.read(tmp_path / "bert")
    write(tmp_path / "bert" / "matrices")
    assert directory.read(tmp_path / "bert").words == WORDS


def entries(folder, names):
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}", encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "there is: nothing"),
        (["thesis.tex", "a.jpg"], "there is: a.jpg, thesis.tex"),
        (list("fedcba"), "there is: a, b, c, d, e, ..."),
        (["thesis.tex"], "Looked for: firth.json, vectors.safetensors and vocabulary.tsv, or checkpoint/latest"),
        (["firth.json"], "has firth.json and no vectors.safetensors: its writing was cut off, or a file is gone"),
        (["config.json"], "holds a network"),
        (["elmo_weights.hdf5", "elmo_options.json"], "holds an ELMo; it has no static vectors of words"),
    ],
)
def test_a_directory_that_is_no_model_says_what_was_looked_for(tmp_path, names, message):
    with pytest.raises(FirthError, match=re.escape(message)):
        directory.read(entries(tmp_path / "x", names))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "firth.json").write_text("[]"), "firth.json is not a JSON object"),
        (lambda folder: (folder / "firth.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "vocabulary.tsv").unlink(), "cannot read"),
        (
            lambda folder: (folder / "vocabulary.tsv").write_text("a\t1\n"),
            "has an array of shape (1, 4, 3) for 1 words",
        ),
        (lambda folder: safetensors.write(folder / "vectors.safetensors", {"w": ARRAY}), "has neither a tensor"),
    ],
)
def test_a_damaged_directory(tmp_path, change, message):
    write(tmp_path / "x")
    change(tmp_path / "x")
    with pytest.raises(FirthError, match=re.escape(message)):
        directory.read(tmp_path / "x")


def test_a_limit_counts_rows(tmp_path):
    write(tmp_path / "x")
    with pytest.raises(UsageError, match="limit 0"):
        directory.read(tmp_path / "x", limit=0)


def test_firth_json_says_what_it_was_given(tmp_path):
    write(tmp_path / "x", settings={"corpus": "猫"})
    assert json.loads((tmp_path / "x" / "firth.json").read_text(encoding="utf-8")) == {
        "corpus": "猫",
        "segmentation": SEGMENTATION,
        "counts_known": True,
    }
