"""Where a network runs, and in which precision."""

import ctypes
import os
import platform

import torch

from colorize.errors import UserError


def choose_device(name: str, local_rank: int | None = None, *, said: str = "trainer.device") -> torch.device:
    """`auto` is CUDA, else Apple's MPS, else the CPU. `local_rank`: which of a machine's GPUs, among processes; `said`:
    where the user names it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and local_rank is not None:
        name = f"cuda:{local_rank}"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
        if device.type == "meta":
            raise AssertionError("it holds no numbers")
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"{said}={name!r} is not here: say auto, cpu, cuda, cuda:N or mps") from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    if name not in ("auto", "float32", "bfloat16"):
        raise UserError(f"trainer.precision is {name!r}; it must be auto, float32 or bfloat16")
    gains = device.type == "cuda" and torch.cuda.is_bf16_supported()
    return torch.bfloat16 if name == "bfloat16" or (name == "auto" and gains) else torch.float32


def prepare(device: torch.device, deterministic: bool) -> None:
    """Let the device be fast, or let it give the same bits on every start. The CPU is both."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it is first used
        torch.use_deterministic_algorithms(True)
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = not deterministic


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
