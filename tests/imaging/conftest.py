"""Fixtures of this folder's tests."""

import numpy as np
import pytest
from PIL import Image

from colorize.data.sources import Demo


@pytest.fixture(scope="session")
def photograph():
    demo = Demo(size=224)
    return demo.centre(demo.val[0]).permute(1, 2, 0).numpy()


@pytest.fixture
def rgb():
    random = np.random.default_rng(0)
    coarse = Image.fromarray(random.integers(60, 200, (5, 7, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((70, 50), Image.Resampling.BICUBIC))
