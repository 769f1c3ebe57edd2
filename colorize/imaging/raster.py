"""What the decoders of all formats share: errors, limits, and the raster that they make upright sRGB of."""

import io
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import BinaryIO

import numpy as np
from PIL import Image

from colorize.imaging.color_management import (
    Levels,
    deep_grey_to_srgb,
    gamma_curve,
    grey_curve,
    image_strips,
    is_srgb,
    scale_samples,
    to_srgb,
    without_palette,
)
from colorize.imaging.transforms import part_alpha, upright
from colorize.utils.environment import available_memory
from colorize.utils.errors import UserError
from colorize.utils.files import is_text

# What files begin with that are no pictures, or pictures that other programs have to convert first
BEGINNINGS = (
    (re.compile(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype html|html|head|body)", re.I), "it is a web page"),
    (re.compile(rb"version https://git-lfs"), "it is a pointer of Git LFS: fetch the file itself with git lfs pull"),
    (re.compile(rb"\s*(\xef\xbb\xbf)?(<\?xml.*)?<svg", re.I | re.S), "it is an SVG drawing: save it as PNG first"),
    (re.compile(rb"%!PS|\xc5\xd0\xd3\xc6"), "it is PostScript, which is a program: save it as PNG or TIFF first"),
    (re.compile(rb"%PDF"), "it is a PDF document: save its pictures as PNG, JPEG or TIFF first"),
    (re.compile(rb"PK(\x03\x04|\x05\x06)"), "it is a zip file: unpack it first"),
    (re.compile(rb"Rar!|7z\xbc\xaf|\x1f\x8b|BZh|\xfd7zXZ"), "it is a compressed file: unpack it first"),
    (re.compile(rb"....ftyp(heic|heix|hevc|heim|heis|mif1|msf1)", re.S),
     "it is a HEIC photograph: pip install pillow-heif reads it, or save it as JPEG first"),
    (re.compile(rb"....ftypcr(x |3 )", re.S), "it is a camera's raw file: name it .cr3, or save it as TIFF first"),
    (re.compile(rb"....ftyp", re.S), "it is a film"),
    (re.compile(rb"....JXL |\xff\x0a"), "it is a JPEG XL, which is not read here: save it as PNG first"),
    (re.compile(rb"(\x00\x05\x16\x07)"), "it holds a Mac's attributes of another file, and no picture"),
)  # fmt: skip
PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"RIFF", b"8BPS")


class DecodeError(UserError):
    """A file that yields no picture. `kind` is one of empty, unreadable, truncated and enormous."""

    def __init__(self, message: str, kind: str = "unreadable"):
        super().__init__(message)
        self.kind = kind


def unknown_format(head: bytes) -> DecodeError:
    """Of a file that no decoder knows, by its first bytes."""
    if not head:
        return DecodeError("the file has no bytes", "empty")
    if head.startswith(PICTURES):
        rare = "it is a BMP of a kind that is not read here, or " if head.startswith(b"BM") else ""
        return DecodeError(f"{rare}its header is cut short or damaged", "truncated")
    for beginning, words in BEGINNINGS:
        if beginning.match(head):
            return DecodeError(words)
    return DecodeError(
        "it is a text file" if is_text(head) else "it is not a picture, or of a format that is not read here"
    )


MAX_PIXELS = 500_000_000
PIXELS_A_BYTE = 2000  # of a file: more are a trap. Of pictures below 4 megapixels nothing is asked
HARMLESS = 2**22  #     pixels
DECODERS = {"JPEG2000": 16, "WEBP": 8, "AVIF": 8, "HEIF": 8}  # bytes a pixel that they hold beside the picture
IN_MEMORY = ("JPEG", "MPO", "PSD", "HEIF", "AVIF", "WEBP")  # of which the whole file is read at first
BOUNDS, BOUNDS_LOCK = list[int | None](), Lock()  # Pillow's limit as each found it that is in `unbounded`
LARGER = "colorize paint --max-pixels takes larger ones"
LARGEST = 2**32  #      bytes of a file: 500 megapixels of four samples of 16 bits


def check_limits(file_bytes: int, max_pixels: int | None, width: int, height: int, needed: float) -> None:
    """Raises `DecodeError` for a picture that would fill memory; `needed` is the bytes that decoding takes."""
    pixels = width * height
    said = f"it has {width:,}×{height:,} pixels"
    if pixels > (max_pixels or MAX_PIXELS):
        raise DecodeError(f"{said}, more than {max_pixels or MAX_PIXELS:,}: {LARGER}", "enormous")
    if max_pixels is None and pixels > max(HARMLESS, PIXELS_A_BYTE * file_bytes):
        raise DecodeError(f"{said} in {file_bytes:,} bytes, as no photograph has: {LARGER}", "enormous")
    check_free_memory(width, height, needed, "decoding")


def memory_needed(image: Image.Image, size: int, *, turned: bool) -> int:
    """Bytes of memory in which a picture that has been opened, of a file of `size` bytes, is decoded: as Pillow holds
    it, and a second time where it has to be converted or turned; with what its decoder holds beside."""
    grey = image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")
    stored = {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 4)
    again = (2 if grey else 5) if turned or image.mode not in ("L", "RGB") else 0
    beside = DECODERS.get(image.format or "", 0)
    if image.info.get("progressive"):  # libjpeg holds every coefficient
        beside = 2 * len(image.getbands())
    return image.width * image.height * (stored + again + beside) + (2 * size if image.format in IN_MEMORY else 0)


def check_free_memory(width: int, height: int, needed: float, what: str) -> None:
    """Raises `DecodeError` where fewer bytes than `needed` are free, rather than to be killed."""
    free = available_memory()
    if free is not None and needed > free:
        need = f"{needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} are free"
        raise DecodeError(f"it has {width:,}×{height:,} pixels: {what} takes {need}", "enormous")


@contextmanager
def open_binary(source: bytes | Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file that can be read from any place, and its size."""
    if isinstance(source, bytes):
        yield io.BytesIO(source), len(source)
        return
    found = source.stat()  # before it is opened: a pipe would wait for a writer
    if not stat.S_ISREG(found.st_mode):
        raise DecodeError("it is a folder" if source.is_dir() else "it is a pipe, a socket or a device, and no file")
    if found.st_size > LARGEST:
        raise DecodeError(f"it has {found.st_size:,} bytes, and a photograph at most {LARGEST:,}", "enormous")
    with source.open("rb") as file:
        yield file, found.st_size


@contextmanager
def unbounded() -> Iterator[None]:
    """Pillow refuses 179 megapixels as an attack; here `check_limits` decides. Threads may be in it side by side."""
    with BOUNDS_LOCK:
        BOUNDS.append(Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with BOUNDS_LOCK:
            Image.MAX_IMAGE_PIXELS = BOUNDS.pop()


@dataclass
class Raster:
    image: Image.Image  #           of any mode, not turned yet
    alpha: Image.Image | None = None  # L, where it is not in `image`
    mode: str = ""  #               as it was stored, in words
    orientation: int = 1  #         1 to 8, as EXIF counts
    profile: bytes | None = None  # that has not been applied yet
    gamma: float | None = None  #   of a PNG: light is a sample to the power of 1 / gamma
    is_scaled: bool = False  #      its range has been found
    keep_depth: bool = False  #     grey of more than 8 bits stays so, as I;16, and no profile is applied
    depth: int = 8  #               16: what has more than 8 bits becomes grey of its lightness, as I;16
    conversions: list[str] = field(default_factory=list)  # keys of `CONVERSIONS`
    notes: list[str] = field(default_factory=list)  #   what had to be decided, in words

    def __post_init__(self) -> None:
        self.stored_profile = self.profile

    @property
    def top(self) -> int:
        """The white of samples of more than 8 bits."""
        return 65535 if self.keep_depth or self.depth > 8 else 255

    def curve_of_grey(self) -> np.ndarray | None:
        """That of its profile; to grey that keeps more than 8 bits, the profile is applied at the end, or never."""
        return None if self.top > 255 else grey_curve(self.profile)

    def record(self, key: str, note: str = "") -> None:
        if key not in self.conversions:
            self.conversions.append(key)
        if note:
            self.notes.append(note)


NOTHING = Image.new("L", (1, 1))


def render_raster(raster: Raster) -> tuple[Image.Image, Image.Image | None]:
    """The picture (L or RGB) and its transparency (L), if any. Adds to what is noted. Raises `UserError`."""
    image, alpha = raster.image, raster.alpha
    raster.image = NOTHING  # of two pictures in a row the first is forgotten
    curve = None if raster.gamma is None or raster.profile else gamma_curve(raster.gamma)
    if curve is not None:
        raster.record("gamma")
    if image.mode == "F" or (image.mode.startswith("I") and not raster.is_scaled):
        image, alpha = _deep(image, raster, curve)
        curve = None
    elif alpha is None:
        image, alpha = part_alpha(image)
    image = without_palette(image, raster.profile)
    if curve is not None:
        image = image.point(np.tile(np.rint(curve), len(image.getbands())).astype(int).tolist())
    image = _in_srgb(image, raster)
    if alpha is not None and alpha.getextrema() == (0, 0):  # of BMPs, whose fourth byte often means nothing
        raster.notes.append("it is said to be transparent everywhere: it is taken as opaque")
        alpha = None
    if alpha is not None and alpha.getextrema()[0] == 255:
        alpha = None
    if alpha is not None:
        raster.record("alpha")
    if raster.orientation in range(2, 9):
        raster.record("rotated")
        image, alpha = upright(image, raster.orientation), alpha and upright(alpha, raster.orientation)
    return image, alpha


def _deep(image: Image.Image, raster: Raster, curve: np.ndarray | None) -> tuple[Image.Image, Image.Image | None]:
    """Grey of more than 8 bits -> L, its own profile applied before bits are lost; and the transparency of one tone."""
    clear = image.info.get("transparency")
    levels = Levels(32)
    for _, samples in image_strips(image):
        levels.add(samples)
    if levels.kind != "f" and levels.high < 2**16:
        levels.bits, levels.kind = 16, "i" if levels.low < 0 else "u"
    span = levels.range()
    if span.note:
        raster.record("range", span.note)
    if curve is None and (curve := raster.curve_of_grey()) is not None:
        raster.record("profile")
        raster.profile = None
    pixels = Image.new("I;16" if raster.top > 255 else "L", image.size)
    alpha = None if clear is None else Image.new("L", image.size)
    for top, samples in image_strips(image):
        found = scale_samples(samples, span, curve=curve, top=raster.top)
        pixels.paste(Image.fromarray(found), (0, top))
        if alpha is not None:
            alpha.paste(Image.fromarray(np.where(samples == clear, 0, 255).astype(np.uint8)), (0, top))
    return pixels, alpha


def _in_srgb(image: Image.Image, raster: Raster) -> Image.Image:
    """L or RGB, through the picture's own profile."""
    profile = raster.profile
    if image.mode == "CMYK":
        raster.record("cmyk")
        return to_srgb(image, profile, raster.notes)
    grey = "L" if image.mode == "I;16" else image.mode
    if not profile or raster.keep_depth or is_srgb(profile, grey):
        return image
    raster.record("profile")
    if image.mode == "I;16" and grey_curve(profile) is not None:
        return deep_grey_to_srgb(image, profile)
    if grey == "L":
        curve = grey_curve(profile)
        if curve is None:
            raster.notes.append("its colour profile is none for grey: its pixels are taken for sRGB")
            return image
        return image.point(np.rint(curve).astype(int).tolist())
    return to_srgb(image, profile, raster.notes)
