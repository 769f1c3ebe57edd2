"""Exposures that are shifted, turned and stretched by known amounts."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates
from skimage.registration import phase_cross_correlation

from colorize.data.sources import DEMO
from colorize.imaging.registration import Motion, estimate_motion, estimate_shift, shift_image
from colorize.utils.errors import UserError
from tests.helpers.exposures import cut

PICTURES = ["pip_astronaut", "pip_chelsea", "pip_china", "pip_grace_hopper", "pip_coffee", "pip_flower",
            "gcompris_categorization_monuments_tajMahal", "gcompris_categorization_fishes_fish1"]  # fmt: skip


def photograph(name):
    """(H, W, 3) float32 in 0…255"""
    return np.asarray(Image.open(DEMO / f"{name}.jpg").convert("RGB"), dtype=np.float32)


def exposures(name, seed, share=0.05):
    """Red, green and blue with a brightness, contrast, noise and rim of their own, and where red and green lie."""
    random, rgb = np.random.default_rng(seed), photograph(name)
    margin = int(0.06 * max(rgb.shape)) + 3
    reach = share * (max(rgb.shape) - 2 * margin)
    shifts = [random.uniform(-reach, reach, 2), random.uniform(-reach, reach, 2), np.zeros(2)]
    planes = []
    for channel, shift in zip(np.moveaxis(rgb, -1, 0), shifts, strict=True):
        plane = np.clip(cut(np.ascontiguousarray(channel), margin, shift) / 255, 0, 1) ** random.uniform(0.6, 1.6)
        plane = plane * random.uniform(0.5, 1) + random.uniform(0, 0.2) + random.normal(0, 0.02, plane.shape)
        rim = int(random.integers(2, 7))
        plane[:rim], plane[-rim:], plane[:, :rim], plane[:, -rim:] = 0, 0.05, 0.02, 0
        planes.append((255 * plane).clip(0, 255))
    return planes, shifts


@pytest.mark.parametrize("name", PICTURES)
def test_exposures_are_aligned_to_half_a_pixel(name):
    for seed in range(2):
        (red, green, blue), shifts = exposures(name, seed)
        for plane, shift in ((red, shifts[0]), (green, shifts[1])):
            assert np.hypot(*(np.array(estimate_shift(plane, blue)) + shift)) < 0.5


def test_it_agrees_with_another_registration_where_that_one_works():
    grey = photograph("pip_china").mean(axis=2)
    fixed, moving = cut(grey, 40), cut(grey, 40, (7.3, -11.6))
    other, _, _ = phase_cross_correlation(fixed, moving, upsample_factor=50)
    assert np.abs(np.array(estimate_shift(moving, fixed)) - other).max() < 0.25  # it is 0.1 off itself


def test_a_negative_is_aligned_as_well():
    grey = photograph("pip_chelsea").mean(axis=2)
    assert estimate_shift(255 - cut(grey, 30, (4, -9)), cut(grey, 30)) == pytest.approx((-4, 9), abs=0.2)


def test_large_pictures_are_aligned():
    grey = np.asarray(Image.open(DEMO / "pip_china.jpg").convert("L").resize((2400, 1600), Image.Resampling.BICUBIC))
    grey = grey.astype(np.float32)
    assert estimate_shift(cut(grey, 130, (-71.4, 97.8)), cut(grey, 130)) == pytest.approx((71.4, -97.8), abs=0.5)


def test_what_cannot_be_aligned_is_refused():
    china, flower = (photograph(name).mean(axis=2)[:400, :600] for name in ("pip_china", "pip_flower"))
    with pytest.raises(UserError, match="do not match"):
        estimate_shift(china, flower)
    with pytest.raises(UserError, match="do not match"):
        estimate_shift(cut(china, 70, (60, 60)), cut(china, 70))  # 13 % of the longer side
    with pytest.raises(UserError, match="do not match"):
        estimate_shift(np.full((100, 100), 7.0), np.full((100, 100), 7.0))
    stripes = np.repeat(np.sin(np.arange(200) / 9.0)[:, None], 200, axis=1) ** 3
    with pytest.raises(UserError, match="match"):
        estimate_shift(stripes, stripes)
    with pytest.raises(UserError, match="one size"):
        estimate_shift(china, china[1:])
    with pytest.raises(UserError, match="too few"):
        estimate_shift(china[:20, :20], china[:20, :20])


def turned(channel, motion, margin):
    """The channel without a margin, laid so that `motion` about the centre brings it back: pixel by pixel, by scipy."""
    height, width = (side - 2 * margin for side in channel.shape)
    y, x = np.mgrid[:height, :width].astype(float)
    system = np.array([[1 - motion.stretch, -motion.turn], [motion.turn, 1 - motion.stretch]])
    lying = np.linalg.solve(  # place = q − motion(q): where the fixed pixel q lies in the moving picture
        system, np.stack([(y - height / 2 + motion.dy).ravel(), (x - width / 2 + motion.dx).ravel()])
    )
    places = [lying[0] + height / 2 + margin, lying[1] + width / 2 + margin]
    return map_coordinates(channel, places, order=3, mode="nearest").reshape(height, width).astype(np.float32)


@pytest.mark.parametrize("true", [Motion(3.3, -5.2, 0.004, 0.003), Motion(-6.0, 2.0, -0.003, -0.005)])
@pytest.mark.parametrize("name", ["pip_china", "pip_astronaut"])
def test_a_turn_and_a_stretch_are_found(name, true):
    grey = photograph(name).mean(axis=2)  # not two channels: their lens did not lay them on each other either
    fixed, moving = cut(grey, 40), turned(grey, true, 40)
    found = estimate_motion(255 * (moving.clip(0, 255) / 255) ** 0.5, fixed, reach=0.06)
    height, width = fixed.shape
    corners = [(y * height / 2, x * width / 2) for y in (-1, 1) for x in (-1, 1)]
    wrong = [np.hypot(*np.subtract(found.at(*corner), true.at(*corner))) for corner in corners]
    assert max(wrong) < 0.3
    assert (
        max(np.hypot(*np.subtract(true.at(*corner), true[:2])) for corner in corners) > 0.8
    )  # what a shift would leave
    inner = slice(20, -20)
    after = np.abs(shift_image(moving, found) - fixed)[inner, inner].mean()
    before = np.abs(shift_image(moving, Motion(*found[:2])) - fixed)[inner, inner].mean()
    assert after < 0.7 * before


def test_where_blocks_show_too_little_it_is_a_shift():
    random = np.random.default_rng(0)
    grey = np.full((400, 500), 100, np.float32)
    grey[170:230, 220:280] = random.normal(100, 40, (60, 60)).round()
    found = estimate_motion(np.roll(grey, (3, -4), axis=(0, 1)), grey, reach=0.06)
    assert found == pytest.approx((-3, 4, 0, 0), abs=0.02)
