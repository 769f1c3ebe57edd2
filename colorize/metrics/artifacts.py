"""Artifacts of colour, no truth needed: bleeding over outlines, blotches. B batch, H W picture."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize.imaging.color import per_picture
from colorize.metrics.metric import Metric, Pair, Picture, widest
from colorize.utils.errors import UserError

NEAR = (1, 2)  #   pixels beyond the two that an edge parts, where its own softness is over
FAR = (4, 5)  #    and where a colour is that of the thing itself
REACH = FAR[-1] + 1  # pixels on either side of an edge that are looked at
LEAST_STEP = 10.0  # CIE lightness between the two sides
STEEP = 0.5  #     share of the lightness's way through the window that lies in the three steps around the edge
VISIBLE = 2.0  #   CIE units of colour contrast, root mean square, below which nothing can be said


class Bleeding(Metric):
    """Share of the colour contrast across lightness edges that is missing right at the edge.

    An edge is where lightness steps most among eleven neighbours in a row or a column, by 10 CIE units or more in all,
    and half of it at once. D_far is the difference in (a, b) between its sides, 5 to 6 pixels away, D_near 2 to 3
    pixels away:

        bleeding = 1 − Σ D_near · D_far / Σ |D_far|²        over all edges of the picture

    0: colour changes where lightness does. 1: it does not change there at all, since it was blurred or lies elsewhere.
    Only where colours change is judged, not which they are: paint the sky green up to the roof's edge and it stays
    what it was. Photographs themselves reach 0.3 to 0.5 at 256², as JPEG keeps colour at half the size: read it beside
    the truth's own. It sees displacements up to about 4 pixels. The idea that bleeding is to be measured where edges of
    colour and of lightness part is older (“edge alignment”, “bleed ratio”); this formula is this package's own.
    """

    label, better, digits, low = "bleeding", "lower", 3, 0.0
    undefined = "the painted picture has no lightness edge with a visible difference of colour"

    def of(self, pair: Pair) -> Tensor:
        lab = pair.painted.lab
        if min(lab.shape[2:]) < 2 * REACH:
            raise UserError(f"bleeding needs pictures of {2 * REACH} pixels or more a side, not {tuple(lab.shape[2:])}")
        sums = pair.painted.once("bleeding", lambda: per_picture(_sums, lab))
        held, whole, edges = sums.unbind(dim=1)
        bleeding = 1 - held / whole
        return torch.where(whole > VISIBLE**2 * edges, bleeding, float("nan"))


def _sums(lab: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3): Σ D_near · D_far, Σ |D_far|² and the number of edges, in rows and in columns."""
    B, _, H, W = lab.shape
    sums = torch.zeros(B, 3, dtype=widest(lab), device=lab.device)
    flat = lab.transpose(0, 1).flatten(1)  # (3, B H W)
    for step, line in ((1, W), (W, H * W)):
        place = find_peaks(flat[0], step, line)
        far = _difference(flat, place, step, FAR)
        edge = find_true(far[0].abs() >= LEAST_STEP)
        place, far = place[edge], far[1:].index_select(1, edge)
        near = _difference(flat[1:], place, step, NEAR)
        found = [(near * far).sum(dim=0), far.square().sum(dim=0), torch.ones_like(far[0])]
        sums.index_add_(0, place // (H * W), torch.stack(found, dim=1).to(sums.dtype))
    return sums


BORDERS = 2 * REACH - 1  # between twelve pixels, the sixth of which may be an edge


def find_peaks(L: Tensor, step: int, line: int) -> Tensor:
    """Lightness (N,) of pixels -> (K,) first of each twelve, `step` apart, between which it changes most in the middle,
    and half of its way in the three steps there. All twelve lie within a piece of `line` pixels."""
    steps = (L[step:] - L[:-step]).abs_()  # as one piece of memory, which is faster than row by row
    length = len(L) - BORDERS * step
    peak = steps
    for by in (1, 2, 4, 3):  # the largest of two, four, eight, eleven
        peak = torch.maximum(peak[: -by * step], peak[by * step :])
    two = steps[:-step] + steps[step:]
    four = two[: -2 * step] + two[2 * step :]
    way = four[:length] + four[4 * step : 4 * step + length]
    way.add_(two[8 * step : 8 * step + length]).add_(steps[10 * step :])
    before, middle, after = (steps[(REACH + k) * step : (REACH + k) * step + length] for k in (-2, -1, 0))
    steep = (before + middle).add_(after) >= way.mul_(STEEP)
    place = find_true(steep.logical_and_(middle >= peak))
    return place[place % line < line - BORDERS * step]


def find_true(mask: Tensor) -> Tensor:
    """(N,) bool -> (K,) where it is true. NumPy needs a fifth of torch's time for it."""
    return torch.from_numpy(np.flatnonzero(mask.numpy())) if mask.device.type == "cpu" else mask.nonzero()[:, 0]


def _difference(x: Tensor, place: Tensor, step: int, distances: tuple[int, int]) -> Tensor:
    """(C, N) -> (C, K) first less second side of each border, averaged over these distances from it"""
    near, far = (
        x.index_select(1, place + (REACH - 1 - d) * step) - x.index_select(1, place + (REACH + d) * step)
        for d in distances
    )
    return (near + far) / 2


SIDES = (8, 16, 32)  # pixels of a square
EVEN = 2.0  #          CIE lightness, standard deviation up to which a square is even


class Patchiness(Metric):
    """By how much colour varies more than the truth's within squares of even lightness, in CIE units.

    The picture is cut into squares of 8, 16 and 32 pixels. Where the true lightness varies by a standard deviation of
    no more than 2, the spread √(σ²_a + σ²_b) of painted colour above that of the true one is counted, at least 0:
    colour flatter than the truth's is no patch, and colours twice as strong vary twice as much. The three sizes see
    blotches of as many sizes; each even pixel counts once for each. Blotches that are larger than the largest square
    show at their borders alone. The formula is this package's own.
    """

    label, better, digits, low, needs = "patchiness", "lower", 3, 0.0, frozenset({"true"})
    undefined = "the true picture has no even place"

    def of(self, pair: Pair) -> Tensor:
        painted, true = pair.both
        if min(true.pixels.shape[2:]) < SIDES[0]:
            raise UserError(f"patchiness needs pictures of {SIDES[0]} pixels or more a side")
        excess = torch.zeros(len(true), device=true.pixels.device)
        even = torch.zeros_like(excess)
        for side, (light, spread), (_, found) in zip(SIDES, spreads(true), spreads(painted), strict=False):
            flat = (light <= EVEN).float()
            excess += side**2 * ((found - spread).clamp(min=0) * flat).sum(dim=(1, 2))
            even += side**2 * flat.sum(dim=(1, 2))
        return excess / even  # 0 / 0 is NaN


def spreads(picture: Picture) -> list[tuple[Tensor, Tensor]]:
    """Standard deviations of L and of (a, b) together, (B, H // side, W // side) each, for each side of whole squares.

    The variance of a square is the mean of its four quarters' and the variance of their means.
    """

    def compute() -> list[tuple[Tensor, Tensor]]:
        mean = F.avg_pool2d(picture.lab, SIDES[0])
        cut = picture.lab[..., : SIDES[0] * mean.shape[2], : SIDES[0] * mean.shape[3]]
        variance = F.avg_pool2d((cut - F.interpolate(mean, scale_factor=SIDES[0])).square_(), SIDES[0])
        found = [_roots(variance)]
        while len(found) < len(SIDES) and min(mean.shape[2:]) > 1:
            mean, quarters = F.avg_pool2d(mean, 2), mean
            cut = quarters[..., : 2 * mean.shape[2], : 2 * mean.shape[3]]
            among = F.avg_pool2d((cut - F.interpolate(mean, scale_factor=2)).square(), 2)
            variance = F.avg_pool2d(variance, 2) + among
            found.append(_roots(variance))
        return found

    return picture.once("spreads", compute)


def _roots(variance: Tensor) -> tuple[Tensor, Tensor]:
    return variance[:, 0].sqrt(), (variance[:, 1] + variance[:, 2]).sqrt()
