"""What every network that colours photographs has in common. B batch, H W picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from inspect import signature
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.errors import UserError

AB_LIMIT = 128.0  # no colour that a screen can show lies outside ±128 in a or b
SHADES_OF_BLACK = 32  # a black 8-bit picture has fewer below L* = 1; a picture in 0…1 has more
Generators = torch.Generator | Sequence[torch.Generator] | None  # one for the batch, or one for each picture


class Colorizer(nn.Module):
    """A network from lightness to colour. Units at its doors are CIE units; what it needs inside is its own affair."""

    answers: frozenset[str]  #            the Prediction fields that forward() can fill
    multiple: int = 1  #                  predict_ab() takes heights and widths that this divides
    fixed_size: int | None = None  #      or only squares of this side
    stochastic: ClassVar[bool] = False  # whether predict_ab() draws, and takes generators to draw from
    settings: dict[str, Any]  #           what the network was built with, as an export keeps it

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        build = cls.__init__

        @wraps(build)
        def remembering(self, *values: Any, **settings: Any) -> None:
            build(self, *values, **settings)
            if type(self) is cls:
                self.settings = dict(zip(list(signature(build).parameters)[1:], values, strict=False)) | settings

        cls.__init__ = remembering  # type: ignore[method-assign]

    def forward(self, batch: Batch) -> Prediction:
        """One training pass."""
        raise NotImplementedError

    def predict_ab(self, L: Tensor) -> Tensor:
        """(B, 1, H, W) L* 0…100 -> (B, 2, H, W) ab in CIE units, as the network says it: not clamped.

        A stochastic network takes `generator` as well.
        """
        raise NotImplementedError

    @torch.no_grad()
    def colorize(self, L: Tensor, generator: Generators = None, *, check: bool = True) -> Tensor:
        """(B, 1, H, W) L* 0…100 of any floating-point type, any H and W -> (B, 2, H, W) float32 ab in CIE units,
        clamped to ±128.

        Networks that draw do so from `generator`: one for the batch, or one for each picture, so that a picture comes
        out the same alone and in a batch; without, from torch's own. Call it in eval mode.
        Raises `UserError`, a `ValueError`, for a wrong shape and for a lightness that is not L*: L/100 looks like a
        photograph that is nearly black. `check=False` is for callers who know that it is L*.
        """
        if check:
            check_lightness(L)
        L = L.to(next((weights.dtype for weights in self.parameters()), torch.float32))
        if self.fixed_size and L.shape[2:] != (self.fixed_size, self.fixed_size):
            square = resize(L, (self.fixed_size, self.fixed_size))
            return resize(self.colorize(square, generator, check=False), L.shape[2:])
        height, width = L.shape[2:]
        down, right = -height % self.multiple, -width % self.multiple
        padded = F.pad(L, (0, right, 0, down), mode="replicate")
        ab = self.predict_ab(padded, generator) if self.stochastic else self.predict_ab(padded)  # type: ignore[call-arg]
        return ab[..., :height, :width].float().clamp(-AB_LIMIT, AB_LIMIT)


def check_lightness(L: Tensor) -> None:
    """Raises `UserError` for what cannot be CIE L*."""
    if L.ndim != 4 or L.shape[1] != 1:
        raise UserError(f"L must be (B, 1, H, W); its shape is {tuple(L.shape)}")
    if not L.is_floating_point():
        raise UserError(f"L must be floating point, CIE L* in 0…100; it is {L.dtype}")
    low, high = (value.item() for value in L.aminmax())
    if not (low >= -1 and high <= 101):  # written so that nan fails too
        raise UserError(f"L must be CIE L* in 0…100; it runs from {low:.4g} to {high:.4g}")
    if high <= 1 and len(L.unique()) >= SHADES_OF_BLACK:
        raise UserError(f"L must be CIE L* in 0…100; it runs from {low:.4g} to {high:.4g}, as L/100 does")


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, H, W) -> (B, C, *size), bilinear, antialiased where it shrinks."""
    return F.interpolate(x, list(size), mode="bilinear", align_corners=False, antialias=True)
