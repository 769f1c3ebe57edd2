"""What a page says in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from colorize.results import Result

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
