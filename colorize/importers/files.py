"""Checkpoint files of others: read without running anything that is in them, taken out of their containers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from colorize.checkpoint import read
from colorize.errors import UserError

State = dict[str, Tensor]
CONTAINERS = ("generator_state_dict", "model_state_dict", "params_ema", "params", "state_dict")


def read_file(path: Path) -> dict[str, Any]:
    """What a .safetensors file or one that torch saved holds: tensors and plain values only.

    Raises `UserError` for a file that is truncated, is no checkpoint, or wants to run code.
    """
    if path.suffix != ".safetensors":
        content = read(path)
        if not isinstance(content, dict):
            raise UserError(f"{str(path)!r} holds a {type(content).__name__}, not a state dict")
        return content
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{str(path)!r} is not a whole safetensors file ({error}): fetch it again") from error


def take_out(content: Mapping[str, Any], path: Path) -> State:
    """The weights in a checkpoint's container, by name, in single precision.

    BasicSR: `params_ema` if there is one, else `params`. Where the thesis keeps two networks (`model_state_dict`,
    `encoder_state_dict`), their names begin with `model.` and `encoder.`. DataParallel's `module.` is taken off.
    """
    if "encoder_state_dict" in content and "model_state_dict" in content:
        held = {f"{part}.{name}": value for part in ("model", "encoder")
                for name, value in content[f"{part}_state_dict"].items()}  # fmt: skip
    else:
        inside = [content[name] for name in CONTAINERS if isinstance(content.get(name), Mapping)]
        held = inside[0] if inside else dict(content)
    state = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    if not state:
        raise UserError(f"{str(path)!r} holds no weights: its keys are {shortened(content)}")
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): value for name, value in state.items()}
    broken = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise UserError(f"{str(path)!r} is damaged: {shortened(broken)} hold values that are not finite numbers")
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def shortened(names, count: int = 3) -> str:
    """The first few names, and how many more there are."""
    names = list(map(str, names))
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more if names else "none"
