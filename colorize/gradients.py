"""The gradients of one optimizer step, of every player, at the same weights. Nothing here moves a weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from colorize.batch import Batch
from colorize.errors import UserError
from colorize.losses import Loss
from colorize.player import Player


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
