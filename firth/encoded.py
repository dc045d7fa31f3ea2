"""A corpus as the ids of pieces on disk: encoded once, then mapped into memory."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Literal, Self, TextIO

import numpy as np
import numpy.typing as npt

from firth.corpus import Corpus
from firth.errors import FirthError, UsageError
from firth.files import appearing, lock, printable, without_folders
from firth.lookup import Found, Lookup
from firth.pieces import Pieces
from firth.segmentation import Segmentation

Progress = Callable[[int, int | None, int], None]
"""Called after each block with the bytes done, the bytes in all (None: not known), and the pieces so far."""

FORMAT: Final = 1
_DESCRIPTION: Final = "pieces.json"
_IDS: Final = "ids"
_SENTENCE_ENDS: Final = "sentence_ends.i64"
_DOCUMENT_ENDS: Final = "document_ends.i64"
_WORD_STARTS: Final = "word_starts.u1"
_MET: Final = "met.u8"  # digests of what duplicates are told by, while the encoding is unfinished
_MANIFEST: Final = "parts.jsonl"
_OF_PIECES: Final = ("n_entries", "pad", "unk", "cls", "sep", "mask", "end", "special_ids")
_LONGEST_LINE: Final = 1 << 20
_READ_BYTES: Final = 1 << 20
_PART_TOKENS: Final = 1 << 22  # after so many more, what is there is written down as a part


class EncodedPieces:
    """The pieces of a corpus, mapped into memory from a folder that `encode_pieces` wrote.

    Sentences without pieces are left out, and so are documents without sentences.

    Attributes:
        folder: where it lies.
        ids: (n_tokens,) uint16 or uint32, the pieces of the corpus in order; with `byte_bpe`, a document ends with the
            piece <|endoftext|>, and a sentence that is not its first begins with the line end or space before it.
        sentence_ends: (n_sentences,) int64, the position just behind each sentence's last piece.
        document_ends: (n_documents,) int64, the number of the sentence just behind each document's last one.
        word_starts: (n_tokens,) bool, whether a word begins with the piece; None where that was not asked for.
        n_unknown: how many pieces stand for text that the vocabulary does not have.
        digest: of the pieces it was encoded by.
        n_entries: how many ids there are; this and what follows is as in these `Pieces`.
        pad: the id of [PAD].
        unk: of [UNK] or <unk>.
        cls: of [CLS].
        sep: of [SEP].
        mask: of [MASK].
        end: of <|endoftext|>.
        special_ids: all ids that stand for no text.
        n_duplicates: how many lines or documents were left out because they had been met before.
        fingerprint: a hash of all of this, in hexadecimal.
        remarks: what the user should hear of how the corpus was read, a sentence each.
    """

    def __init__(self, folder: Path | str) -> None:
        """Opens `folder`.

        Raises:
            FirthError: it holds no encoded pieces, or not all of them.
        """
        self.folder = folder = Path(folder)
        try:
            told = json.loads((folder / _DESCRIPTION).read_bytes())
            if told["format"] != FORMAT:
                raise FirthError(f"{printable(str(folder))} was encoded by another version of firth; encode again")
            if told["dtype"] not in ("<u2", "<u4"):
                raise ValueError(f"ids of type {printable(str(told['dtype']))}")
            self.ids: npt.NDArray[Any] = _mapped(folder / _IDS, told["dtype"], told["n_tokens"])
            self.sentence_ends: npt.NDArray[np.int64] = _mapped(folder / _SENTENCE_ENDS, "<i8", told["n_sentences"])
            self.document_ends: npt.NDArray[np.int64] = _mapped(folder / _DOCUMENT_ENDS, "<i8", told["n_documents"])
            self.word_starts: npt.NDArray[np.bool_] | None = None
            if told["has_word_starts"]:
                self.word_starts = _mapped(folder / _WORD_STARTS, "?", told["n_tokens"])
            self.n_unknown: int = told["n_unknown"]
            self.digest: str = told["digest"]
            self.n_entries: int = told["n_entries"]
            self.pad: int | None = told["pad"]
            self.unk: int | None = told["unk"]
            self.cls: int | None = told["cls"]
            self.sep: int | None = told["sep"]
            self.mask: int | None = told["mask"]
            self.end: int | None = told["end"]
            self.special_ids = tuple(told["special_ids"])
            self.n_duplicates: int = told["n_duplicates"]
            self.fingerprint: str = told["fingerprint"]
            self.remarks: list[str] = told["remarks"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FirthError(f"{printable(str(folder))} holds no whole encoded pieces: {error}") from None

    @property
    def n_tokens(self) -> int:
        """How many pieces the corpus has."""
        return len(self.ids)

    @property
    def n_sentences(self) -> int:
        """How many sentences with pieces it has."""
        return len(self.sentence_ends)

    @property
    def n_documents(self) -> int:
        """How many documents with pieces it has."""
        return len(self.document_ends)

    @property
    def unknown_share(self) -> float:
        """Which part of the pieces stands for text that the vocabulary does not have."""
        return self.n_unknown / max(1, self.n_tokens)

    def described(self) -> dict[str, Any]:
        """What the record of a model says of it; of folders it says nothing."""
        return {
            "fingerprint": self.fingerprint,
            "n_tokens": self.n_tokens,
            "n_sentences": self.n_sentences,
            "n_documents": self.n_documents,
            "unknown_share": self.unknown_share,
            "remarks": without_folders(self.remarks),
        }

    def close(self) -> None:
        """Lets go of the mapped files, which some systems neither rename nor delete before."""
        self.ids = np.empty(0, dtype=np.uint16)
        self.sentence_ends = np.empty(0, dtype=np.int64)
        self.document_ends = np.empty(0, dtype=np.int64)
        self.word_starts = None

    def __enter__(self) -> Self:
        """The pieces themselves; they are closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes them."""
        self.close()


def encode_pieces(
    corpus: Corpus,
    pieces: Pieces,
    folder: Path | str,
    *,
    words: Segmentation | None = None,
    drop_duplicates: Literal["no", "lines", "documents"] = "no",
    progress: Progress | None = None,
    parts: Path | None = None,
    say: Callable[[str], object] = lambda line: None,
) -> EncodedPieces:
    """`corpus`, read to its end, as pieces in `folder`; a line is a sentence.

    In memory are only a block of the corpus, the pieces of the stretches met last, and, where duplicates are dropped,
    64 bits for each line or document. A line of more than a million characters is cut where the corpus cuts it.

    Args:
        corpus: what `firth.corpus.read` returned, not yet read or to be read again.
        pieces: what encodes.
        folder: a directory that does not exist, or is empty. It appears whole or not at all.
        words: whose words are written down beside the pieces, to be masked as wholes: those of the tokenizer, which
            sets punctuation apart, and of Han characters those of this segmentation; None: none are.
        drop_duplicates: leave out lines or documents that have been met before.
        progress: called after each block.
        parts: a directory beside `folder` for what is unfinished, the same for every encoding of this corpus alike.
            What a process that was killed or interrupted left there is gone on with: it reads the text again, which
            must be the same, but encodes only what is new. Where another process is at it, or for None, the encoding
            begins at the beginning, and nothing stays of one that fails.
        say: called with a line that tells of such a resumption.

    Raises:
        FirthError: the corpus has no text or cannot be read, or the folder cannot be written (disk full).
        UsageError: the folder holds something.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{printable(str(folder))} exists already; the encoded pieces need a new place")
    with _working(folder, parts) as (place, manifest):
        kept = None
        if manifest is not None:
            kept = manifest.last({"pieces": pieces.digest, "words": words is not None, "drops": drop_duplicates})
        text = hashlib.blake2b(digest_size=16)
        blocks = _texts(corpus)
        if kept is not None:
            for block in islice(blocks, kept["n_blocks"]):
                text.update(block.encode("utf-8", "surrogatepass"))
                if progress is not None:
                    progress(corpus.done_bytes, corpus.total_bytes, kept["store"][0])
            if text.hexdigest() == kept["text"]:
                say(f"an encoding that was broken off is gone on with: {kept['store'][0]:,} pieces are there")
            else:
                kept, text, blocks = None, hashlib.blake2b(digest_size=16), _texts(corpus)
        store = _Store(place, pieces, has_word_starts=words is not None, kept=kept)
        try:
            store.go_on()
            met = None if manifest is None else place / _MET
            encoder = _Encoder(store, Lookup(pieces, words), _separator(corpus, pieces), drop_duplicates, met, kept)
            next_part = store.n_tokens + _PART_TOKENS
            for number, block in enumerate(blocks, 1 if kept is None else kept["n_blocks"] + 1):
                encoder.add(block)
                if progress is not None:
                    progress(corpus.done_bytes, corpus.total_bytes, store.n_tokens)
                if manifest is not None:
                    text.update(block.encode("utf-8", "surrogatepass"))
                    if store.n_tokens >= next_part:
                        manifest.add({"n_blocks": number, "text": text.hexdigest()}, encoder.state(), store.state())
                        next_part = store.n_tokens + _PART_TOKENS
            encoder.end()
        finally:
            store.close()
        if not store.n_tokens:
            raise FirthError(f"{corpus.name}: there is no text in it")
        store.finish(encoder.n_duplicates, encoder.remarks(corpus, pieces))
    return EncodedPieces(folder)


def _texts(corpus: Corpus) -> Iterator[str]:
    """The blocks of the corpus, ready words joined by spaces."""
    try:
        for block in corpus.blocks():
            yield block if isinstance(block, str) else "".join(" ".join(line) + "\n" for line in block)
    except OSError as error:
        raise FirthError(f"cannot read {corpus.name}: {error}") from error


class _Manifest:
    """What is whole of an unfinished encoding, a line of JSON for each part, locked while a process is at it.

    A part's line tells where the encoder stood behind it, how long each file was, and a hash of what the part added to
    it, so that nothing is gone on with but what was written as it was meant.
    """

    def __init__(self, folder: Path, file: TextIO) -> None:
        self._folder = folder
        self._file = file
        self._sizes: dict[str, int] = {}

    @classmethod
    def claimed(cls, folder: Path) -> "_Manifest | None":
        """That of a folder, which is made if it is not there; None where another process is at it."""
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / _MANIFEST).open("a+", encoding="utf-8", newline="\n")
        with suppress(OSError):
            lock(file)
            if (folder / _MANIFEST).stat().st_ino == os.fstat(file.fileno()).st_ino:  # not deleted meanwhile
                return cls(folder, file)
        file.close()
        return None

    def last(self, about: Mapping[str, Any]) -> dict[str, Any] | None:
        """The state behind the last part up to which all are whole; what comes after it is forgotten."""
        about = {"format": FORMAT, **about}
        good: list[str] = []
        state = None
        with suppress(ValueError, KeyError, OSError):
            self._file.seek(0)
            lines = self._file.read().split("\n")
            if json.loads(lines[0]) == about:
                for line in lines[1:-1]:
                    told = json.loads(line)
                    if told["digests"] != self._digests(told["sizes"]):
                        break
                    self._sizes, state = told["sizes"], told
                    good.append(line)
        self._file.seek(0)
        self._file.truncate()
        self._file.write("\n".join([json.dumps(about), *good, ""]))
        self._file.flush()
        return state

    def add(self, text: Mapping[str, Any], encoder: Mapping[str, Any], store: Mapping[str, Any]) -> None:
        """Writes a part down: how much of the text was read, and where encoder and store stand behind it."""
        sizes = {**encoder["sizes"], **store["sizes"]}
        told = {**text, **encoder, **store, "sizes": sizes, "digests": self._digests(sizes)}
        self._file.write(json.dumps(told) + "\n")
        self._file.flush()
        self._sizes = sizes

    def _digests(self, sizes: Mapping[str, int]) -> dict[str, str]:
        """A hash of what each file has from the end of the part before on."""
        found = {}
        for name, size in sizes.items():
            digest = hashlib.blake2b(digest_size=16)
            with (self._folder / name).open("rb") as file:
                file.seek(self._sizes.get(name, 0))
                left = size - file.tell()
                while left > 0 and (piece := file.read(min(left, _READ_BYTES))):
                    digest.update(piece)
                    left -= len(piece)
            found[name] = digest.hexdigest() if not left else "too short"
        return found

    def close(self) -> None:
        """Lets another process go on."""
        self._file.close()


@contextmanager
def _working(folder: Path, parts: Path | None) -> Iterator[tuple[Path, _Manifest | None]]:
    """A directory that becomes `folder` when the block ends without an error: `parts`, or a new one."""
    place = f"cannot write the encoded pieces to {printable(str(folder))}"
    try:
        manifest = None if parts is None else _Manifest.claimed(parts)
        if parts is None or manifest is None:
            with appearing(folder) as new:
                yield new, None
            return
        try:
            yield parts, manifest
            manifest.close()
            for name in (_MANIFEST, _MET):
                (parts / name).unlink(missing_ok=True)
            if folder.is_dir():
                folder.rmdir()
            os.replace(parts, folder)
        except KeyboardInterrupt:
            manifest.close()
            raise
        except BaseException:
            manifest.close()
            shutil.rmtree(parts, ignore_errors=True)
            raise
    except OSError as error:
        raise FirthError(f"{place}: {error.strerror}") from error


def _separator(corpus: Corpus, pieces: Pieces) -> str:
    """What stands between two lines of a document, where pieces can tell."""
    if pieces.kind != "byte_bpe":
        return ""
    return " " if corpus.splits_sentences else "\n"


class _Encoder:
    """Finds the lines and documents of blocks, and writes their pieces to a store."""

    def __init__(
        self,
        store: "_Store",
        lookup: Lookup,
        separator: str,
        drop_duplicates: Literal["no", "lines", "documents"],
        met: Path | None,
        kept: Mapping[str, Any] | None,
    ) -> None:
        """At the beginning of the text, or where `kept` says; `met` is a file for what it must not forget, if any."""
        self._store = store
        self._lookup = lookup
        self._separator = separator
        self._drops = drop_duplicates
        self._met: set[bytes] = set()
        self._met_file = met
        self._met_since: list[bytes] = []  # since the last part
        self._document = b""  # a hash of the lines of the document that is open
        self._open = ""
        self.n_duplicates = 0
        if kept is not None:
            self._document = bytes.fromhex(kept["document"])
            self._open = kept["open"]
            self.n_duplicates = kept["n_duplicates"]
        if met is not None:
            with met.open("a+b") as file:
                file.truncate(0 if kept is None else kept["sizes"][_MET])
                file.seek(0)
                self._met.update(iter(partial(file.read, 8), b""))

    def state(self) -> dict[str, Any]:
        """Where the encoder stands, for a later process to go on from."""
        assert self._met_file is not None
        with self._met_file.open("ab") as file:
            file.write(b"".join(self._met_since))
            size = file.tell()
        self._met_since.clear()
        return {
            "document": self._document.hex(),
            "open": self._open,
            "n_duplicates": self.n_duplicates,
            "sizes": {_MET: size},
        }

    def add(self, text: str) -> None:
        """Adds a block; a line that it leaves open goes on in the next one."""
        *lines, rest = text.split("\n")
        if lines:
            lines[0] = self._open + lines[0]
            self._open = ""
        self._open += rest
        if len(self._open) > _LONGEST_LINE:
            lines.append(self._open)
            self._open = ""
        self._write(lines)

    def end(self) -> None:
        """Adds what is open still."""
        self._write([self._open, ""])

    def _write(self, lines: list[str]) -> None:
        stretches: list[str] = []
        texts: list[str] = []  # of the sentences
        sentences: list[int] = []  # where they end, in stretches
        documents: list[int] = []  # where they end, in sentences
        is_first = not self._store.has_open_document
        for line in lines:
            if not line or line.isspace():
                if self._closes(texts, stretches, sentences, documents):
                    documents.append(len(sentences))
                is_first = True
                continue
            line = line.rstrip()  # a sentence of a paragraph keeps the space behind it
            if self._drops != "no" and self._is_met(line):
                continue
            stretches += self._lookup.cut(line if is_first else self._separator + line)
            texts.append(line)
            sentences.append(len(stretches))
            is_first = False
        self._store.write(self._lookup.find(stretches, texts), sentences, documents)

    def _is_met(self, line: str) -> bool:
        """Whether a line is left out; where documents are to be compared, none is."""
        digest = hashlib.blake2b(line.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if self._drops == "documents":
            self._document = hashlib.blake2b(self._document + digest, digest_size=8).digest()
            return False
        return self._meet(digest)

    def _meet(self, digest: bytes) -> bool:
        """Whether it was met before; counts it then."""
        if digest in self._met:
            self.n_duplicates += 1
            return True
        self._met.add(digest)
        if self._met_file is not None:
            self._met_since.append(digest)
        return False

    def _closes(self, texts: list[str], stretches: list[str], sentences: list[int], documents: list[int]) -> bool:
        """Whether a document ends here that stays; one that was met before is taken back."""
        first = documents[-1] if documents else 0
        if len(sentences) == first and (documents or not self._store.has_open_document):
            return False
        if self._drops != "documents":
            return True
        digest, self._document = self._document, b""
        if not self._meet(digest):
            return True
        del stretches[sentences[first - 1] if first else 0 :]
        del texts[first:], sentences[first:]
        if not documents:
            self._store.take_back()
        return False

    def remarks(self, corpus: Corpus, pieces: Pieces) -> list[str]:
        """What the user should hear."""
        said = [corpus.layout_reason] if corpus.layout_reason else []
        said += corpus.faults.sentences()
        if self.n_duplicates:
            what = self._drops.removesuffix("" if self.n_duplicates > 1 else "s")
            said.append(f"{self.n_duplicates:,} {what} left out: they had been met before")
        share = self._store.n_unknown / max(1, self._store.n_tokens)
        if share >= 0.001:
            said.append(
                f"{share:.1%} of the pieces are {pieces.piece(pieces.unk or 0)}: text that the vocabulary does not "
                "have, of another script or in words of more than 100 characters"
            )
        return said


class _Store:
    """The files of encoded pieces, as they grow."""

    def __init__(
        self, folder: Path, pieces: Pieces, *, has_word_starts: bool, kept: Mapping[str, Any] | None = None
    ) -> None:
        """Empty files, or what `kept` says of those that are there."""
        self._folder = folder
        self._pieces = pieces
        self._dtype = "<u2" if pieces.size <= 1 << 16 else "<u4"
        self._has_word_starts = has_word_starts
        self._files: dict[str, BinaryIO] = {
            name: (folder / name).open("w+b") if kept is None else (folder / name).open("r+b") for name in self._names()
        }
        self.n_tokens = 0
        self.n_unknown = 0
        self._n_sentences = 0
        self._n_documents = 0
        self._document_start = (0, 0, 0)  # tokens, sentences, unknown pieces where the open document begins
        if kept is not None:
            self.n_tokens, self.n_unknown, self._n_sentences, self._n_documents = kept["store"]
            start = kept["document_start"]
            self._document_start = (start[0], start[1], start[2])
            for name, file in self._files.items():
                file.seek(kept["sizes"][name])
                file.truncate()

    def go_on(self) -> None:
        """Writes what a part leaves out: where its last sentence ends."""
        if self._n_sentences:
            self._append(_SENTENCE_ENDS, np.asarray([self.n_tokens]), "<i8")

    def state(self) -> dict[str, Any]:
        """Where the files stand, for a later process to go on from.

        The end of the last sentence does not count as written: it is where the pieces end, and grows where its document
        is closed by a piece.
        """
        sizes = {}
        for name, file in self._files.items():
            file.flush()
            sizes[name] = file.seek(0, os.SEEK_END)
        sizes[_SENTENCE_ENDS] = 8 * max(0, self._n_sentences - 1)
        return {
            "store": [self.n_tokens, self.n_unknown, self._n_sentences, self._n_documents],
            "document_start": list(self._document_start),
            "sizes": sizes,
        }

    def _names(self) -> list[str]:
        names = [_IDS, _SENTENCE_ENDS, _DOCUMENT_ENDS]
        return [*names, _WORD_STARTS] if self._has_word_starts else names

    @property
    def has_open_document(self) -> bool:
        """Whether there are sentences behind the last document's end."""
        return self._n_sentences > self._document_start[1]

    def write(self, found: Found, sentences: list[int], documents: list[int]) -> None:
        """Appends sentences that end at these stretches, and documents that end at these sentences."""
        ends = np.concatenate([[0], np.cumsum(found.lengths)])[np.asarray(sentences, np.int64)]
        has_pieces = np.diff(ends, prepend=0) > 0
        n_sentences = np.concatenate([[0], np.cumsum(has_pieces)])[np.asarray(documents, np.int64)]
        ends = ends[has_pieces]
        is_document = np.diff(n_sentences, prepend=0) > 0
        if len(n_sentences):
            is_document[0] |= self.has_open_document
        n_sentences = n_sentences[is_document]
        ids, are_starts = found.ids, found.are_starts
        if self._pieces.end is not None and len(n_sentences):
            ids, are_starts, ends = self._ended(ids, are_starts, ends, n_sentences)
        if self._pieces.unk is not None:
            are_unknown = ids == self._pieces.unk
            n_unknown = int(np.count_nonzero(are_unknown))
        else:
            n_unknown = 0
        self._append(_IDS, ids, self._dtype)
        self._append(_SENTENCE_ENDS, self.n_tokens + ends, "<i8")
        self._append(_DOCUMENT_ENDS, self._n_sentences + n_sentences, "<i8")
        if self._has_word_starts:
            self._append(_WORD_STARTS, are_starts, "?")
        if len(n_sentences):
            last = int(n_sentences[-1])
            position = int(ends[last - 1]) if last else int(self._pieces.end is not None)
            unknown = 0 if self._pieces.unk is None else int(np.count_nonzero(are_unknown[:position]))
            self._document_start = (self.n_tokens + position, self._n_sentences + last, self.n_unknown + unknown)
        self.n_tokens += len(ids)
        self.n_unknown += n_unknown
        self._n_sentences += len(ends)
        self._n_documents += len(n_sentences)

    def _ended(
        self,
        ids: npt.NDArray[np.uint32],
        are_starts: npt.NDArray[np.bool_],
        ends: npt.NDArray[np.int64],
        documents: npt.NDArray[np.int64],
    ) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
        """The same with a piece more at the end of each document, which belongs to its last sentence."""
        assert self._pieces.end is not None
        if documents[0] == 0:  # the sentence is on disk already
            self._files[_SENTENCE_ENDS].seek(8 * (self._n_sentences - 1))
            self._append(_SENTENCE_ENDS, np.asarray([self.n_tokens + 1]), "<i8")
        places = np.concatenate([[0], ends])[documents]
        ids = np.insert(ids, places, self._pieces.end)
        if self._has_word_starts:
            are_starts = np.insert(are_starts, places, True)
        shifts = np.searchsorted(documents, np.arange(1, len(ends) + 1), side="right")
        return ids, are_starts, ends + shifts

    def take_back(self) -> None:
        """Cuts off what was written of the document that is open."""
        self.n_tokens, self._n_sentences, self.n_unknown = self._document_start
        for name, n_bytes in (
            (_IDS, self.n_tokens * np.dtype(self._dtype).itemsize),
            (_SENTENCE_ENDS, 8 * self._n_sentences),
            (_WORD_STARTS, self.n_tokens),
        ):
            if name in self._files:
                self._files[name].seek(n_bytes)
                self._files[name].truncate()

    def _append(self, name: str, numbers: npt.NDArray[Any], dtype: str) -> None:
        self._files[name].write(np.ascontiguousarray(numbers, dtype).data)

    def finish(self, n_duplicates: int, remarks: list[str]) -> None:
        """Writes the description."""
        digest = hashlib.blake2b(self._pieces.digest.encode(), digest_size=16)
        for name in self._names():
            digest.update((self._folder / name).stat().st_size.to_bytes(8, "little"))
            with (self._folder / name).open("rb") as file:
                while piece := file.read(_READ_BYTES):
                    digest.update(piece)
        told = {
            "format": FORMAT,
            "dtype": self._dtype,
            "n_tokens": self.n_tokens,
            "n_sentences": self._n_sentences,
            "n_documents": self._n_documents,
            "has_word_starts": self._has_word_starts,
            "n_unknown": self.n_unknown,
            "n_duplicates": n_duplicates,
            "remarks": remarks,
            "digest": self._pieces.digest,
            **{name: getattr(self._pieces, name) for name in _OF_PIECES},
            "fingerprint": digest.hexdigest(),
        }
        (self._folder / _DESCRIPTION).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            file.close()


def _mapped(path: Path, dtype: str, length: int) -> npt.NDArray[Any]:
    n_bytes = length * np.dtype(dtype).itemsize
    if path.stat().st_size != n_bytes:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes instead of {n_bytes:,}")
    return np.memmap(path, dtype=dtype, mode="r", shape=(length,)) if length else np.empty(0, dtype)
