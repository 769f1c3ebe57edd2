"""Distances between distributions of pictures, in the features of a named network with the very weights it is known by.

`create_extractor` finds a network or says why not; `DistributionMetric` is fed pictures and answers numbers with
intervals; the other names are the measures themselves.
"""

from colorize.distribution.extractors import EXTRACTORS, Extractor, create_extractor
from colorize.distribution.frechet import Estimate, frechet, frechet_distance, frechet_infinite, frechet_influence
from colorize.distribution.kernel import kernel_distance
from colorize.distribution.manifold import precision_recall
from colorize.distribution.metric import DistributionMetric, Scores
from colorize.distribution.sums import Features, FeatureSums

__all__ = [
    "EXTRACTORS", "DistributionMetric", "Estimate", "Extractor", "FeatureSums", "Features",
    "Scores", "create_extractor", "frechet", "frechet_distance", "frechet_infinite", "frechet_influence",
    "kernel_distance", "precision_recall",
]  # fmt: skip
