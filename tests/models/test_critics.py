"""Critics by the numbers of their papers."""

import math

import pytest
import torch
from torch import nn

from colorize.models import PatchCritic, UNetCritic


def test_the_patch_critic_is_the_70_by_70_one():
    critic = PatchCritic()
    (judged,) = critic(torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 256, 256))
    assert judged.shape == (1, 1, 30, 30)
    for layer in critic.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    L = torch.full((1, 1, 256, 256), 50.0, requires_grad=True)
    critic.judge(L, torch.zeros(1, 2, 256, 256))[0, 0, 15, 15].backward()
    rows = L.grad[0, 0].abs().sum(dim=1).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_ddcolors_critic_judges_13_by_13_patches():
    critic = UNetCritic(width=8)
    (judged,) = critic(torch.zeros(1, 1, 256, 256), torch.zeros(1, 2, 256, 256))
    assert judged.shape == (1, 1, 13, 13)


def test_a_critic_judges_each_colouring_on_its_own():
    critic = PatchCritic(width=8)
    L, ab = torch.rand(2, 1, 64, 64) * 100, torch.randn(2, 2, 64, 64) * 30
    alone, beside = critic(L, ab)[0], critic(L, torch.zeros_like(ab), ab)[1]
    assert torch.equal(alone, beside)


def test_a_critic_starts_as_torchs_layers_do_where_the_thesis_code_has_it(config):
    torch.manual_seed(0)
    isola, torchs = PatchCritic(16), PatchCritic(16, start="torch")
    assert isola.layers[0].weight.std().item() == pytest.approx(0.02, rel=0.1)
    bound = 1 / math.sqrt(3 * 16)  # of torch's uniform start
    assert torchs.layers[0].weight.abs().max().item() == pytest.approx(bound, rel=0.05)
    cfg = config("experiment=thesis/gan_as_run", "data.root=x")
    assert cfg.loss.terms.adversarial.critic.start == "torch"
