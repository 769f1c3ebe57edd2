"""Colour that is blotchy where the picture is even. B batch, H W picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize.errors import UserError
from colorize.metrics.metric import Metric
from colorize.metrics.picture import Pair, Picture

SIDES = (8, 16, 32)  # pixels of a square
EVEN = 2.0  #          CIE lightness, standard deviation up to which a square is even


class Patchiness(Metric):
    """By how much colour varies more than the truth's within squares of even lightness, in CIE units.

    The picture is cut into squares of 8, 16 and 32 pixels. Where the true lightness varies by a standard deviation of
    no more than 2, the spread √(σ²_a + σ²_b) of painted colour above that of the true one is counted, at least 0:
    colour flatter than the truth's is no patch, and colours twice as strong vary twice as much. The three sizes see
    blotches of as many sizes; each even pixel counts once for each. Blotches that are larger than the largest square
    show at their borders alone. The formula is this package's own.
    """

    label, better, needs = "patchiness", "lower", frozenset({"true"})
    undefined = "the true picture has no even place"

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        if min(true.pixels.shape[2:]) < SIDES[0]:
            raise UserError(f"patchiness needs pictures of {SIDES[0]} pixels or more a side")
        excess = torch.zeros(len(true), device=true.pixels.device)
        even = torch.zeros_like(excess)
        for side, (light, spread), (_, found) in zip(SIDES, spreads(true), spreads(painted), strict=False):
            flat = (light <= EVEN).float()
            excess += side**2 * ((found - spread).clamp(min=0) * flat).sum(dim=(1, 2))
            even += side**2 * flat.sum(dim=(1, 2))
        return excess / even  # 0 / 0 is NaN


def spreads(picture: Picture) -> list[tuple[Tensor, Tensor]]:
    """Standard deviations of L and of (a, b) together, (B, H // side, W // side) each, for each side of whole squares.

    The variance of a square is the mean of its four quarters' and the variance of their means.
    """

    def compute() -> list[tuple[Tensor, Tensor]]:
        mean = F.avg_pool2d(picture.lab, SIDES[0])
        cut = picture.lab[..., : SIDES[0] * mean.shape[2], : SIDES[0] * mean.shape[3]]
        variance = F.avg_pool2d((cut - F.interpolate(mean, scale_factor=SIDES[0])).square(), SIDES[0])
        found = [_roots(variance)]
        while len(found) < len(SIDES) and min(mean.shape[2:]) > 1:
            mean, quarters = F.avg_pool2d(mean, 2), mean
            cut = quarters[..., : 2 * mean.shape[2], : 2 * mean.shape[3]]
            among = F.avg_pool2d((cut - F.interpolate(mean, scale_factor=2)).square(), 2)
            variance = F.avg_pool2d(variance, 2) + among
            found.append(_roots(variance))
        return found

    return picture.once("spreads", compute)


def _roots(variance: Tensor) -> tuple[Tensor, Tensor]:
    return variance[:, 0].sqrt(), (variance[:, 1] + variance[:, 2]).sqrt()
