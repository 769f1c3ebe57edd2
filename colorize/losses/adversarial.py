"""The generator's adversarial term, and the critic it is measured by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch.nn.functional as F
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.losses.loss import Term
from colorize.models.critics import Critic


class Adversarial(Term):
    """Non-saturating GAN loss: binary cross-entropy on the critic's logits, written as softplus.

    smooth      what the critic is told of true pictures: 1, or 0.9 for one-sided label smoothing
    halve       halve the critic's loss, as pix2pix does to slow it down

    The generator's side leaves the critic's weights alone; `critic_loss` wants a detached prediction.
    """

    critic: Critic

    def __init__(self, critic: Critic, *, smooth: float = 1.0, halve: bool = False):
        super().__init__(critic)
        self.smooth, self.share = smooth, 0.5 if halve else 1.0

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        with frozen(self.critic):
            return F.softplus(-self.critic.judge(batch.L, pred.ab)).mean()  # type: ignore[arg-type]

    def critic_loss(self, pred: Prediction, batch: Batch) -> Tensor:
        fake, real = self.critic(batch.L, pred.ab, batch.ab)
        believed = self.smooth * F.softplus(-real) + (1 - self.smooth) * F.softplus(real)
        return self.share * (F.softplus(fake).mean() + believed.mean())


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Gradients flow through `module`, but none gather in it."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    for p in trainable:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in trainable:
            p.requires_grad_(True)
