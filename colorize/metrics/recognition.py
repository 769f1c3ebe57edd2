"""Whether a classifier recognises in painted pictures what it sees in the true ones. B batch, H W picture."""

from __future__ import annotations

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.color import lightness_to_rgb
from colorize.errors import UserError
from colorize.metrics.features import check_weights
from colorize.metrics.metric import Column, Metric
from colorize.metrics.picture import Pair, Picture
from colorize.models.encoders import PACKAGED, find_weights, packaged_state, statistics

SIDE = 224  # pixels of the shorter side that the classifier is shown
NOTHING = -1


class Recognition(Metric):
    """Share of painted pictures in which a classifier's first answer is right (Zhang et al. 2016, section 3.2).

    Right is its answer to the true picture, or with `labelled` the class that ImageNet gives the picture. The columns
    `grey`, and with labels `truth`, say the same of the picture without colour and of the true one: what colour has won
    lies between them. The whole picture is shown, its shorter side resized to 224 pixels.

    network  one of timm's; its ImageNet weights must be on this machine, as those of tf_efficientnet_lite0 always are,
             else `AbsentError`
    """

    better, needs, share = "higher", frozenset({"true"}), True

    def __init__(self, network: str = "tf_efficientnet_lite0", labelled: bool = False):
        if not timm.is_model(network):
            raise UserError(f"timm has no classifier {network!r}")
        self.labelled = labelled
        self.label = "recognised" if labelled else "recognised as the truth is"
        if labelled:
            self.needs = frozenset({"true", "label"})
            self.undefined = "the picture has no label"
        super().__init__()
        check_weights(network)
        self.net = classifier(network).eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self.mean, self.std = statistics(network, self.net)
        self.origin = f"{network}, ImageNet"

    @property
    def columns(self) -> dict[str, Column]:
        further = {"grey": Column(f"{self.label}, grey", None)}
        if self.labelled:
            further["truth"] = Column(f"{self.label}, truth", None)
        return super().columns | further

    def of(self, pair: Pair) -> dict[str, Tensor]:
        painted, true = pair.both
        grey = true.once((self.net, "grey"), lambda: self._first(Picture(lightness_to_rgb(true.lab[:, :1]))))
        first, right = {"": self._first(painted), "grey": grey}, self._first(true)
        if self.labelled:
            assert pair.label is not None
            first["truth"], right = right, pair.label.to(right.device)
        return {n: (answer == right).float().masked_fill(right == NOTHING, float("nan")) for n, answer in first.items()}

    def _first(self, picture: Picture) -> Tensor:
        """(B,) the class that it holds for the likeliest"""
        self.net.to(picture.pixels.device)
        return picture.once(self.net, lambda: self.net(self._shown(picture.rgb)).argmax(dim=1))

    def _shown(self, rgb: Tensor) -> Tensor:
        """Resized, in the scale that the classifier was trained with."""
        scale = SIDE / min(rgb.shape[2:])
        size = [max(SIDE, round(side * scale)) for side in rgb.shape[2:]]
        rgb = F.interpolate(rgb, size=size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (rgb.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return ((rgb - mean) / std).contiguous(memory_format=torch.channels_last)


def classifier(network: str) -> nn.Module:
    """A timm network of 1000 classes with ImageNet weights that are on this machine."""
    path = find_weights(network)
    assert path is not None, network  # was checked
    if network not in PACKAGED:
        return timm.create_model(network, pretrained=True, pretrained_cfg_overlay={"file": str(path)})
    net = timm.create_model(network)
    net.load_state_dict(packaged_state(network, path, net))
    return net
