"""JPEG, PNG and Photoshop files: pixels that Pillow reads wrongly, or not at all where other parts are damaged.

Of a JPEG, libjpeg fills what is missing with grey and only warns; simplejpeg hands the warnings on. Where it is not
installed, Pillow decodes to the same pixels, half as fast again, and what only a warning tells is not found.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image, ImageChops

from colorize.imaging.raster import DecodeError
from colorize.utils.errors import decoder_message

try:
    from simplejpeg import decode_jpeg
except ImportError:
    decode_jpeg = None

PROGRESSIVE, START_OF_SCAN, END_OF_IMAGE = 0xC2, 0xDA, b"\xff\xd9"
MARKER = re.compile(rb"\xff[\xc0-\xcf\xda-\xfe]")  # those with a length; between them lie scans
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
LARGE = 2**26  # pixels from which Pillow decodes, without a copy, and simplejpeg looks at an eighth for warnings
KINDS = {0xC3: "lossless JPEG", 0xC5: "hierarchical JPEG", 0xC7: "lossless JPEG", 0xCB: "lossless JPEG",
         0xCD: "hierarchical JPEG"}  # fmt: skip
SCALES = (8, 4, 2)  # by which JPEGs are decoded smaller, at less cost
WHOLE = "its end is cut off or damaged, and every pixel is there"
WARNINGS = ("Corrupt JPEG data", "Inconsistent progression sequence", "Invalid SOS parameters", "Unknown Adobe")
DAMAGED = "its compressed data are damaged: parts of the picture may be wrong"


def scale_of(size: tuple[int, int], shorter: int | None) -> int:
    """By what a JPEG is decoded smaller, so that its shorter side keeps `shorter` pixels."""
    if not shorter or min(size) < 2 * shorter:
        return 1
    most = min(side // -(-side * shorter // min(size)) for side in size)
    return next((scale for scale in SCALES if most >= scale), 1)


def decode_pixels(data: bytes, size: tuple[int, int], scale: int, colours: str = "RGB") -> tuple[np.ndarray, str]:
    """(H, W, C) uint8 of a JPEG, and a note on what is damaged. Raises `DecodeError` where pixels are missing."""
    least = {"min_width": -(-size[0] // scale), "min_height": -(-size[1] // scale), "min_factor": scale}
    note = ""
    for rest in (b"", END_OF_IMAGE):
        try:
            pixels = decode_jpeg(data + rest if rest else data, colours, **least)  # strict: warnings are raised
        except ValueError as error:
            problem = str(error)
        else:
            if note and not has_every_scan(data):
                raise DecodeError("its last scans are missing, which make it sharp", "truncated")
            return pixels, note
        if not problem.startswith("Premature end of JPEG file"):
            break
        note = WHOLE
    if note and "extraneous bytes" in problem and data.endswith(b"\0"):
        return decode_pixels(data.rstrip(b"\0") + END_OF_IMAGE, size, scale, colours)[0], note  # of a broken transfer
    if "remature end" in problem:
        raise DecodeError("its pixels end before the picture is complete", "truncated")
    if not problem.startswith(WARNINGS):
        kind = kind_of_jpeg(data)
        words = kind or f"it cannot be read: {decoder_message(ValueError(problem))}"
        raise DecodeError(words, "unreadable" if kind else "truncated")
    # Pillow goes on behind a warning, and tells of an error behind it; simplejpeg would hand on what it has by then
    with Image.open(io.BytesIO(data + END_OF_IMAGE), formats=("JPEG",)) as image:
        image.draft(image.mode, (least["min_width"], least["min_height"]))
        pixels = np.array(image.convert({"GRAY": "L"}.get(colours, colours)))
    return np.atleast_3d(pixels), note or ("" if "extraneous bytes" in problem else DAMAGED)


def load_jpeg(image: Image.Image, data: bytes, scale: int) -> tuple[Image.Image, str]:
    """The pixels of a JPEG that Pillow has opened, and a note on what is damaged. Raises `DecodeError`."""
    note, known = "", decode_jpeg is not None and image.mode in ("L", "RGB", "CMYK")
    if known and image.mode != "CMYK" and image.width * image.height < LARGE:
        pixels, note = decode_pixels(data, image.size, scale, "GRAY" if image.mode == "L" else "RGB")
        return Image.fromarray(pixels[..., 0] if image.mode == "L" else pixels), note
    if known:
        _, note = decode_pixels(data, image.size, 8, "CMYK" if image.mode == "CMYK" else "GRAY")
    if note:
        image = Image.open(io.BytesIO(data + END_OF_IMAGE), formats=("JPEG",))
    image.draft(image.mode, tuple(-(-side // scale) for side in image.size))  # type: ignore[arg-type]
    image.load()
    return image, note


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Marker, data, start and end of the segments that have a length, as far as they can be followed."""
    found = MARKER.search(data, 2)
    while found and found.end() + 2 <= len(data):
        end = found.end() + struct.unpack_from(">H", data, found.end())[0]
        yield found[0][-1], data[found.end() + 2 : end], found.start(), end
        found = MARKER.search(data, end)


def mended_jpeg(data: bytes) -> bytes:
    """The same JPEG with no more application segments than make its picture: EXIF, its profile, Adobe's colours."""
    parts, place = [], 0
    for marker, held, start, end in jpeg_segments(data):
        if marker == START_OF_SCAN:
            break
        needed = held.startswith((b"Exif\0", b"ICC_PROFILE\0")) or (held.startswith(b"Adobe") and len(held) >= 12)
        if 0xE0 <= marker <= 0xEF and not needed:
            parts.append(data[place:start])
            place = end
    return b"".join([*parts, data[place:]])


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a grey or YCbCr JPEG with neither EXIF, XMP, profile nor second picture; None of others."""
    size = None
    for marker, held, *_ in jpeg_segments(data) if data.startswith(b"\xff\xd8\xff") else ():
        if marker == START_OF_SCAN:
            return size
        if marker in (0xE1, 0xE2):
            return None
        if marker in FRAMES and len(held) > 5:
            height, width = struct.unpack_from(">HH", held, 1)
            size = (width, height) if held[5] in (1, 3) and width and height else None
    return None


def kind_of_jpeg(data: bytes) -> str:
    """What a JPEG is that no decoder here takes; nothing of one that is merely damaged."""
    for marker, held, *_ in jpeg_segments(data):
        if marker in FRAMES and held:
            words = f"JPEG of {held[0]} bits" if held[0] != 8 else KINDS.get(marker, "")
            return words and f"it is a {words}, which is not read here: save it as PNG or TIFF"
    return ""


def has_every_scan(data: bytes) -> bool:
    """Whether the scans of a progressive JPEG give every coefficient to its last bit (ITU-T T.81, annex G)."""
    wanted: set[tuple[int, int]] = set()
    for marker, held, *_ in jpeg_segments(data):
        if marker == PROGRESSIVE and len(held) >= 6 + 3 * held[5]:
            wanted = {(held[6 + 3 * i], place) for i in range(held[5]) for place in range(64)}
        elif marker == START_OF_SCAN and len(held) >= 6 and held[-1] & 15 == 0:
            bits = range(held[-3], held[-2] + 1)
            wanted -= {(part, place) for part in held[1 : 1 + 2 * held[0] : 2] for place in bits}
    return not wanted


SIGNATURE = b"\x89PNG\r\n\x1a\n"
CRITICAL = (b"IHDR", b"PLTE", b"IDAT")
USED = (*CRITICAL, b"tRNS", b"gAMA", b"sRGB", b"sBIT", b"pHYs", b"iCCP", b"eXIf")  # the others can be done without
LARGEST_PROFILE = 2**24  # bytes
LENGTHS = {b"pHYs": 9, b"gAMA": 4, b"sRGB": 1}


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
        image = Image.open(io.BytesIO(mended_png(file.read())), formats=("PNG",))
        image.load()
        return image, "parts of its file are damaged, and every pixel is there"
    return image, ""


def mended_png(data: bytes) -> bytes:
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
    if not packed.startswith(b"\0"):  # the only method there is
        return False
    try:
        return len(zlib.decompressobj().decompress(packed[1:], LARGEST_PROFILE)) < LARGEST_PROFILE
    except zlib.error:
        return False


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
    count, taken, start = struct.unpack_from(">H", data, 12)[0], len(image.getbands()), HEADER
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


def kind_of_psd(head: bytes) -> str:
    """What a document is that is not read here; nothing of one that is merely damaged."""
    if len(head) < HEADER:
        return ""
    version, bits = struct.unpack_from(">H", head, 4)[0], struct.unpack_from(">H", head, 22)[0]
    kind = "large Photoshop document (PSB)" if version == 2 else f"Photoshop document of {bits} bits a sample"
    return f"it is a {kind}, which is not read here: save it as TIFF or PNG" if version == 2 or bits in (16, 32) else ""
