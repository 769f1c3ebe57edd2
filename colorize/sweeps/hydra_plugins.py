"""Hydra plugins: the Optuna sweeper, and the launcher that starts jobs under torchrun."""

import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Len
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.plugins.plugin import Plugin
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from colorize.run_folder import RunFolder
from colorize.sweeps.jobs import compose_job, record_failure
from colorize.utils.console import say
from colorize.utils.errors import TRY_AGAIN, UserError, guarded
from colorize.utils.validation import Count, Few, Name, Number

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
        if code := guarded(lambda: self.search(arguments)):
            raise SystemExit(code)

    def search(self, arguments: Sequence[str]) -> int:
        if importlib.util.find_spec("optuna") is None:
            raise UserError("a search needs the package optuna: pip install optuna")
        from colorize.sweeps.search import Search

        assert self.config is not None
        Search(self.settings, self.context, self.config, self.launcher).go(arguments)
        return 0


class TorchrunLauncher(Launcher):
    """Jobs one after the other, each of `processes` processes on this machine, as `torchrun` starts them.

    arguments   further words for torchrun, such as --max-restarts=3
    """

    def __init__(self, processes: Few, arguments: Sequence[str] = ()):
        self.processes, self.arguments = processes, list(arguments)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return [self.job(number, list(words)) for number, words in enumerate(job_overrides, initial_job_idx)]

    def job(self, number: int, words: list[str]) -> JobReturn:
        cfg = compose_job(self.context, self.config, number, words)
        folder = Path(str(cfg.hydra.sweep.dir)) / str(cfg.hydra.sweep.subdir)
        say(f"#{number}: {' '.join(words)}")
        # a session of its own: Ctrl-C reaches the job once, from here
        process = subprocess.Popen(
            self.command(words, folder), env=job_environment(), start_new_session=True, preexec_fn=die_with_parent()
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()  # torchrun asks its processes, which save what they have
            process.wait()
            raise
        if code and RunFolder(folder).read_summary().get("status") == "interrupted":
            raise SystemExit(TRY_AGAIN)  # from outside, as in a sweep of one process
        record_failure(folder, words, code)
        done = JobReturn(overrides=words, cfg=cfg, working_dir=str(folder))
        done.status, done.return_value = JobStatus.COMPLETED, code
        return done

    def command(self, words: Sequence[str], folder: Path) -> list[str]:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        sources = self.config.hydra.runtime.config_sources
        where = [f"--config-dir={source.path}" for source in sources if source.provider == "command-line"]
        return [
            *torchrun, f"--nproc-per-node={self.processes}", *self.arguments, "-m", "colorize", "train", *where, *words,
            f"hydra.run.dir='{folder}'", "hydra.mode=RUN",
        ]  # fmt: skip


def job_environment() -> dict[str, str]:
    """This program's, with this very package on the path of its children, and cores shared between them."""
    here = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])}


def die_with_parent():
    """On Linux, end a job politely when its sweep is killed: the sweep that goes on would find it in the folder."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


PLUGINS: dict[str, type[Plugin]] = {
    f"hydra_plugins.colorize.{kind.__name__}": kind for kind in (OptunaSweeper, TorchrunLauncher)
}


def register_plugins() -> None:
    """Hydra takes plugins from below `hydra_plugins` alone, and looks for them there in folders that an editable
    install does not have: so they are handed over."""
    plugins = Plugins.instance()
    for target, kind in PLUGINS.items():
        plugins.register(kind)
        plugins.class_name_to_class[target] = kind
