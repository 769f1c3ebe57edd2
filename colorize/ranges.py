"""Named types of numbers and lists, for the annotations of constructors. `colorize.values` checks a config against
them: Python itself and the type checker see the plain type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Interval, Len

Positive = Annotated[float, Interval(gt=0)]
NonNegative = Annotated[float, Interval(ge=0)]
Fraction = Annotated[float, Interval(ge=0, le=1)]
Share = Annotated[float, Interval(gt=0, le=1)]  # a part of something that is not nothing
Between = Annotated[float, Interval(gt=0, lt=1)]

Count = Annotated[int, Interval(ge=1, le=10**9)]
Number = Annotated[int, Interval(ge=0, le=10**9)]
Few = Annotated[int, Interval(ge=1, le=1024)]  # what is held, drawn or gone through at once
Side = Annotated[int, Interval(ge=32, le=8192)]  # pixels of a picture's side
Channels = Annotated[int, Interval(ge=1, le=8192)]  # of a layer
CriticWidth = Annotated[int, Interval(ge=1, le=1024)]
AttentionWidth = Annotated[int, Interval(ge=4, le=1024)]  # of a critic that looks through an eighth of them
Layers = Annotated[int, Interval(ge=1, le=100)]
BatchSize = Annotated[int, Interval(ge=1, le=16384)]  # photographs in a forward pass
Passes = Annotated[int, Interval(ge=1, le=4096)]  # forward passes in an optimizer step
Processes = Annotated[int, Interval(ge=0, le=256)]
NoiseLevels = Annotated[int, Interval(ge=1, le=100_000)]
Dropout = Annotated[float, Interval(ge=0, lt=1)]
Factor = Annotated[float, Interval(gt=0, le=8)]  # on the published width of a network

Name = Annotated[str, Len(1)]
Widths = Annotated[Sequence[Channels], Len(1, 32)]
Pair = Annotated[Sequence[float], Len(2, 2)]
Crop = Annotated[Sequence[Share], Len(2, 2)]  # the least and the most
Pretrained = bool | Literal["auto"]
