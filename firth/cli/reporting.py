"""`firth report`: how well what was fine-tuned answers labelled examples, on a page, and against another run."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.extracting import Natural
from firth.cli.printing import Row, print_json, print_rows
from firth.cli.settings import AsJson, Flag, progress_of
from firth.cli.tasks import COLUMNS, Named
from firth.errors import UsageError
from firth.files import printable


def report(
    model: Path,
    file: Path,
    /,
    *,
    train: Path | None = None,
    against: Path | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    mistakes: Annotated[int, Parameter(validator=Number(gte=1))] = 50,
    overwrite: Flag = False,
    device: str | None = None,
    threads: Natural = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    columns: Named = COLUMNS,
) -> None:
    """Score what was fine-tuned on labelled examples: by label, with the worst mistakes, and against another run.

    Args:
        model: What `firth finetune` has written.
        file: Labelled examples, in any format that they are trained from.
        train: The examples that it was trained with: scores are told without those that stand in both, too.
        against: Another one that was fine-tuned for the same task: the difference of the two, and how often chance
            makes one as large (paired bootstrap).
        output: A directory for report.json and report.html, a page that needs no other file.
        mistakes: How many of the worst it shows.
        overwrite: Replace the reports in that directory.
        device: cuda, cuda:1, mps or cpu; by default the fastest there is.
        threads: How many threads compute; all cores by default.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import reporting, scoring
    from firth.finetuned import load_finetuned
    from firth.tasks import account, read_examples

    if output is not None and output.exists() and not (output.is_dir() and (overwrite or not any(output.iterdir()))):
        raise UsageError(f"{printable(str(output))} exists; choose another place, or overwrite it")
    if output is not None:
        reporting.check()
    progress = progress_of(quiet)
    made = load_finetuned(model)
    task: Any = made.tuning.task
    examples = read_examples(file, task, like=replace(made.learnt, source=model.name), **columns.reading())
    for line in account(examples):
        progress.say(line)
    learnt = None if train is None else read_examples(train, task, **columns.reading())
    how: dict[str, Any] = {"device": device, "threads": threads}
    found = made.report(
        examples,
        title=f"{model.name} on {file.name}",
        train=learnt,
        n_mistakes=mistakes,
        **how,
    )
    comparison = None
    if against is not None:
        other = load_finetuned(against)
        if other.tuning.task != task or other.tuning.is_regression != made.tuning.is_regression:
            raise UsageError(f"{printable(str(against))} is of task {other.tuning.task}, and this one of {task}")
        labels, of_other = (
            [answer.label for answer in one.predict((example.inputs for example in examples), **how)]
            for one in (made, other)
        )
        comparison = scoring.compared(task, examples.targets, of_other, labels, is_regression=examples.is_regression)
        progress.say(f"{printable(against.name)} and {printable(model.name)}: {scoring.told(comparison)}")
    if as_json:
        print_json(found.settings() | ({} if comparison is None else {"against": comparison._asdict()}))
    else:
        rows: list[Row] = list(reporting.rows(found))
        print_rows(rows)
        print()
        print_rows(list(reporting.label_rows(found)))
        if comparison is not None:
            print()
            print_rows([comparison._asdict()])
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        reporting.write(found, output)
        progress.say(f"written: {printable(str(output / 'report.html'))} and report.json")
