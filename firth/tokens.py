"""A corpus as integers on disk: encoded once, then mapped into memory.

The text is passed over once. Words get ids by their first appearance ("types"), so that the store serves any
vocabulary that is made of them afterwards.
"""

import ctypes
import hashlib
import json
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, NamedTuple, Self, overload

import numpy as np
import numpy.typing as npt

from firth.corpus import Corpus
from firth.cutting import Cutters
from firth.errors import FirthError, UsageError
from firth.faults import Faults
from firth.files import appearing, printable, without_folders
from firth.phrases import Phrases
from firth.preparation import Preparation
from firth.segmentation import Caution, Segmentation, Split, choose, unsegmented

Progress = Callable[[int, int | None, int], None]
"""Called after each block with the bytes done, the bytes in all (None: not known), and the words so far."""

FORMAT: Final = 5
_DESCRIPTION: Final = "corpus.json"
_TYPES: Final = "types.utf8"
_TYPE_ENDS: Final = "type_ends.i64"
_COUNTS: Final = "counts.i64"
_TYPE_IDS: Final = "type_ids.i32"
_LINE_ENDS: Final = "line_ends.i64"
_DOCUMENT_ENDS: Final = "document_ends.i64"
_KEPT: Final = "kept.jsonl"
_READ_BYTES: Final = 1 << 20
_TYPES_AT_ONCE: Final = 1 << 12
_SAMPLED_WORDS: Final = 1 << 13
_SAMPLED_STRETCHES: Final = 1 << 7
_BLOCKS_AHEAD: Final = 24  # so much is cut while the compiled code is loaded
_BLOCKS_BETWEEN_TRIMS: Final = 32


class JoinedPhrases(NamedTuple):
    """What became of the phrases that were to be joined.

    Attributes:
        n_phrases: How many there are.
        n_met: How many of them the corpus has.
        n_words: How many words of the corpus are phrases now.
    """

    n_phrases: int
    n_met: int
    n_words: int


class Types(Sequence[str]):
    """Words whose letters lie one behind the other, decoded when they are asked for."""

    def __init__(self, utf8: npt.NDArray[np.uint8], ends: npt.NDArray[np.int64]) -> None:
        """The words that end at `ends` of `utf8`."""
        self._utf8 = utf8.data
        self._ends = ends

    def __len__(self) -> int:
        """How many words there are."""
        return len(self._ends)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """The word there, or the words of a slice."""
        if isinstance(place, slice):
            places = range(*place.indices(len(self)))
            return list(self._between(places.start, places.stop)) if places.step == 1 else [self[i] for i in places]
        place = range(len(self))[place]
        start = int(self._ends[place - 1]) if place else 0
        return str(self._utf8[start : int(self._ends[place])], "utf-8")

    def __iter__(self) -> Iterator[str]:
        """The words in order."""
        return self._between(0, len(self))

    def letters(self) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """All words' UTF-8, one behind the other, and where in it each of them ends."""
        return np.frombuffer(self._utf8, np.uint8), self._ends

    def _between(self, first: int, stop: int) -> Iterator[str]:
        start = int(self._ends[first - 1]) if first else 0
        for place in range(first, stop, _TYPES_AT_ONCE):
            ends = self._ends[place : min(stop, place + _TYPES_AT_ONCE)].tolist()
            utf8 = self._utf8[start : ends[-1]].tobytes()
            places = [0, *(end - start for end in ends)]
            yield from [utf8[place:end].decode() for place, end in pairwise(places)]
            start = ends[-1]


class EncodedCorpus:
    """The words of a corpus as integers, mapped into memory from a folder that `encode` wrote.

    Lines without words are left out, and so are documents without lines.

    Attributes:
        types: the different words, in order of first appearance; a type id is a place in this sequence. Where types
            were pruned, the last one is the empty string, which stands for them all.
        counts: (n_types,) int64, how often each type occurs.
        type_ids: (n_tokens,) int32, the words of the corpus in order.
        line_ends: (n_lines,) int64, the position just behind each line's last token.
        document_ends: (n_documents,) int64, the number of the line just behind each document's last one.
        kept_names: the names of what is kept with every document; see `kept`.
        preparation: what was asked for.
        segmentation: how text became words.
        segmentation_reason: why it was chosen, in a sentence; empty where it was asked for.
        layout: what the lines of the sources were taken for.
        layout_reason: why, in a sentence; empty where there is nothing to say.
        lang: the language whose rules ended sentences, as en; empty where lines stayed as they were.
        faults: what was not as it should be in the sources.
        cautions: what the user should know of the segmentation.
        n_duplicates: how many lines or documents were left out because their words had been met before.
        n_pruned_types: how many types were dropped because there were too many at a time.
        n_pruned_tokens: how many words of the corpus became the empty string for that.
        joined: what became of the phrases; None where none were to be joined.
        fingerprint: a hash of types, tokens, lines and documents, in hexadecimal.
    """

    def __init__(self, folder: Path | str) -> None:
        """Opens `folder`.

        Raises:
            FirthError: it holds no encoded corpus, or one that is not whole.
        """
        self._folder = folder = Path(folder)
        try:
            told = json.loads((folder / _DESCRIPTION).read_bytes())
            if told["format"] != FORMAT:
                raise FirthError(f"{printable(str(folder))} was encoded by another version of firth; encode again")
            type_ends = _mapped(folder / _TYPE_ENDS, "<i8", told["n_types"])
            self.types = Types(_mapped(folder / _TYPES, "u1", told["types_bytes"]), type_ends)
            self.counts: npt.NDArray[np.int64] = _mapped(folder / _COUNTS, "<i8", told["n_types"])
            self.type_ids: npt.NDArray[np.int32] = _mapped(folder / _TYPE_IDS, "<i4", told["n_tokens"])
            self.line_ends: npt.NDArray[np.int64] = _mapped(folder / _LINE_ENDS, "<i8", told["n_lines"])
            self.document_ends: npt.NDArray[np.int64] = _mapped(folder / _DOCUMENT_ENDS, "<i8", told["n_documents"])
            self.kept_names = tuple(told["kept_names"])
            self.preparation = Preparation.from_settings(told["preparation"])
            self.segmentation = Segmentation.from_settings(told["segmentation"])
            self.segmentation_reason: str = told["segmentation_reason"]
            self.layout: str = told["layout"]
            self.layout_reason: str = told["layout_reason"]
            self.lang: str = told["lang"]
            self.faults = Faults(**told["faults"])
            self.cautions = [Caution(*caution) for caution in told["cautions"]]
            self.n_duplicates: int = told["n_duplicates"]
            self.n_pruned_types: int = told["n_pruned_types"]
            self.n_pruned_tokens: int = told["n_pruned_tokens"]
            self.joined = JoinedPhrases(**told["joined"]) if "joined" in told else None
            self.fingerprint: str = told["fingerprint"]
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

    @property
    def remarks(self) -> list[str]:
        """What the user should hear of how the corpus was read, a sentence each."""
        said = [self.layout_reason] if self.layout_reason else []
        said += self.faults.sentences() + [caution.message for caution in self.cautions]
        if self.n_duplicates:
            what = self.preparation.drop_duplicates.removesuffix("" if self.n_duplicates > 1 else "s")
            said.append(f"{self.n_duplicates:,} {what} left out: their words had been met before")
        if self.n_pruned_types:
            said.append(
                f"there were more than {self.preparation.max_types:,} types at a time, so that the rarest were "
                f"dropped: {self.n_pruned_types:,} types, {self.n_pruned_tokens:,} words of the corpus "
                f"({self.n_pruned_tokens / self.n_tokens:.2%}); --max-types sets how many there may be"
            )
        if self.joined is not None:
            said.append(_account(self.joined, self.n_tokens))
        return said

    def kept(self) -> Iterator[tuple[str | None, ...]]:
        """The values of `kept_names` of each document in order.

        Raises:
            FirthError: the file that holds them is gone or damaged.
        """
        if not self.kept_names:
            yield from [()] * self.n_documents
            return
        shown = printable(str(self._folder / _KEPT))
        try:
            with (self._folder / _KEPT).open(encoding="utf-8") as file:
                for line in file:
                    yield tuple(json.loads(line))
        except (OSError, ValueError) as error:
            raise FirthError(f"cannot read what was kept with the documents from {shown}: {error}") from None

    def close(self) -> None:
        """Lets go of the mapped files, which some systems neither rename nor delete before.

        They stay mapped while somebody else holds one of the arrays, or a part of it.
        """
        self.types = Types(np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64))
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


def described(corpus: Any) -> dict[str, Any]:
    """What the record of a model says of the words it was trained on, an `EncodedCorpus` or counts of one."""
    return {
        "fingerprint": corpus.fingerprint,
        "n_tokens": corpus.n_tokens,
        "n_lines": corpus.n_lines,
        "n_documents": corpus.n_documents,
        "layout": corpus.layout,
        "lang": corpus.lang,
        "remarks": without_folders(corpus.remarks),
    }


def encode(
    corpus: Corpus,
    segmentation: Segmentation | None,
    folder: Path | str,
    *,
    preparation: Preparation | None = None,
    progress: Progress | None = None,
) -> EncodedCorpus:
    """`corpus`, read to its end, as integers in `folder`.

    In memory are only a block of the corpus, the table of its types, and, where duplicates are dropped, 64 bits for
    each line or document: two that differ are taken for equal once in 2 ** 64.

    Args:
        corpus: what `firth.corpus.read` returned.
        segmentation: how text becomes words; None: as the preparation says, which may be by looking at the text. Ready
            words stay as they are.
        folder: a directory that does not exist, or is empty. It appears whole or not at all.
        preparation: what `corpus` was read with; here it decides about duplicates and how many types there may be.
        progress: called after each block.

    Raises:
        FirthError: the corpus has no words or cannot be read, or the folder cannot be written (disk full).
        UsageError: the folder holds something, or ready words are to be segmented.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{printable(str(folder))} exists already; the encoded corpus needs a new place")
    if segmentation is not None and segmentation.phrases is not None:
        raise UsageError("phrases are joined in a corpus that is encoded already; encode it without them first")
    preparation = preparation or Preparation()
    with _reading(corpus):
        segmentation, reason, cautions = _settled(segmentation, corpus, preparation)
        description = {  # made before the reading: of a stream, the beginning can be looked at now alone
            "preparation": preparation.settings(),
            "segmentation": segmentation.settings(),
            "segmentation_reason": reason,
            "cautions": cautions,
            "kept_names": corpus.kept_names,
            "layout": corpus.layout,
            "lang": corpus.lang if corpus.splits_sentences else "",
        }
    with (
        Cutters(segmentation, corpus.total_bytes) as cutters,
        _appearing(folder) as temporary,
        closing(_Encoder(temporary, corpus, preparation)) as encoder,
    ):
        with closing(_added(corpus, cutters, encoder)) as steps:
            for number, (done_bytes, n_tokens) in enumerate(steps):
                if progress is not None:
                    progress(done_bytes, corpus.total_bytes, n_tokens)
                if number % _BLOCKS_BETWEEN_TRIMS == 0:
                    _trim()
        if not encoder.n_tokens:
            raise FirthError(f"{corpus.name}: no words in it (words are found by method {segmentation.method!r})")
        if not corpus.has_ready_words:  # of all of the text, where a sample was of its beginning perhaps
            description["cautions"] = cautions + unsegmented(" ".join(encoder.some_words()), segmentation)
        encoder.finish(description | {"layout_reason": corpus.layout_reason, "faults": vars(corpus.faults)})
    _trim()
    return EncodedCorpus(folder)


def rewritten(
    corpus: EncodedCorpus,
    folder: Path,
    lines: Iterable[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]],
    types: Callable[[], tuple[Types, npt.NDArray[np.int64]]],
    joined: Callable[[], JoinedPhrases],
    *,
    phrases: Phrases,
    preparation: Preparation,
) -> EncodedCorpus:
    """The lines and documents of `corpus` in other words, in `folder`.

    Args:
        corpus: Encoded.
        folder: A directory that does not exist. It appears whole or not at all.
        lines: Words, and where lines end among them, a piece after the other; -1 is a word whose type was pruned.
        types: Called when all lines are there: the types and how often each occurs.
        joined: Called then too.
        phrases: What the segmentation joins from now on.
        preparation: What was asked for.

    Raises:
        FirthError: the folder cannot be written.
    """
    with _appearing(folder) as new, ExitStack() as stack:
        type_ids, line_ends = (
            _Column((new / _TYPE_IDS).open("w+b"), "<i4"),
            _Column((new / _LINE_ENDS).open("wb"), "<i8"),
        )
        for column in (type_ids, line_ends):
            stack.enter_context(closing(column))
        for words, ends in lines:
            line_ends.extend(ends + type_ids.n_numbers)
            type_ids.extend(words)
        found, counts = types()
        utf8, type_ends = found.letters()
        if n_pruned := type_ids.n_numbers - int(counts.sum()):  # the last type stands for them, as it did before
            type_ids.change(lambda ids: np.where(ids < 0, len(type_ends), ids))
            type_ends, counts = np.append(type_ends, len(utf8)), np.append(counts, n_pruned)
        n_tokens, n_lines = type_ids.n_numbers, line_ends.n_numbers
        stack.close()
        for name in (_DOCUMENT_ENDS, _KEPT) if corpus.kept_names else (_DOCUMENT_ENDS,):
            shutil.copyfile(corpus._folder / name, new / name)
        (new / _TYPES).write_bytes(utf8.data)
        (new / _TYPE_ENDS).write_bytes(type_ends.astype("<i8", copy=False).data)
        (new / _COUNTS).write_bytes(counts.astype("<i8", copy=False).data)
        told = json.loads((corpus._folder / _DESCRIPTION).read_bytes())
        told |= {
            "preparation": preparation.settings(),
            "segmentation": replace(corpus.segmentation, phrases=phrases).settings(),
            "n_types": len(type_ends),
            "types_bytes": len(utf8),
            "n_tokens": n_tokens,
            "n_lines": n_lines,
            "joined": joined()._asdict(),
            "fingerprint": _fingerprint(new),
        }
        (new / _DESCRIPTION).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return EncodedCorpus(folder)


def _account(joined: JoinedPhrases, n_tokens: int) -> str:
    """What became of the phrases, in a sentence."""
    if not joined.n_met:
        return (
            f"none of the {joined.n_phrases:,} phrases was met: their words must be those of the text, as they are "
            "found there (--segment, --cased)"
        )
    return (
        f"phrases: {joined.n_met:,} of {joined.n_phrases:,} were met, {joined.n_words:,} times "
        f"({joined.n_words / n_tokens:.2%} of the words that there are now)"
    )


def _added(corpus: Corpus, cutters: Cutters, encoder: "_Encoder") -> Generator[tuple[int, int]]:
    """Adds the blocks of `corpus` to the encoder; after each, the bytes read until then, and the words so far.

    A second thread adds while this one reads and cuts the next blocks, or has them cut: a corpus that Python makes is
    asked for its lines in the thread of the call.
    """
    read: deque[int] = deque()  # the bytes until the end of each block that is not yet added

    def blocks() -> Iterator[Any]:
        with _reading(corpus):
            for block in corpus.blocks():
                read.append(corpus.done_bytes)
                yield block

    splits = map(_ready, blocks()) if corpus.has_ready_words else cutters.splits(blocks())
    with ThreadPoolExecutor(1, "firth-encode") as pool:
        coming: deque[Future[int]] = deque()
        try:
            pool.submit(encoder.add, _ready([]))  # loads the compiled code
            for split in splits:
                coming.append(pool.submit(encoder.add, split))
                if len(coming) > _BLOCKS_AHEAD:
                    yield read.popleft(), coming.popleft().result()
            for added in coming:
                yield read.popleft(), added.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _reading(corpus: Corpus) -> Iterator[None]:
    """Tells failures to read from those to write."""
    try:
        yield
    except OSError as error:
        raise FirthError(f"cannot read {corpus.name}: {error}") from error


def _settled(
    segmentation: Segmentation | None, corpus: Corpus, preparation: Preparation
) -> tuple[Segmentation, str, list[Caution]]:
    """The segmentation to use, why, and what to warn of."""
    if not corpus.has_ready_words:
        return (segmentation, "", []) if segmentation is not None else choose(corpus.sample(), preparation)
    if segmentation is not None and segmentation.method != "space":
        raise UsageError(
            f"the corpus gives ready words, so there is nothing to cut by method {segmentation.method!r}; "
            "leave the segmentation out, or give strings"
        )
    return segmentation or Segmentation(method="space", lower=False), "the corpus gives ready words", []


def _ready(lines: list[list[str]]) -> Split:
    """Lines of ready words in the form of split text."""
    words = list(chain.from_iterable(lines))
    ends = np.cumsum([len(word) for word in words], dtype=np.int64)
    line_ends = np.cumsum([len(line) for line in lines], dtype=np.int64)
    return Split(
        codes=np.frombuffer("".join(words).encode("utf-32-le"), dtype="<u4"),
        starts=np.concatenate([[0], ends[:-1]]) if words else ends,
        ends=ends,
        line_ends=line_ends,
        visible_ends=line_ends,
        n_visible=len(words),
    )


class _Column:
    """A file of little-endian integers that grows."""

    def __init__(self, file: BinaryIO, dtype: str) -> None:
        self._file = file
        self._dtype = np.dtype(dtype)
        self.n_numbers = 0

    def extend(self, numbers: npt.NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(numbers, self._dtype).data)
        self.n_numbers += len(numbers)

    def cut(self, n_numbers: int) -> None:
        """Takes back all but the first n_numbers."""
        if n_numbers < self.n_numbers:
            self._file.seek(n_numbers * self._dtype.itemsize)
            self._file.truncate()
            self.n_numbers = n_numbers

    def some(self, most: int) -> npt.NDArray[Any]:
        """At most so many of the numbers, in stretches that are spread evenly over all."""
        stretches = max(1, min(_SAMPLED_STRETCHES, self.n_numbers // (most // _SAMPLED_STRETCHES)))
        found = []
        for number in range(stretches):
            self._file.seek(number * (self.n_numbers // stretches) * self._dtype.itemsize)
            found.append(np.frombuffer(self._file.read(most // _SAMPLED_STRETCHES * self._dtype.itemsize), self._dtype))
        self._file.seek(self.n_numbers * self._dtype.itemsize)
        return np.concatenate(found)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[npt.NDArray[Any]]:
        """The numbers from `start` to `stop` (None: the end) in order, a piece at a time."""
        stop = self.n_numbers if stop is None else stop
        at_once = _READ_BYTES // self._dtype.itemsize
        for place in range(start, stop, at_once):
            self._file.seek(place * self._dtype.itemsize)
            yield np.frombuffer(self._file.read(min(at_once, stop - place) * self._dtype.itemsize), self._dtype)
        self._file.seek(self.n_numbers * self._dtype.itemsize)

    def change(
        self, changed: Callable[[npt.NDArray[Any]], npt.NDArray[Any]], start: int = 0, stop: int | None = None
    ) -> None:
        """Puts changed numbers in the places of those from `start` to `stop` (None: the end)."""
        done = start
        for piece in self.pieces(start, stop):
            self._file.seek(done * self._dtype.itemsize)
            self._file.write(changed(piece).astype(self._dtype, copy=False).tobytes())
            done += len(piece)

    def close(self) -> None:
        self._file.close()


class _Prunes:
    """The new ids that prunes gave to what was on disk then, kept in a file until all of it is renumbered in one pass.

    A pass for each prune would take time that grows with the square of the corpus.
    """

    def __init__(self, folder: Path) -> None:
        self._maps = _Column(tempfile.TemporaryFile(dir=folder), "<i4")  # noqa: SIM115 - `close` closes it
        self._stops: list[int] = []  # of each prune: how many of the tokens had been written before
        self._ends: list[int] = []  # of each prune: where its map ends in the file

    @property
    def n_numbers(self) -> int:
        return self._maps.n_numbers

    def add(self, n_tokens: int, new_ids: npt.NDArray[np.int32]) -> None:
        """The first n_tokens have ids of which each gets the new one; -1 where its type is no more."""
        self._maps.extend(new_ids)
        self._maps.extend(np.full(1, -1))  # the last place, which the id -1 names
        self._stops.append(n_tokens)
        self._ends.append(self._maps.n_numbers)

    def cut(self, n_tokens: int) -> None:
        """The tokens behind the first n_tokens were taken back."""
        for number in range(len(self._stops) - 1, -1, -1):
            if self._stops[number] <= n_tokens:
                break
            self._stops[number] = n_tokens

    def catch_up(self, type_ids: _Column) -> None:
        """Gives all tokens the ids they have now: those before the last prune its new ones, and so on backwards."""
        now: npt.NDArray[np.int32] | None = None  # of the ids between two prunes
        for number in range(len(self._stops) - 1, -1, -1):
            first_place, first_token = (self._ends[number - 1], self._stops[number - 1]) if number else (0, 0)
            then = np.empty(self._ends[number] - first_place, dtype=np.int32)
            done = 0
            for piece in self._maps.pieces(first_place, self._ends[number]):
                then[done : done + len(piece)] = piece if now is None else now[piece]
                done += len(piece)
            now = then
            if first_token < self._stops[number]:
                type_ids.change(now.take, first_token, self._stops[number])
        self._maps.cut(0)
        self._stops.clear()
        self._ends.clear()

    def close(self) -> None:
        self._maps.close()


class _Encoder:
    """The integers of the blocks so far, and where the line and the document that are open began."""

    def __init__(self, folder: Path, corpus: Corpus, preparation: Preparation) -> None:
        from firth.counting import TypeTable  # what is only read again needs no compiler

        self._folder = folder
        self._table = TypeTable(preparation.max_types, self._renumber)
        self._duplicates = None
        if preparation.drop_duplicates != "no":
            self._duplicates = _Duplicates(preparation.drop_duplicates)
        self._kept = _Kept(folder, corpus) if corpus.kept_names else None
        self._type_ids = _Column((folder / _TYPE_IDS).open("w+b"), "<i4")
        self._line_ends = _Column((folder / _LINE_ENDS).open("w+b"), "<i8")
        self._document_ends = _Column((folder / _DOCUMENT_ENDS).open("w+b"), "<i8")
        self._prunes: _Prunes | None = None
        self._n_newlines = 0
        self._open_words = 0  # of the line that is open
        self._open_visible = 0
        self._last_line_end = 0
        self._last_document_end = 0
        self._document_start = 0  # the first token of the document that is open

    @property
    def n_tokens(self) -> int:
        return self._type_ids.n_numbers

    def add(self, split: Split) -> int:
        """Appends the words of a block. A line or document that it leaves open goes on in the next one.

        Returns:
            How many words there are now.
        """
        type_ids = self._table.add(split)
        n_words = _steps(split.line_ends)  # of each line, in this block
        n_visible = _steps(split.visible_ends)
        rest = len(type_ids) - int(n_words.sum())
        has_words, is_empty = n_words > 0, n_visible == 0
        if len(n_words):
            has_words[0] |= self._open_words > 0
            is_empty[0] &= self._open_visible == 0
        if self._duplicates is not None:
            stays, takes_back = self._duplicates.add(split, has_words, is_empty)
            type_ids = type_ids[np.repeat(np.append(stays, True), np.append(n_words, rest))]
            n_words[~stays] = 0
            has_words &= stays
            if takes_back:
                self._take_back()

        line_ends = self.n_tokens + np.cumsum(n_words)[has_words]
        n_lines = self._line_ends.n_numbers
        line_numbers = n_lines + np.cumsum(has_words)  # of the next line with words
        empty_lines = np.flatnonzero(is_empty)
        document_ends = line_numbers[empty_lines]
        has_lines = _steps(document_ends, self._last_document_end) > 0
        document_ends = document_ends[has_lines]
        if self._kept is not None:
            self._kept.add(self._n_newlines + empty_lines[has_lines])
        if len(document_ends):
            self._last_document_end = int(document_ends[-1])
            n_ended = self._last_document_end - n_lines  # lines of this block that stand before its last document's end
            self._document_start = int(line_ends[n_ended - 1]) if n_ended else self._last_line_end
        if len(line_ends):
            self._last_line_end = int(line_ends[-1])

        self._type_ids.extend(type_ids)
        self._line_ends.extend(line_ends)
        self._document_ends.extend(document_ends)
        self._n_newlines += len(n_words)
        if len(n_words):
            self._open_words, self._open_visible = 0, -int(split.visible_ends[-1])
        self._open_words += rest
        self._open_visible += split.n_visible
        return self.n_tokens

    def some_words(self) -> list[str]:
        """Words from all over what was read."""
        self._catch_up()
        return self._table.words_of(self._type_ids.some(_SAMPLED_WORDS))

    def _take_back(self) -> None:
        """Cuts off what earlier blocks gave of the line or document that has turned out to be a duplicate."""
        assert self._duplicates is not None
        if self._duplicates.are_documents:
            self._type_ids.cut(self._document_start)
            self._line_ends.cut(self._last_document_end)
            self._last_line_end = self._document_start
        else:
            self._type_ids.cut(self._last_line_end)
        if self._prunes is not None:
            self._prunes.cut(self.n_tokens)

    def _renumber(self, new_ids: npt.NDArray[np.int32]) -> None:
        """What is on disk has these new ids from now on; `_catch_up` writes them."""
        if not self.n_tokens:
            return
        if self._prunes is None:
            self._prunes = _Prunes(self._folder)
        self._prunes.add(self.n_tokens, new_ids)
        # Before a map there come at least half as many words as it has places. So a pass that waits until the maps are
        # longer than what it goes over costs no more than the reading did, and the file of maps stays no larger.
        if self._prunes.n_numbers > self.n_tokens:
            self._catch_up()

    def _catch_up(self) -> None:
        """Writes the ids of now; those of types that are no more are -1."""
        if self._prunes is not None:
            self._prunes.catch_up(self._type_ids)

    def finish(self, description: dict[str, Any]) -> None:
        """Writes what is known at the end alone: types, counts, and the description."""
        self._catch_up()
        n_pruned_types = self._table.n_pruned
        counts = self._counts()
        n_pruned_tokens = int(counts[-1])
        if n_pruned_types:
            # Types that were left in duplicates alone go, and so does the empty string, if it was a ready word.
            is_kept = (counts[:-1] > 0) & (np.diff(self._table.ends, prepend=0) > 0)
            others = int(counts[:-1][~is_kept].sum()) + n_pruned_tokens
            new_ids = np.append(self._table.keep(is_kept), np.int32(-1))  # the last place, which the id -1 names
            new_ids[new_ids < 0] = len(self._table)
            self._type_ids.change(new_ids.take)
            counts = np.append(counts[:-1][is_kept], others)
        type_ends = self._table.ends
        if counts[-1]:
            type_ends = np.append(type_ends, len(self._table.utf8))
        counts = counts[: len(type_ends)]
        self.close()
        (self._folder / _TYPES).write_bytes(self._table.utf8.data)
        (self._folder / _TYPE_ENDS).write_bytes(type_ends.astype("<i8", copy=False).data)
        (self._folder / _COUNTS).write_bytes(counts.astype("<i8", copy=False).data)
        told = {
            "format": FORMAT,
            "n_types": len(type_ends),
            "types_bytes": len(self._table.utf8),
            "n_tokens": self._type_ids.n_numbers,
            "n_lines": self._line_ends.n_numbers,
            "n_documents": self._document_ends.n_numbers,
            "n_duplicates": 0 if self._duplicates is None else self._duplicates.n_dropped,
            "n_pruned_types": n_pruned_types,
            "n_pruned_tokens": n_pruned_tokens,
            "fingerprint": _fingerprint(self._folder),
        }
        (self._folder / _DESCRIPTION).write_text(json.dumps(told | description, indent=1) + "\n", encoding="utf-8")

    def _counts(self) -> npt.NDArray[np.int64]:
        """(n_types + 1,) how often each type stands on disk; at the end, how many words have lost theirs."""
        if self._duplicates is None and not self._table.n_pruned:  # all that was met is there
            return np.append(self._table.counts, 0)
        counts = np.zeros(len(self._table) + 1, dtype=np.int64)
        for type_ids in self._type_ids.pieces():
            counts += np.bincount(type_ids + 1, minlength=len(counts))
        return np.roll(counts, -1)

    def close(self) -> None:
        for column in (self._type_ids, self._line_ends, self._document_ends):
            column.close()
        if self._prunes is not None:
            self._prunes.close()
        if self._kept is not None:
            self._kept.close()


class _Duplicates:
    """Which lines or documents have the same words as one before them."""

    def __init__(self, dropped: Literal["lines", "documents"]) -> None:
        from firth.counting import HashedSequences, HashSet

        self.are_documents = dropped == "documents"
        self.n_dropped = 0
        self._met = HashSet()
        self._lines = HashedSequences()
        self._documents = HashedSequences()
        self._n_open_lines = 0  # with words, of the document that is open

    def add(
        self, split: Split, has_words: npt.NDArray[np.bool_], is_empty: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[np.bool_], bool]:
        """(n_lines,) which lines stay; and whether what earlier blocks gave of the first duplicate goes with it.

        Args:
            split: A block.
            has_words: (n_lines,) which lines have words; the first may have them in earlier blocks.
            is_empty: (n_lines,) which lines end a document.
        """
        from firth.counting import word_hashes

        stays = np.ones(len(has_words), dtype=np.bool_)
        line_hashes = self._lines.add(word_hashes(split), split.line_ends)[has_words]
        if not self.are_documents:
            stays[has_words] = self._fresh(line_hashes)
            return stays, bool(len(stays)) and not stays[0]
        ends = np.cumsum(has_words, dtype=np.int64)[is_empty]  # in lines with words
        n_lines = _steps(ends)
        hashes = self._documents.add(line_hashes, ends)
        has_lines = n_lines > 0
        if len(ends):
            has_lines[0] |= self._n_open_lines > 0
            self._n_open_lines = 0
        rest = len(line_hashes) - int(n_lines.sum())
        self._n_open_lines += rest
        documents_stay = np.ones(len(ends), dtype=np.bool_)
        documents_stay[has_lines] = self._fresh(hashes[has_lines])
        stays[has_words] = np.repeat(np.append(documents_stay, True), np.append(n_lines, rest))
        return stays, bool(len(ends)) and not documents_stay[0]

    def _fresh(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        are_fresh = self._met.add(hashes)
        self.n_dropped += len(hashes) - int(np.count_nonzero(are_fresh))
        return are_fresh


class _Kept:
    """A file with what is kept with the documents, a line each."""

    def __init__(self, folder: Path, corpus: Corpus) -> None:
        self._file = (folder / _KEPT).open("w", encoding="utf-8", newline="\n")
        self._coming = corpus.kept  # grows while the blocks are read
        self._line = json.dumps([None] * len(corpus.kept_names)) + "\n"

    def add(self, newlines: npt.NDArray[np.int64]) -> None:
        """Writes the values of documents, each given by how many newlines stand before the empty line that ends it."""
        for number in newlines.tolist():
            while self._coming and self._coming[0][0] <= number:
                self._line = json.dumps(self._coming.popleft()[1]) + "\n"
            self._file.write(self._line)

    def close(self) -> None:
        self._file.close()


def _trim() -> None:
    """Has the C library give free memory back: the arrays of thousands of blocks leave ever more holes in glibc's."""
    if sys.platform == "linux" and (malloc_trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        malloc_trim(0)


def _steps(numbers: npt.NDArray[np.int64], before: int = 0) -> npt.NDArray[np.int64]:
    """(n,) how much each number is above the one before it."""
    steps = numbers.copy()
    steps[1:] -= numbers[:-1]
    steps[:1] -= before
    return steps


def _fingerprint(folder: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in (_TYPES, _TYPE_ENDS, _TYPE_IDS, _LINE_ENDS, _DOCUMENT_ENDS):
        digest.update((folder / name).stat().st_size.to_bytes(8, "little"))
        with (folder / name).open("rb") as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
    return digest.hexdigest()


def _mapped(path: Path, dtype: str, length: int) -> npt.NDArray[Any]:
    n_bytes = length * np.dtype(dtype).itemsize
    if path.stat().st_size != n_bytes:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes instead of {n_bytes:,}")
    if not length:
        return np.empty(0, dtype)  # nothing can be mapped there
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
