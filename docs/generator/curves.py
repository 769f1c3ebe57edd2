"""Curves of measurements, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WIDTH, HEIGHT, LEFT, RIGHT, EDGE = 640, 320, 56, 150, 40  # pixels
COLORS = ("#2a5cdb", "#c2410c", "#5b6470")
Values = Sequence[tuple[float, float, float]]  # value, low, high


def curves(title: str, across: Sequence[str], lines: Mapping[str, Values]) -> str:
    """An SVG of lines with their intervals over evenly spaced marks, which `across` names."""
    ends = [each for values in lines.values() for each in values]
    low, high = min(low for _, low, _ in ends), max(high for *_, high in ends)
    step = (WIDTH - LEFT - RIGHT) / (len(across) - 1)

    def y(value: float) -> float:
        return EDGE + (high - value) / (high - low) * (HEIGHT - 2 * EDGE)

    drawn = [f'<text x="{LEFT}" y="22">{title}</text>']
    for value in (low, (low + high) / 2, high):
        drawn.append(f'<path d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    for place, name in enumerate(across):
        drawn.append(f'<text x="{LEFT + place * step:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{name}</text>')
    for shift, (color, (name, values)) in enumerate(zip(COLORS, lines.items(), strict=False)):
        places = [LEFT + place * step + 4 * (shift - 1) for place in range(len(values))]  # bars beside each other
        drawn += [
            f'<path d="M{x:.1f} {y(low):.1f}V{y(high):.1f}" stroke="{color}" opacity=".3" stroke-width="3"/>'
            for x, (_, low, high) in zip(places, values, strict=True)
        ]
        points = " ".join(f"{x:.1f},{y(value):.1f}" for x, (value, *_) in zip(places, values, strict=True))
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        drawn.append(f'<text x="{places[-1] + 10:.1f}" y="{y(values[-1][0]) + 4:.1f}" fill="{color}">{name}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    head += 'font-family="sans-serif" font-size="13">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>', *drawn, "</svg>", ""])
