"""After a sweep: its table, its page, the best job as a recipe, and their comparison."""

import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.table import Table

from colorize.cli.composition import group_options
from colorize.reports.sweep_page import Sweep, rounded, write_sweep
from colorize.run_folder import RunFolder
from colorize.sweeps.hydra_plugins import PLUGINS, job_environment
from colorize.sweeps.jobs import SweepJob, jobs_of, record_failure
from colorize.sweeps.results import (
    importances,
    monitors_of,
    number_of,
    objective_signs,
    rank_jobs,
    seed_groups,
    varying_keys,
)
from colorize.utils.console import console, say
from colorize.utils.errors import UserError, guarded
from colorize.utils.files import write_text
from colorize.utils.hydra_overrides import parse_override, quoted
from colorize.utils.validation import as_override, check_value, hints_of

NODES = ("hydra.sweeper", "hydra.launcher", "hydra.callbacks.after_sweep")


def check_plugins(cfg: DictConfig) -> None:
    """Raises `UserError` for an argument of our plugins in Hydra's own config that their constructors do not take.
    Hydra hands values over as they are written: yes does not become true there."""
    targets: dict[str, type] = {**PLUGINS, "colorize.cli.after_sweep.AfterSweep": AfterSweep}
    for path in NODES:
        node = OmegaConf.select(cfg, path, default=OmegaConf.create())
        if not isinstance(node, DictConfig):
            raise UserError(f"{path} is {as_override(node)}; it must be a part with a _target_")
        given: Any = OmegaConf.to_container(node, resolve=False)
        hints = hints_of(targets[given["_target_"]]) if given.get("_target_") in targets else {}
        plain = [name for name, value in given.items() if not (isinstance(value, dict) and "_target_" in value)]
        for name in (name for name in plain if name in hints):
            said, found = as_override(given[name]), as_override(check_value(hints[name], given[name], f"{path}.{name}"))
            if found != said:
                raise UserError(f"{path}.{name} is {said}; use {found}")


OF_THE_SWEEP = ("hparams_search", "hydra", "name", "tracker", "overwrite", "resume", "trust")  # not of the network


def write_experiment(target: Path, job: SweepJob, name: str, comments: Sequence[str]) -> None:
    """Write the job's overrides as a recipe: `python train.py --config-dir=… experiment=…` trains the same again.

    name  of the runs that it will begin
    """
    defaults: list[Any] = []
    values = OmegaConf.create({"name": f"${{seeded:{name},${{seed}}}}"})
    not_in_a_file = []
    for word in job.overrides:
        override = OverridesParser.create().parse_override(word)
        key = override.key_or_group
        if key.split("/")[0].split(".")[0] in OF_THE_SWEEP:
            continue
        if override.is_delete():
            not_in_a_file.append(f"the job also had {word}, which a file cannot express")
        elif key == "experiment":
            defaults.insert(0, override.value())
        elif group_options(key):
            defaults.append({f"override /{key}": override.value()})
        else:
            OmegaConf.update(values, key, override.value(), force_add=True)
    head = "".join(f"# {line}\n" for line in [*comments, *not_in_a_file])
    chosen = OmegaConf.to_yaml(OmegaConf.create({"defaults": defaults})) + "\n" if defaults else ""
    text = f"# @package _global_\n{head}{chosen}{OmegaConf.to_yaml(values)}"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_text(target, text)


COMPARED = 8  # of more recipes, the best; each with all its seeds


def summarise_sweep(folder: Path, config: DictConfig, protocols: Sequence[str]) -> int:
    """Tell how a sweep went; with `protocols`, measure the best jobs under them too, and compare them by the first.

    The exit status: 1 where a job failed, or none began.
    """
    jobs = jobs_of(folder)
    if not jobs:
        say(f"no job of {str(folder)!r} began")
        return 1
    # `config` is that of the sweep, which has not the overrides of its jobs
    own = next((RunFolder(job.folder).read_config() for job in jobs if job.summary), config)
    signs = objective_signs(config.hydra.sweeper, own)
    names, maximize = list(signs), list(signs.values())
    best, monitors = rank_jobs(jobs, names, maximize), monitors_of(jobs)
    search = "objective" in config.hydra.sweeper
    if len(monitors) > 1 and not search:
        say(f"the jobs are not ranked: their best checkpoints are chosen by {' and by '.join(monitors)}")
        best = [job for job in jobs if job.status == "finished"]
    words = OmegaConf.select(config, "hydra.overrides.task") or []
    keys = varying_keys(jobs, [each.key_or_group for each in map(parse_override, words) if each.is_sweep_override()])
    shares = importances(jobs, keys, names, maximize, search=search)
    sweep = Sweep(folder.name, jobs, keys, names, best, shares, search)
    write_text(folder / "sweep.csv", sweep_csv(sweep))
    if search or len(monitors) == 1:
        write_recipes(folder, sweep)
    write_sweep(folder / "sweep.html", sweep)
    console.print(sweep_table(sweep))
    say(f"the page is {str(folder / 'sweep.html')!r}")
    if protocols and len(best) > 1:
        compare_jobs(folder, seed_groups(best)[:COMPARED], protocols, config.get("trust") or ())
    return 1 if any(job.status == "failed" for job in jobs) else 0


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


def sweep_csv(sweep: Sweep) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["number", "status", *sweep.keys, *sweep.objectives, "folder"])
    for job in sweep.jobs:
        numbers = [number_of(job.summary, name) for name in sweep.objectives]
        words = [job.values.get(key, "") for key in sweep.keys]
        writer.writerow([job.number, job.status, *words, *("" if n is None else n for n in numbers), job.folder.name])
    return file.getvalue()


def sweep_table(sweep: Sweep) -> Table:
    table = Table(title=f"{len(sweep.jobs)} jobs, the best first", title_justify="left")
    for name in ("", "status", *sweep.keys, *sweep.objectives):
        table.add_column(name, overflow="fold", justify="right" if name in sweep.objectives else "left")
    for job in [*sweep.best, *(job for job in sweep.jobs if job not in sweep.best)]:
        numbers = [number_of(job.summary, name) for name in sweep.objectives]
        cells = [rounded(job.values.get(key, "")) for key in sweep.keys]
        table.add_row(str(job.number), job.status, *cells, *("–" if n is None else f"{n:.4f}" for n in numbers))
    return table


def compare_jobs(
    folder: Path, groups: Sequence[Sequence[SweepJob]], protocols: Sequence[str], trust: Sequence[str]
) -> None:
    """Evaluate the jobs, each photograph by itself, and compare them, the seeds of a group pooled. What has been
    measured is not measured again.

    At their last steps: best.pt was chosen on the photographs that they are compared on. In processes of their own:
    Hydra composes one config at a time. Jobs of several sizes are evaluated at the smallest of them.
    """
    jobs = [job.folder for group in groups for job in group]
    sizes = {int(RunFolder(job).read_config().data.size) for job in jobs}
    at_one_size = [f"protocol.size={min(sizes)}"] if len(sizes) > 1 else []
    names = [f"{name}-{min(sizes)}" if at_one_size and name == "validation" else name for name in protocols]
    runs = ",".join(quoted(job) for job in jobs)
    say(f"{len(jobs)} jobs are evaluated under {' and '.join(names)}")
    for protocol, name in zip(protocols, names, strict=True):
        words = [f"run=[{runs}]", f"protocol={protocol}", "checkpoint=last", "metrics=default", "table=false"]
        words += [f"trust=[{','.join(trust)}]", f"name={name}", *(at_one_size if name != protocol else [])]
        if not run_verb("evaluate", words, shown=True):
            return
    page = folder / "compare.html"
    words = [*map(str, jobs), "--protocol", names[0], "--html", str(page)]
    pooled = ["--pool"] if any(len(group) > 1 for group in groups) else []
    if run_verb("compare", [*words, *pooled], shown=False):
        say(f"the comparison is {str(page)!r}")


def run_verb(verb: str, words: Sequence[str], *, shown: bool) -> bool:
    program = [sys.executable, "-m", "colorize", verb, *words]
    done = subprocess.run(program, env=job_environment(), check=False, capture_output=not shown, text=True)
    if done.returncode:
        reason = f": {done.stderr.strip()}" if done.stderr else ""
        say(f"the jobs are not compared, colorize {verb} ended with status {done.returncode}{reason}")
    return done.returncode == 0


class AfterSweep(Callback):
    """Leaves in a sweep's folder its table, its page and the best job as a recipe.

    compare    also evaluate the best jobs, and put them side by side in compare.html
    protocols  that they are evaluated under; the first is the one that they are compared by
    """

    def __init__(self, compare: bool = True, protocols: Sequence[str] = ("validation", "historical")):
        self.compare, self.protocols = compare, list(protocols)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Note how a job ended: one that failed may have left nothing else."""
        if config.hydra.mode == RunMode.MULTIRUN:
            folder = Path(str(config.hydra.sweep.dir)) / str(config.hydra.sweep.subdir)
            code = job_return.return_value if job_return.status == JobStatus.COMPLETED else None
            words: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # a ${…} stays a word
            record_failure(folder, words, code)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Raises `SystemExit` where a job failed, so that a script sees it."""
        protocols = self.protocols if self.compare else []
        if code := guarded(lambda: summarise_sweep(Path(str(config.hydra.sweep.dir)), config, protocols)):
            raise SystemExit(code)
