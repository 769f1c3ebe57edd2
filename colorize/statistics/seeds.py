"""One recipe trained with several seeds, on the same pictures: what another training would score on other pictures.

n pictures, S seeds. Both are drawn by chance, and every seed sees every picture: value = mean + picture + seed + both.
A two-level bootstrap, which redraws pictures and seeds, covers the truth far less often than it says with two to five
seeds, which vary too little when redrawn (`benchmarks/coverage.py` has the numbers). So the spreads of pictures and of
seeds are taken apart as in an analysis of variance with two crossed random factors; each has Student's t at its own
degrees of freedom, and they add up by their squares (Howe 1974). It is wide with two seeds, since two say little.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from colorize.statistics.bootstrap import TAILS, Interval
from colorize.statistics.paired import Difference, effect_of, share_of

SMALLEST = 1e-9  # no smaller chance is told apart from this


def seeds_interval(values: np.ndarray) -> Interval:
    """The mean of (n, S) values over pictures and seeds, with its interval. Pictures that a seed lacks are left out.

    With one seed, nothing is known of how seeds spread: the interval is that of pictures alone.
    """
    values = np.asarray(values, float)
    kept = values[~np.isnan(values).any(axis=1)]
    return _interval([kept])[0]


def compare_seeds(a: np.ndarray, b: np.ndarray) -> Difference:
    """By how much A's (n, S) `Measure.goodness` is above B's (n, T): the same pictures, each side's own seeds."""
    a, b = (np.asarray(side, float) for side in (a, b))
    whole = ~(np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1))
    advantage, p = _interval([a[whole], -b[whole]])
    differences = a[whole].mean(axis=1) - b[whole].mean(axis=1)
    finite = differences if np.isfinite(differences).all() else differences[:0]
    return Difference(advantage, "seeds", p, effect_of(finite), share_of(finite), left_out=int((~whole).sum()))


def combined_interval(intervals: Sequence[Interval]) -> Interval:
    """The mean of a number that has no values of pictures, such as a FID, over seeds' own values and intervals.

    The error of pictures, which all seeds share, and that of seeds add up by their squares.
    """
    values = np.array([interval.value for interval in intervals])
    seeds = len(values)
    mean, n = float(values.mean()), min(interval.n for interval in intervals)
    if seeds < 2:
        return intervals[0]
    of_seeds = values.std(ddof=1) / seeds**0.5 * stdtrit(seeds - 1, TAILS[1])
    below = np.mean([interval.value - interval.low for interval in intervals])
    above = np.mean([interval.high - interval.value for interval in intervals])
    return Interval(mean, float(mean - np.hypot(of_seeds, below)), float(mean + np.hypot(of_seeds, above)), n)


def _interval(sides: Sequence[np.ndarray]) -> tuple[Interval, float | None]:
    """Of the sum of the sides' means, (n, S) each with its own S; and the p of its being 0."""
    n = len(sides[0])
    of_pictures = sum(side.mean(axis=1) for side in sides)  # (n,)
    value = float(np.mean(of_pictures)) if n else np.nan
    if n < 2 or not np.isfinite(of_pictures).all():
        return Interval(value, np.nan, np.nan, n), None
    parts = [(float(np.var(of_pictures, ddof=1)) / n, n - 1)]
    parts += [(_seed_variance(side), side.shape[1] - 1) for side in sides if side.shape[1] > 1]
    margin = _margin(parts, 1 - TAILS[1])
    return Interval(value, value - margin, value + margin, n), _chance(parts, abs(value))


def _margin(parts: Sequence[tuple[float, int]], tail: float) -> float:
    """How far an interval reaches that leaves out `tail` on either side, from variances and degrees of freedom."""
    return float(sum(variance * stdtrit(degrees, tail) ** 2 for variance, degrees in parts) ** 0.5)


def _chance(parts: Sequence[tuple[float, int]], value: float) -> float:
    """The two-sided p at which an interval of that margin ends at 0, found by bisection."""
    if not value:
        return 1.0
    if _margin(parts, SMALLEST) < value:
        return 2 * SMALLEST
    low, high = SMALLEST, 0.5
    while high - low > 1e-3 * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if _margin(parts, middle) > value else (low, middle)
    return min(2 * high, 1.0)


def _seed_variance(side: np.ndarray) -> float:
    """What the choice of seeds adds to the variance of the mean of (n, S) values, not below 0."""
    n, seeds = side.shape
    left = side - side.mean(axis=0) - side.mean(axis=1, keepdims=True) + side.mean()
    both = (left**2).sum() / ((n - 1) * (seeds - 1))
    return float(max(side.mean(axis=0).var(ddof=1) - both / n, 0) / seeds)
