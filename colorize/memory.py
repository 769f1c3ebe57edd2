"""Memory: how much a run took, and less of it by smaller pieces of a batch and activations computed twice."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList
from torch.utils.checkpoint import checkpoint


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a device, or the CPU's allocator, had no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def peak(device: torch.device) -> dict[str, float]:
    """The most memory that this process has held so far, in GB (10^9 bytes): `memory`, which Windows does not tell,
    and `memory_gpu`, its tensors on a CUDA device."""
    found = {}
    if sys.platform != "win32":
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
        found["memory"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 3)
    if device.type == "cuda":
        found["memory_gpu"] = round(torch.cuda.max_memory_allocated(device) / 1e9, 3)
    return found


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
