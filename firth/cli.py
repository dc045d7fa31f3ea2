"""The command line: every command is one thin call of a public function.

Results go to standard output (a table on a terminal, tab-separated lines in a pipe, JSON with `--json`),
progress and messages to standard error. Exit status: 0, 1 where the work failed, 2 where the call was wrong.

What takes long to import is imported inside the commands, so that `firth --help` answers at once.
"""

import importlib
import json
import math
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

from cyclopts import App, ArgumentCollection, CycloptsError, Parameter, Token, UnknownOptionError
from cyclopts.config import Dict
from cyclopts.validators import Number

from firth.errors import FirthError, UsageError
from firth.files import printable

if TYPE_CHECKING:
    from firth.evaluation import AnalogiesResult, PairsResult, SectionResult
    from firth.progress import Progress
    from firth.vectors import Vectors

FAMILIES = {"skipgram": "Skipgram", "cbow": "CBOW"}
"""The families by their names on the command line, each in the file `firth/families/<name>.py`."""

Preset = Literal["tiny", "mini", "small", "medium", "base"]
Recipe = Literal["fast", "paper"]
VARIANTS = {"recipe": get_args(Recipe), "preset": get_args(Preset)}
DEFAULT_RECIPE = "fast"
"""Of these names a family has a method, which makes that variant of it; but the fast one is what it is anyway."""

BUDGETS = ("epochs", "tokens", "minutes")



def _comma_separated(_: object, tokens: Sequence[Token]) -> list[Path]:
    return [Path(name) for token in tokens for name in token.value.split(",")]


Flag = Annotated[bool, Parameter(negative=())]
AsJson = Annotated[bool, Parameter(name="--json", negative=())]
Layer = int | Literal["all"] | None
Count = Annotated[int, Parameter(name="-n", validator=Number(gte=1))]
Files = Annotated[Sequence[Path], Parameter(negative=(), converter=_comma_separated, n_tokens=1)]

Row = Mapping[str, str | int | float]
"""One line of a table: a value for each column, in the columns' order."""


def _version() -> str:
    from importlib.metadata import version

    return version("firth")


app = App(
    name="firth",
    help="Pretrains word vectors from raw text, and puts them to use.",
    version=_version,
    help_format="plaintext",
    help_formatter="plain",  # what frames and wraps the commands' own help takes another 0.1 s to import
    suppress_keyboard_interrupt=False,
)


FRAMED: dict[str, Any] = {"help_format": "markdown", "help_formatter": "default"}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of the command that `arguments` (those of the process by default) ask for."""
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_none")
    except UnknownOptionError as error:
        return _failed(_name_here(error) or str(error), 2)
    except (CycloptsError, UsageError) as error:
        return _failed(str(error), 2)
    except FirthError as error:
        return _failed(str(error), 1)
    except BrokenPipeError:
        raise  # whoever read our results has gone; `__main__` leaves quietly
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(f"{place}{error.strerror or error}", 1)
    except KeyboardInterrupt:
        return _failed("interrupted", 1)
    return 0


def _failed(message: str, status: int) -> int:
    for line in message.splitlines():
        print(f"firth: {printable(line)}", file=sys.stderr)
    return status


def _name_here(error: UnknownOptionError) -> str | None:
    """What to say of an unknown option if gensim knows it; None of any other."""
    from firth.families.family import GENSIM_NAMES

    option = error.token.keyword or error.token.value
    name = option.strip("-[]").partition("=")[0].replace("-", "_")
    return f"{name} is called {GENSIM_NAMES[name]} here" if name in GENSIM_NAMES else None


# --- train ------------------------------------------------------------------------------------------------


def _fill(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fills what no flag has set: from the TOML file of --config, then from --recipe and --preset.

    Cyclopts calls this when the flags stand; a source leaves alone what one before it has set.
    """
    flags = {
        argument.name.removeprefix("--"): argument.tokens[-1].value
        for argument in arguments
        if argument.tokens
    }
    settings: dict[str, Any] = {}
    if "config" in flags:
        settings = _read_toml(Path(flags["config"]))
        if any(budget in flags for budget in BUDGETS):  # a budget by flag replaces another one of the file
            settings = {key: value for key, value in settings.items() if key not in BUDGETS}
        Dict(settings, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)
    for kind in VARIANTS:
        name = flags.get(kind, settings.get(kind))
        if name is not None:
            variant = _variant(_family(commands[-1]), kind, str(name))
            Dict(variant, source=f"--{kind}", use_commands_as_keys=False)(app, commands, arguments)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path} cannot be read: {error}") from error


def _family(name: str) -> Any:
    """The class of the family that the command line calls `name`."""
    return getattr(importlib.import_module(f"firth.families.{name}"), FAMILIES[name])


def _variant(family: Any, kind: str, name: str) -> dict[str, Any]:
    """The fields in which a variant of a family, as `Skipgram.paper()`, differs from its defaults."""
    if name not in VARIANTS[kind] or name == DEFAULT_RECIPE:
        return {}  # cyclopts refuses an unknown name when it comes to it
    if not hasattr(family, name):
        raise UsageError(f"--{kind} {name} asked of {family.__name__}, which has none of that name")
    variant, default = asdict(getattr(family, name)()), asdict(family())
    return {field: value for field, value in variant.items() if value != default[field]}


def _train_command(name: str) -> Callable[..., None]:
    """The command `firth train <name>`; the family's fields are its flags."""
    family = _family(name)
    default = family()

    def command(
        *corpus: Path,
        hyperparameters: Any = default,
        output: Annotated[Path, Parameter(name=["--output", "-o"])],
        preset: Preset | None = None,
        recipe: Recipe | None = None,
        epochs: float | None = None,
        tokens: float | None = None,
        minutes: float | None = None,
        threads: int | None = None,
        seed: int = 1,
        base: Annotated[Path | None, Parameter(name="--from")] = None,
        resume: Flag = False,
        overwrite: Flag = False,
        config: Path | None = None,
        segment: Literal["auto", "words", "space", "chinese"] = "auto",
        cased: Flag = False,
        encoding: str = "utf-8",
        cache_dir: Path | None = None,
        quiet: Flag = False,
        as_json: AsJson = False,
    ) -> None:
        """Train a family of word vectors on text.

        Args:
            corpus: Text files: a paragraph or sentence a line, an empty line between documents; `-` is
                standard input.
            output: The directory to write the model to.
            preset: A size of the model.
            recipe: The settings of the paper, or fast ones.
            epochs: Budget: how often to go through the corpus.
            tokens: Budget: how many words to read.
            minutes: Budget: how long to train.
            threads: How many threads train; all cores by default.
            seed: What the random numbers begin with.
            base: A model to go on from, with new text and new words.
            resume: Go on with the unfinished run in the output directory.
            overwrite: Replace the output directory.
            config: A TOML file of these settings, as `dim = 200`; flags win over it.
            segment: How lines are split into words; `auto` looks at the text and says what it chose.
            cased: Keep capital letters apart from small ones.
            encoding: How the text files are encoded.
            cache_dir: Where to keep the encoded corpus for another run.
            quiet: Show no progress.
            as_json: Print JSON, for machines.
        """
        from firth.training import train

        progress = _progress(quiet)
        model = train(
            hyperparameters,
            _sources(corpus, encoding),
            epochs=epochs,
            tokens=tokens,
            minutes=minutes,
            threads=threads,
            seed=seed,
            segment=segment,
            cased=cased,
            encoding=encoding,
            output=output,
            overwrite=overwrite,
            resume=resume,
            base=base,
            cache_dir=cache_dir,
            progress=progress,
        )
        progress.say(f"trained {output}; try: firth nearest {output} {model.vocabulary.words[0]}")

    # The flags of the family: known only here, where its class is.
    command.__annotations__["hyperparameters"] = Annotated[family, Parameter(name="*", group=FAMILIES[name])]
    return command


def __getattr__(name: str) -> Callable[..., None]:
    """The training commands, made when they are asked for: the files of the families import the kernels."""
    if name in FAMILIES:
        return _train_command(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _progress(quiet: bool) -> "Progress":
    from firth.progress import Silent, to_stderr

    return Silent() if quiet else to_stderr()


def _sources(corpus: Sequence[Path], encoding: str) -> Sequence[Path] | Iterable[str]:
    """The files of a corpus, or the lines of standard input for `-`."""
    if Path("-") not in corpus:
        return corpus
    if len(corpus) > 1:
        raise UsageError("- is standard input, and stands alone: give it or files")
    return _stdin_lines(encoding)


def _stdin_lines(encoding: str) -> Iterator[str]:
    try:
        with open(sys.stdin.fileno(), encoding=encoding, closefd=False) as file:
            yield from file
    except LookupError as error:
        raise UsageError(f"--encoding {encoding}: {error}") from error
    except UnicodeDecodeError as error:
        raise FirthError(f"standard input is not {encoding}: {error}; name its --encoding") from error


train_app = App(name="train", help="Train word vectors on a corpus.", config=_fill, sort_key=0, **FRAMED)
app.command(train_app)
train_app.command("firth.cli:skipgram", name="skipgram", help="Skip-gram: a word predicts its neighbours.")
train_app.command("firth.cli:cbow", name="cbow", help="CBOW: the neighbours' mean predicts the word.")


# --- use --------------------------------------------------------------------------------------------------


@app.command(sort_key=1, **FRAMED)
def nearest(model: Path, *words: str, layer: Layer = None, n: Count = 10, as_json: AsJson = False) -> None:
    """Print the words nearest to each word by cosine similarity.

    Args:
        model: A model, or a file of vectors.
        words: The words, or text that is split into words as the model's corpus was.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many words to print for each.
        as_json: Print JSON, for machines.
    """
    vectors = _load(model)
    queries = split_words(vectors, words)
    _show(
        [
            {"word": word, "layer": layer, "neighbour": neighbour, "similarity": similarity}
            for layer, matrix in _matrices(vectors, layer)
            for word in queries
            for neighbour, similarity in matrix.most_similar(word, topn=n)
        ],
        as_json=as_json,
    )


@app.command(sort_key=2, **FRAMED)
def analogy(model: Path, *words: str, layer: Layer = None, n: Count = 10, as_json: AsJson = False) -> None:
    """Print what the third word is to as the first is to the second: A is to B as C is to ?

    Args:
        model: A model, or a file of vectors.
        words: The three words A B C.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many answers to print.
        as_json: Print JSON, for machines.
    """
    vectors = _load(model)
    a, b, c = _exactly(3, split_words(vectors, words), "A B C")
    _show(
        [
            {"layer": layer, "answer": answer, "similarity": similarity}
            for layer, matrix in _matrices(vectors, layer)
            for answer, similarity in matrix.most_similar(positive=[b, c], negative=[a], topn=n)
        ],
        as_json=as_json,
    )


@app.command(sort_key=3, **FRAMED)
def similarity(model: Path, *words: str, layer: Layer = None, as_json: AsJson = False) -> None:
    """Print the cosine similarity of two words.

    Args:
        model: A model, or a file of vectors.
        words: The two words.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        as_json: Print JSON, for machines.
    """
    vectors = _load(model)
    first, second = _exactly(2, split_words(vectors, words), "WORD WORD")
    _show(
        [
            {"layer": layer, "first": first, "second": second, "similarity": matrix.similarity(first, second)}
            for layer, matrix in _matrices(vectors, layer)
        ],
        as_json=as_json,
    )


def _load(model: Path) -> "Vectors":
    from firth.vectors import Vectors

    return Vectors.load(model)


def split_words(vectors: "Vectors", texts: Iterable[str]) -> list[str]:
    """The words of what was typed on a command line, split as the corpus of `vectors` was.

    A text that is a known word stays whole, and so does a piece between white space; any other piece is
    segmented. A piece in which nothing can be found stays too, for the error that will name it.
    """
    words = []
    for text in texts:
        for piece in [text] if text in vectors else text.split() or [text]:
            segmented = vectors.segmentation.words(piece) if vectors.segmentation else []
            words += [piece] if piece in vectors or not segmented else segmented
    if not words:
        raise UsageError("no word was given")
    return words


def _exactly(number: int, words: Sequence[str], names: str) -> Sequence[str]:
    if len(words) != number:
        raise UsageError(f"{names} takes {number} words; {len(words)} were given: {', '.join(words)}")
    return words


def _matrices(vectors: "Vectors", layer: Layer) -> Iterator[tuple[int, "Vectors"]]:
    """The layers that were asked for, each with its number and as vectors of one layer."""
    n_layers = vectors.array.shape[0]
    numbers = range(n_layers) if layer == "all" else [n_layers - 1 if layer is None else layer]
    return ((number, vectors.layer(number)) for number in numbers)


@app.command(sort_key=4, **FRAMED)
def evaluate(
    *models: Path,
    pairs: Files = (),
    analogies: Files = (),
    restrict: Annotated[int, Parameter(validator=Number(gte=1))] = 30_000,
    layer: Layer = "all",
    as_json: AsJson = False,
) -> None:
    """Print how well vectors agree with word pairs that people scored, and answer analogies.

    One row is printed for each model and layer, then the analogies' sections.

    Args:
        models: Models, or files of vectors.
        pairs: Files of two words and a score a line, parted by tabs, commas or spaces.
        analogies: Files of four words a line, in sections that begin with `: name`.
        restrict: How many of the most frequent words take part.
        layer: The layer whose vectors are evaluated; all by default.
        as_json: Print JSON, for machines.
    """
    from firth import evaluation

    if not models or not (pairs or analogies):
        raise UsageError("evaluate takes a model, and --pairs FILE or --analogies FILE")
    pair_sets = {path: evaluation.read_word_pairs(path) for path in pairs}
    question_sets = {path: evaluation.read_analogies(path) for path in analogies}
    results = [
        _Evaluated(
            model,
            number,
            {
                path: evaluation.evaluate_pairs(matrix.words, matrix.array[0], asked, restrict=restrict)
                for path, asked in pair_sets.items()
            },
            {
                path: evaluation.evaluate_analogies(matrix.words, matrix.array[0], asked, restrict=restrict)
                for path, asked in question_sets.items()
            },
        )
        for model in models
        for number, matrix in _matrices(_load(model), layer)
    ]
    if as_json:
        _print_json([_everything(result) for result in results])
        return
    _print_rows([_summary(result) for result in results])
    if analogies:
        print()
        _print_rows([row for result in results for row in _sections(result)])
    for result in results:
        _name_unknown(result)


class _Evaluated(NamedTuple):
    """What one layer of a model scored on each file."""

    model: Path
    layer: int
    pairs: "dict[Path, PairsResult]"
    analogies: "dict[Path, AnalogiesResult]"


def _everything(result: _Evaluated) -> dict[str, Any]:
    """All figures and all unknown words."""
    return {
        "model": str(result.model),
        "layer": result.layer,
        "pairs": [{"file": str(path)} | figures._asdict() for path, figures in result.pairs.items()],
        "analogies": [
            {"file": str(path)}
            | _share(figures.total)
            | {"unknown": figures.unknown, "sections": [_share(section) for section in figures.sections]}
            for path, figures in result.analogies.items()
        ],
    }


def _share(section: "SectionResult") -> dict[str, Any]:
    return section._asdict() | {"accuracy": section.accuracy}


def _summary(result: _Evaluated) -> Row:
    """One row: each file's figures in columns of their own."""
    row: dict[str, str | int | float] = {"model": str(result.model), "layer": result.layer}
    for path, figures in result.pairs.items():
        row |= {
            f"{path.stem} spearman": figures.spearman,
            f"{path.stem} spearman p": figures.spearman_p,
            f"{path.stem} pearson": figures.pearson,
            f"{path.stem} pearson p": figures.pearson_p,
            f"{path.stem} answered": f"{figures.n_answered}/{figures.n_asked}",
        }
    for path, answers in result.analogies.items():
        row |= {
            f"{path.stem} accuracy": answers.accuracy,
            f"{path.stem} answered": f"{answers.total.n_answered}/{answers.total.n_asked}",
        }
    return row


def _sections(result: _Evaluated) -> list[Row]:
    return [
        {
            "model": str(result.model),
            "layer": result.layer,
            "file": path.stem,
            "section": section.name,
            "accuracy": section.accuracy,
            "answered": f"{section.n_answered}/{section.n_asked}",
        }
        for path, figures in result.analogies.items()
        for section in figures.sections
    ]


def _name_unknown(result: _Evaluated) -> None:
    """Says on standard error which words of each file were unknown, the first few of them."""
    for path, figures in (result.pairs | result.analogies).items():
        if figures.unknown:
            more = f" and {len(figures.unknown) - 10:,} more (--json names all)" if len(figures.unknown) > 10 else ""
            words = ", ".join(figures.unknown[:10])
            line = f"{result.model}, layer {result.layer}: unknown words of {path.name}: {words}{more}"
            print(printable(line), file=sys.stderr)


SUFFIXES = {".txt": "text", ".vec": "text", ".bin": "binary", "": "directory"}


@app.command(sort_key=5, **FRAMED)
def convert(
    source: Path,
    target: Path,
    *,
    format: Literal["directory", "text", "binary", "glove"] | None = None,
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    overwrite: Flag = False,
) -> None:
    """Write vectors in another format.

    Args:
        source: A model, or a file of vectors; its format is recognised.
        target: What to write: `.txt` and `.vec` are word2vec's text, `.bin` its binary format, a name without
            a suffix is a directory.
        format: The target's format where its name does not say it; `glove` is text without a header.
        limit: How many words to take, from the top.
        overwrite: Replace the target.
    """
    from firth.formats import word2vec
    from firth.vectors import Vectors

    if target.exists() and not overwrite:
        raise UsageError(f"{target} exists; --overwrite replaces it")
    chosen = format or SUFFIXES.get(target.suffix)
    if chosen is None:
        raise UsageError(f"{target}: {target.suffix} says no format; there are .txt, .vec, .bin, and --format")
    vectors = Vectors.load(source)


# --- demo -------------------------------------------------------------------------------------------------


@app.command(sort_key=6, **FRAMED)
def demo(
    *,
    every: Annotated[bool, Parameter(name="--all", negative=())] = False,
    threads: int | None = None,
    quiet: Flag = False,
) -> None:
    """Train on a small corpus and print neighbours and scores, in under two minutes.

    Args:
        every: Train every family there is.
        threads: How many threads train; all cores by default.
        quiet: Show no progress.
    """
    from firth.demonstration import demonstrate

    names = FAMILIES if every else ("skipgram", "cbow")
    for shown in demonstrate([_family(name)() for name in names], threads=threads, progress=_progress(quiet)):
        _print_rows([
            {"family": shown.family, "word": word, "neighbours": ", ".join(neighbours)}
            for word, neighbours in shown.neighbours.items()
        ])
        print()
        _print_rows([
            {
                "family": shown.family,
                "section": section.name,
                "accuracy": section.accuracy,
                "answered": f"{section.n_answered}/{section.n_asked}",
            }
            for section in (*shown.scores.sections, shown.scores.total)
        ])
        print()


# --- printing ---------------------------------------------------------------------------------------------


def _show(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        _print_json(rows)
    else:
        _print_rows(rows)


def _print_json(value: object) -> None:
    text = json.dumps(_without_nan(value), ensure_ascii=False, indent=1)
    # Escapes that JSON leaves bare (C1 controls, bidi overrides) would reach the terminal.
    print("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def _without_nan(value: object) -> object:
    """`value` with null for every number that is not one, which JSON cannot say."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_rows(rows: Sequence[Row]) -> None:
    """Prints a table on a terminal, and elsewhere a line of column names and a line a row, parted by tabs."""
    if not rows:
        return
    lines = [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]
    if sys.stdout.isatty():
        _print_table(lines, [not isinstance(value, str) for value in rows[0].values()])
    else:
        for line in lines:
            print("\t".join(line))


def _print_table(lines: Sequence[Sequence[str]], are_numbers: Sequence[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for name, is_number in zip(lines[0], are_numbers, strict=True):
        table.add_column(Text(name), justify="right" if is_number else "left")
    for line in lines[1:]:
        table.add_row(*map(Text, line))  # a Text is no markup
    Console(file=sys.stdout).print(table)


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-4 else f"{value:.0e}"


# --- documentation ----------------------------------------------------------------------------------------
