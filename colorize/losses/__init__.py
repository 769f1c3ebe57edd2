"""Losses: weighted sums of named terms."""

from colorize.losses.adversarial import Adversarial
from colorize.losses.loss import L1, RGB, ChromaL1, Classify, Colorfulness, Loss, NoiseError, SquaredError, Term
from colorize.losses.perceptual import Perceptual
from colorize.losses.rebalanced import BinCrossEntropy

__all__ = [
    "L1",
    "RGB",
    "Adversarial",
    "BinCrossEntropy",
    "ChromaL1",
    "Classify",
    "Colorfulness",
    "Loss",
    "NoiseError",
    "Perceptual",
    "SquaredError",
    "Term",
]
