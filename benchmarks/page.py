"""What the comparison page costs beside the pictures that are in it.

    python benchmarks/page.py [--runs 8] [--photographs 24] [--size 256]

Makes runs as evaluation leaves them: a result with intervals, each picture's numbers, painted, grey and true JPEGs,
curves and a config. Baseline is opening each picture that the page shows and encoding it as base64, in the same run.
All of the page is timed: reading, tests between every two runs, and writing. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import base64
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

from colorize.data.sources import DEMO
from colorize.evaluation.bootstrap import mean_interval
from colorize.evaluation.compare import compare_results
from colorize.evaluation.image_table import ImageTable
from colorize.evaluation.result import Result, image_table_path, write_result
from colorize.reports.comparison_page import write_comparison

METRICS = {"psnr": 24.0, "ssim": 0.9, "lpips_alex": 0.2, "ciede2000": 10.0, "colorfulness": 30.0, "features": 3.0}
QUALITY = 92  # as evaluation keeps pictures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--photographs", type=int, default=24)
    parser.add_argument("--size", type=int, default=256)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photographs = squares(words.photographs, words.size)
        runs = [evaluated(Path(folder, f"run-{place}"), place, photographs) for place in range(words.runs)]
        began = time.perf_counter()
        alone = pictures_alone(runs)
        pictures = time.perf_counter() - began
        page = Path(folder, "compare.html")
        began = time.perf_counter()
        comparison = compare_results([str(run) for run in runs])
        assert comparison is not None
        compared = time.perf_counter() - began
        write_comparison(page, comparison)
        whole = time.perf_counter() - began
        megabytes = page.stat().st_size / 1e6
    rows = (("pictures alone", pictures), ("comparison", compared), ("page", whole - compared), ("all", whole))
    title = f"{words.runs} runs × {words.photographs} photographs at {words.size}², {megabytes:.1f} MB"
    table = Table("", "seconds", "of the pictures alone", title=title)
    for name, seconds in rows:
        table.add_row(name, f"{seconds:.2f}", f"{seconds / pictures:.2f}")
    Console(width=100).print(table)
    print(json.dumps({
        "ratio": round(whole / pictures, 2), "page_ratio": round((whole - compared) / pictures, 2),
        "seconds": round(whole, 2), "pictures_seconds": round(pictures, 2), "megabytes": round(megabytes, 2),
        "pictures_megabytes": round(alone / 1e6, 2), "runs": words.runs, "photographs": words.photographs,
        "size": words.size,
    }))  # fmt: skip


def squares(count: int, size: int) -> list[Image.Image]:
    """Demo photographs, over and over where they are few."""
    files = sorted(DEMO.rglob("*.jpg"))
    return [Image.open(files[place % len(files)]).convert("RGB").resize((size, size)) for place in range(count)]


def evaluated(folder: Path, place: int, photographs: list[Image.Image]) -> Path:
    """A run folder with a result; runs differ by their colours and by a little in every metric."""
    random = np.random.default_rng(place)
    names = [f"{number:03d}.jpg" for number in range(len(photographs))]
    base = np.random.default_rng(0).normal(1, 0.1, len(names))
    values = {m: v * (base + 0.01 * place + 0.01 * random.normal(size=len(names))) for m, v in METRICS.items()}
    cells = {metric: mean_interval(of) for metric, of in values.items()}
    protocol = {"id": "page", "name": "page", "geometry": "centre", "filter": "bicubic", "size": photographs[0].width,
                "input": ["lab_l"], "truth": "pixels", "photographs": len(names), "of": len(names)}  # fmt: skip
    true = mean_interval(40 * base)
    rows = {"model": cells, "grey": {"psnr": mean_interval(23 * base)}, "truth": {"colorfulness": true}}
    target = write_result(folder / "results" / "page.json", Result(folder.name, protocol, rows, manifest="page"))
    with ImageTable(image_table_path(target), list(values)) as table:
        table.add({"model": values}, names)
        table.add({"truth": {"colorfulness": 40 * base}}, names)
    kept = target.with_suffix(".pictures")
    kept.mkdir()
    for number, photograph in enumerate(photographs):
        grey = photograph.convert("L").convert("RGB")
        painted = Image.blend(grey, photograph, 0.3 + 0.7 * place / 8)
        for what, image in (("as-it-is", grey), ("painted", painted), ("true-colours", photograph)):
            image.save(kept / f"{number:03d}-photograph-{what}.jpg", quality=QUALITY)
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "config.yaml").write_text(f"seed: {place}\nmodel: {{width: {place}}}\n", encoding="utf-8")
    lines = [{"step": step, "val/psnr": 20 + step / 1000, "train/loss": 1.0} for step in range(0, 2000, 10)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def pictures_alone(runs: list[Path]) -> int:
    """Characters of the pictures that the page shows: every run's paintings, and grey and truth once."""
    characters = 0
    for place, run in enumerate(runs):
        for path in sorted((run / "results" / "page.pictures").glob("*.jpg")):
            if place == 0 or path.stem.endswith("painted"):
                with Image.open(path) as image:
                    image.load()
                characters += len(base64.b64encode(path.read_bytes()))
    return characters


if __name__ == "__main__":
    main()
