"""The scores that runs ended with, for runs that were not evaluated under a named protocol yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from colorize.errors import UserError
from colorize.runs import RunFolder
from colorize.statistics import measure, tell_measure
from colorize.terminal import measured_on, score_table

Summaries = dict[str, dict[str, Any]]


def read_summaries(folders: Sequence[str]) -> Summaries:
    """folder -> summary, the best first. Raises `UserError` where one has not finished, and for what was not measured
    on the same photographs."""
    summaries = {folder: RunFolder(folder).read_summary() for folder in folders}
    for folder, summary in summaries.items():
        if summary.get("status") != "finished":
            raise UserError(
                f"{folder!r} holds no finished run: its summary.json says {summary.get('status', 'nothing')}"
            )
    for summary in summaries.values():
        for name, each in summary.get("measures", {}).items():
            tell_measure(name, **each)
    first, *others = summaries.items()
    for folder, summary in others:
        for key in ("photographs", "size", "manifest"):
            value = first[1]["validation"][key]
            if summary["validation"][key] != value:
                raise UserError(
                    f"{first[0]!r} and {folder!r} cannot be compared: their validation {key} is {value!r} and "
                    f"{summary['validation'][key]!r}"
                )
    return ranked(summaries)


def ranked(summaries: Summaries) -> Summaries:
    """The best first, by the first number that all have and of which one end is the better one."""
    scores = {folder: summary["val"] for folder, summary in summaries.items()}
    shared = [name for name in next(iter(scores.values())) if all(name in row for row in scores.values())]
    signs = {"higher": -1, "lower": 1}
    for name in shared:
        if sign := signs.get(measure(name).better or ""):
            return dict(sorted(summaries.items(), key=lambda each: sign * each[1]["val"][name]))
    return summaries


def print_summaries(summaries: Summaries, labels: Mapping[str, str]) -> None:
    """One table; `labels`: folder -> what to call it."""
    first = next(iter(summaries.values()))
    table = {labels[folder]: summary["val"] for folder, summary in summaries.items()}
    title = measured_on(first["validation"]["photographs"], first["validation"]["size"])
    score_table({**table, **first["baseline"], "truth": first["truth"]}, title)
