"""Which of two networks is better, equal, or how many seeds would tell: the statistics of the study.

Photographs and seeds are crossed random factors: a verdict is for other photographs of the kind and for other seeds.
The variance between seeds is pooled over all networks. The p of a difference are Holm's over all pairs and metrics: a
chance of 5 % that anything at all is called better that is not. Those of equality are of each pair and metric alone,
and a pair is equal only where it is so in every metric: a chance of 5 % at most that this pair is called equal wrongly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist

import numpy as np
from declared import ALPHA, MARGINS, POWER

from colorize.evaluation.bootstrap import TAILS
from colorize.evaluation.entries import compare_seeds, howe_margin, howe_p, variance_components
from colorize.evaluation.permutation import holm
from colorize.metrics.metric_info import Interval

Values = Mapping[str, np.ndarray]  # network -> (n, S) of the same photographs in the same order; more is better
Parts = list[tuple[float, int]]  # (variance, degrees of freedom) of a difference
MOST_SEEDS = 200


@dataclass(frozen=True)
class Verdict:
    """One pair in one metric.

    advantage  by how much `a` is better than `b`, with its 95 % interval (of this pair alone, not corrected)
    p          of no difference, by Holm; p_own: the same with the two networks' own variance between seeds, not pooled
    p_equal    of a difference of the margin or more (two one-sided tests, Schuirmann 1987)
    seeds      of each network that would decide with a power of 80 %; None where it is decided, or where none would
    """

    a: str
    b: str
    metric: str
    advantage: Interval
    p: float
    p_own: float
    p_equal: float
    seeds: int | None = None

    @property
    def word(self) -> str:
        """better, worse, equal or open, of `a`."""
        if self.p <= ALPHA:
            return "better" if self.advantage.value > 0 else "worse"
        return "equal" if self.p_equal <= ALPHA else "open"


@dataclass(frozen=True)
class Spread:
    """What moves a pair's difference: variances of photographs, of seeds by photographs and, pooled, of seeds.

    sides  seeds of the one and of the other network
    df     degrees of freedom of the pooled variance
    """

    of_photographs: float
    interactions: tuple[float, float]
    between_seeds: float
    n: int
    sides: tuple[int, int]
    df: int

    def parts(self, sides: tuple[int, int] | None = None, df: int | None = None) -> Parts:
        """The variances of the difference of means; with as many seeds, where these are given."""
        seeds = sides or self.sides
        both = sum(each / count for each, count in zip(self.interactions, seeds, strict=True))
        shared = sum(1 / count for count in seeds)
        return [((self.of_photographs + both) / self.n, self.n - 1), (self.between_seeds * shared, df or self.df)]


def judge(scores: Mapping[str, Values]) -> list[Verdict]:
    """metric -> values: a verdict for each pair of networks in each metric."""
    found, spreads = [], []
    for metric, values in scores.items():
        between, df = pooled_seed_variance(values)
        for a, b in combinations(values, 2):
            spread = spread_of(values[a], values[b], between, df)
            spreads.append((spread, len(values)))
            found.append(compare(a, b, metric, values, spread))
    tests = len(found)
    for field in ("p", "p_own"):
        corrected = holm([getattr(each, field) for each in found])
        found = [replace(each, **{field: p}) for each, p in zip(found, corrected, strict=True)]
    return [
        replace(each, seeds=seeds_that_decide(each, *spread, tests)) if each.word == "open" else each
        for each, spread in zip(found, spreads, strict=True)
    ]


def pooled_seed_variance(values: Values) -> tuple[float, int]:
    """The mean over networks of their variance between seeds, not below 0, with its degrees of freedom."""
    freedom = [side.shape[1] - 1 for side in values.values()]
    between = [variance_components(side)[0] for side in values.values()]
    return max(float(np.average(between, weights=freedom)), 0.0), sum(freedom)


def spread_of(a: np.ndarray, b: np.ndarray, between: float, df: int) -> Spread:
    """The variances of (n, S) and (n, T) values, of which that of photographs is what the interactions leave."""
    interactions = (variance_components(a)[1], variance_components(b)[1])
    sides = (a.shape[1], b.shape[1])
    both = sum(each / count for each, count in zip(interactions, sides, strict=True))
    whole = float(np.var(a.mean(axis=1) - b.mean(axis=1), ddof=1))
    return Spread(max(whole - both, 0.0), interactions, between, len(a), sides, df)


def compare(a: str, b: str, metric: str, values: Values, spread: Spread) -> Verdict:
    """The pair's difference and its p, not yet corrected."""
    parts = spread.parts()
    value = float(values[a].mean() - values[b].mean())
    margin = howe_margin(parts, 1 - TAILS[1])
    room = MARGINS[metric] - abs(value)  # to the nearer end of what is equal
    one_sided = howe_p(parts, abs(room)) / 2
    own = compare_seeds(values[a], values[b]).p
    assert own is not None
    interval = Interval(value, value - margin, value + margin, spread.n)
    return Verdict(a, b, metric, interval, howe_p(parts, abs(value)), own, one_sided if room > 0 else 1 - one_sided)


def seeds_that_decide(verdict: Verdict, spread: Spread, networks: int, tests: int) -> int | None:
    """How many seeds of each network show the estimated difference at α / tests, or the equality at α.

    None where none would: the photographs are too few.
    """
    quantile, distance = NormalDist().inv_cdf(POWER), abs(verdict.advantage.value)
    for seeds in range(min(spread.sides), MOST_SEEDS + 1):
        parts = spread.parts((seeds, seeds), networks * (seeds - 1))
        error = sum(variance for variance, _ in parts) ** 0.5 * quantile
        differs = distance >= howe_margin(parts, ALPHA / tests / 2) + error
        if differs or MARGINS[verdict.metric] - distance >= howe_margin(parts, ALPHA) + error:
            return seeds
    return None


def decide_pair(verdicts: Sequence[Verdict]) -> str:
    """What the metrics say of one pair together: better or worse (in one metric at least, and in none the contrary),
    mixed (better in one, worse in another), equal (in all) or open."""
    words = {each.word for each in verdicts}
    if {"better", "worse"} <= words:
        return "mixed"
    return next((word for word in ("better", "worse") if word in words), "equal" if words == {"equal"} else "open")


def by_pair(verdicts: Sequence[Verdict]) -> dict[tuple[str, str], list[Verdict]]:
    """Pair -> its verdicts, one for each metric."""
    pairs: dict[tuple[str, str], list[Verdict]] = {}
    for each in verdicts:
        pairs.setdefault((each.a, each.b), []).append(each)
    return pairs


def rank(verdicts: Sequence[Verdict], values: Values) -> list[str]:
    """Networks by pairs won less pairs lost, then by the mean of `values`; the best first."""
    wins = dict.fromkeys(values, 0)
    for (a, b), both in by_pair(verdicts).items():
        gain = {"better": 1, "worse": -1}.get(decide_pair(both), 0)
        wins[a] += gain
        wins[b] -= gain
    return sorted(values, key=lambda name: (wins[name], values[name].mean()), reverse=True)
