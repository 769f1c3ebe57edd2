"""Artifacts of colour, no truth needed: bleeding over outlines, blotches. B batch, H W picture."""

import torch
import torch.nn.functional as F
from torch import Tensor

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
        held, whole, edges = (
            across + down for across, down in zip(_sums(lab), _sums(lab.transpose(2, 3)), strict=True)
        )
        bleeding = 1 - held / whole
        return torch.where(whole > VISIBLE**2 * edges, bleeding, float("nan"))


def _sums(lab: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of the edges between neighbours in a row: Σ D_near · D_far, Σ |D_far|² and their number, (B,) each."""
    L, ab = lab[:, :1], lab[:, 1:]
    edge = find_edges(L)
    far, near = _difference(ab, FAR), _difference(ab, NEAR)
    sums = ((near * far).sum(dim=1) * edge, far.square().sum(dim=1) * edge, edge)
    return tuple(values.sum(dim=(1, 2), dtype=widest(lab)) for values in sums)  # type: ignore[return-value]


def find_edges(L: Tensor) -> Tensor:
    """(B, 1, H, W) -> (B, H, E) 1 where the border between two neighbours is an edge, for E = W − 11 borders."""
    step = L.diff(dim=3).abs()  # (B, 1, H, W − 1)
    window, length = 2 * REACH - 1, L.shape[3] - 2 * REACH + 1
    peak, way = (torch.zeros_like(step.narrow(3, 0, length)) for _ in range(2))
    for place in range(window):  # on a CPU faster than pooling
        here = step.narrow(3, place, length)
        torch.maximum(peak, here, out=peak)
        way += here
    before, middle, after = (step.narrow(3, REACH + away, length) for away in (-2, -1, 0))
    steep = before + middle + after >= STEEP * way
    edge = (middle >= peak) & steep & (_difference(L, FAR).abs() >= LEAST_STEP)
    return edge[:, 0].float()


def _difference(x: Tensor, distances: tuple[int, int]) -> Tensor:
    """(B, C, H, W) -> (B, C, H, E) left less right side of each border, averaged over these distances from it"""
    length = x.shape[3] - 2 * REACH + 1
    near, far = (x.narrow(3, REACH - 1 - away, length) - x.narrow(3, REACH + away, length) for away in distances)
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
        variance = F.avg_pool2d((cut - F.interpolate(mean, scale_factor=SIDES[0])).square(), SIDES[0])
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
