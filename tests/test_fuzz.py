"""Mutated files of every format: a picture or one sentence, in bounded time, whatever is broken."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Callable

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize.data.decode import decode, decode_picture
from colorize.data.failures import DecodeError
from colorize.doctor.findings import examine

SECONDS = 20  # that one file may take
PIXELS = np.random.default_rng(1).integers(0, 256, (6, 8, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS).resize((64, 48), Image.Resampling.BICUBIC)


def encoded(kind: str, mode: str = "RGB", **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    told = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "AVIF") else {}
    PICTURE.convert(mode).save(file := io.BytesIO(), kind, **told, **options)
    return file.getvalue()


def deep_tiff() -> bytes:
    tifffile.imwrite(
        file := io.BytesIO(), np.asarray(PICTURE).astype(np.uint16) * 257, compression="zlib", metadata=None
    )
    return file.getvalue()


FORMATS = {
    "jpeg": encoded("JPEG"), "progressive": encoded("JPEG", progressive=True), "cmyk": encoded("JPEG", "CMYK"),
    "png": encoded("PNG"), "grey png": encoded("PNG", "LA"), "webp": encoded("WEBP"), "gif": encoded("GIF", "P"),
    "bmp": encoded("BMP"), "tiff": encoded("TIFF"), "lzw": encoded("TIFF", compression="tiff_lzw"), "deep": deep_tiff(),
    "ppm": encoded("PPM"), "tga": encoded("TGA", compression="tga_rle"), "jp2": encoded("JPEG2000"),
    "avif": encoded("AVIF"), "ico": encoded("ICO", sizes=[(64, 48)]),
}  # fmt: skip


def flipped(data: bytearray, random: np.random.Generator) -> bytes:
    for _ in range(random.integers(1, 12)):
        data[random.integers(len(data))] ^= 1 << random.integers(8)
    return bytes(data)


def header(data: bytearray, random: np.random.Generator) -> bytes:
    for _ in range(random.integers(1, 6)):
        data[random.integers(min(200, len(data)))] = random.choice([0, 1, 127, 128, 255, random.integers(256)])
    return bytes(data)


def cut(data: bytearray, random: np.random.Generator) -> bytes:
    return bytes(data[: random.integers(len(data))])


def zeroed(data: bytearray, random: np.random.Generator) -> bytes:
    start = random.integers(len(data))
    data[start : start + random.integers(1, 64)] = bytes(len(data[start : start + random.integers(1, 64)]))
    return bytes(data)


def spliced(data: bytearray, random: np.random.Generator) -> bytes:
    start, other = random.integers(len(data), size=2)
    return bytes(data[:start] + data[other : other + 100] + data[start:])


def grown(data: bytearray, random: np.random.Generator) -> bytes:
    """A word becomes a large number: sizes, offsets and counts."""
    place = random.integers(max(1, len(data) - 4))
    data[place : place + 4] = random.choice(
        [b"\xff\xff\xff\x7f", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80"]
    )
    return bytes(data)


MUTATIONS: tuple[Callable, ...] = (flipped, header, cut, zeroed, spliced, grown)


def mutated(number: int) -> tuple[str, bytes]:
    random = np.random.default_rng(number)
    name = list(FORMATS)[number % len(FORMATS)]
    mutation = MUTATIONS[number // len(FORMATS) % len(MUTATIONS)]
    return f"{name} {mutation.__name__} {number}", mutation(bytearray(FORMATS[name]), random)


def check(number: int) -> bool:
    """Whether it is a picture still."""
    name, data = mutated(number)
    began = time.monotonic()
    try:
        picture = decode_picture(data)
        seen = True
        assert picture.image.mode in ("L", "RGB"), name
        rgb, _ = decode(data, 16)  # what training reads, perhaps smaller
        assert rgb.shape[0] == 3, name
    except DecodeError as error:
        seen = False
        said = str(error)
        assert said.strip(), name
        assert "\n" not in said, name
        assert not re.search(r"0x[0-9a-f]{4}|BytesIO|\.(cpp|py)\b", said), (name, said)
    examine(data)
    assert time.monotonic() - began < SECONDS, name
    return seen


def test_a_few_mutations_of_every_format():
    seen = [check(number) for number in range(2 * len(FORMATS) * len(MUTATIONS))]
    assert 0.1 < np.mean(seen) < 0.9  # some are broken and some are not, or nothing was tried


@pytest.mark.slow
def test_two_thousand_mutations():
    for number in range(1000, 3000):
        check(number)


def test_every_format_is_read_as_it_is():
    for name, data in FORMATS.items():
        assert sorted(decode_picture(data).image.size) == [48, 64], name
