"""What the samples of a TIFF mean: unpacked, scaled, YCbCr, parted from transparency. H W picture, S samples."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from colorize.imaging.color_management import Levels, Range, grey_curve, lab_image, row_strips, scale_samples
from colorize.imaging.raster import DecodeError, Raster

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 4, 5, 6, 8, 9
COLOURS = {RGB: 3, CMYK: 4, YCBCR: 3, ICC_LAB: 3}  # samples of a pixel without extra ones; others have one
PLAIN = (1, 8, 32946, 32773, 34925, 50013)  # compressions that tifffile reads by itself: none, deflate, PackBits, LZMA
REVERSED = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)[:, ::-1], axis=1)[:, 0]
ASSOCIATED, UNASSOCIATED = 1, 2


def read_tiff_samples(file: BinaryIO, page: tifffile.TiffPage, bits: int) -> np.ndarray:
    """(H, W, S) as they are stored."""
    shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
    try:
        if bits in (1, 8, 16, 32, 64) or page.is_tiled or page.compression not in PLAIN:
            samples = page.asarray()
            samples = samples.byteswap() if bits == 24 and samples.max() >= 2**24 else samples  # of MM files
            samples = _triples(samples, page) if bits == 24 else samples
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
        f"it is compressed in a way ({name}, {bits} bits) that is not read here: install the package "
        "imagecodecs, which reads more kinds (pip install imagecodecs), or save it uncompressed"
    )


def _unpack(file: BinaryIO, page: tifffile.TiffPage, bits: int) -> np.ndarray:
    """Numbers of 2 to 31 bits, packed from the highest bit on, whole bytes a row (TIFF 6.0, section 8)."""
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    across = page.imagewidth * page.samplesperpixel // planes
    rows = np.frombuffer(b"".join(unpacked_segments(file, page)), np.uint8)
    wide = (across * bits + 7) // 8
    rows = rows[: planes * page.imagelength * wide].reshape(planes * page.imagelength, wide)
    result = np.empty((len(rows), across), np.uint16 if bits <= 16 else np.uint32)
    place = 0
    for strip in row_strips(rows):
        digits = np.unpackbits(strip, axis=1, count=across * bits).reshape(len(strip), across, bits)
        result[place : place + len(strip)] = digits @ (1 << np.arange(bits - 1, -1, -1)).astype(np.uint32)
        place += len(strip)
    return _triples(result, page) if bits == 24 else result


def unpacked_segments(file: BinaryIO, page: tifffile.TiffPage) -> Iterator[bytes]:
    """The strips or tiles, unpacked; a reversed order of bits is one of packed data too, as libtiff has it."""
    try:
        unpack = tifffile.TIFF.DECOMPRESSORS[page.compression]
    except (ImportError, KeyError) as error:
        raise _needs_codecs(page, int(page.bitspersample)) from error
    for start, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(start)
        data = file.read(size)
        data = REVERSED[np.frombuffer(data, np.uint8)].tobytes() if page.fillorder == 2 else data
        yield data if page.compression == 1 else bytes(unpack(data))


def _triples(samples: np.ndarray, page: tifffile.TiffPage) -> np.ndarray:
    """24 bits that were read from the highest on: their three bytes have the order of the file, as libtiff has it."""
    return samples.byteswap() >> 8 if page.parent.byteorder == "<" else samples


def interpret(raster: Raster, page: tifffile.TiffPage, samples: np.ndarray, kind: int, levels: Levels) -> None:
    """From samples (H, W, S) to the picture and its transparency, by the range that `levels` assumes, or finds."""
    bits = levels.bits
    count = min(COLOURS.get(kind, 3 if kind == LAB and samples.shape[2] >= 3 else 1), samples.shape[2])
    if kind == PALETTE:
        raster.image = Image.fromarray(_looked_up(page, samples[..., 0]))
        return
    if kind in (LAB, ICC_LAB):
        raster.image, raster.profile = _lab(samples, kind, bits), None
        alpha = alpha_of(raster, page, samples, kind, count)
        if alpha is not None:
            if ASSOCIATED in page.extrasamples:
                raise DecodeError("it is L*a*b* multiplied by its transparency, which is not read here: save it as RGB")
            raster.alpha = Image.fromarray(scale_samples(alpha.view(f"u{bits // 8}"), Range(0, 2**bits - 1)))
        return
    if bits == 1:
        samples = samples.astype(np.uint8)
    colours, alpha = samples[..., :count], alpha_of(raster, page, samples, kind, count)
    levels.add(colours)
    span = levels.assumed or levels.range()
    raster.record_range(span.note)
    if alpha is not None:
        if ASSOCIATED in page.extrasamples:
            colours = _unmultiplied(colours, alpha, span.white)
        raster.alpha = Image.fromarray(scale_samples(alpha, span))
    curve = grey_curve(raster.profile) if count == 1 and not raster.keep_depth else None
    top = 65535 if count == 1 and bits > 8 and raster.keep_depth else 255
    raster.take(
        scale_samples(colours, span, inverted=kind == WHITE_IS_ZERO, curve=curve, top=top),
        {CMYK: "CMYK", YCBCR: "YCbCr"}.get(kind, "L" if count == 1 else "RGB"),
    )
    if curve is not None:
        raster.record("profile")
        raster.profile = None


def levels_of(page: tifffile.TiffPage, bits: int) -> Levels:
    highest = tag_of(page, 281, None)
    highest = max(highest) if isinstance(highest, tuple) else highest
    known = highest if isinstance(highest, int) and highest > 0 else None
    return Levels(bits, known, kind={2: "i", 3: "f"}.get(page.sampleformat, "u"))


def alpha_of(raster: Raster, page: Any, samples: np.ndarray, kind: int, count: int) -> np.ndarray | None:
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


def tag_of(page: tifffile.TiffPage, number: int, otherwise: Any) -> Any:
    tag = page.tags.get(number)
    return otherwise if tag is None else tag.value


JPEG = (6, 7)
PACKED = (5, 50000)  # LZW and Zstandard, which pack bytes and know of no pictures
COEFFICIENTS, SUBSAMPLING, REFERENCE = 529, 530, 532
LUMA = (0.299, 0.587, 0.114)
FULL_RANGE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)


def read_ycbcr(file: BinaryIO, page: tifffile.TiffPage) -> np.ndarray:
    """(H, W, 3 and more) uint8: YCbCr of 8 bits as RGB, and its extra samples. Raises `DecodeError` for other kinds."""
    across, down = _values(page, SUBSAMPLING, (2, 2))
    if page.compression in JPEG:
        return read_tiff_samples(file, page, 8)  # tifffile has its decoder make RGB of it
    if page.bitspersample == 8 and ((across, down) == (1, 1) or page.compression not in (*PLAIN, *PACKED)):
        samples = read_tiff_samples(file, page, 8)
        return np.concatenate([_rgb(samples[..., :3], 1, 1, page), samples[..., 3:]], axis=-1)
    if (page.planarconfig, page.bitspersample, page.samplesperpixel, page.predictor) != (1, 8, 3, 1):
        raise DecodeError("it is an unusual kind of YCbCr, which is not read here: save it as RGB")
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise DecodeError(f"its chroma is said to be subsampled by {across}×{down}, which does not exist", "truncated")
    return _subsampled(file, page, across, down)


def _subsampled(file: BinaryIO, page: tifffile.TiffPage, across: int, down: int) -> np.ndarray:
    """(H, W, 3) RGB of strips or tiles of units: `down` times `across` of luma, and one pair of chroma."""
    wide, high = (page.tilewidth, page.tilelength) if page.is_tiled else (page.imagewidth, page.rowsperstrip)
    result = np.zeros((page.imagelength, page.imagewidth, 3), np.uint8)
    columns = -(-page.imagewidth // wide)
    for place, data in enumerate(unpacked_segments(file, page)):
        top, left = place // columns * high, place % columns * wide
        target = result[top : top + high, left : left + wide]
        rows = high if page.is_tiled else len(target)
        units = _units(data, -(-rows // down), -(-wide // across), across * down + 2)
        target[:] = _rgb(units, across, down, page)[: len(target), : target.shape[1]]
    return result


def _units(data: bytes, rows: int, columns: int, size: int) -> np.ndarray:
    if len(data) < rows * columns * size:
        raise DecodeError("its pixels end before the picture is complete", "truncated")
    return np.frombuffer(data, np.uint8, rows * columns * size).reshape(rows, columns, size)


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
    tag = page.tags.get(number)
    given = tag.value if tag is not None and isinstance(tag.value, tuple) else ()
    if len(given) == 2 * len(otherwise):
        given = tuple(above / below if below else 0.0 for above, below in zip(given[::2], given[1::2], strict=True))
    if len(given) != len(otherwise):
        return otherwise
    if number == REFERENCE and any(given[i] >= given[i + 1] for i in (0, 2, 4)):
        return otherwise
    return otherwise if number == COEFFICIENTS and min(given) <= 0 else given
