"""Photoshop documents, and BMPs whose transparency means nothing."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from colorize.imaging.decode import decode_picture
from colorize.imaging.raster import DecodeError
from tests.helpers.tiffs import GREY, RGB, H, W


def packed_row(row: np.ndarray) -> bytes:
    """PackBits without runs, of at most 128 bytes."""
    return bytes([len(row) - 1]) + row.tobytes()


def psd(channels: list[np.ndarray], mode: int, bits: int = 8, is_packed: bool = False, version: int = 1) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHIIHH", version, len(channels), H, W, bits, mode) + bytes(12)
    if not is_packed:
        return head + b"\0\0" + b"".join(channel.tobytes() for channel in channels)
    rows = [packed_row(row) for channel in channels for row in channel]
    return head + b"\0\1" + b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)


@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize("extra", [0, 2])
def test_photoshop_documents_with_selections(extra, is_packed):
    selection = np.roll(GREY, 5, axis=1)
    grey = decode_picture(psd([GREY, *[selection] * extra], 1, is_packed=is_packed))
    colour = decode_picture(psd([*np.moveaxis(RGB, 2, 0), *[selection] * extra], 3, is_packed=is_packed))
    assert np.array_equal(np.asarray(grey.image), GREY)
    assert np.array_equal(np.asarray(colour.image), RGB)
    assert len(grey.notes) == len(colour.notes) == (extra > 0)


def test_a_bit_of_a_photoshop_bitmap_is_ink():
    ink = GREY < 128
    assert np.array_equal(np.asarray(decode_picture(psd([np.packbits(ink, axis=1)], 0, 1)).image) == 0, ink)


@pytest.mark.parametrize(("options", "word"), [({"bits": 16}, "16 bits"), ({"version": 2}, "PSB")])
def test_photoshop_documents_that_are_not_read(options, word):
    with pytest.raises(DecodeError, match=word):
        decode_picture(psd([GREY.astype(">u2")], 1, **options))


def test_what_is_transparent_everywhere_is_opaque():
    Image.fromarray(np.dstack([RGB, np.zeros_like(GREY)])).save(file := io.BytesIO(), "PNG")
    picture = decode_picture(file.getvalue())
    assert picture.alpha is None
    assert np.array_equal(np.asarray(picture.image), RGB)
    assert len(picture.notes) == 1
