"""Painted pixels against the true ones: PSNR, SSIM, CIEDE2000, errors by colour. B batch, H W picture."""

from collections.abc import Mapping
from math import exp, pi, radians
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.metrics.metric import Metric, Pair, Picture, picture_mean
from colorize.utils.errors import UserError

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
    digits, prominence, views = 2, 6, ("curve", "samples", "grey")

    def of(self, pair: Pair) -> Tensor:
        return (-10 * squared_error(pair).log10()).clamp(max=MOST)


class PooledPSNR(Metric):
    """Peak signal-to-noise ratio in dB of the mean squared error over all pictures: bad pictures weigh more.

    A picture without error counts as any other; a set without any is 100 dB.
    """

    label, better, unit, digits, needs = "PSNR pooled", "higher", "dB", 2, TRUTH
    aggregation, columns = "function", ("mse",)

    def of(self, pair: Pair) -> dict[str, Tensor]:
        return {"mse": squared_error(pair)}

    @staticmethod
    def finish(means: Mapping[str, Any]) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):  # of 0 it is infinite
            return np.minimum(MOST, -10 * np.log10(means["mse"]))


class SSIM(Metric):
    """Structural similarity of the three sRGB channels, Gaussian window of 11 pixels, σ 1.5 (Wang et al. 2004).

    The mean is taken where the window fits inside the picture, as Wang's own code and scikit-image do; torchmetrics
    alone would also average over borders that it mirrors.
    """

    label, better, high, prominence, needs = "SSIM", "higher", 1.0, 5, TRUTH

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


class CIEDE2000(Metric):
    """Mean colour difference of the pixels: about 1 can just be seen, 2 to 10 at a glance."""

    label, better, unit, needs = "CIEDE2000", "lower", "ΔE", TRUTH
    digits, low, prominence, views = 2, 0.0, 3, ("grey",)

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return picture_mean(ciede2000(true.lab, painted.lab))


def ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """Two Lab (…, 3, H, W) in CIE units -> ΔE₀₀ (…, H, W), with kL = kC = kH = 1. Equation numbers are Sharma's."""
    (L1, a1, b1), (L2, a2, b2) = one.unbind(dim=-3), other.unbind(dim=-3)
    stretch = 1.5 - 0.5 * _saturation((_length(a1, b1) + _length(a2, b2)) / 2)  # eq. 3 to 5
    C1, h1 = _polar(stretch * a1, b1)
    C2, h2 = _polar(stretch * a2, b2)
    C, lightness = (C1 + C2) / 2, ((L1 + L2) / 2 - 50).square()
    turn = h2 - h1  # eq. 10: brought within ±π. Of greys, whose hue is none, it is multiplied by 0
    turn = turn - 2 * pi * (turn > pi).float() + 2 * pi * (turn < -pi).float()
    h = h1 + turn / 2  # eq. 14, less a whole turn now and then
    dL = (L2 - L1) / (1 + 0.015 * lightness / (20 + lightness).sqrt())
    dC = (C2 - C1) / (1 + 0.045 * C)
    dH = 2 * (C1 * C2).sqrt() * (turn / 2).sin() / (1 + 0.015 * C * _hue_weight(h))
    away = (h % (2 * pi) - radians(275)) / radians(25)
    rotation = -2 * _saturation(C) * (radians(60) * (-away.square()).exp()).sin()  # eq. 16, 17, 21
    return (dL * dL + dC * dC + dH * dH + rotation * dC * dH).clamp(min=0).sqrt()


def _length(a: Tensor, b: Tensor) -> Tensor:
    return (a * a + b * b).sqrt()


def _polar(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Chroma, and hue in 0…2π"""
    return _length(a, b), b.atan2(a) % (2 * pi)


def _saturation(C: Tensor) -> Tensor:
    """√(C⁷ / (C⁷ + 25⁷)), by powers of C / 25, which single precision can hold"""
    x = C / 25
    x2 = x * x
    x7 = x2 * x2 * x2 * x
    return (x7 / (x7 + 1)).sqrt()


def _hue_weight(h: Tensor) -> Tensor:
    """Eq. 15"""
    return (
        1 - 0.17 * (h - radians(30)).cos() + 0.24 * (2 * h).cos()
        + 0.32 * (3 * h + radians(6)).cos() - 0.20 * (4 * h - radians(63)).cos()
    )  # fmt: skip


HUES = 24  #        parts of the circle
GREYISH = 5.0  #    CIE chroma below which a colour has no hue to speak of
STEP, TOP = 5, 60  # CIE chroma: width of a part; all above the top are in the last
CHROMAS = TOP // STEP + 1
WIDTH = 2 * HUES + 3 * CHROMAS


class ErrorsByColour(NamedTuple):
    """Over all pixels of a set. Errors are distances in (a, b), CIE units."""

    hue_pixels: np.ndarray  #      (HUES,) share of the coloured pixels
    hue_errors: np.ndarray  #      (HUES,) mean error; NaN where no pixel has the hue
    chroma_pixels: np.ndarray  #   (CHROMAS,) share of all pixels
    chroma_errors: np.ndarray  #   (CHROMAS,)
    painted_chroma: np.ndarray  # (CHROMAS,) mean chroma that was painted where the truth's is in this part


def errors_by_colour(painted: Picture, true: Picture) -> Tensor:
    """(B, WIDTH): pixels and summed error by hue, then pixels, summed error and summed painted chroma by chroma, all
    divided by the picture's pixels."""
    a, b = true.lab[:, 1], true.lab[:, 2]
    error = (painted.lab[:, 1:] - true.lab[:, 1:]).square().sum(dim=1).sqrt()
    hue = ((torch.atan2(b, a) / (2 * torch.pi) % 1) * HUES).long().clamp(max=HUES - 1)
    strength = (true.chroma / STEP).long().clamp(max=CHROMAS - 1)
    coloured = (true.chroma >= GREYISH).float()
    parts = [_sums(hue, coloured, HUES), _sums(hue, coloured * error, HUES)]
    parts += [_sums(strength, of, CHROMAS) for of in (torch.ones_like(error), error, painted.chroma)]
    return torch.cat(parts, dim=1)


def _sums(bins: Tensor, values: Tensor, count: int) -> Tensor:
    """(B, H, W) bins and values -> (B, count) sums over the picture, divided by its pixels"""
    flat = bins.flatten(1)
    return values.new_zeros(len(bins), count).scatter_add_(1, flat, values.flatten(1)) / flat.shape[1]


def mean_errors_by_colour(rows: np.ndarray) -> ErrorsByColour:
    """(n, WIDTH) of n pictures -> means over all of their pixels, each picture counting alike."""
    total = rows.sum(axis=0, dtype=np.float64)
    pixels, errors, counts, wrong, chroma = np.split(total, np.cumsum([HUES, HUES, CHROMAS, CHROMAS]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return ErrorsByColour(
            pixels / pixels.sum(), errors / pixels, counts / counts.sum(), wrong / counts, chroma / counts
        )


def errors_of(file: Path) -> np.ndarray:
    """(n, WIDTH) as they were kept"""
    return np.fromfile(file, dtype="<f4").reshape(-1, WIDTH)
