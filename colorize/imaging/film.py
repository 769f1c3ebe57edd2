"""Photography on film, from a scene's light to a print's density: what an old camera, negative and paper did.

H W picture, float32 throughout. Light is linear, 0…1 from black to white; density is −log10 of the light that passes
or returns. Lengths are shares of the picture's shorter side, so that a picture looks alike at every size.
"""

import numpy as np
from PIL import Image

# How strongly each emulsion answers to the linear sRGB primaries. Eastman Kodak, Wratten Light Filters (1920s), plots
# the plates: without dyes silver bromide ends near 500 nm, orthochromatic dyes reach 590 nm, panchromatic ones 680 nm,
# and all stay keener on blue than the eye is. Each row sums to 1: what is grey stays what it was.
EMULSIONS = {
    "panchromatic": (0.30, 0.38, 0.32),
    "orthochromatic": (0.03, 0.47, 0.50),
    "blue": (0.01, 0.10, 0.89),
}
EYE = (0.212671, 0.715160, 0.072169)  # luminance of the sRGB primaries, as in colorize.imaging.color

MIDDLE = 0.18  # light of a middle grey
SLOPE = 0.7  #   of the straight part of a negative: it was developed soft, and printed on hard paper
FOG = 0.1  #     density of a negative where no light fell

_CODES = np.arange(256) / 255
LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4)  # of the 256 sRGB values


def expose(rgb: np.ndarray, sensitivity: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 sRGB -> light (H, W) that a film gathers with this `sensitivity` to linear red, green, blue."""
    tables = (LINEAR * np.reshape(sensitivity, (3, 1))).astype(np.float32)
    return tables[0][rgb[..., 0]] + tables[1][rgb[..., 1]] + tables[2][rgb[..., 2]]


def encode(light: np.ndarray) -> np.ndarray:
    """Linear light -> sRGB values 0…255 (float, clipped)."""
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def to_pixels(values: np.ndarray) -> np.ndarray:
    """sRGB values 0…255 -> uint8, rounded to the nearest and clipped."""
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def emulsion(kind: str, spread: float, random: np.random.Generator) -> np.ndarray:
    """The sensitivity (3,) of one make of an emulsion, summing to 1: no two dyes and no two suns were alike.

    Each entry of `EMULSIONS[kind]` is multiplied by a log-normal factor of standard deviation `spread`.
    """
    drawn = np.array(EMULSIONS[kind]) * np.exp(spread * random.standard_normal(3))
    return drawn / drawn.sum()


def gaussian_blur(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian of `sigma` pixels over (H, W), mirrored at the edges; of less than a fifth of a pixel: unchanged."""
    return picture if sigma < 0.2 else convolve_symmetric(picture, _gaussian(sigma))


def _gaussian(sigma: float) -> np.ndarray:
    """The middle and one side of a normalised kernel, (reach + 1,)."""
    side = np.exp(-0.5 * (np.arange(int(3 * sigma + 1.5)) / sigma) ** 2)
    return (side / (2 * side.sum() - side[0])).astype(np.float32)


def convolve_symmetric(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """(H, W) along both axes with a symmetric kernel, given as its middle and one side; mirrored at the edges."""
    reach = len(kernel) - 1
    for axis, length in enumerate(picture.shape):
        wide = np.pad(picture, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="symmetric")
        shifted = [wide[by : by + length] if axis == 0 else wide[:, by : by + length] for by in range(2 * reach + 1)]
        picture = kernel[0] * shifted[reach]
        for distance in range(1, reach + 1):
            picture += kernel[distance] * (shifted[reach - distance] + shifted[reach + distance])
    return picture


def radius(shape: tuple[int, ...], centre: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """Distance from `centre` (shares of height and width), (H, W): 1 at a corner of a picture centred there."""
    height, width = shape
    y = (np.arange(height, dtype=np.float32) + 0.5) - centre[0] * height
    x = (np.arange(width, dtype=np.float32) + 0.5) - centre[1] * width
    return np.sqrt(y[:, None] ** 2 + x[None, :] ** 2) / np.float32(np.hypot(height, width) / 2)


def lens(light: np.ndarray, sigma: float, edge: float) -> np.ndarray:
    """Softness of an old lens: a Gaussian of `sigma` (share of the shorter side), `edge` times as much off the centre.

    Light adds before the film answers, so this comes first. Petzval's and meniscus lenses were sharp in the middle
    only: from the centre outwards the picture goes over to one that is blurred `edge` times as far.
    """
    pixels = sigma * min(light.shape)
    middle = gaussian_blur(light, pixels)
    if edge <= 1:
        return middle
    outer = gaussian_blur(light, edge * pixels)
    return middle + (outer - middle) * np.clip(radius(light.shape) ** 2, 0, 1)


def vignette(light: np.ndarray, strength: float, centre: tuple[float, float]) -> np.ndarray:
    """Light falls off from `centre` (shares of height and width), by `strength` at the distance of a corner.

    Off the axis a lens gives cos⁴ of the angle less light, which is 1 − 2 r² to first order, and its barrel takes more.
    """
    return light * np.clip(1 - strength * radius(light.shape, centre) ** 2, 0.05, 1)


def metered(light: np.ndarray, share: float, offset: float = 0.0) -> np.ndarray:
    """The exposure that a photographer chose: the mean (of logarithms) is brought to middle grey by `share` of its way.

    A plate that sees no red gathers little light of bricks and faces; it was exposed longer, and the sky, all blue,
    went white. `offset` is an error in log10. The gain stays between a half and four.
    """
    seen = light[::4, ::4]
    gain = share * (np.log10(MIDDLE) - np.log10(seen + 0.01).mean()) + offset
    return light * np.float32(10 ** np.clip(gain, -0.3, 0.6))


def negative(light: np.ndarray, toe: float = 1.4) -> np.ndarray:
    """Density of the developed negative: straight in log10 of the light, level where light is too weak.

    Hurter and Driffield 1890.

    `toe` is how far below middle grey, in log10, the straight part ends. Flare in the camera adds 0.2 % of white.
    """
    exposure = np.log10((light + 0.002) / MIDDLE)
    bend = 5.0  # per log10: how sharply the toe bends
    return SLOPE / bend * np.log1p(np.exp(bend * (exposure + toe))) + FOG


def grain_field(shape: tuple[int, int], size: float, random: np.random.Generator) -> np.ndarray:
    """Noise (H, W) of clumps of silver: Gaussian, correlated over `size` (share of the shorter side).

    Its standard deviation is that which a square pixel sees of a field of deviation 1: a pixel averages clumps that are
    smaller than itself, so fine grain fades as a picture shrinks (Selwyn 1935: σ² × area is constant). With a clump
    and a pixel both taken as Gaussians it is s / √(s² + 1/12), s in pixels.
    """
    pixels = size * min(shape)
    noise = random.standard_normal(shape, dtype=np.float32)
    if pixels >= 0.3:
        kernel = _gaussian(pixels)
        power = 2 * np.sum(kernel**2) - kernel[0] ** 2  # what a normalised kernel leaves of white noise, one axis
        noise = convolve_symmetric(noise, kernel) / power
    return noise * np.float32(pixels / np.sqrt(pixels**2 + 1 / 12))


def grain(density: np.ndarray, noise: np.ndarray, strength: float) -> np.ndarray:
    """Density (H, W) with grain: its standard deviation is `strength` at density 1 and grows as √density.

    Density is a count of clumps, which fall independently: the variance of a count is the count (Nutting 1913).
    """
    return density + strength * np.sqrt(np.maximum(density, 0)) * noise


def printed(density: np.ndarray, contrast: float, black: float) -> np.ndarray:
    """Density of a paper print of a negative: an S from 0 (paper) to `black`, its deepest black.

    `contrast` is the slope at middle grey of print density over log10 of the scene's light: 1 is true to the scene.
    A middle grey of the scene prints as middle grey.
    """
    middle = negative(np.full(1, MIDDLE, np.float32))
    share = -np.log10(MIDDLE) / black  # of the S, at middle grey
    steep = contrast / SLOPE / (black * share * (1 - share))
    level = np.log(share / (1 - share))
    return black / (1 + np.exp(np.clip(steep * (density - middle) - level, -60, 60)))


def field(shape: tuple[int, ...], cells: int, random: np.random.Generator) -> np.ndarray:
    """Smooth noise (H, W), about −2…2, with `cells` hills across the shorter side."""
    small = [max(2, round(cells * side / min(shape)) + 1) for side in shape]
    coarse = Image.fromarray(random.standard_normal(small, dtype=np.float32))
    return np.asarray(coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))
