"""Photoshop documents, of which Pillow reads some wrongly (Adobe Photoshop file formats specification, 2019)."""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

from PIL import Image, ImageChops

HEADER, SECTIONS = 26, 3  # bytes, and the parts with a length of their own that lie between it and the pixels
EXTRA = "its extra channels (selections, perhaps) are no colour, and left out"
PACKED = 1


def load_psd(image: Image.Image, file: BinaryIO) -> tuple[Image.Image, str]:
    """The pixels of a document that Pillow has opened, and a note on the channels that are left out.

    Pillow looks for packed rows behind the lengths of as many channels as it takes, and not of all there are; and has
    bitmaps, of which a bit is ink, as negatives.
    """
    file.seek(0)
    data = file.read()
    count, taken = struct.unpack_from(">H", data, 12)[0], len(image.getbands())
    start = HEADER
    for _ in range(SECTIONS):
        start += 4 + struct.unpack_from(">I", data, start)[0]
    if count > taken and struct.unpack_from(">H", data, start)[0] == PACKED:
        rows = start + 2 + 2 * image.height * count
        lengths = data[start + 2 : start + 2 + 2 * image.height * taken]
        fewer = data[:12] + struct.pack(">H", taken) + data[14 : start + 2] + lengths + data[rows:]
        image = Image.open(io.BytesIO(fewer), formats=("PSD",))
    tile: Any = getattr(image, "tile", None)
    ink = image.mode == "1" and bool(tile) and tile[0][3] == "1"
    image.load()
    return ImageChops.invert(image) if ink else image, EXTRA if count > taken else ""


def kind_of(head: bytes) -> str:
    """What a document is that is not read here; nothing of one that is merely damaged."""
    if len(head) < HEADER:
        return ""
    version, bits = struct.unpack_from(">H", head, 4)[0], struct.unpack_from(">H", head, 22)[0]
    kind = "large Photoshop document (PSB)" if version == 2 else f"Photoshop document of {bits} bits a sample"
    return f"it is a {kind}, which is not read here: save it as TIFF or PNG" if version == 2 or bits in (16, 32) else ""
