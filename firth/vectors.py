"""Words and their vectors, a matrix for every layer, and what they are asked: neighbours, analogies, scores.

Names follow gensim's KeyedVectors. What differs: an unknown word is an error, so nothing is dropped in silence (two
methods say that they leave unknown words out, `sentence_vector` and `vectors_for_all`, and fail where none is known);
and vectors are a value, so what gensim changes in place comes back as new `Vectors` here.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth import embedding, evaluation, groups, hub, neighbours, stored
from firth.errors import FirthError, UnknownWordError, UsageError
from firth.explanations import GENSIM_ATTRIBUTES, first_few, named_layers, origin, says_our_names, warn_of_repeated
from firth.files import printable
from firth.formats import fasttext, recognition
from firth.formats.recognition import FileFormat
from firth.index import Index
from firth.lexicon import Lexicon
from firth.neighbours import Neighbours
from firth.quantisation import Precision, Quantised
from firth.queries import Queries, Query, Similar, Vector, at_least_0, each, searched, several, weighted
from firth.segmentation import Segmentation
from firth.stack import Stack
from firth.stored import Stored
from firth.subwords import Composed, Subwords
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from torch import nn


class Vectors:
    """Words, a vector for each in every layer, and where they come from.

    The methods answer from the last layer; `vectors.layer(n)` is another one, itself a `Vectors`. A word is looked
    up as it stands, then normalised as the training text was.

    Attributes:
        segmentation: How text is cut into these words; None where that is not known.
        provenance: How they came about: family, corpus and the like, as in `firth.json`.
        subwords: The n-grams that words are composed of; with them, words that are not known have vectors too.
        contexts: Int64 (row,), of how many contexts a vector is the mean; None where that is not known.
        variance: Float32 (layer, row): the mean squared distance of a word's vectors in context from their mean (n - 1
            is divided by; NaN of one context); the higher, the more a word depends on its context. None where that is
            not known.
    """

    segmentation: Segmentation | None
    provenance: dict[str, Any]
    subwords: Subwords | None
    contexts: NDArray[np.int64] | None
    variance: Vector | None

    def __init__(
        self,
        words: Sequence[str] | Vocabulary,
        array: ArrayLike | Quantised,
        *,
        codes: Quantised | None = None,
        counts: ArrayLike | Vocabulary | None = None,
        segmentation: Segmentation | None = None,
        provenance: dict[str, Any] | None = None,
        subwords: Subwords | None = None,
        contexts: ArrayLike | None = None,
        variance: ArrayLike | None = None,
    ) -> None:
        """Takes words and an array (layer, row, dim), or (row, dim) of one layer; a float32 array is not copied.

        Of `Quantised`, rows of float32 are made as they are asked for. `codes` are those of an array of float32, in
        which the nearest rows are looked for before the array ranks them: see `firth.quantisation`.

        Of a `Vocabulary` the words and the table of rows are shared, which take a while to make for a million words; as
        `counts` it stands for its own. It is not looked at before it must be.

        Raises:
            UsageError: shapes that do not fit one another, no word at all, or a word that stands twice.
        """
        words = words if isinstance(words, Vocabulary) else list(words)
        self._stack = Stack(array, len(words), codes)
        self._counted = counts if isinstance(counts, Vocabulary) else None
        if not isinstance(counts, Vocabulary):
            self.counts = None if counts is None else np.asarray(counts, np.int64)
            if self.counts is not None and self.counts.shape != (len(words),):
                raise UsageError(f"{len(words):,} words have counts of shape {self.counts.shape}")
        elif len(counts) != len(words):
            raise UsageError(f"{len(words):,} words have counts of shape ({len(counts)},)")
        self.segmentation = segmentation
        self.provenance = dict(provenance or {})
        self.subwords = subwords
        self.contexts = None if contexts is None else np.asarray(contexts, np.int64)
        self.variance = None if variance is None else np.asarray(variance, np.float32)
        for name, numbers, due in (
            ("contexts", self.contexts, self._stack.shape[1:2]),
            ("variance", self.variance, self._stack.shape[:2]),
        ):
            if numbers is not None and numbers.shape != due:
                raise UsageError(f"{name} of shape {numbers.shape} were given; {due} is due")
        self._lexicon = Lexicon(words, segmentation, keeps_spelling="fasttext" in self.provenance)
        self._of_layer: dict[int, Vectors] = {}

    @property
    def array(self) -> Vector:
        """Float32 (layer, row, dim), read-only; on disk it stays there until it is touched.

        Of vectors that are kept in codes alone it is made when it is first asked for, which queries do without.
        """
        return self._stack.array

    @property
    def codes(self) -> Quantised | None:
        """Int8 codes and scales of the array, in which neighbours are looked for; None where there are none."""
        return self._stack.codes

    @property
    def words(self) -> list[str]:
        """In the order of the rows, the most frequent first as a rule."""
        return self._lexicon.words

    @cached_property
    def counts(self) -> NDArray[np.int64] | None:
        """Int64 (row,), how often each word occurred; None where that is not known."""
        return None if self._counted is None else self._counted.counts

    @cached_property
    def _index(self) -> Index:
        return self._stack.index(self._lexicon)

    # --- files

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        format: FileFormat | Literal["auto"] = "auto",
        limit: int | None = None,
        encoding_errors: str = "strict",
    ) -> "Vectors":
        """The vectors of a directory of ours, memory-mapped, or of a file.

        Files are word2vec's (text, binary), fastText's (.vec, .bin), GloVe's, NumPy's `.npy` with a text file of words
        beside it, the Embedding Projector's pair (.tsv), and Parquet.

        Args:
            path: The directory or file. A static model's directory gives its input table as layer 0,
                that of an unfinished run the table of its checkpoint. `hf:org/name` is a directory on the Hub.
            format: Of a file, such as "glove" (text without a header); "auto" looks at its name and contents.
            limit: Rows taken, from the top; None takes all.
            encoding_errors: Of a file: "strict", "replace" or "ignore", where words are not UTF-8.

        Warns:
            UserWarning: A file has a word twice; its first vector is kept.

        Raises:
            FirthError: nothing is there, it is malformed, or a pickle.
        """
        path = hub.found(path).path
        if path.is_dir():
            return cls(**stored.of_directory(path, limit)._asdict())
        if format == "fasttext" or (format == "auto" and fasttext.is_model(path)):
            return cls(**stored.of_fasttext(path, limit)._asdict())
        words, array, repeated = recognition.read(path, format=format, limit=limit, encoding_errors=encoding_errors)
        if not words:
            raise FirthError(f"{printable(str(path))} holds no words")
        warn_of_repeated(path, repeated)
        return cls(words, array, provenance={"source": path.name})

    def save(self, path: str | Path, *, overwrite: bool = False, precision: Precision | None = None) -> None:
        """Writes a directory that `load` reads: firth.json, vectors.safetensors, vocabulary.tsv.

        It appears whole or not at all: it is written beside `path` and renamed.

        Args:
            path: A directory that does not exist, or is empty, or is one of ours.
            overwrite: Whether one of ours may be replaced. On Windows this fails while vectors that were loaded
                from it are in use.
            precision: `int8` writes each number in one byte, a quarter of the size; see `firth.quantisation`. The
                provenance says so, as of `firth.quantise`. `int8+float32` writes both: neighbours are looked for in the
                bytes, which are all that stays in memory, and ranked by the numbers of the best, on disk. By default it
                is that which the vectors are kept in.

        Raises:
            FirthError: a number is not finite.
            UsageError: `path` exists and may not be written over.
        """
        row = self._stack.row_not_finite()
        if row is not None:
            raise FirthError(f"the vector of '{printable(self.words[row])}' holds a number that is not finite")
        kept = Stored(
            words=self.words,
            array=self._stack.kept,
            codes=self.codes,
            counts=self.counts,
            segmentation=self.segmentation,
            provenance=self.provenance,
            subwords=self.subwords,
            contexts=self.contexts,
            variance=self.variance,
        )
        stored.to_directory(Path(path), kept, precision, overwrite=overwrite)

    # --- words, rows, layers

    @property
    def n_layers(self) -> int:
        """How many matrices there are."""
        return self._stack.shape[0]

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self._stack.shape[2]

    @property
    def matrix(self) -> Vector:
        """The matrix that the methods answer from: the last layer's, (row, dim)."""
        last: Vector = self.array[-1]
        return last

    @property
    def layer_numbers(self) -> list[int]:
        """The number of each matrix in its model, by which `layer` finds it: from 0 on, unless some were left out."""
        told: Any = self.provenance.get("layers")
        if self.n_layers == 1 and "layer" in self.provenance:
            told = [self.provenance["layer"]]
        are_numbers = isinstance(told, list) and all(type(number) is int for number in told)
        if are_numbers and len(told) == len(set(told)) == self.n_layers:
            return list(told)
        return list(range(self.n_layers))

    def layer(self, layer: int) -> "Vectors":
        """One layer's matrix as vectors of their own; matrices that were made of some layers keep these' numbers.

        Args:
            layer: As in its model, counted from 0; see `layer_numbers`.

        Raises:
            UsageError: there is no such layer.
        """
        numbers = self.layer_numbers
        if layer not in numbers:
            raise UsageError(
                f"layer {layer} asked of {origin(self.provenance)}, which has {self.n_layers} ({named_layers(numbers)})"
            )
        if layer not in self._of_layer:
            place = slice(numbers.index(layer), numbers.index(layer) + 1)
            variance = None if self.variance is None else self.variance[place]
            self._of_layer[layer] = self._with(self._stack.layers(place), {"layer": layer}, variance=variance)
        return self._of_layer[layer]

    def __len__(self) -> int:
        """How many words there are."""
        return self._stack.shape[1]

    def __iter__(self) -> Iterator[str]:
        """The words."""
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether `word` is known, as it stands or normalised."""
        return word in self._lexicon

    def has_vector(self, word: str) -> bool:
        """Whether `word` is known, or composed of n-grams of which one is."""
        if word in self or self.subwords is None:
            return word in self
        try:
            return bool(self.from_ngrams(word).known_share)
        except UnknownWordError:
            return False

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
        return self._lexicon.row(word)

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
        return self._lexicon.words_of(texts)

    def __getitem__(self, words: str | Sequence[str]) -> Vector:
        """The vector (dim,) of a word, or the vectors (word, dim) of several.

        Raises:
            UnknownWordError: a word that is not known, and none of whose n-grams is.
        """
        rows: int | list[int]
        if isinstance(words, Iterable) and not isinstance(words, str):
            words = list(words)
            if self.subwords is not None and any(word not in self for word in words):
                return np.stack([self[word] for word in words])
            rows = [self.row(word) for word in words]
        elif self.subwords is not None and isinstance(words, str) and words not in self:
            return self.from_ngrams(words).vector
        else:
            rows = self.row(words)
        return self._index.taken(rows)

    def from_ngrams(self, word: str) -> Composed:
        """What the n-grams of `word` alone say of it, whether it is known or not: `vector` (dim,), and `known_share`.

        The share is that of its n-grams which some known word has: 1 for a known word, and the less, the less the
        vector says. A word that is not known has this vector in every query.

        Raises:
            UnknownWordError: none of its n-grams is known.
            UsageError: these vectors have no n-grams.
        """
        if self.subwords is None:
            raise UsageError("a vector from n-grams was asked of vectors of whole words; train with --subwords 3-6")
        return self.subwords.vector(self._lexicon.as_written(word))

    # --- neighbours

    @says_our_names
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
        terms = [weighted(query, 1.0) for query in each(positive)]
        terms += [weighted(query, -1.0) for query in each(negative)]
        if not terms:
            raise UsageError("most_similar was asked about nothing; it takes a word or a vector")
        direction = self._mean([word for word, _ in terms], [weight for _, weight in terms])
        asked = self._lexicon.found([word for word, _ in terms])
        rows = searched(restrict, len(self))
        return self._named(self._index.nearest(direction, at_least_0(topn), rows, asked), rows)

    @says_our_names
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
        near, far = each(positive), each(negative)
        if not near:
            raise UsageError("most_similar_cosmul takes at least one word or vector as positive")
        if any(isinstance(query, tuple) for query in (*near, *far)):
            raise UsageError("most_similar_cosmul takes no weights; most_similar does")
        rows = searched(restrict, len(self))
        positive, negative = self._stacked(near), self._stacked(far)
        asked = self._lexicon.found([*near, *far])
        return self._named(self._index.nearest_by_product(positive, negative, at_least_0(topn), rows, asked), rows)

    @says_our_names
    def similar_by_word(self, word: str, topn: int = 10, restrict: int | range | None = None) -> Similar:
        """The words nearest to `word`, without it, with their cosines; see `most_similar`."""
        return self.most_similar([word], topn=topn, restrict=restrict)

    @says_our_names
    def similar_by_vector(self, vector: ArrayLike, topn: int = 10, restrict: int | range | None = None) -> Similar:
        """The words nearest to a vector (dim,), with their cosines; see `most_similar`."""
        return self.most_similar([np.asarray(vector, np.float32)], topn=topn, restrict=restrict)

    @says_our_names
    def similar_by_words(
        self, words: Sequence[str], topn: int = 10, restrict: int | range | None = None
    ) -> list[Similar]:
        """`similar_by_word` of each of `words`, many to one matrix product."""
        queries = self[several(words)]
        rows = searched(restrict, len(self))
        asked = [self._lexicon.found([word]) for word in words]
        found = self._index.nearest_to_each(queries, at_least_0(topn), rows, asked)
        return [self._named(one, rows) for one in found]

    @says_our_names
    def similar_by_vectors(
        self, array: ArrayLike, topn: int = 10, restrict: int | range | None = None
    ) -> list[Similar]:
        """`similar_by_vector` of each row of `array` (query, dim), many to one matrix product."""
        queries = np.asarray(array, np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise UsageError(f"an array of shape {queries.shape} was given; (query, {self.dim}) is due")
        rows = searched(restrict, len(self))
        return [self._named(one, rows) for one in self._index.nearest_to_each(queries, at_least_0(topn), rows, ())]

    # --- similarities

    def similarity(self, word1: str, word2: str) -> float:
        """The cosine of two words' vectors; 0 where one is all zeros."""
        return neighbours.cosine(self[word1], self[word2])

    def distance(self, word1: str, word2: str) -> float:
        """1 less their `similarity`."""
        return 1 - self.similarity(word1, word2)

    def distances(self, word_or_vector: str | Vector, other_words: Sequence[str] = ()) -> Vector:
        """1 less the cosine with each of `other_words`, (word,); without them with all words, (row,)."""
        query = self._vector(word_or_vector)
        if len(other_words):
            others = self[several(other_words)]
            return 1 - neighbours.cosines(others, neighbours.norms(others), query)
        return 1 - self._index.cosines(query)

    def n_similarity(self, words1: Sequence[str], words2: Sequence[str]) -> float:
        """The cosine between the mean vectors of two lists of words."""
        return neighbours.cosine(self[several(words1)].mean(axis=0), self[several(words2)].mean(axis=0))

    def closer_than(self, word1: str, word2: str) -> list[str]:
        """The words that are nearer to `word1` than `word2` is, in the order of their rows."""
        distances = self.distances(word1)
        (due,) = self.distances(word1, [word2])
        asked = self._lexicon.found([word1, word2])
        return [self.words[other] for other in np.flatnonzero(distances < due) if other not in asked]

    def rank(self, word1: str, word2: str) -> int:
        """The place of `word2` among the neighbours of `word1`; 1 is the nearest."""
        return len(self.closer_than(word1, word2)) + 1

    def most_similar_to_given(self, word: str, words: Sequence[str]) -> str:
        """The one of `words` that is nearest to `word`."""
        return words[int(np.argmin(self.distances(word, several(words))))]

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
        units = neighbours.unit(self[several(words)])
        central = units @ neighbours.unit(units.mean(axis=0))
        return sorted(
            zip(central.tolist(), words, strict=True), key=lambda centrality_and_word: -centrality_and_word[0]
        )

    def most_varied(self, topn: int = 10, *, least_contexts: int = 5) -> Similar:
        """The words whose vectors differ most from context to context, with their `variance`, the highest first.

        They mean many things, or little by themselves.

        Args:
            topn: How many are wanted.
            least_contexts: Words that were read in fewer contexts are left out, whose variance tells little.

        Raises:
            UsageError: no variance is known, as of static models.
        """
        if self.variance is None:
            raise UsageError("no variance is known of these vectors: `firth matrices` measures it, over contexts")
        varied = np.nan_to_num(self.variance[-1], nan=-1.0)
        if self.contexts is not None:
            varied = np.where(self.contexts < least_contexts, np.float32(-1), varied)
        rows = neighbours.best(varied, at_least_0(topn))
        return [(self._lexicon.word(row), float(varied[row])) for row in rows.tolist() if varied[row] >= 0]

    # --- several words at once

    def mean_vector(self, words: Sequence[str | Vector], weights: Sequence[float] | None = None) -> Vector:
        """The weighted mean (dim,) of words' vectors of length 1, and of vectors as they stand.

        It is divided by the sum of the weights' absolute values. The mean of words' vectors as they stand is
        `vectors[words].mean(axis=0)`.
        """
        weights = [1.0] * len(words) if weights is None else weights
        if len(weights) != len(words):
            raise UsageError(f"{len(words)} words and {len(weights)} weights were given")
        return self._mean(several(words), weights)

    def sentence_vector(self, text: str) -> Vector:
        """The `mean_vector` (dim,) of the known words of `text`, which is cut as the training text was.

        It is a mean of directions: each word's vector has length 1 first. `Model.sentence_vector` and `firth.extract`
        take the mean of the vectors as they stand, in which long ones count more.

        Raises:
            UnknownWordError: none of its words is known.
            UsageError: it has no words.
        """
        words = self.segmentation.words(text) if self.segmentation else text.split()
        if not words:
            raise UsageError(f"there is no word in '{printable(text)}'")
        known = [word for word in words if self.has_vector(word)]
        if not known:
            self[words[0]]  # raises, and explains
        return self.mean_vector(known)

    def wmdistance(self, document1: Sequence[str], document2: Sequence[str]) -> float:
        """The Word Mover's Distance: how far the words of one document must travel to become the other.

        Kusner et al. 2015. A word carries its share of its document; from word to word it is the Euclidean distance
        of their vectors of length 1.
        """
        from scipy.spatial.distance import cdist  # as SciPy in evaluation.py: not all who ask pay it

        counts1, counts2 = Counter(several(document1)), Counter(several(document2))
        costs = cdist(neighbours.unit(self[list(counts1)]), neighbours.unit(self[list(counts2)]))
        shares1, shares2 = (np.array(list(counts.values())) / counts.total() for counts in (counts1, counts2))
        return neighbours.transport_cost(costs, shares1, shares2)

    # --- evaluation

    @says_our_names
    def evaluate_word_pairs(
        self,
        pairs: str | Path | Iterable[evaluation.WordPair],
        *,
        restrict: int | None = evaluation.RESTRICT,
        fold: evaluation.Fold = str.upper,
        unknown_similarity: float | None = None,
    ) -> evaluation.PairsResult:
        """How cosines correlate with people's scores in a word-pair file; see `evaluation.evaluate_pairs`.

        With n-grams, any word has a vector, if one of its n-grams is known: those beyond `restrict` have their own, and
        of those that are in no row the result says the number, `n_composed`. Where no word has capitals, and `fold`
        takes capitals and small letters as the same, they are composed of small letters.
        """
        pairs = evaluation.read_word_pairs(pairs) if isinstance(pairs, str | Path) else list(pairs)
        spelt = self._composed((word for pair in pairs for word in pair[:2]), restrict, fold)
        result = evaluation.evaluate_pairs(
            *self._looked_at(restrict),
            pairs,
            restrict=restrict,
            fold=fold,
            unknown_similarity=unknown_similarity,
            others=self._vectors_of(spelt),
        )
        answered = {word for pair in pairs if {*pair[:2]}.isdisjoint(result.unknown) for word in pair[:2]}
        return result._replace(n_composed=sum(word in answered and spelt[word] not in self for word in spelt))

    @says_our_names
    def evaluate_word_analogies(
        self,
        analogies: str | Path | Iterable[evaluation.Analogy],
        *,
        restrict: int | None = evaluation.RESTRICT,
        fold: evaluation.Fold = str.upper,
        method: evaluation.Method = "3cosadd",
    ) -> evaluation.AnalogiesResult:
        """How many questions of an analogy file are answered rightly; see `evaluation.evaluate_analogies`."""
        if isinstance(analogies, str | Path):
            analogies = evaluation.read_analogies(analogies)
        return evaluation.evaluate_analogies(
            *self._looked_at(restrict), analogies, restrict=restrict, fold=fold, method=method
        )

    def evaluate_outliers(
        self,
        outliers: str | Path | Iterable[groups.Group],
        *,
        restrict: int | None = None,
        fold: evaluation.Fold = str.upper,
    ) -> groups.OutliersResult:
        """How often the word that does not belong to a group is found; see `groups.evaluate_outliers`."""
        asked = groups.read_outliers(outliers) if isinstance(outliers, str | Path) else list(outliers)
        words = (word for group in asked for word in (*group.members, *group.outliers))
        others = self._vectors_of(self._composed(words, restrict, fold))
        return groups.evaluate_outliers(*self._looked_at(restrict), asked, restrict=restrict, fold=fold, others=others)

    def evaluate_categories(
        self,
        categories: str | Path | Iterable[groups.Category],
        *,
        restrict: int | None = None,
        fold: evaluation.Fold = str.upper,
        seed: int = 1,
    ) -> groups.CategoriesResult:
        """How pure the clusters are that words fall into; see `groups.evaluate_categories`."""
        asked = groups.read_categories(categories) if isinstance(categories, str | Path) else list(categories)
        others = self._vectors_of(self._composed((entry.word for entry in asked), restrict, fold))
        return groups.evaluate_categories(
            *self._looked_at(restrict), asked, restrict=restrict, fold=fold, others=others, seed=seed
        )

    def _looked_at(self, restrict: int | None) -> tuple[list[str], Vector]:
        """The first words, and their vectors."""
        return self.words[:restrict], self._index.taken(slice(0, restrict))

    def _composed(self, asked: Iterable[str], restrict: int | None, fold: evaluation.Fold) -> dict[str, str]:
        """Those not among the first words of which n-grams make a vector, and how these should spell each."""
        if self.subwords is None:
            return {}
        row_of = evaluation.folded_rows(self.words, restrict, fold)
        spelt = evaluation.spelt_alike((word for word in asked if fold(word) not in row_of), self.words, fold)
        return {word: spelling for word, spelling in spelt.items() if self.has_vector(spelling)}

    def _vectors_of(self, spelt: dict[str, str]) -> dict[str, Vector]:
        return {word: self[spelling] for word, spelling in spelt.items()}

    # --- editing: each returns new vectors

    def unit_normalized(self) -> "Vectors":
        """Every vector of every layer scaled to length 1; those of zeros stay. N-grams stay behind."""
        return self._with(Stack(neighbours.unit(self.array), len(self)), {}, subwords=None)

    def vectors_for_all(self, words: Iterable[str]) -> "Vectors":
        """The vectors of those of `words` that are known, in the order given, each once; the others are left out.

        Of vectors with n-grams those of words never seen are among them, and the n-grams themselves stay behind.

        Raises:
            UnknownWordError: none is known.
            UsageError: no word was given.
        """
        asked = several(list(dict.fromkeys(words)))
        known = [word for word in asked if self.has_vector(word)]
        if not known:
            raise UnknownWordError(f"none of those asked for is one of the {len(self):,} words: {first_few(asked)}")
        if not all(word in self for word in known):  # of n-grams, so one layer
            return Vectors(known, self[known], segmentation=self.segmentation, provenance=self.provenance)
        rows = [self.row(word) for word in known]
        return Vectors(
            known,
            self.array[:, rows],
            counts=None if self.counts is None else self.counts[rows],
            segmentation=self.segmentation,
            provenance=self.provenance,
            contexts=None if self.contexts is None else self.contexts[rows],
            variance=None if self.variance is None else self.variance[:, rows],
        )

    def with_vectors(self, words: Sequence[str], array: ArrayLike, *, counts: ArrayLike | None = None) -> "Vectors":
        """These vectors with those of `words` added behind, or put in the place of a word that is the same.

        N-grams stay behind: what they make of a word that was never seen would not fit the vectors that are put here.

        Args:
            words: As they are to stand; they are not normalised.
            array: (layer, word, dim), or (word, dim) where there is one layer.
            counts: Of `words`; without them, counts are unknown as soon as a word is new.
        """
        added = Vectors(words, array, counts=counts)
        self._check_alike(added)
        new_rows = [row for row, word in enumerate(added.words) if word not in self._lexicon.rows]
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
        """These words, with the vectors of `other` for those that both have, spelt alike; n-grams stay behind."""
        self._check_alike(other)
        ours, theirs = self._lexicon.rows, other._lexicon.rows
        shared = [word for word in self.words if word in theirs]
        array = self.array.copy()
        array[:, [ours[word] for word in shared]] = other.array[:, [theirs[word] for word in shared]]
        return self._with(Stack(array, len(self)), {}, subwords=None)

    # --- other libraries

    def to_embedding(
        self, *, padding: bool = True, unknown: embedding.Unknown | None = "mean", freeze: bool = True
    ) -> "tuple[nn.Embedding, embedding.Rows]":
        """A `torch.nn.Embedding` of the last layer's matrix, and the row of each word in it.

        `rows[word]` is the row of a word, `rows.ids(sentences)` the tensor that the embedding takes. A one-hot row
        times `embedding.weight` is the lookup.

        Args:
            padding: Whether row 0 is one of zeros that never learns, to fill up short sentences with.
            unknown: What the row of words that are not known holds, the `mean` of all words' vectors, or `zeros`; None
                makes no such row, so that an unknown word is an error.
            freeze: Whether training leaves the vectors as they are.

        Raises:
            FirthError: torch is not installed.
        """
        layer, padding_row, unknown_row = embedding.layer_of(
            self.matrix, padding=padding, unknown=unknown, freeze=freeze
        )
        rows = embedding.Rows(
            self.words, padding=padding_row, unknown=unknown_row, known_row=self._lexicon.find, row=self.row
        )
        return layer, rows

    # --- within

    def __getstate__(self) -> dict[str, Any]:
        """What is copied and sent to other processes: not what would be made again of the array, and holds it too."""
        state = vars(self) | {"_of_layer": {}}
        state.pop("_index", None)
        return state

    def _with(self, stack: Stack, provenance: dict[str, Any], **changes: Any) -> "Vectors":
        """The same words with other vectors; the table of rows is shared."""
        vectors = copy.copy(self)
        vectors._stack = stack
        vars(vectors).pop("_index", None)
        vectors.provenance = self.provenance | provenance
        vectors._of_layer = {}
        vars(vectors).update({"variance": None} | changes)  # of other vectors
        return vectors

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

    def _named(self, found: Neighbours, rows: slice) -> Similar:
        return [
            (self._lexicon.word(rows.start + row), score)
            for row, score in zip(found.rows.tolist(), found.scores.tolist(), strict=True)
        ]

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
