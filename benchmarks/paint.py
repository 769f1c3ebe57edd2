"""Painting large photographs with the shipped weights, from JPEG to JPEG: seconds and memory.

    python benchmarks/paint.py [--megapixels 24] [--folder 8] [--rounds 5]

The photograph is one of the package, enlarged, with the grain of a film. Every time is of a process of its own: what a
user waits for beside the start (imports and weights, which stands apart). Stages that run beside each other are timed
each; memory is the peak of the resident set, and "beyond decoded" how far it is above what the process holds once the
photograph has been decoded. Baseline is a process in which Pillow decodes the file and encodes it again. With --folder,
as many photographs are painted by one command, which reads and writes beside the network, against painting one after
the other. Medians over rounds in which all take turns. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from colorize.utils.environment import wait_passively

PHOTOGRAPH = Path(__file__).resolve().parents[1] / "colorize" / "data" / "photos" / "colorbox_ohoopee1.jpg"
GRAIN = 4.0  # 8-bit levels
STAGES = ("decode", "network", "upsampling", "colour", "encode")


def make_photograph(path: Path, megapixels: float, seed: int) -> None:
    """A JPEG of 3:2, row by row: the picture is the only large thing in memory."""
    random = np.random.default_rng(seed)
    width, height = round((1.5e6 * megapixels) ** 0.5), round((1e6 * megapixels / 1.5) ** 0.5)
    image = Image.open(PHOTOGRAPH).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    for top in range(0, height, 64):
        rows = np.asarray(image.crop((0, top, width, min(top + 64, height))))
        grain = random.normal(0, GRAIN, (*rows.shape[:2], 1))
        image.paste(Image.fromarray(np.clip(np.rint(rows + grain), 0, 255).astype(np.uint8)), (0, top))
    image.save(path, quality=92)


def memory_of_process(name: str) -> float:
    """MB, by the name of a line in /proc/self/status (proc(5)): VmRSS, VmHWM."""
    return int(Path("/proc/self/status").read_text(encoding="ascii").split(f"{name}:")[1].split()[0]) * 1024 / 1e6


def baseline(photograph: str, target: str) -> None:
    began = time.perf_counter()
    Image.MAX_IMAGE_PIXELS = None  # the photograph was made here
    with Image.open(photograph) as image:
        image.load()
        decoded = time.perf_counter()
        image.save(target, quality=95, subsampling=0)
    ended = time.perf_counter()
    found = {"decode": decoded - began, "encode": ended - decoded}
    print(json.dumps({"stages": found, "seconds": ended - began, "memory": memory_of_process("VmHWM")}))


def paint(photographs: str, target: str, one_by_one: bool) -> None:
    """The command, with a clock in each stage."""
    wait_passively()  # as the command does, before it imports torch
    from colorize.cli import paint as verb
    from colorize.cli import painting
    from colorize.cli.app import main
    from colorize.imaging.transforms import Upsampling

    times: dict[str, list[float]] = defaultdict(list)
    held: dict[str, float] = {}

    def timed(where: Any, name: str, stage: str) -> None:
        function = getattr(where, name)

        def clocked(*args, **kwargs):
            began = time.perf_counter()
            result = function(*args, **kwargs)
            times[stage].append(time.perf_counter() - began)
            if stage == "decode" and "decoded" not in held:
                held["peak"], held["decoded"] = memory_of_process("VmHWM"), memory_of_process("VmRSS")
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # proc(5): the peak begins here
            return result

        setattr(where, name, clocked)

    timed(painting, "open_photograph", "decode")
    timed(painting, "predict_at_best_size", "network")
    timed(painting, "full_size_color", "full size")
    timed(Upsampling, "rows", "upsampling")  # by several threads at a time, as the next three are
    for name in ("lightness_of", "into_gamut", "encode_rgb"):
        timed(painting, name, "colour")
    timed(painting, "save_photograph", "encode")
    pipeline = paint_one_by_one if one_by_one else verb.paint_in_pipeline

    def paint_jobs(*stages) -> None:
        held["started"] = time.time()
        pipeline(*stages)

    verb.paint_in_pipeline = paint_jobs
    status = main(["paint", photographs, "-o", target, "--format", "jpg", "--overwrite"])
    assert status == 0
    seconds = {stage: sum(each) for stage, each in times.items()}
    share = seconds["full size"] / (seconds["upsampling"] + seconds["colour"])
    seconds |= {stage: share * seconds[stage] for stage in ("upsampling", "colour")}
    highest = memory_of_process("VmHWM")
    print(json.dumps({
        "stages": {stage: seconds[stage] for stage in STAGES}, "started": held["started"],
        "memory": max(held["peak"], highest), "beyond_decoded": highest - held["decoded"],
    }))  # fmt: skip


def paint_one_by_one(jobs: list, read: Callable, color: Callable, report: Callable) -> None:
    for job in jobs:
        report(job, color(job, read(job)))


def run(kind: str, photographs: Path, target: Path) -> dict[str, Any]:
    began = time.time()
    words = [sys.executable, __file__, "--inside", kind, str(photographs), str(target)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    took, found = time.time() - began, json.loads(done.stdout.strip().splitlines()[-1])
    if "started" in found:
        found["start"] = found["started"] - began
        found["seconds"] = took - found["start"]
    return found


def measure(kinds: dict[str, Path], rounds: int, folder: Path) -> dict[str, dict[str, Any]]:
    """Medians of every kind of process over rounds in which they take turns; the first round fills the disk's cache."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for turn in range(rounds + 1):
        for kind, photographs in kinds.items():
            target = folder / ("painted" if photographs.is_dir() else "painted.jpg")
            one = run(kind, photographs, target)
            found[kind] += [one] if turn else []
    return {kind: median(each) for kind, each in found.items()}


def median(found: list[Any]) -> Any:
    if isinstance(found[0], dict):
        return {name: median([each[name] for each in found]) for name in found[0]}
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--folder", type=int, metavar="N", help="photographs in a folder, too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inside", nargs=3, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.inside:
        kind, photographs, target = words.inside
        baseline(photographs, target) if kind == "Pillow" else paint(photographs, target, kind == "one by one")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {"Pillow": folder / "a.jpg", "paint": folder / "a.jpg"}
        make_photograph(folder / "a.jpg", words.megapixels, seed=0)
        if words.folder:
            (folder / "photographs").mkdir()
            for number in range(words.folder):
                make_photograph(folder / "photographs" / f"{number}.jpg", words.megapixels, seed=number)
            kinds |= {"folder": folder / "photographs", "one by one": folder / "photographs"}
        found = measure(kinds, words.rounds, folder)
    table = Table("", "start s", "seconds", *STAGES, "memory GB", "beyond decoded MB")
    for kind, each in found.items():
        stages = [f"{each['stages'].get(stage, 0):.2f}" for stage in STAGES]
        ends = [f"{each['memory'] / 1000:.2f}", f"{each.get('beyond_decoded', 0):.0f}"]
        table.add_row(kind, f"{each.get('start', 0):.2f}", f"{each['seconds']:.2f}", *stages, *ends)
    Console(width=130).print(table)
    painted, pillow = found["paint"], found["Pillow"]
    result = {
        "megapixels": words.megapixels, "seconds": round(painted["seconds"], 2),
        "memory_gb": round(painted["memory"] / 1000, 3), "beyond_decoded_mb": round(painted["beyond_decoded"]),
        "start": round(painted["start"], 2),
        "stages": {stage: round(value, 3) for stage, value in painted["stages"].items()},
        "pillow": {"seconds": round(pillow["seconds"], 2), "memory_gb": round(pillow["memory"] / 1000, 3)},
        "of_pillow": round(painted["seconds"] / pillow["seconds"], 2),
    }  # fmt: skip
    if words.folder:
        one, all_ = found["one by one"], found["folder"]
        result["folder"] = {
            "photographs": words.folder, "seconds": round(all_["seconds"], 2),
            "one_by_one": round(one["seconds"], 2), "speedup": round(one["seconds"] / all_["seconds"], 2),
            "memory_gb": round(all_["memory"] / 1000, 3), "one_by_one_memory_gb": round(one["memory"] / 1000, 3),
        }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
