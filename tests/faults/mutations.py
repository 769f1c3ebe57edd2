"""Mutated files of every format, and mutations of any other: the same for the same number."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import tifffile
from PIL import Image

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
