"""From a file to a square of pixels. Everything here works on Pillow images and takes its randomness as an argument."""

from __future__ import annotations

from math import ceil
from os import PathLike

import numpy as np
from PIL import Image, ImageOps


def open_rgb(path: str | PathLike) -> Image.Image:
    """The whole photograph as 8-bit RGB, turned as its EXIF says. Raises what Pillow raises on a bad file."""
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def open_small(path: str | PathLike, shorter: int) -> Image.Image:
    """As `open_rgb`, with the shorter side shrunk to `shorter` pixels if it is longer. JPEGs shrink while decoding."""
    with Image.open(path) as image:
        scale = shorter / min(image.size)
        image.draft("RGB", (ceil(image.width * scale), ceil(image.height * scale)))
        photograph = ImageOps.exif_transpose(image).convert("RGB")
    scale = shorter / min(photograph.size)
    if scale >= 1:
        return photograph
    size = (max(shorter, round(photograph.width * scale)), max(shorter, round(photograph.height * scale)))
    return photograph.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square, resized with an antialiased bicubic filter to `size`²."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))  # first: a filter may not see beyond the square
    return square.resize((size, size), Image.Resampling.BICUBIC)


def random_square(
    image: Image.Image, random: np.random.Generator, *, size: int, crop: tuple[float, float], flip: bool, stretch: bool
) -> Image.Image:
    """A random square of `crop[0]` to `crop[1]` of the shorter side, resized to `size`²; mirrored half of the time.

    With `stretch` it is that part of both sides instead, so that the picture's proportions are lost.
    """
    share = random.uniform(*crop)
    width, height = (max(1.0, side * share) for side in (image.size if stretch else [min(image.size)] * 2))
    left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
    box = (left, top, left + width, top + height)
    square = image.resize((size, size), Image.Resampling.BICUBIC, box=box)
    return ImageOps.mirror(square) if flip and random.random() < 0.5 else square
