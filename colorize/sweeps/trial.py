"""The side of a job: a run that is a trial of a search says how it does, and is told when it is not worth going on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

from colorize.checkpoint import write_text
from colorize.signals import StopSignal
from colorize.terminal import say
from colorize.tracking import Logger

FILE = "trial.json"


def hand_over(folder: Path, number: int, objective: str, pruner: Mapping[str, Any] | None) -> None:
    """Leave word in a job's folder that it is trial `number` of the search one folder up. `pruner` is its config."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"trial": number, "objective": objective, "pruner": pruner})
    write_text(folder / FILE, text)


def open_trial(folder: Path, stop: StopSignal) -> Trial | None:
    """The trial that the run in `folder` is, if it is one that may be pruned."""
    if not (folder / FILE).is_file():
        return None
    told = json.loads((folder / FILE).read_text())
    return Trial(folder.resolve().parent, told, stop) if told["pruner"] else None


class Trial(Logger):
    """Reports the objective after each evaluation, and stops the run where the search's pruner has seen enough."""

    def __init__(self, folder: Path, told: Mapping[str, Any], stop: StopSignal):
        import optuna  # half a second, and few runs are trials
        from hydra.utils import instantiate

        from colorize.sweeps.study import load_study

        study = load_study(folder, instantiate(told["pruner"]))
        found = study.get_trials(deepcopy=False)[told["trial"]]
        self.trial = optuna.trial.Trial(study, found._trial_id)
        self.reported, self.objective, self.stop = set(found.intermediate_values), told["objective"], stop
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
