"""From the bytes of a file to a small upright sRGB picture, and what had to be done for that."""

from __future__ import annotations

import io
import re
import struct
import warnings
from typing import NamedTuple

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from colorize.data.decode import orientation, peculiarities
from colorize.errors import UserError
from colorize.photograph_files import eight_bit, to_srgb

SIDE = 128  # pixels of the longer side at which photographs are looked at
PIXELS = 178_956_970  # of the largest picture that is decoded: where Pillow refuses
BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")  # what files begin with
START_OF_SCAN, END_OF_IMAGE = 0xDA, b"\xff\xd9"


class Broken(Exception):  # noqa: N818 (it is a finding, not a bug)
    """A file that yields no picture; `key` is the finding."""

    def __init__(self, key: str, why: str):
        super().__init__(why)
        self.key = key


class Opened(NamedTuple):
    image: Image.Image  #    RGB, upright, sRGB, on white, at most SIDE pixels long
    size: tuple[int, int]  # width, height of the whole photograph, upright
    mode: str
    notes: frozenset[str]  # findings that training takes care of


def open_small(data: bytes) -> Opened:
    """Decodes the whole file, JPEGs at the smallest scale that suffices. Raises `Broken`."""
    if not data:
        raise Broken("empty", "the file has no bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd EXIF, and of sizes that are looked at here
        image = _identify(data)
        size, mode = image.size, image.mode
        if size[0] * size[1] > PIXELS:
            raise Broken("enormous", f"{size[0]:,}×{size[1]:,} pixels")
        notes = set(peculiarities(image))
        _load(image, data)
        try:
            small = shrink(image, notes)
        except UserError as error:  # pixels of unknown range
            raise Broken("unreadable", str(error)) from error
    size = size[::-1] if orientation(image) >= 5 else size
    return Opened(small, size, mode, frozenset(notes))


def _identify(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except Image.DecompressionBombError as error:
        raise Broken("enormous", _pixels_in(str(error))) from error
    except UnidentifiedImageError as error:
        if data.startswith(BEGINNINGS):
            raise Broken("truncated", "its header is cut short or damaged") from error
        raise Broken("unreadable", _kind(data)) from error
    except Exception as error:  # decoders fail on damaged files in every way there is; that is the finding
        raise Broken("truncated", _first_line(error)) from error


def _pixels_in(message: str) -> str:
    """Pillow tells the size of what it refuses in its message alone."""
    found = re.search(r"\((\d+) pixels\)", message)
    return f"{int(found[1]):,} pixels" if found else message


def _load(image: Image.Image, data: bytes) -> None:
    """Decode it; JPEGs at a half, a quarter or an eighth of their size, if that is enough."""
    try:
        image.draft(image.mode, (SIDE, SIDE))
        image.load()
    except Exception as error:  # as above
        raise Broken("truncated", _first_line(error)) from error
    if image.format in ("JPEG", "MPO") and not ends(data):
        raise Broken("truncated", "its end marker is missing")


def ends(data: bytes) -> bool:
    """Whether a JPEG has an end marker behind its first scan. (A thumbnail in its EXIF has one of its own.)"""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = struct.unpack_from(">BH", data, place + 1)
        if marker == 0xFF:  # padding
            place += 1
        elif marker == START_OF_SCAN:
            break
        else:
            place += 2 + length
    return data.find(END_OF_IMAGE, place) >= 0


def shrink(image: Image.Image, notes: set[str]) -> Image.Image:
    """The decoded picture as small upright sRGB on white; adds what it finds out on the way to `notes`."""
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image) if orientation(image) > 1 else image
    image = eight_bit(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:  # type: ignore[operator]
            notes.add("alpha")
        image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return to_srgb(image, profile, [])


def picture_of(data: bytes) -> Image.Image | None:
    """The small picture, of a damaged file as much as there is of it; None where there is nothing to see."""
    try:
        return open_small(data).image
    except Broken as broken:
        if broken.key != "truncated":
            return None
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft(image.mode, (SIDE, SIDE))
            image.load()
            return shrink(image, set())
    except Exception:  # as above: nothing to see is an answer
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _kind(data: bytes) -> str:
    """What a file is that is no picture."""
    head = data[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "it is a web page"
    try:
        text = data[:512].decode("utf-8", errors="strict" if len(data) <= 512 else "ignore")
    except UnicodeDecodeError:
        return "it is no picture that is known"
    return "it is a text" if text.isprintable() or text.replace("\n", "").isprintable() else "it is no picture"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
