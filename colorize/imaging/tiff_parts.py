"""Strips and tiles of a TIFF page, decoded a few at a time, so that its samples are never in memory all at once.

Strips without compression and of deflate are cut between rows, however large they are; strips of other compressions
(LZW, PackBits, LZMA, JPEG, …) and tiles are decoded whole. H W page or part of it, S samples of a pixel.
"""

import io
import zlib
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from typing import BinaryIO

import numpy as np
import tifffile
from PIL import Image

from colorize.imaging.raster import DecodeError, Raster
from colorize.imaging.tiff_samples import CMYK, COLOURS, JPEG, LAB, PALETTE, subsampled_to_rgb

# Left and top; and samples (H, W, S) as they are stored, but subsampled YCbCr and JPEGs of YCbCr as RGB
Part = tuple[tuple[int, int], np.ndarray]
PART = 2**22  #  bytes of samples in a part
CHUNK = 2**20  # bytes that are unpacked at a time
DEFLATE = (8, 32946)
ENCODED = ("JPEG", "JPEG2000", "PNG", "WEBP")  # formats in which a strip or tile is a picture with a size of its own


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
        segment = 0 if self.is_cut else self.high * self.unpacked
        self.largest = min(max(PART, segment), self.unpacked * self.columns * height)  # bytes that are held at a time


def page_memory(page: tifffile.TiffPage, kind: int, bits: int) -> int:
    """Bytes of memory in which a page of this photometric interpretation is decoded: the picture of 8 bits, a second
    time where it has to be turned or converted to RGB, and the samples that are held beside it, packed and unpacked."""
    grid, count = Grid(page, bits), COLOURS.get(kind, 1)
    each = (4 if count > 1 or kind in (PALETTE, LAB) else 1) + (page.samplesperpixel > count)
    turned = page.tags.valueof(274, 1) != 1
    pixels = page.imagewidth * page.imagelength
    return pixels * each * (2 if turned or kind in (CMYK, PALETTE) else 1) + 2 * grid.largest


def page_parts(file: BinaryIO, page: tifffile.TiffPage, bits: int) -> Iterator[Part]:
    """The rectangles that make a page. Raises `DecodeError` for strips that end too early, and what codecs raise."""
    grid = Grid(page, bits)
    if grid.is_cut:
        yield from _cut(file, page, grid)
        return
    count = max(1, PART // (grid.high * grid.unpacked))  # segments of a plane in a part
    across, down = (min(count, grid.columns), 1) if page.is_tiled else (1, min(count, grid.rows))
    for row in range(0, grid.rows, down):
        for column in range(0, grid.columns, across):
            segments = [
                [
                    [_segment(file, page, (plane * grid.rows + y) * grid.columns + x) for plane in range(grid.planes)]
                    for x in range(column, min(column + across, grid.columns))
                ]
                for y in range(row, min(row + down, grid.rows))
            ]
            alone = down == across == grid.planes == 1  # then no copy is made
            left, top = column * grid.wide, row * grid.high
            samples = segments[0][0][0] if alone else np.block(segments)
            yield (left, top), samples[: page.imagelength - top, : page.imagewidth - left]


def paste_part(
    raster: Raster, image: Image.Image, alpha: Image.Image | None, place: tuple[int, int], size: tuple[int, int]
) -> None:
    """Add a rectangle at left, top to the picture; `size` is the whole picture's."""
    if image.size == size:
        raster.image, raster.alpha = image, alpha
        return
    if raster.image.size != size or raster.image.mode != image.mode:
        raster.image = Image.new(image.mode, size)
        raster.alpha = None if alpha is None else Image.new("L", size)
    raster.image.paste(image, place)
    if raster.alpha is not None and alpha is not None:
        raster.alpha.paste(alpha, place)


def _segment(file: BinaryIO, page: tifffile.TiffPage, place: int) -> np.ndarray:
    """A strip or tile of a plane, (H, W, S)."""
    file.seek(page.dataoffsets[place])
    data = file.read(page.databytecounts[place])
    if page.is_subsampled and page.compression not in JPEG:
        return subsampled_to_rgb(page, data, place)
    if page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS:
        with suppress(Image.UnidentifiedImageError):  # what it is not is for the codec to say
            width, height = Image.open(io.BytesIO(data), formats=ENCODED).size
            if width * height > max(2**22, 4 * page.imagewidth * page.imagelength):
                raise DecodeError("a part of it is said to be larger than its picture", "enormous")
    return _decoded(page, data, place)


def _decoded(page: tifffile.TiffPage, data: bytes, place: int) -> np.ndarray:
    decoded, _, _ = page.decode(data, place, jpegtables=page.jpegtables, jpegheader=page.jpegheader)
    samples = np.asarray(decoded)[0]
    if page.bitspersample == 24 and samples.dtype.kind == "u":  # whose bytes have the order of the file, as in libtiff
        samples = samples.byteswap() >> (8 if page.parent.byteorder == "<" else 0)
    return samples


def _cut(file: BinaryIO, page: tifffile.TiffPage, grid: Grid) -> Iterator[Part]:
    """Some rows at a time: they are decoded as strips of a page without compression that has strips of so many rows."""
    rows = copy(page)
    rows.rowsperstrip, rows.compression = max(1, PART // grid.unpacked), 1
    for cached in ("decode", "hash"):
        vars(rows).pop(cached, None)
    planes = [_strips(file, page, grid, plane, rows.rowsperstrip * grid.packed) for plane in range(grid.planes)]
    for place, strips in enumerate(zip(*planes, strict=True)):
        parts = [_decoded(rows, strip, place) for strip in strips]
        yield (0, place * rows.rowsperstrip), np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _strips(file: BinaryIO, page: tifffile.TiffPage, grid: Grid, plane: int, size: int) -> Iterator[bytes]:
    """A plane in pieces of so many bytes, unpacked."""
    held = bytearray()
    for row in range(grid.rows):
        place, left = plane * grid.rows + row, min(grid.high, page.imagelength - row * grid.high) * grid.packed
        start, length = page.dataoffsets[place], page.databytecounts[place]
        plain = page.compression == 1
        for chunk in _chunks(file, start, min(length, left)) if plain else _inflate(file, start, length, left):
            held += chunk[:left]
            left -= len(chunk[:left])
            while len(held) >= size:
                yield bytes(held[:size])
                del held[:size]
        if left:
            raise DecodeError("its pixels end before the picture is complete", "truncated")
    if held:
        yield bytes(held)


def _chunks(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    for place in range(start, start + length, CHUNK):
        file.seek(place)  # others read in between
        yield file.read(min(CHUNK, start + length - place))


def _inflate(file: BinaryIO, start: int, length: int, size: int) -> Iterator[bytes]:
    """`size` bytes, and what lies beyond them up to the checksum. Raises `DecodeError` where that shows damage."""
    unpack = zlib.decompressobj()
    for data in _chunks(file, start, length):
        while data and not unpack.eof:
            yield (chunk := unpack.decompress(data, CHUNK))
            size -= len(chunk)
            if size < -(2**26):
                raise DecodeError("its packed data are longer than its picture", "enormous")
            data = unpack.unconsumed_tail
    yield unpack.flush()
    if size < 0 and not unpack.eof:
        raise DecodeError("its compressed data are damaged", "truncated")
