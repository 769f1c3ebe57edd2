"""A result on the terminal, and what it comes to in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.table import Table

from colorize.comparing.tables import texts
from colorize.metrics import grey_note
from colorize.results import Pictures, Result, pictures_of, read_pictures
from colorize.statistics import Interval, compare_pairs, measure, say_difference
from colorize.terminal import console, say

LABELS = {
    "model": "network", "model_luma": "network, seeing luma", "model_ortho": "network, seeing an orthochromatic film",
    "model_blue_plate": "network, seeing the blue plate", "grey": "grey", "mean_ab": "mean colour of training",
    "lab_roundtrip": "truth through Lab", "jpeg95": "truth through JPEG 95", "split_half": "truth, half against half",
    "truth": "truth",
}  # fmt: skip
COMPARED = ("psnr", "ciede2000", "lpips_alex", "features", "top1")


def print_result(result: Result) -> None:
    """A line for each metric: of the network with intervals, then what to read it next to; then what is absent."""
    own = {row: cells for row, cells in result.rows.items() if row.startswith("model")}
    others = {row: cells for row, cells in result.rows.items() if row not in own}
    print_rows(own, f"{result.name}, protocol {result.protocol['id']}, 95 % intervals", ends=True)
    print_rows(others, "to read it next to", ends=False)
    for names, reason in alike(result.absent):
        say(f"absent: {names}: {reason}")


def print_rows(rows: Mapping[str, Mapping[str, Interval]], title: str, *, ends: bool) -> None:
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")
    for row in rows:
        table.add_column(LABELS.get(row, row), justify="right")
        if ends:
            table.add_column("", no_wrap=True)
    for metric in dict.fromkeys(metric for row in rows.values() for metric in row):
        cells = [texts(of.get(metric), measure(metric).digits) for of in rows.values()]
        table.add_row(measure(metric).heading, *(each for cell in cells for each in cell[: 2 if ends else 1]))
    console.print(table)


def alike(absent: Mapping[str, str]) -> list[tuple[str, str]]:
    """(names, reason): metrics that are absent for one reason are named together."""
    reasons: dict[str, list[str]] = {}
    for metric, reason in absent.items():
        reasons.setdefault(reason, []).append(metric)
    return [(", ".join(names), reason) for reason, names in reasons.items()]


def metrics_of(result: Result) -> list[str]:
    """Those that any row has, the network's first."""
    return list(dict.fromkeys(metric for row in result.rows.values() for metric in row))


def sentences(target: Path, result: Result) -> list[str]:
    """What the network is against grey, and against itself where it saw what old film saw."""
    pictures = pictures_of(target)
    own = read_pictures(pictures, "model")
    told: list[str] = []
    true = read_pictures(pictures, "truth")
    if note := grey_note(true.values["colorfulness"]) if true.names and "colorfulness" in true.values else None:
        told.append(note)
    if result.protocol["truth"] == "none":
        return told
    others = [row for row in result.rows if row.startswith("model_")]
    for row in ["grey", *others]:
        names = (LABELS["model"], LABELS[row])
        for metric, text in differences(own, read_pictures(pictures, row), names, COMPARED):
            told.append(f"{measure(metric).title}: {text}")
    return told


def differences(
    one: Pictures, other: Pictures, names: tuple[str, str], metrics: Sequence[str]
) -> list[tuple[str, str]]:
    """(metric, sentence) for those of the metrics that pictures of both have."""
    held = [m for m in metrics if m in one.values and not np.isnan(one.values[m] + other.values[m]).all()]
    if not held:
        return []
    advantages = [measure(m).goodness(one.values[m]) - measure(m).goodness(other.values[m]) for m in held]
    found = compare_pairs(np.stack(advantages, axis=1))
    return [(m, say_difference(measure(m), *names, difference)) for m, difference in zip(held, found, strict=True)]
