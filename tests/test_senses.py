"""Senses: occurrences of words with their vectors, in groups."""

import numpy as np
import pytest

import firth
from firth.errors import FirthError, UsageError
from firth.extraction import prepare
from firth.senses import find_senses, gather, learnt
from firth.vectors import Vectors

TEXT = ["The cat sat on the mat.", "A dog, and the cat!", "the mat of a DOG", "On a mat the dog sat"] * 6


@pytest.fixture(scope="module")
def bert():
    pytest.importorskip("torch")
    family = firth.BERT(dim=16, n_layers=2, n_heads=2, n_positions=16, context_length=16, vocabulary_size=256)
    return firth.train(family, TEXT, tokens=500, threads=1)


def test_occurrences_have_the_vectors_that_extract_gives(bert):
    asked = prepare(bert, layers=[1, 2], threads=1)
    cat, dog = gather(asked, TEXT, ["cat", "dog"], max_contexts=100)
    assert {cat.word, dog.word} == {"cat", "dog"}
    (cat,) = [one for one in (cat, dog) if one.word == "cat"]
    assert cat.vectors.shape == (2, 12, 16)
    assert [one.line for one in cat.occurrences] == [line for line in range(24) if line % 4 < 2]
    sentences = list(firth.extract(bert, TEXT, layers=[1, 2], threads=1))
    for number, one in enumerate(cat.occurrences):
        assert one.before + one.word + one.behind == TEXT[one.line]
        sentence = sentences[one.line]
        position = [word.lower() for word in sentence.words].index("cat")
        np.testing.assert_allclose(cat.vectors[:, number], sentence.array[:, position], atol=1e-5)


def test_at_most_so_many_are_read_and_the_seed_decides(bert):
    asked = prepare(bert, layers=[2], threads=1)

    def lines(seed):
        (found,) = gather(asked, TEXT, ["dog"], max_contexts=5, seed=seed)
        assert found.vectors.shape[1] == 5
        return [one.line for one in found.occurrences]

    assert lines(1) == lines(1)
    assert len({tuple(lines(seed)) for seed in range(6)}) > 1


def test_senses_of_a_word(bert):
    found, other = find_senses(bert, TEXT, ["cat", "dog"], k=2, topn=3, examples=2, threads=1)
    assert {found.word, other.word} == {"cat", "dog"}
    assert found.layer == 2
    assert len(found.senses) == found.clusters.k == 2
    assert sum(sense.share for sense in found.senses) == pytest.approx(1)
    for group, sense in enumerate(found.senses):
        assert len(sense.neighbours) == 3
        assert found.word not in [word for word, _ in sense.neighbours]
        members = [place for place, label in enumerate(found.clusters.labels) if label == group]
        assert {one.line for one in sense.examples} <= {found.occurrences[place].line for place in members}
        due = bert.vectors.layer(2).similar_by_vector(found.clusters.centres[group], topn=4)
        due = [(word, cosine) for word, cosine in due if word != found.word][:3]
        assert [word for word, _ in sense.neighbours] == [word for word, _ in due]
        assert [cosine for _, cosine in sense.neighbours] == pytest.approx([cosine for _, cosine in due])


def test_sentences_of_one_kind_are_one_sense(bert):
    """A word whose sentences come in two kinds has two senses at most, and the kinds are never mixed."""
    (found,) = find_senses(bert, TEXT, ["cat"], threads=1)
    kinds = [one.line % 4 for one in found.occurrences]
    assert len(set(zip(kinds, found.clusters.labels.tolist(), strict=True))) == 2


def test_a_model_without_static_vectors_has_senses_without_neighbours(bert, tmp_path):
    firth.train(bert.family, TEXT, tokens=200, threads=1, output=tmp_path / "model", matrices=False)
    (found,) = find_senses(tmp_path / "model", TEXT, ["mat"], k=1, layer=1, threads=1)
    assert [sense.neighbours for sense in found.senses] == [[]]
    vectors = Vectors(["mat", "rug"], np.eye(2, 16))
    (found,) = find_senses(tmp_path / "model", TEXT, ["mat"], k=1, vectors=vectors, threads=1)
    assert [word for word, _ in found.senses[0].neighbours] == ["rug"]


def test_sense_vectors_of_many_words(bert):
    found = learnt(bert, TEXT, ["Cat", "dog", "unicorn"], layers=[0, 2], k=2, threads=1)
    assert set(found) == {"Cat", "dog"}
    assert [[centres.shape[1] for centres in layers] for layers in found.values()] == [[16, 16], [16, 16]]
    np.testing.assert_allclose(np.linalg.norm(found["dog"][1], axis=1), 1, rtol=1e-5)


def test_words_are_read_together_as_far_as_memory_allows(bert, monkeypatch):
    asked = prepare(bert, layers=[2], threads=1)
    together = {one.word: one.vectors for one in gather(asked, TEXT, ["cat", "dog", "mat"])}
    monkeypatch.setattr("firth.senses._BYTES_TOGETHER", 1)
    for one in gather(asked, TEXT, ["cat", "dog", "mat"]):
        np.testing.assert_allclose(one.vectors, together[one.word], atol=1e-5)


def test_what_has_no_senses_is_told(bert):
    static = Vectors(["cat"], [[1, 0]])
    with pytest.raises(UsageError, match="whose words have one vector in every context"):
        find_senses(static, TEXT, ["cat"], layer=0)
    with pytest.raises(FirthError, match="'unicorn' is not in the text"):
        find_senses(bert, TEXT, ["cat", "unicorn"], threads=1)
    with pytest.raises(UsageError, match="max_contexts is 0"):
        find_senses(bert, TEXT, ["cat"], max_contexts=0, threads=1)
    with pytest.raises(UsageError, match="layer 3 asked"):
        find_senses(bert, TEXT, ["cat"], layer=3, threads=1)
