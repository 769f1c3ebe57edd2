"""YCbCr of TIFF files that Pillow's libtiff does not read, or not rightly (TIFF 6.0, section 21)."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy as np
import tifffile

from colorize.data.failures import DecodeError
from colorize.data.tiff_samples import PLAIN, read_samples, segments

JPEG = (6, 7)
PACKED = (5, 50000)  # LZW and Zstandard, which pack bytes and know of no pictures
COEFFICIENTS, SUBSAMPLING, REFERENCE = 529, 530, 532
LUMA = (0.299, 0.587, 0.114)
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


def read_ycbcr(file: BinaryIO, page: tifffile.TiffPage) -> np.ndarray:
    """(H, W, 3 and more) uint8: YCbCr of 8 bits as RGB, and its extra samples. Raises `DecodeError` for other kinds."""
    across, down = _values(page, SUBSAMPLING, (2, 2))
    if page.compression in JPEG:
        return read_samples(file, page, 8)  # tifffile has its decoder make RGB of it
    if page.bitspersample == 8 and ((across, down) == (1, 1) or page.compression not in (*PLAIN, *PACKED)):
        samples = read_samples(file, page, 8)
        return np.concatenate([_rgb(samples[..., :3], 1, 1, page), samples[..., 3:]], axis=-1)
    if (page.planarconfig, page.bitspersample, page.samplesperpixel, page.predictor) != (1, 8, 3, 1):
        raise DecodeError("it is an unusual kind of YCbCr, which is not read here: save it as RGB")
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise DecodeError(f"its chroma is said to be subsampled by {across}×{down}, which does not exist", "truncated")
    return _subsampled(file, page, across, down)


def _subsampled(file: BinaryIO, page: tifffile.TiffPage, across: int, down: int) -> np.ndarray:
    """(H, W, 3) RGB of strips or tiles of units: `down` times `across` of luma, and one pair of chroma."""
    wide, high = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    result = np.zeros((page.imagelength, page.imagewidth, 3), np.uint8)
    columns = -(-page.imagewidth // wide)
    for place, data in enumerate(segments(file, page)):
        top, left = place // columns * high, place % columns * wide
        target = result[top : top + high, left : left + wide]
        rows = high if page.is_tiled else len(target)
        units = _units(data, -(-rows // down), -(-wide // across), across * down + 2)
        target[:] = _rgb(units, across, down, page)[: len(target), : target.shape[1]]
    return result


def _units(data: bytes, rows: int, columns: int, size: int) -> np.ndarray:
    if len(data) < rows * columns * size:
        raise DecodeError("its pixels end before the picture is full", "truncated")
    return np.frombuffer(data, np.uint8, rows * columns * size).reshape(rows, columns, size)


def _rgb(units: np.ndarray, across: int, down: int, page: tifffile.TiffPage) -> np.ndarray:
    """(rows, columns, across · down + 2) -> (rows · down, columns · across, 3)"""
    rows, columns, _ = units.shape
    luma = units[..., :-2].reshape(rows, columns, down, across).swapaxes(1, 2).reshape(rows * down, columns * across)
    pair = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    red, green, blue = _values(page, COEFFICIENTS, LUMA)
    low, high, *chroma = _values(page, REFERENCE, FULL_RANGE)
    y = (luma - low) * (255 / (high - low))
    cb, cr = ((pair[..., i] - chroma[2 * i]) * (127 / (chroma[2 * i + 1] - chroma[2 * i])) for i in (0, 1))
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    rgb = np.stack([r, (y - blue * b - red * r) / green, b], axis=-1)
    return np.rint(rgb.clip(0, 255)).astype(np.uint8)


def _values(page: tifffile.TiffPage, number: int, otherwise: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of a tag, fractions as numbers; the usual where it is missing or cannot be."""
    tag = page.tags.get(number)
    given = tag.value if tag is not None and isinstance(tag.value, tuple) else ()
    if len(given) == 2 * len(otherwise):
        given = tuple(above / below if below else 0.0 for above, below in zip(given[::2], given[1::2], strict=True))
    if len(given) != len(otherwise):
        return otherwise
    if number == REFERENCE and any(given[i] >= given[i + 1] for i in (0, 2, 4)):
        return otherwise
    return otherwise if number == COEFFICIENTS and min(given) <= 0 else given
