"""The generator's adversarial term, and the critic it is measured by."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize.batch import Batch, Prediction
from colorize.losses.loss import Term
from colorize.models.critics import Critic
from colorize.utils.errors import UserError
from colorize.utils.validation import Share


class Adversarial(Term):
    """How well the critic is deceived.

    kind        vanilla: binary cross-entropy on the critic's logits, not saturating. minimax: the same critic, but the
                generator lessens log(1 − D), as Goodfellow et al. 2014 write it first; its gradient fades while the
                critic is right. lsgan: squared distance from 1 and 0 (Mao et al. 2017). hinge (Lim and Ye 2017).
    smooth      what the critic is told of true pictures: 1, or 0.9 for one-sided label smoothing
    halve       halve the critic's loss, as pix2pix does to slow it down

    The generator's side leaves the critic's weights alone; `critic_loss` wants a detached prediction. A critic calls a
    picture true where its logit lies above 0; under lsgan, above the middle between its two targets.
    """

    critic: Critic

    def __init__(
        self,
        critic: Critic,
        *,
        kind: Literal["vanilla", "minimax", "lsgan", "hinge"] = "vanilla",
        smooth: Share = 1.0,
        halve: bool = False,
    ):
        super().__init__(critic)
        if kind not in KINDS:
            raise UserError(f"adversarial kind is {kind!r}; it must be one of {sorted(KINDS)}")
        if kind == "hinge" and smooth != 1:
            raise UserError("adversarial kind=hinge has no labels to smooth: leave smooth at 1")
        self.kind, self.smooth, self.share = kind, smooth, 0.5 if halve else 1.0

    def forward(self, pred: Prediction, batch: Batch) -> Tensor:
        deceived, _, _ = KINDS[self.kind]
        with frozen(self.critic):
            return deceived(self.critic.judge(batch.L, pred.ab)).mean()  # type: ignore[arg-type]

    def critic_loss(self, critic: nn.Module, pred: Prediction, batch: Batch) -> tuple[Tensor, Tensor]:
        fake, real = critic(batch.L, pred.ab, batch.shown_ab)
        _, of_fake, of_real = KINDS[self.kind]
        doubt = self.smooth / 2 if self.kind == "lsgan" else 0.0
        right = ((fake < doubt).float().mean() + (real > doubt).float().mean()) / 2
        return self.share * (of_fake(fake).mean() + of_real(real, self.smooth).mean()), right.detach()


def believed(real: Tensor, smooth: float) -> Tensor:
    """Binary cross-entropy of a logit against the label `smooth`, written as softplus."""
    return smooth * F.softplus(-real) + (1 - smooth) * F.softplus(real)


# On the critic's word: what the painter lessens for its picture, what the critic lessens for painted and for true ones
KINDS: dict[str, tuple[Callable, Callable, Callable]] = {
    "vanilla": (lambda fake: F.softplus(-fake), F.softplus, believed),
    "minimax": (lambda fake: -F.softplus(fake), F.softplus, believed),
    "lsgan": (lambda fake: (fake - 1).square(), torch.square, lambda real, smooth: (real - smooth).square()),
    "hinge": (torch.neg, lambda fake: F.relu(1 + fake), lambda real, _: F.relu(1 - real)),
}


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
