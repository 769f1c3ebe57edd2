"""Colours that sRGB does not have: lightness and hue stay, chroma is the largest that there is."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import lab2xyz, rgb2lab
from skimage.color.colorconv import rgb_from_xyz

from colorize.data.sources import DEMO
from colorize.imaging.color import lab_to_linear, lab_to_rgb, rgb_to_lab, to_uint8
from colorize.imaging.gamut import ab_bins, is_outside, lab_to_rgb_reduced
from tests.helpers.published import PHOTOS

BSDS = PHOTOS / "bsds500_test"


@pytest.fixture(scope="module")
def lab():
    """Lightness (1, 1, 100, 200) and ab (1, 2, 100, 200) of anything that a network can say; most of it is no sRGB."""
    generator = torch.Generator().manual_seed(0)
    L = 1 + 98 * torch.rand(1, 1, 100, 200, generator=generator)
    return L, 256 * torch.rand(1, 2, 100, 200, generator=generator) - 128


def test_lightness_and_hue_stay_and_chroma_is_the_largest_that_srgb_has(lab):
    """By scikit-image's conversions."""
    L, ab = lab
    outside = is_outside(lab_to_linear(L, ab))[0].numpy()
    assert 0.7 < outside.mean() < 0.95
    found = rgb2lab(lab_to_rgb_reduced(L, ab)[0].permute(1, 2, 0).numpy())[outside]
    asked = torch.cat([L, ab], dim=1)[0].permute(1, 2, 0).numpy()[outside].astype(float)
    chroma, wanted = (np.hypot(of[:, 1], of[:, 2]) for of in (found, asked))
    assert np.abs(found[:, 0] - asked[:, 0]).max() < 0.3
    assert (chroma < wanted).all()
    across = (found[:, 1] * asked[:, 2] - found[:, 2] * asked[:, 1]) / wanted  # how far off the line of the hue
    assert np.abs(across).max() < 1
    more = asked.copy()
    more[:, 1:] *= ((chroma + 0.01 * wanted + 1) / wanted)[:, None]
    linear = lab2xyz(more) @ rgb_from_xyz.T
    assert ((linear < 0) | (linear > 1)).any(axis=1).all()


def test_colours_that_srgb_has_are_as_they_were(lab):
    L, ab = lab
    inside = ~is_outside(lab_to_linear(L, ab))
    assert torch.equal(lab_to_rgb_reduced(L, ab).movedim(1, 0)[:, inside], lab_to_rgb(L, ab).movedim(1, 0)[:, inside])
    photographs = torch.from_numpy(np.array(Image.open(next(DEMO.glob("*.jpg"))).convert("RGB"))).permute(2, 0, 1)
    seen = rgb_to_lab(photographs)
    assert torch.equal(to_uint8(lab_to_rgb_reduced(seen[:1], seen[1:])), photographs)
    grey = torch.linspace(0, 100, 1001).view(1, 1, 1, -1)
    none = torch.zeros(1, 2, 1, 1001)
    assert torch.equal(lab_to_rgb_reduced(grey, none), lab_to_rgb(grey, none))


def test_a_batch_becomes_what_each_picture_alone_becomes(lab):
    L, ab = (of.reshape(1, -1, 4, 50, 100).movedim(2, 0)[:, 0] for of in lab)
    each = [lab_to_rgb_reduced(L[k], ab[k]) for k in range(4)]
    torch.testing.assert_close(lab_to_rgb_reduced(L, ab), torch.stack(each), rtol=0, atol=1e-6)


@pytest.mark.skipif(not BSDS.is_dir(), reason=f"there are no photographs in {BSDS}")
def test_gaudy_photographs_keep_the_lightness_of_every_pixel():
    """BSDS's 200 test photographs, true ab times 1.2: clipping moves L* by up to 3.8. Each of their colours once."""
    met = np.zeros(2**24, bool)
    for path in sorted(BSDS.glob("*.jpg")):
        red, green, blue = np.moveaxis(np.array(Image.open(path).convert("RGB")).astype(np.int32), -1, 0)
        met[red << 16 | green << 8 | blue] = True
    codes = torch.from_numpy(np.flatnonzero(met))
    lab = rgb_to_lab(torch.stack([codes >> 16, codes >> 8 & 255, codes & 255]).to(torch.uint8)[..., None])
    L, ab = lab[:1], 1.2 * lab[1:]
    moved = [(rgb_to_lab(to_uint8(convert(L, ab)))[:1] - L).abs().max() for convert in (lab_to_rgb, lab_to_rgb_reduced)]
    assert len(codes) > 1e5
    assert moved[0] > 3
    assert moved[1] <= 0.5


def test_the_bins_are_the_squares_that_hold_a_colour_of_srgb():
    """By scikit-image, from every fourth 8-bit colour; 261 at the step of Zhang et al. 2016."""
    levels = np.r_[0:256:4, 255] / 255
    rgb = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    expected = np.unique(np.round(rgb2lab(rgb)[:, 0, 1:] / 10), axis=0) * 10
    bins = ab_bins().numpy()
    assert len(bins) == 261
    assert {tuple(each) for each in expected} == {tuple(each) for each in bins}
    assert len(ab_bins(20)) < 100
