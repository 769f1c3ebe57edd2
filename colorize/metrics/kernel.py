"""How far a set of painted pictures lies from the true ones, in one number that is unbiased for few. B batch, H W."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from colorize.color import to_uint8
from colorize.distribution.extractors import create_extractor
from colorize.distribution.kernel import kernel_distance
from colorize.distribution.sums import Features
from colorize.metrics.metric import Column, Metric
from colorize.metrics.picture import Pair, Picture

LEAST = 3  # pictures


class KernelDistance(Metric):
    """The paired kernel distance (Bińkowski et al. 2018, without a picture's own painting) in an extractor's features.

    It is that of `evaluate.py`, kd_paired_NAME, whose interval it lacks: a number to follow in training. Features are
    held in memory, 10 kB a picture. It has no number for one picture, and needs three.

    extractor, weights, download   as in `create_extractor`; `AbsentError` where the weights cannot be had
    """

    better, needs, of_sets = "lower", frozenset({"true"}), True

    def __init__(
        self, extractor: str = "efficientnet_lite0", *, weights: str | Path | None = None, download: bool = True
    ):
        self.extractor = create_extractor(extractor, weights, download=download)
        self.label, self.origin = f"KD paired, {extractor}", self.extractor.prepared
        super().__init__()

    @property
    def columns(self) -> dict[str, Column]:
        return {}

    def reset(self) -> None:
        self._features: list[tuple[torch.Tensor, torch.Tensor]] = []

    def add(self, pair: Pair) -> None:
        true, painted = (self._of(side) for side in reversed(pair.both))
        self._features.append((true, painted))

    def compute(self) -> float:
        """NaN below three pictures."""
        if sum(len(true) for true, _ in self._features) < LEAST:
            return float("nan")
        true, painted = (Features.of(torch.cat(side)) for side in zip(*self._features, strict=True))
        estimate = kernel_distance(true, painted, paired=True)[1]
        assert estimate is not None
        return estimate.value

    def parts(self) -> list[tuple[torch.Tensor, torch.Tensor]]:  # type: ignore[override]
        return list(self._features)

    def merge(self, parts: Sequence[list[tuple[torch.Tensor, torch.Tensor]]]) -> None:  # type: ignore[override]
        self._features = [each for process in parts for each in process]

    def _of(self, picture: Picture) -> torch.Tensor:
        """(B, d) on the CPU"""
        self.extractor.to(picture.pixels.device)
        rgb = picture.pixels if picture.pixels.dtype == torch.uint8 else to_uint8(picture.rgb)
        return picture.once(self.extractor, lambda: self.extractor(rgb).cpu())
