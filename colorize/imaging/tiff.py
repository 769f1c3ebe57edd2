"""TIFF files: which page is the photograph, and what its samples mean (TIFF 6.0 and its supplements).

tifffile unpacks the samples, with imagecodecs. H W picture, S samples of a pixel.
"""

import logging
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import tifffile

from colorize.imaging.color_management import Levels
from colorize.imaging.raster import NOTHING, DecodeError, Raster
from colorize.imaging.tiff_parts import Grid, page_memory, page_parts, paste_part
from colorize.imaging.tiff_samples import (
    BLACK_IS_ZERO,
    CMYK,
    JPEG,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    interpret,
    ycbcr_to_rgb,
)

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PAGES = 200  # that are looked at
DNG_VERSION = 50706
RAW = (32803, 34892)  # colour filter arrays and linear raw data: a camera's
NAMES = {10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv", 51177: "a depth map", 52527: "a mask"}
FAX = (2, 3, 4)
OLD_JPEG = 6

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of what is odd; what matters is raised


def read_tiff(
    file: BinaryIO, check: Callable[[int, int, float], None], page_number: int | None = None, **options: Any
) -> Raster:
    """The first page, or the largest where that is a thumbnail; or a page of `photograph_pages`, from 0.

    `options` are `keep_depth` and `depth` of the raster. Before a page is decoded, `check` is told its width and height
    and the memory that it takes. Raises whatever goes wrong.
    """
    file.seek(0)
    with tifffile.TiffFile(file) as tif:
        pages = list(_pages(directories := list(_directories(tif))))
        if not pages:
            raise DecodeError("its header is cut short or damaged", "truncated")
        page = _main_page(pages) if page_number is None else photograph_pages(pages)[page_number]
        if page.compression == OLD_JPEG and (start := page.tags.valueof(513)):  # a whole JPEG: strips are parts of it
            ends = map(sum, zip(page.dataoffsets, page.databytecounts, strict=False))
            length = max(start[0] + page.tags.valueof(514, (0,))[0], *ends) - start[0]
            page.dataoffsets, page.databytecounts, page.rowsperstrip = start[:1], (length,), page.imagelength
        check(page.imagewidth, page.imagelength, page_memory(page, _photometric(page), _bits(page)))
        raster = _read(file, page, options)
        if page_number is None:
            _note_pages(raster, pages, page)
        if page_number in (None, len(photograph_pages(pages)) - 1) and _leads_on(tif, directories):
            raster.notes.append(f"its page {len(directories) + 1} cannot be read, nor any behind it")
        return raster


def page_offsets(file: BinaryIO) -> list[int]:
    """Where the directory of each photograph in a TIFF file begins; none in a file that cannot be read."""
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tif:
            return [page.offset for page in photograph_pages(list(_pages(_directories(tif))))]
    except Exception:  # a header can be damaged in every way; decoding says how
        return []


def photograph_pages(pages: list[tifffile.TiffPage]) -> list[tifffile.TiffPage]:
    """Those that are photographs: not what the file calls a smaller version of another, and at least half as large as
    the main one or called a page of several (TIFF 6.0, NewSubfileType)."""
    if not pages:
        return []
    main = _main_page(pages)
    return [
        page for page in pages
        if page is main or (not page.is_reduced and (page.is_multipage or 2 * _area(page) >= _area(main)))
    ]  # fmt: skip


def _main_page(pages: list[tifffile.TiffPage]) -> tifffile.TiffPage:
    largest = max(pages, key=_area)
    return pages[0] if 2 * _area(pages[0]) >= _area(largest) else largest  # pages of one size differ a little


def _directories(tif: tifffile.TiffFile) -> Iterator[Any]:
    """Those of the file, one behind the other, until one is broken or met again."""
    met = set()
    for number in range(PAGES):
        try:
            page = tif.pages[number]
        except Exception:  # a later page may be damaged in every way; the earlier ones are not
            return
        if page.offset in met:
            return
        met.add(page.offset)
        yield page


def _leads_on(tif: tifffile.TiffFile, directories: list[Any]) -> bool:
    """Whether the last of these directories names one behind it, which then is broken, and none that was met."""
    layout, last = tif.tiff, directories[-1]
    tif.filehandle.seek(last.offset)
    (tags,) = struct.unpack(layout.tagnoformat, tif.filehandle.read(layout.tagnosize))
    tif.filehandle.seek(last.offset + layout.tagnosize + tags * layout.tagsize)
    told = tif.filehandle.read(layout.offsetsize)
    offset = struct.unpack(layout.offsetformat, told)[0] if len(told) == layout.offsetsize else 0
    return len(directories) < PAGES and offset not in {0, *(each.offset for each in directories)}


def _pages(directories: Iterable[Any]) -> Iterator[tifffile.TiffPage]:
    """Photographs and their thumbnails, sub-directories behind their page."""
    for directory in directories:
        for one in (directory, *_sub_pages(directory)):
            if isinstance(one, tifffile.TiffPage) and one.imagewidth and one.imagelength and not one.is_mask:
                yield one


def _sub_pages(page: Any) -> list[Any]:
    try:
        return list(page.pages or ())[:PAGES]
    except Exception:  # as above
        return []


def _area(page: tifffile.TiffPage) -> int:
    return page.imagewidth * page.imagelength


def _note_pages(raster: Raster, pages: list[tifffile.TiffPage], page: tifffile.TiffPage) -> None:
    first = pages[0]
    if page is first and sum(2 * _area(one) >= _area(page) for one in pages) > 1:
        raster.record("animated", f"it has {len(pages)} pages: the first one is painted")
    elif page is not first:
        raster.notes.append(
            f"its first page has {first.imagewidth}×{first.imagelength} pixels: the largest, "
            f"{page.imagewidth}×{page.imagelength}, is painted"
        )


def _read(file: BinaryIO, page: tifffile.TiffPage, options: dict[str, Any]) -> Raster:
    kind, bits = _photometric(page), _bits(page)
    _refuse(page, kind, bits)
    _check_segments(file, page, Grid(page, bits))
    profile = page.iccprofile if isinstance(page.iccprofile, bytes) else None
    raster = Raster(NOTHING, mode=f"{bits} bits", profile=profile, is_scaled=True, **options)
    orientation = page.tags.valueof(274)
    raster.orientation = orientation if isinstance(orientation, int) else 1
    if bits > 8 and not (raster.depth > 8 and kind in (RGB, WHITE_IS_ZERO, BLACK_IS_ZERO)):
        raster.record("16-bit", f"it has {bits} bits a sample, of which 8 are kept")
    highest = page.tags.valueof(281)
    highest = max(highest) if isinstance(highest, tuple) else highest
    known = highest if isinstance(highest, int) and highest > 0 else None
    levels = Levels(bits, known, kind={2: "i", 3: "f"}.get(page.sampleformat, "u"))
    span = levels.usual()  # where samples turn out to have another range, all parts are read once more
    while True:
        for place, samples in page_parts(file, page, bits):
            if kind == YCBCR and not page.is_subsampled and page.compression not in JPEG:
                samples = ycbcr_to_rgb(page, samples)
            part = interpret(raster, page, samples, RGB if kind == YCBCR else kind, levels, span)
            paste_part(raster, *part, place, (page.imagewidth, page.imagelength))
        found = span if levels.is_empty else levels.range()
        if found[:2] == span[:2]:
            break
        span = found
    if found.note:
        raster.record("range", found.note)
    return raster


def _photometric(page: tifffile.TiffPage) -> int:
    """What the samples mean; where nothing tells, what libtiff takes."""
    kind = page.tags.valueof(262)
    if kind is None:
        return RGB if page.samplesperpixel >= 3 else WHITE_IS_ZERO if page.compression in FAX else BLACK_IS_ZERO
    return BLACK_IS_ZERO if kind == RGB and page.samplesperpixel < 3 else int(kind)


def _bits(page: tifffile.TiffPage) -> int:
    every = page.tags.valueof(258, 1)
    every = set(every) if isinstance(every, tuple) else {every}
    if len(every) != 1:
        raise DecodeError(f"its samples have different numbers of bits ({sorted(every)}), which is not read here")
    return int(every.pop())


def _refuse(page: tifffile.TiffPage, kind: int, bits: int) -> None:
    if kind in RAW or (page.is_reduced and DNG_VERSION in page.tags):
        raise DecodeError("it is a camera's raw file: name it so, as .dng, or save it as TIFF or JPEG")
    if kind in NAMES or (kind == CMYK and page.tags.valueof(332, 1) != 1) or page.sampleformat not in (1, 2, 3, 4):
        what = NAMES.get(kind, "inks other than CMYK" if kind == CMYK else "complex numbers")
        raise DecodeError(f"its pixels are {what}, which is not read here: save it as RGB or grey")
    if page.imagedepth > 1:
        raise DecodeError("it holds a volume and no photograph")
    if page.compression != 1 and page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise DecodeError(
            f"it is compressed in a way ({name}, {bits} bits) that is not read here: save it uncompressed"
        )


def _check_segments(file: BinaryIO, page: tifffile.TiffPage, grid: Grid) -> None:
    """tifffile fills what is not there with black."""
    end = file.seek(0, 2)
    if not grid.planes * grid.columns * grid.rows <= len(page.dataoffsets) == len(page.databytecounts):
        raise DecodeError("it does not say where its pixels are", "truncated")
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        if start <= 0 or size <= 0 or start + size > end:
            raise DecodeError("its pixels are said to lie beyond its end: it is cut short", "truncated")
