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
from colorize.recognition import what_it_is

State = dict[str, Tensor]
CONTAINERS = (  # the averaged weights first, where a file holds both
    "params_ema", "ema", "model_ema", "net_g_ema", "state_dict_ema", "generator_state_dict", "model_state_dict",
    "net_g", "netG", "generator", "params", "state_dict", "model",
)  # fmt: skip
LAYOUTS = {  # how keys begin that only one published layout has -> what it is
    "encoder.arch.": "a DDColor checkpoint", "low_net.": "the thesis's CNN", "layers.0.": "the thesis's GAN generator",
    "down.0.": "the thesis's plain U-Net", "color_module.": "the thesis's transformer",
    "color_modules.": "the thesis's MultiColor", "model.init_conv.": "the thesis's diffusion model",
}  # fmt: skip
DEEP = 4  # containers within each other
PREFIXES = ("module.", "_orig_mod.", "net_g.", "netG.", "generator.", "model.")  # wrappers' names before a weight's
HEADER = 2**27  # bytes of a safetensors file that may describe its tensors


def read_file(path: Path) -> dict[str, Any]:
    """What a safetensors file, or one that torch saved, holds: tensors and plain values only.

    Raises `UserError` for a file that is truncated, is no checkpoint, or wants to run code.
    """
    if not is_safetensors(path):
        content = read(path)
        if not isinstance(content, dict):
            raise UserError(f"{str(path)!r} holds a {type(content).__name__}, not a state dict")
        return content
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise UserError(f"there are no weights {str(path)!r}") from error
    except (SafetensorError, OSError, ValueError) as error:
        reason = f"it is {what_it_is(path)}" if not begins_as_safetensors(path) else error
        raise UserError(f"{str(path)!r} is not a whole safetensors file ({reason})") from error


def is_safetensors(path: Path) -> bool:
    """By its name, or by how it begins."""
    return path.suffix == ".safetensors" or (path.is_file() and begins_as_safetensors(path))


def begins_as_safetensors(path: Path) -> bool:
    """The length of a JSON header, and its brace."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" and int.from_bytes(head[:8], "little") < HEADER


def read_weights(path: Path) -> State:
    """The tensors of an export. Raises `UserError` where there is anything else."""
    return take_out(read_file(path), path, contained=False)


def take_out(content: Mapping[str, Any], path: Path, *, contained: bool = True) -> State:
    """The weights in a checkpoint, by name, in single precision; `contained`: perhaps in a container, under a prefix.

    BasicSR: `params_ema` if there is one, else `params`; others in `state_dict`, `net_g`, `ema` and the like, perhaps
    in each other. Where the thesis keeps two networks (`model_state_dict`, `encoder_state_dict`), their names begin
    with `model.` and `encoder.`. What DataParallel, torch.compile and Lightning put before every name is taken off.
    """
    held: Mapping[str, Any] = content
    if {"encoder_state_dict", "model_state_dict"} <= content.keys():
        parts = {part: content[f"{part}_state_dict"] for part in ("model", "encoder")}
        held = {f"{part}.{name}": value for part, of in parts.items() if isinstance(of, Mapping)
                for name, value in bare(of).items()}  # fmt: skip
    elif contained:
        for _ in range(DEEP):
            held = next((held[name] for name in CONTAINERS if isinstance(held.get(name), Mapping)), held)
        held = bare(held)
    state = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    if not state:
        raise UserError(f"{str(path)!r} holds no weights: its keys are {shortened(content)}")
    broken = [name for name, value in state.items() if value.is_floating_point() and not torch.isfinite(value).all()]
    if broken:
        raise UserError(f"{str(path)!r} is damaged: {shortened(broken)} hold values that are not finite numbers")
    if odd := [name for name, value in state.items() if value.is_complex() or value.is_sparse or value.is_quantized]:
        raise UserError(
            f"{str(path)!r} holds {shortened(odd)} as complex, sparse or quantized numbers: save plain ones"
        )
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def bare(state: Mapping[Any, Any]) -> dict[str, Any]:
    """The weights without the names that wrappers put before all of theirs; what is no tensor is left out.

    Of a file with a generator and its critic, whose names begin with `net_g.` and otherwise, the generator's.
    """
    found = {str(name): value for name, value in state.items() if isinstance(value, Tensor)}
    while found and not any(name.startswith(tuple(LAYOUTS)) for name in found):
        wrapped = {name: value for name, value in found.items() if name != "n_averaged"}  # torch's AveragedModel counts
        prefix = next((each for each in PREFIXES if all(name.startswith(each) for name in wrapped)), None)
        of_generator = next((each for each in PREFIXES[2:5] if any(name.startswith(each) for name in wrapped)), None)
        if not wrapped or not (prefix := prefix or of_generator):
            break
        found = {name.removeprefix(prefix): value for name, value in wrapped.items() if name.startswith(prefix)}
    return found


def shortened(names, count: int = 3) -> str:
    """The first few names, and how many more there are."""
    names = list(map(str, names))
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more if names else "none"
