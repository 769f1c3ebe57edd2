"""TIFF files made by hand, and how far what is decoded lies from what was written."""

from __future__ import annotations

import io
import struct

import numpy as np
import tifffile

from colorize.imaging.decode import decode_picture

H, W = 24, 37  # no multiple of a byte, a tile or a block
RANDOM = np.random.default_rng(7)
RAMP = np.clip(np.linspace(20, 235, W)[None] + np.linspace(-15, 15, H)[:, None] + RANDOM.normal(0, 2, (H, W)), 0, 255)
GREY = RAMP.astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], np.roll(GREY, 9, axis=1)], axis=-1)
PIECES = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II"}


def tif(pixels: np.ndarray, **options) -> bytes:
    tifffile.imwrite(file := io.BytesIO(), pixels, metadata=None, **options)
    return file.getvalue()


def by_hand(
    data: bytes, tags: dict[int, tuple[int, object]], order: str = "<", width: int = W, height: int = H
) -> bytes:
    """A TIFF of one strip: kinds that neither Pillow nor tifffile writes. A tag is type and values."""
    full = {256: (3, width), 257: (3, height), 259: (3, 1), 273: (4, 8), 278: (3, height), 279: (4, len(data)), **tags}
    body, tails = b"", b""
    start = 8 + len(data) + len(data) % 2
    behind = start + 2 + 12 * len(full) + 4
    for tag, (kind, given) in sorted(full.items()):
        values = given if isinstance(given, list | tuple) else [given]
        packed = given if isinstance(given, bytes) else struct.pack(order + PIECES[kind] * len(values), *values)
        count = len(packed) if kind in (1, 2) else len(values)
        if len(packed) > 4:
            place, tails = struct.pack(order + "I", behind + len(tails)), tails + packed + b"\0" * (len(packed) % 2)
        else:
            place = packed.ljust(4, b"\0")
        body += struct.pack(order + "HHI", tag, kind, count) + place
    mark = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, start)
    return mark + data + b"\0" * (len(data) % 2) + struct.pack(order + "H", len(full)) + body + bytes(4) + tails


def packed(samples: np.ndarray, bits: int) -> bytes:
    """(H, N) numbers, the first in the highest bits, whole bytes a row."""
    digits = (samples[..., None].astype(np.uint32) >> np.arange(bits - 1, -1, -1)) & 1
    return b"".join(np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in digits)


def off(data: bytes, truth: np.ndarray) -> int:
    """8-bit levels between what is decoded and the truth, at most."""
    found = np.asarray(decode_picture(data).image)
    assert found.shape == truth.shape
    return int(np.abs(found.astype(int) - truth).max())
