"""Put foreign weights, under our names, into a network of ours: every one of them, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from colorize.errors import UserError
from colorize.importers.files import State, shortened
from colorize.models import Colorizer

CONSTANTS = ("encoder.mean", "encoder.std")  # an encoder's own, for files that do not bring them
Rules = Iterable[tuple[str, str]]


def rename(state: Mapping[str, Tensor], rules: Rules, drop: str | None = None) -> State:
    """Each name changed by every rule (pattern, replacement) in turn; those that match `drop` are left out."""
    renamed = {}
    for name, value in state.items():
        if drop and re.search(drop, name):
            continue
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        renamed[name] = value
    return renamed


def fill(model: Colorizer, state: Mapping[str, Tensor], what: str) -> Colorizer:
    """Load `state` into `model`, strictly; a linear layer's matrix may fill a 1×1 convolution.

    Raises `UserError` naming what is missing, what is too much, and what has another shape.
    """
    wanted = model.state_dict()
    held = {name: wanted[name] for name in CONSTANTS if name in wanted} | dict(state)
    if missing := wanted.keys() - held.keys():
        names = shortened(sorted(missing))
        raise UserError(f"this looks like {what}, but it is incomplete: what would be {names} is missing")
    if surplus := held.keys() - wanted.keys():
        names = shortened(sorted(surplus))
        raise UserError(f"this looks like {what}, but it holds weights that such a network has no place for: {names}")
    fitted = {name: fit(held[name], value) for name, value in wanted.items()}
    if wrong := [name for name, value in wanted.items() if fitted[name].shape != value.shape]:
        name = wrong[0]
        raise UserError(
            f"this looks like {what}, but what would be {name} is {list(fitted[name].shape)} instead of "
            f"{list(wanted[name].shape)}"
        )
    model.load_state_dict(fitted)
    return model


def fit(value: Tensor, wanted: Tensor) -> Tensor:
    flat = value.ndim == 2 and wanted.ndim == 4 and wanted.shape[2:] == (1, 1)
    return value[:, :, None, None] if flat else value


def first(state: Mapping[str, Tensor], name: str, what: str) -> Tensor:
    """A weight from whose shape the network's is read."""
    if name not in state:
        raise UserError(f"this looks like {what}, but it is incomplete: {name} is missing")
    return state[name]


def count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many different numbers the group of `pattern` takes."""
    return len({match[1] for name in state if (match := re.match(pattern, name))})
