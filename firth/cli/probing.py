"""`firth probe`: what each layer of a model knows of a task."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.extracting import Computing, Natural
from firth.cli.printing import Row, print_json, print_rows
from firth.cli.settings import AsJson, Flag, progress_of
from firth.cli.tasks import COLUMNS, Named

if TYPE_CHECKING:
    from firth.probing import Probing

_COMPUTING = Computing()


def probe(
    model: Path,
    /,
    *,
    task: Literal["classify", "pair", "tag"],
    train: Path,
    dev: Path | None = None,
    test: Path | None = None,
    layers: str = "all",
    pool: Literal["mean", "first", "last", "max", "cls"] | None = None,
    penalty: Annotated[float | None, Parameter(validator=Number(gt=0))] = None,
    epochs: Annotated[int, Parameter(validator=Number(gte=1))] = 8,
    seed: int = 1,
    limit: Natural = None,
    html: Path | None = None,
    cache_dir: Path | None = None,
    quiet: Flag = False,
    as_json: AsJson = False,
    columns: Named = COLUMNS,
    computing: Annotated[Computing, Parameter(name="*", group="Computing", negative=())] = _COMPUTING,
) -> None:
    """Find out what each layer of a model knows of a task: a linear probe on every layer, and a control task beside it.

    The model stays as it is; its vectors are made once, and kept for later probes. Of tags, `control` is the accuracy
    of the same probe on tags drawn at random for each word type, which only learning by heart finds; `selectivity` is
    the accuracy beyond that.

    Args:
        model: A model or vectors; a published directory, and with the extra `hf` any that transformers opens.
        task: One text and its class, two texts and how they go together, or words and their tags.
        train: The examples to learn from: CSV, TSV, JSON lines, Parquet, lines of a label and a text, CoNLL, CoNLL-U.
        dev: Those that layers are chosen by.
        test: Those that they are tested on; one of the two is needed.
        layers: all, numbers as 0,5,12, or a slice as -4:.
        pool: How a word's vector comes from its pieces' (mean, first, last, max), or a text's (mean, cls, last).
        penalty: Of the probe's squared weights; 1 / C in scikit-learn. By default each layer's is the best on dev of 1,
            10, 100 and 1,000; without dev, on fifths of train.
        epochs: Passes of the probe over what it learns from; more where this is little.
        seed: Decides the control task, the order of the examples, and which `--limit` takes.
        limit: Use so many of the training examples alone.
        html: A page to write, with the curve of score by layer.
        cache_dir: Where the vectors are kept; `firth cache` lists and clears them.
        quiet: Show no progress.
        as_json: Print JSON, for machines.
    """
    from firth import probing, reporting
    from firth.tasks import read_examples

    if html is not None:
        reporting.check()
    how = columns.reading()
    learnt = read_examples(train, task, **how)
    others: dict[str, Any] = {
        name: None if path is None else read_examples(path, task, like=learnt, **how)
        for name, path in (("dev", dev), ("test", test))
    }
    progress = progress_of(quiet)
    found = probing.probe(
        model,
        task=task,
        train=learnt,
        **others,
        layers=layers,
        pool=pool,
        penalty=penalty,
        epochs=epochs,
        seed=seed,
        limit=limit,
        **vars(computing),
        cache_dir=cache_dir,
        progress=progress,
    )
    if as_json:
        print_json(found.settings())
    else:
        print_rows(_rows(found))
        progress.say(
            f"best: layer {found.best.layer}; whoever always answers the most frequent has {found.main} "
            f"{found.baseline:.4f}"
        )
    if html is not None:
        probing.write_page(found, html)


def _rows(found: "Probing") -> list[Row]:
    """A row for each layer."""
    rows: list[Row] = []
    for one in found.layers:
        row: dict[str, str | int | float] = {"layer": one.layer}
        for name, scores in (("dev", one.dev), ("test", one.test)):
            if scores is not None:
                row[f"{name} {found.main}"] = scores.value
        if one.control is not None and one.selectivity is not None:
            row |= {"control": one.control, "selectivity": one.selectivity}
        rows.append(row | {"penalty": one.penalty})
    return rows
