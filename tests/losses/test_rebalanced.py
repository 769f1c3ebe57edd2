"""Colour as a class, against numpy and scipy: soft targets, weights of rare colours, the annealed mean."""

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree
from scipy.special import log_softmax, softmax

from colorize.batch import Batch, Prediction
from colorize.data.sources import Demo, sample_squares
from colorize.imaging.gamut import ab_bins
from colorize.losses import L1, BinCrossEntropy
from colorize.losses.rebalanced import rebalancing_weights
from colorize.models import Transformer
from colorize.models.bin_head import BinHead
from colorize.training.build import build_parts, build_trainer
from colorize.utils.errors import UserError
from tests.helpers.configs import DECODERS

BINS = ab_bins().numpy().astype(float)


@pytest.fixture
def batch():
    return Batch.from_rgb(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))


def test_it_is_the_cross_entropy_with_soft_targets(batch):
    """The five nearest bins by a k-d tree, a Gaussian of 5 units, and the weight of the nearest."""
    term = BinCrossEntropy()
    term.weights.copy_(torch.rand(len(BINS), generator=torch.Generator().manual_seed(1)) + 0.5)
    logits = torch.randn(2, len(BINS), 8, 8, generator=torch.Generator().manual_seed(2))
    truth = batch.ab.double().numpy().reshape(2, 2, 8, 4, 8, 4).mean(axis=(3, 5)).transpose(0, 2, 3, 1).reshape(-1, 2)
    distances, places = KDTree(BINS).query(truth, 5)
    soft = np.exp(-(distances**2) / (2 * 5**2))
    soft /= soft.sum(axis=1, keepdims=True)
    said = log_softmax(logits.double().numpy().transpose(0, 2, 3, 1).reshape(-1, len(BINS)), axis=1)
    losses = -(soft * np.take_along_axis(said, places, axis=1)).sum(axis=1)
    expected = (term.weights.numpy()[places[:, 0]] * losses).mean()
    assert term(Prediction(bins=logits), batch).item() == pytest.approx(expected, rel=1e-4)


def test_rare_colours_weigh_more_and_one_in_the_mean():
    """Zhang et al. 2016, eq. 4, with the smoothed shares of three bins worked out by hand."""
    shares = torch.zeros(len(BINS))
    grey, other, far = (np.flatnonzero((centre == BINS).all(axis=1))[0] for centre in ((0, 0), (10, 0), (60, 60)))
    shares[grey], shares[far] = 0.9, 0.1
    weights = rebalancing_weights(shares, ab_bins(), 5.0, 0.5).double().numpy()
    kernel = np.exp(-((BINS[:, None] - BINS[None]) ** 2).sum(-1) / 50)
    smooth = shares.double().numpy() @ (kernel / kernel.sum(1, keepdims=True))
    assert smooth.sum() == pytest.approx(1)
    ratio = (0.5 * smooth[grey] + 0.5 / 261) / (0.5 * smooth[far] + 0.5 / 261)
    assert weights[far] / weights[grey] == pytest.approx(ratio, rel=1e-4)
    assert weights[grey] < weights[other] < weights[far] < weights[np.flatnonzero(smooth < 1e-9)[0]]
    assert (weights * smooth).sum() == pytest.approx(1, rel=1e-4)
    assert rebalancing_weights(shares, ab_bins(), 5.0, 1.0) == pytest.approx(np.ones(len(BINS)), rel=1e-6)


def test_weights_come_from_the_training_photographs():
    photographs = Demo(size=32)
    term = BinCrossEntropy()
    term.prepare(photographs)
    again = BinCrossEntropy()
    again.prepare(photographs)
    assert torch.equal(term.weights, again.weights)
    counts = np.zeros(len(BINS))
    for rgb in sample_squares(photographs, len(photographs.train)):
        ab = Batch.from_rgb(rgb[None]).ab[0].flatten(1).T.double().numpy()
        np.add.at(counts, KDTree(BINS).query(ab)[1], 1)
    common, rare = counts.argmax(), counts.argmin()
    assert np.abs(BINS[common]).max() <= 10
    assert term.weights[common] < 0.5 < 3 < term.weights[rare]
    expected = rebalancing_weights(torch.from_numpy(counts / counts.sum()), ab_bins(), 5.0, 0.5)
    assert torch.allclose(term.weights, expected, rtol=1e-2)


def test_the_annealed_mean():
    head = BinHead(4, 0.38)
    logits = 3 * torch.randn(1, len(BINS), 2, 3, generator=torch.Generator().manual_seed(0))
    shares = softmax(logits.double().numpy() / 0.38, axis=1)
    expected = np.einsum("bqhw,qc->bchw", shares, BINS)
    assert np.abs(head.annealed_mean(logits).detach().numpy() - expected).max() < 1e-3
    likeliest = BINS[logits.numpy().argmax(axis=1)].transpose(0, 3, 1, 2)
    assert np.abs(BinHead(4, 0.01).annealed_mean(logits).numpy() - likeliest).max() < 0.1


def test_a_network_learns_it(config, tmp_path):
    """A step lessens the loss on the same photographs; the network says ab at full size, and only with model.bins."""
    words = ["experiment=smoke", "tracker=none", "model=transformer", "model.encoder=test_convnext", *DECODERS]
    cfg = config(*words, "+model.bins=true", "loss=rebalanced", "optimizer.lr=1e-3", "evaluate.historical=false")
    parts = build_parts(cfg)
    trainer = build_trainer(cfg, parts, tmp_path)
    trainer.start_phase("all")
    batches = next(trainer.step_batches("all", 0))
    losses = [trainer.train_step(batches)["loss"] for _ in range(4)]
    assert losses[-1] < losses[0]
    assert trainer.always_unused == []
    ab = parts.model.eval().colorize(100 * torch.rand(1, 1, 33, 70))
    assert ab.shape == (1, 2, 33, 70)
    assert ab.abs().max() > 0
    with pytest.raises(UserError, match=r"needs \['bins'\]; the model answers \['ab'\]"):
        build_trainer(config(*words, "loss=rebalanced"), build_parts(config(*words, "loss=rebalanced")), tmp_path)


def test_without_bins_the_answer_is_ab_alone():
    model = Transformer(encoder="test_convnext", pretrained=False, widths=(16, 16, 16), queries=8, dim=16, heads=2,
                        feedforward=32, rounds=1)  # fmt: skip
    assert model.answers == {"ab"}


def test_l1_against_more_colourful_truth(batch):
    richer = Batch(batch.L, batch.ab, richer=1.2 * batch.ab)
    pred = Prediction(ab=richer.ab)
    assert L1()(pred, richer) == 0
    assert L1(enhanced=True)(pred, richer).item() == pytest.approx(0.2 * batch.ab.abs().mean().item(), rel=1e-4)
