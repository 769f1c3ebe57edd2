"""The networks. Each file is one model, to be read beside its paper."""

from colorize.models.base import Colorizer
from colorize.models.cnn import CNN
from colorize.models.critics import Critic, PatchCritic, UNetCritic
from colorize.models.diffusion import Diffusion
from colorize.models.multicolor import MultiColor
from colorize.models.transformer import Transformer
from colorize.models.unet import ResNetUNet, UNet

__all__ = [
    "CNN",
    "Colorizer",
    "Critic",
    "Diffusion",
    "MultiColor",
    "PatchCritic",
    "ResNetUNet",
    "Transformer",
    "UNet",
    "UNetCritic",
]
