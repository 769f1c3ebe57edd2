"""Photographs of any kind in, with what goes into the files that are painted from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from colorize.data.decode import Picture, decode_picture
from colorize.data.tones import SRGB as SRGB
from colorize.metadata import Metadata, read_metadata


@dataclass
class Photograph:
    rgb: np.ndarray  #                 (H, W, 3) uint8, sRGB
    alpha: Image.Image | None = None
    metadata: Metadata = field(default_factory=Metadata)  # of the file, without what describes its pixels
    notes: list[str] = field(default_factory=list)  # what had to be decided about it


def open_photograph(path: Path, max_pixels: int | None = None) -> Photograph:
    """Raises `UserError` for what is no picture, is truncated, or has pixels whose range nobody knows."""
    picture = decode_picture(path, max_pixels=max_pixels)
    with path.open("rb") as file:
        metadata = read_metadata(file, picture.info, picture.texts)
    return Photograph(pixels_of(picture), picture.alpha, metadata, picture.notes)


def pixels_of(picture: Picture) -> np.ndarray:
    """(H, W, 3) uint8; of a grey picture one plane, seen three times."""
    pixels = np.asarray(picture.image)
    return np.broadcast_to(pixels[..., None], (*pixels.shape, 3)) if pixels.ndim == 2 else pixels
