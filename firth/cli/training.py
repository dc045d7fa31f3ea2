"""`firth train FAMILY`: one command for each family, whose hyperparameters are its flags."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict
from cyclopts.validators import Number

from firth.cli.printing import Row, show
from firth.cli.settings import (
    FAMILIES,
    PREPARATION,
    AsJson,
    Corpus,
    Files,
    Flag,
    Prepared,
    Preset,
    Recipe,
    check_given,
    family_called,
    preset_names,
    progress_of,
    python_name,
    read_toml,
    variant_of,
    with_lists,
)
from firth.errors import FirthError, UsageError
from firth.files import interrupt, latest_checkpoint, printable

if TYPE_CHECKING:
    from firth.model import Model


@dataclass(frozen=True, kw_only=True)
class Common:
    """What every training takes.

    Attributes:
        output: The directory to write the model to.
        preset: The size of the model; it wins over the recipe's. Of ELMo, GPT and BERT, by default the largest that the
            budget suffices for on this machine.
        recipe: Settings that train fast, or the paper's.
        epochs: Budget: how often to go through the corpus.
        tokens: Budget: how many words to read; of ELMo, ends of sentences too; of GPT and BERT, pieces of words.
        minutes: Budget: how long to train; of ELMo, GPT and BERT 10 where no budget is given.
        threads: How many threads train; all cores by default.
        seed: What the random numbers begin with.
        reproducible: The same seed gives the same bits: of words whatever the number of threads, but slower; of GPT and
            BERT on the processor.
        base: A model to go on from with new text. Of words: it gains the new ones. Of ELMo, GPT and BERT: ours or a
            published directory, its network and its tokenizer.
        resume: Go on with the unfinished run in the output directory.
        overwrite: Replace the model in the output directory; other files there stay.
        config: A TOML file of these settings, as `dim = 200`; flags win over it.
        cache_dir: Where encoded corpora are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """

    output: Annotated[Path, Parameter(name=["--output", "-o"])]
    preset: Preset | None = None
    recipe: Recipe | None = None
    epochs: float | None = None
    tokens: float | None = None
    minutes: float | None = None
    threads: int | None = None
    seed: int = 1
    reproducible: Flag = False
    base: Annotated[Path | None, Parameter(name="--from")] = None
    resume: Flag = False
    overwrite: Flag = False
    config: Path | None = None
    cache_dir: Path | None = None
    quiet: Flag = False
    as_json: AsJson = False


@dataclass(frozen=True, kw_only=True)
class ForPieces:
    """What the training of a network takes besides.

    Attributes:
        tokenizer: A tokenizer.json, a vocab.txt or a directory with one; by default it is learnt from the corpus.
        pieces: The kind of pieces that is learnt; auto looks at the family and the text.
        cleaning: plain makes curly quotes, dashes and ellipses of the text plain before pieces are learnt.
        add_words: With --from: so many frequent words of the corpus become pieces of their own.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        compile: Whether torch.compile is used; auto where it pays.
        matrices: Whether the training ends by making static vectors of the corpus' frequent words, a matrix for each
            layer, in a tenth of the budget beside it; firth matrices makes others.
    """

    tokenizer: Path | None = None
    pieces: Literal["auto", "wordpiece", "bpe", "byte_bpe"] = "auto"
    cleaning: Literal["none", "plain"] = "none"
    add_words: Annotated[int, Parameter(validator=Number(gte=0))] = 0
    device: str | None = None
    compile: Literal["auto", "always", "never"] = "auto"
    matrices: bool = True


FOR_PIECES = ForPieces()


@dataclass(frozen=True, kw_only=True)
class ForWords:
    """What the training of a network that reads whole words takes besides.

    Attributes:
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        compile: Whether torch.compile is used; auto where it pays, which is on a GPU; always launches CUDA graphs there
            besides (graphs: not yet run on a GPU).
        matrices: Whether the training ends by making static vectors of the corpus' frequent words, a matrix for each
            layer, in a tenth of the budget beside it; firth matrices makes others.
    """

    device: str | None = None
    compile: Literal["auto", "always", "never"] = "auto"
    matrices: bool = True


FOR_WORDS = ForWords()


@dataclass(frozen=True, kw_only=True)
class ForCounts:
    """What training on counts of pairs of words takes besides.

    Attributes:
        counts: A file of co-occurrence counts, or several, which are added up, as a,b,c. What is not there is counted
            and written there to stay; without a corpus, the counts stand for it. See `firth count`.
        memory: GiB that counting may take; 2 by default.
    """

    counts: Files = ()
    memory: float | None = None


FOR_COUNTS = ForCounts()


def __getattr__(name: str) -> Callable[..., None]:
    """The training commands, made when cyclopts asks for them: importing the families takes a while."""
    if name in FAMILIES:
        return _train_command(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _train_command(name: str) -> Callable[..., None]:
    """The command `firth train <name>`; the family's fields are its flags."""
    from firth.model import CONTEXTUAL, COUNTING, OF_PIECES

    family = family_called(name)
    if name in OF_PIECES:
        command = _train_pieces_command(family)
    elif name in CONTEXTUAL:
        command = _train_words_in_context_command(family)
    else:
        command = _train_counts_command(family) if name in COUNTING else _train_words_command(family)
    # The flags of the family: known only here, where its class is.
    command.__annotations__["hyperparameters"] = Annotated[family, Parameter(name="*", group=family.__name__)]
    return command


def _train_words_command(family: Any) -> Callable[..., None]:
    default = family()

    def command(
        *corpus: Corpus,
        common: Annotated[Common, Parameter(name="*")],
        hyperparameters: Any = default,
        preparation: Prepared = PREPARATION,
    ) -> None:
        """Train a family of word vectors on text.

        Args:
            corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
        """
        model = _trained(hyperparameters, corpus, common, preparation)
        show([{"model": str(common.output), "words": len(model.vocabulary), **_spent(model)}], as_json=common.as_json)

    return command


def _train_counts_command(family: Any) -> Callable[..., None]:
    default = family()

    def command(
        *corpus: Corpus,
        common: Annotated[Common, Parameter(name="*")],
        for_counts: Annotated[ForCounts, Parameter(name="*", group="Counts")] = FOR_COUNTS,
        hyperparameters: Any = default,
        preparation: Prepared = PREPARATION,
    ) -> None:
        """Train word vectors on how often words stand near each other.

        Args:
            corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input;
                none with --counts of a corpus that was counted before.
        """
        counts = tuple(for_counts.counts) or None
        model = _trained(hyperparameters, corpus, common, preparation, counts=counts, memory=for_counts.memory)
        show([{"model": str(common.output), "words": len(model.vocabulary), **_spent(model)}], as_json=common.as_json)

    return command


def _train_pieces_command(family: Any) -> Callable[..., None]:
    default = family()

    def command(
        *corpus: Corpus,
        common: Annotated[Common, Parameter(name="*")],
        for_pieces: Annotated[ForPieces, Parameter(name="*", group="Pieces and device")] = FOR_PIECES,
        hyperparameters: Any = default,
        preparation: Prepared = PREPARATION,
    ) -> None:
        """Train a network on text, pieces of words in their context; transformers opens the model's directory.

        Args:
            corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
        """
        sizes = hyperparameters if common.preset is not None else _sizes(hyperparameters)
        model = _trained(sizes, corpus, common, preparation, **_fields(for_pieces))
        _show_network(model, common, {"pieces": model.pieces.n_entries}, {})

    return command


def _train_words_in_context_command(family: Any) -> Callable[..., None]:
    default = family()

    def command(
        *corpus: Corpus,
        common: Annotated[Common, Parameter(name="*")],
        for_words: Annotated[ForWords, Parameter(name="*", group="Device")] = FOR_WORDS,
        hyperparameters: Any = default,
        preparation: Prepared = PREPARATION,
    ) -> None:
        """Train a network on text, words in their context, spelt in letters; AllenNLP opens the model's directory.

        Args:
            corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
        """
        from firth.contextual_training import perplexities

        sizes = hyperparameters if common.preset is not None else _sizes(hyperparameters)
        model = _trained(sizes, corpus, common, preparation, **_fields(for_words))
        found = perplexities(model.record) if "held_out_nats" in model.record else {}
        measures = {f"{name}_perplexity": perplexity for name, perplexity in found.items()}
        _show_network(model, common, {"words": len(model.vocabulary)}, measures)

    return command


def _show_network(model: "Model", common: Common, size: Row, measures: Row) -> None:
    """Prints what the training of a network came to."""
    if "RANK" in os.environ and os.environ["RANK"] != "0":
        return  # the first process of torchrun says it for all
    row: Row = {"model": str(common.output), **size, **_spent(model)}
    if "held_out_nats" in model.record:
        row = {**row, "held_out_nats": model.record["held_out_nats"]["last"], **measures}
    show([row], as_json=common.as_json)


def _sizes(hyperparameters: Any) -> list[Any]:
    """The family in its sizes, from small to large."""
    family = type(hyperparameters)
    sizes = [replace(hyperparameters, **variant_of(family, "preset", name)) for name in preset_names(family)]
    return [size for place, size in enumerate(sizes) if size not in sizes[:place]]


def _trained(family: Any, corpus: Sequence[Path], common: Common, preparation: Prepared, **arguments: Any) -> "Model":
    """The trained model; after Ctrl-C or SIGTERM, how to go on."""
    from firth.training import train

    if not arguments.get("counts"):
        check_given(corpus)
    asked = _fields(common)
    for name in ("preset", "recipe", "config", "as_json"):
        del asked[name]
    progress = progress_of(asked.pop("quiet"))
    try:
        with _ended_by_sigterm():
            return train(family, corpus, preparation=with_lists(preparation), progress=progress, **asked, **arguments)
    except KeyboardInterrupt:
        if latest_checkpoint(common.output) is None:
            raise
        raise FirthError("interrupted; the same command with --resume goes on from here") from None


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """A block that SIGTERM ends as Ctrl-C does: so `kill`, job schedulers and torchrun end a program."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _spent(model: "Model") -> dict[str, str | int | float]:
    """What a training came to."""
    spent = model.record["spent"]
    return {
        "loss_nats": model.record["loss_nats"],
        "seconds": spent["seconds"],
        "tokens_per_second": round(spent["tokens"] / max(spent["seconds"], 1e-9)),
    }


def fill_prepared(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fills what no flag has set from the TOML file of --config; what there concerns training alone is passed by."""
    flags = {argument.name.removeprefix("--"): argument.tokens[-1].value for argument in arguments if argument.tokens}
    if "config" not in flags:
        return
    names = {python_name(argument.name) for argument in arguments}
    settings = read_toml(Path(flags["config"]))
    for name in settings:
        if python_name(name) not in names and not any(python_name(name) in _flags(family) for family in FAMILIES):
            raise UsageError(f"--config {flags['config']}: {printable(name)} is no setting of a training")
    settings = {name: value for name, value in settings.items() if python_name(name) in names}
    Dict(settings, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)


def _flags(family: str) -> set[str]:
    """The settings of the command that trains a family."""
    command = App(default_command=_train_command(family))
    return {python_name(argument.name) for argument in command.assemble_argument_collection()}
