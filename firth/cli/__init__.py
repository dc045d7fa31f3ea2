"""The command line: every command is one thin call of a public function.

Results go to standard output (a table on a terminal, tab-separated lines in a pipe, JSON with `--json`),
progress and messages to standard error. Exit status: 0, 1 where the work failed, 2 where the call was wrong.

What takes long to import is imported inside the commands, so that `firth --help` answers at once.
"""

import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, CycloptsError, Parameter, UnknownOptionError

from firth.cli.changing import change
from firth.cli.comparing import compare, fill_comparison, headline
from firth.cli.evaluating import accuracy, evaluate, list_sets, shares
from firth.cli.extracting import extract
from firth.cli.finetuning import finetune, predict
from firth.cli.learning import count, phrases
from firth.cli.printing import Row, print_json, print_rows, say, show
from firth.cli.probing import probe
from firth.cli.publishing import push
from firth.cli.reducing import layers, matrices
from firth.cli.reporting import report
from firth.cli.sensing import senses
from firth.cli.serving import serve
from firth.cli.settings import (
    FAMILIES,
    PREPARATION,
    AsJson,
    Corpus,
    Flag,
    Prepared,
    check_given,
    family_called,
    fill,
    progress_of,
    refuse_fractions,
    refuse_unknown_options,
    with_lists,
)
from firth.cli.training import fill_prepared
from firth.cli.use import analogy, convert, nearest, similarity
from firth.errors import FirthError, UsageError
from firth.files import printable

if TYPE_CHECKING:
    from firth.demonstration import Demonstration


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
            warnings.showwarning = lambda message, *_: say(f"warning: {message}")
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
    say(message)
    return status


def _name_here(error: UnknownOptionError) -> str | None:
    """What to say of an unknown option if gensim knows it; None of any other."""
    from firth.families.family import GENSIM_NAMES

    option = error.token.keyword or error.token.value
    name = option.strip("-[]").partition("=")[0].replace("-", "_")
    return f"{name} is called {GENSIM_NAMES[name]} here" if name in GENSIM_NAMES else None


def check(
    *corpus: Corpus,
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
    from firth.reports import report

    check_given(corpus)
    found = inspected(
        corpus,
        with_lists(preparation),
        threads=threads,
        cache_dir=cache_dir,
        progress=progress_of(quiet),
    )
    if config is not None and found.command:
        found = replace(found, command=f"{found.command} --config {shlex.quote(str(config))}")
    if as_json:
        print_json(found.settings())
    else:
        for line in report(found):
            print(printable(line))


def list_cache(*, cache_dir: Path | None = None, as_json: AsJson = False) -> None:
    """List what is kept for later runs: encoded corpora, fetched sets, models of the demo.

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
        say(f"nothing is kept in {place(cache_dir)}")
    show(rows, as_json=as_json)


def clear_cache(*, cache_dir: Path | None = None) -> None:
    """Delete what is kept for later runs: encoded corpora, fetched sets, models of the demo.

    Args:
        cache_dir: The cache's directory; by default the user's own.
    """
    from firth.cache import clear, place

    n_bytes = clear(cache_dir, say=say)
    say(f"{n_bytes / 1e6:,.1f} MB deleted from {place(cache_dir)}")


def demo(
    *,
    every: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False,
    output: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("firth-demo-report"),
    threads: int | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
) -> None:
    """Train on a small corpus, and print neighbours and scores.

    Args:
        every: Train every family there is, ELMo, GPT and BERT too, in some minutes; at the end compare them all, and
            write a report.
        output: With --all: the directory of the report; a comparison that stands there is replaced.
        threads: How many threads train; all cores by default.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.demonstration import compared, demonstrate, keep
    from firth.model import CONTEXTUAL

    progress = progress_of(quiet)
    names = tuple(FAMILIES) if every else ("skipgram", "cbow")
    families = [family_called(name).tiny() if name in CONTEXTUAL else family_called(name)() for name in names]
    if every:
        families.insert(1, family_called("skipgram")(subwords="3-6"))
    results = []
    for result in demonstrate(families, threads=threads, progress=progress):
        results.append(_demonstrated(result))
        keep(result.model)
        if "held_out_nats" in result.model.record:
            progress.say("so short a training teaches a network what follows each other often, not yet good vectors")
        if not as_json:
            print_rows(_loss_rows(result))
            print_rows(_neighbour_rows(result))
            print()
            print_rows(_score_rows(result))
            print()
    if every:
        progress.say("all families on the same text in the same time, for a report")
        found = compared(output, threads=threads, progress=progress)
        if as_json:
            results.append({"answer": found.answer, "page": str(found.page)})
        else:
            print_rows(headline(found))
            print()
            print(printable(found.answer))
        progress.say(f"the report, to be opened in a browser: {found.page}")
    if as_json:
        print_json(results)
    progress.say("on your own text: firth train skipgram FILE --output MODEL, then firth nearest MODEL WORD")
    progress.say("look at what was learnt, and at a word in its contexts, in the browser: firth serve --open")


def _demonstrated(result: "Demonstration") -> dict[str, Any]:
    return {
        "family": result.model.family.name,
        "subwords": getattr(result.model.family, "subwords", None),
        "held_out_nats": result.model.record.get("held_out_nats"),
        "neighbours": {word: dict(neighbours) for word, neighbours in result.neighbours.items()},
        "scores": [shares(section) for section in (*result.scores.sections, result.scores.total)],
    }


def _demonstrated_name(result: "Demonstration") -> str:
    """The family's, with its n-grams."""
    family = result.model.family
    lengths = getattr(family, "subwords", None)
    return family.name if lengths is None else f"{family.name}, n-grams of {lengths}"


def _loss_rows(result: "Demonstration") -> list[Row]:
    """The loss on text that was held out, of a contextual family."""
    if "held_out_nats" not in result.model.record:
        return []
    losses = result.model.record["held_out_nats"]
    name = _demonstrated_name(result)
    return [{"family": name, "held-out nats before": losses["before"], "after": losses["last"]}]


def _neighbour_rows(result: "Demonstration") -> list[Row]:
    name = _demonstrated_name(result)
    return [
        {"family": name, "word": word, "neighbours": ", ".join(neighbour for neighbour, _ in neighbours)}
        for word, neighbours in result.neighbours.items()
    ]


def _score_rows(result: "Demonstration") -> list[Row]:
    name = _demonstrated_name(result)
    return [{"family": name, **accuracy(section)} for section in (*result.scores.sections, result.scores.total)]


# --- the commands, in the order of the README ---------------------------------------------------------------

FRAMED: dict[str, Any] = {"help_format": "markdown", "help_formatter": "default"}
_SOURCES = (refuse_unknown_options, fill, refuse_fractions)
train_app = App(name="train", help="Train word vectors on a corpus.", config=_SOURCES, sort_key=0, **FRAMED)
app.command(train_app)
for _name, _help in FAMILIES.items():
    train_app.command(f"firth.cli.training:{_name}", name=_name, help=_help)
cache_app = App(
    name="cache",
    help="List or clear what is kept for later runs: encoded corpora, fetched sets, models of the demo.",
    sort_key=50,
    **FRAMED,
)
cache_app.default(list_cache)
cache_app.command(clear_cache, name="clear")
app.command(cache_app)
app.command(
    check,
    sort_key=-1,
    config=(refuse_unknown_options, fill_prepared, refuse_fractions),
    **FRAMED,
)
app.command(
    phrases,
    sort_key=-0.5,
    config=(refuse_unknown_options, refuse_fractions),
    **FRAMED,
)
app.command(
    count,
    sort_key=0.5,
    config=(refuse_unknown_options, refuse_fractions),
    **FRAMED,
)
_USES: Sequence[Callable[..., None]] = (
    *(nearest, analogy, similarity, evaluate, extract, matrices, layers, senses),
    *(probe, finetune, predict, report),
    *(change, convert, push, serve, demo),
)
for _order, _command in enumerate(_USES, start=1):
    app.command(_command, sort_key=_order, **FRAMED)
app.command(
    compare,
    sort_key=_USES.index(report) + 1.5,
    config=(refuse_unknown_options, fill_comparison, refuse_fractions),
    **FRAMED,
)
app.command(list_sets, name="sets", sort_key=_USES.index(evaluate) + 1.5, **FRAMED)
