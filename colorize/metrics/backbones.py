"""torchvision's published classifiers for LPIPS: found on this machine or fetched, and the very ones, by their hash."""

from __future__ import annotations

from pathlib import Path

import torchvision
from torch import nn

from colorize.errors import AbsentError
from colorize.importers.files import read_file
from colorize.pinned import Pinned


def load_trunk(name: str, path: str | Path | None = None, *, download: bool = True) -> nn.Sequential:
    """The convolutions of torchvision's network `name` with its ImageNet weights.

    They are read from `path`, else from torch's hub cache, else fetched into it where `download`.
    Raises `AbsentError` where they are not there and do not come, or are others.
    """
    net = getattr(torchvision.models, name)(weights=None)
    try:
        found, _ = published(name).find(path, download=download)
    except AbsentError as error:
        raise AbsentError(f"{name}, ImageNet: {error}") from error
    net.load_state_dict(read_file(found))
    return net.features


def published(name: str) -> Pinned:
    """torchvision's file, whose name ends in the beginning of its hash."""
    url = torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    file = url.rsplit("/", 1)[1]
    return Pinned((file,), url, file.removesuffix(".pth").rsplit("-", 1)[1])
