"""Runs that are recorded: one JSON line each, appended as it ends, and skipped when it stands there already."""

import hashlib
import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"
SHARED = Path(os.environ.get("FIRTH_SHARED", ROOT / ".." / "shared"))
EVALUATION = SHARED / "data" / "eval"
CODE: Final = (".", ":(exclude)results")
"""For git: what decides on a result. A run that is recorded changes the others."""

Record = dict[str, Any]


class Measured(NamedTuple):
    """What a child process took, and what it printed on standard output."""

    output: str
    wall_seconds: float
    peak_anonymous_mib: float


def anonymous_mib(process_id: int, field: str = "Anonymous") -> float:
    """The anonymous memory of a process, by a field of its smaps_rollup (Linux); 0 if it is no more."""
    try:
        rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(f"{field}:")) / 1024


def run_measured(command: Sequence[str | Path], memory_mib: Callable[[int], float] = anonymous_mib) -> Measured:
    """Runs a command; `memory_mib` tells the memory of the process by its number, and is asked five times a second."""
    peak = 0.0
    began = time.monotonic()
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True) as child:
        ended = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not ended.wait(0.2):
                peak = max(peak, memory_mib(child.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        output, _ = child.communicate()
        wall_seconds = time.monotonic() - began
        ended.set()
        watcher.join()
    if child.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed with status {child.returncode}")
    return Measured(output, round(wall_seconds, 2), round(peak, 1))


def found(name: str, settings: Mapping[str, Any], seed: int) -> Record | None:
    """The record of a run with these settings and this seed in results/<name>.jsonl; None where it is not there."""
    path = RESULTS / f"{name}.jsonl"
    key = _key(settings)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        record: Record = json.loads(line)
        if record["settings_hash"] == key and record["seed"] == seed:
            return record
    return None


def recorded(name: str, settings: Mapping[str, Any], seed: int, run: Callable[[], Record], *, commit: bool) -> Record:
    """The record of a run with these settings and this seed in results/<name>.jsonl; run now where it is not there."""
    if (there := found(name, settings, seed)) is not None:
        return there
    path = RESULTS / f"{name}.jsonl"
    print(f"{datetime.now(UTC):%H:%M:%S} {name}: {dict(settings)}, seed {seed}", file=sys.stderr, flush=True)
    record = {
        "settings_hash": _key(settings),
        "settings": dict(settings),
        "seed": seed,
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%MZ}",
        "commit": commit_of_checkout(),
        "machine": machine(),
    } | run()
    RESULTS.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")
    if commit:
        committed(f"results/{name}: a run", path)
    return record


def committed(message: str, *paths: Path) -> None:
    """Commits these alone, where they changed."""
    names = [str(path) for path in paths]
    _git("add", "-f", "--", *names)
    if _git("diff", "--cached", "--name-only", "--", *names):
        _git("commit", "--quiet", "-m", message, "--", *names)


def commit_of_checkout() -> str | None:
    """The code's state, where git knows it: the last commit that changed it, `-dirty` where it has changed since."""
    commit = _commit_of_code("HEAD")
    changed = commit and _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
    return f"{commit}-dirty" if changed else commit


def commits_of(records: Iterable[Mapping[str, Any]]) -> str:
    """The states of the code that these were recorded at, each once, however many runs were committed in between."""
    found = set()
    for commit in {str(record["commit"]) for record in records}:
        name, dirty, _ = commit.partition("-dirty")
        found.add((_commit_of_code(name) or name) + dirty)
    return ", ".join(sorted(found)) or "none"


def machine() -> str:
    """Processor, cores, Python: enough to know whether two figures may be compared."""
    model = platform.processor() or platform.machine()
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text()
        facts = dict(line.split(":", 1) for line in cpuinfo.split("\n\n")[0].splitlines() if ":" in line)
        facts = {name.strip(): value.strip() for name, value in facts.items()}
        model = f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']})"
    except (OSError, KeyError):
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _key(settings: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=6).hexdigest()


def _commit_of_code(commit: str) -> str | None:
    """The last commit up to this one that changed the code; None where git does not know it."""
    try:
        return _git("log", "-1", "--format=%h", "--abbrev=12", commit, "--", *CODE) or None
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()
