"""Fixtures of this folder's tests."""

import numpy as np
import pytest

from colorize.evaluation.batches import make_eval_batch
from tests.helpers.evaluations import CPU, frame_of, noise, protocol


@pytest.fixture
def scene(tmp_path):
    frames = [frame_of(noise(seed, 60, 60), tmp_path) for seed in range(3)]
    return make_eval_batch(frames, ["", "", ""], 0, protocol(), CPU)


@pytest.fixture
def many(tmp_path):
    """101 photographs of two sizes."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(101):
        noise(number, 40, 40 + 8 * (number // 30 % 2)).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture
def skewed():
    return np.random.default_rng(0).lognormal(0, 0.7, 200)
