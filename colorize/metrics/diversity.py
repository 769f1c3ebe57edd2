"""How much several paintings of the same photograph differ. K samples, B batch, H W picture."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import torch
from torch import Tensor

from colorize.color import rgb_to_lab
from colorize.errors import UserError
from colorize.metrics.metric import Metric
from colorize.metrics.picture import Pair, picture_mean


class Diversity(Metric):
    """Mean distance in (a, b) between two paintings of a photograph, CIE units: 0 where a network always says the same.

    Neither end is better: a photograph whose colours nobody can know deserves several answers, and noise is no answer.
    """

    label, needs = "diversity", frozenset({"samples"})

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
