"""How far painted pixels lie from the true ones in sRGB, the field's oldest metrics. B batch, H W picture."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log10

import torch
from torch import Tensor

from colorize.errors import UserError
from colorize.metrics.metric import Column, Metric
from colorize.metrics.picture import Pair, picture_mean

TRUTH = frozenset({"true"})
MOST = 100.0  # dB of a picture without error
WINDOW = 11
SIGMA = 1.5


def squared_error(pair: Pair) -> Tensor:
    """(B,) mean over the three channels in 0…1"""
    painted, true = pair.both
    return picture_mean((painted.rgb - true.rgb).square())


class PSNR(Metric):
    """Peak signal-to-noise ratio in dB over the three sRGB channels: the mean of each picture's own dB.

    A picture without any error counts as 100 dB, since its own value would be infinite.
    """

    label, better, unit, needs = "PSNR", "higher", "dB", TRUTH

    def of(self, pair: Pair) -> Tensor:
        return (-10 * squared_error(pair).log10()).clamp(max=MOST)


class PooledPSNR(Metric):
    """Peak signal-to-noise ratio in dB of the mean squared error over all pictures: bad pictures weigh more.

    A picture without error counts as any other; a set without any is 100 dB.
    """

    label, better, unit, needs = "PSNR of the mean error", "higher", "dB", TRUTH

    @property
    def columns(self) -> dict[str, Column]:
        return {"mse": Column("squared error", "lower")}

    def of(self, pair: Pair) -> dict[str, Tensor]:
        return {"mse": squared_error(pair)}

    def finish(self, means: Mapping[str, float]) -> float:
        return MOST if means["mse"] == 0 else min(MOST, -10 * log10(means["mse"]))


class SSIM(Metric):
    """Structural similarity of the three sRGB channels, Gaussian window of 11 pixels, σ 1.5 (Wang et al. 2004).

    The mean is taken where the window fits inside the picture, as Wang's own code and scikit-image do; torchmetrics
    alone would also average over borders that it mirrors.
    """

    label, better, needs = "SSIM", "higher", TRUTH

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        x, y = painted.rgb, true.rgb
        if min(x.shape[2:]) < WINDOW:
            raise UserError(f"SSIM needs pictures of {WINDOW} pixels or more a side, not {x.shape[2]} × {x.shape[3]}")
        mean_x, mean_y, both = blurred(x), true.once("blurred", lambda: blurred(y)), blurred(x * y)
        product, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
        first, second = 0.01**2, 0.03**2
        lightness = (2 * product + first) / (squares + first)
        spread = blurred(x * x + y * y) - squares
        return picture_mean(lightness * (2 * (both - product) + second) / (spread + second))


def blurred(x: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, C, H − 10, W − 10) under the Gaussian window, where it fits inside."""
    return _blurred_along(_blurred_along(x, 2), 3)


def _blurred_along(x: Tensor, axis: int) -> Tensor:
    """A sum of shifted pictures: on a CPU twenty times faster than a convolution."""
    side = WINDOW // 2
    weights = [exp(-((place - side) ** 2) / (2 * SIGMA**2)) for place in range(WINDOW)]
    length = x.shape[axis] - WINDOW + 1
    total = torch.zeros_like(x.narrow(axis, 0, length))
    for place, weight in enumerate(weights):
        total.add_(x.narrow(axis, place, length), alpha=weight / sum(weights))
    return total
