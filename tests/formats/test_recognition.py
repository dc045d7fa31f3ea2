import re
from pathlib import Path

import numpy as np
import pytest

from firth.errors import FirthError, UsageError
from firth.formats import arrays, parquet, projector, recognition, word2vec
from firth.formats.rows import Rows

WORDS = ["the", "开心", "naïve"]
ARRAY = np.random.default_rng(2).standard_normal((3, 4)).astype(np.float32)


def write(path, format):
    rows = Rows.of(WORDS, ARRAY)
    match format:
        case "npy":
            arrays.write_rows(path, rows)
        case "projector":
            projector.write_rows(path, rows)
        case "parquet":
            parquet.write_rows(path, rows)
        case _:
            word2vec.write_rows(path, rows, format=format)


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("vectors.txt", "text"),
        ("vectors.vec", "text"),
        ("vectors.vec", "binary"),
        ("vectors.bin", "binary"),
        ("vectors", "glove"),
        ("vectors.npy", "npy"),
        ("vectors.array", "npy"),
        ("vectors.tsv", "projector"),
        ("vectors.parquet", "parquet"),
        ("vectors.pq", "parquet"),
    ],
)
def test_a_file_is_recognised_by_its_contents(tmp_path, name, format):
    write(tmp_path / name, format)
    for chosen in ("auto", format):
        words, array, _ = recognition.read(tmp_path / name, format=chosen)
        assert words == WORDS
        np.testing.assert_array_equal(array, ARRAY)
        assert recognition.rows(tmp_path / name, format=chosen, limit=2).collected().words == WORDS[:2]


def test_an_array_stays_on_disk(tmp_path):
    write(tmp_path / "x.npy", "npy")
    assert not recognition.read(tmp_path / "x.npy").array.flags.owndata


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.txt", "text"),
        ("a.layer3.vec", "text"),
        ("a.bin", "binary"),
        ("a.npy", "npy"),
        ("a.tsv", "projector"),
        ("a.parquet", "parquet"),
        ("a", "directory"),
    ],
)
def test_a_target_is_named_by_its_suffix(name, format):
    assert recognition.target_format(Path(name)) == format


def test_names_that_are_no_formats(tmp_path):
    message = "'.kv' is no format's suffix; there are .txt, .vec, .bin, .npy, .tsv, .parquet, and none for a directory"
    with pytest.raises(UsageError, match=re.escape(message)):
        recognition.target_format(Path("a.kv"))
    write(tmp_path / "x", "text")
    with pytest.raises(UsageError, match="there are auto, text, binary, glove"):
        recognition.rows(tmp_path / "x", format="kv")
    with pytest.raises(FirthError, match="none cannot be read"):
        recognition.rows(tmp_path / "none")
