"""A network with its optimizer and its moving average, and the gradients of a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from colorize.batch import Batch
from colorize.losses.loss import Loss
from colorize.models.base import converge_spectral_norms
from colorize.models.load import best_state
from colorize.utils.errors import UserError


class Player:
    """The model, or a critic inside a loss term: a network, its optimizer, and perhaps the average of its past weights.

    ema     decay of the exponential moving average of the weights; None: no average. It starts low, (1 + n)/(10 + n)
            after n steps, so that a short run is not averaged with its random beginning. Buffers are copied.
    wrap    what makes a network one of several processes'; nothing, in one process
    """

    def __init__(
        self, module: nn.Module, ema: float | None = None, wrap: Callable[[nn.Module], nn.Module] = lambda m: m
    ):
        self.module, self.wrap = module, wrap
        self.wrapped = module  # forward passes go through it, state does not
        self.optimizer: torch.optim.Optimizer | None = None
        self.average = AveragedModel(module, multi_avg_fn=_moving_average(ema)) if ema else None

    def begin(self, optimizer: torch.optim.Optimizer) -> None:
        """Start a phase: the network carries over, its optimizer is fresh."""
        self.optimizer = optimizer
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.base_lr = [group["lr"] for group in optimizer.param_groups]
        self.wrapped = self.wrap(self.module)

    @property
    def lr(self) -> float:
        """Of the last step, of the first group of weights."""
        assert self.optimizer is not None
        return self.optimizer.param_groups[0]["lr"]

    def gradient_norm(self, clip: float | None) -> Tensor:
        """() norm of all gradients, which are then scaled down to `clip` if it is larger."""
        return nn.utils.clip_grad_norm_(self.parameters, clip or float("inf"))

    def step(self, lr: float) -> None:
        """Move by the gradients gathered; `lr` is a factor on the optimizer's own rates."""
        assert self.optimizer is not None
        for group, base in zip(self.optimizer.param_groups, self.base_lr, strict=True):
            group["lr"] = base * lr
        self.optimizer.step()
        self.forget()
        if self.average is not None:
            self.average.update_parameters(self.module)

    def forget(self) -> None:
        """Drop the gradients gathered."""
        self.module.zero_grad(set_to_none=True)

    def best_module(self) -> nn.Module:
        """The averaged network if there is one, ready for use: the one to evaluate and to hand on."""
        if self.average is None:
            return self.module
        converge_spectral_norms(self.average.module)
        return self.average.module

    def state(self) -> dict[str, Any]:
        return {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "average": self.average.state_dict() if self.average is not None else None,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        self.module.load_state_dict(state["module"] if state["module"] is not None else best_state(state))
        if self.optimizer is not None and state["optimizer"] is not None:
            kinds = [{name: type(value) for name, value in group.items()} for group in self.optimizer.param_groups]
            self.optimizer.load_state_dict(state["optimizer"])
            for group, held in zip(self.optimizer.param_groups, kinds, strict=True):
                if {name: type(value) for name, value in group.items()} != held:
                    raise ValueError("the optimizer's settings are of other kinds")
        if self.average is not None:
            self.average.load_state_dict(state["average"])


def _moving_average(decay: float):
    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Tensor) -> None:
        n = float(count)
        torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def gather_gradients(
    players: Mapping[str, Player],
    loss: Loss,
    batches: Sequence[Batch],
    weights: Mapping[str, float],
    autocast: AbstractContextManager,
) -> dict[str, Tensor]:
    """The first player is the model, the others are critics of the loss terms of their names.

    Each batch counts by its photographs, so that it does not matter how an optimizer step is divided among passes.
    Returns, averaged over photographs: the unweighted terms, `NAME_critic`, the loss of a critic, and
    `NAME_critic_right`, the share of what it judges rightly, and `loss`, the weighted total.
    """
    photographs = sum(map(len, batches))
    sums: dict[str, Tensor] = {}
    for batch in batches:
        share = len(batch) / photographs
        with ExitStack() as pending:
            if batch is not batches[-1]:
                keep_local(players, pending)
            with autocast:
                pred = players["model"].wrapped(batch)
            pred = pred.float()
            total, terms = loss(pred, batch, weights)
            (share * total).backward()
            terms["loss"] = total
            for name in list(players)[1:]:
                term = loss.terms[name]
                value, right = term.critic_loss(players[name].wrapped, pred.detach(), batch)  # type: ignore[operator]
                (share * value).backward()
                terms |= {f"{name}_critic": value, f"{name}_critic_right": right}
        sums = {name: sums.get(name, 0) + share * value.detach() for name, value in terms.items()}
    return sums


def keep_local(players: Mapping[str, Player], pending: ExitStack) -> None:
    """Several processes average their gradients once in a step, at its last pass."""
    for player in players.values():
        if isinstance(player.wrapped, DistributedDataParallel):
            pending.enter_context(player.wrapped.no_sync())


def finite(terms: Mapping[str, Tensor], step: int) -> dict[str, float]:
    """The values as numbers, fetched from the device together. Raises `UserError` where one is not finite."""
    values = dict(zip(terms, torch.stack([t.detach().float() for t in terms.values()]).tolist(), strict=True))
    for name, value in values.items():
        if value != value or value in (float("inf"), float("-inf")):
            raise UserError(
                f"{name!r} became {value} at step {step}; the checkpoint that was saved last is whole: start again "
                "from it with a lower optimizer.lr or trainer.clip"
            )
    return values
