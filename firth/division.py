"""A corpus in two files: the text that every model is trained on, and documents that none of them sees.

What is compared must have seen the same text. So it is read once, by one preparation, and written down as plain lines:
a document ends with an empty line, as `firth.corpus` reads it.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from firth import corpus as corpora
from firth.errors import FirthError
from firth.files import json_object, replacing
from firth.preparation import Preparation
from firth.progress import Progress, Silent

HELD_OUT_SHARE: Final = 0.01
"""Of the text, that is held out of every model."""
FEWEST_BYTES: Final = 1 << 16
"""To hold out, where that is no more than a tenth of the text: less tells little."""
MOST_BYTES: Final = 1 << 21
TRAINING: Final = "training.txt"
HELD_OUT: Final = "held-out.txt"
ABOUT: Final = "division.json"
_WHOLE: Final = "whole.part"
PARTS: Final = (_WHOLE, TRAINING, HELD_OUT)
"""What stands in the folder before the corpus is divided."""
_COPIED_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Division:
    """The two files of a corpus, and how much there is in them.

    Attributes:
        name: What messages call the corpus.
        training: The file that is trained on.
        held_out: The one that is not.
        fingerprint: A hash of the whole text, as it was read.
        n_documents: Of both.
        n_held_out_documents: Of the second.
        n_bytes: Of both.
        n_held_out_bytes: Of the second.
        has_ready_words: Whether words stood ready: then white space parts them.
        remarks: What was met while reading, a sentence each.
    """

    name: str
    training: Path
    held_out: Path
    fingerprint: str
    n_documents: int
    n_held_out_documents: int
    n_bytes: int
    n_held_out_bytes: int
    has_ready_words: bool
    remarks: tuple[str, ...] = ()

    def preparation(self, asked: Preparation) -> Preparation:
        """How the files are read: as was asked for, but for what the reading of the corpus has seen to."""
        default = Preparation()
        seen_to = ("field", "keep", "keep_from_name", "encoding", "encoding_errors", "drop")
        plain = replace(asked, layout="lines", **{name: getattr(default, name) for name in seen_to})
        return replace(plain, segment="space") if self.has_ready_words else plain


def divide(
    corpus: Any,
    preparation: Preparation,
    folder: Path,
    *,
    seed: int = 1,
    progress: Progress | None = None,
) -> Division:
    """The corpus as two files in `folder`: read now, or as they stand there.

    Held out are whole documents, drawn by the seed, a hundredth of the text or somewhat more; where those that are
    short enough are less than half of that, as of a text of one document, also the end of the longest other one; of a
    text of two lines or fewer, nothing. Duplicates that are not wanted go before, so that none is in both files.

    Args:
        corpus: As of `firth.train`.
        preparation: How it is read.
        folder: Where the files go; it need not exist.
        seed: Decides which documents.
        progress: Shows how far the reading is.

    Raises:
        FirthError: the corpus cannot be read, or has no text.
    """
    if (folder / ABOUT).is_file():
        return _read(folder)
    progress = progress or Silent()
    found = corpora.read(corpus, replace(preparation, drop_duplicates="no", sentences="lines"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return _divided(found, preparation, folder, seed, progress)
    except BaseException:
        for name in PARTS:
            (folder / name).unlink(missing_ok=True)
        raise


def _divided(found: corpora.Corpus, preparation: Preparation, folder: Path, seed: int, progress: Progress) -> Division:
    """The corpus, read."""
    digest = hashlib.blake2b(digest_size=16)
    ends = array("q")  # of documents, in bytes
    n_bytes = 0
    with (folder / _WHOLE).open("wb") as whole, progress.stage("reading the corpus") as advance:
        is_begun = False
        for line in _different(_lines(found), preparation):
            data = line.encode("utf-8", "replace") + b"\n"
            if data == b"\n":
                if is_begun:
                    ends.append(n_bytes)
                is_begun = False
                continue
            whole.write(data)
            digest.update(data)
            n_bytes += len(data)
            is_begun = True
            if len(ends) % 256 == 0:
                advance(found.done_share, 0)
        if is_begun:
            ends.append(n_bytes)
    if not ends:
        raise FirthError(f"{found.name} has no text: there is nothing to compare models on")
    of_documents = np.array(ends, np.int64)
    digest.update(of_documents.tobytes())
    is_out = _held_out(folder / _WHOLE, of_documents, seed)
    counts = dict.fromkeys((TRAINING, HELD_OUT), 0)
    documents = dict(counts)
    with (
        (folder / _WHOLE).open("rb") as whole,
        (folder / TRAINING).open("wb") as training,
        (folder / HELD_OUT).open("wb") as held_out,
    ):
        for start, stop, out in is_out:
            name, file = (HELD_OUT, held_out) if out else (TRAINING, training)
            _copy(whole, file, start, stop)
            file.write(b"\n")
            counts[name] += stop - start
            documents[name] += 1
    (folder / _WHOLE).unlink()
    division = Division(
        name=found.name,
        training=folder / TRAINING,
        held_out=folder / HELD_OUT,
        fingerprint=digest.hexdigest(),
        n_documents=len(of_documents),
        n_held_out_documents=documents[HELD_OUT],
        n_bytes=n_bytes,
        n_held_out_bytes=counts[HELD_OUT],
        has_ready_words=found.has_ready_words,
        remarks=tuple(found.faults.sentences()),
    )
    with replacing(folder / ABOUT) as about:
        told = asdict(division)
        json.dump({**told, "training": TRAINING, "held_out": HELD_OUT}, about, ensure_ascii=False, indent=1)
    return division


def _read(folder: Path) -> Division:
    """The division that stands in a folder."""
    told = json_object(folder / ABOUT)
    try:
        return Division(
            **{**told, "training": folder / TRAINING, "held_out": folder / HELD_OUT, "remarks": tuple(told["remarks"])}
        )
    except (TypeError, KeyError) as error:
        raise FirthError(f"{folder} holds no divided corpus: {error}") from None


def _lines(corpus: corpora.Corpus) -> Iterator[str]:
    """The lines of a corpus; of ready words, with a space between them."""
    begun: list[str] = []
    for block in corpus.blocks():
        if not isinstance(block, str):
            yield from (" ".join(words) for words in block)
            continue
        *lines, rest = block.split("\n")
        for line in lines:
            yield "".join([*begun, line]).strip()
            begun = []
        if rest:
            begun.append(rest)
    if begun:
        yield "".join(begun).strip()


def _different(lines: Iterator[str], preparation: Preparation) -> Iterator[str]:
    """The lines without those, or without the documents, that have been met before, if these are to be dropped."""
    if preparation.drop_duplicates == "no":
        yield from lines
        return
    met: set[bytes] = set()

    def is_new(text: str) -> bool:
        words = " ".join(text.split())
        key = hashlib.blake2b(
            (words if preparation.cased else words.lower()).encode("utf-8", "replace"), digest_size=12
        ).digest()
        n_met = len(met)
        met.add(key)
        return len(met) > n_met

    if preparation.drop_duplicates == "lines":
        yield from (line for line in lines if not line or is_new(line))
        return
    document: list[str] = []
    for line in lines:
        if line:
            document.append(line)
            continue
        if document and is_new("\n".join(document)):
            yield from document
        yield ""
        document = []
    if document and is_new("\n".join(document)):
        yield from document


def _held_out(path: Path, ends: NDArray[np.int64], seed: int) -> list[tuple[int, int, bool]]:
    """Stretches of the text in order: first byte, the one behind the last, whether it is held out."""
    n_bytes = int(ends[-1])
    due = min(MOST_BYTES, max(HELD_OUT_SHARE * n_bytes, min(FEWEST_BYTES, n_bytes / 10)))
    starts = np.concatenate([[0], ends[:-1]])
    lengths = ends - starts
    is_out = np.zeros(len(ends), np.bool_)
    total = 0
    if len(ends) > 1:
        for document in np.random.default_rng(seed).permutation(len(ends)).tolist():
            if total >= due or 2 * (int(is_out.sum()) + 1) > len(ends):
                break
            if total + lengths[document] <= 1.5 * due:
                is_out[document] = True
                total += int(lengths[document])
    stretches = list(zip(starts.tolist(), ends.tolist(), is_out.tolist(), strict=True))
    if total >= due / 2:
        return stretches
    # One document, or too few short enough: the end of the longest one that is kept, from the beginning of a line on.
    kept = np.flatnonzero(~is_out)
    longest = int(kept[::-1][lengths[kept[::-1]].argmax()])
    first, last, _ = stretches[longest]
    with path.open("rb") as file:
        file.seek(max(first, last - min(int(due) - total, (last - first) // 2)))
        file.readline()
        cut = file.tell()
    if first < cut < last:
        stretches[longest : longest + 1] = [(first, cut, False), (cut, last, True)]
    return stretches


def _copy(source: BinaryIO, target: BinaryIO, start: int, stop: int) -> None:
    source.seek(start)
    while start < stop:
        data = source.read(min(_COPIED_BYTES, stop - start))
        target.write(data)
        start += len(data)


def lines_of(path: str | os.PathLike[str]) -> Iterator[str]:
    """The lines of one of the files, those that end documents too, without their line ends."""
    with Path(path).open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\n")
