"""Optuna behind Hydra's sweeper interface. What takes time to import is imported where a search begins."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Len
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from colorize.errors import UserError
from colorize.ranges import Count, Few, Name, Number

Direction = Literal["maximize", "minimize"]


class OptunaSweeper(Sweeper):
    """Searches the values of overrides such as optimizer.lr='tag(log, interval(1e-5, 1e-2))'.

    A trial is a run like any other, in the folder of its number. Its value is that of its last evaluation.

    objective   the number to better, such as val/psnr, or several: the last evaluation's, or seconds, or parameters
    direction   maximize or minimize, one for each objective; null: what each metric says of itself
    n_trials    how many there are in the end, those that failed or were pruned included; more go on from there
    n_jobs      trials at a time, with a launcher that runs jobs beside each other
    seed        of the search; trials have the seed that the config says
    sampler     one of optuna.samplers, as `_target_` and its arguments; the seed is added
    pruner      one of optuna.pruners, asked after each evaluation; null: every trial is run to its end
    params      key -> what to search; the command line adds to it, and wins
    """

    def __init__(
        self, objective: Name | Annotated[Sequence[Name], Len(1)], direction: Direction | Sequence[Direction] | None,
        n_trials: Count, n_jobs: Few, seed: Number, sampler: Mapping[str, Any], pruner: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None,
    ):  # fmt: skip
        self.settings = {
            "objective": objective, "direction": direction, "n_trials": n_trials, "n_jobs": n_jobs, "seed": seed,
            "sampler": sampler, "pruner": pruner, "params": params,
        }  # fmt: skip

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config
        folder = Path(str(config.hydra.sweep.dir))
        with open_dict(config):  # whatever launcher composes a job's config, its folder is below this one
            config.hydra.sweep.dir = str(folder)
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{folder}'")
        self.launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Raises `SystemExit` where it ends before the last trial."""
        from colorize.cli import guarded

        if code := guarded(lambda: self.search(arguments)):
            raise SystemExit(code)

    def search(self, arguments: Sequence[str]) -> int:
        if importlib.util.find_spec("optuna") is None:
            raise UserError("a search needs the package optuna: pip install 'colorize[sweep]'")
        from colorize.sweeps.search import Search

        assert self.config is not None
        Search(self.settings, self.context, self.config, self.launcher).go(arguments)
        return 0
