"""Text in blocks of whole lines, long lines in stretches that depend on nothing but the line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firth import stretches

TEXT = st.text("ab今天 .。-\n\u0301", max_size=120)


def cut(text: str, longest: int, block_characters: int | None = None, inner: str = "", n_pieces: int = 1) -> list[str]:
    """The blocks of a text that comes in so many pieces."""
    pieces = [text[len(text) * n // n_pieces : len(text) * (n + 1) // n_pieces] for n in range(n_pieces)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "LONGEST", longest)
        return list(stretches.blocks(pieces, block_characters or longest, inner))


def test_a_long_line_is_cut_behind_white_space() -> None:
    assert cut("one two three four\n", 10) == ["one two ", "three ", "four\n"]


def test_a_long_line_without_white_space_is_cut_behind_punctuation() -> None:
    assert cut("今天好，明天更好。后天\n", 6) == ["今天好，", "明天更好。", "后天\n"]


@pytest.mark.parametrize(
    ("text", "longest", "inner", "first"),
    [
        ("तक।हिन्दी", 8, "", "तक।"),
        ("(don't", 6, "", "("),
        ("(3.141", 6, "", "("),
        ("(a·b", 4, "", "("),
        ("（3：15", 5, "", "（"),
        ("(a@b", 4, "@", "("),
    ],
)
def test_it_is_cut_neither_behind_a_mark_nor_within_what_may_be_a_word(
    text: str, longest: int, inner: str, first: str
) -> None:
    assert cut(text + "x" * 99, longest, inner=inner)[0] == first


@given(TEXT, st.integers(1, 40), st.integers(1, 200), st.integers(1, 9))
def test_the_blocks_together_are_the_text_and_bounded(
    text: str, longest: int, block_characters: int, n_pieces: int
) -> None:
    blocks = cut(text, longest, block_characters, n_pieces=n_pieces)
    assert "".join(blocks) == text
    assert all(0 < len(block) <= max(longest, block_characters) for block in blocks)


@given(TEXT, st.integers(1, 40), st.integers(1, 200), st.integers(1, 200), st.integers(1, 9))
def test_stretches_depend_on_the_line_alone(text: str, longest: int, one: int, another: int, n_pieces: int) -> None:
    """Cut again, whatever the blocks were, the same stretches come out as of each line by itself."""

    def ends(blocks: list[str]) -> set[int]:
        found, place = set(), 0
        for block in blocks:
            for part in cut(block, longest, 1):
                place += len(part)
                found.add(place)
        return found

    by_line = [part for line in text.splitlines(keepends=True) for part in cut(line, longest, 1)]
    assert ends(cut(text, longest, one)) == ends(cut(text, longest, another, n_pieces=n_pieces)) == ends(by_line)
