"""Photographs, and distortions of known strength."""

from colorize.imaging.color import lab_to_rgb, rgb_to_lab, to_uint8


def painted(rgb, change):
    """(B, 3, H, W) uint8 with the same lightness and `change` of its (a, b)."""
    lab = rgb_to_lab(rgb)
    return to_uint8(lab_to_rgb(lab[:, :1], change(lab[:, 1:])))
