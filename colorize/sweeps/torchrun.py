"""A launcher that starts each job of a sweep under torchrun: one run in several processes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from colorize.errors import TRY_AGAIN
from colorize.ranges import Few
from colorize.runs import RunFolder
from colorize.sweeps.folders import note_end
from colorize.terminal import say


class TorchrunLauncher(Launcher):
    """Jobs one after the other, each of `processes` processes on this machine, as `torchrun` starts them.

    arguments   further words for torchrun, such as --max-restarts=3
    """

    def __init__(self, processes: Few, arguments: Sequence[str] = ()):
        self.processes, self.arguments = processes, list(arguments)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.config = hydra_context, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        return [self.job(initial_job_idx + place, list(words)) for place, words in enumerate(job_overrides)]

    def job(self, number: int, words: list[str]) -> JobReturn:
        cfg = self.context.config_loader.load_sweep_config(self.config, words)
        with open_dict(cfg):
            cfg.hydra.job.num = number
        folder = Path(str(cfg.hydra.sweep.dir)) / str(cfg.hydra.sweep.subdir)
        say(f"#{number}: {' '.join(words)}")
        # a session of its own: Ctrl-C reaches the job once, from here
        process = subprocess.Popen(
            self.command(words, folder), env=environment(), start_new_session=True, preexec_fn=die_with_parent()
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            process.terminate()  # torchrun asks its processes, which save what they have
            process.wait()
            raise
        if code and RunFolder(folder).read_summary().get("status") == "interrupted":
            raise SystemExit(TRY_AGAIN)  # from outside, as in a sweep of one process
        note_end(folder, words, code)
        done = JobReturn(overrides=words, cfg=cfg, working_dir=str(folder))
        done.status, done.return_value = JobStatus.COMPLETED, code
        return done

    def command(self, words: Sequence[str], folder: Path) -> list[str]:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
        own = get_args_parser().parse_args(sys.argv[1:]).config_dir
        where = [f"--config-dir={own}"] if own else []
        return [
            *torchrun, f"--nproc-per-node={self.processes}", *self.arguments, "-m", "colorize", "train", *where, *words,
            f"hydra.run.dir='{folder}'", "hydra.mode=RUN",
        ]  # fmt: skip


def environment() -> dict[str, str]:
    """This program's, with this very package on the path of its children, and cores shared between them."""
    here = str(Path(__file__).resolve().parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *filter(None, [os.environ.get("PYTHONPATH")])])}


def die_with_parent():
    """On Linux, end a job politely when its sweep is killed: the sweep that goes on would find it in the folder."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return lambda: libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
