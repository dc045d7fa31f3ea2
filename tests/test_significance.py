"""Intervals, differences and corrections: by hand, against SciPy, and by what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from firth import significance
from firth.errors import UsageError
from firth.significance import (
    difference,
    differences,
    draws,
    halves,
    holm,
    in_majority,
    interval,
    over_seeds,
    two_sided,
    value,
)

NAN = float("nan")


def correlated(n=200, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    gold = rng.normal(size=n).round(1)  # with ties
    return np.stack([gold, gold + noise * rng.normal(size=n)], axis=1)


# --- scores


def test_scores_by_hand():
    assert value("accuracy", [1, 0, NAN, 1]) == pytest.approx(2 / 3)
    assert value("opp", [1, 0.5, NAN]) == pytest.approx(0.75)
    # cluster 0 has two words of category 0 and one of 1, cluster 1 one of category 1: 3 of 4
    assert value("purity", [[0, 0], [0, 0], [1, 0], [1, 1], [5, NAN]]) == pytest.approx(3 / 4)
    assert value("purity", [[0, 7], [0, 7], [1, 7], [1, 7]]) == pytest.approx(1 / 2)
    # 2 of 3 are found, with one more that is none: 2 * 2 / (3 + 3)
    assert value("f1", [[1, 2, 1], [1, 1, 2], [0, 0, 0], [NAN, 1, NAN]]) == pytest.approx(2 / 3)
    assert value("f1", [[0, 0, 0]]) == 0
    assert value("spearman", [[1, 10], [2, 20], [3, 15]]) == pytest.approx(0.5)


@pytest.mark.parametrize("measure", ["spearman", "pearson"])
def test_correlations_are_scipys(measure):
    items = correlated()
    items[:, 1] = items[:, 1].round(1)
    due = stats.spearmanr(*items.T) if measure == "spearman" else stats.pearsonr(*items.T)
    assert value(measure, items) == pytest.approx(due.statistic, abs=1e-12)


@pytest.mark.parametrize("measure", ["spearman", "pearson"])
def test_each_sample_is_scored_as_its_items_are(measure):
    items = correlated(30)
    (counts,) = draws(len(items), 20, seed=3)
    assert (counts.sum(axis=1) == 30).all()
    (found,) = significance._STATISTICS[measure](items[np.newaxis], counts)
    for score, times in zip(found, counts.astype(int), strict=True):
        drawn = np.repeat(items, times, axis=0)
        due = stats.spearmanr(*drawn.T) if measure == "spearman" else stats.pearsonr(*drawn.T)
        assert score == pytest.approx(due.statistic, abs=1e-9)


@pytest.mark.parametrize(
    ("measure", "items"),
    [
        ("accuracy", []),
        ("accuracy", [NAN]),
        ("spearman", np.zeros((0, 2))),
        ("spearman", [[1, 2]]),
        ("spearman", [[1, 0.3], [1, 0.1], [1, 0.2]]),
        ("pearson", [[1, 0.1], [2, 0.1], [4, 0.1]]),
        ("purity", [[0, NAN]]),
    ],
)
def test_what_is_undefined_is_nan(measure, items):
    assert np.isnan(value(measure, items))
    found = interval(measure, items, n_samples=10)
    assert np.isnan([found.value, found.low, found.high]).all()


# --- intervals


def test_an_interval_is_that_of_the_binomial():
    items = np.tile([0, 1], 200)
    found = interval("accuracy", items)
    assert (found.value, found.n) == (0.5, 400)
    width = 1.96 * np.sqrt(0.25 / 400)
    assert found.low == pytest.approx(0.5 - width, abs=0.004)
    assert found.high == pytest.approx(0.5 + width, abs=0.004)


def test_an_interval_of_a_correlation_is_fishers():
    items = correlated(400)
    found = interval("pearson", items, n_samples=4_000)
    middle, width = np.arctanh(found.value), 1.96 / np.sqrt(397)
    assert found.low == pytest.approx(np.tanh(middle - width), abs=0.02)
    assert found.high == pytest.approx(np.tanh(middle + width), abs=0.02)


def test_the_seed_decides_and_what_is_unanswered_does_not_count():
    items = (np.random.default_rng(0).random(300) < 0.4).astype(float)
    with_gaps = np.insert(items, [2, 5], NAN)
    assert interval("accuracy", items, n_samples=500) == interval("accuracy", with_gaps, n_samples=500)
    assert interval("accuracy", items, n_samples=500) != interval("accuracy", items, n_samples=500, seed=2)


def test_seeds_that_differ_make_an_interval_wider():
    rng = np.random.default_rng(5)
    runs = [(rng.random(500) < share).astype(float) for share in (0.3, 0.5, 0.7)]
    alone = interval("accuracy", runs[1], n_samples=2_000)
    together = over_seeds("accuracy", runs, n_samples=2_000)
    assert together.value == pytest.approx(np.mean([run.mean() for run in runs]))
    assert together.high - together.low > 2 * (alone.high - alone.low)
    same = over_seeds("accuracy", [runs[1]] * 3, n_samples=2_000)
    assert (same.low, same.high) == pytest.approx((alone.low, alone.high))


# --- differences


def test_a_model_is_as_good_as_itself():
    items = correlated()
    found = difference("spearman", [items], [items], n_samples=300)
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_difference_is_the_first_less_the_second_on_what_both_answered():
    better, worse = np.ones(50), np.zeros(50)
    better[:10], worse[40:] = NAN, NAN
    found = difference("accuracy", [better], [worse], n_samples=200)
    assert (found.first, found.second, found.difference, found.n) == (1, 0, 1, 30)
    assert (found.low, found.high) == (1, 1)
    assert found.p == pytest.approx(1 / 201)
    back = difference("accuracy", [worse], [better], n_samples=200)
    assert (back.difference, back.p) == (-1, found.p)


def test_items_are_paired():
    rng = np.random.default_rng(2)
    hard = rng.random(1_000) < 0.5  # the same questions are hard for both
    first = np.where(hard, 0.0, 1.0)
    second = first.copy()
    second[np.flatnonzero(first)[:20]] = 0
    found = difference("accuracy", [first], [second], n_samples=2_000)
    assert found.difference == pytest.approx(0.02)
    assert found.p < 0.01
    unpaired = difference("accuracy", [first], [rng.permutation(second)], n_samples=2_000)
    assert unpaired.p > 0.2


def test_models_are_compared_two_by_two_on_what_all_answered():
    a, b, c = (correlated(60, noise, seed) for noise, seed in ((0.2, 1), (1, 1), (3, 1)))
    c[:5, 1] = NAN
    found = differences("spearman", {"a": [a], "b": [b, a], "c": [c]}, n_samples=400)
    assert list(found) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {one.n for one in found.values()} == {55}
    assert found["a", "c"] == difference("spearman", [a[5:]], [c[5:]], n_samples=400)
    assert found["a", "b"].second == pytest.approx((value("spearman", b[5:]) + value("spearman", a[5:])) / 2)


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_a_handful_of_items_is_not_more_than_chance(n):
    found = difference("accuracy", [np.ones(n)], [np.zeros(n)], n_samples=1_000)
    assert found.p == 2.0 ** (1 - n)
    more = np.append(np.ones(n), [0.0, 1.0]), np.append(np.zeros(n), [0.0, 1.0])  # what both answer alike says nothing
    assert difference("accuracy", [more[0]], [more[1]], n_samples=1_000).p >= found.p


def test_few_items_are_swapped_in_every_way():
    first, second = np.zeros(20), np.zeros(20)
    first[:8], second[8] = 1, 1
    exact = stats.binomtest(8, 9).pvalue
    assert difference("accuracy", [first], [second], n_samples=1_000).p == pytest.approx(exact)


def test_of_two_pairs_nothing_is_told_apart():
    found = difference("spearman", [[[1, 1], [2, 2]]], [[[1, 2], [2, 1]]], n_samples=1_000)
    assert (found.difference, found.p) == (2, 0.5)


def test_samples_whose_difference_is_undefined_do_not_count():
    samples = np.array([NAN, NAN, NAN, 0.2, 0.0])
    assert two_sided(samples, 0.1) == 1.0
    assert np.isnan(two_sided(np.array([NAN]), 0.1))


def test_many_comparisons_can_tell_a_difference_that_no_sample_comes_near():
    rng = np.random.default_rng(4)
    first, second = (rng.random(1_000) < 0.6).astype(float), (rng.random(1_000) < 0.3).astype(float)
    found = difference("accuracy", [first], [second], n_samples=200)
    assert found.p == pytest.approx(stats.ttest_rel(first, second).pvalue, rel=0.999, abs=1e-20)
    assert max(holm([found.p] * 5_000)) < 0.05


def test_purity_does_not_rise_because_words_are_drawn_twice():
    words = np.array([[number % 5, number // 5] for number in range(10)])  # a word of each category in either cluster
    assert value("purity", words) == pytest.approx(0.2)
    assert value("purity", in_majority(words)) == pytest.approx(0.2)
    (counts,) = draws(10, 2_000, seed=1)
    (samples,) = significance._STATISTICS["purity"](in_majority(words)[np.newaxis], counts)
    assert samples.mean() == pytest.approx(0.2, abs=0.02)
    assert np.isnan(in_majority([[0, 1], [1, NAN]])).tolist() == [False, True]


def test_chance_makes_a_difference_as_rarely_as_it_says():
    rng = np.random.default_rng(11)
    small = 0
    for trial in range(200):
        one, other = (rng.random(80) < 0.5).astype(float), (rng.random(80) < 0.5).astype(float)
        small += difference("accuracy", [one], [other], n_samples=200, seed=trial).p < 0.05
    assert small <= 22  # 10 are due; more than 22 come once in ten thousand times


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interval("opp", [[1, 0]]), r"\(n,\) is due"),
        (lambda: interval("spearman", [1, 0]), r"\(n, 2\) is due"),
        (lambda: interval("f2", [1, 0]), "there are spearman"),
        (lambda: interval("accuracy", [1, 0], n_samples=0), "at least 1"),
        (lambda: over_seeds("accuracy", []), "one run at least"),
        (lambda: difference("accuracy", [[1, 0]], [[1, 0, 1]]), "the same questions are due"),
    ],
)
def test_wrong_calls_are_told(call, message):
    with pytest.raises(UsageError, match=message):
        call()


# --- many comparisons


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    corrected = holm([0.02, NAN, 0.02])
    assert corrected[0] == corrected[2] == pytest.approx(0.04)
    assert np.isnan(corrected[1])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=30))
def test_corrected_ps_are_no_smaller_and_in_the_same_order(p_values):
    corrected = holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    assert [corrected[place] for place in order] == sorted(corrected)


# --- halves


@given(st.lists(st.booleans(), max_size=200), st.integers(0, 5))
def test_halves_part_the_rows_that_are_taken(taken, seed):
    one, other = halves(taken, seed=seed)
    assert sorted([*one, *other]) == list(np.flatnonzero(taken))
    assert len(other) - len(one) in (0, 1)


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(0, 5), st.data())
def test_where_one_row_more_is_taken_all_others_but_one_keep_their_half(taken, seed, data):
    place = data.draw(st.integers(0, len(taken) - 1))
    without, taken_too = [[*taken[:place], is_taken, *taken[place + 1 :]] for is_taken in (False, True)]
    before, after = (set(halves(mask, seed=seed)[0]) - {place} for mask in (without, taken_too))
    assert len(before ^ after) <= 1
