"""The jobs of a sweep as they lie in its folder, and a job as a trial of a search."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from colorize.run_folder import RunFolder
from colorize.tracking.logger import Logger
from colorize.utils.console import say
from colorize.utils.errors import UserError
from colorize.utils.files import read_json, write_text
from colorize.utils.hydra_overrides import saved_overrides
from colorize.utils.processes import StopSignal

NUMBERED = re.compile(r"(\d+)-[0-9a-f]{8}")  # as `naming.job_folder` has it
FAILED = "failed.json"  # in the folder of a job that failed: what it was told, and how it ended


@dataclass
class SweepJob:
    """A job that began: what it was told and, once it ended, what became of it."""

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
    found: dict[int, SweepJob] = {}
    places = [path for path in Path(folder).glob("*/") if NUMBERED.fullmatch(path.name) and start_marks(path)]
    for path in sorted(places, key=lambda path: max(sign.stat().st_mtime for sign in start_marks(path))):
        number = int(NUMBERED.fullmatch(path.name)[1])  # type: ignore[index]
        found[number] = job_of(number, path)
    return [found[number] for number in sorted(found)]


def job_of(number: int, folder: Path) -> SweepJob:
    """One whose files are damaged has failed: what the others came to is told all the same."""
    try:
        job = SweepJob(number, folder, overrides_of(folder), RunFolder(folder).read_summary())
    except UserError as error:
        say(f"job {number} counts as failed: {error}")
        return SweepJob(number, folder, failed=True)
    job.failed = (folder / FAILED).is_file()
    return job


def start_marks(folder: Path) -> list[Path]:
    """What shows that a job began in this folder."""
    return [path for path in (folder / ".hydra", folder / FAILED) if path.exists()]


def overrides_of(folder: Path) -> list[str]:
    if (folder / ".hydra" / "overrides.yaml").is_file():
        return saved_overrides(folder)
    return read_json(folder / FAILED, "remove it").get("overrides", [])


def record_failure(folder: Path, overrides: Sequence[str], code: int | None) -> None:
    """Leave word of a job that did not end well: its exit status, None after an error of the program's own. One that
    did takes the word back."""
    if code == 0:
        (folder / FAILED).unlink(missing_ok=True)
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"overrides": list(overrides), "code": code})
    write_text(folder / FAILED, text)


FILE = "trial.json"


def write_trial(folder: Path, number: int, objective: str, pruner: Mapping[str, Any] | None) -> None:
    """Leave word in a job's folder that it is trial `number` of the search one folder up. `pruner` is its config."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"trial": number, "objective": objective, "pruner": pruner})
    write_text(folder / FILE, text)


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
    from colorize.sweeps.study import load_study, pruner_of  # optuna takes half a second, and few runs are trials

    try:
        study = load_study(folder.resolve().parent, pruner_of(pruner, trust, repr(str(path))))
        return Trial(study, number, objective, stop)
    except (KeyError, IndexError) as error:
        raise UserError(
            f"{str(path)!r} says that the run is trial {number} of a search in the folder above, and there is none: "
            "remove that file, and the run is no trial"
        ) from error


class Trial(Logger):
    """Reports the objective after each evaluation, and stops the run where the search's pruner has seen enough."""

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
