"""Any model that judges pictures by themselves, such as NIQE, MUSIQ or CLIP-IQA, as a metric. B batch, H W picture."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from colorize.errors import UserError
from colorize.metrics.metric import Better, Metric
from colorize.metrics.picture import Pair


class Judge(Metric):
    """What `model` says of each painted picture; no truth needed.

    model   (B, 3, H, W) RGB float32 in 0…1 -> (B,) or (B, 1); a module is put into eval mode and on the pictures'
            device. It raises `AbsentError` in its constructor where its weights cannot be had
    better  higher or lower, as the model means it, or truth
    """

    def __init__(self, model: Callable[[Tensor], Tensor], label: str, better: Better, unit: str = ""):
        if better not in ("higher", "lower", "truth", None):
            raise UserError(f"{label}: better is {better!r}; it must be higher, lower or truth")
        self.model, self.label, self.better, self.unit = model, label, better, unit
        super().__init__()
        if isinstance(model, nn.Module):
            model.eval().requires_grad_(False)

    def of(self, pair: Pair) -> Tensor:
        rgb = pair.painted.rgb
        if isinstance(self.model, nn.Module):
            self.model.to(rgb.device)
        values = self.model(rgb)
        if values.shape not in ((len(rgb),), (len(rgb), 1)):
            raise UserError(
                f"{self.label} must answer one number for each of {len(rgb)} pictures, not shape {tuple(values.shape)}"
            )
        return values.reshape(len(rgb)).float()
