"""Photographs of any kind in: modes, colour profiles, EXIF, transparency."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from colorize.errors import UserError
from colorize.metadata import Metadata, read_metadata

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@dataclass
class Photograph:
    rgb: np.ndarray  #                 (H, W, 3) uint8, sRGB
    alpha: Image.Image | None = None
    metadata: Metadata = field(default_factory=Metadata)  # of the file, without what describes its pixels
    notes: list[str] = field(default_factory=list)  # what had to be decided about it


def open_photograph(path: Path) -> Photograph:
    """Raises `UserError` for what is no picture, is truncated, or has pixels whose range nobody knows."""
    notes: list[str] = []
    try:
        with path.open("rb") as file, Image.open(file) as opened:
            if getattr(opened, "n_frames", 1) > 1:
                notes.append(f"it has {opened.n_frames} frames: the first one is painted")  # type: ignore[attr-defined]
            opened.load()
            image = ImageOps.exif_transpose(opened)
            profile = opened.info.get("icc_profile")
            metadata = read_metadata(file, opened.info, getattr(opened, "text", None))
    except UnidentifiedImageError as error:
        raise UserError("it is no picture that can be read") from error
    except Image.DecompressionBombError as error:
        raise UserError(f"it is too large: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UserError(f"it cannot be read: {error}") from error
    image, alpha = part_alpha(eight_bit(image))
    rgb = to_srgb(image, profile, notes)
    return Photograph(np.asarray(rgb), alpha, metadata, notes)


def eight_bit(image: Image.Image) -> Image.Image:
    """Pictures of 16 bits scaled to 8; others as they are."""
    if image.mode == "F":
        raise UserError("its pixels are floating-point numbers of unknown range: convert it to 8 or 16 bits first")
    if image.mode.startswith("I"):
        pixels = np.asarray(image).astype(np.int64)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise UserError("its pixels are 32-bit numbers of unknown range: convert it to 8 or 16 bits first")
        return Image.fromarray(np.rint(pixels / 257).astype(np.uint8))
    return image


def part_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture without transparency, and the transparency (L), if it has any that shows."""
    if not image.has_transparency_data:
        return image, None
    full = image.convert("RGBA")
    alpha = full.getchannel("A")
    shows = alpha.getextrema()[0] < 255  # type: ignore[operator]
    return full.convert("RGB"), alpha if shows else None


def to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Through the picture's own colour profile where it has one, else as sRGB."""
    if profile is None:
        return image.convert("RGB")
    if image.mode not in ("RGB", "L", "CMYK"):
        image = image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(io.BytesIO(SRGB))
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError) as error:
        notes.append(f"its colour profile does not fit ({error}): its pixels are taken for sRGB")
        return image.convert("RGB")
    assert converted is not None  # only with inPlace
    return converted
