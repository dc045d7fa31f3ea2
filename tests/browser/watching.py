"""A page in a real browser, watched: what it complains of, what stands out of it, what a screen reader meets.

Axe-core judges accessibility where it lies in `.axe` (`make test-all` fetches it) or at `FIRTH_AXE`.
"""

import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SERIOUS = {"serious", "critical"}

OVERFLOW = """() => {
    const width = document.documentElement.clientWidth;
    const isHeld = (one) => one.closest(".scroll, .hidden-label, .skip, svg, [role=listbox], pre") !== null;
    return [...document.querySelectorAll("body *")]
        .filter((one) => !isHeld(one) && one.getBoundingClientRect().right > width + 1)
        .map((one) => `${one.tagName} ${one.id} ${one.className} ${(one.textContent || "").slice(0, 40)}`);
}"""

SMALL = """least => [...document.querySelectorAll("svg text")].flatMap((one) => {
    const { a, b } = one.getScreenCTM();
    const size = parseFloat(getComputedStyle(one).fontSize) * Math.hypot(a, b);
    return one.textContent && size < least ? [`${size.toFixed(1)} px: ${one.textContent.slice(0, 40)}`] : [];
})"""
LEAST_PX = 8


class Watched:
    """A page, and all that it has complained of since it was opened.

    Attributes:
        page: Playwright's.
        complaints: Errors and warnings of the console, uncaught exceptions, dialogs, requests that failed, answers of
            400 and more, requests to another place than the server.
    """

    def __init__(self, context: Any, base: str) -> None:
        self.page = context.new_page()
        self.base = base
        self.complaints: list[str] = []
        page, told = self.page, self.complaints.append
        page.on("console", lambda one: told(f"{one.type}: {one.text}") if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: told(f"exception: {error}"))
        page.on("dialog", lambda dialog: (told(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("requestfailed", lambda one: None if "ABORTED" in (one.failure or "") else told(f"failed: {one.url}"))
        page.on("response", lambda one: told(f"{one.status}: {one.url}") if one.status >= 400 else None)
        page.on("request", lambda one: None if one.url.startswith((base, "blob:", "data:")) else told(f"to: {one.url}"))

    def open(self, path: str, ready: str = "main") -> Any:
        """Goes to a path of the server, and waits until an element is to be seen."""
        self.page.goto(self.base + path)
        self.page.wait_for_selector(ready, state="visible", timeout=30_000)
        return self.page

    def overflow(self) -> list[str]:
        """What stands out of the page to the right, though it does not scroll by itself."""
        found: list[str] = self.page.evaluate(OVERFLOW)
        if self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append("the page scrolls to the side")
        return found

    def too_small(self) -> list[str]:
        """What is written in a drawing in letters too small to be read, as it stands on the page."""
        found: list[str] = self.page.evaluate(SMALL, LEAST_PX)
        return found

    def expect_complaint(self, *texts: str) -> None:
        """Takes back complaints that have one of the texts in them; there is one at least."""
        kept = [one for one in self.complaints if not any(text in one for text in texts)]
        assert len(kept) < len(self.complaints), self.complaints
        self.complaints[:] = kept


def axe_file() -> Path | None:
    """Where axe-core is, if anywhere."""
    named = os.environ.get("FIRTH_AXE")
    path = Path(named) if named else ROOT / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
    return path if path.is_file() else None


def faults(page: Any) -> list[str]:
    """What axe-core finds seriously wrong; the page was opened with the script of `axe_file`."""
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for one in found
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]
