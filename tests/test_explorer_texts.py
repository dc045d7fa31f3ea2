"""The texts of the explorer's pages: each in every language, none without use, none missing."""

import json
import re
from pathlib import Path

import firth
from firth.explorer.security import _REFUSALS

FOLDER = Path(firth.__file__).parent / "explorer"
TEXTS = json.loads((FOLDER / "translations.json").read_text(encoding="utf-8"))
ASKED = re.compile(r"""\bsay\("([\w-]+)"|\bt\[["']([\w-]+)["']\]|_field\(t, "([\w-]+)\"""")
COMPOSED = re.compile("(nav|title|lead|api|log|honest|keys|doing|refused|fault)-")
FAULT = re.compile(r"""["'](fault-[a-z-]+)["']""")
STAGE = re.compile(r"""\.stage\("([^"]+)"\)""")


def asked() -> set[str]:
    files = [*(FOLDER / "static").glob("*.js"), *(FOLDER / "templates").glob("*.html")]
    return {next(filter(None, found)) for path in files for found in ASKED.findall(path.read_text(encoding="utf-8"))}


def test_every_text_is_there_in_every_language():
    assert asked() <= set(TEXTS["en"])
    assert {language: sorted(set(texts) ^ set(TEXTS["en"])) for language, texts in TEXTS.items()} == {
        "en": [],
        "zh": [],
    }


def test_every_language_fills_in_the_same_values():
    values = re.compile(r"\{\w+\}")
    for name, text in TEXTS["en"].items():
        assert sorted(values.findall(text)) == sorted(values.findall(TEXTS["zh"][name])), name


def test_the_page_has_words_for_whatever_is_being_done():
    files = [*FOLDER.glob("*.py"), *(FOLDER.parent / name for name in ("contextuality.py", "occurrences.py"))]
    stages = {"waiting"} | {name for path in files for name in STAGE.findall(path.read_text(encoding="utf-8"))}
    assert {f"doing-{name.replace(' ', '-')}" for name in stages} == {
        name for name in TEXTS["en"] if name.startswith("doing-")
    }


def test_every_refusal_has_its_words():
    due = {f"refused-{name}{part}" for name in _REFUSALS for part in ("", "-advice")}
    assert due == {name for name in TEXTS["en"] if name.startswith("refused-")}


def test_every_fault_has_its_words_and_none_is_left_over():
    files = [*FOLDER.glob("*.py"), *(FOLDER / "static").glob("*.js")]
    named = {name for path in files for name in FAULT.findall(path.read_text(encoding="utf-8"))}
    named = {name.removesuffix("-advice") for name in named}
    due = named | {f"{name}-advice" for name in named - {"fault-word"}}  # its advice are the spellings
    assert due == {name for name in TEXTS["en"] if name.startswith("fault-")}


def test_no_text_is_left_over():
    measures = {name for name in TEXTS["en"] if "_" in name} | {"anisotropy"}  # named by the answers
    assert {name for name in TEXTS["en"] if not COMPOSED.match(name)} - measures - asked() == set()


def test_no_script_of_the_page_takes_markup():
    for path in (FOLDER / "static").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        for forbidden in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "http:",
        ):
            assert forbidden not in text.replace('"http://www.w3.org/2000/svg"', ""), (path.name, forbidden)


def test_no_template_leaves_anything_unescaped():
    for path in (FOLDER / "templates").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "|safe" not in text.replace(" ", ""), path.name
        assert not re.search(r"<script>|\son\w+=|style=", text), path.name
