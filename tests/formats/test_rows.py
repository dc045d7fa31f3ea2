import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from firth.formats import rows
from firth.formats.rows import Rows, first_of_each, not_finite

ARRAY = np.arange(10, dtype=np.float32).reshape(5, 2)
WORDS = list("abcde")


def test_rows_go_by_blocks_and_come_back(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK_ROWS", 2)
    blocks = list(Rows.of(WORDS, ARRAY).blocks)
    assert [list(words) for words, _ in blocks] == [["a", "b"], ["c", "d"], ["e"]]
    words, array, repeated = Rows.of(WORDS, ARRAY).collected()
    assert (words, repeated) == (WORDS, [])
    np.testing.assert_array_equal(array, ARRAY)


@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), max_size=5))
def test_of_each_word_the_first_row_is_kept(blocks):
    flat = [word for words in blocks for word in words]
    array = np.arange(len(flat), dtype=np.float32)[:, np.newaxis]
    edges = np.cumsum([0, *map(len, blocks)])
    given_rows = [(words, array[start:stop]) for words, start, stop in zip(blocks, edges, edges[1:], strict=False)]
    repeated = []
    kept = [
        (word, int(row[0]))
        for words, block in first_of_each(given_rows, repeated)
        for word, row in zip(words, block, strict=True)
    ]
    assert kept == [(word, flat.index(word)) for word in dict.fromkeys(flat)]
    assert sorted(repeated + list(dict.fromkeys(flat))) == sorted(flat)


def test_the_first_row_that_is_not_finite():
    assert not_finite(ARRAY) is None
    for bad in (np.nan, np.inf, -np.inf):
        array = ARRAY.copy()
        array[3, 1] = array[4, 0] = bad
        assert not_finite(array) == 3
