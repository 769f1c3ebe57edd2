"""The two records that travel: what a network is given, and what it answers. B batch, H W picture, N classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from colorize.imaging import color
from colorize.imaging.color import grey_to_lightness, rgb_to_lab


@dataclass(frozen=True)
class Batch:
    """Photographs in CIE units."""

    L: Tensor  #                    (B, 1, H, W) lightness, 0…100, of the true colours
    ab: Tensor  #                   (B, 2, H, W)
    label: Tensor | None = None  #  (B,) class index, -1 where a photograph has none
    seeds: Sequence[int] | None = None  # (B,) where each photograph's own chance (noise, dropout) comes from, if said
    grey: Tensor | None = None  #   (B, 1, H, W) lightness of what is to be coloured, where it is not that of the truth
    richer: Tensor | None = None  # (B, 2, H, W) ab of more colourful truth, for terms that look at pictures

    @classmethod
    def from_rgb(
        cls,
        rgb: Tensor,
        label: Tensor | None = None,
        seeds: Sequence[int] | None = None,
        *,
        grey: Tensor | None = None,
        enhance: float = 1.0,
    ) -> Batch:
        """`rgb` (B, 3, H, W): sRGB, uint8 or floating point in 0…1. `grey` (B, 1, H, W) likewise, the input if it is
        another; `enhance` as in `color.enhance`."""
        lab = rgb_to_lab(rgb)
        lightness = None if grey is None else grey_to_lightness(grey)
        richer = None if enhance == 1 else rgb_to_lab(color.enhance(rgb, enhance))[:, 1:]
        return cls(lab[:, :1], lab[:, 1:], label, seeds, lightness, richer)

    @property
    def input(self) -> Tensor:
        """(B, 1, H, W) lightness, 0…100, that a network is shown."""
        return self.L if self.grey is None else self.grey

    @property
    def shown_ab(self) -> Tensor:
        """(B, 2, H, W) the truth as critics and perceptual terms see it."""
        return self.ab if self.richer is None else self.richer

    def __len__(self) -> int:
        return len(self.L)

    def split(self, size: int) -> list[Batch]:
        """Pieces of at most `size` photographs."""
        held = {name: part for name, part in vars(self).items() if part is not None}
        places = [slice(start, start + size) for start in range(0, len(self), size)]
        return [Batch(**{name: part[place] for name, part in held.items()}) for place in places]


@dataclass(frozen=True)
class Prediction:
    """What a network answers; it fills the fields that its `answers` name."""

    ab: Tensor | None = None  #      (B, 2, H, W) CIE units, not clamped
    logits: Tensor | None = None  #  (B, N) of the photograph's class
    bins: Tensor | None = None  #    (B, Q, h, w) logits of the bins of `gamut.ab_bins`; h w may be a part of H W
    noise: Tensor | None = None  #   (B, 2, H, W) what a diffusion network was to say: the noise, or the velocity
    noise_hat: Tensor | None = None  #  (B, 2, H, W) what it said
    noise_weight: Tensor | None = None  #  (B,) how much each photograph's noise level counts; None: all the same
    rgb: Tensor | None = None  #     (B, 3, H, W) sRGB as the network says it, lightness included; not clamped
    lab: Tensor | None = None  #     (B, 2, H, W) each: chroma in one colour space, in the units of `color.chroma`
    hsv: Tensor | None = None
    hs: Tensor | None = None
    yuv: Tensor | None = None

    def float(self) -> Prediction:
        """Every field in single precision: losses are never computed in less."""
        return self._map(lambda tensor: tensor.float())

    def detach(self) -> Prediction:
        return self._map(lambda tensor: tensor.detach())

    def answered(self) -> frozenset[str]:
        """The names of the fields that are filled."""
        return frozenset(name for name, value in vars(self).items() if value is not None)

    def _map(self, function) -> Prediction:
        return replace(self, **{name: function(getattr(self, name)) for name in self.answered()})
