"""Numbers as text: every float32 comes back to the bit, and what is read is what Python reads."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from firth.formats import decimals

SPACE = ord(" ")
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
SPELT = st.from_regex(r"[+-]?([0-9]{1,25}(\.[0-9]{0,25})?|\.[0-9]{1,25})([eE][+-]?[0-9]{1,3})?", fullmatch=True)


def written(array, words=None, separator=SPACE):
    words = [b""] * len(array) if words is None else words
    joined = b"".join(words)
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    text = np.empty(len(joined) + len(words) + array.size * (decimals.NUMBER_BYTES + 1), np.uint8)
    n = decimals.write_rows(array, np.frombuffer(joined or b" ", np.uint8), ends, separator, text)
    return text[:n].tobytes()


def read(text, dim, separator=SPACE, has_words=True):
    n = text.count(b"\n") + (not text.endswith(b"\n"))
    array = np.full((n, dim), np.nan, np.float32)
    starts, ends, are_read = np.empty(n + 1, np.int64), np.empty(n, np.int64), np.empty(n, np.bool_)
    characters = np.frombuffer(text, np.uint8)
    assert decimals.read_rows(characters, dim, separator, has_words, array, starts, ends, are_read) == n
    assert starts[-1] == len(text)
    return array, starts.tolist(), ends.tolist(), are_read.tolist()


@given(hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 5)), elements=FLOATS))
@example(np.float32([[1e-45, -1e-45, 3.4028235e38, 1.17549435e-38]]))
@example(np.float32([[0, -0.0, 1, 10, 100000000, 999999999, 1e9, 0.1, 0.00001, 0.000001, 16777216]]))
def test_what_is_written_is_read_to_the_bit(array):
    words = [b"w%d" % row for row in range(len(array))]
    text = written(array, words)
    ours, starts, ends, are_read = read(text, array.shape[1])
    assert all(are_read)
    assert ours.tobytes() == array.tobytes()
    assert [text[start:end] for start, end in zip(starts, ends, strict=False)] == words
    theirs = [[float(field) for field in line.split()[1:]] for line in text.splitlines()]
    assert np.array(theirs).astype(np.float32).tobytes() == array.tobytes()


def test_bits_drawn_evenly_come_back():
    bits = np.random.default_rng(3).integers(0, 2**32, (5000, 4), dtype=np.uint64).astype(np.uint32)
    array = bits.view(np.float32)
    array = np.where(np.isfinite(array), array, np.float32(0.5))
    assert read(written(array, [b"w"] * 5000), 4)[0].tobytes() == array.tobytes()


@given(FLOATS)
def test_no_more_digits_than_numpy_writes(number):
    def digits(text):
        return re.sub(r"e.*", "", text.lower()).replace(".", "").replace("-", "").strip("0")

    ours = written(np.array([[number]], np.float32)).decode()
    assert len(digits(ours.strip())) <= max(len(digits(str(np.float32(number)))), 6)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.418, "0.418"),
        (-0.0001, "-0.0001"),
        (0.00001234, "0.00001234"),
        (0.000001234, "1.234e-06"),
        (1200, "1200"),
        (12.5, "12.5"),
        (1e9, "1e+09"),
        (-3.5e20, "-3.5e+20"),
        (1e-30, "1e-30"),
        (0, "0"),
        (-0.0, "-0"),
        (1 / 3, "0.33333334"),
    ],
)
def test_how_a_number_is_written(number, text):
    assert written(np.array([[number, 1]], np.float32)) == f"{text} 1\n".encode()


@given(SPELT)
@example("16777217")  # halfway between two float32: left to the slower reader, or right
@example("1.00000005960464477539062500000001")
@example("0." + "0" * 40 + "7")
@example("123456789012345678901234567890")
def test_a_number_is_read_as_python_reads_it_or_left(text):
    array, _, _, (is_read,) = read(f"w {text}\n".encode(), 1)
    with np.errstate(over="ignore"):
        due = np.array([[float(text)]]).astype(np.float32)
    if is_read:
        assert array.tobytes() == due.tobytes()
    elif "e" not in text.lower() and 1e-20 < abs(float(text)) < 1e20:  # ordinary ones are left where two are as near
        value = float(text)
        assert np.float32(value * (1 - 2**-48)) != np.float32(value * (1 + 2**-48))


@pytest.mark.parametrize(
    "line",
    [
        b"w 1",
        b"w 1 2 3",
        b"w 1  2",
        b"w\t1 2",
        b"w 1\t2",
        b" 1 2",
        b"w 1 x",
        b"w 1 2x",
        b"w 1 -",
        b"w 1 .",
        b"w 1 1e",
        b"w 1 nan",
        b"w 1 inf",
        b"w 1 1_0",
        b"w 1 1e999",
        b"two words 1 2",
        b"",
        b"w",
        b"w ",
    ],
)
def test_an_irregular_line_is_left_and_the_others_are_read(line):
    array, starts, ends, are_read = read(b"a 1 2\n" + line + b"\nb 3 4", 2)
    assert are_read == [True, False, True]
    assert array[[0, 2]].tolist() == [[1, 2], [3, 4]]
    assert starts == [0, 6, 7 + len(line), 12 + len(line)]
    assert (ends[0], ends[2]) == (1, 8 + len(line))


@pytest.mark.parametrize("end", [b"\n", b" \n", b"\r\n", b" \r\n", b""])
def test_line_ends(end):
    assert read(b"a 1 2" + end, 2)[0].tolist() == [[1, 2]]


def test_lines_without_words():
    array, _, _, are_read = read(b"1\t2\n3\t-4e1\n5 6\n", 2, ord("\t"), has_words=False)
    assert are_read == [True, True, False]
    assert array[:2].tolist() == [[1, 2], [3, -40]]
    assert written(array[:2], separator=ord("\t")) == b"1\t2\n3\t-40\n"
