"""Weights & Biases beside the run folder. What it does when left alone, and each cure, is in docs/tracking.md."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Len
from PIL import Image

from colorize.errors import UserError
from colorize.ranges import Name, NonNegative
from colorize.terminal import say
from colorize.tracking.logger import Tracker
from colorize.tracking.wandb_folders import give_up, keep, read_standing, stay_inside, write_standing

MODES = ("auto", "online", "offline", "disabled")
UNSENT = "unsent"  # a file in the folder of an online run, until its server has got everything
LATER = "upload it later with `colorize sync {}`"


class WandB(Tracker):
    """Weights & Biases: online when the machine is logged in, offline otherwise; never a prompt, never a long wait.

    mode        auto, online, offline or disabled; the environment's WANDB_MODE wins over auto
    folder      where W&B puts its own folder `wandb/`, one for all runs
    group       runs of one group are shown as one curve: those that differ by their seed
    artifacts   whether the checkpoints that a run leaves go to W&B too, as versions of one artifact
    patience    seconds to wait for the server at the start, and for the last numbers to be sent at the end
    """

    def __init__(
        self, run_id: str, name: str, settings: Mapping[str, Any], *, project: str = "colorize",
        entity: Name | None = None, mode: Literal["auto", "online", "offline", "disabled"] = "auto",
        folder: Name = "outputs", group: Name | None = None,
        job_type: str = "train", tags: Sequence[str] = (), artifacts: bool = True,
        patience: Annotated[Sequence[NonNegative], Len(2, 2)] = (20, 60),
    ):  # fmt: skip
        if mode not in MODES:
            raise UserError(f"tracker.mode is {mode!r}; it must be one of {', '.join(MODES)}")
        import wandb  # takes a second, and not every run is tracked

        self.wandb, self.folder, self.artifacts, self.patience = wandb, folder, artifacts, patience
        home = Path(folder).resolve()  # W&B's own process may have been started in another folder
        home.mkdir(parents=True, exist_ok=True)
        stay_inside(home)
        if wandb.run is not None:  # of a job that failed, in this process: while it is open, login() answers False
            wandb.run.finish(exit_code=1)
        self.arguments: dict[str, Any] = {
            "project": project, "entity": entity, "id": run_id, "name": name, "config": dict(settings), "dir": home,
            "group": group, "job_type": job_type, "tags": list(dict.fromkeys(tags)),
            "resume": "allow", "reinit": "finish_previous",
        }  # fmt: skip
        if os.environ.get("WANDB_SWEEP_ID"):  # W&B's agent has chosen these, and numbers the names itself
            self.arguments |= dict.fromkeys(("project", "entity", "id", "name"))
        chosen, reason = self._choose(mode)
        run = None
        if chosen == "online":
            try:
                run = self._open("online")
            except wandb.errors.Error as error:
                wandb.teardown()  # without this the id stays "in use"
                chosen, reason = "offline", f"cannot be online ({why(error)}); "
        self.run = run or self._open(chosen)
        self.online = chosen == "online"
        self.said = f"W&B {reason}{self._where(chosen)}" if chosen != "disabled" else ""
        if self.online:
            self.unsent.touch()
        self.left: list[tuple[Path, list[str], dict[str, Any]]] = []  # checkpoints that a lost network kept back

    @property
    def place(self) -> Path:
        """The folder of this part of the run."""
        return Path(self.run.settings.sync_dir)

    @property
    def unsent(self) -> Path:
        return self.place / UNSENT

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.standing |= {"step": step, **values}
        self.run.log({"step": step, **values})

    def images(self, named: Mapping[str, Image.Image], step: int) -> None:
        pictures = {}
        for name, image in named.items():
            caption = ": ".join(filter(None, (f"step {step}", image.info.get("caption"))))
            pictures[name] = self.wandb.Image(image.info.get("file", image), caption=caption)
        self.run.log({"step": step, **pictures})

    def summary(self, values: Mapping[str, Any]) -> None:
        self.standing |= values
        self.run.summary.update(dict(values))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Into the summary: a line of the history would be one more of the training's steps."""
        cells = [[self.wandb.Image(str(cell)) if isinstance(cell, Path) else cell for cell in row] for row in rows]
        self.run.summary.update({name: self.wandb.Table(columns=list(columns), data=cells)})

    def checkpoint(self, file: Path, aliases: Sequence[str], metadata: Mapping[str, Any]) -> None:
        if not self.artifacts or self.run.disabled:
            return
        kept = keep(file, self.place), list(aliases), dict(metadata)
        try:
            self._keep_version(*kept)
        except self.wandb.errors.Error:  # online, W&B asks its server before it so much as notes a version
            self.left.append(kept)
            return
        if self.online and metadata.get("parent"):
            self._begin_from(metadata["parent"])

    def finish(self, exit_code: int = 0) -> None:
        began = time.monotonic()
        write_standing(self.place, self.standing)
        self.run.finish(exit_code=exit_code)
        if not self.online:
            return
        if self.left:
            self._note_what_is_left()
        elif time.monotonic() - began < self.patience[1]:
            self.unsent.unlink(missing_ok=True)
            give_up(self.place)
            return
        say(f"W&B did not take everything within {self.patience[1]:g} s: {LATER.format(self.folder)}")

    def _open(self, mode: str) -> Any:
        run = self.wandb.init(mode=mode, settings=self._limits(), **self.arguments)  # type: ignore[arg-type]
        run.define_metric("step")
        run.define_metric("*", step_metric="step")
        self.standing = read_standing(self.arguments["dir"], run.id)
        if mode == "offline":  # once it is sent, the summary of this part stands for the whole run
            run.summary.update(self.standing)
        return run

    def _begin_from(self, parent: str) -> None:
        """Draw the line from the best checkpoint of another run to this one, which only a server can."""
        try:
            self.run.use_artifact(f"{versions_of(parent)}:best", type="model")
        except Exception as error:  # W&B's own, pydantic's, a service's: there is no list of them
            say(f"W&B draws no line from {parent!r} ({why(error)}); the metadata of the checkpoints name it")

    def _keep_version(self, file: Path, aliases: list[str], metadata: dict[str, Any]) -> None:
        artifact = self.wandb.Artifact(versions_of(self.run.id), type="model", metadata=metadata)
        # not copied, neither to be sent nor once it is sent: a checkpoint may have gigabytes
        artifact.add_file(str(file), name="checkpoint.pt", policy="immutable", skip_cache=True)
        self.run.log_artifact(artifact, aliases=aliases)

    def _note_what_is_left(self) -> None:
        """Once the network is lost, only an offline part of the run can note a version, for `colorize sync`."""
        self.run = self._open("offline")
        for file, aliases, metadata in self.left:
            self._keep_version(keep(file, self.place), aliases, metadata)
        self.run.finish()

    def _choose(self, mode: str) -> tuple[str, str]:
        """What to begin with, and what to say of it. Asked for a key that is not there, W&B would wait for ever."""
        word = os.environ.get("WANDB_MODE", "online") if mode == "auto" else mode
        if word != "online":
            return word, ""
        try:
            if self.wandb.login(prompt=False, verify=False):
                return word, ""
        except self.wandb.errors.AuthenticationError as error:
            return "offline", f"cannot be online ({why(error)}); "
        return "offline", "is not logged in here; " if mode == "online" else ""

    def _where(self, mode: str) -> str:
        return f"online: {self.run.url}" if mode == "online" else f"offline: {LATER.format(self.folder)}"

    def _limits(self) -> Any:
        start, end = self.patience
        return self.wandb.Settings(init_timeout=start, finish_timeout=end, console="off", silent=True)


def versions_of(run_id: str) -> str:
    """The name of the artifact whose versions are the checkpoints of a run."""
    return re.sub(r"[^\w.-]", "_", run_id)


def why(error: Exception | str) -> str:
    """The sentence in what W&B raises or prints, which may hold a server's whole answer."""
    text = str(error).strip()
    found = re.search(r'"message": ?"([^"]+)"', text)
    return found[1] if found else text.split("\n", 1)[0]
