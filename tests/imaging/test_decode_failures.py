"""What is no whole picture: refused in one sentence before it costs anything, or read where every pixel is there."""

from __future__ import annotations

import io
import os
import re
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize.imaging import decode as decoding
from colorize.imaging import file_formats as jpeg
from colorize.imaging import raster as bounds
from colorize.imaging.decode import decode, decode_picture, open_rgb
from colorize.imaging.raster import DecodeError, reason

ROOT = Path(__file__).parents[2]
GREY = np.linspace(20, 230, 64 * 48).reshape(48, 64).astype(np.uint8)
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)


def encoded(pixels: np.ndarray, kind: str, **options) -> bytes:
    Image.fromarray(pixels).save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


JPEG = encoded(RGB, "JPEG", quality=95, subsampling=0)
PNG = encoded(RGB, "PNG")
END = b"\xff\xd9"


def refused(data: bytes | Path, kind: str | None = None) -> str:
    with pytest.raises(DecodeError) as caught:
        decode_picture(data)
    said = str(caught.value)
    assert "\n" not in said
    assert not re.search(r"0x[0-9a-f]+|BytesIO|\.cpp|\.py\b", said)
    if kind:
        assert caught.value.kind == kind, said
    return said


@pytest.mark.parametrize(
    ("begins", "word"),
    [
        (b"<!doctype html><html>", "web page"), (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6" + bytes(40), "PostScript"), (b"%PDF-1.4\n", "PDF"), (b"PK\3\4" + bytes(40), "zip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "pillow-heif"), ("Grüße".encode(), "text"),
        (np.random.default_rng(0).bytes(3000), "no picture"), (b"\0\5\x16\7" + bytes(90), "Mac"),
    ],
)  # fmt: skip
def test_it_is_said_what_a_file_is_that_is_no_picture(begins, word):
    assert word in refused(begins, "unreadable")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", JPEG[:150], PNG[:30], b"BM" + bytes(9)])
def test_headers_that_are_cut_short(data):
    refused(data, "truncated")


def test_nothing_runs_a_program(monkeypatch):
    """An EPS that calls itself .jpg went to Ghostscript: no decoder is asked but those of raster formats by name."""
    assert not {"EPS", "WMF", "PDF", "MPEG", "HDF5", "GRIB", "BUFR"} & {*decoding.FORMATS}
    monkeypatch.setattr("subprocess.Popen", None)
    refused(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 96 64\n0 0 96 64 rectfill\n%%EOF\n")


def test_every_place_that_opens_a_picture_names_its_formats():
    for path in (ROOT / "colorize").rglob("*.py"):
        for call in re.findall(r"Image\.open\([^\n]*", path.read_text(encoding="utf-8")):
            assert "formats=" in call, f"{path}: {call}"


@pytest.mark.parametrize("quick", [True, False], ids=["simplejpeg", "Pillow"])
@pytest.mark.parametrize("progressive", [False, True])
def test_pixels_that_are_missing(monkeypatch, quick, progressive):
    if not quick:
        monkeypatch.setattr(jpeg, "decode_jpeg", None)
    data = encoded(RGB, "JPEG", quality=95, progressive=progressive)
    for percent in range(1, 99, 7):
        for read in (decode_picture, decode, open_rgb):
            with pytest.raises(DecodeError):
                read(data[: len(data) * percent // 100])


@pytest.mark.parametrize("rest", [b"", b"\xff", bytes(4096)], ids=["nothing", "half a marker", "zeros"])
@pytest.mark.parametrize("shorter", [None, 20], ids=["whole", "scaled"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
def test_a_jpeg_that_lacks_its_end_marker_alone_is_whole(rest, shorter, options):
    data = encoded(RGB, "JPEG", quality=95, **options)
    picture = decode_picture(data.removesuffix(END) + rest, shorter=shorter)
    assert np.array_equal(np.asarray(picture.image), np.asarray(decode_picture(data, shorter=shorter).image))
    assert picture.treated == ["mended"]
    assert len(picture.notes) == 1


def test_zeros_from_the_middle_are_no_pixels():
    refused(JPEG[: len(JPEG) // 2].ljust(len(JPEG), b"\0"), "truncated")


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_frame_that_is_larger_than_its_pixels(mode):
    Image.fromarray(RGB).convert(mode).save(file := io.BytesIO(), "JPEG")
    data = bytearray(file.getvalue())
    struct.pack_into(">HH", data, data.find(b"\xff\xc0") + 5, 960, 1280)
    assert "before the picture is full" in refused(bytes(data), "truncated")
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


def chunk(kind: bytes, data: bytes, spoil: int = 0) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ spoil)


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


def test_what_would_fill_memory_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)  # nothing is decoded
    rows = zlib.compress(bytes(2501 * 20_000), 9)
    bomb = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
    assert "--max-pixels" in refused(bomb, "enormous")
    giant = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 20_000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")
    assert "--max-pixels" in refused(giant.ljust(400_000, b"\0"), "enormous")


def test_memory_that_is_not_there(monkeypatch):
    monkeypatch.setattr(bounds, "available", lambda: 1000)
    assert "memory" in refused(PNG, "enormous")


def test_larger_ones_are_taken_where_the_user_says_so(monkeypatch):
    monkeypatch.setattr(bounds, "MAX_PIXELS", 1000)
    refused(PNG, "enormous")
    assert decode_picture(PNG, max_pixels=64 * 48).image.size == (64, 48)
    refused(PNG, "enormous")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    with (tmp_path / "sparse.jpg").open("wb") as file:
        file.write(JPEG)
        file.truncate(2**33)
    for name in ("pipe", "zero", "folder", "sparse"):
        refused(tmp_path / f"{name}.jpg")


def test_reasons_are_free_of_addresses_and_sources():
    for said, words in (
        ("cannot identify image file <_io.BytesIO object at 0x7f12ab34cd56>", "cannot identify image file the file"),
        ("decode_jpeg, /__w/vision/vision/io/decode_jpeg.cpp:171, unexpected end", "decode_jpeg, unexpected end"),
        ("one\ntwo", "one"),
    ):
        assert reason(ValueError(said)) == words
    assert reason(MemoryError()) == "MemoryError"
