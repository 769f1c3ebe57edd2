"""A plain U-Net as the generator of a conditional GAN (Isola et al. 2017; these layers: Nazeri et al. 2018, Places365).

Every convolution has kernel 4. Going down: convolution, batch norm, LeakyReLU 0.2. Going up: transposed convolution,
norm, ReLU, and only then the encoder's map of that size beside it.
B batch, C channels, H W picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.errors import UserError
from colorize.models.base import Colorizer
from colorize.ranges import Widths


class UNet(Colorizer):
    """ab = 128 · tanh. The defaults are the published network: 256² pixels down to 2×2.

    widths   channels of the first convolution, which keeps the size, and of each that halves it
    norm     going up: group (32 groups, or as many as leave two channels in each), or batch
    """

    answers = frozenset({"ab"})

    def __init__(
        self, *, widths: Widths = (64, 64, 128, 256, 512, 512, 512, 512), norm: Literal["group", "batch"] = "group"
    ):
        super().__init__()
        if len(widths) < 3 or any(width % 2 for width in widths):
            raise UserError(f"model.widths is {list(widths)}; it must be three even numbers or more")
        if norm not in NORMS:
            raise UserError(f"model.norm is {norm!r}; it must be one of {sorted(NORMS)}")
        self.multiple = 2 ** (len(widths) - 1)
        first, *others = widths
        # "same" padding of an even kernel: one pixel left and above, two right and below
        self.down = nn.ModuleList([nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), *halve(1, first, stride=1, padding=0))])
        self.down.extend(halve(inputs, outputs) for inputs, outputs in zip(widths, others, strict=False))
        outputs = list(reversed(widths[:-1]))  # as wide as the map that will stand beside it
        inputs = [widths[-1], *(2 * width for width in outputs)]
        self.up = nn.ModuleList(double(i, o, norm) for i, o in zip(inputs, outputs, strict=False))
        self.head = nn.Sequential(nn.Conv2d(inputs[-1], 2, 1), nn.Tanh())

    def forward(self, batch: Batch) -> Prediction:
        return Prediction(ab=self.predict_ab(batch.input))

    def predict_ab(self, L: Tensor) -> Tensor:
        x, maps = L / 50 - 1, []
        for down in self.down:
            maps.append(x := down(x))  #            H, H/2, H/4, …
        x = maps.pop()
        for up in self.up:
            x = torch.cat([up(x), maps.pop()], dim=1)
        return 128 * self.head(x)


def halve(inputs: int, outputs: int, stride: int = 2, padding: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 4, stride, padding), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2, inplace=True)
    )


def double(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1), NORMS[norm](outputs), nn.ReLU(inplace=True)
    )


def group_norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(32, channels // 2), channels)


NORMS: dict[str, Callable[[int], nn.Module]] = {"group": group_norm, "batch": nn.BatchNorm2d}
