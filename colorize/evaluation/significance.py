"""Pairs of entries: which differences are significant, and the sentence for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import isfinite, isinf, isnan

import numpy as np

from colorize.evaluation.entries import Entry, compare_seeds, reorder
from colorize.evaluation.permutation import (
    FLIPS,
    LEAST_TESTED,
    Difference,
    compare_functions,
    compare_intervals,
    compare_pairs,
    holm,
)
from colorize.metrics.metric import Metric, column_name
from colorize.metrics.metric_info import Interval, MetricInfo, function_of_means, info_of, package_metrics
from colorize.utils.console import counted


@dataclass
class EntryPair:
    """By how much `a` is better than `b`; `flips` random swaps make up a test."""

    a: Entry
    b: Entry
    flips: int

    def differences(self, metrics: Sequence[str]) -> dict[str, Difference]:
        """metric -> difference, for those that both have. Tests of pictures share their resamples."""
        metrics = [metric for metric in metrics if metric in self.a.aggregated and metric in self.b.aggregated]
        runs = [m for m in metrics if self._seeds(m) == (1, 1) and self.known(m).better != "truth"]
        found = {}
        if runs:
            advantages = [left - right for left, right in (self._oriented(metric) for metric in runs)]
            found = dict(zip(runs, compare_pairs(np.hstack(advantages), flips=self.flips), strict=True))
        return {metric: found[metric] if metric in found else self._difference(metric) for metric in metrics}

    def known(self, metric: str) -> MetricInfo:
        """How the metric is read: of one that is good near the truth, which is not known, neither end is good."""
        return info_of(metric).with_truth(self._truth(metric) is not None)

    def _difference(self, metric: str) -> Difference:
        known, seeds = self.known(metric), self._seeds(metric)
        if seeds == (1, 1):  # the nearer to the truth: by the distance of means, which is what tables show
            a, b = self._distances(metric)
            return compare_functions(a, b, lambda means: -np.abs(means[..., 0]), flips=self.flips)
        if seeds:
            return compare_seeds(*self._oriented(metric))
        part, known = package_metrics().get(metric, (Metric, known))
        columns = [column_name(metric, column) for column in part.columns]
        if (
            columns
            and (known.better != "truth" or known.target is not None)
            and all(self._seeds(column) == (1, 1) for column in columns)
        ):
            a, b = (np.hstack([self._values(entry, column) for column in columns]) for entry in (self.a, self.b))
            finish = function_of_means(part)
            return compare_functions(a, b, lambda means: known.oriented(finish(means)), flips=self.flips)
        return compare_intervals(
            known, self.a.aggregated[metric], self.b.aggregated[metric], self._truth_of_set(metric)
        )

    @cached_property
    def _names(self) -> list[str]:
        return self.a.pictures[0].names if self.a.pictures else []

    def _values(self, entry: Entry, metric: str) -> np.ndarray:
        values = entry.values(metric, self._names)
        assert values is not None
        return values

    def _seeds(self, metric: str) -> tuple[int, int] | None:
        """How many trainings each side has values of pictures from; None where one has no such values."""
        a, b = (entry.pictures if entry.has(metric) else None for entry in (self.a, self.b))
        return (len(a), len(b)) if a and b else None

    def _oriented(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """(n, S) and (n, T), whose means are the two values on a scale on which more is better."""
        known = self.known(metric)
        if known.better == "truth":  # |mean distance|, linear in the pictures
            a, b = (-np.sign(np.nanmean(each)) * each for each in self._distances(metric))
        else:
            a, b = (known.oriented(self._values(entry, metric)) for entry in (self.a, self.b))
        return a, b

    def _distances(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """(n, S) and (n, T) values less those of the truth."""
        truth = self._truth(metric)
        wanted = self.known(metric).target if truth is None else truth
        a, b = (self._values(entry, metric) - wanted for entry in (self.a, self.b))
        return a, b

    def _truth(self, metric: str) -> np.ndarray | float | None:
        """What the truth has: (n, 1) picture by picture, or one number for the set; None where it is not known."""
        of_images, of_set = self.a.truth, self._truth_of_set(metric)
        if of_images and not np.isnan(of_images.values.get(metric, np.nan)).all():
            return reorder(self._names, of_images, f"{self.a.label}, truth").values[metric][:, None]
        return of_set.value if of_set else None

    def _truth_of_set(self, metric: str) -> Interval | None:
        return self.a.one.rows.get("truth", {}).get(metric)


ALPHA = 0.05
SAME_TEST = {  # of means of the same pictures, in another unit: it counts once in Holm's correction
    "delta_colorfulness": "colorfulness", "delta_colorfulness_abs": "colorfulness_abs", "chroma": "chroma_mean",
}  # fmt: skip
BASES = {"pairs": "", "seeds": ", over seeds and pictures", "intervals": ", from the two intervals alone"}


def significance(difference: Difference, adjusted: float | None = None) -> int | None:
    """1 where A is better (higher, where neither end is), −1 where B is, 0 where there is no significant difference.

    It takes both: an interval that leaves out 0, and a p of at most 0.05, if there is one. None without an interval,
    and of fewer than `LEAST_TESTED` pictures.
    adjusted   the p after Holm's correction; without it the difference's own
    """
    advantage, p = difference.advantage, difference.p if adjusted is None else adjusted
    if advantage.n < LEAST_TESTED or not (isfinite(advantage.low) and isfinite(advantage.high)):
        return None
    if advantage.low <= 0 <= advantage.high or (p is not None and p > ALPHA):
        return 0
    return 1 if advantage.value > 0 else -1


def describe_difference(info: MetricInfo, a: str, b: str, difference: Difference, adjusted: float | None = None) -> str:
    """“A is better than B by 0.42 dB (0.31 to 0.53)”, or “no significant difference between A and B: 0.02 dB (…)”."""
    advantage, p = difference.advantage, difference.p if adjusted is None else adjusted
    found, aside = significance(difference, adjusted), ""
    if difference.left_out:
        every = difference.left_out + advantage.n
        aside = f"; {difference.left_out} of {every} pictures have no value and are left out"
    if found is None:
        few = f"{counted(advantage.n, 'picture')} are too few" if advantage.n < LEAST_TESTED else ""
        return f"{a} and {b} cannot be compared: {few or 'a value is infinite or has no interval'}{aside}"
    aside = BASES[difference.basis] + aside
    if found == 0:
        but = "" if advantage.low <= 0 <= advantage.high else f", but p is {p:.2g}"
        return f"no significant difference between {a} and {b}: {format_interval(info, advantage)}{but}{aside}"
    if found < 0:
        a, b = b, a
        advantage = Interval(-advantage.value, -advantage.high, -advantage.low, advantage.n)
    by = format_interval(info, advantage)
    if info.better is None:
        return f"{a} is higher than {b} by {by}, and neither end is the better one{aside}"
    return f"{a} is {'nearer to the truth' if info.better == 'truth' else 'better'} than {b} by {by}{aside}"


def format_interval(info: MetricInfo, interval: Interval) -> str:
    """“0.42 dB (0.31 to 0.53)”; the value alone where it has no ends."""
    unit = f" {info.unit}" if info.unit else ""
    value = format_number(interval.value, info.digits)
    if isnan(interval.low) or isnan(interval.high):
        return f"{value}{unit}"
    ends = (format_number(end, info.digits) for end in (interval.low, interval.high))
    return f"{value}{unit} ({' to '.join(ends)})"


def format_number(value: float, digits: int) -> str:
    """With the minus sign of typography and no negative zero; "–" for NaN, "∞" for infinite values."""
    if isnan(value):
        return "–"
    if isinf(value):
        return "∞" if value > 0 else "−∞"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


@dataclass(frozen=True)
class ComparisonResult:
    """The comparison of two entries, by their labels, in one metric.

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


def compare_all(entries: Sequence[Entry], metrics: Sequence[str]) -> list[ComparisonResult]:
    """Compare every two entries in every metric that both have; p is corrected over all of these tests."""
    return compare_couples([*combinations(entries, 2)], metrics)


def compare_couples(couples: Sequence[tuple[Entry, Entry]], metrics: Sequence[str]) -> list[ComparisonResult]:
    """The same of these two and two."""
    flips = max(FLIPS, round(4 * len(couples) * len(metrics) / ALPHA))  # the smallest p survives the correction
    found, tests = [], dict[tuple[str, str, str], float]()
    for a, b in couples:
        pair = EntryPair(a, b, flips)
        for metric, difference in pair.differences(metrics).items():
            found.append((pair, metric, difference))
            if difference.p is not None and difference.advantage.n >= LEAST_TESTED:
                tests.setdefault(name_test(metric, a.label, b.label), difference.p)
    adjusted = dict(zip(tests, holm([*tests.values()]), strict=True))
    return [
        verdict_on(
            metric, pair.a.label, pair.b.label, difference,
            None if difference.p is None else adjusted.get(name_test(metric, pair.a.label, pair.b.label)),
            pair.known(metric),
        )
        for pair, metric, difference in found
    ]  # fmt: skip


def name_test(metric: str, a: str, b: str) -> tuple[str, str, str]:
    """What a verdict tests: the same for metrics that are one test in two units."""
    return SAME_TEST.get(metric, metric), a, b


def count_tests(verdicts: Sequence[ComparisonResult]) -> int:
    """How many tests Holm's correction is over."""
    tested = [(v.metric, v.a, v.b) for v in verdicts if v.adjusted is not None]
    return sum(each == name_test(*each) or name_test(*each) not in tested for each in tested)


def can_differ(verdicts: Sequence[ComparisonResult]) -> bool:
    """Whether any of these could have had a winner: of a few pictures the smallest p, 2 / 2ⁿ, does not survive Holm's
    correction over all tests."""
    tests = count_tests(verdicts)
    known = [v.difference for v in verdicts if significance(v.difference, v.adjusted) is not None]
    return any(d.p is None or d.basis != "pairs" or tests * 2 / 2**d.advantage.n <= ALPHA for d in known)


def verdict_on(
    metric: str, a: str, b: str, difference: Difference, adjusted: float | None, known: MetricInfo | None = None
) -> ComparisonResult:
    """`known`: how the metric is read here, if that is not what it says itself."""
    winner = {1: a, -1: b}.get(significance(difference, adjusted) or 0)
    sentence = describe_difference(known or info_of(metric), a, b, difference, adjusted)
    return ComparisonResult(metric, a, b, difference, adjusted, winner, sentence)
