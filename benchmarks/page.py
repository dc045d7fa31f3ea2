"""How soon the explorer's map of 50,000 words is painted, and how many frames a second it moves with.

    python benchmarks/page.py [--words 50000] [--dim 100] [--frames 180]

Chromium runs headless and draws by the processor alone. First paint: from the navigation's start to the end of the
first frame with points and labels; of the first visit, for which the server projects the vectors, and of a second one.
Frames: the map is moved by a key in each frame, all of it in sight, and then enlarged four times; each frame is a new
picture of all points and of its labels. Prints one line of JSON. Takes about a minute.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from firth.vectors import Vectors

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SERVE = (
    "import sys; from firth.serving import serve; serve(sys.argv[1:], port=0, say=lambda line: print(line, flush=True))"
)
PAINTED = "performance.getEntriesByName('map-painted')[0]?.startTime ?? 0"
MOVED = """async (frames) => {
    const canvas = document.querySelector("canvas");
    const times = [];
    for (let at = 0; at < frames; at++) {
        const key = ["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"][Math.floor(at / 20) % 4];
        canvas.dispatchEvent(new KeyboardEvent("keydown", { key }));
        times.push(await new Promise(requestAnimationFrame));
    }
    return times;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--frames", type=int, default=180)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made(given.words, given.dim).save(Path(folder) / "vectors")
        command = [sys.executable, "-c", SERVE, str(Path(folder) / "vectors")]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            measured = measure(server.stdout.readline().strip(), given.frames)
        finally:
            server.terminate()
            server.wait(20)
    print(
        json.dumps(
            {
                "words": given.words,
                "dim": given.dim,
                "frames": given.frames,
                **measured,
                "machine": platform.processor() or platform.machine(),
                "cores": os.cpu_count(),
            }
        )
    )


def made(n_words: int, dim: int) -> Vectors:
    """Vectors in 200 heaps, as words have, with counts as by Zipf's law."""
    rng = np.random.default_rng(1)
    heaps = rng.standard_normal((200, dim)) * rng.uniform(0.3, 1.0, dim)
    array = heaps[rng.integers(200, size=n_words)] + 0.7 * rng.standard_normal((n_words, dim))
    words = [f"word{number}" for number in range(n_words)]
    return Vectors(words, array.astype(np.float32), counts=[10 * n_words // (rank + 1) for rank in range(n_words)])


def measure(base: str, n_frames: int) -> dict[str, Any]:
    """What a page at an address takes, in milliseconds, and its frames a second."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("FIRTH_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        found: dict[str, Any] = {"chromium": browser.version}
        for visit in ("first", "second"):
            page.goto(f"{base}map?model=vectors")
            while not (painted := page.evaluate(PAINTED)):
                page.wait_for_timeout(20)
            found[f"{visit}_paint_ms"] = round(painted)
        for name, keys in (("all", ""), ("enlarged", "++++++")):
            page.locator("canvas").focus()
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_timeout(500)
            times = np.array(page.evaluate(MOVED, n_frames))
            found[f"{name}_frames_per_second"] = round(1000 * (len(times) - 1) / (times[-1] - times[0]), 1)
            found[f"{name}_slowest_frame_ms"] = round(float(np.diff(times).max()), 1)
        browser.close()
    return found


if __name__ == "__main__":
    main()
