"""One optimizer group for every player: what the model's optimizer is, and what the critics' have different."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from colorize.errors import UserError


class Optimizers:
    """Builds the optimizer of each player.

    algorithm   name of a class in `torch.optim`
    encoder     factor on the learning rate of parameters below `encoder.`, which usually start pretrained
    critic      arguments that a critic's optimizer has different, `algorithm` included
    arguments   the algorithm's own: `lr`, `betas`, `weight_decay`, …
    """

    def __init__(
        self, algorithm: str, *, encoder: float = 1.0, critic: Mapping[str, Any] | None = None, **arguments: Any
    ):
        self.algorithm, self.encoder, self.critic, self.arguments = algorithm, encoder, dict(critic or {}), arguments
        for changes in ({}, self.critic):
            self._resolve(changes)  # a misspelt argument is found before anything is trained

    def build(self, module: nn.Module, *, critic: bool = False, **changes: Any) -> torch.optim.Optimizer:
        """The optimizer of `module`'s trainable parameters; `changes` are a phase's."""
        cls, arguments = self._resolve({**(self.critic if critic else {}), **changes})
        trainable = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
        encoder = [p for name, p in trainable if name.startswith("encoder.")]
        rest = [p for name, p in trainable if not name.startswith("encoder.")]
        groups = [
            {"params": rest},
            {"params": encoder, "lr": arguments["lr"] * self.encoder},
        ]
        return cls([group for group in groups if group["params"]], **arguments)

    def _resolve(self, changes: Mapping[str, Any]) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
        arguments = {**self.arguments, **changes}
        algorithm = arguments.pop("algorithm", self.algorithm)
        cls = getattr(torch.optim, str(algorithm), None)
        if not (isinstance(cls, type) and issubclass(cls, torch.optim.Optimizer)):
            raise UserError(f"torch.optim has no optimizer {algorithm!r}; it has AdamW, Adam, SGD, Adadelta and others")
        known = set(inspect.signature(cls).parameters) - {"params"}
        if unknown := arguments.keys() - known:
            raise UserError(f"{algorithm} takes no {sorted(unknown)}; it takes {sorted(known)}")
        if not isinstance(arguments.get("lr"), (int, float)) or arguments["lr"] <= 0:
            raise UserError(
                f"{algorithm} needs a learning rate above 0, such as lr=0.0003; it was given {arguments.get('lr')!r}"
            )
        return cls, arguments
