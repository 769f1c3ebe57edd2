"""Crops, turns, sizes, guided upsampling, transparency: filters are antialiased, the randomness is an argument.

B batch, H W picture or photograph, h w prediction.
"""

from collections.abc import Sequence
from math import exp, log, sqrt

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

Box = tuple[int, int, int, int]  # left, top, width, height, in pixels


def centre_square(image: Image.Image, size: int) -> Image.Image:
    """The largest centred square, resized with an antialiased bicubic filter to `size`²."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))  # first: a filter may not see beyond the square
    return square.resize((size, size), Image.Resampling.BICUBIC)


def square(width: int, height: int, random: np.random.Generator, *, crop: tuple[float, float]) -> Box:
    """A square of `crop[0]` to `crop[1]` of the shorter side: as if that were resized, and a square cut out."""
    side = max(1, round(random.uniform(*crop) * min(width, height)))
    return _somewhere(width, height, side, side, random)


def stretch(width: int, height: int, random: np.random.Generator, *, crop: tuple[float, float]) -> Box:
    """That share of both sides: what is cut out of a picture stretched to a square, which loses its proportions."""
    share = random.uniform(*crop)
    return _somewhere(width, height, max(1, round(share * width)), max(1, round(share * height)), random)


def area(width: int, height: int, random: np.random.Generator, *, crop: tuple[float, float]) -> Box:
    """A rectangle of `crop[0]` to `crop[1]` of the area, from 3:4 to 4:3: the random resized crop of Szegedy et al."""
    for _ in range(10):
        surface = random.uniform(*crop) * width * height
        ratio = exp(random.uniform(log(3 / 4), log(4 / 3)))
        wide, high = round(sqrt(surface * ratio)), round(sqrt(surface / ratio))
        if 0 < wide <= width and 0 < high <= height:
            return _somewhere(width, height, wide, high, random)
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def _somewhere(width: int, height: int, wide: int, high: int, random: np.random.Generator) -> Box:
    left, top = random.integers(0, width - wide, endpoint=True), random.integers(0, height - high, endpoint=True)
    return int(left), int(top), wide, high


GEOMETRIES = {"square": square, "stretch": stretch, "area": area}


def crop_resized(rgb: Tensor, box: Box, size: int) -> Tensor:
    """(3, H, W) uint8 -> (3, size, size) uint8: the box, resized."""
    left, top, width, height = box
    piece = rgb[:, top : top + height, left : left + width]  # first: a filter may not see beyond the box
    if (width, height) == (size, size):
        return piece
    pixels = np.ascontiguousarray(piece.permute(1, 2, 0).numpy())  # twice as fast as torch copies bytes
    channels_last = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    return F.interpolate(channels_last, (size, size), mode="bicubic", antialias=True)[0]


def random_crop(
    rgb: Tensor, random: np.random.Generator, *, size: int, geometry: str, crop: tuple[float, float], flip: bool
) -> Tensor:
    """(3, H, W) uint8 -> (3, size, size) uint8: a box of one of `GEOMETRIES`, resized; mirrored half of the time."""
    box = GEOMETRIES[geometry](rgb.shape[2], rgb.shape[1], random, crop=crop)
    pixels = crop_resized(rgb, box, size).numpy()
    mirrored = flip and random.random() < 0.5
    return torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1] if mirrored else pixels))


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """(B, C, H, W) -> (B, C, *size), bilinear, antialiased where it shrinks."""
    return F.interpolate(x, list(size), mode="bilinear", align_corners=False, antialias=True)


def part_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture without transparency, L or RGB, and the transparency (L), if it has any."""
    if not image.has_transparency_data:
        return image, None
    if image.mode in ("L", "LA", "La"):
        full = image.convert("LA")
        return full.getchannel("L"), full.getchannel("A")
    full = image if image.mode == "RGBA" else image.convert("RGBA")
    return full.convert("RGB"), full.getchannel("A")


def on_white(image: Image.Image, alpha: Image.Image | None) -> Image.Image:
    """L or RGB, laid on white where it is transparent."""
    if alpha is None:
        return image
    white = Image.new(image.mode, image.size, "white")
    white.paste(image, mask=alpha)
    return white


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turned and mirrored as EXIF's `orientation`, 1 to 8, says."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


PILLOW = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def placement(width: int, height: int, geometry: str, side: int) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """What is cut out (left, top, right, bottom), and what it is brought to (height, width)."""
    if geometry == "centre":
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        return (left, top, left + short, top + short), (side, side)
    if geometry == "stretch":
        return (0, 0, width, height), (side, side)
    scale = min(1.0, side / max(width, height))
    return (0, 0, width, height), (max(1, round(height * scale)), max(1, round(width * scale)))


def resize_to(pixels: np.ndarray, box: tuple[int, int, int, int], size: tuple[int, int], filter: str) -> Tensor:
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


class Upsampling:
    """ab at any row of the full-size photograph, a strip at a time, so that its memory does not grow with the picture.

    guided      the fast guided filter of He and Sun 2015: within each window of the small picture ab is taken for a
                straight line in lightness, and that line is drawn at full size: colour ends where lightness does
    bilinear    plain; colour reaches over edges by a pixel of the small picture

    radius      of the windows, in small pixels
    smoothness  lightness (0…100) that is no edge yet: differences below it are smoothed over
    """

    def __init__(
        self, L: Tensor, ab: Tensor, size: tuple[int, int], method: str, *, radius: int = 4, smoothness: float = 4.0
    ):
        """L (1, 1, h, w) and ab (1, 2, h, w) of the small picture; `size` H, W of the photograph."""
        self.size = size
        if method == "bilinear":
            slope, offset = torch.zeros_like(ab), ab
        else:
            slope, offset = fit_lines(L, ab, radius, smoothness**2)
        self.small = torch.cat([slope, offset], dim=1)  # (1, 4, h, w)

    def rows(self, L: Tensor, first: int) -> Tensor:
        """Full-size lightness (1, 1, n, W) of the rows from `first` on -> ab (1, 2, n, W)"""
        height, width = self.size
        small = self.small.shape[2]
        place = (torch.arange(first, first + L.shape[2], device=L.device) + 0.5) * small / height - 0.5
        place = place.clamp(0, small - 1)
        above = place.floor().long()
        below = (above + 1).clamp(max=small - 1)
        share = (place - above)[:, None]
        strip = torch.lerp(self.small[:, :, above], self.small[:, :, below], share)
        slope, offset = F.interpolate(strip, (L.shape[2], width), mode="bilinear").chunk(2, dim=1)
        return slope * L + offset


def fit_lines(L: Tensor, ab: Tensor, radius: int, noise: float) -> tuple[Tensor, Tensor]:
    """Slope and offset (1, 2, h, w) of ab as a line in L, fitted in each window and averaged over the windows that a
    pixel lies in (He et al. 2013, eq. 5, 6 and 8)."""
    mean_L, mean_ab = window_mean(L, radius), window_mean(ab, radius)
    covariance = window_mean(L * ab, radius) - mean_L * mean_ab
    variance = window_mean(L * L, radius) - mean_L * mean_L
    slope = covariance / (variance.clamp(min=0) + noise)
    return window_mean(slope, radius), window_mean(mean_ab - slope * mean_L, radius)


def window_mean(x: Tensor, radius: int) -> Tensor:
    """Over the window of each pixel, or what of it lies in the picture."""
    return F.avg_pool2d(x, 2 * radius + 1, stride=1, padding=radius, count_include_pad=False)
