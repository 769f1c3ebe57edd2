"""Deep colour: pictures of 16 bits a sample, read as grey of their lightness and written in colour. H W picture."""

import io
import logging
import struct
from pathlib import Path
from typing import Any, BinaryIO

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from colorize.imaging.color_management import SRGB, Range, gamma_curve, is_srgb, row_strips, scale_samples, space_of
from colorize.imaging.exif import Tags, add_tags
from colorize.imaging.file_formats import SIGNATURE, chunks, mended_png
from colorize.imaging.film import EYE, encode
from colorize.imaging.raster import Raster, unbounded
from colorize.imaging.transforms import part_alpha
from colorize.utils.errors import UserError

logging.getLogger("imagecodecs").setLevel(logging.CRITICAL)  # it tells of damaged texts; what matters is raised

LARGE = 2**28  # bytes of samples: of more, no second picture is held in memory
# Of a PNG of 16 bits: as small as zlib's level 3 after the best filter of each row, for 0.6 of the work
LEVEL, FILTER = 2, imagecodecs.PNG.FILTER.UP
LARGEST_TIFF = 2**32 - 2**24  # bytes of samples


# Without a table in between, whose steps are up to 0.4 of L* apart
PRECISE: dict[str, Any] = {"colorspace": "rgb", "outcolorspace": "rgb", "flags": imagecodecs.CMS.FLAGS.NOOPTIMIZE}


def linear_light(rgb: np.ndarray) -> np.ndarray:
    """sRGB uint16 -> linear light 0…1, float32, of the same shape"""
    values = rgb.astype(np.float32) / 65535
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def grey_of_lightness(rgb: np.ndarray, profile: bytes | None, curve: np.ndarray | None = None) -> np.ndarray:
    """RGB (H, W, 3) uint16, in sRGB or in its own `profile` -> sRGB grey (H, W) uint16 of the same lightness L*, which
    is what a network is shown.

    `curve` as in `scale_samples`. Raises `imagecodecs.CmsError` for a profile that is none for RGB.
    """
    grey = np.empty(rgb.shape[:2], np.uint16)
    place = 0
    for strip in row_strips(rgb):
        if curve is not None:
            strip = scale_samples(strip, Range(0, 65535), curve=curve, top=65535)
        if profile is not None:
            strip = imagecodecs.cms_transform(strip, profile, SRGB, **PRECISE)
        grey[place : place + len(strip)] = np.rint(257 * encode(linear_light(strip) @ np.array(EYE, np.float32)))
        place += len(strip)
    return grey


def from_srgb(rgb: np.ndarray, profile: bytes, depth: int) -> np.ndarray:
    """sRGB (H, W, 3) uint16 -> the same colours in another `profile` for RGB, uint8 or uint16 by `depth`"""
    rgb = np.ascontiguousarray(rgb)
    return imagecodecs.cms_transform(rgb, SRGB, profile, outdtype=f"uint{depth}", **PRECISE)


def problem_of_target(profile: bytes | None) -> str:
    """Why colours cannot be written in a photograph's own profile; nothing where they can."""
    if not profile:
        return "it has no colour profile"
    if (space := space_of(profile)) != "RGB":
        return f"its colour profile is for {space or 'nothing that is known'}, not for RGB"
    try:
        from_srgb(np.zeros((1, 1, 3), np.uint16), profile, 8)
    except imagecodecs.CmsError:  # those of scanners often lead one way only
        return "nothing can be converted to its colour profile"
    return ""


def grey_of_rgb(raster: Raster, rgb: np.ndarray, profile: bytes | None, curve: np.ndarray | None = None) -> np.ndarray:
    """(H, W, 3) uint16 -> grey (H, W) uint16 of its lightness, through its own profile, which is then applied."""
    profile = None if profile is None or is_srgb(profile, "RGB") else profile
    raster.profile = None
    try:
        grey = grey_of_lightness(rgb, profile, curve)
    except imagecodecs.CmsError as error:
        note = f"its colour profile does not fit ({error}): its pixels are taken for sRGB"
        raster.notes += [note] if note not in raster.notes else []
        return grey_of_lightness(rgb, None, curve)
    if profile is not None:
        raster.record("profile")
    return grey


def deepen_png(raster: Raster, file: BinaryIO) -> None:
    """Put grey of 16 bits and of the same lightness into the place of the 8 bits that Pillow has read of a PNG of 16;
    transparency stays as it was read."""
    file.seek(0)
    data = file.read()
    samples = imagecodecs.png_decode(mended_png(data) if "mended" in raster.conversions else data)
    raster.image, raster.alpha = part_alpha(raster.image)
    curve = None if raster.gamma is None or raster.profile else gamma_curve(raster.gamma)
    if curve is not None:
        raster.record("gamma")
    if samples.shape[2] >= 3:
        grey = grey_of_rgb(raster, samples[..., :3], raster.profile, curve)
    else:
        grey = scale_samples(samples[..., 0], Range(0, 65535), curve=curve, top=65535)
    raster.gamma, raster.is_scaled, raster.image = None, True, Image.fromarray(grey)


def encode_png(samples: np.ndarray, beside: bytes) -> bytes:
    """A PNG of samples (H, W, S) uint16, with what another PNG holds `beside` its pixels: Pillow writes profiles, texts
    and EXIF, and no colours of 16 bits."""
    parts = [SIGNATURE]
    pixels = list(chunks(bytes(imagecodecs.png_encode(samples, level=LEVEL, filter=FILTER))))
    others = [chunk for chunk in chunks(beside) if chunk.kind not in (b"IHDR", b"IDAT", b"IEND")]
    for kind, data, crc in [pixels[0], *others, *pixels[1:]]:
        parts += [struct.pack(">I", len(data)), kind, data, crc]
    return b"".join(parts)


def write_deep(path: Path, samples: np.ndarray, kind: str, profile: bytes, options: dict[str, Any], tags: Tags) -> None:
    """A TIFF or PNG of colours (H, W, 3) or (H, W, 4) uint16; `options` and `tags` as `fit_metadata` makes them.

    Raises `UserError` for a TIFF of more than 4 GB.
    """
    if kind == "PNG":
        Image.new("RGB", (1, 1)).save(beside := io.BytesIO(), "PNG", icc_profile=profile, **options)
        path.write_bytes(encode_png(samples, beside.getvalue()))
        return
    if samples.nbytes > LARGEST_TIFF:
        raise UserError("a TIFF holds 4 GB, which its pixels are more than: give --format png")
    alpha: dict[str, Any] = {"extrasamples": ["unassalpha"]} if samples.shape[2] == 4 else {}
    tifffile.imwrite(
        path, samples, photometric="rgb", iccprofile=profile, metadata=None, software=False, byteorder="<", **alpha
    )
    add_tags(path, tags)


def deep_problem(path: Path, samples: np.ndarray, kind: str) -> str:
    """What is wrong with a file that should hold these samples; nothing where it reads back. Of large PNGs the
    checksums are compared."""
    try:
        if kind == "PNG":
            with unbounded(), Image.open(path, formats=["PNG"]) as back:
                back.verify()
        if kind == "PNG" and samples.nbytes > LARGE:
            return ""
        held = tifffile.memmap(path, mode="r") if kind == "TIFF" else imagecodecs.png_decode(path.read_bytes())
        same = held.shape == samples.shape and np.array_equal(held, samples)
    except MemoryError:
        raise
    except Exception as error:  # whatever a decoder raises: the file is not readable
        return f"cannot be read again ({type(error).__name__})"
    return "" if same else "has other colours"
