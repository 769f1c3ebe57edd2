"""The side of a job: a run that is a trial of a search says how it does, and is told when it is not worth going on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from colorize.checkpoint import write_text
from colorize.errors import UserError
from colorize.signals import StopSignal
from colorize.terminal import say
from colorize.tracking import Logger

FILE = "trial.json"


def hand_over(folder: Path, number: int, objective: str, pruner: Mapping[str, Any] | None) -> None:
    """Leave word in a job's folder that it is trial `number` of the search one folder up. `pruner` is its config."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"trial": number, "objective": objective, "pruner": pruner})
    write_text(folder / FILE, text)


def open_trial(folder: Path, stop: StopSignal, trust: Sequence[str] = ()) -> Trial | None:
    """The trial that the run in `folder` is, if it is one that may be pruned. Raises `UserError` where it is none."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        number, objective, pruner = told["trial"], told["objective"], told["pruner"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{str(path)!r} is not whole: remove it, and the run is no trial of a search") from error
    if not pruner:
        return None
    if not isinstance(pruner, dict) or not isinstance(number, int) or not isinstance(objective, str):
        raise UserError(f"{str(path)!r} is damaged: remove it, and the run is no trial of a search")
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
