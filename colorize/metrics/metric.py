"""What a metric is: numbers for each picture, and what a set of pictures makes of their means. B batch, H W picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from colorize.errors import UserError
from colorize.metrics.picture import GIVEN, Pair, Picture

Better = Literal["higher", "lower", "truth"] | None
Parts = dict[str, tuple[float, int]]


class Column(NamedTuple):
    """How to read a number."""

    label: str
    better: Better  # "truth": the nearer to the true pictures' own, the better; None: neither end is
    unit: str = ""


class Metric:
    """Numbers for each picture. Their means over a set are kept in double precision, whatever the batch size.

    label, better, unit  how to read the metric's value over a set
    needs      the fields of `Pair` that it reads besides the painted picture
    columns    the numbers of each picture, by name; "" is the one that is named as the metric itself
    undefined  why a picture, or a set, may have no number (NaN), if it may: such a picture is left out of the mean
    origin     where the weights come from, if there are any
    share      whether a picture's number says yes (1) or no (0), and the mean is the share of yes
    of_sets    whether it has no number for a single picture, only for all of them
    """

    label: str
    better: Better = None
    unit: str = ""
    needs: frozenset[str] = frozenset()
    undefined: str = ""
    origin: str = ""
    share: bool = False
    of_sets: bool = False

    def __init__(self) -> None:
        self.reset()

    def of(self, pair: Pair) -> Tensor | dict[str, Tensor]:
        """(B,), or one for each of `columns`. NaN where it is not defined."""
        raise NotImplementedError

    def finish(self, means: Mapping[str, float]) -> float:
        """The value over a set from the means of the columns."""
        return means[""]

    @property
    def columns(self) -> dict[str, Column]:
        return {"": Column(self.label, self.better, self.unit)}

    @property
    def pooled(self) -> bool:
        """Whether the value over a set is not the mean of a column but made of means by `finish`."""
        return type(self).finish is not Metric.finish

    @property
    def needs_truth(self) -> bool:
        return "true" in self.needs

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
        return self.finish({n: total / count if count else float("nan") for n, (total, count) in self._parts.items()})

    def parts(self) -> Parts:
        """What `compute` divides: sums and counts that add up over processes."""
        return dict(self._parts)

    def merge(self, parts: Sequence[Parts]) -> None:
        """Take the sums of every process, in their order, for one's own."""
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
