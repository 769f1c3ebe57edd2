"""Several results side by side: their values, their order, and which differences are significant."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from colorize.evaluation.entries import Entry
from colorize.evaluation.significance import ComparisonResult, can_differ, compare_all, significance
from colorize.metrics.colorfulness import without_truth
from colorize.metrics.metric_info import Interval, info_of

Rows = dict[str, dict[str, Interval]]


@dataclass(frozen=True)
class Comparison:
    """Several results side by side, and what their differences are.

    protocol  the one that all were measured by
    metrics   that any of the runs has, in order
    runs      label -> metric -> value with its interval
    sanity    baselines and bounds: grey, mean_ab, …; where runs differ in one, it is there for each, as "grey of NAME"
    absent    label -> metric -> why it is unavailable
    verdicts  for every two runs and every metric that both have
    notes     sentences on what limits the comparison
    results   label -> the files of its results, one for each seed
    cost      label -> cost of a prediction, of its first result
    own       label -> metrics whose network the run was trained with, and that network
    grey      label -> its comparisons with grey in the metrics that are shown first
    networks  label -> what each of its results says of the weights that were evaluated
    """

    protocol: dict[str, Any]
    metrics: list[str]
    runs: Rows
    sanity: Rows
    absent: dict[str, dict[str, str]]
    verdicts: list[ComparisonResult]
    notes: list[str]
    results: dict[str, list[Path]] = field(default_factory=dict)
    cost: dict[str, dict[str, Any]] = field(default_factory=dict)
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    grey: dict[str, list[ComparisonResult]] = field(default_factory=dict)
    networks: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def leading(self) -> list[str]:
        """The metrics that are shown first: the prominent ones, then a distance of whole sets."""
        return leading_metrics(self.metrics, self.protocol, self.runs.values())

    def leaders(self, metric: str) -> set[str]:
        """Labels of the runs that are significantly better than another, and no other than they; empty where this is
        unknown."""
        of_metric = [verdict for verdict in self.verdicts if verdict.metric == metric]
        unknown = any(significance(v.difference, v.adjusted) is None for v in of_metric)
        if not self.has_order or info_of(metric).better is None or unknown:
            return set()
        won = [(v.a, v.b) if v.winner == v.a else (v.b, v.a) for v in of_metric if v.winner]
        return {winner for winner, _ in won} - {loser for _, loser in won}

    @property
    def has_order(self) -> bool:
        """Without the true colours, none is better than another."""
        return self.protocol.get("truth") != "none"

    def net_wins(self) -> dict[str, int]:
        """Label -> significant wins less losses against the other runs, in the metrics that are shown first: the order
        of the runs, best first. What was not tested does not count."""
        counts = dict.fromkeys(self.runs, 0)
        for verdict in self.verdicts:
            if verdict.winner and verdict.adjusted is not None and verdict.metric in self.leading():
                counts[verdict.winner] += 1
                counts[verdict.b if verdict.winner == verdict.a else verdict.a] -= 1
        return dict(sorted(counts.items(), key=lambda each: -each[1]))

    def places(self) -> dict[str, str]:
        """Label -> its place in the order of `net_wins`: "1", or "2=" where others have the same."""
        counts = self.net_wins()
        found = {label: 1 + sum(other > count for other in counts.values()) for label, count in counts.items()}
        tied = [*found.values()]
        return {label: f"{place}=" if tied.count(place) > 1 else str(place) for label, place in found.items()}

    def no_better_than_grey(self) -> set[str]:
        """Labels of the runs that grey beats as often as they beat it, where a difference could be found at all."""
        wins = {label: [v.winner for v in of if v.winner] for label, of in self.grey.items() if can_differ(of)}
        return {label for label, won in wins.items() if 2 * won.count(label) <= len(won)}


def leading_metrics(
    metrics: Sequence[str], protocol: Mapping[str, Any], rows: Iterable[Mapping[str, Interval]]
) -> list[str]:
    """The prominent ones, then a distance of whole sets that has an interval in all `rows`: of too few pictures, a
    Fréchet distance has none. Of paired sets it is the paired kernel distance, which has no bias."""
    info = {metric: info_of(metric) for metric in metrics}
    known = without_truth() if protocol.get("truth") == "none" else ()
    first = [m for m in metrics if info[m].prominence > 0 or m in known]
    few = {m for row in rows for m, cell in row.items() if not isfinite(cell.low)}
    distances = [m for m in metrics if info[m].aggregation == "set" and info[m].better == "lower" and m not in few]
    unbiased = [m for m in distances if m.startswith(("kid_paired", "kd_paired"))]
    return [*sorted(first, key=lambda m: -info[m].prominence), *(unbiased or distances)[:1]] or [*metrics]


def compare_with_grey(entries: Sequence[Entry], metrics: Sequence[str]) -> dict[str, list[ComparisonResult]]:
    """Label -> its comparisons with grey; those of `metrics` that both have, p corrected over these."""
    found = {}
    for entry in entries:
        if "grey" in entry.one.rows and entry.one.protocol.get("truth") != "none":
            grey = Entry("grey", dict([next(iter(entry.results.items()))]), "grey")
            found[entry.label] = compare_all([entry, grey], metrics)
    return found
