"""Two runs on the same pictures: how much the one is better, how sure that is, and whether chance would do it.

n pictures, k metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from colorize.statistics.bootstrap import Interval, mean_intervals
from colorize.statistics.resampling import sums_of_all_flips, sums_of_flips

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
            interval, p=chance, effect=effect_of(column), share=share_of(column), left_out=len(column) - interval.n
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
    sums = np.abs(sums_of_all_flips(filled) if exact else sums_of_flips(filled, flips, seed))
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


def effect_of(differences: np.ndarray) -> float | None:
    """Cohen's d_z of (n,) differences; None where they do not vary."""
    values = differences[~np.isnan(differences)]
    spread = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(values.mean() / spread) if spread > ROUNDING * np.abs(values).max(initial=0) else None


def share_of(differences: np.ndarray) -> float | None:
    """Of (n,) differences, the share above 0; those at 0 count half."""
    values = differences[~np.isnan(differences)]
    return float(((values > 0).mean() + (values >= 0).mean()) / 2) if len(values) else None
