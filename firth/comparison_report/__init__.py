"""The report of a comparison: a page, the same numbers as CSV, pictures, and what a paper needs of it.

    answer(report)                  a short paragraph: which family for what, and what is a tie
    write(report, folder)           report.json, report.html, *.csv, figures/, tables.tex, methods.txt, references.bib

A report is what `firth compare` writes as report.json.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firth.comparison_report import figures, paper
from firth.comparison_report.answers import answer
from firth.comparison_report.language import LANGUAGES, speaker
from firth.comparison_report.page import to_html
from firth.comparison_report.pictures import pictured
from firth.comparison_report.reading import Comparison
from firth.comparison_report.sheets import write_sheets
from firth.errors import FirthError
from firth.files import replacing

__all__ = ["answer", "write"]


def write(report: Mapping[str, Any], folder: str | os.PathLike[str], lang: str = "en") -> tuple[list[Path], list[str]]:
    """The paths of the files of a report, written into a folder, the page's first; and what could not be made.

    What could not be made are sentences: figures where matplotlib is not installed, or a PNG for want of a font.

    Args:
        report: What `report.json` holds.
        folder: Files of these names in it are replaced.
        lang: `en` or `zh`: the language of the page.

    Raises:
        FirthError: the report lacks something that it cannot do without.
        UsageError: another language.
    """
    say = speaker(lang)
    found = Comparison.read(report)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths, notes = write_sheets(found, folder), []
    try:
        drawn = figures.draw(pictured(found, say), folder / "figures", say)
        paths += drawn.paths
        notes += drawn.notes
    except FirthError as error:
        notes.append(str(error))
    texts = {
        "report.json": json.dumps(report, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        "tables.tex": paper.latex(found, say),
        "methods.txt": paper.methods(found, say) + "\n",
        "references.bib": paper.bibtex(found),
    }
    names = [*texts, *(path.relative_to(folder).as_posix() for path in paths)]
    pages = {"report.html": to_html(found, say, LANGUAGES[lang], names)} | texts
    written = []
    for name, content in pages.items():
        with replacing(folder / name) as file:
            file.write(content)
        written.append(folder / name)
    return written + paths, notes
