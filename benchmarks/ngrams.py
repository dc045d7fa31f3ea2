"""A reference for language models of words: trigrams with interpolated, modified Kneser-Ney smoothing.

Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling", section 3: three discounts for
each order, lower orders by the number of different words before, the lowest mixed with 1 / V. Counts of what stands at
a sentence's beginning are as they are, since nothing stands before. Written for comparison alone: arrays of integers,
no pruning.

    N predictions, each with the word before (c1) and the one before that (c2); V words
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class Events(NamedTuple):
    """What is predicted, after what."""

    c2: Integers  # (N,); at the beginning of a sentence that too
    c1: Integers  # (N,)
    words: Integers  # (N,)


def events(sentences: list[Integers], begin: int, end: int) -> Events:
    """The predictions of sentences: each word, and the end."""
    pads = np.array([begin, begin], np.int64)
    flat = np.concatenate([part for sentence in sentences for part in (pads, sentence, [end])]).astype(np.int64)
    starts = np.cumsum([0, *(len(sentence) + 3 for sentence in sentences[:-1])])
    is_word = np.ones(len(flat), np.bool_)
    is_word[starts] = is_word[starts + 1] = False
    places = np.flatnonzero(is_word)
    return Events(flat[places - 2], flat[places - 1], flat[places])


class _Order(NamedTuple):
    """The n-grams of a length by key, and what their contexts come to."""

    keys: Integers  # rising
    discounted: Floats  # counts less the discount
    contexts: Integers  # rising keys of the words before the last
    totals: Floats  # of the counts of a context
    left: Floats  # what the discounts leave to the order below, as a share


def _order(keys: Integers, counts: Integers, n_words: int) -> _Order:
    of_count = [int(np.count_nonzero(counts == n)) for n in (1, 2, 3, 4)]
    n1, n2, n3, n4 = (max(1, n) for n in of_count)
    base = n1 / (n1 + 2 * n2)
    discounts = np.array([0.0, 1 - 2 * base * n2 / n1, 2 - 3 * base * n3 / n2, 3 - 4 * base * n4 / n3])
    discounts = np.clip(discounts, 0.05, [1.0, 0.95, 1.95, 2.95])
    discounts[0] = 0.0
    taken = discounts[np.minimum(counts, 3)]
    contexts, places = np.unique(keys // n_words, return_inverse=True)
    totals = np.bincount(places, weights=counts).astype(np.float64)
    left = np.bincount(places, weights=taken).astype(np.float64) / totals
    return _Order(keys, (counts - taken).astype(np.float64), contexts, totals, left)


class Trigrams:
    """Counts of training text, and the probabilities that they give."""

    def __init__(self, seen: Events, begin: int, n_words: int) -> None:
        """Of the predictions of a training text, over a vocabulary of `n_words`."""
        self.n_words = v = n_words
        inside = seen.c2 != begin if begin >= 0 else np.ones(len(seen.words), np.bool_)
        has_two = inside | (seen.c1 != begin)  # the first word of a sentence has one word before it
        trigrams, counts = np.unique(((seen.c2 * v + seen.c1) * v + seen.words)[has_two], return_counts=True)
        bigrams, before = np.unique(trigrams % (v * v), return_counts=True)
        first, n_first = np.unique((seen.c1 * v + seen.words)[~has_two], return_counts=True)
        keys, places = np.unique(np.concatenate([bigrams, first]), return_inverse=True)
        of_bigrams = np.bincount(places, weights=np.concatenate([before, n_first])).astype(np.int64)
        words, of_words = np.unique(keys % v, return_counts=True)
        self.three = _order(trigrams, counts, v)
        self.two = _order(keys, of_bigrams, v)
        self.one = _order(words, of_words, v)
        self.begin = begin

    def probabilities(self, asked: Events) -> Floats:
        """(N,) of each word after the two before it."""
        v = self.n_words
        p = self._mixed(self.one, asked.words, np.full(len(asked.words), 1 / v))
        p = self._mixed(self.two, asked.c1 * v + asked.words, p)
        has_two = (asked.c2 != self.begin) | (asked.c1 != self.begin)
        of_three = self._mixed(self.three, (asked.c2 * v + asked.c1) * v + asked.words, p)
        return np.where(has_two, of_three, p)

    def _mixed(self, order: _Order, keys: Integers, below: Floats) -> Floats:
        contexts = keys // self.n_words
        found, there = _looked_up(order.contexts, contexts)
        key, known = _looked_up(order.keys, keys)
        own = np.where(known, order.discounted[key], 0.0) / order.totals[found]
        return np.where(there, own + order.left[found] * below, below)


def _looked_up(table: Integers, keys: Integers) -> tuple[Any, NDArray[np.bool_]]:
    """Where keys stand in a rising table, and whether they do."""
    places = np.minimum(np.searchsorted(table, keys), len(table) - 1)
    return places, table[places] == keys


def nats(model: Trigrams, asked: Events) -> float:
    """The mean cost of a prediction; a few contexts are checked to sum up to 1."""
    for number in range(0, len(asked.words), max(1, len(asked.words) // 3)):
        every = np.arange(model.n_words)
        context = Events(np.full_like(every, asked.c2[number]), np.full_like(every, asked.c1[number]), every)
        total = float(model.probabilities(context).sum())
        if abs(total - 1) > 1e-6:
            raise ArithmeticError(f"the probabilities after a context sum up to {total}")
    return float(-np.log(model.probabilities(asked)).mean())
