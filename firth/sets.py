"""Evaluation sets by name: what is known of each, where it lies, and how it is fetched.

A set is looked for in a folder of the user's, in an installed package that carries it, and in the cache; else it is
fetched from its address, whole or not at all. The SHA-256 of its files is known here, or else that of what came first
is kept, and said: what comes later has to be the same. Nothing is fetched under FIRTH_OFFLINE or HF_HUB_OFFLINE, nor
over anything but HTTPS; but where the checksum of a file is known, which decides, over HTTP as well.

None of the sets is part of firth: each has its authors' terms.
"""

import hashlib
import importlib.util
import io
import json
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from firth import cache
from firth.errors import FirthError, UsageError
from firth.evaluation import read_analogies, read_word_pairs
from firth.files import json_object, printable, replacing
from firth.groups import read_categories, read_outliers

Kind = Literal["similarity", "analogy", "outliers", "categories", "scws", "wic"]
Where = Literal["folder", "package", "cache", "fetched"]

FOLDER: Final = "FIRTH_SETS"
"""The environment variable that names a folder of sets."""
OFFLINE: Final = ("FIRTH_OFFLINE", "HF_HUB_OFFLINE")

MOST_BYTES: Final = 64 << 20
"""Of what is fetched: more is no set."""
SECONDS: Final = 30.0
"""That the other end may say nothing."""

READERS: Final[Mapping[Kind, Callable[[Path], Sequence[Any]]]] = {
    "similarity": read_word_pairs,
    "analogy": read_analogies,
    "outliers": read_outliers,
    "categories": read_categories,
}
"""What reads a set of words alone; those of words in sentences are read by `firth.judgements`."""

_RECORD: Final = "fetched.json"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_GENSIM: Final = "https://raw.githubusercontent.com/piskvorky/gensim"
_DATA: Final = "test/test_data"  # of the installed package


@dataclass(frozen=True, kw_only=True)
class Set:
    """What is known of an evaluation set.

    Attributes:
        name: By which it is asked for.
        kind: What it asks.
        language: Of its words.
        title: What it is, and whose.
        files: Its files as they are called in a folder, first the name they were published by. Several mean
            that any one of them will do, unless `needs_all`.
        needs_all: Whether the files belong together, and their folder is the set.
        optional: Of such, those that the set may lack.
        sha256: Of each file whose contents are known.
        package: An installed package that carries it, and the path there.
        address: Where it is fetched from; empty where no address is known for certain.
        members: Of an archive at the address: what each file is called there, or ends with.
        page: What tells of it.
    """

    name: str
    kind: Kind
    language: str
    title: str
    files: tuple[str, ...]
    needs_all: bool = False
    optional: tuple[str, ...] = ()
    sha256: Mapping[str, str]
    package: tuple[str, str] | None = None
    address: str = ""
    members: Mapping[str, str] | None = None
    page: str = ""


class Found(NamedTuple):
    """Where a set is.

    Attributes:
        known: What is known of it.
        path: Its file; of several that belong together, their folder.
        where: `folder`, `package`, `cache`, or `fetched` just now.
        sha256: Of its files.
        remarks: Sentences of what is to be said of it.
    """

    known: Set
    path: Path
    where: Where
    sha256: dict[str, str]
    remarks: tuple[str, ...] = ()


def _in_gensim(file: str, sha256: str, *others: str, **told: Any) -> Set:
    """A set of English words that gensim carries, and its repository has; it may be called otherwise in a folder."""
    return Set(
        language="en",
        files=(file, *others),
        sha256={file: sha256},
        package=("gensim", f"{_DATA}/{file}"),
        address=f"{_GENSIM}/4.4.0/gensim/{_DATA}/{file}",
        **told,
    )


KNOWN: Final = (
    _in_gensim(
        "wordsim353.tsv",
        "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
        name="wordsim353",
        kind="similarity",
        title="WordSim-353, relatedness of 353 pairs (Finkelstein et al. 2002)",
        page="http://www.cs.technion.ac.il/~gabr/resources/data/wordsim353/",
    ),
    _in_gensim(
        "simlex999.txt",
        "d5e0501971478a511430ee880bd0121e94ac701ba86d90544d83e6d2ba3db05d",
        "SimLex-999.txt",
        name="simlex999",
        kind="similarity",
        title="SimLex-999, similarity of 999 pairs (Hill, Reichart & Korhonen 2015)",
        page="https://www.cl.cam.ac.uk/~fh295/simlex.html",
    ),
    Set(
        name="men",
        kind="similarity",
        language="en",
        title="MEN, relatedness of 3,000 pairs (Bruni, Tran & Baroni 2014)",
        files=("EN-MEN-TR-3k.txt", "MEN_dataset_natural_form_full", "men.txt"),
        sha256={},
        address="https://raw.githubusercontent.com/mfaruqui/eval-word-vectors/"
        "b7e72d169b70279164a79ac2530aebe278152bba/data/word-sim/EN-MEN-TR-3k.txt",
        page="https://staff.fnwi.uva.nl/e.bruni/MEN",
    ),
    Set(
        name="mturk771",
        kind="similarity",
        language="en",
        title="MTurk-771, relatedness of 771 pairs (Halawi et al. 2012)",
        files=("EN-MTurk-771.txt", "mturk771.txt"),
        sha256={},
        address="https://raw.githubusercontent.com/mfaruqui/eval-word-vectors/"
        "94b3dd9fdbac7ed08dbee7179cd5ee464acf0594/data/word-sim/EN-MTurk-771.txt",
        page="https://github.com/mfaruqui/eval-word-vectors",
    ),
    _in_gensim(
        "questions-words.txt",
        "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
        name="google",
        kind="analogy",
        title="Google's analogies, 19,544 questions (Mikolov et al. 2013)",
        page="https://code.google.com/archive/p/word2vec/",
    ),
    Set(
        name="8-8-8",
        kind="outliers",
        language="en",
        title="8-8-8, 64 outliers of 8 groups (Camacho-Collados & Navigli 2016)",
        files=("8-8-8_Dataset",),
        sha256={},
        page="http://lcl.uniroma1.it/outlier-detection/",
    ),
    Set(
        name="scws",
        kind="scws",
        language="en",
        title="SCWS, similarity of 2,003 pairs in sentences (Huang et al. 2012)",
        files=("scws/ratings.txt", "SCWS/ratings.txt"),
        sha256={"ratings.txt": "b371cee6142e6be9fad9129a2b6cc7e3b945b7bc931b355051043fb438c16000"},
        address="http://www-nlp.stanford.edu/~ehhuang/SCWS.zip",
        members={"ratings.txt": "ratings.txt"},
        page="http://ai.stanford.edu/~ehhuang/",
    ),
    Set(
        name="wic",
        kind="wic",
        language="en",
        title="WiC, 7,466 pairs of uses of a word, alike or not (Pilehvar & Camacho-Collados 2019)",
        files=tuple(f"{part}/{part}.{what}.txt" for part in ("train", "dev", "test") for what in ("data", "gold")),
        needs_all=True,
        optional=("test/test.data.txt", "test/test.gold.txt"),  # it was published without these answers at first
        sha256={},
        address="https://pilehvar.github.io/wic/package/WiC_dataset.zip",
        members={
            f"{part}/{part}.{what}.txt": f"{part}.{what}.txt"
            for part in ("train", "dev", "test")
            for what in ("data", "gold")
        },
        page="https://pilehvar.github.io/wic/",
    ),
    Set(
        name="wordsim240",
        kind="similarity",
        language="zh",
        title="WordSim-240, relatedness of 240 Chinese pairs (Chen et al. 2015, CWE)",
        files=("wordsim-240.txt", "240.txt"),
        sha256={"240.txt": "822b25ceba0f6b916355e20a6611704de4b65933898196ee19de95f9c0203483"},
        address="https://raw.githubusercontent.com/Leonard-Xu/CWE/"
        "917fc7cef9e2e8aaab822798a3b94a71a6152618/data/240.txt",
        page="https://github.com/Leonard-Xu/CWE",
    ),
    Set(
        name="ca8",
        kind="analogy",
        language="zh",
        title="CA8, semantic analogies in Chinese, 7,636 questions (Li et al. 2018)",
        files=("ca8-semantic.txt", "CA8/semantic.txt"),
        sha256={"semantic.txt": "aed64568e6350ce08f7b9e4af2bd8aadd7ff0498b812cd94c660638ed8ad1f4a"},
        address="https://raw.githubusercontent.com/Embedding/Chinese-Word-Vectors/"
        "b2f76767356a4dbc464d67b5dda3082ed5fba3ee/testsets/CA8/semantic.txt",
        page="https://github.com/Embedding/Chinese-Word-Vectors",
    ),
)


def known(name: str) -> Set:
    """What is known of a set, by its name.

    Raises:
        UsageError: there is none of that name.
    """
    for one in KNOWN:
        if one.name == name.lower():
            return one
    names = ", ".join(one.name for one in KNOWN)
    raise UsageError(
        f"there is no set '{printable(name)}'; there are {names}. Files of your own are given by --pairs, --analogies, "
        "--outliers and --categories"
    )


def find(
    name: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    fetch: bool = True,
) -> Found:
    """Where a set is; it is fetched where it is nowhere on this machine.

    Args:
        name: As `known` knows it.
        folder: Where it is looked for first, and two folders deep; None is what FIRTH_SETS names, if anything.
        cache_dir: Where what is fetched is kept, in the folder `sets`; see `firth.cache.place`.
        fetch: Whether it may be fetched; so it is not where FIRTH_OFFLINE or HF_HUB_OFFLINE says so.

    Raises:
        UsageError: there is no such set, or no such folder.
        FirthError: it is nowhere, and cannot be fetched; what was fetched is not what it should be.
    """
    one = known(name)
    found = _here(one, folder, cache_dir)
    if found is not None:
        return found
    place = f"firth evaluate --sets-from FOLDER or {FOLDER} names a folder that has it as {_names(one)}"
    if not one.address:
        raise FirthError(
            f"{one.name} is not on this machine, and no address is known for certain: {one.page} tells of it. {place}"
        )
    offline = next((variable for variable in OFFLINE if os.environ.get(variable, "").upper() in _YES), None)
    if offline or not fetch:
        why = f"{offline} keeps from the network" if offline else "it was not to be fetched"
        raise FirthError(f"{one.name} is not on this machine, and {why}. {place}")
    return _fetched(one, cache_dir)


def look(
    *, folder: str | os.PathLike[str] | None = None, cache_dir: str | os.PathLike[str] | None = None
) -> list[tuple[Set, Found | None]]:
    """Every set that is known, and where it is on this machine; None where it is not. Nothing is fetched."""
    return [(one, _here(one, folder, cache_dir)) for one in KNOWN]


def checked(found: Found) -> str:
    """Whether the files of a set are those that are known: `as known`, `other`, or `unknown` where none are known."""
    due = set(found.known.sha256.values())
    if not due:
        return "unknown"
    return "as known" if set(found.sha256.values()) <= due else "other"


_YES: Final = ("1", "ON", "YES", "TRUE")


def _names(one: Set) -> str:
    if not one.needs_all:
        return " or ".join(one.files)
    return " and ".join(name for name in one.files if name not in one.optional)


# --- on this machine


def _here(one: Set, folder: str | os.PathLike[str] | None, cache_dir: str | os.PathLike[str] | None) -> Found | None:
    given = folder if folder is not None else os.environ.get(FOLDER) or None
    if given is not None:
        root = Path(given)
        if not root.is_dir():
            raise UsageError(f"{printable(str(root))}, where sets are to be looked for, is no folder")
        path = _in_folder(one, root)
        if path is not None:
            return Found(one, path, "folder", _digests(one, path))
    path = _in_package(one)
    if path is not None:
        return Found(one, path, "package", _digests(one, path))
    return _in_cache(one, _place(one, cache_dir))


def _in_folder(one: Set, root: Path) -> Path | None:
    """The set's file, or its folder, in a folder or two below; what is nearer goes before what is deeper."""
    for depth in ("", "*/", "*/*/"):
        for name in one.files[:1] if one.needs_all else one.files:
            for path in sorted(root.glob(f"{depth}{name}")):
                if not one.needs_all:
                    return path
                base = Path(*path.parts[: len(path.parts) - len(Path(name).parts)])
                if all((base / other).is_file() for other in one.files if other not in one.optional):
                    return base
    return None


def _in_package(one: Set) -> Path | None:
    """The file in an installed package, which is not imported."""
    if one.package is None:
        return None
    name, inside = one.package
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    return None


def _place(one: Set, cache_dir: str | os.PathLike[str] | None) -> Path:
    return cache.place(cache_dir) / "sets" / one.name


def _in_cache(one: Set, place: Path) -> Found | None:
    """What was fetched; None where nothing is there whole, or where it was changed since."""
    record = _recorded(place)
    if not record:
        return None
    digests: dict[str, str] = {}
    for name, due in record.items():
        path = place / name
        if not path.is_file() or _digest(path) != due:
            return None
        digests[name] = due
    path = place if one.needs_all else place / next(iter(record))
    return Found(one, path, "cache", digests)


def _recorded(place: Path) -> dict[str, str]:
    """The SHA-256 of each file that was fetched first, by name; empty where nothing was."""
    try:
        record = json_object(place / _RECORD)
    except FirthError:
        return {}
    files = record.get("sha256")
    if not isinstance(files, dict) or not all(
        isinstance(digest, str) and _is_inside(name) for name, digest in files.items()
    ):
        return {}
    return files


def _is_inside(name: str) -> bool:
    parts = Path(name).parts
    return bool(parts) and ".." not in parts and not Path(name).is_absolute()


def _digests(one: Set, path: Path) -> dict[str, str]:
    """The SHA-256 of a set's files."""
    if one.needs_all:
        there = [name for name in one.files if name not in one.optional or (path / name).is_file()]
        return {name: _digest(path / name) for name in there}
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    return {file.name: _digest(file) for file in files}


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {error.strerror}") from None


# --- from elsewhere


def _fetched(one: Set, cache_dir: str | os.PathLike[str] | None) -> Found:
    """The set, fetched and kept; nothing is kept of one that is not as it should be."""
    place = _place(one, cache_dir)
    content = _content(one)
    files = _files(one, content)
    due = _recorded(place) | {name: one.sha256[name] for name in files if name in one.sha256}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    for name, digest in digests.items():
        if name in due and due[name] != digest:
            is_known = name in one.sha256
            whose = "that is known" if is_known else "of what came the first time"
            mend = "" if is_known else f"; to trust what comes now, delete {printable(str(place / _RECORD))} first"
            raise FirthError(
                f"{one.name}: {printable(name)} from {one.address} has the SHA-256 {digest}, and {due[name]} is "
                f"the one {whose}: it is not used. {one.page} tells of the set{mend}"
            )
    remarks = [f"{one.name} was fetched from {one.address}; {one.page} tells of it and of its terms"]
    if any(name not in one.sha256 for name in files):
        remarks.append(
            f"no checksum of {one.name} is known beforehand: that of what came is kept, and what comes later has to be "
            f"the same ({_RECORD} in {place})"
        )
    record = {
        "address": one.address,
        "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": digests,
    }
    try:
        for name, data in files.items():
            with replacing(place / name, "wb") as file:
                file.write(data)
        with replacing(place / _RECORD) as file:  # last: without it nothing is there
            json.dump(record, file, ensure_ascii=False, indent=1)
    except OSError as error:
        raise FirthError(f"{one.name} cannot be kept in {printable(str(place))}: {error.strerror}") from None
    path = place if one.needs_all else place / next(iter(files))
    return Found(one, path, "fetched", digests, tuple(remarks))


def _files(one: Set, content: bytes) -> dict[str, bytes]:
    """The files of what was fetched, by their names here."""
    if one.members is None:
        return {Path(urlsplit(one.address).path).name: content}
    files = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and "__MACOSX" not in entry.filename]
            for name, ending in one.members.items():
                pattern = re.compile(rf"(^|/){re.escape(ending)}$")
                entry = next((entry for entry in entries if pattern.search(entry.filename)), None)
                if entry is None and name in one.optional:
                    continue
                if entry is None:
                    raise FirthError(f"{one.name}: the archive at {one.address} has no {ending}")
                if entry.file_size > MOST_BYTES:
                    raise FirthError(
                        f"{one.name}: {ending} in the archive at {one.address} has {entry.file_size:,} bytes"
                    )
                files[name] = archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise FirthError(f"{one.name}: what {one.address} gave is no ZIP archive: {printable(str(error))}") from None
    return files


def _content(one: Set) -> bytes:
    """What is at the set's address, whole."""
    is_known = bool(one.sha256)
    _check_address(one.address, is_known)
    request = Request(one.address, headers={"User-Agent": f"firth/{version('firth')}"})
    opener: OpenerDirector = build_opener(_Redirects(is_known))
    with _explained(one), opener.open(request, timeout=SECONDS) as answer:
        length = answer.headers.get("Content-Length")
        content = _at_most(answer, MOST_BYTES)
    if len(content) > MOST_BYTES:
        raise FirthError(f"{one.name}: {one.address} gives more than {MOST_BYTES >> 20} MiB, which is no such set")
    if length is not None and length.isdecimal() and len(content) != int(length):
        raise FirthError(
            f"{one.name}: the connection to {one.address} broke off after {len(content):,} of {int(length):,} bytes; "
            "nothing of it is kept: try again"
        )
    return content


def _at_most(answer: IO[bytes], most: int) -> bytes:
    """So many bytes, and one more where there are more."""
    blocks, left = [], most + 1
    while left > 0 and (block := answer.read(min(left, 1 << 16))):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)


class _Redirects(HTTPRedirectHandler):
    """Follows to addresses alone that a set may be fetched from."""

    def __init__(self, is_known: bool) -> None:
        self._is_known = is_known

    def redirect_request(self, *arguments: Any) -> Request | None:
        """The request for the address behind, which is looked at first."""
        _check_address(arguments[-1], self._is_known)
        return super().redirect_request(*arguments)


def _check_address(address: str, is_known: bool) -> None:
    """Raises FirthError for what is not HTTPS, unless checksums decide or it is this machine itself."""
    parts = urlsplit(address)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and (is_known or parts.hostname in _LOOPBACK))
    if not is_safe:
        raise FirthError(f"{printable(address)} is not fetched: HTTPS is due where no checksum is known beforehand")


@contextmanager
def _explained(one: Set) -> Iterator[None]:
    """A block that talks to the set's address; what fails in it is told as a FirthError."""
    place = f"{one.name} cannot be fetched from {one.address}"
    mend = f"{one.page} tells of it, and --sets-from FOLDER or {FOLDER} names a folder that has it as {_names(one)}"
    try:
        yield
    except HTTPError as error:
        error.close()
        raise FirthError(f"{place}: the answer is {error.code} {printable(str(error.reason))}. {mend}") from None
    except URLError as error:
        reason = error.reason.strerror if isinstance(error.reason, OSError) else error.reason
        raise FirthError(f"{place}: {printable(str(reason or error.reason))}. {mend}") from None
    except (HTTPException, OSError) as error:
        told = printable(str(error)) or type(error).__name__
        raise FirthError(f"{place}: the connection broke off ({told}); nothing of it is kept. {mend}") from None
