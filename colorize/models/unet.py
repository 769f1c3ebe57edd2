"""U-Nets, the generators of the GANs. B batch, C channels, H W picture.

`UNet`, a plain one (Isola et al. 2017; these layers: Nazeri et al. 2018, Places365). Every convolution has kernel 4.
Going down: convolution, batch norm, LeakyReLU 0.2. Going up: transposed convolution, norm, ReLU, and only then the
encoder's map of that size beside it.

`ResNetUNet`, the stronger one, on a pretrained ResNet-18 (Kiani et al. 2020; Shariatnia 2020). The decoder is fastai's
`DynamicUnet` with its default options, as that tutorial and the thesis trained it: pixel shuffles, batch norm on the
encoder's maps alone, and the grey picture itself beside the last map.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.models.base import Colorizer, convolution
from colorize.models.encoders import Encoder
from colorize.utils.errors import UserError
from colorize.utils.validation import Factor, Name, Pretrained, Widths


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
        self.multiple = 2 ** (len(widths) - 1)
        first, *others = widths
        # "same" padding of an even kernel: one pixel left and above, two right and below
        self.down = nn.ModuleList([nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), *halve(1, first, stride=1, padding=0))])
        self.down.extend(halve(inputs, outputs) for inputs, outputs in zip(widths, others, strict=False))
        outputs = list(reversed(widths[:-1]))  # as wide as the map that will stand beside it
        inputs = [widths[-1], *(2 * width for width in outputs)]
        self.up = nn.ModuleList(double(i, o, norm) for i, o in zip(inputs, outputs, strict=False))
        self.head = nn.Sequential(grey_at_first(nn.Conv2d(inputs[-1], 2, 1)), nn.Tanh())

    def predict_ab(self, L: Tensor) -> Tensor:
        x, maps = L / 50 - 1, []
        for down in self.down:
            maps.append(x := down(x))  #            H, H/2, H/4, …
        x = maps.pop()
        for up in self.up:
            x = torch.cat([up(x), maps.pop()], dim=1)
        return 128 * self.head(x)


def grey_at_first(head: nn.Conv2d) -> nn.Conv2d:
    """The last convolution, with a thousandth of its weights: as others begin, the first colours are far outside of
    sRGB, and the steps that bring them back spoil the layers before."""
    with torch.no_grad():
        for weight in head.parameters():
            weight.mul_(1e-3)
    return head


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


class ResNetUNet(Colorizer):
    """ab = 128 · y, unbounded. The defaults are the published network.

    encoder     a timm name with feature maps at 1/2, 1/4, 1/8, 1/16, 1/32; `pretrained` as in `Encoder`
    width       factor on the decoder's channels, which otherwise follow from the encoder's
    """

    answers = frozenset({"ab"})
    multiple = 32

    def __init__(self, *, encoder: Name = "resnet18.tv_in1k", pretrained: Pretrained = "auto", width: Factor = 1.0):
        super().__init__()
        self.encoder = Encoder(encoder, pretrained, (2, 4, 8, 16, 32), inputs=1)
        self.pretrained = self.encoder.pretrained
        *skips, deepest = self.encoder.channels
        self.middle = nn.Sequential(
            nn.BatchNorm2d(deepest), nn.ReLU(), convolve(deepest, 2 * deepest), convolve(2 * deepest, deepest)
        )
        nn.init.constant_(self.middle[0].bias, 1e-3)  # type: ignore[arg-type]
        inputs, self.climbs = deepest, nn.ModuleList()
        for i, skip in enumerate(reversed(skips)):
            climb = UpBlock(inputs, skip, width, last=i == len(skips) - 1)
            self.climbs.append(climb)
            inputs = climb.outputs
        self.last = convolution(inputs, 4 * inputs, shuffle=2)
        self.residual = nn.Sequential(convolve(inputs + 1, inputs + 1), convolution(inputs + 1, inputs + 1, kernel=3))
        self.head = grey_at_first(convolution(inputs + 1, 2))

    def predict_ab(self, L: Tensor) -> Tensor:
        grey = L / 50 - 1
        *skips, x = self.encoder.net(grey)  #                      1/2, 1/4, 1/8, 1/16; 1/32
        x = self.middle(x)
        for climb, skip in zip(self.climbs, reversed(skips), strict=True):
            x = climb(x, skip)
        x = F.pixel_shuffle(F.relu_(self.last(x)), 2)  #            (B, C, H, W)
        x = torch.cat([x, grey], dim=1)
        x = F.relu_(x + self.residual(x))
        return 128 * self.head(x)


class UpBlock(nn.Module):
    """Twice the size by a pixel shuffle, the encoder's map of that size beside it, and two convolutions."""

    def __init__(self, inputs: int, skip: int, width: float, *, last: bool):
        super().__init__()
        up = inputs // 2
        joined = up + skip
        self.outputs = max(8, 2 * round((joined // 2 if last else joined) * width / 2))  # the next block halves them
        self.up = convolution(inputs, 4 * up, shuffle=2)
        self.norm = nn.BatchNorm2d(skip)
        nn.init.constant_(self.norm.bias, 1e-3)
        self.mix = nn.Sequential(convolve(joined, self.outputs), convolve(self.outputs, self.outputs))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        up = F.pixel_shuffle(F.relu_(self.up(x)), 2)
        return self.mix(F.relu_(torch.cat([up, self.norm(skip)], dim=1)))


def convolve(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(convolution(inputs, outputs, kernel=3), nn.ReLU(inplace=True))
