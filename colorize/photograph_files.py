"""Photographs of any kind in, with what goes into the files that are painted from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from colorize.data.decode import decode_picture
from colorize.data.tones import SRGB as SRGB
from colorize.metadata import Metadata, read_metadata


@dataclass
class Photograph:
    image: Image.Image  #              L or RGB, sRGB
    alpha: Image.Image | None = None
    metadata: Metadata = field(default_factory=Metadata)  # of the file, without what describes its pixels
    notes: list[str] = field(default_factory=list)  # what had to be decided about it

    def rows(self, first: int, count: int) -> np.ndarray:
        """(count, W, 3) uint8; of a grey picture one plane, seen three times."""
        pixels = np.asarray(self.image.crop((0, first, self.image.width, first + count)))
        return np.broadcast_to(pixels[..., None], (*pixels.shape, 3)) if pixels.ndim == 2 else pixels

    @property
    def rgb(self) -> np.ndarray:
        """(H, W, 3) uint8: a copy"""
        return self.rows(0, self.image.height)


def open_photograph(path: Path, max_pixels: int | None = None) -> Photograph:
    """Raises `UserError` for what is no picture, is truncated, or has pixels whose range nobody knows."""
    picture = decode_picture(path, max_pixels=max_pixels)
    with path.open("rb") as file:
        metadata = read_metadata(file, picture.info, picture.texts)
    return Photograph(picture.image, picture.alpha, metadata, picture.notes)
