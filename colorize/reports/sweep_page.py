"""The page of a sweep: its jobs, and what each parameter did to the objective."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path

from colorize.reports.charts import PALETTE, Chart, ChartDot, ChartLine, curve_chart, value_scale
from colorize.reports.page import write_page
from colorize.reports.run_data import curves_of
from colorize.reports.tables import TableCell, TableRow, TextTable
from colorize.sweeps.jobs import SweepJob
from colorize.sweeps.results import number_of, why_no_importances


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep and what is told of them.

    keys         of the overrides that differ between the jobs
    best         finished jobs, the best first; of several objectives, those that no other beats in all of them
    importances  objective -> key -> share
    search       whether values were searched for, or each combination of a grid was trained
    """

    name: str
    jobs: Sequence[SweepJob]
    keys: Sequence[str]
    objectives: Sequence[str]
    best: Sequence[SweepJob]
    importances: Mapping[str, Mapping[str, float]]
    search: bool = False


def write_sweep(target: Path, sweep: Sweep) -> None:
    """One file that needs no other. Words are text, whatever they hold."""
    reasons = {why_no_importances(sweep.jobs, sweep.keys, name, search=sweep.search) for name in sweep.objectives} - {
        ""
    }
    seeds = len({job.values["seed"] for job in sweep.jobs if "seed" in job.values})
    write_page(
        target, "sweep", sweep.name, count=len(sweep.jobs), statuses=Counter(job.status for job in sweep.jobs),
        objectives=sweep.objectives, best=[job.number for job in sweep.best], reached=reached(sweep),
        seeds=f"{seeds} seeds" if seeds > 1 else "One seed each", search=sweep.search,
        importances=sweep.importances, reasons=[] if sweep.importances else sorted(reasons),
        values={name: value_charts(sweep, name) for name in sweep.objectives},
        curves={name: job_curves(sweep, name) for name in sweep.objectives}, jobs=job_table(sweep),
    )  # fmt: skip


def reached(sweep: Sweep) -> str:
    """What the best job of one objective reached, and with which values."""
    if not sweep.best or len(sweep.objectives) > 1:
        return ""
    best = sweep.best[0]
    values = ", ".join(f"{key}={rounded(best.values.get(key, ''))}" for key in sweep.keys)
    return f"{sweep.objectives[0]} {number_of(best.summary, sweep.objectives[0]):.4g}, {values}"


def value_charts(sweep: Sweep, name: str) -> list[Chart]:
    """A chart for each key: every finished job is a point at its value."""
    found = [(job, number_of(job.summary, name)) for job in sweep.jobs if job.status == "finished"]
    done = [(job, value) for job, value in found if value is not None]
    charts = []
    for key in sweep.keys if done else ():
        points = []
        for job, value in done:
            word = job.values.get(key, "")
            points.append((word, value, f"job {job.number}: {rounded(word)}, {value:.5g}", job in sweep.best[:1]))
        charts.append(scatter_chart(key, points))
    return charts


def scatter_chart(heading: str, points: Sequence[tuple[str, float, str, bool]]) -> Chart:
    """A dot for each job: (value of the parameter, what it reached, title, whether it is the best)."""
    low, high = value_scale([y for _, y, _, _ in points])
    places, ticks = parameter_scale([word for word, _, _, _ in points])
    dots = [
        ChartDot(100 * x, 94 - 88 * (y - low) / (high - low), PALETTE[best], title, best)
        for x, (_, y, title, best) in zip(places, points, strict=True)
    ]
    return Chart(ticks, heading, dots=dots, ends=(f"{low:.4g}", f"{high:.4g}"))


def parameter_scale(words: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
    """Where each value stands between left (0) and right (1), and what stands below: numbers to scale, words in
    columns."""
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        columns = list(dict.fromkeys(words))
        at = {word: (i + 0.5) / len(columns) for i, word in enumerate(columns)}
        return [at[word] for word in words], [(place, word) for word, place in at.items()]
    log = min(numbers) > 0 and max(numbers) / min(numbers) >= 30
    scaled = [log10(n) for n in numbers] if log else numbers
    low, high = min(scaled), max(scaled)
    places = [0.04 + 0.92 * (n - low) / (high - low or 1) for n in scaled]
    scale = [(0.5, "log scale")] if log else []
    return places, [(0.0, f"{min(numbers):.3g}"), *scale, (1.0, f"{max(numbers):.3g}")]


def job_curves(sweep: Sweep, name: str) -> Chart | None:
    """A line for each job, over its steps; what was pruned far outside does not flatten the others."""
    curves = []
    for job in sorted(sweep.jobs, key=lambda job: job in sweep.best[:1]):  # the best lies on top
        kind = "best" if job in sweep.best[:1] else job.status
        if points := curves_of(job.folder / "metrics.jsonl").get(name):
            curves.append((ChartLine("", f"job {job.number}", kind=f"job {kind}"), points))
    return curve_chart(curves, scale_by=("job best", "job finished")) if curves else None


def rounded(value: str) -> str:
    """A value as a person would write it."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def job_table(sweep: Sweep) -> TextTable:
    """Every job with its values and what it reached, the best first."""
    rows = []
    for job in [*sweep.best, *(job for job in sweep.jobs if job not in sweep.best)]:
        numbers = [number_of(job.summary, name) for name in sweep.objectives]
        values = [rounded(job.values.get(key, "")) for key in sweep.keys]
        scores = ["–" if number is None else f"{number:.5g}" for number in numbers]
        cells = [TableCell(text) for text in (job.status, *values, *scores, job.folder.name)]
        rows.append(TableRow(str(job.number), cells))
    heads = ["job", "", *sweep.keys, *sweep.objectives, "folder"]
    return TextTable(heads, rows, texts={*range(len(sweep.keys) + 2), len(heads) - 1})
