"""What Hydra calls after the last job of `-m`, whichever sweeper and launcher there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class AfterSweep(Callback):
    """Leaves in a sweep's folder its table, its page and the best job as a recipe.

    compare  also evaluate the best jobs on what they validated on, and put them side by side in compare.html
    """

    def __init__(self, compare: bool = True):
        self.compare = compare

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Raises `SystemExit` where a job failed, so that a script sees it."""
        from colorize.cli import guarded
        from colorize.sweeps.summary import summarise

        if code := guarded(lambda: summarise(Path(str(config.hydra.sweep.dir)), config, compare=self.compare)):
            raise SystemExit(code)
