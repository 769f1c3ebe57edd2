"""Differences of two runs with intervals and permutation tests: paired, dataset-level, unpaired."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, nan

import numpy as np

from colorize.evaluation.bootstrap import Function, all_sign_sums, function_interval, mean_intervals, random_sign_sums
from colorize.metrics.metric_info import Interval, MetricInfo

EXACT = 15  # pictures up to which every set of signs is tried
FLIPS = 9999
LEAST_TESTED = 6  # pictures: with fewer no test has a p of 0.05 or less, and no intervals are compared either
ROUNDING = 1e-12  # sums that differ by less, of all that is summed, are equal


@dataclass(frozen=True)
class Difference:
    """By how much A is better than B in one metric.

    advantage  positive where A is better, in the metric's unit, with its 95 % interval and the number of pictures
    basis      what it rests on: "pairs" of pictures, "seeds" as well, or "intervals" of two values alone
    p          of the two-sided test that A and B could change places, picture by picture; None where there is none
    effect     Cohen's d_z: the mean difference over the standard deviation of the differences
    share      of pictures on which A is better, ties counting half
    left_out   pictures of which one side has no value
    """

    advantage: Interval
    basis: str = "pairs"
    p: float | None = None
    effect: float | None = None
    share: float | None = None
    left_out: int = 0


def compare_pairs(advantages: np.ndarray, *, flips: int = FLIPS, seed: int = 0) -> list[Difference]:
    """(n, k), A's `MetricInfo.oriented` less B's, a row a picture -> a difference for each metric.

    NaN says that a side has no value for the picture, which is then left out and counted. A column with an infinity has
    no ends, no p and no effect.
    """
    advantages = np.asarray(advantages, float)
    intervals = mean_intervals(advantages, seed=seed)
    finite = np.where(np.isinf(advantages).any(axis=0), np.nan, advantages)
    chances = sign_flip_p(finite, flips=flips, seed=seed)
    return [
        Difference(
            interval, p=chance, effect=effect_size(column), share=win_rate(column), left_out=len(column) - interval.n
        )
        for interval, chance, column in zip(intervals, chances, finite.T, strict=True)
    ]  # fmt: skip


def sign_flip_p(differences: np.ndarray, *, flips: int = FLIPS, seed: int = 0) -> list[float | None]:
    """(n, k) -> the two-sided p of each column's mean, under that A and B may be swapped for any picture (Fisher 1935).

    Exact up to 15 pictures; else by random swaps, the one that was seen among them: (1 + as large) / (1 + swaps)
    (Phipson and Smyth 2010). NaN is left out. None where nothing is left.
    """
    differences = np.asarray(differences, float)
    present = ~np.isnan(differences)
    filled = np.where(present, differences, 0)
    sums, exact = _sign_sums(filled, flips, seed)
    seen = np.abs(filled.sum(axis=0)) - ROUNDING * np.abs(filled).sum(axis=0)
    chances = _chance(np.abs(sums) >= seen, exact)
    return [float(p) if some else None for p, some in zip(chances, present.any(axis=0), strict=True)]


def _sign_sums(values: np.ndarray, flips: int, seed: int) -> tuple[np.ndarray, bool]:
    """(n, k) -> (R, k) sums under changes of sign, and whether these are all that there are."""
    exact = len(values) <= EXACT
    return all_sign_sums(values) if exact else random_sign_sums(values, flips, seed), exact


def _chance(as_large: np.ndarray, exact: bool) -> np.ndarray:
    """(R, …) -> (…) p"""
    return as_large.mean(axis=0) if exact else (1 + as_large.sum(axis=0)) / (1 + len(as_large))


def holm(chances: Sequence[float | None]) -> list[float | None]:
    """p-values that hold for all of them together (Holm 1979); None stays None and does not count."""
    known = sorted((p, i) for i, p in enumerate(chances) if p is not None)
    adjusted: list[float | None] = [None] * len(chances)
    highest = 0.0
    for rank, (p, i) in enumerate(known):
        highest = max(highest, min(1.0, p * (len(known) - rank)))
        adjusted[i] = highest
    return adjusted


def effect_size(differences: np.ndarray) -> float | None:
    """Cohen's d_z of (n,) differences; None where they do not vary."""
    values = differences[~np.isnan(differences)]
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(values.mean() / spread) if spread > ROUNDING * np.abs(values).max(initial=0) else None


def win_rate(differences: np.ndarray) -> float | None:
    """Of (n,) differences, the share above 0; those at 0 count half."""
    values = differences[~np.isnan(differences)]
    return float(((values > 0).mean() + (values >= 0).mean()) / 2) if len(values) else None


def compare_functions(
    a: np.ndarray, b: np.ndarray, function: Function, *, flips: int = FLIPS, seed: int = 0
) -> Difference:
    """By how much A is better than B in a function of the means of (n, k) columns, from values of the same pictures.

    function   means (…, k) -> (…), more is better
    The p is that of swapping A and B picture by picture, as for means. Effect and share, which are pictures', are None.
    """
    kept = ~np.isnan(np.hstack([a, b])).any(axis=1)
    both = np.hstack([a, b])[kept]  # (n, 2k)
    n, k = len(both), a.shape[1]

    def advantage(means: np.ndarray) -> np.ndarray:
        return function(means[..., :k]) - function(means[..., k:])

    interval = function_interval(both, advantage, seed=seed)
    left_out = len(a) - n
    if not np.isfinite(interval.low):
        return Difference(interval, left_out=left_out)
    sums, exact = _sign_sums((both[:, :k] - both[:, k:]) / 2, flips, seed)
    middle = (both[:, :k] + both[:, k:]).mean(axis=0) / 2
    found = np.abs(advantage(np.hstack([middle + sums / n, middle - sums / n])))
    p = _chance(found >= abs(interval.value) * (1 - ROUNDING) - ROUNDING, exact)
    return Difference(interval, p=float(p), left_out=left_out)


def compare_intervals(info: MetricInfo, a: Interval, b: Interval, truth: Interval | None = None) -> Difference:
    """By how much A is better than B, from their two intervals (MOVER, Zou and Donner 2008).

    The interval of the difference takes A and B to be independent. On the same pictures they usually move together, and
    it is then wider than it need be. There is no test. Without ends, where a value lies outside its own interval, and
    of fewer than `LEAST_TESTED` pictures, the difference has no ends. Nearness to the truth is measured between the
    values, as if the truth's were exact.
    """
    n = min(a.n, b.n)
    if info.better == "truth":
        wanted = truth.value if truth else info.target
        if wanted is None:
            return Difference(Interval(nan, nan, nan, n), "intervals")
        a, b = a.distance_to(wanted), b.distance_to(wanted)
    sign = -1 if info.better in ("lower", "truth") else 1
    if n < LEAST_TESTED or not (a.low <= a.value <= a.high and b.low <= b.value <= b.high):
        return Difference(Interval(sign * (a.value - b.value), nan, nan, n), "intervals")
    value = a.value - b.value
    low = value - hypot(a.value - a.low, b.high - b.value)
    high = value + hypot(a.high - a.value, b.value - b.low)
    ends = (low, high) if sign > 0 else (-high, -low)
    return Difference(Interval(sign * value, *ends, n), "intervals")
