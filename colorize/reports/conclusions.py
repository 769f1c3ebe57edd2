"""Sentences of a report: how a result was measured, who is better, and what to know before using the numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from colorize.evaluation.comparison import Comparison
from colorize.evaluation.image_table import ImageValues, read_image_values
from colorize.evaluation.permutation import Difference, compare_pairs, holm
from colorize.evaluation.protocol import INPUTS
from colorize.evaluation.result import CHOSEN_HERE, LABELS, Result, image_table_path, read_result
from colorize.evaluation.significance import ComparisonResult, format_number, verdict_on
from colorize.metrics.colorfulness import grey_note
from colorize.metrics.metric_info import in_view, info_of
from colorize.utils.console import counted_part

GREY_WINS = (
    "Grey has {better}. This is expected: where the true colour is uncertain, a dull colour has the smallest error on "
    "average, and PSNR measures nothing else. Read colourfulness, hue error and the feature distances beside it."
)
GEOMETRY = {
    "centre": "the centre square, resized to {size}²", "stretch": "stretched to {size}²",
    "long": "the longer side brought to {size} pixels",
}  # fmt: skip
FILTER = {
    "bicubic": "antialiased bicubic", "bilinear": "antialiased bilinear",
    "linear": "OpenCV's linear filter, not antialiased", "area": "area averages",
}  # fmt: skip
PAIRS = 3  # of runs, whose verdicts are read at once


class Sentence(NamedTuple):
    """small  p, effect and share behind it"""

    text: str
    small: str = ""


class Verdicts(NamedTuple):
    """The sentences on one metric; a summary where there are many of them."""

    sentences: list[Sentence]
    summary: str = ""


class Conclusions(NamedTuple):
    """first, others  on the metrics that are shown first, and on the rest"""

    first: list[Verdicts]
    others: list[Verdicts]
    notes: list[str]

    def lines(self) -> list[str]:
        """Every sentence, one a line."""
        sentences = [sentence for group in [*self.first, *self.others] for sentence in group.sentences]
        return [*(f"{text}{small}" for text, small in sentences), *self.notes]


def draw_conclusions(comparison: Comparison) -> Conclusions:
    """Who is better, for every two runs and every metric that both have."""
    first = comparison.leading()
    others = [metric for metric in comparison.metrics if metric not in first]
    by_metric = {metric: metric_verdicts(comparison, metric) for metric in comparison.metrics}
    notes = [*explain_tests(comparison.verdicts), *comparison.notes]
    groups = [[by_metric[m] for m in metrics if by_metric[m].sentences] for metrics in (first, others)]
    return Conclusions(groups[0], groups[1], notes)


def metric_verdicts(comparison: Comparison, metric: str) -> Verdicts:
    """The sentences on a metric; of more than three pairs of runs, also who leads and how many pairs differ."""
    of_metric, title = [v for v in comparison.verdicts if v.metric == metric], info_of(metric).label
    sentences = [in_words(verdict) for verdict in of_metric]
    if len(of_metric) <= PAIRS:
        return Verdicts(sentences)
    differing = sum(verdict.winner is not None for verdict in of_metric)
    leaders = sorted(comparison.leaders(metric))
    lead = f"no other run is significantly better than {' or '.join(leaders)}" if leaders else "there is no leader"
    return Verdicts(sentences, f"{title}: {lead}; {differing} of {len(of_metric)} pairs differ significantly")


def in_words(verdict: ComparisonResult) -> Sentence:
    return Sentence(f"{info_of(verdict.metric).label}: {verdict.sentence}", strength(verdict))


def strength(verdict: ComparisonResult) -> str:
    """p, effect and share of a verdict, where there are any."""
    difference, found = verdict.difference, []
    apart = difference.advantage.low > 0 or difference.advantage.high < 0  # where p denies it, the sentence says so
    if verdict.adjusted is not None and (verdict.winner or not apart):
        found.append(f"p {'< 0.0001' if verdict.adjusted < 1e-4 else f'= {verdict.adjusted:.2g}'}")
    if difference.effect is not None and verdict.winner:
        found.append(f"d = {format_number(abs(difference.effect), 2)}")
    if difference.share is not None and verdict.winner:
        share = difference.share if verdict.winner == verdict.a else 1 - difference.share
        found.append(f"on {100 * share:.0f} % of the pictures")
    return f"; {', '.join(found)}" if found else ""


def explain_tests(verdicts: Sequence[ComparisonResult]) -> list[str]:
    """What p and d mean, where there are any."""
    if not (tests := sum(verdict.adjusted is not None for verdict in verdicts)):
        return []
    return [
        f"p is two-sided, after Holm's correction over {tests} tests; of pictures, it is that of swapping the two "
        "runs at random; d is the mean difference over its standard deviation"
    ]


def grey_wins(comparison: Comparison) -> list[str]:
    """What it means that grey has a better PSNR than some of the runs."""
    grey = comparison.sanity.get("grey", {}).get("psnr")
    runs = {label: row["psnr"].value for label, row in comparison.runs.items() if "psnr" in row}
    labels = [label for label, value in runs.items() if grey and value < grey.value]
    if not labels:
        return []
    every = len(labels) == len(comparison.runs)
    return [GREY_WINS.format(better="the better PSNR" if every else f"a better PSNR than {list_names(labels)}")]


def conclude_single(targets: Sequence[Path], notes: Sequence[str]) -> Conclusions:
    """Of one run, of which there are these results: the network against grey, and against itself where it saw what old
    film saw; what is not known of its pictures. Of several results that are pooled, the `notes` alone."""
    result, pictures = read_result(targets[0]), image_table_path(targets[0])
    if len(targets) > 1 or not pictures.is_file():
        return Conclusions([], [], [*notes])
    own, true = read_image_values(pictures, "model"), read_image_values(pictures, "truth")
    note = grey_note(true.values["colorfulness"]) if true.names and "colorfulness" in true.values else None
    notes = [*([note] if note else []), *notes]
    if result.protocol["truth"] == "none":
        return Conclusions([], [], notes)
    rows = ["grey", *(row for row in result.rows if row.startswith("model_"))]
    verdicts = network_verdicts(own, {LABELS[row]: read_image_values(pictures, row) for row in rows})
    found = [[each for each in verdicts if each.b == LABELS[row]] for row in rows]
    groups = [Verdicts([in_words(each) for each in of_row]) for of_row in found if of_row]
    return Conclusions(groups, [], [*explain_tests(verdicts), *notes])


def network_verdicts(own: ImageValues, others: Mapping[str, ImageValues]) -> list[ComparisonResult]:
    """The network against each of the others, by their labels, in every metric of the view "grey" that pictures of both
    have; p is corrected over all of these tests."""
    found: list[tuple[str, str, Difference]] = []
    for label, other in others.items():
        metrics = [m for m in in_view("grey", own.values) if not np.isnan(own.values[m] + other.values[m]).all()]
        if metrics:
            better = [info_of(m).oriented(own.values[m]) - info_of(m).oriented(other.values[m]) for m in metrics]
            differences = compare_pairs(np.stack(better, axis=1))
            found += [(label, *each) for each in zip(metrics, differences, strict=True)]
    adjusted = holm([difference.p for _, _, difference in found])
    return [verdict_on(metric, LABELS["model"], label, difference, p)
            for (label, metric, difference), p in zip(found, adjusted, strict=True)]  # fmt: skip


def measured_in_words(result: Result) -> str:
    """The protocol as a sentence."""
    protocol: dict[str, Any] = result.protocol
    part = counted_part(protocol["photographs"], protocol["of"])
    size = GEOMETRY[protocol["geometry"]].format(size=protocol["size"])
    shown = ", and besides ".join(INPUTS[mode].description for mode in protocol["input"])
    if protocol["truth"] == "none":
        return f"{part} without known colours, {size} ({FILTER[protocol['filter']]})."
    return f"{part}, {size} ({FILTER[protocol['filter']]}). The network was shown {shown}."


def checkpoint_in_words(result: Result) -> str:
    """Which weights were evaluated, where that is known."""
    network = result.weights.get("network", {})
    chosen = f": {CHOSEN_HERE}" if network.get("chosen_on_these") else ""
    return f"Weights: {network['of']}, step {network['step']:,}{chosen}." if {"of", "step"} <= network.keys() else ""


def name_runs(labels: Sequence[str], most: int = 4) -> str:
    """The runs in a heading; of many, how many there are."""
    return f"{len(labels)} runs" if len(labels) > most else list_names(labels)


def list_names(labels: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
