"""Colour as a distribution over bins of the ab plane (Zhang et al. 2016). B batch, C channels, Q bins."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.imaging.gamut import ab_bins

HIDDEN = 128  # channels between the maps and the logits


class BinHead(nn.Module):
    """Logits over `gamut.ab_bins` at each place of the maps, and the colour that they mean.

    temperature  of the annealed mean: at 1 it is the mean, which is dull; towards 0 it is the likeliest bin, which is
                 vivid and patchy. The paper's is 0.38
    """

    centres: Tensor

    def __init__(self, inputs: int, temperature: float):
        super().__init__()
        self.register_buffer("centres", ab_bins(), persistent=False)
        self.logits = nn.Sequential(nn.Conv2d(inputs, HIDDEN, 1), nn.ReLU(), nn.Conv2d(HIDDEN, len(self.centres), 1))
        self.temperature = temperature

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> logits (B, Q, h, w)"""
        return self.logits(maps)

    def annealed_mean(self, logits: Tensor) -> Tensor:
        """(B, Q, h, w) -> ab (B, 2, h, w) in CIE units: the paper's eq. 5"""
        shares = (logits.float() / self.temperature).softmax(dim=1)
        return torch.einsum("bqhw,qc->bchw", shares, self.centres)

    def predict_ab(self, logits: Tensor, factor: int) -> Tensor:
        """The same, `factor` times as high and wide."""
        return F.interpolate(self.annealed_mean(logits), scale_factor=factor, mode="bilinear")
