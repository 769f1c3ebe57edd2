"""From the bytes of a file to a small upright sRGB picture, and what had to be done for that."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import Image, ImageFile

from colorize.data.decode import FORMATS, decode_picture
from colorize.data.failures import DecodeError

SIDE = 128  # pixels of the longer side at which photographs are looked at


class Opened(NamedTuple):
    image: Image.Image  #    RGB, upright, sRGB, on white, at most SIDE pixels long
    size: tuple[int, int]  # width, height of the whole photograph, upright
    mode: str
    notes: frozenset[str]  # findings that training takes care of


def open_small(data: bytes) -> Opened:
    """Decodes the whole file, JPEGs at the smallest scale that suffices. Raises `DecodeError`."""
    picture = decode_picture(data, shorter=SIDE)
    return Opened(shrunk(picture.opaque()), picture.size, picture.mode, frozenset(picture.treated))


def shrunk(image: Image.Image) -> Image.Image:
    image.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return image


def picture_of(data: bytes) -> Image.Image | None:
    """The small picture, of a damaged file as much as there is of it; None where there is nothing to see."""
    try:
        return open_small(data).image
    except DecodeError as broken:
        if broken.kind != "truncated":
            return None
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            image.draft(image.mode, (SIDE, SIDE))
            image.load()
            return shrunk(image.convert("RGB"))
    except Exception:  # decoders fail in every way there is: nothing to see is an answer
        return None
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False
