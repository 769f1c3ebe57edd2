"""What every network costs on a GPU: a training step and a forward pass in bfloat16, without and with torch.compile.

    bash benchmarks/gpu.sh OUT.json [--tiny] [--rounds 10] [--models cnn gan …] [--reserve 20]

It takes at most 8 minutes. Every network has a process of its own (`benchmarks/models.py`) and its published size;
DDColor-T is compared with its published order, and `benchmarks/data.py` says how many photographs the processor loads
meanwhile. OUT.json is written after each of them, with the card's name: what fails says why in one line, and what no
time was left for is named. `train_mfu` is the share of a large bfloat16 matrix product's rate on the same card.
`--tiny` tries the same on any machine, with pictures of 64². The last line is the same JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from interleaved import processor, rounded
from models import NETWORKS, worker
from rich.console import Console
from rich.table import Table

from colorize.utils.devices import choose_device
from colorize.utils.files import write_text

BUDGET = 450  # seconds; with the import of torch, 8 minutes
LONGEST = 150  # of one process on a GPU
BATCH = 16
WAYS = {"eager": [], "compiled": ["--compile"]}
KEPT = {
    "images_per_second": "train_images_per_second", "forward_images_per_second": "forward_images_per_second",
    "step_of_limit": "train_mfu", "forward_of_limit": "forward_mfu", "limit_gflops": "limit_gflops",
    "peak_mb": "peak_mb", "size": "size", "batch": "batch", "ratio": "vs_published_order", "published": "published",
    "ours": "ours", "difference": "difference", "busy": "busy", "spread": "spread",
}  # fmt: skip

SHOWN = {"train_images_per_second": ".1f", "train_mfu": ".2f", "forward_images_per_second": ".1f", "peak_mb": ".0f"}


def last_line(command: Sequence[str], seconds: float) -> dict[str, Any]:
    """The JSON object that ends what `command` prints; or `error`, one line. It is stopped after `seconds`."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, start_new_session=True)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            return {"error": f"stopped after {seconds:.0f} s"}
        finally:
            if process.poll() is None:  # with what torch.compile started
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        out.seek(0)
        err.seek(0)
        said, complained = out.read().splitlines(), err.read().split("\n")
    if status:
        reasons = [line.strip() for line in complained if line.strip()]
        return {"error": reasons[-1] if reasons else f"exit status {status}"}
    return json.loads(said[-1])


def tasks(words: argparse.Namespace) -> dict[tuple[str, str], list[str]]:
    """(network or data, way) -> command, the most wanted first: torch.compile takes minutes and comes last."""
    options = ["--rounds", str(words.rounds), "--precision", "bfloat16"]
    options += ["--tiny"] if words.tiny else ["--batch", str(BATCH)]
    found = {(name, "eager"): worker(name, options) for name in words.models}
    data = Path(__file__).with_name("data.py")
    found["loading", ""] = [sys.executable, str(data), "--quick", "--rounds", "1", *(["--tiny"] if words.tiny else [])]
    return found | {(name, "compiled"): worker(name, [*options, "--compile"]) for name in words.models}


def measure_all(words: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    ends = time.monotonic() + BUDGET - words.reserve
    found: dict[str, Any] = {
        "device": processor(device), "torch": torch.__version__, "precision": "bfloat16", "tiny": words.tiny,
        "networks": {}, "loading": None, "left_out": [],
    }  # fmt: skip
    for (name, way), command in tasks(words).items():
        left = ends - time.monotonic()
        if left < 5:
            found["left_out"].append(f"{name} {way}".strip())
            continue
        row = last_line(command, left if words.tiny else min(left, LONGEST))
        print(f"{name} {way}".strip(), row.get("error", "done"), file=sys.stderr, flush=True)
        if name == "loading":
            found["loading"] = row if "error" in row else {"images_per_second": row["loader"]}
        else:
            kept = row if "error" in row else {new: row[key] for key, new in KEPT.items() if key in row}
            found["networks"].setdefault(name, {})[way] = kept
        write_text(words.out, json.dumps(rounded(found), indent=1) + "\n")
    write_text(words.out, json.dumps(rounded(found), indent=1) + "\n")
    return rounded(found)


def main() -> None:
    names = [*NETWORKS, "ddcolor"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--tiny", action="store_true", help="pictures of 64², on the CPU where there is no GPU")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--models", nargs="+", choices=names, default=names)
    parser.add_argument("--reserve", type=float, default=20, help=f"seconds of the {BUDGET} to leave")
    words = parser.parse_args()
    device = choose_device("auto")
    if device.type != "cuda" and not words.tiny:
        parser.error("there is no GPU here: --tiny tries the script on the CPU")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # `timeout` stops the process that measures, too
    found = measure_all(words, device)
    table = Table(title=f"{found['device']['model']}, bfloat16", title_justify="left")
    for column in ("network", "", "training photographs/s", "MFU", "painted photographs/s", "peak MB"):
        table.add_column(column, justify="left" if column in ("network", "") else "right")
    for name, ways in found["networks"].items():
        for way, row in ways.items():
            cells = [f"{row[key]:{form}}" if key in row else "" for key, form in SHOWN.items()]
            table.add_row(name, row.get("error", way), *cells)
    Console(width=120).print(table)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
