"""For every two runs and every metric: how much better the one is, how sure that is, and what it comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from colorize.comparing.entries import Entry
from colorize.comparing.pairs import Pair
from colorize.statistics import Difference, decide, holm, say_difference
from colorize.statistics.paired import FLIPS
from colorize.statistics.words import ALPHA


@dataclass(frozen=True)
class Verdict:
    """One metric of two entries, by their labels.

    adjusted  p after Holm's correction over all tests of the comparison; None where there is no test
    winner    the label of the better one, or of the higher where neither end is better; None where that is not known
    """

    metric: str
    a: str
    b: str
    difference: Difference
    adjusted: float | None
    winner: str | None
    sentence: str


def judge(entries: Sequence[Entry], metrics: Sequence[str]) -> list[Verdict]:
    """Every two entries in every metric that both have."""
    couples = list(combinations(entries, 2))
    flips = max(FLIPS, round(4 * len(couples) * len(metrics) / ALPHA))  # the smallest p survives the correction
    found = []
    for a, b in couples:
        pair = Pair(a, b, flips)
        found += [(pair, metric, difference) for metric, difference in pair.differences(metrics).items()]
    adjusted = holm([difference.p for _, _, difference in found])
    verdicts = []
    for (pair, metric, difference), p in zip(found, adjusted, strict=True):
        one, other = pair.a.label, pair.b.label
        winner = {1: one, -1: other}.get(decide(difference, p) or 0)
        sentence = say_difference(pair.known(metric), one, other, difference, p)
        verdicts.append(Verdict(metric, one, other, difference, p, winner, sentence))
    return verdicts
