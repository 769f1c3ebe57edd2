"""One optimizer group for every network: the model's optimizer, and the critics' differences."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn

from colorize.utils.errors import UserError
from colorize.utils.validation import Name, Positive, check_arguments


class Optimizers:
    """Builds the optimizer of each network, the model and the critics.

    algorithm   name of a class in `torch.optim`
    encoder     factor on the learning rate of parameters below `encoder.`, which usually start pretrained
    decay       what weight decay pulls at: weights, or all: biases and norms too
    critic      arguments that a critic's optimizer has different, `algorithm` included
    arguments   the algorithm's own: `lr`, `betas`, `weight_decay`, …
    """

    def __init__(
        self, algorithm: Name, *, encoder: Positive = 1.0, decay: Literal["weights", "all"] = "weights",
        critic: Mapping[str, Any] | None = None, **arguments: Any,
    ):  # fmt: skip
        check_arguments({"encoder": encoder, "decay": decay}, Optimizers, "optimizer")
        self.algorithm, self.encoder, self.decay = algorithm, encoder, decay
        self.critic, self.arguments = dict(critic or {}), arguments
        self.check({})

    def check(self, changes: Mapping[str, Any]) -> None:
        """Raises `UserError` for arguments that the algorithm does not know; `changes` are a phase's."""
        for critic in (False, True):
            check_step(*self._resolve(critic, changes))

    def build(
        self, module: nn.Module, changes: Mapping[str, Any] | None = None, *, critic: bool = False
    ) -> torch.optim.Optimizer:
        """The optimizer of `module`'s trainable parameters; `changes` are a phase's."""
        cls, arguments = self._resolve(critic, changes or {})
        spared = {"weight_decay": 0.0} if arguments.get("weight_decay") and self.decay == "weights" else {}
        groups: dict[tuple[bool, bool], dict[str, Any]] = {}
        for name, p in module.named_parameters():
            if not p.requires_grad:
                continue
            slow, plain = name.startswith("encoder.") and self.encoder != 1, bool(spared) and p.ndim < 2
            lr = arguments["lr"] * (self.encoder if slow else 1)
            group = groups.setdefault((slow, plain), {"params": [], "lr": lr, **(spared if plain else {})})
            group["params"].append(p)
        return cls(list(groups.values()), **arguments)

    def notes(self) -> list[str]:
        """What the user should know of these settings."""
        cls, arguments = self._resolve(False, {})
        if cls is torch.optim.Adadelta and arguments["lr"] < 0.01:
            return [f"Adadelta at lr {arguments['lr']:g} hardly moves a weight: torch's default is optimizer.lr=1"]
        return []

    def _resolve(self, critic: bool, phase: Mapping[str, Any]) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        """A critic's arguments: the model's, then the critics' own, the phase's, the phase's for critics."""
        changes = dict(phase)
        only = changes.pop("critic", {})
        arguments = {**self.arguments, **(self.critic if critic else {}), **changes, **(only if critic else {})}
        algorithm = arguments.pop("algorithm", self.algorithm)
        cls = getattr(torch.optim, str(algorithm), None)
        if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
            raise UserError(f"torch.optim has no optimizer {algorithm!r}; it has AdamW, Adam, SGD, Adadelta and others")
        known = set(inspect.signature(cls).parameters) - {"params"}
        if critic and cls.__name__ != self.algorithm:  # what only the model's algorithm takes is not meant for it
            arguments = {k: v for k, v in arguments.items() if k in known or k not in self.arguments}
        if unknown := arguments.keys() - known:
            raise UserError(f"{algorithm} takes no {sorted(unknown)}; it takes {sorted(known)}")
        if not isinstance(arguments.get("lr"), (int, float)) or arguments["lr"] <= 0:
            key = "optimizer.critic.lr" if critic and "lr" in self.critic else "optimizer.lr"
            where = f"the {key} of a phase" if "lr" in {**changes, **(only if critic else {})} else key
            raise UserError(f"{where} is {arguments.get('lr')!r}; it must be a learning rate above 0, such as 0.0003")
        check_arguments(arguments, cls, "optimizer")
        return cls, arguments


def check_step(cls: type[torch.optim.Optimizer], arguments: Mapping[str, Any]) -> None:
    """Raises `UserError` for arguments that the optimizer refuses, and for one that takes other steps than the
    trainer's: with a closure (LBFGS), or along sparse gradients alone (SparseAdam)."""
    held = [nn.Parameter(torch.zeros([1] * dimensions)) for dimensions in (1, 2, 4)]
    for parameter in held:
        parameter.grad = torch.zeros_like(parameter)
    anywhere = {name: value for name, value in arguments.items() if name != "capturable"}  # which needs a GPU
    try:
        cls(held, **anywhere).step()
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"optimizer.algorithm={cls.__name__} cannot train with {arguments}: {reason}") from error
