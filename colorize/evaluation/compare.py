"""Results of one protocol side by side: which results, the table, and its comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, isnan
from pathlib import Path
from typing import Any

from colorize.evaluation.entries import Entry, make_entries
from colorize.evaluation.result import LABELS, OF_BEST, Result, read_result
from colorize.evaluation.significance import ComparisonResult, compare_all, significance
from colorize.metrics.colorfulness import without_truth
from colorize.metrics.metric_info import Interval, info_of
from colorize.utils.checkpoint import BEST, Checkpoints, peek, step_of
from colorize.utils.errors import UserError
from colorize.utils.trust import iterate_leaves


def find_results(places: Sequence[str], protocol: str | None = None) -> dict[str, Path]:
    """place -> its result's file, of the named protocol, or of the only protocol with a ground truth that all have
    results of; empty where no run has any.

    places  run folders and result files
    """
    if twice := [place for i, place in enumerate(places) if Path(place) in map(Path, places[:i])]:
        raise UserError(f"{twice[0]!r} is given twice: name each run once")
    files = {place: Path(place) for place in places if Path(place).suffix == ".json"}
    held = {place: results_by_protocol(place) for place in places if place not in files}
    if not held:
        return files
    if protocol is None and not files and not any(held.values()):
        return {}
    chosen = protocol or _only_one({**held, **{place: {path.stem: path} for place, path in files.items()}})
    for place, found in held.items():
        if chosen not in found:
            raise UserError(f"{place!r} has no result of the protocol {chosen!r}; it has {', '.join(found) or 'none'}")
    return {place: files[place] if place in files else held[place][chosen] for place in places}


def results_by_protocol(folder: str | Path) -> dict[str, Path]:
    """protocol -> the file of its result, in a run folder; of the best weights where there is none of the last, and
    always under NAME@best."""
    found = {path.stem: path for path in sorted(Path(folder, "results").glob("*.json"))}
    return {name.removesuffix(OF_BEST): path for name, path in found.items()} | found


def _only_one(held: Mapping[str, Mapping[str, Path]]) -> str:
    for place, found in held.items():
        if not found:
            raise UserError(f"{place!r} has no results, and others have: evaluate it first")
    common = sorted(set.intersection(*(set(found) for found in held.values())))
    common = [name for name in common if name.removesuffix(OF_BEST) not in common or not name.endswith(OF_BEST)]
    if len(common) > 1:  # old photographs without truth are shown beside the others
        first = next(iter(held.values()))
        common = [name for name in common if read_result(first[name]).protocol.get("truth") != "none"] or common
    if len(common) == 1:
        return common[0]
    if common:
        raise UserError(f"there are results of {' and of '.join(common)}: choose one with --protocol")
    lists = "; ".join(f"{place!r} has {', '.join(found)}" for place, found in held.items())
    raise UserError(f"the runs have no protocol in common: {lists}")


def check_comparable(results: Mapping[str, Result]) -> None:
    """Raise `UserError` where two of the results, by place, were measured differently; it names what differs."""
    (first, one), *others = results.items()
    for place, other in others:
        if different := protocol_differences(one, other):
            listed = ", ".join(f"{name} is {a} in {first} and {b} in {place}" for name, (a, b) in different.items())
            raise UserError(f"cannot be compared: {listed}")


def describe_outdated(path: Path, result: Result) -> str | None:
    """A sentence where the run has been trained further since its result; None where it has not, or this is unknown."""
    network = result.weights.get("network", {})
    checkpoint = Path(path).parent.parent / "checkpoints" / str(network.get("of", ""))
    if "step" not in network or checkpoint.suffix != ".pt":
        return None
    if checkpoint.is_file():
        held = peek(checkpoint)
        now = held["steps"] if held else None
    else:
        now = next(map(step_of, Checkpoints(checkpoint.parent).steps()), None)
    if now in (None, network["step"]):
        return None
    return f"the result of {result.name} is of step {network['step']}, and the run is at step {now}: evaluate it again"


def protocol_differences(one: Result, other: Result) -> dict[str, tuple[Any, Any]]:
    """Field of the protocol -> its two values; the `id` only where nothing else differs."""
    a, b = (
        dict(iterate_leaves(result.protocol, lists=False)) | {"manifest": result.manifest} for result in (one, other)
    )
    names = list(dict.fromkeys([*a, *b]))
    found = {name: (a.get(name, "not said"), b.get(name, "not said")) for name in names if a.get(name) != b.get(name)}
    of_substance = {name: pair for name, pair in found.items() if name != "id"}
    return of_substance or found


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
    grey      label -> its comparisons with grey in the metrics that are shown first
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
    grey: dict[str, list[ComparisonResult]] = field(default_factory=dict)

    def leading(self) -> list[str]:
        """The metrics that are shown first: the prominent ones, then a distance of whole sets."""
        return leading_metrics(self.metrics, self.protocol)

    def leaders(self, metric: str) -> set[str]:
        """Labels of the runs that no other run is significantly better than; empty where this is unknown, and where no
        two runs differ significantly."""
        of_metric = [verdict for verdict in self.verdicts if verdict.metric == metric]
        unknown = any(significance(v.difference, v.adjusted) is None for v in of_metric)
        if not self.has_order or info_of(metric).better is None or unknown or not any(v.winner for v in of_metric):
            return set()
        compared = {label for verdict in of_metric for label in (verdict.a, verdict.b)}
        return compared - {v.b if v.winner == v.a else v.a for v in of_metric if v.winner}

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
        """Labels of the runs that grey beats as often as they beat it."""
        wins = {label: [v.winner for v in of if v.winner] for label, of in self.grey.items()}
        return {label for label, won in wins.items() if 2 * won.count(label) <= len(won)}


def leading_metrics(metrics: Sequence[str], protocol: Mapping[str, Any]) -> list[str]:
    """The prominent ones, then a distance of whole sets: of paired sets that without pairs, which has no bias."""
    info = {metric: info_of(metric) for metric in metrics}
    known = without_truth() if protocol.get("truth") == "none" else ()
    first = [m for m in metrics if info[m].prominence > 0 or m in known]
    distances = [m for m in metrics if info[m].aggregation == "set" and info[m].better == "lower"]
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


def compare_results(places: Sequence[str], protocol: str | None = None, *, pool: bool = False) -> Comparison | None:
    """Compare run folders and result files; None where none of the folders holds a result of a named protocol.

    protocol  its name, where the runs have results of several
    pool      take runs that differ by their seed alone together
    Raises `UserError` where two results were measured differently; it names what differs.
    """
    paths = find_results(places, protocol)
    if not paths:
        return None
    results = {place: read_result(path) for place, path in paths.items()}
    check_comparable(results)
    entries = make_entries(paths, results, pool=pool)
    metrics = list(dict.fromkeys(metric for entry in entries for metric in entry.aggregated))
    return Comparison(
        protocol=next(iter(results.values())).protocol,
        metrics=metrics,
        runs={entry.label: entry.aggregated for entry in entries},
        sanity=_sanity(entries),
        absent={entry.label: entry.absent for entry in entries if entry.absent},
        verdicts=compare_all(entries, metrics),
        notes=_notes(entries, results, metrics),
        results={entry.label: list(entry.results) for entry in entries},
        cost={entry.label: entry.one.cost for entry in entries},
        grey=compare_with_grey(entries, leading_metrics(metrics, next(iter(results.values())).protocol)),
    )


def _sanity(entries: Sequence[Entry]) -> Rows:
    rows: Rows = {}
    for row in [row for row in LABELS if row != "model"]:
        found = {entry.label: entry.one.rows[row] for entry in entries if row in entry.one.rows}
        first = next(iter(found.values()), None)
        if first is None:
            continue
        if all(_alike(first, each) for each in found.values()):
            rows[row] = first
        else:
            rows |= {f"{row} of {label}": each for label, each in found.items()}
    return rows


def _alike(one: dict[str, Interval], other: dict[str, Interval]) -> bool:
    return all(isclose(one[metric].value, other[metric].value, rel_tol=1e-5, abs_tol=1e-9)
               for metric in one.keys() & other.keys() if not isnan(one[metric].value))  # fmt: skip


def _notes(entries: Sequence[Entry], results: dict[str, Result], metrics: Sequence[str]) -> list[str]:
    notes = []
    of = {path: str(result.weights.get("network", {}).get("of")) for path, result in results.items()}
    if best := [place for place, name in of.items() if name == BEST]:
        if len(best) < len(of):
            last = [place for place in of if place not in best]
            notes.append(f"{', '.join(best)} with the best weights, {', '.join(last)} with the last: this is a mixture")
        if next(iter(results.values())).protocol.get("name") == "validation":
            notes.append("the best weights were chosen on these very photographs: their values are a little too good")
    if len(entries) == len(results) > 1:
        notes.append("the comparisons hold for these trained networks: with another seed the same configs may differ")
    (first, one), *others = results.items()
    for place, other in others:
        names = [name for name in one.versions if other.versions.get(name) != one.versions[name]]
        if names:
            listed = ", ".join(f"{n} is {one.versions[n]} and {other.versions.get(n, 'not said')}" for n in names)
            notes.append(f"{first} and {place} were measured with different versions: {listed}")
    for entry in entries:
        notes += [note for path, result in entry.results.items() if (note := describe_outdated(path, result))]
        if entry.pictures is None:
            notes.append(f"the values of {entry.label}'s pictures are missing: it is compared by intervals alone")
        if len(entries) < len(results) and len(entry.results) == 1:
            notes.append(f"{entry.label} has one seed: its interval does not include the variance between seeds")
        if entry.unlike:
            listed = ", ".join(sorted(entry.unlike))
            notes.append(
                f"{listed} of {entry.label} is not the mean of its pictures' values: compared by intervals alone"
            )
        missing = [m for m in metrics if m not in entry.aggregated]
        notes += [f"{entry.label} has no {m}: {entry.absent.get(m, 'it was not measured')}" for m in missing]
    return notes
