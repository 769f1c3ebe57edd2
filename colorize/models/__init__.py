"""The networks. Each file is one model, to be read beside its paper."""

from colorize.models.base import Colorizer
from colorize.models.cnn import CNN
from colorize.models.critics import Critic, PatchCritic
from colorize.models.transformer import Transformer

__all__ = ["CNN", "Colorizer", "Critic", "PatchCritic", "Transformer"]
