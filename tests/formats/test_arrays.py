import re

import numpy as np
import pytest
from drawing import words_and_arrays
from hypothesis import given

from firth.errors import FirthError, UsageError
from firth.formats import arrays, rows
from firth.formats.rows import Rows, first_of_each

WORDS = ["the", "开心", "two words", "tab\tin", "\u3000"]
ARRAY = np.random.default_rng(2).standard_normal((5, 3)).astype(np.float32)


@given(words_and_arrays("\r\n"))
def test_what_is_written_is_read(tmp_path_factory, words_and_array):
    words, array = words_and_array
    path = tmp_path_factory.mktemp("arrays") / "x.npy"
    assert arrays.write_rows(path, Rows.of(words, array)) == len(words)
    read = arrays.read(path)
    assert (read.words, read.repeated) == (words, [])
    assert read.array.tobytes() == array.tobytes()


def test_numpy_opens_it_and_the_words_are_lines(tmp_path):
    arrays.write_rows(tmp_path / "x.npy", Rows.of(WORDS, ARRAY))
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False), ARRAY)
    assert (tmp_path / "x.vocab.txt").read_text(encoding="utf-8").splitlines()[:2] == WORDS[:2]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.npy", "x.vocab.txt"]


@pytest.mark.parametrize("name", ["x.vocab.txt", "x.txt", "vocab.txt"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_we_open_what_numpy_saves(tmp_path, name, dtype):
    np.save(tmp_path / "x.npy", ARRAY.astype(dtype))
    (tmp_path / name).write_text("\r\n".join(WORDS), encoding="utf-8", newline="")
    words, array, _ = arrays.read(tmp_path / "x.npy", limit=4)
    assert words == WORDS[:4]
    np.testing.assert_array_equal(array, ARRAY.astype(dtype).astype(np.float32)[:4])
    assert array.flags.writeable != (dtype == np.float32)  # what is mapped is not


def test_fewer_rows_than_were_announced(tmp_path):
    repeated = []
    blocks = first_of_each([(["a", "b", "a"], ARRAY[:3])], repeated)
    assert arrays.write_rows(tmp_path / "x.npy", Rows(3, 3, blocks, repeated)) == 2
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), ARRAY[:2])
    assert repeated == ["a"]


def test_of_a_repeated_word_the_first_row_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_ROWS", 2)
    np.save(tmp_path / "x.npy", ARRAY)
    (tmp_path / "x.txt").write_text("a\nb\na\nc\nb\n", encoding="utf-8")
    words, array, repeated = arrays.read(tmp_path / "x.npy")
    assert (words, repeated) == (["a", "b", "c"], ["a", "b"])
    np.testing.assert_array_equal(array, ARRAY[[0, 1, 3]])


@pytest.mark.parametrize(
    ("words", "array", "message"),
    [
        ("a\nb\n", ARRAY[:3], "x.txt has 2 words, and the array beside it 3 rows"),
        ("a\n\nc\n", ARRAY[:3], "x.txt, line 2: no word"),
        ("a\n", ARRAY[0], "an array float32 of shape (3,); floats (row, dim) are due"),
        ("a\n", np.ones((1, 1, 2)), "floats (row, dim) are due"),
        ("a\n", np.ones((1, 2), int), "an array int64 of shape (1, 2)"),
        ("a\n", np.array([["x"]], object), "x.npy is no whole array of numbers"),
        (None, ARRAY, "looked for beside it, a line each, in x.vocab.txt, x.txt, vocab.txt: none is there"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, words, array, message):
    np.save(tmp_path / "x.npy", array, allow_pickle=True)
    if words is not None:
        (tmp_path / "x.txt").write_text(words, encoding="utf-8")
    with pytest.raises(FirthError, match=re.escape(message)):
        arrays.read(tmp_path / "x.npy")


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_named_by_its_word(tmp_path, monkeypatch, number):
    monkeypatch.setattr(arrays, "BLOCK_ROWS", 2)
    array = ARRAY.copy()
    array[3, 1] = number
    np.save(tmp_path / "x.npy", array)
    (tmp_path / "x.txt").write_text("".join(f"w{row}\n" for row in range(len(array))), encoding="utf-8")
    with pytest.raises(FirthError, match=r"x\.npy: the vector of 'w3' holds a number that is not finite"):
        arrays.read(tmp_path / "x.npy")
    assert arrays.read(tmp_path / "x.npy", limit=3).words == ["w0", "w1", "w2"]


def test_a_file_that_is_cut_off_or_missing(tmp_path):
    arrays.write_rows(tmp_path / "x.npy", Rows.of(WORDS, ARRAY))
    content = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(content[:-1])
    with pytest.raises(FirthError, match="is no whole array of numbers"):
        arrays.read(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes(content)
    (tmp_path / "x.vocab.txt").write_bytes("开心".encode("gb18030"))
    with pytest.raises(FirthError, match=r"x\.vocab\.txt is not UTF-8"):
        arrays.read(tmp_path / "x.npy")
    with pytest.raises(FirthError, match=r"none\.npy cannot be read"):
        arrays.read(tmp_path / "none.npy")
    (tmp_path / "x.vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    with pytest.raises(UsageError, match="limit 0"):
        arrays.read(tmp_path / "x.npy", limit=0)


@pytest.mark.parametrize(
    ("words", "array", "message"),
    [
        (["a", "b\nc"], np.ones((2, 2)), "'b\\u{a}c' holds a tab or a line end"),
        (["a", ""], np.ones((2, 2)), "an empty word"),
        (["a", "a"], np.ones((2, 2)), "two rows would be named 'a'"),
        (["a", "\ud800"], np.ones((2, 2)), "is not text that UTF-8 can write"),
        (["a", "b"], np.array([[1, 2], [3, np.nan]]), "the vector of 'b' holds a number that is not finite"),
    ],
)
def test_what_cannot_be_written(tmp_path, words, array, message):
    with pytest.raises(FirthError, match=re.escape(message)):
        arrays.write_rows(tmp_path / "x.npy", Rows.of(words, array.astype(np.float32)))
    assert list(tmp_path.iterdir()) == []
    arrays.write_rows(tmp_path / "x.npy", Rows.of(["b\nc"], ARRAY[:1]), space="_")
    assert arrays.read(tmp_path / "x.npy").words == ["b_c"]
