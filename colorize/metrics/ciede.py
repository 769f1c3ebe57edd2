"""The colour difference CIEDE2000 (CIE 142:2001; Sharma, Wu and Dalal 2005). H W picture, "…" any further axes."""

from __future__ import annotations

from math import pi, radians

from torch import Tensor

from colorize.metrics.metric import Metric
from colorize.metrics.picture import Pair, picture_mean


class CIEDE2000(Metric):
    """Mean colour difference of the pixels: about 1 can just be seen, 2 to 10 at a glance."""

    label, better, unit, needs = "CIEDE2000", "lower", "ΔE", frozenset({"true"})

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
