"""What a word means here and there: its occurrences in a text, grouped by their vectors in context.

Schütze 1998, "Automatic Word Sense Discrimination": occurrences whose contexts are alike are of one sense, and a sense
is the centre of its occurrences. Reisinger & Mooney 2010, "Multi-Prototype Vector-Space Models of Word Meaning", make
of each centre a vector of the word. Here the vectors are a network's, layer by layer, and the groups those of
`firth.clusters`: spherical k-means, with as many groups as have the highest silhouette, or one.

K layers, n occurrences of a word, D dim
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import corpus as corpora
from firth import occurrences
from firth.clusters import MOST, Clusters, clustered
from firth.errors import FirthError, UsageError
from firth.extraction import Opened, opened, prepare
from firth.files import printable
from firth.model import Model
from firth.neighbours import unit
from firth.occurrences import Read, Store
from firth.parts import Extraction, cuts_of
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.queries import Similar
from firth.readers import Precision
from firth.reduction import checked_words, in_context, read_as_by
from firth.segmentation import Method, Segmentation
from firth.vectors import Vectors

OCCURRENCES: Final = 200
"""Of a word whose senses are shown."""
OCCURRENCES_OF_MANY: Final = 50
"""Of each of many words."""

_SHOWN: Final = 120  # characters before and behind a word that stand beside it
_BYTES_TOGETHER: Final = 256 << 20  # of vectors of words that are read together


class Occurrence(NamedTuple):
    """A word in its line.

    Attributes:
        before: What stands before it; the end of that, where it is long.
        word: As it stands there.
        behind: What stands behind it; the beginning.
        line: The number of the line in what was read, counted from 0.
    """

    before: str
    word: str
    behind: str
    line: int


class Gathered(NamedTuple):
    """Occurrences of a word, with their vectors.

    Attributes:
        word: It, as the text's words are written.
        occurrences: n of them, in the order of the text.
        vectors: (K, n, D) float32.
    """

    word: str
    occurrences: list[Occurrence]
    vectors: NDArray[np.float32]


class Sense(NamedTuple):
    """One group of a word's occurrences.

    Attributes:
        share: Of all occurrences that were read.
        neighbours: The words nearest to the group's centre, with cosines; empty where there are no static vectors.
        examples: The occurrences nearest to the centre, the nearest first.
    """

    share: float
    neighbours: Similar
    examples: list[Occurrence]


class WordSenses(NamedTuple):
    """What a word means, the most frequent sense first.

    Attributes:
        word: It, as the text's words are written.
        layer: Whose vectors were grouped.
        senses: The groups.
        clusters: The same: which occurrence is of which, and the centres.
        occurrences: n of them, in the order of the text.
    """

    word: str
    layer: int
    senses: list[Sense]
    clusters: Clusters
    occurrences: list[Occurrence]


def find_senses(
    model: Opened,
    corpus: Any,
    words: Sequence[str],
    *,
    layer: int = -1,
    k: int | None = None,
    most: int = MOST,
    topn: int = 10,
    examples: int = 5,
    max_contexts: int = OCCURRENCES,
    seed: int = 1,
    vectors: Vectors | None = None,
    segmentation: Segmentation | Method | None = None,
    preparation: Preparation | None = None,
    context_length: int | None = None,
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> list[WordSenses]:
    """The senses of words: their occurrences in a text, grouped, with the neighbours of each group.

    Args:
        model: Of ELMo, GPT or BERT, as `firth.extract` takes it.
        corpus: The text, as `firth.train` takes it; it is read once.
        words: Whose senses are asked for.
        layer: Whose vectors are grouped; those below 0 count from the last.
        k: How many senses a word has; None finds out, see `clusters.clustered`.
        most: The highest number that is tried.
        topn: Neighbours of each.
        examples: Occurrences that are named of each.
        max_contexts: At most so many occurrences of each word are read.
        seed: Decides which, and on the groups.
        vectors: Among which neighbours are looked for; None is the model's own of this layer, where it has any.
        segmentation: As of `firth.extract`, like the rest: `context_length`, `precision`, `device`, `threads`.
        preparation: How the text is read.
        context_length: The same.
        precision: The same.
        device: The same.
        threads: The same.
        cache_dir: Where the text is kept meanwhile.
        progress: Shows how far the work is.

    Raises:
        UsageError: a static model, whose words have one vector in every context; a number that must be positive.
        FirthError: the corpus cannot be read; a word is not in it, or the model does not know it.
    """
    progress = progress or Silent()
    if vectors is None:
        model = opened(model) if not isinstance(model, str | os.PathLike) else model
    how: dict[str, Any] = {"context_length": context_length, "device": device, "threads": threads}
    asked = read_as_by(prepare(model, layers=[layer], segmentation=segmentation, precision=precision, **how))
    number = asked.layers.numbers[0]
    gathered = list(
        gather(
            asked,
            corpus,
            words,
            max_contexts=max_contexts,
            seed=seed,
            preparation=preparation,
            cache_dir=cache_dir,
            progress=progress,
        )
    )
    among = vectors if vectors is not None else _own_vectors(model, number, progress)
    found = []
    for one in gathered:
        of_word = one.vectors[0]
        groups = clustered(of_word, k, most=most, seed=seed)
        near = [list[tuple[str, float]]()] * groups.k if among is None else _neighbours(among, groups, one.word, topn)
        nearest = unit(of_word) @ groups.centres.T
        told = []
        for group, neighbours_of_it in enumerate(near):
            members = np.flatnonzero(groups.labels == group)
            order = members[np.argsort(-nearest[members, group], kind="stable")][:examples]
            told.append(
                Sense(len(members) / len(of_word), neighbours_of_it, [one.occurrences[place] for place in order])
            )
        found.append(WordSenses(one.word, number, told, groups, one.occurrences))
    return found


def learnt(
    model: Opened,
    corpus: Any,
    words: Sequence[str],
    *,
    layers: str | int | Sequence[int] = "all",
    k: int | None = None,
    most: int = MOST,
    max_contexts: int = OCCURRENCES_OF_MANY,
    seed: int = 1,
    preparation: Preparation | None = None,
    threads: int | None = None,
    device: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> dict[str, list[NDArray[np.float32]]]:
    """The sense vectors of many words: for each that is in the text its centres (k, D), layer by layer.

    Args:
        model: Of ELMo, GPT or BERT, as `firth.extract` takes it.
        corpus: The text, as `firth.train` takes it.
        words: Those that are not in the text have no senses, and are left out.
        layers: As of `firth.extract`.
        k: As of `find_senses`, like the rest.
        most: The same.
        max_contexts: The same.
        seed: The same.
        preparation: The same.
        threads: The same.
        device: The same.
        cache_dir: The same.
        progress: The same.

    Returns:
        By the words as they were given.
    """
    asked = read_as_by(prepare(model, layers=layers, threads=threads, device=device))
    spelt = {word: asked.segmentation.normalize(word.strip()) for word in words}
    gathered = gather(
        asked,
        corpus,
        list(spelt.values()),
        max_contexts=max_contexts,
        seed=seed,
        preparation=preparation,
        cache_dir=cache_dir,
        progress=progress,
        are_needed=False,
    )
    centres = {
        one.word: [clustered(of_layer, k, most=most, seed=seed).centres for of_layer in one.vectors] for one in gathered
    }
    return {word: centres[written] for word, written in spelt.items() if written in centres}


def gather(
    asked: Extraction,
    corpus: Any,
    words: Sequence[str],
    *,
    max_contexts: int = OCCURRENCES,
    seed: int = 1,
    preparation: Preparation | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    are_needed: bool = True,
) -> Iterator[Gathered]:
    """Occurrences of words in a text with their vectors, word by word, the most frequent first.

    Args:
        asked: The model and its layers, as `extraction.prepare` gives it.
        corpus: The text, as `firth.train` takes it; it is read once.
        words: Whose occurrences are asked for.
        max_contexts: At most so many of each are read: a sample of all.
        seed: Decides which.
        preparation: How the text is read.
        cache_dir: Where the text is kept meanwhile.
        progress: Shows how far the work is.
        are_needed: Whether a word that is not there is an error; else it is left out.

    Raises:
        UsageError: a static model, whose words have one vector in every context; a number that must be positive.
        FirthError: the corpus cannot be read; a word is not in it, or the model does not know it.
    """
    if max_contexts < 1:
        raise UsageError(f"max_contexts is {max_contexts}; it must be at least 1")
    if not asked.reader.has_context:
        raise UsageError(f"senses are asked of {asked.reader.name}, whose words have one vector in every context")
    progress = progress or Silent()
    preparation = preparation or Preparation()
    wanted = checked_words(words, asked.segmentation)
    found = corpora.read(corpus, preparation)
    lines = occurrences.lines_of(found)
    with occurrences.kept(asked, lines, cache_dir, progress, words=wanted, fraction=lambda: found.done_share) as store:
        numbers = occurrences.most_frequent(store, len(wanted))
        if are_needed and len(numbers) < len(wanted):
            there = {store.words[number] for number in numbers}
            missing = next(word for word in wanted if word not in there)
            raise FirthError(f"'{printable(missing)}' is not in the text, so that it has no senses there")
        n_bytes = asked.n_layers * asked.dim * 4 * max_contexts
        together = max(1, _BYTES_TOGETHER // n_bytes)
        for first in range(0, len(numbers), together):
            some = numbers[first : first + together]
            with progress.stage("reading contexts") as advance:
                of_words = _read(asked, store, some, max_contexts, seed, advance)
            for number in some.tolist():
                if number in of_words:
                    yield of_words[number]
                elif are_needed:
                    word = printable(str(store.words[number]))
                    raise FirthError(f"'{word}' has no piece that {asked.reader.name} knows, and so no senses")


def _read(
    asked: Extraction, store: Store, numbers: NDArray[np.int64], max_contexts: int, seed: int, advance: Any
) -> dict[int, Gathered]:
    """What was read of some words, by their numbers; those that the model does not know are left out."""
    contexts = occurrences.choose(store, numbers, max_contexts, seed)
    begins = np.append(0, store.line_ends[:-1])
    places = begins[np.repeat(contexts.lines, np.diff(contexts.firsts))] + contexts.places
    order = np.argsort(places, kind="stable")
    places, of_word = places[order], numbers[contexts.rows[order]]
    chosen = occurrences.in_lines(store, places, np.arange(len(places)), np.zeros(len(places), np.int64))
    read = Read(store, chosen)
    vectors = np.full((asked.n_layers, len(places), asked.dim), np.nan, np.float32)
    for some, which in in_context(asked, chosen, read, asked.layers.numbers):
        vectors[:, which] = some
        advance(read.fraction, read.n_words)
    shown = _shown(asked, store, places)
    is_there = ~np.isnan(vectors[0, :, 0])
    found = {}
    for number in numbers.tolist():
        rows = np.flatnonzero((of_word == number) & is_there)
        if len(rows):
            found[number] = Gathered(str(store.words[number]), [shown[row] for row in rows], vectors[:, rows])
    return found


def _shown(asked: Extraction, store: Store, places: NDArray[np.int64]) -> list[Occurrence]:
    """Occurrences in their lines, by their places in the text, in order."""
    lines = np.searchsorted(store.line_ends, places, side="right")
    begins = np.append(0, store.line_ends[:-1])
    shown = []
    cut, cut_line = None, -1
    for place, line in zip(places.tolist(), lines.tolist(), strict=True):
        if cut is None or line != cut_line:
            (cut,) = cuts_of(asked, [store.line(line)])
            cut_line = line
        number = place - int(begins[line])
        start, end = int(cut.starts[number]), int(cut.ends[number])
        before, behind = cut.text[max(0, start - _SHOWN) : start], cut.text[end : end + _SHOWN]
        shown.append(Occurrence(before, cut.text[start:end], behind, line))
    return shown


def _own_vectors(model: Opened, layer: int, progress: Progress) -> Vectors | None:
    """A model's static vectors of a layer; None, which is said, where it has none."""
    why = "it is no model of firth's"
    try:
        found = opened(model)
        vectors = found.vectors if isinstance(found, Model) else None
        if vectors is not None:
            return vectors.layer(layer)
    except FirthError as error:
        why = str(error)
    progress.say(f"senses have no neighbours: {why}")
    return None


def _neighbours(vectors: Vectors, groups: Clusters, word: str, topn: int) -> list[Similar]:
    """The words nearest to each centre, but for the word itself."""
    found = vectors.similar_by_vectors(groups.centres, topn + 1)
    return [[(near, cosine) for near, cosine in of_one if near.lower() != word.lower()][:topn] for of_one in found]


def sense_of(vector: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float64]:
    """How likely a word is of each of its senses (k,), by its vector (D,) in context; they sum to 1.

    By the inverse of the distance 1 - cosine from their centres: Neelakantan et al. 2014, "Efficient Non-parametric
    Estimation of Multiple Embeddings per Word in Vector Space", section 5.2; Huang et al. 2012 say the same of theirs.
    """
    distances = 1 - (unit(centres) @ unit(vector)).astype(np.float64)
    weights = 1 / np.maximum(distances, 1e-6)
    shares: NDArray[np.float64] = weights / weights.sum()
    return shares
