"""What a reader of one format hands on: pixels as they were stored, and what the file says of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from colorize.data.tones import part_alpha


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
    treated: list[str] = field(default_factory=list)  # keys of `TREATMENT`
    notes: list[str] = field(default_factory=list)  #   what had to be decided, in words

    def treat(self, key: str, note: str = "") -> None:
        if key not in self.treated:
            self.treated.append(key)
        if note:
            self.notes.append(note)

    def decided(self, note: str) -> None:
        """On the range of its samples."""
        if note:
            self.treat("range", note)

    def add(self, part: Raster, place: tuple[int, int], size: tuple[int, int]) -> None:
        """A rectangle of the picture at left, top; `size` is the whole picture's."""
        image, alpha = (part.image, part.alpha) if part.alpha else part_alpha(part.image)
        if self.image.size != size or self.image.mode != image.mode:
            self.image = Image.new(image.mode, size)
            self.alpha = None if alpha is None else Image.new("L", size)
            if image.palette:
                self.image.putpalette(image.palette)
        self.image.paste(image, place)
        if self.alpha is not None and alpha is not None:
            self.alpha.paste(alpha, place)
        self.profile, self.is_scaled = part.profile, part.is_scaled
        self.treated += [key for key in part.treated if key not in self.treated]
        self.notes += [note for note in part.notes if note not in self.notes]

    def take(self, pixels: np.ndarray, mode: str) -> None:
        """(H, W, S) uint8, or uint16 of grey whose depth is kept"""
        self.is_scaled = True
        pixels = pixels[..., 0] if mode == "L" else pixels
        self.image = Image.fromarray(np.ascontiguousarray(pixels))
        if mode in ("CMYK", "YCbCr"):  # which came as RGBA and RGB
            self.image = Image.frombytes(mode, self.image.size, self.image.tobytes())
