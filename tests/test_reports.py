import dataclasses
import random
from pathlib import Path

import pytest
from test_inspection import Write, inspected, write  # noqa: F401 - a fixture
from test_layout import english, english_sentence

from firth.findings import Finding, PiecesPace
from firth.reports import duration, report


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.1, "1 s"), (59, "59 s"), (90, "2 min"), (3599, "60 min"), (5400, "1.5 h"), (864_000, "10 days")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_it_tells_all_and_ends_with_the_command(write: Write) -> None:  # noqa: F811
    lines = english(40)
    rng = random.Random(3)
    found = inspected(write("\n".join([*lines, lines[0], english_sentence(rng)]).encode() + b"\xff"))
    told = report(found)
    text = "\n".join(told)
    for value in (f"{found.n_tokens:,}", f"{found.n_types:,}", "Latin 100.0%", "1 line ", "cbow", "1 thread"):
        assert value in text
    assert found.first_invalid[0] in text
    assert "--encoding-errors replace" in text
    assert told[-1] == found.command


def test_it_shows_no_control_characters(write: Write) -> None:  # noqa: F811
    found = inspected(write("\n".join(["\x1b[31m \x1b x" * 3, *english(40)])), segment="space")
    assert "\x1b" not in "\n".join(report(found))


def test_what_a_finding_names_is_said_once(write: Write) -> None:  # noqa: F811
    found = dataclasses.replace(
        inspected(write("\n".join(english(40)))),
        findings=(Finding("--a b mends it", "--a b"), Finding("it is broken", "--c d")),
    )
    assert {"- --a b mends it", "- it is broken: --c d"} <= set(report(found))


def test_what_was_told_from_a_share_is_about(write: Write) -> None:  # noqa: F811
    found = inspected(write("\n".join(english(40) + english(4))))
    assert any(line.startswith("duplicates     4 lines") for line in report(found))
    found = dataclasses.replace(found, are_duplicates_exact=False)
    assert any(line.startswith("duplicates     about 4 lines") for line in report(found))


def test_families_that_read_pieces(write: Write) -> None:  # noqa: F811
    found = dataclasses.replace(
        inspected(write("\n".join(english(40)))),
        pieces_paces={
            "gpt": PiecesPace("mini", 5000.0, 1_512_345, 302.0, 10.0, 1.984),
            "bert": PiecesPace("tiny", 10.0, 123_456, 12_345.6, 10.0, 0.0486),
        },
        unmeasured={"elmo": "it is not there", "other": "it is not there"},
    )
    gpt, bert, others = report(found)[-5:-2]
    assert gpt.startswith(
        "- gpt: size mini, 5,000 pieces/s; one pass over about 1.5 M pieces in about 5 min; 2.0 passes"
    )
    assert bert.startswith(
        "- bert: size tiny, 10 pieces/s; one pass over about 120,000 pieces in about 3.4 h; 5% of it"
    )
    assert others == "- elmo, other: not measured: it is not there"


def test_a_family_that_could_not_be_measured_is_no_failure(
    write: Write,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from firth import inspection

    monkeypatch.setattr(inspection, "pieces_paces", lambda *given: ({}, {"gpt": "no torch", "bert": "no torch"}))
    found = inspected(write("\n".join(english(40))))
    assert "- gpt, bert: not measured: no torch" in report(found)
    assert found.settings()["unmeasured"] == {"gpt": "no torch", "bert": "no torch"}
    assert found.findings == ()


def test_a_name_is_told_as_it_is(write: Write, tmp_path: Path) -> None:  # noqa: F811
    found = inspected(write("\n".join(english(40)), "a b.txt"))
    assert report(found)[0].startswith(f"corpus         {tmp_path / 'a b.txt'} (")
