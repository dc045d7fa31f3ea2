import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from invented_comparison import EVIL, hostile, invented

from firth.comparison_report import figures, write
from firth.comparison_report.language import speaker
from firth.comparison_report.page import to_html
from firth.comparison_report.reading import Comparison
from firth.errors import FirthError

VOID = {"meta", "input", "br"}


class Tags(HTMLParser):
    """The elements of a page, which must be closed in order, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID and not (
            self.open and "svg" in self.open and (self.get_starttag_text() or "").endswith("/>")
        ):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(report: dict[str, Any], lang: str = "en") -> str:
    return to_html(Comparison.read(report), speaker(lang), lang)


class TestPage:
    def test_the_answer_comes_first(self) -> None:
        found = page(invented())
        places = [
            found.index(text) for text in ("<h1>", "take skipgram", 'id="scores"', 'id="neighbours"', 'id="bibtex"')
        ]
        assert places == sorted(places)

    def test_every_column_has_a_button_that_sorts_by_it(self) -> None:
        heads = re.findall(r"<thead><tr>(.*?)</tr></thead>", page(invented()), re.DOTALL)
        assert len(heads) > 10
        for head in heads:
            assert head.count("<th") == head.count('aria-sort="none"><button') > 0

    def test_all_sections_are_there_and_linked(self) -> None:
        tags = Tags(page(invented()))
        ids = [one["id"] for _, one in tags.found if "id" in one]
        assert len(set(ids)) == len(ids)
        links = {one["href"] for tag, one in tags.found if tag == "a"}
        names = "answer scores budget layers neighbours cost differences coverage settings paper"
        assert links == {f"#{name}" for name in names.split(" ")}
        assert {str(link).removeprefix("#") for link in links} <= set(ids)

    def test_what_failed_is_shown(self) -> None:
        found = page(invented())
        assert "gpt, seed 3: the disk was full (invented)" in found

    def test_every_table_of_numbers_sorts(self) -> None:
        tags = Tags(page(invented())).found
        heads = [one for tag, one in tags if tag == "th" and "aria-sort" in one]
        assert len(heads) > 50
        assert {one["aria-sort"] for one in heads} == {"none"}

    def test_every_figure_tells_how_it_was_made(self) -> None:
        found = page(invented())
        assert found.count("<figure") == 5
        assert found.count('class="made"') == 5

    def test_it_needs_no_other_file(self) -> None:
        found = page(invented())
        assert "default-src 'none'" in found
        assert not re.search(r"(?:src|href)=\"(?!#)", found)
        assert "url(" not in found

    def test_nothing_of_the_data_is_a_tag_or_a_script(self) -> None:
        found = page(hostile())
        tags = Tags(found)
        names = [name for name, _ in tags.found]
        assert names.count("script") == 1
        assert "b" not in names
        assert "\u202e" not in found
        assert tags.text.count("alert(1)") > 20
        for _, attributes in tags.found:
            assert not any(name.startswith("on") for name in attributes)

    def test_chinese(self) -> None:
        found = page(invented("zh"), "zh")
        assert '<h2 id="answer-title">结论</h2>' in found
        assert "国王" in found
        english = re.findall(
            r">([A-Z][a-z]+ [a-z]+ [a-z]+[^<]*)<", found.partition("<body>")[2].partition('id="latex"')[0]
        )
        assert english == []  # nothing was left untranslated

    def test_a_report_of_almost_nothing(self) -> None:
        found = page({"variants": [{"name": "a", "family": "cbow", "left_out": "the corpus is too small (invented)"}]})
        assert "Nothing could be compared" in found
        assert "too small (invented)" in found
        Tags(found)

    def test_one_seed_without_tests(self) -> None:
        report = invented(seeds=(1,)) | {"differences": [], "best_layers": [], "overlaps": [], "coverage": []}
        found = page(report)
        assert "was not tested" in found
        assert 'id="coverage"' not in found


class TestFiles:
    def test_all_of_them(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        report = invented(seeds=(1,))
        report["scores"] = [one for one in report["scores"] if one["set"] == "wordsim353"]
        report["runs"] = []
        paths, notes = write(report, tmp_path)
        assert notes == []
        assert paths[0] == tmp_path / "report.html"
        assert all(path.is_file() for path in paths)
        names = {path.relative_to(tmp_path).as_posix() for path in paths}
        assert {"report.json", "scores.csv", "runs.csv", "tables.tex", "methods.txt", "references.bib",
                "figures/scores.svg", "figures/scores.png", "figures/layers.png"} <= names  # fmt: skip
        assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == report
        assert "figures/layers.svg" in (tmp_path / "report.html").read_text(encoding="utf-8")
        assert (tmp_path / "figures" / "scores.png").read_bytes()[:4] == b"\x89PNG"

    def test_without_matplotlib_the_rest_is_written_and_it_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise FirthError("figures need matplotlib (invented)")

        monkeypatch.setattr(figures, "draw", fail)
        paths, notes = write(invented(seeds=(1,)), tmp_path)
        assert notes == ["figures need matplotlib (invented)"]
        assert (tmp_path / "report.html").is_file()
        assert not any(path.suffix == ".png" for path in paths)


class TestFigures:
    @staticmethod
    def pictures(name: str) -> list[Any]:
        from firth.comparison_report.pictures import Group, Panel, Picture, Point, Series

        series = (Series(name, 0, (Point(0, 0.5, 0.4, 0.6, True),)), Series("random", None, (Point(0, 0.1),)))
        panel = Panel(name, "x", "y", "ranks", series)
        return [Picture("one", name, "", "seeds 1", (Group("", "", (panel,)),))]

    def test_words_with_dollars_are_no_formulas(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        drawn = figures.draw(self.pictures(EVIL), tmp_path, speaker("en"))
        assert [path.name for path in drawn.paths] == ["one.svg", "one.png"]
        first = drawn.paths[0].read_bytes()
        figures.draw(self.pictures(EVIL), tmp_path, speaker("en"))
        assert drawn.paths[0].read_bytes() == first  # no date in it

    def test_without_a_font_for_chinese_it_is_said_and_no_boxes_are_drawn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("matplotlib")
        monkeypatch.setattr(figures, "_font_with", lambda chars: None)
        drawn = figures.draw(self.pictures("词向量"), tmp_path, speaker("en"))
        assert [path.name for path in drawn.paths] == ["one.svg"]
        assert "词向量" in (tmp_path / "one.svg").read_text(encoding="utf-8")
        assert "no font on this machine has the characters" in drawn.notes[0]

    @pytest.mark.parametrize("name", ["हिन्दी", "\U0001f600", "ᚠᚢᚦ"])
    def test_what_no_font_has_is_said_of_every_script(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        pytest.importorskip("matplotlib")
        from matplotlib import font_manager

        every = [entry for entry in font_manager.fontManager.ttflist if "matplotlib" in entry.fname]
        monkeypatch.setattr(font_manager.fontManager, "ttflist", every)
        drawn = figures.draw(self.pictures(f"{name} ascii"), tmp_path, speaker("en"))
        is_known = name.startswith("\U0001f600")  # of faces, DejaVu Sans has these few
        assert [path.name for path in drawn.paths] == (["one.svg", "one.png"] if is_known else ["one.svg"])
        assert len(drawn.notes) == (0 if is_known else 1)

    def test_chinese_with_a_font(self, tmp_path: Path) -> None:
        pytest.importorskip("matplotlib")
        if figures._font_with(set("词向量")) is None:
            pytest.skip("this machine has no font with Chinese characters")
        drawn = figures.draw(self.pictures("词向量"), tmp_path, speaker("zh"))
        assert [path.name for path in drawn.paths] == ["one.svg", "one.png"]
        assert drawn.notes == []
