import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pytest
from invented_comparison import EVIL, hostile, invented

from firth.comparison_report import charts
from firth.comparison_report.language import speaker
from firth.comparison_report.pictures import Panel, Picture, Point, Series, pictured
from firth.comparison_report.reading import Comparison

SAY = speaker("en")


def picture(name: str, report: Comparison | None = None) -> Picture:
    found = report or Comparison.read(invented())
    return next(one for one in pictured(found, SAY) if one.name == name)


class TestPictures:
    def test_all_of_them(self) -> None:
        names = [one.name for one in pictured(Comparison.read(invented()), SAY)]
        assert names == ["scores", "training", "losses", "layers", "costs"]
        assert pictured(Comparison.read({"variants": []}), SAY) == []

    def test_every_one_tells_seeds_settings_and_command(self) -> None:
        for one in pictured(Comparison.read(invented()), SAY):
            assert "seeds 1, 2, 3" in one.made
            assert "3 minutes a model" in one.made
            assert "firth compare wiki.txt" in one.made

    def test_curves_are_means_with_the_seeds_as_bounds(self) -> None:
        runs = [
            {"variant": "a", "seed": seed, "curve": [
                {"seconds": 0.0, "words": 0, "set": "s", "score": 0.0},
                {"seconds": 10.0 * seed, "words": 100, "set": "s", "score": 0.2 * seed}]}
            for seed in (1, 2)
        ]  # fmt: skip
        found = Comparison.read({"variants": [{"name": "a", "family": "cbow"}], "runs": runs})
        (panel,) = picture("training", found).groups[0].panels
        (series,) = panel.series
        assert series.points[0] == Point(0.0, 0.0, 0.0, 0.0)
        assert series.points[1] == Point(10.0, pytest.approx(0.2), pytest.approx(0.2), pytest.approx(0.2))
        assert [group.name for group in picture("training", found).groups] == ["seconds", "words"]

    def test_a_crossing_is_told_of_what_a_test_tells_apart(self) -> None:
        report = invented(seeds=(1,))
        for run in report["runs"]:
            slope = {"skipgram": 2.0, "cbow": 1.0}.get(run["variant"], 0.0)
            run["curve"] = [
                {"seconds": x, "words": x, "set": "wordsim353", "score": slope * x - (10.0 if slope == 2 else 0.0)}
                for x in (0.0, 8.0, 16.0)
            ]
        told = picture("training", Comparison.read(report)).caption
        assert "On wordsim353, skipgram overtakes cbow after 10 seconds." in told
        for one in report["differences"]:
            one["tie"] = True
        assert "overtakes" not in picture("training", Comparison.read(report)).caption

    def test_the_caption_tells_on_how_many_pairs_curves_are(self) -> None:
        report = invented(seeds=(1,))
        for run in report["runs"]:
            for number, one in enumerate(run["curve"]):
                one |= {"n_asked": 310, "n_answered": 290 + number if run["variant"] == "bert" else 310}
        told = picture("training", Comparison.read(report)).caption
        assert "On wordsim353 all are scored by the same 310 pairs" in told
        assert "leave fewer, at the least: bert 290." in told
        assert "same" not in picture("training").caption.partition("budget.")[2]  # an older report does not tell

    def test_where_vectors_are_scored_their_bytes_count(self) -> None:
        groups = {group.label: group for group in picture("costs").groups}

        def size(label: str, name: str) -> float:
            (panel,) = (panel for panel in groups[label].panels if panel.title == "MB on disk")
            return next(one.points[0].x for one in panel.series if one.name == name)

        similarity = next(label for label in groups if "wordsim353" in label)
        use = next(label for label in groups if "ud-ewt" in label)
        assert size(similarity, "elmo") == size(use, "elmo") + 24
        assert size(similarity, "glove") == size(use, "glove")

    def test_losses_have_panels_of_their_own(self) -> None:
        panels = picture("losses").groups[0].panels
        assert [len(panel.series) for panel in panels] == [1] * 6
        assert {panel.y for panel in panels} == {"nats a pair", "nats a token"}

    def test_a_model_with_one_matrix_is_a_level_line(self) -> None:
        panel = picture("layers").groups[0].panels[0]
        levels = {one.name: one.is_level for one in panel.series}
        assert (levels["skipgram"], levels["random"], levels["bert"]) == (True, True, False)
        bert = next(one for one in panel.series if one.name == "bert")
        assert [point.x for point in bert.points if point.is_chosen] == [1.0]


class TestSvg:
    @pytest.mark.parametrize("report", [invented(), invented("zh"), hostile()], ids=["en", "zh", "hostile"])
    def test_every_panel_is_xml_within_its_frame(self, report: dict[str, object]) -> None:
        for one in pictured(Comparison.read(report), SAY):
            for group in one.groups:
                for panel in group.panels:
                    root = ElementTree.fromstring(charts.svg(panel))
                    _, _, width, height = map(float, root.attrib["viewBox"].split())
                    assert len(root.attrib["aria-label"]) > 5
                    for element in root.iter():
                        assert element.tag in {
                            "svg",
                            "g",
                            "line",
                            "text",
                            "title",
                            "circle",
                            "polygon",
                            "polyline",
                            "path",
                        }
                        for name in ("x", "x1", "x2", "cx"):
                            assert -1 <= float(element.get(name, 0)) <= width + 1
                        for name in ("y", "y1", "y2", "cy"):
                            assert -1 <= float(element.get(name, 0)) <= height + 1

    def test_series_can_be_hidden_and_are_told_apart_without_colour(self) -> None:
        panel = Panel("t", "x", "y", "points", tuple(Series(str(n), n, (Point(n, n),)) for n in range(12)))
        found = charts.svg(panel)
        assert 'data-series="11"' in found
        marks = {(charts.colour(place), charts.key(place).partition(">")[2].replace("s0", "")) for place in range(12)}
        assert len(marks) == 12

    @pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
    def test_one_point_alone_can_be_drawn(self, value: float) -> None:
        for kind in ("lines", "points", "ranks"):
            panel = Panel("t", "x", "y", kind, (Series("a", 0, (Point(value, value),)),))  # type: ignore[arg-type]
            assert "nan" not in charts.svg(panel)

    def test_labels_do_not_cover_each_other(self) -> None:
        series = tuple(Series(f"name {n}", n, (Point(0, 0.5), Point(1, 0.5 + n / 1000))) for n in range(8))
        root = ElementTree.fromstring(charts.svg(Panel("t", "x", "y", "lines", series)))
        heights = sorted(float(one.attrib["y"]) for one in root.iter("text") if (one.text or "").startswith("name"))
        assert min(b - a for a, b in pairwise(heights)) > 12

    def test_long_names_are_cut_and_told_whole(self) -> None:
        assert charts.shortened("a" * 80) == "a" * 21 + "…"
        assert charts.shortened("语" * 30) == "语" * 10 + "…"
        panel = Panel("t", "x", "y", "ranks", (Series(EVIL * 3, 0, (Point(0, 1),)),))
        assert "<title>&lt;/script&gt;" in charts.svg(panel)


class TestTicks:
    @pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.03, 0.61), (0.2, 0.2001), (0, 1e9), (-5, -4)])
    def test_they_are_round_and_few(self, low: float, high: float) -> None:
        found = charts.ticks(low, high)
        assert 2 <= len(found) <= 6
        assert low <= min(found)
        assert max(found) <= high

    def test_logarithmic(self) -> None:
        assert charts.log_ticks(0.5, 2_000) == [1.0, 10.0, 100.0, 1000.0]
        assert charts.log_ticks(3, 40) == [3.0, 10.0, 30.0]
        assert charts.log_ticks(3.1, 3.2) == [3.1, 3.2]

    def test_short_numbers(self) -> None:
        assert [charts.short(value) for value in (0.25, 1500, 20_000, 3e6)] == ["0.25", "1500", "20k", "3M"]
