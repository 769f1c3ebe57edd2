"""Precision and recall: how many painted pictures look like true ones, and how many true ones could be painted."""

from __future__ import annotations

import torch
from torch import Tensor

from colorize.distribution.store import shuffled
from colorize.distribution.sums import Features

AT_MOST = 10_000  # pictures: time grows with their square


def precision_recall(
    truth: Features, painted: Features, *, neighbours: int = 3, at_most: int = AT_MOST, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Whether each painted picture lies among the true ones (n,), and each true one among the painted (m,): their means
    are precision and recall (Kynkäänniemi et al. 2019).

    A picture lies among a set if it is no farther from one of it than that one's k-th nearest neighbour there.
    Of sets larger than `at_most`, as many are drawn. Needs more than `neighbours` pictures.
    """
    x, y = (side.subset(shuffled(len(side), seed)[:at_most]).all() for side in (truth, painted))
    near_x, near_y = _radii(x, neighbours), _radii(y, neighbours)
    among_x, among_y = [], torch.zeros(len(x), dtype=torch.bool)
    for rows, radii in zip(y.split(500), near_y.split(500), strict=True):
        distances = torch.cdist(rows, x)
        among_x.append((distances <= near_x).any(dim=1))
        among_y |= (distances <= radii[:, None]).any(dim=0)
    return torch.cat(among_x), among_y


def _radii(x: Tensor, neighbours: int) -> Tensor:
    """(n,) distance to the k-th nearest other; the nearest of all is the picture itself."""
    return torch.cat([torch.cdist(rows, x).kthvalue(neighbours + 1).values for rows in x.split(500)])
