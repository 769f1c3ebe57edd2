"""What more or less compute does for the best network: a table and a curve."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from declared import JUDGED
from study import result_files, seed_of_job, show, variant_of
from verdicts import MARGINS

from colorize.evaluation.result import read_result
from colorize.metrics.metric_info import Interval, info_of
from colorize.sweeps.jobs import SweepJob, jobs_of

WIDTH, HEIGHT, EDGE = 480, 260, 48  # of the curve, in pixels
LINE = "#2a6f97"


class Point(NamedTuple):
    """One training, of `scale` times the study's compute."""

    scale: float
    steps: int
    values: dict[str, Interval]


def write_scaling(chart: Path, points: Sequence[Point], network: str) -> list[str]:
    """The table's lines; the curve of PSNR is drawn in `chart`, an SVG."""
    chart.write_text(curve(points, info_of("psnr").heading), encoding="utf-8")
    lines = [
        f"| compute | steps | {' | '.join(info_of(metric).heading for metric in MARGINS)} |",
        "| --: | --: | --: | --: |",
    ]
    for scale, steps, values in points:
        cells = " | ".join(show(metric, values[metric]) for metric in MARGINS)
        lines.append(f"| × {scale:g} | {steps:,} | {cells} |")
    return [f"Of {network}, seed 0, with intervals over photographs:", "", *lines, "", f"![{network}]({chart.name})"]


def read_points(runs: Path, scaled: Path) -> list[Point]:
    """The measured trainings of the scaled network by their compute, with that of the study and of the same seed."""
    jobs = [job for job in jobs_of(scaled) if (job.folder / "results" / f"{JUDGED}.json").is_file()]
    places = {(variant_of(job), seed_of_job(job)) for job in jobs}
    steps = {(variant_of(job), seed_of_job(job)): job.summary["steps"] for job in jobs_of(runs)}
    found = [Point(1.0, steps[key], read_result(path).rows["model"])
             for key, path in result_files(runs, JUDGED) if key in places]  # fmt: skip
    return sorted([*found, *map(point_of, jobs)], key=lambda point: point.scale)


def point_of(job: SweepJob) -> Point:
    values = read_result(job.folder / "results" / f"{JUDGED}.json").rows["model"]
    return Point(float(job.values["steps_scale"]), job.summary["steps"], values)


def curve(points: Sequence[Point], heading: str) -> str:
    """An SVG: PSNR with its interval over compute, which doubles from one mark of the axis to the next."""
    cells = [point.values["psnr"] for point in points]
    low, high = min(cell.low for cell in cells), max(cell.high for cell in cells)
    across = np.log2([point.scale for point in points])
    x = EDGE + (across - across.min()) / np.ptp(across) * (WIDTH - 2 * EDGE)

    def y(value: float) -> float:
        return EDGE + (high - value) / (high - low) * (HEIGHT - 2 * EDGE)

    bars = [f'<path d="M{at:.1f} {y(cell.low):.1f}V{y(cell.high):.1f}" stroke="{LINE}" opacity=".4" stroke-width="6"/>'
            for at, cell in zip(x, cells, strict=True)]  # fmt: skip
    line = " ".join(f"{at:.1f},{y(cell.value):.1f}" for at, cell in zip(x, cells, strict=True))
    words = [f'<text x="{at:.1f}" y="{HEIGHT - EDGE / 3:.0f}" text-anchor="middle">× {point.scale:g}</text>'
             for at, point in zip(x, points, strict=True)]  # fmt: skip
    words += [
        f'<text x="{EDGE - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.1f}</text>' for value in (low, high)
    ]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/><text x="{EDGE}" y="24">{heading}, by compute</text>',
        *bars, f'<polyline points="{line}" fill="none" stroke="{LINE}" stroke-width="2"/>', *words, "</svg>", "",
    ])  # fmt: skip
