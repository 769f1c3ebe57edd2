"""Put foreign weights, under our names, into a network of ours: every one of them, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.module import register_module_parameter_registration_hook

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


def construct(
    network: type[Colorizer], settings: Mapping[str, Any], state: Mapping[str, Tensor], what: str
) -> Colorizer:
    """The network that a file describes, with the file's weights.

    It is first built without memory, so that one which is not the size of its weights never takes any. A network of a
    package that the user trusts may not be able to.
    Raises `UserError` where the settings build none, or the weights do not fill it exactly.
    """
    try:
        if network.__module__.startswith("colorize."):
            with torch.device("meta"), at_most(8 * len(state) + 1000):
                check_fit(network(**settings).state_dict(), state, what)
        model = network(**settings)
    except UserError:
        raise
    except Exception as error:  # whatever values that nobody foresaw make of a constructor
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"this should be {what}, and its settings describe none: {reason}") from error
    return fill(model, state, what)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Raises `UserError` where more weights than that are made: a file may ask for a million layers."""
    made = 0

    def counted(*_: Any) -> None:
        nonlocal made
        made += 1
        if made > count:
            raise UserError(
                f"the settings describe a network of more than {count} weights, which the file does not hold"
            )

    handle = register_module_parameter_registration_hook(counted)
    try:
        yield
    finally:
        handle.remove()


def fill(model: Colorizer, state: Mapping[str, Tensor], what: str) -> Colorizer:
    """Load `state` into `model`, strictly; a linear layer's matrix may fill a 1×1 convolution.

    Raises `UserError` naming what is missing, what is too much, and what has another shape.
    """
    wanted = model.state_dict()
    check_fit(wanted, state, what)
    held = {name: wanted[name] for name in CONSTANTS if name in wanted} | dict(state)
    model.load_state_dict({name: fit(held[name], value) for name, value in wanted.items()})
    return model


def check_fit(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> None:
    """Raises `UserError` where `state` does not fill a network whose tensors are `wanted`."""
    held = {name: wanted[name] for name in CONSTANTS if name in wanted} | dict(state)
    if missing := wanted.keys() - held.keys():
        names = shortened(sorted(missing))
        raise UserError(f"this looks like {what}, but it is incomplete: what would be {names} is missing")
    if surplus := held.keys() - wanted.keys():
        names = shortened(sorted(surplus))
        raise UserError(f"this looks like {what}, but it holds weights that such a network has no place for: {names}")
    for name, value in wanted.items():
        if fit(held[name], value).shape != value.shape:
            raise UserError(
                f"this looks like {what}, but what would be {name} is {list(held[name].shape)} instead of "
                f"{list(value.shape)}"
            )


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
