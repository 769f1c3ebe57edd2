"""Damage to prints, by time, handling, printing presses and scanners.

H W picture, float32. Density is −log10 of the light that a print returns; lengths are shares of the shorter side.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from colorize.imaging.film import gaussian_blur

Canvas = ImageDraw.ImageDraw
Shape = tuple[int, int]  # height, width
Draw = Callable[[Canvas, np.random.Generator, Shape], None]


def fade(density: np.ndarray, loss: float, veil: float, uneven: np.ndarray) -> np.ndarray:
    """A faded print: `loss` (share) of the silver is gone, `veil` (density) of stain lies over everything.

    Silver oxidises in proportion to what there is, so blacks rise; the paper yellows and takes light from the whites.
    `uneven` (H, W), about −2…2, says where it went faster: frames, albums and damp do not cover evenly.
    """
    local = np.clip(1 + 0.35 * uneven, 0.2, 1.8)
    return density * (1 - np.clip(loss * local, 0, 0.8)) + veil * local


def stain(density: np.ndarray, strength: float, place: np.ndarray, level: float) -> np.ndarray:
    """Water or chemicals dried on the print: density `strength` where the smooth field `place` exceeds `level`.

    What was dissolved is carried to the edge of a drying puddle and left there, as coffee does (Deegan 1997): the rim
    is twice as dark as the inside.
    """
    inside = 1 / (1 + np.exp(np.clip(-12 * (place - level), -60, 60)))
    rim = np.exp(-(((place - level) / 0.06) ** 2))
    return density + strength * (inside + rim) / 2


def marked(density: np.ndarray, light: np.ndarray, dark: np.ndarray, black: float) -> np.ndarray:
    """Damage of two kinds, masks (H, W) 0…1: `light` takes density away, `dark` brings it to `black`.

    Dust and hairs on a negative hold back the printing light and leave light marks; holes and scratches through its
    emulsion let it pass and print dark; the print's own scratches show the paper.
    """
    density = density * (1 - light)
    return density + dark * np.maximum(black - density, 0)


def mark_mask(shape: Shape, draw: Draw, random: np.random.Generator, soft: float = 0.6) -> np.ndarray:
    """A mask (H, W) 0…1 of what `draw` draws, at twice the size and shrunk, `soft` pixels unsharp."""
    height, width = shape
    canvas = Image.new("L", (2 * width, 2 * height))
    draw(ImageDraw.Draw(canvas), random, (2 * height, 2 * width))
    mask = canvas.filter(ImageFilter.GaussianBlur(soft)).reduce(2)
    return np.asarray(mask, dtype=np.float32) / 255


def specks(canvas: Canvas, random: np.random.Generator, shape: Shape, count: int, size: float) -> None:
    """Dust: `count` grains about `size` (share of the shorter side) across, many small and few large."""
    height, width = shape
    across = size * min(shape) * np.exp(0.6 * random.standard_normal(count))
    corners = random.uniform(0, 1, (count, 2)) * (width, height)
    turns = random.uniform(0, 2 * np.pi, (count, 1)) + np.arange(5) * (2 * np.pi / 5)
    reach = np.maximum(across, 1.2)[:, None] / 2 * random.uniform(0.5, 1.5, (count, 5))
    grey = random.uniform(70, 255, count) * np.minimum(across / 1.2, 1)  # smaller than a pixel: fainter
    x, y = corners[:, :1] + reach * np.cos(turns), corners[:, 1:] + reach * np.sin(turns)
    for i in range(count):
        canvas.polygon(list(zip(x[i], y[i], strict=True)), fill=int(grey[i]))


def hairs(canvas: Canvas, random: np.random.Generator, shape: Shape, count: int, length: float) -> None:
    """Fibres: `count` curved lines about `length` (share of the shorter side) long, thinner than a pixel or so."""
    height, width = shape
    for _ in range(count):
        steps = np.linspace(0, 1, 24)
        bend, turn = random.normal(0, 2.5), random.uniform(0, 2 * np.pi)
        angle = turn + bend * steps + random.normal(0, 1.5) * steps**2
        stride = length * min(shape) * random.uniform(0.3, 1.3) / len(steps)
        x = random.uniform(0, width) + np.cumsum(np.cos(angle)) * stride
        y = random.uniform(0, height) + np.cumsum(np.sin(angle)) * stride
        thick = 1 if min(shape) < 900 else round(min(shape) / 500)
        canvas.line(list(zip(x, y, strict=True)), fill=int(random.uniform(80, 220)), width=thick, joint="curve")


def scratches(canvas: Canvas, random: np.random.Generator, shape: Shape, count: int) -> None:
    """`count` nearly vertical lines, as a projector's or a camera's gate drew them: they waver, thin out and end."""
    height, width = shape
    thick = max(1, round(min(shape) / 700))
    for _ in range(count):
        first, last = np.sort(random.uniform(-0.4, 1.4, 2))
        y = np.linspace(first, last, 16) * height
        wander = np.cumsum(random.normal(0, 0.0012, 16)) * width
        x = random.uniform(0, width) + wander + random.normal(0, 0.02) * (y - y[0])
        grey = np.clip(random.uniform(40, 150) * (1 + 0.5 * random.standard_normal(16)), 0, 255)
        for i in range(15):
            canvas.line([x[i], y[i], x[i + 1], y[i + 1]], fill=int(grey[i]), width=thick)


def halftone(light: np.ndarray, cell: float, angle: float = 45.0, soft: float = 0.5) -> np.ndarray:
    """Printed in ink dots `cell` pixels apart on a screen at `angle` degrees, and scanned `soft` unsharp.

    The part of the paper that stays bare is the light that it returns (Murray and Davies 1936). A sum of two triangle
    waves has a known distribution; put through it, the screen's thresholds are uniform and every tone keeps its mean.
    Light is linear; ink returns 4 % and newsprint 80 %, which is what then stands for black and white.
    """
    height, width = light.shape
    turn = np.deg2rad(angle)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    waves = (x * np.cos(turn) + y * np.sin(turn)) / cell, (y * np.cos(turn) - x * np.sin(turn)) / cell
    total = sum(np.abs(2 * (wave % 1) - 1) for wave in waves)  # 0…2
    threshold = np.where(total < 1, total**2 / 2, 1 - (2 - total) ** 2 / 2)  # uniform in 0…1
    bare = np.clip((light - threshold) / soft + 0.5, 0, 1)
    return 0.04 + 0.76 * bare


def scanner_levels(values: np.ndarray, share: float) -> np.ndarray:
    """A scan whose black and white points were pulled towards the picture's darkest and lightest half per cent.

    `values` are sRGB, 0…255; `share` 0 leaves them, 1 pulls all the way. Less than a quarter of the scale is left
    alone: a picture of nearly one tone is no faded print.
    """
    low, high = np.percentile(values[::3, ::3], (0.5, 99.5))
    if high - low < 64:
        return values
    low, high = share * low, 255 + share * (high - 255)
    return (values - low) * (255 / (high - low))


def sharpened(values: np.ndarray, strength: float, sigma: float = 1.0) -> np.ndarray:
    """A scanner's unsharp mask: `strength` times what a Gaussian of `sigma` pixels takes away is added back."""
    return values + strength * (values - gaussian_blur(values, sigma))


def jpeg_artifacts(grey: np.ndarray, quality: int) -> np.ndarray:
    """(H, W) uint8 through JPEG of `quality` 1…100: the last thing that happened to every picture in an archive."""
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
    return np.array(Image.open(buffer, formats=("JPEG",)))
