"""How each metric is read, by its name: the attributes of its class; metrics built from a config group."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from math import inf
from typing import Any

import numpy as np
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from colorize.config import build_part, conf_folder, metric_class
from colorize.metrics.metric import Better, Metric
from colorize.utils.console import console
from colorize.utils.errors import UnavailableError

LEVEL = 0.95  # of every interval
MAX_DIGITS = 12


@dataclass(frozen=True)
class Interval:
    """A value and its 95 % interval, from `n` pictures; `low` and `high` are NaN where they are unknown."""

    value: float
    low: float
    high: float
    n: int

    def distance_to(self, wanted: float) -> "Interval":
        """|value − wanted|, and where that may lie."""
        low, high = self.low - wanted, self.high - wanted
        nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        return Interval(abs(self.value - wanted), nearest, max(abs(low), abs(high)), self.n)


def proportion_interval(yes: int, n: int) -> Interval:
    """The proportion of yes among n answers, with Wilson's interval (1927), which is right at 0 and 1 too."""
    from scipy.stats import binomtest  # takes half a second to import

    ends = binomtest(yes, n).proportion_ci(LEVEL, "wilson")
    return Interval(yes / n, float(ends.low), float(ends.high), n)


@dataclass(frozen=True)
class MetricInfo:
    """How to read a metric: the attributes of its class, and their defaults (`Metric`)."""

    label: str
    better: Better = Metric.better
    unit: str = Metric.unit
    digits: int = Metric.digits
    target: float | None = Metric.target
    low: float = Metric.low
    high: float = Metric.high
    prominence: int = Metric.prominence
    views: tuple[str, ...] = Metric.views
    aggregation: str = Metric.aggregation

    @property
    def heading(self) -> str:
        """The label with unit and direction, for the head of a column."""
        arrow = {"higher": " ↑", "lower": " ↓", "truth": " → truth", None: ""}[self.better]
        return f"{self.label}{f' {self.unit}' if self.unit else ''}{arrow}"

    def with_truth(self, known: bool) -> "MetricInfo":
        """How it is read where the truth's own value is `known` or not: where not, neither end of a metric that is best
        near it is better."""
        return self if known or self.better != "truth" or self.target is not None else replace(self, better=None)

    def oriented(self, values: np.ndarray, truth: np.ndarray | float | None = None) -> np.ndarray:
        """The values on a scale on which more is better, in the same unit; as they are where neither end is better."""
        if self.better == "lower":
            return -values
        if self.better == "truth":
            wanted = self.target if truth is None else truth
            if wanted is None:
                raise ValueError(f"{self.label} is better the nearer it is to the truth's, which is not given")
            return -np.abs(values - wanted)
        return values

    def clip(self, interval: Interval) -> Interval:
        """The interval without values that there are none of: its method knows nothing of such ends."""
        return replace(interval, low=max(interval.low, self.low), high=min(interval.high, self.high))

    def stored(self) -> dict[str, Any]:
        """What a file keeps of it: label, better and unit, and what is not the default; as arguments it comes back."""
        known = MetricInfo(self.label)
        return {name: value for name, value in asdict(self).items()
                if name in ("label", "better", "unit") or value != getattr(known, name)}  # fmt: skip


def is_stored_info(held: Any) -> bool:
    """Whether `MetricInfo.stored` may have written it."""
    numbers = int | float | None
    kinds: dict[str, Any] = {"digits": int, "target": numbers, "low": numbers, "high": numbers, "prominence": int}
    return (
        isinstance(held, Mapping) and {"label", "better", "unit"} <= held.keys() <= MetricInfo.__annotations__.keys()
        and held["better"] in ("higher", "lower", "truth", None)
        and all(isinstance(value, kinds.get(name, str | list | tuple | None)) for name, value in held.items())
        and 0 <= held.get("digits", 0) <= MAX_DIGITS
    )  # fmt: skip


def info_from(part: Metric | type[Metric], **changes: Any) -> MetricInfo:
    """The attributes of a metric or of its class, with `changes`."""
    held: dict[str, Any] = {each.name: getattr(part, each.name, "") for each in fields(MetricInfo)}
    return MetricInfo(**held | changes)


@cache
def package_metrics() -> dict[str, tuple[type[Metric], MetricInfo]]:
    """The metrics of this package by the names of `conf/metrics/full.yaml`; none is built for it."""
    found = {}
    for name, node in OmegaConf.load(conf_folder() / "metrics" / "full.yaml").items():
        part = metric_class(node)
        found[str(name)] = part, info_from(part, **part.variant(**node))
    return found


def function_of_means(part: Metric | type[Metric]) -> Callable[[np.ndarray], np.ndarray]:
    """`finish` of means (…, k) of the metric's columns."""
    return lambda means: part.finish({column: means[..., i] for i, column in enumerate(part.columns)})


def _of_sets(label: str, digits: int, better: Better = "lower", low: float = -inf, high: float = inf) -> MetricInfo:
    return MetricInfo(label, better, "", digits, low=low, high=high, aggregation="set")


FAMILIES = {  # of `score_name`
    "fid_inf": _of_sets("FID∞", 2), "fid": _of_sets("FID", 2, low=0),
    "fd_inf": _of_sets("FD∞", 3), "fd": _of_sets("FD", 3, low=0),
    "kid_paired": _of_sets("KID paired", 5), "kid": _of_sets("KID", 5),
    "kd_paired": _of_sets("KD paired", 5), "kd": _of_sets("KD", 5),
    "precision": _of_sets("precision", 3, "higher", low=0, high=1),
    "recall": _of_sets("recall", 3, "higher", low=0, high=1),
}  # fmt: skip
USERS: dict[str, MetricInfo] = {}  # metrics of users, as their classes or the files that hold their values say


def info_of(name: str) -> MetricInfo:
    """The metric of a name: its own, or its family's followed by the extractor, as `fd_efficientnet_lite0`.

    One that nothing is known of is shown by its name, and neither end of it is called better.
    """
    if name in package_metrics():
        return package_metrics()[name][1]
    if name in USERS:
        return USERS[name]
    for family, about in FAMILIES.items():
        if name == family or name.startswith(f"{family}_"):
            return replace(about, label=f"{about.label} {name.removeprefix(family).strip('_')}".strip())
    return MetricInfo(name)


def in_view(view: str, names: Iterable[str]) -> list[str]:
    """The metrics among `names` that are shown in a view (`Metric.views`), the most prominent first."""
    return sorted((name for name in names if view in info_of(name).views), key=lambda name: -info_of(name).prominence)


def register_info(name: str, info: MetricInfo) -> None:
    """Let `info_of` know a metric that it does not know: one of the user's own."""
    if info_of(name) == MetricInfo(name):
        USERS[name] = info


def stored_infos(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What a file has to keep of those of these metrics that are users' own; `read_infos` registers them again."""
    return {name: USERS[name].stored() for name in names if name in USERS}


def read_infos(held: Mapping[str, Mapping[str, Any]]) -> None:
    for name, each in held.items():
        register_info(name, MetricInfo(**each))


def build_metrics(node: DictConfig, *, strict: bool = False) -> tuple[dict[str, Metric], dict[str, str]]:
    """The metrics of a config group by name, and why others are unavailable; with `strict`, such a one raises."""
    metrics, absent = {}, {}
    for name in map(str, node):
        try:
            metrics[name] = build_part(node[name], f"metrics.{name}")
        except UnavailableError as error:
            if strict:
                raise UnavailableError(f"metric {name!r} is unavailable: {error}") from error
            absent[name] = str(error)
        else:
            register_info(name, info_from(metrics[name]))
    return metrics, absent


def leave_out_unavailable(metrics: dict[str, Metric], *, labelled: bool) -> dict[str, str]:
    """Take out what training cannot measure, and why."""
    absent = {name: "training predicts every photograph once" for name, m in metrics.items() if "samples" in m.needs}
    if not labelled:
        absent |= {
            name: "the photographs have no classes of ImageNet" for name, m in metrics.items() if "label" in m.needs
        }
    for name in absent:
        del metrics[name]
    return absent


def measured_on(photographs: int, size: int) -> str:
    """What a table of scores was measured on, in words."""
    return f"{photographs} validation photographs, centre square at {size}²"


def score_table(rows: Mapping[str, Mapping[str, float | None]], title: str) -> None:
    """A row for each predictor, a column for each metric; None where a metric has no number for it."""
    columns = {name: info_of(name) for row in rows.values() for name in row}
    table = Table(title=title, title_justify="left")
    table.add_column("", overflow="fold")  # a long name takes two lines, it is not cut
    for known in columns.values():  # a long heading takes several lines, and leaves its width to the names of runs
        words = re.sub(r"[ _]", "\n", known.label) + known.heading.removeprefix(known.label)
        table.add_column(words.replace(" →", "\n→"), justify="right")
    for name, row in rows.items():
        cells = ["–" if row.get(c) is None else f"{row[c]:.{known.digits}f}" for c, known in columns.items()]
        table.add_row(name, *cells)
    console.print(table)
