"""Linear light and generators with a seed."""

import numpy as np


def seeded(seed=0):
    return np.random.default_rng(seed)
