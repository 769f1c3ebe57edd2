"""Prokudin-Gorskii's plates: three exposures of one scene, through a blue, a green and a red filter, below each other.

One scan gives a photograph in the colours of its time and, of the same moment, what an ordinary plate of that time saw:
its emulsion knew blue light only. H W picture.
"""

from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize.imaging.decode import decode_picture
from colorize.imaging.registration import Motion, motion_of, shift_image
from colorize.utils.errors import UserError

SMALLEST = 200  #            pixels of a scan's height
SHAPE = (1.9, 3.6)  #         height over width of a plate with three exposures: 2.56 in the Library of Congress's scans
REACH = 0.08  #              how far exposures are searched for, as a share of the longer side
RIM = 0.09  #                how deep rims are looked for, likewise
DARK, STEP = 128.0, 30.0  #  grey values: a rim is darker than the one, its edge steeper than the other
SLACK = 0.05  #              how far the bars lie from the thirds of the scan, as a share of its height
NEUTRAL = 4.0  #             how far channels of a grey scan are apart at most, on average
CLIPPED = 0.005  #           the share of pixels that becomes black, and that becomes white
BALANCES = ("none", "percentile")


class Plate(NamedTuple):
    rgb: np.ndarray  #   (H, W, 3) uint8, the composite
    blue: np.ndarray  #  (H, W) uint8, the same part of the blue exposure as it was scanned, not resampled
    green: Motion  #     that laid the exposure on the blue one
    red: Motion


def compose(scan: np.ndarray, *, balance: str = "percentile") -> Plate:
    """The colour photograph of a scan (rows, columns) of 8 or 16 bits.

    Green and red are moved onto blue, and turned and stretched a little where that fits better (bicubic
    interpolation); all three are cut to the part that each has and no rim crosses. `balance: percentile` stretches
    each exposure so that 0.5 % of its pixels are black and 0.5 % white, as if the darkest and the lightest thing were
    grey: the exposures were never of one brightness.
    `none` leaves the grey values. Raises `UserError` for a scan that is no such plate.
    """
    if balance not in BALANCES:
        raise UserError(f"balance is {balance!r}; it must be one of {', '.join(BALANCES)}")
    blue, green, red = split_plate(scan)
    motions = [motion_of(exposure, blue, reach=REACH) for exposure in (green, red)]
    inner = [picture_area(exposure) for exposure in (blue, green, red)]
    top, bottom, left, right = common_area(inner, [Motion(0, 0), *motions], blue.shape)
    aligned = [blue, *(shift_image(exposure, motion) for exposure, motion in zip((green, red), motions, strict=True))]
    cut = [exposure[top:bottom, left:right] for exposure in aligned]
    rgb = np.stack([stretch_contrast(e) if balance == "percentile" else e for e in reversed(cut)], axis=-1)
    return Plate(clip_to_uint8(rgb), clip_to_uint8(cut[0]), *motions)


def split_plate(scan: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blue, green and red exposure (H, W) float32 in 0…255, from the top, of one size, each with its rims.

    They are parted at the dark bars between them, or in equal parts where there are none to be seen.
    """
    check_plate(scan)
    grey = scan.astype(np.float32) / (257 if scan.dtype == np.uint16 else 1)
    first, second = bars(grey)
    pitch = min(second - first, first, len(grey) - second)
    return grey[first - pitch : first], grey[second - pitch : second], grey[second : second + pitch]


def open_scan(path: Path) -> np.ndarray:
    """The grey values of a scan (rows, columns), uint8 or uint16. Raises `UserError` if it is none, or coloured.

    Its colour profile, if any, is left alone: what counts is how the three exposures differ.
    """
    pixels = np.asarray(decode_picture(path, keep_depth=True).image)
    if pixels.ndim == 3:
        if np.ptp(pixels, axis=2).mean() > NEUTRAL:
            raise UserError("it is a colour picture: a plate of three exposures is grey")
        pixels = np.asarray(Image.fromarray(pixels).convert("L"))
    return pixels


def check_plate(scan: np.ndarray) -> None:
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
    """How much darker the rows up to `near` / 2 from this one are than the darker of its two neighbourhoods."""
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
    """How many lines from the first on are rim: up to the last edge, in the outer `RIM`, from something dark inwards
    to something lighter along a third of the line.

    A straight edge of the picture so near to the rim is taken for one: better a line too many than one too few.
    """
    depth = ceil(RIM * max(lines.shape))
    outer, inner = lines[:depth], lines[3 : depth + 3]
    steps = ((inner - outer > STEP) & (outer < DARK)).mean(axis=1) > 1 / 3
    last = np.flatnonzero(steps)
    return int(last[-1]) + 3 if last.size else 0


def common_area(
    inner: list[tuple[int, int, int, int]], motions: list[Motion], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of what lies inside all exposures, in the first one's pixels."""
    y, x = shape[0] / 2, shape[1] / 2
    boxes = []
    for (top, bottom, left, right), motion in zip(inner, motions, strict=True):
        corners = {(row, column): motion.at(row - y, column - x) for row in (top, bottom) for column in (left, right)}
        boxes.append(
            (
                top + max(corners[top, left][0], corners[top, right][0]),
                bottom + min(corners[bottom, left][0], corners[bottom, right][0]),
                left + max(corners[top, left][1], corners[bottom, left][1]),
                right + min(corners[top, right][1], corners[bottom, right][1]),
            )
        )
    tops, bottoms, lefts, rights = zip(*boxes, strict=True)
    margin = 2 + 0.012 * (inner[0][1] - inner[0][0])  # pixels: interpolation and worn edges
    return (
        ceil(max(tops) + margin),
        floor(min(bottoms) - margin),
        ceil(max(lefts) + margin),
        floor(min(rights) - margin),
    )


def stretch_contrast(grey: np.ndarray) -> np.ndarray:
    """(H, W) in 0…255, of which `CLIPPED` comes to lie below 0 and as much above 255."""
    low, high = np.quantile(grey, [CLIPPED, 1 - CLIPPED])
    return (grey - low) * (255 / max(high - low, 1.0))


def clip_to_uint8(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
