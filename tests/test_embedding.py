"""Vectors as a layer of PyTorch."""

import numpy as np
import pytest

import firth
from firth.segmentation import Segmentation

torch = pytest.importorskip("torch")

WORDS = ["the", "king", "queen", "开心"]
MATRIX = np.arange(12, dtype=np.float32).reshape(4, 3)


@pytest.fixture
def vectors():
    return firth.Vectors(WORDS, MATRIX, segmentation=Segmentation(method="words"))


def test_a_one_hot_row_times_the_weight_is_the_lookup(vectors):
    embedding, rows = vectors.to_embedding()
    for word in WORDS:
        one_hot = torch.nn.functional.one_hot(torch.tensor(rows[word]), embedding.num_embeddings).float()
        torch.testing.assert_close(one_hot @ embedding.weight, embedding(torch.tensor(rows[word])), rtol=0, atol=0)
        np.testing.assert_array_equal(embedding(torch.tensor(rows[word])).numpy(), vectors[word])


def test_rows_for_padding_and_unknown_words_stand_first(vectors):
    embedding, rows = vectors.to_embedding()
    assert (rows.padding, rows.unknown, embedding.padding_idx) == (0, 1, 0)
    assert rows == {"the": 2, "king": 3, "queen": 4, "开心": 5}
    np.testing.assert_array_equal(embedding.weight[0], np.zeros(3))
    np.testing.assert_array_equal(embedding.weight[1], MATRIX.mean(axis=0))
    np.testing.assert_array_equal(embedding.weight[2:], MATRIX)


def test_sentences_become_one_tensor(vectors):
    embedding, rows = vectors.to_embedding()
    ids = rows.ids([["the", "king"], ["queen"], [], ["zebra", "KING", "the"]])
    assert ids.tolist() == [[2, 3, 0], [4, 0, 0], [0, 0, 0], [1, 3, 2]]
    assert ids.dtype == torch.int64
    assert embedding(ids).shape == (4, 3, 3)
    assert rows.ids([]).shape == (0, 0)


@pytest.mark.parametrize(("padding", "unknown", "n_before"), [(True, None, 1), (False, "zeros", 1), (False, None, 0)])
def test_rows_that_are_not_wanted(vectors, padding, unknown, n_before):
    embedding, rows = vectors.to_embedding(padding=padding, unknown=unknown)
    assert embedding.num_embeddings == 4 + n_before
    assert rows["the"] == n_before
    assert rows["The"] == n_before
    assert rows.padding == (0 if padding else None)
    if unknown is None:
        with pytest.raises(firth.UnknownWordError, match="'quen' is not one of the 4 words; nearest spellings: queen"):
            rows["quen"]
    else:
        assert rows["quen"] == rows.unknown == 0
        np.testing.assert_array_equal(embedding.weight[0], np.zeros(3))
    if not padding:
        assert rows.ids([["the"], ["king"]]).shape == (2, 1)
        with pytest.raises(firth.UsageError, match="no row for padding"):
            rows.ids([["the"], ["king", "queen"]])


def test_a_layer_is_copied_and_learns_if_asked(vectors):
    frozen, _ = vectors.to_embedding(padding=False, unknown=None)
    assert not frozen.weight.requires_grad
    learning, rows = vectors.to_embedding(freeze=False)
    learning(rows.ids([["the"], ["king", "zebra"]])).sum().backward()
    with torch.no_grad():
        learning.weight -= learning.weight.grad
    np.testing.assert_array_equal(learning.weight[0].detach(), np.zeros(3))  # padding
    np.testing.assert_array_equal(learning.weight[rows["king"]].detach(), MATRIX[1] - 1)
    np.testing.assert_array_equal(vectors.matrix, MATRIX)


def test_of_several_layers_the_last_one_is_taken():
    vectors = firth.Vectors(WORDS, np.stack([MATRIX, -MATRIX]))
    embedding, rows = vectors.to_embedding()
    np.testing.assert_array_equal(embedding.weight[rows["queen"]], -MATRIX[2])
    embedding, rows = vectors.layer(0).to_embedding()
    np.testing.assert_array_equal(embedding.weight[rows["queen"]], MATRIX[2])


def test_what_is_asked_wrongly(vectors):
    with pytest.raises(firth.UsageError, match="there are 'mean', 'zeros' and None"):
        vectors.to_embedding(unknown="random")
    _, rows = vectors.to_embedding()
    for sentences in ("the king", ["the king"]):
        with pytest.raises(firth.UsageError, match="lists of words"):
            rows.ids(sentences)
    with pytest.raises(firth.UsageError, match="is no word"):
        rows[3]


def test_without_torch(vectors, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(firth.FirthError, match=r"pip install 'firth\[contextual\]'"):
        vectors.to_embedding()
