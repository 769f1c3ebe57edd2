"""bfloat16 against float32 on this CPU: seconds of training steps, what `precision=auto` chooses, and what it costs.

    python benchmarks/precision.py [--rounds 5] [--models cnn gan … quickstart] [--tiny]

Steps are those of the six networks at their published size (as in models.py: forward, the reconstruction or noise term,
backward, clipping, AdamW), and of `experiment=quickstart` with its own loss and batch. float32, the baseline, and
bfloat16 autocast take turns in one process for each network; shown are medians with quartiles, and how many times as
fast bfloat16 is. Where the quartiles of a precision lie more than 15 % apart, the machine was busy, and there is no
verdict. What `auto` chooses comes from its own probe, measured anew.
The cost is the difference of PSNR and CIEDE2000 over the 24 demo photographs, predicted by the shipped weights at the
size that they were trained at, as `colorize evaluate` measures them.
--tiny shrinks networks and photographs, to try the program out: its figures mean nothing.
The last line is one JSON object: {"bf16_step": {network: times as fast}, "chosen": {network: float32 or bfloat16},
"busy": [networks], "psnr_cost": dB, "ciede2000_cost": …}; costs are positive where bfloat16 is worse.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import quantiles

import torch
import torch.nn.functional as F
from hydra import compose, initialize_config_dir
from models import NETWORKS
from rich.console import Console
from rich.table import Table

from colorize.batch import Batch
from colorize.cli import main as colorize
from colorize.config import conf_folder
from colorize.models import CNN, Diffusion, MultiColor, ResNetUNet, Transformer, UNet
from colorize.models.load import trained_size
from colorize.training.build import build_parts, build_trainer
from colorize.training.optimizers import Optimizers
from colorize.training.precision import probe_of_training
from colorize.training.train_state import TrainState
from colorize.utils.devices import keep_freed_memory
from colorize.utils.environment import wait_passively
from colorize.utils.precision import PRECISIONS, Precision, Probe, autocast, choose_precision, has_bfloat16, processor

BUSY = 0.15
DECODERS = {"widths": [16, 16, 16], "queries": 8, "dim": 16, "heads": 2, "feedforward": 32, "pretrained": False}
TINY = {
    "cnn": (lambda: CNN(classes=1000, width=0.1, global_size=32), 32, 2),
    "gan": (lambda: ResNetUNet(encoder="test_resnet", pretrained=False, width=0.2), 32, 2),
    "transformer": (lambda: Transformer(encoder="test_convnext", **DECODERS), 32, 2),
    "diffusion": (lambda: Diffusion(widths=[8, 16, 16], time=16), 32, 2),
    "gan_unet": (lambda: UNet(widths=[8, 8, 16, 32]), 32, 2),
    "multicolor": (lambda: MultiColor(encoder="test_convnext", **DECODERS, complement=[8, 16, 8]), 32, 2),
}
Step = Callable[[AbstractContextManager], object]  # takes an optimizer step under a context


def published_step(name: str, tiny: bool) -> tuple[Step, Probe]:
    """A step of a network at its published size, and the probe of it."""
    build, size, count = (TINY if tiny else NETWORKS)[name]
    torch.manual_seed(0)
    model = build().to(memory_format=torch.channels_last).train()
    player = TrainState(model)
    player.start_phase(Optimizers("AdamW", lr=1e-5).build(model))
    batch = Batch.from_rgb(torch.rand(count, 3, size, size))

    def take_pass(photographs: int, context: AbstractContextManager) -> None:
        (part,) = batch.split(photographs)[:1]
        with context:
            pred = model(part)
        pred = pred.float()
        (F.l1_loss(pred.ab, part.ab) if pred.ab is not None else F.mse_loss(pred.noise_hat, pred.noise)).backward()

    def step(context: AbstractContextManager) -> None:
        take_pass(count, context)
        torch.nn.utils.clip_grad_norm_(player.parameters, 1.0)
        player.step(1.0)

    long, large = 10_000, 10**7  # as of a run that is worth a probe, also where --tiny shrinks it
    return step, Probe(take_pass, count, long, large, {"network": name, "size": size})


def quickstart_step(folder: str, tiny: bool) -> tuple[Step, Probe]:
    """A step of the quick start, and the probe that its first start asks."""
    words = ["data.size=32", "trainer.batch_size=2"] if tiny else []
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", overrides=["experiment=quickstart", "tracker=none", "trainer.device=cpu", *words])
    trainer = build_trainer(cfg, build_parts(cfg), folder)
    probe = probe_of_training(trainer)
    phase = next(iter(trainer.lengths))
    trainer.start_phase(phase)
    batches = next(trainer.step_batches(phase, 0))

    def step(context: AbstractContextManager) -> None:
        trainer.optimizer_step.autocast = context
        trainer.train_step(batches)

    return step, probe


def work(name: str, rounds: int, tiny: bool) -> dict:
    """What one network's steps take, and what `auto` chooses, in this process."""
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COLORIZE_CACHE"] = folder
        step, probe = quickstart_step(folder, tiny) if name == "quickstart" else published_step(name, tiny)
        chosen: Precision = choose_precision("auto", torch.device("cpu"), probe)
        seconds: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
        for _ in range(1 + rounds):  # the first warms up
            for precision, dtype in PRECISIONS.items():
                began = time.perf_counter()
                step(autocast("cpu", dtype))
                seconds[precision].append(time.perf_counter() - began)
    spread = {precision: quantiles(taken[1:], n=4, method="inclusive") for precision, taken in seconds.items()}
    return {"seconds": spread, "chosen": chosen.chosen, "by": chosen.by}


def costs(size: int | None) -> dict[str, float]:
    """How much PSNR falls and CIEDE2000 rises with bfloat16, by the shipped weights on the demo photographs."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in PRECISIONS:
            words = [
                "run=base", "protocol=demo", f"protocol.size={size}", "+protocol.extractors=[]",
                "device=cpu", "metrics=quick", "+metrics.ciede2000={_target_: colorize.metrics.CIEDE2000}",
                f"precision={name}", f"out={folder}", f"name={name}", "track=false", "table=false",
            ]  # fmt: skip
            if code := colorize(["evaluate", *words]):
                sys.exit(code)
            held = json.loads(Path(folder, "results", f"{name}.json").read_text(encoding="utf-8"))
            found[name] = {metric: held["rows"]["model"][metric]["value"] for metric in ("psnr", "ciede2000")}
    print(f"the shipped weights on the 24 demo photographs: {found}")
    return {
        "psnr_cost": round(found["float32"]["psnr"] - found["bfloat16"]["psnr"], 4),
        "ciede2000_cost": round(found["bfloat16"]["ciede2000"] - found["float32"]["ciede2000"], 4),
    }


def is_busy(row: dict) -> bool:
    return any((high - low) / middle > BUSY for low, middle, high in row["seconds"].values())


def print_table(found: dict[str, dict]) -> None:
    has = "has bfloat16" if has_bfloat16() else "has no bfloat16, and auto is float32"
    table = Table(title=f"{processor()}, {torch.get_num_threads()} threads: {has}; seconds of a step, quartiles")
    for column in ("network", *PRECISIONS, "times as fast", "auto chooses"):
        table.add_column(column, justify="left" if column == "network" else "right")
    for name, row in found.items():
        took = [f"{middle:.3f} ({low:.3f} to {high:.3f})" for low, middle, high in row["seconds"].values()]
        verdict = "the machine was busy" if is_busy(row) else f"{faster(row):.2f}"
        table.add_row(name, *took, verdict, f"{row['chosen']}, by {row['by']}")
    Console(width=120).print(table)


def faster(row: dict) -> float:
    """How many times as fast bfloat16 is."""
    slow, fast = (row["seconds"][precision][1] for precision in PRECISIONS)
    return slow / fast


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    names = [*NETWORKS, "quickstart"]
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    words = parser.parse_args()
    wait_passively()  # of the processes that this one starts, as of colorize's own
    if words.worker:
        print(json.dumps(work(words.worker, words.rounds, words.tiny)))
        return
    found = {}
    for name in words.models:
        command = [sys.executable, __file__, "--worker", name, "--rounds", str(words.rounds), *["--tiny"] * words.tiny]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    print_table(found)
    result = {
        "bf16_step": {name: round(faster(row), 3) for name, row in found.items()},
        "chosen": {name: row["chosen"] for name, row in found.items()},
        "busy": [name for name, row in found.items() if is_busy(row)],
        **costs(64 if words.tiny else trained_size("base")),
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
