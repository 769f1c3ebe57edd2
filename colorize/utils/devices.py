"""Devices: which one, its memory, and activation checkpointing."""

import ctypes
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils.checkpoint import checkpoint

from colorize.utils.distributed import World, world_from_environment
from colorize.utils.errors import UserError, first_line

KINDS = ("cpu", "cuda", "mps")  # torch has others, such as meta, which holds no numbers


def choose_device(name: str, world: World | None = None, *, option: str = "trainer.device") -> torch.device:
    """`auto` is CUDA, else Apple's MPS, else the CPU. As `cuda`, each process of a machine takes a GPU of its own.

    world   which of several processes this is; None: as the environment says
    option  what the user calls it
    Raises `UserError` for a device that is not here, and for one GPU that several processes would share.
    """
    world = world or world_from_environment(os.environ)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name == "cuda" and world.size > 1 and (count := torch.cuda.device_count()):
        name = f"cuda:{world.local_rank % count}"  # Slurm may show each process its own GPU alone
    elif name.startswith("cuda:") and world.local_rank:
        raise UserError(f"{option}={name} is one GPU for several processes: use cuda, and each takes one of its own")
    here = ["cuda, cuda:N"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
    refusal = UserError(f"{option}={name!r} is not here: use {', '.join(['auto', *here])} or cpu")
    if name.partition(":")[0] not in KINDS:
        raise refusal
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise refusal from error
    return device


def configure_device(device: torch.device, deterministic: bool) -> None:
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
        reason = first_line(getattr(error, "inner_exception", None) or error.__cause__ or error)
        raise UserError(
            f"trainer.compile=true cannot compile here ({reason}): install a C++ compiler, such as g++, and for a GPU "
            "Triton; or leave trainer.compile at false"
        ) from error


def keep_freed_memory(*, of_any_size: bool = False) -> bool:
    """Ask glibc to keep the memory that tensors free, instead of returning it to Linux and asking for it again.

    A training step on the CPU makes and frees thousands of tensors of a few megabytes; by default the pages of many are
    handed back and faulted in anew, over and over.

    of_any_size  also of tensors above 32 MB, glibc's largest threshold: for steps that repeat. Steps of the GANs' large
                 maps take 8 to 13 % less time and up to a third more memory (`benchmarks/models.py`).

    Returns whether it was done: it is nowhere else needed than on Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    trim_threshold, mmap_threshold, mmap_max = -1, -3, -4  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX
    mallopt = ctypes.CDLL(None).mallopt
    kept = mallopt(trim_threshold, 2**31 - 1) and mallopt(mmap_threshold, 2**25)
    return bool(kept and (not of_any_size or mallopt(mmap_max, 0)))


# What errors that have no class of their own say where memory ran out
OUT_OF_MEMORY = (
    "DefaultCPUAllocator: can't allocate memory",  # Linux and macOS
    "DefaultCPUAllocator: not enough memory",  #      Windows
    "MPS backend out of memory",
    "CUDA error: out of memory",  #                   the driver's, outside of torch's allocator
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device, or the CPU's allocator, had no memory left."""
    known = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return known or any(words in str(error) for words in OUT_OF_MEMORY)


def empty_cache(device: torch.device) -> None:
    """Give back what torch keeps of a device's memory for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def copy_to_cpu(value: Any) -> Any:
    """A copy of nested mappings and lists in which every tensor is a copy in the CPU's memory."""
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        found = copy(value)  # a module's state has its version beside its tensors
        found.update((key, copy_to_cpu(each)) for key, each in value.items())
        return found
    return type(value)(map(copy_to_cpu, value)) if isinstance(value, list | tuple) else value


class PeakMemory:
    """The most memory held since this was made: a process may train one run after the other.

    Linux forgets an earlier peak when it is asked to. Elsewhere a peak counts once it is higher than the earlier one.
    """

    def __init__(self, device: torch.device):
        self.device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        if FORGETS:
            CLEAR.write_text("5", encoding="ascii")
        self.before = _peak_bytes()

    def read(self) -> dict[str, float]:
        """In GB (10^9 bytes): `memory`, of this process, where the system tells it, and `memory_gpu`, tensors on a CUDA
        device."""
        found = {}
        held = _peak_bytes()
        if held and (FORGETS or held > self.before):
            found["memory"] = round(held / 1e9, 3)
        if self.device.type == "cuda":
            found["memory_gpu"] = round(torch.cuda.max_memory_allocated(self.device) / 1e9, 3)
        return found


CLEAR = Path("/proc/self/clear_refs")  # proc(5): writing 5 sets VmHWM to what is held now
FORGETS = os.access(CLEAR, os.W_OK)


def _peak_bytes() -> int:
    """0 on Windows, which does not tell."""
    if FORGETS:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.split("VmHWM:")[1].split()[0])
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def recompute_activations(module: nn.Module) -> int:
    """Let each block of `module` forget its activations, and compute them again when its gradient is due.

    Gradients, batch-norm statistics and spectral norms stay what they would have been. Returns the number of blocks.
    """
    found = list(recomputable_blocks(module))
    for block in found:
        again = partial(_second_pass, block)
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=again)
    return len(found)


def recomputable_blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The innermost members of lists and sequences that have two layers with weights or more."""
    listed = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
    for child in module.children():
        if isinstance(child, ParametrizationList):
            continue
        if inner := list(recomputable_blocks(child)):
            yield from inner
        elif listed and not isinstance(child, nn.ModuleList | nn.ModuleDict):
            layers = [part for part in child.modules() if any(True for _ in part.parameters(recurse=False))]
            if len(layers) > 1:
                yield child


def _second_pass(block: nn.Module):
    return nullcontext(), _frozen_statistics(block)


@contextmanager
def _frozen_statistics(block: nn.Module) -> Iterator[None]:
    """Batch norm's statistics and spectral norm's vectors have moved in the first pass already."""
    held = {name: buffer.clone() for name, buffer in block.named_buffers()}
    norms = [part for part in block.modules() if isinstance(part, ParametrizationList) and part.training]
    for norm in norms:
        norm.eval()
    try:
        yield
    finally:
        for norm in norms:
            norm.train()
        for name, buffer in block.named_buffers():
            buffer.copy_(held[name])
