"""Where a network runs, and in which precision."""

import torch

from colorize.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is CUDA, else Apple's MPS, else the CPU."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"trainer.device={name!r} is not here: say auto, cpu, cuda, cuda:N or mps") from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    if name not in ("auto", "float32", "bfloat16"):
        raise UserError(f"trainer.precision is {name!r}; it must be auto, float32 or bfloat16")
    gains = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if name == "bfloat16" or (name == "auto" and gains) else torch.float32
