"""What is not decoded: files that never end, and pictures that would fill memory."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from colorize.data.failures import DecodeError
from colorize.memory import available

MAX_PIXELS = 500_000_000
PIXELS_A_BYTE = 2000  # of a file: more are a trap. Of pictures below 4 megapixels nothing is asked
HARMLESS = 2**22  #     pixels
DECODERS = {"JPEG2000": 16, "WEBP": 8, "AVIF": 8, "HEIF": 8}  # bytes a pixel that they hold beside the picture
IN_MEMORY = ("JPEG", "MPO", "PSD", "HEIF", "AVIF", "WEBP")  # of which the whole file is read at first
LARGEST = 2**32  #      bytes of a file: 500 megapixels of four samples of 16 bits


@dataclass
class Bounds:
    """What is not decoded: a picture that would fill memory."""

    bytes: int  # of the file
    max_pixels: int | None

    def check(self, width: int, height: int, needed: float) -> None:
        """`needed` is the bytes that decoding takes. Raises `DecodeError`."""
        pixels = width * height
        said = f"it has {width:,}×{height:,} pixels"
        way_out = "colorize paint --max-pixels takes larger ones"
        if pixels > (self.max_pixels or MAX_PIXELS):
            raise DecodeError(f"{said}, more than {self.max_pixels or MAX_PIXELS:,}: {way_out}", "enormous")
        if self.max_pixels is None and pixels > max(HARMLESS, PIXELS_A_BYTE * self.bytes):
            raise DecodeError(f"{said} in {self.bytes:,} bytes, as no photograph has: {way_out}", "enormous")
        check_memory(width, height, needed, "decoding")


def needed(image: Image.Image, size: int, *, turned: bool) -> int:
    """Bytes of memory in which a picture that has been opened, of a file of `size` bytes, is decoded: as Pillow holds
    it, and a second time where it has to be converted or turned; with what its decoder holds beside."""
    grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
    stored = {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4)
    again = (2 if grey else 5) if turned or image.mode not in ("L", "RGB") else 0
    beside = DECODERS.get(image.format or "", 0)
    if image.info.get("progressive"):  # libjpeg holds every coefficient
        beside = 2 * len(image.getbands())
    return image.width * image.height * (stored + again + beside) + (2 * size if image.format in IN_MEMORY else 0)


def check_memory(width: int, height: int, needed: float, what: str) -> None:
    """Raises `DecodeError` where fewer bytes than `needed` are free, rather than to be killed."""
    free = available()
    if free is not None and needed > free:
        need = f"{needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} are free"
        raise DecodeError(f"it has {width:,}×{height:,} pixels: {what} takes {need}", "enormous")


@contextmanager
def opened(source: bytes | Path | BinaryIO) -> Iterator[tuple[BinaryIO, int]]:
    """A file that can be read from any place, and its size."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), len(source)
        return
    if not isinstance(source, Path):
        yield source, source.seek(0, io.SEEK_END)
        return
    found = source.stat()  # before it is opened: a pipe would wait for a writer
    if not stat.S_ISREG(found.st_mode):
        raise DecodeError("it is a folder" if source.is_dir() else "it is a pipe, a socket or a device, and no file")
    if found.st_size > LARGEST:
        raise DecodeError(f"it has {found.st_size:,} bytes, and a photograph at most {LARGEST:,}", "enormous")
    with source.open("rb") as file:
        yield file, found.st_size


@contextmanager
def unbounded() -> Iterator[None]:
    """Pillow refuses 179 megapixels as an attack; here `Bounds` decides."""
    usual, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = usual
