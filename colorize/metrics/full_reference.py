"""Painted pixels against the true ones: PSNR, SSIM, CIEDE2000, errors by colour. B batch, H W picture."""

from collections.abc import Mapping
from math import cos, exp, pi, radians, sin
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from colorize.imaging.color import per_picture
from colorize.metrics.metric import Metric, Pair, Picture, picture_mean
from colorize.utils.errors import UserError

TRUTH = frozenset({"true"})
MOST = 100.0  # dB of a picture without error
WINDOW = 11
SIGMA = 1.5


def squared_error(pair: Pair) -> Tensor:
    """(B,) mean over the three channels in 0…1"""
    painted, true = pair.both
    return painted.once(("squared error", true), lambda: picture_mean((painted.rgb - true.rgb).square_()))


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
        if painted is true:
            return x.new_ones(len(x))
        of_true = true.once("blurred", lambda: (blurred(y), blurred(y * y)))
        return per_picture(_similarity, x, y, *of_true)


def _similarity(x: Tensor, y: Tensor, mean_y: Tensor, square_y: Tensor) -> Tensor:
    """Pictures and, blurred, the second ones and their squares, all (B, 3, H, W) -> (B,)"""
    mean_x, both, square_x = blurred(torch.stack([x, x * y, x * x]))
    product, squares = mean_x * mean_y, (mean_x * mean_x).addcmul_(mean_y, mean_y)
    spread = square_x.add_(square_y).sub_(squares).add_(0.03**2)
    similar = both.sub_(product).mul_(2).add_(0.03**2).mul_(product.mul_(2).add_(0.01**2))
    similar = similar.div_(squares.add_(0.01**2).mul_(spread))
    return picture_mean(similar[..., : 1 - WINDOW, : 1 - WINDOW])


def blurred(x: Tensor) -> Tensor:
    """(…, H, W) -> the same under the Gaussian window whose first pixel each is; it does not fit at the last ten of
    each row and column, whose values mean nothing."""
    return _summed(_summed(x.flatten(-2), x.shape[-1]), 1).view_as(x)


def _summed(x: Tensor, step: int) -> Tensor:
    """(…, N) -> weighted sums of eleven values `step` apart. Passes over shifted pictures, one piece of memory each: on
    a CPU twenty times faster than a convolution."""
    side = WINDOW // 2
    weights = [exp(-((place - side) ** 2) / (2 * SIGMA**2)) for place in range(WINDOW)]
    total, length = x * (weights[0] / sum(weights)), x.shape[-1] - (WINDOW - 1) * step
    for place, weight in enumerate(weights[1:], start=1):
        total[..., :length].add_(x.narrow(-1, place * step, length), alpha=weight / sum(weights))
    return total


class CIEDE2000(Metric):
    """Mean colour difference of the pixels: about 1 can just be seen, 2 to 10 at a glance."""

    label, better, unit, needs = "CIEDE2000", "lower", "ΔE", TRUTH
    digits, low, prominence, views = 2, 0.0, 3, ("grey",)

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        if painted is true:
            return true.rgb.new_zeros(len(true))
        return per_picture(lambda *labs: picture_mean(ciede2000(*labs)), true.lab, painted.lab)


def ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """Two Lab (…, 3, H, W) in CIE units -> ΔE₀₀ (…, H, W), with kL = kC = kH = 1. Equation numbers are Sharma's.

    Few trigonometric functions, and many steps in place: each pass over a picture counts.
    """
    (L1, a1, b1), (L2, a2, b2) = one.unbind(dim=-3), other.unbind(dim=-3)
    stretch = _saturation(_length(a1, b1).add_(_length(a2, b2))).mul_(-0.5).add_(1.5)  # eq. 3 to 5
    a1, a2 = stretch * a1, stretch * a2
    C1, C2 = _length(a1, b1), _length(a2, b2)
    C, lightness = C1 + C2, (L1 + L2).sub_(100).square_()  # twice the mean; four times (mean − 50)²
    h1, turn = _within_turn(b1.atan2(a1)), _within_turn(b2.atan2(a2))
    turn.sub_(h1).sub_((turn / (2 * pi)).round_(), alpha=2 * pi)  # eq. 10: within ±π. Of greys it is multiplied by 0
    h = _within_turn(turn.mul_(0.5).add(h1))  # eq. 14
    dL = (L2 - L1).div_((0.0075 * lightness).div_(lightness.add_(80).sqrt_()).add_(1))
    dC = (C2 - C1).div_((0.0225 * C).add_(1))
    dH = (C1 * C2).sqrt_().mul_(turn.sin_()).div_(_hue_weight(h).mul_(C).mul_(0.00375).add_(0.5))
    away = h.sub_(radians(275)).div_(radians(25))
    rotation = away.square_().neg_().exp_().mul_(radians(60)).sin_().mul_(_saturation(C)).mul_(dC)  # eq. 16, 17, 21
    terms = dL.square_().addcmul_(dC, dC).addcmul_(dH, dH).addcmul_(rotation, dH, value=-2)
    return terms.clamp_(min=0).sqrt_()


def _length(a: Tensor, b: Tensor) -> Tensor:
    return (a * a).addcmul_(b, b).sqrt_()


def _within_turn(h: Tensor) -> Tensor:
    """Angles, in place, in 0…2π"""
    return h.sub_((h / (2 * pi)).floor_(), alpha=2 * pi)


def _saturation(twice: Tensor) -> Tensor:
    """√(C⁷ / (C⁷ + 25⁷)) of twice C, as 1 / √(1 + (25 / C)⁷)"""
    x = 50 / twice
    x2 = x * x
    return (x2 * x2).mul_(x2).mul_(x).add_(1).rsqrt_()


def _hue_weight(h: Tensor) -> Tensor:
    """Eq. 15, 1 − 0.17 cos(h − 30°) + 0.24 cos 2h + 0.32 cos(3h + 6°) − 0.20 cos(4h − 63°), as a polynomial of cos h
    and sin h."""
    x, y = h.cos(), h.sin()
    double = (x * x).mul_(2).sub_(1)  # cos 2h; cos 3h = x (2 cos 2h − 1), sin 3h = y (2 cos 2h + 1)
    of_x = (double * (0.64 * cos(radians(6)))).sub_(0.17 * cos(radians(30)) + 0.32 * cos(radians(6))).mul_(x)
    of_y = (double * (0.64 * sin(radians(6)))).add_(0.17 * sin(radians(30)) + 0.32 * sin(radians(6)))
    fourth = (x * y).mul_(-0.8 * sin(radians(63))).sub_(double, alpha=0.4 * cos(radians(63)))  # sin 4h = 4 x y cos 2h
    return of_x.addcmul_(of_y, y, value=-1).addcmul_(fourth.add_(0.24), double).add_(1 + 0.2 * cos(radians(63)))


HUES = 24  #        parts of the circle
GREYISH = 5  #      CIE chroma below which a colour has no hue to speak of
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
    return per_picture(_errors_by_colour, painted.lab, painted.chroma, true.lab, true.chroma)


def _errors_by_colour(lab_hat: Tensor, chroma_hat: Tensor, lab: Tensor, chroma: Tensor) -> Tensor:
    error = (lab_hat[:, 1:] - lab[:, 1:]).square().sum(dim=1).sqrt()
    hue = (torch.atan2(lab[:, 2], lab[:, 1]) * (HUES / (2 * pi))).floor_().remainder_(HUES)
    strength = (chroma / STEP).floor_().clamp_(max=CHROMAS - 1)
    both = (hue * CHROMAS + strength).long().flatten(1)
    values = torch.stack([torch.ones_like(error), error, chroma_hat], dim=1).flatten(2)  # (B, 3, N)
    sums = values.new_zeros(*values.shape[:2], HUES * CHROMAS)
    sums.scatter_add_(2, both[:, None].expand_as(values), values)
    sums = (sums / values.shape[2]).unflatten(2, (HUES, CHROMAS))
    coloured = sums[:, :2, :, GREYISH // STEP :].sum(dim=3)
    return torch.cat([coloured.flatten(1), sums.sum(dim=2).flatten(1)], dim=1)


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
