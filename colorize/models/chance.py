"""Chance that belongs to a photograph, not to a batch: however a batch is divided among passes, processes and
restarts, each photograph meets the same noise and the same dropout. B batch, C channels, H W picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from colorize.seeds import seed_of


def generators_of(seeds: Sequence[int], *key: int | str) -> list[torch.Generator]:
    """A generator on the CPU for each photograph; `key` says what it is for."""
    return [torch.Generator().manual_seed(seed_of(seed, *key)) for seed in seeds]


class Dropout(nn.Module):
    """Zeroes values with probability `p` and makes up for them; per photograph once `seeds` are set.

    Without seeds it is torch's own. The mask is drawn anew from the seeds on every call, so a pass that is computed
    again for its gradient drops the same values. It is drawn where it is used: a GPU's generator counts (Philox, Salmon
    et al. 2011), so that all its cores draw at once, and no mask is copied to it.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p, self.seeds = p, None  # type: tuple[float, Sequence[int] | None]

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0 or self.seeds is None:
            return nn.functional.dropout(x, self.p, self.training)
        generator, kept = torch.Generator(x.device), torch.empty(x.shape, device=x.device)
        for mask, seed in zip(kept, self.seeds, strict=True):
            mask.bernoulli_(1 - self.p, generator=generator.manual_seed(seed_of(seed)))
        return x * kept.to(x.dtype) / (1 - self.p)


def seed_dropout(module: nn.Module, seeds: Sequence[int] | None) -> None:
    """Give every `Dropout` below `module` its photographs' seeds for the pass that follows."""
    for name, layer in module.named_modules():
        if isinstance(layer, Dropout):
            layer.seeds = None if seeds is None else [seed_of(seed, "dropout", name) for seed in seeds]
