from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth.division import divide, lines_of
from firth.errors import FirthError
from firth.preparation import Preparation

DOCUMENTS = [[f"document {number} has a first line", f"and {number} a second"] for number in range(60)]


def text_of(documents: list[list[str]]) -> list[str]:
    return [line for document in documents for line in [*document, ""]]


def documents_in(path: Path) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines_of(path):
        if line:
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [document for document in found if document]


def test_every_document_is_in_one_of_the_two_files_whole_and_in_order(tmp_path: Path) -> None:
    division = divide(text_of(DOCUMENTS), Preparation(), tmp_path / "text")
    training, held_out = documents_in(division.training), documents_in(division.held_out)
    assert held_out
    assert sorted(training + held_out) == sorted(DOCUMENTS)
    assert training == [document for document in DOCUMENTS if document in training]
    assert (division.n_documents, division.n_held_out_documents) == (60, len(held_out))


def test_a_tenth_is_held_out_of_a_small_text(tmp_path: Path) -> None:
    division = divide(text_of(DOCUMENTS), Preparation(), tmp_path / "text")
    assert 0.05 < division.n_held_out_bytes / division.n_bytes < 0.2


def test_the_seed_decides_what_is_held_out(tmp_path: Path) -> None:
    held_out = [
        documents_in(divide(text_of(DOCUMENTS), Preparation(), tmp_path / name, seed=seed).held_out)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    ]
    assert held_out[0] == held_out[1] != held_out[2]


def test_what_stands_there_is_not_read_again(tmp_path: Path) -> None:
    first = divide(text_of(DOCUMENTS), Preparation(), tmp_path / "text")
    assert divide(["something else"], Preparation(), tmp_path / "text") == first


def test_of_one_document_the_end_is_held_out_from_a_line_on(tmp_path: Path) -> None:
    lines = [f"line {number} of the only document" for number in range(200)]
    division = divide(lines, Preparation(), tmp_path / "text")
    (training,), (held_out,) = documents_in(division.training), documents_in(division.held_out)
    assert training + held_out == lines
    assert 5 < len(held_out) < 40


def test_of_one_line_nothing_is_held_out(tmp_path: Path) -> None:
    division = divide(["one line alone"], Preparation(), tmp_path / "text")
    assert documents_in(division.training) == [["one line alone"]]
    assert division.n_held_out_bytes == division.n_held_out_documents == 0


def test_ready_words_are_parted_by_spaces_ever_after(tmp_path: Path) -> None:
    division = divide([["New_York", "is", "large"], [], ["so", "it", "is"]] * 5, Preparation(), tmp_path / "text")
    assert division.has_ready_words
    assert division.preparation(Preparation()).segment == "space"
    assert "New_York is large" in set(lines_of(division.training)) | set(lines_of(division.held_out))


def test_files_are_read_as_asked_and_then_plain(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"body": "first <b>text</b>"}\n{"body": "second"}\n' * 9, encoding="utf-8")
    asked = Preparation(field="body", drop=("html",), cased=True)
    division = divide(tmp_path / "a.jsonl", asked, tmp_path / "text")
    after = division.preparation(asked)
    assert {"first text", "second"} >= {line.strip() for line in lines_of(division.training) if line}
    assert (after.field, after.drop, after.cased, after.layout) == (None, (), True, "lines")


def test_a_text_without_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FirthError, match="no text"):
        divide(["", "  "], Preparation(), tmp_path / "text")


@given(
    documents=st.lists(
        st.lists(st.text("ab字é ", min_size=1, max_size=8).filter(lambda line: line.strip() == line and bool(line)),
                 min_size=1, max_size=4),
        min_size=1, max_size=30,
    )
)  # fmt: skip
def test_no_line_is_lost_or_doubled(tmp_path_factory: pytest.TempPathFactory, documents: list[list[str]]) -> None:
    division = divide(text_of(documents), Preparation(), tmp_path_factory.mktemp("text") / "text")
    lines = [line for path in (division.training, division.held_out) for line in lines_of(path) if line]
    assert sorted(lines) == sorted(line for document in documents for line in document)


def test_a_short_preface_is_not_all_that_is_held_out(tmp_path: Path) -> None:
    books = [[f"line {line} of book {number}, which is long enough" for line in range(300)] for number in range(20)]
    for name, documents in (("first", [["a preface"], *books]), ("last", [*books, ["a preface"]])):
        division = divide(text_of(documents), Preparation(), tmp_path / name)
        assert division.n_held_out_bytes > 0.02 * division.n_bytes
        lines = [line for path in (division.training, division.held_out) for line in lines_of(path) if line]
        assert sorted(lines) == sorted(line for document in documents for line in document)


def test_duplicates_are_dropped_before_the_division(tmp_path: Path) -> None:
    for drop, n_lines in (("documents", 120), ("lines", 120)):
        asked = Preparation(drop_duplicates=drop)  # type: ignore[arg-type]
        division = divide(text_of(3 * DOCUMENTS), asked, tmp_path / drop)
        lines = [line for path in (division.training, division.held_out) for line in lines_of(path) if line]
        assert len(lines) == len(set(lines)) == n_lines
        assert division.n_documents == 60


def test_a_corpus_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FirthError):
        divide(tmp_path / "mistyped.txt", Preparation(), tmp_path / "text")
    assert not (tmp_path / "text").exists()
