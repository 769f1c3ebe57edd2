"""Metrics: each reads the same painted and true pictures, pixel for pixel."""

from colorize.metrics.bleeding import Bleeding
from colorize.metrics.chroma import Chroma, ChromaError, ChromaSpread, HueError, MeanChroma
from colorize.metrics.ciede import CIEDE2000
from colorize.metrics.colorfulness import Colorfulness, ColorfulnessDifference, MeanColorfulnessDifference, grey_note
from colorize.metrics.diversity import Diversity, ab_diversity, perceptual_diversity
from colorize.metrics.features import FeatureDistance
from colorize.metrics.gamut import LightnessShift, OutOfGamut
from colorize.metrics.image import PSNR, SSIM, PooledPSNR
from colorize.metrics.judge import Judge
from colorize.metrics.kernel import KernelDistance
from colorize.metrics.lpips import LPIPS
from colorize.metrics.metric import Column, Metric, column_name, measure_all
from colorize.metrics.patchiness import Patchiness
from colorize.metrics.picture import Pair, Picture
from colorize.metrics.recognition import Recognition

__all__ = [
    "CIEDE2000", "LPIPS", "PSNR", "SSIM", "Bleeding", "Chroma", "ChromaError", "ChromaSpread", "Colorfulness",
    "ColorfulnessDifference", "Column", "Diversity", "FeatureDistance", "HueError", "Judge", "KernelDistance",
    "LightnessShift", "MeanChroma", "MeanColorfulnessDifference", "Metric", "OutOfGamut", "Pair", "Patchiness",
    "Picture", "PooledPSNR", "Recognition", "ab_diversity", "column_name", "grey_note",
    "measure_all", "perceptual_diversity",
]  # fmt: skip
