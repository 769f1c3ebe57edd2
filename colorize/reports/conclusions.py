"""Sentences of a report: how a result was measured, who is better, and what to know before using the numbers."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from colorize.evaluation.comparison import Comparison, leading_metrics
from colorize.evaluation.entries import Entry
from colorize.evaluation.image_table import read_image_values
from colorize.evaluation.painted import label_of, pictures_taken
from colorize.evaluation.protocol import INPUTS
from colorize.evaluation.result import CHOSEN_HERE, Result, image_table_path, read_result, row_label
from colorize.evaluation.significance import (
    ComparisonResult,
    compare_couples,
    count_tests,
    format_number,
    significance,
)
from colorize.metrics.colorfulness import grey_note
from colorize.metrics.metric_info import in_view, info_of
from colorize.utils.console import counted, counted_part

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
    groups = [[by_metric[m] for m in metrics if by_metric[m].sentences] for metrics in (first, others)]
    told = [sentence for of_metric in by_metric.values() for sentence in of_metric.sentences]
    notes = [*explain_tests(comparison.verdicts, told), *comparison.notes]
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


def explain_tests(verdicts: Sequence[ComparisonResult], told: Sequence[Sentence]) -> list[str]:
    """What the sign of a difference, p and d mean, where there are any in the sentences that are `told`."""
    known = [verdict for verdict in verdicts if significance(verdict.difference, verdict.adjusted) is not None]
    notes = []
    if known and told:
        notes = ["a positive difference: the first of the two is better"]
        if any(info_of(verdict.metric).better == "truth" for verdict in known):
            notes[0] += "; where it is best to be near the ground truth (→ truth): its mean is nearer"
    if tests := count_tests(verdicts):
        notes.append(
            f"p is two-sided, after Holm's correction over {counted(tests, 'test')}; of pictures, it is that of "
            "swapping the two runs at random"
        )
    if any(" d = " in small for _, small in told):
        notes.append("d is the mean difference over its standard deviation")
    return notes


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
    true = read_image_values(pictures, "truth")
    note = grey_note(true.values["colorfulness"]) if true.names and "colorfulness" in true.values else None
    notes = [*([note] if note else []), *notes]
    if result.protocol["truth"] == "none":
        return Conclusions([], [], notes)
    rows = ["grey", *(row for row in result.rows if row.startswith("model_"))]
    verdicts = network_verdicts(targets[0], result, rows)
    found = [[each for each in verdicts if each.b == row_label(row)] for row in rows]
    groups = [Verdicts([in_words(each) for each in of_row]) for of_row in found if of_row]
    return Conclusions(groups, [], [*explain_tests(verdicts, [*map(in_words, verdicts)]), *notes])


def network_verdicts(target: Path, result: Result, rows: Sequence[str]) -> list[ComparisonResult]:
    """The network against each of the other rows, in the metrics that are shown first and those of the view "grey"; p
    is corrected over all of these tests."""
    own = [*result.rows["model"]]
    metrics = dict.fromkeys([*leading_metrics(own, result.protocol, [result.rows["model"]]), *in_view("grey", own)])
    network = Entry(label_of("model", result), {target: result})
    others = [Entry(row_label(row), {target: result}, row) for row in rows if row in result.rows]
    return compare_couples([(network, other) for other in others], [*metrics])


def measured_in_words(result: Result) -> str:
    """The protocol as a sentence."""
    protocol: dict[str, Any] = result.protocol
    part = counted_part(protocol["photographs"], protocol["of"])
    size = GEOMETRY[protocol["geometry"]].format(size=protocol["size"])
    shown = ", and besides ".join(INPUTS[mode].description for mode in protocol["input"])
    unknown = " without known colours" if protocol["truth"] == "none" else ""
    sentence = f"{part}{unknown}, {size} ({FILTER[protocol['filter']]})."
    if taken := pictures_taken(result):  # what their network was shown, nobody knows
        sentence += f" Colorized elsewhere: {taken}."
    elif not unknown:
        sentence += f" The network was shown {shown}."
    count = result.weights.get("reference", {}).get("photographs")
    return f"{sentence} Distances of sets are to {counted(count, 'other photograph')}." if count else sentence


def checkpoint_in_words(result: Result) -> str:
    """Which weights were evaluated, where that is known."""
    words = weights_in_words(result.weights.get("network", {}))
    return f"Weights: {words}." if words else ""


def weights_in_words(network: Mapping[str, Any]) -> str:
    """Which checkpoint of a run was evaluated, of what a result says of its network; nothing of other weights."""
    chosen = f": {CHOSEN_HERE}" if network.get("chosen_on_these") else ""
    return f"{network['of']}, step {network['step']:,}{chosen}" if {"of", "step"} <= network.keys() else ""


def weights_of_runs(comparison: Comparison) -> str:
    """The same of a comparison: `best.pt, step 200 to 300 of a and b; step-00000500.pt, step 500 of c`."""
    every = [(label, network) for label, of in comparison.networks.items() for network in of if "step" in network]
    if len(every) == len(comparison.runs) == 1:
        return weights_in_words(every[0][1])
    found = []
    for file in dict.fromkeys(network["of"] for _, network in every):
        labels = dict.fromkeys(label for label, network in every if network["of"] == file)
        steps = [network["step"] for _, network in every if network["of"] == file]
        ends = " to ".join(f"{step:,}" for step in sorted({min(steps), max(steps)}))
        found.append(f"{file}, step {ends} of {name_runs([*labels])}")
    return "; ".join(found)


def name_runs(labels: Sequence[str], most: int = 4) -> str:
    """The runs in a heading; of many, how many there are."""
    return f"{len(labels)} runs" if len(labels) > most else list_names(labels)


def list_names(labels: Sequence[str]) -> str:
    """a, b and c"""
    return " and ".join(filter(None, [", ".join(labels[:-1]), labels[-1]]))
