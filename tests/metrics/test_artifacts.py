"""Bleeding and patchiness against planted artifacts and by hand."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
import torchvision

from colorize.imaging.color import lab_to_rgb, to_uint8
from colorize.metrics import (
    Bleeding,
    Patchiness,
)
from tests.helpers.distorted import painted


def blurred(ab, sigma):
    return torchvision.transforms.functional.gaussian_blur(ab, 2 * int(3 * sigma) + 1, sigma)


def blotches(ab, size, strength):
    """Soft blotches of about `size` pixels."""
    noise = torch.randn(len(ab), 2, 256 // size, 256 // size, generator=torch.Generator().manual_seed(0))
    return ab + strength * F.interpolate(noise, size=256, mode="bicubic")


def tiles():
    """(1, 3, 64, 64) uint8: sixteen tiles of four lightnesses and four colours, with crisp borders everywhere."""
    L = torch.tensor([[30.0, 60, 40, 70], [65, 35, 75, 45], [30, 60, 40, 70], [65, 35, 75, 45]])
    colours = torch.tensor([[25.0, 5], [-20, 20], [5, -25], [-5, 25]])
    ab = colours[torch.tensor([[0, 1, 2, 3], [2, 3, 0, 1], [1, 0, 3, 2], [3, 2, 1, 0]])].permute(2, 0, 1)
    lab = torch.cat([L[None], ab])[None].repeat_interleave(16, dim=2).repeat_interleave(16, dim=3)
    return to_uint8(lab_to_rgb(lab[:, :1], lab[:, 1:]))


def rises(values):
    return all(later > earlier for earlier, later in pairwise(values))


SHIFTS = [lambda ab, far=far: ab.roll((far, far), dims=(2, 3)) for far in (0, 1, 2, 4)]
BLURS = [lambda ab: ab, *(lambda ab, sigma=sigma: blurred(ab, sigma) for sigma in (1, 2, 4))]


@pytest.mark.parametrize("changes", [SHIFTS, BLURS], ids=["shift", "blur"])
def test_colour_that_runs_across_edges_bleeds(photographs, changes):
    values = [Bleeding().measure(painted(photographs, change)).mean().item() for change in changes]
    assert rises(values)
    assert values[-1] > values[0] + 0.08


def test_crisp_tiles_do_not_bleed():
    shifted, soft = ([Bleeding().measure(painted(tiles(), c)).item() for c in changes] for changes in (SHIFTS, BLURS))
    assert shifted[:2] == pytest.approx([0, 0], abs=0.01)  # a single pixel is forgiven, as the softness of any edge is
    assert shifted[2:] == pytest.approx([0.5, 1], abs=0.01)
    assert rises(soft)
    assert soft[-1] > 0.3


def test_half_of_the_contrast_missing_at_the_edge_is_a_bleeding_of_a_half():
    """Two halves, black and white; their colours reach half of their way at the border, and all of it 3 pixels on."""
    L, ab = torch.full((1, 1, 40, 40), 30.0), torch.zeros(1, 2, 40, 40)
    L[..., 20:] = 70
    ab[:, 0, :, :20], ab[:, 0, :, 20:] = 12.0, -12.0
    ab[:, 0, :, 17:20], ab[:, 0, :, 20:23] = 6.0, -6.0
    assert Bleeding().measure(lab_to_rgb(L, ab)).item() == pytest.approx(0.5, abs=1e-3)


def test_bleeding_does_not_ask_which_colours(photographs):
    """Other colours with the same borders: a and b swapped, or all at half the strength."""
    own = Bleeding().measure(photographs).mean().item()
    for change in (lambda ab: ab.flip(1) / 2, lambda ab: ab / 2):
        assert Bleeding().measure(painted(photographs, change)).mean().item() == pytest.approx(own, abs=0.03)


def test_without_colour_there_is_nothing_to_bleed(photographs):
    assert Bleeding().measure(painted(photographs, torch.zeros_like)).isnan().all()
    assert Bleeding().measure(torch.full((1, 3, 32, 32), 0.5)).isnan().all()


@pytest.mark.parametrize("size", [4, 8, 16, 32])
def test_blotches_are_patchy(photographs, size):
    values = []
    for strength in (0, 1, 3, 6, 12):
        copy = painted(photographs, lambda ab, strength=strength: blotches(ab, size, strength))
        values.append(Patchiness().measure(copy, photographs).nanmean().item())
    assert values[0] < 0.01
    assert rises(values)


def test_what_is_flatter_than_the_truth_is_not_patchy(photographs):
    for change in (lambda ab: ab / 2, lambda ab: blurred(ab, 4), lambda ab: torch.zeros_like(ab) + 20):
        assert Patchiness().measure(painted(photographs, change), photographs).nanmean() < 0.15


def test_patchiness_of_a_chessboard_by_hand():
    """Fields of 4 pixels, a = ±6 on even grey: every square of 8 or more has a standard deviation of 6."""
    field = torch.tensor([[1.0, -1], [-1, 1]]).repeat(8, 8).repeat_interleave(4, 0).repeat_interleave(4, 1)
    L = torch.full((1, 1, 64, 64), 50.0)
    ab = torch.stack([6 * field, torch.zeros(64, 64)])[None]
    true, copy = lab_to_rgb(L, torch.zeros_like(ab)), lab_to_rgb(L, ab)
    assert Patchiness().measure(copy, true).item() == pytest.approx(6, abs=0.02)
    loud = lab_to_rgb(L + 10 * torch.randn(L.shape, generator=torch.Generator().manual_seed(0)), ab)
    assert Patchiness().measure(copy, loud).isnan().all()  # no even place


@pytest.mark.parametrize("size", [(20, 9), (8, 70), (75, 41)])
def test_patchiness_takes_any_size(size):
    rgb = torch.full((2, 3, *size), 0.5)
    assert (Patchiness().measure(rgb, rgb) == 0).all()
