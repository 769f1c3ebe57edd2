"""Critics: networks that tell true colour from painted. B batch, H W picture, h w map of judgements."""

from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from colorize.imaging.color import lab_to_rgb
from colorize.models.base import convolution
from colorize.utils.errors import UserError
from colorize.utils.validation import AttentionWidth, CriticWidth


class Critic(nn.Module):
    """Judges colour given lightness. A positive logit says: true."""

    least = 32  # pixels of the sides of the smallest picture that it judges

    def judge(self, L: Tensor, ab: Tensor) -> Tensor:
        """(B, 1, H, W), (B, 2, H, W) in CIE units -> logits (B, 1, h, w)"""
        raise NotImplementedError

    def forward(self, L: Tensor, *colourings: Tensor) -> tuple[Tensor, ...]:
        """Judges each colouring on its own, so that batch statistics never mix the true with the painted."""
        return tuple(self.judge(L, ab) for ab in colourings)


class PatchCritic(Critic):
    """The 70×70 patch critic of Isola et al. 2017 on [L, a, b]; 256² pixels give 30×30 logits.

    start    its first weights: normal, as Isola et al. draw them; or torch, as torch's layers do by themselves, which
             is how the thesis's code has it
    """

    def __init__(self, width: CriticWidth = 64, start: str = "normal"):
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
        if start not in ("normal", "torch"):
            raise UserError(f"the critic's start is {start!r}; it must be normal or torch")
        if start == "normal":
            self.apply(initialise)

    def judge(self, L: Tensor, ab: Tensor) -> Tensor:
        return self.layers(torch.cat([L / 50 - 1, ab / 128], dim=1))


def initialise(module: nn.Module) -> None:
    """Isola et al.: convolutions from N(0, 0.02), normalisation gains from N(1, 0.02)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


normalised = partial(convolution, spectral=True)


class UNetCritic(Critic):
    """DDColor's critic (Kang et al. 2023) on sRGB: spectral norm on every convolution, ReLU, self-attention at 1/4.

    256² pixels give 13×13 logits. The name is the published one; it only goes down.
    """

    least = 64

    def __init__(self, width: AttentionWidth = 64):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = [normalised(3, width, kernel=4, stride=2, padding=1), nn.ReLU()]
        for i, (inputs, outputs) in enumerate(pairwise(widths)):
            layers += [normalised(inputs, inputs, kernel=3), nn.ReLU()]
            layers += [normalised(inputs, outputs, kernel=4, stride=2, padding=1), nn.ReLU()]
            if i == 0:
                layers.append(SelfAttention(outputs))
        layers += [normalised(widths[-1], widths[-1], kernel=3), nn.ReLU()]
        layers.append(normalised(widths[-1], 1, kernel=4, padding=0, bias=False))
        self.layers = nn.Sequential(*layers)

    def judge(self, L: Tensor, ab: Tensor) -> Tensor:
        return self.layers(lab_to_rgb(L, ab))


class SelfAttention(nn.Module):
    """Zhang et al. 2019 (SAGAN): starts as the identity, γ being 0."""

    def __init__(self, channels: int):
        super().__init__()
        self.query, self.key = (normalised(channels, channels // 8, bias=False) for _ in range(2))
        self.value = normalised(channels, channels, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (rearrange(part(x), "b c h w -> b 1 (h w) c") for part in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(q, k, v, scale=1.0)
        return x + self.gamma * rearrange(y, "b 1 (h w) c -> b c h w", h=x.shape[2])
