"""The pictures of a comparison as SVG and PNG files, for papers."""

import itertools
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from firth.comparison_report.charts import bounds, shortened, y_values
from firth.comparison_report.language import Say
from firth.comparison_report.pictures import Panel, Picture, Series
from firth.errors import FirthError
from firth.files import printable, replacing

COLOURS: Final = ("#0068b2", "#c44e00", "#00805c", "#b0357f", "#7a6200", "#5a3fc0", "#2b7f98", "#a0332f")
"""As on the page, on white: told apart by colour-blind readers, and by their marks."""

_MARKS: Final = ("o", "s", "^", "D", "v", "P")
_RANDOM: Final = "#6b7280"
_CJK: Final = re.compile("[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
_FONT: Final = "DejaVu Sans"  # comes with matplotlib
_BOXES: Final = re.compile("Last ?Resort|Color|Math|^STIX|^cm|Bitmap", re.IGNORECASE)  # draw boxes, or nothing
_CJK_NAMES: Final = re.compile(
    "CJK|Source Han|WenQuanYi|PingFang|Heiti|YaHei|SimHei|SimSun|Songti|Hiragino|Noto Sans [ST]C|Droid Sans Fallback"
)
_WITH_SERIFS: Final = re.compile("Serif|Song|Sun|Ming")
_N_ACROSS: Final = 3


class Drawn(NamedTuple):
    """The files that were written, and what is to be known of them."""

    paths: list[Path]
    notes: list[str]


def draw(pictures: Sequence[Picture], folder: Path, say: Say) -> Drawn:
    """The files of all pictures in a folder: NAME.svg and NAME.png.

    What matplotlib's own font lacks, as Chinese, is drawn with one that has it. Where the machine has none, no PNG is
    made of the picture, for it would show boxes; its SVG keeps the text as text, which the reader's own fonts show.

    Raises:
        FirthError: matplotlib is not installed.
    """
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise FirthError("figures need matplotlib, which is not installed: pip install 'firth[figures]'") from None
    paths: list[Path] = []
    notes: list[str] = []
    for picture in pictures:
        for group in picture.groups:
            shown = printable("".join(_texts(group.panels)))
            needed = _lacking(shown)
            font = _font_with(needed) if needed else None
            is_readable = font is not None or not needed
            settings: Any = {
                "font.family": [_FONT, *([font] if font else [])],
                "font.size": 8,
                "svg.fonttype": "path" if is_readable else "none",
                "svg.hashsalt": "firth",
                "text.parse_math": False,  # words with $ are words
                "axes.spines.top": False,
                "axes.spines.right": False,
            }
            name = "-".join(filter(None, (picture.name, group.name)))
            with matplotlib.rc_context(settings), warnings.catch_warnings():
                if not is_readable:
                    warnings.filterwarnings("ignore", message="Glyph .* missing")
                figure: Any = Figure(figsize=_size(group.panels), layout="constrained")
                FigureCanvasAgg(figure)
                _fill(figure, group.panels)
                figure.get_layout_engine().execute(figure)
                figure.set_layout_engine("none")  # once for both files
                for kind in ("svg", "png") if is_readable else ("svg",):
                    path = folder / f"{name}.{kind}"
                    about: dict[str, Any] = {"Title": picture.title, "Description": picture.made}
                    about |= {"Date": None} if kind == "svg" else {"Software": "firth"}
                    with replacing(path, "wb") as file:
                        figure.savefig(file, format=kind, dpi=200, metadata=about)
                    paths.append(path)
            if not is_readable:
                notes.append(
                    say(
                        "{name}.png was not made: no font on this machine has the characters {chars} (the Noto fonts "
                        "have them). {name}.svg keeps them as text.",
                        name=name,
                        chars="".join(sorted(needed)[:8]),
                    )
                )
    return Drawn(paths, notes)


def _texts(panels: Sequence[Panel]) -> Iterator[str]:
    for panel in panels:
        yield from (panel.title, panel.x, panel.y, *(one.name for one in panel.series))


def _lacking(shown: str) -> set[str]:
    """The characters that matplotlib's own font would show as boxes."""
    from matplotlib import font_manager, ft2font

    known = ft2font.FT2Font(font_manager.findfont(_FONT)).get_charmap()
    return {char for char in shown if ord(char) not in known and not char.isspace()}


def _font_with(chars: set[str]) -> str | None:
    """The name of a font that has these characters."""
    from matplotlib import font_manager, ft2font

    may = _CJK_NAMES.search if any(map(_CJK.match, chars)) else lambda name: not _BOXES.search(name)
    every = [entry for entry in font_manager.fontManager.ttflist if may(entry.name)]
    for entry in sorted(every, key=lambda entry: bool(_WITH_SERIFS.search(entry.name))):
        try:
            known = ft2font.FT2Font(entry.fname).get_charmap()
        except (OSError, RuntimeError):
            continue  # a file that was removed, or that is no font
        if all(ord(char) in known for char in chars):
            return str(entry.name)
    return None


def _shape(panels: Sequence[Panel]) -> tuple[int, int]:
    across = min(_N_ACROSS, len(panels))
    return -(-len(panels) // across), across


def _size(panels: Sequence[Panel]) -> tuple[float, float]:
    down, across = _shape(panels)
    rows = max(len(panel.series) for panel in panels)
    height = 0.9 + 0.22 * rows if panels[0].kind == "ranks" else 2.3
    return 2.9 * across + 0.6, height * down + (0.0 if panels[0].kind == "ranks" else 0.35)


def _fill(figure: Any, panels: Sequence[Panel]) -> None:
    down, across = _shape(panels)
    every = figure.subplots(down, across, squeeze=False).ravel()
    for axes, panel in zip(every, panels, strict=False):
        axes.set_title(shortened(panel.title, 40), loc="left", fontsize=8, fontweight="bold")
        axes.set_xlabel(printable(panel.x))
        (_ranks if panel.kind == "ranks" else _lines)(axes, panel)
    for axes in itertools.islice(every, len(panels), None):
        axes.set_visible(False)
    if panels[0].kind != "ranks":
        found: dict[str, Any] = {}
        for axes in every[: len(panels)]:
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
        if len(found) > 1:
            columns = min(len(found), 3 * across)
            figure.legend(found.values(), found, loc="outside lower center", ncols=columns, frameon=False)


def _look(one: Series) -> dict[str, Any]:
    if one.place is None:
        return {"color": _RANDOM, "marker": "x"}
    shape = (one.place + one.place // len(COLOURS)) % len(_MARKS)
    return {"color": COLOURS[one.place % len(COLOURS)], "marker": _MARKS[shape]}


def _ranks(axes: Any, panel: Panel) -> None:
    places = range(len(panel.series))
    for place, one in zip(places, panel.series, strict=True):
        (point,) = one.points
        look = _look(one)
        if point.low is not None and point.high is not None:
            axes.plot([point.low, point.high], [place, place], color=look["color"], linewidth=1.2)
        axes.plot([point.y], [place], linestyle="", markersize=5, **look)
        if point.is_chosen:
            axes.plot(
                [point.y],
                [place],
                "o",
                markersize=9,
                markerfacecolor="none",
                markeredgecolor="black",
                markeredgewidth=0.8,
            )
    axes.set_yticks(list(places), [shortened(one.name) for one in panel.series])
    axes.set_ylim(len(panel.series) - 0.4, -0.6)
    axes.grid(axis="x", linewidth=0.4, alpha=0.6)


def _lines(axes: Any, panel: Panel) -> None:
    axes.set_ylabel(printable(panel.y))
    if panel.is_log:
        axes.set_xscale("log")
    for one in panel.series:
        look = _look(one)
        x, y = [point.x for point in one.points], [point.y for point in one.points]
        low, high = [point.low for point in one.points], [point.high for point in one.points]
        is_bounded = all(value is not None for value in (*low, *high))
        if panel.kind == "points":
            if is_bounded:
                axes.vlines(x, low, high, color=look["color"], linewidth=1.0)
            axes.plot(x, y, linestyle="", markersize=5, label=shortened(one.name), **look)
        elif one.is_level:
            axes.axhline(y[0], color=look["color"], linestyle="--", linewidth=1.2)
            axes.plot(x, y, linestyle="--", markersize=4, label=shortened(one.name), **look)
        else:
            if is_bounded and len(x) > 1:
                axes.fill_between(x, low, high, color=look["color"], alpha=0.15, linewidth=0)
            how = {"linewidth": 1.3, "markersize": 4 if len(x) <= 30 else 0}
            axes.plot(x, y, label=shortened(one.name), **how, **look)
            for point in one.points:
                if point.is_chosen:
                    axes.plot(
                        [point.x],
                        [point.y],
                        "o",
                        markersize=9,
                        markerfacecolor="none",
                        markeredgecolor="black",
                        markeredgewidth=0.8,
                    )
    if not panel.is_log:
        axes.set_xlim(*bounds([point.x for one in panel.series for point in one.points], 0.04))
    axes.set_ylim(*bounds(y_values(panel.series)))
    axes.grid(linewidth=0.4, alpha=0.6)
