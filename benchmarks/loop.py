"""What the trainer costs over a bare training step of the same network.

    python benchmarks/loop.py [--steps 30] [--models cnn gan …]

Each network has the size and the loss of its cpu/ recipe, critic included. Both sides see the same batches, which lie
in memory, and take turns step by step in one process; the figures are ratios of medians. A bare step is forward, loss,
backward, clipping and optimizer, of every player. The trainer adds what a run does at a step: seeds, checks, averages
over passes, health, counters, a line of metrics every 10 steps, a progress line. Averaged weights are timed apart,
since a bare loop that wanted them would pay for them too; so is the loading of photographs. A checkpoint is written
every `checkpoint.every` steps, and its share of that time is given: what it adds to the steps beside which it is
written, and what it would add if they waited for it. Last comes what it takes to go on with a run: the
seconds from the start of the process to its first step, less those that importing everything takes.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from colorize.config import conf_folder
from colorize.tracking import JsonLines
from colorize.training.build import build_parts, build_trainer
from colorize.utils.console import ProgressBar
from colorize.utils.devices import keep_freed_memory

MODELS = ("cnn", "gan_unet", "gan", "diffusion", "transformer", "multicolor")


def config(model: str, *overrides: str):
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return compose("train", overrides=[f"experiment=cpu/{model}", "tracker=none", *overrides])


class Side:
    """One trainer in its last phase, where every player plays, and four optimizer steps' batches."""

    def __init__(self, model: str, folder: Path, *overrides: str):
        self.cfg = config(model, *overrides)
        self.trainer = build_trainer(self.cfg, build_parts(self.cfg), folder)
        trainer = self.trainer
        *before, last = trainer.lengths
        trainer.steps = sum(trainer.lengths[name] for name in before)
        trainer.start_phase(last)
        self.stream = trainer.step_batches(last, 0)
        self.batches = [next(self.stream) for _ in range(4)]
        trainer.checkpoints.folder.mkdir(parents=True)
        self.log = JsonLines(folder)
        self.bar = ProgressBar("training", trainer.total, "steps", every=float("inf"), done=trainer.steps)
        self.taken: list[float] = []

    def step(self, i: int, batches) -> None:
        raise NotImplementedError

    def time(self, i: int) -> None:
        began = time.perf_counter()
        self.step(i, self.batches[i % len(self.batches)])
        self.taken.append(time.perf_counter() - began)

    @property
    def seconds(self) -> float:
        return statistics.median(self.taken)


class Bare(Side):
    def step(self, i: int, batches) -> None:
        trainer = self.trainer
        trainer.model.train()
        trainer.loss.train()
        for batch in batches:
            pred = trainer.model(batch)
            total, _ = trainer.loss(pred, batch, trainer.weights[trainer.phase])
            total.backward()
            for name in trainer.optimizer_step.active[1:]:
                term = trainer.loss.terms[name]
                term.critic_loss(term.critic, pred.detach(), batch)[0].backward()
        for name in trainer.optimizer_step.active:
            player = trainer.train_states[name]
            torch.nn.utils.clip_grad_norm_(player.parameters, trainer.settings.clip)
            player.optimizer.step()
            player.optimizer.zero_grad(set_to_none=True)


class Whole(Side):
    def step(self, i: int, batches) -> None:
        self.trainer.log_step(self.trainer.train_step(batches), 1.0, self.log, self.bar)


class Loading(Whole):
    def step(self, i: int, batches) -> None:
        super().step(i, next(self.stream))


def measure(model: str, steps: int) -> dict[str, float]:
    """Ratios to the bare step, the seconds of that, and the share of checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        places = (Path(folder, str(i)) for i in range(4))
        sides = {
            "bare": Bare(model, next(places), "trainer.ema=null"),
            "loop": Whole(model, next(places), "trainer.ema=null"),
            "average": Whole(model, next(places)),
            "loading": Loading(model, next(places), "trainer.ema=null"),
        }
        for i in range(steps + 3):
            for side in sides.values():
                side.time(i)
        for side in sides.values():
            del side.taken[:3]
        bare, averaged = sides["bare"].seconds, sides["average"]
        ratios = {name: side.seconds / bare for name, side in sides.items() if name != "bare"}
        between = averaged.cfg.checkpoint.every * averaged.seconds
        saves = {name: added / between for name, added in checkpoint_seconds(averaged).items()}
        return {"bare": bare, **ratios, **saves}


def checkpoint_seconds(side: Side, rounds: int = 5) -> dict[str, float]:
    """Seconds that a checkpoint adds to the steps beside which it is written, and those that it takes by itself."""
    added, waited = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        side.trainer.save(best=False)
        side.trainer.checkpoints.wait()
        waited.append(time.perf_counter() - began)
        side.taken, steps, began = [], 0, time.perf_counter()
        side.trainer.save(best=False)
        while not side.trainer.checkpoints.writing.done() or steps < 2:
            side.step(steps, side.batches[steps % len(side.batches)])
            steps += 1
        spent = time.perf_counter() - began
        for i in range(steps):
            side.time(i)
        added.append(spent - sum(side.taken))
    return {"checkpoints": statistics.median(added), "checkpoints_waited": statistics.median(waited)}


def resume_seconds(model: str = "transformer") -> float:
    """Seconds from the start of a process that goes on with a run to its first step, less those of the imports."""
    environment = {**os.environ, "WANDB_MODE": "offline"}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        command = [
            sys.executable, "-m", "colorize", "train", f"experiment=cpu/{model}", "tracker=none",
            "schedule.all.steps=1000", "trainer.log_every=1", "checkpoint.every=2", f"hydra.run.dir='{run}'",
            # the first start evaluates, which is not what is timed
            "metrics=quick", "checkpoint.monitor=val/psnr", "checkpoint.mode=max", "evaluate.historical=false",
        ]  # fmt: skip

        def start_until(step: int) -> float:
            began = time.perf_counter()
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
            log = run / "metrics.jsonl"
            while f'"step": {step}, "epoch"' not in (log.read_text() if log.exists() else ""):
                if process.poll() is not None:
                    raise RuntimeError(f"the run ended with {process.returncode}")
                time.sleep(0.01)
            seconds = time.perf_counter() - began
            process.kill()
            process.wait()
            return seconds

        start_until(4)
        text = (run / "metrics.jsonl").read_text().splitlines()
        newest = max(json.loads(line)["step"] for line in text)
        took = start_until(newest - newest % 2 + 1)
    return took - import_seconds()


def import_seconds() -> float:
    """Median time that a fresh interpreter takes to import everything that training needs."""
    code = "import colorize.training.run, colorize.cli.app, hydra"
    seconds = []
    for _ in range(4):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=30, help="of each side")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    arguments = parser.parse_args()
    table = Table(
        "network", "bare step ms", "loop", "with averaged weights", "with loading", "checkpoints %", "waited for %",
        title="ratios to a bare step, cpu/ recipes",
    )  # fmt: skip
    keep_freed_memory(of_any_size=True)  # as the trainer does, for both sides
    figures: dict[str, dict[str, float]] = {
        name: {} for name in ("loop", "average", "loading", "checkpoints", "checkpoints_waited")
    }
    for model in arguments.models:
        took = measure(model, arguments.steps)
        for name, values in figures.items():
            values[model] = round(took[name], 4)
        ratios = [f"{took[name]:.3f}" for name in ("loop", "average", "loading")]
        shares = [f"{100 * took[name]:.2f}" for name in ("checkpoints", "checkpoints_waited")]
        table.add_row(model, f"{took['bare'] * 1000:.1f}", *ratios, *shares)
    Console().print(table)
    imported, resumed = import_seconds(), resume_seconds()
    print(f"import of everything: {imported:.2f} s; then {resumed:.2f} s to the first step of a run that goes on")
    print(json.dumps({**figures, "import_seconds": round(imported, 2), "resume_seconds": round(resumed, 2)}))


if __name__ == "__main__":
    main()
