"""The prediction of a photograph: the size at which colours agree most."""

import pytest
import torch
from torch import nn

import colorize
from colorize.models.base import Colorizer
from colorize.models.prediction import most_agreed, size_of_input, sizes_to_compare


class BySize(Colorizer):
    """Its colour depends on the shorter side alone."""

    answers = frozenset({"ab"})

    def __init__(self, colors: dict, fixed_size: int | None = None):
        super().__init__()
        self.colors, self.fixed_size, self.zero = colors, fixed_size, nn.Parameter(torch.zeros(1))
        self.asked = []

    def predict_ab(self, L):
        side = min(L.shape[2:])
        self.asked.append(side)
        return self.zero + float(self.colors[side]) * torch.ones_like(L).expand(-1, 2, -1, -1)


@pytest.mark.parametrize(
    ("colors", "size"),
    [
        ({24: 10, 18: 11, 12: 30}, 18),  # the smallest is far off, and 18 is nearer to it
        ({24: 30, 18: 11, 12: 10}, 18),
        ({24: 10, 18: 30, 12: 11}, 12),
        ({24: 11, 18: 30, 12: 10}, 24),
        ({24: 5, 18: 5, 12: 5}, 24),
    ],
)
def test_the_size_is_taken_whose_colours_agree_most_with_those_at_the_other_two(colors, size):
    model, L = BySize(colors).eval(), 100 * torch.rand(1, 1, 90, 60)
    assert colorize.choose_size(model, L, 24) == size
    assert model.asked == [24, 18, 12]


def test_answers_of_different_sizes_are_compared_at_that_of_the_first():
    ramp = torch.linspace(-20, 20, 8).expand(1, 2, 6, 8)
    larger = nn.functional.interpolate(ramp, (18, 24), mode="bilinear")
    assert most_agreed([-ramp, ramp, larger]) in (1, 2)
    assert most_agreed([larger, -ramp, ramp]) in (0, 2)
    assert most_agreed([ramp]) == 0


def test_a_network_of_one_size_is_not_asked():
    model = BySize({32: 10}, fixed_size=32).eval()
    assert sizes_to_compare(model, 24) == [24]
    assert colorize.choose_size(model, 100 * torch.rand(1, 1, 60, 90)) == 32
    assert model.asked == [32]


def test_a_panorama_is_at_most_four_times_as_long_as_the_size():
    assert size_of_input(100, 150, 50) == (50, 75)
    assert size_of_input(100, 4000, 50) == (5, 200)
