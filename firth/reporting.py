"""What there is to show of a run's predictions: a table, JSON, and one page of HTML that needs nothing else.

The page holds plotly's program itself, and is told by its own policy to load nothing. All that comes from data is
escaped: in plotly's labels too, which read some HTML.
"""

import html
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth import pages
from firth.errors import FirthError, UsageError
from firth.files import printable, replacing
from firth.pages import table, text
from firth.scoring import LabelScore, Scores, schemas, score
from firth.tasks import Example, Examples, Task, are_seen

MISTAKES: Final = 50
"""So many of the worst are shown."""

_MOST_LABELS: Final = 60  # in a picture
_MOST_NUMBERS: Final = 25  # labels of a matrix that shows its numbers
_MOST_CHARACTERS: Final = 400  # of a text
_WORDS_AROUND: Final = 8  # of a tag that is wrong


class Mistake(NamedTuple):
    """An answer that is wrong.

    Attributes:
        line: Of the example, in its file.
        text: What was read; of tags, the words around.
        word: Of tags, the word.
        due: What was due.
        came: What was answered.
        confidence: The probability that the answer was given; None where that is not known. Of numbers, how far off.
    """

    line: int
    text: str
    word: str
    due: str
    came: str
    confidence: float | None


@dataclass(frozen=True)
class Report:
    """What there is to show of a run's predictions.

    Attributes:
        title: Of the page.
        task: What was done.
        source: The name of the examples' file.
        scores: On all of them.
        n_seen: How many of them stand verbatim in train.
        without_seen: The scores without these; None where there are none, or nothing else.
        schemas: Of entities, the four of SemEval 2013, where nervaluate is installed.
        mistakes: The worst, first those that the run was surest of.
        n_mistakes: How many there are in all.
        runs: A row for each seed that was trained with.
    """

    title: str
    task: Task
    source: str
    scores: Scores
    n_seen: int
    without_seen: Scores | None
    schemas: Mapping[str, LabelScore]
    mistakes: tuple[Mistake, ...]
    n_mistakes: int
    runs: tuple[Mapping[str, Any], ...] = ()

    def settings(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "title": self.title,
            "task": self.task,
            "source": self.source,
            "scores": self.scores.settings(),
            "n_seen": self.n_seen,
            "without_seen": None if self.without_seen is None else self.without_seen.settings(),
            "schemas": [found._asdict() for found in self.schemas.values()],
            "mistakes": [mistake._asdict() for mistake in self.mistakes],
            "n_mistakes": self.n_mistakes,
            "runs": [dict(run) for run in self.runs],
        }


def report(
    examples: Examples,
    predicted: Sequence[Any],
    confidences: Sequence[Any] | None = None,
    *,
    title: str = "",
    train: Examples | None = None,
    n_mistakes: int = MISTAKES,
    runs: Sequence[Mapping[str, Any]] = (),
) -> Report:
    """What there is to show of predictions.

    Args:
        examples: What was due.
        predicted: What came: an answer for each example, of `tag` for each word.
        confidences: The probability that each answer was given.
        title: Of the page.
        train: What was trained with, so that examples which stand there too can be left out once.
        n_mistakes: At most so many are shown.
        runs: What each seed came to, as rows of a table.

    Raises:
        UsageError: the examples are without targets; more or fewer predictions or confidences.
    """
    if any(target is None for target in examples.targets):
        raise UsageError(f"{printable(examples.source)} was read without its labels, so that nothing can be scored")
    if confidences is not None and len(confidences) != len(examples):
        raise UsageError(f"{len(examples):,} examples have {len(confidences):,} confidences")
    how: dict[str, Any] = {"labels": examples.labels, "is_regression": examples.is_regression}
    scores = score(examples.task, examples.targets, predicted, **how)
    seen = are_seen(train, examples) if train is not None else [False] * len(examples)
    kept = [place for place, is_seen in enumerate(seen) if not is_seen]
    without_seen = None
    if any(seen) and kept:
        targets, came = ([items[place] for place in kept] for items in (examples.targets, list(predicted)))
        without_seen = score(examples.task, targets, came, **how)
    mistakes = sorted(_mistakes(examples, predicted, confidences), key=lambda one: -(one.confidence or 0.0))
    found: Mapping[str, LabelScore] = {}
    if examples.scheme is not None:
        try:
            found = schemas(examples.targets, predicted)
        except FirthError:
            found = {}  # what is not installed is left out
    return Report(
        title=title or f"{examples.task}: {examples.source}",
        task=examples.task,
        source=examples.source,
        scores=scores,
        n_seen=sum(seen),
        without_seen=without_seen,
        schemas=found,
        mistakes=tuple(mistakes[:n_mistakes]),
        n_mistakes=len(mistakes),
        runs=tuple(runs),
    )


def rows(found: Report) -> Iterator[dict[str, str | int | float]]:
    """A row for each score, and with whom it is without the examples that train has too."""
    for name, value in found.scores.values.items():
        row: dict[str, str | int | float] = {"score": name, "value": value}
        if found.without_seen is not None:
            row["without seen"] = found.without_seen.values[name]
        yield row


def label_rows(found: Report) -> Iterator[dict[str, str | int | float]]:
    """A row for each label."""
    for one in found.scores.per_label:
        yield dict(one._asdict())


def write(found: Report, folder: str | os.PathLike[str]) -> None:
    """Writes `report.json` and `report.html` into a folder.

    Raises:
        FirthError: plotly is not installed.
    """
    page = to_html(found)
    with replacing(Path(folder) / "report.json") as file:
        json.dump(found.settings(), file, ensure_ascii=False, indent=1)
        file.write("\n")
    with replacing(Path(folder) / "report.html") as file:
        file.write(page)


def check() -> None:
    """Nothing, where a page can be written.

    Raises:
        FirthError: plotly is not installed.
    """
    _plotly()


def to_html(found: Report) -> str:
    """The page, which needs no other file, and no network.

    Raises:
        FirthError: plotly is not installed.
    """
    parts = [f"<p>{text(found.source)}: {found.scores.n:,} {'words' if found.task == 'tag' else 'examples'}</p>"]
    parts.append(table(list(rows(found))))
    if found.n_seen:
        note = f"{found.n_seen:,} examples stand verbatim in the training file; the last column leaves them out."
        parts.append(f'<p class="note">{note}</p>')
    if found.runs:
        parts += ["<h2>Runs</h2>", table(found.runs)]
    if found.scores.per_label:
        parts += ["<h2>Labels</h2>", _bars(found.scores.per_label), table(list(label_rows(found)))]
    if found.scores.labels:
        parts += ["<h2>What is taken for what</h2>", _matrix(found.scores)]
    if found.schemas:
        parts += ["<h2>Entities, by four schemas</h2>", table([one._asdict() for one in found.schemas.values()])]
    parts.append(f"<h2>The worst of {found.n_mistakes:,} mistakes</h2>")
    parts.append(table([_shown(mistake) for mistake in found.mistakes]) if found.mistakes else "<p>None.</p>")
    return page(found.title, parts)


def page(title: str, parts: Sequence[str]) -> str:
    """A page of HTML of these parts, which are HTML, with plotly's program in it.

    Raises:
        FirthError: plotly is not installed.
    """
    return pages.page(title, parts, programs=[_plotly()])


def curve(x: Sequence[int], lines: Mapping[str, Sequence[float | None]], x_title: str, y_title: str) -> str:
    """A picture of one line or several, as HTML for a `page`."""
    data = [
        {"type": "scatter", "mode": "lines+markers", "name": _label(name), "x": list(x), "y": list(y)}
        for name, y in lines.items()
    ]
    axes = {"xaxis": {"title": {"text": _label(x_title)}, "dtick": 1}, "yaxis": {"title": {"text": _label(y_title)}}}
    return _picture("curve", data, {**axes, "height": 420})


# --- mistakes


def _mistakes(examples: Examples, predicted: Sequence[Any], confidences: Sequence[Any] | None) -> Iterator[Mistake]:
    sure = confidences if confidences is not None else [None] * len(examples)
    for example, came, confidence in zip(examples, predicted, sure, strict=True):
        if examples.task == "tag":
            yield from _of_words(example, came, confidence)
        elif examples.is_regression:
            off = abs(float(came) - float(example.target))  # type: ignore[arg-type] # a number here
            yield Mistake(example.line, _read(example), "", f"{example.target:g}", f"{came:g}", off)
        elif came != example.target:
            yield Mistake(example.line, _read(example), "", str(example.target), str(came), _number(confidence))


def _of_words(example: Example, came: Sequence[str], confidence: Sequence[float] | None) -> Iterator[Mistake]:
    """A mistake for each word of a sentence that has a wrong tag."""
    due = example.target
    assert isinstance(due, tuple)
    for place, (one, other) in enumerate(zip(due, came, strict=True)):
        if one != other:
            first, stop = max(0, place - _WORDS_AROUND), place + _WORDS_AROUND + 1
            around = " ".join(example.inputs[first:stop])
            sure = None if confidence is None else _number(confidence[place])
            yield Mistake(example.line, around, example.inputs[place], one, other, sure)


def _read(example: Example) -> str:
    text = " ⟂ ".join(example.inputs)
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + " ..."


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _shown(mistake: Mistake) -> dict[str, Any]:
    """A mistake without the columns that it does not fill."""
    return {
        name: value
        for name, value in mistake._asdict().items()
        if value is not None and not (name == "word" and not value)
    }


# --- HTML


def _label(text: str) -> str:
    """Text from outside, as plotly shows it, which takes some tags for what they are."""
    return html.escape(printable(text)).replace("$", "&#36;")


def _bars(labels: Sequence[LabelScore]) -> str:
    """F1 of each label, the most frequent ones where there are many."""
    shown = sorted(labels, key=lambda one: -one.n_gold)[:_MOST_LABELS]
    data = [
        {
            "type": "bar",
            "name": name,
            "x": [_label(one.label) for one in shown],
            "y": [getattr(one, name) for one in shown],
        }
        for name in ("precision", "recall", "f1")
    ]
    layout = {"barmode": "group", "xaxis": {"type": "category"}, "yaxis": {"range": [0, 1]}, "height": 360}
    return _picture("labels", data, layout)


def _matrix(scores: Scores) -> str:
    """What is taken for what, the most frequent labels where there are many."""
    sizes = scores.confusion.sum(1) + scores.confusion.sum(0)
    places = sorted(sorted(range(len(sizes)), key=lambda place: -sizes[place])[:_MOST_LABELS])
    places = [place for place in places if sizes[place]]
    names = [_label(scores.labels[place]) for place in places]
    counts = scores.confusion[places][:, places]
    shares = counts / counts.sum(1, keepdims=True).clip(min=1)
    data = {
        "type": "heatmap",
        "x": names,
        "y": names,
        "z": shares.round(4).tolist(),
        "text": counts.tolist(),
        "colorscale": "Blues",
        "zmin": 0,
        "zmax": 1,
        "hovertemplate": "due %{y}, taken for %{x}: %{text} (%{z:.1%})<extra></extra>",
    }
    if len(names) <= _MOST_NUMBERS:
        data["texttemplate"] = "%{text}"
    axes = {
        "xaxis": {"type": "category", "title": {"text": "what came"}, "side": "top"},
        "yaxis": {"type": "category", "title": {"text": "what was due"}, "autorange": "reversed"},
    }
    size = max(320, 140 + 24 * len(names))
    return _picture("matrix", [data], {**axes, "height": size, "margin": {"l": 140, "t": 140}})


def _picture(name: str, data: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> str:
    """A place on the page, and the program that fills it."""
    values = ", ".join(_script(value) for value in (name, data, layout, {"responsive": True, "displaylogo": False}))
    return f'<div id="{name}"></div>\n<script>Plotly.newPlot({values});</script>'


def _script(value: Any) -> str:
    """JSON that may stand in a script: nothing in it ends one, or begins a comment."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise FirthError(
            "a page with pictures needs plotly, which is not installed: pip install 'firth[finetune]'"
        ) from None
    return str(get_plotlyjs())
