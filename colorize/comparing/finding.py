"""Which results are meant by run folders and files, and whether they were measured alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from colorize.checkpoint import Checkpoints, peek, step_of
from colorize.errors import UserError
from colorize.results import Result, read_result


def find_results(places: Sequence[str], protocol: str | None = None) -> dict[str, Path]:
    """place -> its result's file, of the protocol named, or of the only one with a truth that all have; none where no
    run has any.

    places  run folders, and result files, which are taken as they are
    """
    if twice := [place for i, place in enumerate(places) if Path(place) in map(Path, places[:i])]:
        raise UserError(f"{twice[0]!r} is given twice: compare takes each run once")
    files = {place: Path(place) for place in places if Path(place).suffix == ".json"}
    held = {place: protocols(place) for place in places if place not in files}
    if not held:
        return files
    if protocol is None and not files and not any(held.values()):
        return {}
    chosen = protocol or _only_one({**held, **{place: {path.stem: path} for place, path in files.items()}})
    for place, found in held.items():
        if chosen not in found:
            raise UserError(f"{place!r} has no result of the protocol {chosen!r}; it has {', '.join(found) or 'none'}")
    return {place: files[place] if place in files else held[place][chosen] for place in places}


def protocols(folder: str | Path) -> dict[str, Path]:
    """protocol -> the file of its result in a run folder."""
    return {path.stem: path for path in sorted(Path(folder, "results").glob("*.json"))}


def _only_one(held: Mapping[str, Mapping[str, Path]]) -> str:
    for place, found in held.items():
        if not found:
            raise UserError(f"{place!r} has no result of a named protocol, and others have: evaluate it first")
    common = sorted(set.intersection(*(set(found) for found in held.values())))
    if len(common) > 1:  # old photographs without truth are shown beside the others
        first = next(iter(held.values()))
        common = [name for name in common if read_result(first[name]).protocol.get("truth") != "none"] or common
    if len(common) == 1:
        return common[0]
    if common:
        raise UserError(f"there are results of {' and of '.join(common)}: say which with --protocol")
    lists = "; ".join(f"{place!r} has {', '.join(found)}" for place, found in held.items())
    raise UserError(f"the runs have no protocol in common: {lists}")


def refuse_unlike(results: Mapping[str, Result]) -> None:
    """Raise `UserError` where two of the results, by place, were measured differently, naming what differs."""
    (first, one), *others = results.items()
    for place, other in others:
        if different := differing(one, other):
            told = ", ".join(f"{name} is {a} in {first} and {b} in {place}" for name, (a, b) in different.items())
            raise UserError(f"cannot be compared: {told}")


def outdated(path: Path, result: Result) -> str | None:
    """A sentence where the run has trained on since its result was made; None where it has not, or nobody knows."""
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
    return f"the result of {result.name} is of step {network['step']}, and the run has gone on to {now}: evaluate again"


def differing(one: Result, other: Result) -> dict[str, tuple[Any, Any]]:
    """Field of the protocol -> its two values; the `id` only where nothing else differs."""
    a, b = ({**_flat(result.protocol), "manifest": result.manifest} for result in (one, other))
    names = list(dict.fromkeys([*a, *b]))
    found = {name: (a.get(name, "not said"), b.get(name, "not said")) for name in names if a.get(name) != b.get(name)}
    of_substance = {name: pair for name, pair in found.items() if name != "id"}
    return of_substance or found


def _flat(fields: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in fields.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, Mapping) and value else {f"{path}{name}": value}
    return flat
