"""How much the vectors of each layer depend on context: self-similarity, intra-sentence similarity, anisotropy.

Ethayarajh 2019, "How Contextual are Contextualized Word Representations?" (arXiv 1909.00512), section 3. Differs: words
count as they are found by the model's segmentation, and each sentence is a line of the text.

C occurrences of a word, W words of a sentence, D dim; K layers, R words
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth import corpus as corpora
from firth import occurrences
from firth.errors import FirthError, UsageError
from firth.extraction import Opened, prepare
from firth.neighbours import unit
from firth.occurrences import Chosen, Read, Store
from firth.preparation import Preparation
from firth.progress import Progress, Silent
from firth.readers import Precision
from firth.reduction import checked_words, in_context, read_as_by
from firth.segmentation import Method, Segmentation

if TYPE_CHECKING:
    from firth.packing import Pool

LEAST_CONTEXTS: Final = 5
"""Words with fewer have no self-similarity that means much: the paper takes those of 5 unique contexts and more."""


class LayerMeasures(NamedTuple):
    """How a layer's vectors depend on context.

    Attributes:
        layer: Counted from 0, which is what the network makes of its table first.
        self_similarity: The mean over words.
        intra_sentence_similarity: The mean over sentences.
        anisotropy: The mean cosine of words at random places: what the two above would be if context told nothing.
        self_similarity_adjusted: Less the anisotropy.
        intra_sentence_similarity_adjusted: The same.
        n_words: Over how many words the first mean goes.
        n_sentences: Over how many sentences the second.
        n_samples: How many random places there were.
    """

    layer: int
    self_similarity: float
    intra_sentence_similarity: float
    anisotropy: float
    self_similarity_adjusted: float
    intra_sentence_similarity_adjusted: float
    n_words: int
    n_sentences: int
    n_samples: int


def self_similarity(vectors: ArrayLike) -> float:
    """The mean cosine of a word's vectors (C, D) in different contexts: the paper's SelfSim, section 3.1.

        SelfSim(w) = 1 / (n^2 - n) * sum over j, and k other than j, of cos(f(s_j, i_j), f(s_k, i_k))

    Of words at random places, it is the anisotropy of a layer: the baseline of section 3.2.

    Raises:
        UsageError: fewer than two vectors.
    """
    directions = _directions(vectors, 2)
    return float(_mean_cosine(directions.sum(0), np.array(len(directions))))


def intra_sentence_similarity(vectors: ArrayLike) -> float:
    """The mean cosine of the vectors (W, D) of a sentence's words with their mean: the paper's IntraSim, section 3.1.

        IntraSim(s) = 1 / n * sum over i of cos(mean of f(s, .), f(s, i))

    Raises:
        UsageError: no vector.
    """
    directions = _directions(vectors, 1)
    mean = _directions(np.asarray(vectors, np.float64).mean(0, keepdims=True), 1)[0]
    return float(mean @ directions.mean(0))


def layers(
    model: Opened,
    corpus: Any,
    *,
    words: Sequence[str] | None = None,
    top: int = 1_000,
    max_contexts: int = 50,
    sentences: int = 500,
    samples: int = 1_000,
    seed: int = 1,
    pool: "Pool" = "mean",
    segmentation: Segmentation | Method | None = None,
    preparation: Preparation | None = None,
    context_length: int | None = None,
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> list[LayerMeasures]:
    """How much the vectors of each layer depend on context, layer by layer.

    Args:
        model: As `firth.extract` takes it.
        corpus: The text, as `firth.train` takes it; it is read once. A sentence is a line.
        words: Those whose self-similarity counts; None is the most frequent of the text. Of words with fewer than
            LEAST_CONTEXTS contexts it does not.
        top: How many of these.
        max_contexts: At most so many of each word are read.
        sentences: How many lines of two words or more intra-sentence similarity is measured in.
        samples: How many words at random places the anisotropy is measured with.
        seed: Decides which contexts, lines and places.
        pool: As of `firth.extract`, like the rest: `segmentation`, `context_length`, `precision`, `device`, `threads`.
        segmentation: The same.
        preparation: How the text is read.
        context_length: The same.
        precision: The same.
        device: The same.
        threads: The same.
        cache_dir: Where the text is kept meanwhile.
        progress: Shows how far the work is.

    Raises:
        UsageError: a number that is too small.
        FirthError: the corpus cannot be read, or no word has contexts enough.
    """
    for name, number, least in (
        ("top", top, 1),
        ("max_contexts", max_contexts, 2),
        ("sentences", sentences, 1),
        ("samples", samples, 2),
    ):
        if number < least:
            raise UsageError(f"{name} is {number}; it must be at least {least}")
    progress = progress or Silent()
    preparation = preparation or Preparation()
    how: dict[str, Any] = {"context_length": context_length, "device": device, "threads": threads}
    asked = read_as_by(prepare(model, pool=pool, segmentation=segmentation, precision=precision, **how))
    found = corpora.read(corpus, preparation)
    with occurrences.kept(
        asked,
        occurrences.lines_of(found),
        cache_dir,
        progress,
        most_types=preparation.max_types,
        fraction=lambda: found.done_share,
    ) as store:
        numbers = _numbers(store, None if words is None else checked_words(words, asked.segmentation), top)
        if not len(numbers):
            raise FirthError("there are no words in the text" if words is None else "none of the words is in the text")
        chosen = _chosen(store, numbers, max_contexts, sentences, samples, seed)
        read = Read(store, chosen.occurrences)
        n_layers = asked.n_layers
        of_words = _Sums(n_layers, len(numbers), asked.dim)
        of_lines, in_lines = (_Sums(n_layers, len(chosen.lines), asked.dim) for _ in range(2))
        of_samples = _Sums(n_layers, 1, asked.dim)
        with progress.stage("reading contexts") as advance:
            for vectors, which in in_context(asked, chosen.occurrences, read, asked.layers.numbers):
                directions = unit(vectors)
                of_words.add(directions, chosen.words[which])
                of_lines.add(vectors, chosen.sentences[which])
                in_lines.add(directions, chosen.sentences[which])
                of_samples.add(directions, np.where(chosen.are_samples[which], 0, -1))
                advance(read.fraction, read.n_words)
    for sentence in found.faults.sentences():
        progress.say(sentence)
    return _measured(of_words, of_lines, in_lines, of_samples, min(LEAST_CONTEXTS, max_contexts))


class _Roles(NamedTuple):
    """Places of the text that are read, U of them, and what for.

    Attributes:
        occurrences: The lines to read; its rows are places.
        words: (U,) the row of the word that is measured there; -1 of none.
        sentences: (U,) which of the chosen lines it is in; -1 of none.
        are_samples: (U,) whether it is one of the random places.
        lines: (S,) the chosen lines.
    """

    occurrences: Chosen
    words: NDArray[np.int64]
    sentences: NDArray[np.int64]
    are_samples: NDArray[np.bool_]
    lines: NDArray[np.int64]


def _numbers(store: Store, words: Sequence[str] | None, top: int) -> NDArray[np.int64]:
    """The numbers of the words that are measured, which occur."""
    if words is None:
        return occurrences.most_frequent(store, top)
    number_of = {word: number for number, word in enumerate(store.words) if word is not None}
    return np.array([number_of[word] for word in words if word in number_of], np.int64)


def _chosen(
    store: Store, numbers: NDArray[np.int64], max_contexts: int, n_sentences: int, n_samples: int, seed: int
) -> _Roles:
    """The places that are read: contexts of the words, whole lines, and places at random."""
    rng = np.random.default_rng((seed, 1))  # another one than that which chooses contexts
    contexts = occurrences.choose(store, numbers, max_contexts, seed)
    begins = np.append(0, store.line_ends[:-1])
    line_of_context = np.repeat(contexts.lines, np.diff(contexts.firsts))
    of_contexts = begins[line_of_context] + contexts.places
    long_enough = np.flatnonzero(store.line_ends - begins >= 2)
    lines = np.sort(rng.permutation(long_enough)[:n_sentences])
    in_lines = [np.arange(begins[line], store.line_ends[line]) for line in lines]
    of_lines = np.concatenate([*in_lines, np.empty(0, np.int64)]).astype(np.int64)
    of_samples = rng.choice(store.n_tokens, min(n_samples, store.n_tokens), replace=False)
    places = np.unique(np.concatenate([of_contexts, of_lines, of_samples]))
    words, sentences = np.full(len(places), -1, np.int64), np.full(len(places), -1, np.int64)
    words[np.searchsorted(places, of_contexts)] = contexts.rows
    sentences[np.searchsorted(places, of_lines)] = np.repeat(np.arange(len(lines)), [len(line) for line in in_lines])
    are_samples = np.zeros(len(places), np.bool_)
    are_samples[np.searchsorted(places, of_samples)] = True
    read = occurrences.in_lines(store, places, np.arange(len(places)), np.zeros(len(places), np.int64))
    return _Roles(read, words, sentences, are_samples, lines)


class _Sums:
    """Sums of vectors for each of R rows in each of K layers, and how many there were: (K, R, D) and (R,)."""

    def __init__(self, n_layers: int, n_rows: int, dim: int) -> None:
        self.totals = np.zeros((n_layers, n_rows, dim))
        self.n = np.zeros(n_rows, np.int64)

    def add(self, vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        """Takes vectors (K, C, D) of these rows (C,); those of row -1 are passed over."""
        order = np.argsort(rows, kind="stable")[int((rows < 0).sum()) :]
        if not len(order):
            return
        rows = rows[order]
        firsts = np.flatnonzero(np.diff(rows, prepend=-1))
        self.totals[:, rows[firsts]] += np.add.reduceat(vectors[:, order], firsts, axis=1, dtype=np.float64)
        self.n[rows[firsts]] += np.diff(np.append(firsts, len(rows)))


def _measured(
    of_words: _Sums, of_lines: _Sums, in_lines: _Sums, of_samples: _Sums, least_contexts: int
) -> list[LayerMeasures]:
    """The measures of each layer, from sums alone.

    The cosines of n unit vectors with each other sum up to the squared length of their sum, of which n are those with
    themselves; their cosines with a vector, to the product of their sum with its direction.
    """
    have_contexts = of_words.n >= least_contexts
    have_words = of_lines.n >= 2
    if not have_contexts.any():
        raise FirthError(f"no word has {least_contexts} contexts that the model knows it in: give more text")
    if not have_words.any() or of_samples.n[0] < 2:
        raise FirthError("the text is too short: it has no line of two words that the model knows")
    found = []
    for layer in range(len(of_words.totals)):
        own = _mean_cosine(of_words.totals[layer, have_contexts], of_words.n[have_contexts]).mean()
        means = unit(of_lines.totals[layer, have_words]).astype(np.float64)
        shared = np.einsum("sd,sd->s", means, in_lines.totals[layer, have_words]) / in_lines.n[have_words]
        chance = _mean_cosine(of_samples.totals[layer], of_samples.n)[0]
        found.append(
            LayerMeasures(
                layer=layer,
                self_similarity=float(own),
                intra_sentence_similarity=float(shared.mean()),
                anisotropy=float(chance),
                self_similarity_adjusted=float(own - chance),
                intra_sentence_similarity_adjusted=float(shared.mean() - chance),
                n_words=int(have_contexts.sum()),
                n_sentences=int(have_words.sum()),
                n_samples=int(of_samples.n[0]),
            )
        )
    return found


def _mean_cosine(totals: NDArray[np.float64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean cosine of any two of n unit vectors, by their sum: (..., D), (...) -> (...)."""
    squared: NDArray[np.float64] = np.einsum("...d,...d->...", totals, totals)
    return (squared - n) / (n * n - n)


def _directions(vectors: ArrayLike, least: int) -> NDArray[np.float64]:
    """Vectors (n, D) at length 1."""
    array = np.asarray(vectors, np.float64)
    if array.ndim != 2 or len(array) < least:
        raise UsageError(f"vectors of shape {array.shape} were given; (n, dim) is due, n at least {least}")
    lengths = np.linalg.norm(array, axis=1, keepdims=True)
    return array / np.where(lengths > 0, lengths, 1)
