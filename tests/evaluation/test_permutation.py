"""Permutation tests against exact enumeration and scipy, and differences with intervals."""

from itertools import product
from math import nan

import numpy as np
import pytest
from scipy import stats

from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.image_table import ImageValues
from colorize.evaluation.measure import aggregate
from colorize.evaluation.permutation import compare_functions, compare_intervals, compare_pairs, holm
from colorize.metrics import MeanColorfulnessDifference, PooledPSNR
from colorize.metrics.metric_info import function_of_means, info_of


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
    alone = compare_intervals(info_of("psnr"), mean_interval(a), mean_interval(b)).advantage
    assert paired.low > 0 > alone.low
    assert paired.value == pytest.approx(alone.value)


def test_holm_by_hand():
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def values_of(**columns):
    return ImageValues([], [], {name: np.asarray(column) for name, column in columns.items()})


def test_pooled_psnr_compares_mean_errors():
    random = np.random.default_rng(9)
    a, b = (10 ** (-random.normal(psnr, 3, 60) / 10) for psnr in (25, 24))
    found = compare_functions(a[:, None], b[:, None], function_of_means(PooledPSNR()))
    pooled = [-10 * np.log10(side.mean()) for side in (a, b)]
    assert found.advantage.value == pytest.approx(pooled[0] - pooled[1])
    aggregated = aggregate(values_of(psnr_pooled_mse=a), {"psnr_pooled": PooledPSNR()})["psnr_pooled"]
    assert aggregated.value == pytest.approx(pooled[0])
    assert aggregated.low < aggregated.value < aggregated.high


@pytest.mark.parametrize("n", [7, 12])
def test_swaps_of_a_function_are_counted_exactly(n):
    random = np.random.default_rng(n)
    a, b = random.normal(40, 5, (2, n))
    true = random.normal(41, 5, n)

    def further(one, other):
        return abs(other.mean() - true.mean()) - abs(one.mean() - true.mean())

    swaps = [np.array(swap) for swap in product([True, False], repeat=n)]
    swapped = [abs(further(np.where(swap, a, b), np.where(swap, b, a))) for swap in swaps]
    expected = np.mean([each >= abs(further(a, b)) - 1e-9 for each in swapped])
    finish = function_of_means(MeanColorfulnessDifference())
    tables = (np.stack([side, true], axis=1) for side in (a, b))
    found = compare_functions(*tables, lambda means: -finish(means))
    assert found.p == pytest.approx(expected)
    assert found.advantage.value == pytest.approx(further(a, b))


def test_a_difference_of_means_folds_at_zero():
    """|mean of painted − of true|: where the sign is not known, the interval begins at 0."""
    random = np.random.default_rng(10)
    true = random.normal(40, 5, 50)
    metric = {"x": MeanColorfulnessDifference()}
    found = aggregate(values_of(x_painted=true + random.normal(0.1, 5, 50), x_truth=true), metric)["x"]
    assert found.low == 0
    assert found.high > found.value > 0
    assert aggregate(values_of(x_painted=true - 8, x_truth=true), metric)["x"].low == pytest.approx(8)
