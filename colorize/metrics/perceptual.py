"""What networks make of painted pictures: LPIPS, features, classes, any outside judge. B batch, C channels."""

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import timm
import torch
import torch.nn.functional as F
from timm.data import ImageNetInfo
from torch import Tensor, nn

from colorize.imaging.color import lightness_to_rgb
from colorize.metrics.extractors import load_classifier
from colorize.metrics.metric import ASIDE, Better, Metric, Pair, Picture
from colorize.models.encoders import Encoder, find_weights, load_trunk, statistics
from colorize.utils.errors import UnavailableError, UserError
from colorize.utils.serialization import read_file

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

    The channels' weights come with the package lpips. Raises `UnavailableError` where the network's cannot be had.
    """

    label, better, needs = "LPIPS {}", "lower", frozenset({"true"})
    low, prominence, views = 0.0, 4, ("samples", "grey")

    def __init__(
        self, net: Literal["alex", "vgg"] = "alex", *, weights: str | Path | None = None, download: bool = True,
        trunk: nn.Sequential | None = None,
    ):  # fmt: skip
        if net not in NETS:
            raise UserError(f"there is no LPIPS net {net!r}: it must be one of {', '.join(NETS)}")
        vars(self).update(self.variant(net))
        super().__init__()
        name, self.taps, self.least = NETS[net]
        self.origin = f"{name}, {'ImageNet (torchvision)' if trunk is None else 'as given'}; channels of lpips 0.1"
        whole = load_trunk(name, weights, download=download) if trunk is None else trunk
        self.trunk = whole[: self.taps[-1] + 1].eval().requires_grad_(False)
        self.channels = channel_weights(net)

    @classmethod
    def variant(cls, net: str = "alex", **_: Any) -> dict[str, Any]:
        return {"label": cls.label.format(net), **(ASIDE if net == "vgg" else {})}

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
        raise UnavailableError("LPIPS needs the package lpips: pip install lpips")
    held = read_file(Path(spec.origin).parent / "weights" / "v0.1" / f"{net}.pth")
    return [held[f"lin{index}.model.1.weight"].flatten() for index in range(5)]


class FeatureDistance(Metric):
    """Mean squared distance between the features of each painted picture and its true one.

    The features are the network's last map, averaged over its places. It rises where a colour is implausible, and does
    not reward grey as PSNR does.
    network     a timm network; its weights must be on this machine, as those of tf_efficientnet_lite0 always are, else
                `UnavailableError`
    """

    label, better, needs = "feature distance", "lower", frozenset({"true"})
    low, prominence, views = 0.0, 1, ("curve", "samples", "grey")

    def __init__(self, network: str = "tf_efficientnet_lite0"):
        super().__init__()
        if timm.is_model(network):
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


def check_weights(network: str) -> Path:
    """The file of a timm network's ImageNet weights. Raises `UnavailableError` where none is on this machine."""
    path = find_weights(network)
    if path is None:
        raise UnavailableError(
            f"the ImageNet weights of {network!r} are on this machine neither in a package nor in a cache"
        )
    return path


SIDE = 224  # pixels of the shorter side that the classifier is shown
NOTHING = -1


class Recognition(Metric):
    """Share of painted pictures in which a classifier's first answer is right (Zhang et al. 2016, section 3.2).

    Right is its answer to the true picture, or with `labelled` the class that ImageNet gives the picture. The columns
    `grey`, and with labels `truth`, say the same of the picture without colour and of the true one: what colour has won
    lies between them. The whole picture is shown, its shorter side resized to 224 pixels.

    network  one of timm's; its ImageNet weights must be on this machine, as those of tf_efficientnet_lite0 always are,
             else `UnavailableError`
    """

    label, better, needs = "recognised", "higher", frozenset({"true"})
    digits, low, high, aggregation, views = 3, 0.0, 1.0, "share", ("grey",)

    def __init__(self, network: str = "tf_efficientnet_lite0", labelled: bool = False):
        if not timm.is_model(network):
            raise UserError(f"timm has no classifier {network!r}")
        self.labelled, self.columns = labelled, ("", "grey", *(("truth",) if labelled else ()))
        if labelled:
            self.needs = frozenset({"true", "label"})
            self.undefined = "the picture has no label"
        super().__init__()
        self.net = (
            load_classifier(network, check_weights(network))
            .eval()
            .requires_grad_(False)
            .to(memory_format=torch.channels_last)
        )
        self.mean, self.std = statistics(network)
        self.origin = f"{network}, ImageNet"

    def of(self, pair: Pair) -> dict[str, Tensor]:
        painted, true = pair.both
        grey = true.once((self.net, "grey"), lambda: self._first(Picture(lightness_to_rgb(true.lab[:, :1]))))
        first, right = {"": self._first(painted), "grey": grey}, self._first(true)
        if self.labelled:
            assert pair.label is not None
            first["truth"], right = right, pair.label.to(right.device)
        return {n: (answer == right).float().masked_fill(right == NOTHING, float("nan")) for n, answer in first.items()}

    def _first(self, picture: Picture) -> Tensor:
        """(B,) the class that it rates most likely"""
        self.net.to(picture.pixels.device)
        return picture.once(self.net, lambda: self.net(self._shown(picture.rgb)).argmax(dim=1))

    def _shown(self, rgb: Tensor) -> Tensor:
        """Resized, in the scale that the classifier was trained with."""
        scale = SIDE / min(rgb.shape[2:])
        size = [max(SIDE, round(side * scale)) for side in rgb.shape[2:]]
        rgb = F.interpolate(rgb, size=size, mode="bicubic", antialias=True).clamp(0, 1)
        mean, std = (rgb.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return ((rgb - mean) / std).contiguous(memory_format=torch.channels_last)


class Judge(Metric):
    """The score that `model` gives each painted picture; no truth needed.

    model   (B, 3, H, W) RGB float32 in 0…1 -> (B,) or (B, 1); a module is put into eval mode and on the pictures'
            device. It raises `UnavailableError` in its constructor where its weights cannot be had
    better  higher or lower, as the model means it, or truth
    unit, digits, prominence  as in `Metric`
    """

    def __init__(
        self, model: Callable[[Tensor], Tensor], label: str, better: Better, unit: str = "", digits: int = 4,
        prominence: int = 0,
    ):  # fmt: skip
        if better not in ("higher", "lower", "truth", None):
            raise UserError(f"{label}: better is {better!r}; it must be higher, lower or truth")
        self.model, self.label, self.better, self.unit = model, label, better, unit
        self.digits, self.prominence = digits, prominence
        super().__init__()
        if isinstance(model, nn.Module):
            model.eval().requires_grad_(False)

    def of(self, pair: Pair) -> Tensor:
        rgb = pair.painted.rgb
        if isinstance(self.model, nn.Module):
            self.model.to(rgb.device)
        values = self.model(rgb)
        if values.shape not in ((len(rgb),), (len(rgb), 1)):
            raise UserError(
                f"{self.label} must answer one number for each of {len(rgb)} pictures, not shape {tuple(values.shape)}"
            )
        return values.reshape(len(rgb)).float()


@cache
def imagenet_indices() -> dict[str, int]:
    """WordNet id -> index among ImageNet's 1000 classes, as torchvision's and timm's networks count them."""
    return {wnid: index for index, wnid in enumerate(ImageNetInfo().label_names())}
