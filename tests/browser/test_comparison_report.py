"""The report of a comparison in a real browser: three widths, light and dark, two languages, every control."""

from pathlib import Path
from typing import Any

import pytest
from invented_comparison import EVIL, hostile, invented

from firth.comparison_report.language import LANGUAGES, speaker
from firth.comparison_report.page import to_html
from firth.comparison_report.reading import Comparison

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTHS = (360, 820, 1440)


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Any:
    """What opens a report, and fails at the end if the page has complained of anything."""
    complaints: list[str] = []
    contexts = []

    def opened(report: dict[str, Any], lang: str = "en", width: int = 1440, scheme: str = "light") -> Any:
        path = tmp_path / f"{lang}-{width}-{scheme}.html"
        path.write_text(to_html(Comparison.read(report), speaker(lang), LANGUAGES[lang]), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: None if request.url == path.as_uri() else complaints.append(request.url))
        page.on("dialog", lambda dialog: (complaints.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def overflow(page: Any) -> list[str]:
    """What stands out of the page to the right, though it does not scroll by itself."""
    found: list[str] = page.evaluate(
        """() => {
            const width = document.documentElement.clientWidth;
            const inScroller = (one) => one.closest(".scroll, pre, .keys") !== null;
            return [...document.querySelectorAll("body *")]
                .filter((one) => !inScroller(one) && one.getBoundingClientRect().right > width + 1)
                .map((one) => one.tagName + " " + one.className + " " + (one.textContent || "").slice(0, 40));
        }"""
    )
    return found


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_at_every_width_and_can_be_read(opened: Any, tmp_path: Path, lang: str, scheme: str) -> None:
    for width in WIDTHS:
        page = opened(invented(lang), lang, width, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert overflow(page) == []
        path = tmp_path / f"{lang}-{scheme}-{width}.png"
        page.screenshot(path=path, full_page=True)
        assert path.stat().st_size > 50_000
    ground, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert ground != ink


def test_every_column_sorts_by_mouse_and_keys(opened: Any) -> None:
    page = opened(invented())
    heads = page.locator("th[aria-sort] button")
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
        == page.locator("main table:has(th[aria-sort])").count()
    )


def test_sorting_orders_numbers_and_leaves_what_is_missing_last(opened: Any) -> None:
    page = opened(invented())
    table = page.locator("#answer table")
    head = table.locator("th", has_text="bits_per_byte")
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
    page = opened(invented())
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
    page = opened(invented(), scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("[data-of]:visible").count() == page.locator("[data-of]").count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed = page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert printed[:4] == b"%PDF"


def test_hostile_words_stay_words(opened: Any) -> None:
    page = opened(hostile(), width=360)
    assert page.locator("script").count() == 1
    assert "alert(1)" in page.locator("#answer").inner_text()
    assert EVIL.replace("\u202e", "\\u{202e}") in page.locator("#answer").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert overflow(page) == []
