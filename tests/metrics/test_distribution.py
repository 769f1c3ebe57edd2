"""Distances between distributions against torch-fidelity and torchmetrics, and what is refused."""

import math

import pytest
import torch
import torch_fidelity
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from colorize.metrics import KernelDistance
from colorize.metrics.distribution import TRUTH, split_half
from colorize.metrics.extractors import create_extractor
from colorize.utils.errors import UserError
from tests.helpers.features import D, Measured, Projection, toy


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


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_it_equals_torch_fidelity(pairs, measured):
    torch_fidelity.register_feature_extractor("injected", Injected)
    theirs = torch_fidelity.calculate_metrics(
        input1=Pictures(pairs[0]), input2=Pictures(pairs[1]), feature_extractor="injected", cuda=False,
        fid=True, kid=True, kid_subsets=1, kid_subset_size=20, prc=True, cache=False, verbose=False,
    )  # fmt: skip
    ours = measured.compute().values
    assert ours["fid"].value == pytest.approx(theirs["frechet_inception_distance"], abs=1e-4)
    assert ours["kid"].value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-4)
    assert ours["precision"].value == pytest.approx(theirs["precision"], abs=1e-4)
    assert ours["recall"].value == pytest.approx(theirs["recall"], abs=1e-4)
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
    assert measured.compute().values[measure].value == pytest.approx(value.item(), abs=1e-4)


def test_halves_of_the_truth_are_the_noise_floor(pairs, measured):
    """Of another painter of other photographs: near nothing, and the same for the same seed."""
    truth = measured.store.file(TRUTH).features()
    floor = split_half(measured.extractor, truth)
    assert floor.values["kid"].low < 0 < floor.values["kid"].high
    assert floor.values["kid"].n == 10
    assert "kid_paired" not in floor.values
    assert floor.absent["fid_inf"] == "10 pictures are too few for 12 features: 26 or more are needed"
    assert math.isnan(floor.values["fid"].low)
    assert str(split_half(measured.extractor, truth)) == str(floor)


def test_too_few_pictures(pairs, tmp_path):
    metric = Measured(toy(), tmp_path)
    metric.add(*(side[:D] for side in pairs))
    scores = metric.compute()
    assert scores.values.keys() == {"fd_toy", "kd_toy", "kd_paired_toy"}
    few = scores.values["fd_toy"]  # has no interval, so that nothing is concluded from it
    assert math.isnan(few.low)
    assert math.isnan(few.high)
    manifold = "12 pictures are too few to tell where a distribution ends: 100 or more are needed"
    assert scores.absent == {
        "precision_toy": manifold,
        "recall_toy": manifold,
        "fd_inf_toy": "12 pictures are too few for 12 features: 26 or more are needed",
    }
    for row in (TRUTH, "painted"):
        metric.store.file(row).keep(3)
    scores = metric.compute()
    assert not scores.values
    assert set(scores.absent.values()) == {"3 pictures are too few: 4 or more are needed"}


def test_pairs_must_match(pairs, measured):
    measured.store.file("painted").keep(19)
    with pytest.raises(UserError, match="19 predicted pictures cannot be paired with 20 true ones"):
        measured.compute()
    assert measured.compute(paired=False).values["fid"].n == 19


def test_the_distance_that_training_follows_is_that_of_an_evaluation(tmp_path):
    random = torch.Generator().manual_seed(0)
    true = torch.randint(0, 256, (9, 3, 40, 40), generator=random, dtype=torch.uint8)
    painted = (true.float() * 0.7 + 30).to(torch.uint8)
    whole = Measured(create_extractor("efficientnet_lite0"), tmp_path)
    whole.add(painted, true)
    wanted = whole.compute().values["kd_paired_efficientnet_lite0"].value
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
