"""The benchmarks of painting, on made results: what they count, and that the right answer comes out."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from colorize.batch import Batch
from colorize.imaging.image_io import LoadedPhotograph
from colorize.models.base import Colorizer
from tests.helpers.configs import ROOT


@pytest.fixture
def hints(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import hints

    return hints


class Grey(Colorizer):
    answers = frozenset({"ab"})

    def __init__(self) -> None:
        super().__init__()
        self.zero = nn.Parameter(torch.zeros(1))

    def predict_ab(self, L):
        return self.zero * L.expand(-1, 2, -1, -1)


def photograph():
    """Four areas, each of one lightness and one colour."""
    lab = torch.tensor([[30, 45, 60, 75], [30.0, -20, 10, 5], [10.0, 25, -30, 20]])
    quarters = lab.reshape(3, 2, 2).repeat_interleave(20, 1).repeat_interleave(20, 2)[None]
    return Batch(quarters[:, :1], quarters[:, 1:])


def test_more_hints_are_worth_more_and_beat_copying(hints):
    seconds = []
    found = hints.psnr_of_hints(Grey().eval(), photograph(), 0, 1.0, seconds)
    spread = [found[count]["spread"] for count in hints.COUNTS]
    assert spread == sorted(spread)
    assert all(found[count]["spread"] > found[count]["copied"] for count in hints.COUNTS if count)
    assert found[0]["spread"] == found[0]["copied"] == found[0]["alone"]
    assert len(seconds) == 1


def test_a_hint_is_the_mean_of_its_patch_and_the_first_are_among_the_more(hints):
    truth = torch.randn(1, 2, 30, 40, generator=torch.Generator().manual_seed(0))
    found = hints.hints_at(np.array([[3, 5], [6, 8]]), truth)
    assert len(found.places) == 2 * hints.PATCH**2 - 4 * 4
    place = list(found.places).index(3 * 40 + 5)
    assert torch.allclose(found.ab[place], truth[0, :, 3:10, 5:12].mean(dim=(1, 2)))
    corners = hints.random_corners(30, 40, 7)
    assert len(corners) == max(hints.COUNTS)
    assert (corners == hints.random_corners(30, 40, 7)).all()
    assert (corners.max(axis=0) <= (30 - hints.PATCH, 40 - hints.PATCH)).all()


def test_a_map_that_is_right_is_told_from_one_that_says_nothing(hints):
    import confidence

    random = np.random.default_rng(0)
    error = random.gamma(2, 5, (6, 2000))
    right = confidence.calibration(np.stack([error / 2, error], axis=1))
    nothing = confidence.calibration(np.stack([random.permuted(error, axis=1), error], axis=1))
    assert right["ratio"] > 10
    assert right["spearman"][0] == pytest.approx(1)
    assert right["error"] == sorted(right["error"])
    assert nothing["ratio"] == pytest.approx(1, abs=0.2)
    assert nothing["spearman"][0] == pytest.approx(0, abs=0.05)
    assert right["between"] == pytest.approx(1)


def test_the_sizes_are_compared_at_the_photographs_own_size(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import size

    random = np.random.default_rng(0)
    tones = Image.fromarray(random.integers(60, 200, (5, 7), dtype=np.uint8)).resize((70, 50)).convert("RGB")
    tried = {"trained": [16], "auto": [16, 21, 32], "40": [40]}
    found = size.values_of(Grey().eval(), LoadedPhotograph(tones), tried)
    assert {name: of["size"] for name, of in found.items()} == {"trained": 16, "auto": 16, "40": 40}
    assert all(of["psnr"] > 45 and of["ciede2000"] < 0.6 for of in found.values())  # grey, as it is
    summary = size.summary_of([found] * 9, "40")
    assert summary["psnr"][0] == pytest.approx(found["40"]["psnr"])
    assert summary["ciede2000"][1:] == pytest.approx([found["40"]["ciede2000"] - found["trained"]["ciede2000"]] * 2)
