"""Charts of errors by colour: bars are SVG that stretches, words are text beside it."""

from __future__ import annotations

import numpy as np

from colorize.doctor.charts import axis
from colorize.evaluation.errors_by_colour import CHROMAS, HUES, STEP, TOP, ErrorsByColour

RARE = 0.002  # of the coloured pixels: a hue with fewer is shown pale


def colour_charts(errors: ErrorsByColour) -> str:
    return (
        "<section><h2>Which colours go wrong</h2><p>Distance of painted colours from the true ones in (a, b), CIE "
        "units, by the true colour. A pale bar rests on few pixels.</p>"
        f'<div class="chart2"><div><h3>By hue</h3>{hue_chart(errors)}</div>'
        f"<div><h3>By chroma</h3>{chroma_chart(errors)}</div>"
        f"<div><h3>Painted chroma by true chroma</h3>{calibration(errors)}</div></div></section>"
    )


def hue_chart(errors: ErrorsByColour) -> str:
    fills = [hue_colour((place + 0.5) / HUES) for place in range(HUES)]
    titles = [f"hue {360 * place // HUES}° to {360 * (place + 1) // HUES}°" for place in range(HUES)]
    ticks = [(0.0, "red"), (0.25, "yellow"), (0.5, "green"), (0.75, "blue")]
    return bars(errors.hue_errors, errors.hue_pixels, fills, titles) + axis(ticks)


def hue_colour(turn: float) -> str:
    return f"lab(65% {45 * np.cos(2 * np.pi * turn):.1f} {45 * np.sin(2 * np.pi * turn):.1f})"


def chroma_chart(errors: ErrorsByColour) -> str:
    fills = [f"oklch(0.68 {min(0.0032 * (STEP * place + 2), 0.19):.3f} 50)" for place in range(CHROMAS)]
    titles = [f"chroma {STEP * place} to {STEP * (place + 1)}" for place in range(CHROMAS - 1)]
    titles.append(f"chroma {TOP} and more")
    ticks = [(edge / STEP / CHROMAS, str(edge)) for edge in range(0, TOP + 1, 20)]
    return bars(errors.chroma_errors, errors.chroma_pixels, fills, titles) + axis(ticks)


def bars(values: np.ndarray, shares: np.ndarray, fills: list[str], titles: list[str]) -> str:
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
