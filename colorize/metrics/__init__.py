"""Metrics: each reads the same painted and true pictures, pixel for pixel."""

from colorize.metrics.chroma import Chroma, ChromaError, ChromaSpread, HueError, MeanChroma
from colorize.metrics.ciede import CIEDE2000
from colorize.metrics.colorfulness import Colorfulness, ColorfulnessDifference, MeanColorfulnessDifference, grey_note
from colorize.metrics.features import FeatureDistance
from colorize.metrics.gamut import LightnessShift, OutOfGamut
from colorize.metrics.image import PSNR, SSIM, PooledPSNR
from colorize.metrics.metric import Column, Metric, measure_all
from colorize.metrics.picture import Pair, Picture

__all__ = [
    "CIEDE2000", "PSNR", "SSIM", "Chroma", "ChromaError", "ChromaSpread", "Colorfulness", "ColorfulnessDifference",
    "Column", "FeatureDistance", "HueError", "LightnessShift", "MeanChroma", "MeanColorfulnessDifference", "Metric",
    "OutOfGamut", "Pair", "Picture", "PooledPSNR", "grey_note", "measure_all",
]  # fmt: skip
