"""What each network costs at its published size, and how near a training step comes to what the machine can multiply.

    python benchmarks/models.py [--rounds 5] [--models cnn gan …] [--profile]

A training step is forward, the network's reconstruction or noise term, backward and AdamW. Its fraction of the limit is
the multiplications of that step (forward and backward, of what is trained) a second, over those of a large matrix
product of the same precision, which takes turns with it. Each network has a process of its own, for its peak memory.
DDColor-T is also timed as it is published: its convolutions under spectral norm, linear layers in the encoder, the
pixel decoder's 256 channels shuffled and blurred at full size before the queries meet them, torch's default layout.
`--profile` shows where a step's time goes, by kind of operation, and what each kind takes beyond the limit.
The last line is one JSON object; no verdict is given where the times of a job spread by more than 15 %.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from interleaved import Timing, against, busy, measure, print_processor, processor, rounded, verdict_of
from operators import OperatorTimes, print_operators, rows_of
from published import Published, fold
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from colorize.batch import Batch
from colorize.models import CNN, Colorizer, Diffusion, MultiColor, ResNetUNet, Transformer, UNet
from colorize.training.optimizers import Optimizers
from colorize.training.train_state import TrainState
from colorize.utils.devices import choose_device, configure_device, keep_freed_memory

THESIS = {"encoder": "convnext_tiny", "pretrained": False, "freeze": True}
NETWORKS: dict[str, tuple[Callable[[], Colorizer], int, int]] = {  # as the thesis has them: size, batch
    "cnn": (lambda: CNN(classes=1000), 224, 8),
    "gan": (lambda: ResNetUNet(pretrained=False), 256, 4),
    "transformer": (lambda: Transformer(**THESIS, pixel_decoder="thesis"), 256, 2),
    "diffusion": (Diffusion, 128, 1),
    "gan_unet": (UNet, 256, 2),
    "multicolor": (lambda: MultiColor(**THESIS), 256, 1),
}
BARS = {"step": 0.75, "ddcolor": 2.0}  # of the limit; times the published order
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Bench:
    """What every worker process sets up by its words: device, precision, picture and batch size, torch.compile."""

    def __init__(self, words: argparse.Namespace):
        self.rounds, self.compile, self.tiny, self.profile = words.rounds, words.compile, words.tiny, words.profile
        self.batch, self.precision = words.batch, words.precision
        self.device = choose_device(words.device, option="--device")
        self.dtype = PRECISIONS[words.precision]
        configure_device(self.device, deterministic=False)
        torch.manual_seed(0)

    def autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def product(self) -> tuple[Callable[[], object], int]:
        """A large matrix product, and its floating-point operations."""
        size = 256 if self.tiny else 2048 if self.device.type == "cpu" else 8192
        a, b = (torch.randn(size, size, device=self.device, dtype=self.dtype) for _ in range(2))
        return lambda: [a @ b for _ in range(4)], 4 * 2 * size**3


def peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def work(name: str, bench: Bench) -> dict[str, Any]:
    """The costs of one network, in this process."""
    build, size, count = NETWORKS[name]
    device = bench.device
    keep_freed_memory(of_any_size=True)  # as training does
    model = build().to(device, memory_format=torch.channels_last)
    size, count = (max(64, model.multiple), 2) if bench.tiny else (size, bench.batch or count)
    batch = Batch.from_rgb(torch.rand(count, 3, size, size, device=device))
    player = TrainState(model)
    player.start_phase(Optimizers("AdamW", lr=1e-5).build(model))

    def step() -> None:
        with bench.autocast():
            pred = model.train()(batch)
        pred = pred.float()
        loss = F.l1_loss(pred.ab, batch.ab) if pred.ab is not None else F.mse_loss(pred.noise_hat, pred.noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(player.parameters, 1.0)
        player.step(1.0)

    def forward(*, counting: bool = False) -> None:
        with torch.set_grad_enabled(counting), bench.autocast():  # the counter follows modules by their gradients
            model.eval()(batch)

    before, counts = peak_bytes(device), {}
    for key, job in {"forward": partial(forward, counting=True), "step": step}.items():
        with FlopCounterMode(display=False) as counter:
            job()
        counts[key] = counter.get_total_flops()
    if bench.compile:
        model.compile()
    product, counts["product"] = bench.product()
    timings = measure({"product": product, "forward": forward, "step": step}, bench.rounds, device)
    rates = {key: counts[key] / of.median for key, of in timings.items()}
    limit, operators = rates["product"], {}
    if bench.profile:
        with OperatorTimes() as profile:
            assert player.optimizer is not None
            profile.follow(player.optimizer)
            step()
        operators = rows_of(profile.found, limit)
        print_operators(operators, f"{name}: one training step of {count} × {size}²")
    step_of = timings["step"]
    return {
        "size": size, "batch": count, "parameters": sum(p.numel() for p in model.parameters()),
        "gmacs": counts["forward"] / count / 2e9, "forward_seconds": timings["forward"].median / count,
        "step_seconds": step_of.median / count, "step_of_limit": rates["step"] / limit,
        "step_quartiles": [counts["step"] / seconds / limit for seconds in (step_of.high, step_of.low)],
        "forward_of_limit": rates["forward"] / limit, "limit_gflops": limit / 1e9,
        "images_per_second": count / step_of.median, "forward_images_per_second": count / timings["forward"].median,
        "peak_mb": (peak_bytes(device) - (before if device.type == "cpu" else 0)) / 2**20,
        "operators": operators, **judgement(timings),
    }  # fmt: skip


def judgement(timings: dict[str, Timing]) -> dict[str, Any]:
    return {"busy": busy(timings), "spread": max(of.spread for of in timings.values()), "refused": verdict_of(timings)}


@torch.no_grad()
def work_ddcolor(bench: Bench) -> dict[str, Any]:
    """Seconds of DDColor-T at 256², batch 2: as published, and as this package runs it with the same weights."""
    device, size, count = bench.device, 64 if bench.tiny else 256, bench.batch or 2
    keep_freed_memory()  # as painting does
    model = Transformer(pretrained=False).to(device)
    L = 100 * torch.rand(count, 1, size, size, device=device)
    for _ in range(2):
        model.train()(Batch(L, L.expand(-1, 2, -1, -1)))  # the norms' statistics
    published = Published(model.eval())
    ours = fold(model).to(memory_format=torch.channels_last)
    calls = {"published": published.__call__, "ours": ours.predict_ab}

    def job(call: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        with bench.autocast():
            return call(L)

    first, second = (job(call).float() for call in calls.values())
    jobs = {name: partial(job, torch.compile(call) if bench.compile else call) for name, call in calls.items()}
    product, operations = bench.product()
    timings = measure({"product": product, **jobs}, bench.rounds, device)
    limit, operators = operations / timings["product"].median, {}
    if bench.profile:
        for name, call in jobs.items():
            with OperatorTimes() as profile:
                call()
            operators[name] = rows_of(profile.found, limit)
            print_operators(operators[name], f"DDColor-T, {name}: one forward pass of {count} × {size}²")
    took = {name: timings[name].median for name in jobs}
    return {
        **took, "ratio": took["published"] / took["ours"],
        "difference": ((first - second).abs().max() / first.abs().max()).item(),
        "forward_images_per_second": count / took["ours"],
        "size": size, "batch": count,
        "operators": operators, **judgement(timings),
    }  # fmt: skip


def worker(name: str, words: Sequence[str]) -> list[str]:
    """The command of the process that measures one network, whose last line is what it found."""
    return [sys.executable, str(Path(__file__).resolve()), *words, "--worker", name]


def run(name: str, words: Sequence[str]) -> dict[str, Any]:
    """What a worker process found; what it said before is printed here."""
    done = subprocess.run(worker(name, words), stdout=subprocess.PIPE, text=True, check=True)
    *said, last = done.stdout.splitlines()
    print("\n".join(said), end="\n" if said else "")
    return json.loads(last)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", choices=[*NETWORKS, "ddcolor"], default=[*NETWORKS, "ddcolor"])
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="bfloat16: by autocast")
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    parser.add_argument("--batch", type=int, help="photographs of a step (as published)")
    parser.add_argument("--tiny", action="store_true", help="pictures of 64², to try the command itself")
    parser.add_argument("--profile", action="store_true", help="a table of the step by kind of operation (CPU)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    words = parser.parse_args()
    bench = Bench(words)
    if words.profile and (words.compile or bench.device.type != "cpu"):
        parser.error("--profile times single operations: on the CPU, without --compile")
    if words.worker:
        found = work_ddcolor(bench) if words.worker == "ddcolor" else work(words.worker, bench)
        print(json.dumps(found))
        return
    print_processor(bench.device)
    show({name: run(name, sys.argv[1:]) for name in words.models}, bench)


def show(found: dict[str, dict[str, Any]], bench: Bench) -> None:
    """The tables, the verdicts and the last line."""
    result: dict[str, Any] = {
        "busy": any(row["busy"] for row in found.values()),
        "spread": {name: row["spread"] for name, row in found.items()},
        "processor": processor(bench.device), "precision": bench.precision,
    }  # fmt: skip
    networks = {name: row for name, row in found.items() if name != "ddcolor"}
    if networks:
        Console(width=120).print(table_of(networks, bench.precision))
        limits = [row["limit_gflops"] for row in networks.values()]
        print(f"limit: a large matrix product at {min(limits):.0f} to {max(limits):.0f} GFLOP/s")
        for name, row in networks.items():
            low, high = row["step_quartiles"]
            verdict = f"{row['step_of_limit']:.2f} of the limit ({low:.2f} to {high:.2f}), "
            print(f"{name}: step {row['refused'] or verdict + against(row['step_of_limit'], BARS['step'])}")
        result["operators"] = {name: row["operators"] for name, row in found.items() if row["operators"]}
        for key in ("step_of_limit", "forward_of_limit"):
            result[key.replace("step", "train")] = {name: row[key] for name, row in networks.items()}
        result["train_quartiles"] = {name: row["step_quartiles"] for name, row in networks.items()}
    if ddcolor := found.get("ddcolor"):
        print(
            "DDColor-T, {size}², batch {batch}: published order {published:.3f} s, ours {ours:.3f} s".format(**ddcolor)
        )
        times = f"{ddcolor['ratio']:.2f} times as fast, {against(ddcolor['ratio'], BARS['ddcolor'])}"
        print(f"{ddcolor['refused'] or times}; largest difference {ddcolor['difference']:.1e} of the largest ab")
        result |= {"ddcolor_vs_published_order": ddcolor["ratio"], "ddcolor_difference": ddcolor["difference"]}
    print(json.dumps(rounded(result, 9)))


def table_of(found: dict[str, dict[str, Any]], precision: str) -> Table:
    table = Table(title=f"published sizes, {precision}, channels last; seconds are of one picture")
    columns = ("network", "size", "batch", "M params", "GMAC", "forward s", "of limit", "step s", "of limit", "peak MB")
    for column in columns:
        table.add_column(column, justify="left" if column == "network" else "right")
    for name, row in found.items():
        table.add_row(
            name, f"{row['size']}²", f"{row['batch']}", f"{row['parameters'] / 1e6:.1f}", f"{row['gmacs']:.1f}",
            f"{row['forward_seconds']:.3f}", f"{row['forward_of_limit']:.2f}", f"{row['step_seconds']:.3f}",
            f"{row['step_of_limit']:.2f}", f"{row['peak_mb']:.0f}",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main()
