"""What the tests of the command line share: commands that are run, small vectors, what is read of the output."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firth.segmentation import Segmentation
from firth.vectors import Vectors

Run = Callable[..., tuple[int, str, str]]

ENGLISH = ["king", "queen", "man", "woman", "paris"]


def vectors_of(words: Sequence[str], method: str = "words", n_layers: int = 1) -> Vectors:
    array = np.random.default_rng(1).standard_normal((n_layers, len(words), 8), dtype=np.float32)
    segmentation = Segmentation(method=method)  # type: ignore[arg-type]
    return Vectors(words, array, counts=range(len(words), 0, -1), segmentation=segmentation)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in an empty directory: its status, and what it wrote to stdout and stderr."""
    from firth import cli  # which not every test needs

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        status = cli.main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def english(tmp_path: Path) -> Path:
    vectors_of(ENGLISH).save(tmp_path / "english")
    return tmp_path / "english"


def lines(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def process(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "firth", *map(str, arguments)], capture_output=True, check=False, **options
    )
