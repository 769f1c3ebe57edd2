"""A run that is cut short in any way ends as the run that never was. Short here; `campaign.py` is the long one."""

import random
import sys

import pytest

from .runs import FAULTS, Run, at_random, process_killed, same

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
# One network for each fault, so that all six and all faults have their turn
NETWORKS = ["cnn", "gan", "gan_unet", "transformer", "multicolor", "diffusion", "gan", "cnn"]
TURNS = dict(zip(FAULTS, NETWORKS, strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What the uninterrupted run of a network ends with."""
    ended = {}

    def run(model, **settings):
        key = (model, *settings.values())
        if key not in ended:
            reference = Run(model, tmp_path_factory.mktemp(model) / "whole", steps=12, every=4, **settings)
            reference.finish()
            ended[key] = reference.ended()
        return ended[key]

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_a_run_survives(fault, whole, tmp_path):
    cut = Run(TURNS[fault], tmp_path / "cut", steps=12, every=4)
    FAULTS[fault](cut, random.Random(0))
    cut.finish()
    assert same(cut.ended(), whole(TURNS[fault]))


@pytest.mark.slow
def test_kills_at_random_instants(whole, tmp_path):
    cut = Run("diffusion", tmp_path / "cut", steps=12, every=4)
    assert at_random(cut, random.Random(1), 12) > 0
    assert same(cut.ended(), whole("diffusion"))


@pytest.mark.slow
def test_one_of_two_processes_dies(whole, tmp_path):
    cut = Run("gan_unet", tmp_path / "cut", steps=12, every=4, processes=2)
    process_killed(cut, random.Random(0))
    assert same(cut.ended(), whole("gan_unet", processes=2))
