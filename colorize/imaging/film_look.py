"""The film look: the grey input of a training sample made to look like an old photograph's scan.

Old film saw blue or green, not what the eye sees, and it was grainy; the colour truth of a sample stays as it is.
H W picture; a look is any function (rgb (H, W, 3) uint8 sRGB, random) -> grey (H, W) uint8 sRGB.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch

from colorize.imaging import film, film_damage
from colorize.imaging.color import luma
from colorize.utils.errors import UserError

Range = Sequence[float]  # (low, high), both drawn
USUAL_EMULSIONS = {"panchromatic": 0.35, "orthochromatic": 0.4, "blue": 0.25}


def lightness_grey(rgb: np.ndarray) -> np.ndarray:
    """The grey (H, W) uint8 that has the CIE lightness of the colour (H, W, 3) uint8, rounded in sRGB."""
    return film.to_pixels(film.encode(film.expose(rgb, film.EYE)))


def luma_of(rgb: np.ndarray) -> np.ndarray:
    """The grey (H, W) uint8 that most programs make of the colour (H, W, 3) uint8."""
    return luma(torch.from_numpy(rgb).permute(2, 0, 1))[0].numpy()


@dataclass(frozen=True, kw_only=True)
class Film:
    """Photographs as film, paper, time and an archive's scanner left them; each picture draws its own.

    A pair is a range to draw from: evenly, or evenly in the logarithm for the sizes and strengths that span decades
    (softness, grain, grain_size). The words that end a comment in "of pictures" are probabilities. Lengths are shares
    of the shorter side, densities −log10 of light. Raises `UserError` for values that mean nothing.
    """

    share: float = 1.0  #                      of pictures that get the look; the others are `plain`
    emulsions: Mapping[str, float] = field(default_factory=USUAL_EMULSIONS.copy)  # how often each of `film.EMULSIONS`
    spread: float = 0.15  #                    of an emulsion's sensitivities, log-normal
    softness: Range = (0.0006, 0.003)  #       of the lens, a Gaussian's deviation
    edge: Range = (1.0, 2.2)  #                how much softer the corners are
    vignette: Range = (0.0, 0.4)  #            light lost at the distance of a corner
    metering: Range = (0.5, 0.95)  #           how far exposure makes up for what an emulsion does not see
    exposure: float = 0.09  #                  its error, standard deviation in log10 of light
    toe: Range = (0.9, 1.6)  #                 log10 of light below middle grey where shadows begin to be lost
    contrast: Range = (0.85, 1.5)  #            of the print at middle grey; 1 is the scene's
    black: Range = (1.4, 2.3)  #               density of the paper's black
    grain: Range = (0.006, 0.035)  #             deviation of the negative's density where that is 1
    grain_size: Range = (0.0008, 0.003)  #     of the clumps
    faded: float = 0.3  #                      of pictures
    fading: Range = (0.05, 0.4)  #             silver lost, of a faded one
    veil: Range = (0.0, 0.15)  #               density of its stain
    stained: float = 0.06  #                   of pictures
    stain: Range = (0.03, 0.2)  #              density, negative where it bleached
    dusty: float = 0.4  #                      of pictures
    dust: Range = (1, 25)  #                   specks
    haired: float = 0.12  #                    of pictures; one to three hairs
    scratched: float = 0.08  #                 of pictures; one to five scratches
    halftoned: float = 0.02  #                 of pictures: printed in ink dots
    cell: Range = (2.0, 3.2)  #                pixels between the dots
    levels: Range = (0.4, 1.0)  #              how far the scan's black and white points were pulled apart
    sharpening: Range = (0.0, 0.8)  #          of the scan
    quality: Range = (50, 95)  #               of its JPEG
    plain: Callable[[np.ndarray], np.ndarray] = lightness_grey  # (H, W, 3) uint8 -> (H, W) uint8

    def __post_init__(self):
        for name in (*PROBABILITIES, "spread", "exposure"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise UserError(f"look.{name} is {value}; it must lie between 0 and 1")
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            pair = value if isinstance(value, Sequence) and not isinstance(value, str) else ()
            if len(pair) != 2 or not low <= pair[0] <= pair[1] <= high:
                raise UserError(f"look.{name} is {value!r}; it must be two numbers, {low} ≤ first ≤ second ≤ {high}")
        if not callable(self.plain):
            raise UserError(f"look.plain is {self.plain!r}; it must be a function of pixels")
        if unknown := set(self.emulsions) - set(film.EMULSIONS):
            raise UserError(f"look.emulsions has no {min(unknown)!r}; there are {', '.join(film.EMULSIONS)}")
        if any(often < 0 for often in self.emulsions.values()) or not sum(self.emulsions.values()) > 0:
            raise UserError(f"look.emulsions is {dict(self.emulsions)}; it must be how often each is taken, 0 or more")

    def for_input(self, input: str) -> Film:
        """The same look beside photographs whose grey is that `input`: `lab_l` or `luma`."""
        return replace(self, plain=luma_of) if input == "luma" else self

    def __str__(self) -> str:
        return f"{self.share:.0%} of the training inputs are made to look like old photographs"

    def __call__(self, rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """(H, W, 3) uint8 sRGB -> the grey scan (H, W) uint8 sRGB: a pure function of the picture and of `random`."""
        if random.random() >= self.share:
            return self.plain(rgb)
        black = uniform_between(self.black, random)
        density = self.wear(self.develop(self.take(rgb, random), black, random), black, random)
        return self.scan(10**-density, random)

    def take(self, rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The light (H, W) that reaches the film."""
        often = np.array(list(self.emulsions.values()), dtype=float)
        kind = list(self.emulsions)[random.choice(len(often), p=often / often.sum())]
        light = film.expose(rgb, film.emulsion(kind, self.spread, random))
        light = film.lens(light, log_uniform(self.softness, random), uniform_between(self.edge, random))
        light = film.vignette(light, uniform_between(self.vignette, random), tuple(random.uniform(0.25, 0.75, 2)))
        return film.metered(light, uniform_between(self.metering, random), self.exposure * random.standard_normal())

    def develop(self, light: np.ndarray, black: float, random: np.random.Generator) -> np.ndarray:
        """The print's density (H, W) that the light came to."""
        density = film.negative(light, uniform_between(self.toe, random))
        noise = film.grain_field(light.shape, log_uniform(self.grain_size, random), random)
        density = film.grain(density, noise, log_uniform(self.grain, random))
        return film.printed(density, uniform_between(self.contrast, random), black)

    def wear(self, density: np.ndarray, black: float, random: np.random.Generator) -> np.ndarray:
        """The print's density (H, W) after its damages, each by its own chance."""
        shape = density.shape
        if random.random() < self.faded:
            uneven = film.field(shape, int(random.integers(1, 4)), random)
            density = film_damage.fade(
                density, uniform_between(self.fading, random), uniform_between(self.veil, random), uneven
            )
        if random.random() < self.stained:
            place = film.field(shape, int(random.integers(1, 4)), random)
            strength = random.choice([-1, 1, 1]) * uniform_between(self.stain, random)  # negative where it bleached
            density = film_damage.stain(density, strength, place, random.uniform(0.2, 1.2))
        kinds: list[film_damage.Draw] = []
        if random.random() < self.dusty:
            count, size = round(uniform_between(self.dust, random)), random.uniform(0.002, 0.006)
            kinds.append(partial(film_damage.specks, count=count, size=size))
        if random.random() < self.haired:
            count, length = int(random.integers(1, 4)), random.uniform(0.05, 0.25)
            kinds.append(partial(film_damage.hairs, count=count, length=length))
        if random.random() < self.scratched:
            kinds.append(partial(film_damage.scratches, count=int(random.integers(1, 6))))
        for draw in kinds:
            mask, strength = film_damage.mark_mask(shape, draw, random), random.uniform(0.3, 0.9)
            light, dark = (mask, 0 * mask) if random.random() < 0.7 else (0 * mask, mask)
            density = film_damage.marked(density, strength * light, strength * dark, black)
        return np.maximum(density, 0)

    def scan(self, light: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The pixels (H, W) uint8 of a print that returns this light."""
        if random.random() < self.halftoned:
            light = film_damage.halftone(light, uniform_between(self.cell, random))
        values = film_damage.scanner_levels(film.encode(light), uniform_between(self.levels, random))
        values = film_damage.sharpened(values, uniform_between(self.sharpening, random))
        return film_damage.jpeg_artifacts(
            film.to_pixels(values), int(random.integers(int(self.quality[0]), int(self.quality[1]) + 1))
        )


PROBABILITIES = ("share", "faded", "stained", "dusty", "haired", "scratched", "halftoned")
LIMITS = {
    "softness": (1e-5, 0.1), "edge": (1, 10), "vignette": (0, 1), "metering": (0, 1), "toe": (0.3, 3),
    "contrast": (0.1, 4), "black": (1, 4), "grain": (1e-4, 1), "grain_size": (1e-5, 0.1), "fading": (0, 0.8),
    "veil": (0, 1), "stain": (0, 1), "dust": (0, 1000), "cell": (2, 50), "levels": (0, 1), "sharpening": (0, 5),
    "quality": (1, 100),
}  # fmt: skip


def usual_look(rgb: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The look of `Film` with its default values."""
    return Film()(rgb, random)


def uniform_between(pair: Range, random: np.random.Generator) -> float:
    low, high = pair
    return random.uniform(low, high)


def log_uniform(pair: Range, random: np.random.Generator) -> float:
    """Drawn so that every doubling is as likely as the next."""
    return float(np.exp(random.uniform(*np.log(pair))))
