"""From a photograph's file to the pixels that a protocol measures. H W picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from colorize.data.collection import Photo
from colorize.data.decode import UNREADABLE, open_rgb
from colorize.data.historical import black_and_white, is_colourful, plate
from colorize.data.loading import first_line
from colorize.errors import UserError
from colorize.evaluation.protocol import Protocol
from colorize.photograph_files import open_photograph

PILLOW = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


class Frame(NamedTuple):
    """A photograph at the protocol's size."""

    name: str
    rgb: Tensor | None  #   (3, H, W) true colours: uint8, or float 0…1 where the filter does not round; None: unknown
    grey: Tensor | None  # (1, H, W) likewise: a period exposure, or a photograph without colours


def read_frame(photo: Photo, protocol: Protocol) -> Frame:
    """Raises `UserError` for a photograph that cannot be read: a score over fewer would be another score."""
    try:
        rgb, grey = READ[protocol.reader](photo)
        height, width = (rgb if rgb is not None else grey).shape[:2]  # type: ignore[union-attr]
        assert protocol.size is not None
        box, size = place(width, height, protocol.geometry, protocol.size)
        parts = [None if part is None else to_size(part, box, size, protocol.filter) for part in (rgb, grey)]
    except UNREADABLE as error:
        raise UserError(f"cannot read {photo.where!r}: {first_line(error)}; mend it or take it away") from error
    return Frame(photo.name, *parts)


def _colour(photo: Photo) -> tuple[np.ndarray, None]:
    return np.asarray(open_rgb(photo.read())), None


def _black_and_white(photo: Photo) -> tuple[None, np.ndarray]:
    return None, black_and_white(photo, "").grey


def _period(photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    """True colours and the blue exposure; that of a composed photograph is its blue channel, which was made of it."""
    pixels = open_photograph(photo.path).rgb
    if is_colourful(pixels):
        return pixels, pixels[..., 2]
    composed = plate(photo, "", "percentile")
    assert composed.rgb is not None
    return composed.rgb, composed.grey


READ = {"photographs": _colour, "black_and_white": _black_and_white, "period": _period}


def place(width: int, height: int, geometry: str, side: int) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """What is cut out (left, top, right, bottom), and what it is brought to (height, width)."""
    if geometry == "centre":
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        return (left, top, left + short, top + short), (side, side)
    if geometry == "stretch":
        return (0, 0, width, height), (side, side)
    scale = min(1.0, side / max(width, height))
    return (0, 0, width, height), (max(1, round(height * scale)), max(1, round(width * scale)))


def to_size(pixels: np.ndarray, box: tuple[int, int, int, int], size: tuple[int, int], filter: str) -> Tensor:
    """(H, W, 3) or (H, W) uint8 -> (C, *size): uint8 by Pillow's filters, float 0…1 by the others."""
    left, top, right, bottom = box
    pixels = pixels[top:bottom, left:right]  # first: a filter may not see beyond the box
    if filter in PILLOW:
        image = Image.fromarray(np.ascontiguousarray(pixels)).resize(size[::-1], PILLOW[filter])
        return channels(np.array(image))
    wide = channels(pixels).float()[None] / 255
    if filter == "linear":
        return F.interpolate(wide, size, mode="bilinear", align_corners=False)[0]
    rows, columns = (area_weights(*sides) for sides in zip(wide.shape[2:], size, strict=True))
    return rows @ wide[0] @ columns.T


def area_weights(old: int, new: int) -> Tensor:
    """(new, old): each new pixel is the mean of the old ones that it covers, by how much of each it covers."""
    edges = torch.arange(new + 1, dtype=torch.float64) * (old / new)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = torch.arange(old, dtype=torch.float64)
    covered = (torch.minimum(high, pixel + 1) - torch.maximum(low, pixel)).clamp(min=0)
    return (covered / covered.sum(dim=1, keepdim=True)).float()


def channels(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) or (H, W) -> (C, H, W)"""
    return torch.from_numpy(np.atleast_3d(pixels).copy()).permute(2, 0, 1).contiguous()
