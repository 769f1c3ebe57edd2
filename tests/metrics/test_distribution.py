"""Distances between distributions, against torch-fidelity, torchmetrics, SciPy and Gaussians with known moments."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
import torch_fidelity
from torch import nn
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from colorize.data import Demo
from colorize.metrics import KernelDistance, frechet
from colorize.metrics.distribution import TRUTH, DistributionMetric
from colorize.metrics.extractors import Extractor, create_extractor
from colorize.metrics.feature_store import Features, FeatureSums
from colorize.metrics.frechet import frechet_distance, frechet_infinite, frechet_influence
from colorize.metrics.kernel_distance import kernel_distance
from colorize.utils.distributed import World
from colorize.utils.errors import UserError

D = 12


class Projection(nn.Module):
    """A network that anyone can have: a fixed random projection of small pictures, through a ReLU."""

    num_features = D

    def __init__(self):
        super().__init__()
        weight = torch.randn(3 * 8 * 8, D, generator=torch.Generator().manual_seed(0))
        self.register_buffer("weight", weight / 5)

    def forward(self, rgb):
        """(B, 3, H, W) uint8 -> (B, D)"""
        small = nn.functional.adaptive_avg_pool2d(rgb.float() / 255 - 0.5, 8)
        return (small.flatten(1) @ self.weight).relu()


class Injected(FeatureExtractorBase):
    """The same for torch-fidelity."""

    def __init__(self, name, features_list, **_):
        super().__init__(name, features_list)
        self.net = Projection()

    @staticmethod
    def get_provided_features_list():
        return ("all",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric):
        return "all"

    @staticmethod
    def can_be_compiled():
        return False

    def forward(self, rgb):
        return (self.net(rgb),)


class Pictures(torch.utils.data.TensorDataset):
    def __getitem__(self, index):
        return super().__getitem__(index)[0]


def toy(name="toy"):
    return Extractor(name, Projection(), lambda rgb: rgb, D)


@pytest.fixture(scope="module")
def pairs():
    """20 demo photographs and distorted copies, (20, 3, 64, 64) uint8."""
    true = torch.cat(list(Demo(size=64).validation(20)))[:20]
    strength = torch.linspace(0, 1, 20).view(-1, 1, 1, 1)
    grey = true.float().mean(dim=1, keepdim=True)
    noise = 20 * torch.randn(true.shape, generator=torch.Generator().manual_seed(0))
    painted = strength * grey + (1 - strength) * true + noise
    return painted.round().clamp(0, 255).to(torch.uint8), true


@pytest.fixture
def measured(pairs, monkeypatch):
    """What the class says of the pairs, fed in uneven batches."""
    monkeypatch.setattr("colorize.metrics.distribution.MANIFOLD", 4)
    metric = DistributionMetric(toy("inception"), batch_size=3)
    for start, stop in ((0, 1), (1, 8), (8, 20)):
        metric.add(pairs[0][start:stop], "painted")
        metric.add(pairs[1][start:stop].float() / 255, "truth")
    yield metric
    metric.close()


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_it_equals_torch_fidelity(pairs, measured):
    torch_fidelity.register_feature_extractor("injected", Injected)
    theirs = torch_fidelity.calculate_metrics(
        input1=Pictures(pairs[0]), input2=Pictures(pairs[1]), feature_extractor="injected", cuda=False,
        fid=True, kid=True, kid_subsets=1, kid_subset_size=20, prc=True, cache=False, verbose=False,
    )  # fmt: skip
    ours = measured.compute("painted").values
    assert ours["fid"]["value"] == pytest.approx(theirs["frechet_inception_distance"], abs=1e-4)
    assert ours["kid"]["value"] == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-4)
    assert ours["precision"]["value"] == pytest.approx(theirs["precision"], abs=1e-4)
    assert ours["recall"]["value"] == pytest.approx(theirs["recall"], abs=1e-4)
    assert theirs["frechet_inception_distance"] > 0.01


@pytest.mark.filterwarnings("ignore:Metric `Kernel")
@pytest.mark.parametrize("measure", ["fid", "kid"])
def test_it_equals_torchmetrics(pairs, measured, measure):
    kid = {"subsets": 1, "subset_size": 20}
    theirs = {"fid": lambda: FrechetInceptionDistance(Projection(), input_img_size=(3, 64, 64)),
              "kid": lambda: KernelInceptionDistance(Projection(), **kid)}[measure]()  # fmt: skip
    theirs.update(pairs[1], real=True)
    theirs.update(pairs[0], real=False)
    value = theirs.compute() if measure == "fid" else theirs.compute()[0]
    assert measured.compute().values[measure]["value"] == pytest.approx(value.item(), abs=1e-4)


def test_the_distance_from_sums_is_that_of_the_stored_features(measured):
    rows = {of: np.fromfile(next(measured.folder.glob(f"{of}.*")), "<f4").reshape(20, D) for of in ("truth", "painted")}
    truth, painted = (each.astype(np.float64) for each in rows.values())
    root = scipy.linalg.sqrtm(np.cov(truth, rowvar=False) @ np.cov(painted, rowvar=False)).real
    expected = ((truth.mean(0) - painted.mean(0)) ** 2).sum()
    expected += np.trace(np.cov(truth, rowvar=False) + np.cov(painted, rowvar=False) - 2 * root)
    assert measured.compute().values["fid"]["value"] == pytest.approx(expected, abs=1e-6)


def gaussian(n, mean, covariance, seed=0):
    """n vectors whose mean and covariance are the given ones exactly."""
    x = torch.randn(n, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = x - x.mean(dim=0)
    x = x @ torch.linalg.inv(torch.linalg.cholesky(x.T @ x / (n - 1))).T
    return x @ torch.linalg.cholesky(covariance).T + mean


def sums_of(x):
    sums = FeatureSums(x.shape[1])
    sums.add(x)
    return sums


def test_gaussians_of_known_moments():
    """Where the covariances commute the distance is Σ (√a − √b)² + ‖μ‖²; where not, SciPy's root tells."""
    random = torch.Generator().manual_seed(1)
    a, b = (torch.rand(16, dtype=torch.float64, generator=random) + 0.1 for _ in range(2))
    shift, none = torch.linspace(0, 1, 16).double(), torch.zeros(16).double()
    first, second = gaussian(50, none, a.diag()), gaussian(60, shift, b.diag(), seed=2)
    expected = ((a.sqrt() - b.sqrt()) ** 2).sum() + shift.square().sum()
    assert frechet_distance(sums_of(first), sums_of(second)) == pytest.approx(expected.item(), abs=1e-3)
    turned = torch.linalg.matrix_exp(0.5 * (lambda z: z - z.T)(torch.randn(16, 16, generator=random).double()))
    covariance = turned @ b.diag() @ turned.T
    second = gaussian(60, shift, covariance, seed=2)
    root = scipy.linalg.sqrtm((a.diag() @ covariance).numpy()).real
    expected = (shift.square().sum() + a.sum() + b.sum()).item() - 2 * np.trace(root)
    assert frechet_distance(sums_of(first), sums_of(second)) == pytest.approx(expected, abs=1e-3)


def test_a_dead_channel_and_a_copy():
    x = gaussian(40, torch.zeros(8).double(), torch.eye(8).double())
    x[:, 3] = 0.7
    value, of_truth, of_painted = frechet_influence(Features([x.numpy()]), Features([x.numpy()]))
    assert value == pytest.approx(0, abs=1e-9)
    assert torch.stack([of_truth, of_painted]).abs().max() < 1e-6


def test_influence_is_the_derivative_by_a_pictures_weight():
    random = torch.Generator().manual_seed(3)
    x = torch.randn(30, 6, dtype=torch.float64, generator=random)
    y = torch.randn(40, 6, dtype=torch.float64, generator=random) * torch.linspace(0.5, 2, 6) + 0.3
    _, of_x, of_y = frechet_influence(Features([x.numpy()]), Features([y.numpy()]))
    for side, influence in ((0, of_x), (1, of_y)):
        slopes = []
        for k in range(len(influence)):
            ends = []
            for step in (1e-5, -1e-5):
                weights = torch.full((len(influence),), (1 - step) / len(influence)).double()
                weights[k] += step
                sums = [sums_of(x), sums_of(y)]
                sums[side] = weighted((x, y)[side], weights)
                ends.append(frechet_distance(*sums))
            slopes.append((ends[0] - ends[1]) / 2e-5)
        slopes = torch.tensor(slopes).double()
        assert (slopes - slopes.mean() - influence).abs().max() < 1e-3 * influence.abs().max()


def weighted(x, weights):
    """The sums of as many pictures, of which each counts by its weight."""
    sums = FeatureSums(x.shape[1])
    n = len(x)
    mean = weights @ x
    covariance = (weights[:, None] * (x - mean)).T @ (x - mean) * n / (n - 1)
    sums.count, sums.total = n, n * mean
    sums.outer = (n - 1) * covariance + n * torch.outer(mean, mean)
    return sums


@pytest.fixture(scope="module")
def repeated():
    """200 repetitions of 60 pairs of correlated pictures in 14 dimensions, and the true distance."""
    random = torch.Generator().manual_seed(4)
    scale = torch.linspace(0.5, 1.5, 14).double()
    found = []
    for _ in range(200):
        z, e = torch.randn(2, 60, 14, dtype=torch.float64, generator=random)
        found.append((Features([z.numpy()]), Features([((0.8 * z + 0.6 * e) * scale + 0.2).numpy()])))
    return found, ((scale - 1) ** 2).sum().item() + 14 * 0.04


def covered(estimates, target):
    return np.mean([abs(each.value - target) < 1.96 * each.error for each in estimates])


def test_fd_infinity_recovers_the_truth_where_fd_is_biased(repeated):
    pairs, true = repeated
    plain = [frechet(*pair, paired=True) for pair in pairs]
    infinite = [frechet_infinite(*pair, paired=True, seed=7) for pair in pairs]
    bias, left = (np.mean([each.value for each in estimates]) - true for estimates in (plain, infinite))
    assert bias > 0.05
    assert abs(left) < 0.1 * bias
    assert 0.9 < covered(infinite, true) < 0.99
    assert 0.9 < covered(plain, true + bias) < 0.99
    assert covered(plain, true) < 0.8  # of the truth the plain one is no estimate


def test_kernel_errors_are_the_spread_over_repetitions(repeated):
    pairs, _ = repeated
    for which in (0, 1):
        estimates = [kernel_distance(*pair, paired=True)[which] for pair in pairs]
        spread = np.std([each.value for each in estimates])
        assert 0.9 * spread < np.mean([each.error for each in estimates]) < 1.15 * spread
    strangers = [kernel_distance(truth, pairs[k - 1][1], paired=False)[0] for k, (truth, _) in enumerate(pairs)]
    spread = np.std([each.value for each in strangers])
    assert 0.9 * spread < np.mean([each.error for each in strangers]) < 1.4 * spread  # the nearer to 0, the more
    both = np.mean([kernel_distance(*pair, paired=True)[1].value for pair in pairs])
    assert both == pytest.approx(np.mean([each.value for each in strangers]), abs=0.03)  # unbiased, both


def test_a_copy_has_no_kernel_distance_without_its_own_pairs():
    x = Features.of(torch.rand(30, D, generator=torch.Generator().manual_seed(5)))
    published, without = kernel_distance(x, x, paired=True)
    assert published.value < -1e-3
    assert without.value == pytest.approx(0, abs=1e-12)


def test_blocks_agree_with_the_whole():
    random = torch.Generator().manual_seed(6)
    x, y = (Features.of(torch.rand(900, D, generator=random) + shift) for shift in (0, 0.1))
    whole, parts = (kernel_distance(x, y, paired=False, block=block)[0] for block in (900, 250))
    assert parts.value != whole.value
    assert abs(parts.value - whole.value) < 2 * whole.error
    assert parts.error == pytest.approx(whole.error, rel=0.2)


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_processes_are_as_one(processes, tmp_path):
    """101 pictures in unpadded shares; each process has its own folder, and all answer the same."""
    random = torch.Generator().manual_seed(8)
    true = torch.randint(0, 256, (101, 3, 16, 16), dtype=torch.uint8, generator=random)
    painted = (true.float() * 0.7 + 20).to(torch.uint8)
    whole = DistributionMetric(toy())
    whole.add(true, "truth")
    whole.add(painted, "painted")
    metrics = [DistributionMetric(toy(), tmp_path / str(rank)) for rank in range(processes)]
    for rank, metric in enumerate(metrics):
        share = World(rank, processes).part(101)
        metric.add(true[share], "truth")
        metric.add(painted[share], "painted")
    parts = [metric.parts() for metric in metrics]
    expected = whole.compute().values
    for metric in metrics:
        metric.merge(parts)
        assert metric.compute().values == {
            name: pytest.approx(score, abs=1e-6) for name, score in expected.items()
        }  # fmt: skip
        assert metric.split_half().values["kd_toy"] == pytest.approx(whole.split_half().values["kd_toy"], abs=1e-6)
    assert expected.keys() == {
        "fd_toy", "fd_inf_toy", "kd_toy", "kd_paired_toy", "precision_toy", "recall_toy"
    }  # fmt: skip
    assert all(score["low"] <= score["value"] <= score["high"] and score["n"] == 101 for score in expected.values())


def test_a_folder_is_gone_on_with(pairs, tmp_path):
    """A process that was killed in the middle of a row, and had painted two pictures more than it had noted."""
    metric = DistributionMetric(toy(), tmp_path)
    metric.add(pairs[1], "truth")
    metric.add(pairs[0][:12], "painted")
    with next(tmp_path.glob("painted.*")).open("ab") as file:
        file.write(b"half a row")
    metric = DistributionMetric(toy(), tmp_path)
    assert (metric.count("truth"), metric.count("painted")) == (20, 12)
    metric.keep("painted", 10)
    metric.add(pairs[0][10:], "painted")
    whole = DistributionMetric(toy())
    whole.add(pairs[1], "truth")
    whole.add(pairs[0], "painted")
    assert metric.compute().values["fd_toy"] == pytest.approx(whole.compute().values["fd_toy"], abs=1e-9)


def test_halves_of_the_truth_are_the_noise_floor(pairs, measured):
    """Of another painter of other photographs: near nothing, and the same for the same seed."""
    floor = measured.split_half()
    assert floor.values["kid"]["low"] < 0 < floor.values["kid"]["high"]
    assert floor.values["kid"]["n"] == 10
    assert "kid_paired" not in floor.values
    assert floor.absent["fid"].startswith("10 pictures are too few for 12 features: 13 or more are needed; kid stands")
    assert measured.split_half() == floor


def test_too_few_pictures(pairs):
    metric = DistributionMetric(toy())
    for of, side in zip(("painted", "truth"), pairs, strict=True):
        metric.add(side[:D], of)
    scores = metric.compute()
    assert scores.values.keys() == {"kd_toy", "kd_paired_toy"}
    manifold = "12 pictures are too few to tell where a distribution ends: 100 or more are needed"
    assert scores.absent == {
        "precision_toy": manifold,
        "recall_toy": manifold,
        "fd_toy": "12 pictures are too few for 12 features: 13 or more are needed; kd_toy stands in its place",
        "fd_inf_toy": "12 pictures are too few for 12 features: 26 or more are needed; kd_toy stands in its place",
    }
    metric.keep("painted", 3)
    metric.keep("truth", 3)
    scores = metric.compute()
    assert not scores.values
    assert set(scores.absent.values()) == {"3 pictures are too few: 4 or more are needed"}


def test_pairs_must_match(pairs, measured):
    measured.keep("painted", 19)
    with pytest.raises(UserError, match="19 pictures of 'painted' cannot be paired with 20 true ones"):
        measured.compute()
    measured.paired = False
    assert measured.compute().values["fid"]["n"] == 19


def test_another_processes_folder_must_be_seen(measured, tmp_path):
    parts = [measured.parts(), measured.parts()]
    parts[1]["truth"][0][0] = tmp_path / "elsewhere" / "truth.f32"
    with pytest.raises(UserError, match="give all processes a folder that they share"):
        measured.merge(parts)


def test_the_distance_that_training_follows_is_that_of_an_evaluation(tmp_path):
    random = torch.Generator().manual_seed(0)
    true = torch.randint(0, 256, (9, 3, 40, 40), generator=random, dtype=torch.uint8)
    painted = (true.float() * 0.7 + 30).to(torch.uint8)
    whole = DistributionMetric(create_extractor("efficientnet_lite0"), tmp_path)
    whole.add(true, TRUTH)
    whole.add(painted, "painted")
    wanted = whole.compute().values["kd_paired_efficientnet_lite0"]["value"]
    followed = KernelDistance("efficientnet_lite0")
    for few in (slice(0, 2), slice(2, 9)):  # any batches
        followed.update(painted[few], true[few])
    assert followed.compute() == pytest.approx(wanted, rel=1e-4)
    parts = followed.parts()
    followed.reset()
    followed.update(painted[:2], true[:2])
    assert math.isnan(followed.compute())  # two pictures tell no spread
    followed.merge([parts[:1], parts[1:]])  # two processes
    assert followed.compute() == pytest.approx(wanted, rel=1e-4)
