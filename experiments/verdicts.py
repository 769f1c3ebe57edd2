"""Which of two networks is better, equal, or how many seeds would tell: the statistics of the studies in experiments/.

Photographs and seeds are crossed random factors: a verdict is for other photographs of the kind and for other seeds.
The variance between seeds is pooled over all networks, or the pair's own where that is larger. The p of a difference
are Holm's over all pairs and metrics: a chance of 5 % that anything at all is called better that is not. Those of
equality are of each pair and metric alone, and a pair is equal only where it is so in every metric: a chance of 5 % at
most that this pair is called equal wrongly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist

import numpy as np

from colorize.evaluation.bootstrap import TAILS
from colorize.evaluation.entries import howe_margin, howe_p, variance_components
from colorize.evaluation.permutation import holm
from colorize.metrics.metric_info import Interval

Values = Mapping[str, np.ndarray]  # network -> (n, S), the same photographs in the same order; more is better
Parts = list[tuple[float, int]]  # (variance, degrees of freedom) of a difference
ALPHA = 0.05  # of all pairs and metrics together
POWER = 0.8
MARGINS = {"psnr": 0.3, "ciede2000": 0.5}  # from where on two networks differ for a reader; none: they are never equal
MOST_SEEDS = 100


@dataclass(frozen=True)
class Spread:
    """What moves a pair's difference: the variance of photographs, of seeds by photographs (the sum of both networks'),
    and between seeds, pooled over the `networks` or the pair's own. n photographs, as many `seeds` of each network."""

    of_photographs: float
    interactions: float
    between_seeds: float
    n: int
    seeds: int
    networks: int

    def parts(self, seeds: int | None = None) -> Parts:
        """The variances of the difference of means; with as many seeds, where these are given."""
        count = seeds or self.seeds
        photographs = (self.of_photographs + self.interactions / count) / self.n
        return [(photographs, self.n - 1), (2 * self.between_seeds / count, self.networks * (count - 1))]


@dataclass(frozen=True)
class Verdict:
    """One pair in one metric.

    advantage  by how much `a` is better than `b`, with its 95 % interval (of this pair alone, not corrected)
    p          of no difference, by Holm
    p_equal    of a difference of the margin or more (two one-sided tests, Schuirmann 1987)
    """

    a: str
    b: str
    metric: str
    advantage: Interval
    p: float
    p_equal: float
    spread: Spread

    @property
    def word(self) -> str:
        """better, worse, equal or open, of `a`."""
        if self.p <= ALPHA:
            return "better" if self.advantage.value > 0 else "worse"
        return "equal" if self.p_equal <= ALPHA else "open"


def judge(scores: Mapping[str, Values], *, own: bool = True) -> list[Verdict]:
    """metric -> values: a verdict for each pair of networks in each metric.

    own  take the variance between seeds of the pair where it is larger than the pooled one. Without it, a network whose
         seeds differ much more than others' is called better or worse by chance (power.csv)
    """
    found = []
    for metric, values in scores.items():
        pooled = pooled_seed_variance(values)
        found += [compare(a, b, metric, values, pooled, own=own) for a, b in combinations(values, 2)]
    return correct(found)


def correct(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The same with p by Holm over all of them."""
    return [replace(each, p=p) for each, p in zip(verdicts, holm([each.p for each in verdicts]), strict=True)]


def pooled_seed_variance(values: Values) -> float:
    """The mean over networks of their variance between seeds, not below 0."""
    return max(float(np.mean([variance_components(side)[0] for side in values.values()])), 0.0)


def spread_of(a: np.ndarray, b: np.ndarray, between: float, networks: int) -> Spread:
    """The variances of two (n, S); that of photographs is what the interactions leave."""
    n, seeds = a.shape
    interactions = variance_components(a)[1] + variance_components(b)[1]
    whole = float(np.var(a.mean(axis=1) - b.mean(axis=1), ddof=1))
    return Spread(max(whole - interactions / seeds, 0.0), interactions, between, n, seeds, networks)


def compare(a: str, b: str, metric: str, values: Values, pooled: float, *, own: bool = True) -> Verdict:
    """The pair's difference and its p, not yet corrected; `pooled` is the variance between seeds of all networks."""
    between = max(pooled, pooled_seed_variance({a: values[a], b: values[b]})) if own else pooled
    spread = spread_of(values[a], values[b], between, len(values))
    parts = spread.parts()
    value = float(values[a].mean() - values[b].mean())
    margin = howe_margin(parts, 1 - TAILS[1])
    room = MARGINS.get(metric, 0.0) - abs(value)  # to the nearer end of what is equal
    one_sided = howe_p(parts, abs(room)) / 2
    interval = Interval(value, value - margin, value + margin, spread.n)
    equal = one_sided if room > 0 else 1 - one_sided
    return Verdict(a, b, metric, interval, howe_p(parts, abs(value)), equal, spread)


def seeds_that_decide(verdict: Verdict, tests: int) -> int | None:
    """How many seeds of each network show the estimated difference at α / tests, or the equality at α, with a power of
    80 %; None where none would: the photographs are too few."""
    quantile, distance, spread = NormalDist().inv_cdf(POWER), abs(verdict.advantage.value), verdict.spread
    for seeds in range(spread.seeds, MOST_SEEDS + 1):
        parts = spread.parts(seeds)
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
