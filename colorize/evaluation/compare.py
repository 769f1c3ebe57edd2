"""Which results are compared, whether they may be, and what limits the comparison."""

import re
from collections.abc import Mapping, Sequence
from math import isclose, isnan
from pathlib import Path
from typing import Any

from colorize.evaluation.comparison import Comparison, Rows, compare_with_grey, leading_metrics
from colorize.evaluation.entries import Entry, make_entries, run_labels
from colorize.evaluation.painted import pictures_taken
from colorize.evaluation.permutation import LEAST_TESTED
from colorize.evaluation.protocol import describe_trained_size
from colorize.evaluation.result import (
    CHOSEN_HERE,
    LABELS,
    OF_BEST,
    TRAINED_ON,
    Result,
    group_by_reason,
    judged_by_own,
    read_result,
)
from colorize.evaluation.significance import compare_all
from colorize.metrics.metric_info import Interval, info_of
from colorize.utils.checkpoint import BEST, Checkpoints, peek, step_of
from colorize.utils.console import counted, say
from colorize.utils.errors import UserError
from colorize.utils.trust import iterate_leaves

FEW_PAIRS = 1000  # of pictures, below which the published kernel distance is plainly too low
VALIDATION = "validation"  # the protocol of a run's own validation photographs


def find_results(places: Sequence[str], protocol: str | None = None) -> dict[str, Path]:
    """place -> its result's file, of the named protocol, or of the only protocol with a ground truth that all have
    results of; of several, `validation`; empty where no run has any.

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
    if VALIDATION in common:
        say(f"results of {', '.join(common)}: compared by {VALIDATION}; --protocol=NAME takes another")
        return VALIDATION
    if common:
        raise UserError(f"there are results of {' and of '.join(common)}: choose one, such as --protocol={common[0]}")
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
    runs, protocol_of = {entry.label: entry.aggregated for entry in entries}, next(iter(results.values())).protocol
    return Comparison(
        protocol=protocol_of,
        metrics=metrics,
        runs=runs,
        sanity=_sanity(entries),
        absent={entry.label: entry.absent for entry in entries if entry.absent},
        verdicts=compare_all(entries, metrics),
        notes=_notes(entries, results, metrics),
        results={entry.label: list(entry.results) for entry in entries},
        cost={entry.label: entry.one.cost for entry in entries},
        own={entry.label: judged_by_own(entry.one) for entry in entries},
        grey=compare_with_grey(entries, leading_metrics(metrics, protocol_of, runs.values())),
        networks={e.label: [result.weights.get("network", {}) for result in e.results.values()] for e in entries},
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
    notes, labels = [], run_labels({place: result.name for place, result in results.items()})
    protocol = next(iter(results.values())).protocol
    networks = {place: result.weights.get("network", {}) for place, result in results.items()}
    of = {place: str(network.get("of")) for place, network in networks.items() if "step" in network}
    if best := [place for place, name in of.items() if name == BEST]:
        if len(best) < len(of):
            told = [", ".join(labels[place] for place in of if (place in best) == wanted) for wanted in (True, False)]
            notes.append(f"of {told[0]} the best weights were evaluated, of {told[1]} others: evaluate all alike")
        if protocol.get("name") == VALIDATION or any(of_one.get("chosen_on_these") for of_one in networks.values()):
            notes.append(f"the best weights were {CHOSEN_HERE}: on others they would be slightly worse")
    notes += _notes_of_input(labels, results) + _notes_of_few(entries[0].aggregated, protocol)
    if len(entries) == len(results) > 1:
        notes.append("the comparisons hold for these trained networks: with another seed the same configs may differ")
    (first, one), *others = results.items()
    for place, other in others:
        names = [name for name in one.versions if other.versions.get(name) != one.versions[name]]
        if names:
            listed = ", ".join(f"{n} is {one.versions[n]} and {other.versions.get(n, 'not said')}" for n in names)
            both = f"{labels[first]} and {labels[place]}"
            notes.append(f"{both} were measured with different versions: {listed}")
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
        notes += _note_of_own(entry)
        missing = {m: entry.absent.get(m, "not measured") for m in metrics if m not in entry.aggregated}
        notes += [f"{entry.label} has no {names}: {reason}" for names, reason in group_by_reason(missing)]
    return notes


def _notes_of_input(labels: Mapping[str, str], results: Mapping[str, Result]) -> list[str]:
    """Networks that were shown another size than in training, or its photographs; pictures that were made elsewhere."""
    notes = list[str | None]()
    for place, result in results.items():
        network = result.weights.get("network", {})
        notes.append(describe_trained_size(labels[place], result.protocol, network.get("trained_at")))
        if seen := network.get("trained_on_these"):
            notes.append(TRAINED_ON.format(labels[place], seen, result.protocol["photographs"]))
        if len(results) > 1 and (taken := pictures_taken(result)):  # of one, the page says so above
            notes.append(f"{labels[place]} was colorized elsewhere: {taken}")
    return [note for note in notes if note]


def _notes_of_few(row: Mapping[str, Interval], protocol: Mapping[str, Any]) -> list[str]:
    """What so few pictures do not give: verdicts, and which distances of whole sets among those of the first run."""
    notes, labels = list[str](), {metric: info_of(metric).label for metric in row}
    count = protocol.get("photographs", 0)
    if 0 < count < LEAST_TESTED:
        more = "; colorize fetch historical has more" if protocol.get("truth") == "none" else ""
        notes.append(f"{counted(count)} cannot give a verdict: the smallest p is {2 / 2**count:.3g}{more}")
    for metric, cell in row.items():
        paired = re.sub("^k(i?)d", r"k\1d_paired", metric)
        if info_of(metric).aggregation == "set" and isnan(cell.low):
            notes.append(
                f"{labels[metric]} says nothing of {counted(cell.n, 'picture')}: of no more pictures than features it "
                "is far too high, the more so the fewer they are"
            )
        elif paired != metric and paired in row and cell.n < FEW_PAIRS:
            notes.append(
                f"{labels[metric]} of {counted(cell.n, 'pair')} is too low, as each picture is compared with its own "
                f"prediction too: read {labels[paired]}"
            )
    return notes


def _note_of_own(entry: Entry) -> list[str]:
    """What † stands for beside numbers of the entry, if any are measured by a network that it was trained with."""
    if not (own := judged_by_own(entry.one)):
        return []
    networks = " and ".join(sorted(set(own.values())))
    return [
        f"† {entry.label} was trained with {networks}, which also measures {', '.join(own)}: read distances of another "
        "extractor beside these"
    ]
