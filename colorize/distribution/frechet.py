"""The Fréchet distance between two sets of features, how sure it is, and what it would be for endlessly many pictures.

n pictures, d features. The value at n pictures is biased upwards, by about c/n with a c that depends on the network
that painted: distances of different n must never be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from colorize.distribution.store import shuffled
from colorize.distribution.sums import Features, FeatureSums

NEGLIGIBLE = 1e-13  # of the largest eigenvalue: a direction in which features do not vary, such as a dead channel's


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error."""

    value: float
    error: float


def frechet_distance(truth: FeatureSums, painted: FeatureSums) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), Fréchet's distance of two Gaussians, squared (Heusel et al. 2017).

    The last trace is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose matrix is symmetric: its eigenvalues are real and are found to
    the last digits, where the square root of Σ₁Σ₂ turns complex near singular covariances. More than d pictures needed.
    """
    product, *_ = _product(truth, painted)
    return _distance(truth, painted, torch.linalg.eigvalsh(product))


def frechet_influence(truth: Features, painted: Features) -> tuple[float, Tensor, Tensor]:
    """The distance, and what each true (n,) and each painted picture (m,) does to it: their influence values.

    They are the derivative of the distance when a picture's weight in its set rises, the others' falling alike:
    2 (μ₁ − μ₂)ᵀ(x − μ₁) + (x − μ₁)ᵀ(I − T)(x − μ₁) less its mean, with T the optimal transport map of the one Gaussian
    to the other, T = Σ₁^-½ (Σ₁^½ Σ₂ Σ₁^½)^½ Σ₁^-½; and with its inverse for the painted ones. Those of a set add up
    to 0; a picture's value over n is about how much the distance falls when it is left out.
    """
    product, values, vectors = _product(truth.sums, painted.sums)
    product_values, product_vectors = torch.linalg.eigh(product)
    there = vectors * _power(values, -0.5) @ product_vectors * _power(product_values, 0.25)  # T = there @ there.T
    back = vectors * _power(values, 0.5) @ product_vectors * _power(product_values, -0.25)  #  T⁻¹ = back @ back.T
    difference = truth.sums.mean() - painted.sums.mean()
    distance = _distance(truth.sums, painted.sums, product_values)
    return distance, _influences(truth, difference, there), _influences(painted, -difference, back)


def frechet(truth: Features, painted: Features, *, paired: bool) -> Estimate:
    """The distance at this number of pictures, with its standard error by the infinitesimal jackknife (Efron 1982).

    The error is the spread of the influence values over √n: two eigendecompositions, where a bootstrap needs some for
    each of its hundreds of replicates, and inflates the bias in each. ±1.96 errors is an interval for what other sets
    of *as many* pictures would give on average; `benchmarks/distribution.py` measures how often it covers that.
    paired  the k-th painted picture is the k-th true one's: their influences are added before they are squared
    """
    distance, of_truth, of_painted = frechet_influence(truth, painted)
    if paired:
        return Estimate(distance, _error(of_truth + of_painted))
    return Estimate(distance, (_error(of_truth) ** 2 + _error(of_painted) ** 2) ** 0.5)


def frechet_infinite(truth: Features, painted: Features, *, paired: bool, seed: int = 0) -> float:
    """FD∞ (Chong and Forsyth 2020): the straight line in 1/n through the distance's means at n, n/2 and n/4 pictures,
    followed to 1/n = 0.

    Each mean is over the 1, 2 or 4 disjoint parts of one shuffled set, so that every picture counts at every n; Chong
    and Forsyth draw 15 subsets at random, which scatters more. n/4 is left out where it is not above d.
    Needs n/2 above d.
    """
    quarters = list(zip(*(_quarters(side, seed + (index and not paired)) for index, side in
                          enumerate((truth, painted))), strict=True))  # fmt: skip
    smallest = min(len(truth), len(painted)) // 4
    divisors = (1, 2, 4) if smallest > truth.dimension else (1, 2)
    means = []
    for divisor in divisors:
        parts = [quarters[start : start + 4 // divisor] for start in range(0, 4, 4 // divisor)]
        distances = [frechet_distance(*map(FeatureSums.merged, zip(*part, strict=True))) for part in parts]
        means.append(sum(distances) / divisor)
    x, y = torch.tensor(divisors).double(), torch.tensor(means).double()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return (y.mean() - slope * x.mean()).item()


def _product(truth: FeatureSums, painted: FeatureSums) -> tuple[Tensor, Tensor, Tensor]:
    """Σ₁^½ Σ₂ Σ₁^½ in the basis in which Σ₁ is diagonal; eigenvalues (d,) and -vectors (d, d) of Σ₁."""
    values, vectors = torch.linalg.eigh(truth.covariance())
    roots = _power(values, 0.5)
    product = roots[:, None] * (vectors.T @ painted.covariance() @ vectors) * roots
    return (product + product.T) / 2, values, vectors


def _distance(truth: FeatureSums, painted: FeatureSums, product_values: Tensor) -> float:
    difference = truth.mean() - painted.mean()
    traces = truth.covariance().trace() + painted.covariance().trace()
    return (difference @ difference + traces - 2 * product_values.clamp(min=0).sqrt().sum()).item()


def _power(values: Tensor, exponent: float) -> Tensor:
    """Eigenvalues to a power, 0 where there is nothing to invert."""
    return torch.where(values > NEGLIGIBLE * values.max(), values**exponent, 0.0)


def _influences(features: Features, difference: Tensor, factor: Tensor) -> Tensor:
    """(n,)"""
    mean, found = features.sums.mean(), []
    for chunk in features.chunks():
        centred = chunk - mean
        transported = (centred @ factor).square().sum(dim=1)
        found.append(2 * centred @ difference + centred.square().sum(dim=1) - transported)
    values = torch.cat(found)
    return values - values.mean()


def _error(influences: Tensor) -> float:
    return influences.std().item() / len(influences) ** 0.5


def _quarters(features: Features, seed: int) -> list[FeatureSums]:
    return [features.subset(part).sums for part in shuffled(len(features), seed).tensor_split(4)]
