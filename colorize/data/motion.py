"""How one exposure of a scene lies against another: shifted, and turned and stretched a little.

A glass plate moved in its frame and the gelatine shrank: half a pixel in 400, but four in a scan of 3,000.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image

from colorize.data.registration import register
from colorize.errors import UserError

BLOCK = 0.42  #    of each side: the part of a picture that is aligned by itself
STEPS = 4  #       blocks along each side
RESIDUE = 0.03  #  how far a block is off the whole picture's shift at most, as a share of the picture's longer side
LARGEST = 0.012  # of stretch and turn: more is a mistake
FEWEST = 5  #      blocks that agree


class Motion(NamedTuple):
    dy: float  #              pixels at the centre of the picture
    dx: float
    stretch: float = 0.0  #   pixels for each pixel from the centre
    turn: float = 0.0  #      radians, clockwise

    def at(self, y: float, x: float) -> tuple[float, float]:
        """The shift (dy, dx) at a place, in pixels from the centre."""
        return self.dy + self.stretch * y + self.turn * x, self.dx + self.stretch * x - self.turn * y


def motion_of(moving: np.ndarray, fixed: np.ndarray, *, reach: float) -> Motion:
    """What lays `moving` (H, W) on `fixed` (H, W): the whole is aligned first, then blocks of it, and a turn and a
    stretch are fitted to where the blocks lie. Blocks that show too little or disagree are left out.

    Raises `UserError` as `register` does; where too few blocks agree, it is the shift alone.
    """
    whole = Motion(*register(moving, fixed, reach=reach))
    places, shifts = [], []
    for rows, columns in blocks(fixed.shape):
        try:
            shifts.append(block_shift(moving, fixed, rows, columns, whole))
        except UserError:  # a sky, or outside the other exposure
            continue
        places.append((np.mean([rows.start, rows.stop]), np.mean([columns.start, columns.stop])))
    if len(places) < FEWEST:
        return whole
    return fitted(np.array(places) - np.array(fixed.shape) / 2, np.array(shifts)) or whole


def blocks(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """(rows, columns) of each; they overlap."""
    starts = np.linspace(0.04, 0.96 - BLOCK, STEPS)
    rows, columns = (
        [slice(int(start * side), int(start * side) + int(BLOCK * side)) for start in starts] for side in shape
    )
    return [(row, column) for row in rows for column in columns]


def block_shift(
    moving: np.ndarray, fixed: np.ndarray, rows: slice, columns: slice, whole: Motion
) -> tuple[float, float]:
    """(dy, dx) of a block, looked for around the shift of the whole."""
    dy, dx = round(whole.dy), round(whole.dx)
    top, left = rows.start - dy, columns.start - dx
    height, width = rows.stop - rows.start, columns.stop - columns.start
    other = moving[max(top, 0) : top + height, max(left, 0) : left + width]
    share = RESIDUE * max(fixed.shape) / max(height, width)
    found = register(other, fixed[rows, columns], reach=share)
    return found[0] + dy, found[1] + dx


def fitted(places: np.ndarray, shifts: np.ndarray) -> Motion | None:
    """The motion of blocks at `places` (N, 2) by `shifts` (N, 2), both y and x; None where they do not agree."""
    y, x = places.T
    one, none = np.ones_like(y), np.zeros_like(y)
    design = np.stack([np.stack([one, none, y, x], axis=1), np.stack([none, one, x, -y], axis=1)], axis=1)  # (N, 2, 4)
    agree = np.ones(len(y), dtype=bool)
    for _ in range(4):
        found, *_ = np.linalg.lstsq(design[agree].reshape(-1, 4), shifts[agree].ravel(), rcond=None)
        miss = np.hypot(*(shifts - design @ found).T)
        agree = miss <= max(2.5 * float(np.median(miss)), 0.3)
    if agree.sum() < FEWEST or np.abs(found[2:]).max() > LARGEST:
        return None
    return Motion(*map(float, found))


def moved(exposure: np.ndarray, motion: Motion) -> np.ndarray:
    """`exposure` (H, W) float32 after the motion, bicubic; what comes in from outside is black."""
    height, width = exposure.shape
    y, x = height / 2, width / 2
    s, t = motion.stretch, motion.turn
    matrix = (1 - s, t, -motion.dx + s * x - t * y, -t, 1 - s, -motion.dy + s * y + t * x)
    image = Image.fromarray(exposure).transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    return np.asarray(image)
