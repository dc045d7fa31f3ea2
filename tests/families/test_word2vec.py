"""Skip-gram and CBOW: the compiled step beside its reference, the numbers known beforehand, and gensim's."""

import math
from dataclasses import replace

import numpy as np
import pytest

import firth
from firth import composition
from firth import corpus as corpora
from firth.families.skipgram import pool_for
from firth.families.word2vec import (
    SubwordTables,
    Tables,
    initial_tables,
    kept_tables,
    mean_of_parts,
    parts_of,
    reference_step,
    sharing,
)
from firth.tokens import encode
from firth.vocabulary import HuffmanTree, Vocabulary
from firth.windows import Batch

SMALL = {"dim": 8, "window": 3, "block": 8, "noise_pool": 4, "min_count": 1, "sample": 0.0}
TREE = {"objective": "hierarchical_softmax"}
SUBWORDS = {"subwords": "1-3", "buckets": 300}
FAMILIES = {
    "skipgram": firth.Skipgram(**SMALL),
    "skipgram-fixed": firth.Skipgram(**SMALL, window_widths="fixed"),
    "skipgram-tree": firth.Skipgram(**SMALL, **TREE),
    "cbow": firth.CBOW(**SMALL),
    "cbow-divided": firth.CBOW(**SMALL, context_gradient="divided"),
    "cbow-sum": firth.CBOW(**SMALL, combine="sum"),
    "cbow-tree": firth.CBOW(**SMALL, **TREE),
    "cbow-tree-divided": firth.CBOW(**SMALL, **TREE, context_gradient="divided"),
    "skipgram-subwords": firth.Skipgram(**SMALL, **SUBWORDS),
    "skipgram-subwords-hashes": firth.Skipgram(**SMALL, **SUBWORDS, hashes=3),
    "skipgram-subwords-tree": firth.Skipgram(**SMALL, **SUBWORDS, **TREE),
    "cbow-subwords": firth.CBOW(**SMALL, **SUBWORDS),
    "cbow-subwords-divided": firth.CBOW(**SMALL, **SUBWORDS, context_gradient="divided"),
    "cbow-subwords-tree": firth.CBOW(**SMALL, **SUBWORDS, **TREE),
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
    parts = parts_of(family, VOCABULARY)
    return Batch(rows, left.astype(np.int32), right.astype(np.int32), first, last, block, noise, 26, parts)


def random_tables(family, dtype=np.float32):
    rng = np.random.default_rng(5)
    shapes = family.shapes(VOCABULARY)
    tables = [rng.normal(size=shapes[name]).astype(np.float32).astype(dtype) for name in family.tables._fields]
    return family.tables(*tables)


def moved(network):
    """The tables that a step changes."""
    return network[1:] if isinstance(network, SubwordTables) else network


def test_the_tables_begin_as_word2vec_cs():
    network = initial_tables({"input": (500, 8), "output": (499, 8)}, seed=1)
    assert network.input.dtype == network.output.dtype == np.float32
    assert network.input.shape == (500, 8)
    assert -1 / 16 <= network.input.min() < -0.95 / 16
    assert 0.95 / 16 < network.input.max() < 1 / 16
    np.testing.assert_array_equal(network.output, np.zeros((499, 8)))
    assert not np.array_equal(network.input, initial_tables({"input": (500, 8), "output": (499, 8)}, seed=2).input)


def test_the_compiled_step_equals_the_reference(family):
    batch, tree = difficult_batch(family), tree_of(family)
    network, reference = random_tables(family), random_tables(family, np.float64)
    step = family.step(network, batch, 0.1, tree)
    expected = reference_step(family, reference, batch, 0.1, tree)
    assert step.n_pairs == expected.n_pairs > 0
    assert step.loss_nats == pytest.approx(expected.loss_nats, rel=1e-6)
    names = family.tables._fields[-len(moved(network)) :]
    for table, due, name in zip(moved(network), moved(reference), names, strict=True):
        np.testing.assert_allclose(table, due, atol=2e-6, err_msg=name)
        assert np.abs(table - getattr(random_tables(family), name)).max() > 1e-3


@pytest.mark.parametrize("name", ["skipgram", "cbow"])
@pytest.mark.parametrize(
    ("dim", "window", "block", "pool"),
    [
        (1, 1, 4, 4),
        (9, 2, 4, 8),
        (16, 5, 32, 32),
        (100, 5, 32, 32),
        (24, 7, 16, 20),
        pytest.param(300, 12, 8, 64, marks=pytest.mark.slow),
    ],
)
def test_the_step_equals_the_reference_at_other_sizes(name, dim, window, block, pool):
    family = replace(FAMILIES[name], dim=dim, window=window, block=block, noise_pool=pool)
    rng = np.random.default_rng(6)
    n = 90
    position, width = np.arange(n), rng.integers(1, window + 1, n)
    line_start, line_end = position // 30 * 30, position // 30 * 30 + 30
    left = np.maximum(position - width, line_start).astype(np.int32)
    right = np.minimum(position + 1 + width, line_end).astype(np.int32)
    n_blocks = -(-(n - 5) // block)
    noise = rng.integers(0, V, (n_blocks, pool)).astype(np.int32)
    batch = Batch(rng.integers(0, V, n).astype(np.int32), left, right, 2, n - 3, block, noise, n)
    network = Tables(*((0.3 * rng.normal(size=(V, dim))).astype(np.float32) for _ in range(2)))
    reference = Tables(*(table.astype(np.float64) for table in network))
    step, expected = family.step(network, batch, 0.01), reference_step(family, reference, batch, 0.01)
    assert step.n_pairs == expected.n_pairs
    assert step.loss_nats == pytest.approx(expected.loss_nats, rel=1e-5)
    np.testing.assert_allclose(network.input, reference.input, atol=5e-6)
    np.testing.assert_allclose(network.output, reference.output, atol=5e-6)


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
        rows, (position // 2 * 2).astype(np.int32), (position // 2 * 2 + 2).astype(np.int32), 0, 8, block, noise, 8,
        parts_of(family, VOCABULARY),
    )  # fmt: skip
    network = family.network(VOCABULARY, seed=1)
    for _ in range(2000):
        step = family.step(network, batch, 0.1, tree)
    assert step.loss_nats / step.n_pairs < 0.05


def test_the_output_table_is_kept_too(family, tmp_path):
    model = firth.train(family, TEXT, epochs=4, threads=1, output=tmp_path / "model")
    again = firth.train(family, TEXT, epochs=4, threads=1)
    assert model.output_table().shape == (len(model.vocabulary) - is_by_tree(family), 8)
    np.testing.assert_array_equal(firth.load(tmp_path / "model").output_table(), model.output_table())
    np.testing.assert_array_equal(again.output_table(), model.output_table())


def test_an_interrupted_run_has_spent_whole_batches(family, tmp_path, monkeypatch, ctrl_c_in_step):
    monkeypatch.setattr("firth.windows.BATCH_TOKENS", 50)
    with ctrl_c_in_step(family, 8), pytest.raises(KeyboardInterrupt):
        firth.train(family, TEXT, epochs=4, threads=1, output=tmp_path / "model")
    record = firth.load(tmp_path / "model").record
    assert record["spent"]["tokens"] == record["corpus"]["n_tokens"] + 2 * 50  # a pass of six batches, and two more


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 0},
        {"window": 0},
        {"negatives": 0, "objective": "negative_sampling"},
        {"block": 3},
        {"noise_pool": 0},
        {"noise_pool": 6},
        {"objective": "softmax"},
        {"window_widths": "wide"},
        {"sample": -1.0},
        {"sample": math.inf},
        {"sample": math.nan},
        {"learning_rate": -0.1},
        {"learning_rate": math.inf},
        {"learning_rate": math.nan},
        {"final_learning_rate": 0.0},
        {"final_learning_rate": 1.0},
        {"min_count": 0},
        {"max_size": 1},
    ],
    ids=str,
)
def test_it_refuses_what_is_out_of_range(family, change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        replace(family, **change)


def test_the_learning_rate_falls_in_a_line_to_a_tenth_unless_told():
    family = firth.Skipgram(learning_rate=0.002)
    assert [family.rate(fraction) for fraction in (0.0, 0.5, 1.0)] == pytest.approx([0.002, 0.0011, 0.0002])
    told = replace(family, final_learning_rate=0.001)
    assert [told.rate(fraction) for fraction in (0.0, 0.5, 1.0)] == pytest.approx([0.002, 0.0015, 0.001])
    assert firth.CBOW(learning_rate=0.002).rate(1.0) == pytest.approx(1e-4)


@pytest.mark.parametrize("change", [{"combine": "max"}, {"context_gradient": "half"}], ids=str)
def test_cbow_refuses_what_it_does_not_know(change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        firth.CBOW(**change)


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


@pytest.mark.parametrize(
    ("negatives", "n_tokens", "pool"),
    [(5, 10**7, 32), (1, 10**7, 32), (10, 10**7, 64), (7, 10**7, 48), (5, 10**6, 64), (10, 10**6, 128)],
)
def test_the_pool_grows_with_the_negatives_and_on_small_corpora(negatives, n_tokens, pool):
    assert pool_for(negatives, n_tokens) == pool


def test_a_batch_has_the_pool_of_its_corpus_unless_told(tmp_path):
    with encode(corpora.read(TEXT), None, tmp_path / "store") as corpus:
        vocabulary = Vocabulary.from_counts(corpus.types, corpus.counts, min_count=1)
        for told, drawn in ((None, 64), (8, 8)):
            family = firth.Skipgram(dim=8, noise_pool=told)
            assert family.batch(family.stream(corpus, vocabulary), 0, seed=1).noise.shape[1] == drawn


# Words composed of n-grams


def test_moved_tables_of_whole_words_are_both():
    assert moved(Tables(1, 2)) == (1, 2)


@pytest.mark.parametrize("name", ["skipgram-subwords", "cbow-subwords"])
def test_words_are_composed_anew_for_every_stretch(name):
    """In stretches of one block the second one sees what the first has moved through n-grams that the words share."""
    family = FAMILIES[name]
    steps = []
    for centres, passed_on in ((512, 1.0), (8, 1.0), (512, 0.25)):
        batch = difficult_batch(family)._replace(stretch=centres, passed_on=passed_on)
        network, reference = random_tables(family), random_tables(family, np.float64)
        family.step(network, batch, 0.1)
        reference_step(family, reference, batch, 0.1)
        for table, due in zip(moved(network), moved(reference), strict=True):
            np.testing.assert_allclose(table, due, atol=2e-6)
        steps.append(network.ngrams)
    for other in steps[1:]:
        assert np.abs(steps[0] - other).max() > 1e-4


def test_a_stretch_ends_with_a_block_and_a_batch_without_centres_has_one():
    family = FAMILIES["skipgram-subwords"]
    batch = difficult_batch(family)  # centres 2 to 22, in blocks of 8
    for centres, due in ((17, [(2, 18, 2), (18, 23, 1)]), (1, [(2, 10, 1), (10, 18, 1), (18, 23, 1)])):
        some = batch._replace(stretch=centres).stretches()
        assert [(one.first, one.last, len(one.noise)) for one in some] == due
    assert [(some.first, some.last) for some in batch.empty().stretches()] == [(0, 0)]
    assert batch.reach() == (batch.left[2:23].min(), batch.right[2:23].max())
    assert batch.empty().reach() == (0, 0)


def test_what_words_share_is_counted_as_by_hand():
    """Three words that are met for certain: a and b have row 0 in common, a has row 1 twice, c has no n-gram."""
    starts, rows = np.array([0, 3, 4, 4]), np.array([0, 1, 1, 0], np.int32)
    found = composition.overlap(starts, rows, np.ones(3), np.zeros(2))
    assert found == pytest.approx(((2 + 2 + 2) / 4 + 2 / 2 + 0) / 3)


@pytest.mark.parametrize(("subwords", "buckets", "due"), [("3-6", 200_000, 512), ("1-3", 200_000, 32), ("3-6", 20, 32)])
def test_the_more_words_share_the_shorter_a_stretch_is(subwords, buckets, due):
    """1,000 words of five syllables: single letters are in all of them, three letters in few."""
    rng = np.random.default_rng(0)
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    words = sorted({"".join(rng.choice(syllables, 5)) for _ in range(1000)})
    vocabulary = Vocabulary(words, np.full(len(words), 10))
    family = firth.Skipgram(subwords=subwords, buckets=buckets)
    found = sharing(family, vocabulary, parts_of(family, vocabulary))
    assert found.stretch == due
    assert found.passed_on == 1.0 if due > 32 else 0.0 < found.passed_on < 1.0
    assert sharing(firth.Skipgram(), vocabulary, None) == (512, 1.0)


def words_of_syllables():
    """1,000 words of five syllables."""
    rng = np.random.default_rng(0)
    syllables = [first + second for first in "bdfgklmnprstvz" for second in "aeiou"]
    words = sorted({"".join(rng.choice(syllables, 5)) for _ in range(1000)})
    return Vocabulary(words, np.full(len(words), 10))


def moved_by_others(family, vocabulary, centres):
    parts = parts_of(family, vocabulary)
    met = 1 - (1 - 1 / len(vocabulary)) ** np.full(len(vocabulary), centres)
    return composition.overlap(*parts, met, np.zeros(family.buckets))


def test_more_threads_have_more_stretches_in_flight_and_shorter_ones():
    """None sees the others' steps: what all of them share moves a word by twice its own step at most."""
    vocabulary = words_of_syllables()
    family = firth.Skipgram(subwords="3-6", sample=0.0)
    parts = parts_of(family, vocabulary)
    alone = sharing(family, vocabulary, parts, 1)
    assert alone == sharing(family, vocabulary, parts, 2) == sharing(family, vocabulary, parts) == (512, 1.0)
    assert [sharing(family, vocabulary, parts, threads) for threads in (4, 8, 16)] == [(256, 1), (128, 1), (32, 1)]
    for threads, centres in ((4, 256), (8, 128), (16, 32)):
        assert moved_by_others(family, vocabulary, centres) * threads / 2 <= 2.0
        assert moved_by_others(family, vocabulary, 2 * centres) * threads / 2 > 2.0
    of_letters = firth.Skipgram(subwords="1-3", sample=0.0)
    parts = parts_of(of_letters, vocabulary)
    two, many = (sharing(of_letters, vocabulary, parts, threads) for threads in (2, 16))
    assert two.stretch == many.stretch == 32
    assert many.passed_on == pytest.approx(two.passed_on / 8)


@pytest.mark.parametrize(("block", "due"), [(32, 32), (48, 48), (512, 512), (1024, 1024), (20, 20)])
def test_a_stretch_is_measured_as_it_is_trained_in_whole_blocks(block, due):
    vocabulary = words_of_syllables()
    family = firth.Skipgram(subwords="1-3", sample=0.0, block=block)
    found = sharing(family, vocabulary, parts_of(family, vocabulary))
    assert found.stretch == due
    assert found.passed_on == pytest.approx(2.0 / moved_by_others(family, vocabulary, due))
    batch = difficult_batch(FAMILIES["skipgram-subwords"])._replace(block=block, stretch=found.stretch)
    noise = np.zeros((3, 4), np.int32)
    first, *_ = batch._replace(first=0, last=3 * block, noise=noise).stretches()
    assert first.last - first.first == due


def test_the_block_of_a_tree_is_one_centre():
    vocabulary = words_of_syllables()
    family = firth.Skipgram(subwords="1-3", sample=0.0, block=512, objective="hierarchical_softmax")
    assert sharing(family, vocabulary, parts_of(family, vocabulary)).stretch == 32


def test_short_n_grams_do_not_overshoot():
    """With single letters a stretch of 512 ends in numbers that are no numbers; the one that is chosen does not."""
    rng = np.random.default_rng(1)
    words = ["".join(rng.choice(list("abcde"), 6)) for _ in range(300)]
    text = [" ".join(rng.choice(words, 40)) for _ in range(150)]
    model = firth.train(firth.Skipgram(dim=8, subwords="1", min_count=1, sample=0.0), text, epochs=5, threads=1)
    assert 0 < model.record["loss_nats"] < 6 * np.log(2)  # of 5 negatives and a neighbour, knowing nothing


def test_the_derivative_by_a_part_is_the_means_divided_by_the_parts():
    """And what a step takes is the whole of it: so a mean moves as a row does that is not composed."""
    family = FAMILIES["skipgram-subwords"]
    batch = difficult_batch(family, n_blocks=1)
    network = random_tables(family, np.float64)
    parts = batch.parts
    n_parts = 1 + np.diff(parts.starts)
    network.input[:] = mean_of_parts(network, parts)
    by_mean = family.loss(network, batch).input
    by_ngram = np.zeros_like(network.ngrams)
    np.add.at(by_ngram, parts.rows, np.repeat(by_mean / n_parts[:, None], np.diff(parts.starts), axis=0))

    def nats():
        network.input[:] = mean_of_parts(network, parts)
        return family.loss(network, batch).nats

    for table, analytic in ((network.words, by_mean / n_parts[:, None]), (network.ngrams, by_ngram)):
        some = np.argwhere(analytic)[::7]
        assert len(some) > 5
        for index in map(tuple, some):
            there = table[index]
            table[index] = there + 1e-6
            above = nats()
            table[index] = there - 1e-6
            below = nats()
            table[index] = there
            assert analytic[index] == pytest.approx((above - below) / 2e-6, abs=1e-6)


def test_one_step_of_a_composed_word_by_hand():
    """Two words of one n-gram each, `<a>` and `<b>`; a predicts b, no noise that counts but c, once."""
    vocabulary = Vocabulary(["a", "b", "c"], [3, 2, 1])
    family = firth.Skipgram(
        dim=1, window=1, block=4, noise_pool=4, negatives=4, subwords="3", buckets=1000, min_count=1
    )
    parts = parts_of(family, vocabulary)
    assert parts.starts.tolist() == [0, 1, 2, 3]
    network = family.network(vocabulary, seed=1)
    network.words[:, 0] = 1.0, 0.0, 0.0
    network.ngrams[parts.rows[0]] = 3.0
    network.output[:, 0] = 0.0, 0.5, -0.25
    batch = Batch(
        np.array([0, 1], np.int32), np.array([0, 1], np.int32), np.array([2, 2], np.int32), 0, 1, 4,
        np.full((1, 4), 2, np.int32), 2, parts,
    )  # fmt: skip
    step = family.step(network, batch, 0.1)
    mean = (1 + 3) / 2
    loss = math.log1p(math.exp(-mean * 0.5)) + 4 * math.log1p(math.exp(mean * -0.25))
    slope = 1 / (1 + math.exp(mean * 0.5)) * 0.5 + 4 / (1 + math.exp(mean * 0.25)) * 0.25
    assert step.loss_nats == pytest.approx(loss, rel=1e-6)
    assert network.words[0, 0] == pytest.approx(1 + 0.1 * slope, rel=1e-6)
    assert network.ngrams[parts.rows[0], 0] == pytest.approx(3 + 0.1 * slope, rel=1e-6)
    assert network.ngrams[parts.rows[1], 0] == network.words[1, 0] == 0
    assert network.output[1, 0] == pytest.approx(0.5 + 0.1 * mean / (1 + math.exp(mean * 0.5)), rel=1e-6)
    kept_tables(network, family, vocabulary)
    assert network.input[0, 0] == pytest.approx(mean + 0.1 * slope, rel=1e-6)


def test_a_pass_with_n_grams_equals_gensims():
    """As for whole words, above; all words here have three n-grams of three characters.

    gensim divides the sum of a word's row and its n n-grams by n, where its vectors, and fastText, have n + 1: its
    tables are given 3/4 of ours, so that its means are ours.
    """
    fasttext = pytest.importorskip("gensim.models.fasttext", reason="gensim has no wheel for this Python")
    sentences = [["cat", "sat", "mat"], ["dog", "log", "cog", "dot"], ["mat", "dog", "sat"], ["log", "cat", "cot"]] * 6
    rate = 1e-4
    theirs = fasttext.FastText(
        vector_size=8, window=3, min_count=1, sample=0, hs=1, negative=0, workers=1, sg=1, shrink_windows=False,
        alpha=rate, min_alpha=rate, seed=1, min_n=3, max_n=3, bucket=5000,
    )  # fmt: skip
    theirs.build_vocab(sentences)
    family = firth.Skipgram(
        dim=8, window=3, window_widths="fixed", objective="hierarchical_softmax", min_count=1, sample=0.0,
        subwords="3", buckets=5000,
    )  # fmt: skip
    words = theirs.wv.index_to_key
    vocabulary = Vocabulary(words, [theirs.wv.get_vecattr(word, "count") for word in words])
    parts = parts_of(family, vocabulary)
    rng = np.random.default_rng(6)
    own, ngrams = rng.normal(scale=0.5, size=(len(words), 8)), rng.normal(scale=0.5, size=(5000, 8))
    theirs.syn1[:] = rng.normal(scale=0.5, size=theirs.syn1.shape)
    theirs.wv.vectors_vocab[:], theirs.wv.vectors_ngrams[:] = 0.75 * own, 0.75 * ngrams
    network = SubwordTables(
        np.zeros((len(words), 8), np.float32), theirs.syn1[: len(words) - 1].copy(),
        own.astype(np.float32), ngrams.astype(np.float32),
    )  # fmt: skip
    rows = np.array([theirs.wv.key_to_index[word] for sentence in sentences for word in sentence], np.int32)
    ends = np.cumsum([len(sentence) for sentence in sentences])
    position = np.arange(len(rows))
    line = np.searchsorted(ends, position, side="right")
    left = np.maximum(position - 3, np.concatenate([[0], ends])[line]).astype(np.int32)
    right = np.minimum(position + 4, ends[line]).astype(np.int32)
    batch = Batch(rows, left, right, 0, len(rows), 1, np.empty((len(rows), 0), np.int32), len(rows), parts)
    before = theirs.syn1[: len(words) - 1].copy()
    theirs.train(sentences, total_examples=len(sentences), epochs=1)
    family.step(network, batch, rate, gensim_tree(theirs.wv))
    for ours, new in (
        (network.words - own, theirs.wv.vectors_vocab - 0.75 * own),
        (network.ngrams - ngrams, theirs.wv.vectors_ngrams - 0.75 * ngrams),
        (network.output - before, theirs.syn1[: len(words) - 1] - before),
    ):
        assert np.linalg.norm(new) > 5 * rate
        assert np.linalg.norm(ours - new) < 0.1 * np.linalg.norm(new)
    assert set(np.flatnonzero(np.abs(network.ngrams - ngrams).max(axis=1) > 1e-6)) == set(parts.rows)


@pytest.mark.parametrize(
    "change",
    [{"subwords": "6-3"}, {"subwords": "0-3"}, {"subwords": "three"}, {"subwords": ""}, {"buckets": 0}, {"hashes": 0}],
    ids=str,
)
def test_it_refuses_n_grams_that_cannot_be(change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        replace(FAMILIES["cbow-subwords"], **change)
