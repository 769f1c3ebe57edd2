"""The run folders that the words of a command line mean: a folder, a pattern of names, a sweep with all of its jobs."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from colorize.errors import UserError
from colorize.sweeps.folders import Job, jobs_of


def find_runs(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(run folders and result files, sentences on what was left out).

    words  run folders, result files, patterns such as `outputs/cpu-*`, and folders of sweeps
    Raises `UserError` for a word that means none.
    """
    places: list[str] = []
    notes: list[str] = []
    for word in words:
        if Path(word).exists():
            found, left_out = of_sweep(word) if is_sweep(word) else ([word], "")
        else:
            found, left_out = matching(word)
        places += [place for place in found if found == [word] or place not in places]
        notes += [left_out] if left_out else []
    return places, notes


def labels_of(names: Mapping[str, str]) -> dict[str, str]:
    """place -> what to call it: the name of its run, or where several have that the folder's, if these all differ; else
    the place itself. `names`: place -> name of its run."""
    held = [*names.values()]
    folders = {place: Path(place).name for place in names}
    labels = {place: name if held.count(name) == 1 else folders[place] for place, name in names.items()}
    if len(set(labels.values())) == len(labels):
        return labels
    return {place: name if held.count(name) == 1 else place for place, name in names.items()}


def is_run(place: str | Path) -> bool:
    return any(Path(place, name).is_dir() for name in (".hydra", "results"))


def is_sweep(place: str | Path) -> bool:
    return Path(place).is_dir() and not is_run(place) and bool(jobs_of(place))


def matching(pattern: str) -> tuple[list[str], str]:
    """The run folders, result files and jobs of sweeps that a pattern matches, in the order of their names."""
    if not glob.has_magic(pattern):
        raise UserError(f"there is no run folder {pattern!r}")
    found, notes, others = list[str](), list[str](), list[str]()
    for place in sorted(glob.glob(pattern)):  # noqa: PTH207 (a pattern may begin anywhere)
        if is_run(place) or place.endswith(".json"):
            found.append(place)
        elif is_sweep(place):
            jobs, left_out = of_sweep(place)
            found, notes = found + jobs, notes + ([left_out] if left_out else [])
        else:
            others.append(place)
    if not found:
        there = f": {', '.join(others)} are none" if others else ""
        raise UserError(f"no run folder matches {pattern!r}{there}")
    if others:
        notes.append(f"left out, as no run folder: {', '.join(others)}")
    return found, "; ".join(notes)


def of_sweep(folder: str | Path) -> tuple[list[str], str]:
    """The jobs that have finished; a sentence on those that have not."""
    jobs = jobs_of(folder)
    rest = [job for job in jobs if job.status != "finished"]
    if len(rest) == len(jobs):
        raise UserError(f"no job of the sweep {str(folder)!r} has finished: {told(rest)}")
    left_out = f"left out of {str(folder)!r}, as not finished: {told(rest)}" if rest else ""
    return [str(job.folder) for job in jobs if job.status == "finished"], left_out


def told(jobs: Sequence[Job]) -> str:
    return ", ".join(f"{job.folder.name} ({job.status})" for job in jobs)
