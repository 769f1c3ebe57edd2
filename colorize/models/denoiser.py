"""The U-Net that tells noise from colour, and the encoder that shows it the grey picture (Millon 2023, as the thesis).

Both go down the same stages; before each of the denoiser's steps down, the encoder's map of that size is set beside
its own. Nothing of the encoder depends on the noise level: its maps are computed once for a photograph.
B batch, C channels, H W picture, h heads, d width of a head, n pixels, S width of the time code.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from torch.nn.utils import parametrize

from colorize.models.base import Dropout


class Denoiser(nn.Module):
    """Says the noise in [L, a, b]. `widths` are the channels after the first convolution and after each stage."""

    def __init__(self, widths: Sequence[int], time: int, dropout: float, attention: str, norm: str, late_time: bool):
        super().__init__()
        first, last, code = widths[0], widths[-1], 4 * time
        self.late_time = late_time
        self.time = nn.Sequential(TimeCode(time), nn.Linear(time, code), nn.GELU(), nn.Linear(code, code))
        self.first = nn.Conv2d(3, first, 7, padding=3)
        pairs = list(itertools.pairwise(widths))
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, (inner, outer) in enumerate(pairs):
            smaller = down(2 * inner, outer, dropout, last=i == len(pairs) - 1)
            larger = up(outer, inner, dropout / 2, last=i == 0)
            self.down.append(DownStage(inner, inner, smaller, code, attention, norm))
            self.up.insert(0, UpStage(inner + outer, outer, larger, code, attention, norm))
        self.before, self.after = ResBlock(last, last, code), ResBlock(last, last, code)
        self.attend = Residual(FullAttention(last), last, norm)
        self.last = ResBlock(2 * first, first, code if late_time else None)
        self.head = nn.Conv2d(first, 2, 1)

    def forward(self, noisy: Tensor, t: Tensor, grey: Sequence[Tensor]) -> Tensor:
        """[L, a, b] (B, 3, H, W), t (B,) and the encoder's maps -> the noise (B, 2, H, W)"""
        code = self.time(t)
        x = first = self.first(noisy)
        skips: list[Tensor] = []
        for stage, beside in zip(self.down, grey, strict=True):
            one, two, x = stage(x, code, beside)
            skips += [one, two]
        x = self.after(self.attend(self.before(x, code)), code)
        for stage in self.up:
            x = stage(x, code, skips.pop(), skips.pop())
        return self.head(self.last(torch.cat([x, first], dim=1), code))


class GreyEncoder(nn.Module):
    """The denoiser's way down without time: one map a stage. Nothing comes after the last stage, which goes nowhere."""

    def __init__(self, widths: Sequence[int], dropout: float, attention: str, norm: str):
        super().__init__()
        self.first = nn.Conv2d(1, widths[0], 7, padding=3)
        self.down = nn.ModuleList()
        for i, (inner, outer) in enumerate(itertools.pairwise(widths)):
            end = i == len(widths) - 2
            smaller = nn.Identity() if end else down(inner, outer, dropout, last=False)
            self.down.append(DownStage(inner, inner, smaller, None, attention, norm))

    def forward(self, grey: Tensor) -> list[Tensor]:
        """(B, 1, H, W) -> (B, C, H/2ⁱ, W/2ⁱ) for each stage i"""
        x, maps = self.first(grey), []
        for stage in self.down:
            _, seen, x = stage(x)
            maps.append(seen)
        return maps


class Stage(nn.Module):
    """Two residual blocks, linear attention, and a step to the next size."""

    def __init__(self, inputs: int, outputs: int, leave: nn.Module, code: int | None, attention: str, norm: str):
        super().__init__()
        self.one, self.two = ResBlock(inputs, outputs, code), ResBlock(inputs, outputs, code)
        self.attend = Residual(LinearAttention(outputs, attention, norm), outputs, norm)
        self.leave = leave


class DownStage(Stage):
    def forward(
        self, x: Tensor, code: Tensor | None = None, beside: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the first block says, what the second and the attention say, and that, with `beside`, a size smaller"""
        one = self.one(x, code)
        two = self.attend(self.two(one, code))
        return one, two, self.leave(two if beside is None else torch.cat([two, beside], dim=1))


class UpStage(Stage):
    def forward(self, x: Tensor, code: Tensor, two: Tensor, one: Tensor) -> Tensor:
        """`two` and `one` are what the stage of this size said on the way down."""
        x = self.one(torch.cat([x, two], dim=1), code)
        x = self.two(torch.cat([x, one], dim=1), code)
        return self.leave(self.attend(x))


def down(inputs: int, outputs: int, dropout: float, last: bool) -> nn.Module:
    """Four pixels become four times the channels, which a 1×1 convolution mixes; the last stage keeps its size."""
    if last:
        return nn.Conv2d(inputs, outputs, 3, padding=1)
    return nn.Sequential(nn.PixelUnshuffle(2), Dropout(dropout), nn.Conv2d(4 * inputs, outputs, 1))


def up(inputs: int, outputs: int, dropout: float, last: bool) -> nn.Module:
    mix = nn.Conv2d(inputs, outputs, 3, padding=1)
    return mix if last else nn.Sequential(nn.Upsample(scale_factor=2), Dropout(dropout), mix)


class ResBlock(nn.Module):
    """Two weight-standardised convolutions; the time code scales and shifts what the first one says."""

    def __init__(self, inputs: int, outputs: int, code: int | None):
        super().__init__()
        self.scale_shift = nn.Sequential(nn.SiLU(), nn.Linear(code, 2 * outputs)) if code else None
        self.one, self.two = standardised(inputs, outputs), standardised(outputs, outputs)
        self.one_norm, self.two_norm = nn.GroupNorm(8, outputs), nn.GroupNorm(8, outputs)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor, code: Tensor | None) -> Tensor:
        y = self.one_norm(self.one(x))
        if self.scale_shift is not None:
            scale, shift = self.scale_shift(code)[:, :, None, None].chunk(2, dim=1)
            y = y * (scale + 1) + shift
        return F.silu(self.two_norm(self.two(F.silu(y)))) + self.skip(x)


class Standardise(nn.Module):
    """Each filter to mean 0 and variance 1 (Qiao et al. 2019)."""

    def forward(self, weight: Tensor) -> Tensor:
        variance, mean = torch.var_mean(weight, dim=(1, 2, 3), unbiased=False, keepdim=True)
        return (weight - mean) * torch.rsqrt(variance + 1e-5)


def standardised(inputs: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1)
    parametrize.register_parametrization(conv, "weight", Standardise())
    return conv


class Residual(nn.Module):
    """x + attention(norm(x))"""

    def __init__(self, attention: nn.Module, channels: int, norm: str):
        super().__init__()
        self.norm, self.attention = NORMS[norm](channels), attention

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attention(self.norm(x))


class LinearAttention(nn.Module):
    """Attention whose cost grows with the pixels, not with their square (Shen et al. 2021), 4 heads of 32.

    kind    published; or transposed: contracted over the values instead of the keys, as the thesis's code has it
    """

    def __init__(self, channels: int, kind: str, norm: str, heads: int = 4, width: int = 32):
        super().__init__()
        self.heads, self.width, self.contraction = heads, width, CONTRACTIONS[kind]
        self.qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        self.out = nn.Sequential(nn.Conv2d(heads * width, channels, 1), NORMS[norm](channels))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = rearrange(self.qkv(x), "b (s h d) y x -> s b h d (y x)", s=3, h=self.heads)
        q, k = q.softmax(dim=2) * self.width**-0.5, k.softmax(dim=3)
        context = torch.einsum("bhdn,bhen->bhde", k, v / v.shape[3])
        y = torch.einsum(self.contraction, context, q)
        return self.out(rearrange(y, "b h d (y x) -> b (h d) y x", y=x.shape[2]))


CONTRACTIONS = {"published": "bhde,bhdn->bhen", "transposed": "bhde,bhen->bhdn"}


class FullAttention(nn.Module):
    """Every pixel of the smallest map reads every other, 8 heads of 32."""

    def __init__(self, channels: int, heads: int = 8, width: int = 32):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(channels, 3 * heads * width, 1, bias=False)
        self.out = nn.Conv2d(heads * width, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = rearrange(self.qkv(x), "b (s h d) y x -> s b h (y x) d", s=3, h=self.heads)
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out(rearrange(y, "b h (y x) d -> b (h d) y x", y=x.shape[2]))


class TimeCode(nn.Module):
    """Sines and cosines of the noise level (B,) -> (B, width)"""

    def __init__(self, width: int):
        super().__init__()
        self.pairs = width // 2

    def forward(self, t: Tensor) -> Tensor:
        rate = torch.exp(torch.arange(self.pairs, device=t.device) * (-math.log(10000) / (self.pairs - 1)))
        angle = t.float()[:, None] * rate
        return torch.cat([angle.sin(), angle.cos()], dim=1)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": partial(nn.InstanceNorm2d, affine=True),
    "channel": partial(nn.GroupNorm, 1),  # one mean and scale for the whole map: channels keep their levels
}
