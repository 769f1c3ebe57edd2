"""Results of one protocol side by side: the table, what it is read next to, and which differences mean something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isclose, isnan
from pathlib import Path
from typing import Any

from colorize.comparing.entries import Entry, make_entries
from colorize.comparing.finding import find_results, outdated, refuse_unlike
from colorize.comparing.verdicts import Verdict, judge
from colorize.results import ROWS, Result, read_result
from colorize.statistics import Interval, decide, measure

Rows = dict[str, dict[str, Interval]]
FIRST = ("psnr", "ssim", "lpips_alex", "ciede2000", "colorfulness", "features")  # by these, then a distance
UNTRUE = ("colorfulness", "chroma_mean")  # of photographs without truth, these
DISTANCES = ("fid", "fd_", "kid", "kd_")


@dataclass(frozen=True)
class Comparison:
    """What several results come to.

    protocol  the one that all were measured by
    metrics   that any of the runs has, in order
    runs      label -> metric -> value with its interval
    sanity    the other rows: grey, mean_ab, …; one that runs do not share is there for each of them, as "grey of NAME"
    absent    label -> metric -> why it is not there
    verdicts  for every two runs and every metric that both have
    notes     sentences on what a reader should know before using the numbers
    results   label -> the files that its numbers are from, one for each seed
    cost      label -> what painting costs, as its first result has it
    """

    protocol: dict[str, Any]
    metrics: list[str]
    runs: Rows
    sanity: Rows
    absent: dict[str, dict[str, str]]
    verdicts: list[Verdict]
    notes: list[str]
    results: dict[str, list[Path]] = field(default_factory=dict)
    cost: dict[str, dict[str, Any]] = field(default_factory=dict)

    def leading(self) -> list[str]:
        """The metrics that are told first."""
        wanted = UNTRUE if self.protocol.get("truth") == "none" else FIRST
        first = [metric for metric in wanted if metric in self.metrics]
        distance = [m for m in self.metrics if m.startswith(DISTANCES) and "unpaired" not in m]
        return [*first, *distance[:1]] or self.metrics

    def leaders(self, metric: str) -> set[str]:
        """The labels of the runs that no other is better than; none where that is not known of all."""
        of_metric = [verdict for verdict in self.verdicts if verdict.metric == metric]
        if measure(metric).better is None or any(decide(v.difference, v.adjusted) is None for v in of_metric):
            return set()
        compared = {label for verdict in of_metric for label in (verdict.a, verdict.b)}
        return compared - {v.b if v.winner == v.a else v.a for v in of_metric if v.winner}


def compare_results(places: Sequence[str], protocol: str | None = None, *, pool: bool = False) -> Comparison | None:
    """Compare run folders and result files; None where none of the folders holds a result of a named protocol.

    protocol  its name, where the runs have been measured by several
    pool      take runs that differ by their seed alone together
    Raises `UserError` where two were measured differently, naming what differs.
    """
    paths = find_results(places, protocol)
    if not paths:
        return None
    results = {place: read_result(path) for place, path in paths.items()}
    refuse_unlike(results)
    entries = make_entries(paths, results, pool=pool)
    metrics = list(dict.fromkeys(metric for entry in entries for metric in entry.cells))
    return Comparison(
        protocol=next(iter(results.values())).protocol,
        metrics=metrics,
        runs={entry.label: entry.cells for entry in entries},
        sanity=_sanity(entries),
        absent={entry.label: entry.absent for entry in entries if entry.absent},
        verdicts=judge(entries, metrics),
        notes=_notes(entries, results, metrics),
        results={entry.label: list(entry.results) for entry in entries},
        cost={entry.label: entry.one.cost for entry in entries},
    )


def _sanity(entries: Sequence[Entry]) -> Rows:
    rows: Rows = {}
    for row in ROWS[1:]:
        found = {entry.label: entry.one.rows[row] for entry in entries if row in entry.one.rows}
        first = next(iter(found.values()), None)
        if first is None:
            continue
        if all(_alike(first, cells) for cells in found.values()):
            rows[row] = first
        else:
            rows |= {f"{row} of {label}": cells for label, cells in found.items()}
    return rows


def _alike(one: dict[str, Interval], other: dict[str, Interval]) -> bool:
    return all(isclose(one[metric].value, other[metric].value, rel_tol=1e-5, abs_tol=1e-9)
               for metric in one.keys() & other.keys() if not isnan(one[metric].value))  # fmt: skip


def _notes(entries: Sequence[Entry], results: dict[str, Result], metrics: Sequence[str]) -> list[str]:
    notes = []
    if len(entries) == len(results) > 1:
        notes.append("a verdict is on these trainings, not on their recipes, which another seed may turn out otherwise")
    (first, one), *others = results.items()
    for place, other in others:
        names = [name for name in one.versions if other.versions.get(name) != one.versions[name]]
        if names:
            told = ", ".join(f"{n} is {one.versions[n]} and {other.versions.get(n, 'not said')}" for n in names)
            notes.append(f"{first} and {place} were measured with other versions: {told}")
    for entry in entries:
        notes += [note for path, result in entry.results.items() if (note := outdated(path, result))]
        if entry.pictures is None:
            notes.append(f"the values of {entry.label}'s pictures are not there: it is compared by intervals alone")
        if len(entries) < len(results) and len(entry.results) == 1:
            notes.append(f"{entry.label} is one training: how much its seed matters is not in its interval")
        if entry.unlike:
            told = ", ".join(sorted(entry.unlike))
            notes.append(f"of {entry.label}, {told} is not the mean of what its pictures have: by its interval alone")
        missing = [m for m in metrics if m not in entry.cells]
        notes += [f"{entry.label} has no {m}: {entry.absent.get(m, 'it was not measured')}" for m in missing]
    return notes
