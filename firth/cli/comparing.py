"""`firth compare`: every family on one corpus within one budget, measured alike, and a report."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, ArgumentCollection, Parameter
from cyclopts.config import Dict
from cyclopts.validators import Number

from firth.cli.printing import Row, print_json, print_rows, say, show
from firth.cli.settings import (
    PREPARATION,
    AsJson,
    Corpus,
    Files,
    Flag,
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


def compare(
    *corpus: Corpus,
    families: str = "cbow,skipgram,glove,elmo,gpt,bert",
    output: Annotated[Path, Parameter(name=["--output", "-o"])],
    minutes: float | None = None,
    words: float | None = None,
    counts: Literal["training", "all"] = "training",
    seeds: Natural = 1,
    seed: int = 1,
    published: Annotated[Sequence[str], Parameter(name="--with", negative=())] = (),
    sets: str | None = None,
    sets_from: Path | None = None,
    pairs: Files = (),
    analogies: Files = (),
    outliers: Files = (),
    categories: Files = (),
    tasks: Annotated[Sequence[str], Parameter(name="--task", negative=())] = (),
    limit: Natural = 2000,
    trials: Natural = 1,
    dev: Path | None = None,
    neighbours: str = "",
    top: Natural = 20_000,
    threads: int | None = None,
    device: str | None = None,
    lang: Literal["en", "zh"] = "en",
    dry_run: Flag = False,
    resume: Flag = False,
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
            commas between; a variant of several settings as cbow:window=10,dim=50.
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
        overwrite: Replace the comparison in the output directory.
        config: A TOML file of these settings, as `minutes = 10`, and of variants, a table [[variant]] each with its
            family and settings; flags win over it.
        cache_dir: Where encoded corpora and fetched sets are kept for later runs; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth.comparison import compare as compared
    from firth.comparison import drawn_up

    check_given(corpus)
    variants: Sequence[str | Variant] = variants_of(config) or [families]
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
        say(f"in all about {about} and {plan.bytes_in_all / 1e6:,.0f} MB, on {plan.n_words:,} words of text")
        return
    try:
        found = compared(
            corpus,
            variants,
            output=output,
            sets=None if sets is None else [name.strip() for name in sets.split(",") if name.strip()],
            sets_from=sets_from,
            pairs=pairs,
            analogies=analogies,
            outliers=outliers,
            categories=categories,
            limit=limit,
            dev=dev,
            neighbours=[word.strip() for word in neighbours.split(",") if word.strip()],
            threads=threads,
            device=device,
            lang=lang,
            overwrite=overwrite,
            resume=resume,
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
    show(headline(found), as_json=False)
    print()
    print(printable(found.answer))
    say(f"the report: {found.page}")


def variants_of(config: Path | None) -> "list[Variant]":
    """The variants that a TOML file lists, a table `[[variant]]` each; none where there is no such list."""
    if config is None:
        return []
    from firth.variants import of_toml

    told = toml_of(config)
    tables = told.get("variant", [])
    if not isinstance(tables, list):
        raise UsageError(f"--config {printable(str(config))}: variants are tables [[variant]], each with its family")
    return of_toml(tables)


def command_line(arguments: Sequence[str]) -> str:
    """The command as it is told in a report: without folders of this machine, and what does not change the result."""
    from firth.files import without_folders

    passed = ("--resume", "--overwrite", "--quiet", "--json")
    kept = [",".join(map(without_folders, part.split(","))) for part in arguments if part not in passed]
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
            row[column] = sum(scores) / len(scores) if scores else float("nan")
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
    told = toml_of(Path(flags["config"]))
    given = {name: _one(value) for name, value in told.items() if name != "variant"}
    if any(budget in flags for budget in ("minutes", "words")):
        given = {name: value for name, value in given.items() if name not in ("minutes", "words")}
    Dict(given, source=flags["config"], use_commands_as_keys=False)(app, commands, arguments)


def toml_of(path: Path) -> dict[str, Any]:
    """What a TOML file holds."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {printable(str(path))} cannot be read: {printable(str(error))}") from None


def _one(value: Any) -> Any:
    """A value as a flag has it: of several, with commas between."""
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return ",".join(map(str, value))
    return value
