"""Where a network runs, and in which precision."""

import ctypes
import platform

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


def keep_freed_memory() -> bool:
    """Ask glibc to keep the memory that tensors free, instead of returning it to Linux and asking for it again.

    A training step on the CPU makes and frees thousands of tensors of a few megabytes; by default the pages of many are
    handed back and faulted in anew, over and over.
    Returns whether it was done: it is nowhere else needed than on Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, mmap_threshold = -1, -3  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(trim_threshold, 2**31 - 1) and mallopt(mmap_threshold, 2**25))
