"""TIFF files: which page is the photograph, and what its samples mean (TIFF 6.0 and its supplements).

tifffile reads what it can by itself; Pillow's libtiff what is compressed otherwise (LZW, JPEG, fax), where it knows the
kind; imagecodecs the rest, where it is installed. H W picture, S samples of a pixel.
"""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from colorize.imaging.color_management import Levels, Range
from colorize.imaging.raster import DecodeError, Raster
from colorize.imaging.tiff_parts import DEFLATE, Grid, TiffPart, inflate, page_memory, page_parts, paste_part
from colorize.imaging.tiff_samples import (
    BLACK_IS_ZERO,
    CMYK,
    COLOURS,
    ICC_LAB,
    LAB,
    PLAIN,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    interpret,
    levels_of,
    read_tiff_samples,
    read_ycbcr,
    tag_of,
)

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PAGES = 200  # that are looked at
DNG_VERSION = 50706
RAW = (32803, 34892)  # colour filter arrays and linear raw data: a camera's
NAMES = {10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv", 51177: "a depth map", 52527: "a mask"}
FAX = (2, 3, 4)
WEBP = 50001

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of what is odd; what matters is raised


def read_tiff(file: BinaryIO, check: Callable[[int, int, float], None], keep_depth: bool = False) -> Raster:
    """The first page, or the largest where that is a thumbnail.

    Before it is decoded, `check` is told its width, its height and the memory that it takes. Raises whatever goes
    wrong.
    """
    file.seek(0)
    with tifffile.TiffFile(file) as tif:
        pages = list(_pages(tif))
        if not pages:
            raise DecodeError("its header is cut short or damaged", "truncated")
        largest = max(pages, key=_area)
        page = pages[0] if 2 * _area(pages[0]) >= _area(largest) else largest  # pages of one size differ a little
        check(page.imagewidth, page.imagelength, page_memory(page, _photometric(page), _bits(page)))
        raster = _read(file, page, _number(tif, page), keep_depth)
        _note_pages(raster, pages, page)
        return raster


def _pages(tif: tifffile.TiffFile) -> Iterator[tifffile.TiffPage]:
    """Photographs and their thumbnails, sub-directories behind their page, until a directory is broken or met again."""
    met = set()
    for number in range(PAGES):
        try:
            page = tif.pages[number]
        except Exception:  # a later page may be damaged in every way; the earlier ones are not
            return
        if page.offset in met:
            return
        met.add(page.offset)
        for one in (page, *_sub_pages(page)):
            if isinstance(one, tifffile.TiffPage) and one.imagewidth and one.imagelength and not one.is_mask:
                yield one


def _sub_pages(page: Any) -> list[Any]:
    try:
        return list(page.pages or ())[:PAGES]
    except Exception:  # as above
        return []


def _area(page: tifffile.TiffPage) -> int:
    return page.imagewidth * page.imagelength


def _number(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> int | None:
    """By which Pillow finds the page; None of a sub-directory."""
    return page.index if len(page.treeindex) == 1 and tif.pages[page.index] is page else None


def _note_pages(raster: Raster, pages: list[tifffile.TiffPage], page: tifffile.TiffPage) -> None:
    first = pages[0]
    if page is first and sum(2 * _area(one) >= _area(page) for one in pages) > 1:
        raster.record("animated", f"it has {len(pages)} pages: the first one is painted")
    elif page is not first:
        raster.notes.append(
            f"its first page has {first.imagewidth}×{first.imagelength} pixels: the largest, "
            f"{page.imagewidth}×{page.imagelength}, is painted"
        )


def _read(file: BinaryIO, page: tifffile.TiffPage, number: int | None, keep_depth: bool) -> Raster:
    kind, bits = _photometric(page), _bits(page)
    _refuse(page, kind)
    _check_segments(file, page)
    orientation = tag_of(page, 274, 1)
    raster = Raster(
        Image.new("L", (1, 1)), mode=f"{bits} bits", orientation=orientation if isinstance(orientation, int) else 1,
        profile=page.iccprofile if isinstance(page.iccprofile, bytes) else None, keep_depth=keep_depth,
    )  # fmt: skip
    if bits > 8:
        raster.record("16-bit", f"it has {bits} bits a sample, of which 8 are kept")
    levels = levels_of(page, bits)
    by_pillow = page.compression not in PLAIN and _pillow_reads(page, kind, bits, number)
    if (grid := Grid(page, bits)).is_whole:
        _pixels(raster, file, page, number if by_pillow else None, kind, levels)
    else:
        _in_parts(raster, partial(page_parts, file, page, grid), page, 0 if by_pillow else None, kind, levels)
    return raster


def _in_parts(
    raster: Raster, cut: Callable[[], Iterator[TiffPart]], page: Any, number: int | None, kind: int, levels: Levels
) -> None:
    """As most samples fill their type, that is assumed; where they turn out not to, the parts are read once more."""
    size, profile = (page.imagewidth, page.imagelength), raster.profile
    levels.assume()
    while True:
        for left, top, data in cut():
            part = Raster(Image.new("L", (1, 1)), profile=profile, keep_depth=raster.keep_depth)
            with io.BytesIO(data) as small, tifffile.TiffFile(small) as tif:
                _pixels(part, small, tif.pages.first, number, kind, levels)
            paste_part(raster, part, (left, top), size)
        span = levels.range()
        if levels.is_empty or span[:2] == (levels.assumed or span)[:2]:
            break
        levels.assumed = Range(*span[:2])
    raster.record_range(span.note)


def _photometric(page: tifffile.TiffPage) -> int:
    """What the samples mean; where nothing tells, what libtiff takes."""
    kind = page.tags.get(262)
    if kind is None:
        return RGB if page.samplesperpixel >= 3 else WHITE_IS_ZERO if page.compression in FAX else BLACK_IS_ZERO
    return BLACK_IS_ZERO if kind.value == RGB and page.samplesperpixel < 3 else int(kind.value)


def _bits(page: tifffile.TiffPage) -> int:
    every = tag_of(page, 258, 1)
    every = set(every) if isinstance(every, tuple) else {every}
    if len(every) != 1:
        raise DecodeError(f"its samples have different numbers of bits ({sorted(every)}), which is not read here")
    return int(every.pop())


def _refuse(page: tifffile.TiffPage, kind: int) -> None:
    if kind in RAW or (page.is_reduced and DNG_VERSION in page.tags):
        raise DecodeError("it is a camera's raw file: develop it first, or save it as TIFF or JPEG")
    if kind in NAMES or (kind == CMYK and tag_of(page, 332, 1) != 1) or page.sampleformat not in (1, 2, 3, 4):
        what = NAMES.get(kind, "inks other than CMYK" if kind == CMYK else "complex numbers")
        raise DecodeError(f"its pixels are {what}, which is not read here: save it as RGB or grey")
    if page.imagedepth > 1:
        raise DecodeError("it holds a volume and no photograph")


def _check_segments(file: BinaryIO, page: tifffile.TiffPage) -> None:
    """tifffile fills what is not there with black."""
    end = file.seek(0, 2)
    if not page.dataoffsets or len(page.dataoffsets) != len(page.databytecounts):
        raise DecodeError("it does not say where its pixels are", "truncated")
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        if start <= 0 or size <= 0 or start + size > end:
            raise DecodeError("its pixels are said to lie beyond its end: it is cut short", "truncated")
        if page.compression in DEFLATE and 1032 * size > 2**26:  # deflate packs no more than that
            _check_inflated(file, start, size, 2**26 + 2 * page.nbytes)


def _check_inflated(file: BinaryIO, start: int, size: int, most: int) -> None:
    """Raises `DecodeError` where it would fill memory."""
    for chunk in inflate(file, start, size):
        most -= len(chunk)
        if most <= 0:
            raise DecodeError("its packed data are longer than its picture", "enormous")


def _pillow_reads(page: tifffile.TiffPage, kind: int, bits: int, number: int | None) -> bool:
    """Whether Pillow has this kind of page right."""
    if number is None or page.sampleformat == 2 or kind in (LAB, ICC_LAB) or page.compression == WEBP:
        return False
    if page.sampleformat == 3 and page.parent.byteorder == ">":
        return False
    extra = page.samplesperpixel > COLOURS.get(kind, 1)
    if page.planarconfig == 2 and extra and not (kind == RGB and page.extrasamples):
        return False
    if page.samplesperpixel == 1:
        return bits in (1, 2, 4, 8, 12, 16, 32)
    return bits == 8 or (bits == 16 and kind in (RGB, CMYK) and page.planarconfig == 1)


def _pixels(raster: Raster, file: BinaryIO, page: Any, number: int | None, kind: int, levels: Levels) -> None:
    """Of a page, or of a part of one; by Pillow, where the page has a number."""
    if number is not None:
        file.seek(0)
        with suppress(Image.UnidentifiedImageError):
            _through_pillow(raster, Image.open(file, formats=("TIFF",)), page, number, kind, levels)
            return
    if kind == YCBCR:
        interpret(raster, page, read_ycbcr(file, page), RGB, levels)
    else:
        interpret(raster, page, read_tiff_samples(file, page, levels.bits), kind, levels)


def _through_pillow(raster: Raster, image: Image.Image, page: Any, number: int, kind: int, levels: Levels) -> None:
    image.seek(number)
    image.load()  # turned as its tag says
    if raster.orientation > 1:
        raster.record("rotated")
        raster.orientation = 1
    if image.mode == "F" or image.mode.startswith("I"):
        samples = np.asarray(image)[..., None]
        samples = samples.view(np.uint32) if image.mode == "I" and page.sampleformat == 1 else samples
        interpret(raster, page, samples, kind, levels)
        return
    raster.image = image
    raster.image.info = {}
    if raster.image.mode not in ("RGBa", "LA", "La", "RGBA", "PA") and page.samplesperpixel > COLOURS.get(kind, 1):
        raster.notes.append("its extra channels (infrared, perhaps) are no colour, and left out")
