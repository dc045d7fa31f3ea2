"""What a comparison writes down of its work: a line of JSON for each piece, and in files beside it the items of scores.

Both outlive the models: what stands here is not done again, and is all that a report is made of.
"""

import hashlib
import json
import os
import platform
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firth.errors import FirthError
from firth.files import printable, replacing

RECORDS: Final = "records.jsonl"
ITEMS: Final = "items"
"""The folder of the files of items."""
FORMAT: Final = 2
"""Of what is written down; a comparison of another one is not gone on with."""
LONGEST_NAME: Final = 120  # bytes of a file's name, without its ending
_NAMES: Final = "names"
_MOST_SMALL: Final = 127

ItemName = tuple[str | int | None, ...]


class Records:
    """What has been done, a line of JSON for each piece of work: it is not done again."""

    def __init__(self, path: Path) -> None:
        """What stands in the file, if there is one."""
        self.path = path
        self.found: dict[str, dict[str, Any]] = {}
        if path.is_file():
            for line in path.read_bytes().split(b"\n"):  # as bytes: what was broken off may end within a character
                try:
                    one = json.loads(line)
                except ValueError:  # the last line of a process that was killed
                    continue
                self.found[self.key(one["work"], one["variant"], one["seed"], one["of"])] = one

    @staticmethod
    def key(work: str, variant: str, seed: int, of: str = "") -> str:
        """By what a piece of work is known."""
        return json.dumps([work, variant, seed, of])

    def get(self, work: str, variant: str, seed: int, of: str = "") -> dict[str, Any] | None:
        """What came of a piece of work; None of one that is to be done, or done again since it failed."""
        return self.found.get(self.key(work, variant, seed, of))

    def ok(self, work: str, variant: str, seed: int, of: str = "") -> dict[str, Any] | None:
        """What was found by a piece of work that ended well; None of others."""
        return (self.get(work, variant, seed, of) or {}).get("ok")

    def add(self, work: str, variant: str, seed: int, of: str, outcome: Mapping[str, Any]) -> dict[str, Any]:
        """Writes down what came of it."""
        one = {"work": work, "variant": variant, "seed": seed, "of": of, **outcome}
        broken = self.path.is_file() and not self.path.read_bytes().endswith(b"\n")  # of a process that was killed
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if broken else "") + json.dumps(one, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.found[self.key(work, variant, seed, of)] = one
        return one

    def forget(self, variant: str, seed: int) -> None:
        """Has all work on a variant with a seed done again: what was found of a model says nothing of another one."""
        for one in [*self.found.values()]:
            if (one["variant"], one["seed"]) == (variant, seed) and one["work"] != "try":
                self.add(one["work"], variant, seed, one["of"], {"again": True})


def is_final(outcome: Mapping[str, Any] | None) -> bool:
    """Whether a piece of work is done with: it ended well, or the text or the budget leaves it out."""
    return outcome is not None and ("ok" in outcome or "left_out" in outcome)


# --- items


def items_path(folder: Path, work: str, variant: str, seed: int, of: str = "") -> Path:
    """Where the items lie that a piece of work found."""
    return folder / ITEMS / f"{safe('-'.join(part for part in (work, variant, str(seed), of) if part))}.npz"


def write_items(path: Path, items: Mapping[ItemName, ArrayLike]) -> None:
    """Writes arrays and their names into a compressed file of NumPy's; of floats, single precision."""
    arrays: dict[str, Any] = {str(number): _compact(array) for number, array in enumerate(items.values())}
    arrays[_NAMES] = np.array([json.dumps(name, ensure_ascii=False) for name in items], np.str_)
    path.parent.mkdir(exist_ok=True)
    with replacing(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def read_items(path: Path) -> dict[ItemName, NDArray[np.float64]]:
    """The arrays of a file by their names.

    Raises:
        FirthError: it is missing or damaged.
    """
    shown = printable(str(path))
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = [tuple(json.loads(name)) for name in file[_NAMES].tolist()]
            return {name: _numbers(file[str(number)]) for number, name in enumerate(names)}
    except FileNotFoundError:
        raise FirthError(
            f"{shown} is missing, of which scores are made: put it back, or begin the comparison anew"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FirthError(f"{shown} is damaged: {printable(str(error))}") from None


def _compact(items: ArrayLike) -> NDArray[Any]:
    """Small whole numbers as bytes, -1 where there is none; else single precision."""
    numbers = np.asarray(items, np.float64)
    whole = np.where(np.isnan(numbers), -1.0, numbers)
    if np.isin(whole, np.arange(-1, _MOST_SMALL + 1)).all() and not (numbers == -1).any():
        return whole.astype(np.int8)
    return numbers.astype(np.float32)


def _numbers(stored: NDArray[Any]) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = stored.astype(np.float64)
    return np.where(numbers < 0, np.nan, numbers) if stored.dtype == np.int8 else numbers


def digest(*parts: Any) -> str:
    """A hash of values of JSON."""
    return hashlib.blake2b(json.dumps(parts, ensure_ascii=False).encode("utf-8", "replace"), digest_size=12).hexdigest()


def safe(name: str) -> str:
    """A name for a file: other than letters, digits and some signs are underscores.

    Of one that is too long for some systems, the end is a digest, so that names that begin alike stay apart.
    """
    made = "".join(char if char.isalnum() or char in ".=+-_" else "_" for char in name)
    if len(made.encode()) <= LONGEST_NAME:
        return made
    ending = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{made.encode()[: LONGEST_NAME - 13].decode(errors='ignore')}-{ending}"


def machine() -> str:
    """Processor, cores and system: enough to know whether two figures may be compared."""
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        facts = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
        model = {name.strip(): value.strip() for name, value in facts.items()}["model name"]
    except (OSError, KeyError):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
