"""Losses: by hand, as contracts over conf/, and their refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
import skimage.color
import torch
import torch.nn.functional as F
from hydra.utils import get_class, instantiate

from colorize.batch import Batch, Prediction
from colorize.imaging.color import CHROMA_SCALE, chroma, lab_to_rgb
from colorize.imaging.gamut import ab_bins
from colorize.losses import (
    L1,
    RGB,
    Adversarial,
    ChromaL1,
    Classify,
    Colorfulness,
    Loss,
    NoiseError,
    Perceptual,
    SquaredError,
)
from colorize.losses.loss import losses_for
from colorize.models import CNN, Diffusion, MultiColor, PatchCritic
from colorize.utils.errors import UserError
from tests.helpers.configs import COMPARING, options, own_loss


@pytest.fixture
def batch():
    rgb = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return Batch.from_rgb(rgb, torch.tensor([1, -1, 0]))


LOGITS = torch.tensor([[0.0, 2.0], [5.0, -5.0], [1.0, 1.0]])


def answer(batch, ab):
    """A network's whole answer, in which every colour is that of `ab`."""
    rgb = lab_to_rgb(batch.L, ab)
    said = {space: chroma(space, rgb) for space in CHROMA_SCALE if space != "lab"}
    bins = torch.zeros(len(ab), len(ab_bins()), 16, 16) + ab.mean()
    return Prediction(ab=ab, rgb=rgb, lab=ab, logits=LOGITS, bins=bins, noise=batch.ab, noise_hat=ab, **said)


@pytest.fixture
def pred(batch):
    noise = torch.randn(batch.ab.shape, generator=torch.Generator().manual_seed(1))
    return answer(batch, (batch.ab + 10 * noise).requires_grad_())


def build(config, name):
    return instantiate(config(f"loss={name}").loss, _convert_="all")


@pytest.mark.parametrize("name", options("loss"))
def test_names_are_the_same_everywhere(name, config, batch, pred):
    cfg = config(f"loss={name}")
    assert cfg.names.loss == name
    loss = build(config, name)
    total, terms = loss(pred, batch, loss.weights)
    assert terms.keys() == cfg.loss.weights.keys() == cfg.loss.terms.keys()
    assert total.item() == pytest.approx(sum(loss.weights[k] * v.item() for k, v in terms.items()), rel=1e-5)


@pytest.mark.parametrize("name", options("loss"))
def test_the_truth_costs_least_and_gradients_are_finite(name, config, batch, pred):
    loss = build(config, name)
    for term in loss.terms.values():
        if isinstance(term, COMPARING):
            assert term(answer(batch, batch.ab), batch) == pytest.approx(0, abs=1e-6)
            assert term(pred, batch) > 0
    grey = answer(batch, torch.zeros_like(batch.ab).requires_grad_())
    loss(grey, batch, loss.weights)[0].backward()
    assert grey.ab.grad.isfinite().all()


@pytest.mark.parametrize("name", [model for model in options("model") if own_loss(model) == model])
def test_the_loss_follows_the_model_unless_it_is_named(name, config):
    cfg = config(f"model={name}")
    loss = instantiate(cfg.loss, _convert_="all")
    loss.check(get_class(cfg.model._target_).answers)
    assert config(f"model={name}", "loss=l1").names.loss == "l1"
    assert config("experiment=quickstart", f"model={name}", "loss=iizuka").names.loss == "iizuka"


def test_an_impossible_pair_is_refused(config):
    with pytest.raises(UserError, match=r"loss term 'classify' needs \['logits'\]; the model answers \['ab'\]"):
        build(config, "iizuka").check(frozenset({"ab"}))


def test_l1_by_hand(batch, pred):
    expected = np.abs((pred.ab - batch.ab).detach().numpy()).mean()
    assert L1()(pred, batch).item() == pytest.approx(expected, rel=1e-5)
    assert L1(unit=128)(pred, batch).item() == pytest.approx(expected / 128, rel=1e-5)


@pytest.mark.parametrize("space", sorted(CHROMA_SCALE))
def test_each_space_is_compared_with_its_own_truth(space, batch, pred):
    """The truth by scikit-image: a and b; hue and saturation, and their circle; U / 0.436 and V / 0.615."""
    rgb = lab_to_rgb(batch.L, batch.ab).double().permute(0, 2, 3, 1).numpy()
    hue, saturation = np.moveaxis(skimage.color.rgb2hsv(rgb)[..., :2], -1, 0)
    truth = {
        "lab": skimage.color.rgb2lab(rgb)[..., 1:],
        "hs": np.stack([hue, saturation], axis=-1),
        "hsv": np.stack([saturation * np.cos(2 * np.pi * hue), saturation * np.sin(2 * np.pi * hue)], axis=-1),
        "yuv": skimage.color.rgb2yuv(rgb)[..., 1:] / (0.436, 0.615),
    }[space]
    term = ChromaL1(space, unit=2.0)
    assert term.needs == {space}
    said = np.moveaxis(getattr(pred, space).detach().double().numpy(), 1, -1)
    assert term(pred, batch).item() == pytest.approx(np.abs(said - truth).mean() / 2, rel=1e-3)


def test_rgb_by_hand(batch, pred):
    expected = (pred.rgb - lab_to_rgb(batch.L, batch.ab)).abs().mean().item()
    assert RGB()(pred, batch).item() == pytest.approx(expected, rel=1e-6)


def test_the_error_on_the_noise_by_hand(batch, pred):
    square = (pred.noise_hat - pred.noise).detach().double().numpy() ** 2
    assert NoiseError()(pred, batch).item() == pytest.approx(square.mean(), rel=1e-5)
    weights = torch.tensor([0.0, 1.0, 3.0])
    weighted = replace(pred, noise_weight=weights)
    expected = (square.mean(axis=(1, 2, 3)) * weights.numpy()).mean()
    assert NoiseError()(weighted, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("reduction", "share"), [("sum", 1), ("image_sum", 3), ("mean", 3 * 2 * 64 * 64)])
def test_squared_error_by_hand(batch, pred, reduction, share):
    """Iizuka's unit: (ab + 128) / 255."""
    scaled = [((ab.detach().double().numpy() + 128) / 255) for ab in (pred.ab, batch.ab)]
    expected = ((scaled[0] - scaled[1]) ** 2).sum() / share
    assert SquaredError(255, reduction)(pred, batch).item() == pytest.approx(expected, rel=1e-5)


def test_classify_leaves_out_what_has_no_label(batch, pred):
    first, third = -math.log(math.exp(2) / (1 + math.exp(2))), math.log(2)
    assert Classify()(pred, batch).item() == pytest.approx((first + third) / 3, rel=1e-5)
    unlabelled = Batch(batch.L, batch.ab, torch.full((3,), -1))
    assert Classify()(pred, unlabelled) == 0


def test_colorfulness_is_ddcolors(batch):
    """Kang et al.'s code: |R − G| and |(R + G)/2 − B| on RGB in 0…1; here averaged over the batch."""
    rgb = lab_to_rgb(batch.L, batch.ab).double().numpy()
    rg, yb = abs(rgb[:, 0] - rgb[:, 1]), abs((rgb[:, 0] + rgb[:, 1]) / 2 - rgb[:, 2])
    axes = (1, 2)
    value = np.hypot(rg.std(axes), yb.std(axes)) + 0.3 * np.hypot(rg.mean(axes), yb.mean(axes))
    truth = Prediction(ab=batch.ab)
    assert Colorfulness()(truth, batch).item() == pytest.approx((1 - value).mean(), rel=1e-4)
    assert Colorfulness("hundred")(truth, batch).item() == pytest.approx((1 - 2.55 * value).mean(), rel=1e-4)


def test_adversarial_is_binary_cross_entropy_and_spares_the_critic(batch, pred):
    term = Adversarial(PatchCritic(width=8), smooth=0.9)
    fake, real = (term.critic.judge(batch.L, ab) for ab in (pred.ab, batch.ab))
    painted = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    value = term(pred, batch)
    assert value.item() == pytest.approx(painted.item(), rel=1e-5)
    value.backward()
    assert pred.ab.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in term.critic.parameters())

    told = F.binary_cross_entropy_with_logits(real, torch.full_like(real, 0.9))
    told = told + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    assert term.critic_loss(term.critic, pred.detach(), batch)[0].item() == pytest.approx(told.item(), rel=1e-5)
    halved = Adversarial(term.critic, smooth=0.9, halve=True)
    assert halved.critic_loss(term.critic, pred.detach(), batch)[0].item() == pytest.approx(told.item() / 2, rel=1e-5)


def test_the_other_kinds_of_adversary_by_hand(batch, pred):
    critic = PatchCritic(width=8)
    fake, real = (critic.judge(batch.L, ab) for ab in (pred.ab, batch.ab))
    expected = {
        "minimax": ((1 - fake.sigmoid()).log(), None),
        "lsgan": ((fake - 1) ** 2, fake.square().mean() + (real - 0.9).square().mean()),
        "hinge": (-fake, (1 + fake).clamp(min=0).mean() + (1 - real).clamp(min=0).mean()),
    }
    for kind, (painted, told) in expected.items():
        term = Adversarial(critic, kind=kind, smooth=1.0 if kind == "hinge" else 0.9)
        assert term(pred, batch).item() == pytest.approx(painted.mean().item(), rel=1e-4)
        if told is not None:
            assert term.critic_loss(term.critic, pred.detach(), batch)[0].item() == pytest.approx(told.item(), rel=1e-4)
    alike = Adversarial(critic), Adversarial(critic, kind="minimax")
    assert len({term.critic_loss(term.critic, pred.detach(), batch)[0].item() for term in alike}) == 1


def test_perceptual_instrument_stays_still(batch, pred):
    term = Perceptual("efficientnet_lite0").train()
    before = {k: v.clone() for k, v in term.net.state_dict().items()}
    term(pred, batch).backward()
    assert not term.net.training
    assert all(torch.equal(v, before[k]) for k, v in term.net.state_dict().items())
    assert all(p.grad is None for p in term.parameters())
    assert pred.ab.grad.abs().sum() > 0


def test_terms_and_weights_must_have_the_same_names():
    with pytest.raises(UserError, match="must have the same names"):
        Loss({"pixel": L1()}, {"pixle": 1.0})


def test_a_weight_of_zero_switches_a_term_off():
    loss = Loss({"pixel": L1(), "colorful": Colorfulness()}, {"pixel": 1.0, "colorful": 0.5})
    assert loss.active({"colorful": 0}) == {"pixel": 1.0}
    with pytest.raises(UserError, match=r"a phase weighs \['colour'\]; the loss's terms are"):
        loss.active({"colour": 1})
    with pytest.raises(UserError, match="every loss weight is zero"):
        loss.active({"pixel": 0, "colorful": 0})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SquaredError(reduction="median"), "image_sum, sum or mean"),
        (lambda: Colorfulness(scale="ten"), "hundred"),
        (lambda: Perceptual(features="vgg11"), "vgg16_bn"),
        (lambda: ChromaL1("rgb"), "hsv"),
        (lambda: Adversarial(PatchCritic(width=8), kind="wgan"), "lsgan"),
        (lambda: Adversarial(PatchCritic(width=8), kind="hinge", smooth=0.9), "no labels to smooth"),
    ],
)
def test_impossible_terms_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.parametrize(
    ("network", "loss", "fit"),
    [(CNN, NoiseError, "ddcolor or iizuka or l1 or pix2pix"), (Diffusion, L1, "ddpm")],
)
def test_a_loss_that_does_not_fit_names_those_that_do(network, loss, fit):
    with pytest.raises(UserError, match=f"use loss={fit}, or another model$"):
        Loss({"one": loss()}, {"one": 1.0}).check(network.answers)
    assert "multicolor" in losses_for(MultiColor.answers)
