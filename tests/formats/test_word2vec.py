import io
import re
import shlex
import sys
from contextlib import nullcontext

import numpy as np
import pytest
from drawing import words_and_arrays
from hypothesis import given

from firth.errors import FirthError, UsageError
from firth.formats import lines, rows, word2vec

WORDS = ["the", "开心", "naïve", "\u3000", "New\u00a0York", "1", "[/b]"]
ARRAY = (np.random.default_rng(1).standard_normal((7, 5)) * [[1], [1e-30], [1e30], [1], [0], [1], [1]]).astype(
    np.float32
)


@pytest.mark.parametrize("format", word2vec.FORMATS)
@given(words_and_arrays(" \t\n\v\f\r", least_dim=2))
def test_what_is_written_is_read(tmp_path_factory, format, words_and_array):
    words, array = words_and_array
    path = tmp_path_factory.mktemp("word2vec") / "x"
    word2vec.write(path, words, array, format=format)
    read = word2vec.read(path, format=format)
    assert read.words == words
    assert read.array.tobytes() == array.tobytes()  # -0.0 too
    assert read.repeated == []


@pytest.mark.parametrize("format", word2vec.FORMATS)
def test_the_format_is_recognised(tmp_path, format):
    word2vec.write(tmp_path / "x", WORDS, ARRAY, format=format)
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == WORDS
    np.testing.assert_array_equal(array, ARRAY)


@pytest.mark.parametrize("format", word2vec.FORMATS)
@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_a_limit_takes_rows_from_the_top(tmp_path, format, limit):
    word2vec.write(tmp_path / "x", WORDS, ARRAY, format=format)
    words, array, _ = word2vec.read(tmp_path / "x", limit=limit)
    assert words == WORDS[:limit]
    np.testing.assert_array_equal(array, ARRAY[:limit])


@pytest.mark.parametrize("compiled_bytes", [0, 1_000_000])
@pytest.mark.parametrize("format", word2vec.FORMATS)
def test_reading_goes_by_blocks(tmp_path, monkeypatch, format, compiled_bytes):
    monkeypatch.setattr(lines, "COMPILED_BYTES", compiled_bytes)
    word2vec.write(tmp_path / "x", WORDS, ARRAY, format=format)
    monkeypatch.setattr(lines, "READ_BYTES", 16)
    monkeypatch.setattr(rows, "BLOCK_ROWS", 2)
    monkeypatch.setattr(word2vec, "BLOCK_ROWS", 2)
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == WORDS
    np.testing.assert_array_equal(array, ARRAY)


def test_word2vec_c_writes_a_space_before_the_line_end(tmp_path):
    (tmp_path / "x").write_bytes(b"2 3\n</s> 0.5 -1.25 1e-3 \nin 1 2 3 \n")
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == ["</s>", "in"]
    np.testing.assert_array_equal(array, np.array([[0.5, -1.25, 1e-3], [1, 2, 3]], np.float32))


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["gensim", "word2vec.c"])
def test_binary_rows_with_and_without_a_line_end(tmp_path, end):
    numbers = np.array([[10, 20], [0.5, -3]], "<f4")
    (tmp_path / "x").write_bytes(b"2 2\na " + numbers[0].tobytes() + end + b"b " + numbers[1].tobytes() + end)
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == ["a", "b"]
    np.testing.assert_array_equal(array, numbers)


def test_windows_line_ends_and_blank_last_lines(tmp_path):
    (tmp_path / "x").write_bytes(b"2 2\r\na 1 2\r\nb 3 4\r\n\r\n")
    assert word2vec.read(tmp_path / "x").array.tolist() == [[1, 2], [3, 4]]


def test_tabs_and_several_spaces_part_numbers(tmp_path):
    (tmp_path / "x").write_bytes(b"2 2\na\t1\t2\nb  3   4\n")
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == ["a", "b"]
    assert array.tolist() == [[1, 2], [3, 4]]


def test_glove_words_may_contain_spaces(tmp_path):
    (tmp_path / "x").write_bytes(b"the 1 2\n. . . 3 4\nat name@domain.com 5 6\n20 7 8\n")
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == ["the", ". . .", "at name@domain.com", "20"]
    assert array.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_of_a_repeated_word_the_first_row_is_kept(tmp_path):
    (tmp_path / "x").write_bytes(b"3 2\na 1 2\na 3 4\nb 5 6\n")
    words, array, repeated = word2vec.read(tmp_path / "x")
    assert (words, array.tolist(), repeated) == (["a", "b"], [[1, 2], [5, 6]], ["a"])


def test_a_word_cut_inside_a_character(tmp_path):
    (tmp_path / "x").write_bytes(b"1 2\n" + "开心".encode()[:4] + b" 1 2\n")
    with pytest.raises(FirthError, match=r"line 2: .* is not utf-8; encoding_errors='replace'"):
        word2vec.read(tmp_path / "x")
    assert word2vec.read(tmp_path / "x", encoding_errors="replace").words == ["开\ufffd"]


def test_another_encoding(tmp_path):
    (tmp_path / "x").write_bytes(b"1 2\n" + "开心".encode("gb18030") + b" 1 2\n")
    assert word2vec.read(tmp_path / "x", encoding="gb18030").words == ["开心"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"2 2\na 1 2\nb 3\n", "line 3: 1 number where 2 are due"),
        (b"2 2\na 1 2\nb 3 4 5\n", "line 3: 3 numbers where 2 are due"),
        (b"3 2\nabcdefgh 1 2\n\nb 3 4\n", "line 3: 0 numbers where 2 are due"),
        (b"2 2\na 1 2\nb 3 x4\n", "line 3: 'x4' is not a number"),
        (b"2 2\na 1 2\nb 3 4_0\n", "line 3: '4_0' is not a number"),
        (b"2 2\na 1 2\nb 3 4\x1b[31m\n", "line 3: '4\\u{1b}[31m' is not a number"),
        (b"2 2\na 1 2\nb 3 nan\n", "line 3: a number that is not finite"),
        (b"2 2\na 1 2\nb 3 1e400\n", "line 3: a number that is not finite"),
        (b"2 2\na 1 2\n 3 4\n", "line 3: no word stands before the numbers"),
        (b"3 2\na 1 2\nbcdefghij 3 4\n", "the header promises 3 rows, and the file ends after 2"),
        (b"1 2\na 1 2\nb 3 4\n", "line 3: a row more than the 1 that the header promises"),
        (b"999999999999 2\na 1 2\n", "the header promises 999,999,999,999 rows"),
        (b"2 0\na\nb\n", "line 1: vectors of 0 dimensions"),
        (b"once upon a time\n", "'upon' is not a number"),
        (b"word\n", "line 1: a word and its numbers are due"),
    ],
)
def test_malformed_text_is_named_by_its_line(tmp_path, content, message):
    (tmp_path / "x.txt").write_bytes(content)
    with pytest.raises(FirthError, match=re.escape(message)):
        word2vec.read(tmp_path / "x.txt")


def test_line_numbers_go_on_over_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "READ_BYTES", 16)
    (tmp_path / "x").write_bytes(b"the 1 2\n" * 20 + b"a 3 x\n")
    with pytest.raises(FirthError, match="line 21: 'x' is not a number"):
        word2vec.read(tmp_path / "x")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (b"a " + b"\0" * 8 + b"b " + b"\0" * 7, "the header promises 2 rows, and the file ends after 1"),
        (b"a " + b"\0" * 8 + b"b", "the header promises 2 rows of 2 numbers, and the file has bytes for 1 at most"),
        (b"a " + b"\0" * 8 + b"bcdefghijk", "the header promises 2 rows, and the file ends after 1"),
        (b"a " + b"\0" * 8 + b"b " + b"\xff" * 8, "row 2: a number that is not finite"),
        (b"a " + b"\0" * 8 + b"\n " + b"\0" * 8, "row 2 (byte 14): no word stands"),
        (b"a " + b"\0" * 8 + b"\xff " + b"\0" * 8, "row 2: the word b'\\xff' is not utf-8"),
    ],
)
def test_malformed_binary_is_named_by_its_row(tmp_path, rows, message):
    (tmp_path / "x").write_bytes(b"2 2\n" + rows)
    with pytest.raises(FirthError, match=re.escape(message)):
        word2vec.read(tmp_path / "x")


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(FirthError, match=r"none\.txt cannot be read: No such file"):
        word2vec.read(tmp_path / "none.txt")
    with pytest.raises(FirthError, match="cannot be read"):
        word2vec.read(tmp_path)


def test_wrong_arguments(tmp_path):
    (tmp_path / "x").write_bytes(b"a 1 2\n")
    with pytest.raises(UsageError, match="there are auto, text, binary, glove"):
        word2vec.read(tmp_path / "x", format="vec")
    with pytest.raises(UsageError, match="limit 0"):
        word2vec.read(tmp_path / "x", limit=0)
    with pytest.raises(FirthError, match="line 1: a header 'ROWS DIM' is due; format='glove'"):
        word2vec.read(tmp_path / "x", format="text")
    with pytest.raises(UsageError, match="one row a word is due"):
        word2vec.write(tmp_path / "y", ["a", "b"], np.ones((1, 2), np.float32))
    with pytest.raises(UsageError, match="there are text, binary, glove"):
        word2vec.write(tmp_path / "y", ["a"], np.ones((1, 2), np.float32), format="auto")


def test_a_glove_file_that_begins_like_a_header(tmp_path):
    (tmp_path / "x").write_bytes(b"7 1\n8 2\n")
    assert word2vec.read(tmp_path / "x", format="glove").words == ["7", "8"]


@pytest.mark.parametrize("format", word2vec.FORMATS)
def test_words_with_spaces_are_refused_or_joined(tmp_path, format):
    array = np.ones((2, 2), np.float32)
    with pytest.raises(FirthError, match=r"'New York' contains white space, .* writes 'New_York'"):
        word2vec.write(tmp_path / "x", ["a", "New York"], array, format=format)
    assert not (tmp_path / "x").exists()
    word2vec.write(tmp_path / "x", ["a", "New York"], array, format=format, space="_")
    assert word2vec.read(tmp_path / "x").words == ["a", "New_York"]
    with pytest.raises(FirthError, match="two rows would be named 'a_b'"):
        word2vec.write(tmp_path / "x", ["a_b", "a b"], array, format=format, space="_")


@pytest.mark.parametrize(
    ("words", "array", "message"),
    [
        (["a", ""], np.ones((2, 2)), "an empty word"),
        (["a", "a"], np.ones((2, 2)), "two rows would be named 'a'"),
        (["a", "\ud800"], np.ones((2, 2)), "not text that UTF-8 can write"),
        (["a", "b"], np.array([[1, 2], [3, np.inf]]), "the vector of 'b' holds a number that is not finite"),
    ],
)
def test_what_cannot_be_written(tmp_path, words, array, message):
    with pytest.raises(FirthError, match=re.escape(message)):
        word2vec.write(tmp_path / "x", words, array.astype(np.float32))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("head", "name", "command"),
    [
        (b"\x80\x04\x95gensim.models.word2vec\x94\x8c\x08Word2Vec", "x.model", "Word2Vec.load(sys.argv[1]).wv."),
        (b"\x80\x02cgensim.models.keyedvectors\nKeyedVectors\n", "x.model", "KeyedVectors.load(sys.argv[1])."),
        (b"\x80\x04\x95gensim.models.fasttext\x94FastText", "x", "FastText.load(sys.argv[1]).wv."),
        (b"\x80\x05something", "x.kv", "KeyedVectors.load(sys.argv[1])."),
        (b"\x80\x05something", "x.model", "Word2Vec.load(sys.argv[1]).wv."),
    ],
)
def test_a_pickle_is_refused_with_the_command_that_converts_it(tmp_path, monkeypatch, head, name, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(head)
    with pytest.raises(FirthError, match="is a pickle") as raised:
        word2vec.read(name)
    *_, code, source, target = shlex.split(command_of(raised))
    assert f"{command}save_word2vec_format(sys.argv[2])" in code
    assert (source, target) == (name, f"{name}.txt")


def command_of(raised):
    return str(raised.value).splitlines()[-1]


@pytest.fixture
def pickles_of_any_name(monkeypatch):
    """Every file seems to be a pickle: Windows has none of the names below."""
    monkeypatch.setattr(word2vec, "_opened", lambda path: nullcontext(io.BytesIO(b"\x80\x05something")))


@pytest.mark.usefixtures("pickles_of_any_name")
@pytest.mark.parametrize(
    "name", ["$(touch run).kv", "`touch run`.kv", '";import os;".kv', "it's.kv", "-x y.kv", "猫.kv"]
)
def test_a_name_is_one_argument_of_the_command_whatever_it_holds(name):
    with pytest.raises(FirthError) as raised:
        word2vec.refuse_foreign(name)
    program, flag, code, *names = shlex.split(command_of(raised))
    assert (program, flag, names) == ("python", "-c", [name, f"{name}.txt"])
    assert not set(code) & set("$`\\!")  # which mean something between a shell's double quotes


@pytest.mark.usefixtures("pickles_of_any_name")
def test_a_name_that_cannot_be_shown_is_left_to_the_reader():
    with pytest.raises(FirthError, match="FILE stands for its name") as raised:
        word2vec.refuse_foreign("\x1b[31m\nrm.kv")
    assert "\x1b" not in str(raised.value)
    assert command_of(raised).endswith(" FILE FILE.txt")


def test_what_may_hold_vectors_is_not_refused(tmp_path):
    for content in (b"", b"1 2\na 1 2\n", b"1 2\na " + bytes(8)):
        (tmp_path / "x").write_bytes(content)
        assert word2vec.refuse_foreign(tmp_path / "x") is None
    with pytest.raises(FirthError, match="none cannot be read"):
        word2vec.refuse_foreign(tmp_path / "none")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"\x93NUMPY", "a NumPy array"),
        (b"\xba\x16\x4f\x2f\x0c\0\0\0", "a fastText model"),
        (b"\x1f\x8b\x08", "gzip -dk"),
    ],
)
def test_other_kinds_of_files_are_named(tmp_path, head, message):
    (tmp_path / "x").write_bytes(head)
    with pytest.raises(FirthError, match=message):
        word2vec.read(tmp_path / "x")


# --- gensim


@pytest.fixture
def gensim_vectors():
    return pytest.importorskip("gensim.models").KeyedVectors


LEAVES_A_FILE_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # no_header


@LEAVES_A_FILE_OPEN
@pytest.mark.parametrize("format", word2vec.FORMATS)
def test_gensim_reads_ours(tmp_path, gensim_vectors, format):
    path = tmp_path / "x"
    word2vec.write(path, WORDS, ARRAY, format=format)
    theirs = gensim_vectors.load_word2vec_format(str(path), binary=format == "binary", no_header=format == "glove")
    assert theirs.index_to_key == WORDS
    np.testing.assert_array_equal(theirs.vectors, ARRAY)


@pytest.mark.parametrize(("binary", "header"), [(False, False), (False, True), (True, True)])
def test_we_read_gensims(tmp_path, gensim_vectors, binary, header):
    theirs = gensim_vectors(5)
    theirs.add_vectors(WORDS, ARRAY)
    theirs.save_word2vec_format(str(tmp_path / "x"), binary=binary, write_header=header)
    words, array, _ = word2vec.read(tmp_path / "x")
    assert words == WORDS
    np.testing.assert_array_equal(array, ARRAY)


@LEAVES_A_FILE_OPEN
@pytest.mark.parametrize(
    ("name", "binary", "header"),
    [
        ("word2vec_pre_kv_c", False, True),
        ("crime-and-punishment.vec", False, True),
        ("lee_fasttext.vec", False, True),
        ("high_precision.kv.txt", False, True),
        ("high_precision.kv.bin", True, True),
        ("euclidean_vectors.bin", True, True),
        ("poincare_vectors.bin", True, True),
        ("w2v_keyedvectors_load_test.modeldata", False, True),
        ("test_glove.txt", False, False),
    ],
)
def test_gensims_own_test_data(gensim_vectors, name, binary, header):
    datapath = pytest.importorskip("gensim.test.utils").datapath
    theirs = gensim_vectors.load_word2vec_format(
        datapath(name), binary=binary, no_header=not header, unicode_errors="replace"
    )
    words, array, _ = word2vec.read(datapath(name), encoding_errors="replace")
    assert words == theirs.index_to_key
    np.testing.assert_array_equal(array, theirs.vectors)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("old_keyedvectors_320.dat", "KeyedVectors.load("),
        ("model-from-gensim-3.8.0.w2v", "Word2Vec.load("),
        ("word2vec_pre_kv_py2", "Word2Vec.load("),
    ],
)
def test_gensims_own_pickles_are_refused(gensim_vectors, name, command):
    datapath = pytest.importorskip("gensim.test.utils").datapath
    with pytest.raises(FirthError, match="is a pickle") as raised:
        word2vec.read(datapath(name))
    assert command in str(raised.value)


def test_the_command_converts(tmp_path, gensim_vectors, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs = gensim_vectors(5)
    theirs.add_vectors(WORDS, ARRAY)
    theirs.save("x.kv")
    with pytest.raises(FirthError) as raised:
        word2vec.read("x.kv")
    *_, code, source, target = shlex.split(command_of(raised))
    monkeypatch.setattr(sys, "argv", ["-c", source, target])
    exec(code, {})
    assert word2vec.read("x.kv.txt").words == WORDS
