"""Numbers of words; what else readers do is tested with `extract`."""

import numpy as np
import pytest

from firth import readers
from firth.readers import Numbers, fingerprint_of_vectors
from firth.vectors import Vectors


def test_words_have_numbers_and_numbers_words():
    numbers = Numbers(2, str.upper)
    assert numbers.of(["a", "b", "a"]) == [2, 3, 2]
    assert numbers.of([]) == []
    assert numbers.words([3, 2, 3]) == ["B", "A", "B"]


def test_words_that_come_again_keep_their_numbers_and_others_are_forgotten(monkeypatch):
    monkeypatch.setattr(readers, "MOST_REMEMBERED", 2)
    numbers = Numbers(0)
    (kept, lost), last = numbers.of(["kept", "lost"]), ""
    for number in range(20):
        last = f"word{number}"
        of_last = numbers.of(["kept", last])[1]
        numbers.forget()
        assert numbers.words([kept, of_last]) == ["kept", last]  # what came last is there still
        assert len(numbers._number_of) + len(numbers._older_number_of) < 10
    assert numbers.of(["kept"]) == [kept]
    (again,) = numbers.of(["lost"])
    assert again > lost
    with pytest.raises(KeyError):
        numbers.words([lost])


def test_a_digest_is_of_every_number_and_every_word():
    array = np.zeros((1, 3000, 4), np.float32)
    words = [f"w{number}" for number in range(3000)]
    digests = [fingerprint_of_vectors(Vectors(words, array))]
    changed = array.copy()
    changed[0, 1234, 3] = 1  # as training with a task moves few
    digests += [fingerprint_of_vectors(Vectors(words, changed)), fingerprint_of_vectors(Vectors(words[::-1], array))]
    assert len(set(digests)) == 3
    assert fingerprint_of_vectors(Vectors(words, array.copy())) == digests[0]
