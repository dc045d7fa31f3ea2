"""Words, how often each occurs, and what follows from that: rows, sub-sampling, noise, the Huffman tree."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from firth.errors import FirthError, UnknownWordError, UsageError
from firth.files import printable, replacing

_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_CHARACTERS: Final = {escape: char for char, escape in _ESCAPES.items()}
_ESCAPE_TABLE: Final = str.maketrans(_ESCAPES)
MOST_DIGITS: Final = 18  # of a count that fits in an int64
_ESCAPE: Final = re.compile(r"\\[\\tnr]")
LARGE_BYTES: Final = 1 << 20
"""Of a file whose words are not all made into strings as it is opened."""
MOST_SEARCHES: Final = 64
"""Words that are looked for in such a file itself, before a table of all is made."""


class AliasTable(NamedTuple):
    """A distribution over V rows that is drawn from in constant time (Walker 1977, Vose 1991).

    Draw a row uniformly; keep it with its probability, else take its alias.

    Attributes:
        probability: (V,) float32.
        alias: (V,) int32, rows.
    """

    probability: npt.NDArray[np.float32]
    alias: npt.NDArray[np.int32]


class HuffmanTree(NamedTuple):
    """The way from the root to every word of a binary tree with V - 1 inner nodes (Mikolov et al. 2013a).

    The way to row r is `nodes[starts[r]:starts[r + 1]]`, the inner nodes passed, root first, and `signs`
    there.

    Attributes:
        starts: (V + 1,) int32, positions in the other two.
        nodes: (n_steps,) int32, inner nodes from 0 to V - 2; the root is V - 2.
        signs: (n_steps,) float32, +1 where the way goes on to the rarer child, -1 to the more frequent one
            (word2vec.c's 1 - 2 * code).
    """

    starts: npt.NDArray[np.int32]
    nodes: npt.NDArray[np.int32]
    signs: npt.NDArray[np.float32]


class Vocabulary:
    """The words that have a row in a table of vectors, in the order of the rows; and how often each occurs."""

    def __init__(self, words: Sequence[str], counts: npt.ArrayLike) -> None:
        """The vocabulary of these words in this order.

        Raises:
            UsageError: a word that stands there twice, a count below 1, or not a count for each word.
        """
        self._file: _File | None = None
        self.words = list(words)
        self.counts = np.array(counts, dtype=np.int64)
        if self.counts.shape != (len(self.words),):
            raise UsageError(f"{len(self.words)} words have counts of shape {self.counts.shape}")
        if len(self.words) and self.counts.min() < 1:
            word = self.words[int(self.counts.argmin())]
            raise UsageError(f"the word '{printable(word)}' has a count of {self.counts.min()}; the least is 1")
        self.table = dict(zip(self.words, range(len(self.words)), strict=True))
        if len(self.table) < len(self.words):
            word = next(word for row, word in enumerate(self.words) if self.table[word] != row)
            raise UsageError(f"the word '{printable(word)}' stands in the vocabulary twice")

    @cached_property
    def words(self) -> list[str]:
        """V words, each once."""
        return self._parsed.words

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """(V,) how often each occurs in the corpus, at least once."""
        assert self._file is not None
        counts = None if "_parsed" in vars(self) else _plain_counts(self._file.content)
        return self._parsed.counts if counts is None or counts.min() < 1 else counts

    @cached_property
    def table(self) -> Mapping[str, int]:
        """The row of each word."""
        return self._parsed.table

    @cached_property
    def _parsed(self) -> "Vocabulary":
        """All that a file says which was not parsed when it was opened."""
        assert self._file is not None
        return self._of_file(self._file.shown, *_lines(self._file.shown, self._file.content))

    @classmethod
    def from_counts(
        cls,
        words: Sequence[str],
        counts: npt.ArrayLike,
        *,
        min_count: int = 5,
        max_size: int | None = None,
    ) -> "Vocabulary":
        """The vocabulary of the frequent words, by falling count; words of equal count in alphabetical order.

        Args:
            words: the types of a corpus, each once. The empty string, which stands for types that were pruned, gets no
                row.
            counts: how often each occurs.
            min_count: rarer words are left out.
            max_size: how many words are kept at most; None for all.

        Raises:
            FirthError: fewer than two words are left: there is nothing to predict.
            UsageError: a `min_count` below 1 or a `max_size` below 2.
        """
        if min_count < 1 or (max_size is not None and max_size < 2):
            raise UsageError(f"min_count={min_count}, max_size={max_size}: the least are 1 and 2")
        given = np.asarray(counts, dtype=np.int64)
        kept = _by_falling_count(words, given, min_count)[:max_size]
        if len(kept) < 2:
            raise _too_few_words(words, given, kept, min_count)
        return cls([words[type_id] for type_id in kept], given[kept])

    def extended(
        self, words: Sequence[str], counts: npt.ArrayLike, *, min_count: int = 5, max_size: int | None = None
    ) -> "Vocabulary":
        """This vocabulary and the new words of another corpus, in the order of `from_counts`.

        Counts of words in both add up. New words are those that occur `min_count` times or more in the other
        corpus, the most frequent ones as long as there is room below `max_size`; no old word goes.
        """
        given = np.asarray(counts, dtype=np.int64)
        rows = self.rows(words)
        known = rows >= 0
        old_counts = self.counts.copy()
        np.add.at(old_counts, rows[known], given[known])
        new = [type_id for type_id in _by_falling_count(words, given, min_count) if not known[type_id]]
        if max_size is not None:
            new = new[: max(0, max_size - len(self))]
        all_words = self.words + [words[type_id] for type_id in new]
        return Vocabulary.from_counts(all_words, np.concatenate([old_counts, given[new]]), min_count=1)

    def __len__(self) -> int:
        """V, the number of words and rows."""
        return len(self.words) if self._file is None else self._file.n_lines

    def __contains__(self, word: object) -> bool:
        """Whether `word` has a row."""
        return isinstance(word, str) and self.find(word) is not None

    def find(self, word: str) -> int | None:
        """The row of `word`, or None."""
        if self._file is None or "table" in vars(self) or self._file.n_searches >= MOST_SEARCHES:
            return self.table.get(word)
        row = self._file.find(word)
        is_sure = word.translate(_ESCAPE_TABLE) == word if row is None else self._file.word(row) == word
        return row if is_sure else self.table.get(word)  # another program may have written the file

    def word(self, row: int) -> str:
        """The word of a row."""
        if self._file is None or "words" in vars(self):
            return self.words[row]
        word = self._file.word(row)
        return self.words[row] if word is None else word

    def row(self, word: str) -> int:
        """The row of `word`.

        Raises:
            UnknownWordError: it has none.
        """
        row = self.find(word)
        if row is None:
            raise UnknownWordError(f"'{printable(word)}' is not among the {len(self):,} words of the vocabulary")
        return row

    def rows(self, words: Sequence[str]) -> npt.NDArray[np.int32]:
        """(len(words),) the row of each word, -1 for a word that has none."""
        return np.fromiter((self.table.get(word, -1) for word in words), dtype=np.int32, count=len(words))

    @property
    def n_words_total(self) -> int:
        """How many words of the corpus are in the vocabulary: the sum of the counts."""
        return int(self.counts.sum())

    def keep_probabilities(self, sample: float) -> npt.NDArray[np.float32]:
        """(V,) how likely an occurrence of each word stays when frequent words are sub-sampled.

        With f a word's share of all words and t = `sample`: min(1, (sqrt(f / t) + 1) t / f), as word2vec.c
        has it; 1 throughout for `sample` 0. Differs from Mikolov et al. 2013b, equation 5: sqrt(t / f).
        """
        if not 0 <= sample < float("inf"):
            raise UsageError(f"sample={sample}: the threshold is a share of all words, and 0 turns it off")
        if sample == 0:
            return np.ones(len(self), dtype=np.float32)
        ratio = self.counts / (sample * self.n_words_total)  # f / t
        return np.minimum(1.0, (np.sqrt(ratio) + 1) / ratio).astype(np.float32)

    def noise_table(self, exponent: float = 0.75) -> AliasTable:
        """The distribution of noise words: count ** `exponent` by share (Mikolov et al. 2013b, section 2.2)."""
        weights = self.counts.astype(np.float64) ** exponent
        scaled = weights * (len(self) / weights.sum())  # 1 is a row's share of a uniform draw
        if not np.isfinite(scaled).all():
            raise UsageError(f"a noise exponent of {exponent} goes beyond all numbers; it is .75 as a rule")
        return _alias_table(scaled.tolist())

    def huffman_tree(self) -> HuffmanTree:
        """The binary tree that gives frequent words short ways: V leaves, V - 1 inner nodes."""
        order = np.argsort(-self.counts, kind="stable")  # leaf -> row
        parents, signs = _huffman_parents(self.counts[order].tolist())
        return _huffman_ways(parents, signs, order)

    def write(self, path: Path) -> None:
        """Writes a line `word<TAB>count` per row; a tab, line end or backslash in a word is escaped as in C.

        Raises:
            FirthError: a word holds surrogates and cannot be written.
        """
        lines = (
            f"{word.translate(_ESCAPE_TABLE)}\t{count}\n"
            for word, count in zip(self.words, self.counts.tolist(), strict=True)
        )
        with replacing(Path(path)) as file:
            try:
                file.writelines(lines)
            except UnicodeEncodeError as error:
                raise FirthError(f"a word is no valid text: '{printable(error.object)[:100]}'") from None

    @classmethod
    def read(cls, path: Path) -> "Vocabulary":
        """The vocabulary that `write` wrote to `path`.

        Of a large file the lines are counted; what they hold is looked at when it is asked for, and then all of it as
        soon as more than a few words are.

        Raises:
            FirthError: there is no such file, or a line of it is not `word<TAB>count`.
        """
        shown = printable(str(path))
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise FirthError(f"cannot read {shown}: {error.strerror}") from None
        if len(content) < LARGE_BYTES or not content.endswith(b"\n") or b"\r" in content:
            return cls._of_file(shown, *_lines(shown, content))
        vocabulary = cls.__new__(cls)
        vocabulary._file = _File(shown, content)
        return vocabulary

    @classmethod
    def _of_file(cls, shown: str, words: Sequence[str], counts: npt.ArrayLike) -> "Vocabulary":
        try:
            return cls(words, counts)
        except (UsageError, OverflowError) as error:
            raise FirthError(f"{shown}: {error}") from None


class _File:
    """The lines of a large file as `write` leaves it, of which few are looked at."""

    def __init__(self, shown: str, content: bytes) -> None:
        self.shown = shown
        self.content = content
        self.n_lines = content.count(b"\n")
        self.n_searches = 0

    @cached_property
    def _ends(self) -> npt.NDArray[np.int64]:
        """(V,) where the lines end."""
        return np.flatnonzero(np.frombuffer(self.content, np.uint8) == ord("\n"))

    def find(self, word: str) -> int | None:
        """The row of a word, or None."""
        self.n_searches += 1
        key = word.translate(_ESCAPE_TABLE).encode(errors="surrogatepass") + b"\t"
        if self.content.startswith(key):
            return 0
        place = self.content.find(b"\n" + key)
        return None if place < 0 else int(np.searchsorted(self._ends, place)) + 1

    def word(self, row: int) -> str | None:
        """The word of a row; None where its line is not as it should be."""
        ends = self._ends
        row = range(len(ends))[row]
        line = self.content[ends[row - 1] + 1 if row else 0 : ends[row]]
        word, tab, count = line.rpartition(b"\t")
        if not tab or not count.isdigit():
            return None
        try:
            return _unescaped(word.decode("utf-8"))
        except UnicodeDecodeError:
            return None


def _lines(shown: str, content: bytes) -> tuple[Sequence[str], npt.ArrayLike]:
    """The words and counts of a file."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FirthError(f"{shown}: {error}; a vocabulary is UTF-8") from None
    if (plain := _read_plain(content, text)) is not None:
        return plain
    words, counts = [], []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1):
        word, tab, count = line.removesuffix("\r").rpartition("\t")
        if not tab or not (count.isascii() and count.isdigit()):
            raise FirthError(f"{shown}, line {number}: '{printable(line[:100])}' is not word<TAB>count")
        words.append(_unescaped(word))
        counts.append(int(count))
    return words, counts


def _read_plain(content: bytes, text: str) -> tuple[list[str], npt.NDArray[np.int64]] | None:
    """Words and counts of a file as `write` leaves it, all lines at once; None where it is not as plain as that."""
    counts = _plain_counts(content)
    if counts is None:
        return None
    if counts.max() == 1 == counts.min() and text.count("\t1\n") == len(counts):  # as where counts are not known
        words = text.replace("\t1\n", "\n").split("\n")[:-1]
    else:
        words = text.replace("\t", "\n").split("\n")[:-1:2]
    data = np.frombuffer(content, np.uint8)
    escapes = np.flatnonzero(data == ord("\\"))
    for row in np.unique(np.searchsorted(np.flatnonzero(data == ord("\n")), escapes)).tolist():
        words[row] = _unescaped(words[row])
    return words, counts


def _plain_counts(content: bytes) -> npt.NDArray[np.int64] | None:
    """(V,) the counts of such a file, or None."""
    data = np.frombuffer(content, np.uint8)
    tabs, ends = np.flatnonzero(data == ord("\t")), np.flatnonzero(data == ord("\n"))
    if b"\r" in content or not content.endswith(b"\n") or len(tabs) != len(ends):
        return None
    lengths = ends - tabs - 1  # of the counts
    if lengths.min() < 1 or lengths.max() > MOST_DIGITS or (tabs[1:] < ends[:-1]).any():
        return None
    counts = np.zeros(len(ends), np.int64)
    for place in range(int(lengths.max())):
        is_there = place < lengths
        digits = data[np.where(is_there, tabs + 1 + place, 0)].astype(np.int64) - ord("0")
        if ((digits < 0) | (digits > 9))[is_there].any():
            return None
        counts = np.where(is_there, counts * 10 + digits, counts)
    return counts


def _unescaped(word: str) -> str:
    return _ESCAPE.sub(lambda escape: _CHARACTERS[escape.group()], word)


def _by_falling_count(words: Sequence[str], counts: npt.NDArray[np.int64], min_count: int) -> list[int]:
    """The type ids of the words that occur `min_count` times or more: most frequent first, then by word."""
    frequent = np.flatnonzero(counts >= min_count).tolist()
    named = (type_id for type_id in frequent if words[type_id])
    return sorted(named, key=lambda type_id: (-int(counts[type_id]), words[type_id]))


def _too_few_words(words: Sequence[str], counts: npt.NDArray[np.int64], kept: list[int], min_count: int) -> FirthError:
    """Why fewer than two words are left, and the least that would leave two: the second word's count."""
    counts = counts * np.fromiter(map(bool, words), dtype=np.bool_, count=len(words))
    n_types = int(np.count_nonzero(counts))
    if not n_types:
        return FirthError("the corpus has no words")
    top = int(counts.argmax())
    shown = f"'{printable(words[top])}'"
    if n_types == 1:
        return FirthError(f"{shown} is the only word of the corpus, so there is nothing to predict: give more text")
    second = int(np.partition(counts, -2)[-2])
    option = f"--min-count {second}"
    if kept:
        return FirthError(
            f"{shown} is the only word that occurs {min_count} times or more, so there is nothing to predict; the "
            f"corpus has {n_types:,} words: {option} or less, or more text",
            option=option,
        )
    return FirthError(
        f"no word occurs {min_count} times or more; the most frequent, {shown}, occurs {counts[top]:,} times, the next "
        f"one {second:,}: {option} or less, or more text",
        option=option,
    )


def _alias_table(scaled: list[float]) -> AliasTable:
    """Vose's method over shares whose mean is 1: what a small row lacks is filled up by a large one."""
    probability = np.ones(len(scaled), dtype=np.float32)
    alias = np.arange(len(scaled), dtype=np.int32)
    small = [row for row, share in enumerate(scaled) if share < 1]
    large = [row for row, share in enumerate(scaled) if share >= 1]
    while small and large:
        row, giver = small.pop(), large[-1]
        probability[row] = scaled[row]
        alias[row] = giver
        scaled[giver] -= 1 - scaled[row]
        if scaled[giver] < 1:
            small.append(large.pop())
    return AliasTable(probability, alias)  # rounding leaves rows over whose share is 1


def _huffman_parents(counts: list[int]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The parent and the sign of each of 2V - 1 nodes, the V leaves first, from falling counts.

    The two rarest nodes are joined until one is left: leaves from the back of the list, inner nodes, which
    come about in rising order, from the front of theirs. A leaf yields to an inner node of equal count.
    """
    n_leaves = len(counts)
    parents = np.zeros(2 * n_leaves - 1, dtype=np.int64)
    signs = np.zeros(2 * n_leaves - 1, dtype=np.float32)
    leaf, inner = n_leaves - 1, n_leaves

    def rarest() -> int:
        nonlocal leaf, inner
        if leaf >= 0 and (inner == len(counts) or counts[leaf] < counts[inner]):
            leaf -= 1
            return leaf + 1
        inner += 1
        return inner - 1

    for parent in range(n_leaves, 2 * n_leaves - 1):
        rarer, other = rarest(), rarest()
        parents[rarer] = parents[other] = parent
        signs[rarer], signs[other] = 1, -1
        counts.append(counts[rarer] + counts[other])
    return parents, signs


def _huffman_ways(
    parents: npt.NDArray[np.int64], signs: npt.NDArray[np.float32], order: npt.NDArray[np.int64]
) -> HuffmanTree:
    """The ways from the root to all words, climbed from all leaves at once."""
    n_leaves = len(order)
    root = len(parents) - 1
    depths = np.zeros(len(parents), dtype=np.int64)
    for node in range(root - 1, -1, -1):  # a parent's number is above its children's
        depths[node] = depths[parents[node]] + 1
    row_depths = np.empty(n_leaves, dtype=np.int64)
    row_depths[order] = depths[:n_leaves]
    starts = np.concatenate([[0], np.cumsum(row_depths)])
    nodes = np.empty(starts[-1], dtype=np.int32)
    way_signs = np.empty(starts[-1], dtype=np.float32)
    climbers = np.arange(n_leaves)  # the node that each leaf has climbed to
    steps = starts[order + 1]  # just behind the last step to each leaf's word
    while len(climbers := climbers[(below := climbers != root)]):
        steps = steps[below] - 1
        way_signs[steps] = signs[climbers]
        climbers = parents[climbers]
        nodes[steps] = climbers - n_leaves
    return HuffmanTree(starts.astype(np.int32), nodes, way_signs)
