"""Charts as records of shapes in percent, which `templates/charts.j2` draws as SVG that stretches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan
from typing import NamedTuple

import numpy as np

from colorize.evaluation.significance import format_number
from colorize.metrics.full_reference import CHROMAS, HUES, STEP, TOP, ErrorsByColour
from colorize.metrics.metric_info import Interval, MetricInfo
from colorize.reports.tables import texts

CHROMA_STEP, CHROMA_TOP = 2, 60  # CIE: width of a bar; all above the top are in the last bar
SIDE_FIRST, SIDE_LAST = 4, 14  #   powers of two: shorter sides from 16 to 16384 pixels, half an octave a bar
RARE = 0.002  #                    of the coloured pixels: a hue with fewer is shown pale
LEAST_SPAN = 0.1  #                of the largest value: what the height of a chart stands for, at least
PALETTE = ("#3d6f9e", "#c8553d", "#4f8a5b", "#b08a2e", "#7a5aa0", "#3c8f93", "#a65275", "#6d6a63")


def palette_color(place: int) -> str:
    return PALETTE[place % len(PALETTE)]


class ChartBar(NamedTuple):
    """height, left_out  percent of the chart; the latter stands pale on top"""

    height: float
    fill: str
    title: str
    left_out: float = 0.0
    pale: bool = False


class ChartLine(NamedTuple):
    """points  for SVG, "x,y x,y …" in the chart's own size"""

    points: str
    title: str = ""
    color: str = ""
    kind: str = ""


class ChartDot(NamedTuple):
    """left, top  percent"""

    left: float
    top: float
    color: str
    title: str
    front: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars, lines or dots, and what stands above and below them.

    ticks     (share of the width from 0 to 1, text)
    legend    the highest value, or what the diagonal is
    ends      what stands at the lower and the upper end of the vertical axis
    size      width and height of the coordinates of lines
    diagonal  a dashed line from the lower left to the upper right
    """

    ticks: Sequence[tuple[float, str]]
    heading: str = ""
    legend: str = ""
    bars: Sequence[ChartBar] = ()
    lines: Sequence[ChartLine] = ()
    dots: Sequence[ChartDot] | None = None
    size: tuple[float, float] = (1, 100)
    diagonal: bool = False
    ends: Sequence[str] = ()


class ForestRow(NamedTuple):
    """A run: its value, and where the value and its interval lie, in percent; width None: there is no interval."""

    label: str
    value: str
    color: str
    interval: str
    left: float
    low: float
    width: float | None


class Forest(NamedTuple):
    """Intervals of one metric below each other, on one scale; `marks` are what they are read next to."""

    heading: str
    rows: Sequence[ForestRow]
    marks: Sequence[tuple[float, str]]


# --- of a data set


def mean_chroma_chart(chroma: np.ndarray, left_out: np.ndarray) -> Chart:
    """Mean chroma (N,) of each photograph; each bar has a colour of that chroma."""
    edges = np.arange(0, CHROMA_TOP + 2 * CHROMA_STEP, CHROMA_STEP)
    clipped = np.minimum(chroma, CHROMA_TOP + CHROMA_STEP / 2)
    fills, words = chroma_bars("mean chroma", CHROMA_STEP, len(edges) - 1)
    ticks = [(edge / CHROMA_STEP / (len(edges) - 1), str(edge)) for edge in range(0, CHROMA_TOP + 1, 10)]
    return Chart(ticks, bars=_histogram(clipped, ~np.isnan(chroma), left_out, edges, fills, words))


def chroma_bars(what: str, step: int, count: int) -> tuple[list[str], list[str]]:
    """Colours and titles of `count` bars, each `step` wide, but for the last, which has all above."""
    edges = range(0, step * count, step)
    words = [f"{what} {edge} to {edge + step}" for edge in edges[:-1]]
    fills = [f"oklch(0.68 {min(0.0032 * (edge + step / 2), 0.19):.3f} 50)" for edge in edges]
    return fills, [*words, f"{what} {edges[-1]} and more"]


def size_chart(sizes: np.ndarray, left_out: np.ndarray) -> Chart:
    """Shorter side of (N, 2) on a scale of powers of two, from below the smallest to above the largest."""
    shorter = sizes.min(axis=1)
    known = shorter > 0
    low, high = np.clip(np.log2([shorter[known].min(), shorter[known].max()]), SIDE_FIRST, SIDE_LAST - 1)
    first, last = int(max(low - 0.5, SIDE_FIRST)), int(high) + 1
    edges = 2 ** np.arange(first, last + 0.5, 0.5)
    bins = len(edges) - 1
    words = [f"{a:.0f} to {b:.0f} pixels" for a, b in pairwise(edges)]
    ticks = [(2 * (power - first) / bins, str(2**power)) for power in range(first, last + 1)]
    clipped = np.clip(shorter, edges[0], edges[-1] - 1)
    return Chart(ticks, bars=_histogram(clipped, known, left_out, edges, ["var(--bar)"] * bins, words))


def _histogram(
    values: np.ndarray, known: np.ndarray, left_out: np.ndarray, edges: np.ndarray, fills: list[str], words: list[str]
) -> list[ChartBar]:
    kept = np.histogram(values[known & ~left_out], edges)[0].tolist()
    out = np.histogram(values[known & left_out], edges)[0].tolist()
    scale = 100 / max(*map(sum, zip(kept, out, strict=True)), 1)
    return [
        ChartBar(scale * k, fill, f"{word}: {k + o:,} photographs{f', {o:,} left out' if o else ''}", scale * o)
        for k, o, fill, word in zip(kept, out, fills, words, strict=True)
    ]


# --- of colours


def color_error_charts(errors: ErrorsByColour) -> list[Chart]:
    """Errors by hue and by chroma of the ground truth, and the chroma of predictions by that of the ground truth."""
    hues = [f"lab(65% {45 * np.cos(turn):.1f} {45 * np.sin(turn):.1f})"
            for turn in 2 * np.pi * (np.arange(HUES) + 0.5) / HUES]  # fmt: skip
    words = [f"hue {360 * place // HUES}° to {360 * (place + 1) // HUES}°" for place in range(HUES)]
    ticks = [(0.0, "red"), (0.25, "yellow"), (0.5, "green"), (0.75, "blue")]
    by_hue = _error_chart("By hue", errors.hue_errors, errors.hue_pixels, hues, words, ticks)
    fills, words = chroma_bars("chroma", STEP, CHROMAS)
    ticks = [(edge / STEP / CHROMAS, str(edge)) for edge in range(0, TOP + 1, 20)]
    by_chroma = _error_chart("By chroma", errors.chroma_errors, errors.chroma_pixels, fills, words, ticks)
    return [by_hue, by_chroma, _calibration_chart(errors.painted_chroma)]


def _error_chart(
    heading: str, errors: np.ndarray, shares: np.ndarray, fills: list[str], words: list[str],
    ticks: list[tuple[float, str]],
) -> Chart:  # fmt: skip
    top = max(float(np.nanmax(errors, initial=0)), 1.0)
    bars = [
        ChartBar(0.0 if np.isnan(error) else 100 * error / top, fill,
            f"{word}: error {error:.1f}, {100 * share:.1f} % of the pixels", pale=share < RARE)
        for error, share, fill, word in zip(errors.tolist(), shares.tolist(), fills, words, strict=False)
    ]  # fmt: skip
    return Chart(ticks, heading, f"highest {top:.0f}", bars)


def _calibration_chart(chroma: np.ndarray) -> Chart:
    """Mean predicted chroma over that of the ground truth."""
    known = [(STEP * (place + 0.5), value) for place, value in enumerate(chroma[:-1].tolist()) if not isnan(value)]
    line = ChartLine(" ".join(f"{x:.1f},{TOP - min(y, TOP):.2f}" for x, y in known))
    ticks = [(edge / TOP, str(edge)) for edge in range(0, TOP + 1, 20)]
    legend = "dashed: as colourful as the ground truth"
    return Chart(ticks, "Predicted chroma by true chroma", legend, lines=[line], size=(TOP, TOP), diagonal=True)


# --- of runs


def forest(
    info: MetricInfo, runs: Mapping[str, Interval], others: Mapping[str, float], colors: Mapping[str, str]
) -> Forest:
    """A row for each run with its interval, in its color; dashed, what it is read next to."""
    known = [value for each in runs.values() for value in (each.low, each.high, each.value)] + [*others.values()]
    known = [value for value in known if not isnan(value)]
    room = (max(known) - min(known) or 1.0) * 0.06
    low, scale = min(known) - room, 100 / (max(known) - min(known) + 2 * room)
    digits, rows = info.digits, []
    for label, each in runs.items():
        value, ends = texts(each, digits)
        width = None if isnan(each.low) else scale * (each.high - each.low)
        at = (scale * (each.value - low), scale * (each.low - low))
        rows.append(ForestRow(label, value, colors[label], ends, *at, width))
    marks = [(scale * (value - low), f"{name} {format_number(value, digits)}") for name, value in others.items()]
    return Forest(info.heading, rows, marks)


def curve_chart(
    curves: Sequence[tuple[ChartLine, Sequence[tuple[int, float]]]], heading: str = "", scale_by: Sequence[str] = ()
) -> Chart:
    """A line for each run over its steps, drawn in that order. The first evaluation, of a network that knows nothing
    yet, would flatten the others: where there are others, it is left out.

    curves    (how the line looks, its (step, value) …)
    scale_by  the kinds of lines whose values set the scale; of others, what lies outside is at its end
    """
    cut = [(line, points[1:] or points) for line, points in curves]
    of_scale = [points for line, points in cut if line.kind in scale_by] or [points for _, points in cut]
    values = [value for points in of_scale for _, value in points]
    last, (low, high) = max(1, *(points[-1][0] for _, points in cut)), value_scale(values)
    lines = []
    for line, points in cut:
        drawn = [*points, points[-1]]  # a line of one point is not drawn, of the same twice it is a dot
        places = ((step, (min(max(value, low), high) - low) / (high - low)) for step, value in drawn)
        lines.append(line._replace(points=" ".join(f"{step},{97 - 94 * share:.2f}" for step, share in places)))
    ticks = [(0.0, "0"), (0.5, f"{last // 2}"), (1.0, f"{last} steps")]
    return Chart(ticks, heading, lines=lines, size=(last, 100), ends=(f"{low:.4g}", f"{high:.4g}"))


def value_scale(values: Sequence[float]) -> tuple[float, float]:
    """From the smallest to the largest, or around them as far as `LEAST_SPAN` of the largest: small differences look
    small."""
    low, high = min(values), max(values)
    room = max(0.0, (LEAST_SPAN * max(abs(low), abs(high)) or 1.0) - (high - low)) / 2
    return low - room, high + room
