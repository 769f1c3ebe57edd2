"""Boxes and arrows as SVG text. What would not fit into its box, or lie over another, is an error and not a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

KINDS = {  # kind of block -> fill, edge, name in the legend
    "data": ("#f3f4f6", "#6b7280", "input, output"),
    "encoder": ("#dbeafe", "#2563a8", "encoder"),
    "decoder": ("#dcf3e3", "#2b7d4f", "decoder"),
    "attention": ("#fdecc8", "#b26a00", "attention"),
    "norm": ("#ede4fb", "#7347b0", "norm, fusion"),
    "head": ("#fde2e1", "#b83a36", "head"),
}
INK, FAINT, SKIP = "#1f2937", "#6b7280", "#7347b0"
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
NARROW = set("ijltfrI.,:;|'()[]/ ·1")
Point = tuple[float, float]
WIDTH = 920


def text_width(text: str, size: float, bold: bool = False) -> float:
    """A generous estimate for a sans-serif face."""
    units = sum(0.36 if c in NARROW else 0.86 if c in "mwMW…→" else 0.6 for c in text)
    return units * size * (1.06 if bold else 1.0)


@dataclass(frozen=True)
class Box:
    x: float
    y: float
    w: float
    h: float

    @property
    def top(self) -> Point:
        return self.x + self.w / 2, self.y

    @property
    def bottom(self) -> Point:
        return self.x + self.w / 2, self.y + self.h

    @property
    def left(self) -> Point:
        return self.x, self.y + self.h / 2

    @property
    def right(self) -> Point:
        return self.x + self.w, self.y + self.h / 2

    def meets(self, other: Box) -> bool:
        apart = self.x + self.w <= other.x or other.x + other.w <= self.x
        return not (apart or self.y + self.h <= other.y or other.y + other.h <= self.y)


class Canvas:
    """A white panel with a title, and a legend of the kinds of block that were drawn."""

    def __init__(self, width: int, height: int, title: str, subtitle: str):
        self.width, self.height, self.title = width, height, title
        self.taken: list[Box] = []
        self.kinds: dict[str, None] = {}
        self.back: list[str] = []  #   frames, below everything
        self.middle: list[str] = []  # arrows
        self.front: list[str] = []  #  boxes and words
        self.words(28, 36, title, size=18, bold=True)
        self.words(28, 56, subtitle, size=12.5, colour=FAINT)

    def box(
        self, x: float, y: float, w: float, h: float, kind: str, name: str, *lines: str, size: float = 12
    ) -> Box:  # fmt: skip
        """A block: its name in bold, then its lines, in the middle."""
        box = self.claim(Box(x, y, w, h), name)
        self.kinds[kind] = None
        fill, edge, _ = KINDS[kind]
        self.front.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="7" fill="{fill}" stroke="{edge}" '
            'stroke-width="1.3"/>'
        )
        step = size + 2.5
        first = y + h / 2 - step * len(lines) / 2 + 0.36 * size
        for i, line in enumerate((name, *lines)):
            self.fits(line, w, size if i == 0 else size - 1, i == 0)
            style = {"size": size, "bold": True} if i == 0 else {"size": size - 1}
            self.words(x + w / 2, first + i * step, line, anchor="middle", **style)  # type: ignore[arg-type]
        if step * len(lines) + size + 4 > h:
            raise ValueError(f"{self.title}: {1 + len(lines)} lines do not fit into the height {h} of {name!r}")
        return box

    def bar(self, x: float, y: float, w: float, kind: str, name: str, value: str, h: float = 30) -> Box:
        """A block of one line: its name at the left, its shape at the right."""
        box = self.claim(Box(x, y, w, h), name)
        self.kinds[kind] = None
        fill, edge, _ = KINDS[kind]
        self.front.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="7" fill="{fill}" stroke="{edge}" '
            'stroke-width="1.3"/>'
        )
        self.fits(f"{name}  {value}", w - 12, 12, True)
        self.words(x + 11, y + h / 2 + 4.3, name, size=12, bold=True)
        self.words(x + w - 11, y + h / 2 + 4.3, value, size=11.5, anchor="end")
        return box

    def frame(self, x: float, y: float, w: float, h: float, label: str) -> Box:
        """A faint field around blocks that belong together."""
        self.back.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="11" fill="#fafafa" stroke="#c9ced6" '
            'stroke-dasharray="4 4"/>'
        )
        self.words(x + 12, y + 18, label, size=11.5, colour=FAINT)
        return Box(x, y, w, h)

    def arrow(self, *points: Point, kind: str = "flow", head: bool = True) -> None:
        """A line through the points, its corners rounded, with a point at its end."""
        colour, dash = {
            "flow": ("#4b5563", ""), "skip": (SKIP, ' stroke-dasharray="5 3.5"'),
            "same": (FAINT, ' stroke-dasharray="1.5 3.5"'),
        }[kind]  # fmt: skip
        end = f' marker-end="url(#{kind})"' if head else ""
        self.middle.append(f'<path d="{rounded(points)}" fill="none" stroke="{colour}" stroke-width="1.5"{dash}{end}/>')

    def words(
        self, x: float, y: float, text: str, *, size: float = 11.5, bold: bool = False, anchor: str = "start",
        colour: str = INK,
    ) -> None:  # fmt: skip
        width = text_width(text, size, bold)
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        if left < 6 or left + width > self.width - 6:
            raise ValueError(f"{self.title}: {text!r} would run over the edge")
        weight = ' font-weight="600"' if bold else ""
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self.front.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" fill="{colour}"{weight}{where}>{escape(text)}</text>'
        )

    def caption(self, *lines: str) -> None:
        """Sentences above the legend."""
        for i, line in enumerate(lines):
            self.words(28, self.height - 48 - 17 * (len(lines) - 1 - i), line, size=11.5, colour=FAINT)

    def fits(self, text: str, width: float, size: float, bold: bool) -> None:
        if text_width(text, size, bold) > width - 4:
            raise ValueError(f"{self.title}: {text!r} does not fit into {width}")

    def claim(self, box: Box, name: str) -> Box:
        if any(box.meets(other) for other in self.taken):
            raise ValueError(f"{self.title}: the block {name!r} lies over another")
        self.taken.append(box)
        return box

    def legend(self) -> None:
        x, y = 28.0, self.height - 22
        for kind, (fill, edge, name) in KINDS.items():
            if kind not in self.kinds:
                continue
            self.front.append(
                f'<rect x="{x:g}" y="{y - 10:g}" width="13" height="13" rx="3" fill="{fill}" stroke="{edge}"/>'
            )
            self.words(x + 19, y + 1, name, size=11.5, colour=FAINT)
            x += 19 + text_width(name, 11.5) + 20
        self.middle.append(
            f'<path d="M{x:g} {y - 3:g}h26" stroke="{SKIP}" stroke-width="1.5" stroke-dasharray="5 3.5" '
            'marker-end="url(#skip)"/>'
        )
        self.words(x + 34, y + 1, "a map set beside another", size=11.5, colour=FAINT)

    def render(self) -> str:
        self.legend()
        heads = "".join(
            f'<marker id="{kind}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path d="M0 0.6L8 4L0 7.4z" fill="{colour}"/></marker>'
            for kind, colour in (("flow", "#4b5563"), ("skip", SKIP))
        )
        panel = (
            f'<rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="14" fill="#ffffff" '
            'stroke="#d0d7de"/>'
        )
        parts = [panel, *self.back, *self.middle, *self.front]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" font-family="{FONT}">\n<title>{escape(self.title)}</title>\n'
            f"<defs>{heads}</defs>\n" + "\n".join(parts) + "\n</svg>\n"
        )


def rounded(points: Sequence[Point], radius: float = 8) -> str:
    """An SVG path along the points whose corners are cut by curves."""
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, end = toward(corner, before, radius), toward(corner, after, radius)
        path += f"L{start[0]:g} {start[1]:g}Q{corner[0]:g} {corner[1]:g} {end[0]:g} {end[1]:g}"
    return path + f"L{points[-1][0]:g} {points[-1][1]:g}"


def toward(origin: Point, target: Point, distance: float) -> Point:
    dx, dy = target[0] - origin[0], target[1] - origin[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    share = min(distance, length / 2) / length
    return round(origin[0] + dx * share, 2), round(origin[1] + dy * share, 2)
