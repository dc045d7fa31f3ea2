"""What the API is asked and what it answers, field by field: its OpenAPI document is made of this file."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Word = Annotated[str, Field(min_length=1, max_length=200)]
Of = Annotated[str, Field(min_length=1, max_length=300)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Topn = Annotated[int, Field(ge=1, le=200)]
Layer = Annotated[int, Field(ge=0, le=999)]
Point = Annotated[list[float | None], Field(min_length=2, max_length=2)]


class Asked(BaseModel):
    """A question: no field beside those named, and each of its own kind."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """An answer."""


# --- questions


class NeighboursAsked(Asked):
    """Words, and the matrices that are asked for their neighbours; of no matrix, the last one of every model."""

    words: Annotated[list[Word], Field(min_length=1, max_length=64)]
    of: Annotated[list[Of], Field(max_length=32)] = []
    topn: Topn = 10


class SimilarityAsked(Asked):
    """Pairs of words."""

    pairs: Annotated[list[Annotated[list[Word], Field(min_length=2, max_length=2)]], Field(min_length=1, max_length=64)]
    of: Annotated[list[Of], Field(max_length=32)] = []


class ContextsAsked(Asked):
    """Sentences, whose words get a vector for each of `layers`; of none, for every layer.

    Words times layers times dimensions may be 2,000,000 at most.
    """

    model: Of
    sentences: Annotated[list[Text], Field(min_length=1, max_length=32)]
    layers: Annotated[list[Layer], Field(min_length=1, max_length=64)] | None = None
    vectors: bool = True


class ConcordanceAsked(Asked):
    """A word whose sentences are asked for."""

    word: Word
    most: Annotated[int, Field(ge=1, le=1_000)] = 200
    seed: Seed = 1


class OccurrencesAsked(ConcordanceAsked):
    """A word whose occurrences are asked for as points."""

    model: Of
    senses: Annotated[int, Field(ge=1, le=8)] | None = None
    sense_layer: Layer | None = None


class MapAsked(Asked):
    """A map by UMAP that is to be made."""

    model: Of
    layer: Layer | None = None
    method: Literal["umap"] = "umap"
    limit: Annotated[int, Field(ge=3, le=50_000)] = 50_000


class MoversAsked(Asked):
    """Two models of which the words that moved most are asked for."""

    old: Of
    new: Of
    layer: Layer | None = None
    topn: Topn = 50


class LayersAsked(Asked):
    """A model whose layers are to be measured."""

    model: Of


class HeatmapAsked(Asked):
    """Words, or sentences, whose cosines with each other are asked for."""

    of: Of
    words: Annotated[list[Word], Field(min_length=1, max_length=64)] | None = None
    sentences: Annotated[list[Text], Field(min_length=1, max_length=32)] | None = None


# --- answers


class Fault(Told):
    """Why there is no answer; of a word that is not known, that word, what is spelt like it, and its known parts.

    `code` names the fault whatever the language, and `values` are what it is about.
    """

    error: str
    what_to_do: str
    code: str | None = None
    values: dict[str, str | int] | None = None
    word: str | None = None
    spellings: list[str] | None = None
    parts: list[str] | None = None


class Progressing(Told):
    """The work is under way: ask the same again in a second."""

    state: Literal["working"]
    what: str
    done: float | None


class ModelTold(Told):
    """A model that is shown: the layers that it has matrices of, and those of the network that reads sentences."""

    name: str
    family: str
    layers: list[int]
    network_layers: list[int]
    dim: int | None
    n_words: int
    has_vectors: bool
    has_counts: bool
    in_context: bool
    seed: int | None
    hyperparameters: dict[str, Any]
    segmentation: str | None
    has_log: bool
    finished: bool
    note: str | None


class TriedTold(Told):
    """Words of two senses that a corpus offers to begin with, and the models that tell them apart."""

    words: list[str]
    models: list[str]


class CorpusTold(Told):
    """The corpus whose sentences are shown."""

    name: str
    state: Literal["ready", "working", "failed"]
    done: float | None
    n_words: int
    n_types: int
    n_lines: int
    n_documents: int
    columns: list[str]
    tried: TriedTold
    error: str | None


class ModelsTold(Told):
    """What is shown."""

    version: str
    models: list[ModelTold]
    corpus: CorpusTold | None
    limits: dict[str, int]
    umap: bool


class WordTold(Told):
    """A word."""

    word: str
    count: int | None
    row: int


class WordsTold(Told):
    """The words that begin so; of the corpus, where no model is named."""

    model: str | None
    prefix: str
    words: list[WordTold]


class SpellingsTold(Told):
    """What is spelt like a word."""

    model: str
    word: str
    known: bool
    spellings: list[str]


class NeighbourTold(WordTold):
    """A neighbour."""

    cosine: float | None


class Column(Told):
    """What a matrix knows; where it does not know the word, why, what is spelt like it, and its known parts."""

    of: str
    model: str
    family: str
    layer: int
    known: bool
    word: str | None = None
    error: str | None = None
    spellings: list[str] | None = None
    parts: list[str] | None = None
    python: str | None = None


class NeighboursColumn(Column):
    """The neighbours of a word in a matrix."""

    count: int | None = None
    rank: int | None = None
    from_ngrams: bool | None = None
    neighbours: list[NeighbourTold]


class Overlap(Told):
    """How many neighbours two matrices share."""

    a: str
    b: str
    shared: int
    jaccard: float | None


class NeighboursTold(Told):
    """The neighbours of a word."""

    word: str
    topn: int
    columns: list[NeighboursColumn]
    overlaps: list[Overlap]
    python: str


class NeighboursOfMany(Told):
    """Those of several."""

    answers: list[NeighboursTold]


class SimilarityColumn(Column):
    """The cosine of two words in a matrix."""

    cosine: float | None


class SimilarityTold(Told):
    """The cosine of two words."""

    word1: str
    word2: str
    columns: list[SimilarityColumn]


class SimilarityOfMany(Told):
    """Those of several pairs."""

    answers: list[SimilarityTold]


class AnalogyPicture(Told):
    """The four words of an analogy in the plane of their first two principal components."""

    words: list[str]
    points: list[Point]
    explained: float | None


class AnalogyColumn(Column):
    """The answers of a matrix, and the true rank of the one that was expected, among `of_words`."""

    answers: list[NeighbourTold]
    rank: int | None
    of_words: int | None
    picture: AnalogyPicture | None


class AnalogyTold(Told):
    """a is to b as c is to what."""

    a: str
    b: str
    c: str
    expected: str | None
    topn: int
    columns: list[AnalogyColumn]


class VectorColumn(Column):
    """The vector of a word in a matrix."""

    vector: list[float | None] | None


class VectorTold(Told):
    """The vectors of a word."""

    word: str
    columns: list[VectorColumn]


class SentenceTold(Told):
    """The words of a sentence, the places of those not known, and vectors (layer, word, dim)."""

    words: list[str]
    unknown: list[int]
    vectors: list[list[list[float | None]]] | None = None


class ContextsTold(Told):
    """Sentences with vectors in context."""

    model: str
    layers: list[int]
    sentences: list[SentenceTold]
    python: str


class OccurrenceTold(Told):
    """A word in a sentence: it stands from character `start` to before `end`."""

    id: int
    line: int
    document: int
    text: str
    start: int
    end: int
    columns: dict[str, str | None]
    sense: int | None = None


class ConcordanceTold(Told):
    """Sentences of a word."""

    word: str
    total: int
    shown: int
    seed: int
    occurrences: list[OccurrenceTold]
    columns: dict[str, list[str]]
    python: str


class SenseTold(Told):
    """A sense: how many occurrences it has, and the words that tell it from the others."""

    sense: int
    size: int
    words: list[str]


class SensesTold(Told):
    """The senses of a word, and by which layer they were told apart."""

    n: int
    layer: int
    silhouette: float | None
    chosen: str
    of: list[SenseTold]


class OccurrencesTold(ConcordanceTold):
    """Occurrences as points of each layer."""

    model: str
    kind: Literal["layers", "around"]
    layers: list[int]
    points: list[list[Point]]
    explained: list[float | None]
    trustworthiness: list[float | None]
    self_similarity: list[float | None]
    senses: SensesTold


class MapTold(Told):
    """A map of a vocabulary, or how far it is; the points and words stand at two other addresses."""

    model: str
    layer: int
    method: Literal["pca", "umap"]
    seed: int
    state: Literal["ready", "absent", "working"]
    what: str | None = None
    done: float | None = None
    n: int | None = None
    points: str | None = None
    words: str | None = None
    trustworthiness: float | None = None
    judging: bool | None = None
    k: int | None = None
    sample: int | None = None
    explained: list[float | None] | None = None
    python: str | None = None


class MapWordsTold(Told):
    """The words of a map, in the order of its points."""

    words: list[str]
    counts: list[int] | None


class MoverTold(Told):
    """A word, and how far it moved."""

    word: str
    movement: float | None
    old_count: int | None
    new_count: int | None
    old_neighbours: list[tuple[str, float | None]]
    new_neighbours: list[tuple[str, float | None]]


class MoversTold(Told):
    """The words that moved most."""

    old: str
    new: str
    layer: int | None
    movers: list[MoverTold]
    python: str


class LayerTold(Told):
    """How much a layer depends on context; see `firth.layers`."""

    layer: int
    self_similarity: float | None
    intra_sentence_similarity: float | None
    anisotropy: float | None
    self_similarity_adjusted: float | None
    intra_sentence_similarity_adjusted: float | None
    n_words: int
    n_sentences: int
    n_samples: int


class ProbeScore(Told):
    """The score of a probe on a layer."""

    layer: int
    score: float | None


class ProbeTold(Told):
    """What a probe found."""

    task: str
    measure: str
    scores: list[ProbeScore]


class LayersTold(Told):
    """What is known of a model's layers, and in how many sentences of which corpus they were measured."""

    model: str
    seed: int
    corpus: str | None
    n_measured: int | None
    layers: list[LayerTold]
    probes: list[ProbeTold]
    python: str


class RunTold(Told):
    """A training."""

    model: str
    family: str
    finished: bool
    n_entries: int
    live: bool


class RunsTold(Told):
    """The trainings that are known."""

    runs: list[RunTold]


class LogTold(Told):
    """What a training has said, from one entry on; `next` is the one to ask for next."""

    model: str
    family: str
    finished: bool
    next: int
    entries: list[dict[str, Any]]
    keys: list[str]
    python: str


class UnknownTold(Told):
    """A word that is not known."""

    word: str
    spellings: list[str]


class HeatmapTold(Told):
    """Cosines of words or sentences with each other."""

    of: str
    model: str
    layer: int
    labels: list[str]
    cosines: list[list[float | None]]
    unknown: list[UnknownTold]
    python: str
