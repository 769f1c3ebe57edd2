"""What every network that colours photographs has in common. B batch, H W picture."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.batch import Batch, Prediction

AB_LIMIT = 128.0  # no colour that a screen can show lies outside ±128 in a or b


class Colorizer(nn.Module):
    """A network from lightness to colour. Units at its doors are CIE units; what it needs inside is its own affair."""

    answers: ClassVar[frozenset[str]]  #  the Prediction fields that forward() can fill
    multiple: ClassVar[int] = 1  #        predict_ab() takes heights and widths that this divides

    def forward(self, batch: Batch) -> Prediction:
        """One training pass."""
        raise NotImplementedError

    def predict_ab(self, L: Tensor) -> Tensor:
        """(B, 1, H, W) L* 0…100 -> (B, 2, H, W) ab in CIE units, as the network says it: not clamped."""
        raise NotImplementedError

    @torch.no_grad()
    def colorize(self, L: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(B, 1, H, W) L* 0…100, any H and W -> (B, 2, H, W) ab in CIE units, clamped to ±128.

        `generator` is the source of chance for networks that need one. Call it in eval mode.
        """
        if L.ndim != 4 or L.shape[1] != 1:
            raise ValueError(f"L must be (B, 1, H, W); its shape is {tuple(L.shape)}")
        height, width = L.shape[2:]
        down, right = -height % self.multiple, -width % self.multiple
        padded = F.pad(L, (0, right, 0, down), mode="replicate")
        return self.predict_ab(padded)[..., :height, :width].float().clamp(-AB_LIMIT, AB_LIMIT)
