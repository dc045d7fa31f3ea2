"""`firth evaluate`: how models score on word pairs and on analogies."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from firth.cli.printing import Row, print_json, print_rows, say
from firth.cli.settings import AsJson, Files, Layer
from firth.cli.use import load_vectors, matrices
from firth.errors import UsageError

if TYPE_CHECKING:
    from firth.evaluation import AnalogiesResult, PairsResult, SectionResult


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
        for number, matrix in matrices(load_vectors(model), layer)
    ]
    if as_json:
        print_json([_everything(result) for result in results])
        return
    print_rows([_summary(result) for result in results])
    for details in (_correlations, _accuracies):
        rows = [row for result in results for row in details(result)]
        if rows:
            print()
            print_rows(rows)
    for result in results:
        _tell_composed(result)
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
            | shares(answers.total)
            | {"unknown": answers.unknown, "sections": [shares(section) for section in answers.sections]}
            for path, answers in result.analogies.items()
        ],
    }


def shares(section: "SectionResult") -> dict[str, Any]:
    """A section's figures by name."""
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
            **accuracy(section),
        }
        for path, answers in result.analogies.items()
        for section in (*answers.sections, answers.total)
    ]


def accuracy(section: "SectionResult") -> Row:
    """A section's accuracy as a row has it."""
    return {
        "section": section.name,
        "accuracy": section.accuracy,
        "answered": f"{section.n_answered}/{section.n_asked}",
    }


def _tell_composed(result: _Evaluated) -> None:
    """Says on standard error how many words of each file n-grams answered for."""
    for path, figures in result.pairs.items():
        if figures.n_composed:
            place = f"{result.model}, layer {result.layer}"
            words = "1 word" if figures.n_composed == 1 else f"{figures.n_composed:,} words"
            say(f"{place}: n-grams answered for {words} of {path.name} that are not in the vocabulary")


def _name_unknown(result: _Evaluated) -> None:
    """Says on standard error which words of each file were unknown, the first few of them."""
    unknown = [(path, figures.unknown) for path, figures in result.pairs.items()]
    unknown += [(path, answers.unknown) for path, answers in result.analogies.items()]
    for path, words in unknown:
        if words:
            more = f" and {len(words) - 10:,} more (--json names all)" if len(words) > 10 else ""
            place = f"{result.model}, layer {result.layer}"
            say(f"{place}: unknown words of {path.name}: {', '.join(words[:10])}{more}")
