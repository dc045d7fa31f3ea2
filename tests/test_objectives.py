"""The tasks: by hand, by differences, by enumeration."""

import itertools
import math

import numpy as np
import pytest

from firth import objectives
from firth.vocabulary import Vocabulary


def numerical_gradient(function, array):
    gradient = np.zeros_like(array)
    for index in np.ndindex(array.shape):
        changed = array.copy()
        changed[index] += 1e-6
        above = function(changed)
        changed[index] -= 2e-6
        gradient[index] = (above - function(changed)) / 2e-6
    return gradient


def test_one_pair_and_one_noise_word_by_hand():
    hidden = np.array([[math.log(3.0), 0.0]])  # scores: log 3 and -log 3
    loss = objectives.negative_sampling(
        hidden, np.array([[1.0, 0.0]]), np.array([0]), np.array([0]), np.array([[-1.0, 0.0]]), np.array([[2.0]])
    )
    # sigmoid(log 3) = 3/4; both terms are -log 3/4, the second twice
    assert loss.nats == pytest.approx(3 * math.log(4 / 3))
    # slopes: -(1 - 3/4) on the target, 2 (1 - 3/4) on the noise word
    np.testing.assert_allclose(loss.hidden, [[-0.25 * 1 + 0.5 * -1, 0.0]])
    np.testing.assert_allclose(loss.output, [[-0.25 * math.log(3.0), 0.0], [0.5 * math.log(3.0), 0.0]])


def test_negative_samplings_gradient_is_the_derivative():
    rng = np.random.default_rng(0)
    hidden, targets, noise = rng.normal(size=(3, 4)), rng.normal(size=(5, 4)), rng.normal(size=(2, 4))
    pairs = np.array([0, 0, 1, 2, 2, 2]), np.array([0, 1, 1, 3, 4, 3])
    weights = rng.random((3, 2))

    def loss(hidden, targets, noise):
        return objectives.negative_sampling(hidden, targets, *pairs, noise, weights)

    gradient = loss(hidden, targets, noise)
    np.testing.assert_allclose(
        gradient.hidden, numerical_gradient(lambda h: loss(h, targets, noise).nats, hidden), atol=1e-7
    )
    np.testing.assert_allclose(
        gradient.output[:5], numerical_gradient(lambda t: loss(hidden, t, noise).nats, targets), atol=1e-7
    )
    np.testing.assert_allclose(
        gradient.output[5:], numerical_gradient(lambda n: loss(hidden, targets, n).nats, noise), atol=1e-7
    )


def test_hierarchical_softmaxs_gradient_is_the_derivative():
    rng = np.random.default_rng(1)
    hidden, nodes = rng.normal(size=(2, 4)), rng.normal(size=(5, 4))
    owners, signs = np.array([0, 0, 1, 1, 1]), np.array([1.0, -1.0, -1.0, 1.0, 1.0])

    def loss(hidden, nodes):
        return objectives.hierarchical_softmax(hidden, nodes, owners, signs)

    gradient = loss(hidden, nodes)
    np.testing.assert_allclose(gradient.hidden, numerical_gradient(lambda h: loss(h, nodes).nats, hidden), atol=1e-7)
    np.testing.assert_allclose(gradient.output, numerical_gradient(lambda n: loss(hidden, n).nats, nodes), atol=1e-7)


def test_hierarchical_softmax_is_a_distribution_over_the_words():
    rng = np.random.default_rng(2)
    vocabulary = Vocabulary(list("abcdefg"), [13, 8, 5, 3, 2, 1, 1])
    tree = vocabulary.huffman_tree()
    hidden, table = rng.normal(size=(1, 4)), rng.normal(size=(6, 4))
    total = 0.0
    for row in range(7):
        nodes, signs, owners = objectives.paths(tree, np.array([row]))
        total += math.exp(-objectives.hierarchical_softmax(hidden, table[nodes], owners, signs).nats)
    assert total == pytest.approx(1.0)


def test_a_shared_pool_has_mikolovs_expected_loss_and_gradient():
    """Every pool of 3 words from 5 is enumerated; noise that equals a pair's target counts for other pairs alone."""
    rng = np.random.default_rng(3)
    negatives, pool_size = 2, 3
    table = rng.normal(size=(5, 4))
    probability = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    hidden = rng.normal(size=(2, 4))
    target_rows = np.array([0, 2, 0])
    pair_hidden, pair_target = np.array([0, 0, 1]), np.array([0, 1, 2])

    expected_nats, expected_hidden, expected_table = 0.0, np.zeros_like(hidden), np.zeros_like(table)
    for pool in itertools.product(range(5), repeat=pool_size):
        noise = np.array(pool)
        weights = objectives.noise_weights(2, pair_hidden, target_rows[pair_target], noise, negatives)
        loss = objectives.negative_sampling(hidden, table[target_rows], pair_hidden, pair_target, table[noise], weights)
        chance = probability[noise].prod()
        expected_nats += chance * loss.nats
        expected_hidden += chance * loss.hidden
        np.add.at(expected_table, np.concatenate([target_rows, noise]), chance * loss.output)

    # Mikolov et al. 2013b, equation 4, with word2vec.c's rule that noise which hits the target is skipped
    def mikolov(hidden, table):
        nats = 0.0
        for h, t in zip(pair_hidden, pair_target, strict=True):
            nats += objectives.softplus(-hidden[h] @ table[target_rows[t]])
            for word in range(5):
                if word != target_rows[t]:
                    nats += negatives * probability[word] * objectives.softplus(hidden[h] @ table[word])
        return nats

    assert expected_nats == pytest.approx(mikolov(hidden, table))
    np.testing.assert_allclose(expected_hidden, numerical_gradient(lambda h: mikolov(h, table), hidden), atol=1e-7)
    np.testing.assert_allclose(expected_table, numerical_gradient(lambda t: mikolov(hidden, t), table), atol=1e-7)


@pytest.mark.parametrize("x", [-1000.0, -30.0, 0.0, 30.0, 1000.0])
def test_sigmoid_and_softplus_stay_finite(x):
    assert objectives.sigmoid(x) == pytest.approx(1 / (1 + math.exp(-x)) if x > -700 else 0.0)
    assert objectives.softplus(x) == pytest.approx(max(x, 0.0) + math.log1p(math.exp(-abs(x))))


# --- the tasks of the contextual families


def test_the_next_token_by_hand():
    """Two entries and one dimension: the score of entry 1 is the hidden value, that of entry 0 is 0."""
    torch = pytest.importorskip("torch")
    hidden = torch.tensor([[[math.log(3.0)], [0.0], [9.0]], [[math.log(3.0)], [9.0], [9.0]]], dtype=torch.float64)
    table = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    ids = torch.tensor([[0, 1, 0], [1, 0, 1]])
    # row 0: 1 after log 3 is 3/4, 0 after 0 is 1/2; row 1: 0 after log 3 is 1/4, and what follows is no target
    weights = torch.tensor([[1.0, 1, 1], [1, 1, 0]], dtype=torch.float64)
    due = (math.log(4 / 3) + math.log(2) + math.log(4)) / 3
    assert objectives.next_token(hidden, table, None, ids, weights).item() == pytest.approx(due)
    in_all = (math.log(4 / 3) + math.log(2) + math.log(4) + math.log1p(math.exp(-9))) / 4
    assert objectives.next_token(hidden, table, None, ids).item() == pytest.approx(in_all)


def test_masked_tokens_by_hand():
    torch = pytest.importorskip("torch")
    hidden = torch.tensor([[math.log(3.0)], [0.0], [5.0]], dtype=torch.float64)
    table = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    bias = torch.tensor([0.0, math.log(2.0)], dtype=torch.float64)
    targets = torch.tensor([1, 0, 0])
    # entry 1 has the odds 6 and 2: 6/7 and 1/3; the third one only fills up
    due = (math.log(7 / 6) + math.log(3)) / 2
    weights = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    assert objectives.masked_token(hidden, table, bias, targets, weights).item() == pytest.approx(due)
    assert objectives.masked_token(hidden[:2], table, bias, targets[:2]).item() == pytest.approx(due)


def test_the_next_sentence_by_hand():
    torch = pytest.importorskip("torch")
    scores = torch.tensor([[math.log(3.0), 0.0], [0.0, 0.0]], dtype=torch.float64)
    loss = objectives.next_sentence(scores, torch.tensor([1, 0]))  # 1/4 and 1/2
    assert loss.item() == pytest.approx((math.log(4) + math.log(2)) / 2)
    in_half = objectives.next_sentence(scores.bfloat16(), torch.tensor([1, 0]))
    assert in_half.dtype == torch.float32


def test_contextual_objectives_gradients_are_the_derivatives():
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 3, 4, dtype=torch.float64, generator=generator).requires_grad_()
    table = torch.randn(5, 4, dtype=torch.float64, generator=generator).requires_grad_()
    bias = torch.randn(5, dtype=torch.float64, generator=generator).requires_grad_()
    ids = torch.tensor([[0, 4, 2], [3, 3, 1]])
    weights = torch.tensor([[1.0, 0.5, 1], [1, 1, 0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda h, t, b: objectives.next_token(h, t, b, ids, weights), (hidden, table, bias))
    assert torch.autograd.gradcheck(
        lambda h, t, b: objectives.masked_token(h[0], t, b, ids[0], weights[0]), (hidden, table, bias)
    )
    assert torch.autograd.gradcheck(lambda h: objectives.next_sentence(h[:, 0, :2], torch.tensor([1, 0])), hidden)


def test_the_unigram_entropy_is_the_least_a_fixed_guess_costs(monkeypatch):
    ids = np.array([0, 0, 1, 3], np.uint16)
    due = math.log(2) / 2 + math.log(4) / 2
    assert objectives.unigram_entropy(ids, 5) == pytest.approx(due)
    monkeypatch.setattr(objectives, "_COUNTED", 3)
    assert objectives.unigram_entropy(ids, 5) == pytest.approx(due)
    assert objectives.unigram_entropy(np.arange(8), 8) == pytest.approx(math.log(8))


def test_the_next_word_by_hand():
    """As masked tokens: what was read stands in `hidden`, and every row predicts."""
    torch = pytest.importorskip("torch")
    hidden = torch.tensor([[math.log(3.0)], [0.0]], dtype=torch.float64)
    table, bias = torch.tensor([[0.0], [1.0]], dtype=torch.float64), torch.tensor([0.0, math.log(2.0)]).double()
    due = (math.log(7 / 6) + math.log(3)) / 2
    assert objectives.next_word(hidden, table, bias, torch.tensor([1, 0])).item() == pytest.approx(due)


def log_uniform(n_entries):
    rows = np.arange(n_entries)
    return np.log((rows + 2) / (rows + 1)) / np.log(n_entries + 1)


def test_a_sample_is_of_different_rows_by_falling_frequency():
    shares = log_uniform(50)
    assert shares.sum() == pytest.approx(1.0)
    drawn = [objectives.log_uniform_sample(np.random.default_rng(seed), 5, 50) for seed in range(4000)]
    for rows, n_draws in drawn[:50]:
        assert (np.diff(rows) > 0).all()
        assert len(rows) == 5 <= n_draws
        assert 0 <= rows[0] <= rows[-1] < 50
    # how often each row is in a sample, beside what would be expected of as many draws
    met = np.bincount(np.concatenate([rows for rows, _ in drawn]), minlength=50) / len(drawn)
    expected = np.mean([1 - (1 - shares) ** n_draws for _, n_draws in drawn], 0)
    np.testing.assert_allclose(met, expected, atol=0.04)
    assert met.sum() == pytest.approx(5.0)
    # and as one draw after another makes them
    rng, first = np.random.default_rng(9), []
    for _ in range(4000):
        found = []
        while len(found) < 5:
            row = rng.choice(50, p=shares)
            if row not in found:
                found.append(row)
        first.append(found)
    np.testing.assert_allclose(met, np.bincount(np.ravel(first), minlength=50) / 4000, atol=0.04)


def test_all_rows_but_one_are_a_sample_too():
    rows, n_draws = objectives.log_uniform_sample(np.random.default_rng(0), 7, 8)
    assert len(set(rows.tolist())) == 7 < n_draws


def test_the_expected_count_of_a_row():
    torch = pytest.importorskip("torch")
    rows = torch.arange(50, dtype=torch.float64)
    found = objectives.log_expected_counts(rows, 30, 50).exp().numpy()
    np.testing.assert_allclose(found, 1 - (1 - log_uniform(50)) ** 30)
    of_rare = objectives.log_expected_counts(torch.tensor([799_999.0]), torch.tensor(10), 800_000)  # float32
    assert of_rare.exp().item() == pytest.approx(10 * math.log1p(1 / 800_000) / math.log(800_001), rel=1e-5)


def test_a_sampled_next_word_by_hand():
    """Row 0 is the target of one position and the other's noise; row 2 is noise of both; row 1 is not sampled."""
    torch = pytest.importorskip("torch")
    hidden = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    table = torch.tensor([[0.5, 0.1], [0.3, -0.2], [-0.4, 0.6]], dtype=torch.float64)
    bias = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    candidates, targets, n_draws = torch.tensor([0, 2]), torch.tensor([0, 1]), 4
    shares = [math.log((k + 2) / (k + 1)) / math.log(4) for k in range(3)]
    log_counts = [math.log(1 - (1 - share) ** n_draws) for share in shares]
    scores = hidden.numpy() @ table.numpy().T + bias.numpy() - np.array(log_counts)
    first = math.log(sum(math.exp(scores[0, k]) for k in (0, 2))) - scores[0, 0]
    second = math.log(sum(math.exp(scores[1, k]) for k in (0, 1, 2))) - scores[1, 1]
    given = (hidden, table, bias, targets, candidates, n_draws, 3)
    assert objectives.sampled_next_word(*given).item() == pytest.approx((first + second) / 2)
    weights = torch.tensor([1.0, 3.0], dtype=torch.float64)
    assert objectives.sampled_next_word(*given, weights).item() == pytest.approx((first + 3 * second) / 4)


def test_a_sampled_next_words_gradient_is_the_derivative():
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(0)
    shapes = (4, 3), (9, 3), (9,)
    given = [torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in shapes]
    targets, candidates = torch.tensor([0, 3, 8, 3]), torch.tensor([0, 1, 3, 6])
    assert torch.autograd.gradcheck(
        lambda h, t, b: objectives.sampled_next_word(h, t, b, targets, candidates, 7, 9), given
    )


def test_a_sample_of_all_others_is_the_full_softmax_but_for_the_counts():
    """Where every row is sampled for certain, the expected counts are 1 and nothing is left out."""
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(1)
    hidden, table, bias = (
        torch.randn(shape, dtype=torch.float64, generator=generator) for shape in ((6, 3), (9, 3), (9,))
    )
    targets = torch.tensor([0, 3, 8, 3, 1, 2])
    sampled = objectives.sampled_next_word(hidden, table, bias, targets, torch.arange(9), 10_000, 9)
    torch.testing.assert_close(sampled, objectives.next_word(hidden, table, bias, targets))


def test_scores_in_bf16_make_a_loss_in_fp32():
    torch = pytest.importorskip("torch")
    generator = torch.Generator().manual_seed(2)
    given = [torch.randn(shape, generator=generator) for shape in ((6, 3), (9, 3), (9,))]
    ids = torch.tensor([0, 3, 8, 3, 1, 2]), torch.tensor([0, 4, 5]), 5, 9
    exact = objectives.sampled_next_word(*given, *ids)
    with torch.autocast("cpu", torch.bfloat16):
        loss = objectives.sampled_next_word(given[0].bfloat16(), *given[1:], *ids)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
