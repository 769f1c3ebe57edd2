"""Old photographs painted at each evaluation: what they look like, what they score, and what a user may get wrong."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.data.sources import SHIPPED
from colorize.evaluation.validation import open_historical_samples
from colorize.imaging.color import lab_to_rgb, lightness_to_rgb, rgb_to_lab
from colorize.utils.errors import UserError

CPU = torch.device("cpu")


def orange(L, _):
    return torch.tensor([20.0, 40.0]).view(1, 2, 1, 1).expand(len(L), 2, *L.shape[2:])


def test_those_of_the_package_are_grey_squares_in_the_order_of_their_names():
    gallery = open_historical_samples(True, 32, 8)
    assert gallery.names == sorted(path.name for path in SHIPPED.glob("*.jpg"))
    assert gallery.grey.shape == (5, 3, 32, 32)
    assert (gallery.grey[:, :1] == gallery.grey).all()
    assert len(open_historical_samples(True, 32, 2).names) == 2
    assert open_historical_samples(False, 32, 8) is open_historical_samples(None, 32, 8) is None


def test_grey_paint_scores_nothing_and_colour_scores_its_own():
    gallery = open_historical_samples(True, 32, 8)
    scores, _ = gallery.score(lambda L, _: torch.zeros(len(L), 2, *L.shape[2:]), CPU, 3)
    assert scores == {"colorfulness": 0.0, "chroma_mean": pytest.approx(0.0, abs=0.05)}
    scores, grid = gallery.score(orange, CPU, 3)
    L = rgb_to_lab(gallery.grey)[:, :1]
    ab = rgb_to_lab((lab_to_rgb(L, orange(L, None)) * 255).round().to(torch.uint8))[:, 1:]
    assert scores["chroma_mean"] == pytest.approx(float(ab.norm(dim=1).mean()), rel=1e-3)
    assert scores["colorfulness"] > 20
    assert grid.width > grid.height  # five photographs beside each other, two rows
    above = np.asarray(grid)[6:166, -160:]
    assert (above.max(axis=2) == above.min(axis=2)).mean() > 0.99  # what was given
    assert (np.asarray(grid)[172:332, -160:, 0].mean() - above[..., 0].mean()) > 5  # what was painted


def test_every_photograph_sees_its_own_chance_whatever_the_batch():
    def drawn(L, chances):
        return torch.stack([10 * torch.randn(2, *L.shape[2:], generator=chance) for chance in chances])

    gallery = open_historical_samples(True, 16, 8)
    assert gallery.score(drawn, CPU, 5)[0] == pytest.approx(gallery.score(drawn, CPU, 2)[0])


def test_a_folder_of_ones_own(tmp_path):
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (48, 1))).save(tmp_path / "ramp.png")
    gallery = open_historical_samples(str(tmp_path), 16, 8)
    assert gallery.names == ["ramp.png"]
    assert gallery.grey.shape == (1, 3, 16, 16)
    lightness = lightness_to_rgb(rgb_to_lab(gallery.grey)[:, :1])
    assert (lightness[:, 0].diff(dim=-1).mean() > 0).all()


def test_what_cannot_be_shown_is_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        open_historical_samples(str(tmp_path / "nowhere"), 16, 8)
    colour = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    with pytest.raises(UserError, match="it is a colour photograph"):
        open_historical_samples(str(tmp_path), 16, 8)
