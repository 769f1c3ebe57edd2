"""Colour predicted small, brought to the size of the photograph along the edges of its lightness.

B batch, H W photograph, h w prediction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

METHODS = ("guided", "bilinear")


class Upsampling:
    """ab at any row of the full-size photograph, a strip at a time, so that its memory does not grow with the picture.

    guided      the fast guided filter of He and Sun 2015: within each window of the small picture ab is taken for a
                straight line in lightness, and that line is drawn at full size: colour ends where lightness does
    bilinear    plain; colour reaches over edges by a pixel of the small picture

    radius      of the windows, in small pixels
    smoothness  lightness (0…100) that is no edge yet: differences below it are smoothed over
    """

    def __init__(
        self, L: Tensor, ab: Tensor, size: tuple[int, int], method: str, *, radius: int = 4, smoothness: float = 4.0
    ):
        """L (1, 1, h, w) and ab (1, 2, h, w) of the small picture; `size` H, W of the photograph."""
        self.size = size
        if method == "bilinear":
            slope, offset = torch.zeros_like(ab), ab
        else:
            slope, offset = lines(L, ab, radius, smoothness**2)
        self.small = torch.cat([slope, offset], dim=1)  # (1, 4, h, w)

    def rows(self, L: Tensor, first: int) -> Tensor:
        """Full-size lightness (1, 1, n, W) of the rows from `first` on -> ab (1, 2, n, W)"""
        height, width = self.size
        small = self.small.shape[2]
        place = (torch.arange(first, first + L.shape[2], device=L.device) + 0.5) * small / height - 0.5
        place = place.clamp(0, small - 1)
        above = place.floor().long()
        below = (above + 1).clamp(max=small - 1)
        share = (place - above)[:, None]
        strip = torch.lerp(self.small[:, :, above], self.small[:, :, below], share)
        slope, offset = F.interpolate(strip, (L.shape[2], width), mode="bilinear").chunk(2, dim=1)
        return slope * L + offset


def lines(L: Tensor, ab: Tensor, radius: int, noise: float) -> tuple[Tensor, Tensor]:
    """Slope and offset (1, 2, h, w) of ab as a line in L, fitted in each window and averaged over the windows that a
    pixel lies in (He et al. 2013, eq. 5, 6 and 8)."""
    mean_L, mean_ab = mean(L, radius), mean(ab, radius)
    covariance = mean(L * ab, radius) - mean_L * mean_ab
    variance = mean(L * L, radius) - mean_L * mean_L
    slope = covariance / (variance.clamp(min=0) + noise)
    return mean(slope, radius), mean(mean_ab - slope * mean_L, radius)


def mean(x: Tensor, radius: int) -> Tensor:
    """Over the window of each pixel, or what of it lies in the picture."""
    return F.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
