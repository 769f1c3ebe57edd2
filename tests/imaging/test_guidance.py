"""Guided colour: strength, largest chroma, and hints that spread (Levin et al. 2004)."""

import json
import time
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

import colorize
from colorize.imaging.color import rgb_to_lab
from colorize.imaging.guidance import Spreading
from colorize.imaging.hints import Hints, Spot, read_hints, to_hints
from colorize.imaging.transforms import Upsampling
from colorize.utils.errors import UserError

RED = [200, 60, 60]
RED_AB = rgb_to_lab(torch.tensor(RED, dtype=torch.uint8).view(3, 1, 1))[1:, 0, 0]
close = partial(torch.allclose, atol=1e-4)  # vectorized arithmetic rounds by the number of pixels


@pytest.fixture
def halves():
    """Lightness of a bright half beside a dark one, with a little grain, and a prediction of one colour."""
    L = torch.full((1, 1, 48, 64), 70.0) + torch.randn(1, 1, 48, 64, generator=torch.Generator().manual_seed(0))
    L[..., 32:] -= 40
    return torch.tensor([10.0, -20.0]).view(1, 2, 1, 1).expand(1, 2, 48, 64).clone(), L


def test_without_hints_strength_and_the_largest_chroma_are_factors(halves):
    ab, L = halves
    assert torch.equal(colorize.guide(ab, L), ab)
    assert torch.equal(colorize.guide(ab, L, strength=1.5), 1.5 * ab)
    assert not colorize.guide(ab, L, strength=0).any()
    limited = colorize.guide(ab, L, max_chroma=5)
    assert torch.allclose(limited.norm(dim=1), torch.tensor(5.0))
    assert torch.allclose(limited[:, 0] * -2, limited[:, 1])  # the hue stays
    assert torch.equal(colorize.guide(ab, L, max_chroma=30), ab)


def test_a_hint_is_exact_spreads_to_the_edge_and_fades(halves):
    ab, L = halves
    guided = colorize.guide(ab, L, [{"x": 16, "y": 24, "rgb": RED, "radius": 2}], reach=0.25)
    assert close(guided[0, :, 24, 16], RED_AB)
    assert close(guided[0, :, 22, 16], RED_AB)
    share = ((guided - ab) / (RED_AB.view(1, 2, 1, 1) - ab)).mean(dim=1)[0]  # 1: the hint's colour, 0: the prediction
    assert share.min() >= -1e-5
    assert share.max() <= 1 + 1e-5
    assert share[24, 20] > 0.5 > 0.3 > share[2, 2] > 0.02
    assert share[:, :32].mean() > 10 * share[:, 32:].mean()  # the other half keeps its colour
    nearer, farther = (colorize.guide(ab, L, [Spot(16, 24, RED, 2)], reach=reach) for reach in (0.05, 1.0))
    assert (nearer - ab).abs().sum() < (guided - ab).abs().sum() < (farther - ab).abs().sum()


def test_the_spread_solves_the_equations_of_the_paper(halves):
    """By dense arithmetic, pixel by pixel: each is the weighted mean of its eight neighbours, but for the loss."""
    _, L = halves
    L = L[..., :9, 27:36]
    hints = Hints((9, 9), np.array([12, 40]), torch.tensor([[30.0, 0.0], [-10.0, 5.0]]))
    spread = Spreading(L, hints, reach=0.5)(hints)[0].double()
    grey, loss = L[0, 0].double(), 0.375 / 4.5**2
    for y in range(1, 8):
        for x in range(1, 8):
            if y * 9 + x in hints.places:
                continue
            window = grey[y - 1 : y + 2, x - 1 : x + 2]
            weights = (-((window - grey[y, x]) ** 2) / max(1.0, 0.6 * window.var(correction=0))).exp()
            weights[1, 1] = 0
            mean = (spread[:, y - 1 : y + 2, x - 1 : x + 2] * weights).sum(dim=(1, 2)) / weights.sum()
            assert torch.allclose(spread[:, y, x] * (1 + loss), mean, atol=1e-4)
    assert torch.equal(spread[:, 1, 3], torch.tensor([30.0, 0.0]).double())


def test_strength_does_not_change_a_hint(halves):
    ab, L = halves
    guided = colorize.guide(ab, L, [Spot(16, 24, RED)], strength=0.5, max_chroma=5, reach=0.25)
    assert close(guided[0, :, 24, 16], RED_AB)
    assert guided[0, :, 24, 60].norm() < 6


def test_a_hint_is_met_after_the_guided_filter(halves):
    ab, L = halves
    spot = [Spot(16, 24, RED)]
    guided = colorize.guide(ab, L, spot, upsample="guided", reach=0.25)
    met, missed = (
        Upsampling(L, each, (48, 64), "guided").rows(L, 0)[0, :, 24, 16]
        for each in (guided, colorize.guide(ab, L, spot, reach=0.25))
    )
    assert (met - RED_AB).norm() < 0.01 * (missed - RED_AB).norm()


def test_hints_of_another_size():
    """A pixel that holds several hints has their mean; one of an enlarged picture has that of the pixel it comes of."""
    hints = Hints((4, 6), np.array([0, 7, 23]), torch.tensor([[10.0, 0.0], [20.0, 4.0], [5.0, 5.0]]))
    small = hints.resized((2, 3))
    assert small.places.tolist() == [0, 5]
    assert small.ab.tolist() == [[15.0, 2.0], [5.0, 5.0]]
    large = hints.resized((8, 12))
    assert large.places.tolist() == [0, 1, 12, 13, 26, 27, 38, 39, 82, 83, 94, 95]
    again = hints.resized((4, 6))
    assert (again.places == hints.places).all()
    assert torch.equal(again.ab, hints.ab)
    assert torch.equal(hints.put(torch.zeros(1, 2, 2, 6), first=2)[0, :, 1, 5], torch.tensor([5.0, 5.0]))


def test_spots_are_discs_of_which_the_later_lies_above():
    hints = to_hints([{"x": 5, "y": 4, "rgb": [0, 0, 255], "radius": 2}, {"x": 5, "y": 4, "rgb": RED}], (9, 11))
    assert len(hints.places) == 13
    assert close(hints.ab[hints.places == 4 * 11 + 5][0], RED_AB)
    corner = to_hints([Spot(0, 0, RED, 1e9)], (9, 11))
    assert len(corner.places) == 99


def test_a_picture_and_json_are_the_same_hints(tmp_path):
    picture = np.zeros((9, 11, 4), np.uint8)
    picture[2:5, 3:6] = (*RED, 255)
    picture[7, 7] = (0, 255, 0, 254)  # not opaque
    Image.fromarray(picture).save(tmp_path / "hints.png")
    spots = [{"x": x, "y": y, "rgb": RED} for x in (3, 4, 5) for y in (2, 3, 4)]
    (tmp_path / "hints.json").write_text(json.dumps(spots))
    drawn, told = (read_hints(tmp_path / f"hints.{end}", (9, 11)) for end in ("png", "json"))
    direct = to_hints(torch.from_numpy(picture).permute(2, 0, 1), (9, 11))
    for other in (told, direct):
        assert (drawn.places == other.places).all()
        assert close(drawn.ab, other.ab)


BAD = {
    "[]": "must be a list",
    '{"x": 1}': "must be a list",
    "[1]": "must be a list",
    "[{]": "no JSON",
    "[" * 100_000: "no JSON",
    '[{"x": 1, "y": 1}]': "has no 'rgb'",
    '[{"x": 1, "y": 1, "rgb": [1, 2]}]': "hint 1: rgb is [1, 2]; it must be a list of 3 or more",
    '[{"x": 1, "y": 1, "rgb": [1, 2, 256]}]': "hint 1: rgb holds 256; each number must be from 0 to 255",
    '[{"x": 1, "y": 1, "rgb": [1, 2, 3], "radius": -1}]': "hint 1: radius is -1; it must be greater than or equal to 0",
    '[{"x": 1, "y": 1, "rgb": [1, 2, 3], "raduis": 1}]': "hint 1 has 'raduis': use x, y, rgb, radius",
    '[{"x": NaN, "y": 1, "rgb": [1, 2, 3]}]': "hint 1: x is nan; it must be a finite number",
    '[{"x": 11, "y": 1, "rgb": [1, 2, 3]}]': "hint 1 lies at x=11, y=1, outside the photograph of 11×9",
    '[{"x": 1, "y": -1, "rgb": [1, 2, 3]}]': "outside the photograph",
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:50])
def test_bad_json_gets_one_sentence(text, tmp_path):
    path = tmp_path / "hints.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_hints(path, (9, 11))
    assert BAD[text] in str(error.value)
    assert "hints.json" in str(error.value)


def test_bad_pictures_get_one_sentence(halves, tmp_path):
    for mode, color in (("RGBA", (1, 2, 3, 255)), ("RGBA", (1, 2, 3, 0)), ("RGB", 0), ("RGBA", (1, 2, 3, 100))):
        Image.new(mode, (11, 9), color).save(tmp_path / "hints.png")
        with pytest.raises(UserError, match="its opaque pixels are the hints"):
            read_hints(tmp_path / "hints.png", (9, 11))
    picture = np.zeros((4, 9, 10), np.uint8)
    picture[:, 2, 2] = 255
    for hints, message in ((picture, "10×9 pixels, and the photograph 64×48"), (picture / 255, "must be uint8")):
        with pytest.raises(UserError, match=message):
            colorize.guide(*halves, hints)
    ab, L = halves
    for words, message in (
        ({"strength": -1}, "strength is -1"), ({"max_chroma": float("nan")}, "max_chroma is nan"),
        ({"hints": [Spot(1, 1, RED)], "reach": 0}, "reach is 0"),
        ({"upsample": "nearest"}, "upsample is 'nearest'; it must be guided or bilinear"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=message):
            colorize.guide(ab, L, **words)
    with pytest.raises(UserError, match="must be"):
        colorize.guide(ab[0], L)


def test_a_large_picture_is_solved_at_a_smaller_size(halves, monkeypatch):
    ab, L = halves
    whole = colorize.guide(ab, L, [Spot(16, 24, RED, 6)], reach=1.0)
    monkeypatch.setattr("colorize.imaging.guidance.LARGEST", 1000)
    smaller = colorize.guide(ab, L, [Spot(16, 24, RED, 6)], reach=1.0)
    assert close(smaller[0, :, 24, 16], RED_AB)
    assert (smaller - whole).abs().mean() < 0.3 * (whole - ab).abs().mean()


@pytest.mark.slow
def test_a_solve_takes_less_than_half_a_second():
    L = 100 * torch.rand(1, 1, 256, 256, generator=torch.Generator().manual_seed(0))
    began = time.process_time()
    colorize.guide(torch.zeros(1, 2, 256, 256), L, [Spot(20 * i, 10 * i, RED, 3) for i in range(12)])
    assert time.process_time() - began < 1  # 0.5 on an idle machine
