"""What Hydra calls after a job of `-m` and after the last of them, whichever sweeper and launcher there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf


class AfterSweep(Callback):
    """Leaves in a sweep's folder its table, its page and the best job as a recipe.

    compare    also evaluate the best jobs, and put them side by side in compare.html
    protocols  that they are evaluated under; the first is the one that they are compared by
    """

    def __init__(self, compare: bool = True, protocols: Sequence[str] = ("validation", "historical")):
        self.compare, self.protocols = compare, list(protocols)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Keep word of a job that failed: it may have left nothing else."""
        from colorize.sweeps.folders import note_end

        if config.hydra.mode == RunMode.MULTIRUN:
            folder = Path(str(config.hydra.sweep.dir)) / str(config.hydra.sweep.subdir)
            code = job_return.return_value if job_return.status == JobStatus.COMPLETED else None
            words: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)  # a ${…} stays a word
            note_end(folder, words, code)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Raises `SystemExit` where a job failed, so that a script sees it."""
        from colorize.cli import guarded
        from colorize.sweeps.summary import summarise

        protocols = self.protocols if self.compare else []
        if code := guarded(lambda: summarise(Path(str(config.hydra.sweep.dir)), config, protocols)):
            raise SystemExit(code)
