"""How far painted pictures lie from the true ones in the features of a network that recognises things. B batch, H W."""

from __future__ import annotations

import timm
import torch
from torch import Tensor

from colorize.errors import AbsentError
from colorize.metrics.metric import Metric
from colorize.metrics.picture import Pair, Picture
from colorize.models.encoders import Encoder, find_weights


class FeatureDistance(Metric):
    """Mean squared distance between the features of each painted picture and its true one.

    The features are the network's last map, averaged over its places. It rises where a colour is implausible, and does
    not reward grey as PSNR does.
    network     a timm network; its weights must be on this machine, as those of tf_efficientnet_lite0 always are, else
                `AbsentError`
    """

    label, better, needs = "feature distance", "lower", frozenset({"true"})

    def __init__(self, network: str = "tf_efficientnet_lite0"):
        super().__init__()
        check_weights(network)
        encoder = Encoder(network, pretrained=True, reductions=(32,)).eval().requires_grad_(False)
        self.encoder = encoder.to(memory_format=torch.channels_last)  # twice as fast on a CPU
        self.origin = self.encoder.origin

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        return (self._features(painted) - self._features(true)).square().mean(dim=1)

    def _features(self, picture: Picture) -> Tensor:
        """(B, C), of true pictures once for all rows"""
        self.encoder.to(picture.pixels.device)
        rgb = picture.rgb.contiguous(memory_format=torch.channels_last)
        return picture.once(self.encoder, lambda: self.encoder(rgb)[0].mean(dim=(2, 3)))


def check_weights(network: str) -> None:
    """Raises `AbsentError` where a timm network's ImageNet weights are not on this machine."""
    if timm.is_model(network) and find_weights(network) is None:
        raise AbsentError(
            f"the ImageNet weights of {network!r} are on this machine neither in a package nor in a cache"
        )
