"""Numbers of a set that are not the mean of its pictures' own: functions of means, such as a PSNR of the mean error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from colorize.statistics.bootstrap import Interval, function_interval, mean_interval
from colorize.statistics.measures import measure
from colorize.statistics.paired import EXACT, FLIPS, ROUNDING, Difference
from colorize.statistics.resampling import sums_of_all_flips, sums_of_flips


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
    swapped = (sums_of_all_flips(half) if exact else sums_of_flips(half, flips, seed))[:, 0] / len(both)  # (R,)
    middle = both.mean()
    found = np.abs(advantage(np.stack([middle + swapped, middle - swapped], axis=-1)))
    as_large = (found >= abs(interval.value) * (1 - ROUNDING) - ROUNDING).sum()
    p = as_large / len(found) if exact else (1 + as_large) / (1 + len(found))
    return Difference(interval, p=float(p), left_out=left_out)
