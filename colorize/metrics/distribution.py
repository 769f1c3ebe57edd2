"""Distances between the painted pictures of a set and the true ones; precision and recall."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import Features, random_order
from colorize.metrics.frechet import Estimate, frechet, frechet_infinite
from colorize.metrics.kernel_distance import kernel_distance
from colorize.metrics.metric_info import Interval, info_of, proportion_interval
from colorize.utils.errors import UserError

TRUTH = "truth"
NEIGHBOURS = 3
MANIFOLD = 100  # pictures below which nearly everything lies inside the other set's manifold
OF_PAIRS = ("fid", "kid", "kid_paired")  # of which each pair of pictures has a value, whose mean they are
KINDS = ("fid", "fid_inf", "kid", "kid_paired", "precision", "recall")


@dataclass
class Scores:
    """What a table shows of one row.

    values  name -> value with its interval; n are the painted pictures
    absent  name -> why there is none
    each    name -> (n,) a value for each pair of pictures, whose mean is the value (`Estimate.each`)
    """

    values: dict[str, Interval] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    each: dict[str, np.ndarray] = field(default_factory=dict)


def score_name(kind: str, extractor: str) -> str:
    """What one of `KINDS` is called in the features of an extractor: `fid` of the published one alone."""
    if extractor == "inception":
        return kind
    return f"{kind.replace('fid', 'fd').replace('kid', 'kd')}_{extractor}"


def measure_sets(extractor: Extractor, truth: Features, painted: Features, *, paired: bool) -> Scores:
    """Fréchet and kernel distances, precision and recall between features of `extractor`, of true and of predicted
    pictures; with the extractor `inception` the names are

    fid                the Fréchet distance at this n, biased upwards by about 1/n: never compare different n. The
                       interval is for what as many other pictures would give on average; of fewer pictures than
                       features there is none
    fid_inf            FID∞: the same without the bias. The interval is for the true distance of the distributions
    kid                the kernel distance as published
    kid_paired         the kernel distance without comparing a picture with its own painting: unbiased where the truth
                       is that of the very pictures that were painted, which `kid` is not; the one to read below 1000
                       pictures
    precision, recall  with 3 neighbours, of 100 pictures or more. The intervals take the other set's manifold as given

    and with any other `fd_NAME`, `fd_inf_NAME`, `kd_NAME`, `kd_paired_NAME`, `precision_NAME`, `recall_NAME`.

    paired  the k-th painted picture is the k-th true one's: intervals become narrower
    Raises `UserError` where pairs do not match in number.
    """
    if paired and len(truth) != len(painted):
        raise UserError(f"{len(painted)} predicted pictures cannot be paired with {len(truth)} true ones")
    names = {kind: score_name(kind, extractor.name) for kind in KINDS}
    absent = _too_few(extractor, min(len(truth), len(painted)))
    scores, estimates = Scores(absent={names[kind]: why for kind, why in absent.items()}), dict[str, Estimate | None]()
    if "kid" not in absent:
        estimates["fid"] = at_all = frechet(truth, painted, paired=paired)
        if "fid_inf" not in absent:
            estimates["fid_inf"] = frechet_infinite(truth, painted, paired=paired, at_all=at_all)
        estimates["kid"], estimates["kid_paired"] = kernel_distance(truth, painted, paired=paired)
    for kind, estimate in estimates.items():
        if estimate is not None:
            scores.values[names[kind]] = info_of(names[kind]).clip(estimate.interval(len(painted)))
            if estimate.each is not None:
                scores.each[names[kind]] = estimate.each.numpy()
    if "precision" not in absent:
        within = precision_recall(truth, painted)
        for kind, inside in zip(("precision", "recall"), within, strict=True):
            scores.values[names[kind]] = replace(proportion_interval(int(inside.sum()), len(inside)), n=len(painted))
    return scores


def _too_few(extractor: Extractor, few: int) -> dict[str, str]:
    """Kind -> why `few` pictures have none."""
    if few <= NEIGHBOURS:
        reason = f"{few} pictures are too few: {NEIGHBOURS + 1} or more are needed"
        return {kind: reason for kind in KINDS if kind != "kid_paired"}
    d, absent = extractor.dimension, dict[str, str]()
    if few < 2 * d + 2:
        absent["fid_inf"] = f"{few} pictures are too few for {d} features: {2 * d + 2} or more are needed"
    manifold = f"{few} pictures are too few to tell where a distribution ends: {MANIFOLD} or more are needed"
    return absent | (dict.fromkeys(("precision", "recall"), manifold) if few < MANIFOLD else {})


def split_half(extractor: Extractor, truth: Features) -> Scores:
    """The truth against itself, one random half against the other: what a perfect prediction of other pictures gets.

    n is that of a half. The Fréchet distance of halves is more biased than that of the whole; `fid_inf` is not.
    """
    order, half = random_order(len(truth), 2), len(truth) // 2
    halves = truth.subset(order[:half]), truth.subset(order[half : 2 * half])
    return measure_sets(extractor, *halves, paired=False)


AT_MOST = 10_000  # pictures: time grows with their square


def precision_recall(truth: Features, painted: Features) -> tuple[Tensor, Tensor]:
    """Whether each painted picture lies among the true ones (n,), and each true one among the painted (m,): their means
    are precision and recall (Kynkäänniemi et al. 2019).

    A picture lies among a set if it is no farther from one of it than that one's k-th nearest neighbour there.
    Of sets larger than `AT_MOST`, as many are drawn. Needs more than `NEIGHBOURS` pictures.
    """
    x, y = (side.subset(random_order(len(side), 0)[:AT_MOST]).all() for side in (truth, painted))
    near_x, near_y = _radii(x), _radii(y)
    among_x, among_y = [], torch.zeros(len(x), dtype=torch.bool)
    for rows, radii in zip(y.split(500), near_y.split(500), strict=True):
        distances = torch.cdist(rows, x)
        among_x.append((distances <= near_x).any(dim=1))
        among_y |= (distances <= radii[:, None]).any(dim=0)
    return torch.cat(among_x), among_y


def _radii(x: Tensor) -> Tensor:
    """(n,) distance to the k-th nearest other; the nearest of all is the picture itself."""
    return torch.cat([torch.cdist(rows, x).kthvalue(NEIGHBOURS + 1).values for rows in x.split(500)])
