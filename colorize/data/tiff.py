"""TIFF files: which page is the photograph, and what its samples mean (TIFF 6.0 and its supplements).

tifffile reads what it can by itself; Pillow's libtiff what is compressed otherwise (LZW, JPEG, fax), where it knows the
kind; imagecodecs the rest, where it is installed. H W picture, S samples of a pixel.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from colorize.data.failures import DecodeError
from colorize.data.raster import Raster
from colorize.data.tones import Range, grey_curve, lab_image, range_of, scaled, strips

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PAGES = 200  # that are looked at
LARGE = 2**26  # pixels
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
DNG_VERSION = 50706
RAW = (32803, 34892)  # colour filter arrays and linear raw data: a camera's
NAMES = {10: "ITU L*a*b*", 32844: "LogL", 32845: "LogLuv", 51177: "a depth map", 52527: "a mask"}
COLOURS = {RGB: 3, CMYK: 4, YCBCR: 3, ICC_LAB: 3}  # samples of a pixel without extra ones; others have one
PLAIN = (1, 8, 32946, 32773, 34925, 50013)  # compressions that tifffile reads by itself: none, deflate, PackBits, LZMA
FAX = (2, 3, 4)
REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]
ASSOCIATED, UNASSOCIATED = 1, 2

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of what is odd; what matters is raised


def read_tiff(file: BinaryIO, check: Callable[[int, int], None], keep_depth: bool = False) -> Raster:
    """The largest page; `check` is told its width and height before it is decoded. Raises whatever goes wrong."""
    file.seek(0)
    with tifffile.TiffFile(file) as tif:
        pages = list(_pages(tif))
        if not pages:
            raise DecodeError("its header is cut short or damaged", "truncated")
        page = max(pages, key=lambda one: one.imagewidth * one.imagelength)  # the first of equal ones
        check(page.imagewidth, page.imagelength)
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


def _number(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> int | None:
    """By which Pillow finds the page; None of a sub-directory."""
    return page.index if len(page.treeindex) == 1 and tif.pages[page.index] is page else None


def _note_pages(raster: Raster, pages: list[tifffile.TiffPage], page: tifffile.TiffPage) -> None:
    equal = [one for one in pages if one.imagewidth * one.imagelength == page.imagewidth * page.imagelength]
    first = pages[0]
    if len(equal) > 1:
        raster.treat("animated", f"it has {len(pages)} pages: the first one is painted")
    elif page is not first:
        raster.notes.append(
            f"its first page has {first.imagewidth}×{first.imagelength} pixels: the largest, "
            f"{page.imagewidth}×{page.imagelength}, is painted"
        )


def _read(file: BinaryIO, page: tifffile.TiffPage, number: int | None, keep_depth: bool) -> Raster:
    kind, bits = _photometric(page), _bits(page)
    _refuse(page, kind)
    _check_segments(file, page)
    orientation = _tag(page, 274, 1)
    raster = Raster(
        Image.new("L", (1, 1)), mode=f"{bits} bits", orientation=orientation if isinstance(orientation, int) else 1,
        profile=page.iccprofile if isinstance(page.iccprofile, bytes) else None, keep_depth=keep_depth,
    )  # fmt: skip
    if bits > 8:
        raster.treat("16-bit", f"it has {bits} bits a sample, of which 8 are kept")
    by_itself = page.compression in PLAIN and kind != YCBCR and not _is_large(page, kind, bits)
    if by_itself or not _pillow_reads(page, kind, bits, number):
        _interpret(raster, page, _samples(file, page, bits), kind, bits)
    else:
        _through_pillow(raster, file, page, number, kind, bits)
    return raster


def _is_large(page: tifffile.TiffPage, kind: int, bits: int) -> bool:
    """Whether it is plain RGB that Pillow holds once, and tifffile and Pillow together twice."""
    pixels = page.imagewidth * page.imagelength
    return pixels >= LARGE and (kind, bits, page.samplesperpixel, page.planarconfig) == (RGB, 8, 3, 1)


def _photometric(page: tifffile.TiffPage) -> int:
    """What the samples mean; where nothing tells, what libtiff takes."""
    kind = page.tags.get(262)
    if kind is None:
        return RGB if page.samplesperpixel >= 3 else WHITE_IS_ZERO if page.compression in FAX else BLACK_IS_ZERO
    return BLACK_IS_ZERO if kind.value == RGB and page.samplesperpixel < 3 else int(kind.value)


def _bits(page: tifffile.TiffPage) -> int:
    every = _tag(page, 258, 1)
    every = set(every) if isinstance(every, tuple) else {every}
    if len(every) != 1:
        raise DecodeError(f"its samples have different numbers of bits ({sorted(every)}), which is not read here")
    return int(every.pop())


def _tag(page: tifffile.TiffPage, number: int, otherwise: Any) -> Any:
    tag = page.tags.get(number)
    return otherwise if tag is None else tag.value


def _refuse(page: tifffile.TiffPage, kind: int) -> None:
    if kind in RAW or (page.is_reduced and DNG_VERSION in page.tags):
        raise DecodeError("it is a camera's raw file: develop it first, or save it as TIFF or JPEG")
    if kind in NAMES or (kind == CMYK and _tag(page, 332, 1) != 1) or page.sampleformat not in (1, 2, 3, 4):
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
        if page.compression in (8, 32946) and 1032 * size > 2**26:  # deflate packs no more than that
            file.seek(start)
            _inflate(file.read(size), 2**26 + 2 * page.nbytes)


def _inflate(data: bytes, most: int) -> bytes:
    """Raises `DecodeError` before it fills memory."""
    unpacked = zlib.decompressobj().decompress(data, most)
    if len(unpacked) == most:
        raise DecodeError("its packed data are longer than its picture", "enormous")
    return unpacked


def _samples(file: BinaryIO, page: tifffile.TiffPage, bits: int) -> np.ndarray:
    """(H, W, S) as they are stored."""
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    try:
        if bits in (1, 8, 16, 32, 64) or page.is_tiled or page.compression not in PLAIN:
            samples = page.asarray()
        else:
            samples = _unpack(file, page, bits)
    except (ImportError, NotImplementedError, KeyError) as error:
        raise _needs_codecs(page, bits) from error
    except ValueError as error:
        if "imagecodecs" in str(error) or "not supported" in str(error):
            raise _needs_codecs(page, bits) from error
        raise
    if page.planarconfig == 2 and shape[2] > 1:
        samples = np.moveaxis(samples.reshape(shape[2], *shape[:2]), 0, -1)
    return samples.reshape(shape)


def _needs_codecs(page: tifffile.TiffPage, bits: int) -> DecodeError:
    name = getattr(page.compression, "name", page.compression)
    return DecodeError(
        f"it is compressed in a way ({name}, {bits} bits) that is not read here: pip install 'colorize[archive]' reads "
        "more kinds, or save it uncompressed"
    )


def _unpack(file: BinaryIO, page: tifffile.TiffPage, bits: int) -> np.ndarray:
    """Numbers of 2 to 31 bits, packed from the highest bit on, whole bytes a row (TIFF 6.0, section 8)."""
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    across = page.imagewidth * page.samplesperpixel // planes
    unpack, packed = tifffile.TIFF.DECOMPRESSORS[page.compression], []
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(start)
        data = file.read(size)
        packed.append(data if page.compression == 1 else bytes(unpack(data)))
    rows = np.frombuffer(b"".join(packed), np.uint8)
    wide = (across * bits + 7) // 8
    rows = rows[: planes * page.imagelength * wide].reshape(planes * page.imagelength, wide)
    result = np.empty((len(rows), across), np.uint16 if bits <= 16 else np.uint32)
    place = 0
    for strip in strips(REVERSED[rows] if page.fillorder == 2 else rows):
        digits = np.unpackbits(strip, axis=1, count=across * bits).reshape(len(strip), across, bits)
        result[place : place + len(strip)] = digits @ (1 << np.arange(bits - 1, -1, -1)).astype(np.uint32)
        place += len(strip)
    return result


def _interpret(raster: Raster, page: tifffile.TiffPage, samples: np.ndarray, kind: int, bits: int) -> None:
    """From samples (H, W, S) to the picture and its transparency."""
    count = min(COLOURS.get(kind, 3 if kind == LAB and samples.shape[2] >= 3 else 1), samples.shape[2])
    if kind == PALETTE:
        raster.image = Image.fromarray(_looked_up(page, samples[..., 0]))
        return
    if kind in (LAB, ICC_LAB):
        raster.image, raster.profile = _lab(samples, kind, bits), None
        return
    if bits == 1:
        samples = samples.astype(np.uint8)
    colours, alpha = samples[..., :count], _alpha(raster, page, samples, kind, count)
    highest = _tag(page, 281, None)
    highest = max(highest) if isinstance(highest, tuple) else highest
    span = range_of(colours, bits, highest if isinstance(highest, int) and highest > 0 else None)
    raster.decided(span.note)
    if alpha is not None:
        if ASSOCIATED in page.extrasamples:
            colours = _unmultiplied(colours, alpha, span.white)
        raster.alpha = Image.fromarray(scaled(alpha, span))
    curve = grey_curve(raster.profile) if count == 1 and not raster.keep_depth else None
    top = 65535 if count == 1 and bits > 8 and raster.keep_depth else 255
    raster.take(
        scaled(colours, span, inverted=kind == WHITE_IS_ZERO, curve=curve, top=top),
        {CMYK: "CMYK", YCBCR: "YCbCr"}.get(kind, "L" if count == 1 else "RGB"),
    )
    if curve is not None:
        raster.treat("profile")
        raster.profile = None


def _alpha(raster: Raster, page: Any, samples: np.ndarray, kind: int, count: int) -> np.ndarray | None:
    """(H, W): the transparency among the extra samples. Four of RGB without a word are RGBA, as libtiff takes them."""
    extra = samples.shape[2] - count
    said = tuple(page.extrasamples or ())
    if not said and kind == RGB and extra == 1:
        said = (UNASSOCIATED,)
    for place, one in enumerate(said[-extra:] if extra else ()):
        if one in (ASSOCIATED, UNASSOCIATED):
            return samples[..., count + place]
    if extra:
        raster.notes.append(f"{extra} of its channels (infrared, perhaps) are no colour, and left out")
    return None


def _unmultiplied(colours: np.ndarray, alpha: np.ndarray, white: float) -> np.ndarray:
    result = np.empty_like(colours)
    place = 0
    for strip in strips(colours):
        clear = alpha[place : place + len(strip), :, None].astype(np.float64)
        full = np.divide(strip * white, clear, out=np.zeros(strip.shape), where=clear > 0)
        result[place : place + len(strip)] = np.minimum(full, white)
        place += len(strip)
    return result


def _looked_up(page: tifffile.TiffPage, samples: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 through the file's palette, whose numbers have 16 bits, or by old programs 8."""
    colours = np.asarray(page.colormap)
    table = (colours if colours.max() <= 255 else np.rint(colours / 257)).astype(np.uint8).T
    return table[samples.astype(np.intp)]


def _lab(samples: np.ndarray, kind: int, bits: int) -> Image.Image:
    """CIE L*a*b* of 8 or 16 bits: a* and b* have a sign, in ICC's an offset (TIFF 6.0, section 23; Adobe, 2002)."""
    if bits not in (8, 16):
        raise DecodeError(f"it is L*a*b* of {bits} bits, which is not read here: save it as RGB")
    high = (samples.view(np.uint16) >> 8).astype(np.uint8) if bits == 16 else samples.view(np.uint8)
    L = scaled(samples[..., 0].view(f"u{bits // 8}"), Range(0, 2**bits - 1))
    if samples.shape[2] < 3:
        return lab_image(L)
    return lab_image(L, high[..., 1:3] ^ (0 if kind == ICC_LAB else 128))


def _pillow_reads(page: tifffile.TiffPage, kind: int, bits: int, number: int | None) -> bool:
    """Whether Pillow has this kind of page right."""
    if number is None or page.sampleformat == 2 or kind in (LAB, ICC_LAB):
        return False
    if page.samplesperpixel == 1:
        return bits in (1, 2, 4, 8, 12, 16, 32)
    return bits == 8 or (bits == 16 and kind in (RGB, CMYK) and page.planarconfig == 1)


def _through_pillow(raster: Raster, file: BinaryIO, page: Any, number: int | None, kind: int, bits: int) -> None:
    file.seek(0)
    try:
        image = Image.open(file, formats=("TIFF",))
    except Image.UnidentifiedImageError:
        _interpret(raster, page, _samples(file, page, bits), kind, bits)
        return
    image.seek(number or 0)
    image.load()  # turned as its tag says
    if raster.orientation > 1:
        raster.treat("rotated")
        raster.orientation = 1
    if image.mode == "F" or image.mode.startswith("I"):
        _interpret(raster, page, np.asarray(image)[..., None], kind, bits)
        return
    raster.image = image
    raster.image.info = {}
    if raster.image.mode not in ("RGBa", "LA", "La", "RGBA", "PA") and page.samplesperpixel > COLOURS.get(kind, 1):
        raster.notes.append("its extra channels (infrared, perhaps) are no colour, and left out")
