"""From the numbers of pictures to what stands in a table: values with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from colorize.distribution import DistributionMetric, Extractor, Features, Scores
from colorize.metrics import Metric, column_name
from colorize.results import Pictures
from colorize.statistics import (
    POOLED,
    Interval,
    function_interval,
    mean_intervals,
    measure,
    pooled_interval,
    share_interval,
)

Cells = dict[str, Interval]


def of_pictures(pictures: Pictures, metrics: Mapping[str, Metric]) -> Cells:
    """metric -> its value over the pictures; those of which no picture has a number are left out."""
    cells: dict[str, Interval | None] = {}
    means: dict[str, np.ndarray] = {}
    for name, metric in metrics.items():
        columns = {column: pictures.values[column_name(name, column)] for column in metric.columns}
        if all(np.isnan(values).all() for values in columns.values()):
            continue
        cells[name] = None  # keeps its place in the table
        if name in POOLED and POOLED[name].of_truth:  # an amount without sign has an interval that ends at 0
            cells[name] = pooled_interval(name, columns["painted"], columns["truth"])
        elif metric.pooled:
            cells[name] = pooled(metric, columns)
        elif metric.share:
            known = columns[""][~np.isnan(columns[""])]
            cells[name] = share_interval(int(known.sum()), len(known))
        else:
            means[name] = columns[""]
    if means:
        cells |= dict(zip(means, mean_intervals(np.stack(list(means.values()), axis=1)), strict=True))
    known = {name: cell for name, cell in cells.items() if cell is not None and not np.isnan(cell.value)}
    return {name: measure(name).within(cell) for name, cell in known.items()}


def pooled(metric: Metric, columns: Mapping[str, np.ndarray]) -> Interval:
    """A value that is made of means."""

    def finish(means: np.ndarray) -> np.ndarray:
        rows = means.reshape(-1, len(columns))
        values = [metric.finish(dict(zip(columns, row.tolist(), strict=True))) for row in rows]
        return np.array(values).reshape(means.shape[:-1])

    return function_interval(np.stack(list(columns.values()), axis=1), finish)


def of_distributions(
    extractors: Sequence[Extractor], truth: Mapping[str, Features], painted: Mapping[str, Features], *, paired: bool
) -> tuple[Cells, dict[str, str]]:
    """Distances in the features of each extractor, by its name; and why others are not there."""
    cells: Cells = {}
    absent: dict[str, str] = {}
    for extractor in extractors:
        scores = DistributionMetric(extractor).measure(truth[extractor.name], painted[extractor.name], paired=paired)
        cells |= of_scores(scores)
        absent |= scores.absent
    return cells, absent


def of_scores(scores: Scores) -> Cells:
    return {
        name: measure(name).within(Interval(held["value"], held["low"], held["high"], int(held["n"])))
        for name, held in scores.values.items()
    }
