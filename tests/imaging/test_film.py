"""Film against physics: emulsions, blur, negative, paper, grain."""

import numpy as np
import pytest
import torch

from colorize.imaging import film
from colorize.imaging.color import rgb_to_lab
from colorize.imaging.film_look import lightness_grey
from tests.helpers.light import seeded

RED, GREEN, BLUE = np.eye(3, dtype=np.uint8).reshape(3, 1, 1, 3) * 255


def linear(code):
    """IEC 61966-2-1"""
    share = np.asarray(code, float) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def test_light_is_a_weighted_sum_of_linear_primaries():
    rgb = seeded().integers(0, 256, (9, 7, 3), dtype=np.uint8)
    weights = (0.2, 0.3, 0.5)
    assert np.allclose(film.expose(rgb, weights), linear(rgb) @ weights, atol=1e-6)


@pytest.mark.parametrize("kind", film.EMULSIONS)
def test_grey_stays_as_it_was(kind):
    """Every emulsion is exposed so that a grey card comes out as itself."""
    ramp = np.arange(256, dtype=np.uint8)[None, :, None].repeat(3, axis=2)
    assert np.array_equal(film.to_pixels(film.encode(film.expose(ramp, film.EMULSIONS[kind]))), ramp[..., 0])


def test_what_each_emulsion_is_blind_to():
    def seen(kind):
        return [film.expose(colour, film.EMULSIONS[kind]).item() for colour in (RED, GREEN, BLUE)]

    red, green, blue = seen("blue")
    assert red < 0.05 < green < 0.2 < blue  # no dye: the end near 500 nm is in green's foot
    red, green, blue = seen("orthochromatic")
    assert red < 0.1
    assert min(green, blue) > 0.3
    assert min(seen("panchromatic")) > 0.25
    eye = np.array(film.EYE)
    assert eye[2] < 0.1 < eye[0]  # the eye, by contrast, hardly sees blue's light


def test_modern_has_the_lightness_of_the_colour(photograph):
    """Within half a grey level, everywhere."""
    L = rgb_to_lab(torch.from_numpy(photograph).permute(2, 0, 1))[0]
    grey = rgb_to_lab(torch.from_numpy(lightness_grey(photograph))[None].expand(3, -1, -1))[0]
    assert (L - grey).abs().max() < 0.9  # of L*: near black a grey level is nearly one
    assert (L - grey).abs().mean() < 0.12


def test_a_make_of_an_emulsion_still_sums_to_one():
    drawn = np.array([film.emulsion("orthochromatic", 0.15, seeded(seed)) for seed in range(200)])
    assert np.allclose(drawn.sum(axis=1), 1)
    assert drawn.std(axis=0).max() > 0.02
    assert np.abs(drawn.mean(axis=0) - film.EMULSIONS["orthochromatic"]).max() < 0.02


@pytest.mark.parametrize("sigma", [0.5, 1.3, 3.0])
def test_blur_keeps_the_mean_and_has_its_width(sigma):
    point = np.zeros((61, 61), np.float32)
    point[30, 30] = 1
    blurred = film.gaussian_blur(point, sigma)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    place = np.arange(61) - 30
    assert np.sqrt((blurred.sum(axis=0) * place**2).sum()) == pytest.approx(sigma, rel=0.08)


def test_vignetting_is_what_it_says_at_a_corner():
    light = film.vignette(np.ones((101, 101), np.float32), 0.3, (0.5, 0.5))
    assert light[50, 50] == pytest.approx(1, abs=1e-3)
    assert light[0, 0] == pytest.approx(0.7, abs=0.01)


def test_a_negative_is_straight_above_its_toe_and_level_below():
    """Hurter and Driffield: density rises with the logarithm of light by `SLOPE`."""
    light = np.array([0.18, 0.36, 1.0], np.float32)
    density = film.negative(light)
    assert np.allclose(np.diff(density) / np.diff(np.log10(light + 0.002)), film.SLOPE, rtol=0.02)
    assert film.negative(np.zeros(1, np.float32))[0] == pytest.approx(film.FOG, abs=0.1)


def test_a_middle_grey_prints_as_middle_grey():
    density = film.negative(np.full((1, 1), film.MIDDLE, np.float32))
    for contrast in (0.9, 1.5):
        assert 10 ** -film.printed(density, contrast, 2.0).item() == pytest.approx(film.MIDDLE, rel=1e-3)


def test_contrast_is_the_slope_at_middle_grey():
    light = film.MIDDLE * np.array([0.98, 1.02], np.float32)
    for contrast in (0.8, 1.4):
        printed = film.printed(film.negative(light), contrast, 2.0)
        assert np.diff(printed) / np.diff(np.log10(light)) == pytest.approx(-contrast, rel=0.03)


def test_grain_grows_with_the_root_of_density():
    noise = film.grain_field((400, 400), 0.002, seeded())
    deviations = [film.grain(np.full((400, 400), d, np.float32), noise, 0.05).std() for d in (0.25, 1.0)]
    assert deviations[1] / deviations[0] == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize("size", [0.001, 0.004, 0.01])
def test_fine_grain_fades_as_a_picture_shrinks(size):
    """Selwyn 1935: what pixels of 1/300 of the side see of clumps of this size; coarse ones they see whole."""
    pixels = size * 300
    expected = pixels / np.sqrt(pixels**2 + 1 / 12)
    assert film.grain_field((300, 300), size, seeded()).std() == pytest.approx(expected, rel=0.05)
