"""From the samples that a file holds to 8-bit sRGB: bit depths, white, transparency, colour profiles, gamma.

H W picture, S samples of a pixel.
"""

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from colorize.imaging.film import encode
from colorize.utils.errors import UserError

_made_now = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# With the date of sRGB's standard (ICC.1:2022, 7.2.8), so that the same painting gives the same file at any time
SRGB = _made_now[:24] + struct.pack(">6H", 1999, 10, 1, 0, 0, 0) + _made_now[36:]
VISIBLE = 4  #       8-bit levels by which a profile must differ from sRGB somewhere to be called another
STRIP = 2**20  #     samples that are converted at a time
SPREADS = (257, 256)  # by which programs multiply 8 bits where they make 16 of them
DEPTHS = (8, 10, 12)  # bits that files of 16 hold, without saying so, when no sample is larger
USUAL_GAMMA = 1 / 2.2  # of a PNG's gAMA: what sRGB comes near to


class Range(NamedTuple):
    """Which samples are black and white, and what had to be decided for that, if anything."""

    black: float
    white: float
    note: str = ""


@dataclass
class Levels:
    """Finds the range of unsigned, signed or floating-point samples, which may go by part after part.

    bits     of a sample
    highest  what the file calls white, if it says so
    """

    bits: int
    highest: int | None = None
    kind: str = "u"  #         of numpy's types
    low: float = math.inf
    high: float = -math.inf
    uneven: set[int] = field(default_factory=set)  # the `SPREADS` of which a sample is no multiple

    def add(self, samples: np.ndarray) -> None:
        self.kind = samples.dtype.kind
        for strip in row_strips(samples):
            self.low = float(np.minimum(self.low, strip.min()))  # NaN stays NaN
            self.high = float(np.maximum(self.high, strip.max()))
            if self.kind != "f" and strip.itemsize > 1 and self.high < 2 ** DEPTHS[-1]:
                self.uneven |= {step for step in SPREADS if step not in self.uneven and (strip % step).any()}

    @property
    def is_empty(self) -> bool:
        return self.high == -math.inf

    def usual(self) -> Range:
        """The range of samples that fill their type, as most do."""
        lowest = -(2.0 ** (self.bits - 1)) if self.kind == "i" else 0
        return Range(0, 1) if self.kind == "f" else Range(lowest, min(self.highest or self.full, self.full))

    @property
    def full(self) -> float:
        return 2.0 ** (self.bits - 1) - 1 if self.kind == "i" else 2.0**self.bits - 1

    def range(self) -> Range:
        """That of the samples so far. Raises `UserError` where nobody can tell."""
        if self.kind == "f":
            return _float_range(self.low, self.high)
        if self.low < 0:
            return Range(-(2.0 ** (self.bits - 1)), self.full, "its numbers have a sign: the lowest is black")
        if self.highest is not None and self.high <= self.highest < self.full:
            return Range(0, self.highest)
        if self.bits >= 32 and self.high >= 2**16 and (self.kind == "i" or self.high < 2**24):
            raise UserError("its pixels are 32-bit numbers of unknown range: convert it to 8 or 16 bits first")
        return self._range_from_values()

    def _range_from_values(self) -> Range:
        """Files of 16 or 32 bits often hold 8, 10, 12 or 16 and do not say so; only their largest number tells.

        Multiples of 257 or 256 are 8 bits, as programs spread them: a dark picture, and nothing else.
        """
        depths = DEPTHS if self.bits == 16 else (*DEPTHS, 16) if self.bits >= 32 else ()
        held = next((depth for depth in depths if 0 < self.high < 2**depth), None)
        if held is None or (self.bits == 16 and len(self.uneven) < len(SPREADS)):
            return Range(0, self.full)
        said = f"no number in its {self.bits} bits is above {self.high:.0f}: it is taken for {held} bits"
        return Range(0, 2.0**held - 1, said)


def _float_range(low: float, high: float) -> Range:
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # NaN too
        raise UserError(
            f"its pixels are floating-point numbers from {low:g} to {high:g}, of unknown range: convert it to 8 or 16 "
            "bits first, or to 0…1"
        )
    return Range(0, 1, "its numbers are floating-point: 0 is taken for black and 1 for white")


def row_strips(samples: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, STRIP // max(1, samples[:1].size))
    return (samples[first : first + rows] for first in range(0, len(samples), rows))


def image_strips(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """The first row, and samples (rows, W) or (rows, W, S): of the whole, numpy would hold two copies more."""
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))


def scale_samples(
    samples: np.ndarray, span: Range, *, inverted: bool = False, curve: np.ndarray | None = None, top: int = 255
) -> np.ndarray:
    """(H, W) or (H, W, S) of any type -> the same in uint8 or uint16: black to 0, white to `top`.

    `curve` (256,) holds what comes out, 0…255, for each 255th of the range.
    """
    if not inverted and curve is None and samples.dtype == np.uint8 and span[:2] == (0, top):
        return samples
    result = np.empty(samples.shape, np.uint8 if top < 256 else np.uint16)
    place = 0
    for strip in row_strips(samples):
        levels: np.ndarray = strip.astype(np.float32 if samples.itemsize < 4 else np.float64)
        levels = (levels - span.black) * (top / (span.white - span.black))
        levels = np.clip(top - levels if inverted else levels, 0, top)
        if curve is not None:
            levels = np.interp(levels * (255 / top), np.arange(256), curve) * (top / 255)
        result[place : place + len(strip)] = np.rint(levels)
        place += len(strip)
    return result


def gamma_curve(gamma: float) -> np.ndarray | None:
    """(256,) sRGB levels of samples that are light to the power of `gamma` (PNG's gAMA); None where sRGB does."""
    if not 0.01 < gamma < 100 or abs(gamma - USUAL_GAMMA) < 0.02:
        return None
    return encode(np.linspace(0, 1, 256) ** (1 / gamma))


@lru_cache(maxsize=64)
def grey_curve(profile: bytes | None) -> np.ndarray | None:
    """(256,) sRGB levels of grey through a profile for grey; None where it is none, or the same as sRGB."""
    if profile is None or space_of(profile) != "GRAY":
        return None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    try:
        converted = _through(ramp, profile)
    except (OSError, ImageCms.PyCMSError):
        return None
    levels = np.asarray(converted).astype(float).mean(axis=2)[0]
    return levels if np.abs(levels - np.arange(256)).max() >= VISIBLE else None


def deep_grey_to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Grey of 16 bits (I;16) through its own profile for grey, at its own precision."""
    result = Image.new("I;16", image.size)
    for top, samples in image_strips(image):
        flags = imagecodecs.CMS.FLAGS.NOOPTIMIZE  # else through a table of few steps
        rgb = imagecodecs.cms_transform(samples, profile, SRGB, colorspace="gray", outcolorspace="rgb", flags=flags)
        result.paste(Image.fromarray(np.ascontiguousarray(rgb[..., 1])), (0, top))
    return result


def space_of(profile: bytes) -> str:
    """What a profile describes: GRAY, RGB, CMYK, Lab; nothing where it is broken. (ICC.1:2022, bytes 16 to 19)"""
    return profile[16:20].decode("ascii", errors="replace").strip() if profile[36:40] == b"acsp" else ""


def to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """A picture of mode RGB, CMYK or LAB through its own colour profile where it has one, else as it is, to RGB.

    One of RGB is changed itself.
    """
    if profile is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    try:
        return _through(image, profile)
    except (OSError, ImageCms.PyCMSError) as error:
        notes.append(f"its colour profile does not fit ({error}): its pixels are taken for sRGB")
        return image if image.mode == "RGB" else image.convert("RGB")


def _through(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    target = ImageCms.ImageCmsProfile(io.BytesIO(SRGB))
    in_place = image.mode == "RGB"  # a large one is not held twice
    converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB", inPlace=in_place)
    return converted or image


@lru_cache(maxsize=64)
def is_srgb(profile: bytes, mode: str) -> bool:
    """Whether colours look the same with the profile as without: names of profiles tell little."""
    if mode == "L":
        return space_of(profile) == "GRAY" and grey_curve(profile) is None
    levels = np.array([0, 64, 128, 192, 255], dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(5, 25, 3)
    problems: list[str] = []
    converted = to_srgb(Image.fromarray(cube), profile, problems)
    return not problems and int(abs(np.asarray(converted).astype(int) - cube).max()) < VISIBLE


def lab_image(L: np.ndarray, ab: np.ndarray | None = None) -> Image.Image:
    """CIE L* (H, W) 0…255 for 0…100, and a* and b* (H, W, 2) uint8 about 128, all relative to D50, to sRGB."""
    ab = np.full((*L.shape, 2), 128, np.uint8) if ab is None else ab
    image = Image.merge("LAB", [Image.fromarray(np.ascontiguousarray(part)) for part in (L, ab[..., 0], ab[..., 1])])
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return _through(image, lab)


def without_palette(image: Image.Image, profile: bytes | None) -> Image.Image:
    """L, RGB or CMYK, of any mode; grey of 16 bits that is kept, or has been scaled, stays as it is."""
    if image.mode in ("L", "RGB", "CMYK", "I;16"):
        return image
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    if image.mode == "LAB":
        parts = np.asarray(image)
        return lab_image(parts[..., 0], parts[..., 1:] ^ 128)
    grey = profile is not None and space_of(profile) == "GRAY"  # of a palette of greys
    return image.convert("RGB").convert("L") if grey else image.convert("RGB")
