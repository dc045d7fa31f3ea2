"""Numbers as text, rows at a time: compiled, as a file of a million words has some hundred million of them.

Reading gives the float32 nearest to what is written, writing the fewest digits (nine at most) that are read back to the
same bit. Both scale by a power of ten in float64, whose result is off by a few units in the last of its 53 bits; a
float32 has 24. Where that decides between two neighbouring float32, the number is left to a slower reader, or gets
another digit.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")

uint64 = np.uint64
TEN = uint64(10)
TENS = 10 ** np.arange(10, dtype=np.uint64)
POWERS = 10.0 ** np.arange(81)  # of ten; float32 ends at 1e-45 and 3.4e38
MOST_DIGITS = 18  # that fit in an int64; the error of leaving more out is below that of scaling
NUMBER_BYTES = 18  # of one number at most: " -1.23456789e-38" has 16
ABOVE = 1 + 2.0**-50  # what scaling can be off
BELOW = 1 - 2.0**-50

SPACE, RETURN, LINE_END, PLUS, MINUS, POINT, ZERO, NINE = (ord(char) for char in " \r\n+-.09")
SMALL_E, LARGE_E = ord("e"), ord("E")


@compiled
def _scaled(digits: float, exponent: int) -> Any:
    """`digits` times ten to the power of `exponent`, of which -80 to 80 are known."""
    return digits * POWERS[exponent] if exponent >= 0 else digits / POWERS[-exponent]


@compiled
def _number(text: Any, position: Any, stop: int) -> tuple[Any, Any]:
    """The float32 that begins at `position`, and the position behind it; -1 where it is none, or hard to round."""
    negative = position < stop and text[position] == MINUS
    if negative or (position < stop and text[position] == PLUS):
        position += 1
    digits: Any = 0
    n_digits, exponent, any_digit, behind_point = 0, 0, False, False
    while position < stop:
        char = text[position]
        if ZERO <= char <= NINE:
            any_digit = True
            if n_digits < MOST_DIGITS:
                digits = digits * 10 + (np.int64(char) - ZERO)
                n_digits += digits > 0
                exponent -= behind_point
            else:
                exponent += not behind_point
        elif char == POINT and not behind_point:
            behind_point = True
        else:
            break
        position += 1
    if not any_digit:
        return np.float32(0), -1
    if position < stop and (text[position] == SMALL_E or text[position] == LARGE_E):
        position += 1
        falling = position < stop and text[position] == MINUS
        if falling or (position < stop and text[position] == PLUS):
            position += 1
        first = position
        written: Any = 0
        while position < stop and ZERO <= text[position] <= NINE:
            written = min(written * 10 + (np.int64(text[position]) - ZERO), 10_000)
            position += 1
        if position == first:
            return np.float32(0), -1
        exponent += -written if falling else written
    if digits == 0:
        return np.float32(-0.0) if negative else np.float32(0), position
    if not -80 <= exponent <= 80:
        return np.float32(0), -1
    value = _scaled(float(digits), exponent)
    if np.float32(value * BELOW) != np.float32(value * ABOVE):
        return np.float32(0), -1
    return np.float32(-value) if negative else np.float32(value), position


@compiled
def read_rows(
    text: Any, dim: int, separator: int, has_words: bool, array: Any, starts: Any, word_ends: Any, are_read: Any
) -> int:
    """How many lines `text` has; of each that is a word and `dim` numbers, one separator between two, the numbers.

    Args:
        text: uint8, whole lines.
        dim: Numbers a line.
        separator: The byte between two fields.
        has_words: Whether a word comes first, and not a number.
        array: Float32 (line, dim), filled where `are_read`.
        starts: Int64 (line + 1,), filled: the position of each line, and of the end.
        word_ends: Int64 (line,), filled where `are_read`: the position behind its word.
        are_read: Bool (line,), filled: false where a line is anything else, which a slower reader has to judge.
    """
    stop = len(text)
    position, line = 0, 0
    while position < stop:
        starts[line] = position
        is_read = False
        while has_words and position < stop and not (text[position] == SPACE or 9 <= text[position] <= 13):
            position += 1
        if position > starts[line] or not has_words:
            word_ends[line] = position
            is_read = True
            for column in range(dim):
                if has_words or column:
                    if position >= stop or text[position] != separator:
                        is_read = False
                        break
                    position += 1
                value, behind = _number(text, position, stop)
                if behind < 0:
                    is_read = False
                    break
                array[line, column] = value
                position = behind
            if is_read and position < stop and text[position] == SPACE:  # word2vec.c and fastText write one
                position += 1
            if is_read and position < stop and text[position] == RETURN:
                position += 1
            is_read = is_read and (position == stop or text[position] == LINE_END)
        are_read[line] = is_read
        while position < stop and text[position] != LINE_END:
            position += 1
        position += 1
        line += 1
    starts[line] = min(position, stop)
    return line


@compiled
def _shortest(value: float) -> tuple[Any, int]:
    """Digits and a power of ten whose product is read as the float32 `value`, which is above 0."""
    leading = ((math.frexp(value)[1] - 1) * 1233) >> 12  # log10 of 2 is 1233 / 4096; or 1 too low
    if value >= _scaled(1, leading + 1):
        leading += 1
    digits, exponent = uint64(0), 0
    for n_digits in (9, 8, 7, 6):
        power = leading + 1 - n_digits
        rounded = np.rint(_scaled(value, -power))
        if n_digits < 9:
            read = _scaled(rounded, power)
            if np.float32(read * BELOW) != np.float32(value) or np.float32(read * ABOVE) != np.float32(value):
                break
        digits, exponent = uint64(rounded), power
    while digits % TEN == 0:
        digits //= TEN
        exponent += 1
    return digits, exponent


@compiled
def _put_digits(text: Any, stop: int, digits: Any) -> int:
    """Writes `digits` in front of position `stop`, and returns the position of the first."""
    while digits:
        tens = digits // TEN
        stop -= 1
        text[stop] = ZERO + (digits - tens * TEN)
        digits = tens
    return stop


@compiled
def _put_number(text: Any, position: int, number: Any) -> int:
    """Writes `number`, which is finite, and returns the position behind it."""
    if np.signbit(number):
        text[position] = MINUS
        position += 1
    if number == 0:
        text[position] = ZERO
        return position + 1
    digits, exponent = _shortest(abs(np.float64(number)))
    n_digits = 1
    while n_digits < len(TENS) and digits >= TENS[n_digits]:
        n_digits += 1
    leading = n_digits - 1 + exponent
    if exponent >= 0 and leading < 9:  # 1200
        position += n_digits
        _put_digits(text, position, digits)
        for _ in range(exponent):
            text[position] = ZERO
            position += 1
        return position
    if -5 <= leading < 0:  # 0.00001234
        text[position] = ZERO
        text[position + 1] = POINT
        position += 2
        for _ in range(-leading - 1):
            text[position] = ZERO
            position += 1
        position += n_digits
        _put_digits(text, position, digits)
        return position
    n_whole = leading + 1 if 0 <= leading < 9 else 1  # 12.34, or 1.234e-12
    if n_digits > 1:
        _put_digits(text, position + n_digits + 1, digits)
        for _ in range(n_whole):
            text[position] = text[position + 1]
            position += 1
        text[position] = POINT
        position += n_digits + 1 - n_whole
    else:
        position += 1
        _put_digits(text, position, digits)
    if 0 <= leading < 9:
        return position
    text[position] = SMALL_E
    text[position + 1] = MINUS if leading < 0 else PLUS
    text[position + 2] = ZERO + abs(leading) // 10
    text[position + 3] = ZERO + abs(leading) % 10
    return position + 4


@compiled
def write_rows(array: Any, words: Any, word_ends: Any, separator: int, text: Any) -> int:
    """Writes a line for each row of `array` into `text`, and returns how many bytes that takes.

    Args:
        array: Float32 (row, dim), finite.
        words: uint8, the words' bytes one behind the other.
        word_ends: Int64 (row,), the position in `words` behind each word. Empty words have no separator behind them.
        separator: The byte between two fields of a line.
        text: uint8, of a size for the words and NUMBER_BYTES + 1 for each number.
    """
    position, word_start = 0, 0
    for row in range(len(array)):
        word_end = word_ends[row]
        has_word = word_end > word_start
        text[position : position + word_end - word_start] = words[word_start:word_end]
        position += word_end - word_start
        word_start = word_end
        for column in range(array.shape[1]):
            if has_word or column:
                text[position] = separator
                position += 1
            position = _put_number(text, position, array[row, column])
        text[position] = LINE_END
        position += 1
    return position
