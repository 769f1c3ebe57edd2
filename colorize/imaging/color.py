"""sRGB, CIE L*a*b*, HSV and YUV: the only definition of colour here, used by loss, metric and picture alike.

IEC 61966-2-1 for sRGB, CIE 15:2004 for L*a*b*, white point D65 and the 2° observer, as in scikit-image.
All functions are pure, batched and differentiable, on any device. B batch, H W picture; a leading shape "…" is free.
"""

from collections.abc import Callable, Iterator
from itertools import chain, starmap

import numpy as np
import torch
from torch import Tensor

# The constants are scikit-image's, to the digit, so that both give the same numbers.
XYZ_FROM_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)
WHITE_FROM_RGB = [[each / white for each in row] for row, white in zip(XYZ_FROM_RGB, WHITE, strict=True)]  # XYZ / WHITE
RGB_FROM_XYZ = (torch.linalg.inv(torch.tensor(XYZ_FROM_RGB, dtype=torch.float64)) * torch.tensor(WHITE)).tolist()
LAB_FROM_F = ((0.0, 116.0, 0.0), (500.0, -500.0, 0.0), (0.0, 200.0, -200.0))

EPSILON = (6 / 29) ** 3  #  below this the cube root of CIE 15 gives way to a straight line (0.008856…)
SLOPE = (29 / 6) ** 2 / 3  # 7.787…


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB (…, 3, H, W), uint8 or floating point in 0…1 -> Lab (…, 3, H, W): L 0…100, a and b in CIE units."""
    if rgb.dtype != torch.uint8 and not rgb.is_floating_point():
        raise TypeError(f"rgb must be uint8 or floating point in 0…1, not {rgb.dtype}")
    return per_picture(_lab, rgb)


def _lab(rgb: Tensor) -> Tensor:
    xyz = _mix(_to_linear(rgb), WHITE_FROM_RGB)
    return _mix(_cube_root(xyz), LAB_FROM_F, offset=(-16.0, 0.0, 0.0))


def lab_to_rgb(L: Tensor, ab: Tensor) -> Tensor:
    """L (…, 1, H, W) and ab (…, 2, H, W) in CIE units -> sRGB (…, 3, H, W), clipped to 0…1 outside the gamut."""
    return linear_to_rgb(lab_to_linear(L, ab)).clamp(0, 1)


def lab_to_linear(L: Tensor, ab: Tensor) -> Tensor:
    """The same as linear light, not clipped: below 0 or above 1 where sRGB has no such colour."""
    fy = (L + 16) / 116
    f = torch.cat([fy + ab[..., :1, :, :] / 500, fy, fy - ab[..., 1:, :, :] / 200], dim=-3)
    return _mix(cube(f), RGB_FROM_XYZ)


def lightness_to_rgb(L: Tensor) -> Tensor:
    """L (…, 1, H, W) -> the grey sRGB picture (…, 3, H, W) in 0…1 that has this lightness."""
    grey = linear_to_rgb(cube((L + 16) / 116)).clamp(0, 1)
    return torch.cat([grey, grey, grey], dim=-3)


def grey_to_lightness(grey: Tensor) -> Tensor:
    """Grey sRGB (…, 1, H, W), uint8 or floating point in 0…1 -> its L (…, 1, H, W)"""
    return 116 * _cube_root(_to_linear(grey)) - 16


def rgb_to_lightness(rgb: Tensor) -> Tensor:
    """sRGB (…, 3, H, W), uint8 or floating point in 0…1 -> the L of `rgb_to_lab` (…, 1, H, W), and nothing else"""
    return 116 * _cube_root(_mix(_to_linear(rgb), WHITE_FROM_RGB[1:2], offset=(0.0,))) - 16


def luma(rgb: Tensor) -> Tensor:
    """sRGB uint8 (…, 3, H, W) -> the grey uint8 (…, 1, H, W) that Pillow's `convert("L")` makes: ITU-R BT.601.

    What most programs call grey. Its lightness is not that of the colour; they differ most in saturated blue and red.
    """
    red, green, blue = rgb.int().unbind(dim=-3)
    return ((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16).to(torch.uint8).unsqueeze(-3)


def enhance(rgb: Tensor, factor: float) -> Tensor:
    """Each pixel (…, 3, H, W) `factor` times as far from its own luma, clipped: floating point in 0…1 (Kang et al. 2023
    train on truth enhanced by 1.2)."""
    rgb = rgb / 255 if rgb.dtype == torch.uint8 else rgb
    red, green, blue = rgb.unbind(dim=-3)
    grey = (0.299 * red + 0.587 * green + 0.114 * blue).unsqueeze(-3)
    return (factor * rgb + (1 - factor) * grey).clamp(0, 1)


def per_picture(function: Callable[..., Tensor], *batches: Tensor) -> Tensor:
    """What `function` makes of batches (…, C, H, W), …; those behind the first have its leading axes, and any others.

    On a CPU, without a gradient, it gets a picture for each core at a time: its steps then stay in the core's cache.
    """
    leading = batches[0].shape[:-3]
    whole = torch.compiler.is_compiling() or leading.numel() == 1  # a compiler fuses the steps itself, for any number
    if whole or batches[0].device.type != "cpu" or any(batch.requires_grad for batch in batches):
        return function(*batches)
    last, few = len(leading) - 1, torch.get_num_threads()
    pieces = starmap(function, zip(*(batch.flatten(0, last).split(few) for batch in batches), strict=True))
    first = next(pieces)
    result = first.new_empty(*leading, *first.shape[1:])
    for piece, place in zip(chain([first], pieces), result.flatten(0, last).split(few), strict=True):
        place.copy_(piece)
    return result


def to_uint8(rgb: Tensor) -> Tensor:
    """sRGB in 0…1 -> uint8, rounded to the nearest: the pixels that a file holds."""
    return (rgb * 255).round_().to(torch.uint8)


def _mix(x: Tensor, matrix, offset=(0.0, 0.0, 0.0)) -> Tensor:
    """A 3×3 matrix along the channel axis, written out: on a CPU 40 times faster than a 1×1 convolution."""
    channels, rows = x.unbind(dim=-3), []
    for weights, shift in zip(matrix, offset, strict=True):
        (weight, channel), *others = [pair for pair in zip(weights, channels, strict=True) if pair[0]]
        row = weight * channel
        for weight, channel in others:
            row.add_(channel, alpha=weight)
        rows.append(row.add_(shift) if shift else row)
    return torch.stack(rows, dim=-3)


def _to_linear(values: Tensor) -> Tensor:
    """sRGB, uint8 or floating point in 0…1 -> linear light"""
    if values.dtype != torch.uint8:
        return _linear(values)
    table = _linear(torch.arange(256, dtype=torch.float32, device=values.device) / 255)
    return table.index_select(0, values.reshape(-1).int()).view(values.shape)


def _power(x: Tensor, exponent: float) -> Tensor:
    """`x ** exponent` for x > 0, by way of logarithms: five times faster on a CPU, and exact to 1e-6."""
    return x.log2().mul_(exponent).exp2_()


# Each curve is a power that gives way to a straight line near zero. The two meet in one point, so their sum, each held
# on its own side of that point, is the curve: faster than a choice between them, and no 0 × inf reaches a gradient.
# Steps in place are those whose operands no gradient needs.


def _linear(rgb: Tensor) -> Tensor:
    knee = 0.04045
    power = _power(rgb.clamp(min=knee).add_(0.055).div_(1.055), 2.4)
    return power.add(rgb.clamp(max=knee).sub_(knee), alpha=1 / 12.92)


def linear_to_rgb(linear: Tensor) -> Tensor:
    """Linear light, of any shape -> sRGB; 0…1 for 0…1, not clipped."""
    knee = 0.0031308
    power = _power(linear.clamp(min=knee), 1 / 2.4)
    return linear.clamp(max=knee).sub_(knee).mul_(12.92).sub_(0.055).add_(power, alpha=1.055)


def _cube_root(x: Tensor) -> Tensor:
    power = _power(x.clamp(min=EPSILON), 1 / 3)
    return power.add(x.clamp(max=EPSILON).sub_(EPSILON), alpha=SLOPE)


def cube(f: Tensor) -> Tensor:
    knee = 6 / 29
    return f.clamp(min=knee).pow(3).add(f.clamp(max=knee).sub_(knee), alpha=1 / SLOPE)


def colorfulness(rgb: Tensor, *, absolute: bool = False, tiny: float = 1e-6) -> Tensor:
    """How colourful pictures are: (B, 3, H, W) in 0…1 -> (B,) on the scale of 8-bit values; 0 is grey, 100 is gaudy.

    Hasler and Süsstrunk 2003: √(σ²_rg + σ²_yb) + 0.3 √(μ²_rg + μ²_yb) with rg = R − G, yb = (R + G)/2 − B.
    `absolute` takes |rg| and |yb| first: not the paper's, but what most published colorization code computes.
    `tiny` stands under the roots, since an exactly grey picture has no gradient at √0; a metric needs none.
    """
    return colorfulness_of(opponents(rgb), absolute=absolute, tiny=tiny)


def opponents(rgb: Tensor) -> Tensor:
    """(B, 3, H, W) in 0…1 -> rg and yb (B, 2, H, W) of `colorfulness`"""
    r, g, b = (255 * rgb).unbind(dim=1)  # each (B, H, W)
    return torch.stack([r - g, (r + g).div_(2).sub_(b)], dim=1)


def colorfulness_of(opponents: Tensor, *, absolute: bool, tiny: float) -> Tensor:
    """`colorfulness` of what `opponents` answers"""
    opponents = opponents.abs() if absolute else opponents
    mean = opponents.mean(dim=(2, 3), keepdim=True)
    spread = (opponents - mean).square().mean(dim=(2, 3)).sum(dim=1)  # torch's own `var` takes three times as long
    offset = mean.square().sum(dim=(1, 2, 3))
    return (spread + tiny).sqrt() + 0.3 * (offset + tiny).sqrt()


# Chroma without lightness: what one unit of a network's own scale is, in the units of `chroma`
CHROMA_SCALE = {"lab": 128.0, "hsv": 1.0, "hs": 1.0, "yuv": 1.0}
YUV_FROM_RGB = ((-0.14714119, -0.28886916, 0.43601035), (0.61497538, -0.51496512, -0.10001026))  # as scikit-image
GREY = 1e-4  #                   of 1, between the channels of a grey that went through Lab; a step of 8 bits is 39e-4
YUV_RANGE = (0.436, 0.615)  # the largest U and V


def chroma(space: str, rgb: Tensor) -> Tensor:
    """sRGB (B, 3, H, W) in 0…1 -> the two channels of colour without lightness (B, 2, H, W).

    lab     a and b in CIE units
    hsv     saturation times the cosine and the sine of hue: a circle, with no jump at red
    hs      hue and saturation in 0…1: hue jumps from 1 to 0 at red
    yuv     U / 0.436 and V / 0.615, each in −1…1
    """
    if space == "lab":
        return rgb_to_lab(rgb)[:, 1:]
    if space == "yuv":
        red, green, blue = rgb.unbind(dim=1)
        rows = zip(YUV_FROM_RGB, YUV_RANGE, strict=True)
        return torch.stack([(m[0] * red + m[1] * green + m[2] * blue) / top for m, top in rows], dim=1)
    hue, saturation = _hue_saturation(rgb)
    if space == "hs":
        return torch.stack([hue, saturation], dim=1)
    if space == "hsv":
        angle = 2 * torch.pi * hue
        return torch.stack([saturation * angle.cos(), saturation * angle.sin()], dim=1)
    raise KeyError(space)


def _hue_saturation(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Each (B, H, W) in 0…1; of grey, both are 0, and grey is what differs from it by rounding alone: a hue of that
    would be noise. The hexagonal hue of Smith 1978."""
    red, green, blue = rgb.unbind(dim=1)
    value, spread = rgb.amax(dim=1), rgb.amax(dim=1) - rgb.amin(dim=1)
    spread = torch.where(spread > GREY, spread, 0)
    safe = spread.clamp(min=1e-12)
    of_red, of_green, of_blue = (green - blue) / safe, 2 + (blue - red) / safe, 4 + (red - green) / safe
    sextant = torch.where(value == red, of_red, torch.where(value == green, of_green, of_blue))
    hue = torch.where(spread > 0, (sextant / 6) % 1, 0)
    return hue, torch.where(value > 0, spread / value.clamp(min=1e-12), 0)


COLOURFUL = 5.0  #                          CIE units between a pixel's a and b and those usual for its lightness
LEVELS = 20  #                              of lightness
STRIP = 2**20  #                            pixels that are converted at a time


def lab_strips(pixels: np.ndarray) -> Iterator[torch.Tensor]:
    """(H, W, 3) uint8 -> Lab (3, rows, W), from the top."""
    rows = max(1, STRIP // pixels.shape[1])
    for first in range(0, len(pixels), rows):
        yield rgb_to_lab(torch.from_numpy(pixels[first : first + rows].copy()).permute(2, 0, 1))


def grey_of(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 -> (H, W) uint8, the grey of the same CIE lightness: sepia loses its tone and nothing else."""
    return torch.cat([to_uint8(lightness_to_rgb(lab[:1]))[0] for lab in lab_strips(pixels)]).numpy()


def is_colourful(pixels: np.ndarray) -> bool:
    """Whether (H, W, 3) uint8 shows several colours: a and b that lightness does not tell, as a print's tone does."""
    lab = torch.cat([strip[:, ::4, ::4].flatten(1) for strip in lab_strips(pixels)], dim=1)  # (3, N)
    level = (lab[0] * (LEVELS / 100.001)).long().clamp(0, LEVELS - 1)
    count = torch.bincount(level, minlength=LEVELS).clamp(min=1)
    tone = torch.stack([torch.bincount(level, weights=row, minlength=LEVELS) / count for row in lab[1:]])  # (2, LEVELS)
    return float((lab[1:] - tone[:, level]).norm(dim=0).mean()) > COLOURFUL
