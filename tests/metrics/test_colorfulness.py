"""Hue, gamut and diversity by hand."""

import pytest
import torch

from colorize.imaging.color import lab_to_rgb, rgb_to_lab
from colorize.metrics import (
    HueError,
    LightnessShift,
    OutOfGamut,
    Pair,
    Picture,
    ab_diversity,
    perceptual_diversity,
)
from colorize.utils.errors import UserError
from tests.helpers.distorted import painted


def test_hue_error_is_the_angle_turned_and_greys_do_not_count(photographs):
    L, ab = torch.full((1, 1, 8, 8), 60.0), torch.zeros(1, 2, 8, 8)
    ab[:, 0] = 20.0
    ab[..., :4] = 3.0  # half of the picture is as good as grey, of whatever hue
    turned = torch.stack([-ab[:, 1], ab[:, 0]], dim=1)
    turned[..., :4] = -3.0
    assert HueError().measure(lab_to_rgb(L, turned), lab_to_rgb(L, ab)).item() == pytest.approx(90, abs=0.01)
    paler = painted(photographs, lambda ab: ab * 0.7)
    assert HueError().measure(paler, photographs).mean() < 1
    assert HueError().measure(painted(photographs, torch.zeros_like), photographs).isnan().all()


def test_undefined_pictures_are_left_out_of_the_mean(photographs):
    metric = HueError()
    metric.update(painted(photographs[:4], torch.zeros_like), photographs[:4])
    assert metric.compute() != metric.compute()
    metric.update(painted(photographs[:4], lambda ab: ab.flip(1)), photographs[:4])
    known = HueError().measure(painted(photographs[:4], lambda ab: ab.flip(1)), photographs[:4])
    assert metric.compute() == pytest.approx(known.mean().item())


def test_what_does_not_fit_into_srgb_is_clipped_and_moves_lightness():
    L, ab = torch.full((2, 1, 8, 8), 50.0), torch.zeros(2, 2, 8, 8)
    ab[0, 0, :, :2] = 120.0  # a quarter of the first picture
    pair = Pair(Picture(lab_to_rgb(L, ab)), L=L, ab=ab)
    assert OutOfGamut().named(pair)[""].tolist() == [0.25, 0]
    expected = (rgb_to_lab(pair.painted.rgb)[:, :1] - L).abs().mean(dim=(1, 2, 3))
    shift = LightnessShift().named(pair)[""]
    torch.testing.assert_close(shift.float(), expected)
    assert shift[0] > 0.5
    assert shift[1] < 0.01
    corners = torch.tensor([0.0, 1.0]).expand(3, 2).unsqueeze(0)
    lab = rgb_to_lab(torch.cartesian_prod(*corners[0]).T.reshape(1, 3, 8, 1))
    assert OutOfGamut().named(Pair(Picture(lab_to_rgb(lab[:, :1], lab[:, 1:])), L=lab[:, :1], ab=lab[:, 1:]))[""] == 0


def test_diversity_by_hand():
    """Three even paintings of one lightness, 10, 20 and 30 units apart in a."""
    L, ab = torch.full((3, 1, 6, 6), 50.0), torch.zeros(3, 2, 6, 6)
    ab[1, 0], ab[2, 0] = 10.0, 30.0
    samples = lab_to_rgb(L, ab)[:, None].expand(3, 2, 3, 6, 6)
    assert ab_diversity(samples) == pytest.approx([20, 20], abs=1e-3)
    values = perceptual_diversity(samples, lambda one, other: (one - other).abs().amax(dim=(1, 2, 3)))
    x = samples[:, 0, :, 0, 0]
    by_hand = sum((x[i] - x[j]).abs().max() for i, j in ((0, 1), (0, 2), (1, 2))) / 3
    torch.testing.assert_close(values, by_hand.expand(2))
    assert (ab_diversity(samples[:1].expand(4, 2, 3, 6, 6)) == 0).all()
    with pytest.raises(UserError, match=r"two or more samples \(K, B, 3, H, W\), not \(1, 2, 3, 6, 6\)"):
        ab_diversity(samples[:1])
