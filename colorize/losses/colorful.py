"""Reward vivid pictures (Kang et al. 2023, eq. 7). It reads no truth: alone it would paint everything in neon."""

from typing import Literal

from torch import Tensor

from colorize.batch import Batch, Prediction
from colorize.color import colorfulness, lab_to_rgb
from colorize.errors import UserError
from colorize.losses.loss import Term

SCALES = {"unit": 255.0, "hundred": 100.0}


class Colorfulness(Term):
    """1 − colourfulness / scale, averaged over the batch, with the opponent channels' absolute values.

    `scale` unit: RGB in 0…1, as DDColor's code has it (255 in 8-bit values); hundred: 8-bit values over 100.
    """

    def __init__(self, scale: Literal["unit", "hundred"] = "unit"):
        super().__init__()
        if scale not in SCALES:
            raise UserError(f"colorfulness scale is {scale!r}; it must be one of {sorted(SCALES)}")
        self.scale = SCALES[scale]

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        rgb = lab_to_rgb(batch.L, pred.ab)  # type: ignore[arg-type]
        return (1 - colorfulness(rgb, absolute=True) / self.scale).mean()
