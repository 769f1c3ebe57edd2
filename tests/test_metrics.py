"""Metrics against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from colorize.data import Demo
from colorize.metrics import PSNR, SSIM, Colorfulness


@pytest.fixture(scope="module")
def pairs():
    """20 demo photographs and noisy copies, (20, 3, 64, 64) in 0…1."""
    rgb = torch.cat(list(Demo(size=64).validation(20)))[:20].float() / 255
    noise = torch.randn(rgb.shape, generator=torch.Generator().manual_seed(0))
    return (rgb + 0.1 * torch.linspace(0.1, 2, 20).view(-1, 1, 1, 1) * noise).clamp(0, 1), rgb


def measured(metric, pairs, batch_size):
    for start in range(0, 20, batch_size):
        metric.update(*(side[start : start + batch_size] for side in pairs))
    return metric.compute()


def reference(function, pairs, **kwargs):
    sides = (side.permute(0, 2, 3, 1).double().numpy() for side in pairs)
    return np.mean([function(true, painted, data_range=1.0, **kwargs) for painted, true in zip(*sides, strict=True)])


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_psnr_is_the_mean_of_each_pictures_own(pairs, batch_size):
    assert measured(PSNR(), pairs, batch_size) == pytest.approx(reference(peak_signal_noise_ratio, pairs), abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 7, 20])
def test_ssim_is_wangs(pairs, batch_size):
    window = {"channel_axis": 2, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = reference(structural_similarity, pairs, **window)
    assert measured(SSIM(), pairs, batch_size) == pytest.approx(expected, abs=1e-4)


def test_a_perfect_picture_has_a_finite_psnr(pairs):
    assert measured(PSNR(), (pairs[1], pairs[1]), 20) == 100


def test_colorfulness_measures_what_was_painted(pairs):
    grey = pairs[1].mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    assert measured(Colorfulness(), (grey, pairs[1]), 20) < 0.01
    assert measured(Colorfulness(), (pairs[1], grey), 20) > 20


def test_reset_forgets(pairs):
    metric = PSNR()
    measured(metric, pairs, 20)
    metric.reset()
    assert measured(metric, (pairs[1], pairs[1]), 20) == 100
