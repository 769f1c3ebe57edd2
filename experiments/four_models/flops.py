"""Floating-point operations of a training step of each network, and the steps that a budget of them buys.

    python experiments/four_models/flops.py               # counts, writes compute.csv

Counted (`colorize.utils.flops`) while the trainer takes one step of each phase on a batch of noise: forward and
backward pass of the network, its loss's feature networks, and the critic's own step. Operations depend on shapes alone,
so that noise does.
"""

import csv
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
from declared import BUDGET, NETWORKS
from hydra import compose, initialize_config_dir
from PIL import Image

from colorize.batch import Batch
from colorize.config import conf_folder
from colorize.training.build import build_parts, build_trainer
from colorize.utils.flops import StepFlopCounter

HERE, CONF = Path(__file__).parent, str(conf_folder())
PHOTOGRAPHS = 16  # of noise, so that the parts of a run can be built


@dataclass(frozen=True)
class Count:
    """A phase of a network's training: its optimizer steps, and 10⁹ operations in each."""

    phase: str
    steps: int
    gflops: float

    @property
    def total(self) -> float:
        return self.steps * self.gflops


def main() -> None:
    counts = {name: count_training(f"four_models/{name}") for name in NETWORKS}
    with (HERE / "compute.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "phase", "steps", "gflops_per_step", "tflops"])
        for name, phases in counts.items():
            for each in phases:
                writer.writerow([name, each.phase, each.steps, f"{each.gflops:.2f}", f"{each.total / 1000:.2f}"])
    for name, phases in counts.items():
        total = sum(each.total for each in phases)
        parts = " + ".join(f"{each.steps} {each.phase} · {each.gflops:.1f}" for each in phases)
        print(f"{name}: {parts} = {total:.0f} GFLOPs, {total / BUDGET:.4f} of the budget")


def count_training(recipe: str, *overrides: str) -> list[Count]:
    """The phases of `experiment=RECIPE` with what a step of each costs."""
    with tempfile.TemporaryDirectory(prefix="flops") as folder, initialize_config_dir(CONF, version_base="1.3"):
        for place in ("train", "val"):
            save_noise(Path(folder, place))
        quiet = ["evaluate.historical=false", "evaluate.photographs=2", "data.num_workers=0", "metrics=quick"]
        roots = [f"data.root={folder}/train", f"data.val_root={folder}/val"]
        cfg = compose("train", overrides=[f"experiment={recipe}", "trainer.device=cpu", *roots, *quiet, *overrides])
        trainer = build_trainer(cfg, build_parts(cfg), Path(folder, "run"))
        batch = Batch.from_rgb(torch.randint(0, 256, (cfg.trainer.batch_size, 3, cfg.data.size, cfg.data.size)).byte())
        counts = []
        for phase, steps in trainer.lengths.items():
            trainer.start_phase(phase)
            with StepFlopCounter() as counter:
                trainer.optimizer_step([batch], trainer.weights[phase], 0.0, 1)
            counts.append(Count(phase, steps, counter.total / 1e9))
    return counts


def save_noise(folder: Path) -> None:
    folder.mkdir()
    for number in range(PHOTOGRAPHS):
        Image.effect_noise((96, 96), 60).convert("RGB").save(folder / f"{number}.png")


if __name__ == "__main__":
    main()
