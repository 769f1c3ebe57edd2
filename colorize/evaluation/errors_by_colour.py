"""How wrong painted colours are by what the true colour is: its hue, and how strong it is. B batch, H W picture."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.metrics import Picture

HUES = 24  #        parts of the circle
GREYISH = 5.0  #    CIE chroma below which a colour has no hue to speak of
STEP, TOP = 5, 60  # CIE chroma: width of a part; all above the top are in the last
CHROMAS = TOP // STEP + 1
WIDTH = 2 * HUES + 3 * CHROMAS


class ErrorsByColour(NamedTuple):
    """Over all pixels of a set. Errors are distances in (a, b), CIE units."""

    hue_pixels: np.ndarray  #      (HUES,) share of the coloured pixels
    hue_errors: np.ndarray  #      (HUES,) mean error; NaN where no pixel has the hue
    chroma_pixels: np.ndarray  #   (CHROMAS,) share of all pixels
    chroma_errors: np.ndarray  #   (CHROMAS,)
    painted_chroma: np.ndarray  # (CHROMAS,) mean chroma that was painted where the truth's is in this part


def errors_by_colour(painted: Picture, true: Picture) -> Tensor:
    """(B, WIDTH): pixels and summed error by hue, then pixels, summed error and summed painted chroma by chroma, all
    divided by the picture's pixels."""
    a, b = true.lab[:, 1], true.lab[:, 2]
    error = (painted.lab[:, 1:] - true.lab[:, 1:]).square().sum(dim=1).sqrt()
    hue = ((torch.atan2(b, a) / (2 * torch.pi) % 1) * HUES).long().clamp(max=HUES - 1)
    strength = (true.chroma / STEP).long().clamp(max=CHROMAS - 1)
    coloured = (true.chroma >= GREYISH).float()
    parts = [_sums(hue, coloured, HUES), _sums(hue, coloured * error, HUES)]
    parts += [_sums(strength, of, CHROMAS) for of in (torch.ones_like(error), error, painted.chroma)]
    return torch.cat(parts, dim=1)


def _sums(bins: Tensor, values: Tensor, count: int) -> Tensor:
    """(B, H, W) bins and values -> (B, count) sums over the picture, divided by its pixels"""
    flat = bins.flatten(1)
    return values.new_zeros(len(bins), count).scatter_add_(1, flat, values.flatten(1)) / flat.shape[1]


def summed(rows: np.ndarray) -> ErrorsByColour:
    """(n, WIDTH) of n pictures -> means over all of their pixels, each picture counting alike."""
    total = rows.sum(axis=0, dtype=np.float64)
    pixels, errors, counts, wrong, chroma = np.split(total, np.cumsum([HUES, HUES, CHROMAS, CHROMAS]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return ErrorsByColour(
            pixels / pixels.sum(), errors / pixels, counts / counts.sum(), wrong / counts, chroma / counts
        )


def errors_of(file: Path) -> np.ndarray:
    """(n, WIDTH) as they were kept"""
    return np.fromfile(file, dtype="<f4").reshape(-1, WIDTH)
