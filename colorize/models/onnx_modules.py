"""What of a network is exported: modules whose sizes are free. B batch, H W picture, h w the map that is denoised."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn.utils import parametrize

from colorize.imaging.transforms import resize
from colorize.models.base import AB_LIMIT, Colorizer


class PartOf(nn.Module):
    """What is exported of a network."""

    def __init__(self, model: Any):
        super().__init__()
        self.model = model


class FreeSize(PartOf):
    """L (B, 1, H, W), in multiples of what the network takes, or any where it takes one square -> ab, not clamped"""

    def forward(self, L: Tensor) -> Tensor:
        if not self.model.fixed_size:
            return self.model.predict_ab(L)
        square = resize(L, (self.model.fixed_size, self.model.fixed_size))
        return resize(self.model.predict_ab(square).clamp(-AB_LIMIT, AB_LIMIT), L.shape[2:])


class GreyMaps(PartOf):
    """L (B, 1, H, W) -> the lightness (B, 1, h, w) of the map that is denoised, and what the denoiser is shown."""

    def forward(self, L: Tensor) -> tuple[Tensor, ...]:
        return F.avg_pool2d(L, self.model.shrink), *self.model.look(L)


class DenoisingStep(PartOf):
    """Noisy x_t (B, 2, h, w), t (B,), and what `GreyMaps` answers -> x_0 (B, 2, h, w), in units of ab_scale"""

    def forward(self, x: Tensor, t: Tensor, lightness: Tensor, grey: Sequence[Tensor]) -> Tensor:
        clean = self.model.noise.clean(x, self.model.denoise(lightness, x, t, grey), t)
        return clean.clamp(-self.model.clip, self.model.clip) if self.model.clip else clean


class EvenConv2dSame(nn.Conv2d):
    """timm's `Conv2dSame` where the stride divides the sizes: its padding is a number, and no expression of them."""

    def forward(self, x: Tensor) -> Tensor:
        pads = []
        for kernel, stride, dilation in zip(
            self.kernel_size[::-1], self.stride[::-1], self.dilation[::-1], strict=True
        ):
            more = max(dilation * (kernel - 1) + 1 - stride, 0)
            pads += [more // 2, more - more // 2]
        return F.conv2d(F.pad(x, pads), self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def simplified(model: Colorizer) -> Colorizer:
    """A copy whose weights are plain numbers: spectral norm and standardisation compute theirs at every call."""
    plain = deepcopy(model)
    for module in [*plain.modules()]:
        if isinstance(module, Conv2dSame) and model.multiple % 32 == 0:
            module.__class__ = EvenConv2dSame  # type: ignore[assignment]
        if parametrize.is_parametrized(module, "weight"):
            # torch's own `remove_parametrizations` would take the weight off the original's class too
            weight = torch.as_tensor(module.weight).detach()
            module.__class__ = parametrize.type_before_parametrizations(module)
            del module.parametrizations
            module.weight = nn.Parameter(weight)
    return plain
