"""How long the command line takes: a mistake until it is answered, --help of every verb, a run until its first step.

    python benchmarks/cli_latency.py [--repeats 10]

Each is a whole process from its start, a run to its first optimizer step; medians and minima over rounds in which all
take turns. Baselines, processes of the same rounds: of mistakes, Hydra imported and the config composed once, which no
answer that reads the configs can do without; of --help, numpy imported; of a run, torch, timm and Hydra imported.
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
from pathlib import Path

from rich.console import Console
from rich.table import Table

from colorize.cli.app import VERBS
from colorize.config import conf_folder

TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")
COMPOSE = f"""
from hydra import compose, initialize_config_dir
with initialize_config_dir({str(conf_folder())!r}, version_base="1.3"):
    compose("train")
"""
NOW = "import time; print('at', time.time())"
FIRST_STEP = """
import sys, time
from colorize.cli import main
from colorize.training.trainer import Trainer

train_step = Trainer.train_step
def timed(*arguments):
    print("at", time.time())
    return train_step(*arguments)

Trainer.train_step = timed
sys.exit(main(["train", "experiment=smoke", "schedule.all.steps=1", *sys.argv[1:]]))
"""
Programs = dict[str, tuple[list[str], int]]  # name -> what Python is given, the exit status
GROUPS: dict[str, Programs] = {  # the first of each is its baseline
    "mistake": {
        "Hydra composes": (["-c", COMPOSE], 0),
        "model=transfomer": ([TRAIN, "model=transfomer"], 2),
        "optimizer.lrr=1": ([TRAIN, "optimizer.lrr=1"], 2),
        "data=folder without a root": ([TRAIN, "data=folder"], 2),
        "+checkpoint.evry=1": ([TRAIN, "+checkpoint.evry=1"], 2),
        "data.flip=flase (imports torch)": ([TRAIN, "data.flip=flase"], 2),
        "+model.dropot=1 (imports torch)": ([TRAIN, "+model.dropot=1"], 2),
    },
    "help": {
        "numpy": (["-c", "import numpy"], 0),
        **{verb: (["-m", "colorize", verb, "--help"], 0) for verb in VERBS},
    },
    "first_step": {
        "torch, timm, Hydra": (["-c", f"import torch, timm, hydra; {NOW}"], 0),
        "experiment=smoke": (["-c", FIRST_STEP], 0),
        "experiment=smoke tracker=none": (["-c", FIRST_STEP, "tracker=none"], 0),
    },
}


def seconds(words: list[str], status: int) -> float:
    """From the start of a process to its end, or to the first time that it prints."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.time()
        done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
        ended = time.time()
    assert done.returncode == status, done.stderr
    printed = [float(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("at ")]
    return (printed[0] if printed else ended) - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    found: dict[str, dict[str, list[float]]] = {group: {name: [] for name in of} for group, of in GROUPS.items()}
    for turn in range(repeats + 1):  # the first fills the disk's cache
        for group, programs in GROUPS.items():
            for name, (words, status) in programs.items():
                took = seconds(words, status)
                if turn:
                    found[group][name].append(took)
    report = {}
    for group, programs in found.items():
        middle = {name: statistics.median(times) for name, times in programs.items()}
        baseline = next(iter(middle.values()))
        table = Table("", "median s", "least s", "beyond the baseline s", "of the baseline", title=group)
        for name, times in programs.items():
            beyond = middle[name] - baseline
            table.add_row(
                name, f"{middle[name]:.2f}", f"{min(times):.2f}", f"{beyond:.2f}", f"{middle[name] / baseline:.2f}"
            )
        Console(width=100).print(table)
        report[group] = {
            "seconds": {name: round(value, 3) for name, value in middle.items()},
            "least": {name: round(min(times), 3) for name, times in programs.items()},
            "beyond": {name: round(value - baseline, 3) for name, value in middle.items()},
            "ratio": {name: round(value / baseline, 3) for name, value in middle.items()},
        }
    print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
