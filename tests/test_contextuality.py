"""Self-similarity, intra-sentence similarity and anisotropy: by hand, by their definitions, and of a network."""

import itertools
import math

import numpy as np
import pytest

import firth
from firth import FirthError, UsageError
from firth.contextuality import intra_sentence_similarity, layers, self_similarity
from firth.segmentation import Segmentation


def cosine(one, two):
    return float(one @ two / np.linalg.norm(one) / np.linalg.norm(two))


def test_self_similarity_by_hand():
    """Three vectors: two alike and one at right angles, so that of three pairs one has the cosine 1."""
    assert self_similarity([[1, 0], [5, 0], [0, 2]]) == pytest.approx(1 / 3)
    assert self_similarity([[1, 0], [0, 1]]) == pytest.approx(0)
    assert self_similarity([[1, 0], [-3, 0]]) == pytest.approx(-1)


def test_intra_sentence_similarity_by_hand():
    """The mean of (2, 0) and (0, 2) is (1, 1), at 45 degrees from either; of (3, 0) and (0, 1) it is not between."""
    assert intra_sentence_similarity([[2, 0], [0, 2]]) == pytest.approx(math.sqrt(0.5))
    assert intra_sentence_similarity([[3, 0], [0, 1]]) == pytest.approx((3 + 1) / math.sqrt(10) / 2)
    assert intra_sentence_similarity([[3, 4]]) == pytest.approx(1)


def test_they_are_what_they_are_defined_as():
    vectors = np.random.default_rng(1).normal(size=(7, 5)) + 1
    pairs = [cosine(one, two) for one, two in itertools.combinations(vectors, 2)]
    assert self_similarity(vectors) == pytest.approx(np.mean(pairs))
    mean = vectors.mean(0)
    assert intra_sentence_similarity(vectors) == pytest.approx(np.mean([cosine(mean, vector) for vector in vectors]))


def test_they_take_vectors():
    with pytest.raises(UsageError, match="n at least 2"):
        self_similarity([[1, 0]])
    with pytest.raises(UsageError, match=r"\(n, dim\) is due"):
        intra_sentence_similarity([1, 0])


STATIC = firth.Vectors(["a", "b"], [[3, 0], [0, 1]], segmentation=Segmentation(method="space"))


def test_of_static_vectors_by_hand():
    """Ten lines `a b`, and all twenty words as samples: unit vectors sum up to (10, 10), which gives 180 / 380."""
    (row,) = layers(STATIC, ["a b"] * 10, samples=20)
    assert row.self_similarity == pytest.approx(1)
    assert row.intra_sentence_similarity == pytest.approx(4 / math.sqrt(10) / 2)
    assert row.anisotropy == pytest.approx(180 / 380)
    assert row.self_similarity_adjusted == pytest.approx(1 - 180 / 380)
    assert row.intra_sentence_similarity_adjusted == pytest.approx(4 / math.sqrt(10) / 2 - 180 / 380)
    assert (row.layer, row.n_words, row.n_sentences, row.n_samples) == (0, 2, 10, 20)


def test_what_is_rare_or_unknown_does_not_count():
    (row,) = layers(STATIC, ["a b"] * 10 + ["a unheard b of"] * 3, samples=32)
    assert (row.n_words, row.n_sentences, row.n_samples) == (2, 13, 26)
    (row,) = layers(STATIC, ["a b"] * 4 + ["a a"] * 4, words=["a", "b", "c"], sentences=3)
    assert (row.n_words, row.n_sentences) == (1, 3)
    with pytest.raises(FirthError, match="no word has 5 contexts"):
        layers(STATIC, ["a b"] * 4)
    with pytest.raises(FirthError, match="none of the words"):
        layers(STATIC, ["a b"] * 4, words=["c"])
    with pytest.raises(UsageError, match="max_contexts is 1; it must be at least 2"):
        layers(STATIC, ["a b"], max_contexts=1)


def test_of_a_network_every_layer_is_what_its_vectors_say():
    torch = pytest.importorskip("torch")
    from firth.model import Model
    from firth.pieces import train_pieces

    text = ["the cat sat on the mat", "a dog and the cat", "the mat of a dog", "on a mat the dog sat"] * 6
    family = firth.BERT(dim=16, n_layers=2, n_heads=2, n_positions=24, context_length=24)
    pieces = train_pieces(text, "wordpiece", size=256, cased=False, seed=1)
    network = family.network(pieces.n_entries, 1)
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    model = Model(family, pieces, network.eval(), {})
    found = layers(model, text, samples=10_000, max_contexts=1_000, threads=1)
    assert [row.layer for row in found] == [0, 1, 2]
    extracted = list(firth.extract(model, text, threads=1))
    words = [word for sentence in extracted for word in sentence.words]
    for row in found:
        vectors = np.concatenate([sentence.array[row.layer] for sentence in extracted])
        of_word = [vectors[[word == other for other in words]] for word in sorted(set(words))]
        within = [intra_sentence_similarity(sentence.array[row.layer]) for sentence in extracted]
        assert row.self_similarity == pytest.approx(np.mean([self_similarity(some) for some in of_word]), abs=1e-5)
        assert row.intra_sentence_similarity == pytest.approx(np.mean(within), abs=1e-5)
        assert row.anisotropy == pytest.approx(self_similarity(vectors), abs=1e-5)
        assert row.self_similarity_adjusted == pytest.approx(row.self_similarity - row.anisotropy)
