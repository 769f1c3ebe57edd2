"""Decoding: the file of a photograph, of any format, becomes an upright 8-bit picture in sRGB.

Anything but the pixels may be broken in every way. What a decoder raises becomes a `DecodeError`, a sentence about the
file; what had to be decided is noted. H W picture.
"""

import io
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from PIL import ExifTags, Image, ImageChops
from torch import Tensor

from colorize.imaging import camera_raw, deep_color, file_formats, tiff
from colorize.imaging.raster import (
    DecodeError,
    Raster,
    check_limits,
    memory_needed,
    open_binary,
    render_raster,
    unbounded,
    unknown_format,
)
from colorize.imaging.transforms import on_white
from colorize.utils.errors import UserError, decoder_message

Check = Callable[[int, int, float], None]  # of a picture's width, its height and the bytes that decoding takes
# What is raised for files that cannot be had, and for those that yield no picture
UNREADABLE = (OSError, UserError)

# What decoders run into where a header is damaged: its words are about Python's numbers, and tell a user nothing
SENSELESS = (TypeError, ArithmeticError, LookupError, AttributeError, AssertionError)

# The only decoders that a file can reach: raster formats, none of which runs another program. TIFF has its own.
FORMATS = [
    "JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "PPM", "TGA", "JPEG2000", "AVIF", "ICO", "PSD", "PCX", "QOI",
]  # fmt: skip
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
with suppress(ImportError):  # `BEGINNINGS` says so of such a file
    import_module("pillow_heif").register_heif_opener()
    FORMATS.append("HEIF")

CONVERSIONS = {
    "rotated": "turned as its EXIF says",
    "profile": "converted from its colour profile to sRGB",
    "gamma": "converted from its gamma to sRGB",
    "alpha": "laid on white where it is transparent",
    "16-bit": "scaled to 8 bits",
    "range": "scaled to the range that its numbers seem to have",
    "cmyk": "converted from CMYK",
    "animated": "reduced to its first frame or page",
    "mended": "read though parts of its file are damaged",
}


@dataclass
class DecodedImage:
    image: Image.Image  #            L or RGB, 8 bits, sRGB, upright
    alpha: Image.Image | None  #     L, where parts are transparent
    format: str  #                   Pillow's name
    size: tuple[int, int]  #         width, height of the whole photograph, upright
    mode: str  #                     of the samples, as they are stored
    conversions: list[str]  #            keys of `CONVERSIONS`
    notes: list[str]  #              sentences about what had to be decided
    info: dict[Any, Any] = field(default_factory=dict)  #  what Pillow read beside the pixels
    texts: dict[str, str] = field(default_factory=dict)  # of a PNG
    profile: bytes | None = None  #  of the samples, as they are stored

    def opaque(self) -> Image.Image:
        """RGB, on white where it is transparent."""
        return on_white(self.image, self.alpha).convert("RGB")


def decode_picture(
    source: bytes | Path, *, shorter: int | None = None, max_pixels: int | None = None,
    keep_depth: bool = False, depth: int = 8, page: int | None = None,
) -> DecodedImage:  # fmt: skip
    """The photograph of a file, or of its bytes. Raises `DecodeError`; OSError for no such file.

    With `shorter`, a JPEG whose shorter side is at least twice that is decoded at a half, a quarter or an eighth of
    its size, and no smaller than that. `max_pixels` is given by who knows that the file is no trap. With `keep_depth`
    grey of more than 8 bits stays so (I;16), and no colour profile is applied. With `depth` 16, a TIFF or PNG of more
    than 8 bits becomes sRGB grey of the same lightness (I;16): what a network is shown of it. `page`, from 0, is one of
    `tiff.photograph_pages`; without, the first, or the largest where that is a thumbnail.
    """
    with open_binary(source) as (file, size):
        try:
            with warnings.catch_warnings(), unbounded():
                warnings.simplefilter("ignore")  # of odd EXIF; sizes are looked at here
                check = partial(check_limits, size, max_pixels)
                return _decode(file, size, check, shorter, page, {"keep_depth": keep_depth, "depth": depth})
        except DecodeError:
            raise
        except UserError as error:
            raise DecodeError(str(error)) from error
        except MemoryError as error:
            raise DecodeError("there is not enough memory to decode it", "enormous") from error
        except Exception as error:  # decoders fail on damaged files in every way there is
            words = "what its header says makes no sense" if isinstance(error, SENSELESS) else decoder_message(error)
            raise DecodeError(f"it cannot be read: {words}", "truncated") from error


def decode(data: bytes, shorter: int | None = None) -> tuple[Tensor, list[str]]:
    """(3, H, W) uint8 for training, and which of `CONVERSIONS` it got; `shorter` as above. Raises `DecodeError`."""
    rgb = _plain_jpeg(data, shorter)
    if rgb is not None:
        return torch.from_numpy(rgb).permute(2, 0, 1), []
    picture = decode_picture(data, shorter=shorter)
    return torch.from_numpy(np.array(picture.opaque())).permute(2, 0, 1).contiguous(), picture.conversions


def open_rgb(source: bytes | Path) -> Image.Image:
    """The whole photograph, on white where it is transparent. Raises `DecodeError`."""
    return decode_picture(source).opaque()


def _decode(
    file: BinaryIO, length: int, check: Check, shorter: int | None, page: int | None, options: dict[str, Any]
) -> DecodedImage:
    info: dict[Any, Any] = {}
    texts: dict[str, str] = {}
    file.seek(0)
    head = file.read(512)
    if camera_raw.is_raw(file):
        raster = camera_raw.read_raw(file, check, options["depth"])
        size, form = raster.image.size, "RAW"
    elif head.startswith(tiff.MAGIC):
        raster = tiff.read_tiff(file, check, page, **options)
        size, form = raster.image.size, "TIFF"
    else:
        image = _identified(file, head)
        size, form = image.size, image.format or ""
        needed = memory_needed(image, length, turned="exif" in image.info and orientation(image) > 1)
        deep = options["depth"] > 8 and sixteen_bits(image) and (image.format == "PNG" or image.mode.startswith("I"))
        check(*size, needed + (length + 10 * image.width * image.height if deep else 0))
        image, raster = _load(image, file, shorter, deep)
        raster.keep_depth, raster.depth = options["keep_depth"], options["depth"]
        if deep and raster.image.mode not in ("I", "I;16"):
            deep_color.deepen_png(raster, file)
        info, texts = image.info, getattr(image, "text", {})
        del image  # or it is in memory beside what is made of it
    size = size[::-1] if raster.orientation >= 5 else size
    profile = raster.stored_profile
    image, alpha = render_raster(raster)
    return DecodedImage(image, alpha, form, size, raster.mode, raster.conversions, raster.notes, info, texts, profile)


def _identified(file: BinaryIO, head: bytes) -> Image.Image:
    """Opened, with nothing but its header read. Raises `DecodeError` that says what it is."""
    file.seek(0)
    try:
        return Image.open(file, formats=FORMATS)
    except Exception as error:  # a header can be damaged in every way
        for kind, beginning, mended in (
            ("PNG", file_formats.SIGNATURE, file_formats.mended_png),
            ("JPEG", b"\xff\xd8\xff", file_formats.mended_jpeg),
        ):
            if head.startswith(beginning):
                file.seek(0)
                with suppress(Exception):  # then its header is damaged too
                    return Image.open(io.BytesIO(mended(file.read())), formats=(kind,))
        if head.startswith(b"\xff\xd8") and (kind := file_formats.kind_of_jpeg(head)):
            raise DecodeError(kind) from error
        if head.startswith(b"8BPS") and (kind := file_formats.kind_of_psd(head)):
            raise DecodeError(kind) from error
        raise unknown_format(head) from error


def _load(image: Image.Image, file: BinaryIO, shorter: int | None, deep: bool) -> tuple[Image.Image, Raster]:
    """The pixels, as they are stored."""
    mode, raw, note, left_out = image.mode, raw_mode(image), "", ""
    rounded = sixteen_bits(image) and not deep
    frames = _frames(image)
    if image.format in ("JPEG", "MPO"):
        file.seek(0)
        loaded, note = file_formats.load_jpeg(image, file.read(), file_formats.scale_of(image.size, shorter))
        if mode == "CMYK" and "adobe" not in image.info:  # then inks are stored as they are (ITU-T T.872, 6.1)
            loaded = ImageChops.invert(loaded)  # which Pillow has done always
    elif image.format == "PNG":
        image, note = file_formats.load_png(image, file)
        loaded = image.convert("LA") if raw.startswith("LA") else image  # Pillow makes RGBA of grey of 16 bits
    elif image.format == "PSD":
        loaded, left_out = file_formats.load_psd(image, file)
    else:
        image.load()
        loaded = image
    raster = Raster(loaded, mode=mode, orientation=orientation(image), profile=image.info.get("icc_profile"))
    raster.gamma = image.info.get("gamma") if "srgb" not in image.info else None
    raster.notes += [left_out] if left_out else []
    if note:
        raster.record("mended", note)
    if frames > 1:
        raster.record("animated", f"it has {frames} frames: the first one is painted")
    if rounded:
        raster.record("16-bit", "it has 16 bits a sample, of which 8 are kept")
    return image, raster


def _plain_jpeg(data: bytes, shorter: int | None) -> np.ndarray | None:
    """(H, W, 3) uint8 of a JPEG that needs nothing done to it, without a detour; None of any other file."""
    if file_formats.decode_jpeg is None or (size := file_formats.plain_size(data)) is None or size[0] * size[1] > 2**26:
        return None
    try:
        rgb, note = file_formats.decode_pixels(data, size, file_formats.scale_of(size, shorter))
    except DecodeError:  # it is said by the whole way, which every other file goes
        return None
    return None if note else rgb


def _frames(image: Image.Image) -> int:
    """Those of an animation; a phone's MPO holds a second view of the same."""
    if image.format not in ANIMATED:
        return 1
    try:
        return getattr(image, "n_frames", 1)
    except Exception:  # a later frame can be damaged in every way
        return 1


def sixteen_bits(image: Image.Image) -> bool:
    """Pillow reads RGB of 16 bits as 8: only the decoder's arguments tell."""
    return image.mode.startswith("I") or ";16" in raw_mode(image)


def raw_mode(image: Image.Image) -> str:
    """How the samples lie in a file that has been opened, in Pillow's words."""
    tile = getattr(image, "tile", None)
    arguments = tile[0][3] if tile else ()
    return str(arguments if isinstance(arguments, str) else next(iter(arguments or ()), ""))


def orientation(image: Image.Image) -> int:
    """1 to 8; 1 where EXIF and XMP say nothing, or nothing that can be understood."""
    if "exif" not in image.info and "xmp" not in image.info and image.format in ("JPEG", "MPO"):
        return 1
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
        found = float(told[0] if isinstance(told, bytes) else told)
    except Exception:  # EXIF can be damaged in every way; the picture is not
        return 1
    return int(found) if found in range(1, 9) else 1
