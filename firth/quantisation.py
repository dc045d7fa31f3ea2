"""Tables in a quarter of their size: each number of a row as one of 255 steps, and a scale for the row.

    x ~ scale * code,    scale = max |x| / 127,    code from -127 to 127

No number is off by more than half a step, 1/254 of the largest of its row: a cosine changes in the third digit. On
disk, a tensor `vectors` is one of int8 and a tensor `vectors.scales` of float32; read, it is float32 again.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.files import printable

Precision = Literal["float32", "int8"]

MOST: Final = 127
SCALES: Final = ".scales"
"""What the name of a tensor's scales ends with."""
ROWS_AT_ONCE: Final = 1 << 14


class Quantised(NamedTuple):
    """Rows of a table."""

    codes: NDArray[np.int8]  # (..., row, dim)
    scales: NDArray[np.float32]  # (..., row)


def quantised(array: NDArray[np.float32]) -> Quantised:
    """The rows of `array`, (..., row, dim), in steps of their own; a row of zeros stays one.

    Raises:
        FirthError: a number is not finite.
    """
    rows = array.reshape(-1, array.shape[-1])
    codes, scales = np.empty(rows.shape, np.int8), np.empty(len(rows), np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        some = np.asarray(rows[start : start + ROWS_AT_ONCE], np.float32)
        largest = np.abs(some).max(axis=1, initial=0)
        if not np.isfinite(largest).all():
            raise FirthError("a vector holds a number that is not finite, for which there is no step")
        scale = largest / np.float32(MOST)
        steps = np.divide(some, scale[:, None], out=np.zeros_like(some), where=scale[:, None] > 0)
        codes[start : start + len(some)] = np.rint(np.clip(steps, -MOST, MOST))
        scales[start : start + len(some)] = scale
    return Quantised(codes.reshape(array.shape), scales.reshape(array.shape[:-1]))


def restored(given: Quantised) -> NDArray[np.float32]:
    """(..., row, dim) what the codes stand for."""
    return given.codes.astype(np.float32) * given.scales[..., np.newaxis]


TABLES: Final = ("vectors", "words", "ngrams")
"""The tensors whose rows are vectors."""


def packed(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Tensors for a file: tables of vectors as codes and scales, others, as variances and counts, as they are."""
    result: dict[str, NDArray[Any]] = {}
    for name, tensor in tensors.items():
        if name in TABLES:
            result[name], result[name + SCALES] = quantised(tensor)
        else:
            result[name] = tensor
    return result


def unpacked(tensors: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The tensors of a file, those that have scales restored; the others as they are, on disk.

    Raises:
        FirthError: codes and scales do not fit one another.
    """
    result = dict(tensors)
    for name in [name for name in tensors if name + SCALES in tensors]:
        given = Quantised(tensors[name], result.pop(name + SCALES))
        if given.codes.dtype != np.int8 or given.scales.shape != given.codes.shape[:-1]:
            raise FirthError(
                f"tensor '{printable(name)}' is {given.codes.dtype} of shape {given.codes.shape}, and its scales of "
                f"{given.scales.shape}: one scale for each row of int8 is due"
            )
        result[name] = restored(given)
    return result
