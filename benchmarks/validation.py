"""What validation while training and the final evaluation cost, of the training steps of a recipe.

    python benchmarks/validation.py [--recipes cpu/cnn cpu/gan …] [--scale 0.1]

Baseline is the time of the recipe's own optimizer steps, loading included. Each recipe is trained for a share of its
steps; the numbers are those of its whole length: so many steps, one validation at the start, one every
`evaluate.every` steps, one at the end, and one final evaluation of the last and the best weights. The last line is one
JSON object: {recipe: {"minutes": …, "passes": …, "validation": …, "final": …}}: minutes of the steps, how many
validations, and the shares of both in that time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from colorize.cli import main as colorize
from colorize.training.final import FinalEvaluations
from colorize.training.trainer import Trainer

RECIPES = ("cpu/cnn", "cpu/gan_unet", "cpu/gan", "cpu/diffusion", "cpu/transformer", "cpu/multicolor")


def timed(function: Callable, seconds: list[float], seen: list | None = None) -> Callable:
    def call(*words, **options):
        began = time.perf_counter()
        result = function(*words, **options)
        seconds.append(time.perf_counter() - began)
        if seen is not None:
            seen.append(words[0])
        return result

    return call


def costs_of(recipe: str, scale: float) -> dict[str, float]:
    validations: list[float] = []
    finals: list[float] = []
    trainers: list[Trainer] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(Trainer, "evaluate", timed(Trainer.evaluate, validations, trainers)),
        patch.object(FinalEvaluations, "evaluate", timed(FinalEvaluations.evaluate, finals)),
    ):
        words = [f"experiment={recipe}", f"steps_scale={scale}", "tracker=none", f"hydra.run.dir={folder}/run"]
        if colorize(["train", *words]):
            raise SystemExit(f"{recipe} was not trained")
        done = json.loads(Path(folder, "run", "summary.json").read_text())
    trainer, steps = trainers[0], round(trainers[0].total / scale)
    training = steps * trainer.trained_seconds / trainer.steps
    passes = 1 + -(-steps // trainer.judges["validation"].every)
    weights = max(len(of) for of in done["eval"].values())  # a short run's best weights are often its last
    return {
        "minutes": training / 60, "passes": passes, "validation": passes * min(validations) / training,
        "final": sum(finals) * 2 / weights / training,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--scale", type=float, default=0.1)
    words = parser.parse_args()
    found = {recipe: costs_of(recipe, words.scale) for recipe in words.recipes}
    table = Table("recipe", "minutes of steps", "validations", "their share", "final evaluation's share")
    for recipe, of in found.items():
        shares = (f"{100 * of[name]:.1f} %" for name in ("validation", "final"))
        table.add_row(recipe, f"{of['minutes']:.1f}", str(of["passes"]), *shares)
    Console(width=100).print(table)
    print(json.dumps({recipe: {key: round(value, 4) for key, value in of.items()} for recipe, of in found.items()}))


if __name__ == "__main__":
    main()
