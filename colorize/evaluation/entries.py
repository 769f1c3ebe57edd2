"""Entries of a comparison: one run, or runs that differ by the seed alone, with the variance between seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from colorize.evaluation.bootstrap import TAILS, student_quantile
from colorize.evaluation.image_table import ImageValues, read_image_values
from colorize.evaluation.permutation import Difference, effect_size, win_rate
from colorize.evaluation.result import Result, image_table_path
from colorize.metrics.metric_info import Interval, info_of
from colorize.utils.errors import UserError
from colorize.utils.hydra_overrides import saved_overrides

MIN_P = 1e-9  # half of the smallest p that is reported


def seeds_interval(values: np.ndarray) -> Interval:
    """The mean of (n, S) values over pictures and seeds, with its interval. Pictures that a seed lacks are left out.

    With one seed the variance between seeds is unknown: the interval is that of pictures alone.
    """
    values = np.asarray(values, float)
    kept = values[~np.isnan(values).any(axis=1)]
    return _interval([kept])[0]


def compare_seeds(a: np.ndarray, b: np.ndarray) -> Difference:
    """By how much A's oriented values (n, S) are above B's (n, T): the same pictures, each side's own seeds."""
    a, b = (np.asarray(side, float) for side in (a, b))
    whole = ~(np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1))
    advantage, p = _interval([a[whole], -b[whole]])
    differences = a[whole].mean(axis=1) - b[whole].mean(axis=1)
    finite = differences if np.isfinite(differences).all() else differences[:0]
    return Difference(advantage, "seeds", p, effect_size(finite), win_rate(finite), left_out=int((~whole).sum()))


def combined_interval(intervals: Sequence[Interval]) -> Interval:
    """The mean over seeds of a value that pictures have not, such as a FID, from each seed's value and interval.

    The squares of the error of pictures, which all seeds share, and of the error of seeds add up.
    """
    values = np.array([interval.value for interval in intervals])
    seeds = len(values)
    mean, n = float(values.mean()), min(interval.n for interval in intervals)
    if seeds < 2:
        return intervals[0]
    of_seeds = values.std(ddof=1) / seeds**0.5 * student_quantile(seeds - 1, TAILS[1])
    below = np.mean([interval.value - interval.low for interval in intervals])
    above = np.mean([interval.high - interval.value for interval in intervals])
    return Interval(mean, float(mean - np.hypot(of_seeds, below)), float(mean + np.hypot(of_seeds, above)), n)


def _interval(sides: Sequence[np.ndarray]) -> tuple[Interval, float | None]:
    """The interval of the sum of the sides' means, (n, S) each with its own S, and the p of this sum being 0."""
    n = len(sides[0])
    image_means = sum(side.mean(axis=1) for side in sides)  # (n,)
    value = float(np.mean(image_means)) if n else np.nan
    if n < 2 or not np.isfinite(image_means).all():
        return Interval(value, np.nan, np.nan, n), None
    parts = [(float(np.var(image_means, ddof=1)) / n, n - 1)]
    parts += [(max(variance_components(side)[0], 0) / side.shape[1], side.shape[1] - 1)
              for side in sides if side.shape[1] > 1]  # fmt: skip
    margin = howe_margin(parts, 1 - TAILS[1])
    return Interval(value, value - margin, value + margin, n), howe_p(parts, abs(value))


def howe_margin(parts: Sequence[tuple[float, int]], tail: float) -> float:
    """Half the width of the interval that leaves out `tail` on either side, from (variance, degrees of freedom) of each
    part (Howe 1974)."""
    return float(sum(variance * student_quantile(degrees, tail) ** 2 for variance, degrees in parts) ** 0.5)


def howe_p(parts: Sequence[tuple[float, int]], value: float) -> float:
    """The two-sided p at which an interval of that margin ends at 0, found by bisection."""
    if not value:
        return 1.0
    if howe_margin(parts, MIN_P) < value:
        return 2 * MIN_P
    low, high = MIN_P, 0.5
    while high - low > 1e-3 * low:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if howe_margin(parts, middle) > value else (low, middle)
    return min(2 * high, 1.0)


def variance_components(side: np.ndarray) -> tuple[float, float]:
    """Of (n, S) values: the variance between seeds, which chance may take below 0, and that of seeds by pictures."""
    n, seeds = side.shape
    left = side - side.mean(axis=0) - side.mean(axis=1, keepdims=True) + side.mean()
    both = float((left**2).sum()) / ((n - 1) * (seeds - 1))
    return float(side.mean(axis=0).var(ddof=1)) - both / n, both


def run_labels(names: Mapping[str, str]) -> dict[str, str]:
    """place -> label: the name of its run; where several runs have this name, that of the folder, if these all differ;
    else the place itself. `names`: place -> name of its run."""
    held = [*names.values()]
    folders = {place: Path(place).name for place in names}
    labels = {place: name if held.count(name) == 1 else folders[place] for place, name in names.items()}
    if len(set(labels.values())) == len(labels):
        return labels
    return {place: name if held.count(name) == 1 else place for place, name in names.items()}


@dataclass
class Entry:
    """One result, or several that differ by their seed alone; their pictures are read when they are needed.

    row  of the results: the network's, or a baseline's
    """

    label: str
    results: dict[Path, Result] = field(repr=False)
    row: str = "model"

    @property
    def one(self) -> Result:
        return next(iter(self.results.values()))

    @cached_property
    def pictures(self) -> list[ImageValues] | None:
        """Of each seed the network's values of pictures, all in the first one's order; None where a file is missing."""
        files = [image_table_path(path) for path in self.results]
        if not all(file.exists() for file in files):
            return None
        read = [read_image_values(file, self.row) for file in files]
        if self.row != "model" and not any(found.names for found in read):
            return None
        for file, found, result in zip(files, read, self.results.values(), strict=True):
            if len(found.names) < max((cell.n for metric, cell in result.rows[self.row].items()
                                       if metric in found.values), default=0):  # fmt: skip
                raise UserError(
                    f"{str(file)!r} has {len(found.names)} pictures, fewer than its result was made of: evaluate again"
                )
        return [reorder(read[0].names, found, file) for file, found in zip(files, read, strict=True)]

    @cached_property
    def truth(self) -> ImageValues | None:
        """The values of the ground truth's own pictures; None where the evaluation did not keep them."""
        file = image_table_path(next(iter(self.results)))
        found = read_image_values(file, "truth") if file.exists() else None
        return found if found and found.names else None

    def has(self, metric: str) -> bool:
        """Whether pictures have values of the metric, and the entry's value is their mean."""
        return (
            bool(self.pictures)
            and all(not np.isnan(seed.values.get(metric, np.nan)).all() for seed in self.pictures or [])
            and (metric not in self.unlike)
        )

    @cached_property
    def unlike(self) -> set[str]:
        """Metrics whose value in the result is not the mean of its pictures' values."""
        found = set()
        for seed, result in zip(self.pictures or [], self.results.values(), strict=False):
            aggregated = result.rows[self.row]
            for metric in aggregated.keys() & seed.values.keys():
                values = seed.values[metric][~np.isnan(seed.values[metric])]
                if len(values) and not np.isclose(values.mean(), aggregated[metric].value, rtol=1e-5, atol=1e-8):
                    found.add(metric)
        return found

    def values(self, metric: str, names: list[str]) -> np.ndarray | None:
        """(n, S) values of one metric, of the pictures `names` in this order; None where pictures have none."""
        if self.pictures is None or not self.has(metric):
            return None
        ordered = [reorder(names, seed, self.label) for seed in self.pictures]
        return np.stack([seed.values[metric] for seed in ordered], axis=1)

    @cached_property
    def aggregated(self) -> dict[str, Interval]:
        """metric -> value with its interval; of several seeds, it holds for another seed and for other pictures."""
        rows = [result.rows[self.row] for result in self.results.values()]
        if len(rows) == 1:
            return rows[0]
        shared = [metric for metric in rows[0] if all(metric in row for row in rows)]
        found = {}
        for metric in shared:
            values = self.values(metric, self.pictures[0].names) if self.pictures else None
            of_set = combined_interval([row[metric] for row in rows])
            found[metric] = info_of(metric).clip(of_set if values is None else seeds_interval(values))
        return found

    @property
    def absent(self) -> dict[str, str]:
        return {metric: why for result in self.results.values() for metric, why in result.absent.items()}


def reorder(names: list[str], pictures: ImageValues, of: str | Path) -> ImageValues:
    """The same pictures in the order of `names`. Raises `UserError` where they are other pictures."""
    if pictures.names == names:
        return pictures
    if set(pictures.names) != set(names):
        other = next(iter(set(pictures.names) ^ set(names)))
        raise UserError(f"{str(of)!r} and the others do not have the same pictures: {other!r} is not in both")
    place = {name: i for i, name in enumerate(pictures.names)}
    order = [place[name] for name in names]
    columns = {metric: values[order] for metric, values in pictures.values.items()}
    return ImageValues(names, [pictures.labels[i] for i in order], columns)


def make_entries(paths: Mapping[str, Path], results: Mapping[str, Result], *, pool: bool) -> list[Entry]:
    """An entry for each place, or with `pool` for each group of runs that differ by the seed alone."""
    if not pool:
        labels = run_labels({place: result.name for place, result in results.items()})
        return [Entry(labels[place], {paths[place]: result}) for place, result in results.items()]
    groups: dict[str, dict[str, Result]] = {}
    for place, result in results.items():
        groups.setdefault(result.group or place, {})[place] = result
    if all(len(group) == 1 for group in groups.values()):
        raise UserError("no two of these runs differ by their seed alone: compare them without --pool")
    return _with_differences([_pooled(paths, group) for group in groups.values()])


def _with_differences(entries: Sequence[Entry]) -> list[Entry]:
    """The entries; those of one label with the words by which their runs differ."""
    words = [_override_words(entry) for entry in entries]
    found = []
    for entry, own in zip(entries, words, strict=True):
        alike = [of for other, of in zip(entries, words, strict=True) if other.label == entry.label]
        apart = [word for word in own if not all(word in other for other in alike)]
        name, seeds, count = entry.label.partition(" (")
        found.append(replace(entry, label=" ".join([name, *apart]) + seeds + count if apart else entry.label))
    return found


def _override_words(entry: Entry) -> list[str]:
    """Of the command that trained the first run of an entry; none of a result outside a run folder."""
    folder = next(iter(entry.results)).parent.parent
    known = (folder / ".hydra" / "overrides.yaml").is_file()
    return [word for word in saved_overrides(folder) if not word.startswith("seed=")] if known else []


def _pooled(paths: Mapping[str, Path], group: Mapping[str, Result]) -> Entry:
    results = list(group.values())
    seeds = [result.seed for result in results]
    for place, result in group.items():
        if len(group) > 1 and seeds.count(result.seed) > 1:
            raise UserError(f"{place!r} and another run are both seed {result.seed}: each seed is pooled once")
    name = results[0].name.removesuffix(f"-s{seeds[0]}")
    label = f"{name} ({len(seeds)} seeds)" if len(seeds) > 1 else results[0].name
    return Entry(label, {paths[place]: result for place, result in group.items()})
