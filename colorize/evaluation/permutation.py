"""Differences of two runs with intervals and permutation tests: paired, dataset-level, unpaired."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot, nan

import numpy as np

from colorize.evaluation.bootstrap import (
    Interval,
    all_sign_sums,
    function_interval,
    mean_interval,
    mean_intervals,
    random_sign_sums,
)
from colorize.evaluation.metric_info import Measure, measure

EXACT = 15  # pictures up to which every set of signs is tried
FLIPS = 9999
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
    """(n, k), A's `Measure.goodness` less B's, a row a picture -> a difference for each metric.

    NaN says that a side has no value for the picture, which is then left out and counted. A column with an infinity has
    no ends, no p and no effect: how much better an infinite value is cannot be said.
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
    n = len(filled)
    exact = n <= EXACT
    sums = np.abs(all_sign_sums(filled) if exact else random_sign_sums(filled, flips, seed))
    seen = np.abs(filled.sum(axis=0)) - ROUNDING * np.abs(filled).sum(axis=0)
    as_large = (sums >= seen).sum(axis=0)
    chances = as_large / len(sums) if exact else (1 + as_large) / (1 + len(sums))
    return [float(p) if some else None for p, some in zip(chances, present.any(axis=0), strict=True)]


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


@dataclass(frozen=True)
class Pooled:
    """A function of the mean of something that each picture has.

    column     the per-picture metric that it is made of
    of_truth   whether it needs the true pictures' values of that metric as well
    each       what is averaged, from a picture's value and the truth's
    function   of that mean, (…) -> (…)
    """

    column: str
    of_truth: bool
    each: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    function: Callable[[np.ndarray], np.ndarray]


def _excess(values: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    assert truth is not None
    return values - truth


def _squared_error(values: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    return 10 ** (-values / 10)


def _decibels(means: np.ndarray) -> np.ndarray:
    return -10 * np.log10(means)


POOLED = {
    "psnr_pooled": Pooled("psnr", False, _squared_error, _decibels),
    "delta_colorfulness": Pooled("colorfulness", True, _excess, np.abs),
    "delta_colorfulness_abs": Pooled("colorfulness_abs", True, _excess, np.abs),
}


def pooled_interval(name: str, values: np.ndarray, truth: np.ndarray | None = None, *, seed: int = 0) -> Interval:
    """One of `POOLED` from (n,) values of pictures, and of their truths where it needs them, with its interval."""
    pooled = POOLED[name]
    each = pooled.each(np.asarray(values, float), truth)
    if pooled.function is not np.abs:
        return function_interval(each[:, None], lambda means: pooled.function(means[..., 0]), seed=seed)
    signed = mean_interval(each, seed=seed)  # a bend at 0 is no smooth function: the interval is folded there
    far = max(abs(signed.low), abs(signed.high))
    near = 0.0 if signed.low <= 0 <= signed.high else min(abs(signed.low), abs(signed.high))
    return Interval(abs(signed.value), near, far, signed.n)


def compare_pooled(
    name: str, a: np.ndarray, b: np.ndarray, truth: np.ndarray | None = None, *, flips: int = FLIPS, seed: int = 0
) -> Difference:
    """By how much A is better than B in one of `POOLED`, from (n,) values of the same pictures.

    The p is that of swapping A and B picture by picture, as for means. Effect and share, which are pictures', are None.
    """
    pooled, sign = POOLED[name], -1 if measure(name).better == "lower" else 1
    both = np.stack([pooled.each(np.asarray(side, float), truth) for side in (a, b)], axis=1)  # (n, 2)
    both = both[~np.isnan(both).any(axis=1)]

    def advantage(means: np.ndarray) -> np.ndarray:
        return sign * (pooled.function(means[..., 0]) - pooled.function(means[..., 1]))

    interval = function_interval(both, advantage, seed=seed)
    left_out = len(a) - len(both)
    if not np.isfinite(interval.low):
        return Difference(interval, left_out=left_out)
    half = (both[:, :1] - both[:, 1:]) / 2
    exact = len(both) <= EXACT
    swapped = (all_sign_sums(half) if exact else random_sign_sums(half, flips, seed))[:, 0] / len(both)  # (R,)
    middle = both.mean()
    found = np.abs(advantage(np.stack([middle + swapped, middle - swapped], axis=-1)))
    as_large = (found >= abs(interval.value) * (1 - ROUNDING) - ROUNDING).sum()
    p = as_large / len(found) if exact else (1 + as_large) / (1 + len(found))
    return Difference(interval, p=float(p), left_out=left_out)


def compare_intervals(measure: Measure, a: Interval, b: Interval, truth: Interval | None = None) -> Difference:
    """By how much A is better than B, from their two intervals (MOVER, Zou and Donner 2008).

    The interval of the difference takes A and B to be independent. On the same pictures they usually move together, and
    it is then wider than it need be. There is no test. Without ends, or where a value lies outside its own interval,
    the difference has no ends. Nearness to the truth is measured between the values, as if the truth's were exact.
    """
    n = min(a.n, b.n)
    if measure.better == "truth":
        wanted = truth.value if truth else measure.target
        if wanted is None:
            return Difference(Interval(nan, nan, nan, n), "intervals")
        a, b = _distance(a, wanted), _distance(b, wanted)
    sign = -1 if measure.better in ("lower", "truth") else 1
    if not (a.low <= a.value <= a.high and b.low <= b.value <= b.high):
        return Difference(Interval(sign * (a.value - b.value), nan, nan, n), "intervals")
    value = a.value - b.value
    low = value - hypot(a.value - a.low, b.high - b.value)
    high = value + hypot(a.high - a.value, b.value - b.low)
    ends = (low, high) if sign > 0 else (-high, -low)
    return Difference(Interval(sign * value, *ends, n), "intervals")


def _distance(interval: Interval, wanted: float) -> Interval:
    """|value − wanted|, and where that may lie."""
    low, high = interval.low - wanted, interval.high - wanted
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return Interval(abs(interval.value - wanted), nearest, max(abs(low), abs(high)), interval.n)
