"""Two entries and how they differ: picture by picture where their values are there, by their intervals where not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from colorize.comparing.entries import Entry, in_order_of
from colorize.statistics import (
    POOLED,
    Difference,
    Interval,
    Measure,
    compare_intervals,
    compare_pairs,
    compare_pooled,
    compare_seeds,
    measure,
)


@dataclass
class Pair:
    """By how much `a` is better than `b`; `flips` random swaps make up a test."""

    a: Entry
    b: Entry
    flips: int

    def differences(self, metrics: Sequence[str]) -> dict[str, Difference]:
        """metric -> difference, for those that both have. Tests of pictures share their resamples."""
        metrics = [metric for metric in metrics if metric in self.a.cells and metric in self.b.cells]
        runs = [metric for metric in metrics if metric not in POOLED and self._seeds(metric) == (1, 1)]
        found = {}
        if runs:
            advantages = [left - right for left, right in (self._goodness(metric) for metric in runs)]
            found = dict(zip(runs, compare_pairs(np.hstack(advantages), flips=self.flips), strict=True))
        return {metric: found[metric] if metric in found else self._difference(metric) for metric in metrics}

    def known(self, metric: str) -> Measure:
        """How the metric is read: of one that is good near the truth, which is not known, neither end is good."""
        known = measure(metric)
        unknown = known.better == "truth" and known.target is None and self._truth(metric) is None
        return replace(known, better=None) if unknown else known

    def _difference(self, metric: str) -> Difference:
        column = POOLED[metric].column if metric in POOLED else metric
        seeds = self._seeds(column)
        if metric not in POOLED and seeds:
            return compare_seeds(*self._goodness(metric))
        if seeds == (1, 1) and not (POOLED[metric].of_truth and self._true_pictures(column) is None):
            a, b = (self._values(entry, column)[:, 0] for entry in (self.a, self.b))
            return compare_pooled(metric, a, b, self._true_pictures(column), flips=self.flips)
        truth = self._truth_of_set(metric)
        return compare_intervals(self.known(metric), self.a.cells[metric], self.b.cells[metric], truth)

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

    def _goodness(self, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """(n, S) and (n, T)"""
        known, truth = self.known(metric), self._truth(metric)
        a, b = (known.goodness(self._values(entry, metric), truth) for entry in (self.a, self.b))
        return a, b

    def _truth(self, metric: str) -> np.ndarray | float | None:
        """What the truth has: (n, 1) picture by picture, or one number for the set; None where it is not known."""
        of_pictures, of_set = self._true_pictures(metric), self._truth_of_set(metric)
        if of_pictures is not None:
            return of_pictures[:, None]
        return of_set.value if of_set else None

    def _true_pictures(self, metric: str) -> np.ndarray | None:
        if self.a.truth is None or np.isnan(self.a.truth.values.get(metric, np.array([np.nan]))).all():
            return None
        return in_order_of(self._names, self.a.truth, f"{self.a.label}, truth").values[metric]

    def _truth_of_set(self, metric: str) -> Interval | None:
        return self.a.one.rows.get("truth", {}).get(metric)
