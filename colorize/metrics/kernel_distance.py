"""The kernel distance between two sets of features, and the metric for few pictures."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from colorize.imaging.color import to_uint8
from colorize.metrics.extractors import create_extractor
from colorize.metrics.feature_store import Features, random_order
from colorize.metrics.frechet import Estimate
from colorize.metrics.metric import Metric, Pair, Picture

BLOCK = 5000  # pictures whose kernels are all computed; larger sets are cut into blocks of equal size


def kernel_distance(
    truth: Features, painted: Features, *, paired: bool, block: int = BLOCK, seed: int = 0
) -> tuple[Estimate, Estimate | None]:
    """Squared maximum mean discrepancy with the kernel (xᵀy/d + 1)³, unbiased (Bińkowski et al. 2018: KID).

    First as it is published: every true picture is compared with every painted one, its own painting too. Where sets
    are `paired` that is too low, by 2/n of how much more alike a pair is than two strangers: a perfect copy scores
    below 0. So, second, without these n comparisons, which is unbiased for pairs: a perfect copy scores 0.

    Up to `block` pictures the value is that of the whole set: torch-fidelity's with `kid_subset_size` = n. Larger sets
    are shuffled, cut into disjoint blocks and averaged, which is as unbiased and takes time in proportion to n.
    The standard errors are the jackknife's, of pictures, or of pairs where `paired`: too large rather than too small,
    by up to half where the distance is next to nothing. Needs three pictures of each.
    """
    blocks = -(-max(len(truth), len(painted)) // block)
    orders = random_order(len(truth), seed), random_order(len(painted), seed if paired else seed + 1)
    parts = zip(*(order.tensor_split(blocks) for order in orders), strict=True)
    measure = _of_pairs if paired else _of_strangers
    found = [measure(truth.subset(t).all(), painted.subset(p).all()) for t, p in parts]
    published, own_left_out = (_joined(each, orders[1]) for each in zip(*found, strict=True))
    return published, own_left_out if paired else None


def _joined(blocks: Sequence[Estimate], order: Tensor) -> Estimate:
    """The mean of blocks; what each picture has, back in the order of the pictures."""
    value = sum(part.value for part in blocks) / len(blocks)
    error = sum(part.error**2 for part in blocks) ** 0.5 / len(blocks)
    parts = [part.each * len(order) / len(part.each) / len(blocks) for part in blocks if part.each is not None]
    return Estimate(value, error, torch.cat(parts)[torch.argsort(torch.as_tensor(order))] if parts else None)


def _of_pairs(x: Tensor, y: Tensor) -> tuple[Estimate, Estimate]:
    """(n, d) each; with each pair's own comparison, and without"""
    n, own = len(x), _kernel((x * y).sum(dim=1), x.shape[1])
    within_x, within_y, of_x, of_y = _row_sums(x, y)
    estimates = []
    for left_out, places, fewer_places in ((0 * own, n * n, (n - 1) ** 2), (own, n * (n - 1), (n - 1) * (n - 2))):
        across, gone = of_x.sum() - left_out.sum(), of_x + of_y - own - left_out  # gone: with a pair that goes
        whole = _distance(within_x.sum(), within_y.sum(), across, n, n, places)
        without = _distance(
            within_x.sum() - 2 * within_x, within_y.sum() - 2 * within_y, across - gone, n - 1, n - 1, fewer_places
        )
        each = n * whole - (n - 1) * without
        estimates.append(Estimate(whole.item(), _jackknife(without), each + (whole - each.mean())))
    return estimates[0], estimates[1]


def _of_strangers(x: Tensor, y: Tensor) -> tuple[Estimate, Estimate]:
    """(n, d) and (m, d); the same twice, as no picture has a pair"""
    n, m = len(x), len(y)
    within_x, within_y, of_x, of_y = _row_sums(x, y)
    total_x, total_y, across = within_x.sum(), within_y.sum(), of_x.sum()
    whole = _distance(total_x, total_y, across, n, m, n * m)
    without_x = _distance(total_x - 2 * within_x, total_y, across - of_x, n - 1, m, (n - 1) * m)
    without_y = _distance(total_x, total_y - 2 * within_y, across - of_y, n, m - 1, n * (m - 1))
    found = Estimate(whole.item(), (_jackknife(without_x) ** 2 + _jackknife(without_y) ** 2) ** 0.5)
    return found, found


def _distance(within_x: Tensor, within_y: Tensor, across: Tensor, n: int, m: int, places: int) -> Tensor:
    return within_x / (n * (n - 1)) + within_y / (m * (m - 1)) - 2 * across / places


def _jackknife(without: Tensor) -> float:
    """The standard error from the values without each picture in turn."""
    return ((len(without) - 1) * without.var(correction=0)).sqrt().item()


def _kernel(products: Tensor, d: int) -> Tensor:
    return (products / d + 1) ** 3


def _row_sums(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(n,) Σ_j≠i k(xᵢ, xⱼ), (m,) the same of y, (n,) Σ_j k(xᵢ, yⱼ) and (m,) Σᵢ k(xᵢ, yⱼ)"""
    d = x.shape[1]
    within = [
        torch.cat([_kernel(rows @ side.T, d).sum(dim=1) for rows in side.split(500)])
        - _kernel(side.square().sum(dim=1), d)
        for side in (x, y)
    ]
    of_x, of_y = [], torch.zeros(len(y), dtype=x.dtype)
    for rows in x.split(500):
        kernels = _kernel(rows @ y.T, d)
        of_x.append(kernels.sum(dim=1))
        of_y += kernels.sum(dim=0)
    return within[0], within[1], torch.cat(of_x), of_y


LEAST = 3  # pictures


class KernelDistance(Metric):
    """The paired kernel distance (Bińkowski et al. 2018, without a picture's own painting) in an extractor's features.

    It is that of `evaluate.py`, kd_paired_NAME, whose interval it lacks: a number to follow in training. Features are
    held in memory, 10 kB a picture. It has no number for one picture, and needs three.

    extractor, weights, download   as in `create_extractor`; `UnavailableError` where the weights cannot be had
    """

    label, better, needs = "KD paired {}", "lower", frozenset({"true"})
    digits, aggregation, columns = 5, "set", ()

    def __init__(
        self, extractor: str = "efficientnet_lite0", *, weights: str | Path | None = None, download: bool = True
    ):
        self.extractor = create_extractor(extractor, weights, download=download)
        self.label, self.origin = self.label.format(extractor), self.extractor.prepared
        super().__init__()

    def reset(self) -> None:
        self._features: list[tuple[torch.Tensor, torch.Tensor]] = []

    def add(self, pair: Pair) -> None:
        true, painted = (self._of(side) for side in reversed(pair.both))
        self._features.append((true, painted))

    def compute(self) -> float:
        """NaN below three pictures."""
        if sum(len(true) for true, _ in self._features) < LEAST:
            return float("nan")
        true, painted = (Features(torch.cat(side).numpy()) for side in zip(*self._features, strict=True))
        estimate = kernel_distance(true, painted, paired=True)[1]
        assert estimate is not None
        return estimate.value

    def parts(self) -> list[tuple[torch.Tensor, torch.Tensor]]:  # type: ignore[override]
        return list(self._features)

    def merge(self, parts: Sequence[list[tuple[torch.Tensor, torch.Tensor]]]) -> None:  # type: ignore[override]
        self._features = [each for process in parts for each in process]

    def _of(self, picture: Picture) -> torch.Tensor:
        """(B, d) on the CPU"""
        self.extractor.to(picture.pixels.device)
        rgb = picture.pixels if picture.pixels.dtype == torch.uint8 else to_uint8(picture.rgb)
        return picture.once(self.extractor, lambda: self.extractor(rgb).cpu())
