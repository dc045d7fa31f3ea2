"""A trained model: family, vocabulary, network, and where it came from; a directory on disk."""

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from firth.characters import Characters
from firth.errors import FirthError, UsageError
from firth.families.family import from_settings, settings
from firth.files import appearing, check_output, latest_checkpoint, printable, replacing
from firth.formats import safetensors, word2vec
from firth.segmentation import Segmentation
from firth.vectors import Vectors
from firth.vocabulary import Vocabulary

if TYPE_CHECKING:
    from firth.pieces import Pieces


@contextmanager
def needing_torch(what: str) -> Iterator[None]:
    """A block that imports PyTorch or tokenizers; where one is missing, the error names the extra that brings it."""
    try:
        yield
    except ImportError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("torch", "tokenizers", "h5py"):
            raise
        raise FirthError(f"{what} needs {package}, which is not installed: pip install 'firth[contextual]'") from None


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
    """

    def __init__(
        self,
        family: Any,
        tokens: "Words | Pieces",
        network: Any,
        record: Mapping[str, Any],
        log: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """A model of these parts; nothing is copied."""
        self.family = family
        self.tokens = tokens
        self.network = network
        self.record = dict(record)
        self.log = [dict(entry) for entry in log]

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

    @cached_property
    def vectors(self) -> Vectors:
        """The word vectors, a matrix for each layer.

        Of a static model: one matrix (layer 0), which shares its memory with `table()`. Of ELMo so far: one too, what
        its character encoder makes of each word by itself. Of GPT and BERT so far: the token table, whose rows are
        pieces in the tokenizer's spelling (`play`, `##ing`), not yet pooled to words; what stands in it is without
        context.
        """
        if isinstance(self.tokens, Words):
            return Vectors(
                self.vocabulary.words,
                self.table()[np.newaxis],
                counts=self.vocabulary.counts,
                segmentation=self.segmentation,
                provenance={"family": self.family.name, **self.record},
            )
        pieces = self.tokens
        names = [pieces.piece(piece_id) or f"[{piece_id}]" for piece_id in range(pieces.n_entries)]
        return Vectors(
            names,
            self.table()[: pieces.n_entries],
            segmentation=Segmentation(method="space", lower=pieces.folds_case),
            provenance={"family": self.family.name, "rows": "pieces", **self.record},
        )

    def table(self) -> NDArray[np.float32]:
        """(V, D): the weight matrix behind the one-hot input. A one-hot row times it is the lookup.

        Rows are words; of GPT and BERT pieces, and behind them rows of padding. ELMo has no such matrix: it is made
        here, by spelling each word of the vocabulary to the character encoder, whose result both directions begin with
        (the two halves of a row).
        """
        if self.family.name == "elmo":
            return _spelt(self.family, self.network, self.vocabulary.words)
        if isinstance(self.tokens, Words):
            table: NDArray[np.float32] = self.network.input
            return table
        of_network: NDArray[np.float32] = self.network.table.detach().cpu().float().numpy()
        return of_network

    def output_table(self) -> NDArray[np.float32]:
        """(V, D) a vector for each word as it is predicted; of hierarchical softmax (V - 1, D), one for each node.

        GPT and BERT predict with the table that they read with. ELMo has one for both directions, (V, D / 2).
        """
        if self.family.name == "elmo":
            of_words: NDArray[np.float32] = self.network.table.detach().cpu().float().numpy()[: self.network.n_entries]
            return of_words
        if isinstance(self.tokens, Words):
            table: NDArray[np.float32] = self.network.output
            return table
        return self.table()

    def origin(self) -> dict[str, Any]:
        """What the record of a model that goes on from this one says of it: its own, and a hash of its table."""
        table = np.ascontiguousarray(self.table())
        return self.record | {"table": hashlib.blake2b(table.data, digest_size=16).hexdigest()}

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Writes the model's directory.

        Of every family firth.json, vectors.safetensors, vocabulary.tsv and log.jsonl; of GPT and BERT beside them what
        transformers' AutoModel and AutoTokenizer read: config.json, model.safetensors, tokenizer.json and the like; of
        ELMo what AllenNLP and bilm-tf read: options.json, weights.hdf5, vocab.txt, and the output layer. A word with
        white space at its edge, or a line end in it, cannot stand in vocab.txt, which is left out then.

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
        if self.family.name == "elmo" and len(self.vocabulary):
            had = "vectors" in self.__dict__
            safetensors.write(folder / "vectors.safetensors", {"vectors": self.vectors.array})
            if not had:  # nobody has asked for them, and they may be gigabytes
                self.__dict__.pop("vectors", None)

    def write_for_resumption(self, folder: Path) -> None:
        """The same without what `load` makes anew: of ELMo the words' vectors, which take minutes for a million."""
        description = {"format": FORMAT, "family": settings(self.family)}
        if self.family.name in CONTEXTUAL:
            self.__dict__.pop("vectors", None)  # of an earlier checkpoint
        if self.family.name == "elmo":
            from firth.formats import elmo_hdf5

            elmo_hdf5.write(folder, self.family, self.network)
            if self.network.n_entries:
                elmo_hdf5.write_output(folder, self.network)
            else:
                description["predicts"] = False
            if len(self.vocabulary):
                if all(_is_a_line(word) for word in self.vocabulary.words):
                    with replacing(folder / "vocab.txt") as file:
                        file.writelines(f"{word}\n" for word in self.vocabulary.words)
                self.vocabulary.write(folder / "vocabulary.tsv")
            description["segmentation"] = self.segmentation.settings()
        elif isinstance(self.tokens, Words):
            safetensors.write(folder / "vectors.safetensors", self.network._asdict())
            self.vocabulary.write(folder / "vocabulary.tsv")
            description["segmentation"] = self.segmentation.settings()
        else:
            from firth.formats import huggingface

            huggingface.write(folder, self.family, self.network, self.tokens)
            description["pieces"] = {"kind": self.tokens.kind, "digest": self.tokens.digest}
            self._write_vectors(folder, description)
        with replacing(folder / "log.jsonl") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in self.log)
        with replacing(folder / "firth.json") as file:
            json.dump(description | self.record, file, indent=1, ensure_ascii=False)
            file.write("\n")

    def _write_vectors(self, folder: Path, description: dict[str, Any]) -> None:
        """Writes what `Vectors.load` reads, so that pieces are looked up as words are."""
        vectors = self.vectors
        safetensors.write(folder / "vectors.safetensors", {"vectors": vectors.array})
        counts = self.vocabulary.counts if isinstance(self.tokens, Words) else np.ones(len(vectors), np.int64)
        Vocabulary(vectors.words, counts).write(folder / "vocabulary.tsv")
        segmentation = vectors.segmentation
        description["segmentation"] = segmentation.settings() if segmentation else None

    def _words(self, asked: str) -> Words:
        if isinstance(self.tokens, Words):
            return self.tokens
        raise UsageError(f"a {asked} asked of a {self.family.name} model, which reads pieces of words: model.pieces")


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

    Raises:
        FirthError: there is no model, a file of it is missing or damaged, or a newer firth wrote it.
    """
    path = Path(path)
    shown = printable(str(path))
    if path.is_file() and path.suffix in (".hdf5", ".h5", ".json"):
        return _load_elmo(path, {"source": path.name})
    if path.is_file():
        word2vec.refuse_foreign(path)
        raise FirthError(f"{shown} is a file, and a model is a directory; `firth.Vectors.load` reads files of vectors")
    folder = path if (path / "firth.json").is_file() else latest_checkpoint(path)
    if folder is None and (path / "config.json").is_file():
        return _load_published(path, None, {"source": path.name}, [])
    if folder is None and any(path.glob("*.h*5")):
        return _load_elmo(path, {"source": path.name})
    if folder is None:
        there = "no such directory" if not path.is_dir() else "a directory without firth.json"
        raise FirthError(f"{shown} is no model: {there}; `firth train` makes one")
    try:
        description = json.loads((folder / "firth.json").read_bytes())
        if "counts_known" in description:
            raise FirthError(f"{shown} holds vectors alone, no model; `firth.Vectors.load` reads them")
        if description.pop("format") != FORMAT:
            raise FirthError(f"{shown} was written by a newer firth than this one; upgrade firth")
        family = from_settings(FAMILIES, description.pop("family"))
        segmentation = description.pop("segmentation")
        log = [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]
        digest = str(description.pop("pieces")["digest"]) if "pieces" in description else None
        words = Segmentation.from_settings(segmentation)
        predicts = description.pop("predicts", True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FirthError(f"{shown} is not a whole model: {printable(str(error))}") from None
    if digest is not None:
        return _load_published(folder, family, description, log, digest)
    if family.name == "elmo" and not predicts and not (folder / "vocabulary.tsv").exists():
        return _load_elmo(folder, description, family, Words(Vocabulary([], []), words), log, predicts=False)
    vocabulary = Vocabulary.read(folder / "vocabulary.tsv")
    if family.name == "elmo":
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
    return Model(family, pieces, network, record, log)


def versions(*packages: str) -> dict[str, str]:
    """What made a model: firth, Python, NumPy, Numba, and the packages named."""
    from importlib.metadata import version

    names = ("firth", "numpy", "numba", *packages)
    return {"python": platform.python_version(), **{name: version(name) for name in names}}
