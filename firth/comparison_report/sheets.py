"""The numbers of a comparison as CSV, which a spreadsheet may open: no cell of it is taken for a formula."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from firth.comparison_report.reading import Comparison, Run
from firth.files import printable, replacing

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")  # a cell that begins so is computed
_SCORES: Final = (
    "kind",
    "set",
    "measure",
    "method",
    "task",
    "variant",
    "seed",
    "layer",
    "words",
    "score",
    "low",
    "high",
    "n_items",
    "n_known",
)
_DIFFERENCES: Final = (
    "kind",
    "set",
    "measure",
    "method",
    "task",
    "a",
    "layer_a",
    "b",
    "layer_b",
    "difference",
    "low",
    "high",
    "p",
    "p_corrected",
    "tie",
)


def sheets(found: Comparison) -> dict[str, str]:
    """The sheets by the names of their files."""
    made = {
        "scores.csv": _named(found.scores, _SCORES),
        "runs.csv": (_run(run) for run in found.runs),
        "differences.csv": _named(found.differences, _DIFFERENCES),
        "coverage.csv": _named(found.coverage, ("set", "variant", "n_items", "n_known")),
        "curves.csv": _curves(found),
        "neighbours.csv": _neighbours(found),
    }
    return {name: sheet(rows) for name, rows in made.items()}


def write_sheets(found: Comparison, folder: Path) -> list[Path]:
    """Writes them; the paths."""
    paths = []
    for name, content in sheets(found).items():
        with replacing(folder / name) as file:
            file.write(content)
        paths.append(folder / name)
    return paths


def sheet(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as CSV, their names in the first line.

    Text that a spreadsheet would compute has an apostrophe before it, which spreadsheets do not show. With letters
    outside ASCII it begins with the mark by which they know UTF-8.
    """
    every = list(rows)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    names = list(dict.fromkeys(name for row in every for name in row))
    writer.writerow([_safe(name) for name in names])
    writer.writerows([_safe(row.get(name)) for name in names] for row in every)
    content = file.getvalue()
    return content if content.isascii() else "\ufeff" + content


def _safe(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    shown = printable(str(value))
    return "'" + shown if shown.startswith(_FORMULA) else shown


def _named(found: Sequence[Any], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for one in found:
        yield {name: getattr(one, name) for name in names}


def _run(run: Run) -> dict[str, Any]:
    seconds = {f"seconds_{name}": value for name, value in run.seconds.items()}
    names = (
        "variant",
        "seed",
        "model",
        "failed",
        "words",
        "words_per_second",
        "flops",
        "parameters",
        "peak_mib",
        "bytes",
        "matrices_bytes",
        "lookup_ms",
        "sentence_ms",
    )
    return {name: getattr(run, name) for name in names} | seconds


def _curves(found: Comparison) -> Iterator[dict[str, Any]]:
    for run in found.runs:
        for one in run.curve:
            told = {name: one.get(name) for name in ("seconds", "words", "score", "n_asked", "n_answered")}
            yield {"variant": run.variant, "seed": run.seed, "set": one.get("set")} | told
        for seconds, words, loss in run.losses:
            told = {"seconds": seconds, "words": words, "loss": loss, "loss_unit": run.loss_unit}
            yield {"variant": run.variant, "seed": run.seed} | told


def _neighbours(found: Comparison) -> Iterator[dict[str, Any]]:
    for one in found.neighbours:
        for rank, (word, cosine) in enumerate(one.neighbours, 1):
            told = {"rank": rank, "neighbour": word, "cosine": cosine}
            yield {"word": one.word, "variant": one.variant, "layer": one.layer} | told
