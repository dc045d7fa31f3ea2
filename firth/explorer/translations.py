"""The texts of the pages in the reader's language."""

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

FOLDER: Final = Path(str(resources.files("firth") / "explorer"))
LANGUAGES: Final = ("en", "zh")
COOKIE: Final = "lang"


@cache
def texts(language: str) -> dict[str, str]:
    """The texts of a language by their names."""
    found: dict[str, str] = json.loads((FOLDER / "translations.json").read_text(encoding="utf-8"))[language]
    return found


def tag(language: str) -> str:
    """What HTML calls a language."""
    return "zh-Hans" if language == "zh" else language


def language(asked: str, remembered: str, accepted: str) -> str:
    """The language of a page: that asked for, that of the last time, or the first that the browser accepts.

    >>> language("", "", "fr;q=0.9, zh-CN, en;q=0.8")
    'zh'
    """
    for one in (asked, remembered):
        if one in LANGUAGES:
            return one
    weighted = []
    for place, part in enumerate(accepted[:1_000].split(",")):
        name, _, quality = part.strip().partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=")) if quality else 1.0
        except ValueError:
            weight = 0.0
        weighted.append((-weight, place, name.split("-")[0].lower()))
    return next((name for _, _, name in sorted(weighted) if name in LANGUAGES), "en")
