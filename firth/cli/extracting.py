"""`firth extract`: a vector for every word of a text and every layer, in context, or one for every line."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, print_json, print_rows, say, show
from firth.cli.settings import AsJson, Flag, progress_of
from firth.errors import FirthError, UsageError
from firth.files import printable
from firth.preparation import Preparation

if TYPE_CHECKING:
    from firth.parts import Sentence

Natural = Annotated[int | None, Parameter(validator=Number(gte=1))]

_N_SHOWN = 4  # numbers of a vector on a terminal
_N_NAMED = 10  # unknown words


@dataclass(frozen=True, kw_only=True)
class How:
    """What vectors are wanted, and how they are made.

    Attributes:
        layers: `all`, `last`, numbers as 0,5,12, a slice as -4:; `mean:`, `sum:` or `concat:` before one of these makes
            one layer of them.
        unit: What gets a vector: each word, or each line of the text as one sentence.
        pool: How a word's vector comes from those of its pieces: mean, first, last or max. A sentence's: the mean of
            all its pieces; that of BERT's first, special piece (cls); or that of the last piece.
        unknown: What becomes of a word that has no piece, or none that the model knows: no number (`nan`), the vector
            that an unknown piece has by its `context`, or an `error`. Such words are reported in any case.
        segment: How the text becomes words; by default as the model's own, and `space` takes words that are parted by
            spaces already.
        context_length: Pieces that a network reads at once; by default what it was trained with, of a published one all
            its positions. Longer text is read in overlapping windows.
        dtype: Of the numbers that are written.
        precision: In which a network computes; bf16 is for machines that multiply it fast.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        threads: How many threads compute; all cores by default.
        carry: Of ELMo: lines are read this many at a time, and the k-th of each batch goes on from what the network
            remembers of the k-th before it, as bilm-tf and AllenNLP read; by default each line begins anew.
    """

    layers: str = "all"
    unit: Literal["word", "sentence"] = "word"
    pool: Literal["mean", "first", "last", "max", "cls"] = "mean"
    unknown: Literal["nan", "context", "error"] = "nan"
    segment: Literal["words", "space", "chinese", "characters"] | None = None
    context_length: Natural = None
    dtype: Literal["float32", "float16"] = "float32"
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str | None = None
    threads: Natural = None
    carry: Natural = None


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the text is read.

    Attributes:
        field: Of JSON lines and Parquet: the column that holds the text.
        encoding: Of text files.
        encoding_errors: Bytes that are not valid: stop at them, put U+FFFD in their place, or leave them out.
        layout: A line is a sentence; or the lines of a paragraph are joined (`wrapped`); `auto` looks at the text.
        sentences: `split` makes every sentence of a line one of its own.
        lang: The language whose rules end sentences, as en or zh; by default found by looking at the text.
    """

    field: str | None = None
    encoding: str = "utf-8"
    encoding_errors: Literal["strict", "replace", "skip"] = "strict"
    layout: Literal["lines", "wrapped", "auto"] = "lines"
    sentences: Literal["lines", "split"] = "lines"
    lang: str | None = None


@dataclass(frozen=True, kw_only=True)
class Computing:
    """How a network reads the text.

    Attributes:
        context_length: Pieces that a network reads at once; by default what it was trained with.
        precision: In which a network computes; bf16 is for machines that multiply it fast.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        threads: How many threads compute; all cores by default.
    """

    context_length: Natural = None
    precision: Literal["fp32", "bf16"] = "fp32"
    device: str | None = None
    threads: Natural = None


_HOW = How()
_READING = Reading()


def extract(
    model: Path,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    text: str | None = None,
    format: Literal["safetensors", "npy", "parquet", "hdf5"] | None = None,
    resume: Flag = False,
    overwrite: Flag = False,
    quiet: Flag = False,
    as_json: AsJson = False,
    how: Annotated[How, Parameter(name="*", group="Vectors", negative=())] = _HOW,
    reading: Annotated[Reading, Parameter(name="*", group="Reading of the text", negative=())] = _READING,
) -> None:
    """Give every word of a text a vector for every layer, in its context.

    Without an output, a table is printed. With it, vectors are written while they are made, with their words, numbered
    by document (an empty line ends one), sentence (a line) and position, from 0.

    Args:
        model: A model or vectors; a published directory of BERT, GPT or GPT-2, and with the extra `hf` any that
            transformers opens.
        file: The text: a file (text, .jsonl, .parquet, compressed or not), a folder, a pattern, or `-` for standard
            input.
        output: What is written: a directory of shards; of HDF5 a file, as bilm-tf and AllenNLP write it.
        text: The text itself, in place of a file.
        format: Of the shards; by default safetensors, or what the output's name ends in: .parquet, .hdf5, .h5.
        resume: Go on with what was interrupted.
        overwrite: Replace the output.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    if (file is None) == (text is None):
        raise UsageError('name a file of text, or - for standard input, or give words by --text "..."; one of them')
    if file is not None and str(file).startswith("-") and str(file) != "-":
        raise UsageError(f"Unknown option: '{printable(str(file))}'.")
    if output is None and (format or resume or overwrite):
        raise UsageError("--format, --resume and --overwrite are of what is written: name it by --output")
    source = _Source(file, text, reading)
    arguments = {name: getattr(how, name) for name in How.__dataclass_fields__ if name != "segment"}
    arguments["segmentation"] = how.segment
    if output is None:
        _print(model, source, arguments, as_json=as_json)
        return
    from firth.contexts import extract_to

    try:
        written = extract_to(
            output,
            model,
            source.sentences(),
            kind=format,
            resume=resume,
            overwrite=overwrite,
            progress=progress_of(quiet),
            fraction=source.fraction,
            **arguments,
        )
    except KeyboardInterrupt:
        if not output.with_name(f"{output.name}.part").exists():
            raise
        raise FirthError("interrupted; the same command with --resume goes on from here") from None
    source.report()
    _report_cut(written.n_cut, written.n_words)
    if written.n_unknown:
        _report_unknown(written.n_unknown, written.n_words, list(written.unknown), how.unknown)
    row: Row = {"output": str(output), "sentences": written.n_sentences, "words": written.n_words}
    show([{**row, "unknown": written.n_unknown}], as_json=as_json)


class _Source:
    """The text that was named, sentence by sentence."""

    def __init__(self, file: Path | None, text: str | None, reading: Reading) -> None:
        from firth import corpus

        preparation = Preparation(**vars(reading))
        self._corpus = corpus.read([text or ""] if file is None else file, preparation)

    def sentences(self) -> Iterator[str]:
        """A sentence a line; an empty one ends a document."""
        from firth.occurrences import lines_of

        return (str(line) for line in lines_of(self._corpus))

    def fraction(self) -> float | None:
        """The part of it that has been read, if its size is known."""
        total = self._corpus.total_bytes
        return min(1.0, self._corpus.done_bytes / total) if total else None

    def report(self) -> None:
        """Says what was met while reading."""
        for sentence in self._corpus.faults.sentences():
            say(sentence)


def _print(model: Path, source: _Source, arguments: dict[str, Any], *, as_json: bool) -> None:
    from firth.extraction import prepare
    from firth.parts import extracted

    asked = prepare(model, **arguments)
    labels = [str(number) for number in asked.layers.numbers]
    if asked.layers.combined != "each":
        labels = [str(arguments["layers"])]
    n_words = n_cut = 0
    unknown: list[str] = []
    told = []
    for number, sentence in enumerate(extracted(asked, (line for line in source.sentences() if line.strip()))):
        n_words += len(sentence.words)
        n_cut += asked.reader.n_cut(sentence.words)
        unknown += [sentence.words[place] for place in sentence.unknown]
        if as_json:
            vectors = dict(zip(labels, sentence.array.tolist(), strict=True))
            told.append({"words": sentence.words, "unknown": sentence.unknown, "layers": vectors})
        else:
            _print_sentence(number, sentence, labels, with_names=n_words == len(sentence.words))
    if as_json:
        print_json(told)
    source.report()
    _report_cut(n_cut, n_words)
    if unknown:
        _report_unknown(len(unknown), n_words, unknown, asked.unknown)
    if not n_words:
        raise FirthError("there are no words in the text")


def _print_sentence(number: int, sentence: "Sentence", labels: Sequence[str], *, with_names: bool) -> None:
    """A row for each word and layer; on a terminal with the first numbers of a vector, elsewhere with all of them."""
    rows: list[Row] = []
    for place, word in enumerate(sentence.words):
        for label, vector in zip(labels, sentence.array[:, place], strict=True):
            where: Row = {"sentence": number, "position": place, "word": word, "layer": label}
            rows.append({**where, "vector": _shown(vector.tolist())})
    if sys.stdout.isatty():
        print_rows(rows)
        return
    if rows and with_names:
        print("\t".join(rows[0]))
    for row in rows:
        print("\t".join(printable(str(value)) for value in row.values()))


def _shown(vector: list[float]) -> str:
    if not sys.stdout.isatty():
        return " ".join(f"{value:.6g}" for value in vector)
    rest = f" ... ({len(vector)} numbers)" if len(vector) > _N_SHOWN else ""
    return " ".join(f"{value:.4f}" for value in vector[:_N_SHOWN]) + rest


def _report_cut(n_cut: int, n_words: int) -> None:
    if n_cut:
        say(
            f"warning: {n_cut:,} of {n_words:,} words are longer than the model reads, which has read their begin alone"
        )


def _report_unknown(n_unknown: int, n_words: int, words: Sequence[str], unknown: str) -> None:
    several = list(dict.fromkeys(words))
    shown = ", ".join(several[:_N_NAMED]) + (", ..." if len(several) > _N_NAMED else "")
    become = "their vectors are NaN" if unknown == "nan" else "they have the vector of what is unknown there"
    say(f"warning: {n_unknown:,} of {n_words:,} words have no piece that the model knows, and {become}: {shown}")
