"""What a comparison comes to, in a sentence that says no more than is known."""

from __future__ import annotations

from math import isfinite, isinf, isnan

from colorize.statistics.bootstrap import Interval
from colorize.statistics.measures import Measure
from colorize.statistics.paired import Difference

ALPHA = 0.05
BASES = {"pairs": "", "seeds": ", over seeds and pictures", "intervals": ", from the two intervals alone"}


def say_difference(measure: Measure, a: str, b: str, difference: Difference, adjusted: float | None = None) -> str:
    """“A is better than B by 0.42 dB (0.31 to 0.53)”, or “A and B cannot be told apart: 0.02 dB (−0.05 to 0.09)”.

    adjusted   the p after Holm's correction; without it the difference's own p, if any
    A is better where the interval leaves out 0 and p, if there is one, is at most 0.05.
    """
    advantage, p = difference.advantage, difference.p if adjusted is None else adjusted
    aside = BASES[difference.basis] + _left_out(difference)
    if not (isfinite(advantage.low) and isfinite(advantage.high)):
        return f"{a} and {b} cannot be compared: {_why(advantage)}{aside}"
    if advantage.low <= 0 <= advantage.high:
        return f"{a} and {b} cannot be told apart: {span(measure, advantage)}{aside}"
    if p is not None and p > ALPHA:
        return f"{a} and {b} cannot be told apart: {span(measure, advantage)}, but p is {p:.2g}{aside}"
    if advantage.value < 0:
        a, b = b, a
        advantage = Interval(-advantage.value, -advantage.high, -advantage.low, advantage.n)
    if measure.better is None:
        return f"{a} is higher than {b} by {span(measure, advantage)}, and neither end is the better one{aside}"
    nearer = "nearer to the truth" if measure.better == "truth" else "better"
    return f"{a} is {nearer} than {b} by {span(measure, advantage)}{aside}"


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
