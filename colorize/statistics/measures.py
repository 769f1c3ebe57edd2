"""What each metric is called in a table, in which unit, and which of two numbers is the better one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Better = Literal["higher", "lower", "truth"] | None


@dataclass(frozen=True)
class Measure:
    """How to read a metric.

    better  "higher", "lower", "truth": nearer to what the true picture has, or None: neither end is the good one
    target  what the truth has of it by definition, such as 1 for a ratio; otherwise the row `truth` says it
    """

    title: str
    better: Better
    unit: str = ""
    digits: int = 4
    target: float | None = None

    @property
    def heading(self) -> str:
        """The title with unit and direction, for the head of a column."""
        arrow = {"higher": " ↑", "lower": " ↓", "truth": " → truth", None: ""}[self.better]
        return f"{self.title}{f' {self.unit}' if self.unit else ''}{arrow}"

    def goodness(self, values: np.ndarray, truth: np.ndarray | float | None = None) -> np.ndarray:
        """The values on a scale on which more is better, in the same unit; as they are where neither end is better."""
        if self.better == "lower":
            return -values
        if self.better == "truth":
            wanted = self.target if truth is None else truth
            if wanted is None:
                raise ValueError(f"{self.title} is better the nearer it is to the truth's, which is not given")
            return -np.abs(values - wanted)
        return values


MEASURES = {
    "psnr": Measure("PSNR", "higher", "dB", 2),
    "psnr_pooled": Measure("PSNR pooled", "higher", "dB", 2),
    "ssim": Measure("SSIM", "higher"),
    "lpips_alex": Measure("LPIPS alex", "lower"),
    "lpips_vgg": Measure("LPIPS vgg", "lower"),
    "ciede2000": Measure("CIEDE2000", "lower", "ΔE", 2),
    "chroma_error": Measure("chroma error", "lower", "", 2),
    "hue_error": Measure("hue error", "lower", "°", 1),
    "colorfulness": Measure("colourfulness", "truth", "", 1),
    "colorfulness_abs": Measure("colourfulness abs", "truth", "", 1),
    "delta_colorfulness": Measure("ΔCF of means", "lower", "", 2),
    "delta_colorfulness_abs": Measure("ΔCF abs of means", "lower", "", 2),
    "delta_colorfulness_pictures": Measure("ΔCF of pictures", "lower", "", 2),
    "delta_colorfulness_abs_pictures": Measure("ΔCF abs of pictures", "lower", "", 2),
    "chroma": Measure("chroma", "truth", "", 3, target=1.0),
    "features": Measure("feature distance", "lower"),
    "chroma_mean": Measure("mean chroma", "truth", "", 2),
    "chroma_spread": Measure("chroma spread", "truth", "", 2),
    "patchiness": Measure("patchiness", "lower", "", 3),
    "l_shift": Measure("lightness shift", "lower", "", 3),
    "out_of_gamut": Measure("out of gamut", "lower", "", 4),
    "bleeding": Measure("bleeding", "lower", "", 3),
    "diversity": Measure("diversity", None),
    "top1": Measure("recognised", "higher", "", 3),
}
FAMILIES = {
    "fid_inf": Measure("FID∞", "lower", "", 2), "fid": Measure("FID", "lower", "", 2),
    "fd_inf": Measure("FD∞", "lower", "", 3), "fd": Measure("FD", "lower", "", 3),
    "kid_paired": Measure("KID without pairs", "lower", "", 5), "kid": Measure("KID", "lower", "", 5),
    "kd_paired": Measure("KD without pairs", "lower", "", 5), "kd": Measure("KD", "lower", "", 5),
    "precision": Measure("precision", "higher", "", 3), "recall": Measure("recall", "higher", "", 3),
}  # fmt: skip


def measure(name: str) -> Measure:
    """The metric of a name: its own, or its family's followed by the extractor, as `fd_efficientnet_lite0`.

    One that is not known here is shown, and neither end of it is called better.
    """
    if name in MEASURES:
        return MEASURES[name]
    for family, known in FAMILIES.items():
        if name == family or name.startswith(f"{family}_"):
            extractor = name.removeprefix(family).strip("_")
            title = f"{known.title} {extractor}".strip()
            return Measure(title, known.better, known.unit, known.digits)
    return Measure(name, None)
