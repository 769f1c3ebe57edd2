"""Compare pictures by what a classification network sees in them (Johnson et al. 2016), as DDColor weighs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
import torchvision
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor, nn
from torchvision.transforms.functional import normalize

from colorize.batch import Batch, Prediction
from colorize.imaging.color import lab_to_rgb
from colorize.losses.loss import Term
from colorize.models.encoders import Encoder, vgg_file
from colorize.utils.errors import UserError
from colorize.utils.validation import NonNegative

VGG_TAPS = {
    "vgg16_bn": (0, 7, 14, 24, 34),  # conv1_1 … conv5_1, before norm and ReLU
    "vgg16": (1, 6, 11, 18, 25),  #    relu1_1 … relu5_1
}
FEATURES = (*VGG_TAPS, "efficientnet_lite0", "auto")


class Perceptual(Term):
    """Σ_k weights[k] · mean |φ_k(painted) − φ_k(true)| / scale_k over five feature maps of both RGB pictures.

    features    vgg16_bn: DDColor's, convolutions before norm and ReLU; vgg16: the thesis's, after ReLU. Both with
                torchvision's ImageNet weights, downloaded if need be, or `UserError`; the maps' own scale.
                efficientnet_lite0: the maps of an EfficientNet-Lite0 at 1/2 … 1/32, each in units of
                its mean absolute value on the true picture. auto: VGG where its weights are on this machine, else
                EfficientNet-Lite0; afterwards the attribute says which, and `origin` says it in words.
    """

    def __init__(
        self,
        features: Literal["auto", "vgg16", "vgg16_bn", "efficientnet_lite0"] = "auto",
        weights: Sequence[NonNegative] = (0.0625, 0.125, 0.25, 0.5, 1.0),
    ):
        super().__init__()
        if features not in FEATURES:
            raise UserError(f"perceptual features are {features!r}; they must be one of {FEATURES}")
        if features == "auto":
            features = "vgg16_bn" if vgg_file("vgg16_bn").is_file() else "efficientnet_lite0"
        self.features, self.weights = features, tuple(weights)
        self.net: nn.Module = (
            VGG(features) if features in VGG_TAPS else Encoder("tf_efficientnet_lite0", True, (2, 4, 8, 16, 32))
        )
        self.origin = str(self.net.origin)
        self.net.requires_grad_(False)

    def train(self, mode: bool = True) -> Perceptual:
        """Its network is an instrument: always in eval mode."""
        super().train(mode)
        self.net.eval()
        return self

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        with torch.no_grad():
            true = self.net(lab_to_rgb(batch.L, batch.shown_ab))
        painted = self.net(lab_to_rgb(batch.L, pred.ab))  # type: ignore[arg-type]
        scales = [1.0 if self.features in VGG_TAPS else t.abs().mean() for t in true]
        return sum(  # type: ignore[return-value]
            weight * F.l1_loss(p, t) / scale
            for weight, p, t, scale in zip(self.weights, painted, true, scales, strict=True)
        )


class VGG(nn.Module):
    """The first maps of the five sizes of torchvision's VGG16, with batch norm or without."""

    def __init__(self, name: str):
        super().__init__()
        try:
            net = getattr(torchvision.models, name)(weights="IMAGENET1K_V1")
        except Exception as error:  # urllib, ssl and torch.hub raise unrelated types here
            raise UserError(
                f"the VGG16 weights of the perceptual term cannot be had ({type(error).__name__}): put them at "
                f"{str(vgg_file(name))!r}, or use loss.terms.perceptual.features=efficientnet_lite0"
            ) from error
        self.taps = VGG_TAPS[name]
        self.layers = net.features[: self.taps[-1] + 1]
        for layer in self.layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False  # in place, it would overwrite a tap that is still to be compared
        self.origin = f"{name}, ImageNet (torchvision)"

    def forward(self, rgb: Tensor) -> list[Tensor]:
        x, taps = normalize(rgb, IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD), []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                taps.append(x)
        return taps
