"""PNG files whose pixels are whole and whose other parts are not (PNG specification, third edition)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
USED = (*CRITICAL, b"tRNS", b"gAMA", b"sRGB", b"sBIT", b"pHYs", b"iCCP", b"eXIf")  # the others can be done without
LARGEST_PROFILE = 2**24  # bytes
LENGTHS = {b"pHYs": 9, b"gAMA": 4, b"sRGB": 1}
NOTE = "parts of its file are damaged, and every pixel is there"


class Chunk(NamedTuple):
    kind: bytes
    data: bytes
    crc: bytes


def load_png(image: Image.Image, file: BinaryIO) -> tuple[Image.Image, str]:
    """The picture with its pixels, and a note where other parts of the file are damaged. Raises what Pillow raises."""
    try:
        image.load()
    except Exception:  # of texts, profiles or checksums, as well as of pixels
        file.seek(0)
        image = Image.open(io.BytesIO(mended(file.read())), formats=("PNG",))
        image.load()
        return image, NOTE
    return image, ""


def mended(data: bytes) -> bytes:
    """The same PNG without what does not make its picture, and with an end.

    Checksums of the parts that make it stay: pixels that are damaged are not taken for sound ones.
    """
    parts, colour = [SIGNATURE], data[25] if len(data) > 25 else 0  # the kind of colour stands in IHDR
    for chunk in chunks(data):
        if chunk.kind in USED and _is_sound(chunk, colour):
            sum_ = zlib.crc32(chunk.kind + chunk.data)
            crc = chunk.crc if chunk.kind in CRITICAL and len(chunk.crc) == 4 else struct.pack(">I", sum_)
            parts.append(struct.pack(">I", len(chunk.data)) + chunk.kind + chunk.data + crc)
    return b"".join([*parts, struct.pack(">I", 0), b"IEND", struct.pack(">I", zlib.crc32(b"IEND"))])


def chunks(data: bytes) -> Iterator[Chunk]:
    """To the end of the picture, or of the file; what is cut off stays as much as there is of it."""
    place = len(SIGNATURE)
    while place + 8 < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 8 + length
        yield Chunk(kind, data[place + 8 : end], data[end : end + 4])
        place = end + 4
        if kind == b"IEND":
            return


def _is_sound(chunk: Chunk, colour: int) -> bool:
    """Whether a chunk has its length, and a colour profile is one."""
    if chunk.kind == b"tRNS":
        return len(chunk.data) in {0: (2,), 2: (6,), 3: range(1, 257)}.get(colour, ())
    if chunk.kind != b"iCCP":
        return LENGTHS.get(chunk.kind, len(chunk.data)) == len(chunk.data)
    packed = chunk.data.partition(b"\0")[2]
    if packed[:1] != b"\0":  # the only method there is
        return False
    packed = packed[1:]
    try:
        return len(zlib.decompressobj().decompress(packed, LARGEST_PROFILE)) < LARGEST_PROFILE
    except zlib.error:
        return False
