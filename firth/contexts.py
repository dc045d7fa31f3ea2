"""Vectors in context on disk: written while they are made, in bounded memory, and gone on with after an interruption.

A directory of shards: `_index.json`, and for every shard its vectors with a file of its words beside them.

    safetensors   00000.safetensors with one tensor `vectors` (K, rows, D); 00000.words.jsonl
    npy           00000.npy, the same array; 00000.words.jsonl
    parquet       00000.parquet, a row a word: document, sentence, position, word, vector; of several layers `layer_0`,
                  `layer_5`, ... in place of `vector`
    hdf5          one file instead, as bilm-tf and `allennlp elmo` write it: a data set (K, W, D) for each sentence,
                  called by its number, and `sentence_to_index`, the numbers by the sentences' words joined by spaces

A line of 00000.words.jsonl is what the shard has of a sentence, in the order of the rows: `document`, `sentence` and
`position` of its first word, counted from 0, `words`, and of these `unknown`. Until all is written the directory is
called OUT.part; then it takes its place.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import NDArray

from firth.errors import FirthError, UsageError
from firth.extraction import Opened, prepare
from firth.files import lock, printable, replacing
from firth.formats import safetensors
from firth.parts import Given, Part, Sentence, parts
from firth.progress import Progress, Silent

Array = NDArray[np.floating[Any]]
Kind = Literal["safetensors", "npy", "parquet", "hdf5"]

KIND_OF_SUFFIX: Final[Mapping[str, Kind]] = {".parquet": "parquet", ".hdf5": "hdf5", ".h5": "hdf5"}
"""Names that tell a kind; others are directories of safetensors."""
INDEX: Final = "_index.json"
"""Of a name that readers of Parquet directories pass over."""
FORMAT: Final = 1
SHARD_BYTES: Final = 1 << 27

_LOCK: Final = ".lock"  # held by the process that writes into the directory
_N_NAMED: Final = 10  # unknown words that are kept as examples


class Written(NamedTuple):
    """What was written.

    Attributes:
        n_sentences: Those with words.
        n_words: All of them.
        n_unknown: Words that have no piece, or none that the model knows.
        unknown: Some of these.
        n_cut: Words that are too long to be read whole, of those written since it was begun or gone on with.
    """

    n_sentences: int
    n_words: int
    n_unknown: int
    unknown: tuple[str, ...]
    n_cut: int = 0


class _Place(NamedTuple):
    """How far the text is done."""

    sentence: int = 0  # numbers of the first that is not done wholly, and of its first word that is not
    position: int = 0
    digest: str = ""  # of the sentences before


class _Line(NamedTuple):
    """A part of a sentence, and where it comes from."""

    document: int
    part: Part


def extract_to(
    path: str | os.PathLike[str],
    model: Opened,
    sentences: Iterable[Given],
    *,
    kind: Kind | None = None,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    fraction: Callable[[], float | None] = lambda: None,
    **how: Any,
) -> Written:
    """Writes what `extract` gives to disk, while it is made.

    Args:
        path: What is written, a directory; of HDF5 a file.
        model: As `extract` takes it.
        sentences: Texts or sequences of words. An empty one ends a document, and has no number of its own.
        kind: `safetensors`, `npy`, `parquet` or `hdf5`; None tells by the name's end: .parquet, .hdf5, .h5.
        resume: Goes on with what was interrupted, of the same text and with the same arguments.
        overwrite: Replaces what stands at `path`, if it was written so.
        progress: Shows how far it is.
        fraction: Tells the part of the text that has been read, if anyone knows.
        how: The other arguments of `extract`.

    Raises:
        UsageError: `path` exists; there is something to go on with, or nothing, or of another text or other arguments;
            another process is writing it.
        FirthError: it cannot be written; else as `extract`.
    """
    path = Path(path).absolute()
    kind = kind or KIND_OF_SUFFIX.get(path.suffix, "safetensors")
    if kind not in get_args(Kind):
        raise UsageError(f"kind is {printable(repr(kind))}; there are {', '.join(get_args(Kind))}")
    if kind == "hdf5":
        _needs_h5py()
    working = path.parent / f"{path.name}.part"
    _check(path, working, kind, resume=resume, overwrite=overwrite)
    asked = prepare(model, **how)
    settings = {"kind": "safetensors" if kind == "hdf5" else kind} | asked.settings()
    if kind == "parquet" and len(set(columns := _columns(settings))) < len(columns):
        raise UsageError("a column of Parquet has a name of its own: ask for each layer once")
    with _held(working, resume=resume):
        shards = _begun(working, settings, resume=resume)
        begin = shards.done.place
        text = _Text(sentences, begin)
        n_cut = 0
        with (progress or Silent()).stage("extracting", words=shards.n_words) as advance, shards:
            for part in parts(asked, text, (begin.sentence, begin.position)):
                n_cut += asked.reader.n_cut(part.words)
                shards.add(_Line(text.document_of(part.sentence), part), text)
                advance(fraction(), shards.n_words)
            shards.flush(text)
            shards.wait()
            done = shards.done
            if done.n_words:
                shards.write_index(done, finished=True)
        if kind == "hdf5" and done.n_words:
            try:
                _assemble(working, path)
            except OSError as error:
                raise _unwritten(path, error) from error
    if not done.n_words:
        shutil.rmtree(working)
        raise FirthError("there are no words in the text, so that nothing was written")
    if kind == "hdf5":
        shutil.rmtree(working)
    else:
        _put(working, path)
    return Written(done.n_sentences, done.n_words, done.n_unknown, done.unknown, n_cut)


def read_extracted(path: str | os.PathLike[str]) -> Iterator[Sentence]:
    """The sentences of a directory that `extract_to` wrote, in order; arrays of one shard are mapped, not read.

    Raises:
        FirthError: there is no such directory, it is not whole, or an interruption left it.
    """
    path = Path(path)
    index = _read_index(path)
    if not index["finished"]:
        raise FirthError(f"{printable(str(path))} is unfinished; the same extraction with resume goes on with it")
    for _, group in groupby(_lines_of(path, index), key=lambda line: line[0]["sentence"]):
        yield _joined([part for _, part in group])


class _Text:
    """Sentences with words, numbered; what is known of those that are under way."""

    def __init__(self, sentences: Iterable[Given], done: _Place) -> None:
        self._sentences = sentences
        self._done = done
        self._n_sentences = 0
        self._digest = hashlib.blake2b(digest_size=16)
        self._of: dict[int, tuple[int, str, str]] = {}  # document; the digests of what is before it, and with it

    def __iter__(self) -> Iterator[Given]:
        """The sentences; those that are done are read again.

        Raises:
            UsageError: they are others than those that were done.
        """
        document = 0
        is_new = False  # whether a document ends before the next sentence
        before = ""
        for sentence in self._sentences:
            if not isinstance(sentence, str):
                sentence = list(sentence)
            if not sentence or (isinstance(sentence, str) and sentence.isspace()):
                is_new = self._n_sentences > 0
                continue
            self._check(before)
            document += is_new
            is_new = False
            self._digest.update(json.dumps(sentence, default=str).encode() + b"\n")
            digest = self._digest.hexdigest()
            if self._n_sentences >= self._done.sentence:
                self._of[self._n_sentences] = document, before, digest
            before = digest
            self._n_sentences += 1
            yield sentence
        self._check(before)
        if self._n_sentences < self._done.sentence:
            raise UsageError(
                f"the text has {self._n_sentences:,} sentences, and {self._done.sentence:,} were done before: it is "
                "another text; begin anew by overwriting"
            )

    def document_of(self, sentence: int) -> int:
        """The document that a sentence stands in."""
        return self._of[sentence][0]

    def place_behind(self, part: Part) -> _Place:
        """Where the text goes on behind a part; what stands before it is forgotten."""
        for done in [number for number in self._of if number < part.sentence]:
            del self._of[done]
        _, before, digest = self._of[part.sentence]
        if part.is_last:
            return _Place(part.sentence + 1, 0, digest)
        return _Place(part.sentence, part.position + len(part.words), before)

    def _check(self, digest: str) -> None:
        if self._n_sentences == self._done.sentence and self._done.digest not in ("", digest):
            raise UsageError("the text is not the one that was begun with; begin anew by overwriting")


class _Done(NamedTuple):
    """What the finished shards hold."""

    n_rows: tuple[int, ...] = ()  # of each
    place: _Place = _Place()
    n_sentences: int = 0
    n_words: int = 0
    n_unknown: int = 0
    unknown: tuple[str, ...] = ()

    def with_lines(self, lines: Sequence[_Line], place: _Place) -> "_Done":
        """The same with another shard."""
        words = [line.part.words[place - line.part.position] for line in lines for place in line.part.unknown]
        n_words = sum(len(line.part.words) for line in lines)
        return _Done(
            n_rows=(*self.n_rows, n_words),
            place=place,
            n_sentences=self.n_sentences + sum(line.part.is_last for line in lines),
            n_words=self.n_words + n_words,
            n_unknown=self.n_unknown + len(words),
            unknown=tuple(dict.fromkeys((*self.unknown, *words)))[:_N_NAMED],
        )


class _Shards:
    """A directory that shards are written into, one while the next is filled."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], done: _Done) -> None:
        self.done = done  # as far as the index says, or will when the shard is written that is on its way
        self.n_words = done.n_words  # those that wait for their shard too
        self._folder, self._settings = folder, settings
        self._lines: list[_Line] = []
        self._n_bytes = 0
        self._writer = ThreadPoolExecutor(1, "firth-write")
        self._writing: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Waits for the shard that is being written."""
        self._writer.shutdown()

    def add(self, line: _Line, text: _Text) -> None:
        """Takes a part into the shard."""
        self._lines.append(line)
        self._n_bytes += line.part.array.nbytes
        self.n_words += len(line.part.words)
        if self._n_bytes >= SHARD_BYTES:
            self.flush(text)

    def flush(self, text: _Text) -> None:
        """Has the shard written, if there is anything in it; the one before is waited for."""
        if not self._lines:
            return
        self.wait()
        number, lines = len(self.done.n_rows), self._lines
        self.done = self.done.with_lines(lines, text.place_behind(lines[-1].part))
        self._lines, self._n_bytes = [], 0
        self._writing = self._writer.submit(self._write, number, lines, self.done)

    def wait(self) -> None:
        """Comes back when all that was to be written is."""
        if self._writing is not None:
            self._writing.result()

    def write_index(self, done: _Done, *, finished: bool = False) -> None:
        """Writes what there is."""
        index = {"format": FORMAT, "finished": finished, "settings": self._settings} | done._asdict()
        try:
            with replacing(self._folder / INDEX) as file:
                json.dump(index, file, ensure_ascii=False, indent=1)
                file.write("\n")
        except OSError as error:
            raise _unwritten(self._folder, error) from error

    def _write(self, number: int, lines: list[_Line], done: _Done) -> None:
        try:
            self._write_shard(number, lines)
        except OSError as error:
            raise _unwritten(self._folder, error) from error
        self.write_index(done)

    def _write_shard(self, number: int, lines: list[_Line]) -> None:
        with replacing(self._folder / _words_name(self._settings, number)) as file:
            for document, part in lines:
                unknown = [place - part.position for place in part.unknown]
                said = {"document": document, "sentence": part.sentence, "position": part.position}
                json.dump(said | {"words": part.words, "unknown": unknown}, file, ensure_ascii=False)
                file.write("\n")
        vectors = np.concatenate([part.array for _, part in lines], axis=1)
        path = self._folder / _vectors_name(self._settings, number)
        if self._settings["kind"] == "safetensors":
            safetensors.write(path, {"vectors": vectors})
        elif self._settings["kind"] == "npy":
            with replacing(path, "wb") as file:
                np.save(file, vectors)
        else:
            with replacing(path, "wb") as file:
                _write_table(file, vectors, lines, _columns(self._settings))


def _vectors_name(settings: Mapping[str, Any], number: int) -> str:
    return f"{number:05}.{settings['kind']}"


def _words_name(settings: Mapping[str, Any], number: int) -> str:
    """Of Parquet a name that its readers pass over."""
    return f"{'_' if settings['kind'] == 'parquet' else ''}{number:05}.words.jsonl"


def _columns(settings: Mapping[str, Any]) -> list[str]:
    """What the columns of the vectors are called."""
    if settings["combined"] != "each" or len(settings["layers"]) == 1:
        return ["vector"]
    return [f"layer_{layer}" for layer in settings["layers"]]


def _write_table(file: IO[bytes], vectors: Array, lines: Sequence[_Line], columns: Sequence[str]) -> None:
    import pyarrow
    from pyarrow import parquet

    lengths = [len(line.part.words) for line in lines]
    places = [line.part.position + np.arange(n_words) for line, n_words in zip(lines, lengths, strict=True)]
    table: dict[str, Any] = {
        "document": np.repeat([line.document for line in lines], lengths),
        "sentence": np.repeat([line.part.sentence for line in lines], lengths),
        "position": np.concatenate(places),
        "word": pyarrow.array([word for line in lines for word in line.part.words], pyarrow.string()),
    }
    for name, layer in zip(columns, vectors, strict=True):
        numbers = pyarrow.array(np.ascontiguousarray(layer).reshape(-1))
        table[name] = pyarrow.FixedSizeListArray.from_arrays(numbers, layer.shape[1])
    options = {"compression": "none", "use_dictionary": ["word"], "write_statistics": ["sentence"]}
    parquet.write_table(pyarrow.table(table), file, **options)


# --- reading


def _lines_of(folder: Path, index: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Sentence]]:
    """What the shards hold of each sentence, in order."""
    settings = index["settings"]
    for number, n_rows in enumerate(index["n_rows"]):
        vectors = _shard(folder / _vectors_name(settings, number), settings)
        row = 0
        path = folder / _words_name(settings, number)
        try:
            with path.open(encoding="utf-8") as file:
                for told in map(json.loads, file):
                    stop = row + len(told["words"])
                    yield told, Sentence(told["words"], vectors[:, row:stop], told["unknown"])
                    row = stop
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FirthError(f"{printable(str(path))} is damaged: {printable(str(error))}") from None
        if not row == n_rows == vectors.shape[1]:
            raise FirthError(
                f"{printable(str(path))} has {row:,} words, its vectors are {vectors.shape[1]:,}, and the index says "
                f"{n_rows:,}"
            )


def _shard(path: Path, settings: Mapping[str, Any]) -> Array:
    """(K, rows, D)."""
    if settings["kind"] == "safetensors":
        tensors = safetensors.read(path)
        if "vectors" not in tensors:
            raise FirthError(f"{printable(str(path))} holds no tensor 'vectors'")
        return tensors["vectors"]
    try:
        if settings["kind"] == "npy":
            mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
            return mapped
        from pyarrow import parquet

        table = parquet.read_table(path, columns=_columns(settings)).combine_chunks()
        layers = [table[name].combine_chunks() for name in _columns(settings)]
        return np.stack([layer.flatten().to_numpy().reshape(len(layer), -1) for layer in layers])
    except (OSError, ValueError, KeyError) as error:
        raise FirthError(f"{printable(str(path))} cannot be read: {printable(str(error))}") from None


def _joined(parts_of: Sequence[Sentence]) -> Sentence:
    """One sentence of its parts."""
    if len(parts_of) == 1:
        return parts_of[0]
    firsts = np.cumsum([0, *(len(part.words) for part in parts_of)]).tolist()
    return Sentence(
        [word for part in parts_of for word in part.words],
        np.concatenate([part.array for part in parts_of], axis=1),
        [first + place for first, part in zip(firsts, parts_of, strict=False) for place in part.unknown],
    )


def _read_index(folder: Path) -> dict[str, Any]:
    shown = printable(str(folder))
    try:
        index = json.loads((folder / INDEX).read_bytes())
        if index["format"] != FORMAT:
            raise FirthError(f"{shown} was written by a newer firth than this one; upgrade firth")
        settings = index["settings"]
        if settings["kind"] not in get_args(Kind) or not isinstance(settings["layers"], list):
            raise ValueError("its settings are no settings")
        index["n_rows"] = [int(number) for number in index["n_rows"]]
        _done_of(index)
    except OSError as error:
        raise FirthError(f"{shown} holds no vectors in context: {INDEX}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise FirthError(f"{shown} holds no vectors in context: {INDEX}: {printable(str(error))}") from None
    found: dict[str, Any] = index
    return found


def _done_of(index: Mapping[str, Any]) -> _Done:
    return _Done(
        n_rows=tuple(index["n_rows"]),
        place=_Place(*index["place"]),
        n_sentences=int(index["n_sentences"]),
        n_words=int(index["n_words"]),
        n_unknown=int(index["n_unknown"]),
        unknown=tuple(index["unknown"]),
    )


# --- places on disk


def _check(path: Path, working: Path, kind: Kind, *, resume: bool, overwrite: bool) -> None:
    """Finds out before the work whether `path` can be written after it."""
    shown = printable(str(path))
    if path.exists() and not overwrite:
        raise UsageError(f"{shown} exists; choose another place, or overwrite it")
    if path.exists() and not (_is_our_hdf5(path) if kind == "hdf5" else is_ours(path)):
        what = "a file of" if kind == "hdf5" else "a directory of"
        raise UsageError(f"{shown} exists and is not {what} vectors in context; it is not overwritten")
    if working.exists() and not (resume or overwrite):
        raise UsageError(f"{printable(str(working))} holds an unfinished extraction: resume it, or overwrite it")
    if working.exists() and not (is_ours(working) or [entry.name for entry in working.iterdir()] == [_LOCK]):
        raise UsageError(f"{printable(str(working))} exists and holds no vectors in context; it is not overwritten")
    if resume and not working.exists():
        raise UsageError(f"there is nothing to resume: no {printable(str(working))}")


def is_ours(folder: Path) -> bool:
    """Whether a directory holds vectors in context."""
    return (folder / INDEX).is_file()


@contextmanager
def _held(working: Path, *, resume: bool) -> Iterator[None]:
    """The directory that is written into, which no other process writes into while the block lasts.

    Raises:
        UsageError: another one does.
        FirthError: it cannot be made.
    """
    try:
        if working.exists() and not resume:
            _locked(working).close()  # no other process is at it
            shutil.rmtree(working)
        working.mkdir(parents=True, exist_ok=resume)
        file = _locked(working)
    except FileExistsError:
        raise _busy(working) from None
    except OSError as error:
        raise _unwritten(working, error) from error
    try:
        yield
    finally:
        file.close()
    (working / _LOCK).unlink()


def _locked(folder: Path) -> IO[str]:
    """A file in `folder`, held until it is closed or the process ends."""
    file = (folder / _LOCK).open("a", encoding="utf-8")
    try:
        lock(file)
    except (BlockingIOError, PermissionError):
        file.close()
        raise _busy(folder) from None
    except OSError:
        pass  # a file system that knows no locks
    return file


def _busy(working: Path) -> UsageError:
    shown = printable(str(working))
    return UsageError(f"{shown} is being written by another process; wait for it, or name another place")


def _unwritten(place: Path, error: OSError) -> FirthError:
    return FirthError(f"{printable(str(place))} cannot be written: {printable(error.strerror or str(error))}")


def _begun(working: Path, settings: Mapping[str, Any], *, resume: bool) -> _Shards:
    """What is written into the directory: from its beginning, or from where it was interrupted."""
    if resume:
        index = _read_index(working)
        if differing := [name for name, value in settings.items() if index["settings"].get(name) != value]:
            raise UsageError(
                f"{printable(str(working))} was begun with other arguments ({', '.join(differing)}); give the same, or "
                "begin anew by overwriting"
            )
        return _Shards(working, settings, _done_of(index))
    shards = _Shards(working, settings, _Done())
    shards.write_index(shards.done)
    return shards


def _put(working: Path, path: Path) -> None:
    """Gives the finished directory its name."""
    old = path.with_name(f".{path.name}.old")
    if path.exists():
        os.replace(path, old)
    os.replace(working, path)
    shutil.rmtree(old, ignore_errors=True)


# --- HDF5


def _needs_h5py() -> None:
    try:
        import h5py  # noqa: F401
    except ImportError:
        raise FirthError("HDF5 needs h5py, which is not installed: pip install 'firth[contextual]'") from None


def _is_our_hdf5(path: Path) -> bool:
    """Whether it is a file of vectors in context, be it of another program's."""
    import h5py

    if not path.is_file() or not h5py.is_hdf5(path):
        return False
    try:
        with h5py.File(path, "r") as file:
            return "sentence_to_index" in file
    except OSError:
        return False


def _assemble(working: Path, path: Path) -> None:
    """One HDF5 file of a directory of shards."""
    import h5py

    beside = working / "whole.hdf5"
    numbers: dict[str, str] = {}
    with h5py.File(beside, "w") as file:
        told = _lines_of(working, _read_index(working))
        for sentence, group in groupby(told, key=lambda line: line[0]["sentence"]):
            found = [part for _, part in group]
            words = [word for part in found for word in part.words]
            first = found[0].array
            data = file.create_dataset(str(sentence), (len(first), len(words), first.shape[2]), first.dtype)
            row = 0
            for part in found:
                data[:, row : row + len(part.words)] = part.array
                row += len(part.words)
            numbers[" ".join(words)] = str(sentence)
        said = file.create_dataset("sentence_to_index", (1,), h5py.special_dtype(vlen=str))
        said[0] = json.dumps(numbers)
    with beside.open("rb+") as file:
        os.fsync(file.fileno())
    os.replace(beside, path)
