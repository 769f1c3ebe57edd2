"""What became of a job, read from its folder: launchers run jobs in other processes, on other machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from colorize.errors import UserError
from colorize.monitor import DIRECTIONS
from colorize.sweeps.folders import Job

ROWS = ("val",)  # of a summary, what holds numbers by name; others stand by themselves


def listed(words: str | Sequence[str]) -> list[str]:
    """`hydra.sweeper.objective` and `direction` are a word or a list of words."""
    return [words] if isinstance(words, str) else list(words)


def directions_of(words: str | Sequence[str] | None, objectives: Sequence[str]) -> list[str | None]:
    """`hydra.sweeper.direction` is one for each objective, or null: what each metric says of itself."""
    found: list[str | None] = [None] * len(objectives) if words is None else [*listed(words)]
    if len(found) != len(objectives):
        raise UserError("hydra.sweeper.direction needs as many words as hydra.sweeper.objective")
    if wrong := [word for word in found if word not in (None, *DIRECTIONS)]:
        raise UserError(f"hydra.sweeper.direction is {wrong[0]!r}; it must be one of {', '.join(DIRECTIONS)}")
    return found


def objectives_of(summary: Mapping[str, Any], names: Sequence[str]) -> list[float]:
    """The values that a finished run ended with.

    Raises `UserError` where there is none of that name, or it is no finite number.
    """
    found = [number_of(summary, name) for name in names]
    for name, value in zip(names, found, strict=True):
        if value is None:
            known = [*(f"{row}/{key}" for row in ROWS for key in summary.get(row, {})),
                     *(key for key, each in summary.items() if isinstance(each, int | float))]  # fmt: skip
            raise UserError(f"the run has no {name!r}; it has {', '.join(known)}")
        if not isfinite(value):
            raise UserError(f"{name} is {value}")
    return [float(value) for value in found if value is not None]


def number_of(summary: Mapping[str, Any], name: str) -> float | None:
    """`val/psnr`, or a number of the run itself, such as `seconds` or `parameters`."""
    row, _, key = name.partition("/")
    value = summary.get(row, {}).get(key) if row in ROWS else summary.get(name)
    return float(value) if isinstance(value, int | float) else None


def ranked(jobs: Sequence[Job], names: Sequence[str], maximize: Sequence[bool]) -> list[Job]:
    """The finished jobs, the best first; of several objectives, those that no other beats in all of them."""
    points = []
    for job in jobs:
        values = [number_of(job.summary, name) for name in names]
        if job.status == "finished" and all(value is not None and isfinite(value) for value in values):
            points.append((job, [-v if more else v for v, more in zip(values, maximize, strict=True) if v is not None]))
    if len(names) > 1:
        points = [(job, own) for job, own in points if not any(beats(other, own) for _, other in points)]
    return [job for job, _ in sorted(points, key=lambda point: point[1])]


def beats(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the first is nowhere worse and somewhere better, where less is better."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)


def varying(jobs: Sequence[Job]) -> list[str]:
    """The keys of overrides that the jobs do not all say alike."""
    keys = dict.fromkeys(key for job in jobs for key in job.values)
    return [key for key in keys if len({job.values.get(key) for job in jobs}) > 1]
