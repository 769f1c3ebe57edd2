"""Blocks of metadata: tags of TIFF files and of EXIF (TIFF 6.0; Exif 2.32), and Photoshop's image resources.

Values are copied byte by byte and never interpreted; entries that point outside the file are left out.
"""

import io
import math
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes of a value, by its type
WORDS = {**SIZES, 5: 4, 10: 4}  # bytes that change their order together: a fraction is two numbers
BYTE, TEXT, SHORT, LONG, FRACTION, UNDEFINED = 1, 2, 3, 4, 5, 7
EXIF, GPS = 0x8769, 0x8825  # tags of the main directory that point to the others
MAX_BYTES = 2**26  # of all values together


class Value(NamedTuple):
    kind: int  #   the type's number
    length: int  # how many numbers, or bytes
    data: bytes  # little-endian


Directory = dict[int, Value]


@dataclass
class Tags:
    """The main directory, and the EXIF and GPS directories that it points to."""

    main: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)


def short_value(number: int) -> Value:
    return Value(SHORT, 1, struct.pack("<H", number))


def text_value(data: bytes) -> Value:
    return Value(TEXT, len(data) + 1, data + b"\0")


def rational_value(number: float) -> Value:
    return Value(FRACTION, 1, struct.pack("<II", round(number * 100), 100))


def read_tags(file: BinaryIO, skipped: frozenset[int] = frozenset(), at: int = 0) -> Tags:
    """The tags of the first page of a TIFF or BigTIFF file (or of the one whose directory begins `at` a byte), or of an
    EXIF block, without those that are `skipped`.

    Damaged entries are left out; of a block that cannot be read at all, the result has no tags.
    """
    reader = _Reader(file, skipped)
    main = reader.directory(at or reader.first)
    found = Tags(main)
    for tag, into in ((EXIF, found.exif), (GPS, found.gps)):
        if (pointer := main.pop(tag, None)) and len(pointer.data) >= 4:
            directory = reader.directory(int.from_bytes(pointer.data[:8], "little"))
            into.update({tag: value for tag, value in directory.items() if tag not in (EXIF, GPS)})
    return found


class _Reader:
    def __init__(self, file: BinaryIO, skipped: frozenset[int]):
        self.file, self.skipped, self.left = file, skipped, MAX_BYTES
        file.seek(0)
        head = file.read(16)
        self.order = ">" if head.startswith(b"MM") else "<"
        self.big = head[2:4] in (b"\0+", b"+\0")
        self.entry = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        known = head[:2] in (b"II", b"MM") and (self.big or head[2:4] in (b"\0*", b"*\0"))
        self.first = self._number(head[8:16] if self.big else head[4:8]) if known else 0

    def directory(self, at: int) -> Directory:
        if not at:
            return {}
        self.file.seek(at)
        count = min(self._number(self.file.read(8 if self.big else 2)), 65535)
        rows = self.file.read(count * self.entry.size)
        found: Directory = {}
        for tag, kind, count, held in self.entry.iter_unpack(rows[: len(rows) // self.entry.size * self.entry.size]):
            kind = LONG if kind == 13 else kind  # 13 points to a directory
            size = count * SIZES.get(kind, 0)
            if not size or tag in self.skipped or tag in found or size > self.left:
                continue
            if size > len(held):
                self.file.seek(self._number(held))
                held = self.file.read(size)
            if len(held) >= size:
                found[tag] = Value(kind, count, self._little(held[:size], WORDS[kind]))
                self.left -= size
        return found

    def _number(self, data: bytes) -> int:
        number = int.from_bytes(data, "big" if self.order == ">" else "little")
        return number if number < 2**62 else 0  # no file is so long

    def _little(self, data: bytes, word: int) -> bytes:
        return (
            data if self.order == "<" or word == 1 else np.frombuffer(data, f">u{word}").astype(f"<u{word}").tobytes()
        )


def exif_block(tags: Tags) -> bytes:
    """The tags as the body of an EXIF block; no bytes where there are none."""
    return b"II*\0\x08\0\0\0" + _directories(tags, 8) if tags.main or tags.exif or tags.gps else b""


def add_tags(path: Path, tags: Tags) -> None:
    """Add tags to a TIFF file of one page (little-endian, under 4 GB) that has been written; its own stay, but for the
    resolution."""
    if not (tags.main or tags.exif or tags.gps):
        return
    with path.open("r+b") as file:
        own = read_tags(file)
        end = file.seek(0, io.SEEK_END)
        file.write(b"\0" * (end % 2))  # directories begin at even places
        start = file.tell()
        resolution = {tag: tags.main[tag] for tag in (X_RESOLUTION, Y_RESOLUTION, UNIT) if tag in tags.main}
        file.write(_directories(Tags({**tags.main, **own.main, **resolution}, tags.exif, tags.gps), start))
        file.seek(4)
        file.write(struct.pack("<I", start))


def _directories(tags: Tags, at: int) -> bytes:
    pointers = {tag: part for tag, part in ((EXIF, tags.exif), (GPS, tags.gps)) if part}
    zeros = {tag: Value(LONG, 1, bytes(4)) for tag in pointers}
    place, parts, main = at + len(_directory({**tags.main, **zeros}, at)), [], dict(tags.main)
    for tag, part in pointers.items():
        main[tag] = Value(LONG, 1, struct.pack("<I", place))
        parts.append(_directory(part, place))
        place += len(parts[-1])
    return b"".join([_directory(main, at), *parts])


def _directory(directory: Directory, at: int) -> bytes:
    """A directory that begins at byte `at`, and its values behind it."""
    rows, values = [], b""
    behind = at + 2 + 12 * len(directory) + 4
    for tag, (kind, count, data) in sorted(directory.items()):
        place = data.ljust(4, b"\0")
        if len(data) > 4:
            place = struct.pack("<I", behind + len(values))
            values += data + b"\0" * (len(data) % 2)
        rows.append(struct.pack("<HHI", tag, kind, count) + place)
    return struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4) + values


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
# Tags of the EXIF directory that describe the source file: its compression, size, related files and colour space
OLD_PICTURE = frozenset([37121, 37122, 40962, 40963, 40965, 42240])
# Photoshop's resources that hold text: IPTC, the copyright flag, the address of the copyright owner
IPTC_RESOURCE = 1028
WORD_RESOURCES = (IPTC_RESOURCE, 1034, 1035)
# Texts of a PNG that have a tag of their own
NAMED = {"Author": ARTIST, "Artist": ARTIST, "Copyright": COPYRIGHT, "Description": DESCRIPTION, "Title": DESCRIPTION,
         "Software": SOFTWARE}  # fmt: skip
STACK = (b"ImageJ=", b'{"shape":', b"<?xml", b"<OME")  # descriptions that list the pages of an image stack
OLD_PIXELS = (
    rb"(?:tiff:(?:Orientation|ImageWidth|ImageLength|BitsPerSample|Compression|PhotometricInterpretation|"
    rb"SamplesPerPixel|PlanarConfiguration|YCbCr\w+)|exif:(?:Pixel[XY]Dimension|ColorSpace)|"
    rb"photoshop:(?:ColorMode|ICCProfile))"
)  # the same in XMP, as attributes and as elements
OLD_XMP = re.compile(
    rb"\s%b\s*=\s*(?:\"[^\"]*\"|'[^']*')|<(%b)\b[^>]*>.*?</\1\s*>" % (OLD_PIXELS, OLD_PIXELS), re.DOTALL
)
PADDING = re.compile(rb"\s{99,}")  # room for programs that change XMP where it stands


def drop_old_pixels(tags: Tags) -> None:
    for tag in OLD_PICTURE & tags.exif.keys():
        del tags.exif[tag]
    if COLOR_SPACE in tags.exif:
        tags.exif[COLOR_SPACE] = short_value(1)  # sRGB, as what is written
    for tag in (X_RESOLUTION, Y_RESOLUTION):  # 0/0, negative ones and texts say nothing, and libtiff calls them errors
        if not _quotient(tags.main.get(tag)):
            tags.main.pop(tag, None)
    if (described := tags.main.get(DESCRIPTION)) and described.data.startswith(STACK):
        del tags.main[DESCRIPTION]


def resolution_of(tags: Tags) -> tuple[float, float] | None:
    """In dots per inch, from the tags."""
    unit = tags.main.get(UNIT, short_value(2)).data[:1]
    both = [_quotient(tags.main.get(tag)) for tag in (X_RESOLUTION, Y_RESOLUTION)]
    scale = {b"\2": 1.0, b"\3": 2.54}.get(unit, 0.0)
    return sound_resolution([scale * one for one in both])


def _quotient(value: Value | None) -> float:
    if value is None or value.kind != FRACTION:
        return 0.0
    above, below = struct.unpack("<II", value.data[:8])
    return above / below if below else 0.0


def sound_resolution(dpi: Any) -> tuple[float, float] | None:
    """A resolution that a file can hold."""
    try:
        x, y = (float(one) for one in (dpi if isinstance(dpi, tuple | list) else ()))
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(one) and 1 <= one < 65535 for one in (x, y)) else None


def read_resources(data: bytes) -> dict[int, bytes]:
    """Those of Photoshop's image resources that hold words (Adobe Photoshop file formats, "Image resource blocks")."""
    found, at = {}, data.find(b"8BIM")
    while at >= 0 and data[at : at + 4] == b"8BIM" and len(data) >= at + 12:
        number, name = int.from_bytes(data[at + 4 : at + 6], "big"), data[at + 6]
        at += 6 + (name + 2) // 2 * 2
        size = int.from_bytes(data[at : at + 4], "big")
        if number in WORD_RESOURCES:
            found[number] = data[at + 4 : at + 4 + size]
        at += 4 + (size + 1) // 2 * 2
    return found


def resource_block(resources: dict[int, bytes]) -> bytes:
    """Image resources by number -> the block that holds them."""
    return b"".join(
        b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)
        for number, data in sorted(resources.items())
    )


def raw_profile(texts: dict[str, str] | None, kind: str) -> bytes:
    """The block that ImageMagick and ExifTool write as hexadecimal digits into a text of a PNG; empty without one."""
    words = (texts or {}).get(f"Raw profile type {kind}", "").split()
    try:
        return bytes.fromhex("".join(words[2:]))
    except ValueError:
        return b""
