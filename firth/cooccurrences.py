"""Encoded corpus -> how often words stand near each other: counted in bounded memory, kept in a file, added up.

What is counted is what GloVe's `cooccur` counts (Pennington, Socher & Manning 2014, section 4.2): words without a row
go before windows are laid, windows do not cross lines, and two words that stand d apart count 1/d. Entry (i, j) is the
sum over all places where j stands in the context of i; under `left`, where i stands left of j, as the program has it.

Counts are integers, in units so small that 1/d is one too: sums do not depend on the order in which they are taken, so
that parts of a corpus which were counted apart add up to the same bytes.

A row is counted at once. The text of a slice of the corpus lies in memory, and where each word stands in it; so the
neighbours of one word after the other are added up in one array of V sums, and rows come out complete, in order and
without a duplicate, by as many threads as there are. Where the text does not fit, each slice gives a sorted run on
disk, and runs are merged row by row.

The file: `firthcoo`, where the description begins, the entries (column, lower and upper half of the count: three
uint32 each), the rows' ends (int64), the description as JSON.

    V rows of the vocabulary; E entries that are not 0
"""

import hashlib
import json
import math
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Literal, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from firth import cache
from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.preparation import Preparation
from firth.progress import Advance, Progress, Silent
from firth.segmentation import Segmentation
from firth.tokens import EncodedCorpus
from firth.vocabulary import Vocabulary

compiled: Callable[..., Any] = njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")

int32, int64 = np.int32, np.int64
uint32, uint64 = np.uint32, np.uint64

MEMORY: Final = 2.0
"""GiB that counting may take, unless told otherwise."""
WIDEST: Final = 1_000_000
"""The widest window."""

FORMAT: Final = 1
_MAGIC: Final = b"firthcoo"
_HEAD_BYTES: Final = 16
_LARGEST_UNIT: Final = 1 << 32
_BLOCK_ENTRIES: Final = 1 << 20  # in the rows that one thread counts at a time, at most, but for a longer row
_TOKEN_BYTES: Final = 12  # of memory, of a slice
_ENTRY_BYTES: Final = 12
_FEWEST_TOKENS: Final = 1 << 20  # of a slice
_LARGEST_SLICE: Final = 1 << 29  # places in it are int32, those of the marks around lines too
_MOST_RUNS: Final = 64  # on disk at a time: each is an open file

_ZERO: Final = uint64(0)
_ONE: Final = uint64(1)
_HALF: Final = uint64(32)
_LOWER: Final = uint64(0xFFFFFFFF)
_SEQUENCE: Final = uint64(0x03F79D71B4CB0A89)  # de Bruijn's of 64 bits: every 6 of them in a row are another number
_BIT_OF: Final = np.argsort([((int(_SEQUENCE) << bit) & 0xFFFFFFFFFFFFFFFF) >> 58 for bit in range(64)])

Context = Literal["symmetric", "left"]
DistanceWeights = Literal["harmonic", "equal"]
Row = NDArray[np.uint32]  # (n, 3): entries by rising column


class Rows(NamedTuple):
    """All rows of a file, mapped into memory."""

    entries: Row  # (E, 3)
    ends: NDArray[np.int64]  # (V,) the number just behind each row's last entry


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """Which words are near each other, and how near.

    Attributes:
        window: How far apart two words are at most.
        context: Whether the words on both sides are a word's context, or a pair counts once, for the word on the left.
        distance_weights: Whether two words that stand d apart count 1/d (`harmonic`) or 1 (`equal`).
    """

    window: int = 10
    context: Context = "symmetric"
    distance_weights: DistanceWeights = "harmonic"

    def __post_init__(self) -> None:
        """Refuses what there is not (UsageError)."""
        if not 1 <= self.window <= WIDEST:
            raise UsageError(f"window is {self.window}; it must be at least 1, and at most {WIDEST:,}")
        if self.context not in ("symmetric", "left"):
            raise UsageError(f"context is {self.context!r}; there are 'symmetric' and 'left'")
        if self.distance_weights not in ("harmonic", "equal"):
            raise UsageError(f"distance_weights is {self.distance_weights!r}; there are 'harmonic' and 'equal'")

    @property
    def unit(self) -> int:
        """What a count of 1 is as an integer: 1/d times it is one too, exactly up to a window of 22 words."""
        if self.distance_weights == "equal":
            return 1
        return min(math.lcm(*range(1, min(self.window, 23) + 1)), _LARGEST_UNIT)

    def weights(self) -> NDArray[np.uint64]:
        """(window + 1,) what two words count at each distance, in units; 0 at the distance 0."""
        of_distance = [0, *(round(self.unit / d) for d in range(1, self.window + 1))]
        if self.distance_weights == "equal":
            of_distance[1:] = [1] * self.window
        return np.array(of_distance, np.uint64)


class Cooccurrences:
    """The counts in a file that `count` or `merge` wrote, mapped into memory.

    Attributes:
        nearness: What was counted.
        vocabulary: The words of the rows and columns.
        segmentation: How text became words.
        ends: (V,) int64, the number just behind each row's last entry.
        entries: (E, 3) uint32, by row, then by column: the column, the lower and the upper half of the count.
        n_tokens: Words of the corpus that was counted, those without a row too.
        n_lines: Its lines.
        fingerprint: A hash of all this, in hexadecimal.
    """

    preparation = Preparation()  # what the text was prepared with is over
    n_documents = None  # parts of a corpus may end anywhere
    layout = "counts"
    lang = ""
    remarks: Sequence[str] = ()

    def __init__(self, path: Path) -> None:
        """Opens `path`.

        Raises:
            FirthError: it is no such file, or not a whole one.
        """
        shown = printable(str(path))
        try:
            n_bytes = path.stat().st_size
            with path.open("rb") as file:
                head = file.read(_HEAD_BYTES)
                place = int.from_bytes(head[8:], "little")
                file.seek(min(place, n_bytes))
                description = file.read()
        except OSError as error:
            raise FirthError(f"{shown} cannot be read: {error.strerror}") from None
        if head[:8] != _MAGIC:
            raise FirthError(f"{shown} holds no counts of pairs of words; `firth count` makes such a file")
        if len(head) < _HEAD_BYTES or not _HEAD_BYTES <= place < n_bytes:
            raise FirthError(f"{shown} is cut off: of more than {place:,} bytes, {n_bytes:,} are there")
        try:
            told = json.loads(description)
            is_newer = told["format"] != FORMAT
            self.nearness = Nearness(**told["nearness"])
            self.vocabulary = Vocabulary(told["words"], told["word_counts"])
            self.segmentation = Segmentation.from_settings(told["segmentation"])
            self.n_tokens, self.n_lines = (int(told[name]) for name in _SIZES)
            self.fingerprint = str(told["fingerprint"])
            n_entries, n_rows = int(told["n_entries"]), len(self.vocabulary)
            if place != _HEAD_BYTES + 12 * n_entries + 8 * n_rows:
                raise ValueError(f"{place:,} bytes before its description do not hold {n_entries:,} entries")
        except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, FirthError) as error:
            raise FirthError(f"{shown} is not a whole file of counts: {printable(str(error))}") from None
        if is_newer:
            raise FirthError(f"{shown} was written by a newer firth than this one; upgrade firth")
        try:
            self.entries, self.ends = _mapped(path, n_entries, n_rows)
        except OSError as error:
            raise FirthError(f"{shown} cannot be read: {error.strerror}") from None
        row = _first_fault(self.entries, self.ends)
        if row >= 0:
            word = printable(self.vocabulary.words[row])
            raise FirthError(f"{shown} is damaged: the entries of '{word}' are out of order or beyond the vocabulary")

    @cached_property
    def by_column(self) -> Rows:
        """The same with rows as columns; of symmetric counts the very same.

        Others are turned by way of a file, which `turn` places; by default where the system has such files.
        """
        if self.nearness.context == "symmetric":
            return Rows(self.entries, self.ends)
        with tempfile.TemporaryDirectory(prefix="firth-", ignore_cleanup_errors=True) as folder:  # mapped, it may go
            return transposed(self, Path(folder, "by-column"))

    def turn(self, folder: Path, *, memory: float = MEMORY) -> None:
        """Makes `by_column` by a file in `folder`, which stays as long as it is asked, in so much memory (GiB)."""
        if self.nearness.context != "symmetric":
            self.by_column = transposed(self, folder / "by-column", memory=memory)

    @property
    def types(self) -> Sequence[str]:
        """The words, as of an encoded corpus."""
        return self.vocabulary.words

    @property
    def counts(self) -> NDArray[np.int64]:
        """(V,) how often each occurs."""
        return self.vocabulary.counts

    def value(self, word: str, other: str) -> float:
        """How often `other` stands in the context of `word`.

        Raises:
            UnknownWordError: one of them has no row.
        """
        row, column = self.vocabulary.row(word), self.vocabulary.row(other)
        first = int(self.ends[row - 1]) if row else 0
        place = first + int(np.searchsorted(self.entries[first : self.ends[row], 0], column))
        if place == self.ends[row] or self.entries[place, 0] != column:
            return 0.0
        return float((int(self.entries[place, 2]) << 32) + int(self.entries[place, 1])) / self.nearness.unit

    def close(self) -> None:
        """Lets go of the mapped file."""
        self.entries = np.empty((0, 3), np.uint32)
        self.ends = np.empty(0, np.int64)
        vars(self).pop("by_column", None)

    def __enter__(self) -> Self:
        """The counts; the file is let go at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets go of the file."""
        self.close()


_SIZES: Final = ("n_tokens", "n_lines")


def count(
    corpus: EncodedCorpus,
    vocabulary: Vocabulary,
    nearness: Nearness,
    file: IO[bytes],
    scratch: Path,
    *,
    n_tokens: int | None = None,
    memory: float = MEMORY,
    threads: int = 1,
    advance: Advance | None = None,
) -> None:
    """Writes the counts of `corpus` to `file`.

    Args:
        corpus: Whose words are counted.
        vocabulary: The words that have a row.
        nearness: What is counted.
        file: Open for writing, at its beginning.
        scratch: A directory for sorted runs, where the corpus is larger than the memory.
        n_tokens: So many words are counted, of the first ones; None: all.
        memory: GiB to be used.
        threads: To count with.
        advance: Called on the way.

    Raises:
        FirthError: no two words of the vocabulary stand near each other.
    """
    check_memory(memory)
    stop = corpus.n_tokens if n_tokens is None else min(n_tokens, corpus.n_tokens)
    description = {
        "nearness": asdict(nearness),
        "words": vocabulary.words,
        "word_counts": vocabulary.counts.tolist(),
        "segmentation": corpus.segmentation.settings(),
        "n_tokens": stop,
        "n_lines": corpus.n_lines,
    }
    row_of_type = vocabulary.rows(corpus.types)
    at_once = _slice_tokens(memory, len(vocabulary), threads)
    starts = [*range(0, stop, at_once), stop]
    told = _told(advance, stop, len(starts) - 1)
    with ThreadPoolExecutor(threads, "firth-count") as pool:
        counted = (
            _counted(corpus, row_of_type, len(vocabulary), span, nearness, pool, threads, partial(told, number))
            for number, span in enumerate(pairwise(starts))
        )
        if len(starts) == 2:
            n_entries = _write(file, description, next(counted))
        else:
            sums: list[Rows] = []
            runs: list[Rows] = []
            for number, blocks in enumerate(counted):
                runs.append(_on_disk(scratch / f"run-{number}", blocks, len(vocabulary)))
                if len(runs) == _MOST_RUNS:
                    place = scratch / f"sums-{len(sums)}"
                    sums.append(_on_disk(place, _merged(runs, pool, threads), len(vocabulary)))
                    runs = []  # before their files go: some systems keep those that are mapped
                    for done in range(number + 1 - _MOST_RUNS, number + 1):
                        (scratch / f"run-{done}").unlink()
            n_entries = _write(file, description, _merged(sums + runs, pool, threads, partial(told, len(starts) - 1)))
    if not n_entries:
        raise FirthError(
            "nothing was there to count: no line of the corpus has two words of the vocabulary within the window; "
            "a line should be a sentence or a paragraph, and --min-count 1 keeps all words"
        )


def merge(
    counts: Sequence[Cooccurrences], file: IO[bytes], *, threads: int = 1, advance: Advance | None = None
) -> None:
    """Writes the sums of several counts to `file`: the bytes that `count` would write of all their text.

    Args:
        counts: Made with one vocabulary and one nearness.
        file: Open for writing, at its beginning.
        threads: To add with.
        advance: Called on the way.

    Raises:
        UsageError: they were not counted alike.
    """
    first = counts[0]
    for other in counts[1:]:
        _check_alike(first, other)
    description = {
        "nearness": asdict(first.nearness),
        "words": first.vocabulary.words,
        "word_counts": first.counts.tolist(),
        "segmentation": first.segmentation.settings(),
        **{name: sum(getattr(one, name) for one in counts) for name in _SIZES},
    }
    told = _told(advance, description["n_tokens"], 0)
    rows = [Rows(one.entries, one.ends) for one in counts]
    with ThreadPoolExecutor(threads, "firth-count") as pool:
        _write(file, description, _merged(rows, pool, threads, partial(told, 0)))


@contextmanager
def all_opened(paths: Sequence[Path]) -> Iterator[list[Cooccurrences]]:
    """The counts in several files, which hold one vocabulary between them, for as long as the block lasts.

    Raises:
        FirthError: a file is missing, damaged or none of counts.
        UsageError: they were not counted alike.
    """
    found: list[Cooccurrences] = []
    with ExitStack() as stack:
        for path in paths:
            counts = stack.enter_context(Cooccurrences(path))
            if found:
                _check_alike(found[0], counts)
                counts.vocabulary = found[0].vocabulary
            found.append(counts)
        yield found


def _check_alike(first: Cooccurrences, other: Cooccurrences) -> None:
    """Raises UsageError where two counts do not add up."""
    if other.nearness != first.nearness:
        raise UsageError(f"counts of {first.nearness} and of {other.nearness} do not add up")
    if other.vocabulary.words != first.vocabulary.words or (other.counts != first.counts).any():
        raise UsageError(
            f"counts of two vocabularies, of {len(first.vocabulary):,} words and of {len(other.vocabulary):,}, do not "
            "add up: count all parts with one, as --vocabulary gives it"
        )
    if other.segmentation != first.segmentation:
        raise UsageError("counts of text that was cut into words in two ways do not add up")


@contextmanager
def opened(
    paths: Sequence[Path],
    *,
    threads: int = 1,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Cooccurrences]:
    """The counts in a file, or the sums of those in several, for as long as the block lasts.

    Args:
        paths: The files.
        threads: To add with.
        cache_dir: Where the sums are kept meanwhile; see `firth.cache.place`.
        progress: Shows how far the adding is.

    Raises:
        FirthError: a file is missing, damaged or none of counts.
        UsageError: they were not counted alike.
    """
    with ExitStack() as stack:
        found = stack.enter_context(all_opened(paths))
        if len(found) == 1:
            yield found[0]
            return
        folder = stack.enter_context(cache.scratch("co-occurrence counts", cache_dir=cache_dir))
        with (folder / "sums").open("wb") as file, (progress or Silent()).stage("adding up counts") as advance:
            merge(found, file, threads=threads, advance=advance)
        yield stack.enter_context(Cooccurrences(folder / "sums"))


@contextmanager
def counted(
    corpus: EncodedCorpus,
    vocabulary: Vocabulary,
    nearness: Nearness,
    path: Path | None = None,
    *,
    n_tokens: int | None = None,
    memory: float = MEMORY,
    threads: int = 1,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Cooccurrences]:
    """The counts of a corpus, for as long as the block lasts.

    Args:
        corpus: Whose words are counted.
        vocabulary: The words that have a row.
        nearness: What is counted.
        path: Where they are written to stay, whole or not at all; None: they go with the block.
        n_tokens: So many words are counted, of the first ones; None: all.
        memory: GiB to be used.
        threads: To count with.
        cache_dir: Where files that do not stay are kept meanwhile.
        progress: Shows how far the counting is.

    Raises:
        FirthError: there is nothing to count, or a file cannot be written.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(cache.scratch("co-occurrence counts", cache_dir=cache_dir))
        place = path or folder / "counts"
        try:
            with (
                replacing(path, "wb") if path is not None else place.open("wb") as file,
                (progress or Silent()).stage("counting pairs") as advance,
            ):
                how: dict[str, Any] = {"n_tokens": n_tokens, "memory": memory, "threads": threads}
                count(corpus, vocabulary, nearness, file, folder, advance=advance, **how)
        except OSError as error:
            raise FirthError(f"cannot write the counts to {printable(str(place))}: {error.strerror}") from error
        yield stack.enter_context(Cooccurrences(place))


def transposed(counts: Cooccurrences, path: Path, *, memory: float = MEMORY) -> Rows:
    """Rows as columns, written to `path` and mapped: some at a time, for which all entries are passed over.

    Args:
        counts: What is turned.
        path: The file.
        memory: GiB of new entries that are held at a time, or the longest row.

    Raises:
        FirthError: the file cannot be written.
    """
    n_of_row = np.zeros(len(counts.ends), np.int64)
    for start in range(0, len(counts.entries), _BLOCK_ENTRIES):  # of which np.bincount makes a copy of int64
        n_of_row += np.bincount(counts.entries[start : start + _BLOCK_ENTRIES, 0], minlength=len(n_of_row))
    at_once = max(1, int(memory * 2**30) // _ENTRY_BYTES)

    def blocks() -> Iterator[Block]:
        for first, last in _row_blocks(n_of_row, at_once):
            yield _turned(counts.entries, counts.ends, first, n_of_row[first:last]), n_of_row[first:last]

    try:
        return _on_disk(path, blocks(), len(counts.ends))
    except OSError as error:
        raise FirthError(f"cannot write the counts to {printable(str(path))}: {error.strerror}") from error


def is_counts(path: Path) -> bool:
    """Whether it is a plain file that begins as one of counts does."""
    try:
        if not path.is_file():  # what is read of a pipe is gone from it
            return False
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def check_memory(memory: float) -> None:
    """Raises UsageError where `memory` is no number of GiB."""
    if not memory > 0:
        raise UsageError(f"memory is {memory}; it is a number of GiB above 0")


def _slice_tokens(memory: float, n_rows: int, threads: int) -> int:
    """How many words of the corpus are counted at a time: what is left beside the threads' working memory."""
    of_thread = 9 * n_rows + 3 * 12 * _BLOCK_ENTRIES
    left = memory * 2**30 - threads * of_thread
    return int(min(_LARGEST_SLICE, max(_FEWEST_TOKENS, left // _TOKEN_BYTES)))


Told = Callable[[float], None]  # called with the part of a stage that is done
Block = tuple[Row, NDArray[np.int64]]  # entries of consecutive rows, and the length of each row


def _told(advance: Advance | None, n_tokens: int, n_slices: int) -> Callable[[int, float], None]:
    """Tells of the part that is done of a stage: a slice by its number, or the merging behind them."""
    n_stages = n_slices + (n_slices != 1)

    def tell(stage: int, fraction: float) -> None:
        if advance is not None:
            done = (stage + fraction) / n_stages
            advance(done, int(done * n_tokens))

    return tell


def _counted(
    corpus: EncodedCorpus,
    row_of_type: NDArray[np.int32],
    n_rows: int,
    span: tuple[int, int],
    nearness: Nearness,
    pool: ThreadPoolExecutor,
    threads: int,
    told: Told,
) -> Iterator[Block]:
    """The rows of one slice of the corpus, in order."""
    text, first = _kept_text(corpus.type_ids, corpus.line_ends, row_of_type, *span, nearness.window)
    starts, places = _places(text, n_rows)
    weights, is_symmetric = nearness.weights(), nearness.context == "symmetric"
    bounds = np.minimum(np.diff(starts) * nearness.window * (1 + is_symmetric), n_rows)

    def work(rows: tuple[int, int]) -> Block:
        out = np.empty((int(bounds[slice(*rows)].sum()), 3), np.uint32)
        lengths = np.zeros(rows[1] - rows[0], np.int64)
        n = _count_rows(text, first, starts, places, *rows, weights, is_symmetric, out, lengths)
        return out[:n], lengths

    for last, block in _in_order(pool, threads, work, _row_blocks(bounds)):
        yield block
        told(float(starts[last]) / max(1, len(places)))


def _merged(
    runs: Sequence[Rows], pool: ThreadPoolExecutor, threads: int, told: Told = lambda _: None
) -> Iterator[Block]:
    """The rows of all runs together, in order."""
    bounds = sum(np.diff(run.ends, prepend=0) for run in runs)

    def work(rows: tuple[int, int]) -> Block:
        blocks: list[Block] = []
        for run in runs:
            begin = int(run.ends[rows[0] - 1]) if rows[0] else 0
            entries = run.entries[begin : int(run.ends[rows[1] - 1])]
            blocks.append((entries, np.diff(run.ends[slice(*rows)], prepend=begin)))
        while len(blocks) > 1:
            pairs = (blocks[place : place + 2] for place in range(0, len(blocks), 2))
            blocks = [_added(*pair[0], *pair[1]) if len(pair) == 2 else pair[0] for pair in pairs]
        return blocks[0]

    for last, block in _in_order(pool, threads, work, _row_blocks(np.asarray(bounds))):
        yield block
        told(last / len(runs[0].ends))


def _row_blocks(bounds: NDArray[np.int64], most: int = _BLOCK_ENTRIES) -> Iterator[tuple[int, int]]:
    """First and last + 1 of consecutive rows that have `most` entries together, where `bounds` are reached."""
    ends = np.cumsum(bounds)
    first = 0
    while first < len(bounds):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield first, last
        first = last


def _in_order(
    pool: ThreadPoolExecutor,
    threads: int,
    work: Callable[[tuple[int, int]], Block],
    blocks: Iterable[tuple[int, int]],
) -> Iterator[tuple[int, Block]]:
    """Each block's last + 1 row and what `work` makes of it, in order, a few being worked on at a time."""
    coming: deque[tuple[int, Future[Block]]] = deque()
    for rows in blocks:
        coming.append((rows[1], pool.submit(work, rows)))
        if len(coming) > 2 * threads:
            last, future = coming.popleft()
            yield last, future.result()
    for last, future in coming:
        yield last, future.result()


def _write(file: IO[bytes], description: Mapping[str, Any], blocks: Iterable[Block]) -> int:
    """Writes the file whose rows are those of `blocks`; returns how many entries it has."""
    digest = hashlib.blake2b(json.dumps(description, sort_keys=True).encode(), digest_size=16)
    file.write(bytes(_HEAD_BYTES))
    ends, n_entries = [], 0
    for entries, lengths in blocks:
        data = np.ascontiguousarray(entries, "<u4").data.cast("B") if len(entries) else b""
        digest.update(data)
        file.write(data)
        ends.append(n_entries + np.cumsum(lengths))
        n_entries += len(entries)
    data = np.concatenate(ends).astype("<i8").tobytes()
    digest.update(data)
    file.write(data)
    told = {"format": FORMAT, "n_entries": n_entries, **description, "fingerprint": digest.hexdigest()}
    file.write(json.dumps(told, ensure_ascii=True).encode("ascii"))
    file.seek(0)
    file.write(_MAGIC + (_HEAD_BYTES + 12 * n_entries + len(data)).to_bytes(8, "little"))
    return n_entries


def _on_disk(place: Path, blocks: Iterable[Block], n_rows: int) -> Rows:
    """The rows of `blocks`, which are written to `place`."""
    with place.open("wb") as file:
        n_entries = _write(file, {}, blocks)
    return _mapped(place, n_entries, n_rows)


def _mapped(path: Path, n_entries: int, n_rows: int) -> Rows:
    """What `_write` wrote."""
    ends = np.fromfile(path, "<i8", n_rows, offset=_HEAD_BYTES + 12 * n_entries)
    if not n_entries:
        return Rows(np.empty((0, 3), np.uint32), ends)
    return Rows(np.memmap(path, "<u4", "r", _HEAD_BYTES, (n_entries, 3)).view(np.ndarray), ends)


# --- compiled


@compiled
def _kept_text(
    type_ids: Any, line_ends: Any, row_of_type: Any, start: int, stop: int, window: int
) -> tuple[NDArray[np.int32], int]:
    """The rows of the words in tokens [start, stop), those without one left out, with -1 around every line.

    Before them stand the last `window` rows of the line that `start` lies in; the second number returned is where the
    first row of a token from `start` on would be.
    """
    line = np.searchsorted(line_ends, start, side="right")
    line_start = line_ends[line - 1] if line > 0 else 0
    begin = start
    reached = 0
    while begin > line_start and reached < window:
        begin -= 1
        if row_of_type[type_ids[begin]] >= 0:
            reached += 1
    n_lines = np.searchsorted(line_ends, stop, side="left") - line + 1
    text = np.empty(stop - begin + n_lines + 2, int32)
    text[0] = int32(-1)
    n = 1
    first = 1
    for token in range(begin, stop):
        while token >= line_ends[line]:
            if text[n - 1] >= 0:
                text[n] = int32(-1)
                n += 1
            line += 1
        if token == start:
            first = n
        row = row_of_type[type_ids[token]]
        if row >= 0:
            text[n] = row
            n += 1
    text[n] = int32(-1)
    return text[: n + 1], first


@compiled
def _places(text: Any, n_rows: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """(V + 1,) where each row's places begin; and the places of all rows in `text`, each row's in order."""
    starts = np.zeros(n_rows + 1, int64)
    for place in range(len(text)):
        if text[place] >= 0:
            starts[text[place] + 1] += 1
    for row in range(n_rows):
        starts[row + 1] += starts[row]
    places = np.empty(starts[n_rows], int32)
    free = starts[:n_rows].copy()
    for place in range(len(text)):
        row = text[place]
        if row >= 0:
            places[free[row]] = int32(place)
            free[row] += 1
    return starts, places


@compiled
def _add(sums: Any, marks: Any, groups: Any, column: int, weight: Any) -> None:
    """Adds to a column's sum; marks the column, and in `groups` the number that its mark stands in."""
    if sums[column] == _ZERO:
        marks[column >> 6] |= _ONE << uint64(column & 63)
        groups[column >> 12] |= _ONE << uint64((column >> 6) & 63)
    sums[column] += weight


@compiled
def _lowest(bits: Any) -> Any:
    """The place of the lowest bit that is set."""
    alone = bits & (~bits + _ONE)
    return _BIT_OF[int64((alone * _SEQUENCE) >> uint64(58))]


@compiled
def _drain(sums: Any, marks: Any, groups: Any, out: Any, done: int) -> int:
    """Appends the marked columns with their sums to `out`, by rising column, and clears them."""
    for group in range(len(groups)):
        of_group = groups[group]
        while of_group != _ZERO:
            place = (group << 6) + _lowest(of_group)
            of_group &= of_group - _ONE
            bits = marks[place]
            while bits != _ZERO:
                column = (place << 6) + _lowest(bits)
                bits &= bits - _ONE
                out[done, 0] = uint32(column)
                out[done, 1] = uint32(sums[column] & _LOWER)
                out[done, 2] = uint32(sums[column] >> _HALF)
                sums[column] = _ZERO
                done += 1
            marks[place] = _ZERO
        groups[group] = _ZERO
    return done


@compiled
def _count_rows(
    text: Any,
    first: int,
    starts: Any,
    places: Any,
    first_row: int,
    last_row: int,
    weights: Any,
    is_symmetric: bool,
    out: Any,
    lengths: Any,
) -> int:
    """Fills `out` with the entries of the rows [first_row, last_row) and `lengths`; returns how many entries.

    A pair counts if the right one of the two stands at `first` or behind.
    """
    n_rows = len(starts) - 1
    sums = np.zeros(n_rows, uint64)
    marks = np.zeros((n_rows >> 6) + 1, uint64)
    groups = np.zeros((n_rows >> 12) + 1, uint64)
    window = len(weights) - 1
    done = 0
    for row in range(first_row, last_row):
        for number in range(starts[row], starts[row + 1]):
            place = places[number]
            for d in range(1, window + 1):
                column = text[place + d]
                if column < 0:
                    break
                if place + d >= first:
                    _add(sums, marks, groups, column, weights[d])
            if is_symmetric and place >= first:
                for d in range(1, window + 1):
                    column = text[place - d]
                    if column < 0:
                        break
                    _add(sums, marks, groups, column, weights[d])
        before = done
        done = _drain(sums, marks, groups, out, done)
        lengths[row - first_row] = done - before
    return done


@compiled
def _added(a: Any, a_lengths: Any, b: Any, b_lengths: Any) -> tuple[Any, Any]:
    """The sums of the same rows of two runs: entries, lengths."""
    out = np.empty((len(a) + len(b), 3), uint32)
    lengths = np.empty(len(a_lengths), int64)
    i = j = done = i_end = j_end = 0
    for row in range(len(a_lengths)):
        i_end += a_lengths[row]
        j_end += b_lengths[row]
        before = done
        while i < i_end or j < j_end:
            if j == j_end or (i < i_end and a[i, 0] < b[j, 0]):
                out[done] = a[i]
                i += 1
            elif i == i_end or b[j, 0] < a[i, 0]:
                out[done] = b[j]
                j += 1
            else:
                lower = uint64(a[i, 1]) + uint64(b[j, 1])
                upper = uint64(a[i, 2]) + uint64(b[j, 2]) + (lower >> _HALF)
                out[done, 0] = a[i, 0]
                out[done, 1] = uint32(lower & _LOWER)
                out[done, 2] = uint32(upper)
                i += 1
                j += 1
            done += 1
        lengths[row] = done - before
    return out[:done], lengths


@compiled
def _first_fault(entries: Any, ends: Any) -> int:
    """The first row whose entries are not by rising column below V, or whose end is before its beginning; else -1."""
    begin = 0
    for row in range(len(ends)):
        end = ends[row]
        if end < begin or end > len(entries):
            return row
        before = int64(-1)
        for e in range(begin, end):
            column = int64(entries[e, 0])
            if column <= before or column >= len(ends) or (entries[e, 1] == 0 and entries[e, 2] == 0):
                return row
            before = column
        begin = end
    return -1 if begin == len(entries) else len(ends) - 1


@compiled
def _turned(entries: Any, ends: Any, first: int, n_of_column: Any) -> Any:
    """The entries of the columns from `first` on, each column's by row; `n_of_column` is how many each has."""
    free = np.zeros(len(n_of_column) + 1, int64)
    for column in range(len(n_of_column)):
        free[column + 1] = free[column] + n_of_column[column]
    turned = np.empty((free[len(n_of_column)], 3), uint32)
    begin = 0
    for row in range(len(ends)):
        for e in range(begin, ends[row]):
            at = int64(entries[e, 0]) - first
            if 0 <= at < len(n_of_column):
                place = free[at]
                turned[place, 0] = uint32(row)
                turned[place, 1] = entries[e, 1]
                turned[place, 2] = entries[e, 2]
                free[at] = place + 1
        begin = ends[row]
    return turned
