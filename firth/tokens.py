"""A corpus as integers on disk: encoded once, then mapped into memory.

The text is passed over once. Words get ids by their first appearance ("types"), so that the store serves any
vocabulary that is made of them afterwards.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np
import numpy.typing as npt

from firth.corpus import Block, Corpus
from firth.errors import FirthError, UsageError
from firth.files import appearing, printable
from firth.segmentation import Segmentation, Split, choose

Progress = Callable[[int, int | None, int], None]
"""Called after each block with the bytes done, the bytes in all (None: not known), and the words so far."""

_FORMAT: Final = 1
_DESCRIPTION: Final = "corpus.json"
_TYPES: Final = "types.json"
_COUNTS: Final = "counts.i64"
_TYPE_IDS: Final = "type_ids.i32"
_LINE_ENDS: Final = "line_ends.i64"
_DOCUMENT_ENDS: Final = "document_ends.i64"
_READ_BYTES: Final = 1 << 22


class EncodedCorpus:
    """The words of a corpus as integers, mapped into memory from a folder that `encode` wrote.

    Lines without words are left out, and so are documents without lines.

    Attributes:
        types: the different words, in order of first appearance; a type id is a place in this list.
        counts: (n_types,) int64, how often each type occurs.
        type_ids: (n_tokens,) int32, the words of the corpus in order.
        line_ends: (n_lines,) int64, the position just behind each line's last token.
        document_ends: (n_documents,) int64, the number of the line just behind each document's last one.
        segmentation: how text became words.
        segmentation_reason: why it was chosen, in a sentence; empty where it was asked for.
        fingerprint: a hash of types, tokens, lines and documents, in hexadecimal.
    """

    def __init__(self, folder: Path | str) -> None:
        """Opens `folder`.

        Raises:
            FirthError: it holds no encoded corpus, or one that is not whole.
        """
        folder = Path(folder)
        try:
            description = json.loads((folder / _DESCRIPTION).read_bytes())
            if description["format"] != _FORMAT:
                raise FirthError(f"{printable(str(folder))} was encoded by another version of firth; encode again")
            self.types: list[str] = json.loads((folder / _TYPES).read_bytes())
            self.counts: npt.NDArray[np.int64] = _mapped(folder / _COUNTS, "<i8", len(self.types))
            self.type_ids: npt.NDArray[np.int32] = _mapped(folder / _TYPE_IDS, "<i4", description["n_tokens"])
            self.line_ends: npt.NDArray[np.int64] = _mapped(folder / _LINE_ENDS, "<i8", description["n_lines"])
            self.document_ends: npt.NDArray[np.int64] = _mapped(
                folder / _DOCUMENT_ENDS, "<i8", description["n_documents"]
            )
            self.segmentation = Segmentation.from_settings(description["segmentation"])
            self.segmentation_reason: str = description["segmentation_reason"]
            self.fingerprint: str = description["fingerprint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FirthError(f"{printable(str(folder))} holds no whole encoded corpus: {error}") from None

    @property
    def n_tokens(self) -> int:
        """How many words the corpus has."""
        return len(self.type_ids)

    @property
    def n_lines(self) -> int:
        """How many lines with words it has."""
        return len(self.line_ends)

    @property
    def n_documents(self) -> int:
        """How many documents with words it has."""
        return len(self.document_ends)

    def close(self) -> None:
        """Lets go of the mapped files, which some systems neither rename nor delete before.

        They stay mapped while somebody else holds one of the arrays, or a part of it.
        """
        self.counts = np.empty(0, dtype=np.int64)
        self.type_ids = np.empty(0, dtype=np.int32)
        self.line_ends = np.empty(0, dtype=np.int64)
        self.document_ends = np.empty(0, dtype=np.int64)

    def __enter__(self) -> Self:
        """The corpus itself; it is closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the corpus."""
        self.close()


def encode(
    corpus: Corpus,
    segmentation: Segmentation | None,
    folder: Path | str,
    *,
    lower: bool = True,
    progress: Progress | None = None,
) -> EncodedCorpus:
    """`corpus`, read to its end, as integers in `folder`.

    Args:
        corpus: what `firth.corpus.read` returned. Only a block of it and the table of types are in memory.
        segmentation: how text becomes words; None: chosen by looking at the text. Ready words
            stay as they are.
        folder: a directory that does not exist, or is empty. It appears whole or not at all.
        lower: whether a segmentation that is chosen here lower-cases.
        progress: called after each block.

    Raises:
        FirthError: the corpus has no words or cannot be read, or the folder cannot be written (disk full).
        UsageError: the folder holds something, or ready words are to be segmented.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{printable(str(folder))} exists already; the encoded corpus needs a new place")
    segmentation, reason = _settled(segmentation, corpus, lower)
    with _appearing(folder) as temporary, ExitStack() as files:
        encoder = _Encoder(temporary, files)
        for block in _blocks(corpus):
            encoder.add(segmentation.split(block) if isinstance(block, str) else _ready(block))
            if progress is not None:
                progress(corpus.done_bytes, corpus.total_bytes, encoder.type_ids.n_numbers)
        if not encoder.types:
            raise FirthError(f"{corpus.name}: no words in it (words are found by method {segmentation.method!r})")
        files.close()
        encoder.finish(segmentation, reason)
    return EncodedCorpus(folder)


def _blocks(corpus: Corpus) -> Iterator[Block]:
    """The blocks of `corpus`, whose failures are told from those of writing."""
    try:
        yield from corpus.blocks()
    except OSError as error:
        raise FirthError(f"cannot read {corpus.name}: {error}") from error


def _settled(segmentation: Segmentation | None, corpus: Corpus, lower: bool) -> tuple[Segmentation, str]:
    """The segmentation to use, and why."""
    if not corpus.has_ready_words:
        return (segmentation, "") if segmentation is not None else choose(corpus.sample(), lower=lower)
    if segmentation is not None and segmentation.method != "space":
        raise UsageError(
            f"the corpus gives ready words, so there is nothing to cut by method {segmentation.method!r}; "
            "leave the segmentation out, or give strings"
        )
    return segmentation or Segmentation(method="space", lower=False), "the corpus gives ready words"


def _ready(lines: list[list[str]]) -> Split:
    """Lines of ready words in the form of split text."""
    ends = np.cumsum([len(line) for line in lines], dtype=np.int64)
    words = list(chain.from_iterable(lines))
    return Split(words=words, line_ends=ends, visible_ends=ends, n_visible=len(words))


class _Column:
    """A file of little-endian integers that grows."""

    def __init__(self, file: BinaryIO, dtype: str) -> None:
        self._file = file
        self._dtype = dtype
        self.n_numbers = 0

    def extend(self, numbers: npt.NDArray[Any]) -> None:
        self._file.write(numbers.astype(self._dtype, copy=False).tobytes())
        self.n_numbers += len(numbers)


class _Encoder:
    """The integers of the blocks so far, and where the line and the document that are open began."""

    def __init__(self, folder: Path, files: ExitStack) -> None:
        def column(name: str, dtype: str) -> _Column:
            return _Column(files.enter_context((folder / name).open("wb")), dtype)

        self._folder = folder
        self.types: defaultdict[str, int] = defaultdict()
        self.types.default_factory = self.types.__len__  # a new word's id is the number of those before it
        self.type_ids = column(_TYPE_IDS, "<i4")
        self.line_ends = column(_LINE_ENDS, "<i8")
        self.document_ends = column(_DOCUMENT_ENDS, "<i8")
        self._n_visible = 0
        self._last_line_end = 0
        self._last_visible_end = 0
        self._last_document_end = 0

    def add(self, split: Split) -> None:
        """Appends the words of a block. A line or document that it leaves open goes on in the next one."""
        line_ends = self.type_ids.n_numbers + split.line_ends
        visible_ends = self._n_visible + split.visible_ends
        has_words = np.diff(line_ends, prepend=self._last_line_end) > 0
        is_empty = np.diff(visible_ends, prepend=self._last_visible_end) == 0
        line_numbers = self.line_ends.n_numbers + np.cumsum(has_words)  # of the next line with words
        document_ends = np.unique(line_numbers[is_empty])
        document_ends = document_ends[document_ends > self._last_document_end]

        type_ids = map(self.types.__getitem__, split.words)
        self.type_ids.extend(np.fromiter(type_ids, dtype=np.int32, count=len(split.words)))
        self.line_ends.extend(line_ends[has_words])
        self.document_ends.extend(document_ends)
        self._n_visible += split.n_visible
        if len(line_ends):
            self._last_line_end = int(line_ends[-1])
            self._last_visible_end = int(visible_ends[-1])
        if len(document_ends):
            self._last_document_end = int(document_ends[-1])

    def finish(self, segmentation: Segmentation, reason: str) -> None:
        """Writes what is known at the end alone: types, counts, and the description."""
        types = json.dumps(list(self.types), ensure_ascii=False, separators=(",", ":"))
        (self._folder / _TYPES).write_bytes(types.encode())
        counts = _counts(self._folder / _TYPE_IDS, len(self.types))
        (self._folder / _COUNTS).write_bytes(counts.astype("<i8", copy=False).tobytes())
        description = {
            "format": _FORMAT,
            "n_tokens": self.type_ids.n_numbers,
            "n_lines": self.line_ends.n_numbers,
            "n_documents": self.document_ends.n_numbers,
            "segmentation": segmentation.settings(),
            "segmentation_reason": reason,
            "fingerprint": _fingerprint(self._folder),
        }
        (self._folder / _DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")


def _counts(type_ids: Path, n_types: int) -> npt.NDArray[np.int64]:
    counts = np.zeros(n_types, dtype=np.int64)
    for piece in _pieces(type_ids):
        counts += np.bincount(np.frombuffer(piece, dtype="<i4"), minlength=n_types)
    return counts


def _fingerprint(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in (_TYPES, _TYPE_IDS, _LINE_ENDS, _DOCUMENT_ENDS):
        digest.update((folder / name).stat().st_size.to_bytes(8, "little"))
        for piece in _pieces(folder / name):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_READ_BYTES):
            yield piece


def _mapped(path: Path, dtype: str, length: int) -> npt.NDArray[Any]:
    n_bytes = length * np.dtype(dtype).itemsize
    if path.stat().st_size != n_bytes:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes instead of {n_bytes:,}")
    return np.memmap(path, dtype=dtype, mode="r", shape=(length,))


@contextmanager
def _appearing(folder: Path) -> Iterator[Path]:
    """`files.appearing`, whose failure to write says what it was about."""
    place = f"cannot write the encoded corpus to {printable(str(folder))}"
    try:
        with appearing(folder) as new:
            try:
                yield new
            except OSError as error:
                written = sum(file.stat().st_size for file in new.iterdir())
                raise FirthError(f"{place}: {error.strerror} ({written:,} bytes were written)") from error
    except OSError as error:
        raise FirthError(f"{place}: {error.strerror}") from error
