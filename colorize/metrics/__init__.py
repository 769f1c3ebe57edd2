"""Metrics: each reads the same painted and true pictures, pixel for pixel."""

from colorize.metrics.features import FeatureDistance
from colorize.metrics.image import PSNR, SSIM, Chroma, Colorfulness, Metric

__all__ = ["PSNR", "SSIM", "Chroma", "Colorfulness", "FeatureDistance", "Metric"]
