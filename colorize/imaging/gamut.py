"""Gamut mapping: what becomes of colours that sRGB does not have. H W picture; a leading shape "…" is free."""

from functools import cache

import torch
from torch import Tensor

from colorize.imaging.color import (
    RGB_FROM_XYZ,
    cube,
    lab_to_linear,
    linear_to_rgb,
    per_picture,
    rgb_to_lab,
)

# Linear light half an 8-bit level below black and above white: less cannot be seen in a file
LOWEST, HIGHEST = -0.5 / 255 / 12.92, ((1 + 0.5 / 255 + 0.055) / 1.055) ** 2.4
SAMPLES = 129  # colours along an edge of the RGB cube: twice as many find no other bin
HALVINGS = 10  # of the interval in which the largest chroma lies: it is found to a thousandth


def is_outside(linear: Tensor) -> Tensor:
    """Linear light (…, 3, H, W) -> (…, H, W): whether sRGB lacks the colour by half an 8-bit level or more."""
    red, green, blue = linear.unbind(dim=-3)
    low, high = red.minimum(green).minimum(blue), red.maximum(green).maximum(blue)
    return (low < LOWEST) | (high > HIGHEST)


def lab_to_rgb_reduced(L: Tensor, ab: Tensor) -> Tensor:
    """L (…, 1, H, W) and ab (…, 2, H, W) in CIE units -> sRGB (…, 3, H, W) in 0…1, in which a colour outside the gamut
    has the largest chroma that sRGB has at its lightness and hue.

    Clipped, as `lab_to_rgb` does, such colours change in lightness, by up to 3.8 in photographs, and in hue.
    """
    return into_gamut(L, ab, "chroma")[0]


@torch.no_grad()
def into_gamut(L: Tensor, ab: Tensor, gamut: str) -> tuple[Tensor, Tensor]:
    """What `lab_to_rgb_reduced` (`gamut` chroma) or `lab_to_rgb` (clip) answers, and which colours were outside, bool
    (…, H, W)."""
    linear = per_picture(lab_to_linear, L, ab)
    outside = is_outside(linear)
    if gamut == "chroma" and outside.any():
        place: tuple[slice | Tensor, ...] = (slice(None), *outside.nonzero(as_tuple=True))
        (lightness,), (a, b) = L.movedim(-3, 0)[place], ab.movedim(-3, 0)[place]
        share = largest_share(lightness, a, b)
        color = torch.stack([share * a, share * b])
        linear.movedim(-3, 0)[place] = lab_to_linear(lightness.view(1, -1, 1), color.unsqueeze(-1)).squeeze(-1)
    return per_picture(lambda light: linear_to_rgb(light).clamp_(0, 1), linear), outside


def largest_share(L: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Colours outside the gamut, (N,) each -> (N,) the largest share of their chroma that is inside, by bisection."""
    f = (L + 16) / 116
    of_y = [row[1] * cube(f) for row in RGB_FROM_XYZ]  # which chroma does not change
    along = torch.stack([a / 500, b / -200])  # of x and z
    share = torch.zeros_like(L)  # inside
    for halving in range(1, HALVINGS + 1):
        more = share + 0.5**halving
        x, z = cube(torch.addcmul(f, more, along))
        rows = [y.add(x, alpha=row[0]).add_(z, alpha=row[2]) for row, y in zip(RGB_FROM_XYZ, of_y, strict=True)]
        share = torch.where(is_outside(torch.stack(rows).unsqueeze(-1)).squeeze(-1), share, more)
    return share


@cache
def ab_bins(step: int = 10) -> Tensor:
    """(Q, 2) centres of the squares of `step` CIE units in the ab plane that hold a colour of sRGB, by a and then b.

    Q is 261 at the step of 10 of Zhang et al. 2016. Their list has 313: bins around these are in it that no colour of
    sRGB lies in, and how it was made was not published.
    """
    edge = torch.linspace(0, 1, SAMPLES, dtype=torch.float64, device="cpu")  # where a network is built is meta at times
    one, other = (each.flatten() for each in torch.meshgrid(edge, edge, indexing="ij"))
    # The shadow of a solid on a plane is that of its surface: the six faces of the cube
    faces = [
        torch.stack([torch.full_like(one, end), one, other]).roll(axis, 0) for end in (0.0, 1.0) for axis in range(3)
    ]
    ab = rgb_to_lab(torch.cat(faces, dim=1)[..., None])[1:, :, 0]  # (2, 6 · SAMPLES²)
    return step * torch.unique((ab / step).round().T, dim=0).float()
