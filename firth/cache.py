"""Encoded corpora and trained tokenizers kept between runs: the same text, prepared alike, is read once.

An entry is a directory under the cache's place, named by a hash of what it was made from: the files' paths, sizes and
times, the preparation, the versions of what cuts text. It is written beside and renamed, so that it is there whole or
not at all; where two processes make the same one, the first to end wins and the other uses it. While a process is at
something unfinished it holds a lock on a file in it, which the system frees when the process ends, however it does.
"""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any, Final, Literal, TypeVar

from firth import encoded as pieced
from firth.corpus import BLOCK_CHARACTERS, Corpus, LongestLine
from firth.encoded import EncodedPieces, encode_pieces
from firth.errors import FirthError
from firth.files import lock, printable
from firth.layout import Joined
from firth.phrases import Phrases
from firth.pieces import Pieces, PieceSettings, train_pieces, with_words
from firth.preparation import Preparation
from firth.progress import Advance, Progress, Silent
from firth.segmentation import Segmentation
from firth.tokens import FORMAT, EncodedCorpus, encode

_ABOUT: Final = "about.json"
_STORE: Final = "encoded"
_PIECES: Final = "pieces"
_TOKENIZER: Final = "tokenizer"
_FEATURES: Final = "features"
_WHAT: Final[dict[str, "What"]] = {
    _STORE: "words",
    _PIECES: "pieces",
    _TOKENIZER: "tokenizer",
    _FEATURES: "features",
}
_SETS: Final = ("sets", "fetched.json")  # the folder of `firth.sets`, and what is in those of whole sets
_DEMO: Final = ("demo", "firth.json")  # the folder of models of `firth demo`
_SPOOLED: Final = "text.txt"
_UNFINISHED: Final = ".unfinished-"
_WHOLE: Final = "whole"  # what becomes an entry, beside the lock
_LOCK: Final = "lock"
_LOCKS: Final = (_LOCK, "parts.jsonl")  # the second where `encoded.encode_pieces` is at it
_NAME: Final = re.compile(r"[0-9a-f]{32}")  # of an entry
_UNFINISHED_NAME: Final = re.compile(rf"{re.escape(_UNFINISHED)}([0-9a-f]{{32}}|(check-)?[a-z0-9_]{{8}})")
_SECONDS_TILL_ABANDONED: Final = 24 * 3600.0
"""What is unfinished and nothing was written to for so long is nobody's, if no lock tells."""


What = Literal["words", "pieces", "tokenizer", "features", "set", "demo", "unfinished", "in use"]
Kept = TypeVar("Kept")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An encoded corpus in the cache, a tokenizer that was learnt from one, or something unfinished.

    Attributes:
        folder: Its directory.
        what: `words` or `pieces` of a corpus; a `tokenizer`; `features`, vectors of a task's examples; an evaluation
            `set` that was fetched; a model of the `demo`. `in use` is
            what a process is writing or reads until it ends, `unfinished` what one left that was killed or
            interrupted.
        sources: What it was made from, as messages call it; empty where that is not known.
        n_tokens: Words, or pieces; of a tokenizer, its entries; 0 where it is not finished.
        n_bytes: On disk.
        seconds_unused: Since it was written or used last.
    """

    folder: Path
    what: What
    sources: str
    n_tokens: int
    n_bytes: int
    seconds_unused: float


def place(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """The directory of the cache: `cache_dir`, or the user's own place for such things on this system."""
    if cache_dir is not None:
        return Path(cache_dir).absolute()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        return base / "firth" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "firth"
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "firth"


@contextmanager
def encoded(
    corpus: Corpus,
    segmentation: Segmentation | None,
    preparation: Preparation,
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[EncodedCorpus]:
    """`corpus` as integers, for as long as the block lasts: from the cache, or read now and kept there.

    With phrases there are two entries: the words as they are found, which serve any phrases, and those with the phrases
    joined. What comes from Python or standard input has no identity to be known again by: it is encoded into the same
    place and deleted when the block ends.

    Args:
        corpus: Not yet read.
        segmentation: How text becomes words; None: as the preparation says. Of ready words, its phrases alone count.
        preparation: All else that decides what is encoded.
        cache_dir: The cache's place.
        progress: Shows how far the reading is, and where the entry lies.

    Raises:
        FirthError: the corpus or the phrases cannot be read, or the cache not written to.
    """
    progress = progress or Silent()
    phrases = None
    asked = preparation
    if segmentation is not None:
        phrases = segmentation.phrases
        segmentation = None if corpus.has_ready_words else replace(segmentation, phrases=None)
    elif preparation.phrases is not None:
        phrases = Phrases.read(preparation.phrases)
    preparation = replace(preparation, phrases=None)
    with _place_to_write(cache_dir, corpus.name) as (folder, unfinished):
        identity = corpus.identity()
        store = entry = None
        if identity is not None:
            entry = folder / _key(identity, None, preparation, corpus)
            store = _opened(entry, _STORE, EncodedCorpus)
            if segmentation is not None and (store is None or store.segmentation != segmentation):
                entry = folder / _key(identity, segmentation, preparation, corpus)
                store = _opened(entry, _STORE, EncodedCorpus)
        if store is not None and entry is not None:
            progress.say(f"the corpus was read before: {_said(entry)}")
        else:
            store = _read(corpus, segmentation, preparation, unfinished() / _STORE, progress)
            if entry is not None:
                about = {"sources": corpus.name, "n_tokens": store.n_tokens}
                store.close()  # some systems do not rename what is mapped
                store = _kept(about, unfinished(), entry, _STORE, EncodedCorpus)
                progress.say(f"the encoded corpus is kept for later runs: {_said(entry)}")
        if phrases is not None:
            if segmentation is None and not corpus.has_ready_words:  # those of a model were written so already
                phrases = phrases.normalized(store.segmentation.normalize)
            with store:
                key = None
                if identity is not None and entry is not None:
                    told = {"words": entry.name, "phrases": phrases.hash}
                    key = folder / _key(identity, segmentation, asked, corpus, told)
                store = _with_phrases(store, phrases, asked, corpus.name, key, unfinished, progress)
        with store:
            yield store


def _with_phrases(
    store: EncodedCorpus,
    phrases: Phrases,
    preparation: Preparation,
    sources: str,
    entry: Path | None,
    unfinished: Callable[[], Path],
    progress: Progress,
) -> EncodedCorpus:
    """`store` with its phrases joined, from the cache, or joined now and kept there, if there is an entry for it."""
    if entry is not None and (kept := _opened(entry, _STORE, EncodedCorpus)) is not None:
        progress.say(f"its phrases were joined before: {_said(entry)}")
        return kept
    from firth.joining import join  # loads the compiler, which what was joined before does not need

    joining = unfinished() / "joined"
    joining.mkdir(parents=True)
    with progress.stage("joining phrases") as advance:
        joined = join(
            store,
            phrases,
            joining / _STORE,
            preparation=preparation,
            progress=lambda done, total, n_tokens: advance(done / total if total else None, n_tokens),
        )
    if entry is None:
        return joined
    about = {"sources": sources, "n_tokens": joined.n_tokens}
    joined.close()  # some systems do not rename what is mapped
    joined = _kept(about, joining, entry, _STORE, EncodedCorpus)
    progress.say(f"the corpus with its phrases joined is kept for later runs: {_said(entry)}")
    return joined


@contextmanager
def encoded_pieces(
    corpus: Corpus,
    pieces: Pieces | PieceSettings,
    preparation: Preparation,
    *,
    words: Segmentation | None = None,
    add_words: int = 0,
    added_words: Segmentation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[EncodedPieces, Pieces]]:
    """`corpus` as pieces, and what they were made by, for as long as the block lasts: from the cache, or made now.

    What is read from standard input or given by Python is written to the cache's place first, as it may be read twice,
    and all of it is deleted when the block ends.

    Args:
        corpus: Not yet read.
        pieces: What encodes; or how to learn it from the corpus.
        preparation: What the corpus was read with.
        words: Whose words are written down beside the pieces; see `firth.encoded.encode_pieces`.
        add_words: How many of the corpus' frequent words become pieces of their own; see `firth.pieces.with_words`.
        added_words: Whose words these are in Chinese text.
        cache_dir: The cache's place.
        progress: Shows how far the work is, and where the entries lie.

    Raises:
        FirthError: the corpus cannot be read, or the cache not written to.
    """
    progress = progress or Silent()
    with _place_to_write(cache_dir, corpus.name) as (folder, unfinished):
        identity = corpus.identity()
        if identity is None and (isinstance(pieces, PieceSettings) or add_words):
            corpus = _Spooled(corpus, unfinished() / _SPOOLED, progress)
        pieces = _learnt(corpus, identity, pieces, add_words, added_words, preparation, folder, unfinished, progress)
        store = entry = None
        if identity is not None:
            told = {"pieces": pieces.digest, "words": None if words is None else words.settings()}
            entry = folder / _key(identity, None, preparation, corpus, told | {"pieces format": pieced.FORMAT})
            store = _opened(entry, _PIECES, EncodedPieces)
        if store is not None and entry is not None:
            progress.say(f"the corpus was encoded before: {_said(entry)}")
        else:
            with progress.stage("encoding") as advance:
                store = encode_pieces(
                    corpus,
                    pieces,
                    unfinished() / _PIECES,
                    words=words,
                    drop_duplicates=preparation.drop_duplicates,
                    progress=lambda done, total, n_tokens: advance(
                        done / total if total else None, 0, f"{n_tokens:,} pieces"
                    ),
                    parts=None if entry is None else entry.with_name(f"{_UNFINISHED}{entry.name}"),
                    say=progress.say,
                )
            if entry is not None:
                about = {"sources": corpus.name, "n_tokens": store.n_tokens}
                store.close()  # some systems do not rename what is mapped
                store = _kept(about, unfinished(), entry, _PIECES, EncodedPieces)
                progress.say(f"the encoded corpus is kept for later runs: {_said(entry)}")
        with store:
            yield store, pieces


def _learnt(
    corpus: Corpus,
    identity: list[Any] | None,
    pieces: Pieces | PieceSettings,
    add_words: int,
    added_words: Segmentation | None,
    preparation: Preparation,
    folder: Path,
    unfinished: Callable[[], Path],
    progress: Progress,
) -> Pieces:
    """The pieces to encode by: those given, from the cache, or learnt now and kept there."""
    if isinstance(pieces, Pieces) and not add_words:
        return pieces
    entry = None
    if identity is not None:
        told = asdict(pieces) if isinstance(pieces, PieceSettings) else {"pieces": pieces.digest}
        entry = folder / _key(identity, added_words, preparation, corpus, told | {"add_words": add_words})
        if (kept := _opened(entry, _TOKENIZER, Pieces.read)) is not None:
            progress.say(f"the vocabulary was learnt before: {_said(entry)}")
            return replace(kept, remarks=tuple(json.loads((entry / _ABOUT).read_bytes()).get("remarks", ())))
    with progress.stage("learning the vocabulary") as advance:
        if isinstance(pieces, PieceSettings):
            pieces = train_pieces(_told(corpus, advance), **asdict(pieces))
        if add_words:
            pieces = with_words(pieces, _told(corpus, advance), add_words, segmentation=added_words)
    if entry is None:
        return pieces
    about = {"sources": corpus.name, "n_tokens": pieces.n_entries, "remarks": pieces.remarks}
    learning = unfinished() / "learnt"
    (learning / _TOKENIZER).mkdir(parents=True)
    pieces.write(learning / _TOKENIZER)
    kept = _kept(about, learning, entry, _TOKENIZER, Pieces.read)
    progress.say(f"the vocabulary is kept for later runs: {_said(entry)}")
    return replace(kept, remarks=pieces.remarks)


def _told(corpus: Corpus, advance: Advance) -> Iterator[str]:
    """The text of the corpus, its progress told."""
    for block in corpus.blocks():
        yield block if isinstance(block, str) else "\n".join(map(" ".join, block))
        advance(corpus.done_bytes / corpus.total_bytes if corpus.total_bytes else None, 0)


class _Spooled(Corpus):
    """A corpus that can be read once, written to a file from which it can be read again."""

    has_ready_words = False
    kept_names = ()
    total_bytes = 0  # characters, as those done
    done_bytes = 0

    def __init__(self, corpus: Corpus, path: Path, progress: Progress) -> None:
        """Reads `corpus` to its end into the file at `path`."""
        self._corpus = corpus
        self._path = path
        self.name = corpus.name
        self.splits_sentences = corpus.splits_sentences
        self.kept = corpus.kept
        self.faults = corpus.faults
        self._layout, self._layout_reason = corpus.layout, corpus.layout_reason
        try:
            with progress.stage("reading") as advance, path.open("w", encoding="utf-8", newline="") as file:
                for block in corpus.blocks():
                    text = block if isinstance(block, str) else "".join(" ".join(line) + "\n" for line in block)
                    self.total_bytes += file.write(text)
                    advance(None, 0)
        except OSError as error:
            place = printable(str(path.parent))
            raise FirthError(
                f"cannot keep {corpus.name} in {place} to read it twice: {error.strerror}; --cache-dir names another"
            ) from error

    @property
    def layout(self) -> Joined:
        return self._layout

    @property
    def layout_reason(self) -> str:
        return self._layout_reason

    @property
    def lang(self) -> str:
        return self._corpus.lang

    @property
    def longest_line(self) -> LongestLine:
        return self._corpus.longest_line

    def samples(self) -> list[str]:
        with self._path.open(encoding="utf-8", newline="") as file:
            return [file.read(1 << 20)]

    def blocks(self) -> Iterator[str]:
        with self._path.open(encoding="utf-8", newline="") as file:
            self.done_bytes = 0
            while block := file.read(BLOCK_CHARACTERS):
                self.done_bytes += len(block)
                yield block

    def identity(self) -> None:
        return None


@contextmanager
def scratch(what: str, *, cache_dir: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """A new directory in the cache's place, which goes when the block ends.

    Args:
        what: Whom it is for, as `firth cache` says it.
        cache_dir: The cache's place.

    Raises:
        FirthError: the cache cannot be written to.
    """
    with _place_to_write(cache_dir, what) as (_, unfinished):
        yield unfinished()


def features(
    told: Mapping[str, Any],
    sources: str,
    n_rows: int,
    make: Callable[[Path], None],
    opened: Callable[[Path], Kept],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Kept:
    """What `opened` makes of a folder that `make` has filled: one from the cache, or one that is filled now.

    Args:
        told: What it is made from and how, as JSON; equal where the same would be made.
        sources: What messages call that.
        n_rows: How many vectors there are.
        make: Fills a new folder.
        opened: Opens it; a FirthError says that it is damaged, and it is made again.
        cache_dir: The cache's place.

    Raises:
        FirthError: the cache cannot be written to.
    """
    key = hashlib.sha256(json.dumps({"format": FORMAT, **told}, sort_keys=True).encode()).hexdigest()[:32]
    with _place_to_write(cache_dir, sources) as (folder, unfinished):
        entry = folder / key
        found = _opened(entry, _FEATURES, opened)
        if found is not None:
            return found
        (unfinished() / _FEATURES).mkdir()
        try:
            make(unfinished() / _FEATURES)
        except OSError as error:
            raise FirthError(f"cannot write to the cache {printable(str(folder))}: {error.strerror}") from error
        return _kept({"sources": sources, "n_tokens": n_rows}, unfinished(), entry, _FEATURES, opened)


@contextmanager
def _place_to_write(
    cache_dir: str | os.PathLike[str] | None, sources: str
) -> Iterator[tuple[Path, Callable[[], Path]]]:
    """The cache's directory; and a new one in it, which goes when the block ends.

    The latter is made when it is first asked for: what lies in a cache that may not be written to can be read.
    """
    folder = place(cache_dir)
    made: list[tuple[Path, IO[str] | None]] = []

    def unfinished() -> Path:
        try:
            if not made:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                new = Path(tempfile.mkdtemp(dir=folder, prefix=_UNFINISHED))
                made.append((new, None))
                made[0] = new, _held_lock(new / _LOCK, sources)
                (new / _WHOLE).mkdir()
        except OSError as error:
            shown = printable(str(folder))
            raise FirthError(
                f"cannot write to the cache {shown}: {error.strerror}; --cache-dir names another"
            ) from error
        return made[0][0] / _WHOLE

    for left in _unfinished(folder):
        is_gone_on_with = _NAME.fullmatch(left.name.removeprefix(_UNFINISHED)) is not None  # by the same command
        if _is_abandoned(left, at_once=not is_gone_on_with):
            shutil.rmtree(left, ignore_errors=True)
    try:
        yield folder, unfinished
    finally:
        for path, lock in made:
            if lock is not None and sys.platform == "win32":  # there nothing is deleted that is open
                lock.close()
            shutil.rmtree(path, ignore_errors=True)
            if lock is not None:
                lock.close()


def entries(cache_dir: str | os.PathLike[str] | None = None) -> list[Entry]:
    """What is in the cache, what was used last first; then what is unfinished."""
    found = []
    for folder in _folders(place(cache_dir)):
        with suppress(OSError, ValueError, KeyError):
            about = folder / _ABOUT
            told = json.loads(about.read_bytes())
            found.append(
                Entry(
                    folder=folder,
                    what=next(_WHAT[name] for name in _WHAT if (folder / name).is_dir()),
                    sources=str(told["sources"]),
                    n_tokens=int(told["n_tokens"]),
                    n_bytes=_n_bytes(folder),
                    seconds_unused=max(0.0, time.time() - about.stat().st_mtime),
                )
            )
    for what, folder, about in _others(place(cache_dir)):
        with suppress(OSError):
            unused = max(0.0, time.time() - about.stat().st_mtime)
            found.append(
                Entry(
                    folder=folder,
                    what=what,
                    sources=folder.name,
                    n_tokens=0,
                    n_bytes=_n_bytes(folder),
                    seconds_unused=unused,
                )
            )
    unfinished = [
        Entry(
            folder=folder,
            what="in use" if _is_in_use(folder) else "unfinished",
            sources=_sources_of(folder),
            n_tokens=0,
            n_bytes=_n_bytes(folder),
            seconds_unused=max(0.0, _seconds_unchanged(folder)),
        )
        for folder in _unfinished(place(cache_dir))
    ]
    found.sort(key=lambda entry: entry.seconds_unused)
    return found + sorted(unfinished, key=lambda entry: entry.seconds_unused)


def clear(cache_dir: str | os.PathLike[str] | None = None, *, say: Callable[[str], object] = lambda line: None) -> int:
    """Deletes what is kept, and what processes left that are no more; how many bytes.

    Nothing else in the directory is touched. A run that uses an entry goes on where the system lets mapped files be
    deleted; elsewhere that entry stays. What a process is at stays, and so does, for a day, what no lock tells of.

    Args:
        cache_dir: The cache's place.
        say: Called with a line for each directory that is unfinished and stays.

    Raises:
        FirthError: an entry could not be deleted.
    """
    folder = place(cache_dir)
    n_bytes = 0
    unfinished = _unfinished(folder)
    abandoned = [left for left in unfinished if _is_abandoned(left, at_once=True)]
    for left in unfinished:
        if left not in abandoned:
            why = "a process is at it" if _is_in_use(left) else "a process may be at it; it goes when a day old"
            say(f"{printable(str(left))} ({_n_bytes(left) / 1e6:,.1f} MB) stays: {why}")
    for entry in abandoned + _folders(folder) + [other for _, other, _ in _others(folder)]:
        if entry in abandoned and not _is_abandoned(entry, at_once=True):
            continue  # a process has come back to it
        n_bytes += _n_bytes(entry)
        try:
            shutil.rmtree(entry)
        except OSError as error:
            raise FirthError(f"cannot delete {printable(str(entry))}: {error.strerror or error}") from error
    return n_bytes


def _read(
    corpus: Corpus, segmentation: Segmentation | None, preparation: Preparation, folder: Path, progress: Progress
) -> EncodedCorpus:
    with progress.stage("reading") as advance:
        return encode(
            corpus,
            segmentation,
            folder,
            preparation=preparation,
            progress=lambda done, total, n_tokens: advance(done / total if total else None, n_tokens),
        )


def _key(
    identity: list[Any],
    segmentation: Segmentation | None,
    preparation: Preparation,
    corpus: Corpus,
    others: Mapping[str, Any] | None = None,
) -> str:
    """The name of the entry: equal where the same files would be encoded alike."""
    told: dict[str, Any] = {
        "format": FORMAT,
        "files": identity,
        "preparation": preparation.settings(),
        "splits_sentences": corpus.splits_sentences,
        "segmentation": None if segmentation is None else segmentation.settings(),
        "user_words": _digest_of(preparation.user_words),
        "versions": [unicodedata.unidata_version, *map(_version, ("firth", "rjieba", "sentencex", "opencc"))],
    }
    if others is not None:
        told |= others
        told["versions"].append(_version("tokenizers"))
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]


def _digest_of(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None  # whoever reads the words says so


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _opened(entry: Path, name: str, opened: Callable[[Path], Kept]) -> Kept | None:
    """What is in `entry` under this name; None where there is none, or a damaged one, which is deleted."""
    if not (entry / _ABOUT).is_file():
        return None
    try:
        kept = opened(entry / name)
    except FirthError as error:
        cause = error.__context__
        if not isinstance(cause, OSError) or isinstance(cause, FileNotFoundError):
            shutil.rmtree(entry, ignore_errors=True)  # others, as too many open files, say nothing of the entry
        return None
    with suppress(OSError):  # it may be somebody else's, and be used nevertheless
        os.utime(entry / _ABOUT)
    return kept


def _kept(about: dict[str, Any], unfinished: Path, entry: Path, name: str, opened: Callable[[Path], Kept]) -> Kept:
    """What `unfinished` holds, moved to its place; what stands there, if another process was faster."""
    (unfinished / _ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")
    try:
        unfinished.rename(entry)
    except OSError:
        other = _opened(entry, name, opened)
        return other if other is not None else opened(unfinished / name)
    return opened(entry / name)


def _said(entry: Path) -> str:
    return f"{printable(str(entry))} ({_n_bytes(entry) / 1e6:,.1f} MB; `firth cache` lists and clears)"


def _n_bytes(folder: Path) -> int:
    total = 0
    for file in _files(folder):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def _seconds_unchanged(folder: Path) -> float:
    newest = 0.0
    for file in (folder, *_files(folder)):
        with suppress(OSError):
            newest = max(newest, file.stat().st_mtime)
    return time.time() - newest


def _files(folder: Path) -> list[Path]:
    """All files in `folder` and below; what goes meanwhile is passed over."""
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]


def _folders(place: Path) -> list[Path]:
    """The entries in the cache's directory, told from whatever else lies there."""
    return [
        about.parent
        for about in place.glob(f"*/{_ABOUT}")
        if _NAME.fullmatch(about.parent.name) and any((about.parent / name).is_dir() for name in _WHAT)
    ]


def _others(folder: Path) -> Iterator[tuple[What, Path, Path]]:
    """What others keep in the cache's directory: what it is, its folder, and the file that tells of it.

    Models of the demonstration are looked for in the user's own place alone: elsewhere they may be somebody's work.
    """
    name, about = _SETS
    for path in sorted(folder.glob(f"{name}/*/{about}")):
        with suppress(OSError, ValueError):
            if {"address", "sha256"} <= json.loads(path.read_bytes()).keys():
                yield "set", path.parent, path
    if folder == place():
        name, about = _DEMO
        for path in sorted(folder.glob(f"{name}/*/{about}")):
            yield "demo", path.parent, path


def _unfinished(place: Path) -> list[Path]:
    """What processes are at in the cache's directory, or have left there."""
    return [
        folder
        for folder in place.glob(f"{_UNFINISHED}*")
        if _UNFINISHED_NAME.fullmatch(folder.name) and folder.is_dir()
    ]


def _is_abandoned(folder: Path, *, at_once: bool) -> bool:
    """Whether what is unfinished in `folder` is nobody's: its lock is free, or, where none tells, it is a day old.

    Args:
        folder: Of something unfinished.
        at_once: False: it must be a day old besides.
    """
    is_in_use = _is_in_use(folder)
    if at_once and is_in_use is not None:
        return not is_in_use
    return not is_in_use and _seconds_unchanged(folder) >= _SECONDS_TILL_ABANDONED


def _is_in_use(folder: Path) -> bool | None:
    """Whether a process holds a lock in `folder`; None where there is no lock, or none that tells."""
    found = None
    for path in (path for path in _files(folder) if path.name in _LOCKS):
        with suppress(OSError):
            if path.stat().st_size == 0:  # it was made a moment ago, and is not locked yet
                continue
            with path.open("r+", encoding="utf-8") as file:
                try:
                    lock(file)
                except (BlockingIOError, PermissionError):
                    return True
                if path.name == _LOCK and file.readline().strip() != socket.gethostname():
                    continue  # on a network's file system a lock may be unknown to other machines
                found = False
    return found


def _held_lock(path: Path, sources: str) -> IO[str] | None:
    """A new file, locked until it is closed or the process ends; None where the file system knows no locks."""
    file = path.open("x", encoding="utf-8", newline="\n")
    try:
        lock(file)
        file.write(f"{socket.gethostname()}\n{sources}\n")  # an empty one tells nothing: see `_is_in_use`
        file.flush()
    except OSError:
        file.close()
        path.unlink()
        return None
    return file


def _sources_of(folder: Path) -> str:
    """What the lock of an unfinished entry says that it is made from; Windows shows that to nobody while it is held."""
    with suppress(OSError, UnicodeDecodeError):
        return (folder / _LOCK).read_text(encoding="utf-8").partition("\n")[2].strip()
    return ""
