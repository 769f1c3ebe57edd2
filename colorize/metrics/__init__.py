"""Metrics: each reads the same painted and true pictures, pixel for pixel."""

from colorize.metrics.image import PSNR, SSIM, Colorfulness, Metric

__all__ = ["PSNR", "SSIM", "Colorfulness", "Metric"]
