"""What the trainer costs over a bare training step of the same network, and what an import costs.

    python benchmarks/loop.py [--steps 40] [--rounds 5] [--models transformer cnn]

Both sides see the same batches of the same size, take turns in one process, and do the same arithmetic: forward, loss,
backward, clipping, optimizer. The trainer adds everything else that a run does at a step: loading and augmenting
photographs, seeds, checks for numbers that are not finite, counters, lines of metrics, the averaged weights, a progress
line. The averaged weights are also timed apart, since a bare loop that wanted them would pay for them too.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from colorize.build import build_parts, build_trainer
from colorize.cli import conf_folder
from colorize.devices import keep_freed_memory
from colorize.terminal import Bar
from colorize.tracking import JsonLines


def trainer_of(model: str, folder: Path, *overrides: str):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        words = [f"model={model}", "loss=l1", "tracker=none", f"name={model}", "seed=0", *overrides]
        cfg = compose("train", overrides=words)
    return build_trainer(cfg, build_parts(cfg), folder)


def bare(trainer, count: int) -> float:
    """Seconds a step of forward, loss, backward, clip and optimizer, over batches that lie in memory."""
    trainer.enter("all")
    player = trainer.players["model"]
    batches = [batches[0] for batches in islice(trainer.stream("all", 0), 4)]
    began = time.perf_counter()
    for i in range(count):
        batch = batches[i % len(batches)]
        total, _ = trainer.loss(trainer.model.train()(batch), batch, trainer.weights["all"])
        total.backward()
        torch.nn.utils.clip_grad_norm_(player.parameters, trainer.clip)
        player.optimizer.step()
        player.optimizer.zero_grad(set_to_none=True)
    return (time.perf_counter() - began) / count


def whole(trainer, stream, log, count: int) -> float:
    """Seconds a step of the real loop, photographs and all."""
    with Bar(trainer.total, trainer.steps, every=float("inf")) as bar:
        began = time.perf_counter()
        for batches in islice(stream, count):
            trainer.tell(trainer.advance(batches), 1.0, log, bar)
        return (time.perf_counter() - began) / count


def measure(model: str, steps: int, rounds: int) -> dict[str, float]:
    """Medians over alternating rounds, after one that does not count."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"bare": ["trainer.ema=null"], "loop": ["trainer.ema=null"], "loop with averaged weights": []}
        trainers = {name: trainer_of(model, Path(folder, str(i)), "schedule.all.steps=100000", *words)
                    for i, (name, words) in enumerate(settings.items())}  # fmt: skip
        logs, streams = {}, {}
        for name, trainer in trainers.items():
            trainer.enter("all")
            trainer.checkpoints.folder.mkdir(parents=True)
            logs[name], streams[name] = JsonLines(trainer.checkpoints.folder.parent), trainer.stream("all", 0)
        seconds: dict[str, list[float]] = {name: [] for name in settings}
        for turn in range(rounds + 1):
            for name, trainer in trainers.items():
                loop = (trainer, streams[name], logs[name], steps)
                taken = bare(trainer, steps) if name == "bare" else whole(*loop)
                if turn:
                    seconds[name].append(taken)
    return {name: statistics.median(taken) for name, taken in seconds.items()}


def import_seconds() -> float:
    """Median time that `import colorize.training`, which brings in everything, takes a fresh interpreter."""
    code = "import time; t = time.perf_counter(); import colorize.training; print(time.perf_counter() - t)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(4)]
    return statistics.median(float(run.stdout) for run in runs[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40, help="in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["transformer", "cnn"])
    arguments = parser.parse_args()
    table = Table("network", "bare step ms", "loop / bare", "with averaged weights / bare", title="l1, 16 × 96²")
    overhead, averaged = {}, {}
    keep_freed_memory()  # as the trainer does, for both sides
    for model in arguments.models:
        took = measure(model, arguments.steps, arguments.rounds)
        overhead[model] = round(took["loop"] / took["bare"], 3)
        averaged[model] = round(took["loop with averaged weights"] / took["bare"], 3)
        table.add_row(model, f"{took['bare'] * 1000:.1f}", f"{overhead[model]:.3f}", f"{averaged[model]:.3f}")
    Console().print(table)
    imported = round(import_seconds(), 2)
    print(f"import of everything: {imported} s")
    print(json.dumps({"overhead": overhead, "overhead_with_average": averaged, "import_seconds": imported}))


if __name__ == "__main__":
    main()
