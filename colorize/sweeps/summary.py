"""What a sweep's folder says when its last job is done: sweep.csv, sweep.html, experiment/best.yaml, compare.html."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich.table import Table

from colorize.again import quoted
from colorize.checkpoint import write_text
from colorize.monitor import DIRECTIONS, MODES, better_of, contradicts, sign_of
from colorize.report.sweep import Sweep, rounded, write_sweep
from colorize.runs import RunFolder
from colorize.sweeps.best import write_experiment
from colorize.sweeps.folders import Job, jobs_of
from colorize.sweeps.importance import importances
from colorize.sweeps.outcome import directions_of, listed, number_of, ranked, varying
from colorize.sweeps.torchrun import environment
from colorize.terminal import console, say

COMPARED = 8  # of more jobs, the best


def summarise(folder: Path, config: DictConfig, protocols: Sequence[str]) -> int:
    """Tell how a sweep went; with `protocols`, measure the best jobs under them too, and compare them by the first.

    The exit status: 1 where a job failed, or none began.
    """
    jobs = jobs_of(folder)
    if not jobs:
        say(f"no job of {str(folder)!r} began")
        return 1
    names, maximize = objectives(config, next((job for job in jobs if job.summary), None))
    best = ranked(jobs, names, maximize)
    keys = varying(jobs)
    search = "objective" in config.hydra.sweeper
    shares = importances(jobs, keys, names, maximize, search=search)
    sweep = Sweep(folder.name, jobs, keys, names, best, shares, search)
    write_text(folder / "sweep.csv", comma_separated(sweep))
    write_recipes(folder, sweep)
    write_sweep(folder / "sweep.html", sweep)
    console.print(terminal_table(sweep))
    say(f"the page is {str(folder / 'sweep.html')!r}")
    if protocols and len(best) > 1:
        side_by_side(folder, [job.folder for job in best[:COMPARED]], protocols, config.get("trust") or ())
    return 1 if any(job.status == "failed" for job in jobs) else 0


def objectives(config: DictConfig, job: Job | None) -> tuple[list[str], list[bool]]:
    """What the jobs are ranked by and whether more is better: the search's objectives, else what the job monitors."""
    sweeper, own = config.hydra.sweeper, config
    if job:  # `config` is that of the sweep, which knows nothing of what the jobs were told
        own = RunFolder(job.folder).read_config()
    if "objective" not in sweeper:
        names, said, key, words = [own.checkpoint.monitor], [own.checkpoint.get("mode")], "checkpoint.mode", MODES
        if contradicts(said[0], better_of(own, names[0])):  # jobs of before
            said = [None]
    else:
        names, key, words = listed(sweeper.objective), "hydra.sweeper.direction", DIRECTIONS
        said = directions_of(sweeper.direction, names)
    return names, [sign_of(n, better_of(own, n), d, key, words) > 0 for n, d in zip(names, said, strict=True)]


def write_recipes(folder: Path, sweep: Sweep) -> None:
    """experiment/best.yaml, or with several objectives a file for each job that no other beats in all of them."""
    chosen = {"best": sweep.best[0]} if sweep.best and len(sweep.objectives) == 1 else {}
    if len(sweep.objectives) > 1:
        chosen = {f"best-{job.number:03d}": job for job in sweep.best}
    for name, job in chosen.items():
        values = ", ".join(f"{each} {number_of(job.summary, each):.6g}" for each in sweep.objectives)
        comments = (f"Job {job.number} of {len(sweep.jobs)} of {folder.name}: {values}, seed {job.summary['seed']}.",
                    f"python train.py --config-dir={folder} experiment={name}")  # fmt: skip
        write_experiment(folder / "experiment" / f"{name}.yaml", job, f"{folder.name}-{name}", comments)
        say(f"the recipe of job {job.number} is {str(folder / 'experiment' / f'{name}.yaml')!r}")


def comma_separated(sweep: Sweep) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["number", "status", *sweep.keys, *sweep.objectives, "folder"])
    for job in sweep.jobs:
        numbers = [number_of(job.summary, name) for name in sweep.objectives]
        words = [job.values.get(key, "") for key in sweep.keys]
        writer.writerow([job.number, job.status, *words, *("" if n is None else n for n in numbers), job.folder.name])
    return file.getvalue()


def terminal_table(sweep: Sweep) -> Table:
    table = Table(title=f"{len(sweep.jobs)} jobs, the best first", title_justify="left")
    for name in ("", "status", *sweep.keys, *sweep.objectives):
        table.add_column(name, overflow="fold", justify="right" if name in sweep.objectives else "left")
    for job in [*sweep.best, *(job for job in sweep.jobs if job not in sweep.best)]:
        numbers = [number_of(job.summary, name) for name in sweep.objectives]
        cells = [rounded(job.values.get(key, "")) for key in sweep.keys]
        table.add_row(str(job.number), job.status, *cells, *("–" if n is None else f"{n:.4f}" for n in numbers))
    return table


def side_by_side(folder: Path, jobs: Sequence[Path], protocols: Sequence[str], trust: Sequence[str]) -> None:
    """Evaluate the jobs, each photograph by itself, and compare them. What has been measured is not measured again.

    At their last steps: best.pt was chosen on the photographs that they are compared on. In processes of their own:
    Hydra composes one config at a time.
    """
    runs = ",".join(quoted(job) for job in jobs)
    say(f"{len(jobs)} jobs are evaluated under {' and '.join(protocols)}")
    for name in protocols:
        words = [f"run=[{runs}]", f"protocol={name}", "checkpoint=last", "metrics=default", "table=false"]
        words.append(f"trust=[{','.join(trust)}]")
        if not went_well("evaluate", words, shown=True):
            return
    page = folder / "compare.html"
    if went_well("compare", [*map(str, jobs), "--protocol", protocols[0], "--html", str(page)], shown=False):
        say(f"the comparison is {str(page)!r}")


def went_well(verb: str, words: Sequence[str], *, shown: bool) -> bool:
    program = [sys.executable, "-m", "colorize", verb, *words]
    done = subprocess.run(program, env=environment(), check=False, capture_output=not shown, text=True)
    if done.returncode:
        said = f": {done.stderr.strip()}" if done.stderr else ""
        say(f"the jobs are not compared, colorize {verb} ended with status {done.returncode}{said}")
    return done.returncode == 0
