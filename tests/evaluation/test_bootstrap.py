"""Bootstrap intervals against scipy, Fieller, Wilson and simulations whose truth is known."""

from math import inf, isnan, nan, sqrt

import numpy as np
import pytest
from scipy import stats

from colorize.evaluation.bootstrap import function_interval, mean_interval, mean_intervals
from colorize.metrics.metric_info import proportion_interval


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
    found = proportion_interval(yes, n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
