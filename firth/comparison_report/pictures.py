"""The pictures of a comparison as plain numbers, which the page draws for the screen and `figures` for a paper."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any, Final, Literal, NamedTuple

from firth.comparison_report.answers import kind_of, listed, measure_of, name_of
from firth.comparison_report.language import Say, retold
from firth.comparison_report.reading import Comparison, Run
from firth.comparison_report.standings import Contest, at_layers, contests
from firth.files import printable


class Point(NamedTuple):
    """A number at a place, with its bounds."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    is_chosen: bool = False


class Series(NamedTuple):
    """What is drawn of one variant.

    Attributes:
        name: The variant.
        place: Among the variants: its colour and its mark; None of the random table.
        points: In order.
        is_level: A line through the one point across the picture, as of a model with one matrix.
    """

    name: str
    place: int | None
    points: tuple[Point, ...]
    is_level: bool = False


class Panel(NamedTuple):
    """One pair of axes.

    Attributes:
        title: What it shows.
        x, y: The names of the axes.
        kind: `lines`; `ranks`, of which each series has one point and a row of its own; `points`.
        series: What is drawn.
        is_log: The x axis is logarithmic.
    """

    title: str
    x: str
    y: str
    kind: Literal["lines", "ranks", "points"]
    series: tuple[Series, ...]
    is_log: bool = False


class Group(NamedTuple):
    """Panels that are shown together, and what the reader chooses them by; no label where there is no choice."""

    name: str
    label: str
    panels: tuple[Panel, ...]


class Picture(NamedTuple):
    """One or several panels that are read together.

    Attributes:
        name: For files.
        title: What it shows.
        caption: How it is read.
        made: Seeds, settings and the command that makes it again.
        groups: Panels by what the reader may choose, as the words or the seconds of a curve; one of them is shown.
        choice: What is chosen between; empty where there is one group.
    """

    name: str
    title: str
    caption: str
    made: str
    groups: tuple[Group, ...]
    choice: str = ""


def pictured(found: Comparison, say: Say) -> list[Picture]:
    """Every picture that there are numbers for."""
    made = [_scores(found, say), _training(found, say), _losses(found, say), _layers(found, say), _costs(found, say)]
    return [picture for picture in made if picture is not None]


def place_of(found: Comparison, name: str) -> int | None:
    """The place of a variant, by which it is coloured; None of the random table."""
    return None if found.variant(name).random else found.place[name]


def made_by(found: Comparison, say: Say, *more: str) -> str:
    """Seeds, settings and command, as every picture tells them."""
    parts = [
        say("seeds {seeds}", seeds=", ".join(map(str, found.seeds)) or "-"),
        _budget(found, say),
        *more,
        say("made again by: {command}", command=printable(found.command or found.python or "firth compare")),
    ]
    return say("; ").join(part for part in parts if part)


def _budget(found: Comparison, say: Say) -> str:
    minutes, words = found.budget.get("minutes"), found.budget.get("words")
    if minutes is not None:
        return say("{n} minutes a model", n=f"{minutes:g}")
    return say("{n} words a model", n=f"{words:,}") if words is not None else ""


def _scores(found: Comparison, say: Say) -> Picture | None:
    panels = [_ranks(found, contest, say) for contest in contests(found) if len(contest.standings) > 1]
    if not panels:
        return None
    return Picture(
        "scores",
        say("Scores, with 95% intervals"),
        say(
            "A point is the mean over seeds; a line holds 95% of bootstrap samples of the items. A ring marks "
            "the best, and what no test tells from it. An interval tells how sure one score is; whether "
            "two differ is a matter of their paired difference, in the table of differences."
        ),
        made_by(found, say),
        (Group("", "", tuple(panels)),),
    )


def _ranks(found: Comparison, contest: Contest, say: Say) -> Panel:
    series = tuple(
        Series(
            one.variant,
            place_of(found, one.variant),
            (Point(0, one.score, one.low, one.high, contest.is_ahead(one.variant)),),
        )
        for one in contest.standings
    )
    measure = measure_of(contest.key.measure, contest.is_lower_better, say)
    title = f"{kind_of(contest, say)}: {name_of(contest, say)}"
    return Panel(title, measure, "", "ranks", series)


def _training(found: Comparison, say: Say) -> Picture | None:
    """The scores while training, against seconds and words: the chart of the fair budget."""
    sets = list(dict.fromkeys(str(one["set"]) for run in found.runs for one in run.curve))
    if not sets:
        return None
    groups = tuple(
        Group(axis, say(label), tuple(_curve(found, name, axis, say(label), say) for name in sets))
        for label, axis in _AXES.items()
    )
    return Picture(
        "training",
        say("Score while training"),
        say(
            "The mean over seeds, with the least and the greatest seed as a band. At the same place on the axis all "
            "have had the same budget. Which one is ahead before the end is not tested."
        )
        + _known_of(found, sets, say)
        + _crossings(found, sets, say),
        made_by(found, say, say("preparing is not counted") if found.counts == "training" else ""),
        groups,
        say("Against"),
    )


def _known_of(found: Comparison, sets: Sequence[str], say: Say) -> str:
    """How many pairs the curves are of, and who knew fewer of them."""
    told = ""
    for name in sets:
        points = [
            (run.variant, one) for run in found.runs for one in run.curve if one["set"] == name and one.get("n_asked")
        ]
        if not points:
            continue
        n_asked = max(one["n_asked"] for _, one in points)
        told += say(
            " On {set} all are scored by the same {n} pairs, of the words that they are scored by in the end.",
            set=printable(name),
            n=f"{n_asked:,}",
        )
        fewest: dict[str, int] = {}
        for variant, one in points:
            fewest[variant] = min(one["n_answered"], fewest.get(variant, n_asked))
        fewer = [f"{printable(variant)} {n:,}" for variant, n in fewest.items() if n < n_asked]
        if fewer:
            told += say(" Words that had not been met leave fewer, at the least: {names}.", names=listed(fewer, say))
    return told


_AXES: Mapping[str, str] = {"seconds of training": "seconds", "words read": "words"}


def _curve(found: Comparison, name: str, axis: str, label: str, say: Say) -> Panel:
    series = []
    for variant in found.variants:
        of_seeds = [
            [(float(one[axis]), float(one["score"])) for one in run.curve if one["set"] == name and _has(one, axis)]
            for run in found.runs
            if run.variant == variant.name
        ]
        points = _joined([one for one in of_seeds if one])
        if points:
            series.append(Series(variant.name, place_of(found, variant.name), points))
    is_log = axis == "words" and _is_wide(series)
    return Panel(printable(name), label, say("score"), "lines", tuple(series), is_log)


def _has(one: Mapping[str, Any], axis: str) -> bool:
    return one.get(axis) is not None and one.get("score") is not None


def _is_wide(series: Sequence[Series]) -> bool:
    """Whether the places differ so much that a logarithm shows them better."""
    places = [point.x for one in series for point in one.points]
    return bool(places) and min(places) > 0 and max(places) > 20 * min(places)


def _joined(of_seeds: Sequence[Sequence[tuple[float, float]]]) -> tuple[Point, ...]:
    """The mean of several curves and their bounds, at the places of the first, as far as all of them go."""
    if not of_seeds:
        return ()
    curves = [sorted(one) for one in of_seeds]
    if len(curves) == 1:
        return tuple(Point(x, y) for x, y in curves[0])
    first, last = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    places = [x for x, _ in curves[0] if first <= x <= last]
    if not places or places[-1] < last:
        places.append(last)
    joined = []
    for x in places:
        values = [_at(curve, x) for curve in curves]
        joined.append(Point(x, fmean(values), min(values), max(values)))
    return tuple(joined)


def _at(curve: Sequence[tuple[float, float]], x: float) -> float:
    """A curve's value between its points."""
    for (left, low), (right, high) in pairwise(curve):
        if left <= x <= right:
            return low if right == left else low + (high - low) * (x - left) / (right - left)
    return curve[0][1] if x < curve[0][0] else curve[-1][1]


def _crossings(found: Comparison, sets: Sequence[str], say: Say) -> str:
    """Where one variant overtakes another for good, of those that a test tells apart at the end."""
    told = ""
    by_name = {contest.key.set: contest for contest in contests(found) if contest.key.kind == "similarity"}
    for name in sets:
        contest = by_name.get(name)
        if contest is None or len(contest.leaders) != 1:
            continue
        panel = _curve(found, name, "seconds", "", say)
        curves = {one.name: [(point.x, point.y) for point in one.points] for one in panel.series}
        leader = contest.leaders[0]
        for other in curves:
            if leader in curves and other != leader and found.variant(other).is_compared:
                at = _overtakes(curves[leader], curves[other])
                if at is not None:
                    told += say(
                        " On {set}, {leader} overtakes {other} after {seconds} seconds.",
                        set=printable(name),
                        leader=printable(leader),
                        other=printable(other),
                        seconds=f"{at:,.0f}",
                    )
    return told


def _overtakes(one: Sequence[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float | None:
    """From where on the first curve stays above the second, if it was below before."""
    first, last = max(one[0][0], other[0][0]), min(one[-1][0], other[-1][0])
    places = sorted({x for x, _ in (*one, *other) if first <= x <= last})
    above = [_at(one, x) > _at(other, x) for x in places]
    if not above or not above[-1] or all(above):
        return None
    before = max(place for place, is_above in enumerate(above) if not is_above)
    left, right = places[before], places[before + 1]
    gap, ahead = _at(other, left) - _at(one, left), _at(one, right) - _at(other, right)
    return left + (right - left) * gap / (gap + ahead)


def _losses(found: Comparison, say: Say) -> Picture | None:
    """Each variant's loss, in a panel of its own: losses of different tasks are different things."""
    groups = []
    for label, axis in _AXES.items():
        column = 0 if axis == "seconds" else 1
        panels = []
        for variant in found.variants:
            runs = [run for run in found.runs if run.variant == variant.name and run.losses]
            points = _joined([one for one in (_of_losses(run, column) for run in runs) if one])
            if points:
                unit = printable(runs[0].loss_unit) or say("loss")
                series = (Series(variant.name, place_of(found, variant.name), points),)
                panels.append(Panel(printable(variant.name), say(label), unit, "lines", series))
        if panels:
            groups.append(Group(axis, say(label), tuple(panels)))
    if not groups:
        return None
    return Picture(
        "losses",
        say("Loss while training"),
        say(
            "Each model's loss is that of its own task, so that the heights of two panels cannot be compared: see "
            "whether a curve still falls when the budget ends."
        ),
        made_by(found, say),
        tuple(groups),
        say("Against"),
    )


def _of_losses(run: Run, column: int) -> list[tuple[float, float]]:
    return [
        (float(place), float(one[2])) for one in run.losses if (place := one[column]) is not None and one[2] is not None
    ]


def _layers(found: Comparison, say: Say) -> Picture | None:
    panels = []
    for contest in contests(found):
        every = at_layers(found, contest.key, contest.words)
        if not any(len(layers) > 1 for layers in every.values()):
            continue
        chosen = {one.variant: one.layer for one in contest.standings}
        series = []
        for name, layers in every.items():
            points = tuple(
                Point(
                    float(one.layer or 0),
                    one.score,
                    one.low,
                    one.high,
                    len(layers) > 1 and one.layer == chosen.get(name),
                )
                for one in layers
            )
            series.append(Series(name, place_of(found, name), points, is_level=len(layers) == 1))
        title = f"{kind_of(contest, say)}: {name_of(contest, say)}"
        measure = measure_of(contest.key.measure, contest.is_lower_better, say)
        panels.append(Panel(title, say("layer"), measure, "lines", tuple(series)))
    if not panels:
        return None
    chosen_by = [one.chosen_by for one in found.best_layers if one.chosen_by]
    return Picture(
        "layers",
        say("Score by layer"),
        say(
            "Layer 0 is the weight matrix behind the one-hot input. A model with one matrix is a level line. A ring is "
            "the layer that the tables speak of."
        )
        + (say(" It was chosen by {how}.", how=printable(retold(chosen_by[0], say))) if chosen_by else ""),
        made_by(found, say),
        (Group("", "", tuple(panels)),),
    )


_TO_VECTORS: Final = ("prepare", "train", "matrices")  # not "measure", which users need not do


def _costs(found: Comparison, say: Say) -> Picture | None:
    """Quality over cost, for every set."""
    costs: Mapping[str, Callable[[Run, str], float | None]] = {
        "seconds to its vectors": lambda run, _: sum(run.seconds.get(name) or 0 for name in _TO_VECTORS) or None,
        "parameters": lambda run, _: run.parameters,
        "MB on disk": lambda run, kind: size / 1e6 if (size := run.bytes_for(kind)) else None,
        "milliseconds a sentence": lambda run, _: run.sentence_ms,
        "milliseconds a lookup": lambda run, _: run.lookup_ms,
        "peak memory, MiB": lambda run, _: run.peak_mib,
    }
    groups: list[Group] = []
    for contest in contests(found):
        panels = []
        for label, cost in costs.items():
            series = []
            for one in contest.standings:
                runs = [run for run in found.runs if run.variant == one.variant]
                known = [value for run in runs if (value := cost(run, contest.key.kind))]
                if known:
                    point = Point(fmean(known), one.score, one.low, one.high)
                    series.append(Series(one.variant, place_of(found, one.variant), (point,)))
            if len(series) > 1:
                measure = measure_of(contest.key.measure, contest.is_lower_better, say)
                panels.append(Panel(say(label), say(label), measure, "points", tuple(series), _is_wide(series)))
        if panels:
            groups.append(
                Group(str(len(groups) + 1), f"{kind_of(contest, say)}: {name_of(contest, say)}", tuple(panels))
            )
    if not groups:
        return None
    return Picture(
        "costs",
        say("Cost against quality"),
        say("Above and to the left is better: a higher score for less.")
        if _all_higher(found)
        else say("To the left is cheaper; whether above or below is better stands at the axis."),
        made_by(found, say),
        tuple(groups),
        say("Quality by"),
    )


def _all_higher(found: Comparison) -> bool:
    return not any(contest.is_lower_better for contest in contests(found))
