"""What metrics are given: a painted picture beside the true one, and what several of them need of either, made once.

B batch, H W picture.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from colorize.color import colorfulness, rgb_to_lab
from colorize.errors import UserError


class Picture:
    """A batch of pictures (B, 3, H, W), uint8 or floating point in 0…1, with Lab and the like computed when asked for.

    True pictures can be handed to every row of a table (grey, a network, …): what is computed of them is kept.
    """

    def __init__(self, rgb: Tensor):
        if rgb.ndim != 4 or rgb.shape[1] != 3 or not (rgb.is_floating_point() or rgb.dtype == torch.uint8):
            raise UserError(
                "a metric takes pictures (B, 3, H, W), uint8 or floating point in 0…1, not "
                f"{tuple(rgb.shape)} {rgb.dtype}"
            )
        self.pixels = rgb
        self._kept: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def rgb(self) -> Tensor:
        """(B, 3, H, W) float32 in 0…1"""
        return self.pixels.float() / 255 if self.pixels.dtype == torch.uint8 else self.pixels.float()

    @cached_property
    def lab(self) -> Tensor:
        """(B, 3, H, W) in CIE units"""
        return rgb_to_lab(self.pixels if self.pixels.dtype == torch.uint8 else self.rgb)

    @cached_property
    def chroma(self) -> Tensor:
        """(B, H, W) √(a² + b²)"""
        return self.lab[:, 1:].square().sum(dim=1).sqrt()

    def colorfulness(self, absolute: bool) -> Tensor:
        """(B,) on the scale of 8-bit values, exactly 0 where a picture is grey"""
        return self.once(("colorfulness", absolute), lambda: colorfulness(self.rgb, absolute=absolute, tiny=0.0))

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """What `compute` answers, kept under `key`: a network that two metrics or two rows share runs once."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


GIVEN = {
    "true": "the true colours",
    "L": "the lightness that the network was given",
    "ab": "the network's own answer, before it became pixels",
    "label": "ImageNet's labels",
    "samples": "several paintings of each photograph (samples=4, of a network that draws)",
}


@dataclass(frozen=True)
class Pair:
    """Painted pictures and what is known about them. A metric names in `needs` the fields that it reads."""

    painted: Picture
    true: Picture | None = None
    L: Tensor | None = None  #      (B, 1, H, W) CIE lightness that the network was given
    ab: Tensor | None = None  #     (B, 2, H, W) its answer in CIE units
    label: Tensor | None = None  #  (B,) index among ImageNet's 1000 classes, -1 where there is none
    samples: Tensor | None = None  # (K, B, 3, H, W) uint8, K paintings of each photograph by chance

    def __post_init__(self) -> None:
        B, _, H, W = self.painted.pixels.shape
        true = None if self.true is None else self.true.pixels
        for name, held, wanted in (
            ("true pictures", true, (B, 3, H, W)), ("L", self.L, (B, 1, H, W)), ("ab", self.ab, (B, 2, H, W)),
            ("labels", self.label, (B,)),
        ):  # fmt: skip
            if held is not None and tuple(held.shape) != wanted:
                raise UserError(
                    f"painted pictures of shape {(B, 3, H, W)} go with {name} of shape {wanted}, "
                    f"not {tuple(held.shape)}"
                )

    @property
    def both(self) -> tuple[Picture, Picture]:
        """The painted and the true pictures, where a metric that needs the truth is asked."""
        assert self.true is not None
        return self.painted, self.true

    @property
    def given(self) -> frozenset[str]:
        """The names of what is known."""
        return frozenset(name for name in GIVEN if getattr(self, name) is not None)


def picture_mean(values: Tensor) -> Tensor:
    """(B, …) -> (B,) means, summed in double precision where the device has it, so that no batch size shows."""
    return values.flatten(1).mean(dim=1, dtype=widest(values))


def widest(values: Tensor) -> torch.dtype:
    """Double precision, which Apple's GPUs do not have."""
    return torch.float32 if values.device.type == "mps" else torch.float64
