"""Intervals side by side and curves over steps. Shapes are SVG that stretches, words are text beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import isnan

from colorize.comparing.tables import texts
from colorize.doctor.charts import axis
from colorize.statistics import Interval, measure

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
