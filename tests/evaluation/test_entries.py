"""Recipes with several seeds: their intervals cover the truth of the recipe."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.entries import combined_interval, compare_seeds, seeds_interval
from colorize.evaluation.permutation import (
    compare_intervals,
)
from colorize.metrics.metric_info import Interval, info_of


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


def test_two_intervals_add_by_their_squares():
    a, b = Interval(20, 17, 23, 50), Interval(25, 21, 29, 60)
    found = compare_intervals(info_of("psnr"), a, b)
    assert found.advantage == Interval(-5, -10, 0, 50)
    lower = compare_intervals(info_of("lpips_alex"), a, b).advantage
    assert (lower.value, lower.low, lower.high) == (5, 0, 10)
