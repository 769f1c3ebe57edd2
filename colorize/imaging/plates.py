"""Prokudin-Gorskii's glass plates: three exposures of a scene, through a blue, a green and a red filter, in one column.

A scan gives a colour photograph; and its blue exposure is what an ordinary plate of that time recorded, whose emulsion
was sensitive to blue light only. H W picture.
"""

from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize.imaging.choices import BALANCES
from colorize.imaging.color import is_colourful
from colorize.imaging.decode import decode_picture
from colorize.imaging.film import to_pixels
from colorize.imaging.registration import Motion, estimate_motion, shift_image
from colorize.utils.errors import UserError

SMALLEST = 200  #            pixels of a scan's height
SHAPE = (1.9, 3.6)  #         height over width of a plate with three exposures: 2.56 in the Library of Congress's scans
REACH = 0.08  #              largest shift between two exposures, as a share of the longer side
RIM = 0.09  #                largest depth of a rim, as a share of the longer side
DARK, STEP = 128.0, 30.0  #  grey values: a rim is darker than `DARK`, and the picture beside it lighter by `STEP`
SLACK = 0.05  #              largest distance of a bar from a third of the scan, as a share of its height
NEUTRAL = 4.0  #             largest difference between the channels of a grey scan, on average
CLIPPED = 0.005  #           the share of pixels that becomes black, and that becomes white


class Plate(NamedTuple):
    rgb: np.ndarray  #   (H, W, 3) uint8, the composite
    blue: np.ndarray  #  (H, W) uint8, the same part of the blue exposure as it was scanned, not resampled
    green: Motion  #     that laid the exposure on the blue one
    red: Motion


def compose(scan: np.ndarray, *, balance: str = "percentile") -> Plate:
    """The colour photograph of a scan (rows, columns) of 8 or 16 bits.

    Green and red are shifted onto blue, and rotated and scaled a little where that fits better (bicubic interpolation);
    all three are cut to the part that they share, without rims. The exposures differ in brightness: with
    `balance: percentile` each is stretched so that 0.5 % of its pixels are black and 0.5 % white, which takes the
    darkest and the lightest things for grey; `none` leaves the grey values. Raises `UserError` for a scan that is no
    such plate.
    """
    if balance not in BALANCES:
        raise UserError(f"balance is {balance!r}; it must be one of {', '.join(BALANCES)}")
    blue, green, red = split_plate(scan)
    motions = [estimate_motion(exposure, blue, reach=REACH) for exposure in (green, red)]
    inner = [picture_area(exposure) for exposure in (blue, green, red)]
    top, bottom, left, right = common_area(inner, [Motion(0, 0), *motions], blue.shape)
    aligned = [blue, *(shift_image(exposure, motion) for exposure, motion in zip((green, red), motions, strict=True))]
    cut = [exposure[top:bottom, left:right] for exposure in aligned]
    rgb = np.stack([stretch_contrast(e) if balance == "percentile" else e for e in reversed(cut)], axis=-1)
    return Plate(to_pixels(rgb), to_pixels(cut[0]), *motions)


def split_plate(scan: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blue, green and red exposure (H, W) float32 in 0…255, from the top, of one size, each with its rims.

    The scan is cut at the dark bars between them, or into three equal parts where no bars are found.
    """
    if scan.ndim != 2 or scan.dtype not in (np.uint8, np.uint16):
        raise UserError(f"a plate is a grey picture of 8 or 16 bits, not {scan.shape} {scan.dtype}")
    height, width = scan.shape
    if height < SMALLEST:
        raise UserError(f"it has {width}×{height} pixels: a plate of three exposures takes {SMALLEST} rows at least")
    if not SHAPE[0] <= height / width <= SHAPE[1]:
        raise UserError(
            f"it has {width}×{height} pixels: a plate of three exposures below each other is {SHAPE[0]} to {SHAPE[1]} "
            "times as high as wide"
        )
    grey = scan.astype(np.float32) / (257 if scan.dtype == np.uint16 else 1)
    first, second = bars(grey)
    pitch = min(second - first, first, len(grey) - second)
    return grey[first - pitch : first], grey[second - pitch : second], grey[second : second + pitch]


def is_composed(pixels: np.ndarray) -> bool:
    """Whether (H, W, 3) uint8 is a photograph in colour and no scan of a plate: it has several colours; or few, as a
    faded slide, and another shape than three exposures below each other."""
    tinted = np.ptp(pixels, axis=2).mean() > NEUTRAL and not SHAPE[0] <= pixels.shape[0] / pixels.shape[1] <= SHAPE[1]
    return tinted or is_colourful(pixels)


def open_scan(path: Path) -> np.ndarray:
    """The grey values of a scan (rows, columns), uint8 or uint16, without its colour profile being applied.

    Raises `UserError` for a file that is no picture, and for a coloured one.
    """
    pixels = np.asarray(decode_picture(path, keep_depth=True).image)
    if pixels.ndim == 3:
        if np.ptp(pixels, axis=2).mean() > NEUTRAL:
            raise UserError("it is a colour picture: a plate of three exposures is grey")
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    return pixels


def bars(grey: np.ndarray) -> tuple[int, int]:
    """The rows in the middle of the two dark bars between the exposures."""
    height, width = grey.shape
    light = np.percentile(grey[:, width // 8 : -width // 8], 80, axis=1)  # a bar is dark nearly all the way across
    near, far = ceil(0.008 * height), ceil(0.025 * height)  # rows of a bar's half at most, and of what lies beside it
    rows = []
    for third in (height / 3, 2 * height / 3):
        places = range(round(third - SLACK * height), round(third + SLACK * height))
        dips = [dip(light, row, near, far) for row in places]
        deepest = int(np.argmax(dips))
        rows.append(places[deepest] if dips[deepest] > STEP else round(third))
    return rows[0], rows[1]


def dip(light: np.ndarray, row: int, near: int, far: int) -> float:
    """By how much the rows up to `near` / 2 from this one are darker than the darker of the areas above and below."""
    half = near // 2
    beside = light[row - far : row - near], light[row + near + 1 : row + far + 1]
    return min(float(np.median(side)) for side in beside) - float(light[row - half : row + half + 1].mean())


def picture_area(exposure: np.ndarray) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the picture within the rims of the plate."""
    height, width = exposure.shape
    top, bottom = rim(exposure), rim(exposure[::-1])
    left, right = rim(exposure.T), rim(exposure.T[::-1])
    return top, height - bottom, left, width - right


def rim(lines: np.ndarray) -> int:
    """The number of lines, from the first on, that are rim: up to the last one, within `RIM`, at which a third of the
    pixels go from dark to lighter.

    A straight edge of the scene so near to the rim is taken for it: a line too many is better than one too few.
    """
    depth = ceil(RIM * max(lines.shape))
    outer, inner = lines[:depth], lines[3 : depth + 3]
    steps = ((inner - outer > STEP) & (outer < DARK)).mean(axis=1) > 1 / 3
    last = np.flatnonzero(steps)
    return int(last[-1]) + 3 if last.size else 0


def common_area(
    inner: list[tuple[int, int, int, int]], motions: list[Motion], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the part that all exposures have, in the first one's pixels."""
    boxes = []
    for (top, bottom, left, right), motion in zip(inner, motions, strict=True):
        rows, columns = np.array([[top], [bottom]]), np.array([[left, right]])
        dy, dx = motion.at(rows - shape[0] / 2, columns - shape[1] / 2)  # each (2, 2): of the corners
        (upper, lower), (first, last) = rows + dy, (columns + dx).T
        boxes.append((max(upper), min(lower), max(first), min(last)))
    tops, bottoms, lefts, rights = zip(*boxes, strict=True)
    margin = 2 + 0.012 * (inner[0][1] - inner[0][0])  # pixels: interpolation and worn edges
    top, left = (ceil(max(sides) + margin) for sides in (tops, lefts))
    bottom, right = (floor(min(sides) - margin) for sides in (bottoms, rights))
    return top, bottom, left, right


def stretch_contrast(grey: np.ndarray) -> np.ndarray:
    """(H, W), so that a share of `CLIPPED` lies below 0 and as much above 255."""
    low, high = np.quantile(grey, [CLIPPED, 1 - CLIPPED])
    return (grey - low) * (255 / max(high - low, 1.0))
