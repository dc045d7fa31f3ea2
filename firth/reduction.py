"""Contexts -> one vector for every word and layer: a static matrix from each layer of a model.

Bommasani, Davis & Cardie 2020, "Interpreting Pretrained Contextualized Representations via Reductions to Static
Embeddings", section 3: pieces are pooled to words, and a word's vectors in its contexts to one, by their mean ("mean f,
mean g"). Matrix 0 here is another one than theirs: not what the first layer makes of a word in context, but the weight
matrix behind the one-hot input, pieces pooled to words. Kept beside the means is the spread around them.

K layers, R words, D dim; C occurrences that come together
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from firth import corpus as corpora
from firth import occurrences
from firth.alignment import Cut
from firth.errors import FirthError, UsageError
from firth.extraction import Opened, prepare
from firth.files import appearing, check_output, printable
from firth.formats import word2vec
from firth.occurrences import Chosen, Read, Store
from firth.parts import Extraction, Given, Layers, parts
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.readers import Batch, Precision
from firth.segmentation import Method, Segmentation
from firth.vectors import Vectors

if TYPE_CHECKING:
    from firth.packing import Pool

TOP: Final = 20_000
"""Words that get a vector where none are named."""
CONTEXTS: Final = 100
"""At most so many of each word are read."""
LAYERS: Final = "layers"
"""The folder beside the vectors that has a word2vec file for each layer."""

_BLOCK_PIECES: Final = 1 << 13  # whoever is short of time can stop after two of these
_MERGED_BYTES: Final = 1 << 24  # of vectors that are added to the means together
_N_NAMED: Final = 10  # words that a message names
_WORDS_TOGETHER: Final = 1 << 12


def matrices(
    model: Opened,
    corpus: Any,
    *,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    layers: str | int | Sequence[int] = "all",
    words: Sequence[str] | None = None,
    top: int = TOP,
    max_contexts: int = CONTEXTS,
    seed: int = 1,
    pool: "Pool" = "mean",
    segmentation: Segmentation | Method | None = None,
    preparation: Preparation | None = None,
    context_length: int | None = None,
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    minutes: float | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Vectors:
    """Static vectors of words, a matrix for each layer of a model: what words are in their contexts, in the mean.

    Layer 0 is the weight matrix behind the one-hot input, without context: of GPT and BERT the token table, the pieces
    of a word pooled; of ELMo its character encoder, word by word; of a static model its table, and all there is. Layers
    1 to n are means over contexts. `variance` and `contexts` of the result tell their spread, and over how many.

    A word's contexts are taken evenly from all of the text: a sample of its occurrences, decided by `seed`. In memory
    are the result, and the different words of the text; the text itself is kept on disk meanwhile.

    Args:
        model: As `firth.extract` takes it.
        corpus: The text that words have contexts in, as `firth.train` takes it; it is read once. A context is a line.
        output: A directory to write them to: `Vectors.load` reads it; `layers/0.bin` and so on in it are files of
            word2vec's binary format, one for each layer.
        overwrite: Whether such a directory may be replaced.
        layers: `all`, a number, several as `0,5,12`, a slice as `-4:`.
        words: Those that get a vector; None is the most frequent of the text.
        top: How many of these.
        max_contexts: At most so many of each word are read.
        seed: Decides which.
        pool: How a word's vector comes from its pieces' vectors: as of `firth.extract`.
        segmentation: How text becomes words: as of `firth.extract`, and lower-cased where the model reads it so.
        preparation: How the text is read; what it says of words does not count.
        context_length: As of `firth.extract`.
        precision: The same.
        device: The same.
        threads: The same.
        minutes: Budget: reading ends then; words have the contexts that came by. The first context of every word comes
            before the second of any, as far as may be. None reads them all.
        cache_dir: Where the text is kept meanwhile; see `firth.cache.place`.
        progress: Shows how far the work is, and which words are left out.

    Raises:
        UsageError: layers that the model does not have; a number that must be positive; a word that is empty; the
            output exists.
        FirthError: the corpus cannot be read; none of the words is in it.
    """
    began = time.monotonic()
    for name, number in (("top", top), ("max_contexts", max_contexts)):
        if number < 1:
            raise UsageError(f"{name} is {number}; it must be at least 1")
    if minutes is not None and not 0 < minutes < float("inf"):
        raise UsageError(f"minutes is {minutes}; a budget is a positive number")
    if output is not None:
        check_output(Path(output), overwrite=overwrite)
    progress = progress or Silent()
    asked = prepare(
        model,
        layers=layers,
        pool=pool,
        segmentation=segmentation,
        context_length=context_length,
        precision=precision,
        device=device,
        threads=threads,
    )
    found = corpora.read(corpus, preparation or Preparation())
    vectors = reduced(
        asked,
        occurrences.lines_of(found),
        words=None if words is None else list(words),
        top=top,
        max_contexts=max_contexts,
        seed=seed,
        most_types=(preparation or Preparation()).max_types,
        deadline=None if minutes is None else began + 60 * minutes,
        cache_dir=cache_dir,
        progress=progress,
        fraction=lambda: found.done_share,
    )
    for sentence in found.faults.sentences():
        progress.say(sentence)
    if output is not None:
        write(vectors, output, overwrite=overwrite)
    return vectors


def write(vectors: Vectors, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Writes what `Vectors.load` reads, and in its folder `layers` a file of word2vec's binary format for each layer.

    Raises:
        UsageError: `path` exists and may not be replaced.
    """
    path = Path(path)
    check_output(path, overwrite=overwrite)
    names = _in_files(vectors.words)
    with appearing(path) as folder:
        vectors.save(folder, overwrite=True)
        (folder / LAYERS).mkdir()
        for number, matrix in zip(vectors.layer_numbers, vectors.array, strict=True):
            word2vec.write(folder / LAYERS / f"{number}.bin", names, matrix, format="binary")


def _in_files(words: Sequence[str]) -> list[str]:
    """Words as files take them: `_` for white space, and more behind a word that would be written as another is."""
    taken = {word for word in words if not word2vec.WHITE_SPACE.search(word)}
    names = []
    for word in words:
        name = word2vec.WHITE_SPACE.sub("_", word)
        while name != word and name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names


def words_in(path: str | os.PathLike[str]) -> list[str]:
    """The words of a file, one a line; what stands behind a tab is passed over, and so are empty lines.

    Raises:
        FirthError: it cannot be read, or has no words.
    """
    shown = printable(os.fspath(path))
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise FirthError(f"{shown} cannot be read: {printable(str(error))}") from None
    found = list(dict.fromkeys(word for line in lines if (word := line.partition("\t")[0].strip())))
    if not found:
        raise FirthError(f"{shown} holds no words; one a line is due")
    return found


def reduced(
    asked: Extraction,
    lines: Iterable[Given],
    *,
    words: Sequence[str] | None = None,
    top: int = TOP,
    max_contexts: int = CONTEXTS,
    seed: int = 1,
    most_types: int = Preparation().max_types,
    most_counted: float = float("inf"),
    passes: float = float("inf"),
    deadline: float | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    fraction: Callable[[], float | None] = lambda: None,
) -> Vectors:
    """As `matrices`, of the lines of a text.

    Args:
        asked: The model, and how it is read.
        lines: Texts, or sequences of words.
        words: As of `matrices`, as are `top`, `max_contexts`, `seed`, `cache_dir` and `progress`.
        top: The same.
        max_contexts: The same.
        seed: The same.
        most_types: See `occurrences.stored`.
        most_counted: Words of the text that are looked at.
        passes: Budget: how often as many words as the text has may be read.
        deadline: When to end, by `time.monotonic`; half of the time till then may go by with looking at the text.
        cache_dir: The same.
        progress: The same.
        fraction: Tells the part of the text that has been looked at, if anyone knows.
    """
    progress = progress or Silent()
    if asked.layers.combined != "each":
        raise UsageError("mean:, sum: and concat: make one layer of several; a matrix is made of each: leave them out")
    asked = read_as_by(_of_layers(asked, tuple(dict.fromkeys(asked.layers.numbers))))
    wanted = None if words is None else checked_words(words, asked.segmentation)
    half = None if deadline is None else (time.monotonic() + deadline) / 2
    with occurrences.kept(
        asked,
        lines,
        cache_dir,
        progress,
        words=wanted,
        most_words=most_counted,
        most_types=most_types,
        is_late=lambda: half is not None and time.monotonic() > half,
        fraction=fraction,
    ) as store:
        if not store.is_whole:
            progress.say(f"contexts are looked for in the first {store.n_tokens:,} words of the text")
        numbers = occurrences.most_frequent(store, top if wanted is None else len(wanted))
        if not len(numbers):
            raise FirthError(
                "there are no words in the text"
                if wanted is None
                else "none of the words that were named is in the text"
            )
        names = [str(store.words[number]) for number in numbers]
        if asked.reader.has_context and any(asked.layers.numbers):
            found = _in_context(asked, store, numbers, names, max_contexts, seed, passes, deadline, progress)
        else:
            found = _without_context(asked, store, numbers, names)
    there = set(names)
    never = [] if wanted is None else [word for word in dict.fromkeys(wanted) if word not in there]
    left_out = never + [word for word, has_vector in zip(names, found.is_there, strict=True) if not has_vector]
    if left_out:
        progress.say(_left_out(left_out, len(names) + len(never)))
    kept = np.flatnonzero(found.is_there)
    if not len(kept):
        raise FirthError("none of the words has a vector: the model knows none of them, or the time did not suffice")
    return Vectors(
        [names[row] for row in kept],
        _compacted(found.array, kept),
        counts=store.counts[numbers[kept]],
        segmentation=asked.segmentation,
        provenance=_provenance(asked, store, max_contexts, seed, found, left_out),
        contexts=None if found.contexts is None else found.contexts[kept],
        variance=None if found.variance is None else found.variance[:, kept],
    )


def _compacted(array: NDArray[np.float32], kept: NDArray[np.int64]) -> NDArray[np.float32]:
    """(K, kept, D): the rows that are kept, moved together within the array (K, R, D), which is too large to copy."""
    n_layers, n_rows, dim = array.shape
    if len(kept) == n_rows:
        return array
    flat = array.reshape(-1, dim)
    rows = (np.arange(n_layers)[:, np.newaxis] * n_rows + kept).reshape(-1)  # none stands before where it goes
    for first in range(0, len(rows), _WORDS_TOGETHER):
        some = rows[first : first + _WORDS_TOGETHER]
        flat[first : first + len(some)] = flat[some]
    return flat[: len(rows)].reshape(n_layers, len(kept), dim)


class _Found:
    """The matrices, before words without a vector are left out.

    Attributes:
        array: (K, R, D).
        is_there: (R,) whether a word has a vector in every layer.
        contexts: (R,), None of vectors without context.
        variance: (K, R), the same.
        n_words_read: Words of the lines that were read.
    """

    def __init__(
        self,
        array: NDArray[np.float32],
        contexts: NDArray[np.int64] | None = None,
        variance: NDArray[np.float32] | None = None,
        n_words_read: int = 0,
    ) -> None:
        self.array = array
        self.contexts = contexts
        self.variance = variance
        self.n_words_read = n_words_read
        self.is_there: NDArray[np.bool_] = np.asarray(~np.isnan(array[:, :, 0]).any(0))
        if contexts is not None:
            self.is_there &= contexts > 0


class Moments:
    """The mean and the spread of vectors that come in any order, for each of R words and in each of K layers.

    Two groups are made one as Chan, Golub & LeVeque 1979 (Stanford STAN-CS-79-773) do, equation 2.1: no sum of squares
    is ever taken of vectors that lie far from zero.

    Attributes:
        n: (R,) vectors so far.
        mean: (K, R, D) float32.
        squares: (K, R) float64, the sum of the squared distances to the mean.
    """

    def __init__(self, n_layers: int, n_words: int, dim: int, mean: NDArray[np.float32] | None = None) -> None:
        """Of nothing yet; `mean` is an array of zeros to keep the means in."""
        self.n = np.zeros(n_words, np.int64)
        self.mean = np.zeros((n_layers, n_words, dim), np.float32) if mean is None else mean
        self.squares = np.zeros((n_layers, n_words))

    def add(self, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Takes vectors (K, C, D) of these words (C,)."""
        order = np.argsort(rows, kind="stable")
        rows, vectors = rows[order], vectors[:, order]
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        which, n_new = rows[firsts], np.diff(np.append(firsts, len(rows)))
        of_new = (np.add.reduceat(vectors, firsts, axis=1) / n_new[:, np.newaxis]).astype(np.float32)
        apart = vectors - np.repeat(of_new, n_new, axis=1)
        n_old = self.n[which]
        n = n_old + n_new
        step = of_new - self.mean[:, which]
        self.squares[:, which] += np.add.reduceat(_squared(apart), firsts, axis=1) + _squared(step) * (
            n_old * n_new / n
        )
        self.mean[:, which] += step * (n_new / n)[:, np.newaxis].astype(np.float32)
        self.n[which] = n

    def variance(self) -> NDArray[np.float32]:
        """(K, R) the mean squared distance to the mean, n - 1 being divided by; NaN of fewer than two vectors."""
        spread: NDArray[np.float32] = np.where(self.n > 1, self.squares / np.maximum(1, self.n - 1), np.nan).astype(
            np.float32
        )
        return spread


def _squared(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """(K, C) the squared lengths of vectors (K, C, D)."""
    lengths: NDArray[np.float64] = np.einsum("kcd,kcd->kc", vectors, vectors, dtype=np.float64)
    return lengths


def _in_context(
    asked: Extraction,
    store: Store,
    numbers: NDArray[np.int64],
    names: Sequence[str],
    max_contexts: int,
    seed: int,
    passes: float,
    deadline: float | None,
    progress: Progress,
) -> _Found:
    """The matrices of a network: layer 0 from its table, the others from contexts."""
    layers = asked.layers.numbers
    upper = tuple(number for number in layers if number)
    chosen = occurrences.choose(store, numbers, max_contexts, seed)
    read = Read(
        store,
        chosen,
        most_words=passes * store.n_tokens,
        is_late=lambda: deadline is not None and time.monotonic() > deadline,
    )
    array = np.zeros((len(layers), len(numbers), asked.reader.dim), np.float32)
    places = [place for place, number in enumerate(layers) if number]
    are_last = places == list(range(len(layers)))[-len(places) :]  # as a rule, and there is room for one of it then
    moments = Moments(len(upper), len(numbers), asked.reader.dim, array[-len(places) :] if are_last else None)
    with progress.stage("reading contexts") as advance:
        for vectors, rows in in_context(asked, chosen, read, upper):
            moments.add(vectors, rows)
            advance(read.fraction, read.n_words)
    variance = np.zeros((len(layers), len(numbers)), np.float32)
    variance[places] = moments.variance()
    if not are_last:
        array[places] = moments.mean
    if len(places) < len(layers):
        array[layers.index(0)] = _tabled(asked, names)
    return _Found(array, moments.n, variance, read.n_words)


def in_context(
    asked: Extraction, chosen: Chosen, read: Read, layers: Sequence[int]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Vectors (K, C, D) of chosen occurrences, and the rows (C,) that these are of, in the order of reading.

    Those of words that the model does not know are left out.
    """
    asked = _of_layers(asked, layers)
    held: list[NDArray[np.float32]] = []
    rows: list[NDArray[np.int64]] = []
    n_bytes = 0
    for part in parts(asked, read, block_pieces=_BLOCK_PIECES):
        first, stop = chosen.firsts[part.sentence], chosen.firsts[part.sentence + 1]
        places = chosen.places[first:stop] - part.position
        is_here = (places >= 0) & (places < len(part.words))
        is_here[is_here] = ~np.isnan(part.array[0, places[is_here], 0])
        if not is_here.any():
            continue
        if held and read.is_late():  # what was taken up since is left
            break
        held.append(np.asarray(part.array[:, places[is_here]], np.float32))
        rows.append(chosen.rows[first:stop][is_here])
        n_bytes += held[-1].nbytes
        if n_bytes >= _MERGED_BYTES:
            yield np.concatenate(held, axis=1), np.concatenate(rows)
            held, rows, n_bytes = [], [], 0
    if held:
        yield np.concatenate(held, axis=1), np.concatenate(rows)


def _without_context(asked: Extraction, store: Store, numbers: NDArray[np.int64], names: Sequence[str]) -> _Found:
    """The matrices of what has no context: layer 0 of a network, or all that static vectors have."""
    reader = asked.reader
    if reader.has_context:
        return _Found(_tabled(asked, names)[np.newaxis].repeat(len(asked.layers.numbers), 0))
    (pieced,) = reader.pieced([_ready(names)])
    known = np.flatnonzero(pieced.is_known)
    array = np.full((len(asked.layers.numbers), len(names), reader.dim), np.nan, np.float32)
    if len(known):
        places = np.arange(len(known))
        array[:, known] = reader.vectors(
            Batch([pieced.ids[known]], places, places + 1), asked.layers.numbers, "mean", 1
        )
    return _Found(array)


def _tabled(asked: Extraction, names: Sequence[str]) -> NDArray[np.float32]:
    """(R, D): of each word what stands behind the one-hot input."""
    some = [names[first : first + _WORDS_TOGETHER] for first in range(0, len(names), _WORDS_TOGETHER)]
    return np.concatenate([asked.reader.table(words, asked.piece_pool) for words in some])


def _ready(words: Sequence[str]) -> Cut:
    nowhere = np.zeros(len(words), np.int64)
    return Cut("", list(words), nowhere, nowhere)


def _of_layers(asked: Extraction, layers: Sequence[int]) -> Extraction:
    return replace(asked, layers=Layers(tuple(layers), "each"))


def read_as_by(asked: Extraction) -> Extraction:
    """The same with words lower-cased where the model reads them so."""
    if not asked.reader.folds_case:
        return asked
    return replace(asked, segmentation=replace(asked.segmentation, lower=True))


def checked_words(words: Sequence[str], segmentation: Segmentation) -> list[str]:
    """Words that were named, as the segmentation writes them, each once."""
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise UsageError(f"{printable(repr(word))} stands among the words, and holds nothing to make a vector of")
    if not words:
        raise UsageError("a list of words was given, and it is empty")
    return list(dict.fromkeys(segmentation.normalize(word.strip()) for word in words))


def _left_out(words: Sequence[str], n_words: int) -> str:
    shown = ", ".join(map(printable, words[:_N_NAMED])) + (", ..." if len(words) > _N_NAMED else "")
    why = "no context was read that the model knows them in"
    return f"{len(words):,} of {n_words:,} words are left out, since {why}: {shown}"


def _provenance(
    asked: Extraction, store: Store, max_contexts: int, seed: int, found: _Found, left_out: Sequence[str]
) -> dict[str, Any]:
    """How the matrices came about, as JSON."""
    told: dict[str, Any] = {
        "layer_0": "the weight matrix behind the one-hot input, the pieces of a word pooled",
        "other_layers": "means over contexts",
        "pool": asked.pool,
        "max_contexts": max_contexts,
        "seed": seed,
        "n_words_of_text": store.n_tokens,
        "n_words_read": found.n_words_read,
        "n_left_out": len(left_out),
        "model": asked.reader.fingerprint(),
        "context_length": asked.reader.capacity,
    }
    return {"family": asked.reader.family, "layers": list(asked.layers.numbers), "matrices": told}
