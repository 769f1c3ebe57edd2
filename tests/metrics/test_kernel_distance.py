"""The kernel distance: its errors, its pairs, and its blocks."""

import numpy as np
import pytest
import torch

from colorize.metrics.feature_store import Features
from colorize.metrics.kernel_distance import kernel_distance
from tests.helpers.features import D


def test_kernel_errors_are_the_spread_over_repetitions(repeated):
    pairs, _ = repeated
    for which in (0, 1):
        estimates = [kernel_distance(*pair, paired=True)[which] for pair in pairs]
        spread = np.std([each.value for each in estimates])
        assert 0.9 * spread < np.mean([each.error for each in estimates]) < 1.15 * spread
    strangers = [kernel_distance(truth, pairs[k - 1][1], paired=False)[0] for k, (truth, _) in enumerate(pairs)]
    spread = np.std([each.value for each in strangers])
    assert 0.9 * spread < np.mean([each.error for each in strangers]) < 1.4 * spread  # the nearer to 0, the more
    both = np.mean([kernel_distance(*pair, paired=True)[1].value for pair in pairs])
    assert both == pytest.approx(np.mean([each.value for each in strangers]), abs=0.03)  # unbiased, both


def test_a_copy_has_no_kernel_distance_without_its_own_pairs():
    x = Features(torch.rand(30, D, generator=torch.Generator().manual_seed(5)).numpy())
    published, without = kernel_distance(x, x, paired=True)
    assert published.value < -1e-3
    assert without.value == pytest.approx(0, abs=1e-12)


def test_blocks_agree_with_the_whole():
    random = torch.Generator().manual_seed(6)
    x, y = (Features((torch.rand(900, D, generator=random) + shift).numpy()) for shift in (0, 0.1))
    whole, parts = (kernel_distance(x, y, paired=False, block=block)[0] for block in (900, 250))
    assert parts.value != whole.value
    assert abs(parts.value - whole.value) < 2 * whole.error
    assert parts.error == pytest.approx(whole.error, rel=0.2)


@pytest.mark.parametrize("block", [400, 7])
def test_each_pair_has_a_value_whose_mean_is_the_distance(block):
    """And whose scatter is the jackknife's error: two networks are compared by them picture by picture."""
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(22, 8, generator=random)
    painted = truth + 0.5 * torch.randn(22, 8, generator=random)
    for found in kernel_distance(Features(truth.numpy()), Features(painted.numpy()), paired=True, block=block):
        assert found.each.mean().item() == pytest.approx(found.value, rel=1e-9)
        if block == 400:
            assert (found.each.std(correction=0) / 21**0.5).item() == pytest.approx(found.error, rel=1e-9)


def test_the_values_of_pairs_are_in_the_order_of_the_pictures():
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(40, 8, generator=random)
    painted = truth.clone()
    painted[7] += 6  # the only picture that is wrong
    for block in (400, 11):
        _, found = kernel_distance(Features(truth.numpy()), Features(painted.numpy()), paired=True, block=block)
        assert found.each.abs().argmax() == 7
