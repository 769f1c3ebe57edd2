"""Distances between the painted pictures of a set and the true ones; precision and recall."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from colorize.imaging.color import to_uint8
from colorize.metrics.extractors import Extractor
from colorize.metrics.feature_store import FeatureFile, Features, FeatureSums, random_order, together
from colorize.metrics.frechet import Estimate, frechet, frechet_infinite
from colorize.metrics.kernel_distance import kernel_distance
from colorize.utils.errors import UserError

TRUTH = "truth"
DEVIATIONS = 1.959964  # of a normal distribution, either side: 95 %
NEIGHBOURS = 3
MANIFOLD = 100  # pictures below which nearly everything lies inside the other set's manifold
Part = dict[str, tuple[list[Path], FeatureSums]]

KINDS = ("fid", "fid_inf", "kid", "kid_paired", "precision", "recall")


@dataclass
class Scores:
    """What a table shows of one row.

    values  name -> {value, low, high, n}: n painted pictures; low and high are a 95 % interval
    absent  name -> why there is none
    """

    values: dict[str, dict[str, float]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def score_name(kind: str, extractor: str) -> str:
    """What one of `KINDS` is called in the features of an extractor: `fid` of the published one alone."""
    if extractor == "inception":
        return kind
    return f"{kind.replace('fid', 'fd').replace('kid', 'kd')}_{extractor}"


class DistributionMetric:
    """Fréchet and kernel distances, precision and recall in the features of one extractor.

    `add` takes true pictures as "truth" and painted ones under any name: "painted", "grey", … `compute` measures one of
    these against the truth, whose features are taken once. With the extractor `inception` the names are

    fid                the Fréchet distance at this n, biased upwards by about 1/n: never compare different n. The
                       interval is for what as many other pictures would give on average
    fid_inf            FID∞: the same without the bias. The interval is for the true distance of the distributions
    kid                the kernel distance as published
    kid_paired         the kernel distance without comparing a picture with its own painting: unbiased where the truth
                       is that of the very pictures that were painted, which `kid` is not; the one to read below 1000
                       pictures
    precision, recall  with 3 neighbours, of 100 pictures or more. The intervals take the other set's manifold as given

    and with any other `fd_NAME`, `fd_inf_NAME`, `kd_NAME`, `kd_paired_NAME`, `precision_NAME`, `recall_NAME`.

    folder  where this process alone keeps its features, for going on later and for other processes to read; a temporary
            one by default. `count` says how many pictures are in it already
    paired  the k-th painted picture is the k-th true one's: intervals become narrower
    """

    def __init__(
        self, extractor: Extractor, folder: str | Path | None = None, *, paired: bool = True, seed: int = 0,
        batch_size: int = 32,
    ):  # fmt: skip
        self.extractor, self.paired, self.seed, self.batch_size = extractor, paired, seed, batch_size
        self._temporary = tempfile.TemporaryDirectory(prefix="colorize-features-") if folder is None else None
        self.folder = Path(self._temporary.name if self._temporary else folder)  # type: ignore[arg-type]
        self._files: dict[str, FeatureFile] = {}
        self._merged: dict[str, Features] = {}

    def add(self, rgb: Tensor, of: str) -> None:
        """(B, 3, H, W) uint8, or floating point in 0…1, which is rounded to 8 bits as a file would; on any device."""
        self.extractor.to(rgb.device)
        for few in (rgb if rgb.dtype == torch.uint8 else to_uint8(rgb)).split(self.batch_size):
            self._file(of).add(self.extractor(few))

    def count(self, of: str) -> int:
        """How many pictures this process has added, in a former run too where the folder is the same."""
        return len(self._file(of))

    def keep(self, of: str, count: int) -> None:
        """Forget all but the first `count` pictures."""
        self._file(of).keep(count)

    def parts(self) -> Part:
        """What `merge` needs from each process."""
        return {of: ([file.path], file.sums) for of, file in self._files.items()}

    def merge(self, parts: Sequence[Mapping[str, tuple[list[Path], FeatureSums]]]) -> None:
        """Take the parts of every process, in their order, for one's own; the set is whole then."""
        for of in parts[0]:
            files, sums = zip(*(part[of] for part in parts), strict=True)
            self._merged[of] = together([path for paths in files for path in paths], list(sums))

    def compute(self, of: str = "painted") -> Scores:
        """Raises `UserError` where pairs do not match in number, or where there is nothing."""
        truth, painted = self.features(TRUTH), self.features(of)
        if self.paired and len(truth) != len(painted):
            raise UserError(
                f"{len(painted)} pictures of {of!r} cannot be paired with {len(truth)} true ones: add the truth of the "
                "very same pictures, or say paired=False"
            )
        return self.measure(truth, painted, paired=self.paired)

    def split_half(self, truth: Features | None = None) -> Scores:
        """The truth against itself, one random half against the other: what a perfect painter of other pictures gets.

        n is that of a half. The Fréchet distance of halves is more biased than that of the whole; `fid_inf` is not.
        """
        truth = self.features(TRUTH) if truth is None else truth
        order = random_order(len(truth), self.seed + 2)
        half = len(truth) // 2
        return self.measure(truth.subset(order[:half]), truth.subset(order[half : 2 * half]), paired=False)

    def close(self) -> None:
        """Remove the temporary folder."""
        if self._temporary:
            self._temporary.cleanup()

    def measure(self, truth: Features, painted: Features, *, paired: bool) -> Scores:
        """One set of features against another's, wherever they are kept."""
        scores, few = Scores(), min(len(truth), len(painted))
        if few <= NEIGHBOURS:
            reason = f"{few} pictures are too few: {NEIGHBOURS + 1} or more are needed"
            scores.absent = {self._name(kind): reason for kind in KINDS if kind != "kid_paired"}
            return scores
        self._frechet(scores, truth, painted, few, paired=paired)
        kernels = kernel_distance(truth, painted, paired=paired, seed=self.seed)
        for kind, estimate in zip(("kid", "kid_paired"), kernels, strict=True):
            if estimate is not None:
                scores.values[self._name(kind)] = around(estimate, len(painted))
        if few < MANIFOLD:
            reason = f"{few} pictures are too few to tell where a distribution ends: {MANIFOLD} or more are needed"
            scores.absent |= {self._name(kind): reason for kind in ("precision", "recall")}
            return scores
        within = precision_recall(truth, painted, neighbours=NEIGHBOURS, seed=self.seed)
        for kind, inside in zip(("precision", "recall"), within, strict=True):
            scores.values[self._name(kind)] = share(inside, len(painted))
        return scores

    def _frechet(self, scores: Scores, truth: Features, painted: Features, few: int, *, paired: bool) -> None:
        d = self.extractor.dimension
        fid, infinite = self._name("fid"), self._name("fid_inf")
        needed = {fid: d + 1, infinite: 2 * d + 2}
        scores.absent |= {
            name: f"{few} pictures are too few for {d} features: {least} or more are needed; "
            f"{self._name('kid')} stands in its place"
            for name, least in needed.items() if few < least
        }  # fmt: skip
        if fid in scores.absent:
            return
        estimate = frechet(truth, painted, paired=paired)
        scores.values[fid] = around(estimate, len(painted), lowest=0.0)
        if infinite not in scores.absent:
            estimate = frechet_infinite(truth, painted, paired=paired, seed=self.seed, at_all=estimate)
            scores.values[infinite] = around(estimate, len(painted))

    def _name(self, kind: str) -> str:
        return score_name(kind, self.extractor.name)

    def path(self, of: str) -> Path:
        """Where the features of these pictures are; other weights, other features."""
        weights = f"-{self.extractor.weights[:8]}" if self.extractor.weights else ""
        return self.folder / f"{of}.{self.extractor.name}{weights}.f32"

    def _file(self, of: str) -> FeatureFile:
        if of not in self._files:
            self._files[of] = FeatureFile(self.path(of), self.extractor.dimension)
        return self._files[of]

    def features(self, of: str) -> Features:
        """What was added under that name: by all processes, once these are merged."""
        if of in self._merged:
            return self._merged[of]
        file = self._file(of)
        return together([file.path], [file.sums])


def around(estimate: Estimate, n: int, lowest: float = float("-inf")) -> dict[str, float]:
    """The value and its 95 % interval, of a normal distribution; `lowest` is what the measure cannot fall below."""
    margin = DEVIATIONS * estimate.error
    low = max(estimate.value - margin, lowest)
    return {"value": estimate.value, "low": low, "high": estimate.value + margin, "n": n}


def share(inside: Tensor, n: int) -> dict[str, float]:
    """The share of yes in (k,) yes and no, with Wilson's 95 % interval (1927), which is right at 0 and 1 too."""
    value, count, z = inside.double().mean().item(), len(inside), DEVIATIONS
    centre = (value + z * z / (2 * count)) / (1 + z * z / count)
    margin = z * ((value * (1 - value) + z * z / (4 * count)) / count) ** 0.5 / (1 + z * z / count)
    return {"value": value, "low": centre - margin, "high": centre + margin, "n": n}


AT_MOST = 10_000  # pictures: time grows with their square


def precision_recall(
    truth: Features, painted: Features, *, neighbours: int = 3, at_most: int = AT_MOST, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Whether each painted picture lies among the true ones (n,), and each true one among the painted (m,): their means
    are precision and recall (Kynkäänniemi et al. 2019).

    A picture lies among a set if it is no farther from one of it than that one's k-th nearest neighbour there.
    Of sets larger than `at_most`, as many are drawn. Needs more than `neighbours` pictures.
    """
    x, y = (side.subset(random_order(len(side), seed)[:at_most]).all() for side in (truth, painted))
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
