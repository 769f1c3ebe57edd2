"""Features of pictures by a small projection, and sums of known moments."""

import torch
from torch import nn

from colorize.metrics.distribution import TRUTH, measure_sets
from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import FeatureStore

D = 12


class Projection(nn.Module):
    """A network that anyone can have: a fixed random projection of small pictures, through a ReLU."""

    num_features = D

    def __init__(self):
        super().__init__()
        weight = torch.randn(3 * 8 * 8, D, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weight", weight / 5)

    def forward(self, rgb):
        """(B, 3, H, W) uint8 -> (B, D)"""
        small = nn.functional.adaptive_avg_pool2d(rgb.float() / 255 - 0.5, 8)
        return (small.flatten(1) @ self.weight).relu()


def toy(name="toy"):
    return Extractor(name, Projection(), lambda rgb: rgb, D)


class Measured:
    """Two sets of pictures, their features in a folder, and the distances between them."""

    def __init__(self, extractor, folder):
        self.extractor, self.folder = extractor, folder
        self.store = FeatureStore(extractor, folder)

    def add(self, painted, true):
        self.store.add(painted, "painted")
        self.store.add(true, TRUTH)

    def compute(self, paired=True):
        truth, painted = (self.store.file(row).features() for row in (TRUTH, "painted"))
        return measure_sets(self.extractor, truth, painted, paired=paired)
