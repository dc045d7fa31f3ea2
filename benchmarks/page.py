"""How soon the explorer's map of 50,000 words is painted, and how many frames a second it moves with.

    python benchmarks/page.py [--words 50000] [--dim 100] [--frames 180]

Chromium runs headless and draws by the processor alone. First paint: from the navigation's start to the end of the
first frame with points and labels; of the first visit, for which the server projects the vectors, and of a second one.
Frames: the map is moved by a key in each frame, all of it in sight, and then enlarged four times; each frame is a new
picture of all points and of its labels. Three times, each with a new server and a new browser: the row holds each of
them, the table their medians. The row goes to results/page.jsonl, the table to results/page.md. About two minutes;
`--words 5000 --rounds 1 --dry` tries it out.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from recording import RESULTS, Record, commit_of_checkout, machine, recorded

from firth.vectors import Vectors

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SEED = 1
WIDTH, HEIGHT = 1280, 900
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
MEASURES = {
    "first_paint_ms": "first paint, first visit: ms",
    "second_paint_ms": "first paint, second visit: ms",
    "all_frames_per_second": "frames a second, all in sight",
    "all_slowest_frame_ms": "slowest frame, all in sight: ms",
    "enlarged_frames_per_second": "frames a second, enlarged",
    "enlarged_slowest_frame_ms": "slowest frame, enlarged: ms",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=100)
    parser.add_argument("--frames", type=int, default=180)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commit", action="store_true", help="commit the row")
    parser.add_argument("--dry", action="store_true", help="record nothing")
    given = parser.parse_args()
    settings = {name: getattr(given, name) for name in ("words", "dim", "frames", "rounds")}

    def run() -> Record:
        with tempfile.TemporaryDirectory(prefix="page-") as folder:
            made(given.words, given.dim).save(Path(folder) / "vectors")
            rounds = [once(Path(folder) / "vectors", given.frames) for _ in range(given.rounds)]
        return {"rounds": rounds}

    if given.dry:
        row = run() | {"settings": settings, "machine": machine(), "commit": commit_of_checkout()}
    else:
        row = recorded("page", settings, SEED, run, commit=given.commit)
    print(row)
    text = report(row)
    print(text)
    if not given.dry:
        (RESULTS / "page.md").write_text(text, encoding="utf-8")


def report(row: Record) -> str:
    settings = row["settings"]
    lines = ["| | median | each |", "|---|---|---|"]
    for name, title in MEASURES.items():
        each = [one[name] for one in row["rounds"]]
        lines.append(f"| {title} | {statistics.median(each):g} | {', '.join(f'{value:g}' for value in each)} |")
    return (
        f"# The explorer's map in a browser\n\n`python benchmarks/page.py`: {settings['words']:,} words of "
        f"{settings['dim']} dimensions, by their principal components, in Chromium {row['rounds'][0]['chromium']}, "
        f"headless, {WIDTH} x {HEIGHT} pixels, drawn by the processor alone; browser and server share "
        "the machine. First paint: from the start of the navigation to the end of the first frame with points and "
        "labels; the first visit's holds the projection too. Frames: one move by a key in each, every one a new "
        f"picture of all points and their labels. {settings['rounds']} rounds of {settings['frames']} frames, each "
        "with a new server and a new browser.\n\n"
        + "\n".join(lines)
        + f"\n\nMachine: {row['machine']}. Commit: {row['commit']}.\n"
    )


def made(n_words: int, dim: int) -> Vectors:
    """Vectors in 200 heaps, as words have, with counts as by Zipf's law."""
    rng = np.random.default_rng(SEED)
    heaps = rng.standard_normal((200, dim)) * rng.uniform(0.3, 1.0, dim)
    array = heaps[rng.integers(200, size=n_words)] + 0.7 * rng.standard_normal((n_words, dim))
    words = [f"word{number}" for number in range(n_words)]
    return Vectors(words, array.astype(np.float32), counts=[10 * n_words // (rank + 1) for rank in range(n_words)])


def once(vectors: Path, n_frames: int) -> Record:
    """What the page takes with a new server and a new browser."""
    command = [sys.executable, "-m", "firth", "serve", str(vectors), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            if not address:
                raise SystemExit("firth serve did not start; it has said why")
            return measured(address, n_frames)
        finally:
            server.terminate()
            server.wait(20)


def measured(base: str, n_frames: int) -> Record:
    """What a page at an address takes, in milliseconds, and its frames a second."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("FIRTH_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        found: Record = {"chromium": browser.version}
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
            times = page.evaluate(MOVED, n_frames)
            found[f"{name}_frames_per_second"] = round(1000 * (len(times) - 1) / (times[-1] - times[0]), 1)
            found[f"{name}_slowest_frame_ms"] = round(float(np.diff(times).max()), 1)
        browser.close()
    return found


if __name__ == "__main__":
    main()
