"""Naming the picture's class on the side teaches the global features what the picture is of (Iizuka et al. 2016)."""

import torch.nn.functional as F
from torch import Tensor

from colorize.batch import Batch, Prediction
from colorize.losses.loss import Term


class Classify(Term):
    """Cross-entropy, averaged over the batch; a photograph without a label counts zero, however a batch is divided."""

    needs = frozenset({"logits"})
    needs_labels = True

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        total = F.cross_entropy(pred.logits, batch.label, ignore_index=-1, reduction="sum")  # type: ignore[arg-type]
        return total / len(batch)
