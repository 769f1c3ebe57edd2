"""Colour against scikit-image, and at the places where formulas break."""

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from colorize.imaging.color import (
    chroma,
    colorfulness,
    lab_to_rgb,
    lightness_to_rgb,
    per_picture,
    rgb_to_lab,
    rgb_to_lightness,
    to_uint8,
)


@pytest.fixture
def cube():
    """The whole sRGB cube in steps of 17: (1, 3, 16, 256) uint8."""
    steps = np.arange(0, 256, 17, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(16, 256, 3)
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].contiguous()


@pytest.mark.parametrize("kind", ["uint8", "float32", "float64"])
def test_lab_is_that_of_scikit_image(cube, kind):
    rgb = cube if kind == "uint8" else (cube.double() / 255).to(getattr(torch, kind))
    reference = rgb2lab(cube[0].permute(1, 2, 0).numpy())
    ours = rgb_to_lab(rgb)[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - reference).max() < 1e-3
    assert np.abs(rgb_to_lightness(rgb)[0, 0].numpy() - reference[..., 0]).max() < 1e-3


def test_round_trip_gives_back_every_pixel(cube):
    lab = rgb_to_lab(cube)
    rgb = lab_to_rgb(lab[:, :1], lab[:, 1:])
    assert (rgb - cube.double() / 255).abs().max() < 1 / 255
    assert torch.equal(to_uint8(rgb), cube)


def test_pictures_one_at_a_time_are_the_same_to_the_bit_and_their_gradients_too(cube):
    """Of any leading shape; `lab_to_rgb`'s batches of two, `picture_mean`'s answer of fewer axes."""
    many = torch.stack([cube.roll(shift, -1) for shift in range(6)]).view(2, 3, 3, 16, 256)
    lab = rgb_to_lab(many)
    assert lab.shape == many.shape
    assert all(torch.equal(lab[i, j], rgb_to_lab(many[i, j])) for i in range(2) for j in range(3))
    L, ab = lab.flatten(0, 1).split((1, 2), dim=1)
    single = [lab_to_rgb(L[i], ab[i]) for i in range(len(L))]
    assert torch.equal(per_picture(lab_to_rgb, L, ab), torch.stack(single))
    assert torch.equal(per_picture(lambda each: each.mean(dim=(1, 2, 3)), ab), ab.mean(dim=(1, 2, 3)))
    assert torch.equal(per_picture(lambda one, other: one * other[:, None], ab, L[:, 0]), ab * L)  # (B, H, W) beside
    ab = ab.clone().requires_grad_()
    per_picture(lab_to_rgb, L, ab).sum().backward()
    assert ab.grad.abs().sum() > 0
    assert rgb_to_lab(many[:, :0]).shape == (2, 0, 3, 16, 256)


@pytest.mark.parametrize("L", [0.0, 5.0, 50.0, 100.0])
def test_gradients_are_finite_on_exactly_grey_pixels(L):
    lightness = torch.full((1, 1, 4, 4), L, requires_grad=True)
    ab = torch.zeros(1, 2, 4, 4, requires_grad=True)
    rgb = lab_to_rgb(lightness, ab)
    (rgb.sum() + colorfulness(rgb).sum() + colorfulness(rgb, absolute=True).sum()).backward()
    assert ab.grad.isfinite().all()
    assert lightness.grad.isfinite().all()


def test_gradients_are_finite_over_the_cube(cube):
    rgb = (cube.float() / 255).requires_grad_()
    rgb_to_lab(rgb).sum().backward()
    assert rgb.grad.isfinite().all()


def test_gradcheck():
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(2, 3, 3, 2, generator=generator, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(rgb_to_lab, rgb.requires_grad_())
    lab = rgb_to_lab(rgb).detach()
    assert torch.autograd.gradcheck(lab_to_rgb, (lab[:, :1].requires_grad_(), lab[:, 1:].requires_grad_()))


def test_lightness_alone_is_the_grey_picture(cube):
    L = rgb_to_lab(cube)[:, :1]
    assert torch.allclose(lightness_to_rgb(L), lab_to_rgb(L, torch.zeros(1, 2, *L.shape[2:])), atol=2e-4)


def test_colours_outside_the_gamut_are_clipped():
    rgb = lab_to_rgb(torch.full((1, 1, 1, 1), 50.0), torch.full((1, 2, 1, 1), 200.0))
    assert rgb.min() >= 0
    assert rgb.max() <= 1


def test_whole_numbers_that_are_not_bytes_are_refused():
    with pytest.raises(TypeError, match="uint8 or floating point"):
        rgb_to_lab(torch.zeros(1, 3, 2, 2, dtype=torch.int64))


@pytest.mark.parametrize("absolute", [False, True])
def test_colorfulness_by_hand(absolute):
    rgb = np.random.default_rng(1).integers(0, 256, (9, 7, 3)).astype(float)
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    rg, yb = r - g, (r + g) / 2 - b
    if absolute:
        rg, yb = abs(rg), abs(yb)
    by_hand = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    ours = colorfulness(torch.from_numpy(rgb / 255).permute(2, 0, 1)[None], absolute=absolute)
    assert ours.item() == pytest.approx(by_hand, rel=1e-6)


def test_grey_has_no_hue():
    L = torch.linspace(0, 100, 1001).view(1, 1, 1, -1)
    rgb = lab_to_rgb(L, torch.zeros(1, 2, 1, 1001))
    for space in ("hs", "hsv"):
        assert chroma(space, rgb).abs().max() == 0
    step = torch.tensor([128, 127, 127.0]).view(1, 3, 1, 1) / 255  # one step of 8 bits is a colour
    assert chroma("hs", step)[0, 1] > 0
