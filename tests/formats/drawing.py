"""Words and vectors that Hypothesis draws, for the readers and writers of every format."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def words_and_arrays(draw: Any, without: str = "", least_dim: int = 1) -> tuple[list[str], NDArray[np.float32]]:
    """Different words without the characters `without`, and a float32 array (word, dim) for them."""
    characters = st.characters(exclude_categories=["Cs"], exclude_characters=without)
    words = draw(st.lists(st.text(characters, min_size=1, max_size=6), min_size=1, max_size=6, unique=True))
    shape = (len(words), draw(st.integers(least_dim, 5)))
    return words, draw(hnp.arrays(np.float32, shape, elements=FINITE))
