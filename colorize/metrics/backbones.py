"""torchvision's published classifiers for LPIPS: found on this machine or fetched, and the very ones, by their hash."""

from __future__ import annotations

import shutil
import urllib.request
from hashlib import file_digest
from http.client import HTTPException
from pathlib import Path

import torch
import torchvision
from torch import nn

from colorize.checkpoint import write_whole
from colorize.errors import AbsentError
from colorize.importers.files import read_file

SILENT = 10  # seconds that a server may say nothing


def load_trunk(name: str, path: str | Path | None = None, *, download: bool = True) -> nn.Sequential:
    """The convolutions of torchvision's network `name` with its ImageNet weights.

    They are read from `path`, else from torch's hub cache, else fetched into it where `download`.
    Raises `AbsentError` where they are not there and do not come, or are others.
    """
    net = getattr(torchvision.models, name)(weights=None)
    net.load_state_dict(read_file(find_weights(name, path, download=download)))
    return net.features


def find_weights(name: str, path: str | Path | None, *, download: bool) -> Path:
    """The file whose hash, in torchvision's manner, begins with what its published name says."""
    url = torchvision.models.get_model_weights(name).IMAGENET1K_V1.url
    published = url.rsplit("/", 1)[1]
    place = Path(path).expanduser() if path else Path(torch.hub.get_dir(), "checkpoints", published)
    if not place.is_file():
        if path or not download:
            raise AbsentError(f"the ImageNet weights of {name} are not at {str(place)!r}: put there what {url} has")
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, lambda part: _fetch(url, part))
    wanted = published.removesuffix(".pth").rsplit("-", 1)[1]
    with place.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if not digest.startswith(wanted):
        raise AbsentError(
            f"{str(place)!r} is not the published file of {name}, or not all of it: its SHA-256 begins with "
            f"{digest[:8]}, not {wanted}; delete it, and put there what {url} has"
        )
    return place


def _fetch(url: str, part: Path) -> None:
    try:
        with urllib.request.urlopen(url, timeout=SILENT) as answer, part.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, HTTPException) as error:
        raise AbsentError(
            f"the weights cannot be fetched from {url} ({getattr(error, 'reason', None) or error}): fetch them "
            "elsewhere, and say weights=FILE"
        ) from error
