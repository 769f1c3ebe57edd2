"""The long fault campaign, a script: every network is cut short in every way, over and over.

    python -m tests.faults.campaign [--kills 17] [--seed 0] [--models cnn gan …] [--folder FOLDER]

Prints a table: how often each network was hit by what, and how many of its runs ended, bit for bit, as the run that
nobody disturbed. The exit status is 1 if one did not.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

from rich.console import Console
from rich.table import Table

from .injections import FAULTS, at_random, process_killed
from .runs import RECIPES, Run, same

STEPS, EVERY = 60, 5


def kill_until(model: str, folder: Path, count: int, chance: random.Random, whole) -> tuple[int, int, int]:
    """Kills of SIGKILL at random instants: (how many, runs that they hit, of those that ended right)."""
    hits = runs = right = 0
    while hits < count:
        run = Run(model, folder / f"killed-{runs}", steps=STEPS, every=EVERY)
        hits += at_random(run, chance, seconds=14)
        runs += 1
        right += same(run.ended(), whole)
    return hits, runs, right


def campaign(model: str, folder: Path, kills: int, seed: int):
    """(fault, how many hits, runs, of those that ended right) for one network."""
    chance = random.Random(f"{seed} {model}")
    reference = Run(model, folder / "whole", steps=STEPS, every=EVERY)
    reference.finish()
    whole = reference.ended()
    yield "SIGKILL at a random instant", *kill_until(model, folder, kills, chance, whole)
    for name, fault in FAULTS.items():
        run = Run(model, folder / name.replace(" ", "-"), steps=STEPS, every=EVERY)
        fault(run, chance)
        run.finish()
        yield name, 1, 1, int(same(run.ended(), whole))


def two_processes(model: str, folder: Path, seed: int):
    reference = Run(model, folder / "two-whole", steps=STEPS, every=EVERY, processes=2)
    reference.finish()
    run = Run(model, folder / "one-of-two-killed", steps=STEPS, every=EVERY, processes=2)
    process_killed(run, random.Random(seed))
    yield "one of two processes killed", 1, 1, int(same(run.ended(), reference.ended()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=17, help="with SIGKILL, for each network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--folder", type=Path, default=None, help="where the runs stay; else they are removed")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # behind nohup … & its runs would not see it
    table = Table("network", "fault", "hits", "runs", "ended bit for bit as undisturbed")
    began, wrong, hits = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        for model in arguments.models:
            folder = (arguments.folder or Path(scratch)) / model
            folder.mkdir(parents=True, exist_ok=True)
            one = campaign(model, folder, arguments.kills, arguments.seed)
            for name, hit, runs, right in chain(one, two_processes(model, folder, arguments.seed)):
                print(f"{model}: {name}: {hit} hits, {right} of {runs} runs right", flush=True)
                table.add_row(model, name, str(hit), str(runs), str(right))
                wrong, hits = wrong + runs - right, hits + hit
    Console(width=120).print(table)
    print(f"{hits} hits in {(time.monotonic() - began) / 60:.0f} minutes; {wrong} runs ended differently")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
