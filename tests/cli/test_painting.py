"""A photograph coloured at its full size, in strips: no seams, edges kept, lightness kept."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.batch import Batch
from colorize.cli import painting
from colorize.imaging.transforms import Upsampling
from colorize.models import prediction


def lightness(image):
    return Batch.from_rgb(torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]).L


@pytest.fixture
def photograph():
    """Noise of 47×61 pixels."""
    random = np.random.default_rng(0)
    return painting.LoadedPhotograph(Image.fromarray(random.integers(0, 256, (61, 47, 3), dtype=np.uint8)))


@pytest.mark.parametrize("method", ["guided", "bilinear"])
def test_strips_have_no_seams(method, photograph, monkeypatch):
    L = prediction.network_input(photograph, 16)
    ab = torch.randn(1, 2, *L.shape[2:]) * 30
    whole = np.asarray(painting.full_size_color(photograph, L, ab, method)).astype(int)
    monkeypatch.setattr(prediction, "STRIP", 47 * 7)
    assert torch.allclose(prediction.network_input(photograph, 16), L, atol=1e-4)
    alone, size = painting.full_size_color(photograph, L, ab, method), prediction.network_input(photograph, 16)
    assert abs(np.asarray(alone) - whole).max() <= 1
    torch.set_num_threads(3)  # each takes strips: the same bits
    try:
        assert torch.equal(prediction.network_input(photograph, 16), size)
        assert painting.full_size_color(photograph, L, ab, method) == alone
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)


def test_a_photograph_in_rgb_can_become_the_picture_itself(photograph):
    L = prediction.network_input(photograph, 16)
    ab = torch.randn(1, 2, *L.shape[2:]) * 30
    apart = painting.full_size_color(photograph, L, ab, "guided")
    assert apart is not photograph.image
    assert painting.full_size_color(photograph, L, ab, "guided", reuse=True) is photograph.image
    assert photograph.image == apart
    grey = painting.LoadedPhotograph(photograph.image.convert("L"))
    assert painting.full_size_color(grey, L, ab, "guided", reuse=True).mode == "RGB"
    assert grey.image.mode == "L"


def test_colours_that_no_screen_has_leave_lightness_as_it_was(photograph):
    L = prediction.network_input(photograph, 16)
    ab = torch.full((1, 2, *L.shape[2:]), 100.0)
    moved = {
        gamut: (lightness(painting.full_size_color(photograph, L, ab, "guided", gamut)) - lightness(photograph.image))
        for gamut in ("chroma", "clip")
    }
    assert moved["chroma"].abs().max() < 0.5
    assert moved["clip"].abs().max() > 5


def test_colour_ends_where_lightness_does():
    """A red half beside a dark green one, predicted at an eighth of the size: guided, each keeps its colour up to the
    edge; bilinear smears it."""
    big = torch.full((1, 1, 128, 128), 70.0)
    big[..., 60:] = 30.0  # the edge lies inside a small pixel
    small = torch.nn.functional.avg_pool2d(big, 8)
    ab = torch.where(small > 50, 40.0, -40.0).expand(1, 2, -1, -1) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    ab[..., 7] = 0.0
    truth = torch.where(big > 50, 40.0, -40.0)
    error = {
        method: (Upsampling(small, ab, (128, 128), method).rows(big, 0)[:, :1] - truth)[..., 52:68].abs().mean().item()
        for method in ("guided", "bilinear")
    }
    assert error["guided"] < 0.4 * error["bilinear"]


def test_plain_upsampling_is_torchs():
    L, ab = 100 * torch.rand(1, 1, 9, 7), torch.randn(1, 2, 9, 7)
    expected = torch.nn.functional.interpolate(ab, (40, 33), mode="bilinear")
    rows = Upsampling(L, ab, (40, 33), "bilinear").rows(torch.zeros(1, 1, 40, 33), 0)
    assert torch.allclose(rows, expected, atol=1e-4)
