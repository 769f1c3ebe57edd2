"""Metrics: each reads the same painted and true pictures, pixel for pixel."""

from colorize.metrics.artifacts import Bleeding, Patchiness
from colorize.metrics.colorfulness import (
    Chroma,
    ChromaError,
    ChromaSpread,
    Colorfulness,
    ColorfulnessDifference,
    Diversity,
    HueError,
    LightnessShift,
    MeanChroma,
    MeanColorfulnessDifference,
    OutOfGamut,
    ab_diversity,
    grey_note,
    perceptual_diversity,
)
from colorize.metrics.full_reference import CIEDE2000, PSNR, SSIM, PooledPSNR
from colorize.metrics.kernel_distance import KernelDistance
from colorize.metrics.metric import Column, Metric, Pair, Picture, column_name, measure_all
from colorize.metrics.perceptual import LPIPS, FeatureDistance, Judge, Recognition

__all__ = [
    "CIEDE2000",
    "LPIPS",
    "PSNR",
    "SSIM",
    "Bleeding",
    "Chroma",
    "ChromaError",
    "ChromaSpread",
    "Colorfulness",
    "ColorfulnessDifference",
    "Column",
    "Diversity",
    "FeatureDistance",
    "HueError",
    "Judge",
    "KernelDistance",
    "LightnessShift",
    "MeanChroma",
    "MeanColorfulnessDifference",
    "Metric",
    "OutOfGamut",
    "Pair",
    "Patchiness",
    "Picture",
    "PooledPSNR",
    "Recognition",
    "ab_diversity",
    "column_name",
    "grey_note",
    "measure_all",
    "perceptual_diversity",
]
