"""The page of a sweep: its jobs, and what each parameter did to the objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from math import log10
from pathlib import Path

from colorize.reports.charts import COLOURS, axis
from colorize.reports.page import MORE_STYLE, STYLE
from colorize.reports.run_data import curves_of
from colorize.sweeps.jobs import Job
from colorize.sweeps.results import number_of, why_not
from colorize.utils.files import write_whole

HERE = Path(__file__).parent
STYLES = (STYLE, MORE_STYLE, HERE / "comparison.css", HERE / "sweep.css")


@dataclass(frozen=True)
class Sweep:
    """The jobs of a sweep and what is told of them.

    keys         of the overrides that differ between the jobs
    best         finished jobs, the best first; of several objectives, those that no other beats in all of them
    importances  objective -> key -> share
    search       whether values were searched for, or each combination of a grid was trained
    """

    name: str
    jobs: Sequence[Job]
    keys: Sequence[str]
    objectives: Sequence[str]
    best: Sequence[Job]
    importances: Mapping[str, Mapping[str, float]]
    search: bool = False


def write_sweep(target: Path, sweep: Sweep) -> None:
    """One file that needs no other. Words are text, whatever they hold."""
    style = "".join(path.read_text(encoding="utf-8") for path in STYLES)
    charts = "".join(effects(sweep, name) + progress(sweep, name) for name in sweep.objectives)
    body = "".join([header(sweep), weights(sweep), charts, table(sweep)])
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(sweep.name)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )
    write_whole(target, lambda part: part.write_bytes(text.encode("utf-8", errors="replace")))


def header(sweep: Sweep) -> str:
    today = datetime.now()
    by = {
        status: sum(job.status == status for job in sweep.jobs)
        for status in dict.fromkeys(j.status for j in sweep.jobs)
    }
    counts = ", ".join(f"{count} {status}" for status, count in by.items())
    verdict = "No job finished."
    if sweep.best and len(sweep.objectives) == 1:
        best = sweep.best[0]
        told = ", ".join(f"{key}={rounded(best.values.get(key, ''))}" for key in sweep.keys)
        value = number_of(best.summary, sweep.objectives[0])
        verdict = (
            f"Job <strong>{best.number}</strong> is best: {escape(sweep.objectives[0])} {value:.4g}, {escape(told)}."
        )
    elif sweep.best:
        jobs = ", ".join(str(job.number) for job in sweep.best)
        verdict = (
            f"No other job beats these in all of {escape(' and '.join(sweep.objectives))}: <strong>{jobs}</strong>."
        )
    return (
        f'<header><p class="quiet">colorize · {today.day} {today:%B %Y} · {len(sweep.jobs)} jobs: {counts}</p>'
        f'<h1>{escape(sweep.name)}</h1><p class="verdict">{verdict} '
        f"{seeds(sweep)}: what is close may be chance.</p></header>"
    )


def seeds(sweep: Sweep) -> str:
    count = len({job.values["seed"] for job in sweep.jobs if "seed" in job.values})
    return f"{count} seeds" if count > 1 else "One seed each"


def weights(sweep: Sweep) -> str:
    body = ""
    for name, shares in sweep.importances.items():
        rows = "".join(
            f'<div class="run"><span title="{escape(key)}">{escape(key)}</span><div class="lane">'
            f'<u style="width:{100 * share:.1f}%"></u></div><span class="number">{100 * share:.0f} %</span></div>'
            for key, share in sorted(shares.items(), key=lambda each: -each[1])
        )
        body += f'<div class="forest"><h3>{escape(name)}</h3>{rows}</div>'
    if not body:
        reasons = {why_not(sweep.jobs, sweep.keys, name, search=sweep.search) for name in sweep.objectives} - {""}
        return "".join(f"<section><h2>What mattered</h2><p>{escape(reason)}</p></section>" for reason in reasons)
    share = (
        "what sets the best tenth of the finished jobs apart (PED-ANOVA)"
        if sweep.search
        else "the variance between the finished jobs (analysis of variance)"
    )
    return (
        f"<section><h2>What mattered</h2><p>Share of each value in {share}.</p>"
        f'<div class="forests weights">{body}</div></section>'
    )


def effects(sweep: Sweep, name: str) -> str:
    """A chart for each key: every finished job is a point at its value."""
    done = [(job, number_of(job.summary, name)) for job in sweep.jobs if job.status == "finished"]
    points = [(job, value) for job, value in done if value is not None]
    if not points or not sweep.keys:
        return ""
    charts = "".join(effect(key, points, sweep.best[:1]) for key in sweep.keys)
    return (
        f"<section><h2>{escape(name)} by value</h2><p>Each point is a job that finished; the best is red.</p>"
        f'<div class="plots">{charts}</div></section>'
    )


def progress(sweep: Sweep, name: str) -> str:
    """A line for each job, over its steps. The first evaluation, of a network that knows nothing yet, is left out."""
    curves = [(job, curves_of(job.folder / "metrics.jsonl").get(name, [])[1:]) for job in sweep.jobs]
    curves = [(job, points) for job, points in curves if points]
    if not curves:
        return ""
    shown = [points for job, points in curves if job.status == "finished"] or [points for _, points in curves]
    last, values = max(points[-1][0] for _, points in curves), [value for points in shown for _, value in points]
    low, high = min(values), max(values)  # what was pruned far outside would flatten the others

    def clipped(value: float) -> float:
        return min(max(value, low), high)

    lines = ""
    for job, points in sorted(curves, key=lambda each: each[0] in sweep.best[:1]):  # the best lies on top
        kind = "best" if job in sweep.best[:1] else job.status
        drawn = [*points, points[-1]]  # a line of one point is not drawn, of the same twice it is a dot
        places = " ".join(f"{step},{97 - 94 * (clipped(value) - low) / (high - low or 1):.2f}" for step, value in drawn)
        lines += f'<polyline class="line {kind}" points="{places}"><title>job {job.number}</title></polyline>'
    return (
        f"<section><h2>{escape(name)} while training</h2><p>Each line is a job; the best is red, pruned ones are pale."
        f'</p><p class="legend">{low:.4g} to {high:.4g}</p><svg class="bars" viewBox="0 0 {last} 100" '
        f'preserveAspectRatio="none">{lines}</svg>{axis([(0.0, "0"), (0.5, str(last // 2)), (1.0, f"{last} steps")])}'
        "</section>"
    )


def effect(key: str, points: Sequence[tuple[Job, float]], best: Sequence[Job]) -> str:
    low, high = min(v for _, v in points), max(v for _, v in points)
    places, ticks = positions([job.values.get(key, "") for job, _ in points])
    dots = ""
    for (job, value), place in zip(points, places, strict=True):
        top = 94 - 88 * (value - low) / (high - low or 1)
        own = f"background:{COLOURS[1]};z-index:1" if job in best else f"background:{COLOURS[0]}"
        dots += (
            f'<b style="left:{100 * place:.1f}%;top:{top:.1f}%;{own}" '
            f'title="job {job.number}: {escape(rounded(job.values.get(key, "")))}, {value:.5g}"></b>'
        )
    return (
        f'<div><h3>{escape(key)}</h3><p class="legend">{low:.4g} to {high:.4g}</p>'
        f'<div class="plane">{dots}</div>{axis(ticks)}</div>'
    )


def positions(words: Sequence[str]) -> tuple[list[float], list[tuple[float, str]]]:
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


def rounded(value: str) -> str:
    """A value as a person would write it."""
    try:
        return f"{float(value):.4g}"
    except ValueError:
        return value


def table(sweep: Sweep) -> str:
    rest = [job for job in sweep.jobs if job not in sweep.best]
    head = "".join(f"<th>{escape(word)}</th>" for word in ("job", "", *sweep.keys, *sweep.objectives, "folder"))
    body = ""
    for job in [*sweep.best, *rest]:
        numbers = [number_of(job.summary, name) for name in sweep.objectives]
        cells = "".join(f"<td>{escape(rounded(job.values.get(key, '')))}</td>" for key in sweep.keys)
        cells += "".join(f'<td class="number">{"–" if n is None else f"{n:.5g}"}</td>' for n in numbers)
        body += f"<tr><td>{job.number}</td><td>{escape(job.status)}</td>{cells}<td>{escape(job.folder.name)}</td></tr>"
    return (
        f'<section><h2>All jobs</h2><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )
