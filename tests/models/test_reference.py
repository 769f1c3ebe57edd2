"""Colours of a reference, region by region, and the spread of a network's answers."""

import pytest
import torch
from torch import nn

from colorize.models.base import Colorizer
from colorize.models.confidence import DRAWS, VIEWS, View, color_spread, expected_error, several_answers
from colorize.models.reference import Reference


@pytest.fixture(scope="module")
def textures():
    """A striped upper half and a chequered lower half, 96², as lightness; and one colour for each half."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    upper, lower = 60 + 25 * (x / 3).sin().sign(), 40 + 20 * (x / 9).sin().sign() * (y / 9).sin().sign()
    L = torch.where(y < 48, upper, lower)[None, None]
    ab = torch.where(y < 48, torch.tensor([30.0, 10.0]).view(2, 1, 1), torch.tensor([-25.0, 20.0]).view(2, 1, 1))
    return L, ab[None]


def test_a_photograph_is_its_own_reference(textures):
    L, ab = textures
    assert torch.allclose(Reference(L, ab).transfer(L, ab), ab, atol=1e-3)


def test_each_region_gets_the_colours_of_what_looks_like_it(textures):
    """The reference is upside down: colours follow what is there, not where it is."""
    L, ab = textures
    grey = torch.zeros_like(ab)
    painted = Reference(L.flip(2), ab.flip(2)).transfer(L, grey)
    for half in (slice(4, 40), slice(56, 92)):
        wanted, found = (each[:, :, half, 4:-4].mean(dim=(0, 2, 3)) for each in (ab, painted))
        assert (found - wanted).norm() < 0.5 * wanted.norm()


def test_a_reference_changes_the_spread_of_colours_too(textures):
    L, ab = textures
    noise = torch.randn(1, 2, 12, 12, generator=torch.Generator().manual_seed(0)).repeat_interleave(8, 2)
    vivid = ab + 12 * noise.repeat_interleave(8, 3)
    dull = Reference(L, vivid).transfer(L, ab + 0.25 * (vivid - ab))
    assert dull.std() > 0.8 * vivid.std()


class Positions(Colorizer):
    """Answers the column, in hundredths of the width: what changes under all views but none at all."""

    answers = frozenset({"ab"})

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def predict_ab(self, L):
        columns = torch.linspace(0, 100, L.shape[3]).expand(1, 1, *L.shape[2:])
        return torch.cat([columns, 0 * columns], dim=1) * self.scale


class Draws(Positions):
    stochastic = True

    def predict_ab(self, L, generator=None):
        (one,) = generator
        noise = torch.randn(1, 2, 1, 1, generator=one).expand(1, 2, *L.shape[2:]).clone()
        return noise * (torch.arange(L.shape[3]) < 8)


class Lightness(Positions):
    def predict_ab(self, L):
        return torch.cat([L, -L], dim=1) * self.scale


L = 100 * torch.rand(1, 1, 24, 40, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("view", [View(flip=True), View(shift=5), View(flip=True, shift=3)])
def test_views_are_mapped_back(view):
    model = Lightness()
    assert torch.allclose(view.colorize(model, L), model.colorize(L))


def test_a_network_that_answers_the_same_to_all_views_has_no_spread():
    model = Lightness()
    flat = torch.full_like(L, 50)
    assert color_spread(several_answers(model, flat, [model.colorize(flat)])).max() < 1e-4


def test_the_spread_is_the_root_mean_square_distance():
    model = Positions()
    answers = [model.colorize(L), *(view.colorize(model, L) for view in VIEWS)]
    spread = color_spread(several_answers(model, L, answers[:1]))
    assert spread.shape == L.shape
    column = torch.stack([each[0, 0, 5, 30] for each in answers])
    assert spread[0, 0, 5, 30] == pytest.approx(float(column.std(correction=0)), abs=1e-3)


def test_a_network_that_draws_is_asked_again_and_the_same_each_time():
    model = Draws()
    first = model.colorize(L, [torch.Generator().manual_seed(1)])
    spread = color_spread(several_answers(model, L, [first]))
    assert torch.equal(spread, color_spread(several_answers(model, L, [first])))
    assert spread[..., 8:].max() == 0
    assert 0.3 < spread[..., :8].mean() < 3
    many = [model.colorize(L, [torch.Generator().manual_seed(i)]) for i in range(DRAWS + 4)]
    expected = torch.cat(many).std(dim=0, correction=0).norm(dim=0)
    assert torch.allclose(color_spread(several_answers(model, L, many))[0, 0], expected, atol=1e-5)


def test_the_expected_error_is_made_of_spread_chroma_and_lightness():
    tones = torch.tensor([0.0, 25.0, 50.0, 100.0]).view(1, 1, 1, 4)
    grey = torch.zeros(4, 2, 1, 4)
    assert torch.allclose(expected_error(tones, grey).flatten(), torch.tensor([0.0, 15.0, 20.0, 0.0]))
    strong = grey + torch.tensor([60.0, 80.0]).view(1, 2, 1, 1)  # a chroma of 100, which all answers agree on
    assert torch.allclose(expected_error(tones, strong).flatten()[[0, 1]], torch.tensor([25.0, (15**2 + 25**2) ** 0.5]))
    apart = grey.clone()
    apart[::2, 0], apart[1::2, 0] = 6.0, -6.0
    assert expected_error(tones, apart).flatten()[3] == pytest.approx((6**2 + 1.5**2) ** 0.5)
