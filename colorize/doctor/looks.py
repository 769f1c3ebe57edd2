"""How colourful a small picture is, and what makes it the same picture as another. H W picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image

from colorize.color import rgb_to_lab

FEW = 32  #       pixels of the longer side at which tints are measured: below that of JPEG's colours
COVERED = 3.0  #  CIE chroma that half of a toned picture's pixels have at least: an object on white has less
STEP = 2  #       8-bit levels between neighbours that count as a difference: even areas have none
SIGNATURE = 32  # pixels of a side of what two pictures are compared by
CORRELATION = 0.94
EQUAL = 1.5  #    8-bit levels, root mean square


class Colours(NamedTuple):
    """Chroma of a picture in CIE units."""

    grey: bool  #       red, green and blue are equal everywhere
    mean: float
    median: float
    high: float  #      95 % of the pixels lie below
    deviation: float  # 95 % of the pixels lie nearer to the mean colour of the pixels of their own lightness

    def toned(self, limit: float) -> bool:
        return self.deviation < limit and self.median >= COVERED


def colours(image: Image.Image) -> Colours:
    """RGB -> its colours."""
    pixels = np.array(image)  # (H, W, 3) uint8
    grey = bool((pixels.max(axis=2) == pixels.min(axis=2)).all())
    chroma = np.hypot(*_lab(pixels)[1:])
    median, high = np.percentile(chroma, (50, 95))
    return Colours(grey, float(chroma.mean()), float(median), float(high), _deviation(image))


def _deviation(image: Image.Image) -> float:
    """How far colour is from being a function of lightness, as it is in a toned photograph, whatever the tint."""
    scale = min(1.0, FEW / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    L, a, b = _lab(np.array(image.resize(size, Image.Resampling.BOX))).reshape(3, -1)
    step = np.clip(L.astype(int), 0, 99)
    weight = _smooth(np.bincount(step, minlength=100))
    means = [_smooth(np.bincount(step, channel, minlength=100)) / np.maximum(weight, 1e-9) for channel in (a, b)]
    return float(np.percentile(np.hypot(a - means[0][step], b - means[1][step]), 95))


def _smooth(counts: np.ndarray) -> np.ndarray:
    """Over five neighbouring steps of lightness."""
    return np.convolve(counts, (1, 2, 3, 2, 1), mode="same")


def _lab(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (3, H, W)"""
    return rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1)).numpy()


def difference_hash(image: Image.Image) -> int:
    """64 bits: whether each of 8×8 areas is brighter than the one left of it. 0 of a picture without structure.

    The dHash of N. Krawetz, "Kind of like that", 2013, with a threshold, so that even areas do not give chance bits.
    """
    grey = image.convert("L").convert("F").resize((9, 8), Image.Resampling.BOX)
    levels = np.asarray(grey)
    bits = levels[:, 1:] > levels[:, :-1] + STEP
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def signature(image: Image.Image) -> np.ndarray:
    """(32, 32, 3) uint8: the picture squeezed to a square."""
    return np.array(image.resize((SIGNATURE, SIGNATURE), Image.Resampling.BOX))


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two signatures are of the same picture, whatever its size, brightness and contrast.

    A correlation of 0.94 parts copies (re-encoded, resized, brightened) from other photographs of the same thing;
    flat pictures have none and must be equal.
    """
    p, q = one.astype(np.float64), other.astype(np.float64)
    if np.sqrt(np.mean((p - q) ** 2)) < EQUAL:
        return True
    p, q = p - p.mean(axis=(0, 1)), q - q.mean(axis=(0, 1))  # of each channel: two blue skies are two photographs
    return bool((p * q).sum() > CORRELATION * np.sqrt((p * p).sum() * (q * q).sum()))
