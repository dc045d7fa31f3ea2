"""`firth compare`: every family on one corpus within one budget, measured alike, and a report."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, Parameter, Token
from cyclopts.config import Dict
from cyclopts.validators import Number

from firth.cli.printing import Row, print_json, print_rows, say, show
from firth.cli.settings import (
    PREPARATION,
    AsJson,
    Corpus,
    Files,
    Flag,
    MaybeNames,
    Names,
    Prepared,
    check_given,
    progress_of,
    with_lists,
)
from firth.errors import FirthError, UsageError
from firth.files import printable

if TYPE_CHECKING:
    from firth.comparison import Comparison
    from firth.variants import Variant

Natural = Annotated[int, Parameter(validator=Number(gte=1))]

DASH = "-"
"""Where a variant has no score."""

LISTS = ("with", "task", "sets", "pairs", "analogies", "outliers", "categories", "neighbours", "keep")
"""Settings that a TOML file may have a list of."""


def compare(
    *corpus: Corpus,
    families: str | None = None,
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    minutes: float | None = None,
    words: float | None = None,
    counts: Literal["training", "all"] = "training",
    seeds: Natural = 1,
    seed: int = 1,
    published: Annotated[Sequence[str], Parameter(name="--with", negative=())] = (),
    sets: MaybeNames = None,
    sets_from: Path | None = None,
    pairs: Files = (),
    analogies: Files = (),
    outliers: Files = (),
    categories: Files = (),
    tasks: Annotated[Sequence[str], Parameter(name="--task", negative=())] = (),
    limit: Natural = 2000,
    trials: Natural = 1,
    dev: Path | None = None,
    neighbours: Names = (),
    top: Natural = 20_000,
    threads: int | None = None,
    device: str | None = None,
    lang: Literal["en", "zh"] = "en",
    dry_run: Flag = False,
    resume: Flag = False,
    stop_after: float | None = None,
    overwrite: Flag = False,
    config: Path | None = None,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    preparation: Prepared = PREPARATION,
) -> None:
    """Train families on the same text with the same budget, measure them alike, and write a report.

    The output holds report.html, the same numbers as JSON and CSV, figures, and every model.

    Args:
        corpus: Files (text, .jsonl, .parquet, compressed or not), folders, patterns, or `-` for standard input.
        families: What is compared: families, and variants of them as skipgram:window=10 or bert:preset=tiny, with
            commas between; a variant of several settings as cbow:window=10,dim=50; a TOML file that lists some, as
            mine.toml. By default cbow,skipgram,glove,elmo,gpt,bert, unless --config lists some.
        output: The directory for models and report.
        minutes: Budget of each training, wall-clock on the whole machine; 3 where none is given.
        words: Or in words of the text that each sees.
        counts: Whether of the minutes the training alone takes, or all: tokenisers, counting, compiling and static
            vectors.
        seeds: How many trainings of each, for spreads.
        seed: The first of them.
        published: A model that joins as it is: a directory, a file of vectors, hf:org/name; may be given several times.
            It has seen other text, which the report says.
        sets: Evaluation sets by name, with commas, as wordsim353,google; `firth sets` lists them. By default those of
            wordsim353, simlex999 and google that are installed.
        sets_from: A folder where sets are looked for first.
        pairs: Files of two words and a score a line, for word similarity.
        analogies: Files of four words a line, in sections that begin with `: name`.
        outliers: Files of groups of words with outliers.
        categories: Files of a word and its category a line.
        tasks: A use, as classify=train.tsv,dev.tsv,test.tsv; of classify, pair and tag; may be given several times.
        limit: At most so many training examples of a task.
        trials: How many settings each variant is tried with, a quarter of the budget each, chosen on held-out documents
            or by --dev, never on the sets that are reported.
        dev: A file of word pairs that settings are chosen by.
        neighbours: Words whose neighbours are shown, with commas.
        top: All are scored by so many of the most frequent words, and by those that the sets ask for.
        threads: How many threads train; all cores by default.
        device: Of ELMo, GPT and BERT: cuda, cuda:1, mps or cpu; by default the fastest there is.
        lang: The language of the page.
        dry_run: Print the plan, sizes, time and disk, and train nothing.
        resume: Go on with the comparison in the output directory.
        stop_after: Minutes within which to stop, about: no seed is begun that would not be whole by then, as far as can
            be told before. The report is of those that are; --resume goes on with the others.
        overwrite: Replace the comparison in the output directory.
        config: A TOML file of these settings, as `minutes = 10`, which flags win over; and of variants, a table
            [[variant]] each with its family and settings, which are compared beside those of --families.
        cache_dir: Where encoded corpora and fetched sets are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.comparison import compare as compared
    from firth.comparison import drawn_up
    from firth.sets import READERS, known

    check_given(corpus)
    variants = variants_of(families, config)
    given: dict[str, Any] = {
        "minutes": minutes,
        "words": words,
        "counts": counts,
        "seeds": seeds,
        "seed": seed,
        "published": tuple(published),
        "trials": trials,
        "tasks": tuple(tasks),
        "top": top,
        "preparation": with_lists(preparation),
        "cache_dir": cache_dir,
        "progress": progress_of(quiet),
    }
    if dry_run:
        plan = drawn_up(corpus, variants, **given)
        rows: list[Row] = list(plan.rows())
        if as_json:
            print_json({"plan": plan.settings(), "minutes": plan.minutes_in_all, "bytes": plan.bytes_in_all})
            return
        print_rows(rows)
        took = plan.minutes_in_all
        about = "as long as so many words take" if took is None else f"{took:,.0f} minutes"
        judged = [one.name for one in map(known, sets or ()) if one.kind not in READERS]
        beside = f", and what {' and '.join(judged)} takes besides" if judged else ""
        say(f"in all about {about} and {plan.bytes_in_all / 1e6:,.0f} MB, on {plan.n_words:,} words of text{beside}")
        return
    try:
        found = compared(
            corpus,
            variants,
            output=output,
            sets=None if sets is None else list(sets),
            sets_from=sets_from,
            pairs=pairs,
            analogies=analogies,
            outliers=outliers,
            categories=categories,
            limit=limit,
            dev=dev,
            neighbours=list(neighbours),
            threads=threads,
            device=device,
            lang=lang,
            overwrite=overwrite,
            resume=resume,
            stop_after=stop_after,
            command=command_line(sys.argv[1:]),
            **given,
        )
    except KeyboardInterrupt:
        if not (output / "plan.json").is_file():
            raise
        raise FirthError("interrupted; the same command with --resume goes on from here") from None
    if as_json:
        print_json(found.report)
        return
    rows = headline(found)
    show(rows, as_json=False)
    if any(value == DASH for row in rows for value in row.values()):
        say(f"{DASH}: not measured; what failed stands below, and tables of word vectors model no language")
    print()
    print(printable(found.answer))
    for line in found.report["missing"]:
        say(line)
    say(f"the report: {found.page}")


def variants_of(families: str | None, config: Path | None) -> "list[Variant]":
    """The variants that are asked for: those named, with those of the files among them, and those of --config."""
    from firth.comparison import DEFAULT
    from firth.variants import of_toml, read_all

    names: list[str] = []
    tables: list[Any] = []
    for part in [] if families is None else families.split(","):
        if not part.strip().endswith(".toml"):
            names.append(part)
            continue
        told = toml_of(Path(part.strip()), "--families")
        if unknown := [key for key in told if key not in ("families", "variant")]:
            raise UsageError(
                f"--families {printable(part.strip())}: {', '.join(map(printable, unknown))} is no variant; only "
                "families = [...] and tables [[variant]] are read of it, and --config FILE reads other settings too"
            )
        names += _named(told.get("families", []))
        tables += _tables(told, f"--families {printable(part.strip())}")
    if config is not None:
        tables += _tables(toml_of(config), f"--config {printable(str(config))}")
    if families is None and not tables:
        names = list(DEFAULT)
    return read_all([",".join(names)]) + of_toml(tables)


def _named(given: Any) -> list[str]:
    """What a file has as `families`: text, or a list of it."""
    return [str(one) for one in given] if isinstance(given, list) else [str(given)]


def _tables(told: Mapping[str, Any], where: str) -> list[Any]:
    """The tables `[[variant]]` of a TOML file."""
    tables = told.get("variant", [])
    if not isinstance(tables, list):
        raise UsageError(f"{where}: variants are tables [[variant]], each with its family")
    return tables


def command_line(arguments: Sequence[str]) -> str:
    """The command as it is told in a report: without folders of this machine, and what does not change the result."""
    from firth.files import without_folders

    passed = ("--resume", "--overwrite", "--quiet", "--json")
    is_value = [before == "--stop-after" for before in ("", *arguments)]
    kept = [
        ",".join(map(without_folders, part.split(",")))
        for part, passed_over in zip(arguments, is_value, strict=False)
        if part not in passed and not passed_over and part.partition("=")[0] != "--stop-after"
    ]
    return shlex.join(["firth", *kept])


def headline(found: "Comparison") -> list[Row]:
    """A row for each variant: what it scored at its best layer on every set, what it took."""
    report = found.report
    columns = list(dict.fromkeys(_column(one) for one in (*report["best_layers"], *_other(report))))
    rows: list[Row] = []
    for variant in report["variants"]:
        name = variant["name"]
        runs = [run for run in report["runs"] if run["variant"] == name]
        row: dict[str, str | int | float] = {"variant": name}
        if runs:
            row["seconds"] = round(runs[0]["seconds"].get("train") or 0.0, 1)
        else:
            row["seconds"] = 0.0
        for column in columns:
            scores = [
                one["score"]
                for one in (*report["best_layers"], *_other(report))
                if one["variant"] == name and _column(one) == column and one["score"] is not None
            ]
            row[column] = sum(scores) / len(scores) if scores else DASH
        rows.append(row)
    return rows


def _other(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Scores that are of no set of words."""
    return [one for one in report["scores"] if one["kind"] in ("language", "use")]


def _column(one: Mapping[str, Any]) -> str:
    parts = (one["set"], one["method"] or "", one["measure"] if one["kind"] in ("language", "outliers") else "")
    return " ".join(part for part in parts if part)


def fill_comparison(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Fills what no flag has set from the TOML file of --config; its variants are read apart."""
    flags = {argument.name.removeprefix("--"): argument.tokens[-1].value for argument in arguments if argument.tokens}
    if "config" not in flags:
        return
    path = Path(flags["config"])
    told = {name: value for name, value in toml_of(path).items() if name != "variant"}
    if any(budget in flags for budget in ("minutes", "words")):
        told = {name: value for name, value in told.items() if name not in ("minutes", "words")}
    for name in [name for name in LISTS if name in told]:  # `sets` is a command, too, and Dict passes over those
        items = _items(name, told.pop(name))
        if name not in flags:
            for number, item in enumerate(items):
                arguments[f"--{name}"].append(Token(keyword=f"[{name}]", value=item, source=str(path), index=number))
    if "families" in told:
        told["families"] = ",".join(_named(told["families"]))
    if lists := [name for name, value in told.items() if isinstance(value, list)]:
        raise UsageError(f"--config {printable(str(path))}: {printable(lists[0])} is a list, where one value is due")
    Dict(told, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)


def _items(name: str, value: Any) -> list[str]:
    """What a file has for a setting of several values: of a list the items as they stand, of text as of a flag."""
    if isinstance(value, list):
        return [str(item) for item in value]
    return [str(value)] if name in ("with", "task") else str(value).split(",")


def toml_of(path: Path, flag: str = "--config") -> dict[str, Any]:
    """What a TOML file that a flag names holds."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{flag} {printable(str(path))} cannot be read: {printable(str(error))}") from None
