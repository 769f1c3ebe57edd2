"""Old photographs painted at each evaluation: what they look like, what they score, and what a user may get wrong."""

import numpy as np
import pytest
import torch
from PIL import Image

from colorize.data.sources import SHIPPED
from colorize.evaluation.validation import Validator
from colorize.evaluation.validation_set import black_and_white_squares
from colorize.imaging.color import lightness_to_rgb, rgb_to_lab
from colorize.imaging.gamut import lab_to_rgb_reduced
from colorize.utils.errors import UserError

CPU = torch.device("cpu")


def orange(L, _):
    return torch.tensor([20.0, 40.0]).view(1, 2, 1, 1).expand(len(L), 2, *L.shape[2:])


def test_those_of_the_package_are_grey_squares_in_the_order_of_their_names():
    old = black_and_white_squares(None, 32, 8)
    grey = torch.stack([old.read(place) for place in range(5)])
    assert old.names == sorted(path.name for path in SHIPPED.glob("*.jpg"))
    assert grey.shape == (5, 3, 32, 32)
    assert (grey[:, :1] == grey).all()
    assert len(black_and_white_squares(None, 32, 2).names) == 2


def test_grey_paint_scores_nothing_and_colour_scores_its_own():
    old = black_and_white_squares(None, 32, 8)
    validator = Validator(old, {}, batch_size=3, shown=range(5))
    scores, _ = validator.score(lambda L, _: torch.zeros(len(L), 2, *L.shape[2:]), CPU)
    assert scores == {"colorfulness": 0.0, "chroma_mean": pytest.approx(0.0, abs=0.05)}
    scores, grid = validator.score(orange, CPU)
    L = rgb_to_lab(torch.stack([old.read(place) for place in range(5)]))[:, :1]
    ab = rgb_to_lab((lab_to_rgb_reduced(L, orange(L, None)) * 255).round().to(torch.uint8))[:, 1:]
    assert scores["chroma_mean"] == pytest.approx(float(ab.norm(dim=1).mean()), rel=1e-3)
    assert scores["colorfulness"] > 20
    assert grid.width > grid.height  # five photographs beside each other, two rows
    above = np.asarray(grid)[6:166, -160:]
    assert (above.max(axis=2) == above.min(axis=2)).mean() > 0.99  # what was given
    assert (np.asarray(grid)[172:332, -160:, 0].mean() - above[..., 0].mean()) > 5  # what was painted


def test_every_photograph_sees_its_own_chance_whatever_the_batch():
    def drawn(L, chances):
        return torch.stack([10 * torch.randn(2, *L.shape[2:], generator=chance) for chance in chances])

    old = black_and_white_squares(None, 16, 8)
    five, two = (Validator(old, {}, batch_size=size).score(drawn, CPU)[0] for size in (5, 2))
    assert five == pytest.approx(two)


def test_a_folder_of_ones_own(tmp_path):
    Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (48, 1))).save(tmp_path / "ramp.png")
    old = black_and_white_squares(str(tmp_path), 16, 8)
    assert old.names == ["ramp.png"]
    grey = old.read(0)[None]
    assert grey.shape == (1, 3, 16, 16)
    lightness = lightness_to_rgb(rgb_to_lab(grey)[:, :1])
    assert (lightness[:, 0].diff(dim=-1).mean() > 0).all()


def test_what_cannot_be_shown_is_refused(tmp_path):
    with pytest.raises(UserError, match="nowhere"):
        black_and_white_squares(str(tmp_path / "nowhere"), 16, 8)
    colour = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    with pytest.raises(UserError, match="it is a colour photograph"):
        black_and_white_squares(str(tmp_path), 16, 8)
