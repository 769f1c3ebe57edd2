"""Where a network runs, and in which precision."""

import ctypes
import os
import platform
import time

import torch

from colorize.distributed import World, environment
from colorize.errors import UserError

KINDS = ("cpu", "cuda", "mps")  # torch has others, such as meta, which holds no numbers


def choose_device(name: str, world: World | None = None, *, said: str = "trainer.device") -> torch.device:
    """`auto` is CUDA, else Apple's MPS, else the CPU. As `cuda`, each process of a machine takes a GPU of its own.

    world   which of several processes this is; None: as the environment says
    said    where the user says it
    Raises `UserError` for a device that is not here, and for one GPU that several processes would share.
    """
    world = world or environment(os.environ)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and world.size > 1 and (count := torch.cuda.device_count()):
        name = f"cuda:{world.local_rank % count}"  # Slurm may show each process its own GPU alone
    elif name.startswith("cuda:") and world.local_rank:
        raise UserError(f"{said}={name} is one GPU for several processes: say cuda, and each takes one of its own")
    refusal = UserError(f"{said}={name!r} is not here: say auto, cpu, cuda, cuda:N or mps")
    if name.partition(":")[0] not in KINDS:
        raise refusal
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise refusal from error
    return device


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on a GPU that has it in hardware: Nvidia's since Ampere, AMD's."""
    if name not in ("auto", "float32", "bfloat16"):
        raise UserError(f"trainer.precision is {name!r}; it must be auto, float32 or bfloat16")
    gains = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if name == "bfloat16" or (name == "auto" and gains) else torch.float32


def prepare(device: torch.device, deterministic: bool) -> None:
    """Let the device be fast, or let it give the same bits on every start. The CPU is both."""
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it is first used
    torch.use_deterministic_algorithms(deterministic)  # off again for the next job of the same process
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = not deterministic
        if device.index is not None:
            torch.cuda.set_device(device)  # what asks for "cuda", or of its abilities, means this one


def check_compiler(device: torch.device) -> None:
    """Raises `UserError` where torch.compile cannot make a program for `device`, with a compiler of the system."""
    size = 1000 + time.time_ns() % 1_000_000  # of which no earlier start has left a program
    try:
        torch.compile(lambda x: x + 1, dynamic=False)(torch.ones(size, device=device))
    except (RuntimeError, OSError) as error:
        why = str(error.__cause__ or error).splitlines()[0]
        raise UserError(
            f"trainer.compile=true cannot compile here ({why}): install a C++ compiler, such as g++, and for a GPU "
            "Triton; or leave trainer.compile at false"
        ) from error


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
