import csv
import io
import string

from hypothesis import given
from hypothesis import strategies as st
from invented_comparison import hostile, invented

from firth.comparison_report.reading import Comparison
from firth.comparison_report.sheets import sheet, sheets


def cells(content: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.removeprefix("\ufeff"))))


def test_every_score_has_its_row() -> None:
    report = invented()
    found = sheets(Comparison.read(report))
    rows = list(csv.DictReader(io.StringIO(found["scores.csv"])))
    assert len(rows) == len(report["scores"])
    assert float(rows[0]["score"]) == report["scores"][0]["score"]
    assert len(cells(found["runs.csv"])) == len(report["runs"]) + 1
    assert {"scores.csv", "runs.csv", "differences.csv", "coverage.csv", "curves.csv", "neighbours.csv"} == set(found)


def test_spreadsheets_know_chinese() -> None:
    assert sheets(Comparison.read(invented("zh")))["neighbours.csv"].startswith("\ufeff")
    assert not sheets(Comparison.read(invented()))["runs.csv"].startswith("\ufeff")


def is_formula(cell: str) -> bool:
    """Whether a spreadsheet computes it: numbers too begin with - or +."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def test_no_cell_of_hostile_words_is_a_formula() -> None:
    for content in sheets(Comparison.read(hostile())).values():
        assert not any(is_formula(cell) for row in cells(content) for cell in row)


@given(
    st.lists(st.text(st.sampled_from(string.printable + "，\u202e＝"), max_size=9), min_size=1, max_size=4), st.floats()
)
def test_text_never_becomes_a_formula_and_numbers_stay(words: list[str], value: float) -> None:
    found = cells(sheet([{"word": word, "=value": value} for word in words]))
    assert found[0] == ["word", "'=value"]
    for row, word in zip(found[1:], words, strict=True):
        assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
        assert row[1] == repr(value)
        if word.isalnum():
            assert row[0] == word
