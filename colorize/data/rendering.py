"""From what a reader hands on to an upright picture in sRGB of 8 bits, grey or RGB, and its transparency."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from colorize.data.raster import Raster
from colorize.data.tones import (
    STRIP,
    Levels,
    gamma_curve,
    grey_curve,
    is_srgb,
    lab_image,
    part_alpha,
    scaled,
    space_of,
    to_srgb,
)

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip

NOTHING = Image.new("L", (1, 1))


def finish(raster: Raster) -> tuple[Image.Image, Image.Image | None]:
    """The picture (L or RGB) and its transparency (L), if any. Adds to what is noted. Raises `UserError`."""
    image, alpha = raster.image, raster.alpha
    raster.image = NOTHING  # of two pictures in a row the first is forgotten
    curve = None if raster.gamma is None or raster.profile else gamma_curve(raster.gamma)
    if curve is not None:
        raster.treat("gamma")
    if image.mode == "F" or (image.mode.startswith("I") and not raster.is_scaled):
        image, alpha = _deep(image, raster, curve)
        curve = None
    elif alpha is None:
        image, alpha = part_alpha(image)
    image = _standard(image, raster)
    if curve is not None:
        image = image.point(np.tile(np.rint(curve), len(image.getbands())).astype(int).tolist())
    image = _in_srgb(image, raster)
    if alpha is not None and alpha.getextrema() == (0, 0):  # of BMPs, whose fourth byte often means nothing
        raster.notes.append("it is said to be transparent everywhere: it is taken as opaque")
        alpha = None
    if alpha is not None and alpha.getextrema()[0] == 255:
        alpha = None
    if alpha is not None:
        raster.treat("alpha")
    if raster.orientation in TURNS:
        raster.treat("rotated")
        turn = TURNS[raster.orientation]
        image, alpha = image.transpose(turn), alpha and alpha.transpose(turn)
    return image, alpha


def _deep(image: Image.Image, raster: Raster, curve: np.ndarray | None) -> tuple[Image.Image, Image.Image | None]:
    """Grey of more than 8 bits -> L, its own profile applied before bits are lost; and the transparency of one tone."""
    clear = image.info.get("transparency")
    levels = Levels(32)
    for _, samples in _strips(image):
        levels.add(samples)
    if levels.kind != "f" and levels.high < 2**16:
        levels.bits, levels.kind = 16, "i" if levels.low < 0 else "u"
    span = levels.range()
    raster.decided(span.note)
    if curve is None and not raster.keep_depth and (curve := grey_curve(raster.profile)) is not None:
        raster.treat("profile")
        raster.profile = None
    pixels = Image.new("I;16" if raster.keep_depth else "L", image.size)
    alpha = None if clear is None else Image.new("L", image.size)
    for top, samples in _strips(image):
        found = scaled(samples, span, curve=curve, top=65535 if raster.keep_depth else 255)
        pixels.paste(Image.fromarray(found), (0, top))
        if alpha is not None:
            alpha.paste(Image.fromarray(np.where(samples == clear, 0, 255).astype(np.uint8)), (0, top))
    return pixels, alpha


def _strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """The first row, and samples (rows, W): of the whole, numpy would hold two copies more."""
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))


def _standard(image: Image.Image, raster: Raster) -> Image.Image:
    """L, RGB or CMYK."""
    if image.mode in ("L", "RGB", "CMYK", "I;16"):  # the last is kept, or was scaled already
        return image
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    if image.mode == "LAB":
        parts = np.asarray(image)
        return lab_image(parts[..., 0], parts[..., 1:] ^ 128)
    grey = raster.profile is not None and space_of(raster.profile) == "GRAY"  # of a palette of greys
    return image.convert("RGB").convert("L") if grey else image.convert("RGB")


def _in_srgb(image: Image.Image, raster: Raster) -> Image.Image:
    """L or RGB, through the picture's own profile."""
    profile = raster.profile
    if image.mode == "CMYK":
        raster.treat("cmyk")
        return to_srgb(image, profile, raster.notes)
    if not profile or raster.keep_depth or is_srgb(profile, image.mode):
        return image
    raster.treat("profile")
    if image.mode == "L":
        curve = grey_curve(profile)
        if curve is None:
            raster.notes.append("its colour profile is none for grey: its pixels are taken for sRGB")
            return image
        return image.point(np.rint(curve).astype(int).tolist())
    return to_srgb(image, profile, raster.notes)
