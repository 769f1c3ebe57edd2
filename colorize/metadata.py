"""What a photograph's file says beside its pixels: EXIF, XMP, IPTC, texts, resolution; read from any, fit for any.

What describes the pixels of the old file (its size, depth, compression, thumbnails, colour space, orientation) is left
behind, since another file with other pixels will be written. What is damaged is left out; nothing here is ever a reason
not to read the photograph.
"""

from __future__ import annotations

import io
import math
import re
import struct
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from colorize.tiff_tags import FRACTION, Tags, Value, fraction, read_tags, short

DESCRIPTION, X_RESOLUTION, Y_RESOLUTION, UNIT = 270, 282, 283, 296
ARTIST, COPYRIGHT, SOFTWARE, USER_COMMENT, COLOR_SPACE = 315, 33432, 305, 37510, 40961
XMP, IPTC, PHOTOSHOP = 700, 33723, 34377
# Tags of the main directory that describe the pixels of the file that they stand in: those of TIFF 6.0 and its
# supplements, of SGI's, Leaf's and IT8's extensions, Photoshop's layers, and those of raw files (DNG 1.6)
STRUCTURE = frozenset([
    254, 255, *range(256, 260), *range(262, 267), 273, 274, *range(277, 282), 284, *range(288, 294), 297, 301,
    *range(317, 329), 330, *range(332, 335), *range(336, 348), *range(400, 436), *range(512, 522), *range(529, 533),
    559, *range(32995, 32999), 33421, 33422, *range(34016, 34037), 34675, 37439, 37724, 50838, 50839,
    *range(50706, 50976), *range(51008, 51182), *range(52525, 52554), 65535,
])  # fmt: skip
# and of EXIF's: versions of the compression, sizes, what refers to other files and the old colour space
OLD_PICTURE = frozenset([37121, 37122, 40962, 40963, 40965, 42240])
# The resources of Photoshop's that hold words: IPTC, whether there is a copyright, its address
IPTC_RESOURCE = 1028
WORDS = (IPTC_RESOURCE, 1034, 1035)
# Texts of a PNG that have a tag of their own
NAMED = {"Author": ARTIST, "Artist": ARTIST, "Copyright": COPYRIGHT, "Description": DESCRIPTION, "Title": DESCRIPTION,
         "Software": SOFTWARE}  # fmt: skip
STACK = (b"ImageJ=", b'{"shape":', b"<?xml", b"<OME")  # descriptions by which programs find the pages of a stack
_OLD = (
    rb"(?:tiff:(?:Orientation|ImageWidth|ImageLength|BitsPerSample|Compression|PhotometricInterpretation|"
    rb"SamplesPerPixel|PlanarConfiguration|YCbCr\w+)|exif:(?:Pixel[XY]Dimension|ColorSpace)|"
    rb"photoshop:(?:ColorMode|ICCProfile))"
)  # the same in XMP, as attributes and as elements
OLD_XMP = re.compile(rb"\s%b\s*=\s*(?:\"[^\"]*\"|'[^']*')|<(%b)\b[^>]*>.*?</\1\s*>" % (_OLD, _OLD), re.DOTALL)
PADDING = re.compile(rb"\s{99,}")  # room for programs that change XMP where it stands


@dataclass
class Metadata:
    """What is to go with the pixels into another file."""

    tags: Tags = field(default_factory=Tags)
    xmp: bytes = b""
    resources: dict[int, bytes] = field(default_factory=dict)  # Photoshop's, by number
    texts: dict[str, str] = field(default_factory=dict)  # of a PNG, by keyword
    comment: bytes = b""
    dpi: tuple[float, float] | None = None


def read_metadata(file: BinaryIO, info: dict[Any, Any], texts: dict[str, str] | None = None) -> Metadata:
    """Of a file, and of what Pillow found in it (`Image.info` and, of a PNG, `Image.text`)."""
    file.seek(0)
    if file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        found = _of_tiff(read_tags(file, STRUCTURE))
    else:
        exif = _bytes(info.get("exif")) or raw_profile(texts, "exif")
        tags = read_tags(io.BytesIO(exif.removeprefix(b"Exif\0\0")), STRUCTURE)
        held = info.get("photoshop")
        resources = held if isinstance(held, dict) else {}
        found = Metadata(tags, _bytes(info.get("xmp")), {n: d for n, d in resources.items() if n in WORDS})
        found.resources = found.resources or read_resources(raw_profile(texts, "iptc"))
        for tag in (XMP, IPTC, PHOTOSHOP):  # of a TIFF that became a JPEG
            tags.main.pop(tag, None)
        found.dpi = _sound(info.get("dpi"))
    found.comment = _bytes(info.get("comment"))
    found.texts = {k: v for k, v in (texts or {}).items() if not k.startswith(("Raw profile type ", "XML:com.adobe"))}
    found.xmp = PADDING.sub(b"\n", OLD_XMP.sub(b"", found.xmp.rstrip(b"\0 ")))
    _leave_behind(found.tags)
    found.dpi = found.dpi or _resolution(found.tags)
    return found


def _of_tiff(tags: Tags) -> Metadata:
    xmp, iptc, photoshop = (value.data if (value := tags.main.pop(t, None)) else b"" for t in (XMP, IPTC, PHOTOSHOP))
    resources = read_resources(photoshop)
    if iptc:
        resources.setdefault(IPTC_RESOURCE, iptc)
    return Metadata(tags, xmp, resources)


def _leave_behind(tags: Tags) -> None:
    for tag in OLD_PICTURE & tags.exif.keys():
        del tags.exif[tag]
    if COLOR_SPACE in tags.exif:
        tags.exif[COLOR_SPACE] = short(1)  # sRGB, as what is written
    for tag in (X_RESOLUTION, Y_RESOLUTION):  # 0/0, negative ones and texts say nothing, and libtiff calls them errors
        if not _quotient(tags.main.get(tag)):
            tags.main.pop(tag, None)
    if (described := tags.main.get(DESCRIPTION)) and described.data.startswith(STACK):
        del tags.main[DESCRIPTION]


def _resolution(tags: Tags) -> tuple[float, float] | None:
    """In dots per inch, from the tags."""
    unit = tags.main.get(UNIT, short(2)).data[:1]
    both = [_quotient(tags.main.get(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION)]
    scale = {b"\2": 1.0, b"\3": 2.54}.get(unit, 0.0)
    return _sound([scale * one for one in both])


def _quotient(value: Value | None) -> float:
    if value is None or value.kind != FRACTION:
        return 0.0
    above, below = struct.unpack("<II", value.data[:8])
    return above / below if below else 0.0


def _sound(dpi: Any) -> tuple[float, float] | None:
    """A resolution that a file can hold."""
    try:
        x, y = (float(one) for one in (dpi if isinstance(dpi, tuple | list) else ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(one) and 1 <= one < 65535 for one in (x, y)) else None


def with_resolution(metadata: Metadata) -> Tags:
    """The tags, with a resolution that stood elsewhere in the file."""
    tags = metadata.tags
    if metadata.dpi and X_RESOLUTION not in tags.main:
        x, y = metadata.dpi
        main = {**tags.main, X_RESOLUTION: fraction(x), Y_RESOLUTION: fraction(y), UNIT: short(2)}
        return Tags(main, tags.exif, tags.gps)
    return tags


def read_resources(data: bytes) -> dict[int, bytes]:
    """Those of Photoshop's image resources that hold words (Adobe Photoshop file formats, "Image resource blocks")."""
    found, at = {}, data.find(b"8BIM")
    while at >= 0 and data[at : at + 4] == b"8BIM" and len(data) >= at + 12:
        number, name = int.from_bytes(data[at + 4 : at + 6], "big"), data[at + 6]
        at += 6 + (name + 2) // 2 * 2
        size = int.from_bytes(data[at : at + 4], "big")
        if number in WORDS:
            found[number] = data[at + 4 : at + 4 + size]
        at += 4 + (size + 1) // 2 * 2
    return found


def resource_block(resources: dict[int, bytes]) -> bytes:
    """The same, written."""
    return b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for number, data in sorted(resources.items())
    )


def raw_profile(texts: dict[str, str] | None, kind: str) -> bytes:
    """A block that ImageMagick and ExifTool keep as hexadecimal digits in a text of a PNG."""
    words = (texts or {}).get(f"Raw profile type {kind}", "").split()
    try:
        return bytes.fromhex("".join(words[2:]))
    except ValueError:
        return b""


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace") if isinstance(value, str) else b""
