"""How colourful painted pictures are, by themselves, against the true ones, and how diverse. B batch, H W picture.

Also how strong painted colours are and which way they point in CIE Lab, and what became of a network's answer on its
way to pixels: of colours that sRGB does not have, and how far lightness moved. K samples of a photograph.
"""

from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorize.imaging.color import lab_to_linear, per_picture, rgb_to_lab
from colorize.imaging.gamut import is_outside
from colorize.metrics.metric import ASIDE, Metric, Pair, Picture, picture_mean
from colorize.utils.errors import UserError

GREY = 1.0  # colourfulness below which published code takes a picture for grey


class _OfColorfulness(Metric):
    """A metric of colourfulness; its label has a place for the variant of its formula."""

    def __init__(self, absolute: bool = False):
        self.absolute = absolute
        vars(self).update(self.variant(absolute))
        super().__init__()

    @classmethod
    def variant(cls, absolute: bool = False, **_: Any) -> dict[str, Any]:
        return {"label": cls.label.format(" abs" if absolute else ""), **(ASIDE if absolute else {})}


class Colorfulness(_OfColorfulness):
    """Hasler and Süsstrunk's colourfulness of the painted picture, on the scale of 8-bit values; a grey one counts 0.

    absolute  take |R − G| and |(R + G)/2 − B|, as DDColor, CT2 and most others do: up to a third less than the paper's
    """

    label, better, digits, low, prominence, views = "colourfulness{}", "truth", 1, 0.0, 2, ("curve",)

    def of(self, pair: Pair) -> Tensor:
        return pair.painted.colorfulness(self.absolute)


class ColorfulnessDifference(_OfColorfulness):
    """Mean over pictures of |colourfulness of the painted − of the true one|: 0 only where each picture is right."""

    label, better, digits, needs = "ΔCF{} of pictures", "lower", 2, frozenset({"true"})

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return (painted.colorfulness(self.absolute) - true.colorfulness(self.absolute)).abs()


class MeanColorfulnessDifference(_OfColorfulness):
    """|mean colourfulness of the painted pictures − of the true ones|: what DDColor's table calls ΔCF.

    It is 0 where too dull and too gaudy pictures balance, however wrong each is.
    """

    label, better, digits, needs = "ΔCF{} of means", "lower", 2, frozenset({"true"})
    aggregation, columns = "difference", ("painted", "truth")

    def of(self, pair: Pair) -> dict[str, Tensor]:
        painted, true = pair.both
        sides = {"painted": painted, "truth": true}
        return {name: side.colorfulness(self.absolute) for name, side in sides.items()}

    @staticmethod
    def finish(means: Mapping[str, Any]) -> Any:
        return abs(means["painted"] - means["truth"])


def grey_note(colorfulness: Iterable[float]) -> str | None:
    """A sentence about grey ones among true pictures of these colourfulnesses; None where there are none."""
    values = torch.tensor(list(colorfulness))
    grey = int((values < GREY).sum())
    if not grey:
        return None
    return (
        f"{grey} of {len(values)} true pictures are grey (colourfulness below {GREY:g}): they count as they are, and "
        "any colour painted into them as an error; some published tables leave them out"
    )


GREYISH = 5.0  # CIE chroma up to which no hue is counted
OF_GREY = 0.01  # above what an exactly grey pixel has: sRGB's constants are rounded, and make 0.006 of it


def mean_chroma(picture: Picture) -> Tensor:
    """(B,)"""
    return picture.once("mean chroma", lambda: picture_mean(picture.chroma))


class Chroma(Metric):
    """Mean chroma √(a² + b²) of the painted pictures over that of the true ones: 1 is as colourful, 0 is grey."""

    label, better, needs = "chroma", "truth", frozenset({"true"})
    digits, target, low = 3, 1.0, 0.0
    aggregation, columns = "function", ("painted", "truth")
    undefined = "all true pictures are grey"

    def of(self, pair: Pair) -> dict[str, Tensor]:
        painted, true = pair.both
        return {"painted": mean_chroma(painted), "truth": mean_chroma(true)}

    @staticmethod
    def finish(means: Mapping[str, Any]) -> Any:
        return means["painted"] / np.where(means["truth"] > OF_GREY, means["truth"], np.nan)


class MeanChroma(Metric):
    """Mean chroma of the painted pixels in CIE units: no truth needed."""

    label, better, digits, low = "mean chroma", "truth", 2, 0.0

    def of(self, pair: Pair) -> Tensor:
        return mean_chroma(pair.painted)


def without_truth() -> dict[str, Metric]:
    """What is measured of predictions for old photographs, whose true colours nobody knows."""
    return {"colorfulness": Colorfulness(), "chroma_mean": MeanChroma()}


class ChromaSpread(Metric):
    """Standard deviation of chroma within a painted picture in CIE units: 0 where all is equally colourful."""

    label, better, digits, low = "chroma spread", "truth", 2, 0.0

    def of(self, pair: Pair) -> Tensor:
        mean = mean_chroma(pair.painted).float().view(-1, 1, 1)
        return picture_mean((pair.painted.chroma - mean).square_()).sqrt()


class ChromaError(Metric):
    """Mean |chroma of the painted pixel − of the true one| in CIE units, whatever their hues."""

    label, better, digits, low, needs = "chroma error", "lower", 2, 0.0, frozenset({"true"})

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return picture_mean((painted.chroma - true.chroma).abs_())


class HueError(Metric):
    """Mean angle between the painted and the true hue in degrees, 0 to 180; of hues by chance it is 90.

    A pixel weighs √(excess of its painted chroma over 5 × that of its true chroma): near-greys, whose hue nobody sees,
    weigh nothing. It therefore judges only what was coloured; chroma error says how much was not.
    """

    label, better, unit, needs = "hue error", "lower", "°", frozenset({"true"})
    digits, low, high = 1, 0.0, 180.0
    undefined = "no pixel is coloured both in the painted and in the true picture"

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        _, a_hat, b_hat = painted.lab.unbind(dim=1)
        _, a, b = true.lab.unbind(dim=1)
        sine, cosine = (a * b_hat).sub_(b * a_hat), (a * a_hat).addcmul_(b, b_hat)
        excess = (true.chroma - GREYISH).clamp_(min=0)
        weight = (painted.chroma - GREYISH).clamp_(min=0).mul_(excess).sqrt_()
        return torch.rad2deg(picture_mean(sine.atan2_(cosine).abs_().mul_(weight)) / picture_mean(weight))  # 0 / 0: NaN


class OutOfGamut(Metric):
    """Share of pixels whose painted colour sRGB does not have at their lightness, by half an 8-bit level or more."""

    label, better, low, high, needs = "out of gamut", "lower", 0.0, 1.0, frozenset({"L", "ab"})

    def of(self, pair: Pair) -> Tensor:
        assert pair.L is not None
        assert pair.ab is not None
        L, ab = pair.L.float(), pair.ab.float()
        outside = pair.painted.once(("outside", pair.ab), lambda: is_outside(per_picture(lab_to_linear, L, ab)))
        return picture_mean(outside.float())


class LightnessShift(Metric):
    """Mean |L of the painted picture − L that the network was given| in CIE units: rounding alone, if colours fit."""

    label, better, digits, low, needs = "lightness shift", "lower", 3, 0.0, frozenset({"L"})

    def of(self, pair: Pair) -> Tensor:
        assert pair.L is not None
        return picture_mean((pair.painted.lab[:, :1] - pair.L).abs_())


class Diversity(Metric):
    """Mean distance in (a, b) between two predictions for a photograph, CIE units: 0 where all are the same.

    Neither end is better: a photograph whose colours nobody can know deserves several answers, and noise is no answer.
    """

    label, low, needs = "diversity", 0.0, frozenset({"samples"})

    def of(self, pair: Pair) -> Tensor:
        assert pair.samples is not None
        return ab_diversity(pair.samples)


@torch.no_grad()
def ab_diversity(samples: Tensor) -> Tensor:
    """(K, B, 3, H, W) sRGB, uint8 or in 0…1 -> (B,) mean distance in (a, b) between two samples' pixels, CIE units.

    All K(K − 1)/2 pairs count, as in unbiased estimates: the value does not depend on K but for chance.
    """
    check_samples(samples)
    ab = [rgb_to_lab(sample)[:, 1:] for sample in samples]
    apart = [picture_mean((one - other).square().sum(dim=1).sqrt()) for one, other in combinations(ab, 2)]
    return torch.stack(apart).mean(dim=0)


@torch.no_grad()
def perceptual_diversity(samples: Tensor, distance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The same in a perceptual `distance` of two (B, 3, H, W) in 0…1, such as `LPIPS.distance`: (B,).

    Palette's table has adjacent pairs only, which is no other number on average, but a noisier one.
    """
    check_samples(samples)
    rgb = samples.float() / 255 if samples.dtype == torch.uint8 else samples.float()
    return torch.stack([distance(one, other) for one, other in combinations(rgb, 2)]).mean(dim=0)


def check_samples(samples: Tensor) -> None:
    if samples.ndim != 5 or samples.shape[2] != 3 or len(samples) < 2:
        raise UserError(f"diversity takes two or more samples (K, B, 3, H, W), not {tuple(samples.shape)}")
