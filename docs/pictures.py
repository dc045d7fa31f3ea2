"""Takes the pictures of the README and the guide: `make pictures`.

By hand: `python docs/pictures.py [MODEL...] [--corpus CORPUS]`. Without models the explorer shows those of `firth
demo`, which has to run first. A Chromium and the Python package playwright are needed. The pictures lie in
`docs/pictures/`.
"""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "pictures"
FIRTH = [sys.executable, "-m", "firth"]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
WIDTH, HEIGHT = 1200, 860


def main() -> None:
    """Starts the explorer and takes its pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--corpus")
    parser.add_argument("--word", default="rock", help="one with two senses")
    given = parser.parse_args()
    command = [*FIRTH, "serve", *given.models, "--port", "0", "--quiet"]
    if given.corpus:
        command += ["--corpus", given.corpus]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        if not address:
            raise SystemExit("firth serve did not start; without models, run `firth demo` first")
        take(address.rstrip("/"), given.word)
    finally:
        server.terminate()
        server.wait(10)


def take(base: str, word: str) -> None:
    """The pictures of the explorer at an address, written into FOLDER."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("FIRTH_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if chromium is None:
        raise SystemExit("there is no Chromium: apt-get install chromium, or FIRTH_CHROMIUM tells where one is")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_context(
            viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light", locale="en"
        ).new_page()
        models: list[dict[str, Any]] = page.request.get(f"{base}/api/models", timeout=300_000).json()["models"]
        tables = [one["name"] for one in models if one["has_vectors"]]
        views = {"contexts": (f"/contexts?word={word}", "#list mark")}
        if tables:  # both are of words by themselves
            views["neighbours"] = (f"/neighbours?word={word}&topn=12", "#plot svg a")
            views["map"] = (f"/map?model={tables[0]}&word=music", "#maps figcaption:has-text('k = 15')")
        for name, (path, ready) in views.items():
            page.goto(base + path, timeout=300_000)
            page.wait_for_selector(ready, timeout=300_000)
            page.wait_for_timeout(2_500)  # for points to arrive
            page.screenshot(path=FOLDER / f"{name}.png")
            print(FOLDER / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
