"""Guided colour: a prediction with more or less chroma, and with hints that spread in it. H W picture, N hinted pixels.

The spreading is that of Levin et al. 2004, "Colorization using Optimization": neighbours of like lightness have like
colour. It works on the difference between hints and prediction, and loses a little of it at every pixel, so that what
lies far from all hints stays as the network predicted it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter
from scipy.sparse import csc_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu
from torch import Tensor

from colorize.imaging.choices import METHODS, REACH
from colorize.imaging.hints import Hints, to_hints
from colorize.imaging.transforms import Upsampling, resize
from colorize.utils.errors import UserError

NEIGHBOURS = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
STEP = 3 / 8  #   half the mean squared step along an axis to one of these, in pixels²
SPREAD = 0.6  #   of the local variance of lightness: what counts as like, as in the authors' code
SMOOTH = 1.0  #   L*²: at least so much counts as like
LARGEST = 2**19  # pixels of a system: larger ones take gigabytes
ROUNDS = 5  #     in which the guided filter's loss is made up for


@torch.no_grad()
def guide(
    ab: Tensor, L: Tensor, hints: Hints | Tensor | np.ndarray | Sequence[Any] | None = None, *, strength: float = 1.0,
    max_chroma: float | None = None, reach: float = REACH, upsample: str = "bilinear",
) -> Tensor:  # fmt: skip
    """A predicted ab (1, 2, H, W) as a person wants it: strength first, then the largest chroma, then the hints.

    L           (1, 1, H, W) the lightness that it was predicted for, 0…100
    hints       a picture uint8 (4, H, W), sRGB and opacity, whose opaque pixels are the colours; or a list of
                {x, y, rgb, radius} in pixels. Those pixels get exactly the hint's a and b; around them the difference
                to the prediction spreads, up to edges of lightness, and fades
    strength    factor on chroma; 0 is grey
    max_chroma  CIE units, to which larger chroma is reduced
    reach       shares of the shorter side over which a hint's influence fades; at edges of lightness it fades sooner
    upsample    one of `choices.METHODS`, which brings the answer to a larger size: the hints are met after it.
                `guided` smooths, so that before it they are stronger

    Raises `UserError`, a `ValueError`, for shapes that do not belong together, hints of another size or outside the
    picture, and values below 0.
    """
    if ab.ndim != 4 or ab.shape[:2] != (1, 2) or L.shape != (1, 1, *ab.shape[2:]):
        raise UserError(
            f"ab must be (1, 2, H, W) and L (1, 1, H, W); their shapes are {tuple(ab.shape)} and {tuple(L.shape)}"
        )
    for name, value in (("strength", strength), ("max_chroma", max_chroma or 0)):
        if not 0 <= value < float("inf"):
            raise UserError(f"{name} is {value}; it must be 0 or more")
    if upsample not in METHODS:
        raise UserError(f"upsample is {upsample!r}; it must be {' or '.join(METHODS)}")
    ab = limit_chroma(strength * ab, max_chroma)
    if hints is None:
        return ab
    hints = to_hints(hints, (ab.shape[2], ab.shape[3]))
    if upsample == "guided":
        return spread_through_filter(ab, L, hints, reach)
    return hints.put(ab + Spreading(L, hints, reach)(difference(hints, ab)).to(ab))


def spread_through_filter(ab: Tensor, L: Tensor, hints: Hints, reach: float) -> Tensor:
    """ab and the spread hints, such that the guided filter gives the hinted pixels their colours. Both steps are
    linear: what is missing is spread again, each time by the factor that leaves least (minimal residual)."""
    spread, zero = Spreading(L, hints, reach), replace(hints, ab=torch.zeros_like(hints.ab))
    missing = difference(hints, Upsampling(L, ab, hints.size, "guided").rows(L, 0))
    for _ in range(ROUNDS):
        change = spread(missing).to(ab)
        seen = -difference(zero, Upsampling(L, change, hints.size, "guided").rows(L, 0)).ab
        factor = (missing.ab * seen).sum() / seen.square().sum().clamp(min=1e-6)
        ab, missing = ab + factor.to(ab) * change, replace(hints, ab=missing.ab - factor * seen)
    return ab


def difference(hints: Hints, ab: Tensor) -> Hints:
    """What the hinted pixels of ab (1, 2, H, W) lack."""
    places = torch.from_numpy(hints.places).to(ab.device)
    return replace(hints, ab=hints.ab - ab.flatten(2)[0, :, places].T.cpu())


def limit_chroma(ab: Tensor, most: float | None) -> Tensor:
    """ab (B, 2, H, W) with the same hues, and a chroma of at most `most` CIE units."""
    if most is None:
        return ab
    return ab * (most / ab.norm(dim=1, keepdim=True).clamp(min=1e-6)).clamp(max=1)


class Spreading:
    """Values of hinted pixels, spread over a picture: of each other pixel, the mean of its eight neighbours, weighted
    by the likeness of their lightness, and a little less.

    Levin et al.'s energy Σ (u − Σ w u)² over the pixels without a hint is 0 then, but for the loss. The result lies
    between 0 and the values given: nothing overshoots. The system is sparse, and is factorised once; of pictures beyond
    `LARGEST` pixels, it is that of a smaller one.
    """

    def __init__(self, L: Tensor, hints: Hints, reach: float = REACH):
        """L (1, 1, H, W); hints of its size, for their places; `reach` in shares of the shorter side."""
        if not 0 < reach < float("inf"):
            raise UserError(f"reach is {reach}; it must be more than 0")
        share = min(1.0, (LARGEST / L.numel()) ** 0.5)
        self.full = L.float().cpu()
        self.L = self.full if share == 1 else resize(self.full, [max(1, int(share * side)) for side in L.shape[2:]])
        self.size = (self.L.shape[2], self.L.shape[3])
        free = np.ones(self.L.numel())
        free[hints.resized(self.size).places] = 0
        loss = STEP / (reach * min(self.size)) ** 2
        system = diags(1 + loss * free) - diags(free) @ neighbour_weights(self.L[0, 0].double().numpy())
        # the diagonal outweighs each row, so that no pivot is looked for, and the pattern is symmetric
        options = {"SymmetricMode": True}
        self.factors = splu(csc_matrix(system), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)

    def __call__(self, hints: Hints) -> Tensor:
        """(1, 2, H, W), float32 on the CPU"""
        known = hints.resized(self.size)
        values = np.zeros((self.L.numel(), 2))
        values[known.places] = known.ab.numpy()
        solved = self.factors.solve(values).T.reshape(1, 2, *self.size)
        spread = torch.from_numpy(np.ascontiguousarray(solved, dtype=np.float32))
        return (
            Upsampling(self.L, spread, hints.size, "guided").rows(self.full, 0) if hints.size != self.size else spread
        )


def neighbour_weights(L: np.ndarray) -> csr_matrix:
    """(H, W) -> (H·W, H·W), rows that add up to 1: exp(−(L − L')² / s) of the eight neighbours, where s is `SPREAD` of
    the variance of lightness around the pixel."""
    height, width = L.shape
    index = np.arange(L.size).reshape(L.shape)
    spread = np.maximum(SPREAD * (uniform_filter(L * L, 3) - uniform_filter(L, 3) ** 2), SMOOTH)
    rows, columns, weights = [], [], []
    for y, x in NEIGHBOURS:
        own = np.s_[max(0, -y) : height - max(0, y), max(0, -x) : width - max(0, x)]
        other = np.s_[max(0, y) : height - max(0, -y), max(0, x) : width - max(0, -x)]
        rows.append(index[own].ravel())
        columns.append(index[other].ravel())
        weights.append(np.exp(-((L[own] - L[other]) ** 2) / spread[own]).ravel())
    parts = (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns)))
    matrix = csr_matrix(parts, shape=(L.size, L.size))
    total = np.asarray(matrix.sum(axis=1)).ravel()
    return diags(1 / np.maximum(total, np.finfo(float).tiny)) @ matrix
