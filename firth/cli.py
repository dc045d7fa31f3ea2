"""The command line: every command is one thin call of a public function.

Results go to standard output (a table on a terminal, tab-separated lines in a pipe, JSON with `--json`),
progress and messages to standard error. Exit status: 0, 1 where the work failed, 2 where the call was wrong.

What takes long to import is imported inside the commands, so that `firth --help` answers at once.
"""

import inspect
import json
import math
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, get_args

from cyclopts import (
    App,
    Argument,
    ArgumentCollection,
    CoercionError,
    CycloptsError,
    Parameter,
    Token,
    UnknownOptionError,
)
from cyclopts.config import Dict
from cyclopts.validators import Number

from firth.errors import FirthError, UsageError
from firth.files import latest_checkpoint, printable
from firth.preparation import Preparation

if TYPE_CHECKING:
    from firth.demonstration import Demonstration
    from firth.evaluation import AnalogiesResult, PairsResult, SectionResult
    from firth.model import Model
    from firth.progress import Progress
    from firth.vectors import Vectors

FAMILIES = {
    "skipgram": "Train Skip-gram: a word predicts its neighbours.",
    "cbow": "Train CBOW: the mean of the neighbours predicts the word.",
    "gpt": "Train GPT: each piece of a word predicts the next.",
    "bert": "Train BERT: hidden pieces of words are predicted from both sides.",
}
"""The families by their names on the command line, and what the help says of them."""

Preset = Literal["tiny", "mini", "small", "medium", "base"]
Recipe = Literal["fast", "paper"]
VARIANTS = {"preset": get_args(Preset), "recipe": get_args(Recipe)}
"""Names of a family's methods that give a variant of it; `fast` is the family as it is.

In this order: a preset is the size, and wins over the size that a recipe comes with.
"""

BUDGETS = ("epochs", "tokens", "minutes")
SIZE = frozenset({"dim", "n-layers", "n_layers", "n-heads", "n_heads", "inner-dim", "inner_dim"})
"""Where none of these is given, and no preset, the size of GPT and BERT follows from the budget."""


def _comma_separated(_: object, tokens: Sequence[Token]) -> list[Path]:
    return [Path(name) for token in tokens for name in token.value.split(",")]


Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
AsJson = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]
Layer = int | Literal["all"] | None
Count = Annotated[int, Parameter(name="-n", validator=Number(gte=1))]
Files = Annotated[Sequence[Path], Parameter(negative=(), converter=_comma_separated, n_tokens=1)]

PREPARATION = Preparation()
Prepared = Annotated[Preparation, Parameter(name="*", group="Preparation of the text", negative=())]

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


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status of the command that `arguments` (those of the process by default) ask for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_: _say(f"warning: {message}")
            app(arguments, exit_on_error=False, print_error=False, result_action="return_none")
        sys.stdout.flush()  # here, where a full disk or a closed pipe can be told
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
    except MemoryError as error:
        return _failed(f"not enough memory: {error}", 1)
    except KeyboardInterrupt:
        return _failed("interrupted", 1)
    return 0


def _failed(message: str, status: int) -> int:
    _say(message)
    return status


def _say(message: str) -> None:
    for line in message.splitlines():
        print(f"firth: {printable(line)}", file=sys.stderr)


def _name_here(error: UnknownOptionError) -> str | None:
    """What to say of an unknown option if gensim knows it; None of any other."""
    from firth.families.family import GENSIM_NAMES

    option = error.token.keyword or error.token.value
    name = option.strip("-[]").partition("=")[0].replace("-", "_")
    return f"{name} is called {GENSIM_NAMES[name]} here" if name in GENSIM_NAMES else None


# --- train ------------------------------------------------------------------------------------------------


def _refuse_unknown_options(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Raises UnknownOptionError for an option among the files, where `-` is let through."""
    for token in arguments.get("CORPUS").tokens:
        if token.value.startswith("-") and token.value != "-":
            raise UnknownOptionError(token=token, argument_collection=arguments)


def _fill(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fills what no flag has set: from the TOML file of --config, then from --preset and --recipe.

    Cyclopts calls this when the flags stand; a source leaves alone what one before it has set.
    """
    flags = {argument.name.removeprefix("--"): argument.tokens[-1].value for argument in arguments if argument.tokens}
    settings: dict[str, Any] = {}
    if "config" in flags:
        settings = _read_toml(Path(flags["config"]))
        if any(budget in flags for budget in BUDGETS):  # a budget by flag replaces another one of the file
            settings = {key: value for key, value in settings.items() if key not in BUDGETS}
        Dict(settings, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)
    if SIZE & (flags.keys() | settings.keys()) and not {"preset"} & (flags.keys() | settings.keys()):
        _fill_size(app, commands, arguments)
    for kind in VARIANTS:
        name = flags.get(kind, settings.get(kind))
        if name is not None:
            variant = _variant(_family(commands[-1]), kind, str(name))
            Dict(variant, source=f"--{kind}", use_commands_as_keys=False)(app, commands, arguments)


def _fill_prepared(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fills what no flag has set from the TOML file of --config; what there concerns training alone is passed by."""
    flags = {argument.name.removeprefix("--"): argument.tokens[-1].value for argument in arguments if argument.tokens}
    if "config" not in flags:
        return
    names = {_python_name(argument.name) for argument in arguments}
    settings = _read_toml(Path(flags["config"]))
    for name in settings:
        if _python_name(name) not in names and not any(_python_name(name) in _flags(family) for family in FAMILIES):
            raise UsageError(f"--config {flags['config']}: {printable(name)} is no setting of a training")
    settings = {name: value for name, value in settings.items() if _python_name(name) in names}
    Dict(settings, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)


def _flags(family: str) -> set[str]:
    """The settings of the command that trains a family."""
    return {_python_name(argument.name) for argument in train_app[family].assemble_argument_collection()}


def _python_name(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _fill_size(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Names the preset that the defaults are of, so that no other size is chosen where a part of it was given."""
    from firth.model import CONTEXTUAL

    if commands[-1] in CONTEXTUAL:
        Dict({"preset": "base"}, source="the size", use_commands_as_keys=False)(app, commands, arguments)


def _refuse_fractions(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Raises CoercionError where a whole number is due; cyclopts would round without a word."""
    for argument in arguments:
        for token in argument.tokens:
            if int in (argument.hint, *get_args(argument.hint)) and "." in token.value:
                raise CoercionError(token=token, argument=argument, target_type=int)


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {path} cannot be read: {error}") from error
    if isinstance(settings.get("keep"), list):
        settings["keep"] = ",".join(map(str, settings["keep"]))
    for name, value in settings.items():
        if isinstance(value, list):
            raise UsageError(f"--config {path}: {name} is a list, where one value is due")
    return settings


def _family(name: str) -> Any:
    """The class of the family that the command line calls `name`."""
    from firth.model import FAMILIES

    return FAMILIES[name]


def _variant(family: Any, kind: str, name: str) -> dict[str, Any]:
    """The fields that a variant of a family, as `Skipgram.paper()`, decides.

    A recipe decides those in which it differs from the defaults; a preset the size, which is what differs among the
    presets, so that `small` asks for its size although the defaults are of the same.
    """
    if name not in VARIANTS[kind] or name == "fast":
        return {}  # a name that is no choice at all is refused by cyclopts, later
    if not hasattr(family, name):
        raise UsageError(f"--{kind} {name} asked of {family.__name__}, which has none of that name")
    variant = asdict(getattr(family, name)())
    presets = [asdict(getattr(family, preset)()) for preset in VARIANTS["preset"] if hasattr(family, preset)]
    others = presets if kind == "preset" else [asdict(family())]
    return {field: value for field, value in variant.items() if any(value != other[field] for other in others)}


def _train_command(name: str) -> Callable[..., None]:
    """The command `firth train <name>`; the family's fields are its flags."""
    from firth.model import CONTEXTUAL

    family = _family(name)
    command = _train_pieces_command(family) if name in CONTEXTUAL else _train_words_command(family)
    # The flags of the family: known only here, where its class is.
    command.__annotations__["hyperparameters"] = Annotated[family, Parameter(name="*", group=family.__name__)]
    return command


def _train_words_command(family: Any) -> Callable[..., None]:
    default = family()

    def command(
        *corpus: Annotated[Path, Parameter(allow_leading_hyphen=True)],
        output: Annotated[Path, Parameter(name=["--output", "-o"])],
        preset: Preset | None = None,
        recipe: Recipe | None = None,
        epochs: float | None = None,
        tokens: float | None = None,
        minutes: float | None = None,
        threads: int | None = None,
        seed: int = 1,
        reproducible: Flag = False,
        base: Annotated[Path | None, Parameter(name="--from")] = None,
        resume: Flag = False,
        overwrite: Flag = False,
        config: Path | None = None,
        cache_dir: Path | None = None,
        quiet: Flag = False,
        as_json: AsJson = False,
        hyperparameters: Any = default,
        preparation: Prepared = PREPARATION,
    ) -> None:
        """Train a family of word vectors on text.

        Args:
            corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
            output: The directory to write the model to.
            preset: The size of the model; it wins over the recipe's.
            recipe: Settings that train fast, or the paper's.
            epochs: Budget: how often to go through the corpus.
            tokens: Budget: how many words to read.
            minutes: Budget: how long to train.
            threads: How many threads train; all cores by default.
            seed: What the random numbers begin with.
            reproducible: The same seed gives the same bits, whatever the number of threads; slower.
            base: A model to go on from, with new text and new words.
            resume: Go on with the unfinished run in the output directory.
            overwrite: Replace the model in the output directory; other files there stay.
            config: A TOML file of these settings, as `dim = 200`; flags win over it.
            cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
            quiet: Show no progress.
            as_json: Print JSON, for machines.
        """
        model = _trained(
            hyperparameters,
            corpus,
            output,
            epochs=epochs,
            tokens=tokens,
            minutes=minutes,
            threads=threads,
            seed=seed,
            reproducible=reproducible,
            preparation=_with_lists(preparation),
            overwrite=overwrite,
            resume=resume,
            base=base,
            cache_dir=cache_dir,
            progress=_progress(quiet),
        )
        _show([{"model": str(output), "words": len(model.vocabulary), **_spent(model)}], as_json=as_json)

    return command


def _train_pieces_command(family: Any) -> Callable[..., None]:
    default = family()

    def command(
        *corpus: Annotated[Path, Parameter(allow_leading_hyphen=True)],
        output: Annotated[Path, Parameter(name=["--output", "-o"])],
        preset: Preset | None = None,
        recipe: Recipe | None = None,
        epochs: float | None = None,
        tokens: float | None = None,
        minutes: float | None = None,
        tokenizer: Path | None = None,
        pieces: Literal["auto", "wordpiece", "bpe", "byte_bpe"] = "auto",
        cleaning: Literal["none", "plain"] = "none",
        device: str | None = None,
        compile: Literal["auto", "always", "never"] = "auto",
        threads: int | None = None,
        seed: int = 1,
        base: Annotated[Path | None, Parameter(name="--from")] = None,
        add_words: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
        resume: Flag = False,
        overwrite: Flag = False,
        config: Path | None = None,
        cache_dir: Path | None = None,
        quiet: Flag = False,
        as_json: AsJson = False,
        hyperparameters: Any = default,
        preparation: Prepared = PREPARATION,
    ) -> None:
        """Train a network on text, pieces of words in their context; transformers opens the model's directory.

        Args:
            corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
            output: The directory to write the model to.
            preset: The size of the model; by default the largest that the budget suffices for on this machine.
            recipe: Settings that train fast, or the paper's.
            epochs: Budget: how often to go through the corpus.
            tokens: Budget: how many pieces of words to read.
            minutes: Budget: how long to train; 10 where no budget is given.
            tokenizer: A tokenizer.json, a vocab.txt or a directory with one; by default it is learnt from the corpus.
            pieces: The kind of pieces that is learnt; auto looks at the family and the text.
            cleaning: plain makes curly quotes, dashes and ellipses of the text plain before pieces are learnt.
            device: cuda, cuda:1, mps or cpu; by default the fastest there is.
            compile: Whether torch.compile is used; auto where it pays.
            threads: How many threads compute on the processor; all cores by default.
            seed: What the random numbers begin with.
            base: A model to go on from with new text, ours or a published directory: its network and its tokenizer.
            add_words: With --from: so many frequent words of the corpus become pieces of their own.
            resume: Go on with the unfinished run in the output directory.
            overwrite: Replace the model in the output directory; other files there stay.
            config: A TOML file of these settings, as `dim = 200`; flags win over it.
            cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
            quiet: Show no progress.
            as_json: Print JSON, for machines.
        """
        model = _trained(
            hyperparameters if preset is not None else _sizes(hyperparameters),
            corpus,
            output,
            epochs=epochs,
            tokens=tokens,
            minutes=minutes,
            threads=threads,
            seed=seed,
            preparation=_with_lists(preparation),
            overwrite=overwrite,
            resume=resume,
            base=base,
            cache_dir=cache_dir,
            progress=_progress(quiet),
            tokenizer=tokenizer,
            pieces=pieces,
            cleaning=cleaning,
            add_words=add_words,
            device=device,
            compile=compile,
        )
        if "RANK" in os.environ and os.environ["RANK"] != "0":
            return  # the first process of torchrun says it for all
        row: Row = {"model": str(output), "pieces": model.pieces.n_entries, **_spent(model)}
        if "held_out_nats" in model.record:
            row = {**row, "held_out_nats": model.record["held_out_nats"]["last"]}
        _show([row], as_json=as_json)

    return command


def _sizes(hyperparameters: Any) -> list[Any]:
    """The family in its sizes, from small to large."""
    family = type(hyperparameters)
    return [replace(hyperparameters, **_variant(family, "preset", name)) for name in VARIANTS["preset"]]


def _trained(family: Any, corpus: Sequence[Path], output: Path, **arguments: Any) -> "Model":
    """The trained model; after Ctrl-C, how to go on."""
    from firth.training import train

    if not corpus:
        raise UsageError("no corpus was given: name files, or - for standard input")
    try:
        return train(family, corpus, output=output, **arguments)
    except KeyboardInterrupt:
        if latest_checkpoint(output) is None:
            raise
        raise FirthError("interrupted; the same command with --resume goes on from here") from None


def _spent(model: "Model") -> dict[str, str | int | float]:
    """What a training came to."""
    spent = model.record["spent"]
    return {
        "loss_nats": model.record["loss_nats"],
        "seconds": spent["seconds"],
        "tokens_per_second": round(spent["tokens"] / max(spent["seconds"], 1e-9)),
    }


def __getattr__(name: str) -> Callable[..., None]:
    """The training commands, made when cyclopts asks for them: importing the families takes a while."""
    if name in FAMILIES:
        return _train_command(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _progress(quiet: bool) -> "Progress":
    from firth.progress import Silent, to_stderr

    return Silent() if quiet else to_stderr()


def _with_lists(preparation: Preparation) -> Preparation:
    """`preparation` with the columns to keep parted at their commas."""
    names = (name.strip() for part in preparation.keep for name in part.split(","))
    return replace(preparation, keep=tuple(name for name in names if name))


# --- check and cache --------------------------------------------------------------------------------------


def check(
    *corpus: Annotated[Path, Parameter(allow_leading_hyphen=True)],
    threads: int | None = None,
    config: Path | None = None,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    preparation: Prepared = PREPARATION,
) -> None:
    """Look at a corpus before training: what there is, what is wrong, how long it takes.

    Ends with the `firth train` command that it advises.

    Args:
        corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
        threads: How many threads would train; all cores by default.
        config: The TOML file of a training; how it prepares the text is taken from there, but flags win over it.
        cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.inspection import check as inspected
    from firth.inspection import report

    if not corpus:
        raise UsageError("no corpus was given: name files, or - for standard input")
    found = inspected(
        corpus,
        _with_lists(preparation),
        threads=threads,
        cache_dir=cache_dir,
        progress=_progress(quiet),
    )
    if config is not None:
        found = replace(found, command=f"{found.command} --config {shlex.quote(str(config))}")
    if as_json:
        _print_json(found.settings())
    else:
        for line in report(found):
            print(printable(line))


def list_cache(*, cache_dir: Path | None = None, as_json: AsJson = False) -> None:
    """List the encoded corpora that are kept for later runs.

    Args:
        cache_dir: The cache's directory; by default the user's own.
        as_json: Print JSON, for machines.
    """
    from firth.cache import entries, place

    found = entries(cache_dir)
    rows: list[Row] = [
        {
            "corpus": entry.sources,
            "what": entry.what,
            "tokens": entry.n_tokens,
            "megabytes": round(entry.n_bytes / 1e6, 1),
            "days_unused": round(entry.seconds_unused / 86400, 1),
            "folder": str(entry.folder),
        }
        for entry in found
    ]
    if not rows and not as_json:
        _say(f"nothing is kept in {place(cache_dir)}")
    _show(rows, as_json=as_json)


def clear_cache(*, cache_dir: Path | None = None) -> None:
    """Delete the encoded corpora that are kept for later runs.

    Args:
        cache_dir: The cache's directory; by default the user's own.
    """
    from firth.cache import clear, place

    n_bytes = clear(cache_dir)
    _say(f"{n_bytes / 1e6:,.1f} MB deleted from {place(cache_dir)}")


# --- use --------------------------------------------------------------------------------------------------


def nearest(model: Path, /, *words: str, layer: Layer = None, n: Count = 10, as_json: AsJson = False) -> None:
    """Print the words nearest to each word by cosine similarity.

    Args:
        model: A model, or a file of vectors.
        words: The words, or text that is split into words as the model's corpus was.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many words to print for each.
        as_json: Print JSON, for machines.
    """
    vectors = _load(model)
    queries = vectors.words_of(*words)
    _show(
        [
            {"layer": number, "word": word, "neighbour": neighbour, "similarity": cosine}
            for number, matrix in _matrices(vectors, layer)
            for word, neighbours in zip(queries, matrix.similar_by_words(queries, topn=n), strict=True)
            for neighbour, cosine in neighbours
        ],
        as_json=as_json,
    )


def analogy(model: Path, /, *words: str, layer: Layer = None, n: Count = 10, as_json: AsJson = False) -> None:
    """Print the words that answer "A is to B as C is to ?".

    Args:
        model: A model, or a file of vectors.
        words: The three words A B C.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        n: How many answers to print.
        as_json: Print JSON, for machines.
    """
    vectors = _load(model)
    a, b, c = _exactly(3, vectors.words_of(*words), "A B C")
    _show(
        [
            {"layer": number, "answer": answer, "similarity": cosine}
            for number, matrix in _matrices(vectors, layer)
            for answer, cosine in matrix.most_similar(positive=[b, c], negative=[a], topn=n)
        ],
        as_json=as_json,
    )


def similarity(model: Path, /, *words: str, layer: Layer = None, as_json: AsJson = False) -> None:
    """Print the cosine similarity of two words.

    Args:
        model: A model, or a file of vectors.
        words: The two words.
        layer: The layer whose vectors are asked, or `all`; the last one by default.
        as_json: Print JSON, for machines.
    """
    vectors = _load(model)
    first, second = _exactly(2, vectors.words_of(*words), "WORD WORD")
    _show(
        [
            {"layer": number, "first": first, "second": second, "similarity": matrix.similarity(first, second)}
            for number, matrix in _matrices(vectors, layer)
        ],
        as_json=as_json,
    )


def _load(model: Path) -> "Vectors":
    from firth.vectors import Vectors

    vectors = Vectors.load(model)
    if vectors.segmentation is not None and (warning := vectors.segmentation.warning()) is not None:
        _say(f"warning: {warning}")
    return vectors


def _exactly(number: int, words: Sequence[str], names: str) -> Sequence[str]:
    if len(words) != number:
        raise UsageError(f"{names} takes {number} words; {len(words)} were given: {', '.join(words)}")
    return words


def _matrices(vectors: "Vectors", layer: Layer) -> Iterator[tuple[int, "Vectors"]]:
    """The layers that were asked for, each with its number and as vectors of one layer."""
    last = vectors.n_layers - 1
    numbers = range(last + 1) if layer == "all" else [last if layer is None else layer]
    return ((number, vectors.layer(number)) for number in numbers)


def evaluate(
    *models: Path,
    pairs: Files = (),
    analogies: Files = (),
    restrict: Annotated[int, Parameter(validator=Number(gte=1))] = 30_000,
    layer: Layer = "all",
    as_json: AsJson = False,
) -> None:
    """Print how models score on word pairs and on analogies.

    One row for each model and layer, then a table of correlations and one of accuracies by section.

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
            {path: matrix.evaluate_word_pairs(asked, restrict=restrict) for path, asked in pair_sets.items()},
            {path: matrix.evaluate_word_analogies(asked, restrict=restrict) for path, asked in question_sets.items()},
        )
        for model in models
        for number, matrix in _matrices(_load(model), layer)
    ]
    if as_json:
        _print_json([_everything(result) for result in results])
        return
    _print_rows([_summary(result) for result in results])
    for details in (_correlations, _accuracies):
        rows = [row for result in results for row in details(result)]
        if rows:
            print()
            _print_rows(rows)
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
            | _share(answers.total)
            | {"unknown": answers.unknown, "sections": [_share(section) for section in answers.sections]}
            for path, answers in result.analogies.items()
        ],
    }


def _share(section: "SectionResult") -> dict[str, Any]:
    return section._asdict() | {"accuracy": section.accuracy}


def _summary(result: _Evaluated) -> Row:
    """One row: each file's main figure in a column of its own."""
    row: dict[str, str | int | float] = {"model": str(result.model), "layer": result.layer}
    for path, figures in result.pairs.items():
        row[f"{_label(path, result.pairs)} spearman"] = figures.spearman
    for path, answers in result.analogies.items():
        row[f"{_label(path, result.analogies)} accuracy"] = answers.accuracy
    return row


def _label(path: Path, paths: Iterable[Path]) -> str:
    """A short name for a file: its stem, if no other of `paths` has the same."""
    return path.stem if [other.stem for other in paths].count(path.stem) == 1 else str(path)


def _correlations(result: _Evaluated) -> list[Row]:
    return [
        {
            "model": str(result.model),
            "layer": result.layer,
            "pairs": _label(path, result.pairs),
            "spearman": figures.spearman,
            "spearman p": figures.spearman_p,
            "pearson": figures.pearson,
            "pearson p": figures.pearson_p,
            "answered": f"{figures.n_answered}/{figures.n_asked}",
        }
        for path, figures in result.pairs.items()
    ]


def _accuracies(result: _Evaluated) -> list[Row]:
    return [
        {
            "model": str(result.model),
            "layer": result.layer,
            "analogies": _label(path, result.analogies),
            **_accuracy(section),
        }
        for path, answers in result.analogies.items()
        for section in (*answers.sections, answers.total)
    ]


def _accuracy(section: "SectionResult") -> Row:
    return {
        "section": section.name,
        "accuracy": section.accuracy,
        "answered": f"{section.n_answered}/{section.n_asked}",
    }


def _name_unknown(result: _Evaluated) -> None:
    """Says on standard error which words of each file were unknown, the first few of them."""
    unknown = [(path, figures.unknown) for path, figures in result.pairs.items()]
    unknown += [(path, answers.unknown) for path, answers in result.analogies.items()]
    for path, words in unknown:
        if words:
            more = f" and {len(words) - 10:,} more (--json names all)" if len(words) > 10 else ""
            place = f"{result.model}, layer {result.layer}"
            _say(f"{place}: unknown words of {path.name}: {', '.join(words[:10])}{more}")


def convert(
    source: Path,
    target: Path,
    /,
    *,
    format: Literal["directory", "text", "binary", "glove"] | None = None,
    source_format: Literal["auto", "text", "binary", "glove"] = "auto",
    limit: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    space: str | None = None,
    overwrite: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Write vectors in another format.

    Args:
        source: A model, or a file of vectors.
        target: What to write; `.txt` and `.vec` are word2vec's text, `.bin` its binary, no suffix a directory.
        format: The target's format, where its name does not say it; `glove` is text without a header.
        source_format: The source's format, where looking at it is not enough.
        limit: How many words to take, from the top.
        space: What to write for white space inside a word, which text and binary cannot hold.
        overwrite: Replace the target.
        as_json: Print JSON, for machines.
    """
    from firth.vectors import convert as convert_vectors

    vectors = convert_vectors(
        source,
        target,
        format=format,
        source_format=source_format,
        limit=limit,
        space=space,
        overwrite=overwrite,
    )
    if vectors.n_layers > 1 and not target.is_dir():
        last = vectors.n_layers - 1
        _say(f"{source} has layers 0 to {last}; {target} holds layer {last} alone, as any file (a directory holds all)")
    row: Row = {"target": str(target), "words": len(vectors), "dim": vectors.dim}
    _show([row], as_json=as_json)


# --- demo -------------------------------------------------------------------------------------------------


def demo(
    *,
    every: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False,
    threads: int | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Train on a small corpus, and print neighbours and scores.

    Args:
        every: Train every family there is, GPT and BERT too, in some minutes.
        threads: How many threads train; all cores by default.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.demonstration import demonstrate
    from firth.model import CONTEXTUAL

    progress = _progress(quiet)
    names = tuple(FAMILIES) if every else ("skipgram", "cbow")
    families = [_family(name).tiny() if name in CONTEXTUAL else _family(name)() for name in names]
    results = []
    for result in demonstrate(families, threads=threads, progress=progress):
        results.append(_demonstrated(result))
        if not as_json:
            _print_rows(_neighbour_rows(result))
            print()
            _print_rows(_score_rows(result))
            print()
    if as_json:
        _print_json(results)
    progress.say("on your own text: firth train skipgram FILE --output MODEL, then firth nearest MODEL WORD")


def _demonstrated(result: "Demonstration") -> dict[str, Any]:
    return {
        "family": result.model.family.name,
        "neighbours": {word: dict(neighbours) for word, neighbours in result.neighbours.items()},
        "scores": [_share(section) for section in (*result.scores.sections, result.scores.total)],
    }


def _neighbour_rows(result: "Demonstration") -> list[Row]:
    name = result.model.family.name
    return [
        {"family": name, "word": word, "neighbours": ", ".join(neighbour for neighbour, _ in neighbours)}
        for word, neighbours in result.neighbours.items()
    ]


def _score_rows(result: "Demonstration") -> list[Row]:
    name = result.model.family.name
    return [{"family": name, **_accuracy(section)} for section in (*result.scores.sections, result.scores.total)]


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
        table.add_column(Text(name), justify="right" if is_number else "left", overflow="fold")
    for line in lines[1:]:
        table.add_row(*map(Text, line))  # a Text is no markup
    Console(file=sys.stdout).print(table)


def _cell(value: str | int | float) -> str:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.4f}" if value == 0 or not abs(value) < 1e-4 else f"{value:.0e}"


# --- the commands, in the order of the README ---------------------------------------------------------------

FRAMED: dict[str, Any] = {"help_format": "markdown", "help_formatter": "default"}
_SOURCES = (_refuse_unknown_options, _fill, _refuse_fractions)
train_app = App(name="train", help="Train word vectors on a corpus.", config=_SOURCES, sort_key=0, **FRAMED)
app.command(train_app)
for _name, _help in FAMILIES.items():
    train_app.command(f"firth.cli:{_name}", name=_name, help=_help)
cache_app = App(
    name="cache", help="List or clear the encoded corpora that are kept for later runs.", sort_key=8, **FRAMED
)
cache_app.default(list_cache)
cache_app.command(clear_cache, name="clear")
app.command(cache_app)
app.command(
    check,
    sort_key=-1,
    config=(_refuse_unknown_options, _fill_prepared, _refuse_fractions),
    **FRAMED,
)
_USES: Sequence[Callable[..., None]] = (nearest, analogy, similarity, evaluate, convert, demo)
for _order, _command in enumerate(_USES, start=1):
    app.command(_command, sort_key=_order, **FRAMED)


# --- docs/cli.md ------------------------------------------------------------------------------------------


def reference() -> str:
    """The text of docs/cli.md: every command with its arguments, from the code."""
    parts = ["# The command line", "Written by `python -m firth.cli > docs/cli.md`; a test compares.", app.help]
    for words in _all_commands():
        command = app
        for word in words:
            command = command[word]
        parts += [f"## firth {' '.join(words)}", inspect.cleandoc(command.help).partition("\n\nArgs:")[0]]
        lines = [_reference_line(argument) for argument in _documented(command)]
        parts.append("\n".join(["| argument | default | meaning |", "|---|---|---|", *lines]))
    return "\n\n".join(parts) + "\n"


def _commands(app: App) -> list[str]:
    return [name for name in app if not name.startswith("-")]


def _all_commands() -> Iterator[tuple[str, ...]]:
    """What may stand behind `firth`: every command that does something, a group of them behind its own."""
    for name in _commands(app):
        if app[name].default_command is not None:
            yield (name,)
        yield from ((name, inner) for inner in _commands(app[name]))


def _documented(command: App) -> list[Argument]:
    arguments = command.assemble_argument_collection(parse_docstring=True)
    return [argument for argument in arguments if argument.show and argument.name != "*"]


def _reference_line(argument: Argument) -> str:
    names = ", ".join(f"`{name}`" for name in argument.names)
    default = argument.field_info.default
    is_shown = default not in (None, False, (), inspect.Parameter.empty)
    shown = f"`{default}`" if is_shown else "required" if argument.required else ""
    choices = ", ".join(f"`{choice}`" for choice in argument.get_choices() or ())
    meaning = " ".join((argument.parameter.help or "").split())
    return f"| {names} | {shown} | {meaning}{f' ({choices})' if choices else ''} |"


if __name__ == "__main__":
    print(reference(), end="")
