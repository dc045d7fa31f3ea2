"""Words as the sum of their parts: character n-grams, hashed to rows of a table (Bojanowski et al. 2017, section 3.2).

The n-grams of a word are those of its characters (code points) between two borders, `<` and `>`: of 3 to 6 characters
`<where>` has `<wh`, `whe`, ..., `here>`. Each is hashed to a row, as in fastText, or to several, as in floret: then two
n-grams rarely share all of theirs, and a smaller table does. A word of the vocabulary has a row of its own besides;
its vector is the mean of all these rows. A word outside has those of its n-grams.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UnknownWordError, UsageError
from firth.files import printable
from firth.quantisation import Table, floats
from firth.vocabulary import Vocabulary

LENGTHS: Final = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?", re.ASCII)
MOST_HASHES: Final = 8
MOST_BUCKETS: Final = 2**31 - 1
WORDS_AT_ONCE: Final = 1 << 16
END_OF_LINE: Final = b"</s>"
"""fastText's word at the end of every line, which has no n-grams."""


class Parts(NamedTuple):
    """The rows of n-grams that each of n words is composed of, besides its own: rows[starts[i]:starts[i + 1]]."""

    starts: NDArray[np.int64]  # (n + 1,)
    rows: NDArray[np.int32]


class Composed(NamedTuple):
    """The vector of a word that has no row of its own."""

    vector: NDArray[np.float32]  # (D,)
    known_share: float  # of its n-grams that words of the vocabulary have too


@dataclass(frozen=True, kw_only=True)
class Ngrams:
    """Which n-grams a word has, and which rows of a table are theirs.

    Attributes:
        shortest: Characters of an n-gram, at least.
        longest: At most.
        buckets: Rows of the table.
        hashes: Rows for each n-gram.
    """

    shortest: int = 3
    longest: int = 6
    buckets: int = 200_000
    hashes: int = 1

    def __post_init__(self) -> None:
        """Refuses what lies outside a setting's range (UsageError)."""
        if not 1 <= self.shortest <= self.longest <= 99:
            raise UsageError(
                f"subwords is {self.shortest}-{self.longest}; the first is at least 1, the last 99 at most, as 3-6"
            )
        if not 1 <= self.buckets <= MOST_BUCKETS:
            raise UsageError(f"buckets is {self.buckets}; it must be from 1 to {MOST_BUCKETS:,}")
        if not 1 <= self.hashes <= MOST_HASHES:
            raise UsageError(f"hashes is {self.hashes}; it must be from 1 to {MOST_HASHES}")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Ngrams | None":
        """Those of a family's settings: `subwords`, as "3-6", `buckets`, `hashes`; None where it has whole words.

        Raises:
            UsageError: `subwords` is not two lengths, or a number is out of range.
        """
        lengths = settings.get("subwords")
        if lengths is None:
            return None
        found = LENGTHS.fullmatch(lengths) if isinstance(lengths, str) else None
        if found is None:
            raise UsageError(
                f"subwords is {printable(repr(lengths))}; two lengths of n-grams are due, in characters, as 3-6"
            )
        shortest = int(found[1])
        return cls(
            shortest=shortest,
            longest=int(found[2] or shortest),
            buckets=int(settings.get("buckets", cls.buckets)),
            hashes=int(settings.get("hashes", cls.hashes)),
        )

    @property
    def lengths(self) -> str:
        """As `of` reads them."""
        return f"{self.shortest}-{self.longest}"

    def settings(self) -> dict[str, Any]:
        """As `of` reads them."""
        return {"subwords": self.lengths, "buckets": self.buckets, "hashes": self.hashes}

    def hashed(self, words: Sequence[str | bytes]) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """(n + 1,) where the n-grams of each of n words begin, and the n-grams, each as a hash of 32 bits."""
        from firth import composition

        spelt = (word.encode(errors="surrogatepass") if isinstance(word, str) else word for word in words)
        bordered = [b"" if word == END_OF_LINE else b"<%b>" % word for word in spelt]
        ends = np.cumsum(np.fromiter(map(len, bordered), np.int64, len(bordered)), dtype=np.int64)
        text = np.frombuffer(b"".join([*bordered, b"\0"]), np.uint8)  # of nothing there is no array
        starts, hashes = composition.hash_ngrams(text, ends, self.shortest, self.longest)
        return starts, hashes

    def parts(self, words: Sequence[str | bytes]) -> Parts:
        """The rows of the words' n-grams, in the order of fastText."""
        starts, hashes = self.hashed(words)
        return Parts(starts * self.hashes, self.rows(hashes))

    def rows(self, hashes: NDArray[np.uint32]) -> NDArray[np.int32]:
        """(n * hashes,) the rows of n n-grams: each one's first is fastText's, the others are of a hash of its hash."""
        buckets = np.uint64(self.buckets)
        keys = hashes.astype(np.uint64)
        rows = np.empty((len(hashes), self.hashes), np.int32)
        rows[:, 0] = keys % buckets
        for number in range(1, self.hashes):
            rows[:, number] = _mixed(keys, number) % buckets
        return rows.reshape(-1)


def _mixed(keys: NDArray[np.uint64], number: int) -> NDArray[np.uint64]:
    """64 bits for each (key, number): SplitMix64 (Steele, Lea & Flood 2014), as `kernels.mix`."""
    x = keys + np.uint64((number + 1) * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def compose(
    words: NDArray[np.float32], ngrams: NDArray[np.float32], parts: Parts, rows: NDArray[np.int32] | None = None
) -> NDArray[np.float32]:
    """(n, D) the vectors of the words at `rows`, by default of all: the mean of a word's own row and its n-grams'."""
    from firth import composition

    rows = np.arange(len(words), dtype=np.int32) if rows is None else rows
    into = np.empty((len(rows), words.shape[1]), np.float32)
    composition.composing(words.shape[1])(words, ngrams, parts.starts, parts.rows, rows, into)
    return into


def compose_all(
    ngrams: Ngrams, spelt: Sequence[str | bytes], words: NDArray[np.float32], table: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n, D) the vectors of n words, some at a time: hashes of all of them would take as much memory again.

    Args:
        ngrams: Which n-grams they have.
        spelt: The words.
        words: (n or more, D) their own rows.
        table: (B, D) the n-grams' rows.
    """
    into = np.empty((len(spelt), words.shape[1]), np.float32)
    for start in range(0, len(spelt), WORDS_AT_ONCE):
        some = slice(start, min(start + WORDS_AT_ONCE, len(spelt)))
        into[some] = compose(words[some], table, ngrams.parts(spelt[some]))
    return into


def fitted(
    ngrams: Ngrams,
    spelt: Sequence[str | bytes],
    words: NDArray[np.float32],
    table: NDArray[np.float32],
    vectors: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(n, D) the own rows of n words such that, with their n-grams', they make these vectors: as a rule `words`.

    Others are made for a word whose vector was composed of other n-grams than its spelling has (of bytes that are not
    UTF-8, and are shown as codes), or was rounded.
    """
    rows = words
    for start in range(0, len(spelt), WORDS_AT_ONCE):
        some = slice(start, min(start + WORDS_AT_ONCE, len(spelt)))
        parts = ngrams.parts(spelt[some])
        due, made = vectors[some], compose(words[some], table, parts)
        off = np.flatnonzero((due != made).any(axis=1))
        if len(off):
            rows = words.copy() if rows is words else rows
            n_parts = (1 + np.diff(parts.starts)[off]).astype(np.float32)
            rows[start + off] += n_parts[:, np.newaxis] * (due[off] - made[off])
    return rows


class Subwords:
    """The tables that a model's words are composed of: vectors for words that it has never seen.

    Attributes:
        ngrams: Which n-grams a word has.
    """

    def __init__(
        self,
        ngrams: Ngrams,
        vocabulary: Sequence[str] | Vocabulary,
        words: Table,
        table: Table,
        *,
        met: Sequence[str | bytes] | Vocabulary | None = None,
    ) -> None:
        """The tables of the words of `vocabulary`, in its order; nothing is copied, and codes are not restored.

        `met` are all words that the table of n-grams was trained on, where `vocabulary` is but the first of them.

        Raises:
            FirthError: their shapes do not fit one another, or they hold other numbers than float32.
        """
        due = ((len(vocabulary), words.shape[-1]), (ngrams.buckets, words.shape[-1]))
        if (words.shape, table.shape) != due:
            raise FirthError(f"tables of shape {words.shape} and {table.shape} are there, where {due} are due")
        for one in (words, table):
            if isinstance(one, np.ndarray) and one.dtype != np.float32:
                raise FirthError(f"a table of {one.dtype} is there, where float32 is due")
        self.ngrams = ngrams
        self._words = words
        self._table = table
        self._vocabulary = vocabulary
        self._met = vocabulary if met is None else met
        self._known: NDArray[np.uint32] | None = None

    @property
    def kept(self) -> tuple[Table, Table]:
        """The words' own rows and the n-grams', as they are kept: of codes none is restored."""
        return self._words, self._table

    @cached_property
    def words(self) -> NDArray[np.float32]:
        """(V, D) the words' own rows."""
        return floats(self._words)

    @cached_property
    def table(self) -> NDArray[np.float32]:
        """(B, D) the n-grams' rows."""
        return floats(self._table)

    def vector(self, word: str) -> Composed:
        """What the n-grams of `word` say of it, with the share of them that some word of the vocabulary has.

        The vector is the mean of the rows of all of its n-grams, as fastText's is. The rows of n-grams that were never
        met are shared with others' by chance, or hold nothing: the smaller the share, the less it says.

        Raises:
            UnknownWordError: it has no n-gram, or none that is known.
        """
        _, hashes = self.ngrams.hashed([word])
        known = self._known_hashes()
        places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
        known_share = float((known[places] == hashes).mean()) if len(hashes) and len(known) else 0.0
        if not known_share:
            of_them = "none of its n-grams is known" if len(hashes) else "it is too short to have n-grams"
            raise UnknownWordError(
                f"'{printable(word[:50])}' is not one of the {len(self._vocabulary):,} words, and {of_them} "
                f"({self.ngrams.lengths} characters): there is no vector for it"
            )
        return Composed(self.mean(hashes), known_share)

    def mean(self, hashes: NDArray[np.uint32]) -> NDArray[np.float32]:
        """(D,) the mean of the rows of these n-grams, summed up one after the other."""
        rows = self.ngrams.rows(hashes)
        total = np.zeros(self._table.shape[1], np.float32)
        for vector in floats(self._table, rows):
            total += vector
        mean: NDArray[np.float32] = total * np.float32(1.0 / len(rows))
        return mean

    def _known_hashes(self) -> NDArray[np.uint32]:
        """The n-grams of the words that were met, each once."""
        if self._known is None:
            words = self._met.words if isinstance(self._met, Vocabulary) else self._met
            self._known = np.unique(self.ngrams.hashed(words)[1])
        return self._known


def account(ngrams: Ngrams, words: Sequence[str], dim: int, n_outputs: int) -> str:
    """What the tables take, and how many n-grams share them, in a sentence."""
    _, hashes = ngrams.hashed(words)
    n_distinct = len(np.unique(hashes))
    mib = 4 * dim / 2**20
    each = f", to {ngrams.hashes} of them each" if ngrams.hashes > 1 else ""
    total = (2 * len(words) + ngrams.buckets + n_outputs) * mib
    of_parts = (len(hashes) * ngrams.hashes * 4 + 8 * len(words)) / 2**20
    return (
        f"sub-words of {ngrams.shortest} to {ngrams.longest} characters: the words have {n_distinct:,} of them, hashed "
        f"to {ngrams.buckets:,} rows{each}, which take {ngrams.buckets * mib:,.0f} MiB of the model's {total:,.0f}; "
        f"training takes {of_parts:,.0f} more for which word has which"
    )
