"""Naming the picture's class on the side teaches the global features what the picture is of (Iizuka et al. 2016)."""

import torch.nn.functional as F
from torch import Tensor

from colorize.batch import Batch, Prediction
from colorize.losses.loss import Term


class Classify(Term):
    """Cross-entropy, averaged over the photographs of the batch that have a label; zero when none has."""

    needs = frozenset({"logits"})
    needs_labels = True

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        total = F.cross_entropy(pred.logits, batch.label, ignore_index=-1, reduction="sum")  # type: ignore[arg-type]
        return total / (batch.label >= 0).sum().clamp(min=1)  # type: ignore[operator, union-attr]
