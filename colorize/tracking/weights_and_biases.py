"""Weights & Biases beside the run folder. What it does when left alone, and each cure, is in docs/tracking.md."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from colorize.errors import UserError
from colorize.terminal import say
from colorize.tracking.logger import Tracker

MODES = ("auto", "online", "offline", "disabled")
UNSENT = "unsent"  # a file in the folder of an online run, until its server has got everything
LATER = "upload it later with `colorize sync {}`"


class WandB(Tracker):
    """Weights & Biases: online when the machine is logged in, offline otherwise; never a prompt, never a long wait.

    mode        auto, online, offline or disabled; the environment's WANDB_MODE wins over auto
    folder      where W&B puts its own folder `wandb/`, one for all runs
    group       runs of one group are shown as one curve: those that differ by their seed
    patience    seconds to wait for the server at the start, and for the last numbers to be sent at the end
    """

    def __init__(
        self, run_id: str, name: str, settings: Mapping[str, Any], *, project: str = "colorize",
        entity: str | None = None, mode: str = "auto", folder: str = "outputs", group: str | None = None,
        job_type: str = "train", tags: Sequence[str] = (), patience: Sequence[float] = (20, 60),
    ):  # fmt: skip
        if mode not in MODES:
            raise UserError(f"tracker.mode is {mode!r}; it must be one of {', '.join(MODES)}")
        import wandb  # takes a second, and not every run is tracked

        self.wandb, self.folder, self.patience = wandb, folder, patience
        home = Path(folder).resolve()  # W&B's own process may have been started in another folder
        home.mkdir(parents=True, exist_ok=True)
        if wandb.run is not None:  # of a job that failed, in this process: while it is open, login() answers False
            wandb.run.finish(exit_code=1)
        arguments: dict[str, Any] = {
            "project": project, "entity": entity, "id": run_id, "name": name, "config": dict(settings), "dir": home,
            "group": group, "job_type": job_type, "tags": list(dict.fromkeys(tags)),
            "resume": "allow", "reinit": "finish_previous",
        }  # fmt: skip
        if os.environ.get("WANDB_SWEEP_ID"):  # W&B's agent has chosen these, and numbers the names itself
            arguments |= dict.fromkeys(("project", "entity", "id", "name"))
        chosen, reason = self._choose(mode)
        run = None
        if chosen == "online":
            try:
                run = wandb.init(mode="online", settings=self._limits(), **arguments)
            except wandb.errors.Error as error:
                wandb.teardown()  # without this the id stays "in use"
                chosen, reason = "offline", f"could not be reached ({str(error).splitlines()[0]}); "
        if run is None:
            run = wandb.init(mode=chosen, settings=self._limits(), **arguments)  # type: ignore[arg-type]
        self.run = run
        self.online = chosen == "online"
        self.said = f"W&B {reason}{self._where(chosen)}" if chosen != "disabled" else ""
        if self.online:
            self.unsent.touch()
        self.run.define_metric("step")
        self.run.define_metric("*", step_metric="step")

    @property
    def unsent(self) -> Path:
        return Path(self.run.settings.sync_dir) / UNSENT

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.run.log({"step": step, **values})

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        pictures = {name: self.wandb.Image(image, caption=f"step {step}") for name, image in named.items()}
        self.run.log({"step": step, **pictures})

    def summary(self, values: Mapping[str, Any]) -> None:
        self.run.summary.update(dict(values))

    def finish(self, exit_code: int = 0) -> None:
        began = time.monotonic()
        self.run.finish(exit_code=exit_code)
        if not self.online:
            return
        if time.monotonic() - began < self.patience[1]:
            self.unsent.unlink(missing_ok=True)
        else:
            say(f"W&B did not take everything within {self.patience[1]:g} s: {LATER.format(self.folder)}")

    def _choose(self, mode: str) -> tuple[str, str]:
        """What to begin with, and what to say of it. Asked for a key that is not there, W&B would wait for ever."""
        word = os.environ.get("WANDB_MODE", "online") if mode == "auto" else mode
        if word != "online" or self.wandb.login(prompt=False, verify=False):
            return word, ""
        return "offline", "is not logged in here; " if mode == "online" else ""

    def _where(self, mode: str) -> str:
        return f"online: {self.run.url}" if mode == "online" else f"offline: {LATER.format(self.folder)}"

    def _limits(self) -> Any:
        start, end = self.patience
        return self.wandb.Settings(init_timeout=start, finish_timeout=end, console="off", silent=True)
