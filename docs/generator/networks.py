"""The networks that docs/models.md describes, at their published sizes, and what is seen when a picture passes through.

Everything is built and run on torch's meta device: shapes without numbers, so that it takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache

import torch
from generator.text import shape_of
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from colorize.batch import Batch
from colorize.models import (
    CNN,
    Colorizer,
    Diffusion,
    MultiColor,
    PatchCritic,
    ResNetUNet,
    Transformer,
    UNet,
    UNetCritic,
)

THESIS = {"encoder": "convnext_tiny", "pretrained": False}
NETWORKS: dict[str, tuple[Callable[[], Colorizer], int]] = {  # name -> how it is built, side of the picture
    "cnn": (lambda: CNN(classes=1000), 224),
    "gan_unet": (UNet, 256),
    "gan": (lambda: ResNetUNet(pretrained=False), 256),
    "diffusion": (Diffusion, 128),
    "transformer": (lambda: Transformer(pretrained=False), 256),
    "thesis": (lambda: Transformer(**THESIS, pixel_decoder="thesis"), 256),
    "multicolor": (lambda: MultiColor(**THESIS), 256),
}
CRITICS: dict[str, tuple[Callable[[], nn.Module], int]] = {"patch": (PatchCritic, 256), "unet": (UNetCritic, 256)}


@dataclass
class Seen:
    """A network and what passed through it."""

    network: nn.Module
    size: int
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)  # module path -> shape of what it last gave
    multiplications: dict[str, int] = field(default_factory=dict)  #    module path -> of all its calls together
    total: int = 0

    def parameters(self, *patterns: str) -> int:
        """Of the modules and parameters whose paths match: "down.*" is all that is below `down`."""
        named = self.network.named_parameters()
        return sum(p.numel() for name, p in named if any(belongs(name, pattern) for pattern in patterns))

    def macs(self, *patterns: str) -> int:
        """Multiplications of the modules with just these paths; "down.*" is what is directly below `down`."""
        wanted = re.compile("|".join(re.escape(p).replace(r"\*", "[^.]+") for p in patterns) or "(?!)")
        return sum(n for path, n in self.multiplications.items() if wanted.fullmatch(path))

    def shape(self, path: str) -> str:
        return shape_of(self.shapes[path])

    def channels(self, path: str) -> int:
        return self.shapes[path][1]

    def side(self, path: str) -> int:
        return self.shapes[path][-1]


def belongs(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


@cache
def look(name: str) -> Seen:
    """One picture through a network of `NETWORKS` or `CRITICS`."""
    build, size = (NETWORKS | CRITICS)[name]
    with torch.device("meta"):
        network = build().eval()
        L, ab = torch.empty(1, 1, size, size), torch.empty(1, 2, size, size)
    seen = Seen(network, size)
    with FlopCounterMode(display=False) as counter:
        handles = [
            handle
            for path, module in network.named_modules()
            for handle in watch(path, module, seen, counter)
        ]  # fmt: skip
        network(Batch(L, ab)) if isinstance(network, Colorizer) else network(L, ab)
        seen.total = counter.get_total_flops() // 2
    for handle in handles:
        handle.remove()
    return seen


def watch(path: str, module: nn.Module, seen: Seen, counter: FlopCounterMode):
    began: list[int] = []

    def before(*_) -> None:
        began.append(counter.get_total_flops())

    def after(_module, _inputs, output) -> None:
        spent = (counter.get_total_flops() - began.pop()) // 2
        seen.multiplications[path] = seen.multiplications.get(path, 0) + spent
        if isinstance(output, Tensor):
            seen.shapes[path] = tuple(output.shape)

    yield module.register_forward_pre_hook(before)
    yield module.register_forward_hook(after)
