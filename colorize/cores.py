"""How many processor cores this process may use."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping


def usable_cores() -> int:
    """Those that the system lets this process run on: a container's or a job's share, not the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cores_of_process(env: Mapping[str, str]) -> int:
    """The share of one of the processes that torchrun or srun has started on this machine; at least 1.

    srun may have given each its own cores, which the affinity tells; those of torchrun all may use the same.
    """
    cores = usable_cores()
    if "LOCAL_WORLD_SIZE" in env:
        return max(1, cores // int(env["LOCAL_WORLD_SIZE"]))
    if "SLURM_PROCID" in env and (tasks := tasks_here(env)) > 1:
        job = int(env.get("SLURM_CPUS_ON_NODE", cores))
        return max(1, min(cores, int(env.get("SLURM_CPUS_PER_TASK", job // tasks))))
    return cores


def tasks_here(env: Mapping[str, str]) -> int:
    """Of Slurm's "4(x2),1", the tasks on each node of a step, those on this node."""
    counts: list[int] = []
    for count, times in re.findall(r"(\d+)(?:\(x(\d+)\))?", env.get("SLURM_STEP_TASKS_PER_NODE", "1")):
        counts += [int(count)] * int(times or 1)
    node = int(env.get("SLURM_NODEID", 0))
    return counts[node] if node < len(counts) else 1
