"""The jobs of a sweep as they lie in its folder, and a job as a trial of a search."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from colorize.run_folder import RunFolder
from colorize.tracking.logger import Logger
from colorize.utils.console import say
from colorize.utils.errors import UserError
from colorize.utils.files import read_json, write_text
from colorize.utils.hydra_overrides import saved_overrides
from colorize.utils.processes import StopSignal

NUMBERED = re.compile(r"(\d+)-[0-9a-f]{8}")  # as `naming.job_folder` has it
FAILED = "failed.json"  # in the folder of a job that failed: its overrides and exit status


@dataclass
class SweepJob:
    """A job that began: its overrides and, once it ended, its summary."""

    number: int
    folder: Path
    overrides: list[str] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    failed: bool = False

    @property
    def status(self) -> str:
        """finished, pruned, interrupted or failed; unfinished while nothing is known."""
        return "failed" if self.failed else self.summary.get("status", "unfinished")

    @property
    def values(self) -> dict[str, str]:
        """Key of an override -> its value as it was written."""
        return dict(word.split("=", 1) for word in self.overrides if "=" in word)


def jobs_of(folder: str | Path) -> list[SweepJob]:
    """The jobs in a sweep's folder, by their numbers; of two with one number, the one that was begun last."""
    found: dict[int, tuple[float, Path]] = {}
    for path in Path(folder).glob("*/"):
        began = [mark.stat().st_mtime for mark in (path / ".hydra", path / FAILED) if mark.exists()]
        if began and (numbered := NUMBERED.fullmatch(path.name)):
            number = int(numbered[1])
            found[number] = max(found.get(number, (0.0, path)), (max(began), path))
    return [job_of(number, path) for number, (_, path) in sorted(found.items())]


def job_of(number: int, folder: Path) -> SweepJob:
    """The job in `folder`. One whose files are damaged counts as failed, so that the others can be reported."""
    try:
        failure = read_json(folder / FAILED, "remove it")
        begun = (folder / ".hydra" / "overrides.yaml").is_file()
        overrides = saved_overrides(folder) if begun else failure.get("overrides", [])
        return SweepJob(number, folder, overrides, RunFolder(folder).read_summary(), failed=bool(failure))
    except UserError as error:
        say(f"job {number} counts as failed: {error}")
        return SweepJob(number, folder, failed=True)


def compose_job(context: HydraContext, config: DictConfig, number: int, overrides: Sequence[str]) -> DictConfig:
    """The config of job `number` with these overrides. Hydra refuses one that cannot be."""
    cfg = context.config_loader.load_sweep_config(config, list(overrides))
    with open_dict(cfg):
        cfg.hydra.job.num = number
    return cfg


def record_failure(folder: Path, overrides: Sequence[str], code: int | None) -> None:
    """Record in a job's folder that it failed, with its exit status (None after an exception). After status 0, an
    earlier record is removed."""
    if code == 0:
        (folder / FAILED).unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FAILED, json.dumps({"overrides": list(overrides), "code": code}))


FILE = "trial.json"


def write_trial(folder: Path, number: int, objective: str, pruner: Mapping[str, Any] | None) -> None:
    """Record in a job's folder that it is trial `number` of the search one folder up. `pruner` is its config."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / FILE, json.dumps({"trial": number, "objective": objective, "pruner": pruner}))


def load_trial(folder: Path, stop: StopSignal, trust: Sequence[str] = ()) -> Trial | None:
    """The trial that the run in `folder` is, if it is one that may be pruned. Raises `UserError` where it is none."""
    path = folder / FILE
    if not path.is_file():
        return None
    held = read_json(path, cure := "remove it, and the run is no trial of a search")
    number, objective, pruner = (held.get(name) for name in ("trial", "objective", "pruner"))
    if "pruner" in held and not pruner:
        return None
    if not isinstance(pruner, dict) or not isinstance(number, int) or not isinstance(objective, str):
        raise UserError(f"{str(path)!r} is damaged: {cure}")
    from colorize.sweeps.study import build_pruner, load_study  # optuna takes half a second, and few runs are trials

    try:
        study = load_study(folder.resolve().parent, build_pruner(pruner, trust, repr(str(path))))
        return Trial(study, number, objective, stop)
    except (KeyError, IndexError) as error:
        raise UserError(
            f"{str(path)!r} says that the run is trial {number} of a search in the folder above, and there is none: "
            "remove that file, and the run is no trial"
        ) from error


class Trial(Logger):
    """Reports the objective after each evaluation, and stops the run when the search's pruner decides so."""

    def __init__(self, study: Any, number: int, objective: str, stop: StopSignal):
        import optuna

        found = study.get_trials(deepcopy=False)[number]
        self.trial = optuna.trial.Trial(study, found._trial_id)
        self.reported, self.objective, self.stop = set(found.intermediate_values), objective, stop
        self.pruned = False

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        value = values.get(self.objective)
        if value is None or not step:
            return
        if step not in self.reported and isfinite(value):
            self.trial.report(value, step)
            self.reported.add(step)
        if not self.pruned and self.trial.should_prune():
            self.pruned = True
            self.stop.end()
            say(f"pruned at step {step}: {self.objective} is {value:.4g}, and other trials were better by then")
