"""What stands in a line of the comparison: a run, or the runs of one recipe with several seeds taken together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from colorize.comparing.places import labels_of
from colorize.errors import UserError
from colorize.results import Pictures, Result, pictures_of, read_pictures
from colorize.statistics import Interval, combined_interval, measure, seeds_interval


@dataclass
class Entry:
    """One result, or several that differ by their seed alone; their pictures are read when they are needed."""

    label: str
    results: dict[Path, Result] = field(repr=False)

    @property
    def one(self) -> Result:
        return next(iter(self.results.values()))

    @cached_property
    def pictures(self) -> list[Pictures] | None:
        """Of each seed the network's pictures, all in the first's order; None where a file is not there."""
        files = [pictures_of(path) for path in self.results]
        if not all(file.exists() for file in files):
            return None
        read = [read_pictures(file) for file in files]
        for file, found, result in zip(files, read, self.results.values(), strict=True):
            if len(found.names) < max((cell.n for metric, cell in result.rows["model"].items()
                                       if metric in found.values), default=0):  # fmt: skip
                raise UserError(
                    f"{str(file)!r} has {len(found.names)} pictures, fewer than its result was made of: evaluate again"
                )
        return [in_order_of(read[0].names, found, file) for file, found in zip(files, read, strict=True)]

    @cached_property
    def truth(self) -> Pictures | None:
        """What the true pictures have themselves; None where the evaluation did not keep it."""
        file = pictures_of(next(iter(self.results)))
        found = read_pictures(file, "truth") if file.exists() else None
        return found if found and found.names else None

    def has(self, metric: str) -> bool:
        """Whether its pictures have values of it, of which its own is the mean."""
        return (
            bool(self.pictures)
            and all(metric in seed.values for seed in self.pictures or [])
            and (metric not in self.unlike)
        )

    @cached_property
    def unlike(self) -> set[str]:
        """Metrics of which the result's value is not the mean of its pictures'."""
        found = set()
        for seed, result in zip(self.pictures or [], self.results.values(), strict=False):
            cells = result.rows["model"]
            for metric in cells.keys() & seed.values.keys():
                values = seed.values[metric][~np.isnan(seed.values[metric])]
                mean = values.mean() if len(values) else np.nan
                if not np.isclose(mean, cells[metric].value, rtol=1e-5, atol=1e-8, equal_nan=True):
                    found.add(metric)
        return found

    def values(self, metric: str, names: list[str]) -> np.ndarray | None:
        """(n, S) of one metric, for the pictures of `names` in that order; None where pictures have no such value."""
        if self.pictures is None or not self.has(metric):
            return None
        ordered = [in_order_of(names, seed, self.label) for seed in self.pictures]
        return np.stack([seed.values[metric] for seed in ordered], axis=1)

    @cached_property
    def cells(self) -> dict[str, Interval]:
        """metric -> value with its interval; over seeds, it is for another seed as much as for other pictures."""
        rows = [result.rows["model"] for result in self.results.values()]
        if len(rows) == 1:
            return rows[0]
        shared = [metric for metric in rows[0] if all(metric in row for row in rows)]
        cells = {}
        for metric in shared:
            values = self.values(metric, self.pictures[0].names) if self.pictures else None
            of_set = combined_interval([row[metric] for row in rows])
            cells[metric] = measure(metric).within(of_set if values is None else seeds_interval(values))
        return cells

    @property
    def absent(self) -> dict[str, str]:
        return {metric: why for result in self.results.values() for metric, why in result.absent.items()}


def in_order_of(names: list[str], pictures: Pictures, of: str | Path) -> Pictures:
    """The same pictures in the order of `names`. Raises `UserError` where they are others."""
    if pictures.names == names:
        return pictures
    if set(pictures.names) != set(names):
        other = next(iter(set(pictures.names) ^ set(names)))
        raise UserError(f"{str(of)!r} and the others do not have the same pictures: {other!r} is not in both")
    place = {name: i for i, name in enumerate(pictures.names)}
    order = [place[name] for name in names]
    columns = {metric: values[order] for metric, values in pictures.values.items()}
    return Pictures(names, [pictures.labels[i] for i in order], columns)


def make_entries(paths: Mapping[str, Path], results: Mapping[str, Result], *, pool: bool) -> list[Entry]:
    """An entry for each place, or with `pool` for each group of seeds."""
    if not pool:
        labels = labels_of({place: result.name for place, result in results.items()})
        return [Entry(labels[place], {paths[place]: result}) for place, result in results.items()]
    groups: dict[str, dict[str, Result]] = {}
    for place, result in results.items():
        groups.setdefault(result.group or place, {})[place] = result
    if all(len(group) == 1 for group in groups.values()):
        raise UserError("no two of these runs differ by their seed alone: compare them without --pool")
    return [_pooled(paths, group) for group in groups.values()]


def _pooled(paths: Mapping[str, Path], group: Mapping[str, Result]) -> Entry:
    results = list(group.values())
    seeds = [result.seed for result in results]
    for place, result in group.items():
        if len(group) > 1 and seeds.count(result.seed) > 1:
            raise UserError(f"{place!r} and another run are both seed {result.seed}: each seed is pooled once")
    name = results[0].name.removesuffix(f"-s{seeds[0]}")
    label = f"{name} ({len(seeds)} seeds)" if len(seeds) > 1 else results[0].name
    return Entry(label, {paths[place]: result for place, result in group.items()})
