"""Gamut mapping: what becomes of colours that sRGB does not have. H W picture; a leading shape "…" is free."""

import torch
from torch import Tensor

from colorize.imaging.color import lab_to_linear, lab_to_rgb, linear_to_rgb

# Linear light half an 8-bit level below black and above white: less cannot be seen in a file
LOWEST, HIGHEST = -0.5 / 255 / 12.92, ((1 + 0.5 / 255 + 0.055) / 1.055) ** 2.4
HALVINGS = 10  # of the interval in which the largest chroma lies: it is found to a thousandth


def is_outside(linear: Tensor) -> Tensor:
    """Linear light (…, 3, H, W) -> (…, H, W): whether sRGB lacks the colour by half an 8-bit level or more."""
    red, green, blue = linear.unbind(dim=-3)
    low, high = red.minimum(green).minimum(blue), red.maximum(green).maximum(blue)
    return (low < LOWEST) | (high > HIGHEST)


@torch.no_grad()
def lab_to_rgb_reduced(L: Tensor, ab: Tensor) -> Tensor:
    """L (…, 1, H, W) and ab (…, 2, H, W) in CIE units -> sRGB (…, 3, H, W) in 0…1, in which a colour outside the gamut
    has the largest chroma that sRGB has at its lightness and hue.

    Clipped, as `lab_to_rgb` does, such colours change in lightness, by up to 3.8 in photographs, and in hue.
    """
    linear = lab_to_linear(L, ab)
    outside = is_outside(linear)
    lightness = L.squeeze(-3)[outside].view(1, -1, 1)
    color = ab.movedim(-3, 0)[:, outside].unsqueeze(-1)  # (2, N, 1)
    share, above = torch.zeros_like(lightness), torch.ones_like(lightness)  # of the chroma: inside, and outside
    for _ in range(HALVINGS):
        middle = (share + above) / 2
        beyond = is_outside(lab_to_linear(lightness, middle * color))
        share, above = torch.where(beyond, share, middle), torch.where(beyond, middle, above)
    linear.movedim(-3, 0)[:, outside] = lab_to_linear(lightness, share * color).squeeze(-1)
    return linear_to_rgb(linear).clamp(0, 1)


GAMUTS = {"chroma": lab_to_rgb_reduced, "clip": lab_to_rgb}
