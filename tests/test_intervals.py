"""Intervals: as wide as scores of fresh samples vary, around the score that metrics gives."""

import numpy as np
import pytest
import scipy.stats

from helpers import intervals, metrics
from helpers.neighbours import nearest_others

RANDOM = np.random.default_rng(0)
N, D = 300, 6
REAL = RANDOM.normal(size=(400, D))


def fakes(seed, n=N):
    """Features of a generator that is off in its mean and its spread."""
    return 0.3 + 0.9 * np.random.default_rng(seed).standard_t(8, size=(n, D))


def near():
    return float(np.quantile(nearest_others(REAL[:N], 1)[0], 0.05))


SCORES = {
    "frechet distance": lambda x: intervals.frechet_distance(REAL, x),
    "kernel distance": lambda x: intervals.kernel_distance(REAL, x),
    "recall": lambda x: intervals.manifolds(REAL, x)["recall"],
    "density": lambda x: intervals.manifolds(REAL, x)["density"],
    "coverage": lambda x: intervals.manifolds(REAL, x)["coverage"],
    "diversity": lambda x: intervals.diversity(x, REAL),
    "duplicates": lambda x: intervals.duplicates(x, near()),
    "share": lambda x: intervals.of_share(x[:, 0] > 1),
    "mean": lambda x: intervals.estimate(lambda kept: float(kept.mean()), x),
}


@pytest.mark.parametrize("name", SCORES)
def test_an_interval_is_as_wide_as_scores_of_fresh_samples_vary(name):
    found = [SCORES[name](fakes(seed)) for seed in range(100)]
    values = np.array([each.value for each in found])
    halves = np.array([(each.high - each.low) / 2 for each in found])
    # 1.96 standard deviations, or 2.09 for 20 groups, which 100 samples tell to some 10 %. Where
    # neighbours matter the jackknife is too wide, as its docstring says, but never too narrow.
    ratio = np.median(halves) / (2.03 * values.std())
    assert 0.75 < ratio < (1.7 if name in ("recall", "duplicates") else 1.3)
    held = np.mean([each.low <= values.mean() <= each.high for each in found])
    assert held >= 0.88


FAKE = fakes(1000)
K_GROUPS = intervals.groups_of(N)


def left_out(score):
    """The score with each group of fakes left out, and of all of them, the plain way."""
    every = [score(FAKE[K_GROUPS != group]) for group in range(intervals.GROUPS)]
    return intervals.jackknife(score(FAKE), every)


PLAIN = {
    "recall": lambda x: metrics.precision_recall(REAL, x)[1],
    "density": lambda x: metrics.density_coverage(REAL, x)[0],
    "coverage": lambda x: metrics.density_coverage(REAL, x)[1],
    "frechet distance": lambda x: metrics.frechet_distance(x, REAL),
    "kernel distance": lambda x: metrics.kernel_distance(REAL, x, subsets=1, subset_size=1000)[0],
}


@pytest.mark.parametrize("name", PLAIN)
def test_quick_ways_give_what_computing_each_anew_gives(name):
    np.testing.assert_allclose(SCORES[name](FAKE), left_out(PLAIN[name]), rtol=1e-9, atol=1e-12)


def test_precision_is_a_share_with_wilsons_interval_and_known_reaches_change_nothing():
    found = intervals.manifolds(REAL, FAKE)
    assert found["precision"].value == metrics.precision_recall(REAL, FAKE)[0]
    n = round(found["precision"].value * N)
    assert found["precision"] == intervals.of_share(np.arange(N) < n)
    reach = nearest_others(REAL, 7)[0]
    others = intervals.others_of(FAKE)
    assert intervals.manifolds(REAL, FAKE, reach=reach, others=others) == found
    assert intervals.duplicates(FAKE, 0.9, others) == intervals.duplicates(FAKE, 0.9)
    of_real = metrics.mean_kernel(REAL)
    known = intervals.kernel_distance(REAL, FAKE, of_real)
    assert known == pytest.approx(intervals.kernel_distance(REAL, FAKE))


def test_duplicates_left_out_are_counted_among_the_rest_only():
    def plain(x):
        from scipy.spatial.distance import cdist

        every = cdist(x, x)
        np.fill_diagonal(every, np.inf)
        return float((every.min(axis=1) <= near()).mean())

    np.testing.assert_allclose(intervals.duplicates(FAKE, near()), left_out(plain), rtol=1e-9)


def test_values_are_those_of_metrics():
    expected = metrics.diversity(FAKE, REAL)
    assert intervals.diversity(FAKE, REAL).value == pytest.approx(expected, rel=1e-12)
    reference = RANDOM.normal(size=(N, D))
    bound = float(np.quantile(nearest_others(reference, 1)[0], 0.01))
    expected = metrics.duplicates(FAKE, reference)
    assert intervals.duplicates(FAKE, bound).value == pytest.approx(expected)


def test_the_jackknife_of_a_mean_is_students_interval_of_the_groups_means():
    x = RANDOM.normal(size=400)
    found = intervals.estimate(lambda kept: float(kept.mean()), x)
    groups = x.reshape(20, 20).mean(axis=1)
    low, high = scipy.stats.t.interval(0.95, 19, groups.mean(), groups.std(ddof=1) / np.sqrt(20))
    assert found == pytest.approx((x.mean(), low, high))


def test_a_share_of_none_or_all_has_an_interval_with_width():
    none = intervals.of_share(np.zeros(1000, bool))
    assert none.value == none.low == 0
    assert none.high == pytest.approx(1.96**2 / (1000 + 1.96**2), rel=1e-3)  # Wilson, by hand
    assert intervals.of_share(np.ones(1000, bool)).low == pytest.approx(1 - none.high)


@pytest.mark.parametrize("n", [20, 21, 399, 5000])
def test_groups_are_all_there_in_order_and_as_large_as_each_other(n):
    groups = intervals.groups_of(n)
    sizes = np.bincount(groups, minlength=20)
    assert len(groups) == n
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= 1
    assert (np.diff(groups) >= 0).all()


def test_one_picture_repeated_and_few_samples_have_finite_intervals():
    same = np.repeat(FAKE[:1], 25, axis=0)
    for name, score in SCORES.items():
        assert np.isfinite(score(same)).all(), name
        assert np.isfinite(score(FAKE[:20])).all(), name
    assert intervals.duplicates(same, 0.0).value == 1
