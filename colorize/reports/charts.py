"""Charts as HTML: shapes are SVG that stretches, words are text beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from math import isnan

import numpy as np

from colorize.evaluation.bootstrap import Interval
from colorize.evaluation.metric_info import measure
from colorize.metrics.full_reference import CHROMAS, HUES, STEP, TOP, ErrorsByColour
from colorize.reports.tables import texts

CHROMA_STEP, CHROMA_TOP = 2, 60  # CIE: width of a bar; all above the top are in the last bar
SIDE_FIRST, SIDE_LAST = 4, 14  #   powers of two: shorter sides from 16 to 16384 pixels, half an octave a bar
MANY = 40  # classes: of more, the largest and the smallest are shown
ENDS = 15  # of each


def count_bars(counts: Sequence[tuple[int, int]], fills: Sequence[str], titles: Sequence[str]) -> str:
    """A bar for each of (kept, left out); the latter stands pale on top."""
    tallest = max(max(sum(pair) for pair in counts), 1)
    shapes = []
    for place, ((kept, out), fill, title) in enumerate(zip(counts, fills, titles, strict=True)):
        high, more = 100 * kept / tallest, 100 * out / tallest
        shapes.append(
            f'<g><title>{escape(title)}</title><rect x="{place}" y="0" width="1" height="100" fill="transparent"/>'
            f'<rect x="{place + 0.06:.2f}" y="{100 - high:.2f}" width=".88" height="{high:.2f}" fill="{fill}"/>'
            f'<rect class="out" x="{place + 0.06:.2f}" y="{100 - high - more:.2f}" width=".88" height="{more:.2f}"/>'
            "</g>"
        )
    return f'<svg class="bars" viewBox="0 0 {len(counts)} 100" preserveAspectRatio="none">{"".join(shapes)}</svg>'


def axis(ticks: Sequence[tuple[float, str]]) -> str:
    """Words below a chart, each at its share of the width."""
    words = "".join(f'<span style="left:{100 * share:.2f}%">{escape(word)}</span>' for share, word in ticks)
    return f'<div class="axis">{words}</div>'


def mean_chroma_chart(chroma: np.ndarray, left_out: np.ndarray) -> str:
    """Mean chroma (N,) of each photograph; each bar has a colour of that chroma."""
    edges = np.arange(0, CHROMA_TOP + 2 * CHROMA_STEP, CHROMA_STEP)
    known = ~np.isnan(chroma)
    clipped = np.minimum(chroma, CHROMA_TOP + CHROMA_STEP / 2)
    counts = _counts(clipped, known, left_out, edges)
    fills = [f"oklch(0.68 {min(0.0032 * (edge + 1), 0.19):.3f} 50)" for edge in edges[:-1].tolist()]
    words = [f"{a} to {b}" for a, b in pairwise(edges[:-1].tolist())]
    titles = _titles([f"mean chroma {word}" for word in [*words, f"{CHROMA_TOP} and more"]], counts)
    bins = len(edges) - 1
    ticks = [(edge / CHROMA_STEP / bins, str(edge)) for edge in range(0, CHROMA_TOP + 1, 10)]
    return count_bars(counts, fills, titles) + axis(ticks)


def size_chart(sizes: np.ndarray, left_out: np.ndarray) -> str:
    """Shorter side of (N, 2) on a scale of powers of two, from below the smallest to above the largest."""
    shorter = sizes.min(axis=1)
    known = shorter > 0
    low, high = np.clip(np.log2([shorter[known].min(), shorter[known].max()]), SIDE_FIRST, SIDE_LAST - 1)
    first, last = int(max(low - 0.5, SIDE_FIRST)), int(high) + 1
    powers = np.arange(first, last + 0.5, 0.5)
    edges = 2**powers
    clipped = np.clip(shorter, edges[0], edges[-1] - 1)
    counts = _counts(clipped, known, left_out, edges)
    words = [f"{a:.0f} to {b:.0f} pixels" for a, b in pairwise(edges)]
    ticks = [(2 * (power - first) / len(counts), str(2**power)) for power in range(first, last + 1)]
    return count_bars(counts, ["var(--bar)"] * len(counts), _titles(words, counts)) + axis(ticks)


def _counts(values: np.ndarray, known: np.ndarray, left_out: np.ndarray, edges: np.ndarray) -> list[tuple[int, int]]:
    kept = np.histogram(values[known & ~left_out], edges)[0]
    out = np.histogram(values[known & left_out], edges)[0]
    return list(zip(kept.tolist(), out.tolist(), strict=True))


def _titles(words: Sequence[str], counts: Sequence[tuple[int, int]]) -> list[str]:
    said = [f"{kept + out:,} photographs" + (f", {out:,} left out" if out else "") for kept, out in counts]
    return [f"{word}: {what}" for word, what in zip(words, said, strict=True)]


def class_chart(names: Sequence[str], labels: np.ndarray, left_out: np.ndarray) -> str:
    """A row for each class, largest first; of many classes the largest and the smallest."""
    inside = labels >= 0
    kept = np.bincount(labels[inside & ~left_out], minlength=len(names))
    out = np.bincount(labels[inside & left_out], minlength=len(names))
    order = np.argsort(-(kept + out), kind="stable")
    top = max(int((kept + out).max()), 1)
    rows = [_class_row(names[i], int(kept[i]), int(out[i]), top) for i in order.tolist()]
    if len(rows) > MANY:
        between = f'<p class="quiet between">{len(rows) - 2 * ENDS:,} classes between these</p>'
        return _columns(rows[:ENDS]) + between + _columns(rows[-ENDS:])
    return _columns(rows)


def _columns(rows: Sequence[str]) -> str:
    return f'<div class="classes">{"".join(rows)}</div>'


def _class_row(name: str, kept: int, out: int, top: int) -> str:
    title = f"{name}: {kept:,} to train on" + (f", {out:,} left out" if out else "")
    return (
        f'<div class="class" title="{escape(title)}"><span class="name">{escape(name)}</span><span class="track">'
        f'<i style="width:{100 * kept / top:.2f}%"></i><b style="width:{100 * out / top:.2f}%"></b></span>'
        f'<span class="number">{kept + out:,}</span></div>'
    )


RARE = 0.002  # of the coloured pixels: a hue with fewer is shown pale


def colour_charts(errors: ErrorsByColour) -> str:
    return (
        "<section><h2>Which colours go wrong</h2><p>Distance of painted colours from the true ones in (a, b), CIE "
        "units, by the true colour. A pale bar rests on few pixels.</p>"
        f'<div class="chart2"><div><h3>By hue</h3>{hue_chart(errors)}</div>'
        f"<div><h3>By chroma</h3>{chroma_error_chart(errors)}</div>"
        f"<div><h3>Painted chroma by true chroma</h3>{calibration(errors)}</div></div></section>"
    )


def hue_chart(errors: ErrorsByColour) -> str:
    fills = [hue_colour((place + 0.5) / HUES) for place in range(HUES)]
    titles = [f"hue {360 * place // HUES}° to {360 * (place + 1) // HUES}°" for place in range(HUES)]
    ticks = [(0.0, "red"), (0.25, "yellow"), (0.5, "green"), (0.75, "blue")]
    return error_bars(errors.hue_errors, errors.hue_pixels, fills, titles) + axis(ticks)


def hue_colour(turn: float) -> str:
    return f"lab(65% {45 * np.cos(2 * np.pi * turn):.1f} {45 * np.sin(2 * np.pi * turn):.1f})"


def chroma_error_chart(errors: ErrorsByColour) -> str:
    fills = [f"oklch(0.68 {min(0.0032 * (STEP * place + 2), 0.19):.3f} 50)" for place in range(CHROMAS)]
    titles = [f"chroma {STEP * place} to {STEP * (place + 1)}" for place in range(CHROMAS - 1)]
    titles.append(f"chroma {TOP} and more")
    ticks = [(edge / STEP / CHROMAS, str(edge)) for edge in range(0, TOP + 1, 20)]
    return error_bars(errors.chroma_errors, errors.chroma_pixels, fills, titles) + axis(ticks)


def error_bars(values: np.ndarray, shares: np.ndarray, fills: list[str], titles: list[str]) -> str:
    top = max(float(np.nanmax(values, initial=0)), 1.0)
    shapes = []
    for place, (value, share, fill, title) in enumerate(zip(values, shares, fills, titles, strict=True)):
        if np.isnan(value):
            continue
        high = 100 * float(value) / top
        pale = ' opacity=".35"' if share < RARE else ""
        shapes.append(
            f"<g><title>{title}: error {value:.1f}, {100 * share:.1f} % of the pixels</title>"
            f'<rect x="{place + 0.06:.2f}" y="{100 - high:.2f}" width=".88" height="{high:.2f}" fill="{fill}"{pale}/>'
            "</g>"
        )
    drawn = f'<svg class="bars" viewBox="0 0 {len(values)} 100" preserveAspectRatio="none">{"".join(shapes)}</svg>'
    return f'<p class="legend">highest {top:.0f}</p>{drawn}'


def calibration(errors: ErrorsByColour) -> str:
    """Mean painted chroma over the true one; the dashed line is a network that is as colourful as the truth."""
    known = [
        (STEP * (place + 0.5), float(painted))
        for place, painted in enumerate(errors.painted_chroma[:-1])
        if not np.isnan(painted)
    ]
    points = " ".join(f"{x:.1f},{TOP - min(y, TOP):.2f}" for x, y in known)
    return (
        '<p class="legend">dashed: as colourful as the truth</p>'
        f'<svg class="bars" viewBox="0 0 {TOP} {TOP}" preserveAspectRatio="none">'
        f'<line class="ideal" x1="0" y1="{TOP}" x2="{TOP}" y2="0"/><polyline class="line" points="{points}"/></svg>'
        + axis([(edge / TOP, str(edge)) for edge in range(0, TOP + 1, 20)])
    )


COLOURS = ("#3d6f9e", "#c8553d", "#4f8a5b", "#b08a2e", "#7a5aa0", "#3c8f93", "#a65275", "#6d6a63")


def colour(place: int) -> str:
    return COLOURS[place % len(COLOURS)]


def forest(metric: str, runs: Mapping[str, Interval], others: Mapping[str, float]) -> str:
    """A line for each run with its interval; dashed, what it is read next to."""
    ends = [end for each in runs.values() for end in (each.low, each.high, each.value)]
    known = [value for value in [*ends, *others.values()] if not isnan(value)]
    low, high = min(known), max(known)
    room = (high - low or 1.0) * 0.06
    low, high = low - room, high + room

    def at(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    lines = "".join(
        f'<span class="mark" style="left:{at(value)}" title="{escape(name)} {value:.4g}"></span>'
        for name, value in others.items()
    )
    rows = ""
    for place, (label, each) in enumerate(runs.items()):
        value, around = texts(each, measure(metric).digits)
        whisker = ""
        if not isnan(each.low):
            width = 100 * (each.high - each.low) / (high - low)
            whisker = f'<i style="left:{at(each.low)};width:{width:.2f}%;background:{colour(place)}"></i>'
        rows += (
            f'<div class="run"><span title="{escape(label)}"><bdi>{escape(label)}</bdi></span>'
            f'<div class="lane">{lines}{whisker}'
            f'<b style="left:{at(each.value)};background:{colour(place)}" title="{escape(around)}"></b></div>'
            f'<span class="number">{escape(value)}</span></div>'
        )
    told = ", ".join(f"{escape(name)} {texts(Interval(value, value, value, 1), measure(metric).digits)[0]}"
                     for name, value in others.items())  # fmt: skip
    legend = f'<p class="legend">dashed: {told}</p>' if told else ""
    return f'<div class="forest"><h3>{escape(measure(metric).heading)}</h3>{rows}{legend}</div>'


def curve_chart(title: str, curves: Mapping[str, Sequence[tuple[int, float]]], places: Mapping[str, int]) -> str:
    """One line for each run. The first evaluation, of a network that knows nothing yet, would flatten the others."""
    shown = {label: points[1:] if len(points) > 2 else points for label, points in curves.items()}
    steps = [step for points in shown.values() for step, _ in points]
    values = [value for points in shown.values() for _, value in points]
    last, low, high = max([*steps, 1]), min(values), max(values)
    span = high - low or 1.0
    lines = "".join(
        f'<polyline class="line" style="stroke:{colour(places[label])}" points="'
        + " ".join(f"{step:.0f},{100 - 94 * (value - low) / span - 3:.2f}" for step, value in points)
        + f'"><title>{escape(label)}</title></polyline>'
        for label, points in shown.items()
    )
    return (
        f'<div><h3>{escape(title)}</h3><p class="legend">{low:.4g} to {high:.4g}</p>'
        f'<svg class="bars" viewBox="0 0 {last} 100" preserveAspectRatio="none">{lines}</svg>'
        + axis([(0.0, "0"), (0.5, f"{last // 2}"), (1.0, f"{last} steps")])
        + "</div>"
    )
