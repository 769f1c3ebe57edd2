"""Registration of two exposures of a scene: the shift between them, and a little rotation and scale.

Edges are compared instead of grey values: a red sash is light through a red filter and dark through a blue one, but its
edges lie in the same places. Rotation and scale differ because plates moved in their frame and gelatine shrank: by half
a pixel in 400, four in a scan of 3,000. H W picture.
"""

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from colorize.utils.errors import UserError

COARSE = 256  #    pixels of the longer side, about, at which all shifts within the reach are tried
BORDER = 0.02  #   share of the longer side that is ignored beyond the reach: rims and labels lie there
MIN_CORRELATION = 0.42  #    of two exposures of one scene: 133 pairs of unrelated photographs have 0.40 at most
MIN_DISTANCE = 4  #       pixels between two peaks that count as different ones
MAX_STEPS = 4  #       of a pixel towards a better correlation, at each finer size
MIN_LEAD = 0.01  #   of correlation, by which the best peak exceeds all different ones


def estimate_shift(moving: np.ndarray, fixed: np.ndarray, *, reach: float = 0.06) -> tuple[float, float]:
    """(dy, dx), the shift in pixels that lays `moving` (H, W) on `fixed` (H, W): fixed[y, x] ≈ moving[y − dy, x − dx].

    `reach` is the largest shift, as a share of the longer side. Strength of edges is compared by normalised
    cross-correlation (Lewis 1995), everywhere at 256 pixels and then from size to size twice as large, and between
    pixels by a parabola. Raises `UserError` for pictures of different or tiny size, and for two that show no common
    scene within the reach.
    """
    if moving.shape != fixed.shape or fixed.ndim != 2:
        raise UserError(f"two grey pictures of one size can be aligned, not {moving.shape} and {fixed.shape}")
    if min(fixed.shape) < 32 or min(fixed.shape) < 4 * (reach + BORDER) * max(fixed.shape):
        raise UserError(f"{fixed.shape[1]}×{fixed.shape[0]} pixels are too few to align: it takes 32 on each side")
    *larger, (one, other) = zip(pyramid(moving), pyramid(fixed), strict=True)
    dy, dx = coarse_shift(edge_strength(one), edge_strength(other), reach)
    for one, other in reversed(larger):
        dy, dx = finer_shift(edge_strength(one), edge_strength(other), reach, (2 * dy, 2 * dx))
    return dy, dx


def coarse_shift(moving: np.ndarray, fixed: np.ndarray, reach: float) -> tuple[float, float]:
    """The shift of two pictures of edges, of all within the reach. Raises `UserError` where no peak is clear."""
    radius = ceil(reach * max(fixed.shape))
    scores = search(moving, fixed, reach, (0, 0), radius)
    row, column = check_peak(scores)
    dy, dx = subpixel_peak(scores[row - 1 : row + 2, column - 1 : column + 2])
    return row - radius + dy, column - radius + dx


def finer_shift(
    moving: np.ndarray, fixed: np.ndarray, reach: float, estimate: tuple[float, float]
) -> tuple[float, float]:
    """The shift of best correlation, found from an estimate by steps of a pixel."""
    centre = (round(estimate[0]), round(estimate[1]))
    for _ in range(MAX_STEPS):
        scores = search(moving, fixed, reach, centre, 1)
        row, column = map(int, np.unravel_index(scores.argmax(), scores.shape))
        if (row, column) == (1, 1):
            break
        centre = (centre[0] + row - 1, centre[1] + column - 1)
    dy, dx = subpixel_peak(scores)
    return centre[0] + dy, centre[1] + dx


def pyramid(picture: np.ndarray) -> list[np.ndarray]:
    """The picture, and its halves down to 0.75 to 1.5 times `COARSE` pixels; the full size first."""
    levels: list[np.ndarray] = [picture.astype(np.float32)]
    while max(levels[-1].shape) >= 1.5 * COARSE and min(levels[-1].shape) >= 128:
        height, width = (side // 2 * 2 for side in levels[-1].shape)
        even = levels[-1][:height, :width]
        levels.append((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4)
    return levels


def edge_strength(picture: np.ndarray) -> np.ndarray:
    """(H, W) the square root of the gradient's magnitude, so that strong edges do not dominate, slightly blurred."""
    rows, columns = np.gradient(smooth(smooth(picture)))
    steep = np.hypot(rows, columns)
    return smooth(np.sqrt(steep / (steep.mean() + 1e-6)))


def smooth(picture: np.ndarray) -> np.ndarray:
    """The binomial filter [1 2 1]/4 along both axes; the outermost pixels are repeated."""
    for axis in (0, 1):
        padded = np.pad(picture, [(1, 1) if axis == a else (0, 0) for a in (0, 1)], mode="edge")
        low, middle, high = (np.take(padded, range(i, i + picture.shape[axis]), axis) for i in range(3))
        picture = (low + 2 * middle + high) / 4
    return picture


def search(moving: np.ndarray, fixed: np.ndarray, reach: float, centre: tuple[int, int], radius: int) -> np.ndarray:
    """Correlations (2·radius + 1, 2·radius + 1) of the shifts around `centre`.

    What is compared is `fixed` without its margin, so that every shift sees the same number of pixels.
    """
    margin = ceil((reach + BORDER) * max(fixed.shape)) + 2
    inner = fixed[margin:-margin, margin:-margin]
    inner = (inner - inner.mean()) / (inner.std() + 1e-6)
    scores = np.zeros((2 * radius + 1, 2 * radius + 1))
    for row, column in np.ndindex(scores.shape):
        top, left = margin - (centre[0] + row - radius), margin - (centre[1] + column - radius)
        if 0 <= top <= 2 * margin and 0 <= left <= 2 * margin:
            window = moving[top : top + inner.shape[0], left : left + inner.shape[1]]
            scores[row, column] = np.vdot(inner, window) / inner.size / (window.std() + 1e-6)
    return scores


def check_peak(scores: np.ndarray) -> tuple[int, int]:
    """Row and column of the best score. Raises `UserError` where it is low, at the border, or one of several peaks."""
    row, column = map(int, np.unravel_index(scores.argmax(), scores.shape))
    best, last = scores[row, column], len(scores) - 1
    rows, columns = np.indices(scores.shape)
    apart = np.hypot(rows - row, columns - column) >= MIN_DISTANCE
    if best < MIN_CORRELATION or not (0 < row < last and 0 < column < last):
        raise UserError(
            f"the exposures do not match (correlation {best:.2f}): they must show one scene, shifted by less than the "
            "reach"
        )
    if apart.any() and best - scores[apart].max() < MIN_LEAD:
        raise UserError("the exposures match in several places: they must show edges in more than one direction")
    return row, column


def subpixel_peak(scores: np.ndarray) -> tuple[float, float]:
    """The maximum, between pixels, of the paraboloid through nine correlations (3, 3), from the middle one:
    ±1 at most. Diagonal edges make diagonal ridges, so that the mixed term matters.
    """
    (_, up, _), (left, middle, right), (_, down, _) = scores
    slope = np.array([down - up, right - left]) / 2
    mixed = (scores[2, 2] - scores[2, 0] - scores[0, 2] + scores[0, 0]) / 4
    bend = np.array([[up + down - 2 * middle, mixed], [mixed, left + right - 2 * middle]])
    if not (np.linalg.eigvalsh(bend) < 0).all():
        return 0.0, 0.0
    dy, dx = np.clip(-np.linalg.solve(bend, slope), -1, 1)
    return float(dy), float(dx)


BLOCK = 0.42  #    of each side: the part of a picture that is aligned by itself
STEPS = 4  #       blocks along each side
BLOCK_REACH = 0.03  #  largest difference of a block's shift from the whole picture's, as a share of its longer side
MAX_DEFORMATION = 0.012  # of stretch and turn: more comes from wrong matches
MIN_BLOCKS = 5  #      that agree


class Motion(NamedTuple):
    dy: float  #              pixels at the centre of the picture
    dx: float
    stretch: float = 0.0  #   pixels for each pixel from the centre
    turn: float = 0.0  #      radians, clockwise

    def at(self, y: Any, x: Any) -> tuple[Any, Any]:
        """The shift (dy, dx) at a place, or at an array of them, in pixels from the centre."""
        return self.dy + self.stretch * y + self.turn * x, self.dx + self.stretch * x - self.turn * y


def estimate_motion(moving: np.ndarray, fixed: np.ndarray, *, reach: float) -> Motion:
    """The motion that lays `moving` (H, W) on `fixed` (H, W). The whole picture is aligned first, then blocks of it; a
    rotation and a scale are fitted to the blocks' shifts. Blocks without clear edges, and outliers, are left out.

    Raises `UserError` as `estimate_shift` does; where too few blocks agree, the result is the shift alone.
    """
    whole = Motion(*estimate_shift(moving, fixed, reach=reach))
    places, shifts = [], []
    for rows, columns in block_windows(fixed.shape):
        try:
            shifts.append(block_shift(moving, fixed, rows, columns, whole))
        except UserError:  # a sky, or outside the other exposure
            continue
        places.append((np.mean([rows.start, rows.stop]), np.mean([columns.start, columns.stop])))
    if len(places) < MIN_BLOCKS:
        return whole
    return fit_motion(np.array(places) - np.array(fixed.shape) / 2, np.array(shifts)) or whole


def block_windows(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
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
    share = BLOCK_REACH * max(fixed.shape) / max(height, width)
    found = estimate_shift(other, fixed[rows, columns], reach=share)
    return found[0] + dy, found[1] + dx


def fit_motion(places: np.ndarray, shifts: np.ndarray) -> Motion | None:
    """The motion of blocks at `places` (N, 2) by `shifts` (N, 2), both y and x; None where they do not agree."""
    y, x = places.T
    one, none = np.ones_like(y), np.zeros_like(y)
    design = np.stack([np.stack([one, none, y, x], axis=1), np.stack([none, one, x, -y], axis=1)], axis=1)  # (N, 2, 4)
    agree = np.ones(len(y), dtype=bool)
    for _ in range(4):
        found, *_ = np.linalg.lstsq(design[agree].reshape(-1, 4), shifts[agree].ravel(), rcond=None)
        miss = np.hypot(*(shifts - design @ found).T)
        agree = miss <= max(2.5 * float(np.median(miss)), 0.3)
    if agree.sum() < MIN_BLOCKS or np.abs(found[2:]).max() > MAX_DEFORMATION:
        return None
    return Motion(*map(float, found))


def shift_image(exposure: np.ndarray, motion: Motion) -> np.ndarray:
    """`exposure` (H, W) float32 after the motion, bicubic; what comes in from outside is black."""
    height, width = exposure.shape
    y, x = height / 2, width / 2
    s, t = motion.stretch, motion.turn
    matrix = (1 - s, t, -motion.dx + s * x - t * y, -t, 1 - s, -motion.dy + s * y + t * x)
    image = Image.fromarray(exposure).transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC
    )
    return np.asarray(image)
