"""`firth matrices` and `firth layers`: a static matrix from each layer, and how much each layer depends on context."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.extracting import Computing, Reading
from firth.cli.printing import Row, show
from firth.cli.settings import AsJson, Files, Flag, progress_of
from firth.errors import FirthError, UsageError
from firth.files import check_output, printable
from firth.preparation import Preparation

Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Corpora = Annotated[Files, Parameter(name="--corpus", allow_leading_hyphen=True)]
Segment = Literal["words", "space", "chinese", "characters"] | None
Pool = Literal["mean", "first", "last", "max"]

_READING = Reading()
_COMPUTING = Computing()


def matrices(
    model: Path,
    /,
    *,
    corpus: Corpora,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    layers: str = "all",
    words: Path | None = None,
    top: Positive = 20_000,
    max_contexts: Positive = 100,
    seed: int = 1,
    pool: Pool = "mean",
    segment: Segment = None,
    minutes: float | None = None,
    overwrite: Flag = False,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    reading: Annotated[Reading, Parameter(name="*", group="Reading of the text", negative=())] = _READING,
    computing: Annotated[Computing, Parameter(name="*", group="Computing", negative=())] = _COMPUTING,
) -> None:
    """Make static vectors of words, a matrix for each layer of a model: what words are in their contexts, in the mean.

    Layer 0 is the model's token table, the pieces of a word pooled; the others are means over contexts, a line each.
    Without an output, they take their place in the model's directory, and nearest, similarity, analogy, evaluate and
    convert use them. With one, it also has a file in word2vec's binary format for each layer, layers/0.bin and so on.

    Args:
        model: A model; a published directory of BERT, GPT, GPT-2 or ELMo, and with the extra `hf` any that transformers
            opens.
        corpus: The text that words have contexts in: files (text, .jsonl, .parquet, compressed or not), folders,
            patterns, or `-` for standard input.
        output: The directory to write them to.
        layers: Of those written to an output: all, numbers as 0,5,12, or a slice as -4:.
        words: A file of the words that get a vector, one a line.
        top: How many get one where no file names them: the most frequent words of the corpus.
        max_contexts: At most so many contexts of each word are read, evenly from all of the corpus.
        seed: Decides which.
        pool: How a word's vector comes from those of its pieces.
        segment: How the text becomes words; by default as the model's own.
        minutes: Budget: reading ends then; every word's first context comes before the second of any.
        overwrite: Replace the output.
        cache_dir: Where the text is kept meanwhile.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import reduction
    from firth.formats.directory import MATRICES

    place = output
    if place is None:
        place = _in_model(model, layers)
        check_output(place / MATRICES, overwrite=True)
    else:
        check_output(place, overwrite=overwrite)
    try:
        vectors = reduction.matrices(
            model,
            list(corpus),
            layers=layers,
            words=None if words is None else reduction.words_in(words),
            top=top,
            max_contexts=max_contexts,
            seed=seed,
            pool=pool,
            segmentation=segment,
            preparation=Preparation(**vars(reading)),
            **vars(computing),
            minutes=minutes,
            cache_dir=cache_dir,
            progress=progress_of(quiet),
        )
    except KeyboardInterrupt:
        raise FirthError(
            "interrupted; nothing was written (--minutes 5 would end it by then, with what there is)"
        ) from None
    if output is None:
        vectors.save(place / MATRICES, overwrite=True)
    else:
        reduction.write(vectors, output, overwrite=overwrite)
    told = vectors.provenance["matrices"]
    row: Row = {"output": str(place), "layers": vectors.n_layers, "words": len(vectors), "dim": vectors.dim}
    row = {**row, "contexts": 0 if vectors.contexts is None else int(vectors.contexts.sum())}
    show([{**row, "left_out": told["n_left_out"], "words_read": told["n_words_read"]}], as_json=as_json)


def _in_model(model: Path, layers: str) -> Path:
    """The directory of the model, which gets its matrices."""
    shown = printable(str(model))
    if layers != "all":
        raise UsageError("--layers is of matrices that are written elsewhere: name the place by --output")
    if not model.is_dir():
        raise UsageError(
            f"{shown} is no directory, so that matrices cannot stand in it: name another place by --output"
        )
    if (model / "firth.json").is_file() and (model / "vectors.safetensors").is_file():
        raise UsageError(
            f"{shown} is a static model, whose one matrix stands in it: --output writes that of the corpus' words to "
            "another place"
        )
    return model


def layers(
    model: Path,
    /,
    *,
    corpus: Corpora,
    words: Path | None = None,
    top: Positive = 1_000,
    max_contexts: Annotated[int, Parameter(validator=Number(gte=2))] = 50,
    sentences: Positive = 500,
    samples: Annotated[int, Parameter(validator=Number(gte=2))] = 1_000,
    seed: int = 1,
    pool: Pool = "mean",
    segment: Segment = None,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    reading: Annotated[Reading, Parameter(name="*", group="Reading of the text", negative=())] = _READING,
    computing: Annotated[Computing, Parameter(name="*", group="Computing", negative=())] = _COMPUTING,
) -> None:
    """Print how much the vectors of each layer depend on context, as Ethayarajh (2019) measures it.

    Self-similarity is the mean cosine of a word's vectors in different contexts; intra-sentence similarity that of a
    sentence's words with their mean; anisotropy that of words drawn at random, which is taken off the two where they
    are called adjusted.

    Args:
        model: A model; a published directory, as of firth matrices.
        corpus: The text that words have contexts in: files (text, .jsonl, .parquet, compressed or not), folders,
            patterns, or `-` for standard input.
        words: A file of the words whose self-similarity is measured, one a line.
        top: How many are measured where no file names them: the most frequent words of the corpus. Those with fewer
            than 5 contexts do not count.
        max_contexts: At most so many contexts of each word are read.
        sentences: How many lines intra-sentence similarity is measured in.
        samples: How many words at random places of the text anisotropy is measured with.
        seed: Decides which contexts, lines and places.
        pool: How a word's vector comes from those of its pieces.
        segment: How the text becomes words; by default as the model's own.
        cache_dir: Where the text is kept meanwhile.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import reduction
    from firth.contextuality import layers as measured

    found = measured(
        model,
        list(corpus),
        words=None if words is None else reduction.words_in(words),
        top=top,
        max_contexts=max_contexts,
        sentences=sentences,
        samples=samples,
        seed=seed,
        pool=pool,
        segmentation=segment,
        preparation=Preparation(**vars(reading)),
        **vars(computing),
        cache_dir=cache_dir,
        progress=progress_of(quiet),
    )
    show([dict(row._asdict()) for row in found], as_json=as_json)
