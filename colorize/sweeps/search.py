"""A search by Optuna: resumed by the same command, pruned, undisturbed by a trial that fails."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import optuna
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial, TrialState

from colorize.config import DIRECTIONS
from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import compose_job, write_trial
from colorize.sweeps.results import as_list, directions_of, objective_signs, objectives_of
from colorize.sweeps.study import build_sampler, first_overrides, open_study, split_overrides, suggest_overrides
from colorize.utils.console import say
from colorize.utils.errors import TRY_AGAIN, UserError, first_line
from colorize.utils.hydra_overrides import fixed_in_sweep


class Search:
    """The trials of one search, each a job of `launcher`. The settings are those of `OptunaSweeper`.

    Raises `UserError` for settings that cannot be.
    """

    def __init__(self, settings: Mapping[str, Any], context: HydraContext, config: DictConfig, launcher: Launcher):
        self.context, self.config, self.launcher = context, config, launcher
        self.folder = Path(str(config.hydra.sweep.dir))
        self.settings, self.objectives = settings, as_list(settings["objective"])
        directions_of(settings["direction"], self.objectives)
        self.n_trials, self.n_jobs, self.seed = (settings[name] for name in ("n_trials", "n_jobs", "seed"))
        self.sampler, self.pruner, self.params = settings["sampler"], settings["pruner"], settings["params"] or {}
        if isinstance(self.pruner, DictConfig):
            self.pruner = OmegaConf.to_container(self.pruner, resolve=True)
        if len(self.objectives) > 1 and self.pruner:
            raise UserError("a search with several objectives cannot prune: use hydra.sweeper.pruner=null")

    def go(self, arguments: Sequence[str]) -> None:
        words = [f"{key}={value}" for key, value in self.params.items()] + [*arguments]
        parser = OverridesParser.create(config_loader=self.context.config_loader)
        self.fixed, self.space = split_overrides(parser.parse_overrides(words))
        if not self.space:
            raise UserError(
                "nothing is searched: use for example optimizer.lr='tag(log, interval(1e-5, 1e-2))', or "
                "hydra.sweeper.params"
            )
        words_of_first = [*self.fixed, *first_overrides(self.space)]
        first = compose_job(self.context, self.config, 0, words_of_first)  # a missing key is found before any trial
        self.directions = [DIRECTIONS[not more] for more in objective_signs(self.settings, first).values()]
        self.folder.mkdir(parents=True, exist_ok=True)
        space = sorted(fixed_in_sweep(words))
        about = {"objective": self.objectives, "direction": self.directions, "search space": space}
        self.study = open_study(self.folder, self.directions, about)
        if self.study.trials:
            say(f"going on with {str(self.folder)!r}: {count_trials(self.study.trials)}")
        while batch := self.next_batch():
            self.run(batch)
        say(f"{str(self.folder)!r}: {count_trials(self.study.trials)}")
        if all(trial.state == TrialState.FAIL for trial in self.study.trials):
            why = self.study.trials[-1].user_attrs.get("failed", "")
            raise UserError(f"all {len(self.study.trials)} trials failed, the last since {why}")

    def next_batch(self) -> list[optuna.Trial]:
        """Trials that a cut left unfinished, or else new ones; at most `n_jobs`."""
        cut = [each for each in self.study.trials if each.state == TrialState.RUNNING][: self.n_jobs]
        fresh = 0 if cut else min(self.n_jobs, self.n_trials - len(self.study.trials))
        return [self.trial(each) for each in [*cut, *[None] * fresh]]

    def trial(self, cut: FrozenTrial | None) -> optuna.Trial:
        """The trial that was `cut` off, to be continued, or a new one."""
        number = cut.number if cut else len(self.study.trials)
        self.study.sampler = build_sampler(self.sampler, self.seed, number)
        return optuna.trial.Trial(self.study, cut._trial_id) if cut else self.study.ask()

    def run(self, trials: Sequence[optuna.Trial]) -> None:
        """Launch these and report their results to the study."""
        told = {trial.number: [*self.fixed, *suggest_overrides(trial, self.space)] for trial in trials}
        ordered = enumerate(sorted(trials, key=lambda trial: trial.number))
        for _, consecutive in groupby(ordered, lambda each: each[1].number - each[0]):  # as launchers number jobs
            group = [trial for _, trial in consecutive]
            folders = {trial.number: self.compose(trial.number, told[trial.number]) for trial in group}
            before = {number: summary_time(folder) for number, folder in folders.items()}
            for number, folder in folders.items():
                write_trial(folder, number, self.objectives[0], self.pruner)
                say(f"trial {number} of {self.n_trials}: {' '.join(told[number][len(self.fixed) :])}")
            jobs = self.launcher.launch([told[trial.number] for trial in group], initial_job_idx=group[0].number)
            for trial, job in zip(group, jobs, strict=True):
                folder = folders[trial.number]
                self.tell(trial, job, folder, wrote=summary_time(folder) != before[trial.number])

    def tell(self, trial: optuna.Trial, job: JobReturn, folder: Path, *, wrote: bool) -> None:
        summary = RunFolder(folder).read_summary()
        status = summary.get("status")
        if status == "finished":
            try:
                self.study.tell(trial, objectives_of(summary, self.objectives))
            except UserError as error:
                self.failed(trial, str(error))
        elif status == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
        elif status == "interrupted" and wrote:
            raise SystemExit(TRY_AGAIN)  # from outside; the same command goes on
        else:
            self.failed(trial, failure_reason(job))

    def failed(self, trial: optuna.Trial, why: str) -> None:
        trial.set_user_attr("failed", why)
        self.study.tell(trial, state=TrialState.FAIL)
        say(f"trial {trial.number} failed: {why}")

    def compose(self, number: int, words: Sequence[str]) -> Path:
        """The folder of a trial with these overrides."""
        return self.folder / str(compose_job(self.context, self.config, number, words).hydra.sweep.subdir)


def failure_reason(job: JobReturn) -> str:
    try:
        code = job.return_value
    except Exception as error:  # whatever a job died of
        return f"{type(error).__name__}: {first_line(error)}"
    return f"it ended with status {code}; its messages are above or in its launcher's log"


def summary_time(folder: Path) -> float:
    """When a run last wrote its summary."""
    path = RunFolder(folder).summary
    return path.stat().st_mtime_ns if path.exists() else 0


def count_trials(trials: Sequence[FrozenTrial]) -> str:
    words = {"COMPLETE": "finished", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "cut off"}
    by = {word: sum(trial.state.name == state for trial in trials) for state, word in words.items()}
    return f"{len(trials)} trials, " + ", ".join(f"{n} {word}" for word, n in by.items() if n)
