"""The perceptual distance LPIPS (Zhang et al. 2018), version 0.1. B batch, H W picture, C channels."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from colorize.errors import AbsentError, UserError
from colorize.importers.files import read_file
from colorize.metrics.backbones import load_trunk
from colorize.metrics.metric import Metric
from colorize.metrics.picture import Pair

# net: (torchvision's name, the ReLUs whose maps are compared, the least side that reaches the last)
NETS = {"alex": ("alexnet", (1, 4, 7, 9, 11), 31), "vgg": ("vgg16", (3, 8, 15, 22, 29), 16)}
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of pixels in −1…1
AT_ONCE = 2**18  # pixels: four pictures of 256², so that the large maps of VGG never fill the memory


class LPIPS(Metric):
    """Distance of the maps of a classifier, each weighted channel by channel as people judged: 0 is equal.

    net       alex: what most papers report; vgg: CT2's and L-CAD's. Never compare the one with the other
    weights   the file of torchvision's ImageNet weights; by default that in torch's hub cache
    download  fetch them where they are not there
    trunk     convolutions to use instead, in torchvision's order

    The channels' weights come with the package lpips. Raises `AbsentError` where the network's cannot be had.
    """

    better, needs = "lower", frozenset({"true"})

    def __init__(
        self, net: Literal["alex", "vgg"] = "alex", *, weights: str | Path | None = None, download: bool = True,
        trunk: nn.Sequential | None = None,
    ):  # fmt: skip
        if net not in NETS:
            raise UserError(f"there is no LPIPS net {net!r}: it must be one of {', '.join(NETS)}")
        self.label = f"LPIPS {net}"
        super().__init__()
        name, self.taps, self.least = NETS[net]
        self.origin = f"{name}, {'ImageNet (torchvision)' if trunk is None else 'as given'}; channels of lpips 0.1"
        whole = load_trunk(name, weights, download=download) if trunk is None else trunk
        self.trunk = whole[: self.taps[-1] + 1].eval().requires_grad_(False)
        self.channels = channel_weights(net)

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return self.distance(painted.rgb, true.rgb)

    @torch.no_grad()
    def distance(self, one: Tensor, other: Tensor) -> Tensor:
        """Two pictures (B, 3, H, W) in 0…1 -> (B,), symmetric."""
        height, width = one.shape[2:]
        if min(height, width) < self.least:
            raise UserError(
                f"{self.label} needs pictures of {self.least} pixels or more a side, not {height} × {width}"
            )
        few = max(1, AT_ONCE // (height * width))
        pieces = zip(one.split(few), other.split(few), strict=True)
        return torch.cat([self._distance(*piece) for piece in pieces])

    def _distance(self, one: Tensor, other: Tensor) -> Tensor:
        self.trunk.to(one.device)
        shift, scale = (one.new_tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
        x, total = (2 * torch.cat([one, other]) - 1 - shift) / scale, one.new_zeros(len(one))
        weights = iter(self.channels)
        for index, layer in enumerate(self.trunk):
            x = layer(x)
            if index in self.taps:
                first, second = (x / (x.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)).chunk(2)
                apart = (first - second).square().mean(dim=(2, 3))  # (B, C)
                total = total + apart @ next(weights).to(x.device)
        return total


def channel_weights(net: str) -> list[Tensor]:
    """(C,) for each of the five maps, of the package lpips."""
    spec = importlib.util.find_spec("lpips")
    if spec is None or spec.origin is None:
        raise AbsentError("LPIPS needs the package lpips: pip install lpips")
    held = read_file(Path(spec.origin).parent / "weights" / "v0.1" / f"{net}.pth")
    return [held[f"lin{index}.model.1.weight"].flatten() for index in range(5)]
