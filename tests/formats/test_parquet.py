import re

import numpy as np
import pyarrow as pa
import pytest
from drawing import words_and_arrays
from hypothesis import given
from pyarrow import parquet as pq

from firth.errors import FirthError, UsageError
from firth.formats import parquet, rows
from firth.formats.rows import Rows

WORDS = ["the", "开心", "two words", "tab\tand\nline"]
ARRAY = np.random.default_rng(2).standard_normal((4, 3)).astype(np.float32)


@given(words_and_arrays())
def test_what_is_written_is_read(tmp_path_factory, words_and_array):
    words, array = words_and_array
    path = tmp_path_factory.mktemp("parquet") / "x.parquet"
    assert parquet.write_rows(path, Rows.of(words, array)) == len(words)
    read = parquet.rows(path).collected()
    assert (read.words, read.repeated) == (words, [])
    assert read.array.tobytes() == array.tobytes()


def test_the_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_ROWS", 3)
    ids, distances = np.array([[1, 2], [0, 3], [3, 0], [2, 1]]), ARRAY[:, :2]
    parquet.write_rows(
        tmp_path / "x.parquet",
        Rows.of(WORDS, ARRAY),
        counts=np.array([9, 8, 7, 6]),
        places=ARRAY[:, 1:],
        neighbours_of=lambda some: (ids[some], distances[some]),
    )
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.schema.names == ["word", "vector", "count", "x", "y", "neighbors"]
    assert table["word"].to_pylist() == WORDS
    assert table["count"].to_pylist() == [9, 8, 7, 6]
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), ARRAY)
    np.testing.assert_array_equal(table["y"].to_numpy(), ARRAY[:, 2])
    third = table["neighbors"].to_pylist()[2]
    assert third["ids"] == [3, 0]
    np.testing.assert_array_equal(np.float32(third["distances"]), distances[2])
    assert parquet.rows(tmp_path / "x.parquet", limit=3).collected().words == WORDS[:3]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 3), pa.large_list(pa.float16())])
def test_lists_of_any_floats_are_read(tmp_path, kind):
    vectors = pa.array([row.tolist() for row in ARRAY.astype(np.float16)], kind)
    table = {"other": [1, 2, 3, 4], "word": pa.array(WORDS, pa.large_string()), "vector": vectors}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    words, array, _ = parquet.rows(tmp_path / "x.parquet").collected()
    assert words == WORDS
    np.testing.assert_array_equal(array, ARRAY.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"word": ["a"], "embedding": [[1.0]]}, "has no column 'vector' (list of floats); there are: word (string)"),
        ({"text": ["a"], "vector": [[1.0]]}, "has no column 'word' (string); there are: text (string)"),
        ({"word": [1], "vector": [[1.0]]}, "has no column 'word' (string)"),
        ({"word": ["a"], "vector": ["x"]}, "has no column 'vector'"),
        ({"word": ["a", "b"], "vector": [[1.0, 2.0], [3.0]]}, "row 2: 1 numbers where 2 are due"),
        ({"word": ["a", "b"], "vector": [[1.0, 2.0], [3.0, float("nan")]]}, "row 2: a number that is not finite"),
        ({"word": ["a", None], "vector": [[1.0], [2.0]]}, "rows 1 to 2: a word or a vector is missing"),
        ({"word": ["a", "b"], "vector": [[1.0], None]}, "rows 1 to 2: a word or a vector is missing"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, table, message):
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    with pytest.raises(FirthError, match=re.escape(message)):
        parquet.rows(tmp_path / "x.parquet").collected()


def test_a_file_that_is_cut_off_empty_or_missing(tmp_path):
    parquet.write_rows(tmp_path / "x.parquet", Rows.of(WORDS, ARRAY))
    content = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(content[:-9])
    for name in ("x.parquet", "none.parquet"):
        with pytest.raises(FirthError, match=f"{re.escape(name)} cannot be read"):
            parquet.rows(tmp_path / name)
    pq.write_table(
        pa.table({"word": pa.array([], pa.string()), "vector": pa.array([], pa.list_(pa.float32()))}), tmp_path / "e"
    )
    with pytest.raises(FirthError, match="holds no vectors"):
        parquet.rows(tmp_path / "e")
    with pytest.raises(UsageError, match="limit 0"):
        parquet.rows(tmp_path / "e", limit=0)


def test_of_a_repeated_word_the_first_row_is_kept(tmp_path):
    pq.write_table(pa.table({"word": ["a", "b", "a"], "vector": [[1.0], [2.0], [3.0]]}), tmp_path / "x.parquet")
    words, array, repeated = parquet.rows(tmp_path / "x.parquet").collected()
    assert (words, array.tolist(), repeated) == (["a", "b"], [[1], [2]], ["a"])
