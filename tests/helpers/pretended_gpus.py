"""Training and evaluation on GPUs that are not there: every tensor for one of them stays on the CPU, and what was asked
of CUDA and NCCL is kept. Each process of several runs it, started by torchrun.

    torchrun --nproc-per-node=2 -m tests.helpers.pretended_gpus FOLDER

Trains and evaluates as torchrun starts it, then trains as in a worker of Ray's torch trainer, which finds a process
group made already; and asks networks with batch norms over the processes for an answer.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from unittest.mock import patch

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from colorize.cli import app as cli
from colorize.data import loader
from colorize.models import PatchCritic
from colorize.models.encoders import Encoder
from colorize.utils.distributed import World, synchronise_batch_norm
from tests.helpers.configs import DECODERS

GPUS = 2
asked: dict[str, list] = {"current": [], "backend": [], "device_id": [], "pinned": [], "tensors": []}


class OnTheCPU(TorchFunctionMode):
    """Puts on the CPU what is meant for a GPU."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.device:
            return func(*args, **kwargs)
        return func(*(here(each) for each in args), **{name: here(each) for name, each in kwargs.items()})


def here(value):
    if isinstance(value, torch.device | str) and str(value).startswith("cuda"):
        if str(value) not in asked["tensors"]:
            asked["tensors"].append(str(value))
        return torch.device("cpu")
    return value


def set_device(device: torch.device) -> None:
    if device.index is None:
        raise ValueError(f"Expected a torch.device with a specified index or an integer, but got: {device}")
    asked["current"].append(str(device))


def init_process_group(backend, *, device_id=None, **settings):
    asked["backend"].append(backend)
    asked["device_id"].append(str(device_id))
    really_init("gloo", **settings)


def data_loader(*args, pin_memory=False, **settings):
    asked["pinned"].append(pin_memory)
    return really_load(*args, **settings)


class Sum(torch.autograd.Function):
    """Of all processes, and so are its gradients."""

    @staticmethod
    def forward(ctx, x):
        return everywhere(x)

    @staticmethod
    def backward(ctx, gradient):
        return everywhere(gradient)


def everywhere(x: torch.Tensor) -> torch.Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total


def over_processes(norm: nn.SyncBatchNorm, x: torch.Tensor) -> torch.Tensor:
    """What torch's layer computes, which it does on GPUs alone."""
    if not norm.training:
        return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)
    axes = [0, *range(2, x.dim())]
    count = x.numel() // x.shape[1] * dist.get_world_size()
    mean = Sum.apply(x.sum(axes)) / count
    centred = x - mean.view(1, -1, 1, 1)
    variance = Sum.apply(centred.square().sum(axes)) / count
    with torch.no_grad():
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * count / (count - 1), norm.momentum)
    scale = norm.weight * (variance + norm.eps).rsqrt()
    return centred * scale.view(1, -1, 1, 1) + norm.bias.view(1, -1, 1, 1)


really_init, really_load = dist.init_process_group, loader.DataLoader
PRETENCE = [
    patch("torch.cuda.is_available", lambda: True), patch("torch.cuda.device_count", lambda: GPUS),
    patch("torch.cuda.set_device", set_device), patch("torch.cuda.is_bf16_supported", lambda **_: True),
    patch("torch.cuda.max_memory_allocated", lambda device: 0), patch("torch.cuda.synchronize", lambda *_: None),
    patch("torch.cuda.reset_peak_memory_stats", lambda device: None), patch("torch.cuda.empty_cache", lambda: None),
    patch("torch.cuda.get_device_name", str),
    patch("torch.optim.Optimizer._accelerator_graph_capture_health_check", lambda *_: None, create=True),
    patch("torch.distributed.init_process_group", init_process_group),
    patch("colorize.data.loader.DataLoader", data_loader),
    patch.object(nn.SyncBatchNorm, "forward", over_processes),
    patch.object(nn.parallel.DistributedDataParallel, "_passing_sync_batchnorm_handle", lambda *_: None),
]  # fmt: skip


def main() -> None:
    folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
    for each in PRETENCE:
        each.start()
    with OnTheCPU():
        for words in commands(folder / "run"):
            run(words)
        keep(folder / f"torchrun-{rank}.json")
        really_init("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=2)  # as Ray does
        torch.save(normalised(rank), folder / f"normalised-{rank}.pt")
        run(commands(folder / "ray")[0])
        keep(folder / f"ray-{rank}.json")


def run(words: list[str]) -> None:
    """Ends where it fails, so that torchrun ends the other process, which would wait."""
    if code := cli.main(words):
        sys.exit(code)


def keep(file: Path) -> None:
    file.write_text(json.dumps(asked))
    for found in asked.values():
        found.clear()


def commands(run: Path) -> list[list[str]]:
    words = [
        "train", "experiment=smoke", "tracker=none", "model=transformer", "loss=ddcolor", *DECODERS, "metrics=quick",
        "model.encoder=test_efficientnet", "trainer.sync_batchnorm=true", "evaluate.historical=false",
        "evaluate.photographs=8", "evaluate.judges.train_slice=false", f"hydra.run.dir='{run}'",
    ]  # fmt: skip
    return [words, ["evaluate", f"run='{run}'", "protocol=demo", "++protocol.photographs=4", "metrics=quick"]]


def networks() -> dict[str, nn.Module]:
    """An encoder whose batch norms hold its activations, and a critic; both in training, and in double precision, which
    keeps rounding apart from what is wrong."""
    torch.manual_seed(0)
    found = {"encoder": Encoder("tf_efficientnet_lite0", False), "critic": PatchCritic(8)}
    return {name: network.double().train() for name, network in found.items()}


def answer(name: str, network: nn.Module, part: slice) -> dict[str, torch.Tensor]:
    """What a network says of a part of four pictures, the statistics that it keeps, and how its first weights pull."""
    pictures = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(1), dtype=torch.float64)[part]
    said = network(pictures)[-1] if name == "encoder" else network.judge(100 * pictures[:, :1], pictures[:, 1:])
    said.square().sum().backward()
    gradient = next(network.parameters()).grad
    return {"said": said.detach(), "gradient": gradient, **dict(network.named_buffers())}


def normalised(rank: int) -> dict[str, dict[str, torch.Tensor]]:
    found = {}
    for name, network in networks().items():
        network = synchronise_batch_norm(network, World(rank, 2, rank), torch.device("cuda", rank))
        found[name] = answer(name, network, slice(2 * rank, 2 * rank + 2))
        dist.all_reduce(found[name]["gradient"])
    return found


if __name__ == "__main__":
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    torch.set_num_threads(1)
    main()
