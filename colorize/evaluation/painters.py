"""The rows of a table: a network, and what it is read next to. B batch, H W picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import torch
from PIL import Image
from torch import Tensor

from colorize.color import lab_to_rgb, to_uint8
from colorize.evaluation.scenes import Scene
from colorize.metrics import Picture
from colorize.models import Colorizer
from colorize.models.base import resize
from colorize.seeds import seed_of
from colorize.upsampling import Upsampling

# A scene -> its pictures, and the colours (B, 2, H, W) in CIE units before they became pixels, if there are any
Painter = Callable[[Scene], tuple[Picture, Tensor | None]]
JPEG_QUALITY = 95


def network(model: Colorizer, mode: str, predicted_at: int | None) -> Painter:
    """What `model` makes of the input of a mode; colour is predicted with `predicted_at` pixels on the shorter side,
    None: at the pictures' size."""

    def paint(scene: Scene) -> tuple[Picture, Tensor]:
        L = scene.inputs[mode]
        chances = [torch.Generator().manual_seed(seed_of("evaluate", place)) for place in scene.places]
        if predicted_at is None:
            ab = model.colorize(L, chances)
        else:
            small = resize(L, scaled(L.shape[2:], predicted_at)).clamp(0, 100)
            ab = upsampled(small, model.colorize(small, chances), L, scene.protocol.upsampling)
        return scene.painted(ab), ab

    return paint


def scaled(size: Sequence[int], shorter: int) -> tuple[int, int]:
    height, width = (max(1, round(side * shorter / min(size))) for side in size)
    return height, width


def upsampled(small: Tensor, ab: Tensor, L: Tensor, method: str) -> Tensor:
    """Colours of (B, 1, h, w) at the size of L (B, 1, H, W)."""
    pieces = []
    for i in range(len(L)):
        one = slice(i, i + 1)
        pieces.append(Upsampling(small[one], ab[one], tuple(L.shape[2:]), method).rows(L[one], 0))  # type: ignore[arg-type]
    return torch.cat(pieces)


def constant(ab: Sequence[float]) -> Painter:
    """The same colour everywhere: (0, 0) is grey."""

    def paint(scene: Scene) -> tuple[Picture, Tensor]:
        colours = scene.L.new_tensor(ab).view(1, 2, 1, 1).expand(len(scene), 2, *scene.L.shape[2:])
        return scene.painted(colours), colours

    return paint


def truth(scene: Scene) -> tuple[Picture, None]:
    assert scene.true is not None
    return scene.true, None


def lab_roundtrip(scene: Scene) -> tuple[Picture, Tensor]:
    """The best that any network can do: the true colours, through Lab and back."""
    assert scene.ab is not None
    return scene.painted(scene.ab), scene.ab


def jpeg95(scene: Scene) -> tuple[Picture, None]:
    """The truth through JPEG of quality 95, colour at half resolution as usual: damage that nobody sees."""
    assert scene.true is not None
    return Picture(torch.stack([through_jpeg(picture) for picture in scene.true.pixels.cpu()]).to(scene.L.device)), None


def through_jpeg(picture: Tensor) -> Tensor:
    """(3, H, W) uint8 on the CPU -> the same after saving and opening"""
    file = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:2:0")
    opened = torch.frombuffer(bytearray(Image.open(file).tobytes()), dtype=torch.uint8)
    return opened.view(*picture.shape[1:], 3).permute(2, 0, 1)


def shown(L: Tensor) -> Tensor:
    """The grey picture (B, 3, H, W) uint8 of a lightness"""
    return to_uint8(lab_to_rgb(L, L.new_zeros(len(L), 2, *L.shape[2:])))
