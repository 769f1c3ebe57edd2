"""The Fréchet distance against Gaussians of known moments, and its standard error."""

import numpy as np
import pytest
import scipy.linalg
import torch

from colorize.metrics.feature_store import Features, FeatureSums
from colorize.metrics.frechet import frechet, frechet_distance, frechet_infinite, frechet_influence
from tests.helpers.features import D


def test_the_distance_from_sums_is_that_of_the_stored_features(measured):
    rows = {of: np.fromfile(next(measured.folder.glob(f"{of}.*")), "<f4").reshape(20, D) for of in ("truth", "painted")}
    truth, painted = (each.astype(np.float64) for each in rows.values())
    root = scipy.linalg.sqrtm(np.cov(truth, rowvar=False) @ np.cov(painted, rowvar=False)).real
    expected = ((truth.mean(0) - painted.mean(0)) ** 2).sum()
    expected += np.trace(np.cov(truth, rowvar=False) + np.cov(painted, rowvar=False) - 2 * root)
    assert measured.compute().values["fid"].value == pytest.approx(expected, abs=1e-6)


def test_of_fewer_pictures_than_features_it_is_the_same_without_an_interval():
    random = torch.Generator().manual_seed(3)
    truth, painted = (torch.randn(5, 9, generator=random) for _ in range(2))
    covariances = [np.cov(each.double().numpy(), rowvar=False) for each in (truth, painted)]
    expected = float((truth - painted).mean(0).square().sum())
    expected += np.trace(sum(covariances) - 2 * scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real)
    found = frechet(Features(truth.numpy()), Features(painted.numpy()), paired=True)
    assert found.value == pytest.approx(expected, rel=1e-4)
    assert np.isnan(found.error)


def gaussian(n, mean, covariance, seed=0):
    """n vectors whose mean and covariance are the given ones exactly."""
    x = torch.randn(n, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = x - x.mean(dim=0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T
    return x @ torch.linalg.cholesky(covariance).T + mean


def sums_of(x):
    sums = FeatureSums(x.shape[1])
    sums.add(x)
    return sums


def test_gaussians_of_known_moments():
    """Where the covariances commute the distance is Σ (√a − √b)² + ‖μ‖²; where not, SciPy's root tells."""
    random = torch.Generator().manual_seed(1)
    a, b = (torch.rand(16, dtype=torch.float64, generator=random) + 0.1 for _ in range(2))
    shift, none = torch.linspace(0, 1, 16).double(), torch.zeros(16).double()
    first, second = gaussian(50, none, a.diag()), gaussian(60, shift, b.diag(), seed=2)
    expected = ((a.sqrt() - b.sqrt()) ** 2).sum() + shift.square().sum()
    assert frechet_distance(sums_of(first), sums_of(second)) == pytest.approx(expected.item(), abs=1e-3)
    turned = torch.linalg.matrix_exp(0.5 * (lambda z: z - z.T)(torch.randn(16, 16, generator=random).double()))
    covariance = turned @ b.diag() @ turned.T
    second = gaussian(60, shift, covariance, seed=2)
    root = scipy.linalg.sqrtm((a.diag() @ covariance).numpy()).real
    expected = (shift.square().sum() + a.sum() + b.sum()).item() - 2 * np.trace(root)
    assert frechet_distance(sums_of(first), sums_of(second)) == pytest.approx(expected, abs=1e-3)


def test_a_dead_channel_and_a_copy():
    x = gaussian(40, torch.zeros(8).double(), torch.eye(8).double())
    x[:, 3] = 0.7
    value, of_truth, of_painted = frechet_influence(Features(x.numpy()), Features(x.numpy()))
    assert value == pytest.approx(0, abs=1e-9)
    assert torch.stack([of_truth, of_painted]).abs().max() < 1e-6


def test_influence_is_the_derivative_by_a_pictures_weight():
    random = torch.Generator().manual_seed(3)
    x = torch.randn(30, 6, dtype=torch.float64, generator=random)
    y = torch.randn(40, 6, dtype=torch.float64, generator=random) * torch.linspace(0.5, 2, 6) + 0.3
    _, of_x, of_y = frechet_influence(Features(x.numpy()), Features(y.numpy()))
    for side, influence in ((0, of_x), (1, of_y)):
        slopes = []
        for k in range(len(influence)):
            ends = []
            for step in (1e-5, -1e-5):
                weights = torch.full((len(influence),), (1 - step) / len(influence)).double()
                weights[k] += step
                sums = [sums_of(x), sums_of(y)]
                sums[side] = weighted((x, y)[side], weights)
                ends.append(frechet_distance(*sums))
            slopes.append((ends[0] - ends[1]) / 2e-5)
        slopes = torch.tensor(slopes).double()
        assert (slopes - slopes.mean() - influence).abs().max() < 1e-3 * influence.abs().max()


def weighted(x, weights):
    """The sums of as many pictures, of which each counts by its weight."""
    sums = FeatureSums(x.shape[1])
    n = len(x)
    mean = weights @ x
    covariance = (weights[:, None] * (x - mean)).T @ (x - mean) * n / (n - 1)
    sums.count, sums.total = n, n * mean
    sums.outer = (n - 1) * covariance + n * torch.outer(mean, mean)
    return sums


def covered(estimates, target):
    return np.mean([abs(each.value - target) < 1.96 * each.error for each in estimates])


def test_fd_infinity_recovers_the_truth_where_fd_is_biased(repeated):
    pairs, true = repeated
    plain = [frechet(*pair, paired=True) for pair in pairs]
    infinite = [frechet_infinite(*pair, paired=True, seed=7) for pair in pairs]
    bias, left = (np.mean([each.value for each in estimates]) - true for estimates in (plain, infinite))
    assert bias > 0.05
    assert abs(left) < 0.1 * bias
    assert 0.9 < covered(infinite, true) < 0.99
    assert 0.9 < covered(plain, true + bias) < 0.99
    assert covered(plain, true) < 0.8  # of the truth the plain one is no estimate
