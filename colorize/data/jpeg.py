"""The pixels of a JPEG, and whether they are all there.

libjpeg fills what is missing with grey and only warns; simplejpeg hands the warnings on. Where it is not installed,
Pillow decodes to the same pixels, half as fast again, and what only a warning tells is not found.
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageChops

from colorize.data.failures import DecodeError, reason

try:
    from simplejpeg import decode_jpeg
except ImportError:
    decode_jpeg = None

START_OF_SCAN, END_OF_IMAGE = 0xDA, b"\xff\xd9"
LARGE = 2**26  # pixels from which Pillow decodes, without a copy, and simplejpeg looks at an eighth for warnings
KINDS = {0xC3: "lossless JPEG", 0xC5: "hierarchical JPEG", 0xC7: "lossless JPEG", 0xCB: "lossless JPEG",
         0xCD: "hierarchical JPEG"}  # fmt: skip
SCALES = (8, 4, 2)  # by which JPEGs are decoded smaller, at less cost
WHOLE = "its end is cut off or damaged, and every pixel is there"
DAMAGED = "its compressed data are damaged: parts of the picture may be wrong"


def scale_of(size: tuple[int, int], shorter: int | None) -> int:
    """By what a JPEG is decoded smaller, so that its shorter side keeps `shorter` pixels."""
    return next((scale for scale in SCALES if shorter and min(size) // scale >= shorter), 1)


def decode_pixels(data: bytes, size: tuple[int, int], scale: int, colours: str = "RGB") -> tuple[np.ndarray, str]:
    """(H, W, C) uint8 of a JPEG, and a note on what is damaged. Raises `DecodeError` where pixels are missing."""
    least = {"min_width": -(-size[0] // scale), "min_height": -(-size[1] // scale), "min_factor": float(scale)}
    note = ""
    for rest in (b"", END_OF_IMAGE):
        try:
            return decode_jpeg(data + rest if rest else data, colours, **least), note  # strict: warnings are raised
        except ValueError as error:
            problem = str(error)
        if not problem.startswith("Premature end of JPEG file"):
            break
        note = WHOLE
    if "remature end" in problem:
        raise DecodeError("its pixels end before the picture is full", "truncated")
    try:
        pixels = decode_jpeg(data + END_OF_IMAGE, colours, strict=False, **least)
    except ValueError as error:
        kind = kind_of(data)
        words = kind or f"it cannot be read: {reason(error)}"
        raise DecodeError(words, "unreadable" if kind else "truncated") from error
    return pixels, "" if "extraneous bytes" in problem or "not at a frame" in problem else DAMAGED


def load_jpeg(image: Image.Image, data: bytes, scale: int) -> tuple[Image.Image, str]:
    """The pixels of a JPEG that Pillow has opened, and a note on what is damaged. Raises `DecodeError`."""
    if decode_jpeg is None or image.mode not in ("L", "RGB", "CMYK"):
        image.draft(image.mode, tuple(-(-side // scale) for side in image.size))  # type: ignore[arg-type]
        image.load()
        return image, ""
    if image.mode == "CMYK" or image.width * image.height >= LARGE:
        _, note = decode_pixels(data, image.size, 8, "CMYK" if image.mode == "CMYK" else "GRAY")
        whole = Image.open(io.BytesIO(data + END_OF_IMAGE), formats=("JPEG",)) if note else image
        whole.draft(image.mode, tuple(-(-side // scale) for side in image.size))  # type: ignore[arg-type]
        whole.load()
        return whole, note
    pixels, note = decode_pixels(data, image.size, scale, "GRAY" if image.mode == "L" else "RGB")
    return Image.fromarray(pixels[..., 0] if image.mode == "L" else pixels), note


def plain_cmyk(image: Image.Image, loaded: Image.Image) -> Image.Image:
    """Without Adobe's marker, inks are stored as they are (ITU-T T.872, 6.1); Pillow inverts them always."""
    return loaded if "adobe" in image.info else ImageChops.invert(loaded)


def kind_of(data: bytes) -> str:
    """What a JPEG is that no decoder here takes; nothing of one that is merely damaged."""
    place = 2
    while place + 10 <= len(data) and data[place] == 0xFF:
        marker, length = struct.unpack_from(">BH", data, place + 1)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits = data[place + 4]
            words = f"JPEG of {bits} bits" if bits != 8 else KINDS.get(marker, "")
            return words and f"it is a {words}, which is not read here: save it as PNG or TIFF"
        if marker == START_OF_SCAN:
            break
        place += 1 if marker == 0xFF else 2 + length
    return ""
