"""How strong painted colours are and which way they point, in CIE Lab. B batch, H W picture."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from colorize.metrics.metric import Column, Metric
from colorize.metrics.picture import Pair, picture_mean

GREYISH = 5.0  # CIE chroma up to which no hue is counted
OF_GREY = 0.01  # above what an exactly grey pixel has: sRGB's constants are rounded, and make 0.006 of it


class Chroma(Metric):
    """Mean chroma √(a² + b²) of the painted pictures over that of the true ones: 1 is as colourful, 0 is grey."""

    label, better, needs = "chroma over the truth's", "truth", frozenset({"true"})
    undefined = "all true pictures are grey"

    @property
    def columns(self) -> dict[str, Column]:
        return {"painted": Column("chroma", "truth"), "truth": Column("chroma of the truth", None)}

    def of(self, pair: Pair) -> dict[str, Tensor]:
        painted, true = pair.both
        return {"painted": picture_mean(painted.chroma), "truth": picture_mean(true.chroma)}

    def finish(self, means: Mapping[str, float]) -> float:
        return means["painted"] / means["truth"] if means["truth"] > OF_GREY else float("nan")


class MeanChroma(Metric):
    """Mean chroma of the painted pixels in CIE units: no truth needed."""

    label, better = "mean chroma", "truth"

    def of(self, pair: Pair) -> Tensor:
        return picture_mean(pair.painted.chroma)


class ChromaSpread(Metric):
    """Standard deviation of chroma within a painted picture in CIE units: 0 where all is equally colourful."""

    label, better = "chroma spread", "truth"

    def of(self, pair: Pair) -> Tensor:
        mean = picture_mean(pair.painted.chroma)
        return picture_mean((pair.painted.chroma - mean.float().view(-1, 1, 1)).square()).sqrt()


class ChromaError(Metric):
    """Mean |chroma of the painted pixel − of the true one| in CIE units, whatever their hues."""

    label, better, needs = "chroma error", "lower", frozenset({"true"})

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return picture_mean((painted.chroma - true.chroma).abs())


class HueError(Metric):
    """Mean angle between the painted and the true hue in degrees, 0 to 180; of hues by chance it is 90.

    A pixel weighs √(excess of its painted chroma over 5 × that of its true chroma): near-greys, whose hue nobody sees,
    weigh nothing. It therefore judges only what was coloured; chroma error says how much was not.
    """

    label, better, unit, needs = "hue error", "lower", "°", frozenset({"true"})
    undefined = "no pixel is coloured both in the painted and in the true picture"

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        _, a_hat, b_hat = painted.lab.unbind(dim=1)
        _, a, b = true.lab.unbind(dim=1)
        angle = (a * b_hat - b * a_hat).atan2(a * a_hat + b * b_hat).abs()
        excess = (painted.chroma - GREYISH).clamp(min=0) * (true.chroma - GREYISH).clamp(min=0)
        weight = excess.sqrt()
        return torch.rad2deg(picture_mean(angle * weight) / picture_mean(weight))  # 0 / 0 is NaN
