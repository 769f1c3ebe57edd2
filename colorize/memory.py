"""Memory: how much a run took, and less of it by smaller pieces of a batch and activations computed twice."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils.checkpoint import checkpoint

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


def release(device: torch.device) -> None:
    """Give back what torch keeps of a device's memory for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class Peak:
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


def recompute(module: nn.Module) -> int:
    """Let each block of `module` forget its activations, and compute them again when its gradient is due.

    Gradients, batch-norm statistics and spectral norms stay what they would have been. Returns the number of blocks.
    """
    found = list(blocks(module))
    for block in found:
        again = partial(_second_pass, block)
        block.forward = partial(checkpoint, block.forward, use_reentrant=False, context_fn=again)
    return len(found)


def blocks(module: nn.Module) -> Iterator[nn.Module]:
    """The innermost members of lists and sequences that have two layers with weights or more."""
    listed = isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict)
    for child in module.children():
        if isinstance(child, ParametrizationList):
            continue
        if inner := list(blocks(child)):
            yield from inner
        elif listed and not isinstance(child, nn.ModuleList | nn.ModuleDict) and _layers(child) > 1:
            yield child


def _layers(module: nn.Module) -> int:
    return sum(any(True for _ in part.parameters(recurse=False)) for part in module.modules())


def _second_pass(block: nn.Module):
    return nullcontext(), _nothing_moves(block)


@contextmanager
def _nothing_moves(block: nn.Module) -> Iterator[None]:
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


def available() -> int | None:
    """Bytes of memory that this process can still take; None where the system does not tell."""
    found = [*_meminfo(), *_control_group()]
    return min(found) if found else None


def _meminfo() -> Iterator[int]:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return
    yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _control_group() -> Iterator[int]:
    """Of a container or a job of a scheduler (cgroup v2)."""
    try:
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").rsplit("::", 1)[-1].strip().lstrip("/")
        folder = Path("/sys/fs/cgroup", group)
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cached = next(
            int(line.split()[1]) for line in (folder / "memory.stat").open() if line.startswith("inactive_file")
        )
    except (OSError, ValueError, StopIteration):
        return
    if limit != "max":
        yield int(limit) - used + cached
