"""Losses: weighted sums of named terms."""

from colorize.losses.adversarial import Adversarial
from colorize.losses.classify import Classify
from colorize.losses.colorful import Colorfulness
from colorize.losses.loss import Loss, Term
from colorize.losses.perceptual import Perceptual
from colorize.losses.pixel import L1, SquaredError

__all__ = ["L1", "Adversarial", "Classify", "Colorfulness", "Loss", "Perceptual", "SquaredError", "Term"]
