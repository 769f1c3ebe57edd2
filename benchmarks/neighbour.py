"""What the quick start keeps of its rate beside one busy process.

    python benchmarks/neighbour.py [--seconds 20] [--turns 4]

One run of `train.py experiment=quickstart`, as a user starts it, takes steps all the while; by turns the machine is
idle, or another process keeps one core busy. The baseline is the rate of the same run in its idle turns. A second run
has threads that spin while they wait, as OpenMP's runtimes have it by default; what the environment says of that
(GOMP_SPINCOUNT, KMP_BLOCKTIME, OMP_WAIT_POLICY) holds for the first run.
The last line is one JSON object: the first run's rates, idle and beside the neighbour, as parts of its idle rate.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
SPINNING = {"GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}  # the runtimes' defaults
ENDLESS = (
    "tracker=none", "schedule.all.steps=1000000", "trainer.log_every=1", "evaluate.every=1000000",
    "checkpoint.every=1000000", "evaluate.historical=false", "metrics=quick", "checkpoint.monitor=val/psnr",
)  # fmt: skip


@contextmanager
def started(words: list[str], environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(words, env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def rates(seconds: float, turns: int, environment: dict[str, str] | None = None) -> dict[str, float]:
    """Steps a second of a run, `idle` and `beside` a busy process."""
    taken = {"idle": 0, "beside": 0}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "run", "metrics.jsonl")

        def steps() -> int:
            return log.read_text().count('"train/loss"') if log.exists() else 0

        words = [str(ROOT / "train.py"), "experiment=quickstart", *ENDLESS, f"hydra.run.dir='{log.parent}'"]
        with started([sys.executable, *words], environment) as run:
            while steps() < 3:  # the first are slower
                if run.poll() is not None:
                    raise SystemExit(f"the run ended with {run.returncode}")
                time.sleep(0.1)
            for _ in range(turns):
                taken["idle"] += during(seconds, steps)
                with started([sys.executable, "-c", "while True: pass"]):
                    taken["beside"] += during(seconds, steps)
    return {name: count / (turns * seconds) for name, count in taken.items()}


def during(seconds: float, steps) -> int:
    """How many steps are taken in that time."""
    before = steps()
    time.sleep(seconds)
    return steps() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="of a turn")
    parser.add_argument("--turns", type=int, default=4, help="of each kind")
    words = parser.parse_args()
    found = {
        "as it is started": rates(words.seconds, words.turns),
        "threads that spin": rates(words.seconds, words.turns, SPINNING),
    }
    table = Table("", "idle, steps/s", "beside a busy process", "of the idle rate")
    for name, rate in found.items():
        if not rate["idle"]:
            raise SystemExit(f"no step in {words.seconds:g} s: say more --seconds")
        kept = rate["beside"] / rate["idle"]
        table.add_row(name, f"{rate['idle']:.2f}", f"{rate['beside']:.2f}", f"{kept:.0%}")
    Console(width=100).print(table)
    rate = found["as it is started"]
    print(json.dumps({"idle": 1.0, "beside": round(rate["beside"] / rate["idle"], 3)}))


if __name__ == "__main__":
    main()
