"""Two values with their intervals, and nothing else: what can be said of their difference."""

from __future__ import annotations

from math import hypot, nan

from colorize.statistics.bootstrap import Interval
from colorize.statistics.measures import Measure
from colorize.statistics.paired import Difference


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
