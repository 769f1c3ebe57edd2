"""How much of the differences is caution: PSNR of each network's colours, multiplied by one number.

    python experiments/four_models/strength.py             # strength.csv, and its table in README.md
    python experiments/four_models/strength.py --report    # the table alone

The multiplication is that of `colorize paint --strength`. Thought of after the results were seen: it has no verdicts.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from colorize import load
from colorize.cli.data import evenly_spaced
from colorize.imaging.color import rgb_to_lab, to_uint8
from colorize.imaging.gamut import lab_to_rgb_reduced
from colorize.metrics.full_reference import PSNR
from colorize.metrics.metric import Pair, Picture
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import jobs_of
from colorize.utils.console import ProgressBar
from colorize.utils.errors import guarded
from colorize.utils.seeds import generator_of

sys.path.append(str(Path(__file__).parents[1]))
from declared import NETWORKS
from run import RUNS
from study import replace_part, seed_of_job, variant_of

HERE = Path(__file__).parent
PHOTOGRAPHS, SIZE, AT_ONCE = "outputs/photographs/val", 96, 8
STRENGTHS = (0, *np.arange(0.2, 1.61, 0.1).round(1).tolist())  # of which 0 is grey


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", action="store_true", help="write the table from strength.csv")
    if not parser.parse_args().report:
        measure_all(HERE / "strength.csv")
    lines = strength_table(HERE / "strength.csv")
    replace_part(HERE / "README.md", "strength", lines)
    print("\n".join(lines))
    return 0


def measure_all(path: Path) -> None:
    squares = np.stack([square for _, square in evenly_spaced(PHOTOGRAPHS, 10**9, SIZE)])
    batches = torch.from_numpy(squares).permute(0, 3, 1, 2).split(AT_ONCE)
    jobs = jobs_of(RUNS)
    with path.open("w", encoding="utf-8", newline="") as file, ProgressBar("strength", len(jobs), "networks") as bar:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["model", "seed", "strength", "psnr", "n"])
        for done, job in enumerate(jobs, start=1):
            values = measure_strengths(RunFolder(job.folder).checkpoint("last"), batches)
            for strength, value in zip(STRENGTHS, values, strict=True):
                writer.writerow([variant_of(job), seed_of_job(job), strength, f"{value:.5g}", len(squares)])
            bar.update(done)


@torch.no_grad()
def measure_strengths(weights: Path, batches: Sequence[torch.Tensor]) -> list[float]:
    """Mean PSNR in dB over photographs (B, 3, H, W) uint8 for each of STRENGTHS."""
    model, found = load(weights), []
    for place, rgb in enumerate(batches):
        L = rgb_to_lab(rgb)[:, :1]
        first = place * AT_ONCE
        ab = model.colorize(L, [generator_of("evaluate", first + index) for index in range(len(rgb))])
        painted = [Picture(to_uint8(lab_to_rgb_reduced(L, strength * ab))) for strength in STRENGTHS]
        found.append(torch.stack([PSNR().of(Pair(each, Picture(rgb))) for each in painted]))
    return torch.cat(found, dim=1).mean(1).tolist()


def strength_table(path: Path) -> list[str]:
    """The networks by the PSNR of their best strength, which is one number for all seeds and photographs."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    curves = {name: mean_curve(row for row in rows if row["model"] == name) for name in NETWORKS}
    best = {name: max(curve, key=curve.__getitem__) for name, curve in curves.items()}
    lines = [
        "| network | PSNR dB ↑ | best strength | PSNR dB there ↑ | less grey's |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name in sorted(NETWORKS, key=lambda name: -curves[name][best[name]]):
        curve, at = curves[name], best[name]
        lines.append(f"| {name} | {curve[1]:.2f} | {at:g} | {curve[at]:.2f} | {curve[at] - curve[0]:+.2f} |")
    return lines


def mean_curve(rows) -> dict[float, float]:
    """Strength -> mean over seeds."""
    found: dict[float, list[float]] = {}
    for row in rows:
        found.setdefault(float(row["strength"]), []).append(float(row["psnr"]))
    return {strength: float(np.mean(values)) for strength, values in found.items()}


if __name__ == "__main__":
    raise SystemExit(guarded(main))
