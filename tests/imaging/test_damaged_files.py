"""JPEG and PNG files that are damaged beside their pixels are read, others refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from colorize.imaging.decode import decode, decode_picture
from colorize.imaging.raster import DecodeError
from tests.helpers.pictures import GREY, JPEG, PNG, RGB, chunk, encoded, refused

END = b"\xff\xd9"


@pytest.mark.parametrize("rest", [b"", b"\xff", bytes(4096)], ids=["nothing", "half a marker", "zeros"])
@pytest.mark.parametrize("shorter", [None, 20], ids=["whole", "scaled"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
def test_a_jpeg_that_lacks_its_end_marker_alone_is_whole(rest, shorter, options):
    data = encoded(RGB, "JPEG", quality=95, **options)
    picture = decode_picture(data.removesuffix(END) + rest, shorter=shorter)
    assert np.array_equal(np.asarray(picture.image), np.asarray(decode_picture(data, shorter=shorter).image))
    assert picture.conversions == ["mended"]
    assert len(picture.notes) == 1


def test_zeros_from_the_middle_are_no_pixels():
    refused(JPEG[: len(JPEG) // 2].ljust(len(JPEG), b"\0"), "truncated")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_frame_that_is_larger_than_its_pixels(mode):
    Image.fromarray(RGB).convert(mode).save(file := io.BytesIO(), "JPEG")
    data = bytearray(file.getvalue())
    struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, 960, 1280)
    assert "before the picture is complete" in refused(bytes(data), "truncated")
    with pytest.raises(DecodeError):
        decode(bytes(data), 100)


@pytest.mark.parametrize(("place", "value", "word"), [(4, 12, "12 bits"), (1, 0xC3, "lossless")])
def test_jpegs_of_other_kinds(place, value, word):
    data = bytearray(JPEG)
    data[data.find(b"\xff\xc0") + place] = value
    assert word in refused(bytes(data))


PAGES = b"MPF\0II*\0\x08\0\0\0\1\0\1\xb0\4\0\1\0\0\0\xff\0\0\0" + bytes(4)
BROKEN_SEGMENTS = {"JFIF": (0xE0, b"JFIF\0"), "Adobe": (0xEE, b"Adobe\0"), "pages": (0xE2, PAGES)}


@pytest.mark.parametrize("name", BROKEN_SEGMENTS)
def test_jpegs_whose_application_segments_are_broken(name):
    marker, told = BROKEN_SEGMENTS[name]
    for data in (JPEG, encoded(GREY, "JPEG", quality=95)):
        spoilt = data[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(told) + 2) + told + data[2:]
        assert np.array_equal(np.asarray(decode_picture(spoilt).image), np.asarray(decode_picture(data).image))


@pytest.mark.parametrize("kind", [1, 3, 4, 7, 9])
def test_an_orientation_of_any_type(kind):
    tag = struct.pack("<HHIHH", 274, kind, 1, 6, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0" + tag + bytes(4)
    data = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]
    upright = decode_picture(JPEG).image.transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(np.asarray(decode_picture(data).image), np.asarray(upright))


def test_inks_without_adobes_marker_are_taken_as_they_are():
    ink = np.dstack([255 - RGB, np.zeros_like(GREY)])
    Image.frombytes("CMYK", (64, 48), (255 - ink).tobytes()).save(file := io.BytesIO(), "JPEG", quality=95)
    data = file.getvalue()  # Pillow inverts what it writes, and marks it
    start = data.find(b"\xff\xee")
    plain = data[:start] + data[start + 2 + struct.unpack_from(">H", data, start + 2)[0] :]
    assert np.abs(np.asarray(decode_picture(plain).image).astype(int) - RGB).mean() < 3


DAMAGED = {
    "checksum of a text": chunk(b"tEXt", b"Title\0Nave", 1),
    "a text of 3 MB": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000))),
    "a text of no sense": chunk(b"iTXt", b"Title\0\1\0\0\0broken"),
    "a profile of no sense": chunk(b"iCCP", b"x\0\0" + b"not compressed"),
    "a profile in an unknown packing": chunk(b"iCCP", b"x\0\5" + zlib.compress(b"profile")),
    "an empty profile": chunk(b"iCCP", b""),
    "transparency cut short": chunk(b"tRNS", b""),
    "a time of no sense": chunk(b"tIME", b"\0"),
    "resolution cut short": chunk(b"pHYs", b"\0\1"),
    "EXIF of no sense": chunk(b"eXIf", b"II*\0\x08\0\0\0\xff\xff"),
}


@pytest.mark.parametrize("where", ["before", "behind"])
@pytest.mark.parametrize("damage", DAMAGED)
def test_pngs_whose_pixels_alone_are_whole(damage, where):
    header, data, end = PNG[:33], PNG[33:-12], PNG[-12:]
    parts = [header, DAMAGED[damage], data, end] if where == "before" else [header, data, DAMAGED[damage], end]
    assert np.array_equal(np.asarray(decode_picture(b"".join(parts)).image), RGB)


@pytest.mark.parametrize("cut", [12, 8, 14, 1])
def test_a_png_without_its_end(cut):
    assert np.array_equal(np.asarray(decode_picture(PNG[:-cut]).image), RGB)


def test_a_png_whose_pixels_are_cut_off():
    refused(PNG[: len(PNG) * 2 // 3], "truncated")


def test_exif_of_every_wrong_kind_is_passed_over():
    def with_exif(body: bytes) -> bytes:
        part = b"Exif\0\0" + body
        return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part + JPEG[2:]

    entries = [
        struct.pack("<HHII", 0x112, kind, count, value)
        for kind in (0, 1, 2, 3, 5, 7, 10, 12, 99)
        for count in (0, 1, 3, 2**31)
        for value in (6, 8, 9999)
    ]
    for entry in entries:
        body = b"II*\0\x08\0\0\0" + struct.pack("<H", 2) + entry + struct.pack("<HHII", 0x11A, 2, 3, 0x3237) + bytes(4)
        assert sorted(decode_picture(with_exif(body)).image.size) == [48, 64]
    for cut in range(8):
        assert decode_picture(with_exif(b"II*\0\x08\0\0\0"[:cut])).image.size == (64, 48)
