"""Colour as a class: cross-entropy over bins of the ab plane, rare colours weighed more (Zhang et al. 2016).

B batch, Q bins, N places.
"""

from typing import Annotated

import torch
import torch.nn.functional as F
from annotated_types import Interval
from torch import Tensor

from colorize.batch import Batch, Prediction
from colorize.data.datamodule import DataModule
from colorize.data.sources import sample_squares
from colorize.imaging.gamut import ab_bins
from colorize.losses.loss import Term
from colorize.utils.validation import Fraction, Positive

PHOTOGRAPHS = 1024  # whose colours are counted


class BinCrossEntropy(Term):
    """−w(q*) Σ_q z_q log ẑ_q, averaged over batch and places, of the logits at their own size.

    z spreads each colour over its `neighbours` nearest bins by a Gaussian of `sigma` CIE units. w is the weight of the
    nearest bin q*: 1 / ((1 − λ) p̃ + λ / Q), scaled to a mean of 1 over the colours of the training photographs. p̃ is
    how often each bin occurs in them, smoothed by the same Gaussian, and λ is `uniform`; at 1 all bins weigh the same.
    """

    needs = frozenset({"bins"})
    weights: Tensor
    centres: Tensor

    def __init__(
        self, sigma: Positive = 5.0, neighbours: Annotated[int, Interval(ge=1, le=100)] = 5, uniform: Fraction = 0.5
    ):
        super().__init__()
        self.sigma, self.neighbours, self.uniform = sigma, neighbours, uniform
        self.register_buffer("centres", ab_bins(), persistent=False)
        self.register_buffer("weights", torch.ones(len(self.centres)), persistent=False)

    def prepare(self, photographs: DataModule) -> None:
        counts = torch.zeros(len(self.centres), dtype=torch.float64)
        for rgb in sample_squares(photographs, PHOTOGRAPHS):
            nearest = self.nearest(Batch.from_rgb(rgb[None]).ab, 1)[1]
            counts += torch.bincount(nearest.flatten(), minlength=len(counts))
        if counts.sum():
            self.weights.copy_(rebalancing_weights(counts / counts.sum(), self.centres, self.sigma, self.uniform))

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        log_shares = pred.bins.log_softmax(dim=1).permute(0, 2, 3, 1).flatten(0, 2)  # type: ignore[union-attr]  # (N, Q)
        truth = F.interpolate(batch.ab, pred.bins.shape[2:], mode="area")  # type: ignore[union-attr]
        distance, bins = self.nearest(truth, self.neighbours)
        near = (-distance.square() / (2 * self.sigma**2)).softmax(dim=1)  # (N, neighbours), as Gaussians in their sum
        return -(self.weights[bins[:, 0]] * (near * log_shares.gather(1, bins)).sum(dim=1)).mean()

    def nearest(self, ab: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """(B, 2, h, w) -> distances in CIE units and places of the nearest bins, (N, count) each, nearest first."""
        points = ab.permute(0, 2, 3, 1).flatten(0, 2)
        return torch.cdist(points, self.centres).topk(count, dim=1, largest=False)


def rebalancing_weights(shares: Tensor, centres: Tensor, sigma: float, uniform: float) -> Tensor:
    """(Q,) how often each bin occurs, in sum 1, and the bins' centres (Q, 2) -> (Q,) weights, eq. 4 of the paper."""
    kernel = (-torch.cdist(centres, centres).double().square() / (2 * sigma**2)).exp()
    smooth = shares.double() @ (kernel / kernel.sum(dim=1, keepdim=True))
    weights = 1 / ((1 - uniform) * smooth + uniform / len(shares))
    return (weights / (smooth * weights).sum()).float()
