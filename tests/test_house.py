"""What holds of the package as a whole: what imports what, how quickly, with what missing."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import firth

ROOT = Path(firth.__file__).parent.parent


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.parametrize("code", ["import firth", "from firth.cli import main; main(['--help'])"])
def test_starting_loads_nothing_heavy(code):
    loaded = run(f"{code}\nimport sys; print(); print(*sys.modules)").splitlines()[-1].split()
    assert not {"numba", "torch", "scipy", "numpy"} & set(loaded)


def test_torch_is_not_needed_to_train(tmp_path):
    (tmp_path / "text.txt").write_text("one two three\ntwo three one\n" * 5, encoding="utf-8")
    arguments = ["train", "skipgram", str(tmp_path / "text.txt"), "-o", str(tmp_path / "model"), "--quiet"]
    arguments += ["--dim=8", "--window=3", "--min-count=1", "--epochs=1", "--sample=0"]
    code = "import sys; sys.modules['torch'] = None\nfrom firth.cli import main\nsys.exit(main(sys.argv[1:]))"
    run(code, *arguments)
    assert len(firth.load(tmp_path / "model").vocabulary) == 3


@pytest.mark.parametrize("name", firth.__all__)
def test_public_names_resolve_and_are_typed(name):
    assert getattr(firth, name).__doc__
    assert f" {name} as {name}" in (ROOT / "firth" / "__init__.pyi").read_text(encoding="utf-8")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Word2Vec"):
        firth.Word2Vec  # noqa: B018
    assert set(firth.__all__) < set(dir(firth))


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == firth.__version__ == importlib.metadata.version("firth")


@pytest.mark.parametrize("name", ["pickle", "joblib", "marshal", "shelve", "dill", "torch.load", "eval(", "exec("])
def test_nothing_that_is_read_is_executed(name):
    for path in (ROOT / "firth").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert f"import {name}" not in text, path
        assert f" {name}" not in text or not name.endswith("("), path
