"""The report of a comparison in a real browser: three widths, light and dark, two languages, every control."""

from pathlib import Path
from typing import Any

import pytest
from invented_comparison import EVIL, hostile, invented
from watching import Watched, axe_file, faults

from firth.comparison_report.language import LANGUAGES, speaker
from firth.comparison_report.page import to_html
from firth.comparison_report.reading import Comparison

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (360, 820, 1440)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:
    """What opens a report, and fails at the end if a page has complained of anything."""
    every: list[Watched] = []

    def opened(report: dict[str, Any], lang: str = "en", width: int = 1440, scheme: str = "light") -> Watched:
        name = f"{lang}-{width}-{scheme}.html"
        page = to_html(Comparison.read(report), speaker(lang), LANGUAGES[lang])
        (tmp_path / name).write_text(page, encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        if axe_file() is not None:
            context.add_init_script(path=axe_file())
        every.append(Watched(context, tmp_path.as_uri() + "/"))
        every[-1].open(name)
        return every[-1]

    yield opened
    for one in every:
        one.page.context.close()
        assert one.complaints == []


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_at_every_width_and_can_be_read(opened: Any, tmp_path: Path, lang: str, scheme: str) -> None:
    for width in WIDTHS:
        watched = opened(invented(lang), lang, width, scheme)
        page = watched.page
        assert watched.overflow() == []
        path = tmp_path / f"{lang}-{scheme}-{width}.png"
        page.screenshot(path=path, full_page=width == 820)
        assert path.stat().st_size > 20_000
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert ground != ink


def test_every_column_sorts_by_mouse_and_keys(opened: Any) -> None:
    page = opened(invented()).page
    page.get_by_label("all layers").check()
    heads = page.locator("th[aria-sort] button:visible")
    assert heads.count() > 50
    for number in range(heads.count()):
        head = heads.nth(number)
        head.focus()
        page.keyboard.press("Enter")
        one = head.locator("..")
        first = one.get_attribute("aria-sort")
        assert first in ("ascending", "descending")
        page.keyboard.press("Space")
        assert one.get_attribute("aria-sort") == ({"ascending", "descending"} - {first}).pop()
    assert (
        page.locator('th[aria-sort="ascending"], th[aria-sort="descending"]').count()
        == page.locator("main table:visible").count()
    )
    assert page.locator("main thead th:not([aria-sort])").count() == 0


def test_sorting_orders_numbers_and_leaves_what_is_missing_last(opened: Any) -> None:
    page = opened(invented()).page
    table = page.locator("#answer table")
    head = table.locator("th", has_text="bits per byte")
    head.locator("button").click()
    column = head.evaluate("one => one.cellIndex")
    cells = table.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
    assert [cell.split()[0] for cell in cells if cell] == ["1.510", "1.420"]
    assert cells[2:] == [""] * (len(cells) - 2)
    head.locator("button").click()
    cells = table.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
    assert [cell.split()[0] for cell in cells if cell] == ["1.420", "1.510"]
    assert cells[2:] == [""] * (len(cells) - 2)


def test_every_other_control(opened: Any) -> None:
    page = opened(invented()).page
    for select in page.locator("select[data-picks]").all():
        name = select.get_attribute("data-picks")
        for option in select.locator("option").all():
            select.select_option(option.get_attribute("value"))
            shown = page.locator(f'[data-of="{name}"]:visible')
            assert shown.count() == 1
            assert shown.get_attribute("data-pick") == option.get_attribute("value")
    for button in page.locator("button[data-series]").all():
        series = page.locator(f'#figure-scores svg [data-series="{button.get_attribute("data-series")}"]')
        assert series.first.is_visible()
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        assert not series.first.is_visible()
        button.press("Enter")
        assert series.first.is_visible()
    columns = page.locator("#side-by-side [data-of]:visible table.neighbours thead th:visible")
    few = columns.count()
    page.get_by_label("all layers").check()
    assert columns.count() > few
    page.get_by_label("all layers").uncheck()
    assert columns.count() == few
    word = page.locator("table.neighbours:visible span.shared:visible").first
    word.hover()
    assert page.locator("table.neighbours:visible span.same:visible").count() > 1
    for details in page.locator("details").all():
        details.locator("summary").click()
    for button in page.locator("button.copy").all():
        button.click()
        page.wait_for_function("one => one.textContent === one.dataset.copied", arg=button.element_handle())


def test_without_its_program_all_of_it_is_shown(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(to_html(Comparison.read(invented()), speaker("en"), "en"), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("[data-of]:visible").count() == page.locator("[data-of]").count() > 4
    context.close()


def test_it_prints_whole(opened: Any, tmp_path: Path) -> None:
    page = opened(invented(), scheme="dark").page
    page.emulate_media(media="print")
    assert page.locator("[data-of]:visible").count() == page.locator("[data-of]").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert printed[:4] == b"%PDF"


def test_hostile_words_stay_words(opened: Any) -> None:
    watched = opened(hostile(), width=360)
    page = watched.page
    assert page.locator("script").count() == 1
    assert "alert(1)" in page.locator("#answer").inner_text()
    assert EVIL.replace("\u202e", "\\u{202e}") in page.locator("#answer").inner_text()
    assert watched.overflow() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(opened: Any, scheme: str) -> None:
    if axe_file() is None:
        pytest.skip("axe-core is not here: make test-all fetches it, or FIRTH_AXE tells where it is")
    assert faults(opened(invented(), scheme=scheme).page) == []
