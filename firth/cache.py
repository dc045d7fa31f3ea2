"""Encoded corpora kept between runs: the same text, prepared alike, is read once.

An entry is a directory under the cache's place, named by a hash of what it was made from: the files' paths, sizes and
times, the preparation, the versions of what cuts text. It is written beside and renamed, so that it is there whole or
not at all; where two processes make the same one, the first to end wins and the other uses it.
"""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from firth.corpus import Corpus
from firth.errors import FirthError
from firth.files import printable
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.segmentation import Segmentation
from firth.tokens import FORMAT, EncodedCorpus, encode

_ABOUT: Final = "about.json"
_STORE: Final = "encoded"
_UNFINISHED: Final = ".unfinished-"
_NAME: Final = re.compile(r"[0-9a-f]{32}")  # of an entry
_SECONDS_TILL_ABANDONED: Final = 24 * 3600.0
"""An unfinished entry that nothing was written to for so long belongs to a process that was killed."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An encoded corpus in the cache.

    Attributes:
        folder: Its directory.
        sources: What it was made from, as messages call it.
        n_tokens: Words.
        n_bytes: On disk.
        seconds_unused: Since it was written or used last.
    """

    folder: Path
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

    What comes from Python or standard input has no identity to be known again by: it is encoded into the same place and
    deleted when the block ends.

    Args:
        corpus: Not yet read.
        segmentation: How text becomes words; None: as the preparation says.
        preparation: All else that decides what is encoded.
        cache_dir: The cache's place.
        progress: Shows how far the reading is, and where the entry lies.

    Raises:
        FirthError: the corpus cannot be read, or the cache not written to.
    """
    progress = progress or Silent()
    folder = place(cache_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for abandoned in _abandoned(folder):
            shutil.rmtree(abandoned, ignore_errors=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder, prefix=_UNFINISHED))
    except OSError as error:
        shown = printable(str(folder))
        raise FirthError(f"cannot write to the cache {shown}: {error.strerror}; --cache-dir names another") from error
    try:
        identity = corpus.identity()
        store = None
        if identity is not None:
            entry = folder / _key(identity, None, preparation, corpus)
            store = _opened(entry)
            if segmentation is not None and (store is None or store.segmentation != segmentation):
                entry = folder / _key(identity, segmentation, preparation, corpus)
                store = _opened(entry)
        if store is not None:
            progress.say(f"the corpus was read before: {_said(entry)}")
        else:
            store = _read(corpus, segmentation, preparation, unfinished / _STORE, progress)
            if identity is not None:
                store = _kept(store, corpus, unfinished, entry)
                progress.say(f"the encoded corpus is kept for later runs: {_said(entry)}")
        with store:
            yield store
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def entries(cache_dir: str | os.PathLike[str] | None = None) -> list[Entry]:
    """The encoded corpora in the cache, the one used last first."""
    found = []
    for folder in _folders(place(cache_dir)):
        with suppress(OSError, ValueError, KeyError):
            about = folder / _ABOUT
            told = json.loads(about.read_bytes())
            found.append(
                Entry(
                    folder=folder,
                    sources=str(told["sources"]),
                    n_tokens=int(told["n_tokens"]),
                    n_bytes=_n_bytes(folder),
                    seconds_unused=max(0.0, time.time() - about.stat().st_mtime),
                )
            )
    return sorted(found, key=lambda entry: entry.seconds_unused)


def clear(cache_dir: str | os.PathLike[str] | None = None) -> int:
    """Deletes the encoded corpora, and what processes left that were killed a day ago or more; how many bytes.

    Nothing else in the directory is touched. A run that uses an entry goes on where the system lets mapped files be
    deleted; elsewhere that entry stays.

    Raises:
        FirthError: an entry could not be deleted.
    """
    folder = place(cache_dir)
    n_bytes = 0
    for entry in _folders(folder) + _abandoned(folder):
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


def _key(identity: list[Any], segmentation: Segmentation | None, preparation: Preparation, corpus: Corpus) -> str:
    """The name of the entry: equal where the same files would be encoded alike."""
    told = {
        "format": FORMAT,
        "files": identity,
        "preparation": preparation.settings(),
        "splits_sentences": corpus.splits_sentences,
        "segmentation": None if segmentation is None else segmentation.settings(),
        "user_words": _digest_of(preparation.user_words),
        "versions": [unicodedata.unidata_version, *map(_version, ("firth", "rjieba", "sentencex", "opencc"))],
    }
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


def _opened(entry: Path) -> EncodedCorpus | None:
    """The store in `entry`; None where there is none, or a damaged one, which is deleted."""
    if not (entry / _ABOUT).is_file():
        return None
    try:
        store = EncodedCorpus(entry / _STORE)
    except FirthError as error:
        cause = error.__context__
        if not isinstance(cause, OSError) or isinstance(cause, FileNotFoundError):
            shutil.rmtree(entry, ignore_errors=True)  # others, as too many open files, say nothing of the entry
        return None
    with suppress(OSError):  # it may be somebody else's, and be used nevertheless
        os.utime(entry / _ABOUT)
    return store


def _kept(store: EncodedCorpus, corpus: Corpus, unfinished: Path, entry: Path) -> EncodedCorpus:
    """The store, moved to its place; the one that stands there, if another process was faster."""
    about = {"sources": corpus.name, "n_tokens": store.n_tokens}
    store.close()  # some systems do not rename what is mapped
    (unfinished / _ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")
    try:
        unfinished.rename(entry)
    except OSError:
        other = _opened(entry)
        return other if other is not None else EncodedCorpus(unfinished / _STORE)
    return EncodedCorpus(entry / _STORE)


def _said(entry: Path) -> str:
    return f"{printable(str(entry))} ({_n_bytes(entry) / 1e6:,.1f} MB; `firth cache` lists and clears)"


def _n_bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with suppress(OSError):
            total += file.stat().st_size if file.is_file() else 0
    return total


def _seconds_unchanged(folder: Path) -> float:
    newest = 0.0
    for file in (folder, *folder.rglob("*")):
        with suppress(OSError):
            newest = max(newest, file.stat().st_mtime)
    return time.time() - newest


def _folders(place: Path) -> list[Path]:
    """The entries in the cache's directory, told from whatever else lies there."""
    return [
        about.parent
        for about in place.glob(f"*/{_ABOUT}")
        if _NAME.fullmatch(about.parent.name) and (about.parent / _STORE).is_dir()
    ]


def _abandoned(place: Path) -> list[Path]:
    return [
        folder
        for folder in place.glob(f"{_UNFINISHED}*")
        if folder.is_dir() and _seconds_unchanged(folder) >= _SECONDS_TILL_ABANDONED
    ]
