"""Tables in Markdown and LaTeX, cells of numbers, and the sentences of a result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from colorize.evaluation.bootstrap import Interval
from colorize.evaluation.compare import Comparison
from colorize.evaluation.image_table import ImageValues, read_image_values
from colorize.evaluation.metric_info import measure
from colorize.evaluation.permutation import compare_pairs
from colorize.evaluation.result import LABELS, Result, image_table_path
from colorize.evaluation.significance import ComparisonResult, describe_difference, format_number
from colorize.metrics.colorfulness import grey_note

GREY_WINS = (
    "Grey has {better}, and that is no mistake: where a colour cannot be known, the answer that is wrong least "
    "on average is a dull one, and PSNR counts nothing else. A network that dares to be colourful pays for every "
    "guess. "
    "Read colourfulness, hue error and the distances in features beside it."
)


def beaten_by_grey(labels: Sequence[str], of: int) -> str:
    """What it means that grey has a better PSNR than the networks `labels`, of so many."""
    names = " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
    return GREY_WINS.format(better="the better PSNR" if len(labels) == of else f"a better PSNR than {names}")


PAINTING = ("M parameters", "GMACs", "seconds a photograph")
PICTURES_TOLD = {"full": "Each opens at its full size."}
GEOMETRY = {
    "centre": "the centre square, resized to {size}²", "stretch": "stretched to {size}²",
    "long": "the longer side brought to {size} pixels",
}  # fmt: skip
FILTER = {
    "bicubic": "antialiased bicubic", "bilinear": "antialiased bilinear",
    "linear": "OpenCV's linear filter, not antialiased", "area": "area averages",
}  # fmt: skip
INPUT = {
    "lab_l": "their CIE lightness", "luma": "Pillow's grey", "ortho": "what a film blind to red would have recorded",
    "blue_plate": "the exposure behind a blue filter",
}  # fmt: skip


def painting_cells(cost: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(value, what it is of) for each of `PAINTING`; "–" for what is not known."""
    cells = [("–", "")] * len(PAINTING)
    if "parameters" in cost:
        millions = cost["parameters"] / 1e6
        cells[0] = (f"{millions:,.2f}" if millions >= 0.1 else f"{millions:.2g}", "")
    if "gmacs" in cost:
        cells[1] = (f"{cost['gmacs']:,.3g}", f"at {sides(cost['size'])}")
    if "seconds" in cost:
        at_once = f"{cost['batch_size']} at a time" if cost["batch_size"] > 1 else "one by one"
        cells[2] = (f"{cost['seconds']:#.2g}".removesuffix("."), f"{at_once}, {cost['device']}")
    return cells


def cost_in_words(cost: Mapping[str, Any]) -> str:
    """What a painting cost."""
    (parameters, _), (gmacs, size), (seconds, how) = painting_cells(cost)
    return f"{parameters} M parameters, {gmacs} GMACs {size}, {seconds} seconds a photograph ({how})"


def sides(size: Sequence[int]) -> str:
    """Height and width as a person writes them, width first."""
    height, width = size
    return f"{width}²" if height == width else f"{width}×{height}"


def measured_in_words(result: Result) -> str:
    """The protocol as a sentence."""
    protocol: dict[str, Any] = result.protocol
    count, whole = protocol["photographs"], protocol["of"]
    part = f"{count:,} photographs" if count == whole else f"{count:,} of {whole:,} photographs, a subset"
    size = GEOMETRY[protocol["geometry"]].format(size=protocol["size"])
    shown = ", and besides ".join(INPUT[mode] for mode in protocol["input"])
    if protocol["truth"] == "none":
        return f"{part} without known colours, {size} ({FILTER[protocol['filter']]})."
    return f"{part}, {size} ({FILTER[protocol['filter']]}). The network was shown {shown}."


COMPARED = ("psnr", "ciede2000", "lpips_alex", "features", "top1")


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
    pictures = image_table_path(target)
    own = read_image_values(pictures, "model")
    told: list[str] = []
    true = read_image_values(pictures, "truth")
    if note := grey_note(true.values["colorfulness"]) if true.names and "colorfulness" in true.values else None:
        told.append(note)
    if result.protocol["truth"] == "none":
        return told
    others = [row for row in result.rows if row.startswith("model_")]
    for row in ["grey", *others]:
        names = (LABELS["model"], LABELS[row])
        for metric, text in differences(own, read_image_values(pictures, row), names, COMPARED):
            told.append(f"{measure(metric).title}: {text}")
    return told


def differences(
    one: ImageValues, other: ImageValues, names: tuple[str, str], metrics: Sequence[str]
) -> list[tuple[str, str]]:
    """(metric, sentence) for those of the metrics that pictures of both have."""
    held = [m for m in metrics if m in one.values and not np.isnan(one.values[m] + other.values[m]).all()]
    if not held:
        return []
    advantages = [measure(m).goodness(one.values[m]) - measure(m).goodness(other.values[m]) for m in held]
    found = compare_pairs(np.stack(advantages, axis=1))
    return [(m, describe_difference(measure(m), *names, difference)) for m, difference in zip(held, found, strict=True)]


PAIRS = 3  # of runs, whose verdicts are read at once
BOLD = "bold: no other run is better"
LATEX = {
    "\\": r"\textbackslash{}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "→": r"$\rightarrow$", "∞": r"$\infty$", "Δ": r"$\Delta$", "−": "$-$", "°": r"$^\circ$", "–": "--",
}  # fmt: skip


def markdown(comparison: Comparison) -> str:
    """A line for each run and each row to read it next to, a column for each metric, and what painting costs where that
    is known; then the verdicts in words."""
    heads = ["", *(measure(metric).heading for metric in comparison.metrics), *_cost_heads(comparison)]
    lines = [[_cell_of_markdown(text) for text in heads], ["---", *("---:" for _ in heads[1:])]]
    for place, rows in enumerate((comparison.runs, comparison.sanity)):
        for label, row in rows.items():
            cells = [_cell_of_markdown(label)]
            for metric in comparison.metrics:
                value, ends = texts(row.get(metric), measure(metric).digits)
                cells.append(_marked(value, ends, not place and label in comparison.leaders(metric), "**{}**"))
            cells += map(_cell_of_markdown, _cost_cells(comparison, label))
            lines.append(cells)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    told = "\n".join(f"- {line}" for line in _sentences(comparison))
    return f"{_title(comparison)}; {BOLD}.\n\n{table}\n\n{told}\n"


def latex(comparison: Comparison) -> str:
    """The same table as a `tabular` that needs the package booktabs; the verdicts are comments below it."""
    heads = ["", *(measure(metric).heading for metric in comparison.metrics), *_cost_heads(comparison)]
    lines = [f"% {_title(comparison)}; {BOLD}", rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule"]
    lines += [rf"{' & '.join(map(_escaped, heads))} \\", r"\midrule"]
    for place, rows in enumerate((comparison.runs, comparison.sanity)):
        lines += [r"\midrule"] if place and rows else []
        for label, row in rows.items():
            cells = [_escaped(label)]
            for metric in comparison.metrics:
                value, ends = (_escaped(text) for text in texts(row.get(metric), measure(metric).digits))
                leads = not place and label in comparison.leaders(metric)
                cells.append(_marked(value, ends, leads, r"\textbf{{{}}}"))
            cells += map(_escaped, _cost_cells(comparison, label))
            lines.append(rf"{' & '.join(cells)} \\")
    lines += [r"\bottomrule", r"\end{tabular}", *(f"% {line}" for line in _sentences(comparison))]
    return "\n".join(lines) + "\n"


def _cost_heads(comparison: Comparison) -> list[str]:
    """The columns on painting; none where that is known of no run."""
    return [*PAINTING] if any(comparison.cost.values()) else []


def _cost_cells(comparison: Comparison, label: str) -> list[str]:
    found = painting_cells(comparison.cost.get(label, {})) if _cost_heads(comparison) else []
    return [_marked(value, of, False, "") for value, of in found]


def _title(comparison: Comparison) -> str:
    return f"protocol {comparison.protocol['id']}, 95 % intervals"


def _sentences(comparison: Comparison) -> list[str]:
    """Verdicts by metric, then what they rest on, then notes."""
    lines = [f"{measure(v.metric).title}: {v.sentence}{strength(v)}" for v in comparison.verdicts]
    return [*lines, *_tests(comparison), *comparison.notes]


def _tests(comparison: Comparison) -> list[str]:
    """What p and d mean, where there are any."""
    if not (tests := sum(verdict.adjusted is not None for verdict in comparison.verdicts)):
        return []
    return [
        f"p is two-sided, after Holm's correction over {tests} tests; of pictures, it is that of swapping the two "
        "runs at random; d is the mean difference over its standard deviation"
    ]


def strength(verdict: ComparisonResult) -> str:
    difference, told = verdict.difference, []
    apart = difference.advantage.low > 0 or difference.advantage.high < 0  # where p denies it, the sentence says so
    if verdict.adjusted is not None and (verdict.winner or not apart):
        told.append(f"p {'< 0.0001' if verdict.adjusted < 1e-4 else f'= {verdict.adjusted:.2g}'}")
    if difference.effect is not None and verdict.winner:
        told.append(f"d = {format_number(abs(difference.effect), 2)}")
    if difference.share is not None and verdict.winner:
        share = difference.share if verdict.winner == verdict.a else 1 - difference.share
        told.append(f"on {100 * share:.0f} % of the pictures")
    return f"; {', '.join(told)}" if told else ""


def texts(interval: Interval | None, digits: int) -> tuple[str, str]:
    """The value, and its ends; "–" where there is none."""
    if interval is None:
        return "–", ""
    value, low, high = (format_number(each, digits) for each in (interval.value, interval.low, interval.high))
    return value, "" if isnan(interval.low) or isnan(interval.high) else f"{low} to {high}"


def _marked(value: str, ends: str, leads: bool, bold: str) -> str:
    value = bold.format(value) if leads else value
    return f"{value} ({ends})" if ends else value


def _cell_of_markdown(text: str) -> str:
    return text.replace("|", "\\|")


def _escaped(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in text)
