"""Critics: networks that tell true colour from painted. B batch, H W picture, h w map of judgements."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Critic(nn.Module):
    """Judges colour given lightness. A positive logit says: true."""

    def judge(self, L: Tensor, ab: Tensor) -> Tensor:
        """(B, 1, H, W), (B, 2, H, W) in CIE units -> logits (B, 1, h, w)"""
        raise NotImplementedError

    def forward(self, L: Tensor, *colourings: Tensor) -> tuple[Tensor, ...]:
        """Judges each colouring on its own, so that batch statistics never mix the true with the painted."""
        return tuple(self.judge(L, ab) for ab in colourings)


class PatchCritic(Critic):
    """The 70×70 patch critic of Isola et al. 2017 on [L, a, b]; 256² pixels give 30×30 logits."""

    def __init__(self, width: int = 64):
        super().__init__()
        widths = [3, width, 2 * width, 4 * width, 8 * width, 1]
        layers: list[nn.Module] = []
        for i, stride in enumerate((2, 2, 2, 1, 1)):
            layers.append(nn.Conv2d(widths[i], widths[i + 1], 4, stride, padding=1))
            if 0 < i < 4:
                layers.append(nn.BatchNorm2d(widths[i + 1]))
            if i < 4:
                layers.append(nn.LeakyReLU(0.2, inplace=True))
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def judge(self, L: Tensor, ab: Tensor) -> Tensor:
        return self.layers(torch.cat([L / 50 - 1, ab / 128], dim=1))


def initialise(module: nn.Module) -> None:
    """Isola et al.: convolutions from N(0, 0.02), normalisation gains from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
