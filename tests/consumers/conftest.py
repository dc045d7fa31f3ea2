"""What runs the programs that open firth's files: the Python of an environment of their own.

`make test-all` builds it in .venv-consumers from requirements.txt here, and names its Python in FIRTH_CONSUMERS. What
opens ELMo's files, TensorFlow for one, has another: .venv-elmo, requirements-elmo.txt, FIRTH_ELMO_CONSUMERS. A test
that wants a package which is not there is skipped. Every test here is slow.
"""

import json
import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("FIRTH_CONSUMERS", ROOT / ".venv-consumers" / "bin" / "python"))
PYTHON_OF_ELMO = Path(os.environ.get("FIRTH_ELMO_CONSUMERS", ROOT / ".venv-elmo" / "bin" / "python"))
OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

Consume = Callable[..., Any]


@cache
def is_there(package: str, python: Path = PYTHON) -> bool:
    """Whether the consumers' environment has a package."""
    if not python.is_file():
        return False
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0


@pytest.fixture
def consume() -> Consume:
    """A call `consume(package, code, *arguments)`: what `code` prints last, as JSON, run where `package` is.

    The arguments are `sys.argv[1:]` of the code. Where the package is missing the test is skipped.
    """
    return consumed_by(PYTHON)


@pytest.fixture
def consume_elmo() -> Consume:
    """The same where the programs are that open ELMo's files."""
    return consumed_by(PYTHON_OF_ELMO)


def consumed_by(python: Path) -> Consume:
    """`consume`, run by a Python."""

    def run(package: str, code: str, *arguments: object) -> Any:
        if not is_there(package, python):
            pytest.skip(f"{package} is not in the consumers' environment ({python}): make test-all")
        command = [str(python), "-c", code, *map(str, arguments)]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=300, env=os.environ | OFFLINE
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
