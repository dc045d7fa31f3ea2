"""fastText's models (.bin): words with counts, and the tables that word vectors are composed of.

    int32 magic, int32 version
    settings    12 int32 (dim, window, epochs, ...), float64 sample
    dictionary  int32 entries, int32 words, int32 labels, int64 tokens, int64 pruned; then for each
                the word in bytes, a 0, int64 count, int8 kind
    input       bool quantised; int64 rows, int64 columns, float32: the words' rows, behind them the n-grams'
    output      bool quantised; int64 rows, int64 columns, float32

All numbers are little-endian. The layout is that of fastText 0.9.2 (version 12; 11 is the same for word vectors):
Bojanowski et al. 2017, github.com/facebookresearch/fastText. Nothing here is executed, and a table is mapped only when
the file is known to have the bytes for it; it stays on disk until it is touched.
"""

import math
import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError
from firth.files import printable, replacing

MAGIC: Final = 793712314
VERSION: Final = 12
VERSIONS: Final = (11, 12)
HEADER: Final = struct.Struct("<ii12id")
DICTIONARY: Final = struct.Struct("<iiiqq")
ENTRY: Final = struct.Struct("<qb")  # behind the word and its 0
TABLE: Final = struct.Struct("<?qq")
WORD: Final = 0  # the kind of an entry; 1 is a label
MODELS: Final = {1: "cbow", 2: "skipgram", 3: "supervised"}
LOSSES: Final = {1: "hierarchical_softmax", 2: "negative_sampling", 3: "softmax", 4: "one_against_all"}
WRITE_ROWS: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a file says of how its vectors came about; the learning rate is not in it.

    Attributes:
        dim: Length of a vector.
        window: Widest window, in words to either side.
        epochs: Passes.
        min_count: Rarer words have no row.
        negatives: Noise words for each pair.
        loss: `negative_sampling`, `hierarchical_softmax`, `softmax` or `one_against_all`.
        model: `skipgram` or `cbow`.
        buckets: Rows that n-grams are hashed to.
        shortest: Characters of an n-gram, at least.
        longest: At most; 0 where there are none.
        sample: Words above this share of the corpus were sub-sampled.
        n_tokens: Words of the corpus, those without a row too; 0 where that is not known.
    """

    dim: int
    window: int = 5
    epochs: int = 5
    min_count: int = 5
    negatives: int = 5
    loss: str = "negative_sampling"
    model: str = "skipgram"
    buckets: int = 0
    shortest: int = 0
    longest: int = 0
    sample: float = 1e-4
    n_tokens: int = 0


class Published(NamedTuple):
    """A fastText model of word vectors: V words, B buckets."""

    settings: Settings
    words: list[bytes]
    counts: NDArray[np.int64]  # (V,)
    input: NDArray[np.float32]  # (V + B, D) a row for each word, then one for each bucket
    output: NDArray[np.float32]  # (V, D)

    def texts(self, limit: int | None = None) -> list[str]:
        """The words, the first `limit`; bytes that are not UTF-8 (fastText cuts long words anywhere) as codes."""
        return [word.decode(errors="backslashreplace") for word in self.words[:limit]]


def is_model(path: str | Path) -> bool:
    """Whether a file begins as fastText's models do."""
    try:
        with Path(path).open("rb") as file:
            return file.read(4) == MAGIC.to_bytes(4, "little")
    except OSError:
        return False


def read(path: str | Path) -> Published:
    """The model of word vectors in a file of fastText's; its tables are mapped, at any byte of it.

    Raises:
        FirthError: the file is none, was cut off, contradicts itself, or is a model of another kind: a classifier
            (supervised), or quantised (.ftz). The message says where.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:  # and could not be mapped
                raise FirthError(f"{printable(str(path))} is empty; a fastText model was asked for")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data).model()
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror or error}") from error


class _Reader:
    """A file, and the byte that is read next."""

    def __init__(self, path: Path, data: Any) -> None:
        self.path = path
        self.data = data
        self.at = 0

    def model(self) -> Published:
        settings = self.header()
        words, counts, n_tokens = self.dictionary()
        n_input = len(words) + settings.buckets
        input = self.table("input", (n_input, settings.dim))
        output = self.table("output", (len(words), settings.dim))
        if self.at != len(self.data):
            raise self.malformed(
                f"{len(self.data) - self.at:,} bytes stand behind the output table, where the file ends"
            )
        return Published(replace(settings, n_tokens=n_tokens), words, counts, input, output)

    def header(self) -> Settings:
        if bytes(self.data[:4]) != MAGIC.to_bytes(4, "little"):
            raise FirthError(f"{printable(str(self.path))} is no fastText model: it does not begin with its four bytes")
        _, version, *numbers = self.take(HEADER, "its settings")
        if version not in VERSIONS:
            raise self.malformed(f"it is of version {version}; known are 11 and 12")
        dim, window, epochs, min_count, negatives, _, loss, model, buckets, shortest, longest, _, sample = numbers
        if MODELS.get(model) == "supervised":
            raise FirthError(
                f"{printable(str(self.path))} is a classifier (supervised), with tables of labels; models of words "
                "are read, of skipgram and cbow"
            )
        if model not in MODELS or loss not in LOSSES:
            raise self.malformed(f"model {model} and loss {loss} are named, and are none of fastText's")
        if dim < 1 or buckets < 0 or longest > 99 or (longest > 0 and (shortest > longest or shortest < 0)):
            raise self.malformed(
                f"dim {dim}, {buckets} buckets and n-grams of {shortest} to {longest} characters cannot be"
            )
        if longest > 0 and not buckets:
            raise self.malformed("n-grams are named, and no buckets for them")
        if min(window, epochs) < 1 or min(min_count, negatives) < 0 or not 0 <= sample < math.inf:
            raise self.malformed(
                f"window {window}, {epochs} epochs, min_count {min_count}, {negatives} negatives and sample {sample} "
                "cannot be"
            )
        return Settings(
            dim=dim,
            window=window,
            epochs=epochs,
            min_count=min_count,
            negatives=negatives,
            loss=LOSSES[loss],
            model=MODELS[model],
            buckets=buckets,
            shortest=max(1, shortest) if longest > 0 else 0,
            longest=max(0, longest),
            sample=sample,
        )

    def dictionary(self) -> tuple[list[bytes], NDArray[np.int64], int]:
        n_entries, n_words, n_labels, n_tokens, n_pruned = self.take(DICTIONARY, "its dictionary")
        if n_labels or n_entries != n_words or n_words < 1:
            raise self.malformed(
                f"a dictionary of {n_entries:,} entries, {n_words:,} words and {n_labels:,} labels; words alone are due"
            )
        if n_pruned >= 0:
            raise self.malformed("n-grams were pruned, as in quantised models, which are not read")
        if n_words > (len(self.data) - self.at) // (1 + ENTRY.size):
            raise self.malformed(f"{n_words:,} words are named, and {len(self.data) - self.at:,} bytes are left")
        words, counts = [], np.empty(n_words, np.int64)
        for row in range(n_words):
            end = self.data.find(b"\0", self.at)
            if end < 0 or end + 1 + ENTRY.size > len(self.data):
                raise self.cut_off(f"word {row + 1:,} of {n_words:,}")
            words.append(self.data[self.at : end])
            self.at = end + 1
            counts[row], kind = self.take(ENTRY, "a word's count")
            if kind != WORD or counts[row] < 0:
                raise self.malformed(f"word {row + 1:,} has the count {counts[row]} and the kind {kind}")
        if len(set(words)) < n_words:
            raise self.malformed("a word stands in its dictionary twice")
        return words, counts, max(0, n_tokens)

    def table(self, name: str, due: tuple[int, int]) -> NDArray[np.float32]:
        is_quantised, n_rows, n_columns = self.take(TABLE, f"the {name} table")
        if is_quantised:
            raise FirthError(
                f"{printable(str(self.path))} is quantised (.ftz); the model that it was made of (.bin) can be read"
            )
        if (n_rows, n_columns) != due:
            raise self.malformed(
                f"the {name} table has {n_rows:,} rows of {n_columns:,}; {due[0]:,} of {due[1]:,} are due"
            )
        n_bytes = 4 * n_rows * n_columns
        if n_bytes > len(self.data) - self.at:
            raise self.cut_off(
                f"the {name} table, which takes {n_bytes:,} bytes; {len(self.data) - self.at:,} are left"
            )
        table = np.memmap(self.path, "<f4", "r", self.at, due).view(np.ndarray)
        self.at += n_bytes
        return table

    def take(self, layout: struct.Struct, what: str) -> Any:
        if self.at + layout.size > len(self.data):
            raise self.cut_off(what)
        numbers = layout.unpack_from(self.data, self.at)
        self.at += layout.size
        return numbers

    def cut_off(self, what: str) -> FirthError:
        return self.malformed(f"the file was cut off in {what}")

    def malformed(self, what: str) -> FirthError:
        return FirthError(f"{printable(str(self.path))}, byte {self.at:,}: {what}")


def write(
    path: str | Path,
    settings: Settings,
    words: Sequence[str | bytes],
    counts: NDArray[np.int64],
    tables: Sequence[NDArray[np.float32]],
    output: NDArray[np.float32] | None = None,
) -> None:
    """Writes a file that fastText opens, and `read`.

    Args:
        path: The file, replaced once all is written.
        settings: Of the vectors.
        words: V words, or their bytes.
        counts: (V,) how often each occurred.
        tables: The input table, in parts one behind the other: a row for each word, then one for each bucket.
        output: (V, D); zeros where it is not known, which queries do without.

    Raises:
        FirthError: a word that the format cannot hold.
    """
    entries = [_entry(word, int(count)) for word, count in zip(words, counts, strict=True)]
    numbers = {name: number for number, name in MODELS.items()}, {name: number for number, name in LOSSES.items()}
    shape = (len(words) + settings.buckets, settings.dim)
    with replacing(Path(path), "wb") as file:
        file.write(
            HEADER.pack(
                *(MAGIC, VERSION, settings.dim, settings.window, settings.epochs, settings.min_count),
                *(settings.negatives, 1, numbers[1][settings.loss], numbers[0][settings.model], settings.buckets),
                *(settings.shortest, settings.longest, 100, settings.sample),
            )
        )
        n_tokens = settings.n_tokens or int(counts.sum())
        file.write(DICTIONARY.pack(len(words), len(words), 0, n_tokens, -1))
        file.writelines(entries)
        for rows, parts in (
            (shape[0], tables),
            (len(words), [np.zeros((len(words), settings.dim), np.float32) if output is None else output]),
        ):
            if sum(map(len, parts)) != rows:
                raise FirthError(f"tables of {sum(map(len, parts)):,} rows were given; {rows:,} are due")
            file.write(TABLE.pack(False, rows, settings.dim))
            for part in parts:
                for start in range(0, len(part), WRITE_ROWS):
                    file.write(np.ascontiguousarray(part[start : start + WRITE_ROWS], "<f4").data)


def _entry(word: str | bytes, count: int) -> bytes:
    try:
        spelt = word.encode() if isinstance(word, str) else word
    except UnicodeEncodeError:
        raise FirthError(f"the word '{printable(str(word))}' is not text that UTF-8 can write") from None
    if b"\0" in spelt:
        raise FirthError(f"the word '{printable(str(word))}' holds a zero, which ends a word in this format")
    return spelt + b"\0" + ENTRY.pack(max(1, count), WORD)
