"""From a decoded photograph to a square of pixels. The randomness is an argument; every filter is antialiased.

H W picture.
"""

from __future__ import annotations

from math import exp, log, sqrt

import numpy as np
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

Box = tuple[int, int, int, int]  # left, top, width, height, in pixels


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square, resized with an antialiased bicubic filter to `size`²."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))  # first: a filter may not see beyond the square
    return square.resize((size, size), Image.Resampling.BICUBIC)


def square(width: int, height: int, random: np.random.Generator, *, crop: tuple[float, float]) -> Box:
    """A square of `crop[0]` to `crop[1]` of the shorter side: as if that were resized, and a square cut out."""
    side = max(1, round(random.uniform(*crop) * min(width, height)))
    return _somewhere(width, height, side, side, random)


def stretch(width: int, height: int, random: np.random.Generator, *, crop: tuple[float, float]) -> Box:
    """That share of both sides: what is cut out of a picture stretched to a square, which loses its proportions."""
    share = random.uniform(*crop)
    return _somewhere(width, height, max(1, round(share * width)), max(1, round(share * height)), random)


def area(width: int, height: int, random: np.random.Generator, *, crop: tuple[float, float]) -> Box:
    """A rectangle of `crop[0]` to `crop[1]` of the area, from 3:4 to 4:3: the random resized crop of Szegedy et al."""
    for _ in range(10):
        surface = random.uniform(*crop) * width * height
        ratio = exp(random.uniform(log(3 / 4), log(4 / 3)))
        wide, high = round(sqrt(surface * ratio)), round(sqrt(surface / ratio))
        if 0 < wide <= width and 0 < high <= height:
            return _somewhere(width, height, wide, high, random)
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def _somewhere(width: int, height: int, wide: int, high: int, random: np.random.Generator) -> Box:
    left, top = random.integers(0, width - wide, endpoint=True), random.integers(0, height - high, endpoint=True)
    return int(left), int(top), wide, high


GEOMETRIES = {"square": square, "stretch": stretch, "area": area}


def cut(rgb: Tensor, box: Box, size: int) -> Tensor:
    """(3, H, W) uint8 -> (3, size, size) uint8: the box, resized."""
    left, top, width, height = box
    piece = rgb[:, top : top + height, left : left + width]  # first: a filter may not see beyond the box
    if (width, height) == (size, size):
        return piece.contiguous()
    return F.interpolate(piece[None], (size, size), mode="bicubic", antialias=True)[0]


def random_crop(
    rgb: Tensor, random: np.random.Generator, *, size: int, geometry: str, crop: tuple[float, float], flip: bool
) -> Tensor:
    """(3, H, W) uint8 -> (3, size, size) uint8: a box of one of `GEOMETRIES`, resized; mirrored half of the time."""
    box = GEOMETRIES[geometry](rgb.shape[2], rgb.shape[1], random, crop=crop)
    pixels = cut(rgb, box, size)
    return pixels.flip(-1) if flip and random.random() < 0.5 else pixels
