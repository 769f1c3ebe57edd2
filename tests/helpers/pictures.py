"""Encoded pictures, and the sentence that a damaged one gets."""

from __future__ import annotations

import io
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.imaging.decode import decode_picture
from colorize.imaging.raster import DecodeError

GREY = np.linspace(20, 230, 64 * 48).reshape(48, 64).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def encoded(pixels: np.ndarray, kind: str, **options) -> bytes:
    Image.fromarray(pixels).save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


JPEG = encoded(RGB, "JPEG", quality=95, subsampling=0)
PNG = encoded(RGB, "PNG")


def refused(data: bytes | Path, kind: str | None = None) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_picture(data)
    said = str(caught.value)
    assert "\n" not in said
    assert not re.search(r"0x[0-9a-f]+|BytesIO|\.cpp|\.py\b", said)
    if kind:
        assert caught.value.kind == kind, said
    return said


def chunk(kind: bytes, data: bytes, spoil: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ spoil)
