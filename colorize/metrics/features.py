"""How far painted pictures lie from the true ones in the features of a network that recognises things. B batch, H W."""

from __future__ import annotations

import torch
from torch import Tensor

from colorize.metrics.image import Metric
from colorize.models.encoders import Encoder


class FeatureDistance(Metric):
    """Mean squared distance between the features of each painted picture and its true one.

    The features are the network's last map, averaged over its places. It rises where a colour is implausible, and does
    not reward grey as PSNR does.
    network     a timm network; its weights must be on this machine, as those of tf_efficientnet_lite0 always are
    """

    def __init__(self, network: str = "tf_efficientnet_lite0"):
        super().__init__()
        self.encoder = Encoder(network, pretrained=True, reductions=(32,)).eval().requires_grad_(False)

    @torch.no_grad()
    def measure(self, rgb_hat: Tensor, rgb: Tensor) -> Tensor:
        self.encoder.to(rgb.device)
        painted, true = (self.encoder(picture)[0].mean(dim=(2, 3)) for picture in (rgb_hat, rgb))  # (B, C)
        return (painted - true).square().mean(dim=1)
