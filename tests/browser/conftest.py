"""Debian's Chromium, or any, driven by Playwright; without one or the other the tests of this folder are skipped."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]


@pytest.fixture
def browser() -> Iterator[Any]:
    """A headless browser, for one test: Playwright has an event loop run in its thread, which disturbs other tests."""
    found = [os.environ.get("FIRTH_CHROMIUM"), *map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))]
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium, or FIRTH_CHROMIUM tells where one is")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
