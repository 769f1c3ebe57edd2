"""What is no whole picture: refused in one sentence before it costs anything, or read where every pixel is there."""

from __future__ import annotations

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
from colorize.imaging.raster import DecodeError
from colorize.utils.errors import decoder_message
from tests.helpers.pictures import JPEG, PNG, RGB, chunk, encoded, refused

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("begins", "word"),
    [
        (b"<!doctype html><html>", "web page"), (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\xc5\xd0\xd3\xc6" + bytes(40), "PostScript"), (b"%PDF-1.4\n", "PDF"), (b"PK\3\4" + bytes(40), "zip"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), "pillow-heif"), ("Grüße".encode(), "text"),
        (np.random.default_rng(0).bytes(3000), "not a picture"), (b"\0\5\x16\7" + bytes(90), "Mac"),
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


def test_what_would_fill_memory_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(Image.Image, "load", None)  # nothing is decoded
    rows = zlib.compress(bytes(2501 * 20_000), 9)
    bomb = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)) + chunk(b"IDAT", rows)
    assert "--max-pixels" in refused(bomb, "enormous")
    giant = PNG[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 20_000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")
    assert "--max-pixels" in refused(giant.ljust(400_000, b"\0"), "enormous")


def test_memory_that_is_not_there(monkeypatch):
    monkeypatch.setattr(bounds, "available_memory", lambda: 1000)
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
        assert decoder_message(ValueError(said)) == words
    assert decoder_message(MemoryError()) == "MemoryError"


def test_threads_that_decode_side_by_side_leave_pillows_limit_as_it_was():
    """The first to enter is the first to leave."""
    usual = Image.MAX_IMAGE_PIXELS
    one, other = bounds.unbounded(), bounds.unbounded()
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert Image.MAX_IMAGE_PIXELS is None
    other.__exit__(None, None, None)
    assert usual == Image.MAX_IMAGE_PIXELS
