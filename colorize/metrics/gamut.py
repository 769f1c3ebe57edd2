"""What became of a network's answer on its way to pixels: colours that sRGB does not have are clipped, and lightness
moves with them. B batch, H W picture."""

from __future__ import annotations

from torch import Tensor

from colorize.color import lab_to_rgb_beyond
from colorize.metrics.metric import Metric
from colorize.metrics.picture import Pair, picture_mean

ROUNDING = 0.5 / 255  # what an 8-bit pixel cannot show


class OutOfGamut(Metric):
    """Share of pixels whose painted colour sRGB does not have at their lightness, by half an 8-bit level or more."""

    label, better, needs = "out of gamut", "lower", frozenset({"L", "ab"})

    def of(self, pair: Pair) -> Tensor:
        assert pair.L is not None
        assert pair.ab is not None
        rgb = lab_to_rgb_beyond(pair.L.float(), pair.ab.float())
        beyond = (rgb < -ROUNDING) | (rgb > 1 + ROUNDING)
        return picture_mean(beyond.any(dim=1).float())


class LightnessShift(Metric):
    """Mean |L of the painted picture − L that the network was given| in CIE units: rounding alone, if colours fit."""

    label, better, needs = "lightness shift", "lower", frozenset({"L"})

    def of(self, pair: Pair) -> Tensor:
        assert pair.L is not None
        return picture_mean((pair.painted.lab[:, :1] - pair.L).abs())
