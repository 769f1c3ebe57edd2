"""What the samples of a TIFF mean: unpacked, scaled, YCbCr, parted from transparency. H W picture, S samples."""

from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from colorize.imaging.color_management import Levels, Range, lab_image, row_strips, scale_samples, space_of
from colorize.imaging.deep_color import grey_of_rgb
from colorize.imaging.raster import DecodeError, Raster

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
COLOURS = {RGB: 3, CMYK: 4, YCBCR: 3, ICC_LAB: 3}  # samples of a pixel without extra ones; others have one
JPEG = (6, 7)  # compressions of which a decoder makes RGB of YCbCr
UNUSUAL = "it is an unusual kind of YCbCr, which is not read here: save it as RGB"
ASSOCIATED, UNASSOCIATED = 1, 2


def interpret(
    raster: Raster, page: tifffile.TiffPage, samples: np.ndarray, kind: int, levels: Levels, span: Range
) -> tuple[Image.Image, Image.Image | None]:
    """From samples (H, W, S), whose range is taken for `span`, to the picture and its transparency.

    The samples are added to `levels`, and what had to be decided to `raster`.
    """
    bits, profile = levels.bits, page.iccprofile
    count = min(COLOURS.get(kind, 3 if kind == LAB and samples.shape[2] >= 3 else 1), samples.shape[2])
    if kind == PALETTE:
        image = Image.fromarray(_looked_up(page, samples[..., 0]))
        of_greys = isinstance(profile, bytes) and space_of(profile) == "GRAY"
        return image.convert("L") if of_greys else image, None
    alpha = alpha_of(raster, page, samples, kind, count)
    is_multiplied = alpha is not None and ASSOCIATED in page.extrasamples
    if kind in (LAB, ICC_LAB):
        raster.profile = None
        if is_multiplied:
            raise DecodeError("it is L*a*b* multiplied by its transparency, which is not read here: save it as RGB")
        image, full = _lab(samples, kind, bits), Range(0, 2**bits - 1)
        return image, None if alpha is None else Image.fromarray(scale_samples(alpha.view(f"u{bits // 8}"), full))
    samples = samples.astype(np.uint8) if bits == 1 else samples
    colours = samples[..., :count]
    levels.add(colours)
    if alpha is not None and is_multiplied:
        colours = _unmultiplied(colours, alpha, span.white)
    raster.profile = profile if isinstance(profile, bytes) else None
    curve = raster.curve_of_grey() if count == 1 else None
    if curve is not None:
        raster.record("profile")
        raster.profile = None
    is_deep = bits > 8 and (count == 1 or (kind == RGB and raster.depth > 8))
    top = raster.top if is_deep else 255
    pixels = scale_samples(colours, span, inverted=kind == WHITE_IS_ZERO, curve=curve, top=top)
    if is_deep and count == 3:
        pixels, count = grey_of_rgb(raster, pixels, raster.profile)[..., None], 1
    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if count == 1 else pixels))
    if kind == CMYK:  # which came as RGBA
        image = Image.frombytes("CMYK", image.size, image.tobytes())
    return image, None if alpha is None else Image.fromarray(scale_samples(alpha, span))


def alpha_of(raster: Raster, page: Any, samples: np.ndarray, kind: int, count: int) -> np.ndarray | None:
    """(H, W): the transparency among the extra samples. Four of RGB without a word are RGBA, as libtiff takes them."""
    extra = samples.shape[2] - count
    said = tuple(page.extrasamples or ())
    if not said and kind == RGB and extra == 1:
        said = (UNASSOCIATED,)
    for place, one in enumerate(said[-extra:] if extra else ()):
        if one in (ASSOCIATED, UNASSOCIATED):
            return samples[..., count + place]
    note = f"{extra} of its channels (infrared, perhaps) are no colour, and left out"
    if extra and note not in raster.notes:
        raster.notes.append(note)
    return None


def _unmultiplied(colours: np.ndarray, alpha: np.ndarray, white: float) -> np.ndarray:
    result = np.empty_like(colours)
    place = 0
    for strip in row_strips(colours):
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
    L = scale_samples(samples[..., 0].view(f"u{bits // 8}"), Range(0, 2**bits - 1))
    if samples.shape[2] < 3:
        return lab_image(L)
    return lab_image(L, high[..., 1:3] ^ (0 if kind == ICC_LAB else 128))


COEFFICIENTS, SUBSAMPLING, REFERENCE = 529, 530, 532
LUMA = (0.299, 0.587, 0.114)
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


def ycbcr_to_rgb(page: tifffile.TiffPage, samples: np.ndarray) -> np.ndarray:
    """(H, W, 3 and more) uint8: YCbCr as RGB, and the extra samples. Raises `DecodeError` for more than 8 bits."""
    if page.bitspersample != 8:
        raise DecodeError(UNUSUAL)
    return np.concatenate([_rgb(samples[..., :3], 1, 1, page), samples[..., 3:]], axis=-1)


def subsampled_to_rgb(page: tifffile.TiffPage, data: bytes, place: int) -> np.ndarray:
    """(H, W, 3) RGB of a strip or tile, which is packed `data`: units of `down` times `across` of luma, and one pair of
    chroma (TIFF 6.0, section 21). Raises `DecodeError`."""
    if (page.planarconfig, page.bitspersample, page.samplesperpixel, page.predictor) != (1, 8, 3, 1):
        raise DecodeError(UNUSUAL)
    across, down = _values(page, SUBSAMPLING, (2, 2))
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise DecodeError(f"its chroma is said to be subsampled by {across}×{down}, which does not exist", "truncated")
    wide, high = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    high = high if page.is_tiled else min(high, page.imagelength - place * high)
    rows, columns, size = -(-high // down), -(-wide // across), across * down + 2
    data = bytes(imagecodecs.bitorder_decode(data)) if page.fillorder == 2 else data
    unpack = None if page.compression == 1 else tifffile.TIFF.DECOMPRESSORS[page.compression]
    unpacked = unpack(data, out=rows * columns * size) if unpack else data
    if len(unpacked) < rows * columns * size:
        raise DecodeError("its pixels end before the picture is complete", "truncated")
    units = np.frombuffer(unpacked, np.uint8, rows * columns * size).reshape(rows, columns, size)
    return _rgb(units, across, down, page)[:high, :wide]


def _rgb(units: np.ndarray, across: int, down: int, page: tifffile.TiffPage) -> np.ndarray:
    """(rows, columns, across · down + 2) -> (rows · down, columns · across, 3)"""
    rows, columns, _ = units.shape
    luma = units[..., :-2].reshape(rows, columns, down, across).swapaxes(1, 2).reshape(rows * down, columns * across)
    pair = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    red, green, blue = _values(page, COEFFICIENTS, LUMA)
    low, high, *chroma = _values(page, REFERENCE, FULL_RANGE)
    y = (luma - low) * (255 / (high - low))
    cb, cr = ((pair[..., i] - chroma[2 * i]) * (127 / (chroma[2 * i + 1] - chroma[2 * i])) for i in (0, 1))
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    rgb = np.stack([r, (y - blue * b - red * r) / green, b], axis=-1)
    return np.rint(rgb.clip(0, 255)).astype(np.uint8)


def _values(page: tifffile.TiffPage, number: int, otherwise: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of a tag, fractions as numbers; the usual where it is missing or cannot be."""
    given = page.tags.valueof(number)
    given = given if isinstance(given, tuple) else ()
    if len(given) == 2 * len(otherwise):
        given = tuple(above / below if below else 0.0 for above, below in zip(given[::2], given[1::2], strict=True))
    if len(given) != len(otherwise):
        return otherwise
    if number == REFERENCE and any(given[i] >= given[i + 1] for i in (0, 2, 4)):
        return otherwise
    return otherwise if number == COEFFICIENTS and min(given) <= 0 else given
