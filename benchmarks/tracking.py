"""What following a run costs: W&B, offline and online, as a share of the wall time of a cpu/ recipe.

    python benchmarks/tracking.py [--recipe cpu/cnn] [--steps 500]

One run of the recipe, with everything that training does; every call of the tracker is timed where the trainer makes
it: start, lines, pictures, checkpoints, finish. Beside it, the same run with tracker=none, and the ratio of the two
wall times, which on a machine that others use says little; the share is of one run, and holds. Online is against a
server on loopback that takes everything, so the waits of a network are not in it.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

CALLS = ("start", "scalars", "images", "summary", "checkpoint", "finish")
MODES = ("none", "offline", "online")
TESTS = Path(__file__).resolve().parents[1] / "tests" / "helpers"


def timed(recipe: str, steps: int | None, mode: str, environment: dict[str, str]) -> dict[str, float]:
    """Seconds of a run in a process of its own: the whole, and each kind of call to the tracker."""
    words = [f"experiment={recipe}", *([f"schedule.all.steps={steps}"] if steps else [])]
    words += ["tracker=none"] if mode == "none" else [f"tracker.mode={mode}"]
    with tempfile.TemporaryDirectory() as folder:
        program = [sys.executable, __file__, "--follow", *words]
        done = subprocess.run(
            program, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def follow(words: list[str]) -> None:
    """Train, and print what the tracker took."""
    from colorize.cli.app import main
    from colorize.evaluation import network
    from colorize.tracking.logger import Guarded

    spent: dict[str, float] = defaultdict(float)

    def clock(name, call):
        def inner(*arguments, **named):
            began = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                spent[name] += time.perf_counter() - began

        return inner

    network.start_tracker = clock("start", network.start_tracker)
    for name in CALLS[1:]:
        setattr(Guarded, name, clock(name, getattr(Guarded, name)))
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        code = main(["train", *words])
    print(json.dumps({"wall": time.perf_counter() - began, **spent}))
    sys.exit(code)


def server_environment() -> dict[str, str]:
    sys.path.insert(0, str(TESTS))
    from wandb_server import WandbServer

    return WandbServer().environment()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="cpu/cnn")
    parser.add_argument("--steps", type=int, help="fewer than the recipe has: the start weighs more then")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    arguments = parser.parse_args()
    environment = {"WANDB_MODE": "online", **server_environment()}
    taken = {mode: timed(arguments.recipe, arguments.steps, mode, environment) for mode in arguments.modes}
    table = Table(
        "tracker", "wall s", *(f"{name} s" for name in CALLS), "share %", "wall / none", title=arguments.recipe
    )
    figures: dict[str, dict[str, float | None]] = {}
    for mode, seconds in taken.items():
        share = sum(seconds.get(name, 0) for name in CALLS) / seconds["wall"]
        ratio = seconds["wall"] / taken["none"]["wall"] if "none" in taken else None
        cells = [f"{seconds.get(name, 0):.2f}" for name in CALLS]
        table.add_row(mode, f"{seconds['wall']:.1f}", *cells, f"{100 * share:.2f}", f"{ratio:.3f}" if ratio else "–")
        figures[mode] = {
            "share": round(share, 5),
            "wall": round(seconds["wall"], 2),
            "ratio": ratio and round(ratio, 4),
        }
    Console().print(table)
    print(json.dumps({"recipe": arguments.recipe, **figures}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--follow"]:
        follow(sys.argv[2:])
    else:
        main()
