"""Text -> a vector for every word and layer, in context, or one for every sentence: the same for every family."""

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from firth import hub
from firth.errors import UsageError
from firth.files import latest_checkpoint, printable
from firth.model import Model, load
from firth.parts import Extraction, Given, Sentence, SentencePool, Type, Unit, Unknown, asked_of, extracted
from firth.readers import Precision, Reader, of_words
from firth.segmentation import Method, Segmentation
from firth.vectors import Vectors

if TYPE_CHECKING:
    from firth.packing import Pool

Opened = Model | Vectors | str | os.PathLike[str]
"""A model, vectors, or where they are."""

OURS: Final = ("bert", "gpt2", "openai-gpt")
"""The architectures of Hugging Face directories that firth's own networks are of; others are left to transformers."""


def extract(
    model: Opened,
    sentences: Iterable[Given],
    *,
    layers: str | int | Sequence[int] = "all",
    unit: Unit = "word",
    pool: "Pool | SentencePool" = "mean",
    unknown: Unknown = "nan",
    segmentation: Segmentation | Method | None = None,
    context_length: int | None = None,
    dtype: Type = "float32",
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    carry: int | None = None,
) -> Iterator[Sentence]:
    """The words of each sentence with a vector for every layer, sentence by sentence as they are made.

    Layer 0 is what the network makes of its table first: of BERT the sum with position and segment, normalised; of GPT
    that with position. It is not the table, which `model.table()` gives. A static model has layer 0 alone, and a word
    the same vector everywhere.

    Text longer than the network's positions goes through overlapping windows, and a word has its vector from the one in
    which it has most context.

    Args:
        model: A model, vectors, or the path of either. What firth's networks are not made for (RoBERTa, XLM-R, ...) is
            opened by transformers, with the extra `hf`.
        sentences: Texts, or sequences of words; one by one, so that a generator will do.
        layers: `all`, `last`, a number, several as `0,5,12`, a slice as `-4:`; `mean:-4:`, `sum:...` and `concat:...`
            make one layer of several. Numbers below 0 count from the last layer.
        unit: What gets a vector: each `word`, or the `sentence` as a whole.
        pool: A word's vector is the `mean` of its pieces' vectors, the `first` one's, the `last` one's, or has the
            `max` of each number. Pieces are those that share a character with the word. A sentence's is the `mean` of
            all its pieces', those that a text begins and ends with among them (of one longer than a window, without
            them); that of the piece it begins with (`cls`, of BERT); or the `last` piece's, which in GPT has seen all
            of it. Of static vectors and of ELMo, the pieces are the words that are known.
        unknown: A word without pieces, or all of whose pieces are unknown, has numbers that are none (`nan`); or the
            vector that the unknown piece has by its `context`; or is an `error`. Such words are listed in any case.
        segmentation: How text becomes words. None is as the text of a static model or of an ELMo was cut; of a
            published ELMo at white space, since its text had punctuation set apart; of other models Unicode words, and
            of Chinese those that rjieba finds, as they are written. The name of a method changes that alone.
        context_length: Pieces that a network reads at once. None is what it was trained with; of a published network
            all its positions.
        dtype: Of the arrays: `float32`, or `float16` for half the room.
        precision: In which the network computes: `fp32`, or `bf16`, which some machines do faster.
        device: cuda, cuda:1, mps or cpu; None takes the fastest there is.
        threads: How many threads compute; None is all cores.
        carry: Of ELMo: sentences are read this many at a time, in their order, and the k-th of each batch goes on from
            what the network remembers of the k-th before it, as the published programs read. A sentence's vectors
            then depend on those before it. None begins each sentence anew.

    Returns:
        An iterator of a `Sentence` for each one given, in order. Blocks of about 128 MB are made ahead of it.

    Raises:
        UsageError: layers that the model does not have; a word that is empty.
        FirthError: no model; a number beyond those of float16; of `error`, a word that is unknown.

    Warns:
        UserWarning: the first word without a vector; the first word that ELMo cuts, of which it has read the begin.
    """
    asked = prepare(
        model,
        layers=layers,
        unit=unit,
        pool=pool,
        unknown=unknown,
        segmentation=segmentation,
        context_length=context_length,
        dtype=dtype,
        precision=precision,
        device=device,
        threads=threads,
        carry=carry,
    )
    if isinstance(sentences, str):
        raise UsageError("the sentences are one string; give a list of them, as [text]")
    return _warned(asked, extracted(asked, sentences))


def prepare(
    model: Opened,
    *,
    layers: str | int | Sequence[int] = "all",
    unit: Unit = "word",
    pool: "Pool | SentencePool" = "mean",
    unknown: Unknown = "nan",
    segmentation: Segmentation | Method | None = None,
    context_length: int | None = None,
    dtype: Type = "float32",
    precision: Precision = "fp32",
    device: str | None = None,
    threads: int | None = None,
    carry: int | None = None,
) -> Extraction:
    """What the arguments of `extract` ask for, all of them looked at."""
    if precision not in get_args(Precision):
        raise UsageError(f"precision is {printable(repr(precision))}; there are {', '.join(get_args(Precision))}")
    for name, number in (("context_length", context_length), ("threads", threads)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is {number}; it must be at least 1")
    how: dict[str, Any] = {"context_length": context_length, "device": device, "precision": precision}
    return asked_of(
        reader_of(model, **how, threads=threads),
        layers=layers,
        unit=unit,
        pool=pool,
        unknown=unknown,
        segmentation=segmentation,
        dtype=dtype,
        carry=carry,
    )


def reader_of(
    model: Opened, *, context_length: int | None, device: str | None, precision: Precision, threads: int | None
) -> Reader:
    """A model as the rest of this file needs it."""
    how: dict[str, Any] = {"device": device, "precision": precision, "threads": threads}
    if isinstance(model, str | os.PathLike):
        path = hub.found(model).path
        if is_for_transformers(path):
            from firth.formats import automodel

            return automodel.read(path, context_length=context_length, **how)
    model = opened(model)
    if isinstance(model, Model):
        return model.reader(context_length=context_length, **how)
    if context_length is not None:
        raise UsageError("context_length is of GPT and BERT; vectors are not bound by positions")
    return of_words(model)


def opened(model: Opened) -> Model | Vectors:
    """A model, or vectors where there are these alone.

    Raises:
        FirthError: there is neither.
    """
    if not isinstance(model, str | os.PathLike):
        return model
    path = hub.found(model).path
    return Vectors.load(path) if _holds_vectors_alone(path) else load(path)


def is_for_transformers(path: Path) -> bool:
    """Whether a directory holds a network of another architecture than ours."""
    if (path / "firth.json").is_file() or latest_checkpoint(path) is not None:
        return False
    config = _json(path / "config.json")
    return isinstance(config.get("model_type"), str) and config["model_type"] not in OURS


def _holds_vectors_alone(path: Path) -> bool:
    """Whether a path is a file, but for one of ELMo's two, or a directory of vectors without a model."""
    is_elmo = path.suffix in (".hdf5", ".h5", ".json")
    return (path.is_file() and not is_elmo) or "counts_known" in _json(path / "firth.json")


def _json(path: Path) -> dict[str, Any]:
    """A JSON object in a file; empty where there is none, for whoever reads the whole to say so."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _warned(asked: Extraction, sentences: Iterator[Sentence]) -> Iterator[Sentence]:
    """The sentences; the first word without a vector is warned of, and the first that is cut."""
    is_warned = is_cut = False
    for sentence in sentences:
        if not is_cut and asked.reader.n_cut(sentence.words):
            is_cut = True
            word = next(word for word in sentence.words if asked.reader.n_cut([word]))
            warnings.warn(
                f"'{printable(word)[:80]}' is longer than {asked.reader.name} reads: it has the vector of its begin, "
                "as all such words",
                stacklevel=2,
            )
        if sentence.unknown and not is_warned:
            is_warned = True
            what = "is NaN" if asked.unknown == "nan" else "has the vector of what is unknown there"
            warnings.warn(
                f"'{printable(sentence.words[sentence.unknown[0]])}' has no piece that {asked.reader.name} knows: it "
                f"{what}, as all such words, which Sentence.unknown lists",
                stacklevel=2,
            )
        yield sentence
