"""Fading, halftones, marks and levels: each by its measurable effect."""

from functools import partial

import numpy as np
import pytest

from colorize.imaging import film_damage as wear
from tests.helpers.light import seeded


def test_fading_lightens_blacks_and_darkens_whites():
    density = np.array([[0.0, 2.0]], np.float32)
    faded = wear.fade(density, 0.3, 0.1, np.zeros((1, 2)))
    assert faded.tolist() == [pytest.approx([0.1, 1.5])]


@pytest.mark.parametrize("tone", [0.2, 0.5, 0.8])
def test_a_halftone_keeps_every_tone(tone):
    """Murray and Davies: the bare share of the paper is the tone, between ink's 4 % and newsprint's 80 %."""
    dots = wear.halftone(np.full((200, 200), tone, np.float32), 3.1)
    assert dots.mean() == pytest.approx(0.04 + 0.76 * tone, abs=0.03)
    assert dots.std() > 0.1


def test_marks_go_to_paper_or_to_black():
    density, full, none = np.full((4, 4), 0.8), np.ones((4, 4)), np.zeros((4, 4))
    assert wear.marked(density, full, none, 2.0).max() == 0
    assert wear.marked(density, none, full, 2.0).min() == 2.0
    assert np.array_equal(wear.marked(density, none, none, 2.0), density)


MARKS = [
    partial(wear.specks, count=20, size=0.01), partial(wear.hairs, count=2, length=0.2),
    partial(wear.scratches, count=3),
]  # fmt: skip


@pytest.mark.parametrize("draw", MARKS)
def test_marks_are_few_and_somewhere(draw):
    masks = [wear.mark_mask((120, 160), draw, seeded(seed)) for seed in range(8)]
    assert all(mask.shape == (120, 160) and mask.min() >= 0 and mask.max() <= 1 for mask in masks)
    assert 0 < np.mean([(mask > 0.2).mean() for mask in masks]) < 0.1


def test_levels_pull_the_ends_apart_but_not_of_one_tone():
    ramp = np.linspace(60, 180, 300, dtype=np.float32).reshape(10, 30)
    pulled = wear.scanner_levels(ramp, 1.0)
    assert pulled.min() < 5
    assert pulled.max() > 250
    assert np.array_equal(wear.scanner_levels(ramp, 0.0), ramp)
    flat = np.linspace(100, 140, 300).reshape(10, 30)
    assert np.array_equal(wear.scanner_levels(flat, 1.0), flat)
