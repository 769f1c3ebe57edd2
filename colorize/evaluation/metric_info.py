"""Title, unit and direction of each metric; metrics built from a config group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import inf, isnan
from typing import TYPE_CHECKING, Literal

import numpy as np
from omegaconf import DictConfig
from rich.table import Table

from colorize.config import build_part
from colorize.metrics.metric import Metric
from colorize.utils.console import console
from colorize.utils.errors import UnavailableError

if TYPE_CHECKING:
    from colorize.evaluation.bootstrap import Interval

Better = Literal["higher", "lower", "truth"] | None


@dataclass(frozen=True)
class Measure:
    """How to read a metric.

    better  "higher", "lower", "truth": nearer to what the true picture has, or None: neither end is the good one
    target  what the truth has of it by definition, such as 1 for a ratio; otherwise the row `truth` says it
    low, high  values beyond which there are none, such as 0 and 1 of a share
    """

    title: str
    better: Better
    unit: str = ""
    digits: int = 4
    target: float | None = None
    low: float = -inf
    high: float = inf

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

    def within(self, interval: Interval) -> Interval:
        """The interval without what no value can be: its method knows nothing of such ends."""
        if isnan(interval.low) or isnan(interval.high):
            return interval
        return replace(interval, low=max(interval.low, self.low), high=min(interval.high, self.high))


MEASURES = {
    "psnr": Measure("PSNR", "higher", "dB", 2),
    "psnr_pooled": Measure("PSNR pooled", "higher", "dB", 2),
    "ssim": Measure("SSIM", "higher", high=1),
    "lpips_alex": Measure("LPIPS alex", "lower", low=0),
    "lpips_vgg": Measure("LPIPS vgg", "lower", low=0),
    "ciede2000": Measure("CIEDE2000", "lower", "ΔE", 2, low=0),
    "chroma_error": Measure("chroma error", "lower", "", 2, low=0),
    "hue_error": Measure("hue error", "lower", "°", 1, low=0, high=180),
    "colorfulness": Measure("colourfulness", "truth", "", 1, low=0),
    "colorfulness_abs": Measure("colourfulness abs", "truth", "", 1, low=0),
    "delta_colorfulness": Measure("ΔCF of means", "lower", "", 2),
    "delta_colorfulness_abs": Measure("ΔCF abs of means", "lower", "", 2),
    "delta_colorfulness_pictures": Measure("ΔCF of pictures", "lower", "", 2),
    "delta_colorfulness_abs_pictures": Measure("ΔCF abs of pictures", "lower", "", 2),
    "chroma": Measure("chroma", "truth", "", 3, target=1.0, low=0),
    "features": Measure("feature distance", "lower", low=0),
    "chroma_mean": Measure("mean chroma", "truth", "", 2, low=0),
    "chroma_spread": Measure("chroma spread", "truth", "", 2, low=0),
    "patchiness": Measure("patchiness", "lower", "", 3, low=0),
    "l_shift": Measure("lightness shift", "lower", "", 3, low=0),
    "out_of_gamut": Measure("out of gamut", "lower", "", 4, low=0, high=1),
    "bleeding": Measure("bleeding", "lower", "", 3, low=0),
    "diversity": Measure("diversity", None, low=0),
    "top1": Measure("recognised", "higher", "", 3, low=0, high=1),
}
FAMILIES = {
    "fid_inf": Measure("FID∞", "lower", "", 2), "fid": Measure("FID", "lower", "", 2, low=0),
    "fd_inf": Measure("FD∞", "lower", "", 3), "fd": Measure("FD", "lower", "", 3, low=0),
    "kid_paired": Measure("KID without pairs", "lower", "", 5), "kid": Measure("KID", "lower", "", 5),
    "kd_paired": Measure("KD without pairs", "lower", "", 5), "kd": Measure("KD", "lower", "", 5),
    "precision": Measure("precision", "higher", "", 3, low=0, high=1),
    "recall": Measure("recall", "higher", "", 3, low=0, high=1),
}  # fmt: skip

OTHERS: dict[str, Measure] = {}  # metrics that the user brought, as they say of themselves


def tell_measure(name: str, label: str, better: Better, unit: str = "") -> None:
    """Let `measure` know a metric that it does not have: one of the user's own."""
    if measure(name) == Measure(name, None):
        OTHERS[name] = Measure(label, better, unit)


def told_measures(names: Iterable[str]) -> dict[str, dict[str, str | None]]:
    """What a file has to keep of these metrics, so that whoever reads it can tell `measure` again."""
    known = {name: OTHERS[name] for name in names if name in OTHERS}
    return {name: {"label": m.title, "better": m.better, "unit": m.unit} for name, m in known.items()}


def measure(name: str) -> Measure:
    """The metric of a name: its own, or its family's followed by the extractor, as `fd_efficientnet_lite0`.

    One that nobody told of is shown, and neither end of it is called better.
    """
    if name in MEASURES or name in OTHERS:
        return MEASURES.get(name) or OTHERS[name]
    for family, known in FAMILIES.items():
        if name == family or name.startswith(f"{family}_"):
            extractor = name.removeprefix(family).strip("_")
            return replace(known, title=f"{known.title} {extractor}".strip())
    return Measure(name, None)


def make_metrics(node: DictConfig, *, strict: bool = False) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics of a config group by name, and why others cannot be had here; with `strict`, such a one raises."""
    metrics, absent = {}, {}
    for name in map(str, node):
        try:
            metrics[name] = build_part(node[name], f"metrics.{name}")
        except UnavailableError as error:
            if strict:
                raise UnavailableError(f"metric {name!r} cannot be had: {error}") from error
            absent[name] = str(error)
        else:
            tell_measure(name, metrics[name].label, metrics[name].better, metrics[name].unit)
    return metrics, absent


def without_samples(metrics: dict[str, Metric]) -> dict[str, str]:
    """Take out what training cannot measure, since it paints every photograph once; and why."""
    absent = {name: "training paints every photograph once" for name, m in metrics.items() if "samples" in m.needs}
    for name in absent:
        del metrics[name]
    return absent


def measured_on(photographs: int, size: int) -> str:
    """What a table of scores was measured on, in words."""
    return f"{photographs} validation photographs, centre square at {size}²"


def score_table(rows: Mapping[str, Mapping[str, float | None]], title: str) -> None:
    """A row for each painter, a column for each metric; None where a metric has no number for it."""
    columns = {name: measure(name) for row in rows.values() for name in row}
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")  # a long name takes two lines, it is not cut
    for known in columns.values():  # a long heading takes several lines, and leaves its width to the names of runs
        words = re.sub(r"[ _]", "\n", known.title) + known.heading.removeprefix(known.title)
        table.add_column(words.replace(" →", "\n→"), justify="right")
    for name, row in rows.items():
        cells = ["–" if row.get(c) is None else f"{row[c]:.{known.digits}f}" for c, known in columns.items()]
        table.add_row(name, *cells)
    console.print(table)
