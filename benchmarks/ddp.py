"""Two processes with one thread each against one process with two, on the same optimizer steps.

    python benchmarks/ddp.py [--steps 20] [--models cnn gan …]

Each network has the size and loss of its cpu/ recipe. The baseline is one process; throughput is the median over steps,
and bytes are what each process sends in a step, counted from the gradients that are averaged: a ring of K processes
sends 2 (K − 1) / K of them.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from loop import MODELS, config
from rich.console import Console
from rich.table import Table

from colorize.training.build import build_parts, build_trainer
from colorize.utils.devices import keep_freed_memory
from colorize.utils.distributed import init_process_group, leave


def train(models: list[str], steps: int) -> None:
    """Print a JSON object: network -> (median seconds a step, bytes of gradients)."""
    keep_freed_memory(of_any_size=True)
    world = init_process_group(torch.device("cpu"))
    found = {}
    for model in models:
        cfg = config(model, "trainer.ema=null")
        trainer = build_trainer(cfg, build_parts(cfg), "unused", world)
        *before, last = trainer.lengths
        trainer.steps = sum(trainer.lengths[name] for name in before)
        trainer.start_phase(last)
        stream = trainer.step_batches(last, 0)
        seconds = []
        for _ in range(steps + 3):
            batches = next(stream)
            began = time.perf_counter()
            trainer.train_step(batches)
            seconds.append(time.perf_counter() - began)
        active = [trainer.train_states[name] for name in trainer.optimizer_step.active]
        size = sum(p.numel() * p.element_size() for state in active for p in state.parameters)
        found[model] = (statistics.median(seconds[3:]), size)
    if world.is_main:
        print(json.dumps(found))
    leave()


def launch(processes: int, models: list[str], steps: int) -> dict[str, tuple[float, int]]:
    run = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    words = [sys.executable, *run, __file__, "--inside", "--steps", str(steps), "--models", *models]
    environment = {**os.environ, "OMP_NUM_THREADS": str(2 // processes)}
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        train(arguments.models, arguments.steps)
        return
    one, two = (launch(processes, arguments.models, arguments.steps) for processes in (1, 2))
    table = Table("network", "one process ms", "two processes, throughput", "MB sent a step and process")
    throughput, sent = {}, {}
    for model, (seconds, size) in one.items():
        throughput[model], sent[model] = round(seconds / two[model][0], 3), size  # 2 (K − 1) / K is 1 for two
        table.add_row(model, f"{seconds * 1000:.0f}", f"{throughput[model]:.2f}", f"{sent[model] / 1e6:.1f}")
    Console().print(table)
    print(json.dumps({"throughput": throughput, "bytes": sent}))


if __name__ == "__main__":
    main()
