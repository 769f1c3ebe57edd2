"""Intervals, tests and sentences, against scipy, exact enumeration and simulations whose truth is known."""

from itertools import product
from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from colorize.evaluation.bootstrap import Interval, function_interval, mean_interval, mean_intervals, share_interval
from colorize.evaluation.entries import combined_interval, compare_seeds, seeds_interval
from colorize.evaluation.metric_info import measure
from colorize.evaluation.permutation import (
    Difference,
    compare_intervals,
    compare_pairs,
    compare_pooled,
    holm,
    pooled_interval,
)
from colorize.evaluation.significance import decide, number, say_difference


@pytest.fixture
def skewed():
    return np.random.default_rng(0).lognormal(0, 0.7, 200)


# --- one mean


@pytest.mark.parametrize(("ours", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
def test_bootstrap_intervals_are_scipys(ours, theirs, skewed):
    found = mean_interval(skewed, method=ours, resamples=20_000)
    expected = stats.bootstrap((skewed,), np.mean, method=theirs, n_resamples=20_000, rng=1).confidence_interval
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.03 * width)
    assert found.high == pytest.approx(expected.high, abs=0.03 * width)


def test_the_studentised_interval_is_that_of_its_definition(skewed):
    """Each resample's error in its own standard error; the quantiles change sides."""
    n, random = len(skewed), np.random.default_rng(1)
    drawn = skewed[random.integers(0, n, (20_000, n))]
    ratios = (drawn.mean(axis=1) - skewed.mean()) / (drawn.std(axis=1, ddof=1) / sqrt(n))
    error = skewed.std(ddof=1) / sqrt(n)
    low, high = skewed.mean() - error * np.quantile(ratios, [0.975, 0.025])
    found = mean_interval(skewed, resamples=20_000)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03 * (high - low))
    assert high - skewed.mean() > skewed.mean() - low  # it reaches further to where the tail is


def test_few_pictures_get_students_interval():
    values = np.array([3.0, 4.5, 5.0, 7.5])
    expected = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "value", "bounded"),
    [([5.0], 5.0, False), ([], nan, False), ([1.0, inf, 2.0], inf, False), ([4.0] * 20, 4.0, True),
     ([nan, 2.0, 4.0, nan], 3.0, True)],
)  # fmt: skip
def test_odd_columns(values, value, bounded):
    found = mean_interval(np.array(values))
    assert found.value == pytest.approx(value, nan_ok=True)
    assert isnan(found.low) != bounded
    assert found.n == np.count_nonzero(~np.isnan(values))


def test_equal_values_have_no_width():
    found = mean_interval(np.full(30, 7.0))
    assert (found.low, found.high) == (7, 7)


def test_columns_do_not_touch_each_other(skewed):
    """Alone and beside others, with what another lacks, a column has the same interval."""
    other = np.where(np.arange(200) % 3, skewed**2, np.nan)
    together = mean_intervals(np.stack([skewed, other], axis=1))
    assert together[0] == mean_interval(skewed)
    assert together[1].n == np.count_nonzero(np.arange(200) % 3)


def test_it_covers_the_truth_as_often_as_it_says():
    """600 toys of 200 log-normal pictures: 95 % within three standard errors of 0.9 %; too short ones would fail."""
    random = np.random.default_rng(2)
    toys = random.lognormal(0, 0.5, (200, 600))
    held = [i.low <= np.exp(0.125) <= i.high for i in mean_intervals(toys, resamples=1000)]
    assert 0.923 < np.mean(held) < 0.977


# --- functions and shares


def test_a_function_of_means_is_a_long_bootstraps():
    errors = np.random.default_rng(3).lognormal(-5, 0.8, 300)
    found = function_interval(errors[:, None], lambda means: -10 * np.log10(means[..., 0]))
    drawn = errors[np.random.default_rng(4).integers(0, 300, (20_000, 300))]
    spread = (-10 * np.log10(drawn.mean(axis=1))).std()
    assert found.value == pytest.approx(-10 * np.log10(errors.mean()))
    assert (found.high - found.low) / (2 * 1.96 * spread) == pytest.approx(1, abs=0.12)


def test_a_ratio_of_means_is_fiellers():
    random = np.random.default_rng(5)
    x, y = random.normal(10, 2, 400), random.normal(20, 2, 400)
    found = function_interval(np.stack([x, y], axis=1), lambda means: means[..., 0] / means[..., 1])
    error = sqrt(x.var() / 400 / 20**2 + y.var() / 400 * 10**2 / 20**4)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.1)


@pytest.mark.parametrize(("yes", "n"), [(0, 20), (20, 20), (7, 24), (500, 1000)])
def test_a_share_has_wilsons_interval(yes, n):
    expected = stats.binomtest(yes, n).proportion_ci(method="wilson")
    found = share_interval(yes, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


# --- two runs on the same pictures


@pytest.mark.parametrize("n", [3, 8, 12])
def test_the_permutation_test_is_exact(n):
    differences = np.random.default_rng(n).normal(0.4, 1, n)
    sums = [abs(np.dot(signs, differences)) for signs in product([1, -1], repeat=n)]
    expected = np.mean([total >= abs(differences.sum()) - 1e-9 for total in sums])
    assert compare_pairs(differences[:, None])[0].p == pytest.approx(expected)


def test_random_swaps_come_near_scipys():
    differences = np.random.default_rng(6).normal(0.12, 1, 150)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=7)
    found = compare_pairs(differences[:, None], flips=20_000)[0]
    assert found.p == pytest.approx(expected.pvalue, abs=0.015)
    assert 0.01 < found.p < 0.5
    assert found.effect == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert found.share == pytest.approx((differences > 0).mean())


def test_pictures_that_a_side_lacks_are_counted():
    found = compare_pairs(np.array([[1.0], [nan], [2.0], [0.0]]))[0]
    assert (found.left_out, found.advantage.n, found.share) == (1, 3, pytest.approx(2.5 / 3))
    assert compare_pairs(np.full((3, 1), nan))[0].p is None


def test_pairs_are_sharper_than_intervals():
    """Pictures differ by far more than the two runs on each of them."""
    random = np.random.default_rng(8)
    pictures = random.normal(24, 5, 100)
    a, b = pictures + random.normal(0.3, 0.2, 100), pictures
    paired = compare_pairs((a - b)[:, None])[0].advantage
    alone = compare_intervals(measure("psnr"), mean_interval(a), mean_interval(b)).advantage
    assert paired.low > 0 > alone.low
    assert paired.value == pytest.approx(alone.value)


def test_holm_by_hand():
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_pooled_psnr_compares_mean_errors():
    random = np.random.default_rng(9)
    a, b = random.normal(25, 3, 60), random.normal(24, 3, 60)
    found = compare_pooled("psnr_pooled", a, b)
    pooled = [-10 * np.log10((10 ** (-side / 10)).mean()) for side in (a, b)]
    assert found.advantage.value == pytest.approx(pooled[0] - pooled[1])
    assert pooled_interval("psnr_pooled", a).value == pytest.approx(pooled[0])


def test_a_difference_of_means_folds_at_zero():
    """|mean of painted − of true|: where the sign is not known, the interval begins at 0."""
    random = np.random.default_rng(10)
    true = random.normal(40, 5, 50)
    found = pooled_interval("delta_colorfulness", true + random.normal(0.1, 5, 50), true)
    assert found.low == 0
    assert found.high > found.value > 0
    assert pooled_interval("delta_colorfulness", true - 8, true).low == pytest.approx(8)


# --- seeds


def test_one_seed_is_pictures_alone(skewed):
    found = seeds_interval(skewed[:, None])
    expected = stats.t.interval(0.95, 199, skewed.mean(), stats.sem(skewed))
    assert (found.low, found.high) == pytest.approx(expected)


def test_seeds_cover_the_truth_of_the_recipe():
    """3 seeds that spread a third as much as pictures; the interval of pictures alone would hold it far less often."""
    random, held, alone = np.random.default_rng(11), 0, 0
    for _ in range(400):
        values = random.normal(size=(60, 1)) + random.normal(0, 1 / 3, (1, 3)) + random.normal(0, 0.3, (60, 3))
        interval, of_pictures = seeds_interval(values), mean_interval(values.mean(axis=1), resamples=200)
        held += interval.low <= 0 <= interval.high
        alone += of_pictures.low <= 0 <= of_pictures.high
    assert 0.92 < held / 400 <= 1
    assert alone / 400 < 0.9


def test_recipes_with_seeds_are_compared():
    random = np.random.default_rng(12)
    pictures = random.normal(24, 3, (80, 1))
    a = pictures + 1.0 + random.normal(0, 0.05, (1, 4)) + random.normal(0, 0.2, (80, 4))
    b = pictures + random.normal(0, 0.05, (1, 3)) + random.normal(0, 0.2, (80, 3))
    found = compare_seeds(a, b)
    assert found.basis == "seeds"
    assert found.advantage.value == pytest.approx(1.0, abs=0.12)  # seeds move it by 0.05 times √(1/4 + 1/3)
    assert found.advantage.low > 0.5
    assert found.p < 1e-3
    assert compare_seeds(a, a + random.normal(0, 1e-3, a.shape)).p > 0.1


def test_a_number_without_pictures_over_seeds():
    intervals = [Interval(value, value - 1, value + 1, 100) for value in (10.0, 12.0, 11.0)]
    found = combined_interval(intervals)
    of_seeds = 1.0 / sqrt(3) * stats.t.ppf(0.975, 2)
    assert found.value == 11
    assert found.high - found.value == pytest.approx(sqrt(of_seeds**2 + 1))
    assert combined_interval(intervals[:1]) == intervals[0]


# --- intervals alone, and words


def test_two_intervals_add_by_their_squares():
    a, b = Interval(20, 17, 23, 50), Interval(25, 21, 29, 60)
    found = compare_intervals(measure("psnr"), a, b)
    assert found.advantage == Interval(-5, -10, 0, 50)
    lower = compare_intervals(measure("lpips_alex"), a, b).advantage
    assert (lower.value, lower.low, lower.high) == (5, 0, 10)


def test_nearness_to_the_truth():
    truth = Interval(40, 38, 42, 50)
    near, far = Interval(44, 42, 46, 50), Interval(30, 28, 32, 50)
    found = compare_intervals(measure("colorfulness"), near, far, truth)
    assert found.advantage.value == 6
    assert found.advantage.low > 0
    assert isnan(compare_intervals(measure("colorfulness"), near, far).advantage.value)


def said(value, low, high, p=0.001, name="psnr", **more):
    return say_difference(measure(name), "A", "B", Difference(Interval(value, low, high, 50), p=p, **more))


def test_sentences():
    assert said(0.42, 0.31, 0.53) == "A is better than B by 0.42 dB (0.31 to 0.53)"
    assert said(-0.42, -0.53, -0.31) == "B is better than A by 0.42 dB (0.31 to 0.53)"
    assert said(0.02, -0.05, 0.09, p=0.4) == "A and B cannot be told apart: 0.02 dB (−0.05 to 0.09)"
    assert said(0.2, 0.01, 0.39, p=0.08) == "A and B cannot be told apart: 0.20 dB (0.01 to 0.39), but p is 0.08"
    assert said(3, 1, 5, name="colorfulness") == "A is nearer to the truth than B by 3.0 (1.0 to 5.0)"
    assert said(1, nan, nan).startswith("A and B cannot be compared")
    assert said(1, 0.5, 1.5, left_out=3).endswith("; 3 of 53 pictures have no value and are left out")


def test_it_takes_interval_and_test():
    assert decide(Difference(Interval(1, 0.5, 1.5, 9), p=0.01)) == 1
    assert decide(Difference(Interval(1, 0.5, 1.5, 9), p=0.01), adjusted=0.2) == 0
    assert decide(Difference(Interval(-1, -1.5, -0.5, 9))) == -1
    assert decide(Difference(Interval(1, -0.5, 1.5, 9), p=0.01)) == 0
    assert decide(Difference(Interval(1, nan, nan, 9))) is None


def test_numbers_as_people_write_them():
    assert [number(value, 2) for value in (1.005, -0.001, -2.5, nan, inf)] == ["1.00", "0.00", "−2.50", "–", "∞"]


def test_measures_agree_with_the_metrics(config):
    """What `compare` says of a metric is what the metric says of itself."""
    from colorize.evaluation.metric_info import make_metrics

    cfg = config("run=x", "metrics.lpips_alex.download=false", "metrics.lpips_vgg.download=false", name="evaluate")
    metrics, absent = make_metrics(cfg.metrics)
    assert absent.keys() <= {"lpips_alex", "lpips_vgg"}
    for name, metric in metrics.items():
        known = measure(name)
        assert (known.better, known.unit) == (metric.better, metric.unit), name
