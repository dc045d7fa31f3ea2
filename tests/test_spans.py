import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firth.spans import Span, scheme_of, spans


@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        (["O", "B-person", "I-person"], "BIO"),
        (["O", "I-PER", "B-PER"], "BIO"),
        (["O", "I-PER"], "BIO"),
        (["O", "B-A", "I-A", "E-A", "S-A"], "BIOES"),
        (["O", "B-A", "I-A", "L-A", "U-A"], "BIOES"),
        (["O", "B-NAME", "M-NAME", "E-NAME", "S-NAME"], "BMES"),
        (["B", "M", "E", "S"], "BMES"),
        (["B", "E", "S"], "BMES"),
        (["B", "I", "O"], "BIO"),
        (["B_X", "I_X", "O"], "BIO"),
        (["NOUN", "VERB", "X"], None),
        (["O"], None),
        (["O", "B-A", "NOUN"], None),
        (["S", "U"], None),
        ([], None),
    ],
)
def test_the_scheme_is_told_by_the_tags(tags: list[str], scheme: str | None) -> None:
    assert scheme_of(tags) == scheme


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O O", []),
        ("B-A I-A O B-B", [("A", 0, 2), ("B", 3, 4)]),
        ("B-A B-A I-A", [("A", 0, 1), ("A", 1, 3)]),
        ("I-A I-A O I-A", [("A", 0, 2), ("A", 3, 4)]),  # as conlleval reads what begins without B
        ("B-A I-B", [("A", 0, 1), ("B", 1, 2)]),
        ("S-A B-A M-A E-A S-A", [("A", 0, 1), ("A", 1, 4), ("A", 4, 5)]),
        ("B-A I-A E-A I-A", [("A", 0, 3), ("A", 3, 4)]),
        ("U-A B-B L-B", [("A", 0, 1), ("B", 1, 3)]),
        ("B M E S", [("", 0, 3), ("", 3, 4)]),
        ("E-A O M-A M-A", [("A", 0, 1), ("A", 2, 4)]),
        ("B-x-y I-x-y", [("x-y", 0, 2)]),
        ("NOUN B-A", [("A", 1, 2)]),
    ],
)
def test_entities_of_tags(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert spans(tags.split()) == [Span(*span) for span in expected]


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from(["", "A", "B"]), st.integers(1, 4)), max_size=6),
    st.sampled_from(["BIO", "BIOES", "BMES"]),
)
def test_what_is_written_in_a_scheme_is_read_again(parts: list[tuple[str, int]], scheme: str) -> None:
    inside, end, single = {"BIO": "IIB", "BIOES": "IES", "BMES": "MES"}[scheme]
    tags: list[str] = []
    expected = []
    for label, length in parts:
        if not label:
            tags += ["O"] * length
            continue
        expected.append(Span(label, len(tags), len(tags) + length))
        letters = single if length == 1 else "B" + inside * (length - 2) + end
        tags += [f"{letter}-{label}" for letter in letters]
    assert spans(tags) == expected
