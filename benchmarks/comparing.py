"""Programs beside each other: their runs of each seed in turn, and the table of their means."""

import argparse
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from recording import Record, commits_of, machine, recorded

Runs = dict[str, list[Record]]
Row = tuple[str, Callable[[str], str]]
"""A row's name, and what stands in it of a program."""


def alternately(
    name: str,
    programs: Sequence[str],
    seeds: Sequence[int],
    told: Mapping[str, Any],
    run: Callable[[str, int], Record],
    *,
    commit: bool,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> Runs:
    """Each program's records over the seeds, in results/<name>.jsonl.

    `told` are the settings of all, `changes` those in which a program differs.
    """
    runs: Runs = {program: [] for program in programs}
    for seed in seeds:
        for program, records in runs.items():
            settings = {**told, **(changes or {}).get(program, {}), "program": program}
            records.append(recorded(name, settings, seed, partial(run, program, seed), commit=commit))
    return runs


def mean(runs: Runs, name: str, program: str) -> float:
    """Over a program's runs; 0 of what a program does not have."""
    return float(statistics.mean(record.get(name, 0.0) for record in runs[program]))


def number(runs: Runs, name: str, layout: str, program: str) -> str:
    """A mean as `layout` writes it; nothing of what a program does not have."""
    return format(mean(runs, name, program), layout) if any(name in record for record in runs[program]) else ""


def spread(runs: Runs, name: str, program: str) -> str:
    """The mean of a score, with the lowest and the highest; nothing of what a program does not have."""
    values = [record[name] for record in runs[program] if name in record]
    if not values:
        return ""
    return f"{statistics.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def table(runs: Runs, rows: Sequence[Row]) -> list[str]:
    """The lines of a table in Markdown, a column for each program."""
    lines = [f"| | {' | '.join(runs)} |", "|---" * (len(runs) + 1) + "|"]
    return lines + [f"| {name} | {' | '.join(show(program) for program in runs)} |" for name, show in rows]


def account(command: str, n_words: int, settings: Mapping[str, Any], seeds: Sequence[int], name: str) -> str:
    """How a table came about, in a paragraph."""
    told = ", ".join(f"{setting} {value}" for setting, value in settings.items())
    return (
        f"`{command}`: {n_words:,} words; {told}; means of seeds {', '.join(map(str, seeds))} (lowest to highest). "
        f"Every run: `{name}.jsonl`."
    )


def origin(*all_runs: Runs) -> str:
    """The machine, and the states of the code that were run."""
    records = [record for runs in all_runs for program, of in runs.items() if "firth" in program for record in of]
    return f"Machine: {machine()}. Commits: {commits_of(records)}."


def check_files(**paths: Path | None) -> None:
    """Ends the program where a file that an option names is not there."""
    for name, path in paths.items():
        if path is None or not path.is_file():
            raise SystemExit(f"--{name} {path}: no such file")


def asked(about: str | None, n_bytes: int) -> argparse.Namespace:
    """What the command line says to a script that runs on the beginning of one corpus."""
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--bytes", type=int, default=n_bytes, help="how much of it is used; less, to try the script")
    parser.add_argument("--dry", action="store_true", help="one run of each, which is printed and not recorded")
    parser.add_argument("--commit", action="store_true", help="commit each run")
    return parser.parse_args()
