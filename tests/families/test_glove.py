"""GloVe: the compiled step beside its reference, the numbers known beforehand, counts that are kept and given."""

import json
import math
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest

import firth
from firth import corpus as corpora
from firth import kernels, objectives
from firth.cooccurrences import Cooccurrences, counted
from firth.families.glove import Network, Tables, reference_step
from firth.formats import safetensors
from firth.tokens import encode
from firth.vocabulary import Vocabulary

SMALL = firth.GloVe(dim=8, window=3, min_count=1, x_max=5.0)
FAMILIES = {
    "symmetric": SMALL,
    "left": replace(SMALL, context="left"),
    "words": replace(SMALL, result="words"),
    "wide": replace(SMALL, dim=33, weight_exponent=0.5),
    "clipped": replace(SMALL, clip=0.05),
}
TEXT = ["the cat sat on the mat", "the dog sat on the log", "", "a cat and a dog", "on the mat a cat sat"] * 12


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def family(request):
    return request.param


@pytest.fixture
def stream_of(tmp_path):
    """The stream of a family over TEXT, and its vocabulary."""
    with encode(corpora.read(iter(TEXT)), None, tmp_path / "corpus") as corpus:
        vocabulary = Vocabulary.from_counts(corpus.types, corpus.counts, min_count=1)

        def stream(family):
            with counted(corpus, vocabulary, family.nearness, cache_dir=tmp_path / "cache") as counts:
                return family.stream(counts, vocabulary), vocabulary

        yield stream


def random_network(family, vocabulary, dtype, scale=0.4):
    """A network that has learnt something, if nothing useful."""
    rng = np.random.default_rng(5)
    network = family.network(vocabulary, seed=1)
    for table in network[:2]:
        table[:, : family.dim] += scale * rng.normal(size=(len(table), family.dim)).astype(np.float32)
    network.word_squares[:] += rng.random(network.word_squares.shape, np.float32)
    return Network(*(table.astype(dtype) for table in network))


def batches(family, text):
    return [family.batch(text, number, seed=3) for number in range(2 * text.n_batches)]


def test_the_step_equals_its_reference(family, stream_of):
    text, vocabulary = stream_of(family)
    network, expected = (random_network(family, vocabulary, dtype) for dtype in (np.float32, np.float64))
    for batch in batches(family, text):
        step, due = family.step(network, batch, 0.05), reference_step(family, expected, batch, 0.05)
        assert step.n_pairs == due.n_pairs
        assert step.loss_nats == pytest.approx(due.loss_nats, rel=1e-4)
    for table, reference in zip(network, expected, strict=True):
        np.testing.assert_allclose(table, reference, atol=2e-5)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 40])
@pytest.mark.parametrize("dim", [1, 6, 14, 100, 300])
def test_the_step_equals_its_reference_whatever_the_shape(tmp_path, n, dim):
    family = replace(SMALL, dim=dim, window=1)
    lines = [f"the w{number}" for number in range(n)] * 3 + ["the w0"]
    with encode(corpora.read(iter(lines)), None, tmp_path / "corpus") as corpus:
        vocabulary = Vocabulary.from_counts(corpus.types, corpus.counts, min_count=1)
        with counted(corpus, vocabulary, family.nearness, cache_dir=tmp_path / "cache") as counts:
            text = family.stream(counts, vocabulary)
            network, expected = (random_network(family, vocabulary, dtype) for dtype in (np.float32, np.float64))
            for batch in batches(family, text):
                family.step(network, batch, 0.05)
                reference_step(family, expected, batch, 0.05)
    for table, reference in zip(network, expected, strict=True):
        np.testing.assert_allclose(table, reference, atol=2e-5)


def test_one_step_by_hand(tmp_path):
    """`a b` of a window of 1 counts 1 both ways; W, C = 2, 3 in one dimension, biases .5 and -.25, a rate of .1.

    The score is 6.25, its log 0, its weight (1 / 16) ** .5 = .25, the slope 1.5625; the gradients of a's row in W are
    .1 * slope * (3, 1), and the squares of the first, from 1 on, 1 + .46875 ** 2.
    """
    family = firth.GloVe(dim=1, window=1, min_count=1, x_max=16.0, weight_exponent=0.5)
    with encode(corpora.read(iter(["a b"])), None, tmp_path / "corpus") as corpus:
        vocabulary = Vocabulary.from_counts(corpus.types, corpus.counts, min_count=1)
        with counted(corpus, vocabulary, family.nearness, cache_dir=tmp_path / "cache") as counts:
            text = family.stream(counts, vocabulary)
            network = family.network(vocabulary, seed=1)
            network.words[:, :3] = [[2.0, 0.5, 1.0], [0.0, 0.0, 1.0]]
            network.contexts[:, :3] = [[0.0, 1.0, 0.0], [3.0, 1.0, -0.25]]
            batch = family.batch(text, 0, seed=1)._replace(rows=np.array([0], np.int32))
            step = family.step(network, batch, 0.1)
    assert step.n_pairs == 2  # a as a word, and as a context: there both rows are 0, and so is the log
    assert step.loss_nats == pytest.approx(0.25 * 6.25**2 / 2)
    gradients = 0.1 * 0.25 * 6.25 * np.array([3.0, 1.0])
    squares = 1 + gradients**2
    np.testing.assert_allclose(network.word_squares[0, :2], squares, rtol=1e-6)
    np.testing.assert_allclose(network.words[0, :3], [*([2.0, 0.5] - gradients / np.sqrt(squares)), 1.0], rtol=1e-6)
    np.testing.assert_array_equal(network.words[1, :3], [0.0, 0.0, 1.0])
    np.testing.assert_array_equal(network.contexts[0, :3], [0.0, 1.0, 0.0])


def test_the_references_gradient_is_the_derivative_of_its_loss(family, stream_of):
    text, vocabulary = stream_of(family)
    batch = batches(family, text)[0]._replace(rows=np.arange(len(vocabulary), dtype=np.int32))
    network = random_network(family, vocabulary, np.float64)
    gradient = family.loss(network, batch)
    used = family.dim + 2
    for table, analytic, one_at in (
        (network.words, gradient.words, used - 1),
        (network.contexts, gradient.contexts, used - 2),
    ):
        for row, column in np.ndindex(len(table), used):
            if column == one_at:
                assert analytic[row, column] == 0
                continue
            there = table[row, column]
            table[row, column] = there + 1e-5
            above = family.loss(network, batch).nats
            table[row, column] = there - 1e-5
            below = family.loss(network, batch).nats
            table[row, column] = there
            assert analytic[row, column] == pytest.approx((above - below) / 2e-5, abs=1e-6)


def test_half_the_weighted_squares_of_equation_8():
    nats, slopes = objectives.weighted_squares(np.array([1.0, 2.0, 0.0]), np.array([math.e, 16.0, 1.0]), 16.0, 0.5)
    assert nats == pytest.approx((2 - math.log(16)) ** 2 / 2)
    np.testing.assert_allclose(slopes, [0, 2 - math.log(16), 0], atol=1e-12)


@pytest.mark.parametrize("exponent", [0.0, 0.75, 3.0])
def test_logs_and_weights_are_those_of_the_counts(exponent):
    counts = np.unique(np.geomspace(1, 2**50, 3000).astype(np.uint64))
    entries = np.zeros((len(counts), 3), np.uint32)
    entries[:, 0] = np.arange(len(counts))
    entries[:, 1], entries[:, 2] = counts & np.uint64(0xFFFFFFFF), counts >> np.uint64(32)
    by = kernels.entries_memory(len(counts))
    share, x_max = 1 / 2520, 100.0
    n = len(counts)
    filled = kernels.lay_entries(
        by, entries, 0, n, np.uint64(7), share, np.float32(math.log(x_max)), np.float32(exponent)
    )
    assert sorted(by.columns[:n].tolist()) == list(range(n))
    assert filled % kernels.TOGETHER == 0
    assert not by.weights[n:filled].any()
    x = counts[by.columns[:n]] * share
    np.testing.assert_allclose(by.logs[:n], np.log(x), rtol=3e-7, atol=3e-7)
    np.testing.assert_allclose(by.weights[:n], np.minimum(1, (x / x_max) ** exponent), rtol=1e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6, 10, 12, 30, 97, 100, 2310])
def test_a_stride_leads_over_all_places(n):
    stride = kernels.stride_of(n)
    assert sorted(k * stride % n for k in range(n)) == list(range(n))


def test_a_pass_takes_every_word_once_in_another_order(stream_of):
    text, _ = stream_of(SMALL)
    first, second = (
        [SMALL.batch(text, number, seed=3).rows.tolist() for number in range(start, start + text.n_batches)]
        for start in (0, text.n_batches)
    )
    assert sorted(chain(*first)) == sorted(chain(*second)) == list(range(9))
    assert first != second
    assert [text.tokens_before(number) for number in (0, text.n_batches, 2 * text.n_batches)] == [0, 276, 552]


@pytest.mark.parametrize("rate", [0.05, 1.0, 1000.0])
@pytest.mark.parametrize("clip", [1e-3, 100.0, 1e9])
def test_no_rate_makes_nan(rate, clip):
    """The steps of AdaGrad are bounded whatever the gradient, since squares are added before the division."""
    model = firth.train(replace(SMALL, learning_rate=rate, clip=clip), TEXT, epochs=60, threads=1)
    for table in model.network:
        assert np.isfinite(table).all()
    assert np.isfinite(model.record["loss_nats"])


def test_words_that_stand_together_come_to_lie_together():
    lines = ["king queen palace crown"] * 30 + ["cat dog paw tail"] * 30 + ["king cat", "dog queen"]
    model = firth.train(replace(SMALL, dim=16, x_max=10.0), lines, epochs=200, threads=1)
    scores = [model.vectors.similarity("king", word) for word in ("queen", "palace", "crown", "cat", "dog", "paw")]
    assert min(scores[:3]) > max(scores[3:])


def test_the_result_is_the_sum_or_the_words_alone(tmp_path):
    total, alone = (
        firth.train(replace(SMALL, result=result), TEXT, epochs=5, threads=1, output=tmp_path / result)
        for result in ("sum", "words")
    )
    np.testing.assert_array_equal(total.output_table(), alone.output_table())
    np.testing.assert_array_equal(total.table(), alone.table() + alone.output_table())
    for model in (total, alone):
        kept = firth.load(tmp_path / model.family.result).network
        assert isinstance(kept, Tables)
        for name, table in model.network._asdict().items():
            np.testing.assert_array_equal(getattr(kept, name), table)
        assert kept.input_bias.shape == kept.output_bias.shape == (9,)
        np.testing.assert_array_equal(firth.Vectors.load(tmp_path / model.family.result).matrix, model.table())


def test_what_is_trained_is_read_where_vectors_are_wider():
    vocabulary = Vocabulary(["a", "b"], [2, 1])
    network = random_network(SMALL, vocabulary, np.float32)
    wider = {name: np.pad(table, ((0, 0), (0, 8)), constant_values=7) for name, table in network._asdict().items()}
    read = SMALL.from_tensors(wider)
    for table, back in zip(network, read, strict=True):
        assert back.shape == table.shape
        np.testing.assert_array_equal(back[:, : SMALL.dim + 2], table[:, : SMALL.dim + 2])
    assert read.word_squares.min() > 0  # what fills rows up is divided by the root of its squares too
    assert not read.words[:, SMALL.dim + 2 :].any()


def test_a_model_is_gone_on_with(tmp_path):
    first = firth.train(SMALL, TEXT, epochs=60, threads=1, output=tmp_path / "model")
    more = [*TEXT, "the horse sat on the mat"]
    barely = replace(SMALL, learning_rate=1e-9)
    second = firth.train(barely, more, base=tmp_path / "model", epochs=1, threads=1)
    for word in first.vocabulary.words:
        np.testing.assert_allclose(second.vectors[word], first.vectors[word], atol=1e-5)
    assert "horse" in second.vectors
    rows = second.vocabulary.rows(first.vocabulary.words)
    np.testing.assert_allclose(second.network.input_squares[rows], first.network.input_squares, rtol=1e-5)
    goes_on = firth.train(SMALL, more, base=first, epochs=5, threads=1)
    anew = firth.train(SMALL, more, epochs=5, threads=1)
    assert goes_on.record["loss_nats"] < anew.record["loss_nats"]
    with pytest.raises(firth.UsageError, match="skipgram cannot go on from a model of glove"):
        firth.train(firth.Skipgram(dim=8, min_count=1), TEXT, base=first)


def test_counts_are_kept_and_stand_for_the_corpus(tmp_path):
    place = tmp_path / "counts"
    told = {"epochs": 5, "threads": 1}
    plain = firth.train(SMALL, TEXT, **told)
    kept = firth.train(SMALL, TEXT, counts=place, **told)
    found = firth.train(SMALL, TEXT, counts=str(place), **told)
    given = firth.train(SMALL, None, counts=[place], **told)
    for model in (kept, found, given):
        np.testing.assert_array_equal(model.table(), plain.table())
    with Cooccurrences(place) as counts:
        assert given.record["corpus"]["fingerprint"] == counts.fingerprint
        assert given.record["corpus"]["n_tokens"] == plain.record["corpus"]["n_tokens"] == counts.n_tokens
    assert given.segmentation == plain.segmentation


def test_counts_of_parts_are_added_up(tmp_path):
    with firth.count(TEXT, tmp_path / "whole", min_count=1, window=3):
        pass
    for number, part in enumerate((TEXT[:20], TEXT[20:])):
        with firth.count(part, tmp_path / f"{number}", window=3, vocabulary=tmp_path / "whole"):
            pass
    parts = firth.train(SMALL, None, counts=[tmp_path / "0", tmp_path / "1"], epochs=3, threads=1)
    whole = firth.train(SMALL, None, counts=tmp_path / "whole", epochs=3, threads=1)
    np.testing.assert_array_equal(parts.table(), whole.table())
    with pytest.raises(firth.UsageError, match="is not there; counts are written to one file"):
        firth.train(SMALL, TEXT, counts=[tmp_path / "0", tmp_path / "2"], epochs=3)


def test_counts_made_otherwise_are_refused(tmp_path):
    with firth.count(TEXT, tmp_path / "counts", min_count=1, window=3):
        pass
    for family, reason in (
        (replace(SMALL, window=4), "--window 3"),
        (replace(SMALL, context="left"), "--context symmetric"),
        (replace(SMALL, min_count=13), "--min-count 12"),
    ):
        with pytest.raises(firth.UsageError, match=reason):
            firth.train(family, None, counts=tmp_path / "counts", epochs=1)
    with pytest.raises(firth.UsageError, match="the corpus has"):
        firth.train(SMALL, TEXT[:-1], counts=tmp_path / "counts", epochs=1)
    with pytest.raises(firth.UsageError, match="7 of the corpus are to be counted"):
        firth.train(SMALL, TEXT, counts=tmp_path / "counts", count_tokens=7, epochs=1)
    with pytest.raises(firth.UsageError, match="count_tokens is of a corpus"):
        firth.train(SMALL, None, counts=tmp_path / "counts", count_tokens=7, epochs=1)
    with pytest.raises(firth.UsageError, match="count_tokens is 0"):
        firth.train(SMALL, TEXT, count_tokens=0, epochs=1)
    cased = firth.Preparation(cased=True)
    with pytest.raises(firth.UsageError, match="found otherwise than those of the corpus"):
        firth.train(SMALL, TEXT, counts=tmp_path / "counts", preparation=cased, epochs=1)
    with pytest.raises(firth.UsageError, match="memory is 0"):
        firth.train(SMALL, TEXT, memory=0, epochs=1)
    with pytest.raises(firth.UsageError, match="counts, count_tokens and memory are of GloVe"):
        firth.train(firth.CBOW(), TEXT, counts=tmp_path / "counts")


def test_a_run_on_counts_alone_is_resumed(tmp_path, ctrl_c_in_step):
    with firth.count(TEXT, tmp_path / "counts", min_count=1, window=3):
        pass
    told = {"counts": tmp_path / "counts", "epochs": 4, "threads": 1}
    unbroken = firth.train(SMALL, None, **told)
    with ctrl_c_in_step(SMALL, 12), pytest.raises(KeyboardInterrupt):
        firth.train(SMALL, None, output=tmp_path / "model", **told)
    resumed = firth.train(SMALL, None, output=tmp_path / "model", resume=True, **told)
    for name, table in unbroken.network._asdict().items():
        np.testing.assert_array_equal(getattr(resumed.network, name), table)


def test_a_damaged_checkpoint_is_refused(tmp_path, ctrl_c_in_step):
    with ctrl_c_in_step(SMALL, 12), pytest.raises(KeyboardInterrupt):
        firth.train(SMALL, TEXT, epochs=4, threads=1, output=tmp_path / "model")
    (trained,) = (tmp_path / "model" / "checkpoint").glob("*/network.safetensors")
    tensors = {name: np.array(table) for name, table in safetensors.read(trained).items()}
    for damaged in ({"words": tensors["words"]}, tensors | {"contexts": tensors["contexts"][:3]}):
        safetensors.write(trained, damaged)
        with pytest.raises(firth.FirthError, match="is damaged"):
            firth.train(SMALL, TEXT, epochs=4, threads=1, output=tmp_path / "model", resume=True)


def test_the_loss_is_reported_in_its_unit(tmp_path):
    model = firth.train(SMALL, TEXT, epochs=5, threads=2, output=tmp_path / "model")
    logged = [json.loads(line) for line in (tmp_path / "model" / "log.jsonl").read_text().splitlines()]
    assert logged == model.log
    assert model.record["prepared"].keys() == {"encode_seconds", "count_seconds", "compile_seconds"}
    assert SMALL.loss_unit == "squared nats"


def test_a_training_that_is_told_no_budget_passes_25_times():
    assert firth.train(SMALL, TEXT, threads=1).record["budget"] == {"epochs": 25}


@pytest.mark.parametrize(
    "change",
    [
        {"dim": 0},
        {"window": 0},
        {"min_count": 0},
        {"max_size": 1},
        {"context": "right"},
        {"distance_weights": "linear"},
        {"result": "concatenated"},
        {"x_max": 0.0},
        {"x_max": math.nan},
        {"weight_exponent": -1.0},
        {"weight_exponent": math.inf},
        {"clip": 0.0},
        {"clip": math.inf},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"learning_rate": 1e4},
        {"final_learning_rate": 1.0},
    ],
    ids=str,
)
def test_it_refuses_what_is_out_of_range(change):
    with pytest.raises(firth.UsageError, match=next(iter(change))):
        replace(SMALL, **change)


def test_the_learning_rate_stays_unless_told():
    assert [firth.GloVe().rate(fraction) for fraction in (0.0, 0.5, 1.0)] == [0.05] * 3
    told = firth.GloVe(learning_rate=0.1, final_learning_rate=0.05)
    assert [told.rate(fraction) for fraction in (0.0, 0.5, 1.0)] == pytest.approx([0.1, 0.075, 0.05])
