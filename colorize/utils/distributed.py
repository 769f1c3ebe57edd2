"""Many processes as one: who this process is, and the few things that all of them do together.

torchrun, srun and Ray start the processes; torch's process group carries everything. Without them the world is one
process, and nothing here does anything.
"""

import os
import subprocess
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import torch
import torch.distributed as dist
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from colorize.utils.errors import UserError

MEETINGS = count()  # of this process: jobs of a sweep meet one after the other, and not at the addresses of the last
PATIENCE = timedelta(minutes=30)  # the first process alone reads the validation photographs at start
PORT = 29411  # of the first node, where srun alone starts the processes


@dataclass(frozen=True)
class World:
    """`size` processes, of which this is number `rank`, and number `local_rank` on its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints and writes for all."""
        return self.rank == 0

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether one process at least says yes; all hear the same answer."""
        if self.size == 1:
            return flag
        said = torch.tensor(int(flag), device=device)
        dist.all_reduce(said, op=dist.ReduceOp.MAX)
        return bool(said.item())

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The average over processes of numbers (); every process gives the same names."""
        if self.size == 1:
            return dict(values)
        together = torch.stack([value.detach().float() for value in values.values()])
        dist.all_reduce(together, op=dist.ReduceOp.SUM)
        return dict(zip(values, together / self.size, strict=True))

    def gather(self, value: Any) -> list[Any]:
        """What every process gives, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def on_main_then_broadcast(self, job: Callable[[], Any]) -> Any:
        """The result of `job`, which the main process does; every process has it, or its `UserError`."""
        if self.size == 1:
            return job()
        answer: list[Any] = [None, None]
        if self.is_main:
            try:
                answer[0] = job()
            except (UserError, OSError) as error:
                answer[1] = error
        dist.broadcast_object_list(answer, src=0)
        if answer[1] is not None:
            raise answer[1]
        return answer[0]

    def broadcast_buffers(self, module: nn.Module) -> None:
        """Give every process the first one's buffers, such as the statistics of batch norms."""
        if self.size > 1:
            for buffer in module.buffers():
                dist.broadcast(buffer, src=0)

    def shard(self, count: int) -> slice:
        """This process's share of `count` things in a row: none is left out, none comes twice."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """`module` so that backward() averages its gradients over the processes."""
        if self.size == 1 or not any(p.requires_grad for p in module.parameters()):
            return module
        # a 1×1 convolution's gradient has the same layout under two descriptions; torch would say so on every start
        warnings.filterwarnings("ignore", message="Grad strides do not match bucket view strides")
        return DistributedDataParallel(module, gradient_as_bucket_view=True)


def world_from_environment(env: Mapping[str, str]) -> World:
    """What torchrun (and Ray) or srun says of this process in its environment."""
    if "RANK" in env and "WORLD_SIZE" in env:
        return World(int(env["RANK"]), int(env["WORLD_SIZE"]), int(env.get("LOCAL_RANK", 0)))
    if int(env.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in env:
        return World(int(env["SLURM_PROCID"]), int(env["SLURM_STEP_NUM_TASKS"]), int(env.get("SLURM_LOCALID", 0)))
    return World()


def is_restart(env: Mapping[str, str]) -> bool:
    """Whether torchrun or Slurm has started this command before, and starts it again to go on."""
    return int(env.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0 or int(env.get("SLURM_RESTART_COUNT", 0)) > 0


def init_process_group(device: torch.device, limit: timedelta = PATIENCE) -> World:
    """Meet the other processes, if there are any: over NCCL where each has a GPU, which becomes its current device,
    else over gloo. `leave` parts from them. A process waits for the others no longer than the limit."""
    world = world_from_environment(os.environ)
    if world.size == 1:
        return world
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if not dist.is_initialized():  # Ray has done it already
        if "MASTER_ADDR" not in os.environ:
            nodes = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_JOB_NODELIST", "localhost")
            command = ["scontrol", "show", "hostnames", nodes]
            names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            os.environ |= {"MASTER_ADDR": names[0], "MASTER_PORT": str(PORT)}
        backend = {"cuda": "nccl"}.get(device.type, "gloo")
        store, rank, size = next(dist.rendezvous("env://", world.rank, world.size, timeout=limit))
        store = dist.PrefixStore(f"{store_prefix(os.environ)}-{next(MEETINGS)}", store)
        own = device if backend == "nccl" else None
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=limit, device_id=own)
    return world


def store_prefix(env: Mapping[str, str]) -> str:
    """Where this start's processes leave their addresses for each other.

    torchrun keeps one store over its restarts, in which the addresses of processes that died would still be found, and
    waited for. Only where one torchrun starts all processes do they agree on which attempt this is.
    """
    alone = env.get("GROUP_WORLD_SIZE", "1") == "1"
    return f"attempt-{env.get('TORCHELASTIC_RESTART_COUNT', '0') if alone else '0'}"


def leave() -> None:
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def photographs_per_process(photographs: int, world: World, all_photographs: int) -> int:
    """How many photographs of an optimizer step this process takes. Raises `UserError` where they cannot be shared."""
    if world.size > all_photographs:
        raise UserError(f"there are {world.size} processes and {all_photographs} photographs: start fewer processes")
    if photographs % world.size:
        fits = ", ".join(str(n) for n in range(1, photographs + 1) if photographs % n == 0)
        raise UserError(
            f"trainer.batch_size × trainer.accumulate is {photographs}, which {world.size} processes cannot share "
            f"equally: start one of {fits} processes, or change the batch"
        )
    return photographs // world.size


def synchronise_batch_norm(module: nn.Module, world: World, device: torch.device) -> nn.Module:
    """Batch norms that read the photographs of every process, as one process with the whole batch would.

    timm's conversion keeps the activation and the dropout that its own layers join to a batch norm; torch's drops them.
    """
    if world.size == 1:
        return module
    if device.type != "cuda":
        raise UserError("trainer.sync_batchnorm=true needs GPUs: torch has no such layer for the CPU")
    return convert_sync_batchnorm(module)
