"""The compiled half of sub-words: hashes of n-grams, and the vectors of words composed of them for a stretch of text.

A word's vector is the mean of its parts: a row of its own, and a row for each of its n-grams. fastText gathers these
rows anew for every pair that the word takes part in, and spreads each pair's gradient over them. Here the words of a
*stretch*, some hundred of them, are composed once, each distinct one to a row of a small table; the kernels of whole
words (`kernels.py`) train on that table; then what each row has moved is added to all parts of its word. A word meets
its own steps at once, as in fastText, since a mean moves by as much as each of its parts; what words share through
n-grams, they meet from stretch to stretch. The more they share, the shorter a stretch has to be, or the sum of what all
of them ask of an n-gram, without seeing one another's steps, overshoots.

    W (V, D) the words' own rows    G (B, D) the rows of n-grams    n words in a stretch
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numba import njit

from firth.kernels import int32, uint64
from firth.tiles import CODE, prefetch

AHEAD = 2
"""Words whose rows are on their way from memory while one is composed."""

# Sums are taken in the order of the parts and not fused with products, so that fastText's vectors come out to the bit.
exact: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")

OFFSET = uint64(2166136261)
PRIME = uint64(16777619)
LOW = uint64(0xFFFFFFFF)


@exact
def hash_ngrams(text: Any, ends: Any, shortest: int, longest: int) -> tuple[Any, Any]:
    """(n + 1,) where the n-grams of each of n words begin, and their hashes, uint32.

    The hash is FNV-1a of 32 bits over signed bytes, and the order that of fastText: by the first character, then by
    length. An n-gram of one character is none where it is a word's border.

    Args:
        text: uint8, the words in UTF-8, one behind the other, each between its borders.
        ends: (n,) where each ends.
        shortest: Characters of an n-gram, at least.
        longest: At most.
    """
    starts = np.empty(len(ends) + 1, np.int64)
    starts[0] = 0
    hashes = np.empty(0, np.uint32)
    for is_counted in (False, True):
        n = 0
        begin = 0
        for word in range(len(ends)):
            end = ends[word]
            for i in range(begin, end):
                if text[i] & 0xC0 == 0x80:  # a byte within a character
                    continue
                h = OFFSET
                j = i
                length = 0
                while j < end and length < longest:
                    h = fold(h, text[j])
                    j += 1
                    while j < end and text[j] & 0xC0 == 0x80:
                        h = fold(h, text[j])
                        j += 1
                    length += 1
                    if length >= shortest and not (length == 1 and (i == begin or j == end)):
                        if is_counted:
                            hashes[n] = np.uint32(h)
                        n += 1
            starts[word + 1] = n
            begin = end
        if not is_counted:
            hashes = np.empty(n, np.uint32)
    return starts, hashes


@exact
def fold(h: Any, byte: Any) -> Any:
    """FNV-1a with one byte more, taken as signed: 0x80 and above fill the upper bits."""
    signed = uint64(byte) | (uint64(0xFFFFFF00) if byte >= 0x80 else uint64(0))
    return ((h ^ signed) * PRIME) & LOW


@cache
def composing(dim: int) -> Callable[..., None]:
    """What writes the vectors of some words into rows, compiled for this `dim`: the mean of each one's parts.

    Args of it: W; G; starts (V + 1,) and parts, the rows of G for each word; the words' rows (n,); into (n, D).
    """
    code = CODE

    @exact
    def compose(words, ngrams, starts, parts, rows, into):  # type: ignore[no-untyped-def]
        _ = code
        for i in range(len(rows)):
            if i + AHEAD < len(rows):
                ahead = rows[i + AHEAD]
                for k in range(0, dim, 16):
                    prefetch(words, ahead * dim + k)
                for part in parts[starts[ahead] : starts[ahead + 1]]:
                    for k in range(0, dim, 16):
                        prefetch(ngrams, part * dim + k)
                    prefetch(ngrams, part * dim + dim - 1)
            row = rows[i]
            for k in range(dim):
                into[i, k] = words[row, k]
            for part in parts[starts[row] : starts[row + 1]]:
                for k in range(dim):
                    into[i, k] += ngrams[part, k]
            share = np.float32(1.0 / (1 + starts[row + 1] - starts[row]))
            for k in range(dim):
                into[i, k] *= share

    return compose  # type: ignore[no-any-return]


@cache
def spreading(dim: int) -> Callable[..., None]:
    """What adds to all parts of some words what each word's row has moved, compiled for this `dim`.

    Args of it as of `composing`, then the rows as they are, (n, D), and as they were composed, which are lost; and the
    share of the step that each n-gram gets.
    """
    code = CODE

    @exact
    def spread(words, ngrams, starts, parts, rows, moved, before, share):  # type: ignore[no-untyped-def]
        _ = code
        for i in range(len(rows)):
            if i + AHEAD < len(rows):
                ahead = rows[i + AHEAD]
                for k in range(0, dim, 16):
                    prefetch(words, ahead * dim + k)
                for part in parts[starts[ahead] : starts[ahead + 1]]:
                    for k in range(0, dim, 16):
                        prefetch(ngrams, part * dim + k)
                    prefetch(ngrams, part * dim + dim - 1)
            row = rows[i]
            for k in range(dim):
                before[i, k] = moved[i, k] - before[i, k]
                words[row, k] += before[i, k]
                before[i, k] *= share
            for part in parts[starts[row] : starts[row + 1]]:
                for k in range(dim):
                    ngrams[part, k] += before[i, k]

    return spread  # type: ignore[no-any-return]


@exact
def overlap(starts: Any, rows: Any, met: Any, by_row: Any) -> float:
    """By how much of the steps of all words of a stretch n-grams move a word, in the mean over the words.

    Args:
        starts: (V + 1,) where the rows of each word's n-grams begin.
        rows: The rows of G for each word.
        met: (V,) how probable it is that a stretch has the word.
        by_row: (B,) zeros, for the number of words of a stretch that have each row.
    """
    for word in range(len(met)):
        for part in rows[starts[word] : starts[word + 1]]:
            by_row[part] += met[word]
    total, weight = 0.0, 0.0
    for word in range(len(met)):
        of_word = 0.0
        for part in rows[starts[word] : starts[word + 1]]:
            of_word += by_row[part]
        total += met[word] * of_word / (1 + starts[word + 1] - starts[word])
        weight += met[word]
    return total / weight


@exact
def distinct_rows(rows: Any, begin: int, end: int, slots: Any, found: Any, inputs: Any) -> int:
    """The distinct ones of rows[begin:end] into `found`, in order, and where each stands there into inputs[begin:end].

    slots (V,) need not be set to anything: what stands there is believed where `found` confirms it.
    """
    n = 0
    for position in range(begin, end):
        row = rows[position]
        slot = slots[row]
        if slot < 0 or slot >= n or found[slot] != row:
            slot = int32(n)
            slots[row] = slot
            found[n] = row
            n += 1
        inputs[position] = slot
    return n
