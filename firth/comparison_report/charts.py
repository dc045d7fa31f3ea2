"""Pictures as SVG within a page: no program draws them, the reader's fonts and colours do, and they print."""

import math
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

from firth.comparison_report.pictures import Panel, Point, Series
from firth.files import printable
from firth.pages import text

_WIDTH: Final = 400
_HEIGHT: Final = 270
_ROW: Final = 24  # of a panel of ranks
_LETTER: Final = 7.1  # the width of a letter at 12 px, about; a Chinese character is twice as wide
LONGEST: Final = 22
"""Letters of a label in a picture."""

_N_COLOURS: Final = 8

Scale = Callable[[float], float]


def svg(panel: Panel) -> str:
    """A panel as HTML, for a `page`."""
    return _ranks(panel) if panel.kind == "ranks" else _axes(panel)


def key(place: int | None) -> str:
    """The mark of a variant, as beside its name."""
    return f'<svg viewBox="-8 -8 16 16" aria-hidden="true" class="{colour(place)}">{_mark(0, 0, place, 6)}</svg>'


def colour(place: int | None) -> str:
    """The class by which the page's style colours a variant."""
    return "s-random" if place is None else f"s{place % _N_COLOURS}"


def shortened(name: str, longest: int = LONGEST) -> str:
    """A name as there is room for in a picture, in letters of which a Chinese one takes two."""
    shown = printable(name)
    if _letters(shown) <= longest:
        return shown
    while _letters(shown) > longest - 1:
        shown = shown[:-1]
    return shown + "…"


def ticks(low: float, high: float, n: int = 5) -> list[float]:
    """Round numbers between two, about n of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / n))
    step = next(step * times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= n)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two numbers, with 2 and 5 times them where there would be few."""
    for times in ((1,), (1, 3), (1, 2, 5)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = [one * 10.0**power for power in powers for one in times if low <= one * 10.0**power <= high]
        if len(found) >= 3:
            return found
    return found or [low, high]


def short(value: float) -> str:
    """A tick's number: 20k, 3M, 0.25."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * (10 if unit == "k" else 1):
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def bounds(values: Iterable[float], share: float = 0.06) -> tuple[float, float]:
    """The least and the greatest value, with some room around."""
    known = list(values)
    low, high = min(known), max(known)
    room = (high - low) * share or max(abs(high) * 0.1, 1e-6)
    return low - room, high + room


def y_values(series: Iterable[Series]) -> list[float]:
    """All heights that a picture has to hold."""
    return [
        value
        for one in series
        for point in one.points
        for value in (point.y, point.low, point.high)
        if value is not None
    ]


# --- scores in rows


def _ranks(panel: Panel) -> str:
    names = [shortened(one.name) for one in panel.series]
    left = 14 + _LETTER * max(map(_letters, names))
    height = 34 + _ROW * len(names) + 38
    values = y_values(panel.series)
    low, high = bounds(values)
    low = 0.0 if 0 <= min(values) < 0.35 * max(values) else low
    across = _scale(low, high, left, _WIDTH - 46)
    parts = [f'<text class="title" x="0" y="14">{text(shortened(panel.title, 54))}</text>']
    bottom = 30 + _ROW * len(names)
    for tick in ticks(low, high, 4):
        x = _n(across(tick))
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="26" y2="{bottom}"/>')
        parts.append(f'<text class="soft" x="{x}" y="{bottom + 14}" text-anchor="middle">{short(tick)}</text>')
    middle = _n((left + _WIDTH - 46) / 2)
    parts.append(f'<text class="soft" x="{middle}" y="{bottom + 30}" text-anchor="middle">{text(panel.x)}</text>')
    for row, (one, name) in enumerate(zip(panel.series, names, strict=True)):
        (point,) = one.points
        y = 26 + _ROW * (row + 0.5)
        whole = f"<title>{text(one.name)}</title>" if name != printable(one.name) else ""
        drawn = [f'<text x="{_n(left - 8)}" y="{_n(y + 4)}" text-anchor="end">{text(name)}{whole}</text>']
        if point.low is not None and point.high is not None:
            ends = f'x1="{_n(across(point.low))}" x2="{_n(across(point.high))}"'
            drawn.append(f'<line class="whisker draw" {ends} y1="{_n(y)}" y2="{_n(y)}"/>')
        drawn.append(_mark(across(point.y), y, one.place, 5))
        if point.is_chosen:
            drawn.append(f'<circle class="ring" cx="{_n(across(point.y))}" cy="{_n(y)}" r="8.5"/>')
        drawn.append(f'<text class="soft" x="{_WIDTH}" y="{_n(y + 4)}" text-anchor="end">{_value(point.y)}</text>')
        parts.append(_group(one, drawn))
    return _svg(panel, height, parts)


# --- lines and points over two axes


def _axes(panel: Panel) -> str:
    series = [one for one in panel.series if one.points]
    names = [shortened(one.name) for one in series]
    is_labelled = len(series) > 1
    right = _WIDTH - (12 + _LETTER * max(map(_letters, names)) if is_labelled else 8)
    values = y_values(series)
    y_low, y_high = bounds(values)
    places = [point.x for one in series for point in one.points]
    if panel.is_log:
        x_low, x_high = min(places) * 0.8, max(places) * 1.25
        x_ticks = log_ticks(x_low, x_high)
    else:
        x_low, x_high = bounds(places, 0.03)
        x_low = 0.0 if 0 <= min(places) < 0.3 * max(places) else x_low
        x_ticks = ticks(x_low, x_high, 5 if right > 250 else 3)
        if all(float(place).is_integer() and place < 60 for place in places):
            x_ticks = sorted({round(tick) for tick in x_ticks})  # layers
    y_ticks = ticks(y_low, y_high)
    left = 16 + _LETTER * 0.92 * max((len(short(tick)) for tick in y_ticks), default=1)
    top, bottom = 40, _HEIGHT - 40
    across = _scale(x_low, x_high, left, right, is_log=panel.is_log)
    up = _scale(y_low, y_high, bottom, top)
    parts = [f'<text class="title" x="0" y="14">{text(shortened(panel.title, 54))}</text>']
    parts.append(f'<text class="soft" x="0" y="30">{text(panel.y)}</text>')
    for tick in y_ticks:
        y = _n(up(tick))
        parts.append(f'<line class="grid" x1="{_n(left)}" x2="{_n(right)}" y1="{y}" y2="{y}"/>')
        parts.append(
            f'<text class="soft" x="{_n(left - 6)}" y="{_n(up(tick) + 4)}" text-anchor="end">{short(tick)}</text>'
        )
    for tick in x_ticks:
        x = _n(across(tick))
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>')
        parts.append(f'<text class="soft" x="{x}" y="{bottom + 17}" text-anchor="middle">{short(tick)}</text>')
    parts.append(f'<line class="axis" x1="{_n(left)}" x2="{_n(right)}" y1="{bottom}" y2="{bottom}"/>')
    middle = _n((left + right) / 2)
    parts.append(f'<text class="soft" x="{middle}" y="{bottom + 34}" text-anchor="middle">{text(panel.x)}</text>')
    heights = _apart([up(one.points[-1].y) for one in series], top, bottom)
    for one, name, height in zip(series, names, heights, strict=True):
        drawn = _points(one, across, up) if panel.kind == "points" else _line(one, across, up, left, right)
        if is_labelled:
            last = right if one.is_level else across(one.points[-1].x)
            end = up(one.points[-1].y)
            if right + 2 - last > 10 or abs(height - end) > 4:  # a thin line leads from the label to its line
                ends = f'x1="{_n(last + 6)}" y1="{_n(end)}" x2="{_n(right + 6)}" y2="{_n(height)}"'
                drawn.append(f'<line class="lead draw" {ends}/>')
            whole = f"<title>{text(one.name)}</title>" if name != printable(one.name) else ""
            drawn.append(f'<text class="paint" x="{_n(right + 9)}" y="{_n(height + 4)}">{text(name)}{whole}</text>')
        parts.append(_group(one, drawn))
    return _svg(panel, _HEIGHT, parts)


def _points(one: Series, across: Scale, up: Scale) -> list[str]:
    drawn = []
    for point in one.points:
        x = across(point.x)
        if point.low is not None and point.high is not None:
            ends = f'y1="{_n(up(point.low))}" y2="{_n(up(point.high))}"'
            drawn.append(f'<line class="whisker draw" x1="{_n(x)}" x2="{_n(x)}" {ends}/>')
        drawn.append(_mark(x, up(point.y), one.place, 5, _told(point)))
    return drawn


def _line(one: Series, across: Scale, up: Scale, left: float, right: float) -> list[str]:
    if one.is_level:
        y = _n(up(one.points[0].y))
        line = f'<line class="line draw" stroke-dasharray="5 4" x1="{_n(left)}" x2="{_n(right)}" y1="{y}" y2="{y}"/>'
        return [line, _mark(across(one.points[0].x), up(one.points[0].y), one.place, 4, _told(one.points[0]))]
    drawn = []
    if len(one.points) > 1 and all(point.low is not None and point.high is not None for point in one.points):
        upper = [f"{_n(across(point.x))},{_n(up(point.high or 0.0))}" for point in one.points]
        lower = [f"{_n(across(point.x))},{_n(up(point.low or 0.0))}" for point in reversed(one.points)]
        drawn.append(f'<polygon class="band paint" points="{" ".join(upper + lower)}"/>')
    line = " ".join(f"{_n(across(point.x))},{_n(up(point.y))}" for point in one.points)
    drawn.append(f'<polyline class="line draw" points="{line}"/>')
    if len(one.points) <= 30:
        drawn += [_mark(across(point.x), up(point.y), one.place, 4, _told(point)) for point in one.points]
    drawn += [
        f'<circle class="ring" cx="{_n(across(point.x))}" cy="{_n(up(point.y))}" r="8"/>'
        for point in one.points
        if point.is_chosen
    ]
    return drawn


def _apart(heights: Sequence[float], top: float, bottom: float, room: float = 15) -> list[float]:
    """The heights of labels so that none covers another, each as near to its line as may be."""
    order = sorted(range(len(heights)), key=heights.__getitem__)
    found = list(heights)
    for _ in range(60):
        moved = False
        for above, below in pairwise(order):
            lack = room - (found[below] - found[above])
            if lack > 0.01:
                found[above] -= lack / 2
                found[below] += lack / 2
                moved = True
        if order and found[order[0]] < top - 6:
            found[order[0]] = top - 6
        if order and found[order[-1]] > bottom:
            found[order[-1]] = bottom
        if not moved:
            break
    return found


# --- parts


def _svg(panel: Panel, height: float, parts: Sequence[str]) -> str:
    label = f"{printable(panel.title)}: " + ", ".join(
        f"{printable(one.name)} {_value(one.points[-1].y)}" for one in panel.series if one.points
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_n(height)}" role="img" aria-label="{text(label)}">' + "".join(parts) + "</svg>"
    )


def _group(one: Series, drawn: Sequence[str]) -> str:
    place = "random" if one.place is None else one.place
    return f'<g class="{colour(one.place)}" data-series="{place}">{"".join(drawn)}</g>'


def _mark(x: float, y: float, place: int | None, size: float, told: str = "") -> str:
    """A circle, square, triangle ... by the variant's place, so that colour is not all that tells them apart."""
    title = f"<title>{text(told)}</title>" if told else ""
    if place is None:
        left, right, up, down = (_n(one) for one in (x - size, x + size, y - size, y + size))
        lines = f"M{left} {up}L{right} {down}M{right} {up}L{left} {down}"
        return f'<path class="draw" stroke-width="2" fill="none" d="{lines}">{title}</path>'
    shape = (place + place // _N_COLOURS) % len(_SHAPES)  # with the eight colours, 48 variants before two are alike
    if not _SHAPES[shape]:
        return f'<circle class="paint" cx="{_n(x)}" cy="{_n(y)}" r="{_n(size)}">{title}</circle>'
    corners = " ".join(f"{_n(x + size * right)},{_n(y + size * down)}" for right, down in _SHAPES[shape])
    return f'<polygon class="paint" points="{corners}">{title}</polygon>'


_SHAPES: Final[Sequence[Sequence[tuple[float, float]]]] = (
    (),  # a circle
    ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    ((0, -1.15), (1.1, 0.85), (-1.1, 0.85)),
    ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    ((0, 1.15), (1.1, -0.85), (-1.1, -0.85)),
    ((-1.2, -0.4), (-0.4, -0.4), (-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4),
     (1.2, 0.4), (0.4, 0.4), (0.4, 1.2), (-0.4, 1.2), (-0.4, 0.4), (-1.2, 0.4)),
)  # fmt: skip


def _scale(low: float, high: float, first: float, last: float, *, is_log: bool = False) -> Scale:
    if is_log:
        low, high = math.log(low), math.log(high)
    return lambda value: first + (last - first) * ((math.log(value) if is_log else value) - low) / (high - low)


def _letters(shown: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in shown)


def _told(point: Point) -> str:
    return f"{short(round(point.x, 2))}: {_value(point.y)}"


def _value(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
