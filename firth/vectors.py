"""Words and their vectors, a matrix for every layer, and what they are asked: neighbours, analogies, scores.

Names follow gensim's KeyedVectors. What differs: an unknown word is an error, so nothing is dropped in silence (two
methods say that they leave unknown words out, `sentence_vector` and `vectors_for_all`, and fail where none is known);
and vectors are a value, so what gensim changes in place comes back as new `Vectors` here.
"""

import copy
import difflib
import functools
import json
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeAlias, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth import evaluation, neighbours
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.files import appearing, check_output, latest_checkpoint, printable, replacing
from firth.formats import safetensors, word2vec
from firth.segmentation import Segmentation, is_written_without_spaces
from firth.vocabulary import Vocabulary

P = ParamSpec("P")
R = TypeVar("R")

Vector: TypeAlias = NDArray[np.float32]
Query: TypeAlias = str | Vector | tuple[str | Vector, float]
Queries: TypeAlias = Query | Iterable[Query]
Similar: TypeAlias = list[tuple[str, float]]

SETTINGS_FILE = "firth.json"
VECTORS_FILE = "vectors.safetensors"
VOCABULARY_FILE = "vocabulary.tsv"

GENSIM_ARGUMENTS = {
    "restrict_vocab": "restrict",
    "clip_start": "restrict=range(start, stop)",
    "clip_end": "restrict=range(start, stop)",
    "case_insensitive": "fold (str.upper, or str for words as they stand)",
    "dummy4unknown": "unknown_similarity (pairs) or accuracy_of_asked (analogies)",
}
GENSIM_ATTRIBUTES = {
    "vector_size": "dim",
    "vectors": "matrix",
    "index_to_key": "words",
    "key_to_index": "row(word)",
    "get_index": "row(word)",
    "has_index_for": "word in vectors",
    "get_vector": "vectors[word]",
    "get_mean_vector": "mean_vector(words)",
    "get_normed_vectors": "unit_normalized().matrix",
    "unit_normalize_all": "unit_normalized()",
    "get_vecattr": "counts[row(word)]",
    "set_vecattr": "Vectors(words, array, counts=counts)",
    "similar_by_key": "similar_by_word",
    "add_vector": "with_vectors(words, array), which returns new vectors",
    "add_vectors": "with_vectors(words, array), which returns new vectors",
    "intersect_word2vec_format": "intersected(Vectors.load(path))",
    "load_word2vec_format": "Vectors.load(path)",
    "save_word2vec_format": "firth.formats.word2vec.write(path, vectors.words, vectors.matrix)",
}

FAMILY_TITLES = {
    "skipgram": "Skip-gram",
    "cbow": "CBOW",
}

N_SPELLINGS = 3
N_NAMED = 5  # of several words that a message is about
SPELLINGS_TRIED = 2_000  # the most frequent that look alike; an error must not take long
LONGEST_EXPLAINED = 50  # characters of an unknown word; what is longer is no misspelt word


def _says_our_names(method: Callable[P, R]) -> Callable[P, R]:
    """`method`, which answers gensim's name of an argument by naming ours."""

    @functools.wraps(method)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in GENSIM_ARGUMENTS.keys() & kwargs.keys():
            raise UsageError(f"{name} is called {GENSIM_ARGUMENTS[name]} here")
        return method(*args, **kwargs)

    return checked


FORMAT_OF_SUFFIX: Mapping[str, Literal["directory", "text", "binary"]] = {
    "": "directory",
    ".txt": "text",
    ".vec": "text",
    ".bin": "binary",
}


class Vectors:
    """Words, a vector for each in every layer, and where they come from.

    The methods answer from the last layer; `vectors.layer(n)` is another one, itself a `Vectors`. A word is looked
    up as it stands, then normalised as the training text was.

    Attributes:
        words: In the order of the rows, the most frequent first as a rule.
        array: Float32 (layer, row, dim), read-only; on disk it stays there until it is touched.
        counts: Int64 (row,), how often each word occurred; None where that is not known.
        segmentation: How text is cut into these words; None where that is not known.
        provenance: How they came about: family, corpus and the like, as in `firth.json`.
    """

    words: list[str]
    array: Vector
    counts: NDArray[np.int64] | None
    segmentation: Segmentation | None
    provenance: dict[str, Any]

    def __init__(
        self,
        words: Sequence[str],
        array: ArrayLike,
        *,
        counts: ArrayLike | None = None,
        segmentation: Segmentation | None = None,
        provenance: dict[str, Any] | None = None,
    ) -> None:
        """Takes words and an array (layer, row, dim), or (row, dim) of one layer; a float32 array is not copied.

        Raises:
            UsageError: shapes that do not fit one another, no word at all, or a word that stands twice.
        """
        self.words = list(words)
        self.array = _layers(array, len(self.words))
        self.counts = None if counts is None else np.asarray(counts, np.int64)
        if self.counts is not None and self.counts.shape != (len(self.words),):
            raise UsageError(f"{len(self.words):,} words have counts of shape {self.counts.shape}")
        self.segmentation = segmentation
        self.provenance = dict(provenance or {})
        self._rows = {word: row for row, word in enumerate(self.words)}
        if len(self._rows) < len(self.words):
            word = next(word for row, word in enumerate(self.words) if self._rows[word] != row)
            raise UsageError(f"the word '{printable(word)}' stands twice among the words")
        self._lengths: Vector | None = None
        self._of_layer: dict[int, Vectors] = {}

    # --- files

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        format: word2vec.Format | Literal["auto"] = "auto",
        limit: int | None = None,
        encoding_errors: str = "strict",
    ) -> "Vectors":
        """The vectors of a directory of ours, memory-mapped, or of a word2vec, fastText (.vec) or GloVe file.

        Args:
            path: The directory or file. A static model's directory gives its input table as layer 0,
                that of an unfinished run the table of its checkpoint.
            format: Of a file: "text", "binary", "glove" (no header), or "auto", which looks.
            limit: Rows taken, from the top; None takes all.
            encoding_errors: Of a file: "strict", "replace" or "ignore", where words are not UTF-8.

        Warns:
            UserWarning: A file has a word twice; its first vector is kept.

        Raises:
            FirthError: nothing is there, it is malformed, or a pickle.
        """
        path = Path(path)
        if path.is_dir():
            return _read_directory(path, limit)
        words, array, repeated = word2vec.read(path, format=format, limit=limit, encoding_errors=encoding_errors)
        if not words:
            raise FirthError(f"{printable(str(path))} holds no words")
        if repeated:
            left_out = f"{len(repeated):,} left out, as their words stood before"
            warnings.warn(f"{printable(str(path))}: {left_out}: {_first_few(repeated)}", stacklevel=2)
        return cls(words, array, provenance={"source": path.name})

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Writes a directory that `load` reads: firth.json, vectors.safetensors, vocabulary.tsv.

        It appears whole or not at all: it is written beside `path` and renamed.

        Args:
            path: A directory that does not exist, or is empty, or is one of ours.
            overwrite: Whether one of ours may be replaced. On Windows this fails while vectors that were loaded
                from it are in use.

        Raises:
            UsageError: `path` exists and may not be written over.
        """
        path = Path(path)
        check_output(path, overwrite=overwrite)
        counts = np.ones(len(self), np.int64) if self.counts is None else np.maximum(self.counts, 1)
        settings = self.provenance | {
            "segmentation": self.segmentation.settings() if self.segmentation else None,
            "counts_known": self.counts is not None,
        }
        with appearing(path) as folder:
            safetensors.write(folder / VECTORS_FILE, {"vectors": self.array})
            Vocabulary(self.words, counts).write(folder / VOCABULARY_FILE)
            with replacing(folder / SETTINGS_FILE) as file:
                json.dump(settings, file, ensure_ascii=False, indent=1)
                file.write("\n")

    # --- words, rows, layers

    @property
    def n_layers(self) -> int:
        """How many matrices there are."""
        return len(self.array)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        dim: int = self.array.shape[2]
        return dim

    @property
    def matrix(self) -> Vector:
        """The matrix that the methods answer from: the last layer's, (row, dim)."""
        last: Vector = self.array[-1]
        return last

    def layer(self, layer: int) -> "Vectors":
        """One layer's matrix, counted from 0, as vectors of their own.

        Raises:
            UsageError: there is no such layer.
        """
        if not 0 <= layer < self.n_layers:
            there_is = "layer 0" if self.n_layers == 1 else f"layers 0 to {self.n_layers - 1}"
            raise UsageError(
                f"layer {layer} asked of {_origin(self.provenance)}, which has {self.n_layers} ({there_is})"
            )
        if layer not in self._of_layer:
            self._of_layer[layer] = self._with_array(self.array[layer : layer + 1], {"layer": layer})
        return self._of_layer[layer]

    def __len__(self) -> int:
        """How many words there are."""
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        """The words."""
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether `word` is known, as it stands or normalised."""
        return isinstance(word, str) and self._known_row(word) is not None

    def __repr__(self) -> str:
        """Their size."""
        layers = "1 layer" if self.n_layers == 1 else f"{self.n_layers} layers"
        return f"Vectors({len(self):,} words, {layers}, dim {self.dim})"

    def row(self, word: str) -> int:
        """The row of `word`.

        Raises:
            UnknownWordError: it has none; the message names what is spelt alike, or a Chinese word's known parts.
        """
        if not isinstance(word, str):
            raise UsageError(f"{word!r} is no word; vectors.matrix[row] is the vector of a row")
        row = self._known_row(word)
        if row is None:
            raise UnknownWordError(_explained(word, self.words, self._rows))
        return row

    def words_of(self, *texts: str) -> list[str]:
        """The words of what someone typed, cut as the training text was.

        A text that is a known word stays whole, even if it holds a space, and so does a known word between white
        space; the rest is segmented. Phrases of the training text are joined: "new york" is `new_york`.

        Args:
            texts: Words or text, such as "new york" or "The king, the queen".

        Returns:
            The words in order: known ones as they stand in `words`, unknown ones normalised. What holds no word, as
            "!", is returned too, for the error that will name it.

        Raises:
            UsageError: no text was given.
        """
        if not texts:
            raise UsageError("no word was given")
        found = []
        phrases = self.segmentation.phrases if self.segmentation else None
        for text in texts:
            words = []
            for piece in [text] if text in self else text.split() or [text]:
                if piece in self:
                    words.append(self.words[self.row(piece)])
                else:
                    words += (self.segmentation.words(piece) if self.segmentation else []) or [piece]
            found += phrases.join(words) if phrases else words
        return found

    def __getitem__(self, words: str | Sequence[str]) -> Vector:
        """The vector (dim,) of a word, or the vectors (word, dim) of several.

        Raises:
            UnknownWordError: a word that is not known.
        """
        rows: int | list[int]
        if isinstance(words, Iterable) and not isinstance(words, str):
            rows = [self.row(word) for word in words]
        else:
            rows = self.row(words)
        found: Vector = self.matrix[rows]
        return found

    # --- neighbours

    @_says_our_names
    def most_similar(
        self,
        positive: Queries | None = None,
        negative: Queries | None = None,
        topn: int = 10,
        restrict: int | range | None = None,
    ) -> Similar:
        """The words nearest to the mean of `positive` less `negative`, with their cosines, best first.

        "a is to b as c is to ?" is `most_similar(positive=[b, c], negative=[a])`, Mikolov et al.'s 3CosAdd. The
        search is exact; of equal cosines the lower row comes first; the words asked about are left out.

        Args:
            positive: A word, a vector (dim,), or several. Words count with length 1, vectors as they stand. A tuple
                (word, weight) counts with that weight.
            negative: The same with the weight -1, unless a tuple says another.
            topn: How many are wanted.
            restrict: Rows searched: the first so many, or a range of them; None searches all.

        Raises:
            UnknownWordError: a word that is not known.
            UsageError: nothing was asked, or a vector of another dim.
        """
        terms = [_weighted(query, 1.0) for query in _each(positive)]
        terms += [_weighted(query, -1.0) for query in _each(negative)]
        if not terms:
            raise UsageError("most_similar was asked about nothing; it takes a word or a vector")
        direction = self._mean([word for word, _ in terms], [weight for _, weight in terms])
        asked = [self.row(word) for word, _ in terms if isinstance(word, str)]
        rows = self._searched(restrict)
        found = neighbours.nearest(
            self.matrix[rows], self._norms()[rows], direction, _at_least_0(topn), _shifted(asked, rows)
        )
        return self._named(found, rows)

    @_says_our_names
    def most_similar_cosmul(
        self,
        positive: Queries | None = None,
        negative: Queries | None = None,
        topn: int = 10,
        restrict: int | range | None = None,
    ) -> Similar:
        """The words near to all of `positive` and far from all of `negative`, by Levy and Goldberg's 3CosMul.

        Levy and Goldberg 2014, "Linguistic Regularities in Sparse and Explicit Word Representations", equation 4.
        No single near or far word dominates as it may in a sum. Arguments as in `most_similar`, without weights.
        """
        near, far = _each(positive), _each(negative)
        if not near:
            raise UsageError("most_similar_cosmul takes at least one word or vector as positive")
        if any(isinstance(query, tuple) for query in (*near, *far)):
            raise UsageError("most_similar_cosmul takes no weights; most_similar does")
        rows = self._searched(restrict)
        found = neighbours.nearest_by_product(
            self.matrix[rows],
            self._norms()[rows],
            self._stacked(near),
            self._stacked(far),
            _at_least_0(topn),
            _shifted([self.row(word) for word in (*near, *far) if isinstance(word, str)], rows),
        )
        return self._named(found, rows)

    @_says_our_names
    def similar_by_word(self, word: str, topn: int = 10, restrict: int | range | None = None) -> Similar:
        """The words nearest to `word`, without it, with their cosines; see `most_similar`."""
        return self.most_similar([word], topn=topn, restrict=restrict)

    @_says_our_names
    def similar_by_vector(self, vector: ArrayLike, topn: int = 10, restrict: int | range | None = None) -> Similar:
        """The words nearest to a vector (dim,), with their cosines; see `most_similar`."""
        return self.most_similar([np.asarray(vector, np.float32)], topn=topn, restrict=restrict)

    @_says_our_names
    def similar_by_words(
        self, words: Sequence[str], topn: int = 10, restrict: int | range | None = None
    ) -> list[Similar]:
        """`similar_by_word` of each of `words`, many to one matrix product."""
        asked = [self.row(word) for word in _several(words)]
        rows = self._searched(restrict)
        return self._named_each(self.matrix[asked], topn, rows, [_shifted([row], rows) for row in asked])

    @_says_our_names
    def similar_by_vectors(
        self, array: ArrayLike, topn: int = 10, restrict: int | range | None = None
    ) -> list[Similar]:
        """`similar_by_vector` of each row of `array` (query, dim), many to one matrix product."""
        queries = np.asarray(array, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise UsageError(f"an array of shape {queries.shape} was given; (query, {self.dim}) is due")
        return self._named_each(queries, topn, self._searched(restrict), ())

    # --- similarities

    def similarity(self, word1: str, word2: str) -> float:
        """The cosine of two words' vectors; 0 where one is all zeros."""
        return _cosine(self[word1], self[word2])

    def distance(self, word1: str, word2: str) -> float:
        """1 less their `similarity`."""
        return 1 - self.similarity(word1, word2)

    def distances(self, word_or_vector: str | Vector, other_words: Sequence[str] = ()) -> Vector:
        """1 less the cosine with each of `other_words`, (word,); without them with all words, (row,)."""
        query = self._vector(word_or_vector)
        if len(other_words):
            others = self[_several(other_words)]
            return 1 - neighbours.cosines(others, neighbours.norms(others), query)
        return 1 - neighbours.cosines(self.matrix, self._norms(), query)

    def n_similarity(self, words1: Sequence[str], words2: Sequence[str]) -> float:
        """The cosine between the mean vectors of two lists of words."""
        return _cosine(self[_several(words1)].mean(axis=0), self[_several(words2)].mean(axis=0))

    def closer_than(self, word1: str, word2: str) -> list[str]:
        """The words that are nearer to `word1` than `word2` is, in the order of their rows."""
        distances = self.distances(word1)
        row = self.row(word1)
        nearer = np.flatnonzero(distances < distances[self.row(word2)])
        return [self.words[other] for other in nearer if other != row]

    def rank(self, word1: str, word2: str) -> int:
        """The place of `word2` among the neighbours of `word1`; 1 is the nearest."""
        return len(self.closer_than(word1, word2)) + 1

    def most_similar_to_given(self, word: str, words: Sequence[str]) -> str:
        """The one of `words` that is nearest to `word`."""
        return words[int(np.argmin(self.distances(word, _several(words))))]

    def relative_cosine_similarity(self, word1: str, word2: str, topn: int = 10) -> float:
        """The cosine of two words over the summed cosines of the `topn` words nearest to `word1`.

        Leeuwenberg et al. 2016, "A Minimally Supervised Approach for Synonym Extraction with Word Embeddings",
        equation 1: synonyms are above 1 / topn.
        """
        nearest = self.similar_by_word(word1, topn)
        if not nearest:
            raise UsageError(f"topn {topn} asked; at least one neighbour is needed to compare with")
        return self.similarity(word1, word2) / sum(cosine for _, cosine in nearest)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """The one of `words` that is furthest from the mean of all of them."""
        return self.rank_by_centrality(words)[-1][1]

    def rank_by_centrality(self, words: Sequence[str]) -> list[tuple[float, str]]:
        """`words` with their cosines with the mean of their directions, the most central first."""
        units = neighbours.unit(self[_several(words)])
        central = units @ neighbours.unit(units.mean(axis=0))
        return sorted(
            zip(central.tolist(), words, strict=True), key=lambda centrality_and_word: -centrality_and_word[0]
        )

    # --- several words at once

    def mean_vector(self, words: Sequence[str | Vector], weights: Sequence[float] | None = None) -> Vector:
        """The weighted mean (dim,) of words' vectors of length 1, and of vectors as they stand.

        It is divided by the sum of the weights' absolute values. The mean of words' vectors as they stand is
        `vectors[words].mean(axis=0)`.
        """
        weights = [1.0] * len(words) if weights is None else weights
        if len(weights) != len(words):
            raise UsageError(f"{len(words)} words and {len(weights)} weights were given")
        return self._mean(_several(words), weights)

    def sentence_vector(self, text: str) -> Vector:
        """The `mean_vector` (dim,) of the known words of `text`, which is cut as the training text was.

        Raises:
            UnknownWordError: none of its words is known.
            UsageError: it has no words.
        """
        words = self.segmentation.words(text) if self.segmentation else text.split()
        if not words:
            raise UsageError(f"there is no word in '{printable(text)}'")
        known = [word for word in words if word in self]
        if not known:
            self.row(words[0])  # raises, and explains
        return self.mean_vector(known)

    def wmdistance(self, document1: Sequence[str], document2: Sequence[str]) -> float:
        """The Word Mover's Distance: how far the words of one document must travel to become the other.

        Kusner et al. 2015. A word carries its share of its document; from word to word it is the Euclidean distance
        of their vectors of length 1.
        """
        from scipy.spatial.distance import cdist  # as SciPy in evaluation.py: not all who ask pay it

        counts1, counts2 = Counter(_several(document1)), Counter(_several(document2))
        costs = cdist(neighbours.unit(self[list(counts1)]), neighbours.unit(self[list(counts2)]))
        shares1, shares2 = (np.array(list(counts.values())) / counts.total() for counts in (counts1, counts2))
        return neighbours.transport_cost(costs, shares1, shares2)

    # --- evaluation

    @_says_our_names
    def evaluate_word_pairs(
        self,
        pairs: str | Path | Iterable[evaluation.WordPair],
        *,
        restrict: int | None = evaluation.RESTRICT,
        fold: evaluation.Fold = str.upper,
        unknown_similarity: float | None = None,
    ) -> evaluation.PairsResult:
        """How cosines correlate with people's scores in a word-pair file; see `evaluation.evaluate_pairs`."""
        if isinstance(pairs, str | Path):
            pairs = evaluation.read_word_pairs(pairs)
        return evaluation.evaluate_pairs(
            self.words,
            self.matrix,
            pairs,
            restrict=restrict,
            fold=fold,
            unknown_similarity=unknown_similarity,
        )

    @_says_our_names
    def evaluate_word_analogies(
        self,
        analogies: str | Path | Iterable[evaluation.Analogy],
        *,
        restrict: int | None = evaluation.RESTRICT,
        fold: evaluation.Fold = str.upper,
    ) -> evaluation.AnalogiesResult:
        """How many questions of an analogy file are answered rightly; see `evaluation.evaluate_analogies`."""
        if isinstance(analogies, str | Path):
            analogies = evaluation.read_analogies(analogies)
        return evaluation.evaluate_analogies(self.words, self.matrix, analogies, restrict=restrict, fold=fold)

    # --- editing: each returns new vectors

    def unit_normalized(self) -> "Vectors":
        """Every vector of every layer scaled to length 1; those of zeros stay."""
        return self._with_array(neighbours.unit(self.array), {})

    def vectors_for_all(self, words: Iterable[str]) -> "Vectors":
        """The vectors of those of `words` that are known, in the order given, each once; the others are left out.

        Raises:
            UnknownWordError: none is known.
            UsageError: no word was given.
        """
        asked = _several(list(dict.fromkeys(words)))
        known = [word for word in asked if word in self]
        if not known:
            raise UnknownWordError(f"none of those asked for is one of the {len(self):,} words: {_first_few(asked)}")
        rows = [self.row(word) for word in known]
        counts = None if self.counts is None else self.counts[rows]
        return Vectors(
            known,
            self.array[:, rows],
            counts=counts,
            segmentation=self.segmentation,
            provenance=self.provenance,
        )

    def with_vectors(self, words: Sequence[str], array: ArrayLike, *, counts: ArrayLike | None = None) -> "Vectors":
        """These vectors with those of `words` added behind, or put in the place of a word that is the same.

        Args:
            words: As they are to stand; they are not normalised.
            array: (layer, word, dim), or (word, dim) where there is one layer.
            counts: Of `words`; without them, counts are unknown as soon as a word is new.
        """
        added = Vectors(words, array, counts=counts)
        self._check_alike(added)
        new_rows = [row for row, word in enumerate(added.words) if word not in self._rows]
        result = np.concatenate([self.array, added.array[:, new_rows]], axis=1)
        all_words = self.words + [added.words[row] for row in new_rows]
        row_of = {word: row for row, word in enumerate(all_words)}
        rows = [row_of[word] for word in added.words]
        result[:, rows] = added.array
        all_counts = None
        if self.counts is not None and (added.counts is not None or not new_rows):
            all_counts = np.concatenate([self.counts, np.zeros(len(new_rows), np.int64)])
            if added.counts is not None:
                all_counts[rows] = added.counts
        return Vectors(
            all_words,
            result,
            counts=all_counts,
            segmentation=self.segmentation,
            provenance=self.provenance,
        )

    def intersected(self, other: "Vectors") -> "Vectors":
        """These words, with the vectors of `other` for those that both have, spelt alike."""
        self._check_alike(other)
        shared = [word for word in self.words if word in other._rows]
        array = self.array.copy()
        array[:, [self._rows[word] for word in shared]] = other.array[:, [other._rows[word] for word in shared]]
        return self._with_array(array, {})

    # --- within

    def _with_array(self, array: Vector, provenance: dict[str, Any]) -> "Vectors":
        """The same words with other vectors; the table of rows is shared."""
        vectors = copy.copy(self)
        vectors.array = _layers(array, len(self))
        vectors.provenance = self.provenance | provenance
        vectors._lengths = None
        vectors._of_layer = {}
        return vectors

    def _known_row(self, word: str) -> int | None:
        row = self._rows.get(word)
        if row is None and self.segmentation is not None:
            row = self._rows.get(self.segmentation.normalize(word))
            if row is None and self.segmentation.phrases is not None:
                split = self.segmentation.split(word)
                if split.names and len(split.starts) == 1:  # all of it is one phrase
                    row = self._rows.get(split.names[0])
        return row

    def _norms(self) -> Vector:
        if self._lengths is None:
            lengths = neighbours.norms(self.matrix)
            finite = np.isfinite(lengths)
            if not finite.all():
                word = self.words[int(np.argmin(finite))]
                raise FirthError(f"the vector of '{printable(word)}' holds a number that is not finite, or too large")
            self._lengths = lengths
        return self._lengths

    def _vector(self, word_or_vector: str | Vector) -> Vector:
        if isinstance(word_or_vector, str):
            return self[word_or_vector]
        vector = np.asarray(word_or_vector, np.float32)
        if vector.shape != (self.dim,):
            raise UsageError(f"a vector of shape {vector.shape} was given; ({self.dim},) is due")
        return vector

    def _mean(self, words: Sequence[str | Vector], weights: Sequence[float]) -> Vector:
        total = sum(abs(weight) for weight in weights)
        if not total:
            raise UsageError("no word was given, or none has a weight; a mean takes at least one")
        mean = np.zeros(self.dim, np.float32)
        for word, weight in zip(words, weights, strict=True):
            vector = self._vector(word)
            mean += np.float32(weight) * (neighbours.unit(vector) if isinstance(word, str) else vector)
        return mean / np.float32(total)

    def _stacked(self, queries: Sequence[Query]) -> Vector:
        """(query, dim), also of none."""
        vectors = [self._vector(query) for query in queries if not isinstance(query, tuple)]
        return np.array(vectors, np.float32).reshape(-1, self.dim)

    def _searched(self, restrict: int | range | None) -> slice:
        if restrict is None:
            return slice(0, len(self))
        rows = restrict if isinstance(restrict, range) else range(restrict)
        if rows.step != 1 or rows.start < 0 or len(rows) == 0:
            raise UsageError(f"restrict={restrict} leaves no rows, or not rows in a row; there are {len(self):,}")
        return slice(rows.start, min(rows.stop, len(self)))

    def _named(self, found: neighbours.Neighbours, rows: slice) -> Similar:
        return [
            (self.words[rows.start + row], score)
            for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True)
        ]

    def _named_each(self, queries: Vector, topn: int, rows: slice, excluded: Sequence[Sequence[int]]) -> list[Similar]:
        found = neighbours.nearest_to_each(self.matrix[rows], self._norms()[rows], queries, _at_least_0(topn), excluded)
        return [self._named(each, rows) for each in found]

    def _check_alike(self, other: "Vectors") -> None:
        if (other.n_layers, other.dim) != (self.n_layers, self.dim):
            raise UsageError(
                f"vectors of {other.n_layers} layers and dim {other.dim} were given; "
                f"these have {self.n_layers} and {self.dim}"
            )

    if not TYPE_CHECKING:  # else a type checker would let every misspelt attribute pass

        def __getattr__(self, name: str) -> Any:
            """Answers gensim's name of an attribute by naming ours."""
            if name in GENSIM_ATTRIBUTES:
                raise AttributeError(f"{name} is called {GENSIM_ATTRIBUTES[name]} here")
            raise AttributeError(f"Vectors has no attribute {name!r}")


# --- directories


def convert(
    source: str | Path,
    target: str | Path,
    *,
    format: Literal["directory", "text", "binary", "glove"] | None = None,
    source_format: word2vec.Format | Literal["auto"] = "auto",
    limit: int | None = None,
    space: str | None = None,
    overwrite: bool = False,
) -> Vectors:
    """The vectors of `source`, written to `target` in another format; of several layers, the last one into a file.

    Args:
        source: A model, a directory of vectors, or a word2vec or GloVe file.
        target: What to write. Its suffix says the format: `.txt` and `.vec` word2vec's text, `.bin` its binary,
            none a directory.
        format: The target's format, where its name does not say it; `glove` is text without a header.
        source_format: The source's, where looking at it is not enough.
        limit: How many words to take, from the top.
        space: What to write for white space inside a word, which files cannot hold.
        overwrite: Whether `target` may be replaced.

    Raises:
        FirthError: the source cannot be read, or a word cannot be written.
        UsageError: the target exists, or its format is unknown.
    """
    target = Path(target)
    chosen = format or FORMAT_OF_SUFFIX.get(target.suffix)
    if chosen is None:
        raise UsageError(
            f"{printable(str(target))}: '{printable(target.suffix)}' is no format's suffix; name the format (--format)"
        )
    vectors = Vectors.load(source, format=source_format, limit=limit)
    if chosen == "directory":
        vectors.save(target, overwrite=overwrite)
        return vectors
    if target.exists() and not overwrite:
        raise UsageError(f"{printable(str(target))} exists; choose another place, or overwrite it")
    word2vec.write(target, vectors.words, vectors.matrix, format=chosen, space=space)
    return vectors


def _read_directory(path: Path, limit: int | None) -> Vectors:
    if limit is not None and limit < 1:
        raise UsageError(f"limit {limit} asked; it counts the rows taken, so at least 1")
    if not (path / SETTINGS_FILE).is_file():
        path = latest_checkpoint(path) or path
    if not (path / VECTORS_FILE).is_file() and any(path.glob("*.hdf5")):
        raise FirthError(
            f"{printable(str(path))} holds an ELMo without vectors of words, which its network makes: "
            "firth.load(...).vectors gives those of its vocabulary, and their save() writes them"
        )
    settings = _read_settings(path)
    vocabulary = Vocabulary.read(path / VOCABULARY_FILE)
    tensors = safetensors.read(path / VECTORS_FILE)
    array = tensors.get("vectors", tensors.get("input"))  # of a static model, the input table
    shown = printable(str(path))
    if array is None:
        raise FirthError(f"{shown}: {VECTORS_FILE} has neither a tensor 'vectors' nor 'input'")
    if array.ndim not in (2, 3) or array.shape[-2] != len(vocabulary):
        raise FirthError(f"{shown}: {VECTORS_FILE} has an array of shape {array.shape} for {len(vocabulary):,} words")
    segmentation = settings.pop("segmentation", None)
    counts_known = settings.pop("counts_known", True)
    return Vectors(
        vocabulary.words[:limit],
        array[..., :limit, :],
        counts=vocabulary.counts[:limit] if counts_known else None,
        segmentation=Segmentation.from_settings(segmentation) if segmentation else None,
        provenance=settings,
    )


def _read_settings(path: Path) -> dict[str, Any]:
    file = path / SETTINGS_FILE
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FirthError(
            f"{printable(str(path))} holds no {SETTINGS_FILE}: it is no model of ours, or its writing was cut off"
        ) from error
    except OSError as error:
        raise FirthError(f"{printable(str(file))} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise FirthError(f"{printable(str(file))} is not JSON: {printable(str(error))}") from error
    if not isinstance(settings, dict):
        raise FirthError(f"{printable(str(file))} holds no settings: a JSON object is due")
    return settings


# --- arguments


def _layers(array: ArrayLike, n_words: int) -> Vector:
    """`array` as read-only float32 (layer, row, dim)."""
    layers = np.asarray(array, np.float32)
    layers = layers[np.newaxis] if layers.ndim == 2 else layers.view()
    if layers.ndim != 3 or 0 in layers.shape or layers.shape[1] != n_words:
        raise UsageError(
            f"{n_words:,} words and an array of shape {np.shape(array)} were given; (row, dim) or "
            f"(layer, row, dim) is due, with at least one word"
        )
    layers.flags.writeable = False
    return layers


def _each(queries: Queries | None) -> list[Query]:
    """One query or several as a list."""
    if queries is None:
        return []
    if isinstance(queries, str):
        return [queries]
    if isinstance(queries, np.ndarray):
        return list(np.atleast_2d(queries))
    if isinstance(queries, tuple) and len(queries) == 2 and isinstance(queries[1], int | float):
        return [queries]
    return list(queries)


def _weighted(query: Query, weight: float) -> tuple[str | Vector, float]:
    return (query[0], query[1]) if isinstance(query, tuple) else (query, weight)


def _several(words: Sequence[Any]) -> Sequence[Any]:
    if isinstance(words, str):
        raise UsageError(f"a list of words is due; ['{printable(words)}'] is one of one word")
    if not len(words):
        raise UsageError("a list of words is due, and it is empty")
    return words


def _at_least_0(topn: int) -> int:
    if topn < 0:
        raise UsageError(f"topn {topn} asked; it counts words, so at least 0")
    return topn


def _shifted(rows: Sequence[int], searched: slice) -> list[int]:
    """Rows of the whole matrix as rows of the part searched; those before it become negative."""
    return [row - searched.start for row in rows]


def _cosine(first: Vector, second: Vector) -> float:
    return float(neighbours.unit(first) @ neighbours.unit(second))


# --- messages


def _origin(provenance: dict[str, Any]) -> str:
    """What has the layers, for a message: "a Skip-gram model"."""
    family = provenance.get("family")
    name = family.get("name") if isinstance(family, dict) else family
    if not isinstance(name, str) or not name:
        return "a set of vectors"
    title = FAMILY_TITLES.get(name, name)
    return f"{'an' if title[0] in 'AEIOaeio' else 'a'} {printable(title)} model"


def _first_few(words: Sequence[str]) -> str:
    """The first of `words`, for a message."""
    shown = ", ".join(printable(str(word)[:LONGEST_EXPLAINED]) for word in words[:N_NAMED])
    return f"{shown}, ..." if len(words) > N_NAMED else shown


def _explained(word: str, words: Sequence[str], known: Collection[str]) -> str:
    """What an unknown word's error says."""
    message = f"'{printable(word[:LONGEST_EXPLAINED])}' is not one of the {len(words):,} words"
    if len(word) > LONGEST_EXPLAINED:
        return message
    parts = _known_parts(word, known) if is_written_without_spaces(word) else []
    if parts:
        whole = "its parts are" if sum(map(len, parts)) == len(word) else "of its parts these are"
        message += f"; {whole}: {' + '.join(parts)}"
    spellings = _nearest_spellings(word, words)
    if spellings:
        message += f"; nearest spellings: {', '.join(map(printable, spellings))}"
    return message


def _nearest_spellings(word: str, words: Sequence[str]) -> list[str]:
    """The words spelt most like `word`, of about its length and with its first or last letter."""
    alike = [
        other
        for other in words
        if -2 <= len(other) - len(word) <= 2 and other and (other[0] == word[:1] or other[-1] == word[-1:])
    ]
    return difflib.get_close_matches(word, alike[:SPELLINGS_TRIED], N_SPELLINGS)


def _known_parts(word: str, known: Collection[str]) -> list[str]:
    """The fewest known words that cover the most of `word`, in its order."""
    # from each character on: how many are left out, the number of parts, the parts
    best: list[tuple[int, int, list[str]]] = [(0, 0, [])] * (len(word) + 1)
    for start in reversed(range(len(word))):
        left_out, n_parts, parts = best[start + 1]
        best[start] = (left_out + 1, n_parts, parts)
        for stop in range(start + 1, len(word) + 1):
            part = word[start:stop]
            left_out, n_parts, parts = best[stop]
            if part in known and (left_out, n_parts + 1) <= best[start][:2]:  # of equals the longest first part
                best[start] = (left_out, n_parts + 1, [part, *parts])
    return best[0][2]
