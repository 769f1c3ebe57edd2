"""A large page of a TIFF as many small TIFF files, so that its samples are never in memory all at once.

Each holds some strips or tiles with the tags that say what samples are: whatever reads a TIFF reads it. Strips without
compression and of deflate are cut between rows, however large; of other compressions (LZW, PackBits, LZMA, JPEG, …) a
strip or tile is read whole, and so are tiles of any. A page of one such strip or tile is not cut at all.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import tifffile
from PIL import Image

from colorize.imaging.raster import DecodeError, Raster
from colorize.imaging.tiff_samples import CMYK, COLOURS, LAB, PALETTE
from colorize.imaging.transforms import part_alpha

PART = 2**22  #  bytes of samples in a part
CHUNK = 2**20  # bytes that are unpacked at a time
DEFLATE = (8, 32946)
OLD_JPEG = 6  #  whose tags point to places in the file
# Bits, compression, photometric interpretation, order of bits, samples, planes, fax, predictor, palette, inks, extra
# samples, format of samples, JPEG's tables, YCbCr
KEPT = (258, 259, 262, 266, 277, 284, 292, 293, 317, 320, 332, 338, 339, 347, 529, 530, 531, 532)
WIDTH, LENGTH, STRIP_OFFSETS, ROWS, STRIP_BYTES = 256, 257, 273, 278, 279
TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES = 322, 323, 324, 325
SHORT, LONG = 3, 4


class TiffPart(NamedTuple):
    left: int
    top: int
    data: bytes  # of a TIFF file


class Grid:
    """How strips (which are as wide as the page) or tiles lie in the planes of a page, and what they take."""

    def __init__(self, page: tifffile.TiffPage, bits: int):
        width, height = page.imagewidth, page.imagelength
        self.wide, self.high = width, min(page.rowsperstrip or height, height)
        if page.is_tiled:
            self.wide, self.high = page.tilewidth, page.tilelength
        self.planes = page.samplesperpixel if page.planarconfig == 2 else 1
        self.columns, self.rows = -(-width // self.wide), -(-height // self.high)
        samples = self.wide * page.samplesperpixel
        self.packed = -(-samples // self.planes * bits // 8)  # bytes of a row of one plane as it is stored
        self.unpacked = samples * 2 ** max(0, (bits - 1).bit_length() - 3)  # of a row of all planes as numbers
        between = page.fillorder == 1 and page.compression in DEFLATE
        self.is_cut = not page.is_tiled and not page.is_subsampled and (page.compression == 1 or between)
        self.is_cut = self.is_cut and self.high * self.unpacked > PART
        regular = len(page.dataoffsets) == self.planes * self.columns * self.rows
        self.is_whole = (
            self.unpacked * self.columns * height <= PART or not regular or page.compression == OLD_JPEG
            or page.jpegheader is not None or bits == 24 or (self.columns * self.rows == 1 and not self.is_cut)
        )  # fmt: skip
        segment = PART if self.is_cut else self.high * self.unpacked
        self.largest = self.unpacked * self.columns * height if self.is_whole else max(PART, segment)  # held at a time


def page_memory(page: tifffile.TiffPage, kind: int, bits: int) -> int:
    """Bytes of memory in which a page of this photometric interpretation is decoded: the picture of 8 bits, a second
    time where it has to be turned or converted to RGB, and the samples that are held beside it, packed and unpacked."""
    grid, count = Grid(page, bits), COLOURS.get(kind, 1)
    each = (4 if count > 1 or kind in (PALETTE, LAB) else 1) + (page.samplesperpixel > count)
    turned = 274 in page.tags and page.tags[274].value != 1
    pixels = page.imagewidth * page.imagelength
    return pixels * each * (2 if turned or kind in (CMYK, PALETTE) else 1) + 2 * grid.largest


def page_parts(file: BinaryIO, page: tifffile.TiffPage, grid: Grid) -> Iterator[TiffPart]:
    """The rectangles of a page that is not whole. Raises `DecodeError` for strips that end too early."""
    if grid.is_cut:
        yield from _cut(file, page, grid)
        return
    count = max(1, PART // (grid.high * grid.unpacked))  # segments of a plane in a part
    across, down = (min(count, grid.columns), 1) if page.is_tiled else (1, min(count, grid.rows))
    for row in range(0, grid.rows, down):
        for column in range(0, grid.columns, across):
            left, top = column * grid.wide, row * grid.high
            width = min(across * grid.wide, page.imagewidth - left)
            height = min(down * grid.high, page.imagelength - top)
            first = row * grid.columns + column
            last = min(first + max(across, down), (row + down) * grid.columns, grid.rows * grid.columns)
            every = grid.columns * grid.rows
            places = [plane * every + place for plane in range(grid.planes) for place in range(first, last)]
            segments = [_stored(file, page, place) for place in places]
            yield TiffPart(left, top, _file(file, page, (width, height), grid.high, segments))


def paste_part(raster: Raster, part: Raster, place: tuple[int, int], size: tuple[int, int]) -> None:
    """Add a rectangle at left, top to the picture; `size` is the whole picture's."""
    image, alpha = (part.image, part.alpha) if part.alpha else part_alpha(part.image)
    if raster.image.size != size or raster.image.mode != image.mode:
        raster.image = Image.new(image.mode, size)
        raster.alpha = None if alpha is None else Image.new("L", size)
        if image.palette:
            raster.image.putpalette(image.palette)
    raster.image.paste(image, place)
    if raster.alpha is not None and alpha is not None:
        raster.alpha.paste(alpha, place)
    raster.profile, raster.is_scaled = part.profile, part.is_scaled
    raster.conversions += [key for key in part.conversions if key not in raster.conversions]
    raster.notes += [note for note in part.notes if note not in raster.notes]


def _stored(file: BinaryIO, page: tifffile.TiffPage, place: int) -> bytes:
    file.seek(page.dataoffsets[place])
    return file.read(page.databytecounts[place])


def _cut(file: BinaryIO, page: tifffile.TiffPage, grid: Grid) -> Iterator[TiffPart]:
    """Rows of strips that are too large."""
    step = max(1, PART // grid.unpacked)
    for row in range(grid.rows):
        high = min(grid.high, page.imagelength - row * grid.high)
        heights = [min(step, high - first) for first in range(0, high, step)]
        planes = [
            _rows(file, page, plane * grid.rows + row, [height * grid.packed for height in heights])
            for plane in range(grid.planes)
        ]
        top = row * grid.high
        for height, *segments in zip(heights, *planes, strict=True):
            yield TiffPart(0, top, _file(file, page, (page.imagewidth, height), height, segments))
            top += height


def _rows(file: BinaryIO, page: tifffile.TiffPage, place: int, sizes: list[int]) -> Iterator[bytes]:
    """A strip in pieces of so many bytes; what was deflated is stored again in deflate's form, without compression."""
    start, packed = page.dataoffsets[place], page.compression != 1
    chunks = inflate(file, start, page.databytecounts[place]) if packed else _chunks(file, start, sum(sizes))
    held = bytearray()
    for size in sizes:
        while len(held) < size:
            held += next(chunks, b"") or _ended()
        piece = bytes(held[:size])
        del held[:size]
        yield zlib.compress(piece, 0) if packed else piece


def _ended() -> bytes:
    raise DecodeError("its pixels end before the picture is complete", "truncated")


def _chunks(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    for place in range(start, start + length, CHUNK):
        file.seek(place)  # others read in between
        yield file.read(min(CHUNK, start + length - place))


def inflate(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    """What is deflated in a part of a file, some of it at a time."""
    unpack = zlib.decompressobj()
    for data in _chunks(file, start, length):
        while data and not unpack.eof:
            if found := unpack.decompress(data, CHUNK):
                yield found
            data = unpack.unconsumed_tail
    if rest := unpack.flush():
        yield rest


def _file(file: BinaryIO, page: tifffile.TiffPage, size: tuple[int, int], high: int, segments: list[bytes]) -> bytes:
    """A TIFF of one page with these strips or tiles, in the order of bytes of the file that they come from."""
    order = page.parent.byteorder
    entries: dict[int, tuple[int, int, bytes]] = {}
    for tag in (page.tags[code] for code in KEPT if code in page.tags):
        file.seek(tag.valueoffset)
        entries[tag.code] = int(tag.dtype), tag.count, file.read(tag.valuebytecount)
    numbers = {WIDTH: [size[0]], LENGTH: [size[1]]}
    offsets, place = [], 8
    for segment in segments:
        offsets.append(place)
        place += len(segment) + len(segment) % 2
    sizes = [len(segment) for segment in segments]
    if page.is_tiled:
        numbers |= {TILE_WIDTH: [page.tilewidth], TILE_LENGTH: [high], TILE_OFFSETS: offsets, TILE_BYTES: sizes}
    else:
        numbers |= {ROWS: [min(high, size[1])], STRIP_OFFSETS: offsets, STRIP_BYTES: sizes}
    for code, values in numbers.items():
        entries[code] = LONG, len(values), struct.pack(f"{order}{len(values)}I", *values)
    body = b"".join(segment + bytes(len(segment) % 2) for segment in segments)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, place)
    return b"".join([head, body, _directory(entries, place, order)])


def _directory(entries: dict[int, tuple[int, int, bytes]], at: int, order: str) -> bytes:
    """That begins at byte `at`, and its values behind it."""
    rows, values, behind = [], b"", at + 2 + 12 * len(entries) + 4
    for code, (kind, count, data) in sorted(entries.items()):
        held = data.ljust(4, b"\0")
        if len(data) > 4:
            held = struct.pack(f"{order}I", behind + len(values))
            values += data + bytes(len(data) % 2)
        rows.append(struct.pack(f"{order}HHI", code, kind, count) + held)
    return struct.pack(f"{order}H", len(rows)) + b"".join(rows) + bytes(4) + values
