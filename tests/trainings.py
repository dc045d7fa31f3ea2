"""A training as a comparison asks a process of its own for one."""

from pathlib import Path
from typing import Any

from firth.families.family import settings
from firth.families.skipgram import Skipgram
from firth.preparation import Preparation

TEXT = [f"the {one} and the {other} eat grass" for one in ("cat", "dog", "cow") for other in ("hen", "pig")] * 60


def job(tmp_path: Path, **given: Any) -> dict[str, Any]:
    """It, of a small text."""
    text = tmp_path / "training.txt"
    if not text.is_file():
        text.write_text("\n".join(TEXT), encoding="utf-8")
    return {
        "work": "train", "sizes": [settings(Skipgram(dim=8))], "seed": 1, "threads": 1, "device": None, "quiet": True,
        "cache_dir": str(tmp_path / "cache"), "preparation": Preparation(cased=False).settings(), "counts": "training",
        "training": str(text), "output": str(tmp_path / "model"), "curve": None, "minutes": None, "epochs": 1.0,
        "words": None,
    } | given  # fmt: skip
