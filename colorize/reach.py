"""Which parameters of a model a loss can reach. The others would stay as they were born, unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from colorize.batch import Batch
from colorize.errors import UserError
from colorize.losses import Loss
from colorize.models import Colorizer

if TYPE_CHECKING:
    from colorize.data import Photographs
    from colorize.schedule import Phase


def unreached(model: Colorizer, loss: Loss, weights: Mapping[str, float], size: int, classes: int) -> list[str]:
    """The names of trainable parameters that no gradient comes to.

    A training step is taken on tensors that have shapes but no numbers: nothing is computed, and nothing changes
    (batch norm's counters would, in training mode).
    """
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    device = next(iter(named.values())).device
    training = model.training
    model.eval()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.random.fork_rng(devices=[]):
        ab = torch.zeros(2, 2, size, size, device=device)
        label = torch.zeros(2, dtype=torch.long, device=device) if classes else None
        batch = Batch(ab[:, :1], ab, label)
        total, _ = loss(model(batch), batch, weights)
        gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    model.train(training)
    return [name for name, gradient in zip(named, gradients, strict=True) if gradient is None]


def unread(
    model: Colorizer, loss: Loss, weights: Mapping[str, Mapping[str, float]], photographs: Photographs
) -> dict[str, list[str]]:
    """phase -> the trainable parameters that none of its loss terms reaches; `weights` are each phase's."""
    known: dict[frozenset[str], list[str]] = {}
    for terms in map(frozenset, weights.values()):
        if terms not in known:
            ones = dict.fromkeys(terms, 1.0)
            known[terms] = unreached(model, loss, ones, photographs.size, len(photographs.classes))
    return {phase: known[frozenset(own)] for phase, own in weights.items()}


def resting(
    model: Colorizer, schedule: Mapping[str, Phase], unread: Mapping[str, Iterable[str]]
) -> dict[str, list[str]]:
    """phase -> the trainable parameters that do not learn in it: what no term reads, and what it freezes.

    Raises `UserError` where a phase freezes what is not there, or everything.
    """
    found = {}
    names = [name for name, p in model.named_parameters() if p.requires_grad]
    for phase, settings in schedule.items():
        rest = set(unread[phase])
        for beginning in settings.frozen:
            frozen = [name for name in names if name == beginning or name.startswith(beginning + ".")]
            if not frozen:
                parts = sorted({name.split(".")[0] for name in names})
                raise UserError(
                    f"phase {phase!r} freezes {beginning!r}, which is not in the model; its parts are {parts}"
                )
            rest |= set(frozen)
        if len(rest) == len(names):
            raise UserError(f"phase {phase!r} freezes every parameter of the model: leave one to learn")
        found[phase] = [name for name in names if name in rest]
    return found


def in_all(phases: Mapping[str, Sequence[str]]) -> list[str]:
    """The names that every phase has."""
    first, *others = phases.values()
    return [name for name in first if all(name in other for other in others)]


def summarised(names: Iterable[str]) -> str:
    """Parameters by the module that they belong to: "classify (4)"."""
    counts: dict[str, int] = {}
    for name in names:
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + 1
    return ", ".join(f"{part} ({count})" for part, count in counts.items())
