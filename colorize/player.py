"""A network and what moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.optim.swa_utils import AveragedModel

CONVERGED = 50  # power iterations after which a spectral norm's vectors move no more


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


@torch.no_grad()
def converge_spectral_norms(module: nn.Module) -> None:
    """Singular vectors that belong to the weights as they are: averaged weights come with those of the newest ones."""
    for part in module.modules():
        if isinstance(part, ParametrizationList) and any(hasattr(norm, "_u") for norm in part):
            training = part.training
            part.train()
            for _ in range(CONVERGED):
                part()  # computing the weight in training mode is one power iteration
            part.train(training)


def _moving_average(decay: float):
    @torch.no_grad()
    def update(averages: list[Tensor], values: list[Tensor], count: Tensor) -> None:
        n = float(count)
        torch._foreach_lerp_(averages, values, 1 - min(decay, (1 + n) / (10 + n)))

    return update


def best_state(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights to use from a saved `Player.state`: the averaged ones if there are any."""
    if state["average"] is None:
        return state["module"]
    return {key.removeprefix("module."): value for key, value in state["average"].items() if key != "n_averaged"}
