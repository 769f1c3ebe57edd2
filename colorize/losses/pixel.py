"""Pixel terms. Errors are measured in ab / unit, so that a weight can be quoted with the unit it was tuned for."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from colorize.batch import Batch, Prediction
from colorize.color import CHROMA_SCALE, chroma, lab_to_rgb
from colorize.errors import UserError
from colorize.losses.loss import Term
from colorize.ranges import Positive


class L1(Term):
    """mean |âb − ab| / unit over batch, channels and pixels. `unit` 1: CIE units; 128, 110: as other codes scale ab."""

    def __init__(self, unit: Positive = 1.0):
        super().__init__()
        self.unit = unit

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        return F.l1_loss(pred.ab, batch.ab) / self.unit  # type: ignore[arg-type]


class SquaredError(Term):
    """‖(âb − ab) / unit‖² (Iizuka et al. 2016, eq. 3, where unit is 255).

    reduction   image_sum: summed over each picture, averaged over the batch (the paper's). sum: over the batch too.
                mean: over everything.
    """

    def __init__(self, unit: Positive = 255.0, reduction: Literal["image_sum", "sum", "mean"] = "image_sum"):
        super().__init__()
        if reduction not in ("image_sum", "sum", "mean"):
            raise UserError(f"reduction is {reduction!r}; it must be image_sum, sum or mean")
        self.unit, self.reduction = unit, reduction

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        square = ((batch.ab - pred.ab) / self.unit).square()  # type: ignore[operator]  # (B, 2, H, W)
        if self.reduction == "mean":
            return square.mean()
        return square.sum() if self.reduction == "sum" else square.sum() / len(square)


Space = Literal["lab", "hsv", "hs", "yuv"]  # of `CHROMA_SCALE`


class ChromaL1(Term):
    """mean |ĉ − c| / unit in one colour space (Du et al. 2024), each side in that space: lab, hsv, hs or yuv.

    The truth is that of `color.chroma`; `unit` as in `L1`.
    """

    def __init__(self, space: Space, unit: Positive = 1.0):
        super().__init__()
        if space not in CHROMA_SCALE:
            raise UserError(f"space is {space!r}; it must be one of {sorted(CHROMA_SCALE)}")
        self.space, self.unit, self.needs = space, unit, frozenset({space})

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        said = getattr(pred, self.space)
        truth = batch.ab if self.space == "lab" else chroma(self.space, lab_to_rgb(batch.L, batch.ab))
        return F.l1_loss(said, truth) / self.unit


class RGB(Term):
    """mean |R̂GB − RGB| over batch, channels and pixels in 0…1, lightness included."""

    needs = frozenset({"rgb"})

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        return F.l1_loss(pred.rgb, lab_to_rgb(batch.L, batch.ab))  # type: ignore[arg-type]
