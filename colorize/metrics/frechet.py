"""The Fréchet distance between two sets of features, how sure it is, and what it would be for endlessly many pictures.

n pictures, d features. The value at n pictures is biased upwards, by about c/n with a c that depends on the network
that painted: distances of different n must never be compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import torch
from torch import Tensor

from colorize.metrics.feature_store import Features, FeatureSums, random_order
from colorize.metrics.metric_info import Interval

DEVIATIONS = 1.959964  # of a normal distribution, either side: 95 %
NEGLIGIBLE = 1e-13  # of the largest eigenvalue: a direction in which features do not vary, such as a dead channel's


@dataclass(frozen=True)
class Estimate:
    """A number and its standard error; `each` (n,), where it has one, is a value for each pair of pictures whose mean
    is the number and whose scatter makes the error: two sets of predictions are compared by them picture by picture."""

    value: float
    error: float
    each: Tensor | None = None

    def interval(self, n: int) -> Interval:
        """Of a normal distribution, from n pictures."""
        margin = DEVIATIONS * self.error
        return Interval(self.value, self.value - margin, self.value + margin, n)


def frechet_distance(truth: FeatureSums, painted: FeatureSums) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), Fréchet's distance of two Gaussians, squared (Heusel et al. 2017).

    The last trace is that of (Σ₁^½ Σ₂ Σ₁^½)^½, whose matrix is symmetric: its eigenvalues are real and are found to
    the last digits, where the square root of Σ₁Σ₂ turns complex near singular covariances. More than d pictures needed;
    `frechet_distance_of_few` takes fewer.
    """
    product, *_ = _product(truth, painted)
    return _distance(truth, painted, torch.linalg.eigvalsh(product))


def frechet_distance_of_few(truth: Features, painted: Features) -> float:
    """The same of any number of pictures from 2 on, also fewer than features: of the centred features A (n, d) and
    B (m, d), tr (Σ₁Σ₂)^½ is the sum of the singular values of A Bᵀ over √((n − 1)(m − 1)), an (n, m) matrix."""
    centred = [torch.cat([chunk.double() for chunk in side.chunks()]) - side.sums.mean() for side in (truth, painted)]
    a, b = (rows / (len(rows) - 1) ** 0.5 for rows in centred)
    difference = truth.sums.mean() - painted.sums.mean()
    traces = a.square().sum() + b.square().sum()
    return max(0.0, (difference @ difference + traces - 2 * torch.linalg.svdvals(a @ b.T).sum()).item())


def frechet_influence(truth: Features, painted: Features) -> tuple[float, Tensor, Tensor]:
    """The distance, and what each true (n,) and each painted picture (m,) does to it: their influence values.

    They are the derivative of the distance when a picture's weight in its set rises, while the others' fall equally:
    2 (μ₁ − μ₂)ᵀ(x − μ₁) + n/(n − 1) (x − μ₁)ᵀ(I − T)(x − μ₁) less its mean. T = Σ₁^-½ (Σ₁^½ Σ₂ Σ₁^½)^½ Σ₁^-½ is the
    optimal transport map of the one Gaussian to the other; for the painted ones it is its inverse. Those of a set add
    up to 0; a picture's value over n is about how much the distance falls when it is left out.
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
    of *as many* pictures would give on average; `tests/metrics/test_distribution.py` measures how often it covers that.
    paired  the k-th painted picture is the k-th true one's: their influences are added before they are squared

    Of no more pictures than features it has no error: by how much it is too high, nobody can tell.
    """
    if min(len(truth), len(painted)) <= len(truth.sums.mean()):
        return Estimate(frechet_distance_of_few(truth, painted), nan)
    distance, of_truth, of_painted = frechet_influence(truth, painted)
    if paired:
        return Estimate(distance, _error(of_truth + of_painted), distance + of_truth + of_painted)
    return Estimate(distance, (_error(of_truth) ** 2 + _error(of_painted) ** 2) ** 0.5)


def frechet_infinite(
    truth: Features, painted: Features, *, paired: bool, seed: int = 0, at_all: Estimate | None = None
) -> Estimate:
    """FD∞ (Chong and Forsyth 2020): the distance as a straight line in 1/n, followed to 1/n = 0; the truth's distance.

    The line goes through the distance at n and the mean of the six that each leave out another sixth: a jackknife,
    which uses every picture alike. Chong and Forsyth draw 15 subsets at random, which scatters more, from far smaller
    n, where the line bends. A second line, through n and the mean of two halves, tells how much it bends: by as much as
    the two ends differ the error grows over that of `frechet`. Needs n/2 above d.
    at_all  what `frechet` says, where it is known already
    """
    orders = random_order(len(truth), seed), random_order(len(painted), seed if paired else seed + 1)
    sixths = [
        tuple(side.subset(part).sums for side, part in zip((truth, painted), parts, strict=True))
        for parts in zip(*(order.tensor_split(6) for order in orders), strict=True)
    ]
    at_all = at_all or frechet(truth, painted, paired=paired)
    without = [_of_parts(sixths[:out] + sixths[out + 1 :]) for out in range(6)]
    halves = [_of_parts(sixths[:3]), _of_parts(sixths[3:])]
    value = 6 * at_all.value - 5 * sum(without) / 6
    bend = abs(value - (2 * at_all.value - sum(halves) / 2))
    return Estimate(value, (at_all.error**2 + bend**2) ** 0.5)


def _of_parts(parts: Sequence[tuple[FeatureSums, ...]]) -> float:
    truth, painted = (FeatureSums.merged(side) for side in zip(*parts, strict=True))
    return frechet_distance(truth, painted)


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
    scale = len(features) / (len(features) - 1)  # of the covariance, which is over n − 1
    for chunk in features.chunks():
        centred = chunk - mean
        spread = centred.square().sum(dim=1) - (centred @ factor).square().sum(dim=1)
        found.append(2 * centred @ difference + scale * spread)
    values = torch.cat(found)
    return values - values.mean()


def _error(influences: Tensor) -> float:
    return influences.std().item() / len(influences) ** 0.5
