"""What a comparison comes to, in a sentence that says no more than is known."""

from __future__ import annotations

from math import isfinite, isinf, isnan

from colorize.statistics.bootstrap import Interval
from colorize.statistics.measures import Measure
from colorize.statistics.paired import Difference

ALPHA = 0.05
BASES = {"pairs": "", "seeds": ", over seeds and pictures", "intervals": ", from the two intervals alone"}


def decide(difference: Difference, adjusted: float | None = None) -> int | None:
    """1 where A is better (higher, where neither end is), −1 where B is, 0 where they cannot be told apart.

    It takes both: an interval that leaves out 0, and a p of at most 0.05, if there is one. None without an interval.
    adjusted   the p after Holm's correction; without it the difference's own
    """
    advantage, p = difference.advantage, difference.p if adjusted is None else adjusted
    if not (isfinite(advantage.low) and isfinite(advantage.high)):
        return None
    if advantage.low <= 0 <= advantage.high or (p is not None and p > ALPHA):
        return 0
    return 1 if advantage.value > 0 else -1


def say_difference(measure: Measure, a: str, b: str, difference: Difference, adjusted: float | None = None) -> str:
    """“A is better than B by 0.42 dB (0.31 to 0.53)”, or “A and B cannot be told apart: 0.02 dB (−0.05 to 0.09)”."""
    advantage, p = difference.advantage, difference.p if adjusted is None else adjusted
    found, aside = decide(difference, adjusted), BASES[difference.basis] + _left_out(difference)
    if found is None:
        return f"{a} and {b} cannot be compared: {_why(advantage)}{aside}"
    if found == 0:
        but = "" if advantage.low <= 0 <= advantage.high else f", but p is {p:.2g}"
        return f"{a} and {b} cannot be told apart: {span(measure, advantage)}{but}{aside}"
    if found < 0:
        a, b = b, a
        advantage = Interval(-advantage.value, -advantage.high, -advantage.low, advantage.n)
    by = span(measure, advantage)
    if measure.better is None:
        return f"{a} is higher than {b} by {by}, and neither end is the better one{aside}"
    return f"{a} is {'nearer to the truth' if measure.better == 'truth' else 'better'} than {b} by {by}{aside}"


def span(measure: Measure, interval: Interval) -> str:
    """“0.42 dB (0.31 to 0.53)”; the value alone where it has no ends."""
    unit = f" {measure.unit}" if measure.unit else ""
    value = number(interval.value, measure.digits)
    if isnan(interval.low) or isnan(interval.high):
        return f"{value}{unit}"
    ends = (number(end, measure.digits) for end in (interval.low, interval.high))
    return f"{value}{unit} ({' to '.join(ends)})"


def number(value: float, digits: int) -> str:
    """With a true minus sign and no negative zero; "–" for NaN, "∞" for infinities."""
    if isnan(value):
        return "–"
    if isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _left_out(difference: Difference) -> str:
    if not difference.left_out:
        return ""
    every = difference.left_out + difference.advantage.n
    return f"; {difference.left_out} of {every} pictures have no value and are left out"


def _why(advantage: Interval) -> str:
    if advantage.n < 2:
        return f"{advantage.n} pictures are too few"
    return "a value is infinite or has no interval around it"
