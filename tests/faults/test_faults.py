"""A run that is cut short in any way ends as the run that never was. Short here; `campaign.py` is the long one.

What cuts a run short happens to a process of its own; the runs before and after it train in this one.
"""

import random
import sys

import pytest

from colorize.cli import main

from .injections import FAULTS, at_random, process_killed
from .runs import RECIPES, Run, same

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it looks into /proc")
# Two networks that have every kind of state take turns: critic and two phases, and chance. The other signals and the
# other networks: by --slow
TURNS = {
    "SIGTERM": "gan_unet", "SIGUSR2": "diffusion", "disk full": "gan_unet", "newest truncated": "diffusion",
    "newest bit-flipped": "gan_unet", "worker killed": "diffusion", "SIGKILL while writing": "gan_unet",
    "SIGINT while writing": "diffusion",
}  # fmt: skip
OTHERS = [(fault, model) for fault in FAULTS for model in RECIPES if TURNS.get(fault) != model]


def finish(run: Run) -> None:
    """As the run's own `finish`, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["colorize"])
        assert main(["train", *run.command[2:]]) == 0


@pytest.fixture
def whole(once):
    """What the uninterrupted run of a network ends with."""

    def ended(model, **settings):
        def run(folder):
            return Run(model, folder / "whole", steps=12, every=4, **settings)

        make = finish if not settings else Run.finish
        name = "-".join(["whole", model, *map(str, settings.values())])
        return run(once(name, lambda folder: make(run(folder)))).ended()

    return ended


@pytest.mark.parametrize(
    ("fault", "model"), [*TURNS.items(), *(pytest.param(*pair, marks=pytest.mark.slow) for pair in OTHERS)]
)
def test_a_run_survives(fault, model, whole, tmp_path):
    cut = Run(model, tmp_path / "cut", steps=12, every=4)
    FAULTS[fault](cut, random.Random(0))
    finish(cut)
    assert same(cut.ended(), whole(model))


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
