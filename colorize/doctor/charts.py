"""Charts as HTML: bars are SVG that stretches, words are text beside it, so that both are sharp at any width."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

import numpy as np

CHROMA_STEP, CHROMA_TOP = 2, 60  # CIE: width of a bar; all above the top are in the last bar
SIDE_FIRST, SIDE_LAST = 4, 14  #   powers of two: shorter sides from 16 to 16384 pixels, half an octave a bar
MANY = 40  # classes: of more, the largest and the smallest are shown
ENDS = 15  # of each


def bars(counts: Sequence[tuple[int, int]], fills: Sequence[str], titles: Sequence[str]) -> str:
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


def chroma_chart(chroma: np.ndarray, left_out: np.ndarray) -> str:
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
    return bars(counts, fills, titles) + axis(ticks)


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
    return bars(counts, ["var(--bar)"] * len(counts), _titles(words, counts)) + axis(ticks)


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
