"""How long a mistake on the command line takes to be answered.

    python benchmarks/cli_latency.py [--repeats 10]

Baseline is a process that imports Hydra and composes the config once, which no answer that reads the configs can do
without. Each is a whole process, from its start to its end; medians and minima over runs that take turns.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from colorize.config import conf_folder

TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")
COMPOSE = f"""
from hydra import compose, initialize_config_dir
with initialize_config_dir({str(conf_folder())!r}, version_base="1.3"):
    compose("train")
"""
PROGRAMS = {
    "Hydra composes": ["-c", COMPOSE],
    "model=transfomer": [TRAIN, "model=transfomer"],
    "optimizer.lrr=1": [TRAIN, "optimizer.lrr=1"],
    "data=folder without a root": [TRAIN, "data=folder"],
    "+checkpoint.evry=1": [TRAIN, "+checkpoint.evry=1"],
    "data.flip=flase (imports torch)": [TRAIN, "data.flip=flase"],
    "+model.dropot=1 (imports torch)": [TRAIN, "+model.dropot=1"],
}


def seconds(words: list[str], status: int) -> float:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    took = time.perf_counter() - began
    assert done.returncode == status, done.stderr.decode()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    baseline, *_ = PROGRAMS
    found: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for turn in range(repeats + 1):  # the first fills the disk's cache
        for name, words in PROGRAMS.items():
            took = seconds(words, 0 if name == baseline else 2)
            if turn:
                found[name].append(took)
    table = Table("", "median s", "least s", "of the baseline")
    middle = {name: statistics.median(times) for name, times in found.items()}
    for name, times in found.items():
        table.add_row(name, f"{middle[name]:.2f}", f"{min(times):.2f}", f"{middle[name] / middle[baseline]:.2f}")
    Console(width=100).print(table)
    print(json.dumps({
        "seconds": {name: round(value, 3) for name, value in middle.items()},
        "least": {name: round(min(times), 3) for name, times in found.items()},
        "ratio": {name: round(value / middle[baseline], 3) for name, value in middle.items()},
    }, ensure_ascii=False))  # fmt: skip


if __name__ == "__main__":
    main()
