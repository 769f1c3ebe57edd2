"""Photographs cut into exposures and scans of plates."""

import numpy as np
from PIL import Image

from colorize.data.sources import DEMO


def cut(channel, margin, shift=(0.0, 0.0)):
    """The channel without a margin, as it looks when the camera has moved it by (dy, dx)."""
    size = (channel.shape[1] - 2 * margin, channel.shape[0] - 2 * margin)
    matrix = (1, 0, margin - shift[1], 0, 1, margin - shift[0])
    return np.asarray(
        Image.fromarray(channel).transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC)
    )


SHIFTS = ((2.0, -3.0), (-4.0, 1.0), (0.0, 0.0))  # of red, green and blue on the plate made below


def scan_of(name, *, bar=9, rims=(14, 22), width=380):
    """A plate as scanned: white margin, black rim, three exposures with black bars between; blue is the first."""
    rgb = np.asarray(Image.open(DEMO / f"{name}.jpg").convert("RGB").resize((width, 340), Image.Resampling.BICUBIC))
    planes = [cut(np.ascontiguousarray(rgb[..., i], dtype=np.float32), 10, SHIFTS[i]) for i in (2, 1, 0)]
    across = planes[0].shape[1]
    rows = [np.full((rims[0], across), 10.0)]
    for plane in planes:
        rows += [plane, np.full((bar, across), 10.0)]
    plate = np.concatenate([*rows, np.full((rims[1], across), 10.0)])
    plate = np.pad(plate, ((0, 0), (12, 17)), constant_values=10)
    return np.pad(plate, 8, constant_values=254).clip(0, 255).round().astype(np.uint8), rgb[10:-10, 10:-10]


def corners(rgb):
    height, width = (3 * side // 5 for side in rgb.shape[:2])
    return [rgb[rows, columns] for rows in (slice(height), slice(-height, None))
            for columns in (slice(width), slice(-width, None))]  # fmt: skip
