"""Losses: weighted sums of named terms."""

from colorize.losses.adversarial import Adversarial
from colorize.losses.classify import Classify
from colorize.losses.colorful import Colorfulness
from colorize.losses.loss import Loss, Term
from colorize.losses.noise import NoiseError
from colorize.losses.perceptual import Perceptual
from colorize.losses.pixel import L1, RGB, ChromaL1, SquaredError

__all__ = [
    "L1", "RGB", "Adversarial", "ChromaL1", "Classify", "Colorfulness", "Loss", "NoiseError", "Perceptual",
    "SquaredError", "Term",
]  # fmt: skip
