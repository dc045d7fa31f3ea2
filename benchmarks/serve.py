"""Requests of the explorer's API over the loopback: how many a second, how long each takes, and what memory does.

    python benchmarks/serve.py --folder DIR

`firth serve` shows 200,000 random vectors of 300 dimensions (0.3 GB in DIR, deleted at the end). 1, 8 and 64 clients
ask it for the 10 neighbours of a word, one request after the other, each of another word, so that no answer was kept:
for 30 seconds each, 20,000 requests at most. Then 8 clients ask for 10 minutes, while the memory of the server is read
every second. An error is no answer, or any but 200 with ten neighbours: a 503 with Retry-After is one too. Clients are
threads of this process that speak HTTP over one connection each; both share the machine. Rows go to
results/serve.jsonl, one as each ends, the table to results/serve.md. About 12 minutes;
`--words 20000 --seconds 2 --minutes 0.1 --dry` tries it out.
"""

import argparse
import http.client
import itertools
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from recording import RESULTS, Record, commit_of_checkout, machine, recorded

from firth.vectors import Vectors

DIM = 300
SEED = 1
CLIENTS = (1, 8, 64)
MOST_REQUESTS = 20_000
HELD_BY = 8  # clients of the long run
WARM = 20  # requests before any is counted


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, int]]:
    """The address of a server that shows the vectors in a folder, and its process' number."""
    command = [sys.executable, "-m", "firth", "serve", str(folder), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = urlsplit(server.stdout.readline().strip()).netloc
            if not address:
                raise SystemExit("firth serve did not start; it has said why")
            yield address, server.pid
        finally:
            server.terminate()
            server.wait(30)


def anonymous_mib(pid: int) -> float:
    """What a process holds in memory that is of no file (Linux)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Anonymous:")) / 1024


def asked(address: str, pid: int, n_clients: int, n_words: int, seconds: float, most: float, first: int) -> Record:
    """What came of so many clients asking for so long, each for words that nobody asked for before."""
    numbers = itertools.count(first)
    latencies: list[float] = []
    faults: list[str] = []
    memory: list[float] = []
    taken = itertools.count()
    ends = time.monotonic() + seconds

    def ask() -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        while time.monotonic() < ends and next(taken) < most:
            number = next(numbers)
            if number >= n_words:
                break
            word = f"w{number}"
            began = time.perf_counter()
            try:
                connection.request("GET", f"/api/neighbours?word={word}&topn=10")
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                faults.append(repr(error))
                connection.close()
                continue
            took = time.perf_counter() - began
            if answer.status == 200 and len(json.loads(body)["columns"][0]["neighbours"]) == 10:
                latencies.append(took)
            else:
                faults.append(f"{answer.status}: {body[:100]!r}")
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(n_clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        memory.append(anonymous_mib(pid))
        threads[0].join(1)
        if not threads[0].is_alive():
            for thread in threads:
                thread.join()
    wall = time.monotonic() - began
    if next(numbers) > n_words:
        raise SystemExit(f"all {n_words:,} words were asked for before the time was over; give more --words")
    p50, p99 = [round(1000 * float(x), 1) for x in np.percentile(latencies, [50, 99])] if latencies else (None, None)
    tenths = np.array_split(memory, min(10, len(memory)))
    return {
        "requests": len(latencies),
        "requests_per_second": round(len(latencies) / wall, 1),
        "p50_ms": p50,
        "p99_ms": p99,
        "errors": len(faults),
        "fault": faults[0] if faults else None,
        "seconds": round(wall, 1),
        "memory_mib": {"tenths": [round(float(part.mean()), 1) for part in tenths], "peak": round(max(memory), 1)},
    }


def table(rows: list[Record]) -> str:
    lines = [
        "| clients | seconds | requests | requests/s | p50 ms | p99 ms | errors | MiB by tenths of the time | peak |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        memory = row["memory_mib"]
        p50, p99 = ("-" if row[name] is None else f"{row[name]:.1f}" for name in ("p50_ms", "p99_ms"))
        lines.append(
            f"| {row['settings']['clients']} | {row['seconds']:.0f} | {row['requests']:,} "
            f"| {row['requests_per_second']:,.1f} | {p50} | {p99} | {row['errors']} "
            f"| {' '.join(f'{mean:,.0f}' for mean in memory['tenths'])} | {memory['peak']:,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=30, help="of each number of clients")
    parser.add_argument("--minutes", type=float, default=10, help="of the long run; 0 leaves it out")
    parser.add_argument("--folder", type=Path, help="where the vectors are made, in a folder of their own")
    parser.add_argument("--commit", action="store_true", help="commit each row as it comes")
    parser.add_argument("--dry", action="store_true", help="record nothing")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="serve-", dir=given.folder))
    rows = []
    try:
        array = np.random.default_rng(SEED).standard_normal((given.words, DIM), dtype=np.float32)
        Vectors([f"w{row}" for row in range(given.words)], array, counts=range(given.words, 0, -1)).save(folder / "v")
        del array
        with serving(folder / "v") as (address, pid):
            asked(address, pid, 1, given.words, 60, WARM, 0)
            runs = [(n_clients, given.seconds, float(MOST_REQUESTS)) for n_clients in CLIENTS]
            runs += [(HELD_BY, 60 * given.minutes, float("inf"))] if given.minutes else []
            first = WARM
            for n_clients, seconds, most in runs:
                settings = {"clients": n_clients, "seconds": seconds, "words": given.words, "dim": DIM}

                def one(
                    n_clients: int = n_clients, seconds: float = seconds, most: float = most, first: int = first
                ) -> Record:
                    return asked(address, pid, n_clients, given.words, seconds, most, first)

                if given.dry:
                    row = one() | {"settings": settings}
                else:
                    row = recorded("serve", settings, SEED, one, commit=given.commit)
                first += int(row["requests"]) + int(row["errors"])
                rows.append(row)
                print({name: value for name, value in row.items() if name not in ("machine", "versions")}, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = (
        f"# Requests of the explorer\n\n`python benchmarks/serve.py`: `firth serve` shows {given.words:,} random "
        f"vectors of {DIM} dimensions; clients on the loopback ask for the 10 neighbours of a word, each request for "
        "another one, so that no answer was kept from before. A client asks when its last answer has come. An error is "
        "no answer, or any but 200 with ten neighbours; 503 would be one too. Memory is what is of no file; it grows "
        "until the answers that are kept take the 128 MiB that they may. Clients and server share the machine.\n\n"
        f"{table(rows)}\n\nMachine: {machine()}. Commit: {commit_of_checkout()}.\n"
    )
    print(text)
    if not given.dry:
        (RESULTS / "serve.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
