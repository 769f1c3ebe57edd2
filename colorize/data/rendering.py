"""From what a reader hands on to an upright picture in sRGB of 8 bits, grey or RGB, and its transparency."""

from __future__ import annotations

import numpy as np
from PIL import Image

from colorize.data.raster import Raster
from colorize.data.tones import (
    gamma_curve,
    grey_curve,
    is_srgb,
    lab_image,
    part_alpha,
    range_of,
    scaled,
    space_of,
    to_srgb,
)

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def finish(raster: Raster) -> tuple[Image.Image, Image.Image | None]:
    """The picture (L or RGB) and its transparency (L), if any. Adds to what is noted. Raises `UserError`."""
    image, alpha = raster.image, raster.alpha
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
    samples = np.asarray(image)
    clear = image.info.get("transparency")
    bits = 16 if samples.max() < 2**16 and samples.dtype.kind in "iu" else 32
    span = range_of(samples.astype(np.uint16) if bits == 16 and samples.min() >= 0 else samples, bits)
    raster.decided(span.note)
    if curve is None and not raster.keep_depth and (curve := grey_curve(raster.profile)) is not None:
        raster.treat("profile")
        raster.profile = None
    pixels = Image.fromarray(scaled(samples, span, curve=curve, top=65535 if raster.keep_depth else 255))
    alpha = None if clear is None else Image.fromarray(np.where(samples == clear, 0, 255).astype(np.uint8))
    return pixels, alpha


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
