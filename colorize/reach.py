"""Which parameters of a model a loss can reach. The others would stay as they were born, unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from colorize.batch import Batch
from colorize.losses import Loss
from colorize.models import Colorizer


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


def freeze_unreached(
    model: Colorizer, loss: Loss, phases: Iterable[Mapping[str, float]], size: int, classes: int
) -> list[str]:
    """Freeze the parameters that no phase's weights reach, and return their names."""
    never: set[str] | None = None
    for terms in {frozenset(weights) for weights in phases}:
        missed = unreached(model, loss, dict.fromkeys(terms, 1.0), size, classes)
        never = set(missed) if never is None else never & set(missed)
    for name in never or ():
        model.get_parameter(name).requires_grad_(False)
    return [name for name, _ in model.named_parameters() if name in (never or ())]


def summarised(names: Iterable[str]) -> str:
    """Parameters by the module that they belong to: "classify (4)"."""
    counts: dict[str, int] = {}
    for name in names:
        part = name.split(".")[0]
        counts[part] = counts.get(part, 0) + 1
    return ", ".join(f"{part} ({count})" for part, count in counts.items())
