"""A trained model: family, vocabulary, network, and where it came from; a directory on disk."""

import hashlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth import hub, readers
from firth.characters import Characters
from firth.errors import FirthError, UsageError, needing_torch
from firth.families.family import from_settings, settings
from firth.files import appearing, check_output, latest_checkpoint, printable, replacing
from firth.formats import fasttext, safetensors, word2vec
from firth.formats.directory import MATRICES
from firth.parts import SentencePool, asked_of, extracted
from firth.segmentation import Segmentation
from firth.subwords import Ngrams, Subwords, compose_all
from firth.vectors import Vectors
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from firth.pieces import Pieces


class _Families(Mapping[str, type]):
    """The classes of the families by name, imported when one is asked for: some need PyTorch."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._homes = homes

    def __getitem__(self, name: str) -> type:
        module, _, cls = self._homes[name].rpartition(".")
        with needing_torch(f"family {name!r}"):
            found: type = getattr(import_module(f"firth.families.{module}"), cls)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._homes)

    def __len__(self) -> int:
        return len(self._homes)


FAMILIES: Final[Mapping[str, type]] = _Families(
    {
        "skipgram": "skipgram.Skipgram",
        "cbow": "cbow.CBOW",
        "glove": "glove.GloVe",
        "elmo": "elmo.ELMo",
        "gpt": "gpt.GPT",
        "bert": "bert.BERT",
    }
)
"""The families that a directory may hold, by the name in its firth.json."""

CONTEXTUAL: Final = frozenset({"elmo", "gpt", "bert"})
"""Those whose vectors depend on the context: PyTorch trains them."""

COUNTING: Final = frozenset({"glove"})
"""Those that are trained on counts of pairs of words."""

OF_PIECES: Final = frozenset({"gpt", "bert"})
"""Those that read pieces of words."""

NETWORK: Final = (
    *("dim", "n_layers", "n_heads", "n_positions", "n_segments", "norm", "activation", "norm_epsilon"),
    *("cell_dim", "character_dim", "filters", "n_highway", "max_characters", "cell_clip", "projection_clip"),
    "residual",
)
"""The hyperparameters of contextual families that say what their network is, and not how it is trained."""

TRAINED_BEFORE: Final = "trained_before"
"""What a record calls the parts of a network that its training left as they were, and that came trained."""

FORMAT: Final = 1
_WORDS_AT_ONCE: Final = 1024  # through the character encoder
_NO_WORD: Final = "!!!MAXTERMID"  # a line of bilm-tf's vocabularies


class Words(NamedTuple):
    """The tokens of a static model."""

    vocabulary: Vocabulary  # V words with their rows
    segmentation: Segmentation  # how text became words; queries are treated alike

    @property
    def n_entries(self) -> int:
        """V, as pieces call it."""
        return len(self.vocabulary)


class Model:
    """What training leaves: the network, and all that is needed to use it and to go on.

    Attributes:
        family: The hyperparameters.
        tokens: What the rows of the table stand for: `Words`, or the `Pieces` of GPT and BERT. A published ELMo may
            come without words: then there are none, and any can be read.
        network: The two tables of a static family; the PyTorch module of a contextual one.
        record: How the model came about, as JSON: corpus fingerprint, budget spent, seed, versions, the mean
            loss over the last tenth of the budget and over all of it.
        log: One entry for each report of the training, as `log.jsonl` has them.
        matrices: Of a contextual model: the static vectors of words, a matrix for each layer, as `firth.matrices` makes
            them; None where there are none.
    """

    def __init__(
        self,
        family: Any,
        tokens: "Words | Pieces",
        network: Any,
        record: Mapping[str, Any],
        log: Sequence[Mapping[str, Any]] = (),
        matrices: Vectors | None = None,
    ) -> None:
        """A model of these parts; nothing is copied."""
        self.family = family
        self.tokens = tokens
        self.network = network
        self.record = dict(record)
        self.log = [dict(entry) for entry in log]
        self.matrices = matrices

    def __repr__(self) -> str:
        """The family with its hyperparameters, and the size of the vocabulary."""
        if isinstance(self.tokens, Words):
            return f"<Model {self.family} of {len(self.vocabulary):,} words>"
        return f"<Model {self.family} of {self.tokens.n_entries:,} pieces>"

    @property
    def vocabulary(self) -> Vocabulary:
        """The words with their rows.

        Raises:
            UsageError: the model reads pieces of words.
        """
        return self._words("vocabulary of words").vocabulary

    @property
    def segmentation(self) -> Segmentation:
        """How text became words.

        Raises:
            UsageError: the model reads pieces of words.
        """
        return self._words("segmentation into words").segmentation

    @property
    def pieces(self) -> "Pieces":
        """The tokenizer of a contextual model.

        Raises:
            UsageError: the model reads whole words.
        """
        if isinstance(self.tokens, Words):
            raise UsageError(f"pieces asked of a {self.family.name} model, which reads whole words: model.vocabulary")
        return self.tokens

    @property
    def vectors(self) -> Vectors:
        """The word vectors, a matrix for each layer.

        Of a static model: one matrix (layer 0), which shares its memory with `table()`. Of a contextual one `matrices`,
        n_layers + 1 of them: layer 0 is its table, pieces pooled to words; in the others a word has the mean of what it
        is in its contexts.

        Raises:
            FirthError: it is contextual, and has none: it was published so, trained without, or is unfinished.
        """
        if self.family.name not in CONTEXTUAL:
            return self._static
        if self.matrices is None:
            raise FirthError(
                f"this {self.family.name} model has no static vectors of words; `firth matrices MODEL --corpus CORPUS` "
                "makes them from a corpus"
            )
        return self.matrices

    @cached_property
    def _static(self) -> Vectors:
        return Vectors(
            self.vocabulary,
            self.table()[np.newaxis],
            counts=self.vocabulary,
            segmentation=self.segmentation,
            provenance={"family": settings(self.family), **self.record},
            subwords=self._subwords(),
        )

    def _subwords(self) -> Subwords | None:
        """What the words of a static model are composed of, if they are."""
        ngrams = Ngrams.of(vars(self.family))
        if ngrams is None:
            return None
        return Subwords(ngrams, self.vocabulary.words, self.network.words, self.network.ngrams)

    def table(self) -> NDArray[np.float32]:
        """(V, D): the weight matrix behind the one-hot input. A one-hot row times it is the lookup.

        Rows are words; of GPT and BERT pieces, and behind them rows of padding. ELMo has no such matrix: it is made
        here, by spelling each word of the vocabulary to the character encoder, whose result both directions begin with
        (the two halves of a row).
        """
        return self._kind.table(self)

    def output_table(self) -> NDArray[np.float32]:
        """(V, D) a vector for each word as it is predicted; of hierarchical softmax (V - 1, D), one for each node.

        GPT and BERT predict with the table that they read with. ELMo has one for both directions, (V, D / 2).
        """
        return self._kind.output_table(self)

    def reader(
        self,
        *,
        context_length: int | None = None,
        device: str | None = None,
        precision: readers.Precision = "fp32",
        threads: int | None = None,
    ) -> readers.Reader:
        """What reads sentences by this model; the arguments are those of `firth.extract`."""
        if self.family.name in OF_PIECES:
            return readers.of_pieces(
                self, context_length=context_length, device=device, precision=precision, threads=threads
            )
        if context_length is not None:
            raise UsageError("context_length is of GPT and BERT; other models are not bound by positions")
        if self.family.name in CONTEXTUAL:
            return readers.of_characters(self, device=device, threads=threads)
        return readers.of_words(self.vectors)

    def sentence_vector(
        self, text: str | Sequence[str], *, pool: SentencePool = "mean", layer: int | str = "last"
    ) -> NDArray[np.float32]:
        """(D,) one vector for a text, or for its words; `firth.extract(..., unit="sentence")` makes many.

        Vectors are taken as they stand; `Vectors.sentence_vector` is another mean, that of directions.

        Args:
            text: What is read; longer than a window, in several.
            pool: The `mean` of its pieces' vectors; of BERT, the vector of the piece that it begins with (`cls`); or
                the `last` piece's. Of a static model and of ELMo, pieces are the words that are known.
            layer: Which one, or several made one as `mean:-4:`.

        Raises:
            FirthError: there is nothing in the text that the model knows.
            UsageError: no such layer, or a pool that this model does not have.
        """
        device = None if self.family.name not in CONTEXTUAL else str(next(self.network.parameters()).device)
        reader = self.reader(device=device)
        asked = asked_of(reader, layers=layer, unit="sentence", pool=pool, unknown="error")
        if asked.n_layers > 1:
            raise UsageError(f"layers '{printable(str(layer))}' asked for, and a sentence's vector is of one")
        (sentence,) = extracted(asked, [text])
        vector: NDArray[np.float32] = sentence.array[0, 0]
        return vector

    @property
    def _kind(self) -> "_Kind":
        return _kind_of(self.family)

    def origin(self) -> dict[str, Any]:
        """What the record of a model that goes on from this one says of it: its own, and a hash of its table."""
        table = np.ascontiguousarray(self.table())
        return self.record | {"table": hashlib.blake2b(table.data, digest_size=16).hexdigest()}

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the model's directory.

        Of every family firth.json and log.jsonl. Of static ones vectors.safetensors and vocabulary.tsv; of GPT and BERT
        what transformers' AutoModel and AutoTokenizer read: config.json, model.safetensors, tokenizer.json and so on;
        of ELMo vocabulary.tsv and what AllenNLP and bilm-tf read: options.json, weights.hdf5, vocab.txt, and the output
        layer. A word with white space at its edge, or a line end in it, cannot stand in vocab.txt, which is left out
        then. `matrices` stand in a directory of that name, which `Vectors.load` reads.

        It appears whole or not at all: it is written beside `path` and renamed.

        Raises:
            UsageError: `path` exists, and `overwrite` is not given.
        """
        path = Path(path)
        check_output(path, overwrite=overwrite)
        with appearing(path) as folder:
            self.write(folder)

    def write(self, folder: Path) -> None:
        """Writes the model's files into `folder`, which exists."""
        self.write_for_resumption(folder)
        if self.matrices is not None:
            self.matrices.save(folder / MATRICES, overwrite=True)

    def write_for_resumption(self, folder: Path) -> None:
        """The same without the matrices of a contextual model, which are made when it is trained."""
        self._kind.write(self, folder)
        with replacing(folder / "log.jsonl") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in self.log)
        self.write_record(folder)

    def write_record(self, folder: Path) -> None:
        """Writes firth.json, the last of its files."""
        description = {"format": FORMAT, "family": settings(self.family)} | self._kind.described(self)
        with replacing(folder / "firth.json") as file:
            json.dump(description | self.record, file, indent=1, ensure_ascii=False)
            file.write("\n")

    def _words(self, asked: str) -> Words:
        if isinstance(self.tokens, Words):
            return self.tokens
        raise UsageError(f"a {asked} asked of a {self.family.name} model, which reads pieces of words: model.pieces")


class _Kind(NamedTuple):
    """What differs between static families, ELMo, and GPT and BERT.

    Attributes:
        table: As of `Model`.
        output_table: The same.
        write: Writes what is neither record nor log.
        described: What firth.json says beside the record.
    """

    table: Callable[[Model], NDArray[np.float32]]
    output_table: Callable[[Model], NDArray[np.float32]]
    write: Callable[[Model, Path], None]
    described: Callable[[Model], dict[str, Any]]


def _kind_of(family: Any) -> _Kind:
    if family.name in OF_PIECES:
        return _PIECED
    return _SPELT if family.name in CONTEXTUAL else _STATIC


def _write_tables(model: Model, folder: Path) -> None:
    safetensors.write(folder / "vectors.safetensors", model.network._asdict())
    model.vocabulary.write(folder / "vocabulary.tsv")


_STATIC: Final = _Kind(
    table=lambda model: model.network.input,
    output_table=lambda model: model.network.output,
    write=_write_tables,
    described=lambda model: {"segmentation": model.segmentation.settings()},
)


def _write_elmo(model: Model, folder: Path) -> None:
    from firth.formats import elmo_hdf5

    elmo_hdf5.write(folder, model.family, model.network)
    if model.network.n_entries:
        elmo_hdf5.write_output(folder, model.network)
    if len(model.vocabulary):
        if all(_is_a_line(word) for word in model.vocabulary.words):
            with replacing(folder / "vocab.txt") as file:
                file.writelines(f"{word}\n" for word in model.vocabulary.words)
        model.vocabulary.write(folder / "vocabulary.tsv")


def _described_elmo(model: Model) -> dict[str, Any]:
    told: dict[str, Any] = {} if model.network.n_entries else {"predicts": False}
    return told | {"segmentation": model.segmentation.settings()}


_SPELT: Final = _Kind(
    table=lambda model: _spelt(model.family, model.network, model.vocabulary.words),
    output_table=lambda model: _numbers(model.network.table)[: model.network.n_entries],
    write=_write_elmo,
    described=_described_elmo,
)


def _write_pieces(model: Model, folder: Path) -> None:
    from firth.formats import huggingface

    huggingface.write(folder, model.family, model.network, model.pieces)


def _described_pieces(model: Model) -> dict[str, Any]:
    parts = untrained(model)
    told = {"untrained": parts} if parts else {}
    return {"pieces": {"kind": model.pieces.kind, "digest": model.pieces.digest}} | told


def untrained(model: Model) -> list[str]:
    """Parts of a model's network that are as a seed drew them: neither its training nor one before it reached them."""
    before = model.record.get(TRAINED_BEFORE, [])
    return [name for name in getattr(model.family, "untrained", ()) if name not in before]


_PIECED: Final = _Kind(
    table=lambda model: _numbers(model.network.table),
    output_table=lambda model: _numbers(model.network.table),
    write=_write_pieces,
    described=_described_pieces,
)


def _numbers(tensor: Any) -> NDArray[np.float32]:
    numbers: NDArray[np.float32] = tensor.detach().cpu().float().numpy()
    return numbers


def _is_a_line(word: str) -> bool:
    """Whether a word comes back from a vocabulary of bilm-tf, whose lines are stripped."""
    return word == word.strip() and len(word.splitlines()) == 1 and word != _NO_WORD


def _spelt(family: Any, network: Any, words: Sequence[str]) -> NDArray[np.float32]:
    """(V, D) what ELMo's character encoder makes of each word, twice: for either direction.

    Of a network that reads words by their rows, those.
    """
    import torch

    if network.encoder is None and network.word_vectors is not None:
        rows: NDArray[np.float32] = network.word_vectors[: len(words)].float().cpu().numpy()
        return np.concatenate([rows, rows], axis=1)
    spelling = Characters(limit=family.max_characters)
    device = next(network.parameters()).device
    vectors = np.empty((len(words), family.dim // 2), np.float32)
    with torch.inference_mode():
        for first in range(0, len(words), _WORDS_AT_ONCE):
            some = slice(first, first + _WORDS_AT_ONCE)
            characters = torch.from_numpy(spelling.table(words[some])).to(device)
            vectors[some] = network.encoded(characters).cpu().numpy()
    return np.concatenate([vectors, vectors], axis=1)


def load(path: str | os.PathLike[str]) -> Model:
    """The model in a directory; static tables are mapped into memory, not read.

    A run that was interrupted has a checkpoint and no model yet: then the model is the checkpoint's, and
    `record["finished"]` is False. A published directory of BERT, GPT or GPT-2 (config.json, model.safetensors, a
    tokenizer) is a model too, and so is one of ELMo (options.json, weights.hdf5, whatever stands before these names),
    or one file of these two; its record is empty but for its source.

    `hf:org/name` is one on the Hugging Face Hub, fetched where the cache does not have it; see `firth.hub`.

    Raises:
        FirthError: there is no model, a file of it is missing or damaged, or a newer firth wrote it.
    """
    path, source = hub.found(path)
    model = _loaded(path, source)
    if model.family.name in CONTEXTUAL and (path / MATRICES / "firth.json").is_file():
        model.matrices = Vectors.load(path / MATRICES)
    return model


def _loaded(path: Path, source: str) -> Model:
    """The model in a directory, without matrices."""
    shown = printable(str(path))
    if path.is_file() and path.suffix in (".hdf5", ".h5", ".json"):
        return _load_elmo(path, {"source": source})
    if path.is_file() and fasttext.is_model(path):
        return _load_fasttext(path, {"source": source})
    if path.is_file():
        word2vec.refuse_foreign(path)
        raise FirthError(f"{shown} is a file, and a model is a directory; `firth.Vectors.load` reads files of vectors")
    folder = path if (path / "firth.json").is_file() else latest_checkpoint(path)
    if folder is None and (path / "config.json").is_file():
        return _load_published(path, None, {"source": source}, [])
    if folder is None and any(path.glob("*.h*5")):
        return _load_elmo(path, {"source": source})
    if folder is None:
        there = "no such directory"
        if path.is_dir():
            there = "a directory without firth.json, checkpoint/latest, config.json, or an ELMo's weights.hdf5"
        raise FirthError(f"{shown} is no model: {there}; `firth train` makes one")
    try:
        description = json.loads((folder / "firth.json").read_bytes())
        if "foreign" in description:
            raise FirthError(f"{shown} is a head on a network that transformers runs; `firth predict` answers by it")
        if "counts_known" in description:
            raise FirthError(f"{shown} holds vectors alone, no model; `firth.Vectors.load` reads them")
        if description.pop("format") != FORMAT:
            raise FirthError(f"{shown} was written by a newer firth than this one; upgrade firth")
        family = from_settings(FAMILIES, description.pop("family"))
        segmentation = description.pop("segmentation", None)
        reports = folder / "log.jsonl"  # which does not go to the Hub
        log = [json.loads(line) for line in reports.read_bytes().splitlines()] if reports.is_file() else []
        digest = str(description.pop("pieces")["digest"]) if "pieces" in description else None
        words = None if digest is not None else Segmentation.from_settings(segmentation)
        predicts = description.pop("predicts", True)
        description.pop("untrained", None)  # which the family and the record tell
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FirthError(f"{shown} is not a whole model: {printable(str(error))}") from None
    if words is None:
        return _load_published(folder, family, description, log, digest)
    is_spelt = _kind_of(family) is _SPELT
    has_words = predicts or not is_spelt or (folder / "vocabulary.tsv").exists()
    vocabulary = Vocabulary.read(folder / "vocabulary.tsv") if has_words else Vocabulary([], [])
    if is_spelt:
        return _load_elmo(folder, description, family, Words(vocabulary, words), log, predicts=predicts)
    tensors = safetensors.read(folder / "vectors.safetensors")
    for name, due in family.shapes(vocabulary).items():
        tensor = tensors.get(name)
        if tensor is None or tensor.shape != due or tensor.dtype != np.float32:
            there = "no tensor" if tensor is None else f"{tensor.dtype} {tensor.shape}"
            raise FirthError(
                f"{shown} is not a whole model: vectors.safetensors has {there} for '{name}', "
                f"where the vocabulary and the family ask for float32 {due}"
            )
    tables = family.tables(*(tensors[name] for name in family.tables._fields))
    return Model(family, Words(vocabulary, words), tables, description, log)


def _load_fasttext(path: Path, record: Mapping[str, Any]) -> Model:
    """The Skip-gram or CBOW in a file of fastText's, its vectors composed as it composes them.

    It does not say with what learning rate it was trained: that of the family is the default. A loss that firth has not
    (softmax) is told in the record; going on is by negative sampling then.
    """
    published = fasttext.read(path)
    told = published.settings
    by_tree = told.loss == "hierarchical_softmax"
    ngrams = {"subwords": f"{told.shortest}-{told.longest}", "buckets": told.buckets} if told.longest else {}
    family = FAMILIES[told.model](
        dim=told.dim,
        window=told.window,
        objective="hierarchical_softmax" if by_tree else "negative_sampling",
        negatives=max(1, told.negatives),
        noise_exponent=0.5,
        sample=told.sample,
        min_count=max(1, told.min_count),
        **ngrams,
    )
    vocabulary = Vocabulary(published.texts(), np.maximum(published.counts, 1))
    words, of_ngrams = published.input[: len(vocabulary)], published.input[len(vocabulary) :]
    output = -published.output[:-1] if by_tree else published.output  # a node each, and signs the other way round
    tensors = {"output": output, "words": words, "ngrams": of_ngrams}
    if (parts := Ngrams.of(vars(family))) is None:
        tensors["input"] = np.require(words, requirements="A")  # in the file it begins at any byte
    else:
        tensors["input"] = compose_all(parts, published.words, words, of_ngrams)
    network = family.tables(*(tensors[name] for name in family.tables._fields))
    tokens = Words(vocabulary, Segmentation(method="space", lower=False))
    kept = {"loss": told.loss, "epochs": told.epochs, "n_tokens": told.n_tokens}
    return Model(family, tokens, network, {**record, "fasttext": kept})


def _load_elmo(
    path: Path,
    record: Mapping[str, Any],
    family: Any = None,
    words: Words | None = None,
    log: Sequence[Mapping[str, Any]] = (),
    *,
    predicts: bool = True,
) -> Model:
    """The ELMo in a directory, or of a pair of files; `family` and `words` are None where it is not one of ours.

    `predicts` is whether it has an output layer, which published ones have not.
    """
    shown = printable(str(path))
    with needing_torch(f"the model {shown}"):
        from firth.formats import elmo_hdf5

        found = elmo_hdf5.find(path)
        if found is None:
            raise FirthError(f"{shown} is no whole ELMo: it takes an options.json and a weights.hdf5 beside each other")
        published = elmo_hdf5.read(*found)
        reads_rows = not any(name.startswith("encoder.") for name in published.tensors)
        if family is None or words is None:
            vocabulary, rows = _published_words(found[0].parent)
            if reads_rows and published.embedding is not None and len(vocabulary):
                _check_rows(shown, published.embedding, 1 + int(rows.max()))
                published = published._replace(embedding=published.embedding[rows])
            words = Words(vocabulary, Segmentation(method="space", lower=False))
            return Model(published.family, words, published.network(published.family, 0, 0).eval(), record, log)
        differing = [name for name in NETWORK if getattr(family, name, 0) != getattr(published.family, name, 0)]
        if differing:
            raise FirthError(
                f"{shown} is not a whole model: firth.json and options.json differ in {', '.join(differing)}"
            )
        if reads_rows and published.embedding is not None and len(words.vocabulary):
            _check_rows(shown, published.embedding, len(words.vocabulary))
        n_entries = len(words.vocabulary) if predicts else 0
        network = published.network(family, n_entries, int(record.get("seed", 0)))
        if n_entries:
            elmo_hdf5.read_output(path, network)
    return Model(family, words, network.eval(), record, log)


def _check_rows(shown: str, embedding: NDArray[np.float32], due: int) -> None:
    if len(embedding) != due:
        raise FirthError(
            f"{shown} is not a whole model: it reads words by their rows, of which there are {len(embedding):,}, and "
            f"its vocabulary has {due:,}"
        )


def _published_words(folder: Path) -> tuple[Vocabulary, NDArray[np.int64]]:
    """The words of a vocabulary as bilm-tf has it, a word a line, if there is one file of that kind in the folder.

    With the number of each one's line, the last one's of a word that has several.
    """
    files = sorted(folder.glob("vocab*.txt"))
    if len(files) != 1:
        return Vocabulary([], []), np.empty(0, np.int64)
    try:
        lines = files[0].read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise FirthError(f"cannot read {printable(str(files[0]))}: {printable(str(error))}") from None
    found = [word for line in lines if (word := line.strip()) and word != _NO_WORD]
    rows = {word: row for row, word in enumerate(found)}
    return Vocabulary(list(rows), np.ones(len(rows), np.int64)), np.array(list(rows.values()), np.int64)


def _load_published(
    folder: Path, family: Any, record: Mapping[str, Any], log: Sequence[Mapping[str, Any]], digest: str | None = None
) -> Model:
    """The model in a directory as transformers reads it; `family` and `digest` are None where it is not one of ours."""
    shown = printable(str(folder))
    with needing_torch(f"the model {shown}"):
        from firth.formats import huggingface
        from firth.pieces import Pieces

        published = huggingface.read(folder)
        pieces = Pieces.read(folder)
    if digest is not None and pieces.digest != digest:
        raise FirthError(f"{shown} is not a whole model: its tokenizer is not the one that it was trained with")
    family = family or published.family
    differing = [name for name in NETWORK if getattr(family, name, None) != getattr(published.family, name, None)]
    if differing and digest is not None:
        raise FirthError(f"{shown} is not a whole model: firth.json and config.json differ in {', '.join(differing)}")
    if pieces.n_entries > published.n_entries:
        raise FirthError(
            f"{shown} is not a whole model: its tokenizer has {pieces.n_entries:,} entries, and its table has "
            f"{published.n_entries:,} rows"
        )
    network = published.network(family, int(record.get("seed", 0))).eval()
    model = Model(family, pieces, network, record, log)
    there = [name for name in untrained(model) if f"{name}.weight" in published.tensors]
    if digest is None and there:  # of others, who write no part that they did not train
        model.record[TRAINED_BEFORE] = there
    return model


def versions(*packages: str) -> dict[str, str]:
    """What made a model: firth, Python, NumPy, Numba, and the packages named."""
    from importlib.metadata import version

    names = ("firth", "numpy", "numba", *packages)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
