"""What a metric is: numbers for each picture, and what a set of pictures makes of their means; and what it is given.

That is a painted picture beside the true one, and what several metrics need of either, made once.
B batch, H W picture.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from colorize.imaging.color import colorfulness_of, opponents, rgb_to_lab
from colorize.utils.errors import UserError


class Picture:
    """A batch of pictures (B, 3, H, W), uint8 or floating point in 0…1, with Lab and the like computed when asked for.

    True pictures can be handed to every row of a table (grey, a network, …): what is computed of them is kept.
    """

    def __init__(self, rgb: Tensor):
        if rgb.ndim != 4 or rgb.shape[1] != 3 or not (rgb.is_floating_point() or rgb.dtype == torch.uint8):
            raise UserError(
                "a metric takes pictures (B, 3, H, W), uint8 or floating point in 0…1, not "
                f"{tuple(rgb.shape)} {rgb.dtype}"
            )
        self.pixels = rgb
        self._kept: dict[Hashable, Any] = {}

    def __len__(self) -> int:
        return len(self.pixels)

    @cached_property
    def rgb(self) -> Tensor:
        """(B, 3, H, W) float32 in 0…1"""
        return self.pixels.float().div_(255) if self.pixels.dtype == torch.uint8 else self.pixels.float()

    @cached_property
    def lab(self) -> Tensor:
        """(B, 3, H, W) in CIE units"""
        return rgb_to_lab(self.pixels if self.pixels.dtype == torch.uint8 else self.rgb)

    @cached_property
    def chroma(self) -> Tensor:
        """(B, H, W) √(a² + b²)"""
        return self.lab[:, 1].hypot(self.lab[:, 2])

    def colorfulness(self, absolute: bool) -> Tensor:
        """(B,) on the scale of 8-bit values, exactly 0 where a picture is grey"""
        colors = self.once("opponents", lambda: opponents(self.rgb))
        return self.once(("colorfulness", absolute), lambda: colorfulness_of(colors, absolute=absolute, tiny=0.0))

    def once(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """What `compute` answers, kept under `key`: a network that two metrics or two rows share runs once."""
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


GIVEN = {
    "true": "the true colours",
    "L": "the lightness that the network was given",
    "ab": "the network's own answer, before it became pixels",
    "label": "ImageNet's labels",
    "samples": "several paintings of each photograph (samples=4, of a network that draws)",
}


@dataclass(frozen=True)
class Pair:
    """Painted pictures and what is known about them. A metric names in `needs` the fields that it reads."""

    painted: Picture
    true: Picture | None = None
    L: Tensor | None = None  #      (B, 1, H, W) CIE lightness that the network was given
    ab: Tensor | None = None  #     (B, 2, H, W) its answer in CIE units
    label: Tensor | None = None  #  (B,) index among ImageNet's 1000 classes, -1 where there is none
    samples: Tensor | None = None  # (K, B, 3, H, W) uint8, K paintings of each photograph by chance

    def __post_init__(self) -> None:
        B, _, H, W = self.painted.pixels.shape
        true = None if self.true is None else self.true.pixels
        for name, held, wanted in (
            ("true pictures", true, (B, 3, H, W)), ("L", self.L, (B, 1, H, W)), ("ab", self.ab, (B, 2, H, W)),
            ("labels", self.label, (B,)),
        ):  # fmt: skip
            if held is not None and tuple(held.shape) != wanted:
                raise UserError(
                    f"painted pictures of shape {(B, 3, H, W)} go with {name} of shape {wanted}, "
                    f"not {tuple(held.shape)}"
                )

    @property
    def both(self) -> tuple[Picture, Picture]:
        """The painted and the true pictures, where a metric that needs the truth is asked."""
        assert self.true is not None
        return self.painted, self.true

    @property
    def given(self) -> frozenset[str]:
        """The names of what is known."""
        return frozenset(name for name in GIVEN if getattr(self, name) is not None)


def picture_mean(values: Tensor) -> Tensor:
    """(B, …, W) -> (B,) means; rows are added in double precision if the device has it, so that no batch size shows."""
    rows = values.sum(dim=-1, keepdim=True).flatten(1)  # all in double precision takes three times as long
    return rows.sum(dim=1, dtype=widest(values)) / values.shape[1:].numel()


def widest(values: Tensor) -> torch.dtype:
    """Double precision, which Apple's GPUs do not have."""
    return torch.float32 if values.device.type == "mps" else torch.float64


ASIDE: dict[str, Any] = {"prominence": 0, "views": ()}  # of a second variant of a metric
Better = Literal["higher", "lower", "truth"] | None
Parts = dict[str, tuple[float, int]]


class Column(NamedTuple):
    """What users' metrics may say of each of their `columns`, which then is a dict of these."""

    label: str
    better: Better
    unit: str = ""


class Metric:
    """Numbers for each picture. Their means over a set are kept in double precision, whatever the batch size.

    How tables and pages read the value over a set, `MetricInfo`:

    label, unit, digits  title, unit, and digits after the point
    better      "truth": nearer to what the true pictures have; None: neither end is the better one
    target      what the truth has by definition, such as 1 of a ratio; None: the true pictures' own value
    low, high   values beyond which there are none, such as 0 and 1 of a share
    prominence  above 0: shown first, the highest number before the others
    views       where else it is shown: "curve", as a curve of training; "samples", photographs are ranked by it;
                "grey", a single result is compared with grey in it, as it is in those that are shown first
    aggregation  "mean" of the column ""; "share", the same of yes (1) and no (0); "function", `finish` of the columns'
                means; "difference", `finish` is |mean of `painted` − mean of `truth`|; "set", no picture has a number

    Other attributes:

    needs      the fields of `Pair` that it reads besides the painted picture
    columns    names of the numbers of each picture; "" is the one that is named as the metric itself
    undefined  why a picture, or a set, may have no number (NaN), if it may: such a picture is left out of the mean
    origin     where the weights come from, if there are any
    """

    label: str
    better: Better = None
    unit: str = ""
    digits: int = 4
    target: float | None = None
    low: float = -inf
    high: float = inf
    prominence: int = 0
    views: tuple[str, ...] = ()
    aggregation: Literal["mean", "share", "function", "difference", "set"] = "mean"
    needs: frozenset[str] = frozenset()
    columns: Collection[str] = ("",)
    undefined: str = ""
    origin: str = ""

    def __init__(self) -> None:
        self.reset()

    def of(self, pair: Pair) -> Tensor | dict[str, Tensor]:
        """(B,), or one for each of `columns`. NaN where it is not defined."""
        raise NotImplementedError

    @classmethod
    def variant(cls, **arguments: Any) -> dict[str, Any]:
        """The attributes that differ from the class's in a metric that is built with these arguments."""
        return {}

    @staticmethod
    def finish(means: Mapping[str, Any]) -> Any:
        """The value over a set from the means of the columns: of floats, or of arrays with a mean for each resample."""
        return means[""]

    def lacks(self, given: frozenset[str]) -> str | None:
        """Why it cannot be measured where only these fields of `Pair` are given; None where it can."""
        missing = [GIVEN[name] for name in GIVEN if name in self.needs - given]
        return f"{self.label} needs {' and '.join(missing)}" if missing else None

    @torch.no_grad()
    def named(self, pair: Pair) -> dict[str, Tensor]:
        """(B,) for each of `columns`. Raises `UserError` where the pair lacks what is needed."""
        if reason := self.lacks(pair.given):
            raise UserError(reason)
        values = self.of(pair)
        return values if isinstance(values, dict) else {"": values}

    def measure(self, rgb_hat: Tensor, rgb: Tensor | None = None) -> Tensor | dict[str, Tensor]:
        """Painted and true pictures (B, 3, H, W), uint8 or in 0…1 -> (B,), or several by name."""
        values = self.named(Pair(Picture(rgb_hat), None if rgb is None else Picture(rgb)))
        return values[""] if values.keys() == {""} else values

    def reset(self) -> None:
        self._parts: Parts = dict.fromkeys(self.columns, (0.0, 0))

    def add(self, pair: Pair) -> None:
        """Count these pictures in."""
        for name, values in self.named(pair).items():
            wide = values.cpu().double()  # Apple's GPUs have no doubles
            total, count = self._parts[name]
            self._parts[name] = (total + wide.nansum().item(), count + int((~wide.isnan()).sum()))

    def update(self, rgb_hat: Tensor, rgb: Tensor) -> None:
        """`add` of painted and true pictures, both (B, 3, H, W), uint8 or in 0…1."""
        self.add(Pair(Picture(rgb_hat), Picture(rgb)))

    def compute(self) -> float:
        """NaN where no picture has a number."""
        means = {n: total / count if count else float("nan") for n, (total, count) in self._parts.items()}
        return float(self.finish(means))

    def parts(self) -> Parts:
        """What `compute` divides: sums and counts that add up over processes."""
        return dict(self._parts)

    def merge(self, parts: Sequence[Parts]) -> None:
        """Add up the sums of every process, in their order."""
        for name in self._parts:
            totals, counts = zip(*(part[name] for part in parts), strict=True)
            self._parts[name] = (sum(totals), sum(counts))


def column_name(metric: str, column: str) -> str:
    """What the numbers of each picture are called in a file."""
    return f"{metric}_{column}" if column else metric


def measure_all(metrics: Mapping[str, Metric], pair: Pair) -> dict[str, Tensor]:
    """(B,) for every column of every metric, by `column_name`; what they share is computed once."""
    return {
        column_name(name, column): values
        for name, metric in metrics.items()
        for column, values in metric.named(pair).items()
    }
