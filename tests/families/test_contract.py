"""What holds of every family: a later one joins by a line in FAMILIES."""

import itertools
import math
import signal
import threading
import time
from dataclasses import fields, replace

import numpy as np
import pytest

import firth
from firth.families.family import Tables, from_settings, reference_step, settings
from firth.model import FAMILIES as FAMILY_CLASSES
from firth.segmentation import Segmentation
from firth.vocabulary import HuffmanTree, Vocabulary
from firth.windows import Batch

WORD2VEC = {"dim": 8, "window": 3, "block": 8, "noise_pool": 4, "min_count": 1, "sample": 0.0}
FAMILIES = {
    "skipgram": firth.Skipgram(**WORD2VEC),
    "skipgram-fixed": firth.Skipgram(**WORD2VEC, window_widths="fixed"),
    "skipgram-tree": firth.Skipgram(**WORD2VEC, objective="hierarchical_softmax"),
    "cbow": firth.CBOW(**WORD2VEC),
    "cbow-divided": firth.CBOW(**WORD2VEC, context_gradient="divided"),
    "cbow-sum": firth.CBOW(**WORD2VEC, combine="sum"),
    "cbow-tree": firth.CBOW(**WORD2VEC, objective="hierarchical_softmax"),
    "cbow-tree-divided": firth.CBOW(**WORD2VEC, objective="hierarchical_softmax", context_gradient="divided"),
}
V = 12
VOCABULARY = Vocabulary([chr(ord("a") + row) for row in range(V)], [80, 40, 30, 20, 15, 12, 10, 8, 6, 4, 2, 1])
TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog", "on the mat a cat sat"] * 12


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def family(request):
    return request.param


def is_by_tree(family):
    return family.objective == "hierarchical_softmax"


def tree_of(family):
    return VOCABULARY.huffman_tree() if is_by_tree(family) else None


def difficult_batch(family, n_blocks=3):
    """Blocks with words that occur twice, noise that equals targets, a line's end in the middle, and a lonely word."""
    rng = np.random.default_rng(4)
    rows = rng.integers(0, V, 26).astype(np.int32)
    rows[[3, 5, 7]] = 2
    line_of = np.repeat([0, 1, 2], [13, 1, 12])  # the second line is one word: it has no window
    position = np.arange(26)
    width = rng.integers(1, family.window + 1, 26)
    left = np.maximum(position - width, np.searchsorted(line_of, line_of))
    right = np.minimum(position + 1 + width, np.searchsorted(line_of, line_of, side="right"))
    block = 1 if is_by_tree(family) else family.block
    first, last = 2, 2 + (n_blocks * 8 - 3 if n_blocks > 1 else block)
    n = -(-(last - first) // block)
    noise = rng.integers(0, V, (n, 0 if is_by_tree(family) else family.noise_pool)).astype(np.int32)
    if noise.size:
        noise[0, :2] = 2  # equals a target of the first block, twice
    return Batch(rows, left.astype(np.int32), right.astype(np.int32), first, last, block, noise, 26)


def random_tables(family, dtype=np.float32):
    rng = np.random.default_rng(5)
    return Tables(
        rng.normal(size=(V, family.dim)).astype(np.float32).astype(dtype),
        rng.normal(size=(V - is_by_tree(family), family.dim)).astype(np.float32).astype(dtype),
    )


def trained(family, **changes):
    arguments = {"epochs": 4, "threads": 1, "seed": 7} | changes
    return firth.train(family, TEXT, **arguments)


def test_the_compiled_step_equals_the_reference(family):
    batch, tree = difficult_batch(family), tree_of(family)
    network, reference = random_tables(family), random_tables(family, np.float64)
    step = family.step(network, batch, 0.1, tree)
    expected = reference_step(family, reference, batch, 0.1, tree)
    assert step.n_pairs == expected.n_pairs > 0
    assert step.loss_nats == pytest.approx(expected.loss_nats, rel=1e-6)
    np.testing.assert_allclose(network.input, reference.input, atol=2e-6)
    np.testing.assert_allclose(network.output, reference.output, atol=2e-6)


def test_the_references_gradient_is_the_derivative_of_its_loss(family):
    if getattr(family, "combine", "") == "mean":
        family = replace(family, context_gradient="divided")  # "whole" is no derivative, and says so
    batch, tree = difficult_batch(family, n_blocks=1), tree_of(family)
    network = random_tables(family, np.float64)
    gradient = family.loss(network, batch, tree)
    for table, analytic in ((network.input, gradient.input), (network.output, gradient.output)):
        for index in np.ndindex(table.shape):
            there = table[index]
            table[index] = there + 1e-6
            above = family.loss(network, batch, tree).nats
            table[index] = there - 1e-6
            below = family.loss(network, batch, tree).nats
            table[index] = there
            assert analytic[index] == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_the_first_loss_is_known(family):
    batch, tree = difficult_batch(family, n_blocks=1), tree_of(family)
    loss = family.loss(family.network(VOCABULARY, seed=1), batch, tree)
    if tree is None:  # each pair has K + 1 predictions of 1/2, less the noise words that equal its target
        assert (family.negatives + 1) * math.log(2) >= loss.nats / loss.n_pairs > family.negatives * math.log(2) / 2
        free = batch._replace(noise=np.full_like(batch.noise, V - 1), rows=np.minimum(batch.rows, V - 2))
        loss = family.loss(family.network(VOCABULARY, seed=1), free, tree)
        assert loss.nats / loss.n_pairs == pytest.approx((family.negatives + 1) * math.log(2))
    else:  # one prediction of 1/2 for each node on the way
        shortest, longest = np.diff(tree.starts).min(), np.diff(tree.starts).max()
        assert shortest * math.log(2) <= loss.nats / loss.n_pairs <= longest * math.log(2)


def test_one_batch_can_be_learnt_by_heart(family):
    tree = tree_of(family)
    # a window of one word: each word of a pair has but one neighbour, so that nothing is left to chance
    position = np.arange(8)
    rows = np.array([0, 1, 2, 3, 4, 5, 6, 7], np.int32)
    block = 1 if is_by_tree(family) else 8
    noise = np.tile(np.arange(8, 12, dtype=np.int32), (8 // block, 1))[:, : 0 if is_by_tree(family) else 4]
    batch = Batch(
        rows, (position // 2 * 2).astype(np.int32), (position // 2 * 2 + 2).astype(np.int32), 0, 8, block, noise, 8
    )
    network = family.network(VOCABULARY, seed=1)
    for _ in range(2000):
        step = family.step(network, batch, 0.1, tree)
    assert step.loss_nats / step.n_pairs < 0.05


def test_a_seed_repeats_to_the_bit(family):
    first, second, other = trained(family), trained(family), trained(family, seed=8)
    np.testing.assert_array_equal(first.table(), second.table())
    np.testing.assert_array_equal(first.output_table(), second.output_table())
    assert first.record["loss_nats"] == second.record["loss_nats"]
    assert not np.array_equal(first.table(), other.table())


def test_training_learns(family):
    model = trained(family, epochs=60)
    assert model.log[-1]["loss_nats"] < 0.9 * trained(family, epochs=0.5).log[0]["loss_nats"]
    assert np.isfinite(model.table()).all()


def test_a_saved_model_is_loaded_equal(family, tmp_path):
    model = trained(family)
    model.save(tmp_path / "model")
    loaded = firth.load(tmp_path / "model")
    assert loaded.family == model.family
    assert loaded.vocabulary.words == model.vocabulary.words
    assert loaded.segmentation == model.segmentation
    assert loaded.record == model.record
    assert loaded.log == model.log
    np.testing.assert_array_equal(loaded.table(), model.table())
    np.testing.assert_array_equal(loaded.output_table(), model.output_table())
    np.testing.assert_array_equal(loaded.vocabulary.counts, model.vocabulary.counts)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to a thread here")
def test_an_interrupted_run_goes_on_as_if_unbroken(family, tmp_path, monkeypatch):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 50)
    unbroken = trained(family)
    step, calls = type(family).step, itertools.count()

    def interrupted_step(*arguments):
        if next(calls) == 8:  # the first call only compiles
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            time.sleep(0.3)  # the main thread stops the run meanwhile
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(type(family), "step", interrupted_step)
        with pytest.raises(KeyboardInterrupt):
            trained(family, output=tmp_path / "model")
    unfinished = firth.load(tmp_path / "model")
    assert unfinished.record["finished"] is False
    n_tokens = unfinished.record["corpus"]["n_tokens"]  # six batches
    assert unfinished.record["spent"]["tokens"] == n_tokens + 2 * 50
    assert unfinished.vectors["cat"].shape == (8,)
    resumed = trained(family, output=tmp_path / "model", resume=True)
    np.testing.assert_array_equal(resumed.table(), unbroken.table())
    np.testing.assert_array_equal(resumed.output_table(), unbroken.output_table())
    assert resumed.record["loss_nats"] == unbroken.record["loss_nats"]
    assert resumed.record["finished"] is True
    assert not (tmp_path / "model" / "checkpoint").exists()


def test_its_matrix_is_behind_the_one_hot_input(family):
    model = trained(family)
    one_hot = np.zeros(len(model.vocabulary), np.float32)
    one_hot[model.vocabulary.row("cat")] = 1
    np.testing.assert_array_equal(one_hot @ model.table(), model.vectors["cat"])
    assert model.vectors.array.shape == (1, len(model.vocabulary), family.dim)


def test_it_is_a_value(family):
    assert replace(family, dim=9) != family
    assert from_settings(FAMILY_CLASSES, settings(family)) == family
    with pytest.raises(firth.UsageError, match="vector_size is called dim here"):
        type(family)(vector_size=100)
    with pytest.raises(TypeError, match="no_such_thing"):
        type(family)(no_such_thing=1)
    for preset in ("tiny", "mini", "small", "medium", "base", "paper"):
        assert isinstance(getattr(type(family), preset)(), type(family))
    assert {field.name for field in fields(family)} >= {"dim", "min_count", "learning_rate"}


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 0},
        {"window": 0},
        {"negatives": 0, "objective": "negative_sampling"},
        {"block": 3},
        {"noise_pool": 0},
        {"objective": "softmax"},
        {"window_widths": "wide"},
        {"sample": -1.0},
        {"learning_rate": -0.1},
        {"final_learning_rate": 1.0},
        {"min_count": 0},
    ],
    ids=str,
)
def test_it_refuses_what_is_out_of_range(family, change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        replace(family, **change)


def gensim_tree(word_vectors):
    """gensim's own Huffman tree in our form."""
    ways = [word_vectors.get_vecattr(word, "point") for word in word_vectors.index_to_key]
    codes = [word_vectors.get_vecattr(word, "code") for word in word_vectors.index_to_key]
    starts = np.cumsum([0, *[len(code) for code in codes]]).astype(np.int32)
    nodes = np.concatenate([way[: len(code)] for way, code in zip(ways, codes, strict=True)]).astype(np.int32)
    return HuffmanTree(starts, nodes, (1 - 2.0 * np.concatenate(codes)).astype(np.float32))


@pytest.mark.parametrize("name", ["skipgram-tree", "cbow-tree"])
def test_a_pass_over_sentences_equals_gensims(name):
    """Hierarchical softmax with fixed windows and no sub-sampling leaves nothing to chance, in gensim either.

    gensim's Skip-gram feeds the neighbour and predicts the centre, the other way round: over a whole sentence the
    pairs are the same in another order, so that the tables agree to the first order of a small learning rate. Its
    sigmoid is a table of 1,000 steps, rounded down: where gradients of both signs nearly cancel, that is some percent
    of the sum.
    """
    word2vec = pytest.importorskip("gensim.models.word2vec", reason="gensim has no wheel for this Python")
    family = replace(FAMILIES[name], window_widths="fixed")
    rate = 1e-4
    sentences = [line.split() for line in TEXT if line]
    theirs = word2vec.Word2Vec(
        vector_size=8, window=3, min_count=1, sample=0, hs=1, negative=0, workers=1, sg=int(name.startswith("skip")),
        cbow_mean=1, shrink_windows=False, alpha=rate, min_alpha=rate, seed=1,
    )  # fmt: skip
    theirs.build_vocab(sentences)
    rng = np.random.default_rng(6)
    theirs.syn1[:] = rng.normal(scale=0.5, size=theirs.syn1.shape)  # gensim skips scores beyond 6
    theirs.wv.vectors[:] = rng.normal(scale=0.5, size=theirs.wv.vectors.shape)
    # gensim gives the tree's rows the size of the vocabulary; the last is unused
    network = Tables(theirs.wv.vectors.copy(), theirs.syn1[: len(theirs.wv) - 1].copy())
    before = Tables(network.input.copy(), network.output.copy())

    rows = np.array([theirs.wv.key_to_index[word] for sentence in sentences for word in sentence], np.int32)
    ends = np.cumsum([len(sentence) for sentence in sentences])
    position = np.arange(len(rows))
    line = np.searchsorted(ends, position, side="right")
    left = np.maximum(position - 3, np.concatenate([[0], ends])[line]).astype(np.int32)
    right = np.minimum(position + 4, ends[line]).astype(np.int32)
    noise = np.empty((len(rows), 0), np.int32)
    batch = Batch(rows, left, right, 0, len(rows), 1, noise, len(rows))

    theirs.train(sentences, total_examples=len(sentences), epochs=1)
    family.step(network, batch, rate, gensim_tree(theirs.wv))
    for ours, old, new in (
        (network.input, before.input, theirs.wv.vectors),
        (network.output, before.output, theirs.syn1[: len(theirs.wv) - 1]),
    ):
        assert np.linalg.norm(new - old) > 5 * rate
        assert np.linalg.norm(ours - new) < 0.1 * np.linalg.norm(new - old)


def test_a_model_serves_queries_as_its_corpus_was_treated():
    model = firth.train(FAMILIES["skipgram"], ["我 今天 好 开心", "你 今天 好 忙"] * 20, epochs=1, threads=1)
    assert model.segmentation == Segmentation(method="space")
    assert model.segmentation.words("我 今天 好 开心") == ["我", "今天", "好", "开心"]
    assert all(word in model.vectors for word in model.segmentation.words("我 今天 好 开心"))
